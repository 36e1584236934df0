/* Bandwidth: who gets how much of the links; what those can carry is known to links.c, what each copy carries to rates.c.
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

enum { HEAD_PARTS = 5 }; /* such a part of a link is worth one head more; less is measuring noise */

uint32_t bandwidth_wanted_moves(const struct engine *engine, const struct link *link)
{
	return (link->flow.heads > 1 ? link->flow.heads : 1) + engine->options.plan.prestage;
}

/* How long before the link is free its next move is begun: as long as setting one up takes, and a poll. */
int64_t bandwidth_lead_ms(const struct engine *engine)
{
	int64_t setup_ms = engine->setup_ms != 0 ? engine->setup_ms : engine->options.plan.setup_ms;

	return setup_ms * 3 / 2 + engine->options.stats_interval_ms;
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

void bandwidth_clear_backlog(struct link *link)
{
	link->backlog_ms = 0;
	link->n_setup = 0;
}

void bandwidth_backlogs(struct engine *engine)
{
	size_t i, k;

	for (i = 0; i < engine->n_active; i++) {
		const struct move *move = &engine->moves[engine->active[i]];

		for (k = 0; k < LINKS_OF_MOVE; k++)
			if (move->links[k] != INDEX_NONE)
				bandwidth_clear_backlog(&engine->links[move->links[k]]);
	}
	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];
		bool has_link = move_state_is_on_wire(move->record.state) && move->is_head;

		if (!move->is_link_released)
			add_to_links(engine, move, has_link ? rates_left_ms(move) : move->record.planned_duration_ms,
				move->progress_bytes == 0);
	}
}

/* A move that is staged has its copy open, and what its guest writes meanwhile is sent again. So a guest that
 * writes is begun only when the link is about to be free; one that hardly writes may wait
 * staged as long as it takes, ready for whatever happens. */
bool bandwidth_is_due(const struct engine *engine, const struct link *link, const struct move *move)
{
	uint64_t dirty = rates_dirty(engine, move);
	uint64_t memory = move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].memory_bytes;

	if (link->n_active == 0 || link->backlog_ms <= bandwidth_lead_ms(engine))
		return true;
	/* Starting several QEMUs at once makes the first of them late. */
	if (link->n_setup > 0)
		return false;
	if (link->has_room)
		return true;
	if (link->backlog_ms == TIME_NEVER)
		return dirty == 0;
	return dirty * (uint64_t)link->backlog_ms / 1000 <= memory / 50;
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

/* Moves whose copy flows, in order of admission. */
static size_t flowing(struct engine *engine, struct move **ret_moves)
{
	size_t i, n = 0;

	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->admitted[i]];

		if (move_state_is_on_wire(move->record.state) && !move->is_link_released)
			ret_moves[n++] = move;
	}
	return n;
}

static void add_flow(struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link_flow *flow;

		if (move->links[i] == INDEX_NONE)
			continue;
		flow = &engine->links[move->links[i]].flow;
		flow->n_moves++;
		flow->total += move->rate_bytes_per_s;
		flow->allowed += move->granted_bytes_per_s != 0 ? move->granted_bytes_per_s : RATE_HUGE;
		flow->ending += move->is_ending;
		if (!move->is_throttleable || move->is_ending)
			continue;
		flow->heads += move->is_head;
		flow->steady_heads += move->is_head && rates_is_steady(move);
	}
}

static void find_elsewhere(struct engine *engine, const struct move *move)
{
	size_t i, k;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		for (k = 0; k < LINKS_OF_MOVE && move->is_head && move->links[i] != INDEX_NONE; k++)
			if (k != i && move->links[k] != INDEX_NONE && links_is_full(engine, &engine->links[move->links[k]])) {
				engine->links[move->links[i]].flow.elsewhere++;
				break;
			}
}

/* What is left of a move's links after those before it; huge when nothing is known of any of them. */
static uint64_t left_for(const struct engine *engine, const struct move *move, uint64_t *ret_capacity)
{
	uint64_t left = RATE_HUGE;
	size_t i;

	*ret_capacity = RATE_HUGE;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		const struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;
		uint64_t capacity, rest;

		if (link == NULL)
			continue;
		capacity = links_capacity(engine, link);
		if (capacity == 0)
			capacity = RATE_HUGE;
		rest = link->used_bytes_per_s < capacity ? capacity - link->used_bytes_per_s : 0;
		if (rest < left)
			left = rest;
		if (capacity < *ret_capacity)
			*ret_capacity = capacity;
	}
	return left;
}

/* Head or staged, in order of admission. Returns what it will take of its links. */
static uint64_t choose(const struct engine *engine, const struct move *move, bool *ret_is_head)
{
	uint64_t own = move->max_rate_bytes_per_s, dirty = rates_dirty(engine, move);
	uint64_t capacity, left = left_for(engine, move, &capacity), takes;
	bool is_first = left == capacity;

	/* In post-copy the guest stands still at every page that it waits for, and is in danger until the last has come.
	 * Otherwise, a guest that writes as fast as the rest carries would only send the same pages again: the next one can use it. */
	*ret_is_head = left == RATE_HUGE || move->record.state == MOVE_POST_COPY || (left >= capacity / HEAD_PARTS && (is_first || left >= 2 * dirty));
	if (!*ret_is_head)
		return engine->options.prestage_rate_bytes_per_s;
	/* What it would take alone, not what it gets beside others: a rate that is small
	 * because the link is shared must not make room for one more to share it. */
	/* While a capacity is being looked for, one head more at a time. */
	takes = capacity < RATE_HUGE || move->has_shown ? rates_stream(engine, move) : left;
	takes = takes < left ? takes : left;
	return own != 0 && own < takes ? own : takes;
}

/* Heads share a link only when one copy cannot fill it; then each is held near what it carries alone, or
 * the first would be granted what it cannot use. */
static uint64_t cap_of(const struct engine *engine, const struct move *move)
{
	uint64_t stream = rates_stream(engine, move), own = move->max_rate_bytes_per_s;
	bool shares = false;
	size_t i;

	if (!move->is_head)
		return engine->options.prestage_rate_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		shares |= move->links[i] != INDEX_NONE && engine->links[move->links[i]].n_chosen > 1 &&
			links_ceiling(engine, &engine->links[move->links[i]]) != 0;
	return min_limit(own, shares && stream < RATE_HUGE ? stream / 4 * 5 : 0);
}

/* What flows on a link may be held back by another one, a move staged for a busy target above all: what it leaves is for the
 * next, which has to be begun for that. So it has to where nobody knows yet how much more than this the link carries. */
static void note_room(struct engine *engine, struct link *link)
{
	uint64_t capacity = links_capacity(engine, link), used = link->used_bytes_per_s;
	bool is_sought = capacity == 0 && link->flow.heads > 0 && link->flow.steady_heads == link->flow.heads;
	bool has_room = is_sought || (used > 0 && (link->n_chosen == 0 || used < capacity - capacity / HEAD_PARTS));

	if (has_room && !link->has_room)
		engine->must_admit = true;
	link->has_room = has_room;
}

static void choose_heads(struct engine *engine, struct move **moves, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		bool is_head;
		uint64_t takes = choose(engine, moves[i], &is_head);

		for (k = 0; k < LINKS_OF_MOVE; k++) {
			struct link *link = moves[i]->links[k] != INDEX_NONE ? &engine->links[moves[i]->links[k]] : NULL;

			if (link == NULL || moves[i]->is_ending)
				continue;
			link->used_bytes_per_s += takes < RATE_HUGE ? takes : RATE_HUGE;
			link->n_chosen += is_head;
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
	for (i = 0; i < engine->n_watched; i++)
		note_room(engine, &engine->links[engine->watched[i]]);
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
	uint64_t *ceilings = xcalloc(engine->n_watched, sizeof *ceilings), trickle = engine->options.prestage_rate_bytes_per_s;
	size_t i, k, n_shares = 0;

	for (i = 0; i < engine->n_watched; i++)
		ceilings[i] = links_ceiling(engine, &engine->links[engine->watched[i]]);
	for (i = 0; i < n; i++) {
		struct share_move *share = &shares[n_shares];

		if (keeps_its_rate(engine, moves[i]))
			continue;
		for (k = 0; k < LINKS_OF_MOVE; k++)
			share->links[k] = moves[i]->links[k] != INDEX_NONE ? engine->links[moves[i]->links[k]].watched_at : INDEX_NONE;
		share->cap_bytes_per_s = cap_of(engine, moves[i]);
		share->floor_bytes_per_s = moves[i]->is_head ? 2 * rates_dirty(engine, moves[i]) : trickle;
		share->can_be_throttled = !is_unstoppable(moves[i]);
		n_shares++;
	}
	planner_shares(shares, n_shares, ceilings, engine->n_watched, trickle);
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

static void find_flows(struct engine *engine, struct move **moves, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		links_watch(engine, moves[i]);
	for (i = 0; i < engine->n_watched; i++) {
		struct link *link = &engine->links[engine->watched[i]];

		link->flow = (struct link_flow){0};
		link->used_bytes_per_s = 0;
		link->n_chosen = 0;
	}
	for (i = 0; i < n; i++)
		add_flow(engine, moves[i]);
	for (i = 0; i < n; i++)
		find_elsewhere(engine, moves[i]);
}

void bandwidth_grant(struct engine *engine)
{
	struct move **moves = xcalloc(engine->n_active, sizeof *moves);
	size_t n = flowing(engine, moves), i;

	engine->granted_ms = engine->now_ms;
	find_flows(engine, moves, n);
	links_judge(engine);
	for (i = 0; i < n; i++)
		rates_note(engine, moves[i]);
	choose_heads(engine, moves, n);
	divide(engine, moves, n);
	for (i = 0; i < n; i++)
		send_rate(engine, moves[i]);
	links_forget(engine);
	free(moves);
}
