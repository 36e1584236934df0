/* Talks to the drover that runs with this state file, if one does. */
#ifndef DROVER_CLI_ASK_H
#define DROVER_CLI_ASK_H

#include <jansson.h>

#include "site.h"

enum ask_result { ASK_NOBODY, ASK_DONE, ASK_FAILED };

/* request is taken. NOBODY: none runs, nothing is said. FAILED: err is set. *ret_answer (may be NULL) is the caller's. */
enum ask_result ask_running(const struct site *site, json_t *request, json_t **ret_answer, struct error *err);

#endif
