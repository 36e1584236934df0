/* What ties a guest to its host, rule by rule, on the XML that libvirt gives. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libvirt_movable.h"

#define GUEST(inside) "<domain type='kvm'><name>g</name><uuid>u</uuid>" inside "</domain>"
#define DEVICE(inside) GUEST("<devices>" inside "</devices>")

static const struct {
	const char *xml;
	enum error_code code;
	const char *says;
} refused[] = {
	{ DEVICE("<disk type='file' device='disk'><target dev='vda'/><mirror job='copy'/></disk>"), ERR_GUEST_BLOCK_JOB, "disk vda: a copy" },
	{ DEVICE("<disk type='block' device='lun'><target dev='sda'/></disk>"), ERR_GUEST_PASSTHROUGH, "disk sda (a LUN" },
	{ DEVICE("<disk type='block' device='disk' rawio='yes'><target dev='sda'/></disk>"), ERR_GUEST_PASSTHROUGH, "rawio='yes'" },
	{ DEVICE("<disk type='block' device='disk' sgio='unfiltered'><target dev='sda'/></disk>"), ERR_GUEST_PASSTHROUGH, "sgio" },
	{ DEVICE("<disk type='nvme' device='disk'><target dev='vda'/></disk>"), ERR_GUEST_PASSTHROUGH, "NVMe" },
	{ DEVICE("<disk type='dir' device='disk'><target dev='vda'/></disk>"), ERR_GUEST_DISK, "folder of the host" },
	{ DEVICE("<disk type='vhostuser' device='disk'><target dev='vda'/></disk>"), ERR_GUEST_DISK, "vhost-user" },
	{ DEVICE("<disk type='file' device='disk'><target dev='vda'/><transient/></disk>"), ERR_GUEST_DISK, "disk vda (transient)" },
	{ DEVICE("<hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source></hostdev>"),
	  ERR_GUEST_HOSTDEV, "PCI device 0x0000:0x03:0x00.0x0" },
	{ DEVICE("<hostdev mode='subsystem' type='usb'><source><vendor id='0x0951'/><product id='0x1666'/><address bus='1' device='4'/></source></hostdev>"),
	  ERR_GUEST_HOSTDEV, "USB device 0x0951:0x1666 bus 1 device 4" },
	{ DEVICE("<hostdev mode='subsystem' type='mdev'><source><address uuid='c2177883'/></source></hostdev>"), ERR_GUEST_HOSTDEV, "mediated device c2177883" },
	{ DEVICE("<hostdev mode='subsystem' type='scsi'/>"), ERR_GUEST_HOSTDEV, "host device of type scsi" },
	{ DEVICE("<interface type='hostdev'><mac address='52:54:00:00:00:01'/></interface>"), ERR_GUEST_HOSTDEV, "pass-through interface 52:54" },
	{ DEVICE("<interface type='vdpa'><mac address='m'/><source dev='/dev/vhost-vdpa-0'/></interface>"), ERR_GUEST_HOSTDEV, "vDPA interface m /dev/vhost-vdpa-0" },
	{ DEVICE("<serial type='dev'><source path='/dev/ttyS0'/></serial>"), ERR_GUEST_HOSTDEV, "serial port /dev/ttyS0" },
	{ DEVICE("<input type='evdev'><source dev='/dev/input/event1'/></input>"), ERR_GUEST_HOSTDEV, "input device /dev/input/event1" },
	{ DEVICE("<smartcard mode='host'/>"), ERR_GUEST_HOSTDEV, "smart card" },
	{ DEVICE("<tpm model='tpm-crb'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"), ERR_GUEST_HOSTDEV, "TPM /dev/tpm0" },
	{ DEVICE("<tpm><backend type='external'/></tpm>"), ERR_GUEST_DEVICE, "TPM that runs outside" },
	{ DEVICE("<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv'/></filesystem>"), ERR_GUEST_DEVICE, "virtiofs /srv" },
	{ DEVICE("<filesystem type='mount' accessmode='mapped'><source dir='/srv'/></filesystem>"), ERR_GUEST_DEVICE, "shared folder (9p) /srv" },
	{ DEVICE("<shmem name='s'><model type='ivshmem-plain'/></shmem>"), ERR_GUEST_DEVICE, "ivshmem s" },
	{ DEVICE("<shmem name='s' role='peer'><model type='ivshmem-plain'/></shmem>"), ERR_GUEST_DEVICE, "ivshmem s" },
	{ DEVICE("<memory model='virtio-pmem'/>"), ERR_GUEST_DEVICE, "memory device virtio-pmem" },
	{ DEVICE("<video><model type='virtio'><acceleration accel3d='yes'/></model></video>"), ERR_GUEST_DEVICE, "3D acceleration" },
	{ DEVICE("<graphics type='spice'><gl enable='yes'/></graphics>"), ERR_GUEST_DEVICE, "graphics spice with GL" },
	{ GUEST("<launchSecurity type='sev'/>"), ERR_GUEST_DEVICE, "encrypted memory (sev)" },
	{ GUEST("<cpu><feature policy='require' name='invtsc'/></cpu>"), ERR_GUEST_DEVICE, "invtsc" },
};

static void each_tie_to_the_host_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct error err = { 0 };
		if (lv_movable(refused[i].xml, "g", "h1", &err) || err.code != refused[i].code || !strstr(err.message, refused[i].says) ||
		    !strstr(err.message, "guest g on h1") || err.hint[0] == '\0')
			fail_msg("%s\n%s: %s (%s)", refused[i].xml, error_code_name(err.code), err.message, err.hint);
	}
}

static void what_moves_along_is_not_refused(void **state)
{
	static const char *const allowed[] = {
		GUEST(""),
		DEVICE("<disk type='file' device='disk' sgio='filtered'><target dev='vda'/></disk>"),
		DEVICE("<disk type='block' device='disk'><target dev='vda'/></disk>"),
		DEVICE("<interface type='bridge'><source bridge='b'/></interface>"),
		DEVICE("<serial type='pty'/><serial type='dev'><source path='/dev/null'/></serial>"),
		DEVICE("<shmem name='s' role='master'><model type='ivshmem-plain'/></shmem>"),
		DEVICE("<tpm><backend type='emulator' version='2.0'/></tpm>"),
		DEVICE("<memory model='dimm'/><input type='tablet' bus='usb'/><redirdev bus='usb' type='spicevmc'/>"),
		GUEST("<clock><timer name='tsc' frequency='2000000000'/></clock><cpu><feature policy='require' name='invtsc'/></cpu>"),
		GUEST("<cpu><feature policy='disable' name='invtsc'/></cpu>"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
		struct error err = { 0 };
		if (!lv_movable(allowed[i], "g", "h1", &err))
			fail_msg("%s\n%s", allowed[i], err.message);
	}
}

static void xml_that_cannot_be_read_refuses_nothing(void **state)
{
	(void)state;
	assert_true(lv_movable("<domain", "g", "h1", NULL));
	assert_true(lv_movable(NULL, "g", "h1", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_tie_to_the_host_is_refused_by_name),
		cmocka_unit_test(what_moves_along_is_not_refused),
		cmocka_unit_test(xml_that_cannot_be_read_refuses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
