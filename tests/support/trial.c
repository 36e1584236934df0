/* The driver of a trial: turns of the engine, the world's time, kills and restarts. */
#include "trial.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_fault.h"
#include "store_memory.h"
#include "xalloc.h"

/* More events than this without time going on is a loop, not work. */
enum { IDLE_STEPS_MAX = 50000 };

static const int64_t WALL_START_MS = 1700000000000;

static void run_event(struct trial *trial, struct event *event, struct actions *ret_actions)
{
	struct turn turn = {.engine = trial->engine, .store = &trial->watch.store, .hypervisor = &trial->watch.hypervisor};
	unsigned retries = trial->store_retries;
	struct error why;
	bool is_sent;

	*ret_actions = (struct actions){0};
	if (trial->engine == NULL || trial->is_dead)
		return;
	event->now_ms = trial->now_ms - trial->early_ms;
	event->wall_ms = WALL_START_MS + trial->now_ms + trial->wall_skew_ms;
	trial->early_ms = 0;
	trial->n_events++;
	is_sent = turn_run(&turn, event, ret_actions, &why);
	while (!is_sent && retries-- > 0 && !trial->watch.is_dead)
		is_sent = turn_retry(&turn, ret_actions, &why);
	/* What the commit did not keep never happened: exactly a kill at this point. */
	trial->is_dead = !is_sent || trial->watch.is_dead;
	trial_check(trial);
}

/* What a manager that stands still will hear when it goes on. */
struct trial_told {
	struct trial_told *next;
	bool is_note;
	struct hv_reply reply;
	struct hv_note note; /* its names are the simulator's */
};

static void hear(struct trial *trial, struct trial_told *told)
{
	struct event event = {.kind = EVENT_NOTE, .note = &told->note};
	struct actions actions;

	if (!told->is_note)
		event = (struct event){.kind = EVENT_REPLY, .reply = &told->reply};
	run_event(trial, &event, &actions);
	hv_reply_clear(&told->reply);
}

static void tell(struct trial *trial, const struct trial_told *told)
{
	struct trial_told now = *told, *later;

	if (trial->stalled_until_ms <= trial->now_ms && trial->told == NULL) {
		hear(trial, &now);
		return;
	}
	later = xcalloc(1, sizeof *later);
	*later = *told;
	*trial->last_told = later;
	trial->last_told = &later->next;
}

static void hear_all(struct trial *trial, bool is_heard)
{
	struct trial_told *told;

	while ((told = trial->told) != NULL) {
		trial->told = told->next;
		if (trial->told == NULL)
			trial->last_told = &trial->told;
		if (is_heard && !trial->is_dead)
			hear(trial, told);
		else
			hv_reply_clear(&told->reply);
		free(told);
	}
}

static void on_reply(void *self, struct hv_reply *reply)
{
	struct trial_told told = {.reply = *reply};

	memset(reply, 0, sizeof *reply); /* moved */
	tell(self, &told);
}

static void on_note(void *self, const struct hv_note *note)
{
	struct trial_told told = {.is_note = true, .note = *note};

	tell(self, &told);
}

struct trial *trial_new_on(struct store *store, struct inventory *inventory, const struct sim_options *sim_options,
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
	trial->last_told = &trial->told;
	trial->counts = xcalloc(inventory->n_hosts, sizeof *trial->counts);
	trial->guests = xcalloc(inventory->n_guests, sizeof *trial->guests);
	trial->full_check_every = 256;
	trial->check_every = 1;
	trial->sim = sim_new(inventory, sim_options != NULL ? sim_options : &sim_defaults);
	trial->store = store_fault_new(store);
	trial_watch_init(&trial->watch, trial->store, sim_hypervisor(trial->sim));
	trial_restart(trial);
	trial->n_restarts = 0;
	return trial;
}

struct trial *trial_new(struct inventory *inventory, const struct sim_options *sim_options,
	const struct engine_options *options)
{
	return trial_new_on(store_memory_new("00000000-0000-4000-8000-000000000001"), inventory, sim_options, options);
}

void trial_free(struct trial *trial)
{
	size_t i;

	engine_free(trial->engine);
	hear_all(trial, false);
	free(trial->counts);
	trial_watch_clear(&trial->watch);
	sim_free(trial->sim);
	inventory_free(trial->inventory);
	for (i = 0; i < trial->n_requests; i++)
		request_free(trial->requests[i]);
	free(trial->requests);
	free(trial->guests);
	free(trial);
}

void trial_kill(struct trial *trial)
{
	engine_free(trial->engine);
	trial->engine = NULL;
	trial->stalled_until_ms = 0;
	hear_all(trial, false);
	sim_drop_manager(trial->sim);
}

static void restore(struct trial *trial, const struct store_image *image)
{
	struct request **requests = xcalloc(image->n_batches, sizeof *requests);
	struct event event = {.kind = EVENT_RESTORE};
	struct actions actions;
	size_t i;

	for (i = 0; i < image->n_batches; i++)
		requests[i] = image->batches[i].id <= trial->n_requests ? trial->requests[image->batches[i].id - 1] : NULL;
	event.restore.image = image;
	event.restore.requests = requests;
	run_event(trial, &event, &actions);
	free(requests);
}

/* A new life counts what it finds in doubt again: whatever that is may stay. */
static void forget_counts(struct trial *trial)
{
	enum { ANY = 1 << 20 };
	size_t i;

	for (i = 0; i < trial->inventory->n_hosts; i++)
		trial->counts[i] = (struct trial_count){.out = ANY, .in = ANY, .out_storage = ANY, .in_storage = ANY};
	trial->n_moving = ANY;
}

void trial_restart(struct trial *trial)
{
	struct inventory *found = sim_inventory_seen(trial->sim);
	const struct hv_listener listener = {.self = trial, .on_reply = on_reply, .on_note = on_note};
	struct store_image *image = NULL;

	assert(trial->engine == NULL);
	trial->is_dead = trial->watch.is_dead = false;
	trial->watch.crash_at = 0;
	trial->n_restarts++;
	forget_counts(trial);
	trial->engine = engine_new(found, &trial->options);
	inventory_free(found);
	sim_set_listener(trial->sim, &listener);
	if (store_fault_is_crashed(trial->store))
		store_fault_restart(trial->store);
	if (!trial->store->load(trial->store, &image, &trial->error)) {
		trial->is_failed = true;
		return;
	}
	restore(trial, image);
	store_image_free(image);
}

void trial_crash_at(struct trial *trial, uint64_t n, bool is_durable, size_t n_sends)
{
	trial->watch.crash_at = trial->watch.n_commits + n;
	trial->watch.is_crash_after = is_durable;
	trial->watch.sends_left = is_durable ? n_sends : 0;
}

/* Kept before the batch is: the store keeps the request in the same commit. */
static void keep_request(struct trial *trial, uint64_t batch, struct request *request)
{
	while (trial->n_requests < batch) {
		trial->requests = xgrow(trial->requests, trial->n_requests, sizeof(struct request *));
		trial->requests[trial->n_requests++] = NULL;
	}
	request_free(trial->requests[batch - 1]);
	trial->requests[batch - 1] = request;
}

uint64_t trial_start(struct trial *trial, struct request *request)
{
	struct plan *plan = NULL;
	struct event event = {.kind = EVENT_START};
	struct actions actions = {0};

	if (trial->engine == NULL || trial->is_dead ||
		!planner_plan(engine_inventory(trial->engine), request, &trial->options.plan, &plan, &trial->error)) {
		request_free(request);
		return 0;
	}
	event.start.request = request;
	event.start.plan = plan;
	event.start.who = "trial";
	run_event(trial, &event, &actions);
	plan_free(plan);
	if (actions.error.code != ERR_NONE)
		trial->error = actions.error;
	if (actions.batch != 0)
		keep_request(trial, actions.batch, request);
	else
		request_free(request);
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

/* What is admitted now may stay. From now on that is counted and not what the hosts see, which may be less: a new life takes every move in
 * doubt for one that is under way. */
static void before_other_limits(struct trial *trial)
{
	if (!trial->was_reloaded)
		forget_counts(trial);
	trial->was_reloaded = true;
	trial_check(trial);
}

void trial_limit(struct trial *trial, enum limit_kind kind, const char *host, uint64_t value)
{
	struct limit limit = {.kind = kind, .value = value};
	struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_THROTTLE, .limits = &limit, .n_limits = 1, .who = "trial"}};
	struct actions actions;

	before_other_limits(trial);
	if (host != NULL)
		snprintf(limit.host, sizeof limit.host, "%s", host);
	run_event(trial, &event, &actions);
}

void trial_note(struct trial *trial, const struct hv_note *note)
{
	struct event event = {.kind = EVENT_NOTE, .note = note};
	struct actions actions;

	run_event(trial, &event, &actions);
}

void trial_cordon(struct trial *trial, const char *host, bool cordon)
{
	struct event event = {.kind = EVENT_COMMAND};
	struct actions actions;

	event.command.kind = cordon ? COMMAND_CORDON : COMMAND_UNCORDON;
	event.command.host = host;
	event.command.who = "trial";
	run_event(trial, &event, &actions);
}

void trial_reload(struct trial *trial, const struct engine_options *options)
{
	before_other_limits(trial);
	trial->options = *options;
	trial_command(trial, COMMAND_RELOAD, 0, NULL);
}

void trial_stall(struct trial *trial, int64_t for_ms)
{
	trial->stalled_until_ms = trial->now_ms + for_ms;
}

static bool goes_round(struct trial *trial, int64_t next_ms)
{
	trial->n_idle_steps = next_ms > trial->now_ms ? 0 : trial->n_idle_steps + 1;
	if (trial->n_idle_steps <= IDLE_STEPS_MAX)
		return false;
	trial->is_failed = true;
	error_set(&trial->error, ERR_INTERNAL, "at %lld ms: %d events and time stands still", (long long)trial->now_ms,
		IDLE_STEPS_MAX);
	return true;
}

bool trial_step(struct trial *trial, int64_t until_ms)
{
	int64_t world = sim_next_ms(trial->sim);
	bool is_stalled = trial->stalled_until_ms > trial->now_ms;
	int64_t deadline = trial->engine != NULL && !trial->is_dead ? engine_deadline(trial->engine) : TIME_NEVER;
	int64_t wake = is_stalled ? trial->stalled_until_ms : deadline;
	int64_t next = world < wake ? world : wake;

	if (next > until_ms || next == TIME_NEVER || goes_round(trial, next))
		return false;
	if (next > trial->now_ms)
		trial->now_ms = next;
	sim_advance(trial->sim, trial->now_ms);
	if (trial->stalled_until_ms > trial->now_ms)
		return true;
	hear_all(trial, true);
	if (trial->engine != NULL && !trial->is_dead && engine_deadline(trial->engine) <= trial->now_ms) {
		struct event event = {.kind = EVENT_WAKE};
		struct actions actions;

		run_event(trial, &event, &actions);
	}
	return true;
}

static bool can_go_on(const struct trial *trial)
{
	return !trial->is_failed && !trial->is_dead && trial->engine != NULL;
}

bool trial_run(struct trial *trial, int64_t for_ms)
{
	int64_t until_ms = trial->now_ms + for_ms;

	while (can_go_on(trial) && !engine_is_idle(trial->engine) && trial_step(trial, until_ms))
		;
	return can_go_on(trial) && engine_is_idle(trial->engine);
}

bool trial_run_until(struct trial *trial, const char *guest, enum move_state state, int64_t for_ms)
{
	int64_t until_ms = trial->now_ms + for_ms;

	while (can_go_on(trial)) {
		const struct move_record *move = trial_move(trial, guest);

		if (move != NULL && move->state == state)
			return true;
		if (!trial_step(trial, until_ms))
			break;
	}
	return false;
}

bool trial_run_until_phase(struct trial *trial, const char *guest, enum sim_phase phase, int64_t for_ms)
{
	int64_t until_ms = trial->now_ms + for_ms;
	uint32_t index = sim_guest_index(trial->sim, guest);

	while (can_go_on(trial) && sim_guest_phase(trial->sim, index) != phase)
		if (!trial_step(trial, until_ms))
			return false;
	return can_go_on(trial);
}

const char *trial_where(const struct trial *trial, const char *guest)
{
	uint32_t host = sim_guest_runs_on(trial->sim, sim_guest_index(trial->sim, guest));

	return host == INDEX_NONE ? NULL : trial->inventory->hosts[host].name;
}

const struct move_record *trial_move(const struct trial *trial, const char *guest)
{
	size_t i;

	for (i = trial->engine != NULL ? engine_n_moves(trial->engine) : 0; i > 0; i--)
		if (strcmp(engine_move(trial->engine, i - 1)->guest, guest) == 0)
			return engine_move(trial->engine, i - 1);
	return NULL;
}

size_t trial_audited(struct trial *trial, const char *text)
{
	struct audit_record *rows = NULL;
	size_t n = 0, i, found = 0;

	if (!trial->store->audit(trial->store, 0, &rows, &n, NULL))
		return 0;
	for (i = 0; i < n; i++)
		found += strstr(rows[i].text, text) != NULL;
	free(rows);
	return found;
}

static void dump_moves(struct trial *trial)
{
	size_t i;

	for (i = 0; trial->engine != NULL && i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);
		struct move_live live;

		engine_move_live(trial->engine, i, &live);
		if (!move_state_is_end(move->state))
			fprintf(stderr, "%s %s>%s %s attempts %u: %s / %s\n", move->guest, move->source, move->target,
				move_state_name(move->state), move->attempts, live.waiting.message, move->error.message);
	}
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
	dump_moves(trial);
	fprintf(stderr, "now %lld, %llu events, %llu restarts, world next %lld, engine next %lld, %s\n",
		(long long)trial->now_ms, (unsigned long long)trial->n_events, (unsigned long long)trial->n_restarts,
		(long long)sim_next_ms(trial->sim), trial->engine != NULL ? (long long)engine_deadline(trial->engine) : -1LL,
		trial->error.message);
}
