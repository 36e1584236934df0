/* Whether two hosts see one storage. Equal paths, names and definitions prove nothing: a local folder has the same path
 * everywhere, and a server's name may mean another machine. What QEMU opens over the network by itself is the same by its address, a
 * LUN by the identity that its array gave it, and a folder by a small random volume that is made on one host and found on the
 * other. It is removed at once; a process that dies in between leaves a file of 4 KiB whose name says what it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libvirt_preflight.h"

bool lv_pool_holds_files(const char *kind)
{
	return kind && (strcmp(kind, "dir") == 0 || strcmp(kind, "fs") == 0 || strcmp(kind, "netfs") == 0);
}

bool lv_pool_holds_luns(const char *kind)
{
	return kind && (strcmp(kind, "iscsi") == 0 || strcmp(kind, "scsi") == 0 || strcmp(kind, "mpath") == 0);
}

bool lv_pool_read(virStoragePoolPtr pool, struct lv_xml_pool *ret, struct error *err)
{
	LV_AUTO(text_free) char *xml = virStoragePoolGetXMLDesc(pool, 0);

	if (!xml)
		return lv_error(err, ERR_TARGET_POOL_MISSING, "pool %s", virStoragePoolGetName(pool));
	return lv_xml_pool_read(xml, ret, err);
}

/* libvirt has no identity for a volume whose key is its path. */
bool lv_is_identity(const char *key)
{
	return key && key[0] != '\0' && key[0] != '/';
}

bool lv_last_was_there_already(void)
{
	const virError *last = virGetLastError();

	return last && (last->code == VIR_ERR_STORAGE_VOL_EXIST || (last->code == VIR_ERR_SYSTEM_ERROR && last->int1 == EEXIST));
}

static bool lists(virStoragePoolPtr pool, const char *name)
{
	virStorageVolPtr volume = lv_pool_refresh(pool) ? virStorageVolLookupByName(pool, name) : NULL;

	if (volume)
		virStorageVolFree(volume);
	virResetLastError();
	return volume != NULL;
}

/* The other host's list of a network folder may be half a minute old; making a file of that name is not answered from memory. */
static bool refuses_to_make(virStoragePoolPtr pool, const char *xml)
{
	virStorageVolPtr volume = virStorageVolCreateXML(pool, xml, 0);
	bool was_there = !volume && lv_last_was_there_already();

	if (volume) {
		virStorageVolDelete(volume, 0);
		virStorageVolFree(volume);
	}
	virResetLastError();
	return was_there;
}

static bool prove(virStoragePoolPtr here, virStoragePoolPtr there)
{
	uint64_t random[2];
	char name[64];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return false;
	snprintf(name, sizeof name, "drover-probe-%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	LV_AUTO(text_free) char *xml = lv_xml_probe_volume(name);
	LV_AUTO(volume_unref) virStorageVolPtr volume = virStorageVolCreateXML(here, xml, 0);
	if (!volume) {
		virResetLastError();
		return false; /* not writable: then it cannot be proven, and is taken for local */
	}
	bool is_same = lists(there, name) || refuses_to_make(there, xml);
	virStorageVolDelete(volume, 0);
	virResetLastError();
	if (is_same)
		(void)lv_pool_refresh(there); /* or it would go on listing what is gone */
	return is_same;
}

static bool same_key(virStorageVolPtr a, virStorageVolPtr b)
{
	const char *here = a ? virStorageVolGetKey(a) : NULL, *there = b ? virStorageVolGetKey(b) : NULL;

	return lv_is_identity(here) && there && strcmp(here, there) == 0;
}

static bool is_one(virStoragePoolPtr here, virStoragePoolPtr there, virStorageVolPtr volume_here, virStorageVolPtr volume_there,
		   const struct lv_xml_pool *a, const struct lv_xml_pool *b)
{
	if (!a->kind || !b->kind)
		return false;
	if (a->source_id || b->source_id)
		return a->source_id && b->source_id && strcmp(a->source_id, b->source_id) == 0;
	/* The guest's definition names the path, which is not changed for a disk that is not copied. */
	if (!a->path || !b->path || strcmp(a->path, b->path) != 0)
		return false;
	if (lv_pool_holds_luns(a->kind) && lv_pool_holds_luns(b->kind))
		return same_key(volume_here, volume_there);
	return lv_pool_holds_files(a->kind) && lv_pool_holds_files(b->kind) && prove(here, there);
}

bool lv_is_one_storage(virStoragePoolPtr here, virStoragePoolPtr there, virStorageVolPtr volume_here, virStorageVolPtr volume_there)
{
	struct lv_xml_pool a = { 0 }, b = { 0 };
	bool is_same = lv_pool_read(here, &a, NULL) && lv_pool_read(there, &b, NULL) &&
		       is_one(here, there, volume_here, volume_there, &a, &b);

	lv_xml_pool_clear(&a);
	lv_xml_pool_clear(&b);
	return is_same;
}

bool lv_network_disk_is_shared(const struct lv_xml_disk *disk, const char *guest, const char *host, struct error *err)
{
	if (!disk->is_network || disk->share_id)
		return true;
	error_set(err, ERR_NOT_SHARED, "guest %s: network disk %s: its server is not named, or named as only %s can mean it", guest, disk->target, host);
	error_hint(err, "name the server in the disk's <source> by an address that all hosts reach");
	return false;
}

bool lv_same_pools(virConnectPtr source, virConnectPtr target, const struct hv_request *request, struct hv_reply *reply, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < request->n_pools; i++) {
		const struct name_map *pair = &request->pools[i];
		LV_AUTO(pool_unref) virStoragePoolPtr here = virStoragePoolLookupByName(source, pair->from);
		LV_AUTO(pool_unref) virStoragePoolPtr there = virStoragePoolLookupByName(target, pair->to);

		if (here && there && lv_is_one_storage(here, there, NULL, NULL))
			name_map_add(&reply->pools, &reply->n_pools, pair->from, pair->to);
	}
	virResetLastError();
	return true;
}
