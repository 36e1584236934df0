/* Hard filters with their refusals as values: text is made only for the one that is shown. */
#ifndef DROVER_COMPAT_H
#define DROVER_COMPAT_H

#include "ledger.h"

struct refusal {
	enum error_code code;
	uint64_t need, have;
	const char *what; /* name of the pool, network, CPU model; borrowed from inventory or request */
	uint32_t other;   /* rule, pool number or guest, by code */
};

/* One question, asked of many hosts. */
struct fit_ask {
	const struct inventory *inventory;
	const struct ledger *ledger;
	uint32_t guest;
	const struct request *request;
	const struct wanted_move *wanted;
	const bool *drained;    /* hosts emptied by the request; NULL = look the name up */
	bool with_capacity;
	uint64_t extra_memory_bytes; /* of guests that must come along to the same host */
};

/* False fills *ret_refusal. */
bool compat_fits(const struct fit_ask *ask, uint32_t target, struct refusal *ret_refusal);
/* A refusal as an error: names guest and host and both numbers. Returns false. */
bool compat_describe(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err);
/* How much a refusal tells: the later the filter, the nearer the miss. */
int compat_rank(enum error_code code);

#endif
