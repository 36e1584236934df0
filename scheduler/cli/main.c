/* drover: the command line. Everything it can do stands in the table of commands.c. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "say.h"

static int run(int argc, char **argv, struct args *args)
{
	struct error err;

	if (!args_parse(argc, argv, args, &err))
		return say_error(&err);
	if (args->version)
		return cmd_version(args);
	if (args->help)
		return cmd_help(args);
	if (args->command == NULL) {
		error_set(&err, ERR_USAGE, "no command was given");
		return say_error(&err);
	}
	return args->command->run(args);
}

/* A standard file that is closed would become the state file or a socket, and messages would be written into it. */
static void hold_standard_files(void)
{
	int fd;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* using it fails, as it did */
}

int main(int argc, char **argv)
{
	struct args args;
	int result;

	hold_standard_files();
	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C"); /* numbers in files and on screen have one decimal sign */
	signal(SIGPIPE, SIG_IGN);
	result = run(argc, argv, &args);
	free(args.words);
	errno = 0;
	/* A reader that left early (head) is no failure; a full disk is. */
	if (fflush(stdout) != 0 && errno != EPIPE) {
		fprintf(stderr, "drover: error: standard output: %s\n", strerror(errno));
		return result == EXIT_DONE ? (int)EXIT_FAILED : result;
	}
	return result;
}
