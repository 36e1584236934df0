/* The hosts of a drain request as booleans, so that each look-up by name is made once. */
#ifndef DROVER_DRAINED_H
#define DROVER_DRAINED_H

#include "drover/plan.h"

/* n_hosts booleans with free(); NULL when the request drains nothing. Names that do not exist are left out. */
bool *drained_hosts(const struct inventory *inventory, const struct request *request);

#endif
