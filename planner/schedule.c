/* The run in virtual time: strict priority with pre-staging.
 *
 * Moves are let in by order, as the engine does it (schedule_admit.c): a move that its links can
 * serve at its best rate becomes a head; behind the heads each link holds up to
 * `prestage` moves that are set up already and take what the heads leave. Moves let in earlier are
 * served first, and nobody who runs is ever slowed: what an ending move leaves goes to those who run under their best
 * rate, then to the pre-staged, then to new ones. Setup is paid once, and hidden
 * after that. A move that runs under its best rate makes progress by the pre-copy
 * model at that rate, never more than its share of bytes: so no schedule beats the lower bound.
 *
 * Whoever is to stand back for others (a hold) is not let in before the move that it waits for has ended, though it might begin.
 *
 * Memory and CPUs are taken on the target when a move is let in, and given back on the source when it has ended. With whoever
 * finds room taking it, moves may come to wait for each other; the run then says so, and the caller has another order.
 *
 * Each event costs the pre-staged and the waiting moves of the links that changed.
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
		const struct job *job = &jobs->jobs[run->order->jobs[i]];

		run->position[run->order->jobs[i]] = (uint32_t)i;
		next[i] = run->order->jobs[i];
		for (k = 0; k < job->n_links; k++) {
			struct queue *queue = &run->queues[job->links[k]];

			queue->jobs[queue->n++] = run->order->jobs[i];
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

static void list_holds(struct run *run)
{
	size_t i;

	if (run->order->n_holds == 0)
		return;
	run->held_until = xcalloc(run->jobs->n, sizeof *run->held_until);
	memset(run->held_until, 0xff, run->jobs->n * sizeof *run->held_until);
	for (i = 0; i < run->order->n_holds; i++)
		run->held_until[run->order->holds[i].job] = run->order->holds[i].until;
}

static void run_init(struct run *run)
{
	const struct model *model = run->jobs->model;
	size_t n = run->jobs->n, n_hosts = model->inventory->n_hosts, n_links = model->n_links;

	run->active = xcalloc(n, sizeof *run->active);
	run->position = xcalloc(n, sizeof *run->position);
	run->flying = xcalloc(2 * n, sizeof *run->flying);
	run->flying_place = run->flying + n;
	run->left = xcalloc(n_links, sizeof *run->left);
	memcpy(run->left, model->capacities, n_links * sizeof *run->left);
	run->staged = xcalloc(n_links * run->options->prestage, sizeof *run->staged);
	run->n_staged = xcalloc(2 * n_links, sizeof *run->n_staged);
	run->n_flows = run->n_staged + n_links;
	run->is_closed = xcalloc(n_links, sizeof *run->is_closed);
	run->load_us = xcalloc(3 * n_links, sizeof *run->load_us);
	run->waiting_us = run->load_us + n_links;
	run->excess_us = run->waiting_us + n_links;
	run->candidates = xcalloc(n, sizeof *run->candidates);
	if (run->choice == CHOICE_BY_LOAD)
		run->candidate_loads = xcalloc(n, sizeof *run->candidate_loads);
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
	list_holds(run);
	fill_queues(run);
	memcpy(run->waiting_us, run->load_us, n_links * sizeof *run->waiting_us);
	if (run->has_sequence)
		list_by_host(run);
}

static void run_clear(struct run *run)
{
	free(run->active);
	free(run->position);
	free(run->held_until);
	free(run->heap);
	free(run->flying);
	free(run->left);
	free(run->staged);
	free(run->n_staged);
	free(run->is_closed);
	free(run->load_us);
	free(run->candidates);
	free(run->candidate_loads);
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

/* Beginning at less than the best rate is not worth it for a trickle, nor when what the guest writes meanwhile, and must be sent
 * again, eats much of it. How much is too much the order says: where nobody else needs the rest of its links, half as much again is cheap. */
static bool is_worth(const struct run *run, const struct job *job, const struct active *active, uint64_t rate)
{
	uint64_t eighths = run->order->is_eager ? 12 : 9;

	if (active->has_begun || rate >= job->rate_bytes_per_s)
		return rate > 0;
	if (rate < job->rate_bytes_per_s / 8)
		return false;
	return mul_div((uint64_t)full_time(job, rate), rate, job->rate_bytes_per_s) <= (uint64_t)job->best.transfer_us / 8 * eighths;
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

static bool is_before(const struct due *a, const struct due *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->job < b->job;
}

void run_push(struct run *run, uint32_t number)
{
	struct due due = {.at_us = run->active[number].until_us, .job = number};
	size_t at;

	if (run->n_heap == run->heap_room) {
		run->heap_room = 2 * run->heap_room + 64;
		run->heap = xrealloc_array(run->heap, run->heap_room, sizeof *run->heap);
	}
	for (at = run->n_heap++; at > 0 && is_before(&due, &run->heap[(at - 1) / 2]); at = (at - 1) / 2)
		run->heap[at] = run->heap[(at - 1) / 2];
	run->heap[at] = due;
}

static void pop(struct run *run)
{
	struct due last = run->heap[--run->n_heap];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < run->n_heap) {
		if (child + 1 < run->n_heap && is_before(&run->heap[child + 1], &run->heap[child]))
			child++;
		if (!is_before(&run->heap[child], &last))
			break;
		run->heap[at] = run->heap[child];
		at = child;
	}
	run->heap[at] = last;
}

/* What was sent since the rate was set. */
static void settle_work(const struct run *run, struct active *active)
{
	uint64_t done = active->full_us == 0 ? WORK_WHOLE :
		mul_div((uint64_t)(run->now_us - active->since_us), WORK_WHOLE, (uint64_t)active->full_us);

	active->work_left = done >= (uint64_t)active->work_left ? 0 : active->work_left - (int64_t)done;
	active->since_us = run->now_us;
}

/* From now on it sends at the rate that it holds. */
static void flow(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	uint32_t i;
	struct active *active = &run->active[number];

	if (!active->has_begun) {
		int64_t begin = run->now_us - run->options->setup_ms * 1000;

		active->has_begun = true;
		active->since_us = run->now_us;
		for (i = 0; i < job->n_links; i++)
			run->n_flows[job->links[i]]++;
		if (begin > run->out->start_us[number])
			run->out->start_us[number] = begin;
	}
	note_rate(run, number, active->rate);
	active->full_us = full_time(job, active->rate);
	active->until_us = run->now_us + (int64_t)mul_div((uint64_t)active->full_us, (uint64_t)active->work_left, WORK_WHOLE) + 1;
	run_push(run, number);
}

static void leave_stage(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	uint32_t i, at;

	for (i = 0; i < job->n_links; i++) {
		uint32_t *list = &run->staged[job->links[i] * run->options->prestage];
		uint32_t n = --run->n_staged[job->links[i]];

		for (at = 0; list[at] != number; at++)
			;
		memmove(&list[at], &list[at + 1], (n - at) * sizeof *list);
		run_note_link(run, job->links[i]);
	}
	run_touch(run, job);
}

/* Gives a pre-staged move what its links have left. */
static void raise(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];
	uint64_t more = job->rate_bytes_per_s - active->rate;
	uint32_t i;

	for (i = 0; i < job->n_links; i++)
		more = min_u64(more, run->left[job->links[i]]);
	if (more == 0 || (active->phase == PHASE_SETUP && more < job->rate_bytes_per_s) ||
		!is_worth(run, job, active, active->rate + more))
		return;
	if (active->has_begun)
		settle_work(run, active);
	active->rate += more;
	for (i = 0; i < job->n_links; i++) {
		run->left[job->links[i]] -= more;
		run_note_link(run, job->links[i]);
	}
	if (active->phase == PHASE_READY)
		flow(run, number);
	if (active->rate == job->rate_bytes_per_s)
		leave_stage(run, number);
}

/* Those who run first, then in the order in which they were let in. */
static bool is_raised_before(const struct run *run, uint32_t a, uint32_t b)
{
	const struct active *x = &run->active[a], *y = &run->active[b];

	return x->has_begun != y->has_begun ? x->has_begun : x->admission < y->admission;
}

static void raise_touched(struct run *run)
{
	size_t n = 0, i, at;
	uint32_t k;

	for (i = 0; i < run->n_touched; i++)
		for (k = 0; k < run->n_staged[run->touched[i]]; k++) {
			uint32_t number = run->staged[run->touched[i] * run->options->prestage + k];

			for (at = 0; at < n && run->candidates[at] != number; at++)
				;
			if (at < n)
				continue;
			for (at = n++; at > 0 && is_raised_before(run, number, run->candidates[at - 1]); at--)
				run->candidates[at] = run->candidates[at - 1];
			run->candidates[at] = number;
		}
	for (i = 0; i < n; i++)
		raise(run, run->candidates[i]);
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

static void let_go(struct run *run, uint32_t number)
{
	size_t i;

	for (i = 0; i < run->order->n_holds; i++)
		if (run->order->holds[i].until == number)
			run_touch(run, &run->jobs->jobs[run->order->holds[i].job]);
}

static void end_job(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];

	run->active[number].phase = PHASE_ENDED;
	run->out->end_us[number] = run->now_us;
	run->out->sum_end_us += run->now_us;
	if (run->now_us > run->out->makespan_us)
		run->out->makespan_us = run->now_us;
	run->flying[run->flying_place[number]] = run->flying[--run->n_flying];
	run->flying_place[run->flying[run->n_flying]] = run->flying_place[number];
	run_count_flight(run, number, UINT32_MAX);
	give_room(run, number);
	let_go(run, number);
	if (run->has_sequence)
		note_departure(run, job->source);
	run_touch(run, job);
}

static void end_transfer(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];
	uint32_t k;

	if (active->rate < job->rate_bytes_per_s)
		leave_stage(run, number);
	note_rate(run, number, 0);
	for (k = 0; k < job->n_links; k++) {
		run->left[job->links[k]] += active->rate;
		run->n_flows[job->links[k]]--;
		run_note_link(run, job->links[k]);
		run->load_us[job->links[k]] -= carry_us(job->best.bytes, run->jobs->model->capacities[job->links[k]]);
	}
	run_touch(run, job);
	active->phase = PHASE_FINISHING;
	active->until_us = run->now_us + run->options->finish_ms * 1000;
	run_push(run, number);
}

static void end_phase(struct run *run, uint32_t number)
{
	struct active *active = &run->active[number];

	switch (active->phase) {
	case PHASE_SETUP:
		active->phase = PHASE_READY;
		active->until_us = INT64_MAX;
		if (active->rate > 0)
			flow(run, number);
		else
			run_touch(run, &run->jobs->jobs[number]);
		return;
	case PHASE_READY:
		end_transfer(run, number);
		return;
	case PHASE_FINISHING:
		end_job(run, number);
		return;
	case PHASE_WAITING:
	case PHASE_ENDED:
		break;
	}
	assert(false);
}

/* Everything that ends at the next moment at which something does. */
static void settle_due(struct run *run)
{
	run->now_us = run->heap[0].at_us;
	while (run->n_heap > 0 && run->heap[0].at_us == run->now_us) {
		struct due due = run->heap[0];
		enum phase phase = run->active[due.job].phase;

		pop(run);
		if (phase != PHASE_ENDED && run->active[due.job].until_us == due.at_us)
			end_phase(run, due.job);
	}
}

/* What the moves in flight on a link have sent of its load. */
static int64_t sent_us(const struct run *run, uint32_t link)
{
	int64_t sent = 0;
	size_t i;

	for (i = 0; i < run->n_flying; i++) {
		const struct job *job = &run->jobs->jobs[run->flying[i]];
		const struct active *active = &run->active[run->flying[i]];
		uint64_t done;
		uint32_t k;

		for (k = 0; k < job->n_links && job->links[k] != link; k++)
			;
		if (k == job->n_links || active->phase != PHASE_READY || !active->has_begun)
			continue;
		done = (uint64_t)(WORK_WHOLE - active->work_left) + (active->full_us == 0 ? 0 :
			mul_div((uint64_t)(run->now_us - active->since_us), WORK_WHOLE, (uint64_t)active->full_us));
		sent += (int64_t)mul_div((uint64_t)carry_us(job->best.bytes, run->jobs->model->capacities[link]), done, WORK_WHOLE);
	}
	return sent;
}

/* A link that was just left by a move still has to carry all the others: adds up by how much links will at least be late. When
 * its last move has left, that is by how much it is late. */
static bool is_hopeless(struct run *run, const struct goal *goal)
{
	int64_t enough_us = goal->enough_us - run->options->finish_ms * 1000;
	size_t i;

	for (i = 0; i < run->n_touched; i++) {
		uint32_t link = run->touched[i];
		int64_t late = run->now_us + run->load_us[link] - enough_us;

		if (late <= run->excess_us[link] || (goal->excess_limit_us == INT64_MAX && run->load_us[link] > 0))
			continue;
		if (run->n_flows[link] > 0)
			late -= sent_us(run, link);
		if (late <= run->excess_us[link])
			continue;
		run->total_excess_us += late - run->excess_us[link];
		run->excess_us[link] = late;
	}
	return run->total_excess_us > goal->excess_limit_us;
}

bool schedule_run(const struct jobs *jobs, const struct order *order, enum room_mode mode, enum choice choice,
	const struct goal *goal, struct schedule *ret_schedule)
{
	struct run run = {.jobs = jobs, .options = &jobs->model->options, .order = order, .mode = mode, .choice = choice,
		.out = ret_schedule};
	bool is_whole;

	ret_schedule->makespan_us = ret_schedule->sum_end_us = ret_schedule->excess_us = 0;
	ret_schedule->n_steps = 0;
	if (jobs->n == 0)
		return true;
	run_init(&run);
	run_admit(&run);
	while (run.n_heap > 0) {
		settle_due(&run);
		raise_touched(&run);
		if (is_hopeless(&run, goal))
			break;
		run_admit(&run);
		if (run.n_flying == 0)
			run_admit_all(&run);
	}
	is_whole = run.n_admitted == jobs->n && run.n_flying == 0;
	ret_schedule->excess_us = run.total_excess_us;
	run_clear(&run);
	return is_whole;
}
