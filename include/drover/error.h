/* Errors are values: a stable code, a message that names the object and the two
 * numbers that were compared, and a hint that says what to do about it.
 *
 * The codes stand once, in errors.def; text, default hint, exit code and the
 * documentation page come from there. A wait reason is an error code too, so
 * that "why does it wait" and "why was it refused" read the same.
 *
 * A function returns an error or logs it, never both. Wrapping adds context at
 * the front: error_wrap(err, "batch moves.csv line %d", n) gives
 * "batch moves.csv line 7: guest web3: ...". All functions accept err == NULL,
 * for callers that do not care why.
 */
#ifndef DROVER_ERROR_H
#define DROVER_ERROR_H

#include "drover/base.h"

enum error_code {
#define ERROR_CODE(symbol, name, exit_code, summary, hint) ERR_##symbol,
#include "drover/errors.def"
#undef ERROR_CODE
	ERROR_CODE_COUNT
};

enum {
	ERROR_MESSAGE_SIZE = 512, /* longer messages are cut with "..." : libvirt quotes whole command lines */
	ERROR_HINT_SIZE = 256,
};

/* Exit codes of the commands (CONTRACT.md). */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_CHANGES = 2,
	EXIT_SOME_LEFT = 3,
	EXIT_REFUSED = 4,
	EXIT_WINDOW = 5,
	EXIT_STALE = 6,
	EXIT_NO_DAEMON = 7,
	EXIT_USAGE = 64,
	EXIT_CONFIG = 78,
	EXIT_DETACHED = 130,
};

struct error {
	enum error_code code;
	char message[ERROR_MESSAGE_SIZE];
	char hint[ERROR_HINT_SIZE];
};

/* Sets code and message; the hint becomes the code's default. Returns false, so
 * that callers can write `return error_set(err, ...)`. */
bool error_set(struct error *err, enum error_code code, const char *format, ...) DROVER_PRINTF(3, 4);
/* Replaces the hint. */
void error_hint(struct error *err, const char *format, ...) DROVER_PRINTF(2, 3);
/* Puts "<context>: " before the message. Returns false. */
bool error_wrap(struct error *err, const char *format, ...) DROVER_PRINTF(2, 3);
void error_clear(struct error *err);

/* Where hardly anything has an error it is not inside but kept by a pointer, NULL = none.
 * The error that the slot owns, made when there is none: */
struct error *error_own(struct error **slot);
void error_disown(struct error **slot); /* frees it; now there is none */

/* From the table; never NULL. Names are stable, kebab-case, part of the JSON. */
const char *error_code_name(enum error_code code);
const char *error_code_summary(enum error_code code);
const char *error_code_hint(enum error_code code);
enum exit_code error_exit_code(enum error_code code);
/* ERROR_CODE_COUNT when no code has that name. */
enum error_code error_code_by_name(const char *name);

#endif
