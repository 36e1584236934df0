/* A limit has an object (all hosts, one host, one network) and a value: both are said the same way wherever a limit is shown. */
#include <stdio.h>

#include "human.h"
#include "limit_text.h"
#include "status.h"

bool limit_text(const json_t *object, enum limit_kind kind, struct limit_text *ret)
{
	const char *host = json_string_value(json_object_get(object, "host")), *network = json_string_value(json_object_get(object, "network"));
	const json_t *value = json_object_get(object, status_limit_key(kind));

	if (value == NULL)
		return false;
	snprintf(ret->name, sizeof ret->name, "%s of %s%s", limit_info(kind)->key, host != NULL ? "host " : network != NULL ? "network " :
		"all hosts", host != NULL ? host : network != NULL ? network : "");
	if (json_is_boolean(value))
		snprintf(ret->value, sizeof ret->value, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_string(value))
		snprintf(ret->value, sizeof ret->value, "%s", json_string_value(value));
	else if (limit_info(kind)->value == LIMIT_RATE_BYTES_PER_S)
		snprintf(ret->value, sizeof ret->value, "%.39s", human_rate((uint64_t)json_integer_value(value)).text);
	else
		snprintf(ret->value, sizeof ret->value, "%lld", (long long)json_integer_value(value));
	return true;
}
