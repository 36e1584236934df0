/* Bandwidth: who gets how much of the links; what those can carry is known to links.c.
 *
 * Strict priority: the earliest admitted move on a link (its head) has it; the ones staged behind it
 * trickle at the pre-stage rate, so that their setup is done when the head ends.
 * Sharing a link equally would keep every guest's copy open longest, and what is
 * written meanwhile is sent again.
 *
 * One stream may be unable to fill a link. What a head carries alone is measured; what it leaves of the
 * link goes to the next move, unless that is too little for what its guest writes. When the capacity is neither
 * configured nor known yet, this hands the second move the whole rest for a moment: if
 * the sum grows, the link has room and a third may follow, if it does not, the
 * sum is the link's capacity and the second goes back to trickling.
 *
 * Choosing the heads is one thing, the rates another: planner_shares divides what the links may carry at most
 * (links_ceiling) among heads and staged moves. A link without such a bound bounds nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "engine_impl.h"
#include "xalloc.h"

enum {
	STEADY_SAMPLES = 3,     /* before a rate is believed: QEMU's first moments scan zero pages */
	ENDING_MS = 300,        /* a copy that ends within this no longer needs the whole link */
	SLOW_SAMPLES = 8,       /* before it is believed that a copy cannot do what others did alone */
};

#define RATE_HUGE (UINT64_MAX / 8) /* "not known": more than any link, and sums do not overflow */

uint32_t bandwidth_wanted_moves(const struct engine *engine, const struct link *link)
{
	return (link->n_heads > 1 ? link->n_heads : 1) + engine->options.plan.prestage;
}

/* How long before the link is free its next move is begun: as long as setting one up takes, and a poll. */
int64_t bandwidth_lead_ms(const struct engine *engine)
{
	int64_t setup_ms = engine->setup_ms != 0 ? engine->setup_ms : engine->options.plan.setup_ms;

	return setup_ms * 3 / 2 + engine->options.stats_interval_ms;
}

static uint64_t dirty_rate_of(const struct engine *engine, const struct move *move)
{
	return move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].dirty_rate_bytes_per_s;
}

int64_t bandwidth_left_ms(const struct move *move)
{
	uint64_t remaining = move->stats.memory_remaining_bytes + move->stats.disk_remaining_bytes;
	uint64_t rate = move->rate_bytes_per_s, dirty = move->stats.dirty_rate_bytes_per_s;

	if (move->stats_ms == 0 || rate == 0 || remaining == 0)
		return move->record.planned_duration_ms;
	if (dirty >= rate)
		return TIME_NEVER;
	return (int64_t)(remaining / ((rate - dirty) / 1000 + 1));
}

static void add_to_links(struct engine *engine, const struct move *move, int64_t ms, bool is_setup)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;

		if (link == NULL)
			continue;
		link->n_setup += is_setup;
		link->backlog_ms = ms == TIME_NEVER || link->backlog_ms == TIME_NEVER ? TIME_NEVER : link->backlog_ms + ms;
	}
}

void bandwidth_add_backlog(struct engine *engine, const struct move *move)
{
	add_to_links(engine, move, move->record.planned_duration_ms, true);
}

void bandwidth_backlogs(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_links; i++) {
		engine->links[i].backlog_ms = 0;
		engine->links[i].n_setup = 0;
	}
	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];
		bool has_link = move_state_is_on_wire(move->record.state) && move->is_head;

		if (!move->is_link_released)
			add_to_links(engine, move, has_link ? bandwidth_left_ms(move) : move->record.planned_duration_ms,
				move->progress_bytes == 0);
	}
}

/* A move that is staged has its copy open, and what its guest writes meanwhile is sent again. So a guest that
 * writes is begun only when the link is about to be free; one that hardly writes may wait
 * staged as long as it takes, ready for whatever happens. */
bool bandwidth_is_due(const struct engine *engine, const struct link *link, const struct move *move)
{
	uint64_t dirty = dirty_rate_of(engine, move);
	uint64_t memory = move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].memory_bytes;

	if (link->n_active == 0 || link->backlog_ms <= bandwidth_lead_ms(engine))
		return true;
	/* Starting several QEMUs at once makes the first of them late. */
	if (link->n_setup > 0)
		return false;
	if (link->backlog_ms == TIME_NEVER)
		return dirty == 0;
	return dirty * (uint64_t)link->backlog_ms / 1000 <= memory / 50;
}

/* Bytes over the wire so far; libvirt counts disks and memory apart. */
static uint64_t sent_bytes(const struct hv_stats *stats)
{
	return stats->disk_processed_bytes + stats->memory_processed_bytes;
}

/* By somebody's wish: its rate says nothing of what the path carries. */
bool bandwidth_is_limited(const struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && engine->links[move->links[i]].limit_bytes_per_s != 0)
			return true;
	return move->max_rate_bytes_per_s != 0;
}

void bandwidth_sample(struct engine *engine, struct move *move, const struct hv_stats *stats)
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
	if (move->steady_samples < STEADY_SAMPLES)
		return;
	move->has_shown = true;
	peak = stats->phase == HV_PHASE_DISKS ? &move->disk_peak_bytes_per_s : &move->peak_bytes_per_s;
	if (move->rate_bytes_per_s > *peak && !bandwidth_is_limited(engine, move))
		*peak = move->rate_bytes_per_s;
	/* Samples come one by one and are judged together. */
	if (engine->now_ms - engine->granted_ms >= engine->options.stats_interval_ms / 2)
		engine->must_grant = true;
}

/* What the guest writes in this round, which lasts for so long yet: the next round sends it, or the blackout. */
static uint64_t next_round(const struct engine *engine, const struct move *move, int64_t left_ms)
{
	uint64_t dirty = max_u64(move->stats.dirty_rate_bytes_per_s, dirty_rate_of(engine, move));

	return mul_div(dirty, (uint64_t)(engine->now_ms - move->round_ms + left_ms), 1000);
}

/* What fits into the blackout that is allowed. */
static uint64_t blackout_bytes(const struct move *move)
{
	return mul_div(move->rate_bytes_per_s, (uint64_t)move->ladder_downtime_ms, 1000);
}

bool bandwidth_is_ending(const struct engine *engine, const struct move *move)
{
	uint64_t rate = move->rate_bytes_per_s;
	int64_t left_ms = (int64_t)(move->stats.memory_remaining_bytes / (rate / 1000 + 1));

	if (move->stats.phase != HV_PHASE_MEMORY || move->stats.memory_total_bytes == 0 || rate == 0 || move->steady_samples == 0 ||
		left_ms >= ENDING_MS)
		return false;
	/* Half of it, for on a shared link that takes the whole. More than that needs the link, in the blackout or in one more round. */
	return next_round(engine, move, left_ms) <= blackout_bytes(move) / 2;
}

int64_t bandwidth_last_pages_ms(const struct engine *engine, const struct move *move)
{
	uint64_t bytes = blackout_bytes(move), written = next_round(engine, move, 0);

	if (move->is_ending || move->rate_bytes_per_s == 0)
		return 0; /* the next one flows already */
	if (written != 0 && written < bytes)
		bytes = written;
	return (int64_t)(bytes / (move->rate_bytes_per_s / 1000 + 1));
}

void bandwidth_release(struct engine *engine, struct move *move)
{
	size_t i;

	if (move->is_link_released || move->active_at == INDEX_NONE)
		return;
	move->is_link_released = true;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			engine->links[move->links[i]].n_active--;
	engine->must_admit = engine->must_grant = true;
}

static int by_sequence(const void *a, const void *b)
{
	const struct move *x = *(struct move *const *)a, *y = *(struct move *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Moves whose copy flows, in order of admission. */
static size_t flowing(struct engine *engine, struct move **ret_moves)
{
	size_t i, n = 0;

	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];

		if (move_state_is_on_wire(move->record.state) && !move->is_link_released)
			ret_moves[n++] = move;
	}
	if (n > 1)
		qsort(ret_moves, n, sizeof *ret_moves, by_sequence);
	return n;
}

/* A rate says something only about the company it was measured in. */
static void note_company(const struct engine *engine, struct move *move)
{
	uint32_t heads = 0;
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			heads += (engine->links[move->links[i]].n_heads + engine->links[move->links[i]].n_ending) << (8 * i);
	if (heads != move->company)
		move->steady_samples = 0;
	move->company = heads;
}

/* What flows beside a head trickles by our own choice: alone the head would have carried that too. */
static uint64_t with_trickles(const struct move *move, const struct link_flow *flows)
{
	uint64_t most = move->rate_bytes_per_s;
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			most = max_u64(most, flows[move->links[i]].total);
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
static void note_alone(struct engine *engine, struct move *move, const struct link_flow *flows)
{
	uint64_t alone;
	size_t i;

	if (!move->is_head || move->steady_samples < STEADY_SAMPLES || move->is_ending)
		return;
	/* More than that in company: it was held back then. */
	if (move->alone_bytes_per_s != 0 && move->rate_bytes_per_s > move->alone_bytes_per_s)
		move->alone_bytes_per_s = move->rate_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE &&
			(engine->links[move->links[i]].n_heads != 1 || engine->links[move->links[i]].n_ending > 0))
			return;
	alone = with_trickles(move, flows);
	if (is_doubtful(engine, move, alone))
		return;
	move->alone_bytes_per_s = alone;
	if (bandwidth_is_limited(engine, move))
		return;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && engine->links[move->links[i]].single_bytes_per_s < move->rate_bytes_per_s)
			engine->links[move->links[i]].single_bytes_per_s = move->rate_bytes_per_s;
}

static void add_flow(struct link_flow *flows, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link_flow *flow;

		if (move->links[i] == INDEX_NONE)
			continue;
		flow = &flows[move->links[i]];
		flow->total += move->rate_bytes_per_s;
		flow->allowed += move->granted_bytes_per_s != 0 ? move->granted_bytes_per_s : RATE_HUGE;
		flow->ending += move->is_ending;
		if (!move->is_throttleable || move->is_ending)
			continue;
		flow->heads += move->is_head;
		flow->steady_heads += move->is_head && move->steady_samples >= STEADY_SAMPLES;
	}
}

static void find_elsewhere(const struct engine *engine, struct link_flow *flows, const struct move *move)
{
	size_t i, k;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		for (k = 0; k < LINKS_OF_MOVE && move->is_head && move->links[i] != INDEX_NONE; k++)
			if (k != i && move->links[k] != INDEX_NONE && links_is_full(engine, move->links[k], &flows[move->links[k]])) {
				flows[move->links[i]].elsewhere++;
				break;
			}
}

/* What is left of a move's links after those before it; huge when nothing is known of any of them. */
static uint64_t left_for(const struct engine *engine, const struct move *move, const uint64_t *used, uint64_t *ret_capacity)
{
	uint64_t left = RATE_HUGE;
	size_t i;

	*ret_capacity = RATE_HUGE;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		uint64_t capacity, rest;

		if (move->links[i] == INDEX_NONE)
			continue;
		capacity = links_capacity(engine, &engine->links[move->links[i]]);
		if (capacity == 0)
			capacity = RATE_HUGE;
		rest = used[move->links[i]] < capacity ? capacity - used[move->links[i]] : 0;
		if (rest < left)
			left = rest;
		if (capacity < *ret_capacity)
			*ret_capacity = capacity;
	}
	return left;
}

/* What this move's copy can carry when nothing else is on its links; huge when nobody has shown it yet. */
static uint64_t stream_of(const struct engine *engine, const struct move *move)
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

/* Head or staged, in order of admission. Returns what it will take of its links. */
static uint64_t choose(const struct engine *engine, const struct move *move, const uint64_t *used, bool *ret_is_head)
{
	uint64_t own = move->max_rate_bytes_per_s, dirty = dirty_rate_of(engine, move);
	uint64_t capacity, left = left_for(engine, move, used, &capacity), takes;
	bool is_first = left == capacity;

	/* In post-copy the guest stands still at every page that it waits for, and is in danger until the last has come.
	 * Otherwise a fifth of the link is worth a second head; less is measuring noise. A guest that writes as fast as the
	 * rest carries would only send the same pages again: the next one can use it. */
	*ret_is_head = left == RATE_HUGE || move->record.state == MOVE_POST_COPY || (left >= capacity / 5 && (is_first || left >= 2 * dirty));
	if (!*ret_is_head)
		return engine->options.prestage_rate_bytes_per_s;
	/* What it would take alone, not what it gets beside others: a rate that is small
	 * because the link is shared must not make room for one more to share it. */
	/* While a capacity is being looked for, one head more at a time. */
	takes = capacity < RATE_HUGE || move->has_shown ? stream_of(engine, move) : left;
	takes = takes < left ? takes : left;
	return own != 0 && own < takes ? own : takes;
}

/* Heads share a link only when one copy cannot fill it; then each is held near what it carries alone, or
 * the first would be granted what it cannot use. */
static uint64_t cap_of(const struct engine *engine, const struct move *move)
{
	uint64_t stream = stream_of(engine, move), own = move->max_rate_bytes_per_s;
	bool shares = false;
	size_t i;

	if (!move->is_head)
		return engine->options.prestage_rate_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		shares |= move->links[i] != INDEX_NONE && engine->links[move->links[i]].n_chosen > 1 &&
			links_ceiling(engine, &engine->links[move->links[i]]) != 0;
	return min_limit(own, shares && stream < RATE_HUGE ? stream / 4 * 5 : 0);
}

static void choose_heads(struct engine *engine, struct move **moves, size_t n)
{
	uint64_t *used = xcalloc(engine->n_links, sizeof *used);
	size_t i, k;

	for (i = 0; i < engine->n_links; i++)
		engine->links[i].n_chosen = 0;
	for (i = 0; i < n; i++) {
		bool is_head;
		uint64_t takes = choose(engine, moves[i], used, &is_head);

		for (k = 0; k < LINKS_OF_MOVE; k++) {
			if (moves[i]->links[k] == INDEX_NONE || moves[i]->is_ending)
				continue;
			used[moves[i]->links[k]] += takes < RATE_HUGE ? takes : RATE_HUGE;
			engine->links[moves[i]->links[k]].n_chosen += is_head;
		}
		if (is_head != moves[i]->is_head)
			moves[i]->steady_samples = 0;
		if (is_head && moves[i]->head_ms == 0) {
			moves[i]->head_ms = engine->now_ms;
			moves[i]->head_bytes = moves[i]->progress_bytes;
		}
		moves[i]->has_shown &= is_head;
		moves[i]->is_head = is_head;
	}
	free(used);
}

static bool is_unstoppable(const struct move *move)
{
	return move->record.state == MOVE_COPYING_DISKS && !move->disks_can_be_throttled;
}

/* Small corrections are not worth a call to the host. */
static bool differs(uint64_t a, uint64_t b)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;

	return a != b && (low == 0 || high - low > high / 20);
}

/* For its last moments a move keeps what it has, and the next may have it too, where that harms nobody. */
static bool keeps_its_rate(const struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE && move->is_ending; i++)
		if (move->links[i] != INDEX_NONE && links_is_strict(engine, &engine->links[move->links[i]]))
			return false;
	return move->is_ending;
}

static void divide(struct engine *engine, struct move **moves, size_t n)
{
	struct share_move *shares = xcalloc(n, sizeof *shares);
	uint64_t *ceilings = xcalloc(engine->n_links, sizeof *ceilings), trickle = engine->options.prestage_rate_bytes_per_s;
	size_t i, k, n_shares = 0;

	for (i = 0; i < engine->n_links; i++)
		ceilings[i] = links_ceiling(engine, &engine->links[i]);
	for (i = 0; i < n; i++) {
		struct share_move *share = &shares[n_shares];

		if (keeps_its_rate(engine, moves[i]))
			continue;
		for (k = 0; k < LINKS_OF_MOVE; k++)
			share->links[k] = moves[i]->links[k];
		share->cap_bytes_per_s = cap_of(engine, moves[i]);
		share->floor_bytes_per_s = moves[i]->is_head ? 2 * dirty_rate_of(engine, moves[i]) : trickle;
		share->can_be_throttled = !is_unstoppable(moves[i]);
		n_shares++;
	}
	planner_shares(shares, n_shares, ceilings, engine->n_links, trickle);
	for (i = 0, k = 0; i < n; i++) {
		uint64_t rate;

		if (keeps_its_rate(engine, moves[i]))
			continue;
		rate = shares[k++].ret_rate_bytes_per_s;
		rate = rate < RATE_HUGE ? rate : 0;
		if (differs(rate, moves[i]->granted_bytes_per_s))
			moves[i]->steady_samples = 0;
		moves[i]->granted_bytes_per_s = rate;
	}
	free(shares);
	free(ceilings);
}

static void send_rate(struct engine *engine, struct move *move)
{
	/* Where moves are not throttled, one of an earlier life may be. */
	uint64_t rate = engine->options.throttle ? move->granted_bytes_per_s : move->max_rate_bytes_per_s;

	if (!move->is_throttleable || move->pending[HV_SET_RATE] != 0 || !differs(rate, move->sent_bytes_per_s))
		return;
	if (move->record.state == MOVE_COPYING_DISKS && !move->disks_can_be_throttled)
		return;
	move_request(engine, move, HV_SET_RATE, SIDE_SOURCE)->rate_bytes_per_s = rate;
	move->sent_bytes_per_s = rate;
}

void bandwidth_grant(struct engine *engine)
{
	struct move **moves = xcalloc(engine->n_active, sizeof *moves);
	struct link_flow *flows = xcalloc(engine->n_links, sizeof *flows);
	size_t n = flowing(engine, moves), i;

	engine->granted_ms = engine->now_ms;
	for (i = 0; i < n; i++)
		add_flow(flows, moves[i]);
	for (i = 0; i < n; i++)
		find_elsewhere(engine, flows, moves[i]);
	links_judge(engine, flows);
	for (i = 0; i < n; i++) {
		note_company(engine, moves[i]);
		note_alone(engine, moves[i], flows);
	}
	choose_heads(engine, moves, n);
	divide(engine, moves, n);
	for (i = 0; i < n; i++)
		send_rate(engine, moves[i]);
	free(moves);
	free(flows);
}
