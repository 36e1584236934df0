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

static bool uses(const struct move *move, uint32_t link)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE && move->links[i] != link; i++)
		;
	return i < LINKS_OF_MOVE;
}

/* Somebody was admitted behind it to this link, or waits for it. Who was there before it ends before it. */
static bool has_follower(const struct engine *engine, const struct move *move, uint32_t link)
{
	size_t i;

	if (engine->links[link].n_waiting > 0)
		return true;
	for (i = 0; i < engine->n_active && engine->links[link].n_active > 1; i++) {
		const struct move *other = &engine->moves[engine->active[i]];

		if (other->sequence > move->sequence && !other->is_link_released && uses(other, link))
			return true;
	}
	return false;
}

static bool is_last(const struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && has_follower(engine, move, move->links[i]))
			return false;
	return true;
}

/* What QEMU may leave for the blackout is measured against the rate just before it. While that is sent, the next move on the link
 * has begun to flow beside it, so it takes twice as long: half is asked for, to keep the limit. A guest that does not converge
 * on that gets the whole in its first step. One that nobody follows on any of its links has the whole from the start: half
 * would only cost it rounds. */
static int64_t before_others_ms(const struct engine *engine)
{
	int64_t limit_ms = engine->options.downtime_limit_ms;

	return engine->options.throttle && limit_ms > 1 ? limit_ms / 2 : limit_ms;
}

int64_t converge_first_ms(const struct engine *engine, const struct move *move)
{
	return is_last(engine, move) ? engine->options.downtime_limit_ms : before_others_ms(engine);
}

void converge_begin(struct engine *engine, struct move *move, int64_t allowed_ms)
{
	move->ladder_step = 0;
	move->ladder_downtime_ms = allowed_ms;
	restart_step(engine, move, 0);
}

/* What it was asked for with is not known any more; it was not less than this. */
void converge_adopt(struct engine *engine, struct move *move)
{
	converge_begin(engine, move, before_others_ms(engine));
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
