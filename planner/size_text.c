/* Sizes as people read them. Integer arithmetic, so that messages are equal on every machine. */
#include "size_text.h"

#include <inttypes.h>
#include <stdio.h>

struct size_text size_text(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	struct size_text result;
	uint64_t scale = 1, tenths;
	int unit = 0;

	while (unit < 6 && bytes / scale >= 1024) {
		scale *= 1024;
		unit++;
	}
	/* Rounded down: a host with 3.96 GiB free must not seem to have the 4.0 GiB that a guest needs. */
	tenths = bytes % scale / (scale / 10 + (scale < 10));
	if (tenths > 9)
		tenths = 9;
	if (unit == 0)
		snprintf(result.text, sizeof result.text, "%" PRIu64 " B", bytes);
	else
		snprintf(result.text, sizeof result.text, "%" PRIu64 ".%" PRIu64 " %s", bytes / scale, tenths, units[unit]);
	return result;
}

struct size_text size_text_exact(uint64_t bytes)
{
	struct size_text result;

	snprintf(result.text, sizeof result.text, "%" PRIu64 " bytes", bytes);
	return result;
}
