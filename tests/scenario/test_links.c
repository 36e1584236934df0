/* What the engine makes of links that change while moves run: narrowed, limited, shared with others. */
#include <stdio.h>
#include <string.h>

#include "trial_assert.h"
#include "xalloc.h"

#define MB ((uint64_t)1000 * 1000)
#define GIB ((uint64_t)1 << 30)

enum {
	RATE_MB = 119,       /* payload of the gigabit links below */
	LAST_PAGES_MS = 110, /* 8 MB/s in a last round of 300 ms, over the 22 MB/s that a copy gets of 24 */
};

/* One host with twelve guests of 600 MB in memory, and three to take them. */
static struct inventory *site(uint64_t rate, uint32_t reserve_percent)
{
	struct inventory *inventory = inventory_new();
	struct migration_network *network = inventory_add_network(inventory, "m");
	unsigned i;

	network->cidr = xstrdup("10.8.0.0/24");
	network->rate_bytes_per_s = rate;
	network->reserve_percent = reserve_percent;
	for (i = 1; i <= 4; i++) {
		char name[32];
		struct host *host;

		snprintf(name, sizeof name, "h%u", i);
		host = inventory_add_host(inventory, name);
		host->memory_bytes = 64 * GIB;
		snprintf(name, sizeof name, "10.8.0.%u/24", i);
		host_add_link(host, name);
	}
	for (i = 1; i <= 12; i++) {
		char name[32];
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = inventory_add_guest(inventory, name, 0);
		guest->memory_bytes = GIB;
		guest->used_memory_bytes = 600 * MB;
		guest->dirty_rate_bytes_per_s = MB;
		guest->working_set_bytes = 4 * MB;
	}
	return inventory;
}

/* Time passes, whether something happens or not. */
static void pass(struct trial *trial, int64_t ms)
{
	int64_t until_ms = trial->now_ms + ms;

	while (trial_step(trial, until_ms))
		;
	trial->now_ms = until_ms;
}

static struct link_live out_of_h1(const struct trial *trial)
{
	struct link_live live;

	engine_link_live(trial->engine, 0, &live);
	assert_string_equal(live.name, "link of h1 (out)");
	return live;
}

/* What the moves out of h1 are allowed together; UINT64_MAX when one of them is not bounded. */
static uint64_t granted(const struct trial *trial)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		struct move_live live;
		enum move_state state = engine_move(trial->engine, i)->state;

		if (state != MOVE_COPYING_MEMORY && state != MOVE_COPYING_DISKS)
			continue;
		engine_move_live(trial->engine, i, &live);
		if (live.granted_bytes_per_s == 0)
			return UINT64_MAX;
		sum += live.granted_bytes_per_s;
	}
	return sum;
}

/* Is this said of the last guest, which waits? */
static bool waits_for(const struct trial *trial, const char *text)
{
	struct move_live live;

	engine_move_live(trial->engine, engine_n_moves(trial->engine) - 1, &live);
	return strstr(live.waiting.message, text) != NULL;
}

static void narrow(struct trial *trial, uint64_t rate, int64_t for_ms)
{
	struct sim_fault fault = {.kind = SIM_FAULT_LINK_SLOW, .host = "h1", .value = rate, .duration_ms = for_ms};

	sim_fault(trial->sim, &fault);
}

static void narrowed_then_restored(uint64_t rate)
{
	struct trial *trial = trial_new(site(rate, 0), NULL, NULL);
	struct link_live live;
	int64_t noticed_ms;

	trial_drain(trial, "h1");
	pass(trial, 14000);
	live = out_of_h1(trial);
	assert_trial(live.flow_bytes_per_s > 100 * MB && live.n_heads == 1, trial);
	narrow(trial, 40 * MB, 20000);
	for (noticed_ms = 0; noticed_ms < 6000 && trial_audited(trial, "link of h1 (out) carries") == 0; noticed_ms += 250)
		pass(trial, 250);
	assert_trial(noticed_ms <= 3000, trial);
	pass(trial, 1500);
	live = out_of_h1(trial);
	/* One has the link, the others trickle: sharing it would keep all copies open. */
	assert_trial(live.n_heads == 1 && live.capacity_bytes_per_s < 48 * MB && live.capacity_bytes_per_s > 25 * MB, trial);
	pass(trial, 20000);
	live = out_of_h1(trial);
	assert_trial(live.capacity_bytes_per_s > 100 * MB && trial_audited(trial, "link of h1 (out) carries") >= 2, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	assert_trial(trial_check_settled(trial), trial);
	trial_free(trial);
}

/* Every copy could fill the link; that no two samples agree is no room for a second one, which would keep both open for longer. */
static void samples_that_differ_make_no_room_for_a_second_copy(void **state)
{
	struct sim_options options;
	struct trial *trial;
	unsigned looks = 0, shared = 0;

	(void)state;
	sim_options_init(&options);
	options.stats_lag_ms = 80;
	options.link_rate_bytes_per_s = 24 * MB;
	trial = trial_new(site(0, 0), &options, NULL);
	trial_drain(trial, "h1");
	pass(trial, 60000); /* what it carries has been found out */
	for (; engine_move(trial->engine, 7)->state != MOVE_DONE; looks++) {
		pass(trial, 250);
		shared += out_of_h1(trial).n_heads > 1;
	}
	assert_trial(looks > 200 && shared <= looks / 20, trial);
	trial_free(trial);
}

/* The pages of the one before are still under way when a copy gets the link. */
static void a_slow_first_moment_makes_no_room_for_a_second_copy(void **state)
{
	struct sim_options options;
	struct trial *trial;
	unsigned looks;

	(void)state;
	sim_options_init(&options);
	options.link_rate_bytes_per_s = 24 * MB;
	trial = trial_new(site(0, 0), &options, NULL);
	trial_drain(trial, "h1");
	while (engine_move(trial->engine, 3)->state != MOVE_SWITCHOVER)
		pass(trial, 50);
	narrow(trial, 15 * MB, 1200);
	for (looks = 0; looks < 20; looks++) {
		pass(trial, 250);
		assert_trial(out_of_h1(trial).n_heads <= 1, trial);
	}
	trial_free(trial);
}

/* The first move that stands still for its last pages; how many others flow without a bound meanwhile, and how many trickle. */
static void beside_a_blackout(const struct trial *trial, unsigned *ret_unbounded, unsigned *ret_trickling)
{
	size_t i;

	*ret_unbounded = *ret_trickling = 0;
	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		struct move_live live;

		if (engine_move(trial->engine, i)->state != MOVE_COPYING_MEMORY)
			continue;
		engine_move_live(trial->engine, i, &live);
		*ret_unbounded += live.granted_bytes_per_s == 0;
		*ret_trickling += live.granted_bytes_per_s != 0;
	}
}

static bool stands_still(const struct trial *trial, size_t move)
{
	return engine_move(trial->engine, move)->state == MOVE_SWITCHOVER;
}

static void the_last_pages_of_a_guest_that_writes_share_the_link_with_nobody(void **state)
{
	struct inventory *inventory = site(0, 0);
	struct sim_options options;
	struct trial *trial;
	unsigned unbounded, trickling, seen = 0, given = 0, ms;
	size_t i;

	(void)state;
	sim_options_init(&options);
	options.link_rate_bytes_per_s = 24 * MB;
	for (i = 0; i < inventory->n_guests; i++) {
		inventory->guests[i].dirty_rate_bytes_per_s = 8 * MB;
		inventory->guests[i].working_set_bytes = 24 * MB;
	}
	trial = trial_new(inventory, &options, NULL);
	trial_drain(trial, "h1");
	for (i = 2; i < 8; i++) {
		while (!stands_still(trial, i) && engine_move(trial->engine, i)->state != MOVE_DONE)
			pass(trial, 10);
		beside_a_blackout(trial, &unbounded, &trickling);
		assert_trial(unbounded == 0, trial);
		seen += stands_still(trial, i) && trickling > 0;
		for (ms = 0; stands_still(trial, i); ms += 10) {
			pass(trial, 10);
			beside_a_blackout(trial, &unbounded, &trickling);
			assert_trial(unbounded == 0 || ms + 10 >= LAST_PAGES_MS || !stands_still(trial, i), trial);
		}
		given += unbounded == 1;
	}
	assert_trial(seen >= 3 && given >= 3, trial);
	trial_free(trial);
}

/* Nobody knows what the link out of h1 carries; those into the others are narrower. The guests write so much that none would be staged
 * for the time that a copy takes. */
static void a_link_of_unknown_rate_is_tried_with_a_second_copy_while_the_first_runs(void **state)
{
	struct inventory *inventory = site(0, 0);
	struct sim_options options;
	struct trial *trial;
	size_t i;

	(void)state;
	for (i = 1; i < inventory->n_hosts; i++)
		inventory->hosts[i].links[0].rate_bytes_per_s = 40 * MB;
	for (i = 0; i < inventory->n_guests; i++)
		inventory->guests[i].dirty_rate_bytes_per_s = 4 * MB;
	sim_options_init(&options);
	options.link_rate_bytes_per_s = 100 * MB;
	trial = trial_new(inventory, &options, NULL);
	trial_drain(trial, "h1");
	pass(trial, 10000);
	for (i = 0; i < engine_n_moves(trial->engine); i++)
		assert_int_not_equal(engine_move(trial->engine, i)->state, MOVE_DONE);
	assert_trial(out_of_h1(trial).n_heads >= 2 && out_of_h1(trial).flow_bytes_per_s > 70 * MB, trial);
	trial_free(trial);
}

static void the_next_is_staged_at_the_first_byte_of_the_one_before(void **state)
{
	struct trial *trial = trial_new(site(RATE_MB * MB, 0), NULL, NULL);

	(void)state;
	trial_drain(trial, "h1");
	while (engine_move(trial->engine, 0)->bytes_transferred == 0)
		pass(trial, 10);
	pass(trial, 10);
	assert_int_not_equal(engine_move(trial->engine, 1)->state, MOVE_WAITING);
	trial_free(trial);
}

/* g1 fills the link into h3 for a while; g2 is staged behind it, and g3, which writes, could use the link out of h1 meanwhile. */
static void a_link_whose_only_move_waits_for_its_target_is_given_to_the_next(void **state)
{
	static const char *const names[] = {"g1", "g2", "g3"}, *const targets[] = {"h3", "h3", "h4"};
	struct inventory *inventory = site(RATE_MB * MB, 0);
	struct trial *trial;
	size_t i;

	(void)state;
	inventory->guests[0].host = 1;
	inventory->guests[0].memory_bytes = inventory->guests[0].used_memory_bytes = 3 * GIB;
	inventory->guests[1].memory_bytes = 8 * GIB; /* next to that it hardly writes: it may be staged for long */
	inventory->guests[2].dirty_rate_bytes_per_s = 50 * MB;
	inventory->guests[2].working_set_bytes = 100 * MB;
	inventory->guests[2].used_memory_bytes = 300 * MB;
	trial = trial_new(inventory, NULL, NULL);
	for (i = 0; i < 3; i++) {
		struct request *request = request_new(REQUEST_MOVE);

		request_add_move(request, names[i])->to = xstrdup(targets[i]);
		trial_start(trial, request);
		pass(trial, 3000);
	}
	assert_int_equal(trial_move(trial, "g2")->state, MOVE_COPYING_MEMORY);
	assert_trial(trial_run_until(trial, "g3", MOVE_DONE, 3600000), trial);
	assert_int_equal(trial_move(trial, "g1")->state, MOVE_COPYING_MEMORY);
	assert_int_equal(trial_move(trial, "g2")->state, MOVE_COPYING_MEMORY);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

static void a_narrowed_link_is_noticed_in_three_seconds_and_the_shares_follow(void **state)
{
	(void)state;
	narrowed_then_restored(125 * MB);
	narrowed_then_restored(0);
}

static void the_operators_limit_holds_at_once_until_it_is_lifted(void **state)
{
	struct trial *trial = trial_new(site(0, 0), NULL, NULL);
	int i;

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 12000);
	trial_limit(trial, LIMIT_RATE, "h1", 30 * MB);
	assert_trial(granted(trial) <= 30 * MB, trial);
	for (i = 0; i < 40; i++) {
		pass(trial, 500);
		assert_trial(granted(trial) <= 30 * MB, trial);
		assert_trial(i < 8 || out_of_h1(trial).flow_bytes_per_s <= 33 * MB, trial);
	}
	assert_trial(out_of_h1(trial).flow_bytes_per_s > 20 * MB, trial);
	assert_trial(waits_for(trial, "of the 30.0 MB/s it can carry, by throttle --rate"), trial);
	trial_limit(trial, LIMIT_RATE, "h1", 0);
	pass(trial, 5000);
	assert_trial(out_of_h1(trial).flow_bytes_per_s > 100 * MB, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

static void a_reserve_is_kept_free_on_a_measured_link_too(void **state)
{
	struct trial *trial = trial_new(site(0, 25), NULL, NULL);
	int64_t passed_ms, above_ms = 0;

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 8000);
	for (passed_ms = 0; passed_ms < 30000; passed_ms += 250) {
		pass(trial, 250);
		if (out_of_h1(trial).flow_bytes_per_s > (uint64_t)RATE_MB * MB / 100 * 80)
			above_ms += 250;
	}
	assert_trial(above_ms < 3000, trial);
	assert_trial(waits_for(trial, "with 25 % kept free"), trial);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

/* A second, and then the counters of h1: what its moves sent, and others at this rate. */
static void count(struct trial *trial, uint64_t *counter, uint64_t others)
{
	enum { STEP_MS = 50 };
	struct hv_note note = {.kind = HV_NOTE_TRAFFIC, .host = "h1"};
	uint32_t i, step;

	for (step = 0; step < 1000 / STEP_MS; step++) {
		pass(trial, STEP_MS);
		*counter += others * STEP_MS / 1000;
		for (i = 0; i < trial->inventory->n_guests; i++)
			*counter += sim_guest_rate(trial->sim, i) * STEP_MS / 1000;
	}
	note.sent_bytes = *counter;
	trial_note(trial, &note);
}

static void production_traffic_is_made_room_for_and_the_room_is_taken_back(void **state)
{
	struct trial *trial = trial_new(site(125 * MB, 0), NULL, NULL);
	uint64_t counter = 0;
	int i;

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 12000);
	for (i = 0; i < 10; i++)
		count(trial, &counter, 60 * MB);
	assert_trial(out_of_h1(trial).others_bytes_per_s > 45 * MB, trial);
	assert_trial(waits_for(trial, "MB/s of others"), trial);
	assert_trial(granted(trial) <= 80 * MB && granted(trial) >= 50 * MB, trial);
	for (i = 0; i < 10; i++)
		count(trial, &counter, 0);
	assert_trial(granted(trial) > 110 * MB, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

static void limit_network(struct trial *trial, const char *network, uint64_t rate)
{
	struct limit limit = {.kind = LIMIT_RATE, .value = rate};
	struct event event = {.kind = EVENT_COMMAND, .now_ms = trial->now_ms, .command = {.kind = COMMAND_THROTTLE, .limits = &limit, .n_limits = 1}};
	struct actions actions;

	snprintf(limit.network, sizeof limit.network, "%s", network);
	engine_step(trial->engine, &event, &actions);
	assert_int_equal(actions.error.code, ERR_NONE);
}

static void a_limit_of_a_network_holds_for_its_links_only(void **state)
{
	struct inventory *inventory = site(0, 0);
	struct trial *trial;
	struct link_live other;
	size_t i;

	(void)state;
	inventory_add_network(inventory, "n")->cidr = xstrdup("10.9.0.0/24");
	inventory->networks[1].order = 1;
	for (i = 0; i < 2; i++)
		host_add_link(&inventory->hosts[i], i == 0 ? "10.9.0.1/24" : "10.9.0.2/24");
	trial = trial_new(inventory, NULL, NULL);
	limit_network(trial, "m", 30 * MB);
	assert_int_equal(out_of_h1(trial).limit_bytes_per_s, 30 * MB);
	engine_link_live(trial->engine, 2, &other);
	assert_int_equal(other.limit_bytes_per_s, 0);
	limit_network(trial, "n", 20 * MB);
	assert_int_equal(out_of_h1(trial).limit_bytes_per_s, 30 * MB);
	engine_link_live(trial->engine, 2, &other);
	assert_int_equal(other.limit_bytes_per_s, 20 * MB);
	trial_limit(trial, LIMIT_RATE, NULL, 10 * MB); /* for all: the least holds */
	assert_int_equal(out_of_h1(trial).limit_bytes_per_s, 10 * MB);
	limit_network(trial, "n", 0);
	engine_link_live(trial->engine, 2, &other);
	assert_int_equal(other.limit_bytes_per_s, 10 * MB);
	trial_free(trial);
}

/* A counter that went back to nothing (the interface was made anew), one that was silent, and one of a link that is not there. */
static void counters_that_cannot_be_compared_tell_of_no_others(void **state)
{
	struct trial *trial = trial_new(site(125 * MB, 0), NULL, NULL);
	struct hv_note note = {.kind = HV_NOTE_TRAFFIC, .host = "h1", .sent_bytes = 5000 * MB};

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 12000);
	trial_note(trial, &note);
	trial_note(trial, &note); /* twice at one time */
	pass(trial, 1000);
	note.sent_bytes = 0;
	trial_note(trial, &note);
	assert_int_equal(out_of_h1(trial).others_bytes_per_s, 0);
	pass(trial, 20000);
	note.sent_bytes = 9000 * MB; /* in twenty seconds, and in which of them? */
	trial_note(trial, &note);
	assert_int_equal(out_of_h1(trial).others_bytes_per_s, 0);
	pass(trial, 1000);
	note.link = 7;
	note.sent_bytes = 9900 * MB;
	trial_note(trial, &note);
	assert_int_equal(out_of_h1(trial).others_bytes_per_s, 0);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

/* What others send is known only as long as somebody counts. */
static void others_that_nobody_counts_any_more_are_forgotten(void **state)
{
	struct trial *trial = trial_new(site(125 * MB, 0), NULL, NULL);
	uint64_t counter = 0;
	int i;

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 12000);
	for (i = 0; i < 6; i++)
		count(trial, &counter, 60 * MB);
	assert_trial(out_of_h1(trial).others_bytes_per_s > 45 * MB, trial);
	pass(trial, 6000);
	assert_trial(out_of_h1(trial).others_bytes_per_s == 0, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

/* However much others send, the moves go on. */
static void a_tenth_of_a_crowded_link_stays_with_the_moves(void **state)
{
	struct trial *trial = trial_new(site(125 * MB, 0), NULL, NULL);
	uint64_t counter = 0;
	int i;

	(void)state;
	trial_drain(trial, "h1");
	pass(trial, 12000);
	for (i = 0; i < 12; i++)
		count(trial, &counter, 200 * MB);
	assert_trial(granted(trial) <= 13 * MB && granted(trial) >= 8 * MB, trial);
	assert_trial(trial_run(trial, 3600000), trial);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_that_differ_make_no_room_for_a_second_copy),
		cmocka_unit_test(a_slow_first_moment_makes_no_room_for_a_second_copy),
		cmocka_unit_test(the_last_pages_of_a_guest_that_writes_share_the_link_with_nobody),
		cmocka_unit_test(a_link_of_unknown_rate_is_tried_with_a_second_copy_while_the_first_runs),
		cmocka_unit_test(the_next_is_staged_at_the_first_byte_of_the_one_before),
		cmocka_unit_test(a_link_whose_only_move_waits_for_its_target_is_given_to_the_next),
		cmocka_unit_test(a_narrowed_link_is_noticed_in_three_seconds_and_the_shares_follow),
		cmocka_unit_test(the_operators_limit_holds_at_once_until_it_is_lifted),
		cmocka_unit_test(a_reserve_is_kept_free_on_a_measured_link_too),
		cmocka_unit_test(production_traffic_is_made_room_for_and_the_room_is_taken_back),
		cmocka_unit_test(a_limit_of_a_network_holds_for_its_links_only),
		cmocka_unit_test(counters_that_cannot_be_compared_tell_of_no_others),
		cmocka_unit_test(others_that_nobody_counts_any_more_are_forgotten),
		cmocka_unit_test(a_tenth_of_a_crowded_link_stays_with_the_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
