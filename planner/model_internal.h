/* The parts of compiling an inventory; only model*.c include this. */
#ifndef DROVER_MODEL_INTERNAL_H
#define DROVER_MODEL_INTERNAL_H

#include "model.h"

/* The number of a text, given on first sight; INDEX_NONE for NULL. */
uint32_t model_intern(struct model *model, const char *text);
void model_compile_rules(struct model *model);
void model_compile_links(struct model *model);
void model_compile_lessons(struct model *model);

#endif
