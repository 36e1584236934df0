/* What a check-up asks by a host's shell: whole and broken answers, and commands that fail, hang or say nothing. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "doctor_internal.h"

static const char host_text[] =
	"clock 1764100010500000000\n"
	"has addresses\n"
	"address 1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
	"address 3: mig    inet 10.83.2.1/24 scope global mig\\       valid_lft forever preferred_lft forever\n"
	"link 3: mig@if6: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc tbf state UP mode DEFAULT group default qlen 1000\\    link/ether 1e:d2\n"
	"link 4: br-lan: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN mode DEFAULT group default\\    link/ether 4e\n"
	"workers minWorkers     : 5\n"
	"workers maxWorkers     : 50\n"
	"workers prioWorkers    : 5\n"
	"has qemu.conf\n"
	"conf migration_port_min 50000\n"
	"conf migration_port_max 50099\n"
	"conf lock_manager lockd\n"
	"has validate\n"
	"failure QEMU: Checking for cgroup 'cpu' controller support : FAIL (why)\n"
	"kernel 6.1.0-28-amd64\n"
	"userfaultfd 0\n"
	"has /dev/userfaultfd\n"
	"has firewall\n"
	"rule \ttcp dport 49152-49215 drop\n"
	"end\n";

static void a_hosts_answer_is_read_whole(void **state)
{
	struct shell_facts facts;

	(void)state;
	shell_facts_init(&facts);
	assert_true(script_read_host(host_text, 1764100000000, 1764100001000, &facts));
	assert_true(facts.has_clock && facts.has_addresses && facts.has_validate && facts.has_firewall);
	assert_int_equal(facts.clock_offset_ms, 10000);
	assert_int_equal(facts.clock_error_ms, 500);
	assert_int_equal(facts.n_addresses, 2);
	assert_string_equal(facts.addresses[1].interface, "mig");
	assert_string_equal(facts.addresses[1].address, "10.83.2.1/24");
	assert_int_equal(facts.n_interfaces, 2);
	assert_string_equal(facts.interfaces[0].name, "mig");
	assert_int_equal(facts.interfaces[0].mtu, 9000);
	assert_true(facts.interfaces[0].has_carrier);
	assert_string_equal(facts.interfaces[1].name, "br-lan");
	assert_false(facts.interfaces[1].has_carrier);
	assert_int_equal(facts.max_workers, 50);
	assert_int_equal(facts.port_min, 50000);
	assert_int_equal(facts.port_max, 50099);
	assert_string_equal(facts.lock_manager, "lockd");
	assert_int_equal(facts.n_failures, 1);
	assert_string_equal(facts.kernel, "6.1.0-28-amd64");
	assert_int_equal(facts.userfaultfd_switch, 0);
	assert_true(facts.has_userfaultfd_device);
	assert_false(facts.is_qemu_privileged);
	assert_int_equal(facts.n_firewall_rules, 1);
	shell_facts_clear(&facts);
}

static void what_is_not_told_stays_unknown(void **state)
{
	struct shell_facts facts;

	(void)state;
	shell_facts_init(&facts);
	assert_true(script_read_host("clock 1764100010\nhas qemu.conf\nnoise\nlink nonsense\naddress\nconf\nend\n", 1764100000000, 1764100000000, &facts));
	assert_int_equal(facts.clock_offset_ms, 10000);
	assert_int_equal(facts.clock_error_ms, 1000); /* of a date that knows seconds only */
	assert_false(facts.has_addresses || facts.has_validate || facts.has_firewall);
	assert_int_equal(facts.n_addresses + facts.n_interfaces + facts.max_workers, 0);
	assert_int_equal(facts.port_min, 49152);
	assert_string_equal(facts.lock_manager, "");
	assert_null(facts.kernel);
	assert_int_equal(facts.userfaultfd_switch, -1);
	shell_facts_clear(&facts);
}

/* As its configuration says, or as one that runs there shows. */
static void a_qemu_that_may_use_userfaultfd_without_being_let_is_known(void **state)
{
	static const struct {
		const char *text;
		bool is_privileged;
	} cases[] = {
		{"conf user root\nend\n", true}, {"conf user +0\nend\n", true}, {"conf user libvirt-qemu\nend\n", false},
		{"qemu 000001fffeffffff\nend\n", true}, {"qemu 0000000000080000\nend\n", true}, {"qemu 0000000000000000\nend\n", false},
		{"conf user libvirt-qemu\nqemu 000001fffff7ffff\nend\n", false}, {"conf user root\nqemu 0000000000000000\nend\n", true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct shell_facts facts;

		shell_facts_init(&facts);
		assert_true(script_read_host(cases[i].text, 0, 0, &facts));
		if (facts.is_qemu_privileged != cases[i].is_privileged)
			fail_msg("%s", cases[i].text);
		shell_facts_clear(&facts);
	}
}

static void an_answer_that_breaks_off_is_not_whole(void **state)
{
	struct shell_facts facts;
	char *text = xstrdup(host_text);

	(void)state;
	text[strlen(text) - strlen("end\n")] = '\0';
	shell_facts_init(&facts);
	assert_false(script_read_host(text, 0, 0, &facts));
	shell_facts_clear(&facts);
	free(text);
}

static struct inventory *two_hosts(void)
{
	struct inventory *inventory = inventory_new();
	struct error err;

	host_add_link(inventory_add_host(inventory, "h1"), "10.8.0.1/24");
	host_add_link(inventory_add_host(inventory, "h2"), "10.8.0.2/24");
	inventory->hosts[0].memory_bytes = inventory->hosts[1].memory_bytes = 1;
	assert_done(inventory_seal(inventory, &err), err);
	return inventory;
}

static void certificates_and_tickets_are_read(void **state)
{
	static const char text[] =
		"has klist\ncache FILE:/tmp/krb5cc_0\nhas openssl\n"
		"certificate /a/one.pem Dec 25 20:05:57 2026 GMT\nsoon /a/one.pem\n"
		"certificate /a/two.pem Dec 25 20:05:57 2026 GMT\ntrouble /a/two.pem certificate has expired\nlacking /a/two.pem h2\nend\n";
	struct credential_facts facts = {0};

	(void)state;
	assert_true(script_read_here(text, &facts));
	assert_true(facts.has_klist && facts.has_openssl);
	assert_false(facts.has_ticket);
	assert_string_equal(facts.ticket_cache, "FILE:/tmp/krb5cc_0");
	assert_int_equal(facts.n_certificates, 2);
	assert_true(facts.certificates[0].ends_soon);
	assert_string_equal(facts.certificates[0].until, "Dec 25 20:05:57 2026 GMT");
	assert_null(facts.certificates[0].trouble);
	assert_string_equal(facts.certificates[1].file, "/a/two.pem");
	assert_string_equal(facts.certificates[1].trouble, "certificate has expired");
	assert_string_equal(facts.certificates[1].lacking_names[0], "h2");
	credential_facts_clear(&facts);
}

static void the_ways_from_a_host_are_read_by_their_target(void **state)
{
	static const char text[] =
		"asked 1 h2\nname 1 10.9.0.2\nname 1 fd00::2\n"
		"route 1 10.8.0.2 via 10.8.0.254 dev mig src 10.8.0.1 uid 0 \\    cache\n"
		"port 1 49152 refused\nport 1 49183 silent\nport 1 49215 no-route\n"
		"ping 1 1500 yes no\n"
		"port 7 49152 open\nroute x\nend\n";
	struct inventory *inventory = two_hosts();
	struct doctor_facts *facts = doctor_facts_new(inventory);
	const struct pair_facts *pair = &facts->pairs[1];

	(void)state;
	assert_true(script_read_pairs(text, facts, 0));
	assert_string_equal(pair->name.name, "h2");
	assert_int_equal(pair->name.n_addresses, 2);
	assert_true(pair->has_route);
	assert_string_equal(pair->route_interface, "mig");
	assert_string_equal(pair->route_source, "10.8.0.1");
	assert_string_equal(pair->route_gateway, "10.8.0.254");
	assert_int_equal(pair->n_ports, 3);
	assert_int_equal(pair->ports[0].state, PORT_REFUSED);
	assert_int_equal(pair->ports[1].state, PORT_SILENT);
	assert_int_equal(pair->ports[2].state, PORT_NO_ROUTE);
	assert_int_equal(pair->ping_bytes, 1500);
	assert_true(pair->small_arrives);
	assert_false(pair->full_arrives);
	doctor_facts_free(facts);
	inventory_free(inventory);
}

static void nothing_that_a_shell_would_act_on_gets_into_a_script(void **state)
{
	struct inventory *inventory = two_hosts();
	struct doctor_facts *facts = doctor_facts_new(inventory);
	char *script;

	(void)state;
	facts->hosts[1].peer.host = xstrdup("h2;reboot");
	script = script_for_pairs(facts, 0);
	assert_null(strstr(script, "reboot"));
	assert_non_null(strstr(script, "ask 1 - 10.8.0.2 49152 49183 49215 &"));
	free(script);
	free(facts->hosts[1].peer.host);
	facts->hosts[1].peer.host = xstrdup("h2.example.com");
	script = script_for_pairs(facts, 0);
	assert_non_null(strstr(script, "ask 1 h2.example.com 10.8.0.2 "));
	free(script);
	doctor_facts_free(facts);
	inventory_free(inventory);
}

static void uris_say_transport_host_and_port(void **state)
{
	static const struct {
		const char *uri;
		bool insecure;
		enum uri_transport transport;
		const char *host;
		uint16_t port;
	} cases[] = {
		{"qemu:///system", false, TRANSPORT_LOCAL, NULL, 0},
		{"qemu+tcp://10.8.0.1/system", true, TRANSPORT_PLAIN, "10.8.0.1", 16509},
		{"qemu+tcp://10.8.0.1/system", false, TRANSPORT_SASL, "10.8.0.1", 16509},
		{"qemu+tls://h1.example.com:17000/system?pkipath=/tmp", false, TRANSPORT_TLS, "h1.example.com", 17000},
		{"qemu://h1/system", false, TRANSPORT_TLS, "h1", 16514},
		{"qemu+ssh://root@h1/system", false, TRANSPORT_SSH, "h1", 22},
		{"qemu+libssh2://root@h1:2222/system", false, TRANSPORT_SSH, "h1", 2222},
		{"qemu+tls://[fd00::1]/system", false, TRANSPORT_TLS, "fd00::1", 16514},
		{"qemu+ext://h1/system", false, TRANSPORT_OTHER, "h1", 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct uri_parts parts;

		gather_uri(cases[i].uri, cases[i].insecure, &parts);
		if (parts.transport != cases[i].transport || (cases[i].host == NULL) != (parts.host == NULL) ||
			(parts.host != NULL && strcmp(parts.host, cases[i].host) != 0) || parts.port != cases[i].port)
			fail_msg("%s: %d %s %u", cases[i].uri, (int)parts.transport, parts.host != NULL ? parts.host : "-", parts.port);
		uri_parts_clear(&parts);
	}
}

/* ---- running ---- */

static void a_shell_gets_the_script_and_what_it_prints_comes_back(void **state)
{
	struct shell_output output;
	char *why = NULL;

	(void)state;
	assert_true(shell_run("env WORD=two", "echo one $WORD\necho \"it's three\"\n", &output, &why));
	assert_string_equal(output.text, "one two\nit's three\n");
	assert_true(output.first_wall_ms >= output.started_wall_ms);
	free(output.text);
}

static void a_shell_that_fails_says_why(void **state)
{
	struct shell_output output;
	char *why = NULL;

	(void)state;
	assert_false(shell_run("/nonexistent/ssh root@h1", "echo x\n", &output, &why));
	assert_non_null(strstr(why, "/nonexistent/ssh root@h1 sh -s: No such file"));
	free(why);
	assert_false(shell_run("", "echo 'Permission denied (publickey).' >&2\nexit 255\n", &output, &why));
	assert_non_null(strstr(why, "Permission denied (publickey)."));
	free(why);
	assert_false(shell_run("", "exit 3\n", &output, &why));
	assert_non_null(strstr(why, "exit code 3"));
	free(why);
}

static void the_real_script_gives_a_whole_answer_here(void **state)
{
	struct host_facts host = {.control = {.transport = TRANSPORT_TLS, .host = (char[]){"h1"}}};
	char *script = script_for_host(&host), *why = NULL;
	struct shell_output output;
	struct shell_facts facts;

	(void)state;
	if (!shell_run("", script, &output, &why))
		fail_msg("%s", why);
	shell_facts_init(&facts);
	assert_true(script_read_host(output.text, output.started_wall_ms, output.first_wall_ms, &facts));
	assert_true(facts.has_clock);
	assert_true(facts.kernel != NULL && facts.kernel[0] != '\0');
	assert_true(llabs(facts.clock_offset_ms) <= facts.clock_error_ms + 1);
	shell_facts_clear(&facts);
	free(output.text);
	free(script);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hosts_answer_is_read_whole),
		cmocka_unit_test(what_is_not_told_stays_unknown),
		cmocka_unit_test(a_qemu_that_may_use_userfaultfd_without_being_let_is_known),
		cmocka_unit_test(an_answer_that_breaks_off_is_not_whole),
		cmocka_unit_test(certificates_and_tickets_are_read),
		cmocka_unit_test(the_ways_from_a_host_are_read_by_their_target),
		cmocka_unit_test(nothing_that_a_shell_would_act_on_gets_into_a_script),
		cmocka_unit_test(uris_say_transport_host_and_port),
		cmocka_unit_test(a_shell_gets_the_script_and_what_it_prints_comes_back),
		cmocka_unit_test(a_shell_that_fails_says_why),
		cmocka_unit_test(the_real_script_gives_a_whole_answer_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
