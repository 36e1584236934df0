/* Everything on standard error, in one manner: what, why, what next. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

enum { PROBLEMS_MAX = 20 }; /* lines that fit a screen; a file with more is the wrong file */

int say_error(const struct error *err)
{
	fflush(stdout);
	fprintf(stderr, "drover: error: %s\n", err->message);
	if (err->hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", err->hint);
	return (int)error_exit_code(err->code);
}

int say_problems(const struct problems *problems)
{
	size_t i;

	fflush(stdout);
	for (i = 0; i < problems->n && i < PROBLEMS_MAX; i++)
		fprintf(stderr, "drover: error: %s\n", problems->errors[i].message);
	if (problems->n > PROBLEMS_MAX)
		fprintf(stderr, "drover: error: and %zu more like these\n", problems->n - PROBLEMS_MAX);
	if (problems->n == 0)
		return EXIT_DONE;
	if (problems->errors[0].hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", problems->errors[0].hint);
	return (int)error_exit_code(problems->errors[0].code);
}

void say_warning(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("drover: warning: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void say_note(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

bool say_ask(const struct args *args, const char *question, struct error *err)
{
	char answer[16];

	if (args->yes)
		return true;
	if (args->no_input || !isatty(STDIN_FILENO)) {
		error_set(err, ERR_REFUSED, "nobody can be asked: %s", args->no_input ? "--no-input" : "standard input is no terminal");
		error_hint(err, "give --yes to go on without a question");
		return false;
	}
	fflush(stdout);
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(answer, sizeof answer, stdin) != NULL && (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return true;
	error_set(err, ERR_REFUSED, "nothing was done");
	err->hint[0] = '\0';
	return false;
}

bool say_may_draw(const struct args *args, int fd)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return !args->no_color && (no_color == NULL || no_color[0] == '\0') && isatty(fd) &&
		(term == NULL || strcmp(term, "dumb") != 0);
}
