/* Turns a line from the control socket into a command for the engine, and the outcome into an answer. */
#include <string.h>

#include <jansson.h>

#include "status.h"
#include "steer.h"

enum { LIMIT_MAX = 10000 }; /* as in the configuration */

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

static bool take_limit(const json_t *line, const char *key, uint32_t *limit, struct error *err)
{
	const json_t *value = json_object_get(line, key);

	if (value == NULL)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > LIMIT_MAX)
		return error_set(err, ERR_INPUT, "%s: must be a number from 0 (auto) to %d", key, LIMIT_MAX);
	*limit = (uint32_t)json_integer_value(value);
	return true;
}

static bool throttle(struct loop *loop, const json_t *line, struct error *err)
{
	struct engine_options options = *engine_limits(loop_engine(loop));
	struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_THROTTLE, .options = &options, .who = member(line, "who")}};

	return take_limit(line, "max_migrations", &options.max_migrations, err) &&
		take_limit(line, "max_incoming", &options.max_incoming, err) &&
		take_limit(line, "max_outgoing", &options.max_outgoing, err) && loop_event(loop, &event, NULL, err);
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

static bool limit_rate(struct loop *loop, const json_t *line, struct error *err)
{
	const json_t *rate = json_object_get(line, "rate_bytes_per_second");
	struct rate_limit limit = {.rate_bytes_per_s = 0};
	struct event event = {.kind = EVENT_COMMAND, .command = {.kind = COMMAND_RATE, .rate = &limit, .who = member(line, "who")}};

	if (!json_is_integer(rate) || json_integer_value(rate) < 0)
		return error_set(err, ERR_INPUT, "rate_bytes_per_second: must be a number, 0 for no limit");
	limit.rate_bytes_per_s = (uint64_t)json_integer_value(rate);
	return take_name(line, "host", limit.host, sizeof limit.host, err) &&
		take_name(line, "network", limit.network, sizeof limit.network, err) && loop_event(loop, &event, NULL, err);
}

static bool dispatch(struct loop *loop, const json_t *line, struct error *err)
{
	const char *command = member(line, "command");
	size_t i;

	if (command != NULL && strcmp(command, "throttle") == 0)
		return throttle(loop, line, err) && (json_object_get(line, "rate_bytes_per_second") == NULL || limit_rate(loop, line, err));
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
