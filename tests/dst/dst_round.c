/* One seed: a time in which things go wrong, then everything heals, and every batch must end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dst.h"
#include "store_fault.h"

enum {
	FAULTS_LONGEST_MS = 900000,
	HEAL_MS = 36 * 3600000,   /* within this every batch has ended once nothing goes wrong any more */
	SETTLE_MS = 300000,       /* for what libvirt and strangers still have under way */
};

static bool is_over(const struct trial *trial)
{
	return trial->engine != NULL && !trial->is_dead && engine_is_idle(trial->engine);
}

static void advance_world(struct trial *trial, int64_t until_ms)
{
	while (!trial->is_failed && trial_step(trial, until_ms))
		;
	if (!trial->is_failed && trial->now_ms < until_ms) {
		trial->now_ms = until_ms;
		sim_advance(trial->sim, until_ms);
	}
}

static void with_faults(struct trial *trial, struct chaos *chaos, int64_t until_ms)
{
	while (!trial->is_failed && trial->now_ms < until_ms) {
		bool has_stepped;

		if (is_over(trial) && !chaos_start_batch(chaos))
			break;
		has_stepped = trial_step(trial, until_ms);
		/* Nothing more happens within this time, but perhaps the manager's next life. */
		if (!has_stepped && ((trial->engine != NULL && !trial->is_dead) || chaos->restart_ms > until_ms))
			break;
		chaos_act(chaos);
	}
}

static void heal(struct trial *trial)
{
	sim_heal_all(trial->sim);
	store_fault_fail(trial->store, 1, 0, STORE_FAULT_IO);
	trial->watch.crash_at = 0;
	if (trial->engine != NULL)
		trial_kill(trial); /* an engine that was told to stop, or has died, needs a new life; the others bear it */
	trial_restart(trial);
	trial_command(trial, COMMAND_RESUME, 0, NULL);
}

static void must_end(struct trial *trial)
{
	if (trial_run(trial, HEAL_MS) || trial->is_failed)
		return;
	trial->is_failed = true;
	error_set(&trial->error, ERR_INTERNAL, "at %lld ms: healed, and still not at an end", (long long)trial->now_ms);
}

/* A link that several moves share may be too slow for it, which is no mistake of the engine. */
static bool writes_fast(const struct trial *trial, const char *guest)
{
	uint32_t index = inventory_guest(trial->inventory, guest, NULL);

	return trial->inventory->guests[index].dirty_rate_bytes_per_s > 4000000;
}

static bool is_planned_end(struct trial *trial)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);

		if (move->error.code == ERR_TARGET_VOLUME_EXISTS && trial->options.keep_source_disks)
			continue; /* kept from an earlier move the other way */
		if (writes_fast(trial, move->guest) && trial_audited(trial, "are left to copy; it writes") > 0)
			continue;
		if (move->state == MOVE_FAILED && move->attempts > 0)
			return error_set(&trial->error, ERR_INTERNAL, "guest %s: nothing went wrong, and yet: %s", move->guest, move->error.message);
		if (move->state == MOVE_DONE && move->attempts != 1)
			return error_set(&trial->error, ERR_INTERNAL, "guest %s: nothing went wrong, and it took %u attempts", move->guest, move->attempts);
	}
	return true;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t digest_of(struct trial *trial)
{
	struct audit_record *rows = NULL;
	uint64_t hash = sim_digest(trial->sim) ^ trial->n_events;
	size_t n = 0, i;

	if (trial->store->audit(trial->store, 0, &rows, &n, NULL))
		for (i = 0; i < n; i++)
			hash = mix_text(hash ^ (uint64_t)rows[i].wall_ms, rows[i].text);
	free(rows);
	return hash;
}

static void play(struct trial *trial, struct world *world, struct dice *dice)
{
	struct chaos chaos;

	chaos_draw(&chaos, trial, dice, world->is_calm);
	chaos.n_circle = world->n_circle;
	chaos_begin(&chaos);
	with_faults(trial, &chaos, world->is_calm ? HEAL_MS : dice_between(dice, 10000, FAULTS_LONGEST_MS));
	if (trial->is_failed)
		return;
	if (world->is_calm) {
		must_end(trial);
		if (!trial->is_failed && !is_planned_end(trial))
			trial->is_failed = true;
	} else {
		heal(trial);
		must_end(trial);
	}
	if (!trial->is_failed)
		advance_world(trial, trial->now_ms + SETTLE_MS);
	if (!trial->is_failed)
		trial_check_settled(trial);
}

void round_run(uint64_t seed, bool is_verbose, bool dump, uint64_t *counts, struct round *ret_round)
{
	struct dice dice = {.state = seed * UINT64_C(0x2545f4914f6cdd1d)};
	struct world world;
	struct trial *trial;

	world_draw(&world, &dice);
	trial = trial_new_on(world.store, world.inventory, &world.sim, &world.engine);
	trial->store_retries = world.store_retries;
	play(trial, &world, &dice);
	*ret_round = (struct round){
		.digest = digest_of(trial),
		.n_events = trial->n_events,
		.n_restarts = trial->n_restarts,
		.virtual_ms = trial->now_ms,
	};
	if (trial->is_failed)
		ret_round->error = trial->error;
	if (is_verbose || (trial->is_failed && dump))
		trial_dump(trial);
	if (counts != NULL)
		marks_collect(trial, counts);
	trial_free(trial);
}
