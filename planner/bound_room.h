/* The part of the lower bound that comes from room: what must have left a host before others can come. */
#ifndef DROVER_BOUND_ROOM_H
#define DROVER_BOUND_ROOM_H

#include "bound.h"

/* For given destinations. */
void bound_room(const struct jobs *jobs, struct bound *bound);

/* bound.c: raises the bound to carried_us and one setup and finish; job: with the largest part in it. */
void bound_raise(struct bound *bound, int64_t carried_us, const struct jobs *jobs, uint32_t host, enum direction direction,
	uint32_t job, const char *text);

#endif
