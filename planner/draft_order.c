/* A feasible order: which moves need room that others make.
 *
 * Two ledgers are played through. In the first every move ends before the next
 * begins: whoever fits there goes next, until nobody does; what is left waits for itself in
 * a circle, or for room that nobody makes. In the second moves only arrive: who fits there too
 * may start whenever its links allow; who does not is tight, and waits for the departures
 * before it. All later arrivals at a tight target are tight as well, so that nobody takes the room that
 * another was promised. Tight for a rule is strict: memory and CPUs are counted while the moves are scheduled, rules are not.
 */
#include <stdlib.h>

#include "compat.h"
#include "draft.h"
#include "xalloc.h"

struct play {
	struct draft *draft;
	struct ledger *ended;   /* each move begins after the one before has ended */
	struct ledger *arrived; /* moves begin, none ends */
	bool *is_tight, *is_strict; /* per host */
	bool *is_fresh;         /* per host: somebody left since it was last asked */
	uint32_t sequence;
};

static bool fits(const struct play *play, const struct ledger *ledger, const struct draft_move *move, struct refusal *refusal)
{
	struct fit_ask ask = {
		.inventory = play->draft->inventory, .ledger = ledger, .guest = move->guest, .request = play->draft->request,
		.wanted = draft_wanted(play->draft, move), .drained = play->draft->drained, .with_capacity = true,
	};

	return compat_fits(&ask, move->target, refusal);
}

static bool has_rules(const struct play *play, const struct draft_move *move)
{
	return play->ended->model->guests[move->guest].n_rules > 0;
}

static void take(struct play *play, struct draft_move *move)
{
	const struct wanted_move *wanted = draft_wanted(play->draft, move);
	uint32_t source = play->ended->locations[move->guest];
	struct refusal refusal;

	move->is_tight = play->is_tight[move->target] || !fits(play, play->arrived, move, &refusal);
	play->is_tight[move->target] = move->is_tight;
	move->is_strict = move->is_tight && (play->is_strict[move->target] || has_rules(play, move));
	play->is_strict[move->target] = move->is_strict;
	move->sequence = play->sequence++;
	ledger_start(play->arrived, move->guest, move->target, play->draft->request, wanted);
	ledger_start(play->ended, move->guest, move->target, play->draft->request, wanted);
	ledger_finish(play->ended, move->guest);
	play->is_fresh[source] = true;
}

/* One look at all that wait; true when somebody went. Only targets that somebody left are asked again, except
 * where rules may have changed by moves elsewhere. */
static bool pass(struct play *play, bool *is_done, bool is_first)
{
	size_t i;
	bool has_moved = false;
	struct refusal refusal;

	for (i = 0; i < play->draft->n_moves; i++) {
		struct draft_move *move = &play->draft->moves[i];

		if (is_done[i] || (!is_first && !play->is_fresh[move->target] && !has_rules(play, move)))
			continue;
		if (!fits(play, play->ended, move, &refusal))
			continue;
		take(play, move);
		is_done[i] = has_moved = true;
	}
	return has_moved;
}

/* Is the guest one of those that wait for each other: does somebody who waits too stand in its way? */
static bool is_in_the_way(const struct draft *draft, const bool *is_done, uint32_t target)
{
	size_t i;

	for (i = 0; i < draft->n_moves; i++)
		if (!is_done[i] && draft->inventory->guests[draft->moves[i].guest].host == target)
			return true;
	return false;
}

/* The circle's way out with the fewest bytes: a guest of it that fits a host nobody of it waits for. */
static const struct draft_move *find_bypass(const struct play *play, const bool *is_done, uint32_t *ret_host)
{
	const struct draft *draft = play->draft;
	bool *is_wanted = xcalloc(draft->inventory->n_hosts, sizeof *is_wanted);
	const struct draft_move *best = NULL;
	size_t i;

	for (i = 0; i < draft->n_moves; i++)
		if (!is_done[i])
			is_wanted[draft->moves[i].target] = true;
	for (i = 0; i < draft->n_moves; i++) {
		const struct draft_move *move = &draft->moves[i];
		uint32_t host;

		if (is_done[i] || !is_in_the_way(draft, is_done, move->target) || (best != NULL &&
			draft->inventory->guests[move->guest].memory_bytes >= draft->inventory->guests[best->guest].memory_bytes))
			continue;
		host = planner_place(draft->inventory, play->ended, move->guest, NULL, NULL, is_wanted, NULL);
		if (host == INDEX_NONE)
			continue;
		best = move;
		*ret_host = host;
	}
	free(is_wanted);
	return best;
}

static void hint_bypass(const struct draft *draft, const struct draft_move *bypass, uint32_t host, struct error *error)
{
	if (bypass == NULL)
		error_hint(error, "guests wait for each other's room, and no other host has any: make room for one of them");
	else
		error_hint(error, "guests wait for each other's room: move %s to %s first, then ask again",
			draft->inventory->guests[bypass->guest].name, draft->inventory->hosts[host].name);
}

static void block_rest(struct play *play, const bool *is_done)
{
	uint32_t bypass_host = INDEX_NONE;
	const struct draft_move *bypass = find_bypass(play, is_done, &bypass_host);
	struct draft *draft = play->draft;
	size_t i;

	for (i = 0; i < draft->n_moves; i++) {
		struct draft_move *move = &draft->moves[i];
		const struct wanted_move *wanted = draft_wanted(draft, move);
		struct error error;

		if (is_done[i])
			continue;
		error_clear(&error);
		planner_fits(draft->inventory, play->ended, move->guest, move->target, draft->request, wanted, true, &error);
		if (is_in_the_way(draft, is_done, move->target)) {
			error.code = ERR_INFEASIBLE;
			hint_bypass(draft, bypass, bypass_host, &error);
		}
		draft_block(draft, move->guest,
			wanted != NULL ? wanted->guest : draft->inventory->guests[move->guest].name, &error);
	}
	for (i = 0; i < draft->n_moves; i++)
		if (!is_done[i])
			draft->moves[i].target = INDEX_NONE;
	draft_compact(draft);
}

void draft_order(struct draft *draft)
{
	struct play play = {
		.draft = draft, .ended = ledger_new_sharing(draft->ledger), .arrived = ledger_new_sharing(draft->ledger),
	};
	bool *is_done = xcalloc(draft->n_moves, sizeof *is_done), is_first = true;

	play.is_tight = xcalloc(draft->inventory->n_hosts, sizeof *play.is_tight);
	play.is_strict = xcalloc(draft->inventory->n_hosts, sizeof *play.is_strict);
	play.is_fresh = xcalloc(draft->inventory->n_hosts, sizeof *play.is_fresh);
	while (pass(&play, is_done, is_first))
		is_first = false;
	block_rest(&play, is_done);
	ledger_free(play.ended);
	ledger_free(play.arrived);
	free(play.is_tight);
	free(play.is_strict);
	free(play.is_fresh);
	free(is_done);
}
