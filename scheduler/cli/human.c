/* Sizes, rates and durations for tables and progress. */
#include <stdio.h>

#include "human.h"
#include "size_text.h"

struct human human_bytes(uint64_t bytes)
{
	struct human human;

	snprintf(human.text, sizeof human.text, "%s", size_text(bytes).text);
	return human;
}

struct human human_rate(uint64_t bytes_per_s)
{
	struct human human;

	snprintf(human.text, sizeof human.text, "%s/s", size_text(bytes_per_s).text);
	return human;
}

struct human human_duration(int64_t ms)
{
	struct human human;
	long long s = (long long)(ms + 500) / 1000;

	if (ms < 0)
		snprintf(human.text, sizeof human.text, "-");
	else if (ms < 1000)
		snprintf(human.text, sizeof human.text, "%lld ms", (long long)ms);
	else if (ms < 59950)
		snprintf(human.text, sizeof human.text, "%.1f s", (double)ms / 1000.0);
	else if (s < 3600)
		snprintf(human.text, sizeof human.text, "%lldm%02llds", s / 60, s % 60);
	else
		snprintf(human.text, sizeof human.text, "%lldh%02lldm", s / 3600, s / 60 % 60);
	return human;
}

struct human human_range(int64_t ms, int64_t low_ms, int64_t high_ms)
{
	struct human human = human_duration(ms);

	if (ms >= 0 && low_ms >= 0 && high_ms >= 0 && (low_ms != ms || high_ms != ms))
		snprintf(human.text, sizeof human.text, "%.14s (%.14s - %.14s)", human_duration(ms).text,
			human_duration(low_ms).text, human_duration(high_ms).text);
	return human;
}
