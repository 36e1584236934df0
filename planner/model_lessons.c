/* Compiling lessons: names become indices, and each class gets what all pairs of hosts know of it together. */
#include "model_internal.h"

#include <stdlib.h>

#include "arith.h"
#include "xalloc.h"

static int by_lesson_key(const void *a, const void *b)
{
	const struct model_lesson *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static const struct factor *factor_of(const struct lesson *lesson, bool is_downtime)
{
	return is_downtime ? &lesson->downtime : &lesson->bytes;
}

/* The mean over all lessons, each by its samples; the spread holds what differs within pairs and between them. */
static struct factor pool(const struct plan_options *options, enum move_class class, bool is_downtime)
{
	uint64_t sum = 0, spread = 0;
	struct factor pooled = {0};
	size_t i;

	for (i = 0; i < options->n_lessons; i++) {
		const struct factor *factor = factor_of(&options->lessons[i], is_downtime);

		if (options->lessons[i].class != class || factor->samples == 0)
			continue;
		pooled.samples += factor->samples;
		sum += (uint64_t)factor->milli * factor->samples;
	}
	if (sum == 0)
		return pooled;
	pooled.milli = (uint32_t)(sum / pooled.samples);
	for (i = 0; i < options->n_lessons; i++) {
		const struct factor *factor = factor_of(&options->lessons[i], is_downtime);
		uint64_t off = factor->milli > pooled.milli ? factor->milli - pooled.milli : pooled.milli - factor->milli;

		if (options->lessons[i].class == class && factor->samples > 0)
			spread += (factor->spread_milli + mul_div(off, 1000, pooled.milli)) * factor->samples;
	}
	pooled.spread_milli = (uint32_t)(spread / pooled.samples);
	return pooled;
}

void model_compile_lessons(struct model *model)
{
	const struct plan_options *options = &model->options;
	size_t i;
	int class;

	model->lessons = xcalloc(options->n_lessons, sizeof *model->lessons);
	for (i = 0; i < options->n_lessons; i++) {
		const struct lesson *lesson = &options->lessons[i];
		uint32_t source = inventory_host(model->inventory, lesson->source);
		uint32_t target = inventory_host(model->inventory, lesson->target);

		if (source != INDEX_NONE && target != INDEX_NONE)
			model->lessons[model->n_lessons++] =
				(struct model_lesson){.key = model_lesson_key(source, target, lesson->class), .lesson = lesson};
	}
	if (model->n_lessons > 1)
		qsort(model->lessons, model->n_lessons, sizeof *model->lessons, by_lesson_key);
	for (class = 0; class < CLASS_COUNT; class++) {
		model->pooled[class].bytes = pool(options, (enum move_class)class, false);
		model->pooled[class].downtime = pool(options, (enum move_class)class, true);
	}
}
