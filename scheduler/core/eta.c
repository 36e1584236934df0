/* The views of what runs: rates, what is left, how long it will take, why something waits. */
#include <stdlib.h>

#include "engine_impl.h"
#include "learn.h"
#include "xalloc.h"

static uint64_t total_of(const struct move *move)
{
	uint64_t seen = move->stats.disk_total_bytes + move->record.planned_bytes -
		(move->planned_disk_bytes < move->record.planned_bytes ? move->planned_disk_bytes : move->record.planned_bytes);

	return move->stats.disk_total_bytes > 0 ? seen : move->record.planned_bytes;
}

/* In the memory phase the hypervisor knows what is left, re-dirtied pages included; before it, the plan does. */
static uint64_t remaining_of(const struct move *move)
{
	uint64_t total = total_of(move);

	if (move_state_is_end(move->record.state) || move->record.state == MOVE_VERIFYING ||
		move->record.state == MOVE_CLEANUP)
		return 0;
	if (move->stats_ms != 0 && (move->stats.phase == HV_PHASE_MEMORY || move->stats.phase == HV_PHASE_POSTCOPY))
		return move->stats.memory_remaining_bytes;
	if (move->stats_ms != 0 && move->stats.phase == HV_PHASE_DISKS)
		return total > move->progress_bytes ? total - move->progress_bytes : 0;
	return total;
}

/* How far moves like it have been off between these hosts. */
static uint32_t range_of(const struct engine *engine, const struct move *move)
{
	return learn_time_range(&engine->options.plan, lessons_of_move(engine, move));
}

static void range(uint32_t range_milli, int64_t middle_ms, int64_t *ret_low_ms, int64_t *ret_ms, int64_t *ret_high_ms)
{
	int64_t half = middle_ms * range_milli / 1000;

	*ret_low_ms = middle_ms - half;
	*ret_ms = middle_ms;
	*ret_high_ms = middle_ms + half;
}

/* The rate of a move that is only set up behind another says nothing of how fast it will be. */
static uint64_t telling_rate(const struct move *move)
{
	return move->is_head ? move->rate_bytes_per_s : 0;
}

/* Its own rate when that has settled, or what one copy carried on its links before; 0 = neither. */
static uint64_t measured_rate(const struct engine *engine, const struct move *move)
{
	uint64_t rate = move->steady_samples > 2 ? telling_rate(move) : 0;
	size_t i;

	for (i = 0; rate == 0 && i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			rate = engine->links[move->links[i]].single_bytes_per_s;
	return rate;
}

/* At which the rest of a move will flow once it is its turn. */
static uint64_t rate_for(const struct engine *engine, const struct move *move)
{
	uint64_t rate = measured_rate(engine, move);

	if (rate == 0)
		rate = move->record.planned_rate_bytes_per_s;
	return rate != 0 ? rate : 1;
}

static bool is_guess(const struct engine *engine, const struct move *move)
{
	return move->rate_is_assumed && measured_rate(engine, move) == 0;
}

const struct engine_options *engine_limits(const struct engine *engine)
{
	return &engine->options;
}

void engine_move_live(const struct engine *engine, size_t i, struct move_live *ret_live)
{
	const struct move *move = &engine->moves[i];

	*ret_live = (struct move_live){
		.phase = move->stats.phase,
		.total_bytes = total_of(move),
		.remaining_bytes = remaining_of(move),
		.rate_bytes_per_s = move->active_at != INDEX_NONE ? move->rate_bytes_per_s : 0,
		.granted_bytes_per_s = move->granted_bytes_per_s,
		.is_head = move->is_head,
		.dirty_rate_bytes_per_s = move->stats.dirty_rate_bytes_per_s,
		.eta_low_ms = -1, .eta_ms = -1, .eta_high_ms = -1,
	};
	if (move_state_is_on_wire(move->record.state) && telling_rate(move) > 0)
		range(range_of(engine, move), (int64_t)(ret_live->remaining_bytes * 1000 / telling_rate(move)), &ret_live->eta_low_ms,
			&ret_live->eta_ms, &ret_live->eta_high_ms);
	if (move->is_waiting)
		admission_check(engine, move, &ret_live->waiting);
	else if (move->record.state == MOVE_UNKNOWN)
		error_set(&ret_live->waiting, ERR_WAIT_RECONCILE, "%s and %s are asked where guest %s runs",
			move->record.source, move->record.target, move->record.guest);
	if (move->is_waiting && ret_live->waiting.code == ERR_NONE)
		error_set(&ret_live->waiting, ERR_WAIT_TURN, "it starts next");
}

static int64_t left_of(const struct engine *engine, const struct move *move)
{
	return move_state_is_end(move->record.state) ? 0 : (int64_t)(remaining_of(move) * 1000 / rate_for(engine, move));
}

/* A guest that goes by way of a third host has both legs before it, one after the other. */
static int64_t legs_left(const struct engine *engine, const struct move *move)
{
	const struct move *first = legs_first_of(engine, move);

	return first == NULL ? 0 : left_of(engine, first) + engine->options.plan.finish_ms + left_of(engine, move);
}

/* The most loaded link decides: what is left on it over what it carries. Its range is that of the moves, each by its part of the
 * work, as a plan has it. Nothing is told that would mostly be a guess: the first copies are measured in seconds. */
void engine_batch_eta(const struct engine *engine, uint64_t batch, int64_t *ret_low_ms, int64_t *ret_ms, int64_t *ret_high_ms)
{
	uint64_t *loads = xcalloc(engine->n_links, sizeof *loads);
	uint64_t weight = 0, guessed = 0, ranges = 0;
	int64_t longest_ms = 0;
	bool is_over = true;
	size_t i, j;

	for (i = 0; i < engine->n_moves; i++) {
		const struct move *move = &engine->moves[i];
		int64_t time_ms;

		if (move->record.batch != batch || move_state_is_end(move->record.state))
			continue;
		is_over = false;
		time_ms = left_of(engine, move);
		weight += (uint64_t)time_ms;
		guessed += is_guess(engine, move) ? (uint64_t)time_ms : 0;
		ranges += (uint64_t)time_ms * range_of(engine, move);
		if (legs_left(engine, move) > longest_ms)
			longest_ms = legs_left(engine, move);
		for (j = 0; j < LINKS_OF_MOVE; j++) {
			uint64_t *load = move->links[j] != INDEX_NONE ? &loads[move->links[j]] : NULL;

			if (load == NULL)
				continue;
			*load += (uint64_t)time_ms;
			if ((int64_t)*load > longest_ms)
				longest_ms = (int64_t)*load;
		}
	}
	free(loads);
	*ret_low_ms = *ret_ms = *ret_high_ms = -1;
	if (is_over)
		*ret_low_ms = *ret_ms = *ret_high_ms = 0;
	else if (guessed <= weight / 2)
		range(weight > 0 ? (uint32_t)(ranges / weight) : engine->options.plan.range_milli, longest_ms + engine->options.plan.finish_ms,
			ret_low_ms, ret_ms, ret_high_ms);
}
