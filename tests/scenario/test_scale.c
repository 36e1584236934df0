/* A large drain with the state in a file, killed two hundred times at random points: what comes out is what comes out undisturbed, and no
 * host ever has more moves than it may have. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "store_sqlite.h"
#include "trial.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)

enum {
	N_HOSTS = 60, N_DRAINED = 20, N_GUESTS = 4000, N_KILLS = 200,
	SLOTS = 4,
	EVENTS_BETWEEN_KILLS = 330, /* mean; the whole run is about 75,000 events */
	RUN_MS = 24 * 3600000,
};

#define assert_trial(condition, trial) \
	do { \
		if (!(condition)) \
			fail_msg("%s: %s", #condition, (trial)->error.message); \
	} while (0)

static struct inventory *large_cluster(void)
{
	struct inventory *inventory = inventory_new();
	char name[32];
	unsigned i;

	for (i = 0; i < N_HOSTS; i++) {
		struct host *host;

		snprintf(name, sizeof name, "h%u", i);
		host = inventory_add_host(inventory, name);
		host->memory_bytes = 512 * 1024 * MIB;
		snprintf(name, sizeof name, "10.8.0.%u/16", i + 1);
		host_add_link(host, name)->rate_bytes_per_s = 1250000000;
		host->max_incoming = host->max_outgoing = SLOTS;
	}
	for (i = 0; i < N_GUESTS; i++) {
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = inventory_add_guest(inventory, name, i % N_DRAINED);
		snprintf(guest->uuid, sizeof guest->uuid, "00000000-0000-4000-8000-%012u", i);
		guest->memory_bytes = 512 * MIB;
		guest->used_memory_bytes = (64 + i % 7 * 32) * MIB;
		guest->persistent = true;
	}
	return inventory;
}

static struct trial *begin(const char *file)
{
	char *path = scratch_path(file);
	struct engine_options options;
	struct store *store;
	struct trial *trial;
	struct error err;

	assert_done(store_sqlite_open(path, &store, &err), err);
	free(path);
	engine_options_init(&options);
	options.stats_interval_ms = 1000;
	trial = trial_new_on(store, large_cluster(), NULL, &options);
	trial->check_every = 2000;
	trial->full_check_every = 100000;
	return trial;
}

static void drain(struct trial *trial)
{
	struct request *request = request_new(REQUEST_DRAIN);
	char name[32];
	unsigned i;

	for (i = 0; i < N_DRAINED; i++) {
		snprintf(name, sizeof name, "h%u", i);
		strings_add(&request->hosts, &request->n_hosts, name);
	}
	assert_trial(trial_start(trial, request) != 0, trial);
}

static uint32_t *places(const struct trial *trial)
{
	uint32_t *hosts = xcalloc(N_GUESTS, sizeof *hosts), i;

	for (i = 0; i < N_GUESTS; i++)
		hosts[i] = sim_guest_runs_on(trial->sim, i);
	return hosts;
}

/* As the hosts have counted it, at every instant. */
static void assert_limits_were_kept(const struct trial *trial)
{
	unsigned i;

	for (i = 0; i < N_HOSTS; i++) {
		struct sim_host_counters counters;

		sim_host_counters(trial->sim, trial->inventory->hosts[i].name, &counters);
		assert_true(counters.max_out <= SLOTS && counters.max_in <= SLOTS);
	}
}

static unsigned run_with_kills(struct trial *trial)
{
	uint64_t random = 42;
	unsigned n_kills = 0;

	while (n_kills < N_KILLS && !engine_is_idle(trial->engine)) {
		uint64_t until;

		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		until = trial->n_events + (random >> 33) % (2 * EVENTS_BETWEEN_KILLS);
		while (!trial->is_failed && trial->n_events < until && !engine_is_idle(trial->engine) && trial_step(trial, TIME_NEVER - 1))
			;
		assert_trial(!trial->is_failed, trial);
		trial_kill(trial);
		trial_restart(trial);
		n_kills++;
	}
	return n_kills;
}

static void four_thousand_guests_end_in_the_same_places_however_often_drover_is_killed(void **state)
{
	struct trial *calm = begin("calm.db"), *killed = begin("killed.db");
	uint32_t *expected, *found, i;
	unsigned n_kills;

	(void)state;
	drain(calm);
	assert_trial(trial_run(calm, RUN_MS), calm);
	assert_trial(trial_check_settled(calm), calm);
	drain(killed);
	n_kills = run_with_kills(killed);
	assert_trial(trial_run(killed, RUN_MS), killed);
	assert_trial(trial_check_settled(killed), killed);
	assert_limits_were_kept(calm);
	assert_limits_were_kept(killed);
	expected = places(calm);
	found = places(killed);
	for (i = 0; i < N_GUESTS; i++)
		if (expected[i] != found[i] || found[i] < N_DRAINED)
			fail_msg("guest g%u is on h%u, undisturbed it goes to h%u", i, found[i], expected[i]);
	print_message("%u kills, %llu events, %llu commits\n", n_kills, (unsigned long long)killed->n_events,
		(unsigned long long)killed->watch.n_commits);
	assert_int_equal(n_kills, N_KILLS);
	free(expected);
	free(found);
	trial_free(calm);
	trial_free(killed);
	scratch_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_thousand_guests_end_in_the_same_places_however_often_drover_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
