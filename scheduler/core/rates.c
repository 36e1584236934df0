/* Rates: how fast each copy is, what it would carry with its links to itself, and when it ends.
 *
 * A rate is the difference of two looks at the bytes that libvirt counts, and neither look is quite of its moment: it is
 * believed after some of them that were made in the same company, and doubted for longer where it would tell
 * of something unlikely. What is made of the rates: links.c (capacities), bandwidth.c (shares).
 */
#include <stdlib.h>

#include "arith.h"
#include "engine_impl.h"

enum {
	STEADY_SAMPLES = 3, /* before a rate is believed: QEMU's first moments scan zero pages */
	SLOW_SAMPLES = 8,   /* before it is believed that a copy cannot do what others did alone */
	ENDING_MS = 300,    /* a copy that ends within this no longer needs the whole link */
	LITTLE_PARTS = 4,   /* such a part of what the blackout carries may share its link */
};

bool rates_is_steady(const struct move *move)
{
	return move->steady_samples >= STEADY_SAMPLES;
}

uint64_t rates_dirty(const struct engine *engine, const struct move *move)
{
	return move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].dirty_rate_bytes_per_s;
}

int64_t rates_left_ms(const struct move *move)
{
	uint64_t remaining = move->stats.memory_remaining_bytes + move->stats.disk_remaining_bytes;
	uint64_t rate = move->rate_bytes_per_s, dirty = move->stats.dirty_rate_bytes_per_s;

	if (move->stats_ms == 0 || rate == 0 || remaining == 0)
		return move->record.planned_duration_ms;
	if (dirty >= rate)
		return TIME_NEVER;
	return (int64_t)(remaining / ((rate - dirty) / 1000 + 1));
}

/* Bytes over the wire so far; libvirt counts disks and memory apart. */
static uint64_t sent_bytes(const struct hv_stats *stats)
{
	return stats->disk_processed_bytes + stats->memory_processed_bytes;
}

/* By somebody's wish: its rate says nothing of what the path carries. */
bool rates_is_limited(const struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && engine->links[move->links[i]].limit_bytes_per_s != 0)
			return true;
	return move->max_rate_bytes_per_s != 0;
}

void rates_sample(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	uint64_t bytes = sent_bytes(stats), rate, *peak;
	int64_t elapsed = engine->now_ms - move->sample_ms;
	size_t i;

	if (move->sample_ms == 0 || bytes < move->sample_bytes || stats->phase != move->stats.phase) {
		move->sample_ms = engine->now_ms;
		move->sample_bytes = bytes;
		move->steady_samples = 0;
		return;
	}
	if (elapsed < engine->options.stats_interval_ms / 2)
		return;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			engine->links[move->links[i]].own_bytes += bytes - move->sample_bytes;
	rate = (bytes - move->sample_bytes) * 1000 / (uint64_t)elapsed;
	/* What it did before it got the link must not weigh on what it does with it. */
	move->rate_bytes_per_s = move->steady_samples < STEADY_SAMPLES - 1 ? rate : (move->rate_bytes_per_s + rate) / 2;
	move->sample_ms = engine->now_ms;
	move->sample_bytes = bytes;
	/* Nothing at all is no rate yet in its first moments, and a stalled link later. */
	if (!move->is_head || (rate == 0 && !move->has_shown)) {
		move->steady_samples = 0;
		return;
	}
	move->steady_samples++;
	if (!rates_is_steady(move))
		return;
	move->has_shown = true;
	peak = stats->phase == HV_PHASE_DISKS ? &move->disk_peak_bytes_per_s : &move->peak_bytes_per_s;
	if (move->rate_bytes_per_s > *peak && !rates_is_limited(engine, move))
		*peak = move->rate_bytes_per_s;
	/* Samples come one by one and are judged together. */
	if (engine->now_ms - engine->granted_ms >= engine->options.stats_interval_ms / 2)
		engine->must_grant = true;
}

/* What the guest may write in this round, which lasts for so long yet: the next round sends it, or the blackout. When the round
 * began is known from a look at it, and may have been as long before that as two looks lie apart; what the guest writes is a
 * mean over its last round, and may be as much as in any other. */
static uint64_t next_round(const struct engine *engine, const struct move *move, int64_t left_ms)
{
	uint64_t dirty = max_u64(move->dirty_peak_bytes_per_s, rates_dirty(engine, move));
	int64_t lasts_ms = engine->now_ms - move->round_ms + engine->options.stats_interval_ms + left_ms;

	return mul_div(dirty, (uint64_t)lasts_ms, 1000);
}

/* What fits into the blackout that is allowed. */
static uint64_t blackout_bytes(const struct move *move)
{
	return mul_div(move->rate_bytes_per_s, (uint64_t)move->ladder_downtime_ms, 1000);
}

bool rates_is_ending(const struct engine *engine, const struct move *move)
{
	uint64_t rate = move->rate_bytes_per_s;
	int64_t left_ms = (int64_t)(move->stats.memory_remaining_bytes / (rate / 1000 + 1));

	if (move->stats.phase != HV_PHASE_MEMORY || move->stats.memory_total_bytes == 0 || rate == 0 || move->steady_samples == 0 ||
		left_ms >= ENDING_MS)
		return false;
	/* So little that it needs no link to itself: on a shared one it takes twice as long. More than that would make the
	 * blackout long, or come to one more round. */
	return next_round(engine, move, left_ms) <= blackout_bytes(move) / LITTLE_PARTS;
}

int64_t rates_last_pages_ms(const struct engine *engine, const struct move *move)
{
	uint64_t bytes = blackout_bytes(move), written = next_round(engine, move, 0);

	if (move->is_ending || move->rate_bytes_per_s == 0)
		return 0; /* the next one flows already */
	if (written != 0 && written < bytes)
		bytes = written;
	return (int64_t)(bytes / (move->rate_bytes_per_s / 1000 + 1));
}

/* A rate says something only about the company it was measured in. */
static void note_company(const struct engine *engine, struct move *move)
{
	uint32_t heads = 0;
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			heads += (engine->links[move->links[i]].flow.heads + engine->links[move->links[i]].flow.ending) << (8 * i);
	if (heads != move->company)
		move->steady_samples = 0;
	move->company = heads;
}

/* What flows beside a head trickles by our own choice: alone the head would have carried that too. */
static uint64_t with_trickles(const struct engine *engine, const struct move *move)
{
	uint64_t most = move->rate_bytes_per_s;
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			most = max_u64(most, engine->links[move->links[i]].flow.total);
	return most;
}

/* A rate that makes room for a second head on links which single copies have filled so far. It is rarely the copy that is
 * slow: the pages of the one before may still be under way, and a sample is a sample. */
static bool is_doubtful(const struct engine *engine, const struct move *move, uint64_t rate)
{
	size_t i;

	if (move->steady_samples >= SLOW_SAMPLES)
		return false;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		const struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;

		if (link != NULL && link->is_saturated && link->single_bytes_per_s > link->measured_bytes_per_s / 5 * 4)
			return rate < link->measured_bytes_per_s / 5 * 4;
	}
	return false;
}

/* A head that had all its links to itself shows what one stream carries there. */
static void note_alone(struct engine *engine, struct move *move)
{
	uint64_t alone;
	size_t i;

	if (!move->is_head || !rates_is_steady(move) || move->is_ending)
		return;
	/* More than that in company: it was held back then. */
	if (move->alone_bytes_per_s != 0 && move->rate_bytes_per_s > move->alone_bytes_per_s)
		move->alone_bytes_per_s = move->rate_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE &&
			(engine->links[move->links[i]].flow.heads != 1 || engine->links[move->links[i]].flow.ending > 0))
			return;
	alone = with_trickles(engine, move);
	if (is_doubtful(engine, move, alone))
		return;
	move->alone_bytes_per_s = alone;
	if (rates_is_limited(engine, move))
		return;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && engine->links[move->links[i]].single_bytes_per_s < move->rate_bytes_per_s)
			engine->links[move->links[i]].single_bytes_per_s = move->rate_bytes_per_s;
}

/* What this move's copy can carry when nothing else is on its links; huge when nobody has shown it yet. */
uint64_t rates_stream(const struct engine *engine, const struct move *move)
{
	uint64_t stream = RATE_HUGE;
	size_t i;

	if (move->alone_bytes_per_s != 0)
		return move->alone_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		uint64_t single = move->links[i] != INDEX_NONE ? engine->links[move->links[i]].single_bytes_per_s : 0;

		if (single != 0 && single < stream)
			stream = single;
	}
	return stream;
}

void rates_note(struct engine *engine, struct move *move)
{
	note_company(engine, move);
	note_alone(engine, move);
}
