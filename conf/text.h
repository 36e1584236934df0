/* Bytes of files and the questions every reader asks of them first: is it a file, is it small
 * enough, is it UTF-8. */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include "drover/error.h"

struct text {
	char *data;   /* NUL after the last byte; with free() */
	size_t n;
	bool was_cut; /* the file is longer than the limit; data holds its beginning */
};

/* Reads a file, or stdin for "-". ERR_FILE when it is a directory, missing or unreadable. */
bool text_read(const char *file, size_t limit, struct text *ret_text, struct error *err);

/* Length of the well-formed UTF-8 character at s (n bytes left, n > 0); 0 = malformed. */
size_t utf8_step(const char *s, size_t n);
/* Offset of the first byte that is not UTF-8; n when all is well. */
size_t utf8_bad(const char *s, size_t n);

/* "DIR of file/name" for a relative name, a copy of name for an absolute one. */
char *text_beside(const char *file, const char *name);
/* Copy without blanks at both ends. */
char *text_trimmed(const char *start, size_t n);

#endif
