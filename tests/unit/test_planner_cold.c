/* Guests that cannot move live: what becomes of each, who says so, and what no host would do is not promised. */
#include <stdlib.h>

#include "planner_world.h"

/* Three guests of h1 with an unmovable device and a disk of their own. */
struct world {
	struct inventory *inventory;
	struct request *request;
	struct plan *plan;
};

static struct world stuck(void)
{
	struct world world = {.inventory = inventory_new(), .request = world_drain("h1")};
	char name[2] = "a";

	world_pool(world_host(world.inventory, "h1", 64 * GIB), "images", 64 * GIB);
	world_pool(world_host(world.inventory, "h2", 64 * GIB), "images", 64 * GIB);
	for (; name[0] <= 'c'; name[0]++) {
		struct guest *guest = world_guest(world.inventory, name, 0, GIB);

		world_disk(guest, "vda", "images", GIB)->volume = strdup("v");
		error_set(error_own(&guest->unmovable), ERR_GUEST_DEVICE, "guest %s has virtiofs /srv", name);
	}
	return world;
}

static void planned(struct world *world)
{
	struct plan_options options = world_options();

	world_seal(world->inventory);
	world->plan = world_plan(world->inventory, world->request, &options);
}

static void clear(struct world *world)
{
	plan_free(world->plan);
	request_free(world->request);
	inventory_free(world->inventory);
}

static const char *fate(const struct world *world, const char *name)
{
	uint32_t guest = inventory_guest(world->inventory, name, NULL);
	size_t i;

	for (i = 0; i < world->plan->n_moves; i++)
		if (world->plan->moves[i].guest == guest)
			return move_method_name(world->plan->moves[i].method);
	for (i = 0; i < world->plan->n_blocked; i++)
		if (world->plan->blocked[i].guest == guest)
			return "blocked";
	return "not mentioned";
}

static void a_guests_group_says_more_than_the_request(void **state)
{
	struct world world = stuck();

	(void)state;
	world.request->cannot_move = CANNOT_MOVE_COLD;
	world.inventory->guests[0].cannot_move = CANNOT_MOVE_LEAVE;
	world.inventory->guests[1].cannot_move = CANNOT_MOVE_SHUTDOWN;
	planned(&world);
	assert_string_equal(fate(&world, "a"), "blocked");
	assert_string_equal(fate(&world, "b"), "shutdown");
	assert_string_equal(fate(&world, "c"), "cold");
	clear(&world);
}

static void its_own_line_says_more_than_its_group(void **state)
{
	struct world world = stuck();

	(void)state;
	request_free(world.request);
	world.request = request_new(REQUEST_BATCH);
	request_add_move(world.request, "a")->cannot_move = CANNOT_MOVE_COLD;
	request_add_move(world.request, "b")->cannot_move = CANNOT_MOVE_LEAVE;
	request_add_move(world.request, "c");
	world.inventory->guests[0].cannot_move = CANNOT_MOVE_LEAVE;
	world.inventory->guests[2].cannot_move = CANNOT_MOVE_COLD;
	planned(&world);
	assert_string_equal(fate(&world, "a"), "cold");
	assert_string_equal(fate(&world, "b"), "blocked");
	assert_string_equal(fate(&world, "c"), "cold");
	clear(&world);
}

static void a_disk_on_top_of_another_is_not_promised_a_cold_copy(void **state)
{
	bool is_shared;

	(void)state;
	for (is_shared = false;; is_shared = true) {
		struct world world = stuck();
		struct error error;

		world.request->cannot_move = CANNOT_MOVE_COLD;
		world.inventory->guests[0].disks[0].backing = strdup("/images/base.qcow2");
		if (is_shared)
			world.inventory->hosts[0].pools[0].share_id = strdup("s");
		if (is_shared)
			world.inventory->hosts[1].pools[0].share_id = strdup("s");
		planned(&world);
		assert_string_equal(fate(&world, "a"), is_shared ? "cold" : "blocked");
		assert_string_equal(fate(&world, "b"), "cold");
		if (!is_shared) {
			error = world.plan->blocked[0].error;
			assert_int_equal(error.code, ERR_GUEST_DISK);
			assert_non_null(strstr(error.message, "disk vda lies on /images/base.qcow2"));
			assert_non_null(strstr(error.hint, "blockpull a vda"));
		}
		clear(&world);
		if (is_shared)
			break;
	}
}

static void a_guest_that_moves_live_brings_its_layers_along(void **state)
{
	struct world world = stuck();

	(void)state;
	error_disown(&world.inventory->guests[0].unmovable);
	world.inventory->guests[0].disks[0].backing = strdup("/images/base.qcow2");
	planned(&world);
	assert_string_equal(fate(&world, "a"), "live");
	clear(&world);
}

static void what_a_copy_leaves_behind_forbids_it_and_both_reasons_are_told(void **state)
{
	struct world world = stuck();

	(void)state;
	world.request->cannot_move = CANNOT_MOVE_COLD;
	error_set(error_own(&world.inventory->guests[1].unmovable_cold), ERR_GUEST_DEVICE, "guest b keeps its UEFI variables (nvram) in a file of h1");
	planned(&world);
	assert_string_equal(fate(&world, "b"), "blocked");
	assert_non_null(strstr(world.plan->blocked[0].error.message, "virtiofs /srv; and not cold: guest b keeps its UEFI"));
	assert_string_equal(fate(&world, "c"), "cold");
	clear(&world);
}

static void a_guest_that_is_off_is_not_promised_what_its_snapshots_forbid(void **state)
{
	struct world world = stuck();

	(void)state;
	world.request->cannot_move = CANNOT_MOVE_COLD;
	world.inventory->guests[0].state = world.inventory->guests[1].state = GUEST_SHUTOFF;
	error_set(error_own(&world.inventory->guests[0].unmovable), ERR_GUEST_SNAPSHOT, "guest a has 2 snapshots");
	planned(&world);
	assert_string_equal(fate(&world, "a"), "not mentioned"); /* the host can go down with it */
	assert_string_equal(fate(&world, "b"), "cold");
	clear(&world);
}

static void a_cold_start_ejects_only_an_optional_cdrom(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct world world = stuck();
		struct disk *disk = guest_add_disk(&world.inventory->guests[0], "hdc");

		world.request->cannot_move = CANNOT_MOVE_COLD;
		disk->readonly = disk->may_be_missing = true;
		disk->may_be_missing_cold = i == 1;
		disk->pool = strdup("images");
		disk->volume = strdup("tools.iso");
		strings_add(&world.inventory->hosts[0].pools[0].media, &world.inventory->hosts[0].pools[0].n_media, "tools.iso");
		world.inventory->hosts[0].pools[0].path = strdup("/images");
		world.inventory->hosts[1].pools[0].path = strdup("/images");
		planned(&world);
		assert_string_equal(fate(&world, "a"), i == 1 ? "cold" : "blocked");
		clear(&world);
	}
}

/* Nothing that would be lost on the way, or could not be brought back, is carried over or shut down. */
static void who_would_not_come_back_whole_stays(void **state)
{
	enum spoil { PAUSED, TRANSIENT, PASSTHROUGH, NO_POOL, HOSTDEV, SPOILS };
	static const char *const cold_fates[] = {"blocked", "blocked", "blocked", "blocked", "blocked"};
	static const char *const shutdown_fates[] = {"blocked", "blocked", "shutdown", "shutdown", "shutdown"};
	int spoil, is_cold;

	(void)state;
	for (spoil = 0; spoil < SPOILS; spoil++)
		for (is_cold = 0; is_cold < 2; is_cold++) {
			struct world world = stuck();
			struct guest *guest = &world.inventory->guests[0];

			world.request->cannot_move = is_cold ? CANNOT_MOVE_COLD : CANNOT_MOVE_SHUTDOWN;
			if (spoil == PAUSED)
				guest->state = GUEST_PAUSED;
			guest->persistent = spoil != TRANSIENT;
			guest->disks[0].passthrough = spoil == PASSTHROUGH;
			if (spoil == NO_POOL) {
				free(guest->disks[0].pool);
				guest->disks[0].pool = NULL;
				guest->disks[0].path = strdup("/srv/a.raw");
			}
			guest->hostdevs = spoil == HOSTDEV;
			planned(&world);
			assert_string_equal(fate(&world, "a"), is_cold ? cold_fates[spoil] : shutdown_fates[spoil]);
			assert_string_equal(fate(&world, "b"), is_cold ? "cold" : "shutdown");
			clear(&world);
		}
}

/* A host is emptied by that; a single move is not made by it. */
static void only_a_drain_shuts_guests_down(void **state)
{
	struct world world = stuck();

	(void)state;
	request_free(world.request);
	world.request = request_new(REQUEST_BATCH);
	world.request->cannot_move = CANNOT_MOVE_SHUTDOWN;
	request_add_move(world.request, "a")->to = strdup("h2");
	request_add_move(world.request, "b")->cannot_move = CANNOT_MOVE_COLD;
	planned(&world);
	assert_string_equal(fate(&world, "a"), "blocked");
	assert_string_equal(fate(&world, "b"), "cold");
	clear(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(who_would_not_come_back_whole_stays),
	cmocka_unit_test(only_a_drain_shuts_guests_down),
	cmocka_unit_test(a_guests_group_says_more_than_the_request),
	cmocka_unit_test(its_own_line_says_more_than_its_group),
	cmocka_unit_test(a_disk_on_top_of_another_is_not_promised_a_cold_copy),
	cmocka_unit_test(a_guest_that_moves_live_brings_its_layers_along),
	cmocka_unit_test(what_a_copy_leaves_behind_forbids_it_and_both_reasons_are_told),
	cmocka_unit_test(a_guest_that_is_off_is_not_promised_what_its_snapshots_forbid),
	cmocka_unit_test(a_cold_start_ejects_only_an_optional_cdrom),
};

TEST_MAIN(tests)
