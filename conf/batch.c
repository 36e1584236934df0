/* Long lists of moves as CSV: what a spreadsheet writes, read strictly and with every mistake at
 * once. RFC 4180, except that a quoted field ends on its line (no name holds a line end), and that
 * blank lines and lines with # at the start are skipped. */
#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"
#include "name_index.h"
#include "options.h"
#include "text.h"
#include "xalloc.h"

enum column { VM, FROM, TO, PRIORITY, NOT_BEFORE, MAX_RATE, TO_POOL, CANNOT_MOVE, POOL_MAP, NETWORK_MAP, COLUMNS };
static const char *const column_names[COLUMNS + 1] = {
	"vm", "from", "to", "priority", "not_before", "max_rate", "to_pool", "cannot_move", "pool_map", "network_map", NULL,
};

struct csv {
	const char *file;
	uint32_t line;
	struct request *request;
	struct problems *problems;
	enum column columns[COLUMNS]; /* of field i */
	size_t n_columns;             /* 0 = no header yet */
};

#define MISTAKE(csv, ...) mistake((csv), xprintf(__VA_ARGS__))

static void mistake(struct csv *csv, char *text)
{
	problems_add(csv->problems, ERR_INPUT, "%s:%u: %s", csv->file, csv->line, text);
	free(text);
}

/* One quoted field at *s; NULL = not closed. *s moves behind the closing quote. */
static char *take_quoted(const char **s, const char *end)
{
	char *field = xmalloc((size_t)(end - *s) + 1), *out = field;

	for (const char *p = *s + 1; p < end; p++) {
		if (*p != '"') {
			*out++ = *p;
		} else if (p + 1 < end && p[1] == '"') {
			*out++ = '"';
			p++;
		} else {
			*out = '\0';
			*s = p + 1;
			return field;
		}
	}
	free(field);
	return NULL;
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s;
}

/* Splits one line; false = a mistake was reported. */
static bool split(struct csv *csv, const char *s, const char *end, char ***ret_fields, size_t *ret_n)
{
	for (;;) {
		char *field;

		s = skip_blanks(s, end);
		if (s < end && *s == '"') {
			field = take_quoted(&s, end);
			if (field == NULL) {
				MISTAKE(csv, "a quote is not closed on its line");
				return false;
			}
			s = skip_blanks(s, end);
		} else {
			const char *comma = memchr(s, ',', (size_t)(end - s));
			size_t n = (size_t)((comma == NULL ? end : comma) - s);

			if (memchr(s, '"', n) != NULL) {
				MISTAKE(csv, "a quote in the middle of field %zu; quote the whole field and double the quotes in it", *ret_n + 1);
				return false;
			}
			field = text_trimmed(s, n);
			s += n;
		}
		*ret_fields = xgrow(*ret_fields, *ret_n, sizeof **ret_fields);
		(*ret_fields)[(*ret_n)++] = field;
		if (s == end)
			return true;
		if (*s != ',') {
			MISTAKE(csv, "text after the closing quote of field %zu", *ret_n);
			return false;
		}
		s++;
	}
}

static void take_column(struct csv *csv, const char *name)
{
	const char *near = name_suggest(column_names, name);
	enum column column = VM;

	while (column < COLUMNS && strcasecmp(column_names[column], name) != 0)
		column++;
	if (column == COLUMNS) {
		MISTAKE(csv, "unknown column \"%s\"%s%s%s", name, near == NULL ? "" : "; did you mean ", near == NULL ? "" : near, near == NULL ? "" : "?");
		return;
	}
	for (size_t i = 0; i < csv->n_columns; i++)
		if (csv->columns[i] == column) {
			MISTAKE(csv, "column %s stands twice", column_names[column]);
			return;
		}
	csv->columns[csv->n_columns++] = column;
}

/* False = the rows cannot be understood. */
static bool take_header(struct csv *csv, char **fields, size_t n)
{
	size_t before = csv->problems->n;
	bool has_vm = false;

	for (size_t i = 0; i < n; i++)
		take_column(csv, fields[i]);
	for (size_t i = 0; i < csv->n_columns; i++)
		has_vm = has_vm || csv->columns[i] == VM;
	if (!has_vm)
		MISTAKE(csv, "the first line must name the columns, vm among them; known are vm, from, to, priority, not_before, max_rate, "
			"to_pool, cannot_move, pool_map, network_map");
	return csv->problems->n == before;
}

/* "a:b; c:d" */
static void take_maps(struct csv *csv, enum column column, const char *text, struct name_map **maps, size_t *n)
{
	for (const char *s = text;; s++) {
		size_t length = strcspn(s, ";,");
		char *item = text_trimmed(s, length);

		if (!name_map_parse(item, maps, n))
			MISTAKE(csv, "%s: \"%s\" is not OLD:NEW; several stand with ; between", column_names[column], item);
		free(item);
		s += length;
		if (*s == '\0')
			return;
	}
}

/* The same readers as in [move]: the option table says what is right. */
static void take_option(struct csv *csv, enum column column, const char *text, void *raw)
{
	const struct option *option = option_find(SECTION_MOVE, column_names[column]);
	char *why = NULL;

	if (!option_apply(option, csv->file, text, raw, &why))
		MISTAKE(csv, "%s: \"%s\": %s", column_names[column], text, why);
	free(why);
}

static void take_field(struct csv *csv, enum column column, const char *text, struct raw_move *raw, struct wanted_move *move)
{
	if (text[0] == '\0')
		return;
	if (strlen(text) > NAME_BYTES_MAX && column != POOL_MAP && column != NETWORK_MAP)
		MISTAKE(csv, "%s: is longer than %d bytes", column_names[column], NAME_BYTES_MAX);
	else if (column == POOL_MAP)
		take_maps(csv, column, text, &move->pools, &move->n_pools);
	else if (column == NETWORK_MAP)
		take_maps(csv, column, text, &move->nets, &move->n_nets);
	else
		take_option(csv, column, text, raw);
}

static void take_row(struct csv *csv, char **fields, size_t n)
{
	struct raw_move raw = {0};
	struct wanted_move *move;

	if (n != csv->n_columns) {
		MISTAKE(csv, "has %zu fields, the header %zu; leave a field empty, but keep its comma", n, csv->n_columns);
		return;
	}
	move = request_add_move(csv->request, "");
	for (size_t i = 0; i < n; i++)
		take_field(csv, csv->columns[i], fields[i], &raw, move);
	if (raw.vm == NULL)
		MISTAKE(csv, "vm is empty");
	else {
		free(move->guest);
		move->guest = raw.vm;
	}
	move->from = raw.from;
	move->to = raw.to;
	move->to_pool = raw.to_pool;
	move->priority = raw.priority;
	move->not_before_wall_ms = raw.not_before_wall_ms;
	move->max_rate_bytes_per_s = raw.max_rate_bytes_per_s;
	move->cannot_move = raw.cannot_move;
	move->where = xprintf("%s line %u", csv->file, csv->line);
}

/* False = give the file up. */
static bool take_line(struct csv *csv, const char *s, size_t n)
{
	char **fields = NULL;
	size_t n_fields = 0;
	bool go_on = true;
	const char *start = skip_blanks(s, s + n);

	if (start == s + n || *start == '#')
		return true;
	if (n > BATCH_LINE_MAX) {
		MISTAKE(csv, "the line has %zu bytes; at most %d are read", n, BATCH_LINE_MAX);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' && s[i] != '\t') {
			MISTAKE(csv, "byte %zu is %s", i + 1, s[i] == '\0' ? "a NUL byte" : "a control character");
			return true;
		}
	if (utf8_bad(s, n) < n) {
		MISTAKE(csv, "byte %zu is not UTF-8", utf8_bad(s, n) + 1);
		return true;
	}
	if (split(csv, s, s + n, &fields, &n_fields)) {
		if (csv->n_columns == 0)
			go_on = take_header(csv, fields, n_fields);
		else
			take_row(csv, fields, n_fields);
	} else {
		go_on = csv->n_columns > 0;
	}
	for (size_t i = 0; i < n_fields; i++)
		free(fields[i]);
	free(fields);
	return go_on;
}

void batch_csv(const char *file, const char *text, size_t n, struct request *request, struct problems *problems)
{
	struct csv csv = {.file = file, .request = request, .problems = problems};
	size_t before = problems->n;
	bool go_on = true;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* spreadsheets write it */
		text += 3;
		n -= 3;
	}
	while (n > 0 && go_on) {
		const char *end = memchr(text, '\n', n);
		size_t length = end == NULL ? n : (size_t)(end - text);

		csv.line++;
		go_on = take_line(&csv, text, length > 0 && text[length - 1] == '\r' ? length - 1 : length);
		n -= end == NULL ? n : length + 1;
		text += length + 1;
	}
	if (problems->n == before && request->n_moves == 0)
		problems_add(problems, ERR_INPUT, "%s: %s", file, csv.n_columns == 0 ? "is empty; the first line must name the columns (vm, to, ...)"
			: "holds no moves below its header");
}

void batch_check_duplicates(const struct request *request, const char *file, enum error_code code, struct problems *problems)
{
	struct name_index *seen = name_index_new(request->n_moves);

	for (size_t i = 0; i < request->n_moves; i++) {
		const struct wanted_move *move = &request->moves[i];
		uint32_t first;

		if (move->guest[0] == '\0')
			continue;
		first = name_index_add(seen, move->guest, (uint32_t)i);
		if (first != INDEX_NONE)
			problems_add(problems, code, "%s: guest %s is named twice: %s and %s; keep one of the two", file, move->guest,
				request->moves[first].where, move->where);
	}
	name_index_free(seen);
}

/* INI when the first line that says anything opens a section. */
static bool is_ini(const char *text)
{
	for (;;) {
		text += strspn(text, " \t\r\n");
		if (*text != '#' && *text != ';')
			return *text == '[';
		text += strcspn(text, "\n");
	}
}

static struct request *csv_request(const char *file, const struct text *text, struct problems *problems)
{
	struct request *request = request_new(REQUEST_BATCH);

	request->name = xstrdup(file);
	batch_csv(file, text->data, text->n, request, problems);
	batch_check_duplicates(request, file, ERR_DUPLICATE_GUEST, problems);
	return request;
}

struct request *batch_read(const char *file, struct problems *problems)
{
	const char *name = strcmp(file, "-") == 0 ? "stdin" : file;
	struct request *request = NULL;
	struct error error;
	struct text text;

	if (!text_read(file, BATCH_FILE_MAX, &text, &error)) {
		problems_add(problems, ERR_FILE, "%s", error.message);
		return NULL;
	}
	if (text.was_cut)
		problems_add(problems, ERR_LIMIT, "%s: is longer than %d MiB; split it", name, BATCH_FILE_MAX / 1024 / 1024);
	else if (is_ini(text.data))
		request = batch_ini(name, text.data, text.n, problems);
	else
		request = csv_request(name, &text, problems);
	free(text.data);
	if (problems->n == 0)
		return request;
	request_free(request);
	return NULL;
}
