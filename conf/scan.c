/* iniparser merges double sections, lets the last of two keys win, cuts values at ; or #, glues
 * lines at a backslash, takes a directory for an empty file and knows no line numbers. This
 * scanner goes over the same text first and refuses, with file and line, whatever
 * iniparser would read differently from what a person reads. */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "name_index.h"
#include "text.h"
#include "xalloc.h"

struct scanner {
	struct scan *scan;
	struct problems *problems;
	uint32_t line;
	bool in_section; /* a heading was understood; keys before it have no home */
	bool skip;       /* the heading was wrong: one mistake is enough, its keys are not judged */
	bool is_full;
};

#define MISTAKE(scanner, ...) mistake((scanner), xprintf(__VA_ARGS__))

static void mistake(struct scanner *scanner, char *text)
{
	problems_add(scanner->problems, ERR_CONFIG, "%s:%u: %s", scanner->scan->file, scanner->line, text);
	free(text);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static bool is_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(s[i]))
			return false;
	return n > 0 && n <= NAME_BYTES_MAX;
}

static void trim(const char **s, size_t *n)
{
	while (*n > 0 && (**s == ' ' || **s == '\t')) {
		(*s)++;
		(*n)--;
	}
	while (*n > 0 && ((*s)[*n - 1] == ' ' || (*s)[*n - 1] == '\t'))
		(*n)--;
}

static char *copy_of(const char *s, size_t n)
{
	char *copy = xmalloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

static void add_section(struct scanner *scanner, const char *s, size_t n)
{
	struct scan *scan = scanner->scan;
	const char *blank = memchr(s, ' ', n);
	size_t kind_n = blank == NULL ? n : (size_t)(blank - s);

	scan->sections = xgrow(scan->sections, scan->n_sections, sizeof *scan->sections);
	scan->sections[scan->n_sections++] = (struct scan_section){
		.title = copy_of(s, n), .kind = copy_of(s, kind_n),
		.name = blank == NULL ? xstrdup("") : copy_of(blank + 1, n - kind_n - 1),
		.line = scanner->line,
	};
	scanner->in_section = true;
	scanner->skip = false;
}

/* s is trimmed and begins with '['. */
static void scan_heading(struct scanner *scanner, const char *s, size_t n)
{
	const char *close = memchr(s, ']', n), *blank;

	scanner->skip = true;
	scanner->in_section = true;
	if (close == NULL) {
		MISTAKE(scanner, "section heading without ]");
		return;
	}
	if (close != s + n - 1) {
		MISTAKE(scanner, "text after the ] of a section heading; put comments on a line of their own");
		return;
	}
	s++;
	n -= 2;
	trim(&s, &n);
	if (memchr(s, ':', n) != NULL) {
		MISTAKE(scanner, "[%.*s]: a heading cannot hold ':'; write kind and name with a blank between: [host h1]", (int)n, s);
		return;
	}
	blank = memchr(s, ' ', n);
	if (!is_name(s, blank == NULL ? n : (size_t)(blank - s)) ||
		(blank != NULL && !is_name(blank + 1, n - (size_t)(blank + 1 - s)))) {
		MISTAKE(scanner, "[%.*s]: a heading is one word, or a word, one blank and a name of at most %d of a-z 0-9 . _ -",
			(int)n, s, NAME_BYTES_MAX);
		return;
	}
	add_section(scanner, s, n);
}

/* The value without its quotes; NULL = a mistake was reported. s is trimmed. */
static char *scan_value(struct scanner *scanner, const char *key, const char *s, size_t n)
{
	if (n > 0 && (s[0] == '"' || s[0] == '\'')) {
		const char *end = memchr(s + 1, s[0], n - 1);

		for (size_t i = 1; i < n; i++)
			if (s[i - 1] == '\\' && s[i] == s[0]) {
				MISTAKE(scanner, "%s: a quote cannot be escaped with a backslash; use the other kind of quotes around the value", key);
				return NULL;
			}
		if (end == NULL)
			MISTAKE(scanner, "%s: the quote is not closed", key);
		else if (end != s + n - 1)
			MISTAKE(scanner, "%s: text after the closing quote; put comments on a line of their own", key);
		else if (n == 2)
			MISTAKE(scanner, "%s: has no value; leave the line out for the default", key);
		else
			return copy_of(s + 1, n - 2);
		return NULL;
	}
	if (n == 0)
		MISTAKE(scanner, "%s: has no value; leave the line out for the default", key);
	else if (memchr(s, ';', n) != NULL || memchr(s, '#', n) != NULL)
		MISTAKE(scanner, "%s: ; or # in a value would cut it; put comments on a line of their own, or the value into \"quotes\"", key);
	else if (memchr(s, '"', n) != NULL)
		MISTAKE(scanner, "%s: a quote in the middle of a value; put the whole value into quotes", key);
	else
		return copy_of(s, n);
	return NULL;
}

static void add_entry(struct scanner *scanner, const char *key, size_t key_n, char *value)
{
	struct scan *scan = scanner->scan;

	if (scan->n_entries == SCAN_ENTRIES_MAX) {
		if (!scanner->is_full)
			MISTAKE(scanner, "more than %d settings in one file; put long lists into CSV files (list = FILE.csv)", SCAN_ENTRIES_MAX);
		scanner->is_full = true;
		free(value);
		return;
	}
	scan->entries = xgrow(scan->entries, scan->n_entries, sizeof *scan->entries);
	scan->entries[scan->n_entries++] = (struct scan_entry){
		.section = (uint32_t)(scan->n_sections - 1), .key = copy_of(key, key_n), .value = value, .line = scanner->line,
	};
}

static void scan_assignment(struct scanner *scanner, const char *s, size_t n)
{
	const char *equals = memchr(s, '=', n), *value;
	size_t key_n, value_n;
	char key[64], *copy;

	if (equals == NULL) {
		MISTAKE(scanner, "\"%.*s\" is neither [section] nor key = value", (int)(n < 60 ? n : 60), s);
		return;
	}
	key_n = (size_t)(equals - s);
	trim(&s, &key_n);
	if (key_n >= sizeof key || !is_name(s, key_n)) {
		MISTAKE(scanner, "\"%.*s\" is not a key; keys are of a-z 0-9 _ in lower case", (int)(key_n < 60 ? key_n : 60), s);
		return;
	}
	memcpy(key, s, key_n);
	key[key_n] = '\0';
	if (!scanner->in_section) {
		MISTAKE(scanner, "%s: stands before the first [section]", key);
		return;
	}
	value = equals + 1;
	value_n = (size_t)(s + n - value);
	trim(&value, &value_n);
	copy = scan_value(scanner, key, value, value_n);
	if (copy != NULL && !scanner->skip)
		add_entry(scanner, key, key_n, copy);
	else
		free(copy);
}

/* False = do not look into the line. */
static bool line_is_sound(struct scanner *scanner, const char *s, size_t n)
{
	if (n > SCAN_LINE_MAX) {
		MISTAKE(scanner, "the line has %zu bytes; at most %d are read. Put long lists into CSV files (list = FILE.csv)", n, SCAN_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' && s[i] != '\t') {
			MISTAKE(scanner, "byte %zu is %s", i + 1, s[i] == '\0' ? "a NUL byte" : "a control character");
			return false;
		}
	if (utf8_bad(s, n) < n) {
		MISTAKE(scanner, "byte %zu is not UTF-8", utf8_bad(s, n) + 1);
		return false;
	}
	return true;
}

static void scan_line(struct scanner *scanner, const char *s, size_t n)
{
	if (n > 0 && s[n - 1] == '\r')
		n--;
	if (!line_is_sound(scanner, s, n))
		return;
	trim(&s, &n);
	if (n > 0 && s[n - 1] == '\\') {
		MISTAKE(scanner, "a backslash at the end would glue the next line to this one, comments too; lists go on one line or into a CSV file");
		return;
	}
	if (n == 0 || s[0] == '#' || s[0] == ';')
		return;
	if (s[0] == '[')
		scan_heading(scanner, s, n);
	else
		scan_assignment(scanner, s, n);
}

static void find_double_sections(const struct scan *scan, struct problems *problems)
{
	struct name_index *seen = name_index_new(scan->n_sections);

	for (size_t i = 0; i < scan->n_sections; i++) {
		uint32_t first = name_index_add(seen, scan->sections[i].title, (uint32_t)i);

		if (first != INDEX_NONE)
			problems_add(problems, ERR_CONFIG, "%s:%u: [%s] stands here and at line %u; keep one of the two", scan->file,
				scan->sections[i].line, scan->sections[i].title, scan->sections[first].line);
	}
	name_index_free(seen);
}

static void find_double_keys(const struct scan *scan, struct problems *problems)
{
	struct name_index *seen = name_index_new(scan->n_entries);
	char **names = xcalloc(scan->n_entries + 1, sizeof *names);

	for (size_t i = 0; i < scan->n_entries; i++) {
		const struct scan_entry *entry = &scan->entries[i];
		const char *title = scan->sections[entry->section].title;
		uint32_t first;

		names[i] = xprintf("%s:%s", title, entry->key);
		first = name_index_add(seen, names[i], (uint32_t)i);
		if (first != INDEX_NONE)
			problems_add(problems, ERR_CONFIG, "%s:%u: [%s] %s: set here and at line %u; keep one of the two", scan->file,
				entry->line, title, entry->key, scan->entries[first].line);
	}
	name_index_free(seen);
	for (size_t i = 0; i < scan->n_entries; i++)
		free(names[i]);
	free(names);
}

struct scan *scan_text(const char *file, const char *text, size_t n, struct problems *problems)
{
	struct scanner scanner = {.scan = xcalloc(1, sizeof(struct scan)), .problems = problems};

	scanner.scan->file = xstrdup(file);
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		problems_add(problems, ERR_CONFIG, "%s:1: begins with a byte order mark; save it as UTF-8 without one", file);
		text += 3;
		n -= 3;
	}
	while (n > 0) {
		const char *end = memchr(text, '\n', n);
		size_t length = end == NULL ? n : (size_t)(end - text);

		scanner.line++;
		scan_line(&scanner, text, length);
		n -= end == NULL ? n : length + 1;
		text += length + 1;
	}
	find_double_sections(scanner.scan, problems);
	find_double_keys(scanner.scan, problems);
	return scanner.scan;
}

void scan_free(struct scan *scan)
{
	if (scan == NULL)
		return;
	for (size_t i = 0; i < scan->n_sections; i++) {
		free(scan->sections[i].title);
		free(scan->sections[i].kind);
		free(scan->sections[i].name);
	}
	for (size_t i = 0; i < scan->n_entries; i++) {
		free(scan->entries[i].key);
		free(scan->entries[i].value);
	}
	free(scan->sections);
	free(scan->entries);
	free(scan->file);
	free(scan);
}
