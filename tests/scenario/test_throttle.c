/* What throttle changes while moves run holds from the next admission on, over the death of drover, and no longer
 * than its batches. */
#include "check.h"

#include <string.h>

#include "cluster.h"
#include "trial.h"

enum { RUN_MS = 3600000, STEP_MS = 100 };

#define assert_trial(condition, trial) \
	do { \
		if (!(condition)) { \
			trial_dump(trial); \
			fail_msg("%s: %s", #condition, (trial)->error.message); \
		} \
	} while (0)

static uint32_t n_copying(const struct trial *trial)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		enum move_state state = engine_move(trial->engine, i)->state;

		n += move_state_is_started(state) && !move_state_is_end(state) && state != MOVE_VERIFYING && state != MOVE_CLEANUP;
	}
	return n;
}

/* True when all is over. */
static bool pass(struct trial *trial)
{
	int64_t until_ms = trial->now_ms + STEP_MS;

	while (trial_step(trial, until_ms))
		;
	trial->now_ms = until_ms;
	assert_trial(!trial->is_failed && trial->now_ms < RUN_MS, trial);
	return engine_is_idle(trial->engine);
}

static bool waits_for(const struct trial *trial, enum error_code code)
{
	struct move_live live;
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		engine_move_live(trial->engine, i, &live);
		if (live.waiting.code == code)
			return true;
	}
	return false;
}

/* Eight guests with disks of h1 and no limit but what links carry: several are under way. */
static struct trial *under_way(void)
{
	struct trial *trial = trial_new(cluster_new(3, 8, true), NULL, NULL);

	trial_drain(trial, "h1");
	while (n_copying(trial) < 2)
		assert_trial(!pass(trial), trial);
	return trial;
}

/* Down to one, then never more than one to the end. */
static void ends_one_by_one(struct trial *trial)
{
	uint32_t before = n_copying(trial);

	while (!pass(trial)) {
		uint32_t n = n_copying(trial);

		assert_trial(n <= 1 || n <= before, trial);
		before = n;
	}
	assert_trial(trial_check_settled(trial), trial);
}

static void a_lowered_limit_of_one_host_holds_from_the_next_admission_on(void **state)
{
	static const enum limit_kind kinds[] = {LIMIT_MAX_OUTGOING, LIMIT_MAX_OUTGOING_STORAGE};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct trial *trial = under_way();

		trial_limit(trial, kinds[i], "h1", 1);
		assert_trial(trial->error.code == ERR_NONE && waits_for(trial, ERR_WAIT_SLOTS_SOURCE), trial);
		ends_one_by_one(trial);
		trial_free(trial);
	}
}

static void a_limit_for_moves_with_disks_lets_the_others_pass(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 8, false), NULL, NULL);

	(void)state;
	trial_drain(trial, "h1");
	trial_limit(trial, LIMIT_MAX_OUTGOING_STORAGE, NULL, 1);
	while (n_copying(trial) < 2)
		assert_trial(!pass(trial), trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	trial_free(trial);
}

static void a_limit_outlives_drover_but_not_its_batches(void **state)
{
	struct trial *trial = under_way();

	(void)state;
	trial_limit(trial, LIMIT_MAX_OUTGOING_STORAGE, "h1", 1);
	trial_kill(trial);
	trial_restart(trial);
	assert_int_equal(engine_n_limits(trial->engine), 1);
	assert_int_equal(engine_inventory(trial->engine)->hosts[0].max_outgoing_storage, 1);
	ends_one_by_one(trial);
	trial_kill(trial);
	trial_restart(trial);
	assert_int_equal(engine_n_limits(trial->engine), 0);
	assert_int_equal(engine_inventory(trial->engine)->hosts[0].max_outgoing_storage, 0);
	trial_free(trial);
}

static void a_reload_does_not_lift_what_the_operator_set(void **state)
{
	struct trial *trial = under_way();
	struct engine_options options = trial->options;

	(void)state;
	trial_limit(trial, LIMIT_MAX_MIGRATIONS, NULL, 1);
	options.max_migrations = 5;
	trial_reload(trial, &options);
	assert_int_equal(engine_limits(trial->engine)->max_migrations, 1);
	ends_one_by_one(trial);
	trial_free(trial);
}

static void a_host_that_gives_none_away_holds_the_rest_until_it_does_again(void **state)
{
	struct trial *trial = under_way();

	(void)state;
	trial_limit(trial, LIMIT_OUTGOING, "h1", 0);
	assert_trial(!trial_run(trial, RUN_MS), trial);
	assert_int_equal(n_copying(trial), 0);
	assert_trial(waits_for(trial, ERR_WAIT_OUTGOING), trial);
	trial_limit(trial, LIMIT_OUTGOING, "h1", 1);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_not_equal(trial_where(trial, "g8"), "h1");
	trial_free(trial);
}

static void what_has_not_begun_goes_elsewhere_when_a_host_takes_none(void **state)
{
	struct trial *trial = trial_new(cluster_new(3, 8, true), NULL, NULL);

	(void)state;
	trial_drain(trial, "h1");
	trial_limit(trial, LIMIT_INCOMING, "h2", 0);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_equal(trial_where(trial, "g8"), "h3");
	trial_free(trial);
}

static void of_several_changes_all_are_made_or_none(void **state)
{
	struct trial *trial = under_way();
	struct limit limits[] = {{.kind = LIMIT_MAX_INCOMING, .host = "h2", .value = 3}, {.kind = LIMIT_MAX_OUTGOING, .host = "h9", .value = 1}};
	struct event event = {.kind = EVENT_COMMAND, .now_ms = trial->now_ms, .command = {.kind = COMMAND_THROTTLE, .limits = limits, .n_limits = 2}};
	struct actions actions;

	(void)state;
	engine_step(trial->engine, &event, &actions);
	assert_int_equal(actions.error.code, ERR_UNKNOWN_HOST);
	assert_int_equal(engine_n_limits(trial->engine), 0);
	assert_int_equal(engine_inventory(trial->engine)->hosts[1].max_incoming, 0);
	trial_free(trial);
}

static void a_limit_for_a_network_that_nobody_configured_is_refused(void **state)
{
	struct trial *trial = under_way();
	struct limit limit = {.kind = LIMIT_RATE, .network = "moon", .value = 1000000};
	struct event event = {.kind = EVENT_COMMAND, .now_ms = trial->now_ms, .command = {.kind = COMMAND_THROTTLE, .limits = &limit, .n_limits = 1}};
	struct actions actions;

	(void)state;
	engine_step(trial->engine, &event, &actions);
	assert_int_equal(actions.error.code, ERR_INPUT);
	assert_string_equal(actions.error.message, "no network is named moon");
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lowered_limit_of_one_host_holds_from_the_next_admission_on),
		cmocka_unit_test(a_limit_for_moves_with_disks_lets_the_others_pass),
		cmocka_unit_test(a_limit_outlives_drover_but_not_its_batches),
		cmocka_unit_test(a_reload_does_not_lift_what_the_operator_set),
		cmocka_unit_test(a_host_that_gives_none_away_holds_the_rest_until_it_does_again),
		cmocka_unit_test(what_has_not_begun_goes_elsewhere_when_a_host_takes_none),
		cmocka_unit_test(of_several_changes_all_are_made_or_none),
		cmocka_unit_test(a_limit_for_a_network_that_nobody_configured_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
