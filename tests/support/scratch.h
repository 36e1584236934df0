/* A folder of its own for a test that needs files; gone afterwards, also what the test left in it. */
#ifndef DROVER_TEST_SCRATCH_H
#define DROVER_TEST_SCRATCH_H

/* Makes the folder at first use; "name" in it, with free(). */
char *scratch_path(const char *name);
/* Removes the folder and everything in it; for a test's teardown. */
void scratch_clear(void);

#endif
