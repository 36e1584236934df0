/* Lessons: means that follow what happens, and their mean deviations.
 *
 * The first moves count alike; from the eighth on a new one counts an eighth, so that what has changed is forgotten. A range is
 * two and a half mean deviations, which holds some 95 of 100 where errors are normal, and the stated
 * default divided among one more than the samples: with nothing learned the default alone, with little learned a part of it.
 * Where these two hosts have no lesson of the class, the other pairs' serve for what is the class's own (bytes and
 * downtime, never the rate), with the range of a single sample.
 */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "arith.h"

enum {
	WEIGHT_MAX = 8,
	BUSY_PART = 10,          /* a guest is busy when it writes a tenth of what the link carries: it then matters */
	FACTOR_MILLI_MAX = 20000, /* more is no model's error but an accident, and must not spoil the mean for long */
	DEVIATIONS_MILLI = 2500,
	RANGE_MILLI_MAX = 900,   /* no range reaches down to nothing */
};

static const char *const class_names[CLASS_COUNT] = {
	[CLASS_QUIET] = "quiet", [CLASS_BUSY] = "busy", [CLASS_QUIET_DISKS] = "quiet_disks", [CLASS_BUSY_DISKS] = "busy_disks",
};

const char *move_class_name(enum move_class class)
{
	return class_names[class];
}

enum move_class move_class_by_name(const char *name)
{
	int class;

	for (class = 0; class < CLASS_COUNT; class++)
		if (strcmp(class_names[class], name) == 0)
			return (enum move_class)class;
	return CLASS_COUNT;
}

enum move_class learn_class(uint64_t dirty_rate_bytes_per_s, uint64_t rate_bytes_per_s, uint64_t disk_bytes)
{
	bool is_busy = dirty_rate_bytes_per_s >= max_u64(rate_bytes_per_s / BUSY_PART, 1);

	if (disk_bytes > 0)
		return is_busy ? CLASS_BUSY_DISKS : CLASS_QUIET_DISKS;
	return is_busy ? CLASS_BUSY : CLASS_QUIET;
}

static uint32_t clamp_milli(uint64_t milli, uint32_t most)
{
	return milli > most ? most : (uint32_t)milli;
}

/* n: samples with this one. */
static uint64_t mean_of(uint64_t mean, uint64_t value, uint32_t n)
{
	uint64_t weight = n < WEIGHT_MAX ? n : WEIGHT_MAX;

	if (n <= 1 || mean == 0)
		return value;
	return value >= mean ? mean + (value - mean) / weight : mean - (mean - value) / weight;
}

static uint32_t spread_of(uint32_t spread_milli, uint64_t mean, uint64_t value, uint32_t n)
{
	uint64_t weight = n < WEIGHT_MAX ? n : WEIGHT_MAX, off;

	if (n <= 1 || mean == 0)
		return 0;
	off = mul_div(value >= mean ? value - mean : mean - value, 1000, mean);
	return clamp_milli((spread_milli * (weight - 1) + off) / weight, FACTOR_MILLI_MAX);
}

static void add_factor(struct factor *factor, uint32_t milli)
{
	if (milli == 0)
		return;
	milli = clamp_milli(milli, FACTOR_MILLI_MAX);
	factor->samples++;
	factor->spread_milli = spread_of(factor->spread_milli, factor->milli, milli, factor->samples);
	factor->milli = (uint32_t)mean_of(factor->milli, milli, factor->samples);
}

void learn_add(struct lesson *lesson, const struct observation *observation)
{
	lesson->samples++;
	if (observation->rate_bytes_per_s != 0) {
		lesson->rate_samples++;
		lesson->rate_spread_milli = spread_of(lesson->rate_spread_milli, lesson->rate_bytes_per_s,
			observation->rate_bytes_per_s, lesson->rate_samples);
		lesson->rate_bytes_per_s = mean_of(lesson->rate_bytes_per_s, observation->rate_bytes_per_s, lesson->rate_samples);
	}
	add_factor(&lesson->bytes, observation->bytes_milli);
	add_factor(&lesson->downtime, observation->downtime_milli);
	if (observation->setup_ms >= 0)
		lesson->setup_ms = (int64_t)mean_of((uint64_t)lesson->setup_ms, (uint64_t)observation->setup_ms, lesson->samples);
	if (observation->finish_ms >= 0)
		lesson->finish_ms = (int64_t)mean_of((uint64_t)lesson->finish_ms, (uint64_t)observation->finish_ms, lesson->samples);
}

static uint32_t range_of(const struct plan_options *options, uint32_t spread_milli, uint32_t samples)
{
	return clamp_milli((uint64_t)spread_milli * DEVIATIONS_MILLI / 1000 + options->range_milli / (samples + 1), RANGE_MILLI_MAX);
}

static const struct lesson *lesson_of(const struct model *model, uint32_t source, uint32_t target, enum move_class class)
{
	size_t low = 0, high = model->n_lessons;
	uint64_t key = model_lesson_key(source, target, class);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->lessons[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < model->n_lessons && model->lessons[low].key == key ? model->lessons[low].lesson : NULL;
}

static void expect_factor(const struct plan_options *options, const struct factor *own, const struct factor *pooled, uint32_t *ret_milli,
	uint32_t *ret_range_milli)
{
	if (own != NULL && own->samples > 0) {
		*ret_milli = own->milli;
		*ret_range_milli = range_of(options, own->spread_milli, own->samples);
	} else if (pooled->samples > 0) {
		*ret_milli = pooled->milli;
		*ret_range_milli = range_of(options, pooled->spread_milli, 1);
	}
}

/* Both errors go into the time; that they add up in full is seldom, that they cancel is luck. */
static uint32_t time_range_of(const struct plan_options *options, const struct lesson *lesson, uint32_t bytes_range)
{
	uint32_t rate_range = range_of(options, lesson->rate_spread_milli, lesson->rate_samples);

	return clamp_milli(rate_range > bytes_range ? rate_range + bytes_range / 2 : bytes_range + rate_range / 2, RANGE_MILLI_MAX);
}

void learn_expect(const struct model *model, uint32_t source, uint32_t target, enum move_class class,
	struct expectation *ret_expectation)
{
	const struct plan_options *options = &model->options;
	const struct lesson *lesson = lesson_of(model, source, target, class);
	const struct pooled_lesson *pooled = &model->pooled[class];

	*ret_expectation = (struct expectation){
		.bytes_milli = 1000, .downtime_milli = 1000, .time_range_milli = options->range_milli,
		.bytes_range_milli = options->range_milli, .downtime_range_milli = options->range_milli,
		.samples = lesson != NULL ? lesson->samples : 0,
	};
	expect_factor(options, lesson != NULL ? &lesson->bytes : NULL, &pooled->bytes, &ret_expectation->bytes_milli,
		&ret_expectation->bytes_range_milli);
	expect_factor(options, lesson != NULL ? &lesson->downtime : NULL, &pooled->downtime, &ret_expectation->downtime_milli,
		&ret_expectation->downtime_range_milli);
	if (lesson == NULL || lesson->rate_samples == 0)
		return;
	ret_expectation->rate_bytes_per_s = lesson->rate_bytes_per_s;
	ret_expectation->time_range_milli = time_range_of(options, lesson, ret_expectation->bytes_range_milli);
}

uint32_t learn_time_range(const struct plan_options *options, const struct lesson *lesson)
{
	static const struct factor nobody = {0};
	uint32_t bytes_milli, bytes_range = options->range_milli;

	if (lesson == NULL || lesson->rate_samples == 0)
		return options->range_milli;
	expect_factor(options, &lesson->bytes, &nobody, &bytes_milli, &bytes_range);
	return time_range_of(options, lesson, bytes_range);
}

void learn_overheads(struct plan_options *options)
{
	int64_t setup = 0, finish = 0;
	uint32_t setup_samples = 0, finish_samples = 0;
	size_t i;

	for (i = 0; i < options->n_lessons; i++) {
		const struct lesson *lesson = &options->lessons[i];
		uint32_t weight = lesson->samples < WEIGHT_MAX ? lesson->samples : WEIGHT_MAX;

		if (lesson->setup_ms > 0) {
			setup += lesson->setup_ms * weight;
			setup_samples += weight;
		}
		if (lesson->finish_ms > 0) {
			finish += lesson->finish_ms * weight;
			finish_samples += weight;
		}
	}
	if (setup_samples > 0)
		options->setup_ms = setup / setup_samples;
	if (finish_samples > 0)
		options->finish_ms = finish / finish_samples;
}
