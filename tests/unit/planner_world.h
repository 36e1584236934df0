/* Small inventories for the planner's tests: hosts of 16 GiB on 1 Gbit/s, guests of 1 GiB, unless said otherwise. */
#ifndef DROVER_TEST_PLANNER_WORLD_H
#define DROVER_TEST_PLANNER_WORLD_H

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "drover/plan.h"

#define GIB (UINT64_C(1) << 30)

static inline struct host *world_host(struct inventory *inventory, const char *name, uint64_t memory_bytes)
{
	struct host *host = inventory_add_host(inventory, name);
	char address[32];

	host->memory_bytes = memory_bytes;
	snprintf(address, sizeof address, "10.8.0.%zu/24", inventory->n_hosts);
	host_add_link(host, address)->rate_bytes_per_s = 100000000;
	return host;
}

static inline struct guest *world_guest(struct inventory *inventory, const char *name, uint32_t host, uint64_t memory_bytes)
{
	struct guest *guest = inventory_add_guest(inventory, name, host);

	guest->memory_bytes = memory_bytes;
	return guest;
}

static inline struct disk *world_disk(struct guest *guest, const char *target, const char *pool, uint64_t bytes)
{
	struct disk *disk = guest_add_disk(guest, target);

	disk->pool = strdup(pool);
	disk->capacity_bytes = bytes;
	return disk;
}

static inline struct pool *world_pool(struct host *host, const char *name, uint64_t available_bytes)
{
	struct pool *pool = host_add_pool(host, name);

	pool->available_bytes = available_bytes;
	pool->capacity_bytes = available_bytes;
	return pool;
}

static inline void world_seal(struct inventory *inventory)
{
	struct error error;

	assert_done(inventory_seal(inventory, &error), error);
}

/* Round figures: no overhead, no loss, nothing before or after the bytes. */
static inline struct plan_options world_options(void)
{
	struct plan_options options;

	plan_options_init(&options);
	options.memory_overhead_milli = 1000;
	options.efficiency_milli = 1000;
	options.setup_ms = 0;
	options.finish_ms = 0;
	return options;
}

static inline struct request *world_drain(const char *host)
{
	struct request *request = request_new(REQUEST_DRAIN);

	strings_add(&request->hosts, &request->n_hosts, host);
	return request;
}

static inline struct plan *world_plan(const struct inventory *inventory, const struct request *request,
	const struct plan_options *options)
{
	struct plan *plan = NULL;
	struct error error;

	assert_done(planner_plan(inventory, request, options, &plan, &error), error);
	return plan;
}

static inline void world_want(struct request *request, const char *guest, const char *to)
{
	request_add_move(request, guest)->to = strdup(to);
}

static inline void world_clear(struct plan *plan, struct request *request, struct inventory *inventory)
{
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
}

/* The n-th move of a guest, from 0; NULL when it has no such move. */
static inline const struct planned_move *world_move_of(const struct inventory *inventory, const struct plan *plan, const char *guest, unsigned n)
{
	size_t i;

	for (i = 0; i < plan->n_moves; i++)
		if (strcmp(inventory->guests[plan->moves[i].guest].name, guest) == 0 && n-- == 0)
			return &plan->moves[i];
	return NULL;
}

#endif
