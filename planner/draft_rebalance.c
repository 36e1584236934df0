/* Levelling: one guest at a time from the fullest host to one of the emptiest, as
 * long as the worse of the two gets clearly better. A guest moves once. Load is the
 * larger of the memory share and the share of CPU really used.
 */
#include <stdlib.h>

#include "arith.h"
#include "compat.h"
#include "draft.h"
#include "xalloc.h"

enum {
	GAIN_MILLI = 20,  /* a move that levels by less than 2 % of a host is not worth its traffic */
	TARGETS_TRIED = 8, /* the emptiest hosts; fuller ones would gain less */
};

struct level {
	struct draft *draft;
	struct ledger *ledger; /* moves end at once: the picture after the plan */
	uint64_t *cpu_milli;   /* per host, really used */
	uint64_t *loads;       /* per host, as load_of has it now */
	uint32_t *by_host;     /* guests of each host */
	uint32_t *first;       /* n_hosts + 1 */
	bool *is_closed;       /* per host: nothing to gain there any more */
	uint32_t *targets;     /* hosts by load, lightest first */
};

static uint64_t load_of(const struct level *level, uint32_t host, int64_t memory, int64_t cpu_milli)
{
	const struct host *h = &level->draft->inventory->hosts[host];
	uint64_t room = h->memory_bytes > h->memory_reserve_bytes ? h->memory_bytes - h->memory_reserve_bytes : 1;
	uint64_t share = mul_div(level->ledger->hosts[host].memory_bytes + (uint64_t)memory, 1000, room);

	if (h->cpus > 0)
		share = max_u64(share, (level->cpu_milli[host] + (uint64_t)cpu_milli) / h->cpus);
	return share;
}

static bool gives(const struct host *host)
{
	return host->reachable && host->outgoing;
}

static uint32_t fullest(const struct level *level)
{
	const struct inventory *inventory = level->draft->inventory;
	uint64_t most = 0;
	uint32_t found = INDEX_NONE, i;

	for (i = 0; i < inventory->n_hosts; i++) {
		uint64_t load = level->loads[i];

		if (level->is_closed[i] || !gives(&inventory->hosts[i]) || load <= most)
			continue;
		most = load;
		found = i;
	}
	return found;
}

/* The few emptiest open hosts, lightest first. */
static size_t emptiest(const struct level *level, uint32_t source)
{
	const struct inventory *inventory = level->draft->inventory;
	uint64_t loads[TARGETS_TRIED];
	size_t n = 0, at;
	uint32_t i;

	for (i = 0; i < inventory->n_hosts; i++) {
		const struct host *host = &inventory->hosts[i];
		uint64_t load = level->loads[i];

		if (i == source || host->cordoned || !host->reachable || !host->incoming ||
			(n == TARGETS_TRIED && load >= loads[n - 1]))
			continue;
		at = n < TARGETS_TRIED ? n++ : n - 1;
		for (; at > 0 && loads[at - 1] > load; at--) {
			loads[at] = loads[at - 1];
			level->targets[at] = level->targets[at - 1];
		}
		loads[at] = load;
		level->targets[at] = i;
	}
	return n;
}

struct shift {
	uint32_t guest, target;
	uint64_t worse; /* of the two loads afterwards */
};

/* left: the source's load without the guest. */
static void consider(const struct level *level, uint32_t guest, uint64_t left, uint32_t target, struct shift *best)
{
	int64_t memory = (int64_t)level->ledger->model->guests[guest].memory_bytes;
	int64_t cpu = level->draft->inventory->guests[guest].cpu_load_milli;
	uint64_t worse = max_u64(left, load_of(level, target, memory, cpu));
	struct fit_ask ask = {
		.inventory = level->draft->inventory, .ledger = level->ledger, .guest = guest, .request = level->draft->request,
		.with_capacity = true,
	};
	struct refusal refusal;

	if (worse >= best->worse || !compat_fits(&ask, target, &refusal))
		return;
	*best = (struct shift){.guest = guest, .target = target, .worse = worse};
}

static struct shift best_shift(const struct level *level, uint32_t source)
{
	const struct inventory *inventory = level->draft->inventory;
	uint64_t load = level->loads[source], left;
	struct shift best = {.guest = INDEX_NONE, .worse = load > GAIN_MILLI ? load - GAIN_MILLI : 0};
	size_t n_targets = emptiest(level, source), k;
	uint32_t at;

	for (at = level->first[source]; at < level->first[source + 1]; at++) {
		uint32_t guest = level->by_host[at];

		if (level->ledger->locations[guest] != source)
			continue;
		left = load_of(level, source, -(int64_t)level->ledger->model->guests[guest].memory_bytes,
			-(int64_t)inventory->guests[guest].cpu_load_milli);
		if (left >= best.worse || !planner_guest_can_move(inventory, guest, NULL))
			continue;
		for (k = 0; k < n_targets; k++)
			consider(level, guest, left, level->targets[k], &best);
	}
	return best;
}

static void list_by_host(struct level *level)
{
	const struct inventory *inventory = level->draft->inventory;
	uint32_t *fill = xcalloc(inventory->n_hosts, sizeof *fill);
	uint32_t i;

	for (i = 0; i < inventory->n_guests; i++) {
		level->first[inventory->guests[i].host + 1]++;
		if (inventory->guests[i].state == GUEST_RUNNING)
			level->cpu_milli[inventory->guests[i].host] += inventory->guests[i].cpu_load_milli;
	}
	for (i = 0; i < inventory->n_hosts; i++)
		level->first[i + 1] += level->first[i];
	for (i = 0; i < inventory->n_guests; i++) {
		uint32_t host = inventory->guests[i].host;

		level->by_host[level->first[host] + fill[host]++] = i;
	}
	free(fill);
}

static void apply(struct level *level, uint32_t source, const struct shift *shift)
{
	uint32_t cpu = level->draft->inventory->guests[shift->guest].cpu_load_milli;
	struct draft_move *move;

	ledger_start(level->ledger, shift->guest, shift->target, level->draft->request, NULL);
	ledger_finish(level->ledger, shift->guest);
	level->cpu_milli[source] -= min_u64(level->cpu_milli[source], cpu);
	level->cpu_milli[shift->target] += cpu;
	level->loads[source] = load_of(level, source, 0, 0);
	level->loads[shift->target] = load_of(level, shift->target, 0, 0);
	move = draft_add(level->draft, shift->guest, INDEX_NONE);
	move->target = shift->target;
	move->is_chosen = true;
}

void draft_rebalance(struct draft *draft)
{
	size_t n_hosts = draft->inventory->n_hosts;
	struct level level = {.draft = draft, .ledger = ledger_new_sharing(draft->ledger)};
	uint32_t source, host;

	level.loads = xcalloc(n_hosts, sizeof *level.loads);
	level.cpu_milli = xcalloc(n_hosts, sizeof *level.cpu_milli);
	level.by_host = xcalloc(draft->inventory->n_guests, sizeof *level.by_host);
	level.first = xcalloc(n_hosts + 1, sizeof *level.first);
	level.is_closed = xcalloc(n_hosts, sizeof *level.is_closed);
	level.targets = xcalloc(TARGETS_TRIED, sizeof *level.targets);
	list_by_host(&level);
	for (host = 0; host < n_hosts; host++)
		level.loads[host] = load_of(&level, host, 0, 0);
	while ((source = fullest(&level)) != INDEX_NONE) {
		struct shift shift = best_shift(&level, source);

		if (shift.guest != INDEX_NONE)
			apply(&level, source, &shift);
		else
			level.is_closed[source] = true;
	}
	ledger_free(level.ledger);
	free(level.loads);
	free(level.cpu_milli);
	free(level.by_host);
	free(level.first);
	free(level.is_closed);
	free(level.targets);
}
