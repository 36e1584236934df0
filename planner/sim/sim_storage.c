/* Pre-flight, and the volumes of a move: made on the target before it, removed there
 * after a failure and on the source after success. Deleting what somebody
 * still needs is carried out as libvirt would, and is a breach. */
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

typedef unsigned long long ull;

static const char *lookup(const struct name_map *maps, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(maps[i].from, name) == 0)
			return maps[i].to;
	}
	return NULL;
}

bool sim_disk_is_copied(const struct sim *sim, const struct sim_copy *copy, size_t disk, uint32_t target, const char *pool_name)
{
	uint32_t pool = sim_pool_index(sim, target, pool_name);

	return pool == INDEX_NONE || sim->hosts[target].storages[pool] != sim->volumes[copy->disks[disk].volume].storage;
}

/* A guest that goes cold may be shut off, and needs not be able to move live. */
static bool check_cold_guest(const struct sim *sim, const struct sim_copy *copy, struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];

	if (copy->job != HV_JOB_NONE)
		return error_set(err, ERR_GUEST_BUSY, "guest %s: a migration job is already running for the domain", guest->name);
	if (copy->presence == HV_PAUSED)
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s: is paused on %s and cannot shut down", guest->name, sim_host_name(sim, copy->host));
	return copy->is_persistent || error_set(err, ERR_GUEST_DEVICE, "guest %s: is transient and would be gone once shut down", guest->name);
}

static bool check_guest(const struct sim *sim, const struct sim_copy *copy, struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];
	size_t i;

	if (copy->job != HV_JOB_NONE)
		return error_set(err, ERR_GUEST_BUSY, "guest %s: another migration job is already running for the domain", guest->name);
	if (copy->presence != HV_RUNNING && !(copy->presence == HV_PAUSED && copy->pause_reason == HV_PAUSE_USER))
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s: %s on %s", guest->name, hv_presence_name(copy->presence),
			sim_host_name(sim, copy->host));
	if (guest->unmovable != NULL) {
		*err = *guest->unmovable;
		return false;
	}
	if (guest->hostdevs > 0)
		return error_set(err, ERR_GUEST_HOSTDEV, "guest %s: %u devices of the host are assigned to it", guest->name, guest->hostdevs);
	for (i = 0; i < guest->n_disks; i++) {
		if (guest->disks[i].passthrough)
			return error_set(err, ERR_GUEST_PASSTHROUGH, "guest %s: disk %s is a device of the host", guest->name, guest->disks[i].target);
		if (copy->disks[i].volume == INDEX_NONE && !guest->disks[i].readonly && guest->disks[i].share_id == NULL)
			return error_set(err, ERR_GUEST_DISK, "guest %s: disk %s is in no storage pool", guest->name, guest->disks[i].target);
	}
	return true;
}

/* Equal hosts are equal for every guest; otherwise only the same model and the generic ones go. */
static bool cpu_fits(const struct sim *sim, const struct sim_copy *copy, const struct host *target)
{
	static const char *const generic[] = {"qemu64", "qemu32", "kvm64", "kvm32", "max", "x86-64-v1"};
	const char *wanted = sim->inventory->guests[copy->guest].cpu_model;
	const char *source = sim->inventory->hosts[copy->host].cpu_model;
	size_t i;

	if (wanted == NULL || target->cpu_model == NULL || strcmp(wanted, target->cpu_model) == 0 ||
	    (source != NULL && strcmp(source, target->cpu_model) == 0))
		return true;
	for (i = 0; i < sizeof generic / sizeof generic[0]; i++) {
		if (strcmp(wanted, generic[i]) == 0)
			return true;
	}
	return false;
}

static bool check_target(const struct sim *sim, const struct sim_copy *copy, const struct sim_op *op, struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];
	const struct host *host = &sim->inventory->hosts[op->target];
	const struct sim_host *target = &sim->hosts[op->target];
	uint32_t other = name_index_find(sim->guest_names, guest->name);
	uint64_t used = target->memory_used_bytes + target->memory_by_strangers;
	uint64_t has = target->memory_limit_bytes > used ? target->memory_limit_bytes - used : 0;
	size_t i;

	for (; other != INDEX_NONE; other = sim->guests[other].same_name) {
		if (sim_copy_on(sim, other, op->target) != NULL)
			return error_set(err, ERR_TARGET_GUEST_EXISTS, "guest %s: a guest of that name is on %s", guest->name, host->name);
	}
	if (has < guest->memory_bytes)
		return error_set(err, ERR_TARGET_MEMORY, "guest %s: needs %llu bytes of memory, host %s has %llu free", guest->name,
			(ull)guest->memory_bytes, host->name, (ull)has);
	if (!cpu_fits(sim, copy, host))
		return error_set(err, ERR_TARGET_CPU_MODEL, "guest %s: has a %s CPU, host %s a %s", guest->name, guest->cpu_model,
			host->name, host->cpu_model);
	for (i = 0; i < guest->n_interfaces && host->n_networks > 0; i++) {
		const char *name = lookup(op->request->nets, op->request->n_nets, guest->interfaces[i]);

		name = name != NULL ? name : guest->interfaces[i];
		if (!host_has_network(host, name))
			return error_set(err, ERR_TARGET_NETWORK_MISSING, "guest %s: host %s has no network %s", guest->name, host->name, name);
	}
	return true;
}

static void describe_disk(const struct sim *sim, const struct sim_copy *copy, size_t i, const struct sim_op *op, const char *pool_name,
	struct hv_disk *ret_disk)
{
	const struct disk *disk = &sim->inventory->guests[copy->guest].disks[i];
	const struct sim_volume *volume = &sim->volumes[copy->disks[i].volume];
	const struct pool *from = &sim->inventory->hosts[copy->host].pools[copy->disks[i].pool];
	uint32_t p = sim_pool_index(sim, op->target, pool_name);
	const struct pool *to = p == INDEX_NONE ? NULL : &sim->inventory->hosts[op->target].pools[p];
	const char *name = planner_mapped_volume(op->request->pools, op->request->n_pools, disk->target, volume->name);

	ret_disk->target = xstrdup(disk->target);
	ret_disk->source_pool = xstrdup(from->name);
	ret_disk->source_volume = xstrdup(volume->name);
	ret_disk->source_path = from->path != NULL ? xprintf("%s/%s", from->path, volume->name) : NULL;
	ret_disk->target_pool = xstrdup(pool_name);
	ret_disk->target_volume = xstrdup(name);
	ret_disk->target_path = to != NULL && to->path != NULL ? xprintf("%s/%s", to->path, name) : NULL;
	ret_disk->format = disk->format;
	ret_disk->capacity_bytes = disk->capacity_bytes;
	ret_disk->allocation_bytes = disk->allocation_bytes > 0 ? disk->allocation_bytes : disk->capacity_bytes;
}

/* Pool, name and space for one copied disk; others of the same guest may have taken space of the same pool in `planned`. */
static bool check_disk(const struct sim *sim, const struct hv_disk *disks, size_t n, const char *guest, uint32_t target, struct error *err)
{
	const struct hv_disk *disk = &disks[n - 1];
	uint32_t pool = sim_pool_index(sim, target, disk->target_pool), storage;
	uint64_t needed = 0;
	size_t i;

	if (pool == INDEX_NONE)
		return error_set(err, ERR_TARGET_POOL_MISSING, "guest %s: disk %s: host %s has no pool %s", guest, disk->target,
			sim_host_name(sim, target), disk->target_pool);
	storage = sim->hosts[target].storages[pool];
	for (i = 0; i < n; i++)
		needed += strcmp(disks[i].target_pool, disk->target_pool) == 0 ? disks[i].allocation_bytes : 0;
	if (needed > sim->storages[storage].available_bytes)
		return error_set(err, ERR_TARGET_POOL_SPACE, "guest %s: disk %s: needs %llu bytes in pool %s of host %s, %llu are available",
			guest, disk->target, (ull)needed, disk->target_pool, sim_host_name(sim, target),
			(ull)sim->storages[storage].available_bytes);
	if (sim_volume_find(sim, storage, disk->target_volume) != INDEX_NONE)
		return error_set(err, ERR_TARGET_VOLUME_EXISTS, "guest %s: disk %s: volume %s is in pool %s of host %s already", guest,
			disk->target, disk->target_volume, disk->target_pool, sim_host_name(sim, target));
	return true;
}

static bool list_disks(const struct sim *sim, const struct sim_copy *copy, const struct sim_op *op, struct hv_preflight *preflight,
	struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];
	size_t i;

	preflight->disks = xcalloc(guest->n_disks, sizeof *preflight->disks);
	for (i = 0; i < guest->n_disks; i++) {
		const char *pool;

		if (guest->disks[i].readonly || copy->disks[i].volume == INDEX_NONE)
			continue;
		pool = planner_mapped_pool(op->request->pools, op->request->n_pools, guest->disks[i].target,
			sim->inventory->hosts[copy->host].pools[copy->disks[i].pool].name);
		if (!sim_disk_is_copied(sim, copy, i, op->target, pool))
			continue;
		describe_disk(sim, copy, i, op, pool, &preflight->disks[preflight->n_disks++]);
		if (!check_disk(sim, preflight->disks, preflight->n_disks, guest->name, op->target, err))
			return false;
	}
	return true;
}

/* The other host of a request as the manager reaches it; false with a definite error. */
static bool check_other_host(const struct sim *sim, const struct sim_op *op, struct error *err)
{
	if (op->target == INDEX_NONE)
		return error_set(err, ERR_UNKNOWN_HOST, "%s: no such target host", hv_kind_name(op->kind));
	if (op->target == op->host)
		return error_set(err, ERR_SAME_HOST, "%s: source and target are both %s", hv_kind_name(op->kind), sim_host_name(sim, op->host));
	if (!sim_host_answers(sim, op->target))
		return error_set(err, ERR_HOST_UNREACHABLE, "host %s: does not answer", sim_host_name(sim, op->target));
	return true;
}

static bool check_present(const struct sim *sim, const struct sim_op *op, const struct sim_copy *copy, struct error *err)
{
	if (copy != NULL)
		return true;
	return error_set(err, ERR_UNKNOWN_GUEST, "guest %s: Domain not found on %s",
		op->guest == INDEX_NONE ? "?" : sim_guest_name(sim, op->guest), sim_host_name(sim, op->host));
}

void sim_do_same_pools(struct sim *sim, struct sim_op *op)
{
	size_t i;

	if (!check_other_host(sim, op, &op->reply.error))
		return;
	for (i = 0; i < op->request->n_pools; i++) {
		const struct name_map *pair = &op->request->pools[i];
		uint32_t here = sim_pool_index(sim, op->host, pair->from), there = sim_pool_index(sim, op->target, pair->to);

		if (here != INDEX_NONE && there != INDEX_NONE && sim->hosts[op->host].storages[here] == sim->hosts[op->target].storages[there])
			name_map_add(&op->reply.pools, &op->reply.n_pools, pair->from, pair->to);
	}
}

void sim_do_preflight(struct sim *sim, struct sim_op *op)
{
	struct hv_preflight *preflight = &op->reply.preflight;
	const struct sim_copy *copy = sim_op_copy(sim, op);
	const struct sim_host *target;
	uint64_t used;

	if (!check_present(sim, op, copy, &op->reply.error) || !(op->cold ? check_cold_guest : check_guest)(sim, copy, &op->reply.error) ||
	    !check_other_host(sim, op, &op->reply.error) || !check_target(sim, copy, op, &op->reply.error) ||
	    !list_disks(sim, copy, op, preflight, &op->reply.error))
		return;
	target = &sim->hosts[op->target];
	used = target->memory_used_bytes + target->memory_by_strangers;
	preflight->persistent = copy->is_persistent;
	preflight->autostart = copy->has_autostart;
	preflight->shutoff = copy->presence == HV_SHUTOFF;
	preflight->paused = copy->presence == HV_PAUSED;
	preflight->memory_bytes = sim->inventory->guests[copy->guest].memory_bytes;
	preflight->target_free_memory_bytes = target->memory_limit_bytes - used;
	preflight->disks_can_be_throttled = true;
}

static bool make_volume(struct sim *sim, const struct sim_op *op, uint32_t guest, struct hv_disk *disk, struct error *err)
{
	const char *name = sim_guest_name(sim, guest);
	uint32_t pool, volume;
	struct sim_storage *storage;
	struct hv_disk alone = *disk;
	const char *path;
	size_t i;

	if (!check_disk(sim, &alone, 1, name, op->target, err))
		return false;
	pool = sim_pool_index(sim, op->target, disk->target_pool);
	storage = &sim->storages[sim->hosts[op->target].storages[pool]];
	volume = sim_volume_add(sim, sim->hosts[op->target].storages[pool], disk->target_volume);
	sim->volumes[volume].host = op->target;
	sim->volumes[volume].guest = guest;
	for (i = 0; i < sim->inventory->guests[guest].n_disks; i++) {
		if (strcmp(sim->inventory->guests[guest].disks[i].target, disk->target) == 0)
			sim->volumes[volume].disk = (uint32_t)i;
	}
	sim->volumes[volume].capacity_bytes = disk->capacity_bytes;
	sim->volumes[volume].taken_bytes = disk->allocation_bytes > 0 ? disk->allocation_bytes : disk->capacity_bytes;
	sim->volumes[volume].is_ours = true;
	storage->available_bytes -= sim->volumes[volume].taken_bytes;
	path = sim->inventory->hosts[op->target].pools[pool].path;
	free(disk->target_path);
	disk->target_path = path != NULL ? xprintf("%s/%s", path, disk->target_volume) : NULL;
	disk->was_created = true;
	return true;
}

void sim_do_prepare(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);
	size_t i;

	op->reply.disks = hv_disks_copy(op->request->disks, op->request->n_disks);
	op->reply.n_disks = op->request->n_disks;
	for (i = 0; i < op->reply.n_disks; i++)
		op->reply.disks[i].was_created = false;
	if (!check_present(sim, op, copy, &op->reply.error))
		return;
	if (copy->job != HV_JOB_NONE) {
		error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s: cannot acquire state change lock (held by a migration)",
			sim_guest_name(sim, copy->guest));
		return;
	}
	if (!sim_copy_is_active(copy) && !op->cold) {
		error_set(&op->reply.error, ERR_GUEST_NOT_RUNNING, "guest %s: domain is not running", sim_guest_name(sim, copy->guest));
		return;
	}
	sim_copy_tag(copy, &op->job);
	if (op->cold) {
		/* In its definition too: it outlives the guest's stop; and no boot of the host starts what is being copied. */
		copy->is_tag_defined = copy->is_persistent;
		copy->has_autostart = false;
	}
	if (op->reply.n_disks == 0 || !check_other_host(sim, op, &op->reply.error))
		return;
	for (i = 0; i < op->reply.n_disks; i++) {
		if (!make_volume(sim, op, copy->guest, &op->reply.disks[i], &op->reply.error))
			return;
	}
}

/* Another complete one of the same data: a guest that was moved cold has two until the first is cleaned away. */
static bool has_twin(const struct sim *sim, uint32_t index)
{
	const struct sim_volume *volume = &sim->volumes[index];
	uint32_t i;

	for (i = 0; i < sim->n_volumes; i++)
		if (i != index && sim->volumes[i].exists && sim->volumes[i].is_complete && sim->volumes[i].guest == volume->guest &&
			sim->volumes[i].disk == volume->disk && sim->volumes[i].version == volume->version)
			return true;
	return false;
}

/* Why deleting this volume would lose data; a breach when it is done. */
static void check_deletion(struct sim *sim, uint32_t index, bool must_be_ours)
{
	const struct sim_volume *volume = &sim->volumes[index];
	const struct sim_copy *keeper;
	size_t i;

	if (must_be_ours && !volume->is_ours)
		sim_breach(sim, "volume %s is removed, which was not made for a move", volume->name);
	if (volume->guest == INDEX_NONE)
		return;
	keeper = sim_guest_main_copy(sim, volume->guest);
	for (i = 0; keeper != NULL && i < sim->inventory->guests[volume->guest].n_disks; i++) {
		if (keeper->disks[i].volume == index)
			sim_breach(sim, "volume %s is removed while guest %s uses it on %s", volume->name,
				sim_guest_name(sim, volume->guest), sim_host_name(sim, keeper->host));
	}
	if (keeper == NULL && volume->is_complete && volume->version == sim->guests[volume->guest].version && !has_twin(sim, index))
		sim_breach(sim, "volume %s is removed, which holds the newest data of guest %s", volume->name, sim_guest_name(sim, volume->guest));
}

static bool delete_volume(struct sim *sim, uint32_t host, const char *pool_name, const char *name, bool must_be_ours, struct error *err)
{
	uint32_t pool = sim_pool_index(sim, host, pool_name), volume;

	if (pool == INDEX_NONE || name == NULL)
		return error_set(err, ERR_TARGET_POOL_MISSING, "host %s has no pool %s", sim_host_name(sim, host), pool_name != NULL ? pool_name : "?");
	volume = sim_volume_find(sim, sim->hosts[host].storages[pool], name);
	if (volume == INDEX_NONE)
		return true;
	if (sim_volume_in_use(sim, volume, true)) {
		const struct sim_copy *here = sim_copy_on(sim, sim->volumes[volume].guest, host);

		if (here != NULL && sim_copy_is_active(here))
			return error_set(err, ERR_GUEST_BUSY, "volume %s on %s is in use by guest %s", name, sim_host_name(sim, host),
				sim_guest_name(sim, here->guest));
	}
	check_deletion(sim, volume, must_be_ours);
	sim_volume_remove(sim, volume);
	return true;
}

void sim_do_remove_volumes(struct sim *sim, struct sim_op *op)
{
	size_t i;

	for (i = 0; i < op->request->n_disks; i++) {
		const struct hv_disk *disk = &op->request->disks[i];

		if (disk->was_created && !delete_volume(sim, op->host, disk->target_pool, disk->target_volume, true, &op->reply.error))
			return;
	}
}

void sim_do_finish_source(struct sim *sim, struct sim_op *op)
{
	struct sim_copy *copy = sim_op_copy(sim, op);
	size_t i;

	if (copy != NULL && sim_copy_is_active(copy)) {
		error_set(&op->reply.error, ERR_GUEST_BUSY, "guest %s is %s on %s: its source is not cleaned", sim_guest_name(sim, copy->guest),
			hv_presence_name(copy->presence), sim_host_name(sim, op->host));
		return;
	}
	if (copy != NULL)
		sim_copy_remove(sim, copy);
	for (i = 0; i < op->request->n_disks; i++) {
		const struct hv_disk *disk = &op->request->disks[i];

		if (!delete_volume(sim, op->host, disk->source_pool, disk->source_volume, false, &op->reply.error))
			return;
	}
}
