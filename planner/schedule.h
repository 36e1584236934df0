/* When each move runs: the run itself in virtual time, for a given order. */
#ifndef DROVER_SCHEDULE_H
#define DROVER_SCHEDULE_H

#include "estimate.h"
#include "model.h"

/* One move with everything that its time depends on. */
struct job {
	uint32_t guest, source, target;
	uint32_t links[MODEL_LINKS_MAX];
	uint32_t n_links;
	uint64_t rate_bytes_per_s;   /* best; what it takes from its links as head */
	uint64_t memory_rate_bytes_per_s, disk_rate_bytes_per_s;
	struct transfer transfer;
	struct transfer_time best;   /* alone at its best rate */
	int32_t priority;
	bool has_disks;
	/* Moves that need room made by others wait for the first n departures from their target, in the order that
	 * order.c found feasible, and for the arrivals before theirs. */
	uint32_t sequence;
	bool is_tight;
	uint32_t need_departures, need_arrivals;
	uint32_t nth_departure, nth_arrival; /* own place on source and target */
};

struct jobs {
	const struct model *model;
	struct job *jobs;
	size_t n;
	bool has_tight;
};

struct schedule {
	int64_t *start_us; /* setup begins */
	int64_t *end_us;   /* verified and clean */
	uint32_t *admitted; /* jobs in the order in which they were let in */
	int64_t makespan_us;
	int64_t sum_end_us;
	struct rate_step *steps; /* by job */
	size_t n_steps;
	size_t steps_room;
};

struct schedule *schedule_new(size_t n);
void schedule_free(struct schedule *schedule);
/* order: a permutation of the jobs. */
void schedule_run(const struct jobs *jobs, const uint32_t *order, struct schedule *ret_schedule);

#endif
