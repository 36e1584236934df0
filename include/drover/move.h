/* Moves and batches as records: what the store keeps, what reports show, what
 * the engine works on. The states are tables; the diagram:
 *
 *   PLANNED -> WAITING -> PREFLIGHT -> PREPARING -> COPYING_DISKS -> COPYING_MEMORY -> SWITCHOVER -> VERIFYING -> CLEANUP -> DONE
 *                 ^           |            |              |                |               |            |
 *                 |           v            v              v                v               v            v
 *                 +------- (retry) <--- UNKNOWN <---------+----------------+---------------+------------+
 *                                          |                      (any failure, lost reply, restart, cancel)
 *                                          +--> WAITING | VERIFYING | COPYING_* (adopted) | CANCELLED | FAILED
 *   CANCELLING: an abort was asked for; its reply leads to UNKNOWN, never straight to CANCELLED.
 *
 *   POST_COPY: beside SWITCHOVER, for a guest that did not converge: it runs on its target, and its memory follows. Set before the
 *   switch is asked for. Neither host has all of it: nothing is aborted, cancelled or taken back from here.
 *
 * Only reconcile leaves UNKNOWN, after both hosts have answered.
 */
#ifndef DROVER_MOVE_H
#define DROVER_MOVE_H

#include "drover/hypervisor.h"
#include "drover/plan.h"

/* state, name, is_end, is_on_wire (holds bandwidth), is_started (both hosts may have a copy) */
#define MOVE_STATES(X) \
	X(PLANNED, "planned", 0, 0, 0) \
	X(WAITING, "waiting", 0, 0, 0) \
	X(PREFLIGHT, "preflight", 0, 0, 0) \
	X(PREPARING, "preparing", 0, 0, 1) \
	X(COPYING_DISKS, "copying_disks", 0, 1, 1) \
	X(COPYING_MEMORY, "copying_memory", 0, 1, 1) \
	X(SWITCHOVER, "switchover", 0, 1, 1) \
	X(POST_COPY, "post_copy", 0, 1, 1) \
	X(VERIFYING, "verifying", 0, 0, 1) \
	X(CLEANUP, "cleanup", 0, 0, 1) \
	X(DONE, "done", 1, 0, 0) \
	X(CANCELLING, "cancelling", 0, 1, 1) \
	X(CANCELLED, "cancelled", 1, 0, 0) \
	X(FAILED, "failed", 1, 0, 0) \
	X(UNKNOWN, "unknown", 0, 0, 1)

enum move_state {
#define X(symbol, name, is_end, is_on_wire, is_started) MOVE_##symbol,
	MOVE_STATES(X)
#undef X
	MOVE_STATE_COUNT
};
const char *move_state_name(enum move_state state);
enum move_state move_state_by_name(const char *name); /* MOVE_STATE_COUNT when unknown */
bool move_state_is_end(enum move_state state);
bool move_state_is_on_wire(enum move_state state);
bool move_state_is_started(enum move_state state);
/* The table of legal steps. */
bool move_state_allows(enum move_state from, enum move_state to);

/* Of one attempt; durable before the migration begins, and before the switch is asked for. */
enum post_copy {
	POST_COPY_NO,
	POST_COPY_ALLOWED, /* the migration was begun so that it can be switched */
	POST_COPY_USED,    /* it was, or was about to be */
	POST_COPY_COUNT
};
const char *post_copy_name(enum post_copy post_copy); /* no, allowed, used */
enum post_copy post_copy_by_name(const char *name);   /* POST_COPY_COUNT when unknown */

#define BATCH_STATES(X) \
	X(RUNNING, "running", 0) \
	X(PAUSED, "paused", 0) \
	X(CANCELLING, "cancelling", 0) \
	X(DONE, "done", 1) \
	X(SOME_LEFT, "some_left", 1) \
	X(CANCELLED, "cancelled", 1)

enum batch_state {
#define X(symbol, name, is_end) BATCH_##symbol,
	BATCH_STATES(X)
#undef X
	BATCH_STATE_COUNT
};
const char *batch_state_name(enum batch_state state);
enum batch_state batch_state_by_name(const char *name);
bool batch_state_is_end(enum batch_state state);
bool batch_state_allows(enum batch_state from, enum batch_state to);

/* Durable. Strings owned by whoever holds the record. */
struct batch_record {
	uint64_t id;
	enum request_kind kind;
	enum batch_state state;
	char *title;   /* "drain h1" */
	char *reason;
	char *who;
	char *hosts;   /* of a drain, comma separated; NULL otherwise */
	int64_t created_wall_ms;
	int64_t ended_wall_ms; /* 0 = not yet */
	int64_t planned_makespan_ms;
	int64_t lower_bound_ms;
	char *request_json;    /* mappings and the like, so that a restart replans alike; NULL = none */
};

struct move_record {
	uint64_t id;
	uint64_t batch;
	uint32_t order; /* in the batch */
	char *guest;
	char uuid[UUID_TEXT_SIZE];
	char *source;
	char *target;
	enum move_kind kind;
	enum move_method method;
	enum leg leg;       /* of two moves of one guest in the batch: the second begins where the first has ended */
	uint64_t after;     /* id of the move of the batch that must end before; 0 = none */
	bool was_shutoff;   /* cold: it did not run, so it is not started either */
	enum move_state state;
	uint64_t epoch;     /* grows with each attempt; stands in the guest's tag */
	uint32_t attempts;
	char *network;      /* name; NULL = any */
	char *reason;       /* of the planner */
	int64_t planned_start_ms, planned_duration_ms, planned_downtime_ms;
	uint64_t planned_bytes, planned_rate_bytes_per_s;
	int64_t started_wall_ms, ended_wall_ms; /* 0 = not yet */
	uint64_t bytes_transferred;
	int64_t measured_downtime_ms; /* -1 = not measured */
	uint32_t rounds;
	bool autostart;     /* as it was on the source */
	bool persistent;
	bool was_paused;
	bool cancel_requested;
	bool handover_paused; /* G1: the target waits for our resume; journaled before the migration */
	enum post_copy post_copy;
	char *path_source;  /* address that the bytes left from, as seen there; NULL = nobody has looked */
	char *path_target;  /* address that they were sent to; NULL = libvirt chose */
	struct error warning; /* it moves or has moved, but not as it should: another network, a wrong path */
	struct error error; /* of the last failure, or the reason it waits */
	struct hv_disk *disks; /* that are copied; kept in the volume table */
	size_t n_disks;
};

void batch_record_clear(struct batch_record *record);
void move_record_clear(struct move_record *record);

#endif
