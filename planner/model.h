/* The inventory compiled for planning: names as small numbers, links as rows of
 * a capacity table, rules as lists of members. Made once per ledger; everything
 * that is asked per guest and host afterwards costs a few array reads.
 *
 * Borrows the inventory, which must outlive it. Facts that change while the engine runs
 * (cordon, reachability, free pool space) are not copied: they are read from the inventory each time.
 */
#ifndef DROVER_MODEL_H
#define DROVER_MODEL_H

#include "drover/plan.h"

enum { MODEL_LINKS_MAX = 8 }; /* of one move: both hosts' links and up to six shared ones, a rack and a site on each side and to spare */

struct model_pool {
	uint32_t name;
	uint32_t share; /* INDEX_NONE = local */
};

struct model_host {
	uint32_t cpu_model;      /* INDEX_NONE = unknown */
	uint32_t *networks;      /* sorted */
	size_t n_networks;
	struct model_pool *pools;
	size_t n_pools;
	uint64_t in_rate_bytes_per_s; /* of its fastest link */
	uint32_t first_link;     /* row of its first link; each link has two rows: out, in */
	uint32_t n_links;        /* at least 1: a host without known addresses still has a wire */
	uint32_t *shared;        /* shared links it is inside of */
	size_t n_shared;
};

struct model_guest {
	uint64_t memory_bytes;   /* with the hypervisor's own */
	uint32_t vcpus;
	uint32_t cpu_model;
	uint32_t first_interface; /* into model->interfaces; as many as the guest has */
	uint32_t first_disk;      /* into model->disk_pools */
	uint32_t first_rule;      /* into model->guest_rules */
	uint32_t n_rules;
};

struct model_rule {
	enum rule_kind kind;
	uint32_t count;
	uint32_t n_members;
	uint32_t *hosts; /* sorted */
	size_t n_hosts;
};

struct pooled_lesson {
	struct factor bytes, downtime;
};

struct model {
	const struct inventory *inventory;
	struct plan_options options;
	struct name_index *names; /* one space for networks, pools, shares, CPU models and groups */
	char **texts;             /* by number; owned */
	size_t n_texts;
	struct model_host *hosts;
	struct model_guest *guests;
	struct model_rule *rules;
	uint32_t *interfaces;
	uint32_t *disk_pools;     /* INDEX_NONE = in no pool */
	uint32_t *guest_rules;
	uint64_t *capacities;     /* bytes per second of each row; never 0 */
	bool *is_assumed;         /* of each row: neither configured nor measured */
	size_t n_links;
	uint32_t first_shared;    /* row of the first shared link: out of it, into it */
	uint32_t *network_links;  /* [host * n_networks + network]: the host's link in it */
	struct model_path_rate *paths; /* sorted by pair */
	size_t n_paths;
	struct model_lesson *lessons; /* sorted by key */
	size_t n_lessons;
	struct pooled_lesson pooled[CLASS_COUNT]; /* of all pairs together */
};

struct model_path_rate {
	uint64_t pair;
	const struct path_rate *measured;
};

struct model_lesson {
	uint64_t key;
	const struct lesson *lesson;
};

static inline uint64_t model_lesson_key(uint32_t source, uint32_t target, enum move_class class)
{
	return ((uint64_t)source << 32 | target) * CLASS_COUNT + (uint64_t)class;
}

/* How a move travels. */
struct path {
	uint32_t network, source_link, target_link;
	uint32_t links[MODEL_LINKS_MAX];
	uint32_t n_links;
	uint64_t memory_rate_bytes_per_s, disk_rate_bytes_per_s; /* best for one move */
	const struct path_rate *measured; /* NULL = nothing was */
	bool is_assumed; /* the rates are the default of a link of which nothing is known */
};

struct model *model_new(const struct inventory *inventory, const struct plan_options *options);
void model_free(struct model *model);
/* Reads networks, pools and CPU of a host again. */
void model_update_host(struct model *model, uint32_t host);

/* INDEX_NONE when no host or guest of the inventory used that name for anything. */
uint32_t model_name(const struct model *model, const char *text);
bool model_host_has_network(const struct model *model, uint32_t host, uint32_t name);
/* Index of the host's pool of that name, INDEX_NONE when there is none. */
uint32_t model_host_pool(const struct model *model, uint32_t host, uint32_t name);
bool model_host_has_share(const struct model *model, uint32_t host, uint32_t share);
bool model_rule_names_host(const struct model_rule *rule, uint32_t host);

/* False when the hosts share no migration network. */
bool model_path_links(const struct model *model, uint32_t source, uint32_t target, struct path *ret_path);
/* With the rates. max_rate 0 = no limit of its own. */
bool model_path(const struct model *model, uint32_t source, uint32_t target, uint64_t max_rate_bytes_per_s,
	struct path *ret_path);
/* "h1 out", for messages. Returns the link's host, INDEX_NONE for a shared link. */
uint32_t model_link_name(const struct model *model, uint32_t row, char *text, size_t size);

#endif
