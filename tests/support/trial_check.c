/* What must hold in a trial after every event, and when all is over. */
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

static bool broken(struct trial *trial, const char *what)
{
	if (!trial->is_failed) {
		trial->is_failed = true;
		error_wrap(&trial->error, "at %lld ms, event %llu: %s", (long long)trial->now_ms,
			(unsigned long long)trial->n_events, what);
	}
	return false;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool differs(struct trial *trial, const struct move_record *own)
{
	return error_set(&trial->error, ERR_INTERNAL, "move %llu of guest %s: the store differs from the engine (%s)",
		(unsigned long long)own->id, own->guest, move_state_name(own->state));
}

/* Cheap, after every event: what was committed is what the engine believes. */
static bool durable_equals_engine(struct trial *trial)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		const struct move_record *own = engine_move(trial->engine, i);
		const struct durable *kept = trial_watch_find(&trial->watch, own->id);

		if (kept == NULL || kept->state != own->state || kept->epoch != own->epoch || kept->attempts != own->attempts ||
			kept->n_disks != own->n_disks || kept->cancel_requested != own->cancel_requested ||
			kept->handover_paused != own->handover_paused || !same_text(kept->target, own->target) ||
			!same_text(kept->source, own->source))
			return differs(trial, own);
	}
	return true;
}

static bool same_disks(const struct move_record *a, const struct move_record *b)
{
	size_t i;

	if (a->n_disks != b->n_disks)
		return false;
	for (i = 0; i < a->n_disks; i++)
		if (!same_text(a->disks[i].target, b->disks[i].target) ||
			!same_text(a->disks[i].target_path, b->disks[i].target_path) ||
			!same_text(a->disks[i].target_volume, b->disks[i].target_volume) ||
			a->disks[i].was_created != b->disks[i].was_created)
			return false;
	return true;
}

/* The store itself is read back. */
static bool store_equals_engine(struct trial *trial)
{
	struct store_image *image;
	bool is_equal = true;
	size_t i, j;

	if (!trial->store->load(trial->store, &image, &trial->error))
		return false;
	for (i = 0; i < engine_n_moves(trial->engine) && is_equal; i++) {
		const struct move_record *own = engine_move(trial->engine, i), *kept;

		for (j = 0; j < image->n_moves && image->moves[j].id != own->id; j++)
			;
		kept = j < image->n_moves ? &image->moves[j] : NULL;
		is_equal = kept != NULL && kept->state == own->state && kept->epoch == own->epoch &&
			same_text(kept->target, own->target) && same_disks(kept, own);
		if (!is_equal)
			differs(trial, own);
	}
	for (i = 0; i < engine_n_batches(trial->engine) && is_equal; i++) {
		for (j = 0; j < image->n_batches && image->batches[j].id != engine_batch(trial->engine, i)->id; j++)
			;
		is_equal = j < image->n_batches && image->batches[j].state == engine_batch(trial->engine, i)->state;
		if (!is_equal)
			error_set(&trial->error, ERR_INTERNAL, "batch %zu: the store differs from the engine", i);
	}
	store_image_free(image);
	return is_equal;
}

/* --- limits, as the hosts see them --- */

/* Ours, and not merely waiting for a dead peer to be noticed. */
static bool is_ours(const struct trial *trial, uint32_t guest, uint32_t *ret_source, uint32_t *ret_target)
{
	return sim_guest_route(trial->sim, guest, ret_source, ret_target) && !sim_guest_is_moved_by_stranger(trial->sim, guest) &&
		sim_guest_phase(trial->sim, guest) != SIM_PHASE_CANCELLING;
}

/* From its admission until both hosts have said that it has moved; what turns out not to have moved never gave its place away. */
static bool is_admitted(const struct move_record *move)
{
	return move->method != METHOD_SHUTDOWN && move->method != METHOD_START && !move_state_is_end(move->state) &&
		move->state != MOVE_PLANNED && move->state != MOVE_WAITING && move->state != MOVE_CLEANUP;
}

/* Of two legs of a guest only one is under way. */
static bool copies_disks(const struct trial *trial, uint32_t guest)
{
	size_t i;

	for (i = engine_n_moves(trial->engine); i > 0; i--) {
		const struct move_record *move = engine_move(trial->engine, i - 1);

		if (is_admitted(move) && strcmp(move->guest, trial->inventory->guests[guest].name) == 0)
			return move->n_disks > 0;
	}
	return false;
}

/* Once limits may be lowered under what runs, the engine's own view is counted: what it has admitted may stay, and no more may
 * come. That the hosts see no more than the engine counts is checked where no limit changes. */
static void count_admitted(const struct trial *trial, struct trial_count *counts, uint32_t *total)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);

		if (!is_admitted(move))
			continue;
		counts[inventory_host(trial->inventory, move->source)].out++;
		counts[inventory_host(trial->inventory, move->target)].in++;
		counts[inventory_host(trial->inventory, move->source)].out_storage += move->kind != MOVE_SHARED;
		counts[inventory_host(trial->inventory, move->target)].in_storage += move->kind != MOVE_SHARED;
		++*total;
	}
}

static void count_seen(const struct trial *trial, struct trial_count *counts, uint32_t *total)
{
	uint32_t guest, source, target;

	for (guest = 0; guest < trial->inventory->n_guests; guest++) {
		if (!is_ours(trial, guest, &source, &target))
			continue;
		++*total;
		counts[source].out++;
		counts[target].in++;
		if (copies_disks(trial, guest)) {
			counts[source].out_storage++;
			counts[target].in_storage++;
		}
	}
}

/* When a limit was lowered what runs already may stay above it, but nothing may be added. */
static bool within(struct trial *trial, const char *host, const char *what, uint32_t n, uint32_t before, uint32_t own, uint32_t general)
{
	uint32_t limit = own != 0 ? own : general;

	if (limit == 0 || n <= limit || (trial->was_reloaded && n <= before))
		return true;
	return error_set(&trial->error, ERR_INTERNAL, "host %s: %u %s, of %u allowed", host, n, what, limit);
}

static bool host_limits_hold(struct trial *trial, const struct trial_count *counts)
{
	/* As configured, or as the operator has changed them since. */
	const struct engine_options *options = engine_limits(trial->engine);
	size_t i;

	for (i = 0; i < trial->inventory->n_hosts; i++) {
		const struct host *host = &engine_inventory(trial->engine)->hosts[i];
		const struct trial_count *n = &counts[i], *b = &trial->counts[i];

		if (!within(trial, host->name, "outgoing", n->out, b->out, host->max_outgoing, options->max_outgoing) ||
			!within(trial, host->name, "incoming", n->in, b->in, host->max_incoming, options->max_incoming) ||
			!within(trial, host->name, "outgoing with disks", n->out_storage, b->out_storage, host->max_outgoing_storage,
				options->max_outgoing_storage) ||
			!within(trial, host->name, "incoming with disks", n->in_storage, b->in_storage, host->max_incoming_storage,
				options->max_incoming_storage) ||
			!within(trial, host->name, "moves at one libvirtd", n->in + n->out, b->in + b->out, 0, options->workers_per_host))
			return false;
	}
	return true;
}

static bool limits_hold(struct trial *trial)
{
	struct trial_count *counts = xcalloc(trial->inventory->n_hosts, sizeof *counts);
	uint32_t total = 0;
	bool holds;

	if (trial->was_reloaded)
		count_admitted(trial, counts, &total);
	else
		count_seen(trial, counts, &total);
	holds = within(trial, "(all)", "migrations", total, trial->n_moving, 0, engine_limits(trial->engine)->max_migrations) &&
		host_limits_hold(trial, counts);
	free(trial->counts);
	trial->counts = counts;
	trial->n_moving = total;
	return holds;
}

/* --- room --- */

static uint64_t memory_there(const struct trial *trial, uint32_t host)
{
	uint64_t bytes = 0;
	uint32_t guest;

	for (guest = 0; guest < trial->inventory->n_guests; guest++)
		if (sim_guest_is_active_on(trial->sim, guest, host))
			bytes += trial->inventory->guests[guest].memory_bytes;
	return bytes;
}

/* What was admitted has the memory of its target from then on, long before the host gives it to anybody. What others bring to a host, and
 * what a host has that was silent when drover was started again, no engine can count. */
static bool promises_fit(struct trial *trial)
{
	uint64_t *promised;
	bool fits = true;
	size_t i;

	if (sim_fault_hits(trial->sim, SIM_FAULT_STRANGER_MOVES) > 0 || sim_fault_hits(trial->sim, SIM_FAULT_HOST_DIES) > 0 || trial->n_restarts > 0)
		return true;
	promised = xcalloc(trial->inventory->n_hosts, sizeof *promised);
	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);
		uint32_t guest, target;

		if (!is_admitted(move))
			continue;
		guest = inventory_guest(trial->inventory, move->uuid[0] != '\0' ? move->uuid : move->guest, NULL);
		target = inventory_host(trial->inventory, move->target);
		if (!sim_guest_is_active_on(trial->sim, guest, target))
			promised[target] += trial->inventory->guests[guest].memory_bytes;
	}
	for (i = 0; i < trial->inventory->n_hosts && fits; i++) {
		uint64_t has = trial->inventory->hosts[i].memory_bytes;

		if (promised[i] > 0 && has > 0 && promised[i] + memory_there(trial, (uint32_t)i) > has)
			fits = error_set(&trial->error, ERR_INTERNAL, "host %s: %llu bytes of memory are promised to moves besides what is there, it has %llu",
				trial->inventory->hosts[i].name, (unsigned long long)promised[i], (unsigned long long)has);
	}
	free(promised);
	return fits;
}

/* --- rules --- */

static bool has(char *const *texts, size_t n, const char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return true;
	return false;
}

static bool speaks_of(const struct rule *rule, const struct guest *guest)
{
	size_t i;

	if (has(rule->guests, rule->n_guests, guest->name))
		return true;
	for (i = 0; i < guest->n_groups; i++)
		if (has(rule->groups, rule->n_groups, guest->groups[i]))
			return true;
	return false;
}

static bool stands_apart(struct trial *trial, const struct rule *rule, uint32_t guest, uint32_t target)
{
	const struct guest *guests = trial->inventory->guests;
	uint32_t other, from, to;

	for (other = 0; other < trial->inventory->n_guests; other++) {
		bool is_there = other != guest && speaks_of(rule, &guests[other]) &&
			(sim_guest_is_active_on(trial->sim, other, target) ||
				(is_ours(trial, other, &from, &to) && to == target));

		if (is_there)
			return error_set(&trial->error, ERR_INTERNAL, "guests %s and %s must be apart, and are both on %s",
				guests[guest].name, guests[other].name, trial->inventory->hosts[target].name);
	}
	return true;
}

static bool may_go(struct trial *trial, const struct rule *rule, uint32_t guest, uint32_t target)
{
	const char *host = trial->inventory->hosts[target].name;
	bool is_listed = has(rule->hosts, rule->n_hosts, host);

	if ((rule->kind == RULE_ONLY_ON && !is_listed) || (rule->kind == RULE_NEVER_ON && is_listed))
		return error_set(&trial->error, ERR_INTERNAL, "guest %s is moved to %s, against a rule",
			trial->inventory->guests[guest].name, host);
	return rule->kind != RULE_ANTI_AFFINITY || stands_apart(trial, rule, guest, target);
}

static bool rule_holds(struct trial *trial, const struct rule *rule)
{
	uint32_t guest, source, target, moving = 0;

	for (guest = 0; guest < trial->inventory->n_guests; guest++) {
		if (!is_ours(trial, guest, &source, &target) || !speaks_of(rule, &trial->inventory->guests[guest]))
			continue;
		moving++;
		if (!may_go(trial, rule, guest, target))
			return false;
	}
	if (rule->kind == RULE_AT_MOST_MOVING && moving > rule->count)
		return error_set(&trial->error, ERR_INTERNAL, "%u guests of group %s move, of %u allowed", moving, rule->groups[0], rule->count);
	return true;
}

/* Who else moves or boots guests is not known to the engine, and cannot be kept apart by it. */
static bool rules_hold(struct trial *trial)
{
	size_t i;

	if (sim_fault_hits(trial->sim, SIM_FAULT_STRANGER_MOVES) > 0 || sim_fault_hits(trial->sim, SIM_FAULT_HOST_DIES) > 0)
		return true;
	for (i = 0; i < trial->inventory->n_rules; i++)
		if (!rule_holds(trial, &trial->inventory->rules[i]))
			return false;
	return true;
}

/* --- rates and reasons --- */

static uint64_t link_rate(const struct trial *trial, const char *name)
{
	uint32_t host = inventory_host(trial->inventory, name);

	return host == INDEX_NONE || trial->inventory->hosts[host].n_links != 1 ? 0 : trial->inventory->hosts[host].links[0].rate_bytes_per_s;
}

static bool rates_fit(struct trial *trial)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		const struct move_record *move = engine_move(trial->engine, i);
		struct move_live live;
		uint64_t out, in;

		if (!move_state_is_on_wire(move->state))
			continue;
		engine_move_live(trial->engine, i, &live);
		out = link_rate(trial, move->source);
		in = link_rate(trial, move->target);
		if ((out != 0 && live.granted_bytes_per_s > out) || (in != 0 && live.granted_bytes_per_s > in))
			return error_set(&trial->error, ERR_INTERNAL, "guest %s is granted %llu bytes a second, its links carry %llu and %llu",
				move->guest, (unsigned long long)live.granted_bytes_per_s, (unsigned long long)out, (unsigned long long)in);
	}
	return true;
}

static bool waits_have_reasons(struct trial *trial)
{
	size_t i;

	for (i = 0; i < engine_n_moves(trial->engine); i++) {
		struct move_live live;

		if (engine_move(trial->engine, i)->state != MOVE_WAITING)
			continue;
		engine_move_live(trial->engine, i, &live);
		if (live.waiting.code == ERR_NONE || live.waiting.message[0] == '\0')
			return error_set(&trial->error, ERR_INTERNAL, "guest %s waits without a reason",
				engine_move(trial->engine, i)->guest);
	}
	return true;
}

/* Remembers what others did to guests. */
static void notice(struct trial *trial)
{
	uint32_t guest, host, running;

	for (guest = 0; guest < trial->inventory->n_guests; guest++) {
		struct trial_guest *seen = &trial->guests[guest];

		seen->was_moved_by_stranger = sim_guest_was_moved_by_stranger(trial->sim, guest);
		seen->was_ended |= sim_guest_was_ended(trial->sim, guest);
		if (sim_fault_hits(trial->sim, SIM_FAULT_HOST_DIES) == 0 || seen->was_doubled)
			continue;
		for (host = 0, running = 0; host < trial->inventory->n_hosts; host++)
			running += sim_guest_is_active_on(trial->sim, guest, host);
		seen->was_doubled = running > 1 && sim_guest_phase(trial->sim, guest) == SIM_PHASE_NONE;
	}
}

bool trial_check(struct trial *trial)
{
	if (trial->is_failed)
		return false;
	if (!sim_check(trial->sim, &trial->error))
		return broken(trial, "world");
	if (trial->watch.breach.code != ERR_NONE) {
		trial->error = trial->watch.breach;
		return broken(trial, "requests");
	}
	if (trial->n_events % trial->check_every != 0 || trial->engine == NULL)
		return true;
	notice(trial);
	if (!limits_hold(trial) || !promises_fit(trial) || !rules_hold(trial))
		return broken(trial, "limits");
	if (!rates_fit(trial))
		return broken(trial, "rates");
	if (!trial->is_dead && !durable_equals_engine(trial))
		return broken(trial, "state");
	if (trial->n_events % trial->full_check_every == 0 && !trial->is_dead &&
		(!store_equals_engine(trial) || !waits_have_reasons(trial)))
		return broken(trial, "state");
	return true;
}

/* --- when all is over --- */

/* A guest that others moved, ended or doubled may be anywhere: only "not twice" can be asked of it. */
static bool is_excused(const struct trial *trial, uint32_t guest)
{
	return trial->guests[guest].was_moved_by_stranger || trial->guests[guest].was_ended || trial->guests[guest].was_doubled;
}

/* Of all lives; moves for which nothing was ever done say nothing of where their guest is. */
static const struct move_record *last_move(const struct store_image *image, const char *guest)
{
	const struct move_record *last = NULL;
	size_t i;

	for (i = 0; i < image->n_moves; i++)
		if (image->moves[i].target != NULL && strcmp(image->moves[i].guest, guest) == 0 &&
			(last == NULL || image->moves[i].id > last->id))
			last = &image->moves[i];
	return last;
}

/* Somebody else has carried off the copy that ran: what is left of the guest may run besides, but not unreported. */
static bool twice_is_reported(struct trial *trial, const struct move_record *move, uint32_t guest)
{
	uint32_t host, n = 0;

	for (host = 0; host < trial->inventory->n_hosts; host++)
		n += sim_guest_is_active_on(trial->sim, guest, host);
	if (n <= 1 || !trial->guests[guest].was_moved_by_stranger || trial->guests[guest].was_ended ||
		move->error.code == ERR_SPLIT_BRAIN || move->error.code == ERR_GUEST_ELSEWHERE || move->error.code == ERR_VERIFY_FAILED ||
		move->error.code == ERR_GUEST_NOT_RUNNING)
		return true;
	return error_set(&trial->error, ERR_INTERNAL, "guest %s is active on %u hosts, and its move says: %s", move->guest, n,
		move->error.message);
}

/* Of a guest that goes by way of a third host: the move that brings it there. NULL for all others. */
static const struct move_record *first_leg(const struct store_image *image, const struct move_record *second)
{
	size_t i;

	for (i = 0; i < image->n_moves && second->leg == LEG_SECOND; i++)
		if (image->moves[i].batch == second->batch && image->moves[i].leg == LEG_FIRST && strcmp(image->moves[i].guest, second->guest) == 0)
			return &image->moves[i];
	return NULL;
}

static bool has_ended_well_or_says_why(struct trial *trial, const struct move_record *move)
{
	if (!move_state_is_end(move->state))
		return error_set(&trial->error, ERR_INTERNAL, "guest %s: its move is still %s", move->guest, move_state_name(move->state));
	if (move->state != MOVE_DONE && (move->error.code == ERR_NONE || move->error.message[0] == '\0'))
		return error_set(&trial->error, ERR_INTERNAL, "guest %s: %s without a reason", move->guest, move_state_name(move->state));
	if (move->error.code >= ERR_WAIT_TURN && move->error.code <= ERR_WAIT_RECONCILE)
		return error_set(&trial->error, ERR_INTERNAL, "guest %s: %s because it waits: %s", move->guest, move_state_name(move->state),
			move->error.message);
	return true;
}

static bool move_is_true(struct trial *trial, const struct store_image *image, uint32_t guest)
{
	const struct move_record *move = last_move(image, trial->inventory->guests[guest].name), *first;
	const struct guest *facts = &trial->inventory->guests[guest];
	const char *wanted;
	uint32_t host;

	if (move == NULL)
		return true;
	if (!has_ended_well_or_says_why(trial, move) || !twice_is_reported(trial, move, guest))
		return false;
	first = first_leg(image, move);
	if (first != NULL && move->state != MOVE_DONE) {
		if (!has_ended_well_or_says_why(trial, first))
			return false;
		move = first; /* where the guest is, this one says */
	}
	if (is_excused(trial, guest) || facts->state == GUEST_SHUTOFF)
		return true;
	/* A host that was restarted starts it as it is told to by autostart. */
	if ((move->method == METHOD_SHUTDOWN || move->was_shutoff) && move->state == MOVE_DONE)
		return sim_guest_runs_on(trial->sim, guest) == INDEX_NONE || sim_fault_hits(trial->sim, SIM_FAULT_HOST_DIES) > 0 ||
			error_set(&trial->error, ERR_INTERNAL, "guest %s: was shut down, and runs", move->guest);
	/* Neither host could start it: it is off, and said to be. */
	if (move->method != METHOD_LIVE && move->state != MOVE_DONE && sim_guest_was_shut_down(trial->sim, guest) &&
		sim_guest_runs_on(trial->sim, guest) == INDEX_NONE)
		return true;
	wanted = move->state == MOVE_DONE ? move->target : move->source;
	host = inventory_host(trial->inventory, wanted);
	if (!sim_guest_is_active_on(trial->sim, guest, host))
		return error_set(&trial->error, ERR_INTERNAL, "guest %s: its move %s>%s is %s, and it is not active on %s", move->guest,
			move->source, move->target, move_state_name(move->state), wanted);
	return true;
}

static bool was_noted(struct trial *trial, const char *guest)
{
	char text[NAME_BYTES_MAX + 32];

	snprintf(text, sizeof text, "guest %s: ", guest);
	return trial_audited(trial, text) > 0 && trial_audited(trial, "tries") > 0;
}

/* It may have run on the target of its cold move and does not start there any more: both copies are left, and that is said. */
static bool was_left_to_the_operator(struct trial *trial, const char *guest)
{
	char text[NAME_BYTES_MAX + 32];

	snprintf(text, sizeof text, "guest %s is shut off on ", guest);
	return trial_audited(trial, text) > 0 && trial_audited(trial, "starts there did not help") > 0;
}

/* With keep_source_disks the disks of a moved guest stay where they were. */
static bool is_kept(const struct trial *trial, const struct sim_leftover *left)
{
	return trial->options.keep_source_disks && left->kind == SIM_LEFT_VOLUME;
}

static bool nothing_is_left(struct trial *trial)
{
	struct sim_leftover *left = NULL;
	size_t n = sim_leftovers(trial->sim, &left), i;
	bool is_clean = true;

	for (i = 0; i < n && is_clean; i++) {
		is_clean = left[i].guest == INDEX_NONE || is_kept(trial, &left[i]) || is_excused(trial, left[i].guest) ||
			was_noted(trial, trial->inventory->guests[left[i].guest].name) ||
			was_left_to_the_operator(trial, trial->inventory->guests[left[i].guest].name);
		if (!is_clean)
			error_set(&trial->error, ERR_INTERNAL, "left over: %s", left[i].text);
	}
	free(left);
	return is_clean;
}

static bool moves_are_true(struct trial *trial)
{
	struct store_image *image;
	bool are_true = true;
	uint32_t guest;

	if (!trial->store->load(trial->store, &image, &trial->error))
		return false;
	for (guest = 0; guest < trial->inventory->n_guests && are_true; guest++)
		are_true = move_is_true(trial, image, guest);
	store_image_free(image);
	return are_true;
}

bool trial_check_settled(struct trial *trial)
{

	if (trial->is_failed)
		return false;
	notice(trial);
	if (!sim_check_settled(trial->sim, &trial->error))
		return broken(trial, "settled world");
	if (trial->engine != NULL && !store_equals_engine(trial))
		return broken(trial, "settled state");
	if (!moves_are_true(trial))
		return broken(trial, "settled moves");
	return nothing_is_left(trial) || broken(trial, "leftovers");
}
