/* Orders and the search over them.
 *
 * Four simple rules make start orders; each is the best one somewhere, and each costs
 * one run in virtual time. Then single moves are put elsewhere or swapped, keeping what does not
 * get worse. Guests of higher priority always stand before those of lower, and guests that
 * will not converge stand last among their equals, so that they hold nobody.
 */
#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum start_order { ORDER_BOTTLENECK, ORDER_LONGEST, ORDER_SUM, ORDER_AS_GIVEN, ORDER_COUNT };
enum { CLOSE_ENOUGH_MILLI = 1002, MAKESPAN_WEIGHT = 100 };

struct key {
	uint64_t first, second;
	uint32_t number;
	int32_t priority;
	bool converges;
};

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->converges != y->converges)
		return x->converges ? -1 : 1;
	if (x->first != y->first)
		return x->first > y->first ? -1 : 1;
	if (x->second != y->second)
		return x->second > y->second ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Microseconds that each link is busy with all moves. */
static uint64_t *link_loads(const struct jobs *jobs)
{
	uint64_t *loads = xcalloc(jobs->model->n_links, sizeof *loads);
	size_t i;
	uint32_t k;

	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			loads[jobs->jobs[i].links[k]] +=
				(uint64_t)carry_us(jobs->jobs[i].best.bytes, jobs->model->capacities[jobs->jobs[i].links[k]]);
	return loads;
}

static uint64_t most_loaded(const struct job *job, const uint64_t *loads)
{
	uint64_t most = 0;
	uint32_t k;

	for (k = 0; k < job->n_links; k++)
		most = max_u64(most, loads[job->links[k]]);
	return most;
}

struct heap {
	struct key *keys;
	size_t n;
};

static void sift_down(struct heap *heap, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;
		struct key swap;

		if (child >= heap->n)
			return;
		if (child + 1 < heap->n && by_key(&heap->keys[child + 1], &heap->keys[child]) < 0)
			child++;
		if (by_key(&heap->keys[child], &heap->keys[at]) >= 0)
			return;
		swap = heap->keys[at];
		heap->keys[at] = heap->keys[child];
		heap->keys[child] = swap;
		at = child;
	}
}

/* Takes the move with the most loaded link again and again, each time taking its own load off. Loads only shrink, so an
 * old key is never too small: it is brought up to date when it comes to the top. */
static void order_bottleneck(const struct jobs *jobs, struct key *keys, uint64_t *loads, uint32_t *ret_order)
{
	struct heap heap = {.keys = keys, .n = jobs->n};
	size_t i, done = 0;
	uint32_t k;

	for (i = heap.n / 2; i-- > 0;)
		sift_down(&heap, i);
	while (heap.n > 0) {
		const struct job *job = &jobs->jobs[heap.keys[0].number];
		uint64_t now = most_loaded(job, loads);

		if (now < heap.keys[0].first) {
			heap.keys[0].first = now;
			sift_down(&heap, 0);
			continue;
		}
		ret_order[done++] = heap.keys[0].number;
		for (k = 0; k < job->n_links; k++)
			loads[job->links[k]] -= (uint64_t)carry_us(job->best.bytes, jobs->model->capacities[job->links[k]]);
		heap.keys[0] = heap.keys[--heap.n];
		sift_down(&heap, 0);
	}
}

static void make_order(const struct jobs *jobs, enum start_order rule, uint32_t *ret_order)
{
	struct key *keys = xcalloc(jobs->n, sizeof *keys);
	uint64_t *loads = link_loads(jobs);
	size_t i;
	uint32_t k;

	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[i];

		keys[i] = (struct key){.number = (uint32_t)i, .priority = job->priority, .converges = job->best.converges};
		keys[i].second = (uint64_t)job->best.transfer_us;
		if (rule == ORDER_BOTTLENECK)
			keys[i].first = most_loaded(job, loads);
		for (k = 0; rule == ORDER_SUM && k < job->n_links; k++)
			keys[i].first += loads[job->links[k]];
		if (rule == ORDER_AS_GIVEN)
			keys[i].second = 0;
	}
	if (rule == ORDER_BOTTLENECK) {
		order_bottleneck(jobs, keys, loads, ret_order);
	} else {
		qsort(keys, jobs->n, sizeof *keys, by_key);
		for (i = 0; i < jobs->n; i++)
			ret_order[i] = keys[i].number;
	}
	free(keys);
	free(loads);
}

/* The makespan decides; a per cent of it is worth as much as the whole mean time to completion. */
static int64_t cost_of(const struct schedule *schedule, size_t n)
{
	return schedule->makespan_us * MAKESPAN_WEIGHT + schedule->sum_end_us / (int64_t)n;
}

static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool are_equals(const struct jobs *jobs, uint32_t a, uint32_t b)
{
	return jobs->jobs[a].priority == jobs->jobs[b].priority &&
		jobs->jobs[a].best.converges == jobs->jobs[b].best.converges;
}

/* Puts one move elsewhere or swaps two; false when they are not equals, so that classes keep their order. */
static bool change(const struct jobs *jobs, uint32_t *order, uint64_t *state)
{
	size_t from = (size_t)(draw(state) % jobs->n), to = (size_t)(draw(state) % jobs->n);
	uint32_t moved = order[from];

	if (from == to || !are_equals(jobs, order[from], order[to]))
		return false;
	if (draw(state) % 2 == 0) {
		order[from] = order[to];
		order[to] = moved;
		return true;
	}
	if (from < to)
		memmove(&order[from], &order[from + 1], (to - from) * sizeof *order);
	else
		memmove(&order[to + 1], &order[to], (from - to) * sizeof *order);
	order[to] = moved;
	return true;
}

struct best {
	struct schedule *schedule, *trial;
	uint32_t *order;
	int64_t cost;
};

static void keep_if_better(const struct jobs *jobs, const uint32_t *order, struct best *best)
{
	struct schedule *swap = best->trial;
	int64_t cost;

	schedule_run(jobs, order, best->trial);
	cost = cost_of(best->trial, jobs->n);
	if (cost > best->cost)
		return;
	best->cost = cost;
	best->trial = best->schedule;
	best->schedule = swap;
	memcpy(best->order, order, jobs->n * sizeof *order);
}

static bool is_close(const struct best *best, int64_t lower_bound_us)
{
	return best->schedule->makespan_us <= (int64_t)mul_div((uint64_t)lower_bound_us, CLOSE_ENOUGH_MILLI, 1000);
}

static void improve(const struct jobs *jobs, int64_t lower_bound_us, uint32_t *trial, struct best *best)
{
	uint64_t state = jobs->model->options.seed;
	uint32_t done;

	for (done = 0; done < jobs->model->options.search_evaluations && !is_close(best, lower_bound_us); done++) {
		memcpy(trial, best->order, jobs->n * sizeof *trial);
		if (change(jobs, trial, &state))
			keep_if_better(jobs, trial, best);
	}
}

struct schedule *search_schedule(const struct jobs *jobs, int64_t lower_bound_us)
{
	struct best best = {.schedule = schedule_new(jobs->n), .trial = schedule_new(jobs->n), .cost = INT64_MAX};
	uint32_t *trial;
	int rule;

	if (jobs->n == 0) {
		schedule_free(best.trial);
		return best.schedule;
	}
	best.order = xcalloc(jobs->n, sizeof *best.order);
	trial = xcalloc(jobs->n, sizeof *trial);
	for (rule = 0; rule < ORDER_COUNT && (rule == 0 || !is_close(&best, lower_bound_us)); rule++) {
		make_order(jobs, (enum start_order)rule, trial);
		keep_if_better(jobs, trial, &best);
	}
	improve(jobs, lower_bound_us, trial, &best);
	free(trial);
	free(best.order);
	schedule_free(best.trial);
	return best.schedule;
}
