/* Batches from CSV text. */
#ifndef CONF_BATCH_H
#define CONF_BATCH_H

#include "drover/config.h"

enum {
	BATCH_FILE_MAX = 16 * 1024 * 1024,
	BATCH_LINE_MAX = 65536, /* a line is one guest and its mappings */
};

/* Adds the moves of a CSV text to request. */
void batch_csv(const char *file, const char *text, size_t n, struct request *request, struct problems *problems);
/* Guests that stand twice in a request are problems; names both places. */
void batch_check_duplicates(const struct request *request, const char *file, enum error_code code, struct problems *problems);

#endif
