/* Numbers with units, exactly: integer arithmetic, no locale, no silent overflow, no octal, no
 * trailing rubbish (iniparser's getint takes "12abc" for 12 and 99999999999 for 1215752191).
 *
 * A bare number is refused, because 512 may mean bytes, MiB or Mbit/s; only 0 needs no unit.
 * "Mb/s" and "mbps" are refused too: half the world reads megabits, the other half megabytes. */
#include "units.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drover/config.h"

struct unit {
	const char *name;
	uint64_t factor;
	uint32_t divisor;
	bool case_matters;
};

static const struct unit rate_units[] = {
	{"bit/s", 1, 8, true}, {"kbit/s", 1000, 8, false}, {"kbit", 1000, 8, false},
	{"mbit/s", 1000000, 8, false}, {"mbit", 1000000, 8, false},
	{"gbit/s", 1000000000, 8, false}, {"gbit", 1000000000, 8, false},
	{"tbit/s", 1000000000000, 8, false}, {"tbit", 1000000000000, 8, false},
	{"B/s", 1, 1, true}, {"kB/s", 1000, 1, true}, {"MB/s", 1000000, 1, true}, {"GB/s", 1000000000, 1, true},
	{"kib/s", 1u << 10, 1, false}, {"mib/s", 1u << 20, 1, false}, {"gib/s", 1u << 30, 1, false},
	{NULL, 0, 0, false},
};

static const struct unit size_units[] = {
	{"B", 1, 1, true}, {"k", 1u << 10, 1, false}, {"kib", 1u << 10, 1, false}, {"m", 1u << 20, 1, false},
	{"mib", 1u << 20, 1, false}, {"g", 1u << 30, 1, false}, {"gib", 1u << 30, 1, false},
	{"t", (uint64_t)1 << 40, 1, false}, {"tib", (uint64_t)1 << 40, 1, false},
	{"kB", 1000, 1, true}, {"MB", 1000000, 1, true}, {"GB", 1000000000, 1, true}, {"TB", 1000000000000, 1, true},
	{NULL, 0, 0, false},
};

/* From long to short: "1h30m" names each unit once, in this order. */
static const struct unit duration_units[] = {
	{"d", 86400000, 1, false}, {"day", 86400000, 1, false}, {"days", 86400000, 1, false},
	{"h", 3600000, 1, false}, {"hour", 3600000, 1, false}, {"hours", 3600000, 1, false},
	{"m", 60000, 1, true}, {"min", 60000, 1, false}, {"minutes", 60000, 1, false},
	{"s", 1000, 1, false}, {"sec", 1000, 1, false}, {"seconds", 1000, 1, false},
	{"ms", 1, 1, true},
	{NULL, 0, 0, false},
};

/* A number as digits and decimal scale: 1.50 is 150 / 100. */
struct decimal {
	uint64_t digits;
	uint64_t scale;
};

enum { DIGITS_MAX = 18, DECIMALS_MAX = 9 }; /* 10^18 fits 64 bits; the product with a unit 128 */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads digits with an optional fraction; *text moves behind them. */
static bool take_decimal(const char **text, struct decimal *ret_number)
{
	struct decimal number = {0, 1};
	const char *s = *text;
	int n_digits = 0, n_decimals = 0;

	for (; is_digit(*s); s++, n_digits++) {
		if (n_digits == DIGITS_MAX - DECIMALS_MAX + 6)
			return false;
		number.digits = number.digits * 10 + (uint64_t)(*s - '0');
	}
	if (n_digits == 0)
		return false;
	if (*s == '.') {
		for (s++; is_digit(*s); s++, n_decimals++) {
			if (n_decimals == DECIMALS_MAX || n_digits + n_decimals == DIGITS_MAX)
				return false;
			number.digits = number.digits * 10 + (uint64_t)(*s - '0');
			number.scale *= 10;
		}
		if (n_decimals == 0)
			return false;
	}
	*text = s;
	*ret_number = number;
	return true;
}

static void skip_blanks(const char **text)
{
	while (**text == ' ' || **text == '\t')
		(*text)++;
}

static const struct unit *unit_named(const struct unit *units, const char *name, size_t n)
{
	for (; units->name != NULL; units++)
		if (strlen(units->name) == n &&
			(units->case_matters ? strncmp(units->name, name, n) : strncasecmp(units->name, name, n)) == 0)
			return units;
	return NULL;
}

static bool scaled(struct decimal number, const struct unit *unit, uint64_t *ret_value)
{
	unsigned __int128 value = (unsigned __int128)number.digits * unit->factor / ((unsigned __int128)number.scale * unit->divisor);

	if (value > INT64_MAX)
		return false;
	*ret_value = (uint64_t)value;
	return true;
}

static bool parse_with_unit(const char *text, const struct unit *units, uint64_t *ret_value)
{
	struct decimal number;
	const struct unit *unit;
	size_t n;

	skip_blanks(&text);
	if (!take_decimal(&text, &number))
		return false;
	skip_blanks(&text);
	n = strcspn(text, " \t");
	if (text[n + strspn(text + n, " \t")] != '\0')
		return false;
	if (n == 0) {
		if (number.digits != 0)
			return false;
		*ret_value = 0;
		return true;
	}
	unit = unit_named(units, text, n);
	return unit != NULL && scaled(number, unit, ret_value);
}

bool parse_rate(const char *text, uint64_t *ret_bytes_per_s)
{
	return parse_with_unit(text, rate_units, ret_bytes_per_s);
}

bool parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_with_unit(text, size_units, ret_bytes);
}

bool parse_duration(const char *text, int64_t *ret_ms)
{
	uint64_t total = 0, before = UINT64_MAX;

	skip_blanks(&text);
	if (strcmp(text, "0") == 0) {
		*ret_ms = 0;
		return true;
	}
	do {
		struct decimal number;
		const struct unit *unit;
		uint64_t part;
		size_t n = 0;

		if (!take_decimal(&text, &number))
			return false;
		skip_blanks(&text);
		while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z'))
			n++;
		unit = unit_named(duration_units, text, n);
		if (unit == NULL || unit->factor >= before || !scaled(number, unit, &part) || part > INT64_MAX - total)
			return false;
		before = unit->factor;
		total += part;
		text += n;
		skip_blanks(&text);
	} while (*text != '\0');
	*ret_ms = (int64_t)total;
	return true;
}

bool parse_milli(const char *text, uint32_t *ret_milli)
{
	static const struct unit milli = {"", 1000, 1, false};
	struct decimal number;
	uint64_t value;

	skip_blanks(&text);
	if (!take_decimal(&text, &number) || *text != '\0' || number.scale > 1000)
		return false;
	if (!scaled(number, &milli, &value) || value > UINT32_MAX)
		return false;
	*ret_milli = (uint32_t)value;
	return true;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar; years count from March, so that the
 * leap day is the last of its year. */
static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_in_month(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

/* Exactly n digits. */
static bool take_digits(const char **text, int n, int *ret_value)
{
	int value = 0;

	for (; n > 0; n--, (*text)++) {
		if (!is_digit(**text))
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret_value = value;
	return true;
}

static bool take_char(const char **text, const char *any)
{
	if (**text == '\0' || strchr(any, **text) == NULL)
		return false;
	(*text)++;
	return true;
}

static bool take_offset(const char **text, int *ret_minutes)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	if (take_char(text, "Zz")) {
		*ret_minutes = 0;
		return true;
	}
	if (!take_char(text, "+-") || !take_digits(text, 2, &hours) || !take_char(text, ":") || !take_digits(text, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

/* Seconds with up to three decimals that count; further ones are skipped. */
static bool take_seconds(const char **text, int *ret_ms)
{
	int seconds = 0, ms = 0, weight = 100;

	if (take_char(text, ":") && (!take_digits(text, 2, &seconds) || seconds > 59))
		return false;
	if (take_char(text, ".")) {
		if (!is_digit(**text))
			return false;
		for (; is_digit(**text); (*text)++, weight /= 10)
			ms += (**text - '0') * weight;
	}
	*ret_ms = seconds * 1000 + ms;
	return true;
}

bool parse_time(const char *text, int64_t *ret_wall_ms)
{
	int year, month, day, hour, minute, ms, offset;

	if (!take_digits(&text, 4, &year) || !take_char(&text, "-") || !take_digits(&text, 2, &month) ||
		!take_char(&text, "-") || !take_digits(&text, 2, &day) || !take_char(&text, "Tt ") ||
		!take_digits(&text, 2, &hour) || !take_char(&text, ":") || !take_digits(&text, 2, &minute) ||
		!take_seconds(&text, &ms) || !take_offset(&text, &offset) || *text != '\0')
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59)
		return false;
	*ret_wall_ms = ((days_of(year, month, day) * 24 + hour) * 60 + minute - offset) * 60000 + ms;
	return true;
}

/* The inverse of days_of. */
static void date_of(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * day_of_year + 2) / 153;

	*ret_day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*ret_month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

void format_time(int64_t wall_ms, char ret_text[TIME_TEXT_SIZE])
{
	int64_t days = (wall_ms >= 0 ? wall_ms : wall_ms - 86399999) / 86400000;
	int rest = (int)(wall_ms - days * 86400000), month, day;
	int64_t year;
	char fraction[8] = "";

	date_of(days, &year, &month, &day);
	if (rest % 1000 != 0)
		snprintf(fraction, sizeof(fraction), ".%03d", rest % 1000);
	if (year < 0 || year > 9999) /* beyond what the text form can hold: the far end of it */
		snprintf(ret_text, TIME_TEXT_SIZE, "%s", year < 0 ? "0000-01-01T00:00:00Z" : "9999-12-31T23:59:59Z");
	else
		snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%s%s", (int)year, month, day,
			rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, fraction, "Z");
}
