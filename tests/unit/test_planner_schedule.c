/* Times of whole plans against hand-made bounds, and what every schedule must hold: no link carries more than it can, all is sent. */
#include <stdlib.h>

#include "planner_world.h"

#define GB UINT64_C(1000000000)

/* h2 is full with one guest: its own must be gone, 10 s, before the two of 10 s each can come in. */
static void the_bound_counts_the_wait_for_room(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GB);
	world_host(inventory, "h2", 3 * GB);
	world_host(inventory, "h3", 8 * GB);
	world_guest(inventory, "a", 0, 1 * GB);
	world_guest(inventory, "b", 0, 1 * GB);
	world_guest(inventory, "full", 1, 3 * GB)->used_memory_bytes = 1 * GB;
	world_seal(inventory);
	world_want(request, "a", "h2");
	world_want(request, "b", "h2");
	world_want(request, "full", "h3");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 3);
	assert_int_equal(plan->lower_bound_ms, 30000);
	assert_in_range(plan->makespan_ms, 30000, 30003);
	assert_non_null(strstr(plan->bottleneck_text, "h2 memory"));
	world_clear(plan, request, inventory);
}

/* Three in a row, each into the room that the one before leaves: no link is busy for long, and still they go one by one. */
static void the_bound_follows_a_chain_of_waits_for_room(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GB);
	world_host(inventory, "h2", 4 * GB);
	world_host(inventory, "h3", 4 * GB);
	world_host(inventory, "h4", 8 * GB);
	world_guest(inventory, "a", 0, 2 * GB);
	world_guest(inventory, "b", 1, 3 * GB);
	world_guest(inventory, "c", 2, 3 * GB);
	world_seal(inventory);
	world_want(request, "a", "h2");
	world_want(request, "b", "h3");
	world_want(request, "c", "h4");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->n_moves, 3);
	assert_int_equal(plan->lower_bound_ms, 80000);
	assert_in_range(plan->makespan_ms, 80000, 80005);
	assert_int_equal(plan->bottleneck_direction, DIRECTION_IN);
	world_clear(plan, request, inventory);
}

/* Whoever leaves last is missed least: with room to spare behind it, nobody has to wait for its end. */
static void the_bound_makes_nobody_wait_who_has_room_without_it(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GB);
	world_host(inventory, "h2", 4 * GB);
	world_host(inventory, "h3", 8 * GB);
	world_guest(inventory, "a", 0, 1 * GB);
	world_guest(inventory, "b", 1, 1 * GB);
	world_guest(inventory, "c", 1, 3 * GB);
	world_seal(inventory);
	world_want(request, "a", "h2");
	world_want(request, "b", "h3");
	world_want(request, "c", "h3");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->lower_bound_ms, 40000); /* what h2 sends; a comes while c is still on its way */
	assert_in_range(plan->makespan_ms, 40000, 40005);
	world_clear(plan, request, inventory);
}

/* Two come, two leave, one place is free: after the first came in, the second must wait for one of the two to leave, not for both. */
static void the_bound_asks_for_no_more_room_than_is_needed(void **state)
{
	struct inventory *inventory = inventory_new();
	struct plan_options options = world_options();
	struct request *request = request_new(REQUEST_BATCH);
	struct plan *plan;

	(void)state;
	world_host(inventory, "h1", 8 * GB);
	world_host(inventory, "h2", 3 * GB);
	world_host(inventory, "h3", 8 * GB);
	world_guest(inventory, "a", 0, 1 * GB);
	world_guest(inventory, "b", 0, 1 * GB);
	world_guest(inventory, "c", 1, 1 * GB);
	world_guest(inventory, "d", 1, 1 * GB);
	world_seal(inventory);
	world_want(request, "a", "h2");
	world_want(request, "b", "h2");
	world_want(request, "c", "h3");
	world_want(request, "d", "h3");
	plan = world_plan(inventory, request, &options);
	assert_int_equal(plan->lower_bound_ms, 20000);
	assert_in_range(plan->makespan_ms, 20000, 20003);
	world_clear(plan, request, inventory);
}

enum { CROSSING_HOSTS = 12, CROSSING_ROUNDS = 4, CROSSING_GUESTS = CROSSING_HOSTS * CROSSING_ROUNDS };

/* Every host gives four guests of 10 s away and takes four: 40 s, if at every time everyone finds a partner. */
static struct inventory *crossing(uint64_t seed, struct request *request)
{
	struct inventory *inventory = inventory_new();
	uint64_t state = seed;
	char name[16], host[16];
	uint32_t to[CROSSING_HOSTS], from[CROSSING_GUESTS], into[CROSSING_GUESTS], i, round;

	for (i = 0; i < CROSSING_HOSTS; i++) {
		snprintf(name, sizeof name, "h%u", i);
		world_host(inventory, name, 400 * GB);
		to[i] = i;
	}
	for (round = 0; round < CROSSING_ROUNDS; round++) {
		for (i = CROSSING_HOSTS - 1; i > 0; i--) { /* a circle through all hosts, so nobody stays */
			uint32_t other, swap = to[i];

			state = state * 6364136223846793005u + 1442695040888963407u;
			other = (uint32_t)(state >> 33) % i;
			to[i] = to[other];
			to[other] = swap;
		}
		for (i = 0; i < CROSSING_HOSTS; i++) {
			from[round * CROSSING_HOSTS + i] = to[i];
			into[round * CROSSING_HOSTS + i] = to[(i + 1) % CROSSING_HOSTS];
		}
	}
	for (i = 0; i < CROSSING_GUESTS; i++) {
		uint32_t mixed = (i * 29 + 7) % CROSSING_GUESTS;

		snprintf(name, sizeof name, "g%u", i);
		snprintf(host, sizeof host, "h%u", into[mixed]);
		world_guest(inventory, name, from[mixed], 1 * GB);
		world_want(request, name, host);
	}
	world_seal(inventory);
	return inventory;
}

static void the_search_shortens_plans_and_never_lengthens_them(void **state)
{
	struct plan_options options = world_options();
	uint64_t seed;
	int shorter = 0, open = 0;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		struct request *request = request_new(REQUEST_BATCH);
		struct inventory *inventory = crossing(seed, request);
		struct plan *first, *searched;

		options.search_evaluations = 0;
		first = world_plan(inventory, request, &options);
		options.search_evaluations = 400;
		searched = world_plan(inventory, request, &options);
		assert_true(searched->makespan_ms <= first->makespan_ms);
		assert_true(searched->makespan_ms >= searched->lower_bound_ms);
		shorter += searched->makespan_ms < first->makespan_ms;
		open += first->makespan_ms > first->lower_bound_ms * 1005 / 1000;
		plan_free(first);
		world_clear(searched, request, inventory);
	}
	assert_true(open > 10);
	assert_true(shorter * 2 > open);
}

/* One link a host here, all of 100 MB a second. */
static void check_steps(const struct inventory *inventory, const struct plan *plan)
{
	uint64_t *out = calloc(2 * inventory->n_hosts, sizeof *out), *in = out + inventory->n_hosts;
	uint64_t *rate = calloc(plan->n_moves, sizeof *rate);
	int64_t *since = calloc(plan->n_moves, sizeof *since);
	double *sent = calloc(plan->n_moves, sizeof *sent);
	size_t i, k;

	for (i = 0; i < plan->n_steps; i++) {
		const struct rate_step *step = &plan->steps[i];
		const struct planned_move *move = &plan->moves[step->move];

		assert_true(step->from_us >= move->start_ms * 1000);
		sent[step->move] += (double)(step->from_us - since[step->move]) * (double)rate[step->move] / 1e6;
		out[move->source] += step->rate_bytes_per_s - rate[step->move];
		in[move->target] += step->rate_bytes_per_s - rate[step->move];
		rate[step->move] = step->rate_bytes_per_s;
		since[step->move] = step->from_us;
		if (i + 1 < plan->n_steps && plan->steps[i + 1].from_us == step->from_us)
			continue;
		for (k = 0; k < inventory->n_hosts; k++)
			assert_true(out[k] <= 100000000 && in[k] <= 100000000);
	}
	for (i = 0; i < plan->n_moves; i++) {
		assert_int_equal(rate[i], 0);
		assert_true(sent[i] >= (double)inventory->guests[plan->moves[i].guest].memory_bytes * 0.9999);
	}
	free(out);
	free(rate);
	free(since);
	free(sent);
}

static void rates_fit_the_links_and_all_is_sent(void **state)
{
	struct plan_options options = world_options();
	uint64_t seed;

	(void)state;
	options.search_evaluations = 20;
	for (seed = 1; seed <= 60; seed++) {
		struct request *request = request_new(REQUEST_BATCH);
		struct inventory *inventory = crossing(seed, request);
		struct plan *plan;

		options.setup_ms = seed % 3 == 0 ? 700 : 0;
		options.finish_ms = seed % 2 == 0 ? 300 : 0;
		options.stream_rate_bytes_per_s = seed % 5 == 0 ? 40000000 : 0;
		options.prestage = (uint32_t)(seed % 4);
		plan = world_plan(inventory, request, &options);
		assert_int_equal(plan->n_moves, CROSSING_GUESTS);
		check_steps(inventory, plan);
		world_clear(plan, request, inventory);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_bound_counts_the_wait_for_room),
	cmocka_unit_test(the_bound_follows_a_chain_of_waits_for_room),
	cmocka_unit_test(the_bound_makes_nobody_wait_who_has_room_without_it),
	cmocka_unit_test(the_bound_asks_for_no_more_room_than_is_needed),
	cmocka_unit_test(the_search_shortens_plans_and_never_lengthens_them),
	cmocka_unit_test(rates_fit_the_links_and_all_is_sent),
};
TEST_MAIN(tests)
