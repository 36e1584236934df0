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

struct key {
	char text[2 * (NAME_BYTES_MAX + 1) + 16];
};

/* A line break is in no name. */
static struct key key_of(const char *source, const char *target, enum move_class class)
{
	struct key key;

	snprintf(key.text, sizeof key.text, "%s\n%s\n%d", source, target, (int)class);
	return key;
}

static uint32_t find(const struct key_index *index, const struct key *key)
{
	return index->index == NULL ? INDEX_NONE : name_index_find(index->index, key->text);
}

static void add_key(struct key_index *index, const struct key *key, size_t value)
{
	if (index->index == NULL)
		index->index = name_index_new(0);
	index->keys = xgrow(index->keys, index->n, sizeof *index->keys);
	index->keys[index->n] = xstrdup(key->text);
	name_index_add(index->index, index->keys[index->n++], (uint32_t)value);
}

static void free_keys(struct key_index *index)
{
	size_t i;

	for (i = 0; i < index->n; i++)
		free(index->keys[i]);
	free(index->keys);
	name_index_free(index->index);
}

void lessons_free(struct engine *engine)
{
	free_keys(&engine->path_index);
	free_keys(&engine->lesson_index);
	free(engine->paths);
	free(engine->lessons);
}

static struct path_rate *add_path(struct engine *engine, const struct path_rate *from)
{
	struct key key = key_of(from->source, from->target, CLASS_COUNT);

	add_key(&engine->path_index, &key, engine->n_paths);
	engine->paths = xgrow(engine->paths, engine->n_paths, sizeof *engine->paths);
	engine->paths[engine->n_paths] = *from;
	return &engine->paths[engine->n_paths++];
}

static struct lesson *add_lesson(struct engine *engine, const struct lesson *from)
{
	struct key key = key_of(from->source, from->target, from->class);

	add_key(&engine->lesson_index, &key, engine->n_lessons);
	engine->lessons = xgrow(engine->lessons, engine->n_lessons, sizeof *engine->lessons);
	engine->lessons[engine->n_lessons] = *from;
	return &engine->lessons[engine->n_lessons++];
}

void lessons_restore(struct engine *engine, const struct store_image *image)
{
	size_t i;

	for (i = 0; i < image->n_paths; i++)
		add_path(engine, &image->paths[i]);
	for (i = 0; i < image->n_lessons; i++)
		add_lesson(engine, &image->lessons[i]);
}

static uint64_t follow(uint64_t mean, uint64_t value)
{
	return value == 0 ? mean : mean == 0 ? value : (3 * mean + value) / 4;
}

static struct path_rate *path_of(struct engine *engine, const struct move_record *record)
{
	struct key key = key_of(record->source, record->target, CLASS_COUNT);
	uint32_t at = find(&engine->path_index, &key);
	struct path_rate path = {0};

	if (at != INDEX_NONE)
		return &engine->paths[at];
	snprintf(path.source, sizeof path.source, "%s", record->source);
	snprintf(path.target, sizeof path.target, "%s", record->target);
	return add_path(engine, &path);
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
	struct key key = key_of(record->source, record->target, class);
	uint32_t at = find(&engine->lesson_index, &key);
	struct lesson lesson = {.class = class};

	if (at != INDEX_NONE)
		return &engine->lessons[at];
	snprintf(lesson.source, sizeof lesson.source, "%s", record->source);
	snprintf(lesson.target, sizeof lesson.target, "%s", record->target);
	return add_lesson(engine, &lesson);
}

static uint64_t planned_rate(const struct move *move)
{
	return move->record.planned_rate_bytes_per_s != 0 ? move->record.planned_rate_bytes_per_s : 1;
}

static enum move_class class_of(const struct engine *engine, const struct move *move)
{
	return learn_class(engine->inventory->guests[move->guest].dirty_rate_bytes_per_s, planned_rate(move), move->planned_disk_bytes);
}

const struct lesson *lessons_of_move(const struct engine *engine, const struct move *move)
{
	struct key key;
	uint32_t at;

	if (move->guest == INDEX_NONE || move->record.target == NULL || move->record.method != METHOD_LIVE)
		return NULL;
	key = key_of(move->record.source, move->record.target, class_of(engine, move));
	at = find(&engine->lesson_index, &key);
	return at != INDEX_NONE ? &engine->lessons[at] : NULL;
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

	if (move->head_ms == 0 || move->first_byte_ms == 0 || ms < RATE_SHORTEST_MS || rates_is_limited(engine, move) ||
		move->record.bytes_transferred <= move->head_bytes)
		return 0;
	return mul_div(move->record.bytes_transferred - move->head_bytes, 1000, (uint64_t)ms);
}

void lessons_learn(struct engine *engine, const struct move *move)
{
	const struct guest *guest = move->guest == INDEX_NONE ? NULL : &engine->inventory->guests[move->guest];
	struct observation seen = {.setup_ms = -1, .finish_ms = -1};
	struct estimate estimate;
	struct lesson *lesson;

	/* A move that was found under way has shown only a part of itself; post-copy goes another way than the model. */
	if (guest == NULL || move->record.method != METHOD_LIVE || move->sent_ms == 0 || move->record.post_copy == POST_COPY_USED)
		return;
	planner_estimate(guest, move->planned_disk_bytes, planned_rate(move), &engine->options.plan, &estimate);
	seen.rate_bytes_per_s = rate_of(engine, move);
	if (estimate.converges)
		seen.bytes_milli = milli_of(move->record.bytes_transferred, estimate.bytes);
	if (move->record.measured_downtime_ms > 0 && estimate.converges)
		seen.downtime_milli = milli_of((uint64_t)move->record.measured_downtime_ms, (uint64_t)estimate.downtime_ms);
	if (move->first_byte_ms != 0)
		seen.setup_ms = move->first_byte_ms - move->attempt_ms;
	seen.finish_ms = engine->now_ms - last_byte_ms(move);
	lesson = lesson_of(engine, &move->record, class_of(engine, move));
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
