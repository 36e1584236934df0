/* Open addressing with linear probing over FNV-1a; grows at three quarters full. */
#include "name_index.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

struct slot {
	const char *name; /* NULL = empty */
	uint64_t hash;
	uint32_t value;
};

struct name_index {
	struct slot *slots;
	size_t mask;
	size_t used;
};

static uint64_t hash_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash ^ (hash >> 32);
}

static struct slot *slot_for(const struct name_index *index, const char *name, uint64_t hash)
{
	size_t at = (size_t)hash & index->mask;

	while (index->slots[at].name != NULL &&
		(index->slots[at].hash != hash || strcmp(index->slots[at].name, name) != 0))
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

struct name_index *name_index_new(size_t expected)
{
	struct name_index *index = xcalloc(1, sizeof *index);
	size_t size = 16;

	while (size * 3 / 4 <= expected)
		size *= 2;
	index->slots = xcalloc(size, sizeof *index->slots);
	index->mask = size - 1;
	return index;
}

void name_index_free(struct name_index *index)
{
	if (index == NULL)
		return;
	free(index->slots);
	free(index);
}

static void grow(struct name_index *index)
{
	struct slot *old = index->slots;
	size_t n = index->mask + 1, i;

	index->slots = xcalloc(n * 2, sizeof *index->slots);
	index->mask = n * 2 - 1;
	for (i = 0; i < n; i++)
		if (old[i].name != NULL)
			*slot_for(index, old[i].name, old[i].hash) = old[i];
	free(old);
}

uint32_t name_index_add(struct name_index *index, const char *name, uint32_t value)
{
	uint64_t hash = hash_of(name);
	struct slot *slot = slot_for(index, name, hash);

	if (slot->name != NULL)
		return slot->value;
	*slot = (struct slot){.name = name, .hash = hash, .value = value};
	if (++index->used > (index->mask + 1) * 3 / 4)
		grow(index);
	return INDEX_NONE;
}

uint32_t name_index_find(const struct name_index *index, const char *name)
{
	const struct slot *slot = slot_for(index, name, hash_of(name));

	return slot->name == NULL ? INDEX_NONE : slot->value;
}
