/* A hash from names to array indices; keys are borrowed and must outlive it. */
#ifndef DROVER_NAME_INDEX_H
#define DROVER_NAME_INDEX_H

#include "drover/base.h"

struct name_index;

struct name_index *name_index_new(size_t expected);
void name_index_free(struct name_index *index);
/* INDEX_NONE when added; otherwise the value that stands under that name already (kept). */
uint32_t name_index_add(struct name_index *index, const char *name, uint32_t value);
uint32_t name_index_find(const struct name_index *index, const char *name); /* INDEX_NONE when absent */

#endif
