/* Playing the moves of a draft through, one after the other: draft_order.c; and its way out of circles: draft_bypass.c. */
#ifndef DROVER_DRAFT_PLAY_H
#define DROVER_DRAFT_PLAY_H

#include "compat.h"
#include "draft.h"

struct play {
	struct draft *draft;
	struct ledger *ended;   /* each move begins after the one before has ended */
	struct ledger *arrived; /* moves begin, none ends */
	bool *is_tight, *is_strict; /* per host */
	bool *is_fresh;         /* per host: somebody left since it was last asked */
	bool *is_done;          /* per move */
	uint32_t *taken;        /* moves in the order in which they went; the number of each is its sequence */
	uint32_t n_taken;
	bool is_begun;          /* every move was looked at once */
};

bool play_fits(const struct play *play, const struct ledger *ledger, const struct draft_move *move, struct refusal *ret_refusal);
void play_take(struct play *play, uint32_t number);
/* Whoever finds room goes, until nobody does. */
void play_on(struct play *play);
/* Back to when so many had gone. */
void play_rewind(struct play *play, uint32_t n_taken);
/* Does somebody stand in the way of the move who waits too? */
bool play_waits_for_others(const struct play *play, const struct draft_move *move);

/* Sends guests by way of a third host, until no circle is left that is broken by that. */
void bypass_circles(struct play *play);
/* Why those that are left were not helped by it; the hint of their error. */
void bypass_hint(const struct play *play, struct error *error);

#endif
