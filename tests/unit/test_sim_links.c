/* Shares of links in the simulated world, against examples worked out by hand, and its determinism and size. */
#include "sim_fixture.h"

static struct fixture *hosts(const uint64_t *rates, size_t n)
{
	struct fixture *f = fixture_new();
	size_t i;

	for (i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof name, "h%zu", i + 1);
		fixture_host(f, name, rates[i]);
	}
	return f;
}

static void go(struct fixture *f, const char *guest, const char *source, const char *target, uint64_t rate)
{
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = guest, .host = source, .target = target,
		.persistent = true, .rate_bytes_per_s = rate});
}

static uint64_t rate_of(const struct fixture *f, const char *guest)
{
	return sim_guest_rate(f->sim, sim_guest_index(f->sim, guest));
}

static void two_moves_out_of_one_host_get_half_each(void **state)
{
	struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB, 100 * MB}, 3);

	(void)state;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_guest(f, "b", 0, 10 * GIB);
	fixture_start(f);
	go(f, "a", "h1", "h2", 0);
	go(f, "b", "h1", "h3", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 50 * MB);
	assert_int_equal(rate_of(f, "b"), 50 * MB);
	fixture_free(f);
}

static void what_a_limited_move_leaves_goes_to_the_others(void **state)
{
	struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB, 100 * MB}, 3);

	(void)state;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_guest(f, "b", 0, 10 * GIB);
	fixture_guest(f, "c", 0, 10 * GIB);
	fixture_start(f);
	go(f, "a", "h1", "h2", 10 * MB);
	go(f, "b", "h1", "h3", 0);
	go(f, "c", "h1", "h3", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 10 * MB);
	assert_int_equal(rate_of(f, "b"), 45 * MB);
	assert_int_equal(rate_of(f, "c"), 45 * MB);
	fixture_free(f);
}

static void a_slow_target_frees_the_source_for_others(void **state)
{
	/* h1 100 out; h2 takes 20: a and b share those 20, c gets the other 80; in and out of h1 do not disturb each other */
	struct fixture *f = hosts((uint64_t[]){100 * MB, 20 * MB, 100 * MB}, 3);

	(void)state;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_guest(f, "b", 0, 10 * GIB);
	fixture_guest(f, "c", 0, 10 * GIB);
	fixture_guest(f, "d", 2, 10 * GIB);
	fixture_start(f);
	go(f, "a", "h1", "h2", 0);
	go(f, "b", "h1", "h2", 0);
	go(f, "c", "h1", "h3", 0);
	go(f, "d", "h3", "h1", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 10 * MB);
	assert_int_equal(rate_of(f, "b"), 10 * MB);
	assert_int_equal(rate_of(f, "c"), 80 * MB);
	assert_int_equal(rate_of(f, "d"), 100 * MB);
	fixture_free(f);
}

static void a_shared_link_binds_only_what_leaves_it(void **state)
{
	struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB, 100 * MB, 100 * MB}, 4);
	struct shared_link *rack;

	(void)state;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_guest(f, "b", 1, 10 * GIB);
	fixture_guest(f, "c", 1, 10 * GIB);
	rack = inventory_add_shared_link(f->inventory, "rack");
	strings_add(&rack->hosts, &rack->n_hosts, "h1");
	strings_add(&rack->hosts, &rack->n_hosts, "h2");
	rack->rate_bytes_per_s = 40 * MB;
	fixture_start(f);
	go(f, "a", "h1", "h3", 0);
	go(f, "b", "h2", "h4", 0);
	go(f, "c", "h2", "h1", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 20 * MB);
	assert_int_equal(rate_of(f, "b"), 20 * MB);
	assert_int_equal(rate_of(f, "c"), 80 * MB);
	fixture_free(f);
}

static void the_address_chooses_the_network(void **state)
{
	struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB}, 2);

	(void)state;
	host_add_link(&f->inventory->hosts[0], "10.9.0.1/24")->rate_bytes_per_s = 10 * MB;
	host_add_link(&f->inventory->hosts[1], "10.9.0.2/24")->rate_bytes_per_s = 10 * MB;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_guest(f, "b", 0, 10 * GIB);
	fixture_start(f);
	fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = "a", .host = "h1", .target = "h2", .target_address = "10.9.0.2"});
	go(f, "b", "h1", "h2", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 10 * MB);
	assert_int_equal(rate_of(f, "b"), 100 * MB);
	fixture_free(f);
}

static void a_link_of_unknown_rate_has_that_of_its_network(void **state)
{
	struct fixture *f = hosts((uint64_t[]){0, 0}, 2);
	struct migration_network *network;

	(void)state;
	network = inventory_add_network(f->inventory, "migration");
	network->cidr = xstrdup("10.8.0.0/24");
	network->rate_bytes_per_s = 30 * MB;
	fixture_guest(f, "a", 0, 10 * GIB);
	fixture_start(f);
	go(f, "a", "h1", "h2", 0);
	fixture_until(f, 2000);
	assert_int_equal(rate_of(f, "a"), 30 * MB);
	fixture_free(f);
}

static void bytes_are_counted_exactly_whatever_the_changes_of_rate(void **state)
{
	struct fixture *f = hosts((uint64_t[]){33333331, 100 * MB, 77777777}, 3);
	struct sim_host_counters h1, h2, h3;
	int i;

	(void)state;
	for (i = 0; i < 7; i++) {
		char name[8];

		snprintf(name, sizeof name, "g%d", i);
		fixture_guest(f, name, 0, 101 * MB + (uint64_t)i * 7919);
	}
	fixture_start(f);
	for (i = 0; i < 7; i++) {
		char name[8];

		snprintf(name, sizeof name, "g%d", i);
		go(f, name, "h1", i % 2 == 0 ? "h2" : "h3", i == 3 ? 1234567 : 0);
		fixture_until(f, sim_now_ms(f->sim) + 137);
	}
	fixture_until(f, 600000);
	sim_host_counters(f->sim, "h1", &h1);
	sim_host_counters(f->sim, "h2", &h2);
	sim_host_counters(f->sim, "h3", &h3);
	assert_int_equal(h1.bytes_out, 7 * 101 * MB + 7919 * 21);
	assert_int_equal(h2.bytes_in + h3.bytes_in, h1.bytes_out);
	assert_int_equal(h1.max_out, 7);
	fixture_assert_settled(f);
	fixture_free(f);
}

/* --- determinism and size --- */

static uint64_t random_run(uint64_t seed, uint64_t *ret_events)
{
	struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB, 100 * MB, 100 * MB}, 4);
	struct sim_counters counters;
	uint64_t digest;
	int i;

	f->options.seed = seed;
	f->options.request_min_ms = 1;
	f->options.request_max_ms = 50;
	f->options.faults = (struct sim_faults){.request_error = 50, .reply_lost = 50, .reply_late = 50, .reply_doubled = 50,
		.migration_error = 100, .finish_lost = 50, .dirty_surge = 200, .world_interval_ms = 5000, .duration_max_ms = 40000};
	for (i = 0; i < 20; i++) {
		char name[8];

		snprintf(name, sizeof name, "g%d", i);
		fixture_disk(fixture_guest(f, name, (uint32_t)i % 2, 200 * MB), 50 * MB);
	}
	fixture_start(f);
	for (i = 0; i < 200; i++) {
		char guest[8], source[8], target[8];

		snprintf(guest, sizeof guest, "g%d", i % 20);
		snprintf(source, sizeof source, "h%d", i % 20 % 2 + 1);
		snprintf(target, sizeof target, "h%d", i % 2 + 3);
		fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = guest, .host = source, .target = target, .persistent = true});
		fixture_send(f, (struct hv_request){.kind = HV_PROBE, .host = target});
		fixture_until(f, sim_now_ms(f->sim) + 1000);
	}
	sim_heal_all(f->sim);
	fixture_until(f, sim_now_ms(f->sim) + 600000);
	digest = sim_digest(f->sim);
	sim_counters(f->sim, &counters);
	*ret_events = counters.events;
	fixture_free(f);
	return digest;
}

static void equal_seeds_make_equal_worlds(void **state)
{
	uint64_t seed, first, second, other, events;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		first = random_run(seed, &events);
		assert_true(events > 400);
		second = random_run(seed, &events);
		other = random_run(seed + 1000, &events);
		assert_true(first == second);
		assert_true(first != other);
	}
}

/* A manager that only ever migrates running guests does no harm, whatever happens to the world; so a breach
 * always speaks of the manager. */
static void faults_alone_are_no_breach(void **state)
{
	uint64_t seed, hits[SIM_FAULT_COUNT] = {0};
	size_t i;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		struct fixture *f = hosts((uint64_t[]){100 * MB, 100 * MB, 100 * MB, 100 * MB}, 4);
		uint64_t draw = seed;
		uint32_t source;

		f->options.seed = seed;
		f->options.faults = (struct sim_faults){.request_error = 50, .reply_lost = 50, .reply_late = 50, .reply_doubled = 50,
			.migration_error = 50, .finish_lost = 50, .dirty_surge = 200, .world_interval_ms = 2000, .duration_max_ms = 40000};
		for (i = 0; i < 4; i++)
			f->inventory->hosts[i].pools[0].share_id = xstrdup("server:/export");
		for (i = 0; i < 12; i++) {
			char name[8];

			snprintf(name, sizeof name, "g%zu", i);
			fixture_disk(fixture_guest(f, name, (uint32_t)i % 4, 200 * MB), 50 * MB);
			f->inventory->guests[i].autostart = i % 2 == 0;
		}
		fixture_start(f);
		for (i = 0; i < 600; i++) {
			draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407;
			source = sim_guest_runs_on(f->sim, (uint32_t)(i % 12));
			if (source != INDEX_NONE && sim_guest_phase(f->sim, (uint32_t)(i % 12)) == SIM_PHASE_NONE)
				go(f, f->inventory->guests[i % 12].name, f->inventory->hosts[source].name,
					f->inventory->hosts[(draw >> 33) % 4].name, 0);
			fixture_until(f, sim_now_ms(f->sim) + 300);
			fixture_assert_sound(f);
		}
		sim_heal_all(f->sim);
		fixture_until(f, sim_now_ms(f->sim) + 600000);
		fixture_assert_sound(f);
		for (i = 0; i < SIM_FAULT_COUNT; i++)
			hits[i] += sim_fault_hits(f->sim, (enum sim_fault_kind)i);
		for (i = 0; i < 12; i++)
			assert_int_equal(sim_guest_phase(f->sim, (uint32_t)i), SIM_PHASE_NONE);
		fixture_free(f);
	}
	for (i = 0; i < SIM_FAULT_COUNT; i++) {
		if (hits[i] == 0)
			fail_msg("the fault %s never struck", sim_fault_name((enum sim_fault_kind)i));
	}
}

static void a_hundred_thousand_guests_load(void **state)
{
	struct fixture *f = fixture_new();
	struct inventory *after;
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof name, "h%u", i);
		fixture_host(f, name, 100 * MB)->memory_bytes = 1024 * GIB;
	}
	for (i = 0; i < 100000; i++) {
		char name[32];

		snprintf(name, sizeof name, "g%u", i);
		fixture_disk(fixture_guest(f, name, i % 1000, GIB), GIB / 4);
	}
	fixture_start(f);
	after = sim_inventory(f->sim);
	assert_int_equal(after->n_guests, 100000);
	assert_int_equal(sim_guest_runs_on(f->sim, sim_guest_index(f->sim, "g99999")), 999);
	inventory_free(after);
	fixture_assert_settled(f);
	fixture_free(f);
}

/* Polls every move each 250 ms and starts the next one when one has ended: what an engine costs is not in it. */
struct drain {
	struct sim *sim;
	uint32_t n_moving, next, done;
	uint64_t polls;
};

static void drain_reply(void *self, struct hv_reply *reply)
{
	struct drain *drain = self;

	if (reply->kind == HV_MIGRATE) {
		assert_int_equal(reply->error.code, ERR_NONE);
		drain->n_moving--;
		drain->done++;
	}
	hv_reply_clear(reply);
}

static void drain_note(void *self, const struct hv_note *note)
{
	(void)self;
	(void)note;
}

static void send_named(struct sim *sim, enum hv_kind kind, uint32_t guest)
{
	char name[16], source[16], target[16];

	snprintf(name, sizeof name, "g%u", guest);
	snprintf(source, sizeof source, "h%u", guest % 64);
	snprintf(target, sizeof target, "h%u", 8 + guest / 64 % 56);
	sim_hypervisor(sim)->submit(sim_hypervisor(sim), &(struct hv_request){.kind = kind, .guest = name, .uuid = "", .host = source, .target = target, .persistent = true});
}

static void eight_of_sixty_four_hosts_drain_with_two_hundred_moves_in_flight(void **state)
{
	struct fixture *f = fixture_new();
	struct drain drain = {.n_moving = 0};
	struct sim_counters counters;
	int64_t now = 0;
	uint32_t i;

	(void)state;
	for (i = 0; i < 64; i++) {
		char name[32];

		snprintf(name, sizeof name, "h%u", i);
		fixture_host(f, name, 1250 * MB)->memory_bytes = 1024 * GIB;
	}
	for (i = 0; i < 4000; i++) {
		char name[32];
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = fixture_guest(f, name, i % 64, 4 * GIB);
		guest->dirty_rate_bytes_per_s = 5 * MB;
		guest->working_set_bytes = 200 * MB;
	}
	assert_true(inventory_seal(f->inventory, NULL));
	f->sim = drain.sim = sim_new(f->inventory, &f->options);
	sim_set_listener(f->sim, &(struct hv_listener){.self = &drain, .on_reply = drain_reply, .on_note = drain_note});
	while (drain.done < 500) {
		for (; drain.n_moving < 200 && drain.next < 4000; drain.next++) {
			if (drain.next % 64 < 8) {
				send_named(f->sim, HV_MIGRATE, drain.next);
				drain.n_moving++;
			}
		}
		for (i = 0; i < drain.next; i++) {
			if (i % 64 < 8 && sim_guest_phase(f->sim, i) != SIM_PHASE_NONE) {
				send_named(f->sim, HV_STATS, i);
				drain.polls++;
			}
		}
		sim_advance(f->sim, now += 250);
		assert_true(now < 3600000);
	}
	sim_counters(f->sim, &counters);
	assert_int_equal(counters.max_in_flight, 200);
	assert_true(drain.polls > 20000);
	fixture_assert_settled(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_moves_out_of_one_host_get_half_each),
		cmocka_unit_test(what_a_limited_move_leaves_goes_to_the_others),
		cmocka_unit_test(a_slow_target_frees_the_source_for_others),
		cmocka_unit_test(a_shared_link_binds_only_what_leaves_it),
		cmocka_unit_test(the_address_chooses_the_network),
		cmocka_unit_test(a_link_of_unknown_rate_has_that_of_its_network),
		cmocka_unit_test(bytes_are_counted_exactly_whatever_the_changes_of_rate),
		cmocka_unit_test(equal_seeds_make_equal_worlds),
		cmocka_unit_test(faults_alone_are_no_breach),
		cmocka_unit_test(a_hundred_thousand_guests_load),
		cmocka_unit_test(eight_of_sixty_four_hosts_drain_with_two_hundred_moves_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
