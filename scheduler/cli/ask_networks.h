/* The question that a missing network raises, on a terminal. */
#ifndef DROVER_CLI_ASK_NETWORKS_H
#define DROVER_CLI_ASK_NETWORKS_H

#include "site.h"

/* For each network that keeps guests of the plan from moving, asks which one of the targets is to take its place, and maps it in
 * the request. True when something was mapped: plan again. Asks nothing without a terminal, with --yes or with --no-input. */
bool ask_networks(const struct site *site, const struct plan *plan, struct request *request);

#endif
