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

#define MIB ((uint64_t)1 << 20)

static uint64_t set_of(uint64_t brief_mib, uint64_t long_mib, uint64_t memory_mib)
{
	struct dirty_look look = {.brief_bytes = brief_mib * MIB, .long_bytes = long_mib * MIB, .spans = 5, .sampled_pages = memory_mib * 4};

	return planner_working_set(&look, memory_mib * MIB) / MIB;
}

/* What random writes over a set of 1 GiB show: 2 s at 200 MiB/s touch 331 MiB of it, 10 s 879 MiB. */
static void two_looks_show_the_set_that_is_written_again_and_again(void **state)
{
	(void)state;
	assert_in_range(set_of(331, 879, 8192), 1024, 1300);
	/* A guest that goes round in 24 MiB shows them all in the long look. */
	assert_in_range(set_of(16, 24, 128), 24, 40);
}

static void looks_that_do_not_tell_for_sure_give_no_set(void **state)
{
	(void)state;
	assert_int_equal(set_of(200, 1000, 8192), 0); /* no place twice */
	assert_int_equal(set_of(1, 2, 128), 0);       /* hardly a sampled page was hit */
	assert_int_equal(set_of(0, 0, 8192), 0);
	assert_int_equal(set_of(100, 130, 128), 0);   /* it is as large as the guest */
	assert_int_equal(set_of(128, 8, 128), 0);     /* the brief look shows all there is */
	assert_int_equal(set_of(1, 24, 128), 0);      /* hardly one was hit in the brief look */
	assert_int_equal(planner_working_set(&(struct dirty_look){.brief_bytes = 331 * MIB, .long_bytes = 879 * MIB, .spans = 1, .sampled_pages = 32768},
		8192 * MIB), 0); /* both looks are one */
	assert_int_equal(planner_working_set(&(struct dirty_look){.brief_bytes = MIB, .long_bytes = MIB, .spans = 5, .sampled_pages = 100}, 0), 0);
}

/* Few samples promise less: the same figures seen through a sixteenth of the pages. */
static void the_fewer_the_samples_the_larger_the_set_that_must_be_assumed(void **state)
{
	struct dirty_look look = {.brief_bytes = 331 * MIB, .long_bytes = 879 * MIB, .spans = 5, .sampled_pages = 8192 * 4};
	uint64_t many = planner_working_set(&look, 8192 * MIB), few;

	(void)state;
	look.sampled_pages /= 16;
	few = planner_working_set(&look, 8192 * MIB);
	assert_true(few > many);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(two_looks_show_the_set_that_is_written_again_and_again),
	cmocka_unit_test(looks_that_do_not_tell_for_sure_give_no_set),
	cmocka_unit_test(the_fewer_the_samples_the_larger_the_set_that_must_be_assumed),
	cmocka_unit_test(a_quiet_guest_takes_its_memory_over_the_rate),
	cmocka_unit_test(rounds_sum_up_to_memory_over_rate_less_dirty_rate),
	cmocka_unit_test(a_guest_that_writes_faster_than_the_link_does_not_converge),
	cmocka_unit_test(a_working_set_within_the_downtime_converges_at_any_dirty_rate),
	cmocka_unit_test(used_memory_counts_when_it_is_known),
	cmocka_unit_test(disks_go_first_and_their_writes_take_part_of_the_link),
	cmocka_unit_test(a_rate_of_zero_gives_a_bounded_time),
};
TEST_MAIN(tests)
