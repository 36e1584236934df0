/* See cluster.h. */
#include "cluster.h"

#include <stdio.h>

#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)
#define GIB (1024 * MIB)

static void add_host(struct inventory *inventory, unsigned i)
{
	char name[32];
	struct host *host;
	struct pool *pool;

	snprintf(name, sizeof name, "h%u", i);
	host = inventory_add_host(inventory, name);
	host->memory_bytes = 64 * GIB;
	host->cpus = 16;
	snprintf(name, sizeof name, "10.8.%u.%u/16", i / 250, i % 250 + 1);
	host_add_link(host, name)->rate_bytes_per_s = 125000000;
	pool = host_add_pool(host, "images");
	pool->kind = xstrdup("dir");
	pool->capacity_bytes = pool->available_bytes = 500 * GIB;
}

static void add_guest(struct inventory *inventory, unsigned i, bool with_disks)
{
	char name[32];
	struct guest *guest;
	struct disk *disk;

	snprintf(name, sizeof name, "g%u", i);
	guest = inventory_add_guest(inventory, name, 0);
	snprintf(guest->uuid, sizeof guest->uuid, "00000000-0000-4000-8000-%012u", i);
	guest->memory_bytes = GIB;
	guest->used_memory_bytes = 512 * MIB;
	guest->persistent = true;
	guest->autostart = i % 2 == 0;
	if (!with_disks)
		return;
	disk = guest_add_disk(guest, "vda");
	disk->pool = xstrdup("images");
	disk->volume = xprintf("%s.qcow2", name);
	disk->path = xprintf("/var/lib/libvirt/images/%s.qcow2", name);
	disk->format = DISK_QCOW2;
	disk->capacity_bytes = 2 * GIB;
	disk->allocation_bytes = 256 * MIB;
}

struct inventory *cluster_new(unsigned n_hosts, unsigned n_guests, bool with_disks)
{
	struct inventory *inventory = inventory_new();
	unsigned i;

	for (i = 1; i <= n_hosts; i++)
		add_host(inventory, i);
	for (i = 1; i <= n_guests; i++)
		add_guest(inventory, i, with_disks);
	return inventory;
}
