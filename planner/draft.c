/* From a request to wanted moves: names become indices, and everything that makes
 * the request senseless is found before anything is planned. A guest that cannot move is
 * blocked with its reason; it does not stop the others. */
#include "draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "xalloc.h"

struct draft_move *draft_add(struct draft *draft, uint32_t guest, uint32_t wanted)
{
	struct draft_move *move;

	draft->moves = xgrow(draft->moves, draft->n_moves, sizeof *draft->moves);
	move = &draft->moves[draft->n_moves++];
	*move = (struct draft_move){
		.guest = guest, .source = draft->inventory->guests[guest].host, .target = INDEX_NONE, .wanted = wanted,
	};
	move->priority = draft->inventory->guests[guest].priority;
	return move;
}

void draft_block(struct draft *draft, uint32_t guest, const char *name, const struct error *error)
{
	draft->blocked = xgrow(draft->blocked, draft->n_blocked, sizeof *draft->blocked);
	draft->blocked[draft->n_blocked++] =
		(struct blocked_guest){.guest = guest, .name = xstrdup(name), .error = *error};
}

const struct wanted_move *draft_wanted(const struct draft *draft, const struct draft_move *move)
{
	return move->wanted == INDEX_NONE ? NULL : &draft->request->moves[move->wanted];
}

const struct wanted_move *draft_mapping(const struct draft *draft, const struct draft_move *move, const struct request **ret_request)
{
	*ret_request = move->leg == LEG_FIRST ? NULL : draft->request;
	return move->leg == LEG_FIRST ? NULL : draft_wanted(draft, move);
}

void draft_compact(struct draft *draft)
{
	size_t i, kept = 0;

	for (i = 0; i < draft->n_moves; i++)
		if (draft->moves[i].target != INDEX_NONE)
			draft->moves[kept++] = draft->moves[i];
	draft->n_moves = kept;
}

static bool disks_can_go(const struct guest *guest)
{
	size_t i;

	for (i = 0; i < guest->n_disks; i++)
		if (guest->disks[i].passthrough || (guest->disks[i].pool == NULL && !guest->disks[i].readonly))
			return false;
	return true;
}

/* Its own line says most, then its group, then the request. */
static enum cannot_move action_for(const struct draft *draft, uint32_t guest, uint32_t wanted)
{
	if (wanted != INDEX_NONE && draft->request->moves[wanted].cannot_move != CANNOT_MOVE_UNSAID)
		return draft->request->moves[wanted].cannot_move;
	if (draft->inventory->guests[guest].cannot_move != CANNOT_MOVE_UNSAID)
		return draft->inventory->guests[guest].cannot_move;
	return draft->request->cannot_move;
}

/* Can a guest that cannot move live be carried over shut off? What of its host it holds (a device, a shared folder) is not on the
 * other, and snapshots would be left behind. Refusals of one target come from compat.c. */
static bool can_go_cold(const struct guest *guest, enum error_code code)
{
	if ((guest->unmovable != NULL && guest->unmovable->code != ERR_GUEST_DEVICE) || guest->unmovable_cold != NULL)
		return false;
	/* A paused guest hears no power button. */
	return (guest->state == GUEST_RUNNING || guest->state == GUEST_SHUTOFF) && (code == ERR_GUEST_NOT_RUNNING || code == ERR_GUEST_DEVICE) &&
		guest->persistent && guest->hostdevs == 0 && disks_can_go(guest);
}

static void add_in_place(struct draft *draft, uint32_t guest, uint32_t wanted, enum move_method method, const char *why)
{
	struct planned_move *move;

	draft->in_place = xgrow(draft->in_place, draft->n_in_place, sizeof *draft->in_place);
	move = &draft->in_place[draft->n_in_place++];
	*move = (struct planned_move){
		.guest = guest, .source = draft->inventory->guests[guest].host, .target = draft->inventory->guests[guest].host,
		.wanted = wanted, .kind = MOVE_SHARED, .method = method, .network = INDEX_NONE, .after = INDEX_NONE, .converges = true,
	};
	snprintf(move->reason, sizeof move->reason, "%s: %.130s", method == METHOD_START ? "is started again" : "is shut down", why);
}

/* It was to go cold, and cannot: both reasons are told. */
static void add_cold_reason(const struct guest *guest, struct error *why)
{
	struct error both;

	if (guest->unmovable_cold == NULL)
		return;
	error_set(&both, why->code, "%.*s; and not cold: %s", ERROR_MESSAGE_SIZE / 2, why->message, guest->unmovable_cold->message);
	error_hint(&both, "%s", guest->unmovable_cold->hint);
	*why = both;
}

/* What is to become of guests that cannot move live. False: it stays, with its reason. */
static bool draft_otherwise(struct draft *draft, uint32_t guest, uint32_t wanted, struct error *why)
{
	enum cannot_move action = action_for(draft, guest, wanted);
	const struct guest *facts = &draft->inventory->guests[guest];
	struct draft_move *move;

	if (action == CANNOT_MOVE_COLD && can_go_cold(facts, why->code)) {
		move = draft_add(draft, guest, wanted);
		move->method = METHOD_COLD;
		move->is_chosen = wanted == INDEX_NONE || draft->request->moves[wanted].to == NULL;
		return true;
	}
	if (action == CANNOT_MOVE_COLD)
		add_cold_reason(facts, why);
	if (action != CANNOT_MOVE_SHUTDOWN || draft->request->kind != REQUEST_DRAIN || facts->state != GUEST_RUNNING ||
		!facts->persistent || why->code < ERR_GUEST_HOSTDEV || why->code > ERR_GUEST_DEVICE)
		return false;
	add_in_place(draft, guest, wanted, METHOD_SHUTDOWN, why->message);
	return true;
}

/* Guests that are shut off need no move: the host can go down with them. */
static void draft_drained_guests(struct draft *draft)
{
	const struct inventory *inventory = draft->inventory;
	struct error error;
	uint32_t i;

	for (i = 0; i < inventory->n_guests; i++) {
		bool is_off = inventory->guests[i].state == GUEST_SHUTOFF;

		if (!draft->drained[inventory->guests[i].host] || (is_off && action_for(draft, i, INDEX_NONE) != CANNOT_MOVE_COLD))
			continue;
		if (planner_guest_can_move(inventory, i, &error))
			draft_add(draft, i, INDEX_NONE)->is_chosen = true;
		else if (!draft_otherwise(draft, i, INDEX_NONE, &error) && !is_off)
			draft_block(draft, i, inventory->guests[i].name, &error);
	}
}

static bool hosts_exist(const struct draft *draft, struct error *err)
{
	size_t i;

	for (i = 0; i < draft->request->n_hosts; i++)
		if (inventory_host(draft->inventory, draft->request->hosts[i]) == INDEX_NONE)
			return error_set(err, ERR_UNKNOWN_HOST, "no host is named %s", draft->request->hosts[i]);
	return true;
}

static const char *where_of(const struct wanted_move *wanted)
{
	return wanted->where != NULL ? wanted->where : "command line";
}

/* Of several guests of one name, the one on the host that the operator named. */
static uint32_t guest_on(const struct inventory *inventory, const char *name, const char *host)
{
	uint32_t number = host != NULL ? inventory_host(inventory, host) : INDEX_NONE, i;

	for (i = 0; number != INDEX_NONE && i < inventory->n_guests; i++)
		if (inventory->guests[i].host == number && strcmp(inventory->guests[i].name, name) == 0)
			return i;
	return INDEX_NONE;
}

static uint32_t find_guest(const struct inventory *inventory, const struct wanted_move *wanted, struct error *err)
{
	struct error why;
	uint32_t guest;

	error_clear(&why);
	guest = inventory_guest(inventory, wanted->guest, &why);
	if (guest == INDEX_NONE && why.code == ERR_AMBIGUOUS_GUEST)
		guest = guest_on(inventory, wanted->guest, wanted->from);
	if (guest == INDEX_NONE && err != NULL) {
		*err = why;
		if (wanted->where != NULL)
			error_wrap(err, "%s", wanted->where);
	}
	return guest;
}

static bool wanted_hosts_exist(const struct draft *draft, const struct wanted_move *wanted, struct error *err)
{
	const char *names[2];
	size_t i;

	names[0] = wanted->from;
	names[1] = wanted->to;
	for (i = 0; i < 2; i++) {
		if (names[i] == NULL || inventory_host(draft->inventory, names[i]) != INDEX_NONE)
			continue;
		error_set(err, ERR_UNKNOWN_HOST, "vm %s: no host is named %s", wanted->guest, names[i]);
		return wanted->where != NULL ? error_wrap(err, "%s", wanted->where) : false;
	}
	return true;
}

/* What the wanted move says against the facts; the target only as far as time does not change it. */
static bool is_possible(const struct draft *draft, struct draft_move *move, uint32_t target, struct error *error)
{
	const struct wanted_move *wanted = draft_wanted(draft, move);
	const struct guest *guest = &draft->inventory->guests[move->guest];
	const struct host *host = &draft->inventory->hosts[guest->host];

	if (wanted->from != NULL && strcmp(wanted->from, host->name) != 0) {
		error_set(error, ERR_GUEST_ELSEWHERE, "vm %s: runs on %s, not on %s (%s)", guest->name, host->name,
			wanted->from, where_of(wanted));
		error_hint(error, "correct the line, or leave the host out");
		return false;
	}
	if (!planner_guest_can_move(draft->inventory, move->guest, error)) {
		if (action_for(draft, move->guest, move->wanted) != CANNOT_MOVE_COLD)
			return false;
		if (!can_go_cold(guest, error->code)) {
			add_cold_reason(guest, error);
			return false;
		}
		move->method = METHOD_COLD;
	}
	return target == INDEX_NONE || planner_fits(draft->inventory, draft->ledger, move->guest, target, draft->request,
		wanted, false, error);
}

static bool draft_wanted_moves(struct draft *draft, struct error *err)
{
	const struct inventory *inventory = draft->inventory;
	uint32_t *named = xcalloc(inventory->n_guests, sizeof *named); /* wanted move + 1 of each guest */
	bool ok = true;
	uint32_t i;

	for (i = 0; ok && i < draft->request->n_moves; i++) {
		const struct wanted_move *wanted = &draft->request->moves[i];
		uint32_t guest = find_guest(inventory, wanted, err);
		struct draft_move *move;

		ok = guest != INDEX_NONE && wanted_hosts_exist(draft, wanted, err);
		if (ok && named[guest] != 0)
			ok = error_set(err, ERR_DUPLICATE_GUEST, "vm %s is named twice: %s and %s", inventory->guests[guest].name,
				where_of(&draft->request->moves[named[guest] - 1]), where_of(wanted));
		if (!ok)
			break;
		named[guest] = i + 1;
		move = draft_add(draft, guest, i);
		move->is_chosen = wanted->to == NULL;
		if (wanted->priority != 0)
			move->priority = wanted->priority;
	}
	free(named);
	return ok;
}

/* After all names are known to be right: blocks what cannot be, sets the targets that were asked for. */
static void check_wanted_moves(struct draft *draft)
{
	size_t i, kept = 0;

	for (i = 0; i < draft->n_moves; i++) {
		struct draft_move *move = &draft->moves[i];
		const struct wanted_move *wanted = draft_wanted(draft, move);
		struct error error;

		error_clear(&error);
		if (wanted->to != NULL)
			move->target = inventory_host(draft->inventory, wanted->to);
		if (wanted->is_start && draft->inventory->guests[move->guest].state == GUEST_SHUTOFF) {
			add_in_place(draft, move->guest, move->wanted, METHOD_START, "a drain had shut it down");
			continue;
		}
		if (is_possible(draft, move, move->target, &error))
			draft->moves[kept++] = *move;
		else
			draft_block(draft, move->guest, wanted->guest, &error);
	}
	draft->n_moves = kept;
}

bool draft_from_request(struct draft *draft, struct error *err)
{
	if (!hosts_exist(draft, err))
		return false;
	switch (draft->request->kind) {
	case REQUEST_DRAIN:
		if (draft->request->n_hosts == 0)
			return error_set(err, ERR_USAGE, "drain: no host is named");
		draft_drained_guests(draft);
		return true;
	case REQUEST_MOVE:
	case REQUEST_BATCH:
	case REQUEST_RETURN:
		if (!draft_wanted_moves(draft, err))
			return false;
		check_wanted_moves(draft);
		return true;
	case REQUEST_REBALANCE:
		draft_rebalance(draft);
		return true;
	case REQUEST_ROLLING:
		break;
	}
	return error_set(err, ERR_UNSUPPORTED,
		"rolling maintenance is not planned as a whole: drain and return its hosts one group after the other");
}
