/* The state of one run in virtual time, for schedule.c (events, rates) and schedule_admit.c (who may begin). */
#ifndef DROVER_SCHEDULE_RUN_H
#define DROVER_SCHEDULE_RUN_H

#include "schedule.h"

enum phase { PHASE_WAITING, PHASE_SETUP, PHASE_READY, PHASE_FINISHING, PHASE_ENDED };

#define WORK_WHOLE (INT64_C(1) << 40) /* progress is counted in fractions of a move */

struct active {
	enum phase phase;
	bool has_begun;
	uint32_t admission;  /* how many were let in before */
	uint32_t seen;       /* the round in which it was gathered last */
	uint64_t rate;       /* held on its links; flows once it has begun */
	int64_t full_us;     /* time of the whole move at that rate */
	int64_t work_left, since_us;
	int64_t until_us;    /* when its phase ends, as things stand */
};

/* Waiting jobs in order; those let in meanwhile are dropped when they are more than half. */
struct queue {
	uint32_t *jobs;
	uint32_t n, n_gone;
};

/* What the links of a job have to carry for moves that wait, the busiest first. */
struct loads {
	int64_t us[MODEL_LINKS_MAX];
};

struct due {
	int64_t at_us;
	uint32_t job;
};

struct run {
	const struct jobs *jobs;
	const struct plan_options *options;
	const struct order *order;
	enum room_mode mode;
	enum choice choice;
	struct schedule *out;
	struct active *active;   /* per job */
	uint32_t *position;      /* of each job in order */
	uint32_t *held_until;    /* per job: the one that must end before; NULL when there are no holds */
	struct due *heap;        /* what ends when; entries that no longer hold are passed over */
	size_t n_heap, heap_room;
	uint32_t *flying;        /* jobs let in and not ended */
	uint32_t *flying_place;  /* per job */
	size_t n_flying, n_admitted;
	uint64_t *left;          /* per link: rate that nobody holds */
	uint32_t *staged;        /* per link: jobs let in without their full rate, at most `prestage` */
	uint32_t *n_staged;      /* per link */
	bool *is_closed;         /* per link: nobody can begin on it */
	uint32_t *n_flows;       /* per link: who sends over it */
	int64_t *load_us;        /* per link: what is not sent yet, at the link's rate */
	int64_t *waiting_us;     /* per link: of those not let in yet */
	int64_t *excess_us;      /* per link: by how much it will at least be late */
	int64_t total_excess_us;
	uint32_t *candidates;    /* while one is chosen by load, or raised */
	struct loads *candidate_loads;
	uint32_t round;
	uint32_t *queued;        /* storage of all queues */
	struct queue *queues;    /* per link; the last one holds all */
	bool *is_touched;
	uint32_t *touched;
	size_t n_touched;
	int64_t *free_memory, *free_vcpus; /* per host */
	int64_t *unused_memory, *unused_vcpus; /* per host, as if nobody had left */
	uint32_t *last_left;     /* per host: the job that ended last there */
	uint32_t *out_flights, *in_flights, *out_storage, *in_storage; /* per host */
	uint32_t *departed, *arrived; /* per host: ended and started moves without a gap, by their number */
	uint32_t *departures, *departure_first, *arrivals, *arrival_first; /* jobs of each host by number */
	uint32_t *rule_flights;
	bool is_global;          /* limits that reach across links: every change may let anybody in */
	bool has_sequence;       /* somebody waits for its place in the feasible order */
	int64_t now_us;
};

/* After a change of what a link has left or staged. */
void run_note_link(struct run *run, uint32_t link);
void run_touch_link(struct run *run, uint32_t link);
void run_touch(struct run *run, const struct job *job);
/* One more or (by = UINT32_MAX) one less in flight. */
void run_count_flight(struct run *run, uint32_t number, uint32_t by);
/* Lets in whoever may begin on the links that were touched. */
void run_admit(struct run *run);
void run_admit_all(struct run *run);
/* Something of the job ends then. */
void run_push(struct run *run, uint32_t number);
/* Whether something reaches across links. */
bool run_needs_global(const struct run *run);

#endif
