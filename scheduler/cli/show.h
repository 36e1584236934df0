/* Prints plans, pre-flight results and reports. */
#ifndef DROVER_CLI_SHOW_H
#define DROVER_CLI_SHOW_H

#include "args.h"
#include <jansson.h>
#include <stdio.h>

#include "drover/config.h"

void show_plan(const struct args *args, const struct plan *plan, const struct inventory *inventory,
	const struct request *request);
/* The same, not as a table, with one more member in the document; value is borrowed. */
void show_plan_and(const struct args *args, const struct plan *plan, const struct inventory *inventory,
	const struct request *request, const char *key, json_t *value);
/* One line: how many, how long, what binds. */
void show_plan_summary(const struct plan *plan, FILE *file);

/* moves: those of the batch, in order. */
void show_report(const struct args *args, const struct batch_record *batch, const struct move_record *const *moves,
	size_t n_moves, int64_t now_wall_ms);
/* The contract's exit code for a batch that is over (or was left). */
int show_exit_code(const struct batch_record *batch, const struct move_record *const *moves, size_t n_moves);

#endif
