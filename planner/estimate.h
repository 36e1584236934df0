/* The pre-copy model with separate rates for disks and memory. */
#ifndef DROVER_ESTIMATE_H
#define DROVER_ESTIMATE_H

#include "drover/plan.h"

struct transfer {
	uint64_t memory_bytes;  /* that are in use */
	uint64_t working_set_bytes;
	uint64_t dirty_rate_bytes_per_s;
	uint64_t disk_bytes;
	uint64_t disk_write_rate_bytes_per_s;
	int64_t downtime_limit_ms;
};

struct transfer_time {
	int64_t transfer_us; /* first to last byte */
	uint64_t bytes;
	int64_t downtime_ms;
	bool converges;
};

void transfer_of(const struct guest *guest, uint64_t disk_bytes, const struct plan_options *options,
	struct transfer *ret_transfer);
/* Memory and disks are this many thousandths of what the guest's facts say. */
void transfer_scale(struct transfer *transfer, uint32_t bytes_milli);
void transfer_time(const struct transfer *transfer, uint64_t disk_rate_bytes_per_s, uint64_t memory_rate_bytes_per_s,
	struct transfer_time *ret_time);

#endif
