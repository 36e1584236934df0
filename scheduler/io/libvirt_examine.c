/* What a check-up asks of libvirt beyond the inventory. Of one host: versions, identity, what is defined but not active. Of a pair:
 * whether the source's libvirtd reaches the target's and is let in, whether the target's address for moves answers it, and
 * whether the target has the source's CPU. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

static void list_pools(virConnectPtr conn, struct libvirt_facts *facts)
{
	virStoragePoolPtr *pools = NULL;
	int n = virConnectListAllStoragePools(conn, &pools, VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE);

	for (int i = 0; i < n; i++) {
		strings_add(&facts->idle_pools, &facts->n_idle_pools, virStoragePoolGetName(pools[i]));
		virStoragePoolFree(pools[i]);
	}
	free(pools);
}

static void list_networks(virConnectPtr conn, struct libvirt_facts *facts)
{
	virNetworkPtr *networks = NULL;
	int n = virConnectListAllNetworks(conn, &networks, 0);

	for (int i = 0; i < n; i++) {
		if (virNetworkIsActive(networks[i]) == 1)
			strings_add(&facts->networks, &facts->n_networks, virNetworkGetName(networks[i]));
		else
			strings_add(&facts->idle_networks, &facts->n_idle_networks, virNetworkGetName(networks[i]));
		virNetworkFree(networks[i]);
	}
	free(networks);
}

static void list_bridges(virConnectPtr conn, struct libvirt_facts *facts)
{
	virInterfacePtr *interfaces = NULL;
	int n = virConnectListAllInterfaces(conn, &interfaces, 0);

	for (int i = 0; i < n; i++) {
		LV_AUTO(text_free) char *xml = virInterfaceGetXMLDesc(interfaces[i], 0);
		LV_AUTO(text_free) char *type = xml ? lv_xml_text(xml, "/interface/@type") : NULL;

		if (type && strcmp(type, "bridge") == 0)
			strings_add(&facts->bridges, &facts->n_bridges, virInterfaceGetName(interfaces[i]));
		virInterfaceFree(interfaces[i]);
	}
	free(interfaces);
}

bool lv_examine(virConnectPtr conn, struct hv_reply *reply, struct error *err)
{
	unsigned long version = 0;
	LV_AUTO(text_free) char *caps = virConnectGetCapabilities(conn);

	if (!caps)
		return lv_error(err, ERR_HOST_UNREACHABLE, "its capabilities cannot be read");
	struct libvirt_facts *facts = xcalloc(1, sizeof *facts);
	if (virConnectGetLibVersion(conn, &version) == 0)
		facts->libvirt_version = (uint32_t)version;
	if (virConnectGetVersion(conn, &version) == 0)
		facts->qemu_version = (uint32_t)version;
	facts->hostname = virConnectGetHostname(conn);
	LV_AUTO(text_free) char *uuid = lv_xml_text(caps, "/capabilities/host/uuid");
	if (uuid && strlen(uuid) < sizeof facts->uuid)
		memcpy(facts->uuid, uuid, strlen(uuid) + 1);
	LV_AUTO(text_free) char *kvm = lv_xml_text(caps, "/capabilities/guest/arch/domain[@type='kvm']/@type");
	facts->has_kvm = kvm != NULL;
	list_pools(conn, facts);
	list_networks(conn, facts);
	list_bridges(conn, facts);
	virResetLastError();
	reply->facts = facts;
	return true;
}

static bool is_free_of_jobs(virDomainPtr domain)
{
	virDomainJobInfo job = { 0 };

	return virDomainIsActive(domain) != 1 || (virDomainGetJobInfo(domain, &job) == 0 && job.type == VIR_DOMAIN_JOB_NONE);
}

/* Any guest will do, running or not; one that is being moved would keep the call waiting. */
static virDomainPtr any_guest(virConnectPtr conn)
{
	virDomainPtr *domains = NULL, found = NULL;
	int n = virConnectListAllDomains(conn, &domains, 0);

	for (int i = 0; i < n; i++) {
		if (!found && is_free_of_jobs(domains[i]))
			found = domains[i];
		else
			virDomainFree(domains[i]);
	}
	free(domains);
	virResetLastError();
	return found;
}

static void examine_hops(const struct lv_host *from, const struct lv_host *to, virConnectPtr source, const char *address,
			 struct libvirt_pair_facts *pair)
{
	LV_AUTO(domain_unref) virDomainPtr domain = any_guest(source);

	if (!domain) {
		pair->why_unknown = xprintf("%s has no guest to ask with", from->name);
		return;
	}
	pair->is_hop_known = true;
	lv_prove_control(from, to, domain, &pair->hop);
	if (address)
		lv_prove_address(from, to, domain, address, &pair->way);
	virResetLastError();
}

static void examine_cpu(virConnectPtr source, virConnectPtr target, struct libvirt_pair_facts *pair)
{
	LV_AUTO(text_free) char *caps = virConnectGetCapabilities(source);
	LV_AUTO(text_free) char *cpu = caps ? lv_xml_element(caps, "/capabilities/host/cpu") : NULL;

	if (!cpu) {
		pair->cpu_why = xstrdup("libvirt does not say what CPU the source has");
		virResetLastError();
		return;
	}
	int verdict = virConnectCompareCPU(target, cpu, VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
	if (verdict == VIR_CPU_COMPARE_IDENTICAL || verdict == VIR_CPU_COMPARE_SUPERSET) {
		pair->cpu = CPU_FITS;
	} else {
		virErrorPtr last = virGetLastError();
		bool is_verdict = verdict == VIR_CPU_COMPARE_INCOMPATIBLE || lv_last_code() == VIR_ERR_CPU_INCOMPATIBLE;

		pair->cpu = is_verdict ? CPU_LACKS : CPU_UNKNOWN;
		pair->cpu_why = xstrdup(last && last->message ? last->message : "features are missing");
	}
	virResetLastError();
}

bool lv_examine_pair(struct lv_host *from, struct lv_host *to, virConnectPtr source, virConnectPtr target,
		     const struct hv_request *request, struct hv_reply *reply)
{
	struct libvirt_pair_facts *pair = xcalloc(1, sizeof *pair);

	examine_hops(from, to, source, request->target_address, pair);
	examine_cpu(source, target, pair);
	reply->pair_facts = pair;
	return true;
}
