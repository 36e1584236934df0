/* A trial: engine, memory store and simulated hosts, driven in virtual time.
 *
 * The whole scheduler but its I/O, in one process and one thread: what a test does to it (commands,
 * faults, kills) happens at exact virtual times, and after every event the invariants are checked.
 */
#ifndef DROVER_TEST_TRIAL_H
#define DROVER_TEST_TRIAL_H

#include "sim.h"
#include "turn.h"

struct trial {
	struct inventory *inventory; /* as it was at the start */
	struct sim *sim;
	struct store *store;         /* store_fault before a memory store */
	struct engine *engine;       /* NULL while the manager is dead */
	struct engine_options options;
	struct request *request;     /* of the last start */
	int64_t now_ms;
	uint64_t n_events, n_restarts;
	bool is_dead;                /* a commit failed: like a process that exited */
	bool is_failed;              /* an invariant broke; error says which */
	struct error error;
};

/* Takes the inventory (unsealed or sealed). options NULL = defaults. */
struct trial *trial_new(struct inventory *inventory, const struct sim_options *sim_options,
	const struct engine_options *options);
void trial_free(struct trial *trial);

/* Plans and starts; takes the request. Returns the batch, 0 when refused (trial->error). */
uint64_t trial_start(struct trial *trial, struct request *request);
uint64_t trial_drain(struct trial *trial, const char *host);
void trial_command(struct trial *trial, enum command_kind kind, uint64_t batch, const char *guest);

/* Until nothing is left to do or virtual time is up. True when the engine is idle. */
bool trial_run(struct trial *trial, int64_t for_ms);
/* One event, if one comes before until_ms. */
bool trial_step(struct trial *trial, int64_t until_ms);

/* SIGKILL, and a new life from what the store holds and the hosts say. */
void trial_kill(struct trial *trial);
void trial_restart(struct trial *trial);

/* All invariants; false fills trial->error. */
bool trial_check(struct trial *trial);
/* Those that hold when all is over and healed. */
bool trial_check_settled(struct trial *trial);

/* Host on which the guest runs; NULL = nowhere. */
const char *trial_where(const struct trial *trial, const char *guest);
/* What happened so far, and where every unfinished move stands, on stderr: for a failed test. */
void trial_dump(struct trial *trial);
const struct move_record *trial_move(const struct trial *trial, const char *guest);

#endif
