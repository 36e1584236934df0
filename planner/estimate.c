/* The pre-copy model: disks first, then memory in rounds.
 *
 * Round 0 sends all used memory; each next round sends what was written during
 * the one before, at most the working set. It ends when the rest fits the
 * downtime limit. With a dirty rate r under a link rate b this is the geometric
 * series, T ~ M / (b - r). A guest that writes faster than the link carries ends only when
 * its whole working set fits into the downtime. While disks are mirrored, what the guest writes to
 * them goes over the same link, in the memory phase too.
 */
#include "estimate.h"

#include <string.h>

#include "arith.h"

enum {
	ROUNDS_MAX = 60,     /* a series that has not ended by then will not within any useful time */
	DEVICE_STATE_MS = 30, /* stop, device state and resume: measured on small guests */
};

/* 50 days: nobody waits longer, and sums over a million moves stay far from overflow. */
static const int64_t TRANSFER_US_MAX = (int64_t)1 << 42;

void transfer_of(const struct guest *guest, uint64_t disk_bytes, const struct plan_options *options,
	struct transfer *ret_transfer)
{
	size_t i;

	memset(ret_transfer, 0, sizeof *ret_transfer);
	ret_transfer->memory_bytes = guest->used_memory_bytes != 0 ? guest->used_memory_bytes : guest->memory_bytes;
	ret_transfer->working_set_bytes = ret_transfer->memory_bytes;
	if (guest->working_set_bytes != 0)
		ret_transfer->working_set_bytes = min_u64(guest->working_set_bytes, ret_transfer->memory_bytes);
	if (guest->state == GUEST_RUNNING)
		ret_transfer->dirty_rate_bytes_per_s = guest->dirty_rate_bytes_per_s;
	ret_transfer->disk_bytes = disk_bytes;
	for (i = 0; i < guest->n_disks && disk_bytes > 0; i++)
		if (!guest->disks[i].readonly)
			ret_transfer->disk_write_rate_bytes_per_s += guest->disks[i].write_rate_bytes_per_s;
	ret_transfer->downtime_limit_ms = options->downtime_limit_ms;
}

void transfer_scale(struct transfer *transfer, uint32_t bytes_milli)
{
	transfer->memory_bytes = max_u64(mul_div(transfer->memory_bytes, bytes_milli, 1000), 1);
	transfer->working_set_bytes = min_u64(transfer->working_set_bytes, transfer->memory_bytes);
	transfer->disk_bytes = mul_div(transfer->disk_bytes, bytes_milli, 1000);
}

/* What is left of a rate beside the mirrored writes; never under an eighth, where the model says nothing any more. */
static uint64_t beside_writes(uint64_t rate, uint64_t writes)
{
	uint64_t least = max_u64(rate / 8, 1);

	return rate > writes && rate - writes > least ? rate - writes : least;
}

static void memory_rounds(const struct transfer *transfer, uint64_t rate, struct transfer_time *ret_time)
{
	uint64_t fits = mul_div(rate, (uint64_t)transfer->downtime_limit_ms, 1000);
	uint64_t rest = transfer->memory_bytes;
	int round;

	ret_time->converges = false;
	for (round = 0; round < ROUNDS_MAX; round++) {
		int64_t round_us = carry_us(rest, rate);

		ret_time->transfer_us += round_us;
		ret_time->bytes += rest;
		rest = mul_div(transfer->dirty_rate_bytes_per_s, (uint64_t)round_us, 1000000);
		rest = min_u64(rest, transfer->working_set_bytes);
		if (rest <= fits) {
			ret_time->converges = true;
			break;
		}
	}
	ret_time->transfer_us += carry_us(rest, rate);
	ret_time->bytes += rest;
	ret_time->downtime_ms = carry_us(rest, rate) / 1000 + DEVICE_STATE_MS;
}

void transfer_time(const struct transfer *transfer, uint64_t disk_rate_bytes_per_s, uint64_t memory_rate_bytes_per_s,
	struct transfer_time *ret_time)
{
	uint64_t writes = transfer->disk_write_rate_bytes_per_s;

	memset(ret_time, 0, sizeof *ret_time);
	if (transfer->disk_bytes > 0) {
		uint64_t net = beside_writes(disk_rate_bytes_per_s, writes);

		ret_time->transfer_us = carry_us(transfer->disk_bytes, net);
		ret_time->bytes = transfer->disk_bytes + mul_div(disk_rate_bytes_per_s - min_u64(net, disk_rate_bytes_per_s),
			(uint64_t)ret_time->transfer_us, 1000000);
		memory_rate_bytes_per_s = beside_writes(memory_rate_bytes_per_s, writes);
	}
	memory_rounds(transfer, max_u64(memory_rate_bytes_per_s, 1), ret_time);
	if (ret_time->transfer_us > TRANSFER_US_MAX)
		ret_time->transfer_us = TRANSFER_US_MAX;
}

void planner_estimate(const struct guest *guest, uint64_t disk_bytes, uint64_t rate_bytes_per_s,
	const struct plan_options *options, struct estimate *ret_estimate)
{
	struct transfer transfer;
	struct transfer_time time;

	transfer_of(guest, disk_bytes, options, &transfer);
	transfer_time(&transfer, max_u64(rate_bytes_per_s, 1), max_u64(rate_bytes_per_s, 1), &time);
	ret_estimate->duration_ms = options->setup_ms + (time.transfer_us + 999) / 1000 + options->finish_ms;
	ret_estimate->bytes = time.bytes;
	ret_estimate->disk_bytes = disk_bytes;
	ret_estimate->downtime_ms = time.downtime_ms;
	ret_estimate->converges = time.converges;
}
