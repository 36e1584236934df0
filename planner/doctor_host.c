/* Checks of this machine and of one host as seen from it: names, port, connection, and what libvirt says of pools, networks
 * and versions. */
#include <string.h>
#include <stdlib.h>

#include "doctor_impl.h"
#include "size_text.h"

/* SQLite's file and its log of a big batch stay well below this. */
static const uint64_t state_free_bytes_min = UINT64_C(64) << 20;

/* ---- here ---- */

static bool is_of_no_use_here(struct examination *x)
{
	if (x->facts->is_simulated)
		not_checked(x, xstrdup("the host is simulated"));
	return x->facts->is_simulated;
}

void doctor_check_STATE_PLACE(struct examination *x)
{
	const struct here_facts *here = &x->facts->here;

	if (is_of_no_use_here(x))
		return;
	if (here->state_kind == NULL)
		not_checked(x, xprintf("the file system of %s cannot be asked", here->state));
	else if (here->is_state_remote)
		fault(x, FINDING_ERROR, xprintf("%s is on %s", here->state, here->state_kind), xstrdup("a local disk"));
	else if (here->is_state_volatile)
		fault(x, FINDING_WARNING, xprintf("%s is on %s, which is lost at a reboot", here->state, here->state_kind),
			xstrdup("a local disk"));
}

void doctor_check_STATE_SPACE(struct examination *x)
{
	const struct here_facts *here = &x->facts->here;

	if (is_of_no_use_here(x))
		return;
	if (here->state_kind == NULL)
		not_checked(x, xprintf("the file system of %s cannot be asked", here->state));
	else if (!here->can_write)
		fault(x, FINDING_ERROR, xprintf("%s cannot be written", here->state), xstrdup("a file that can"));
	else if (here->state_free_bytes < state_free_bytes_min)
		fault(x, FINDING_ERROR, xprintf("%s free for %s", size_text(here->state_free_bytes).text, here->state),
			xprintf("at least %s", size_text(state_free_bytes_min).text));
}

void doctor_check_OWN_CLOCK(struct examination *x)
{
	const struct here_facts *here = &x->facts->here;

	if (is_of_no_use_here(x))
		return;
	if (!here->is_clock_known)
		not_checked(x, xstrdup("the kernel does not say"));
	else if (!here->is_clock_kept)
		fault(x, FINDING_OK, xstrdup("not synchronised, says the kernel"), xstrdup("synchronised"));
}

/* ---- names and ports ---- */

static bool is_remote(struct examination *x, const struct host_facts *facts)
{
	if (x->facts->is_simulated)
		not_checked(x, xstrdup("the host is simulated"));
	return !x->facts->is_simulated && facts->control.host != NULL;
}

void doctor_check_NAME(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);

	if (!is_remote(x, facts))
		return;
	if (facts->name.name == NULL)
		not_checked(x, xstrdup("it was not looked up"));
	else if (facts->name.n_addresses == 0)
		fault(x, FINDING_OK, xprintf("%s: %s", facts->name.name, facts->name.error != NULL ? facts->name.error : "no address"),
			xstrdup("an address"));
}

void doctor_check_NAME_BACK(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);
	const struct lookup *again = &facts->name_again;

	if (!is_remote(x, facts) || facts->name.n_addresses == 0 || facts->name_back == NULL)
		return; /* an address without a reverse name hurts nobody */
	if (is_among(again->addresses, again->n_addresses, facts->name.addresses[0]))
		return;
	fault(x, FINDING_OK, xprintf("%s is %s, which leads to %s", facts->name.addresses[0], facts->name_back,
		again->n_addresses > 0 ? again->addresses[0] : "nothing"), xstrdup(facts->name.addresses[0]));
}

/* The firewall rule that closes a port, if the host's own shell showed one; with free(). */
static char *closing_rule(const struct host_facts *facts, uint16_t port)
{
	return facts->shell_unknown != NULL ? NULL : doctor_closing_rule(facts->shell.firewall_rules, facts->shell.n_firewall_rules, port, port);
}

void doctor_check_CONTROL_PORT(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);
	struct finding *finding;
	char *rule;

	if (!is_remote(x, facts) || facts->control_port == PORT_OPEN || facts->control.port == 0)
		return;
	if (facts->control_port == PORT_UNKNOWN) {
		not_checked(x, xstrdup("it was not tried"));
		return;
	}
	finding = fault(x, FINDING_OK, xprintf("%s port %u: %s", facts->control.host, facts->control.port,
		port_state_name(facts->control_port)), xstrdup("open"));
	rule = closing_rule(facts, facts->control.port);
	if (rule != NULL) {
		free(finding->hint);
		finding->hint = xprintf("its firewall has a rule that closes it: %s", rule);
	}
	free(rule);
}

void doctor_check_CONNECTION(struct examination *x)
{
	const struct host *host = the_host(x);
	enum check_id explanation;
	struct finding *finding;

	if (host->reachable)
		return;
	explanation = doctor_refusal_of(x, x->host, &host_facts_of(x, x->host)->control, true);
	if (explanation != CHECK_COUNT) {
		explained_by(x, explanation);
		return;
	}
	finding = fault(x, FINDING_OK, xstrdup(host->down.message), xstrdup("an answer"));
	if (host->down.hint[0] != '\0') {
		free(finding->hint);
		finding->hint = xstrdup(host->down.hint);
	}
}

/* ---- what libvirt says ---- */

void doctor_check_IDENTITY(struct examination *x)
{
	const struct libvirt_facts *own = need_libvirt(x, x->host), *other;
	uint32_t i;

	for (i = 0; own != NULL && i < x->facts->inventory->n_hosts; i++) {
		const char *name = x->facts->inventory->hosts[i].name;

		other = x->facts->hosts[i].libvirt;
		if (i == x->host || other == NULL)
			continue;
		if (own->uuid[0] != '\0' && strcmp(own->uuid, other->uuid) == 0)
			fault(x, FINDING_ERROR, xprintf("UUID %s is also that of %s", own->uuid, name), xstrdup("a UUID of its own"));
		else if (own->hostname != NULL && other->hostname != NULL && strcmp(own->hostname, other->hostname) == 0)
			fault(x, FINDING_WARNING, xprintf("host name %s is also that of %s", own->hostname, name), xstrdup("a name of its own"));
	}
}

/* Versions from one on, and before another one, that do harm to what drover asks of them. */
static const struct {
	const char *what;
	uint32_t first, fixed;
	const char *flaw;
} flaws[] = {
	{"libvirt", 10002000, 10003000, "a moved guest may lose its new persistent definition"},
	{"libvirt", 9010000, 10003000, "guests that use nested virtualization are refused for vmx features"},
};

char *doctor_version_text(uint32_t version)
{
	return xprintf("%u.%u.%u", version / 1000000, version / 1000 % 1000, version % 1000);
}

void doctor_check_VERSION(struct examination *x)
{
	const struct libvirt_facts *own = need_libvirt(x, x->host);
	size_t i;

	for (i = 0; own != NULL && i < sizeof flaws / sizeof *flaws; i++) {
		char *has, *wants;

		if (own->libvirt_version < flaws[i].first || own->libvirt_version >= flaws[i].fixed)
			continue;
		has = doctor_version_text(own->libvirt_version);
		wants = doctor_version_text(flaws[i].fixed);
		fault(x, FINDING_OK, xprintf("%s %s: %s", flaws[i].what, has, flaws[i].flaw), xprintf("%s or later", wants));
		free(has);
		free(wants);
	}
}

void doctor_check_KVM(struct examination *x)
{
	const struct libvirt_facts *own = need_libvirt(x, x->host);
	uint32_t i;

	for (i = 0; own != NULL && !own->has_kvm && i < x->facts->inventory->n_hosts; i++) {
		if (x->facts->hosts[i].libvirt == NULL || !x->facts->hosts[i].libvirt->has_kvm)
			continue;
		fault(x, FINDING_OK, xprintf("no KVM; %s has it", x->facts->inventory->hosts[i].name), xstrdup("KVM"));
		return;
	}
}

/* ---- pools ---- */

static bool copies_from(const struct disk *disk, const char *pool)
{
	return disk->pool != NULL && !disk->readonly && strcmp(disk->pool, pool) == 0;
}

/* The guest that has most in pools of that name, of all hosts or of all but one; what it needs there. */
static const struct guest *neediest(const struct inventory *inventory, const char *pool, uint32_t except, uint64_t *ret_bytes)
{
	const struct guest *found = NULL;
	size_t i, k;

	*ret_bytes = 0;
	for (i = 0; i < inventory->n_guests; i++) {
		const struct guest *guest = &inventory->guests[i];
		uint64_t bytes = 0;
		bool uses = false;

		for (k = 0; k < guest->n_disks; k++) {
			const struct disk *disk = &guest->disks[k];

			if (!copies_from(disk, pool))
				continue;
			uses = true;
			bytes += disk->allocation_bytes > 0 ? disk->allocation_bytes : disk->capacity_bytes;
		}
		if (!uses || guest->host == except || (found != NULL && bytes <= *ret_bytes))
			continue;
		found = guest;
		*ret_bytes = bytes;
	}
	return found;
}

void doctor_check_POOL_ACTIVE(struct examination *x)
{
	const struct libvirt_facts *own = need_libvirt(x, x->host);
	uint64_t bytes;
	size_t i;

	for (i = 0; own != NULL && i < own->n_idle_pools; i++) {
		const struct guest *guest = neediest(x->facts->inventory, own->idle_pools[i], INDEX_NONE, &bytes);

		if (guest != NULL)
			fault(x, FINDING_ERROR, xprintf("pool %s is stopped; guest %s has disks in a pool of that name", own->idle_pools[i],
				guest->name), xstrdup("active"));
		else
			fault(x, FINDING_WARNING, xprintf("pool %s is stopped", own->idle_pools[i]), xstrdup("active"));
	}
}

/* A name of a pool once, though many disks and hosts have it. */
static bool is_first_use(const struct inventory *inventory, size_t guest, size_t disk)
{
	const char *pool = inventory->guests[guest].disks[disk].pool;
	size_t i, k;

	for (i = 0; i <= guest; i++)
		for (k = 0; k < (i < guest ? inventory->guests[i].n_disks : disk); k++)
			if (copies_from(&inventory->guests[i].disks[k], pool))
				return false;
	return true;
}

static void each_used_pool(struct examination *x, void (*look)(struct examination *x, const char *pool))
{
	const struct inventory *inventory = x->facts->inventory;
	size_t i, k;

	for (i = 0; i < inventory->n_guests; i++)
		for (k = 0; k < inventory->guests[i].n_disks; k++)
			if (inventory->guests[i].disks[k].pool != NULL && !inventory->guests[i].disks[k].readonly && is_first_use(inventory, i, k))
				look(x, inventory->guests[i].disks[k].pool);
}

static void look_for_pool(struct examination *x, const char *pool)
{
	const struct libvirt_facts *own = host_facts_of(x, x->host)->libvirt;
	uint64_t bytes;
	const struct guest *guest = neediest(x->facts->inventory, pool, x->host, &bytes);

	if (guest == NULL || host_pool(the_host(x), pool) != NULL || (own != NULL && is_among(own->idle_pools, own->n_idle_pools, pool)))
		return;
	fault(x, FINDING_OK, xprintf("no pool %s; guest %s on %s has disks in it", pool, guest->name,
		x->facts->inventory->hosts[guest->host].name), xprintf("a pool %s", pool));
}

static void look_for_space(struct examination *x, const char *pool)
{
	const struct pool *own = host_pool(the_host(x), pool);
	uint64_t bytes;
	const struct guest *guest = neediest(x->facts->inventory, pool, x->host, &bytes);

	if (own == NULL || guest == NULL || own->share_id != NULL || own->available_bytes >= bytes)
		return;
	fault(x, FINDING_OK, xprintf("pool %s has %s free", pool, size_text(own->available_bytes).text),
		xprintf("%s for guest %s of %s", size_text(bytes).text, guest->name, x->facts->inventory->hosts[guest->host].name));
}

/* Nothing comes to a host that takes no guests, so nothing has to be there for it. */
void doctor_check_POOL_MISSING(struct examination *x)
{
	if (the_host(x)->incoming)
		each_used_pool(x, look_for_pool);
}

void doctor_check_POOL_SPACE(struct examination *x)
{
	if (the_host(x)->incoming)
		each_used_pool(x, look_for_space);
}

/* ---- networks ---- */

/* A guest that is plugged into a network of that name, anywhere; NULL = none. */
static const struct guest *plugged(const struct inventory *inventory, const char *network)
{
	size_t i;

	for (i = 0; i < inventory->n_guests; i++)
		if (is_among(inventory->guests[i].interfaces, inventory->guests[i].n_interfaces, network))
			return &inventory->guests[i];
	return NULL;
}

void doctor_check_NETWORK_ACTIVE(struct examination *x)
{
	const struct libvirt_facts *own = need_libvirt(x, x->host);
	size_t i;

	for (i = 0; own != NULL && i < own->n_idle_networks; i++) {
		const struct guest *guest = plugged(x->facts->inventory, own->idle_networks[i]);

		if (guest != NULL)
			fault(x, FINDING_ERROR, xprintf("network %s is stopped; guest %s uses one of that name", own->idle_networks[i], guest->name),
				xstrdup("active"));
		else
			fault(x, FINDING_WARNING, xprintf("network %s is stopped", own->idle_networks[i]), xstrdup("active"));
	}
}

static void want_network(struct examination *x, char ***names, size_t *n, const char *name)
{
	const struct libvirt_facts *own = host_facts_of(x, x->host)->libvirt;

	if (is_among(*names, *n, name) || host_has_network(the_host(x), name) ||
		(own != NULL && is_among(own->idle_networks, own->n_idle_networks, name)))
		return;
	strings_add(names, n, name);
}

/* Names that a guest or another host has and this one lacks. */
static void missing_networks(struct examination *x, char ***names, size_t *n)
{
	const struct inventory *inventory = x->facts->inventory;
	size_t i, k;

	for (i = 0; i < inventory->n_guests; i++)
		for (k = 0; k < inventory->guests[i].n_interfaces; k++)
			want_network(x, names, n, inventory->guests[i].interfaces[k]);
	for (i = 0; i < inventory->n_hosts; i++) {
		const struct libvirt_facts *other = x->facts->hosts[i].libvirt;

		for (k = 0; other != NULL && k < other->n_bridges; k++)
			want_network(x, names, n, other->bridges[k]);
		for (k = 0; other != NULL && k < other->n_networks; k++)
			want_network(x, names, n, other->networks[k]);
		/* Without libvirt's word only an inventory document knows them, and it lists nothing else. */
		for (k = 0; other == NULL && x->facts->is_simulated && k < inventory->hosts[i].n_networks; k++)
			want_network(x, names, n, inventory->hosts[i].networks[k]);
	}
}

void doctor_check_NETWORK_MISSING(struct examination *x)
{
	char **names = NULL;
	size_t n = 0, i;

	if (!the_host(x)->incoming)
		return;
	if (the_host(x)->n_networks == 0) {
		not_checked(x, xstrdup("the host does not tell its interfaces"));
		return;
	}
	missing_networks(x, &names, &n);
	for (i = 0; i < n; i++) {
		const struct guest *guest = plugged(x->facts->inventory, names[i]);

		if (guest != NULL)
			fault(x, FINDING_ERROR, xprintf("no bridge or network %s; guest %s on %s uses it", names[i], guest->name,
				x->facts->inventory->hosts[guest->host].name), xprintf("one of the name %s", names[i]));
		else
			fault(x, FINDING_WARNING, xprintf("no bridge or network %s; other hosts have it", names[i]),
				xprintf("one of the name %s", names[i]));
		free(names[i]);
	}
	free(names);
}
