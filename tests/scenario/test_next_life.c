/* A move that was not begun when drover ended, and a next life in which not everything is there that it needs: it is not forgotten, and
 * ends with the host or guest that is missing. */
#include "reconcile_bench.h"

/* The move of web from h1 to h2 is wanted, and drover ends before anything was done for it. */
static struct bench *asked_for(void)
{
	struct bench *bench = xcalloc(1, sizeof *bench);

	engine_options_init(&bench->options);
	bench->options.attempts_max = 1;
	bench->hypervisor = (struct hypervisor){.self = bench, .submit = submit};
	bench->store = store_memory_new(run_id);
	bench->now_ms = 1000;
	restore(bench);
	start_move(bench);
	engine_free(bench->engine);
	return bench;
}

/* Takes the inventory. */
static struct bench *next_life(struct inventory *inventory)
{
	struct bench *bench = asked_for();

	bench->now_ms += 1000;
	bench->mark = bench->n_asked;
	restore_with(bench, inventory);
	wake(bench, bench->now_ms);
	return bench;
}

/* It did not answer when drover was started, so its guests are not known. */
static struct inventory *silent_source(void)
{
	struct inventory *inventory = inventory_new();
	struct error err;
	int i;

	for (i = 1; i <= 2; i++) {
		struct host *host = inventory_add_host(inventory, i == 1 ? "h1" : "h2");

		host->memory_bytes = (uint64_t)1 << 34;
		host->reachable = i == 2;
	}
	error_set(&err, ERR_HOST_UNREACHABLE, "no route to host");
	inventory->hosts[0].down = err;
	return inventory;
}

static void with_the_same_hosts_it_is_begun(void **state)
{
	struct bench *bench = next_life(two_hosts(true));

	(void)state;
	assert_non_null(pending(bench, HV_PREFLIGHT, "h1"));
	end(bench);
}

static void without_its_target_it_fails_and_names_it(void **state)
{
	struct bench *bench = next_life(inventory_of(1, true));

	(void)state;
	assert_failed(bench, ERR_UNKNOWN_HOST);
	assert_non_null(strstr(record(bench)->error.message, "host h2 is not configured any more"));
	assert_int_equal(n_asked(bench, HV_PREFLIGHT, "h1"), 0);
	end(bench);
}

static void a_silent_source_is_waited_for_and_given_up_when_its_time_is_over(void **state)
{
	struct bench *bench = next_life(silent_source());
	struct move_live live;

	(void)state;
	assert_false(move_state_is_end(record(bench)->state));
	engine_move_live(bench->engine, 0, &live);
	assert_int_equal(live.waiting.code, ERR_WAIT_HOST);
	assert_non_null(strstr(live.waiting.message, "h1 has not answered since drover was started"));
	wake(bench, bench->now_ms + bench->options.host_down_ms / 2);
	assert_false(move_state_is_end(record(bench)->state));
	wake(bench, bench->now_ms + bench->options.host_down_ms);
	wake(bench, bench->now_ms + 2000);
	assert_failed(bench, ERR_HOST_UNREACHABLE);
	end(bench);
}

static void without_its_source_it_fails_and_names_it(void **state)
{
	struct inventory *inventory = inventory_new();
	struct bench *bench;

	(void)state;
	inventory_add_host(inventory, "h2")->memory_bytes = (uint64_t)1 << 34;
	bench = next_life(inventory);
	assert_failed(bench, ERR_UNKNOWN_HOST);
	assert_non_null(strstr(record(bench)->error.message, "host h1 is not configured any more"));
	end(bench);
}

/* What it has not told at the start is not known in this life. */
static void a_source_that_answers_later_ends_it_with_what_to_do(void **state)
{
	struct bench *bench = next_life(silent_source());
	struct hv_note up = {.kind = HV_NOTE_HOST_UP, .host = "h1"};
	struct event event = {.kind = EVENT_NOTE, .note = &up};

	(void)state;
	turn(bench, &event);
	wake(bench, bench->now_ms + 2000);
	assert_failed(bench, ERR_UNKNOWN_GUEST);
	assert_string_equal(record(bench)->error.hint, "the host answers now: ask for the move again");
	end(bench);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(without_its_source_it_fails_and_names_it),
	cmocka_unit_test(a_source_that_answers_later_ends_it_with_what_to_do),
	cmocka_unit_test(with_the_same_hosts_it_is_begun),
	cmocka_unit_test(without_its_target_it_fails_and_names_it),
	cmocka_unit_test(a_silent_source_is_waited_for_and_given_up_when_its_time_is_over),
};
TEST_MAIN(tests)
