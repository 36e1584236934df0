/* Help, completion and version, all from the tables. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "say.h"

static void print_option(const struct option *option)
{
	char left[48];

	snprintf(left, sizeof left, "%c%c%s --%s%s%s", option->letter != 0 ? '-' : ' ', option->letter != 0 ? option->letter : ' ',
		option->letter != 0 ? "," : " ", option->name, option->argument != NULL ? " " : "",
		option->argument != NULL ? option->argument : "");
	printf("  %-28s %s\n", left, option->help);
}

static void help_all(void)
{
	size_t i;

	puts("drover empties hosts of running libvirt/KVM guests, with no downtime and no shared storage needed.\n");
	puts("  drover plan drain h1         what would be done");
	puts("  drover drain h1              do it");
	puts("  drover return h1             bring the guests back\n");
	puts("usage: drover [OPTIONS] COMMAND [ARGUMENTS] [OPTIONS]\n");
	for (i = 0; cli_commands[i].name != NULL; i++)
		printf("  %-12s %s\n", cli_commands[i].name, cli_commands[i].help);
	puts("\noptions of every command:");
	for (i = 0; cli_options[i].name != NULL; i++)
		if (cli_options[i].is_for_all)
			print_option(&cli_options[i]);
	puts("\nexit codes:");
	for (i = 0; cli_exit_codes[i].meaning != NULL; i++)
		printf("  %3d  %s\n", (int)cli_exit_codes[i].code, cli_exit_codes[i].meaning);
}

static void help_one(const struct command *command)
{
	bool has_own = false;
	size_t i;

	printf("drover %s%s%s\n\n  %s\n", command->name, command->arguments[0] != '\0' ? " " : "", command->arguments, command->help);
	if (command->example != NULL)
		printf("\nexample:\n  %s\n", command->example);
	for (i = 0; cli_options[i].name != NULL; i++) {
		if (cli_options[i].is_for_all || !command_takes(command, &cli_options[i]))
			continue;
		if (!has_own)
			puts("\noptions:");
		has_own = true;
		print_option(&cli_options[i]);
	}
	puts("\nsee drover help for the options of every command");
}

static const char *name_at(const void *list, size_t i)
{
	(void)list;
	return cli_commands[i].name;
}

int cmd_help(const struct args *args)
{
	const char *word = args->n_words > 0 ? args->words[0] : args->command != NULL && args->help ? args->command->name : NULL;
	struct error err;
	size_t i;

	if (args->help && args->command != NULL)
		word = args->command->name;
	if (word == NULL) {
		help_all();
		return EXIT_DONE;
	}
	for (i = 0; cli_commands[i].name != NULL; i++) {
		if (strcmp(cli_commands[i].name, word) == 0) {
			help_one(&cli_commands[i]);
			return EXIT_DONE;
		}
	}
	error_set(&err, ERR_USAGE, "unknown command %s", word);
	if (suggest(word, name_at, NULL) != NULL)
		error_hint(&err, "did you mean %s?", suggest(word, name_at, NULL));
	return say_error(&err);
}

int cmd_version(const struct args *args)
{
	(void)args;
	puts("drover " DROVER_VERSION);
	return EXIT_DONE;
}

/* Names of hosts and guests come from the last inventory only when asking is cheap, so they are not completed. */
int cmd_completion(const struct args *args)
{
	const char *const *formats = output_names();
	struct error err;
	size_t i, k;

	if (strcmp(args->words[0], "bash") != 0) {
		error_set(&err, ERR_USAGE, "completion %s: only bash is known", args->words[0]);
		return say_error(&err);
	}
	puts("_drover() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
	     "\tCOMPREPLY=()\n\tcase $before in\n\t--config|-c|--inventory|--state|apply|batch|backup) COMPREPLY=($(compgen -f -- \"$word\")); return;;");
	printf("\t--output|-o) COMPREPLY=($(compgen -W '");
	for (i = 0; formats[i] != NULL; i++)
		printf("%s%s", i > 0 ? " " : "", formats[i]);
	puts("' -- \"$word\")); return;;\n\tesac\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase ${COMP_WORDS[i]} in -c|-o|--config|--output|--state|--inventory) ((i++));; -*) ;; *) command=${COMP_WORDS[i]}; break;; esac\n"
	     "\tdone\n\tcase $command in");
	for (i = 0; cli_commands[i].name != NULL; i++) {
		printf("\t%s) COMPREPLY=($(compgen -W '", cli_commands[i].name);
		for (k = 0; cli_options[k].name != NULL; k++)
			if (command_takes(&cli_commands[i], &cli_options[k]))
				printf("--%s ", cli_options[k].name);
		if (strchr(cli_commands[i].arguments, '|') != NULL && cli_commands[i].arguments[0] >= 'a')
			for (k = 0; cli_commands[i].arguments[k] != '\0' && cli_commands[i].arguments[k] != ' '; k++)
				putchar(cli_commands[i].arguments[k] == '|' ? ' ' : cli_commands[i].arguments[k]);
		puts("' -- \"$word\"));;");
	}
	printf("\t'') COMPREPLY=($(compgen -W '");
	for (i = 0; cli_commands[i].name != NULL; i++)
		printf("%s ", cli_commands[i].name);
	puts("--config --output --state --no-color --help --version' -- \"$word\"));;\n\tesac\n}\ncomplete -F _drover drover");
	return EXIT_DONE;
}
