/* The run in virtual time: strict priority with pre-staging.
 *
 * Moves are let in by order, as the engine does it: a move that its links can
 * serve at its best rate becomes a head; behind the heads each link holds up to
 * `prestage` moves that are set up already and take what the heads leave. Moves let in earlier are
 * served first, so nobody who runs is slowed by a later one. Setup is paid once, and hidden
 * after that. A move that runs under its best rate makes progress by the pre-copy
 * model at that rate, never more than its share of bytes: so no schedule beats the lower bound.
 *
 * Each event costs the moves in flight and the waiting moves of the links that changed. Limits that
 * reach across links (total number, groups, shared links, room made by others) make it look at all waiting moves.
 */
#include "schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum phase { PHASE_WAITING, PHASE_SETUP, PHASE_READY, PHASE_FINISHING, PHASE_ENDED };

#define WORK_WHOLE (INT64_C(1) << 40) /* progress is counted in fractions of a move */

struct active {
	enum phase phase;
	bool is_staged;      /* admitted without its full rate being free */
	bool has_begun;
	uint64_t rate;       /* granted now */
	int64_t full_us;     /* time of the whole move at that rate */
	int64_t work_left;
	int64_t until_us;    /* end of setup or of finishing; of the transfer as things stand */
};

struct run {
	const struct jobs *jobs;
	const struct plan_options *options;
	const uint32_t *order;
	struct schedule *out;
	struct active *active;   /* per job */
	uint32_t *flying;        /* jobs let in and not ended, in that order */
	size_t n_flying, n_admitted, first_waiting;
	uint64_t *spare;         /* per link, all let in counted at full rate */
	uint32_t *staged;        /* per link */
	uint64_t *left;          /* per link, while rates are handed out */
	uint32_t *by_link;       /* jobs of each host link in order */
	uint32_t *link_first;    /* n_links + 1 */
	uint32_t *link_cursor;
	bool *is_touched;
	uint32_t *touched;
	size_t n_touched;
	uint32_t *out_flights, *in_flights, *out_storage, *in_storage; /* per host */
	uint32_t *departed, *arrived; /* per host: ended and started moves without a gap, by their number */
	uint32_t *departures, *departure_first, *arrivals, *arrival_first; /* jobs of each host by number */
	uint32_t *rule_flights;
	bool is_global;
	int64_t now_us;
};

struct schedule *schedule_new(size_t n)
{
	struct schedule *schedule = xcalloc(1, sizeof *schedule);

	schedule->start_us = xcalloc(n, sizeof *schedule->start_us);
	schedule->end_us = xcalloc(n, sizeof *schedule->end_us);
	schedule->admitted = xcalloc(n, sizeof *schedule->admitted);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	free(schedule->start_us);
	free(schedule->end_us);
	free(schedule->admitted);
	free(schedule->steps);
	free(schedule);
}

static bool counts_in_flight(const struct run *run, uint32_t rule)
{
	return run->jobs->model->rules[rule].kind == RULE_AT_MOST_MOVING;
}

static bool needs_global(const struct run *run)
{
	const struct inventory *inventory = run->jobs->model->inventory;
	size_t i;

	for (i = 0; i < inventory->n_rules; i++)
		if (counts_in_flight(run, (uint32_t)i))
			return true;
	for (i = 0; i < inventory->n_hosts; i++) {
		const struct host *host = &inventory->hosts[i];

		if (host->n_links > 1 && (host->max_incoming | host->max_outgoing | host->max_incoming_storage |
			host->max_outgoing_storage) != 0)
			return true;
	}
	return inventory->n_shared_links > 0 || run->options->max_migrations > 0 || run->jobs->has_tight;
}

static void list_by_link(struct run *run)
{
	const struct jobs *jobs = run->jobs;
	size_t n_links = jobs->model->n_links, i;
	uint32_t *fill, k;

	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			run->link_first[jobs->jobs[i].links[k] + 1]++;
	for (i = 0; i < n_links; i++)
		run->link_first[i + 1] += run->link_first[i];
	run->by_link = xcalloc(run->link_first[n_links], sizeof *run->by_link);
	fill = xcalloc(n_links, sizeof *fill);
	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[run->order[i]];

		for (k = 0; k < job->n_links; k++)
			run->by_link[run->link_first[job->links[k]] + fill[job->links[k]]++] = run->order[i];
	}
	memcpy(run->link_cursor, run->link_first, n_links * sizeof *run->link_cursor);
	free(fill);
}

static void list_by_host(struct run *run)
{
	const struct jobs *jobs = run->jobs;
	size_t n_hosts = jobs->model->inventory->n_hosts, i;

	run->departures = xcalloc(jobs->n, sizeof *run->departures);
	run->arrivals = xcalloc(jobs->n, sizeof *run->arrivals);
	run->departure_first = xcalloc(n_hosts + 1, sizeof *run->departure_first);
	run->arrival_first = xcalloc(n_hosts + 1, sizeof *run->arrival_first);
	for (i = 0; i < jobs->n; i++) {
		run->departure_first[jobs->jobs[i].source + 1]++;
		run->arrival_first[jobs->jobs[i].target + 1]++;
	}
	for (i = 0; i < n_hosts; i++) {
		run->departure_first[i + 1] += run->departure_first[i];
		run->arrival_first[i + 1] += run->arrival_first[i];
	}
	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[i];

		run->departures[run->departure_first[job->source] + job->nth_departure] = (uint32_t)i;
		run->arrivals[run->arrival_first[job->target] + job->nth_arrival] = (uint32_t)i;
	}
}

static void run_init(struct run *run)
{
	const struct model *model = run->jobs->model;
	size_t n = run->jobs->n, n_hosts = model->inventory->n_hosts, n_links = model->n_links;

	run->active = xcalloc(n, sizeof *run->active);
	run->flying = xcalloc(n, sizeof *run->flying);
	run->spare = xcalloc(n_links, sizeof *run->spare);
	memcpy(run->spare, model->capacities, n_links * sizeof *run->spare);
	run->staged = xcalloc(n_links, sizeof *run->staged);
	run->left = xcalloc(n_links, sizeof *run->left);
	run->link_first = xcalloc(n_links + 1, sizeof *run->link_first);
	run->link_cursor = xcalloc(n_links, sizeof *run->link_cursor);
	run->is_touched = xcalloc(n_links, sizeof *run->is_touched);
	run->touched = xcalloc(n_links, sizeof *run->touched);
	run->out_flights = xcalloc(n_hosts * 6, sizeof *run->out_flights);
	run->in_flights = run->out_flights + n_hosts;
	run->out_storage = run->in_flights + n_hosts;
	run->in_storage = run->out_storage + n_hosts;
	run->departed = run->in_storage + n_hosts;
	run->arrived = run->departed + n_hosts;
	run->rule_flights = xcalloc(model->inventory->n_rules, sizeof *run->rule_flights);
	run->is_global = needs_global(run);
	list_by_link(run);
	list_by_host(run);
}

static void run_clear(struct run *run)
{
	free(run->active);
	free(run->flying);
	free(run->spare);
	free(run->staged);
	free(run->left);
	free(run->by_link);
	free(run->link_first);
	free(run->link_cursor);
	free(run->is_touched);
	free(run->touched);
	free(run->out_flights);
	free(run->rule_flights);
	free(run->departures);
	free(run->departure_first);
	free(run->arrivals);
	free(run->arrival_first);
}

static uint32_t limit_of(uint32_t host_limit)
{
	return host_limit == 0 ? UINT32_MAX : host_limit;
}

static bool slots_allow(const struct run *run, const struct job *job)
{
	const struct host *source = &run->jobs->model->inventory->hosts[job->source];
	const struct host *target = &run->jobs->model->inventory->hosts[job->target];

	if (run->options->max_migrations > 0 && run->n_flying >= run->options->max_migrations)
		return false;
	if (run->out_flights[job->source] >= limit_of(source->max_outgoing) ||
		run->in_flights[job->target] >= limit_of(target->max_incoming))
		return false;
	return !job->has_disks || (run->out_storage[job->source] < limit_of(source->max_outgoing_storage) &&
		run->in_storage[job->target] < limit_of(target->max_incoming_storage));
}

static bool groups_allow(const struct run *run, const struct job *job)
{
	const struct model *model = run->jobs->model;
	const struct model_guest *guest = &model->guests[job->guest];
	uint32_t i;

	for (i = 0; i < guest->n_rules; i++) {
		uint32_t rule = model->guest_rules[guest->first_rule + i];

		if (counts_in_flight(run, rule) && run->rule_flights[rule] >= (model->rules[rule].count > 0 ? model->rules[rule].count : 1))
			return false;
	}
	return true;
}

static bool room_allows(const struct run *run, const struct job *job)
{
	return !job->is_tight ||
		(run->departed[job->target] >= job->need_departures && run->arrived[job->target] >= job->need_arrivals);
}

static void count_flight(struct run *run, uint32_t number, uint32_t by)
{
	const struct model *model = run->jobs->model;
	const struct job *job = &run->jobs->jobs[number];
	const struct model_guest *guest = &model->guests[job->guest];
	uint32_t i;

	run->out_flights[job->source] += by;
	run->in_flights[job->target] += by;
	if (job->has_disks) {
		run->out_storage[job->source] += by;
		run->in_storage[job->target] += by;
	}
	for (i = 0; i < guest->n_rules; i++)
		run->rule_flights[model->guest_rules[guest->first_rule + i]] += by;
}

/* Takes a place on the links. False when neither the rate nor a pre-stage place is free. */
static bool take_links(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	uint64_t least = UINT64_MAX;
	bool has_place = true;
	uint32_t i;

	for (i = 0; i < job->n_links; i++) {
		least = min_u64(least, run->spare[job->links[i]]);
		has_place = has_place && run->staged[job->links[i]] < run->options->prestage;
	}
	if (least < job->rate_bytes_per_s && !has_place)
		return false;
	run->active[number].is_staged = least < job->rate_bytes_per_s;
	for (i = 0; i < job->n_links; i++) {
		if (run->active[number].is_staged)
			run->staged[job->links[i]]++;
		run->spare[job->links[i]] -= min_u64(least, job->rate_bytes_per_s);
	}
	return true;
}

/* Counts ends and starts without a gap: what a tight move waits for is everything before its own number. */
static void note_departure(struct run *run, uint32_t host)
{
	const uint32_t *list = &run->departures[run->departure_first[host]];
	uint32_t n = run->departure_first[host + 1] - run->departure_first[host];

	while (run->departed[host] < n && run->active[list[run->departed[host]]].phase == PHASE_ENDED)
		run->departed[host]++;
}

static void note_arrival(struct run *run, uint32_t host)
{
	const uint32_t *list = &run->arrivals[run->arrival_first[host]];
	uint32_t n = run->arrival_first[host + 1] - run->arrival_first[host];

	while (run->arrived[host] < n && run->active[list[run->arrived[host]]].phase != PHASE_WAITING)
		run->arrived[host]++;
}

static bool try_admit(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];

	if (!slots_allow(run, job) || !groups_allow(run, job) || !room_allows(run, job) || !take_links(run, number))
		return false;
	active->phase = PHASE_SETUP;
	active->work_left = WORK_WHOLE;
	active->until_us = run->now_us + run->options->setup_ms * 1000;
	run->flying[run->n_flying++] = number;
	run->out->admitted[run->n_admitted++] = number;
	run->out->start_us[number] = run->now_us;
	count_flight(run, number, 1);
	note_arrival(run, job->target);
	return true;
}

static bool link_is_full(const struct run *run, uint32_t link)
{
	return run->spare[link] <= run->jobs->model->capacities[link] / 16 && run->staged[link] >= run->options->prestage;
}

static void admit_of_link(struct run *run, uint32_t link)
{
	uint32_t end = run->link_first[link + 1], at;

	while (run->link_cursor[link] < end && run->active[run->by_link[run->link_cursor[link]]].phase != PHASE_WAITING)
		run->link_cursor[link]++;
	for (at = run->link_cursor[link]; at < end && !link_is_full(run, link); at++)
		if (run->active[run->by_link[at]].phase == PHASE_WAITING)
			try_admit(run, run->by_link[at]);
}

static void admit_all(struct run *run)
{
	size_t n = run->jobs->n, i;

	while (run->first_waiting < n && run->active[run->order[run->first_waiting]].phase != PHASE_WAITING)
		run->first_waiting++;
	for (i = run->first_waiting; i < n; i++) {
		if (run->options->max_migrations > 0 && run->n_flying >= run->options->max_migrations)
			return;
		if (run->active[run->order[i]].phase == PHASE_WAITING)
			try_admit(run, run->order[i]);
	}
}

static void admit(struct run *run)
{
	size_t i;

	if (run->is_global || run->n_admitted == 0)
		admit_all(run);
	else
		for (i = 0; i < run->n_touched; i++)
			admit_of_link(run, run->touched[i]);
	for (i = 0; i < run->n_touched; i++)
		run->is_touched[run->touched[i]] = false;
	run->n_touched = 0;
}

static void touch(struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++)
		if (!run->is_touched[job->links[i]]) {
			run->is_touched[job->links[i]] = true;
			run->touched[run->n_touched++] = job->links[i];
		}
}

/* Time of the whole move at a rate: never fewer bytes than at the best one. */
static int64_t full_time(const struct job *job, uint64_t rate)
{
	struct transfer_time time;
	int64_t least;

	if (rate >= job->rate_bytes_per_s)
		return job->best.transfer_us;
	transfer_time(&job->transfer, max_u64(mul_div(job->disk_rate_bytes_per_s, rate, job->rate_bytes_per_s), 1),
		max_u64(mul_div(job->memory_rate_bytes_per_s, rate, job->rate_bytes_per_s), 1), &time);
	least = (int64_t)mul_div((uint64_t)job->best.transfer_us, job->rate_bytes_per_s, rate);
	return time.transfer_us > least ? time.transfer_us : least;
}

/* A rate at which a guest's writes eat most of what is sent is not worth beginning with; nor is a trickle. */
static bool is_worth(const struct job *job, const struct active *active, uint64_t rate)
{
	if (rate == 0)
		return false;
	return active->has_begun || rate >= job->rate_bytes_per_s || (rate >= job->rate_bytes_per_s / 8 &&
		rate >= 2 * job->transfer.dirty_rate_bytes_per_s);
}

static void note_rate(struct run *run, uint32_t number, uint64_t rate)
{
	struct schedule *out = run->out;

	if (out->n_steps == out->steps_room) {
		out->steps_room = 2 * out->steps_room + 64;
		out->steps = xrealloc_array(out->steps, out->steps_room, sizeof *out->steps);
	}
	out->steps[out->n_steps++] = (struct rate_step){.move = number, .from_us = run->now_us, .rate_bytes_per_s = rate};
}

static void grant(struct run *run, uint32_t number, uint64_t rate)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];
	uint32_t i;

	for (i = 0; i < job->n_links; i++)
		run->left[job->links[i]] -= rate;
	if (rate > 0 && !active->has_begun) {
		int64_t begin = run->now_us - run->options->setup_ms * 1000;

		active->has_begun = true;
		if (begin > run->out->start_us[number])
			run->out->start_us[number] = begin;
	}
	if (rate != active->rate) {
		note_rate(run, number, rate);
		active->rate = rate;
		active->full_us = rate > 0 ? full_time(job, rate) : 0;
	}
	active->until_us = rate == 0 ? INT64_MAX :
		run->now_us + (int64_t)mul_div((uint64_t)active->full_us, (uint64_t)active->work_left, WORK_WHOLE) + 1;
}

/* Hands out the links to those that are ready, in the order of admission. */
static void grant_all(struct run *run)
{
	size_t i;
	uint32_t k;

	for (i = 0; i < run->n_flying; i++)
		for (k = 0; k < run->jobs->jobs[run->flying[i]].n_links; k++) {
			uint32_t link = run->jobs->jobs[run->flying[i]].links[k];

			run->left[link] = run->jobs->model->capacities[link];
		}
	for (i = 0; i < run->n_flying; i++) {
		const struct job *job = &run->jobs->jobs[run->flying[i]];
		struct active *active = &run->active[run->flying[i]];
		uint64_t rate = job->rate_bytes_per_s;

		if (active->phase != PHASE_READY)
			continue;
		for (k = 0; k < job->n_links; k++)
			rate = min_u64(rate, run->left[job->links[k]]);
		grant(run, run->flying[i], is_worth(job, active, rate) ? rate : 0);
	}
}

/* Counts places anew after an end: those behind move up, and links that changed are looked at for new moves. */
static void count_places(struct run *run)
{
	size_t i;
	uint32_t k;

	for (i = 0; i < run->n_flying; i++)
		for (k = 0; k < run->jobs->jobs[run->flying[i]].n_links; k++) {
			uint32_t link = run->jobs->jobs[run->flying[i]].links[k];

			run->spare[link] = run->jobs->model->capacities[link];
			run->staged[link] = 0;
		}
	for (i = 0; i < run->n_flying; i++) {
		uint32_t number = run->flying[i];
		bool was_staged = run->active[number].is_staged;
		uint64_t least = UINT64_MAX;
		const struct job *job = &run->jobs->jobs[number];

		if (run->active[number].phase == PHASE_FINISHING)
			continue;
		for (k = 0; k < job->n_links; k++)
			least = min_u64(least, run->spare[job->links[k]]);
		run->active[number].is_staged = least < job->rate_bytes_per_s;
		for (k = 0; k < job->n_links; k++) {
			run->spare[job->links[k]] -= min_u64(least, job->rate_bytes_per_s);
			run->staged[job->links[k]] += run->active[number].is_staged ? 1 : 0;
		}
		if (was_staged && !run->active[number].is_staged)
			touch(run, job);
	}
}

static void release_links(struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++) {
		run->spare[job->links[i]] = run->jobs->model->capacities[job->links[i]];
		run->staged[job->links[i]] = 0;
	}
	touch(run, job);
}

static void end_job(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];

	run->active[number].phase = PHASE_ENDED;
	run->out->end_us[number] = run->now_us;
	run->out->sum_end_us += run->now_us;
	if (run->now_us > run->out->makespan_us)
		run->out->makespan_us = run->now_us;
	count_flight(run, number, UINT32_MAX);
	note_departure(run, job->source);
	touch(run, job);
}

/* Whatever is due now; true when links became free. */
static bool settle_due(struct run *run)
{
	bool is_freed = false;
	size_t i, kept = 0;

	for (i = 0; i < run->n_flying; i++) {
		uint32_t number = run->flying[i];
		struct active *active = &run->active[number];

		if (active->until_us <= run->now_us && active->phase == PHASE_READY) {
			active->phase = PHASE_FINISHING;
			note_rate(run, number, 0);
			active->until_us = run->now_us + run->options->finish_ms * 1000;
			release_links(run, &run->jobs->jobs[number]);
			is_freed = true;
		}
		if (active->until_us <= run->now_us && active->phase == PHASE_SETUP)
			active->phase = PHASE_READY;
		if (active->until_us <= run->now_us && active->phase == PHASE_FINISHING)
			end_job(run, number);
		else
			run->flying[kept++] = number;
	}
	run->n_flying = kept;
	return is_freed;
}

static int64_t next_event(const struct run *run)
{
	int64_t next = INT64_MAX;
	size_t i;

	for (i = 0; i < run->n_flying; i++)
		if (run->active[run->flying[i]].until_us < next)
			next = run->active[run->flying[i]].until_us;
	return next;
}

static void advance(struct run *run, int64_t to_us)
{
	size_t i;

	for (i = 0; i < run->n_flying; i++) {
		struct active *active = &run->active[run->flying[i]];
		uint64_t done;

		if (active->phase != PHASE_READY || active->rate == 0)
			continue;
		done = active->full_us == 0 ? WORK_WHOLE :
			mul_div((uint64_t)(to_us - run->now_us), WORK_WHOLE, (uint64_t)active->full_us);
		active->work_left = done >= (uint64_t)active->work_left ? 0 : active->work_left - (int64_t)done;
	}
	run->now_us = to_us;
}

void schedule_run(const struct jobs *jobs, const uint32_t *order, struct schedule *ret_schedule)
{
	struct run run = {.jobs = jobs, .options = &jobs->model->options, .order = order, .out = ret_schedule};

	ret_schedule->makespan_us = ret_schedule->sum_end_us = 0;
	ret_schedule->n_steps = 0;
	if (jobs->n == 0)
		return;
	run_init(&run);
	admit(&run);
	while (run.n_flying > 0) {
		grant_all(&run);
		advance(&run, next_event(&run));
		if (settle_due(&run))
			count_places(&run);
		admit(&run);
		if (run.n_flying == 0)
			admit_all(&run);
	}
	assert(run.n_admitted == jobs->n);
	run_clear(&run);
}
