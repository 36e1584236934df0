/* How a migration ends when it does not end well, by the phase it was in: what libvirt
 * cancels, resumes, kills or leaves behind. Volumes on the target always stay, and
 * so does the tag on the source. */
#include <assert.h>

#include "sim_world.h"

void sim_migration_kill_target(struct sim *sim, struct sim_migration *migration)
{
	struct sim_copy *to = migration->to;

	if (to == NULL)
		return;
	migration->to = NULL;
	sim_copy_end(sim, to, false);
	sim_note_send(sim, HV_NOTE_GUEST_STOPPED, migration->target, migration->guest, 0, NULL);
}

/* The source goes on from where it stopped, whatever the target does: libvirt does not know better.
 * When the target runs too, this is the split brain. */
static void resume_source(struct sim *sim, struct sim_migration *migration)
{
	struct sim_copy *from = migration->from;

	if (from == NULL)
		sim_migration_without_source(sim, migration);
	if (from == NULL || !migration->source_is_stopped)
		return;
	migration->source_is_stopped = false;
	if (migration->was_paused)
		return;
	if (migration->to != NULL && migration->to->presence == HV_RUNNING)
		sim->guests[migration->guest].may_run_twice = true;
	else
		sim_copy_takes_over(sim, from);
	sim_copy_set(sim, from, HV_RUNNING, HV_PAUSE_NONE);
	sim_note_send(sim, HV_NOTE_GUEST_RESUMED, migration->source, migration->guest, 0, NULL);
}

void sim_migration_fail(struct sim *sim, struct sim_migration *migration, int64_t delay_us, const struct error *error)
{
	if (migration->phase == SIM_PHASE_CANCELLING)
		return;
	sim_flow_stop(sim, migration);
	migration->failed_in = migration->phase;
	migration->error = *error;
	sim_migration_enter(sim, migration, SIM_PHASE_CANCELLING);
	sim_migration_schedule(sim, migration, delay_us);
}

void sim_migration_cancelled(struct sim *sim, struct sim_migration *migration)
{
	uint32_t guest = migration->guest;

	if (migration->failed_in != SIM_PHASE_CONFIRM)
		sim_migration_kill_target(sim, migration);
	if (migration->is_strangers && migration->to != NULL)
		sim_migration_end_source(sim, migration); /* a stranger does not leave it running twice */
	else
		resume_source(sim, migration);
	sim->counters.moves_failed++;
	sim_migration_reply(sim, migration, &migration->error);
	sim_migration_free(sim, migration);
	if (sim_guest_main_copy(sim, guest) == NULL)
		sim_guest_after_loss(sim, guest); /* its source had died before, and now the unfinished copy is gone too */
}

void sim_migration_forget(struct sim *sim, struct sim_migration *migration, const char *why)
{
	struct sim_op *op = migration->op;

	migration->op = NULL;
	if (op != NULL)
		sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, why, 0);
	if (migration->from == NULL)
		sim_migration_without_source(sim, migration);
	sim->counters.moves_failed++;
	sim_migration_free(sim, migration);
}

/* libvirtd of the source comes up again and finds the job in its status file. The caller's connection is gone. */
void sim_migration_source_restarts(struct sim *sim, struct sim_migration *migration)
{
	enum sim_phase phase = migration->phase;
	uint32_t guest = migration->guest;
	struct sim_op *op = migration->op;

	if (sim_migration_is_postcopy(migration)) {
		migration->op = NULL;
		if (op != NULL)
			sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, "libvirtd restarted", 0);
		return;
	}
	if (migration->is_switched && phase == SIM_PHASE_CONFIRM) {
		sim_migration_end_source(sim, migration);
		sim_migration_forget(sim, migration, "libvirtd restarted");
		return;
	}
	sim_flow_stop(sim, migration);
	if (phase != SIM_PHASE_CONFIRM && !(phase == SIM_PHASE_CANCELLING && migration->failed_in == SIM_PHASE_CONFIRM))
		sim_migration_kill_target(sim, migration); /* its connection closed: autodestroy */
	/* In the window between the last byte and Confirm nobody knows whether the target runs: left paused. A stranger
	 * puts it right by hand. */
	if (phase != SIM_PHASE_FINISH && phase != SIM_PHASE_CONFIRM)
		resume_source(sim, migration);
	else if (migration->is_strangers && migration->to == NULL)
		resume_source(sim, migration);
	else if (migration->is_strangers)
		sim_migration_end_source(sim, migration);
	sim_migration_forget(sim, migration, "libvirtd restarted");
	if (sim_guest_main_copy(sim, guest) == NULL)
		sim_guest_after_loss(sim, guest); /* its source had died before, and was started again without it */
}

/* In post-copy, and once that is complete, QEMU's word counts more than that of a daemon. */
static bool lost_its_peer(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (sim_migration_is_postcopy(migration)) {
		sim_postcopy_unattended(sim, migration);
		return true;
	}
	if (!migration->is_switched || migration->phase != SIM_PHASE_CONFIRM)
		return false;
	error_set(&err, ERR_MIGRATE_FAILED, "Lost connection to destination host");
	sim_migration_completes(sim, migration, &err);
	return true;
}

void sim_migration_target_restarts(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};
	bool runs = migration->to != NULL && migration->to->presence == HV_RUNNING;

	if (migration->phase == SIM_PHASE_BEGIN || migration->phase == SIM_PHASE_CANCELLING)
		return;
	if (lost_its_peer(sim, migration))
		return;
	if (!runs)
		sim_migration_kill_target(sim, migration);
	error_set(&err, ERR_MIGRATE_FAILED, "Lost connection to destination host");
	sim_migration_fail(sim, migration, 0, &err);
}

/* The process and the daemon of the source are gone; migration->from has been ended by the caller. */
void sim_migration_source_dies(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (sim_migration_is_postcopy(migration)) {
		sim_postcopy_loses(sim, migration, true);
		return;
	}
	migration->from = NULL;
	if (migration->phase == SIM_PHASE_CONFIRM) {
		sim_migration_end_source(sim, migration);
		sim_migration_forget(sim, migration, "the source host died");
	} else if (migration->phase == SIM_PHASE_FINISH) {
		migration->finish_lost = false; /* Finish is under way on the target and starts it */
	} else {
		error_set(&err, ERR_MIGRATE_FAILED, "the source host died");
		sim_migration_fail(sim, migration, sim_us(sim->options.keepalive_ms), &err);
	}
}

/* migration->to has been ended by the caller. The source waits for its keepalive. */
void sim_migration_target_dies(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (sim_migration_is_postcopy(migration)) {
		sim_postcopy_loses(sim, migration, false);
		return;
	}
	migration->to = NULL;
	if (migration->phase == SIM_PHASE_BEGIN)
		return;
	if (lost_its_peer(sim, migration))
		return;
	error_set(&err, ERR_MIGRATE_FAILED, "Lost connection to destination host");
	sim_migration_fail(sim, migration, sim_us(sim->options.keepalive_ms), &err);
}

/* Both sides have given up their connection to the other. */
void sim_migration_peer_cut(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (migration->phase == SIM_PHASE_BEGIN || migration->phase == SIM_PHASE_CANCELLING || lost_its_peer(sim, migration))
		return;
	error_set(&err, ERR_MIGRATE_FAILED, "Lost connection to destination host");
	sim_migration_fail(sim, migration, 0, &err);
}

/* The source's copy was destroyed or ended by itself; the caller has ended it. */
void sim_migration_source_gone(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (sim_migration_is_postcopy(migration)) {
		sim_postcopy_loses(sim, migration, true);
		return;
	}
	migration->from = NULL;
	error_set(&err, ERR_MIGRATE_FAILED, "operation failed: domain is not running");
	if (migration->phase == SIM_PHASE_CONFIRM || (migration->phase == SIM_PHASE_CANCELLING && migration->failed_in == SIM_PHASE_CONFIRM)) {
		sim_migration_end_source(sim, migration);
		sim->counters.moves_failed++;
		sim_migration_reply(sim, migration, &err);
		sim_migration_free(sim, migration);
		return;
	}
	sim_migration_fail(sim, migration, 0, &err);
}
