/* Pre-flight: asks both hosts, now, all that would make the move fail or do harm, and
 * says what has to be copied where. No side effects, but for a refresh of pools and a probe
 * volume that is gone again (libvirt_share.c). Disks are judged in libvirt_storage.c.
 * Every refusal names guest, host and both values that were compared. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_movable.h"
#include "libvirt_preflight.h"

static bool check_state(struct lv_check *check, struct error *err)
{
	const char *guest = check->request->guest;
	int state, reason, autostart = 0;
	virDomainInfo info;

	if (virDomainGetState(check->domain, &state, &reason, 0) < 0 || virDomainGetInfo(check->domain, &info) < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its state cannot be read", guest);
	check->result.shutoff = check->request->cold && state == VIR_DOMAIN_SHUTOFF;
	if (check->request->cold && state == VIR_DOMAIN_PAUSED)
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s on %s is paused and cannot shut down", guest, check->request->host);
	if (!check->result.shutoff && state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_BLOCKED && state != VIR_DOMAIN_PAUSED)
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s on %s has state %d, not running (1)", guest, check->request->host, state);
	if (state == VIR_DOMAIN_PAUSED && (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_POSTCOPY ||
					   reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED || reason == VIR_DOMAIN_PAUSED_STARTING_UP))
		return error_set(err, ERR_GUEST_BUSY, "guest %s on %s is paused by a migration", guest, check->request->host);
	check->result.paused = state == VIR_DOMAIN_PAUSED;
	check->result.memory_bytes = (uint64_t)info.memory * 1024;
	check->result.persistent = virDomainIsPersistent(check->domain) == 1;
	if (check->result.persistent && virDomainGetAutostart(check->domain, &autostart) < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: whether it starts by itself", guest);
	check->result.autostart = autostart != 0;
	return check->result.persistent || !check->request->cold ||
	       error_set(err, ERR_GUEST_DEVICE, "guest %s is transient: it would be gone once it was shut down", guest);
}

/* Jobs that leave no mark in the XML: commit, pull and backup. */
static bool check_block_jobs(struct lv_check *check, struct error *err)
{
	for (size_t i = 0; i < check->xml.n_disks; i++) {
		virDomainBlockJobInfo job;
		if (!check->xml.disks[i].target || virDomainGetBlockJobInfo(check->domain, check->xml.disks[i].target, &job, 0) != 1)
			continue;
		error_set(err, ERR_GUEST_BLOCK_JOB, "guest %s on %s: a block job runs on disk %s (%llu of %llu done); none may",
			  check->xml.name, check->request->host, check->xml.disks[i].target, job.cur, job.end);
		error_hint(err, "virsh blockjob %s %s shows it; let it end, or --abort it", check->xml.name, check->xml.disks[i].target);
		return false;
	}
	virResetLastError();
	return true;
}

static bool check_free_of_jobs(struct lv_check *check, const char *xml, struct error *err)
{
	const char *guest = check->request->guest;
	virDomainJobInfo job;

	if (check->result.shutoff)
		job.type = VIR_DOMAIN_JOB_NONE;
	else if (virDomainGetJobInfo(check->domain, &job) < 0)
		return lv_error(err, ERR_GUEST_BUSY, "guest %s: its job cannot be read", guest);
	if (job.type != VIR_DOMAIN_JOB_NONE)
		return error_set(err, ERR_GUEST_BUSY, "guest %s on %s has a job of somebody else (type %d)", guest, check->request->host,
				 job.type);
	int snapshots = virDomainSnapshotNum(check->domain, 0);
	if (snapshots < 0) {
		virResetLastError();
		snapshots = 0;
	}
	if (snapshots > 0)
		return error_set(err, ERR_GUEST_SNAPSHOT, "guest %s has %d snapshots and may have 0", guest, snapshots);
	int checkpoints = virDomainListAllCheckpoints(check->domain, NULL, 0);
	virResetLastError();
	if (checkpoints > 0) {
		error_set(err, ERR_GUEST_SNAPSHOT, "guest %s has %d backup checkpoints and may have 0", guest, checkpoints);
		error_hint(err, "they are lost by a move: virsh checkpoint-delete %s --metadata NAME, and make a full backup afterwards", guest);
		return false;
	}
	struct error tie = { 0 };
	/* Some devices only cannot move live. */
	if (!lv_movable(xml, guest, check->request->host, &tie) && (!check->request->cold || tie.code != ERR_GUEST_DEVICE)) {
		*err = tie;
		return false;
	}
	return (!check->request->cold || lv_movable_cold(xml, guest, check->request->host, err)) && (check->result.shutoff || check_block_jobs(check, err));
}

/* The target may know the guest only as an inactive definition of the same UUID (an old stay), which
 * would be overwritten: that is for a human to remove. */
static bool check_absent(struct lv_check *check, struct error *err)
{
	virDomainPtr there = virDomainLookupByUUIDString(check->target, check->xml.uuid);

	if (!there && lv_last_code() == VIR_ERR_NO_DOMAIN)
		there = virDomainLookupByName(check->target, check->xml.name);
	if (!there) {
		if (lv_last_code() == VIR_ERR_NO_DOMAIN)
			return true;
		return lv_error(err, ERR_HOST_UNREACHABLE, "host %s: guest %s cannot be looked up", check->request->target, check->xml.name);
	}
	char uuid[VIR_UUID_STRING_BUFLEN] = "";
	virDomainGetUUIDString(there, uuid);
	error_set(err, ERR_TARGET_GUEST_EXISTS, "guest %s (%s): host %s has %s (%s) already, %s", check->xml.name, check->xml.uuid,
		  check->request->target, virDomainGetName(there), uuid, virDomainIsActive(there) == 1 ? "active" : "inactive");
	virDomainFree(there);
	return false;
}

static bool check_all(struct lv_check *check, const char *xml, struct error *err)
{
	const struct lv_ask ask = { check->source, check->target, check->request, &check->xml, &check->result };

	if (!check_state(check, err) || !check_free_of_jobs(check, xml, err) || !check_absent(check, err) || !lv_target_fits(&ask, err) ||
	    !lv_check_storage(check, err))
		return false;
	lv_check_postcopy(check, xml);
	/* block-job-set-speed through the monitor of QEMU. */
	const char *driver = virConnectGetType(check->source);
	check->result.disks_can_be_throttled = driver && strcmp(driver, "QEMU") == 0;
	return true;
}

/* Layers that libvirt has found by itself are left out of what it gives to another host. */
static bool read_layers(struct lv_check *check, struct error *err)
{
	struct lv_xml_domain live;
	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(check->domain, 0);

	if (!xml)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its live XML cannot be read", check->request->guest);
	if (!lv_xml_domain_read(xml, &live, err))
		return error_wrap(err, "guest %s", check->request->guest);
	struct lv_xml_disk *disks = check->xml.disks;
	size_t n = check->xml.n_disks;
	check->xml.disks = live.disks;
	check->xml.n_disks = live.n_disks;
	live.disks = disks;
	live.n_disks = n;
	lv_xml_domain_clear(&live);
	return true;
}

bool lv_preflight(virConnectPtr source, virConnectPtr target, const struct hv_request *request,
		  struct hv_preflight *ret, struct error *err)
{
	struct lv_check check = { .source = source, .target = target, .request = request };
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(source, request, err);

	if (!domain)
		return false;
	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE);
	if (!xml)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its XML cannot be read", request->guest);
	if (!lv_xml_domain_read(xml, &check.xml, err))
		return error_wrap(err, "guest %s", request->guest);
	check.domain = domain;
	bool ok = read_layers(&check, err) && check_all(&check, xml, err);
	lv_xml_domain_clear(&check.xml);
	if (ok)
		*ret = check.result;
	else
		hv_disks_free(check.result.disks, check.result.n_disks);
	return ok;
}
