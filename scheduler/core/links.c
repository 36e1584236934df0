/* Links: one for each direction of a host's link and one for each shared link; what each can carry,
 * who else uses it, and how much of it the moves may have.
 *
 * The figure is what flowed, not what is written anywhere: as long as the moves on a link run as fast as they can, their sum
 * is what the link has for them. It grows with every better sample and falls when the flow stays low for LOW_FOR_MS:
 * then the link was narrowed, or others use it. One slow move may be slowed at its other end; what it leaves goes to
 * a second one (bandwidth.c), and only when the sum stays low with both is it this link. Where a host's counters are read (traffic_command), what others send is
 * known and taken off; otherwise it shows as such a fall.
 *
 * The ceiling is what moves may have at most: the rate of the link without its reserve or what others send, whichever is more,
 * and never more than the operator's limit of now. It binds the grants; what was measured only decides who gets them,
 * so that a link which gets faster again shows it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "engine_impl.h"
#include "network.h"
#include "xalloc.h"

enum {
	CORRECTION_PARTS = 8,    /* of what is too much of a capacity, at each grant that tells of it */
	LOW_FOR_MS = 1000,       /* a capacity is lowered only after the flow was low for so long */
	PROBE_EVERY_MS = 10000,  /* a measured link of which a share is reserved shows only without a bound that it is faster again */
	PROBE_FOR_MS = 1500,
	COUNTERS_STALE_MS = 5000, /* older counters say nothing of now */
	OWN_SHARE_PARTS = 10,    /* a tenth of a link stays with the moves, or they would never end */
	PROTOCOL_PERCENT = 106,  /* bytes on the wire for 100 of a migration: TCP, IP and Ethernet headers */
};

static uint32_t links_of_host(const struct host *host)
{
	return host->n_links > 0 ? (uint32_t)host->n_links : 1;
}

static void init_host_link(const struct inventory *inventory, uint32_t host, uint32_t at, struct link *link)
{
	link->host = host;
	link->network = network_of_link(inventory, host, at);
	link->reserve_percent = link->network != INDEX_NONE ? inventory->networks[link->network].reserve_percent : 0;
	if (at < inventory->hosts[host].n_links)
		link->nominal_bytes_per_s = inventory->hosts[host].links[at].rate_bytes_per_s;
	if (link->network != INDEX_NONE)
		link->nominal_bytes_per_s = min_limit(link->nominal_bytes_per_s, inventory->networks[link->network].rate_bytes_per_s);
}

void links_init(struct engine *engine)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t n = 0, i, j;

	engine->loads = xcalloc(inventory->n_hosts, sizeof *engine->loads);
	for (i = 0; i < inventory->n_hosts; i++) {
		engine->loads[i].first_link = n;
		engine->loads[i].down_since_ms = inventory->hosts[i].reachable ? TIME_NEVER : 0;
		n += 2 * links_of_host(&inventory->hosts[i]);
	}
	engine->n_links = n + inventory->n_shared_links;
	engine->links = xcalloc(engine->n_links, sizeof *engine->links);
	for (i = 0; i < inventory->n_hosts; i++)
		for (j = 0; j < 2 * links_of_host(&inventory->hosts[i]); j++)
			init_host_link(inventory, i, j / 2, &engine->links[engine->loads[i].first_link + j]);
	for (i = 0; i < inventory->n_shared_links; i++)
		engine->links[n + i] = (struct link){
			.host = INDEX_NONE,
			.network = INDEX_NONE,
			.nominal_bytes_per_s = inventory->shared_links[i].rate_bytes_per_s,
		};
	for (i = 0; i < engine->n_links; i++) {
		engine->links[i].low_since_ms = TIME_NEVER;
		engine->links[i].waiting = (struct waiting_list){INDEX_NONE, INDEX_NONE};
		engine->links[i].waiting_at = engine->links[i].watched_at = INDEX_NONE;
	}
	engine->waiting_links = xcalloc(engine->n_links, sizeof *engine->waiting_links);
	engine->watched = xcalloc(engine->n_links, sizeof *engine->watched);
}

static bool is_behind(const struct shared_link *link, const char *host)
{
	size_t i;

	for (i = 0; i < link->n_hosts; i++)
		if (strcmp(link->hosts[i], host) == 0)
			return true;
	return false;
}

void links_of_move(struct engine *engine, struct move *move)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t source_link = INDEX_NONE, target_link = INDEX_NONE;
	size_t i, n = 2;

	for (i = 0; i < LINKS_OF_MOVE; i++)
		move->links[i] = INDEX_NONE;
	move->network = INDEX_NONE;
	if (move->source == INDEX_NONE || move->target == INDEX_NONE || cold_is_in_place(move))
		return;
	if (path_choose(engine, move, &move->network, &source_link, &target_link) && move->network != INDEX_NONE &&
		(move->record.network == NULL || strcmp(move->record.network, inventory->networks[move->network].name) != 0)) {
		if (move->record.network != NULL)
			move_touch(engine, move);
		free(move->record.network);
		move->record.network = xstrdup(inventory->networks[move->network].name);
	}
	move->links[0] = engine->loads[move->source].first_link + 2 * (source_link == INDEX_NONE ? 0 : source_link);
	move->links[1] = engine->loads[move->target].first_link + 2 * (target_link == INDEX_NONE ? 0 : target_link) + 1;
	for (i = 0; i < inventory->n_shared_links && n < LINKS_OF_MOVE; i++)
		if (is_behind(&inventory->shared_links[i], inventory->hosts[move->source].name) !=
			is_behind(&inventory->shared_links[i], inventory->hosts[move->target].name))
			move->links[n++] = (uint32_t)(engine->n_links - inventory->n_shared_links + i);
}

const char *links_name(const struct engine *engine, uint32_t at, char *buffer, size_t size)
{
	const struct inventory *inventory = engine->inventory;
	const struct link *link = &engine->links[at];

	if (link->host == INDEX_NONE)
		snprintf(buffer, size, "link %s", inventory->shared_links[at - (engine->n_links - inventory->n_shared_links)].name);
	else
		snprintf(buffer, size, "link of %s (%s)", inventory->hosts[link->host].name,
			(at - engine->loads[link->host].first_link) % 2 == 0 ? "out" : "in");
	return buffer;
}

/* ---- how much the moves may have ---- */

static bool is_probing(const struct engine *engine, const struct link *link)
{
	return link->probe_ms != 0 && engine->now_ms >= link->probe_ms && engine->now_ms < link->probe_ms + PROBE_FOR_MS;
}

static uint64_t others_on(const struct engine *engine, const struct link *link)
{
	bool is_known = link->counter_ms != 0 && engine->now_ms - link->counter_ms < COUNTERS_STALE_MS;

	return is_known ? link->others_bytes_per_s : 0;
}

uint64_t links_ceiling(const struct engine *engine, const struct link *link)
{
	uint64_t others = others_on(engine, link), whole = link->nominal_bytes_per_s, kept, room = 0;

	if (whole == 0 && (link->reserve_percent > 0 || others > 0) && !is_probing(engine, link))
		whole = link->measured_bytes_per_s;
	if (whole != 0) {
		kept = max_u64(mul_div(whole, link->reserve_percent, 100), others);
		room = kept < whole - whole / OWN_SHARE_PARTS ? whole - kept : whole / OWN_SHARE_PARTS;
	}
	return min_limit(room, link->limit_bytes_per_s);
}

bool links_is_strict(const struct engine *engine, const struct link *link)
{
	return link->limit_bytes_per_s != 0 || link->reserve_percent > 0 || others_on(engine, link) > 0;
}

uint64_t links_capacity(const struct engine *engine, const struct link *link)
{
	uint64_t others = others_on(engine, link), measured = link->measured_bytes_per_s;
	uint64_t ceiling = links_ceiling(engine, link);

	if (!link->is_saturated)
		return ceiling;
	return min_limit(ceiling, measured > others ? measured - others : 1);
}

const char *links_bound(const struct engine *engine, const struct link *link, char *buffer, size_t size)
{
	uint64_t others = others_on(engine, link);

	buffer[0] = '\0';
	if (link->limit_bytes_per_s != 0 && links_ceiling(engine, link) == link->limit_bytes_per_s)
		snprintf(buffer, size, ", by throttle --rate");
	else if (others > mul_div(link->nominal_bytes_per_s, link->reserve_percent, 100) && others > 0)
		snprintf(buffer, size, ", beside %.1f MB/s of others", (double)others / 1e6);
	else if (link->reserve_percent > 0)
		snprintf(buffer, size, ", with %u %% kept free", link->reserve_percent);
	return buffer;
}

/* ---- what they show ---- */

static void audit_change(struct engine *engine, const struct link *link, uint64_t before)
{
	char name[NAME_BYTES_MAX + 32];

	engine_audit(engine, NULL, NULL, "", "", "%s carries %.1f MB/s, %.1f MB/s before",
		links_name(engine, (uint32_t)(link - engine->links), name, sizeof name),
		(double)link->measured_bytes_per_s / 1e6, (double)before / 1e6);
	engine->must_admit = true;
}

/* Low against what flowed before, as far as it was allowed to flow. */
static bool is_low(const struct link *link, uint64_t total, uint64_t allowed)
{
	uint64_t expected = link->measured_bytes_per_s < allowed ? link->measured_bytes_per_s : allowed;

	return total < expected / 10 * 8;
}

/* Is it this link that holds its moves back, and not another one? */
static bool is_telling(const struct link *link)
{
	const struct link_flow *flow = &link->flow;

	return (flow->heads >= 2 || link->wide_bytes_per_s != 0) && flow->elsewhere < flow->heads;
}

static void fall_if_low(struct engine *engine, struct link *link, uint64_t total)
{
	uint64_t before = link->measured_bytes_per_s;

	if (!is_low(link, total, link->flow.allowed)) {
		link->low_since_ms = TIME_NEVER;
		return;
	}
	if (link->low_since_ms == TIME_NEVER)
		link->low_since_ms = engine->now_ms;
	if (engine->now_ms - link->low_since_ms < LOW_FOR_MS || !is_telling(link))
		return;
	if (link->wide_bytes_per_s == 0)
		link->wide_bytes_per_s = before;
	link->measured_bytes_per_s = total;
	link->is_saturated = true;
	if (link->single_bytes_per_s > total)
		link->single_bytes_per_s = total;
	link->low_since_ms = TIME_NEVER;
	link->probe_ms = engine->now_ms + PROBE_EVERY_MS;
	audit_change(engine, link, before);
}

/* A link that had fallen carries about what it did before. */
static void note_recovery(struct engine *engine, struct link *link, uint64_t before)
{
	if (link->wide_bytes_per_s == 0 || link->measured_bytes_per_s < link->wide_bytes_per_s / 10 * 8)
		return;
	link->wide_bytes_per_s = 0;
	link->is_saturated = false; /* whether one stream fills it is looked at anew */
	link->probe_ms = 0;
	audit_change(engine, link, before);
}

bool links_is_full(const struct engine *engine, const struct link *link)
{
	uint64_t capacity = links_capacity(engine, link);

	return link->flow.heads >= 2 && capacity != 0 && link->flow.total >= capacity / 10 * 9;
}

static void judge(struct engine *engine, struct link *link)
{
	const struct link_flow *flow = &link->flow;
	uint64_t total = flow->total + others_on(engine, link), before = link->measured_bytes_per_s;

	if (link->probe_ms != 0 && engine->now_ms >= link->probe_ms + PROBE_FOR_MS)
		link->probe_ms = engine->now_ms + PROBE_EVERY_MS;
	if (flow->heads == 0 || flow->steady_heads < flow->heads)
		return; /* nobody shows yet what the link can do */
	if (total > link->measured_bytes_per_s)
		link->measured_bytes_per_s = total;
	/* The most that was ever seen is more than what is carried: several that are as fast as they can correct it. */
	else if (link->is_saturated && flow->heads >= 2 && is_telling(link) && flow->allowed >= link->measured_bytes_per_s &&
		!is_low(link, total, flow->allowed))
		link->measured_bytes_per_s -= (link->measured_bytes_per_s - total) / CORRECTION_PARTS;
	if (flow->heads >= 2 && link->single_bytes_per_s != 0 && !link->is_saturated &&
		flow->total < link->single_bytes_per_s / 100 * 115 * (flow->heads - 1))
		link->is_saturated = true;
	fall_if_low(engine, link, total);
	note_recovery(engine, link, before);
}

void links_judge(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_watched; i++)
		judge(engine, &engine->links[engine->watched[i]]);
}

void links_watch(struct engine *engine, const struct move *move)
{
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;

		if (link == NULL || link->watched_at != INDEX_NONE)
			continue;
		link->watched_at = (uint32_t)engine->n_watched;
		engine->watched[engine->n_watched++] = move->links[i];
	}
}

void links_forget(struct engine *engine)
{
	size_t i, n = 0;

	for (i = 0; i < engine->n_watched; i++) {
		struct link *link = &engine->links[engine->watched[i]];
		bool is_needed = link->flow.n_moves > 0 || link->probe_ms != 0;

		link->watched_at = is_needed ? (uint32_t)n : INDEX_NONE;
		if (is_needed)
			engine->watched[n++] = engine->watched[i];
	}
	engine->n_watched = n;
}

static void count(struct engine *engine, struct link *link, uint64_t bytes)
{
	int64_t passed_ms = engine->now_ms - link->counter_ms;
	uint64_t all, own, others;

	if (link->counter_ms != 0 && passed_ms <= 0)
		return;
	if (link->counter_ms != 0 && passed_ms < COUNTERS_STALE_MS && bytes >= link->counter_bytes) {
		all = mul_div(bytes - link->counter_bytes, 1000, (uint64_t)passed_ms);
		own = mul_div(mul_div(link->own_bytes, PROTOCOL_PERCENT, 100), 1000, (uint64_t)passed_ms);
		others = all > own + all / 20 ? all - own : 0;
		link->others_bytes_per_s = (link->others_bytes_per_s + others) / 2;
		engine->must_grant = true;
	} else {
		link->others_bytes_per_s = 0;
	}
	link->counter_ms = engine->now_ms;
	link->own_bytes = 0;
	link->counter_bytes = bytes;
}

void links_count(struct engine *engine, uint32_t host, const struct hv_note *note)
{
	struct link *links = &engine->links[engine->loads[host].first_link];

	if (note->link >= links_of_host(&engine->inventory->hosts[host]))
		return;
	count(engine, &links[2 * note->link], note->sent_bytes);
	count(engine, &links[2 * note->link + 1], note->received_bytes);
}

/* ---- the operator's limits of now ---- */

static bool is_meant(const struct engine *engine, const struct link *link, const struct limit *limit)
{
	if (limit->kind != LIMIT_RATE)
		return false;
	if (limit->host[0] != '\0')
		return link->host != INDEX_NONE && strcmp(engine->inventory->hosts[link->host].name, limit->host) == 0;
	if (limit->network[0] != '\0')
		return link->network != INDEX_NONE && strcmp(engine->inventory->networks[link->network].name, limit->network) == 0;
	return link->host != INDEX_NONE;
}

void links_limit(struct engine *engine)
{
	size_t i, k;

	for (i = 0; i < engine->n_links; i++) {
		engine->links[i].limit_bytes_per_s = 0;
		for (k = 0; k < engine->n_limits; k++)
			if (is_meant(engine, &engine->links[i], &engine->limits[k]))
				engine->links[i].limit_bytes_per_s =
					min_limit(engine->links[i].limit_bytes_per_s, engine->limits[k].value);
	}
}

/* ---- views ---- */

size_t engine_n_links(const struct engine *engine)
{
	return engine->n_links;
}

void engine_link_live(const struct engine *engine, size_t i, struct link_live *ret_live)
{
	const struct link *link = &engine->links[i];

	*ret_live = (struct link_live){
		.capacity_bytes_per_s = links_capacity(engine, link) != 0 ? links_capacity(engine, link) : link->measured_bytes_per_s,
		.flow_bytes_per_s = link->n_active > 0 ? link->flow.total : 0,
		.others_bytes_per_s = others_on(engine, link),
		.limit_bytes_per_s = link->limit_bytes_per_s,
		.n_moves = link->n_active,
		.n_heads = link->n_active > 0 ? link->flow.heads : 0,
	};
	links_name(engine, (uint32_t)i, ret_live->name, sizeof ret_live->name);
}
