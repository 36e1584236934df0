/* The disks of a pre-flight: each one either stays where it is, because both hosts are proven to see the same storage there, or is
 * copied to a place on the target that is free, big enough and of a kind that can be written. What is neither is refused: a
 * disk that libvirt would silently take for shared would be another one after the move.
 */
#include <stdlib.h>
#include <string.h>

#include "libvirt_preflight.h"

static virStoragePoolPtr pool_of_folder(virConnectPtr conn, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash && slash != path ? xprintf("%.*s", (int)(slash - path), path) : NULL;
	virStoragePoolPtr pool = folder ? virStoragePoolLookupByTargetPath(conn, folder) : NULL;

	if (pool && virStoragePoolIsActive(pool) != 1) {
		virStoragePoolFree(pool);
		pool = NULL;
	}
	free(folder);
	virResetLastError();
	return pool;
}

/* A pool learns of files made behind its back only by a refresh. NULL when no pool has it; *ret_is_known tells whether one
 * would, if it were there. */
static virStorageVolPtr volume_of_path(virConnectPtr conn, const char *path, bool *ret_is_known)
{
	LV_AUTO(pool_unref) virStoragePoolPtr pool = pool_of_folder(conn, path);

	*ret_is_known = pool && lv_pool_refresh(pool);
	virStorageVolPtr volume = virStorageVolLookupByPath(conn, path);
	virResetLastError();
	return volume;
}

static uint64_t allocation_of(virStorageVolPtr volume)
{
	virStorageVolInfo info;

	if (volume && virStorageVolGetInfo(volume, &info) == 0)
		return info.allocation;
	virResetLastError();
	return 0;
}

/* The source's pool and volume of a disk, however the XML names it; one in no pool has only its path. */
static bool find_volume(struct lv_check *check, const struct lv_xml_disk *disk, struct hv_disk *found, virStorageVolPtr *ret_volume,
			struct error *err)
{
	const char *guest = check->request->guest;
	bool flag = false;

	if (disk->pool && disk->volume)
		*ret_volume = lv_volume(check->source, disk->pool, disk->volume, &flag, err);
	else if (disk->path)
		*ret_volume = volume_of_path(check->source, disk->path, &flag);
	if (!*ret_volume) {
		found->source_path = xstrdup(disk->path);
		return disk->path || error_set(err, ERR_GUEST_DISK, "guest %s: disk %s has no path and its volume is in no pool of %s", guest,
					       disk->target, check->request->host);
	}
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByVolume(*ret_volume);
	if (!pool)
		return lv_error(err, ERR_GUEST_DISK, "guest %s: disk %s: the pool of its volume", guest, disk->target);
	found->source_pool = xstrdup(virStoragePoolGetName(pool));
	found->source_volume = xstrdup(virStorageVolGetName(*ret_volume));
	found->source_path = virStorageVolGetPath(*ret_volume);
	return true;
}

/* The target's pool in which the disk would be if it were shared: the one that the XML names, or that has its folder. */
static virStoragePoolPtr same_pool(struct lv_check *check, const struct lv_xml_disk *disk, const struct hv_disk *found)
{
	virStoragePoolPtr pool = disk->pool || !found->source_path ? NULL : pool_of_folder(check->target, found->source_path);

	if (!pool)
		pool = virStoragePoolLookupByName(check->target, disk->pool ? disk->pool : found->source_pool);
	virResetLastError();
	return pool;
}

/* A volume that the target does not list is not shared, and nothing has to be proven. */
static bool is_shared(struct lv_check *check, const struct lv_xml_disk *disk, const struct hv_disk *found, virStorageVolPtr volume)
{
	LV_AUTO(pool_unref) virStoragePoolPtr here = virStoragePoolLookupByName(check->source, found->source_pool);
	LV_AUTO(pool_unref) virStoragePoolPtr there = same_pool(check, disk, found);
	bool is_one = false;

	if (here && there && virStoragePoolIsActive(there) == 1 && lv_pool_refresh(there)) {
		LV_AUTO(volume_unref) virStorageVolPtr listed = virStorageVolLookupByName(there, found->source_volume);
		is_one = listed && lv_is_one_storage(here, there, volume, listed);
	}
	virResetLastError();
	return is_one;
}

/* --- the place on the target --- */

static bool choose_place(struct lv_check *check, const struct lv_xml_disk *disk, struct hv_disk *found, struct error *err)
{
	const struct hv_request *request = check->request;
	const char *pool = planner_mapped_pool(request->pools, request->n_pools, disk->target, found->source_pool);
	const char *slash = found->source_path ? strrchr(found->source_path, '/') : NULL;
	const char *own = found->source_volume ? found->source_volume : slash ? slash + 1 : disk->target;

	if (!pool) {
		error_set(err, ERR_GUEST_DISK, "guest %s: disk %s (%s) is in no storage pool of %s, and no pool of %s is named for it",
			  request->guest, disk->target, found->source_path, request->host, request->target);
		error_hint(err, "name one with --to-pool POOL, or target:%s:POOL in a [map]", disk->target);
		return false;
	}
	found->target_pool = xstrdup(pool);
	found->target_volume = xstrdup(planner_mapped_volume(request->pools, request->n_pools, disk->target, own));
	return true;
}

static bool check_kind(struct lv_check *check, struct hv_disk *disk, const struct lv_xml_pool *pool, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target, *kind = pool->kind ? pool->kind : "?";

	if (lv_pool_holds_files(pool->kind)) {
		disk->target_path = pool->path ? xprintf("%s/%s", pool->path, disk->target_volume) : NULL;
		return true;
	}
	if (strcmp(kind, "logical") != 0 && strcmp(kind, "disk") != 0)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s: pool %s of %s is of kind %s; copies are made into dir, fs, netfs, logical and disk",
				 guest, disk->target, disk->target_pool, target, kind);
	if (disk->format != DISK_RAW)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s is %s, and pool %s of %s (%s) takes raw ones only", guest, disk->target,
				 disk_format_name(disk->format), disk->target_pool, target, kind);
	disk->is_device_there = true;
	return true;
}

static bool check_place(struct lv_check *check, struct hv_disk *disk, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target;
	struct lv_xml_pool read = { 0 };
	LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(check->target, disk->target_pool);

	if (!pool)
		return lv_error(err, ERR_TARGET_POOL_MISSING, "guest %s: disk %s: host %s has no pool %s", guest, disk->target, target,
				disk->target_pool);
	if (virStoragePoolIsActive(pool) != 1)
		return error_set(err, ERR_TARGET_POOL_MISSING, "guest %s: disk %s: pool %s of host %s is not active", guest, disk->target,
				 disk->target_pool, target);
	/* Space and names as they are now, not as libvirt last saw them. */
	if (!lv_pool_refresh(pool))
		return lv_error(err, ERR_TIMEOUT, "guest %s: host %s: pool %s cannot be refreshed", guest, target, disk->target_pool);
	LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolLookupByName(pool, disk->target_volume);
	if (volume)
		return error_set(err, ERR_TARGET_VOLUME_EXISTS, "guest %s: host %s has a volume %s in pool %s already", guest, target,
				 disk->target_volume, disk->target_pool);
	virResetLastError();
	bool ok = lv_pool_read(pool, &read, err) && check_kind(check, disk, &read, err);
	lv_xml_pool_clear(&read);
	return ok;
}

/* --- what is copied --- */

static uint64_t chain_bytes(struct lv_check *check, const struct lv_xml_disk *disk, uint64_t capacity)
{
	uint64_t sum = 0;
	bool is_known;

	for (size_t i = 0; i < disk->n_backing; i++) {
		LV_AUTO(volume_unref) virStorageVolPtr volume = volume_of_path(check->source, disk->backing[i], &is_known);
		uint64_t allocation = allocation_of(volume);
		sum += allocation > 0 && allocation < capacity ? allocation : capacity;
	}
	return sum;
}

static bool measure(struct lv_check *check, const struct lv_xml_disk *disk, struct hv_disk *found, struct error *err)
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
	if (check->request->keep_backing || disk->n_backing == 0)
		return true;
	found->allocation_bytes += chain_bytes(check, disk, info.capacity);
	if (found->allocation_bytes > info.capacity)
		found->allocation_bytes = info.capacity;
	return true;
}

static bool check_layer(struct lv_check *check, const struct lv_xml_disk *disk, const char *path, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target;
	bool is_known;
	LV_AUTO(volume_unref) virStorageVolPtr here = volume_of_path(check->source, path, &is_known);
	LV_AUTO(volume_unref) virStorageVolPtr there = volume_of_path(check->target, path, &is_known);

	if (!there)
		return error_set(err, ERR_TARGET_BACKING, "guest %s: disk %s lies on %s, and no pool of %s has that file", guest, disk->target,
				 path, target);
	if (!here)
		return error_set(err, ERR_TARGET_BACKING, "guest %s: disk %s lies on %s, which is in no pool of %s: it cannot be compared",
				 guest, disk->target, path, check->request->host);
	return lv_same_content(check->source, here, check->target, there, err) ||
	       error_wrap(err, "guest %s: disk %s: backing file on %s", guest, disk->target, target);
}

/* Only the top layer goes; all below it must be on the target as it is here. */
static bool keep_backing(struct lv_check *check, const struct lv_xml_disk *disk, struct hv_disk *found, struct error *err)
{
	for (size_t i = 0; i < disk->n_backing; i++)
		if (!check_layer(check, disk, disk->backing[i], err))
			return false;
	found->backing_format = disk->backing_format ? disk_format_by_name(disk->backing_format) : DISK_OTHER;
	if (found->backing_format == DISK_OTHER)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s lies on %s of format %s; raw and qcow2 can be kept", check->request->guest,
				 disk->target, disk->backing[0], disk->backing_format ? disk->backing_format : "(unknown)");
	found->backing_path = xstrdup(disk->backing[0]);
	return true;
}

/* Cold, the volume is copied byte for byte, and not what lies below it: on the target it would lie on another file, or on none. */
static bool check_cold(struct lv_check *check, const struct lv_xml_disk *disk, virStorageVolPtr volume, struct error *err)
{
	const char *guest = check->request->guest, *source = check->request->host;

	if (!volume)
		return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s (%s) is in no storage pool of %s, and only volumes are copied cold",
				 guest, disk->target, disk->path, source);
	LV_AUTO(text_free) char *xml = virStorageVolGetXMLDesc(volume, 0);
	if (!xml)
		return lv_error(err, ERR_GUEST_DISK, "guest %s: disk %s: the description of its volume", guest, disk->target);
	/* The XML of a guest that is shut off does not tell the layers that libvirt finds by itself. */
	LV_AUTO(text_free) char *below = lv_xml_text(xml, "/volume/backingStore/path");
	if (!below && disk->n_backing == 0)
		return true;
	error_set(err, ERR_GUEST_DISK, "guest %s: disk %s lies on %s, which a cold copy does not bring along", guest, disk->target,
		  below ? below : disk->backing[0]);
	error_hint(err, "make it one image: virsh blockpull %s %s --wait while the guest runs", guest, disk->target);
	return false;
}

/* Fills `found`; *ret_copied is false for a disk on storage that both hosts share. */
static bool plan_disk(struct lv_check *check, const struct lv_xml_disk *disk, struct hv_disk *found, bool *ret_copied, struct error *err)
{
	LV_AUTO(volume_unref) virStorageVolPtr volume = NULL;

	found->target = xstrdup(disk->target);
	if (!find_volume(check, disk, found, &volume, err))
		return false;
	*ret_copied = !(volume && is_shared(check, disk, found, volume));
	if (!*ret_copied)
		return true;
	if (disk->is_shareable)
		return error_set(err, ERR_NOT_SHARED, "guest %s: disk %s (%s) is shared with other guests, and %s is not proven to have the same one",
				 check->request->guest, disk->target, found->source_path, check->request->target);
	if (check->request->cold && !check_cold(check, disk, volume, err))
		return false;
	if (!choose_place(check, disk, found, err) || !measure(check, disk, found, err) || !check_place(check, found, err))
		return false;
	return !check->request->keep_backing || disk->n_backing == 0 || keep_backing(check, disk, found, err);
}

/* --- what is not --- */

/* A start is stricter than a live move: of what may be missing there, it ejects only what is optional. */
static bool may_be_missing(const struct lv_check *check, const struct lv_xml_disk *disk)
{
	const char *policy = disk->startup_policy ? disk->startup_policy : "mandatory";

	return strcmp(policy, "optional") == 0 || (strcmp(policy, "requisite") == 0 && !check->request->cold);
}

/* The image of a CD-ROM, floppy or read-only disk is opened on the target at the same path. Where no pool of the target knows that
 * folder, only libvirt can tell, and does before anything is copied. */
static bool check_media(struct lv_check *check, const struct lv_xml_disk *disk, struct error *err)
{
	const char *guest = check->request->guest, *target = check->request->target;
	virStorageVolInfo a, b;
	bool is_known, is_absent = false;
	LV_AUTO(volume_unref) virStorageVolPtr there = NULL, here = NULL;

	if (disk->pool && disk->volume) {
		struct error ignored;
		there = lv_volume(check->target, disk->pool, disk->volume, &is_absent, &ignored);
		here = lv_volume(check->source, disk->pool, disk->volume, &is_absent, &ignored);
		is_known = true;
	} else if (disk->path) {
		here = volume_of_path(check->source, disk->path, &is_known);
		there = volume_of_path(check->target, disk->path, &is_known);
	} else {
		return true;
	}
	const char *path = disk->path ? disk->path : disk->volume;
	if (!there && is_known && !may_be_missing(check, disk)) {
		error_set(err, ERR_TARGET_MEDIA, "guest %s: %s has no image %s for %s", guest, target, path, disk->target);
		if (check->request->cold)
			error_hint(err, "copy it there, eject it, or give it startupPolicy='optional' in the guest's XML");
		return false;
	}
	if (here && there && virStorageVolGetInfo(here, &a) == 0 && virStorageVolGetInfo(there, &b) == 0 && a.capacity != b.capacity)
		return error_set(err, ERR_TARGET_MEDIA, "guest %s: image %s for %s has %llu bytes on %s and %llu on %s: it is another one", guest,
				 path, disk->target, a.capacity, check->request->host, b.capacity, target);
	virResetLastError();
	return true;
}

static bool is_media(const struct lv_xml_disk *disk)
{
	return disk->is_readonly || (disk->device && (strcmp(disk->device, "cdrom") == 0 || strcmp(disk->device, "floppy") == 0));
}

static bool check_disk(struct lv_check *check, const struct lv_xml_disk *disk, struct error *err)
{
	struct hv_preflight *result = &check->result;
	bool is_copied = false;

	if (!lv_network_disk_is_shared(disk, check->request->guest, check->request->host, err))
		return false;
	if (!disk->target || !disk->has_source || disk->is_network)
		return true;
	if (is_media(disk))
		return check_media(check, disk, err);
	struct hv_disk *planned = &result->disks[result->n_disks];
	bool ok = plan_disk(check, disk, planned, &is_copied, err);
	/* Counted at once, so that whoever clears the list clears it too. */
	result->n_disks++;
	if (ok && !is_copied) {
		struct hv_disk *last = xcalloc(1, sizeof *last);
		*last = *planned;
		*planned = (struct hv_disk){ 0 };
		result->n_disks--;
		hv_disks_free(last, 1);
	}
	return ok;
}

/* Two disks of a guest must not be sent to one place. */
static bool check_places(struct lv_check *check, struct error *err)
{
	const struct hv_disk *disks = check->result.disks;

	for (size_t i = 0; i < check->result.n_disks; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(disks[i].target_pool, disks[k].target_pool) == 0 && strcmp(disks[i].target_volume, disks[k].target_volume) == 0)
				return error_set(err, ERR_TARGET_VOLUME_EXISTS, "guest %s: disks %s and %s would both be volume %s of pool %s on %s",
						 check->request->guest, disks[k].target, disks[i].target, disks[i].target_volume,
						 disks[i].target_pool, check->request->target);
	return true;
}

/* All disks of one pool together must fit; allocation is what the copy writes at least. */
static bool check_space(struct lv_check *check, struct error *err)
{
	for (size_t i = 0; i < check->result.n_disks; i++) {
		const char *name = check->result.disks[i].target_pool;
		uint64_t needed = 0;
		virStoragePoolInfo info;
		for (size_t k = 0; k < check->result.n_disks; k++) {
			const struct hv_disk *disk = &check->result.disks[k];
			if (strcmp(disk->target_pool, name) == 0)
				needed += disk->allocation_bytes && !disk->is_device_there ? disk->allocation_bytes : disk->capacity_bytes;
		}
		LV_AUTO(pool_unref) virStoragePoolPtr pool = virStoragePoolLookupByName(check->target, name);
		if (!pool || virStoragePoolGetInfo(pool, &info) < 0)
			return lv_error(err, ERR_TARGET_POOL_MISSING, "host %s: pool %s", check->request->target, name);
		if (info.available < needed)
			return error_set(err, ERR_TARGET_POOL_SPACE, "guest %s: its disks need %llu bytes in pool %s of %s, which has %llu free",
					 check->request->guest, (unsigned long long)needed, name, check->request->target, info.available);
	}
	return true;
}

bool lv_check_storage(struct lv_check *check, struct error *err)
{
	check->result.disks = xcalloc(check->xml.n_disks + 1, sizeof *check->result.disks);
	for (size_t i = 0; i < check->xml.n_disks; i++)
		if (!check_disk(check, &check->xml.disks[i], err))
			return false;
	return check_places(check, err) && check_space(check, err);
}
