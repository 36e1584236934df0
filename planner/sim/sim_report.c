/* Views of the world: inventory, digest, counters, leftovers, and the checks. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

/* --- inventory: a shallow view with the facts of now, copied deeply at the end --- */

static void view_pools(const struct sim *sim, uint32_t h, struct host *host)
{
	size_t i;

	host->pools = xcalloc(host->n_pools, sizeof *host->pools);
	for (i = 0; i < host->n_pools; i++) {
		host->pools[i] = sim->inventory->hosts[h].pools[i];
		host->pools[i].available_bytes = sim->storages[sim->hosts[h].storages[i]].available_bytes;
	}
}

static struct host view_host(const struct sim *sim, uint32_t h)
{
	struct host host = sim->inventory->hosts[h];

	view_pools(sim, h, &host);
	host.reachable = sim_host_answers(sim, h);
	memset(&host.down, 0, sizeof host.down);
	if (!host.reachable)
		error_set(&host.down, ERR_HOST_UNREACHABLE, "host %s: not connected", host.name);
	return host;
}

static enum guest_state view_state(const struct sim_copy *copy)
{
	switch (copy->presence) {
	case HV_RUNNING: return GUEST_RUNNING;
	case HV_PAUSED: return GUEST_PAUSED;
	case HV_ABSENT:
	case HV_SHUTOFF: break;
	}
	return GUEST_SHUTOFF;
}

static struct guest view_guest(const struct sim *sim, const struct sim_copy *copy)
{
	struct guest guest = sim->inventory->guests[copy->guest];
	const struct host *host = &sim->inventory->hosts[copy->host];
	struct disk *disks = xcalloc(guest.n_disks, sizeof *disks);
	size_t i;

	for (i = 0; i < guest.n_disks; i++) {
		const struct sim_copy_disk *at = &copy->disks[i];

		disks[i] = guest.disks[i];
		disks[i].path = xstrdup(guest.disks[i].path);
		if (at->volume == INDEX_NONE)
			continue;
		disks[i].pool = host->pools[at->pool].name;
		if (guest.disks[i].volume != NULL || copy->host != guest.host)
			disks[i].volume = sim->volumes[at->volume].name;
		if (host->pools[at->pool].path != NULL && copy->host != guest.host) {
			free(disks[i].path);
			disks[i].path = xprintf("%s/%s", host->pools[at->pool].path, sim->volumes[at->volume].name);
		}
	}
	guest.disks = disks;
	guest.host = copy->host;
	guest.state = view_state(copy);
	guest.persistent = copy->is_persistent;
	guest.autostart = copy->has_autostart;
	return guest;
}

static struct inventory *finish_view(struct inventory *view)
{
	struct inventory *inventory = inventory_copy(view);
	bool sealed = inventory_seal(inventory, NULL);
	size_t i, j;

	assert(sealed);
	(void)sealed;
	for (i = 0; i < view->n_guests; i++) {
		for (j = 0; j < view->guests[i].n_disks; j++)
			free(view->guests[i].disks[j].path);
		free(view->guests[i].disks);
	}
	for (i = 0; i < view->n_hosts; i++)
		free(view->hosts[i].pools);
	free(view->guests);
	free(view->hosts);
	return inventory;
}

struct inventory *sim_probe(const struct sim *sim, uint32_t host, bool is_measured)
{
	struct inventory view = {.n_hosts = 1};
	const struct sim_copy *copy;
	size_t n = 0;

	view.hosts = xcalloc(1, sizeof *view.hosts);
	view.hosts[0] = view_host(sim, host);
	for (copy = sim->hosts[host].copies; copy != NULL; copy = copy->next_on_host)
		n++;
	view.guests = xcalloc(n, sizeof *view.guests);
	for (copy = sim->hosts[host].copies; copy != NULL; copy = copy->next_on_host) {
		if (copy->is_incoming)
			continue;
		view.guests[view.n_guests] = view_guest(sim, copy);
		view.guests[view.n_guests].is_measured = is_measured && view.guests[view.n_guests].state == GUEST_RUNNING;
		view.guests[view.n_guests++].host = 0;
	}
	return finish_view(&view);
}

/* The copy by which a guest is shown: the one that is the guest, else any that is left. */
static const struct sim_copy *shown_copy(const struct sim *sim, uint32_t guest)
{
	const struct sim_copy *copy = sim_guest_main_copy(sim, guest);

	return copy != NULL ? copy : sim->guests[guest].copies;
}

struct inventory *sim_inventory(const struct sim *sim)
{
	struct inventory view = *sim->inventory;
	uint32_t i;

	view.index = NULL;
	view.hosts = xcalloc(view.n_hosts, sizeof *view.hosts);
	for (i = 0; i < view.n_hosts; i++)
		view.hosts[i] = view_host(sim, i);
	view.guests = xcalloc(view.n_guests, sizeof *view.guests);
	view.n_guests = 0;
	for (i = 0; i < sim->inventory->n_guests; i++) {
		const struct sim_copy *copy = shown_copy(sim, i);

		if (copy != NULL)
			view.guests[view.n_guests++] = view_guest(sim, copy);
	}
	return finish_view(&view);
}

static unsigned liveliness(const struct sim_copy *copy)
{
	return copy == NULL ? 0 : copy->presence == HV_RUNNING ? 3 : copy->presence == HV_PAUSED ? 2 : 1;
}

/* The copy that a manager which asks every host finds; NULL = none that it can see. */
static const struct sim_copy *seen_copy(const struct sim *sim, uint32_t guest)
{
	const struct sim_copy *copy, *best = NULL;

	for (copy = sim->guests[guest].copies; copy != NULL; copy = copy->next_of_guest) {
		if (copy->is_incoming || !sim_host_answers(sim, copy->host))
			continue;
		if (liveliness(copy) > liveliness(best) || (liveliness(copy) == liveliness(best) && copy->host < best->host))
			best = copy;
	}
	return best;
}

/* Of a host that does not answer only what a configuration holds is known. */
static void forget_facts(struct host *host)
{
	host->memory_bytes = 0;
	host->cpus = 0;
	host->cpu_model = NULL;
	host->networks = NULL;
	host->n_networks = 0;
	host->n_pools = 0;
}

struct inventory *sim_inventory_seen(const struct sim *sim)
{
	struct inventory view = *sim->inventory;
	uint32_t i;

	view.index = NULL;
	view.hosts = xcalloc(view.n_hosts, sizeof *view.hosts);
	for (i = 0; i < view.n_hosts; i++) {
		view.hosts[i] = view_host(sim, i);
		if (!view.hosts[i].reachable)
			forget_facts(&view.hosts[i]);
	}
	view.guests = xcalloc(view.n_guests, sizeof *view.guests);
	view.n_guests = 0;
	for (i = 0; i < sim->inventory->n_guests; i++) {
		const struct sim_copy *copy = seen_copy(sim, i);

		if (copy != NULL)
			view.guests[view.n_guests++] = view_guest(sim, copy);
	}
	return finish_view(&view);
}

/* --- checks --- */

bool sim_check(const struct sim *sim, struct error *err)
{
	if (sim->breach.code == ERR_NONE)
		return true;
	if (err != NULL)
		*err = sim->breach;
	return false;
}

static bool check_guest(const struct sim *sim, uint32_t g, struct error *err)
{
	const struct sim_guest *guest = &sim->guests[g];
	const struct sim_copy *copy;
	unsigned running = 0, active = 0;

	for (copy = guest->copies; copy != NULL; copy = copy->next_of_guest) {
		running += copy->presence == HV_RUNNING;
		active += sim_copy_is_active(copy);
	}
	if (guest->migration != NULL)
		return error_set(err, ERR_INTERNAL, "guest %s still migrates", sim_guest_name(sim, g));
	if (guest->is_ended)
		return running <= 1 || error_set(err, ERR_INTERNAL, "guest %s runs on %u hosts", sim_guest_name(sim, g), running);
	/* What was left of a guest that somebody else has carried off or its host has booted afresh may be kept for them. */
	if (guest->was_running && running == 1 && (guest->was_strangers || guest->was_booted))
		return true;
	/* So may two running copies, once libvirt has let it run twice: the manager has to report it. */
	if (guest->was_running && running == 2 && guest->was_strangers && guest->may_run_twice)
		return true;
	if (guest->was_shut_down && running == 0)
		return true; /* as it was asked to; whether that was right is known to who asked */
	if (guest->was_running && (running != 1 || active != 1))
		return error_set(err, ERR_INTERNAL, "guest %s: runs on %u hosts, is active on %u", sim_guest_name(sim, g), running, active);
	if (guest->was_paused && guest->was_booted && running <= 1)
		return true;
	if (guest->was_paused && (running != 0 || active != 1))
		return error_set(err, ERR_INTERNAL, "guest %s was paused: runs on %u hosts, is active on %u", sim_guest_name(sim, g), running, active);
	return true;
}

bool sim_check_settled(const struct sim *sim, struct error *err)
{
	uint32_t i;

	if (!sim_check(sim, err))
		return false;
	for (i = 0; i < sim->inventory->n_guests; i++) {
		if (!check_guest(sim, i, err))
			return false;
	}
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	uint64_t state = hash ^ value;

	return sim_random(&state);
}

uint64_t sim_digest(const struct sim *sim)
{
	uint64_t hash = mix(sim->history, (uint64_t)sim->now_us);
	const struct sim_copy *copy;
	size_t i;

	for (i = 0; i < sim->inventory->n_guests; i++) {
		hash = mix(hash, sim->guests[i].version);
		for (copy = sim->guests[i].copies; copy != NULL; copy = copy->next_of_guest) {
			hash = mix(hash, (uint64_t)copy->host << 16 | (uint64_t)copy->presence << 8 | (uint64_t)copy->job);
			hash = mix(hash, copy->version << 1 | copy->is_persistent);
		}
	}
	for (i = 0; i < sim->n_links; i++)
		hash = mix(hash, sim->links[i].bytes);
	for (i = 0; i < sim->n_storages; i++)
		hash = mix(hash, sim->storages[i].available_bytes);
	return mix(hash, sim->counters.moves_done << 32 | sim->counters.moves_failed);
}

void sim_counters(const struct sim *sim, struct sim_counters *ret_counters)
{
	*ret_counters = sim->counters;
}

void sim_host_counters(const struct sim *sim, const char *host, struct sim_host_counters *ret_counters)
{
	uint32_t index = inventory_host(sim->inventory, host), i;
	const struct sim_host *h;

	memset(ret_counters, 0, sizeof *ret_counters);
	if (index == INDEX_NONE)
		return;
	h = &sim->hosts[index];
	for (i = 0; i < h->n_links; i++) {
		ret_counters->bytes_out += sim->links[h->first_link + 2 * i].bytes;
		ret_counters->bytes_in += sim->links[h->first_link + 2 * i + 1].bytes;
	}
	ret_counters->out = h->out;
	ret_counters->in = h->in;
	ret_counters->max_out = h->max_out;
	ret_counters->max_in = h->max_in;
	ret_counters->memory_used_bytes = h->memory_used_bytes;
	ret_counters->active_guests = h->active;
}

/* --- guests --- */

uint32_t sim_guest_index(const struct sim *sim, const char *name_or_uuid)
{
	uint32_t guest = name_index_find(sim->guest_uuids, name_or_uuid);

	return guest != INDEX_NONE ? guest : name_index_find(sim->guest_names, name_or_uuid);
}

bool sim_guest_is_active_on(const struct sim *sim, uint32_t guest, uint32_t host)
{
	const struct sim_copy *copy = sim_copy_on(sim, guest, host);

	return copy != NULL && sim_copy_is_active(copy);
}

uint32_t sim_guest_runs_on(const struct sim *sim, uint32_t guest)
{
	const struct sim_copy *copy = sim_guest_main_copy(sim, guest);

	return copy != NULL && copy->presence == HV_RUNNING ? copy->host : INDEX_NONE;
}

enum sim_phase sim_guest_phase(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].migration == NULL ? SIM_PHASE_NONE : sim->guests[guest].migration->phase;
}

bool sim_guest_was_shut_down(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].was_shut_down;
}

bool sim_guest_was_ended(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].is_ended;
}

bool sim_guest_is_moved_by_stranger(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].migration != NULL && sim->guests[guest].migration->is_strangers;
}

bool sim_guest_was_moved_by_stranger(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].was_strangers;
}

bool sim_guest_route(const struct sim *sim, uint32_t guest, uint32_t *ret_source, uint32_t *ret_target)
{
	const struct sim_migration *migration = sim->guests[guest].migration;

	if (migration == NULL)
		return false;
	*ret_source = migration->source;
	*ret_target = migration->target;
	return true;
}

uint64_t sim_guest_rate(const struct sim *sim, uint32_t guest)
{
	return sim->guests[guest].migration == NULL ? 0 : sim->guests[guest].migration->rate;
}

int64_t sim_guest_blackout_ms(const struct sim *sim, uint32_t guest)
{
	int64_t us = sim->guests[guest].blackout_us;

	return us < 0 ? -1 : us / US_PER_MS;
}

/* --- leftovers --- */

struct list {
	struct sim_leftover *items;
	size_t n;
};

static struct sim_leftover *add(struct list *list, enum sim_leftover_kind kind, uint32_t host, uint32_t guest)
{
	list->items = xgrow(list->items, list->n, sizeof *list->items);
	list->items[list->n] = (struct sim_leftover){.kind = kind, .host = host, .guest = guest};
	return &list->items[list->n++];
}

static bool is_kept(const struct sim *sim, uint32_t volume)
{
	uint32_t guest = sim->volumes[volume].guest;
	const struct sim_copy *copy = guest == INDEX_NONE ? NULL : shown_copy(sim, guest);
	size_t i;

	if (guest == INDEX_NONE)
		return !sim->volumes[volume].is_ours;
	for (i = 0; copy != NULL && i < sim->inventory->guests[guest].n_disks; i++) {
		if (copy->disks[i].volume == volume)
			return true;
	}
	return false;
}

static void list_volumes(const struct sim *sim, struct list *list)
{
	uint32_t i;

	for (i = 0; i < sim->n_volumes; i++) {
		const struct sim_volume *volume = &sim->volumes[i];
		struct sim_leftover *item;

		if (!volume->exists || volume->is_strangers || is_kept(sim, i))
			continue;
		item = add(list, SIM_LEFT_VOLUME, volume->host, volume->guest);
		snprintf(item->text, sizeof item->text, "volume %s on %s", volume->name, sim_host_name(sim, volume->host));
	}
}

static void list_copies(const struct sim *sim, uint32_t guest, struct list *list)
{
	const struct sim_copy *kept = shown_copy(sim, guest), *copy;

	for (copy = sim->guests[guest].copies; copy != NULL; copy = copy->next_of_guest) {
		struct sim_leftover *item;

		if (copy != kept) {
			item = add(list, sim_copy_is_active(copy) ? SIM_LEFT_COPY : SIM_LEFT_DEFINITION, copy->host, guest);
			snprintf(item->text, sizeof item->text, "%s copy of %s on %s", hv_presence_name(copy->presence),
				sim_guest_name(sim, guest), sim_host_name(sim, copy->host));
		}
		if (copy->tag != NULL) {
			item = add(list, SIM_LEFT_TAG, copy->host, guest);
			snprintf(item->text, sizeof item->text, "tag on %s on %s", sim_guest_name(sim, guest), sim_host_name(sim, copy->host));
		}
	}
}

size_t sim_leftovers(const struct sim *sim, struct sim_leftover **ret_list)
{
	struct list list = {NULL, 0};
	uint32_t i;

	list_volumes(sim, &list);
	for (i = 0; i < sim->inventory->n_guests; i++)
		list_copies(sim, i, &list);
	*ret_list = list.items;
	return list.n;
}
