/* One inventory from the answers of all hosts.
 *
 * Folders that list the same on two hosts are put to the proof, so that the plan already knows what has to be copied. Most look
 * different, and nothing is written then.
 *
 * A guest may be named by two hosts: a definition left behind, or a migration under way. The copy that runs
 * counts; two running copies are kept as one guest that must not be moved. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"
#include "xalloc.h"

/* libvirt waits up to 10 s for a connection and 30 s for a busy guest. */
enum {
	PROBE_TIMEOUT_MS = 60000,
	WORKING_SET_MS = 12000,
	DIRTY_RATE_MS = 1000, /* the shortest that QEMU offers; longer would tell more and make every plan wait */
};

struct seen {
	const char *uuid;
	uint32_t guest;
};

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int order = strcmp(x->uuid, y->uuid);

	return order != 0 ? order : (x->guest > y->guest) - (x->guest < y->guest);
}

static int liveliness(const struct guest *guest)
{
	switch (guest->state) {
	case GUEST_RUNNING: return 3;
	case GUEST_PAUSED: return 2;
	case GUEST_OTHER: return 1;
	case GUEST_SHUTOFF: break;
	}
	return 0;
}

/* Of two sightings of one guest the livelier stays in a; b is to go. */
static void settle(const struct inventory *all, struct guest *a, struct guest *b)
{
	if (liveliness(a) == 3 && liveliness(b) == 3 && a->unmovable == NULL)
		error_set(error_own(&a->unmovable), ERR_SPLIT_BRAIN, "guest %s runs on %s and on %s", a->name, all->hosts[a->host].name,
			all->hosts[b->host].name);
	if (liveliness(b) > liveliness(a)) {
		struct guest other = *a;

		*a = *b;
		*b = other;
	}
}

static void remove_doubles(struct inventory *all)
{
	struct seen *seen = xcalloc(all->n_guests, sizeof *seen);
	bool *is_double = xcalloc(all->n_guests, sizeof *is_double);
	struct inventory *rubbish = inventory_new();
	size_t i, first = 0, kept = 0;

	for (i = 0; i < all->n_guests; i++)
		seen[i] = (struct seen){.uuid = all->guests[i].uuid, .guest = (uint32_t)i};
	qsort(seen, all->n_guests, sizeof *seen, compare_seen);
	for (i = 1; i < all->n_guests; i++) {
		if (seen[i].uuid[0] == '\0' || strcmp(seen[i].uuid, seen[first].uuid) != 0) {
			first = i;
			continue;
		}
		settle(all, &all->guests[seen[first].guest], &all->guests[seen[i].guest]);
		is_double[seen[i].guest] = true;
	}
	inventory_add_host(rubbish, "rubbish");
	for (i = 0; i < all->n_guests; i++) {
		if (is_double[i]) {
			struct guest *place = inventory_add_guest(rubbish, "", 0);

			free(place->name);
			*place = all->guests[i];
		} else {
			all->guests[kept++] = all->guests[i];
		}
	}
	all->n_guests = kept;
	inventory_free(rubbish);
	free(is_double);
	free(seen);
}

static void take_guest(struct inventory *all, const struct guest *guest, uint32_t host)
{
	struct guest *place = inventory_add_guest(all, "", host);

	free(place->name);
	*place = *guest;
	place->host = host;
}

/* Moves the host and its guests out of what it answered. */
static void take_answer(struct inventory *all, const char *name, struct inventory *answer)
{
	uint32_t at = (uint32_t)all->n_hosts;
	struct host *host = inventory_add_host(all, name);
	size_t i;

	assert(answer->n_hosts == 1);
	free(answer->hosts[0].name);
	answer->hosts[0].name = host->name;
	*host = answer->hosts[0];
	answer->n_hosts = 0;
	for (i = 0; i < answer->n_guests; i++)
		take_guest(all, &answer->guests[i], at);
	answer->n_guests = 0;
}

static void take_silence(struct inventory *all, const char *name, const struct error *why)
{
	struct host *host = inventory_add_host(all, name);

	host->reachable = false;
	host->down = *why;
}

static struct inventory *merge(const struct config *config, struct hv_reply *replies)
{
	struct inventory *all = inventory_new();
	size_t i;

	for (i = 0; i < config->n_hosts; i++) {
		if (replies[i].error.code == ERR_NONE && replies[i].inventory != NULL && replies[i].inventory->n_hosts == 1)
			take_answer(all, config->hosts[i].name, replies[i].inventory);
		else
			take_silence(all, config->hosts[i].name, &replies[i].error);
	}
	remove_doubles(all);
	return all;
}

/* --- storage that several hosts see --- */

struct seen_pool {
	const struct host *host;
	struct pool *pool;
};

static bool may_be_one(const struct seen_pool *a, const struct seen_pool *b)
{
	return a->host != b->host && a->pool->share_id == NULL && b->pool->share_id == NULL && a->pool->listing == b->pool->listing &&
		a->pool->capacity_bytes == b->pool->capacity_bytes && a->pool->path != NULL && b->pool->path != NULL &&
		strcmp(a->pool->path, b->pool->path) == 0;
}

static struct seen_pool *list_pools(struct inventory *all, size_t *ret_n)
{
	struct seen_pool *pools = NULL;
	size_t h, p;

	*ret_n = 0;
	for (h = 0; h < all->n_hosts; h++)
		for (p = 0; p < all->hosts[h].n_pools; p++)
			if (all->hosts[h].pools[p].listing != 0) {
				pools = xgrow(pools, *ret_n, sizeof *pools);
				pools[(*ret_n)++] = (struct seen_pool){.host = &all->hosts[h], .pool = &all->hosts[h].pools[p]};
			}
	return pools;
}

/* All that look like the first are asked about at once; who is the same gets its name. Who is not may still be another's. */
static bool prove_with(struct world *world, struct seen_pool *pools, size_t n, size_t first, struct error *err)
{
	struct hv_request *requests = xcalloc(n, sizeof *requests);
	struct name_map *pairs = xcalloc(n, sizeof *pairs);
	struct hv_reply *replies = xcalloc(n, sizeof *replies);
	size_t *who = xcalloc(n, sizeof *who), i, n_asked = 0;
	bool is_good = true;

	for (i = first + 1; i < n; i++) {
		if (!may_be_one(&pools[first], &pools[i]))
			continue;
		pairs[n_asked] = (struct name_map){.from = pools[first].pool->name, .to = pools[i].pool->name};
		requests[n_asked] = (struct hv_request){.kind = HV_SAME_POOLS, .guest = "", .uuid = "", .host = pools[first].host->name,
			.target = pools[i].host->name, .pools = &pairs[n_asked], .n_pools = 1};
		who[n_asked++] = i;
	}
	if (n_asked > 0)
		is_good = loop_gather(world_loop(world), requests, n_asked, PROBE_TIMEOUT_MS, replies, err);
	for (i = 0; i < n_asked; i++) {
		if (replies[i].error.code == ERR_NONE && replies[i].n_pools == 1)
			pools[who[i]].pool->share_id = xprintf("proven:%s:%s", pools[first].host->name, pools[first].pool->name);
		hv_reply_clear(&replies[i]);
	}
	for (i = 0; i < n_asked && pools[first].pool->share_id == NULL; i++)
		pools[first].pool->share_id = xstrdup(pools[who[i]].pool->share_id);
	free(who);
	free(replies);
	free(pairs);
	free(requests);
	return is_good;
}

static bool find_shared(struct world *world, struct inventory *all, struct error *err)
{
	size_t n, i;
	struct seen_pool *pools = list_pools(all, &n);
	bool is_good = true;

	for (i = 0; i < n && is_good; i++)
		if (pools[i].pool->share_id == NULL)
			is_good = prove_with(world, pools, n, i, err);
	free(pools);
	return is_good;
}

struct inventory *world_probe(struct world *world, const struct config *config, enum probe_measure measure,
	const char *const *known, size_t n_known, struct error *err)
{
	struct hv_request *requests = xcalloc(config->n_hosts, sizeof *requests);
	struct hv_reply *replies = xcalloc(config->n_hosts, sizeof *replies);
	struct inventory *inventory = NULL;
	size_t i;
	static const int64_t measured_ms[] = {
		[PROBE_MEASURE_RATES] = DIRTY_RATE_MS, [PROBE_MEASURE_SETS] = WORKING_SET_MS,
	};

	for (i = 0; i < config->n_hosts; i++)
		requests[i] = (struct hv_request){.kind = HV_PROBE, .guest = "", .uuid = "", .host = config->hosts[i].name,
			.measure_ms = measured_ms[measure], .known = known, .n_known = n_known};
	if (loop_gather(world_loop(world), requests, config->n_hosts, PROBE_TIMEOUT_MS, replies, err)) {
		inventory = merge(config, replies);
		config_apply(config, inventory);
		if (!find_shared(world, inventory, err)) {
			inventory_free(inventory);
			inventory = NULL;
		}
	}
	for (i = 0; i < config->n_hosts; i++)
		hv_reply_clear(&replies[i]);
	free(requests);
	free(replies);
	return inventory;
}
