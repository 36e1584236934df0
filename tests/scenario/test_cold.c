/* Guests that cannot move live: shut down and started again, or carried over shut off. Wherever it is disturbed, the guest runs in
 * one place in the end, from its newest disks, and starts with its host there as it did before. */
#include <string.h>

#include "cluster.h"
#include "trial_assert.h"
#include "xalloc.h"

enum { RUN_MS = 3600000, MINUTE_MS = 60000 };

/* g1 has a shared folder, starts with its host and has a disk; g2 goes live. */
static struct trial *begin(void)
{
	struct inventory *inventory = cluster_new(3, 2, true);

	inventory->guests[0].autostart = true;
	error_set(error_own(&inventory->guests[0].unmovable), ERR_GUEST_DEVICE, "guest g1 has a shared folder");
	return trial_new(inventory, NULL, NULL);
}

static void drain(struct trial *trial, enum cannot_move cannot_move)
{
	struct request *request = request_new(REQUEST_DRAIN);

	request->cannot_move = cannot_move;
	strings_add(&request->hosts, &request->n_hosts, "h1");
	assert_trial(trial_start(trial, request) != 0, trial);
}

/* What is still under way anywhere comes to its end. */
static void settle(struct trial *trial)
{
	int64_t until_ms;

	assert_trial(trial_run(trial, RUN_MS), trial);
	until_ms = trial->now_ms + 5 * MINUTE_MS;
	while (trial_step(trial, until_ms))
		;
	assert_trial(trial_check_settled(trial), trial);
}

static void kill_host(struct trial *trial, const char *host, int64_t for_ms)
{
	struct sim_fault fault = {.kind = SIM_FAULT_HOST_DIES, .host = host, .duration_ms = for_ms};

	sim_fault(trial->sim, &fault);
}

static bool starts_with_its_host(const struct trial *trial, uint32_t guest)
{
	struct inventory *now = sim_inventory(trial->sim);
	bool starts = now->guests[guest].autostart;

	inventory_free(now);
	return starts;
}

static void a_guest_moved_cold_runs_there_and_starts_with_its_host(void **state)
{
	struct trial *trial = begin();

	(void)state;
	drain(trial, CANNOT_MOVE_COLD);
	settle(trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	assert_int_equal(trial_move(trial, "g1")->method, METHOD_COLD);
	assert_string_equal(trial_where(trial, "g1"), trial_move(trial, "g1")->target);
	assert_true(starts_with_its_host(trial, 0));
	trial_free(trial);
}

static void a_guest_that_was_shut_down_runs_again_with_the_return(void **state)
{
	struct trial *trial = begin();
	struct request *request = request_new(REQUEST_RETURN);

	(void)state;
	drain(trial, CANNOT_MOVE_SHUTDOWN);
	settle(trial);
	assert_null(trial_where(trial, "g1"));
	strings_add(&request->hosts, &request->n_hosts, "h1");
	request_add_move(request, "g1")->to = xstrdup("h1");
	request->moves[0].is_start = true;
	assert_trial(trial_start(trial, request) != 0, trial);
	settle(trial);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	trial_free(trial);
}

/* Its source has lost its power and boots in each state of a cold move: what is being carried over must not start there besides. */
static void a_source_that_boots_amid_a_cold_move_does_not_start_the_guest_besides(void **state)
{
	static const enum move_state states[] = {MOVE_PREPARING, MOVE_COPYING_DISKS, MOVE_VERIFYING, MOVE_CLEANUP};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct trial *trial = begin();

		drain(trial, CANNOT_MOVE_COLD);
		assert_trial(trial_run_until(trial, "g1", states[i], RUN_MS), trial);
		kill_host(trial, "h1", 5000);
		settle(trial);
		assert_non_null(trial_where(trial, "g1"));
		trial_free(trial);
	}
}

static void a_target_that_dies_amid_a_cold_move_costs_an_attempt_and_no_guest(void **state)
{
	static const enum move_state states[] = {MOVE_PREPARING, MOVE_COPYING_DISKS, MOVE_VERIFYING, MOVE_CLEANUP};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof states / sizeof states[0]; i++) {
		struct trial *trial = begin();

		drain(trial, CANNOT_MOVE_COLD);
		assert_trial(trial_run_until(trial, "g1", states[i], RUN_MS), trial);
		kill_host(trial, trial_move(trial, "g1")->target, 5000);
		settle(trial);
		assert_trial(states[i] == MOVE_CLEANUP || trial_where(trial, "g1") != NULL, trial);
		trial_free(trial);
	}
}

static void refuse_starts(struct trial *trial, int n)
{
	struct sim_fault refused = {.kind = SIM_FAULT_REQUEST_ERROR, .request = HV_START, .guest = "g1", .error = ERR_VERIFY_FAILED};

	while (n-- > 0)
		sim_fault(trial->sim, &refused);
}

static void a_guest_that_cannot_be_started_there_goes_back_and_runs(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	trial = begin();
	options = trial->options;
	options.attempts_max = 1;
	trial_reload(trial, &options);
	refuse_starts(trial, 3);
	drain(trial, CANNOT_MOVE_COLD);
	settle(trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_FAILED);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	assert_true(starts_with_its_host(trial, 0));
	trial_free(trial);
}

/* It ran on its target, which lost its power before the answer came: what it wrote there is newer than what its source has. */
static struct trial *ran_unheard(void)
{
	struct trial *trial = begin();
	int64_t until_ms = RUN_MS;

	drain(trial, CANNOT_MOVE_COLD);
	assert_trial(trial_run_until(trial, "g1", MOVE_VERIFYING, RUN_MS), trial);
	while (sim_guest_runs_on(trial->sim, 0) == INDEX_NONE && trial_step(trial, until_ms))
		;
	assert_string_not_equal(trial_where(trial, "g1"), "h1");
	kill_host(trial, trial_where(trial, "g1"), 2000);
	return trial;
}

static void a_guest_that_may_have_run_there_is_started_there_again_and_never_goes_back(void **state)
{
	struct trial *trial = ran_unheard();

	(void)state;
	refuse_starts(trial, 4);
	settle(trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	assert_string_equal(trial_where(trial, "g1"), trial_move(trial, "g1")->target);
	trial_free(trial);
}

static void one_that_cannot_be_started_there_any_more_is_left_with_its_reason(void **state)
{
	struct trial *trial = ran_unheard();

	(void)state;
	refuse_starts(trial, 100);
	settle(trial);
	assert_null(trial_where(trial, "g1"));
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_FAILED);
	assert_int_equal(trial_move(trial, "g1")->error.code, ERR_GUEST_NOT_RUNNING);
	trial_free(trial);
}

static void a_cold_move_cancelled_at_any_time_leaves_the_guest_running(void **state)
{
	int64_t at_ms;

	(void)state;
	for (at_ms = 0; at_ms < 30000; at_ms += 900) {
		struct trial *trial = begin();

		drain(trial, CANNOT_MOVE_COLD);
		trial_run(trial, at_ms);
		trial_command(trial, COMMAND_CANCEL, 1, NULL);
		settle(trial);
		assert_trial(trial_where(trial, "g1") != NULL, trial);
		assert_true(starts_with_its_host(trial, 0));
		trial_free(trial);
	}
}

static void a_killed_drover_ends_its_cold_moves_in_the_next_life(void **state)
{
	int64_t at_ms;

	(void)state;
	for (at_ms = 0; at_ms < 30000; at_ms += 700) {
		struct trial *trial = begin();

		drain(trial, CANNOT_MOVE_COLD);
		trial_run(trial, at_ms);
		trial_kill(trial);
		trial_restart(trial);
		settle(trial);
		assert_trial(trial_where(trial, "g1") != NULL, trial);
		assert_string_not_equal(trial_where(trial, "g1"), "h1");
		assert_true(starts_with_its_host(trial, 0));
		trial_free(trial);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_guest_moved_cold_runs_there_and_starts_with_its_host),
	cmocka_unit_test(a_guest_that_was_shut_down_runs_again_with_the_return),
	cmocka_unit_test(a_source_that_boots_amid_a_cold_move_does_not_start_the_guest_besides),
	cmocka_unit_test(a_target_that_dies_amid_a_cold_move_costs_an_attempt_and_no_guest),
	cmocka_unit_test(a_guest_that_cannot_be_started_there_goes_back_and_runs),
	cmocka_unit_test(a_guest_that_may_have_run_there_is_started_there_again_and_never_goes_back),
	cmocka_unit_test(one_that_cannot_be_started_there_any_more_is_left_with_its_reason),
	cmocka_unit_test(a_cold_move_cancelled_at_any_time_leaves_the_guest_running),
	cmocka_unit_test(a_killed_drover_ends_its_cold_moves_in_the_next_life),
};
TEST_MAIN(tests)
