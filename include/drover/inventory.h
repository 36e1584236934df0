/* The inventory: every fact about hosts and guests that a plan needs, as plain
 * values. It is what `drover inventory -o json` prints and what --inventory
 * takes back (schema drover/inventory/1, CONTRACT.md).
 *
 * Life cycle: inventory_new, fill through the inventory_add_* functions, then
 * inventory_seal, which resolves names to indices and checks the whole; after
 * that hosts, guests and rules keep their indices for the life of the object.
 * The inventory owns all its strings. Not thread-safe; const use may be shared.
 *
 * Defaults are those of CONTRACT.md: everything beyond name, host and memory is
 * optional. "0 = unknown" is said at the member.
 */
#ifndef DROVER_INVENTORY_H
#define DROVER_INVENTORY_H

#include "drover/base.h"
#include "drover/error.h"

/* One address of a host in a migration network; order is the order of trust. */
struct host_link {
	char *address;            /* "10.8.0.1/24"; the prefix may be missing */
	uint64_t rate_bytes_per_s; /* full duplex, each direction; 0 = unknown, to be measured */
};

struct pool {
	char *name;
	char *kind;     /* libvirt's pool type: dir, fs, netfs, logical, iscsi, rbd, ... */
	char *share_id; /* equal and not NULL on two hosts = the same storage; NULL = local */
	char *path;     /* target path; NULL = unknown */
	uint64_t capacity_bytes;
	uint64_t available_bytes;
	uint64_t listing; /* of what lies in it, as the probe saw it; equal on two hosts = worth a proof that it is one storage; 0 = not known */
	char **media;     /* its CD-ROM images by name; NULL with n 0 = none or not known */
	size_t n_media;
};

struct host {
	char *name;
	char *cluster;   /* NULL = none */
	char *cpu_model; /* NULL = unknown: then CPUs are compared by the pre-flight only */
	bool cordoned;
	bool reachable;
	bool incoming;   /* takes guests (S9) */
	bool outgoing;   /* gives guests away (S9) */
	uint32_t cpus;   /* 0 = unknown: CPU is not limited */
	uint32_t cpu_overcommit_milli; /* virtual CPUs allowed a CPU, times 1000; default 4000 */
	uint64_t memory_bytes;          /* of the machine */
	uint64_t memory_reserve_bytes;  /* kept for the host itself */
	uint32_t max_incoming, max_outgoing;                 /* 0 = as the scheduler says */
	uint32_t max_incoming_storage, max_outgoing_storage; /* moves that copy disks; 0 = as above */
	struct host_link *links;
	size_t n_links;
	char **networks; /* bridges and libvirt networks by name; NULL with n 0 = unknown: not checked */
	size_t n_networks;
	struct pool *pools;
	size_t n_pools;
	bool shows_paths;  /* it can tell by which of its addresses a move goes */
	struct error down; /* why reachable is false; code NONE otherwise */
};

enum disk_format { DISK_RAW, DISK_QCOW2, DISK_OTHER };

struct disk {
	char *target; /* vda */
	char *pool;   /* NULL = in no pool known to libvirt */
	char *volume; /* name in the pool; NULL = unknown */
	char *path;   /* as in the domain XML; NULL = unknown */
	char *share_id; /* what every host opens as the same: a network disk. NULL = it lives where its pool does */
	enum disk_format format;
	bool passthrough; /* a device of the host */
	bool readonly;    /* CD-ROM or <readonly/>: never copied */
	bool may_be_missing; /* a CD-ROM image that is ejected when the target has not got it */
	bool may_be_missing_cold; /* and so when the guest is started there, which is stricter than a live move */
	char *backing; /* the layer that it lies on, which a cold copy does not bring along; NULL = none, or not known */
	uint64_t capacity_bytes;
	uint64_t allocation_bytes; /* 0 = unknown: capacity counts */
	uint64_t write_rate_bytes_per_s;
};

/* What becomes of a guest that cannot move live. The later ones do more to it. */
enum cannot_move { CANNOT_MOVE_UNSAID, CANNOT_MOVE_LEAVE, CANNOT_MOVE_SHUTDOWN, CANNOT_MOVE_COLD };

enum guest_state { GUEST_RUNNING, GUEST_PAUSED, GUEST_SHUTOFF, GUEST_OTHER };

struct guest {
	char *name;
	char uuid[UUID_TEXT_SIZE]; /* "" = unknown (hand-written inventory): then the name identifies */
	uint32_t host;             /* index */
	enum guest_state state;
	bool persistent;
	bool autostart;
	uint32_t vcpus;            /* default 1 */
	uint32_t cpu_load_milli;   /* CPUs really used, times 1000 */
	uint64_t memory_bytes;
	uint64_t used_memory_bytes;       /* 0 = unknown: memory counts */
	uint64_t dirty_rate_bytes_per_s;
	uint64_t working_set_bytes;       /* 0 = unknown: used memory counts */
	bool is_measured;                 /* what it writes was measured by the probe that found it */
	char *cpu_model; /* NULL = any */
	struct disk *disks;
	size_t n_disks;
	char **interfaces; /* network or bridge names */
	size_t n_interfaces;
	uint32_t hostdevs;
	int32_t priority; /* higher moves earlier */
	char **groups;
	size_t n_groups;
	enum cannot_move cannot_move; /* as one of its groups says, the most careful of them; UNSAID = as the request does */
	struct error *unmovable; /* a fact found by the hypervisor that forbids a move; owned; NULL = none */
	struct error *unmovable_cold; /* one that forbids to move it shut off */
};

enum rule_kind { RULE_ANTI_AFFINITY, RULE_AFFINITY, RULE_ONLY_ON, RULE_NEVER_ON, RULE_AT_MOST_MOVING };

/* A rule speaks of guests (by name) and groups; hosts and count by kind. */
struct rule {
	enum rule_kind kind;
	char **groups;
	size_t n_groups;
	char **guests;
	size_t n_guests;
	char **hosts;
	size_t n_hosts;
	uint32_t count; /* RULE_AT_MOST_MOVING */
};

/* A network that moves may use, in the order of preference (S11). */
struct migration_network {
	char *name;
	char *cidr;                /* "10.8.0.0/24" */
	int32_t order;
	uint64_t rate_bytes_per_s; /* of one host's link in it; 0 = measure */
	uint32_t reserve_percent;  /* kept free for others */
	bool is_checked;           /* a target's address in it has to answer before a move; default true */
};

/* A link that several hosts share (rack uplink, switch, WAN), each direction. */
struct shared_link {
	char *name;
	char **hosts; /* traffic between a host inside and one outside passes it */
	size_t n_hosts;
	uint64_t rate_bytes_per_s;
};

struct inventory {
	struct host *hosts;
	size_t n_hosts;
	struct guest *guests;
	size_t n_guests;
	struct rule *rules;
	size_t n_rules;
	struct migration_network *networks; /* sorted by order after seal; none = any address will do */
	size_t n_networks;
	struct shared_link *shared_links;
	size_t n_shared_links;
	struct inventory_index *index; /* private: names to indices */
};

struct inventory *inventory_new(void);
void inventory_free(struct inventory *inventory);
struct inventory *inventory_copy(const struct inventory *inventory);

/* Each appends one zeroed-with-defaults element and returns it for filling; the pointer is
 * valid until the next add of the same kind. Strings put into it must come from
 * strdup; they belong to the inventory from then on. name is copied. */
struct host *inventory_add_host(struct inventory *inventory, const char *name);
struct guest *inventory_add_guest(struct inventory *inventory, const char *name, uint32_t host);
struct rule *inventory_add_rule(struct inventory *inventory, enum rule_kind kind);
struct migration_network *inventory_add_network(struct inventory *inventory, const char *name);
struct shared_link *inventory_add_shared_link(struct inventory *inventory, const char *name);
struct pool *host_add_pool(struct host *host, const char *name);
struct host_link *host_add_link(struct host *host, const char *address);
struct disk *guest_add_disk(struct guest *guest, const char *target);
/* Appends a copy of text to a list of strings such as networks, groups, interfaces. */
void strings_add(char ***strings, size_t *n, const char *text);

/* Checks (two hosts of one name, two guests of one UUID, rules that name nobody, CIDRs that do not parse)
 * and builds the index. Two guests of one name on different hosts are allowed: only asking for
 * them by name is ambiguous. ERR_INPUT names the object. */
bool inventory_seal(struct inventory *inventory, struct error *err);

/* INDEX_NONE when absent. Only after seal. */
uint32_t inventory_host(const struct inventory *inventory, const char *name);
/* By UUID or by name; ERR_UNKNOWN_GUEST, ERR_AMBIGUOUS_GUEST. */
uint32_t inventory_guest(const struct inventory *inventory, const char *name_or_uuid, struct error *err);
/* The next guest of that name, in a ring; itself when alone. */
uint32_t inventory_same_name(const struct inventory *inventory, uint32_t guest);
/* Changes where a guest runs; keeps the index true. */
void inventory_set_guest_host(struct inventory *inventory, uint32_t guest, uint32_t host);

const struct pool *host_pool(const struct host *host, const char *name);
bool host_has_network(const struct host *host, const char *name);

/* SHA-256 over what changes only by an act (placement, sizes, cordons, rules), not over load, free
 * space or measured rates: a plan whose digest differs is stale. */
void inventory_digest(const struct inventory *inventory, char ret_digest[static DIGEST_TEXT_SIZE]);

const char *disk_format_name(enum disk_format format);
enum disk_format disk_format_by_name(const char *name); /* DISK_OTHER when unknown */
const char *cannot_move_name(enum cannot_move how); /* NULL for UNSAID */
enum cannot_move cannot_move_by_name(const char *name); /* UNSAID when unknown */
const char *guest_state_name(enum guest_state state);
const char *rule_kind_name(enum rule_kind kind);

#endif
