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

static size_t n_done(const struct trial *trial)
{
	size_t n = 0, i;

	for (i = 0; i < engine_n_moves(trial->engine); i++)
		n += engine_move(trial->engine, i)->state == MOVE_DONE;
	return n;
}

static int64_t half_range_milli(const struct trial *trial, int64_t *ret_low_ms, int64_t *ret_high_ms)
{
	int64_t eta_ms;

	engine_batch_eta(trial->engine, 1, ret_low_ms, &eta_ms, ret_high_ms);
	assert_true(eta_ms > 0);
	return (*ret_high_ms - eta_ms) * 1000 / eta_ms;
}

static void what_is_left_is_told_within_what_the_moves_so_far_were_off(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	int64_t low_ms, high_ms, asked_ms, range_milli = trial->options.plan.range_milli;

	(void)state;
	trial_drain(trial, "h1");
	assert_in_range(half_range_milli(trial, &low_ms, &high_ms), range_milli - 1, range_milli);
	while (n_done(trial) < GUESTS - 1)
		assert_true(trial_step(trial, 3600000));
	assert_true(half_range_milli(trial, &low_ms, &high_ms) < range_milli * 9 / 10);
	asked_ms = trial->now_ms;
	assert_true(trial_run(trial, 3600000));
	assert_in_range(trial->now_ms - asked_ms, low_ms, high_ms);
	trial_free(trial);
}

static void no_end_is_told_before_anything_is_known_of_the_links(void **state)
{
	struct inventory *inventory = site();
	struct trial *trial;
	int64_t low_ms, eta_ms = -1, high_ms, asked_ms;
	size_t i;

	(void)state;
	for (i = 0; i < inventory->n_hosts; i++)
		inventory->hosts[i].links[0].rate_bytes_per_s = 0;
	trial = trial_new(inventory, NULL, NULL);
	trial_drain(trial, "h1");
	engine_batch_eta(trial->engine, 1, &low_ms, &eta_ms, &high_ms);
	assert_int_equal(eta_ms, -1);
	assert_int_equal(low_ms, -1);
	assert_int_equal(high_ms, -1);
	while (eta_ms < 0) {
		assert_true(trial_step(trial, 3600000));
		engine_batch_eta(trial->engine, 1, &low_ms, &eta_ms, &high_ms);
	}
	assert_int_equal(n_done(trial), 0);
	asked_ms = trial->now_ms;
	assert_true(trial_run(trial, 3600000));
	assert_in_range(trial->now_ms - asked_ms, eta_ms / 2, eta_ms * 2);
	trial_free(trial);
}

static void what_is_known_of_a_path_is_added_to_in_the_next_life(void **state)
{
	struct trial *trial = trial_new(site(), NULL, NULL);
	struct request *request = request_new(REQUEST_MOVE);
	size_t i, k;

	(void)state;
	trial_drain(trial, "h1");
	assert_true(trial_run(trial, 3600000));
	trial_kill(trial);
	trial_restart(trial);
	assert_int_equal(engine_n_paths(trial->engine), 2);
	trial_cordon(trial, "h1", false);
	for (i = 0; i < 4; i++) {
		char guest[8];

		snprintf(guest, sizeof guest, "g%zu", i + 1);
		request_add_move(request, guest)->to = xstrdup("h1");
	}
	assert_true(trial_start(trial, request) != 0);
	assert_true(trial_run(trial, 3600000));
	trial_drain(trial, "h1");
	assert_true(trial_run(trial, 3600000));
	assert_true(engine_n_paths(trial->engine) > 2);
	for (i = 0; i < engine_n_paths(trial->engine); i++)
		for (k = 0; k < i; k++) {
			const struct path_rate *a = engine_path(trial->engine, i), *b = engine_path(trial->engine, k);

			assert_false(strcmp(a->source, b->source) == 0 && strcmp(a->target, b->target) == 0);
		}
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_leaves_lessons_for_each_pair_and_class),
		cmocka_unit_test(lessons_go_on_after_a_kill),
		cmocka_unit_test(what_guests_write_is_kept_with_its_time),
		cmocka_unit_test(what_is_left_is_told_within_what_the_moves_so_far_were_off),
		cmocka_unit_test(no_end_is_told_before_anything_is_known_of_the_links),
		cmocka_unit_test(what_is_known_of_a_path_is_added_to_in_the_next_life),
		cmocka_unit_test(the_same_drain_is_then_planned_within_its_range_and_the_range_is_narrower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
