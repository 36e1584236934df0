/* The limits that an operator sets while moves run: which there are, and for what. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "drover/limit.h"

static struct limit limit_of(enum limit_kind kind, const char *host, const char *network, uint64_t value)
{
	struct limit limit = {.kind = kind, .value = value};

	snprintf(limit.host, sizeof limit.host, "%s", host);
	snprintf(limit.network, sizeof limit.network, "%s", network);
	return limit;
}

static void a_limit_is_set_only_where_it_means_something(void **state)
{
	static const struct {
		enum limit_kind kind;
		const char *host, *network;
		uint64_t value;
		const char *refusal; /* NULL = it is taken */
	} cases[] = {
		{LIMIT_RATE, "", "", 1000, NULL},
		{LIMIT_RATE, "h1", "", 1000, NULL},
		{LIMIT_RATE, "", "fast", 0, NULL},
		{LIMIT_RATE, "h1", "fast", 1000, "rate is for a host or for a network, not for both"},
		{LIMIT_MAX_MIGRATIONS, "", "", LIMIT_COUNT_MAX, NULL},
		{LIMIT_MAX_MIGRATIONS, "", "", LIMIT_COUNT_MAX + 1, "max_migrations is 10001, at most 10000 is allowed"},
		{LIMIT_MAX_MIGRATIONS, "h1", "", 1, "max_migrations is not set for one host"},
		{LIMIT_MAX_INCOMING, "", "fast", 1, "max_incoming is not set for a network"},
		{LIMIT_OUTGOING, "", "", 1, "outgoing is not set for all hosts at once"},
		{LIMIT_OUTGOING, "h1", "", 0, NULL},
		{LIMIT_OUTGOING, "h1", "", 2, "outgoing must be yes or no"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct limit limit = limit_of(cases[i].kind, cases[i].host, cases[i].network, cases[i].value);
		struct error error;

		if (cases[i].refusal == NULL) {
			assert_done(limit_check(&limit, &error), error);
			continue;
		}
		assert_refused(limit_check(&limit, &error), error, ERR_INPUT);
		assert_string_equal(error.message, cases[i].refusal);
	}
}

static void limits_are_one_when_kind_and_object_are(void **state)
{
	struct limit one = limit_of(LIMIT_RATE, "h1", "", 5), other = limit_of(LIMIT_RATE, "h1", "", 7);

	(void)state;
	assert_true(limit_is_same(&one, &other));
	other.kind = LIMIT_OUTGOING;
	assert_false(limit_is_same(&one, &other));
	other = limit_of(LIMIT_RATE, "h2", "", 5);
	assert_false(limit_is_same(&one, &other));
	other = limit_of(LIMIT_RATE, "h1", "fast", 5);
	assert_false(limit_is_same(&one, &other));
}

static void every_limit_is_found_by_its_key_and_no_other(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < LIMIT_KIND_COUNT; i++)
		assert_int_equal(limit_by_key(limit_info((enum limit_kind)i)->key), i);
	assert_int_equal(limit_by_key("max_flights"), LIMIT_KIND_COUNT);
	assert_int_equal(limit_by_key(""), LIMIT_KIND_COUNT);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_limit_is_set_only_where_it_means_something),
	cmocka_unit_test(limits_are_one_when_kind_and_object_are),
	cmocka_unit_test(every_limit_is_found_by_its_key_and_no_other),
};
TEST_MAIN(tests)
