/* What moves teach, and what the next plan makes of it: means, ranges, and where they come from. */
#include <stdlib.h>

#include "learn.h"
#include "planner_world.h"

static struct lesson lesson_of(enum move_class class)
{
	return (struct lesson){.source = "h1", .target = "h2", .class = class};
}

static void classes_come_from_writing_and_disks(void **state)
{
	(void)state;
	assert_int_equal(learn_class(0, 100, 0), CLASS_QUIET);
	assert_int_equal(learn_class(9, 100, 0), CLASS_QUIET);
	assert_int_equal(learn_class(10, 100, 0), CLASS_BUSY);
	assert_int_equal(learn_class(0, 0, 1), CLASS_QUIET_DISKS);
	assert_int_equal(learn_class(50, 100, 1), CLASS_BUSY_DISKS);
	assert_int_equal(move_class_by_name(move_class_name(CLASS_BUSY_DISKS)), CLASS_BUSY_DISKS);
	assert_int_equal(move_class_by_name("lazy"), CLASS_COUNT);
}

static void the_first_move_is_believed_and_later_ones_are_followed(void **state)
{
	struct lesson lesson = lesson_of(CLASS_QUIET);
	struct observation seen = {.rate_bytes_per_s = 1000, .bytes_milli = 800, .setup_ms = 500, .finish_ms = -1};
	int i;

	(void)state;
	learn_add(&lesson, &seen);
	assert_true(lesson.rate_bytes_per_s == 1000 && lesson.bytes.milli == 800 && lesson.bytes.spread_milli == 0);
	assert_true(lesson.setup_ms == 500 && lesson.finish_ms == 0 && lesson.downtime.milli == 0);
	seen = (struct observation){.rate_bytes_per_s = 2000, .bytes_milli = 1000, .setup_ms = 700, .finish_ms = 100};
	learn_add(&lesson, &seen);
	assert_true(lesson.rate_bytes_per_s == 1500 && lesson.bytes.milli == 900 && lesson.setup_ms == 600 && lesson.finish_ms == 100);
	assert_in_range(lesson.bytes.spread_milli, 100, 130);
	for (i = 0; i < 40; i++)
		learn_add(&lesson, &seen);
	assert_in_range(lesson.rate_bytes_per_s, 1980, 2000);
	assert_in_range(lesson.bytes.milli, 990, 1000);
	assert_in_range(lesson.bytes.spread_milli, 0, 10);
}

/* Two hosts, one guest of 1 GB on h1 over 100 MB/s; planned with the lessons. */
static struct plan *plan_with(const struct lesson *lessons, size_t n, struct plan_options options)
{
	struct inventory *inventory = inventory_new();
	struct request *request = world_drain("h1");
	struct plan *plan;

	world_host(inventory, "h1", 8 * GIB);
	world_host(inventory, "h2", 8 * GIB);
	world_guest(inventory, "a", 0, 1000000000);
	world_seal(inventory);
	options.lessons = lessons;
	options.n_lessons = n;
	plan = world_plan(inventory, request, &options);
	request_free(request);
	inventory_free(inventory);
	return plan;
}

static void with_nothing_learned_the_range_is_the_stated_default(void **state)
{
	struct plan_options options = world_options();
	struct plan *plan = plan_with(NULL, 0, options);

	(void)state;
	assert_int_equal(plan->moves[0].samples, 0);
	assert_int_equal(plan->moves[0].bytes, 1000000000);
	assert_int_equal(plan->moves[0].bytes_low, 800000000);
	assert_int_equal(plan->moves[0].bytes_high, 1200000000);
	assert_in_range(plan->moves[0].duration_low_ms, 8000, 8001);
	assert_in_range(plan->makespan_high_ms, 12000, 12002);
	assert_true(plan->moves[0].downtime_high_ms == options.downtime_limit_ms);
	plan_free(plan);
}

static void a_plan_counts_with_the_bytes_and_rate_of_earlier_moves(void **state)
{
	struct lesson lesson = lesson_of(CLASS_QUIET);
	struct observation seen = {.rate_bytes_per_s = 50000000, .bytes_milli = 600, .downtime_milli = 4000, .setup_ms = 2000, .finish_ms = 1000};
	struct plan *plan;
	int i;

	(void)state;
	for (i = 0; i < 19; i++)
		learn_add(&lesson, &seen);
	plan = plan_with(&lesson, 1, world_options());
	assert_int_equal(plan->moves[0].samples, 19);
	assert_int_equal(plan->moves[0].bytes, 600000000);
	assert_int_equal(plan->moves[0].rate_bytes_per_s, 50000000);
	assert_in_range(plan->makespan_ms, 15000, 15002); /* 2 s, 12 s, 1 s */
	assert_int_equal(plan->moves[0].downtime_ms, 120); /* four times the model's 30 ms */
	/* 19 equal moves: a twentieth of the default is left */
	assert_int_equal(plan->moves[0].bytes_low, 594000000);
	assert_int_equal(plan->moves[0].bytes_high, 606000000);
	plan_free(plan);
}

static void moves_that_vary_widen_the_range(void **state)
{
	struct lesson lesson = lesson_of(CLASS_QUIET);
	struct plan *plan;
	int i;

	(void)state;
	for (i = 0; i < 40; i++)
		learn_add(&lesson, &(struct observation){.rate_bytes_per_s = i % 2 == 0 ? 80000000 : 120000000, .bytes_milli = 1000, .setup_ms = -1, .finish_ms = -1});
	plan = plan_with(&lesson, 1, world_options());
	/* a fifth off the mean, two and a half times */
	assert_in_range(plan->moves[0].duration_high_ms * 1000 / plan->moves[0].duration_ms, 1450, 1600);
	assert_in_range(plan->moves[0].bytes_high, 1000000000, 1010000000);
	plan_free(plan);
}

static void another_pair_of_hosts_lends_its_factors_but_not_its_rate(void **state)
{
	struct lesson lessons[2] = {lesson_of(CLASS_QUIET), lesson_of(CLASS_BUSY)};
	struct plan *plan;

	(void)state;
	snprintf(lessons[0].source, sizeof lessons[0].source, "h9");
	learn_add(&lessons[0], &(struct observation){.rate_bytes_per_s = 1000, .bytes_milli = 700, .setup_ms = -1, .finish_ms = -1});
	learn_add(&lessons[1], &(struct observation){.rate_bytes_per_s = 2000, .bytes_milli = 9000, .setup_ms = -1, .finish_ms = -1});
	plan = plan_with(lessons, 2, world_options());
	assert_int_equal(plan->moves[0].samples, 0);
	assert_int_equal(plan->moves[0].bytes, 700000000);
	assert_int_equal(plan->moves[0].rate_bytes_per_s, 100000000);
	assert_int_equal(plan->moves[0].bytes_high, 770000000); /* as after one sample: half the default */
	plan_free(plan);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(classes_come_from_writing_and_disks),
	cmocka_unit_test(the_first_move_is_believed_and_later_ones_are_followed),
	cmocka_unit_test(with_nothing_learned_the_range_is_the_stated_default),
	cmocka_unit_test(a_plan_counts_with_the_bytes_and_rate_of_earlier_moves),
	cmocka_unit_test(moves_that_vary_widen_the_range),
	cmocka_unit_test(another_pair_of_hosts_lends_its_factors_but_not_its_rate),
};
TEST_MAIN(tests)
