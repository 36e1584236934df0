/* Each fault of the simulated world: what it does at once, what both hosts show afterwards, what is left. The
 * rows are those of the decision table that the reconcile logic works by. */
#include "sim_fixture.h"

enum { KEEPALIVE = 30000 };

static struct fixture *moving(enum sim_phase phase, uint64_t *ret_tag)
{
	struct fixture *f = fixture_new();
	size_t i;

	f->options.blackout_ms = 1000;
	f->options.finish_ms = 1000;
	for (i = 0; i < 3; i++)
		fixture_host(f, i == 0 ? "h1" : i == 1 ? "h2" : "h3", 100 * MB);
	fixture_disk(fixture_guest(f, "web", 0, 500 * MB), 500 * MB);
	f->inventory->guests[0].dirty_rate_bytes_per_s = 20 * MB;
	fixture_start(f);
	*ret_tag = fixture_move(f, "web", "h1", "h2", 0);
	fixture_until_phase(f, "web", phase);
	return f;
}

static void strike(struct fixture *f, enum sim_fault_kind kind, const char *host, int64_t duration_ms)
{
	sim_fault(f->sim, &(struct sim_fault){.kind = kind, .host = host, .guest = "web", .duration_ms = duration_ms});
	assert_int_equal(sim_fault_hits(f->sim, kind), 1);
}

static void assert_where(struct fixture *f, const char *host, enum hv_presence presence, enum hv_pause_reason reason, enum hv_job job)
{
	struct hv_where where = fixture_where(f, host, "web");

	assert_int_equal(where.presence, presence);
	assert_int_equal(where.pause_reason, reason);
	assert_int_equal(where.job, job);
}

static void assert_stays(struct fixture *f)
{
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_settled(f);
}

static void wait_ms(struct fixture *f, int64_t ms)
{
	fixture_until(f, sim_now_ms(f->sim) + ms);
}

static const enum sim_phase perform_phases[] = {SIM_PHASE_PREPARED, SIM_PHASE_DISKS, SIM_PHASE_MEMORY, SIM_PHASE_SWITCHOVER};

/* --- libvirtd restarts --- */

static void a_source_restart_during_the_copy_cancels_it(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint64_t tag;
		struct fixture *f = moving(perform_phases[i], &tag);

		strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h1", 0);
		wait_ms(f, 5000);
		assert_true(fixture_reply(f, tag)->outcome_unknown);
		assert_non_null(fixture_note(f, HV_NOTE_HOST_DOWN, "h1"));
		assert_non_null(fixture_note(f, HV_NOTE_HOST_UP, "h1"));
		assert_stays(f);
		fixture_free(f);
	}
}

static void a_source_restart_after_the_copy_leaves_it_paused(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_FINISH, &tag);

	(void)state;
	strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h1", 0);
	wait_ms(f, 5000);
	assert_where(f, "h1", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_NONE);
	assert_where(f, "h2", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_sound(f);
	assert_false(sim_check_settled(f->sim, NULL));
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_RESUME, .guest = "web", .host = "h1"})->error.code, ERR_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_source_restart_before_confirm_leaves_it_paused_while_the_target_runs(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_CONFIRM, &tag);

	(void)state;
	strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h1", 0);
	wait_ms(f, 5000);
	assert_where(f, "h1", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_NONE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h1"})->error.code, ERR_NONE);
	assert_where(f, "h1", HV_SHUTOFF, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void resuming_the_source_while_the_target_runs_is_a_breach(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_CONFIRM, &tag);

	(void)state;
	strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h1", 0);
	wait_ms(f, 5000);
	fixture_ask(f, (struct hv_request){.kind = HV_RESUME, .guest = "web", .host = "h1"});
	assert_false(sim_check(f->sim, NULL));
	fixture_free(f);
}

static void a_target_restart_before_it_runs_cancels_the_move(void **state)
{
	const enum sim_phase phases[] = {SIM_PHASE_PREPARED, SIM_PHASE_DISKS, SIM_PHASE_MEMORY, SIM_PHASE_SWITCHOVER, SIM_PHASE_FINISH};
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		uint64_t tag;
		struct fixture *f = moving(phases[i], &tag);

		strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h2", 0);
		wait_ms(f, 5000);
		assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
		assert_false(fixture_reply(f, tag)->outcome_unknown);
		assert_stays(f);
		fixture_free(f);
	}
}

static void a_target_restart_after_it_runs_splits_the_brain(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_CONFIRM, &tag);

	(void)state;
	strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h2", 0);
	wait_ms(f, 5000);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_sound(f); /* libvirt did it, not the manager */
	fixture_ask(f, (struct hv_request){.kind = HV_SUSPEND, .guest = "web", .host = "h1"});
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h1"});
	fixture_assert_settled(f);
	fixture_free(f);
}

static void keeping_the_stale_copy_of_a_split_brain_is_a_breach(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_CONFIRM, &tag);

	(void)state;
	strike(f, SIM_FAULT_LIBVIRTD_RESTART, "h2", 0);
	wait_ms(f, 5000);
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h2"});
	assert_false(sim_check(f->sim, NULL));
	fixture_free(f);
}

/* --- Finish lost --- */

static void a_lost_finish_resumes_the_source_after_the_keepalive_time(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_FINISH_LOST, .guest = "web"});
	fixture_until_phase(f, "web", SIM_PHASE_CONFIRM);
	wait_ms(f, KEEPALIVE - 1000);
	assert_where(f, "h1", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_OUT);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	wait_ms(f, 2000);
	assert_int_equal(sim_fault_hits(f->sim, SIM_FAULT_FINISH_LOST), 1);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h1"});
	fixture_assert_settled(f);
	fixture_free(f);
}

static void destroying_the_source_within_the_window_prevents_the_split(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_FINISH_LOST, .guest = "web"});
	fixture_until_phase(f, "web", SIM_PHASE_CONFIRM);
	wait_ms(f, 8000);
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h1"});
	wait_ms(f, 2 * KEEPALIVE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_int_not_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_lost_finish_with_paused_handover_never_runs_twice(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_guest(f, "web", 0, 500 * MB);
	fixture_start(f);
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2", .persistent = true, .paused_handover = true});
	fixture_until_phase(f, "web", SIM_PHASE_MEMORY);
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_FINISH_LOST, .guest = "web"});
	wait_ms(f, 2 * KEEPALIVE);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_USER, HV_JOB_NONE);
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h2"});
	fixture_assert_settled(f);
	fixture_free(f);
}

/* --- hosts die --- */

static void a_target_that_dies_is_noticed_after_the_keepalive_time(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint64_t tag;
		struct fixture *f = moving(perform_phases[i], &tag);

		strike(f, SIM_FAULT_HOST_DIES, "h2", 0);
		wait_ms(f, KEEPALIVE - 1000);
		assert_null(fixture_reply(f, tag));
		wait_ms(f, 2000);
		assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
		assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_WHERE, .guest = "web", .host = "h2"})->error.code, ERR_HOST_UNREACHABLE);
		sim_heal_all(f->sim);
		wait_ms(f, 1000);
		assert_stays(f);
		fixture_free(f);
	}
}

static void a_source_that_dies_takes_the_guest_with_it(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	strike(f, SIM_FAULT_HOST_DIES, "h1", 0);
	assert_true(sim_guest_was_ended(f->sim, 0));
	assert_where(f, "h2", HV_PAUSED, HV_PAUSE_MIGRATION, HV_JOB_IN);
	wait_ms(f, KEEPALIVE + 1000);
	assert_where(f, "h2", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_true(fixture_reply(f, tag)->outcome_unknown);
	sim_heal_all(f->sim);
	wait_ms(f, 1000);
	assert_where(f, "h1", HV_SHUTOFF, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_source_that_dies_after_the_copy_loses_nothing(void **state)
{
	const enum sim_phase phases[] = {SIM_PHASE_FINISH, SIM_PHASE_CONFIRM};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		uint64_t tag;
		struct fixture *f = moving(phases[i], &tag);

		strike(f, SIM_FAULT_HOST_DIES, "h1", 60000);
		wait_ms(f, 70000);
		assert_false(sim_guest_was_ended(f->sim, 0));
		assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
		assert_where(f, "h1", HV_SHUTOFF, HV_PAUSE_NONE, HV_JOB_NONE); /* a stale definition */
		assert_true(fixture_reply(f, tag)->outcome_unknown);
		fixture_assert_settled(f);
		fixture_free(f);
	}
}

static void a_host_that_boots_starts_its_stale_definition(void **state)
{
	struct fixture *f = fixture_new();

	(void)state;
	f->options.finish_ms = 1000;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_guest(f, "web", 0, 100 * MB)->autostart = true;
	fixture_start(f);
	fixture_migrate(f, "web", "h1", "h2");
	fixture_until_phase(f, "web", SIM_PHASE_CONFIRM);
	strike(f, SIM_FAULT_HOST_DIES, "h1", 60000);
	wait_ms(f, 70000);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_ask(f, (struct hv_request){.kind = HV_DESTROY, .guest = "web", .host = "h1"});
	fixture_ask(f, (struct hv_request){.kind = HV_FINISH_SOURCE, .guest = "web", .host = "h1"});
	fixture_assert_settled(f);
	fixture_free(f);
}

/* --- connections and links --- */

static void a_host_out_of_reach_goes_on_migrating(void **state)
{
	uint64_t tag, where;
	struct fixture *f = moving(SIM_PHASE_DISKS, &tag);

	(void)state;
	strike(f, SIM_FAULT_HOST_UNREACHABLE, "h1", 60000);
	where = fixture_send(f, (struct hv_request){.kind = HV_WHERE, .guest = "web", .host = "h1"});
	wait_ms(f, KEEPALIVE - 1);
	assert_null(fixture_reply(f, where));
	wait_ms(f, 10);
	assert_true(fixture_reply(f, where)->outcome_unknown);
	assert_true(fixture_reply(f, tag)->outcome_unknown);
	assert_int_equal(fixture_note(f, HV_NOTE_HOST_DOWN, "h1")->kind, HV_NOTE_HOST_DOWN);
	where = fixture_ask(f, (struct hv_request){.kind = HV_WHERE, .guest = "web", .host = "h1"})->error.code;
	assert_int_equal(where, ERR_HOST_UNREACHABLE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	wait_ms(f, 60000);
	assert_non_null(fixture_note(f, HV_NOTE_HOST_UP, "h1"));
	assert_where(f, "h1", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void a_short_cut_only_delays_answers(void **state)
{
	uint64_t tag, where;
	struct fixture *f = moving(SIM_PHASE_DISKS, &tag);

	(void)state;
	strike(f, SIM_FAULT_HOST_UNREACHABLE, "h1", 5000);
	where = fixture_send(f, (struct hv_request){.kind = HV_WHERE, .guest = "web", .host = "h1"});
	wait_ms(f, 60000);
	assert_false(fixture_reply(f, where)->outcome_unknown);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	assert_null(fixture_note(f, HV_NOTE_HOST_DOWN, "h1"));
	fixture_free(f);
}

static void a_peer_cut_breaks_the_move_after_the_keepalive_time(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_LINK_SLOW, .host = "h1", .value = MB}); /* so that it lasts */
	strike(f, SIM_FAULT_PEER_CUT, "h2", 40000);
	wait_ms(f, KEEPALIVE + 1000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
	assert_stays(f);
	fixture_free(f);
}

static void a_peer_cut_before_confirm_splits_the_brain(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_CONFIRM, &tag);

	(void)state;
	strike(f, SIM_FAULT_PEER_CUT, "h2", 40000);
	wait_ms(f, KEEPALIVE + 5000);
	assert_where(f, "h1", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	fixture_assert_sound(f);
	fixture_free(f);
}

static void nobody_notices_a_cut_migration_link(void **state)
{
	struct hv_request ask = {.kind = HV_STATS, .guest = "web", .host = "h1"};
	uint64_t tag, before;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	wait_ms(f, 1000);
	strike(f, SIM_FAULT_LINK_CUT, "h2", 100000);
	before = fixture_ask(f, ask)->stats.memory_processed_bytes;
	wait_ms(f, 90000);
	assert_int_equal(fixture_ask(f, ask)->stats.memory_processed_bytes, before);
	assert_null(fixture_reply(f, tag));
	wait_ms(f, 30000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	fixture_free(f);
}

static void a_slow_link_slows(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_LINK_SLOW, .host = "h2", .value = 30 * MB, .duration_ms = 2000});
	assert_int_equal(sim_guest_rate(f->sim, 0), 30 * MB);
	wait_ms(f, 2001);
	assert_int_equal(sim_guest_rate(f->sim, 0), 100 * MB);
	fixture_free(f);
}

static void a_hanging_host_answers_late_and_does_its_work_all_the_same(void **state)
{
	struct fixture *f = fixture_new();
	uint64_t tag;

	(void)state;
	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_guest(f, "web", 0, 100 * MB);
	fixture_start(f);
	strike(f, SIM_FAULT_HOST_HANGS, "h1", 45000);
	tag = fixture_send(f, (struct hv_request){.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h2"});
	wait_ms(f, 31000);
	assert_true(fixture_reply(f, tag)->outcome_unknown);
	wait_ms(f, 20000);
	assert_int_equal(fixture_count_replies(f, tag), 1);
	assert_true(fixture_where(f, "h1", "web").has_tag);
	fixture_free(f);
}

/* --- the move itself --- */

static void a_killed_incoming_process_leaves_the_source_running(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint64_t tag;
		struct fixture *f = moving(perform_phases[i], &tag);

		strike(f, SIM_FAULT_INCOMING_KILLED, NULL, 0);
		wait_ms(f, 5000);
		assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
		assert_stays(f);
		fixture_free(f);
	}
}

static void an_error_at_a_chosen_phase_strikes_there(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_BEGIN, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = "web", .at_phase = SIM_PHASE_SWITCHOVER, .error = ERR_NOT_CONVERGING});
	wait_ms(f, 60000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NOT_CONVERGING);
	assert_non_null(fixture_note(f, HV_NOTE_GUEST_SUSPENDED, "h1"));
	assert_non_null(fixture_note(f, HV_NOTE_GUEST_RESUMED, "h1"));
	assert_stays(f);
	fixture_free(f);
}

static void a_dirty_surge_keeps_the_move_from_converging(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_DISKS, &tag);

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_DIRTY_SURGE, .guest = "web", .value = 500 * MB, .duration_ms = 120000});
	wait_ms(f, 119000);
	assert_null(fixture_reply(f, tag));
	wait_ms(f, 60000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_NONE);
	fixture_free(f);
}

static void a_guest_that_ends_during_its_move_is_gone(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);

	(void)state;
	strike(f, SIM_FAULT_GUEST_ENDS, NULL, 0);
	wait_ms(f, 5000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
	assert_where(f, "h1", HV_SHUTOFF, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h2", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_true(sim_guest_was_ended(f->sim, 0));
	fixture_assert_settled(f);
	fixture_free(f);
}

static struct fixture *resting(void)
{
	struct fixture *f = fixture_new();

	fixture_host(f, "h1", 100 * MB);
	fixture_host(f, "h2", 100 * MB);
	fixture_host(f, "h3", 100 * MB);
	fixture_disk(fixture_guest(f, "web", 0, 500 * MB), 500 * MB);
	fixture_start(f);
	return f;
}

static void a_stranger_may_move_the_guest_away(void **state)
{
	struct fixture *f = resting();

	(void)state;
	strike(f, SIM_FAULT_STRANGER_MOVES, "h3", 0);
	wait_ms(f, 1000);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "web", .host = "h1", .target = "h2"})->error.code, ERR_GUEST_BUSY);
	wait_ms(f, 60000);
	assert_where(f, "h1", HV_ABSENT, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_where(f, "h3", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_false(fixture_where(f, "h3", "web").has_tag);
	fixture_assert_settled(f);
	fixture_free(f);
}

static void what_strangers_take_is_missing_until_healed(void **state)
{
	struct fixture *f = resting();
	struct hv_request ask = {.kind = HV_PREFLIGHT, .guest = "web", .host = "h1", .target = "h2"};

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_POOL_TAKEN, .host = "h2", .pool = "images", .value = 100 * GIB - 400 * MB});
	assert_int_equal(fixture_ask(f, ask)->error.code, ERR_TARGET_POOL_SPACE);
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_MEMORY_TAKEN, .host = "h2", .value = 64 * GIB - 400 * MB});
	assert_int_equal(fixture_ask(f, ask)->error.code, ERR_TARGET_MEMORY);
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h3"})->error.code, ERR_NONE);
	sim_heal_all(f->sim);
	assert_int_equal(fixture_ask(f, ask)->error.code, ERR_NONE);
	fixture_free(f);
}

static void memory_taken_after_the_preflight_fails_the_move(void **state)
{
	struct fixture *f = resting();
	uint64_t tag;

	(void)state;
	tag = fixture_move(f, "web", "h1", "h2", 0);
	strike(f, SIM_FAULT_MEMORY_TAKEN, "h2", 0); /* nothing asked for: nothing taken */
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_MEMORY_TAKEN, .host = "h2", .value = UINT64_MAX});
	wait_ms(f, 5000);
	assert_int_equal(fixture_reply(f, tag)->error.code, ERR_MIGRATE_FAILED);
	assert_stays(f);
	fixture_free(f);
}

/* --- requests --- */

static void a_request_error_has_no_effect(void **state)
{
	struct fixture *f = resting();

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_REQUEST_ERROR, .request = HV_PREPARE, .error = ERR_PREPARE_FAILED});
	assert_int_equal(fixture_ask(f, (struct hv_request){.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h2"})->error.code, ERR_PREPARE_FAILED);
	assert_false(fixture_where(f, "h1", "web").has_tag);
	assert_int_equal(sim_fault_hits(f->sim, SIM_FAULT_REQUEST_ERROR), 1);
	fixture_free(f);
}

static void a_lost_reply_is_unknown_though_the_work_is_done(void **state)
{
	struct fixture *f = resting();
	uint64_t tag;

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_REPLY_LOST, .request = HV_PREPARE});
	tag = fixture_send(f, (struct hv_request){.kind = HV_PREPARE, .guest = "web", .host = "h1", .target = "h2"});
	assert_true(fixture_where(f, "h1", "web").has_tag);
	assert_null(fixture_reply(f, tag));
	wait_ms(f, 31000);
	assert_true(fixture_reply(f, tag)->outcome_unknown);
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_REPLY_LOST, .request = HV_MIGRATE});
	tag = fixture_migrate(f, "web", "h1", "h2");
	(void)tag;
	fixture_free(f);
}

static void replies_may_be_late_or_doubled(void **state)
{
	struct fixture *f = resting();
	uint64_t late, twice;

	(void)state;
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_REPLY_LATE, .request = HV_WHERE, .duration_ms = 40000});
	sim_fault(f->sim, &(struct sim_fault){.kind = SIM_FAULT_REPLY_DOUBLED, .request = HV_PROBE});
	late = fixture_send(f, (struct hv_request){.kind = HV_WHERE, .guest = "web", .host = "h1"});
	twice = fixture_send(f, (struct hv_request){.kind = HV_PROBE, .host = "h1"});
	wait_ms(f, 39000);
	assert_null(fixture_reply(f, late));
	assert_int_equal(fixture_count_replies(f, twice), 2);
	wait_ms(f, 2000);
	assert_int_equal(fixture_reply(f, late)->where.presence, HV_RUNNING);
	fixture_free(f);
}

/* --- the manager --- */

static void a_dropped_manager_hears_nothing_and_the_move_goes_on(void **state)
{
	uint64_t tag;
	struct fixture *f = moving(SIM_PHASE_MEMORY, &tag);
	size_t n = f->n_replies;

	(void)state;
	fixture_send(f, (struct hv_request){.kind = HV_PROBE, .host = "h1"});
	sim_drop_manager(f->sim);
	fixture_listen(f); /* the next life */
	wait_ms(f, 60000);
	assert_int_equal(f->n_replies, n);
	assert_where(f, "h2", HV_RUNNING, HV_PAUSE_NONE, HV_JOB_NONE);
	assert_true(fixture_where(f, "h2", "web").has_tag);
	fixture_assert_settled(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_restart_during_the_copy_cancels_it),
		cmocka_unit_test(a_source_restart_after_the_copy_leaves_it_paused),
		cmocka_unit_test(a_source_restart_before_confirm_leaves_it_paused_while_the_target_runs),
		cmocka_unit_test(resuming_the_source_while_the_target_runs_is_a_breach),
		cmocka_unit_test(a_target_restart_before_it_runs_cancels_the_move),
		cmocka_unit_test(a_target_restart_after_it_runs_splits_the_brain),
		cmocka_unit_test(keeping_the_stale_copy_of_a_split_brain_is_a_breach),
		cmocka_unit_test(a_lost_finish_resumes_the_source_after_the_keepalive_time),
		cmocka_unit_test(destroying_the_source_within_the_window_prevents_the_split),
		cmocka_unit_test(a_lost_finish_with_paused_handover_never_runs_twice),
		cmocka_unit_test(a_target_that_dies_is_noticed_after_the_keepalive_time),
		cmocka_unit_test(a_source_that_dies_takes_the_guest_with_it),
		cmocka_unit_test(a_source_that_dies_after_the_copy_loses_nothing),
		cmocka_unit_test(a_host_that_boots_starts_its_stale_definition),
		cmocka_unit_test(a_host_out_of_reach_goes_on_migrating),
		cmocka_unit_test(a_short_cut_only_delays_answers),
		cmocka_unit_test(a_peer_cut_breaks_the_move_after_the_keepalive_time),
		cmocka_unit_test(a_peer_cut_before_confirm_splits_the_brain),
		cmocka_unit_test(nobody_notices_a_cut_migration_link),
		cmocka_unit_test(a_slow_link_slows),
		cmocka_unit_test(a_hanging_host_answers_late_and_does_its_work_all_the_same),
		cmocka_unit_test(a_killed_incoming_process_leaves_the_source_running),
		cmocka_unit_test(an_error_at_a_chosen_phase_strikes_there),
		cmocka_unit_test(a_dirty_surge_keeps_the_move_from_converging),
		cmocka_unit_test(a_guest_that_ends_during_its_move_is_gone),
		cmocka_unit_test(a_stranger_may_move_the_guest_away),
		cmocka_unit_test(what_strangers_take_is_missing_until_healed),
		cmocka_unit_test(memory_taken_after_the_preflight_fails_the_move),
		cmocka_unit_test(a_request_error_has_no_effect),
		cmocka_unit_test(a_lost_reply_is_unknown_though_the_work_is_done),
		cmocka_unit_test(replies_may_be_late_or_doubled),
		cmocka_unit_test(a_dropped_manager_hears_nothing_and_the_move_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
