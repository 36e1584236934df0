/* Orders and the search over them.
 *
 * Four simple rules make start orders; each is the best one somewhere, and each costs
 * one run in virtual time. Then single moves are put elsewhere or swapped, keeping what does not
 * get worse.
 *
 * No order keeps a move from beginning when it can, and that may be just wrong: where room is little, it takes what somebody
 * else will need in a moment, for whose place others wait. So a move may also stand back until another one has ended. The plan
 * names that one, and the run waits for it.
 *
 * Where nothing has been gained for long, the search begins anew; the best that was seen is kept.
 *
 * Guests of higher priority always stand before those of lower, and guests that
 * will not converge stand last among their equals, so that they hold nobody.
 */
#include "search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum start_order { ORDER_LONGEST, ORDER_SUM, ORDER_BOTTLENECK, ORDER_AS_GIVEN, ORDER_COUNT };
enum {
	CLOSE_ENOUGH_MILLI = 1002,
	FEW_MOVES = 600,   /* up to so many, choosing each move by load costs next to nothing */
	SOME_MOVES = 2000, /* over so many, a plan at once tries one order */
	MANY_MOVES = 4000, /* over so many, a search does too */
	PATH_MAX_STEPS = 256, /* back from a late end; a longer way has enough places to change */
	WORSE_PART = 64,      /* by so small a part a schedule may be worse and still be gone on from */
	PATIENCE = 100,       /* changes without a gain, and half of the moves more, until the search begins anew */
	CAUSE_US = 4,         /* times are whole microseconds */
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

static void make_order(const struct jobs *jobs, enum start_order rule, struct order *ret_order)
{
	struct key *keys = xcalloc(jobs->n, sizeof *keys);
	uint64_t *loads = link_loads(jobs);
	size_t i;
	uint32_t k;

	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[i];
		uint64_t sum = 0;

		for (k = 0; k < job->n_links; k++)
			sum += loads[job->links[k]];
		keys[i] = (struct key){.number = (uint32_t)i, .priority = job->priority, .converges = job->best.converges};
		if (rule == ORDER_BOTTLENECK)
			keys[i].first = most_loaded(job, loads);
		if (rule == ORDER_SUM)
			keys[i].first = sum;
		keys[i].second = rule == ORDER_BOTTLENECK ? sum : rule == ORDER_AS_GIVEN ? 0 : (uint64_t)job->best.transfer_us;
	}
	qsort(keys, jobs->n, sizeof *keys, by_key);
	for (i = 0; i < jobs->n; i++)
		ret_order->jobs[i] = keys[i].number;
	ret_order->n_holds = 0;
	ret_order->is_eager = false;
	free(keys);
	free(loads);
}

struct search {
	const struct jobs *jobs;
	enum room_mode mode;
	struct schedule *now, *trial;
	struct order order;       /* of the schedule from which changes start */
	struct order trial_order;
	struct order best_order;  /* of the shortest that was seen */
	struct order start_order; /* from which the search began */
	int64_t best_makespan_us, best_sum_us;
	uint32_t *by_link, *link_first; /* jobs of each link */
	struct step_back *path;
	bool has_any;
	uint64_t state;
	struct goal goal;
};

/* A move and the one whose end let it begin. */
struct step_back {
	uint32_t job, cause;
};

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

static void copy_order(const struct search *search, struct order *to, const struct order *from)
{
	memcpy(to->jobs, from->jobs, search->jobs->n * sizeof *to->jobs);
	memcpy(to->holds, from->holds, from->n_holds * sizeof *to->holds);
	to->n_holds = from->n_holds;
	to->is_eager = from->is_eager;
}

static void take_as_best(struct search *search)
{
	search->best_makespan_us = search->now->makespan_us;
	search->best_sum_us = search->now->sum_end_us;
	copy_order(search, &search->best_order, &search->order);
}

static void remember(struct search *search)
{
	const struct schedule *now = search->now;

	if (now->makespan_us > search->best_makespan_us ||
		(now->makespan_us == search->best_makespan_us && now->sum_end_us >= search->best_sum_us))
		return;
	take_as_best(search);
}

/* Runs the trial order and goes on from it when it is hardly worse. The order in which moves were let in makes the same schedule
 * as the order asked for, and changes to it have their effect where they are made. */
static bool evaluate(struct search *search, enum choice choice)
{
	struct schedule *swap = search->trial;

	search->goal.excess_limit_us = search->has_any ? search->now->excess_us + search->now->excess_us / WORSE_PART : INT64_MAX;
	if (!schedule_run(search->jobs, &search->trial_order, search->mode, choice, &search->goal, search->trial))
		return false;
	search->trial = search->now;
	search->now = swap;
	search->has_any = true;
	copy_order(search, &search->order, &search->trial_order);
	memcpy(search->order.jobs, search->now->admitted, search->jobs->n * sizeof *search->order.jobs);
	remember(search);
	return true;
}

static bool is_done(const struct search *search)
{
	return search->has_any && search->best_makespan_us <= search->goal.enough_us;
}

static void list_by_link(struct search *search)
{
	const struct jobs *jobs = search->jobs;
	size_t n_links = jobs->model->n_links, i;
	uint32_t k;

	search->link_first = xcalloc(n_links + 2, sizeof *search->link_first);
	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			search->link_first[jobs->jobs[i].links[k] + 2]++;
	for (i = 0; i < n_links; i++)
		search->link_first[i + 2] += search->link_first[i + 1];
	search->by_link = xcalloc(search->link_first[n_links + 1], sizeof *search->by_link);
	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			search->by_link[search->link_first[jobs->jobs[i].links[k] + 1]++] = (uint32_t)i;
}

/* One of those whose transfer came to its end when this one began, or whose leaving made its room; INDEX_NONE when it had not to
 * wait. */
static uint32_t find_cause(struct search *search, uint32_t number, bool *ret_is_room)
{
	const struct plan_options *options = &search->jobs->model->options;
	const struct job *job = &search->jobs->jobs[number];
	int64_t start = search->now->start_us[number], begin = start + options->setup_ms * 1000;
	uint32_t found = INDEX_NONE, n = 0, i, at;

	*ret_is_room = false;
	if (start <= 0)
		return INDEX_NONE;
	for (i = 0; i < job->n_links; i++)
		for (at = search->link_first[job->links[i]]; at < search->link_first[job->links[i] + 1]; at++) {
			uint32_t other = search->by_link[at];
			int64_t end = search->now->end_us[other] - options->finish_ms * 1000;

			if (other == number || end > begin || end < start - CAUSE_US)
				continue;
			if (draw(&search->state) % ++n == 0)
				found = other;
		}
	at = search->now->after[number] != INDEX_NONE ? search->now->after[number] : job->first_leg;
	if (at == INDEX_NONE || (n > 0 && (search->now->end_us[at] < start - CAUSE_US || draw(&search->state) % 2 == 0)))
		return found;
	*ret_is_room = true;
	return at;
}

static uint32_t draw_late(struct search *search)
{
	uint32_t found = INDEX_NONE, n = 0, i;

	for (i = 0; i < search->jobs->n; i++)
		if (search->now->end_us[i] > search->goal.enough_us && draw(&search->state) % ++n == 0)
			found = i;
	return found;
}

/* Whether all from one place to another are of one class: those of a class never change places with others. */
static bool may_pass(const struct search *search, size_t from, size_t to)
{
	size_t low = from < to ? from : to, high = from < to ? to : from, i;

	for (i = low; i < high; i++)
		if (!are_equals(search->jobs, search->order.jobs[i], search->order.jobs[high]))
			return false;
	return true;
}

static size_t place_of(const struct search *search, uint32_t number)
{
	size_t i;

	for (i = 0; search->order.jobs[i] != number; i++)
		;
	return i;
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

/* Goes back from somebody who ends late, from cause to cause, and lets one of them on the way go before its cause. Who made
 * room for another goes before it in any case: there the way leads on. */
static bool change_critical(struct search *search)
{
	uint32_t number = draw_late(search);
	size_t n = 0, hops, from, to;
	struct step_back *step;

	for (hops = 0; number != INDEX_NONE && hops < PATH_MAX_STEPS; hops++) {
		bool is_room;
		uint32_t cause = find_cause(search, number, &is_room);

		if (cause != INDEX_NONE && !is_room)
			search->path[n++] = (struct step_back){.job = number, .cause = cause};
		number = cause;
	}
	if (n == 0)
		return false;
	step = &search->path[draw(&search->state) % n];
	from = place_of(search, step->job);
	to = place_of(search, step->cause);
	if (to >= from)
		return false;
	if (draw(&search->state) % 4 == 0)
		to = (size_t)(draw(&search->state) % (to + 1));
	if (!may_pass(search, from, to))
		return false;
	insert(search->trial_order.jobs, from, to);
	return true;
}

static bool shares(const struct job *a, const struct job *b)
{
	uint32_t i, k;

	for (i = 0; i < a->n_links; i++)
		for (k = 0; k < b->n_links; k++)
			if (a->links[i] == b->links[k])
				return true;
	return a->target == b->target;
}

static bool has_hold(const struct order *order, uint32_t number)
{
	size_t i;

	for (i = 0; i < order->n_holds; i++)
		if (order->holds[i].job == number)
			return true;
	return false;
}

static void drop_hold(struct order *order, size_t place)
{
	order->holds[place] = order->holds[--order->n_holds];
}

/* Somebody who began before that one, on its links or on its target. */
static uint32_t draw_rival(struct search *search, uint32_t number)
{
	uint32_t found = INDEX_NONE, n = 0, i;

	for (i = 0; i < search->jobs->n; i++)
		if (search->now->start_us[i] < search->now->start_us[number] && are_equals(search->jobs, i, number) &&
			shares(&search->jobs->jobs[i], &search->jobs->jobs[number]) && !has_hold(&search->trial_order, i) &&
			draw(&search->state) % ++n == 0)
			found = i;
	return found;
}

/* Somebody who ends after one has begun and before another begins. */
static uint32_t draw_end(struct search *search, uint32_t began, uint32_t begins)
{
	uint32_t found = INDEX_NONE, n = 0, i;

	for (i = 0; i < search->jobs->n; i++)
		if (i != began && i != begins && search->now->end_us[i] > search->now->start_us[began] &&
			search->now->end_us[i] <= search->now->start_us[begins] + CAUSE_US && draw(&search->state) % ++n == 0)
			found = i;
	return found;
}

/* On the way back from somebody who ends late, lets somebody stand back for one of them until another has ended. */
static bool change_hold(struct search *search)
{
	struct order *order = &search->trial_order;
	uint32_t number = draw_late(search), rival, until;
	size_t n = 0, hops, from, to;

	if (order->n_holds > 0 && draw(&search->state) % 4 == 0) {
		drop_hold(order, (size_t)(draw(&search->state) % order->n_holds));
		return true;
	}
	for (hops = 0; number != INDEX_NONE && hops < PATH_MAX_STEPS; hops++) {
		bool is_room;
		uint32_t cause = find_cause(search, number, &is_room);

		if (cause != INDEX_NONE)
			search->path[n++] = (struct step_back){.job = number, .cause = cause};
		number = cause;
	}
	if (n == 0)
		return false;
	number = search->path[draw(&search->state) % n].job;
	rival = draw_rival(search, number);
	until = rival != INDEX_NONE ? draw_end(search, rival, number) : INDEX_NONE;
	if (until == INDEX_NONE || !are_equals(search->jobs, rival, until))
		return false;
	order->holds[order->n_holds++] = (struct hold){.job = rival, .until = until};
	from = place_of(search, number);
	to = place_of(search, rival);
	if (to < from && may_pass(search, from, to))
		insert(order->jobs, from, to);
	return true;
}

/* Any move to any place, or two change places. False when they are not equals, so that classes keep their order. */
static bool change_any(struct search *search)
{
	size_t n = search->jobs->n, from = (size_t)(draw(&search->state) % n), to = (size_t)(draw(&search->state) % n);
	uint32_t *order = search->trial_order.jobs, moved = order[from];

	if (from == to || !may_pass(search, from, to))
		return false;
	if (draw(&search->state) % 2 == 0) {
		insert(order, from, to);
		return true;
	}
	order[from] = order[to];
	order[to] = moved;
	return true;
}

static bool change(struct search *search)
{
	uint64_t which = draw(&search->state) % 8;

	if (draw(&search->state) % 16 == 0)
		search->trial_order.is_eager = !search->trial_order.is_eager;
	if (which == 0)
		return change_any(search);
	return which < 4 && search->jobs->has_tight ? change_hold(search) : change_critical(search);
}

/* An evaluation costs about a microsecond a move, a little less; the whole may take about half a second. */
static uint32_t evaluations_of(const struct search *search)
{
	uint32_t asked = search->jobs->model->options.search_evaluations;
	size_t n = search->jobs->n > 0 ? search->jobs->n : 1;
	size_t most = 500000 / n;

	if (asked != PLAN_SEARCH_AUTO)
		return asked;
	return (uint32_t)(most > 2000 ? 2000 : most);
}

/* From the beginning on another way, or from another beginning: the ways that lead to the bound are mostly short. */
static void restart(struct search *search, uint32_t nth)
{
	if (nth % 2 == 0)
		copy_order(search, &search->trial_order, &search->start_order);
	else
		make_order(search->jobs, (enum start_order)(nth / 2 % ORDER_COUNT), &search->trial_order);
	search->has_any = false;
	evaluate(search, CHOICE_BY_ORDER);
}

static void improve(struct search *search)
{
	uint32_t evaluations = evaluations_of(search), patience = PATIENCE + (uint32_t)search->jobs->n / 2;
	int64_t least_us = INT64_MAX;
	uint32_t done, since = 0, n_restarts = 0;

	copy_order(search, &search->start_order, &search->order);
	list_by_link(search);
	search->path = xcalloc(PATH_MAX_STEPS, sizeof *search->path);
	for (done = 0; done < evaluations && !is_done(search); done++) {
		copy_order(search, &search->trial_order, &search->order);
		if (change(search))
			evaluate(search, CHOICE_BY_ORDER);
		if (search->now->excess_us < least_us) {
			least_us = search->now->excess_us;
			since = 0;
		} else if (++since > patience) {
			restart(search, n_restarts++);
			least_us = INT64_MAX;
			since = 0;
		}
	}
	free(search->path);
	free(search->by_link);
	free(search->link_first);
}

/* A plan at once tries what its number of moves leaves time for; a search begins with every rule. */
static void try_start_orders(struct search *search)
{
	size_t n = search->jobs->n;
	bool is_searched = search->jobs->model->options.search_evaluations > 0;
	int rule;

	for (rule = 0; rule < ORDER_COUNT && !is_done(search); rule++) {
		if (search->has_any && n > (is_searched ? MANY_MOVES : SOME_MOVES))
			return;
		make_order(search->jobs, (enum start_order)rule, &search->trial_order);
		evaluate(search, CHOICE_BY_ORDER);
	}
	if (is_done(search) || n > (is_searched ? MANY_MOVES : FEW_MOVES))
		return;
	make_order(search->jobs, ORDER_LONGEST, &search->trial_order);
	evaluate(search, CHOICE_BY_LOAD);
	for (rule = 0; rule < ORDER_COUNT && !is_done(search); rule++) {
		make_order(search->jobs, (enum start_order)rule, &search->trial_order);
		search->trial_order.is_eager = true;
		evaluate(search, CHOICE_BY_ORDER);
	}
}

/* Who stands back says so in the plan and does it in the run: only where the time hangs on it. */
static void drop_idle_holds(struct search *search)
{
	size_t i;

	for (i = search->best_order.n_holds; i-- > 0;) {
		copy_order(search, &search->trial_order, &search->best_order);
		drop_hold(&search->trial_order, i);
		search->has_any = false;
		if (evaluate(search, CHOICE_BY_ORDER) && search->now->makespan_us == search->best_makespan_us)
			take_as_best(search);
	}
}

static void new_order(const struct jobs *jobs, struct order *ret_order)
{
	ret_order->jobs = xcalloc(jobs->n, sizeof *ret_order->jobs);
	ret_order->holds = xcalloc(jobs->n, sizeof *ret_order->holds);
	ret_order->n_holds = 0;
}

static void free_order(struct order *order)
{
	free(order->jobs);
	free(order->holds);
}

struct schedule *search_schedule(const struct jobs *jobs, int64_t lower_bound_us)
{
	struct search search = {
		.jobs = jobs, .mode = ROOM_AS_FOUND, .now = schedule_new(jobs->n), .trial = schedule_new(jobs->n),
		.state = jobs->model->options.seed, .best_makespan_us = INT64_MAX,
		.goal.enough_us = (int64_t)mul_div((uint64_t)lower_bound_us, CLOSE_ENOUGH_MILLI, 1000),
	};

	if (jobs->n > 0) {
		new_order(jobs, &search.order);
		new_order(jobs, &search.trial_order);
		new_order(jobs, &search.best_order);
		new_order(jobs, &search.start_order);
		try_start_orders(&search);
		if (!search.has_any) {
			search.mode = ROOM_BY_SEQUENCE;
			try_start_orders(&search);
		}
		assert(search.has_any);
		improve(&search);
		drop_idle_holds(&search);
		if (search.now->makespan_us != search.best_makespan_us || search.now->sum_end_us != search.best_sum_us) {
			copy_order(&search, &search.trial_order, &search.best_order);
			search.has_any = false;
			evaluate(&search, CHOICE_BY_ORDER);
		}
		free_order(&search.order);
		free_order(&search.trial_order);
		free_order(&search.best_order);
		free_order(&search.start_order);
	}
	schedule_free(search.trial);
	return search.now;
}
