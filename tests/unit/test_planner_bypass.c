/* Circles of guests that wait for each other's room: who goes by way of which third host, and when nobody can. */
#include <stdlib.h>

#include "planner_world.h"

static const char *name_of(const struct inventory *inventory, uint32_t host)
{
	return inventory->hosts[host].name;
}

static void assert_goes(const struct inventory *inventory, const struct plan *plan, const char *guest, const char *from, const char *to)
{
	const struct planned_move *move = world_move_of(inventory, plan, guest, 0);

	assert_non_null(move);
	assert_int_equal(move->leg, LEG_WHOLE);
	assert_string_equal(name_of(inventory, move->source), from);
	assert_string_equal(name_of(inventory, move->target), to);
	assert_null(world_move_of(inventory, plan, guest, 1));
}

static void assert_goes_through(const struct inventory *inventory, const struct plan *plan, const char *guest, const char *from,
	const char *through, const char *to)
{
	const struct planned_move *first = world_move_of(inventory, plan, guest, 0), *second = world_move_of(inventory, plan, guest, 1);

	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(first->leg, LEG_FIRST);
	assert_int_equal(second->leg, LEG_SECOND);
	assert_string_equal(name_of(inventory, first->source), from);
	assert_string_equal(name_of(inventory, first->target), through);
	assert_string_equal(name_of(inventory, second->source), through);
	assert_string_equal(name_of(inventory, second->target), to);
	assert_true(second->start_ms + 1 >= first->start_ms + first->duration_ms);
}

/* h1 and h2 swap a guest of 6 GiB each for one of 5, and have 8 each; h3 is empty. */
static struct inventory *swap(struct request *request)
{
	struct inventory *inventory = inventory_new();

	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_host(inventory, "h3", 8 * GIB);
	world_guest(inventory, "large", 0, 6 * GIB);
	world_guest(inventory, "small", 1, 5 * GIB);
	world_want(request, "large", "h2");
	world_want(request, "small", "h1");
	return inventory;
}

static void of_two_that_swap_the_smaller_goes_by_way_of_a_third_host(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_blocked, 0);
	assert_int_equal(plan->n_moves, 3);
	assert_goes_through(inventory, plan, "small", "h2", "h3", "h1");
	assert_goes(inventory, plan, "large", "h1", "h2");
	assert_string_equal(world_move_of(inventory, plan, "small", 0)->reason,
		"through h3, for h1 can take it only when it has left h2; place 1 in the order");
	assert_non_null(strstr(world_move_of(inventory, plan, "small", 1)->reason, "as asked, on from there; waits for room there"));
	world_clear(plan, request, inventory);
}

/* One after the other: 5 GiB, 6 GiB, 5 GiB at 100 MB/s. */
static void the_bound_counts_both_legs(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_in_range(plan->makespan_ms, 16 * 10737, 16 * 10738 + 10);
	assert_in_range(plan->lower_bound_ms, plan->makespan_ms * 999 / 1000, plan->makespan_ms);
	world_clear(plan, request, inventory);
}

static void a_circle_of_three_is_broken_by_one(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct plan *plan;
	const char *hosts[] = {"h1", "h2", "h3", "h4"}, *guests[] = {"a", "b", "c"};
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		world_host(inventory, hosts[i], 8 * GIB);
	for (i = 0; i < 3; i++) {
		world_guest(inventory, guests[i], i, (7 - i % 2) * GIB);
		world_want(request, guests[i], hosts[(i + 1) % 3]);
	}
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 4);
	assert_goes_through(inventory, plan, "b", "h2", "h4", "h3");
	assert_goes(inventory, plan, "a", "h1", "h2");
	assert_goes(inventory, plan, "c", "h3", "h1");
	world_clear(plan, request, inventory);
}

static void two_circles_are_broken_at_once_and_each_by_one(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct plan *plan;
	const char *hosts[] = {"h1", "h2", "h3", "h4", "h5"}, *guests[] = {"a", "b", "c", "d"};
	uint32_t i;

	(void)state;
	for (i = 0; i < 5; i++)
		world_host(inventory, hosts[i], 8 * GIB);
	for (i = 0; i < 4; i++) {
		world_guest(inventory, guests[i], i, (6 + i % 2) * GIB);
		world_want(request, guests[i], hosts[i ^ 1]);
	}
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 6);
	assert_goes_through(inventory, plan, "a", "h1", "h5", "h2");
	assert_goes_through(inventory, plan, "c", "h3", "h5", "h4");
	assert_goes(inventory, plan, "b", "h2", "h1");
	assert_goes(inventory, plan, "d", "h4", "h3");
	/* h5 holds only one of the two at a time */
	assert_true(world_move_of(inventory, plan, "c", 0)->start_ms + 1 >= world_move_of(inventory, plan, "a", 1)->start_ms ||
		world_move_of(inventory, plan, "a", 0)->start_ms + 1 >= world_move_of(inventory, plan, "c", 1)->start_ms);
	world_clear(plan, request, inventory);
}

static void many_small_ones_need_one_way_round_only(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct plan *plan;
	char name[16];
	int i;

	(void)state;
	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_host(inventory, "h3", 1 * GIB);
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof name, "g%d", i);
		world_guest(inventory, name, (uint32_t)i % 2, GIB);
		world_want(request, name, i % 2 == 0 ? "h2" : "h1");
	}
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 17);
	assert_int_equal(plan->n_blocked, 0);
	world_clear(plan, request, inventory);
}

/* One of the two small ones alone would not make room for the large one. */
static void the_least_that_helps_is_taken_and_not_the_least(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_host(inventory, "h3", 8 * GIB);
	world_guest(inventory, "large", 0, 8 * GIB);
	world_guest(inventory, "small1", 1, 4 * GIB);
	world_guest(inventory, "small2", 1, 4 * GIB);
	world_want(request, "large", "h2");
	world_want(request, "small1", "h1");
	world_want(request, "small2", "h1");
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 4);
	assert_goes_through(inventory, plan, "large", "h1", "h3", "h2");
	world_clear(plan, request, inventory);
}

/* It writes so much that it would be sent nearly twice, so that the larger one has fewer bytes. */
static void bytes_count_and_not_memory(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	inventory->guests[1].dirty_rate_bytes_per_s = 40000000;
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_goes_through(inventory, plan, "large", "h1", "h3", "h2");
	world_clear(plan, request, inventory);
}

/* A host that shares the guest's storage needs no copy of its disk. */
static void the_third_host_with_the_fewest_bytes_is_taken(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;
	uint32_t i;

	(void)state;
	world_host(inventory, "h4", 64 * GIB);
	for (i = 0; i < 4; i++)
		world_pool(&inventory->hosts[i], "nfs", 100 * GIB)->share_id = i == 2 ? NULL : strdup("filer");
	for (i = 0; i < 2; i++)
		world_disk(&inventory->guests[i], "vda", "nfs", 3 * GIB);
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_goes_through(inventory, plan, "small", "h2", "h4", "h1");
	assert_int_equal(world_move_of(inventory, plan, "small", 0)->disk_bytes, 0);
	assert_int_equal(world_move_of(inventory, plan, "small", 1)->disk_bytes, 0);
	world_clear(plan, request, inventory);
}

static void who_only_waits_behind_a_circle_is_not_sent_about(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	world_host(inventory, "h4", 8 * GIB);
	world_guest(inventory, "behind", 3, 4 * GIB);
	world_want(request, "behind", "h1"); /* which has no room for it beside small */
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 3);
	assert_int_equal(plan->n_blocked, 1);
	assert_string_equal(plan->blocked[0].name, "behind");
	assert_int_equal(plan->blocked[0].error.code, ERR_TARGET_MEMORY);
	world_clear(plan, request, inventory);
}

static void assert_blocked(struct request *request, struct inventory *inventory, const char *hint)
{
	struct plan_options options = world_options();
	struct plan *plan;

	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 0);
	assert_int_equal(plan->n_blocked, 2);
	assert_int_equal(plan->blocked[0].error.code, ERR_INFEASIBLE);
	assert_int_equal(plan->blocked[1].error.code, ERR_INFEASIBLE);
	if (strstr(plan->blocked[0].error.hint, hint) == NULL)
		fail_msg("no \"%s\" in: %s", hint, plan->blocked[0].error.hint);
	world_clear(plan, request, inventory);
}

static void without_room_on_any_third_host_it_is_blocked_with_what_is_lacking(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);

	(void)state;
	world_guest(inventory, "there", 2, 4 * GIB);
	assert_blocked(request, inventory, "no third host takes one of them: vm small: 5.0 GiB needed, h3 has 4.0 GiB free");
}

static void a_third_host_that_may_not_run_it_is_no_way(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct rule *rule = inventory_add_rule(inventory, RULE_NEVER_ON);

	(void)state;
	strings_add(&rule->guests, &rule->n_guests, "small");
	strings_add(&rule->guests, &rule->n_guests, "large");
	strings_add(&rule->hosts, &rule->n_hosts, "h3");
	assert_blocked(request, inventory, "no third host takes one of them: vm small: ");
}

static void a_rule_against_the_smaller_sends_the_larger(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct rule *rule = inventory_add_rule(inventory, RULE_NEVER_ON);
	struct plan *plan;

	(void)state;
	strings_add(&rule->guests, &rule->n_guests, "small");
	strings_add(&rule->hosts, &rule->n_hosts, "h3");
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_goes_through(inventory, plan, "large", "h1", "h3", "h2");
	world_clear(plan, request, inventory);
}

static void a_cordoned_host_is_no_way(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);

	(void)state;
	inventory->hosts[2].cordoned = true;
	assert_blocked(request, inventory, "no third host takes one of them");
}

static void with_two_hosts_there_is_no_way(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();

	(void)state;
	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_guest(inventory, "a", 0, 6 * GIB);
	world_guest(inventory, "b", 1, 6 * GIB);
	world_want(request, "a", "h2");
	world_want(request, "b", "h1");
	assert_blocked(request, inventory, "no other host has any: make room for one of them");
}

static void when_one_of_them_elsewhere_is_not_enough_that_is_said(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_host(inventory, "h3", 4 * GIB);
	world_guest(inventory, "large", 0, 8 * GIB);
	world_guest(inventory, "small1", 1, 4 * GIB);
	world_guest(inventory, "small2", 1, 4 * GIB);
	world_want(request, "large", "h2");
	world_want(request, "small1", "h1");
	world_want(request, "small2", "h1");
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 0);
	assert_int_equal(plan->n_blocked, 3);
	assert_non_null(strstr(plan->blocked[0].error.hint, "one of them on a third host would not make enough"));
	world_clear(plan, request, inventory);
}

/* What keeps them apart is a rule and not room. */
static void guests_that_must_be_apart_swap_through_a_third_host(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct rule *rule = inventory_add_rule(inventory, RULE_ANTI_AFFINITY);
	struct plan *plan;
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		inventory->hosts[i].memory_bytes = 64 * GIB;
	strings_add(&rule->guests, &rule->n_guests, "small");
	strings_add(&rule->guests, &rule->n_guests, "large");
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 3);
	assert_goes_through(inventory, plan, "small", "h2", "h3", "h1");
	assert_true(world_move_of(inventory, plan, "large", 0)->start_ms + 1 >=
		world_move_of(inventory, plan, "small", 0)->start_ms + world_move_of(inventory, plan, "small", 0)->duration_ms);
	assert_true(world_move_of(inventory, plan, "small", 1)->start_ms + 1 >=
		world_move_of(inventory, plan, "large", 0)->start_ms + world_move_of(inventory, plan, "large", 0)->duration_ms);
	world_clear(plan, request, inventory);
}

/* The request's names are those of the place where the guest is wanted. */
static void the_host_on_the_way_is_asked_for_the_names_of_the_source(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct inventory *inventory = swap(request);
	struct plan_options options = world_options();
	struct plan *plan;
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		strings_add(&inventory->hosts[i].networks, &inventory->hosts[i].n_networks, "old");
	for (i = 0; i < 2; i++) {
		strings_add(&inventory->hosts[i].networks, &inventory->hosts[i].n_networks, "new");
		strings_add(&inventory->guests[i].interfaces, &inventory->guests[i].n_interfaces, "old");
	}
	name_map_add(&request->nets, &request->n_nets, "old", "new");
	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_blocked, 0);
	assert_goes_through(inventory, plan, "small", "h2", "h3", "h1");
	world_clear(plan, request, inventory);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(of_two_that_swap_the_smaller_goes_by_way_of_a_third_host),
	cmocka_unit_test(the_bound_counts_both_legs),
	cmocka_unit_test(a_circle_of_three_is_broken_by_one),
	cmocka_unit_test(two_circles_are_broken_at_once_and_each_by_one),
	cmocka_unit_test(many_small_ones_need_one_way_round_only),
	cmocka_unit_test(the_least_that_helps_is_taken_and_not_the_least),
	cmocka_unit_test(bytes_count_and_not_memory),
	cmocka_unit_test(the_third_host_with_the_fewest_bytes_is_taken),
	cmocka_unit_test(who_only_waits_behind_a_circle_is_not_sent_about),
	cmocka_unit_test(without_room_on_any_third_host_it_is_blocked_with_what_is_lacking),
	cmocka_unit_test(a_third_host_that_may_not_run_it_is_no_way),
	cmocka_unit_test(a_rule_against_the_smaller_sends_the_larger),
	cmocka_unit_test(a_cordoned_host_is_no_way),
	cmocka_unit_test(with_two_hosts_there_is_no_way),
	cmocka_unit_test(when_one_of_them_elsewhere_is_not_enough_that_is_said),
	cmocka_unit_test(guests_that_must_be_apart_swap_through_a_third_host),
	cmocka_unit_test(the_host_on_the_way_is_asked_for_the_names_of_the_source),
};
TEST_MAIN(tests)
