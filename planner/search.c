/* Orders and the search over them.
 *
 * Four simple rules make start orders; each is the best one somewhere, and each costs
 * one run in virtual time. Then single moves are put elsewhere or swapped, keeping what does not
 * get worse. Guests of higher priority always stand before those of lower, and guests that
 * will not converge stand last among their equals, so that they hold nobody.
 */
#include "search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum start_order { ORDER_BOTTLENECK, ORDER_LONGEST, ORDER_SUM, ORDER_AS_GIVEN, ORDER_COUNT };
enum {
	CLOSE_ENOUGH_MILLI = 1002,
	MANY_MOVES = 4000, /* a plan at once has no time for more than one order of so many */
	LATE_DRAWS = 3,
};

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

/* The makespan decides, then the mean time to completion. */
static bool is_better(const struct schedule *a, const struct schedule *b)
{
	return a->makespan_us != b->makespan_us ? a->makespan_us < b->makespan_us : a->sum_end_us <= b->sum_end_us;
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

struct search {
	const struct jobs *jobs;
	enum room_mode mode;
	struct schedule *best, *trial;
	uint32_t *order;      /* of the best */
	uint32_t *trial_order;
	bool has_best;
	uint64_t state;
	int64_t enough_us;    /* a makespan that need not be improved */
};

/* Runs the trial order; true when its schedule became the best. */
static bool evaluate(struct search *search, int64_t limit_us)
{
	struct schedule *swap = search->trial;

	if (!schedule_run(search->jobs, search->trial_order, search->mode, limit_us, search->trial))
		return false;
	if (search->has_best && !is_better(search->trial, search->best))
		return false;
	search->trial = search->best;
	search->best = swap;
	search->has_best = true;
	memcpy(search->order, search->trial_order, search->jobs->n * sizeof *search->order);
	return true;
}

static bool is_done(const struct search *search)
{
	return search->has_best && search->best->makespan_us <= search->enough_us;
}

static void insert(uint32_t *order, size_t from, size_t to)
{
	uint32_t moved = order[from];

	if (from < to)
		memmove(&order[from], &order[from + 1], (to - from) * sizeof *order);
	else
		memmove(&order[to + 1], &order[to], (from - to) * sizeof *order);
	order[to] = moved;
}

/* Somebody who ends late: the latest of a few drawn ones. */
static size_t draw_late(struct search *search)
{
	size_t n = search->jobs->n, late = (size_t)(draw(&search->state) % n);
	int i;

	for (i = 0; i < LATE_DRAWS; i++) {
		size_t other = (size_t)(draw(&search->state) % n);

		if (search->best->end_us[search->order[other]] > search->best->end_us[search->order[late]])
			late = other;
	}
	return late;
}

/* One change of the best order: a late move goes before, or any two change places. False when they are not equals, so that
 * classes keep their order. */
static bool change(struct search *search)
{
	const struct jobs *jobs = search->jobs;
	uint64_t kind = draw(&search->state) % 4;
	size_t from = kind < 2 ? draw_late(search) : (size_t)(draw(&search->state) % jobs->n);
	size_t to = (size_t)(draw(&search->state) % (kind < 2 ? from + 1 : jobs->n));
	uint32_t *order = search->trial_order;

	memcpy(order, search->order, jobs->n * sizeof *order);
	if (from == to || !are_equals(jobs, order[from], order[to]))
		return false;
	if (kind == 3) {
		uint32_t moved = order[from];

		order[from] = order[to];
		order[to] = moved;
		return true;
	}
	insert(order, from, to);
	return true;
}

static void improve(struct search *search)
{
	uint32_t done;

	for (done = 0; done < search->jobs->model->options.search_evaluations && !is_done(search); done++)
		if (change(search))
			evaluate(search, search->best->makespan_us);
}

static void try_start_orders(struct search *search, uint64_t evaluations)
{
	int rule;

	for (rule = 0; rule < ORDER_COUNT && !is_done(search); rule++) {
		if (search->has_best && evaluations == 0 && rule > 0 && search->jobs->n > MANY_MOVES)
			return;
		make_order(search->jobs, (enum start_order)rule, search->trial_order);
		evaluate(search, search->has_best ? search->best->makespan_us : INT64_MAX);
	}
}

struct schedule *search_schedule(const struct jobs *jobs, int64_t lower_bound_us)
{
	struct search search = {
		.jobs = jobs, .mode = ROOM_AS_FOUND, .best = schedule_new(jobs->n), .trial = schedule_new(jobs->n),
		.state = jobs->model->options.seed,
		.enough_us = (int64_t)mul_div((uint64_t)lower_bound_us, CLOSE_ENOUGH_MILLI, 1000),
	};

	if (jobs->n > 0) {
		search.order = xcalloc(2 * jobs->n, sizeof *search.order);
		search.trial_order = search.order + jobs->n;
		try_start_orders(&search, jobs->model->options.search_evaluations);
		if (!search.has_best) {
			search.mode = ROOM_BY_SEQUENCE;
			try_start_orders(&search, jobs->model->options.search_evaluations);
		}
		assert(search.has_best);
		improve(&search);
		free(search.order);
	}
	schedule_free(search.trial);
	return search.best;
}
