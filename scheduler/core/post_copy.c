/* Post-copy: a guest that does not converge runs on its target before all of its memory is there; the rest follows it.
 *
 * The last step of the ladder (converge.c), and only where the operator allows it, for from the switch on neither host has the
 * whole guest: when either dies, it is lost. So nothing here is ever aborted, cancelled, resumed or ended, and the move can
 * only end. What can break off is the link between the two; then both hosts say "failed", the target stands still at the next
 * page that it misses, and the same migration is asked to go on, a bounded number of times with growing pauses.
 *
 *   COPYING_MEMORY -> POST_COPY: durable, then the switch is asked for -> VERIFYING
 *        ^                |  \
 *        +-- it did not --+   +-- broke off, drover restarted --> UNKNOWN: both hosts are asked --> POST_COPY
 */
#include <stdio.h>

#include "engine_impl.h"

enum {
	SWITCH_GRACE_MS = 5000,      /* QEMU switches at the end of what it is sending; a tenth of a second is usual */
	RECOVER_DELAY_MAX_MS = 60000,
	RECOVERIES_MAX = 30,         /* half an hour without a byte */
};

bool post_copy_is_flowing(const struct move *move)
{
	return move->record.state == MOVE_POST_COPY && (move->stats.phase == HV_PHASE_POSTCOPY || move->stats.phase == HV_PHASE_POSTCOPY_FAILED);
}

/* Decided with what the preflight has found, durable before the migration begins. */
void post_copy_decide(struct engine *engine, struct move *move, const struct error *why_not)
{
	const struct error *refused = move->target != INDEX_NONE ? &engine->loads[move->target].no_post_copy : NULL;

	move->record.post_copy = POST_COPY_NO;
	error_clear(&move->no_post_copy);
	if (!engine->options.post_copy || move->record.method != METHOD_LIVE)
		return;
	if (why_not->code != ERR_NONE)
		move->no_post_copy = *why_not;
	else if (refused != NULL && refused->code != ERR_NONE)
		move->no_post_copy = *refused;
	else if (engine->options.paused_handover)
		error_set(&move->no_post_copy, ERR_POST_COPY_UNSUPPORTED, "guest %s: handover is strict, and post-copy cannot wait", move->record.guest);
	/* A guest that stands still writes nothing. */
	else if (!move->record.was_paused)
		move->record.post_copy = POST_COPY_ALLOWED;
	if (move->no_post_copy.code != ERR_NONE)
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "goes without post-copy: %s", move->no_post_copy.message);
}

/* Only the target's QEMU knows whether its kernel lets it, and says so when the migration begins. The same again without. */
bool post_copy_was_refused(struct engine *engine, struct move *move, const struct error *why)
{
	if (why->code != ERR_POST_COPY_UNSUPPORTED || move->record.post_copy == POST_COPY_NO || move->target == INDEX_NONE)
		return false;
	engine->loads[move->target].no_post_copy = *why;
	return true;
}

bool post_copy_may_begin(const struct engine *engine, const struct move *move)
{
	return engine->options.post_copy && move->record.post_copy == POST_COPY_ALLOWED;
}

static void enter(struct engine *engine, struct move *move, const char *text)
{
	move->record.post_copy = POST_COPY_USED;
	move->may_have_switched = true;
	move->is_abort_wanted = false;
	move->switchover_ms = move->progress_ms = engine->now_ms;
	error_clear(&move->failure);
	move_set_state(engine, move, MOVE_POST_COPY, "%s", text);
	engine->must_grant = true;
}

void post_copy_begin(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	char text[200];

	snprintf(text, sizeof text, "after %u rounds %.1f MB are left and it writes %.1f MB/s: it runs on the target now, the rest of its memory follows",
		stats->rounds, (double)stats->memory_remaining_bytes / 1e6, (double)stats->dirty_rate_bytes_per_s / 1e6);
	enter(engine, move, text);
	move_request(engine, move, HV_START_POSTCOPY, SIDE_SOURCE);
}

static void did_not_happen(struct engine *engine, struct move *move, const char *text)
{
	move->record.post_copy = POST_COPY_ALLOWED;
	move_set_state(engine, move, MOVE_COPYING_MEMORY, "the switch to post-copy did not happen: %s", text);
	if (move->record.cancel_requested)
		run_abort(engine, move);
}

/* A refusal is one. Of a lost answer the statistics tell what became of it. */
void post_copy_replied(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	move->next_stats_ms = move->switchover_ms = engine->now_ms;
	if (move->record.state == MOVE_POST_COPY && reply->error.code != ERR_NONE && !reply->outcome_unknown && !post_copy_is_flowing(move))
		did_not_happen(engine, move, reply->error.message);
}

/* True when the phase is dealt with here. */
bool post_copy_follow(struct engine *engine, struct move *move, enum hv_phase phase)
{
	enum move_state state = move->record.state;

	if (!move_state_is_on_wire(state))
		return true; /* an answer of before: both hosts are being asked */
	if (phase == HV_PHASE_POSTCOPY || phase == HV_PHASE_POSTCOPY_FAILED) {
		if (state != MOVE_POST_COPY)
			enter(engine, move, "found to run on the target already, its memory follows");
		return true;
	}
	if (state != MOVE_POST_COPY)
		return false;
	if (phase == HV_PHASE_MEMORY && engine->now_ms - move->switchover_ms >= SWITCH_GRACE_MS)
		did_not_happen(engine, move, "it is still copied as before");
	return true;
}

/* What a watchdog may do: tell. A link that is back carries on by itself, and a connection that is not ends for both hosts. */
void post_copy_watch(struct engine *engine, struct move *move)
{
	struct error why;

	if (move->stats.phase == HV_PHASE_POSTCOPY_FAILED && move->pending[HV_MIGRATE] == 0) {
		error_set(&why, ERR_POST_COPY_FAILED, "guest %s: its memory stopped following it from %s to %s", move->record.guest,
			move->record.source, move->record.target);
		run_fail(engine, move, &why);
		return;
	}
	if (engine->now_ms - move->progress_ms < engine->options.no_progress_ms)
		return;
	move->progress_ms = engine->now_ms;
	engine_audit(engine, &engine->batches[move->batch], move, "", "",
		"guest %s in post-copy: no byte moved from %s to %s for %lld s; neither is touched", move->record.guest, move->record.source,
		move->record.target, (long long)(engine->options.no_progress_ms / 1000));
}

/* ---- found by asking both hosts ---- */

void post_copy_adopt(struct engine *engine, struct move *move)
{
	enter(engine, move, "found in post-copy and followed");
	move->wire_ms = engine->now_ms;
	move->is_interrupted = false;
	move->stats = (struct hv_stats){.phase = HV_PHASE_POSTCOPY};
	move->sent_bytes_per_s = UINT64_MAX; /* not known: the next grant is sent in any case */
	move->next_stats_ms = engine->now_ms;
}

static void give_up(struct engine *engine, struct move *move)
{
	struct error why;

	error_set(&why, ERR_POST_COPY_FAILED, "guest %s: its memory does not follow it from %s to %s, in %d tries", move->record.guest,
		move->record.source, move->record.target, RECOVERIES_MAX);
	error_hint(&why, "end neither copy; once the link is repaired: virsh migrate --live --p2p --postcopy --postcopy-resume %s TARGET-URI, on %s",
		move->record.guest, move->record.source);
	reconcile_leave_alone(engine, move, &why);
}

/* Both hosts say that it has broken off. While our call is outstanding libvirt still watches it. */
void post_copy_recover(struct engine *engine, struct move *move)
{
	int64_t delay_ms = engine->options.retry_delay_ms;
	struct hv_request *request;
	char text[100];
	uint32_t i;

	if (move->pending[HV_MIGRATE] != 0 || engine->now_ms < move->recover_ms) {
		reconcile_again(engine, move);
		return;
	}
	if (move->recoveries >= RECOVERIES_MAX) {
		give_up(engine, move);
		return;
	}
	for (i = 0; i < move->recoveries && delay_ms < RECOVER_DELAY_MAX_MS; i++)
		delay_ms *= 2;
	move->recover_ms = engine->now_ms + (delay_ms < RECOVER_DELAY_MAX_MS ? delay_ms : RECOVER_DELAY_MAX_MS);
	snprintf(text, sizeof text, "its memory has stopped following it and is asked to go on, try %u", ++move->recoveries);
	post_copy_adopt(engine, move);
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s: %s", move->record.guest, text);
	request = move_request(engine, move, HV_MIGRATE, SIDE_SOURCE);
	run_fill(engine, move, request);
	request->postcopy_recover = true;
	move->next_stats_ms = engine->now_ms + engine->options.stats_interval_ms;
}

void post_copy_lost(struct engine *engine, struct move *move, const char *text)
{
	struct error why;

	error_set(&why, ERR_GUEST_GONE, "guest %s %s (%s, %s)", move->record.guest, text, move->record.source, move->record.target);
	error_hint(&why, "its newest disks are on %s; destroy what is left of it on both hosts and start it there", move->record.target);
	reconcile_leave_alone(engine, move, &why);
}
