/* The pre-copy model against figures worked out by hand. */
#include "planner_world.h"

static struct guest guest_of(uint64_t memory, uint64_t dirty, uint64_t working_set)
{
	return (struct guest){
		.memory_bytes = memory, .dirty_rate_bytes_per_s = dirty, .working_set_bytes = working_set,
	};
}

static void a_quiet_guest_takes_its_memory_over_the_rate(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(1000000000, 0, 0);
	struct estimate estimate;

	(void)state;
	options.setup_ms = 700;
	options.finish_ms = 300;
	planner_estimate(&guest, 0, 100000000, &options, &estimate);
	assert_int_equal(estimate.duration_ms, 11000);
	assert_int_equal(estimate.bytes, 1000000000);
	assert_true(estimate.converges);
}

static void rounds_sum_up_to_memory_over_rate_less_dirty_rate(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(1000000000, 50000000, 0);
	struct estimate estimate;

	(void)state;
	options.downtime_limit_ms = 1;
	planner_estimate(&guest, 0, 100000000, &options, &estimate);
	/* M / (b - r) = 20 s and 2 M bytes; what is cut off is under the downtime limit. */
	assert_in_range(estimate.duration_ms, 19990, 20000);
	assert_in_range(estimate.bytes, 1999000000, 2000000000);
	assert_true(estimate.converges);
}

static void a_guest_that_writes_faster_than_the_link_does_not_converge(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(1000000000, 150000000, 0);
	struct estimate estimate;

	(void)state;
	planner_estimate(&guest, 0, 100000000, &options, &estimate);
	assert_false(estimate.converges);
	assert_true(estimate.downtime_ms >= 10000);
}

static void a_working_set_within_the_downtime_converges_at_any_dirty_rate(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(1000000000, 150000000, 20000000);
	struct estimate estimate;

	(void)state;
	planner_estimate(&guest, 0, 100000000, &options, &estimate);
	assert_true(estimate.converges);
	assert_int_equal(estimate.duration_ms, 10200);
	assert_int_equal(estimate.downtime_ms, 230);
}

static void used_memory_counts_when_it_is_known(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(1000000000, 0, 0);
	struct estimate estimate;

	(void)state;
	guest.used_memory_bytes = 400000000;
	planner_estimate(&guest, 0, 100000000, &options, &estimate);
	assert_int_equal(estimate.duration_ms, 4000);
}

static void disks_go_first_and_their_writes_take_part_of_the_link(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(800000000, 0, 0);
	struct disk disk = {.target = (char[]){"vda"}, .write_rate_bytes_per_s = 20000000};
	struct estimate estimate;

	(void)state;
	guest.disks = &disk;
	guest.n_disks = 1;
	planner_estimate(&guest, 1600000000, 100000000, &options, &estimate);
	/* 1.6 GB and 0.8 GB at 80 MB/s each */
	assert_int_equal(estimate.duration_ms, 30000);
	assert_int_equal(estimate.disk_bytes, 1600000000);
	assert_int_equal(estimate.bytes, UINT64_C(2800000000));
}

static void a_rate_of_zero_gives_a_bounded_time(void **state)
{
	struct plan_options options = world_options();
	struct guest guest = guest_of(UINT64_MAX / 4, UINT64_MAX / 4, 0);
	struct estimate estimate;

	(void)state;
	planner_estimate(&guest, UINT64_MAX / 4, 0, &options, &estimate);
	assert_true(estimate.duration_ms > 0);
	assert_false(estimate.converges);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_quiet_guest_takes_its_memory_over_the_rate),
	cmocka_unit_test(rounds_sum_up_to_memory_over_rate_less_dirty_rate),
	cmocka_unit_test(a_guest_that_writes_faster_than_the_link_does_not_converge),
	cmocka_unit_test(a_working_set_within_the_downtime_converges_at_any_dirty_rate),
	cmocka_unit_test(used_memory_counts_when_it_is_known),
	cmocka_unit_test(disks_go_first_and_their_writes_take_part_of_the_link),
	cmocka_unit_test(a_rate_of_zero_gives_a_bounded_time),
};
TEST_MAIN(tests)
