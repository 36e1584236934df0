/* The life of a struct config, and laying it over an inventory. */
#include "drover/config.h"

#include <stdlib.h>
#include <string.h>

#include "name_index.h"
#include "xalloc.h"

static void strings_free(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void maps_free(struct name_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(maps[i].from);
		free(maps[i].to);
	}
	free(maps);
}

static void host_clear(struct config_host *host)
{
	free(host->name);
	free(host->uri);
	free(host->peer_uri);
	free(host->traffic_command);
	free(host->cluster);
	free(host->shell);
	strings_free(host->addresses, host->n_addresses);
}

static void placement_free(struct config *config)
{
	for (size_t i = 0; i < config->n_networks; i++) {
		free(config->networks[i].name);
		free(config->networks[i].cidr);
	}
	for (size_t i = 0; i < config->n_shared_links; i++) {
		free(config->shared_links[i].name);
		strings_free(config->shared_links[i].hosts, config->shared_links[i].n_hosts);
	}
	for (size_t i = 0; i < config->n_groups; i++) {
		free(config->groups[i].name);
		strings_free(config->groups[i].guests, config->groups[i].n_guests);
	}
	for (size_t i = 0; i < config->n_rules; i++) {
		strings_free(config->rules[i].guests, config->rules[i].n_guests);
		strings_free(config->rules[i].groups, config->rules[i].n_groups);
		strings_free(config->rules[i].hosts, config->rules[i].n_hosts);
	}
	free(config->networks);
	free(config->shared_links);
	free(config->groups);
	free(config->rules);
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (size_t i = 0; i < config->n_hosts; i++)
		host_clear(&config->hosts[i]);
	for (size_t i = 0; i < config->n_batches; i++) {
		free(config->batches[i].name);
		request_free(config->batches[i].request);
	}
	for (size_t i = 0; i < config->n_maps; i++) {
		free(config->maps[i].name);
		maps_free(config->maps[i].nets, config->maps[i].n_nets);
		maps_free(config->maps[i].pools, config->maps[i].n_pools);
	}
	for (size_t i = 0; i < config->n_origins; i++) {
		free(config->origins[i].section);
		free(config->origins[i].key);
		free(config->origins[i].value);
		free(config->origins[i].file);
	}
	placement_free(config);
	free(config->hosts);
	free(config->batches);
	free(config->maps);
	free(config->origins);
	free(config->state);
	free(config);
}

static const struct config_host *find_host(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_hosts; i++)
		if (strcmp(config->hosts[i].name, name) == 0)
			return &config->hosts[i];
	return NULL;
}

/* "10.8.0.1" and "10.8.0.1/24" are the same address. */
static bool same_address(const char *a, const char *b)
{
	size_t n = strcspn(a, "/");

	return n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

/* Configured addresses replace what was found, in their order; measured rates stay with them. */
static void apply_addresses(const struct config_host *from, struct host *host)
{
	struct host_link *old = host->links;
	size_t n_old = host->n_links;

	if (from->n_addresses == 0)
		return;
	host->links = NULL;
	host->n_links = 0;
	for (size_t i = 0; i < from->n_addresses; i++) {
		struct host_link *link = host_add_link(host, from->addresses[i]);

		for (size_t j = 0; j < n_old; j++)
			if (same_address(old[j].address, link->address))
				link->rate_bytes_per_s = old[j].rate_bytes_per_s;
	}
	for (size_t j = 0; j < n_old; j++)
		free(old[j].address);
	free(old);
}

static void apply_host(const struct config_host *from, struct host *host)
{
	apply_addresses(from, host);
	if (from->cluster != NULL) {
		free(host->cluster);
		host->cluster = xstrdup(from->cluster);
	}
	/* An inventory document may close a host that the configuration leaves open; not the reverse. */
	host->incoming = host->incoming && from->incoming;
	host->outgoing = host->outgoing && from->outgoing;
	if (from->max_incoming != 0)
		host->max_incoming = from->max_incoming;
	if (from->max_outgoing != 0)
		host->max_outgoing = from->max_outgoing;
	if (from->max_incoming_storage != 0)
		host->max_incoming_storage = from->max_incoming_storage;
	host->shows_paths = from->shell != NULL;
	if (from->max_outgoing_storage != 0)
		host->max_outgoing_storage = from->max_outgoing_storage;
}

/* What the host's own section says, else what the inventory states, else what [scheduler] says. */
static void apply_reserves(const struct config *config, const struct config_host *from, struct host *host)
{
	enum { OVERCOMMIT_UNSTATED = 4000 }; /* the default of inventory_add_host */

	if (from != NULL && from->memory_reserve_bytes != UINT64_MAX)
		host->memory_reserve_bytes = from->memory_reserve_bytes;
	else if (host->memory_reserve_bytes == 0)
		host->memory_reserve_bytes = config->memory_reserve_bytes;
	if (from != NULL && from->cpu_overcommit_milli != 0)
		host->cpu_overcommit_milli = from->cpu_overcommit_milli;
	else if (host->cpu_overcommit_milli == OVERCOMMIT_UNSTATED)
		host->cpu_overcommit_milli = config->cpu_overcommit_milli;
}

static void add_group(struct guest *guest, const struct config_group *group)
{
	if (group->cannot_move != CANNOT_MOVE_UNSAID && (guest->cannot_move == CANNOT_MOVE_UNSAID || group->cannot_move < guest->cannot_move))
		guest->cannot_move = group->cannot_move;
	for (size_t i = 0; i < guest->n_groups; i++)
		if (strcmp(guest->groups[i], group->name) == 0)
			return;
	strings_add(&guest->groups, &guest->n_groups, group->name);
}

static void apply_groups(const struct config *config, struct inventory *inventory)
{
	for (size_t i = 0; i < config->n_groups; i++) {
		const struct config_group *group = &config->groups[i];
		struct name_index *names = name_index_new(group->n_guests);

		for (size_t k = 0; k < group->n_guests; k++)
			name_index_add(names, group->guests[k], 0);
		for (size_t g = 0; g < inventory->n_guests; g++)
			if (name_index_find(names, inventory->guests[g].name) != INDEX_NONE ||
				name_index_find(names, inventory->guests[g].uuid) != INDEX_NONE)
				add_group(&inventory->guests[g], group);
		name_index_free(names);
	}
}

static void apply_rules(const struct config *config, struct inventory *inventory)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct rule *from = &config->rules[i];
		struct rule *rule = inventory_add_rule(inventory, from->kind);

		rule->count = from->count;
		for (size_t k = 0; k < from->n_guests; k++)
			strings_add(&rule->guests, &rule->n_guests, from->guests[k]);
		for (size_t k = 0; k < from->n_groups; k++)
			strings_add(&rule->groups, &rule->n_groups, from->groups[k]);
		for (size_t k = 0; k < from->n_hosts; k++)
			strings_add(&rule->hosts, &rule->n_hosts, from->hosts[k]);
	}
}

/* Networks and links of the configuration come instead of those of the document with the same name. */
static struct migration_network *network_named(struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->n_networks; i++)
		if (strcmp(inventory->networks[i].name, name) == 0)
			return &inventory->networks[i];
	return inventory_add_network(inventory, name);
}

static struct shared_link *link_named(struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->n_shared_links; i++)
		if (strcmp(inventory->shared_links[i].name, name) == 0)
			return &inventory->shared_links[i];
	return inventory_add_shared_link(inventory, name);
}

static void apply_networks(const struct config *config, struct inventory *inventory)
{
	for (size_t i = 0; i < config->n_networks; i++) {
		const struct migration_network *from = &config->networks[i];
		struct migration_network *network = network_named(inventory, from->name);

		free(network->cidr);
		network->cidr = xstrdup(from->cidr);
		network->order = from->order;
		network->rate_bytes_per_s = from->rate_bytes_per_s;
		network->reserve_percent = from->reserve_percent;
		network->is_checked = from->is_checked;
	}
	for (size_t i = 0; i < config->n_shared_links; i++) {
		const struct shared_link *from = &config->shared_links[i];
		struct shared_link *link = link_named(inventory, from->name);

		strings_free(link->hosts, link->n_hosts);
		link->hosts = NULL;
		link->n_hosts = 0;
		for (size_t k = 0; k < from->n_hosts; k++)
			strings_add(&link->hosts, &link->n_hosts, from->hosts[k]);
		link->rate_bytes_per_s = from->rate_bytes_per_s;
	}
}

void config_apply(const struct config *config, struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->n_hosts; i++) {
		const struct config_host *host = find_host(config, inventory->hosts[i].name);

		if (host != NULL)
			apply_host(host, &inventory->hosts[i]);
		apply_reserves(config, host, &inventory->hosts[i]);
	}
	apply_groups(config, inventory);
	apply_networks(config, inventory);
	apply_rules(config, inventory);
}
