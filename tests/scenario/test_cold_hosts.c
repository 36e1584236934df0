/* A guest that is moved cold or shut down, and what both hosts can say of it afterwards: only what is surely known is acted on, and
 * where two guests could be meant the operator is told. */
#include "reconcile_bench.h"

/* web cannot move live. */
static struct bench *begun(enum cannot_move cannot_move)
{
	struct bench *bench = xcalloc(1, sizeof *bench);
	struct inventory *inventory = two_hosts(true);
	struct request *request;
	struct event event = {.kind = EVENT_START};
	struct plan *plan;
	struct error err;

	engine_options_init(&bench->options);
	bench->options.attempts_max = 1;
	bench->options.shutdown_timeout_ms = 5000;
	bench->hypervisor = (struct hypervisor){.self = bench, .submit = submit};
	bench->store = store_memory_new(run_id);
	bench->now_ms = 1000;
	error_set(error_own(&inventory->guests[0].unmovable), ERR_GUEST_DEVICE, "guest web has a shared folder");
	restore_with(bench, inventory);
	request = request_new(REQUEST_DRAIN);
	request->cannot_move = cannot_move;
	strings_add(&request->hosts, &request->n_hosts, "h1");
	assert_done(planner_plan(engine_inventory(bench->engine), request, &bench->options.plan, &plan, &err), err);
	event.start.request = request;
	event.start.plan = plan;
	turn(bench, &event);
	plan_free(plan);
	request_free(request);
	if (cannot_move == CANNOT_MOVE_COLD)
		answer_preflight(bench, false);
	return bench;
}

/* The guest was asked to stop; a look is due. */
static struct bench *stopping(enum cannot_move cannot_move)
{
	struct bench *bench = begun(cannot_move);

	if (cannot_move == CANNOT_MOVE_COLD)
		reply_ok(bench, HV_PREPARE, "h1");
	reply_ok(bench, HV_SHUTDOWN, "h1");
	wake(bench, bench->now_ms);
	return bench;
}

static struct bench *copying_cold(void)
{
	struct bench *bench = stopping(CANNOT_MOVE_COLD);
	where_t down = shut_off();

	say(bench, "h1", &down);
	assert_int_equal(record(bench)->state, MOVE_COPYING_DISKS);
	return bench;
}

/* It is being defined there, and nobody heard whether it was. */
static struct bench *defining(void)
{
	struct bench *bench = copying_cold();
	struct hv_reply lost = {.outcome_unknown = true};

	reply_ok(bench, HV_COPY, "h1");
	error_set(&lost.error, ERR_OUTCOME_UNKNOWN, "the connection broke");
	reply(bench, HV_DEFINE, "h1", &lost);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	bench->mark = bench->n_asked;
	return bench;
}

static where_t complete_there(void) { return tagged(shut_off()); }
static where_t up(void) { return (where_t){.presence = HV_RUNNING, .persistent = true}; }

static void a_complete_definition_there_is_started_although_its_answer_was_lost(void **state)
{
	struct bench *bench = defining();

	(void)state;
	look_twice(bench, shut_off(), complete_there());
	assert_non_null(pending(bench, HV_START, "h2"));
	assert_int_equal(n_asked(bench, HV_START, "h1"), 0);
	reply_ok(bench, HV_START, "h2");
	look_twice(bench, shut_off(), tagged(up()));
	assert_true(record(bench)->state == MOVE_CLEANUP);
	end(bench);
}

static void without_a_definition_there_it_is_started_again_on_its_source(void **state)
{
	struct bench *bench = defining();

	(void)state;
	look_twice(bench, shut_off(), absent());
	assert_non_null(pending(bench, HV_START, "h1"));
	assert_int_equal(n_asked(bench, HV_START, "h2"), 0);
	reply_ok(bench, HV_START, "h1");
	look_twice(bench, up(), absent());
	assert_int_equal(n_asked(bench, HV_START, "h1"), 1);
	end(bench);
}

/* One look could have come too early for what was still under way. */
static void one_look_is_not_enough_to_start_it_anywhere(void **state)
{
	struct bench *bench = defining();
	where_t source = shut_off(), target = absent();

	(void)state;
	look(bench, &source, &target);
	assert_untouched(bench);
	end(bench);
}

static void a_guest_that_runs_on_both_hosts_is_left_to_the_operator(void **state)
{
	struct bench *bench = defining();

	(void)state;
	look_twice(bench, up(), up());
	assert_failed(bench, ERR_SPLIT_BRAIN);
	assert_untouched(bench);
	assert_true(record(bench)->error.hint[0] != '\0');
	end(bench);
}

static void a_definition_there_that_is_not_of_this_move_is_neither_started_nor_removed(void **state)
{
	struct bench *bench = defining();
	where_t source = shut_off(), target = shut_off();

	(void)state;
	look(bench, &source, &target);
	assert_failed(bench, ERR_TARGET_GUEST_EXISTS);
	assert_untouched(bench);
	assert_true(record(bench)->error.hint[0] != '\0');
	end(bench);
}

/* An earlier attempt's definition may lack what the guest has written since. */
static void nor_is_one_of_an_earlier_attempt(void **state)
{
	struct bench *bench = defining();
	where_t source = shut_off(), old = complete_there();

	(void)state;
	old.job_tag.epoch = record(bench)->epoch - 1;
	look(bench, &source, &old);
	assert_failed(bench, ERR_TARGET_GUEST_EXISTS);
	assert_untouched(bench);
	end(bench);
}

static void a_guest_that_is_on_neither_host_is_said_to_be_gone(void **state)
{
	struct bench *bench = defining();

	(void)state;
	look_twice(bench, absent(), absent());
	assert_failed(bench, ERR_GUEST_GONE);
	assert_untouched(bench);
	end(bench);
}

static void while_a_host_does_not_answer_nothing_is_concluded(void **state)
{
	struct bench *bench = defining();
	where_t source = shut_off();
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		look(bench, &source, NULL);
	assert_untouched(bench);
	assert_false(move_state_is_end(record(bench)->state));
	end(bench);
}

static void a_guest_that_somebody_started_on_its_source_stays_there(void **state)
{
	struct bench *bench = copying_cold();
	struct hv_reply failed = {0};

	(void)state;
	error_set(&failed.error, ERR_TARGET_POOL_SPACE, "no space left");
	reply(bench, HV_COPY, "h1", &failed);
	bench->mark = bench->n_asked;
	look_twice(bench, up(), absent());
	assert_int_equal(n_asked(bench, HV_START, "h1"), 0);
	assert_int_equal(n_asked(bench, HV_START, "h2"), 0);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	end(bench);
}

static void one_that_disappears_while_it_is_to_stop_is_gone(void **state)
{
	struct bench *bench = stopping(CANNOT_MOVE_COLD);
	where_t nowhere = absent();

	(void)state;
	say(bench, "h1", &nowhere);
	look_twice(bench, absent(), absent());
	assert_failed(bench, ERR_GUEST_GONE);
	end(bench);
}

static void one_that_does_not_stop_in_time_runs_on_and_the_hint_says_what_it_lacks(void **state)
{
	struct bench *bench = stopping(CANNOT_MOVE_COLD);
	where_t still = up();

	(void)state;
	wake(bench, bench->now_ms + bench->options.shutdown_timeout_ms + 1000);
	say(bench, "h1", &still);
	look_twice(bench, up(), absent());
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	assert_failed(bench, ERR_TIMEOUT);
	assert_non_null(strstr(record(bench)->error.hint, "shutdown_timeout"));
	end(bench);
}

/* Both sides of such a move are h1. */
static void look_in_place(struct bench *bench, where_t where)
{
	size_t i;

	until_asked(bench);
	for (i = 0; i < bench->n_asked; i++) {
		struct hv_reply answer = {.kind = HV_WHERE, .tag = bench->asked[i].tag, .where = where};
		struct event event = {.kind = EVENT_REPLY, .reply = &answer};

		if (bench->asked[i].kind != HV_WHERE || bench->asked[i].was_answered)
			continue;
		assert_string_equal(bench->asked[i].host, "h1");
		bench->asked[i].was_answered = true;
		turn(bench, &event);
	}
}

static struct bench *shut_down_in_place(void)
{
	struct bench *bench = stopping(CANNOT_MOVE_SHUTDOWN);
	where_t down = shut_off();

	say(bench, "h1", &down);
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	return bench;
}

static void a_guest_shut_down_in_place_needs_no_word_of_another_host(void **state)
{
	struct bench *bench = shut_down_in_place();

	(void)state;
	look_in_place(bench, shut_off());
	look_in_place(bench, shut_off());
	assert_int_equal(record(bench)->state, MOVE_DONE);
	assert_int_equal(n_asked(bench, HV_WHERE, "h2"), 0);
	end(bench);
}

static void one_that_vanished_instead_is_gone_and_not_shut_down(void **state)
{
	struct bench *bench = shut_down_in_place();

	(void)state;
	look_in_place(bench, absent());
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	look_in_place(bench, absent());
	assert_failed(bench, ERR_GUEST_GONE);
	end(bench);
}

static void one_that_was_started_again_by_its_owner_is_not_shut_down(void **state)
{
	struct bench *bench = shut_down_in_place();

	(void)state;
	look_in_place(bench, up());
	look_in_place(bench, up());
	assert_failed(bench, ERR_VERIFY_FAILED);
	assert_non_null(strstr(record(bench)->error.message, "was shut down, and is not any more"));
	assert_int_equal(n_asked(bench, HV_SHUTDOWN, "h1"), 1);
	end(bench);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_complete_definition_there_is_started_although_its_answer_was_lost),
	cmocka_unit_test(without_a_definition_there_it_is_started_again_on_its_source),
	cmocka_unit_test(one_look_is_not_enough_to_start_it_anywhere),
	cmocka_unit_test(a_guest_that_runs_on_both_hosts_is_left_to_the_operator),
	cmocka_unit_test(a_definition_there_that_is_not_of_this_move_is_neither_started_nor_removed),
	cmocka_unit_test(nor_is_one_of_an_earlier_attempt),
	cmocka_unit_test(a_guest_that_is_on_neither_host_is_said_to_be_gone),
	cmocka_unit_test(while_a_host_does_not_answer_nothing_is_concluded),
	cmocka_unit_test(a_guest_that_somebody_started_on_its_source_stays_there),
	cmocka_unit_test(one_that_disappears_while_it_is_to_stop_is_gone),
	cmocka_unit_test(one_that_does_not_stop_in_time_runs_on_and_the_hint_says_what_it_lacks),
	cmocka_unit_test(a_guest_shut_down_in_place_needs_no_word_of_another_host),
	cmocka_unit_test(one_that_vanished_instead_is_gone_and_not_shut_down),
	cmocka_unit_test(one_that_was_started_again_by_its_owner_is_not_shut_down),
};
TEST_MAIN(tests)
