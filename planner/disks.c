/* Which disks of a guest travel, and into which pool. */
#include <string.h>

#include "drover/plan.h"
#include "xalloc.h"

static bool speaks_of(const struct name_map *map, const char *kind, const char *target)
{
	size_t length = strlen(kind);

	return strncmp(map->from, kind, length) == 0 && strcmp(map->from + length, target) == 0;
}

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
		if (speaks_of(&maps[i], "target:", disk->target))
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

static bool is_of_rank(const struct name_map *map, int rank)
{
	if (map->from[0] == '\0')
		return rank == 2;
	return (strncmp(map->from, "target:", 7) == 0 || strncmp(map->from, "volume:", 7) == 0) ? rank == 0 : rank == 1;
}

static void add_ranked(struct name_map **maps, size_t *n, const struct name_map *from, size_t n_from, char *every)
{
	size_t i;
	int rank;

	for (rank = 0; rank < 3; rank++)
		for (i = 0; i < n_from; i++)
			if (is_of_rank(&from[i], rank)) {
				*maps = xgrow(*maps, *n, sizeof **maps);
				(*maps)[(*n)++] = from[i];
			}
	if (every != NULL) {
		*maps = xgrow(*maps, *n, sizeof **maps);
		(*maps)[(*n)++] = (struct name_map){.from = (char *)(uintptr_t)"", .to = every}; /* borrowed like the others, never written */
	}
}

struct name_map *planner_pool_maps(const struct wanted_move *wanted, const struct request *request, size_t *ret_n)
{
	struct name_map *maps = NULL;

	*ret_n = 0;
	if (wanted != NULL)
		add_ranked(&maps, ret_n, wanted->pools, wanted->n_pools, wanted->to_pool);
	if (request != NULL)
		add_ranked(&maps, ret_n, request->pools, request->n_pools, request->to_pool);
	return maps;
}

const char *planner_mapped_pool(const struct name_map *maps, size_t n, const char *target, const char *pool)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (speaks_of(&maps[i], "target:", target) || maps[i].from[0] == '\0' ||
			(pool != NULL && strcmp(maps[i].from, pool) == 0))
			return maps[i].to;
	return pool;
}

const char *planner_mapped_volume(const struct name_map *maps, size_t n, const char *target, const char *volume)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (speaks_of(&maps[i], "volume:", target))
			return maps[i].to;
	return volume;
}

bool planner_disk_is_copied(const struct inventory *inventory, const struct disk *disk, uint32_t source, uint32_t target)
{
	const struct host *to = &inventory->hosts[target];
	const struct pool *pool;
	size_t i;

	if (disk->readonly || disk->share_id != NULL)
		return false;
	pool = disk->pool != NULL ? host_pool(&inventory->hosts[source], disk->pool) : NULL;
	if (pool == NULL || pool->share_id == NULL)
		return true;
	for (i = 0; i < to->n_pools; i++)
		if (to->pools[i].share_id != NULL && strcmp(to->pools[i].share_id, pool->share_id) == 0)
			return false;
	return true;
}

uint64_t planner_disk_bytes(const struct inventory *inventory, uint32_t guest, uint32_t source, uint32_t target,
	enum move_kind *ret_kind)
{
	const struct guest *g = &inventory->guests[guest];
	size_t i, copied = 0, kept = 0;
	uint64_t bytes = 0;

	for (i = 0; i < g->n_disks; i++) {
		const struct disk *disk = &g->disks[i];

		if (disk->readonly)
			continue;
		if (!planner_disk_is_copied(inventory, disk, source, target)) {
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

static bool is_listed(char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool planner_media_missing(const struct inventory *inventory, const struct disk *disk, uint32_t source, uint32_t target)
{
	const struct host *to = &inventory->hosts[target];
	const struct pool *from;
	size_t i;

	from = disk->readonly && disk->pool != NULL && disk->volume != NULL ? host_pool(&inventory->hosts[source], disk->pool) : NULL;
	/* What the source's own list has not, no list would have. */
	if (from == NULL || from->path == NULL || !is_listed(from->media, from->n_media, disk->volume))
		return false;
	for (i = 0; i < to->n_pools; i++)
		if (to->pools[i].path != NULL && strcmp(to->pools[i].path, from->path) == 0)
			return !is_listed(to->pools[i].media, to->pools[i].n_media, disk->volume);
	return false;
}
