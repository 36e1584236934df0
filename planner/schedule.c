/* The run in virtual time: strict priority with pre-staging.
 *
 * Moves are let in by order, as the engine does it (schedule_admit.c): a move that its links can
 * serve at its best rate becomes a head; behind the heads each link holds up to
 * `prestage` moves that are set up already and take what the heads leave. Moves let in earlier are
 * served first, so nobody who runs is slowed by a later one. Setup is paid once, and hidden
 * after that. A move that runs under its best rate makes progress by the pre-copy
 * model at that rate, never more than its share of bytes: so no schedule beats the lower bound.
 *
 * Memory and CPUs are taken on the target when a move is let in, and given back on the source when it has ended. With whoever
 * finds room taking it, moves may come to wait for each other; the run then says so, and the caller has another order.
 *
 * Each event costs the moves in flight and the waiting moves of the links that changed.
 */
#include "schedule_run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

struct schedule *schedule_new(size_t n)
{
	struct schedule *schedule = xcalloc(1, sizeof *schedule);

	schedule->start_us = xcalloc(n, sizeof *schedule->start_us);
	schedule->end_us = xcalloc(n, sizeof *schedule->end_us);
	schedule->admitted = xcalloc(n, sizeof *schedule->admitted);
	schedule->after = xcalloc(n, sizeof *schedule->after);
	return schedule;
}

void schedule_free(struct schedule *schedule)
{
	if (schedule == NULL)
		return;
	free(schedule->start_us);
	free(schedule->end_us);
	free(schedule->admitted);
	free(schedule->after);
	free(schedule->steps);
	free(schedule);
}

/* One queue for each link and one for all, each in order. */
static void fill_queues(struct run *run)
{
	const struct jobs *jobs = run->jobs;
	size_t n_links = jobs->model->n_links, i, total = jobs->n;
	uint32_t *next, k;

	run->queues = xcalloc(n_links + 1, sizeof *run->queues);
	for (i = 0; i < jobs->n; i++) {
		total += jobs->jobs[i].n_links;
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			run->queues[jobs->jobs[i].links[k]].n_gone++;
	}
	next = run->queued = xcalloc(total, sizeof *run->queued);
	for (i = 0; i < n_links; i++) {
		run->queues[i].jobs = next;
		next += run->queues[i].n_gone;
		run->queues[i].n_gone = 0;
	}
	run->queues[n_links] = (struct queue){.jobs = next, .n = (uint32_t)jobs->n};
	for (i = 0; i < jobs->n; i++) {
		const struct job *job = &jobs->jobs[run->order[i]];

		run->position[run->order[i]] = (uint32_t)i;
		next[i] = run->order[i];
		for (k = 0; k < job->n_links; k++) {
			struct queue *queue = &run->queues[job->links[k]];

			queue->jobs[queue->n++] = run->order[i];
			run->load_us[job->links[k]] += carry_us(job->best.bytes, jobs->model->capacities[job->links[k]]);
		}
	}
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

static void init_rooms(struct run *run)
{
	size_t n_hosts = run->jobs->model->inventory->n_hosts, size = n_hosts * sizeof(int64_t);

	run->free_memory = xcalloc(4 * n_hosts, sizeof *run->free_memory);
	run->free_vcpus = run->free_memory + n_hosts;
	run->unused_memory = run->free_vcpus + n_hosts;
	run->unused_vcpus = run->unused_memory + n_hosts;
	memcpy(run->free_memory, run->jobs->free_memory, size);
	memcpy(run->free_vcpus, run->jobs->free_vcpus, size);
	memcpy(run->unused_memory, run->jobs->free_memory, size);
	memcpy(run->unused_vcpus, run->jobs->free_vcpus, size);
	run->last_left = xcalloc(n_hosts, sizeof *run->last_left);
	memset(run->last_left, 0xff, n_hosts * sizeof *run->last_left);
}

static void run_init(struct run *run)
{
	const struct model *model = run->jobs->model;
	size_t n = run->jobs->n, n_hosts = model->inventory->n_hosts, n_links = model->n_links;

	run->active = xcalloc(n, sizeof *run->active);
	run->position = xcalloc(n, sizeof *run->position);
	run->flying = xcalloc(n, sizeof *run->flying);
	run->spare = xcalloc(n_links, sizeof *run->spare);
	memcpy(run->spare, model->capacities, n_links * sizeof *run->spare);
	run->staged = xcalloc(n_links, sizeof *run->staged);
	run->left = xcalloc(n_links, sizeof *run->left);
	run->load_us = xcalloc(n_links, sizeof *run->load_us);
	run->is_touched = xcalloc(n_links, sizeof *run->is_touched);
	run->touched = xcalloc(n_links, sizeof *run->touched);
	run->out_flights = xcalloc(n_hosts * 6, sizeof *run->out_flights);
	run->in_flights = run->out_flights + n_hosts;
	run->out_storage = run->in_flights + n_hosts;
	run->in_storage = run->out_storage + n_hosts;
	run->departed = run->in_storage + n_hosts;
	run->arrived = run->departed + n_hosts;
	run->rule_flights = xcalloc(model->inventory->n_rules, sizeof *run->rule_flights);
	run->has_sequence = run->jobs->has_strict || (run->jobs->has_tight && run->mode == ROOM_BY_SEQUENCE);
	run->is_global = run_needs_global(run);
	init_rooms(run);
	fill_queues(run);
	if (run->has_sequence)
		list_by_host(run);
}

static void run_clear(struct run *run)
{
	free(run->active);
	free(run->position);
	free(run->flying);
	free(run->spare);
	free(run->staged);
	free(run->left);
	free(run->load_us);
	free(run->queued);
	free(run->queues);
	free(run->is_touched);
	free(run->touched);
	free(run->free_memory);
	free(run->last_left);
	free(run->out_flights);
	free(run->rule_flights);
	free(run->departures);
	free(run->departure_first);
	free(run->arrivals);
	free(run->arrival_first);
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
			run_touch(run, job);
	}
}

static void release_links(struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++) {
		run->spare[job->links[i]] = run->jobs->model->capacities[job->links[i]];
		run->staged[job->links[i]] = 0;
	}
	run_touch(run, job);
}

/* Counts ends without a gap: what a strict move waits for is everything before its own number. */
static void note_departure(struct run *run, uint32_t host)
{
	const uint32_t *list = &run->departures[run->departure_first[host]];
	uint32_t n = run->departure_first[host + 1] - run->departure_first[host];

	while (run->departed[host] < n && run->active[list[run->departed[host]]].phase == PHASE_ENDED)
		run->departed[host]++;
}

/* Room on its source may let others arrive there. */
static void give_room(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	const struct model_host *host = &run->jobs->model->hosts[job->source];
	uint32_t k;

	run->free_memory[job->source] += job->memory_bytes;
	run->free_vcpus[job->source] += job->vcpus;
	run->last_left[job->source] = number;
	for (k = 0; run->jobs->has_tight && k < host->n_links; k++)
		run_touch_link(run, host->first_link + 2 * k + 1);
}

static void end_job(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];

	run->active[number].phase = PHASE_ENDED;
	run->out->end_us[number] = run->now_us;
	run->out->sum_end_us += run->now_us;
	if (run->now_us > run->out->makespan_us)
		run->out->makespan_us = run->now_us;
	run_count_flight(run, number, UINT32_MAX);
	give_room(run, number);
	if (run->has_sequence)
		note_departure(run, job->source);
	run_touch(run, job);
}

static void end_transfer(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];
	uint32_t k;

	active->phase = PHASE_FINISHING;
	active->until_us = run->now_us + run->options->finish_ms * 1000;
	note_rate(run, number, 0);
	release_links(run, job);
	for (k = 0; k < job->n_links; k++)
		run->load_us[job->links[k]] -= carry_us(job->best.bytes, run->jobs->model->capacities[job->links[k]]);
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
			end_transfer(run, number);
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

/* A link that has just been freed of a move still has to carry all the others: parts of those in flight are sent already, so
 * they are left out. */
static bool is_hopeless(const struct run *run, int64_t limit_us)
{
	size_t i, k;

	if (run->now_us > limit_us)
		return true;
	for (i = 0; i < run->n_touched; i++) {
		uint32_t link = run->touched[i];
		int64_t load = run->load_us[link];

		if (run->now_us + load <= limit_us)
			continue;
		for (k = 0; k < run->n_flying && run->now_us + load > limit_us; k++) {
			const struct job *job = &run->jobs->jobs[run->flying[k]];
			uint32_t at;

			if (run->active[run->flying[k]].phase != PHASE_READY)
				continue;
			for (at = 0; at < job->n_links; at++)
				if (job->links[at] == link)
					load -= (int64_t)mul_div((uint64_t)carry_us(job->best.bytes, run->jobs->model->capacities[link]),
						(uint64_t)(WORK_WHOLE - run->active[run->flying[k]].work_left), WORK_WHOLE);
		}
		if (run->now_us + load > limit_us)
			return true;
	}
	return false;
}

bool schedule_run(const struct jobs *jobs, const uint32_t *order, enum room_mode mode, int64_t limit_us,
	struct schedule *ret_schedule)
{
	struct run run = {.jobs = jobs, .options = &jobs->model->options, .order = order, .mode = mode, .out = ret_schedule};
	bool is_whole;

	ret_schedule->makespan_us = ret_schedule->sum_end_us = 0;
	ret_schedule->n_steps = 0;
	if (jobs->n == 0)
		return true;
	run_init(&run);
	run_admit(&run);
	while (run.n_flying > 0) {
		grant_all(&run);
		advance(&run, next_event(&run));
		if (settle_due(&run))
			count_places(&run);
		if (limit_us < INT64_MAX && is_hopeless(&run, limit_us))
			break;
		run_admit(&run);
		if (run.n_flying == 0)
			run_admit_all(&run);
	}
	is_whole = run.n_admitted == jobs->n && run.n_flying == 0;
	run_clear(&run);
	return is_whole;
}
