/* Admission: decides which waiting moves may start now. Configured slots bind (hard), and
 * bandwidth binds as measured: a link takes the heads that fill it and a few moves
 * staged behind them, whose setup is thereby hidden. Pure: same state, same answer.
 *
 * Every refusal is a reason with both numbers; the views ask the same function
 * again, so "why does it wait" is true at every moment.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine_impl.h"
#include "xalloc.h"

static uint32_t limit_of(uint32_t host_limit, uint32_t scheduler_limit)
{
	return host_limit != 0 ? host_limit : scheduler_limit;
}

void admission_count(struct engine *engine, struct move *move, int by)
{
	uint32_t storage = move->record.kind != MOVE_SHARED ? (uint32_t)by : 0;
	size_t i;

	/* What is shut down or started in its place uses no link and no migration of its libvirtd. */
	if (cold_is_in_place(move))
		return;
	if (by < 0 && move->is_slot_released)
		goto links;
	engine->n_moving += (uint32_t)by;
	if (move->source != INDEX_NONE) {
		engine->loads[move->source].outgoing += (uint32_t)by;
		engine->loads[move->source].outgoing_storage += storage;
	}
	if (move->target != INDEX_NONE) {
		engine->loads[move->target].incoming += (uint32_t)by;
		engine->loads[move->target].incoming_storage += storage;
	}
links:
	if (by < 0 && move->is_link_released)
		return;
	for (i = 0; i < LINKS_OF_MOVE; i++) {
		struct link *link = move->links[i] != INDEX_NONE ? &engine->links[move->links[i]] : NULL;

		if (link == NULL)
			continue;
		if (link->n_active == 0)
			bandwidth_clear_backlog(link); /* of those who have left it: nobody has counted since */
		link->n_active += (uint32_t)by;
	}
}

static bool slots_free(const char *host, const char *what, uint32_t used, uint32_t limit, enum error_code code,
	struct error *why)
{
	if (limit == 0 || used < limit)
		return true;
	return error_set(why, code, "host %s has %u %s, of %u allowed", host, used, what, limit);
}

static bool source_slots(const struct engine *engine, const struct move *move, struct error *why)
{
	const struct engine_options *options = &engine->options;
	const struct host *host = &engine->inventory->hosts[move->source];
	const struct host_load *load = &engine->loads[move->source];

	if (!host->outgoing)
		return error_set(why, ERR_WAIT_OUTGOING, "host %s gives no guests away now (outgoing = no)", host->name);
	return slots_free(host->name, "outgoing moves", load->outgoing, limit_of(host->max_outgoing, options->max_outgoing),
			ERR_WAIT_SLOTS_SOURCE, why) &&
		(move->record.kind == MOVE_SHARED ||
			slots_free(host->name, "outgoing moves with disks", load->outgoing_storage,
				limit_of(host->max_outgoing_storage, options->max_outgoing_storage),
				ERR_WAIT_SLOTS_SOURCE, why)) &&
		slots_free(host->name, "moves for its libvirtd to serve", load->outgoing + load->incoming,
			options->workers_per_host, ERR_WAIT_SLOTS_SOURCE, why);
}

static bool target_slots(const struct engine *engine, const struct move *move, struct error *why)
{
	const struct engine_options *options = &engine->options;
	const struct host *host = &engine->inventory->hosts[move->target];
	const struct host_load *load = &engine->loads[move->target];

	return slots_free(host->name, "incoming moves", load->incoming, limit_of(host->max_incoming, options->max_incoming),
			ERR_WAIT_SLOTS_TARGET, why) &&
		(move->record.kind == MOVE_SHARED ||
			slots_free(host->name, "incoming moves with disks", load->incoming_storage,
				limit_of(host->max_incoming_storage, options->max_incoming_storage),
				ERR_WAIT_SLOTS_TARGET, why)) &&
		slots_free(host->name, "moves for its libvirtd to serve", load->outgoing + load->incoming,
			options->workers_per_host, ERR_WAIT_SLOTS_TARGET, why);
}

static bool total_slots(const struct engine *engine, struct error *why)
{
	uint32_t limit = engine->options.max_migrations;

	if (limit != 0 && engine->n_moving >= limit)
		return error_set(why, ERR_WAIT_SLOTS_TOTAL, "%u move%s, of %u that max_migrations allows",
			engine->n_moving, engine->n_moving == 1 ? " runs" : "s run", limit);
	if (engine->n_active >= ACTIVE_MAX)
		return error_set(why, ERR_WAIT_SLOTS_TOTAL, "%zu moves are under way, the most that one drover follows",
			engine->n_active);
	return true;
}

/* Most moves wait for links, and telling why would be nearly all that a pass costs: the text is made for who reads it. */
static bool links_free(const struct engine *engine, const struct move *move, bool with_text, struct error *why)
{
	static const enum error_code codes[LINKS_OF_MOVE] = {
		ERR_WAIT_BANDWIDTH_SOURCE, ERR_WAIT_BANDWIDTH_TARGET, ERR_WAIT_BANDWIDTH_SHARED, ERR_WAIT_BANDWIDTH_SHARED,
	};
	size_t i;

	for (i = 0; i < LINKS_OF_MOVE; i++) {
		const struct link *link;
		char name[300], bound[80];
		uint64_t capacity;
		uint32_t wanted;

		if (move->links[i] == INDEX_NONE)
			continue;
		link = &engine->links[move->links[i]];
		wanted = bandwidth_wanted_moves(engine, link);
		if (link->n_active < wanted && (!engine->options.throttle || bandwidth_is_due(engine, link, move)))
			continue;
		if (!with_text) {
			why->code = codes[i];
			return false;
		}
		capacity = links_capacity(engine, link);
		links_name(engine, move->links[i], name, sizeof name);
		if (capacity == 0)
			return error_set(why, codes[i], "%s: %.1f MB/s flow on it now (moves: %u), and what it can carry is still being measured",
				name, (double)link->flow.total / 1e6, link->n_active);
		return error_set(why, codes[i], "%s: %.1f MB/s flow on it now (moves: %u), of the %.1f MB/s it can carry%s", name,
			(double)link->flow.total / 1e6, link->n_active, (double)capacity / 1e6,
			links_bound(engine, link, bound, sizeof bound));
	}
	return true;
}

static bool batch_allows(const struct engine *engine, const struct move *move, struct error *why)
{
	const struct batch *batch = &engine->batches[move->batch];

	if (engine->is_stopping)
		return error_set(why, ERR_WAIT_STOPPING, "drover is stopping");
	if (batch->record.state == BATCH_PAUSED)
		return error_set(why, ERR_WAIT_PAUSED, "batch %llu is paused", (unsigned long long)batch->record.id);
	if (move->retry_ms > engine->now_ms)
		return error_set(why, ERR_WAIT_RETRY, "attempt %u begins in %.1f s; the last one: %s",
			move->record.attempts + 1, (double)(move->retry_ms - engine->now_ms) / 1000,
			move->record.error.message);
	if (move->not_before_wall_ms > engine->wall_ms)
		return error_set(why, ERR_WAIT_NOT_BEFORE, "it may start in %.0f s",
			(double)(move->not_before_wall_ms - engine->wall_ms) / 1000);
	if (move->after != INDEX_NONE && !move_state_is_end(engine->moves[move->after].record.state))
		return error_set(why, ERR_WAIT_DEPENDENCY, "guest %s must leave %s first",
			engine->moves[move->after].record.guest, engine->moves[move->after].record.source);
	return true;
}

static bool hosts_answer(const struct engine *engine, const struct move *move, struct error *why)
{
	const struct host *source = &engine->inventory->hosts[move->source];
	const struct host *target = &engine->inventory->hosts[move->target];
	const struct host *down = !source->reachable ? source : !target->reachable ? target : NULL;

	if (down != NULL)
		return error_set(why, ERR_WAIT_HOST, "host %s does not answer: %s", down->name, down->down.message);
	return true;
}

static bool group_allows(const struct engine *engine, const struct move *move, struct error *why)
{
	return planner_group_allows(engine->inventory, engine->ledger, move->guest, why);
}

/* Room that only other moves can make is waited for under the name of the wait. */
static bool room_there(const struct engine *engine, const struct move *move, struct error *why)
{
	if (planner_fits(engine->inventory, engine->ledger, move->guest, move->target, move_request_of(engine, move),
		    move_wanted(engine, move), true, why))
		return true;
	if (why->code == ERR_TARGET_MEMORY || why->code == ERR_TARGET_CPU)
		why->code = ERR_WAIT_MEMORY;
	else if (why->code == ERR_TARGET_POOL_SPACE)
		why->code = ERR_WAIT_POOL;
	else if (why->code == ERR_RULE_ANTI_AFFINITY || why->code == ERR_RULE_AFFINITY)
		why->code = ERR_WAIT_RULE;
	return false;
}

/* Cheapest tests first: this is asked for every waiting move whenever something becomes free. */
static bool check(const struct engine *engine, const struct move *move, bool with_text, struct error *why)
{
	if (!legs_allow(engine, move, why))
		return false;
	if (move->guest == INDEX_NONE || move->source == INDEX_NONE || move->target == INDEX_NONE)
		return error_set(why, ERR_WAIT_HOST, "host %s has not answered since drover was started",
			move->record.source);
	if (cold_is_in_place(move))
		return batch_allows(engine, move, why) && hosts_answer(engine, move, why);
	return batch_allows(engine, move, why) && total_slots(engine, why) && source_slots(engine, move, why) &&
		target_slots(engine, move, why) && hosts_answer(engine, move, why) && links_free(engine, move, with_text, why) &&
		group_allows(engine, move, why) && room_there(engine, move, why);
}

bool admission_check(const struct engine *engine, const struct move *move, struct error *ret_why)
{
	struct error scratch;

	return check(engine, move, true, ret_why != NULL ? ret_why : &scratch);
}

static bool is_capacity(enum error_code code)
{
	return code == ERR_WAIT_MEMORY || code == ERR_WAIT_POOL || code == ERR_WAIT_RULE || code == ERR_WAIT_HOST ||
		(code >= ERR_HOST_UNREACHABLE && code <= ERR_RULE_NEVER_ON);
}

/* The target cannot take it now. When nothing under way could change that, another
 * target is looked for; a move never waits for something that cannot happen. */
static void replace_or_fail(struct engine *engine, struct move *move, const struct error *why)
{
	const struct wanted_move *wanted = move_wanted(engine, move);
	struct error none = *why; /* why it ends, if it does: a refusal, not a wait */
	uint32_t other = INDEX_NONE;

	legs_exclude(engine, move);
	if (wanted == NULL || wanted->to == NULL)
		other = planner_place(engine->inventory, engine->ledger, move->guest, move_request_of(engine, move), wanted,
			move->excluded, &none);
	else
		planner_fits(engine->inventory, engine->ledger, move->guest, move->target, move_request_of(engine, move), wanted, true, &none);
	if (other != INDEX_NONE && other != move->target) {
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s: target %s instead of %s: %s",
			move->record.guest, engine->inventory->hosts[other].name, move->record.target, why->message);
		move_set_target(engine, move, other);
		engine->must_admit = true;
	} else if (other == INDEX_NONE && engine->n_active == 0) {
		if (why->code == ERR_WAIT_HOST) {
			none = *why;
			none.code = ERR_HOST_UNREACHABLE;
		}
		move_end(engine, move, MOVE_FAILED, &none);
	}
}

static bool is_host_given_up(const struct engine *engine, const struct move *move)
{
	uint32_t sides[SIDES] = {move->source, move->target};
	size_t i;

	for (i = 0; i < SIDES; i++)
		if (sides[i] != INDEX_NONE && engine->loads[sides[i]].down_since_ms != TIME_NEVER &&
			engine->now_ms - engine->loads[sides[i]].down_since_ms >= engine->options.host_down_ms)
			return true;
	return false;
}

static void wake_at(struct engine *engine, int64_t at_ms)
{
	if (at_ms > engine->now_ms && at_ms < engine->next_retry_ms)
		engine->next_retry_ms = at_ms;
}

/* Its host was silent when drover was started, so nothing of the guest is known in this life but its name. */
static void refuse_unknown(struct engine *engine, struct move *move, struct error *why)
{
	const struct move *first = legs_first_of(engine, move);
	const char *source = move->record.source, *silent = first != NULL ? first->record.source : source;

	wake_at(engine, engine->now_ms + 1000);
	if (move->source == INDEX_NONE || move->target == INDEX_NONE) {
		error_set(why, ERR_UNKNOWN_HOST, "guest %s: host %s is not configured any more", move->record.guest,
			move->source == INDEX_NONE ? source : move->record.target);
		move_end(engine, move, MOVE_FAILED, why);
	} else if (engine->inventory->hosts[move->source].reachable) {
		error_set(why, ERR_UNKNOWN_GUEST, "guest %s: host %s did not answer when drover was started", move->record.guest, silent);
		error_hint(why, "the host answers now: ask for the move again");
		move_end(engine, move, MOVE_FAILED, why);
	} else if (is_host_given_up(engine, move)) {
		why->code = ERR_HOST_UNREACHABLE;
		move_end(engine, move, MOVE_FAILED, why);
	}
}

static void refused(struct engine *engine, struct move *move, struct error *why)
{
	if (legs_are_broken(engine, move)) {
		legs_end(engine, move);
		return;
	}
	if (why->code == ERR_WAIT_DEPENDENCY)
		return;
	if (move->guest == INDEX_NONE || move->source == INDEX_NONE || move->target == INDEX_NONE) {
		refuse_unknown(engine, move, why);
		return;
	}
	if (why->code == ERR_WAIT_RETRY) {
		wake_at(engine, move->retry_ms);
	} else if (why->code == ERR_WAIT_NOT_BEFORE) {
		wake_at(engine, engine->now_ms + (move->not_before_wall_ms - engine->wall_ms));
	} else if (why->code == ERR_WAIT_HOST) {
		bool is_target_down = move->target != INDEX_NONE && !engine->inventory->hosts[move->target].reachable &&
			move->source != INDEX_NONE && engine->inventory->hosts[move->source].reachable;

		wake_at(engine, engine->now_ms + 1000);
		if (is_target_down)
			replace_or_fail(engine, move, why);
		else if (is_host_given_up(engine, move)) {
			why->code = ERR_HOST_UNREACHABLE;
			move_end(engine, move, MOVE_FAILED, why);
		}
	} else if (is_capacity(why->code)) {
		replace_or_fail(engine, move, why);
	}
}

static void begin(struct engine *engine, struct move *move)
{
	run_begin(engine, move);
	bandwidth_add_backlog(engine, move);
}

/* ---- a pass ---- */

/* A pass goes through the lists of the links in the order of the plan: a heap of the next move of each. */
struct pass {
	uint32_t *next; /* in engine->moves; the earliest stands first */
	size_t n;
};

static void sink(struct pass *pass, size_t i)
{
	for (;;) {
		size_t least = i, k;
		uint32_t held = pass->next[i];

		for (k = 2 * i + 1; k <= 2 * i + 2 && k < pass->n; k++)
			if (pass->next[k] < pass->next[least])
				least = k;
		if (least == i)
			return;
		pass->next[i] = pass->next[least];
		pass->next[least] = held;
		i = least;
	}
}

/* No move at all could leave by this link now. One whose host is silent is not shut: what becomes of its moves is decided one by one. */
static bool is_shut(const struct engine *engine, const struct link *link)
{
	static const struct move quietest = {.guest = INDEX_NONE}; /* it writes nothing: if this one is not due, none is */
	const struct host *host = &engine->inventory->hosts[link->host];
	const struct host_load *load = &engine->loads[link->host];
	uint32_t limit = limit_of(host->max_outgoing, engine->options.max_outgoing), workers = engine->options.workers_per_host;

	if (!host->reachable)
		return false;
	return !host->outgoing || (limit != 0 && load->outgoing >= limit) || (workers != 0 && load->outgoing + load->incoming >= workers) ||
		link->n_active >= bandwidth_wanted_moves(engine, link) ||
		(engine->options.throttle && !bandwidth_is_due(engine, link, &quietest));
}

static void begin_pass(struct engine *engine, struct pass *pass)
{
	size_t i;

	*pass = (struct pass){.next = xcalloc(engine->n_waiting_links + 1, sizeof *pass->next)};
	if (engine->unlinked.first != INDEX_NONE)
		pass->next[pass->n++] = engine->unlinked.first;
	for (i = 0; i < engine->n_waiting_links; i++) {
		const struct link *link = &engine->links[engine->waiting_links[i]];

		if (!is_shut(engine, link))
			pass->next[pass->n++] = link->waiting.first;
	}
	for (i = pass->n / 2; i > 0; i--)
		sink(pass, i - 1);
}

/* Behind the move that was just looked at comes the next of its link, unless that has been filled. */
static void advance(const struct engine *engine, struct pass *pass, uint32_t next, uint32_t link, bool has_begun)
{
	bool is_over = next == INDEX_NONE || (has_begun && link != INDEX_NONE && is_shut(engine, &engine->links[link]));

	pass->next[0] = is_over ? pass->next[--pass->n] : next;
	sink(pass, 0);
}

void admission_run(struct engine *engine)
{
	struct pass pass;

	engine->next_retry_ms = TIME_NEVER;
	bandwidth_backlogs(engine);
	begin_pass(engine, &pass);
	while (pass.n > 0) {
		struct move *move = &engine->moves[pass.next[0]];
		uint32_t next = move->next_waiting, link = move->waits_at;
		struct error why;
		bool may_begin;

		error_clear(&why);
		may_begin = check(engine, move, false, &why);
		if (may_begin)
			begin(engine, move);
		else if (why.code != ERR_WAIT_STOPPING)
			refused(engine, move, &why);
		if (why.code == ERR_WAIT_SLOTS_TOTAL || why.code == ERR_WAIT_STOPPING)
			break; /* nobody behind it can start either */
		advance(engine, &pass, next, link, may_begin);
	}
	free(pass.next);
	/* A changed target may fit at once, and nothing else would wake us for it. */
	if (engine->must_admit)
		wake_at(engine, engine->now_ms + 1);
	engine->must_admit = false;
}
