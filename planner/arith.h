/* Whole-number arithmetic of decisions: equal plans everywhere need it exact,
 * and bytes times microseconds do not fit 64 bits. */
#ifndef DROVER_ARITH_H
#define DROVER_ARITH_H

#include <stdint.h>

__extension__ typedef unsigned __int128 arith_wide;

/* a * b / c rounded down, UINT64_MAX when it does not fit; c must not be 0. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	arith_wide value = (arith_wide)a * b / c;

	return value > UINT64_MAX ? UINT64_MAX : (uint64_t)value;
}

/* Time to carry bytes at a rate, in microseconds, rounded up; bounded so that sums of a million of them fit. */
static inline int64_t carry_us(uint64_t bytes, uint64_t rate_bytes_per_s)
{
	const uint64_t most = (uint64_t)1 << 42;
	arith_wide value;

	if (rate_bytes_per_s == 0)
		return (int64_t)most;
	value = ((arith_wide)bytes * 1000000u + rate_bytes_per_s - 1) / rate_bytes_per_s;
	return value > most ? (int64_t)most : (int64_t)value;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The smaller of two limits where 0 means "no limit". */
static inline uint64_t min_limit(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return min_u64(a, b);
}

#endif
