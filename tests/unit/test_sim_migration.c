/* A migration in the simulated world: its times against the closed form, what both hosts show at
 * each instant, and what is left afterwards. */
#include "sim_fixture.h"

enum { SETUP = 600, BLACKOUT = 100, FINISH = 100, ONE_WAY = 2 };

static struct fixture *two_hosts(uint64_t memory, uint64_t disk)
{
	struct fixture *f = fixture_new();
	struct guest *guest;

	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	guest = fixture_guest(f, "web", 0, memory);
	guest->autostart = true;
	if (disk > 0)
		fixture_disk(guest, disk);
	return f;
}

static void a_quiet_guest_takes_its_bytes_over_the_rate(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 3600000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	/* one way, setup, 10 s of bytes, nothing dirtied, blackout, confirm, one way back */
	assert_int_equal(f->reply_at_ms[0], ONE_WAY + SETUP + 10000 + BLACKOUT + FINISH + ONE_WAY);
	assert_int_equal(fixture_reply(f, tag)->stats.downtime_ms, BLACKOUT);
	assert_int_equal(fixture_reply(f, tag)->stats.memory_processed_bytes, 1000 * MB);
	assert_int_equal(sim_guest_runs_on(f->sim, 0), 1);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void pre_copy_rounds_follow_the_geometric_series(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	/* 40 % of the rate is dirtied again: rounds of 1000, 400, 160, 64, 25.6 MB; 25.6 fits into 300 ms of 100 MB/s */
	f->inventory->guests[0].dirty_rate_bytes_per_s = 40 * MB;
	f->inventory->guests[0].working_set_bytes = 900 * MB;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 3600000);
	assert_int_equal(fixture_reply(f, tag)->stats.rounds, 4);
	assert_int_equal(fixture_reply(f, tag)->stats.memory_processed_bytes, (1000000 + 400000 + 160000 + 64000 + 25600) * UINT64_C(1000));
	assert_int_equal(fixture_reply(f, tag)->stats.downtime_ms, 256 + BLACKOUT);
	assert_int_equal(f->reply_at_ms[0], ONE_WAY + SETUP + 10000 + 4000 + 1600 + 640 + 256 + BLACKOUT + FINISH + ONE_WAY);
	fixture_free(f);
}

static void the_dirty_rate_saturates_at_the_working_set(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	f->inventory->guests[0].dirty_rate_bytes_per_s = 500 * MB;
	f->inventory->guests[0].working_set_bytes = 20 * MB;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 3600000);
	assert_int_equal(fixture_reply(f, tag)->stats.rounds, 1);
	assert_int_equal(fixture_reply(f, tag)->stats.downtime_ms, 200 + BLACKOUT);
	fixture_free(f);
}

static void a_guest_that_writes_faster_than_the_link_never_ends_until_aborted(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	f->inventory->guests[0].dirty_rate_bytes_per_s = 200 * MB;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 3600000);
	assert_null(fixture_reply(f, tag));
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_ABORT, .host = "h1", .guest = "web"})->error.code, ERR_NONE);
	fixture_until(f, 3601000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_ABORTED);
	assert_int_equal(fixture_where(f, "h1", "web").presence, HV_RUNNING);
	assert_int_equal(fixture_where(f, "h2", "web").presence, HV_ABSENT);
	assert_int_equal(sim_guest_blackout_ms(f->sim, 0), -1);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void auto_converge_makes_it_end(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	f->inventory->guests[0].dirty_rate_bytes_per_s = 200 * MB;
	fixture_start(f);
	tag = fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .auto_converge = true});
	fixture_until(f, 3600000);
	assert_non_null(fixture_reply(f, tag));
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	fixture_free(f);
}

static void a_longer_downtime_ends_it_too(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);
	uint64_t tag;

	(void)state;
	f->inventory->guests[0].dirty_rate_bytes_per_s = 200 * MB;
	f->inventory->guests[0].working_set_bytes = 100 * MB;
	fixture_start(f);
	tag = fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 60000);
	assert_null(fixture_reply(f, tag));
	fixture_send(f, (struct hv_request){.kind = HV_SET_DOWNTIME, .guest = "web", .host = "h1", .downtime_ms = 1000});
	fixture_until(f, 63000);
	assert_non_null(fixture_reply(f, tag));
	assert_int_equal(fixture_reply(f, tag)->stats.downtime_ms, 1000 + BLACKOUT);
	fixture_free(f);
}

static void disks_are_copied_before_memory_and_statistics_show_one_of_them(void **state)
{
	struct fixture *f = two_hosts(500 * MB, 1000 * MB);
	const struct hv_reply *stats;
	struct hv_request ask = {.kind = HV_STATS, .guest = "web", .host = "h1"};
	uint64_t tag;

	(void)state;
	fixture_start(f);
	tag = fixture_move(f, "web", "h1", "h2", 0);
	assert_int_equal(fixture_ask(f, ask)->stats.phase, HV_PHASE_SETUP);
	fixture_until_phase(f, "web", SIM_PHASE_DISKS);
	fixture_until(f, sim_now_ms(f->sim) + 5000);
	stats = fixture_ask(f, ask);
	assert_int_equal(stats->stats.phase, HV_PHASE_DISKS);
	assert_int_equal(stats->stats.memory_total_bytes, 0);
	assert_int_equal(stats->stats.disk_total_bytes, 1000 * MB);
	assert_in_range(stats->stats.disk_processed_bytes, 499 * MB, 502 * MB);
	assert_int_equal(stats->stats.rate_bytes_per_s, 0);
	fixture_until_phase(f, "web", SIM_PHASE_MEMORY);
	fixture_until(f, sim_now_ms(f->sim) + 1000);
	stats = fixture_ask(f, ask);
	assert_int_equal(stats->stats.phase, HV_PHASE_MEMORY);
	assert_int_equal(stats->stats.disk_processed_bytes, 1000 * MB);
	assert_int_equal(stats->stats.rate_bytes_per_s, 100 * MB);
	assert_in_range(stats->stats.memory_remaining_bytes, 398 * MB, 400 * MB);
	fixture_until(f, 60000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void assert_where(struct fixture *f, const char *host, enum hv_presence presence, enum hv_pause_reason reason, enum hv_job job)
{
	struct hv_where where = fixture_where(f, host, "web");

	assert_int_equal(where.presence, presence);
	assert_int_equal(where.pause_reason, reason);
	assert_int_equal(where.job, job);
}

static void each_instant_shows_what_libvirt_shows(void **state)
{
	struct fixture *f = two_hosts(500 * MB, 500 * MB);

	(void)state;
	f->options.blackout_ms = 1000; /* long enough to ask twice */
	f->options.finish_ms = 1000;
	f->inventory->guests[0].dirty_rate_bytes_per_s = 20 * MB;
	fixture_start(f);
	fixture_move(f, "web", "h1", "h2", 0);
	fixture_until_phase(f, "web", SIM_PHASE_BEGIN);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_OUT);
	assert_where(f, "h2", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_until_phase(f, "web", SIM_PHASE_DISKS);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_OUT);
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_IN);
	fixture_until_phase(f, "web", SIM_PHASE_FINISH);
	assert_where(f, "h1", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_OUT);
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_IN);
	fixture_until_phase(f, "web", SIM_PHASE_CONFIRM);
	assert_where(f, "h1", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_OUT);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_true(fixture_where(f, "h2", "web").has_tag);
	assert_int_equal(fixture_where(f, "h2", "web").job_tag.move, 7);
	fixture_until_phase(f, "web", SIM_PHASE_NONE);
	assert_where(f, "h1", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_true(fixture_where(f, "h2", "web").persistent);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_move_that_does_not_persist_leaves_the_definition(void **state)
{
	struct fixture *f = two_hosts(100 * MB, 0);
	struct hv_where where;

	(void)state;
	fixture_start(f);
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2"});
	fixture_until(f, 10000);
	where = fixture_where(f, "h1", "web");
	assert_int_equal(where.presence, HV_SHUTOFF);
	assert_true(where.shutoff_by_migration);
	assert_false(fixture_where(f, "h2", "web").persistent);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_FINISH_SOURCE, .guest = "web", .host = "h1"})->error.code, ERR_NONE);
	assert_int_equal(fixture_where(f, "h1", "web").presence, HV_ABSENT);
	fixture_free(f);
}

static void a_clean_move_leaves_nothing_behind(void **state)
{
	struct fixture *f = two_hosts(100 * MB, 200 * MB);
	struct sim_leftover *left = NULL;
	const struct hv_reply *prepared;
	struct inventory *after;
	uint64_t tag;
	size_t i;

	(void)state;
	fixture_start(f);
	tag = fixture_move(f, "web", "h1", "h2", 0);
	fixture_until(f, 60000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	assert_int_equal(sim_leftovers(f->sim, &left), 2); /* the old volume, the tag */
	free(left);
	for (i = 0, prepared = NULL; i < f->n_replies; i++) {
		if (f->replies[i].kind == HV_PREPARE)
			prepared = &f->replies[i];
	}
	assert_true(prepared->disks[0].was_created);
	assert_string_equal(prepared->disks[0].target_path, "/images/web-vda");
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_FINISH_TARGET, .guest = "web", .host = "h2", .autostart = true})->error.code, ERR_NONE);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_FINISH_SOURCE, .guest = "web", .host = "h1",
		.disks = prepared->disks, .n_disks = prepared->n_disks})->error.code, ERR_NONE);
	assert_int_equal(sim_leftovers(f->sim, &left), 0);
	free(left);
	after = sim_inventory(f->sim);
	assert_int_equal(after->guests[0].host, 1);
	assert_true(after->guests[0].autostart);
	assert_int_equal(host_pool(&after->hosts[0], "images")->available_bytes, 100 * GIB + 200 * MB);
	assert_int_equal(host_pool(&after->hosts[1], "images")->available_bytes, 100 * GIB - 200 * MB);
	inventory_free(after);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_failed_move_leaves_volumes_and_tag(void **state)
{
	struct fixture *f = two_hosts(100 * MB, 200 * MB);
	struct sim_leftover *left = NULL;
	size_t n;

	(void)state;
	fixture_start(f);
	fixture_move(f, "web", "h1", "h2", 0);
	fixture_until_phase(f, "web", SIM_PHASE_DISKS);
	fixture_ask(f, (struct hv_request){.kind = HV_ABORT, .guest = "web", .host = "h1"});
	fixture_until(f, 60000);
	n = sim_leftovers(f->sim, &left);
	assert_int_equal(n, 2);
	assert_int_equal(left[0].kind, SIM_LEFT_VOLUME);
	assert_int_equal(left[0].host, 1);
	assert_int_equal(left[1].kind, SIM_LEFT_TAG);
	assert_int_equal(left[1].host, 0);
	free(left);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_second_migration_of_a_moving_guest_is_refused(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);

	(void)state;
	fixture_start(f);
	fixture_migrate(f, "web", "h1", "h2");
	fixture_until_phase(f, "web", SIM_PHASE_MEMORY);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2"})->error.code, ERR_GUEST_BUSY);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_PREFLIGHT, .guest = "web", .host = "h1", .target = "h2"})->error.code, ERR_GUEST_BUSY);
	fixture_until(f, 60000);
	assert_int_equal(sim_guest_runs_on(f->sim, 0), 1);
	fixture_free(f);
}

static void a_rate_set_before_the_copy_begins_is_overwritten(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);

	(void)state;
	fixture_start(f);
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .rate_bytes_per_s = MIB});
	fixture_until_phase(f, "web", SIM_PHASE_PREPARED);
	fixture_ask(f, (struct hv_request){.kind = HV_SET_RATE, .guest = "web", .host = "h1", .rate_bytes_per_s = 50 * MB});
	fixture_until_phase(f, "web", SIM_PHASE_MEMORY);
	fixture_until(f, sim_now_ms(f->sim) + 1);
	assert_int_equal(sim_guest_rate(f->sim, 0), MIB);
	fixture_ask(f, (struct hv_request){.kind = HV_SET_RATE, .guest = "web", .host = "h1", .rate_bytes_per_s = 50 * MB});
	assert_int_equal(sim_guest_rate(f->sim, 0), 50 * MB);
	fixture_free(f);
}

static void notes_tell_the_switchover(void **state)
{
	struct fixture *f = two_hosts(1000 * MB, 0);

	(void)state;
	fixture_start(f);
	fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 60000);
	assert_non_null(fixture_note(f, HV_NOTE_GUEST_STARTED, "h2"));
	assert_true(fixture_note(f, HV_NOTE_GUEST_STARTED, "h2")->at_ms < 1000); /* the incoming process, not the guest */
	assert_int_equal(fixture_note(f, HV_NOTE_GUEST_SUSPENDED, "h1")->at_ms, ONE_WAY + SETUP + 10000 + 2);
	assert_int_equal(fixture_note(f, HV_NOTE_GUEST_RESUMED, "h2")->at_ms, ONE_WAY + SETUP + 10000 + BLACKOUT + 2);
	assert_int_equal(fixture_note(f, HV_NOTE_GUEST_STOPPED, "h1")->at_ms, ONE_WAY + SETUP + 10000 + BLACKOUT + FINISH + 2);
	assert_non_null(fixture_note(f, HV_NOTE_ROUND, "h1"));
	fixture_free(f);
}

static void a_paused_handover_waits_for_the_manager(void **state)
{
	struct fixture *f = two_hosts(100 * MB, 0);
	uint64_t tag;

	(void)state;
	fixture_start(f);
	fixture_ask(f, (struct hv_request){.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h2"});
	tag = fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .persistent = true, .paused_handover = true});
	fixture_until(f, 10000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	assert_where(f, "h1", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_USER, HV_JOB_NONE);
	assert_false(sim_check_settled(f->sim, NULL));
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_RESUME, .guest = "web", .host = "h2"})->error.code, ERR_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_paused_guest_stays_paused(void **state)
{
	struct fixture *f = two_hosts(100 * MB, 0);

	(void)state;
	f->inventory->guests[0].state = GUEST_PAUSED;
	fixture_start(f);
	fixture_migrate(f, "web", "h1", "h2");
	fixture_until(f, 10000);
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_USER, HV_JOB_NONE);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_RESUME, .guest = "web", .host = "h2"})->error.code, ERR_GUEST_BUSY);
	fixture_assert_settled(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_guest_takes_its_bytes_over_the_rate),
		cmocka_unit_test(pre_copy_rounds_follow_the_geometric_series),
		cmocka_unit_test(the_dirty_rate_saturates_at_the_working_set),
		cmocka_unit_test(a_guest_that_writes_faster_than_the_link_never_ends_until_aborted),
		cmocka_unit_test(auto_converge_makes_it_end),
		cmocka_unit_test(a_longer_downtime_ends_it_too),
		cmocka_unit_test(disks_are_copied_before_memory_and_statistics_show_one_of_them),
		cmocka_unit_test(each_instant_shows_what_libvirt_shows),
		cmocka_unit_test(a_move_that_does_not_persist_leaves_the_definition),
		cmocka_unit_test(a_clean_move_leaves_nothing_behind),
		cmocka_unit_test(a_failed_move_leaves_volumes_and_tag),
		cmocka_unit_test(a_second_migration_of_a_moving_guest_is_refused),
		cmocka_unit_test(a_rate_set_before_the_copy_begins_is_overwritten),
		cmocka_unit_test(notes_tell_the_switchover),
		cmocka_unit_test(a_paused_handover_waits_for_the_manager),
		cmocka_unit_test(a_paused_guest_stays_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
