/* The ledger: a move counts on both sides until it ends, and nothing leaks. */
#include "planner_world.h"

struct world {
	struct inventory *inventory;
	struct ledger *ledger;
};

/* Three hosts of 8 GiB with a pool of 6. h1 holds a (4 GiB, disk of 5) and b (3 GiB), h2 holds c (4 GiB), h3 holds d and e
 * (2 GiB each). a and c must not meet. */
static struct world three_hosts(void)
{
	struct world world = {.inventory = inventory_new()};
	struct plan_options options = world_options();
	const char *const names[] = {"h1", "h2", "h3"};
	struct rule *rule;
	uint32_t i;

	for (i = 0; i < 3; i++)
		world_pool(world_host(world.inventory, names[i], 8 * GIB), "images", 6 * GIB);
	world_disk(world_guest(world.inventory, "a", 0, 4 * GIB), "vda", "images", 5 * GIB);
	world_guest(world.inventory, "b", 0, 3 * GIB);
	world_guest(world.inventory, "c", 1, 4 * GIB);
	world_guest(world.inventory, "d", 2, 2 * GIB);
	world_guest(world.inventory, "e", 2, 2 * GIB);
	rule = inventory_add_rule(world.inventory, RULE_ANTI_AFFINITY);
	strings_add(&rule->guests, &rule->n_guests, "a");
	strings_add(&rule->guests, &rule->n_guests, "c");
	world_seal(world.inventory);
	world.ledger = ledger_new(world.inventory, &options);
	return world;
}

static void drop(struct world *world)
{
	ledger_free(world->ledger);
	inventory_free(world->inventory);
}

static enum error_code why(const struct world *world, uint32_t guest, uint32_t target)
{
	struct error error;

	error_clear(&error);
	planner_fits(world->inventory, world->ledger, guest, target, NULL, NULL, true, &error);
	return error.code;
}

static void a_move_takes_room_on_the_target_from_its_start(void **state)
{
	struct world world = three_hosts();

	(void)state;
	assert_int_equal(why(&world, 1, 1), ERR_NONE);
	assert_int_equal(why(&world, 3, 1), ERR_NONE);
	ledger_start(world.ledger, 1, 1, NULL, NULL);
	assert_int_equal(why(&world, 3, 1), ERR_TARGET_MEMORY);
	ledger_cancel(world.ledger, 1);
	assert_int_equal(why(&world, 1, 1), ERR_NONE);
	assert_int_equal(why(&world, 3, 1), ERR_NONE);
	drop(&world);
}

static void a_move_holds_room_on_the_source_until_its_end(void **state)
{
	struct world world = three_hosts();

	(void)state;
	ledger_start(world.ledger, 1, 1, NULL, NULL);
	assert_int_equal(why(&world, 4, 0), ERR_TARGET_MEMORY);
	ledger_finish(world.ledger, 1);
	assert_int_equal(why(&world, 4, 0), ERR_NONE);
	assert_int_equal(why(&world, 1, 0), ERR_NONE);
	assert_int_equal(why(&world, 1, 1), ERR_SAME_HOST);
	drop(&world);
}

static void a_guest_in_flight_counts_for_rules_on_both_hosts(void **state)
{
	struct world world = three_hosts();

	(void)state;
	ledger_start(world.ledger, 2, 0, NULL, NULL); /* the caller may; fits would refuse */
	assert_int_equal(why(&world, 0, 1), ERR_RULE_ANTI_AFFINITY);
	ledger_finish(world.ledger, 2);
	assert_int_equal(why(&world, 0, 1), ERR_NONE);
	drop(&world);
}

static void arrive(struct world *world, uint32_t guest, uint32_t target)
{
	ledger_start(world->ledger, guest, target, NULL, NULL);
	ledger_finish(world->ledger, guest);
	inventory_set_guest_host(world->inventory, guest, target);
}

static void space_in_a_pool_stays_promised_until_it_is_measured(void **state)
{
	struct world world = three_hosts();

	(void)state;
	assert_int_equal(why(&world, 0, 2), ERR_NONE);
	arrive(&world, 0, 2);
	arrive(&world, 0, 0);
	assert_int_equal(why(&world, 0, 2), ERR_TARGET_POOL_SPACE);
	ledger_update_host(world.ledger, 2);
	assert_int_equal(why(&world, 0, 2), ERR_NONE);
	drop(&world);
}

static void a_guest_that_was_shut_off_meanwhile_frees_its_room(void **state)
{
	struct world world = three_hosts();

	(void)state;
	world.inventory->guests[2].state = GUEST_SHUTOFF;
	assert_int_equal(why(&world, 0, 1), ERR_RULE_ANTI_AFFINITY);
	ledger_update_host(world.ledger, 1);
	assert_int_equal(why(&world, 0, 1), ERR_NONE);
	drop(&world);
}

static void the_nearest_miss_is_the_refusal_of_a_guest_without_target(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct ledger *ledger;
	struct error error;

	(void)state;
	world_host(inventory, "h1", 16 * GIB);
	world_host(inventory, "h2", 2 * GIB);
	world_host(inventory, "h3", 3 * GIB);
	world_host(inventory, "h4", 99 * GIB)->cordoned = true;
	world_guest(inventory, "web3", 0, 4 * GIB);
	world_seal(inventory);
	ledger = ledger_new(inventory, &options);
	error_clear(&error);
	assert_int_equal(planner_place(inventory, ledger, 0, NULL, NULL, NULL, &error), INDEX_NONE);
	assert_int_equal(error.code, ERR_TARGET_MEMORY);
	assert_non_null(strstr(error.message, "vm web3: 4.0 GiB needed, h3 has 3.0 GiB free"));
	assert_non_null(strstr(error.message, "the nearest of 3 hosts asked"));
	ledger_free(ledger);
	inventory_free(inventory);
}

static void explain_has_a_verdict_for_every_host(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct verdict verdicts[3];
	struct ledger *ledger;

	(void)state;
	world_host(inventory, "h1", 16 * GIB);
	world_host(inventory, "h2", 2 * GIB);
	world_host(inventory, "h3", 16 * GIB);
	world_guest(inventory, "web3", 0, 4 * GIB);
	world_seal(inventory);
	ledger = ledger_new(inventory, &options);
	planner_explain(inventory, ledger, 0, NULL, verdicts);
	assert_int_equal(verdicts[0].error.code, ERR_SAME_HOST);
	assert_int_equal(verdicts[1].error.code, ERR_TARGET_MEMORY);
	assert_true(verdicts[2].fits && verdicts[2].error.code == ERR_NONE);
	ledger_free(ledger);
	inventory_free(inventory);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_move_takes_room_on_the_target_from_its_start),
	cmocka_unit_test(a_move_holds_room_on_the_source_until_its_end),
	cmocka_unit_test(a_guest_in_flight_counts_for_rules_on_both_hosts),
	cmocka_unit_test(space_in_a_pool_stays_promised_until_it_is_measured),
	cmocka_unit_test(a_guest_that_was_shut_off_meanwhile_frees_its_room),
	cmocka_unit_test(the_nearest_miss_is_the_refusal_of_a_guest_without_target),
	cmocka_unit_test(explain_has_a_verdict_for_every_host),
};
TEST_MAIN(tests)
