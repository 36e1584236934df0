/* What goes to standard error: errors with their hints, warnings, notes, and the one question. */
#ifndef DROVER_CLI_SAY_H
#define DROVER_CLI_SAY_H

#include "args.h"
#include "drover/config.h"

/* "drover: error: MESSAGE" and "hint: ...". Returns the code's exit code. */
int say_error(const struct error *err);
/* All of them; the exit code of the first. */
int say_problems(const struct problems *problems);
void say_warning(const char *format, ...) DROVER_PRINTF(1, 2);
void say_note(const char *format, ...) DROVER_PRINTF(1, 2);

/* Asks on the terminal. True when the answer is yes, or --yes was given; otherwise err says how to go on. */
bool say_ask(const struct args *args, const char *question, struct error *err);

/* True when escapes may be written to that file: a terminal, no --no-color, no NO_COLOR, not a dumb one. */
bool say_may_draw(const struct args *args, int fd);

#endif
