/* The forms of output. Tables are for people and may change; the others are for programs and follow the document. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "output.h"
#include "say.h"
#include "xalloc.h"

enum { COLUMNS_MAX = 24 };

struct table {
	const struct args *args;
	struct libscols_table *scols;
	struct libscols_line *line;
	struct libscols_column *columns[COLUMNS_MAX]; /* NULL = not shown */
	size_t n_columns, at;
};

struct table *table_new(const struct args *args)
{
	struct table *table = xcalloc(1, sizeof *table);

	table->args = args;
	table->scols = scols_new_table();
	assert(table->scols != NULL);
	if (!isatty(STDOUT_FILENO))
		scols_table_set_termforce(table->scols, SCOLS_TERMFORCE_NEVER);
	return table;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	scols_unref_table(table->scols);
	free(table);
}

void table_column(struct table *table, const char *title, enum column_kind kind)
{
	int flags = 0;

	assert(table->n_columns < COLUMNS_MAX);
	if (kind == COLUMN_NUMBER || kind == COLUMN_WIDE_NUMBER)
		flags = SCOLS_FL_RIGHT;
	if (kind == COLUMN_LONG && isatty(STDOUT_FILENO))
		flags = SCOLS_FL_WRAP;
	if ((kind == COLUMN_WIDE_TEXT || kind == COLUMN_WIDE_NUMBER) && table->args->output != OUTPUT_WIDE)
		table->columns[table->n_columns++] = NULL;
	else
		table->columns[table->n_columns++] = scols_table_new_column(table->scols, title, 0, flags);
}

void table_cell(struct table *table, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	if (table->at == 0)
		table->line = scols_table_new_line(table->scols, NULL);
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	assert(n >= 0);
	if (table->columns[table->at] != NULL)
		scols_line_refer_column_data(table->line, table->columns[table->at], text);
	else
		free(text);
	table->at = (table->at + 1) % table->n_columns;
}

void table_print(struct table *table)
{
	assert(table->at == 0);
	if (scols_table_get_nlines(table->scols) > 0)
		scols_print_table(table->scols);
}

bool output_is_table(const struct args *args)
{
	return args->output == OUTPUT_TABLE || args->output == OUTPUT_WIDE;
}

static const json_t *member(const json_t *row, const char *key)
{
	const char *dot;
	char head[64];

	while ((dot = strchr(key, '.')) != NULL) {
		snprintf(head, sizeof head, "%.*s", (int)(dot - key), key);
		row = json_object_get(row, head);
		key = dot + 1;
	}
	return json_object_get(row, key);
}

static void print_quoted(const char *text)
{
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, stdout);
		return;
	}
	putchar('"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void print_cell(const json_t *value)
{
	char *text;

	if (value == NULL || json_is_null(value))
		return;
	if (json_is_string(value)) {
		print_quoted(json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
	print_quoted(text);
	free(text);
}

static void print_csv(const json_t *rows, const char *const *keys)
{
	const json_t *row;
	size_t i, k;

	for (k = 0; keys[k] != NULL; k++)
		printf("%s%s", k > 0 ? "," : "", keys[k]);
	putchar('\n');
	json_array_foreach((json_t *)rows, i, row) {
		for (k = 0; keys[k] != NULL; k++) {
			if (k > 0)
				putchar(',');
			print_cell(member(row, keys[k]));
		}
		putchar('\n');
	}
}

static void print_names(const json_t *rows, const char *key)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row) {
		const json_t *value = member(row, key);

		if (json_is_string(value))
			puts(json_string_value(value));
		else if (value != NULL)
			printf("%lld\n", (long long)json_integer_value(value));
	}
}

void output_document(const struct args *args, const json_t *document, const char *rows, const char *const *keys)
{
	const json_t *list = json_object_get(document, rows), *row;
	size_t i;

	if (args->output == OUTPUT_JSON) {
		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		putchar('\n');
	} else if (args->output == OUTPUT_CSV) {
		print_csv(list, keys);
	} else if (args->output == OUTPUT_NAME) {
		print_names(list, keys[0]);
	} else {
		json_array_foreach((json_t *)list, i, row) {
			json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			putchar('\n');
		}
	}
}

void output_text(const struct args *args, char *text, const char *rows, const char *const *keys)
{
	json_t *document;

	if (args->output == OUTPUT_JSON) {
		size_t n = strlen(text);

		fputs(text, stdout);
		if (n == 0 || text[n - 1] != '\n')
			putchar('\n');
	} else {
		document = json_loads(text, 0, NULL);
		assert(document != NULL);
		output_document(args, document, rows, keys);
		json_decref(document);
	}
	free(text);
}
