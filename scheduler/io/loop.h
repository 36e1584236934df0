/* The foreground loop: joins engine, store and hypervisor on one libuv loop.
 *
 * Everything here happens on one thread; only loop_wake may be called from others. A life:
 * loop_new, hypervisor made with loop_listener and loop_wake, loop_attach, loop_gather any number of
 * times (inventory, pre-flight), loop_run once or not at all; then the hypervisor is freed, and loop_free comes last.
 *
 * Clock: monotonic milliseconds, faster than real by `speed` for simulated worlds, so that
 * engine and world see the same time.
 *
 * Signals: SIGINT and SIGTERM are caught only inside loop_gather and loop_run. There they stop the start
 * of further moves; what runs ends, and hosts that do not answer are waited for only a short while. A second one changes
 * nothing. SIGHUP is caught there too and stops nothing: a drain outlives the terminal that it was started from.
 */
#ifndef DROVER_LOOP_H
#define DROVER_LOOP_H

#include "traffic.h"
#include "turn.h"

struct loop;

/* Where replies come from. deliver hands what is due at now_ms to the listener; next_ms says
 * when to call it again if nobody wakes the loop (NULL = never). */
struct loop_source {
	void *self;
	int64_t (*next_ms)(void *self);
	void (*deliver)(void *self, int64_t now_ms);
};

struct loop_run {
	struct engine *engine;
	struct store *store;
	const struct store_image *image;  /* for EVENT_RESTORE */
	struct request *const *requests;  /* one per image->batches, elements may be NULL */
	const char *control_path;         /* NULL = no control socket */
	uint64_t tick_ms;                 /* how often on_tick is called */
	const struct traffic_command *traffic; /* of the hosts that have one */
	size_t n_traffic;
	int64_t store_patience_ms;        /* how long a failed commit is tried again; 0 = a minute */
	void *self;                       /* of the functions below; each may be NULL */
	void (*on_ready)(void *self);     /* once, after the restore is durable: loop_event may be called */
	void (*on_tick)(void *self);
	void (*on_stop)(void *self);      /* the first signal that stops */
	void (*on_hangup)(void *self);    /* SIGHUP, while not stopped: loop_event may be called */
	/* A commit failed (and is tried again), or went through after all (err NULL). */
	void (*on_store)(void *self, const struct error *err);
	void (*on_no_traffic)(void *self, const struct error *err); /* a host's counters cannot be read; goes on without them */
	void (*on_no_control)(void *self, const struct error *err); /* it runs without its socket */
};

struct loop *loop_new(uint32_t speed, struct error *err);
void loop_free(struct loop *loop);

struct hv_listener loop_listener(struct loop *loop);
void loop_wake(void *loop);
void loop_attach(struct loop *loop, struct hypervisor *hypervisor, const struct loop_source *source);

int64_t loop_now_ms(const struct loop *loop);
int64_t loop_wall_ms(const struct loop *loop);
/* True once a signal asked to stop. */
bool loop_is_stopped(const struct loop *loop);

/* Sends n requests (tags are set here) and waits for their replies, ret_replies[i] for requests[i]; the caller
 * clears them all. What has not answered within timeout_ms gets ERR_TIMEOUT with outcome_unknown.
 * False only when a signal came: ERR_CANCELLED, replies are as far as known. */
bool loop_gather(struct loop *loop, struct hv_request *requests, size_t n, int64_t timeout_ms,
	struct hv_reply *ret_replies, struct error *err);

/* Runs until everything is finished, or a signal came and nothing is in flight. False when the store
 * failed for good: moves in flight go on by themselves. */
bool loop_run(struct loop *loop, const struct loop_run *run, struct error *err);

/* From on_ready, on_tick or a control command: one event for the engine; its times are set here. False when
 * it was refused (err of the engine) or the store is in trouble. *ret_batch as in struct actions. */
bool loop_event(struct loop *loop, struct event *event, uint64_t *ret_batch, struct error *err);
/* loop_run returns as soon as nothing is in flight, finished or not. */
void loop_end_when_quiet(struct loop *loop);
const struct engine *loop_engine(const struct loop *loop);

#endif
