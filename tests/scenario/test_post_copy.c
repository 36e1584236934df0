/* Guests that do not converge: post-copy where it is allowed, the figures where it is not, and what must never happen to a guest
 * whose memory is on two hosts. */
#include "reconcile_bench.h"

#include "cluster.h"
#include "trial.h"

enum { RUN_MS = 3600000 };

#define assert_trial(condition, trial) \
	do { \
		if (!(condition)) { \
			trial_dump(trial); \
			fail_msg("%s: %s", #condition, (trial)->error.message); \
		} \
	} while (0)

static struct engine_options allowing(void)
{
	struct engine_options options;

	engine_options_init(&options);
	options.post_copy = true;
	options.attempts_max = 1;
	return options;
}

/* Its only guest writes faster than any link of the two hosts carries. */
static struct trial *writer(const struct sim_options *sim, const struct engine_options *options)
{
	struct inventory *inventory = cluster_new(2, 1, true);

	inventory->guests[0].dirty_rate_bytes_per_s = 5000000000;
	inventory->guests[0].working_set_bytes = inventory->guests[0].memory_bytes;
	inventory->guests[0].used_memory_bytes = inventory->guests[0].memory_bytes;
	return trial_new(inventory, sim, options);
}

static void assert_never_touched(const struct trial *trial)
{
	assert_int_equal(trial->watch.n_sent[HV_ABORT], 0);
	assert_int_equal(trial->watch.n_sent[HV_RESUME], 0);
	assert_int_equal(trial->watch.n_sent[HV_SUSPEND], 0);
	assert_int_equal(trial->watch.n_sent[HV_DESTROY], 0);
	assert_int_equal(trial->watch.n_sent[HV_REMOVE_VOLUMES], 0);
}

static void assert_moved(struct trial *trial)
{
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	assert_string_equal(trial_where(trial, "g1"), "h2");
	assert_never_touched(trial);
}

static void a_guest_that_writes_too_fast_moves_by_post_copy_where_that_is_allowed(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	trial_drain(trial, "h1");
	assert_moved(trial);
	assert_int_equal(trial_move(trial, "g1")->post_copy, POST_COPY_USED);
	assert_true(trial_move(trial, "g1")->measured_downtime_ms >= 0);
	assert_int_equal(trial_audited(trial, "the rest of its memory follows"), 1);
	trial_free(trial);
}

static void without_permission_it_is_given_up_with_the_figures_and_stays_whole(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial;

	(void)state;
	options.post_copy = false;
	trial = writer(NULL, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_int_equal(trial_move(trial, "g1")->error.code, ERR_NOT_CONVERGING);
	assert_non_null(strstr(trial_move(trial, "g1")->error.message, "it writes"));
	/* Nobody follows it on its link, so it had the whole blackout from the start. */
	assert_int_equal(trial_audited(trial, "ms is allowed now"), 0);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	assert_int_equal(trial->watch.n_sent[HV_START_POSTCOPY], 0);
	trial_free(trial);
}

static void a_permission_that_is_taken_back_meanwhile_holds_no_more(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	trial_drain(trial, "h1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	options.post_copy = false;
	trial_reload(trial, &options);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	assert_int_equal(trial->watch.n_sent[HV_START_POSTCOPY], 0);
	trial_free(trial);
}

static void the_switch_is_the_last_step_of_the_ladder(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial;

	(void)state;
	options.downtime_max_ms = 2000;
	trial = writer(NULL, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run_until(trial, "g1", MOVE_POST_COPY, RUN_MS), trial);
	assert_true(trial_audited(trial, "ms is allowed now") >= 3);
	assert_int_equal(trial_audited(trial, "a blackout of 2000 ms is allowed now"), 1);
	assert_true(trial_move(trial, "g1")->rounds >= 30);
	assert_moved(trial);
	trial_free(trial);
}

static void a_guest_that_converges_is_not_switched(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = trial_new(cluster_new(3, 6, true), NULL, &options);

	(void)state;
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial->watch.n_sent[HV_START_POSTCOPY], 0);
	assert_int_equal(trial_move(trial, "g1")->post_copy, POST_COPY_ALLOWED);
	trial_free(trial);
}

static void a_cancel_in_post_copy_changes_nothing_and_is_answered_with_the_reason(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);
	uint64_t batch = trial_drain(trial, "h1");
	struct event event = {.kind = EVENT_COMMAND};
	struct actions actions;

	(void)state;
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_POSTCOPY, RUN_MS), trial);
	trial_command(trial, COMMAND_CANCEL, batch, "g1");
	event.command.kind = COMMAND_CANCEL;
	event.command.batch = batch;
	event.now_ms = trial->now_ms;
	engine_step(trial->engine, &event, &actions);
	assert_int_equal(actions.error.code, ERR_IN_POST_COPY);
	assert_non_null(strstr(actions.error.message, "g1 is in post-copy"));
	assert_int_equal(actions.n_requests, 0);
	trial_kill(trial); /* that step was not committed */
	trial_restart(trial);
	assert_moved(trial);
	trial_free(trial);
}

static void drover_killed_in_post_copy_finds_and_follows_it(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	trial_drain(trial, "h1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_POSTCOPY, RUN_MS), trial);
	trial_kill(trial);
	trial_restart(trial);
	assert_trial(trial_run_until(trial, "g1", MOVE_POST_COPY, RUN_MS), trial);
	assert_moved(trial);
	trial_free(trial);
}

/* Before and behind every commit around the switch, with its request sent or not. */
static void drover_killed_around_the_switch_loses_nothing(void **state)
{
	struct engine_options options = allowing();
	uint64_t n;

	(void)state;
	for (n = 0; n < 24; n++) {
		struct trial *trial = writer(NULL, &options);

		trial_drain(trial, "h1");
		while (trial_move(trial, "g1")->rounds < 29)
			assert_true(trial_step(trial, RUN_MS));
		trial_crash_at(trial, n / 2 + 1, n % 2 == 1, n % 4 / 2);
		while (!trial->is_dead && trial_step(trial, RUN_MS))
			;
		trial_kill(trial);
		trial_restart(trial);
		assert_trial(trial_run(trial, RUN_MS), trial);
		assert_trial(trial_check_settled(trial), trial);
		assert_string_equal(trial_where(trial, "g1"), "h2");
		trial_free(trial);
	}
}

static void a_post_copy_that_broke_off_goes_on_when_its_link_is_back(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_LINK_CUT, .at_phase = SIM_PHASE_POSTCOPY, .guest = "g1", .host = "h2",
		.duration_ms = 60000});
	trial_drain(trial, "h1");
	assert_moved(trial);
	assert_true(trial_audited(trial, "its memory has stopped following it") > 1);
	assert_true(trial->watch.n_sent[HV_MIGRATE] > 1);
	trial_free(trial);
}

static void a_broken_post_copy_is_let_go_on_by_the_next_drover_too(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .at_phase = SIM_PHASE_POSTCOPY, .guest = "g1"});
	trial_drain(trial, "h1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_POSTCOPY_FAILED, RUN_MS), trial);
	trial_kill(trial);
	trial_restart(trial);
	assert_moved(trial);
	trial_free(trial);
}

static void a_post_copy_whose_daemons_have_lost_each_other_ends_by_itself(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);

	(void)state;
	sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_LIBVIRTD_RESTART, .at_phase = SIM_PHASE_POSTCOPY, .guest = "g1", .host = "h2"});
	trial_drain(trial, "h1");
	assert_moved(trial);
	assert_int_equal(trial->watch.n_sent[HV_MIGRATE], 1);
	trial_free(trial);
}

static void a_guest_lost_with_a_host_in_post_copy_is_reported_and_nothing_is_touched(void **state)
{
	static const char *const hosts[] = {"h1", "h2"};
	struct engine_options options = allowing();
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct trial *trial = writer(NULL, &options);

		sim_fault(trial->sim, &(struct sim_fault){.kind = SIM_FAULT_HOST_DIES, .at_phase = SIM_PHASE_POSTCOPY, .guest = "g1",
			.host = hosts[i], .duration_ms = 90000});
		trial_drain(trial, "h1");
		assert_trial(trial_run(trial, RUN_MS), trial);
		assert_trial(trial_check(trial), trial);
		assert_int_equal(trial_move(trial, "g1")->error.code, ERR_GUEST_GONE);
		assert_non_null(strstr(trial_move(trial, "g1")->error.hint, "disks are on h2"));
		assert_never_touched(trial);
		trial_free(trial);
	}
}

static void a_target_whose_kernel_forbids_it_is_gone_to_without_at_no_cost(void **state)
{
	struct engine_options options = allowing();
	struct sim_options sim;
	struct trial *trial;

	(void)state;
	sim_options_init(&sim);
	sim.no_postcopy_hosts = 1 << 1;
	trial = trial_new(cluster_new(2, 1, true), &sim, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_string_equal(trial_where(trial, "g1"), "h2");
	assert_int_equal(trial_move(trial, "g1")->attempts, 1);
	assert_int_equal(trial_move(trial, "g1")->post_copy, POST_COPY_NO);
	trial_free(trial);
	trial = writer(&sim, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial_move(trial, "g1")->error.code, ERR_NOT_CONVERGING);
	assert_non_null(strstr(trial_move(trial, "g1")->error.hint, "not supported by the kernel of h2"));
	assert_string_equal(trial_where(trial, "g1"), "h1");
	trial_free(trial);
}

static void fault_of_the_switch(struct trial *trial, enum sim_fault_kind kind)
{
	struct sim_fault fault = {.kind = kind, .request = HV_START_POSTCOPY, .guest = "g1", .error = ERR_TIMEOUT, .duration_ms = 3000};

	sim_fault(trial->sim, &fault);
}

/* Refused it did not happen, and lost or late answers say nothing: what is seen of the guest counts, and it is switched once. */
static void whatever_becomes_of_the_answer_to_the_switch_the_guest_arrives_whole(void **state)
{
	static const enum sim_fault_kind kinds[] = {SIM_FAULT_REQUEST_ERROR, SIM_FAULT_REPLY_LOST, SIM_FAULT_REPLY_LATE, SIM_FAULT_REPLY_DOUBLED};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct engine_options options = allowing();
		struct trial *trial = writer(NULL, &options);

		trial_drain(trial, "h1");
		fault_of_the_switch(trial, kinds[i]);
		assert_moved(trial);
		assert_int_equal(trial_move(trial, "g1")->post_copy, POST_COPY_USED);
		assert_int_equal(trial->watch.n_sent[HV_START_POSTCOPY], kinds[i] == SIM_FAULT_REQUEST_ERROR ? 2 : 1);
		assert_int_equal(trial_audited(trial, "the switch to post-copy did not happen"), kinds[i] == SIM_FAULT_REQUEST_ERROR ? 1 : 0);
		trial_free(trial);
	}
}

/* The operator was told that it cannot be cancelled and ends on its target, before the refusal came. */
static void what_was_said_to_be_too_late_to_cancel_moves_though_its_switch_was_refused(void **state)
{
	struct engine_options options = allowing();
	struct trial *trial = writer(NULL, &options);
	uint64_t batch = trial_drain(trial, "h1");

	(void)state;
	fault_of_the_switch(trial, SIM_FAULT_REQUEST_ERROR);
	assert_trial(trial_run_until(trial, "g1", MOVE_POST_COPY, RUN_MS), trial);
	trial_command(trial, COMMAND_CANCEL, batch, "g1");
	assert_moved(trial);
	assert_int_equal(trial_audited(trial, "the switch to post-copy did not happen"), 1);
	assert_int_equal(trial_audited(trial, "cannot be cancelled, it ends on h2"), 1);
	trial_free(trial);
}

/* --- by the answers of the hosts --- */

static void broken_off_for_good_it_is_asked_a_bounded_number_of_times_and_left_as_it_is(void **state)
{
	struct bench *bench = unknown(false);
	unsigned tries = 0;
	size_t i;

	(void)state;
	while (record(bench)->state != MOVE_FAILED) {
		where_t source = postcopy_failed(), target = postcopy_broken();

		if (pending(bench, HV_MIGRATE, "h1") != NULL) {
			struct hv_reply answer = {0};

			assert_int_equal(record(bench)->state, MOVE_POST_COPY);
			error_set(&answer.error, ERR_MIGRATE_FAILED, "No route to host");
			reply(bench, HV_MIGRATE, "h1", &answer);
			bench->n_asked = bench->mark; /* they are many */
			tries++;
			assert_true(tries <= 100);
		}
		look(bench, &source, &target);
	}
	assert_true(tries > 3);
	assert_failed(bench, ERR_POST_COPY_FAILED);
	for (i = bench->mark; i < bench->n_asked; i++)
		assert_true(bench->asked[i].kind == HV_WHERE || bench->asked[i].kind == HV_MIGRATE || bench->asked[i].kind == HV_STATS);
	end(bench);
}

static void what_only_one_host_calls_broken_is_not_asked_to_go_on(void **state)
{
	where_t pairs[][2] = {{postcopy_failed(), postcopy_running()}, {postcopy(), postcopy_broken()}};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(false);

		look_twice(bench, pairs[i][0], pairs[i][1]);
		look_twice(bench, pairs[i][0], pairs[i][1]);
		assert_int_equal(n_asked(bench, HV_MIGRATE, "h1"), 0);
		assert_untouched(bench);
		end(bench);
	}
}

static void statistics_of_before_change_nothing_while_both_hosts_are_asked(void **state)
{
	struct bench *bench = copying(false);
	struct hv_reply answer = {.stats = {.phase = HV_PHASE_POSTCOPY_FAILED, .memory_total_bytes = 1 << 30}};

	(void)state;
	wake(bench, engine_deadline(bench->engine));
	assert_non_null(pending(bench, HV_STATS, "h1"));
	lose_answer(bench);
	reply(bench, HV_STATS, "h1", &answer);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	end(bench);
}

static void a_silent_host_decides_nothing_in_post_copy(void **state)
{
	where_t source = postcopy_failed(), target = postcopy_broken();
	struct bench *bench = unknown(false);
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		look(bench, &source, NULL);
		look(bench, NULL, &target);
	}
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	assert_untouched(bench);
	end(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_that_writes_too_fast_moves_by_post_copy_where_that_is_allowed),
		cmocka_unit_test(without_permission_it_is_given_up_with_the_figures_and_stays_whole),
		cmocka_unit_test(a_permission_that_is_taken_back_meanwhile_holds_no_more),
		cmocka_unit_test(the_switch_is_the_last_step_of_the_ladder),
		cmocka_unit_test(a_guest_that_converges_is_not_switched),
		cmocka_unit_test(a_cancel_in_post_copy_changes_nothing_and_is_answered_with_the_reason),
		cmocka_unit_test(drover_killed_in_post_copy_finds_and_follows_it),
		cmocka_unit_test(drover_killed_around_the_switch_loses_nothing),
		cmocka_unit_test(a_post_copy_that_broke_off_goes_on_when_its_link_is_back),
		cmocka_unit_test(a_broken_post_copy_is_let_go_on_by_the_next_drover_too),
		cmocka_unit_test(a_post_copy_whose_daemons_have_lost_each_other_ends_by_itself),
		cmocka_unit_test(a_guest_lost_with_a_host_in_post_copy_is_reported_and_nothing_is_touched),
		cmocka_unit_test(a_target_whose_kernel_forbids_it_is_gone_to_without_at_no_cost),
		cmocka_unit_test(whatever_becomes_of_the_answer_to_the_switch_the_guest_arrives_whole),
		cmocka_unit_test(what_was_said_to_be_too_late_to_cancel_moves_though_its_switch_was_refused),
		cmocka_unit_test(broken_off_for_good_it_is_asked_a_bounded_number_of_times_and_left_as_it_is),
		cmocka_unit_test(what_only_one_host_calls_broken_is_not_asked_to_go_on),
		cmocka_unit_test(a_silent_host_decides_nothing_in_post_copy),
		cmocka_unit_test(statistics_of_before_change_nothing_while_both_hosts_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
