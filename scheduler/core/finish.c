/* The end of an attempt, both ways. Moved: the target is made whole (autostart, tag off), then the
 * source is cleaned, each step repeated a bounded number of times. Not moved: what was made on
 * the target is taken back, then the move waits for its next attempt or ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

enum {
	CLEANUP_TRIES_MAX = 5,
	CLEANUP_DELAY_MS = 2000, /* doubles: 2, 4, 8, 16 s: longer than a libvirtd needs to restart */
};

static void send_cleanup(struct engine *engine, struct move *move)
{
	struct hv_request *request;

	move->cleanup_ms = TIME_NEVER;
	/* A guest that is shut off on both hosts is where its tag is: that goes last. */
	if (!move->is_target_finished && move->pending[HV_FINISH_TARGET] == 0 &&
		(move->record.method == METHOD_LIVE || move->is_source_finished)) {
		request = move_request(engine, move, HV_FINISH_TARGET, SIDE_TARGET);
		request->autostart = move->record.autostart;
		request->persistent = move->record.persistent;
		request->cold = move->record.method == METHOD_COLD && move->record.was_shutoff;
	}
	if (!move->is_source_finished && move->pending[HV_FINISH_SOURCE] == 0) {
		request = move_request(engine, move, HV_FINISH_SOURCE, SIDE_SOURCE);
		if (!engine->options.keep_source_disks) {
			request->disks = move->record.disks;
			request->n_disks = move->record.n_disks;
		}
	}
}

void finish_moved(struct engine *engine, struct move *move)
{
	move_release(engine, move, true);
	move->record.ended_wall_ms = engine->wall_ms;
	move_set_state(engine, move, MOVE_CLEANUP, "runs on %s", move->record.target);
	move->is_target_finished = move->is_source_finished = false;
	move->cleanup_tries = 0;
	send_cleanup(engine, move);
	if (!move->is_slot_released) {
		admission_count(engine, move, -1);
		move->is_slot_released = move->is_link_released = true;
		engine->must_admit = engine->must_grant = true;
	}
}

static bool has_created(const struct move *move)
{
	size_t i;

	for (i = 0; i < move->record.n_disks; i++)
		if (move->record.disks[i].was_created)
			return true;
	return false;
}

static void send_undo(struct engine *engine, struct move *move)
{
	struct hv_request *request;

	move->cleanup_ms = TIME_NEVER;
	if (!move->are_volumes_removed && move->pending[HV_REMOVE_VOLUMES] == 0) {
		request = move_request(engine, move, HV_REMOVE_VOLUMES, SIDE_TARGET);
		request->disks = move->record.disks;
		request->n_disks = move->record.n_disks;
	}
	if (!move->is_undefined && move->pending[HV_FINISH_SOURCE] == 0)
		move_request(engine, move, HV_FINISH_SOURCE, SIDE_TARGET); /* of the copy there: no disks, only its definition */
	if (!move->is_tag_cleared && move->pending[HV_CLEAR_TAG] == 0) {
		request = move_request(engine, move, HV_CLEAR_TAG, SIDE_SOURCE);
		request->cold = move->record.method == METHOD_COLD;
		request->autostart = move->record.autostart;
	}
}

/* A copy that got as far as Finish was made persistent; ended, it leaves a definition that would keep the guest from
 * ever moving there and could be started by mistake. The preflight saw none, so it is of this move. */
static bool has_left_definition(const struct move *move)
{
	const struct sighting *target = &move->reconcile.sides[SIDE_TARGET];

	return move->record.epoch > 0 && target->is_answered && !target->is_unreachable &&
		target->where.presence == HV_SHUTOFF && !target->where.shutoff_by_migration;
}

void finish_not_moved(struct engine *engine, struct move *move)
{
	move->is_undoing = true;
	move->are_volumes_removed = !has_created(move);
	move->is_tag_cleared = false;
	move->is_undefined = !has_left_definition(move);
	move->cleanup_tries = 0;
	bandwidth_release(engine, move);
	send_undo(engine, move);
}

static void leftover(struct engine *engine, struct move *move, const char *what, const struct error *why)
{
	error_set(&move->record.error, ERR_LEFTOVER, "guest %s: %s after %d tries: %s", move->record.guest, what,
		CLEANUP_TRIES_MAX, why->message);
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s", move->record.error.message);
	move_touch(engine, move);
}

/* True when the step is over: done, or given up with a note. */
static bool step_over(struct engine *engine, struct move *move, const struct hv_reply *reply, const char *what)
{
	if (reply->error.code == ERR_NONE)
		return true;
	if (++move->cleanup_tries < CLEANUP_TRIES_MAX) {
		move->cleanup_ms = engine->now_ms + ((int64_t)CLEANUP_DELAY_MS << (move->cleanup_tries - 1));
		return false;
	}
	leftover(engine, move, what, &reply->error);
	return true;
}

static void undo_reply(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	if (reply->kind == HV_REMOVE_VOLUMES)
		move->are_volumes_removed = step_over(engine, move, reply, "volumes on the target could not be removed");
	else if (reply->kind == HV_FINISH_SOURCE)
		move->is_undefined = step_over(engine, move, reply, "its definition on the target could not be removed");
	else
		move->is_tag_cleared = step_over(engine, move, reply, "its tag on the source could not be removed");
	if (move->are_volumes_removed && move->is_tag_cleared && move->is_undefined) {
		move->is_undoing = false;
		finish_attempt(engine, move);
	}
}

void finish_reply(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	if (move->is_undoing) {
		undo_reply(engine, move, reply);
		return;
	}
	if (move->record.state != MOVE_CLEANUP)
		return;
	if (reply->kind == HV_FINISH_TARGET)
		move->is_target_finished = step_over(engine, move, reply, "it could not be finished on the target");
	else if (reply->kind == HV_FINISH_SOURCE)
		move->is_source_finished = step_over(engine, move, reply, "the source could not be cleaned");
	if (move->record.method != METHOD_LIVE && move->is_source_finished && !move->is_target_finished && move->cleanup_ms == TIME_NEVER)
		send_cleanup(engine, move);
	if (move->is_target_finished && move->is_source_finished) {
		lessons_learn(engine, move);
		if (move->record.method == METHOD_LIVE)
			path_end(engine, move);
		move_end(engine, move, MOVE_DONE, NULL);
	}
}

void finish_tick(struct engine *engine, struct move *move)
{
	if (move->cleanup_ms > engine->now_ms)
		return;
	if (move->is_undoing)
		send_undo(engine, move);
	else if (move->record.state == MOVE_CLEANUP)
		send_cleanup(engine, move);
	else
		move->cleanup_ms = TIME_NEVER;
}

static bool is_guests_fault(enum error_code code)
{
	return code >= ERR_GUEST_NOT_RUNNING && code <= ERR_GUEST_DEVICE && code != ERR_GUEST_BUSY; /* a job of somebody else ends */
}

/* Credentials do not come right by waiting; those for another target may be. */
static bool is_targets_fault(enum error_code code)
{
	return code == ERR_HOST_AUTH || (code >= ERR_NO_TARGET && code <= ERR_RULE_NEVER_ON);
}

/* Another target for the next attempt, when the operator did not name one. */
static bool choose_again(struct engine *engine, struct move *move, bool exclude)
{
	const struct wanted_move *wanted = move_wanted(engine, move);
	uint32_t other;

	if (move->guest == INDEX_NONE || move->target == INDEX_NONE)
		return true;
	if (cold_is_in_place(move))
		return !exclude;
	if (wanted != NULL && wanted->to != NULL)
		return !exclude;
	if (move->excluded == NULL)
		move->excluded = xcalloc(engine->inventory->n_hosts, sizeof *move->excluded);
	move->excluded[move->target] = true;
	legs_exclude(engine, move);
	other = planner_place(engine->inventory, engine->ledger, move->guest, move_request_of(engine, move), wanted,
		move->excluded, NULL);
	if (other == INDEX_NONE)
		return !exclude; /* the same again, unless it has refused */
	move_set_target(engine, move, other);
	return true;
}

static void back_to_waiting(struct engine *engine, struct move *move, int64_t delay_ms)
{
	hv_disks_free(move->record.disks, move->record.n_disks);
	move->record.disks = NULL;
	move->record.n_disks = 0;
	move->disks_changed = true;
	move_set_state(engine, move, MOVE_WAITING, "%s", move->failure.message);
	move_wait(engine, move, engine->now_ms + delay_ms);
}

void finish_attempt(struct engine *engine, struct move *move)
{
	struct error why = move->failure;
	uint32_t attempts = move->record.attempts > 0 ? move->record.attempts : 1;

	move_release(engine, move, false);
	move_deactivate(engine, move);
	if (move->record.cancel_requested) {
		error_set(&why, ERR_CANCELLED, "cancelled; guest %s runs on %s", move->record.guest, move->record.source);
		move_end(engine, move, MOVE_CANCELLED, &why);
		return;
	}
	move->record.error = why;
	if (move->is_interrupted && why.code == ERR_OUTCOME_UNKNOWN) {
		/* Drover was stopped in the midst of it: nobody's failure, so the same again and no attempt is lost. */
		if (move->record.attempts > 0)
			move->record.attempts--;
		back_to_waiting(engine, move, 0);
	} else if (is_guests_fault(why.code)) {
		move_end(engine, move, MOVE_FAILED, &why);
	} else if (is_targets_fault(why.code)) {
		/* A refusal costs no attempt: the next target may well take it. */
		move->record.attempts--;
		if (choose_again(engine, move, true))
			back_to_waiting(engine, move, 0);
		else
			move_end(engine, move, MOVE_FAILED, &why);
	} else if (path_falls_back(engine, move, &why) || post_copy_was_refused(engine, move, &why)) {
		move->record.attempts--;
		back_to_waiting(engine, move, 0);
	} else if (attempts >= engine->options.attempts_max) {
		move_end(engine, move, MOVE_FAILED, &why);
	} else {
		choose_again(engine, move, false);
		back_to_waiting(engine, move, engine->options.retry_delay_ms << (attempts - 1));
	}
}
