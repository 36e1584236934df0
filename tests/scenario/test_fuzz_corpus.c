/* Every input of the corpora of what comes from hosts through its harness: what a fuzzer once found stays found. */
#include "check.h"

#include <dirent.h>

#include "../fuzz/harness_run.h"

enum { INPUT_MAX = 1 << 16 };

static void replay(const char *kind, void (*harness)(const uint8_t *data, size_t n))
{
	static uint8_t data[INPUT_MAX];
	char folder[64], file[512];
	struct dirent *entry;
	size_t n_files = 0, i;
	DIR *dir;

	snprintf(folder, sizeof folder, "../fuzz/corpus/%s", kind);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		FILE *input;
		size_t n;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
		input = fopen(file, "rb");
		assert_non_null(input);
		n = fread(data, 1, sizeof data, input);
		fclose(input);
		for (i = 0; i < n; i += 1 + n / 32)
			harness(data, i);
		harness(data, n);
		n_files++;
	}
	closedir(dir);
	assert_true(n_files > 0);
}

static void domains_keep_their_law(void **state)
{
	(void)state;
	replay("domain", fuzz_domain);
}

static void events_keep_their_law(void **state)
{
	(void)state;
	replay("events", fuzz_events);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(domains_keep_their_law),
	cmocka_unit_test(events_keep_their_law),
};
TEST_MAIN(tests)
