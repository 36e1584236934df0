/* When each move runs: the run itself in virtual time, for a given order. */
#ifndef DROVER_SCHEDULE_H
#define DROVER_SCHEDULE_H

#include "estimate.h"
#include "learn.h"

/* One move with everything that its time depends on. */
struct job {
	uint32_t guest, source, target;
	uint32_t network;   /* by which it goes; INDEX_NONE = none is configured */
	uint32_t first_leg; /* the job that brings its guest to the source; INDEX_NONE when it is there */
	uint32_t links[MODEL_LINKS_MAX];
	uint32_t n_links;
	uint64_t rate_bytes_per_s;   /* best; what it takes from its links as head */
	uint64_t memory_rate_bytes_per_s, disk_rate_bytes_per_s;
	struct transfer transfer;
	struct transfer_time best;   /* alone at its best rate */
	struct expectation expectation; /* what earlier moves have taught of it; its factors are in transfer and best already */
	int64_t memory_bytes, vcpus; /* taken on the target from the start, on the source until the end */
	int32_t priority;
	bool has_disks;
	bool is_assumed;    /* its rates are the default of a link of which nothing is known */
	/* The order that order.c found feasible: one move after the other. A tight move has room only after others have left; a
	 * strict one must in any case wait for the first n departures from its target and for the arrivals before its own. */
	uint32_t sequence;
	bool is_tight, is_strict;
	uint32_t need_departures, need_arrivals;
	uint32_t nth_departure, nth_arrival; /* own place on source and target */
};

struct jobs {
	const struct model *model;
	struct job *jobs;
	size_t n;
	int64_t *free_memory, *free_vcpus; /* per host before anything moves; below 0 where too much runs already */
	bool has_tight, has_strict, has_legs;
};

struct schedule {
	int64_t *start_us; /* setup begins */
	int64_t *end_us;   /* verified and clean */
	uint32_t *admitted; /* jobs in the order in which they were let in */
	uint32_t *after;   /* the departure that made its room, or for whose end it let others go first; INDEX_NONE = neither */
	int64_t makespan_us;
	int64_t sum_end_us;
	int64_t excess_us; /* by how much links end later than would be enough, all together */
	struct rate_step *steps; /* by job */
	size_t n_steps;
	size_t steps_room;
};

/* Who waits for room when others must leave first. */
enum room_mode {
	ROOM_AS_FOUND,    /* whoever finds room takes it; an order may then end in a circle of waits */
	ROOM_BY_SEQUENCE, /* tight moves in the feasible order: never a circle, seldom fast */
};

enum choice {
	CHOICE_BY_ORDER,
	CHOICE_BY_LOAD, /* the move whose busiest link has most to carry yet; the order breaks ties */
};

/* A move that is not let in before another has ended, though it might begin: who is to have its place can begin only then. */
struct hold {
	uint32_t job, until;
};

/* Who goes first: a permutation of the jobs, and the exceptions. At most one hold for each job. */
struct order {
	uint32_t *jobs;
	struct hold *holds;
	size_t n_holds;
	bool is_eager; /* moves begin at less than their best rate even where that means sending up to half as much again */
};

/* A run is given up when its excess is over the limit. */
struct goal {
	int64_t enough_us;
	int64_t excess_limit_us;
};

struct schedule *schedule_new(size_t n);
void schedule_free(struct schedule *schedule);
/* False when the moves came to wait for each other, or when it became plain that the goal is missed; the schedule is then of no use. */
bool schedule_run(const struct jobs *jobs, const struct order *order, enum room_mode mode, enum choice choice,
	const struct goal *goal, struct schedule *ret_schedule);

#endif
