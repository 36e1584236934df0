/* Two batches that do not know of each other: what one has on its way takes room, space and place from the other. Each was
 * planned when all of it was still free, so only the ledger at admission stands between them. */
#include <string.h>

#include "cluster.h"
#include "trial_assert.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)

enum { RUN_MS = 3600000 };

/* g1 on h1, g2 on h2, both to go to h3. */
static struct inventory *two_sources(void)
{
	struct inventory *inventory = cluster_new(3, 2, true);

	inventory->guests[1].host = 1;
	return inventory;
}

static void move_to_h3(struct trial *trial, const char *guest)
{
	struct request *request = request_new(REQUEST_MOVE);

	request_add_move(request, guest)->to = xstrdup("h3");
	assert_trial(trial_start(trial, request) != 0, trial);
}

static void assert_waits(struct trial *trial, const char *guest, enum error_code code)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		struct move_live live;

		if (strcmp(engine_move(trial->engine, i)->guest, guest) != 0)
			continue;
		engine_move_live(trial->engine, i, &live);
		assert_trial(engine_move(trial->engine, i)->state == MOVE_WAITING, trial);
		assert_int_equal(live.waiting.code, code);
	}
}

/* g2 never begins while g1 is on its way to h3, nor once it is there; before an answer has come from any
 * host, and while the copy is under way. */
static void the_second_does_not_begin(struct inventory *(*make)(void), enum error_code waits_for, enum error_code ends_with)
{
	struct engine_options options;
	unsigned is_late;

	engine_options_init(&options);
	options.throttle = false; /* or it would wait for the link first */
	for (is_late = 0; is_late < 2; is_late++) {
		struct trial *trial = trial_new(make(), NULL, &options);

		move_to_h3(trial, "g1");
		if (is_late)
			assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
		move_to_h3(trial, "g2");
		assert_waits(trial, "g2", waits_for);
		assert_trial(trial_run(trial, RUN_MS), trial);
		assert_trial(trial_check_settled(trial), trial);
		assert_int_equal(trial->watch.n_sent[HV_PREFLIGHT], 1);
		assert_string_equal(trial_where(trial, "g1"), "h3");
		assert_string_equal(trial_where(trial, "g2"), "h2");
		assert_int_equal(trial_move(trial, "g2")->state, MOVE_FAILED);
		assert_int_equal(trial_move(trial, "g2")->attempts, 0);
		assert_int_equal(trial_move(trial, "g2")->error.code, ends_with);
		trial_free(trial);
	}
}

static struct inventory *memory_for_one(void)
{
	struct inventory *inventory = two_sources();

	inventory->hosts[2].memory_bytes = 1536 * MIB;
	return inventory;
}

static struct inventory *space_for_one(void)
{
	struct inventory *inventory = two_sources();

	inventory->hosts[2].pools[0].available_bytes = 300 * MIB;
	return inventory;
}

static struct inventory *apart(void)
{
	struct inventory *inventory = two_sources();
	struct rule *rule = inventory_add_rule(inventory, RULE_ANTI_AFFINITY);

	strings_add(&rule->guests, &rule->n_guests, "g1");
	strings_add(&rule->guests, &rule->n_guests, "g2");
	return inventory;
}

static void memory_for_one_guest_is_not_promised_to_two(void **state)
{
	(void)state;
	the_second_does_not_begin(memory_for_one, ERR_WAIT_MEMORY, ERR_TARGET_MEMORY);
}

static void space_for_one_guest_is_not_promised_to_two(void **state)
{
	(void)state;
	the_second_does_not_begin(space_for_one, ERR_WAIT_POOL, ERR_TARGET_POOL_SPACE);
}

static void guests_that_must_be_apart_do_not_set_out_for_one_host(void **state)
{
	(void)state;
	the_second_does_not_begin(apart, ERR_WAIT_RULE, ERR_RULE_ANTI_AFFINITY);
}

/* Once the first has failed or was cancelled, what it had reserved is free again. */
static void the_second_begins_when_the_first_has_given_up_its_room(void **state)
{
	struct trial *trial = trial_new(memory_for_one(), NULL, NULL);

	(void)state;
	move_to_h3(trial, "g1");
	assert_trial(trial_run_until_phase(trial, "g1", SIM_PHASE_MEMORY, RUN_MS), trial);
	move_to_h3(trial, "g2");
	trial_command(trial, COMMAND_CANCEL, 1, NULL);
	assert_trial(trial_run(trial, RUN_MS), trial);
	assert_trial(trial_check_settled(trial), trial);
	assert_string_equal(trial_where(trial, "g1"), "h1");
	assert_string_equal(trial_where(trial, "g2"), "h3");
	assert_int_equal(trial_move(trial, "g2")->attempts, 1);
	trial_free(trial);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(memory_for_one_guest_is_not_promised_to_two),
	cmocka_unit_test(space_for_one_guest_is_not_promised_to_two),
	cmocka_unit_test(guests_that_must_be_apart_do_not_set_out_for_one_host),
	cmocka_unit_test(the_second_begins_when_the_first_has_given_up_its_room),
};
TEST_MAIN(tests)
