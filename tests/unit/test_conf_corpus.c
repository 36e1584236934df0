/* Every input of the fuzz corpora through its harness: what a fuzzer once found stays found. */
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "../fuzz/harness.h"
#include "text.h"

static void replay(const char *kind, void (*harness)(const uint8_t *data, size_t n))
{
	char folder[64], file[512];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "../fuzz/corpus/%s", kind);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		struct error err;
		struct text text;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
		assert_done(text_read(file, 1 << 20, &text, &err), err);
		harness((const uint8_t *)text.data, text.n);
		/* cut short at every byte too: half-written files are the commonest broken ones */
		for (size_t i = 0; i < text.n && i < 4096; i += 1 + text.n / 256)
			harness((const uint8_t *)text.data, i);
		free(text.data);
		n++;
	}
	closedir(dir);
	assert_true(n > 0);
}

static void configurations_keep_their_law(void **state)
{
	(void)state;
	replay("config", fuzz_config);
}

static void batches_keep_their_law(void **state)
{
	(void)state;
	replay("batch", fuzz_batch);
}

static void inventories_keep_their_law(void **state)
{
	(void)state;
	replay("inventory", fuzz_inventory);
}

static void plans_keep_their_law(void **state)
{
	(void)state;
	replay("plan", fuzz_plan);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_keep_their_law),
		cmocka_unit_test(batches_keep_their_law),
		cmocka_unit_test(inventories_keep_their_law),
		cmocka_unit_test(plans_keep_their_law),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
