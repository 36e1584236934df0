/* What a plan takes links to carry: shared ones, unknown ones, and what earlier moves have shown. */
#include <stdlib.h>

#include "planner_world.h"

enum { BYTES = 1000000000 }; /* of a guest: ten seconds on a link of world_host */

/* Guest a on h1 and guest b on h2, and two more hosts. */
static struct inventory *racks(void)
{
	struct inventory *inventory = inventory_new();
	char name[16];
	uint32_t i;

	for (i = 1; i <= 4; i++) {
		snprintf(name, sizeof name, "h%u", i);
		world_host(inventory, name, 64 * GIB);
	}
	world_guest(inventory, "a", 0, BYTES);
	world_guest(inventory, "b", 1, BYTES);
	return inventory;
}

static struct shared_link *share(struct inventory *inventory, const char *name, const char *first, const char *second, uint64_t rate)
{
	struct shared_link *link = inventory_add_shared_link(inventory, name);

	link->rate_bytes_per_s = rate;
	strings_add(&link->hosts, &link->n_hosts, first);
	strings_add(&link->hosts, &link->n_hosts, second);
	return link;
}

/* Seconds of a plan that moves guests to these hosts; NULL = it stays. Takes the inventory. */
static int64_t seconds(struct inventory *inventory, const char *a_to, const char *b_to, const struct plan_options *options)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;
	int64_t ms;

	if (a_to != NULL)
		request_add_move(request, "a")->to = strdup(a_to);
	if (b_to != NULL)
		request_add_move(request, "b")->to = strdup(b_to);
	world_seal(inventory);
	plan = world_plan(inventory, request, options);
	assert_int_equal(plan->n_blocked, 0);
	ms = plan->makespan_ms;
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
	return (ms + 500) / 1000;
}

static void a_shared_link_bounds_only_what_crosses_it(void **state)
{
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	share(inventory, "rack1", "h1", "h2", 10000000);
	assert_int_equal(seconds(inventory, "h2", NULL, &options), 10); /* within it */
	inventory = racks();
	share(inventory, "rack1", "h1", "h2", 10000000);
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 100); /* out of it */
	inventory = racks();
	share(inventory, "rack2", "h3", "h4", 10000000);
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 100); /* into it */
	inventory = racks();
	share(inventory, "rack2", "h3", "h4", 10000000);
	assert_int_equal(seconds(inventory, "h2", NULL, &options), 10); /* past it */
}

static void of_nested_shared_links_the_narrowest_bounds(void **state)
{
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	share(inventory, "rack1", "h1", "h2", 50000000);
	share(inventory, "room1", "h1", "h2", 20000000);
	share(inventory, "rack2", "h3", "h4", 40000000);
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 50);
}

static void a_shared_link_of_unknown_rate_bounds_nothing(void **state)
{
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	share(inventory, "rack1", "h1", "h2", 0);
	assert_int_equal(seconds(inventory, "h3", "h4", &options), 10);
}

static void a_host_that_is_named_twice_or_not_known_changes_nothing(void **state)
{
	struct plan_options options = world_options();
	struct inventory *inventory = racks();
	struct shared_link *link = share(inventory, "rack1", "h1", "h1", 50000000);

	(void)state;
	strings_add(&link->hosts, &link->n_hosts, "h99");
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 20);
}

/* Of two moves, how many are planned with a rate that nobody wrote down and nothing has shown. Takes the inventory. */
static size_t assumed(struct inventory *inventory, const struct plan_options *options)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;
	size_t i, n = 0;

	request_add_move(request, "a")->to = strdup("h3");
	request_add_move(request, "b")->to = strdup("h4");
	world_seal(inventory);
	plan = world_plan(inventory, request, options);
	for (i = 0; i < plan->n_moves; i++)
		n += plan->moves[i].rate_is_assumed;
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
	return n;
}

static void a_rate_is_called_assumed_until_the_link_is_configured_or_has_carried_something(void **state)
{
	struct path_rate same = {.source = "h1", .target = "h3", .memory_bytes_per_s = 50000000, .samples = 1};
	struct path_rate other = {.source = "h1", .target = "h2", .memory_bytes_per_s = 50000000, .samples = 1};
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	share(inventory, "rack1", "h1", "h2", 0); /* of unknown rate: taken to be wide */
	assert_int_equal(assumed(inventory, &options), 0);
	inventory = racks();
	inventory->hosts[0].links[0].rate_bytes_per_s = 0;
	assert_int_equal(assumed(inventory, &options), 1);
	options.n_paths = 1;
	options.paths = &other;
	inventory = racks();
	inventory->hosts[0].links[0].rate_bytes_per_s = 0;
	assert_int_equal(assumed(inventory, &options), 0); /* out of h1 */
	inventory = racks();
	inventory->hosts[0].links[0].rate_bytes_per_s = inventory->hosts[2].links[0].rate_bytes_per_s = 0;
	assert_int_equal(assumed(inventory, &options), 1); /* into h3 */
	options.paths = &same;
	inventory = racks();
	inventory->hosts[0].links[0].rate_bytes_per_s = inventory->hosts[2].links[0].rate_bytes_per_s = 0;
	assert_int_equal(assumed(inventory, &options), 0);
}

/* A link whose rate nobody wrote down has the best that was ever seen on it, from any pair. */
static void what_one_pair_has_shown_an_unknown_link_can_do_for_another(void **state)
{
	struct path_rate paths[] = {
		{.source = "h1", .target = "h4", .memory_bytes_per_s = 50000000, .samples = 2},
		{.source = "h2", .target = "h4", .memory_bytes_per_s = 40000000, .samples = 2},
	};
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	options.default_link_rate_bytes_per_s = 20000000;
	inventory->hosts[0].links[0].rate_bytes_per_s = 0;
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 50); /* the default */
	options.paths = paths;
	options.n_paths = 2;
	inventory = racks();
	inventory->hosts[0].links[0].rate_bytes_per_s = 0;
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 20);
}

static void what_was_measured_between_hosts_that_are_not_there_any_more_is_left_out(void **state)
{
	struct path_rate paths[] = {
		{.source = "gone", .target = "h3", .memory_bytes_per_s = 1000, .samples = 2},
		{.source = "h1", .target = "gone", .memory_bytes_per_s = 1000, .samples = 2},
		{.source = "h1", .target = "h1", .memory_bytes_per_s = 1000, .samples = 2},
		{.source = "h1", .target = "h3", .memory_bytes_per_s = 25000000, .samples = 2},
	};
	struct plan_options options = world_options();

	(void)state;
	options.paths = paths;
	options.n_paths = 3;
	assert_int_equal(seconds(racks(), "h3", NULL, &options), 10);
	options.n_paths = 4;
	assert_int_equal(seconds(racks(), "h3", NULL, &options), 40);
}

/* h4 has left the network since it was measured. */
static void a_measured_pair_without_a_common_network_is_left_out(void **state)
{
	struct path_rate path = {.source = "h1", .target = "h4", .memory_bytes_per_s = 900000000, .samples = 2};
	struct plan_options options = world_options();
	struct inventory *inventory = racks();

	(void)state;
	options.paths = &path;
	options.n_paths = 1;
	inventory_add_network(inventory, "broken")->cidr = strdup("not a network");
	inventory_add_network(inventory, "migration")->cidr = strdup("10.8.0.0/24");
	free(inventory->hosts[3].links[0].address);
	inventory->hosts[3].links[0].address = strdup("192.168.0.4/24");
	assert_int_equal(seconds(inventory, "h3", NULL, &options), 10);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_shared_link_bounds_only_what_crosses_it),
	cmocka_unit_test(of_nested_shared_links_the_narrowest_bounds),
	cmocka_unit_test(a_shared_link_of_unknown_rate_bounds_nothing),
	cmocka_unit_test(a_host_that_is_named_twice_or_not_known_changes_nothing),
	cmocka_unit_test(a_rate_is_called_assumed_until_the_link_is_configured_or_has_carried_something),
	cmocka_unit_test(what_one_pair_has_shown_an_unknown_link_can_do_for_another),
	cmocka_unit_test(what_was_measured_between_hosts_that_are_not_there_any_more_is_left_out),
	cmocka_unit_test(a_measured_pair_without_a_common_network_is_left_out),
};
TEST_MAIN(tests)
