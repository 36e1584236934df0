/* Requests on one guest: migrate and what steers it, where it is, and the acts of
 * the manager on a single copy, each with the guard that hypervisor.h promises. An act that stops a guest or lets it
 * run twice is carried out, as libvirt would, and is a breach. */
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

enum { CANCEL_MS = 20 }; /* QEMU's own cancel and the way to the target and back */

static bool error_absent(const struct sim *sim, struct sim_op *op)
{
	return error_set(&op->reply.error, ERR_UNKNOWN_GUEST, "guest %s: Domain not found on %s",
		op->guest == INDEX_NONE ? "?" : sim_guest_name(sim, op->guest), sim_host_name(sim, op->host));
}

static bool can_migrate(const struct sim *sim, struct sim_op *op, const struct sim_copy *copy)
{
	struct error *err = &op->reply.error;

	if (copy == NULL)
		return error_absent(sim, op);
	if (op->target == INDEX_NONE)
		return error_set(err, ERR_UNKNOWN_HOST, "migrate: no such target host");
	if (op->target == op->host)
		return error_set(err, ERR_SAME_HOST, "Attempt to migrate guest to the same host %s", sim_host_name(sim, op->host));
	if (copy->job != HV_JOB_NONE)
		return error_set(err, ERR_GUEST_BUSY, "guest %s: another migration job is already running for the domain", sim_guest_name(sim, copy->guest));
	if (copy->presence != HV_RUNNING && !(copy->presence == HV_PAUSED && copy->pause_reason == HV_PAUSE_USER))
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s: domain is not running", sim_guest_name(sim, copy->guest));
	if (sim->guests[copy->guest].migration != NULL) /* its other copy is still part of one */
		return error_set(err, ERR_GUEST_BUSY, "guest %s: another migration job is still ending", sim_guest_name(sim, copy->guest));
	if (op->postcopy && (op->paused_handover || copy->presence == HV_PAUSED))
		return error_set(err, ERR_UNSUPPORTED, "guest %s: post-copy migration is not supported with non-live or paused migration", sim_guest_name(sim, copy->guest));
	return true;
}

bool sim_do_migrate(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);
	struct sim_migration *migration;
	size_t i;

	if (op->postcopy_recover)
		return sim_do_recover(sim, op);
	if (!can_migrate(sim, op, copy))
		return false;
	migration = sim_migration_begin(sim, copy->guest, op->host, op->target);
	migration->first_limit = migration->limit = op->rate;
	if (op->downtime_ms > 0)
		migration->downtime_us = sim_us(op->downtime_ms);
	migration->persistent = op->persistent;
	migration->auto_converge = op->auto_converge;
	migration->paused_handover = op->paused_handover;
	migration->postcopy = op->postcopy;
	migration->disks = hv_disks_copy(op->request->disks, op->request->n_disks);
	migration->n_disks = op->request->n_disks;
	for (i = 0; i < op->request->n_nets; i++)
		name_map_add(&migration->nets, &migration->n_nets, op->request->nets[i].from, op->request->nets[i].to);
	sim_flow_route(sim, migration, op->request->target_address);
	if (op->reply_is_lost) { /* the connection of the caller breaks some time; the migration does not care */
		sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, "the connection broke", sim_us(sim->options.request_timeout_ms));
		return true;
	}
	migration->op = op;
	return true;
}

void sim_do_stats(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL)
		error_absent(sim, op);
	else if (copy->job == HV_JOB_OUT)
		sim_migration_stats(sim, copy->migration, &op->reply.stats);
}

static struct sim_migration *outgoing(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL)
		error_absent(sim, op);
	else if (copy->job != HV_JOB_OUT)
		error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: no migration job is active on %s",
			sim_guest_name(sim, copy->guest), sim_host_name(sim, op->host));
	else
		return copy->migration;
	return NULL;
}

void sim_do_set(struct sim *sim, struct sim_op *op)
{
	struct sim_migration *migration = outgoing(sim, op);

	if (migration == NULL)
		return;
	if (op->kind == HV_SET_DOWNTIME) {
		migration->downtime_us = sim_us(op->downtime_ms);
	} else if (migration->limit != op->rate) {
		migration->limit = op->rate;
		sim->flows_are_stale = true;
	}
}

void sim_do_abort(struct sim *sim, struct sim_op *op)
{
	struct sim_migration *migration = outgoing(sim, op);
	struct error err = {.code = ERR_NONE};

	if (migration == NULL || migration->phase == SIM_PHASE_CANCELLING)
		return;
	if (sim_migration_is_postcopy(migration)) {
		error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: cannot abort migration in post-copy mode", sim_guest_name(sim, migration->guest));
		return;
	}
	if (migration->phase == SIM_PHASE_FINISH || migration->phase == SIM_PHASE_CONFIRM) {
		error_set(&op->reply.error, ERR_MIGRATE_FAILED, "guest %s: the migration is past the point where it can be cancelled",
			sim_guest_name(sim, migration->guest));
		return;
	}
	error_set(&err, ERR_MIGRATE_ABORTED, "guest %s: operation aborted: migration out: canceled by client", sim_guest_name(sim, migration->guest));
	sim_migration_fail(sim, migration, sim_us(CANCEL_MS), &err);
}

void sim_do_where(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = sim_op_copy(sim, op);
	struct hv_where *where = &op->reply.where;

	if (copy == NULL)
		return; /* asked, and absent */
	where->presence = copy->presence;
	where->pause_reason = copy->pause_reason;
	where->job = copy->job;
	where->postcopy = copy->is_postcopy && sim_copy_is_active(copy);
	where->postcopy_failed = where->postcopy && copy->is_postcopy_failed;
	if (where->postcopy) {
		where->presence = HV_RUNNING; /* that its CPUs stand still libvirt does not know */
		where->pause_reason = HV_PAUSE_NONE;
	}
	where->persistent = copy->is_persistent;
	where->shutoff_by_migration = copy->presence == HV_SHUTOFF && copy->is_shutoff_by_migration;
	where->has_tag = copy->tag != NULL;
	if (copy->tag != NULL)
		where->job_tag = *copy->tag;
}

static bool is_our_tag(const struct sim_copy *copy, const struct sim_op *op)
{
	return copy->tag != NULL && strcmp(copy->tag->run, op->job.run) == 0 && copy->tag->move == op->job.move;
}

void sim_do_finish_target(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL) {
		error_absent(sim, op);
		return;
	}
	if ((!sim_copy_is_active(copy) && !op->cold) || copy->is_incoming) {
		error_set(&op->reply.error, ERR_GUEST_NOT_RUNNING, "guest %s: not running on %s yet", sim_guest_name(sim, copy->guest),
			sim_host_name(sim, op->host));
		return;
	}
	if (copy->tag != NULL && !is_our_tag(copy, op)) {
		error_set(&op->reply.error, ERR_VERIFY_FAILED, "guest %s: has the tag of another move", sim_guest_name(sim, copy->guest));
		return;
	}
	if (copy->is_persistent)
		copy->has_autostart = op->autostart;
	sim_copy_tag(copy, NULL);
}

void sim_do_clear_tag(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL || copy->tag == NULL || strcmp(copy->tag->run, op->job.run) != 0)
		return;
	if (copy->job != HV_JOB_NONE)
		error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s: cannot acquire state change lock (held by a migration)",
			sim_guest_name(sim, copy->guest));
	else {
		if (op->cold && copy->is_persistent)
			copy->has_autostart = op->autostart;
		sim_copy_tag(copy, NULL);
	}
}

/* Another copy of the guest that could still run: resuming this one is only right when there is none. */
static const struct sim_copy *rival(const struct sim *sim, const struct sim_copy *copy)
{
	const struct sim_copy *other;

	for (other = sim->guests[copy->guest].copies; other != NULL; other = other->next_of_guest) {
		if (other != copy && (other->presence == HV_RUNNING || (other->presence == HV_PAUSED && other->job == HV_JOB_OUT)))
			return other;
	}
	return NULL;
}

/* The newer copy was ended by a fault and left no trace, for it was not persistent: nobody can know of it. */
static bool is_last_chance(const struct sim *sim, const struct sim_copy *copy)
{
	return sim->guests[copy->guest].is_ended && !copy->is_persistent && sim_guest_main_copy(sim, copy->guest) == NULL;
}

static void breach_in_postcopy(struct sim *sim, const struct sim_copy *copy, const char *what)
{
	if (copy->is_postcopy || (copy->presence == HV_PAUSED && (copy->pause_reason == HV_PAUSE_POSTCOPY || copy->pause_reason == HV_PAUSE_POSTCOPY_FAILED)))
		sim_breach(sim, "guest %s is %s on %s while it is in post-copy", sim_guest_name(sim, copy->guest), what, sim_host_name(sim, copy->host));
}

void sim_do_resume(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);
	const struct sim_copy *other;

	if (copy == NULL) {
		error_absent(sim, op);
		return;
	}
	if (copy->presence == HV_RUNNING)
		return;
	breach_in_postcopy(sim, copy, "resumed");
	if (copy->presence != HV_PAUSED || copy->is_incoming || copy->job != HV_JOB_NONE ||
	    (copy->pause_reason != HV_PAUSE_MIGRATION && !is_our_tag(copy, op))) {
		error_set(&op->reply.error, copy->presence == HV_PAUSED ? ERR_GUEST_BUSY : ERR_GUEST_NOT_RUNNING,
			"guest %s: not to be resumed on %s: %s (%s)", sim_guest_name(sim, copy->guest), sim_host_name(sim, op->host),
			hv_presence_name(copy->presence), hv_pause_reason_name(copy->pause_reason));
		return;
	}
	other = rival(sim, copy);
	if (other != NULL)
		sim_breach(sim, "guest %s is resumed on %s while its copy on %s can run", sim_guest_name(sim, copy->guest),
			sim_host_name(sim, op->host), sim_host_name(sim, other->host));
	else if (copy->version == sim->guests[copy->guest].version || is_last_chance(sim, copy))
		sim_copy_takes_over(sim, copy);
	sim_copy_set(sim, copy, HV_RUNNING, HV_PAUSE_NONE);
	sim_note_send(sim, HV_NOTE_GUEST_RESUMED, op->host, copy->guest, 0, NULL);
}

void sim_do_suspend(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL) {
		error_absent(sim, op);
		return;
	}
	if (copy->presence != HV_RUNNING)
		return;
	/* The other of two may have died while the request was on its way; whether it runs on is then for the manager to say. */
	if (copy == sim_guest_main_copy(sim, copy->guest) && sim->guests[copy->guest].was_twice_us != 0 &&
		sim->now_us - sim->guests[copy->guest].was_twice_us <= MANAGER_LAG_US)
		sim->guests[copy->guest].is_ended = true;
	else if (copy == sim_guest_main_copy(sim, copy->guest))
		sim_breach(sim, "guest %s is suspended on %s, where it runs", sim_guest_name(sim, copy->guest), sim_host_name(sim, op->host));
	sim_copy_set(sim, copy, HV_PAUSED, HV_PAUSE_USER);
	sim_note_send(sim, HV_NOTE_GUEST_SUSPENDED, op->host, copy->guest, 0, NULL);
}

void sim_do_destroy(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op), *main_copy;
	struct sim_migration *migration;
	uint32_t guest;
	bool is_source;

	if (copy == NULL || !sim_copy_is_active(copy))
		return;
	guest = copy->guest;
	migration = copy->migration;
	breach_in_postcopy(sim, copy, "destroyed");
	is_source = migration != NULL && migration->from == copy;
	sim_copy_end(sim, copy, false);
	sim_note_send(sim, HV_NOTE_GUEST_STOPPED, op->host, guest, 0, NULL);
	main_copy = sim_guest_main_copy(sim, guest);
	if (main_copy == NULL && sim->guests[guest].lost_us >= 0 && sim->now_us - sim->guests[guest].lost_us <= MANAGER_LAG_US)
		sim->guests[guest].is_ended = true; /* the one that was to go on has just died with its host */
	else if (main_copy == NULL && !sim->guests[guest].is_ended)
		sim_breach(sim, "guest %s is destroyed on %s, and no other copy can go on", sim_guest_name(sim, guest), sim_host_name(sim, op->host));
	sim_guest_verify(sim, guest);
	if (migration == NULL)
		return;
	if (is_source) {
		sim_migration_source_gone(sim, migration);
	} else if (sim_migration_is_postcopy(migration)) {
		sim_postcopy_loses(sim, migration, false);
	} else {
		struct error err = {.code = ERR_NONE};

		migration->to = NULL;
		error_set(&err, ERR_MIGRATE_FAILED, "internal error: QEMU on the destination exited");
		sim_migration_fail(sim, migration, sim_us(CANCEL_MS), &err);
	}
}

/* A copy that only waits for its resume counts as lost too: whether it may run is for the manager to say, and
 * "rather not" is a right answer. */
void sim_guest_after_loss(struct sim *sim, uint32_t guest)
{
	struct sim_guest *g = &sim->guests[guest];
	struct sim_copy *copy = sim_guest_main_copy(sim, guest);

	if (!g->was_running && !g->was_paused)
		return;
	for (copy = copy != NULL ? copy : g->copies; copy != NULL; copy = copy->next_of_guest) {
		if (!sim_copy_is_active(copy) || copy->is_incoming || (copy->presence != HV_RUNNING && copy->version < g->version))
			continue;
		sim_copy_takes_over(sim, copy);
		sim_guest_verify(sim, guest);
		g->is_ended = g->was_running && copy->presence != HV_RUNNING;
		return;
	}
	g->is_ended = true;
}
