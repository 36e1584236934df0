/* Convergence: what is done about a guest that writes memory as fast as its copy is sent.
 *
 * A ladder, climbed one step whenever a number of rounds with the whole rate brought no end: the allowed blackout is
 * doubled up to what the operator permits, and at the top the guest is switched to post-copy where that is allowed
 * (post_copy.c), or the attempt is given up, with the figures. QEMU's own throttling of the guest (auto_converge) goes
 * with the request from the start where it is allowed. Rounds at a trickle say nothing: a move that is staged
 * behind others has not had its chance yet.
 */
#include "engine_impl.h"

enum {
	ROUNDS_OF_STEP = 5,
	STEP_LEAST_MS = 5000, /* rounds of an idle guest take milliseconds */
	STEPS = 6,            /* 30 rounds in all: QEMU's own auto-converge needs about 20 to reach its limit */
	SWITCHES_MAX = 2,     /* times that post-copy is asked for when it does not begin */
};

static void restart_step(struct engine *engine, struct move *move, uint32_t rounds)
{
	move->ladder_round = rounds;
	move->ladder_ms = engine->now_ms;
}

void converge_begin(struct engine *engine, struct move *move)
{
	move->ladder_step = 0;
	move->ladder_downtime_ms = engine->options.downtime_limit_ms;
	restart_step(engine, move, 0);
}

static void give_up(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	error_set(&move->failure, ERR_NOT_CONVERGING,
		"guest %s: after %u rounds %.1f MB are left to copy; it writes %.1f MB/s, the copy runs at %.1f MB/s, a blackout of %lld ms is allowed",
		move->record.guest, stats->rounds, (double)stats->memory_remaining_bytes / 1e6,
		(double)stats->dirty_rate_bytes_per_s / 1e6, (double)move->rate_bytes_per_s / 1e6,
		(long long)move->ladder_downtime_ms);
	if (move->no_post_copy.code != ERR_NONE)
		error_hint(&move->failure, "post_copy is allowed, but: %s", move->no_post_copy.message);
	run_abort(engine, move);
}

/* More blackout, while the operator allows more. */
static void allow_more(struct engine *engine, struct move *move)
{
	int64_t most_ms = engine->options.downtime_max_ms, next_ms = move->ladder_downtime_ms * 2;

	if (most_ms < engine->options.downtime_limit_ms)
		most_ms = engine->options.downtime_limit_ms;
	if (next_ms > most_ms)
		next_ms = most_ms;
	if (next_ms <= move->ladder_downtime_ms)
		return;
	move->ladder_downtime_ms = next_ms;
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s does not converge: a blackout of %lld ms is allowed now",
		move->record.guest, (long long)next_ms);
	move_request(engine, move, HV_SET_DOWNTIME, SIDE_SOURCE)->downtime_ms = next_ms;
}

void converge_watch(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	if (stats->phase != HV_PHASE_MEMORY || move->record.state != MOVE_COPYING_MEMORY)
		return;
	/* A new attempt of the hypervisor, or an adopted move, counts from where it is. */
	if (!move->is_head || stats->rounds < move->ladder_round || move->ladder_ms == 0) {
		restart_step(engine, move, stats->rounds);
		return;
	}
	if (stats->rounds - move->ladder_round < ROUNDS_OF_STEP || engine->now_ms - move->ladder_ms < STEP_LEAST_MS)
		return;
	restart_step(engine, move, stats->rounds);
	if (++move->ladder_step < STEPS)
		allow_more(engine, move);
	else if (post_copy_may_begin(engine, move) && move->ladder_step < STEPS + SWITCHES_MAX)
		post_copy_begin(engine, move, stats);
	else
		give_up(engine, move, stats);
}
