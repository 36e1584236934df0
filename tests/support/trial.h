/* A trial: engine, store and simulated hosts, driven in virtual time.
 *
 * The whole scheduler but its I/O, in one process and one thread: what a test does to it (commands,
 * faults, kills) happens at exact virtual times, and after every event the invariants are checked.
 */
#ifndef DROVER_TEST_TRIAL_H
#define DROVER_TEST_TRIAL_H

#include "sim.h"
#include "trial_watch.h"
#include "turn.h"

/* What the trial knows of a guest besides: what happened to it is not ours to answer for. */
struct trial_guest {
	bool was_moved_by_stranger;
	bool was_ended;   /* by a fault, at some time */
	bool was_doubled; /* by libvirt itself or by a host that booted a stale definition */
};

/* Moves under way on one host. */
struct trial_count {
	uint32_t out, in, out_storage, in_storage;
};

struct trial {
	struct inventory *inventory; /* as it was at the start */
	struct sim *sim;
	struct store *store;         /* store_fault before the store */
	struct trial_watch watch;    /* before that: what the engine really uses */
	struct engine *engine;       /* NULL while the manager is dead */
	struct engine_options options;
	struct request **requests;   /* of batch i + 1, as a store would keep them */
	size_t n_requests;
	struct trial_guest *guests;
	int64_t now_ms;
	uint64_t n_events, n_restarts;
	uint64_t full_check_every;   /* events between two whole comparisons with the store */
	uint64_t check_every;        /* events between two checks that look at every guest */
	unsigned store_retries;      /* how often a failed commit is tried again before the process gives up */
	uint64_t n_idle_steps;       /* events since virtual time went on */
	int64_t wall_skew_ms;        /* what somebody has set the clock of the manager's machine wrong by */
	int64_t early_ms;            /* by so much the manager's clock lags at the next event */
	int64_t stalled_until_ms;    /* the manager stands still: what it is told waits */
	struct trial_told *told, **last_told;
	struct trial_count *counts;  /* of the last check: moves on each host */
	uint32_t n_moving;
	bool was_reloaded;           /* limits have changed meanwhile */
	bool is_dead;                /* the process has exited: trial_kill and trial_restart come next */
	bool is_failed;              /* an invariant broke; error says which */
	struct error error;
};

/* Takes the inventory (unsealed or sealed). options NULL = defaults. The store is in memory. */
struct trial *trial_new(struct inventory *inventory, const struct sim_options *sim_options,
	const struct engine_options *options);
/* The same on a store of the caller's, which is taken. */
struct trial *trial_new_on(struct store *store, struct inventory *inventory, const struct sim_options *sim_options,
	const struct engine_options *options);
void trial_free(struct trial *trial);

/* Plans and starts; takes the request. Returns the batch, 0 when refused (trial->error). */
uint64_t trial_start(struct trial *trial, struct request *request);
uint64_t trial_drain(struct trial *trial, const char *host);
void trial_command(struct trial *trial, enum command_kind kind, uint64_t batch, const char *guest);
/* The operator's limit of now, for a host or for all (NULL). */
void trial_limit(struct trial *trial, enum limit_kind kind, const char *host, uint64_t value);
/* Something nobody asked for, such as a host's counters. */
void trial_note(struct trial *trial, const struct hv_note *note);
/* CORDON and UNCORDON. */
void trial_cordon(struct trial *trial, const char *host, bool cordon);

/* Other options from now on, as when a configuration is read again. */
void trial_reload(struct trial *trial, const struct engine_options *options);
/* The manager's process gets no time for so long: SIGSTOP, a busy machine, a paused virtual machine. */
void trial_stall(struct trial *trial, int64_t for_ms);

/* Until nothing is left to do or virtual time is up. True when the engine is idle. */
bool trial_run(struct trial *trial, int64_t for_ms);
/* Until the guest's last move is in this state. */
bool trial_run_until(struct trial *trial, const char *guest, enum move_state state, int64_t for_ms);
/* Until the guest's migration is in this phase. */
bool trial_run_until_phase(struct trial *trial, const char *guest, enum sim_phase phase, int64_t for_ms);
/* One event, if one comes before until_ms. */
bool trial_step(struct trial *trial, int64_t until_ms);

/* SIGKILL, and a new life from what the store holds and the hosts say. */
void trial_kill(struct trial *trial);
void trial_restart(struct trial *trial);
/* The process dies with the n-th commit from now (1 = the next): before it is durable, or right behind it, when
 * n_sends requests of the step have left. */
void trial_crash_at(struct trial *trial, uint64_t n, bool is_durable, size_t n_sends);

/* All invariants; false fills trial->error. */
bool trial_check(struct trial *trial);
/* Those that hold when all is over and healed. */
bool trial_check_settled(struct trial *trial);

/* Host on which the guest runs; NULL = nowhere. */
const char *trial_where(const struct trial *trial, const char *guest);
const struct move_record *trial_move(const struct trial *trial, const char *guest);
/* How many audit rows contain the text. */
size_t trial_audited(struct trial *trial, const char *text);
/* What happened so far, and where every unfinished move stands, on stderr: for a failed test. */
void trial_dump(struct trial *trial);

#endif
