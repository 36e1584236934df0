/* The writing half of json.h. Own code, because jansson writes 0.4 as 0.40000000000000002 and builds a
 * tree of every document first, which a hundred thousand guests do not deserve. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "text.h"
#include "units.h"
#include "xalloc.h"

static void put(struct json_writer *writer, const char *text, size_t n)
{
	if (writer->n + n + 1 > writer->room) {
		while (writer->n + n + 1 > writer->room)
			writer->room = writer->room == 0 ? 4096 : writer->room * 2;
		writer->text = xrealloc_array(writer->text, writer->room, 1);
	}
	memcpy(writer->text + writer->n, text, n);
	writer->n += n;
}

static void put_char(struct json_writer *writer, char c)
{
	put(writer, &c, 1);
}

/* Bytes that are not UTF-8 (libvirt passes names on as they are) become U+FFFD: the document stays valid. */
static void put_quoted(struct json_writer *writer, const char *text)
{
	size_t left = strlen(text);

	put_char(writer, '"');
	while (left > 0) {
		size_t step = utf8_step(text, left);
		char escape[8];

		if (*text == '"' || *text == '\\') {
			put_char(writer, '\\');
			put_char(writer, *text);
		} else if ((unsigned char)*text < ' ') {
			put(writer, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text));
		} else if (step == 0) {
			put(writer, "\xef\xbf\xbd", 3);
		} else {
			put(writer, text, step);
		}
		step = step == 0 ? 1 : step;
		text += step;
		left -= step;
	}
	put_char(writer, '"');
}

static void put_line(struct json_writer *writer)
{
	put_char(writer, '\n');
	for (int i = 0; i < writer->depth; i++)
		put(writer, "  ", 2);
}

static void start(struct json_writer *writer, const char *key)
{
	if (!writer->is_first)
		put_char(writer, ',');
	if (writer->depth > 0 && writer->depth <= writer->open_depth)
		put_line(writer);
	writer->is_first = false;
	if (key == NULL)
		return;
	put_quoted(writer, key);
	put_char(writer, ':');
	if (writer->depth <= writer->open_depth)
		put_char(writer, ' ');
}

void json_begin(struct json_writer *writer, int open_depth)
{
	*writer = (struct json_writer){.open_depth = open_depth, .is_first = true};
}

char *json_end(struct json_writer *writer)
{
	put(writer, "\n", 2); /* and the NUL */
	return writer->text;
}

void json_open(struct json_writer *writer, const char *key, char bracket)
{
	start(writer, key);
	put_char(writer, bracket);
	writer->depth++;
	writer->is_first = true;
}

void json_close(struct json_writer *writer, char bracket)
{
	bool is_open = writer->depth <= writer->open_depth && !writer->is_first;

	writer->depth--;
	if (is_open)
		put_line(writer);
	put_char(writer, bracket);
	writer->is_first = false;
}

void json_put_text(struct json_writer *writer, const char *key, const char *value)
{
	start(writer, key);
	if (value == NULL)
		put(writer, "null", 4);
	else
		put_quoted(writer, value);
}

void json_put_u64(struct json_writer *writer, const char *key, uint64_t value)
{
	char text[32];

	start(writer, key);
	put(writer, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

void json_put_i64(struct json_writer *writer, const char *key, int64_t value)
{
	char text[32];

	start(writer, key);
	put(writer, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void json_put_milli(struct json_writer *writer, const char *key, int64_t value)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char text[32];
	int n = snprintf(text, sizeof text, "%s%" PRIu64 ".%03u", value < 0 ? "-" : "", size / 1000, (unsigned)(size % 1000));

	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	start(writer, key);
	put(writer, text, (size_t)n);
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
	start(writer, key);
	put(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_put_time(struct json_writer *writer, const char *key, int64_t wall_ms)
{
	char text[TIME_TEXT_SIZE];

	if (wall_ms != 0)
		format_time(wall_ms, text);
	json_put_text(writer, key, wall_ms == 0 ? NULL : text);
}

void json_put_error(struct json_writer *writer, const char *key, const struct error *error)
{
	if (error->code == ERR_NONE) {
		json_put_text(writer, key, NULL);
		return;
	}
	json_open(writer, key, '{');
	json_put_text(writer, "code", error_code_name(error->code));
	json_put_text(writer, "message", error->message);
	json_put_text(writer, "hint", error->hint);
	json_close(writer, '}');
}

static void write_texts(struct json_writer *writer, const char *key, char *const *texts, size_t n)
{
	json_open(writer, key, '[');
	for (size_t i = 0; i < n; i++)
		json_put_text(writer, NULL, texts[i]);
	json_close(writer, ']');
}

static void write_field(struct json_writer *writer, const struct json_field *field, const char *at, const char *from)
{
	switch (field->kind) {
	case FIELD_BOOL:
		json_put_bool(writer, field->key, *(const bool *)at);
		break;
	case FIELD_U32:
		json_put_u64(writer, field->key, *(const uint32_t *)(const void *)at);
		break;
	case FIELD_I32:
		json_put_i64(writer, field->key, *(const int32_t *)(const void *)at);
		break;
	case FIELD_U64:
		json_put_u64(writer, field->key, *(const uint64_t *)(const void *)at);
		break;
	case FIELD_MILLI:
		json_put_milli(writer, field->key, *(const uint32_t *)(const void *)at);
		break;
	case FIELD_TEXT:
		json_put_text(writer, field->key, *(char *const *)(const void *)at);
		break;
	case FIELD_TEXTS:
		write_texts(writer, field->key, *(char **const *)(const void *)at, *(const size_t *)(const void *)(from + field->n_offset));
		break;
	}
}

void json_write_fields(struct json_writer *writer, const struct json_field *fields, const void *from)
{
	for (; fields->key != NULL; fields++)
		write_field(writer, fields, (const char *)from + fields->offset, from);
}
