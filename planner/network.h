/* IPv4 addresses of hosts against the CIDRs of migration networks. */
#ifndef DROVER_NETWORK_H
#define DROVER_NETWORK_H

#include "drover/inventory.h"

struct cidr {
	uint32_t address;
	uint32_t mask;
};

/* "10.8.0.1/24" or "10.8.0.1" (then the mask is that of one host). False when it is no IPv4 address. */
bool cidr_parse(const char *text, struct cidr *ret_cidr);
bool cidr_contains(struct cidr network, uint32_t address);
/* The first link of a host whose address is inside; INDEX_NONE when there is none. */
uint32_t network_link_of(const struct host *host, struct cidr network);
/* Without configured networks: the first two links on one subnet, else the first of each. */
void network_any_link(const struct host *source, const struct host *target,
	uint32_t *ret_source_link, uint32_t *ret_target_link);
/* The configured network that a host's link belongs to; INDEX_NONE when none. */
uint32_t network_of_link(const struct inventory *inventory, uint32_t host, uint32_t link);

#endif
