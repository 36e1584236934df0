/* Shows how a run goes, from status documents: a redrawn block on a terminal, plain lines elsewhere. Goes to
 * standard error, so that standard output keeps the data.
 */
#ifndef DROVER_CLI_PROGRESS_H
#define DROVER_CLI_PROGRESS_H

#include <jansson.h>

#include "args.h"

struct progress;

struct progress *progress_new(const struct args *args);
/* Leaves the terminal clean. */
void progress_free(struct progress *progress);
/* document: schema drover/status/1; elapsed_ms: since the run began, in its own clock. */
void progress_show(struct progress *progress, const json_t *document, int64_t elapsed_ms);
/* Before anything else is written to the terminal. */
void progress_clear(struct progress *progress);

#endif
