/* Requests to the simulated world: what pre-flight refuses, the guards of each act, and that the acts which
 * would lose a guest or its data are seen as breaches: a check that cannot fail proves nothing. */
#include "sim_fixture.h"

#include "drover/plan.h"

static struct fixture *world(void)
{
	struct fixture *f = fixture_new();

	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_disk(fixture_guest(f, "web", 0, 500 * MB), 500 * MB);
	return f;
}

static const struct hv_reply *ask(struct fixture *f, enum hv_kind kind, const char *host)
{
	return fixture_ask(f, (struct hv_request){.kind = kind, .guest = "web", .host = host, .target = "h2"});
}

static struct hv_disk web_disk(void)
{
	return (struct hv_disk){.target = (char *)(uintptr_t)"vda", .source_pool = (char *)(uintptr_t)"images",
		.source_volume = (char *)(uintptr_t)"web-vda", .target_pool = (char *)(uintptr_t)"images",
		.target_volume = (char *)(uintptr_t)"web-vda", .capacity_bytes = 500 * MB, .allocation_bytes = 500 * MB,
		.was_created = true};
}

static void assert_refused(struct fixture *f, enum error_code code)
{
	const struct hv_reply *reply;

	fixture_start(f);
	reply = ask(f, HV_PREFLIGHT, "h1");
	if (reply->error.code != code)
		fail_msg("%s instead of %s: %s", error_code_name(reply->error.code), error_code_name(code), reply->error.message);
	assert_int_equal(reply->preflight.persistent, false);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void preflight_names_what_is_missing(void **state)
{
	struct fixture *f;

	(void)state;
	f = world();
	f->inventory->hosts[1].memory_bytes = 400 * MB;
	assert_refused(f, ERR_TARGET_MEMORY);
	f = world();
	f->inventory->hosts[1].pools[0].available_bytes = 400 * MB;
	assert_refused(f, ERR_TARGET_POOL_SPACE);
	f = world();
	free(f->inventory->hosts[1].pools[0].name);
	f->inventory->hosts[1].pools[0].name = xstrdup("other");
	assert_refused(f, ERR_TARGET_POOL_MISSING);
	f = world();
	strings_add(&f->inventory->hosts[1].networks, &f->inventory->hosts[1].n_networks, "br-b");
	strings_add(&f->inventory->guests[0].interfaces, &f->inventory->guests[0].n_interfaces, "br-a");
	assert_refused(f, ERR_TARGET_NETWORK_MISSING);
	f = world();
	f->inventory->guests[0].hostdevs = 1;
	assert_refused(f, ERR_GUEST_HOSTDEV);
	f = world();
	f->inventory->guests[0].state = GUEST_SHUTOFF;
	assert_refused(f, ERR_GUEST_NOT_RUNNING);
	f = world();
	fixture_disk(fixture_guest(f, "web-copy", 1, MB), MB);
	free(f->inventory->guests[1].disks[0].volume);
	f->inventory->guests[1].disks[0].volume = xstrdup("web-vda");
	assert_refused(f, ERR_TARGET_VOLUME_EXISTS);
	f = world();
	strcpy(fixture_guest(f, "web", 1, MB)->uuid, "22222222-2222-2222-2222-222222222222");
	strcpy(f->inventory->guests[0].uuid, "11111111-1111-1111-1111-111111111111");
	assert_refused(f, ERR_TARGET_GUEST_EXISTS);
	f = world();
	f->inventory->hosts[1].reachable = false;
	assert_refused(f, ERR_HOST_UNREACHABLE);
}

static void preflight_gives_the_exact_disks(void **state)
{
	struct fixture *f = world();
	struct disk *disk;
	struct pool *shared;
	const struct hv_reply *reply;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		shared = host_add_pool(&f->inventory->hosts[i], "nfs");
		shared->share_id = xstrdup("server:/export");
		shared->available_bytes = GIB;
	}
	host_add_pool(&f->inventory->hosts[1], "fast")->available_bytes = 10 * GIB;
	disk = guest_add_disk(&f->inventory->guests[0], "vdb");
	disk->pool = xstrdup("nfs");
	disk->capacity_bytes = MB;
	disk = guest_add_disk(&f->inventory->guests[0], "sda");
	disk->path = xstrdup("/iso/debian.iso");
	disk->readonly = true;
	fixture_start(f);
	reply = fixture_ask(f, (struct hv_request){.kind = HV_PREFLIGHT, .guest = "web", .host = "h1", .target = "h2",
		.pools = &(struct name_map){.from = (char *)(uintptr_t)"target:vda", .to = (char *)(uintptr_t)"fast"}, .n_pools = 1});
	assert_int_equal(reply->error.code, ERR_NONE);
	assert_int_equal(reply->preflight.n_disks, 1); /* shared and read-only ones stay */
	assert_string_equal(reply->preflight.disks[0].target, "vda");
	assert_string_equal(reply->preflight.disks[0].target_pool, "fast");
	assert_string_equal(reply->preflight.disks[0].source_path, "/images/web-vda");
	assert_int_equal(reply->preflight.disks[0].capacity_bytes, 500 * MB);
	assert_int_equal(reply->preflight.target_free_memory_bytes, 64 * GIB);
	fixture_free(f);
}

static void shared_disks_follow_without_being_copied(void **state)
{
	struct fixture *f = world();
	struct inventory *after;
	uint64_t tag;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++)
		f->inventory->hosts[i].pools[0].share_id = xstrdup("server:/export");
	fixture_start(f);
	tag = fixture_move(f, "web", "h1", "h2", 0);
	fixture_until(f, 60000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	after = sim_inventory(f->sim);
	assert_int_equal(after->guests[0].host, 1);
	assert_string_equal(after->guests[0].disks[0].volume, "web-vda");
	inventory_free(after);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_disk_that_is_not_listed_is_missing_on_the_target(void **state)
{
	struct fixture *f = world();
	uint64_t tag;

	(void)state;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 10000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void networks_are_mapped_on_the_way(void **state)
{
	struct fixture *f = fixture_new();
	struct inventory *after;
	struct name_map map = {.from = (char *)(uintptr_t)"br-a", .to = (char *)(uintptr_t)"br-b"};

	(void)state;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_guest(f, "web", 0, 500 * MB);
	strings_add(&f->inventory->hosts[1].networks, &f->inventory->hosts[1].n_networks, "br-b");
	strings_add(&f->inventory->guests[0].interfaces, &f->inventory->guests[0].n_interfaces, "br-a");
	fixture_start(f);
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .nets = &map, .n_nets = 1});
	fixture_until(f, 20000);
	after = sim_inventory(f->sim);
	assert_int_equal(after->guests[0].host, 1);
	assert_string_equal(after->guests[0].interfaces[0], "br-b");
	inventory_free(after);
	fixture_free(f);
}

static void prepare_never_takes_an_existing_volume(void **state)
{
	struct fixture *f = world();
	struct hv_disk disk = web_disk();
	struct hv_request request = {.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h2", .disks = &disk, .n_disks = 1};
	const struct hv_reply *again;

	(void)state;
	fixture_start(f);
	assert_int_equal(fixture_ask(f, request)->error.code, ERR_NONE);
	again = fixture_ask(f, request);
	assert_int_equal(again->error.code, ERR_TARGET_VOLUME_EXISTS);
	assert_int_equal(again->n_disks, 1);
	assert_false(again->disks[0].was_created);
	fixture_free(f);
}

static void removing_volumes_spares_those_that_were_not_made_by_us(void **state)
{
	struct fixture *f = world();
	struct hv_disk disk = web_disk();
	struct hv_request request = {.kind = HV_REMOVE_VOLUMES, .guest = "web", .host = "h1", .disks = &disk, .n_disks = 1};

	(void)state;
	fixture_start(f);
	assert_int_equal(fixture_ask(f, request)->error.code, ERR_GUEST_BUSY); /* in use there */
	disk.was_created = false;
	assert_int_equal(fixture_ask(f, request)->error.code, ERR_NONE);
	fixture_assert_settled(f);
	assert_int_equal(ask(f, HV_PREFLIGHT, "h1")->preflight.n_disks, 1);
	fixture_free(f);
}

static void a_source_is_not_cleaned_while_the_guest_is_active_there(void **state)
{
	struct fixture *f = world();
	struct hv_disk disk = web_disk();

	(void)state;
	fixture_start(f);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_FINISH_SOURCE, .guest = "web", .host = "h1", .disks = &disk,
		.n_disks = 1})->error.code, ERR_GUEST_BUSY);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void deleting_the_disk_that_the_guest_runs_from_is_a_breach(void **state)
{
	struct fixture *f = world();
	struct hv_disk disk = web_disk();
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++)
		f->inventory->hosts[i].pools[0].share_id = xstrdup("server:/export");
	fixture_start(f);
	fixture_move(f, "web", "h1", "h2", 0);
	fixture_until(f, 60000);
	fixture_assert_settled(f);
	fixture_ask(f, (struct hv_request){.kind = HV_FINISH_SOURCE, .guest = "web", .host = "h1", .disks = &disk, .n_disks = 1});
	assert_false(sim_check(f->sim, NULL));
	fixture_free(f);
}

static void mirroring_over_a_foreign_volume_is_a_breach(void **state)
{
	struct fixture *f = world();
	struct hv_disk disk = web_disk();

	(void)state;
	fixture_disk(fixture_guest(f, "other", 1, MB), 500 * MB);
	fixture_start(f);
	disk.target_volume = (char *)(uintptr_t)"other-vda";
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .disks = &disk, .n_disks = 1});
	fixture_until(f, 5000);
	assert_false(sim_check(f->sim, NULL));
	fixture_free(f);
}

static void destroying_or_suspending_the_only_copy_is_a_breach(void **state)
{
	const enum hv_kind kinds[] = {HV_DESTROY, HV_SUSPEND};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fixture *f = world();

		fixture_start(f);
		fixture_assert_settled(f);
		assert_int_equal(ask(f, kinds[i], "h1")->error.code, ERR_NONE);
		assert_false(sim_check(f->sim, NULL));
		fixture_free(f);
	}
}

static void too_much_memory_is_a_breach(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB)->memory_bytes = 800 * MB;
	fixture_guest(f, "a", 0, 500 * MB);
	fixture_guest(f, "b", 0, 500 * MB);
	fixture_start(f);
	fixture_migrate(f, "a", "h1", "h2");
	fixture_until(f, 1000);
	fixture_assert_sound(f);
	fixture_migrate(f, "b", "h1", "h2");
	fixture_until(f, 2000);
	assert_false(sim_check(f->sim, NULL));
	fixture_free(f);
}

static void only_a_paused_guest_with_our_tag_is_resumed(void **state)
{
	struct fixture *f = world();

	(void)state;
	f->inventory->guests[0].state = GUEST_PAUSED;
	fixture_start(f);
	assert_int_equal(ask(f, HV_RESUME, "h1")->error.code, ERR_GUEST_BUSY);
	assert_int_equal(ask(f, HV_RESUME, "h2")->error.code, ERR_UNKNOWN_GUEST);
	assert_int_equal(ask(f, HV_PREPARE, "h1")->error.code, ERR_NONE);
	assert_int_equal(ask(f, HV_RESUME, "h1")->error.code, ERR_NONE);
	assert_int_equal(fixture_where(f, "h1", "web").presence, HV_RUNNING);
	fixture_free(f);
}

static void a_foreign_tag_is_left_alone(void **state)
{
	struct fixture *f = world();

	(void)state;
	fixture_start(f);
	ask(f, HV_PREPARE, "h1");
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_FINISH_TARGET, .guest = "web", .host = "h1", .job = {.move = 99}})->error.code,
		ERR_VERIFY_FAILED);
	assert_true(fixture_where(f, "h1", "web").has_tag);
	ask(f, HV_CLEAR_TAG, "h1");
	assert_false(fixture_where(f, "h1", "web").has_tag);
	fixture_free(f);
}

static void guests_of_one_name_are_told_apart_by_host_or_uuid(void **state)
{
	struct fixture *f = world();

	(void)state;
	fixture_guest(f, "web", 1, MB)->state = GUEST_PAUSED;
	strcpy(f->inventory->guests[0].uuid, "11111111-1111-1111-1111-111111111111");
	strcpy(f->inventory->guests[1].uuid, "22222222-2222-2222-2222-222222222222");
	fixture_start(f);
	assert_int_equal(fixture_where(f, "h1", "web").presence, HV_RUNNING);
	assert_int_equal(fixture_where(f, "h2", "web").presence, HV_PAUSED);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_WHERE, .host = "h2", .guest = "web",
		.uuid = "11111111-1111-1111-1111-111111111111"})->where.presence, HV_ABSENT);
	fixture_free(f);
}

static void a_probe_shows_one_host_as_it_is(void **state)
{
	struct fixture *f = world();
	const struct hv_reply *reply;

	(void)state;
	fixture_start(f);
	fixture_move(f, "web", "h1", "h2", 0);
	fixture_until_phase(f, "web", SIM_PHASE_MEMORY);
	reply = ask(f, HV_PROBE, "h2");
	assert_int_equal(reply->inventory->n_hosts, 1);
	assert_int_equal(reply->inventory->n_guests, 0); /* what comes in is no guest yet */
	assert_int_equal(reply->inventory->hosts[0].pools[0].available_bytes, 100 * GIB - 500 * MB);
	fixture_until(f, 60000);
	reply = ask(f, HV_PROBE, "h2");
	assert_int_equal(reply->inventory->n_guests, 1);
	assert_string_equal(reply->inventory->guests[0].disks[0].path, "/images/web-vda");
	assert_int_equal(ask(f, HV_PROBE, "h1")->inventory->n_guests, 0);
	fixture_free(f);
}

static void only_pools_of_one_storage_are_proven_the_same(void **state)
{
	struct fixture *f = world();
	const struct name_map pairs[] = {{(char *)(uintptr_t)"images", (char *)(uintptr_t)"images"},
		{(char *)(uintptr_t)"nfs", (char *)(uintptr_t)"nfs"}, {(char *)(uintptr_t)"nfs", (char *)(uintptr_t)"images"},
		{(char *)(uintptr_t)"nfs", (char *)(uintptr_t)"none"}};
	const struct hv_reply *reply;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++)
		host_add_pool(&f->inventory->hosts[i], "nfs")->share_id = xstrdup("server:/export");
	fixture_start(f);
	reply = fixture_ask(f, (struct hv_request){.kind = HV_SAME_POOLS, .guest = "web", .host = "h1", .target = "h2", .pools = pairs, .n_pools = 4});
	assert_int_equal(reply->error.code, ERR_NONE);
	assert_int_equal(reply->n_pools, 1);
	assert_string_equal(reply->pools[0].from, "nfs");
	assert_string_equal(reply->pools[0].to, "nfs");
	fixture_free(f);
}

static void a_target_out_of_ports_refuses(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t second;

	(void)state;
	f->options.migration_ports = 1;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_guest(f, "a", 0, 500 * MB);
	fixture_guest(f, "b", 0, 500 * MB);
	fixture_start(f);
	fixture_migrate(f, "a", "h1", "h2");
	second = fixture_migrate(f, "b", "h1", "h2");
	fixture_until(f, 2000);
	assert_int_equal(fixture_reply(f, second)->error.code, ERR_MIGRATE_FAILED);
	fixture_until(f, 20000);
	second = fixture_migrate(f, "b", "h1", "h2");
	fixture_until(f, 40000);
	assert_int_equal(fixture_reply(f, second)->error.code, ERR_NONE);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(preflight_names_what_is_missing),
		cmocka_unit_test(preflight_gives_the_exact_disks),
		cmocka_unit_test(shared_disks_follow_without_being_copied),
		cmocka_unit_test(only_pools_of_one_storage_are_proven_the_same),
		cmocka_unit_test(a_disk_that_is_not_listed_is_missing_on_the_target),
		cmocka_unit_test(networks_are_mapped_on_the_way),
		cmocka_unit_test(prepare_never_takes_an_existing_volume),
		cmocka_unit_test(removing_volumes_spares_those_that_were_not_made_by_us),
		cmocka_unit_test(a_source_is_not_cleaned_while_the_guest_is_active_there),
		cmocka_unit_test(deleting_the_disk_that_the_guest_runs_from_is_a_breach),
		cmocka_unit_test(mirroring_over_a_foreign_volume_is_a_breach),
		cmocka_unit_test(destroying_or_suspending_the_only_copy_is_a_breach),
		cmocka_unit_test(too_much_memory_is_a_breach),
		cmocka_unit_test(only_a_paused_guest_with_our_tag_is_resumed),
		cmocka_unit_test(a_foreign_tag_is_left_alone),
		cmocka_unit_test(guests_of_one_name_are_told_apart_by_host_or_uuid),
		cmocka_unit_test(a_probe_shows_one_host_as_it_is),
		cmocka_unit_test(a_target_out_of_ports_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
