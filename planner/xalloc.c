/* Allocation that cannot fail; see xalloc.h for why. */
#include "xalloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

void *xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *xrealloc_array(void *old, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size)
		abort();
	return checked(realloc(old, n * size > 0 ? n * size : 1));
}

char *xstrdup(const char *text)
{
	return text == NULL ? NULL : checked(strdup(text));
}

char *xprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

void *xgrow(void *array, size_t n, size_t size)
{
	if (n == 0)
		return xrealloc_array(array, 4, size);
	if (n >= 4 && (n & (n - 1)) == 0)
		return xrealloc_array(array, n * 2, size);
	return array;
}
