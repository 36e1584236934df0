/* Choosing targets.
 *
 * The score of a host is the worse of two shares: how full it would be (memory or
 * vCPUs), and how long its link would be busy with what is on its way, in
 * proportion to the time that the sources need anyhow. So guests go where there is
 * room, but no host's link becomes the bottleneck and none is piled up. The sum of both breaks ties,
 * then the host's place in the inventory, which keeps plans equal from run to run.
 */
#include "placement.h"

#include <stdio.h>
#include <string.h>

#include "arith.h"

enum {
	SLOW_LINK_PENALTY = 10000, /* a link on which the guest would not converge: only when there is no other */
};

static uint64_t share_of(uint64_t used, uint64_t of)
{
	return of == 0 ? PLACEMENT_SHARE_MAX : min_u64(mul_div(used, PLACEMENT_FULL, of), PLACEMENT_SHARE_MAX);
}

uint64_t placement_room(const struct ledger *ledger, uint32_t host)
{
	const struct host *h = &ledger->inventory->hosts[host];

	return h->memory_bytes > h->memory_reserve_bytes ? h->memory_bytes - h->memory_reserve_bytes : 0;
}

int64_t placement_key(uint64_t worse, uint64_t sum)
{
	return (int64_t)(worse << 24 | min_u64(sum, (1u << 24) - 1));
}

static uint64_t load_share(const struct ledger *ledger, uint32_t guest, uint32_t target)
{
	const struct model_guest *g = &ledger->model->guests[guest];
	uint64_t limit = ledger_vcpu_limit(ledger, target), share;

	share = share_of(ledger->hosts[target].memory_bytes + g->memory_bytes, placement_room(ledger, target));
	if (limit != UINT64_MAX)
		share = max_u64(share, share_of(ledger->hosts[target].vcpus + g->vcpus, limit));
	return share;
}

int64_t placement_score(const struct ledger *ledger, uint32_t guest, uint32_t target)
{
	const struct guest *g = &ledger->inventory->guests[guest];
	uint64_t rate = ledger->model->hosts[target].in_rate_bytes_per_s, load, inbound, worse;
	uint64_t bytes = ledger->hosts[target].inbound_bytes +
		(g->used_memory_bytes != 0 ? g->used_memory_bytes : g->memory_bytes);

	load = load_share(ledger, guest, target);
	inbound = share_of((uint64_t)carry_us(bytes, rate) / 1000, (uint64_t)ledger->reference_ms);
	worse = max_u64(load, inbound);
	if (g->state == GUEST_RUNNING && g->dirty_rate_bytes_per_s >= rate / 5 * 4)
		worse += SLOW_LINK_PENALTY;
	return placement_key(worse, load + inbound);
}

struct misses {
	struct refusal nearest;
	uint32_t host;
	size_t n_asked;
};

/* The later the filter that refused, the nearer the miss; of two equal ones, the smaller lack. */
static void remember(struct misses *misses, const struct refusal *refusal, uint32_t host)
{
	int rank = compat_rank(refusal->code), best = misses->host == INDEX_NONE ? -2 : compat_rank(misses->nearest.code);

	if (refusal->code != ERR_SAME_HOST)
		misses->n_asked++;
	if (rank < best || (rank == best && refusal->need - refusal->have >= misses->nearest.need - misses->nearest.have))
		return;
	misses->nearest = *refusal;
	misses->host = host;
}

static void describe_misses(const struct fit_ask *ask, const struct misses *misses, struct error *err)
{
	const char *name = ask->inventory->guests[ask->guest].name;
	size_t used;

	if (err == NULL)
		return;
	if (misses->n_asked == 0 || misses->host == INDEX_NONE) {
		error_set(err, ERR_NO_TARGET, "vm %s: there is no host besides %s that may take it", name,
			ask->inventory->hosts[ask->ledger->locations[ask->guest]].name);
		return;
	}
	compat_describe(ask, misses->host, &misses->nearest, err);
	used = strlen(err->message);
	if (misses->n_asked > 1)
		snprintf(err->message + used, sizeof err->message - used, "; the nearest of %zu hosts asked", misses->n_asked);
}

uint32_t placement_best(const struct fit_ask *ask, const bool *excluded, struct error *err)
{
	struct misses misses = {.host = INDEX_NONE};
	int64_t best_score = INT64_MAX;
	uint32_t best = INDEX_NONE, host;

	for (host = 0; host < ask->inventory->n_hosts; host++) {
		struct refusal refusal;
		int64_t score;

		if (excluded != NULL && excluded[host])
			continue;
		score = placement_score(ask->ledger, ask->guest, host);
		if (score >= best_score)
			continue;
		if (compat_fits(ask, host, &refusal)) {
			best = host;
			best_score = score;
		} else if (best == INDEX_NONE) {
			remember(&misses, &refusal, host);
		}
	}
	if (best == INDEX_NONE)
		describe_misses(ask, &misses, err);
	return best;
}

bool planner_fits(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest, uint32_t target,
	const struct request *request, const struct wanted_move *wanted, bool with_capacity, struct error *err)
{
	struct fit_ask ask = {
		.inventory = inventory, .ledger = ledger, .guest = guest, .request = request, .wanted = wanted,
		.with_capacity = with_capacity,
	};
	struct refusal refusal;

	return compat_fits(&ask, target, &refusal) || compat_describe(&ask, target, &refusal, err);
}
