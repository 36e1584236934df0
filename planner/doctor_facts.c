/* Facts of a check-up as values: life and death, and the way that a move would take. */
#include "drover/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "drover/plan.h"
#include "xalloc.h"

enum { MIGRATION_PORT_MIN = 49152, MIGRATION_PORT_MAX = 49215 }; /* of libvirt's QEMU driver, where qemu.conf says nothing */

static void texts_free(char **texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static const char *const port_names[] = {
	[PORT_UNKNOWN] = "unknown", [PORT_OPEN] = "open", [PORT_REFUSED] = "refused", [PORT_SILENT] = "silent", [PORT_NO_ROUTE] = "no route",
};

const char *port_state_name(enum port_state state)
{
	return port_names[state];
}

void uri_parts_clear(struct uri_parts *parts)
{
	free(parts->host);
	*parts = (struct uri_parts){0};
}

/* ---- life and death ---- */

static void lookup_clear(struct lookup *lookup)
{
	free(lookup->name);
	texts_free(lookup->addresses, lookup->n_addresses);
	free(lookup->error);
	*lookup = (struct lookup){0};
}

void libvirt_facts_free(struct libvirt_facts *facts)
{
	if (facts == NULL)
		return;
	free(facts->hostname);
	texts_free(facts->idle_pools, facts->n_idle_pools);
	texts_free(facts->networks, facts->n_networks);
	texts_free(facts->idle_networks, facts->n_idle_networks);
	texts_free(facts->bridges, facts->n_bridges);
	free(facts);
}

void libvirt_pair_facts_free(struct libvirt_pair_facts *facts)
{
	if (facts == NULL)
		return;
	free(facts->why_unknown);
	free(facts->cpu_why);
	free(facts);
}

void credential_facts_clear(struct credential_facts *facts)
{
	size_t i;

	for (i = 0; i < facts->n_certificates; i++) {
		free(facts->certificates[i].file);
		free(facts->certificates[i].until);
		free(facts->certificates[i].trouble);
		texts_free(facts->certificates[i].lacking_names, facts->certificates[i].n_lacking_names);
	}
	free(facts->certificates);
	free(facts->ticket_cache);
	*facts = (struct credential_facts){0};
}

void shell_facts_init(struct shell_facts *facts)
{
	*facts = (struct shell_facts){.port_min = MIGRATION_PORT_MIN, .port_max = MIGRATION_PORT_MAX, .userfaultfd_switch = -1};
}

void shell_facts_clear(struct shell_facts *facts)
{
	size_t i;

	for (i = 0; i < facts->n_interfaces; i++)
		free(facts->interfaces[i].name);
	free(facts->interfaces);
	for (i = 0; i < facts->n_addresses; i++) {
		free(facts->addresses[i].interface);
		free(facts->addresses[i].address);
	}
	free(facts->addresses);
	free(facts->lock_manager);
	free(facts->kernel);
	texts_free(facts->failures, facts->n_failures);
	texts_free(facts->firewall_rules, facts->n_firewall_rules);
	credential_facts_clear(&facts->credentials);
	shell_facts_init(facts);
}

static void host_clear(struct host_facts *host)
{
	free(host->uri);
	free(host->peer_uri);
	uri_parts_clear(&host->control);
	uri_parts_clear(&host->peer);
	lookup_clear(&host->name);
	free(host->name_back);
	lookup_clear(&host->name_again);
	libvirt_facts_free(host->libvirt);
	free(host->shell_unknown);
	shell_facts_clear(&host->shell);
}

static void pair_clear(struct pair_facts *pair)
{
	libvirt_pair_facts_free(pair->libvirt);
	lookup_clear(&pair->name);
	free(pair->route_interface);
	free(pair->route_source);
	free(pair->route_gateway);
	free(pair->route_error);
	free(pair->ports);
}

struct doctor_facts *doctor_facts_new(const struct inventory *inventory)
{
	struct doctor_facts *facts = xcalloc(1, sizeof *facts);
	size_t i;

	facts->inventory = inventory;
	facts->hosts = xcalloc(inventory->n_hosts + 1, sizeof *facts->hosts);
	facts->pairs = xcalloc(inventory->n_hosts * inventory->n_hosts + 1, sizeof *facts->pairs);
	for (i = 0; i < inventory->n_hosts; i++)
		shell_facts_init(&facts->hosts[i].shell);
	return facts;
}

void doctor_facts_free(struct doctor_facts *facts)
{
	size_t n, i;

	if (facts == NULL)
		return;
	n = facts->inventory->n_hosts;
	for (i = 0; i < n; i++)
		host_clear(&facts->hosts[i]);
	for (i = 0; i < n * n; i++)
		pair_clear(&facts->pairs[i]);
	free(facts->hosts);
	free(facts->pairs);
	free(facts->is_asked);
	free(facts->here.state);
	free(facts->here.state_kind);
	credential_facts_clear(&facts->here.credentials);
	free(facts);
}

bool doctor_wants_host(const struct doctor_facts *facts, uint32_t host)
{
	return facts->is_asked == NULL || facts->is_asked[host];
}

bool doctor_wants_pair(const struct doctor_facts *facts, uint32_t source, uint32_t target)
{
	size_t n = 0, i;

	if (source == target)
		return false;
	if (facts->is_asked == NULL)
		return true;
	for (i = 0; i < facts->inventory->n_hosts; i++)
		n += facts->is_asked[i];
	if (n == 1)
		return facts->is_asked[source] || facts->is_asked[target];
	return facts->is_asked[source] && facts->is_asked[target];
}

/* ---- the way ---- */

static char *without_prefix(const struct host *host, uint32_t link)
{
	const char *address = link < host->n_links ? host->links[link].address : NULL;

	return address == NULL ? NULL : xprintf("%.*s", (int)strcspn(address, "/"), address);
}

bool doctor_path(const struct inventory *inventory, uint32_t source, uint32_t target, struct doctor_path *ret, struct error *err)
{
	uint32_t network, a, b;

	if (!planner_network(inventory, source, target, &network, &a, &b, err))
		return false;
	ret->network = network == INDEX_NONE ? NULL : inventory->networks[network].name;
	ret->source_address = without_prefix(&inventory->hosts[source], a);
	ret->target_address = without_prefix(&inventory->hosts[target], b);
	return true;
}

void doctor_path_clear(struct doctor_path *path)
{
	free(path->source_address);
	free(path->target_address);
	*path = (struct doctor_path){0};
}
