/* The foreground loop: one uv_async for the hypervisor's wakes, one uv_timer for the next deadline,
 * signals, the control socket; every event becomes one turn (step, commit, send).
 *
 * A failed commit stops the stepping of events: replies queue up here, notes are dropped (they are
 * hints only) and the same commit is tried again with a growing delay. After store_patience_ms the run ends.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <uv.h>

#include "control.h"
#include "loop.h"
#include "steer.h"
#include "xalloc.h"

enum {
	RETRY_FIRST_MS = 100,
	RETRY_LAST_MS = 5000,
	STORE_PATIENCE_MS = 60000,
	/* After a stop, how long hosts that do not answer are asked where guests run. Leaving then is safe: such a
	 * move is durable and is asked about again at the next start. */
	UNKNOWN_PATIENCE_MS = 15000,
	SIGNALS = 3,
	SIM_LAG_MS = 50, /* how late the clock of a simulated world may see what is due */
};

struct queued_reply {
	struct hv_reply reply;
	struct queued_reply *next;
};

struct gather {
	struct hv_reply *replies;
	bool *has_answered;
	size_t n, n_answered;
	uint32_t generation;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_timer_t timer, tick;
	uv_signal_t signals[SIGNALS];
	struct hypervisor *hypervisor;
	struct loop_source source;
	uint32_t speed;
	uint64_t clock_ns;          /* real time at which the clock showed clock_ms */
	int64_t clock_ms, limit_ms; /* it goes no further than limit_ms before the loop has turned */
	int64_t start_wall_ms;
	uint32_t generation;
	bool is_stopped;
	struct gather *gather;

	const struct loop_run *run; /* NULL = not in loop_run */
	struct turn turn;
	struct actions actions;     /* of the commit that failed */
	bool is_commit_pending, is_ready, ends_when_quiet, stop_is_due;
	int64_t retry_delay_ms;     /* real time */
	uint64_t trouble_ns;        /* when the commit failed first */
	uint64_t stop_ns;           /* when the signal came */
	bool has_failed;
	struct error failure;
	struct queued_reply *first, **last;
	struct control *control;
	struct traffic *traffic;
};

static void on_timer(uv_timer_t *handle);

int64_t loop_now_ms(const struct loop *loop)
{
	int64_t now_ms = loop->clock_ms + (int64_t)((uv_hrtime() - loop->clock_ns) * loop->speed / 1000000);

	return now_ms < loop->limit_ms ? now_ms : loop->limit_ms;
}

/* The clock of a simulated world waits for its program: while the machine is busy, a second without a turn would be minutes
 * there, and every answer would come too late. */
static void hold_clock(struct loop *loop, int64_t next_ms)
{
	int64_t now_ms = loop_now_ms(loop);

	if (loop->speed == 1)
		return;
	loop->clock_ms = now_ms;
	loop->clock_ns = uv_hrtime();
	loop->limit_ms = next_ms == TIME_NEVER ? TIME_NEVER : (next_ms > now_ms ? next_ms : now_ms) + SIM_LAG_MS;
}

int64_t loop_wall_ms(const struct loop *loop)
{
	return loop->start_wall_ms + loop_now_ms(loop);
}

bool loop_is_stopped(const struct loop *loop)
{
	return loop->is_stopped;
}

const struct engine *loop_engine(const struct loop *loop)
{
	return loop->turn.engine;
}

void loop_end_when_quiet(struct loop *loop)
{
	loop->ends_when_quiet = true;
}

/* ---- turns ---- */

static void commit_failed(struct loop *loop, const struct error *err)
{
	uint64_t now = uv_hrtime();
	int64_t patience = loop->run->store_patience_ms > 0 ? loop->run->store_patience_ms : STORE_PATIENCE_MS;

	if (!loop->is_commit_pending) {
		loop->is_commit_pending = true;
		loop->trouble_ns = now;
		loop->retry_delay_ms = RETRY_FIRST_MS;
		if (loop->run->on_store != NULL)
			loop->run->on_store(loop->run->self, err);
	} else {
		loop->retry_delay_ms = loop->retry_delay_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : loop->retry_delay_ms * 2;
	}
	/* Only I/O errors may pass: a foreign write to the file never heals. */
	if (err->code == ERR_STATE_IO && (int64_t)((now - loop->trouble_ns) / 1000000) < patience)
		return;
	loop->has_failed = true;
	loop->failure = *err;
	uv_stop(&loop->uv);
}

/* Steps one event. False when the commit failed; it is pending then. */
static bool step(struct loop *loop, struct event *event)
{
	struct error err;

	assert(!loop->is_commit_pending);
	event->now_ms = loop_now_ms(loop);
	event->wall_ms = loop_wall_ms(loop);
	memset(&loop->actions, 0, sizeof loop->actions);
	if (turn_run(&loop->turn, event, &loop->actions, &err))
		return true;
	commit_failed(loop, &err);
	return false;
}

static void step_reply(struct loop *loop, struct hv_reply *reply)
{
	struct event event = {.kind = EVENT_REPLY, .reply = reply};

	step(loop, &event);
	hv_reply_clear(reply);
}

static void step_queue(struct loop *loop)
{
	while (loop->first != NULL && !loop->is_commit_pending) {
		struct queued_reply *queued = loop->first;

		loop->first = queued->next;
		if (loop->first == NULL)
			loop->last = &loop->first;
		step_reply(loop, &queued->reply);
		free(queued);
	}
}

static void retry(struct loop *loop)
{
	struct error err;

	if (!turn_retry(&loop->turn, &loop->actions, &err)) {
		commit_failed(loop, &err);
		return;
	}
	loop->is_commit_pending = false;
	if (loop->run->on_store != NULL)
		loop->run->on_store(loop->run->self, NULL);
	step_queue(loop);
}

static void arm(struct loop *loop)
{
	int64_t now = loop_now_ms(loop), next = TIME_NEVER, delay;

	if (loop->run != NULL && loop->is_commit_pending) {
		delay = loop->retry_delay_ms;
	} else {
		if (loop->source.next_ms != NULL)
			next = loop->source.next_ms(loop->source.self);
		if (loop->run != NULL) {
			int64_t deadline = engine_deadline(loop->turn.engine);

			next = deadline < next ? deadline : next;
		}
		hold_clock(loop, next);
		if (next == TIME_NEVER) {
			uv_timer_stop(&loop->timer);
			return;
		}
		/* Never 0: a deadline that stays in the past must not starve the other handles. */
		delay = next <= now ? 1 : (next - now + loop->speed - 1) / loop->speed;
	}
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->timer, on_timer, (uint64_t)delay, 0);
}

/* True when whatever is unfinished has not begun or waits for hosts that do not answer. */
static bool only_waits(const struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine_n_moves(engine); i++) {
		enum move_state state = engine_move(engine, i)->state;

		if (move_state_is_started(state) && state != MOVE_UNKNOWN)
			return false;
	}
	return true;
}

static bool may_leave(const struct loop *loop)
{
	const struct engine *engine = loop->turn.engine;

	if (!loop->is_stopped && !loop->ends_when_quiet)
		return false;
	if (engine_is_quiet(engine))
		return true;
	return loop->is_stopped && (int64_t)((uv_hrtime() - loop->stop_ns) / 1000000) >= UNKNOWN_PATIENCE_MS && only_waits(engine);
}

/* Called with nothing of the engine on the stack: what may end or begin now. */
static void after_turns(struct loop *loop)
{
	if (loop->run == NULL || loop->is_commit_pending)
		return;
	if (!loop->is_ready) {
		loop->is_ready = true;
		if (loop->run->on_ready != NULL)
			loop->run->on_ready(loop->run->self);
	}
	if (loop->stop_is_due && !loop->is_commit_pending) {
		struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_STOP}};

		loop->stop_is_due = false;
		step(loop, &event);
	}
	if (loop->is_commit_pending)
		return;
	if (engine_is_idle(loop->turn.engine) || may_leave(loop))
		uv_stop(&loop->uv);
}

static void process(struct loop *loop)
{
	if (loop->run != NULL && loop->is_commit_pending)
		retry(loop);
	if (!loop->is_commit_pending && loop->source.deliver != NULL)
		loop->source.deliver(loop->source.self, loop_now_ms(loop));
	if (loop->run != NULL && !loop->is_commit_pending && engine_deadline(loop->turn.engine) <= loop_now_ms(loop)) {
		struct event event = {.kind = EVENT_WAKE};

		step(loop, &event);
	}
	after_turns(loop);
	arm(loop);
}

bool loop_event(struct loop *loop, struct event *event, uint64_t *ret_batch, struct error *err)
{
	if (loop->is_commit_pending)
		return error_set(err, ERR_STATE_IO, "the state file cannot be written just now, nothing is started or changed");
	/* The world and the engine act at the same time. */
	if (loop->source.deliver != NULL)
		loop->source.deliver(loop->source.self, loop_now_ms(loop));
	if (loop->is_commit_pending)
		return error_set(err, ERR_STATE_IO, "the state file cannot be written just now, nothing is started or changed");
	step(loop, event);
	if (loop->actions.error.code != ERR_NONE) {
		if (err != NULL)
			*err = loop->actions.error;
		return false;
	}
	if (ret_batch != NULL)
		*ret_batch = loop->actions.batch;
	arm(loop);
	return true;
}

/* ---- the hypervisor's side ---- */

static void gather_reply(struct loop *loop, struct hv_reply *reply)
{
	struct gather *gather = loop->gather;
	uint32_t at = (uint32_t)(reply->tag & 0xffffff);

	if (gather == NULL || reply->tag >> 24 != gather->generation || at >= gather->n || gather->has_answered[at]) {
		hv_reply_clear(reply);
		return;
	}
	gather->has_answered[at] = true;
	gather->replies[at] = *reply;
	if (++gather->n_answered == gather->n)
		uv_stop(&loop->uv);
}

static void on_reply(void *self, struct hv_reply *reply)
{
	struct loop *loop = self;
	struct queued_reply *queued;

	if (loop->run == NULL) {
		gather_reply(loop, reply);
		return;
	}
	if (!loop->is_commit_pending) {
		step_reply(loop, reply);
		return;
	}
	queued = xcalloc(1, sizeof *queued);
	queued->reply = *reply;
	*loop->last = queued;
	loop->last = &queued->next;
}

static void on_note(void *self, const struct hv_note *note)
{
	struct loop *loop = self;
	struct event event = {.kind = EVENT_NOTE, .note = note};

	if (loop->run != NULL && !loop->is_commit_pending)
		step(loop, &event);
}

struct hv_listener loop_listener(struct loop *loop)
{
	return (struct hv_listener){.self = loop, .on_reply = on_reply, .on_note = on_note};
}

void loop_wake(void *arg)
{
	struct loop *loop = arg;

	uv_async_send(&loop->wake);
}

void loop_attach(struct loop *loop, struct hypervisor *hypervisor, const struct loop_source *source)
{
	loop->hypervisor = hypervisor;
	loop->source = *source;
}

/* ---- life ---- */

static void on_wake(uv_async_t *handle)
{
	process(handle->data);
}

static void on_timer(uv_timer_t *handle)
{
	process(handle->data);
}

static void on_tick(uv_timer_t *handle)
{
	struct loop *loop = handle->data;

	if (loop->run != NULL && loop->run->on_tick != NULL)
		loop->run->on_tick(loop->run->self);
	after_turns(loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct loop *loop = handle->data;

	(void)number;
	if (loop->is_stopped)
		return;
	loop->is_stopped = true;
	loop->stop_ns = uv_hrtime();
	if (loop->run == NULL) {
		uv_stop(&loop->uv);
		return;
	}
	loop->stop_is_due = true;
	if (loop->run->on_stop != NULL)
		loop->run->on_stop(loop->run->self);
	after_turns(loop);
	arm(loop);
}

/* A terminal that is gone stops nobody. */
static void on_hangup(uv_signal_t *handle, int number)
{
	struct loop *loop = handle->data;

	(void)number;
	if (loop->run != NULL && loop->run->on_hangup != NULL && !loop->is_stopped)
		loop->run->on_hangup(loop->run->self);
	after_turns(loop);
}

static void catch_signals(struct loop *loop)
{
	uv_signal_start(&loop->signals[0], on_signal, SIGINT);
	uv_signal_start(&loop->signals[1], on_signal, SIGTERM);
	uv_signal_start(&loop->signals[2], on_hangup, SIGHUP);
}

static void leave_signals(struct loop *loop)
{
	size_t i;

	for (i = 0; i < SIGNALS; i++)
		uv_signal_stop(&loop->signals[i]);
}

struct loop *loop_new(uint32_t speed, struct error *err)
{
	struct loop *loop = xcalloc(1, sizeof *loop);
	struct timespec now;
	size_t i;

	if (uv_loop_init(&loop->uv) != 0) {
		free(loop);
		error_set(err, ERR_LIMIT, "no event loop can be made: too many open files");
		return NULL;
	}
	uv_async_init(&loop->uv, &loop->wake, on_wake);
	uv_timer_init(&loop->uv, &loop->timer);
	uv_timer_init(&loop->uv, &loop->tick);
	for (i = 0; i < SIGNALS; i++) {
		uv_signal_init(&loop->uv, &loop->signals[i]);
		loop->signals[i].data = loop;
	}
	loop->wake.data = loop->timer.data = loop->tick.data = loop;
	loop->last = &loop->first;
	loop->speed = speed > 0 ? speed : 1;
	loop->clock_ns = uv_hrtime();
	loop->limit_ms = TIME_NEVER;
	clock_gettime(CLOCK_REALTIME, &now);
	loop->start_wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	return loop;
}

void loop_free(struct loop *loop)
{
	size_t i;

	if (loop == NULL)
		return;
	uv_close((uv_handle_t *)&loop->wake, NULL);
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_close((uv_handle_t *)&loop->tick, NULL);
	for (i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&loop->signals[i], NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_loop_close(&loop->uv);
	while (loop->first != NULL) {
		struct queued_reply *queued = loop->first;

		loop->first = queued->next;
		hv_reply_clear(&queued->reply);
		free(queued);
	}
	free(loop);
}

/* ---- gather ---- */

static void on_gather_over(uv_timer_t *handle)
{
	uv_stop(handle->loop);
}

static void gather_missing(struct gather *gather, const struct hv_request *requests, int64_t timeout_ms)
{
	size_t i;

	for (i = 0; i < gather->n; i++) {
		if (gather->has_answered[i])
			continue;
		gather->replies[i] = (struct hv_reply){.kind = requests[i].kind, .outcome_unknown = true};
		error_set(&gather->replies[i].error, ERR_TIMEOUT, "host %s did not answer %s within %lld s", requests[i].host,
			hv_kind_name(requests[i].kind), (long long)(timeout_ms / 1000));
	}
}

bool loop_gather(struct loop *loop, struct hv_request *requests, size_t n, int64_t timeout_ms,
	struct hv_reply *ret_replies, struct error *err)
{
	struct gather gather = {.replies = ret_replies, .n = n, .generation = ++loop->generation};
	size_t i;

	if (n == 0)
		return true;
	assert(loop->run == NULL && n < 1u << 24);
	gather.has_answered = xcalloc(n, sizeof *gather.has_answered);
	loop->gather = &gather;
	catch_signals(loop);
	uv_update_time(&loop->uv);
	uv_timer_start(&loop->tick, on_gather_over, (uint64_t)timeout_ms, 0);
	for (i = 0; i < n; i++) {
		requests[i].tag = (uint64_t)gather.generation << 24 | i;
		loop->hypervisor->submit(loop->hypervisor, &requests[i]);
	}
	/* The first delivery comes from the timer, with uv_run on the stack, so that uv_stop works. */
	uv_timer_start(&loop->timer, on_timer, 0, 0);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_timer_stop(&loop->tick);
	uv_timer_stop(&loop->timer);
	leave_signals(loop);
	loop->gather = NULL;
	gather_missing(&gather, requests, timeout_ms);
	free(gather.has_answered);
	if (loop->is_stopped)
		return error_set(err, ERR_CANCELLED, "interrupted; nothing was changed");
	return true;
}

/* ---- run ---- */

static void on_line(void *self, struct control_peer *peer, const char *line)
{
	struct loop *loop = self;
	char *answer = steer_line(loop, line);

	control_say(peer, answer);
	free(answer);
	after_turns(loop);
	arm(loop);
}

static void open_control(struct loop *loop)
{
	struct error err;

	if (loop->run->control_path == NULL)
		return;
	loop->control = control_listen(&loop->uv, loop->run->control_path, on_line, loop, &err);
	if (loop->control == NULL && loop->run->on_no_control != NULL)
		loop->run->on_no_control(loop->run->self, &err);
}

/* ---- counters of hosts ---- */

static bool takes_part(void *self, const char *host)
{
	const struct loop *loop = self;
	const struct engine *engine = loop->turn.engine;
	size_t i;

	for (i = 0; i < engine_n_moves(engine); i++) {
		const struct move_record *move = engine_move(engine, i);

		if (move_state_is_on_wire(move->state) && (strcmp(move->source, host) == 0 || strcmp(move->target, host) == 0))
			return true;
	}
	return false;
}

static void on_traffic(void *self, const struct hv_note *note)
{
	struct loop *loop = self;

	on_note(self, note);
	after_turns(loop);
	arm(loop);
}

static void on_no_traffic(void *self, const struct error *err)
{
	struct loop *loop = self;

	if (loop->run->on_no_traffic != NULL)
		loop->run->on_no_traffic(loop->run->self, err);
}

static void open_traffic(struct loop *loop)
{
	struct traffic_listener listener = {.self = loop, .is_wanted = takes_part, .on_note = on_traffic, .on_failure = on_no_traffic};

	if (loop->run->n_traffic > 0)
		loop->traffic = traffic_open(&loop->uv, loop->run->traffic, loop->run->n_traffic, &listener);
}

static bool finish_run(struct loop *loop, struct error *err)
{
	traffic_close(loop->traffic);
	loop->traffic = NULL;
	uv_timer_stop(&loop->tick);
	uv_timer_stop(&loop->timer);
	leave_signals(loop);
	control_close(loop->control);
	loop->control = NULL;
	loop->run = NULL;
	if (!loop->has_failed)
		return true;
	if (err != NULL)
		*err = loop->failure;
	error_wrap(err, "drover stops, nothing more is started");
	error_hint(err, "moves that run go on by themselves; correct the cause and run the same command again: it adopts them");
	return false;
}

bool loop_run(struct loop *loop, const struct loop_run *run, struct error *err)
{
	struct event restore = {.kind = EVENT_RESTORE, .restore = {.image = run->image, .requests = run->requests}};

	loop->run = run;
	loop->turn = (struct turn){.engine = run->engine, .store = run->store, .hypervisor = loop->hypervisor};
	catch_signals(loop);
	open_control(loop);
	open_traffic(loop);
	uv_update_time(&loop->uv);
	if (run->tick_ms > 0)
		uv_timer_start(&loop->tick, on_tick, run->tick_ms, run->tick_ms);
	step(loop, &restore);
	/* The first round comes from the timer, with uv_run on the stack, so that uv_stop works. */
	uv_timer_start(&loop->timer, on_timer, 0, 0);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	return finish_run(loop, err);
}
