/* What the operator says holds: over the death of drover, and whatever the moves are doing at that moment. */
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "trial_assert.h"

enum { RUN_MS = 3600000 };

static void new_life(struct trial *trial)
{
	trial_kill(trial);
	trial_restart(trial);
}

static size_t n_in_state(const struct trial *trial, enum move_state state)
{
	size_t i, n = 0;

	for (i = 0; i < engine_n_moves(trial->engine); i++)
		n += engine_move(trial->engine, i)->state == state;
	return n;
}

static void a_pause_outlives_drover(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 8, true), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");
	size_t waiting;

	(void)state;
	trial_run(trial, 5000);
	trial_command(trial, COMMAND_PAUSE, batch, NULL);
	new_life(trial);
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_PAUSED);
	waiting = n_in_state(trial, MOVE_WAITING);
	assert_true(waiting > 0);
	trial_run(trial, RUN_MS);
	assert_true(n_in_state(trial, MOVE_WAITING) >= waiting);
	assert_int_equal(trial_move(trial, "g8")->state, MOVE_WAITING);
	trial_command(trial, COMMAND_RESUME, batch, NULL);
	new_life(trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_not_equal(trial_where(trial, "g8"), "h1");
	trial_free(trial);
}

/* Killed right behind the cancel, whatever each of the moves is doing then. */
static void a_cancelled_batch_stays_cancelled_over_a_restart(void **state)
{
	int64_t at_ms;

	(void)state;
	for (at_ms = 0; at_ms < 9000; at_ms += 300) {
		struct trial *trial = trial_new(cluster_new(3, 4, true), NULL, NULL);
		uint64_t batch = trial_drain(trial, "h1");

		trial_run(trial, at_ms);
		trial_command(trial, COMMAND_CANCEL, batch, NULL);
		new_life(trial);
		assert_trial(trial_run(trial, RUN_MS), trial);
		assert_trial(trial_check_settled(trial), trial);
		assert_string_equal(trial_where(trial, "g4"), "h1");
		trial_free(trial);
	}
}

static void a_cancelled_guest_stays_and_the_others_go(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 4, true), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");

	(void)state;
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	trial_command(trial, COMMAND_CANCEL, batch, "g1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_CANCELLED);
	assert_int_equal(n_in_state(trial, MOVE_DONE), 3);
	trial_free(trial);
}

static void a_cancel_that_comes_too_late_lets_the_move_end(void **state)
{
	struct trial *trial = trial_new(cluster_new(2, 1, false), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");

	(void)state;
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_CONFIRM, RUN_MS), trial);
	trial_command(trial, COMMAND_CANCEL, batch, NULL);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_equal(trial_where(trial, "g1"), "h2");
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	trial_free(trial);
}

static void a_batch_cancelled_while_paused_ends(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 6, true), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");

	(void)state;
	trial_run(trial, 3000);
	trial_command(trial, COMMAND_PAUSE, batch, NULL);
	trial_command(trial, COMMAND_CANCEL, batch, NULL);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

static void a_cordon_outlives_drover(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 4, false), NULL, NULL);

	(void)state;
	trial_cordon(trial, "h2", true);
	new_life(trial);
	assert_true(engine_inventory(trial->engine)->hosts[1].cordoned);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_string_equal(trial_where(trial, "g1"), "h3");
	trial_cordon(trial, "h2", false);
	new_life(trial);
	assert_false(engine_inventory(trial->engine)->hosts[1].cordoned);
	trial_free(trial);
}

static void a_stopping_drover_starts_nothing_and_the_next_goes_on(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 8, true), NULL, NULL);

	(void)state;
	trial_drain(trial, "h1");
	trial_run(trial, 5000);
	trial_command(trial, COMMAND_STOP, 0, NULL);
	trial_run(trial, RUN_MS);
	assert_true(engine_is_quiet(trial->engine));
	assert_true(n_in_state(trial, MOVE_WAITING) > 0);
	assert_int_equal(n_in_state(trial, MOVE_UNKNOWN), 0);
	new_life(trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

/* A guest that was handed over paused waits for us: its blackout is as long as we are away, and not longer. */
static void a_handed_over_guest_is_resumed_soon_after_a_restart(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.paused_handover = true;
	trial = trial_new(cluster_new(2, 1, false), NULL, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	new_life(trial); /* adopts: nobody hears the migration's end */
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_true(sim_guest_blackout_ms(trial->sim, 0) < 1500);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pause_outlives_drover),
		cmocka_unit_test(a_cancelled_batch_stays_cancelled_over_a_restart),
		cmocka_unit_test(a_cancelled_guest_stays_and_the_others_go),
		cmocka_unit_test(a_cancel_that_comes_too_late_lets_the_move_end),
		cmocka_unit_test(a_batch_cancelled_while_paused_ends),
		cmocka_unit_test(a_cordon_outlives_drover),
		cmocka_unit_test(a_stopping_drover_starts_nothing_and_the_next_goes_on),
		cmocka_unit_test(a_handed_over_guest_is_resumed_soon_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
