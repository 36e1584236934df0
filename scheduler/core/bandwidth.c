/* Bandwidth: what each link can carry, as measured, and who gets how much of it.
 *
 * Strict priority: the earliest admitted move on a link (its head) runs unthrottled; the ones staged behind it
 * trickle at the pre-stage rate, so that their setup is done when the head ends.
 * Sharing a link equally would keep every guest's copy open longest, and what is
 * written meanwhile is sent again; see performance.md section 4.
 *
 * One stream may be unable to fill a link. What a head carries alone is measured; what it leaves of the
 * link goes to the next move unthrottled. When the capacity is neither
 * configured nor known yet, this hands the second move the whole rest for a moment: if
 * the sum grows, the link has room and a third may follow, if it does not, the
 * sum is the link's capacity and the second goes back to trickling.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

enum {
	STEADY_SAMPLES = 3,     /* before a rate is believed: QEMU's first moments scan zero pages */
	LOW_FOR_MS = 3000,      /* a capacity is lowered only after the flow was low for so long */
};

#define RATE_HUGE (UINT64_MAX / 8) /* "not known": more than any link, and sums do not overflow */

static uint32_t links_of_host(const struct host *host)
{
	return host->n_links > 0 ? (uint32_t)host->n_links : 1;
}

static uint64_t configured_rate(const struct engine *engine, uint32_t host, uint32_t link)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t network = INDEX_NONE;
	size_t i;

	/* A link belongs to the first network that picks it; planner_network knows how. */
	for (i = 0; i < inventory->n_networks && network == INDEX_NONE; i++) {
		uint32_t other, own, peer;

		if (planner_network(inventory, host, host, &other, &own, &peer, NULL) && own == link)
			network = other;
	}
	return planner_link_rate(inventory, host, network, link);
}

void bandwidth_init(struct engine *engine)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t n = 0;
	size_t i, j;

	engine->loads = xcalloc(inventory->n_hosts, sizeof *engine->loads);
	for (i = 0; i < inventory->n_hosts; i++) {
		engine->loads[i].first_link = n;
		engine->loads[i].down_since_ms = inventory->hosts[i].reachable ? TIME_NEVER : 0;
		n += 2 * links_of_host(&inventory->hosts[i]);
	}
	engine->n_links = n + inventory->n_shared_links;
	engine->links = xcalloc(engine->n_links, sizeof *engine->links);
	for (i = 0; i < engine->n_links; i++)
		engine->links[i].low_since_ms = TIME_NEVER;
	for (i = 0; i < inventory->n_hosts; i++)
		for (j = 0; j < links_of_host(&inventory->hosts[i]); j++) {
			uint64_t rate = configured_rate(engine, (uint32_t)i, (uint32_t)j);

			engine->links[engine->loads[i].first_link + 2 * j].configured_bytes_per_s = rate;
			engine->links[engine->loads[i].first_link + 2 * j + 1].configured_bytes_per_s = rate;
		}
	for (i = 0; i < inventory->n_shared_links; i++)
		engine->links[n + i].configured_bytes_per_s = inventory->shared_links[i].rate_bytes_per_s;
}

static bool is_behind(const struct shared_link *link, const char *host)
{
	size_t i;

	for (i = 0; i < link->n_hosts; i++)
		if (strcmp(link->hosts[i], host) == 0)
			return true;
	return false;
}

void bandwidth_links_of(struct engine *engine, struct move *move)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t source_link = INDEX_NONE, target_link = INDEX_NONE;
	size_t i, n = 2;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		move->links[i] = INDEX_NONE;
	move->network = INDEX_NONE;
	if (move->source == INDEX_NONE || move->target == INDEX_NONE)
		return;
	if (planner_network(inventory, move->source, move->target, &move->network, &source_link, &target_link, NULL) &&
		move->network != INDEX_NONE && move->record.network == NULL)
		move->record.network = xstrdup(inventory->networks[move->network].name);
	move->links[0] = engine->loads[move->source].first_link + 2 * (source_link == INDEX_NONE ? 0 : source_link);
	move->links[1] = engine->loads[move->target].first_link + 2 * (target_link == INDEX_NONE ? 0 : target_link) + 1;
	for (i = 0; i < inventory->n_shared_links && n < LINKS_OF_MOVE; i++)
		if (is_behind(&inventory->shared_links[i], inventory->hosts[move->source].name) !=
			is_behind(&inventory->shared_links[i], inventory->hosts[move->target].name))
			move->links[n++] = (uint32_t)(engine->n_links - inventory->n_shared_links + i);
}

uint64_t bandwidth_capacity(const struct link *link)
{
	if (link->configured_bytes_per_s != 0 &&
		(!link->is_saturated || link->measured_bytes_per_s > link->configured_bytes_per_s))
		return link->configured_bytes_per_s;
	return link->is_saturated ? link->measured_bytes_per_s : 0;
}

uint32_t bandwidth_wanted_moves(const struct engine *engine, const struct link *link)
{
	return (link->n_heads > 1 ? link->n_heads : 1) + engine->options.plan.prestage;
}

/* How long before the link is free its next move is begun: as long as setting one up takes, and a poll. */
int64_t bandwidth_lead_ms(const struct engine *engine)
{
	int64_t setup_ms = engine->setup_ms != 0 ? engine->setup_ms : engine->options.plan.setup_ms;

	return setup_ms * 3 / 2 + engine->options.stats_interval_ms;
}

static uint64_t dirty_rate_of(const struct engine *engine, const struct move *move)
{
	return move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].dirty_rate_bytes_per_s;
}

int64_t bandwidth_left_ms(const struct move *move)
{
	uint64_t remaining = move->stats.memory_remaining_bytes + move->stats.disk_remaining_bytes;
	uint64_t rate = move->rate_bytes_per_s, dirty = move->stats.dirty_rate_bytes_per_s;

	if (move->stats_ms == 0 || rate == 0 || remaining == 0)
		return move->record.planned_duration_ms;
	if (dirty >= rate)
		return TIME_NEVER;
	return (int64_t)(remaining / ((rate - dirty) / 1000 + 1));
}

static void add_to_links(struct engine *engine, const struct move *move, int64_t ms, bool is_setup)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;

		if (link == NULL)
			continue;
		link->n_setup += is_setup;
		link->backlog_ms = ms == TIME_NEVER || link->backlog_ms == TIME_NEVER ? TIME_NEVER : link->backlog_ms + ms;
	}
}

void bandwidth_add_backlog(struct engine *engine, const struct move *move)
{
	add_to_links(engine, move, move->record.planned_duration_ms, true);
}

void bandwidth_backlogs(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_links; i++) {
		engine->links[i].backlog_ms = 0;
		engine->links[i].n_setup = 0;
	}
	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];
		bool is_head = move_state_is_on_wire(move->record.state) && move->granted_bytes_per_s == 0;

		if (!move->is_link_released)
			add_to_links(engine, move, is_head ? bandwidth_left_ms(move) : move->record.planned_duration_ms,
				move->progress_bytes == 0);
	}
}

/* A move that is staged has its copy open, and what its guest writes meanwhile is sent again. So a guest that
 * writes is begun only when the link is about to be free; one that hardly writes may wait
 * staged as long as it takes, ready for whatever happens. */
bool bandwidth_is_due(const struct engine *engine, const struct link *link, const struct move *move)
{
	uint64_t dirty = dirty_rate_of(engine, move);
	uint64_t memory = move->guest == INDEX_NONE ? 0 : engine->inventory->guests[move->guest].memory_bytes;

	if (link->n_active == 0 || link->backlog_ms <= bandwidth_lead_ms(engine))
		return true;
	/* Starting several QEMUs at once makes the first of them late. */
	if (link->n_setup > 0)
		return false;
	if (link->backlog_ms == TIME_NEVER)
		return dirty == 0;
	return dirty * (uint64_t)link->backlog_ms / 1000 <= memory / 50;
}

const char *bandwidth_link_name(const struct engine *engine, uint32_t link, char *buffer, size_t size)
{
	const struct inventory *inventory = engine->inventory;
	size_t shared = engine->n_links - inventory->n_shared_links;
	size_t low = 0, high = inventory->n_hosts;

	if (link >= shared) {
		snprintf(buffer, size, "link %s", inventory->shared_links[link - shared].name);
		return buffer;
	}
	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (engine->loads[middle].first_link <= link)
			low = middle;
		else
			high = middle;
	}
	snprintf(buffer, size, "link of %s (%s)", inventory->hosts[low].name,
		(link - engine->loads[low].first_link) % 2 == 0 ? "out" : "in");
	return buffer;
}

/* Bytes over the wire so far; libvirt counts disks and memory apart. */
static uint64_t sent_bytes(const struct hv_stats *stats)
{
	return stats->disk_processed_bytes + stats->memory_processed_bytes;
}

void bandwidth_sample(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	uint64_t bytes = sent_bytes(stats), rate;
	int64_t elapsed = engine->now_ms - move->sample_ms;

	if (move->sample_ms == 0 || bytes < move->sample_bytes || stats->phase != move->stats.phase) {
		move->sample_ms = engine->now_ms;
		move->sample_bytes = bytes;
		move->steady_samples = 0;
		return;
	}
	if (elapsed < engine->options.stats_interval_ms / 2)
		return;
	rate = (bytes - move->sample_bytes) * 1000 / (uint64_t)elapsed;
	move->rate_bytes_per_s = move->rate_bytes_per_s == 0 ? rate : (move->rate_bytes_per_s + rate) / 2;
	move->sample_ms = engine->now_ms;
	move->sample_bytes = bytes;
	if (move->granted_bytes_per_s != 0 || rate == 0) {
		move->steady_samples = 0;
		return;
	}
	move->steady_samples++;
	if (move->steady_samples >= STEADY_SAMPLES && move->rate_bytes_per_s > move->peak_bytes_per_s)
		move->peak_bytes_per_s = move->rate_bytes_per_s;
	if (move->steady_samples >= STEADY_SAMPLES)
		engine->must_grant = true;
}

void bandwidth_release(struct engine *engine, struct move *move)
{
	size_t i;

	if (move->is_link_released || move->active_at == INDEX_NONE)
		return;
	move->is_link_released = true;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			engine->links[move->links[i]].n_active--;
	engine->must_admit = engine->must_grant = true;
}

static int by_sequence(const void *a, const void *b)
{
	const struct move *x = *(struct move *const *)a, *y = *(struct move *const *)b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Moves whose copy flows, in order of admission. */
static size_t flowing(struct engine *engine, struct move **ret_moves)
{
	size_t i, n = 0;

	for (i = 0; i < engine->n_active; i++) {
		struct move *move = &engine->moves[engine->active[i]];

		if (move_state_is_on_wire(move->record.state) && !move->is_link_released)
			ret_moves[n++] = move;
	}
	if (n > 1)
		qsort(ret_moves, n, sizeof *ret_moves, by_sequence);
	return n;
}

struct link_flow {
	uint64_t total;
	uint64_t best_single;
	uint32_t heads, steady_heads, limited;
};

static void add_flow(const struct engine *engine, struct link_flow *flows, const struct move *move)
{
	size_t i;

	(void)engine;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link_flow *flow;

		if (move->links[i] == INDEX_NONE)
			continue;
		flow = &flows[move->links[i]];
		flow->total += move->rate_bytes_per_s;
		if (!move->is_throttleable || move->is_ending)
			continue;
		flow->heads += move->granted_bytes_per_s == 0;
		flow->steady_heads += move->granted_bytes_per_s == 0 && move->steady_samples >= STEADY_SAMPLES;
		if (move->rate_bytes_per_s > flow->best_single)
			flow->best_single = move->rate_bytes_per_s;
	}
}

static void lower_if_slow(const struct engine *engine, struct link *link, uint64_t total)
{
	if (total >= link->measured_bytes_per_s / 10 * 8) {
		link->low_since_ms = TIME_NEVER;
		return;
	}
	if (link->low_since_ms == TIME_NEVER)
		link->low_since_ms = engine->now_ms;
	if (engine->now_ms - link->low_since_ms < LOW_FOR_MS)
		return;
	link->measured_bytes_per_s = total;
	link->low_since_ms = TIME_NEVER;
}

/* What the flows of now say about a link's capacity. */
static void judge(const struct engine *engine, struct link *link, const struct link_flow *flow)
{
	link->flow_bytes_per_s = flow->total;
	link->n_heads = flow->heads;
	if (flow->heads == 0 || flow->steady_heads < flow->heads)
		return; /* nobody shows yet what the link can do */
	if (flow->heads == 1 && flow->best_single > link->single_bytes_per_s)
		link->single_bytes_per_s = flow->best_single;
	if (flow->total > link->measured_bytes_per_s)
		link->measured_bytes_per_s = flow->total;
	if (flow->heads >= 2 && link->single_bytes_per_s != 0 && !link->is_saturated &&
		flow->total < link->single_bytes_per_s / 100 * 115 * (flow->heads - 1))
		link->is_saturated = true;
	if (link->is_saturated)
		lower_if_slow(engine, link, flow->total);
}

/* A rate says something only about the company it was measured in. */
static void note_company(const struct engine *engine, struct move *move)
{
	uint32_t heads = 0;
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE)
			heads += engine->links[move->links[i]].n_heads << (8 * i);
	if (heads != move->company)
		move->steady_samples = 0;
	move->company = heads;
}

/* A head that had all its links to itself shows what one stream carries there. */
static void note_alone(const struct engine *engine, struct move *move)
{
	size_t i;

	if (move->granted_bytes_per_s != 0 || move->steady_samples < STEADY_SAMPLES || move->is_ending)
		return;
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && engine->links[move->links[i]].n_heads != 1)
			return;
	move->alone_bytes_per_s = move->rate_bytes_per_s;
}

/* What is left of a move's links after those before it; capped by nothing when unknown. */
static uint64_t left_for(const struct engine *engine, const struct move *move, const uint64_t *used,
	bool *ret_is_configured, uint64_t *ret_capacity)
{
	uint64_t left = RATE_HUGE;
	size_t i;

	*ret_is_configured = false;
	*ret_capacity = RATE_HUGE;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		const struct link *link;
		uint64_t capacity, rest;

		if (move->links[i] == INDEX_NONE)
			continue;
		link = &engine->links[move->links[i]];
		capacity = bandwidth_capacity(link);
		if (capacity == 0)
			capacity = RATE_HUGE;
		rest = used[move->links[i]] < capacity ? capacity - used[move->links[i]] : 0;
		if (rest < left)
			left = rest;
		if (capacity < *ret_capacity)
			*ret_capacity = capacity;
		*ret_is_configured |= link->configured_bytes_per_s != 0;
	}
	return left;
}

/* What this move's copy can carry when nothing else is on its links; huge when nobody has shown it yet. */
static uint64_t stream_of(const struct engine *engine, const struct move *move)
{
	uint64_t stream = RATE_HUGE;
	size_t i;

	if (move->alone_bytes_per_s != 0)
		return move->alone_bytes_per_s;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		uint64_t single = move->links[i] != INDEX_NONE ? engine->links[move->links[i]].single_bytes_per_s : 0;

		if (single != 0 && single < stream)
			stream = single;
	}
	return stream;
}

static void grant_one(struct engine *engine, struct move *move, uint64_t *used)
{
	uint64_t trickle = engine->options.prestage_rate_bytes_per_s;
	bool is_configured;
	uint64_t capacity, left = left_for(engine, move, used, &is_configured, &capacity);
	uint64_t own = move->max_rate_bytes_per_s != 0 ? move->max_rate_bytes_per_s : RATE_HUGE;
	uint64_t takes, granted;
	size_t i;

	/* A fifth of the link is worth a second head; less is measuring noise. */
	if (left < capacity / 5 && left < RATE_HUGE) {
		granted = trickle;
		takes = trickle;
	} else {
		/* What it would take alone, not what it gets beside others: a rate that is small
		 * because the link is shared must not make room for one more to share it. */
		/* While a capacity is being looked for, one head more at a time. */
		takes = capacity < RATE_HUGE || move->steady_samples >= STEADY_SAMPLES ? stream_of(engine, move) : left;
		if (takes > left)
			takes = left;
		granted = is_configured ? left : 0;
		if (own < RATE_HUGE && (granted == 0 || granted > own))
			granted = own;
		if (takes > own)
			takes = own;
	}
	for (i = 0; i < LINKS_OF_MOVE; i++)
		if (move->links[i] != INDEX_NONE && !move->is_ending)
			used[move->links[i]] += takes < RATE_HUGE ? takes : RATE_HUGE;
	if (granted != move->granted_bytes_per_s)
		move->steady_samples = 0;
	move->granted_bytes_per_s = granted;
}

/* Small corrections are not worth a call to the host. */
static bool differs(uint64_t a, uint64_t b)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;

	return a != b && (low == 0 || high - low > high / 20);
}

static void send_rate(struct engine *engine, struct move *move)
{
	if (!engine->options.throttle || !move->is_throttleable || move->pending[HV_SET_RATE] != 0 ||
		!differs(move->granted_bytes_per_s, move->sent_bytes_per_s))
		return;
	if (move->record.state == MOVE_COPYING_DISKS && !move->disks_can_be_throttled)
		return;
	move_request(engine, move, HV_SET_RATE, SIDE_SOURCE)->rate_bytes_per_s = move->granted_bytes_per_s;
	move->sent_bytes_per_s = move->granted_bytes_per_s;
}

void bandwidth_grant(struct engine *engine)
{
	struct move **moves = xcalloc(engine->n_active, sizeof *moves);
	struct link_flow *flows = xcalloc(engine->n_links, sizeof *flows);
	uint64_t *used = xcalloc(engine->n_links, sizeof *used);
	size_t n = flowing(engine, moves), i;

	for (i = 0; i < n; i++)
		add_flow(engine, flows, moves[i]);
	for (i = 0; i < engine->n_links; i++)
		judge(engine, &engine->links[i], &flows[i]);
	for (i = 0; i < n; i++) {
		note_company(engine, moves[i]);
		note_alone(engine, moves[i]);
	}
	for (i = 0; i < n; i++)
		grant_one(engine, moves[i], used);
	for (i = 0; i < n; i++)
		send_rate(engine, moves[i]);
	free(moves);
	free(flows);
	free(used);
}

void bandwidth_learn(struct engine *engine, struct move *move)
{
	struct path_rate *path = NULL;
	size_t i;

	if (move->peak_bytes_per_s == 0)
		return; /* it never ran unthrottled long enough to say anything */
	for (i = 0; i < engine->n_paths && path == NULL; i++)
		if (strcmp(engine->paths[i].source, move->record.source) == 0 &&
			strcmp(engine->paths[i].target, move->record.target) == 0)
			path = &engine->paths[i];
	if (path == NULL) {
		engine->paths = xgrow(engine->paths, engine->n_paths, sizeof *engine->paths);
		path = &engine->paths[engine->n_paths++];
		*path = (struct path_rate){0};
		snprintf(path->source, sizeof path->source, "%s", move->record.source);
		snprintf(path->target, sizeof path->target, "%s", move->record.target);
	}
	path->memory_bytes_per_s = path->memory_bytes_per_s == 0 ? move->peak_bytes_per_s :
		(3 * path->memory_bytes_per_s + move->peak_bytes_per_s) / 4;
	path->samples++;
	path->updated_wall_ms = engine->wall_ms;
	engine_add_extra(engine, STORE_PUT_PATH)->path = *path;
}
