/* Inventory of one host: what a plan needs to know of it and its guests. Facts that one call of
 * libvirt cannot give are left unknown, and one guest that vanishes meanwhile is left out: a probe
 * of a busy host must not fail because something on it changed. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libvirt_movable.h"
#include "libvirt_preflight.h"

static bool read_host(virConnectPtr conn, struct host *host, struct error *err)
{
	virNodeInfo info;

	if (virNodeGetInfo(conn, &info) < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "its size cannot be read");
	host->cpus = info.cpus;
	host->memory_bytes = (uint64_t)info.memory * 1024;
	host->reachable = true;
	LV_AUTO(text_free) char *caps = virConnectGetCapabilities(conn);
	if (caps)
		host->cpu_model = lv_xml_text(caps, "/capabilities/host/cpu/model");
	virResetLastError();
	return true;
}

static void add_once(char ***names, size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*names)[i], name) == 0)
			return;
	strings_add(names, n, name);
}

/* Bridges come from the interface driver, which reads them live; the node device driver lists no bridges. Libvirt
 * networks are asked for by themselves. A host that lists its interfaces but no bridge has none. */
static bool list_interfaces(virConnectPtr conn, char ***names, size_t *n)
{
	virInterfacePtr *interfaces = NULL;
	int found = virConnectListAllInterfaces(conn, &interfaces, 0);
	bool is_known = false;

	for (int i = 0; i < found; i++) {
		if (strcmp(virInterfaceGetName(interfaces[i]), "lo") != 0) {
			add_once(names, n, virInterfaceGetName(interfaces[i]));
			is_known = true;
		}
		virInterfaceFree(interfaces[i]);
	}
	free(interfaces);
	return is_known;
}

void lv_nets_read(virConnectPtr conn, struct lv_nets *ret)
{
	virNetworkPtr *networks = NULL;
	struct lv_nets nets = { 0 };
	bool is_known = list_interfaces(conn, &nets.devices, &nets.n_devices);
	int found = virConnectListAllNetworks(conn, &networks, VIR_CONNECT_LIST_NETWORKS_ACTIVE);

	for (int i = 0; i < found; i++) {
		LV_AUTO(text_free) char *bridge = virNetworkGetBridgeName(networks[i]);
		add_once(&nets.networks, &nets.n_networks, virNetworkGetName(networks[i]));
		if (is_known && bridge)
			add_once(&nets.devices, &nets.n_devices, bridge);
		virNetworkFree(networks[i]);
	}
	free(networks);
	virResetLastError();
	*ret = nets;
}

static void free_names(char **names, size_t n)
{
	while (n > 0)
		free(names[--n]);
	free(names);
}

void lv_nets_clear(struct lv_nets *nets)
{
	free_names(nets->networks, nets->n_networks);
	free_names(nets->devices, nets->n_devices);
	*nets = (struct lv_nets){ 0 };
}

/* All names in one list, devices first. A host without a driver for devices, or whose driver sees nothing at all, lists none:
 * nothing is proven by absence. */
static void read_networks(virConnectPtr conn, struct host *host)
{
	struct lv_nets nets;

	lv_nets_read(conn, &nets);
	for (size_t i = 0; i < nets.n_devices; i++)
		add_once(&host->networks, &host->n_networks, nets.devices[i]);
	for (size_t i = 0; nets.n_devices > 0 && i < nets.n_networks; i++)
		add_once(&host->networks, &host->n_networks, nets.networks[i]);
	lv_nets_clear(&nets);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* FNV-1a, the end of each word included. */
static uint64_t digest_of(char *const *words, size_t n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		for (const char *c = words[i];; c++) {
			hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
			if (*c == '\0')
				break;
		}
	return hash;
}

static bool is_image_of_media(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && strcasecmp(name + length - 4, ".iso") == 0;
}

/* What a folder holds says where a proof of sharing is worth its while; LUNs have identities, which are proof themselves. */
static void read_contents(virStoragePoolPtr from, struct pool *pool)
{
	virStorageVolPtr *volumes = NULL;
	bool has_luns = lv_pool_holds_luns(pool->kind), has_files = lv_pool_holds_files(pool->kind), are_known = true;
	int n = has_luns || has_files ? virStoragePoolListAllVolumes(from, &volumes, 0) : 0;
	char **words = NULL;
	size_t n_words = 0;

	for (int i = 0; i < n; i++) {
		const char *word = has_luns ? virStorageVolGetKey(volumes[i]) : virStorageVolGetName(volumes[i]);
		are_known = are_known && (has_files || lv_is_identity(word));
		strings_add(&words, &n_words, word);
		if (has_files && is_image_of_media(word))
			strings_add(&pool->media, &pool->n_media, word);
		virStorageVolFree(volumes[i]);
	}
	free(volumes);
	if (n_words > 1)
		qsort(words, n_words, sizeof *words, compare_names);
	if (has_files && n_words > 0)
		pool->listing = digest_of(words, n_words);
	if (has_luns && n_words > 0 && are_known)
		pool->share_id = xprintf("luns:%016llx", (unsigned long long)digest_of(words, n_words));
	while (n_words > 0)
		free(words[--n_words]);
	free(words);
}

static bool read_pools(virConnectPtr conn, struct host *host, struct error *err)
{
	virStoragePoolPtr *pools = NULL;
	int n = virConnectListAllStoragePools(conn, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);

	if (n < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "its storage pools cannot be listed");
	for (int i = 0; i < n; i++) {
		virStoragePoolInfo info = { 0 };
		struct lv_xml_pool read = { 0 };
		/* Volumes and free space as they are now; a pool that cannot be refreshed still counts as it was. */
		virStoragePoolRefresh(pools[i], 0);
		LV_AUTO(text_free) char *xml = virStoragePoolGetXMLDesc(pools[i], 0);
		if (xml && virStoragePoolGetInfo(pools[i], &info) == 0 && lv_xml_pool_read(xml, &read, NULL)) {
			struct pool *pool = host_add_pool(host, virStoragePoolGetName(pools[i]));
			free(pool->kind);
			pool->kind = xstrdup(read.kind);
			pool->path = xstrdup(read.path);
			pool->share_id = xstrdup(read.source_id);
			read_contents(pools[i], pool);
			pool->capacity_bytes = info.capacity;
			pool->available_bytes = info.available;
		}
		lv_xml_pool_clear(&read);
		virStoragePoolFree(pools[i]);
	}
	free(pools);
	virResetLastError();
	return true;
}

/* --- guests --- */

/* The XML of a guest that is shut off does not tell the layers that libvirt finds by itself; its volume does. */
static void read_volume(virConnectPtr conn, const struct lv_xml_disk *from, bool is_off, struct disk *disk)
{
	LV_AUTO(volume_unref) virStorageVolPtr volume = NULL;
	LV_AUTO(pool_unref) virStoragePoolPtr pool = NULL;
	virStorageVolInfo info;

	if (from->pool && from->volume && (pool = virStoragePoolLookupByName(conn, from->pool)) != NULL)
		volume = virStorageVolLookupByName(pool, from->volume);
	else if (from->path && (volume = virStorageVolLookupByPath(conn, from->path)) != NULL)
		pool = virStoragePoolLookupByVolume(volume);
	if (volume && pool) {
		disk->pool = xstrdup(virStoragePoolGetName(pool));
		disk->volume = xstrdup(virStorageVolGetName(volume));
		if (!disk->path)
			disk->path = virStorageVolGetPath(volume);
		if (virStorageVolGetInfo(volume, &info) == 0) {
			disk->capacity_bytes = info.capacity;
			disk->allocation_bytes = info.allocation;
		}
		if (is_off) {
			LV_AUTO(text_free) char *xml = virStorageVolGetXMLDesc(volume, 0);
			disk->backing = xml ? lv_xml_text(xml, "/volume/backingStore/path") : NULL;
		}
	}
	virResetLastError();
}

/* Layers below the top one: a full copy brings them too. */
static uint64_t backing_bytes(virConnectPtr conn, const struct lv_xml_disk *disk)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < disk->n_backing; i++) {
		LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolLookupByPath(conn, disk->backing[i]);
		virStorageVolInfo info;
		if (volume && virStorageVolGetInfo(volume, &info) == 0)
			sum += info.allocation;
	}
	virResetLastError();
	return sum;
}

static bool is_device_path(const struct lv_xml_disk *disk)
{
	return disk->device && strcmp(disk->device, "lun") == 0;
}

static void read_disk(virConnectPtr conn, virDomainPtr domain, const struct lv_xml_disk *from, struct guest *guest)
{
	struct disk *disk = guest_add_disk(guest, from->target);
	virDomainBlockInfo info;
	bool is_removable = from->device && (strcmp(from->device, "cdrom") == 0 || strcmp(from->device, "floppy") == 0);

	disk->path = xstrdup(from->path);
	disk->share_id = xstrdup(from->share_id);
	disk->may_be_missing = from->startup_policy && strcmp(from->startup_policy, "mandatory") != 0;
	disk->may_be_missing_cold = from->startup_policy && strcmp(from->startup_policy, "optional") == 0;
	disk->format = from->format ? disk_format_by_name(from->format) : DISK_OTHER;
	disk->readonly = from->is_readonly || is_removable || !from->has_source;
	if (!from->has_source)
		return;
	read_volume(conn, from, guest->state == GUEST_SHUTOFF, disk);
	if (!disk->backing && from->n_backing > 0)
		disk->backing = xstrdup(from->backing[0]);
	disk->passthrough = is_device_path(from);
	if (virDomainGetBlockInfo(domain, from->target, &info, 0) == 0) {
		disk->capacity_bytes = info.capacity;
		disk->allocation_bytes = info.physical && info.allocation > info.physical ? info.physical : info.allocation;
		disk->allocation_bytes += backing_bytes(conn, from);
		if (disk->allocation_bytes > disk->capacity_bytes)
			disk->allocation_bytes = disk->capacity_bytes;
	}
	virResetLastError();
}

static enum guest_state state_of(const virDomainInfo *info)
{
	switch (info->state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return GUEST_RUNNING;
	case VIR_DOMAIN_PAUSED:
		return GUEST_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_CRASHED:
		return GUEST_SHUTOFF;
	default:
		return GUEST_OTHER;
	}
}

/* Facts that forbid a move whatever the target. */
static void read_unmovable(virDomainPtr domain, const char *text, const struct lv_xml_domain *xml, const char *host, struct guest *guest)
{
	int snapshots = virDomainSnapshotNum(domain, 0);
	struct error live, cold;
	bool is_movable = true;

	error_clear(&live);
	error_clear(&cold);
	virResetLastError();
	if (snapshots > 0)
		error_set(&live, ERR_GUEST_SNAPSHOT, "guest %s has %d snapshots and may have 0", guest->name, snapshots);
	else
		is_movable = lv_movable(text, guest->name, host, &live);
	lv_movable_cold(text, guest->name, host, &cold);
	for (size_t i = 0; i < xml->n_disks && snapshots <= 0 && is_movable; i++)
		is_movable = lv_network_disk_is_shared(&xml->disks[i], guest->name, host, &live);
	if (live.code != ERR_NONE)
		*error_own(&guest->unmovable) = live;
	if (cold.code != ERR_NONE)
		*error_own(&guest->unmovable_cold) = cold;
}

/* During a migration the mirrors of the move itself are block jobs: the running migration is then the fact that counts. */
bool lv_migrates(virDomainPtr domain)
{
	virDomainJobInfo job;

	if (virDomainGetJobInfo(domain, &job) < 0) {
		virResetLastError();
		return false;
	}
	return job.type != VIR_DOMAIN_JOB_NONE;
}

/* Resident memory of a QEMU 7.2 beyond what its guest has touched: code, libraries and heap, as seen on guests
 * whose use is known. It matters for small guests only. */
#define QEMU_OWN_BYTES ((uint64_t)45 << 20)

/* What the guest really has in memory, and its balloon; statistics that do not wait for the guest's lock. */
static void read_stats(virDomainPtr domain, struct guest *guest)
{
	virDomainPtr list[] = { domain, NULL };
	virDomainStatsRecordPtr *records = NULL;
	unsigned long long rss = 0, usage = 0;

	if (virDomainListGetStats(list, VIR_DOMAIN_STATS_BALLOON, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT) > 0) {
		if (virTypedParamsGetULLong(records[0]->params, records[0]->nparams, "balloon.rss", &rss) == 1)
			usage = rss * 1024 > QEMU_OWN_BYTES ? rss * 1024 - QEMU_OWN_BYTES : 1;
		/* The process is bigger than its guest's memory by QEMU itself. */
		guest->used_memory_bytes = usage > guest->memory_bytes ? guest->memory_bytes : usage;
	}
	if (records)
		virDomainStatsRecordListFree(records);
	virResetLastError();
}

static void read_guest(virConnectPtr conn, virDomainPtr domain, struct inventory *inventory)
{
	struct lv_xml_domain xml = { 0 };
	virDomainInfo info;
	int autostart = 0;

	LV_AUTO(text_free) char *text = virDomainGetXMLDesc(domain, 0);
	if (!text || virDomainGetInfo(domain, &info) < 0 || !lv_xml_domain_read(text, &xml, NULL)) {
		virResetLastError();
		return;
	}
	struct guest *guest = inventory_add_guest(inventory, xml.name, 0);
	if (strlen(xml.uuid) < sizeof guest->uuid)
		memcpy(guest->uuid, xml.uuid, strlen(xml.uuid) + 1);
	guest->state = state_of(&info);
	guest->persistent = virDomainIsPersistent(domain) == 1;
	guest->autostart = virDomainGetAutostart(domain, &autostart) == 0 && autostart;
	guest->vcpus = info.nrVirtCpu ? info.nrVirtCpu : xml.vcpus;
	guest->memory_bytes = (uint64_t)info.maxMem * 1024;
	guest->cpu_model = xml.is_cpu_checked ? xstrdup(xml.cpu_model) : NULL;
	guest->hostdevs = xml.n_hostdevs;
	for (size_t i = 0; i < xml.n_interfaces; i++)
		strings_add(&guest->interfaces, &guest->n_interfaces, xml.interfaces[i].name);
	for (size_t i = 0; i < xml.n_disks; i++)
		if (xml.disks[i].target)
			read_disk(conn, domain, &xml.disks[i], guest);
	if (guest->state == GUEST_RUNNING)
		read_stats(domain, guest);
	if (!lv_migrates(domain))
		read_unmovable(domain, text, &xml, inventory->hosts[0].name, guest);
	virResetLastError();
	lv_xml_domain_clear(&xml);
}

static bool read_guests(virConnectPtr conn, struct inventory *inventory, struct error *err)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(conn, &domains, 0);

	if (n < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "its guests cannot be listed");
	for (int i = 0; i < n; i++) {
		/* A copy on its way in is its source's guest until it has arrived. */
		if (!lv_is_incoming(domains[i]))
			read_guest(conn, domains[i], inventory);
		virDomainFree(domains[i]);
	}
	free(domains);
	return true;
}

/* A bridge that a guest is plugged into exists, whatever the device list says. */
static void add_used_networks(struct inventory *inventory)
{
	struct host *host = &inventory->hosts[0];

	/* Without any other source the list would name only what is in use, and a plan would take
	 * the rest for missing: unknown is better. */
	if (host->n_networks == 0)
		return;
	for (size_t i = 0; i < inventory->n_guests; i++)
		for (size_t k = 0; inventory->guests[i].state != GUEST_SHUTOFF && k < inventory->guests[i].n_interfaces; k++)
			add_once(&host->networks, &host->n_networks, inventory->guests[i].interfaces[k]);
}

bool lv_probe(virConnectPtr conn, const struct hv_request *request, struct hv_reply *reply, struct error *err)
{
	struct inventory *inventory = inventory_new();
	struct host *host = inventory_add_host(inventory, request->host);
	bool ok = read_host(conn, host, err) && read_pools(conn, host, err);

	if (ok) {
		read_networks(conn, host);
		ok = read_guests(conn, inventory, err);
	}
	if (ok && request->measure_ms >= 1000)
		lv_measure(conn, request, inventory);
	/* Half a host would look like one whose guests have gone. */
	if (ok && virConnectIsAlive(conn) != 1)
		ok = error_set(err, ERR_HOST_UNREACHABLE, "the connection was lost during the probe");
	if (!ok) {
		inventory_free(inventory);
		return false;
	}
	add_used_networks(inventory);
	reply->inventory = inventory;
	return true;
}
