/* Limits that the operator changes while moves run: one table of what there is, and the record of one change.
 *
 * They hold until the batches that were under way have ended, over a restart of drover too; what the configuration
 * says holds again after that.
 */
#ifndef DROVER_LIMIT_H
#define DROVER_LIMIT_H

#include "drover/base.h"
#include "drover/error.h"

/* X(symbol, key, value, where): the keys are those of the configuration. */
#define LIMIT_KINDS(X) \
	X(MAX_MIGRATIONS, "max_migrations", LIMIT_COUNT, LIMIT_FOR_ALL) \
	X(MAX_INCOMING, "max_incoming", LIMIT_COUNT, LIMIT_FOR_ALL | LIMIT_FOR_HOST) \
	X(MAX_OUTGOING, "max_outgoing", LIMIT_COUNT, LIMIT_FOR_ALL | LIMIT_FOR_HOST) \
	X(MAX_INCOMING_STORAGE, "max_incoming_storage", LIMIT_COUNT, LIMIT_FOR_ALL | LIMIT_FOR_HOST) \
	X(MAX_OUTGOING_STORAGE, "max_outgoing_storage", LIMIT_COUNT, LIMIT_FOR_ALL | LIMIT_FOR_HOST) \
	X(INCOMING, "incoming", LIMIT_YES_NO, LIMIT_FOR_HOST) \
	X(OUTGOING, "outgoing", LIMIT_YES_NO, LIMIT_FOR_HOST) \
	X(RATE, "rate", LIMIT_RATE_BYTES_PER_S, LIMIT_FOR_ALL | LIMIT_FOR_HOST | LIMIT_FOR_NETWORK)

enum limit_kind {
#define X(symbol, key, value, where) LIMIT_##symbol,
	LIMIT_KINDS(X)
#undef X
	LIMIT_KIND_COUNT
};

enum limit_value {
	LIMIT_COUNT,            /* of moves at once; 0 = auto */
	LIMIT_YES_NO,           /* 1, 0 */
	LIMIT_RATE_BYTES_PER_S, /* in each direction of each link that is meant; 0 = none */
};

enum { LIMIT_FOR_ALL = 1, LIMIT_FOR_HOST = 2, LIMIT_FOR_NETWORK = 4 };
enum { LIMIT_COUNT_MAX = 10000 }; /* as in the configuration */

struct limit_info {
	const char *key;
	enum limit_value value;
	unsigned where; /* LIMIT_FOR_...: what it can be set for */
};

struct limit {
	enum limit_kind kind;
	char host[NAME_BYTES_MAX + 1];    /* for this host, or */
	char network[NAME_BYTES_MAX + 1]; /* for this network, or for all when both are "" */
	uint64_t value;
};

const struct limit_info *limit_info(enum limit_kind kind);
enum limit_kind limit_by_key(const char *key); /* LIMIT_KIND_COUNT when unknown */
bool limit_is_same(const struct limit *a, const struct limit *b); /* of one kind for one object */
/* Is there such a limit, and is the value in its range? ERR_INPUT. Whether host and network exist the engine knows. */
bool limit_check(const struct limit *limit, struct error *err);

#endif
