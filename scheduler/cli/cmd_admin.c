/* Cordons, configuration, backup. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "output.h"
#include "say.h"
#include "store_sqlite.h"

/* ---- cordon, uncordon ---- */

static bool is_configured(const struct site *site, const char *name, struct error *err)
{
	size_t i;

	for (i = 0; i < site->config->n_hosts; i++)
		if (strcmp(site->config->hosts[i].name, name) == 0)
			return true;
	return error_set(err, ERR_UNKNOWN_HOST, "no host is named %s", name);
}

/* No engine runs, so the record is written by us, under the lock. */
static bool write_cordon(struct site *site, const char *name, bool is_cordoned, struct error *err)
{
	struct store_op ops[2] = {{.kind = STORE_PUT_HOST}, {.kind = STORE_AUDIT}};
	const char *reason = site->args->reason != NULL ? site->args->reason : "";
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	ops[0].host.cordoned = is_cordoned;
	ops[0].host.since_wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	snprintf(ops[0].host.name, sizeof ops[0].host.name, "%s", name);
	snprintf(ops[0].host.reason, sizeof ops[0].host.reason, "%s", reason);
	snprintf(ops[0].host.who, sizeof ops[0].host.who, "%s", site_who());
	ops[1].audit.wall_ms = ops[0].host.since_wall_ms;
	snprintf(ops[1].audit.text, sizeof ops[1].audit.text, "host %s %scordoned by %s%s%s", name, is_cordoned ? "" : "un",
		site_who(), reason[0] != '\0' ? ": " : "", reason);
	return site->store->commit(site->store, ops, 2, err);
}

static int cordon_alone(struct site *site, bool is_cordoned)
{
	const struct args *args = site->args;
	struct error err;
	size_t i;
	int result;

	site_close(site);
	result = site_open(site, args, SITE_STORE);
	for (i = 0; i < args->n_words && result == EXIT_DONE; i++)
		if (!write_cordon(site, args->words[i], is_cordoned, &err))
			result = say_error(&err);
	return result;
}

int cmd_cordon(const struct args *args)
{
	bool is_cordoned = strcmp(args->command->name, "cordon") == 0;
	enum ask_result asked = ASK_DONE;
	struct site site;
	struct error err;
	size_t i;
	int result = site_open(&site, args, SITE_CONFIG);

	for (i = 0; i < args->n_words && result == EXIT_DONE; i++)
		if (!is_configured(&site, args->words[i], &err))
			result = say_error(&err);
	for (i = 0; i < args->n_words && result == EXIT_DONE && asked == ASK_DONE; i++) {
		asked = ask_running(&site, json_pack("{s:s, s:s, s:s?, s:s}", "command", args->command->name, "host",
			args->words[i], "reason", args->reason, "who", site_who()), NULL, &err);
		if (asked == ASK_FAILED)
			result = say_error(&err);
	}
	if (result == EXIT_DONE && asked == ASK_NOBODY)
		result = cordon_alone(&site, is_cordoned);
	for (i = 0; i < args->n_words && result == EXIT_DONE; i++)
		say_note("Host %s is %scordoned.", args->words[i], is_cordoned ? "" : "no longer ");
	site_close(&site);
	return result;
}

/* ---- config ---- */

static const char *const origin_keys[] = {"key", "section", "value", "file", "line", NULL};

static const struct column origins_columns[] = {
	{"SECTION", COLUMN_TEXT},
	{"KEY", COLUMN_TEXT},
	{"VALUE", COLUMN_TEXT},
	{.title = NULL},
};
static const struct column origins_with_place_columns[] = {
	{"SECTION", COLUMN_TEXT},
	{"KEY", COLUMN_TEXT},
	{"VALUE", COLUMN_TEXT},
	{"ORIGIN", COLUMN_TEXT},
	{.title = NULL},
};

static void show_origins(const struct args *args, const struct config *config)
{
	struct table *table = table_new(args, args->origin ? origins_with_place_columns : origins_columns);
	size_t i;

	for (i = 0; i < config->n_origins; i++) {
		const struct config_origin *origin = &config->origins[i];

		table_cell(table, "[%s]", origin->section);
		table_cell(table, "%s", origin->key);
		table_cell(table, "%s", origin->value);
		if (!args->origin)
			continue;
		if (origin->file != NULL)
			table_cell(table, "%s:%u", origin->file, origin->line);
		else
			table_cell(table, "default");
	}
	table_end(table);
}

static json_t *origins_document(const struct config *config)
{
	json_t *values = json_array();
	size_t i;

	for (i = 0; i < config->n_origins; i++)
		json_array_append_new(values, json_pack("{s:s, s:s, s:s, s:s?, s:i}", "section", config->origins[i].section, "key",
			config->origins[i].key, "value", config->origins[i].value, "file", config->origins[i].file, "line",
			(int)config->origins[i].line));
	return json_pack("{s:s, s:o}", "schema", "drover/config/1", "values", values);
}

int cmd_config(const struct args *args)
{
	bool is_check = strcmp(args->words[0], "check") == 0;
	struct site site;
	struct error err;
	json_t *document;
	int result;

	if (!is_check && strcmp(args->words[0], "show") != 0) {
		error_set(&err, ERR_USAGE, "config %s: config check or config show", args->words[0]);
		return say_error(&err);
	}
	result = site_open(&site, args, SITE_CONFIG);
	if (result == EXIT_DONE && is_check) {
		printf("The configuration is right: %zu host%s, %zu network%s, %zu batch%s, %zu rule%s.\n", site.config->n_hosts,
			site.config->n_hosts == 1 ? "" : "s", site.config->n_networks, site.config->n_networks == 1 ? "" : "s",
			site.config->n_batches, site.config->n_batches == 1 ? "" : "es", site.config->n_rules, site.config->n_rules == 1 ? "" : "s");
	} else if (result == EXIT_DONE && output_is_table(args)) {
		show_origins(args, site.config);
	} else if (result == EXIT_DONE) {
		document = origins_document(site.config);
		output_document(args, document, "values", origin_keys);
		json_decref(document);
	}
	site_close(&site);
	return result;
}

int cmd_backup(const struct args *args)
{
	struct site site;
	struct error err;
	int result = site_open(&site, args, SITE_CONFIG);

	if (result == EXIT_DONE && access(args->words[0], F_OK) == 0) {
		error_set(&err, ERR_FILE, "%s exists already", args->words[0]);
		error_hint(&err, "name a new file; drover overwrites nothing");
		result = say_error(&err);
	} else if (result == EXIT_DONE && !store_sqlite_backup(site.state, args->words[0], &err)) {
		result = say_error(&err);
	}
	if (result == EXIT_DONE)
		say_note("%s is a copy of %s.", args->words[0], site.state);
	site_close(&site);
	return result;
}
