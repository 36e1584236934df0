/* Reading and editing libvirt's XML with libxml2. Pure: text in, values and text out.
 * No network access and no external entities, since the text comes from other machines.
 * Returned strings are the caller's; free them with free. */
#ifndef DROVER_LIBVIRT_XML_H
#define DROVER_LIBVIRT_XML_H

#include "drover/hypervisor.h"
#include "drover/plan.h"

#define LV_TAG_URI "urn:drover:job:1"
#define LV_TAG_KEY "drover"

struct lv_xml_disk {
	char *target;
	char *type;   /* file, block, volume, network, ... */
	char *device; /* disk, cdrom, floppy, lun */
	char *path;   /* file= or dev=; NULL otherwise */
	char *pool, *volume; /* type volume */
	char *format; /* driver type; NULL = unknown */
	char *share_id; /* type network: what every host opens as the same; NULL = its server's name means another on each host */
	char *startup_policy; /* NULL = mandatory */
	char **backing; /* paths of the layers below, the next one first */
	size_t n_backing;
	char *backing_format; /* of the next one */
	bool has_source, is_network, is_readonly, is_shareable, is_transient, has_mirror;
};

enum lv_net_kind { LV_NET_BRIDGE, LV_NET_NETWORK, LV_NET_DIRECT /* macvtap */ };
const char *lv_net_kind_name(enum lv_net_kind kind);

struct lv_xml_interface {
	enum lv_net_kind kind;
	char *name;       /* of the bridge, libvirt network or device */
	char *port_group; /* of a libvirt network; NULL = its default */
};

/* How interfaces change on the way: names by the maps, kinds by what the target has. */
struct lv_nets {
	const struct name_map *maps;
	size_t n_maps;
	char **networks; /* active libvirt networks of the target */
	size_t n_networks;
	char **devices;  /* its bridges and other network devices; none = it does not say */
	size_t n_devices;
};
enum lv_net_kind lv_net_kind_there(enum lv_net_kind here, const char *name, const struct lv_nets *nets);

struct lv_xml_domain {
	char *name, *uuid, *type, *arch, *machine, *emulator;
	char *cpu_mode;  /* custom, host-model, host-passthrough, maximum; NULL = none */
	char *cpu_model; /* NULL = none named */
	char *cpu;       /* the whole element; NULL = none */
	bool is_cpu_checked; /* libvirt itself holds the target to this CPU */
	uint32_t vcpus;
	uint64_t memory_bytes;
	struct lv_xml_disk *disks;
	size_t n_disks;
	struct lv_xml_interface *interfaces; /* those on a bridge, a libvirt network or a device of the host */
	size_t n_interfaces;
	char **filters;    /* network filters of its interfaces */
	size_t n_filters;
	char *tpm_backend; /* NULL = no TPM */
	uint64_t huge_page_bytes; /* 0 = none are needed */
	uint32_t n_hostdevs;
};

bool lv_xml_domain_read(const char *xml, struct lv_xml_domain *ret, struct error *err);
void lv_xml_domain_clear(struct lv_xml_domain *domain);

/* The domain as it has to be on the target: disks at their target_path, backing chains dropped where the copy
 * is a full one, interfaces on the target's networks, and without our tag when `drop_tag`. NULL with err set, also when a
 * listed disk is not in the XML. */
char *lv_xml_for_target(const char *xml, const struct hv_disk *disks, size_t n_disks,
			const struct lv_nets *nets, bool drop_tag, struct error *err);

/* The element kept in a guest's metadata, and back. */
char *lv_xml_tag(const struct job_tag *tag);
bool lv_xml_tag_read(const char *xml, struct job_tag *ret);

/* A new sparse volume for the copy of a disk. */
char *lv_xml_volume(const struct hv_disk *disk);
/* A small one that is there only to be found from another host. */
char *lv_xml_probe_volume(const char *name);

struct lv_xml_pool {
	char *kind;     /* dir, netfs, ... */
	char *path;     /* NULL = none */
	char *source_id; /* where its storage is, as its definition says; NULL = on its host, or at a server named as only its host can mean it */
};
bool lv_xml_pool_read(const char *xml, struct lv_xml_pool *ret, struct error *err);
void lv_xml_pool_clear(struct lv_xml_pool *pool);

/* The host's CPU model from capabilities; the text of /some/path in general: NULL when absent. */
char *lv_xml_text(const char *xml, const char *xpath);
/* The first element that the path finds, whole. */
char *lv_xml_element(const char *xml, const char *xpath);
/* Every text that the path finds, appended. */
void lv_xml_texts(const char *xml, const char *xpath, char ***texts, size_t *n);

const char *lv_map(const struct name_map *map, size_t n, const char *name);

/* The CPU of mode host-model in domain capabilities, as a <cpu>; NULL when the host offers none. */
char *lv_xml_host_model(const char *xml);

/* A node that is looked for, and an XPath string about it. */
struct lv_xml_query {
	const char *path, *value;
};
/* The value of the first query that finds a node, or NULL; *ret_at is its number. */
char *lv_xml_first(const char *xml, const struct lv_xml_query *queries, size_t n, size_t *ret_at);

#endif
