/* A feasible order: which moves need room that others make.
 *
 * Two ledgers are played through. In the first every move ends before the next
 * begins: whoever fits there goes next, until nobody does; what is left waits for itself in
 * a circle, or for room that nobody makes. In the second moves only arrive: who fits there too
 * may start whenever its links allow; who does not is tight, and waits for the departures
 * before it. All later arrivals at a tight target are tight as well, so that nobody takes the room that
 * another was promised. Tight for a rule is strict: memory and CPUs are counted while the moves are scheduled, rules are not.
 *
 * A guest that goes by way of a third host arrives twice. The second ledger sees it on the third host for good; where it goes on
 * to there was no room at first, so that it is tight in any case, and with it all who come there later.
 */
#include <stdlib.h>
#include <string.h>

#include "draft_play.h"
#include "xalloc.h"

bool play_fits(const struct play *play, const struct ledger *ledger, const struct draft_move *move, struct refusal *ret_refusal)
{
	struct fit_ask ask = {
		.inventory = play->draft->inventory, .ledger = ledger, .guest = move->guest, .drained = play->draft->drained,
		.with_capacity = true,
	};

	ask.wanted = draft_mapping(play->draft, move, &ask.request);
	return compat_fits(&ask, move->target, ret_refusal);
}

static bool has_rules(const struct play *play, const struct draft_move *move)
{
	return play->ended->model->guests[move->guest].n_rules > 0;
}

void play_take(struct play *play, uint32_t number)
{
	struct draft_move *move = &play->draft->moves[number];
	const struct request *request;
	const struct wanted_move *wanted = draft_mapping(play->draft, move, &request);
	uint32_t source = play->ended->locations[move->guest];
	struct refusal refusal;

	move->is_tight = move->leg == LEG_SECOND || play->is_tight[move->target] || !play_fits(play, play->arrived, move, &refusal);
	play->is_tight[move->target] = move->is_tight;
	move->is_strict = move->is_tight && (play->is_strict[move->target] || has_rules(play, move));
	play->is_strict[move->target] = move->is_strict;
	move->sequence = play->n_taken;
	if (move->leg != LEG_SECOND)
		ledger_start(play->arrived, move->guest, move->target, request, wanted);
	ledger_start(play->ended, move->guest, move->target, request, wanted);
	ledger_finish(play->ended, move->guest);
	play->is_fresh[source] = true;
	play->is_done[number] = true;
	play->taken[play->n_taken++] = number;
}

/* One look at all that wait; true when somebody went. Only targets that somebody left are asked again, except
 * where rules may have changed by moves elsewhere. */
static bool pass(struct play *play)
{
	uint32_t i;
	bool has_moved = false;
	struct refusal refusal;

	for (i = 0; i < play->draft->n_moves; i++) {
		struct draft_move *move = &play->draft->moves[i];

		if (play->is_done[i] || (play->is_begun && !play->is_fresh[move->target] && !has_rules(play, move)))
			continue;
		if (!play_fits(play, play->ended, move, &refusal))
			continue;
		play_take(play, i);
		has_moved = true;
	}
	play->is_begun = true;
	return has_moved;
}

void play_on(struct play *play)
{
	while (pass(play))
		;
}

static void begin(struct play *play)
{
	size_t n_hosts = play->draft->inventory->n_hosts;

	play->ended = ledger_new_sharing(play->draft->ledger);
	play->arrived = ledger_new_sharing(play->draft->ledger);
	memset(play->is_tight, 0, n_hosts * sizeof *play->is_tight);
	memset(play->is_strict, 0, n_hosts * sizeof *play->is_strict);
	memset(play->is_fresh, 0, n_hosts * sizeof *play->is_fresh);
}

static void end(struct play *play)
{
	ledger_free(play->ended);
	ledger_free(play->arrived);
}

/* Ledgers know no way back: they are made anew and played up to there. */
void play_rewind(struct play *play, uint32_t n_taken)
{
	uint32_t i;

	for (i = n_taken; i < play->n_taken; i++)
		play->is_done[play->taken[i]] = false;
	end(play);
	begin(play);
	play->n_taken = 0;
	for (i = 0; i < n_taken; i++)
		play_take(play, play->taken[i]);
}

bool play_waits_for_others(const struct play *play, const struct draft_move *move)
{
	const struct draft *draft = play->draft;
	size_t i;

	for (i = 0; i < draft->n_moves; i++)
		if (!play->is_done[i] && draft->moves[i].source == move->target)
			return true;
	return false;
}

static void block_rest(struct play *play)
{
	struct draft *draft = play->draft;
	struct error hint;
	size_t i;

	bypass_hint(play, &hint);
	for (i = 0; i < draft->n_moves; i++) {
		struct draft_move *move = &draft->moves[i];
		const struct wanted_move *wanted = draft_wanted(draft, move);
		struct error error;

		if (play->is_done[i])
			continue;
		error_clear(&error);
		planner_fits(draft->inventory, play->ended, move->guest, move->target, draft->request, wanted, true, &error);
		if (play_waits_for_others(play, move)) {
			error.code = ERR_INFEASIBLE;
			error_hint(&error, "%s", hint.hint);
		}
		draft_block(draft, move->guest,
			wanted != NULL ? wanted->guest : draft->inventory->guests[move->guest].name, &error);
	}
	for (i = 0; i < draft->n_moves; i++)
		if (!play->is_done[i])
			draft->moves[i].target = INDEX_NONE;
	draft_compact(draft);
}

void draft_order(struct draft *draft)
{
	struct play play = {.draft = draft};
	size_t n_hosts = draft->inventory->n_hosts, n_most = 2 * draft->n_moves; /* every guest by way of a third host */

	play.is_tight = xcalloc(3 * n_hosts, sizeof *play.is_tight);
	play.is_strict = play.is_tight + n_hosts;
	play.is_fresh = play.is_strict + n_hosts;
	play.is_done = xcalloc(n_most, sizeof *play.is_done);
	play.taken = xcalloc(n_most, sizeof *play.taken);
	begin(&play);
	play_on(&play);
	if (play.n_taken < draft->n_moves) {
		bypass_circles(&play);
		block_rest(&play);
	}
	end(&play);
	free(play.is_tight);
	free(play.is_done);
	free(play.taken);
}
