/* Everything that happens to a run from outside: faults of hosts, links and guests, the operator's
 * commands, and the death of the manager at any event or commit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dst.h"
#include "store_fault.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)

enum { SCRIPTED_MAX = 6 };

static const enum sim_fault_kind timed_kinds[] = {
	SIM_FAULT_HOST_DIES, SIM_FAULT_HOST_UNREACHABLE, SIM_FAULT_PEER_CUT, SIM_FAULT_LINK_CUT, SIM_FAULT_LINK_SLOW,
	SIM_FAULT_LIBVIRTD_RESTART, SIM_FAULT_HOST_HANGS, SIM_FAULT_MEMORY_TAKEN, SIM_FAULT_POOL_TAKEN,
	SIM_FAULT_INCOMING_KILLED, SIM_FAULT_STRANGER_MOVES, SIM_FAULT_GUEST_ENDS, SIM_FAULT_MIGRATION_ERROR,
	SIM_FAULT_FINISH_LOST, SIM_FAULT_DIRTY_SURGE,
};
enum { N_TIMED = sizeof timed_kinds / sizeof timed_kinds[0] };

static const char *any_host(struct chaos *chaos)
{
	const struct inventory *inventory = chaos->trial->inventory;

	return inventory->hosts[dice_next(chaos->dice) % inventory->n_hosts].name;
}

static uint32_t any_guest(struct chaos *chaos)
{
	return (uint32_t)(dice_next(chaos->dice) % chaos->trial->inventory->n_guests);
}

/* A guest that migrates, when there is one: there it hurts. */
static uint32_t a_migrating_guest(struct chaos *chaos)
{
	uint32_t n = (uint32_t)chaos->trial->inventory->n_guests, first = any_guest(chaos), i;

	for (i = 0; i < n; i++)
		if (sim_guest_phase(chaos->trial->sim, (first + i) % n) != SIM_PHASE_NONE)
			return (first + i) % n;
	return first;
}

static const char *a_host_that_matters(struct chaos *chaos)
{
	uint32_t route[2];

	if (dice_chance(chaos->dice, 600) && sim_guest_route(chaos->trial->sim, a_migrating_guest(chaos), &route[0], &route[1]))
		return chaos->trial->inventory->hosts[route[dice_next(chaos->dice) % 2]].name;
	return any_host(chaos);
}

static bool is_twice(const struct trial *trial, uint32_t guest)
{
	uint32_t host, n = 0;

	for (host = 0; host < trial->inventory->n_hosts; host++)
		n += sim_guest_is_active_on(trial->sim, guest, host);
	return n > 1;
}

static void apply(struct chaos *chaos, enum sim_fault_kind kind, enum sim_phase at_phase, uint32_t guest, const char *host)
{
	struct sim_fault fault = {
		.kind = kind,
		.at_phase = at_phase,
		.guest = chaos->trial->inventory->guests[guest].name,
		.host = host,
		.pool = "images",
		.duration_ms = dice_between(chaos->dice, 1, chaos->fault_longest_ms),
	};

	/* Nobody watches a stranger's migration: one that cannot end would go on for ever. */
	if (kind == SIM_FAULT_STRANGER_MOVES && chaos->trial->inventory->guests[guest].dirty_rate_bytes_per_s > 4000000)
		return;
	/* While it runs twice, its own shutdown would race with our choice between the two. */
	if (kind == SIM_FAULT_GUEST_ENDS && is_twice(chaos->trial, guest))
		return;
	if (kind == SIM_FAULT_LINK_SLOW)
		fault.value = (uint64_t)dice_between(chaos->dice, 100000, 20000000);
	else if (kind == SIM_FAULT_DIRTY_SURGE)
		fault.value = (uint64_t)dice_between(chaos->dice, 1, 40) * 10000000;
	else if (kind == SIM_FAULT_MEMORY_TAKEN || kind == SIM_FAULT_POOL_TAKEN)
		fault.value = (uint64_t)dice_between(chaos->dice, 1, 65536) * MIB;
	sim_fault(chaos->trial->sim, &fault);
}

static void fault_now(struct chaos *chaos)
{
	enum sim_fault_kind kind = timed_kinds[dice_next(chaos->dice) % N_TIMED];
	uint32_t guest;

	if ((chaos->faults & 1u << kind) == 0)
		return;
	guest = kind == SIM_FAULT_INCOMING_KILLED || kind == SIM_FAULT_MIGRATION_ERROR || kind == SIM_FAULT_FINISH_LOST ?
		a_migrating_guest(chaos) : any_guest(chaos);
	apply(chaos, kind, SIM_PHASE_NONE, guest, a_host_that_matters(chaos));
}

/* Faults at the very moment a migration enters a phase: where chance alone would seldom hit. */
static void script_faults(struct chaos *chaos)
{
	unsigned n = (unsigned)dice_between(chaos->dice, 0, SCRIPTED_MAX), i;

	for (i = 0; i < n; i++) {
		enum sim_fault_kind kind = timed_kinds[dice_next(chaos->dice) % N_TIMED];
		enum sim_phase phase = (enum sim_phase)dice_between(chaos->dice, SIM_PHASE_BEGIN, SIM_PHASE_CANCELLING);
		uint32_t guest = any_guest(chaos);
		const char *host = dice_chance(chaos->dice, 500) ? any_host(chaos) :
			chaos->trial->inventory->hosts[chaos->trial->inventory->guests[guest].host].name;

		if ((chaos->faults & 1u << kind) != 0)
			apply(chaos, kind, phase, guest, host);
	}
}

/* Two faults that meet: libvirtd of the source forgets the move at its very end, and the target dies with what it runs. */
static void script_meeting(struct chaos *chaos)
{
	uint32_t guest = any_guest(chaos);
	const struct inventory *inventory = chaos->trial->inventory;

	if ((chaos->faults & 1u << SIM_FAULT_HOST_DIES) == 0)
		return;
	apply(chaos, SIM_FAULT_LIBVIRTD_RESTART, SIM_PHASE_CONFIRM, guest, inventory->hosts[inventory->guests[guest].host].name);
	apply(chaos, SIM_FAULT_HOST_DIES, SIM_PHASE_CONFIRM, guest, any_host(chaos));
}

/* In post-copy, which comes late and seldom. From a die of its own: what it gives is not missing in the other draws. */
static void script_post_copy(struct chaos *chaos, struct dice aside)
{
	static const enum sim_fault_kind kinds[] = {
		SIM_FAULT_LINK_CUT, SIM_FAULT_MIGRATION_ERROR, SIM_FAULT_LIBVIRTD_RESTART, SIM_FAULT_PEER_CUT, SIM_FAULT_HOST_DIES,
		SIM_FAULT_MIGRATION_ERROR, SIM_FAULT_INCOMING_KILLED, SIM_FAULT_GUEST_ENDS,
	};
	const struct inventory *inventory = chaos->trial->inventory;
	struct dice *dice = chaos->dice;
	unsigned i;

	chaos->dice = &aside;
	for (i = 0; i < inventory->n_guests && dice_chance(&aside, 400); i++)
		sim_fault(chaos->trial->sim, &(struct sim_fault){.kind = dice_chance(&aside, 500) ? SIM_FAULT_REQUEST_ERROR : SIM_FAULT_REPLY_LOST,
			.request = HV_START_POSTCOPY});
	for (i = 0; i < inventory->n_guests && i < 4; i++) {
		enum sim_fault_kind kind = kinds[dice_next(&aside) % (sizeof kinds / sizeof kinds[0])];

		if ((chaos->faults & 1u << kind) != 0)
			apply(chaos, kind, SIM_PHASE_POSTCOPY, any_guest(chaos), any_host(chaos));
	}
	chaos->dice = dice;
}

void chaos_draw(struct chaos *chaos, struct trial *trial, struct dice *dice, bool is_calm)
{
	*chaos = (struct chaos){.trial = trial, .dice = dice, .restart_ms = TIME_NEVER, .next_fault_ms = TIME_NEVER};
	chaos->batches_left = 1 + dice_chance(dice, 400);
	if (is_calm)
		return;
	chaos->faults = (unsigned)dice_next(dice) | (dice_chance(dice, 500) ? (unsigned)dice_next(dice) : 0);
	/* The two that take guests out of our hands blunt other checks: not in every seed. */
	if (dice_chance(dice, 600))
		chaos->faults &= ~(1u << SIM_FAULT_STRANGER_MOVES | 1u << SIM_FAULT_GUEST_ENDS);
	if (dice_chance(dice, 600))
		chaos->faults &= ~(1u << SIM_FAULT_HOST_DIES);
	chaos->fault_longest_ms = dice_between(dice, 1000, 100000);
	chaos->fault_interval_ms = dice_chance(dice, 800) ? dice_between(dice, 1000, 40000) : 0;
	if (chaos->fault_interval_ms > 0)
		chaos->next_fault_ms = dice_between(dice, 1, 2 * chaos->fault_interval_ms);
	chaos->operator_per_mille = dice_chance(dice, 500) ? (unsigned)dice_between(dice, 1, 6) : 0;
	chaos->kill_per_mille = dice_chance(dice, 600) ? (unsigned)dice_between(dice, 1, 8) : 0;
	chaos->clock_per_mille = dice_chance(dice, 300) ? (unsigned)dice_between(dice, 1, 4) : 0;
	chaos->reload_per_mille = dice_chance(dice, 300) ? (unsigned)dice_between(dice, 1, 6) : 0;
	if (trial->options.post_copy)
		script_post_copy(chaos, *dice);
	if (dice_chance(dice, 500))
		script_faults(chaos);
	if (dice_chance(dice, 200))
		script_meeting(chaos);
}

/* --- what is asked --- */

static enum cannot_move draw_cannot_move(struct chaos *chaos)
{
	return dice_chance(chaos->dice, 400) ? CANNOT_MOVE_LEAVE : dice_chance(chaos->dice, 400) ? CANNOT_MOVE_SHUTDOWN : CANNOT_MOVE_COLD;
}

static struct request *draw_drain(struct chaos *chaos)
{
	struct request *request = request_new(REQUEST_DRAIN);

	request->cannot_move = draw_cannot_move(chaos);
	strings_add(&request->hosts, &request->n_hosts, dice_chance(chaos->dice, 800) ? chaos->trial->inventory->hosts[0].name : any_host(chaos));
	return request;
}

static struct request *draw_moves(struct chaos *chaos)
{
	const struct inventory *inventory = chaos->trial->inventory;
	struct request *request = request_new(REQUEST_BATCH);
	size_t i;

	request->cannot_move = draw_cannot_move(chaos);
	for (i = 0; i < inventory->n_guests; i++) {
		struct wanted_move *wanted;

		if (!dice_chance(chaos->dice, 500))
			continue;
		wanted = request_add_move(request, inventory->guests[i].name);
		if (dice_chance(chaos->dice, 500))
			wanted->to = xstrdup(any_host(chaos));
		if (dice_chance(chaos->dice, 100))
			wanted->max_rate_bytes_per_s = 20000000;
	}
	return request;
}

static struct request *draw_return(struct chaos *chaos)
{
	const struct inventory *inventory = chaos->trial->inventory;
	struct request *request = request_new(REQUEST_RETURN);
	size_t i;

	strings_add(&request->hosts, &request->n_hosts, inventory->hosts[0].name);
	for (i = 0; i < inventory->n_guests; i++) {
		struct wanted_move *wanted;

		if (inventory->guests[i].host != 0 || sim_guest_runs_on(chaos->trial->sim, (uint32_t)i) == 0)
			continue;
		wanted = request_add_move(request, inventory->guests[i].name);
		wanted->to = xstrdup(inventory->hosts[0].name);
		wanted->is_start = sim_guest_was_shut_down(chaos->trial->sim, (uint32_t)i);
	}
	return request;
}

bool chaos_start_batch(struct chaos *chaos)
{
	unsigned draw = (unsigned)dice_between(chaos->dice, 0, 99);

	if (chaos->batches_left == 0 || chaos->trial->engine == NULL || chaos->trial->is_dead)
		return false;
	chaos->batches_left--;
	if (chaos->trial->n_requests > 0 && draw < 40)
		return trial_start(chaos->trial, draw_return(chaos)) != 0;
	return trial_start(chaos->trial, draw < 75 ? draw_drain(chaos) : draw_moves(chaos)) != 0;
}

/* Each of the first guests to the next of the first hosts, and sometimes others besides. */
static struct request *draw_circle(struct chaos *chaos, struct dice aside)
{
	const struct inventory *inventory = chaos->trial->inventory;
	struct request *request = request_new(REQUEST_BATCH);
	uint32_t i;

	for (i = 0; i < inventory->n_guests; i++)
		if (i < chaos->n_circle)
			request_add_move(request, inventory->guests[i].name)->to = xstrdup(inventory->hosts[(i + 1) % chaos->n_circle].name);
		else if (dice_chance(&aside, 200))
			request_add_move(request, inventory->guests[i].name)->to = xstrdup(inventory->hosts[dice_next(&aside) % inventory->n_hosts].name);
	return request;
}

void chaos_begin(struct chaos *chaos)
{
	if (chaos->n_circle > 0 && trial_start(chaos->trial, draw_circle(chaos, *chaos->dice)) != 0)
		return;
	if (!chaos_start_batch(chaos) && !chaos->trial->is_dead)
		trial_drain(chaos->trial, chaos->trial->inventory->hosts[0].name);
}

static void command(struct chaos *chaos)
{
	struct trial *trial = chaos->trial;
	uint64_t batch = dice_chance(chaos->dice, 500) ? 0 : 1 + dice_next(chaos->dice) % (trial->n_requests + 1);

	switch (dice_between(chaos->dice, 0, 9)) {
	case 0:
	case 1:
		trial_command(trial, COMMAND_PAUSE, batch, NULL);
		break;
	case 2:
	case 3:
	case 4:
		trial_command(trial, COMMAND_RESUME, batch, NULL);
		break;
	case 5:
		trial_command(trial, COMMAND_CANCEL, batch, trial->inventory->guests[any_guest(chaos)].name);
		break;
	case 6:
		if (dice_chance(chaos->dice, 300))
			trial_command(trial, COMMAND_CANCEL, batch, NULL);
		break;
	case 7:
		trial_cordon(trial, any_host(chaos), dice_chance(chaos->dice, 500));
		break;
	case 8:
		chaos_start_batch(chaos);
		break;
	default:
		if (dice_chance(chaos->dice, 200)) {
			trial_command(trial, COMMAND_STOP, 0, NULL);
			chaos->is_stopping = true;
		}
		break;
	}
}

/* The operator's change of one number, for one host or for all; or it is set to auto again. */
static void throttle(struct chaos *chaos)
{
	const struct inventory *inventory = chaos->trial->inventory;
	enum limit_kind kind = (enum limit_kind)dice_between(chaos->dice, LIMIT_MAX_MIGRATIONS, LIMIT_MAX_OUTGOING_STORAGE);
	bool is_for_all = kind == LIMIT_MAX_MIGRATIONS || dice_chance(chaos->dice, 400);
	size_t host = (size_t)dice_between(chaos->dice, 0, (int64_t)inventory->n_hosts - 1);

	trial_limit(chaos->trial, kind, is_for_all ? NULL : inventory->hosts[host].name, (uint64_t)dice_between(chaos->dice, 0, 3));
}

/* An operator who loses patience with what can only end. */
static void cancel_post_copy(struct chaos *chaos)
{
	struct trial *trial = chaos->trial;
	uint32_t guest = (uint32_t)(trial->n_events % trial->inventory->n_guests);

	if (chaos->operator_per_mille > 0 && sim_guest_phase(trial->sim, guest) == SIM_PHASE_POSTCOPY)
		trial_command(trial, COMMAND_CANCEL, 0, trial->inventory->guests[guest].name);
}

/* Limits, time limits and the way of handing over change while moves run; what concerns finished moves stays. */
static void reload(struct chaos *chaos)
{
	struct engine_options other;
	bool keeps_disks = chaos->trial->options.keep_source_disks;

	if (dice_chance(chaos->dice, 500)) {
		throttle(chaos);
		return;
	}
	world_draw_options(&other, chaos->dice);
	other.plan = chaos->trial->options.plan;
	other.keep_source_disks = keeps_disks;
	trial_reload(chaos->trial, &other);
}

static void disturb_clock(struct chaos *chaos)
{
	enum { DAY_MS = 86400000 };
	struct trial *trial = chaos->trial;

	switch (dice_between(chaos->dice, 0, 2)) {
	case 0:
		trial->wall_skew_ms = dice_between(chaos->dice, 0, 20 * (int64_t)DAY_MS) - 10 * (int64_t)DAY_MS;
		break;
	case 1:
		trial->early_ms = dice_between(chaos->dice, 1, 100000);
		break;
	default:
		trial_stall(trial, dice_between(chaos->dice, 1, 100000));
		break;
	}
}

static void hurt_manager(struct chaos *chaos)
{
	struct trial *trial = chaos->trial;

	switch (dice_between(chaos->dice, 0, 5)) {
	case 0:
	case 1:
		trial->is_dead = true; /* between two events */
		break;
	case 2:
		trial_crash_at(trial, (uint64_t)dice_between(chaos->dice, 1, 3), false, 0);
		break;
	case 3:
	case 4:
		trial_crash_at(trial, (uint64_t)dice_between(chaos->dice, 1, 3), true, (size_t)dice_between(chaos->dice, 0, 3));
		break;
	default:
		store_fault_fail(trial->store, (size_t)dice_between(chaos->dice, 1, 3), (size_t)dice_between(chaos->dice, 1, 4),
			(enum store_fault_kind)dice_between(chaos->dice, STORE_FAULT_BUSY, STORE_FAULT_FULL));
		break;
	}
}

static void bury_and_raise(struct chaos *chaos)
{
	struct trial *trial = chaos->trial;

	if (trial->engine != NULL) {
		trial_kill(trial);
		if ((chaos->faults & 1u << SIM_FAULT_STRANGER_MOVES) != 0 && dice_chance(chaos->dice, 400))
			apply(chaos, SIM_FAULT_STRANGER_MOVES, SIM_PHASE_NONE, any_guest(chaos), any_host(chaos));
		chaos->restart_ms = trial->now_ms + (dice_chance(chaos->dice, 500) ? 0 : dice_between(chaos->dice, 1, 60000));
	}
	if (sim_next_ms(trial->sim) > chaos->restart_ms || trial->now_ms >= chaos->restart_ms) {
		if (trial->now_ms < chaos->restart_ms) {
			trial->now_ms = chaos->restart_ms;
			sim_advance(trial->sim, trial->now_ms);
		}
		chaos->restart_ms = TIME_NEVER;
		chaos->is_stopping = false;
		store_fault_fail(trial->store, 1, 0, STORE_FAULT_IO);
		trial_restart(trial);
	}
}

void chaos_act(struct chaos *chaos)
{
	struct trial *trial = chaos->trial;

	if (trial->is_failed)
		return;
	if (trial->engine == NULL || trial->is_dead) {
		bury_and_raise(chaos);
		return;
	}
	if (trial->now_ms >= chaos->next_fault_ms) {
		fault_now(chaos);
		chaos->next_fault_ms = trial->now_ms + dice_between(chaos->dice, 1, 2 * chaos->fault_interval_ms);
	}
	cancel_post_copy(chaos);
	if (dice_chance(chaos->dice, chaos->operator_per_mille))
		command(chaos);
	if (dice_chance(chaos->dice, chaos->clock_per_mille))
		disturb_clock(chaos);
	if (dice_chance(chaos->dice, chaos->reload_per_mille))
		reload(chaos);
	if (trial->is_dead)
		return;
	if (dice_chance(chaos->dice, chaos->kill_per_mille) || (chaos->is_stopping && engine_is_quiet(trial->engine)))
		hurt_manager(chaos);
}
