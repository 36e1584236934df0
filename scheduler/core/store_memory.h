/* A store that lives in memory: for `simulate` and for tests. */
#ifndef DROVER_STORE_MEMORY_H
#define DROVER_STORE_MEMORY_H

#include "drover/store.h"

/* run: identity of the store, a UUID the caller chose. Freed by its close. Cannot fail. */
struct store *store_memory_new(const char *run);

#endif
