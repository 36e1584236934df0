/* By which network a move goes, and what is said when it does not go as it should. */
#include "reconcile_bench.h"

static struct inventory *two_networks(bool shows_paths)
{
	struct inventory *inventory = two_hosts(true);
	const char *const addresses[2][2] = {{"10.8.0.1/24", "10.9.0.1/24"}, {"10.8.0.2/24", "10.9.0.2/24"}};
	size_t i, k;

	for (i = 0; i < 2; i++) {
		struct migration_network *network = inventory_add_network(inventory, i == 0 ? "fast" : "spare");

		network->cidr = xstrdup(i == 0 ? "10.8.0.0/24" : "10.9.0.0/24");
		network->order = (int32_t)i;
		inventory->hosts[i].shows_paths = shows_paths;
		for (k = 0; k < 2; k++)
			host_add_link(&inventory->hosts[i], addresses[i][k]);
	}
	return inventory;
}

/* A preflight is awaited. */
static struct bench *begun_with(bool fallback, uint32_t attempts_max)
{
	struct bench *bench = xcalloc(1, sizeof *bench);

	engine_options_init(&bench->options);
	bench->options.attempts_max = attempts_max;
	bench->options.network_fallback = fallback;
	bench->hypervisor = (struct hypervisor){.self = bench, .submit = submit};
	bench->store = store_memory_new(run_id);
	bench->now_ms = 1000;
	restore_with(bench, two_networks(true));
	start_move(bench);
	return bench;
}

static struct bench *begun(bool fallback)
{
	return begun_with(fallback, 1);
}

static void network_is_down(struct bench *bench)
{
	struct hv_reply answer = {0};

	error_set(&answer.error, ERR_NETWORK_DOWN, "host h1 gets no answer");
	reply(bench, HV_PREFLIGHT, "h1", &answer);
}

static void the_preferred_network_comes_first(void **state)
{
	struct bench *bench = begun(true);

	(void)state;
	assert_string_equal(record(bench)->network, "fast");
	assert_string_equal(record(bench)->path_target, "10.8.0.2");
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	end(bench);
}

static void the_next_network_is_used_when_that_is_allowed_and_said(void **state)
{
	struct bench *bench = begun(true);

	(void)state;
	network_is_down(bench);
	assert_non_null(pending(bench, HV_PREFLIGHT, "h1"));
	assert_string_equal(record(bench)->network, "spare");
	assert_string_equal(record(bench)->path_target, "10.9.0.2");
	assert_int_equal(record(bench)->warning.code, ERR_NETWORK_FALLBACK);
	assert_int_equal(record(bench)->attempts, 1);
	end(bench);
}

static void otherwise_the_move_fails_with_the_reason(void **state)
{
	struct bench *bench = begun(false);

	(void)state;
	network_is_down(bench);
	assert_int_equal(record(bench)->state, MOVE_FAILED);
	assert_int_equal(record(bench)->error.code, ERR_NETWORK_DOWN);
	assert_string_equal(record(bench)->network, "fast");
	end(bench);
}

static void when_no_network_carries_the_move_fails(void **state)
{
	struct bench *bench = begun(true);

	(void)state;
	network_is_down(bench);
	network_is_down(bench);
	assert_int_equal(record(bench)->state, MOVE_FAILED);
	assert_int_equal(record(bench)->error.code, ERR_NETWORK_DOWN);
	end(bench);
}

/* The preflight fails for another reason, and its move begins anew at that time. */
static void begin_anew(struct bench *bench, int64_t at_ms)
{
	struct hv_reply answer = {0};
	int i;

	error_set(&answer.error, ERR_TIMEOUT, "h1 was slow");
	reply(bench, HV_PREFLIGHT, "h1", &answer);
	for (i = 0; i < 20 && pending(bench, HV_PREFLIGHT, "h1") == NULL; i++)
		wake(bench, at_ms + i * 1000);
	assert_non_null(pending(bench, HV_PREFLIGHT, "h1"));
}

static void a_network_that_was_down_is_left_alone_for_a_while_and_then_tried_again(void **state)
{
	struct bench *bench = begun_with(true, 9);

	(void)state;
	network_is_down(bench);
	begin_anew(bench, bench->now_ms + 60000);
	assert_string_equal(record(bench)->network, "spare");
	begin_anew(bench, bench->now_ms + 300000);
	assert_string_equal(record(bench)->network, "fast");
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	network_is_down(bench);
	assert_string_equal(record(bench)->network, "spare");
	end(bench);
}

/* Some memory has been sent. */
static void sample(struct bench *bench, uint64_t processed)
{
	struct hv_reply answer = {.stats = {.phase = HV_PHASE_MEMORY, .memory_total_bytes = 1 << 30, .memory_processed_bytes = processed,
		.memory_remaining_bytes = (1 << 30) - processed}};

	wake(bench, bench->now_ms + 1000);
	if (pending(bench, HV_STATS, "h1") != NULL)
		reply(bench, HV_STATS, "h1", &answer);
}

static struct bench *on_the_wire(bool shows_paths)
{
	struct bench *bench = copying_of(two_networks(shows_paths), false);

	sample(bench, 1 << 20);
	return bench;
}

static void shows(struct bench *bench, const char *source_address)
{
	struct hv_reply answer = {.path = {.bytes = 1 << 20}};

	snprintf(answer.path.source_address, sizeof answer.path.source_address, "%s", source_address);
	reply(bench, HV_PATH, "h1", &answer);
}

static void the_right_path_is_recorded_and_makes_no_noise(void **state)
{
	struct bench *bench = on_the_wire(true);

	(void)state;
	shows(bench, "10.8.0.1");
	assert_string_equal(record(bench)->path_source, "10.8.0.1");
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	sample(bench, 2 << 20);
	assert_int_equal(n_asked(bench, HV_PATH, "h1"), 1);
	end(bench);
}

static void a_wrong_path_is_a_warning_with_address_and_network(void **state)
{
	struct bench *bench = on_the_wire(true);

	(void)state;
	shows(bench, "10.9.0.1");
	assert_int_equal(record(bench)->warning.code, ERR_WRONG_PATH);
	assert_non_null(strstr(record(bench)->warning.message, "10.9.0.1"));
	assert_non_null(strstr(record(bench)->warning.message, "fast (10.8.0.0/24)"));
	assert_true(record(bench)->state == MOVE_COPYING_MEMORY);
	end(bench);
}

static void a_host_that_shows_nothing_is_said_to_be_unproven_and_left_alone(void **state)
{
	struct bench *bench = on_the_wire(true);
	uint64_t sent = 2 << 20;
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		if (pending(bench, HV_PATH, "h1") != NULL)
			shows(bench, "");
		sample(bench, sent += 1 << 20);
	}
	assert_int_equal(record(bench)->warning.code, ERR_PATH_UNPROVEN);
	assert_null(record(bench)->path_source);
	assert_int_equal(n_asked(bench, HV_PATH, "h1"), 10);
	end(bench);
}

static void a_host_that_cannot_show_its_connections_is_not_asked(void **state)
{
	struct bench *bench = on_the_wire(false);

	(void)state;
	assert_null(pending(bench, HV_PATH, "h1"));
	assert_string_equal(record(bench)->path_target, "10.8.0.2");
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	end(bench);
}

static void without_a_configured_network_any_way_is_right_and_recorded(void **state)
{
	struct inventory *inventory = two_hosts(true);
	struct bench *bench;

	(void)state;
	host_add_link(&inventory->hosts[0], "10.8.0.1/24");
	host_add_link(&inventory->hosts[1], "10.8.0.2/24");
	inventory->hosts[0].shows_paths = true;
	bench = copying_of(inventory, false);
	sample(bench, 1 << 20);
	shows(bench, "192.168.0.1");
	assert_string_equal(record(bench)->path_source, "192.168.0.1");
	assert_string_equal(record(bench)->path_target, "10.8.0.2");
	assert_null(record(bench)->network);
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	end(bench);
}

static void an_address_that_cannot_be_read_is_not_in_the_network(void **state)
{
	struct bench *bench = on_the_wire(true);

	(void)state;
	shows(bench, "fe80::1");
	assert_int_equal(record(bench)->warning.code, ERR_WRONG_PATH);
	assert_non_null(strstr(record(bench)->warning.message, "fe80::1"));
	end(bench);
}

/* The command itself fails, each time. */
static void why_a_path_is_unproven_is_said(void **state)
{
	struct bench *bench = on_the_wire(true);
	uint64_t sent = 2 << 20;
	int i;

	(void)state;
	for (i = 0; i < 30; i++) {
		struct hv_reply answer = {0};

		error_set(&answer.error, ERR_TIMEOUT, "ss: not found");
		if (pending(bench, HV_PATH, "h1") != NULL)
			reply(bench, HV_PATH, "h1", &answer);
		sample(bench, sent += 1 << 20);
	}
	assert_int_equal(record(bench)->warning.code, ERR_PATH_UNPROVEN);
	assert_non_null(strstr(record(bench)->warning.message, "after 10 looks: ss: not found"));
	end(bench);
}

static void an_answer_that_comes_when_all_is_over_changes_nothing(void **state)
{
	struct bench *bench = on_the_wire(true);
	struct hv_reply failed = {0};

	(void)state;
	error_set(&failed.error, ERR_TIMEOUT, "it was aborted");
	assert_non_null(pending(bench, HV_PATH, "h1"));
	reply(bench, HV_MIGRATE, "h1", &failed);
	shows(bench, "10.9.0.1");
	assert_null(record(bench)->path_source);
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	end(bench);
}

/* libvirt says it moved; both hosts agree, and both are put in order. */
static void arrives(struct bench *bench)
{
	struct hv_reply source = {.where.presence = HV_ABSENT}, target = {.where = {.presence = HV_RUNNING, .persistent = true}};

	reply_ok(bench, HV_MIGRATE, "h1");
	assert_int_equal(record(bench)->state, MOVE_VERIFYING);
	reply(bench, HV_WHERE, "h1", &source);
	reply(bench, HV_WHERE, "h2", &target);
	assert_int_equal(record(bench)->state, MOVE_CLEANUP);
}

static void is_put_in_order(struct bench *bench)
{
	reply_ok(bench, HV_FINISH_TARGET, "h2");
	reply_ok(bench, HV_FINISH_SOURCE, "h1");
	assert_int_equal(record(bench)->state, MOVE_DONE);
}

static void a_move_that_is_over_before_its_path_was_seen_says_so(void **state)
{
	struct bench *bench = on_the_wire(true);

	(void)state;
	shows(bench, "");
	arrives(bench);
	is_put_in_order(bench);
	assert_int_equal(record(bench)->warning.code, ERR_PATH_UNPROVEN);
	assert_non_null(strstr(record(bench)->warning.message, "the move was over before h1 had shown a connection to 10.8.0.2"));
	end(bench);
}

static void a_host_that_cannot_show_its_connections_is_not_warned_of_at_the_end(void **state)
{
	struct bench *bench = on_the_wire(false);

	(void)state;
	arrives(bench);
	is_put_in_order(bench);
	assert_int_equal(record(bench)->warning.code, ERR_NONE);
	end(bench);
}

static void a_look_that_ends_after_the_copy_still_tells_its_path(void **state)
{
	struct bench *bench = on_the_wire(true);

	(void)state;
	arrives(bench);
	shows(bench, "10.9.0.1");
	assert_int_equal(record(bench)->warning.code, ERR_WRONG_PATH);
	is_put_in_order(bench);
	assert_string_equal(record(bench)->path_source, "10.9.0.1");
	end(bench);
}

/* A move of a second or two has to be looked at more than once. */
static void the_second_look_comes_soon(void **state)
{
	struct bench *bench = on_the_wire(true);
	struct hv_reply answer = {.stats = {.phase = HV_PHASE_MEMORY, .memory_processed_bytes = 2 << 20, .memory_remaining_bytes = 1 << 20}};

	(void)state;
	shows(bench, "");
	wake(bench, bench->now_ms + bench->options.stats_interval_ms);
	reply(bench, HV_STATS, "h1", &answer);
	shows(bench, "10.8.0.1");
	assert_string_equal(record(bench)->path_source, "10.8.0.1");
	end(bench);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_move_that_is_over_before_its_path_was_seen_says_so),
	cmocka_unit_test(a_host_that_cannot_show_its_connections_is_not_warned_of_at_the_end),
	cmocka_unit_test(a_look_that_ends_after_the_copy_still_tells_its_path),
	cmocka_unit_test(the_second_look_comes_soon),
	cmocka_unit_test(a_network_that_was_down_is_left_alone_for_a_while_and_then_tried_again),
	cmocka_unit_test(without_a_configured_network_any_way_is_right_and_recorded),
	cmocka_unit_test(an_address_that_cannot_be_read_is_not_in_the_network),
	cmocka_unit_test(why_a_path_is_unproven_is_said),
	cmocka_unit_test(an_answer_that_comes_when_all_is_over_changes_nothing),
	cmocka_unit_test(the_preferred_network_comes_first),
	cmocka_unit_test(the_next_network_is_used_when_that_is_allowed_and_said),
	cmocka_unit_test(otherwise_the_move_fails_with_the_reason),
	cmocka_unit_test(when_no_network_carries_the_move_fails),
	cmocka_unit_test(the_right_path_is_recorded_and_makes_no_noise),
	cmocka_unit_test(a_wrong_path_is_a_warning_with_address_and_network),
	cmocka_unit_test(a_host_that_shows_nothing_is_said_to_be_unproven_and_left_alone),
	cmocka_unit_test(a_host_that_cannot_show_its_connections_is_not_asked),
};

TEST_MAIN(tests)
