/* The planner's one entrance: request to draft, draft to jobs, jobs to a schedule,
 * schedule to a plan. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "bound.h"
#include "draft.h"
#include "drained.h"
#include "search.h"
#include "why.h"
#include "xalloc.h"

enum { NEAR_BOUND_MILLI = 1010 }; /* a plan so near its bound needs no more explanation than the bound's */

static const char *const move_kind_names[] = {
	[MOVE_SHARED] = "shared", [MOVE_SHARED_NOTHING] = "shared_nothing", [MOVE_MIXED] = "mixed",
};

const char *move_kind_name(enum move_kind kind)
{
	return move_kind_names[kind];
}

void plan_free(struct plan *plan)
{
	size_t i;

	if (plan == NULL)
		return;
	for (i = 0; i < plan->n_blocked; i++)
		free(plan->blocked[i].name);
	free(plan->blocked);
	free(plan->warnings);
	free(plan->moves);
	free(plan->steps);
	free(plan);
}

/* The rate that moves of its class had on average between these hosts, and the bytes that they sent. */
static void apply_lessons(const struct model *model, uint64_t disk_bytes, struct job *job)
{
	struct expectation *expectation = &job->expectation;

	learn_expect(model, job->source, job->target, learn_class(job->transfer.dirty_rate_bytes_per_s,
		job->memory_rate_bytes_per_s, disk_bytes), expectation);
	if (expectation->rate_bytes_per_s != 0) {
		job->memory_rate_bytes_per_s = min_u64(job->memory_rate_bytes_per_s, expectation->rate_bytes_per_s);
		job->disk_rate_bytes_per_s = min_u64(job->disk_rate_bytes_per_s, expectation->rate_bytes_per_s);
	}
	transfer_scale(&job->transfer, expectation->bytes_milli);
}

static void fill_job(const struct draft *draft, const struct draft_move *move, struct job *job)
{
	const struct model *model = draft->ledger->model;
	const struct guest *guest = &draft->inventory->guests[move->guest];
	const struct wanted_move *wanted = draft_wanted(draft, move);
	uint64_t disk_bytes = planner_disk_bytes(draft->inventory, move->guest, move->source, move->target, NULL);
	struct path path;
	bool has_path = model_path(model, move->source, move->target, wanted != NULL ? wanted->max_rate_bytes_per_s : 0, &path);

	assert(has_path);
	(void)has_path;
	job->guest = move->guest;
	job->source = move->source;
	job->target = move->target;
	job->network = path.network;
	job->is_assumed = path.is_assumed;
	job->first_leg = INDEX_NONE;
	memcpy(job->links, path.links, sizeof job->links);
	job->n_links = path.n_links;
	job->memory_rate_bytes_per_s = path.memory_rate_bytes_per_s;
	job->disk_rate_bytes_per_s = path.disk_rate_bytes_per_s;
	job->has_disks = disk_bytes > 0;
	job->priority = move->priority;
	job->sequence = move->sequence;
	job->is_tight = move->is_tight;
	job->is_strict = move->is_strict;
	job->memory_bytes = (int64_t)model->guests[move->guest].memory_bytes;
	job->vcpus = model->guests[move->guest].vcpus;
	transfer_of(guest, disk_bytes, &model->options, &job->transfer);
	apply_lessons(model, disk_bytes, job);
	job->rate_bytes_per_s = job->memory_rate_bytes_per_s;
	if (disk_bytes > 0)
		job->rate_bytes_per_s = max_u64(job->rate_bytes_per_s, job->disk_rate_bytes_per_s);
	transfer_time(&job->transfer, job->disk_rate_bytes_per_s, job->memory_rate_bytes_per_s, &job->best);
}

static int by_sequence(const void *a, const void *b)
{
	const struct draft_move *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* A second leg and the first of the same guest, which is before it in the feasible order. */
static void link_legs(const struct draft *draft, struct jobs *jobs)
{
	uint32_t *first = NULL;
	uint32_t i;

	for (i = 0; i < jobs->n; i++) {
		uint32_t guest = jobs->jobs[i].guest;

		if (draft->moves[i].leg == LEG_WHOLE)
			continue;
		if (first == NULL)
			first = xcalloc(draft->inventory->n_guests, sizeof *first);
		if (draft->moves[i].leg == LEG_FIRST) {
			first[guest] = i;
			continue;
		}
		jobs->jobs[i].first_leg = first[guest];
		jobs->has_legs = true;
	}
	free(first);
}

/* Numbers each host's departures and arrivals in the feasible order. */
static void number_jobs(struct jobs *jobs)
{
	size_t n_hosts = jobs->model->inventory->n_hosts, i;
	uint32_t *departures = xcalloc(n_hosts, sizeof *departures), *arrivals = xcalloc(n_hosts, sizeof *arrivals);

	for (i = 0; i < jobs->n; i++) {
		struct job *job = &jobs->jobs[i];

		job->nth_departure = departures[job->source]++;
		job->nth_arrival = arrivals[job->target]++;
		job->need_departures = job->is_tight ? departures[job->target] : 0;
		job->need_arrivals = job->is_tight ? job->nth_arrival : 0;
		jobs->has_tight = jobs->has_tight || job->is_tight;
		jobs->has_strict = jobs->has_strict || job->is_strict;
	}
	free(departures);
	free(arrivals);
}

/* A guest that is shut off takes no room until it is moved. */
static void count_rooms(const struct ledger *ledger, struct jobs *jobs)
{
	const struct inventory *inventory = ledger->inventory;
	uint32_t i;

	jobs->free_memory = xcalloc(2 * inventory->n_hosts, sizeof *jobs->free_memory);
	jobs->free_vcpus = jobs->free_memory + inventory->n_hosts;
	for (i = 0; i < inventory->n_hosts; i++) {
		const struct host *host = &inventory->hosts[i];
		uint64_t limit = ledger_vcpu_limit(ledger, i);

		jobs->free_memory[i] = (int64_t)host->memory_bytes - (int64_t)host->memory_reserve_bytes;
		jobs->free_vcpus[i] = limit == UINT64_MAX ? INT64_MAX / 2 : (int64_t)limit;
	}
	for (i = 0; i < inventory->n_guests; i++) {
		if (!ledger->is_counted[i])
			continue;
		jobs->free_memory[inventory->guests[i].host] -= (int64_t)ledger->model->guests[i].memory_bytes;
		jobs->free_vcpus[inventory->guests[i].host] -= ledger->model->guests[i].vcpus;
	}
}

static void make_jobs(struct draft *draft, struct jobs *jobs)
{
	size_t i;

	jobs->model = draft->ledger->model;
	jobs->n = draft->n_moves;
	jobs->jobs = xcalloc(jobs->n, sizeof *jobs->jobs);
	if (draft->n_moves > 1)
		qsort(draft->moves, draft->n_moves, sizeof *draft->moves, by_sequence);
	for (i = 0; i < jobs->n; i++)
		fill_job(draft, &draft->moves[i], &jobs->jobs[i]);
	link_legs(draft, jobs);
	number_jobs(jobs);
	count_rooms(draft->ledger, jobs);
}

/* The hosts that a drained guest might have gone to. */
static bool *open_targets(const struct draft *draft)
{
	bool *targets;
	size_t i;

	if (draft->drained == NULL)
		return NULL;
	targets = xcalloc(draft->inventory->n_hosts, sizeof *targets);
	for (i = 0; i < draft->inventory->n_hosts; i++) {
		const struct host *host = &draft->inventory->hosts[i];

		targets[i] = !draft->drained[i] && host->reachable && host->incoming && !host->cordoned;
	}
	return targets;
}

struct start_key {
	int64_t start_us;
	uint32_t nth, job;
};

static int by_start(const void *a, const void *b)
{
	const struct start_key *x = a, *y = b;

	if (x->start_us != y->start_us)
		return x->start_us < y->start_us ? -1 : 1;
	return x->nth < y->nth ? -1 : x->nth > y->nth;
}

static struct start_key *start_order(const struct jobs *jobs, const struct schedule *schedule)
{
	struct start_key *keys = xcalloc(jobs->n, sizeof *keys);
	uint32_t i;

	for (i = 0; i < jobs->n; i++) {
		uint32_t job = schedule->admitted[i];

		keys[i] = (struct start_key){.start_us = schedule->start_us[job], .nth = i, .job = job};
	}
	if (jobs->n > 1)
		qsort(keys, jobs->n, sizeof *keys, by_start);
	return keys;
}

static int64_t below(int64_t value, uint32_t range_milli)
{
	return (int64_t)mul_div((uint64_t)value, 1000 - range_milli, 1000);
}

static int64_t above(int64_t value, uint32_t range_milli)
{
	return (int64_t)min_u64(mul_div((uint64_t)value, 1000 + range_milli, 1000), INT64_MAX);
}

static int64_t to_ms(int64_t us)
{
	return (us + 999) / 1000;
}

/* A CD-ROM that the target has not got and the guest can do without. */
static void say_ejected(const struct draft *draft, const struct planned_move *move, char *text, size_t size)
{
	const struct guest *guest = &draft->inventory->guests[move->guest];
	size_t i, length;

	for (i = 0; i < guest->n_disks; i++)
		if (planner_media_missing(draft->inventory, &guest->disks[i], move->source, move->target)) {
			length = strlen(text);
			snprintf(text + length, size - length, "; CD-ROM %.16s is ejected, %.24s is not there", guest->disks[i].target,
				guest->disks[i].volume);
			return;
		}
}

static const char *say_unending(const struct plan_options *options)
{
	return options->post_copy ? "last: writes faster than the link carries, by post-copy if nothing else ends it" :
		"last: writes faster than the link carries, given up if nothing ends it";
}

/* Where a guest is wanted that goes by way of another host. */
static uint32_t wanted_target(const struct draft *draft, const struct draft_move *first)
{
	return inventory_host(draft->inventory, draft_wanted(draft, first)->to);
}

/* Why it stands where it does in the order. */
static void say_place(const struct draft *draft, const struct jobs *jobs, const struct job *job, const struct plan *plan, size_t place,
	char *text, size_t size)
{
	const struct planned_move *move = &plan->moves[place];
	const struct planned_move *after = move->after != INDEX_NONE ? &plan->moves[move->after] : NULL;

	if (after != NULL && after->source != move->target)
		snprintf(text, size, "stands back for others until %.40s has left %.32s", draft->inventory->guests[after->guest].name,
			draft->inventory->hosts[after->source].name);
	else if (after != NULL)
		snprintf(text, size, "waits for room there");
	else if (!job->best.converges)
		snprintf(text, size, "%s", say_unending(&jobs->model->options));
	else
		snprintf(text, size, job->priority != 0 ? "place %zu by priority" : "place %zu in the order", place + 1);
}

static void say_why(const struct draft *draft, const struct draft_move *from, const struct jobs *jobs, const struct job *job, struct plan *plan,
	size_t place)
{
	struct planned_move *move = &plan->moves[place];
	const struct ledger *ledger = draft->ledger;
	const struct host *target = &draft->inventory->hosts[move->target];
	const struct wanted_move *wanted = draft_wanted(draft, from);
	uint64_t full = target->memory_bytes == 0 ? 0 :
		mul_div(ledger->hosts[move->target].memory_bytes + target->memory_reserve_bytes, 100, target->memory_bytes);
	char order[140];

	say_place(draft, jobs, job, plan, place, order, sizeof order);
	say_ejected(draft, move, order, sizeof order);
	if (from->leg == LEG_FIRST)
		snprintf(move->reason, sizeof move->reason, "through %.32s, for %.32s can take it only when it has left %.32s; %s", target->name,
			draft->inventory->hosts[wanted_target(draft, from)].name, draft->inventory->hosts[move->source].name, order);
	else if (from->method == METHOD_COLD)
		snprintf(move->reason, sizeof move->reason, "cold: %s; %s", ledger->inventory->guests[move->guest].state == GUEST_SHUTOFF ?
			"is shut off, its disks are copied" : "is shut down, its disks are copied, and it is started there", order);
	else if (from->is_chosen)
		snprintf(move->reason, sizeof move->reason, "least loaded of the hosts that fit, %" PRIu64
			" %% of its memory taken when all have arrived; %s", full, order);
	else
		snprintf(move->reason, sizeof move->reason, "as asked%s%.60s%s%s; %s", wanted != NULL && wanted->where != NULL ? " (" : "",
			wanted != NULL && wanted->where != NULL ? wanted->where : "",
			wanted != NULL && wanted->where != NULL ? ")" : "", from->leg == LEG_SECOND ? ", on from there" : "", order);
}

/* Until some have been measured, a downtime may be as long as the hypervisor is allowed to make it. */
static void fill_downtime(const struct plan_options *options, const struct job *job, struct planned_move *move)
{
	const struct expectation *expectation = &job->expectation;

	move->downtime_ms = (int64_t)mul_div((uint64_t)job->best.downtime_ms, expectation->downtime_milli, 1000);
	move->downtime_low_ms = below(move->downtime_ms, expectation->downtime_range_milli);
	move->downtime_high_ms = above(move->downtime_ms, expectation->downtime_range_milli);
	if (expectation->samples == 0 && move->downtime_high_ms < options->downtime_limit_ms)
		move->downtime_high_ms = options->downtime_limit_ms;
}

static void fill_ranges(const struct jobs *jobs, const struct job *job, struct planned_move *move)
{
	const struct expectation *expectation = &job->expectation;

	move->duration_low_ms = below(move->duration_ms, expectation->time_range_milli);
	move->duration_high_ms = above(move->duration_ms, expectation->time_range_milli);
	move->bytes_low = (uint64_t)below((int64_t)move->bytes, expectation->bytes_range_milli);
	move->bytes_high = (uint64_t)above((int64_t)move->bytes, expectation->bytes_range_milli);
	move->samples = expectation->samples;
	fill_downtime(&jobs->model->options, job, move);
}

static void fill_move(const struct draft *draft, const struct jobs *jobs, const struct schedule *schedule, uint32_t number,
	struct planned_move *move)
{
	const struct job *job = &jobs->jobs[number];
	int64_t end_ms = to_ms(schedule->end_us[number]);

	move->guest = job->guest;
	move->source = job->source;
	move->target = job->target;
	move->wanted = draft->moves[number].wanted;
	move->method = draft->moves[number].method;
	move->leg = draft->moves[number].leg;
	move->disk_bytes = planner_disk_bytes(draft->inventory, job->guest, job->source, job->target, &move->kind);
	move->start_ms = schedule->start_us[number] / 1000;
	move->duration_ms = end_ms - move->start_ms;
	move->bytes = job->best.bytes;
	move->rate_bytes_per_s = job->rate_bytes_per_s;
	fill_ranges(jobs, job, move);
	move->rate_is_assumed = job->is_assumed && job->expectation.samples == 0;
	move->network = job->network;
	move->after = INDEX_NONE;
	move->converges = job->best.converges;
}

/* What helps: what is allowed already, or what would have to be. */
static void hint_convergence(const struct plan_options *options, int64_t blackout_ms, struct error *err)
{
	if (options->auto_converge)
		error_hint(err, "auto_converge is allowed: QEMU slows it down meanwhile, which may end it%s", options->post_copy ? "; else post_copy does" : "");
	else if (options->post_copy)
		error_hint(err, "post_copy is allowed: it is switched to that when nothing else ends it");
	else
		error_hint(err, "move it over a faster network, or allow auto_converge, post_copy, or a blackout of %.1f s by downtime_max",
			(double)((blackout_ms + 99) / 100) / 10);
}

static void warn_of_unending(const struct draft *draft, const struct jobs *jobs, const struct job *job, uint32_t place, struct plan *plan)
{
	const struct plan_options *options = &jobs->model->options;
	int64_t blackout_ms = job->best.downtime_ms;
	struct plan_warning *warning;

	if (job->best.converges)
		return;
	plan->warnings = xgrow(plan->warnings, plan->n_warnings, sizeof *plan->warnings);
	warning = &plan->warnings[plan->n_warnings++];
	*warning = (struct plan_warning){.move = place};
	error_set(&warning->error, ERR_WILL_NOT_CONVERGE, "guest %s will not converge at this link: it writes %.1f MB/s, the copy runs at %.1f MB/s, "
		"and what is left would take a blackout of %.1f s, of %.1f s allowed", draft->inventory->guests[job->guest].name,
		(double)job->transfer.dirty_rate_bytes_per_s / 1e6, (double)job->memory_rate_bytes_per_s / 1e6, (double)blackout_ms / 1000,
		(double)options->downtime_limit_ms / 1000);
	hint_convergence(options, blackout_ms, &warning->error);
}

/* From job numbers to places in the plan. */
static void link_jobs(const struct jobs *jobs, const struct start_key *keys, const struct schedule *schedule, struct plan *plan)
{
	uint32_t *place = xcalloc(jobs->n, sizeof *place);
	size_t i;

	for (i = 0; i < jobs->n; i++)
		place[keys[i].job] = (uint32_t)i;
	for (i = 0; i < jobs->n; i++)
		if (schedule->after[i] != INDEX_NONE)
			plan->moves[place[i]].after = place[schedule->after[i]];
	plan->n_steps = schedule->n_steps;
	plan->steps = xcalloc(schedule->n_steps, sizeof *plan->steps);
	for (i = 0; i < schedule->n_steps; i++) {
		plan->steps[i] = schedule->steps[i];
		plan->steps[i].move = place[schedule->steps[i].move];
	}
	free(place);
}

static void fill_moves(const struct draft *draft, const struct jobs *jobs, const struct schedule *schedule, struct plan *plan)
{
	struct start_key *keys = start_order(jobs, schedule);
	size_t i;

	plan->n_moves = jobs->n;
	plan->moves = xcalloc(jobs->n, sizeof *plan->moves);
	for (i = 0; i < jobs->n; i++)
		fill_move(draft, jobs, schedule, keys[i].job, &plan->moves[i]);
	link_jobs(jobs, keys, schedule, plan);
	for (i = 0; i < jobs->n; i++)
		warn_of_unending(draft, jobs, &jobs->jobs[keys[i].job], (uint32_t)i, plan);
	for (i = 0; i < jobs->n; i++)
		say_why(draft, &draft->moves[keys[i].job], jobs, &jobs->jobs[keys[i].job], plan, i);
	free(keys);
}

/* Each move by its part of the whole work. That errors cancel is not counted on: they often have one cause. */
static uint32_t makespan_range(const struct jobs *jobs)
{
	uint64_t sum = 0, weight = 0;
	size_t i;

	for (i = 0; i < jobs->n; i++) {
		sum += (uint64_t)jobs->jobs[i].best.transfer_us / 1000 * jobs->jobs[i].expectation.time_range_milli;
		weight += (uint64_t)jobs->jobs[i].best.transfer_us / 1000;
	}
	return weight > 0 ? (uint32_t)(sum / weight) : jobs->model->options.range_milli;
}

static void fill_times(const struct jobs *jobs, const struct schedule *schedule, const struct bound *bound, struct plan *plan)
{
	uint32_t range = makespan_range(jobs);

	plan->makespan_ms = to_ms(schedule->makespan_us);
	plan->makespan_low_ms = below(plan->makespan_ms, range);
	plan->makespan_high_ms = above(plan->makespan_ms, range);
	plan->lower_bound_ms = bound->lower_us / 1000;
	plan->bottleneck_host = bound->host;
	plan->bottleneck_direction = bound->direction;
	plan->bottleneck_guest = bound->guest;
	snprintf(plan->bottleneck_text, sizeof plan->bottleneck_text, "%s", bound->text);
	if (schedule->makespan_us > (int64_t)mul_div((uint64_t)bound->lower_us, NEAR_BOUND_MILLI, 1000))
		why_last(jobs, schedule, plan->last_text, sizeof plan->last_text);
}

/* They use no link; when they run does not change the times of the others. */
static void add_in_place(const struct draft *draft, struct plan *plan)
{
	struct planned_move *all;
	size_t i;

	if (draft->n_in_place == 0)
		return;
	all = xcalloc(plan->n_moves + draft->n_in_place, sizeof *all);
	for (i = 0; i < plan->n_moves; i++)
		all[i] = plan->moves[i];
	for (i = 0; i < draft->n_in_place; i++)
		all[plan->n_moves++] = draft->in_place[i];
	free(plan->moves);
	plan->moves = all;
}

static void draft_schedule(struct draft *draft, struct plan *plan)
{
	struct jobs jobs = {0};
	struct schedule *schedule;
	struct bound bound;
	bool *targets = open_targets(draft);

	make_jobs(draft, &jobs);
	bound_compute(&jobs, targets, &bound);
	schedule = search_schedule(&jobs, bound.lower_us);
	fill_moves(draft, &jobs, schedule, plan);
	fill_times(&jobs, schedule, &bound, plan);
	add_in_place(draft, plan);
	plan->blocked = draft->blocked;
	plan->n_blocked = draft->n_blocked;
	draft->blocked = NULL;
	draft->n_blocked = 0;
	schedule_free(schedule);
	free(jobs.jobs);
	free(jobs.free_memory);
	free(targets);
}

static void draft_clear(struct draft *draft)
{
	size_t i;

	for (i = 0; i < draft->n_blocked; i++)
		free(draft->blocked[i].name);
	free(draft->blocked);
	free(draft->moves);
	free(draft->in_place);
	free(draft->drained);
	ledger_free(draft->ledger);
}

/* A drain's targets only fill up, so any order is feasible: that of the inventory is as good as another. */
static void number_as_given(struct draft *draft)
{
	size_t i;

	for (i = 0; i < draft->n_moves; i++)
		draft->moves[i].sequence = (uint32_t)i;
}

bool planner_plan(const struct inventory *inventory, const struct request *request, const struct plan_options *options,
	struct plan **ret_plan, struct error *err)
{
	struct draft draft = {.inventory = inventory, .request = request};
	struct plan *plan;

	draft.ledger = ledger_new(inventory, options);
	draft.drained = drained_hosts(inventory, request);
	if (!draft_from_request(&draft, err)) {
		draft_clear(&draft);
		return false;
	}
	draft_place(&draft);
	if (request->kind == REQUEST_DRAIN)
		number_as_given(&draft);
	else
		draft_order(&draft);
	plan = xcalloc(1, sizeof *plan);
	plan->kind = request->kind;
	draft_schedule(&draft, plan);
	inventory_digest(inventory, plan->inventory_digest);
	draft_clear(&draft);
	*ret_plan = plan;
	return true;
}
