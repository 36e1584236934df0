/* Pre-flight: asks both hosts, now, all that would make the move fail or do harm, and
 * says what has to be copied where. No side effects, but for a refresh of the target's pool.
 * Every refusal names guest, host and both values that were compared. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_movable.h"
#include "libvirt_xml.h"

struct check {
	virConnectPtr source, target;
	const struct hv_request *request;
	virDomainPtr domain;
	struct lv_xml_domain xml;
	struct hv_preflight result;
};

static bool check_state(struct check *check, struct error *err)
{
	const char *guest = check->request->guest;
	int state, reason, autostart = 0;
	virDomainInfo info;

	if (virDomainGetState(check->domain, &state, &reason, 0) < 0 || virDomainGetInfo(check->domain, &info) < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its state cannot be read", guest);
	if (state != VIR_DOMAIN_RUNNING && state != VIR_DOMAIN_BLOCKED && state != VIR_DOMAIN_PAUSED)
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
	return true;
}

/* Jobs that leave no mark in the XML: commit, pull and backup. */
static bool check_block_jobs(struct check *check, struct error *err)
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

static bool check_free_of_jobs(struct check *check, const char *xml, struct error *err)
{
	const char *guest = check->request->guest;
	virDomainJobInfo job;

	if (virDomainGetJobInfo(check->domain, &job) < 0)
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
	return lv_movable(xml, guest, check->request->host, err) && check_block_jobs(check, err);
}

/* The target may know the guest only as an inactive definition of the same UUID (an old stay), which
 * would be overwritten: that is for a human to remove. */
static bool check_absent(struct check *check, struct error *err)
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

static const char *map_pool(const struct hv_request *request, const char *disk, const char *pool)
{
	const char *every = NULL;

	for (size_t i = 0; i < request->n_pools; i++) {
		const char *from = request->pools[i].from;
		if (strncmp(from, "target:", 7) == 0 && strcmp(from + 7, disk) == 0)
			return request->pools[i].to;
		if (from[0] == '\0')
			every = request->pools[i].to;
	}
	const char *mapped = lv_map(request->pools, request->n_pools, pool);
	return mapped != pool ? mapped : every ? every : pool;
}

/* The source's pool and volume of a disk, however the XML names it. */
static bool find_volume(struct check *check, const struct lv_xml_disk *disk, struct hv_disk *found, struct error *err)
{
	const char *guest = check->request->guest;
	LV_AUTO(volume_unref) virStorageVolPtr volume = NULL;
	bool is_absent = false;

	if (disk->pool && disk->volume)
		volume = lv_volume(check->source, disk->pool, disk->volume, &is_absent, err);
	else if (disk->path)
		volume = virStorageVolLookupByPath(check->source, disk->path);
	if (!volume) {
		lv_error(err, ERR_GUEST_DISK, "guest %s: disk %s (%s) is in no pool of %s", guest, disk->target,
			 disk->path ? disk->path : "no path", check->request->host);
		err->code = ERR_GUEST_DISK;
		return false;
	}
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByVolume(volume);
	if (!pool)
		return lv_error(err, ERR_GUEST_DISK, "guest %s: disk %s: the pool of its volume", guest, disk->target);
	found->source_pool = xstrdup(virStoragePoolGetName(pool));
	found->source_volume = xstrdup(virStorageVolGetName(volume));
	found->source_path = virStorageVolGetPath(volume);
	return true;
}

static char *pool_share(virStoragePoolPtr pool)
{
	LV_AUTO(text_free) char *xml = virStoragePoolGetXMLDesc(pool, 0);
	struct lv_xml_pool read = { 0 };
	char *share = NULL;

	if (xml && lv_xml_pool_read(xml, &read, NULL)) {
		share = read.share_id;
		read.share_id = NULL;
	}
	lv_xml_pool_clear(&read);
	return share;
}

/* Same storage on both sides: then nothing is copied. */
static bool is_shared(struct check *check, const struct hv_disk *disk, virStoragePoolPtr there)
{
	LV_AUTO(pool_unref) virStoragePoolPtr here = virStoragePoolLookupByName(check->source, disk->source_pool);
	LV_AUTO(text_free) char *a = here ? pool_share(here) : NULL;
	LV_AUTO(text_free) char *b = pool_share(there);

	return a && b && strcmp(a, b) == 0;
}

/* The target side of one disk. */
static bool check_target_volume(struct check *check, struct hv_disk *disk, virStoragePoolPtr pool, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target;

	/* Space and names as they are now, not as libvirt last saw them. */
	if (!lv_pool_refresh(pool))
		return lv_error(err, ERR_TIMEOUT, "guest %s: host %s: pool %s cannot be refreshed", guest, target, disk->target_pool);
	LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolLookupByName(pool, disk->target_volume);
	if (volume)
		return error_set(err, ERR_TARGET_VOLUME_EXISTS, "guest %s: host %s has a volume %s in pool %s already", guest, target,
				 disk->target_volume, disk->target_pool);
	virResetLastError();
	LV_AUTO(text_free) char *xml = virStoragePoolGetXMLDesc(pool, 0);
	struct lv_xml_pool read = { 0 };
	if (!xml || !lv_xml_pool_read(xml, &read, err))
		return xml ? false : lv_error(err, ERR_TARGET_POOL_MISSING, "host %s: pool %s", target, disk->target_pool);
	bool is_files = read.kind && (strcmp(read.kind, "dir") == 0 || strcmp(read.kind, "fs") == 0 || strcmp(read.kind, "netfs") == 0);
	if (is_files && read.path)
		disk->target_path = xprintf("%s/%s", read.path, disk->target_volume);
	bool ok = is_files || error_set(err, ERR_GUEST_DISK, "guest %s: disk %s: pool %s of %s is of kind %s; copies are made into dir, fs and netfs",
					guest, disk->target, disk->target_pool, target, read.kind ? read.kind : "?");
	lv_xml_pool_clear(&read);
	return ok;
}

static bool measure(struct check *check, const struct lv_xml_disk *disk, struct hv_disk *found, struct error *err)
{
	virDomainBlockInfo info;

	found->format = disk->format ? disk_format_by_name(disk->format) : DISK_OTHER;
	if (found->format == DISK_OTHER)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s has format %s; raw and qcow2 are copied", check->request->guest,
				 disk->target, disk->format ? disk->format : "(unknown)");
	if (virDomainGetBlockInfo(check->domain, disk->target, &info, 0) < 0)
		return lv_error(err, ERR_GUEST_DISK, "guest %s: size of disk %s", check->request->guest, disk->target);
	found->capacity_bytes = info.capacity;
	found->allocation_bytes = info.physical && info.allocation < info.physical ? info.allocation : info.physical;
	return true;
}

/* Fills `found`; *ret_copied is false for a disk on storage that both hosts share. */
static bool plan_disk(struct check *check, const struct lv_xml_disk *disk, struct hv_disk *found, bool *ret_copied, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target;

	found->target = xstrdup(disk->target);
	if (!find_volume(check, disk, found, err))
		return false;
	found->target_pool = xstrdup(map_pool(check->request, disk->target, found->source_pool));
	found->target_volume = xstrdup(found->source_volume);
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(check->target, found->target_pool);
	if (!pool)
		return lv_error(err, ERR_TARGET_POOL_MISSING, "guest %s: disk %s: host %s has no pool %s", guest, disk->target, target,
				found->target_pool);
	if (virStoragePoolIsActive(pool) != 1)
		return error_set(err, ERR_TARGET_POOL_MISSING, "guest %s: disk %s: pool %s of host %s is not active", guest, disk->target,
				 found->target_pool, target);
	*ret_copied = !is_shared(check, found, pool);
	if (!*ret_copied)
		return true;
	return measure(check, disk, found, err) && check_target_volume(check, found, pool, err);
}

static bool is_copy_candidate(const struct lv_xml_disk *disk)
{
	return disk->has_source && !disk->is_readonly && !disk->is_shareable &&
	       (!disk->device || (strcmp(disk->device, "cdrom") != 0 && strcmp(disk->device, "floppy") != 0)) &&
	       (!disk->type || strcmp(disk->type, "network") != 0);
}

static bool check_disks(struct check *check, struct error *err)
{
	struct hv_preflight *result = &check->result;

	result->disks = xcalloc(check->xml.n_disks + 1, sizeof *result->disks);
	for (size_t i = 0; i < check->xml.n_disks; i++) {
		const struct lv_xml_disk *disk = &check->xml.disks[i];
		bool is_copied = false;
		if (!disk->target || !is_copy_candidate(disk))
			continue;
		struct hv_disk *planned = xcalloc(1, sizeof *planned);
		bool ok = plan_disk(check, disk, planned, &is_copied, err);
		if (!ok || !is_copied) {
			hv_disks_free(planned, 1);
			if (!ok)
				return false;
			continue;
		}
		result->disks[result->n_disks++] = *planned;
		free(planned);
	}
	return true;
}

/* All disks of one pool together must fit; allocation is what the copy writes at least. */
static bool check_space(struct check *check, struct error *err)
{
	for (size_t i = 0; i < check->result.n_disks; i++) {
		const char *name = check->result.disks[i].target_pool;
		uint64_t needed = 0;
		virStoragePoolInfo info;
		for (size_t k = 0; k < check->result.n_disks; k++)
			if (strcmp(check->result.disks[k].target_pool, name) == 0)
				needed += check->result.disks[k].allocation_bytes ? check->result.disks[k].allocation_bytes :
										    check->result.disks[k].capacity_bytes;
		LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(check->target, name);
		if (!pool || virStoragePoolGetInfo(pool, &info) < 0)
			return lv_error(err, ERR_TARGET_POOL_MISSING, "host %s: pool %s", check->request->target, name);
		if (info.available < needed)
			return error_set(err, ERR_TARGET_POOL_SPACE, "guest %s: its disks need %llu bytes in pool %s of %s, which has %llu free",
					 check->request->guest, (unsigned long long)needed, name, check->request->target, info.available);
	}
	return true;
}

static bool check_all(struct check *check, const char *xml, struct error *err)
{
	const struct lv_ask ask = { check->source, check->target, check->request, &check->xml, &check->result };

	if (!check_state(check, err) || !check_free_of_jobs(check, xml, err) || !check_absent(check, err) || !lv_target_fits(&ask, err) ||
	    !check_disks(check, err) || !check_space(check, err))
		return false;
	/* block-job-set-speed through the monitor of QEMU. */
	const char *driver = virConnectGetType(check->source);
	check->result.disks_can_be_throttled = driver && strcmp(driver, "QEMU") == 0;
	return true;
}

bool lv_preflight(virConnectPtr source, virConnectPtr target, const struct hv_request *request,
		  struct hv_preflight *ret, struct error *err)
{
	struct check check = { .source = source, .target = target, .request = request };
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(source, request, err);

	if (!domain)
		return false;
	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_MIGRATABLE);
	if (!xml)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its XML cannot be read", request->guest);
	if (!lv_xml_domain_read(xml, &check.xml, err))
		return error_wrap(err, "guest %s", request->guest);
	check.domain = domain;
	bool ok = check_all(&check, xml, err);
	lv_xml_domain_clear(&check.xml);
	if (ok)
		*ret = check.result;
	else
		hv_disks_free(check.result.disks, check.result.n_disks);
	return ok;
}
