/* Levelling: who gives, who takes, and what counts as load. */
#include <stdlib.h>

#include "planner_world.h"

/* Hosts of 16 GiB with this many guests of 1 GiB each. */
static struct inventory *loaded(const int *n_guests, uint32_t n_hosts)
{
	struct inventory *inventory = inventory_new();
	char name[32];
	uint32_t i;
	int k;

	for (i = 0; i < n_hosts; i++) {
		snprintf(name, sizeof name, "h%u", i + 1);
		world_host(inventory, name, 16 * GIB);
	}
	for (i = 0; i < n_hosts; i++)
		for (k = 0; k < n_guests[i]; k++) {
			snprintf(name, sizeof name, "g%u-%d", i + 1, k);
			world_guest(inventory, name, i, GIB);
		}
	return inventory;
}

static struct plan *levelled(struct inventory *inventory)
{
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_REBALANCE);
	struct plan *plan;

	world_seal(inventory);
	plan = world_plan(inventory, request, &options);
	request_free(request);
	return plan;
}

static size_t n_to(const struct plan *plan, uint32_t target)
{
	size_t n = 0, i;

	for (i = 0; i < plan->n_moves; i++)
		n += plan->moves[i].target == target;
	return n;
}

static void clear(struct plan *plan, struct inventory *inventory)
{
	plan_free(plan);
	inventory_free(inventory);
}

static void cpu_that_is_really_used_is_load_too(void **state)
{
	struct inventory *inventory = loaded((const int[]){4, 4}, 2);
	struct plan *plan;
	uint32_t i;

	(void)state;
	inventory->hosts[0].cpus = inventory->hosts[1].cpus = 4;
	inventory->hosts[0].cpu_overcommit_milli = inventory->hosts[1].cpu_overcommit_milli = 10000;
	for (i = 0; i < 4; i++)
		inventory->guests[i].cpu_load_milli = 900; /* all of them on h1 */
	plan = levelled(inventory);
	assert_int_equal(plan->n_moves, 2);
	assert_int_equal(n_to(plan, 1), 2);
	clear(plan, inventory);
}

static void what_a_stopped_guest_had_used_is_none(void **state)
{
	struct inventory *inventory = loaded((const int[]){4, 4}, 2);
	struct plan *plan;
	uint32_t i;

	(void)state;
	inventory->hosts[0].cpus = inventory->hosts[1].cpus = 4;
	for (i = 0; i < 4; i++) {
		inventory->guests[i].cpu_load_milli = 900;
		inventory->guests[i].state = GUEST_SHUTOFF;
	}
	plan = levelled(inventory);
	assert_int_equal(n_to(plan, 1), 0);
	clear(plan, inventory);
}

static void the_emptiest_of_many_hosts_are_filled(void **state)
{
	static const int n_guests[] = {14, 9, 8, 8, 7, 7, 6, 6, 5, 5, 0, 1};
	struct inventory *inventory = loaded(n_guests, 12);
	struct plan *plan = levelled(inventory);
	size_t i;

	(void)state;
	assert_true(n_to(plan, 10) >= 4 && n_to(plan, 11) >= 3);
	for (i = 0; i < plan->n_moves; i++)
		assert_true(plan->moves[i].target >= 8);
	clear(plan, inventory);
}

static void a_host_that_takes_none_stays_empty(void **state)
{
	struct inventory *inventory = loaded((const int[]){12, 0, 4, 0, 0}, 5);
	struct plan *plan;

	(void)state;
	inventory->hosts[1].cordoned = true;
	inventory->hosts[3].reachable = false;
	inventory->hosts[4].incoming = false;
	plan = levelled(inventory);
	assert_int_equal(plan->n_moves, 4);
	assert_int_equal(n_to(plan, 2), 4);
	clear(plan, inventory);
}

static void a_host_that_gives_none_stays_full(void **state)
{
	struct inventory *inventory = loaded((const int[]){12, 8, 12, 2}, 4);
	struct plan *plan;
	size_t i;

	(void)state;
	inventory->hosts[0].outgoing = false;
	inventory->hosts[2].reachable = false;
	plan = levelled(inventory);
	assert_int_equal(plan->n_moves, 3);
	for (i = 0; i < plan->n_moves; i++)
		assert_int_equal(inventory->guests[plan->moves[i].guest].host, 1);
	clear(plan, inventory);
}

static void guests_that_cannot_go_stay_and_others_go_in_their_place(void **state)
{
	struct inventory *inventory = loaded((const int[]){8, 0}, 2);
	struct plan *plan;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		inventory->guests[i].hostdevs = 1;
	strings_add(&inventory->hosts[0].networks, &inventory->hosts[0].n_networks, "br-dmz");
	strings_add(&inventory->hosts[1].networks, &inventory->hosts[1].n_networks, "br-lan");
	strings_add(&inventory->guests[3].interfaces, &inventory->guests[3].n_interfaces, "br-dmz"); /* h2 has none */
	plan = levelled(inventory);
	assert_int_equal(plan->n_moves, 4);
	assert_int_equal(plan->n_blocked, 0);
	for (i = 0; i < plan->n_moves; i++)
		assert_true(plan->moves[i].guest > 3);
	clear(plan, inventory);
}

static void a_host_that_reserves_more_than_it_has_is_emptied(void **state)
{
	struct inventory *inventory = loaded((const int[]){2, 8}, 2);
	struct plan *plan;

	(void)state;
	inventory->hosts[0].memory_reserve_bytes = 32 * GIB;
	plan = levelled(inventory);
	assert_int_equal(plan->n_moves, 2);
	assert_int_equal(n_to(plan, 1), 2);
	clear(plan, inventory);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(cpu_that_is_really_used_is_load_too),
	cmocka_unit_test(what_a_stopped_guest_had_used_is_none),
	cmocka_unit_test(the_emptiest_of_many_hosts_are_filled),
	cmocka_unit_test(a_host_that_takes_none_stays_empty),
	cmocka_unit_test(a_host_that_gives_none_stays_full),
	cmocka_unit_test(guests_that_cannot_go_stay_and_others_go_in_their_place),
	cmocka_unit_test(a_host_that_reserves_more_than_it_has_is_emptied),
};
TEST_MAIN(tests)
