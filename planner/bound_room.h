/* The part of the lower bound that comes from room: what must have left a host before others can come. */
#ifndef DROVER_BOUND_ROOM_H
#define DROVER_BOUND_ROOM_H

#include "bound.h"

/* For given destinations. */
void bound_room(const struct jobs *jobs, struct bound *bound);

/* Who leaves and who comes: jobs of one host. head_us: per job, no earlier begin. */
struct host_room {
	const struct jobs *jobs;
	uint32_t host;
	const uint32_t *out, *in;
	size_t n_out, n_in;
	const int64_t *head_us;
};

/* bound_host.c: the least time for all of it, with one setup and finish; 0 when it would take more than states_left to find out.
 * What it took is taken from that. */
int64_t host_room_us(const struct host_room *room, size_t *states_left);
/* bound_room.c: how long the host's links are taken by it. */
int64_t room_passage_us(const struct jobs *jobs, const struct job *job, uint32_t host, enum direction direction);

/* bound.c: raises the bound to carried_us and one setup and finish; job: with the largest part in it. */
void bound_raise(struct bound *bound, int64_t carried_us, const struct jobs *jobs, uint32_t host, enum direction direction,
	uint32_t job, const char *text);

#endif
