/* The engine's entry: one event in, one store batch and some requests out.
 *
 * A step handles the event, admits what may start, re-divides bandwidth, and
 * then turns every record that changed into one store operation, so that a step is one commit. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

struct engine *engine_new(const struct inventory *inventory, const struct engine_options *options)
{
	struct engine *engine = xcalloc(1, sizeof *engine);
	size_t i;

	engine->options = *options;
	engine->options.plan.paths = NULL; /* borrowed by the caller's planner only */
	engine->options.plan.n_paths = 0;
	engine->options.plan.n_lessons = 0;
	engine->inventory = inventory_copy(inventory);
	engine->ledger = ledger_new(engine->inventory, &engine->options.plan);
	engine->next_batch_id = engine->next_move_id = 1;
	engine->next_retry_ms = TIME_NEVER;
	engine->active = xcalloc(ACTIVE_MAX, sizeof *engine->active);
	engine->due_ms = xcalloc(ACTIVE_MAX, sizeof *engine->due_ms);
	engine->admitted = xcalloc(ACTIVE_MAX, sizeof *engine->admitted);
	engine->guest_move = xcalloc(engine->inventory->n_guests, sizeof *engine->guest_move);
	for (i = 0; i < engine->inventory->n_guests; i++)
		engine->guest_move[i] = INDEX_NONE;
	links_init(engine);
	engine->unlinked = (struct waiting_list){INDEX_NONE, INDEX_NONE};
	return engine;
}

void engine_free(struct engine *engine)
{
	size_t i;

	if (engine == NULL)
		return;
	for (i = 0; i < engine->n_batches; i++) {
		batch_record_clear(&engine->batches[i].record);
		request_free(engine->batches[i].request);
	}
	for (i = 0; i < engine->n_moves; i++) {
		move_record_clear(&engine->moves[i].record);
		free(engine->moves[i].excluded);
		free(engine->moves[i].pools);
		free(engine->moves[i].nets);
	}
	ledger_free(engine->ledger);
	inventory_free(engine->inventory);
	free(engine->batches);
	free(engine->moves);
	free(engine->active);
	free(engine->due_ms);
	free(engine->admitted);
	free(engine->guest_move);
	free(engine->loads);
	free(engine->links);
	free(engine->waiting_links);
	free(engine->watched);
	free(engine->limits);
	lessons_free(engine);
	free(engine->down_paths);
	free(engine->ops);
	free(engine->extras);
	free(engine->requests);
	free(engine->changed);
	free(engine);
}

static struct store_op *add_op(struct engine *engine, enum store_op_kind kind)
{
	engine->ops = xgrow(engine->ops, engine->n_ops, sizeof *engine->ops);
	engine->ops[engine->n_ops] = (struct store_op){.kind = kind, .expect_state = MOVE_STATE_COUNT};
	return &engine->ops[engine->n_ops++];
}

struct store_op *engine_add_extra(struct engine *engine, enum store_op_kind kind)
{
	engine->extras = xgrow(engine->extras, engine->n_extras, sizeof *engine->extras);
	engine->extras[engine->n_extras] = (struct store_op){.kind = kind};
	return &engine->extras[engine->n_extras++];
}

void engine_audit(struct engine *engine, const struct batch *batch, const struct move *move, const char *from,
	const char *to, const char *format, ...)
{
	struct audit_record *row = &engine_add_extra(engine, STORE_AUDIT)->audit;
	va_list args;

	row->wall_ms = engine->wall_ms;
	row->batch = batch != NULL ? batch->record.id : 0;
	row->move = move != NULL ? move->record.id : 0;
	snprintf(row->from, sizeof row->from, "%s", from);
	snprintf(row->to, sizeof row->to, "%s", to);
	va_start(args, format);
	vsnprintf(row->text, sizeof row->text, format, args);
	va_end(args);
}

void engine_put_host(struct engine *engine, uint32_t host, bool cordoned, const char *reason, const char *who)
{
	struct host_record *row = &engine_add_extra(engine, STORE_PUT_HOST)->host;

	engine->inventory->hosts[host].cordoned = cordoned;
	ledger_update_host(engine->ledger, host);
	engine->must_admit = true;
	snprintf(row->name, sizeof row->name, "%s", engine->inventory->hosts[host].name);
	snprintf(row->reason, sizeof row->reason, "%s", reason != NULL ? reason : "");
	snprintf(row->who, sizeof row->who, "%s", who != NULL ? who : "");
	row->cordoned = cordoned;
	row->since_wall_ms = engine->wall_ms;
	engine_audit(engine, NULL, NULL, "", "", "host %s %s%s%s", row->name, cordoned ? "cordoned" : "uncordoned",
		row->reason[0] != '\0' ? ": " : "", row->reason);
}

void engine_touch_batch(struct engine *engine, struct batch *batch)
{
	(void)engine;
	batch->is_changed = true;
}

struct move *engine_move_of_tag(struct engine *engine, uint64_t tag, uint32_t *ret_sequence)
{
	uint64_t index = tag >> 32;

	if (index == 0 || index > engine->n_moves)
		return NULL;
	*ret_sequence = (uint32_t)tag;
	return &engine->moves[index - 1];
}

static void handle_reply(struct engine *engine, struct hv_reply *reply)
{
	uint32_t sequence;
	struct move *move = engine_move_of_tag(engine, reply->tag, &sequence);
	uint32_t slot = reply->kind;
	enum side side = SIDE_SOURCE;

	if (move == NULL && reply->kind == HV_PROBE)
		measure_reply(engine, reply);
	if (move != NULL && reply->kind == HV_WHERE && move->pending[SLOT_WHERE_TARGET] == sequence) {
		slot = SLOT_WHERE_TARGET;
		side = SIDE_TARGET;
	} else if (move != NULL && reply->kind == HV_WHERE && move->pending[SLOT_WHERE_OTHER] == sequence) {
		slot = SLOT_WHERE_OTHER;
		side = SIDE_OTHER;
	}
	if (move != NULL)
		move_wake(engine, move);
	if (move != NULL && move->late_prepare == sequence)
		move->late_prepare = 0; /* whatever it did is done now */
	/* A reply that is not the one waited for (late, doubled, given up on) says nothing else. */
	if (move == NULL || move->pending[slot] != sequence)
		return;
	move->pending[slot] = 0;
	run_reply(engine, move, reply, side);
}

static void host_up(struct engine *engine, uint32_t host)
{
	size_t i;

	engine->loads[host].down_since_ms = TIME_NEVER;
	engine->inventory->hosts[host].reachable = true;
	ledger_update_host(engine->ledger, host);
	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];

		if (move->source == host || move->target == host)
			reconcile_hint(engine, move);
	}
	engine->must_admit = true;
}

static void host_down(struct engine *engine, uint32_t host, const struct error *why)
{
	if (engine->loads[host].down_since_ms == TIME_NEVER)
		engine->loads[host].down_since_ms = engine->now_ms;
	engine->inventory->hosts[host].reachable = false;
	engine->inventory->hosts[host].down = *why;
	ledger_update_host(engine->ledger, host);
	engine->must_admit = true;
}

static void wake_all(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_active; i++)
		engine->due_ms[i] = 0;
}

static void handle_note(struct engine *engine, const struct hv_note *note)
{
	uint32_t host = inventory_host(engine->inventory, note->host);
	uint32_t guest;

	if (host == INDEX_NONE)
		return;
	if (note->kind == HV_NOTE_TRAFFIC) {
		links_count(engine, host, note);
		return;
	}
	if (note->kind == HV_NOTE_HOST_UP || note->kind == HV_NOTE_HOST_DOWN) {
		wake_all(engine);
		if (note->kind == HV_NOTE_HOST_UP)
			host_up(engine, host);
		else
			host_down(engine, host, &note->error);
		return;
	}
	guest = inventory_guest(engine->inventory, note->uuid != NULL && note->uuid[0] != '\0' ? note->uuid : note->guest, NULL);
	if (guest != INDEX_NONE && engine->guest_move[guest] != INDEX_NONE &&
		engine->moves[engine->guest_move[guest]].source == host) {
		move_wake(engine, &engine->moves[engine->guest_move[guest]]);
		run_note(engine, &engine->moves[engine->guest_move[guest]], note);
	}
}

/* Most moves wait for a moment that is known: only those are looked at whose moment has come or of which something was heard. */
static void tick(struct engine *engine)
{
	size_t i = 0;

	while (i < engine->n_active) {
		uint32_t at = engine->active[i];

		if (engine->due_ms[i] > engine->now_ms) {
			i++;
			continue;
		}
		run_tick(engine, &engine->moves[at]);
		if (i < engine->n_active && engine->active[i] == at)
			i++; /* otherwise it left and another took its place */
	}
	if (engine->next_retry_ms <= engine->now_ms)
		engine->must_admit = true;
}

static void reckon(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_active; i++)
		if (engine->due_ms[i] <= engine->now_ms)
			engine->due_ms[i] = run_deadline(engine, &engine->moves[engine->active[i]]);
}

/* Records that changed become operations; from here on the engine counts them as stored,
 * because no other step may happen before this batch is durable. */
static void gather(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_batches; i++) {
		if (engine->batches[i].is_changed)
			add_op(engine, STORE_PUT_BATCH)->batch = &engine->batches[i].record;
		engine->batches[i].is_changed = false;
	}
	for (i = 0; i < engine->n_changed; i++) {
		struct move *move = &engine->moves[engine->changed[i]];
		struct store_op *op = add_op(engine, STORE_PUT_MOVE);

		op->move = &move->record;
		op->with_disks = move->disks_changed || !move->is_stored;
		if (move->is_stored) {
			op->expect_state = move->stored_state;
			op->expect_epoch = move->stored_epoch;
		}
		move->is_stored = true;
		move->is_changed = move->disks_changed = false;
		move->stored_state = move->record.state;
		move->stored_epoch = move->record.epoch;
	}
	engine->n_changed = 0;
	/* Batches and moves first: the other rows speak of them. */
	for (i = 0; i < engine->n_extras; i++)
		*add_op(engine, engine->extras[i].kind) = engine->extras[i];
	engine->n_extras = 0;
}

static void handle(struct engine *engine, const struct event *event, struct actions *actions)
{
	if (event->kind == EVENT_RESTORE || event->kind == EVENT_START || event->kind == EVENT_COMMAND)
		wake_all(engine);
	switch (event->kind) {
	case EVENT_WAKE:
		break;
	case EVENT_RESTORE:
		restore_image(engine, event);
		break;
	case EVENT_START:
		batch_start(engine, event, actions);
		break;
	case EVENT_COMMAND:
		batch_command(engine, event, actions);
		break;
	case EVENT_REPLY:
		handle_reply(engine, event->reply);
		break;
	case EVENT_NOTE:
		handle_note(engine, event->note);
		break;
	}
}

/* Hosts that were down when the inventory was made have been down since the first event, for all we know. */
static void begin_clock(struct engine *engine)
{
	size_t i;

	if (engine->is_begun)
		return;
	engine->is_begun = true;
	for (i = 0; i < engine->inventory->n_hosts; i++)
		if (!engine->inventory->hosts[i].reachable)
			engine->loads[i].down_since_ms = engine->now_ms;
}

void engine_step(struct engine *engine, const struct event *event, struct actions *ret_actions)
{
	*ret_actions = (struct actions){0};
	/* A monotonic clock that steps back is the caller's mistake; it must not undo a deadline. */
	if (event->now_ms > engine->now_ms)
		engine->now_ms = event->now_ms;
	engine->wall_ms = event->wall_ms;
	begin_clock(engine);
	engine->n_ops = engine->n_requests = 0;
	handle(engine, event, ret_actions);
	tick(engine);
	if (engine->must_admit) {
		engine->must_admit = false;
		admission_run(engine);
	}
	if (engine->must_grant) {
		engine->must_grant = false;
		bandwidth_grant(engine);
	}
	reckon(engine);
	gather(engine);
	ret_actions->ops = engine->ops;
	ret_actions->n_ops = engine->n_ops;
	ret_actions->requests = engine->requests;
	ret_actions->n_requests = engine->n_requests;
}

int64_t engine_deadline(const struct engine *engine)
{
	int64_t deadline = engine->n_waiting > 0 ? engine->next_retry_ms : TIME_NEVER;
	size_t i;

	for (i = 0; i < engine->n_active; i++)
		if (engine->due_ms[i] < deadline)
			deadline = engine->due_ms[i];
	return deadline;
}

const struct inventory *engine_inventory(const struct engine *engine)
{
	return engine->inventory;
}

bool engine_is_idle(const struct engine *engine)
{
	return engine->n_active == 0 && engine->n_waiting == 0;
}

bool engine_is_quiet(const struct engine *engine)
{
	return engine->n_active == 0;
}

size_t engine_n_batches(const struct engine *engine)
{
	return engine->n_batches;
}

const struct batch_record *engine_batch(const struct engine *engine, size_t i)
{
	assert(i < engine->n_batches);
	return &engine->batches[i].record;
}

size_t engine_n_moves(const struct engine *engine)
{
	return engine->n_moves;
}

const struct move_record *engine_move(const struct engine *engine, size_t i)
{
	assert(i < engine->n_moves);
	return &engine->moves[i].record;
}

size_t engine_n_paths(const struct engine *engine)
{
	return engine->n_paths;
}

const struct path_rate *engine_path(const struct engine *engine, size_t i)
{
	assert(i < engine->n_paths);
	return &engine->paths[i];
}
