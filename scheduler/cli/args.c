/* Reads the command line by the tables. Options may stand before or after the command; "--" ends them; a lone "-" is
 * a word (standard input). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "xalloc.h"

enum { WORD_BYTES_MAX = 64 }; /* longer words are no misspelt names */

static const char *const formats[] = {"table", "wide", "json", "jsonl", "csv", "name", NULL};

const char *const *output_names(void)
{
	return formats;
}

#define AT(member) offsetof(struct args, member)

const struct option cli_options[] = {
	{"config", 'c', "FILE", true, AT(config), "configuration (default /etc/drover/drover.conf)"},
	{"output", 'o', "FORMAT", true, AT(output), "table, wide, json, jsonl, csv or name"},
	{"state", 0, "FILE", true, AT(state), "state file (default from the configuration)"},
	{"no-color", 0, NULL, true, AT(no_color), "no colours and no redrawn lines"},
	{"help", 'h', NULL, true, AT(help), "help on the command"},
	{"inventory", 0, "FILE", false, AT(inventory), "take the hosts and guests from FILE (\"-\" = standard input), not from the hosts"},
	{"measure", 0, NULL, false, AT(measure), "watch the guests for 12 seconds, so that their working sets are known as well as their dirty rates"},
	{"yes", 'y', NULL, false, AT(yes), "do not ask"},
	{"no-input", 0, NULL, false, AT(no_input), "never ask: refuse where a question would be needed"},
	{"reason", 0, "TEXT", false, AT(reason), "why, for status and history"},
	{"to", 0, "HOST", false, AT(to), "target host"},
	{"to-pool", 0, "POOL", false, AT(to_pool), "put all local disks into this pool of the target"},
	{"map", 0, "NAME", false, AT(map), "rename networks and pools by [map NAME] of the configuration"},
	{"cannot-move", 0, "HOW", false, AT(cannot_move), "guests that cannot move live: leave, shutdown (a return starts them again) or cold"},
	{"guest", 0, "VM", false, AT(guest), "only this guest"},
	{"max-migrations", 0, "N|auto", false, AT(max_migrations), "moves at once in all; auto = as many as the bandwidth carries"},
	{"max-incoming", 0, "N|auto", false, AT(max_incoming), "moves at once into --host, or into each host that sets no limit of its own"},
	{"max-outgoing", 0, "N|auto", false, AT(max_outgoing), "moves at once out of --host, or out of each host that sets no limit of its own"},
	{"max-incoming-storage", 0, "N|auto", false, AT(max_incoming_storage), "of --max-incoming, those that copy disks"},
	{"max-outgoing-storage", 0, "N|auto", false, AT(max_outgoing_storage), "of --max-outgoing, those that copy disks"},
	{"incoming", 0, "yes|no", false, AT(incoming), "--host takes guests, or not"},
	{"outgoing", 0, "yes|no", false, AT(outgoing), "--host gives guests away, or keeps those that have not begun to move"},
	{"rate", 0, "RATE|none", false, AT(rate), "what moves may send over each link, in each direction"},
	{"host", 0, "HOST", false, AT(host), "what is set is for this host, --rate for its links"},
	{"network", 0, "NETWORK", false, AT(network), "--rate is for the links in this network"},
	{"seed", 0, "N", false, AT(seed), "of everything random; the same seed gives the same run"},
	{"detailed-exitcode", 0, NULL, false, AT(detailed_exitcode), "exit with 2 when there is something to do"},
	{"baseline", 0, NULL, false, AT(baseline), "print the CPU that all hosts, or those named, can give their guests"},
	{"origin", 0, NULL, false, AT(origin), "say where each value came from"},
	{"version", 0, NULL, true, AT(version), "print the version"},
	{.name = NULL},
};

static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_BYTES_MAX + 1], n = strlen(b), i, j;

	if (strlen(a) > WORD_BYTES_MAX || n > WORD_BYTES_MAX)
		return SIZE_MAX;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (j = 1; j <= n; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[n];
}

const char *suggest(const char *word, const char *(*next)(const void *list, size_t i), const void *list)
{
	const char *name, *best = NULL;
	size_t bound = strlen(word) / 3 + 1, i;

	for (i = 0; (name = next(list, i)) != NULL; i++) {
		size_t d = distance(word, name);

		if (d <= bound && d < strlen(name)) {
			best = name;
			bound = d == 0 ? 0 : d - 1;
		}
	}
	return best;
}

static const char *command_name(const void *list, size_t i)
{
	(void)list;
	return cli_commands[i].name;
}

static const char *option_name(const void *list, size_t i)
{
	(void)list;
	return cli_options[i].name;
}

bool command_takes(const struct command *command, const struct option *option)
{
	const char *at = command->options;
	size_t n = strlen(option->name);

	if (option->is_for_all)
		return true;
	for (; at != NULL && (at = strstr(at, option->name)) != NULL; at += n)
		if ((at == command->options || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

static bool unknown(struct error *err, const char *what, const char *word, const char *near)
{
	error_set(err, ERR_USAGE, "unknown %s %s", what, word);
	if (near != NULL)
		error_hint(err, "did you mean %s%s?", strcmp(what, "option") == 0 ? "--" : "", near);
	return false;
}

static bool set_format(const char *value, enum output_format *ret, struct error *err)
{
	size_t i;

	for (i = 0; formats[i] != NULL; i++) {
		if (strcmp(value, formats[i]) == 0) {
			*ret = (enum output_format)i;
			return true;
		}
	}
	error_set(err, ERR_USAGE, "unknown output format %s", value);
	error_hint(err, "formats: table, wide, json, jsonl, csv, name");
	return false;
}

static bool set_seed(const char *value, uint64_t *ret, struct error *err)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(value, &end, 0);
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0)
		return error_set(err, ERR_USAGE, "--seed %s: not a number", value);
	*ret = number;
	return true;
}

static bool set_option(struct args *args, const struct option *option, const char *value, struct error *err)
{
	char *member = (char *)args + option->offset;

	if (option->argument == NULL) {
		*(bool *)(void *)member = true;
		return true;
	}
	if (option->offset == AT(output))
		return set_format(value, &args->output, err);
	if (option->offset == AT(seed))
		return set_seed(value, &args->seed, err);
	*(const char **)(void *)member = value;
	return true;
}

static const struct option *find_option(const char *word, const char **ret_value)
{
	const char *equals = strchr(word, '=');
	size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word), i;

	*ret_value = equals != NULL ? equals + 1 : NULL;
	for (i = 0; cli_options[i].name != NULL; i++)
		if (strncmp(word, cli_options[i].name, n) == 0 && cli_options[i].name[n] == '\0')
			return &cli_options[i];
	return NULL;
}

static const struct option *find_letter(char letter)
{
	size_t i;

	for (i = 0; cli_options[i].name != NULL; i++)
		if (cli_options[i].letter == letter && letter != '\0')
			return &cli_options[i];
	return NULL;
}

/* One option at argv[*at] with its value; *at is left at the last word used. */
static bool take_option(int argc, char **argv, int *at, struct args *args, const struct option **ret, struct error *err)
{
	const char *word = argv[*at], *value = NULL;
	const struct option *option;

	if (word[1] == '-') {
		option = find_option(word + 2, &value);
	} else {
		option = find_letter(word[1]);
		if (option != NULL && word[2] != '\0')
			value = word + 2;
	}
	if (option == NULL)
		return unknown(err, "option", word, word[1] == '-' ? suggest(word + 2, option_name, NULL) : NULL);
	if (option->argument == NULL && value != NULL)
		return error_set(err, ERR_USAGE, "option --%s takes no value", option->name);
	if (option->argument != NULL && value == NULL) {
		if (*at + 1 >= argc)
			return error_set(err, ERR_USAGE, "option --%s needs %s", option->name, option->argument);
		value = argv[++*at];
	}
	*ret = option;
	return set_option(args, option, value, err);
}

static bool find_command(const char *word, struct args *args, struct error *err)
{
	size_t i;

	for (i = 0; cli_commands[i].name != NULL; i++) {
		if (strcmp(word, cli_commands[i].name) == 0) {
			args->command = &cli_commands[i];
			return true;
		}
	}
	return unknown(err, "command", word, suggest(word, command_name, NULL));
}

static bool check(const struct args *args, const bool *used, struct error *err)
{
	const struct command *command = args->command;
	size_t i;

	if (command == NULL || args->help)
		return true;
	for (i = 0; cli_options[i].name != NULL; i++) {
		if (used[i] && !command_takes(command, &cli_options[i])) {
			error_set(err, ERR_USAGE, "%s takes no --%s", command->name, cli_options[i].name);
			error_hint(err, "see drover help %s", command->name);
			return false;
		}
	}
	if (args->n_words >= command->n_min && args->n_words <= command->n_max)
		return true;
	error_set(err, ERR_USAGE, "%s: %s", command->name, args->n_words < command->n_min ? "too few arguments" : "too many arguments");
	error_hint(err, "drover %s%s%s", command->name, command->arguments[0] != '\0' ? " " : "", command->arguments);
	return false;
}

bool args_batch(const char *word, uint64_t *ret, struct error *err)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(word, &end, 10);
	if (word[0] < '1' || word[0] > '9' || *end != '\0' || errno != 0) {
		error_set(err, ERR_USAGE, "%s: not the number of a batch", word);
		error_hint(err, "drover history lists the batches");
		return false;
	}
	*ret = number;
	return true;
}

bool args_parse(int argc, char **argv, struct args *ret_args, struct error *err)
{
	bool used[sizeof cli_options / sizeof cli_options[0]] = {false}, only_words = false, is_good = true;
	int i;

	*ret_args = (struct args){.words = xcalloc((size_t)argc + 1, sizeof *ret_args->words)};
	for (i = 1; i < argc && is_good; i++) {
		const char *word = argv[i];

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1] != '\0') {
			const struct option *option = NULL;

			is_good = take_option(argc, argv, &i, ret_args, &option, err);
			if (is_good)
				used[option - cli_options] = true;
		} else if (ret_args->command == NULL) {
			is_good = find_command(word, ret_args, err);
		} else {
			ret_args->words[ret_args->n_words++] = word;
		}
	}
	return is_good && check(ret_args, used, err);
}
