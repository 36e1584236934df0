/* The inventory model: life cycle, adding, sealing and look-up. */
#include "drover/inventory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name_index.h"
#include "xalloc.h"

struct inventory_index {
	struct name_index *hosts;
	struct name_index *guest_names; /* first guest of that name */
	struct name_index *guest_uuids;
	uint32_t *same_name;            /* per guest: the next of its name, in a ring */
};

static const char *const format_names[] = {[DISK_RAW] = "raw", [DISK_QCOW2] = "qcow2", [DISK_OTHER] = "other"};
static const char *const state_names[] = {
	[GUEST_RUNNING] = "running", [GUEST_PAUSED] = "paused", [GUEST_SHUTOFF] = "shutoff", [GUEST_OTHER] = "other",
};
static const char *const rule_names[] = {
	[RULE_ANTI_AFFINITY] = "anti_affinity", [RULE_AFFINITY] = "affinity", [RULE_ONLY_ON] = "only_on",
	[RULE_NEVER_ON] = "never_on", [RULE_AT_MOST_MOVING] = "at_most_moving",
};

const char *disk_format_name(enum disk_format format)
{
	return format_names[format];
}

enum disk_format disk_format_by_name(const char *name)
{
	if (strcmp(name, "raw") == 0)
		return DISK_RAW;
	return strcmp(name, "qcow2") == 0 ? DISK_QCOW2 : DISK_OTHER;
}

static const char *const cannot_move_names[] = {
	[CANNOT_MOVE_LEAVE] = "leave", [CANNOT_MOVE_SHUTDOWN] = "shutdown", [CANNOT_MOVE_COLD] = "cold",
};

const char *cannot_move_name(enum cannot_move how)
{
	return cannot_move_names[how];
}

enum cannot_move cannot_move_by_name(const char *name)
{
	enum cannot_move how;

	for (how = CANNOT_MOVE_COLD; how > CANNOT_MOVE_UNSAID; how--)
		if (strcmp(cannot_move_names[how], name) == 0)
			break;
	return how;
}

const char *guest_state_name(enum guest_state state)
{
	return state_names[state];
}

const char *rule_kind_name(enum rule_kind kind)
{
	return rule_names[kind];
}

struct inventory *inventory_new(void)
{
	return xcalloc(1, sizeof(struct inventory));
}

void strings_add(char ***strings, size_t *n, const char *text)
{
	*strings = xgrow(*strings, *n, sizeof **strings);
	(*strings)[(*n)++] = xstrdup(text);
}

static void strings_free(char **strings, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void host_clear(struct host *host)
{
	size_t i;

	for (i = 0; i < host->n_links; i++)
		free(host->links[i].address);
	for (i = 0; i < host->n_pools; i++) {
		free(host->pools[i].name);
		free(host->pools[i].kind);
		free(host->pools[i].share_id);
		strings_free(host->pools[i].media, host->pools[i].n_media);
		free(host->pools[i].path);
	}
	free(host->name);
	free(host->cluster);
	free(host->cpu_model);
	free(host->links);
	free(host->pools);
	strings_free(host->networks, host->n_networks);
}

static void guest_clear(struct guest *guest)
{
	size_t i;

	for (i = 0; i < guest->n_disks; i++) {
		free(guest->disks[i].target);
		free(guest->disks[i].pool);
		free(guest->disks[i].volume);
		free(guest->disks[i].path);
		free(guest->disks[i].share_id);
		free(guest->disks[i].backing);
	}
	free(guest->name);
	free(guest->cpu_model);
	error_disown(&guest->unmovable);
	error_disown(&guest->unmovable_cold);
	free(guest->disks);
	strings_free(guest->interfaces, guest->n_interfaces);
	strings_free(guest->groups, guest->n_groups);
}

static void index_free(struct inventory_index *index)
{
	if (index == NULL)
		return;
	name_index_free(index->hosts);
	name_index_free(index->guest_names);
	name_index_free(index->guest_uuids);
	free(index->same_name);
	free(index);
}

static void parts_free(struct inventory *inventory)
{
	size_t i;

	for (i = 0; i < inventory->n_rules; i++) {
		struct rule *rule = &inventory->rules[i];

		strings_free(rule->groups, rule->n_groups);
		strings_free(rule->guests, rule->n_guests);
		strings_free(rule->hosts, rule->n_hosts);
	}
	for (i = 0; i < inventory->n_networks; i++) {
		free(inventory->networks[i].name);
		free(inventory->networks[i].cidr);
	}
	for (i = 0; i < inventory->n_shared_links; i++) {
		free(inventory->shared_links[i].name);
		strings_free(inventory->shared_links[i].hosts, inventory->shared_links[i].n_hosts);
	}
	free(inventory->rules);
	free(inventory->networks);
	free(inventory->shared_links);
}

void inventory_free(struct inventory *inventory)
{
	size_t i;

	if (inventory == NULL)
		return;
	for (i = 0; i < inventory->n_hosts; i++)
		host_clear(&inventory->hosts[i]);
	for (i = 0; i < inventory->n_guests; i++)
		guest_clear(&inventory->guests[i]);
	free(inventory->hosts);
	free(inventory->guests);
	parts_free(inventory);
	index_free(inventory->index);
	free(inventory);
}

struct host *inventory_add_host(struct inventory *inventory, const char *name)
{
	struct host *host;

	assert(inventory->index == NULL);
	inventory->hosts = xgrow(inventory->hosts, inventory->n_hosts, sizeof *inventory->hosts);
	host = &inventory->hosts[inventory->n_hosts++];
	*host = (struct host){
		.name = xstrdup(name), .reachable = true, .incoming = true, .outgoing = true,
		.cpu_overcommit_milli = 4000,
	};
	return host;
}

struct guest *inventory_add_guest(struct inventory *inventory, const char *name, uint32_t host)
{
	struct guest *guest;

	assert(inventory->index == NULL && host < inventory->n_hosts);
	inventory->guests = xgrow(inventory->guests, inventory->n_guests, sizeof *inventory->guests);
	guest = &inventory->guests[inventory->n_guests++];
	*guest = (struct guest){.name = xstrdup(name), .host = host, .vcpus = 1, .persistent = true};
	return guest;
}

struct rule *inventory_add_rule(struct inventory *inventory, enum rule_kind kind)
{
	inventory->rules = xgrow(inventory->rules, inventory->n_rules, sizeof *inventory->rules);
	inventory->rules[inventory->n_rules] = (struct rule){.kind = kind, .count = 1};
	return &inventory->rules[inventory->n_rules++];
}

struct migration_network *inventory_add_network(struct inventory *inventory, const char *name)
{
	inventory->networks = xgrow(inventory->networks, inventory->n_networks, sizeof *inventory->networks);
	inventory->networks[inventory->n_networks] = (struct migration_network){.name = xstrdup(name), .is_checked = true};
	return &inventory->networks[inventory->n_networks++];
}

struct shared_link *inventory_add_shared_link(struct inventory *inventory, const char *name)
{
	inventory->shared_links =
		xgrow(inventory->shared_links, inventory->n_shared_links, sizeof *inventory->shared_links);
	inventory->shared_links[inventory->n_shared_links] = (struct shared_link){.name = xstrdup(name)};
	return &inventory->shared_links[inventory->n_shared_links++];
}

struct pool *host_add_pool(struct host *host, const char *name)
{
	host->pools = xgrow(host->pools, host->n_pools, sizeof *host->pools);
	host->pools[host->n_pools] = (struct pool){.name = xstrdup(name)};
	return &host->pools[host->n_pools++];
}

struct host_link *host_add_link(struct host *host, const char *address)
{
	host->links = xgrow(host->links, host->n_links, sizeof *host->links);
	host->links[host->n_links] = (struct host_link){.address = xstrdup(address)};
	return &host->links[host->n_links++];
}

struct disk *guest_add_disk(struct guest *guest, const char *target)
{
	guest->disks = xgrow(guest->disks, guest->n_disks, sizeof *guest->disks);
	guest->disks[guest->n_disks] = (struct disk){.target = xstrdup(target)};
	return &guest->disks[guest->n_disks++];
}

static char **strings_copy(char *const *strings, size_t n)
{
	char **copy = NULL;
	size_t done = 0;

	while (done < n)
		strings_add(&copy, &done, strings[done]);
	return copy;
}

static void host_copy(const struct host *from, struct host *to)
{
	size_t i;

	*to = *from;
	to->name = xstrdup(from->name);
	to->cluster = xstrdup(from->cluster);
	to->cpu_model = xstrdup(from->cpu_model);
	to->networks = strings_copy(from->networks, from->n_networks);
	to->links = NULL;
	to->pools = NULL;
	to->n_links = to->n_pools = 0;
	for (i = 0; i < from->n_links; i++)
		host_add_link(to, from->links[i].address)->rate_bytes_per_s = from->links[i].rate_bytes_per_s;
	for (i = 0; i < from->n_pools; i++) {
		struct pool *pool = host_add_pool(to, from->pools[i].name);

		pool->kind = xstrdup(from->pools[i].kind);
		pool->share_id = xstrdup(from->pools[i].share_id);
		pool->path = xstrdup(from->pools[i].path);
		pool->capacity_bytes = from->pools[i].capacity_bytes;
		pool->available_bytes = from->pools[i].available_bytes;
		pool->listing = from->pools[i].listing;
		pool->media = strings_copy(from->pools[i].media, from->pools[i].n_media);
		pool->n_media = from->pools[i].n_media;
	}
}

static void guest_copy(const struct guest *from, struct guest *to)
{
	size_t i;

	*to = *from;
	to->name = xstrdup(from->name);
	to->cpu_model = xstrdup(from->cpu_model);
	to->interfaces = strings_copy(from->interfaces, from->n_interfaces);
	to->groups = strings_copy(from->groups, from->n_groups);
	to->unmovable = to->unmovable_cold = NULL;
	if (from->unmovable != NULL)
		*error_own(&to->unmovable) = *from->unmovable;
	if (from->unmovable_cold != NULL)
		*error_own(&to->unmovable_cold) = *from->unmovable_cold;
	to->disks = NULL;
	to->n_disks = 0;
	for (i = 0; i < from->n_disks; i++) {
		const struct disk *disk = &from->disks[i];
		struct disk *copy = guest_add_disk(to, disk->target);
		char *target = copy->target;

		*copy = *disk;
		copy->target = target;
		copy->pool = xstrdup(disk->pool);
		copy->volume = xstrdup(disk->volume);
		copy->path = xstrdup(disk->path);
		copy->share_id = xstrdup(disk->share_id);
		copy->backing = xstrdup(disk->backing);
	}
}

struct inventory *inventory_copy(const struct inventory *inventory)
{
	struct inventory *copy = inventory_new();
	size_t i;

	copy->n_hosts = inventory->n_hosts;
	copy->hosts = xcalloc(copy->n_hosts, sizeof *copy->hosts);
	for (i = 0; i < copy->n_hosts; i++)
		host_copy(&inventory->hosts[i], &copy->hosts[i]);
	copy->n_guests = inventory->n_guests;
	copy->guests = xcalloc(copy->n_guests, sizeof *copy->guests);
	for (i = 0; i < copy->n_guests; i++)
		guest_copy(&inventory->guests[i], &copy->guests[i]);
	for (i = 0; i < inventory->n_rules; i++) {
		const struct rule *from = &inventory->rules[i];
		struct rule *rule = inventory_add_rule(copy, from->kind);

		rule->count = from->count;
		rule->groups = strings_copy(from->groups, rule->n_groups = from->n_groups);
		rule->guests = strings_copy(from->guests, rule->n_guests = from->n_guests);
		rule->hosts = strings_copy(from->hosts, rule->n_hosts = from->n_hosts);
	}
	for (i = 0; i < inventory->n_networks; i++) {
		struct migration_network *network = inventory_add_network(copy, inventory->networks[i].name);
		char *name = network->name;

		*network = inventory->networks[i];
		network->name = name;
		network->cidr = xstrdup(inventory->networks[i].cidr);
	}
	for (i = 0; i < inventory->n_shared_links; i++) {
		const struct shared_link *from = &inventory->shared_links[i];
		struct shared_link *link = inventory_add_shared_link(copy, from->name);

		link->rate_bytes_per_s = from->rate_bytes_per_s;
		link->hosts = strings_copy(from->hosts, link->n_hosts = from->n_hosts);
	}
	if (inventory->index != NULL) {
		bool sealed = inventory_seal(copy, NULL);

		assert(sealed);
		(void)sealed;
	}
	return copy;
}

static int by_order(const void *a, const void *b)
{
	const struct migration_network *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool index_hosts(const struct inventory *inventory, struct inventory_index *index, struct error *err)
{
	size_t i;

	index->hosts = name_index_new(inventory->n_hosts);
	for (i = 0; i < inventory->n_hosts; i++) {
		if (inventory->hosts[i].name[0] == '\0')
			return error_set(err, ERR_INPUT, "hosts[%zu] has an empty name", i);
		if (name_index_add(index->hosts, inventory->hosts[i].name, (uint32_t)i) != INDEX_NONE)
			return error_set(err, ERR_INPUT, "host %s is listed twice", inventory->hosts[i].name);
	}
	return true;
}

static bool index_guests(const struct inventory *inventory, struct inventory_index *index, struct error *err)
{
	size_t i;

	index->guest_names = name_index_new(inventory->n_guests);
	index->guest_uuids = name_index_new(inventory->n_guests);
	index->same_name = xcalloc(inventory->n_guests, sizeof *index->same_name);
	for (i = 0; i < inventory->n_guests; i++) {
		const struct guest *guest = &inventory->guests[i];
		uint32_t first;

		if (guest->name[0] == '\0')
			return error_set(err, ERR_INPUT, "guests[%zu] has an empty name", i);
		first = guest->uuid[0] == '\0' ? INDEX_NONE : name_index_add(index->guest_uuids, guest->uuid, (uint32_t)i);
		if (first != INDEX_NONE)
			return error_set(err, ERR_INPUT, "guest %s on %s and guest %s on %s have the same UUID %s",
				inventory->guests[first].name, inventory->hosts[inventory->guests[first].host].name,
				guest->name, inventory->hosts[guest->host].name, guest->uuid);
		first = name_index_add(index->guest_names, guest->name, (uint32_t)i);
		index->same_name[i] = (uint32_t)i;
		if (first == INDEX_NONE)
			continue;
		if (inventory->guests[first].host == guest->host || guest->uuid[0] == '\0' || inventory->guests[first].uuid[0] == '\0')
			return error_set(err, ERR_INPUT, "guest %s is listed twice (on %s and on %s)", guest->name,
				inventory->hosts[inventory->guests[first].host].name, inventory->hosts[guest->host].name);
		index->same_name[i] = index->same_name[first];
		index->same_name[first] = (uint32_t)i;
	}
	return true;
}

bool inventory_seal(struct inventory *inventory, struct error *err)
{
	struct inventory_index *index = xcalloc(1, sizeof *index);

	if (!index_hosts(inventory, index, err) || !index_guests(inventory, index, err)) {
		index_free(index);
		return false;
	}
	if (inventory->n_networks > 1)
		qsort(inventory->networks, inventory->n_networks, sizeof *inventory->networks, by_order);
	index_free(inventory->index);
	inventory->index = index;
	return true;
}

uint32_t inventory_host(const struct inventory *inventory, const char *name)
{
	assert(inventory->index != NULL);
	return name_index_find(inventory->index->hosts, name);
}

uint32_t inventory_guest(const struct inventory *inventory, const char *name_or_uuid, struct error *err)
{
	uint32_t found;

	assert(inventory->index != NULL);
	found = name_index_find(inventory->index->guest_uuids, name_or_uuid);
	if (found != INDEX_NONE)
		return found;
	found = name_index_find(inventory->index->guest_names, name_or_uuid);
	if (found == INDEX_NONE) {
		error_set(err, ERR_UNKNOWN_GUEST, "no guest is named %s", name_or_uuid);
		return INDEX_NONE;
	}
	if (inventory->index->same_name[found] != found) {
		error_set(err, ERR_AMBIGUOUS_GUEST, "several guests are named %s, one of them on %s",
			name_or_uuid, inventory->hosts[inventory->guests[found].host].name);
		return INDEX_NONE;
	}
	return found;
}

uint32_t inventory_same_name(const struct inventory *inventory, uint32_t guest)
{
	return inventory->index->same_name[guest];
}

void inventory_set_guest_host(struct inventory *inventory, uint32_t guest, uint32_t host)
{
	assert(guest < inventory->n_guests && host < inventory->n_hosts);
	inventory->guests[guest].host = host;
}

const struct pool *host_pool(const struct host *host, const char *name)
{
	size_t i;

	for (i = 0; i < host->n_pools; i++)
		if (strcmp(host->pools[i].name, name) == 0)
			return &host->pools[i];
	return NULL;
}

bool host_has_network(const struct host *host, const char *name)
{
	size_t i;

	for (i = 0; i < host->n_networks; i++)
		if (strcmp(host->networks[i], name) == 0)
			return true;
	return false;
}
