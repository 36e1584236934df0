/* Requests as documents (drover/request/1): inside plans, so that apply knows what was asked, and in the
 * state file, so that a restart replans alike. */
#include <stdlib.h>
#include <string.h>

#include "plan_doc.h"
#include "xalloc.h"

#define SCHEMA "drover/request/1"

static void write_maps(struct json_writer *writer, const char *key, const struct name_map *maps, size_t n)
{
	json_open(writer, key, '[');
	for (size_t i = 0; i < n; i++) {
		json_open(writer, NULL, '{');
		json_put_text(writer, "from", maps[i].from);
		json_put_text(writer, "to", maps[i].to);
		json_close(writer, '}');
	}
	json_close(writer, ']');
}

static void write_move(struct json_writer *writer, const struct wanted_move *move)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, "guest", move->guest);
	json_put_text(writer, "from", move->from);
	json_put_text(writer, "to", move->to);
	json_put_text(writer, "to_pool", move->to_pool);
	json_put_i64(writer, "priority", move->priority);
	json_put_time(writer, "not_before", move->not_before_wall_ms);
	json_put_u64(writer, "max_rate_bytes_per_second", move->max_rate_bytes_per_s);
	write_maps(writer, "pools", move->pools, move->n_pools);
	write_maps(writer, "networks", move->nets, move->n_nets);
	json_put_text(writer, "where", move->where);
	json_put_text(writer, "cannot_move", cannot_move_name(move->cannot_move));
	json_put_bool(writer, "start", move->is_start);
	json_close(writer, '}');
}

void request_write(struct json_writer *writer, const char *key, const struct request *request)
{
	json_open(writer, key, '{');
	json_put_text(writer, "schema", SCHEMA);
	json_put_text(writer, "kind", request_kind_name(request->kind));
	json_put_text(writer, "name", request->name);
	json_put_text(writer, "reason", request->reason);
	json_put_text(writer, "to_pool", request->to_pool);
	json_put_text(writer, "cannot_move", cannot_move_name(request->cannot_move));
	json_open(writer, "hosts", '[');
	for (size_t i = 0; i < request->n_hosts; i++)
		json_put_text(writer, NULL, request->hosts[i]);
	json_close(writer, ']');
	write_maps(writer, "pools", request->pools, request->n_pools);
	write_maps(writer, "networks", request->nets, request->n_nets);
	json_open(writer, "moves", '[');
	for (size_t i = 0; i < request->n_moves; i++)
		write_move(writer, &request->moves[i]);
	json_close(writer, ']');
	json_close(writer, '}');
}

char *request_json(const struct request *request)
{
	struct json_writer writer;

	json_begin(&writer, 0);
	request_write(&writer, NULL, request);
	return json_end(&writer);
}

struct map_target {
	struct name_map **maps;
	size_t *n;
};

static bool read_map(struct json_reader *reader, const json_t *element, void *context)
{
	const struct map_target *target = context;
	const char *from, *to;

	if (!json_need_text(reader, element, "from", &from) || !json_need_text(reader, element, "to", &to))
		return false;
	name_map_add(target->maps, target->n, from, to);
	return true;
}

static bool read_maps(struct json_reader *reader, const json_t *object, struct name_map **pools, size_t *n_pools,
	struct name_map **nets, size_t *n_nets)
{
	struct map_target to_pools = {pools, n_pools}, to_nets = {nets, n_nets};

	return json_each(reader, object, "pools", read_map, &to_pools) && json_each(reader, object, "networks", read_map, &to_nets);
}

static const struct json_field move_fields[] = {
	{"from", FIELD_TEXT, offsetof(struct wanted_move, from), 0},
	{"to", FIELD_TEXT, offsetof(struct wanted_move, to), 0},
	{"to_pool", FIELD_TEXT, offsetof(struct wanted_move, to_pool), 0},
	{"start", FIELD_BOOL, offsetof(struct wanted_move, is_start), 0},
	{"where", FIELD_TEXT, offsetof(struct wanted_move, where), 0},
	{"priority", FIELD_I32, offsetof(struct wanted_move, priority), 0},
	{"max_rate_bytes_per_second", FIELD_U64, offsetof(struct wanted_move, max_rate_bytes_per_s), 0},
	{NULL, FIELD_BOOL, 0, 0},
};

static const struct json_field request_fields[] = {
	{"name", FIELD_TEXT, offsetof(struct request, name), 0},
	{"to_pool", FIELD_TEXT, offsetof(struct request, to_pool), 0},
	{"hosts", FIELD_TEXTS, offsetof(struct request, hosts), offsetof(struct request, n_hosts)},
	{NULL, FIELD_BOOL, 0, 0},
};

/* Requests of before were written with the word live for leave. */
static bool read_cannot_move(struct json_reader *reader, const json_t *object, enum cannot_move *ret)
{
	const char *name = NULL;

	if (!json_get_text(reader, object, "cannot_move", NAME_BYTES_MAX, &name))
		return false;
	*ret = name == NULL ? CANNOT_MOVE_UNSAID : strcmp(name, "live") == 0 ? CANNOT_MOVE_LEAVE : cannot_move_by_name(name);
	if (name != NULL && *ret == CANNOT_MOVE_UNSAID)
		return json_wrong(reader, "cannot_move", "\"%s\" is not leave, shutdown or cold", name);
	return true;
}

static bool read_move(struct json_reader *reader, const json_t *element, void *context)
{
	struct request *request = context;
	struct wanted_move *move;
	const char *guest;

	if (!json_need_text(reader, element, "guest", &guest))
		return false;
	if (request->n_moves == INVENTORY_GUESTS_MAX)
		return json_wrong(reader, NULL, "more than %d moves", INVENTORY_GUESTS_MAX);
	move = request_add_move(request, guest);
	return json_read_fields(reader, element, move_fields, move) &&
		json_get_time(reader, element, "not_before", &move->not_before_wall_ms) &&
		read_cannot_move(reader, element, &move->cannot_move) &&
		read_maps(reader, element, &move->pools, &move->n_pools, &move->nets, &move->n_nets);
}

/* The operator's words may be empty, long and of several lines. */
static bool read_reason(struct json_reader *reader, const json_t *object, struct request *request)
{
	const json_t *reason = json_object_get(object, "reason");

	if (reason == NULL || json_is_null(reason))
		return true;
	if (!json_is_string(reason))
		return json_wrong(reader, "reason", "must be a string");
	request->reason = xstrdup(json_string_value(reason));
	return true;
}

static bool kind_by_name(const char *name, enum request_kind *ret_kind)
{
	for (enum request_kind kind = REQUEST_DRAIN; kind <= REQUEST_ROLLING; kind++)
		if (strcmp(request_kind_name(kind), name) == 0) {
			*ret_kind = kind;
			return true;
		}
	return false;
}

struct request *request_read(struct json_reader *reader, const json_t *object)
{
	struct request *request;
	enum request_kind kind;
	const char *name;

	if (!json_need_text(reader, object, "kind", &name))
		return NULL;
	if (!kind_by_name(name, &kind)) {
		json_wrong(reader, "kind", "\"%s\" is not drain, move, batch, return, rebalance or rolling", name);
		return NULL;
	}
	request = request_new(kind);
	if (read_cannot_move(reader, object, &request->cannot_move) && json_read_fields(reader, object, request_fields, request) && read_reason(reader, object, request) &&
		read_maps(reader, object, &request->pools, &request->n_pools, &request->nets, &request->n_nets) &&
		json_each(reader, object, "moves", read_move, request))
		return request;
	request_free(request);
	return NULL;
}

struct request *request_parse(const char *text, struct error *err)
{
	struct json_reader reader = {.name = "request", .err = err};
	json_t *root = json_load_document(&reader, text, strlen(text), SCHEMA);
	struct request *request;

	if (root == NULL)
		return NULL;
	request = request_read(&reader, root);
	json_decref(root);
	return request;
}
