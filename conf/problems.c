/* The list of mistakes: all of them at once, because correcting a file one error a run is a
 * waste of an administrator's evening. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "drover/config.h"
#include "xalloc.h"

/* A file of a million wrong lines must not eat the memory; nobody reads more than this. */
enum { PROBLEMS_MAX = 200 };

void problems_add(struct problems *problems, enum error_code code, const char *format, ...)
{
	char message[ERROR_MESSAGE_SIZE];
	va_list args;

	if (problems == NULL || problems->n > PROBLEMS_MAX)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	problems->errors = xrealloc_array(problems->errors, problems->n + 1, sizeof *problems->errors);
	if (problems->n == PROBLEMS_MAX)
		error_set(&problems->errors[problems->n], code, "more mistakes follow; correct these %d first", PROBLEMS_MAX);
	else
		error_set(&problems->errors[problems->n], code, "%s", message);
	problems->n++;
}

void problems_clear(struct problems *problems)
{
	free(problems->errors);
	*problems = (struct problems){0};
}
