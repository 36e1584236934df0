/* What the engine does with a world that behaves, and with one that does not. */
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "store_fault.h"
#include "trial_assert.h"
#include "xalloc.h"

static void a_drain_empties_the_host(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 6, true), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");
	int i;

	(void)state;
	assert_trial(batch == 1, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	for (i = 1; i <= 6; i++) {
		char name[16];

		snprintf(name, sizeof name, "g%d", i);
		assert_non_null(trial_where(trial, name));
		assert_string_not_equal(trial_where(trial, name), "h1");
		assert_int_equal(trial_move(trial, name)->state, MOVE_DONE);
	}
	assert_trial(trial_check_settled(trial), trial);
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_DONE);
	assert_true(engine_inventory(trial->engine)->hosts[0].cordoned);
	trial_free(trial);
}

static void a_configured_maximum_is_never_exceeded(void **state)
{
	struct engine_options options;
	struct trial *trial;
	struct sim_counters counters;

	(void)state;
	engine_options_init(&options);
	options.max_migrations = 2;
	trial = trial_new(cluster_new(4, 12, false), NULL, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, 3600000), trial);
	sim_counters(trial->sim, &counters);
	assert_int_equal(counters.moves_done, 12);
	assert_true(counters.max_in_flight <= 2);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

/* Killed at every millisecond grid point of an undisturbed run: each life adopts and ends it. */
static void a_killed_manager_is_continued(void **state)
{
	int64_t kill_ms;

	(void)state;
	for (kill_ms = 50; kill_ms < 40000; kill_ms += 1700) {
		struct trial *trial = trial_new(cluster_new(3, 5, true), NULL, NULL);

		trial_drain(trial, "h1");
		trial_run(trial, kill_ms);
		trial_kill(trial);
		trial_restart(trial);
		assert_trial(trial_run(trial, 3600000), trial);
		assert_trial(trial_check_settled(trial), trial);
		assert_int_equal(engine_n_moves(trial->engine) > 0 ? engine_batch(trial->engine, 0)->state : BATCH_DONE,
			BATCH_DONE);
		assert_string_not_equal(trial_where(trial, "g1"), "h1");
		trial_free(trial);
	}
}

static void a_failed_commit_sends_nothing(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 3, true), NULL, NULL);
	struct sim_counters counters;

	(void)state;
	store_fault_fail(trial->store, 1, 1000, STORE_FAULT_FULL);
	trial_drain(trial, "h1");
	assert_true(trial->is_dead);
	sim_advance(trial->sim, 10000);
	sim_counters(trial->sim, &counters);
	assert_int_equal(counters.requests[HV_PREFLIGHT], 0);
	assert_int_equal(counters.requests[HV_MIGRATE], 0);
	trial_free(trial);
}

static void a_cancelled_batch_leaves_guests_where_they_run_and_nothing_behind(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 6, true), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");

	(void)state;
	trial_run(trial, 6000);
	trial_command(trial, COMMAND_CANCEL, batch, NULL);
	assert_trial(trial_run(trial, 3600000), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_int_equal(trial_move(trial, "g6")->state, MOVE_CANCELLED);
	assert_string_equal(trial_where(trial, "g6"), "h1");
	trial_free(trial);
}

static void a_paused_batch_starts_nothing_until_resumed(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 6, false), NULL, NULL);
	uint64_t batch = trial_drain(trial, "h1");
	struct sim_counters before, after;

	(void)state;
	trial_run(trial, 2000);
	trial_command(trial, COMMAND_PAUSE, batch, NULL);
	sim_counters(trial->sim, &before);
	trial_run(trial, 600000);
	sim_counters(trial->sim, &after);
	assert_true(after.moves_started <= before.moves_started + 3);
	assert_false(engine_is_idle(trial->engine));
	trial_command(trial, COMMAND_RESUME, batch, NULL);
	assert_trial(trial_run(trial, 3600000), trial);
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_DONE);
	trial_free(trial);
}

static void a_failed_migration_is_tried_again_and_leaves_no_volume(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 2, true), NULL, NULL);
	struct sim_fault fault = {.kind = SIM_FAULT_MIGRATION_ERROR, .at_phase = SIM_PHASE_MEMORY, .guest = "g1",
		.error = ERR_MIGRATE_FAILED};

	(void)state;
	sim_fault(trial->sim, &fault);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, 3600000), trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	assert_trial(trial_move(trial, "g1")->attempts == 2, trial);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

/* Both leave by one link, and the one that comes first in the plan may not start before an hour is over. */
static void one_that_may_not_start_yet_holds_nobody_behind_it(void **state)
{
	struct trial *trial = trial_new(cluster_new(2, 3, true), NULL, NULL);
	struct request *request = request_new(REQUEST_MOVE);
	struct wanted_move *first = request_add_move(request, "g1");

	(void)state;
	first->to = xstrdup("h2");
	first->priority = 9;
	first->not_before_wall_ms = INT64_MAX / 2;
	request_add_move(request, "g2")->to = xstrdup("h2");
	request_add_move(request, "g3")->to = xstrdup("h2");
	assert_trial(trial_start(trial, request) != 0, trial);
	assert_true(trial_move(trial, "g1")->order < trial_move(trial, "g2")->order);
	assert_trial(trial_run_until(trial, "g3", MOVE_DONE, 600000), trial);
	assert_trial(trial_run_until(trial, "g2", MOVE_DONE, 600000), trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_WAITING);
	trial_free(trial);
}

/* What it had begun is unknown, fills its link, and stays so until it is back. */
static void what_has_not_begun_on_a_host_that_died_fails_in_time_with_the_reason(void **state)
{
	struct sim_fault fault = {.kind = SIM_FAULT_HOST_DIES, .host = "h1", .duration_ms = 7200000};
	struct trial *trial = trial_new(cluster_new(2, 8, true), NULL, NULL);
	size_t i, n_failed = 0, n_waiting = 0;

	(void)state;
	trial_drain(trial, "h1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, 3600000), trial);
	sim_fault(trial->sim, &fault);
	trial_run(trial, 3 * trial->options.host_down_ms);
	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		n_waiting += engine_move(trial->engine, i)->state == MOVE_WAITING;
		n_failed += engine_move(trial->engine, i)->state == MOVE_FAILED && engine_move(trial->engine, i)->error.code == ERR_HOST_UNREACHABLE;
	}
	assert_int_equal(n_waiting, 0);
	assert_true(n_failed >= 4);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_empties_the_host),
		cmocka_unit_test(a_configured_maximum_is_never_exceeded),
		cmocka_unit_test(a_killed_manager_is_continued),
		cmocka_unit_test(a_failed_commit_sends_nothing),
		cmocka_unit_test(a_cancelled_batch_leaves_guests_where_they_run_and_nothing_behind),
		cmocka_unit_test(a_paused_batch_starts_nothing_until_resumed),
		cmocka_unit_test(a_failed_migration_is_tried_again_and_leaves_no_volume),
		cmocka_unit_test(one_that_may_not_start_yet_holds_nobody_behind_it),
		cmocka_unit_test(what_has_not_begun_on_a_host_that_died_fails_in_time_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
