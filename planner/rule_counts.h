/* How many members of a rule are on a host: a sparse table, because rules times hosts would not fit
 * while memberships always do. */
#ifndef DROVER_RULE_COUNTS_H
#define DROVER_RULE_COUNTS_H

#include "drover/base.h"

struct rule_count {
	uint64_t key;     /* rule << 32 | host, plus 1; 0 = empty */
	uint32_t present; /* running there or on the way there or from there */
	uint32_t settled; /* will be there when all moves have ended */
};

struct rule_counts {
	struct rule_count *slots;
	size_t mask;
	size_t used;
};

void rule_counts_init(struct rule_counts *counts);
void rule_counts_free(struct rule_counts *counts);
/* The entry, made when missing; valid until the next call. */
struct rule_count *rule_counts_at(struct rule_counts *counts, uint32_t rule, uint32_t host);
/* Zeroes when there is no entry. */
struct rule_count rule_counts_get(const struct rule_counts *counts, uint32_t rule, uint32_t host);

#endif
