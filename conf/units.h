/* Times as text, beside parse_rate, parse_size and parse_duration of drover/config.h. */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <stdbool.h>
#include <stdint.h>

enum { TIME_TEXT_SIZE = 32 };

/* RFC 3339, "2026-11-23T02:45:00Z" or with an offset; seconds may be missing. */
bool parse_time(const char *text, int64_t *ret_wall_ms);
/* In UTC; milliseconds only when there are some. */
void format_time(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE]);
/* "4.0" -> 4000; at most three decimals, no sign, no exponent. */
bool parse_milli(const char *text, uint32_t *ret_milli);

#endif
