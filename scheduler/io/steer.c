/* Turns a line from the control socket into a command for the engine, and the outcome into an answer. */
#include <string.h>

#include <jansson.h>

#include "status.h"
#include "steer.h"

static const struct {
	const char *name;
	enum command_kind kind;
} steers[] = {
	{"cancel", COMMAND_CANCEL},
	{"pause", COMMAND_PAUSE},
	{"resume", COMMAND_RESUME},
	{"cordon", COMMAND_CORDON},
	{"uncordon", COMMAND_UNCORDON},
};

static char *answer_of(json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	json_decref(answer);
	return text;
}

static char *refuse(const struct error *err)
{
	return answer_of(json_pack("{s:b, s:{s:s, s:s, s:s}}", "ok", 0, "error", "code", error_code_name(err->code),
		"message", err->message, "hint", err->hint));
}

static const char *member(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

/* A misspelt guest must not look like a done command. */
static bool knows_guest(const struct engine *engine, uint64_t batch, const char *guest, struct error *err)
{
	size_t i;

	for (i = 0; i < engine_n_moves(engine); i++) {
		const struct move_record *move = engine_move(engine, i);

		if ((batch == 0 || move->batch == batch) && (strcmp(move->guest, guest) == 0 || strcmp(move->uuid, guest) == 0))
			return true;
	}
	return error_set(err, ERR_UNKNOWN_GUEST, "no guest %s is in an unfinished batch", guest);
}

static bool steer(struct loop *loop, enum command_kind kind, const json_t *line, struct error *err)
{
	struct event event = {
		.kind = EVENT_COMMAND,
		.command = {
			.kind = kind,
			.batch = (uint64_t)json_integer_value(json_object_get(line, "batch")),
			.guest = member(line, "guest"),
			.host = member(line, "host"),
			.reason = member(line, "reason"),
			.who = member(line, "who"),
		},
	};

	if ((kind == COMMAND_CORDON || kind == COMMAND_UNCORDON) && event.command.host == NULL)
		return error_set(err, ERR_INPUT, "the command names no host");
	if (event.command.guest != NULL && !knows_guest(loop_engine(loop), event.command.batch, event.command.guest, err))
		return false;
	return loop_event(loop, &event, NULL, err);
}

static bool take_name(const json_t *line, const char *key, char *name, size_t size, struct error *err)
{
	const char *text = member(line, key);

	if (text != NULL && strlen(text) >= size)
		return error_set(err, ERR_INPUT, "%s: %zu characters, %zu are allowed", key, strlen(text), size - 1);
	if (text != NULL)
		memcpy(name, text, strlen(text) + 1);
	return true;
}

/* Whether there may be such a limit is judged by the engine. */
static bool take_value(const char *key, const struct limit_info *info, const json_t *value, uint64_t *ret, struct error *err)
{
	if (info->value == LIMIT_YES_NO && !json_is_boolean(value))
		return error_set(err, ERR_INPUT, "%s: must be true or false", key);
	if (info->value != LIMIT_YES_NO && (!json_is_integer(value) || json_integer_value(value) < 0))
		return error_set(err, ERR_INPUT, "%s: must be a number, 0 for %s", key, info->value == LIMIT_COUNT ? "auto" : "none");
	*ret = info->value == LIMIT_YES_NO ? json_is_true(value) : (uint64_t)json_integer_value(value);
	return true;
}

static bool throttle(struct loop *loop, const json_t *line, struct error *err)
{
	struct limit limits[LIMIT_KIND_COUNT] = {0};
	struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_THROTTLE, .limits = limits, .who = member(line, "who")}};
	size_t i, n = 0;

	for (i = 0; i < LIMIT_KIND_COUNT; i++) {
		const struct limit_info *info = limit_info((enum limit_kind)i);
		const char *key = status_limit_key((enum limit_kind)i);
		const json_t *value = json_object_get(line, key);

		if (value == NULL)
			continue;
		limits[n].kind = (enum limit_kind)i;
		if (!take_value(key, info, value, &limits[n].value, err) ||
			!take_name(line, "host", limits[n].host, sizeof limits[n].host, err) ||
			!take_name(line, "network", limits[n].network, sizeof limits[n].network, err))
			return false;
		n++;
	}
	event.command.n_limits = n;
	return loop_event(loop, &event, NULL, err);
}

static bool dispatch(struct loop *loop, const json_t *line, struct error *err)
{
	const char *command = member(line, "command");
	size_t i;

	if (command != NULL && strcmp(command, "throttle") == 0)
		return throttle(loop, line, err);
	for (i = 0; command != NULL && i < sizeof steers / sizeof steers[0]; i++)
		if (strcmp(command, steers[i].name) == 0)
			return steer(loop, steers[i].kind, line, err);
	return error_set(err, ERR_INPUT, "unknown control command %s", command != NULL ? command : "(none)");
}

char *steer_line(struct loop *loop, const char *text)
{
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *command = member(line, "command");
	struct error err;
	bool is_done;

	if (!json_is_object(line)) {
		error_set(&err, ERR_INPUT, "the control line is not a JSON object");
		json_decref(line);
		return refuse(&err);
	}
	if (command != NULL && strcmp(command, "status") == 0) {
		json_decref(line);
		return answer_of(json_pack("{s:b, s:o}", "ok", 1, "status",
			status_of_engine(loop_engine(loop), loop_wall_ms(loop), false)));
	}
	is_done = dispatch(loop, line, &err);
	json_decref(line);
	return is_done ? answer_of(json_pack("{s:b, s:o}", "ok", 1, "limits", status_limits(loop_engine(loop)))) : refuse(&err);
}
