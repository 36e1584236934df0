/* Volumes of a move: made sparse and of the exact size on the target before it, removed on
 * whichever side is left with useless ones after it. libvirt could make them by itself, but it
 * silently overwrites what is there, allocates raw images fully and removes nothing after a failure. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libvirt_preflight.h"

/* A pool refuses a refresh while a volume is being made in it, which another move may be doing now. */
bool lv_pool_refresh(virStoragePoolPtr pool)
{
	enum { TRIES = 40, PAUSE_MS = 50 };

	for (int i = 0; i < TRIES; i++) {
		if (virStoragePoolRefresh(pool, 0) == 0)
			return true;
		if (lv_last_code() != VIR_ERR_INTERNAL_ERROR && lv_last_code() != VIR_ERR_OPERATION_INVALID)
			return false;
		usleep(PAUSE_MS * 1000);
	}
	return false;
}

virStorageVolPtr lv_volume(virConnectPtr conn, const char *pool_name, const char *name, bool *ret_absent, struct error *err)
{
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(conn, pool_name);

	*ret_absent = false;
	if (!pool) {
		lv_error(err, ERR_TARGET_POOL_MISSING, "pool %s", pool_name);
		return NULL;
	}
	virStorageVolPtr volume = virStorageVolLookupByName(pool, name);
	/* A pool learns of files made behind its back only by a refresh. */
	if (!volume && lv_last_code() == VIR_ERR_NO_STORAGE_VOL) {
		if (!lv_pool_refresh(pool)) {
			lv_error(err, ERR_TIMEOUT, "pool %s cannot be refreshed", pool_name);
			return NULL;
		}
		volume = virStorageVolLookupByName(pool, name);
	}
	if (!volume) {
		*ret_absent = lv_last_code() == VIR_ERR_NO_STORAGE_VOL;
		if (!*ret_absent)
			lv_error(err, ERR_GUEST_DISK, "volume %s of pool %s", name, pool_name);
		virResetLastError();
	}
	return volume;
}

static bool tag_guest(virConnectPtr source, const struct hv_request *request, struct error *err)
{
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(source, request, err);
	LV_AUTO(text_free) char *xml = lv_xml_tag(&request->job);

	if (!domain)
		return false;
	unsigned flags = VIR_DOMAIN_AFFECT_LIVE;
	if (request->cold) {
		/* It outlives the guest's stop; and no boot of the host starts the guest while it is being copied. */
		flags = VIR_DOMAIN_AFFECT_CONFIG | (virDomainIsActive(domain) == 1 ? VIR_DOMAIN_AFFECT_LIVE : 0);
		if (virDomainSetAutostart(domain, 0) < 0)
			return lv_error(err, ERR_PREPARE_FAILED, "guest %s: autostart cannot be switched off", request->guest);
	}
	if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, LV_TAG_KEY, LV_TAG_URI, flags) == 0)
		return true;
	return lv_error(err, ERR_PREPARE_FAILED, "guest %s cannot be tagged", request->guest);
}

/* qemu-img writes over a file that the pool does not list, which may be only because its list of a network folder is old. A raw
 * volume is made only where no file of that name is. */
static bool claim_name(virStoragePoolPtr pool, const struct hv_request *request, const struct hv_disk *disk, struct error *err)
{
	LV_AUTO(text_free) char *xml = lv_xml_probe_volume(disk->target_volume);
	LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);

	if (!volume)
		return lv_error(err, lv_last_was_there_already() ? ERR_TARGET_VOLUME_EXISTS : ERR_PREPARE_FAILED,
				"guest %s: disk %s: volume %s in pool %s on %s", request->guest, disk->target, disk->target_volume,
				disk->target_pool, request->target);
	if (virStorageVolDelete(volume, 0) < 0)
		return lv_error(err, ERR_PREPARE_FAILED, "guest %s: disk %s: volume %s cannot be made anew", request->guest, disk->target,
				disk->target_volume);
	return true;
}

/* Devices come in whole extents, and a mirror needs equal sizes. */
static bool check_size(virStorageVolPtr volume, const struct hv_request *request, const struct hv_disk *disk, struct error *err)
{
	virStorageVolInfo info;

	if (virStorageVolGetInfo(volume, &info) < 0)
		return lv_error(err, ERR_PREPARE_FAILED, "guest %s: disk %s: size of the new volume", request->guest, disk->target);
	if (info.capacity == disk->capacity_bytes)
		return true;
	return error_set(err, ERR_PREPARE_FAILED, "guest %s: disk %s has %llu bytes, and pool %s of %s could only make %llu", request->guest,
			 disk->target, (unsigned long long)disk->capacity_bytes, disk->target_pool, request->target, info.capacity);
}

static bool make_volume(virConnectPtr target, const struct hv_request *request, struct hv_disk *disk, struct error *err)
{
	if (disk->format == DISK_OTHER || !disk->target_pool || !disk->target_volume)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s has no known format, pool or volume name", request->guest,
				 disk->target);
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(target, disk->target_pool);
	if (!pool)
		return lv_error(err, ERR_TARGET_POOL_MISSING, "guest %s: host %s: pool %s", request->guest, request->target,
				disk->target_pool);
	/* libvirt knows only the files it has seen, and qemu-img overwrites one that it has not. */
	bool is_absent;
	LV_AUTO(volume_unref) virStorageVolPtr old = lv_volume(target, disk->target_pool, disk->target_volume, &is_absent, err);
	if (old)
		return error_set(err, ERR_TARGET_VOLUME_EXISTS, "guest %s: host %s has a volume %s in pool %s already", request->guest,
				 request->target, disk->target_volume, disk->target_pool);
	if (!is_absent)
		return false;
	if (disk->format == DISK_QCOW2 && !claim_name(pool, request, disk, err))
		return false;
	LV_AUTO(text_free) char *xml = lv_xml_volume(disk);
	LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);
	if (!volume)
		return lv_error(err, lv_last_was_there_already() ? ERR_TARGET_VOLUME_EXISTS : ERR_PREPARE_FAILED,
				"guest %s: disk %s: volume %s of %llu bytes in pool %s on %s", request->guest, disk->target,
				disk->target_volume, (unsigned long long)disk->capacity_bytes, disk->target_pool, request->target);
	disk->was_created = true;
	char *path = virStorageVolGetPath(volume);
	if (!path)
		return lv_error(err, ERR_PREPARE_FAILED, "guest %s: disk %s: path of the new volume", request->guest, disk->target);
	free(disk->target_path);
	disk->target_path = path;
	return check_size(volume, request, disk, err);
}

bool lv_prepare(virConnectPtr source, virConnectPtr target, const struct hv_request *request,
		struct hv_reply *reply, struct error *err)
{
	reply->disks = hv_disks_copy(request->disks, request->n_disks);
	reply->n_disks = request->n_disks;
	for (size_t i = 0; i < reply->n_disks; i++)
		reply->disks[i].was_created = false;
	if (!tag_guest(source, request, err))
		return false;
	for (size_t i = 0; i < reply->n_disks; i++)
		if (!make_volume(target, request, &reply->disks[i], err))
			return false;
	return true;
}

/* Whether a disk of a guest is this volume. */
static bool uses(const struct lv_xml_disk *disk, const char *pool, const char *volume, const char *path)
{
	if (disk->path && path && strcmp(disk->path, path) == 0)
		return true;
	return disk->pool && disk->volume && strcmp(disk->pool, pool) == 0 && strcmp(disk->volume, volume) == 0;
}

/* Name of a guest that uses the volume: any active one, or any other one that is only defined. */
static bool find_user(virDomainPtr domain, const char *except_uuid, const char *pool, const char *volume, const char *path,
		      char **ret_user, struct error *err)
{
	struct lv_xml_domain read;
	char uuid[VIR_UUID_STRING_BUFLEN];

	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(domain, 0);
	if (!xml) {
		/* A guest that has gone meanwhile uses nothing. */
		if (lv_last_code() == VIR_ERR_NO_DOMAIN)
			return true;
		return lv_error(err, ERR_LEFTOVER, "guest %s: its XML cannot be read", virDomainGetName(domain));
	}
	if (virDomainIsActive(domain) != 1 && except_uuid && virDomainGetUUIDString(domain, uuid) == 0 &&
	    strcmp(uuid, except_uuid) == 0)
		return true;
	if (!lv_xml_domain_read(xml, &read, err))
		return false;
	for (size_t i = 0; i < read.n_disks && !*ret_user; i++)
		if (uses(&read.disks[i], pool, volume, path))
			*ret_user = xstrdup(read.name);
	lv_xml_domain_clear(&read);
	return true;
}

static bool check_unused(virConnectPtr conn, const char *except_uuid, const char *pool, const char *volume, const char *path,
			 struct error *err)
{
	virDomainPtr *domains = NULL;
	int n = virConnectListAllDomains(conn, &domains, 0);
	char *user = NULL;
	bool ok = true;

	if (n < 0)
		return lv_error(err, ERR_LEFTOVER, "the guests cannot be listed");
	for (int i = 0; i < n; i++) {
		if (ok && !user)
			ok = find_user(domains[i], except_uuid, pool, volume, path, &user, err);
		virDomainFree(domains[i]);
	}
	free(domains);
	if (ok && user)
		ok = error_set(err, ERR_LEFTOVER, "volume %s of pool %s is kept: guest %s uses it", volume, pool, user);
	free(user);
	return ok;
}

static bool delete_volume(virConnectPtr conn, const char *pool, const char *volume, const char *known_path,
			  const char *except_uuid, struct error *err)
{
	bool is_absent;
	LV_AUTO(volume_unref) virStorageVolPtr found = lv_volume(conn, pool, volume, &is_absent, err);

	if (!found)
		return is_absent;
	LV_AUTO(text_free) char *path = virStorageVolGetPath(found);
	if (!path)
		return lv_error(err, ERR_LEFTOVER, "volume %s of pool %s: its path", volume, pool);
	if (known_path && strcmp(path, known_path) != 0)
		return error_set(err, ERR_LEFTOVER, "volume %s of pool %s is kept: it is %s, but the guest's disk was %s", volume, pool,
				 path, known_path);
	if (!check_unused(conn, except_uuid, pool, volume, path, err))
		return false;
	if (virStorageVolDelete(found, 0) == 0 || lv_last_code() == VIR_ERR_NO_STORAGE_VOL)
		return true;
	return lv_error(err, ERR_LEFTOVER, "volume %s of pool %s cannot be removed", volume, pool);
}

/* Goes on after a failure, so that one stuck volume does not keep the others; the first error counts. */
bool lv_delete_volumes(virConnectPtr conn, const char *host, const struct hv_disk *disks, size_t n,
		       bool on_target, const char *except_uuid, struct error *err)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		struct error one = { 0 };
		/* On the target only what we made is ours to remove; a stranger's volume of that name stays. */
		if (on_target && !disks[i].was_created)
			continue;
		/* A device or file in no pool is not libvirt's to remove: it stays as its administrator made it. */
		if (!on_target && !disks[i].source_pool)
			continue;
		const char *pool = on_target ? disks[i].target_pool : disks[i].source_pool;
		const char *volume = on_target ? disks[i].target_volume : disks[i].source_volume;
		const char *path = on_target ? disks[i].target_path : disks[i].source_path;
		bool done = pool && volume ? delete_volume(conn, pool, volume, path, except_uuid, &one) :
					     error_set(&one, ERR_LEFTOVER, "disk %s (%s) is in no pool of %s", disks[i].target,
						       path ? path : "no path", host);
		if (!done && ok)
			*err = one;
		ok = ok && done;
	}
	return ok;
}

bool lv_remove_volumes(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	return lv_delete_volumes(conn, request->host, request->disks, request->n_disks, true, request->uuid, err);
}
