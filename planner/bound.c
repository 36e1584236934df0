/* The lower bound: no link carries more than its rate, no move is shorter than
 * alone at its best rate, and setup and finish are paid at least once.
 *
 * Bytes count with those sent again, at the best rate: fewer are never sent. Where destinations
 * were free to choose, one target's link proves nothing (another choice would have spared it), so
 * only all targets' links together count, and a shared link only when its traffic could not have stayed inside.
 * Where they are given, room that others must leave first binds too: bound_room.c.
 */
#include "bound_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "size_text.h"
#include "xalloc.h"

struct link_load {
	uint64_t bytes;
	uint32_t n;
	uint32_t largest; /* job with the most bytes */
};

void bound_raise(struct bound *bound, int64_t carried_us, const struct jobs *jobs, uint32_t host,
	enum direction direction, uint32_t job, const char *text)
{
	int64_t total = carried_us + (jobs->model->options.setup_ms + jobs->model->options.finish_ms) * 1000;

	if (total <= bound->lower_us)
		return;
	bound->lower_us = total;
	bound->host = host;
	bound->direction = direction;
	bound->guest = jobs->jobs[job].guest;
	snprintf(bound->text, sizeof bound->text, "%s", text);
}

static void load_text(char *text, size_t size, const struct jobs *jobs, const char *name, const char *direction,
	const struct link_load *load, uint64_t rate, int64_t us)
{
	const struct job *largest = &jobs->jobs[load->largest];

	snprintf(text, size, "%.40s %s: %" PRIu32 " guest%s, %s at %s/s = %" PRId64 ".%" PRId64 " s, %s %.40s%s%s", name, direction,
		load->n, load->n == 1 ? "" : "s", size_text(load->bytes).text, size_text(rate).text, us / 1000000, us / 100000 % 10,
		load->n == 1 ? "of" : "the largest", jobs->model->inventory->guests[largest->guest].name, load->n == 1 ? "" : ": ",
		load->n == 1 ? "" : size_text(largest->best.bytes).text);
}

static void add_load(struct link_load *load, const struct jobs *jobs, uint32_t job)
{
	if (load->n == 0 || jobs->jobs[job].best.bytes > jobs->jobs[load->largest].best.bytes)
		load->largest = job;
	load->bytes += jobs->jobs[job].best.bytes;
	load->n++;
}

static struct link_load *loads_of(const struct jobs *jobs)
{
	struct link_load *loads = xcalloc(jobs->model->n_links, sizeof *loads);
	uint32_t i, k;

	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			add_load(&loads[jobs->jobs[i].links[k]], jobs, i);
	return loads;
}

static void bound_hosts(const struct jobs *jobs, const struct link_load *loads, bool is_free, struct bound *bound)
{
	const struct model *model = jobs->model;
	uint32_t i, k;

	for (i = 0; i < model->inventory->n_hosts; i++)
		for (k = 0; k < 2 * model->hosts[i].n_links; k++) {
			uint32_t row = model->hosts[i].first_link + k;
			int64_t us = carry_us(loads[row].bytes, model->capacities[row]);
			char text[BOUND_TEXT_SIZE];

			if (loads[row].n == 0 || (is_free && k % 2 == 1))
				continue;
			load_text(text, sizeof text, jobs, model->inventory->hosts[i].name, k % 2 == 0 ? "out" : "in", &loads[row],
				model->capacities[row], us);
			bound_raise(bound, us, jobs, i, k % 2 == 0 ? DIRECTION_OUT : DIRECTION_IN, loads[row].largest, text);
		}
}

/* Could a drained guest inside the shared link's hosts have stayed inside? */
static bool has_target_inside(const struct model *model, uint32_t shared, const bool *targets)
{
	const struct shared_link *link = &model->inventory->shared_links[shared];
	size_t i;

	for (i = 0; i < link->n_hosts; i++) {
		uint32_t host = inventory_host(model->inventory, link->hosts[i]);

		if (host != INDEX_NONE && targets[host])
			return true;
	}
	return false;
}

static void bound_shared(const struct jobs *jobs, const struct link_load *loads, const bool *targets, struct bound *bound)
{
	const struct model *model = jobs->model;
	uint32_t i;

	for (i = 0; i < 2 * model->inventory->n_shared_links; i++) {
		uint32_t row = model->first_shared + i;
		int64_t us = carry_us(loads[row].bytes, model->capacities[row]);
		char text[BOUND_TEXT_SIZE];

		if (loads[row].n == 0 || (targets != NULL && (i % 2 == 1 || has_target_inside(model, i / 2, targets))))
			continue;
		load_text(text, sizeof text, jobs, model->inventory->shared_links[i / 2].name, i % 2 == 0 ? "out (shared)" : "in (shared)",
			&loads[row], model->capacities[row], us);
		bound_raise(bound, us, jobs, INDEX_NONE, DIRECTION_SHARED, loads[row].largest, text);
	}
}

static void bound_all_targets(const struct jobs *jobs, const bool *targets, struct bound *bound)
{
	const struct model *model = jobs->model;
	struct link_load load = {0};
	uint64_t rate = 0;
	uint32_t i, k;
	char text[BOUND_TEXT_SIZE];
	int64_t us;

	for (i = 0; i < jobs->n; i++)
		add_load(&load, jobs, i);
	for (i = 0; i < model->inventory->n_hosts; i++)
		for (k = 0; targets[i] && k < model->hosts[i].n_links; k++)
			rate += model->capacities[model->hosts[i].first_link + 2 * k + 1];
	if (rate == 0 || load.n == 0)
		return;
	us = carry_us(load.bytes, rate);
	load_text(text, sizeof text, jobs, "all targets", "in", &load, rate, us);
	bound_raise(bound, us, jobs, INDEX_NONE, DIRECTION_IN, load.largest, text);
}

static void bound_moves(const struct jobs *jobs, struct bound *bound)
{
	int64_t sum_us = 0, each_us = (jobs->model->options.setup_ms + jobs->model->options.finish_ms) * 1000;
	uint32_t limit = jobs->model->options.max_migrations;
	char text[BOUND_TEXT_SIZE];
	uint32_t i, longest = 0;

	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[i];
		int64_t us = job->best.transfer_us;

		if (us > jobs->jobs[longest].best.transfer_us)
			longest = i;

		sum_us += us + each_us;
		if (us + each_us <= bound->lower_us)
			continue;
		snprintf(text, sizeof text, "vm %.50s alone: %s at %s/s = %" PRId64 ".%" PRId64 " s",
			jobs->model->inventory->guests[job->guest].name, size_text(job->best.bytes).text,
			size_text(job->rate_bytes_per_s).text, us / 1000000, us / 100000 % 10);
		bound_raise(bound, us, jobs, INDEX_NONE, DIRECTION_OUT, i, text);
	}
	if (limit == 0 || jobs->n == 0)
		return;
	snprintf(text, sizeof text, "max_migrations = %" PRIu32 ": %zu moves one behind the other", limit, jobs->n);
	bound_raise(bound, sum_us / limit - each_us, jobs, INDEX_NONE, DIRECTION_SHARED, longest, text);
}

void bound_compute(const struct jobs *jobs, const bool *targets, struct bound *ret_bound)
{
	struct link_load *loads = loads_of(jobs);

	memset(ret_bound, 0, sizeof *ret_bound);
	ret_bound->host = ret_bound->guest = INDEX_NONE;
	bound_hosts(jobs, loads, targets != NULL, ret_bound);
	if (targets != NULL)
		bound_all_targets(jobs, targets, ret_bound);
	bound_shared(jobs, loads, targets, ret_bound);
	if (targets == NULL)
		bound_room(jobs, ret_bound);
	bound_moves(jobs, ret_bound);
	free(loads);
}
