/* The status document (schema drover/status/1): batches, their moves, cordoned hosts. One shape, made from a
 * running engine or from the state file, shown by `status`, `watch` and the live progress alike.
 */
#ifndef DROVER_STATUS_H
#define DROVER_STATUS_H

#include <jansson.h>

#include "drover/engine.h"

/* The caller's. `is_brief` leaves out the moves that have ended (for the progress block). */
json_t *status_of_engine(const struct engine *engine, int64_t wall_ms, bool is_brief);
/* The limits that throttle sets; "auto" for those that follow the measured bandwidth. */
json_t *status_limits(const struct engine *engine);
/* The name of a limit in the documents, the unit with it. */
const char *status_limit_key(enum limit_kind kind);
/* All unfinished batches, or the last one when none is unfinished. */
json_t *status_of_image(const struct store_image *image, int64_t wall_ms);
/* Every batch of the state file, in order, without the moves. */
json_t *status_history(const struct store_image *image);

/* RFC 3339 in UTC, or null for 0. */
json_t *status_time(int64_t wall_ms);

#endif
