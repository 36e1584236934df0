/* What could let a guest run twice although no fault of ours is near: the end of a switchover that nobody hears of, answers that
 * are older than they look, a copy that its owner had paused, a third host. The tests are the hosts, as in test_reconcile. */
#include "reconcile_bench.h"

/* --- paused by its owner --- */

static void of_two_copies_that_the_owner_paused_the_source_is_kept(void **state)
{
	struct bench *bench = unknown_paused();

	(void)state;
	look_twice(bench, by_user(), by_user());
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1") + n_asked(bench, HV_SUSPEND, "h1"), 0);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2"), 1);
	reply_ok(bench, HV_DESTROY, "h2");
	look_twice(bench, by_user(), absent());
	assert_int_equal(n_asked(bench, HV_RESUME, "h1") + n_asked(bench, HV_RESUME, "h2"), 0);
	assert_taken_back(bench, false);
	end(bench);
}

/* Its owner may have resumed it, or its host may have booted it afresh while the target holds what it had in memory. */
static void a_paused_guest_that_runs_on_its_source_again_is_left_alone(void **state)
{
	struct bench *bench = unknown_paused();

	(void)state;
	look_twice(bench, running(), by_user());
	assert_untouched(bench);
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	end(bench);
}

static void a_guest_that_its_owner_resumed_on_the_target_has_moved(void **state)
{
	where_t source = by_user(), target = running();
	struct bench *bench = unknown_paused();

	(void)state;
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h2") + n_asked(bench, HV_SUSPEND, "h2"), 0);
	assert_int_equal(n_asked(bench, HV_SUSPEND, "h1"), 1);
	end(bench);
}

static void two_answers_of_different_times_are_no_pair(void **state)
{
	where_t source = running(), target = running();
	struct bench *bench = unknown(false);

	(void)state;
	until_asked(bench);
	say(bench, "h2", &target);
	wake(bench, bench->now_ms + 20000);
	say(bench, "h1", &source);
	assert_untouched(bench);
	target = absent(); /* it has died since */
	say(bench, "h2", &target);
	look_twice(bench, source, target);
	assert_int_equal(n_asked(bench, HV_SUSPEND, "h1") + n_asked(bench, HV_DESTROY, "h1"), 0);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	end(bench);
}

static void what_an_unanswered_prepare_still_makes_is_taken_back(void **state)
{
	struct bench *bench = preparing(false);
	uint64_t prepare = pending(bench, HV_PREPARE, "h1")->tag;
	struct hv_reply late = {.tag = prepare, .kind = HV_PREPARE};
	struct event event = {.kind = EVENT_REPLY, .reply = &late};
	where_t source = running(), target = absent();

	(void)state;
	wake(bench, bench->now_ms + bench->options.reply_timeout_ms);
	bench->mark = bench->n_asked;
	look_twice(bench, running(), absent());
	look_twice(bench, running(), absent());
	assert_untouched(bench); /* it may be at work yet */
	turn(bench, &event);
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	end(bench);
}

static void a_handed_over_guest_that_never_ran_keeps_its_source_disks(void **state)
{
	where_t ended = shut_off();
	struct bench *bench = unknown(true);

	(void)state;
	look_twice(bench, paused(), by_user());
	reply_ok(bench, HV_DESTROY, "h1");
	bench->mark = bench->n_asked;
	look(bench, &ended, &ended); /* the target's host has died and is up again */
	assert_untouched(bench);
	assert_failed(bench, ERR_GUEST_NOT_RUNNING);
	end(bench);
}

static void a_job_of_somebody_else_is_waited_for(void **state)
{
	struct bench *bench = preparing(false);
	struct hv_reply busy = {0};

	(void)state;
	bench->options.attempts_max = 3;
	engine_free(bench->engine);
	restore(bench);
	look_twice(bench, running(), absent());
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_non_null(pending(bench, HV_PREFLIGHT, "h1"));
	error_set(&busy.error, ERR_GUEST_BUSY, "a backup runs");
	reply(bench, HV_PREFLIGHT, "h1", &busy);
	assert_int_equal(record(bench)->state, MOVE_WAITING);
	end(bench);
}

/* --- a third host --- */

static void before_a_source_is_resumed_every_other_host_is_asked(void **state)
{
	where_t source = paused(), nothing = absent();
	struct bench *bench = unknown_of_four();

	(void)state;
	look_twice(bench, source, nothing);
	assert_untouched(bench);
	say(bench, "h3", &nothing);
	assert_untouched(bench);
	say(bench, "h4", &nothing);
	look(bench, &source, &nothing);
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_WHERE, "h3"), 1);
	end(bench);
}

static void a_guest_that_somebody_carried_on_is_found_and_nothing_is_resumed(void **state)
{
	where_t there = running();
	struct bench *bench = unknown_of_four();

	(void)state;
	look_twice(bench, paused(), absent());
	say(bench, "h3", &there);
	assert_untouched(bench);
	assert_failed(bench, ERR_GUEST_ELSEWHERE);
	assert_non_null(strstr(record(bench)->error.message, "h3"));
	end(bench);
}

static void a_stale_source_beside_a_third_host_is_reported_as_running_twice(void **state)
{
	where_t there = running();
	struct bench *bench = unknown_of_four();

	(void)state;
	look_twice(bench, running(), absent());
	say(bench, "h3", &there);
	assert_untouched(bench);
	assert_failed(bench, ERR_SPLIT_BRAIN);
	end(bench);
}

static void a_third_host_that_is_down_is_waited_for_and_then_left_out(void **state)
{
	where_t nothing = absent();
	struct bench *bench = unknown_of_four();
	int64_t since_ms;

	(void)state;
	look_twice(bench, paused(), absent());
	for (since_ms = bench->now_ms; bench->now_ms - since_ms < bench->options.host_down_ms; wake(bench, engine_deadline(bench->engine))) {
		if (pending(bench, HV_WHERE, "h3") != NULL)
			say(bench, "h3", NULL);
		assert_untouched(bench);
	}
	if (pending(bench, HV_WHERE, "h3") != NULL)
		say(bench, "h3", NULL);
	say(bench, "h4", &nothing);
	look_twice(bench, paused(), absent());
	assert_int_equal(n_asked(bench, HV_RESUME, "h1"), 1);
	end(bench);
}

static void a_copy_that_never_came_to_its_switchover_asks_no_third_host(void **state)
{
	where_t source = running(), target = absent();
	struct bench *bench = copying_of(inventory_of(4, true), false);
	struct hv_reply answer = {0};

	(void)state;
	error_set(&answer.error, ERR_MIGRATE_FAILED, "QEMU has failed");
	reply(bench, HV_MIGRATE, "h1", &answer);
	look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_WHERE, "h3") + n_asked(bench, HV_WHERE, "h4"), 0);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	end(bench);
}

/* --- the switchover watchdog --- */

/* The source is paused by its migration since now, and nobody says more. */
static struct bench *switching_over(void)
{
	struct bench *bench = copying(false);
	struct hv_note note = {.kind = HV_NOTE_GUEST_SUSPENDED, .host = "h1", .guest = "web", .uuid = guest_uuid};
	struct event event = {.kind = EVENT_NOTE, .note = &note};

	turn(bench, &event);
	bench->mark = bench->n_asked;
	assert_int_equal(record(bench)->state, MOVE_SWITCHOVER);
	return bench;
}

static void a_switchover_that_ends_in_time_is_not_looked_into(void **state)
{
	struct bench *bench = switching_over();

	(void)state;
	wake(bench, bench->now_ms + bench->options.switchover_watch_ms - 1);
	assert_null(pending(bench, HV_WHERE, "h1"));
	end(bench);
}

static void a_source_whose_target_runs_is_ended_before_libvirt_resumes_it(void **state)
{
	enum { KEEPALIVE_MS = 30000 };
	struct bench *bench = switching_over();
	int64_t since_ms = bench->now_ms;
	where_t source = switching(), target = running();

	(void)state;
	while (n_asked(bench, HV_DESTROY, "h1") == 0 && bench->now_ms - since_ms < KEEPALIVE_MS)
		look(bench, &source, &target);
	assert_int_equal(n_asked(bench, HV_DESTROY, "h1"), 1);
	assert_in_range(bench->now_ms - since_ms, bench->options.switchover_watch_ms, KEEPALIVE_MS / 2);
	assert_int_equal(record(bench)->state, MOVE_VERIFYING); /* durable before it was sent */
	reply_ok(bench, HV_DESTROY, "h1");
	source = shut_off();
	look(bench, &source, &target);
	assert_cleaned(bench);
	end(bench);
}

static void a_late_confirm_is_waited_for(void **state)
{
	struct bench *bench = switching_over();
	where_t source = switching(), target = running();
	struct hv_reply answer = {.stats = {.phase = HV_PHASE_DONE, .downtime_ms = 77}};

	(void)state;
	look(bench, &source, &target);
	assert_untouched(bench);
	reply(bench, HV_MIGRATE, "h1", &answer);
	source = absent();
	look(bench, &source, &target);
	assert_int_equal(record(bench)->measured_downtime_ms, 77);
	assert_cleaned(bench);
	end(bench);
}

static void a_source_waits_while_its_target_is_silent_or_has_not_begun(void **state)
{
	where_t source = switching(), targets[] = {incoming(), absent()};
	size_t i, j;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct bench *bench = switching_over();

		for (j = 0; j < 20; j++)
			look(bench, &source, i < 2 ? &targets[i] : NULL);
		assert_untouched(bench);
		end(bench);
	}
}

static void a_target_that_is_not_ours_ends_no_source(void **state)
{
	struct bench *bench = switching_over();
	where_t source = switching(), target = running();
	size_t i;

	(void)state;
	target.has_tag = false;
	for (i = 0; i < 40; i++)
		look(bench, &source, &target);
	assert_untouched(bench);
	end(bench);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(of_two_copies_that_the_owner_paused_the_source_is_kept),
	cmocka_unit_test(a_paused_guest_that_runs_on_its_source_again_is_left_alone),
	cmocka_unit_test(a_guest_that_its_owner_resumed_on_the_target_has_moved),
	cmocka_unit_test(two_answers_of_different_times_are_no_pair),
	cmocka_unit_test(what_an_unanswered_prepare_still_makes_is_taken_back),
	cmocka_unit_test(a_handed_over_guest_that_never_ran_keeps_its_source_disks),
	cmocka_unit_test(a_job_of_somebody_else_is_waited_for),
	cmocka_unit_test(before_a_source_is_resumed_every_other_host_is_asked),
	cmocka_unit_test(a_guest_that_somebody_carried_on_is_found_and_nothing_is_resumed),
	cmocka_unit_test(a_stale_source_beside_a_third_host_is_reported_as_running_twice),
	cmocka_unit_test(a_third_host_that_is_down_is_waited_for_and_then_left_out),
	cmocka_unit_test(a_copy_that_never_came_to_its_switchover_asks_no_third_host),
	cmocka_unit_test(a_switchover_that_ends_in_time_is_not_looked_into),
	cmocka_unit_test(a_source_whose_target_runs_is_ended_before_libvirt_resumes_it),
	cmocka_unit_test(a_late_confirm_is_waited_for),
	cmocka_unit_test(a_source_waits_while_its_target_is_silent_or_has_not_begun),
	cmocka_unit_test(a_target_that_is_not_ours_ends_no_source),
};
TEST_MAIN(tests)
