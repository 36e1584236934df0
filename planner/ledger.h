/* The inside of the capacity ledger, for the planner's own modules. */
#ifndef DROVER_LEDGER_H
#define DROVER_LEDGER_H

#include "model.h"
#include "rule_counts.h"

struct host_use {
	uint64_t memory_bytes;  /* of guests there, and on their way there */
	uint64_t vcpus;
	uint32_t n_guests;
	uint64_t inbound_bytes; /* of moves in flight */
};

/* Space promised in a pool. */
struct pool_use {
	uint32_t name;
	uint64_t pending_bytes; /* of moves in flight */
	uint64_t settled_bytes; /* of moves that ended since the pool was last measured */
};

struct pool_uses {
	struct pool_use *uses;
	size_t n;
};

struct flight {
	uint32_t target;
	uint64_t inbound_bytes;
	struct pool_use *disks; /* pending_bytes per pool of the target */
	size_t n_disks;
};

struct ledger {
	const struct inventory *inventory;
	struct model *model;
	bool owns_model;
	struct host_use *hosts;
	struct pool_uses *pools;
	uint32_t *locations;     /* where each guest runs as far as this ledger knows */
	struct flight **flights; /* per guest, NULL = it does not move */
	bool *is_counted;        /* it runs, so it takes room */
	struct rule_counts counts;
	uint32_t *rule_totals;   /* counted members of each rule */
	uint32_t *rule_flights;  /* members of each rule in flight */
	int64_t reference_ms;    /* the inbound time that counts as a full link when targets are scored */
};

/* A second ledger over the same compiled inventory; it must be freed first. Starts from the inventory, not from the other's flights. */
struct ledger *ledger_new_sharing(const struct ledger *other);
uint64_t ledger_free_memory(const struct ledger *ledger, uint32_t host);
uint64_t ledger_vcpu_limit(const struct ledger *ledger, uint32_t host); /* UINT64_MAX = not limited */
/* Free space of a pool, all promises taken off. */
uint64_t ledger_free_pool(const struct ledger *ledger, uint32_t host, uint32_t pool);
/* Number of the pool that a disk goes to, INDEX_NONE when no host has such a pool. */
uint32_t ledger_target_pool(const struct ledger *ledger, uint32_t guest, uint32_t disk,
	const struct request *request, const struct wanted_move *wanted);
/* model-number version of planner_disk_is_copied, from where the ledger knows the guest to be. */
bool ledger_disk_is_copied(const struct ledger *ledger, uint32_t guest, uint32_t disk, uint32_t target);
uint64_t ledger_disk_need(const struct disk *disk);

#endif
