/* Requests, plans and the planner.
 *
 * A request says what the operator wants; the planner turns request + inventory
 * into a plan: who moves where, in which order, when, how fast, by which
 * network, why, and who is left and for which reason (schema drover/plan/1).
 * The same functions serve `plan`, `simulate` and the engine of a real run.
 *
 * Pure: no clock, no I/O, no randomness but the seed. Same input, same plan.
 * Indices in a plan are those of the inventory it was made from.
 */
#ifndef DROVER_PLAN_H
#define DROVER_PLAN_H

#include "drover/inventory.h"

enum request_kind {
	REQUEST_DRAIN,     /* empty hosts[] */
	REQUEST_MOVE,      /* moves[] by hand */
	REQUEST_BATCH,     /* moves[] from a file; to may be NULL: the planner chooses */
	REQUEST_RETURN,    /* moves[] = where guests of a drained host went; hosts[] named for the report */
	REQUEST_REBALANCE,
	REQUEST_ROLLING,
};

/* How a guest goes. What a guest that cannot move live does is one of these too: LIVE = it is left where it is. */
enum move_method {
	METHOD_LIVE,
	METHOD_SHUTDOWN, /* shut down and left on its host; a return of the host starts it again */
	METHOD_COLD,     /* shut down, its disks copied and verified, defined and started on the target */
	METHOD_START,    /* started where it is: what a return does for a guest that was shut down */
};
const char *move_method_name(enum move_method method); /* live, shutdown, cold, start */
enum move_method move_method_by_name(const char *name); /* METHOD_LIVE when unknown */

/* One name mapping of a [map] section or a batch line: `from` on the source is `to` on the target. */
struct name_map {
	char *from;
	char *to;
};

/* One wanted move; strings owned. */
struct wanted_move {
	char *guest;   /* name or UUID */
	char *from;    /* host the operator believes it is on; NULL = do not check */
	char *to;      /* NULL = choose */
	char *to_pool; /* every local disk to this pool; NULL = pool of the same name */
	struct name_map *pools; /* pool of the source, or "target:vda", to pool of the target; "volume:vda" to a name there */
	size_t n_pools;
	struct name_map *nets;
	size_t n_nets;
	int32_t priority;
	int64_t not_before_wall_ms; /* 0 = at once */
	uint64_t max_rate_bytes_per_s; /* 0 = no limit of its own */
	enum cannot_move cannot_move; /* UNSAID = as its groups or the request say */
	bool is_start;         /* of a guest that a drain has shut down on `to` */
	char *where; /* "moves.csv line 7", for messages; NULL = command line */
};

struct request {
	enum request_kind kind;
	char **hosts;
	size_t n_hosts;
	struct wanted_move *moves;
	size_t n_moves;
	char *to_pool; /* for moves that do not say */
	struct name_map *pools;
	size_t n_pools;
	struct name_map *nets;
	size_t n_nets;
	enum cannot_move cannot_move; /* of guests of which neither their line nor a group says more; UNSAID = they are left */
	char *reason; /* the operator's words; NULL = none */
	char *name;   /* batch file or batch section; NULL = none */
};

struct request *request_new(enum request_kind kind);
void request_free(struct request *request);
struct request *request_copy(const struct request *request); /* NULL gives NULL */
struct wanted_move *request_add_move(struct request *request, const char *guest);
void name_map_add(struct name_map **maps, size_t *n, const char *from, const char *to);
const char *request_kind_name(enum request_kind kind);

enum move_kind { MOVE_SHARED, MOVE_SHARED_NOTHING, MOVE_MIXED }; /* no disk, all disks, some disks copied */
const char *move_kind_name(enum move_kind kind);

/* Guests whose destinations wait for each other's room go round in a circle. One of them goes by way of a third host: two moves of
 * one guest in one plan, the second of which begins where the first has ended. No other guest is in a plan twice. */
enum leg {
	LEG_WHOLE,  /* from where it is to where it is wanted */
	LEG_FIRST,  /* to the third host, as it is: what the request maps is mapped by the second */
	LEG_SECOND, /* on from there */
	LEG_COUNT
};
const char *leg_name(enum leg leg); /* whole, first, second */
enum leg leg_by_name(const char *name); /* LEG_COUNT when unknown */

struct planned_move {
	uint32_t guest;
	uint32_t source;
	uint32_t target;
	uint32_t wanted; /* index into request->moves, INDEX_NONE for a drain */
	enum move_kind kind;
	enum move_method method;
	enum leg leg; /* the first stands before the second */
	int64_t start_ms; /* from the start of the batch */
	int64_t duration_ms;
	int64_t duration_low_ms, duration_high_ms; /* the range that the measurements allow */
	uint64_t bytes, bytes_low, bytes_high;
	uint64_t disk_bytes; /* of bytes */
	uint64_t rate_bytes_per_s; /* at which it is expected to run once at the head */
	bool rate_is_assumed; /* a link on its way is neither configured nor measured; what the times say is as good as the default */
	int64_t downtime_ms, downtime_low_ms, downtime_high_ms;
	uint32_t samples; /* moves of this class between these hosts that the ranges come from; 0 = the stated default */
	uint32_t network; /* index into inventory->networks, INDEX_NONE = any */
	uint32_t after;   /* index of the planned move that must end before; INDEX_NONE = none */
	bool converges;
	char reason[288]; /* why this target, and why at this place in the order */
};

/* The schedule that the times come from: from then on that move is counted with that rate, until its
 * next step or its end. */
struct rate_step {
	uint32_t move; /* index into plan->moves */
	int64_t from_us;
	uint64_t rate_bytes_per_s;
};

struct blocked_guest {
	uint32_t guest; /* INDEX_NONE when the request names none */
	char *name;     /* as asked for */
	struct error error;
};

/* What should be known of a move before, though it is made. */
struct plan_warning {
	uint32_t move; /* index into plan->moves */
	struct error error;
};

enum direction { DIRECTION_OUT, DIRECTION_IN, DIRECTION_SHARED };

struct plan {
	enum request_kind kind;
	struct planned_move *moves; /* in the order of priority: the engine starts them in this order */
	size_t n_moves;
	struct blocked_guest *blocked;
	size_t n_blocked;
	struct plan_warning *warnings; /* in the order of the moves */
	size_t n_warnings;
	struct rate_step *steps; /* by time; none in a plan that was read from a file */
	size_t n_steps;
	int64_t makespan_ms;
	int64_t makespan_low_ms, makespan_high_ms;
	int64_t lower_bound_ms;
	uint32_t bottleneck_host; /* INDEX_NONE when a single move or a shared link binds */
	enum direction bottleneck_direction;
	uint32_t bottleneck_guest; /* with the largest part in it; INDEX_NONE when nothing moves */
	char bottleneck_text[256]; /* "why not faster": the binding link or guest, with its load */
	char last_text[512];       /* why it ends later than the bound: what the last one waits for; "" when it hardly does */
	char inventory_digest[DIGEST_TEXT_SIZE];
};

void plan_free(struct plan *plan);

/* As many evaluations as a person waits for: fewer the more moves there are, the same for the same moves. */
#define PLAN_SEARCH_AUTO UINT32_MAX

/* What the planner assumes of the world; from configuration and measurement. */
struct plan_options {
	uint64_t default_link_rate_bytes_per_s; /* for links of unknown rate; default 125000000 (1 Gbit/s) */
	uint64_t stream_rate_bytes_per_s; /* what one migration stream can carry; 0 = a whole link */
	uint32_t efficiency_milli;    /* payload share of a link's rate; default 950 */
	int64_t setup_ms;             /* before the first byte flows; default 700 */
	int64_t finish_ms;            /* after the last: switchover, verify, clean; default 300 */
	int64_t downtime_limit_ms;    /* default 300 */
	bool auto_converge, post_copy; /* allowed for a guest that does not converge; only for what the plan says of it */
	uint32_t max_migrations;      /* 0 = auto: by bandwidth */
	uint32_t prestage;            /* moves set up behind the head on a link; default 2 */
	uint32_t memory_overhead_milli; /* QEMU's own memory over guest memory; default 1050 */
	uint32_t search_evaluations;  /* bound of the search over orders; 0 = first plan only, or PLAN_SEARCH_AUTO */
	uint64_t seed;
	uint32_t range_milli;         /* half-width of ETA ranges when nothing was learned; default 200 */
	/* Learned: rates of host pairs, and how moves of a class differ from the model; borrowed arrays, may be empty. */
	const struct path_rate *paths;
	size_t n_paths;
	const struct lesson *lessons;
	size_t n_lessons;
};

/* What was measured between two hosts (N14). */
struct path_rate {
	char source[NAME_BYTES_MAX + 1];
	char target[NAME_BYTES_MAX + 1];
	uint64_t memory_bytes_per_s; /* 0 = not measured */
	uint64_t disk_bytes_per_s;
	uint32_t samples;
	int64_t updated_wall_ms;
};

/* Moves that behave alike: by whether the guest writes much of what the link carries, and whether disks are copied. */
enum move_class { CLASS_QUIET, CLASS_BUSY, CLASS_QUIET_DISKS, CLASS_BUSY_DISKS, CLASS_COUNT };
const char *move_class_name(enum move_class class); /* quiet, busy, quiet_disks, busy_disks */
enum move_class move_class_by_name(const char *name); /* CLASS_COUNT when unknown */

/* Real over predicted, times 1000, and the mean deviation from that mean, in thousandths of it. */
struct factor {
	uint32_t milli; /* 0 = not measured */
	uint32_t spread_milli;
	uint32_t samples;
};

/* What finished moves of a class between two hosts have taught; see planner/learn.c. */
struct lesson {
	char source[NAME_BYTES_MAX + 1];
	char target[NAME_BYTES_MAX + 1];
	enum move_class class;
	uint32_t samples;
	uint64_t rate_bytes_per_s; /* on average, first to last byte; 0 = not measured */
	uint32_t rate_spread_milli, rate_samples;
	struct factor bytes, downtime;
	int64_t setup_ms, finish_ms; /* before the first byte, after the last; 0 = not measured */
	int64_t updated_wall_ms;
};

/* What a guest writes, as it was measured last: a plan need not measure again what is recent. */
struct guest_fact {
	char uuid[UUID_TEXT_SIZE];
	uint64_t dirty_rate_bytes_per_s;
	uint64_t working_set_bytes; /* 0 = not known */
	int64_t measured_wall_ms;
};

void plan_options_init(struct plan_options *options);

/* Makes a plan. Guests that cannot move are in plan->blocked and do not fail the
 * call; it fails for what makes the whole request senseless (unknown host, guest named twice).
 * *ret_plan belongs to the caller. */
bool planner_plan(const struct inventory *inventory, const struct request *request,
	const struct plan_options *options, struct plan **ret_plan, struct error *err);

/* The pre-copy model for one move alone at a rate: for previews and watchdogs. */
struct estimate {
	int64_t duration_ms; /* with setup and finish */
	uint64_t bytes;
	uint64_t disk_bytes;
	int64_t downtime_ms;
	bool converges;
};
void planner_estimate(const struct guest *guest, uint64_t disk_bytes, uint64_t rate_bytes_per_s,
	const struct plan_options *options, struct estimate *ret_estimate);

/* Distinct memory that a guest wrote in a second or so, and in `spans` times that, as sampled pages show. */
struct dirty_look {
	uint64_t brief_bytes, long_bytes;
	uint32_t spans;
	uint64_t sampled_pages;
};
/* The memory it writes to again and again, at most; 0 = the looks do not tell. See planner/working_set.c. */
uint64_t planner_working_set(const struct dirty_look *look, uint64_t memory_bytes);

/* Bytes of the guest's disks that must be copied from source to target; also the kind of the move. */
uint64_t planner_disk_bytes(const struct inventory *inventory, uint32_t guest, uint32_t source, uint32_t target,
	enum move_kind *ret_kind);
/* True when this disk is copied in a move from source to target, false when it is shared or read-only. */
bool planner_disk_is_copied(const struct inventory *inventory, const struct disk *disk, uint32_t source, uint32_t target);
/* True when this is a CD-ROM whose image the target is known not to have. */
bool planner_media_missing(const struct inventory *inventory, const struct disk *disk, uint32_t source, uint32_t target);
/* The pool on the target for a disk, after mappings; never NULL for a disk in a pool. */
const char *planner_target_pool(const struct disk *disk, const struct wanted_move *wanted, const struct request *request);
/* The same rules for a hypervisor, which sees no request: one list in which the first match decides ("" = every pool). The array
 * is the caller's, its strings are the requests'. NULL with 0 when nothing is mapped. */
struct name_map *planner_pool_maps(const struct wanted_move *wanted, const struct request *request, size_t *ret_n);
const char *planner_mapped_pool(const struct name_map *maps, size_t n, const char *target, const char *pool);
const char *planner_mapped_volume(const struct name_map *maps, size_t n, const char *target, const char *volume);

/* Capacity that is spoken for: what runs, and what is on its way. One ledger serves the
 * planner (virtual) and the engine (real). */
struct ledger;
struct ledger *ledger_new(const struct inventory *inventory, const struct plan_options *options);
void ledger_free(struct ledger *ledger);
/* Memory, vCPUs and pool space on the target from now on. Rules too: the guest
 * counts on both hosts until ledger_finish or ledger_cancel. */
void ledger_start(struct ledger *ledger, uint32_t guest, uint32_t target, const struct request *request, const struct wanted_move *wanted);
void ledger_finish(struct ledger *ledger, uint32_t guest); /* it runs on the target: source is free */
void ledger_cancel(struct ledger *ledger, uint32_t guest); /* it stays: target is free */
/* A fresh measurement of a host, read between moves: free pool space, cordon, reachability. */
void ledger_update_host(struct ledger *ledger, uint32_t host);

/* May this guest run on this host now? Every hard filter, first refusal wins; false fills err with
 * the code and both numbers. with_capacity = false tests only what does not change with time. */
bool planner_fits(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest, uint32_t target,
	const struct request *request, const struct wanted_move *wanted, bool with_capacity, struct error *err);
/* May one more guest of its groups move now (at_most_moving)? False fills err with ERR_WAIT_GROUP and both numbers. */
bool planner_group_allows(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest, struct error *err);
/* Best target now, avoiding hosts whose bit in excluded (n_hosts booleans, may be NULL) is set;
 * INDEX_NONE and an error (the most telling refusal) when none. */
uint32_t planner_place(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest,
	const struct request *request, const struct wanted_move *wanted, const bool *excluded, struct error *err);
/* The facts of a guest that forbid any move. */
bool planner_guest_can_move(const struct inventory *inventory, uint32_t guest, struct error *err);
/* The network for a pair: first in order in which both have an address; outputs are indices of the two
 * hosts' links (INDEX_NONE when the inventory names no link: any address will do). */
bool planner_network(const struct inventory *inventory, uint32_t source, uint32_t target,
	uint32_t *ret_network, uint32_t *ret_source_link, uint32_t *ret_target_link, struct error *err);
/* Usable rate of a host's link: configured or nominal, less the reserve; 0 = unknown. */
/* The same without some networks; excluded: one for each network of the inventory, NULL = none. */
bool planner_network_but(const struct inventory *inventory, uint32_t source, uint32_t target, const bool *excluded,
	uint32_t *ret_network, uint32_t *ret_source_link, uint32_t *ret_target_link, struct error *err);
/* The address of a host's link, without prefix: a new string, NULL when it has none. */
char *planner_address(const struct inventory *inventory, uint32_t host, uint32_t link);
uint64_t planner_link_rate(const struct inventory *inventory, uint32_t host, uint32_t network, uint32_t link);

/* Bandwidth for moves in flight, by strict priority: see planner/shares.c. Rates and link capacities in bytes per second. */
struct share_move {
	uint32_t links[4]; /* indices into capacities: source out, target in, shared; INDEX_NONE = unused */
	uint64_t cap_bytes_per_s;   /* own limit (stream rate, configured); 0 = none */
	uint64_t floor_bytes_per_s; /* what it needs to keep converging: twice its dirty rate, at least the pre-stage rate */
	bool can_be_throttled;      /* false: takes what it takes (a mirror that cannot be slowed) */
	uint64_t ret_rate_bytes_per_s; /* out */
};
/* moves in the order of priority; capacities: one per link, 0 = unknown (then no limit). */
void planner_shares(struct share_move *moves, size_t n_moves, const uint64_t *capacities, size_t n_links,
	uint64_t prestage_rate_bytes_per_s);

/* explain: one verdict per candidate host. */
struct verdict {
	uint32_t host;
	bool fits;
	struct error error; /* code NONE when it fits */
	int64_t score;      /* lower is better, among those that fit */
};
/* verdicts: array of n_hosts, filled in order of host index. */
void planner_explain(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest,
	const struct request *request, struct verdict *ret_verdicts);

#endif
