/* One move's record: state changes with their legality and audit row, requests,
 * and the three places a move can be in (waiting, active, ended). */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

void move_wake(struct engine *engine, const struct move *move)
{
	if (move->active_at != INDEX_NONE)
		engine->due_ms[move->active_at] = 0;
}

void move_touch(struct engine *engine, struct move *move)
{
	move_wake(engine, move);
	if (move->is_changed)
		return;
	move->is_changed = true;
	engine->changed = xgrow(engine->changed, engine->n_changed, sizeof *engine->changed);
	engine->changed[engine->n_changed++] = move->index;
}

void move_set_state(struct engine *engine, struct move *move, enum move_state state, const char *format, ...)
{
	char text[400];
	va_list args;

	assert(move_state_allows(move->record.state, state));
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	engine_audit(engine, &engine->batches[move->batch], move, move_state_name(move->record.state),
		move_state_name(state), "%s %s>%s: %s", move->record.guest, move->record.source,
		move->record.target != NULL ? move->record.target : "?", text);
	move->record.state = state;
	move_touch(engine, move);
}

struct hv_request *move_request_to(struct engine *engine, struct move *move, enum hv_kind kind, const char *host, uint32_t slot)
{
	struct hv_request *request;
	const struct move_record *record = &move->record;

	if (++engine->next_request == 0)
		engine->next_request = 1; /* 0 means "none outstanding" */
	engine->requests = xgrow(engine->requests, engine->n_requests, sizeof *engine->requests);
	request = &engine->requests[engine->n_requests++];
	*request = (struct hv_request){
		.tag = ((uint64_t)move->index + 1) << 32 | engine->next_request,
		.kind = kind,
		.guest = record->guest,
		.uuid = record->uuid,
		.host = host,
		.target = record->target,
		.job = {.move = record->id, .epoch = record->epoch},
	};
	memcpy(request->job.run, engine->run, sizeof request->job.run);
	snprintf(request->job.target, sizeof request->job.target, "%s", record->target);
	move_wake(engine, move);
	move->pending[slot] = engine->next_request;
	move->pending_until_ms[slot] =
		kind == HV_MIGRATE || kind == HV_COPY ? TIME_NEVER : engine->now_ms + engine->options.reply_timeout_ms;
	return request;
}

struct hv_request *move_request(struct engine *engine, struct move *move, enum hv_kind kind, enum side side)
{
	bool is_second = kind == HV_WHERE && side == SIDE_TARGET;

	return move_request_to(engine, move, kind, side == SIDE_SOURCE ? move->record.source : move->record.target,
		is_second ? (uint32_t)SLOT_WHERE_TARGET : (uint32_t)kind);
}

static struct waiting_list *list_of(struct engine *engine, const struct move *move)
{
	return move->waits_at != INDEX_NONE ? &engine->links[move->waits_at].waiting : &engine->unlinked;
}

/* After a change of its list. */
static void note_waiting(struct engine *engine, uint32_t at)
{
	struct link *link = at != INDEX_NONE ? &engine->links[at] : NULL;

	if (link == NULL || (link->waiting_at == INDEX_NONE) == (link->waiting.first == INDEX_NONE))
		return;
	if (link->waiting_at == INDEX_NONE) {
		link->waiting_at = (uint32_t)engine->n_waiting_links;
		engine->waiting_links[engine->n_waiting_links++] = at;
	} else {
		uint32_t last = engine->waiting_links[--engine->n_waiting_links];

		engine->waiting_links[link->waiting_at] = last;
		engine->links[last].waiting_at = link->waiting_at;
		link->waiting_at = INDEX_NONE;
	}
}

static void leave_waiting(struct engine *engine, struct move *move)
{
	struct waiting_list *list = list_of(engine, move);

	if (!move->is_waiting)
		return;
	if (move->previous_waiting != INDEX_NONE)
		engine->moves[move->previous_waiting].next_waiting = move->next_waiting;
	else
		list->first = move->next_waiting;
	if (move->next_waiting != INDEX_NONE)
		engine->moves[move->next_waiting].previous_waiting = move->previous_waiting;
	else
		list->last = move->previous_waiting;
	move->is_waiting = false;
	engine->n_waiting--;
	note_waiting(engine, move->waits_at);
}

/* A second leg leaves its host only when its first has come there; until then it ends with the first, whatever that host's link does. */
static uint32_t place_to_wait(const struct engine *engine, const struct move *move)
{
	return legs_allow(engine, move, NULL) ? move->links[0] : INDEX_NONE;
}

/* Keeps the list in the order of the records, so that a move that comes back after a failure has
 * its old place in the plan. */
static void enter_waiting(struct engine *engine, struct move *move)
{
	struct waiting_list *list;
	uint32_t after;

	move->waits_at = place_to_wait(engine, move);
	list = list_of(engine, move);
	after = list->last;
	while (after != INDEX_NONE && engine->moves[after].index > move->index)
		after = engine->moves[after].previous_waiting;
	move->previous_waiting = after;
	move->next_waiting = after == INDEX_NONE ? list->first : engine->moves[after].next_waiting;
	if (move->next_waiting != INDEX_NONE)
		engine->moves[move->next_waiting].previous_waiting = move->index;
	else
		list->last = move->index;
	if (after != INDEX_NONE)
		engine->moves[after].next_waiting = move->index;
	else
		list->first = move->index;
	move->is_waiting = true;
	engine->n_waiting++;
	note_waiting(engine, move->waits_at);
}

void move_find_links(struct engine *engine, struct move *move)
{
	links_of_move(engine, move);
	if (move->is_waiting && move->waits_at != place_to_wait(engine, move)) {
		leave_waiting(engine, move);
		enter_waiting(engine, move);
	}
}

void move_set_target(struct engine *engine, struct move *move, uint32_t target)
{
	free(move->record.target);
	free(move->record.network);
	move->record.network = NULL;
	move->target = target;
	move->record.target = xstrdup(engine->inventory->hosts[target].name);
	move_find_links(engine, move);
	legs_follow(engine, move);
	move_touch(engine, move);
}

/* What a request says of targets and names is for where the guest is wanted, and not for a host on the way. */
const struct request *move_request_of(const struct engine *engine, const struct move *move)
{
	return move->record.leg == LEG_FIRST ? NULL : engine->batches[move->batch].request;
}

const struct wanted_move *move_wanted(const struct engine *engine, const struct move *move)
{
	const struct request *request = move_request_of(engine, move);

	if (request == NULL || move->wanted == INDEX_NONE || move->wanted >= request->n_moves)
		return NULL;
	return &request->moves[move->wanted];
}

void move_take_wishes(const struct engine *engine, struct move *move)
{
	const struct request *request = engine->batches[move->batch].request;

	if (request == NULL || move->wanted == INDEX_NONE || move->wanted >= request->n_moves)
		return;
	move->not_before_wall_ms = request->moves[move->wanted].not_before_wall_ms;
	move->max_rate_bytes_per_s = request->moves[move->wanted].max_rate_bytes_per_s;
}

/* Without a reservation the guest counts where it was found at the start; that may have been the wrong copy. */
static void relocate(struct engine *engine, const struct move *move, uint32_t host)
{
	if (move->guest == INDEX_NONE || host == INDEX_NONE || engine->inventory->guests[move->guest].host == host)
		return;
	inventory_set_guest_host(engine->inventory, move->guest, host);
	ledger_update_host(engine->ledger, host);
}

void move_reserve(struct engine *engine, struct move *move)
{
	if (move->is_reserved || cold_is_in_place(move) || move->guest == INDEX_NONE || move->target == INDEX_NONE)
		return;
	/* Found on the target when drover was started again: until both hosts have said so it is on its way, and counts on both. */
	if (engine->inventory->guests[move->guest].host == move->target) {
		if (move->source == INDEX_NONE)
			return;
		relocate(engine, move, move->source);
	}
	ledger_start(engine->ledger, move->guest, move->target, move_request_of(engine, move), move_wanted(engine, move));
	move->is_reserved = true;
}

void move_release(struct engine *engine, struct move *move, bool has_moved)
{
	if (move->is_reserved && has_moved) {
		ledger_finish(engine->ledger, move->guest);
		inventory_set_guest_host(engine->inventory, move->guest, move->target);
	} else if (move->is_reserved) {
		ledger_cancel(engine->ledger, move->guest);
	} else {
		relocate(engine, move, has_moved ? move->target : move->source);
	}
	move->is_reserved = false;
	engine->must_admit = true;
}

void move_deactivate(struct engine *engine, struct move *move)
{
	size_t at = 0;

	if (move->active_at == INDEX_NONE)
		return;
	while (engine->admitted[at] != move->index)
		at++;
	memmove(&engine->admitted[at], &engine->admitted[at + 1], (engine->n_active - at - 1) * sizeof *engine->admitted);
	engine->active[move->active_at] = engine->active[--engine->n_active];
	engine->due_ms[move->active_at] = engine->due_ms[engine->n_active];
	engine->moves[engine->active[move->active_at]].active_at = move->active_at;
	move->active_at = INDEX_NONE;
	memset(move->pending, 0, sizeof move->pending);
	move->late_prepare = 0;
	admission_count(engine, move, -1);
}

void move_wait(struct engine *engine, struct move *move, int64_t retry_ms)
{
	move_deactivate(engine, move);
	if (!move->is_waiting)
		enter_waiting(engine, move);
	move->retry_ms = retry_ms;
	if (retry_ms > engine->now_ms && retry_ms < engine->next_retry_ms)
		engine->next_retry_ms = retry_ms;
	engine->must_admit = true;
}

void move_activate(struct engine *engine, struct move *move)
{
	leave_waiting(engine, move);
	if (move->active_at != INDEX_NONE)
		return;
	assert(engine->n_active < ACTIVE_MAX);
	move->active_at = (uint32_t)engine->n_active;
	engine->due_ms[engine->n_active] = 0;
	engine->admitted[engine->n_active] = move->index;
	engine->active[engine->n_active++] = move->index;
	move->sequence = ++engine->next_sequence;
	move->is_link_released = move->is_slot_released = move->is_ending = false;
	move->is_throttleable = false;
	move->granted_bytes_per_s = move->sent_bytes_per_s = 0;
	move->is_head = move->has_shown = false;
	move->rate_bytes_per_s = move->peak_bytes_per_s = move->disk_peak_bytes_per_s = move->alone_bytes_per_s =
		move->dirty_peak_bytes_per_s = 0;
	move->attempt_ms = move->first_byte_ms = move->head_ms = move->sent_ms = 0;
	move->head_bytes = 0;
	move->stats = (struct hv_stats){0};
	move->stats_ms = move->sample_ms = 0;
	move->steady_samples = 0;
	move->is_abort_wanted = false;
	move->is_undoing = false;
	move->cleanup_tries = move->fix_tries = 0;
	move->recoveries = 0;
	move->recover_ms = 0;
	move->cleanup_ms = TIME_NEVER;
	move->next_stats_ms = TIME_NEVER;
	move->next_path_ms = 0;
	move->path_looks = 0;
	error_clear(&move->failure);
	admission_count(engine, move, 1);
}

void move_end(struct engine *engine, struct move *move, enum move_state state, const struct error *why)
{
	leave_waiting(engine, move);
	move_deactivate(engine, move);
	if (move->is_reserved)
		move_release(engine, move, false);
	if (why != NULL)
		move->record.error = *why;
	else if (state == MOVE_DONE && move->record.error.code != ERR_LEFTOVER)
		error_clear(&move->record.error);
	if (state != MOVE_DONE)
		legs_say_where(engine, move);
	if (move->record.ended_wall_ms == 0)
		move->record.ended_wall_ms = engine->wall_ms;
	move_set_state(engine, move, state, "%s", move->record.error.message);
	if (state == MOVE_DONE)
		legs_go_on(engine, move);
	if (move->guest != INDEX_NONE)
		engine->guest_move[move->guest] = legs_guest_move(engine, move);
	batch_move_ended(engine, move);
	engine->must_admit = engine->must_grant = true;
}
