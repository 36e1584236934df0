/* The simulated world: hosts, links, storage and guests behind the hypervisor
 * seam, in virtual time. Everything the engine believes about libvirt is proven
 * on it, so it behaves as libvirt does: the phases of a peer-to-peer migration,
 * what each host would answer at each instant, and what a failure leaves behind.
 *
 * Pure and deterministic: integer arithmetic only (bytes, microseconds), events ordered by
 * (time, sequence), randomness from the seed. Same calls, same world.
 *
 * A driver loops: t = sim_next_ms(); sim_advance(t); (the listener is called, it submits more).
 * Before it lets the engine act at a time when nothing happens here, it calls
 * sim_advance for that time too, so that both clocks agree. Replies and notes come only out of sim_advance, never
 * out of submit. Not thread-safe.
 */
#ifndef DROVER_SIM_H
#define DROVER_SIM_H

#include "drover/hypervisor.h"

struct sim;

/* name of the symbol, name in reports, what is needed: see struct sim_fault */
#define SIM_FAULTS(X) \
	X(REQUEST_ERROR, "request-error")       /* the next request of `request` (for guest, if given) fails without effect */ \
	X(REPLY_LOST, "reply-lost")             /* it is done, its answer is not: outcome unknown after the time-out */ \
	X(REPLY_LATE, "reply-late")             /* its answer comes duration_ms later */ \
	X(REPLY_DOUBLED, "reply-doubled")       /* its answer comes twice */ \
	X(HOST_DIES, "host-dies")               /* with everything on it; comes back after duration_ms, 0 = at heal */ \
	X(HOST_UNREACHABLE, "host-unreachable") /* only for the manager; migrations go on */ \
	X(PEER_CUT, "peer-cut")                 /* libvirtd of host cannot talk to its peers: p2p connections break after the keepalive time */ \
	X(LINK_CUT, "link-cut")                 /* migration links of host carry nothing; nobody notices */ \
	X(LINK_SLOW, "link-slow")               /* migration links of host carry `value` bytes per second */ \
	X(LIBVIRTD_RESTART, "libvirtd-restart") /* of host */ \
	X(HOST_HANGS, "host-hangs")             /* libvirtd of host answers nothing for duration_ms and then goes on */ \
	X(INCOMING_KILLED, "incoming-killed")   /* the QEMU on the target of the guest's migration dies */ \
	X(MIGRATION_ERROR, "migration-error")   /* the guest's migration fails with `error` */ \
	X(FINISH_LOST, "finish-lost")           /* the answer of Finish is lost: the source resumes after the keepalive time */ \
	X(DIRTY_SURGE, "dirty-surge")           /* the guest dirties `value` bytes per second */ \
	X(MEMORY_TAKEN, "memory-taken")         /* a stranger uses `value` bytes of host */ \
	X(POOL_TAKEN, "pool-taken")             /* a stranger uses `value` bytes of pool on host */ \
	X(STRANGER_MOVES, "stranger-moves")     /* somebody migrates the guest to host */ \
	X(GUEST_ENDS, "guest-ends")             /* the guest shuts itself down */

enum sim_fault_kind {
#define X(symbol, name) SIM_FAULT_##symbol,
	SIM_FAULTS(X)
#undef X
	SIM_FAULT_COUNT
};
const char *sim_fault_name(enum sim_fault_kind kind);

/* Where a migration is, finer than hv_phase: what a failure does depends on it. */
enum sim_phase {
	SIM_PHASE_NONE,
	SIM_PHASE_BEGIN,      /* job on the source only */
	SIM_PHASE_PREPARED,   /* incoming QEMU on the target */
	SIM_PHASE_DISKS,
	SIM_PHASE_MEMORY,
	SIM_PHASE_SWITCHOVER, /* source paused, last bytes under way */
	SIM_PHASE_FINISH,     /* all bytes are over, the target is being started */
	SIM_PHASE_CONFIRM,    /* the target runs, the source does not know yet */
	SIM_PHASE_CANCELLING, /* it has failed, the source has not noticed yet or is waiting for a dead peer */
	SIM_PHASE_POSTCOPY,   /* the target runs, its memory follows */
	SIM_PHASE_POSTCOPY_FAILED, /* and has broken off: it waits to be let go on */
	SIM_PHASE_COUNT
};
const char *sim_phase_name(enum sim_phase phase);

struct sim_fault {
	enum sim_fault_kind kind;
	int64_t at_ms;            /* <= now: at once */
	enum sim_phase at_phase;  /* not NONE: when the migration of `guest` enters it, and at_ms is not looked at */
	const char *host;         /* names are copied */
	const char *guest;
	const char *pool;
	enum hv_kind request;
	enum error_code error;    /* REQUEST_ERROR, MIGRATION_ERROR; NONE = MIGRATE_FAILED */
	uint64_t value;
	int64_t duration_ms;      /* 0 = until healed, for faults that last */
};

/* Random faults, drawn from the seed. Chances are per mille. */
struct sim_faults {
	uint32_t request_error, reply_lost, reply_late, reply_doubled; /* of each request; stats are spared */
	uint32_t migration_error, finish_lost, dirty_surge;            /* of each migration */
	uint32_t guest_deaf, start_refused; /* of each request to shut down, or to start, a guest */
	int64_t world_interval_ms; /* mean time between faults of hosts and links; 0 = none */
	int64_t duration_max_ms;   /* of each of those */
};

struct sim_options {
	uint64_t seed;
	int64_t setup_ms;         /* Begin and Prepare: before the first byte flows */
	int64_t blackout_ms;      /* constant part of the blackout: starting the target */
	int64_t finish_ms;        /* from the start of the target until the source is gone */
	int64_t request_min_ms, request_max_ms; /* from submit to reply */
	int64_t stats_ms;         /* the same for HV_STATS */
	int64_t stats_lag_ms;     /* the bytes it tells of are of a moment up to so long ago: rates seem to go up and down */
	int64_t keepalive_ms;     /* until a dead connection is noticed */
	int64_t request_timeout_ms;
	int64_t restart_ms;       /* a libvirtd is away so long when it restarts */
	int64_t downtime_ms;      /* where the request says 0 */
	uint64_t link_rate_bytes_per_s; /* where the inventory says nothing */
	uint32_t link_efficiency_milli; /* payload share of a link's rate */
	uint32_t migration_ports;       /* of one target; a move that copies disks needs two */
	uint64_t no_postcopy_hosts;     /* a bit each of the first 64: their kernels let nobody arrive by post-copy */
	struct sim_faults faults;
};
void sim_options_init(struct sim_options *options);

/* The inventory (sealed) is copied: it is the truth of the world from then on. */
struct sim *sim_new(const struct inventory *inventory, const struct sim_options *options);
void sim_free(struct sim *sim);

/* Belongs to the sim. Its free() only abandons what is outstanding (sim_drop_manager). */
struct hypervisor *sim_hypervisor(struct sim *sim);
/* Copied; NULL = nobody listens. */
void sim_set_listener(struct sim *sim, const struct hv_listener *listener);
int64_t sim_now_ms(const struct sim *sim);
/* Time of the next thing to happen; TIME_NEVER when nothing will. */
int64_t sim_next_ms(const struct sim *sim);
void sim_advance(struct sim *sim, int64_t now_ms);
/* The manager died: what it asked is done, no answer of it is ever delivered, migrations go on. */
void sim_drop_manager(struct sim *sim);

/* Faults: scripted ones are applied now, at a time, or at a phase. */
void sim_fault(struct sim *sim, const struct sim_fault *fault);
/* Ends every lasting fault and draws no more. */
void sim_heal_all(struct sim *sim);
/* How often a fault of that kind has had its effect. */
uint64_t sim_fault_hits(const struct sim *sim, enum sim_fault_kind kind);

/* What must hold at every instant: no guest runs twice, is stopped or is paused for good by the
 * manager, every running copy has its complete and newest disks, nobody's volume was overwritten or
 * deleted, no host's memory is overcommitted. The first breach stays. A second running copy that libvirt
 * itself made (FINISH_LOST and the like) is no breach until the manager has chosen the wrong one. */
bool sim_check(const struct sim *sim, struct error *err);
/* What must hold besides when all is over: each guest that ran runs on exactly one host (but for
 * those that a fault has ended) and nothing is in flight. */
bool sim_check_settled(const struct sim *sim, struct error *err);

/* The world as an inventory, as a probe of all hosts would give it; sealed, the caller's. */
struct inventory *sim_inventory(const struct sim *sim);
/* What a manager that starts now finds: nothing of hosts that do not answer but their configuration, and of a guest's
 * several copies the liveliest. Sealed, the caller's. */
struct inventory *sim_inventory_seen(const struct sim *sim);
/* Hash of the whole state and history. */
uint64_t sim_digest(const struct sim *sim);

struct sim_counters {
	uint64_t moves_started, moves_done, moves_failed;
	uint32_t in_flight, max_in_flight;
	uint64_t bytes_sent;
	uint64_t events;
	uint64_t requests[HV_KIND_COUNT];
	int64_t longest_blackout_ms; /* of any guest that went on afterwards */
};
void sim_counters(const struct sim *sim, struct sim_counters *ret_counters);
struct sim_host_counters {
	uint64_t bytes_out, bytes_in;
	uint32_t out, in, max_out, max_in;
	uint64_t memory_used_bytes;
	uint32_t active_guests;
};
void sim_host_counters(const struct sim *sim, const char *host, struct sim_host_counters *ret_counters);

/* Guests by index of the inventory given to sim_new. */
uint32_t sim_guest_index(const struct sim *sim, const char *name_or_uuid);
bool sim_guest_is_active_on(const struct sim *sim, uint32_t guest, uint32_t host);
/* Host of its running copy; INDEX_NONE while it runs nowhere. */
uint32_t sim_guest_runs_on(const struct sim *sim, uint32_t guest);
enum sim_phase sim_guest_phase(const struct sim *sim, uint32_t guest);
/* True when a fault has ended it: host death, its own shutdown. */
/* By its power button, at somebody's request, and not started since. */
bool sim_guest_was_shut_down(const struct sim *sim, uint32_t guest);
bool sim_guest_was_ended(const struct sim *sim, uint32_t guest);
/* True while it migrates, and nobody but a stranger asked for that. */
bool sim_guest_is_moved_by_stranger(const struct sim *sim, uint32_t guest);
/* True from then on. */
bool sim_guest_was_moved_by_stranger(const struct sim *sim, uint32_t guest);
/* Hosts of its migration; false when it does not migrate. */
bool sim_guest_route(const struct sim *sim, uint32_t guest, uint32_t *ret_source, uint32_t *ret_target);
/* Current rate of its migration on the wire; 0 = none. */
uint64_t sim_guest_rate(const struct sim *sim, uint32_t guest);
/* Of its last migration; -1 = none yet. */
int64_t sim_guest_blackout_ms(const struct sim *sim, uint32_t guest);

enum sim_leftover_kind { SIM_LEFT_VOLUME, SIM_LEFT_DEFINITION, SIM_LEFT_COPY, SIM_LEFT_TAG };
struct sim_leftover {
	enum sim_leftover_kind kind;
	uint32_t host;
	uint32_t guest;
	char text[160]; /* "volume images/web1-vda.qcow2 on h2" */
};
/* Everything that nobody uses any more; *ret_list with free(). Returns the number. */
size_t sim_leftovers(const struct sim *sim, struct sim_leftover **ret_list);

#endif
