/* Defaults of what the planner assumes of the world. */
#include <string.h>

#include "drover/plan.h"

void plan_options_init(struct plan_options *options)
{
	memset(options, 0, sizeof *options);
	options->default_link_rate_bytes_per_s = 125000000;
	options->efficiency_milli = 950;
	options->setup_ms = 700;
	options->finish_ms = 300;
	options->downtime_limit_ms = 300;
	options->prestage = 2;
	options->memory_overhead_milli = 1050;
	options->seed = 1;
	options->range_milli = 200;
}
