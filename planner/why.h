/* Why a schedule ends later than the bound, in words. */
#ifndef DROVER_WHY_H
#define DROVER_WHY_H

#include "schedule.h"

/* From the guest that ends last back to the start: what each waited for. Writes "" when there is nothing to tell. */
void why_last(const struct jobs *jobs, const struct schedule *schedule, char *text, size_t size);

#endif
