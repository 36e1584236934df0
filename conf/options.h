/* Every option of the configuration, once: the reader, `config show --origin`, the suggestions
 * for unknown keys and the manual page are made from this table. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "drover/config.h"

enum section_kind {
	SECTION_SCHEDULER,
	SECTION_HOST,
	SECTION_NETWORK,
	SECTION_LINK,
	SECTION_RULE,
	SECTION_GROUP,
	SECTION_MAP,
	SECTION_BATCH,
	SECTION_MOVE,
	SECTION_COUNT,
	SECTION_ANY = SECTION_COUNT, /* an option that every section has */
};

struct section_info {
	const char *name;
	bool is_named; /* [host NAME], not [scheduler] */
	const char *help;
};

/* One [batch] and one [move] as they stand in the file, before they become requests. */
struct raw_batch {
	char *name, *reason, *list, *map, *to, *to_pool;
};
struct raw_move {
	char *batch, *vm, *from, *to, *to_pool;
	enum cannot_move cannot_move;
	int32_t priority;
	int64_t not_before_wall_ms;
	uint64_t max_rate_bytes_per_s;
};

struct option {
	enum section_kind section;
	const char *key;
	const struct option_type *type;
	const char *fallback; /* as it would be written; NULL = unset */
	bool is_required;
	uint64_t min, max;    /* of numbers, sizes, rates, times in ms */
	size_t offset;        /* of the member in the section's struct */
	size_t n_offset;      /* of its count, for lists */
	const char *help;
};

extern const struct section_info section_infos[SECTION_COUNT];
extern const struct option option_table[];
extern const size_t n_option_table;

/* NULL when the section has no such key. */
const struct option *option_find(enum section_kind section, const char *key);
/* SECTION_COUNT when unknown. */
enum section_kind section_find(const char *name);
/* The nearest key or section by edit distance; NULL when none is near. */
const char *option_suggest(enum section_kind section, const char *key);
const char *section_suggest(const char *name);
/* The nearest of names[] (NULL-terminated), by the same rule. */
const char *name_suggest(const char *const *names, const char *name);

/* What a value must look like: "a rate, such as 1 Gbit/s or 100 MiB/s". */
const char *option_expects(const struct option *option);
/* Reads text into the member of object (a struct config, config_host, ... by the section). file is
 * where relative paths start. False = the value is wrong, *ret_why (with free()) says how; object is untouched. */
bool option_apply(const struct option *option, const char *file, const char *text, void *object, char **ret_why);

/* "br-A:br-B": the last colon separates, so that "target:vda:fast" is a pool for one disk. */
bool name_map_parse(const char *text, struct name_map **maps, size_t *n);
/* "10.8.0.1" or "10.8.0.1/24", and IPv6. */
bool is_address(const char *text, bool prefix_required);

#endif
