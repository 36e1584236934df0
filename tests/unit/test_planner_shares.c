/* Strict priority, worked out by hand. Links: 0 source out, 1 and 2 targets in. */
#include "planner_world.h"

static struct share_move move_of(uint32_t out, uint32_t in)
{
	return (struct share_move){.links = {out, in, INDEX_NONE, INDEX_NONE}, .can_be_throttled = true};
}

static void the_first_gets_the_link_and_the_others_the_prestage_rate(void **state)
{
	struct share_move moves[3] = {move_of(0, 1), move_of(0, 2), move_of(0, 1)};
	const uint64_t capacities[3] = {100, 100, 100};

	(void)state;
	planner_shares(moves, 3, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 98);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 1);
	assert_int_equal(moves[2].ret_rate_bytes_per_s, 1);
}

static void what_the_head_cannot_use_goes_to_the_next(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {100, 40, 100};

	(void)state;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 40);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 60);
}

static void a_floor_is_kept_for_those_that_run_already(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {100, 100, 100};

	(void)state;
	moves[1].floor_bytes_per_s = 30;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 70);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 30);
}

static void floors_that_do_not_fit_are_served_in_order(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {100, 100, 100};

	(void)state;
	moves[0].floor_bytes_per_s = 80;
	moves[1].floor_bytes_per_s = 80;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 80);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 20);
}

static void an_own_limit_caps_even_the_head(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {100, 100, 100};

	(void)state;
	moves[0].cap_bytes_per_s = 25;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 25);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 75);
}

static void a_mirror_that_cannot_be_slowed_is_counted_first(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {100, 100, 60};

	(void)state;
	moves[1].can_be_throttled = false;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 40);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 60);
}

static void a_link_thinner_than_all_prestage_rates_is_not_overbooked(void **state)
{
	struct share_move moves[4] = {move_of(0, 1), move_of(0, 1), move_of(0, 1), move_of(0, 1)};
	const uint64_t capacities[2] = {8, 8};
	uint64_t sum = 0;
	size_t i;

	(void)state;
	planner_shares(moves, 4, capacities, 2, 5);
	for (i = 0; i < 4; i++) {
		assert_true(moves[i].ret_rate_bytes_per_s >= 1);
		sum += moves[i].ret_rate_bytes_per_s;
	}
	assert_int_equal(sum, 8);
}

static void a_link_of_unknown_rate_does_not_limit(void **state)
{
	struct share_move moves[2] = {move_of(0, 1), move_of(0, 2)};
	const uint64_t capacities[3] = {0, 50, 70};

	(void)state;
	planner_shares(moves, 2, capacities, 3, 1);
	assert_int_equal(moves[0].ret_rate_bytes_per_s, 50);
	assert_int_equal(moves[1].ret_rate_bytes_per_s, 70);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_first_gets_the_link_and_the_others_the_prestage_rate),
	cmocka_unit_test(what_the_head_cannot_use_goes_to_the_next),
	cmocka_unit_test(a_floor_is_kept_for_those_that_run_already),
	cmocka_unit_test(floors_that_do_not_fit_are_served_in_order),
	cmocka_unit_test(an_own_limit_caps_even_the_head),
	cmocka_unit_test(a_mirror_that_cannot_be_slowed_is_counted_first),
	cmocka_unit_test(a_link_thinner_than_all_prestage_rates_is_not_overbooked),
	cmocka_unit_test(a_link_of_unknown_rate_does_not_limit),
};
TEST_MAIN(tests)
