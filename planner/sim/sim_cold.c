/* Requests on guests that do not go live: shut down, copy the disks, define, start. A start that would let the guest run twice,
 * from old or from half copied disks is carried out, as libvirt would, and is a breach. */
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

enum {
	SHUTDOWN_MIN_MS = 500,
	SHUTDOWN_MAX_MS = 20000,
};
#define COPY_BYTES_PER_S ((uint64_t)100000000)

static struct sim_copy *must_copy(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);

	if (copy == NULL)
		error_set(&op->reply.error, ERR_UNKNOWN_GUEST, "guest %s: Domain not found on %s",
			op->guest == INDEX_NONE ? "?" : sim_guest_name(sim, op->guest), sim_host_name(sim, op->host));
	return copy;
}

static bool is_other_tag(const struct sim_copy *copy, const struct sim_op *op)
{
	if (op->job.epoch == 0)
		return copy->tag != NULL;
	return copy->tag == NULL || copy->tag->move != op->job.move || copy->tag->epoch != op->job.epoch ||
		strcmp(copy->tag->run, op->job.run) != 0;
}

void sim_do_shutdown(struct sim *sim, struct sim_op *op)
{
	const struct sim_copy *copy = must_copy(sim, op);

	if (copy == NULL)
		return;
	if (copy->job != HV_JOB_NONE)
		error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s: cannot acquire state change lock (held by a migration)",
			sim_guest_name(sim, copy->guest));
	else if (copy->presence == HV_RUNNING && !sim_chance(sim, sim->is_healed ? 0 : sim->options.faults.guest_deaf))
		sim_push(sim, sim->now_us + sim_random_between(&sim->rng, sim_us(SHUTDOWN_MIN_MS), sim_us(SHUTDOWN_MAX_MS)), SIM_EVENT_STOP,
			copy->guest, ((uint64_t)op->host << 32) | (copy->version & UINT32_MAX), NULL);
}

/* The guest has reacted to its power button, if it still runs there as it did. */
void sim_guest_stops(struct sim *sim, uint32_t guest, uint64_t serial)
{
	struct sim_copy *copy = sim_copy_on(sim, guest, (uint32_t)(serial >> 32));

	if (copy == NULL || copy->presence != HV_RUNNING || copy->job != HV_JOB_NONE || (copy->version & UINT32_MAX) != (serial & UINT32_MAX))
		return;
	sim->guests[guest].was_shut_down = true;
	copy->is_shutoff_by_migration = false;
	sim_copy_set(sim, copy, HV_SHUTOFF, HV_PAUSE_NONE);
	sim_note_send(sim, HV_NOTE_GUEST_STOPPED, copy->host, guest, 0, NULL);
}

static bool volume_there(const struct sim *sim, const struct sim_op *op, const struct hv_disk *disk, uint32_t *ret_volume)
{
	uint32_t pool = sim_pool_index(sim, op->target, disk->target_pool);

	*ret_volume = pool == INDEX_NONE ? INDEX_NONE : sim_volume_find(sim, sim->hosts[op->target].storages[pool], disk->target_volume);
	return *ret_volume != INDEX_NONE;
}

/* First the time that it takes, then the work: a manager that dies meanwhile leaves halves. */
bool sim_do_copy(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = must_copy(sim, op);
	uint64_t bytes = 0;
	uint32_t volume;
	size_t i;

	if (copy == NULL || op->manager != sim->manager)
		return false;
	if (sim_copy_is_active(copy)) {
		error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s: runs on %s, its disks are not copied", sim_guest_name(sim, copy->guest),
			sim_host_name(sim, op->host));
		return false;
	}
	for (i = 0; i < op->request->n_disks; i++) {
		bytes += op->request->disks[i].allocation_bytes;
		if (op->target == INDEX_NONE || !sim_host_answers(sim, op->target) || !volume_there(sim, op, &op->request->disks[i], &volume)) {
			error_set(&op->reply.error, ERR_PREPARE_FAILED, "guest %s: disk %s: no volume to copy into", sim_guest_name(sim, copy->guest),
				op->request->disks[i].target);
			return false;
		}
		if (!op->has_copied)
			continue;
		sim->volumes[volume].is_complete = true;
		sim->volumes[volume].version = sim->guests[copy->guest].version;
	}
	op->reply.stats.disk_processed_bytes = bytes;
	op->reply.stats.phase = HV_PHASE_DONE;
	if (op->has_copied)
		return false;
	op->has_copied = true;
	sim_push(sim, sim->now_us + (int64_t)(bytes / COPY_BYTES_PER_S + 1) * US_PER_S, SIM_EVENT_ARRIVE, 0, 0, op);
	return true;
}

static bool can_define(struct sim *sim, struct sim_op *op, const struct sim_copy *copy)
{
	const char *name = sim_guest_name(sim, copy->guest);

	if (sim_copy_is_active(copy))
		return error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s: runs on %s, it is not defined elsewhere", name, sim_host_name(sim, op->host));
	if (is_other_tag(copy, op))
		return error_set(&op->reply.error, ERR_VERIFY_FAILED, "guest %s: has not the tag of this attempt", name);
	if (op->target == INDEX_NONE || !sim_host_answers(sim, op->target))
		return error_set(&op->reply.error, ERR_HOST_UNREACHABLE, "host %s: does not answer",
			op->target == INDEX_NONE ? "?" : sim_host_name(sim, op->target));
	if (sim_copy_on(sim, copy->guest, op->target) != NULL)
		return error_set(&op->reply.error, ERR_TARGET_GUEST_EXISTS, "guest %s: is known on %s already", name, sim_host_name(sim, op->target));
	return true;
}

void sim_do_define(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = must_copy(sim, op), *there;
	size_t i, k;

	if (copy == NULL || !can_define(sim, op, copy))
		return;
	there = sim_copy_add(sim, copy->guest, op->target);
	there->is_persistent = true;
	there->version = copy->version;
	sim_copy_tag(there, &op->job);
	there->is_tag_defined = true;
	for (i = 0; i < sim->inventory->guests[copy->guest].n_disks; i++) {
		there->disks[i] = copy->disks[i]; /* shared, unless it was copied */
		for (k = 0; k < op->request->n_disks; k++) {
			if (strcmp(op->request->disks[k].target, sim->inventory->guests[copy->guest].disks[i].target) != 0)
				continue;
			there->disks[i].pool = sim_pool_index(sim, op->target, op->request->disks[k].target_pool);
			if (!volume_there(sim, op, &op->request->disks[k], &there->disks[i].volume))
				sim_breach(sim, "guest %s is defined on %s without disk %s", sim_guest_name(sim, copy->guest),
					sim_host_name(sim, op->target), op->request->disks[k].target);
			else if (!sim->volumes[there->disks[i].volume].is_complete)
				sim_breach(sim, "guest %s is defined on %s with disk %s half copied", sim_guest_name(sim, copy->guest),
					sim_host_name(sim, op->target), op->request->disks[k].target);
		}
	}
	sim_guest_verify(sim, copy->guest);
}

void sim_do_start(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = must_copy(sim, op);
	uint32_t guest;

	if (copy == NULL || sim_copy_is_active(copy))
		return;
	guest = copy->guest;
	if (is_other_tag(copy, op)) {
		error_set(&op->reply.error, ERR_VERIFY_FAILED, "guest %s: has not the tag of this attempt and is not started", sim_guest_name(sim, guest));
		return;
	}
	if (sim_chance(sim, sim->is_healed ? 0 : sim->options.faults.start_refused)) {
		error_set(&op->reply.error, ERR_VERIFY_FAILED, "guest %s: QEMU does not start on %s", sim_guest_name(sim, guest), sim_host_name(sim, op->host));
		return;
	}
	if (sim->hosts[op->host].memory_used_bytes + sim->inventory->guests[guest].memory_bytes > sim->hosts[op->host].memory_limit_bytes) {
		error_set(&op->reply.error, ERR_TARGET_MEMORY, "guest %s: cannot allocate memory on %s", sim_guest_name(sim, guest), sim_host_name(sim, op->host));
		return;
	}
	if (copy->version == sim->guests[guest].version)
		sim_copy_takes_over(sim, copy);
	sim->guests[guest].was_shut_down = false;
	sim_copy_set(sim, copy, HV_RUNNING, HV_PAUSE_NONE);
	sim_note_send(sim, HV_NOTE_GUEST_STARTED, op->host, guest, 0, NULL);
}
