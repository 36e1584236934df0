/* What a late end is put down to. The schedules are written by hand, so that each wait is known. */
#include <stdlib.h>

#include "planner_world.h"
#include "schedule.h"
#include "why.h"

enum { MOVES = 4 };

struct story {
	struct inventory *inventory;
	struct model *model;
	struct jobs jobs;
	struct job job[MOVES];
	struct schedule *schedule;
};

/* Hosts h1 to h4, guests a to d; each goes from one host to another. */
static void begin(struct story *story, struct plan_options *options)
{
	static const uint32_t ends[MOVES][2] = {{0, 1}, {0, 2}, {0, 3}, {2, 3}};
	char name[] = "a", host[] = "h1";
	uint32_t i;

	*story = (struct story){.inventory = inventory_new(), .schedule = schedule_new(MOVES)};
	for (i = 0; i < MOVES; i++, host[1]++)
		world_host(story->inventory, host, 8 * GIB);
	for (i = 0; i < MOVES; i++, name[0]++)
		world_guest(story->inventory, name, ends[i][0], GIB);
	world_seal(story->inventory);
	story->model = model_new(story->inventory, options);
	story->jobs = (struct jobs){.model = story->model, .jobs = story->job, .n = MOVES};
	for (i = 0; i < MOVES; i++) {
		struct path path;

		assert_true(model_path(story->model, ends[i][0], ends[i][1], 0, &path));
		story->job[i] = (struct job){.guest = i, .source = ends[i][0], .target = ends[i][1], .first_leg = INDEX_NONE, .n_links = path.n_links};
		memcpy(story->job[i].links, path.links, sizeof path.links);
		story->schedule->after[i] = INDEX_NONE;
	}
}

static void times(struct story *story, uint32_t i, int64_t start_s, int64_t end_s)
{
	story->schedule->start_us[i] = start_s * 1000000;
	story->schedule->end_us[i] = end_s * 1000000;
}

static void assert_told(struct story *story, const char *expected)
{
	char text[256];

	why_last(&story->jobs, story->schedule, text, sizeof text);
	assert_string_equal(text, expected);
	schedule_free(story->schedule);
	model_free(story->model);
	inventory_free(story->inventory);
}

static void waits_for_one_link_in_a_row_are_told_as_one(void **state)
{
	struct plan_options options = world_options();
	struct story story;

	(void)state;
	options.setup_ms = options.finish_ms = 0;
	begin(&story, &options);
	times(&story, 0, 0, 10);
	times(&story, 1, 10, 20);
	times(&story, 2, 20, 30);
	times(&story, 3, 0, 5);
	assert_told(&story, "c ends last, behind 2 others through h1 out from a on");
}

static void a_wait_for_room_names_who_made_it(void **state)
{
	struct plan_options options = world_options();
	struct story story;

	(void)state;
	options.setup_ms = options.finish_ms = 0;
	begin(&story, &options);
	times(&story, 0, 0, 4);
	times(&story, 3, 4, 12);
	times(&story, 2, 0, 4);
	times(&story, 1, 12, 20);
	story.schedule->after[1] = 3;
	assert_told(&story, "b ends last, for which d had to leave h3, behind 1 other through h4 in from c on");
}

static void who_began_at_once_waited_for_nothing(void **state)
{
	struct plan_options options = world_options();
	struct story story;
	uint32_t i;

	(void)state;
	options.setup_ms = options.finish_ms = 0;
	begin(&story, &options);
	for (i = 0; i < MOVES; i++)
		times(&story, i, 0, 1 + i);
	assert_told(&story, "d ends last");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(waits_for_one_link_in_a_row_are_told_as_one),
	cmocka_unit_test(a_wait_for_room_names_who_made_it),
	cmocka_unit_test(who_began_at_once_waited_for_nothing),
};

TEST_MAIN(tests)
