/* What guests write, between one command and the next: used while it is recent, kept when it was measured. */
#ifndef DROVER_CLI_FACTS_H
#define DROVER_CLI_FACTS_H

#include "site.h"

/* UUIDs of guests that need not be measured again, sorted; the array is the caller's, its strings are the image's. */
const char **facts_recent(const struct site *site, size_t *ret_n);
/* Puts what is known and recent over the guests that were not measured just now. */
void facts_fill(const struct site *site);
/* Keeps what was measured just now. The state file may be somebody else's just then: it costs the next plan a second. */
void facts_keep(struct site *site);

#endif
