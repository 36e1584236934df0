/* A foreground run: restore, start or steer, follow, report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "run.h"
#include "say.h"
#include "show.h"
#include "status.h"
#include "xalloc.h"

enum { TICK_MS = 400 };

struct run {
	struct site *site;
	const struct run_wish *wish;
	struct loop *loop;
	struct progress *progress;
	uint64_t batch; /* that is reported */
	bool is_refused;
	int64_t start_ms;
};

static const struct batch_record *find_batch(const struct engine *engine, uint64_t id)
{
	size_t i;

	for (i = 0; i < engine_n_batches(engine); i++)
		if (engine_batch(engine, i)->id == id)
			return engine_batch(engine, i);
	return NULL;
}

static void on_ready(void *self)
{
	struct run *run = self;
	struct event event = {0};
	struct error err;
	char *json;
	bool is_good;

	if (run->wish->ends_when_quiet)
		loop_end_when_quiet(run->loop);
	if (run->wish->has_command) {
		event.kind = EVENT_COMMAND;
		event.command.kind = run->wish->command;
		event.command.batch = run->batch;
		event.command.guest = run->wish->guest;
		event.command.who = site_who();
		is_good = loop_event(run->loop, &event, NULL, &err);
	} else if (run->wish->request != NULL) {
		json = request_json(run->wish->request);
		event.kind = EVENT_START;
		event.start.request = run->wish->request;
		event.start.plan = run->wish->plan;
		event.start.title = run->wish->title;
		event.start.who = site_who();
		event.start.request_json = json;
		is_good = loop_event(run->loop, &event, &run->batch, &err);
		free(json);
	} else {
		return;
	}
	if (is_good)
		return;
	run->is_refused = true;
	progress_clear(run->progress);
	say_error(&err);
	loop_end_when_quiet(run->loop);
}

/* The batch of this run has ended, and those that are left wait for a resume: nobody would ever end this run. */
static bool is_left_with_paused(const struct run *run, const struct engine *engine)
{
	const struct batch_record *batch = find_batch(engine, run->batch);
	size_t i;

	if (batch == NULL || !batch_state_is_end(batch->state))
		return false;
	for (i = 0; i < engine_n_batches(engine); i++) {
		enum batch_state state = engine_batch(engine, i)->state;

		if (!batch_state_is_end(state) && state != BATCH_PAUSED)
			return false;
	}
	return true;
}

static void on_tick(void *self)
{
	struct run *run = self;
	json_t *document = status_of_engine(loop_engine(run->loop), loop_wall_ms(run->loop), false);

	if (is_left_with_paused(run, loop_engine(run->loop)))
		loop_end_when_quiet(run->loop);
	progress_show(run->progress, document, loop_now_ms(run->loop) - run->start_ms);
	json_decref(document);
}

static void on_stop(void *self)
{
	struct run *run = self;

	progress_clear(run->progress);
	say_note("Stopping: no further move starts; the running ones end first. (A second Ctrl-C changes nothing.)");
}

/* What the engine takes of the configuration holds from now on; hosts, networks and batches are those of the start. */
static void on_hangup(void *self)
{
	struct run *run = self;
	struct problems problems = {0};
	struct config *config = config_load(run->site->args->config, &problems);
	struct event event = {.kind = EVENT_COMMAND};
	struct error err;

	progress_clear(run->progress);
	event.command.kind = COMMAND_RELOAD;
	event.command.who = site_who();
	event.command.options = config != NULL ? &config->engine : NULL;
	if (config == NULL) {
		say_problems(&problems);
		say_note("The configuration that was read before stays in force.");
	} else if (loop_event(run->loop, &event, NULL, &err)) {
		say_note("The configuration was read again: its limits hold from now on. (Other hosts or networks: at the next start.)");
	} else {
		say_error(&err);
	}
	problems_clear(&problems);
	config_free(config);
}

static void on_store(void *self, const struct error *err)
{
	struct run *run = self;

	progress_clear(run->progress);
	if (err != NULL)
		say_warning("%s; nothing is sent until it can be written again, trying", err->message);
	else
		say_note("The state file can be written again, going on.");
}

static void on_no_control(void *self, const struct error *err)
{
	(void)self;
	say_warning("%s; status and cancel from another terminal will not reach this run", err->message);
}

static void on_no_traffic(void *self, const struct error *err)
{
	struct run *run = self;

	progress_clear(run->progress);
	say_warning("%s", err->message);
}

/* Borrowed from the configuration. */
static struct traffic_command *traffic_commands(const struct config *config, size_t *ret_n)
{
	struct traffic_command *commands = xcalloc(config->n_hosts + 1, sizeof *commands);
	size_t i;

	*ret_n = 0;
	for (i = 0; i < config->n_hosts; i++)
		if (config->hosts[i].traffic_command != NULL)
			commands[(*ret_n)++] = (struct traffic_command){config->hosts[i].name, config->hosts[i].traffic_command};
	return commands;
}

static int report(const struct run *run, const struct engine *engine, int64_t wall_ms)
{
	const struct batch_record *batch = find_batch(engine, run->batch);
	const struct move_record **moves = xcalloc(engine_n_moves(engine) + 1, sizeof *moves);
	size_t i, n = 0;
	int result = EXIT_DONE;

	for (i = 0; batch != NULL && i < engine_n_moves(engine); i++)
		if (engine_move(engine, i)->batch == batch->id)
			moves[n++] = engine_move(engine, i);
	if (batch != NULL) {
		show_report(run->site->args, batch, moves, n, wall_ms);
		result = show_exit_code(batch, moves, n);
	}
	free(moves);
	return result;
}

static size_t n_unfinished(const struct engine *engine)
{
	size_t i, n = 0;

	for (i = 0; i < engine_n_batches(engine); i++)
		n += !batch_state_is_end(engine_batch(engine, i)->state);
	return n;
}

static int finish(const struct run *run, const struct engine *engine, bool is_good, const struct error *err)
{
	const struct batch_record *batch;
	int result;

	if (!is_good)
		return say_error(err);
	result = report(run, engine, loop_wall_ms(run->loop));
	if (run->is_refused)
		return EXIT_REFUSED;
	batch = find_batch(engine, run->batch);
	if (n_unfinished(engine) == 0 || (batch != NULL && batch_state_is_end(batch->state) && !loop_is_stopped(run->loop)))
		return result;
	if (loop_is_stopped(run->loop) && batch != NULL) {
		say_note("Stopped. To go on: drover %s   To give it up: drover cancel %llu",
			run->wish->title != NULL ? run->wish->title : batch->title, (unsigned long long)batch->id);
		return EXIT_DETACHED;
	}
	if (batch != NULL && batch->state == BATCH_PAUSED) {
		say_note("Paused. To go on: drover resume %llu   To give it up: drover cancel %llu", (unsigned long long)batch->id,
			(unsigned long long)batch->id);
		return run->wish->has_command ? (int)EXIT_DONE : (int)EXIT_SOME_LEFT;
	}
	return loop_is_stopped(run->loop) ? (int)EXIT_DETACHED : (int)EXIT_DONE;
}

static struct request **parse_requests(const struct store_image *image)
{
	struct request **requests = xcalloc(image->n_batches + 1, sizeof *requests);
	struct error err;
	size_t i;

	for (i = 0; i < image->n_batches; i++) {
		if (image->batches[i].request_json == NULL || batch_state_is_end(image->batches[i].state))
			continue;
		requests[i] = request_parse(image->batches[i].request_json, &err);
		if (requests[i] == NULL)
			say_warning("batch %llu: its request cannot be read any more: %s", (unsigned long long)image->batches[i].id,
				err.message);
	}
	return requests;
}

int run_engine(struct site *site, const struct run_wish *wish)
{
	struct engine_options engine_options = site_engine_options(site);
	struct run run = {.site = site, .wish = wish, .loop = world_loop(site->world), .batch = wish->batch};
	struct request **requests = parse_requests(site->image);
	struct engine *engine = engine_new(site->inventory, &engine_options);
	struct loop_run loop_options = {
		.engine = engine,
		.store = site->store,
		.image = site->image,
		.requests = requests,
		.control_path = site->socket,
		.tick_ms = TICK_MS,
		.self = &run,
		.on_ready = on_ready,
		.on_tick = on_tick,
		.on_stop = on_stop,
		.on_hangup = on_hangup,
		.on_store = on_store,
		.on_no_control = on_no_control,
		.on_no_traffic = on_no_traffic,
	};
	struct traffic_command *traffic = traffic_commands(site->config, &loop_options.n_traffic);
	struct error err;
	bool is_good;
	size_t i;
	int result;

	loop_options.traffic = traffic;
	run.progress = progress_new(site->args);
	run.start_ms = loop_now_ms(run.loop);
	is_good = loop_run(run.loop, &loop_options, &err);
	if (is_good && engine_n_batches(engine) > 0 && !say_may_draw(site->args, 2)) {
		json_t *document = status_of_engine(engine, loop_wall_ms(run.loop), false);

		progress_show(run.progress, document, loop_now_ms(run.loop) - run.start_ms);
		json_decref(document);
	}
	progress_free(run.progress);
	result = finish(&run, engine, is_good, &err);
	for (i = 0; i < site->image->n_batches; i++)
		request_free(requests[i]);
	free(requests);
	free(traffic);
	engine_free(engine);
	return result;
}
