/* The lower bound: no link carries more than its rate, no move is shorter than
 * alone at its best rate, and setup and finish are paid at least once.
 *
 * Bytes count with those sent again, at the best rate: fewer are never sent. Where destinations
 * were free to choose, one target's link proves nothing (another choice would have spared it), so
 * only all targets' links together count, and a shared link only when its traffic could not have stayed inside.
 *
 * Memory that others must leave first: until more than X bytes have left a host, what has begun to arrive fits what was free and X.
 * So the rest begins to arrive after the shortest time in which X can leave, and has to pass the host's link after that.
 */
#include "bound.h"

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

static void raise_bound(struct bound *bound, int64_t carried_us, const struct jobs *jobs, uint32_t host,
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
			raise_bound(bound, us, jobs, i, k % 2 == 0 ? DIRECTION_OUT : DIRECTION_IN, loads[row].largest, text);
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
		raise_bound(bound, us, jobs, INDEX_NONE, DIRECTION_SHARED, loads[row].largest, text);
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
	raise_bound(bound, us, jobs, INDEX_NONE, DIRECTION_IN, load.largest, text);
}

/* One way through a host's link: what it needs of a room (memory or CPUs) against time. */
struct passage {
	int64_t amount, us;
};

static int by_cost(const void *a, const void *b)
{
	const struct passage *x = a, *y = b;
	double cost_x = (double)x->us / (double)x->amount, cost_y = (double)y->us / (double)y->amount;

	return cost_x != cost_y ? (cost_x < cost_y ? -1 : 1) : 0;
}

struct passages {
	struct passage *list; /* cheapest first */
	size_t n;
	int64_t amount, least_amount, least_us, most_us;
	uint32_t longest; /* job */
};

static void add_passage(struct passages *passages, uint32_t job, int64_t amount, int64_t us)
{
	passages->list[passages->n++] = (struct passage){.amount = amount > 0 ? amount : 1, .us = us};
	if (passages->n == 1 || us > passages->most_us) {
		passages->most_us = us;
		passages->longest = job;
	}
	if (passages->n == 1 || us < passages->least_us)
		passages->least_us = us;
	if (passages->n == 1 || amount < passages->least_amount)
		passages->least_amount = amount;
	passages->amount += amount;
}

/* The least time in which that amount can pass, taking parts of guests where that is quicker. */
static int64_t least_time(const struct passages *passages, int64_t amount)
{
	int64_t us = 0;
	size_t i;

	for (i = 0; i < passages->n && amount > 0; i++) {
		const struct passage *passage = &passages->list[i];

		if (passage->amount > amount)
			return us + (int64_t)mul_div((uint64_t)passage->us, (uint64_t)amount, (uint64_t)passage->amount);
		us += passage->us;
		amount -= passage->amount;
	}
	return us;
}

/* The worst of: all that cannot begin before the first has left; all that cannot before some more have. */
static int64_t room_time(const struct passages *out, const struct passages *in, int64_t free_amount)
{
	int64_t need = in->amount - free_amount, left = 0, us, most;
	size_t i;

	most = out->least_us + least_time(in, in->least_amount > free_amount ? in->amount : need);
	for (i = 0; i < out->n && left < need; i++) {
		left += out->list[i].amount;
		if (left > need)
			left = need;
		us = least_time(out, left) + (left < need ? least_time(in, need - left) : in->least_us);
		most = us > most ? us : most;
	}
	return most;
}

static void bound_room_of(const struct jobs *jobs, uint32_t host, const char *what, int64_t free_amount, struct passages *out,
	struct passages *in, struct bound *bound)
{
	char text[BOUND_TEXT_SIZE];
	int64_t us;

	if (free_amount < 0)
		free_amount = 0;
	if (in->n == 0 || out->n == 0 || in->amount <= free_amount)
		return;
	qsort(out->list, out->n, sizeof *out->list, by_cost);
	qsort(in->list, in->n, sizeof *in->list, by_cost);
	us = room_time(out, in, free_amount) + (jobs->model->options.setup_ms + jobs->model->options.finish_ms) * 1000;
	snprintf(text, sizeof text, "%.50s %s: %" PRIu32 " guests wait for %" PRIu32 " to leave, the longest of them %.40s",
		jobs->model->inventory->hosts[host].name, what, (uint32_t)in->n, (uint32_t)out->n,
		jobs->model->inventory->guests[jobs->jobs[in->longest].guest].name);
	raise_bound(bound, us, jobs, host, DIRECTION_IN, in->longest, text);
}

/* Jobs in the order of their sources or targets. */
static uint32_t *jobs_by_host(const struct jobs *jobs, bool is_source, uint32_t *ret_first)
{
	uint32_t *list = xcalloc(jobs->n, sizeof *list);
	size_t n_hosts = jobs->model->inventory->n_hosts, i;

	for (i = 0; i < jobs->n; i++)
		ret_first[(is_source ? jobs->jobs[i].source : jobs->jobs[i].target) + 2]++;
	for (i = 0; i < n_hosts; i++)
		ret_first[i + 2] += ret_first[i + 1];
	for (i = 0; i < jobs->n; i++)
		list[ret_first[(is_source ? jobs->jobs[i].source : jobs->jobs[i].target) + 1]++] = (uint32_t)i;
	return list;
}

/* A host may have several links: each passage is counted with the rate of all of them. */
static int64_t passage_us(const struct jobs *jobs, const struct job *job, uint32_t host, uint32_t direction)
{
	const struct model_host *h = &jobs->model->hosts[host];
	uint64_t rate = 0;
	uint32_t k;

	for (k = 0; k < h->n_links; k++)
		rate += jobs->model->capacities[h->first_link + 2 * k + direction];
	return (int64_t)mul_div(job->best.bytes, 1000000, rate);
}

/* Those of one host that pass in one direction: what they need of memory or CPUs, and how long they take. */
static void fill_passages(const struct jobs *jobs, uint32_t host, bool is_out, bool is_memory, const uint32_t *list, size_t n,
	struct passages *passages)
{
	size_t i;

	*passages = (struct passages){.list = passages->list};
	for (i = 0; i < n; i++) {
		const struct job *job = &jobs->jobs[list[i]];

		add_passage(passages, list[i], is_memory ? job->memory_bytes : job->vcpus, passage_us(jobs, job, host, is_out ? 0 : 1));
	}
}

static void bound_room(const struct jobs *jobs, struct bound *bound)
{
	size_t n_hosts = jobs->model->inventory->n_hosts;
	uint32_t *out_first = xcalloc(2 * (n_hosts + 2), sizeof *out_first), *in_first = out_first + n_hosts + 2, host;
	uint32_t *out_jobs = jobs_by_host(jobs, true, out_first), *in_jobs = jobs_by_host(jobs, false, in_first);
	struct passages out = {.list = xcalloc(jobs->n, sizeof(struct passage))}, in = {.list = xcalloc(jobs->n, sizeof(struct passage))};
	int room;

	for (host = 0; host < n_hosts; host++)
		for (room = 0; room < 2; room++) {
			fill_passages(jobs, host, true, room == 0, &out_jobs[out_first[host]], out_first[host + 1] - out_first[host], &out);
			fill_passages(jobs, host, false, room == 0, &in_jobs[in_first[host]], in_first[host + 1] - in_first[host], &in);
			bound_room_of(jobs, host, room == 0 ? "memory" : "CPUs",
				room == 0 ? jobs->free_memory[host] : jobs->free_vcpus[host], &out, &in, bound);
		}
	free(out.list);
	free(in.list);
	free(out_jobs);
	free(in_jobs);
	free(out_first);
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
		raise_bound(bound, us, jobs, INDEX_NONE, DIRECTION_OUT, i, text);
	}
	if (limit == 0 || jobs->n == 0)
		return;
	snprintf(text, sizeof text, "max_migrations = %" PRIu32 ": %zu moves one behind the other", limit, jobs->n);
	raise_bound(bound, sum_us / limit - each_us, jobs, INDEX_NONE, DIRECTION_SHARED, longest, text);
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
