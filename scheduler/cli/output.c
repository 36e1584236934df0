/* The forms of output. Tables are for people and may change; the others are for programs and follow the document. */
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <libsmartcols.h>

#include "output.h"
#include "say.h"
#include "xalloc.h"

enum {
	COLUMNS_MAX = 24,
	TERMINAL_COLUMNS = 80,     /* where the terminal does not say */
	TERMINAL_COLUMNS_MIN = 40, /* narrower ones break lines themselves */
	INDENT = 4,
};

struct table {
	const struct args *args;
	const struct column *columns;
	size_t n_columns;
	char **cells; /* n_cells, row by row */
	size_t n_cells;
};

struct table *table_new(const struct args *args, const struct column *columns)
{
	struct table *table = xcalloc(1, sizeof *table);

	table->args = args;
	table->columns = columns;
	while (columns[table->n_columns].title != NULL)
		table->n_columns++;
	assert(table->n_columns > 0 && table->n_columns <= COLUMNS_MAX);
	return table;
}

void table_cell(struct table *table, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	assert(n >= 0);
	table->cells = xgrow(table->cells, table->n_cells, sizeof *table->cells);
	table->cells[table->n_cells++] = text;
}

static bool is_shown(const struct table *table, size_t column)
{
	enum column_kind kind = table->columns[column].kind;

	return table->args->output == OUTPUT_WIDE || (kind != COLUMN_WIDE_TEXT && kind != COLUMN_WIDE_NUMBER);
}

/* Columns on the screen; bytes where the text is not of this locale. */
static size_t text_width(const char *text)
{
	wchar_t wide[1024];
	size_t n = mbstowcs(wide, text, sizeof wide / sizeof *wide);
	int width = n < sizeof wide / sizeof *wide ? wcswidth(wide, n) : -1;

	return width >= 0 ? (size_t)width : strlen(text);
}

static size_t natural_width(const struct table *table)
{
	size_t sum = 0, i, k;

	for (k = 0; k < table->n_columns; k++) {
		size_t most = text_width(table->columns[k].title);

		if (!is_shown(table, k))
			continue;
		for (i = k; i < table->n_cells; i += table->n_columns)
			most = text_width(table->cells[i]) > most ? text_width(table->cells[i]) : most;
		sum += most + 1;
	}
	return sum;
}

static size_t terminal_width(void)
{
	struct winsize window;
	size_t width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col : TERMINAL_COLUMNS;

	return width < TERMINAL_COLUMNS_MIN ? TERMINAL_COLUMNS_MIN : width;
}

static char *render(const struct table *table, bool with_long)
{
	struct libscols_table *scols = scols_new_table();
	struct libscols_column *shown[COLUMNS_MAX] = {NULL};
	struct libscols_line *line = NULL;
	char *text = NULL;
	size_t i, k;

	assert(scols != NULL);
	scols_table_set_termforce(scols, SCOLS_TERMFORCE_NEVER);
	for (k = 0; k < table->n_columns; k++) {
		enum column_kind kind = table->columns[k].kind;

		if (is_shown(table, k) && (with_long || kind != COLUMN_LONG))
			shown[k] = scols_table_new_column(scols, table->columns[k].title, 0,
				kind == COLUMN_NUMBER || kind == COLUMN_WIDE_NUMBER ? SCOLS_FL_RIGHT : 0);
	}
	for (i = 0; i < table->n_cells; i++) {
		k = i % table->n_columns;
		if (k == 0)
			line = scols_table_new_line(scols, NULL);
		if (shown[k] != NULL)
			scols_line_set_column_data(line, shown[k], table->cells[i]);
	}
	scols_print_table_to_string(scols, &text);
	scols_unref_table(scols);
	assert(text != NULL);
	return text;
}

/* "    why: ..." with a deeper indent from the second line on; words longer than a line stay whole. */
static void print_wrapped(const char *title, const char *text, size_t width)
{
	size_t at = INDENT + 1 + strlen(title);

	printf("%*s", INDENT, "");
	for (; *title != '\0'; title++)
		putchar(tolower((unsigned char)*title));
	putchar(':');
	while (*(text += strspn(text, " ")) != '\0') {
		char *word = xprintf("%.*s", (int)strcspn(text, " "), text);
		size_t n = text_width(word);

		if (at + 1 + n > width && at > 2 * INDENT) {
			printf("\n%*s", 2 * INDENT, "");
			at = 2 * INDENT;
		} else {
			putchar(' ');
			at++;
		}
		fputs(word, stdout);
		at += n;
		text += strlen(word);
		free(word);
	}
	putchar('\n');
}

static void print_narrow(const struct table *table, size_t width)
{
	char *text = render(table, false), *rest = text;
	size_t i, k;

	printf("%s\n", strsep(&rest, "\n"));
	for (i = 0; i < table->n_cells; i += table->n_columns) {
		printf("%s\n", rest != NULL ? strsep(&rest, "\n") : "");
		for (k = 0; k < table->n_columns; k++)
			if (is_shown(table, k) && table->columns[k].kind == COLUMN_LONG && table->cells[i + k][0] != '\0')
				print_wrapped(table->columns[k].title, table->cells[i + k], width);
	}
	free(text);
}

void table_end(struct table *table)
{
	size_t width = terminal_width(), i;
	char *text;

	assert(table->n_cells % table->n_columns == 0);
	if (table->n_cells > 0 && isatty(STDOUT_FILENO) && natural_width(table) > width) {
		print_narrow(table, width);
	} else if (table->n_cells > 0) {
		text = render(table, true);
		fputs(text, stdout);
		if (text[0] != '\0' && text[strlen(text) - 1] != '\n')
			putchar('\n');
		free(text);
	}
	for (i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
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
