/* Choosing targets: score of a host, best host, the most telling refusal. */
#ifndef DROVER_PLACEMENT_H
#define DROVER_PLACEMENT_H

#include "compat.h"

/* Lower is better. */
int64_t placement_score(const struct ledger *ledger, uint32_t guest, uint32_t target);
/* excluded may be NULL. INDEX_NONE and an error when no host takes the guest. */
uint32_t placement_best(const struct fit_ask *ask, const bool *excluded, struct error *err);

#endif
