/* The index over hosts answers as asking every host would, whatever has been placed before. */
#include <stdlib.h>

#include "ledger.h"
#include "placement_index.h"
#include "planner_world.h"

static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Hosts of several sizes and rates, some closed, some without a limit of CPUs; or all alike, with guests of few sizes or of many. */
static struct inventory *world(uint64_t *state, uint32_t n_hosts, uint32_t n_guests, bool are_alike, bool are_guests_alike)
{
	struct inventory *inventory = inventory_new();
	char name[16];
	uint32_t i;

	for (i = 0; i < n_hosts; i++) {
		struct host *host;

		snprintf(name, sizeof name, "h%u", i);
		host = world_host(inventory, name, are_guests_alike ? 64 * GIB : are_alike ? 30 * GIB : (16 + draw(state) % 100) * GIB);
		host->memory_reserve_bytes = GIB;
		host->cpus = are_alike || draw(state) % 4 == 0 ? 0 : 8 + (uint32_t)(draw(state) % 32);
		if (are_alike)
			continue;
		host->links[0].rate_bytes_per_s = (1 + draw(state) % 10) * 100000000;
		host->cordoned = draw(state) % 7 == 0;
		host->incoming = draw(state) % 9 != 0;
	}
	for (i = 0; i < n_guests; i++) {
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = world_guest(inventory, name, i % n_hosts, are_guests_alike ? 2 * GIB : (1 + draw(state) % 60) * GIB / 20);
		guest->vcpus = 1 + (uint32_t)(draw(state) % 4);
		guest->dirty_rate_bytes_per_s = draw(state) % 5 == 0 ? draw(state) % 2000000000 : 0;
	}
	world_seal(inventory);
	return inventory;
}

static void compare(struct ledger *ledger, const bool *drained, uint64_t *state)
{
	struct placement_index *index = placement_index_new(ledger, NULL, drained);
	const struct inventory *inventory = ledger->inventory;
	uint32_t guest, host, placed = 0;

	for (guest = 0; guest < inventory->n_guests; guest++) {
		struct fit_ask ask = {.inventory = inventory, .ledger = ledger, .guest = guest, .drained = drained, .with_capacity = true};
		struct error by_all, by_index;

		error_clear(&by_all);
		error_clear(&by_index);
		host = placement_best(&ask, NULL, &by_all);
		assert_int_equal(placement_index_best(index, &ask, &by_index), host);
		assert_int_equal(by_index.code, by_all.code);
		assert_string_equal(by_index.message, by_all.message);
		if (host == INDEX_NONE || draw(state) % 8 == 0)
			continue;
		ledger_start(ledger, guest, host, NULL, NULL);
		placement_index_update(index, host);
		placed++;
	}
	assert_true(placed > 0);
	placement_index_free(index);
}

static void the_index_answers_as_asking_all_does(void **unused)
{
	uint64_t seed;

	(void)unused;
	for (seed = 1; seed <= 40; seed++) {
		uint64_t state = seed;
		uint32_t n_hosts = 2 + (uint32_t)(draw(&state) % 40);
		struct inventory *inventory = world(&state, n_hosts, 6 * n_hosts, seed % 3 != 1, seed % 3 == 0);
		struct plan_options options = world_options();
		struct ledger *ledger = ledger_new(inventory, &options);
		bool *drained = calloc(n_hosts, sizeof *drained);

		assert_non_null(drained);
		drained[0] = true;
		ledger->reference_ms = 1000 + (int64_t)(draw(&state) % 100000);
		compare(ledger, seed % 2 == 0 ? drained : NULL, &state);
		free(drained);
		ledger_free(ledger);
		inventory_free(inventory);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_index_answers_as_asking_all_does),
};
TEST_MAIN(tests)
