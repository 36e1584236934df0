/* Commands that steer a run: given to the drover that runs, or carried out here when none does. */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"
#include "human.h"
#include "output.h"
#include "run.h"
#include "say.h"

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

enum { LIMIT_MAX = 10000 }; /* as in the configuration */

static const struct column limit_columns[] = {
	{"LIMIT", COLUMN_TEXT},
	{"NOW", COLUMN_NUMBER},
	{.title = NULL},
};
static const char *const limit_keys[] = {"max_migrations", "max_incoming", "max_outgoing", NULL};

/* "auto" or a number; the range is judged by the drover that gets it. */
static bool add_limit(json_t *request, const char *key, const char *option, const char *text, struct error *err)
{
	unsigned long number;
	char *end;

	if (text == NULL)
		return true;
	number = strtoul(text, &end, 10);
	if (strcmp(text, "auto") != 0 && (text[0] < '1' || text[0] > '9' || *end != '\0' || number > LIMIT_MAX))
		return error_set(err, ERR_USAGE, "--%s %s: must be auto or a number from 1 to %d", option, text, LIMIT_MAX);
	json_object_set_new(request, key, json_integer(strcmp(text, "auto") == 0 ? 0 : (json_int_t)number));
	return true;
}

/* "none" or a rate; whether there is such a host or network is known to the drover that gets it. */
static bool add_rate(json_t *request, const struct args *args, struct error *err)
{
	uint64_t rate = 0;

	if (args->rate == NULL && args->host == NULL && args->network == NULL)
		return true;
	if (args->rate == NULL || (args->host != NULL && args->network != NULL))
		return error_set(err, ERR_USAGE, args->rate == NULL ? "--host and --network say what --rate is for, and there is none" :
			"--rate is for a host or for a network, not for both");
	if (strcmp(args->rate, "none") != 0 && (!parse_rate(args->rate, &rate) || rate == 0))
		return error_set(err, ERR_USAGE, "--rate %s: must be none or a rate like 500 Mbit/s or 60 MB/s", args->rate);
	json_object_set_new(request, "rate_bytes_per_second", json_integer((json_int_t)rate));
	if (args->host != NULL)
		json_object_set_new(request, "host", json_string(args->host));
	if (args->network != NULL)
		json_object_set_new(request, "network", json_string(args->network));
	return true;
}

static void show_rates(struct table *table, const json_t *rates)
{
	const json_t *rate;
	size_t i;

	json_array_foreach((json_t *)rates, i, rate) {
		const char *host = json_string_value(json_object_get(rate, "host")), *network = json_string_value(json_object_get(rate, "network"));

		table_cell(table, "rate of %s%s", host != NULL ? "host " : network != NULL ? "network " : "all links",
			host != NULL ? host : network != NULL ? network : "");
		table_cell(table, "%s", human_rate((uint64_t)json_integer_value(json_object_get(rate, "rate_bytes_per_second"))).text);
	}
}

static void show_limits(const struct args *args, const json_t *limits)
{
	struct table *table = table_new(args, limit_columns);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)limits, key, value) {
		if (json_is_array(value)) {
			show_rates(table, value);
			continue;
		}
		table_cell(table, "%s", key);
		if (json_is_integer(value))
			table_cell(table, "%lld", (long long)json_integer_value(value));
		else
			table_cell(table, "%s", json_string_value(value));
	}
	table_end(table);
}

int cmd_throttle(const struct args *args)
{
	json_t *request = json_pack("{s:s, s:s}", "command", "throttle", "who", site_who()), *answer = NULL, *limits;
	struct site site = {0};
	struct error err;
	int result = EXIT_DONE;

	if (!add_limit(request, "max_migrations", "max-migrations", args->max_migrations, &err) ||
		!add_limit(request, "max_incoming", "max-incoming", args->max_incoming, &err) ||
		!add_limit(request, "max_outgoing", "max-outgoing", args->max_outgoing, &err) || !add_rate(request, args, &err)) {
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
			error_hint(&err, "throttle changes a run that goes on now; [scheduler] max_migrations sets the limit of the next one");
		result = say_error(&err);
	}
	site_close(&site);
	return result;
}
