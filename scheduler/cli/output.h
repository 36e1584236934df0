/* Data on standard output: tables by libsmartcols; JSON, JSON lines, CSV and names from one JSON document.
 */
#ifndef DROVER_CLI_OUTPUT_H
#define DROVER_CLI_OUTPUT_H

#include <jansson.h>

#include "args.h"

struct table;

/* WIDE columns show with -o wide only. LONG ones hold sentences: where a terminal is too narrow for them they stand below
 * their row, wrapped between words. */
enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_LONG, COLUMN_WIDE_TEXT, COLUMN_WIDE_NUMBER };
struct column {
	const char *title;
	enum column_kind kind;
};

/* columns: borrowed, ends with title NULL. */
struct table *table_new(const struct args *args, const struct column *columns);
/* Cells are given column by column, row by row. */
void table_cell(struct table *table, const char *format, ...) DROVER_PRINTF(2, 3);
/* Prints (nothing when there is no row) and frees. */
void table_end(struct table *table);

bool output_is_table(const struct args *args);
/* document in the form that was asked for, but a table. rows: its member that is a list, for jsonl, csv and name; keys:
 * columns of the CSV ("error.code" goes into an object), the first is the name; ends with NULL. */
void output_document(const struct args *args, const json_t *document, const char *rows, const char *const *keys);
/* The same from text made by conf's functions; text is freed. */
void output_text(const struct args *args, char *text, const char *rows, const char *const *keys);

#endif
