/* Replays a plan's rate steps against the inventory, knowing nothing of how they were made.
 *
 * Checked: every wanted guest moves once to where it was wanted, or is counted as unsolved; at no time do the rates on a
 * link, or on a shared link in one direction, sum to more than it carries; no move runs faster than its path; every move
 * gets all its bytes within its own time (with what is written again, from the closed pre-copy series at each rate);
 * memory and CPUs count on the source until the end and on the target from the start, and fit at every start.
 */
#ifndef DROVER_BENCH_CORPUS_CHECK_H
#define DROVER_BENCH_CORPUS_CHECK_H

#include "corpus_read.h"

#define CHECK_SLACK 1.0001 /* times are whole microseconds or milliseconds, rates whole bytes */

struct check {
	const struct corpus *corpus;
	const struct plan *plan;
	const struct plan_options *options;
	double *rate, *work, *sent;  /* per move */
	int64_t *since_us;           /* per move */
	double *out, *in;            /* per host */
	double *up, *down;           /* per switch */
	char problem[200];
};

static inline bool check_problem(struct check *check, const char *what, size_t move)
{
	if (check->problem[0] == '\0')
		snprintf(check->problem, sizeof check->problem, "%s (move %zu)", what, move);
	return false;
}

/* Seconds that the whole move takes at a constant rate, by rounds of the pre-copy series. */
static inline double check_seconds(const struct check *check, uint32_t guest, double rate)
{
	const struct guest *g = &check->corpus->inventory->guests[guest];
	double rest = (double)g->used_memory_bytes, seconds = 0, fits = rate * (double)check->options->downtime_limit_ms / 1000;
	double set = (double)g->working_set_bytes < rest ? (double)g->working_set_bytes : rest;
	int round;

	for (round = 0; round < 60; round++) {
		double took = rest / rate;

		seconds += took;
		rest = (double)g->dirty_rate_bytes_per_s * took < set ? (double)g->dirty_rate_bytes_per_s * took : set;
		if (rest <= fits)
			break;
	}
	return seconds + rest / rate;
}

static inline double check_path_rate(const struct check *check, const struct planned_move *move)
{
	double from = check->corpus->node_mbit[move->source], to = check->corpus->node_mbit[move->target];

	return (from < to ? from : to) * 1e6 / 9;
}

/* The switches that a move leaves and enters on its way: from each end up to the first one that holds both ends. */
static inline void check_climb(const struct check *check, uint32_t low, uint32_t other, double rate, double *carried)
{
	while (low != INDEX_NONE && !corpus_is_below(check->corpus, other, low)) {
		carried[low] += rate;
		low = check->corpus->parent[low];
	}
}

static inline bool check_set_rate(struct check *check, uint32_t number, double rate)
{
	const struct planned_move *move = &check->plan->moves[number];
	double change = rate - check->rate[number];
	uint32_t from = check->corpus->switch_of[move->source], to = check->corpus->switch_of[move->target];

	check->rate[number] = rate;
	check->out[move->source] += change;
	check->in[move->target] += change;
	if (check->corpus->n_switches > 0 && from != to) {
		check_climb(check, from, to, change, check->up);
		check_climb(check, to, from, change, check->down);
	}
	return rate <= check_path_rate(check, move) * CHECK_SLACK || check_problem(check, "faster than its path", number);
}

static inline bool check_links(struct check *check, uint32_t number)
{
	const struct planned_move *move = &check->plan->moves[number];
	const struct corpus *corpus = check->corpus;
	size_t k;

	if (check->out[move->source] > corpus->node_mbit[move->source] * 1e6 / 9 * CHECK_SLACK)
		return check_problem(check, "more leaves a node than its link carries", number);
	if (check->in[move->target] > corpus->node_mbit[move->target] * 1e6 / 9 * CHECK_SLACK)
		return check_problem(check, "more enters a node than its link carries", number);
	for (k = 0; k < corpus->n_switches; k++)
		if (corpus->parent[k] != INDEX_NONE && (check->up[k] > corpus->uplink[k] * 1e6 / 9 * CHECK_SLACK ||
			check->down[k] > corpus->uplink[k] * 1e6 / 9 * CHECK_SLACK))
			return check_problem(check, "more passes an uplink than it carries", number);
	return true;
}

static inline bool check_step(struct check *check, const struct rate_step *step)
{
	const struct planned_move *move = &check->plan->moves[step->move];
	double seconds = (double)(step->from_us - check->since_us[step->move]) / 1e6, was = check->rate[step->move];

	if (seconds < 0)
		return check_problem(check, "steps out of order", step->move);
	if (step->rate_bytes_per_s > 0 && step->from_us < (move->start_ms + check->options->setup_ms) * 1000 - 1000)
		return check_problem(check, "sends before it is set up", step->move);
	if (step->from_us > (move->start_ms + move->duration_ms - check->options->finish_ms) * 1000 + 2000)
		return check_problem(check, "sends after its end", step->move);
	if (was > 0) {
		check->work[step->move] += seconds / check_seconds(check, move->guest, was);
		check->sent[step->move] += seconds * was;
	}
	check->since_us[step->move] = step->from_us;
	return check_set_rate(check, step->move, (double)step->rate_bytes_per_s);
}

/* All changes of one instant first, then the sums. */
static inline bool check_steps(struct check *check)
{
	size_t i, k;

	for (i = 0; i < check->plan->n_steps; i = k) {
		for (k = i; k < check->plan->n_steps && check->plan->steps[k].from_us == check->plan->steps[i].from_us; k++)
			if (!check_step(check, &check->plan->steps[k]))
				return false;
		for (; i < k; i++)
			if (!check_links(check, check->plan->steps[i].move))
				return false;
	}
	for (i = 0; i < check->plan->n_moves; i++) {
		const struct guest *guest = &check->corpus->inventory->guests[check->plan->moves[i].guest];

		if (check->work[i] < 0.999 || check->sent[i] * CHECK_SLACK < (double)guest->used_memory_bytes * 0.9999)
			return check_problem(check, "ends before all is sent", i);
		if (check->rate[i] > 0)
			return check_problem(check, "never ends", i);
	}
	return true;
}

struct check_event {
	int64_t at_ms;
	uint32_t move;
	bool is_start;
};

/* Ends are rounded up and starts down: an end counts before a start at up to 2 ms earlier. */
static inline int check_by_time(const void *a, const void *b)
{
	const struct check_event *x = a, *y = b;
	int64_t at = x->at_ms + (x->is_start ? 2 : 0), bt = y->at_ms + (y->is_start ? 2 : 0);

	if (at != bt)
		return at < bt ? -1 : 1;
	return x->is_start != y->is_start ? (x->is_start ? 1 : -1) : x->move < y->move ? -1 : 1;
}

static inline bool check_rooms(struct check *check)
{
	const struct inventory *inventory = check->corpus->inventory;
	uint64_t *memory = calloc(inventory->n_hosts, sizeof *memory), *cpus = calloc(inventory->n_hosts, sizeof *cpus);
	struct check_event *events = calloc(2 * check->plan->n_moves + 1, sizeof *events);
	bool ok = true;
	size_t i, n = 0;

	for (i = 0; i < inventory->n_guests; i++) {
		memory[inventory->guests[i].host] += inventory->guests[i].memory_bytes;
		cpus[inventory->guests[i].host] += inventory->guests[i].vcpus;
	}
	for (i = 0; i < check->plan->n_moves; i++) {
		const struct planned_move *move = &check->plan->moves[i];

		events[n++] = (struct check_event){move->start_ms, (uint32_t)i, true};
		events[n++] = (struct check_event){move->start_ms + move->duration_ms, (uint32_t)i, false};
	}
	qsort(events, n, sizeof *events, check_by_time);
	for (i = 0; ok && i < n; i++) {
		const struct planned_move *move = &check->plan->moves[events[i].move];
		const struct guest *guest = &inventory->guests[move->guest];
		uint32_t host = events[i].is_start ? move->target : move->source;

		memory[host] = events[i].is_start ? memory[host] + guest->memory_bytes : memory[host] - guest->memory_bytes;
		cpus[host] = events[i].is_start ? cpus[host] + guest->vcpus : cpus[host] - guest->vcpus;
		if (events[i].is_start && (memory[host] > inventory->hosts[host].memory_bytes ||
			(inventory->hosts[host].cpus > 0 && cpus[host] > inventory->hosts[host].cpus)))
			ok = check_problem(check, "begins without room on its target", events[i].move);
	}
	free(memory);
	free(cpus);
	free(events);
	return ok;
}

/* Where each wanted guest ends: the last of its moves, each beginning where the one before ended. */
static inline bool check_places(struct check *check, size_t *ret_unsolved)
{
	const struct corpus *corpus = check->corpus;
	uint32_t *at = calloc(corpus->inventory->n_guests, sizeof *at);
	int64_t *free_ms = calloc(corpus->inventory->n_guests, sizeof *free_ms);
	bool ok = true;
	size_t i;

	for (i = 0; i < corpus->inventory->n_guests; i++)
		at[i] = corpus->inventory->guests[i].host;
	for (i = 0; ok && i < check->plan->n_moves; i++) {
		const struct planned_move *move = &check->plan->moves[i];

		if (at[move->guest] != move->source || move->start_ms + 2 < free_ms[move->guest])
			ok = check_problem(check, "begins where the guest is not", i);
		at[move->guest] = move->target;
		free_ms[move->guest] = move->start_ms + move->duration_ms;
		if (free_ms[move->guest] > check->plan->makespan_ms + 1)
			ok = check_problem(check, "ends after the plan's end", i);
	}
	*ret_unsolved = 0;
	for (i = 0; i < corpus->request->n_moves; i++) {
		const struct wanted_move *wanted = &corpus->request->moves[i];

		if (at[inventory_guest(corpus->inventory, wanted->guest, NULL)] != inventory_host(corpus->inventory, wanted->to))
			(*ret_unsolved)++;
	}
	free(at);
	free(free_ms);
	return ok;
}

/* False with a problem when the plan is no valid schedule. */
static inline bool check_plan(struct check *check, size_t *ret_unsolved)
{
	size_t n = check->plan->n_moves + 1, n_hosts = check->corpus->inventory->n_hosts, n_switches = check->corpus->n_switches + 1;
	bool ok;

	check->rate = calloc(3 * n, sizeof *check->rate);
	check->work = check->rate + n;
	check->sent = check->work + n;
	check->since_us = calloc(n, sizeof *check->since_us);
	check->out = calloc(2 * n_hosts, sizeof *check->out);
	check->in = check->out + n_hosts;
	check->up = calloc(2 * n_switches, sizeof *check->up);
	check->down = check->up + n_switches;
	ok = check_places(check, ret_unsolved) && check_rooms(check) && check_steps(check);
	free(check->rate);
	free(check->since_us);
	free(check->out);
	free(check->up);
	return ok;
}

#endif
