/* The plan document (drover/plan/1): what `plan -o json` prints and `apply` runs. Names instead of indices,
 * seconds instead of milliseconds, and the request and the facts it rests on, so that it stands alone. */
#include "plan_doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "xalloc.h"

#define SCHEMA "drover/plan/1"

enum { PLAN_BYTES_MAX = 1 << 30 };

static const char *const direction_names[] = {[DIRECTION_OUT] = "out", [DIRECTION_IN] = "in", [DIRECTION_SHARED] = "shared"};

static void write_move(struct json_writer *writer, const struct planned_move *move, size_t i, const struct inventory *inventory)
{
	const struct guest *guest = &inventory->guests[move->guest];

	json_open(writer, NULL, '{');
	json_put_u64(writer, "order", i);
	json_put_text(writer, "guest", guest->name);
	if (guest->uuid[0] != '\0')
		json_put_text(writer, "uuid", guest->uuid);
	json_put_text(writer, "source", inventory->hosts[move->source].name);
	json_put_text(writer, "target", inventory->hosts[move->target].name);
	json_put_text(writer, "kind", move_kind_name(move->kind));
	json_put_text(writer, "method", move_method_name(move->method));
	json_put_text(writer, "leg", leg_name(move->leg));
	json_put_milli(writer, "start_seconds", move->start_ms);
	json_put_milli(writer, "duration_seconds", move->duration_ms);
	json_put_milli(writer, "duration_low_seconds", move->duration_low_ms);
	json_put_milli(writer, "duration_high_seconds", move->duration_high_ms);
	json_put_u64(writer, "bytes", move->bytes);
	json_put_u64(writer, "bytes_low", move->bytes_low);
	json_put_u64(writer, "bytes_high", move->bytes_high);
	json_put_u64(writer, "disk_bytes", move->disk_bytes);
	json_put_u64(writer, "rate_bytes_per_second", move->rate_bytes_per_s);
	json_put_bool(writer, "rate_is_assumed", move->rate_is_assumed);
	json_put_milli(writer, "downtime_seconds", move->downtime_ms);
	json_put_milli(writer, "downtime_low_seconds", move->downtime_low_ms);
	json_put_milli(writer, "downtime_high_seconds", move->downtime_high_ms);
	json_put_u64(writer, "samples", move->samples);
	json_put_bool(writer, "converges", move->converges);
	json_put_text(writer, "network", move->network == INDEX_NONE ? NULL : inventory->networks[move->network].name);
	if (move->after != INDEX_NONE)
		json_put_u64(writer, "after", move->after);
	if (move->wanted != INDEX_NONE)
		json_put_u64(writer, "wanted", move->wanted);
	json_put_text(writer, "reason", move->reason);
	json_close(writer, '}');
}

/* Of a guest that stays, or of one that is moved all the same. */
static void write_said(struct json_writer *writer, const char *guest, const struct error *error)
{
	json_open(writer, NULL, '{');
	json_put_text(writer, "guest", guest);
	json_put_text(writer, "code", error_code_name(error->code));
	json_put_text(writer, "message", error->message);
	json_put_text(writer, "hint", error->hint);
	json_close(writer, '}');
}

static void write_bottleneck(struct json_writer *writer, const struct plan *plan, const struct inventory *inventory)
{
	json_open(writer, "bottleneck", '{');
	json_put_text(writer, "host", plan->bottleneck_host == INDEX_NONE ? NULL : inventory->hosts[plan->bottleneck_host].name);
	json_put_text(writer, "direction", direction_names[plan->bottleneck_direction]);
	json_put_text(writer, "guest", plan->bottleneck_guest == INDEX_NONE ? NULL : inventory->guests[plan->bottleneck_guest].name);
	json_put_text(writer, "text", plan->bottleneck_text);
	json_put_text(writer, "last_text", plan->last_text[0] == '\0' ? NULL : plan->last_text);
	json_close(writer, '}');
}

char *plan_json(const struct plan *plan, const struct inventory *inventory, const struct request *request)
{
	struct json_writer writer;

	json_begin(&writer, 2);
	json_open(&writer, NULL, '{');
	json_put_text(&writer, "schema", SCHEMA);
	json_put_text(&writer, "kind", request_kind_name(plan->kind));
	json_open(&writer, "moves", '[');
	for (size_t i = 0; i < plan->n_moves; i++)
		write_move(&writer, &plan->moves[i], i, inventory);
	json_close(&writer, ']');
	json_open(&writer, "blocked", '[');
	for (size_t i = 0; i < plan->n_blocked; i++)
		write_said(&writer, plan->blocked[i].name, &plan->blocked[i].error);
	json_close(&writer, ']');
	json_open(&writer, "warnings", '[');
	for (size_t i = 0; i < plan->n_warnings; i++)
		write_said(&writer, inventory->guests[plan->moves[plan->warnings[i].move].guest].name, &plan->warnings[i].error);
	json_close(&writer, ']');
	json_put_milli(&writer, "makespan_seconds", plan->makespan_ms);
	json_put_milli(&writer, "makespan_low_seconds", plan->makespan_low_ms);
	json_put_milli(&writer, "makespan_high_seconds", plan->makespan_high_ms);
	json_put_milli(&writer, "lower_bound_seconds", plan->lower_bound_ms);
	write_bottleneck(&writer, plan, inventory);
	json_put_text(&writer, "inventory_digest", plan->inventory_digest);
	if (request != NULL)
		request_write(&writer, "request", request);
	brief_write(&writer, "inventory_brief", inventory);
	json_close(&writer, '}');
	return json_end(&writer);
}

/* ---- reading ---- */

struct reading {
	const struct inventory *inventory;
	struct plan *plan;
};

static bool read_host(struct json_reader *reader, const json_t *element, const char *key, const struct inventory *inventory, uint32_t *ret)
{
	const char *name;

	if (!json_need_text(reader, element, key, &name))
		return false;
	*ret = inventory_host(inventory, name);
	return *ret != INDEX_NONE || json_wrong(reader, key, "there is no host %s", name);
}

static bool read_guest(struct json_reader *reader, const json_t *element, const struct inventory *inventory, uint32_t *ret)
{
	const char *name, *uuid = NULL;
	struct error error;

	if (!json_need_text(reader, element, "guest", &name) || !json_get_text(reader, element, "uuid", NAME_BYTES_MAX, &uuid))
		return false;
	*ret = inventory_guest(inventory, uuid == NULL ? name : uuid, &error);
	return *ret != INDEX_NONE || json_wrong(reader, "guest", "%s", error.message);
}

static bool read_network(struct json_reader *reader, const json_t *element, const struct inventory *inventory, uint32_t *ret)
{
	const char *name = NULL;

	*ret = INDEX_NONE;
	if (!json_get_text(reader, element, "network", NAME_BYTES_MAX, &name) || name == NULL)
		return name == NULL;
	for (size_t i = 0; i < inventory->n_networks; i++)
		if (strcmp(inventory->networks[i].name, name) == 0)
			*ret = (uint32_t)i;
	return *ret != INDEX_NONE || json_wrong(reader, "network", "there is no migration network %s", name);
}

static bool read_index(struct json_reader *reader, const json_t *element, const char *key, uint32_t *ret)
{
	uint64_t value = INDEX_NONE;

	if (!json_get_u64(reader, element, key, UINT32_MAX - 1, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool read_kind(struct json_reader *reader, const json_t *element, enum move_kind *ret)
{
	const char *name;

	if (!json_need_text(reader, element, "kind", &name))
		return false;
	for (enum move_kind kind = MOVE_SHARED; kind <= MOVE_MIXED; kind++)
		if (strcmp(move_kind_name(kind), name) == 0) {
			*ret = kind;
			return true;
		}
	return json_wrong(reader, "kind", "\"%s\" is not shared, shared_nothing or mixed", name);
}

#define SECONDS_MAX_MS ((int64_t)1 << 52) /* what a JSON number of seconds holds exactly */

static bool read_times(struct json_reader *reader, const json_t *element, struct planned_move *move)
{
	bool ok = json_get_milli(reader, element, "start_seconds", SECONDS_MAX_MS, &move->start_ms) &&
		json_get_milli(reader, element, "duration_seconds", SECONDS_MAX_MS, &move->duration_ms);

	ok = ok && json_get_milli(reader, element, "downtime_seconds", SECONDS_MAX_MS, &move->downtime_ms);
	move->duration_low_ms = move->duration_high_ms = move->duration_ms;
	move->downtime_low_ms = move->downtime_high_ms = move->downtime_ms;
	return ok && json_get_milli(reader, element, "duration_low_seconds", SECONDS_MAX_MS, &move->duration_low_ms) &&
		json_get_milli(reader, element, "duration_high_seconds", SECONDS_MAX_MS, &move->duration_high_ms) &&
		json_get_milli(reader, element, "downtime_low_seconds", SECONDS_MAX_MS, &move->downtime_low_ms) &&
		json_get_milli(reader, element, "downtime_high_seconds", SECONDS_MAX_MS, &move->downtime_high_ms);
}

static bool read_bytes(struct json_reader *reader, const json_t *element, struct planned_move *move)
{
	uint64_t samples = 0;
	bool ok = json_get_u64(reader, element, "bytes", INT64_MAX, &move->bytes);

	move->bytes_low = move->bytes_high = move->bytes;
	ok = ok && json_get_u64(reader, element, "bytes_low", INT64_MAX, &move->bytes_low) &&
		json_get_u64(reader, element, "bytes_high", INT64_MAX, &move->bytes_high) &&
		json_get_u64(reader, element, "disk_bytes", INT64_MAX, &move->disk_bytes) &&
		json_get_u64(reader, element, "samples", UINT32_MAX, &samples);
	move->samples = (uint32_t)samples;
	return ok;
}

static bool read_method(struct json_reader *reader, const json_t *element, enum move_method *ret)
{
	const char *name = NULL;

	if (!json_get_text(reader, element, "method", NAME_BYTES_MAX, &name))
		return false;
	*ret = name != NULL ? move_method_by_name(name) : METHOD_LIVE;
	return true;
}

static bool read_leg(struct json_reader *reader, const json_t *element, enum leg *ret)
{
	const char *name = NULL;

	if (!json_get_text(reader, element, "leg", NAME_BYTES_MAX, &name))
		return false;
	*ret = name != NULL ? leg_by_name(name) : LEG_WHOLE;
	return *ret != LEG_COUNT || json_wrong(reader, "leg", "\"%s\" is not whole, first or second", name);
}

/* A second leg begins where the first has ended, which is checked when all are read. */
static bool is_where_it_is(struct json_reader *reader, const struct inventory *inventory, const struct planned_move *move)
{
	uint32_t host = inventory->guests[move->guest].host;

	return move->leg == LEG_SECOND || host == move->source ||
		json_wrong(reader, "source", "guest %s is on %s", inventory->guests[move->guest].name, inventory->hosts[host].name);
}

static bool read_move(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	const struct inventory *inventory = reading->inventory;
	struct plan *plan = reading->plan;
	struct planned_move move = {.converges = true};
	const json_t *reason = json_object_get(element, "reason");

	if (!read_guest(reader, element, inventory, &move.guest) || !read_host(reader, element, "source", inventory, &move.source) ||
		!read_host(reader, element, "target", inventory, &move.target) || !read_kind(reader, element, &move.kind) || !read_method(reader, element, &move.method) ||
		!read_leg(reader, element, &move.leg) ||
		!read_times(reader, element, &move) || !read_network(reader, element, inventory, &move.network) ||
		!read_index(reader, element, "after", &move.after) || !read_index(reader, element, "wanted", &move.wanted) ||
		!read_bytes(reader, element, &move) ||
		!json_get_u64(reader, element, "rate_bytes_per_second", INT64_MAX, &move.rate_bytes_per_s) ||
		!json_get_bool(reader, element, "rate_is_assumed", &move.rate_is_assumed) ||
		!json_get_bool(reader, element, "converges", &move.converges))
		return false;
	if ((move.source == move.target) != (move.method == METHOD_SHUTDOWN || move.method == METHOD_START))
		return json_wrong(reader, "target", "is the source");
	if (!is_where_it_is(reader, inventory, &move))
		return false;
	if (json_is_string(reason))
		snprintf(move.reason, sizeof move.reason, "%s", json_string_value(reason));
	plan->moves = xgrow(plan->moves, plan->n_moves, sizeof *plan->moves);
	plan->moves[plan->n_moves++] = move;
	return true;
}

static bool read_said(struct json_reader *reader, const json_t *element, const char **ret_guest, struct error *ret_error)
{
	const char *code, *text;

	if (!json_need_text(reader, element, "guest", ret_guest) || !json_need_text(reader, element, "code", &code))
		return false;
	if (error_code_by_name(code) == ERROR_CODE_COUNT)
		return json_wrong(reader, "code", "\"%s\" is not an error code", code);
	text = json_string_value(json_object_get(element, "message"));
	error_set(ret_error, error_code_by_name(code), "%s", text == NULL ? "" : text);
	text = json_string_value(json_object_get(element, "hint"));
	if (text != NULL)
		error_hint(ret_error, "%s", text);
	return true;
}

static bool read_blocked(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	struct plan *plan = reading->plan;
	struct blocked_guest blocked = {0};
	const char *name;

	if (!read_said(reader, element, &name, &blocked.error))
		return false;
	blocked.guest = inventory_guest(reading->inventory, name, NULL);
	blocked.name = xstrdup(name);
	plan->blocked = xgrow(plan->blocked, plan->n_blocked, sizeof *plan->blocked);
	plan->blocked[plan->n_blocked++] = blocked;
	return true;
}

/* Warnings stand in the order of their moves. */
static bool read_warning(struct json_reader *reader, const json_t *element, void *context)
{
	struct reading *reading = context;
	struct plan *plan = reading->plan;
	struct plan_warning warning = {0};
	const char *name;
	size_t at = plan->n_warnings > 0 ? plan->warnings[plan->n_warnings - 1].move : 0;

	if (!read_said(reader, element, &name, &warning.error))
		return false;
	while (at < plan->n_moves && strcmp(reading->inventory->guests[plan->moves[at].guest].name, name) != 0)
		at++;
	if (at == plan->n_moves)
		return json_wrong(reader, "guest", "no move of guest %s is left to warn of", name);
	warning.move = (uint32_t)at;
	plan->warnings = xgrow(plan->warnings, plan->n_warnings, sizeof *plan->warnings);
	plan->warnings[plan->n_warnings++] = warning;
	return true;
}

static bool read_bottleneck(struct json_reader *reader, const json_t *root, const struct inventory *inventory, struct plan *plan)
{
	const json_t *object, *text;
	const char *host = NULL, *direction = NULL, *guest = NULL;
	bool ok;

	plan->bottleneck_host = plan->bottleneck_guest = INDEX_NONE;
	if (!json_get_object(reader, root, "bottleneck", &object))
		return false;
	if (object == NULL)
		return true;
	json_enter(reader, "bottleneck", 0);
	ok = json_get_text(reader, object, "host", NAME_BYTES_MAX, &host) && json_get_text(reader, object, "direction", NAME_BYTES_MAX, &direction) &&
		json_get_text(reader, object, "guest", NAME_BYTES_MAX, &guest);
	json_leave(reader);
	if (!ok)
		return false;
	if (host != NULL)
		plan->bottleneck_host = inventory_host(inventory, host);
	if (guest != NULL)
		plan->bottleneck_guest = inventory_guest(inventory, guest, NULL);
	for (enum direction i = DIRECTION_OUT; direction != NULL && i <= DIRECTION_SHARED; i++)
		if (strcmp(direction_names[i], direction) == 0)
			plan->bottleneck_direction = i;
	text = json_object_get(object, "text");
	if (json_is_string(text))
		snprintf(plan->bottleneck_text, sizeof plan->bottleneck_text, "%s", json_string_value(text));
	text = json_object_get(object, "last_text");
	if (json_is_string(text))
		snprintf(plan->last_text, sizeof plan->last_text, "%s", json_string_value(text));
	return true;
}

/* May this move of the guest come next? before: its last one in the plan, NULL = none. */
static bool goes_on_from(const struct planned_move *before, const struct planned_move *move)
{
	if (before == NULL)
		return move->leg != LEG_SECOND;
	return before->leg == LEG_FIRST && move->leg == LEG_SECOND && before->target == move->source && move->target != before->source;
}

/* A guest is moved once, or by way of a third host: a first leg and then, from where that ends, a second. */
static bool check_guests(struct json_reader *reader, const struct plan *plan, const struct inventory *inventory)
{
	const struct planned_move **last = xcalloc(inventory->n_guests + 1, sizeof(struct planned_move *));
	bool is_good = true;

	for (size_t i = 0; i < plan->n_moves && is_good; i++) {
		const struct planned_move *move = &plan->moves[i];
		const char *name = inventory->guests[move->guest].name;

		is_good = goes_on_from(last[move->guest], move) || (last[move->guest] == NULL ?
			json_wrong(reader, "moves", "guest %s has a second leg without a first", name) :
			json_wrong(reader, "moves", "guest %s is moved twice", name));
		last[move->guest] = move;
	}
	for (size_t i = 0; i < inventory->n_guests && is_good; i++)
		is_good = last[i] == NULL || last[i]->leg != LEG_FIRST ||
			json_wrong(reader, "moves", "guest %s has a first leg without a second", inventory->guests[i].name);
	free(last);
	return is_good;
}

/* Indices between moves must lie within the document; a move after itself would never start. */
static bool check_indices(struct json_reader *reader, const struct plan *plan, const struct request *request)
{
	for (size_t i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];

		if (move->after != INDEX_NONE && (move->after >= plan->n_moves || move->after == i))
			return json_wrong(reader, "moves", "move %zu comes after move %u, which cannot be", i, move->after);
		if (move->wanted != INDEX_NONE && move->wanted >= request->n_moves)
			return json_wrong(reader, "moves", "move %zu belongs to line %u of a request with %zu", i, move->wanted, request->n_moves);
	}
	return true;
}

static bool read_plan(struct json_reader *reader, const json_t *root, const struct request *request, struct reading *reading)
{
	struct plan *plan = reading->plan;
	const char *digest;

	plan->kind = request->kind;
	if (!json_need_text(reader, root, "inventory_digest", &digest))
		return false;
	snprintf(plan->inventory_digest, sizeof plan->inventory_digest, "%s", digest);
	if (!json_each(reader, root, "moves", read_move, reading) || !json_each(reader, root, "blocked", read_blocked, reading) ||
		!json_each(reader, root, "warnings", read_warning, reading) ||
		!json_get_milli(reader, root, "makespan_seconds", SECONDS_MAX_MS, &plan->makespan_ms) ||
		!json_get_milli(reader, root, "lower_bound_seconds", SECONDS_MAX_MS, &plan->lower_bound_ms))
		return false;
	plan->makespan_low_ms = plan->makespan_high_ms = plan->makespan_ms;
	return json_get_milli(reader, root, "makespan_low_seconds", SECONDS_MAX_MS, &plan->makespan_low_ms) &&
		json_get_milli(reader, root, "makespan_high_seconds", SECONDS_MAX_MS, &plan->makespan_high_ms) &&
		read_bottleneck(reader, root, reading->inventory, plan) && check_guests(reader, plan, reading->inventory) &&
		check_indices(reader, plan, request);
}

static struct request *read_request(struct json_reader *reader, const json_t *root)
{
	const json_t *object;
	struct request *request;

	if (!json_get_object(reader, root, "request", &object))
		return NULL;
	if (object == NULL) {
		json_wrong(reader, "request", "is missing; a plan without it can be looked at, but not applied");
		return NULL;
	}
	json_enter(reader, "request", 0);
	request = request_read(reader, object);
	json_leave(reader);
	return request;
}

/* Staleness comes first: of a plan for another world, wrong names are no mistakes of its author. */
static bool check_digest(struct json_reader *reader, const json_t *root, const struct inventory *inventory)
{
	char now[DIGEST_TEXT_SIZE];
	const char *then;
	const json_t *brief;

	if (!json_need_text(reader, root, "inventory_digest", &then))
		return false;
	inventory_digest(inventory, now);
	if (strcmp(now, then) == 0)
		return true;
	if (!json_get_object(reader, root, "inventory_brief", &brief))
		return false;
	return brief_differs(brief, inventory, reader->name, reader->err);
}

static bool parse(struct json_reader *reader, const json_t *root, const struct inventory *inventory, struct plan **ret_plan,
	struct request **ret_request)
{
	struct reading reading = {.inventory = inventory};
	struct request *request;

	if (!check_digest(reader, root, inventory))
		return false;
	request = read_request(reader, root);
	if (request == NULL)
		return false;
	reading.plan = xcalloc(1, sizeof *reading.plan);
	if (read_plan(reader, root, request, &reading)) {
		*ret_plan = reading.plan;
		*ret_request = request;
		return true;
	}
	plan_free(reading.plan);
	request_free(request);
	return false;
}

bool plan_parse(const char *text, size_t n, const char *name, const struct inventory *inventory, struct plan **ret_plan,
	struct request **ret_request, struct error *err)
{
	struct json_reader reader = {.name = name, .err = err};
	json_t *root = json_load_document(&reader, text, n, SCHEMA);
	bool ok = root != NULL && parse(&reader, root, inventory, ret_plan, ret_request);

	json_decref(root);
	return ok;
}

bool plan_read(const char *file, const struct inventory *inventory, struct plan **ret_plan, struct request **ret_request, struct error *err)
{
	const char *name = strcmp(file, "-") == 0 ? "stdin" : file;
	struct text text;
	bool ok;

	if (!text_read(file, PLAN_BYTES_MAX, &text, err))
		return false;
	ok = text.was_cut ? error_set(err, ERR_LIMIT, "%s: is longer than %d MiB", name, PLAN_BYTES_MAX >> 20)
		: plan_parse(text.data, text.n, name, inventory, ret_plan, ret_request, err);
	free(text.data);
	return ok;
}
