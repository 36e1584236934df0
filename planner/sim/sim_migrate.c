/* One peer-to-peer migration as libvirt runs it, when nothing goes wrong: Begin, Prepare,
 * copy of the disks, rounds of pre-copy, switchover, Finish, Confirm. What each host shows at
 * each instant is the state of the two copies; sim_fail.c ends it otherwise. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

static const char *const phase_names[SIM_PHASE_COUNT] = {
	[SIM_PHASE_NONE] = "none", [SIM_PHASE_BEGIN] = "begin", [SIM_PHASE_PREPARED] = "prepared",
	[SIM_PHASE_DISKS] = "disks", [SIM_PHASE_MEMORY] = "memory", [SIM_PHASE_SWITCHOVER] = "switchover",
	[SIM_PHASE_FINISH] = "finish", [SIM_PHASE_CONFIRM] = "confirm", [SIM_PHASE_CANCELLING] = "cancelling",
	[SIM_PHASE_POSTCOPY] = "post-copy", [SIM_PHASE_POSTCOPY_FAILED] = "post-copy failed",
};

enum {
	THROTTLE_FIRST_PERCENT = 20, THROTTLE_STEP_PERCENT = 10, THROTTLE_MAX_PERCENT = 99, /* QEMU's defaults */
	NO_ROUTE_MS = 3000,       /* until connect() gives up */
	PEER_RETRY_MS = 1000,     /* how often a call over a cut peer connection is looked at again */
};

const char *sim_phase_name(enum sim_phase phase)
{
	return phase_names[phase];
}

static struct sim_migration *take_slot(struct sim *sim)
{
	struct sim_migration *migration = xcalloc(1, sizeof *migration);
	size_t i;

	for (i = 0; i < sim->n_migrations && sim->migrations[i] != NULL; i++)
		;
	if (i == sim->n_migrations) {
		sim->migrations = xgrow(sim->migrations, sim->n_migrations, sizeof(struct sim_migration *));
		sim->n_migrations++;
	}
	sim->migrations[i] = migration;
	migration->slot = (uint32_t)i;
	return migration;
}

static void count_in_flight(struct sim *sim, struct sim_migration *migration)
{
	struct sim_host *source = &sim->hosts[migration->source], *target = &sim->hosts[migration->target];

	sim->counters.moves_started++;
	if (++sim->counters.in_flight > sim->counters.max_in_flight)
		sim->counters.max_in_flight = sim->counters.in_flight;
	if (++source->out > source->max_out)
		source->max_out = source->out;
	if (++target->in > target->max_in)
		target->max_in = target->in;
}

struct sim_migration *sim_migration_begin(struct sim *sim, uint32_t guest, uint32_t source, uint32_t target)
{
	struct sim_migration *migration = take_slot(sim);

	migration->guest = guest;
	migration->source = source;
	migration->target = target;
	migration->from = sim_copy_on(sim, guest, source);
	migration->from->job = HV_JOB_OUT;
	migration->from->migration = migration;
	migration->was_paused = migration->from->presence == HV_PAUSED;
	migration->downtime_us = sim_us(sim->options.downtime_ms);
	migration->started_us = sim->now_us;
	sim->guests[guest].migration = migration;
	count_in_flight(sim, migration);
	sim_migration_enter(sim, migration, SIM_PHASE_BEGIN);
	sim_migration_schedule(sim, migration, sim_us(sim->options.setup_ms) / 4);
	sim_fault_on_migration(sim, migration);
	return migration;
}

void sim_migration_free(struct sim *sim, struct sim_migration *migration)
{
	assert(migration->op == NULL);
	sim_flow_stop(sim, migration);
	if (migration->from != NULL) {
		migration->from->migration = NULL;
		migration->from->job = HV_JOB_NONE;
	}
	if (migration->to != NULL) {
		migration->to->migration = NULL;
		migration->to->job = HV_JOB_NONE;
	}
	sim->hosts[migration->source].out--;
	sim->hosts[migration->target].in--;
	sim->hosts[migration->target].ports -= migration->ports;
	sim->counters.in_flight--;
	sim->guests[migration->guest].migration = NULL;
	sim->migrations[migration->slot] = NULL;
	hv_disks_free(migration->disks, migration->n_disks);
	while (migration->n_nets-- > 0) {
		free(migration->nets[migration->n_nets].from);
		free(migration->nets[migration->n_nets].to);
	}
	free(migration->nets);
	free(migration->links);
	free(migration);
}

void sim_migration_schedule(struct sim *sim, struct sim_migration *migration, int64_t delay_us)
{
	migration->step_serial = ++sim->serial;
	sim_push(sim, sim->now_us + delay_us, SIM_EVENT_STEP, migration->slot, migration->step_serial, NULL);
}

void sim_migration_enter(struct sim *sim, struct sim_migration *migration, enum sim_phase phase)
{
	migration->phase = phase;
	sim_mix(sim, (uint64_t)migration->guest << 8 | (uint64_t)phase);
	sim_fault_at_phase(sim, migration);
}

void sim_migration_reply(struct sim *sim, struct sim_migration *migration, const struct error *error)
{
	struct sim_op *op = migration->op;

	if (op == NULL)
		return;
	migration->op = NULL;
	op->reply.error = *error;
	sim_migration_stats(sim, migration, &op->reply.stats);
	if (error->code == ERR_NONE)
		op->reply.stats.phase = HV_PHASE_DONE;
	sim_op_reply(sim, op, 0);
}

/* --- Prepare --- */

static const char *mapped(const struct name_map *maps, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(maps[i].from, name) == 0)
			return maps[i].to;
	}
	return name;
}

static bool check_networks(const struct sim *sim, const struct sim_migration *migration, struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[migration->guest];
	const struct host *target = &sim->inventory->hosts[migration->target];
	size_t i;

	for (i = 0; i < guest->n_interfaces && target->n_networks > 0; i++) {
		const char *name = mapped(migration->nets, migration->n_nets, guest->interfaces[i]);

		if (!host_has_network(target, name))
			return error_set(err, ERR_MIGRATE_FAILED, "guest %s: Cannot get interface MTU on '%s': No such device", guest->name, name);
	}
	return true;
}

static bool check_room(struct sim *sim, const struct sim_migration *migration, struct error *err)
{
	const struct guest *guest = &sim->inventory->guests[migration->guest];
	const struct sim_host *target = &sim->hosts[migration->target];
	uint32_t other = name_index_find(sim->guest_names, guest->name);
	const struct sim_copy *copy;

	for (; other != INDEX_NONE; other = sim->guests[other].same_name) {
		copy = sim_copy_on(sim, other, migration->target);
		if (copy != NULL && (other != migration->guest || sim_copy_is_active(copy)))
			return error_set(err, ERR_MIGRATE_FAILED, "domain '%s' is already active or defined on %s", guest->name,
				sim_host_name(sim, migration->target));
	}
	if (target->memory_by_strangers > 0 &&
	    target->memory_used_bytes + target->memory_by_strangers + guest->memory_bytes > target->memory_limit_bytes)
		return error_set(err, ERR_MIGRATE_FAILED, "guest %s: qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory", guest->name);
	if (target->ports + migration->ports > sim->options.migration_ports)
		return error_set(err, ERR_MIGRATE_FAILED, "Unable to find an unused port in range 'migration' (%u ports)", sim->options.migration_ports);
	return true;
}

static const struct hv_disk *listed(const struct sim_migration *migration, const char *target)
{
	size_t i;

	for (i = 0; i < migration->n_disks; i++) {
		if (strcmp(migration->disks[i].target, target) == 0)
			return &migration->disks[i];
	}
	return NULL;
}

/* The image of one disk on the target: the shared one, or the volume that the mirror will fill. */
static bool place_disk(struct sim *sim, struct sim_migration *migration, size_t i, struct sim_copy_disk *ret_disk, struct error *err)
{
	const struct disk *disk = &sim->inventory->guests[migration->guest].disks[i];
	const struct hv_disk *copied = listed(migration, disk->target);
	struct sim_copy_disk from = migration->from->disks[i];
	const char *host = sim_host_name(sim, migration->target);
	uint32_t pool;

	*ret_disk = (struct sim_copy_disk){.volume = INDEX_NONE, .pool = INDEX_NONE};
	if (copied == NULL) {
		const char *name = from.pool == INDEX_NONE ? NULL : sim->inventory->hosts[migration->source].pools[from.pool].name;

		if (from.volume == INDEX_NONE || disk->readonly)
			return true;
		pool = sim_pool_index(sim, migration->target, name);
		if (pool == INDEX_NONE || sim->hosts[migration->target].storages[pool] != sim->volumes[from.volume].storage)
			return error_set(err, ERR_MIGRATE_FAILED, "Cannot access storage file '%s' of disk %s on %s: No such file or directory",
				sim->volumes[from.volume].name, disk->target, host);
		*ret_disk = (struct sim_copy_disk){.volume = from.volume, .pool = pool};
		return true;
	}
	pool = sim_pool_index(sim, migration->target, copied->target_pool);
	if (pool == INDEX_NONE)
		return error_set(err, ERR_MIGRATE_FAILED, "Storage pool '%s' not found on %s", copied->target_pool, host);
	ret_disk->pool = pool;
	ret_disk->volume = sim_volume_find(sim, sim->hosts[migration->target].storages[pool], copied->target_volume);
	if (ret_disk->volume == INDEX_NONE)
		return error_set(err, ERR_MIGRATE_FAILED, "Cannot access storage file '%s' of disk %s on %s: No such file or directory",
			copied->target_volume, disk->target, host);
	if (sim->volumes[ret_disk->volume].capacity_bytes != disk->capacity_bytes)
		return error_set(err, ERR_MIGRATE_FAILED, "disk %s: destination has %llu bytes, source %llu", disk->target,
			(unsigned long long)sim->volumes[ret_disk->volume].capacity_bytes, (unsigned long long)disk->capacity_bytes);
	return true;
}

/* A mirror overwrites what it finds, without a word. */
static void begin_mirror(struct sim *sim, const struct sim_migration *migration, const struct sim_copy_disk *disk)
{
	struct sim_volume *volume = &sim->volumes[disk->volume];

	if (volume->guest != migration->guest || !volume->is_ours || sim_volume_in_use(sim, disk->volume, true))
		sim_breach(sim, "migration of %s to %s overwrites volume %s, which is not its own",
			sim_guest_name(sim, migration->guest), sim_host_name(sim, migration->target), volume->name);
	volume->is_complete = false;
}

static bool prepare(struct sim *sim, struct sim_migration *migration, struct error *err)
{
	size_t n = sim->inventory->guests[migration->guest].n_disks, i;
	struct sim_copy_disk disks[DISKS_MAX];
	struct sim_copy *to;

	migration->ports = migration->n_disks > 0 ? 2 : 1;
	if (!check_room(sim, migration, err) || !check_networks(sim, migration, err)) {
		migration->ports = 0;
		return false;
	}
	for (i = 0; i < n; i++) {
		if (!place_disk(sim, migration, i, &disks[i], err)) {
			migration->ports = 0;
			return false;
		}
	}
	sim->hosts[migration->target].ports += migration->ports;
	for (i = 0; i < n; i++) {
		if (disks[i].volume != INDEX_NONE && listed(migration, sim->inventory->guests[migration->guest].disks[i].target) != NULL)
			begin_mirror(sim, migration, &disks[i]);
	}
	to = sim_copy_on(sim, migration->guest, migration->target); /* a stale definition may be there */
	if (to == NULL)
		to = sim_copy_add(sim, migration->guest, migration->target);
	memcpy(to->disks, disks, n * sizeof *disks);
	to->is_incoming = true;
	to->is_shutoff_by_migration = false;
	to->version = migration->from->version;
	to->job = HV_JOB_IN;
	to->migration = migration;
	sim_copy_tag(to, migration->from->tag); /* it travels in the live XML */
	migration->to = to;
	sim_copy_set(sim, to, HV_PAUSED, HV_PAUSE_MIGRATION);
	sim_note_send(sim, HV_NOTE_GUEST_STARTED, migration->target, migration->guest, 0, NULL);
	return true;
}

static void step_begin(struct sim *sim, struct sim_migration *migration)
{
	const char *target = sim_host_name(sim, migration->target);
	int64_t delay_us = 0;
	struct error err = {.code = ERR_NONE};

	if (sim->hosts[migration->target].is_dead || sim->hosts[migration->target].is_peer_cut || sim->hosts[migration->source].is_peer_cut) {
		error_set(&err, ERR_MIGRATE_FAILED, "unable to connect to server at '%s:16509': No route to host", target);
		delay_us = sim_us(NO_ROUTE_MS);
	} else if (sim->hosts[migration->target].is_restarting) {
		error_set(&err, ERR_MIGRATE_FAILED, "unable to connect to server at '%s:16509': Connection refused", target);
	} else if (migration->postcopy && migration->target < 64 && (sim->options.no_postcopy_hosts >> migration->target & 1) != 0) {
		error_set(&err, ERR_POST_COPY_UNSUPPORTED, "guest %s: Postcopy is not supported by the kernel of %s", sim_guest_name(sim, migration->guest), target);
	} else if (prepare(sim, migration, &err)) {
		sim_migration_enter(sim, migration, SIM_PHASE_PREPARED);
		sim_migration_schedule(sim, migration, sim_us(sim->options.setup_ms) - sim_us(sim->options.setup_ms) / 4);
		return;
	}
	sim_migration_fail(sim, migration, delay_us, &err);
}

/* --- the copy --- */

static void begin_memory(struct sim *sim, struct sim_migration *migration)
{
	const struct guest *guest = &sim->inventory->guests[migration->guest];
	uint64_t used = guest->used_memory_bytes > 0 ? guest->used_memory_bytes : guest->memory_bytes;

	sim_migration_enter(sim, migration, SIM_PHASE_MEMORY);
	migration->memory_total = guest->memory_bytes;
	migration->dirty_limit = guest->working_set_bytes > 0 && guest->working_set_bytes < used ? guest->working_set_bytes : used;
	if (migration->was_paused)
		migration->dirty_limit = 0;
	migration->rounds = 1;
	migration->round_bytes = used;
	sim_note_send(sim, HV_NOTE_ROUND, migration->source, migration->guest, migration->rounds, NULL);
	sim_flow_start(sim, migration, used);
}

/* Perform: the rate of the request is put in force now, whatever was set in the meantime. */
static void begin_copy(struct sim *sim, struct sim_migration *migration)
{
	const struct guest *guest = &sim->inventory->guests[migration->guest];
	uint64_t bytes = 0;
	size_t i;

	migration->limit = migration->first_limit;
	for (i = 0; i < guest->n_disks; i++) {
		const struct disk *disk = &guest->disks[i];

		if (listed(migration, disk->target) == NULL)
			continue;
		bytes += disk->allocation_bytes > 0 ? disk->allocation_bytes : disk->capacity_bytes;
		migration->overhead_rate += migration->was_paused ? 0 : disk->write_rate_bytes_per_s;
	}
	if (migration->n_disks == 0) {
		begin_memory(sim, migration);
		return;
	}
	sim_migration_enter(sim, migration, SIM_PHASE_DISKS);
	migration->disk_total = bytes;
	sim_flow_start(sim, migration, bytes);
}

void sim_migration_switch(struct sim *sim, struct sim_migration *migration, uint64_t bytes)
{
	sim_flow_stop(sim, migration);
	sim_migration_enter(sim, migration, SIM_PHASE_SWITCHOVER);
	migration->overhead_rate = 0;
	migration->source_is_stopped = true;
	if (!migration->was_paused) {
		sim_copy_set(sim, migration->from, HV_PAUSED, HV_PAUSE_MIGRATION);
		sim_note_send(sim, HV_NOTE_GUEST_SUSPENDED, migration->source, migration->guest, 0, NULL);
	}
	sim_flow_start(sim, migration, bytes);
}

/* QEMU slows the guest down when a round dirtied more than half of what it sent, twice in a row. */
static void converge(struct sim_migration *migration, uint64_t dirtied)
{
	if (!migration->auto_converge || dirtied <= migration->round_bytes / 2) {
		migration->slow_rounds = 0;
		return;
	}
	if (++migration->slow_rounds < 2)
		return;
	migration->slow_rounds = 0;
	migration->throttle_percent += migration->throttle_percent == 0 ? THROTTLE_FIRST_PERCENT : THROTTLE_STEP_PERCENT;
	if (migration->throttle_percent > THROTTLE_MAX_PERCENT)
		migration->throttle_percent = THROTTLE_MAX_PERCENT;
}

static void end_round(struct sim *sim, struct sim_migration *migration)
{
	uint64_t dirtied = migration->dirtied, carry = 0, fits;

	fits = sim_scale(migration->rate, (uint64_t)migration->downtime_us, US_PER_S, &carry);
	converge(migration, dirtied);
	migration->dirtied = 0;
	migration->last_dirty_rate = sim->guests[migration->guest].dirty_rate_bytes_per_s * (100 - migration->throttle_percent) / 100;
	if (dirtied <= fits) {
		sim_migration_switch(sim, migration, dirtied);
		return;
	}
	migration->rounds++;
	migration->round_bytes = dirtied;
	sim_note_send(sim, HV_NOTE_ROUND, migration->source, migration->guest, migration->rounds, NULL);
	sim_flow_more(sim, migration, dirtied);
}

void sim_migration_flow_done(struct sim *sim, struct sim_migration *migration)
{
	switch (migration->phase) {
	case SIM_PHASE_DISKS:
		sim_flow_stop(sim, migration);
		begin_memory(sim, migration);
		break;
	case SIM_PHASE_MEMORY:
		end_round(sim, migration);
		break;
	case SIM_PHASE_SWITCHOVER:
		sim_flow_stop(sim, migration);
		sim_migration_enter(sim, migration, SIM_PHASE_FINISH);
		sim_migration_schedule(sim, migration, sim_us(sim->options.blackout_ms));
		break;
	case SIM_PHASE_POSTCOPY:
		sim_postcopy_end(sim, migration);
		break;
	case SIM_PHASE_POSTCOPY_FAILED:
	case SIM_PHASE_NONE:
	case SIM_PHASE_BEGIN:
	case SIM_PHASE_PREPARED:
	case SIM_PHASE_FINISH:
	case SIM_PHASE_CONFIRM:
	case SIM_PHASE_CANCELLING:
	case SIM_PHASE_COUNT:
		assert(!"no bytes flow in this phase");
	}
}

/* --- Finish and Confirm --- */

static void step_finish(struct sim *sim, struct sim_migration *migration)
{
	struct sim_copy *to = migration->to;
	size_t i;

	for (i = 0; i < sim->inventory->guests[migration->guest].n_disks; i++) {
		if (to->disks[i].volume != INDEX_NONE)
			sim->volumes[to->disks[i].volume].is_complete = true;
	}
	to->is_incoming = false;
	to->is_persistent = to->is_persistent || migration->persistent;
	to->job = HV_JOB_NONE;
	if (migration->was_paused || migration->paused_handover) {
		sim_copy_set(sim, to, HV_PAUSED, HV_PAUSE_USER);
		sim_note_send(sim, HV_NOTE_GUEST_SUSPENDED, migration->target, migration->guest, 0, NULL);
	} else {
		sim_copy_takes_over(sim, to);
		sim_copy_set(sim, to, HV_RUNNING, HV_PAUSE_NONE);
		sim_note_send(sim, HV_NOTE_GUEST_RESUMED, migration->target, migration->guest, 0, NULL);
	}
	if (migration->is_switched && migration->from != NULL) {
		sim_postcopy_begin(sim, migration);
		return;
	}
	sim_migration_enter(sim, migration, SIM_PHASE_CONFIRM);
	sim_migration_schedule(sim, migration, migration->finish_lost ? sim_us(sim->options.keepalive_ms) : sim_us(sim->options.finish_ms));
}

static void move_interfaces(struct sim *sim, const struct sim_migration *migration)
{
	struct guest *guest = &sim->inventory->guests[migration->guest];
	size_t i;

	for (i = 0; i < guest->n_interfaces; i++) {
		const char *name = mapped(migration->nets, migration->n_nets, guest->interfaces[i]);

		if (name != guest->interfaces[i]) {
			free(guest->interfaces[i]);
			guest->interfaces[i] = xstrdup(name);
		}
	}
}

void sim_migration_without_source(struct sim *sim, struct sim_migration *migration)
{
	if (migration->to != NULL && migration->to->presence != HV_RUNNING && sim->guests[migration->guest].was_running)
		sim->guests[migration->guest].is_ended = true;
}

/* Confirm kills the source's process; with a persistent target its definition goes too. */
void sim_migration_end_source(struct sim *sim, struct sim_migration *migration)
{
	struct sim_copy *from = migration->from;

	move_interfaces(sim, migration);
	if (migration->to != NULL && migration->to->presence != HV_RUNNING)
		sim_copy_takes_over(sim, migration->to);
	if (from == NULL) {
		sim_migration_without_source(sim, migration);
		return;
	}
	migration->from = NULL;
	if (migration->persistent)
		from->is_persistent = false;
	sim_copy_end(sim, from, true);
	sim_note_send(sim, HV_NOTE_GUEST_STOPPED, migration->source, migration->guest, 0, NULL);
}

void sim_migration_completes(struct sim *sim, struct sim_migration *migration, const struct error *error)
{
	sim_migration_end_source(sim, migration);
	sim->counters.moves_done++;
	sim_migration_reply(sim, migration, error);
	sim_migration_free(sim, migration);
}

static void step_confirm(struct sim *sim, struct sim_migration *migration)
{
	struct error err = {.code = ERR_NONE};

	if (migration->finish_lost) {
		sim_hit(sim, SIM_FAULT_FINISH_LOST);
		error_set(&err, ERR_MIGRATE_FAILED, "internal error: received hangup event on socket");
		if (migration->is_switched) { /* QEMU itself says that it is complete */
			sim_migration_completes(sim, migration, &err);
			return;
		}
		migration->failed_in = SIM_PHASE_CONFIRM;
		migration->error = err;
		sim_migration_cancelled(sim, migration);
		return;
	}
	sim_migration_completes(sim, migration, &err);
}

/* A daemon that hangs goes on where it was; a call over a cut connection waits until somebody gives up. */
static int64_t held_up_us(const struct sim *sim, const struct sim_migration *migration)
{
	const struct sim_host *source = &sim->hosts[migration->source], *target = &sim->hosts[migration->target];
	int64_t until = source->hung_until_us > target->hung_until_us ? source->hung_until_us : target->hung_until_us;

	if (until > sim->now_us)
		return until - sim->now_us;
	if (migration->phase == SIM_PHASE_BEGIN || migration->phase == SIM_PHASE_CANCELLING || migration->finish_lost || sim_migration_is_postcopy(migration))
		return 0;
	return source->is_peer_cut || target->is_peer_cut ? sim_us(PEER_RETRY_MS) : 0;
}

void sim_migration_step(struct sim *sim, uint32_t slot, uint64_t serial)
{
	struct sim_migration *migration = sim->migrations[slot];
	int64_t delay_us;

	if (migration == NULL || migration->step_serial != serial)
		return;
	delay_us = held_up_us(sim, migration);
	if (delay_us > 0) {
		sim_migration_schedule(sim, migration, delay_us);
		return;
	}
	switch (migration->phase) {
	case SIM_PHASE_BEGIN: step_begin(sim, migration); break;
	case SIM_PHASE_PREPARED: begin_copy(sim, migration); break;
	case SIM_PHASE_FINISH: step_finish(sim, migration); break;
	case SIM_PHASE_CONFIRM: step_confirm(sim, migration); break;
	case SIM_PHASE_CANCELLING: sim_migration_cancelled(sim, migration); break;
	case SIM_PHASE_POSTCOPY:
	case SIM_PHASE_POSTCOPY_FAILED: sim_postcopy_look(sim, migration); break;
	case SIM_PHASE_NONE:
	case SIM_PHASE_DISKS:
	case SIM_PHASE_MEMORY:
	case SIM_PHASE_SWITCHOVER:
	case SIM_PHASE_COUNT:
		assert(!"these phases end by their flow");
	}
}

/* --- statistics --- */

static enum hv_phase shown_phase(const struct sim_migration *migration)
{
	switch (migration->phase == SIM_PHASE_CANCELLING ? migration->failed_in : migration->phase) {
	case SIM_PHASE_BEGIN:
	case SIM_PHASE_PREPARED:
		return HV_PHASE_SETUP;
	case SIM_PHASE_DISKS:
		return HV_PHASE_DISKS;
	case SIM_PHASE_MEMORY:
		return HV_PHASE_MEMORY;
	case SIM_PHASE_SWITCHOVER:
	case SIM_PHASE_FINISH:
	case SIM_PHASE_CONFIRM:
	case SIM_PHASE_POSTCOPY:
	case SIM_PHASE_POSTCOPY_FAILED:
		if (migration->from != NULL && migration->from->pause_reason == HV_PAUSE_POSTCOPY_FAILED)
			return HV_PHASE_POSTCOPY_FAILED;
		return migration->from != NULL && migration->from->pause_reason == HV_PAUSE_POSTCOPY ? HV_PHASE_POSTCOPY : HV_PHASE_SWITCHOVER;
	case SIM_PHASE_NONE:
	case SIM_PHASE_CANCELLING:
	case SIM_PHASE_COUNT:
		break;
	}
	return HV_PHASE_NONE;
}

/* What was sent when libvirt last looked, which is not now. */
static uint64_t shown_as_sent(struct sim *sim, const struct sim_migration *migration)
{
	uint64_t lag_ms = sim->options.stats_lag_ms > 0 ? (uint64_t)sim_random_between(&sim->rng, 0, sim->options.stats_lag_ms) : 0;
	uint64_t late = migration->rate * lag_ms / 1000;

	return migration->memory_sent > late ? migration->memory_sent - late : 0;
}

/* As libvirt shows them: only the mirrors in the disk phase, mirror numbers frozen in the memory
 * phase, no rate of the mirrors, no dirty rate before the second look at the bitmap. */
void sim_migration_stats(struct sim *sim, struct sim_migration *migration, struct hv_stats *ret_stats)
{
	int64_t blackout_us = sim->guests[migration->guest].blackout_us;

	sim_flow_settle(sim, migration);
	*ret_stats = (struct hv_stats){
		.phase = shown_phase(migration),
		.elapsed_ms = (sim->now_us - migration->started_us) / US_PER_MS,
		.disk_total_bytes = migration->disk_total,
		.rate_limit_bytes_per_s = migration->limit,
		.rounds = migration->rounds,
	};
	if (migration->phase == SIM_PHASE_DISKS) {
		ret_stats->disk_remaining_bytes = migration->remaining;
		ret_stats->disk_processed_bytes = migration->disk_total - migration->remaining;
		return;
	}
	ret_stats->disk_processed_bytes = migration->disk_total;
	ret_stats->memory_total_bytes = migration->memory_total;
	ret_stats->memory_processed_bytes = shown_as_sent(sim, migration);
	ret_stats->memory_remaining_bytes = migration->remaining;
	ret_stats->rate_bytes_per_s = migration->rate;
	ret_stats->dirty_rate_bytes_per_s = migration->rounds >= 2 && !sim_migration_is_postcopy(migration) ? migration->last_dirty_rate : 0;
	if (migration->phase == SIM_PHASE_MEMORY && migration->rate > 0)
		ret_stats->downtime_ms = (int64_t)(migration->dirtied * 1000 / migration->rate);
	else if (migration->phase == SIM_PHASE_CONFIRM && blackout_us >= 0)
		ret_stats->downtime_ms = blackout_us / US_PER_MS;
}
