/* Guests that cannot move live: shut down, moved cold, or started again.
 *
 *   cold      PREFLIGHT -> PREPARING: volumes made, guest shut down -> COPYING_DISKS -> VERIFYING: defined there, started there
 *             -> CLEANUP -> DONE
 *   shutdown  PREFLIGHT -> PREPARING: guest shut down -> VERIFYING -> CLEANUP -> DONE
 *   start     PREFLIGHT -> PREPARING -> VERIFYING: started -> CLEANUP -> DONE
 *
 * What may run where is decided by what both hosts say, as for a live move, and by one fact more: the guest is defined on the
 * target only after its disks have been copied and read back, so a definition there with the tag of this very attempt means
 * "complete". Until it is there, the way out of every trouble is back: what was made is removed and the guest started on its source.
 * From then on the way is forward: it is started there; only when that fails for good is the definition taken away first (nothing
 * can start without it) and then the guest started on its source again. Once it may have run there, what it has written there is the
 * newest: it never goes back. The source's disks and definition go last, in CLEANUP.
 */
#include <stdio.h>

#include "engine_impl.h"

enum {
	LOOK_MS = 500,        /* between two looks at a guest that shuts down */
	START_TRIES_MAX = 3,  /* on the target, before the guest goes back */
	START_AGAIN_MAX = 12, /* there, when it cannot go back: some minutes, with growing delays */
};

static bool is_here(const struct hv_where *where)
{
	return where->presence == HV_RUNNING || where->presence == HV_PAUSED;
}

static void fail(struct engine *engine, struct move *move, const struct error *why)
{
	if (move->failure.code == ERR_NONE)
		move->failure = *why;
	move_set_state(engine, move, MOVE_UNKNOWN, "%s", why->message);
	reconcile_begin(engine, move);
}

bool cold_is_in_place(const struct move *move)
{
	return move->record.method == METHOD_SHUTDOWN || move->record.method == METHOD_START;
}

/* ---- shutting down ---- */

static void ask_guest_to_stop(struct engine *engine, struct move *move)
{
	move->cold.stop_until_ms = engine->now_ms + engine->options.shutdown_timeout_ms;
	move->cold.look_ms = TIME_NEVER;
	move_request(engine, move, HV_SHUTDOWN, SIDE_SOURCE)->cold = true;
}

static void copy_disks(struct engine *engine, struct move *move)
{
	struct hv_request *request;

	move_set_state(engine, move, MOVE_COPYING_DISKS, "%zu disks of a guest that is shut off", move->record.n_disks);
	move->wire_ms = move->progress_ms = engine->now_ms;
	request = move_request(engine, move, HV_COPY, SIDE_SOURCE);
	run_fill(engine, move, request);
	request->cold = true;
	request->rate_bytes_per_s = move->max_rate_bytes_per_s;
}

static void is_down(struct engine *engine, struct move *move)
{
	move->cold.look_ms = TIME_NEVER;
	move->cold.stop_until_ms = TIME_NEVER;
	if (move->record.cancel_requested) {
		struct error why;

		error_set(&why, ERR_CANCELLED, "cancelled after guest %s was shut down", move->record.guest);
		fail(engine, move, &why);
	} else if (move->record.method == METHOD_COLD) {
		copy_disks(engine, move);
	} else {
		move_set_state(engine, move, MOVE_VERIFYING, "is shut down");
		reconcile_begin(engine, move);
	}
}

static void looked(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	struct error why;

	move->cold.look_ms = engine->now_ms + LOOK_MS;
	if (reply->error.code == ERR_NONE && reply->where.presence == HV_SHUTOFF) {
		is_down(engine, move);
	} else if (reply->error.code == ERR_NONE && reply->where.presence == HV_ABSENT) {
		error_set(&why, ERR_GUEST_GONE, "guest %s is not known on %s any more", move->record.guest, move->record.source);
		fail(engine, move, &why);
	} else if (engine->now_ms >= move->cold.stop_until_ms) {
		error_set(&why, ERR_TIMEOUT, "guest %s on %s did not shut down within %lld s", move->record.guest, move->record.source,
			(long long)(engine->options.shutdown_timeout_ms / 1000));
		error_hint(&why, "it must react to the power button or run a guest agent; shutdown_timeout sets the time");
		move->cold.stop_until_ms = TIME_NEVER;
		fail(engine, move, &why);
	}
}

static void asked_to_stop(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	/* Whether a lost request has reached the guest, the looks tell. */
	if (reply->error.code != ERR_NONE && !reply->outcome_unknown) {
		move->cold.stop_until_ms = TIME_NEVER;
		fail(engine, move, &reply->error);
	} else {
		move->cold.look_ms = engine->now_ms;
	}
}

/* ---- the way forward ---- */

static void begin_work(struct engine *engine, struct move *move)
{
	move_set_state(engine, move, MOVE_PREPARING, "%s", move_method_name(move->record.method));
	if (move->record.method == METHOD_START) {
		move_set_state(engine, move, MOVE_VERIFYING, "is to be started on %s", move->record.source);
		reconcile_begin(engine, move);
	} else {
		ask_guest_to_stop(engine, move);
	}
}

void cold_begin(struct engine *engine, struct move *move)
{
	move->cold = (struct cold){.look_ms = TIME_NEVER, .stop_until_ms = TIME_NEVER};
	if (move->record.method != METHOD_COLD)
		begin_work(engine, move);
}

void cold_prepared(struct engine *engine, struct move *move)
{
	if (move->record.was_shutoff)
		copy_disks(engine, move);
	else
		ask_guest_to_stop(engine, move);
}

static void copied(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	struct error why;

	move->reconcile.must_settle |= reply->outcome_unknown;
	if (reply->error.code == ERR_NONE && move->record.cancel_requested)
		error_set(&why, ERR_CANCELLED, "cancelled after the disks of guest %s were copied", move->record.guest);
	else
		why = reply->error;
	if (why.code != ERR_NONE) {
		fail(engine, move, &why);
		return;
	}
	move->record.bytes_transferred = reply->stats.disk_processed_bytes;
	move_set_state(engine, move, MOVE_VERIFYING, "%llu bytes are on the target as they are on the source",
		(unsigned long long)reply->stats.disk_processed_bytes);
	move->reconcile.next_ms = TIME_NEVER; /* before it is defined, nothing may be concluded from its absence */
	run_fill(engine, move, move_request(engine, move, HV_DEFINE, SIDE_SOURCE));
}

static void defined(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	if (reply->error.code == ERR_NONE) {
		reconcile_begin(engine, move);
	} else {
		move->reconcile.must_settle |= reply->outcome_unknown;
		fail(engine, move, &reply->error);
	}
}

/* A definite refusal counts against the place; what anything else did is seen by asking, and may be over when it is seen. */
static void started(struct move *move, const struct hv_reply *reply)
{
	if (reply->error.code == ERR_NONE || reply->outcome_unknown) {
		move->cold.may_have_run |= move->cold.is_target_asked;
	} else {
		move->cold.start_failures++;
		if (move->failure.code == ERR_NONE || move->failure.code == ERR_OUTCOME_UNKNOWN)
			move->failure = reply->error; /* says more than that drover was stopped */
	}
	move->cold.is_target_asked = false;
}

bool cold_reply(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	if (reply->kind == HV_SHUTDOWN && move->record.state == MOVE_PREPARING)
		asked_to_stop(engine, move, reply);
	else if (reply->kind == HV_WHERE && move->record.state == MOVE_PREPARING)
		looked(engine, move, reply);
	else if (reply->kind == HV_COPY && (move->record.state == MOVE_COPYING_DISKS || move->record.state == MOVE_CANCELLING))
		copied(engine, move, reply);
	else if (reply->kind == HV_DEFINE && move->record.state == MOVE_VERIFYING)
		defined(engine, move, reply);
	else if (reply->kind == HV_FINISH_SOURCE && !move->is_undoing && move->record.state == MOVE_UNKNOWN)
		reconcile_reply(engine, move, reply, SIDE_TARGET);
	else if (reply->kind == HV_START) {
		started(move, reply);
		return false;
	} else
		return reply->kind == HV_SHUTDOWN || reply->kind == HV_COPY || reply->kind == HV_DEFINE;
	return true;
}

void cold_restore(struct engine *engine, struct move *move)
{
	/* Nor is recorded whether it was started on the target. */
	move->cold = (struct cold){.look_ms = TIME_NEVER, .stop_until_ms = TIME_NEVER,
		.may_have_run = move->record.state == MOVE_VERIFYING || move->record.state == MOVE_UNKNOWN};
	/* Whether the guest was told to shut down is not recorded: it gets the time for it. */
	if (move->record.method == METHOD_SHUTDOWN || (move->record.method == METHOD_COLD && !move->record.was_shutoff))
		move->cold.stop_until_ms = engine->now_ms + engine->options.shutdown_timeout_ms;
}

/* A guest has stopped: why wait for the next look? */
void cold_note(struct engine *engine, struct move *move)
{
	if (move->record.state == MOVE_PREPARING && move->cold.look_ms != TIME_NEVER)
		move->cold.look_ms = engine->now_ms;
}

void cold_tick(struct engine *engine, struct move *move)
{
	if (move->record.state == MOVE_PREPARING && move->cold.look_ms <= engine->now_ms) {
		move->cold.look_ms = TIME_NEVER;
		move_request(engine, move, HV_WHERE, SIDE_SOURCE);
	}
}

int64_t cold_deadline(const struct move *move)
{
	return move->record.method != METHOD_LIVE && move->record.state == MOVE_PREPARING ? move->cold.look_ms : TIME_NEVER;
}

/* ---- what both hosts say ---- */

static void done(struct engine *engine, struct move *move, const char *text)
{
	move->reconcile.must_settle = false;
	if (move->record.state == MOVE_UNKNOWN)
		move_set_state(engine, move, MOVE_VERIFYING, "%s", text);
	move_release(engine, move, false);
	move_set_state(engine, move, MOVE_CLEANUP, "%s", text);
	/* What a later request is planned with. Its room is kept: it is to come back. */
	if (move->guest != INDEX_NONE)
		engine->inventory->guests[move->guest].state = move->record.method == METHOD_START ? GUEST_RUNNING : GUEST_SHUTOFF;
	move_end(engine, move, MOVE_DONE, NULL);
}

/* Nothing was made anywhere. */
static void judge_in_place(struct engine *engine, struct move *move, const struct hv_where *where)
{
	bool is_wanted_up = move->record.method == METHOD_START;
	struct error why;

	if (where->presence == HV_ABSENT) {
		if (reconcile_is_settled(engine, move, COLD_GONE)) {
			error_set(&why, ERR_GUEST_GONE, "guest %s is not known on %s any more", move->record.guest, move->record.source);
			reconcile_give_up(engine, move, &why);
		}
	} else if (!is_wanted_up && is_here(where) && engine->now_ms < move->cold.stop_until_ms && move->cold.stop_until_ms != TIME_NEVER) {
		reconcile_again(engine, move); /* it may go down yet */
	} else if (is_here(where) == is_wanted_up) {
		if (reconcile_is_settled(engine, move, COLD_MOVED))
			done(engine, move, is_wanted_up ? "runs" : "is shut down");
	} else if (is_wanted_up && move->cold.start_failures < START_TRIES_MAX) {
		reconcile_repair(engine, move, HV_START, SIDE_SOURCE, "was shut down by us and is started again");
	} else if (reconcile_is_settled(engine, move, COLD_NOT_MOVED)) {
		if (move->failure.code == ERR_NONE)
			error_set(&move->failure, ERR_VERIFY_FAILED, "guest %s on %s was %s, and is not any more", move->record.guest,
				move->record.source, is_wanted_up ? "started" : "shut down");
		reconcile_leave_verifying(engine, move, "is as it was");
		finish_attempt(engine, move);
	}
}

static void back(struct engine *engine, struct move *move, const struct hv_where *target, bool is_ours)
{
	struct error why;

	if (target->presence == HV_SHUTOFF && is_ours) {
		reconcile_leave_verifying(engine, move, "goes back to its source");
		if (reconcile_is_settled(engine, move, COLD_BACK))
			reconcile_repair(engine, move, HV_FINISH_SOURCE, SIDE_TARGET, "goes back to its source: its definition there is taken away");
	} else if (target->presence == HV_SHUTOFF) {
		error_set(&why, ERR_TARGET_GUEST_EXISTS, "guest %s is shut off on %s and on %s, and what is on %s is not of this move",
			move->record.guest, move->record.source, move->record.target, move->record.target);
		error_hint(&why, "decide by hand which one is right, start it there and remove the other");
		reconcile_give_up(engine, move, &why);
	} else if (move->record.was_shutoff || move->cold.start_failures >= 2 * START_TRIES_MAX) {
		if (reconcile_is_settled(engine, move, COLD_NOT_MOVED)) {
			reconcile_leave_verifying(engine, move, "is shut off on its source");
			finish_not_moved(engine, move);
		}
	} else if (reconcile_is_settled(engine, move, COLD_START_SOURCE)) {
		reconcile_repair(engine, move, HV_START, SIDE_SOURCE, "was shut down for its move and is started again");
	}
}

/* It has run there, or may have, and does not start any more: nothing is taken away, for both may be needed to put it right. */
static void stuck(struct engine *engine, struct move *move)
{
	struct error why;

	if (!reconcile_is_settled(engine, move, COLD_STUCK))
		return;
	error_set(&why, ERR_GUEST_NOT_RUNNING, "guest %s is shut off on %s, where it may have run, and %u starts there did not help: %.200s",
		move->record.guest, move->record.target, move->cold.target_starts,
		move->failure.code != ERR_NONE ? move->failure.message : "it stops again");
	error_hint(&why, "its newest disks are on %s: start it there and remove what is left of it on %s", move->record.target, move->record.source);
	reconcile_leave_alone(engine, move, &why);
}

static void forward(struct engine *engine, struct move *move, const char *text)
{
	if (move->record.was_shutoff) {
		if (reconcile_is_settled(engine, move, COLD_MOVED))
			reconcile_moved(engine, move, text);
	} else if (move->cold.target_starts >= START_AGAIN_MAX) {
		stuck(engine, move);
	} else {
		move->cold.target_starts++;
		move->cold.is_target_asked = true;
		reconcile_again(engine, move); /* for its growing delay after a refusal */
		reconcile_repair(engine, move, HV_START, SIDE_TARGET, "is complete there and not started yet");
	}
}

static void judge_source_runs(struct engine *engine, struct move *move, const struct hv_where *target)
{
	struct error why;

	if (is_here(target)) {
		if (!reconcile_is_settled(engine, move, COLD_TWICE))
			return;
		error_set(&why, ERR_SPLIT_BRAIN, "guest %s runs on %s and on %s: somebody has started it on %s while it was being moved",
			move->record.guest, move->record.source, move->record.target, move->record.source);
		error_hint(&why, "both have their own disks; decide by hand which one is right and destroy the other");
		reconcile_give_up(engine, move, &why);
	} else if (move->cold.stop_until_ms != TIME_NEVER && engine->now_ms < move->cold.stop_until_ms) {
		reconcile_again(engine, move); /* it may go down yet */
	} else if (reconcile_is_settled(engine, move, COLD_NOT_MOVED)) {
		if (move->failure.code == ERR_NONE)
			error_set(&move->failure, ERR_VERIFY_FAILED, "guest %s was started on %s by somebody else", move->record.guest,
				move->record.source);
		reconcile_leave_verifying(engine, move, "runs on its source");
		finish_not_moved(engine, move);
	}
}

void cold_judge(struct engine *engine, struct move *move)
{
	const struct hv_where *source = &move->reconcile.sides[SIDE_SOURCE].where, *target = &move->reconcile.sides[SIDE_TARGET].where;
	bool is_ours = reconcile_is_ours(engine, move, target) && target->job_tag.epoch == move->record.epoch, goes_back;
	struct error why;

	if (move->reconcile.sides[SIDE_SOURCE].is_unreachable ||
		(move->record.method == METHOD_COLD && move->reconcile.sides[SIDE_TARGET].is_unreachable)) {
		reconcile_again(engine, move);
		return;
	}
	if (move->record.method != METHOD_COLD) {
		judge_in_place(engine, move, source);
		return;
	}
	if (move->pending[HV_START] != 0) {
		reconcile_again(engine, move);
		return;
	}
	goes_back = !move->cold.may_have_run && (move->cold.start_failures >= START_TRIES_MAX || move->record.cancel_requested);
	if (is_here(source))
		judge_source_runs(engine, move, target);
	else if (is_here(target)) {
		if (reconcile_is_settled(engine, move, COLD_MOVED))
			reconcile_moved(engine, move, "runs on the target");
	} else if (target->presence == HV_SHUTOFF && is_ours && (source->presence == HV_ABSENT || !goes_back))
		forward(engine, move, "is on the target, shut off as it was");
	else if (source->presence == HV_SHUTOFF)
		back(engine, move, target, is_ours);
	else if (reconcile_is_settled(engine, move, COLD_GONE)) {
		error_set(&why, ERR_GUEST_GONE, "guest %s is on neither host (%s, %s)", move->record.guest, move->record.source,
			move->record.target);
		reconcile_give_up(engine, move, &why);
	}
}
