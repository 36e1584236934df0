/* Links, and how the migrations on them share them: max-min fair, each with its
 * own limit, full duplex, links shared by several hosts included. A flow's
 * numbers are exact: bytes are counted with the remainder carried on. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "sim_world.h"
#include "xalloc.h"

__extension__ typedef unsigned __int128 wide;

uint64_t sim_scale(uint64_t a, uint64_t b, uint64_t c, uint64_t *carry)
{
	wide product = (wide)a * b + *carry;
	wide quotient = product / c;

	*carry = (uint64_t)(product % c);
	return quotient > UINT64_MAX ? UINT64_MAX : (uint64_t)quotient;
}

/* An address as 16 bytes (IPv4 mapped into IPv6) and its prefix length in that; false when it is none. */
static bool parse_address(const char *text, uint8_t ret_bytes[16], unsigned *ret_prefix)
{
	char address[INET6_ADDRSTRLEN + 5];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned base = 0;

	if (n >= sizeof address)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	memset(ret_bytes, 0, 16);
	if (inet_pton(AF_INET, address, ret_bytes + 12) == 1) {
		ret_bytes[10] = ret_bytes[11] = 0xff;
		base = 96;
	} else if (inet_pton(AF_INET6, address, ret_bytes) != 1) {
		return false;
	}
	*ret_prefix = slash != NULL ? base + (unsigned)strtoul(slash + 1, NULL, 10) : 128;
	return *ret_prefix <= 128;
}

static bool is_same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* True when the address lies in the network written as "10.8.0.0/24" (or as a host's "10.8.0.7/24"). */
static bool is_in_network(const char *address, const char *network)
{
	uint8_t a[16], b[16];
	unsigned prefix_a, prefix;

	if (address == NULL || network == NULL || !parse_address(address, a, &prefix_a) || !parse_address(network, b, &prefix))
		return false;
	return is_same_prefix(a, b, prefix);
}

static uint64_t link_rate(const struct sim *sim, const struct host_link *link)
{
	size_t i;

	if (link->rate_bytes_per_s > 0)
		return link->rate_bytes_per_s;
	for (i = 0; i < sim->inventory->n_networks; i++) {
		const struct migration_network *network = &sim->inventory->networks[i];

		if (network->rate_bytes_per_s > 0 && is_in_network(link->address, network->cidr))
			return network->rate_bytes_per_s;
	}
	return sim->options.link_rate_bytes_per_s;
}

static void add_pair(struct sim *sim, uint64_t rate)
{
	uint64_t carry = 0, payload = sim_scale(rate, sim->options.link_efficiency_milli, 1000, &carry);
	int direction;

	for (direction = 0; direction < 2; direction++) {
		sim->links = xgrow(sim->links, sim->n_links, sizeof *sim->links);
		sim->links[sim->n_links++] = (struct sim_link){.rate_bytes_per_s = payload};
	}
}

void sim_links_build(struct sim *sim)
{
	const struct inventory *inventory = sim->inventory;
	size_t h, i, j;

	for (h = 0; h < inventory->n_hosts; h++) {
		const struct host *host = &inventory->hosts[h];

		sim->hosts[h].first_link = (uint32_t)sim->n_links;
		sim->hosts[h].n_links = host->n_links > 0 ? (uint32_t)host->n_links : 1;
		for (i = 0; i < host->n_links; i++)
			add_pair(sim, link_rate(sim, &host->links[i]));
		if (host->n_links == 0)
			add_pair(sim, sim->options.link_rate_bytes_per_s);
	}
	sim->first_shared_link = (uint32_t)sim->n_links;
	for (i = 0; i < inventory->n_shared_links; i++) {
		const struct shared_link *shared = &inventory->shared_links[i];

		add_pair(sim, shared->rate_bytes_per_s > 0 ? shared->rate_bytes_per_s : UINT32_MAX * UINT64_C(1000));
		for (j = 0; j < shared->n_hosts; j++) {
			uint32_t index = inventory_host(inventory, shared->hosts[j]);
			struct sim_host *host;

			if (index == INDEX_NONE)
				continue;
			host = &sim->hosts[index];
			host->shared = xgrow(host->shared, host->n_shared, sizeof *host->shared);
			host->shared[host->n_shared++] = (uint32_t)i;
		}
	}
}

static bool is_behind(const struct sim_host *host, uint32_t shared)
{
	size_t i;

	for (i = 0; i < host->n_shared; i++) {
		if (host->shared[i] == shared)
			return true;
	}
	return false;
}

static void add_link(struct sim_migration *migration, uint32_t link)
{
	migration->links = xgrow(migration->links, migration->n_links, sizeof *migration->links);
	migration->links[migration->n_links++] = link;
}

/* Which of the target's addresses is meant: the one named, else the first that the source shares a network with. */
static void choose_pair(const struct host *source, const struct host *target, const char *address,
	uint32_t *ret_out, uint32_t *ret_in)
{
	size_t i, j;

	*ret_out = *ret_in = 0;
	for (j = 0; j < target->n_links; j++) {
		if (address != NULL && !is_in_network(target->links[j].address, address))
			continue;
		for (i = 0; i < source->n_links; i++) {
			if (is_in_network(source->links[i].address, target->links[j].address) ||
			    is_in_network(target->links[j].address, source->links[i].address)) {
				*ret_out = (uint32_t)i;
				*ret_in = (uint32_t)j;
				return;
			}
		}
		*ret_in = (uint32_t)j;
		if (address != NULL)
			return;
	}
	if (address == NULL)
		*ret_in = 0;
}

void sim_flow_route(struct sim *sim, struct sim_migration *migration, const char *target_address)
{
	const struct sim_host *source = &sim->hosts[migration->source], *target = &sim->hosts[migration->target];
	uint32_t out, in;
	size_t i;

	choose_pair(&sim->inventory->hosts[migration->source], &sim->inventory->hosts[migration->target],
		target_address, &out, &in);
	add_link(migration, source->first_link + 2 * out);
	add_link(migration, target->first_link + 2 * in + 1);
	for (i = 0; i < source->n_shared; i++) {
		if (!is_behind(target, source->shared[i]))
			add_link(migration, sim->first_shared_link + 2 * source->shared[i]);
	}
	for (i = 0; i < target->n_shared; i++) {
		if (!is_behind(source, target->shared[i]))
			add_link(migration, sim->first_shared_link + 2 * target->shared[i] + 1);
	}
}

void sim_flow_start(struct sim *sim, struct sim_migration *migration, uint64_t bytes)
{
	assert(!migration->is_flowing);
	migration->remaining = bytes;
	migration->rate = 0;
	migration->settled_us = sim->now_us;
	migration->sent_carry = migration->useful_carry = migration->dirty_carry = 0;
	migration->flow_serial = ++sim->serial;
	migration->is_flowing = true;
	migration->flow_index = (uint32_t)sim->n_flows;
	if (sim->n_flows == sim->flows_size) {
		sim->flows_size = sim->flows_size == 0 ? 16 : sim->flows_size * 2;
		sim->flows = xrealloc_array(sim->flows, sim->flows_size, sizeof(struct sim_migration *));
	}
	sim->flows[sim->n_flows++] = migration;
	sim->flows_are_stale = true;
	if (bytes == 0)
		sim_push(sim, sim->now_us, SIM_EVENT_FLOW, migration->slot, migration->flow_serial, NULL);
}

void sim_flow_stop(struct sim *sim, struct sim_migration *migration)
{
	struct sim_migration *last;

	if (!migration->is_flowing)
		return;
	sim_flow_settle(sim, migration);
	last = sim->flows[--sim->n_flows];
	sim->flows[migration->flow_index] = last;
	last->flow_index = migration->flow_index;
	migration->is_flowing = false;
	migration->rate = 0;
	migration->flow_serial = ++sim->serial;
	sim->flows_are_stale = true;
}

static uint64_t useful_rate(const struct sim_migration *migration)
{
	return migration->rate > migration->overhead_rate ? migration->rate - migration->overhead_rate : 0;
}

void sim_flow_settle(struct sim *sim, struct sim_migration *migration)
{
	uint64_t dt = (uint64_t)(sim->now_us - migration->settled_us);
	uint64_t sent, useful;
	size_t i;

	if (dt == 0 || !migration->is_flowing)
		return;
	migration->settled_us = sim->now_us;
	sent = sim_scale(migration->rate, dt, US_PER_S, &migration->sent_carry);
	useful = sim_scale(useful_rate(migration), dt, US_PER_S, &migration->useful_carry);
	if (useful > migration->remaining) { /* the last microsecond is not used up */
		sent -= useful - migration->remaining;
		useful = migration->remaining;
	}
	migration->remaining -= useful;
	if (migration->phase == SIM_PHASE_DISKS) {
		migration->disk_sent += sent;
		migration->disk_total += sent - (sent < useful ? sent : useful);
	} else {
		migration->memory_sent += sent;
	}
	for (i = 0; i < migration->n_links; i++)
		sim->links[migration->links[i]].bytes += sent;
	sim->counters.bytes_sent += sent;
	if (migration->phase == SIM_PHASE_MEMORY) {
		uint64_t rate = sim->guests[migration->guest].dirty_rate_bytes_per_s * (100 - migration->throttle_percent) / 100;

		migration->dirtied += sim_scale(rate, dt, US_PER_S, &migration->dirty_carry);
		if (migration->dirtied > migration->dirty_limit)
			migration->dirtied = migration->dirty_limit;
	}
}

static uint64_t link_capacity(const struct sim_link *link)
{
	if (link->has_fault_rate && link->fault_rate_bytes_per_s < link->rate_bytes_per_s)
		return link->fault_rate_bytes_per_s;
	return link->rate_bytes_per_s;
}

static void fix_rate(struct sim *sim, struct sim_migration *flow, uint64_t rate)
{
	size_t i;

	flow->new_rate = rate;
	flow->is_open = false;
	for (i = 0; i < flow->n_links; i++) {
		struct sim_link *link = &sim->links[flow->links[i]];

		link->left -= rate < link->left ? rate : link->left;
		link->n_open--;
	}
}

/* What the most crowded of its links would give it now. */
static uint64_t fair_share(const struct sim *sim, const struct sim_migration *flow)
{
	uint64_t share = UINT64_MAX;
	size_t i;

	for (i = 0; i < flow->n_links; i++) {
		const struct sim_link *link = &sim->links[flow->links[i]];
		uint64_t part = link->left / link->n_open;

		share = part < share ? part : share;
	}
	return share;
}

static uint64_t flow_limit(const struct sim_migration *flow)
{
	/* The switchover is never throttled. */
	return flow->limit == 0 || flow->phase == SIM_PHASE_SWITCHOVER ? UINT64_MAX : flow->limit;
}

static void open_all(struct sim *sim)
{
	size_t i, j;

	for (i = 0; i < sim->n_flows; i++) {
		sim->flows[i]->is_open = true;
		for (j = 0; j < sim->flows[i]->n_links; j++) {
			struct sim_link *link = &sim->links[sim->flows[i]->links[j]];

			link->left = link_capacity(link);
			link->n_open = 0;
		}
	}
	for (i = 0; i < sim->n_flows; i++) {
		for (j = 0; j < sim->flows[i]->n_links; j++)
			sim->links[sim->flows[i]->links[j]].n_open++;
	}
}

/* Progressive filling: the level rises until a flow meets its limit or a link is full; those are
 * fixed and the rest goes on. Each round fixes at least one flow. */
static void fill(struct sim *sim)
{
	size_t n_open = sim->n_flows, i;

	open_all(sim);
	while (n_open > 0) {
		uint64_t level = UINT64_MAX;

		for (i = 0; i < sim->n_flows; i++) {
			uint64_t rate, limit;

			if (!sim->flows[i]->is_open)
				continue;
			rate = fair_share(sim, sim->flows[i]);
			limit = flow_limit(sim->flows[i]);
			rate = rate < limit ? rate : limit;
			level = rate < level ? rate : level;
		}
		for (i = 0; i < sim->n_flows; i++) {
			struct sim_migration *flow = sim->flows[i];

			if (flow->is_open && (flow_limit(flow) <= level || fair_share(sim, flow) <= level)) {
				fix_rate(sim, flow, level);
				n_open--;
			}
		}
	}
}

static void schedule(struct sim *sim, struct sim_migration *flow)
{
	uint64_t useful = useful_rate(flow), carry = 0, missing;

	flow->flow_serial = ++sim->serial;
	if (flow->remaining == 0) {
		sim_push(sim, sim->now_us, SIM_EVENT_FLOW, flow->slot, flow->flow_serial, NULL);
		return;
	}
	if (useful == 0)
		return;
	missing = sim_scale(flow->remaining, US_PER_S, useful, &carry);
	missing += carry != 0;
	if (missing < (uint64_t)(INT64_MAX - sim->now_us))
		sim_push(sim, sim->now_us + (int64_t)missing, SIM_EVENT_FLOW, flow->slot, flow->flow_serial, NULL);
}

void sim_flow_more(struct sim *sim, struct sim_migration *migration, uint64_t bytes)
{
	assert(migration->is_flowing && migration->settled_us == sim->now_us);
	migration->remaining = bytes;
	schedule(sim, migration);
}

void sim_flows_update(struct sim *sim)
{
	size_t i;

	if (!sim->flows_are_stale)
		return;
	sim->flows_are_stale = false;
	fill(sim);
	for (i = 0; i < sim->n_flows; i++) {
		struct sim_migration *flow = sim->flows[i];

		if (flow->rate == flow->new_rate)
			continue;
		sim_flow_settle(sim, flow);
		flow->rate = flow->new_rate;
		schedule(sim, flow);
	}
}

void sim_flow_event(struct sim *sim, uint32_t slot, uint64_t serial)
{
	struct sim_migration *flow = sim->migrations[slot];

	if (flow == NULL || flow->flow_serial != serial)
		return;
	sim_flow_settle(sim, flow);
	if (flow->remaining > 0) { /* rounding of the carries: at most a microsecond is missing */
		schedule(sim, flow);
		return;
	}
	sim_migration_flow_done(sim, flow);
}
