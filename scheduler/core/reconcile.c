/* Reconcile: where does the guest run? The only way out of UNKNOWN, and the check behind
 * every success. Both hosts are asked; the pair of answers is looked up in one table.
 *
 * "Cannot reach" is never "absent": with one side silent nothing is concluded that could lose
 * or double a guest. The table is that of the facts on libvirt's migration protocol: a source
 * whose migration is past its switchover stays paused, and which side may run is decided by
 * what the target really does, never by the error a client got.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "engine_impl.h"

enum {
	DELAY_MAX_MS = 30000,
	SETTLE_MS = 1500,        /* a request of a killed manager reaches its libvirtd within this, or never */
	ORPHAN_MS = 60000,       /* twice libvirt's keepalive: autodestroy has had its chance */
	SWITCH_ASK_MS = 250,
	PAIR_MS = 2000,          /* two answers further apart than this say nothing together */
	STALE_MAX = 2,           /* a host that is always slow is believed in the end */
	UNCONFIRMED_MS = 3000,   /* a Confirm that is only slow comes within this; libvirt's keepalive takes 30 s */
};

/* What one side was seen to be, as bits so that a rule can name several. */
enum seen {
	SEEN_SILENT = 1 << 0,            /* unreachable: nothing is known */
	SEEN_ABSENT = 1 << 1,
	SEEN_SHUTOFF = 1 << 2,
	SEEN_MIGRATED = 1 << 3,          /* shut off because it was migrated away */
	SEEN_ACTIVE = 1 << 4,            /* runs (or is paused by its owner), no migration */
	SEEN_ACTIVE_OUT = 1 << 5,        /* runs, with an outgoing migration */
	SEEN_PAUSED = 1 << 6,            /* paused by a migration that is over */
	SEEN_PAUSED_JOB = 1 << 7,        /* paused by a migration that is under way */
	SEEN_HANDOVER = 1 << 8,          /* paused on the target as we asked: waits for our resume */
	SEEN_POSTCOPY = 1 << 9,
	SEEN_POSTCOPY_FAILED = 1 << 10,
	SEEN_KEPT = 1 << 11,             /* paused by its owner, as it was before the move: has not run here since */
	SEEN_GONE = SEEN_ABSENT | SEEN_SHUTOFF,
	SEEN_LEFT = SEEN_ABSENT | SEEN_MIGRATED,
	SEEN_HERE = SEEN_ACTIVE | SEEN_KEPT,
	SEEN_ARRIVED = SEEN_HERE | SEEN_ACTIVE_OUT,
	SEEN_ANY = (1 << 12) - 1,
};

enum verdict_kind {
	VERDICT_ASK_AGAIN,
	VERDICT_IN_FLIGHT,
	VERDICT_SWITCHING,
	VERDICT_UNCONFIRMED,
	VERDICT_NOT_MOVED,
	VERDICT_ORPHAN,
	VERDICT_SPLIT_BRAIN,
	VERDICT_CONFIRM_LOST,
	VERDICT_RESUME_SOURCE,
	VERDICT_MOVED,
	VERDICT_RESUME_TARGET,
	VERDICT_DOUBTFUL,
	VERDICT_POSTCOPY,
	VERDICT_RECOVER,
	VERDICT_LOST,
	VERDICT_GUEST_STOPPED,
	VERDICT_GUEST_GONE,
	VERDICT_COUNT
};

/* First match wins. Every row is one line of the decision table; what is in no row is asked again. */
static const struct rule_row {
	unsigned source, target;
	enum verdict_kind verdict;
	const char *text;
} rows[] = {
	{SEEN_POSTCOPY_FAILED, SEEN_POSTCOPY_FAILED, VERDICT_RECOVER, "in post-copy, which has broken off"},
	{SEEN_POSTCOPY_FAILED, SEEN_GONE | SEEN_MIGRATED, VERDICT_LOST, "was in post-copy when its target lost it"},
	{SEEN_GONE | SEEN_MIGRATED | SEEN_ARRIVED, SEEN_POSTCOPY_FAILED, VERDICT_LOST, "was in post-copy when its source lost the rest of its memory"},
	{SEEN_POSTCOPY | SEEN_POSTCOPY_FAILED, SEEN_ANY, VERDICT_POSTCOPY, "in post-copy: neither side is touched"},
	{SEEN_ANY, SEEN_POSTCOPY | SEEN_POSTCOPY_FAILED, VERDICT_POSTCOPY, "in post-copy: neither side is touched"},
	{SEEN_PAUSED_JOB, SEEN_ACTIVE | SEEN_ACTIVE_OUT, VERDICT_UNCONFIRMED, "runs on the target; the source has not been told"},
	{SEEN_PAUSED_JOB, SEEN_ANY, VERDICT_SWITCHING, "the switchover is under way"},
	{SEEN_ACTIVE_OUT, SEEN_GONE | SEEN_PAUSED | SEEN_PAUSED_JOB | SEEN_SILENT, VERDICT_IN_FLIGHT, "the copy is under way"},
	{SEEN_HERE, SEEN_GONE | SEEN_MIGRATED, VERDICT_NOT_MOVED, "runs on the source, not on the target"},
	{SEEN_HERE, SEEN_PAUSED | SEEN_PAUSED_JOB | SEEN_HANDOVER, VERDICT_ORPHAN, "runs on the source; a paused copy is on the target"},
	{SEEN_KEPT, SEEN_KEPT, VERDICT_ORPHAN, "is on the source as its owner left it; a copy that has not run is on the target"},
	{SEEN_ACTIVE, SEEN_KEPT, VERDICT_DOUBTFUL, "runs on the source, where its owner had paused it, and is paused on the target since it arrived"},
	{SEEN_HERE, SEEN_ACTIVE | SEEN_ACTIVE_OUT, VERDICT_SPLIT_BRAIN, "runs on both hosts"},
	{SEEN_PAUSED, SEEN_ARRIVED, VERDICT_CONFIRM_LOST, "runs on the target; the source is paused and stale"},
	{SEEN_PAUSED, SEEN_HANDOVER, VERDICT_CONFIRM_LOST, "handed over; the source is paused and stale"},
	{SEEN_PAUSED, SEEN_PAUSED, VERDICT_ORPHAN, "paused on both hosts: only the source is whole for certain"},
	{SEEN_PAUSED, SEEN_ABSENT, VERDICT_RESUME_SOURCE, "paused on the source, not on the target"},
	{SEEN_PAUSED, SEEN_SHUTOFF | SEEN_MIGRATED, VERDICT_DOUBTFUL, "paused on the source, and shut off on the target, where it may have run"},
	{SEEN_LEFT | SEEN_SHUTOFF, SEEN_ARRIVED, VERDICT_MOVED, "runs on the target, not on the source"},
	{SEEN_LEFT, SEEN_HANDOVER, VERDICT_RESUME_TARGET, "handed over and waiting for its resume"},
	{SEEN_SHUTOFF, SEEN_HANDOVER, VERDICT_DOUBTFUL, "is shut off on the source, which may have run on, and paused on the target since it was handed over"},
	{SEEN_ABSENT | SEEN_SHUTOFF, SEEN_PAUSED, VERDICT_ORPHAN, "gone from the source; an unfinished copy is on the target"},
	{SEEN_LEFT, SEEN_SHUTOFF, VERDICT_MOVED, "was moved, and shut down on the target since"},
	{SEEN_SHUTOFF, SEEN_ABSENT, VERDICT_GUEST_STOPPED, "was shut down on the source"},
	{SEEN_SHUTOFF, SEEN_SHUTOFF | SEEN_MIGRATED, VERDICT_DOUBTFUL, "is shut off on both hosts, and either may have run last"},
	{SEEN_LEFT, SEEN_GONE | SEEN_MIGRATED, VERDICT_GUEST_GONE, "runs on neither host"},
};

bool reconcile_is_ours(const struct engine *engine, const struct move *move, const struct hv_where *where)
{
	return where->has_tag && where->job_tag.move == move->record.id && strcmp(where->job_tag.run, engine->run) == 0;
}

static enum seen seen_paused(const struct move *move, const struct hv_where *where, enum side side)
{
	switch (where->pause_reason) {
	case HV_PAUSE_MIGRATION:
		return where->job == HV_JOB_OUT || where->job == HV_JOB_IN ? SEEN_PAUSED_JOB : SEEN_PAUSED;
	case HV_PAUSE_POSTCOPY:
		return SEEN_POSTCOPY;
	case HV_PAUSE_POSTCOPY_FAILED:
		return SEEN_POSTCOPY_FAILED;
	case HV_PAUSE_NONE:
	case HV_PAUSE_USER:
	case HV_PAUSE_IOERROR:
	case HV_PAUSE_OTHER:
		break;
	}
	/* Once the source has run on, what was handed over is stale: no better than an unfinished copy. */
	if (side == SIDE_TARGET && move->record.handover_paused && !move->record.was_paused &&
		where->pause_reason == HV_PAUSE_USER)
		return move->is_handover_void ? SEEN_PAUSED : SEEN_HANDOVER;
	if (move->record.was_paused && where->pause_reason == HV_PAUSE_USER && where->job == HV_JOB_NONE)
		return SEEN_KEPT;
	return where->job == HV_JOB_OUT ? SEEN_ACTIVE_OUT : SEEN_ACTIVE;
}

static enum seen seen_of(const struct move *move, enum side side)
{
	const struct sighting *sighting = &move->reconcile.sides[side];
	const struct hv_where *where = &sighting->where;

	if (!sighting->is_answered || sighting->is_unreachable)
		return SEEN_SILENT;
	switch (where->presence) {
	case HV_ABSENT:
		return SEEN_ABSENT;
	case HV_SHUTOFF:
		/* In VERIFYING the source was ended on purpose: by its migration, or by us behind it. */
		if (side == SIDE_SOURCE && move->record.state == MOVE_VERIFYING)
			return SEEN_MIGRATED;
		/* What is left of a copy that must not run is no guest. */
		if (side == SIDE_TARGET && move->is_handover_void)
			return SEEN_ABSENT;
		return where->shutoff_by_migration ? SEEN_MIGRATED : SEEN_SHUTOFF;
	case HV_RUNNING:
		if (where->postcopy)
			return where->postcopy_failed ? SEEN_POSTCOPY_FAILED : SEEN_POSTCOPY;
		/* Its Finish is under way and may still end it: that says no more than silence. */
		if (side == SIDE_TARGET && where->job == HV_JOB_IN)
			return SEEN_SILENT;
		return where->job == HV_JOB_OUT ? SEEN_ACTIVE_OUT : SEEN_ACTIVE;
	case HV_PAUSED:
		break;
	}
	return seen_paused(move, where, side);
}

static const struct rule_row *look_up(enum seen source, enum seen target)
{
	static const struct rule_row again = {SEEN_ANY, SEEN_ANY, VERDICT_ASK_AGAIN, "the answers are not conclusive"};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		if ((rows[i].source & source) != 0 && (rows[i].target & target) != 0)
			return &rows[i];
	return &again;
}

static void ask_at(struct move *move, int64_t at_ms)
{
	move->reconcile.next_ms = at_ms;
}

void reconcile_again(struct engine *engine, struct move *move)
{
	struct reconcile *reconcile = &move->reconcile;

	ask_at(move, engine->now_ms + reconcile->delay_ms);
	reconcile->delay_ms = reconcile->delay_ms * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : reconcile->delay_ms * 2;
}

static void ask(struct engine *engine, struct move *move)
{
	size_t i;

	ask_at(move, TIME_NEVER);
	for (i = 0; i < SIDES; i++) {
		move->reconcile.sides[i] = (struct sighting){.is_asked = true, .asked_ms = engine->now_ms};
		move_request(engine, move, HV_WHERE, (enum side)i);
	}
}

void reconcile_begin(struct engine *engine, struct move *move)
{
	bool must_settle = move->reconcile.must_settle;

	move->reconcile = (struct reconcile){
		.delay_ms = engine->options.reconcile_interval_ms,
		.last_verdict = VERDICT_COUNT,
		.since_ms = engine->now_ms,
		.must_settle = must_settle,
	};
	move->reconcile.elsewhere.clear_ms = -1;
	move->fix_tries = 0;
	move->is_undoing = false;
	ask(engine, move);
}

/* Some verdicts have to be seen twice with time in between: an answer is a moment of the past, and
 * a request of an earlier life or the end of a job may still be on its way. */
bool reconcile_is_settled(struct engine *engine, struct move *move, uint32_t verdict)
{
	struct reconcile *reconcile = &move->reconcile;

	if (reconcile->last_verdict != verdict) {
		reconcile->last_verdict = verdict;
		reconcile->same_verdicts = 0;
	}
	if (++reconcile->same_verdicts > 1)
		return true;
	ask_at(move, engine->now_ms + SETTLE_MS);
	return false;
}

void reconcile_repair(struct engine *engine, struct move *move, enum hv_kind kind, enum side side, const char *why)
{
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s on %s: %s %s", hv_kind_name(kind),
		side == SIDE_SOURCE ? move->record.source : move->record.target, move->record.guest, why);
	move->fix_tries++;
	move_request(engine, move, kind, side);
}

/* A success that turned out to be none goes through UNKNOWN like every failure. */
static void leave_verifying(struct engine *engine, struct move *move, const struct error *why)
{
	if (move->record.state == MOVE_VERIFYING)
		move_set_state(engine, move, MOVE_UNKNOWN, "%s", why->message);
}

/* The target ran first and the source's memory is stale: the target is kept. First the source is
 * stopped from doing harm, then ended. A copy that is not ours is nobody's to end. */
static void split_brain(struct engine *engine, struct move *move, const char *text)
{
	struct error why;

	if (!reconcile_is_ours(engine, move, &move->reconcile.sides[SIDE_TARGET].where)) {
		error_set(&why, ERR_SPLIT_BRAIN, "guest %s runs on %s and on %s, and the copy on %s is not of this move",
			move->record.guest, move->record.source, move->record.target, move->record.target);
		error_hint(&why, "decide by hand which copy is right and destroy the other");
		leave_verifying(engine, move, &why);
		move_end(engine, move, MOVE_FAILED, &why);
		return;
	}
	if (move->record.state == MOVE_UNKNOWN)
		move_set_state(engine, move, MOVE_VERIFYING, "%s", text);
	move->is_source_suspended = true;
	reconcile_repair(engine, move, move->fix_tries % 2 == 0 ? HV_SUSPEND : HV_DESTROY, SIDE_SOURCE, text);
}

/* libvirt ends an unfinished copy by itself when its source is gone, so it gets the time for that; one that was
 * handed over belongs to nobody but us. A copy that is not ours is left alone, and the move ends with that reason. */
static void orphan(struct engine *engine, struct move *move, const char *text)
{
	const struct hv_where *where = &move->reconcile.sides[SIDE_TARGET].where;

	if (!reconcile_is_settled(engine, move, VERDICT_ORPHAN))
		return;
	if (where->pause_reason == HV_PAUSE_MIGRATION && engine->now_ms - move->reconcile.since_ms < ORPHAN_MS) {
		reconcile_again(engine, move);
	} else if (reconcile_is_ours(engine, move, where)) {
		reconcile_repair(engine, move, HV_DESTROY, SIDE_TARGET, text);
	} else {
		error_set(&move->failure, ERR_VERIFY_FAILED, "guest %s: a paused copy on %s is not of this move", move->record.guest,
			move->record.target);
		error_hint(&move->failure, "decide by hand what becomes of the copy");
		leave_verifying(engine, move, &move->failure);
		finish_not_moved(engine, move);
	}
}

/* The source is paused and the target has taken over: it is ended for good. That it is ended on purpose
 * is durable before (VERIFYING), or a shut-off source could later be taken for one that crashed. */
static void end_source(struct engine *engine, struct move *move, const char *text)
{
	if (!reconcile_is_settled(engine, move, VERDICT_CONFIRM_LOST))
		return;
	if (move->record.state == MOVE_UNKNOWN)
		move_set_state(engine, move, MOVE_VERIFYING, "%s", text);
	reconcile_repair(engine, move, HV_DESTROY, SIDE_SOURCE, text);
}

/* Whatever is resumed or removed now might be the wrong one: an older state, or the newer disks. Nothing is touched;
 * that costs a look by a human, the other could cost data. */
void reconcile_leave_alone(struct engine *engine, struct move *move, const struct error *why)
{
	leave_verifying(engine, move, why);
	move_end(engine, move, MOVE_FAILED, why);
}

static void leave_alone(struct engine *engine, struct move *move, const char *text)
{
	struct error why;

	error_set(&why, ERR_GUEST_NOT_RUNNING, "guest %s %s (%s, %s)", move->record.guest, text, move->record.source,
		move->record.target);
	error_hint(&why, "find out from both hosts' logs where it ran last, start it there and remove the other copy");
	reconcile_leave_alone(engine, move, &why);
}

static void doubtful(struct engine *engine, struct move *move, const char *text)
{
	if (reconcile_is_settled(engine, move, VERDICT_DOUBTFUL))
		leave_alone(engine, move, text);
}

/* The switchover watchdog: the target runs by its migration and the source still waits to be told. When the answer
 * that it waits for is lost, libvirt resumes the source after its keepalive, and the guest runs twice: the source is
 * ended before. One whose answer is only late would have been ended by libvirt in the same way. */
static void unconfirmed(struct engine *engine, struct move *move, const char *text)
{
	struct reconcile *reconcile = &move->reconcile;

	if (reconcile->last_verdict != VERDICT_UNCONFIRMED)
		reconcile->unconfirmed_ms = engine->now_ms;
	if (engine->now_ms - reconcile->unconfirmed_ms < UNCONFIRMED_MS || !reconcile_is_ours(engine, move, &reconcile->sides[SIDE_TARGET].where)) {
		ask_at(move, engine->now_ms + SWITCH_ASK_MS);
		return;
	}
	if (move->record.state == MOVE_UNKNOWN)
		move_set_state(engine, move, MOVE_VERIFYING, "%s", text);
	reconcile_repair(engine, move, HV_DESTROY, SIDE_SOURCE, text);
}

static bool is_suspended_by_us(const struct move *move)
{
	const struct hv_where *source = &move->reconcile.sides[SIDE_SOURCE].where;

	return move->is_source_suspended && source->presence == HV_PAUSED && source->pause_reason == HV_PAUSE_USER;
}

/* What runs on a third host is the guest; neither of ours may run besides. */
static void resume(struct engine *engine, struct move *move, enum side side, const char *text)
{
	if (move->is_elsewhere)
		leave_alone(engine, move, "is paused, and ran on a third host when drover was started");
	else if (elsewhere_is_clear(engine, move))
		reconcile_repair(engine, move, HV_RESUME, side, text);
}

/* Of two running copies the other one has died since: ours to undo is that this one stands still, unless the other
 * may have run last. */
static void undo_suspend(struct engine *engine, struct move *move)
{
	if (move->reconcile.sides[SIDE_TARGET].where.presence == HV_SHUTOFF)
		doubtful(engine, move, "was suspended on the source because it ran on both hosts, and is shut off on the target since");
	else
		resume(engine, move, SIDE_SOURCE, "was suspended by us and is the only one left");
}

static void not_moved(struct engine *engine, struct move *move)
{
	if (move->reconcile.must_settle && !reconcile_is_settled(engine, move, VERDICT_NOT_MOVED))
		return;
	if (move->late_prepare != 0) {
		reconcile_again(engine, move); /* what it still makes has to be taken back too */
		return;
	}
	if (move->may_have_switched && !elsewhere_is_clear(engine, move))
		return;
	move->reconcile.must_settle = false;
	if (is_suspended_by_us(move)) {
		undo_suspend(engine, move);
		return;
	}
	if (move->record.state == MOVE_VERIFYING) {
		error_set(&move->failure, ERR_VERIFY_FAILED, "guest %s was said to have moved, but runs on %s",
			move->record.guest, move->record.source);
		leave_verifying(engine, move, &move->failure);
	}
	move->pending[HV_MIGRATE] = 0;
	finish_not_moved(engine, move);
}

static void moved(struct engine *engine, struct move *move, const char *text)
{
	/* It waited there for our resume, and its host may have gone before: then the source's disks are as new as any. */
	if (move->record.handover_paused && move->reconcile.sides[SIDE_TARGET].where.presence == HV_SHUTOFF) {
		leave_alone(engine, move, "was handed over, and is shut off on the target, where it may never have run");
		return;
	}
	move->reconcile.must_settle = false;
	move->pending[HV_MIGRATE] = 0;
	if (move->record.state == MOVE_UNKNOWN)
		move_set_state(engine, move, MOVE_VERIFYING, "%s", text);
	bandwidth_release(engine, move);
	finish_moved(engine, move);
}

static void ended(struct engine *engine, struct move *move, enum verdict_kind verdict, const char *text)
{
	struct error why;

	if (!reconcile_is_settled(engine, move, verdict))
		return;
	error_set(&why, verdict == VERDICT_GUEST_STOPPED ? ERR_GUEST_NOT_RUNNING : ERR_GUEST_GONE, "guest %s %s (%s, %s)",
		move->record.guest, text, move->record.source, move->record.target);
	leave_verifying(engine, move, &why);
	if (verdict == VERDICT_GUEST_STOPPED) {
		move->failure = why;
		finish_not_moved(engine, move);
	} else {
		move_end(engine, move, MOVE_FAILED, &why); /* its disks are touched by nobody */
	}
}

/* Its source tells how far it is, while a job of it is there; one that the source calls failed may still end by itself. */
static void in_post_copy(struct engine *engine, struct move *move)
{
	const struct hv_where *source = &move->reconcile.sides[SIDE_SOURCE].where;
	bool is_followed = seen_of(move, SIDE_SOURCE) == SEEN_POSTCOPY && source->job == HV_JOB_OUT;

	if (is_followed && move->record.state == MOVE_UNKNOWN)
		post_copy_adopt(engine, move);
	else
		reconcile_again(engine, move);
}

static void act(struct engine *engine, struct move *move, const struct rule_row *row)
{
	switch (row->verdict) {
	case VERDICT_ASK_AGAIN:
	case VERDICT_COUNT:
		reconcile_again(engine, move);
		break;
	case VERDICT_POSTCOPY:
		in_post_copy(engine, move);
		break;
	case VERDICT_RECOVER:
		if (reconcile_is_settled(engine, move, row->verdict))
			post_copy_recover(engine, move);
		break;
	case VERDICT_LOST:
		if (reconcile_is_settled(engine, move, row->verdict))
			post_copy_lost(engine, move, row->text);
		break;
	case VERDICT_SWITCHING:
		ask_at(move, engine->now_ms + SWITCH_ASK_MS);
		break;
	case VERDICT_IN_FLIGHT:
		if (move->record.state == MOVE_UNKNOWN)
			run_adopt(engine, move, false);
		else
			reconcile_again(engine, move);
		break;
	case VERDICT_UNCONFIRMED:
		unconfirmed(engine, move, row->text);
		break;
	case VERDICT_NOT_MOVED:
		not_moved(engine, move);
		break;
	case VERDICT_ORPHAN:
		orphan(engine, move, row->text);
		break;
	case VERDICT_SPLIT_BRAIN:
		split_brain(engine, move, row->text);
		break;
	case VERDICT_CONFIRM_LOST:
		end_source(engine, move, row->text);
		break;
	case VERDICT_DOUBTFUL:
		doubtful(engine, move, row->text);
		break;
	case VERDICT_RESUME_SOURCE:
		if (reconcile_is_settled(engine, move, row->verdict))
			resume(engine, move, SIDE_SOURCE, row->text);
		break;
	case VERDICT_RESUME_TARGET:
		resume(engine, move, SIDE_TARGET, row->text);
		break;
	case VERDICT_MOVED:
		moved(engine, move, row->text);
		break;
	case VERDICT_GUEST_STOPPED:
	case VERDICT_GUEST_GONE:
		ended(engine, move, row->verdict, row->text);
		break;
	}
}

static bool is_asking(const struct move *move)
{
	return move->record.state == MOVE_UNKNOWN || move->record.state == MOVE_VERIFYING;
}

/* These count their sightings in is_settled. */
static bool must_be_seen_twice(enum verdict_kind verdict)
{
	return verdict == VERDICT_NOT_MOVED || verdict == VERDICT_ORPHAN || verdict == VERDICT_CONFIRM_LOST ||
		verdict == VERDICT_RESUME_SOURCE || verdict == VERDICT_DOUBTFUL || verdict == VERDICT_RECOVER || verdict == VERDICT_LOST || verdict == VERDICT_GUEST_STOPPED ||
		verdict == VERDICT_GUEST_GONE;
}

/* Has the source run on since? That it runs is proof; that it runs and migrates may be an answer from just before
 * the hand-over, unless it is given again: then it is somebody else's migration. */
static void watch_handover(struct move *move, enum seen source)
{
	bool migrates = source == SEEN_ACTIVE_OUT;

	if (source == SEEN_ACTIVE || (migrates && move->reconcile.was_migrating))
		move->is_handover_void = true;
	move->reconcile.was_migrating = migrates;
}

void reconcile_leave_verifying(struct engine *engine, struct move *move, const char *why)
{
	if (move->record.state == MOVE_VERIFYING)
		move_set_state(engine, move, MOVE_UNKNOWN, "%s", why);
}

void reconcile_give_up(struct engine *engine, struct move *move, const struct error *why)
{
	leave_verifying(engine, move, why);
	move_end(engine, move, MOVE_FAILED, why);
}

void reconcile_moved(struct engine *engine, struct move *move, const char *text)
{
	moved(engine, move, text);
}

static void judge(struct engine *engine, struct move *move)
{
	enum seen source = seen_of(move, SIDE_SOURCE), target = seen_of(move, SIDE_TARGET);
	const struct rule_row *row = look_up(source, target);

	if (row->verdict != move->reconcile.last_verdict)
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s %s: source %s, target %s",
			move->record.guest, row->text,
			source == SEEN_SILENT ? "silent" : hv_presence_name(move->reconcile.sides[SIDE_SOURCE].where.presence),
			target == SEEN_SILENT ? "silent" : hv_presence_name(move->reconcile.sides[SIDE_TARGET].where.presence));
	if (target == SEEN_HANDOVER)
		watch_handover(move, source);
	act(engine, move, row);
	if (!must_be_seen_twice(row->verdict))
		move->reconcile.last_verdict = row->verdict;
}

/* Drover itself may have stood still while the answers waited for it: they are as old as their questions, for all it knows. */
static bool are_fresh(struct engine *engine, struct move *move)
{
	struct sighting *sides = move->reconcile.sides;
	int64_t asked_ms = sides[SIDE_SOURCE].asked_ms < sides[SIDE_TARGET].asked_ms ? sides[SIDE_SOURCE].asked_ms : sides[SIDE_TARGET].asked_ms;

	if (engine->now_ms - asked_ms > PAIR_MS && move->reconcile.n_stale < STALE_MAX) {
		move->reconcile.n_stale++;
		ask(engine, move);
		return false;
	}
	move->reconcile.n_stale = 0;
	return true;
}

/* One host may take long to answer, and what the other said meanwhile is history: it is asked once more. */
static bool are_of_one_moment(struct engine *engine, struct move *move)
{
	struct sighting *sides = move->reconcile.sides;
	enum side older = sides[SIDE_SOURCE].answered_ms < sides[SIDE_TARGET].answered_ms ? SIDE_SOURCE : SIDE_TARGET;

	if (engine->now_ms - sides[older].answered_ms <= PAIR_MS)
		return true;
	sides[older] = (struct sighting){.is_asked = true, .asked_ms = engine->now_ms};
	move_request(engine, move, HV_WHERE, older);
	return false;
}

void reconcile_reply(struct engine *engine, struct move *move, const struct hv_reply *reply, enum side side)
{
	struct sighting *sighting = &move->reconcile.sides[side];

	if (!is_asking(move) || move->is_undoing)
		return;
	if (reply->kind != HV_WHERE) {
		/* A repair was tried; what it did is seen by asking, not by its answer. */
		ask_at(move, reply->error.code == ERR_NONE ? engine->now_ms : engine->now_ms + move->reconcile.delay_ms);
		return;
	}
	sighting->is_asked = false;
	sighting->is_answered = true;
	sighting->is_unreachable = reply->error.code != ERR_NONE;
	sighting->answered_ms = engine->now_ms;
	sighting->where = reply->where;
	if (!move->reconcile.sides[SIDE_SOURCE].is_asked && !move->reconcile.sides[SIDE_TARGET].is_asked &&
		are_of_one_moment(engine, move) && are_fresh(engine, move)) {
		if (move->record.method == METHOD_LIVE)
			judge(engine, move);
		else
			cold_judge(engine, move);
	}
}

void reconcile_tick(struct engine *engine, struct move *move)
{
	if (is_asking(move) && !move->is_undoing && move->reconcile.next_ms <= engine->now_ms)
		ask(engine, move);
}

int64_t reconcile_deadline(const struct move *move)
{
	return is_asking(move) && !move->is_undoing ? move->reconcile.next_ms : TIME_NEVER;
}

void reconcile_hint(struct engine *engine, struct move *move)
{
	if (is_asking(move) && !move->is_undoing && move->reconcile.next_ms != TIME_NEVER) {
		move->reconcile.delay_ms = engine->options.reconcile_interval_ms;
		ask_at(move, engine->now_ms);
	}
}
