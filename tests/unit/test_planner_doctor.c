/* The check-up: a world in which all is well gives no finding, and each wrong fact gives its own finding, at its level, on its
 * object, and nothing else. */
#include "doctor_world.h"

/* ---- all is well ---- */

static void a_world_in_order_gives_no_finding_and_every_check_is_made(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report = doctor_examine(t->facts);
	bool is_made[CHECK_COUNT] = {false};
	size_t i;

	(void)state;
	if (report->n_of[FINDING_OK] != report->n_findings)
		fail_with(t, report, "not all is well");
	for (i = 0; i < report->n_findings; i++)
		is_made[report->findings[i].check] = true;
	for (i = 0; i < CHECK_COUNT; i++)
		if (!is_made[i])
			fail_msg("%s is not made", check_info((enum check_id)i)->name);
	doctor_report_free(report);
	end(t);
}

/* ---- each mistake ---- */

static void refuse_all(struct trouble *t)
{
	size_t i;

	for (i = 0; i < 2; i++) {
		t->inventory->hosts[i].reachable = false;
		error_set(&t->inventory->hosts[i].down, ERR_HOST_AUTH, "refused");
	}
}
static void hop_refused(struct trouble *t) { error_set(&t->facts->pairs[1].libvirt->hop, ERR_HOST_AUTH, "no ticket"); }

static void state_on_nfs(struct trouble *t) { t->facts->here.is_state_remote = true; set(&t->facts->here.state_kind, "NFS"); }
static void state_in_memory(struct trouble *t) { t->facts->here.is_state_volatile = true; }
static void no_room(struct trouble *t) { t->facts->here.state_free_bytes = 1 << 20; }
static void not_writable(struct trouble *t) { t->facts->here.can_write = false; }
static void clock_not_kept(struct trouble *t) { t->facts->here.is_clock_kept = false; }
static void own_certificate_expired(struct trouble *t)
{
	set(&t->facts->here.credentials.certificates[0].trouble, "certificate has expired");
	refuse_all(t);
}
static void own_certificate_ends_soon(struct trouble *t) { t->facts->here.credentials.certificates[0].ends_soon = true; }
static void no_ticket(struct trouble *t)
{
	t->facts->hosts[0].control.transport = t->facts->hosts[1].control.transport = TRANSPORT_SASL;
	t->facts->here.credentials.has_ticket = false;
	refuse_all(t);
}
static void wrong_ca(struct trouble *t)
{
	set(&t->facts->hosts[1].shell.credentials.certificates[0].trouble, "unable to get local issuer certificate");
	t->inventory->hosts[1].reachable = false;
	error_set(&t->inventory->hosts[1].down, ERR_HOST_AUTH, "certificate");
}
static void client_certificate_expired(struct trouble *t)
{
	set(&t->facts->hosts[0].shell.credentials.certificates[0].trouble, "certificate has expired");
	hop_refused(t);
}
static void name_not_in_certificate(struct trouble *t)
{
	struct certificate_fact *certificate = &t->facts->hosts[1].shell.credentials.certificates[0];

	strings_add(&certificate->lacking_names, &certificate->n_lacking_names, "h2");
}
static void certificate_ends_soon(struct trouble *t) { t->facts->hosts[1].shell.credentials.certificates[0].ends_soon = true; }
static void no_name(struct trouble *t)
{
	t->facts->hosts[1].name.n_addresses = 0;
	free(t->facts->hosts[1].name.addresses[0]);
	t->facts->hosts[1].control_port = PORT_UNKNOWN;
	t->inventory->hosts[1].reachable = false;
}
static void wrong_way_back(struct trouble *t) { set(&t->facts->hosts[1].name_again.addresses[0], "10.9.0.77"); }
static void port_refused(struct trouble *t)
{
	t->facts->hosts[1].control_port = PORT_REFUSED;
	t->inventory->hosts[1].reachable = false;
	error_set(&t->inventory->hosts[1].down, ERR_HOST_UNREACHABLE, "no");
}
static void refused_credentials(struct trouble *t)
{
	t->inventory->hosts[1].reachable = false;
	error_set(&t->inventory->hosts[1].down, ERR_HOST_AUTH, "authentication failed");
}
static void cloned_uuid(struct trouble *t) { snprintf(t->facts->hosts[1].libvirt->uuid, UUID_TEXT_SIZE, "uuid-0"); }
static void same_hostname(struct trouble *t) { set(&t->facts->hosts[1].libvirt->hostname, "h1"); }
static void bad_version(struct trouble *t) { t->facts->hosts[0].libvirt->libvirt_version = 10002000; }
static void no_kvm(struct trouble *t) { t->facts->hosts[1].libvirt->has_kvm = false; }
static void stop_pool(struct trouble *t, const char *name)
{
	strings_add(&t->facts->hosts[1].libvirt->idle_pools, &t->facts->hosts[1].libvirt->n_idle_pools, name);
}
static void used_pool_stopped(struct trouble *t) { stop_pool(t, "images"); set(&t->inventory->hosts[1].pools[0].name, "none"); }
static void unused_pool_stopped(struct trouble *t) { stop_pool(t, "iso"); }
static void pool_missing(struct trouble *t) { set(&t->inventory->hosts[1].pools[0].name, "none"); }
static void pool_full(struct trouble *t) { t->inventory->hosts[1].pools[0].available_bytes = GIB; }
static void stop_network(struct trouble *t, const char *name)
{
	strings_add(&t->facts->hosts[1].libvirt->idle_networks, &t->facts->hosts[1].libvirt->n_idle_networks, name);
}
static void used_network_stopped(struct trouble *t) { stop_network(t, "br-lan"); set(&t->inventory->hosts[1].networks[0], "eth0"); }
static void unused_network_stopped(struct trouble *t) { stop_network(t, "default"); }
static void used_bridge_missing(struct trouble *t) { set(&t->inventory->hosts[1].networks[0], "eth0"); }
static void unused_bridge_missing(struct trouble *t)
{
	strings_add(&t->facts->hosts[0].libvirt->bridges, &t->facts->hosts[0].libvirt->n_bridges, "br-dmz");
	strings_add(&t->inventory->hosts[0].networks, &t->inventory->hosts[0].n_networks, "br-dmz");
}
static void address_missing(struct trouble *t) { set(&t->facts->hosts[1].shell.addresses[1].address, "10.7.0.2/24"); }
static void no_carrier(struct trouble *t) { t->facts->hosts[1].shell.interfaces[1].has_carrier = false; }
static void two_nics(struct trouble *t) { set(&t->facts->hosts[1].shell.addresses[0].address, "10.8.0.3/24"); }
static void rule_on(struct trouble *t, const char *rule)
{
	set(&t->facts->hosts[1].shell.firewall_rules[0], rule);
	t->facts->pairs[1].ports[0].state = PORT_SILENT;
}
static void nft_range_dropped(struct trouble *t) { rule_on(t, "\t\ttcp dport 49152-49215 counter packets 0 bytes 0 drop"); }
static void nft_set_rejected(struct trouble *t) { rule_on(t, "ip saddr 10.8.0.0/24 tcp dport { 80, 49200 } reject with icmp port-unreachable"); }
static void iptables_dropped(struct trouble *t) { rule_on(t, "-A INPUT -p tcp -m tcp --dport 49152:49215 -j DROP"); }
static void control_port_rejected(struct trouble *t) { set(&t->facts->hosts[1].shell.firewall_rules[0], "tcp dport 16514 ip saddr 10.9.0.1 reject"); }
static void few_workers(struct trouble *t) { t->facts->hosts[1].shell.max_workers = 19; }
static void few_ports(struct trouble *t) { t->facts->hosts[1].shell.port_max = 49178; }
static void clock_ahead(struct trouble *t) { t->facts->hosts[1].shell.clock_offset_ms = 10000; }
static void clock_far_behind(struct trouble *t) { t->facts->hosts[1].shell.clock_offset_ms = -400000; }
static void failure_found(struct trouble *t)
{
	strings_add(&t->facts->hosts[1].shell.failures, &t->facts->hosts[1].shell.n_failures, "QEMU: Checking for cgroup 'cpu' controller support : FAIL");
}
static void no_userfaultfd_for_qemu(struct trouble *t) { t->facts->hosts[1].shell.userfaultfd_switch = 0; }
static void no_userfaultfd(struct trouble *t) { t->facts->hosts[1].shell.userfaultfd_switch = -1; }
static void no_post_copy_recovery(struct trouble *t) { t->facts->hosts[1].libvirt->libvirt_version = 8000000; }
static void other_network(struct trouble *t) { set(&t->inventory->networks[0].cidr, "10.99.0.0/24"); }
static void wrong_name_there(struct trouble *t) { set(&t->facts->pairs[1].name.addresses[0], "10.9.0.99"); }
static void no_name_there(struct trouble *t)
{
	free(t->facts->pairs[1].name.addresses[0]);
	t->facts->pairs[1].name.n_addresses = 0;
}
static void peer_is_local(struct trouble *t)
{
	uri_parts_clear(&t->facts->hosts[1].peer);
	set(&t->facts->hosts[1].peer_uri, "qemu:///system");
	t->facts->hosts[1].peer.transport = TRANSPORT_TLS; /* so that only the name is wrong */
}
static void other_route(struct trouble *t) { set(&t->facts->pairs[1].route_source, "10.9.0.1"); }
static void by_gateway(struct trouble *t) { set(&t->facts->pairs[1].route_gateway, "10.8.0.254"); }
static void no_route(struct trouble *t) { set(&t->facts->pairs[1].route_error, "RTNETLINK answers: Network is unreachable"); }
static void mtu_differs(struct trouble *t) { t->facts->hosts[1].shell.interfaces[1].mtu = 9000; }
static void mtu_small_between(struct trouble *t) { t->facts->pairs[1].full_arrives = false; }
static void no_answer(struct trouble *t)
{
	error_set(&t->facts->pairs[1].libvirt->way, ERR_NETWORK_DOWN, "host h1 gets no answer from 10.8.0.2");
	mtu_small_between(t);
	t->facts->pairs[1].ports[0].state = PORT_NO_ROUTE;
}
static void port_silent(struct trouble *t) { t->facts->pairs[1].ports[0].state = PORT_SILENT; }
static void port_no_route(struct trouble *t) { t->facts->pairs[1].ports[0].state = PORT_NO_ROUTE; }
static void cpu_lacks(struct trouble *t) { t->facts->pairs[1].libvirt->cpu = CPU_LACKS; set(&t->facts->pairs[1].libvirt->cpu_why, "avx512f"); }
static void older_target(struct trouble *t) { t->facts->hosts[0].libvirt->qemu_version = 8002000; }
static void other_locks(struct trouble *t) { set(&t->facts->hosts[1].shell.lock_manager, "lockd"); }
static void other_transport(struct trouble *t) { t->facts->hosts[1].peer.transport = TRANSPORT_SSH; }
static void broken_shell(struct trouble *t) { set(&t->facts->hosts[1].shell_unknown, "ssh root@h2 sh -s: Permission denied"); }

enum { HERE = -1, BOTH = -2 };

static const struct {
	const char *name;
	void (*make)(struct trouble *t);
	enum check_id check;
	enum finding_level level;
	int host, target; /* target HERE = none; BOTH: found on two objects, not looked at */
} mistakes[] = {
	{"state on NFS", state_on_nfs, CHECK_STATE_PLACE, FINDING_ERROR, HERE, HERE},
	{"state in memory", state_in_memory, CHECK_STATE_PLACE, FINDING_WARNING, HERE, HERE},
	{"no room", no_room, CHECK_STATE_SPACE, FINDING_ERROR, HERE, HERE},
	{"not writable", not_writable, CHECK_STATE_SPACE, FINDING_ERROR, HERE, HERE},
	{"clock not kept", clock_not_kept, CHECK_OWN_CLOCK, FINDING_WARNING, HERE, HERE},
	{"own certificate expired", own_certificate_expired, CHECK_OWN_CERTIFICATE, FINDING_ERROR, HERE, HERE},
	{"own certificate ends soon", own_certificate_ends_soon, CHECK_OWN_CERTIFICATE, FINDING_WARNING, HERE, HERE},
	{"no ticket", no_ticket, CHECK_TICKET, FINDING_ERROR, HERE, HERE},
	{"another CA", wrong_ca, CHECK_CERTIFICATE, FINDING_ERROR, 1, HERE},
	{"client certificate of a source expired", client_certificate_expired, CHECK_CERTIFICATE, FINDING_ERROR, 0, HERE},
	{"name not in the certificate", name_not_in_certificate, CHECK_CERTIFICATE, FINDING_ERROR, 1, HERE},
	{"certificate ends soon", certificate_ends_soon, CHECK_CERTIFICATE, FINDING_WARNING, 1, HERE},
	{"no name", no_name, CHECK_NAME, FINDING_ERROR, 1, HERE},
	{"wrong way back", wrong_way_back, CHECK_NAME_BACK, FINDING_WARNING, 1, HERE},
	{"port refused", port_refused, CHECK_CONTROL_PORT, FINDING_ERROR, 1, HERE},
	{"refused credentials", refused_credentials, CHECK_CONNECTION, FINDING_ERROR, 1, HERE},
	{"cloned UUID", cloned_uuid, CHECK_IDENTITY, FINDING_ERROR, BOTH, HERE},
	{"same host name", same_hostname, CHECK_IDENTITY, FINDING_WARNING, BOTH, HERE},
	{"bad version", bad_version, CHECK_VERSION, FINDING_WARNING, BOTH, HERE},
	{"no KVM", no_kvm, CHECK_KVM, FINDING_WARNING, 1, HERE},
	{"used pool stopped", used_pool_stopped, CHECK_POOL_ACTIVE, FINDING_ERROR, 1, HERE},
	{"unused pool stopped", unused_pool_stopped, CHECK_POOL_ACTIVE, FINDING_WARNING, 1, HERE},
	{"pool missing", pool_missing, CHECK_POOL_MISSING, FINDING_ERROR, 1, HERE},
	{"pool full", pool_full, CHECK_POOL_SPACE, FINDING_WARNING, 1, HERE},
	{"used network stopped", used_network_stopped, CHECK_NETWORK_ACTIVE, FINDING_ERROR, 1, HERE},
	{"unused network stopped", unused_network_stopped, CHECK_NETWORK_ACTIVE, FINDING_WARNING, 1, HERE},
	{"used bridge missing", used_bridge_missing, CHECK_NETWORK_MISSING, FINDING_ERROR, 1, HERE},
	{"unused bridge missing", unused_bridge_missing, CHECK_NETWORK_MISSING, FINDING_WARNING, 1, HERE},
	{"broken shell", broken_shell, CHECK_SHELL, FINDING_WARNING, 1, HERE},
	{"address missing", address_missing, CHECK_ADDRESS, FINDING_ERROR, 1, HERE},
	{"no carrier", no_carrier, CHECK_LINK, FINDING_ERROR, 1, HERE},
	{"two NICs", two_nics, CHECK_SUBNET, FINDING_WARNING, 1, HERE},
	{"nft drops the range", nft_range_dropped, CHECK_FIREWALL, FINDING_ERROR, 1, HERE},
	{"nft rejects a set", nft_set_rejected, CHECK_FIREWALL, FINDING_ERROR, 1, HERE},
	{"iptables drops the range", iptables_dropped, CHECK_FIREWALL, FINDING_ERROR, 1, HERE},
	{"control port rejected", control_port_rejected, CHECK_FIREWALL, FINDING_ERROR, 1, HERE},
	{"few workers", few_workers, CHECK_WORKERS, FINDING_ERROR, 1, HERE},
	{"few ports", few_ports, CHECK_PORT_RANGE, FINDING_WARNING, 1, HERE},
	{"clock ahead", clock_ahead, CHECK_CLOCK, FINDING_WARNING, 1, HERE},
	{"clock far behind with TLS", clock_far_behind, CHECK_CLOCK, FINDING_ERROR, 1, HERE},
	{"virt-host-validate", failure_found, CHECK_VALIDATE, FINDING_WARNING, 1, HERE},
	{"QEMU may not use userfaultfd", no_userfaultfd_for_qemu, CHECK_POST_COPY, FINDING_WARNING, 1, HERE},
	{"a kernel without userfaultfd", no_userfaultfd, CHECK_POST_COPY, FINDING_WARNING, 1, HERE},
	{"a libvirt that cannot let a post-copy go on", no_post_copy_recovery, CHECK_POST_COPY, FINDING_WARNING, 1, HERE},
	{"no shared network", other_network, CHECK_MIGRATION_NETWORK, FINDING_ERROR, BOTH, BOTH},
	{"wrong name there", wrong_name_there, CHECK_NAME_THERE, FINDING_ERROR, 0, 1},
	{"no name there", no_name_there, CHECK_NAME_THERE, FINDING_ERROR, 0, 1},
	{"local peer uri", peer_is_local, CHECK_NAME_THERE, FINDING_ERROR, 0, 1},
	{"other route", other_route, CHECK_ROUTE, FINDING_ERROR, 0, 1},
	{"by a gateway", by_gateway, CHECK_ROUTE, FINDING_WARNING, 0, 1},
	{"no route", no_route, CHECK_ROUTE, FINDING_ERROR, 0, 1},
	{"no answer from the target's address", no_answer, CHECK_WAY, FINDING_ERROR, 0, 1},
	{"MTU differs", mtu_differs, CHECK_MTU, FINDING_WARNING, BOTH, BOTH},
	{"MTU small between", mtu_small_between, CHECK_MTU, FINDING_ERROR, 0, 1},
	{"port silent", port_silent, CHECK_MIGRATION_PORTS, FINDING_ERROR, 0, 1},
	{"port without a route", port_no_route, CHECK_MIGRATION_PORTS, FINDING_ERROR, 0, 1},
	{"hop refused", hop_refused, CHECK_HOP, FINDING_ERROR, 0, 1},
	{"CPU lacks features", cpu_lacks, CHECK_CPU, FINDING_WARNING, 0, 1},
	{"older target", older_target, CHECK_NEWER, FINDING_WARNING, 0, 1},
	{"other lock manager", other_locks, CHECK_LOCKS, FINDING_ERROR, BOTH, BOTH},
	{"other transport", other_transport, CHECK_TRANSPORT, FINDING_ERROR, BOTH, BOTH},
};

static bool is_on(const struct finding *finding, int host, int target)
{
	if (host == BOTH)
		return true;
	return finding->host == (host == HERE ? INDEX_NONE : (uint32_t)host) &&
		finding->target == (target == HERE ? INDEX_NONE : (uint32_t)target);
}

static void every_mistake_gives_its_own_finding_and_nothing_else(void **state)
{
	bool is_covered[CHECK_COUNT] = {false};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		mistakes[i].make(t);
		report = doctor_examine(t->facts);
		if (report->n_of[mistakes[i].level] == 0)
			fail_with(t, report, mistakes[i].name);
		for (k = 0; k < report->n_findings; k++) {
			const struct finding *finding = &report->findings[k];

			if (finding->level <= FINDING_NOT_CHECKED)
				continue;
			if (finding->check != mistakes[i].check || finding->level != mistakes[i].level ||
				!is_on(finding, mistakes[i].host, mistakes[i].target))
				fail_with(t, report, mistakes[i].name);
			if (finding->found[0] == '\0' || finding->expected[0] == '\0' || finding->hint[0] == '\0')
				fail_with(t, report, "a finding lacks a value or what to do");
		}
		is_covered[mistakes[i].check] = true;
		doctor_report_free(report);
		end(t);
	}
	for (i = 0; i < CHECK_COUNT; i++)
		if (!is_covered[i])
			fail_msg("no mistake shows that %s finds anything", check_info((enum check_id)i)->name);
}

static void a_host_that_takes_no_guests_needs_nothing_for_them(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	t->inventory->hosts[1].incoming = false;
	pool_missing(t);
	used_bridge_missing(t);
	no_userfaultfd_for_qemu(t);
	report = doctor_examine(t->facts);
	if (report->n_of[FINDING_OK] != report->n_findings)
		fail_with(t, report, "something is missing there");
	doctor_report_free(report);
	end(t);
}

static void what_the_configuration_allows_is_no_mistake(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	t->facts->allows_mixed = t->facts->is_direct = true;
	other_transport(t);
	hop_refused(t);
	report = doctor_examine(t->facts);
	if (report->n_of[FINDING_OK] != report->n_findings)
		fail_with(t, report, "it is allowed");
	doctor_report_free(report);
	end(t);
}

static void whatever_lets_qemu_use_userfaultfd_lets_guests_arrive_by_post_copy(void **state)
{
	static const struct {
		bool is_allowed;
		int userfaultfd_switch;
		bool is_privileged, has_device;
		uint32_t libvirt_version, qemu_version;
		const char *kernel;
		size_t n_warnings;
	} cases[] = {
		{true, 0, false, false, 9000000, 7002000, "6.1.0", 1},
		{true, 1, false, false, 9000000, 7002000, "6.1.0", 0},
		{true, 0, true, false, 9000000, 7002000, "6.1.0", 0},
		{true, 0, false, true, 9000000, 7002000, "6.1.0", 1},
		{true, 0, false, true, 10001000, 7002000, "6.1.0", 1},
		{true, 0, false, true, 10000000, 8000000, "6.1.0", 1},
		{true, 0, false, true, 10001000, 8000000, "6.1.0", 0},
		{true, 0, false, false, 10001000, 8000000, "6.1.0", 1},
		{true, -1, false, false, 9000000, 7002000, "6.1.0", 1},
		{true, -1, false, false, 9000000, 7002000, "5.2.0", 1},
		{true, -1, false, false, 9000000, 7002000, "5.1.21", 0},
		{true, -1, false, false, 9000000, 7002000, "4.19.0-27-amd64", 0},
		{false, 0, false, false, 8000000, 7002000, "6.1.0", 0},
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		t->facts->allows_post_copy = cases[i].is_allowed;
		for (k = 0; k < 2; k++) {
			struct host_facts *host = &t->facts->hosts[k];

			host->libvirt->libvirt_version = cases[i].libvirt_version;
			host->libvirt->qemu_version = cases[i].qemu_version;
			host->shell.userfaultfd_switch = cases[i].userfaultfd_switch;
			host->shell.is_qemu_privileged = cases[i].is_privileged;
			host->shell.has_userfaultfd_device = cases[i].has_device;
			set(&host->shell.kernel, cases[i].kernel);
		}
		report = doctor_examine(t->facts);
		if (count(report, CHECK_POST_COPY, FINDING_WARNING) != 2 * cases[i].n_warnings)
			fail_msg("case %zu: %zu warnings", i, count(report, CHECK_POST_COPY, FINDING_WARNING));
		doctor_report_free(report);
		end(t);
	}
}

/* ---- what is not known ---- */

static void without_a_shell_nothing_of_the_inside_is_called_well(void **state)
{
	static const enum check_id inside[] = {CHECK_SHELL, CHECK_ADDRESS, CHECK_LINK, CHECK_SUBNET, CHECK_FIREWALL, CHECK_WORKERS, CHECK_PORT_RANGE,
		CHECK_CLOCK, CHECK_VALIDATE, CHECK_POST_COPY, CHECK_NAME_THERE, CHECK_ROUTE, CHECK_MTU, CHECK_MIGRATION_PORTS, CHECK_LOCKS};
	struct trouble *t = well();
	struct doctor_report *report;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		t->facts->hosts[i].has_shell = false;
		set(&t->facts->hosts[i].shell_unknown, "no shell");
	}
	report = doctor_examine(t->facts);
	for (i = 0; i < sizeof inside / sizeof *inside; i++)
		if (count(report, inside[i], FINDING_NOT_CHECKED) != 2)
			fail_msg("%s", check_info(inside[i])->name);
	assert_int_equal(report->n_of[FINDING_WARNING] + report->n_of[FINDING_ERROR], 0);
	doctor_report_free(report);
	end(t);
}

static void without_libvirts_word_nothing_of_it_is_called_well(void **state)
{
	static const enum check_id asked[] = {CHECK_IDENTITY, CHECK_VERSION, CHECK_KVM, CHECK_POOL_ACTIVE, CHECK_NETWORK_ACTIVE, CHECK_WAY, CHECK_HOP, CHECK_CPU,
		CHECK_NEWER};
	struct trouble *t = well();
	struct doctor_report *report;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		libvirt_facts_free(t->facts->hosts[i].libvirt);
		t->facts->hosts[i].libvirt = NULL;
		libvirt_pair_facts_free(t->facts->pairs[1 + i].libvirt);
		t->facts->pairs[1 + i].libvirt = NULL;
		error_set(&t->facts->hosts[i].libvirt_error, ERR_TIMEOUT, "no answer");
	}
	report = doctor_examine(t->facts);
	for (i = 0; i < sizeof asked / sizeof *asked; i++)
		if (count(report, asked[i], FINDING_NOT_CHECKED) != 2)
			fail_msg("%s", check_info(asked[i])->name);
	doctor_report_free(report);
	end(t);
}

static void no_state_kind(struct trouble *t) { free(t->facts->here.state_kind); t->facts->here.state_kind = NULL; }
static void no_own_clock(struct trouble *t) { t->facts->here.is_clock_known = false; }
static void no_openssl_here(struct trouble *t) { t->facts->here.credentials.has_openssl = false; }
static void no_clock(struct trouble *t) { t->facts->hosts[1].shell.has_clock = false; }
static void no_validate(struct trouble *t) { t->facts->hosts[1].shell.has_validate = false; }
static void no_kernel(struct trouble *t) { free(t->facts->hosts[1].shell.kernel); t->facts->hosts[1].shell.kernel = NULL; }
static void no_firewall(struct trouble *t) { t->facts->hosts[1].shell.has_firewall = false; }
static void no_addresses(struct trouble *t) { t->facts->hosts[1].shell.has_addresses = false; }
static void no_workers(struct trouble *t) { t->facts->hosts[1].shell.max_workers = 0; }
static void no_openssl(struct trouble *t) { t->facts->hosts[1].shell.credentials.has_openssl = false; }
static void no_port_tried(struct trouble *t) { t->facts->hosts[1].control_port = PORT_UNKNOWN; }
static void no_route_known(struct trouble *t) { t->facts->pairs[1].has_route = false; }
static void no_ping(struct trouble *t) { t->facts->pairs[1].ping_bytes = 0; }
static void no_ports_tried(struct trouble *t) { t->facts->pairs[1].n_ports = 0; }
static void no_hop(struct trouble *t) { t->facts->pairs[1].libvirt->is_hop_known = false; }
static void no_cpu(struct trouble *t) { t->facts->pairs[1].libvirt->cpu = CPU_UNKNOWN; }
static void no_qemu_version(struct trouble *t) { t->facts->hosts[1].libvirt->qemu_version = 0; }
static void no_locks(struct trouble *t) { free(t->facts->hosts[1].shell.lock_manager); t->facts->hosts[1].shell.lock_manager = NULL; }

static const struct {
	void (*forget)(struct trouble *t);
	enum check_id check;
} unknowns[] = {
	{no_state_kind, CHECK_STATE_PLACE}, {no_own_clock, CHECK_OWN_CLOCK}, {no_openssl_here, CHECK_OWN_CERTIFICATE}, {no_clock, CHECK_CLOCK},
	{no_validate, CHECK_VALIDATE}, {no_kernel, CHECK_POST_COPY}, {no_firewall, CHECK_FIREWALL}, {no_addresses, CHECK_ADDRESS}, {no_workers, CHECK_WORKERS},
	{no_openssl, CHECK_CERTIFICATE}, {no_port_tried, CHECK_CONTROL_PORT}, {no_route_known, CHECK_ROUTE}, {no_ping, CHECK_MTU},
	{no_ports_tried, CHECK_MIGRATION_PORTS}, {no_hop, CHECK_HOP}, {no_cpu, CHECK_CPU}, {no_qemu_version, CHECK_NEWER}, {no_locks, CHECK_LOCKS},
};

static void a_fact_that_nobody_could_learn_is_neither_well_nor_a_mistake(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof unknowns / sizeof *unknowns; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		unknowns[i].forget(t);
		report = doctor_examine(t->facts);
		if (count(report, unknowns[i].check, FINDING_NOT_CHECKED) == 0 || report->n_of[FINDING_WARNING] + report->n_of[FINDING_ERROR] > 0)
			fail_with(t, report, check_info(unknowns[i].check)->name);
		doctor_report_free(report);
		end(t);
	}
}

static void what_stands_on_a_failed_check_is_left_out(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	no_carrier(t);
	mtu_small_between(t);
	port_silent(t);
	report = doctor_examine(t->facts);
	assert_int_equal(report->n_of[FINDING_ERROR], 1);
	assert_int_equal(count(report, CHECK_MTU, FINDING_NOT_CHECKED), 2);
	assert_int_equal(count(report, CHECK_MIGRATION_PORTS, FINDING_NOT_CHECKED), 2);
	doctor_report_free(report);
	end(t);
}

static void asking_for_one_host_tells_of_it_and_its_pairs_only(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	t->facts->is_asked = xcalloc(2, sizeof *t->facts->is_asked);
	t->facts->is_asked[0] = true;
	clock_ahead(t); /* on h2 */
	hop_refused(t);
	report = doctor_examine(t->facts);
	assert_int_equal(report->n_of[FINDING_WARNING], 0);
	assert_int_equal(report->n_of[FINDING_ERROR], 1);
	assert_int_equal(count(report, CHECK_HOP, FINDING_OK), 1);
	doctor_report_free(report);
	end(t);
}

/* ---- small parts ---- */

static void only_rules_that_close_the_port_count(void **state)
{
	static const struct {
		const char *rules[2];
		bool closes;
	} cases[] = {
		{{"tcp dport 49152-49215 drop", ""}, true},
		{{"tcp dport { 49000-49160, 16514 } drop", ""}, true},
		{{"-A INPUT -p tcp -m multiport --dports 16514,49152:49215 -j REJECT --reject-with icmp-port-unreachable", ""}, true},
		{{"tcp dport 49152-49215 accept", "tcp dport 1-65535 drop"}, false},
		{{"udp dport 49152-49215 drop", ""}, false},
		{{"tcp dport 1-49151 drop", "tcp dport 49216-65535 drop"}, false},
		{{"tcp dport != 49152-49215 drop", ""}, false},
		{{"tcp sport 49152-49215 drop", "ip saddr 10.0.0.1 drop"}, false},
		{{"tcp dport 49152-49215 counter name dropped accept", ""}, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *rule = doctor_closing_rule((char *const *)(uintptr_t)cases[i].rules, 2, 49152, 49215);

		if ((rule != NULL) != cases[i].closes)
			fail_msg("%s", cases[i].rules[0]);
		free(rule);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_world_in_order_gives_no_finding_and_every_check_is_made),
		cmocka_unit_test(every_mistake_gives_its_own_finding_and_nothing_else),
		cmocka_unit_test(a_host_that_takes_no_guests_needs_nothing_for_them),
		cmocka_unit_test(what_the_configuration_allows_is_no_mistake),
		cmocka_unit_test(whatever_lets_qemu_use_userfaultfd_lets_guests_arrive_by_post_copy),
		cmocka_unit_test(without_a_shell_nothing_of_the_inside_is_called_well),
		cmocka_unit_test(without_libvirts_word_nothing_of_it_is_called_well),
		cmocka_unit_test(a_fact_that_nobody_could_learn_is_neither_well_nor_a_mistake),
	cmocka_unit_test(what_stands_on_a_failed_check_is_left_out),
		cmocka_unit_test(asking_for_one_host_tells_of_it_and_its_pairs_only),
		cmocka_unit_test(only_rules_that_close_the_port_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
