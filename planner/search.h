/* The best order found. */
#ifndef DROVER_SEARCH_H
#define DROVER_SEARCH_H

#include "schedule.h"

/* Tries the start orders, then changes of the best within options.search_evaluations, until the lower bound is
 * nearly reached. Returns the schedule of the best. */
struct schedule *search_schedule(const struct jobs *jobs, int64_t lower_bound_us);

#endif
