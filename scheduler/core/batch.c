/* Batches: made from a plan, steered by commands, ended when their last move has. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

static struct batch *find_batch(struct engine *engine, uint64_t id)
{
	size_t i;

	for (i = 0; i < engine->n_batches; i++)
		if (engine->batches[i].record.id == id)
			return &engine->batches[i];
	return NULL;
}

static char *join(char *const *texts, size_t n)
{
	char *joined = NULL;
	size_t i;

	for (i = 0; i < n; i++) {
		char *longer = xprintf("%s%s%s", joined != NULL ? joined : "", i > 0 ? "," : "", texts[i]);

		free(joined);
		joined = longer;
	}
	return joined;
}

static struct batch *add_batch(struct engine *engine, const struct event *event)
{
	const struct plan *plan = event->start.plan;
	const struct request *request = event->start.request;
	struct batch *batch;

	engine->batches = xgrow(engine->batches, engine->n_batches, sizeof *engine->batches);
	batch = &engine->batches[engine->n_batches++];
	*batch = (struct batch){
		.record = {
			.id = engine->next_batch_id++,
			.kind = request->kind,
			.state = BATCH_RUNNING,
			.title = xstrdup(event->start.title != NULL ? event->start.title : request_kind_name(request->kind)),
			.reason = xstrdup(request->reason),
			.who = xstrdup(event->start.who),
			.hosts = join(request->hosts, request->n_hosts),
			.created_wall_ms = engine->wall_ms,
			.planned_makespan_ms = plan->makespan_ms,
			.lower_bound_ms = plan->lower_bound_ms,
			.request_json = xstrdup(event->start.request_json),
		},
		.request = request_copy(request),
		.first_move = (uint32_t)engine->n_moves,
		.started_ms = engine->now_ms,
		.is_changed = true,
	};
	return batch;
}

/* The moves array may be moved in memory: callers hold indices, not pointers, over this. */
static struct move *add_move(struct engine *engine, uint32_t batch, uint32_t guest, uint32_t source)
{
	const struct guest *facts = &engine->inventory->guests[guest];
	struct move *move;

	engine->moves = xgrow(engine->moves, engine->n_moves, sizeof *engine->moves);
	move = &engine->moves[engine->n_moves];
	*move = (struct move){
		.record = {
			.id = engine->next_move_id++,
			.batch = engine->batches[batch].record.id,
			.order = (uint32_t)engine->n_moves - engine->batches[batch].first_move,
			.guest = xstrdup(facts->name),
			.source = xstrdup(engine->inventory->hosts[source].name),
			.state = MOVE_PLANNED,
			.measured_downtime_ms = -1,
			.autostart = facts->autostart,
			.persistent = facts->persistent,
			.was_paused = facts->state == GUEST_PAUSED,
		},
		.index = (uint32_t)engine->n_moves,
		.batch = batch,
		.guest = guest,
		.source = source,
		.target = INDEX_NONE,
		.wanted = INDEX_NONE,
		.after = INDEX_NONE,
		.other_leg = INDEX_NONE,
		.active_at = INDEX_NONE,
		.next_waiting = INDEX_NONE,
		.previous_waiting = INDEX_NONE,
	};
	memcpy(move->record.uuid, facts->uuid, sizeof move->record.uuid);
	engine->n_moves++;
	engine->batches[batch].n_moves++;
	move_touch(engine, move);
	return move;
}

/* Moves of one batch have numbers in a row. */
static void wait_for(struct engine *engine, struct move *move, uint32_t planned_after)
{
	if (planned_after == INDEX_NONE)
		return;
	move->after = engine->batches[move->batch].first_move + planned_after;
	move->record.after = move->record.id - move->record.order + planned_after;
}

static void add_planned(struct engine *engine, uint32_t batch, const struct planned_move *planned)
{
	struct move *move = add_move(engine, batch, planned->guest,
		planned->leg == LEG_SECOND ? planned->source : engine->inventory->guests[planned->guest].host);

	move->wanted = planned->wanted;
	move->record.kind = planned->kind;
	move->record.method = planned->method;
	move->record.leg = planned->leg;
	move->record.reason = xstrdup(planned->reason);
	move->record.planned_start_ms = planned->start_ms;
	move->record.planned_duration_ms = planned->duration_ms;
	move->record.planned_downtime_ms = planned->downtime_ms;
	move->record.planned_bytes = planned->bytes;
	move->record.planned_rate_bytes_per_s = planned->rate_bytes_per_s;
	move->planned_disk_bytes = planned->disk_bytes;
	move->rate_is_assumed = planned->rate_is_assumed;
	wait_for(engine, move, planned->after);
	move_take_wishes(engine, move);
	if (planned->leg == LEG_SECOND)
		legs_link(engine, move);
	else
		engine->guest_move[planned->guest] = move->index;
	move_set_target(engine, move, planned->target);
	engine->batches[batch].n_unfinished++;
	move_set_state(engine, move, MOVE_WAITING, "planned: %s", planned->reason);
	move_wait(engine, move, 0);
}

/* A guest that cannot move is a failed move from the start, so that status and report name it. */
static void add_blocked(struct engine *engine, uint32_t batch, const struct blocked_guest *blocked)
{
	struct move *move;

	if (blocked->guest == INDEX_NONE)
		return;
	move = add_move(engine, batch, blocked->guest, engine->inventory->guests[blocked->guest].host);
	move->record.error = blocked->error;
	move->record.ended_wall_ms = engine->wall_ms;
	move_set_state(engine, move, MOVE_FAILED, "%s", blocked->error.message);
}

static bool guests_are_free(const struct engine *engine, const struct plan *plan, struct error *err)
{
	size_t i;

	for (i = 0; i < plan->n_moves; i++) {
		uint32_t other = engine->guest_move[plan->moves[i].guest];

		if (other != INDEX_NONE)
			return error_set(err, ERR_GUEST_IN_BATCH, "guest %s belongs to batch %llu (%s), which is not finished",
				engine->inventory->guests[plan->moves[i].guest].name,
				(unsigned long long)engine->moves[other].record.batch,
				engine->batches[engine->moves[other].batch].record.title);
	}
	return true;
}

static void cordon_hosts(struct engine *engine, const struct request *request, const char *who)
{
	size_t i;

	if (request->kind != REQUEST_DRAIN && request->kind != REQUEST_RETURN)
		return;
	for (i = 0; i < request->n_hosts; i++) {
		uint32_t host = inventory_host(engine->inventory, request->hosts[i]);

		if (host != INDEX_NONE)
			engine_put_host(engine, host, request->kind == REQUEST_DRAIN,
				request->reason != NULL ? request->reason : request_kind_name(request->kind), who);
	}
}

static void end_batch_if_over(struct engine *engine, struct batch *batch)
{
	uint32_t done = 0, cancelled = 0, guests = 0, moved = 0, i;
	enum batch_state state;

	if (batch->n_unfinished > 0 || batch_state_is_end(batch->record.state))
		return;
	for (i = 0; i < batch->n_moves; i++) {
		const struct move_record *move = &engine->moves[batch->first_move + i].record;

		done += move->state == MOVE_DONE;
		cancelled += move->state == MOVE_CANCELLED;
		guests += move->leg != LEG_FIRST;
		moved += move->leg != LEG_FIRST && move->state == MOVE_DONE;
	}
	if (done == batch->n_moves)
		state = BATCH_DONE;
	else
		state = cancelled > 0 && cancelled + done == batch->n_moves ? BATCH_CANCELLED : BATCH_SOME_LEFT;
	batch->record.state = state;
	batch->record.ended_wall_ms = engine->wall_ms;
	engine_touch_batch(engine, batch);
	engine_audit(engine, batch, NULL, "running", batch_state_name(state), "%u of %u moved", moved, guests);
}

void batch_move_ended(struct engine *engine, struct move *move)
{
	struct batch *batch = &engine->batches[move->batch];

	assert(batch->n_unfinished > 0);
	batch->n_unfinished--;
	end_batch_if_over(engine, batch);
}

void batch_start(struct engine *engine, const struct event *event, struct actions *actions)
{
	const struct plan *plan = event->start.plan;
	uint32_t at;
	size_t i;

	if (!guests_are_free(engine, plan, &actions->error))
		return;
	add_batch(engine, event);
	at = (uint32_t)engine->n_batches - 1;
	cordon_hosts(engine, event->start.request, event->start.who);
	for (i = 0; i < plan->n_moves; i++)
		add_planned(engine, at, &plan->moves[i]);
	for (i = 0; i < plan->n_blocked; i++)
		add_blocked(engine, at, &plan->blocked[i]);
	actions->batch = engine->batches[at].record.id;
	engine_audit(engine, &engine->batches[at], NULL, "", "running", "%s: %zu moves, %zu blocked",
		engine->batches[at].record.title, plan->n_moves, plan->n_blocked);
	measure_begin(engine, &engine->batches[at]);
	end_batch_if_over(engine, &engine->batches[at]);
	engine->must_admit = true;
}

/* False: it can only end, and why. */
static bool cancel_move(struct engine *engine, struct move *move, struct error *err)
{
	struct error why;

	if (move_state_is_end(move->record.state) || move->record.cancel_requested)
		return true;
	if (move->record.state == MOVE_POST_COPY)
		return error_set(err, ERR_IN_POST_COPY, "guest %s is in post-copy, with its memory on both %s and %s: its move cannot be cancelled, it ends on %s",
			move->record.guest, move->record.source, move->record.target, move->record.target);
	move->record.cancel_requested = true;
	move_touch(engine, move);
	if (move->is_waiting) {
		error_set(&why, ERR_CANCELLED, "guest %s was waiting when the batch was cancelled", move->record.guest);
		move_end(engine, move, MOVE_CANCELLED, &why);
	} else {
		run_abort(engine, move);
	}
	return true;
}

static void cancel_batch(struct engine *engine, struct batch *batch, const char *guest, const char *who, struct error *err)
{
	struct error why;
	uint32_t i;

	if (guest == NULL && batch->record.state != BATCH_CANCELLING) {
		batch->record.state = BATCH_CANCELLING;
		engine_touch_batch(engine, batch);
	}
	engine_audit(engine, batch, NULL, "", "", "cancel %s asked by %s", guest != NULL ? guest : "all",
		who != NULL ? who : "operator");
	for (i = 0; i < batch->n_moves; i++) {
		struct move *move = &engine->moves[batch->first_move + i];

		if (guest != NULL && strcmp(move->record.guest, guest) != 0 && strcmp(move->record.uuid, guest) != 0)
			continue;
		if (cancel_move(engine, move, &why))
			continue;
		engine_audit(engine, batch, move, "", "", "%s", why.message);
		*err = why; /* the others are cancelled all the same */
	}
}

static void pause_batch(struct engine *engine, struct batch *batch, bool pause, const char *who)
{
	enum batch_state to = pause ? BATCH_PAUSED : BATCH_RUNNING;

	if (!batch_state_allows(batch->record.state, to))
		return;
	engine_audit(engine, batch, NULL, batch_state_name(batch->record.state), batch_state_name(to), "asked by %s",
		who != NULL ? who : "operator");
	batch->record.state = to;
	engine_touch_batch(engine, batch);
	engine->must_admit = true;
}

static void steer(struct engine *engine, struct batch *batch, const struct event *event, struct error *err)
{
	if (batch_state_is_end(batch->record.state))
		return;
	if (event->command.kind == COMMAND_CANCEL)
		cancel_batch(engine, batch, event->command.guest, event->command.who, err);
	else
		pause_batch(engine, batch, event->command.kind == COMMAND_PAUSE, event->command.who);
}

static void steer_batches(struct engine *engine, const struct event *event, struct actions *actions)
{
	struct batch *batch;
	size_t i;

	if (event->command.batch != 0) {
		batch = find_batch(engine, event->command.batch);
		if (batch == NULL)
			error_set(&actions->error, ERR_UNKNOWN_BATCH, "there is no batch %llu",
				(unsigned long long)event->command.batch);
		else if (batch_state_is_end(batch->record.state))
			error_set(&actions->error, ERR_UNKNOWN_BATCH, "batch %llu (%s) has ended",
				(unsigned long long)event->command.batch, batch->record.title);
		else
			steer(engine, batch, event, &actions->error);
		return;
	}
	for (i = 0; i < engine->n_batches; i++)
		steer(engine, &engine->batches[i], event, &actions->error);
}

static void set_options(struct engine *engine, const struct engine_options *options)
{
	struct engine_options old = engine->options;

	engine->options = *options;
	/* The ledger was built with the plan options; they stay those of its life. */
	engine->options.plan = old.plan;
	limits_again(engine);
	engine->must_admit = engine->must_grant = true;
}

void batch_command(struct engine *engine, const struct event *event, struct actions *actions)
{
	uint32_t host;

	switch (event->command.kind) {
	case COMMAND_CANCEL:
	case COMMAND_PAUSE:
	case COMMAND_RESUME:
		steer_batches(engine, event, actions);
		break;
	case COMMAND_CORDON:
	case COMMAND_UNCORDON:
		host = inventory_host(engine->inventory, event->command.host);
		if (host == INDEX_NONE)
			error_set(&actions->error, ERR_UNKNOWN_HOST, "no host is named %s", event->command.host);
		else
			engine_put_host(engine, host, event->command.kind == COMMAND_CORDON, event->command.reason,
				event->command.who);
		break;
	case COMMAND_THROTTLE:
		limits_set(engine, event->command.limits, event->command.n_limits, event->command.who, &actions->error);
		break;
	case COMMAND_RELOAD:
		set_options(engine, event->command.options);
		break;
	case COMMAND_STOP:
		engine->is_stopping = true;
		break;
	}
}
