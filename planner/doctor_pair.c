/* Checks of a source and a target: the network between them, the second hop, and whether one is like the other. */
#include <stdlib.h>
#include <string.h>

#include "doctor_impl.h"
#include "network.h"

static const char *host_name(const struct examination *x, uint32_t host)
{
	return x->facts->inventory->hosts[host].name;
}

static bool take_path(const struct examination *x, struct doctor_path *ret, struct error *err)
{
	return doctor_path(x->facts->inventory, x->host, x->target, ret, err);
}

void doctor_check_MIGRATION_NETWORK(struct examination *x)
{
	struct doctor_path path;
	struct finding *finding;
	struct error err;

	if (take_path(x, &path, &err)) {
		doctor_path_clear(&path);
		return;
	}
	finding = fault(x, FINDING_OK, xstrdup(err.message), xstrdup("a shared one"));
	if (err.hint[0] != '\0') {
		free(finding->hint);
		finding->hint = xstrdup(err.hint);
	}
}

/* ---- names ---- */

static bool is_literal(const char *host)
{
	struct cidr parsed;

	return strchr(host, ':') != NULL || cidr_parse(host, &parsed);
}

/* Every host has such an address and reaches only itself by it. */
static bool is_loopback(const char *address)
{
	struct cidr parsed;

	return strcmp(address, "::1") == 0 || (cidr_parse(address, &parsed) && parsed.address >> 24 == 127);
}

/* Whether an address belongs to the target, as far as is known here. */
static bool is_of_target(const struct examination *x, const char *address)
{
	const struct host_facts *facts = host_facts_of(x, x->target);
	const struct host *target = &x->facts->inventory->hosts[x->target];
	size_t i, n;

	if (is_loopback(address))
		return false;
	if (is_among(facts->name.addresses, facts->name.n_addresses, address))
		return true;
	for (i = 0; i < target->n_links; i++) {
		n = target->links[i].address != NULL ? strcspn(target->links[i].address, "/") : 0;
		if (n > 0 && n == strlen(address) && strncmp(target->links[i].address, address, n) == 0)
			return true;
	}
	return facts->shell_unknown == NULL && doctor_interface(&facts->shell, address) != NULL;
}

void doctor_check_NAME_THERE(struct examination *x)
{
	const struct lookup *name = &pair_facts_of(x)->name;
	const struct host_facts *target = host_facts_of(x, x->target);
	size_t i;

	if (x->facts->is_simulated) {
		not_checked(x, xstrdup("the host is simulated"));
		return;
	}
	if (target->peer.host == NULL) {
		fault(x, FINDING_OK, xprintf("%s is the source itself", target->peer_uri), xstrdup("a peer_uri that leads to the target"));
		return;
	}
	if (is_literal(target->peer.host))
		return;
	if (need_shell(x, x->host) == NULL)
		return;
	if (name->name == NULL) {
		not_checked(x, xstrdup("it was not looked up there"));
		return;
	}
	for (i = 0; i < name->n_addresses; i++)
		if (is_of_target(x, name->addresses[i]))
			return;
	fault(x, FINDING_OK, xprintf("%s is %s on %s", name->name, name->n_addresses > 0 ? name->addresses[0] : "unknown", host_name(x, x->host)),
		join_texts(target->name.addresses, target->name.n_addresses, ADDRESSES_SHOWN_MAX));
}

/* ---- the way ---- */

void doctor_check_ROUTE(struct examination *x)
{
	const struct pair_facts *pair = pair_facts_of(x);
	struct doctor_path path;

	if (need_shell(x, x->host) == NULL || !take_path(x, &path, NULL))
		return;
	if (path.target_address == NULL)
		not_checked(x, xstrdup("no address is configured: libvirt chooses one by the target's host name"));
	else if (pair->route_error != NULL)
		fault(x, FINDING_OK, xprintf("%s: %s", path.target_address, pair->route_error), xstrdup("a route"));
	else if (!pair->has_route)
		not_checked(x, xstrdup("ip (iproute2) tells nothing there"));
	else if (path.source_address != NULL && pair->route_source != NULL && strcmp(pair->route_source, path.source_address) != 0)
		fault(x, FINDING_OK, xprintf("to %s by %s from %s", path.target_address, pair->route_interface, pair->route_source),
			xprintf("from %s", path.source_address));
	else if (path.network != NULL && pair->route_gateway != NULL)
		fault(x, FINDING_WARNING, xprintf("to %s by the gateway %s", path.target_address, pair->route_gateway),
			xstrdup("straight: both are in one network"));
	doctor_path_clear(&path);
}

void doctor_check_MTU(struct examination *x)
{
	const struct pair_facts *pair = pair_facts_of(x);
	const struct interface_fact *from = NULL, *to = NULL;
	const struct host_facts *target = host_facts_of(x, x->target);
	struct doctor_path path;
	char *ends;

	if (need_shell(x, x->host) == NULL || !take_path(x, &path, NULL))
		return;
	if (path.source_address != NULL)
		from = doctor_interface(&host_facts_of(x, x->host)->shell, path.source_address);
	if (path.target_address != NULL && target->shell_unknown == NULL)
		to = doctor_interface(&target->shell, path.target_address);
	ends = xprintf("%s has %u, %s has %u", host_name(x, x->host), from != NULL ? from->mtu : 0, host_name(x, x->target), to != NULL ? to->mtu : 0);
	if (pair->ping_bytes != 0 && pair->small_arrives && !pair->full_arrives)
		fault(x, FINDING_ERROR, xprintf("packets of %u bytes do not arrive at %s%s%s", pair->ping_bytes, path.target_address,
			to != NULL ? "; " : "", to != NULL ? ends : ""), xstrdup("they arrive whole"));
	else if (from != NULL && to != NULL && from->mtu != to->mtu)
		fault(x, FINDING_WARNING, xstrdup(ends), xstrdup("one MTU"));
	else if (pair->ping_bytes == 0 || !pair->small_arrives)
		not_checked(x, xstrdup(pair->ping_bytes == 0 ? "ping is not installed there, or no address is configured" :
			"the target answers no ping"));
	free(ends);
	doctor_path_clear(&path);
}

void doctor_check_MIGRATION_PORTS(struct examination *x)
{
	const struct pair_facts *pair = pair_facts_of(x);
	size_t i;

	if (need_shell(x, x->host) == NULL)
		return;
	if (pair->n_ports == 0)
		not_checked(x, xstrdup("bash is not installed there, or no address is configured"));
	for (i = 0; i < pair->n_ports; i++) {
		const struct port_fact *port = &pair->ports[i];

		if (port->state != PORT_SILENT && port->state != PORT_NO_ROUTE)
			continue;
		fault(x, FINDING_OK, xprintf("port %u: %s", port->port, port_state_name(port->state)), xstrdup("open or refused"));
		return; /* the others say the same */
	}
}

/* ---- libvirt ---- */

static const struct libvirt_pair_facts *need_pair(struct examination *x)
{
	const struct pair_facts *pair = pair_facts_of(x);

	if (pair->libvirt == NULL)
		not_checked(x, xstrdup(x->facts->is_simulated ? "the host is simulated" : pair->libvirt_error.code != ERR_NONE ? pair->libvirt_error.message : "libvirt was not asked"));
	return pair->libvirt;
}

static void fault_by_error(struct examination *x, const struct error *err, const char *expected)
{
	struct finding *finding = fault(x, FINDING_OK, xstrdup(err->message), xstrdup(expected));

	if (err->hint[0] == '\0')
		return;
	free(finding->hint);
	finding->hint = xstrdup(err->hint);
}

void doctor_check_WAY(struct examination *x)
{
	const struct libvirt_pair_facts *pair = need_pair(x);

	if (pair == NULL)
		return;
	if (!pair->is_hop_known)
		not_checked(x, xstrdup(pair->why_unknown));
	else if (pair->way.code != ERR_NONE)
		fault_by_error(x, &pair->way, "any answer");
}

void doctor_check_HOP(struct examination *x)
{
	const struct libvirt_pair_facts *pair;
	enum check_id explanation;

	if (x->facts->is_direct)
		return; /* hosts do not log in to each other */
	pair = need_pair(x);
	if (pair == NULL)
		return;
	if (!pair->is_hop_known)
		not_checked(x, xstrdup(pair->why_unknown));
	if (!pair->is_hop_known || pair->hop.code == ERR_NONE)
		return;
	explanation = doctor_refusal_of(x, x->host, &host_facts_of(x, x->target)->peer, false);
	if (explanation == CHECK_COUNT)
		explanation = doctor_refusal_of(x, x->target, &host_facts_of(x, x->target)->peer, false);
	if (explanation == CHECK_COUNT)
		fault_by_error(x, &pair->hop, "a connection");
	else
		explained_by(x, explanation);
}

void doctor_check_CPU(struct examination *x)
{
	const struct libvirt_pair_facts *pair;
	const char *from = the_host(x)->cpu_model, *to = x->facts->inventory->hosts[x->target].cpu_model;

	/* Of a simulated host only the name of its CPU is known. */
	if (x->facts->is_simulated && from != NULL && to != NULL) {
		if (strcmp(from, to) != 0)
			fault(x, FINDING_OK, xstrdup(to), xstrdup(from));
		return;
	}
	pair = need_pair(x);
	if (pair == NULL)
		return;
	if (pair->cpu == CPU_UNKNOWN)
		not_checked(x, xstrdup(pair->cpu_why));
	else if (pair->cpu == CPU_LACKS)
		fault(x, FINDING_OK, xprintf("%s: %s", to != NULL ? to : "unnamed CPU", pair->cpu_why), xprintf("all of %s", from != NULL ? from : "the source's"));
}

static char *qemu_text(uint32_t version)
{
	return xprintf("QEMU %u.%u.%u", version / 1000000, version / 1000 % 1000, version % 1000);
}

void doctor_check_NEWER(struct examination *x)
{
	const struct libvirt_facts *source = need_libvirt(x, x->host);
	const struct libvirt_facts *target = source != NULL ? need_libvirt(x, x->target) : NULL;

	if (target == NULL)
		return;
	if (source->qemu_version == 0 || target->qemu_version == 0)
		not_checked(x, xstrdup("libvirt does not say the version of QEMU"));
	else if (source->qemu_version / 1000 > target->qemu_version / 1000) /* updates of one release are alike */
		fault(x, FINDING_OK, qemu_text(target->qemu_version), qemu_text(source->qemu_version));
}

void doctor_check_LOCKS(struct examination *x)
{
	const struct shell_facts *source = need_shell(x, x->host);
	const struct shell_facts *target = source != NULL ? need_shell(x, x->target) : NULL;

	if (target == NULL)
		return;
	if (source->lock_manager == NULL || target->lock_manager == NULL)
		not_checked(x, xstrdup("qemu.conf cannot be read there"));
	else if (strcmp(source->lock_manager, target->lock_manager) != 0)
		fault(x, FINDING_OK, xprintf("%s on %s", target->lock_manager[0] != '\0' ? target->lock_manager : "none", host_name(x, x->target)),
			xprintf("%s as on %s", source->lock_manager[0] != '\0' ? source->lock_manager : "none", host_name(x, x->host)));
}

void doctor_check_TRANSPORT(struct examination *x)
{
	const struct uri_parts *from = &host_facts_of(x, x->host)->peer, *to = &host_facts_of(x, x->target)->peer;

	if (x->facts->is_direct) {
		from = &host_facts_of(x, x->host)->control;
		to = &host_facts_of(x, x->target)->control;
		/* How this machine reaches itself does not matter to anybody else then. */
		if (from->transport == TRANSPORT_LOCAL || to->transport == TRANSPORT_LOCAL)
			return;
	}
	if (from->transport != to->transport && !x->facts->allows_mixed)
		fault(x, FINDING_OK, xprintf("%s by %s", host_name(x, x->target), to->manner), xprintf("by %s, as %s", from->manner, host_name(x, x->host)));
}
