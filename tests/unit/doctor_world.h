/* What the tests of the check-up start from: two hosts between which all is well, and the facts about them. Each test
 * spoils something. */
#ifndef DROVER_TEST_DOCTOR_WORLD_H
#define DROVER_TEST_DOCTOR_WORLD_H

#include <stdlib.h>

#include "planner_world.h"

#include "doctor_impl.h"

struct trouble {
	struct inventory *inventory;
	struct doctor_facts *facts;
};

static inline void add_certificate(struct credential_facts *facts, const char *file)
{
	facts->has_openssl = true;
	facts->certificates = xcalloc(1, sizeof *facts->certificates);
	facts->certificates[facts->n_certificates++] = (struct certificate_fact){.file = xstrdup(file), .until = xstrdup("Dec 25 20:05:57 2027 GMT")};
}

/* Two hosts by TLS with a shell each; on h1 a guest with a disk and a bridge, and one with a CD-ROM and a disk in no pool too. */
static inline void fill_host(struct trouble *t, uint32_t i)
{
	static const char *const control[] = {"10.9.0.1", "10.9.0.2"};
	static const char *const addresses[][2] = {{"10.9.0.1/24", "10.8.0.1/24"}, {"10.9.0.2/24", "10.8.0.2/24"}};
	static const char *const interfaces[] = {"eth0", "mig"};
	struct host_facts *facts = &t->facts->hosts[i];
	struct shell_facts *shell = &facts->shell;
	size_t k;

	facts->uri = xprintf("qemu+tls://h%u/system", i + 1);
	facts->peer_uri = xstrdup(facts->uri);
	facts->control = (struct uri_parts){.transport = TRANSPORT_TLS, .manner = "TLS", .host = xprintf("h%u", i + 1), .port = 16514};
	facts->peer = (struct uri_parts){.transport = TRANSPORT_TLS, .manner = "TLS", .host = xprintf("h%u", i + 1), .port = 16514};
	facts->name.name = xprintf("h%u", i + 1);
	strings_add(&facts->name.addresses, &facts->name.n_addresses, control[i]);
	facts->name_back = xstrdup(facts->name.name);
	strings_add(&facts->name_again.addresses, &facts->name_again.n_addresses, control[i]);
	facts->control_port = PORT_OPEN;
	facts->libvirt = xcalloc(1, sizeof *facts->libvirt);
	facts->libvirt->libvirt_version = 9000000;
	facts->libvirt->qemu_version = 7002000;
	snprintf(facts->libvirt->uuid, sizeof facts->libvirt->uuid, "uuid-%u", i);
	facts->libvirt->hostname = xprintf("h%u", i + 1);
	facts->libvirt->has_kvm = true;
	strings_add(&facts->libvirt->bridges, &facts->libvirt->n_bridges, "br-lan");
	facts->has_shell = shell->has_clock = shell->has_addresses = shell->has_validate = shell->has_firewall = true;
	shell->max_workers = 20;
	shell->kernel = xstrdup("6.1.0-28-amd64");
	shell->userfaultfd_switch = 1;
	shell->lock_manager = xstrdup("");
	strings_add(&shell->firewall_rules, &shell->n_firewall_rules, "tcp dport 22 accept");
	add_certificate(&shell->credentials, "/etc/pki/libvirt/servercert.pem");
	shell->interfaces = xcalloc(2, sizeof *shell->interfaces);
	shell->addresses = xcalloc(2, sizeof *shell->addresses);
	for (k = 0; k < 2; k++) {
		shell->interfaces[shell->n_interfaces++] = (struct interface_fact){.name = xstrdup(interfaces[k]), .mtu = 1500, .has_carrier = true};
		shell->addresses[shell->n_addresses++] = (struct address_fact){.interface = xstrdup(interfaces[k]), .address = xstrdup(addresses[i][k])};
	}
}

static inline void fill_pair(struct trouble *t, uint32_t source, uint32_t target)
{
	struct pair_facts *pair = &t->facts->pairs[source * 2 + target];
	char address[32];

	snprintf(address, sizeof address, "10.9.0.%u", target + 1);
	pair->libvirt = xcalloc(1, sizeof *pair->libvirt);
	pair->libvirt->is_hop_known = true;
	pair->libvirt->cpu = CPU_FITS;
	pair->name.name = xprintf("h%u", target + 1);
	strings_add(&pair->name.addresses, &pair->name.n_addresses, address);
	pair->has_route = true;
	pair->route_interface = xstrdup("mig");
	pair->route_source = xprintf("10.8.0.%u", source + 1);
	pair->ports = xcalloc(1, sizeof *pair->ports);
	pair->ports[pair->n_ports++] = (struct port_fact){.port = 49152, .state = PORT_REFUSED};
	pair->ping_bytes = 1500;
	pair->small_arrives = pair->full_arrives = true;
}

static inline struct trouble *well(void)
{
	struct trouble *t = xcalloc(1, sizeof *t);
	struct migration_network *network;
	uint32_t i;

	t->inventory = inventory_new();
	for (i = 0; i < 2; i++) {
		char name[] = {'h', (char)('1' + i), '\0'};
		struct host *host = world_host(t->inventory, name, 16 * GIB);

		strings_add(&host->networks, &host->n_networks, "br-lan");
		world_pool(host, "images", 100 * GIB);
		host->reachable = true;
	}
	world_disk(world_guest(t->inventory, "web1", 0, GIB), "vda", "images", 10 * GIB);
	strings_add(&t->inventory->guests[0].interfaces, &t->inventory->guests[0].n_interfaces, "br-lan");
	world_guest(t->inventory, "db1", 0, GIB);
	world_disk(&t->inventory->guests[1], "vda", "images", 5 * GIB);
	world_disk(&t->inventory->guests[1], "sda", "iso", GIB)->readonly = true;
	guest_add_disk(&t->inventory->guests[1], "vdb")->path = xstrdup("/srv/db1.raw");
	network = inventory_add_network(t->inventory, "migration");
	network->cidr = xstrdup("10.8.0.0/24");
	world_seal(t->inventory);
	t->facts = doctor_facts_new(t->inventory);
	t->facts->workers_per_host = 14;
	t->facts->allows_post_copy = true;
	t->facts->here = (struct here_facts){.state = xstrdup("/var/lib/drover/drover.db"), .state_kind = xstrdup("ext"), .can_write = true,
		.state_free_bytes = GIB, .is_clock_known = true, .is_clock_kept = true};
	add_certificate(&t->facts->here.credentials, "/etc/pki/libvirt/clientcert.pem");
	t->facts->here.credentials.has_klist = t->facts->here.credentials.has_ticket = true;
	for (i = 0; i < 2; i++)
		fill_host(t, i);
	fill_pair(t, 0, 1);
	fill_pair(t, 1, 0);
	return t;
}

static inline void end(struct trouble *t)
{
	doctor_facts_free(t->facts);
	inventory_free(t->inventory);
	free(t);
}

static inline void set(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

static inline void fail_with(const struct trouble *t, const struct doctor_report *report, const char *what)
{
	size_t i;

	for (i = 0; i < report->n_findings; i++) {
		const struct finding *finding = &report->findings[i];
		char *object = finding_object(t->inventory, finding);

		if (finding->level != FINDING_OK)
			print_error("%s %s %s: %s, should be %s\n", finding_level_name(finding->level), check_info(finding->check)->name, object,
				finding->found, finding->expected != NULL ? finding->expected : "-");
		free(object);
	}
	fail_msg("%s", what);
}

static inline size_t count(const struct doctor_report *report, enum check_id check, enum finding_level level)
{
	size_t n = 0, i;

	for (i = 0; i < report->n_findings; i++)
		n += report->findings[i].check == check && report->findings[i].level == level;
	return n;
}

#endif
