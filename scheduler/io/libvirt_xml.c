/* libvirt's XML, read and edited. One document is parsed per call: these texts are a
 * few kilobytes and each is read once per probe or move, so that a cached tree would
 * save nothing and have to be invalidated. */
#include "libvirt_xml.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include "xalloc.h"

enum { HUGE_PAGE_BYTES = 2 << 20 }; /* of a guest that names no size: the default of x86 and most others */
enum { XML_BYTES_MAX = 16 << 20 }; /* libvirt's own bound for one string on the wire */

struct doc {
	xmlDocPtr doc;
	xmlXPathContextPtr xpath;
};

static void doc_close(struct doc *doc)
{
	if (doc->xpath)
		xmlXPathFreeContext(doc->xpath);
	if (doc->doc)
		xmlFreeDoc(doc->doc);
}
#define DOC __attribute__((cleanup(doc_close))) struct doc

static bool doc_open(struct doc *doc, const char *xml, const char *root, struct error *err)
{
	size_t length = xml ? strlen(xml) : 0;

	*doc = (struct doc){ 0 };
	if (length == 0 || length > XML_BYTES_MAX)
		return error_set(err, ERR_INTERNAL, "libvirt sent %zu bytes of XML (1 to %d are read)", length, XML_BYTES_MAX);
	doc->doc = xmlReadMemory(xml, (int)length, "libvirt.xml", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	xmlNodePtr node = doc->doc ? xmlDocGetRootElement(doc->doc) : NULL;
	if (!node || (root && strcmp((const char *)node->name, root) != 0))
		return error_set(err, ERR_INTERNAL, "libvirt sent XML that is not a <%s>", root ? root : "document");
	doc->xpath = xmlXPathNewContext(doc->doc);
	assert(doc->xpath);
	return true;
}

/* Nodes of the path below node (NULL = the document); never NULL. */
static xmlXPathObjectPtr find(struct doc *doc, xmlNodePtr node, const char *path)
{
	doc->xpath->node = node ? node : xmlDocGetRootElement(doc->doc);
	xmlXPathObjectPtr found = xmlXPathEval((const xmlChar *)path, doc->xpath);

	assert(found && found->type == XPATH_NODESET);
	return found;
}

static size_t count(const xmlXPathObject *found)
{
	return found->nodesetval ? (size_t)found->nodesetval->nodeNr : 0;
}

/* Content of the first match, or NULL. */
static char *text(struct doc *doc, xmlNodePtr node, const char *path)
{
	xmlXPathObjectPtr found = find(doc, node, path);
	char *copy = NULL;

	if (count(found) > 0) {
		xmlChar *content = xmlNodeGetContent(found->nodesetval->nodeTab[0]);
		copy = xstrdup((const char *)content);
		xmlFree(content);
	}
	xmlXPathFreeObject(found);
	return copy;
}

static char *node_text(struct doc *doc, xmlNodePtr node)
{
	xmlBufferPtr buffer = xmlBufferCreate();

	xmlNodeDump(buffer, doc->doc, node, 0, 0);
	char *copy = xstrdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return copy;
}

static bool has(struct doc *doc, xmlNodePtr node, const char *path)
{
	xmlXPathObjectPtr found = find(doc, node, path);
	bool any = count(found) > 0;

	xmlXPathFreeObject(found);
	return any;
}

static bool number(const char *words, uint64_t *ret)
{
	char *end;

	if (!words || *words < '0' || *words > '9')
		return false;
	errno = 0;
	uintmax_t value = strtoumax(words, &end, 10);
	if (errno || *end)
		return false;
	*ret = value;
	return true;
}

static void texts_below(struct doc *doc, xmlNodePtr node, const char *path, char ***ret, size_t *n)
{
	xmlXPathObjectPtr found = find(doc, node, path);

	for (size_t i = 0; i < count(found); i++) {
		xmlChar *content = xmlNodeGetContent(found->nodesetval->nodeTab[i]);
		strings_add(ret, n, (const char *)content);
		xmlFree(content);
	}
	xmlXPathFreeObject(found);
}

static void texts(struct doc *doc, const char *path, char ***ret, size_t *n)
{
	texts_below(doc, NULL, path, ret, n);
}

static uint64_t unit_bytes(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {
		{ "b", 1 }, { "bytes", 1 }, { "KB", 1000 }, { "k", 1024 }, { "KiB", 1024 }, { "MB", 1000000 },
		{ "M", 1 << 20 }, { "MiB", 1 << 20 }, { "GB", 1000000000 }, { "G", 1 << 30 }, { "GiB", 1 << 30 },
	};

	for (size_t i = 0; unit && i < sizeof units / sizeof *units; i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].bytes;
	return 1024; /* libvirt's default for memory */
}

static uint64_t size_of(struct doc *doc, const char *path, const char *unit_path)
{
	char *words = text(doc, NULL, path), *unit = text(doc, NULL, unit_path);
	uint64_t value = 0, bytes = number(words, &value) && value <= UINT64_MAX / unit_bytes(unit) ? value * unit_bytes(unit) : 0;

	free(words);
	free(unit);
	return bytes;
}

/* A name that each host takes for itself. */
static bool is_own_address(const char *name)
{
	static const char *const own[] = { "", "localhost", "localhost.localdomain", "ip6-localhost", "::1", "::", "0.0.0.0" };

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(name, own[i]) == 0)
			return true;
	return strncmp(name, "127.", 4) == 0;
}

/* "nbd:web1@10.0.0.5:10809". NULL without servers (each host's own configuration then names them) and with one that is the host's own. */
static char *network_share(struct doc *doc, xmlNodePtr node)
{
	char *protocol = text(doc, node, "./source/@protocol"), *name = text(doc, node, "./source/@name"), *id = NULL;
	xmlXPathObjectPtr servers = find(doc, node, "./source/host");
	bool is_good = protocol && count(servers) > 0;

	if (is_good)
		id = xprintf("%s:%s@", protocol, name ? name : "");
	for (size_t i = 0; is_good && i < count(servers); i++) {
		xmlNodePtr server = servers->nodesetval->nodeTab[i];
		char *host = text(doc, server, "./@name"), *port = text(doc, server, "./@port"), *longer = NULL;

		is_good = host && !is_own_address(host);
		if (is_good)
			longer = xprintf("%s%s%s:%s", id, i ? "," : "", host, port ? port : "");
		free(id);
		id = longer;
		free(host);
		free(port);
	}
	xmlXPathFreeObject(servers);
	free(protocol);
	free(name);
	return id;
}

static void read_disk(struct doc *doc, xmlNodePtr node, struct lv_xml_disk *disk)
{
	disk->target = text(doc, node, "./target/@dev");
	disk->type = text(doc, node, "./@type");
	disk->device = text(doc, node, "./@device");
	disk->path = text(doc, node, "./source/@file | ./source/@dev");
	disk->pool = text(doc, node, "./source/@pool");
	disk->volume = text(doc, node, "./source/@volume");
	disk->format = text(doc, node, "./driver/@type");
	disk->has_source = has(doc, node, "./source[@file or @dev or @pool or @name or @protocol or @type]");
	disk->is_readonly = has(doc, node, "./readonly");
	disk->is_shareable = has(doc, node, "./shareable");
	disk->is_transient = has(doc, node, "./transient");
	disk->has_mirror = has(doc, node, "./mirror");
	disk->is_network = disk->type && strcmp(disk->type, "network") == 0;
	disk->share_id = disk->is_network ? network_share(doc, node) : NULL;
	disk->startup_policy = text(doc, node, "./source/@startupPolicy");
	texts_below(doc, node, ".//backingStore/source/@file | .//backingStore/source/@dev", &disk->backing, &disk->n_backing);
	disk->backing_format = text(doc, node, "./backingStore/format/@type");
}

static void disk_clear(struct lv_xml_disk *disk)
{
	free(disk->target);
	free(disk->type);
	free(disk->device);
	free(disk->path);
	free(disk->pool);
	free(disk->volume);
	free(disk->format);
	free(disk->share_id);
	free(disk->startup_policy);
	for (size_t i = 0; i < disk->n_backing; i++)
		free(disk->backing[i]);
	free(disk->backing);
	free(disk->backing_format);
}

static void read_cpu(struct doc *doc, struct lv_xml_domain *domain)
{
	xmlXPathObjectPtr found = find(doc, NULL, "/domain/cpu");

	if (count(found) > 0)
		domain->cpu = node_text(doc, found->nodesetval->nodeTab[0]);
	xmlXPathFreeObject(found);
	domain->cpu_mode = text(doc, NULL, "/domain/cpu/@mode");
	domain->cpu_model = text(doc, NULL, "/domain/cpu/model");
	domain->is_cpu_checked = has(doc, NULL, "/domain/cpu[@check='full' or @check='partial' or @match='strict']");
}

#define INTERFACES "/domain/devices/interface[source/@network or (@type='bridge' and source/@bridge) or (@type='direct' and source/@dev)]"

/* An interface of a libvirt network over a bridge or a device shows while it runs as of that kind, with the network's name
 * beside it. */
static enum lv_net_kind net_kind(struct doc *doc, xmlNodePtr node)
{
	if (has(doc, node, "./source/@network"))
		return LV_NET_NETWORK;
	return has(doc, node, "self::*[@type='direct']") ? LV_NET_DIRECT : LV_NET_BRIDGE;
}

static void read_interfaces(struct doc *doc, struct lv_xml_domain *domain)
{
	static const char *const names[] = { "./source/@bridge", "./source/@network", "./source/@dev" };
	xmlXPathObjectPtr found = find(doc, NULL, INTERFACES);

	domain->interfaces = xcalloc(count(found) + 1, sizeof *domain->interfaces);
	for (; domain->n_interfaces < count(found); domain->n_interfaces++) {
		xmlNodePtr node = found->nodesetval->nodeTab[domain->n_interfaces];
		enum lv_net_kind kind = net_kind(doc, node);
		domain->interfaces[domain->n_interfaces] =
			(struct lv_xml_interface){ kind, text(doc, node, names[kind]), text(doc, node, "./source/@portgroup") };
	}
	xmlXPathFreeObject(found);
}

bool lv_xml_domain_read(const char *xml, struct lv_xml_domain *ret, struct error *err)
{
	struct lv_xml_domain domain = { 0 };
	uint64_t value = 0;
	DOC doc;

	if (!doc_open(&doc, xml, "domain", err))
		return false;
	domain.name = text(&doc, NULL, "/domain/name");
	domain.uuid = text(&doc, NULL, "/domain/uuid");
	domain.type = text(&doc, NULL, "/domain/@type");
	domain.arch = text(&doc, NULL, "/domain/os/type/@arch");
	domain.machine = text(&doc, NULL, "/domain/os/type/@machine");
	domain.emulator = text(&doc, NULL, "/domain/devices/emulator");
	read_cpu(&doc, &domain);

	domain.tpm_backend = text(&doc, NULL, "/domain/devices/tpm/backend/@type");

	char *words = text(&doc, NULL, "/domain/vcpu");
	domain.vcpus = number(words, &value) && value < UINT32_MAX ? (uint32_t)value : 1;
	free(words);
	domain.memory_bytes = size_of(&doc, "/domain/memory", "/domain/memory/@unit");
	domain.huge_page_bytes = size_of(&doc, "/domain/memoryBacking/hugepages/page/@size", "/domain/memoryBacking/hugepages/page/@unit");
	if (domain.huge_page_bytes == 0 && has(&doc, NULL, "/domain/memoryBacking/hugepages"))
		domain.huge_page_bytes = HUGE_PAGE_BYTES;

	xmlXPathObjectPtr found = find(&doc, NULL, "/domain/devices/disk");
	domain.disks = xcalloc(count(found) + 1, sizeof *domain.disks);
	for (; domain.n_disks < count(found); domain.n_disks++)
		read_disk(&doc, found->nodesetval->nodeTab[domain.n_disks], &domain.disks[domain.n_disks]);
	xmlXPathFreeObject(found);
	read_interfaces(&doc, &domain);
	texts(&doc, "/domain/devices/interface/filterref/@filter", &domain.filters, &domain.n_filters);
	found = find(&doc, NULL, "/domain/devices/hostdev");
	domain.n_hostdevs = (uint32_t)count(found);
	xmlXPathFreeObject(found);
	*ret = domain;
	if (domain.name && domain.uuid)
		return true;
	lv_xml_domain_clear(ret);
	*ret = (struct lv_xml_domain){ 0 };
	return error_set(err, ERR_INTERNAL, "libvirt sent a <domain> without name or uuid");
}

void lv_xml_domain_clear(struct lv_xml_domain *domain)
{
	free(domain->name);
	free(domain->uuid);
	free(domain->type);
	free(domain->arch);
	free(domain->machine);
	free(domain->emulator);
	free(domain->cpu_mode);
	free(domain->cpu_model);
	free(domain->tpm_backend);
	free(domain->cpu);
	for (size_t i = 0; i < domain->n_disks; i++)
		disk_clear(&domain->disks[i]);
	free(domain->disks);
	for (size_t i = 0; i < domain->n_interfaces; i++) {
		free(domain->interfaces[i].name);
		free(domain->interfaces[i].port_group);
	}
	free(domain->interfaces);
	for (size_t i = 0; i < domain->n_filters; i++)
		free(domain->filters[i]);
	free(domain->filters);
	*domain = (struct lv_xml_domain){ 0 };
}

const char *lv_map(const struct name_map *map, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(map[i].from, name) == 0)
			return map[i].to;
	return name;
}

static xmlNodePtr child(xmlNodePtr node, const char *name)
{
	for (xmlNodePtr i = node->children; i; i = i->next)
		if (i->type == XML_ELEMENT_NODE && strcmp((const char *)i->name, name) == 0)
			return i;
	return NULL;
}

static void drop_children(xmlNodePtr node, const char *name)
{
	for (xmlNodePtr i; (i = child(node, name)) != NULL;) {
		xmlUnlinkNode(i);
		xmlFreeNode(i);
	}
}

static void set(xmlNodePtr node, const char *name, const char *value)
{
	xmlSetProp(node, (const xmlChar *)name, (const xmlChar *)value);
}

static void drop_indexes(xmlNodePtr node)
{
	for (xmlNodePtr i = node->children; i; i = i->next) {
		if (i->type != XML_ELEMENT_NODE)
			continue;
		xmlUnsetProp(i, (const xmlChar *)"index");
		if (strcmp((const char *)i->name, "backingStore") == 0)
			drop_indexes(i);
	}
}

/* Points a disk at its place on the target. A volume keeps being named by pool and volume; a file or device
 * becomes the path that the target's pool gave. */
static bool edit_disk(xmlNodePtr node, const struct hv_disk *disk, struct error *err)
{
	xmlNodePtr source = child(node, "source");
	xmlChar *type = xmlGetProp(node, (const xmlChar *)"type");
	bool is_volume = type && strcmp((const char *)type, "volume") == 0;

	xmlFree(type);
	if (!source)
		return error_set(err, ERR_GUEST_DISK, "disk %s has no source in the guest's XML", disk->target);
	/* A full copy has no backing file, and the index numbers belong to the source's chain. */
	if (!disk->backing_path)
		drop_children(node, "backingStore");
	drop_children(node, "mirror");
	drop_indexes(node);
	/* Labels and reservations speak of the old image. */
	drop_children(source, "seclabel");
	if (is_volume) {
		set(source, "pool", disk->target_pool);
		set(source, "volume", disk->target_volume);
		return true;
	}
	if (!disk->target_path)
		return error_set(err, ERR_GUEST_DISK, "disk %s: its path on the target is not known", disk->target);
	set(node, "type", disk->is_device_there ? "block" : "file");
	xmlUnsetProp(source, (const xmlChar *)(disk->is_device_there ? "file" : "dev"));
	set(source, disk->is_device_there ? "dev" : "file", disk->target_path);
	return true;
}

static bool edit_disks(struct doc *doc, const struct hv_disk *disks, size_t n, struct error *err)
{
	xmlXPathObjectPtr found = find(doc, NULL, "/domain/devices/disk");
	bool ok = true;

	for (size_t i = 0; ok && i < n; i++) {
		xmlNodePtr node = NULL;
		for (size_t k = 0; k < count(found) && !node; k++) {
			char *target = text(doc, found->nodesetval->nodeTab[k], "./target/@dev");
			if (target && strcmp(target, disks[i].target) == 0)
				node = found->nodesetval->nodeTab[k];
			free(target);
		}
		ok = node ? edit_disk(node, &disks[i], err) :
			    error_set(err, ERR_GUEST_DISK, "the guest has no disk %s any more", disks[i].target);
	}
	xmlXPathFreeObject(found);
	return ok;
}

static bool among(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

const char *lv_net_kind_name(enum lv_net_kind kind)
{
	return kind == LV_NET_NETWORK ? "network" : kind == LV_NET_BRIDGE ? "bridge" : "direct";
}

/* The same kind where the target has one of that name, the other kind where it has that: a bridge here may be a libvirt network
 * there. */
enum lv_net_kind lv_net_kind_there(enum lv_net_kind here, const char *name, const struct lv_nets *nets)
{
	bool is_network = among(nets->networks, nets->n_networks, name), is_device = among(nets->devices, nets->n_devices, name);

	if (here == LV_NET_NETWORK)
		return !is_network && is_device ? LV_NET_BRIDGE : here;
	return !is_device && is_network ? LV_NET_NETWORK : here;
}

static const char *const source_names[] = { "bridge", "network", "dev" };

/* VLAN tags, filters and bandwidth stay with the interface. A port profile does too, but where the interface becomes one of a
 * libvirt network: that gives it its own. A port group is the network's. */
static void edit_interface(xmlNodePtr node, enum lv_net_kind here, const struct lv_nets *nets)
{
	xmlNodePtr source = child(node, "source");
	xmlChar *name = xmlGetProp(source, (const xmlChar *)source_names[here]);
	const char *to = lv_map(nets->maps, nets->n_maps, (const char *)name);
	enum lv_net_kind there = lv_net_kind_there(here, to, nets);

	set(node, "type", lv_net_kind_name(there));
	if (here != there) {
		while (source->properties)
			xmlRemoveProp(source->properties);
		if (there == LV_NET_NETWORK)
			drop_children(node, "virtualport");
	}
	set(source, source_names[there], to);
	xmlFree(name);
	/* A port belongs to the source's network; the target makes its own. */
	if (there == LV_NET_NETWORK) {
		xmlUnsetProp(source, (const xmlChar *)"portid");
		xmlUnsetProp(source, (const xmlChar *)"bridge");
	}
}

static void edit_interfaces(struct doc *doc, const struct lv_nets *nets)
{
	/* All are found before one is changed, or one that became a network would be changed again. */
	xmlXPathObjectPtr found = find(doc, NULL, INTERFACES);

	for (size_t i = 0; i < count(found); i++)
		edit_interface(found->nodesetval->nodeTab[i], net_kind(doc, found->nodesetval->nodeTab[i]), nets);
	xmlXPathFreeObject(found);
}

static void drop_tag_element(struct doc *doc)
{
	xmlXPathObjectPtr found = find(doc, NULL, "/domain/metadata/*[namespace-uri()='" LV_TAG_URI "']");

	for (size_t i = 0; i < count(found); i++) {
		xmlUnlinkNode(found->nodesetval->nodeTab[i]);
		xmlFreeNode(found->nodesetval->nodeTab[i]);
		found->nodesetval->nodeTab[i] = NULL;
	}
	xmlXPathFreeObject(found);
}

static char *doc_text(struct doc *doc)
{
	xmlChar *memory = NULL;
	int size = 0;

	xmlDocDumpMemory(doc->doc, &memory, &size);
	assert(memory);
	char *copy = xstrdup((const char *)memory);
	xmlFree(memory);
	return copy;
}

char *lv_xml_for_target(const char *xml, const struct hv_disk *disks, size_t n_disks,
			const struct lv_nets *nets, bool drop_tag, struct error *err)
{
	DOC doc;

	if (!doc_open(&doc, xml, "domain", err) || !edit_disks(&doc, disks, n_disks, err))
		return NULL;
	edit_interfaces(&doc, nets);
	if (drop_tag)
		drop_tag_element(&doc);
	return doc_text(&doc);
}

/* Built as a tree, not with printf: names may hold any character. */
char *lv_xml_tag(const struct job_tag *tag)
{
	char digits[24];
	DOC doc = { .doc = xmlNewDoc((const xmlChar *)"1.0") };
	xmlNodePtr root = xmlNewNode(NULL, (const xmlChar *)"job");

	xmlDocSetRootElement(doc.doc, root);
	set(root, "run", tag->run);
	snprintf(digits, sizeof digits, "%" PRIu64, tag->move);
	set(root, "move", digits);
	snprintf(digits, sizeof digits, "%" PRIu64, tag->epoch);
	set(root, "epoch", digits);
	set(root, "target", tag->target);
	/* libvirt wants the element alone, without a declaration. */
	return node_text(&doc, root);
}

static bool copy_bounded(char *ret, size_t size, const char *words)
{
	if (!words || strlen(words) >= size)
		return false;
	memcpy(ret, words, strlen(words) + 1);
	return true;
}

bool lv_xml_tag_read(const char *xml, struct job_tag *ret)
{
	struct job_tag tag = { 0 };
	DOC doc;

	if (!doc_open(&doc, xml, "job", NULL))
		return false;
	char *run = text(&doc, NULL, "./@run"), *target = text(&doc, NULL, "./@target");
	char *move = text(&doc, NULL, "./@move"), *epoch = text(&doc, NULL, "./@epoch");
	bool ok = copy_bounded(tag.run, sizeof tag.run, run) && copy_bounded(tag.target, sizeof tag.target, target) &&
		  number(move, &tag.move) && number(epoch, &tag.epoch);
	free(run);
	free(target);
	free(move);
	free(epoch);
	if (ok)
		*ret = tag;
	return ok;
}

static void add_format(xmlNodePtr parent, enum disk_format format)
{
	set(xmlNewChild(parent, NULL, (const xmlChar *)"format", NULL), "type", format == DISK_QCOW2 ? "qcow2" : "raw");
}

static xmlNodePtr new_volume(struct doc *doc, const char *name, uint64_t capacity_bytes)
{
	char digits[24];
	xmlNodePtr root = xmlNewNode(NULL, (const xmlChar *)"volume");

	doc->doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlDocSetRootElement(doc->doc, root);
	xmlNewTextChild(root, NULL, (const xmlChar *)"name", (const xmlChar *)name);
	snprintf(digits, sizeof digits, "%" PRIu64, capacity_bytes);
	set(xmlNewTextChild(root, NULL, (const xmlChar *)"capacity", (const xmlChar *)digits), "unit", "bytes");
	xmlNewTextChild(root, NULL, (const xmlChar *)"allocation", (const xmlChar *)"0");
	return root;
}

char *lv_xml_volume(const struct hv_disk *disk)
{
	DOC doc = { 0 };
	xmlNodePtr root = new_volume(&doc, disk->target_volume, disk->capacity_bytes);

	assert(disk->format != DISK_OTHER);
	xmlNodePtr target = xmlNewChild(root, NULL, (const xmlChar *)"target", NULL);
	add_format(target, disk->format);
	if (disk->format == DISK_QCOW2)
		xmlNewTextChild(target, NULL, (const xmlChar *)"compat", (const xmlChar *)"1.1");
	if (disk->backing_path) {
		xmlNodePtr backing = xmlNewChild(root, NULL, (const xmlChar *)"backingStore", NULL);
		xmlNewTextChild(backing, NULL, (const xmlChar *)"path", (const xmlChar *)disk->backing_path);
		add_format(backing, disk->backing_format);
	}
	return doc_text(&doc);
}

char *lv_xml_probe_volume(const char *name)
{
	enum { PROBE_BYTES = 4096 };
	DOC doc = { 0 };
	xmlNodePtr root = new_volume(&doc, name, PROBE_BYTES);

	add_format(xmlNewChild(root, NULL, (const xmlChar *)"target", NULL), DISK_RAW);
	return doc_text(&doc);
}

/* Pools that QEMU reaches by itself, over the network: the definition says all that it is told. */
static char *source_id(struct doc *doc, const char *kind)
{
	static const char *const remote[] = { "iscsi-direct", "rbd", "gluster", "sheepdog" };
	bool is_remote = false;

	for (size_t i = 0; kind && i < sizeof remote / sizeof *remote; i++)
		is_remote = is_remote || strcmp(kind, remote[i]) == 0;
	if (!is_remote)
		return NULL;
	char *host = text(doc, NULL, "/pool/source/host/@name"), *port = text(doc, NULL, "/pool/source/host/@port");
	char *dir = text(doc, NULL, "/pool/source/dir/@path"), *device = text(doc, NULL, "/pool/source/device/@path");
	char *name = text(doc, NULL, "/pool/source/name");
	char *id = NULL;
	if (host && !is_own_address(host))
		id = xprintf("%s:%s:%s:%s:%s:%s", kind, host, port ? port : "", dir ? dir : "", device ? device : "",
			     name ? name : "");
	free(host);
	free(port);
	free(dir);
	free(device);
	free(name);
	return id;
}

bool lv_xml_pool_read(const char *xml, struct lv_xml_pool *ret, struct error *err)
{
	DOC doc;

	if (!doc_open(&doc, xml, "pool", err))
		return false;
	ret->kind = text(&doc, NULL, "/pool/@type");
	ret->path = text(&doc, NULL, "/pool/target/path");
	ret->source_id = source_id(&doc, ret->kind);
	return true;
}

void lv_xml_pool_clear(struct lv_xml_pool *pool)
{
	free(pool->kind);
	free(pool->path);
	free(pool->source_id);
	*pool = (struct lv_xml_pool){ 0 };
}

char *lv_xml_text(const char *xml, const char *xpath)
{
	DOC doc;

	return doc_open(&doc, xml, NULL, NULL) ? text(&doc, NULL, xpath) : NULL;
}

char *lv_xml_host_model(const char *xml)
{
	char *cpu = NULL;
	DOC doc;

	if (!doc_open(&doc, xml, "domainCapabilities", NULL))
		return NULL;
	xmlXPathObjectPtr found = find(&doc, NULL, "/domainCapabilities/cpu/mode[@name='host-model'][@supported='yes'][model]");
	if (count(found) > 0) {
		xmlNodePtr node = found->nodesetval->nodeTab[0];
		while (node->properties)
			xmlRemoveProp(node->properties);
		xmlNodeSetName(node, (const xmlChar *)"cpu");
		cpu = node_text(&doc, node);
	}
	xmlXPathFreeObject(found);
	return cpu;
}

static char *value_at(struct doc *doc, xmlNodePtr node, const char *expression)
{
	doc->xpath->node = node;
	xmlXPathObjectPtr value = xmlXPathEval((const xmlChar *)expression, doc->xpath);

	assert(value && value->type == XPATH_STRING);
	char *copy = xstrdup((const char *)value->stringval);
	xmlXPathFreeObject(value);
	return copy;
}

char *lv_xml_first(const char *xml, const struct lv_xml_query *queries, size_t n, size_t *ret_at)
{
	char *value = NULL;
	DOC doc;

	if (!doc_open(&doc, xml, NULL, NULL))
		return NULL;
	for (size_t i = 0; i < n && !value; i++) {
		xmlXPathObjectPtr found = find(&doc, NULL, queries[i].path);
		if (count(found) > 0) {
			value = value_at(&doc, found->nodesetval->nodeTab[0], queries[i].value);
			*ret_at = i;
		}
		xmlXPathFreeObject(found);
	}
	return value;
}

char *lv_xml_element(const char *xml, const char *xpath)
{
	DOC doc;

	if (!doc_open(&doc, xml, NULL, NULL))
		return NULL;
	xmlXPathObjectPtr found = find(&doc, NULL, xpath);
	char *copy = count(found) > 0 ? node_text(&doc, found->nodesetval->nodeTab[0]) : NULL;
	xmlXPathFreeObject(found);
	return copy;
}

void lv_xml_texts(const char *xml, const char *xpath, char ***ret, size_t *n)
{
	DOC doc;

	if (doc_open(&doc, xml, NULL, NULL))
		texts(&doc, xpath, ret, n);
}
