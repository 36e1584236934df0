/* Who may begin: the first in order whose links, slots, groups and room allow it.
 *
 * A link that carries its full rate already and has its pre-staged moves is closed: nobody on it is even looked at.
 * After an event only the queues of links that changed are walked, all together in the order of the run.
 */
#include "schedule_run.h"

#include "arith.h"

enum { QUEUES_MERGED = 12 }; /* with more changed links than this one walk over all that wait is cheaper */

static bool counts_in_flight(const struct run *run, uint32_t rule)
{
	return run->jobs->model->rules[rule].kind == RULE_AT_MOST_MOVING;
}

bool run_needs_global(const struct run *run)
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
	return run->options->max_migrations > 0 || run->has_sequence || run->jobs->has_legs;
}

void run_note_link(struct run *run, uint32_t link)
{
	run->is_closed[link] = run->n_staged[link] >= run->options->prestage &&
		run->left[link] <= run->jobs->model->capacities[link] / 64;
}

void run_touch_link(struct run *run, uint32_t link)
{
	if (run->is_touched[link])
		return;
	run->is_touched[link] = true;
	run->touched[run->n_touched++] = link;
}

void run_touch(struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++)
		run_touch_link(run, job->links[i]);
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
	if (job->first_leg != INDEX_NONE && run->active[job->first_leg].phase != PHASE_ENDED)
		return false;
	if ((job->is_strict || (job->is_tight && run->mode == ROOM_BY_SEQUENCE)) &&
		(run->departed[job->target] < job->need_departures || run->arrived[job->target] < job->need_arrivals))
		return false;
	return run->free_memory[job->target] >= job->memory_bytes && run->free_vcpus[job->target] >= job->vcpus;
}

void run_count_flight(struct run *run, uint32_t number, uint32_t by)
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

/* Takes a place on the links: the full rate, or a place among the pre-staged. False when neither is free. */
static bool take_links(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	bool has_rate = true, has_place = true;
	uint32_t i;

	for (i = 0; i < job->n_links; i++) {
		has_rate = has_rate && run->left[job->links[i]] >= job->rate_bytes_per_s;
		has_place = has_place && run->n_staged[job->links[i]] < run->options->prestage;
	}
	if (!has_rate && !has_place)
		return false;
	run->active[number].rate = has_rate ? job->rate_bytes_per_s : 0;
	for (i = 0; i < job->n_links; i++) {
		if (has_rate)
			run->left[job->links[i]] -= job->rate_bytes_per_s;
		else
			run->staged[job->links[i] * run->options->prestage + run->n_staged[job->links[i]]++] = number;
		run_note_link(run, job->links[i]);
	}
	return true;
}

static void note_arrival(struct run *run, uint32_t host)
{
	const uint32_t *list = &run->arrivals[run->arrival_first[host]];
	uint32_t n = run->arrival_first[host + 1] - run->arrival_first[host];

	while (run->arrived[host] < n && run->active[list[run->arrived[host]]].phase != PHASE_WAITING)
		run->arrived[host]++;
}

/* Where it waited for both, the later one counts. */
static void note_hold(struct run *run, uint32_t number)
{
	uint32_t until = run->held_until != NULL ? run->held_until[number] : INDEX_NONE, *after = &run->out->after[number];

	if (until != INDEX_NONE && (*after == INDEX_NONE || run->out->end_us[until] > run->out->end_us[*after]))
		*after = until;
}

static void take_room(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	bool needs_others = (job->is_strict && job->need_departures > 0) ||
		run->unused_memory[job->target] < job->memory_bytes || run->unused_vcpus[job->target] < job->vcpus;

	run->out->after[number] = needs_others ? run->last_left[job->target] : INDEX_NONE;
	note_hold(run, number);
	run->free_memory[job->target] -= job->memory_bytes;
	run->free_vcpus[job->target] -= job->vcpus;
	run->unused_memory[job->target] -= job->memory_bytes;
	run->unused_vcpus[job->target] -= job->vcpus;
}

static void leave_queues(struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++) {
		run->queues[job->links[i]].n_gone++;
		run->waiting_us[job->links[i]] -= carry_us(job->best.bytes, run->jobs->model->capacities[job->links[i]]);
	}
	run->queues[run->jobs->model->n_links].n_gone++;
}

static bool is_held(const struct run *run, uint32_t number)
{
	return run->held_until != NULL && run->held_until[number] != INDEX_NONE && run->active[run->held_until[number]].phase != PHASE_ENDED;
}

static bool try_admit(struct run *run, uint32_t number)
{
	const struct job *job = &run->jobs->jobs[number];
	struct active *active = &run->active[number];

	if (is_held(run, number) || !room_allows(run, job) || !slots_allow(run, job) || !groups_allow(run, job) || !take_links(run, number))
		return false;
	active->phase = PHASE_SETUP;
	active->work_left = WORK_WHOLE;
	active->until_us = run->now_us + run->options->setup_ms * 1000;
	active->admission = (uint32_t)run->n_admitted;
	run_push(run, number);
	run->flying_place[number] = (uint32_t)run->n_flying;
	run->flying[run->n_flying++] = number;
	run->out->admitted[run->n_admitted++] = number;
	run->out->start_us[number] = run->now_us;
	run_count_flight(run, number, 1);
	take_room(run, number);
	leave_queues(run, job);
	if (run->has_sequence)
		note_arrival(run, job->target);
	return true;
}

static void compact(struct run *run, struct queue *queue)
{
	uint32_t i, kept = 0;

	if (queue->n_gone * 2 <= queue->n)
		return;
	for (i = 0; i < queue->n; i++)
		if (run->active[queue->jobs[i]].phase == PHASE_WAITING)
			queue->jobs[kept++] = queue->jobs[i];
	queue->n = kept;
	queue->n_gone = 0;
}

static bool is_shut_out(const struct run *run, const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->n_links; i++)
		if (run->is_closed[job->links[i]])
			return true;
	return false;
}

void run_admit_all(struct run *run)
{
	struct queue *all = &run->queues[run->jobs->model->n_links];
	uint32_t i;

	compact(run, all);
	for (i = 0; i < all->n; i++) {
		uint32_t number = all->jobs[i];

		if (run->options->max_migrations > 0 && run->n_flying >= run->options->max_migrations)
			return;
		if (run->active[number].phase == PHASE_WAITING && !is_shut_out(run, &run->jobs->jobs[number]))
			try_admit(run, number);
	}
}

struct cursor {
	struct queue *queue;
	uint32_t at, link, place;
};

/* Moves a cursor to the next that waits and is not shut out; false when its queue is over or its link closed. */
static bool settle_cursor(const struct run *run, struct cursor *cursor)
{
	const struct queue *queue = cursor->queue;

	if (run->is_closed[cursor->link])
		return false;
	for (; cursor->at < queue->n; cursor->at++) {
		uint32_t number = queue->jobs[cursor->at];

		if (run->active[number].phase != PHASE_WAITING || is_shut_out(run, &run->jobs->jobs[number]))
			continue;
		cursor->place = run->position[number];
		return true;
	}
	return false;
}

/* Walks the queues of the touched links, always taking the one that comes first in order. Links only close meanwhile, so who was
 * passed over stays shut out. */
static void admit_touched(struct run *run)
{
	struct cursor cursors[QUEUES_MERGED];
	size_t n = 0, i, first;

	for (i = 0; i < run->n_touched; i++) {
		compact(run, &run->queues[run->touched[i]]);
		cursors[n] = (struct cursor){.queue = &run->queues[run->touched[i]], .link = run->touched[i]};
		n += settle_cursor(run, &cursors[n]) ? 1 : 0;
	}
	while (n > 0) {
		uint32_t number;

		for (i = 1, first = 0; i < n; i++)
			if (cursors[i].place < cursors[first].place)
				first = i;
		number = cursors[first].queue->jobs[cursors[first].at++];
		if (run->active[number].phase == PHASE_WAITING && !is_shut_out(run, &run->jobs->jobs[number]))
			try_admit(run, number);
		if (!settle_cursor(run, &cursors[first]))
			cursors[first] = cursors[--n];
	}
}

static void read_loads(const struct run *run, const struct job *job, struct loads *ret_loads)
{
	uint32_t i, at;

	for (i = 0; i < job->n_links; i++) {
		int64_t load = run->waiting_us[job->links[i]];

		for (at = i; at > 0 && ret_loads->us[at - 1] < load; at--)
			ret_loads->us[at] = ret_loads->us[at - 1];
		ret_loads->us[at] = load;
	}
	for (; i < MODEL_LINKS_MAX; i++)
		ret_loads->us[i] = 0;
}

/* Its busiest link decides, then the next busiest: on an uplink that all must pass, the hosts behind it. Priority and hopeless
 * cases stand as in every order. */
static bool goes_before(const struct run *run, size_t a, size_t b)
{
	const struct job *x = &run->jobs->jobs[run->candidates[a]], *y = &run->jobs->jobs[run->candidates[b]];
	const struct loads *loads_x = &run->candidate_loads[a], *loads_y = &run->candidate_loads[b];
	uint32_t i;

	if (x->priority != y->priority)
		return x->priority > y->priority;
	if (x->best.converges != y->best.converges)
		return x->best.converges;
	for (i = 0; i < MODEL_LINKS_MAX; i++)
		if (loads_x->us[i] != loads_y->us[i])
			return loads_x->us[i] > loads_y->us[i];
	return run->position[run->candidates[a]] < run->position[run->candidates[b]];
}

static bool shares_link(const struct job *a, const struct job *b)
{
	uint32_t i, k;

	for (i = 0; i < a->n_links; i++)
		for (k = 0; k < b->n_links; k++)
			if (a->links[i] == b->links[k])
				return true;
	return false;
}

/* Takes out those that are shut out by now; the loads of those beside the last one let in are read again. Returns the first to go. */
static size_t choose_by_load(struct run *run, const struct job *last, size_t *n)
{
	size_t best = INDEX_NONE, kept = 0, i;

	for (i = 0; i < *n; i++) {
		const struct job *job = &run->jobs->jobs[run->candidates[i]];

		if (is_shut_out(run, job))
			continue;
		run->candidates[kept] = run->candidates[i];
		if (last == NULL || shares_link(job, last))
			read_loads(run, job, &run->candidate_loads[kept]);
		else
			run->candidate_loads[kept] = run->candidate_loads[i];
		if (best == INDEX_NONE || goes_before(run, kept, best))
			best = kept;
		kept++;
	}
	*n = kept;
	return best;
}

static size_t gather(struct run *run, struct queue *queue, size_t n)
{
	uint32_t i;

	compact(run, queue);
	for (i = 0; i < queue->n; i++) {
		uint32_t number = queue->jobs[i];

		if (run->active[number].phase != PHASE_WAITING || run->active[number].seen == run->round ||
			is_shut_out(run, &run->jobs->jobs[number]))
			continue;
		run->active[number].seen = run->round;
		run->candidates[n++] = number;
	}
	return n;
}

static void admit_by_load(struct run *run, bool is_whole)
{
	const struct job *last = NULL;
	size_t n = 0, i;

	run->round++;
	if (is_whole)
		n = gather(run, &run->queues[run->jobs->model->n_links], 0);
	for (i = 0; !is_whole && i < run->n_touched; i++)
		n = gather(run, &run->queues[run->touched[i]], n);
	while ((i = choose_by_load(run, last, &n)) != INDEX_NONE) {
		last = &run->jobs->jobs[run->candidates[i]];
		try_admit(run, run->candidates[i]);
		run->candidates[i] = run->candidates[--n];
		run->candidate_loads[i] = run->candidate_loads[n];
	}
}

void run_admit(struct run *run)
{
	bool is_whole = run->is_global || run->n_admitted == 0 || run->n_touched > QUEUES_MERGED;
	size_t i;

	if (run->choice == CHOICE_BY_LOAD)
		admit_by_load(run, is_whole);
	else if (is_whole)
		run_admit_all(run);
	else
		admit_touched(run);
	for (i = 0; i < run->n_touched; i++)
		run->is_touched[run->touched[i]] = false;
	run->n_touched = 0;
}
