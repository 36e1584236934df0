/* Two guests that swap full hosts, one of them by way of a third host: as planned, with either leg failing, cancelled in between,
 * with the third host closed before it begins, undone, and with drover killed at every commit. */
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "trial_assert.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)

enum { RUN_MS = 3600000, COMMITS_MAX = 2000 };

/* g1 on h1 and g2 on h2, which have room for one guest each; h3 and h4 have more. g1 has less to send. */
static struct inventory *full_hosts(void)
{
	struct inventory *inventory = cluster_new(4, 2, true);
	int i;

	for (i = 0; i < 2; i++)
		inventory->hosts[i].memory_bytes = 1600 * MIB;
	inventory->guests[0].used_memory_bytes = 256 * MIB;
	inventory->guests[1].host = 1;
	return inventory;
}

static uint64_t swap(struct trial *trial)
{
	struct request *request = request_new(REQUEST_BATCH);

	request_add_move(request, "g1")->to = xstrdup("h2");
	request_add_move(request, "g2")->to = xstrdup("h1");
	return trial_start(trial, request);
}

static struct trial *begin(const struct engine_options *options)
{
	struct trial *trial = trial_new(full_hosts(), NULL, options);

	assert_trial(swap(trial) == 1, trial);
	return trial;
}

static const struct move_record *leg_of(const struct trial *trial, enum leg leg)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++)
		if (engine_move(trial->engine, i)->leg == leg && strcmp(engine_move(trial->engine, i)->guest, "g1") == 0)
			return engine_move(trial->engine, i);
	fail_msg("g1 has no leg %s", leg_name(leg));
	return NULL;
}

static bool run_until(struct trial *trial, enum leg leg, enum move_state state)
{
	while (leg_of(trial, leg)->state != state)
		if (!trial_step(trial, RUN_MS) || trial->is_failed)
			return false;
	return true;
}

static void assert_places(struct trial *trial, const char *g1, const char *g2)
{
	assert_trial(trial_check_settled(trial), trial);
	assert_string_equal(trial_where(trial, "g1"), g1);
	assert_string_equal(trial_where(trial, "g2"), g2);
}

static void end_at(struct trial *trial, const char *g1, const char *g2)
{
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_places(trial, g1, g2);
	trial_free(trial);
}

static void assert_says(const struct move_record *move, const char *text)
{
	if (strstr(move->error.message, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, move->error.message);
}

static void both_come_to_where_they_are_wanted(void **state)
{
	struct trial *trial = begin(NULL);
	struct move_live live;

	(void)state;
	assert_string_equal(leg_of(trial, LEG_FIRST)->target, "h3");
	assert_string_equal(leg_of(trial, LEG_SECOND)->source, "h3");
	engine_move_live(trial->engine, engine_n_moves(trial->engine) - 1, &live);
	assert_int_equal(live.waiting.code, ERR_WAIT_DEPENDENCY);
	assert_string_equal(live.waiting.message, "guest g1 must come from h1 to h3 first, and goes on from there");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_DONE);
	assert_int_equal(trial_audited(trial, "2 of 2 moved"), 1);
	assert_int_equal(trial->watch.n_sent[HV_MIGRATE], 3);
	end_at(trial, "h2", "h1");
}

/* Its only third host has refused it: the others of the circle have no room either, and say so. */
static void with_its_first_leg_the_second_ends_and_names_it(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = begin(&options);
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "g1", .at_phase = SIM_PHASE_MEMORY});
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_FIRST)->state, MOVE_FAILED);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_FAILED);
	assert_int_equal(leg_of(trial, LEG_SECOND)->error.code, leg_of(trial, LEG_FIRST)->error.code);
	assert_says(leg_of(trial, LEG_SECOND), "guest g1 did not come from h1 to h3, from where it was to go on to h2: ");
	assert_int_equal(trial_move(trial, "g2")->state, MOVE_FAILED);
	assert_int_equal(trial_move(trial, "g2")->error.code, ERR_TARGET_MEMORY);
	end_at(trial, "h1", "h2");
}

static void it_ends_with_the_first_though_the_third_host_gives_nobody_away(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = begin(&options);
	trial_limit(trial, LIMIT_OUTGOING, "h3", 0);
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "g1", .at_phase = SIM_PHASE_MEMORY});
	end_at(trial, "h1", "h2");
}

static void another_third_host_is_taken_when_the_first_does_not_do(void **state)
{
	struct trial *trial = begin(NULL);

	(void)state;
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "g1", .at_phase = SIM_PHASE_MEMORY});
	assert_trial(run_until(trial, LEG_FIRST, MOVE_DONE), trial);
	assert_string_equal(leg_of(trial, LEG_FIRST)->target, "h4");
	assert_string_equal(leg_of(trial, LEG_SECOND)->source, "h4");
	assert_string_equal(trial_where(trial, "g1"), "h4");
	end_at(trial, "h2", "h1");
}

/* The same batch, which may begin a minute after it was asked for. */
static struct trial *begin_later(struct inventory *inventory)
{
	struct trial *trial = trial_new(inventory, NULL, NULL);
	struct request *request = request_new(REQUEST_BATCH);

	request_add_move(request, "g1")->to = xstrdup("h2");
	request_add_move(request, "g2")->to = xstrdup("h1");
	request->moves[0].not_before_wall_ms = INT64_C(1700000060000);
	assert_trial(trial_start(trial, request) == 1, trial);
	assert_int_equal(leg_of(trial, LEG_FIRST)->state, MOVE_WAITING);
	return trial;
}

static void a_third_host_that_is_cordoned_meanwhile_is_replaced(void **state)
{
	struct trial *trial = begin_later(full_hosts());

	(void)state;
	assert_string_equal(leg_of(trial, LEG_FIRST)->target, "h3");
	trial_cordon(trial, "h3", true);
	assert_trial(run_until(trial, LEG_FIRST, MOVE_DONE), trial);
	assert_string_equal(trial_where(trial, "g1"), "h4");
	end_at(trial, "h2", "h1");
}

static void without_another_third_host_nobody_goes(void **state)
{
	struct trial *trial = begin_later(full_hosts());

	(void)state;
	trial_cordon(trial, "h3", true);
	trial_cordon(trial, "h4", true);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_FIRST)->error.code, ERR_HOST_CORDONED);
	assert_int_equal(leg_of(trial, LEG_SECOND)->error.code, ERR_HOST_CORDONED);
	end_at(trial, "h1", "h2");
}

/* There is room by now where it is wanted; but a first leg that led there would leave the second nowhere to go. */
static void where_it_is_wanted_is_no_third_host(void **state)
{
	struct inventory *inventory = cluster_new(4, 3, true);
	struct request *request = request_new(REQUEST_MOVE);
	struct trial *trial;

	(void)state;
	inventory->hosts[0].memory_bytes = 1600 * MIB;
	inventory->hosts[1].memory_bytes = 2700 * MIB;
	inventory->guests[0].used_memory_bytes = 256 * MIB;
	inventory->guests[1].host = inventory->guests[2].host = 1;
	trial = begin_later(inventory);
	request_add_move(request, "g3")->to = xstrdup("h4");
	assert_trial(trial_start(trial, request) == 2, trial);
	assert_trial(trial_run_until(trial, "g3", MOVE_DONE, RUN_MS), trial);
	trial_cordon(trial, "h3", true);
	trial_cordon(trial, "h4", true);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_FIRST)->error.code, ERR_HOST_CORDONED);
	end_at(trial, "h1", "h2");
}

/* h3 knows only the names that the guests have now. */
static void names_are_mapped_on_the_second_leg_only(void **state)
{
	struct inventory *inventory = full_hosts();
	struct request *request = request_new(REQUEST_BATCH);
	struct trial *trial;
	uint32_t i;

	(void)state;
	inventory->hosts[3].cordoned = true;
	for (i = 0; i < 3; i++)
		strings_add(&inventory->hosts[i].networks, &inventory->hosts[i].n_networks, "old");
	for (i = 0; i < 2; i++) {
		strings_add(&inventory->hosts[i].networks, &inventory->hosts[i].n_networks, "new");
		strings_add(&inventory->guests[i].interfaces, &inventory->guests[i].n_interfaces, "old");
	}
	name_map_add(&request->nets, &request->n_nets, "old", "new");
	request_add_move(request, "g1")->to = xstrdup("h2");
	request_add_move(request, "g2")->to = xstrdup("h1");
	trial = trial_new(inventory, NULL, NULL);
	assert_trial(trial_start(trial, request) == 1, trial);
	assert_string_equal(leg_of(trial, LEG_FIRST)->target, "h3");
	end_at(trial, "h2", "h1");
}

static void a_guest_whose_second_leg_fails_stays_on_the_third_host_and_that_is_said(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = begin(&options);
	assert_trial(run_until(trial, LEG_FIRST, MOVE_DONE), trial);
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "g1", .at_phase = SIM_PHASE_MEMORY});
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_FAILED);
	assert_says(leg_of(trial, LEG_SECOND), "on its way from h1 to h2 guest g1 has come to h3: ");
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_SOME_LEFT);
	assert_int_equal(trial_audited(trial, "1 of 2 moved"), 1);
	end_at(trial, "h3", "h1");
}

/* Without the way there is no room for g1 either. */
static void when_the_other_guest_does_not_leave_it_stays_on_the_third_host(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = begin(&options);
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "g2", .at_phase = SIM_PHASE_MEMORY});
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_FAILED);
	assert_int_equal(leg_of(trial, LEG_SECOND)->error.code, ERR_TARGET_MEMORY);
	assert_says(leg_of(trial, LEG_SECOND), "has come to h3: ");
	end_at(trial, "h3", "h2");
}

static void cancelled_on_the_first_leg_it_goes_nowhere(void **state)
{
	struct trial *trial = begin(NULL);

	(void)state;
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	trial_command(trial, COMMAND_CANCEL, 1, NULL);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_FIRST)->state, MOVE_CANCELLED);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_CANCELLED);
	assert_int_equal(engine_batch(trial->engine, 0)->state, BATCH_CANCELLED);
	end_at(trial, "h1", "h2");
}

static void cancelled_between_its_legs_it_stays_on_the_third_host(void **state)
{
	struct trial *trial = begin(NULL);

	(void)state;
	assert_trial(run_until(trial, LEG_FIRST, MOVE_DONE), trial);
	trial_command(trial, COMMAND_CANCEL, 1, "g1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_CANCELLED);
	assert_says(leg_of(trial, LEG_SECOND), "on its way from h1 to h2 guest g1 has come to h3: ");
	end_at(trial, "h3", "h1");
}

static void a_guest_on_its_way_belongs_to_its_batch_between_its_legs_too(void **state)
{
	struct trial *trial = begin(NULL);
	struct request *request = request_new(REQUEST_MOVE);

	(void)state;
	assert_trial(run_until(trial, LEG_FIRST, MOVE_DONE), trial);
	request_add_move(request, "g1")->to = xstrdup("h4");
	assert_int_equal(trial_start(trial, request), 0);
	assert_int_equal(trial->error.code, ERR_GUEST_IN_BATCH);
	error_clear(&trial->error);
	end_at(trial, "h2", "h1");
}

/* The same swap the other way, planned as any other. */
static void swapped_back_it_needs_a_third_host_again(void **state)
{
	struct trial *trial = begin(NULL);
	struct request *request = request_new(REQUEST_MOVE);

	(void)state;
	assert_trial(trial_run(trial, RUN_MS), trial);
	request_add_move(request, "g1")->to = xstrdup("h1");
	request_add_move(request, "g2")->to = xstrdup("h2");
	assert_trial(trial_start(trial, request) == 2, trial);
	end_at(trial, "h1", "h2");
}

/* The request's limit is that of both legs, in every life. */
static void a_limit_of_its_own_holds_on_both_legs_and_after_a_restart(void **state)
{
	static const uint64_t LIMIT = 20000000;
	struct trial *trial = trial_new(full_hosts(), NULL, NULL);
	struct request *request = request_new(REQUEST_BATCH);
	struct wanted_move *wanted = request_add_move(request, "g1");
	enum leg leg;

	(void)state;
	wanted->to = xstrdup("h2");
	wanted->max_rate_bytes_per_s = LIMIT;
	request_add_move(request, "g2")->to = xstrdup("h1");
	assert_trial(trial_start(trial, request) == 1, trial);
	trial_kill(trial);
	trial_restart(trial);
	for (leg = LEG_FIRST; leg <= LEG_SECOND; leg++) {
		assert_trial(run_until(trial, leg, MOVE_COPYING_MEMORY), trial);
		assert_trial(sim_guest_rate(trial->sim, sim_guest_index(trial->sim, "g1")) <= LIMIT, trial);
		assert_trial(run_until(trial, leg, MOVE_DONE), trial);
	}
	end_at(trial, "h2", "h1");
}

/* Killed at a commit, before or behind it, the next life brings both to where they are wanted. */
static void killed_at_any_commit_it_ends_as_if_nothing_had_been(void **state)
{
	uint64_t commit;
	int is_durable;
	bool died = true;

	(void)state;
	for (commit = 1; died && commit < COMMITS_MAX; commit++)
		for (is_durable = 0; is_durable < 2; is_durable++) {
			struct trial *trial = trial_new(full_hosts(), NULL, NULL);

			trial_crash_at(trial, commit, is_durable, 0);
			swap(trial);
			died = !trial_run(trial, RUN_MS) && trial->is_dead;
			if (died) {
				trial_kill(trial);
				trial_restart(trial);
				if (engine_n_batches(trial->engine) == 0)
					swap(trial);
			}
			assert_trial(trial_run(trial, RUN_MS), trial);
			assert_places(trial, "h2", "h1");
			trial_free(trial);
		}
	assert_true(commit > 20);
}

/* Its source does not answer when drover is started again: the second leg waits for what becomes of the first. */
static void with_a_silent_source_the_second_leg_waits_for_the_first(void **state)
{
	struct trial *trial = begin(NULL);

	(void)state;
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	trial_kill(trial);
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_HOST_UNREACHABLE, .host = "h1", .duration_ms = 20000});
	trial_restart(trial);
	trial_run(trial, 10000);
	assert_int_equal(leg_of(trial, LEG_SECOND)->state, MOVE_WAITING);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(both_come_to_where_they_are_wanted),
	cmocka_unit_test(with_its_first_leg_the_second_ends_and_names_it),
	cmocka_unit_test(it_ends_with_the_first_though_the_third_host_gives_nobody_away),
	cmocka_unit_test(another_third_host_is_taken_when_the_first_does_not_do),
	cmocka_unit_test(a_third_host_that_is_cordoned_meanwhile_is_replaced),
	cmocka_unit_test(without_another_third_host_nobody_goes),
	cmocka_unit_test(where_it_is_wanted_is_no_third_host),
	cmocka_unit_test(names_are_mapped_on_the_second_leg_only),
	cmocka_unit_test(a_guest_whose_second_leg_fails_stays_on_the_third_host_and_that_is_said),
	cmocka_unit_test(when_the_other_guest_does_not_leave_it_stays_on_the_third_host),
	cmocka_unit_test(cancelled_on_the_first_leg_it_goes_nowhere),
	cmocka_unit_test(cancelled_between_its_legs_it_stays_on_the_third_host),
	cmocka_unit_test(a_guest_on_its_way_belongs_to_its_batch_between_its_legs_too),
	cmocka_unit_test(swapped_back_it_needs_a_third_host_again),
	cmocka_unit_test(a_limit_of_its_own_holds_on_both_legs_and_after_a_restart),
	cmocka_unit_test(killed_at_any_commit_it_ends_as_if_nothing_had_been),
	cmocka_unit_test(with_a_silent_source_the_second_leg_waits_for_the_first),
};
TEST_MAIN(tests)
