/* The best target for one guest after the other, without asking every host each time. */
#ifndef DROVER_PLACEMENT_INDEX_H
#define DROVER_PLACEMENT_INDEX_H

#include "placement.h"

struct placement_index;

/* Over the ledger as it is, for the hosts that are open; drained as in struct fit_ask. Borrows the ledger. */
struct placement_index *placement_index_new(const struct ledger *ledger, const struct request *request, const bool *drained);
void placement_index_free(struct placement_index *index);
/* Room or traffic of the host have changed in the ledger. */
void placement_index_update(struct placement_index *index, uint32_t host);
/* As placement_best without exclusions, the same answer. */
uint32_t placement_index_best(const struct placement_index *index, const struct fit_ask *ask, struct error *err);

#endif
