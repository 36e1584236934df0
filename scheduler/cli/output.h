/* Data on standard output: tables by libsmartcols; JSON, JSON lines, CSV and names from one JSON document.
 */
#ifndef DROVER_CLI_OUTPUT_H
#define DROVER_CLI_OUTPUT_H

#include <jansson.h>

#include "args.h"

struct table;

struct table *table_new(const struct args *args);
void table_free(struct table *table);
enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_LONG, COLUMN_WIDE_TEXT, COLUMN_WIDE_NUMBER };
/* Before the first cell. WIDE columns show with -o wide only. LONG ones wrap on a terminal. */
void table_column(struct table *table, const char *title, enum column_kind kind);
/* Cells are given column by column, row by row. */
void table_cell(struct table *table, const char *format, ...) DROVER_PRINTF(2, 3);
void table_print(struct table *table);

bool output_is_table(const struct args *args);
/* document in the form that was asked for, but a table. rows: its member that is a list, for jsonl, csv and name; keys:
 * columns of the CSV ("error.code" goes into an object), the first is the name; ends with NULL. */
void output_document(const struct args *args, const json_t *document, const char *rows, const char *const *keys);
/* The same from text made by conf's functions; text is freed. */
void output_text(const struct args *args, char *text, const char *rows, const char *const *keys);

#endif
