/* Hosts, storage, volumes and the copies of guests, and what must hold of them at
 * each instant. Every change of a copy's state goes through sim_copy_set, so that no breach can be missed. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

const char *sim_host_name(const struct sim *sim, uint32_t host)
{
	return sim->inventory->hosts[host].name;
}

const char *sim_guest_name(const struct sim *sim, uint32_t guest)
{
	return sim->inventory->guests[guest].name;
}

void sim_breach(struct sim *sim, const char *format, ...)
{
	char text[ERROR_MESSAGE_SIZE];
	va_list args;

	if (sim->breach.code != ERR_NONE)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	error_set(&sim->breach, ERR_INTERNAL, "at %lld ms: %s", (long long)sim_now_ms(sim), text);
}

/* --- volumes --- */

static size_t volume_slot(const struct sim *sim, uint32_t storage, const char *name)
{
	uint64_t hash = UINT64_C(1469598103934665603) ^ storage;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return (size_t)((hash ^ (hash >> 29)) % sim->n_volume_heads);
}

uint32_t sim_volume_find(const struct sim *sim, uint32_t storage, const char *name)
{
	uint32_t v = sim->volume_heads[volume_slot(sim, storage, name)];

	while (v != INDEX_NONE && (sim->volumes[v].storage != storage || strcmp(sim->volumes[v].name, name) != 0))
		v = sim->volumes[v].hash_next;
	return v;
}

uint32_t sim_volume_add(struct sim *sim, uint32_t storage, const char *name)
{
	size_t slot = volume_slot(sim, storage, name);
	uint32_t v = (uint32_t)sim->n_volumes;

	sim->volumes = xgrow(sim->volumes, sim->n_volumes, sizeof *sim->volumes);
	sim->n_volumes++;
	sim->volumes[v] = (struct sim_volume){
		.name = xstrdup(name), .storage = storage, .host = INDEX_NONE, .guest = INDEX_NONE,
		.hash_next = sim->volume_heads[slot], .exists = true,
	};
	sim->volume_heads[slot] = v;
	return v;
}

void sim_volume_remove(struct sim *sim, uint32_t volume)
{
	struct sim_volume *gone = &sim->volumes[volume];
	uint32_t *link = &sim->volume_heads[volume_slot(sim, gone->storage, gone->name)];

	while (*link != volume)
		link = &sim->volumes[*link].hash_next;
	*link = gone->hash_next;
	gone->exists = false;
	sim->storages[gone->storage].available_bytes += gone->taken_bytes;
}

bool sim_volume_in_use(const struct sim *sim, uint32_t volume, bool only_active)
{
	uint32_t guest = sim->volumes[volume].guest;
	const struct sim_copy *copy;
	size_t i;

	if (guest == INDEX_NONE)
		return false;
	for (copy = sim->guests[guest].copies; copy != NULL; copy = copy->next_of_guest) {
		if (only_active && !sim_copy_is_active(copy))
			continue;
		for (i = 0; i < sim->inventory->guests[guest].n_disks; i++) {
			if (copy->disks[i].volume == volume)
				return true;
		}
	}
	return false;
}

uint32_t sim_pool_index(const struct sim *sim, uint32_t host, const char *name)
{
	const struct host *h = &sim->inventory->hosts[host];
	size_t i;

	for (i = 0; name != NULL && i < h->n_pools; i++) {
		if (strcmp(h->pools[i].name, name) == 0)
			return (uint32_t)i;
	}
	return INDEX_NONE;
}

char *sim_volume_name(const struct sim *sim, uint32_t guest, size_t disk)
{
	const struct disk *d = &sim->inventory->guests[guest].disks[disk];
	const char *slash;

	if (d->volume != NULL)
		return xstrdup(d->volume);
	if (d->path == NULL)
		return xprintf("%s-%s", sim_guest_name(sim, guest), d->target);
	slash = strrchr(d->path, '/');
	return xstrdup(slash != NULL ? slash + 1 : d->path);
}

/* --- copies --- */

struct sim_copy *sim_copy_on(const struct sim *sim, uint32_t guest, uint32_t host)
{
	struct sim_copy *copy = sim->guests[guest].copies;

	while (copy != NULL && copy->host != host)
		copy = copy->next_of_guest;
	return copy;
}

struct sim_copy *sim_copy_add(struct sim *sim, uint32_t guest, uint32_t host)
{
	size_t n = sim->inventory->guests[guest].n_disks, i;
	struct sim_copy *copy = xcalloc(1, sizeof *copy);

	copy->guest = guest;
	copy->host = host;
	copy->presence = HV_SHUTOFF;
	copy->disks = xcalloc(n, sizeof *copy->disks);
	for (i = 0; i < n; i++)
		copy->disks[i] = (struct sim_copy_disk){.volume = INDEX_NONE, .pool = INDEX_NONE};
	copy->next_of_guest = sim->guests[guest].copies;
	sim->guests[guest].copies = copy;
	copy->next_on_host = sim->hosts[host].copies;
	if (copy->next_on_host != NULL)
		copy->next_on_host->previous_on_host = copy;
	sim->hosts[host].copies = copy;
	return copy;
}

static void copy_free(struct sim_copy *copy)
{
	free(copy->tag);
	free(copy->disks);
	free(copy);
}

void sim_copy_remove(struct sim *sim, struct sim_copy *copy)
{
	struct sim_copy **link = &sim->guests[copy->guest].copies;

	sim_copy_set(sim, copy, HV_SHUTOFF, HV_PAUSE_NONE);
	while (*link != copy)
		link = &(*link)->next_of_guest;
	*link = copy->next_of_guest;
	if (copy->next_on_host != NULL)
		copy->next_on_host->previous_on_host = copy->previous_on_host;
	if (copy->previous_on_host != NULL)
		copy->previous_on_host->next_on_host = copy->next_on_host;
	else
		sim->hosts[copy->host].copies = copy->next_on_host;
	copy_free(copy);
}

bool sim_copy_is_active(const struct sim_copy *copy)
{
	return copy->presence == HV_RUNNING || copy->presence == HV_PAUSED;
}

static void count_memory(struct sim *sim, const struct sim_copy *copy, bool is_active)
{
	struct sim_host *host = &sim->hosts[copy->host];
	uint64_t bytes = sim->inventory->guests[copy->guest].memory_bytes;

	if (!is_active) {
		host->memory_used_bytes -= bytes;
		host->active--;
		return;
	}
	host->memory_used_bytes += bytes;
	host->active++;
	if (host->memory_used_bytes > host->memory_limit_bytes)
		sim_breach(sim, "host %s: %llu bytes of memory in use by guests, it has %llu", sim_host_name(sim, copy->host),
			(unsigned long long)host->memory_used_bytes, (unsigned long long)host->memory_limit_bytes);
}

void sim_copy_set(struct sim *sim, struct sim_copy *copy, enum hv_presence presence, enum hv_pause_reason reason)
{
	bool was_active = sim_copy_is_active(copy);

	copy->presence = presence;
	copy->pause_reason = presence == HV_PAUSED ? reason : HV_PAUSE_NONE;
	if (sim_copy_is_active(copy) != was_active)
		count_memory(sim, copy, !was_active);
	sim_mix(sim, (uint64_t)copy->guest << 32 | (uint64_t)copy->host << 4 | (uint64_t)presence);
	sim_guest_verify(sim, copy->guest);
}

bool sim_copy_end(struct sim *sim, struct sim_copy *copy, bool by_migration)
{
	copy->job = HV_JOB_NONE;
	copy->migration = NULL;
	copy->is_incoming = copy->is_postcopy = copy->is_postcopy_failed = false;
	if (!copy->is_persistent) {
		sim_copy_remove(sim, copy);
		return true;
	}
	copy->is_shutoff_by_migration = by_migration;
	if (!copy->is_tag_defined)
		sim_copy_tag(copy, NULL); /* it was in the live XML only */
	sim_copy_set(sim, copy, HV_SHUTOFF, HV_PAUSE_NONE);
	return false;
}

void sim_copy_tag(struct sim_copy *copy, const struct job_tag *tag)
{
	free(copy->tag);
	copy->tag = NULL;
	copy->is_tag_defined = false;
	if (tag == NULL)
		return;
	copy->tag = xmalloc(sizeof *copy->tag);
	*copy->tag = *tag;
}

void sim_copy_takes_over(struct sim *sim, struct sim_copy *copy)
{
	size_t i;

	copy->version = ++sim->guests[copy->guest].version;
	copy->is_incoming = false;
	for (i = 0; i < sim->inventory->guests[copy->guest].n_disks; i++) {
		struct sim_volume *volume;

		if (copy->disks[i].volume == INDEX_NONE)
			continue;
		volume = &sim->volumes[copy->disks[i].volume];
		if (volume->guest == copy->guest)
			volume->version = copy->version;
	}
}

struct sim_copy *sim_guest_main_copy(const struct sim *sim, uint32_t guest)
{
	struct sim_copy *copy;

	for (copy = sim->guests[guest].copies; copy != NULL; copy = copy->next_of_guest) {
		if (sim_copy_is_active(copy) && !copy->is_incoming && copy->version == sim->guests[guest].version)
			return copy;
	}
	return NULL;
}

/* --- invariants --- */

static void verify_disks(struct sim *sim, const struct sim_copy *copy)
{
	const struct guest *guest = &sim->inventory->guests[copy->guest];
	size_t i;

	for (i = 0; i < guest->n_disks; i++) {
		const struct sim_volume *volume;

		if (copy->disks[i].volume == INDEX_NONE)
			continue;
		volume = &sim->volumes[copy->disks[i].volume];
		if (!volume->exists)
			sim_breach(sim, "guest %s runs on %s without its disk %s: volume %s is deleted", guest->name,
				sim_host_name(sim, copy->host), guest->disks[i].target, volume->name);
		else if (!volume->is_complete)
			sim_breach(sim, "guest %s runs on %s with disk %s half copied", guest->name,
				sim_host_name(sim, copy->host), guest->disks[i].target);
		else if (volume->guest == copy->guest && volume->version < copy->version)
			sim_breach(sim, "guest %s runs on %s with an old state of disk %s", guest->name,
				sim_host_name(sim, copy->host), guest->disks[i].target);
	}
}

static void track_blackout(struct sim *sim, struct sim_guest *guest, bool runs)
{
	if (!runs && guest->dark_since_us < 0) {
		guest->dark_since_us = sim->now_us;
	} else if (runs && guest->dark_since_us >= 0) {
		guest->blackout_us = sim->now_us - guest->dark_since_us;
		guest->dark_since_us = -1;
		if (guest->blackout_us / US_PER_MS > sim->counters.longest_blackout_ms)
			sim->counters.longest_blackout_ms = guest->blackout_us / US_PER_MS;
	}
}

void sim_guest_verify(struct sim *sim, uint32_t guest)
{
	struct sim_guest *g = &sim->guests[guest];
	const struct sim_copy *copy, *first = NULL;
	unsigned running = 0;

	for (copy = g->copies; copy != NULL; copy = copy->next_of_guest) {
		if (copy->presence != HV_RUNNING)
			continue;
		running++;
		if (first != NULL && !g->may_run_twice)
			sim_breach(sim, "guest %s runs on %s and on %s", sim_guest_name(sim, guest),
				sim_host_name(sim, first->host), sim_host_name(sim, copy->host));
		first = copy;
		if (copy->is_incoming)
			sim_breach(sim, "guest %s runs on %s without its memory", sim_guest_name(sim, guest), sim_host_name(sim, copy->host));
		if (copy->version < g->version && !g->may_run_twice)
			sim_breach(sim, "guest %s runs on %s from an old state", sim_guest_name(sim, guest), sim_host_name(sim, copy->host));
		if (!g->may_run_twice)
			verify_disks(sim, copy);
	}
	track_blackout(sim, g, running > 0);
	if (running <= 1 && g->may_run_twice) {
		struct sim_copy *main_copy = sim_guest_main_copy(sim, guest);

		g->was_twice_us = sim->now_us;
		if (main_copy != NULL && main_copy == first)
			g->may_run_twice = false;
	}
}

/* --- building --- */

static void build_pools(struct sim *sim, uint32_t h)
{
	const struct host *host = &sim->inventory->hosts[h];
	size_t i, s;

	sim->hosts[h].storages = xcalloc(host->n_pools, sizeof *sim->hosts[h].storages);
	for (i = 0; i < host->n_pools; i++) {
		const struct pool *pool = &host->pools[i];

		for (s = 0; s < sim->n_storages && pool->share_id != NULL; s++) {
			if (sim->storages[s].share_id != NULL && strcmp(sim->storages[s].share_id, pool->share_id) == 0)
				break;
		}
		if (pool->share_id == NULL || s == sim->n_storages) {
			s = sim->n_storages;
			sim->storages = xgrow(sim->storages, s, sizeof *sim->storages);
			sim->storages[sim->n_storages++] = (struct sim_storage){
				.share_id = pool->share_id, .available_bytes = pool->available_bytes};
		}
		sim->hosts[h].storages[i] = (uint32_t)s;
	}
}

static void build_volume(struct sim *sim, struct sim_copy *copy, size_t disk)
{
	const struct disk *d = &sim->inventory->guests[copy->guest].disks[disk];
	uint32_t pool = sim_pool_index(sim, copy->host, d->pool), storage, volume;
	char *name;

	if (pool == INDEX_NONE || d->passthrough)
		return;
	storage = sim->hosts[copy->host].storages[pool];
	name = sim_volume_name(sim, copy->guest, disk);
	volume = sim_volume_find(sim, storage, name);
	if (volume == INDEX_NONE) {
		volume = sim_volume_add(sim, storage, name);
		sim->volumes[volume].guest = d->readonly ? INDEX_NONE : copy->guest;
		sim->volumes[volume].host = copy->host;
		sim->volumes[volume].disk = (uint32_t)disk;
		sim->volumes[volume].capacity_bytes = d->capacity_bytes;
		sim->volumes[volume].taken_bytes = d->allocation_bytes > 0 ? d->allocation_bytes : d->capacity_bytes;
		sim->volumes[volume].is_complete = true;
	}
	free(name);
	copy->disks[disk] = (struct sim_copy_disk){.volume = volume, .pool = pool};
}

static void build_guest(struct sim *sim, uint32_t g)
{
	const struct guest *from = &sim->inventory->guests[g];
	struct sim_guest *guest = &sim->guests[g];
	struct sim_copy *copy;
	uint32_t first;
	size_t i;

	first = name_index_add(sim->guest_names, from->name, g);
	guest->same_name = INDEX_NONE;
	if (first != INDEX_NONE && first != g) {
		guest->same_name = sim->guests[first].same_name;
		sim->guests[first].same_name = g;
	}
	if (from->uuid[0] != '\0')
		name_index_add(sim->guest_uuids, from->uuid, g);
	guest->dirty_rate_bytes_per_s = from->dirty_rate_bytes_per_s;
	guest->was_running = from->state == GUEST_RUNNING;
	guest->was_paused = from->state == GUEST_PAUSED;
	guest->dark_since_us = guest->was_running ? -1 : 0;
	guest->lost_us = -1;
	guest->blackout_us = -1;
	copy = sim_copy_add(sim, g, from->host);
	copy->is_persistent = from->persistent || from->state == GUEST_SHUTOFF;
	copy->has_autostart = from->autostart;
	for (i = 0; i < from->n_disks; i++)
		build_volume(sim, copy, i);
	sim_copy_set(sim, copy, guest->was_running ? HV_RUNNING : guest->was_paused ? HV_PAUSED : HV_SHUTOFF, HV_PAUSE_USER);
}

void sim_world_build(struct sim *sim)
{
	const struct inventory *inventory = sim->inventory;
	uint32_t i;

	sim->hosts = xcalloc(inventory->n_hosts, sizeof *sim->hosts);
	sim->guests = xcalloc(inventory->n_guests, sizeof *sim->guests);
	sim->guest_names = name_index_new(inventory->n_guests);
	sim->guest_uuids = name_index_new(inventory->n_guests);
	sim->n_volume_heads = inventory->n_guests * 2 + 1024;
	sim->volume_heads = xmalloc(sim->n_volume_heads * sizeof *sim->volume_heads);
	memset(sim->volume_heads, 0xff, sim->n_volume_heads * sizeof *sim->volume_heads);
	for (i = 0; i < inventory->n_hosts; i++) {
		sim->hosts[i].lost_before_us = -1; /* what is sent at time 0 is not lost */
		sim->hosts[i].memory_limit_bytes = UINT64_MAX;
		build_pools(sim, i);
		sim->hosts[i].is_cut = sim->hosts[i].is_down_for_manager = !inventory->hosts[i].reachable;
	}
	for (i = 0; i < inventory->n_guests; i++)
		build_guest(sim, i);
	for (i = 0; i < inventory->n_hosts; i++) {
		struct sim_host *host = &sim->hosts[i];
		uint64_t has = inventory->hosts[i].memory_bytes;

		host->memory_limit_bytes = has > host->memory_used_bytes ? has : host->memory_used_bytes;
	}
}

void sim_world_clear(struct sim *sim)
{
	size_t i;

	for (i = 0; i < sim->inventory->n_guests; i++) {
		struct sim_copy *copy = sim->guests[i].copies, *next;

		for (; copy != NULL; copy = next) {
			next = copy->next_of_guest;
			copy_free(copy);
		}
	}
	for (i = 0; i < sim->inventory->n_hosts; i++) {
		free(sim->hosts[i].storages);
		free(sim->hosts[i].shared);
	}
	for (i = 0; i < sim->n_volumes; i++)
		free(sim->volumes[i].name);
	name_index_free(sim->guest_names);
	name_index_free(sim->guest_uuids);
	free(sim->volume_heads);
	free(sim->volumes);
	free(sim->storages);
	free(sim->links);
	free(sim->guests);
	free(sim->hosts);
}
