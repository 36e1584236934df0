/* Numbers as people read them; exact numbers are for JSON. */
#ifndef DROVER_CLI_HUMAN_H
#define DROVER_CLI_HUMAN_H

#include <stdint.h>

struct human {
	char text[56];
};

struct human human_bytes(uint64_t bytes);
struct human human_rate(uint64_t bytes_per_s);
/* "145 ms", "12.3 s", "2m05s", "1h02m"; "-" when negative */
struct human human_duration(int64_t ms);
/* "12.3 s (9.8 to 14.8 s)" */
struct human human_range(int64_t ms, int64_t low_ms, int64_t high_ms);

#endif
