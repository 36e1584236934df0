/* [batch], [move] and [map] into requests. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "build.h"
#include "text.h"
#include "xalloc.h"

static const struct config_map *find_map(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_maps; i++)
		if (strcmp(config->maps[i].name, name) == 0)
			return &config->maps[i];
	return NULL;
}

static void add_map(struct build *build, const struct config *config, const struct section *section, const char *name,
	struct request *request)
{
	const struct config_map *map = find_map(config, name);
	const char **names;

	if (map != NULL) {
		for (size_t i = 0; i < map->n_nets; i++)
			name_map_add(&request->nets, &request->n_nets, map->nets[i].from, map->nets[i].to);
		for (size_t i = 0; i < map->n_pools; i++)
			name_map_add(&request->pools, &request->n_pools, map->pools[i].from, map->pools[i].to);
		return;
	}
	names = xcalloc(config->n_maps + 1, sizeof *names);
	for (size_t i = 0; i < config->n_maps; i++)
		names[i] = config->maps[i].name;
	build_problem(build, section, "map", "there is no [map %s]%s%s", name, name_suggest(names, name) == NULL ? "" : "; did you mean ",
		name_suggest(names, name) == NULL ? "" : name_suggest(names, name));
	free(names);
}

static void add_list(struct build *build, const struct section *section, const char *list, struct request *request)
{
	struct error error;
	struct text text;

	if (!text_read(list, BATCH_FILE_MAX, &text, &error)) {
		build_problem(build, section, "list", "%s", error.message);
		return;
	}
	if (text.was_cut)
		build_problem(build, section, "list", "%s is longer than %d MiB; split it", list, BATCH_FILE_MAX / 1024 / 1024);
	else
		batch_csv(list, text.data, text.n, request, build->problems);
	free(text.data);
}

static void take(char **to, char **from)
{
	*to = *from;
	*from = NULL;
}

static void add_move(struct raw_move *raw, const struct section *section, struct request *request)
{
	struct wanted_move *move;

	if (raw->vm == NULL)
		return; /* reported as missing */
	move = request_add_move(request, raw->vm);
	take(&move->from, &raw->from);
	take(&move->to, &raw->to);
	take(&move->to_pool, &raw->to_pool);
	move->priority = raw->priority;
	move->not_before_wall_ms = raw->not_before_wall_ms;
	move->max_rate_bytes_per_s = raw->max_rate_bytes_per_s;
	move->cannot_move = raw->cannot_move;
	move->where = xprintf("%s line %u", section->file, section->line);
}

/* Index of the batch a move belongs to; n_batches when that was reported as wrong. */
static size_t batch_of(struct build *build, const struct raw_move *move, const struct section *section)
{
	const char **names;
	const char *near;

	for (size_t i = 0; i < build->n_batches; i++)
		if (move->batch == NULL ? build->n_batches == 1 : strcmp(build->batches[i].name, move->batch) == 0)
			return i;
	if (move->batch == NULL) {
		build_problem(build, section, NULL, build->n_batches == 0 ? "there is no [batch] for it" : "batch is missing; there are several [batch] sections");
		return build->n_batches;
	}
	names = xcalloc(build->n_batches + 1, sizeof *names);
	for (size_t i = 0; i < build->n_batches; i++)
		names[i] = build->batches[i].name;
	near = name_suggest(names, move->batch);
	build_problem(build, section, "batch", "there is no [batch %s]%s%s", move->batch, near == NULL ? "" : "; did you mean ", near == NULL ? "" : near);
	free(names);
	return build->n_batches;
}

static void finish_batch(struct build *build, const struct section *section, const struct raw_batch *raw, struct request *request)
{
	if (request->n_moves == 0 && raw->list == NULL)
		build_problem(build, section, NULL, "has no moves: neither list = FILE.csv nor a [move]");
	for (size_t i = 0; i < request->n_moves; i++)
		if (request->moves[i].to == NULL)
			request->moves[i].to = xstrdup(raw->to);
	batch_check_duplicates(request, section->file, ERR_CONFIG, build->problems);
}

/* A batch file may hold nothing but moves. */
static void imply_batch(struct build *build)
{
	if (build->n_batches > 0 || build->n_moves == 0)
		return;
	build->batches = xcalloc(1, sizeof *build->batches);
	build->batch_sections = xcalloc(1, sizeof *build->batch_sections);
	build->batches[0].name = xstrdup("batch");
	build->batch_sections[0] = build->move_sections[0];
	build->n_batches = 1;
}

void build_batches(struct build *build, struct config *config, bool may_be_implicit)
{
	if (may_be_implicit)
		imply_batch(build);
	config->batches = xcalloc(build->n_batches + 1, sizeof *config->batches);
	for (; config->n_batches < build->n_batches; config->n_batches++) {
		struct raw_batch *raw = &build->batches[config->n_batches];
		const struct section *section = build->batch_sections[config->n_batches];
		struct request *request = request_new(REQUEST_BATCH);

		request->name = xstrdup(raw->name);
		request->reason = xstrdup(raw->reason);
		request->to_pool = xstrdup(raw->to_pool);
		config->batches[config->n_batches] = (struct config_batch){.name = xstrdup(raw->name), .request = request};
		if (raw->map != NULL)
			add_map(build, config, section, raw->map, request);
		if (raw->list != NULL)
			add_list(build, section, raw->list, request);
	}
	for (size_t i = 0; i < build->n_moves; i++) {
		size_t batch = batch_of(build, &build->moves[i], build->move_sections[i]);

		if (batch < config->n_batches)
			add_move(&build->moves[i], build->move_sections[i], config->batches[batch].request);
	}
	for (size_t i = 0; i < config->n_batches; i++)
		finish_batch(build, build->batch_sections[i], &build->batches[i], config->batches[i].request);
}
