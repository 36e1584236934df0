/* The driver of a trial and its invariants. */
#include "trial.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_fault.h"
#include "store_memory.h"
#include "xalloc.h"

static const int64_t WALL_START_MS = 1700000000000;

static void run_event(struct trial *trial, struct event *event, struct actions *ret_actions)
{
	struct turn turn = {.engine = trial->engine, .store = trial->store, .hypervisor = sim_hypervisor(trial->sim)};
	struct error why;

	if (trial->engine == NULL || trial->is_dead)
		return;
	event->now_ms = trial->now_ms;
	event->wall_ms = WALL_START_MS + trial->now_ms;
	trial->n_events++;
	if (!turn_run(&turn, event, ret_actions, &why)) {
		/* What the commit did not keep never happened: exactly a kill at this point. */
		trial->is_dead = true;
		return;
	}
	trial_check(trial);
}

static void on_reply(void *self, struct hv_reply *reply)
{
	struct event event = {.kind = EVENT_REPLY, .reply = reply};
	struct actions actions;

	run_event(self, &event, &actions);
	hv_reply_clear(reply);
}

static void on_note(void *self, const struct hv_note *note)
{
	struct event event = {.kind = EVENT_NOTE, .note = note};
	struct actions actions;

	run_event(self, &event, &actions);
}

static void listen(struct trial *trial)
{
	const struct hv_listener listener = {.self = trial, .on_reply = on_reply, .on_note = on_note};

	sim_set_listener(trial->sim, &listener);
}

struct trial *trial_new(struct inventory *inventory, const struct sim_options *sim_options,
	const struct engine_options *options)
{
	struct trial *trial = xcalloc(1, sizeof *trial);
	struct sim_options sim_defaults;

	sim_options_init(&sim_defaults);
	engine_options_init(&trial->options);
	if (options != NULL)
		trial->options = *options;
	if (inventory->index == NULL && !inventory_seal(inventory, &trial->error)) {
		fprintf(stderr, "%s\n", trial->error.message);
		abort();
	}
	trial->inventory = inventory;
	trial->sim = sim_new(inventory, sim_options != NULL ? sim_options : &sim_defaults);
	trial->store = store_fault_new(store_memory_new("00000000-0000-4000-8000-000000000001"));
	trial->engine = NULL;
	trial_restart(trial);
	trial->n_restarts = 0;
	return trial;
}

void trial_free(struct trial *trial)
{
	engine_free(trial->engine);
	trial->store->close(trial->store);
	sim_free(trial->sim);
	inventory_free(trial->inventory);
	request_free(trial->request);
	free(trial);
}

void trial_kill(struct trial *trial)
{
	engine_free(trial->engine);
	trial->engine = NULL;
	sim_drop_manager(trial->sim);
}

void trial_restart(struct trial *trial)
{
	struct inventory *found = sim_inventory(trial->sim);
	struct store_image *image = NULL;
	struct request **requests = NULL;
	struct event event = {.kind = EVENT_RESTORE};
	struct actions actions;
	size_t i;

	assert(trial->engine == NULL);
	trial->is_dead = false;
	trial->n_restarts++;
	trial->engine = engine_new(found, &trial->options);
	inventory_free(found);
	listen(trial);
	if (store_fault_is_crashed(trial->store))
		store_fault_restart(trial->store);
	if (!trial->store->load(trial->store, &image, &trial->error)) {
		trial->is_failed = true;
		return;
	}
	requests = xcalloc(image->n_batches, sizeof *requests);
	for (i = 0; i < image->n_batches; i++)
		requests[i] = trial->request;
	event.restore.image = image;
	event.restore.requests = requests;
	run_event(trial, &event, &actions);
	store_image_free(image);
	free(requests);
}

uint64_t trial_start(struct trial *trial, struct request *request)
{
	struct plan *plan = NULL;
	struct event event = {.kind = EVENT_START};
	struct actions actions = {0};

	request_free(trial->request);
	trial->request = request;
	if (trial->engine == NULL || !planner_plan(engine_inventory(trial->engine), request, &trial->options.plan, &plan, &trial->error))
		return 0;
	event.start.request = request;
	event.start.plan = plan;
	event.start.who = "trial";
	run_event(trial, &event, &actions);
	plan_free(plan);
	if (actions.error.code != ERR_NONE)
		trial->error = actions.error;
	return actions.batch;
}

uint64_t trial_drain(struct trial *trial, const char *host)
{
	struct request *request = request_new(REQUEST_DRAIN);

	strings_add(&request->hosts, &request->n_hosts, host);
	return trial_start(trial, request);
}

void trial_command(struct trial *trial, enum command_kind kind, uint64_t batch, const char *guest)
{
	struct event event = {.kind = EVENT_COMMAND};
	struct actions actions;

	event.command.kind = kind;
	event.command.batch = batch;
	event.command.guest = guest;
	event.command.who = "trial";
	event.command.options = &trial->options;
	run_event(trial, &event, &actions);
}

bool trial_step(struct trial *trial, int64_t until_ms)
{
	int64_t world = sim_next_ms(trial->sim);
	int64_t wake = trial->engine != NULL && !trial->is_dead ? engine_deadline(trial->engine) : TIME_NEVER;
	int64_t next = world < wake ? world : wake;

	if (next > until_ms || next == TIME_NEVER)
		return false;
	if (next > trial->now_ms)
		trial->now_ms = next;
	sim_advance(trial->sim, trial->now_ms);
	if (trial->engine != NULL && !trial->is_dead && engine_deadline(trial->engine) <= trial->now_ms) {
		struct event event = {.kind = EVENT_WAKE};
		struct actions actions;

		run_event(trial, &event, &actions);
	}
	return true;
}

bool trial_run(struct trial *trial, int64_t for_ms)
{
	int64_t until_ms = trial->now_ms + for_ms;

	while (!trial->is_failed && !trial->is_dead && !engine_is_idle(trial->engine) && trial_step(trial, until_ms))
		;
	return !trial->is_failed && !trial->is_dead && engine_is_idle(trial->engine);
}

static bool broken(struct trial *trial, const char *what)
{
	if (!trial->is_failed) {
		trial->is_failed = true;
		error_wrap(&trial->error, "at %lld ms, event %llu: %s", (long long)trial->now_ms,
			(unsigned long long)trial->n_events, what);
	}
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The store holds what the engine believes, after every commit. */
static bool store_equals_engine(struct trial *trial)
{
	struct store_image *image;
	size_t i, j;
	bool equal = true;

	if (!trial->store->load(trial->store, &image, &trial->error))
		return false;
	for (i = 0; i < engine_n_moves(trial->engine) && equal; i++) {
		const struct move_record *own = engine_move(trial->engine, i);

		for (j = 0; j < image->n_moves && image->moves[j].id != own->id; j++)
			;
		equal = j < image->n_moves && image->moves[j].state == own->state && image->moves[j].epoch == own->epoch &&
			same_text(image->moves[j].target, own->target) && image->moves[j].n_disks == own->n_disks;
		if (!equal)
			error_set(&trial->error, ERR_INTERNAL, "move %llu of guest %s: the store differs from the engine",
				(unsigned long long)own->id, own->guest);
	}
	store_image_free(image);
	return equal;
}

/* No configured limit is ever exceeded, as the hosts see it. */
static bool limits_hold(struct trial *trial)
{
	struct sim_counters counters;
	uint32_t limit = trial->options.max_migrations;

	sim_counters(trial->sim, &counters);
	if (limit != 0 && counters.in_flight > limit && trial->n_restarts == 0)
		return error_set(&trial->error, ERR_INTERNAL, "%u migrations run, of %u allowed", counters.in_flight, limit);
	return true;
}

static bool waits_have_reasons(struct trial *trial)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		struct move_live live;

		if (engine_move(trial->engine, i)->state != MOVE_WAITING)
			continue;
		engine_move_live(trial->engine, i, &live);
		if (live.waiting.code == ERR_NONE || live.waiting.message[0] == '\0')
			return error_set(&trial->error, ERR_INTERNAL, "guest %s waits without a reason",
				engine_move(trial->engine, i)->guest);
	}
	return true;
}

bool trial_check(struct trial *trial)
{
	if (trial->is_failed)
		return false;
	if (!sim_check(trial->sim, &trial->error))
		return broken(trial, "world");
	if (!limits_hold(trial))
		return broken(trial, "limits");
	/* Costly ones now and then: every event would make a run quadratic. */
	if (trial->n_events % 64 == 0 && !trial->is_dead && trial->engine != NULL &&
		(!store_equals_engine(trial) || !waits_have_reasons(trial)))
		return broken(trial, "state");
	return true;
}

bool trial_check_settled(struct trial *trial)
{
	struct sim_leftover *left = NULL;
	size_t n;

	if (trial->is_failed)
		return false;
	if (!sim_check_settled(trial->sim, &trial->error))
		return broken(trial, "settled world");
	if (!store_equals_engine(trial))
		return broken(trial, "settled state");
	n = sim_leftovers(trial->sim, &left);
	if (n > 0)
		error_set(&trial->error, ERR_INTERNAL, "%zu left over, the first: %s", n, left[0].text);
	free(left);
	return n == 0 || broken(trial, "leftovers");
}

const char *trial_where(const struct trial *trial, const char *guest)
{
	uint32_t host = sim_guest_runs_on(trial->sim, sim_guest_index(trial->sim, guest));

	return host == INDEX_NONE ? NULL : trial->inventory->hosts[host].name;
}

const struct move_record *trial_move(const struct trial *trial, const char *guest)
{
	size_t i;

	for (i = engine_n_moves(trial->engine); i > 0; i--)
		if (strcmp(engine_move(trial->engine, i - 1)->guest, guest) == 0)
			return engine_move(trial->engine, i - 1);
	return NULL;
}

void trial_dump(struct trial *trial)
{
	struct audit_record *rows = NULL;
	size_t n = 0, i;

	if (trial->store->audit(trial->store, 0, &rows, &n, NULL))
		for (i = 0; i < n; i++)
			fprintf(stderr, "%8lld %s>%s %s\n", (long long)(rows[i].wall_ms - WALL_START_MS), rows[i].from,
				rows[i].to, rows[i].text);
	free(rows);
	for (i = 0; trial->engine != NULL && i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);
		struct move_live live;

		engine_move_live(trial->engine, i, &live);
		if (!move_state_is_end(move->state))
			fprintf(stderr, "%s %s>%s %s attempts %u: %s / %s\n", move->guest, move->source, move->target,
				move_state_name(move->state), move->attempts, live.waiting.message, move->error.message);
	}
	fprintf(stderr, "now %lld, %llu events, world next %lld, engine next %lld, %s\n", (long long)trial->now_ms,
		(unsigned long long)trial->n_events, (long long)sim_next_ms(trial->sim),
		trial->engine != NULL ? (long long)engine_deadline(trial->engine) : -1LL, trial->error.message);
}
