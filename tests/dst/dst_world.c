/* The world that a seed draws: hosts, guests, disks, rules, limits and options, mostly ordinary, sometimes tight. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dst.h"
#include "store_memory.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)
#define GIB (1024 * MIB)

/* splitmix64 */
uint64_t dice_next(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t dice_between(struct dice *dice, int64_t low, int64_t high)
{
	return high <= low ? low : low + (int64_t)(dice_next(dice) % (uint64_t)(high - low + 1));
}

bool dice_chance(struct dice *dice, unsigned per_mille)
{
	return dice_next(dice) % 1000 < per_mille;
}

static uint32_t draw_u32(struct dice *dice, uint32_t low, uint32_t high)
{
	return (uint32_t)dice_between(dice, low, high);
}

struct traits { /* of all hosts of one world */
	bool has_shared_pool, has_unknown_rates, is_tight;
	uint64_t rate;
	unsigned disk_per_mille;
};

static void draw_host(struct inventory *inventory, struct dice *dice, const struct traits *traits, unsigned i)
{
	char name[32];
	struct host *host;
	struct pool *pool;

	snprintf(name, sizeof name, "h%u", i + 1);
	host = inventory_add_host(inventory, name);
	host->memory_bytes = 64 * GIB;
	host->memory_reserve_bytes = dice_chance(dice, 300) ? 512 * MIB : 0;
	host->cpus = dice_chance(dice, 700) ? 32 : 0;
	snprintf(name, sizeof name, "10.8.0.%u/24", i + 1);
	host_add_link(host, name)->rate_bytes_per_s = traits->has_unknown_rates ? 0 : traits->rate;
	pool = host_add_pool(host, "images");
	pool->kind = xstrdup("dir");
	pool->path = xstrdup("/var/lib/libvirt/images");
	pool->capacity_bytes = pool->available_bytes = traits->is_tight ? 8 * GIB : 500 * GIB;
	if (traits->has_shared_pool) {
		pool = host_add_pool(host, "nfs");
		pool->kind = xstrdup("netfs");
		pool->share_id = xstrdup("filer:/export");
		pool->capacity_bytes = pool->available_bytes = 1000 * GIB;
	}
	if (dice_chance(dice, 100))
		host->max_incoming = draw_u32(dice, 1, 3);
	if (dice_chance(dice, 100))
		host->max_outgoing = draw_u32(dice, 1, 3);
}

static void draw_disks(struct guest *guest, struct dice *dice, const struct traits *traits)
{
	unsigned n = dice_chance(dice, traits->disk_per_mille) ? (unsigned)dice_between(dice, 1, 2) : 0, i;

	for (i = 0; i < n; i++) {
		char target[8];
		struct disk *disk;

		snprintf(target, sizeof target, "vd%c", (char)('a' + i));
		disk = guest_add_disk(guest, target);
		disk->pool = xstrdup(traits->has_shared_pool && dice_chance(dice, 400) ? "nfs" : "images");
		disk->volume = xprintf("%s-%s.qcow2", guest->name, target);
		disk->path = xprintf("/var/lib/libvirt/images/%s", disk->volume);
		disk->format = DISK_QCOW2;
		disk->capacity_bytes = 2 * GIB;
		disk->allocation_bytes = (uint64_t)dice_between(dice, 16, 512) * MIB;
		disk->write_rate_bytes_per_s = dice_chance(dice, 200) ? 1000000 : 0;
	}
}

static void draw_guest(struct inventory *inventory, struct dice *dice, const struct traits *traits, unsigned i)
{
	char name[32];
	struct guest *guest;
	unsigned kind = (unsigned)dice_between(dice, 0, 99);

	snprintf(name, sizeof name, "g%u", i + 1);
	guest = inventory_add_guest(inventory, name, draw_u32(dice, 0, dice_chance(dice, 500) ? 1 : (uint32_t)inventory->n_hosts - 1));
	snprintf(guest->uuid, sizeof guest->uuid, "00000000-0000-4000-8000-%012u", i + 1);
	guest->memory_bytes = (uint64_t)dice_between(dice, 1, 16) * 128 * MIB;
	guest->used_memory_bytes = guest->memory_bytes / (uint64_t)dice_between(dice, 1, 8);
	guest->vcpus = draw_u32(dice, 1, 4);
	guest->persistent = dice_chance(dice, 850);
	guest->autostart = guest->persistent && dice_chance(dice, 500);
	guest->state = kind < 4 ? GUEST_PAUSED : kind < 7 ? GUEST_SHUTOFF : GUEST_RUNNING;
	if (guest->state == GUEST_SHUTOFF)
		guest->persistent = true;
	guest->dirty_rate_bytes_per_s = (uint64_t)dice_between(dice, 0, dice_chance(dice, 60) ? 400 : 20) * 1000000;
	guest->working_set_bytes = guest->used_memory_bytes / (uint64_t)dice_between(dice, 1, 10);
	guest->priority = (int32_t)dice_between(dice, 0, 2);
	draw_disks(guest, dice, traits);
	if (dice_chance(dice, 80))
		error_set(error_own(&guest->unmovable), ERR_GUEST_DEVICE, "guest %s has a shared folder", name);
	else if (dice_chance(dice, 30))
		guest->hostdevs = 1;
	if (dice_chance(dice, 300))
		strings_add(&guest->groups, &guest->n_groups, dice_chance(dice, 500) ? "web" : "db");
}

/* Just enough room on every host for its own share and one guest more. */
static void tighten(struct inventory *inventory)
{
	uint64_t total = 0, largest = 0, used;
	size_t i, j;

	for (i = 0; i < inventory->n_guests; i++) {
		total += inventory->guests[i].memory_bytes;
		if (inventory->guests[i].memory_bytes > largest)
			largest = inventory->guests[i].memory_bytes;
	}
	for (i = 0; i < inventory->n_hosts; i++) {
		struct host *host = &inventory->hosts[i];

		for (j = 0, used = 0; j < inventory->n_guests; j++)
			used += inventory->guests[j].host == i ? inventory->guests[j].memory_bytes : 0;
		host->memory_bytes = total / (inventory->n_hosts > 1 ? inventory->n_hosts - 1 : 1) + 2 * largest + host->memory_reserve_bytes;
		if (host->memory_bytes < used + host->memory_reserve_bytes)
			host->memory_bytes = used + host->memory_reserve_bytes;
		host->memory_bytes = host->memory_bytes / 20 * 21;
	}
}

static void draw_rules(struct inventory *inventory, struct dice *dice)
{
	static const char *const groups[] = {"web", "db"};
	size_t i;

	for (i = 0; i < 2; i++) {
		enum rule_kind kind = (enum rule_kind)dice_between(dice, RULE_ANTI_AFFINITY, RULE_AT_MOST_MOVING);
		struct rule *rule;

		if (!dice_chance(dice, 400))
			continue;
		rule = inventory_add_rule(inventory, kind);
		strings_add(&rule->groups, &rule->n_groups, groups[i]);
		rule->count = draw_u32(dice, 1, 2);
		if (kind == RULE_ONLY_ON || kind == RULE_NEVER_ON)
			strings_add(&rule->hosts, &rule->n_hosts, inventory->hosts[draw_u32(dice, 0, (uint32_t)inventory->n_hosts - 1)].name);
	}
}

/* Some sites have racks behind one uplink, or several networks that moves may take. Their dice are apart, so that the other worlds are
 * what they are without. */
static void draw_sites_links(struct inventory *inventory, const struct dice *dice, uint64_t rate)
{
	static const char *const cidrs[] = {"10.9.0.0/24", "10.8.0.0/24"};
	struct dice apart = {.state = ~dice->state};
	struct shared_link *uplink;
	char text[32];
	size_t i;

	if (dice_chance(&apart, 150)) {
		uplink = inventory_add_shared_link(inventory, "uplink");
		uplink->rate_bytes_per_s = rate * (uint64_t)dice_between(&apart, 1, 2);
		for (i = 0; i < (inventory->n_hosts + 1) / 2; i++)
			strings_add(&uplink->hosts, &uplink->n_hosts, inventory->hosts[i].name);
	}
	if (!dice_chance(&apart, 150))
		return;
	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "m%zu", i);
		inventory_add_network(inventory, text)->cidr = xstrdup(cidrs[i]);
		inventory->networks[i].order = (int32_t)i;
	}
	for (i = 0; i < inventory->n_hosts; i++) {
		snprintf(text, sizeof text, "10.9.0.%zu/24", i + 1);
		if (dice_chance(&apart, 700))
			host_add_link(&inventory->hosts[i], text)->rate_bytes_per_s = dice_chance(&apart, 500) ? rate : 0;
	}
}

static void draw_inventory(struct world *world, struct dice *dice)
{
	static const uint64_t rates[] = {25000000, 125000000, 125000000, 1250000000};
	struct inventory *inventory = world->inventory = inventory_new();
	const struct traits traits = {
		.has_shared_pool = dice_chance(dice, 300),
		.has_unknown_rates = dice_chance(dice, 400),
		.is_tight = dice_chance(dice, 250),
		.rate = rates[dice_between(dice, 0, 3)],
		.disk_per_mille = (unsigned)dice_between(dice, 0, 3) * 300,
	};
	unsigned n_hosts = (unsigned)dice_between(dice, 2, 8), i;
	unsigned n_guests = (unsigned)dice_between(dice, 3, dice_chance(dice, 200) ? 40 : 14);

	for (i = 0; i < n_hosts; i++)
		draw_host(inventory, dice, &traits, i);
	for (i = 0; i < n_guests; i++)
		draw_guest(inventory, dice, &traits, i);
	if (traits.is_tight)
		tighten(inventory);
	if (dice_chance(dice, 400))
		draw_rules(inventory, dice);
	draw_sites_links(inventory, dice, traits.rate);
	world->sim.link_rate_bytes_per_s = traits.rate;
}

void world_draw_options(struct engine_options *options, struct dice *dice)
{
	struct dice aside = *dice; /* what it gives is not missing in the other draws */

	engine_options_init(options);
	if (dice_chance(dice, 250))
		options->max_migrations = draw_u32(dice, 1, 6);
	if (dice_chance(dice, 150))
		options->max_incoming = draw_u32(dice, 1, 4);
	if (dice_chance(dice, 150))
		options->max_outgoing = draw_u32(dice, 1, 4);
	if (dice_chance(dice, 150))
		options->max_incoming_storage = draw_u32(dice, 1, 2);
	if (dice_chance(dice, 150))
		options->workers_per_host = draw_u32(dice, 2, 6);
	options->shutdown_timeout_ms = dice_chance(dice, 500) ? 120000 : 30000;
	options->attempts_max = draw_u32(dice, 1, 4);
	options->stats_interval_ms = dice_chance(dice, 700) ? 1000 : 250;
	options->no_progress_ms = dice_chance(dice, 700) ? 60000 : 15000;
	options->reply_timeout_ms = dice_chance(dice, 700) ? 60000 : 5000;
	options->downtime_max_ms = dice_chance(dice, 400) ? 2000 : 0;
	options->keep_source_disks = dice_chance(dice, 300);
	options->paused_handover = dice_chance(dice, 400);
	options->auto_converge = dice_chance(dice, 300);
	options->post_copy = dice_chance(&aside, 500);
	options->throttle = dice_chance(dice, 850);
	options->plan.prestage = draw_u32(dice, 0, 3);
	options->plan.post_copy = options->post_copy;
	options->plan.search_evaluations = dice_chance(dice, 100) ? 100 : 0;
}

/* Guests that write faster than any link carries: few worlds have them by chance, and only they get to post-copy. */
static void make_writers(struct inventory *inventory, uint64_t which)
{
	size_t i;

	for (i = 0; i < inventory->n_guests; i++)
		if ((which >> i % 64 & 1) != 0) {
			inventory->guests[i].dirty_rate_bytes_per_s = 2000000000;
			inventory->guests[i].working_set_bytes = inventory->guests[i].used_memory_bytes;
		}
}

/* Guests that are to change places on hosts without room for one more: few requests drawn at random ask for that. */
static void make_circle(struct world *world, struct dice aside)
{
	struct inventory *inventory = world->inventory;
	uint32_t n = inventory->n_hosts > 3 && dice_chance(&aside, 400) ? 3 : 2, i;
	size_t k;

	for (i = 0; i < n; i++) {
		struct guest *guest = &inventory->guests[i];

		guest->host = i;
		guest->state = GUEST_RUNNING;
		guest->hostdevs = 0;
		error_disown(&guest->unmovable);
		guest->memory_bytes = inventory->guests[0].memory_bytes;
		guest->used_memory_bytes = guest->memory_bytes / (uint64_t)dice_between(&aside, 1, 8);
		guest->working_set_bytes = guest->used_memory_bytes / 2;
	}
	for (i = 0; i < n; i++) {
		uint64_t used = (uint64_t)dice_between(&aside, 0, (int64_t)(inventory->guests[0].memory_bytes / MIB) - 1) * MIB;

		for (k = 0; k < inventory->n_guests; k++)
			used += inventory->guests[k].host == i && inventory->guests[k].state != GUEST_SHUTOFF ? inventory->guests[k].memory_bytes : 0;
		inventory->hosts[i].memory_bytes = used / 20 * 21 + 8 * MIB + inventory->hosts[i].memory_reserve_bytes;
	}
	world->n_circle = n;
}

void world_draw(struct world *world, struct dice *dice)
{
	*world = (struct world){.is_calm = dice_chance(dice, 120)};
	sim_options_init(&world->sim);
	world->sim.seed = dice_next(dice);
	world->sim.no_postcopy_hosts = world->sim.seed & world->sim.seed >> 17 & world->sim.seed >> 34; /* an eighth of them */
	draw_inventory(world, dice);
	world_draw_options(&world->engine, dice);
	if (world->engine.post_copy && world->sim.seed % 4 == 0) {
		make_writers(world->inventory, world->sim.seed >> 9 & world->sim.seed >> 20);
		world->engine.paused_handover = false;
	}
	if (world->inventory->n_hosts > 2 && world->sim.seed >> 4 & 1 && world->sim.seed >> 13 & 1 && world->sim.seed >> 29 & 1)
		make_circle(world, (struct dice){.state = ~world->sim.seed});
	world->store = store_memory_new("00000000-0000-4000-8000-000000000001");
	world->store_retries = (unsigned)dice_between(dice, 0, 2);
	if (dice_chance(dice, 500))
		world->sim.keepalive_ms = 10000;
	if (dice_chance(dice, 300))
		world->sim.request_max_ms = 1200;
	if (world->is_calm)
		return;
	if (dice_chance(dice, 300))
		world->sim.faults.request_error = draw_u32(dice, 1, 40);
	if (dice_chance(dice, 400))
		world->sim.faults.reply_lost = draw_u32(dice, 1, 60);
	if (dice_chance(dice, 300))
		world->sim.faults.reply_late = draw_u32(dice, 1, 60);
	if (dice_chance(dice, 300))
		world->sim.faults.reply_doubled = draw_u32(dice, 1, 100);
	if (dice_chance(dice, 300))
		world->sim.faults.migration_error = draw_u32(dice, 1, 300);
	if (dice_chance(dice, 300))
		world->sim.faults.finish_lost = draw_u32(dice, 1, 300);
	if (dice_chance(dice, 200))
		world->sim.faults.guest_deaf = draw_u32(dice, 1, 300);
	if (dice_chance(dice, 300))
		world->sim.faults.start_refused = draw_u32(dice, 1, 900);
	if (dice_chance(dice, 200))
		world->sim.faults.dirty_surge = draw_u32(dice, 1, 200);
	world->sim.faults.duration_max_ms = 60000;
}
