/* Post-copy as libvirt and QEMU do it: the guest runs on the target, and its memory follows. From the switch on neither copy is
 * whole. A link that breaks leaves both as they are ("failed") until somebody lets the migration go on; a daemon that loses its
 * peer calls it failed while QEMU goes on, and QEMU ends it by itself; the death of either side is the end of the guest. */
#include "sim_world.h"

enum { LOOK_MS = 10000 }; /* a connection over a link that carries nothing lasts longer than that, but not for ever */

bool sim_migration_is_postcopy(const struct sim_migration *migration)
{
	return migration->phase == SIM_PHASE_POSTCOPY || migration->phase == SIM_PHASE_POSTCOPY_FAILED;
}

void sim_do_start_postcopy(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);
	struct sim_migration *migration = copy != NULL && copy->job == HV_JOB_OUT ? copy->migration : NULL;
	const char *guest = op->guest == INDEX_NONE ? "?" : sim_guest_name(sim, op->guest);

	if (migration == NULL || migration->phase != SIM_PHASE_MEMORY) {
		error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: post-copy can only be started while its memory is copied", guest);
		return;
	}
	if (!migration->postcopy) {
		error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: migration was not started with the POSTCOPY flag", guest);
		return;
	}
	sim_flow_settle(sim, migration);
	migration->is_switched = true;
	migration->postcopy_left = migration->remaining + migration->dirtied;
	sim_migration_switch(sim, migration, 0); /* the state of its devices */
}

/* Finish has started the target. */
void sim_postcopy_begin(struct sim *sim, struct sim_migration *migration)
{
	migration->to->is_postcopy = true;
	migration->to->job = HV_JOB_IN;
	sim_copy_set(sim, migration->from, HV_PAUSED, HV_PAUSE_POSTCOPY);
	sim_migration_enter(sim, migration, SIM_PHASE_POSTCOPY);
	sim_flow_start(sim, migration, migration->postcopy_left);
	sim_migration_schedule(sim, migration, sim_us(LOOK_MS));
}

/* All memory is there. */
void sim_postcopy_end(struct sim *sim, struct sim_migration *migration)
{
	sim_flow_stop(sim, migration);
	migration->to->is_postcopy = migration->to->is_postcopy_failed = false;
	migration->to->job = HV_JOB_NONE;
	sim_migration_enter(sim, migration, SIM_PHASE_CONFIRM);
	sim_migration_schedule(sim, migration, sim_us(sim->options.finish_ms));
}

/* QEMU's connection has broken. */
void sim_postcopy_breaks(struct sim *sim, struct sim_migration *migration, const char *why)
{
	struct error err = {.code = ERR_NONE};

	sim_flow_stop(sim, migration);
	migration->postcopy_left = migration->remaining;
	migration->to->is_postcopy_failed = true;
	sim_copy_set(sim, migration->from, HV_PAUSED, HV_PAUSE_POSTCOPY_FAILED);
	sim_migration_enter(sim, migration, SIM_PHASE_POSTCOPY_FAILED);
	error_set(&err, ERR_MIGRATE_FAILED, "guest %s: job 'migration out' failed in post-copy phase: %s", sim_guest_name(sim, migration->guest), why);
	sim_migration_reply(sim, migration, &err);
}

void sim_postcopy_look(struct sim *sim, struct sim_migration *migration)
{
	if (migration->phase == SIM_PHASE_POSTCOPY_FAILED)
		return;
	if (migration->rate == 0)
		sim_postcopy_breaks(sim, migration, "Connection timed out");
	else
		sim_migration_schedule(sim, migration, sim_us(LOOK_MS));
}

/* The daemons do not hear of each other any more: the source says "failed", and QEMU goes on. */
void sim_postcopy_unattended(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	sim_copy_set(sim, migration->from, HV_PAUSED, HV_PAUSE_POSTCOPY_FAILED);
	error_set(&err, ERR_MIGRATE_FAILED, "Lost connection to destination host");
	sim_migration_reply(sim, migration, &err);
}

/* One side is gone for good; the caller has ended it. What is left stands still, and libvirt leaves it as it is. */
void sim_postcopy_loses(struct sim *sim, struct sim_migration *migration, bool is_source)
{
	struct sim_copy *left = is_source ? migration->to : migration->from;
	uint32_t guest = migration->guest;
	struct error err = {.code = ERR_NONE};

	sim_flow_stop(sim, migration);
	if (is_source)
		migration->from = NULL;
	else
		migration->to = NULL;
	if (left != NULL) {
		left->is_postcopy_failed = is_source;
		sim_copy_set(sim, left, HV_PAUSED, HV_PAUSE_POSTCOPY_FAILED);
	}
	error_set(&err, ERR_MIGRATE_FAILED, "guest %s: job 'migration out' failed in post-copy phase", sim_guest_name(sim, guest));
	sim_migration_reply(sim, migration, &err);
	sim->counters.moves_failed++;
	sim_migration_free(sim, migration);
	if (left != NULL && is_source)
		left->job = HV_JOB_IN; /* nobody can have another one */
	sim->guests[guest].is_ended = true;
}

static bool is_cut(const struct sim *sim, const struct sim_migration *migration)
{
	size_t i;

	for (i = 0; i < migration->n_links; i++)
		if (sim->links[migration->links[i]].has_fault_rate && sim->links[migration->links[i]].fault_rate_bytes_per_s == 0)
			return true;
	return !sim_host_talks(sim, migration->source) || !sim_host_talks(sim, migration->target);
}

/* True when the reply comes later. */
bool sim_do_recover(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);
	struct sim_migration *migration = copy != NULL && copy->job == HV_JOB_OUT ? copy->migration : NULL;
	const char *guest = op->guest == INDEX_NONE ? "?" : sim_guest_name(sim, op->guest);

	if (migration == NULL || migration->op != NULL || migration->phase != SIM_PHASE_POSTCOPY_FAILED)
		return error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: its post-copy has not failed", guest);
	if (is_cut(sim, migration))
		return error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: unable to connect to server: No route to host", guest);
	migration->to->is_postcopy_failed = false;
	sim_copy_set(sim, migration->from, HV_PAUSED, HV_PAUSE_POSTCOPY);
	sim_migration_enter(sim, migration, SIM_PHASE_POSTCOPY);
	sim_flow_start(sim, migration, migration->postcopy_left);
	sim_migration_schedule(sim, migration, sim_us(LOOK_MS));
	if (op->reply_is_lost)
		sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, "the connection broke", sim_us(sim->options.request_timeout_ms));
	else
		migration->op = op;
	return true;
}
