/* What ties a guest to its host: one table of rules over its XML, asked by the probe (so that the plan says it) and again by
 * the pre-flight of each move (so that what was plugged in since is seen). libvirt and QEMU refuse most of these by
 * themselves, but only once the move has begun, some with a text that names neither the device nor the way out; a few
 * (a serial port of the host, a shared folder) they would carry over and break. */
#include "libvirt_movable.h"

#include <stdlib.h>

#include "libvirt_xml.h"

struct tie {
	enum error_code code;
	struct lv_xml_query query; /* what must not be there, and its name for people */
	const char *hint;
};

#define DISK "/domain/devices/disk"
#define DISK_NAME(words) "concat('disk ', ./target/@dev, \"" words "\")"
#define ADDRESS(node) "concat(" node "/@domain, ':', " node "/@bus, ':', " node "/@slot, '.', " node "/@function)"

static const struct tie ties[] = {
	{ERR_GUEST_BLOCK_JOB, {DISK "[mirror]", DISK_NAME(": a copy of it runs (mirror)")}, "virsh domblklist and blockjob show it; let it end or abort it"},
	{ERR_GUEST_PASSTHROUGH, {DISK "[@device='lun']", DISK_NAME(" (a LUN passed through)")}, "attach it as device='disk' from a pool"},
	{ERR_GUEST_PASSTHROUGH, {DISK "[@rawio='yes']", DISK_NAME(" (rawio='yes')")}, "take rawio out of the disk and start the guest anew"},
	{ERR_GUEST_PASSTHROUGH, {DISK "[@sgio='unfiltered']", DISK_NAME(" (sgio='unfiltered')")}, "take sgio out of the disk and start the guest anew"},
	{ERR_GUEST_PASSTHROUGH, {DISK "[@type='nvme']", DISK_NAME(" (an NVMe device passed through)")}, "move the disk into a pool first"},
	{ERR_GUEST_DISK, {DISK "[@type='dir']", DISK_NAME(" (a folder of the host as a disk)")}, "make an image of the folder"},
	{ERR_GUEST_DISK, {DISK "[@type='vhostuser' or @type='vhostvdpa']", DISK_NAME(" (vhost-user or vDPA)")}, "move the disk into a pool first"},
	{ERR_GUEST_DISK, {DISK "[transient]", DISK_NAME(" (transient)")}, "what it wrote is thrown away at its stop and cannot be carried; take <transient/> out"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/hostdev[@type='pci']", "concat('PCI device ', " ADDRESS("./source/address") ")"},
		"virsh detach-device it first; attach one of the target afterwards"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/hostdev[@type='usb']",
		"concat('USB device ', ./source/vendor/@id, ':', ./source/product/@id, ' bus ', ./source/address/@bus, ' device ', ./source/address/@device)"},
		"virsh detach-device it first, or use USB redirection"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/hostdev[@type='mdev']", "concat('mediated device ', ./source/address/@uuid)"}, NULL},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/hostdev", "concat('host device of type ', @type, @mode)"}, NULL},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/interface[@type='hostdev']", "concat('pass-through interface ', ./mac/@address)"},
		"virsh detach-interface it first; a second interface on a bridge keeps the guest reachable meanwhile"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/interface[@type='vdpa']", "concat('vDPA interface ', ./mac/@address, ' ', ./source/@dev)"},
		"virsh detach-interface it first"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/*[self::serial or self::parallel or self::console][@type='dev'][./source/@path != '/dev/null']",
		"concat(name(), ' port ', ./source/@path)"}, "give the guest a port of another type (pty, file, tcp)"},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/input[@type='passthrough' or @type='evdev']", "concat('input device ', ./source/@evdev, ./source/@dev)"}, NULL},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/smartcard[@mode='host']", "'the smart card reader'"}, NULL},
	{ERR_GUEST_HOSTDEV, {"/domain/devices/tpm[backend/@type='passthrough']", "concat('TPM ', ./backend/device/@path)"}, "use <backend type='emulator'/>: its state moves along"},
	{ERR_GUEST_DEVICE, {"/domain/devices/tpm[backend/@type='external']", "'a TPM that runs outside of libvirt'"}, "use <backend type='emulator'/>: its state moves along"},
	{ERR_GUEST_DEVICE, {"/domain/devices/filesystem[driver/@type='virtiofs']", "concat('virtiofs ', ./source/@dir, ./source/@socket)"},
		"unmount it in the guest and virsh detach-device it"},
	{ERR_GUEST_DEVICE, {"/domain/devices/filesystem", "concat('shared folder (9p) ', ./source/@dir)"}, "unmount it in the guest and take it out of its definition"},
	{ERR_GUEST_DEVICE, {"/domain/devices/shmem[not(@role='master')]", "concat('ivshmem ', @name, ' whose role is not master')"},
		"virsh detach-device it, or give it role='master' if no other guest uses it"},
	{ERR_GUEST_DEVICE, {"/domain/devices/memory[@model='virtio-pmem' or @model='sgx-epc']", "concat('memory device ', @model)"}, NULL},
	{ERR_GUEST_DEVICE, {"/domain/devices/video/model[acceleration/@accel3d='yes']", "'video with 3D acceleration'"}, "take accel3d out of its video and start the guest anew"},
	{ERR_GUEST_DEVICE, {"/domain/devices/graphics[gl/@enable='yes']", "concat('graphics ', @type, ' with GL')"}, "take <gl/> out of its graphics and start the guest anew"},
	{ERR_GUEST_DEVICE, {"/domain/launchSecurity", "concat('encrypted memory (', @type, ')')"}, "such a guest can only be shut down and moved cold"},
	{ERR_GUEST_DEVICE, {"/domain/cpu/feature[@name='invtsc' and @policy='require'][not(/domain/clock/timer[@name='tsc']/@frequency)]",
		"'invtsc without a fixed TSC frequency'"}, "give the guest <timer name='tsc' frequency='...'/> that all hosts have, or take invtsc out"},
};

enum { TIES = sizeof ties / sizeof *ties };

bool lv_movable(const char *xml, const char *guest, const char *host, struct error *err)
{
	struct lv_xml_query queries[TIES];
	size_t at = 0;

	for (size_t i = 0; i < TIES; i++)
		queries[i] = ties[i].query;
	char *found = lv_xml_first(xml, queries, TIES, &at);
	if (!found)
		return true;
	error_set(err, ties[at].code, "guest %s on %s has %s; a guest that moves may have none", guest, host, found);
	if (ties[at].hint && err)
		error_hint(err, "%s", ties[at].hint);
	free(found);
	return false;
}

bool lv_movable_cold(const char *xml, const char *guest, const char *host, struct error *err)
{
	static const struct lv_xml_query files[] = {
		{"/domain/os/nvram", "'its UEFI variables (nvram)'"},
		{"/domain/devices/tpm[backend/@type='emulator']", "'the state of its TPM'"},
	};
	size_t at;
	char *found = lv_xml_first(xml, files, sizeof files / sizeof *files, &at);

	if (!found)
		return true;
	error_set(err, ERR_GUEST_DEVICE, "guest %s keeps %s in a file of %s, which is not in a pool and cannot be copied", guest, found, host);
	free(found);
	return false;
}
