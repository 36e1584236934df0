/* A small cluster for scenarios: hosts h1..hN of 64 GiB and one link each, guests g1..gM, all on h1. */
#ifndef DROVER_TEST_CLUSTER_H
#define DROVER_TEST_CLUSTER_H

#include "drover/inventory.h"

struct inventory *cluster_new(unsigned n_hosts, unsigned n_guests, bool with_disks);

#endif
