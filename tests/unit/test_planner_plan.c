/* Whole plans: placement, order, times, bound, refusals; and what must hold for any plan at all. */
#include <stdlib.h>

#include "planner_world.h"

static struct inventory *cluster(uint32_t n_hosts, uint64_t memory_bytes)
{
	struct inventory *inventory = inventory_new();
	char name[16];
	uint32_t i;

	for (i = 0; i < n_hosts; i++) {
		snprintf(name, sizeof name, "h%u", i + 1);
		world_host(inventory, name, memory_bytes);
	}
	return inventory;
}

static struct wanted_move *want(struct request *request, const char *guest, const char *to)
{
	struct wanted_move *move = request_add_move(request, guest);

	move->to = to != NULL ? strdup(to) : NULL;
	return move;
}

static struct request *refused(const struct inventory *inventory, struct request *request, enum error_code code,
	struct error *ret_error)
{
	struct plan_options options = world_options();
	struct plan *plan = NULL;

	assert_refused(planner_plan(inventory, request, &options, &plan, ret_error), *ret_error, code);
	assert_null(plan);
	return request;
}

static void a_drain_keeps_the_source_link_full_to_the_bound(void **state)
{
	struct inventory *inventory = cluster(4, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "g%d", i);
		world_guest(inventory, name, 0, 1000000000);
	}
	inventory->guests[7].memory_bytes = 1000000001;
	world_seal(inventory);
	options.setup_ms = 700;
	options.finish_ms = 300;
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 12);
	/* 12 GB at 100 MB/s, and setup and finish once: all other setups are hidden */
	assert_int_equal(plan->lower_bound_ms, 121000);
	assert_in_range(plan->makespan_ms, 121000, 121010);
	assert_int_equal(plan->bottleneck_host, 0);
	assert_int_equal(plan->bottleneck_direction, DIRECTION_OUT);
	assert_int_equal(plan->bottleneck_guest, 7);
	assert_non_null(strstr(plan->bottleneck_text, "h1 out: 12 guests, "));
	assert_non_null(strstr(plan->bottleneck_text, "the largest g7: "));
	assert_string_equal(plan->last_text, "");
	world_clear(plan, request, inventory);
}

static void without_prestaging_each_setup_is_paid(void **state)
{
	struct inventory *inventory = cluster(2, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;

	(void)state;
	world_guest(inventory, "a", 0, 1000000000);
	world_guest(inventory, "b", 0, 1000000000);
	world_seal(inventory);
	options.setup_ms = 700;
	options.prestage = 0;
	plan = world_plan(inventory, request, &options);
	assert_in_range(plan->makespan_ms, 21400, 21405);
	world_clear(plan, request, inventory);
}

static void a_drain_spreads_over_equal_hosts(void **state)
{
	struct inventory *inventory = cluster(5, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	size_t per_host[5] = {0}, i;
	struct plan *plan;
	char name[16];

	(void)state;
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "g%zu", i);
		world_guest(inventory, name, 0, GIB);
	}
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	for (i = 0; i < plan->n_moves; i++)
		per_host[plan->moves[i].target]++;
	assert_int_equal(per_host[0], 0);
	for (i = 1; i < 5; i++)
		assert_int_equal(per_host[i], 5);
	world_clear(plan, request, inventory);
}

static void drained_cordoned_and_closed_hosts_take_nobody(void **state)
{
	struct inventory *inventory = cluster(6, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;
	size_t i;

	(void)state;
	strings_add(&request->hosts, &request->n_hosts, "h2");
	inventory->hosts[2].cordoned = true;
	inventory->hosts[3].reachable = false;
	inventory->hosts[4].incoming = false;
	world_guest(inventory, "a", 0, GIB);
	world_guest(inventory, "b", 1, GIB);
	world_guest(inventory, "off", 0, GIB)->state = GUEST_SHUTOFF;
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 2);
	assert_int_equal(plan->n_blocked, 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(plan->moves[i].target, 5);
	world_clear(plan, request, inventory);
}

static void a_guest_that_cannot_move_is_blocked_and_the_others_go(void **state)
{
	struct inventory *inventory = cluster(2, 8 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;

	(void)state;
	world_guest(inventory, "gpu", 0, GIB)->hostdevs = 1;
	world_guest(inventory, "big", 0, 16 * GIB);
	world_guest(inventory, "web", 0, GIB);
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 1);
	assert_int_equal(plan->moves[0].guest, 2);
	assert_int_equal(plan->n_blocked, 2);
	assert_string_equal(plan->blocked[0].name, "gpu");
	assert_int_equal(plan->blocked[0].error.code, ERR_GUEST_HOSTDEV);
	assert_int_equal(plan->blocked[1].error.code, ERR_TARGET_MEMORY);
	world_clear(plan, request, inventory);
}

static void priority_goes_before_everything(void **state)
{
	struct inventory *inventory = cluster(2, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;

	(void)state;
	world_guest(inventory, "large", 0, 8 * GIB);
	world_guest(inventory, "small", 0, GIB)->priority = 5;
	world_guest(inventory, "middle", 0, 4 * GIB);
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->moves[0].guest, 1);
	assert_int_equal(plan->moves[0].start_ms, 0);
	assert_true(plan->moves[1].start_ms >= plan->moves[0].duration_ms - 1);
	world_clear(plan, request, inventory);
}

static void senseless_requests_fail_as_a_whole(void **state)
{
	struct inventory *inventory = cluster(2, 8 * GIB);
	struct request *request = request_new(REQUEST_BATCH);
	struct error error;

	(void)state;
	world_guest(inventory, "web1", 0, GIB);
	world_seal(inventory);
	request_free(refused(inventory, world_drain("h9"), ERR_UNKNOWN_HOST, &error));
	want(request, "web1", "h2")->where = strdup("moves.csv line 2");
	want(request, "web1", "h2")->where = strdup("moves.csv line 7");
	refused(inventory, request, ERR_DUPLICATE_GUEST, &error);
	assert_string_equal(error.message, "vm web1 is named twice: moves.csv line 2 and moves.csv line 7");
	request_free(request);
	request = request_new(REQUEST_MOVE);
	want(request, "nobody", "h2");
	request_free(refused(inventory, request, ERR_UNKNOWN_GUEST, &error));
	request = request_new(REQUEST_MOVE);
	want(request, "web1", "h9");
	request_free(refused(inventory, request, ERR_UNKNOWN_HOST, &error));
	inventory_free(inventory);
}

static void a_wrong_from_and_a_move_to_itself_are_blocked(void **state)
{
	struct inventory *inventory = cluster(3, 8 * GIB);
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_guest(inventory, "a", 0, GIB);
	world_guest(inventory, "b", 1, GIB);
	world_seal(inventory);
	want(request, "a", "h2")->from = strdup("h3");
	want(request, "b", "h2");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 0);
	assert_int_equal(plan->blocked[0].error.code, ERR_GUEST_ELSEWHERE);
	assert_int_equal(plan->blocked[1].error.code, ERR_SAME_HOST);
	world_clear(plan, request, inventory);
}

/* Two guests of one name: the operator says which by its host, and neither ever goes where the other is. */
static void of_two_guests_of_one_name_the_host_tells_which_is_meant(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_MOVE);
	struct wanted_move *wanted;
	struct plan *plan = NULL;
	struct error error;

	(void)state;
	world_host(inventory, "h1", 16 * GIB);
	world_host(inventory, "h2", 16 * GIB);
	world_host(inventory, "h3", 16 * GIB);
	snprintf(world_guest(inventory, "web", 0, GIB)->uuid, UUID_TEXT_SIZE, "00000000-0000-4000-8000-000000000001");
	snprintf(world_guest(inventory, "web", 1, GIB)->uuid, UUID_TEXT_SIZE, "00000000-0000-4000-8000-000000000002");
	world_seal(inventory);
	wanted = request_add_move(request, "web");
	wanted->where = strdup("line 2");
	assert_refused(planner_plan(inventory, request, &options, &plan, &error), error, ERR_AMBIGUOUS_GUEST);
	assert_non_null(strstr(error.message, "line 2"));
	wanted->from = strdup("h9");
	assert_refused(planner_plan(inventory, request, &options, &plan, &error), error, ERR_AMBIGUOUS_GUEST);
	free(wanted->from);
	wanted->from = strdup("h3");
	assert_refused(planner_plan(inventory, request, &options, &plan, &error), error, ERR_AMBIGUOUS_GUEST);
	free(wanted->from);
	wanted->from = strdup("h2");
	assert_done(planner_plan(inventory, request, &options, &plan, &error), error);
	assert_int_equal(plan->n_moves, 1);
	assert_int_equal(plan->moves[0].guest, 1);
	assert_int_equal(plan->moves[0].target, 2); /* h1 is as free, but has its namesake */
	plan_free(plan);
	wanted->to = strdup("h1");
	assert_done(planner_plan(inventory, request, &options, &plan, &error), error);
	assert_int_equal(plan->n_moves, 0);
	assert_int_equal(plan->blocked[0].error.code, ERR_TARGET_GUEST_EXISTS);
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
}

static void a_move_waits_for_the_one_that_makes_room(void **state)
{
	struct inventory *inventory = cluster(3, 8 * GIB);
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_guest(inventory, "a", 0, 6 * GIB);
	world_guest(inventory, "b", 1, 6 * GIB);
	world_seal(inventory);
	want(request, "a", "h2");
	want(request, "b", "h3");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 2);
	assert_int_equal(plan->moves[0].guest, 1);
	assert_int_equal(plan->moves[1].after, 0);
	assert_true(plan->moves[1].start_ms >= plan->moves[0].duration_ms - 1);
	world_clear(plan, request, inventory);
}

static void guests_that_wait_for_each_other_are_infeasible(void **state)
{
	struct inventory *inventory = cluster(2, 8 * GIB);
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_guest(inventory, "a", 0, 6 * GIB);
	world_guest(inventory, "b", 1, 6 * GIB);
	world_seal(inventory);
	want(request, "a", "h2");
	want(request, "b", "h1");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 0);
	assert_int_equal(plan->n_blocked, 2);
	assert_int_equal(plan->blocked[0].error.code, ERR_INFEASIBLE);
	assert_non_null(strstr(plan->blocked[0].error.message, "6.0 GiB needed, h2 has 2.0 GiB free"));
	world_clear(plan, request, inventory);
}

static void measured_rates_stand_above_nominal_ones(void **state)
{
	struct inventory *inventory = cluster(2, 64 * GIB);
	struct plan_options options = world_options();
	struct path_rate path = {.source = "h1", .target = "h2", .memory_bytes_per_s = 25000000, .samples = 4};
	struct request *request = world_drain("h1");
	struct plan *plan;

	(void)state;
	options.efficiency_milli = 500;
	options.paths = &path;
	options.n_paths = 1;
	world_guest(inventory, "a", 0, 1000000000);
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->moves[0].rate_bytes_per_s, 25000000);
	assert_in_range(plan->makespan_ms, 40000, 40001);
	world_clear(plan, request, inventory);
}

static void a_shared_link_bounds_moves_between_racks(void **state)
{
	struct inventory *inventory = cluster(4, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct shared_link *rack = inventory_add_shared_link(inventory, "rack1");
	struct plan *plan;

	(void)state;
	rack->rate_bytes_per_s = 100000000;
	strings_add(&rack->hosts, &rack->n_hosts, "h1");
	strings_add(&rack->hosts, &rack->n_hosts, "h2");
	world_guest(inventory, "a", 0, 1000000000);
	world_guest(inventory, "b", 1, 1000000000);
	world_seal(inventory);
	want(request, "a", "h3");
	want(request, "b", "h4");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->lower_bound_ms, 20000);
	assert_in_range(plan->makespan_ms, 20000, 20002);
	assert_int_equal(plan->bottleneck_direction, DIRECTION_SHARED);
	world_clear(plan, request, inventory);
}

static void a_configured_number_of_moves_is_never_exceeded(void **state)
{
	struct inventory *inventory = cluster(8, 64 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct plan *plan;
	int i;

	(void)state;
	for (i = 1; i < 4; i++) {
		char name[16];

		snprintf(name, sizeof name, "h%d", i + 1);
		strings_add(&request->hosts, &request->n_hosts, name);
		snprintf(name, sizeof name, "g%d", i);
		world_guest(inventory, name, (uint32_t)i, 1000000000);
	}
	world_seal(inventory);
	options.max_migrations = 1;
	plan = world_plan(inventory, request, &options);
	assert_in_range(plan->makespan_ms, 30000, 30003);
	assert_int_equal(plan->lower_bound_ms, 30000);
	world_clear(plan, request, inventory);
}

static void companions_go_to_one_host_with_room_for_all(void **state)
{
	struct inventory *inventory = cluster(3, 8 * GIB);
	struct plan_options options = world_options();
	struct request *request = world_drain("h1");
	struct rule *rule = inventory_add_rule(inventory, RULE_AFFINITY);
	struct plan *plan;
	size_t i;

	(void)state;
	inventory->hosts[1].memory_bytes = 5 * GIB;
	strings_add(&rule->groups, &rule->n_groups, "app");
	world_guest(inventory, "a", 0, 4 * GIB);
	world_guest(inventory, "b", 0, 3 * GIB);
	for (i = 0; i < 2; i++)
		strings_add(&inventory->guests[i].groups, &inventory->guests[i].n_groups, "app");
	world_guest(inventory, "fill", 2, GIB);
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 2);
	assert_int_equal(plan->moves[0].target, 2);
	assert_int_equal(plan->moves[1].target, 2);
	world_clear(plan, request, inventory);
}

static void levelling_moves_from_full_to_empty_and_stops(void **state)
{
	struct inventory *inventory = cluster(2, 16 * GIB);
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_REBALANCE);
	struct plan *plan;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "g%d", i);
		world_guest(inventory, name, 0, GIB);
	}
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 6);
	world_clear(plan, request, inventory);
}

/* Random worlds */
static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static struct inventory *random_world(uint64_t *state)
{
	uint32_t n_hosts = 3 + (uint32_t)(draw(state) % 6), n_guests = 5 + (uint32_t)(draw(state) % 40), i;
	uint64_t spare = draw(state) % 2 == 0 ? 12 : 3; /* with little, guests wait for each other in circles */
	struct inventory *inventory = cluster(n_hosts, 0);
	char name[16];

	for (i = 0; i < n_guests; i++) {
		uint32_t host = (uint32_t)(draw(state) % n_hosts);
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = world_guest(inventory, name, host, (1 + draw(state) % 4) * GIB);
		guest->dirty_rate_bytes_per_s = draw(state) % 3 == 0 ? draw(state) % 60000000 : 0;
		inventory->hosts[host].memory_bytes += guest->memory_bytes;
	}
	for (i = 0; i < n_hosts; i++) {
		inventory->hosts[i].memory_bytes += draw(state) % spare * GIB;
		inventory->hosts[i].max_outgoing = (uint32_t)(draw(state) % 4);
	}
	world_seal(inventory);
	return inventory;
}

/* Each to the host of its neighbour: circles, where room is little. */
static void random_swaps(const struct inventory *inventory, struct request *request, uint64_t *state)
{
	uint32_t i, step = 1 + (uint32_t)(draw(state) % 3);

	for (i = 0; i + step < inventory->n_guests; i += 1 + step)
		if (inventory->guests[i].host != inventory->guests[i + step].host) {
			want(request, inventory->guests[i].name, inventory->hosts[inventory->guests[i + step].host].name);
			want(request, inventory->guests[i + step].name, inventory->hosts[inventory->guests[i].host].name);
		}
}

static struct request *random_request(const struct inventory *inventory, uint64_t *state)
{
	struct request *request;
	char name[16];
	uint32_t i;

	if (draw(state) % 3 == 0)
		return world_drain("h1");
	request = request_new(REQUEST_BATCH);
	if (draw(state) % 2 == 0) {
		random_swaps(inventory, request, state);
		return request;
	}
	for (i = 0; i < inventory->n_guests; i++) {
		if (draw(state) % 2 == 0)
			continue;
		snprintf(name, sizeof name, "h%u", (unsigned)(draw(state) % inventory->n_hosts) + 1);
		want(request, inventory->guests[i].name, draw(state) % 4 == 0 ? NULL : name)->priority = (int32_t)(draw(state) % 3);
	}
	return request;
}

/* Memory of a host at a moment: those there from the start and not gone, and those on their way or arrived. Ends are
 * rounded up and starts down by less than 2 ms, so that much overlap is none. */
static uint64_t memory_at(const struct inventory *inventory, const struct plan *plan, uint32_t host, int64_t at_ms)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < inventory->n_guests; i++)
		bytes += inventory->guests[i].host == host ? inventory->guests[i].memory_bytes : 0;
	for (i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];

		if (move->source == host && move->start_ms + move->duration_ms <= at_ms + 2)
			bytes -= inventory->guests[move->guest].memory_bytes;
		if (move->target == host && move->start_ms <= at_ms)
			bytes += inventory->guests[move->guest].memory_bytes;
	}
	return bytes;
}

/* A guest is moved once, or by way of a third host: then it goes on from there when it has come. Ends are rounded up, starts down. */
static void check_leg(const struct planned_move *before, const struct planned_move *move)
{
	if (before == NULL) {
		assert_true(move->leg != LEG_SECOND);
		return;
	}
	assert_true(before->leg == LEG_FIRST && move->leg == LEG_SECOND);
	assert_int_equal(move->source, before->target);
	assert_int_not_equal(move->target, before->source);
	assert_true(move->start_ms + 2 > before->start_ms + before->duration_ms);
}

static void check_plan(const struct inventory *inventory, const struct plan *plan, uint64_t seed)
{
	const struct planned_move **last = calloc(inventory->n_guests, sizeof(struct planned_move *));
	size_t i;
	uint32_t host;

	assert_non_null(last);
	for (i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];

		check_leg(last[move->guest], move);
		last[move->guest] = move;
		assert_true(i == 0 || move->start_ms >= plan->moves[i - 1].start_ms);
		assert_true(move->start_ms + move->duration_ms <= plan->makespan_ms + 1);
		assert_true(move->after == INDEX_NONE || move->after < i);
		for (host = 0; host < inventory->n_hosts; host++)
			if (memory_at(inventory, plan, host, move->start_ms) > inventory->hosts[host].memory_bytes)
				fail_msg("seed %llu: host %u is overfull at %lld ms", (unsigned long long)seed, host,
					(long long)move->start_ms);
	}
	for (i = 0; i < plan->n_blocked; i++)
		assert_true(plan->blocked[i].error.code != ERR_NONE && plan->blocked[i].error.message[0] != '\0');
	if (plan->lower_bound_ms > plan->makespan_ms)
		fail_msg("seed %llu: bound %lld over makespan %lld", (unsigned long long)seed,
			(long long)plan->lower_bound_ms, (long long)plan->makespan_ms);
	free(last);
}

static void any_plan_respects_memory_order_and_bound(void **state)
{
	uint64_t seed;
	size_t n_moves = 0, n_after = 0, n_legs = 0, i;

	(void)state;
	for (seed = 1; seed <= 400; seed++) {
		uint64_t random = seed * 7919;
		struct inventory *inventory = random_world(&random);
		struct request *request = random_request(inventory, &random);
		struct plan_options options = world_options();
		struct plan *plan;

		options.setup_ms = 500;
		options.finish_ms = 200;
		options.prestage = (uint32_t)(draw(&random) % 3);
		options.max_migrations = draw(&random) % 4 == 0 ? 3 : 0;
		options.search_evaluations = 20;
		plan = world_plan(inventory, request, &options);
		check_plan(inventory, plan, seed);
		n_moves += plan->n_moves;
		for (i = 0; i < plan->n_moves; i++) {
			n_after += plan->moves[i].after != INDEX_NONE;
			n_legs += plan->moves[i].leg == LEG_SECOND;
		}
		world_clear(plan, request, inventory);
	}
	/* the worlds must be tight enough to mean something */
	assert_true(n_moves > 1000 && n_after > 50 && n_legs > 20);
}

static void the_same_input_gives_the_same_plan(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 20; seed++) {
		uint64_t random = seed * 104729;
		struct inventory *inventory = random_world(&random);
		struct request *request = random_request(inventory, &random);
		struct plan_options options = world_options();
		struct plan *one, *two;

		options.search_evaluations = 50;
		one = world_plan(inventory, request, &options);
		two = world_plan(inventory, request, &options);
		assert_int_equal(one->n_moves, two->n_moves);
		if (one->n_moves > 0)
			assert_memory_equal(one->moves, two->moves, one->n_moves * sizeof *one->moves);
		plan_free(two);
		world_clear(one, request, inventory);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_drain_keeps_the_source_link_full_to_the_bound),
	cmocka_unit_test(without_prestaging_each_setup_is_paid),
	cmocka_unit_test(a_drain_spreads_over_equal_hosts),
	cmocka_unit_test(drained_cordoned_and_closed_hosts_take_nobody),
	cmocka_unit_test(a_guest_that_cannot_move_is_blocked_and_the_others_go),
	cmocka_unit_test(priority_goes_before_everything),
	cmocka_unit_test(senseless_requests_fail_as_a_whole),
	cmocka_unit_test(a_wrong_from_and_a_move_to_itself_are_blocked),
	cmocka_unit_test(of_two_guests_of_one_name_the_host_tells_which_is_meant),
	cmocka_unit_test(a_move_waits_for_the_one_that_makes_room),
	cmocka_unit_test(guests_that_wait_for_each_other_are_infeasible),
	cmocka_unit_test(measured_rates_stand_above_nominal_ones),
	cmocka_unit_test(a_shared_link_bounds_moves_between_racks),
	cmocka_unit_test(a_configured_number_of_moves_is_never_exceeded),
	cmocka_unit_test(companions_go_to_one_host_with_room_for_all),
	cmocka_unit_test(levelling_moves_from_full_to_empty_and_stops),
	cmocka_unit_test(any_plan_respects_memory_order_and_bound),
	cmocka_unit_test(the_same_input_gives_the_same_plan),
};
TEST_MAIN(tests)
