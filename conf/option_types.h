/* The kinds of values that options have. */
#ifndef CONF_OPTION_TYPES_H
#define CONF_OPTION_TYPES_H

#include "options.h"

struct option_type {
	const char *expects; /* completes "must be ..." */
	/* Writes the member only when the text is right. *ret_why stays NULL when `expects` says it all. */
	bool (*apply)(const struct option *option, const char *file, const char *text, void *member, size_t *n, char **ret_why);
};

extern const struct option_type type_text, type_path, type_uri, type_bool, type_override, type_number, type_auto_number,
	type_integer, type_size, type_rate, type_auto_rate, type_duration, type_factor, type_percent, type_list,
	type_addresses, type_cidr, type_map, type_rule_kind, type_handover, type_cannot_move, type_time,
	type_credentials, type_stream_tls;

#endif
