/* The check-up of hosts that are not as in the book: what is unusual and right gives no finding, what can only be known in part is
 * told as not known, and a finding says what somebody has to read to understand it. */
#include "doctor_world.h"

/* ---- unusual and right ---- */

static void literal_peer(struct trouble *t) { set(&t->facts->hosts[1].peer.host, "10.9.0.2"); }
static void literal_ipv6_peer(struct trouble *t) { set(&t->facts->hosts[1].peer.host, "fd00::2"); }
static void name_there_by_the_configured_address(struct trouble *t) { set(&t->facts->pairs[1].name.addresses[0], "10.8.0.2"); }
static void name_there_by_another_interface(struct trouble *t)
{
	set(&t->facts->hosts[1].shell.addresses[0].address, "10.7.0.2/24");
	set(&t->facts->pairs[1].name.addresses[0], "10.7.0.2");
}
static void name_there_with_a_second_address(struct trouble *t)
{
	set(&t->facts->pairs[1].name.addresses[0], "fd00::2");
	strings_add(&t->facts->pairs[1].name.addresses, &t->facts->pairs[1].name.n_addresses, "10.9.0.2");
}
static void route_without_a_source(struct trouble *t)
{
	free(t->facts->pairs[1].route_source);
	t->facts->pairs[1].route_source = NULL;
}
static void ipv6_link(struct trouble *t) { host_add_link(&t->inventory->hosts[1], "fd00::2/64"); }
static void unlisted_interface(struct trouble *t) { set(&t->facts->hosts[1].shell.interfaces[1].name, "bond0"); }
static void virtual_address(struct trouble *t) { set(&t->facts->hosts[1].shell.addresses[0].address, "10.8.0.9/32"); }
static void alias_on_one_interface(struct trouble *t)
{
	set(&t->facts->hosts[1].shell.addresses[0].interface, "mig");
	set(&t->facts->hosts[1].shell.addresses[0].address, "10.8.0.9/24");
}
static void fail_validation(struct trouble *t, const char *line)
{
	strings_add(&t->facts->hosts[1].shell.failures, &t->facts->hosts[1].shell.n_failures, line);
}
static void validation_misses_vmx(struct trouble *t) { fail_validation(t, "QEMU: Checking for hardware virtualization : FAIL"); }
static void validation_misses_kvm(struct trouble *t) { fail_validation(t, "QEMU: Checking if device /dev/kvm exists : FAIL"); }
static void local_host(struct trouble *t)
{
	uri_parts_clear(&t->facts->hosts[1].control);
	t->facts->hosts[1].control_port = PORT_UNKNOWN;
}
static void no_reverse_name(struct trouble *t)
{
	free(t->facts->hosts[1].name_back);
	t->facts->hosts[1].name_back = NULL;
}
static void transport_without_a_port(struct trouble *t)
{
	t->facts->hosts[1].control.port = 0;
	t->facts->hosts[1].control_port = PORT_UNKNOWN;
}
static void no_kvm_anywhere(struct trouble *t) { t->facts->hosts[0].libvirt->has_kvm = t->facts->hosts[1].libvirt->has_kvm = false; }
static void uuids_not_told(struct trouble *t) { t->facts->hosts[0].libvirt->uuid[0] = t->facts->hosts[1].libvirt->uuid[0] = '\0'; }
static void hostname_not_told(struct trouble *t)
{
	free(t->facts->hosts[0].libvirt->hostname);
	t->facts->hosts[0].libvirt->hostname = NULL;
}
static void new_libvirt(struct trouble *t) { t->facts->hosts[0].libvirt->libvirt_version = 11000000; }
static void old_libvirt(struct trouble *t) { t->facts->hosts[0].libvirt->libvirt_version = 8009000; }
static void shared_pool_full(struct trouble *t)
{
	t->inventory->hosts[1].pools[0].share_id = xstrdup("nfs:/srv/images");
	t->inventory->hosts[1].pools[0].available_bytes = 0;
}
static void update_of_one_release(struct trouble *t) { t->facts->hosts[0].libvirt->qemu_version = 7002009; }
static void direct_from_a_host_itself(struct trouble *t)
{
	t->facts->is_direct = true;
	local_host(t);
}
static void little_time_off(struct trouble *t)
{
	t->facts->hosts[1].shell.clock_offset_ms = -2500;
	t->facts->hosts[1].shell.clock_error_ms = 600;
}

static const struct {
	const char *name;
	void (*make)(struct trouble *t);
} odd_and_right[] = {
	{"a peer URI with an address", literal_peer},
	{"a peer URI with an IPv6 address", literal_ipv6_peer},
	{"its name leads to its configured address there", name_there_by_the_configured_address},
	{"its name leads to another interface there", name_there_by_another_interface},
	{"its name leads to two addresses there", name_there_with_a_second_address},
	{"a route that names no source", route_without_a_source},
	{"a link with IPv6", ipv6_link},
	{"an interface of which nothing is told", unlisted_interface},
	{"a virtual address of one host", virtual_address},
	{"two addresses on one interface", alias_on_one_interface},
	{"no hardware virtualization", validation_misses_vmx},
	{"no /dev/kvm", validation_misses_kvm},
	{"drover runs on a host", local_host},
	{"an address without a name", no_reverse_name},
	{"a transport without a port", transport_without_a_port},
	{"no host has KVM", no_kvm_anywhere},
	{"hosts that do not tell their UUID", uuids_not_told},
	{"a host that does not tell its name", hostname_not_told},
	{"a libvirt after the flaws", new_libvirt},
	{"a libvirt before the flaws", old_libvirt},
	{"no room in a shared pool", shared_pool_full},
	{"an update of the same QEMU", update_of_one_release},
	{"direct moves from the machine itself", direct_from_a_host_itself},
	{"a clock within what is known of it", little_time_off},
};

static void what_is_unusual_and_right_gives_no_finding(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof odd_and_right / sizeof *odd_and_right; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		odd_and_right[i].make(t);
		report = doctor_examine(t->facts);
		if (report->n_of[FINDING_OK] != report->n_findings)
			fail_with(t, report, odd_and_right[i].name);
		doctor_report_free(report);
		end(t);
	}
}

/* ---- known in part ---- */

static void no_name_looked_up(struct trouble *t)
{
	free(t->facts->hosts[1].name.name);
	t->facts->hosts[1].name.name = NULL;
}
static void no_name_looked_up_there(struct trouble *t)
{
	free(t->facts->pairs[1].name.name);
	t->facts->pairs[1].name.name = NULL;
}
static void no_answer_to_ping(struct trouble *t) { t->facts->pairs[1].small_arrives = t->facts->pairs[1].full_arrives = false; }
static void no_version_of_the_source(struct trouble *t) { t->facts->hosts[0].libvirt->qemu_version = 0; }
static void no_certificate_here(struct trouble *t) { credential_facts_clear(&t->facts->here.credentials); t->facts->here.credentials = (struct credential_facts){.has_openssl = true}; }
static void no_certificate_there(struct trouble *t)
{
	credential_facts_clear(&t->facts->hosts[1].shell.credentials);
	t->facts->hosts[1].shell.credentials = (struct credential_facts){.has_openssl = true};
}
static void no_klist(struct trouble *t)
{
	t->facts->hosts[0].control.transport = t->facts->hosts[1].control.transport = TRANSPORT_SASL;
	t->facts->here.credentials.has_klist = t->facts->here.credentials.has_ticket = false;
}
static void no_interfaces_told(struct trouble *t)
{
	free(t->inventory->hosts[1].networks[0]);
	t->inventory->hosts[1].n_networks = 0;
}
static void no_word_of_the_pair(struct trouble *t)
{
	libvirt_pair_facts_free(t->facts->pairs[1].libvirt);
	t->facts->pairs[1].libvirt = NULL;
	error_set(&t->facts->pairs[1].libvirt_error, ERR_TIMEOUT, "h1 gave no answer");
}

static const struct {
	void (*forget)(struct trouble *t);
	enum check_id check;
} part_known[] = {
	{no_name_looked_up, CHECK_NAME}, {no_name_looked_up_there, CHECK_NAME_THERE}, {no_answer_to_ping, CHECK_MTU},
	{no_version_of_the_source, CHECK_NEWER}, {no_certificate_here, CHECK_OWN_CERTIFICATE}, {no_certificate_there, CHECK_CERTIFICATE},
	{no_klist, CHECK_TICKET}, {no_interfaces_told, CHECK_NETWORK_MISSING}, {no_word_of_the_pair, CHECK_HOP}, {no_word_of_the_pair, CHECK_WAY},
	{no_word_of_the_pair, CHECK_CPU},
};

static void what_is_known_in_part_is_told_as_not_known(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof part_known / sizeof *part_known; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		part_known[i].forget(t);
		report = doctor_examine(t->facts);
		if (count(report, part_known[i].check, FINDING_NOT_CHECKED) == 0 || report->n_of[FINDING_WARNING] + report->n_of[FINDING_ERROR] > 0)
			fail_with(t, report, check_info(part_known[i].check)->name);
		doctor_report_free(report);
		end(t);
	}
}

/* Nothing is configured: libvirt chooses the way by the target's host name, and nobody here knows which it is. */
static void a_way_that_libvirt_chooses_is_not_judged(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;
	size_t i;

	(void)state;
	t->inventory->n_networks = 0;
	for (i = 0; i < 2; i++) {
		free(t->inventory->hosts[i].links[0].address);
		t->inventory->hosts[i].links[0].address = NULL;
		t->facts->pairs[1 + i].ping_bytes = 0;
	}
	report = doctor_examine(t->facts);
	assert_int_equal(report->n_of[FINDING_WARNING] + report->n_of[FINDING_ERROR], 0);
	assert_int_equal(count(report, CHECK_ROUTE, FINDING_NOT_CHECKED), 2);
	assert_int_equal(count(report, CHECK_MTU, FINDING_NOT_CHECKED), 2);
	doctor_report_free(report);
	t->inventory->n_networks = 1;
	end(t);
}

static void a_gateway_is_a_detour_only_within_a_migration_network(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	t->inventory->n_networks = 0;
	set(&t->facts->pairs[1].route_gateway, "10.8.0.254");
	report = doctor_examine(t->facts);
	if (report->n_of[FINDING_OK] != report->n_findings)
		fail_with(t, report, "routed, and nobody asked for another way");
	doctor_report_free(report);
	t->inventory->n_networks = 1;
	end(t);
}

/* ---- simulated hosts: their inventory is all there is ---- */

static void of_simulated_hosts_the_names_of_the_cpus_are_compared(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;
	size_t i;

	(void)state;
	t->facts->is_simulated = true;
	for (i = 0; i < 2; i++) {
		libvirt_pair_facts_free(t->facts->pairs[1 + i].libvirt);
		t->facts->pairs[1 + i].libvirt = NULL;
	}
	report = doctor_examine(t->facts);
	assert_int_equal(count(report, CHECK_CPU, FINDING_NOT_CHECKED), 2);
	assert_int_equal(count(report, CHECK_NAME_THERE, FINDING_NOT_CHECKED), 2);
	doctor_report_free(report);
	t->inventory->hosts[0].cpu_model = xstrdup("EPYC-Rome");
	t->inventory->hosts[1].cpu_model = xstrdup("EPYC-Rome");
	report = doctor_examine(t->facts);
	assert_int_equal(count(report, CHECK_CPU, FINDING_OK), 2);
	doctor_report_free(report);
	set(&t->inventory->hosts[1].cpu_model, "Skylake-Server");
	report = doctor_examine(t->facts);
	assert_int_equal(count(report, CHECK_CPU, FINDING_WARNING), 2);
	doctor_report_free(report);
	end(t);
}

/* ---- what a finding says ---- */

static void hop_refused_with_advice(struct trouble *t)
{
	error_set(&t->facts->pairs[1].libvirt->hop, ERR_HOST_AUTH, "no ticket");
	error_hint(&t->facts->pairs[1].libvirt->hop, "on h1: kinit -k");
}
static void host_down_with_advice(struct trouble *t)
{
	t->inventory->hosts[1].reachable = false;
	error_set(&t->inventory->hosts[1].down, ERR_HOST_AUTH, "authentication failed");
	error_hint(&t->inventory->hosts[1].down, "set user in auth.conf");
}
static void port_closed_by_a_rule(struct trouble *t)
{
	t->facts->hosts[1].control_port = PORT_REFUSED;
	set(&t->facts->hosts[1].shell.firewall_rules[0], "tcp dport 16514 reject");
}
static void other_network(struct trouble *t) { set(&t->inventory->networks[0].cidr, "10.99.0.0/24"); }
static void name_unknown(struct trouble *t)
{
	free(t->facts->hosts[1].name.addresses[0]);
	t->facts->hosts[1].name.n_addresses = 0;
	t->facts->hosts[1].name.error = xstrdup("Temporary failure in name resolution");
}
static void reverse_name_leads_nowhere(struct trouble *t)
{
	free(t->facts->hosts[1].name_again.addresses[0]);
	t->facts->hosts[1].name_again.n_addresses = 0;
}
static void cpu_lacks(struct trouble *t)
{
	t->facts->pairs[1].libvirt->cpu = CPU_LACKS;
	set(&t->facts->pairs[1].libvirt->cpu_why, "avx512f");
	t->inventory->hosts[0].cpu_model = xstrdup("Skylake-Server");
	t->inventory->hosts[1].cpu_model = xstrdup("EPYC-Rome");
}
static void certificate_ends(struct trouble *t)
{
	struct certificate_fact *certificate = &t->facts->hosts[1].shell.credentials.certificates[0];

	certificate->ends_soon = true;
	free(certificate->until);
	certificate->until = NULL;
}
static void no_ticket(struct trouble *t)
{
	t->facts->hosts[0].control.transport = TRANSPORT_SASL;
	t->facts->here.credentials.has_ticket = false;
	t->facts->here.credentials.ticket_cache = xstrdup("FILE:/tmp/krb5cc_0");
}
static void pool_full(struct trouble *t) { t->inventory->hosts[1].pools[0].available_bytes = GIB; }
static void pool_missing(struct trouble *t) { set(&t->inventory->hosts[1].pools[0].name, "none"); }
static void libvirt_network_missing(struct trouble *t)
{
	strings_add(&t->facts->hosts[0].libvirt->networks, &t->facts->hosts[0].libvirt->n_networks, "default");
	strings_add(&t->inventory->hosts[0].networks, &t->inventory->hosts[0].n_networks, "default");
}
static void twins_without_a_shell(struct trouble *t)
{
	host_add_link(&t->inventory->hosts[1], "10.8.0.77/24");
	t->facts->hosts[1].has_shell = false;
	set(&t->facts->hosts[1].shell_unknown, "no shell");
}
static void wide_twin(struct trouble *t) { set(&t->facts->hosts[1].shell.addresses[0].address, "10.8.9.9/16"); }
static void no_ports(struct trouble *t)
{
	t->facts->hosts[1].shell.port_min = 49215;
	t->facts->hosts[1].shell.port_max = 49152;
}
static void small_packets_only(struct trouble *t)
{
	t->facts->pairs[1].full_arrives = false;
	t->facts->hosts[1].has_shell = false;
	set(&t->facts->hosts[1].shell_unknown, "no shell");
}
static void clock_off_by_ssh(struct trouble *t)
{
	t->facts->hosts[1].control.transport = TRANSPORT_SSH;
	t->facts->hosts[1].shell.clock_offset_ms = -400500;
}
static void clock_off_by_kerberos(struct trouble *t)
{
	t->facts->hosts[1].control.transport = TRANSPORT_SASL;
	t->facts->hosts[1].shell.clock_offset_ms = 400500;
}
static void other_transport_from_here(struct trouble *t)
{
	t->facts->is_direct = true;
	t->facts->hosts[1].control.transport = TRANSPORT_SSH;
	t->facts->hosts[1].control.manner = "SSH";
}

static const struct {
	void (*make)(struct trouble *t);
	enum check_id check;
	enum finding_level level;
	const char *text; /* in what was found, what should be or what to do */
} sayings[] = {
	{hop_refused_with_advice, CHECK_HOP, FINDING_ERROR, "on h1: kinit -k"},
	{host_down_with_advice, CHECK_CONNECTION, FINDING_ERROR, "set user in auth.conf"},
	{port_closed_by_a_rule, CHECK_CONTROL_PORT, FINDING_ERROR, "a rule that closes it: tcp dport 16514 reject"},
	{other_network, CHECK_MIGRATION_NETWORK, FINDING_ERROR, "[host h"},
	{name_unknown, CHECK_NAME, FINDING_ERROR, "h2: Temporary failure in name resolution"},
	{reverse_name_leads_nowhere, CHECK_NAME_BACK, FINDING_WARNING, "10.9.0.2 is h2, which leads to nothing"},
	{cpu_lacks, CHECK_CPU, FINDING_WARNING, "EPYC-Rome: avx512f"},
	{certificate_ends, CHECK_CERTIFICATE, FINDING_WARNING, "ends on a near day"},
	{no_ticket, CHECK_TICKET, FINDING_ERROR, "FILE:/tmp/krb5cc_0"},
	{pool_full, CHECK_POOL_SPACE, FINDING_WARNING, "10.0 GiB for guest web1 of h1"},
	{pool_missing, CHECK_POOL_MISSING, FINDING_ERROR, "guest web1 on h1 has disks in it"},
	{libvirt_network_missing, CHECK_NETWORK_MISSING, FINDING_WARNING, "no bridge or network default"},
	{twins_without_a_shell, CHECK_SUBNET, FINDING_WARNING, "10.8.0.2/24 and 10.8.0.77/24"},
	{wide_twin, CHECK_SUBNET, FINDING_WARNING, "10.8.9.9/16 on eth0 and 10.8.0.2/24 on mig"},
	{no_ports, CHECK_PORT_RANGE, FINDING_WARNING, "0 ports"},
	{small_packets_only, CHECK_MTU, FINDING_ERROR, "packets of 1500 bytes do not arrive at 10.8.0.2"},
	{clock_off_by_ssh, CHECK_CLOCK, FINDING_WARNING, "behind by 400.5 s"},
	{clock_off_by_kerberos, CHECK_CLOCK, FINDING_ERROR, "ahead by 400.5 s"},
	{other_transport_from_here, CHECK_TRANSPORT, FINDING_ERROR, "h2 by SSH"},
};

static bool says(const struct finding *finding, const char *text)
{
	return strstr(finding->found, text) != NULL || strstr(finding->expected, text) != NULL || strstr(finding->hint, text) != NULL;
}

static void a_finding_names_what_was_found_and_what_helps_here(void **state)
{
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof sayings / sizeof *sayings; i++) {
		struct trouble *t = well();
		struct doctor_report *report;
		bool is_said = false;

		sayings[i].make(t);
		report = doctor_examine(t->facts);
		for (k = 0; k < report->n_findings; k++)
			is_said |= report->findings[k].check == sayings[i].check && report->findings[k].level == sayings[i].level &&
				says(&report->findings[k], sayings[i].text);
		if (!is_said)
			fail_with(t, report, sayings[i].text);
		doctor_report_free(report);
		end(t);
	}
}

/* The name of another host leads to a loopback address: whoever asks for it reaches himself. */
static void a_name_that_leads_to_the_source_itself_is_not_the_target(void **state)
{
	static const char *const loopback[] = {"127.0.0.1", "::1"};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct trouble *t = well();
		struct doctor_report *report;

		set(&t->facts->hosts[1].name.addresses[0], loopback[i]); /* drover runs on h2, so it is right here */
		set(&t->facts->hosts[1].name_again.addresses[0], loopback[i]);
		set(&t->facts->hosts[1].shell.interfaces[0].name, "lo");
		set(&t->facts->hosts[1].shell.addresses[0].interface, "lo");
		set(&t->facts->hosts[1].shell.addresses[0].address, "127.0.0.1/8");
		set(&t->facts->pairs[1].name.addresses[0], loopback[i]);
		report = doctor_examine(t->facts);
		if (count(report, CHECK_NAME_THERE, FINDING_ERROR) != 1)
			fail_with(t, report, loopback[i]);
		doctor_report_free(report);
		end(t);
	}
}

static void with_several_hosts_asked_only_what_is_between_them_is_looked_at(void **state)
{
	struct inventory *inventory = inventory_new();
	struct doctor_facts *facts;
	bool asked[] = {true, false, true};

	(void)state;
	world_host(inventory, "h1", GIB);
	world_host(inventory, "h2", GIB);
	world_host(inventory, "h3", GIB);
	world_seal(inventory);
	facts = doctor_facts_new(inventory);
	assert_true(doctor_wants_pair(facts, 0, 1) && !doctor_wants_pair(facts, 1, 1));
	facts->is_asked = asked;
	assert_true(doctor_wants_pair(facts, 0, 2) && doctor_wants_pair(facts, 2, 0));
	assert_false(doctor_wants_pair(facts, 0, 1));
	assert_false(doctor_wants_pair(facts, 1, 2));
	asked[2] = false; /* of one host every pair */
	assert_true(doctor_wants_pair(facts, 0, 1) && doctor_wants_pair(facts, 2, 0));
	assert_false(doctor_wants_pair(facts, 1, 2));
	facts->is_asked = NULL;
	doctor_facts_free(facts);
	inventory_free(inventory);
}

/* Two links in one migration network, or in one subnet, are told without a shell; of one subnet there and one elsewhere nothing is. */
static void of_links_in_different_subnets_nothing_is_told_without_a_shell(void **state)
{
	struct trouble *t = well();
	struct doctor_report *report;

	(void)state;
	t->facts->hosts[1].has_shell = false;
	set(&t->facts->hosts[1].shell_unknown, "no shell");
	host_add_link(&t->inventory->hosts[1], "10.7.0.2/24");
	host_add_link(&t->inventory->hosts[1], "fd00::2/64");
	report = doctor_examine(t->facts);
	assert_int_equal(count(report, CHECK_SUBNET, FINDING_WARNING), 0);
	assert_int_equal(count(report, CHECK_SUBNET, FINDING_NOT_CHECKED), 1);
	doctor_report_free(report);
	host_add_link(&t->inventory->hosts[1], "10.7.0.3/24");
	report = doctor_examine(t->facts);
	assert_int_equal(count(report, CHECK_SUBNET, FINDING_WARNING), 1);
	doctor_report_free(report);
	end(t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(with_several_hosts_asked_only_what_is_between_them_is_looked_at),
	cmocka_unit_test(of_links_in_different_subnets_nothing_is_told_without_a_shell),
	cmocka_unit_test(what_is_unusual_and_right_gives_no_finding),
	cmocka_unit_test(what_is_known_in_part_is_told_as_not_known),
	cmocka_unit_test(a_way_that_libvirt_chooses_is_not_judged),
	cmocka_unit_test(a_gateway_is_a_detour_only_within_a_migration_network),
	cmocka_unit_test(of_simulated_hosts_the_names_of_the_cpus_are_compared),
	cmocka_unit_test(a_finding_names_what_was_found_and_what_helps_here),
	cmocka_unit_test(a_name_that_leads_to_the_source_itself_is_not_the_target),
};
TEST_MAIN(tests)
