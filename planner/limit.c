/* The limits that change while moves run, as a table, and their records as values. */
#include "drover/limit.h"

#include <inttypes.h>
#include <string.h>

static const struct limit_info limits[LIMIT_KIND_COUNT] = {
#define X(symbol, key, value, where) {key, value, where},
	LIMIT_KINDS(X)
#undef X
};

const struct limit_info *limit_info(enum limit_kind kind)
{
	return &limits[kind];
}

enum limit_kind limit_by_key(const char *key)
{
	size_t i;

	for (i = 0; i < LIMIT_KIND_COUNT; i++)
		if (strcmp(limits[i].key, key) == 0)
			break;
	return (enum limit_kind)i;
}

bool limit_is_same(const struct limit *a, const struct limit *b)
{
	return a->kind == b->kind && strcmp(a->host, b->host) == 0 && strcmp(a->network, b->network) == 0;
}

bool limit_check(const struct limit *limit, struct error *err)
{
	const struct limit_info *info = &limits[limit->kind];
	unsigned where = (limit->host[0] != '\0' ? LIMIT_FOR_HOST : 0) | (limit->network[0] != '\0' ? LIMIT_FOR_NETWORK : 0);

	if (where == (LIMIT_FOR_HOST | LIMIT_FOR_NETWORK))
		return error_set(err, ERR_INPUT, "%s is for a host or for a network, not for both", info->key);
	if ((info->where & (where != 0 ? where : LIMIT_FOR_ALL)) == 0)
		return error_set(err, ERR_INPUT, "%s is not set for %s", info->key,
			where == LIMIT_FOR_HOST ? "one host" : where == LIMIT_FOR_NETWORK ? "a network" : "all hosts at once");
	if (info->value == LIMIT_COUNT && limit->value > LIMIT_COUNT_MAX)
		return error_set(err, ERR_INPUT, "%s is %" PRIu64 ", at most %d is allowed", info->key, limit->value, LIMIT_COUNT_MAX);
	if (info->value == LIMIT_YES_NO && limit->value > 1)
		return error_set(err, ERR_INPUT, "%s must be yes or no", info->key);
	return true;
}
