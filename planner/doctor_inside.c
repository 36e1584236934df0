/* Checks of one host by what a command run on it tells: addresses and links, firewall, limits of libvirtd, clock, what
 * post-copy needs. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_impl.h"
#include "drover/hypervisor.h"
#include "network.h"

enum {
	WORKERS_OF_OTHERS = 6,      /* of libvirtd: for questions, and for those who come in while moves wait */
	LIBVIRTD_WORKERS = 20,      /* its own default */
	PORTS_OF_A_MOVE = 2,        /* memory, and disks */
	CLOCK_TOLERANCE_MS = 2000,  /* no harm, and easily more than what the question itself takes */
	CREDENTIAL_TOLERANCE_MS = 300000, /* Kerberos refuses beyond this by default */
};

void doctor_check_SHELL(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);

	if (facts->shell_unknown == NULL)
		return;
	if (!facts->has_shell)
		not_checked(x, xstrdup(facts->shell_unknown));
	else
		fault(x, FINDING_OK, xstrdup(facts->shell_unknown), xstrdup("a command that runs there"));
}

/* ---- addresses ---- */

static uint32_t number_of(const char *address)
{
	struct cidr parsed;

	return cidr_parse(address, &parsed) ? parsed.address : 0;
}

static const struct address_fact *find_address(const struct shell_facts *shell, const char *address)
{
	size_t i;

	for (i = 0; i < shell->n_addresses; i++)
		if (number_of(shell->addresses[i].address) == number_of(address))
			return &shell->addresses[i];
	return NULL;
}

const struct interface_fact *doctor_interface(const struct shell_facts *shell, const char *address)
{
	const struct address_fact *found = find_address(shell, address);
	size_t i;

	for (i = 0; found != NULL && i < shell->n_interfaces; i++)
		if (strcmp(shell->interfaces[i].name, found->interface) == 0)
			return &shell->interfaces[i];
	return NULL;
}

static char *all_addresses(const struct shell_facts *shell)
{
	char **texts = NULL, *joined;
	size_t n = 0, i;

	for (i = 0; i < shell->n_addresses; i++)
		if (strcmp(shell->addresses[i].interface, "lo") != 0)
			strings_add(&texts, &n, shell->addresses[i].address);
	joined = join_texts(texts, n, ADDRESSES_SHOWN_MAX);
	for (i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
	return joined;
}

/* Only IPv4 is told by the shell's list. */
static bool is_told(const char *address)
{
	return address != NULL && number_of(address) != 0;
}

static const struct shell_facts *need_addresses(struct examination *x)
{
	const struct shell_facts *shell = need_shell(x, x->host);

	if (shell == NULL || shell->has_addresses)
		return shell;
	not_checked(x, xstrdup("ip (iproute2) is not installed there"));
	return NULL;
}

void doctor_check_ADDRESS(struct examination *x)
{
	const struct shell_facts *shell = need_addresses(x);
	const struct host *host = the_host(x);
	size_t i;

	for (i = 0; shell != NULL && i < host->n_links; i++)
		if (is_told(host->links[i].address) && find_address(shell, host->links[i].address) == NULL)
			fault(x, FINDING_OK, xprintf("no %s", host->links[i].address), all_addresses(shell));
}

void doctor_check_LINK(struct examination *x)
{
	const struct shell_facts *shell = need_addresses(x);
	const struct host *host = the_host(x);
	size_t i;

	for (i = 0; shell != NULL && i < host->n_links; i++) {
		const struct interface_fact *interface = is_told(host->links[i].address) ? doctor_interface(shell, host->links[i].address) : NULL;

		if (interface != NULL && !interface->has_carrier)
			fault(x, FINDING_OK, xprintf("%s (%s) has no carrier", interface->name, host->links[i].address), xstrdup("up"));
	}
}

static bool same_subnet(const char *a, const char *b)
{
	struct cidr one, two;

	if (!cidr_parse(a, &one) || !cidr_parse(b, &two) || one.mask == UINT32_MAX || two.mask == UINT32_MAX)
		return false;
	return cidr_contains(one, two.address) || cidr_contains(two, one.address);
}

/* Two configured addresses in one migration network. */
static bool find_configured_twins(struct examination *x)
{
	const struct inventory *inventory = x->facts->inventory;
	const struct host *host = the_host(x);
	size_t i, k;

	for (i = 0; i < host->n_links; i++)
		for (k = i + 1; k < host->n_links; k++) {
			uint32_t a = network_of_link(inventory, x->host, (uint32_t)i), b = network_of_link(inventory, x->host, (uint32_t)k);

			if ((a == INDEX_NONE || a != b) && !same_subnet(host->links[i].address, host->links[k].address))
				continue;
			fault(x, FINDING_OK, xprintf("%s and %s", host->links[i].address, host->links[k].address), xstrdup("one address in a subnet"));
			return true;
		}
	return false;
}

void doctor_check_SUBNET(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);
	const struct shell_facts *shell;
	size_t i, k;

	if (facts->shell_unknown != NULL && find_configured_twins(x))
		return;
	shell = need_addresses(x);
	for (i = 0; shell != NULL && i < shell->n_addresses; i++)
		for (k = i + 1; k < shell->n_addresses; k++) {
			const struct address_fact *a = &shell->addresses[i], *b = &shell->addresses[k];

			if (strcmp(a->interface, b->interface) != 0 && same_subnet(a->address, b->address))
				fault(x, FINDING_OK, xprintf("%s on %s and %s on %s", a->address, a->interface, b->address, b->interface),
					xstrdup("one interface in a subnet"));
		}
}

/* ---- firewall and libvirtd ---- */

void doctor_check_FIREWALL(struct examination *x)
{
	const struct shell_facts *shell = need_shell(x, x->host);
	const struct host_facts *facts = host_facts_of(x, x->host);
	char *rule;

	if (shell == NULL)
		return;
	if (!shell->has_firewall) {
		not_checked(x, xstrdup("neither nft nor iptables can be asked there"));
		return;
	}
	rule = doctor_closing_rule(shell->firewall_rules, shell->n_firewall_rules, shell->port_min, shell->port_max);
	if (rule != NULL)
		fault(x, FINDING_OK, rule, xprintf("ports %u to %u open for the other hosts", shell->port_min, shell->port_max));
	if (facts->peer.port == 0 || has_failed(x, CHECK_CONTROL_PORT, x->host))
		return; /* told with that one */
	rule = doctor_closing_rule(shell->firewall_rules, shell->n_firewall_rules, facts->peer.port, facts->peer.port);
	if (rule != NULL)
		fault(x, FINDING_OK, rule, xprintf("port %u open for the other hosts", facts->peer.port));
}

void doctor_check_WORKERS(struct examination *x)
{
	const struct host_facts *facts = host_facts_of(x, x->host);
	uint32_t wanted = x->facts->workers_per_host + WORKERS_OF_OTHERS;

	if (x->facts->is_simulated) {
		not_checked(x, xstrdup("the host is simulated"));
		return;
	}
	if (facts->shell_unknown != NULL) {
		not_checked(x, xprintf("%s; %u are needed, and libvirtd's own default is %d", facts->shell_unknown, wanted, LIBVIRTD_WORKERS));
		return;
	}
	if (facts->shell.max_workers == 0)
		not_checked(x, xprintf("virt-admin tells nothing there; %u are needed, and libvirtd's own default is %d", wanted, LIBVIRTD_WORKERS));
	else if (facts->shell.max_workers < wanted)
		fault(x, FINDING_OK, xprintf("max_workers is %u", facts->shell.max_workers),
			xprintf("%u: workers_per_host = %u and %d for other calls", wanted, x->facts->workers_per_host, WORKERS_OF_OTHERS));
}

void doctor_check_PORT_RANGE(struct examination *x)
{
	const struct shell_facts *shell = need_shell(x, x->host);
	uint32_t wanted = x->facts->workers_per_host * PORTS_OF_A_MOVE, has;

	if (shell == NULL)
		return;
	has = shell->port_max >= shell->port_min ? (uint32_t)(shell->port_max - shell->port_min) + 1 : 0;
	if (has < wanted)
		fault(x, FINDING_OK, xprintf("%u ports, %u to %u", has, shell->port_min, shell->port_max),
			xprintf("%u: %d for each of workers_per_host = %u", wanted, PORTS_OF_A_MOVE, x->facts->workers_per_host));
}

static bool needs_time(const struct host_facts *facts)
{
	return facts->control.transport == TRANSPORT_TLS || facts->control.transport == TRANSPORT_SASL;
}

void doctor_check_CLOCK(struct examination *x)
{
	const struct shell_facts *shell = need_shell(x, x->host);
	int64_t off;
	bool is_fatal;

	if (shell == NULL)
		return;
	if (!shell->has_clock) {
		not_checked(x, xstrdup("date tells no time there"));
		return;
	}
	off = llabs(shell->clock_offset_ms) - shell->clock_error_ms;
	if (off <= CLOCK_TOLERANCE_MS)
		return;
	is_fatal = off > CREDENTIAL_TOLERANCE_MS && needs_time(host_facts_of(x, x->host));
	fault(x, is_fatal ? FINDING_ERROR : FINDING_WARNING, xprintf("%s by %lld.%lld s", shell->clock_offset_ms > 0 ? "ahead" : "behind",
		(long long)(llabs(shell->clock_offset_ms) / 1000), (long long)(llabs(shell->clock_offset_ms) / 100 % 10)),
		xprintf("less than %d s", CLOCK_TOLERANCE_MS / 1000));
}

/* The check of KVM tells of hosts without it, and only where it matters. */
static bool is_of_kvm(const char *failure)
{
	return strstr(failure, "hardware virtualization") != NULL || strstr(failure, "/dev/kvm") != NULL;
}

void doctor_check_VALIDATE(struct examination *x)
{
	const struct shell_facts *shell = need_shell(x, x->host);
	size_t i;

	if (shell == NULL)
		return;
	if (!shell->has_validate)
		not_checked(x, xstrdup("virt-host-validate is not installed there"));
	for (i = 0; i < shell->n_failures; i++)
		if (!is_of_kvm(shell->failures[i]))
			fault(x, FINDING_OK, xstrdup(shell->failures[i]), xstrdup("no failure"));
}

/* ---- post-copy ---- */

/* From 5.2 on it can be switched off, and is; before, whoever has it may use it. */
static bool has_no_switch_yet(const char *kernel)
{
	unsigned major = 0, minor = 0;

	return sscanf(kernel, "%u.%u", &major, &minor) == 2 && (major < 5 || (major == 5 && minor < 2));
}

/* libvirt gives QEMU the device that takes the switch's place, and QEMU uses it. */
static bool uses_device(const struct shell_facts *shell, const struct libvirt_facts *libvirt)
{
	return shell->has_userfaultfd_device && libvirt->libvirt_version >= 10001000 && libvirt->qemu_version >= 8000000;
}

static void check_userfaultfd(struct examination *x, const struct libvirt_facts *libvirt, const struct shell_facts *shell)
{
	if (shell->userfaultfd_switch < 0) {
		if (!has_no_switch_yet(shell->kernel))
			fault(x, FINDING_OK, xprintf("kernel %s has no userfaultfd", shell->kernel), xstrdup("one with CONFIG_USERFAULTFD"));
		return;
	}
	if (shell->userfaultfd_switch == 0 && !shell->is_qemu_privileged && !uses_device(shell, libvirt))
		fault(x, FINDING_OK, xstrdup("vm.unprivileged_userfaultfd is 0, and QEMU does not run as root"), xstrdup("1"));
}

void doctor_check_POST_COPY(struct examination *x)
{
	const struct libvirt_facts *libvirt;
	const struct shell_facts *shell;

	if (!x->facts->allows_post_copy || !the_host(x)->incoming)
		return;
	libvirt = need_libvirt(x, x->host);
	if (libvirt == NULL)
		return;
	if (libvirt->libvirt_version < POST_COPY_LIBVIRT_LEAST) {
		struct finding *finding = fault(x, FINDING_OK, doctor_version_text(libvirt->libvirt_version), doctor_version_text(POST_COPY_LIBVIRT_LEAST));

		free(finding->hint);
		finding->hint = xstrdup("upgrade libvirt there; until then no guest goes there or comes from there by post-copy");
		return;
	}
	shell = need_shell(x, x->host);
	if (shell != NULL && shell->kernel == NULL)
		not_checked(x, xstrdup("uname tells nothing there"));
	else if (shell != NULL)
		check_userfaultfd(x, libvirt, shell);
}
