/* Faults: what each does to the world, when it ends, and how random ones are drawn. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

static const char *const fault_names[SIM_FAULT_COUNT] = {
#define X(symbol, name) [SIM_FAULT_##symbol] = name,
	SIM_FAULTS(X)
#undef X
};

enum {
	SURGE_FACTOR = 20,            /* of random surges */
	SURGE_LEAST = 50000000,
	LATE_MAX_MS = 45000,          /* random late replies: past any patience */
};

const char *sim_fault_name(enum sim_fault_kind kind)
{
	return fault_names[kind];
}

void sim_hit(struct sim *sim, enum sim_fault_kind kind)
{
	sim->fault_hits[kind]++;
}

uint64_t sim_fault_hits(const struct sim *sim, enum sim_fault_kind kind)
{
	return sim->fault_hits[kind];
}

static bool is_on_request(enum sim_fault_kind kind)
{
	return kind == SIM_FAULT_REQUEST_ERROR || kind == SIM_FAULT_REPLY_LOST || kind == SIM_FAULT_REPLY_LATE ||
		kind == SIM_FAULT_REPLY_DOUBLED;
}

/* --- what each fault does; false when there was nothing to do it to --- */

static void set_link(struct sim *sim, uint32_t host, bool has_fault, uint64_t rate)
{
	uint32_t i;

	for (i = 0; i < sim->hosts[host].n_links * 2; i++) {
		sim->links[sim->hosts[host].first_link + i].has_fault_rate = has_fault;
		sim->links[sim->hosts[host].first_link + i].fault_rate_bytes_per_s = rate;
	}
	sim->flows_are_stale = true;
}

static void set_dirty_rate(struct sim *sim, uint32_t guest, uint64_t rate)
{
	if (sim->guests[guest].migration != NULL)
		sim_flow_settle(sim, sim->guests[guest].migration);
	sim->guests[guest].dirty_rate_bytes_per_s = rate;
}

static bool take_memory(struct sim *sim, struct sim_armed *armed)
{
	struct sim_host *host = &sim->hosts[armed->host];
	uint64_t used = host->memory_used_bytes + host->memory_by_strangers;
	uint64_t left = host->memory_limit_bytes > used ? host->memory_limit_bytes - used : 0;

	armed->fault.value = armed->fault.value < left ? armed->fault.value : left;
	host->memory_by_strangers += armed->fault.value;
	return true;
}

static struct sim_storage *storage_of(struct sim *sim, const struct sim_armed *armed)
{
	uint32_t pool = sim_pool_index(sim, armed->host, armed->fault.pool);

	return pool == INDEX_NONE ? NULL : &sim->storages[sim->hosts[armed->host].storages[pool]];
}

static bool take_pool(struct sim *sim, struct sim_armed *armed)
{
	struct sim_storage *storage = storage_of(sim, armed);

	if (storage == NULL)
		return false;
	if (armed->fault.value > storage->available_bytes)
		armed->fault.value = storage->available_bytes;
	storage->available_bytes -= armed->fault.value;
	return true;
}

static bool kill_incoming(struct sim *sim, uint32_t guest)
{
	struct sim_migration *migration = sim->guests[guest].migration;
	struct error err = {.code = ERR_NONE};

	if (migration != NULL && sim_migration_is_postcopy(migration)) {
		uint32_t target = migration->target;

		sim_copy_end(sim, migration->to, false);
		sim_postcopy_loses(sim, migration, false);
		sim_note_send(sim, HV_NOTE_GUEST_STOPPED, target, guest, 0, NULL);
		return true;
	}
	if (migration == NULL || migration->to == NULL || !migration->to->is_incoming)
		return false;
	sim_migration_kill_target(sim, migration);
	error_set(&err, ERR_MIGRATE_FAILED, "internal error: qemu unexpectedly closed the monitor");
	sim_migration_fail(sim, migration, 10 * US_PER_MS, &err);
	return true;
}

static bool fail_migration(struct sim *sim, const struct sim_armed *armed)
{
	struct sim_migration *migration = sim->guests[armed->guest].migration;
	struct error err = {.code = ERR_NONE};

	if (migration != NULL && migration->phase == SIM_PHASE_POSTCOPY) {
		sim_postcopy_breaks(sim, migration, "Connection reset by peer");
		return true;
	}
	if (migration == NULL || migration->phase >= SIM_PHASE_FINISH)
		return false;
	error_set(&err, armed->fault.error != ERR_NONE ? armed->fault.error : ERR_MIGRATE_FAILED,
		"guest %s: operation failed: migration out job: unexpectedly failed", sim_guest_name(sim, armed->guest));
	sim_migration_fail(sim, migration, 0, &err);
	return true;
}

/* Its effect is counted when the answer fails to come. */
static bool lose_finish(struct sim *sim, uint32_t guest)
{
	struct sim_migration *migration = sim->guests[guest].migration;

	/* Of a stranger's, nobody would repair what follows. */
	if (migration == NULL || migration->phase == SIM_PHASE_CANCELLING || migration->is_strangers)
		return false;
	migration->finish_lost = true;
	if (migration->phase == SIM_PHASE_CONFIRM)
		sim_migration_schedule(sim, migration, sim_us(sim->options.keepalive_ms));
	return false;
}

/* Volumes for a move that somebody else makes by hand; false when it would not work. */
static bool make_strangers_disks(struct sim *sim, struct sim_copy *copy, uint32_t target, struct hv_disk *disks, size_t *ret_n)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];
	size_t i;

	for (i = 0; i < guest->n_disks; i++) {
		const char *name;
		uint32_t pool;

		if (guest->disks[i].passthrough)
			return false;
		if (copy->disks[i].volume == INDEX_NONE || guest->disks[i].readonly)
			continue;
		name = sim->inventory->hosts[copy->host].pools[copy->disks[i].pool].name;
		if (!sim_disk_is_copied(sim, copy, i, target, name))
			continue;
		pool = sim_pool_index(sim, target, name);
		if (pool == INDEX_NONE ||
		    sim_volume_find(sim, sim->hosts[target].storages[pool], sim->volumes[copy->disks[i].volume].name) != INDEX_NONE)
			return false;
		disks[(*ret_n)++] = (struct hv_disk){
			.target = guest->disks[i].target, .target_pool = sim->inventory->hosts[target].pools[pool].name,
			.target_volume = sim->volumes[copy->disks[i].volume].name, .capacity_bytes = guest->disks[i].capacity_bytes,
		};
	}
	return true;
}

static void add_strangers_volume(struct sim *sim, uint32_t guest, uint32_t target, const struct hv_disk *disk)
{
	uint32_t storage = sim->hosts[target].storages[sim_pool_index(sim, target, disk->target_pool)];
	uint32_t volume = sim_volume_add(sim, storage, disk->target_volume);

	sim->volumes[volume].host = target;
	sim->volumes[volume].guest = guest;
	sim->volumes[volume].capacity_bytes = disk->capacity_bytes;
	sim->volumes[volume].is_ours = sim->volumes[volume].is_strangers = true;
}

static bool move_by_stranger(struct sim *sim, uint32_t guest, uint32_t target)
{
	struct sim_copy *copy = sim_guest_main_copy(sim, guest);
	uint64_t needed = sim->inventory->guests[guest].memory_bytes;
	struct sim_host *host = &sim->hosts[target];
	struct sim_migration *migration;
	struct hv_disk disks[DISKS_MAX];
	size_t n = 0, i;

	if (copy == NULL || copy->presence != HV_RUNNING || copy->host == target || sim->guests[guest].migration != NULL ||
	    !sim_host_talks(sim, target) || sim_copy_on(sim, guest, target) != NULL ||
	    host->memory_used_bytes + host->memory_by_strangers + needed > host->memory_limit_bytes ||
	    !make_strangers_disks(sim, copy, target, disks, &n))
		return false;
	migration = sim_migration_begin(sim, guest, copy->host, target);
	migration->is_strangers = sim->guests[guest].was_strangers = true;
	migration->finish_lost = false;
	migration->persistent = copy->is_persistent;
	migration->disks = hv_disks_copy(disks, n);
	migration->n_disks = n;
	for (i = 0; i < n; i++)
		add_strangers_volume(sim, guest, target, &migration->disks[i]);
	sim_flow_route(sim, migration, NULL);
	return true;
}

static bool end_guest(struct sim *sim, uint32_t guest)
{
	struct sim_copy *copy = sim_guest_main_copy(sim, guest);
	struct sim_migration *migration;
	uint32_t host;
	bool is_source;

	if (copy == NULL || copy->presence != HV_RUNNING)
		return false;
	migration = copy->migration;
	is_source = migration != NULL && migration->from == copy;
	host = copy->host;
	sim->guests[guest].is_ended = true;
	sim_copy_end(sim, copy, false);
	sim_note_send(sim, HV_NOTE_GUEST_STOPPED, host, guest, 0, NULL);
	if (is_source)
		sim_migration_source_gone(sim, migration);
	else if (migration != NULL && sim_migration_is_postcopy(migration))
		sim_postcopy_loses(sim, migration, false);
	else if (migration != NULL)
		migration->to = NULL;
	if (sim->guests[guest].migration == NULL)
		sim_guest_after_loss(sim, guest); /* after a split brain the other one is the guest from now on */
	return true;
}

static bool begin_host(struct sim *sim, struct sim_armed *armed)
{
	uint32_t host = armed->host;
	int64_t duration_us = sim_us(armed->fault.duration_ms);

	switch (armed->fault.kind) {
	case SIM_FAULT_HOST_DIES: sim_host_dies(sim, host); return true;
	case SIM_FAULT_HOST_UNREACHABLE: sim_host_cut(sim, host); return true;
	case SIM_FAULT_PEER_CUT: sim_host_peer_cut(sim, host); return true;
	case SIM_FAULT_LINK_CUT: set_link(sim, host, true, 0); return true;
	case SIM_FAULT_LINK_SLOW: set_link(sim, host, true, armed->fault.value); return true;
	case SIM_FAULT_LIBVIRTD_RESTART:
		armed->fault.duration_ms = sim->options.restart_ms;
		sim_host_restarts(sim, host);
		return true;
	case SIM_FAULT_HOST_HANGS:
		/* Never shorter than before: what waits already would be overtaken. */
		if (sim->hosts[host].hung_until_us < sim->now_us + duration_us)
			sim->hosts[host].hung_until_us = sim->now_us + duration_us;
		return true;
	case SIM_FAULT_MEMORY_TAKEN: return take_memory(sim, armed);
	case SIM_FAULT_POOL_TAKEN: return take_pool(sim, armed);
	case SIM_FAULT_REQUEST_ERROR:
	case SIM_FAULT_REPLY_LOST:
	case SIM_FAULT_REPLY_LATE:
	case SIM_FAULT_REPLY_DOUBLED:
	case SIM_FAULT_INCOMING_KILLED:
	case SIM_FAULT_MIGRATION_ERROR:
	case SIM_FAULT_FINISH_LOST:
	case SIM_FAULT_DIRTY_SURGE:
	case SIM_FAULT_STRANGER_MOVES:
	case SIM_FAULT_GUEST_ENDS:
	case SIM_FAULT_COUNT:
		break;
	}
	return false;
}

static bool begin(struct sim *sim, struct sim_armed *armed)
{
	switch (armed->fault.kind) {
	case SIM_FAULT_INCOMING_KILLED: return kill_incoming(sim, armed->guest);
	case SIM_FAULT_MIGRATION_ERROR: return fail_migration(sim, armed);
	case SIM_FAULT_FINISH_LOST: return lose_finish(sim, armed->guest);
	case SIM_FAULT_DIRTY_SURGE: set_dirty_rate(sim, armed->guest, armed->fault.value); return true;
	case SIM_FAULT_STRANGER_MOVES: return armed->host != INDEX_NONE && move_by_stranger(sim, armed->guest, armed->host);
	case SIM_FAULT_GUEST_ENDS: return end_guest(sim, armed->guest);
	case SIM_FAULT_REQUEST_ERROR:
	case SIM_FAULT_REPLY_LOST:
	case SIM_FAULT_REPLY_LATE:
	case SIM_FAULT_REPLY_DOUBLED:
	case SIM_FAULT_HOST_DIES:
	case SIM_FAULT_HOST_UNREACHABLE:
	case SIM_FAULT_PEER_CUT:
	case SIM_FAULT_LINK_CUT:
	case SIM_FAULT_LINK_SLOW:
	case SIM_FAULT_LIBVIRTD_RESTART:
	case SIM_FAULT_HOST_HANGS:
	case SIM_FAULT_MEMORY_TAKEN:
	case SIM_FAULT_POOL_TAKEN:
	case SIM_FAULT_COUNT:
		break;
	}
	return begin_host(sim, armed);
}

static void end(struct sim *sim, const struct sim_armed *armed)
{
	uint32_t host = armed->host;
	struct sim_storage *storage;

	switch (armed->fault.kind) {
	case SIM_FAULT_HOST_DIES: sim_host_returns(sim, host); break;
	case SIM_FAULT_HOST_UNREACHABLE: sim_host_uncut(sim, host); break;
	case SIM_FAULT_PEER_CUT: sim->hosts[host].is_peer_cut = false; break;
	case SIM_FAULT_LINK_CUT:
	case SIM_FAULT_LINK_SLOW: set_link(sim, host, false, 0); break;
	case SIM_FAULT_LIBVIRTD_RESTART: sim_host_restarted(sim, host); break;
	case SIM_FAULT_DIRTY_SURGE:
		set_dirty_rate(sim, armed->guest, sim->inventory->guests[armed->guest].dirty_rate_bytes_per_s);
		break;
	case SIM_FAULT_MEMORY_TAKEN: sim->hosts[host].memory_by_strangers -= armed->fault.value; break;
	case SIM_FAULT_POOL_TAKEN:
		storage = storage_of(sim, armed);
		storage->available_bytes += armed->fault.value;
		break;
	case SIM_FAULT_REQUEST_ERROR:
	case SIM_FAULT_REPLY_LOST:
	case SIM_FAULT_REPLY_LATE:
	case SIM_FAULT_REPLY_DOUBLED:
	case SIM_FAULT_HOST_HANGS:
	case SIM_FAULT_INCOMING_KILLED:
	case SIM_FAULT_MIGRATION_ERROR:
	case SIM_FAULT_FINISH_LOST:
	case SIM_FAULT_STRANGER_MOVES:
	case SIM_FAULT_GUEST_ENDS:
	case SIM_FAULT_COUNT:
		break;
	}
}

/* --- when --- */

void sim_fault_due(struct sim *sim, uint32_t index)
{
	struct sim_armed *armed = &sim->armed[index];

	bool has_effect;

	if (armed->state == SIM_ARMED_OVER)
		return;
	has_effect = begin(sim, armed);
	armed = &sim->armed[index]; /* a fault may arm others */
	if (!has_effect) {
		armed->state = SIM_ARMED_OVER;
		return;
	}
	sim_hit(sim, armed->fault.kind);
	armed->state = SIM_ARMED_ACTIVE;
	if (armed->fault.duration_ms > 0)
		sim_push(sim, sim->now_us + sim_us(armed->fault.duration_ms), SIM_EVENT_UNFAULT, index, 0, NULL);
}

void sim_fault_over(struct sim *sim, uint32_t index)
{
	struct sim_armed *armed = &sim->armed[index];

	if (armed->state != SIM_ARMED_ACTIVE)
		return;
	armed->state = SIM_ARMED_OVER;
	end(sim, armed);
}

static bool needs_guest(enum sim_fault_kind kind)
{
	return kind == SIM_FAULT_INCOMING_KILLED || kind == SIM_FAULT_MIGRATION_ERROR || kind == SIM_FAULT_FINISH_LOST ||
		kind == SIM_FAULT_DIRTY_SURGE || kind == SIM_FAULT_STRANGER_MOVES || kind == SIM_FAULT_GUEST_ENDS;
}

void sim_fault(struct sim *sim, const struct sim_fault *fault)
{
	uint32_t index = (uint32_t)sim->n_armed;
	struct sim_armed *armed;

	sim->armed = xgrow(sim->armed, sim->n_armed, sizeof *sim->armed);
	armed = &sim->armed[sim->n_armed++];
	*armed = (struct sim_armed){.fault = *fault, .state = SIM_ARMED_WAITING};
	armed->fault.host = xstrdup(fault->host);
	armed->fault.guest = xstrdup(fault->guest);
	armed->fault.pool = xstrdup(fault->pool);
	armed->host = fault->host == NULL ? INDEX_NONE : inventory_host(sim->inventory, fault->host);
	armed->guest = fault->guest == NULL ? INDEX_NONE : sim_guest_index(sim, fault->guest);
	assert(!needs_guest(fault->kind) || armed->guest != INDEX_NONE);
	assert(needs_guest(fault->kind) || is_on_request(fault->kind) || armed->host != INDEX_NONE);
	if (is_on_request(fault->kind)) {
		sim->n_waiting_request++;
		return;
	}
	if (fault->at_phase != SIM_PHASE_NONE) {
		assert(armed->guest != INDEX_NONE);
		sim->n_waiting_phase++;
		return;
	}
	armed->state = SIM_ARMED_SCHEDULED;
	if (sim_us(fault->at_ms) > sim->now_us) {
		sim_push(sim, sim_us(fault->at_ms), SIM_EVENT_FAULT, index, 0, NULL);
		return;
	}
	sim_fault_due(sim, index);
	if (!sim->is_advancing)
		sim_flows_update(sim);
}

void sim_heal_all(struct sim *sim)
{
	size_t i;

	sim->is_healed = true;
	for (i = 0; i < sim->n_armed; i++) {
		if (sim->armed[i].state == SIM_ARMED_ACTIVE)
			sim_fault_over(sim, (uint32_t)i);
		else
			sim->armed[i].state = SIM_ARMED_OVER;
	}
	sim->n_waiting_phase = sim->n_waiting_request = 0;
	if (!sim->is_advancing)
		sim_flows_update(sim);
}

/* Applied as an event of its own at the same instant: whoever enters the phase goes on undisturbed first. */
void sim_fault_at_phase(struct sim *sim, struct sim_migration *migration)
{
	size_t i;

	for (i = 0; sim->n_waiting_phase > 0 && i < sim->n_armed; i++) {
		struct sim_armed *armed = &sim->armed[i];

		if (armed->state != SIM_ARMED_WAITING || armed->fault.at_phase != migration->phase || armed->guest != migration->guest)
			continue;
		armed->state = SIM_ARMED_SCHEDULED;
		sim->n_waiting_phase--;
		sim_push(sim, sim->now_us, SIM_EVENT_FAULT, (uint32_t)i, 0, NULL);
	}
}

/* --- on requests --- */

static bool do_to_request(struct sim *sim, struct sim_op *op, enum sim_fault_kind kind, enum error_code code, int64_t duration_ms)
{
	sim_hit(sim, kind);
	if (kind == SIM_FAULT_REPLY_LOST)
		op->reply_is_lost = true;
	else if (kind == SIM_FAULT_REPLY_LATE)
		op->reply_delay_us = sim_us(duration_ms);
	else if (kind == SIM_FAULT_REPLY_DOUBLED)
		op->reply_is_doubled = true;
	else
		error_set(&op->reply.error, code != ERR_NONE ? code : ERR_MIGRATE_FAILED, "host %s: %s: internal error: injected",
			sim_host_name(sim, op->host), hv_kind_name(op->kind));
	return kind == SIM_FAULT_REQUEST_ERROR;
}

static bool draw_on_request(struct sim *sim, struct sim_op *op)
{
	const struct sim_faults *faults = &sim->options.faults;

	if (op->kind == HV_STATS)
		return false;
	if (sim_chance(sim, faults->reply_lost))
		do_to_request(sim, op, SIM_FAULT_REPLY_LOST, ERR_NONE, 0);
	if (sim_chance(sim, faults->reply_late))
		do_to_request(sim, op, SIM_FAULT_REPLY_LATE, ERR_NONE, sim_random_between(&sim->rng_faults, 1, LATE_MAX_MS));
	if (sim_chance(sim, faults->reply_doubled))
		do_to_request(sim, op, SIM_FAULT_REPLY_DOUBLED, ERR_NONE, 0);
	return sim_chance(sim, faults->request_error) && do_to_request(sim, op, SIM_FAULT_REQUEST_ERROR, ERR_NONE, 0);
}

bool sim_fault_on_request(struct sim *sim, struct sim_op *op)
{
	size_t i;

	for (i = 0; sim->n_waiting_request > 0 && i < sim->n_armed; i++) {
		struct sim_armed *armed = &sim->armed[i];

		if (armed->state != SIM_ARMED_WAITING || !is_on_request(armed->fault.kind) || armed->fault.request != op->kind ||
		    (armed->host != INDEX_NONE && armed->host != op->host) || (armed->guest != INDEX_NONE && armed->guest != op->guest))
			continue;
		armed->state = SIM_ARMED_OVER;
		sim->n_waiting_request--;
		return do_to_request(sim, op, armed->fault.kind, armed->fault.error, armed->fault.duration_ms);
	}
	return draw_on_request(sim, op);
}

/* --- random --- */

void sim_fault_on_migration(struct sim *sim, struct sim_migration *migration)
{
	const struct sim_faults *faults = &sim->options.faults;
	const char *guest = sim_guest_name(sim, migration->guest);
	uint64_t rate = sim->guests[migration->guest].dirty_rate_bytes_per_s * SURGE_FACTOR;

	if (sim_chance(sim, faults->migration_error))
		sim_fault(sim, &(struct sim_fault){.kind = SIM_FAULT_MIGRATION_ERROR, .guest = guest,
			.at_phase = (enum sim_phase)sim_random_between(&sim->rng_faults, SIM_PHASE_PREPARED, SIM_PHASE_SWITCHOVER)});
	if (sim_chance(sim, faults->finish_lost))
		migration->finish_lost = true;
	if (sim_chance(sim, faults->dirty_surge))
		sim_fault(sim, &(struct sim_fault){.kind = SIM_FAULT_DIRTY_SURGE, .guest = guest, .at_phase = SIM_PHASE_MEMORY,
			.value = rate > SURGE_LEAST ? rate : SURGE_LEAST,
			.duration_ms = sim_random_between(&sim->rng_faults, 1, faults->duration_max_ms > 0 ? faults->duration_max_ms : 1)});
}

/* A host that is part of a migration half of the time: there it hurts. */
static uint32_t draw_host(struct sim *sim)
{
	uint32_t host = (uint32_t)(sim_random(&sim->rng_faults) % sim->inventory->n_hosts);
	uint64_t draw = sim_random(&sim->rng_faults);
	const struct sim_migration *migration;

	if (sim->n_migrations == 0 || draw % 2 == 0)
		return host;
	migration = sim->migrations[(draw >> 8) % sim->n_migrations];
	if (migration == NULL)
		return host;
	return (draw >> 40) % 2 == 0 ? migration->source : migration->target;
}

static uint32_t draw_guest(struct sim *sim, bool wants_migration)
{
	uint64_t draw = sim_random(&sim->rng_faults);
	const struct sim_migration *migration;

	if (!wants_migration || sim->n_migrations == 0)
		return (uint32_t)(draw % sim->inventory->n_guests);
	migration = sim->migrations[draw % sim->n_migrations];
	return migration != NULL ? migration->guest : (uint32_t)(draw % sim->inventory->n_guests);
}

static void schedule_random(struct sim *sim)
{
	int64_t mean_us = sim_us(sim->options.faults.world_interval_ms);

	if (mean_us > 0)
		sim_push(sim, sim->now_us + sim_random_between(&sim->rng_faults, 1, 2 * mean_us), SIM_EVENT_RANDOM, 0, 0, NULL);
}

void sim_fault_random(struct sim *sim)
{
	static const enum sim_fault_kind kinds[] = {
		SIM_FAULT_HOST_DIES, SIM_FAULT_HOST_UNREACHABLE, SIM_FAULT_PEER_CUT, SIM_FAULT_LINK_CUT, SIM_FAULT_LINK_SLOW,
		SIM_FAULT_LIBVIRTD_RESTART, SIM_FAULT_HOST_HANGS, SIM_FAULT_MEMORY_TAKEN, SIM_FAULT_POOL_TAKEN,
		SIM_FAULT_INCOMING_KILLED, SIM_FAULT_STRANGER_MOVES, SIM_FAULT_GUEST_ENDS,
	};
	uint64_t draw = sim_random(&sim->rng_faults);
	uint32_t host = draw_host(sim), guest;
	const struct host *h = &sim->inventory->hosts[host];
	struct sim_fault fault = {.kind = kinds[draw % (sizeof kinds / sizeof kinds[0])], .host = h->name};

	schedule_random(sim);
	if (sim->inventory->n_guests == 0 || (fault.kind == SIM_FAULT_POOL_TAKEN && h->n_pools == 0))
		return;
	guest = draw_guest(sim, fault.kind == SIM_FAULT_INCOMING_KILLED);
	if (needs_guest(fault.kind))
		fault.guest = sim->inventory->guests[guest].uuid[0] != '\0' ? sim->inventory->guests[guest].uuid : sim_guest_name(sim, guest);
	if (fault.kind == SIM_FAULT_POOL_TAKEN)
		fault.pool = h->pools[(draw >> 32) % h->n_pools].name;
	fault.duration_ms = sim_random_between(&sim->rng_faults, 1, sim->options.faults.duration_max_ms);
	if (fault.kind == SIM_FAULT_LINK_SLOW)
		fault.value = sim->links[sim->hosts[host].first_link].rate_bytes_per_s / (2 + (draw >> 40) % 20);
	else if (fault.kind == SIM_FAULT_MEMORY_TAKEN || fault.kind == SIM_FAULT_POOL_TAKEN)
		fault.value = UINT64_MAX >> (draw >> 50) % 40;
	sim_fault(sim, &fault);
}

void sim_faults_build(struct sim *sim)
{
	schedule_random(sim);
}

void sim_faults_clear(struct sim *sim)
{
	size_t i;

	for (i = 0; i < sim->n_armed; i++) {
		free((char *)(uintptr_t)sim->armed[i].fault.host);
		free((char *)(uintptr_t)sim->armed[i].fault.guest);
		free((char *)(uintptr_t)sim->armed[i].fault.pool);
	}
	free(sim->armed);
}
