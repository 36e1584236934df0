/* Which network a pair of hosts takes, and at which rate. */
#include <stdlib.h>

#include "network.h"
#include "planner_world.h"

static struct inventory *two_networks(void)
{
	struct inventory *inventory = inventory_new();
	struct migration_network *slow, *fast;
	struct host *host;

	world_host(inventory, "h1", 16 * GIB);
	host = world_host(inventory, "h2", 16 * GIB);
	host_add_link(host, "10.9.0.2/24")->rate_bytes_per_s = 1000000000;
	host_add_link(&inventory->hosts[0], "10.9.0.1/24")->rate_bytes_per_s = 1000000000;
	world_host(inventory, "h3", 16 * GIB);
	slow = inventory_add_network(inventory, "slow");
	slow->cidr = strdup("10.8.0.0/24");
	slow->order = 2;
	fast = inventory_add_network(inventory, "fast");
	fast->cidr = strdup("10.9.0.0/24");
	fast->order = 1;
	fast->reserve_percent = 20;
	world_seal(inventory);
	return inventory;
}

static void the_first_network_in_order_that_both_are_in_is_taken(void **state)
{
	struct inventory *inventory = two_networks();
	uint32_t network, a, b;
	struct error error;

	(void)state;
	assert_done(planner_network(inventory, 0, 1, &network, &a, &b, &error), error);
	assert_string_equal(inventory->networks[network].name, "fast");
	assert_int_equal(a, 1);
	assert_int_equal(b, 1);
	assert_done(planner_network(inventory, 0, 2, &network, &a, &b, &error), error);
	assert_string_equal(inventory->networks[network].name, "slow");
	assert_int_equal(a, 0);
	inventory_free(inventory);
}

static void the_reserve_is_taken_off_the_rate(void **state)
{
	struct inventory *inventory = two_networks();

	(void)state;
	assert_int_equal(planner_link_rate(inventory, 0, 0, 1), 800000000);
	assert_int_equal(planner_link_rate(inventory, 0, 1, 0), 100000000);
	assert_int_equal(planner_link_rate(inventory, 0, INDEX_NONE, 0), 100000000);
	inventory_free(inventory);
}

static void hosts_without_a_common_network_are_refused_by_name(void **state)
{
	struct inventory *inventory = inventory_new();
	struct migration_network *network;
	uint32_t which, a, b;
	struct error error;

	(void)state;
	world_host(inventory, "h1", GIB);
	free(world_host(inventory, "h2", GIB)->links[0].address);
	inventory->hosts[1].links[0].address = strdup("192.168.0.2");
	network = inventory_add_network(inventory, "migration");
	network->cidr = strdup("10.8.0.0/16");
	world_seal(inventory);
	assert_refused(planner_network(inventory, 0, 1, &which, &a, &b, &error), error, ERR_NO_MIGRATION_NETWORK);
	assert_string_equal(error.message,
		"no migration network shared by h1 and h2 (h2 has no address in 10.8.0.0/16)");
	inventory_free(inventory);
}

static void any_address_will_do_when_no_network_is_configured(void **state)
{
	struct inventory *inventory = inventory_new();
	uint32_t network, a, b;
	struct error error;

	(void)state;
	world_host(inventory, "h1", GIB);
	host_add_link(&inventory->hosts[0], "192.168.7.1/24");
	inventory_add_host(inventory, "h2");
	host_add_link(inventory_add_host(inventory, "h3"), "192.168.7.3/24");
	world_seal(inventory);
	assert_done(planner_network(inventory, 0, 1, &network, &a, &b, &error), error);
	assert_true(network == INDEX_NONE && b == INDEX_NONE && a == 0);
	assert_done(planner_network(inventory, 0, 2, &network, &a, &b, &error), error);
	assert_int_equal(a, 1);
	assert_int_equal(b, 0);
	inventory_free(inventory);
}

static void what_is_no_address_or_network_matches_nothing(void **state)
{
	static const char *const wrong[] = {"", "h1", "10.8.0", "10.8.0.256/24", "10.8.0.1/", "10.8.0.1/33", "10.8.0.1/-1", "10.8.0.1/x", "10.8.0.1/2x",
		"fd00::1/64", "100.100.100.100.100/24"};
	struct cidr all, one;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (cidr_parse(wrong[i], &all))
			fail_msg("%s is taken for an address", wrong[i]);
	assert_true(cidr_parse("0.0.0.0/0", &all) && cidr_contains(all, UINT32_MAX) && cidr_contains(all, 0));
	assert_true(cidr_parse("10.8.0.1", &one) && cidr_contains(one, one.address) && !cidr_contains(one, one.address + 1));
}

/* Two hosts that are in several subnets: the links that can reach each other, not the first ones. */
static void without_a_configured_network_the_links_of_one_subnet_are_taken(void **state)
{
	struct inventory *inventory = inventory_new();
	uint32_t network, a, b;
	struct error error;

	(void)state;
	host_add_link(inventory_add_host(inventory, "h1"), "fd00::1/64");
	host_add_link(&inventory->hosts[0], "10.1.0.1/24");
	host_add_link(&inventory->hosts[0], "10.2.0.1/24");
	host_add_link(inventory_add_host(inventory, "h2"), "fd00::2/64");
	host_add_link(&inventory->hosts[1], "10.3.0.2/24");
	host_add_link(&inventory->hosts[1], "10.2.0.2/16");
	world_seal(inventory);
	assert_done(planner_network(inventory, 0, 1, &network, &a, &b, &error), error);
	assert_int_equal(a, 2);
	assert_int_equal(b, 2);
	inventory_free(inventory);
}

/* What a run has found to carry nothing is left out, and so is what is no network at all. */
static void an_excluded_or_broken_network_leaves_the_next_one(void **state)
{
	struct inventory *inventory = two_networks();
	const bool excluded[] = {true, false};
	uint32_t network, a, b;
	struct error error;

	(void)state;
	assert_done(planner_network_but(inventory, 0, 1, excluded, &network, &a, &b, &error), error);
	assert_string_equal(inventory->networks[network].name, "slow");
	free(inventory->networks[0].cidr);
	inventory->networks[0].cidr = strdup("10.9.0.0/33");
	assert_done(planner_network(inventory, 0, 1, &network, &a, &b, &error), error);
	assert_string_equal(inventory->networks[network].name, "slow");
	inventory_free(inventory);
}

static void the_host_that_lacks_an_address_is_named_whichever_it_is(void **state)
{
	struct inventory *inventory = two_networks();
	const bool excluded[] = {false, true};
	uint32_t network, a, b;
	struct error error;

	(void)state;
	assert_refused(planner_network_but(inventory, 2, 0, excluded, &network, &a, &b, &error), error, ERR_NO_MIGRATION_NETWORK);
	assert_string_equal(error.message, "no migration network shared by h3 and h1 (h3 has no address in 10.9.0.0/24)");
	assert_string_equal(error.hint, "add one to [host h3] address");
	assert_refused(planner_network_but(inventory, 0, 2, excluded, &network, &a, &b, &error), error, ERR_NO_MIGRATION_NETWORK);
	assert_string_equal(error.hint, "add one to [host h3] address");
	inventory_free(inventory);
}

static void a_network_that_is_all_reserved_leaves_the_least(void **state)
{
	struct inventory *inventory = two_networks();

	(void)state;
	inventory->networks[0].reserve_percent = 100;
	assert_int_equal(planner_link_rate(inventory, 0, 0, 1), 1);
	inventory->hosts[0].links[1].rate_bytes_per_s = 0;
	assert_int_equal(planner_link_rate(inventory, 0, 0, 1), 0); /* unknown stays unknown */
	assert_int_equal(planner_link_rate(inventory, 0, INDEX_NONE, 7), 0);
	inventory_free(inventory);
}

static void a_link_is_in_the_network_of_its_address_or_in_none(void **state)
{
	struct inventory *inventory = two_networks();
	char *address;

	(void)state;
	host_add_link(&inventory->hosts[0], "fd00::1/64");
	host_add_link(&inventory->hosts[0], "172.16.0.1/24");
	assert_int_equal(network_of_link(inventory, 0, 0), 1);
	assert_int_equal(network_of_link(inventory, 0, 1), 0);
	assert_int_equal(network_of_link(inventory, 0, 2), INDEX_NONE);
	assert_int_equal(network_of_link(inventory, 0, 3), INDEX_NONE);
	assert_int_equal(network_of_link(inventory, 0, 4), INDEX_NONE);
	address = planner_address(inventory, 0, 2);
	assert_string_equal(address, "fd00::1");
	free(address);
	assert_null(planner_address(inventory, 0, 4));
	inventory_free(inventory);
}

/* A wide prefix on one side only: the other would answer by its gateway. */
static void links_that_see_each_other_one_way_only_are_not_a_pair(void **state)
{
	struct inventory *inventory = inventory_new();
	uint32_t network, a, b;
	struct error error;

	(void)state;
	host_add_link(inventory_add_host(inventory, "h1"), "10.1.0.1/24");
	host_add_link(&inventory->hosts[0], "10.2.0.1/16");
	host_add_link(inventory_add_host(inventory, "h2"), "10.3.0.2/24");
	host_add_link(&inventory->hosts[1], "10.2.9.2/24");
	world_seal(inventory);
	assert_done(planner_network(inventory, 0, 1, &network, &a, &b, &error), error);
	assert_true(a == 0 && b == 0);
	assert_done(planner_network(inventory, 1, 0, &network, &a, &b, &error), error);
	assert_true(a == 0 && b == 0);
	inventory_free(inventory);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_excluded_or_broken_network_leaves_the_next_one),
	cmocka_unit_test(the_host_that_lacks_an_address_is_named_whichever_it_is),
	cmocka_unit_test(a_network_that_is_all_reserved_leaves_the_least),
	cmocka_unit_test(a_link_is_in_the_network_of_its_address_or_in_none),
	cmocka_unit_test(links_that_see_each_other_one_way_only_are_not_a_pair),
	cmocka_unit_test(the_first_network_in_order_that_both_are_in_is_taken),
	cmocka_unit_test(the_reserve_is_taken_off_the_rate),
	cmocka_unit_test(hosts_without_a_common_network_are_refused_by_name),
	cmocka_unit_test(any_address_will_do_when_no_network_is_configured),
	cmocka_unit_test(what_is_no_address_or_network_matches_nothing),
	cmocka_unit_test(without_a_configured_network_the_links_of_one_subnet_are_taken),
};
TEST_MAIN(tests)
