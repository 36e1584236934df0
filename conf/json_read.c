/* The reading half of json.h. Strict: a wrong type or a number out of range is an error with its path;
 * unknown members are ignored, double ones refused by jansson. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drover/inventory.h"
#include "json.h"
#include "units.h"
#include "xalloc.h"

void json_enter(struct json_reader *reader, const char *key, size_t index)
{
	if (reader->depth < JSON_DEPTH_MAX)
		reader->path[reader->depth] = (struct json_step){key, index};
	reader->depth++;
}

void json_leave(struct json_reader *reader)
{
	reader->depth--;
}

static void path_text(const struct json_reader *reader, const char *key, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < reader->depth && i < JSON_DEPTH_MAX && n < size; i++) {
		const struct json_step *step = &reader->path[i];
		int wrote = step->key == NULL ? snprintf(text + n, size - n, "[%zu]", step->index)
			: snprintf(text + n, size - n, "%s%s", n == 0 ? "" : ".", step->key);

		n += (size_t)wrote;
	}
	if (key != NULL && n < size)
		snprintf(text + n, size - n, "%s%s", n == 0 ? "" : ".", key);
}

bool json_wrong(struct json_reader *reader, const char *key, const char *format, ...)
{
	char path[256], text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	path_text(reader, key, path, sizeof path);
	error_set(reader->err, ERR_INPUT, "%s: %s%s%s", reader->name, path, path[0] == '\0' ? "" : ": ", text);
	error_hint(reader->err, "correct that member of the document");
	return false;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER: return "a number";
	case JSON_REAL: return "a number";
	case JSON_TRUE: return "true";
	case JSON_FALSE: return "false";
	case JSON_NULL: return "null";
	}
	return "unknown";
}

static bool check_schema(struct json_reader *reader, const json_t *root, const char *schema)
{
	const json_t *member;

	if (!json_is_object(root))
		return json_wrong(reader, NULL, "the document must be an object, not %s", type_name(root));
	member = json_object_get(root, "schema");
	if (member == NULL)
		return json_wrong(reader, "schema", "is missing; it must be \"%s\"", schema);
	if (!json_is_string(member) || strcmp(json_string_value(member), schema) != 0)
		return json_wrong(reader, "schema", "must be \"%s\", not %s%.60s%s", schema, json_is_string(member) ? "\"" : "",
			json_is_string(member) ? json_string_value(member) : type_name(member), json_is_string(member) ? "\"" : "");
	return true;
}

json_t *json_load_document(struct json_reader *reader, const char *text, size_t n, const char *schema)
{
	json_error_t error;
	json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);

	if (root == NULL) {
		error_set(reader->err, ERR_INPUT, "%s:%d:%d: %s", reader->name, error.line, error.column, error.text);
		error_hint(reader->err, "it must be JSON with the schema %s", schema);
		return NULL;
	}
	if (!check_schema(reader, root, schema)) {
		json_decref(root);
		return NULL;
	}
	return root;
}

/* NULL when missing or null. */
static const json_t *member_of(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_null(member) ? NULL : member;
}

bool json_get_bool(struct json_reader *reader, const json_t *object, const char *key, bool *ret)
{
	const json_t *member = member_of(object, key);

	if (member == NULL)
		return true;
	if (!json_is_boolean(member))
		return json_wrong(reader, key, "must be true or false, not %s", type_name(member));
	*ret = json_is_true(member);
	return true;
}

enum { EXACT_BITS = 53 }; /* of a double's whole numbers */

bool json_get_i64(struct json_reader *reader, const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret)
{
	const json_t *member = member_of(object, key);
	int64_t value;

	if (member == NULL)
		return true;
	if (json_is_integer(member)) {
		value = json_integer_value(member);
	} else if (json_is_real(member)) { /* 1.5e9, as some tools write whole numbers */
		double real = json_real_value(member);

		if (floor(real) != real || fabs(real) > (double)((int64_t)1 << EXACT_BITS))
			return json_wrong(reader, key, "must be a whole number, not %.17g", real);
		value = (int64_t)real;
	} else {
		return json_wrong(reader, key, "must be a number, not %s", type_name(member));
	}
	if (value < min || value > max)
		return json_wrong(reader, key, "%lld is out of range; it must be from %lld to %lld", (long long)value, (long long)min, (long long)max);
	*ret = value;
	return true;
}

bool json_get_u64(struct json_reader *reader, const json_t *object, const char *key, uint64_t max, uint64_t *ret)
{
	int64_t value = -1;

	if (!json_get_i64(reader, object, key, 0, max > INT64_MAX ? INT64_MAX : (int64_t)max, &value))
		return false;
	if (value >= 0)
		*ret = (uint64_t)value;
	return true;
}

bool json_get_milli(struct json_reader *reader, const json_t *object, const char *key, int64_t max, int64_t *ret)
{
	const json_t *member = member_of(object, key);
	double value;

	if (member == NULL)
		return true;
	if (!json_is_number(member))
		return json_wrong(reader, key, "must be a number, not %s", type_name(member));
	value = json_number_value(member) * 1000;
	if (!(value >= 0 && value <= (double)max))
		return json_wrong(reader, key, "%.17g is out of range; it must be from 0 to %lld", value / 1000, (long long)(max / 1000));
	*ret = (int64_t)llround(value);
	return true;
}

static bool check_text(struct json_reader *reader, const char *key, const json_t *member, size_t max)
{
	const char *text;

	if (!json_is_string(member))
		return json_wrong(reader, key, "must be a string, not %s", type_name(member));
	text = json_string_value(member);
	if (json_string_length(member) == 0)
		return json_wrong(reader, key, "is empty");
	if (json_string_length(member) > max)
		return json_wrong(reader, key, "has %zu bytes; at most %zu are allowed", json_string_length(member), max);
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ')
			return json_wrong(reader, key, "holds a control character");
	return true;
}

bool json_get_text(struct json_reader *reader, const json_t *object, const char *key, size_t max, const char **ret)
{
	const json_t *member = member_of(object, key);

	if (member == NULL)
		return true;
	if (!check_text(reader, key, member, max))
		return false;
	*ret = json_string_value(member);
	return true;
}

bool json_need_text(struct json_reader *reader, const json_t *object, const char *key, const char **ret)
{
	if (member_of(object, key) == NULL)
		return json_wrong(reader, key, "is missing");
	return json_get_text(reader, object, key, NAME_BYTES_MAX, ret);
}

bool json_get_time(struct json_reader *reader, const json_t *object, const char *key, int64_t *ret_wall_ms)
{
	const char *text = NULL;

	if (!json_get_text(reader, object, key, NAME_BYTES_MAX, &text))
		return false;
	if (text != NULL && !parse_time(text, ret_wall_ms))
		return json_wrong(reader, key, "\"%s\" is not a time such as 2026-11-23T22:00:00Z", text);
	return true;
}

/* Messages hold whatever libvirt said: no rules for them but a string and its length. */
static bool get_prose(struct json_reader *reader, const json_t *object, const char *key, const char **ret)
{
	const json_t *member = member_of(object, key);

	if (member == NULL)
		return true;
	if (!json_is_string(member))
		return json_wrong(reader, key, "must be a string, not %s", type_name(member));
	*ret = json_string_value(member);
	return true;
}

bool json_get_error(struct json_reader *reader, const json_t *object, const char *key, struct error *ret)
{
	const char *code = NULL, *message = "", *hint = NULL;
	const json_t *member;
	enum error_code number;
	bool ok;

	if (!json_get_object(reader, object, key, &member))
		return false;
	if (member == NULL)
		return true;
	json_enter(reader, key, 0);
	ok = json_need_text(reader, member, "code", &code) && get_prose(reader, member, "message", &message) &&
		get_prose(reader, member, "hint", &hint);
	number = ok ? error_code_by_name(code) : ERROR_CODE_COUNT;
	if (ok && number == ERROR_CODE_COUNT)
		ok = json_wrong(reader, "code", "\"%s\" is not an error code", code);
	json_leave(reader);
	if (!ok)
		return false;
	error_set(ret, number, "%s", message);
	if (hint != NULL)
		error_hint(ret, "%s", hint);
	return true;
}

bool json_get_array(struct json_reader *reader, const json_t *object, const char *key, const json_t **ret)
{
	*ret = member_of(object, key);
	if (*ret != NULL && !json_is_array(*ret))
		return json_wrong(reader, key, "must be an array, not %s", type_name(*ret));
	return true;
}

bool json_get_object(struct json_reader *reader, const json_t *object, const char *key, const json_t **ret)
{
	*ret = member_of(object, key);
	if (*ret != NULL && !json_is_object(*ret))
		return json_wrong(reader, key, "must be an object, not %s", type_name(*ret));
	return true;
}

/* Paths and names; no path of libvirt's is longer. */
enum { TEXT_MAX = 4096 };

static bool read_texts(struct json_reader *reader, const json_t *object, const char *key, char ***texts, size_t *n)
{
	const json_t *array;
	bool ok = true;

	if (!json_get_array(reader, object, key, &array) || array == NULL)
		return array == NULL || json_is_array(array);
	json_enter(reader, key, 0);
	for (size_t i = 0; ok && i < json_array_size(array); i++) {
		json_enter(reader, NULL, i);
		ok = check_text(reader, NULL, json_array_get(array, i), NAME_BYTES_MAX);
		if (ok)
			strings_add(texts, n, json_string_value(json_array_get(array, i)));
		json_leave(reader);
	}
	json_leave(reader);
	return ok;
}

static bool read_text(struct json_reader *reader, const json_t *object, const char *key, char **ret)
{
	const char *text = NULL;

	if (!json_get_text(reader, object, key, TEXT_MAX, &text))
		return false;
	if (text != NULL) {
		free(*ret);
		*ret = xstrdup(text);
	}
	return true;
}

static bool read_number(struct json_reader *reader, const json_t *object, const struct json_field *field, char *at)
{
	int64_t value = INT64_MIN;

	if (field->kind == FIELD_MILLI) {
		if (!json_get_milli(reader, object, field->key, UINT32_MAX, &value))
			return false;
	} else if (!json_get_i64(reader, object, field->key, field->kind == FIELD_I32 ? -INT32_MAX : 0,
			field->kind == FIELD_I32 ? INT32_MAX : field->kind == FIELD_U32 ? UINT32_MAX : INT64_MAX, &value)) {
		return false;
	}
	if (value == INT64_MIN)
		return true;
	if (field->kind == FIELD_U64)
		*(uint64_t *)(void *)at = (uint64_t)value;
	else if (field->kind == FIELD_I32)
		*(int32_t *)(void *)at = (int32_t)value;
	else
		*(uint32_t *)(void *)at = (uint32_t)value;
	return true;
}

static bool read_field(struct json_reader *reader, const json_t *object, const struct json_field *field, char *ret_struct)
{
	char *at = ret_struct + field->offset;

	switch (field->kind) {
	case FIELD_BOOL:
		return json_get_bool(reader, object, field->key, (bool *)at);
	case FIELD_U32:
	case FIELD_I32:
	case FIELD_U64:
	case FIELD_MILLI:
		return read_number(reader, object, field, at);
	case FIELD_TEXT:
		return read_text(reader, object, field->key, (char **)(void *)at);
	case FIELD_TEXTS:
		return read_texts(reader, object, field->key, (char ***)(void *)at, (size_t *)(void *)(ret_struct + field->n_offset));
	}
	return false;
}

bool json_read_fields(struct json_reader *reader, const json_t *object, const struct json_field *fields, void *ret_struct)
{
	for (; fields->key != NULL; fields++)
		if (!read_field(reader, object, fields, ret_struct))
			return false;
	return true;
}

bool json_each(struct json_reader *reader, const json_t *object, const char *key,
	bool (*read)(struct json_reader *reader, const json_t *element, void *context), void *context)
{
	const json_t *array;
	bool ok = true;

	if (!json_get_array(reader, object, key, &array))
		return false;
	json_enter(reader, key, 0);
	for (size_t i = 0; ok && i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);

		json_enter(reader, NULL, i);
		ok = json_is_object(element) ? read(reader, element, context)
			: json_wrong(reader, NULL, "must be an object, not %s", type_name(element));
		json_leave(reader);
	}
	json_leave(reader);
	return ok;
}
