/* Every line of the decision table "where does it run", reached by the answers of the two hosts themselves: what is
 * then asked of them, and what is not. The hypervisor here is a list of requests; the tests are its hosts. */
#include "reconcile_bench.h"

/* --- the copy is under way --- */

static void a_running_copy_is_adopted(void **state)
{
	where_t source = running_out(), target = incoming();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_COPYING_DISKS);
	assert_untouched(bench);
	end(bench);
}

static void a_running_copy_is_adopted_while_its_target_is_silent(void **state)
{
	where_t source = running_out();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, NULL);
	assert_int_equal(record(bench)->state, MOVE_COPYING_DISKS);
	assert_untouched(bench);
	end(bench);
}

static void a_switchover_is_only_watched_and_closely(void **state)
{
	where_t source = switching(), target = running();
	struct bench *bench = unknown(false);
	int64_t begin_ms = bench->now_ms;
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		look(bench, &source, i % 2 == 0 ? &target : NULL);
	assert_int_equal(bench->now_ms - begin_ms, 7 * 250);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	assert_untouched(bench);
	end(bench);
}

static bool is_audited(struct bench *bench, const char *text)
{
	struct audit_record *rows = NULL;
	bool is_found = false;
	struct error err;
	size_t n, i;

	assert_done(bench->store->audit(bench->store, 0, &rows, &n, &err), err);
	for (i = 0; i < n; i++)
		is_found |= strstr(rows[i].text, text) != NULL;
	free(rows);
	return is_found;
}

static void postcopy_is_never_touched_and_named(void **state)
{
	where_t pairs[][2] = {{postcopy(), postcopy_running()}, {postcopy_failed(), postcopy_running()}, {running(), postcopy_running()},
		{paused(), postcopy_failed()}, {postcopy(), absent()}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct bench *bench = unknown(false);

		look_twice(bench, pairs[i][0], pairs[i][1]);
		look_twice(bench, pairs[i][0], pairs[i][1]);
		assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
		assert_untouched(bench);
		assert_true(is_audited(bench, "in post-copy"));
		end(bench);
	}
}

static void a_target_that_runs_and_is_not_finished_yet_decides_nothing(void **state)
{
	where_t source = paused(), target = running();
	struct bench *bench = unknown(false);
	int i;

	(void)state;
	target.job = HV_JOB_IN;
	for (i = 0; i < 4; i++)
		look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	assert_untouched(bench);
	end(bench);
}

static void a_post_copy_under_way_is_followed(void **state)
{
	where_t source = postcopy(), target = postcopy_running();
	struct bench *bench = unknown(false);

	(void)state;
	source.job = HV_JOB_OUT;
	look(bench, &source, &target);
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_int_equal(n_asked(bench, HV_MIGRATE, "h1"), 0);
	assert_untouched(bench);
	end(bench);
}

static void a_post_copy_that_both_call_broken_is_asked_to_go_on(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, postcopy_failed(), postcopy_broken());
	assert_int_equal(record(bench)->state, MOVE_POST_COPY);
	assert_int_equal(n_asked(bench, HV_MIGRATE, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_RESUME, "h1") + n_asked(bench, HV_DESTROY, "h1") + n_asked(bench, HV_DESTROY, "h2"), 0);
	end(bench);
}

static void a_guest_whose_other_half_is_gone_is_lost_and_reported(void **state)
{
	where_t pairs[][2] = {{postcopy_failed(), absent()}, {postcopy_failed(), shut_off()}, {absent(), postcopy_broken()},
		{shut_off(), postcopy_broken()}, {running(), postcopy_broken()}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct bench *bench = unknown(false);

		look_twice(bench, pairs[i][0], pairs[i][1]);
		assert_failed(bench, ERR_GUEST_GONE);
		assert_untouched(bench);
		end(bench);
	}
}

/* --- it did not move --- */

static void a_guest_that_stayed_is_tidied_up_after(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, running(), absent());
	assert_taken_back(bench, false);
	end(bench);
}

static void a_definition_left_on_the_target_is_removed(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, running(), shut_off());
	assert_taken_back(bench, true);
	end(bench);
}

static void a_definition_that_was_there_for_another_reason_stays(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, running(), migrated());
	assert_taken_back(bench, false);
	end(bench);
}

static void a_guest_paused_by_its_owner_counts_as_running(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, by_user(), absent());
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 0);
	assert_taken_back(bench, false);
	end(bench);
}

static void an_unheard_migration_is_judged_only_after_a_second_look(void **state)
{
	where_t source = running(), target = absent();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_untouched(bench);
	end(bench);
}

static void a_success_that_was_none_is_found_out(void **state)
{
	where_t source = running(), target = absent();
	struct bench *bench = copying(false);

	(void)state;
	reply_ok(bench, HV_MIGRATE, "h1");
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	bench->mark = bench->n_asked;
	look(bench, &source, &target);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, ERR_VERIFY_FAILED);
	end(bench);
}

/* --- unfinished copies --- */

static void an_orphaned_copy_gets_a_minute_and_is_then_destroyed(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_for_a_minute(bench, running(), paused());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 0);
	end(bench);
}

static void an_unwanted_handover_is_destroyed_after_two_looks(void **state)
{
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, running(), by_user());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	end(bench);
}

static void a_handover_is_never_resumed_once_its_source_has_run_on(void **state)
{
	where_t source = running(), target = by_user();
	struct bench *bench = unknown(true);

	(void)state;
	look(bench, &source, &target);
	source = absent();
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	end(bench);
}

/* Somebody else migrates the source on while our paused copy waits. */
static void a_handover_is_void_when_its_source_is_carried_off(void **state)
{
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, running_out(), by_user());
	look_twice(bench, absent(), by_user());
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	reply_ok(bench, HV_DESTROY, "h2");
	look_twice(bench, absent(), shut_off());
	assert_failed(bench, ERR_GUEST_GONE);
	assert_int_equal(n_asked(bench, HV_FINISH_SOURCE, "h1"), 0);
	end(bench);
}

static void an_answer_from_just_before_the_handover_does_not_void_it(void **state)
{
	where_t source = running_out(), target = by_user();
	struct bench *bench = unknown(true);

	(void)state;
	look(bench, &source, &target);
	source = absent();
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 1);
	end(bench);
}

static void a_copy_of_somebody_else_is_left_alone(void **state)
{
	struct bench *bench = unknown(false);
	where_t target = paused();

	(void)state;
	target.has_tag = false;
	look_for_a_minute(bench, running(), target);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 0);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, ERR_VERIFY_FAILED);
	end(bench);
}

static void of_two_paused_copies_the_target_is_destroyed_after_a_minute(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_for_a_minute(bench, paused(), paused());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 0);
	end(bench);
}

static void an_unfinished_copy_does_not_outlive_its_source(void **state)
{
	where_t sources[] = {absent(), shut_off()};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(false);

		look_for_a_minute(bench, sources[i], paused());
		assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
		assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
		end(bench);
	}
}

/* --- it runs twice --- */

static void of_two_running_copies_the_source_is_suspended_and_destroyed(void **state)
{
	where_t source = running(), target = running();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_SUSPEND, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 0);
	reply_ok(bench, HV_SUSPEND, "h1");
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2") + n_asked(bench, HV_SUSPEND, "h2"), 0);
	reply_ok(bench, HV_DESTROY, "h1");
	source = shut_off();
	look(bench, &source, &target);
	assert_cleaned(bench);
	end(bench);
}

static void a_source_that_we_suspended_runs_on_when_the_other_copy_dies(void **state)
{
	where_t source = running(), target = running();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	reply_ok(bench, HV_SUSPEND, "h1");
	look_twice(bench, by_user(), absent());
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 0);
	end(bench);
}

/* While drover was away, somebody has carried the guest to a third host. */
static void restore_elsewhere(struct bench *bench)
{
	struct inventory *inventory = two_hosts(true);

	inventory_add_host(inventory, "h3");
	inventory_set_guest_host(inventory, 0, 2);
	restore_with(bench, inventory);
}

static void assert_nothing_is_resumed(struct bench *bench, where_t source, where_t target)
{
	unsigned looks;

	engine_free(bench->engine);
	restore_elsewhere(bench);
	for (looks = 0; looks < 5 && !move_state_is_end(record(bench)->state); looks++)
		look(bench, &source, &target);
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 0);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 0);
	end(bench);
}

static void no_copy_is_resumed_of_a_guest_that_runs_on_a_third_host(void **state)
{
	where_t both = running();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &both, &both);
	assert_int_equal(n_asked(bench, HV_SUSPEND, "h1"), 1);
	assert_nothing_is_resumed(bench, by_user(), absent());
	assert_nothing_is_resumed(unknown(false), paused(), absent());
	assert_nothing_is_resumed(unknown(true), absent(), by_user());
}

static struct bench *restarted_with_a_suspended_source(void)
{
	where_t source = running(), target = running();
	struct bench *bench = unknown(false);

	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_SUSPEND, "h1"), 1);
	engine_free(bench->engine);
	restore(bench);
	bench->mark = 0;
	while (bench->mark < bench->n_asked && bench->asked[bench->mark].kind != HV_SUSPEND)
		bench->mark++;
	bench->mark++;
	return bench;
}

static void a_source_that_we_suspended_runs_on_after_a_restart_too(void **state)
{
	struct bench *bench = restarted_with_a_suspended_source();

	(void)state;
	look_twice(bench, by_user(), absent());
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 0);
	end(bench);
}

static void the_disks_of_a_copy_that_ran_last_survive_a_restart(void **state)
{
	where_t source = by_user(), target = shut_off();
	struct bench *bench = restarted_with_a_suspended_source();

	(void)state;
	look_twice(bench, by_user(), shut_off());
	look(bench, &source, &target);
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	assert_untouched(bench);
	end(bench);
}

static void a_second_running_copy_that_is_not_ours_is_nobodys_to_end(void **state)
{
	where_t source = running(), target = running();
	struct bench *bench = unknown(false);

	(void)state;
	target.job_tag.move = 99;
	look(bench, &source, &target);
	assert_failed(bench, ERR_SPLIT_BRAIN);
	assert_untouched(bench);
	end(bench);
}

/* --- the source is paused behind its migration --- */

static void a_stale_source_is_destroyed_after_two_looks(void **state)
{
	where_t source = paused(), target = running();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_untouched(bench);
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 1);
	reply_ok(bench, HV_DESTROY, "h1");
	source = shut_off();
	look(bench, &source, &target);
	assert_cleaned(bench);
	end(bench);
}

static void a_handover_ends_its_source_before_it_resumes_the_target(void **state)
{
	where_t source = shut_off(), target = by_user();
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, paused(), by_user());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	reply_ok(bench, HV_DESTROY, "h1");
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 1);
	reply_ok(bench, HV_RESUME, "h2");
	target = running();
	look(bench, &source, &target);
	assert_cleaned(bench);
	end(bench);
}

static void a_source_that_was_ended_on_purpose_is_remembered_over_a_restart(void **state)
{
	where_t source = shut_off(), target = by_user();
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, paused(), by_user());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 1);
	engine_free(bench->engine);
	restore(bench);
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 1);
	end(bench);
}

static void a_paused_source_without_target_is_resumed_after_two_looks(void **state)
{
	where_t source = paused(), target = absent();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_untouched(bench);
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	end(bench);
}

static void a_paused_source_is_not_resumed_when_the_target_may_have_run(void **state)
{
	where_t targets[] = {shut_off(), migrated()};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(false);

		look_twice(bench, paused(), targets[i]);
		assert_failed(bench, ERR_GUEST_NOT_RUNNING);
		assert_untouched(bench);
		end(bench);
	}
}

static void a_paused_source_waits_for_a_silent_target(void **state)
{
	where_t source = paused();
	struct bench *bench = unknown(false);
	int i;

	(void)state;
	for (i = 0; i < 12; i++)
		look(bench, &source, NULL);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	assert_untouched(bench);
	end(bench);
}

/* --- it moved --- */

static void a_guest_found_on_its_target_is_finished(void **state)
{
	where_t sources[] = {absent(), shut_off(), migrated()};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct bench *bench = unknown(false);
		where_t target = running();

		look(bench, &sources[i], &target);
		assert_cleaned(bench);
		end(bench);
	}
}

static void a_guest_that_its_owner_paused_on_the_target_stays_paused(void **state)
{
	where_t source = absent(), target = by_user();
	struct bench *bench = unknown(false);

	(void)state;
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 0);
	assert_cleaned(bench);
	end(bench);
}

static void a_handed_over_guest_is_resumed(void **state)
{
	where_t sources[] = {absent(), migrated()};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(true);
		where_t target = by_user();

		look(bench, &sources[i], &target);
		assert_int_equal(n_asked(bench, HV_RESUME, "h2"), 1);
		end(bench);
	}
}

static void a_handover_from_a_source_that_may_have_crashed_is_not_resumed(void **state)
{
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, shut_off(), by_user());
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	assert_untouched(bench);
	end(bench);
}

static void a_guest_shut_down_behind_its_move_is_finished(void **state)
{
	where_t sources[] = {absent(), migrated()};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(false);
		where_t target = shut_off();

		look(bench, &sources[i], &target);
		assert_int_equal(record(bench)->state, MOVE_CLEANUP);
		end(bench);
	}
}

/* --- it runs nowhere --- */

static void a_guest_that_was_shut_down_before_it_moved_ends_its_move(void **state)
{
	struct bench *bench = unknown(false);

	(void)state;
	look_twice(bench, shut_off(), absent());
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	end(bench);
}

static void of_two_shut_off_copies_neither_loses_its_disks(void **state)
{
	where_t targets[] = {shut_off(), migrated()};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct bench *bench = unknown(false);

		look_twice(bench, shut_off(), targets[i]);
		assert_failed(bench, ERR_GUEST_NOT_RUNNING);
		assert_untouched(bench);
		end(bench);
	}
}

static void a_guest_that_is_gone_ends_its_move_and_nothing_is_removed(void **state)
{
	where_t pairs[][2] = {{absent(), absent()}, {absent(), migrated()}, {migrated(), absent()}, {migrated(), migrated()}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct bench *bench = unknown(false);

		look(bench, &pairs[i][0], &pairs[i][1]);
		assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
		look(bench, &pairs[i][0], &pairs[i][1]);
		assert_failed(bench, ERR_GUEST_GONE);
		assert_untouched(bench);
		end(bench);
	}
}

/* --- silence --- */

static void nothing_is_concluded_from_silence(void **state)
{
	where_t answers[] = {absent(), shut_off(), migrated(), running(), paused(), by_user()};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct bench *bench = unknown(true);

		for (j = 0; j < 6; j++) {
			look(bench, &answers[i], NULL);
			look(bench, NULL, &answers[i]);
			look(bench, NULL, NULL);
		}
		assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
		assert_untouched(bench);
		end(bench);
	}
}

static void silent_hosts_are_asked_ever_more_seldom(void **state)
{
	struct bench *bench = unknown(false);
	int64_t last_ms = 0, gap_ms = 0;
	int i;

	(void)state;
	for (i = 0; i < 12; i++) {
		until_asked(bench);
		assert_true(i < 2 || bench->now_ms - last_ms >= gap_ms);
		gap_ms = bench->now_ms - last_ms;
		last_ms = bench->now_ms;
		look(bench, NULL, NULL);
	}
	assert_int_equal(gap_ms, 30000);
	end(bench);
}

/* The pauses between two looks have grown by then. */
static void a_host_that_is_back_is_asked_at_once(void **state)
{
	where_t source = running();
	struct bench *bench = unknown(false);
	struct hv_note note = {.kind = HV_NOTE_HOST_UP, .host = "h2"};
	struct event event = {.kind = EVENT_NOTE, .note = &note};
	int i;

	(void)state;
	for (i = 0; i < 6; i++)
		look(bench, &source, NULL);
	assert_null(pending(bench, HV_WHERE, "h2"));
	assert_true(engine_deadline(bench->engine) > bench->now_ms + 5000);
	turn(bench, &event);
	assert_non_null(pending(bench, HV_WHERE, "h1"));
	assert_non_null(pending(bench, HV_WHERE, "h2"));
	end(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_is_back_is_asked_at_once),
		cmocka_unit_test(a_running_copy_is_adopted),
		cmocka_unit_test(a_running_copy_is_adopted_while_its_target_is_silent),
		cmocka_unit_test(a_switchover_is_only_watched_and_closely),
		cmocka_unit_test(postcopy_is_never_touched_and_named),
		cmocka_unit_test(a_target_that_runs_and_is_not_finished_yet_decides_nothing),
		cmocka_unit_test(a_post_copy_under_way_is_followed),
		cmocka_unit_test(a_post_copy_that_both_call_broken_is_asked_to_go_on),
		cmocka_unit_test(a_guest_whose_other_half_is_gone_is_lost_and_reported),
		cmocka_unit_test(a_guest_that_stayed_is_tidied_up_after),
		cmocka_unit_test(a_definition_left_on_the_target_is_removed),
		cmocka_unit_test(a_definition_that_was_there_for_another_reason_stays),
		cmocka_unit_test(a_guest_paused_by_its_owner_counts_as_running),
		cmocka_unit_test(an_unheard_migration_is_judged_only_after_a_second_look),
		cmocka_unit_test(a_success_that_was_none_is_found_out),
		cmocka_unit_test(an_orphaned_copy_gets_a_minute_and_is_then_destroyed),
		cmocka_unit_test(an_unwanted_handover_is_destroyed_after_two_looks),
		cmocka_unit_test(a_handover_is_never_resumed_once_its_source_has_run_on),
		cmocka_unit_test(a_handover_is_void_when_its_source_is_carried_off),
		cmocka_unit_test(an_answer_from_just_before_the_handover_does_not_void_it),
		cmocka_unit_test(a_copy_of_somebody_else_is_left_alone),
		cmocka_unit_test(of_two_paused_copies_the_target_is_destroyed_after_a_minute),
		cmocka_unit_test(an_unfinished_copy_does_not_outlive_its_source),
		cmocka_unit_test(of_two_running_copies_the_source_is_suspended_and_destroyed),
		cmocka_unit_test(a_source_that_we_suspended_runs_on_when_the_other_copy_dies),
		cmocka_unit_test(no_copy_is_resumed_of_a_guest_that_runs_on_a_third_host),
		cmocka_unit_test(a_source_that_we_suspended_runs_on_after_a_restart_too),
		cmocka_unit_test(the_disks_of_a_copy_that_ran_last_survive_a_restart),
		cmocka_unit_test(a_second_running_copy_that_is_not_ours_is_nobodys_to_end),
		cmocka_unit_test(a_stale_source_is_destroyed_after_two_looks),
		cmocka_unit_test(a_handover_ends_its_source_before_it_resumes_the_target),
		cmocka_unit_test(a_source_that_was_ended_on_purpose_is_remembered_over_a_restart),
		cmocka_unit_test(a_paused_source_without_target_is_resumed_after_two_looks),
		cmocka_unit_test(a_paused_source_is_not_resumed_when_the_target_may_have_run),
		cmocka_unit_test(a_paused_source_waits_for_a_silent_target),
		cmocka_unit_test(a_guest_found_on_its_target_is_finished),
		cmocka_unit_test(a_guest_that_its_owner_paused_on_the_target_stays_paused),
		cmocka_unit_test(a_handed_over_guest_is_resumed),
		cmocka_unit_test(a_handover_from_a_source_that_may_have_crashed_is_not_resumed),
		cmocka_unit_test(a_guest_shut_down_behind_its_move_is_finished),
		cmocka_unit_test(a_guest_that_was_shut_down_before_it_moved_ends_its_move),
		cmocka_unit_test(of_two_shut_off_copies_neither_loses_its_disks),
		cmocka_unit_test(a_guest_that_is_gone_ends_its_move_and_nothing_is_removed),
		cmocka_unit_test(nothing_is_concluded_from_silence),
		cmocka_unit_test(silent_hosts_are_asked_ever_more_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
