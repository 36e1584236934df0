/* A plan in the making: who moves where, who does not and why; no times yet. */
#ifndef DROVER_DRAFT_H
#define DROVER_DRAFT_H

#include "ledger.h"

struct draft_move {
	uint32_t guest, source, target; /* target INDEX_NONE until it is placed */
	uint32_t wanted;
	int32_t priority;
	enum move_method method; /* LIVE or COLD */
	enum leg leg;
	bool is_chosen;         /* by the planner, not by the operator */
	uint32_t sequence;      /* in a feasible order, one after the other */
	bool is_tight;          /* has room only after others have left */
	bool is_strict;         /* and not for room alone: it keeps its place in the sequence */
	int64_t score;          /* of the target when it was chosen */
};

struct draft {
	const struct inventory *inventory;
	const struct request *request;
	struct ledger *ledger;  /* all moves started, none ended */
	bool *drained;          /* NULL unless the request is a drain */
	struct draft_move *moves;
	size_t n_moves;
	struct blocked_guest *blocked;
	size_t n_blocked;
	struct planned_move *in_place; /* guests that are shut down or started where they are; at the end of the plan */
	size_t n_in_place;
};

struct draft_move *draft_add(struct draft *draft, uint32_t guest, uint32_t wanted);
/* Copies the error. guest may be INDEX_NONE. */
void draft_block(struct draft *draft, uint32_t guest, const char *name, const struct error *error);
const struct wanted_move *draft_wanted(const struct draft *draft, const struct draft_move *move);
/* What maps its pools and networks: nothing on the way to a third host. Both may be NULL. */
const struct wanted_move *draft_mapping(const struct draft *draft, const struct draft_move *move, const struct request **ret_request);
/* Takes out the moves whose target is INDEX_NONE. */
void draft_compact(struct draft *draft);
/* False when the request as a whole makes no sense. */
bool draft_from_request(struct draft *draft, struct error *err);
/* Gives every move a target; blocks those that have none. */
void draft_place(struct draft *draft);
/* Finds an order in which each move has room; blocks those that have none in any order tried. */
void draft_order(struct draft *draft);
/* Fills the draft with moves that level the hosts' load. */
void draft_rebalance(struct draft *draft);

#endif
