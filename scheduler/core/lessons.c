/* What is learned for the next plan: what paths carry, how moves of a class differ from the model, what guests write.
 *
 * A move teaches when it has ended well. Its rate counts from its first byte at the head of its links: what it
 * trickled before, staged behind others, says how long it waited and not how fast it is. A move that somebody
 * has limited teaches no rate. The model is asked again with what is known of the guest now, without earlier lessons, so that a
 * lesson corrects the model and not an older lesson.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "engine_impl.h"
#include "learn.h"
#include "xalloc.h"

enum { RATE_SHORTEST_MS = 1000 }; /* the looks at a copy come four times a second: less says too little */

void lessons_restore(struct engine *engine, const struct store_image *image)
{
	size_t i;

	for (i = 0; i < image->n_paths; i++) {
		engine->paths = xgrow(engine->paths, engine->n_paths, sizeof *engine->paths);
		engine->paths[engine->n_paths++] = image->paths[i];
	}
	for (i = 0; i < image->n_lessons; i++) {
		engine->lessons = xgrow(engine->lessons, engine->n_lessons, sizeof *engine->lessons);
		engine->lessons[engine->n_lessons++] = image->lessons[i];
	}
}

static uint64_t follow(uint64_t mean, uint64_t value)
{
	return value == 0 ? mean : mean == 0 ? value : (3 * mean + value) / 4;
}

static struct path_rate *path_of(struct engine *engine, const struct move_record *record)
{
	struct path_rate *path;
	size_t i;

	for (i = 0; i < engine->n_paths; i++)
		if (strcmp(engine->paths[i].source, record->source) == 0 && strcmp(engine->paths[i].target, record->target) == 0)
			return &engine->paths[i];
	engine->paths = xgrow(engine->paths, engine->n_paths, sizeof *engine->paths);
	path = &engine->paths[engine->n_paths++];
	*path = (struct path_rate){0};
	snprintf(path->source, sizeof path->source, "%s", record->source);
	snprintf(path->target, sizeof path->target, "%s", record->target);
	return path;
}

void lessons_path(struct engine *engine, const struct move *move)
{
	struct path_rate *path;

	if (move->peak_bytes_per_s == 0 && move->disk_peak_bytes_per_s == 0)
		return; /* it never ran unthrottled long enough to say anything */
	path = path_of(engine, &move->record);
	path->memory_bytes_per_s = follow(path->memory_bytes_per_s, move->peak_bytes_per_s);
	path->disk_bytes_per_s = follow(path->disk_bytes_per_s, move->disk_peak_bytes_per_s);
	path->samples++;
	path->updated_wall_ms = engine->wall_ms;
	engine_add_extra(engine, STORE_PUT_PATH)->path = *path;
}

static struct lesson *lesson_of(struct engine *engine, const struct move_record *record, enum move_class class)
{
	struct lesson *lesson;
	size_t i;

	for (i = 0; i < engine->n_lessons; i++) {
		lesson = &engine->lessons[i];
		if (lesson->class == class && strcmp(lesson->source, record->source) == 0 && strcmp(lesson->target, record->target) == 0)
			return lesson;
	}
	engine->lessons = xgrow(engine->lessons, engine->n_lessons, sizeof *engine->lessons);
	lesson = &engine->lessons[engine->n_lessons++];
	*lesson = (struct lesson){.class = class};
	snprintf(lesson->source, sizeof lesson->source, "%s", record->source);
	snprintf(lesson->target, sizeof lesson->target, "%s", record->target);
	return lesson;
}

static uint32_t milli_of(uint64_t real, uint64_t predicted)
{
	return predicted == 0 ? 0 : (uint32_t)min_u64(mul_div(real, 1000, predicted), UINT32_MAX);
}

/* When its last byte was sent; 0 = nobody saw. */
static int64_t last_byte_ms(const struct move *move)
{
	bool is_seen = move->first_byte_ms != 0 && move->switchover_ms >= move->first_byte_ms;

	return is_seen ? move->switchover_ms : move->sent_ms;
}

static uint64_t rate_of(const struct engine *engine, const struct move *move)
{
	int64_t from = move->head_ms > move->first_byte_ms ? move->head_ms : move->first_byte_ms, ms = last_byte_ms(move) - from;

	if (move->head_ms == 0 || move->first_byte_ms == 0 || ms < RATE_SHORTEST_MS || bandwidth_is_limited(engine, move) ||
		move->record.bytes_transferred <= move->head_bytes)
		return 0;
	return mul_div(move->record.bytes_transferred - move->head_bytes, 1000, (uint64_t)ms);
}

void lessons_learn(struct engine *engine, const struct move *move)
{
	uint64_t rate = move->record.planned_rate_bytes_per_s != 0 ? move->record.planned_rate_bytes_per_s : 1;
	const struct guest *guest = move->guest == INDEX_NONE ? NULL : &engine->inventory->guests[move->guest];
	struct observation seen = {.setup_ms = -1, .finish_ms = -1};
	struct estimate estimate;
	struct lesson *lesson;

	/* A move that was found under way has shown only a part of itself; post-copy goes another way than the model. */
	if (guest == NULL || move->record.method != METHOD_LIVE || move->sent_ms == 0 || move->record.post_copy == POST_COPY_USED)
		return;
	planner_estimate(guest, move->planned_disk_bytes, rate, &engine->options.plan, &estimate);
	seen.rate_bytes_per_s = rate_of(engine, move);
	if (estimate.converges)
		seen.bytes_milli = milli_of(move->record.bytes_transferred, estimate.bytes);
	if (move->record.measured_downtime_ms > 0 && estimate.converges)
		seen.downtime_milli = milli_of((uint64_t)move->record.measured_downtime_ms, (uint64_t)estimate.downtime_ms);
	if (move->first_byte_ms != 0)
		seen.setup_ms = move->first_byte_ms - move->attempt_ms;
	seen.finish_ms = engine->now_ms - last_byte_ms(move);
	lesson = lesson_of(engine, &move->record, learn_class(guest->dirty_rate_bytes_per_s, rate, move->planned_disk_bytes));
	learn_add(lesson, &seen);
	lesson->updated_wall_ms = engine->wall_ms;
	engine_add_extra(engine, STORE_PUT_LESSON)->lesson = *lesson;
}

void lessons_guest(struct engine *engine, const struct guest *guest)
{
	struct store_op *op;

	if (!guest->is_measured || guest->uuid[0] == '\0')
		return;
	op = engine_add_extra(engine, STORE_PUT_GUEST);
	op->guest = (struct guest_fact){
		.dirty_rate_bytes_per_s = guest->dirty_rate_bytes_per_s, .working_set_bytes = guest->working_set_bytes,
		.measured_wall_ms = engine->wall_ms,
	};
	snprintf(op->guest.uuid, sizeof op->guest.uuid, "%s", guest->uuid);
}
