/* The engine: every decision of a run, and nothing else.
 *
 *     engine_step(engine, event, actions)   the world happened; what is to be done
 *     engine_deadline(engine)               when to wake it if nothing happens
 *
 * Pure and single-threaded: no clock, no I/O; time comes in with each event. The actions of a step are one
 * store batch and then hypervisor requests: the caller commits the batch first
 * and sends the requests only when that succeeded (turn.h does exactly this). A failed commit means:
 * try the same commit again, or stop the process; never step on.
 *
 * The engine owns its inventory and records. Pointers in actions are valid until the next step.
 */
#ifndef DROVER_ENGINE_H
#define DROVER_ENGINE_H

#include "drover/store.h"

struct engine;

/* What the operator configured; plain values, replaceable while running. */
struct engine_options {
	struct plan_options plan;
	uint32_t max_migrations;     /* 0 = auto: by measured bandwidth */
	uint32_t max_incoming, max_outgoing; /* per host where the host says nothing; 0 = auto */
	uint32_t max_incoming_storage, max_outgoing_storage;
	uint32_t workers_per_host;   /* moves in and out that one libvirtd can serve (libvirt.md C1); default 14 */
	uint32_t attempts_max;       /* per move; default 3 */
	int64_t retry_delay_ms;      /* doubles with each attempt; default 5000 */
	int64_t stats_interval_ms;   /* default 250 */
	int64_t shutdown_timeout_ms; /* for a guest that is shut down to be moved; default 120000 */
	int64_t no_progress_ms;      /* watchdog; default 60000 */
	int64_t switchover_watch_ms; /* beyond the blackout that is allowed, before the hosts are asked what keeps the switchover; default 5000 */
	int64_t reconcile_interval_ms; /* between two askings; default 1000, doubles up to 30000 */
	int64_t reply_timeout_ms;    /* for any request but a migration; default 60000 */
	int64_t host_down_ms;        /* a move that has not begun gives up on a host after this; default 120000 */
	int64_t downtime_limit_ms;   /* default 300 */
	int64_t downtime_max_ms;     /* up to here it is doubled for a guest that does not converge; 0 = never raised; default 0 */
	uint64_t prestage_rate_bytes_per_s; /* default 1 MiB/s */
	bool network_fallback;       /* the next network is used while the preferred one does not carry */
	bool keep_source_disks;
	bool keep_backing;
	bool auto_converge;
	bool post_copy;              /* a guest that does not converge may run on its target before all of its memory is there; not with paused_handover */
	bool paused_handover;
	bool throttle;               /* set rates on running moves; default true */
};
void engine_options_init(struct engine_options *options);

enum event_kind {
	EVENT_WAKE,    /* only time has passed */
	EVENT_RESTORE, /* first event of a life: what the store held */
	EVENT_START,   /* run this plan as a new batch */
	EVENT_COMMAND,
	EVENT_REPLY,
	EVENT_NOTE,
};

enum command_kind {
	COMMAND_CANCEL,   /* batch, or one guest of it */
	COMMAND_PAUSE,
	COMMAND_RESUME,
	COMMAND_CORDON,
	COMMAND_UNCORDON,
	COMMAND_THROTTLE, /* limits: all of them, or none when one is refused */
	COMMAND_RELOAD,   /* options: the configuration was read again; limits set by COMMAND_THROTTLE stay */
	COMMAND_STOP,     /* start nothing more; idle when what runs has ended */
};

struct event {
	enum event_kind kind;
	int64_t now_ms;
	int64_t wall_ms;
	union {
		struct {
			const struct store_image *image;
			/* One per image->batches: the request parsed from request_json, or NULL. Copied. */
			struct request *const *requests;
		} restore;
		struct {
			const struct request *request;
			const struct plan *plan; /* indices of the engine's inventory */
			const char *title, *who;
			const char *request_json; /* kept for a restart; NULL = none */
		} start;
		struct {
			enum command_kind kind;
			uint64_t batch;     /* 0 = all unfinished */
			const char *guest;  /* NULL = the whole batch */
			const char *host;   /* CORDON, UNCORDON */
			const char *reason, *who;
			const struct engine_options *options;
			const struct limit *limits;
			size_t n_limits;
		} command;
		struct hv_reply *reply; /* borrowed; the caller clears it after the step */
		const struct hv_note *note;
	};
};

struct actions {
	struct store_op *ops;
	size_t n_ops;
	struct hv_request *requests;
	size_t n_requests;
	uint64_t batch;      /* START: id of the new batch, 0 when refused */
	struct error error;  /* START and COMMAND: why it was refused; code NONE otherwise */
};

/* inventory is copied. */
struct engine *engine_new(const struct inventory *inventory, const struct engine_options *options);
void engine_free(struct engine *engine);
void engine_step(struct engine *engine, const struct event *event, struct actions *ret_actions);
int64_t engine_deadline(const struct engine *engine);

/* Views; pointers are valid until the next step. */
const struct inventory *engine_inventory(const struct engine *engine);
/* What applies now: as configured, or as COMMAND_THROTTLE set it since. */
const struct engine_options *engine_limits(const struct engine *engine);
/* True when nothing is unfinished and no request is outstanding. */
bool engine_is_idle(const struct engine *engine);
/* True when nothing runs on the wire and nothing is outstanding (after COMMAND_STOP: may exit). */
bool engine_is_quiet(const struct engine *engine);

struct move_live {
	enum hv_phase phase;
	uint64_t total_bytes, remaining_bytes;
	uint64_t rate_bytes_per_s;    /* measured */
	uint64_t granted_bytes_per_s; /* by the throttle; 0 = no limit */
	bool is_head;                 /* it has its links; false = staged behind others */
	uint64_t dirty_rate_bytes_per_s;
	int64_t eta_low_ms, eta_ms, eta_high_ms; /* from now; -1 = unknown */
	struct error waiting;         /* why it does not run now; code NONE when it runs */
};
size_t engine_n_batches(const struct engine *engine);
const struct batch_record *engine_batch(const struct engine *engine, size_t i);
size_t engine_n_moves(const struct engine *engine);
const struct move_record *engine_move(const struct engine *engine, size_t i);
void engine_move_live(const struct engine *engine, size_t i, struct move_live *ret_live);
/* Remaining time of a batch as a range; -1 = unknown. */
void engine_batch_eta(const struct engine *engine, uint64_t batch, int64_t *ret_low_ms, int64_t *ret_ms, int64_t *ret_high_ms);
/* One direction of a host's link, or a shared link. */
struct link_live {
	char name[NAME_BYTES_MAX + 32];
	uint64_t capacity_bytes_per_s; /* for moves: as measured, configured, limited; 0 = not known yet */
	uint64_t flow_bytes_per_s;
	uint64_t others_bytes_per_s;   /* by the host's counters */
	uint64_t limit_bytes_per_s;    /* the operator's of now; 0 = none */
	uint32_t n_moves, n_heads;
};
size_t engine_n_links(const struct engine *engine);
void engine_link_live(const struct engine *engine, size_t i, struct link_live *ret_live);
/* What COMMAND_THROTTLE has changed, each object once. */
size_t engine_n_limits(const struct engine *engine);
const struct limit *engine_limit(const struct engine *engine, size_t i);
size_t engine_n_paths(const struct engine *engine);
const struct path_rate *engine_path(const struct engine *engine, size_t i);

#endif
