/* Can this target run that guest: machine type, CPU, TPM, huge pages, memory, networks and filters, as both hosts say now.
 * Disks are libvirt_preflight.c's, what forbids any move is libvirt_movable.c's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

enum { LISTED_MAX = 8, LIST_BYTES = 240 };

static bool is_tcg(const struct lv_xml_domain *xml)
{
	return xml->type && strcmp(xml->type, "qemu") == 0;
}

/* "a, b, c and 4 more"; only names with the prefix. */
static void list_names(char *const *names, size_t n, const char *prefix, char *text, size_t size)
{
	size_t shown = 0, all = 0, length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (strncmp(names[i], prefix, strlen(prefix)) != 0)
			continue;
		if (all++ >= LISTED_MAX || length + strlen(names[i]) + 3 > size)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%s", shown++ > 0 ? ", " : "", names[i]);
	}
	if (all > shown && length + 24 < size)
		snprintf(text + length, size - length, " and %zu more", all - shown);
	if (all == 0)
		snprintf(text, size, "none");
}

static void free_names(char **names, size_t n)
{
	while (n > 0)
		free(names[--n]);
	free(names);
}

/* ---- machine type ---- */

static bool refuse_machine(const struct lv_ask *ask, struct error *err)
{
	const struct lv_xml_domain *xml = ask->xml;
	const char *machine = xml->machine ? xml->machine : "(default)";
	LV_AUTO(text_free) char *caps = virConnectGetCapabilities(ask->target);
	LV_AUTO(text_free) char *path = xprintf("/capabilities/guest/arch[@name='%s']/machine",
						xml->arch ? xml->arch : "x86_64");
	char family[64] = "", known[LIST_BYTES], **names = NULL;
	const char *dash = strrchr(machine, '-');
	size_t n = 0;

	if (caps)
		lv_xml_texts(caps, path, &names, &n);
	snprintf(family, sizeof family, "%.*s", (int)(dash ? dash - machine + 1 : 0), machine);
	list_names(names, n, family, known, sizeof known);
	free_names(names, n);
	error_set(err, ERR_TARGET_MACHINE, "guest %s needs machine type %s (%s, %s), host %s has of that family: %s", xml->name, machine,
		  xml->arch ? xml->arch : "?", xml->type ? xml->type : "?", ask->request->target, known);
	return false;
}

/* ---- CPU ---- */

/* What the guest sees of a passed-through CPU is the host's: it must be the same CPU, feature by feature. */
static bool compare_host_cpus(const struct lv_ask *ask, struct error *err)
{
	static const char *const paths[] = { "/capabilities/host/cpu/vendor", "/capabilities/host/cpu/model" };
	LV_AUTO(text_free) char *here = virConnectGetCapabilities(ask->source);
	LV_AUTO(text_free) char *there = virConnectGetCapabilities(ask->target);
	char **needs = NULL, **has = NULL, *missing = NULL;
	size_t n_needs = 0, n_has = 0;
	bool ok = true;

	if (!here || !there) {
		virResetLastError();
		return true;
	}
	for (size_t i = 0; ok && i < 2; i++) {
		LV_AUTO(text_free) char *a = lv_xml_text(here, paths[i]);
		LV_AUTO(text_free) char *b = lv_xml_text(there, paths[i]);
		if (a && b && strcmp(a, b) != 0)
			ok = error_set(err, ERR_TARGET_CPU_MODEL, "guest %s has its host's CPU (%s): %s has %s, %s has %s", ask->xml->name,
				       ask->xml->cpu_mode, ask->request->host, a, ask->request->target, b);
	}
	lv_xml_texts(here, "/capabilities/host/cpu/feature/@name", &needs, &n_needs);
	lv_xml_texts(there, "/capabilities/host/cpu/feature/@name", &has, &n_has);
	for (size_t i = 0; ok && i < n_needs && !missing; i++) {
		size_t k = 0;
		while (k < n_has && strcmp(needs[i], has[k]) != 0)
			k++;
		missing = k == n_has ? needs[i] : NULL;
	}
	if (missing)
		ok = error_set(err, ERR_TARGET_CPU_MODEL, "guest %s has its host's CPU (%s): %s has the feature %s, %s has not", ask->xml->name,
			       ask->xml->cpu_mode, ask->request->host, missing, ask->request->target);
	free_names(needs, n_needs);
	free_names(has, n_has);
	if (!ok && err)
		error_hint(err, "give the guest the CPU of drover preflight --baseline and start it anew, or move it to a host of the same model");
	return ok;
}

static bool check_cpu(const struct lv_ask *ask, struct error *err)
{
	const struct lv_xml_domain *xml = ask->xml;
	const char *mode = xml->cpu_mode ? xml->cpu_mode : "";

	if ((strcmp(mode, "host-passthrough") == 0 || strcmp(mode, "maximum") == 0) && !is_tcg(xml))
		return compare_host_cpus(ask, err);
	if (!xml->cpu || !xml->is_cpu_checked)
		return true;
	int verdict = virConnectCompareHypervisorCPU(ask->target, xml->emulator, xml->arch, xml->machine, xml->type, xml->cpu,
						     VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
	if (verdict == VIR_CPU_COMPARE_IDENTICAL || verdict == VIR_CPU_COMPARE_SUPERSET)
		return true;
	int code = lv_last_code();
	if (verdict == VIR_CPU_COMPARE_INCOMPATIBLE || code == VIR_ERR_CPU_INCOMPATIBLE || code == VIR_ERR_INTERNAL_ERROR ||
	    code == VIR_ERR_CONFIG_UNSUPPORTED) {
		/* The last two are how an older libvirt says that it does not know the model or a feature. */
		lv_error(err, ERR_TARGET_CPU_MODEL, "guest %s needs CPU %s, host %s has not all of it", xml->name,
			 xml->cpu_model ? xml->cpu_model : mode, ask->request->target);
		if (err) {
			err->code = ERR_TARGET_CPU_MODEL;
			error_hint(err, "give the guest the CPU of drover preflight --baseline and start it anew, or choose another target");
		}
		return false;
	}
	/* The driver cannot compare (another hypervisor): libvirt checks again when the move begins. */
	virResetLastError();
	return true;
}

/* ---- devices that the target must be able to make ---- */

static bool check_tpm(const struct lv_ask *ask, const char *caps, struct error *err)
{
	char **kinds = NULL, known[LIST_BYTES];
	size_t n = 0;
	bool found = false;

	if (!ask->xml->tpm_backend)
		return true;
	lv_xml_texts(caps, "/domainCapabilities/devices/tpm[@supported='yes']/enum[@name='backendModel']/value", &kinds, &n);
	for (size_t i = 0; i < n; i++)
		found = found || strcmp(kinds[i], ask->xml->tpm_backend) == 0;
	list_names(kinds, n, "", known, sizeof known);
	free_names(kinds, n);
	if (found)
		return true;
	error_set(err, ERR_TARGET_DEVICE, "guest %s has a TPM of type %s, host %s can make: %s", ask->xml->name, ask->xml->tpm_backend,
		  ask->request->target, known);
	error_hint(err, "install swtpm and swtpm-tools there");
	return false;
}

static bool check_filters(const struct lv_ask *ask, struct error *err)
{
	for (size_t i = 0; i < ask->xml->n_filters; i++) {
		virNWFilterPtr filter = virNWFilterLookupByName(ask->target, ask->xml->filters[i]);
		if (filter) {
			virNWFilterFree(filter);
			continue;
		}
		bool is_missing = lv_last_code() == VIR_ERR_NO_NWFILTER;
		virResetLastError();
		if (!is_missing)
			continue;
		error_set(err, ERR_TARGET_DEVICE, "guest %s: an interface has network filter %s, host %s has none of that name", ask->xml->name,
			  ask->xml->filters[i], ask->request->target);
		error_hint(err, "virsh nwfilter-dumpxml %s on %s, nwfilter-define on %s", ask->xml->filters[i], ask->request->host,
			   ask->request->target);
		return false;
	}
	return true;
}

/* ---- memory ---- */

/* Free, buffers and cache: what a new guest can have. 0 = the host does not say. */
static uint64_t free_memory(virConnectPtr conn)
{
	virNodeMemoryStats stats[16];
	int n = 0;
	uint64_t kib = 0;

	if (virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n > 16 ||
	    virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0) < 0) {
		virResetLastError();
		return 0;
	}
	for (int i = 0; i < n; i++)
		if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL) != 0)
			kib += stats[i].value;
	return kib * 1024;
}

static bool check_huge_pages(const struct lv_ask *ask, struct error *err)
{
	unsigned page_kib = (unsigned)(ask->xml->huge_page_bytes / 1024);
	unsigned long long pages = 0;

	if (virNodeGetFreePages(ask->target, 1, &page_kib, -1, 1, &pages, 0) < 0) {
		lv_error(err, ERR_TARGET_MEMORY, "guest %s needs huge pages of %u KiB, host %s has none of that size", ask->xml->name, page_kib,
			 ask->request->target);
		if (err)
			err->code = ERR_TARGET_MEMORY;
		return false;
	}
	if (pages * page_kib >= ask->xml->memory_bytes / 1024)
		return true;
	error_set(err, ERR_TARGET_MEMORY, "guest %s needs %llu huge pages of %u KiB, host %s has %llu free", ask->xml->name,
		  (unsigned long long)(ask->xml->memory_bytes / 1024 / page_kib), page_kib, ask->request->target, pages);
	error_hint(err, "virsh allocpages %uKiB COUNT on %s, or vm.nr_hugepages there", page_kib, ask->request->target);
	return false;
}

static bool check_memory(const struct lv_ask *ask, struct error *err)
{
	ask->result->target_free_memory_bytes = free_memory(ask->target);
	if (ask->xml->huge_page_bytes > 0)
		return check_huge_pages(ask, err);
	if (ask->result->target_free_memory_bytes == 0 || ask->result->target_free_memory_bytes >= ask->result->memory_bytes)
		return true;
	return error_set(err, ERR_TARGET_MEMORY, "guest %s needs %llu MiB, host %s has %llu MiB free just now", ask->xml->name,
			 (unsigned long long)(ask->result->memory_bytes >> 20), ask->request->target,
			 (unsigned long long)(ask->result->target_free_memory_bytes >> 20));
}

/* ---- networks ---- */

/* libvirt takes the default for a port group that the network has not, and the guest would sit in another VLAN. */
static bool check_port_group(const struct lv_ask *ask, const char *network, const char *group, struct error *err)
{
	LV_AUTO(network_unref) virNetworkPtr there = virNetworkLookupByName(ask->target, network);
	LV_AUTO(text_free) char *xml = there ? virNetworkGetXMLDesc(there, 0) : NULL;
	char **groups = NULL, known[LIST_BYTES];
	bool found = !xml;
	size_t n = 0;

	if (xml)
		lv_xml_texts(xml, "/network/portgroup/@name", &groups, &n);
	for (size_t i = 0; i < n; i++)
		found = found || strcmp(groups[i], group) == 0;
	list_names(groups, n, "", known, sizeof known);
	free_names(groups, n);
	virResetLastError();
	return found || error_set(err, ERR_TARGET_NETWORK_MISSING, "guest %s: network %s of host %s has no port group %s; it has %s",
				  ask->xml->name, network, ask->request->target, group, known);
}

static bool refuse_network(const struct lv_ask *ask, const char *name, const char *wanted, const struct lv_nets *nets, struct error *err)
{
	char networks[LIST_BYTES / 2], devices[LIST_BYTES / 2];
	virNetworkPtr inactive = virNetworkLookupByName(ask->target, wanted);

	virResetLastError();
	if (inactive) {
		virNetworkFree(inactive);
		error_set(err, ERR_TARGET_NETWORK_MISSING, "guest %s: network %s of host %s is not active", ask->xml->name, wanted,
			  ask->request->target);
		error_hint(err, "virsh net-start %s there", wanted);
		return false;
	}
	list_names(nets->devices, nets->n_devices, "", devices, sizeof devices);
	list_names(nets->networks, nets->n_networks, "", networks, sizeof networks);
	error_set(err, ERR_TARGET_NETWORK_MISSING, "guest %s: host %s has no network or bridge %s; it has devices %s and libvirt networks %s",
		  ask->xml->name, ask->request->target, wanted, devices, networks);
	error_hint(err, "make it there, or choose another with [map NAME] networks = %s:OTHER and --map NAME", name);
	return false;
}

static bool has_name(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* By the name that the guest will use there. */
static bool check_interface(const struct lv_ask *ask, const struct lv_xml_interface *interface, const struct lv_nets *nets, struct error *err)
{
	const char *wanted = lv_map(ask->request->nets, ask->request->n_nets, interface->name);

	if (has_name(nets->networks, nets->n_networks, wanted))
		return !interface->port_group || lv_net_kind_there(interface->kind, wanted, nets) != LV_NET_NETWORK ||
		       check_port_group(ask, wanted, interface->port_group, err);
	/* A host that cannot list its interfaces proves nothing; libvirt itself then refuses before anything is copied. */
	if (has_name(nets->devices, nets->n_devices, wanted) || nets->n_devices == 0)
		return true;
	return refuse_network(ask, interface->name, wanted, nets, err);
}

static bool check_networks(const struct lv_ask *ask, struct error *err)
{
	struct lv_nets nets;
	bool ok = true;

	if (ask->xml->n_interfaces == 0)
		return true;
	lv_nets_read(ask->target, &nets);
	for (size_t i = 0; ok && i < ask->xml->n_interfaces; i++)
		ok = check_interface(ask, &ask->xml->interfaces[i], &nets, err);
	lv_nets_clear(&nets);
	return ok;
}

/* ---- versions ---- */

struct version_text {
	char text[24];
};
static struct version_text version_text(unsigned long version)
{
	struct version_text text;

	snprintf(text.text, sizeof text.text, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000, version % 1000);
	return text;
}

/* Newer to older is no refusal: it mostly works, and libvirt refuses what does not. But it is said before. */
static void warn_of_versions(const struct lv_ask *ask)
{
	static const struct {
		const char *name;
		int (*get)(virConnectPtr conn, unsigned long *version);
	} programs[] = { { "QEMU", virConnectGetVersion }, { "libvirt", virConnectGetLibVersion } };

	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		unsigned long here = 0, there = 0;
		if (programs[i].get(ask->source, &here) < 0 || programs[i].get(ask->target, &there) < 0 || here <= there)
			continue;
		error_set(&ask->result->warning, ERR_OLDER_TARGET, "guest %s goes to an older %s: %s has %s, %s has %s", ask->xml->name,
			  programs[i].name, ask->request->host, version_text(here).text, ask->request->target, version_text(there).text);
		break;
	}
	virResetLastError();
}

bool lv_target_fits(const struct lv_ask *ask, struct error *err)
{
	const struct lv_xml_domain *xml = ask->xml;
	LV_AUTO(text_free) char *caps = virConnectGetDomainCapabilities(ask->target, xml->emulator, xml->arch, xml->machine, xml->type, 0);

	if (!caps) {
		int code = lv_last_code();
		if (code != VIR_ERR_NO_SUPPORT && code != VIR_ERR_OPERATION_UNSUPPORTED)
			return refuse_machine(ask, err);
		virResetLastError();
	}
	if (!check_cpu(ask, err) || (caps && !check_tpm(ask, caps, err)) || !check_filters(ask, err) || !check_memory(ask, err) ||
	    !check_networks(ask, err))
		return false;
	warn_of_versions(ask);
	return true;
}
