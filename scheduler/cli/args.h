/* The command line: one table of commands and one of options; parser, help, completion and the
 * messages about mistakes all come from them.
 */
#ifndef DROVER_CLI_ARGS_H
#define DROVER_CLI_ARGS_H

#include "drover/error.h"

enum output_format { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_JSONL, OUTPUT_CSV, OUTPUT_NAME };

struct command;

struct args {
	const struct command *command; /* NULL: none was given */
	const char **words;            /* arguments of the command; into argv */
	size_t n_words;
	const char *config, *inventory, *state, *reason, *to, *to_pool, *map, *cannot_move, *guest, *max_migrations, *max_incoming, *max_outgoing,
		*max_incoming_storage, *max_outgoing_storage, *incoming, *outgoing, *rate, *host, *network;
	enum output_format output;
	bool no_color, yes, no_input, measure, detailed_exitcode, baseline, origin, help, version;
	uint64_t seed;
};

/* What a command does; returns the exit code and has said why when it is not 0. */
typedef int command_fn(const struct args *args);

struct command {
	const char *name;
	const char *arguments; /* for people: "HOST..." */
	size_t n_min, n_max;   /* words */
	const char *options;   /* names of options besides those that every command takes */
	const char *help;
	const char *example;   /* NULL = none */
	command_fn *run;
};

struct exit_code_info {
	enum exit_code code;
	const char *meaning;
};
extern const struct exit_code_info cli_exit_codes[]; /* ends with meaning NULL */

enum { WORDS_MAX = 1000000 };

extern const struct command cli_commands[]; /* ends with name NULL */

struct option {
	const char *name;
	char letter;          /* 0 = none */
	const char *argument; /* NULL = a flag */
	bool is_for_all;
	size_t offset;        /* of the member of struct args */
	const char *help;
};

extern const struct option cli_options[]; /* ends with name NULL */

/* ERR_USAGE says what is wrong and what may have been meant. args->words with free(). */
bool args_parse(int argc, char **argv, struct args *ret_args, struct error *err);

/* The number of a batch; ERR_USAGE when it is none. */
bool args_batch(const char *word, uint64_t *ret, struct error *err);

bool command_takes(const struct command *command, const struct option *option);
const char *const *output_names(void); /* ends with NULL */

/* The nearest of the names by edit distance, or NULL when none is near. next(list, i) gives them; NULL ends. */
const char *suggest(const char *word, const char *(*next)(const void *list, size_t i), const void *list);

#endif
