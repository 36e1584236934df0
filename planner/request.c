/* Requests: what the operator wants, as owned values. */
#include "drover/plan.h"

#include <stdlib.h>

#include "xalloc.h"

static const char *const kind_names[] = {
	[REQUEST_DRAIN] = "drain", [REQUEST_MOVE] = "move", [REQUEST_BATCH] = "batch",
	[REQUEST_RETURN] = "return", [REQUEST_REBALANCE] = "rebalance", [REQUEST_ROLLING] = "rolling",
};

const char *request_kind_name(enum request_kind kind)
{
	return kind_names[kind];
}

struct request *request_new(enum request_kind kind)
{
	struct request *request = xcalloc(1, sizeof *request);

	request->kind = kind;
	return request;
}

struct wanted_move *request_add_move(struct request *request, const char *guest)
{
	struct wanted_move *move;

	request->moves = xgrow(request->moves, request->n_moves, sizeof *request->moves);
	move = &request->moves[request->n_moves++];
	*move = (struct wanted_move){.guest = xstrdup(guest)};
	return move;
}

void name_map_add(struct name_map **maps, size_t *n, const char *from, const char *to)
{
	*maps = xgrow(*maps, *n, sizeof **maps);
	(*maps)[(*n)++] = (struct name_map){.from = xstrdup(from), .to = xstrdup(to)};
}

static struct name_map *name_maps_copy(const struct name_map *maps, size_t n)
{
	struct name_map *copy = NULL;
	size_t done = 0;

	while (done < n)
		name_map_add(&copy, &done, maps[done].from, maps[done].to);
	return copy;
}

struct request *request_copy(const struct request *request)
{
	struct request *copy;
	size_t i;

	if (request == NULL)
		return NULL;
	copy = request_new(request->kind);
	for (i = 0; i < request->n_hosts; i++)
		strings_add(&copy->hosts, &copy->n_hosts, request->hosts[i]);
	for (i = 0; i < request->n_moves; i++) {
		const struct wanted_move *from = &request->moves[i];
		struct wanted_move *move = request_add_move(copy, from->guest);
		char *guest = move->guest;

		*move = *from;
		move->guest = guest;
		move->from = xstrdup(from->from);
		move->to = xstrdup(from->to);
		move->to_pool = xstrdup(from->to_pool);
		move->where = xstrdup(from->where);
		move->pools = name_maps_copy(from->pools, from->n_pools);
		move->nets = name_maps_copy(from->nets, from->n_nets);
	}
	copy->to_pool = xstrdup(request->to_pool);
	copy->pools = name_maps_copy(request->pools, copy->n_pools = request->n_pools);
	copy->nets = name_maps_copy(request->nets, copy->n_nets = request->n_nets);
	copy->cannot_move = request->cannot_move;
	copy->reason = xstrdup(request->reason);
	copy->name = xstrdup(request->name);
	return copy;
}

static void name_maps_free(struct name_map *maps, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(maps[i].from);
		free(maps[i].to);
	}
	free(maps);
}

void request_free(struct request *request)
{
	size_t i;

	if (request == NULL)
		return;
	for (i = 0; i < request->n_hosts; i++)
		free(request->hosts[i]);
	for (i = 0; i < request->n_moves; i++) {
		struct wanted_move *move = &request->moves[i];

		free(move->guest);
		free(move->from);
		free(move->to);
		free(move->to_pool);
		free(move->where);
		name_maps_free(move->pools, move->n_pools);
		name_maps_free(move->nets, move->n_nets);
	}
	name_maps_free(request->pools, request->n_pools);
	name_maps_free(request->nets, request->n_nets);
	free(request->hosts);
	free(request->moves);
	free(request->to_pool);
	free(request->reason);
	free(request->name);
	free(request);
}
