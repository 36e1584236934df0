/* The XML that goes to and comes from libvirt, without a libvirt. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libvirt_xml.h"
#include "xalloc.h"

static const char guest_xml[] =
	"<domain type='kvm' id='3'><name>web &lt;1&gt;</name><uuid>8c1f36a2-92dc-4d2c-9d9c-0a3f1ce6a0b1</uuid>"
	"<metadata><drover:job xmlns:drover='urn:drover:job:1' run='r' move='7' epoch='2' target='h2'/>"
	"<other:thing xmlns:other='urn:other'/></metadata>"
	"<memory unit='GiB'>2</memory><vcpu placement='static'>4</vcpu>"
	"<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
	"<cpu mode='custom' match='exact' check='full'><model fallback='forbid'>EPYC-Rome</model></cpu>"
	"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
	"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/pool/a.qcow2' index='2'/>"
	"<backingStore type='file'><format type='qcow2'/><source file='/pool/base.qcow2'/></backingStore><target dev='vda' bus='virtio'/></disk>"
	"<disk type='block' device='disk'><driver name='qemu' type='raw'/><source dev='/dev/vg/b'/><target dev='vdb' bus='virtio'/></disk>"
	"<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='images' volume='c.raw'/><target dev='vdc'/><shareable/></disk>"
	"<disk type='file' device='cdrom'><target dev='hda' bus='ide'/><readonly/></disk>"
	"<interface type='bridge'><source bridge='br-lan'/></interface>"
	"<interface type='network'><source network='nat' portid='x' bridge='virbr0'/></interface>"
	"<interface type='user'/>"
	"<hostdev mode='subsystem' type='usb'/></devices></domain>";

static char *edit(const struct hv_disk *disks, size_t n, const struct name_map *nets, size_t n_nets, bool drop_tag)
{
	struct error err = { 0 };
	const struct lv_nets there = { .maps = nets, .n_maps = n_nets };
	char *xml = lv_xml_for_target(guest_xml, disks, n, &there, drop_tag, &err);

	assert_string_equal(err.message, "");
	assert_non_null(xml);
	return xml;
}

static void assert_text(const char *xml, const char *path, const char *expected)
{
	char *text = lv_xml_text(xml, path);

	if (expected)
		assert_string_equal(text ? text : "(absent)", expected);
	else
		assert_null(text);
	free(text);
}

static void a_guest_is_read_with_units_disks_and_networks(void **state)
{
	struct lv_xml_domain domain;
	struct error err = { 0 };

	(void)state;
	assert_true(lv_xml_domain_read(guest_xml, &domain, &err));
	assert_string_equal(domain.name, "web <1>");
	assert_int_equal(domain.memory_bytes, 2147483648);
	assert_int_equal(domain.vcpus, 4);
	assert_string_equal(domain.machine, "pc-i440fx-7.2");
	assert_string_equal(domain.cpu_model, "EPYC-Rome");
	assert_true(domain.is_cpu_checked);
	assert_non_null(strstr(domain.cpu, "<model fallback=\"forbid\">EPYC-Rome</model>"));
	assert_int_equal(domain.n_hostdevs, 1);
	assert_int_equal(domain.n_interfaces, 2);
	assert_string_equal(domain.interfaces[0].name, "br-lan");
	assert_string_equal(domain.interfaces[1].name, "nat");
	lv_xml_domain_clear(&domain);
}

static void each_kind_of_disk_is_read(void **state)
{
	struct lv_xml_domain domain;

	(void)state;
	assert_true(lv_xml_domain_read(guest_xml, &domain, NULL));
	assert_int_equal(domain.n_disks, 4);
	assert_string_equal(domain.disks[0].path, "/pool/a.qcow2");
	assert_string_equal(domain.disks[0].format, "qcow2");
	assert_true(domain.disks[0].n_backing == 1);
	assert_string_equal(domain.disks[1].path, "/dev/vg/b");
	assert_null(domain.disks[2].path);
	assert_string_equal(domain.disks[2].pool, "images");
	assert_string_equal(domain.disks[2].volume, "c.raw");
	assert_true(domain.disks[2].is_shareable);
	assert_false(domain.disks[3].has_source);
	assert_true(domain.disks[3].is_readonly);
	lv_xml_domain_clear(&domain);
}

static void what_is_not_a_domain_is_refused(void **state)
{
	static const char *const texts[] = { "", "<domain>", "<pool/>", "text", "<domain><name>a</name></domain>" };
	struct lv_xml_domain domain;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct error err = { 0 };
		assert_false(lv_xml_domain_read(texts[i], &domain, &err));
		assert_int_equal(err.code, ERR_INTERNAL);
	}
	assert_false(lv_xml_domain_read(NULL, &domain, NULL));
}

static void external_entities_are_not_loaded(void **state)
{
	struct lv_xml_domain domain;

	(void)state;
	assert_true(lv_xml_domain_read("<!DOCTYPE domain [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
				       "<domain><name>&e;</name><uuid>u</uuid></domain>", &domain, NULL));
	assert_null(strstr(domain.name, "root"));
	lv_xml_domain_clear(&domain);
}

static void copied_disks_point_to_their_new_place(void **state)
{
	const struct hv_disk disks[] = {
		{ .target = (char *)"vda", .target_path = (char *)"/new/a&b.qcow2" },
		{ .target = (char *)"vdb", .target_path = (char *)"/new/b" },
		{ .target = (char *)"vdc", .target_pool = (char *)"other", .target_volume = (char *)"d.raw" },
	};

	(void)state;
	char *xml = edit(disks, 3, NULL, 0, false);
	assert_text(xml, "//disk[target/@dev='vda']/source/@file", "/new/a&b.qcow2");
	assert_text(xml, "//disk[target/@dev='vda']/source/@index", NULL);
	assert_text(xml, "//backingStore", NULL);
	assert_text(xml, "//disk[target/@dev='vdb']/@type", "file");
	assert_text(xml, "//disk[target/@dev='vdb']/source/@file", "/new/b");
	assert_text(xml, "//disk[target/@dev='vdb']/source/@dev", NULL);
	assert_text(xml, "//disk[target/@dev='vdc']/@type", "volume");
	assert_text(xml, "//disk[target/@dev='vdc']/source/@pool", "other");
	assert_text(xml, "//disk[target/@dev='vdc']/source/@volume", "d.raw");
	free(xml);
}

static void disks_that_are_not_copied_stay_as_they_are(void **state)
{
	(void)state;
	char *xml = edit(NULL, 0, NULL, 0, false);
	assert_text(xml, "//disk[target/@dev='vda']/source/@file", "/pool/a.qcow2");
	assert_text(xml, "//disk[target/@dev='vda']/backingStore/source/@file", "/pool/base.qcow2");
	free(xml);
}

static void a_disk_that_the_guest_does_not_have_is_refused(void **state)
{
	const struct hv_disk disk = { .target = (char *)"vdz", .target_path = (char *)"/z" };
	const struct hv_disk empty = { .target = (char *)"hda", .target_path = (char *)"/z" };
	const struct hv_disk nowhere = { .target = (char *)"vda" };
	const struct lv_nets none = { 0 };
	struct error err = { 0 };

	(void)state;
	assert_null(lv_xml_for_target(guest_xml, &disk, 1, &none, false, &err));
	assert_int_equal(err.code, ERR_GUEST_DISK);
	assert_non_null(strstr(err.message, "vdz"));
	assert_null(lv_xml_for_target(guest_xml, &empty, 1, &none, false, &err));
	assert_null(lv_xml_for_target(guest_xml, &nowhere, 1, &none, false, &err));
}

static void bridges_and_networks_are_renamed_once(void **state)
{
	/* A chain must not be followed: br-lan becomes nat, nat becomes br-lan. */
	const struct name_map nets[] = { { (char *)"br-lan", (char *)"nat" }, { (char *)"nat", (char *)"br-lan" } };

	(void)state;
	char *xml = edit(NULL, 0, nets, 2, false);
	assert_text(xml, "//interface[@type='bridge']/source/@bridge", "nat");
	assert_text(xml, "//interface[@type='network']/source/@network", "br-lan");
	assert_text(xml, "//interface[@type='network']/source/@portid", NULL);
	free(xml);
}

static const char ports_xml[] =
	"<domain><name>g</name><devices>"
	"<interface type='bridge'><source bridge='br-a'/><vlan><tag id='7'/></vlan><virtualport type='openvswitch'/></interface>"
	"<interface type='bridge'><source network='net-b' portgroup='green' portid='p' bridge='virbr1'/><virtualport type='802.1Qbh'>"
	"<parameters profileid='x'/></virtualport></interface>"
	"<interface type='direct'><source dev='eth1' mode='bridge'/></interface></devices></domain>";

static char *ports_there(char **networks, size_t n_networks, char **devices, size_t n_devices)
{
	const struct name_map maps[] = { { (char *)"br-a", (char *)"lan" }, { (char *)"eth1", (char *)"eth9" } };
	const struct lv_nets there = { maps, 2, networks, n_networks, devices, n_devices };
	struct error err = { 0 };
	char *xml = lv_xml_for_target(ports_xml, NULL, 0, &there, false, &err);

	assert_non_null(xml);
	return xml;
}

static void a_bridge_becomes_a_network_and_back_as_the_target_has_it(void **state)
{
	char *networks[] = { (char *)"lan", (char *)"eth9" }, *devices[] = { (char *)"net-b" };

	(void)state;
	char *xml = ports_there(networks, 2, devices, 1);
	assert_text(xml, "//interface[1]/@type", "network");
	assert_text(xml, "//interface[1]/source/@network", "lan");
	assert_text(xml, "//interface[1]/source/@bridge", NULL);
	assert_text(xml, "//interface[1]/vlan/tag/@id", "7");
	assert_text(xml, "//interface[1]/virtualport", NULL);
	assert_text(xml, "//interface[2]/@type", "bridge");
	assert_text(xml, "//interface[2]/source/@bridge", "net-b");
	assert_text(xml, "//interface[2]/source/@portgroup", NULL);
	assert_text(xml, "//interface[2]/virtualport/parameters/@profileid", "x");
	assert_text(xml, "//interface[3]/@type", "network");
	assert_text(xml, "//interface[3]/source/@network", "eth9");
	assert_text(xml, "//interface[3]/source/@mode", NULL);
	free(xml);
}

static void ports_groups_and_tags_travel_where_the_kind_stays(void **state)
{
	char *networks[] = { (char *)"net-b", (char *)"lan" }, *devices[] = { (char *)"lan", (char *)"eth9", (char *)"net-b" };

	(void)state;
	char *xml = ports_there(networks, 2, devices, 3);
	assert_text(xml, "//interface[1]/@type", "bridge");
	assert_text(xml, "//interface[1]/source/@bridge", "lan");
	assert_text(xml, "//interface[1]/virtualport/@type", "openvswitch");
	assert_text(xml, "//interface[2]/@type", "network"); /* shown as a bridge while it ran */
	assert_text(xml, "//interface[2]/source/@portgroup", "green");
	assert_text(xml, "//interface[2]/source/@portid", NULL);
	assert_text(xml, "//interface[2]/virtualport/parameters/@profileid", "x");
	assert_text(xml, "//interface[3]/source/@dev", "eth9");
	assert_text(xml, "//interface[3]/source/@mode", "bridge");
	free(xml);
}

static void only_our_own_metadata_is_dropped(void **state)
{
	(void)state;
	char *kept = edit(NULL, 0, NULL, 0, false), *dropped = edit(NULL, 0, NULL, 0, true);
	assert_text(kept, "//metadata/*[local-name()='job']/@move", "7");
	assert_text(dropped, "//metadata/*[local-name()='job']", NULL);
	assert_text(dropped, "//metadata/*[local-name()='thing']", "");
	free(kept);
	free(dropped);
}

static void a_tag_comes_back_as_it_was(void **state)
{
	struct job_tag tag = { .run = "1b4e28ba-2fa1-11d2-883f-0016d3cca427", .move = UINT64_MAX, .epoch = 3, .target = "h<2>\"&'" };
	struct job_tag read = { 0 };

	(void)state;
	char *xml = lv_xml_tag(&tag);
	assert_true(lv_xml_tag_read(xml, &read));
	assert_memory_equal(&tag, &read, sizeof tag);
	free(xml);
}

static void a_damaged_tag_is_no_tag(void **state)
{
	static const char *const texts[] = {
		"", "<job/>", "<job run='r' move='x' epoch='1' target='h'/>", "<job run='r' move='-1' epoch='1' target='h'/>",
		"<job run='r' move='99999999999999999999' epoch='1' target='h'/>", "<tag run='r' move='1' epoch='1' target='h'/>",
		"<job run='0123456789012345678901234567890123456789' move='1' epoch='1' target='h'/>",
	};
	struct job_tag read = { .move = 5 };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(lv_xml_tag_read(texts[i], &read));
	assert_int_equal(read.move, 5);
}

static void a_new_volume_is_sparse_and_exact(void **state)
{
	const struct hv_disk disk = { .target_volume = (char *)"a&b", .format = DISK_QCOW2, .capacity_bytes = 12345678901234 };

	(void)state;
	char *xml = lv_xml_volume(&disk);
	assert_text(xml, "/volume/name", "a&b");
	assert_text(xml, "/volume/capacity", "12345678901234");
	assert_text(xml, "/volume/capacity/@unit", "bytes");
	assert_text(xml, "/volume/allocation", "0");
	assert_text(xml, "/volume/target/format/@type", "qcow2");
	assert_text(xml, "/volume/backingStore", NULL);
	free(xml);
}

static void a_top_layer_is_made_on_its_backing_file(void **state)
{
	const struct hv_disk disk = { .target = (char *)"vda", .target_volume = (char *)"top", .format = DISK_QCOW2, .capacity_bytes = 1,
				      .backing_path = (char *)"/pool/base.qcow2", .backing_format = DISK_QCOW2,
				      .target_path = (char *)"/new/top" };

	(void)state;
	char *volume = lv_xml_volume(&disk), *guest = edit(&disk, 1, NULL, 0, false);
	assert_text(volume, "/volume/backingStore/path", "/pool/base.qcow2");
	assert_text(volume, "/volume/backingStore/format/@type", "qcow2");
	assert_text(guest, "//disk[target/@dev='vda']/source/@file", "/new/top");
	assert_text(guest, "//disk[target/@dev='vda']/backingStore/source/@file", "/pool/base.qcow2");
	free(volume);
	free(guest);
}

static void a_copy_on_a_device_is_a_block_disk(void **state)
{
	const struct hv_disk disk = { .target = (char *)"vda", .target_path = (char *)"/dev/vg/a", .is_device_there = true };

	(void)state;
	char *xml = edit(&disk, 1, NULL, 0, false);
	assert_text(xml, "//disk[target/@dev='vda']/@type", "block");
	assert_text(xml, "//disk[target/@dev='vda']/source/@dev", "/dev/vg/a");
	assert_text(xml, "//disk[target/@dev='vda']/source/@file", NULL);
	free(xml);
}

/* A folder on a file server is proven by its content, not by its definition. */
static void only_what_qemu_opens_over_the_network_is_known_by_its_definition(void **state)
{
	static const struct {
		const char *xml, *id;
	} pools[] = {
		{ "<pool type='dir'><target><path>/images</path></target></pool>", NULL },
		{ "<pool type='netfs'><source><host name='nas'/><dir path='/vms'/></source><target><path>/mnt</path></target></pool>", NULL },
		{ "<pool type='rbd'><source><host name='ceph1' port='6789'/><name>vms</name></source></pool>", "rbd:ceph1:6789:::vms" },
		{ "<pool type='rbd'><source><host name='localhost'/><name>vms</name></source></pool>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
		struct lv_xml_pool pool = { 0 };
		assert_true(lv_xml_pool_read(pools[i].xml, &pool, NULL));
		if (pools[i].id)
			assert_string_equal(pool.source_id, pools[i].id);
		else
			assert_null(pool.source_id);
		lv_xml_pool_clear(&pool);
	}
}

static void a_network_disk_is_known_by_its_servers_unless_they_are_each_hosts_own(void **state)
{
	static const struct {
		const char *source, *id;
	} disks[] = {
		{ "<source protocol='nbd' name='x'><host name='10.0.0.5' port='10809'/></source>", "nbd:x@10.0.0.5:10809" },
		{ "<source protocol='rbd' name='p/i'><host name='a' port='1'/><host name='b' port='2'/></source>", "rbd:p/i@a:1,b:2" },
		{ "<source protocol='rbd' name='p/i'/>", NULL },
		{ "<source protocol='nbd' name='x'><host name='localhost' port='1'/></source>", NULL },
		{ "<source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/></source>", NULL },
		{ "<source protocol='nbd' name='x'><host transport='unix' socket='/run/x'/></source>", NULL },
		{ "<source protocol='rbd' name='p/i'><host name='a'/><host name='::1'/></source>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof disks / sizeof *disks; i++) {
		struct lv_xml_domain domain;
		char *xml = xprintf("<domain><name>n</name><uuid>u</uuid><devices><disk type='network'>%s<target dev='vda'/></disk></devices></domain>",
				    disks[i].source);
		assert_true(lv_xml_domain_read(xml, &domain, NULL));
		assert_true(domain.disks[0].is_network && domain.disks[0].has_source);
		if (disks[i].id)
			assert_string_equal(domain.disks[0].share_id, disks[i].id);
		else
			assert_null(domain.disks[0].share_id);
		lv_xml_domain_clear(&domain);
		free(xml);
	}
}

static void the_model_that_a_host_offers_becomes_a_cpu(void **state)
{
	char *cpu = lv_xml_host_model("<domainCapabilities><cpu><mode name='host-passthrough' supported='yes'/><mode name='host-model' "
				      "supported='yes'><model fallback='forbid'>EPYC</model><feature policy='disable' name='svm'/></mode></cpu></domainCapabilities>");

	(void)state;
	assert_string_equal(cpu, "<cpu><model fallback=\"forbid\">EPYC</model><feature policy=\"disable\" name=\"svm\"/></cpu>");
	free(cpu);
	assert_null(lv_xml_host_model("<domainCapabilities><cpu><mode name='host-model' supported='no'/></cpu></domainCapabilities>"));
}

static void what_the_target_must_have_is_read(void **state)
{
	struct lv_xml_domain domain;

	(void)state;
	assert_true(lv_xml_domain_read("<domain type='kvm'><name>g</name><uuid>u</uuid><memory unit='GiB'>1</memory>"
				       "<memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>"
				       "<cpu mode='host-passthrough' check='none' migratable='on'/><devices>"
				       "<interface type='direct'><source dev='eth1' mode='bridge'/><filterref filter='clean-traffic'/></interface>"
				       "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices></domain>", &domain, NULL));
	assert_int_equal(domain.huge_page_bytes, 1 << 30);
	assert_string_equal(domain.cpu_mode, "host-passthrough");
	assert_string_equal(domain.tpm_backend, "emulator");
	assert_int_equal(domain.n_interfaces, 1);
	assert_string_equal(domain.interfaces[0].name, "eth1");
	assert_int_equal(domain.n_filters, 1);
	assert_string_equal(domain.filters[0], "clean-traffic");
	lv_xml_domain_clear(&domain);
	assert_true(lv_xml_domain_read("<domain><name>g</name><uuid>u</uuid><memoryBacking><hugepages/></memoryBacking></domain>", &domain, NULL));
	assert_int_equal(domain.huge_page_bytes, 2 << 20);
	lv_xml_domain_clear(&domain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guest_is_read_with_units_disks_and_networks),
		cmocka_unit_test(each_kind_of_disk_is_read),
		cmocka_unit_test(what_is_not_a_domain_is_refused),
		cmocka_unit_test(external_entities_are_not_loaded),
		cmocka_unit_test(copied_disks_point_to_their_new_place),
		cmocka_unit_test(disks_that_are_not_copied_stay_as_they_are),
		cmocka_unit_test(a_disk_that_the_guest_does_not_have_is_refused),
		cmocka_unit_test(bridges_and_networks_are_renamed_once),
		cmocka_unit_test(a_bridge_becomes_a_network_and_back_as_the_target_has_it),
		cmocka_unit_test(ports_groups_and_tags_travel_where_the_kind_stays),
		cmocka_unit_test(only_our_own_metadata_is_dropped),
		cmocka_unit_test(a_tag_comes_back_as_it_was),
		cmocka_unit_test(a_damaged_tag_is_no_tag),
		cmocka_unit_test(a_new_volume_is_sparse_and_exact),
		cmocka_unit_test(a_top_layer_is_made_on_its_backing_file),
		cmocka_unit_test(a_copy_on_a_device_is_a_block_disk),
		cmocka_unit_test(only_what_qemu_opens_over_the_network_is_known_by_its_definition),
		cmocka_unit_test(a_network_disk_is_known_by_its_servers_unless_they_are_each_hosts_own),
		cmocka_unit_test(the_model_that_a_host_offers_becomes_a_cpu),
		cmocka_unit_test(what_the_target_must_have_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
