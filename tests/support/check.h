/* cmocka with what it wants included before it, and main() in one line.
 *
 * Assertions belong in the main thread only. main returns 0 or 1, because cmocka returns the number of failures
 * and 256 of those would be success.
 */
#ifndef DROVER_TEST_CHECK_H
#define DROVER_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drover/error.h"

/* Fails with the error's own words. */
#define assert_done(call, err) \
	do { \
		if (!(call)) \
			fail_msg("%s: %s: %s", #call, error_code_name((err).code), (err).message); \
	} while (0)

/* Fails unless the call fails with this code. */
#define assert_refused(call, err, expected) \
	do { \
		error_clear(&(err)); \
		assert_false(call); \
		if ((err).code != (expected)) \
			fail_msg("%s: got %s (%s), wanted %s", #call, error_code_name((err).code), (err).message, \
				error_code_name(expected)); \
	} while (0)

#define TEST_MAIN(tests) \
	int main(void) \
	{ \
		return cmocka_run_group_tests(tests, NULL, NULL) != 0; \
	}

#endif
