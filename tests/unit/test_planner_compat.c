/* Every hard filter: one world in which web1 fits h2, broken in one way each time. */
#include <stdlib.h>

#include "planner_world.h"

struct world {
	struct inventory *inventory;
	struct guest *web;   /* on h1, disk in pool images, network br-lan */
	struct host *target; /* h2 */
	struct request *request;
};

/* Hosts and guests first, so that the pointers stay; each test changes things and calls asked(). */
static struct world fitting(void)
{
	struct world world = {.inventory = inventory_new(), .request = request_new(REQUEST_MOVE)};
	uint32_t i;

	world_host(world.inventory, "h1", 8 * GIB);
	world_host(world.inventory, "h2", 8 * GIB);
	for (i = 0; i < 2; i++) {
		struct host *host = &world.inventory->hosts[i];

		host->memory_reserve_bytes = GIB;
		host->cpus = 2;
		host->cpu_overcommit_milli = 1500;
		host->cpu_model = strdup("EPYC-Rome");
		strings_add(&host->networks, &host->n_networks, "br-lan");
		world_pool(host, "images", 10 * GIB);
	}
	world_guest(world.inventory, "web1", 0, 4 * GIB);
	world_guest(world.inventory, "db", 1, 2 * GIB);
	world.web = &world.inventory->guests[0];
	world.target = &world.inventory->hosts[1];
	world_disk(world.web, "vda", "images", 5 * GIB);
	strings_add(&world.web->interfaces, &world.web->n_interfaces, "br-lan");
	world.web->cpu_model = strdup("EPYC-Rome");
	return world;
}

static struct error asked(struct world *world)
{
	struct plan_options options = world_options();
	struct ledger *ledger;
	struct error error;

	error_clear(&error);
	world_seal(world->inventory);
	ledger = ledger_new(world->inventory, &options);
	planner_fits(world->inventory, ledger, 0, 1, world->request, NULL, true, &error);
	ledger_free(ledger);
	inventory_free(world->inventory);
	request_free(world->request);
	return error;
}

static void a_guest_that_fits_is_not_refused(void **state)
{
	struct world world = fitting();

	(void)state;
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void hosts_that_are_closed_are_refused(void **state)
{
	struct world world = fitting();

	(void)state;
	world.target->cordoned = true;
	assert_int_equal(asked(&world).code, ERR_HOST_CORDONED);
	world = fitting();
	world.target->reachable = false;
	assert_int_equal(asked(&world).code, ERR_HOST_UNREACHABLE);
	world = fitting();
	world.target->incoming = false;
	assert_int_equal(asked(&world).code, ERR_HOST_INCOMING_OFF);
	world = fitting();
	world.web->host = 1;
	assert_int_equal(asked(&world).code, ERR_SAME_HOST);
	world = fitting();
	world.request->kind = REQUEST_DRAIN;
	strings_add(&world.request->hosts, &world.request->n_hosts, "h2");
	assert_int_equal(asked(&world).code, ERR_BEING_DRAINED);
}

static void a_return_goes_to_the_cordoned_host_it_names(void **state)
{
	struct world world = fitting();

	(void)state;
	world.target->cordoned = true;
	world.request->kind = REQUEST_RETURN;
	strings_add(&world.request->hosts, &world.request->n_hosts, "h2");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void missing_memory_is_refused_with_both_numbers(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world.inventory->guests[1].memory_bytes = 4 * GIB;
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_MEMORY);
	assert_string_equal(error.message, "vm web1: 4.0 GiB needed, h2 has 3.0 GiB free (8.0 GiB less 1.0 GiB reserved and "
		"4.0 GiB of 1 guests there or on their way)");
}

static void a_guest_that_is_shut_off_takes_no_room(void **state)
{
	struct world world = fitting();

	(void)state;
	world.inventory->guests[1].memory_bytes = 4 * GIB;
	world.inventory->guests[1].state = GUEST_SHUTOFF;
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void missing_cpus_are_refused_with_both_numbers(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world.web->vcpus = 3; /* 2 CPUs times 1.5 are 3, and db has one */
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_CPU);
	assert_string_equal(error.message,
		"vm web1: 3 virtual CPUs needed, h2 has 2 left (2 CPUs times 1.5 less 1 in use or on their way)");
}

static void another_cpu_model_is_refused_unless_every_host_has_it(void **state)
{
	struct world world = fitting();

	(void)state;
	free(world.target->cpu_model);
	world.target->cpu_model = strdup("Skylake-Server");
	assert_int_equal(asked(&world).code, ERR_TARGET_CPU_MODEL);
	world = fitting();
	free(world.target->cpu_model);
	world.target->cpu_model = strdup("Skylake-Server");
	free(world.web->cpu_model);
	world.web->cpu_model = strdup("qemu64");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void a_missing_network_is_refused_and_a_mapping_helps(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	strings_add(&world.web->interfaces, &world.web->n_interfaces, "br-dmz");
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_NETWORK_MISSING);
	assert_non_null(strstr(error.message, "br-dmz"));
	world = fitting();
	strings_add(&world.web->interfaces, &world.web->n_interfaces, "br-dmz");
	name_map_add(&world.request->nets, &world.request->n_nets, "br-dmz", "br-lan");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void pools_are_checked_for_name_and_space(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world_disk(world.web, "vdb", "images", 6 * GIB);
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_POOL_SPACE);
	assert_non_null(strstr(error.message, "11.0 GiB needed for its disks, pool images of h2 has 10.0 GiB free"));
	world = fitting();
	world.request->to_pool = strdup("fast");
	assert_int_equal(asked(&world).code, ERR_TARGET_POOL_MISSING);
	world = fitting();
	world_pool(&world.inventory->hosts[1], "fast", 6 * GIB);
	name_map_add(&world.request->pools, &world.request->n_pools, "target:vda", "fast");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void a_disk_on_shared_storage_needs_no_space(void **state)
{
	struct world world = fitting();

	(void)state;
	world.web->disks[0].capacity_bytes = 100 * GIB;
	world.inventory->hosts[0].pools[0].share_id = strdup("nfs:a");
	world.inventory->hosts[1].pools[0].share_id = strdup("nfs:a");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void a_network_disk_stays_and_makes_the_move_mixed(void **state)
{
	struct world world = fitting();
	struct disk *disk = guest_add_disk(world.web, "vdb");
	enum move_kind kind;

	(void)state;
	disk->share_id = strdup("nbd:x@10.0.0.5:10809");
	disk->capacity_bytes = 100 * GIB;
	world_seal(world.inventory);
	assert_int_equal(planner_disk_bytes(world.inventory, 0, 0, 1, &kind), 5 * GIB);
	assert_int_equal(kind, MOVE_MIXED);
	world.web->disks[0].readonly = true;
	assert_int_equal(planner_disk_bytes(world.inventory, 0, 0, 1, &kind), 0);
	assert_int_equal(kind, MOVE_SHARED);
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void a_disk_in_no_pool_goes_to_the_one_that_is_named_for_it(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	free(world.web->disks[0].pool);
	world.web->disks[0].pool = NULL;
	world.web->disks[0].path = strdup("/dev/vg/web1");
	error = asked(&world);
	assert_int_equal(error.code, ERR_GUEST_DISK);
	assert_non_null(strstr(error.message, "/dev/vg/web1"));
	assert_non_null(strstr(error.hint, "target:vda:POOL"));
	world = fitting();
	free(world.web->disks[0].pool);
	world.web->disks[0].pool = NULL;
	world.web->disks[0].path = strdup("/dev/vg/web1");
	world.request->to_pool = strdup("images");
	assert_int_equal(asked(&world).code, ERR_NONE);
}

static void a_cdrom_image_that_the_target_lacks_is_refused_unless_it_may_be_missing(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct world world = fitting();
		struct disk *disk = guest_add_disk(world.web, "hdc");
		struct error error;

		disk->readonly = true;
		disk->pool = strdup("images");
		disk->volume = strdup("tools.iso");
		disk->may_be_missing = i == 1;
		world.inventory->hosts[0].pools[0].path = strdup("/images");
		strings_add(&world.inventory->hosts[0].pools[0].media, &world.inventory->hosts[0].pools[0].n_media, "tools.iso");
		world.target->pools[0].path = strdup(i == 3 ? "/elsewhere" : "/images");
		if (i == 2)
			strings_add(&world.target->pools[0].media, &world.target->pools[0].n_media, "tools.iso");
		error = asked(&world);
		assert_int_equal(error.code, i == 0 ? ERR_TARGET_MEDIA : ERR_NONE);
		if (i == 0)
			assert_non_null(strstr(error.message, "tools.iso"));
	}
}

/* One list for hypervisors decides as the planner does: the move's own words before the request's, the disk's before the pool's. */
static void mappings_in_one_list_decide_as_they_do_apart(void **state)
{
	struct request *request = request_new(REQUEST_BATCH);
	struct wanted_move *wanted = request_add_move(request, "web1");
	struct disk disks[] = {
		{.target = (char *)"vda", .pool = (char *)"images"},
		{.target = (char *)"vdb", .pool = (char *)"images"},
		{.target = (char *)"vdc", .pool = (char *)"other"},
		{.target = (char *)"vdd"},
	};
	size_t n, i, step;

	(void)state;
	for (step = 0; step < 5; step++) {
		struct name_map *maps;

		if (step == 1)
			request->to_pool = strdup("last");
		else if (step == 2)
			name_map_add(&wanted->pools, &wanted->n_pools, "images", "mapped");
		else if (step == 3)
			name_map_add(&request->pools, &request->n_pools, "target:vda", "exact");
		else if (step == 4)
			name_map_add(&wanted->pools, &wanted->n_pools, "target:vdb", "own");
		maps = planner_pool_maps(wanted, request, &n);
		for (i = 0; i < sizeof disks / sizeof disks[0]; i++) {
			const char *apart = planner_target_pool(&disks[i], wanted, request);
			const char *listed = planner_mapped_pool(maps, n, disks[i].target, disks[i].pool);

			assert_true(apart == NULL ? listed == NULL : strcmp(apart, listed) == 0);
		}
		free(maps);
	}
	assert_string_equal(planner_target_pool(&disks[0], wanted, request), "mapped");
	assert_string_equal(planner_target_pool(&disks[1], wanted, request), "own");
	assert_string_equal(planner_target_pool(&disks[3], wanted, request), "last");
	request_free(request);
}

static void rules_refuse_hosts_and_company(void **state)
{
	struct world world = fitting();
	struct rule *rule = inventory_add_rule(world.inventory, RULE_ANTI_AFFINITY);
	struct error error;

	(void)state;
	strings_add(&rule->guests, &rule->n_guests, "web1");
	strings_add(&rule->guests, &rule->n_guests, "db");
	error = asked(&world);
	assert_int_equal(error.code, ERR_RULE_ANTI_AFFINITY);
	assert_non_null(strstr(error.message, "db is on h2"));
	world = fitting();
	rule = inventory_add_rule(world.inventory, RULE_NEVER_ON);
	strings_add(&rule->guests, &rule->n_guests, "web1");
	strings_add(&rule->hosts, &rule->n_hosts, "h2");
	assert_int_equal(asked(&world).code, ERR_RULE_NEVER_ON);
	world = fitting();
	rule = inventory_add_rule(world.inventory, RULE_ONLY_ON);
	strings_add(&world.web->groups, &world.web->n_groups, "gpu");
	strings_add(&rule->groups, &rule->n_groups, "gpu");
	strings_add(&rule->hosts, &rule->n_hosts, "h1");
	assert_int_equal(asked(&world).code, ERR_RULE_ONLY_ON);
}

static void facts_of_a_guest_forbid_any_move(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world_seal(world.inventory);
	assert_done(planner_guest_can_move(world.inventory, 0, &error), error);
	world.web->disks[0].passthrough = true;
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_PASSTHROUGH);
	world.web->hostdevs = 1;
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_HOSTDEV);
	error_set(error_own(&world.web->unmovable), ERR_GUEST_SNAPSHOT, "2 snapshots");
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_SNAPSHOT);
	assert_string_equal(error.message, "vm web1: 2 snapshots");
	world.inventory->hosts[0].outgoing = false;
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_HOST_OUTGOING_OFF);
	world.web->state = GUEST_SHUTOFF;
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_NOT_RUNNING);
	asked(&world);
}

/* The two numbers must differ for whoever reads them. */
static void numbers_that_look_alike_are_told_to_the_byte(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world.web->memory_bytes = 5 * GIB + 1; /* 7 GiB less the 2 of db */
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_MEMORY);
	assert_non_null(strstr(error.message, "5368709121"));
	assert_non_null(strstr(error.message, "5368709120"));
	world = fitting();
	world.web->disks[0].capacity_bytes = 10 * GIB + 1;
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_POOL_SPACE);
	assert_non_null(strstr(error.message, "10737418241"));
	assert_non_null(strstr(error.message, "10737418240"));
}

static void the_networks_of_a_host_are_told_but_not_all_of_many(void **state)
{
	struct world world = fitting();
	struct error error;
	char name[32];
	int i;

	(void)state;
	strings_add(&world.web->interfaces, &world.web->n_interfaces, "br-dmz");
	for (i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "vlan%d", i);
		strings_add(&world.target->networks, &world.target->n_networks, name);
	}
	error = asked(&world);
	assert_int_equal(error.code, ERR_TARGET_NETWORK_MISSING);
	assert_non_null(strstr(error.message, "it has br-lan, vlan0"));
	assert_non_null(strstr(error.message, " and 5 more"));
	assert_non_null(strstr(error.hint, "networks = br-dmz:OTHER"));
}

static void a_host_that_is_down_is_told_with_its_reason_and_what_helps(void **state)
{
	struct world world = fitting();
	struct error error;

	(void)state;
	world.target->reachable = false;
	error_set(&world.target->down, ERR_HOST_AUTH, "authentication failed");
	error_hint(&world.target->down, "kinit");
	error = asked(&world);
	assert_int_equal(error.code, ERR_HOST_UNREACHABLE);
	assert_string_equal(error.message, "vm web1: h2 does not answer: authentication failed");
	assert_string_equal(error.hint, "kinit");
	world = fitting();
	world_seal(world.inventory);
	world.inventory->hosts[0].reachable = false;
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_HOST_UNREACHABLE);
	assert_string_equal(error.message, "vm web1: its host h1 does not answer");
	error_set(&world.inventory->hosts[0].down, ERR_TIMEOUT, "no answer within 5 s");
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_HOST_UNREACHABLE);
	assert_string_equal(error.message, "vm web1: its host h1 does not answer: no answer within 5 s");
	asked(&world);
}

static void the_mapping_of_one_move_counts_as_that_of_its_request(void **state)
{
	struct world world = fitting();
	struct plan_options options = world_options();
	struct wanted_move *wanted = request_add_move(world.request, "web1");
	struct ledger *ledger;
	struct error error;

	(void)state;
	strings_add(&world.web->interfaces, &world.web->n_interfaces, "br-dmz");
	name_map_add(&wanted->nets, &wanted->n_nets, "br-lan", "br-lan");
	name_map_add(&wanted->nets, &wanted->n_nets, "br-dmz", "br-lan");
	world_seal(world.inventory);
	ledger = ledger_new(world.inventory, &options);
	assert_done(planner_fits(world.inventory, ledger, 0, 1, world.request, wanted, true, &error), error);
	assert_refused(planner_fits(world.inventory, ledger, 0, 1, world.request, NULL, true, &error), error, ERR_TARGET_NETWORK_MISSING);
	assert_refused(planner_fits(world.inventory, ledger, 0, 1, NULL, NULL, true, &error), error, ERR_TARGET_NETWORK_MISSING);
	ledger_free(ledger);
	inventory_free(world.inventory);
	request_free(world.request);
}

static void a_disk_that_nobody_can_find_forbids_any_move(void **state)
{
	struct world world = fitting();
	struct disk *disk;
	struct error error;

	(void)state;
	world_seal(world.inventory);
	disk = guest_add_disk(world.web, "vdb");
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_DISK);
	disk->readonly = true;
	assert_done(planner_guest_can_move(world.inventory, 0, &error), error);
	disk->readonly = false;
	disk->share_id = strdup("rbd:a");
	assert_done(planner_guest_can_move(world.inventory, 0, &error), error);
	disk->passthrough = true;
	disk->path = strdup("/dev/sdb");
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_PASSTHROUGH);
	assert_string_equal(error.message, "vm web1: disk vdb is a device of its host: /dev/sdb");
	error_set(error_own(&world.web->unmovable), ERR_GUEST_DEVICE, "guest web1 has a shared folder");
	assert_refused(planner_guest_can_move(world.inventory, 0, &error), error, ERR_GUEST_DEVICE);
	assert_string_equal(error.message, "guest web1 has a shared folder"); /* named once */
	assert_false(planner_guest_can_move(world.inventory, 0, NULL));
	asked(&world);
}

static void a_cdrom_of_which_nobody_has_a_list_is_not_said_to_be_missing(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct world world = fitting();
		struct pool *from = &world.inventory->hosts[0].pools[0];
		struct disk *disk = guest_add_disk(world.web, "hdc");

		disk->readonly = true;
		disk->volume = strdup("tools.iso");
		disk->path = strdup("/images/tools.iso");
		disk->pool = i != 0 ? strdup("images") : NULL;      /* in no pool */
		from->path = i != 1 ? strdup("/images") : NULL;     /* in a pool without a path */
		if (i != 2)                                         /* not in the source's own list */
			strings_add(&from->media, &from->n_media, "tools.iso");
		world.target->pools[0].path = i != 3 ? strdup("/images") : NULL; /* or the target does not tell where its pool is */
		assert_int_equal(asked(&world).code, ERR_NONE);
	}
}

/* One store under two names is one; two stores of one name are two. */
static void a_disk_stays_where_it_is_only_when_both_hosts_have_its_store(void **state)
{
	struct world world = fitting();
	struct pool *pools[2];

	(void)state;
	pools[0] = &world.inventory->hosts[0].pools[0];
	pools[1] = &world.target->pools[0];
	assert_true(planner_disk_is_copied(world.inventory, &world.web->disks[0], 0, 1));
	pools[0]->share_id = strdup("nfs:a");
	assert_true(planner_disk_is_copied(world.inventory, &world.web->disks[0], 0, 1));
	pools[1]->share_id = strdup("nfs:b");
	assert_true(planner_disk_is_copied(world.inventory, &world.web->disks[0], 0, 1));
	free(pools[1]->name);
	pools[1]->name = strdup("pictures");
	free(pools[1]->share_id);
	pools[1]->share_id = strdup("nfs:a");
	assert_false(planner_disk_is_copied(world.inventory, &world.web->disks[0], 0, 1));
	world.web->disks[0].share_id = strdup("rbd:a");
	assert_false(planner_disk_is_copied(world.inventory, &world.web->disks[0], 0, 1));
	inventory_free(world.inventory);
	request_free(world.request);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_cdrom_of_which_nobody_has_a_list_is_not_said_to_be_missing),
	cmocka_unit_test(a_disk_stays_where_it_is_only_when_both_hosts_have_its_store),
	cmocka_unit_test(numbers_that_look_alike_are_told_to_the_byte),
	cmocka_unit_test(the_networks_of_a_host_are_told_but_not_all_of_many),
	cmocka_unit_test(a_host_that_is_down_is_told_with_its_reason_and_what_helps),
	cmocka_unit_test(the_mapping_of_one_move_counts_as_that_of_its_request),
	cmocka_unit_test(a_disk_that_nobody_can_find_forbids_any_move),
	cmocka_unit_test(a_guest_that_fits_is_not_refused),
	cmocka_unit_test(hosts_that_are_closed_are_refused),
	cmocka_unit_test(a_return_goes_to_the_cordoned_host_it_names),
	cmocka_unit_test(missing_memory_is_refused_with_both_numbers),
	cmocka_unit_test(a_guest_that_is_shut_off_takes_no_room),
	cmocka_unit_test(missing_cpus_are_refused_with_both_numbers),
	cmocka_unit_test(another_cpu_model_is_refused_unless_every_host_has_it),
	cmocka_unit_test(a_missing_network_is_refused_and_a_mapping_helps),
	cmocka_unit_test(pools_are_checked_for_name_and_space),
	cmocka_unit_test(a_disk_on_shared_storage_needs_no_space),
	cmocka_unit_test(a_network_disk_stays_and_makes_the_move_mixed),
	cmocka_unit_test(a_disk_in_no_pool_goes_to_the_one_that_is_named_for_it),
	cmocka_unit_test(a_cdrom_image_that_the_target_lacks_is_refused_unless_it_may_be_missing),
	cmocka_unit_test(mappings_in_one_list_decide_as_they_do_apart),
	cmocka_unit_test(rules_refuse_hosts_and_company),
	cmocka_unit_test(facts_of_a_guest_forbid_any_move),
};
TEST_MAIN(tests)
