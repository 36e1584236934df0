/* A tree over the hosts. Each node knows the least that any host below it has taken of its memory, its CPUs and its link;
 * with what the guest adds at the very least, that bounds the score of all hosts below.
 * The branch with the lower bound is searched first, and one whose bound is no better than what was found is left out. So
 * the answer is the one that asking every host would give, usually after asking one.
 *
 * Filling the emptiest first makes hosts alike in what decides, and then the sums decide: many hosts have the least worse share and one
 * of them, not any, has the least sum. So a node also knows the least sum of those hosts that no other can beat.
 *
 * Shares are counted in 2^-30 here and rounded down, so that a bound is never over the score. What a guest adds is
 * counted for the largest host and the fastest link: exact where hosts are alike, a weaker bound where they are not.
 *
 * Hosts that are closed to everybody stand nowhere in the tree. When nobody fits, all hosts are asked after all: the answer then
 * is the nearest miss.
 */
#include "placement_index.h"

#include <stdlib.h>

#include "arith.h"
#include "xalloc.h"

enum { FINE_BITS = 30, FINE_UNIT = (1 << FINE_BITS) / PLACEMENT_FULL + 1 };
#define FINE_MAX (UINT64_C(1) << 50) /* a thousand times more than any share that a score tells apart; sums stay small */

/* Of some hosts the least worse share, and the least sum of both shares among those less than a unit of the score above it. */
struct least {
	uint64_t worse, sum;
};

struct node {
	uint64_t memory, cpu, link;
	struct least full, busy; /* of hosts with more taken of their memory than of their link; of the others */
	uint32_t first; /* host with the lowest number; INDEX_NONE = none is open below */
};

struct placement_index {
	const struct ledger *ledger;
	struct node *nodes; /* nodes[1] is the root, the children of i are 2 i and 2 i + 1 */
	size_t n_leaves;    /* a power of two; the leaf of host h is n_leaves + h */
	bool *is_open;
	uint64_t memory_bytes_max, vcpus_max, rate_bytes_per_s_max;
};

static uint64_t fine(uint64_t used, uint64_t of)
{
	return of == 0 ? FINE_MAX : min_u64(mul_div(used, UINT64_C(1) << FINE_BITS, of), FINE_MAX);
}

static const struct least NONE_LEAST = {FINE_MAX, FINE_MAX};

/* The tree has more leaves than there are hosts: those are never open, and there is nothing to read about them. */
static struct node leaf_of(const struct placement_index *index, uint32_t host)
{
	const struct ledger *ledger = index->ledger;
	struct node leaf = {.first = host};
	uint64_t limit, rate;

	if (!index->is_open[host])
		return (struct node){FINE_MAX, FINE_MAX, FINE_MAX, NONE_LEAST, NONE_LEAST, INDEX_NONE};
	limit = ledger_vcpu_limit(ledger, host);
	rate = ledger->model->hosts[host].in_rate_bytes_per_s;
	leaf.memory = fine(ledger->hosts[host].memory_bytes, placement_room(ledger, host));
	leaf.cpu = limit == UINT64_MAX ? 0 : fine(ledger->hosts[host].vcpus, limit);
	leaf.link = fine((uint64_t)carry_us(ledger->hosts[host].inbound_bytes, rate) / 1000, (uint64_t)ledger->reference_ms);
	leaf.full = leaf.memory >= leaf.link ? (struct least){leaf.memory, leaf.memory + leaf.link} : NONE_LEAST;
	leaf.busy = leaf.memory < leaf.link ? (struct least){leaf.link, leaf.memory + leaf.link} : NONE_LEAST;
	return leaf;
}

static struct least least_of(struct least a, struct least b)
{
	if (a.worse + FINE_UNIT <= b.worse)
		return a;
	if (b.worse + FINE_UNIT <= a.worse)
		return b;
	return (struct least){min_u64(a.worse, b.worse), min_u64(a.sum, b.sum)};
}

static struct node join(const struct node *a, const struct node *b)
{
	return (struct node){
		.memory = min_u64(a->memory, b->memory), .cpu = min_u64(a->cpu, b->cpu), .link = min_u64(a->link, b->link),
		.full = least_of(a->full, b->full), .busy = least_of(a->busy, b->busy), .first = a->first < b->first ? a->first : b->first,
	};
}

static bool is_open(const struct ledger *ledger, const struct request *request, const bool *drained, uint32_t host)
{
	const struct host *h = &ledger->inventory->hosts[host];
	bool may_be_cordoned = request != NULL && request->kind == REQUEST_RETURN; /* it goes back to a cordoned host */

	return (drained == NULL || !drained[host]) && h->reachable && h->incoming && (!h->cordoned || may_be_cordoned);
}

static void measure_host(struct placement_index *index, uint32_t host)
{
	index->memory_bytes_max = max_u64(index->memory_bytes_max, placement_room(index->ledger, host));
	index->vcpus_max = max_u64(index->vcpus_max, ledger_vcpu_limit(index->ledger, host));
	index->rate_bytes_per_s_max = max_u64(index->rate_bytes_per_s_max, index->ledger->model->hosts[host].in_rate_bytes_per_s);
}

struct placement_index *placement_index_new(const struct ledger *ledger, const struct request *request, const bool *drained)
{
	struct placement_index *index = xcalloc(1, sizeof *index);
	size_t n_hosts = ledger->inventory->n_hosts, i;
	uint32_t host;

	index->ledger = ledger;
	for (index->n_leaves = 1; index->n_leaves < n_hosts; index->n_leaves *= 2)
		;
	index->nodes = xcalloc(2 * index->n_leaves, sizeof *index->nodes);
	index->is_open = xcalloc(index->n_leaves, sizeof *index->is_open);
	for (host = 0; host < n_hosts; host++) {
		index->is_open[host] = is_open(ledger, request, drained, host);
		if (index->is_open[host])
			measure_host(index, host);
	}
	for (host = 0; host < index->n_leaves; host++)
		index->nodes[index->n_leaves + host] = leaf_of(index, host);
	for (i = index->n_leaves; i-- > 1;)
		index->nodes[i] = join(&index->nodes[2 * i], &index->nodes[2 * i + 1]);
	return index;
}

void placement_index_free(struct placement_index *index)
{
	if (index == NULL)
		return;
	free(index->nodes);
	free(index->is_open);
	free(index);
}

void placement_index_update(struct placement_index *index, uint32_t host)
{
	size_t i = index->n_leaves + host;

	index->nodes[i] = leaf_of(index, host);
	while ((i /= 2) > 0)
		index->nodes[i] = join(&index->nodes[2 * i], &index->nodes[2 * i + 1]);
}

struct pursuit {
	const struct placement_index *index;
	const struct fit_ask *ask;
	uint64_t memory, cpu, link; /* what the guest adds at the least */
	int64_t best_score;
	uint32_t best;
};

static uint64_t share_of(uint64_t fine_share)
{
	return min_u64((fine_share * PLACEMENT_FULL) >> FINE_BITS, PLACEMENT_SHARE_MAX);
}

/* Hosts a unit or more above the least come after it whatever their sum, unless something else decides. */
static int64_t bound_of_least(const struct pursuit *pursuit, const struct least *least, uint64_t added, uint64_t worse, uint64_t sum)
{
	uint64_t least_worse = share_of(least->worse + added), least_sum = share_of(least->sum + pursuit->memory + pursuit->link);

	if (least_worse < worse || least_worse >= PLACEMENT_SHARE_MAX)
		return placement_key(max_u64(worse, least_worse), sum);
	/* A score adds shares that are rounded down one by one: that is one less at most. */
	return placement_key(least_worse, max_u64(sum, least_sum > 0 ? least_sum - 1 : 0));
}

static int64_t bound_of(const struct pursuit *pursuit, const struct node *node)
{
	uint64_t load = max_u64(node->memory + pursuit->memory, node->cpu + pursuit->cpu), link = node->link + pursuit->link;
	uint64_t worse = share_of(max_u64(load, link)), sum = share_of(load) + share_of(link);
	int64_t full = bound_of_least(pursuit, &node->full, pursuit->memory, worse, sum);
	int64_t busy = bound_of_least(pursuit, &node->busy, pursuit->link, worse, sum);

	return full < busy ? full : busy;
}

static bool may_win(const struct pursuit *pursuit, const struct node *node, int64_t bound)
{
	return node->first != INDEX_NONE && (bound < pursuit->best_score || (bound == pursuit->best_score && node->first < pursuit->best));
}

static void ask_host(struct pursuit *pursuit, uint32_t host)
{
	int64_t score = placement_score(pursuit->index->ledger, pursuit->ask->guest, host);
	struct refusal refusal;

	if (score > pursuit->best_score || (score == pursuit->best_score && host > pursuit->best) ||
		!compat_fits(pursuit->ask, host, &refusal))
		return;
	pursuit->best = host;
	pursuit->best_score = score;
}

static void pursue(struct pursuit *pursuit, size_t at)
{
	const struct node *nodes = pursuit->index->nodes;
	size_t first = 2 * at, second = 2 * at + 1;
	int64_t first_bound, second_bound;

	if (at >= pursuit->index->n_leaves) {
		ask_host(pursuit, (uint32_t)(at - pursuit->index->n_leaves));
		return;
	}
	first_bound = bound_of(pursuit, &nodes[first]);
	second_bound = bound_of(pursuit, &nodes[second]);
	if (second_bound < first_bound) {
		int64_t bound = first_bound;

		first_bound = second_bound;
		second_bound = bound;
		first++;
		second--;
	}
	if (may_win(pursuit, &nodes[first], first_bound))
		pursue(pursuit, first);
	if (may_win(pursuit, &nodes[second], second_bound))
		pursue(pursuit, second);
}

uint32_t placement_index_best(const struct placement_index *index, const struct fit_ask *ask, struct error *err)
{
	const struct ledger *ledger = index->ledger;
	const struct guest *guest = &ledger->inventory->guests[ask->guest];
	const struct model_guest *model = &ledger->model->guests[ask->guest];
	uint64_t bytes = guest->used_memory_bytes != 0 ? guest->used_memory_bytes : guest->memory_bytes;
	struct pursuit pursuit = {.index = index, .ask = ask, .best = INDEX_NONE, .best_score = INT64_MAX};

	if (index->nodes[1].first == INDEX_NONE)
		return placement_best(ask, NULL, err);
	pursuit.memory = fine(model->memory_bytes, max_u64(index->memory_bytes_max, 1));
	pursuit.cpu = index->vcpus_max == UINT64_MAX ? 0 : fine(model->vcpus, max_u64(index->vcpus_max, 1));
	pursuit.link = fine(mul_div(bytes, 1000, max_u64(index->rate_bytes_per_s_max, 1)), (uint64_t)ledger->reference_ms);
	pursue(&pursuit, 1);
	return pursuit.best != INDEX_NONE ? pursuit.best : placement_best(ask, NULL, err);
}
