/* Deterministic simulation of whole runs: one seed draws a world, what the operator asks of it, and
 * everything that goes wrong; the engine must bring every batch to an end without ever losing or doubling a guest.
 *
 *   dst_world.c  the world and the options that a seed draws
 *   dst_chaos.c  faults, operator, kills
 *   dst_round.c  one seed from beginning to end
 *   dst_marks.c  which situations were reached
 *   dst_sweep.c  a small run killed at every commit
 *   dst.c        seeds, processes, what is printed
 */
#ifndef DROVER_DST_H
#define DROVER_DST_H

#include "trial.h"

/* A stream of numbers that depends on nothing but its start. */
struct dice {
	uint64_t state;
};
uint64_t dice_next(struct dice *dice);
int64_t dice_between(struct dice *dice, int64_t low, int64_t high);
bool dice_chance(struct dice *dice, unsigned per_mille);

/* What a seed draws. */
struct world {
	struct inventory *inventory; /* handed to the trial */
	struct sim_options sim;
	struct engine_options engine;
	struct store *store;
	unsigned store_retries;
	bool is_calm;                /* no faults at all: everything must go as planned */
	uint32_t n_circle;           /* the first guests, one on each of the first hosts, which have no room beside them; 0 = none */
};
void world_draw(struct world *world, struct dice *dice);
void world_draw_options(struct engine_options *options, struct dice *dice);

struct chaos {
	struct trial *trial;
	struct dice *dice;
	unsigned faults;             /* bit per enum sim_fault_kind: those that this seed uses */
	int64_t fault_interval_ms;   /* mean; 0 = none */
	int64_t next_fault_ms;
	int64_t fault_longest_ms;
	unsigned operator_per_mille; /* of each event */
	unsigned kill_per_mille;
	unsigned clock_per_mille;    /* the manager's clock is set, lags, or the manager stands still */
	unsigned reload_per_mille;   /* the configuration is read again */
	unsigned batches_left;
	uint32_t n_circle;           /* see struct world: the first batch sends each of them to the next host */
	int64_t restart_ms;          /* while the manager is dead */
	bool is_stopping;            /* COMMAND_STOP was given: only a new life goes on */
};
void chaos_draw(struct chaos *chaos, struct trial *trial, struct dice *dice, bool is_calm);
/* First batch. */
void chaos_begin(struct chaos *chaos);
/* Between two events. */
void chaos_act(struct chaos *chaos);
/* One more batch; false when none is wanted or it was refused. */
bool chaos_start_batch(struct chaos *chaos);

/* Situations that the seeds must reach; see the table in dst_marks.c. */
size_t marks_count(void);
const char *mark_name(size_t i);
/* Adds what this trial reached to counts[marks_count()]. */
void marks_collect(struct trial *trial, uint64_t *counts);

struct round {
	uint64_t digest;
	uint64_t n_events;
	uint64_t n_restarts;
	int64_t virtual_ms;
	struct error error;          /* code NONE = it held */
};
/* counts may be NULL. is_verbose dumps the run on stderr; a failed one is always dumped when dump is true. */
void round_run(uint64_t seed, bool is_verbose, bool dump, uint64_t *counts, struct round *ret_round);

/* Kills a small run at every commit; prints and returns the number of failures. */
unsigned sweep_run(bool is_verbose);

#endif
