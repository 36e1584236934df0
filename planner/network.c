/* Which network a move takes: the first in the configured order in which both
 * hosts have an address. Addresses that are not IPv4 match no network; they are
 * still used when no network is configured. */
#include "network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "drover/plan.h"
#include "xalloc.h"

bool cidr_parse(const char *text, struct cidr *ret_cidr)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long bits = 32;
	struct in_addr parsed;
	char *end;

	if (n >= sizeof address)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (inet_pton(AF_INET, address, &parsed) != 1)
		return false;
	if (slash != NULL) {
		bits = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > 32)
			return false;
	}
	ret_cidr->address = ntohl(parsed.s_addr);
	ret_cidr->mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
	return true;
}

bool cidr_contains(struct cidr network, uint32_t address)
{
	return (address & network.mask) == (network.address & network.mask);
}

uint32_t network_link_of(const struct host *host, struct cidr network)
{
	struct cidr own;
	size_t i;

	for (i = 0; i < host->n_links; i++)
		if (host->links[i].address != NULL && cidr_parse(host->links[i].address, &own) &&
			cidr_contains(network, own.address))
			return (uint32_t)i;
	return INDEX_NONE;
}

void network_any_link(const struct host *source, const struct host *target,
	uint32_t *ret_source_link, uint32_t *ret_target_link)
{
	struct cidr a, b;
	size_t i, j;

	*ret_source_link = source->n_links > 0 ? 0 : INDEX_NONE;
	*ret_target_link = target->n_links > 0 ? 0 : INDEX_NONE;
	for (i = 0; i < source->n_links; i++) {
		if (source->links[i].address == NULL || !cidr_parse(source->links[i].address, &a))
			continue;
		for (j = 0; j < target->n_links; j++) {
			if (target->links[j].address == NULL || !cidr_parse(target->links[j].address, &b))
				continue;
			if (!cidr_contains(a, b.address) || !cidr_contains(b, a.address))
				continue;
			*ret_source_link = (uint32_t)i;
			*ret_target_link = (uint32_t)j;
			return;
		}
	}
}

uint32_t network_of_link(const struct inventory *inventory, uint32_t host, uint32_t link)
{
	const struct host *h = &inventory->hosts[host];
	struct cidr own, network;
	size_t i;

	if (link >= h->n_links || h->links[link].address == NULL || !cidr_parse(h->links[link].address, &own))
		return INDEX_NONE;
	for (i = 0; i < inventory->n_networks; i++)
		if (cidr_parse(inventory->networks[i].cidr, &network) && cidr_contains(network, own.address))
			return (uint32_t)i;
	return INDEX_NONE;
}

static bool refuse_network(const struct inventory *inventory, uint32_t source, uint32_t target, struct error *err)
{
	const struct migration_network *first = &inventory->networks[0];
	uint32_t lacking = target;
	struct cidr network;

	if (cidr_parse(first->cidr, &network) && network_link_of(&inventory->hosts[source], network) == INDEX_NONE)
		lacking = source;
	error_set(err, ERR_NO_MIGRATION_NETWORK, "no migration network shared by %s and %s (%s has no address in %s)",
		inventory->hosts[source].name, inventory->hosts[target].name, inventory->hosts[lacking].name, first->cidr);
	error_hint(err, "add one to [host %s] address", inventory->hosts[lacking].name);
	return false;
}

bool planner_network(const struct inventory *inventory, uint32_t source, uint32_t target,
	uint32_t *ret_network, uint32_t *ret_source_link, uint32_t *ret_target_link, struct error *err)
{
	return planner_network_but(inventory, source, target, NULL, ret_network, ret_source_link, ret_target_link, err);
}

bool planner_network_but(const struct inventory *inventory, uint32_t source, uint32_t target, const bool *excluded,
	uint32_t *ret_network, uint32_t *ret_source_link, uint32_t *ret_target_link, struct error *err)
{
	const struct host *from = &inventory->hosts[source], *to = &inventory->hosts[target];
	struct cidr network;
	size_t i;

	if (inventory->n_networks == 0) {
		*ret_network = INDEX_NONE;
		network_any_link(from, to, ret_source_link, ret_target_link);
		return true;
	}
	for (i = 0; i < inventory->n_networks; i++) {
		uint32_t a, b;

		if ((excluded != NULL && excluded[i]) || !cidr_parse(inventory->networks[i].cidr, &network))
			continue;
		a = network_link_of(from, network);
		b = network_link_of(to, network);
		if (a == INDEX_NONE || b == INDEX_NONE)
			continue;
		*ret_network = (uint32_t)i;
		*ret_source_link = a;
		*ret_target_link = b;
		return true;
	}
	return refuse_network(inventory, source, target, err);
}

char *planner_address(const struct inventory *inventory, uint32_t host, uint32_t link)
{
	const struct host *h = &inventory->hosts[host];
	const char *address = link < h->n_links ? h->links[link].address : NULL;

	return address == NULL ? NULL : xprintf("%.*s", (int)strcspn(address, "/"), address);
}

uint64_t planner_link_rate(const struct inventory *inventory, uint32_t host, uint32_t network, uint32_t link)
{
	const struct host *h = &inventory->hosts[host];
	uint64_t rate = link < h->n_links ? h->links[link].rate_bytes_per_s : 0;

	if (network == INDEX_NONE)
		return rate;
	rate = min_limit(rate, inventory->networks[network].rate_bytes_per_s);
	if (inventory->networks[network].reserve_percent >= 100)
		return rate == 0 ? 0 : 1;
	return mul_div(rate, 100 - inventory->networks[network].reserve_percent, 100);
}
