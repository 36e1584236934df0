/* Units and times: exact, and nothing guessed. */
#include "units.h"

#include "check.h"
#include "drover/config.h"

static void assert_rate(const char *text, uint64_t expected)
{
	uint64_t rate = 1;

	if (!parse_rate(text, &rate))
		fail_msg("%s is refused", text);
	assert_int_equal(rate, expected);
}

static void rates_in_bits_and_bytes_are_exact(void **state)
{
	(void)state;
	assert_rate("1 Gbit/s", 125000000);
	assert_rate("200mbit", 25000000);
	assert_rate("100 MiB/s", 104857600);
	assert_rate("25MB/s", 25000000);
	assert_rate("2.5 Gbit/s", 312500000);
	assert_rate("0", 0);
	assert_rate(" 8 bit/s ", 1);
	assert_rate("010 kbit/s", 1250);
}

static void rates_that_two_people_read_differently_are_refused(void **state)
{
	static const char *const wrong[] = {"", "1", "125000000", "1 Mb/s", "1 mb/s", "1mbps", "-1 Gbit/s", "1e3 kbit", "12abc",
		"1 Gbit/s x", "1,5 Gbit/s", ".5 Gbit/s", "5. Gbit/s", "0x10 kbit", "99999999999999999999 kbit", "9999999999999 tbit", "nan", "1 GiB"};
	uint64_t rate = 77;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (parse_rate(wrong[i], &rate))
			fail_msg("\"%s\" is taken for %llu", wrong[i], (unsigned long long)rate);
		assert_int_equal(rate, 77);
	}
}

static void sizes_need_their_unit(void **state)
{
	uint64_t size;

	(void)state;
	assert_true(parse_size("4 GiB", &size));
	assert_int_equal(size, 4294967296);
	assert_true(parse_size("512M", &size));
	assert_int_equal(size, 536870912);
	assert_true(parse_size("1.5 MB", &size));
	assert_int_equal(size, 1500000);
	assert_true(parse_size("0", &size));
	assert_false(parse_size("512", &size));
	assert_false(parse_size("8 EiB", &size));
	assert_false(parse_size("99999999999 TiB", &size));
}

static void durations_add_up_from_long_to_short(void **state)
{
	int64_t ms;

	(void)state;
	assert_true(parse_duration("90s", &ms));
	assert_int_equal(ms, 90000);
	assert_true(parse_duration("2 min", &ms));
	assert_int_equal(ms, 120000);
	assert_true(parse_duration("1h30m", &ms));
	assert_int_equal(ms, 5400000);
	assert_true(parse_duration("1.5s 250ms", &ms));
	assert_int_equal(ms, 1750);
	assert_false(parse_duration("30m1h", &ms));
	assert_false(parse_duration("1s1s", &ms));
	assert_false(parse_duration("90", &ms));
	assert_false(parse_duration("", &ms));
	assert_false(parse_duration("-1s", &ms));
	assert_false(parse_duration("106751991168d", &ms));
}

static void times_are_rfc_3339_and_come_back_the_same(void **state)
{
	char text[TIME_TEXT_SIZE];
	int64_t ms;

	(void)state;
	assert_true(parse_time("1970-01-01T00:00:00Z", &ms));
	assert_int_equal(ms, 0);
	assert_true(parse_time("2026-11-23T02:45:00.125Z", &ms));
	assert_int_equal(ms, 1795401900125);
	format_time(ms, text);
	assert_string_equal(text, "2026-11-23T02:45:00.125Z");
	assert_true(parse_time("2024-02-29T23:30:00+01:00", &ms));
	format_time(ms, text);
	assert_string_equal(text, "2024-02-29T22:30:00Z");
	for (int64_t day = -800000; day < 2900000; day += 137) {
		int64_t back;

		format_time(day * 86400000 + 3661001, text);
		if (text[0] == '-')
			continue;
		assert_true(parse_time(text, &back) || day < -719528);
		if (day >= -719528 && day < 2932896)
			assert_int_equal(back, day * 86400000 + 3661001);
	}
}

static void days_that_do_not_exist_are_refused(void **state)
{
	static const char *const wrong[] = {"2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-23T24:00:00Z",
		"2026-11-23T00:00:00", "2026-11-23", "26-11-23T00:00:00Z", "2026-11-23T00:00:00Zx", "2026-11-23T00:60Z", ""};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (parse_time(wrong[i], &ms))
			fail_msg("%s is taken", wrong[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_in_bits_and_bytes_are_exact),
		cmocka_unit_test(rates_that_two_people_read_differently_are_refused),
		cmocka_unit_test(sizes_need_their_unit),
		cmocka_unit_test(durations_add_up_from_long_to_short),
		cmocka_unit_test(times_are_rfc_3339_and_come_back_the_same),
		cmocka_unit_test(days_that_do_not_exist_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
