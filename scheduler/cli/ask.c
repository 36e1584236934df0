/* The client's side of the control socket: one question, one answer, errors back as errors. */
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "control.h"

static void take_error(const json_t *answer, struct error *err)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));
	enum error_code number = code != NULL ? error_code_by_name(code) : ERROR_CODE_COUNT;

	error_set(err, number != ERROR_CODE_COUNT ? number : ERR_INTERNAL, "%s", message != NULL ? message : "the running drover gave no reason");
	if (hint != NULL)
		error_hint(err, "%s", hint);
}

enum ask_result ask_running(const struct site *site, json_t *request, json_t **ret_answer, struct error *err)
{
	char *line = json_dumps(request, JSON_COMPACT), *text;
	json_t *answer;
	bool is_answered;

	json_decref(request);
	is_answered = control_ask(site->socket, line, &text, err);
	free(line);
	if (!is_answered)
		return err->code == ERR_NO_DAEMON ? ASK_NOBODY : ASK_FAILED;
	answer = json_loads(text, 0, NULL);
	free(text);
	if (!json_is_true(json_object_get(answer, "ok"))) {
		take_error(answer, err);
		json_decref(answer);
		return ASK_FAILED;
	}
	if (ret_answer != NULL)
		*ret_answer = answer;
	else
		json_decref(answer);
	return ASK_DONE;
}
