/* Choosing targets: score of a host, best host, the most telling refusal. */
#ifndef DROVER_PLACEMENT_H
#define DROVER_PLACEMENT_H

#include "compat.h"

enum {
	PLACEMENT_FULL = 1000, /* a host without any room left, or a link busy for the whole reference time */
	PLACEMENT_SHARE_MAX = 1000000,
};

/* Memory that guests may have there. */
uint64_t placement_room(const struct ledger *ledger, uint32_t host);
/* A score of two shares in units of PLACEMENT_FULL: the worse of them decides, their sum breaks ties. */
int64_t placement_key(uint64_t worse, uint64_t sum);
/* Lower is better. */
int64_t placement_score(const struct ledger *ledger, uint32_t guest, uint32_t target);
/* excluded may be NULL. INDEX_NONE and an error when no host takes the guest. */
uint32_t placement_best(const struct fit_ask *ask, const bool *excluded, struct error *err);

#endif
