/* JSON both ways: a writer that makes exact decimals, and strict reading of jansson values with the
 * path of the member in every error. Lists of members that a struct and a document share stand
 * in one table, so that what is written can be read. */
#ifndef CONF_JSON_H
#define CONF_JSON_H

#include <jansson.h>

#include "drover/error.h"

/* Writer. Keys are NULL inside arrays. */
struct json_writer {
	char *text;
	size_t n, room;
	int depth;
	int open_depth;       /* containers up to this depth get a line for each element; deeper ones stand in one line */
	bool is_first;
};
void json_begin(struct json_writer *writer, int open_depth);
char *json_end(struct json_writer *writer); /* with free() */
void json_open(struct json_writer *writer, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json_writer *writer, char bracket);                 /* '}' or ']' */
void json_put_text(struct json_writer *writer, const char *key, const char *value); /* NULL = null */
void json_put_u64(struct json_writer *writer, const char *key, uint64_t value);
void json_put_i64(struct json_writer *writer, const char *key, int64_t value);
/* value / 1000 with as many decimals as needed. */
void json_put_milli(struct json_writer *writer, const char *key, int64_t value);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_time(struct json_writer *writer, const char *key, int64_t wall_ms); /* 0 = null */
void json_put_error(struct json_writer *writer, const char *key, const struct error *error); /* code NONE = null */

/* Reader. */
enum { JSON_DEPTH_MAX = 8 }; /* of paths in our documents */
struct json_step {
	const char *key; /* NULL = index */
	size_t index;
};
struct json_reader {
	const char *name; /* of the document */
	struct error *err;
	struct json_step path[JSON_DEPTH_MAX];
	int depth;
};
void json_enter(struct json_reader *reader, const char *key, size_t index);
void json_leave(struct json_reader *reader);
/* Sets ERR_INPUT "name: hosts[3].key: text"; key NULL = the object itself. Returns false. */
bool json_wrong(struct json_reader *reader, const char *key, const char *format, ...) DROVER_PRINTF(3, 4);
/* Parses text and checks "schema"; NULL on error. Decimal numbers that do not fit are refused. */
json_t *json_load_document(struct json_reader *reader, const char *text, size_t n, const char *schema);

/* All leave *ret untouched when the member is missing or null. */
bool json_get_bool(struct json_reader *reader, const json_t *object, const char *key, bool *ret);
bool json_get_u64(struct json_reader *reader, const json_t *object, const char *key, uint64_t max, uint64_t *ret);
bool json_get_i64(struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret);
bool json_get_milli(struct json_reader *reader, const json_t *object, const char *key, int64_t max, int64_t *ret);
/* Borrowed from the document; not empty, at most max bytes, no control characters. */
bool json_get_text(struct json_reader *reader, const json_t *object, const char *key, size_t max, const char **ret);
bool json_get_time(struct json_reader *reader, const json_t *object, const char *key, int64_t *ret_wall_ms);
/* {"code","message","hint"} */
bool json_get_error(struct json_reader *reader, const json_t *object, const char *key, struct error *ret);
/* An array, or NULL when missing. */
bool json_get_array(struct json_reader *reader, const json_t *object, const char *key, const json_t **ret);
bool json_get_object(struct json_reader *reader, const json_t *object, const char *key, const json_t **ret);
/* Like json_get_text, but its absence is an error. */
bool json_need_text(struct json_reader *reader, const json_t *object, const char *key, const char **ret);

enum json_field_kind {
	FIELD_BOOL,    /* bool */
	FIELD_U32,
	FIELD_I32,
	FIELD_U64,
	FIELD_MILLI,   /* uint32_t, thousandths; a decimal in the document */
	FIELD_TEXT,    /* char *, owned */
	FIELD_TEXTS,   /* char ** with a count */
};
struct json_field {
	const char *key;
	enum json_field_kind kind;
	size_t offset, n_offset;
};
/* fields end with key NULL. Missing members keep the struct's value. */
bool json_read_fields(struct json_reader *reader, const json_t *object, const struct json_field *fields, void *ret_struct);
void json_write_fields(struct json_writer *writer, const struct json_field *fields, const void *from);

/* For reading long arrays: enters key, calls read for each element (which must be an object). */
bool json_each(struct json_reader *reader, const json_t *object, const char *key,
	bool (*read)(struct json_reader *reader, const json_t *element, void *context), void *context);

#endif
