/* Which disks of a guest travel, and into which pool. */
#include <string.h>

#include "drover/plan.h"

static const char *mapped(const struct name_map *maps, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(maps[i].from, name) == 0)
			return maps[i].to;
	return NULL;
}

/* "target:vda" is the most exact, then the pool's name, then "" for every pool. */
static const char *pool_of_maps(const struct name_map *maps, size_t n, const struct disk *disk)
{
	const char *found;
	size_t i;

	for (i = 0; i < n; i++)
		if (strncmp(maps[i].from, "target:", 7) == 0 && strcmp(maps[i].from + 7, disk->target) == 0)
			return maps[i].to;
	found = disk->pool != NULL ? mapped(maps, n, disk->pool) : NULL;
	return found != NULL ? found : mapped(maps, n, "");
}

const char *planner_target_pool(const struct disk *disk, const struct wanted_move *wanted, const struct request *request)
{
	const char *pool = NULL;

	if (wanted != NULL)
		pool = pool_of_maps(wanted->pools, wanted->n_pools, disk);
	if (pool == NULL && wanted != NULL)
		pool = wanted->to_pool;
	if (pool == NULL && request != NULL)
		pool = pool_of_maps(request->pools, request->n_pools, disk);
	if (pool == NULL && request != NULL)
		pool = request->to_pool;
	return pool != NULL ? pool : disk->pool;
}

bool planner_disk_is_copied(const struct inventory *inventory, const struct disk *disk, uint32_t source, uint32_t target)
{
	const struct host *to = &inventory->hosts[target];
	const struct pool *pool;
	size_t i;

	if (disk->readonly)
		return false;
	pool = disk->pool != NULL ? host_pool(&inventory->hosts[source], disk->pool) : NULL;
	if (pool == NULL || pool->share_id == NULL)
		return true;
	for (i = 0; i < to->n_pools; i++)
		if (to->pools[i].share_id != NULL && strcmp(to->pools[i].share_id, pool->share_id) == 0)
			return false;
	return true;
}

uint64_t planner_disk_bytes(const struct inventory *inventory, uint32_t guest, uint32_t target, enum move_kind *ret_kind)
{
	const struct guest *g = &inventory->guests[guest];
	size_t i, copied = 0, kept = 0;
	uint64_t bytes = 0;

	for (i = 0; i < g->n_disks; i++) {
		const struct disk *disk = &g->disks[i];

		if (disk->readonly)
			continue;
		if (!planner_disk_is_copied(inventory, disk, g->host, target)) {
			kept++;
			continue;
		}
		copied++;
		bytes += disk->allocation_bytes != 0 ? disk->allocation_bytes : disk->capacity_bytes;
	}
	if (ret_kind != NULL)
		*ret_kind = copied == 0 ? MOVE_SHARED : kept == 0 ? MOVE_SHARED_NOTHING : MOVE_MIXED;
	return bytes;
}
