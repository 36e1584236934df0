/* Errors as values, and the one table of codes (errors.def). */
#include "drover/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

static const struct {
	const char *name;
	enum exit_code exit_code;
	const char *summary;
	const char *hint;
} codes[ERROR_CODE_COUNT] = {
#define ERROR_CODE(symbol, name, exit_code, summary, hint) {name, exit_code, summary, hint},
#include "drover/errors.def"
#undef ERROR_CODE
};

/* A message that was cut says so. */
static void mark_cut(char *text, size_t size, int wanted)
{
	if (wanted >= 0 && (size_t)wanted >= size)
		memcpy(text + size - 4, "...", 4);
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return false;
	err->code = code;
	va_start(args, format);
	mark_cut(err->message, sizeof err->message,
		vsnprintf(err->message, sizeof err->message, format, args));
	va_end(args);
	snprintf(err->hint, sizeof err->hint, "%s", error_code_hint(code));
	return false;
}

void error_hint(struct error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return;
	va_start(args, format);
	mark_cut(err->hint, sizeof err->hint, vsnprintf(err->hint, sizeof err->hint, format, args));
	va_end(args);
}

bool error_wrap(struct error *err, const char *format, ...)
{
	char context[ERROR_MESSAGE_SIZE];
	char old[ERROR_MESSAGE_SIZE];
	va_list args;

	if (err == NULL)
		return false;
	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	memcpy(old, err->message, sizeof old);
	mark_cut(err->message, sizeof err->message,
		snprintf(err->message, sizeof err->message, "%s: %s", context, old));
	return false;
}

void error_clear(struct error *err)
{
	if (err != NULL) {
		err->code = ERR_NONE;
		err->message[0] = '\0';
		err->hint[0] = '\0';
	}
}

struct error *error_own(struct error **slot)
{
	if (*slot == NULL)
		*slot = xcalloc(1, sizeof **slot);
	return *slot;
}

void error_disown(struct error **slot)
{
	free(*slot);
	*slot = NULL;
}

const char *error_code_name(enum error_code code)
{
	return codes[code].name;
}

const char *error_code_summary(enum error_code code)
{
	return codes[code].summary;
}

const char *error_code_hint(enum error_code code)
{
	return codes[code].hint;
}

enum exit_code error_exit_code(enum error_code code)
{
	return codes[code].exit_code;
}

enum error_code error_code_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < ERROR_CODE_COUNT; i++)
		if (strcmp(codes[i].name, name) == 0)
			break;
	return (enum error_code)i;
}
