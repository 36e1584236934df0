/* What the parts of a pre-flight share: one guest, two hosts, and what has been found so far. */
#ifndef DROVER_LIBVIRT_PREFLIGHT_H
#define DROVER_LIBVIRT_PREFLIGHT_H

#include "libvirt_internal.h"
#include "libvirt_xml.h"

struct lv_check {
	virConnectPtr source, target;
	const struct hv_request *request;
	virDomainPtr domain;
	struct lv_xml_domain xml;
	struct hv_preflight result; /* its disks are whose the check is, also after a refusal */
};

/* Fills result.disks with those that must be copied; refuses the guest otherwise. */
bool lv_check_storage(struct lv_check *check, struct error *err);

/* libvirt_postcopy.c. Fills result.no_postcopy, where post-copy is asked for. */
void lv_check_postcopy(struct lv_check *check, const char *xml);

/* libvirt_share.c */
bool lv_pool_holds_files(const char *kind);
bool lv_pool_holds_luns(const char *kind);
bool lv_is_identity(const char *key);
bool lv_pool_read(virStoragePoolPtr pool, struct lv_xml_pool *ret, struct error *err);
/* The volumes are one disk's on both hosts, or NULL: then LUNs are not proven. What cannot be proven is not one storage. */
bool lv_is_one_storage(virStoragePoolPtr here, virStoragePoolPtr there, virStorageVolPtr volume_here, virStorageVolPtr volume_there);
/* A network disk is one by its server's address, unless each host would look for that on itself. True for other disks. */
bool lv_network_disk_is_shared(const struct lv_xml_disk *disk, const char *guest, const char *host, struct error *err);
/* libvirt's last error says that a file or volume of that name is there. */
bool lv_last_was_there_already(void);

/* libvirt_content.c. Size and samples of two files; ERR_TARGET_BACKING with both values where they differ. */
bool lv_same_content(virConnectPtr conn_a, virStorageVolPtr a, virConnectPtr conn_b, virStorageVolPtr b, struct error *err);

#endif
