/* Circles: guests whose given destinations wait for each other's room, so that none of them can be the first. One of them goes by
 * way of a third host, the others follow, and it goes on from there.
 *
 * Which one, and by which host: that with the fewest bytes of both its moves, with which the play goes on until the guest is where
 * it is wanted. That is tried and not reasoned: how much room one guest makes, who takes it and what follows from that is what the
 * play knows. Only hosts that are on a circle are looked at, so that guests that merely wait behind one are not sent about.
 */
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "draft_play.h"
#include "placement.h"
#include "xalloc.h"

enum {
	WAYS_MAX = 1 << 20,  /* guests times hosts that are compared: those with the least memory first */
	FAILURES_MAX = 256,  /* in one plan: each costs as much as the play so far */
};

struct way {
	uint64_t bytes;
	int64_t score; /* of the third host */
	uint32_t move, host;
};

struct bypass {
	struct play *play;
	struct way *ways; /* best first */
	size_t n_ways;
	bool *is_round;   /* per host: on a circle, or between two */
	bool *has_failed; /* per move, since a circle was broken last */
	uint32_t failures_left;
};

/* Takes away the hosts that nobody who waits leaves, or that nobody who waits goes to, until only circles are left. */
static void find_circles(const struct play *play, bool *ret_is_round)
{
	const struct draft *draft = play->draft;
	size_t n_hosts = draft->inventory->n_hosts, i;
	bool *leaves = xcalloc(2 * n_hosts, sizeof *leaves), *comes = leaves + n_hosts, has_changed = true;

	for (i = 0; i < n_hosts; i++)
		ret_is_round[i] = true;
	while (has_changed) {
		has_changed = false;
		memset(leaves, 0, 2 * n_hosts * sizeof *leaves);
		for (i = 0; i < draft->n_moves; i++) {
			const struct draft_move *move = &draft->moves[i];

			if (play->is_done[i] || !ret_is_round[move->source] || !ret_is_round[move->target])
				continue;
			leaves[move->source] = comes[move->target] = true;
		}
		for (i = 0; i < n_hosts; i++)
			if (ret_is_round[i] && (!leaves[i] || !comes[i])) {
				ret_is_round[i] = false;
				has_changed = true;
			}
	}
	free(leaves);
}

/* The operator has said where it is to go, it goes live, and it is on a circle. */
static bool is_candidate(const struct play *play, const bool *is_round, uint32_t number)
{
	const struct draft_move *move = &play->draft->moves[number];

	return !play->is_done[number] && move->leg == LEG_WHOLE && move->method == METHOD_LIVE && !move->is_chosen &&
		play->draft->inventory->guests[move->guest].state != GUEST_SHUTOFF && is_round[move->source] && is_round[move->target];
}

static struct fit_ask ask_of(const struct play *play, uint32_t guest, bool with_capacity)
{
	return (struct fit_ask){
		.inventory = play->draft->inventory, .ledger = play->ended, .guest = guest, .with_capacity = with_capacity,
	};
}

/* False when no network leads from the one to the other. */
static bool add_bytes(const struct play *play, uint32_t guest, uint32_t source, uint32_t target, uint64_t *bytes)
{
	const struct model *model = play->ended->model;
	struct estimate estimate;
	struct path path;

	if (!model_path(model, source, target, 0, &path))
		return false;
	planner_estimate(&play->draft->inventory->guests[guest],
		planner_disk_bytes(play->draft->inventory, guest, source, target, NULL), path.memory_rate_bytes_per_s, &model->options, &estimate);
	*bytes += estimate.bytes;
	return true;
}

static void add_ways(struct bypass *bypass, uint32_t number)
{
	const struct play *play = bypass->play;
	const struct draft_move *move = &play->draft->moves[number];
	struct fit_ask ask = ask_of(play, move->guest, false);
	struct refusal refusal;
	uint32_t host;

	for (host = 0; host < play->draft->inventory->n_hosts; host++) {
		struct way way = {.move = number, .host = host};

		if (host == move->target || !compat_fits(&ask, host, &refusal) ||
			!add_bytes(play, move->guest, move->source, host, &way.bytes) ||
			!add_bytes(play, move->guest, host, move->target, &way.bytes))
			continue;
		way.score = placement_score(play->ended, move->guest, host);
		bypass->ways[bypass->n_ways++] = way;
	}
}

static int by_bytes(const void *a, const void *b)
{
	const struct way *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	if (x->score != y->score)
		return x->score < y->score ? -1 : 1;
	if (x->move != y->move)
		return x->move < y->move ? -1 : 1;
	return x->host < y->host ? -1 : x->host > y->host;
}

/* Those who might go by way of another host, the smallest first: as ways without a host. */
static struct way *list_candidates(const struct bypass *bypass, size_t *ret_n)
{
	const struct draft *draft = bypass->play->draft;
	struct way *list = xcalloc(draft->n_moves, sizeof *list);
	uint32_t i;

	*ret_n = 0;
	for (i = 0; i < draft->n_moves; i++)
		if (is_candidate(bypass->play, bypass->is_round, i))
			list[(*ret_n)++] = (struct way){.bytes = draft->inventory->guests[draft->moves[i].guest].memory_bytes, .move = i};
	if (*ret_n > 1)
		qsort(list, *ret_n, sizeof *list, by_bytes);
	return list;
}

static void list_ways(struct bypass *bypass)
{
	size_t n_hosts = bypass->play->draft->inventory->n_hosts, n, i;
	struct way *candidates = list_candidates(bypass, &n);

	n = min_u64(n, WAYS_MAX / n_hosts);
	bypass->ways = xcalloc(n * n_hosts, sizeof *bypass->ways);
	for (i = 0; i < n; i++)
		add_ways(bypass, candidates[i].move);
	if (bypass->n_ways > 1)
		qsort(bypass->ways, bypass->n_ways, sizeof *bypass->ways, by_bytes);
	free(candidates);
}

/* True when the guest comes to where it is wanted; else nothing has happened. */
static bool try_way(struct play *play, const struct way *way)
{
	struct draft *draft = play->draft;
	const struct draft_move whole = draft->moves[way->move];
	uint32_t n_taken = play->n_taken, second = (uint32_t)draft->n_moves;

	*draft_add(draft, whole.guest, whole.wanted) = whole; /* the list may be elsewhere now */
	draft->moves[second].source = way->host;
	draft->moves[second].leg = LEG_SECOND;
	draft->moves[way->move].target = way->host;
	draft->moves[way->move].leg = LEG_FIRST;
	play_take(play, way->move);
	play_on(play);
	if (play->is_done[second])
		return true;
	play_rewind(play, n_taken);
	draft->moves[way->move] = whole;
	draft->n_moves--;
	return false;
}

/* What is no way now may be one when another circle has been broken. */
static bool break_one(struct bypass *bypass)
{
	struct play *play = bypass->play;
	struct refusal refusal;
	size_t i;

	find_circles(play, bypass->is_round);
	memset(bypass->has_failed, 0, play->draft->n_moves * sizeof *bypass->has_failed);
	for (i = 0; i < bypass->n_ways && bypass->failures_left > 0; i++) {
		const struct way *way = &bypass->ways[i];
		struct fit_ask ask = ask_of(play, play->draft->moves[way->move].guest, true);

		if (!is_candidate(play, bypass->is_round, way->move) || bypass->has_failed[way->move] || !compat_fits(&ask, way->host, &refusal))
			continue;
		if (try_way(play, way))
			return true;
		bypass->has_failed[way->move] = true;
		bypass->failures_left--;
	}
	return false;
}

void bypass_circles(struct play *play)
{
	struct bypass bypass = {.play = play, .failures_left = FAILURES_MAX};

	bypass.is_round = xcalloc(play->draft->inventory->n_hosts, sizeof *bypass.is_round);
	bypass.has_failed = xcalloc(2 * play->draft->n_moves, sizeof *bypass.has_failed);
	find_circles(play, bypass.is_round);
	list_ways(&bypass);
	while (break_one(&bypass))
		;
	free(bypass.ways);
	free(bypass.is_round);
	free(bypass.has_failed);
}

/* The one with the least memory of those that could have gone by way of another host. */
static uint32_t least_candidate(const struct play *play, const bool *is_round)
{
	const struct draft *draft = play->draft;
	uint32_t best = INDEX_NONE, i;

	for (i = 0; i < draft->n_moves; i++)
		if (is_candidate(play, is_round, i) && (best == INDEX_NONE ||
			draft->inventory->guests[draft->moves[i].guest].memory_bytes < draft->inventory->guests[draft->moves[best].guest].memory_bytes))
			best = i;
	return best;
}

void bypass_hint(const struct play *play, struct error *error)
{
	const struct draft *draft = play->draft;
	bool *excluded = xcalloc(2 * draft->inventory->n_hosts, sizeof *excluded), *is_round = excluded + draft->inventory->n_hosts;
	uint32_t number, host = INDEX_NONE;
	struct error why;

	error_clear(&why);
	find_circles(play, is_round);
	number = least_candidate(play, is_round);
	if (number != INDEX_NONE) {
		struct fit_ask ask = ask_of(play, draft->moves[number].guest, true);

		excluded[draft->moves[number].target] = true;
		host = placement_best(&ask, excluded, &why);
	}
	if (host != INDEX_NONE)
		error_hint(error, "guests wait for each other's room, and one of them on a third host would not make enough: ask for fewer at a time");
	else if (why.code == ERR_NONE || why.code == ERR_NO_TARGET)
		error_hint(error, "guests wait for each other's room, and no other host has any: make room for one of them");
	else
		error_hint(error, "guests wait for each other's room, and no third host takes one of them: %.150s", why.message);
	free(excluded);
}
