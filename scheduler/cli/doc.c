/* See doc.h. */
#include "doc.h"

const char *doc_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

int64_t doc_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int64_t doc_ms(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_number(value) ? (int64_t)(json_number_value(value) * 1000.0 + 0.5) : -1;
}
