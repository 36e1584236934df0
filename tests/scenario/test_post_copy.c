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
	options.downtime_max_ms = 500;
	trial = writer(NULL, &options);
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_int_equal(trial_move(trial, "g1")->error.code, ERR_NOT_CONVERGING);
	assert_non_null(strstr(trial_move(trial, "g1")->error.message, "it writes"));
	assert_int_equal(trial_audited(trial, "ms is allowed now"), 1);
	assert_int_equal(trial_audited(trial, "a blackout of 500 ms is allowed now"), 1);
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

/* --- what is decided before, and what the source says --- */

static where_t postcopy_out(void)
{
	where_t where = postcopy();

	where.job = HV_JOB_OUT;
	return where;
}

static struct bench *copying_allowed(const struct engine_options *options)
{
	struct bench *bench = begun_of(two_hosts(true), options);

	answer_preflight(bench, false);
	reply_ok(bench, HV_PREPARE, "h1");
	return bench;
}

/* The source is asked how far it is, and says so. */
static void tell(struct bench *bench, enum hv_phase phase, uint32_t rounds, uint64_t sent_bytes)
{
	struct hv_reply answer = {.stats = {.phase = phase, .rounds = rounds, .memory_total_bytes = 1 << 30, .memory_processed_bytes = sent_bytes,
		.memory_remaining_bytes = 1 << 29, .dirty_rate_bytes_per_s = 5000000000}};
	int i;

	for (i = 0; i < 20 && pending(bench, HV_STATS, "h1") == NULL; i++)
		wake(bench, engine_deadline(bench->engine) > bench->now_ms ? engine_deadline(bench->engine) : bench->now_ms);
	reply(bench, HV_STATS, "h1", &answer);
}

/* Five rounds that took long enough to say something. */
static void five_rounds(struct bench *bench)
{
	uint32_t rounds = record(bench)->rounds + 5;

	bench->now_ms += 6000;
	tell(bench, HV_PHASE_MEMORY, rounds, (uint64_t)rounds << 28);
}

/* It does not converge, up to the last step of the ladder. */
static struct bench *climbed(const struct engine_options *options)
{
	struct bench *bench = copying_allowed(options);
	int i;

	tell(bench, HV_PHASE_MEMORY, 1, 1 << 28);
	for (i = 0; i < 20 && record(bench)->state == MOVE_COPYING_MEMORY; i++)
		five_rounds(bench);
	return bench;
}

/* The switch was asked for, and is not answered. */
static struct bench *switching_over(void)
{
	struct engine_options options = allowing();
	struct bench *bench = climbed(&options);

	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_non_null(pending(bench, HV_START_POSTCOPY, "h1"));
	return bench;
}

static void answer_switch(struct bench *bench, bool outcome_unknown)
{
	struct hv_reply answer = {.outcome_unknown = outcome_unknown};

	error_set(&answer.error, ERR_MIGRATE_FAILED, "post-copy cannot be started");
	reply(bench, HV_START_POSTCOPY, "h1", &answer);
}

/* Given up, aborted, and found on its source. */
static void assert_given_up(struct bench *bench, enum error_code code, const char *hint)
{
	where_t source = running(), target = absent();
	struct hv_reply answer = {0};

	assert_int_equal(record(bench)->state, MOVE_CANCELLING);
	assert_non_null(pending(bench, HV_ABORT, "h1"));
	error_set(&answer.error, ERR_MIGRATE_FAILED, "canceled by client");
	bench->mark = bench->n_asked;
	reply(bench, HV_MIGRATE, "h1", &answer);
	look(bench, &source, &target);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, code);
	assert_non_null(strstr(record(bench)->error.hint, hint));
}

static void a_guest_that_cannot_arrive_so_is_given_up_with_the_reason_that_the_preflight_found(void **state)
{
	struct engine_options options = allowing();
	struct bench *bench = begun_of(two_hosts(true), &options);
	struct error why;
	int i;

	(void)state;
	error_set(&why, ERR_POST_COPY_UNSUPPORTED, "its memory is in a file");
	answer_preflight_with(bench, false, &why);
	reply_ok(bench, HV_PREPARE, "h1");
	assert_int_equal(record(bench)->post_copy, POST_COPY_NO);
	tell(bench, HV_PHASE_MEMORY, 1, 1 << 28);
	for (i = 0; i < 20 && record(bench)->state == MOVE_COPYING_MEMORY; i++)
		five_rounds(bench);
	assert_given_up(bench, ERR_NOT_CONVERGING, "its memory is in a file");
	assert_int_equal(n_asked(bench, HV_START_POSTCOPY, "h1"), 0);
	end(bench);
}

static void a_guest_that_is_handed_over_paused_is_not_switched(void **state)
{
	struct engine_options options = allowing();
	struct bench *bench;

	(void)state;
	options.paused_handover = true;
	bench = climbed(&options);
	assert_int_equal(record(bench)->post_copy, POST_COPY_NO);
	assert_given_up(bench, ERR_NOT_CONVERGING, "handover is strict");
	end(bench);
}

static void a_guest_that_its_owner_has_paused_needs_no_switch_and_is_allowed_none(void **state)
{
	struct engine_options options = allowing();
	struct bench *bench = begun_of(two_hosts(true), &options);

	(void)state;
	answer_preflight(bench, true);
	assert_int_equal(record(bench)->post_copy, POST_COPY_NO);
	end(bench);
}

static void a_guest_that_is_moved_cold_has_nothing_to_switch(void **state)
{
	struct engine_options options = allowing();
	struct inventory *inventory = cluster_new(2, 1, true);
	struct request *request = request_new(REQUEST_DRAIN);
	struct trial *trial;

	(void)state;
	error_set(error_own(&inventory->guests[0].unmovable), ERR_GUEST_DEVICE, "guest g1 has a shared folder");
	trial = trial_new(inventory, NULL, &options);
	request->cannot_move = CANNOT_MOVE_COLD;
	strings_add(&request->hosts, &request->n_hosts, "h1");
	assert_trial(trial_start(trial, request) != 0, trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_DONE);
	assert_int_equal(trial_move(trial, "g1")->post_copy, POST_COPY_NO);
	assert_int_equal(trial_audited(trial, "goes without post-copy"), 0);
	trial_free(trial);
}

static void a_refusal_of_what_was_not_asked_for_is_a_failure_like_any_other(void **state)
{
	where_t source = running(), target = absent();
	struct bench *bench = copying(false);
	struct hv_reply answer = {0};

	(void)state;
	error_set(&answer.error, ERR_POST_COPY_UNSUPPORTED, "Postcopy is not supported");
	bench->mark = bench->n_asked;
	reply(bench, HV_MIGRATE, "h1", &answer);
	look(bench, &source, &target);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, ERR_POST_COPY_UNSUPPORTED);
	assert_int_equal(record(bench)->attempts, 1);
	end(bench);
}

static void a_guest_that_somebody_else_has_switched_is_followed_to_its_end(void **state)
{
	where_t source = migrated(), target = running();
	struct bench *bench = copying(false);

	(void)state;
	bench->mark = bench->n_asked;
	tell(bench, HV_PHASE_POSTCOPY, 1, 1 << 28);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_int_equal(record(bench)->post_copy, POST_COPY_USED);
	assert_int_equal(n_asked(bench, HV_START_POSTCOPY, "h1"), 0);
	reply_ok(bench, HV_MIGRATE, "h1");
	look(bench, &source, &target);
	assert_cleaned(bench);
	end(bench);
}

static void a_switch_that_does_not_show_is_asked_for_again_and_not_for_ever(void **state)
{
	struct bench *bench = switching_over();
	int i;

	(void)state;
	answer_switch(bench, true);
	tell(bench, HV_PHASE_MEMORY, record(bench)->rounds, 1 << 28);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY); /* QEMU switches at the end of what it is sending */
	bench->now_ms += 5000;
	tell(bench, HV_PHASE_MEMORY, record(bench)->rounds, 2 << 28);
	assert_int_equal(record(bench)->state, MOVE_COPYING_MEMORY);
	five_rounds(bench);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	answer_switch(bench, false);
	assert_int_equal(record(bench)->state, MOVE_COPYING_MEMORY);
	for (i = 0; i < 3 && record(bench)->state == MOVE_COPYING_MEMORY; i++)
		five_rounds(bench);
	assert_int_equal(n_asked(bench, HV_START_POSTCOPY, "h1"), 2);
	assert_given_up(bench, ERR_NOT_CONVERGING, "");
	end(bench);
}

static void a_refusal_of_a_guest_that_is_seen_in_post_copy_changes_nothing(void **state)
{
	where_t source = postcopy_out(), target = postcopy_running();
	struct bench *bench = switching_over();

	(void)state;
	lose_answer(bench);
	look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	answer_switch(bench, false);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_int_equal(record(bench)->post_copy, POST_COPY_USED);
	assert_untouched(bench);
	end(bench);
}

static void a_refusal_while_both_hosts_are_asked_decides_nothing(void **state)
{
	struct bench *bench = switching_over();

	(void)state;
	lose_answer(bench);
	answer_switch(bench, false);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	end(bench);
}

static void a_cancel_that_came_in_doubt_holds_when_the_switch_did_not_happen(void **state)
{
	where_t source = postcopy_out(), target = postcopy_running();
	struct bench *bench = switching_over();
	struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_CANCEL, .batch = record(bench)->batch}};

	(void)state;
	answer_switch(bench, true);
	lose_answer(bench);
	turn(bench, &event);
	look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_int_equal(n_asked(bench, HV_ABORT, "h1"), 0);
	bench->now_ms += 5000;
	tell(bench, HV_PHASE_MEMORY, record(bench)->rounds, 2 << 28);
	assert_int_equal(record(bench)->state, MOVE_CANCELLING);
	assert_int_equal(n_asked(bench, HV_ABORT, "h1"), 1);
	end(bench);
}

static void while_its_call_is_out_a_broken_post_copy_is_left_to_libvirt(void **state)
{
	struct bench *bench = switching_over();
	size_t n = n_asked(bench, HV_MIGRATE, "h1");
	int i;

	(void)state;
	reply_ok(bench, HV_START_POSTCOPY, "h1");
	for (i = 0; i < 4; i++) {
		bench->now_ms += 1000;
		tell(bench, HV_PHASE_POSTCOPY_FAILED, record(bench)->rounds, 1 << 28);
		assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	}
	assert_int_equal(n_asked(bench, HV_MIGRATE, "h1"), n);
	end(bench);
}

/* Nothing shows that the switch went well: both hosts are asked, and say that it has broken off. */
static void what_both_hosts_call_broken_is_not_asked_to_go_on_beside_its_own_call(void **state)
{
	struct bench *bench = switching_over();
	size_t n = n_asked(bench, HV_MIGRATE, "h1");

	(void)state;
	answer_switch(bench, true);
	wake(bench, bench->now_ms + 10000);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	look_twice(bench, postcopy_failed(), postcopy_broken());
	look_twice(bench, postcopy_failed(), postcopy_broken());
	assert_int_equal(n_asked(bench, HV_MIGRATE, "h1"), n);
	end(bench);
}

static void an_adopted_post_copy_that_breaks_off_is_found_out_by_asking_both_hosts(void **state)
{
	where_t source = postcopy_out(), target = postcopy_running();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	tell(bench, HV_PHASE_POSTCOPY_FAILED, 1, 1 << 28);
	wake(bench, bench->now_ms + 1);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	assert_int_equal(n_asked(bench, HV_ABORT, "h1"), 0);
	end(bench);
}

static void a_post_copy_without_a_byte_is_told_of_and_never_touched(void **state)
{
	where_t source = postcopy_out(), target = postcopy_running();
	struct bench *bench = unknown(false);
	int i;

	(void)state;
	look(bench, &source, &target);
	for (i = 0; i < 20; i++) {
		bench->now_ms += bench->options.no_progress_ms / 4;
		tell(bench, HV_PHASE_POSTCOPY, 1, 1 << 28);
		bench->n_asked = bench->mark; /* they are many */
	}
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
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
		cmocka_unit_test(a_guest_that_cannot_arrive_so_is_given_up_with_the_reason_that_the_preflight_found),
		cmocka_unit_test(a_guest_that_is_handed_over_paused_is_not_switched),
		cmocka_unit_test(a_guest_that_its_owner_has_paused_needs_no_switch_and_is_allowed_none),
		cmocka_unit_test(a_guest_that_is_moved_cold_has_nothing_to_switch),
		cmocka_unit_test(a_refusal_of_what_was_not_asked_for_is_a_failure_like_any_other),
		cmocka_unit_test(a_guest_that_somebody_else_has_switched_is_followed_to_its_end),
		cmocka_unit_test(a_switch_that_does_not_show_is_asked_for_again_and_not_for_ever),
		cmocka_unit_test(a_refusal_of_a_guest_that_is_seen_in_post_copy_changes_nothing),
		cmocka_unit_test(a_refusal_while_both_hosts_are_asked_decides_nothing),
		cmocka_unit_test(a_cancel_that_came_in_doubt_holds_when_the_switch_did_not_happen),
		cmocka_unit_test(while_its_call_is_out_a_broken_post_copy_is_left_to_libvirt),
		cmocka_unit_test(what_both_hosts_call_broken_is_not_asked_to_go_on_beside_its_own_call),
		cmocka_unit_test(an_adopted_post_copy_that_breaks_off_is_found_out_by_asking_both_hosts),
		cmocka_unit_test(a_post_copy_without_a_byte_is_told_of_and_never_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
