/* What a fuzzer does with one input, for each file that people hand over. Shared by the libFuzzer programs here and by
 * unit.conf_corpus, which runs the corpus in every test run. Beyond "does not crash" each states a law. */
#ifndef DROVER_FUZZ_HARNESS_H
#define DROVER_FUZZ_HARNESS_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "drover/config.h"
#include "load.h"
#include "plan_doc.h"

/* Law: the scanner and iniparser never disagree about a text that the scanner lets pass; a refusal has a reason. */
static inline void fuzz_config(const uint8_t *data, size_t n)
{
	struct problems problems = {0};
	struct config *config = config_parse("fuzz.conf", n == 0 ? "" : (const char *)data, n, &problems);

	assert((config == NULL) == (problems.n > 0));
	for (size_t i = 0; i < problems.n; i++)
		assert(problems.errors[i].code != ERR_INTERNAL && problems.errors[i].message[0] != '\0');
	config_free(config);
	problems_clear(&problems);
}

/* Law: what was accepted names every guest once. */
static inline void fuzz_batch(const uint8_t *data, size_t n)
{
	struct problems problems = {0};
	struct request *request = request_new(REQUEST_BATCH);

	batch_csv("fuzz.csv", n == 0 ? "" : (const char *)data, n, request, &problems);
	batch_check_duplicates(request, "fuzz.csv", ERR_DUPLICATE_GUEST, &problems);
	for (size_t i = 0; problems.n == 0 && i < request->n_moves; i++) {
		assert(request->moves[i].guest[0] != '\0');
		for (size_t k = 0; k < i; k++)
			assert(strcmp(request->moves[i].guest, request->moves[k].guest) != 0);
	}
	request_free(request);
	problems_clear(&problems);
}

/* Law: written and read again it is the same text. */
static inline void fuzz_inventory(const uint8_t *data, size_t n)
{
	struct error err = {0};
	struct inventory *inventory = inventory_parse(n == 0 ? "" : (const char *)data, n, "fuzz.json", &err), *again;
	char *once, *twice;

	if (inventory == NULL) {
		assert(err.code != ERR_NONE && err.message[0] != '\0');
		return;
	}
	once = inventory_json(inventory);
	again = inventory_parse(once, strlen(once), "again.json", &err);
	assert(again != NULL);
	twice = inventory_json(again);
	assert(strcmp(once, twice) == 0);
	free(once);
	free(twice);
	inventory_free(inventory);
	inventory_free(again);
}

/* Law: a plan that is accepted is written and accepted again. The first line of the input is its inventory. */
static inline void fuzz_plan(const uint8_t *data, size_t n)
{
	const uint8_t *end = n == 0 ? NULL : memchr(data, '\n', n);
	size_t first = end == NULL ? n : (size_t)(end - data) + 1;
	struct error err = {0};
	struct inventory *inventory = inventory_parse(n == 0 ? "" : (const char *)data, first, "fuzz.json", &err);
	struct plan *plan, *again;
	struct request *request, *request_again;

	if (inventory == NULL)
		return;
	if (plan_parse((const char *)data + first, n - first, "plan.json", inventory, &plan, &request, &err)) {
		char *text = plan_json(plan, inventory, request);
		bool ok = plan_parse(text, strlen(text), "again.json", inventory, &again, &request_again, &err);

		assert(ok);
		(void)ok;
		plan_free(again);
		request_free(request_again);
		plan_free(plan);
		request_free(request);
		free(text);
	} else {
		assert(err.code != ERR_NONE);
	}
	inventory_free(inventory);
}

#endif
