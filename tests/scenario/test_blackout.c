/* How long a blackout each migration is asked to begin with: half of what is allowed where another move follows it on one of its links,
 * the whole where none does. */
#include <stdlib.h>

#include "cluster.h"
#include "trial_assert.h"
#include "xalloc.h"

enum { RUN_MS = 3600000 };

static int64_t asked_ms(const struct trial *trial, const char *guest)
{
	const struct durable *durable = trial_watch_find(&trial->watch, trial_move(trial, guest)->id);

	assert_non_null(durable);
	return durable->downtime_ms;
}

/* Guests g1 .. gN on h1 go where they are told; hosts: "h3" .. */
static struct request *moves(const char *const *hosts, size_t n)
{
	struct request *request = request_new(REQUEST_MOVE);
	size_t i;

	for (i = 0; i < n; i++) {
		char *guest = xprintf("g%zu", i + 1);

		request_add_move(request, guest)->to = xstrdup(hosts[i]);
		free(guest);
	}
	return request;
}

static struct trial *run_all(struct inventory *inventory, const struct engine_options *options, struct request *request)
{
	struct trial *trial = trial_new(inventory, NULL, options);

	assert_trial(trial_start(trial, request) != 0, trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	return trial;
}

static void of_a_drain_only_the_last_guest_begins_with_the_whole_blackout(void **state)
{
	enum { GUESTS = 6 };
	struct trial *trial = trial_new(cluster_new(2, GUESTS, true), NULL, NULL);
	unsigned whole = 0, half = 0, i;
	int64_t limit_ms = trial->options.downtime_limit_ms;
	const struct move_record *last = NULL;

	(void)state;
	trial_drain(trial, "h1");
	assert_trial(trial_run(trial, RUN_MS), trial);
	for (i = 1; i <= GUESTS; i++) {
		char *guest = xprintf("g%u", i);
		const struct move_record *move = trial_move(trial, guest);

		whole += asked_ms(trial, guest) == limit_ms;
		half += asked_ms(trial, guest) == limit_ms / 2;
		if (last == NULL || move->started_wall_ms > last->started_wall_ms)
			last = move;
		free(guest);
	}
	assert_int_equal(whole, 1);
	assert_int_equal(half, GUESTS - 1);
	assert_int_equal(asked_ms(trial, last->guest), limit_ms);
	trial_free(trial);
}

static void moves_that_meet_on_no_link_begin_with_the_whole_each(void **state)
{
	static const char *const hosts[] = {"h3", "h4"};
	struct inventory *inventory = cluster_new(4, 2, true);
	struct trial *trial;

	(void)state;
	inventory->guests[1].host = 1;
	trial = run_all(inventory, NULL, moves(hosts, 2));
	assert_int_equal(asked_ms(trial, "g1"), trial->options.downtime_limit_ms);
	assert_int_equal(asked_ms(trial, "g2"), trial->options.downtime_limit_ms);
	trial_free(trial);
}

static void of_two_that_meet_on_the_targets_link_the_first_begins_with_half(void **state)
{
	static const char *const hosts[] = {"h3", "h3"};
	struct inventory *inventory = cluster_new(3, 2, true);
	struct trial *trial;
	int64_t limit_ms;

	(void)state;
	inventory->guests[1].host = 1;
	trial = run_all(inventory, NULL, moves(hosts, 2));
	limit_ms = trial->options.downtime_limit_ms;
	assert_int_equal(asked_ms(trial, "g1") + asked_ms(trial, "g2"), limit_ms + limit_ms / 2);
	trial_free(trial);
}

/* It has not begun, and its turn may come at any moment. */
static void one_that_waits_for_a_slot_counts_as_well(void **state)
{
	static const char *const hosts[] = {"h2", "h3"};
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.max_migrations = 1;
	trial = run_all(cluster_new(3, 2, true), &options, moves(hosts, 2));
	assert_int_equal(asked_ms(trial, "g1") + asked_ms(trial, "g2"), options.downtime_limit_ms + options.downtime_limit_ms / 2);
	trial_free(trial);
}

static void one_that_waits_for_other_links_does_not_count(void **state)
{
	struct inventory *inventory = cluster_new(4, 2, true);
	struct engine_options options;
	struct trial *trial;
	struct request *request = request_new(REQUEST_DRAIN);

	(void)state;
	inventory->guests[1].host = 1;
	engine_options_init(&options);
	options.max_migrations = 1;
	strings_add(&request->hosts, &request->n_hosts, "h1");
	strings_add(&request->hosts, &request->n_hosts, "h2");
	trial = run_all(inventory, &options, request);
	assert_string_not_equal(trial_move(trial, "g1")->target, trial_move(trial, "g2")->target);
	assert_int_equal(asked_ms(trial, "g1"), options.downtime_limit_ms);
	assert_int_equal(asked_ms(trial, "g2"), options.downtime_limit_ms);
	trial_free(trial);
}

static void one_that_is_sent_elsewhere_while_it_waits_counts_where_it_goes(void **state)
{
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.max_migrations = 1;
	trial = trial_new(cluster_new(3, 2, true), NULL, &options);
	trial_drain(trial, "h1");
	trial_limit(trial, LIMIT_INCOMING, trial_move(trial, "g2")->target, 0);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_string_equal(trial_where(trial, "g1"), trial_where(trial, "g2"));
	assert_int_equal(asked_ms(trial, "g1") + asked_ms(trial, "g2"), options.downtime_limit_ms + options.downtime_limit_ms / 2);
	trial_free(trial);
}

static void a_follower_that_is_cancelled_follows_no_more(void **state)
{
	static const char *const hosts[] = {"h2", "h3"};
	struct engine_options options;
	struct trial *trial;
	uint64_t batch;

	(void)state;
	engine_options_init(&options);
	options.max_migrations = 1;
	trial = trial_new(cluster_new(3, 2, true), NULL, &options);
	batch = trial_start(trial, moves(hosts, 2));
	trial_command(trial, COMMAND_CANCEL, batch, "g2");
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial_move(trial, "g2")->state, MOVE_CANCELLED);
	assert_int_equal(asked_ms(trial, "g1"), options.downtime_limit_ms);
	trial_free(trial);
}

/* Writes faster than its link carries. */
static struct inventory *writer(unsigned n_guests)
{
	struct inventory *inventory = cluster_new(3, n_guests, true);
	struct guest *guest = &inventory->guests[0];

	guest->dirty_rate_bytes_per_s = 5000000000;
	guest->working_set_bytes = guest->used_memory_bytes = guest->memory_bytes;
	guest->priority = 1; /* or it would be the last */
	return inventory;
}

static void one_that_does_not_converge_on_half_gets_the_whole_in_its_first_step(void **state)
{
	static const char *const hosts[] = {"h2", "h3"};
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = trial_new(writer(2), NULL, &options);
	assert_trial(trial_start(trial, moves(hosts, 2)) != 0, trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial_move(trial, "g1")->error.code, ERR_NOT_CONVERGING);
	assert_int_equal(asked_ms(trial, "g1"), options.downtime_limit_ms / 2);
	assert_int_equal(trial_audited(trial, "ms is allowed now"), 1);
	assert_int_equal(trial_audited(trial, "a blackout of 300 ms is allowed now"), 1);
	trial_free(trial);
}

/* With what it was begun nobody knows any more; that it has the whole is made sure of. */
static void one_that_is_found_under_way_gets_the_whole_in_its_first_step(void **state)
{
	static const char *const hosts[] = {"h2"};
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.attempts_max = 1;
	trial = trial_new(writer(1), NULL, &options);
	assert_trial(trial_start(trial, moves(hosts, 1)) != 0, trial);
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	trial_kill(trial);
	trial_restart(trial);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_int_equal(trial_audited(trial, "a blackout of 300 ms is allowed now"), 1);
	trial_free(trial);
}

static void without_throttling_everyone_begins_with_the_whole(void **state)
{
	static const char *const hosts[] = {"h2", "h2"};
	struct engine_options options;
	struct trial *trial;

	(void)state;
	engine_options_init(&options);
	options.throttle = false;
	trial = run_all(cluster_new(2, 2, true), &options, moves(hosts, 2));
	assert_int_equal(asked_ms(trial, "g1"), options.downtime_limit_ms);
	assert_int_equal(asked_ms(trial, "g2"), options.downtime_limit_ms);
	trial_free(trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_drain_only_the_last_guest_begins_with_the_whole_blackout),
		cmocka_unit_test(moves_that_meet_on_no_link_begin_with_the_whole_each),
		cmocka_unit_test(of_two_that_meet_on_the_targets_link_the_first_begins_with_half),
		cmocka_unit_test(one_that_waits_for_a_slot_counts_as_well),
		cmocka_unit_test(one_that_waits_for_other_links_does_not_count),
		cmocka_unit_test(one_that_is_sent_elsewhere_while_it_waits_counts_where_it_goes),
		cmocka_unit_test(a_follower_that_is_cancelled_follows_no_more),
		cmocka_unit_test(one_that_does_not_converge_on_half_gets_the_whole_in_its_first_step),
		cmocka_unit_test(one_that_is_found_under_way_gets_the_whole_in_its_first_step),
		cmocka_unit_test(without_throttling_everyone_begins_with_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
