/* What a drain teaches is in the store afterwards, outlives the manager, and makes the next plan narrower and nearer. */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "trial.h"
#include "xalloc.h"

#define MB ((uint64_t)1000 * 1000)
#define GIB ((uint64_t)1 << 30)

enum { GUESTS = 12 };

/* Every guest has the same memory, of which the inventory says too much. */
static struct inventory *site(void)
{
	struct inventory *inventory = inventory_new();
	unsigned i;

	for (i = 1; i <= 3; i++) {
		char name[32];
		struct host *host;

		snprintf(name, sizeof name, "h%u", i);
		host = inventory_add_host(inventory, name);
		host->memory_bytes = 64 * GIB;
		snprintf(name, sizeof name, "10.8.0.%u/24", i);
		host_add_link(host, name)->rate_bytes_per_s = 125 * MB;
	}
	for (i = 1; i <= GUESTS; i++) {
		char name[32];
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i);
		guest = inventory_add_guest(inventory, name, 0);
		snprintf(guest->uuid, sizeof guest->uuid, "00000000-0000-4000-8000-%012u", i);
		guest->memory_bytes = GIB;
		guest->used_memory_bytes = 600 * MB;
		guest->dirty_rate_bytes_per_s = i % 2 == 0 ? 20 * MB : MB;
		guest->working_set_bytes = 40 * MB;
	}
	return inventory;
}

static struct store_image *image_of(struct trial *trial)
{
	struct store_image *image = NULL;
	struct error err;

	assert_done(trial->store->load(trial->store, &image, &err), err);
	return image;
}

static void a_drain_leaves_lessons_for_each_pair_and_class(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	struct store_image *image;
	uint32_t samples = 0, of_class[CLASS_COUNT] = {0};
	size_t i;

	(void)state;
	trial_drain(trial, "h1");
	assert_true(trial_run(trial, 3600000));
	image = image_of(trial);
	for (i = 0; i < image->n_lessons; i++) {
		const struct lesson *lesson = &image->lessons[i];

		samples += lesson->samples;
		of_class[lesson->class] += lesson->samples;
		assert_in_range(lesson->bytes.milli, 900, 1200);
		assert_in_range(lesson->rate_bytes_per_s, 60 * MB, 125 * MB);
		assert_true(lesson->setup_ms > 0 && lesson->finish_ms > 0);
	}
	assert_int_equal(samples, GUESTS);
	assert_true(of_class[CLASS_BUSY] == GUESTS / 2 && of_class[CLASS_QUIET] == GUESTS / 2);
	store_image_free(image);
	trial_free(trial);
}

static void lessons_go_on_after_a_kill(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	struct store_image *image;
	uint32_t samples = 0;
	size_t i;

	(void)state;
	trial_drain(trial, "h1");
	assert_true(trial_run_until(trial, "g1", MOVE_DONE, 3600000));
	trial_kill(trial);
	trial_restart(trial);
	assert_true(trial_run(trial, 3600000));
	image = image_of(trial);
	for (i = 0; i < image->n_lessons; i++)
		samples += image->lessons[i].samples;
	/* a move that was under way then has shown only a part of itself */
	assert_in_range(samples, GUESTS / 2, GUESTS);
	store_image_free(image);
	trial_free(trial);
}

static void what_guests_write_is_kept_with_its_time(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	struct store_image *image;

	(void)state;
	trial_drain(trial, "h1");
	assert_true(trial_run(trial, 3600000));
	image = image_of(trial);
	assert_int_equal(image->n_guests, GUESTS);
	assert_int_equal(image->guests[1].dirty_rate_bytes_per_s, 20 * MB);
	assert_true(image->guests[1].measured_wall_ms > 0);
	store_image_free(image);
	trial_free(trial);
}

static struct plan *plan_again(const struct trial *trial, const struct store_image *image)
{
	struct engine_options options;
	struct request *request = request_new(REQUEST_DRAIN);
	struct plan *plan = NULL;
	struct error err;

	engine_options_init(&options);
	if (image != NULL) {
		options.plan.paths = image->paths;
		options.plan.n_paths = image->n_paths;
		options.plan.lessons = image->lessons;
		options.plan.n_lessons = image->n_lessons;
	}
	strings_add(&request->hosts, &request->n_hosts, "h1");
	assert_done(planner_plan(trial->inventory, request, &options.plan, &plan, &err), err);
	request_free(request);
	return plan;
}

static void the_same_drain_is_then_planned_within_its_range_and_the_range_is_narrower(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	struct store_image *image;
	struct plan *before, *after;
	int64_t took_ms;

	(void)state;
	before = plan_again(trial, NULL);
	trial_drain(trial, "h1");
	assert_true(trial_run(trial, 3600000));
	took_ms = engine_batch(trial->engine, 0)->ended_wall_ms - engine_batch(trial->engine, 0)->created_wall_ms;
	image = image_of(trial);
	after = plan_again(trial, image);
	assert_true(after->makespan_high_ms - after->makespan_low_ms < (before->makespan_high_ms - before->makespan_low_ms) * 3 / 4);
	assert_in_range(took_ms, after->makespan_low_ms, after->makespan_high_ms);
	plan_free(before);
	plan_free(after);
	store_image_free(image);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_leaves_lessons_for_each_pair_and_class),
		cmocka_unit_test(lessons_go_on_after_a_kill),
		cmocka_unit_test(what_guests_write_is_kept_with_its_time),
		cmocka_unit_test(the_same_drain_is_then_planned_within_its_range_and_the_range_is_narrower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
