/* Reads members of the status document: one answer for what is missing, everywhere it is shown. */
#ifndef DROVER_CLI_DOC_H
#define DROVER_CLI_DOC_H

#include <jansson.h>
#include <stdint.h>

const char *doc_text(const json_t *object, const char *key);  /* "-" when missing */
int64_t doc_number(const json_t *object, const char *key);    /* 0 when missing */
int64_t doc_ms(const json_t *object, const char *key);        /* of seconds; -1 when missing */

#endif
