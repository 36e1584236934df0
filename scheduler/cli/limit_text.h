/* Limits of the status document as words, for throttle and status. */
#ifndef DROVER_CLI_LIMIT_TEXT_H
#define DROVER_CLI_LIMIT_TEXT_H

#include <jansson.h>

#include "drover/limit.h"

struct limit_text {
	char name[NAME_BYTES_MAX + 64]; /* "max_outgoing of host h1" */
	char value[40];
};

/* False when the object says nothing of this kind. */
bool limit_text(const json_t *object, enum limit_kind kind, struct limit_text *ret);

#endif
