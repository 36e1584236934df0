/* The assertion of tests over a trial: when it fails, what happened so far is told. */
#ifndef DROVER_TEST_TRIAL_ASSERT_H
#define DROVER_TEST_TRIAL_ASSERT_H

#include "check.h"
#include "trial.h"

#define assert_trial(condition, trial) \
	do { \
		if (!(condition)) { \
			trial_dump(trial); \
			fail_msg("%s: %s", #condition, (trial)->error.message); \
		} \
	} while (0)

#endif
