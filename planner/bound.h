/* The time that no order can beat, and what binds it. */
#ifndef DROVER_BOUND_H
#define DROVER_BOUND_H

#include "schedule.h"

enum { BOUND_TEXT_SIZE = 256 };

struct bound {
	int64_t lower_us;
	uint32_t host;   /* INDEX_NONE when a move, a shared link or a number of moves binds */
	enum direction direction;
	uint32_t guest;  /* with the largest part in it */
	char text[BOUND_TEXT_SIZE];
};

/* targets: hosts that were open to a drain, whose destinations were free to choose; NULL when destinations were given. */
void bound_compute(const struct jobs *jobs, const bool *targets, struct bound *ret_bound);

#endif
