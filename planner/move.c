/* The states of moves and batches as tables, and their records as values. */
#include "drover/move.h"

#include <stdlib.h>
#include <string.h>

#include "drover/store.h"

static const struct {
	const char *name;
	bool is_end, is_on_wire, is_started;
} moves[MOVE_STATE_COUNT] = {
#define X(symbol, name, is_end, is_on_wire, is_started) {name, is_end, is_on_wire, is_started},
	MOVE_STATES(X)
#undef X
};

#define TO(state) (1u << MOVE_##state)
/* A preflight has no side effects, so its failure needs no reconcile; from PREPARING on every
 * failure goes through UNKNOWN. */
static const unsigned next_moves[MOVE_STATE_COUNT] = {
	[MOVE_PLANNED] = TO(WAITING) | TO(CANCELLED) | TO(FAILED),
	[MOVE_WAITING] = TO(PREFLIGHT) | TO(CANCELLED) | TO(FAILED) | TO(UNKNOWN),
	/* What is only shut down or started has no copy. */
	[MOVE_PREFLIGHT] = TO(PREPARING) | TO(WAITING) | TO(FAILED) | TO(CANCELLED) | TO(UNKNOWN),
	[MOVE_PREPARING] = TO(COPYING_DISKS) | TO(COPYING_MEMORY) | TO(VERIFYING) | TO(UNKNOWN),
	[MOVE_COPYING_DISKS] = TO(COPYING_MEMORY) | TO(SWITCHOVER) | TO(POST_COPY) | TO(VERIFYING) | TO(CANCELLING) | TO(UNKNOWN),
	[MOVE_COPYING_MEMORY] = TO(SWITCHOVER) | TO(POST_COPY) | TO(VERIFYING) | TO(CANCELLING) | TO(UNKNOWN),
	[MOVE_SWITCHOVER] = TO(COPYING_MEMORY) | TO(POST_COPY) | TO(VERIFYING) | TO(CANCELLING) | TO(UNKNOWN),
	/* Back only when the switch did not happen. */
	[MOVE_POST_COPY] = TO(COPYING_MEMORY) | TO(VERIFYING) | TO(UNKNOWN),
	[MOVE_VERIFYING] = TO(CLEANUP) | TO(UNKNOWN),
	[MOVE_CLEANUP] = TO(DONE) | TO(UNKNOWN),
	[MOVE_CANCELLING] = TO(UNKNOWN) | TO(POST_COPY) | TO(VERIFYING),
	[MOVE_UNKNOWN] = TO(WAITING) | TO(COPYING_DISKS) | TO(COPYING_MEMORY) | TO(POST_COPY) | TO(VERIFYING) | TO(CLEANUP) |
		TO(CANCELLED) | TO(FAILED) | TO(CANCELLING),
};

static const struct {
	const char *name;
	bool is_end;
} batches[BATCH_STATE_COUNT] = {
#define X(symbol, name, is_end) {name, is_end},
	BATCH_STATES(X)
#undef X
};

#define BATCH_TO(state) (1u << BATCH_##state)
static const unsigned next_batches[BATCH_STATE_COUNT] = {
	[BATCH_RUNNING] = BATCH_TO(PAUSED) | BATCH_TO(CANCELLING) | BATCH_TO(DONE) | BATCH_TO(SOME_LEFT) | BATCH_TO(CANCELLED),
	[BATCH_PAUSED] = BATCH_TO(RUNNING) | BATCH_TO(CANCELLING) | BATCH_TO(DONE) | BATCH_TO(SOME_LEFT) | BATCH_TO(CANCELLED),
	[BATCH_CANCELLING] = BATCH_TO(DONE) | BATCH_TO(SOME_LEFT) | BATCH_TO(CANCELLED),
};

const char *move_state_name(enum move_state state)
{
	return moves[state].name;
}

enum move_state move_state_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < MOVE_STATE_COUNT; i++)
		if (strcmp(moves[i].name, name) == 0)
			break;
	return (enum move_state)i;
}

bool move_state_is_end(enum move_state state)
{
	return moves[state].is_end;
}

bool move_state_is_on_wire(enum move_state state)
{
	return moves[state].is_on_wire;
}

bool move_state_is_started(enum move_state state)
{
	return moves[state].is_started;
}

bool move_state_allows(enum move_state from, enum move_state to)
{
	return (next_moves[from] & (1u << to)) != 0;
}

static const char *const post_copies[POST_COPY_COUNT] = {"no", "allowed", "used"};

const char *post_copy_name(enum post_copy post_copy)
{
	return post_copies[post_copy];
}

enum post_copy post_copy_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < POST_COPY_COUNT; i++)
		if (strcmp(post_copies[i], name) == 0)
			break;
	return (enum post_copy)i;
}

static const char *const methods[] = {"live", "shutdown", "cold", "start"};

const char *move_method_name(enum move_method method)
{
	return methods[method];
}

enum move_method move_method_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i], name) == 0)
			return (enum move_method)i;
	return METHOD_LIVE;
}

static const char *const legs[LEG_COUNT] = {"whole", "first", "second"};

const char *leg_name(enum leg leg)
{
	return legs[leg];
}

enum leg leg_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < LEG_COUNT; i++)
		if (strcmp(legs[i], name) == 0)
			break;
	return (enum leg)i;
}

const char *batch_state_name(enum batch_state state)
{
	return batches[state].name;
}

enum batch_state batch_state_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < BATCH_STATE_COUNT; i++)
		if (strcmp(batches[i].name, name) == 0)
			break;
	return (enum batch_state)i;
}

bool batch_state_is_end(enum batch_state state)
{
	return batches[state].is_end;
}

bool batch_state_allows(enum batch_state from, enum batch_state to)
{
	return (next_batches[from] & (1u << to)) != 0;
}

void batch_record_clear(struct batch_record *record)
{
	free(record->title);
	free(record->reason);
	free(record->who);
	free(record->hosts);
	free(record->request_json);
	*record = (struct batch_record){0};
}

void move_record_clear(struct move_record *record)
{
	free(record->guest);
	free(record->source);
	free(record->target);
	free(record->network);
	free(record->path_source);
	free(record->path_target);
	free(record->reason);
	hv_disks_free(record->disks, record->n_disks);
	*record = (struct move_record){0};
}

void store_image_free(struct store_image *image)
{
	size_t i;

	if (image == NULL)
		return;
	for (i = 0; i < image->n_batches; i++)
		batch_record_clear(&image->batches[i]);
	for (i = 0; i < image->n_moves; i++)
		move_record_clear(&image->moves[i]);
	free(image->batches);
	free(image->moves);
	free(image->hosts);
	free(image->paths);
	free(image->limits);
	free(image->lessons);
	free(image->guests);
	free(image);
}
