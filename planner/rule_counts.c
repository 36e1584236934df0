/* Open addressing over (rule, host). Entries are never removed: a pair that was used once is used again. */
#include "rule_counts.h"

#include <stdlib.h>

#include "xalloc.h"

void rule_counts_init(struct rule_counts *counts)
{
	counts->mask = 15;
	counts->used = 0;
	counts->slots = xcalloc(counts->mask + 1, sizeof *counts->slots);
}

void rule_counts_free(struct rule_counts *counts)
{
	free(counts->slots);
	counts->slots = NULL;
}

static uint64_t key_of(uint32_t rule, uint32_t host)
{
	return ((uint64_t)rule << 32 | host) + 1;
}

static size_t slot_of(const struct rule_counts *counts, uint64_t key)
{
	uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(hash >> 32) & counts->mask;

	while (counts->slots[at].key != 0 && counts->slots[at].key != key)
		at = (at + 1) & counts->mask;
	return at;
}

static void grow(struct rule_counts *counts)
{
	struct rule_count *old = counts->slots;
	size_t n = counts->mask + 1, i;

	counts->mask = n * 2 - 1;
	counts->slots = xcalloc(n * 2, sizeof *counts->slots);
	for (i = 0; i < n; i++)
		if (old[i].key != 0)
			counts->slots[slot_of(counts, old[i].key)] = old[i];
	free(old);
}

struct rule_count *rule_counts_at(struct rule_counts *counts, uint32_t rule, uint32_t host)
{
	uint64_t key = key_of(rule, host);
	size_t at = slot_of(counts, key);

	if (counts->slots[at].key == key)
		return &counts->slots[at];
	if ((counts->used + 1) * 2 > counts->mask) {
		grow(counts);
		at = slot_of(counts, key);
	}
	counts->used++;
	counts->slots[at].key = key;
	return &counts->slots[at];
}

struct rule_count rule_counts_get(const struct rule_counts *counts, uint32_t rule, uint32_t host)
{
	return counts->slots[slot_of(counts, key_of(rule, host))];
}
