/* simulate: the engine of a real run against the simulated world, in virtual time.
 *
 * Time jumps from event to event; the same inventory and seed give the same run to the byte. Bounds keep a mistake in
 * engine or world from running for ever: so many turns, so much virtual time. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "output.h"
#include "say.h"
#include "show.h"
#include "sim.h"
#include "store_memory.h"
#include "turn.h"
#include "want.h"
#include "xalloc.h"

static const int64_t start_wall_ms = 946684800000; /* 2000-01-01, as the clock of every simulated run */
static const int64_t time_max_ms = (int64_t)100 * 24 * 3600 * 1000;
static const uint64_t turns_max = 100000000;

struct simulation {
	struct sim *sim;
	struct turn turn;
	struct actions actions;
	uint64_t turns;
	struct error failure;
};

static void step(struct simulation *simulation, struct event *event)
{
	if (simulation->failure.code != ERR_NONE)
		return;
	event->now_ms = sim_now_ms(simulation->sim);
	event->wall_ms = start_wall_ms + event->now_ms;
	simulation->turns++;
	turn_run(&simulation->turn, event, &simulation->actions, &simulation->failure);
}

static void on_reply(void *self, struct hv_reply *reply)
{
	struct event event = {.kind = EVENT_REPLY, .reply = reply};

	step(self, &event);
	hv_reply_clear(reply);
}

static void on_note(void *self, const struct hv_note *note)
{
	struct event event = {.kind = EVENT_NOTE, .note = note};

	step(self, &event);
}

static bool drive(struct simulation *simulation, struct error *err)
{
	struct engine *engine = simulation->turn.engine;

	while (!engine_is_idle(engine) && simulation->failure.code == ERR_NONE) {
		int64_t now = sim_now_ms(simulation->sim), world = sim_next_ms(simulation->sim);
		int64_t next = engine_deadline(engine) < world ? engine_deadline(engine) : world;

		if (next == TIME_NEVER)
			return error_set(err, ERR_INTERNAL, "the simulated run stands still at %lld ms with moves unfinished", (long long)now);
		if (next > time_max_ms || simulation->turns > turns_max)
			return error_set(err, ERR_LIMIT, "the simulated run has not ended after %lld s and %llu events",
				(long long)(now / 1000), (unsigned long long)simulation->turns);
		sim_advance(simulation->sim, next > now ? next : now);
		if (engine_deadline(engine) <= sim_now_ms(simulation->sim)) {
			struct event wake = {.kind = EVENT_WAKE};

			step(simulation, &wake);
		}
	}
	if (simulation->failure.code != ERR_NONE && err != NULL)
		*err = simulation->failure;
	return simulation->failure.code == ERR_NONE;
}

static bool start(struct simulation *simulation, const struct want *want, const struct plan *plan, struct error *err)
{
	struct store_image image = {0};
	struct event restore = {.kind = EVENT_RESTORE, .restore = {.image = &image}};
	struct event begin = {.kind = EVENT_START, .start = {.request = want->request, .plan = plan, .title = want->title, .who = "simulation"}};

	memset(image.run, '0', sizeof image.run - 1);
	step(simulation, &restore);
	step(simulation, &begin);
	if (simulation->actions.error.code != ERR_NONE && err != NULL)
		*err = simulation->actions.error;
	return simulation->actions.error.code == ERR_NONE;
}

static int report(const struct args *args, const struct engine *engine, int64_t wall_ms)
{
	const struct batch_record *batch = engine_batch(engine, 0);
	const struct move_record **moves = xcalloc(engine_n_moves(engine) + 1, sizeof *moves);
	size_t i;
	int result;

	for (i = 0; i < engine_n_moves(engine); i++)
		moves[i] = engine_move(engine, i);
	show_report(args, batch, moves, engine_n_moves(engine), wall_ms);
	result = show_exit_code(batch, moves, engine_n_moves(engine));
	free(moves);
	return result;
}

static int simulate(struct site *site, const struct want *want, const struct plan *plan)
{
	struct engine_options engine_options = site_engine_options(site);
	struct simulation simulation = {0};
	struct hv_listener listener = {.self = &simulation, .on_reply = on_reply, .on_note = on_note};
	struct sim_options sim_options;
	struct error err;
	int result;

	sim_options_init(&sim_options);
	sim_options.seed = site->args->seed;
	simulation.sim = sim_new(site->inventory, &sim_options);
	sim_set_listener(simulation.sim, &listener);
	simulation.turn = (struct turn){
		.engine = engine_new(site->inventory, &engine_options),
		.store = store_memory_new("00000000-0000-0000-0000-000000000000"),
		.hypervisor = sim_hypervisor(simulation.sim),
	};
	if (start(&simulation, want, plan, &err) && drive(&simulation, &err))
		result = report(site->args, simulation.turn.engine, start_wall_ms + sim_now_ms(simulation.sim));
	else
		result = say_error(&err);
	engine_free(simulation.turn.engine);
	simulation.turn.store->close(simulation.turn.store);
	sim_free(simulation.sim);
	return result;
}

int cmd_simulate(const struct args *args)
{
	struct plan *plan = NULL;
	struct want want = {0};
	struct site site = {0};
	struct error err;
	int result = EXIT_DONE;

	if (!want_check(args, args->words, args->n_words, &err))
		return say_error(&err);
	result = site_open(&site, args, SITE_STORE_MAY | SITE_INVENTORY);
	if (result == EXIT_DONE)
		result = want_read(&want, &site, args->words, args->n_words);
	if (result == EXIT_DONE)
		result = want_plan(&want, &site, &plan);
	if (result == EXIT_DONE && plan->n_moves == 0 && plan->n_blocked > 0) {
		show_plan(args, plan, site.inventory, want.request);
		result = EXIT_REFUSED;
	} else if (result == EXIT_DONE) {
		result = simulate(&site, &want, plan);
	}
	plan_free(plan);
	want_clear(&want);
	site_close(&site);
	return result;
}
