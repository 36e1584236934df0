/* Commands that steer a run: given to the drover that runs, or carried out here when none does. */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"
#include "human.h"
#include "limit_text.h"
#include "output.h"
#include "run.h"
#include "say.h"
#include "status.h"

/* ---- pause, resume, cancel ---- */

/* No drover runs: the engine is started just for this. */
static int steer_alone(const struct args *args, const struct run_wish *wish, struct site *site)
{
	const struct batch_record *found = NULL;
	struct run_wish with_batch = *wish;
	struct error err;
	size_t i, others = 0;
	int result;

	site_close(site);
	result = site_open(site, args, SITE_STORE | SITE_INVENTORY);
	if (result != EXIT_DONE)
		return result;
	for (i = 0; i < site->image->n_batches; i++) {
		const struct batch_record *batch = &site->image->batches[i];

		if (batch_state_is_end(batch->state))
			continue;
		if (wish->batch == 0 || batch->id == wish->batch)
			found = batch;
		else
			others++;
	}
	if (found == NULL && wish->batch == 0) {
		say_note("No batch is unfinished.");
		return EXIT_DONE;
	}
	if (found == NULL) {
		error_set(&err, ERR_UNKNOWN_BATCH, "there is no unfinished batch %llu", (unsigned long long)wish->batch);
		return say_error(&err);
	}
	with_batch.batch = found->id;
	/* Cancelling one thing is no order to go on with the others. */
	if (wish->command == COMMAND_CANCEL && (others > 0 || wish->guest != NULL))
		with_batch.ends_when_quiet = true;
	return run_engine(site, &with_batch);
}

static int steer(const struct args *args, const char *name, enum command_kind kind)
{
	struct run_wish wish = {.has_command = true, .command = kind, .guest = args->guest, .ends_when_quiet = kind == COMMAND_PAUSE};
	struct site site = {0};
	struct error err;
	int result;

	if (args->n_words > 0 && !args_batch(args->words[0], &wish.batch, &err))
		return say_error(&err);
	result = site_open(&site, args, SITE_CONFIG);
	if (result == EXIT_DONE) {
		json_t *request = json_pack("{s:s, s:I, s:s?, s:s}", "command", name, "batch", (json_int_t)wish.batch, "guest",
			args->guest, "who", site_who());

		switch (ask_running(&site, request, NULL, &err)) {
		case ASK_DONE:
			say_note("Done: drover status shows the effect.");
			break;
		case ASK_FAILED:
			result = say_error(&err);
			break;
		case ASK_NOBODY:
			result = steer_alone(args, &wish, &site);
			break;
		}
	}
	site_close(&site);
	return result;
}

int cmd_pause(const struct args *args)
{
	return steer(args, "pause", COMMAND_PAUSE);
}

int cmd_resume(const struct args *args)
{
	return steer(args, "resume", COMMAND_RESUME);
}

int cmd_cancel(const struct args *args)
{
	return steer(args, "cancel", COMMAND_CANCEL);
}

/* ---- throttle ---- */

static const struct column limit_columns[] = {
	{"LIMIT", COLUMN_TEXT},
	{"NOW", COLUMN_NUMBER},
	{.title = NULL},
};
static const char *const limit_keys[] = {"max_migrations", "max_incoming", "max_outgoing", "max_incoming_storage", "max_outgoing_storage", NULL};

/* The options are named as the keys are. */
static const struct {
	enum limit_kind kind;
	const char *option;
	size_t offset; /* of the text in struct args */
} limit_options[] = {
	{LIMIT_MAX_MIGRATIONS, "max-migrations", offsetof(struct args, max_migrations)},
	{LIMIT_MAX_INCOMING, "max-incoming", offsetof(struct args, max_incoming)},
	{LIMIT_MAX_OUTGOING, "max-outgoing", offsetof(struct args, max_outgoing)},
	{LIMIT_MAX_INCOMING_STORAGE, "max-incoming-storage", offsetof(struct args, max_incoming_storage)},
	{LIMIT_MAX_OUTGOING_STORAGE, "max-outgoing-storage", offsetof(struct args, max_outgoing_storage)},
	{LIMIT_INCOMING, "incoming", offsetof(struct args, incoming)},
	{LIMIT_OUTGOING, "outgoing", offsetof(struct args, outgoing)},
	{LIMIT_RATE, "rate", offsetof(struct args, rate)},
};

static bool take_count(const char *option, const char *text, uint64_t *ret, struct error *err)
{
	char *end;

	*ret = strcmp(text, "auto") == 0 ? 0 : strtoul(text, &end, 10);
	if (strcmp(text, "auto") != 0 && (text[0] < '1' || text[0] > '9' || *end != '\0' || *ret > LIMIT_COUNT_MAX))
		return error_set(err, ERR_USAGE, "--%s %s: must be auto or a number from 1 to %d", option, text, LIMIT_COUNT_MAX);
	return true;
}

static bool take_value(enum limit_kind kind, const char *option, const char *text, uint64_t *ret, struct error *err)
{
	switch (limit_info(kind)->value) {
	case LIMIT_COUNT:
		return take_count(option, text, ret, err);
	case LIMIT_YES_NO:
		*ret = strcmp(text, "yes") == 0;
		if (*ret == 0 && strcmp(text, "no") != 0)
			return error_set(err, ERR_USAGE, "--%s %s: must be yes or no", option, text);
		return true;
	case LIMIT_RATE_BYTES_PER_S:
		*ret = 0;
		if (strcmp(text, "none") != 0 && (!parse_rate(text, ret) || *ret == 0))
			return error_set(err, ERR_USAGE, "--%s %s: must be none or a rate like 500 Mbit/s or 60 MB/s", option, text);
		return true;
	}
	return true;
}

/* Whether there is such a host or network is known to the drover that gets it. */
static bool add_object(json_t *request, const char *key, const char *name, char *ret, size_t size, struct error *err)
{
	if (name == NULL)
		return true;
	if (strlen(name) >= size)
		return error_set(err, ERR_USAGE, "--%s: %zu characters, %zu are allowed", key, strlen(name), size - 1);
	memcpy(ret, name, strlen(name) + 1);
	json_object_set_new(request, key, json_string(name));
	return true;
}

static bool add_limits(json_t *request, const struct args *args, struct error *err)
{
	struct limit limit = {.value = 0};
	size_t i, n = 0;

	if (!add_object(request, "host", args->host, limit.host, sizeof limit.host, err) ||
		!add_object(request, "network", args->network, limit.network, sizeof limit.network, err))
		return false;
	for (i = 0; i < sizeof limit_options / sizeof limit_options[0]; i++) {
		const char *text = *(const char *const *)(const void *)((const char *)args + limit_options[i].offset);

		if (text == NULL)
			continue;
		limit.kind = limit_options[i].kind;
		if (!take_value(limit.kind, limit_options[i].option, text, &limit.value, err))
			return false;
		if (!limit_check(&limit, err)) {
			err->code = ERR_USAGE;
			error_hint(err, "see drover help throttle");
			return false;
		}
		json_object_set_new(request, status_limit_key(limit.kind), limit_info(limit.kind)->value == LIMIT_YES_NO ?
			json_boolean(limit.value != 0) : json_integer((json_int_t)limit.value));
		n++;
	}
	if (n == 0 && (args->host != NULL || args->network != NULL))
		return error_set(err, ERR_USAGE, "--host and --network say what a limit is for, and none is given");
	return true;
}

static void show_each_limit(struct table *table, const json_t *objects)
{
	struct limit_text text;
	const json_t *object;
	size_t i, k;

	json_array_foreach((json_t *)objects, i, object) {
		for (k = 0; k < LIMIT_KIND_COUNT; k++) {
			if (!limit_text(object, (enum limit_kind)k, &text))
				continue;
			table_cell(table, "%s", text.name);
			table_cell(table, "%s", text.value);
		}
	}
}

static void show_limits(const struct args *args, const json_t *limits)
{
	struct table *table = table_new(args, limit_columns);
	struct limit_text text;
	size_t k;

	for (k = 0; k < LIMIT_KIND_COUNT; k++) {
		if (!limit_text(limits, (enum limit_kind)k, &text))
			continue;
		table_cell(table, "%s", limit_info((enum limit_kind)k)->key);
		table_cell(table, "%s", text.value);
	}
	show_each_limit(table, json_object_get(limits, "hosts"));
	show_each_limit(table, json_object_get(limits, "rates"));
	table_end(table);
}

int cmd_throttle(const struct args *args)
{
	json_t *request = json_pack("{s:s, s:s}", "command", "throttle", "who", site_who()), *answer = NULL, *limits;
	struct site site = {0};
	struct error err;
	int result = EXIT_DONE;

	if (!add_limits(request, args, &err)) {
		json_decref(request);
		return say_error(&err);
	}
	result = site_open(&site, args, SITE_CONFIG);
	if (result != EXIT_DONE) {
		json_decref(request);
	} else if (ask_running(&site, request, &answer, &err) == ASK_DONE) {
		limits = json_pack("{s:s, s:[O]}", "schema", "drover/limits/1", "limits", json_object_get(answer, "limits"));
		if (output_is_table(args))
			show_limits(args, json_array_get(json_object_get(limits, "limits"), 0));
		else
			output_document(args, limits, "limits", limit_keys);
		json_decref(limits);
		json_decref(answer);
	} else {
		if (err.code == ERR_NO_DAEMON)
			error_hint(&err, "throttle changes a run that goes on now; [scheduler] and [host] of the configuration set those of the next one");
		result = say_error(&err);
	}
	site_close(&site);
	return result;
}
