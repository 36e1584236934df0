/* A new life: the records that the store kept become the engine's state again.
 *
 * Moves that had not touched a host wait for their turn as before. All others are
 * UNKNOWN: whatever the record says, only the hosts know, and both are asked before
 * anything is done. A migration that goes on without us is found there and adopted.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

static struct move_record copy_record(const struct move_record *from)
{
	struct move_record copy = *from;

	copy.guest = xstrdup(from->guest);
	copy.source = xstrdup(from->source);
	copy.target = xstrdup(from->target);
	copy.network = xstrdup(from->network);
	copy.path_source = xstrdup(from->path_source);
	copy.path_target = xstrdup(from->path_target);
	copy.reason = xstrdup(from->reason);
	copy.disks = hv_disks_copy(from->disks, from->n_disks);
	return copy;
}

static uint32_t find_wanted(const struct request *request, const struct move_record *record)
{
	size_t i;

	for (i = 0; request != NULL && i < request->n_moves; i++)
		if (strcmp(request->moves[i].guest, record->guest) == 0 ||
			strcmp(request->moves[i].guest, record->uuid) == 0)
			return (uint32_t)i;
	return INDEX_NONE;
}

static struct move *add_move(struct engine *engine, const struct move_record *record, uint32_t batch)
{
	const struct inventory *inventory = engine->inventory;
	struct move *move;

	engine->moves = xgrow(engine->moves, engine->n_moves, sizeof *engine->moves);
	move = &engine->moves[engine->n_moves];
	*move = (struct move){
		.record = copy_record(record),
		.stored_state = record->state,
		.stored_epoch = record->epoch,
		.is_stored = true,
		.index = (uint32_t)engine->n_moves++,
		.batch = batch,
		.guest = inventory_guest(inventory, record->uuid[0] != '\0' ? record->uuid : record->guest, NULL),
		.source = inventory_host(inventory, record->source),
		.target = record->target != NULL ? inventory_host(inventory, record->target) : INDEX_NONE,
		.wanted = find_wanted(engine->batches[batch].request, record),
		.after = INDEX_NONE,
		.other_leg = INDEX_NONE,
		.active_at = INDEX_NONE,
		.next_waiting = INDEX_NONE,
		.previous_waiting = INDEX_NONE,
		.cleanup_ms = TIME_NEVER,
		.next_stats_ms = TIME_NEVER,
		.disks_can_be_throttled = true,
	};
	engine->batches[batch].n_moves++;
	move_take_wishes(engine, move);
	links_of_move(engine, move);
	return move;
}

/* Moves of one batch have numbers in a row. */
static void wait_as_before(struct engine *engine, struct move *move)
{
	const struct batch *batch = &engine->batches[move->batch];
	uint64_t place = move->record.after - engine->moves[batch->first_move].record.id;

	if (move->record.after != 0 && place < batch->n_moves && engine->moves[batch->first_move + place].record.id == move->record.after)
		move->after = batch->first_move + (uint32_t)place;
}

static bool runs_elsewhere(const struct engine *engine, const struct move *move)
{
	const struct guest *guest = move->guest == INDEX_NONE ? NULL : &engine->inventory->guests[move->guest];

	return guest != NULL && guest->state == GUEST_RUNNING && guest->host != move->source && guest->host != move->target;
}

static void ask_both(struct engine *engine, struct move *move)
{
	struct error why;

	error_set(&why, ERR_OUTCOME_UNKNOWN, "guest %s was in state %s when drover stopped", move->record.guest,
		move_state_name(move->record.state));
	move_activate(engine, move);
	if (move->record.method != METHOD_LIVE)
		cold_restore(engine, move);
	move->failure = why;
	move->is_interrupted = true;
	move->is_elsewhere = runs_elsewhere(engine, move);
	move->may_have_switched = move->record.state != MOVE_PREPARING;
	/* Of two running copies the source is suspended only in VERIFYING; whether that was done is not recorded. */
	move->is_source_suspended = move->record.state == MOVE_VERIFYING && !move->record.was_paused;
	/* VERIFYING says that the source was ended on purpose, which must not be forgotten. */
	if (move->record.state != MOVE_UNKNOWN && move->record.state != MOVE_VERIFYING)
		move_set_state(engine, move, MOVE_UNKNOWN, "%s", why.message);
	move->reconcile.must_settle = true;
	reconcile_begin(engine, move);
}

static void resume_waiting(struct engine *engine, struct move *move)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t host = move->guest == INDEX_NONE ? INDEX_NONE : inventory->guests[move->guest].host;
	bool is_source_silent = move->source == INDEX_NONE || !inventory->hosts[move->source].reachable;
	struct error why;

	if (move->record.state != MOVE_WAITING)
		move_set_state(engine, move, MOVE_WAITING, "drover was started again");
	if (!legs_allow(engine, move, NULL)) {
		move_wait(engine, move, 0); /* where its guest is, its first leg finds out */
		return;
	}
	if (host == move->source || (host == INDEX_NONE && is_source_silent)) {
		move_wait(engine, move, 0);
	} else if (host == INDEX_NONE || host == move->target) {
		ask_both(engine, move); /* somebody has stopped it or moved it while drover was away */
	} else {
		error_set(&why, ERR_GUEST_ELSEWHERE, "guest %s is on %s now, no longer on %s", move->record.guest,
			inventory->hosts[host].name, move->record.source);
		move_end(engine, move, MOVE_FAILED, &why);
	}
}

static void resume_move(struct engine *engine, struct move *move)
{
	if (move_state_is_end(move->record.state))
		return;
	engine->batches[move->batch].n_unfinished++;
	/* The first leg of a guest stands before its second. */
	if (move->guest != INDEX_NONE && engine->guest_move[move->guest] == INDEX_NONE)
		engine->guest_move[move->guest] = move->index;
}

static struct batch_record copy_batch(const struct batch_record *from)
{
	struct batch_record copy = *from;

	copy.title = xstrdup(from->title);
	copy.reason = xstrdup(from->reason);
	copy.who = xstrdup(from->who);
	copy.hosts = xstrdup(from->hosts);
	copy.request_json = xstrdup(from->request_json);
	return copy;
}

static void add_batch(struct engine *engine, const struct store_image *image, const struct batch_record *record,
	const struct request *request)
{
	uint32_t at = (uint32_t)engine->n_batches;
	size_t i, first = engine->n_moves;

	engine->batches = xgrow(engine->batches, engine->n_batches, sizeof *engine->batches);
	engine->batches[engine->n_batches++] = (struct batch){
		.record = copy_batch(record),
		.request = request_copy(request),
		.first_move = (uint32_t)first,
		.started_ms = engine->now_ms,
	};
	for (i = 0; i < image->n_moves; i++)
		if (image->moves[i].batch == record->id)
			add_move(engine, &image->moves[i], at);
	for (i = first; i < engine->n_moves; i++) {
		wait_as_before(engine, &engine->moves[i]);
		if (engine->moves[i].record.leg == LEG_SECOND)
			legs_link(engine, &engine->moves[i]);
		resume_move(engine, &engine->moves[i]);
	}
}

static void resume_batch(struct engine *engine, struct batch *batch)
{
	uint32_t i;

	for (i = 0; i < batch->n_moves; i++) {
		struct move *move = &engine->moves[batch->first_move + i];

		if (move_state_is_end(move->record.state))
			continue;
		if (move_state_is_started(move->record.state)) {
			move_reserve(engine, move);
			ask_both(engine, move);
		} else {
			resume_waiting(engine, move);
		}
	}
	engine_audit(engine, batch, NULL, "", "", "drover was started again: %u moves unfinished", batch->n_unfinished);
}

static void restore_hosts(struct engine *engine, const struct store_image *image)
{
	size_t i;

	for (i = 0; i < image->n_hosts; i++) {
		uint32_t host = inventory_host(engine->inventory, image->hosts[i].name);

		if (host == INDEX_NONE)
			continue;
		engine->inventory->hosts[host].cordoned = image->hosts[i].cordoned;
		ledger_update_host(engine->ledger, host);
	}
}

void restore_image(struct engine *engine, const struct event *event)
{
	const struct store_image *image = event->restore.image;
	size_t i;

	assert(engine->n_batches == 0);
	memcpy(engine->run, image->run, sizeof engine->run);
	engine->epoch = image->epoch + 1;
	engine_add_extra(engine, STORE_SET_EPOCH)->epoch = engine->epoch;
	restore_hosts(engine, image);
	limits_restore(engine, image);
	lessons_restore(engine, image);
	for (i = 0; i < image->n_moves; i++)
		if (image->moves[i].id >= engine->next_move_id)
			engine->next_move_id = image->moves[i].id + 1;
	for (i = 0; i < image->n_batches; i++) {
		const struct batch_record *record = &image->batches[i];

		if (record->id >= engine->next_batch_id)
			engine->next_batch_id = record->id + 1;
		if (!batch_state_is_end(record->state))
			add_batch(engine, image, record, event->restore.requests != NULL ? event->restore.requests[i] : NULL);
	}
	/* Only now: requests borrow from the records, and adding a move may put all records elsewhere. */
	for (i = 0; i < engine->n_batches; i++)
		resume_batch(engine, &engine->batches[i]);
	engine->must_admit = true;
}
