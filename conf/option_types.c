/* Values of options: one reader for each kind, all strict, all of the whole text. */
#include "option_types.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "units.h"
#include "xalloc.h"

/* Few readers need every parameter. */
#define MAYBE __attribute__((unused))
#define APPLY(name) \
	static bool name(MAYBE const struct option *option, MAYBE const char *file, const char *text, MAYBE void *member, \
		MAYBE size_t *n, MAYBE char **ret_why)

/* Decimal digits only, no sign: strtoull takes "-1" and blanks. */
static bool digits_to_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (*text == '\0' || strlen(text) > 18)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*ret_value = value;
	return true;
}

static bool in_range(const struct option *option, uint64_t value, char **ret_why)
{
	if (value >= option->min && value <= option->max)
		return true;
	*ret_why = xprintf("must be from %llu to %llu", (unsigned long long)option->min, (unsigned long long)option->max);
	return false;
}

static void set_text(void *member, char *text)
{
	free(*(char **)member);
	*(char **)member = text;
}

APPLY(apply_text)
{
	set_text(member, xstrdup(text));
	return true;
}

APPLY(apply_path)
{
	set_text(member, text_beside(file, text));
	return true;
}

/* libvirt URIs as they are; the file of a simulated world relative to the configuration. */
APPLY(apply_uri)
{
	if (strncmp(text, "sim:", 4) == 0 && text[4] != '\0') {
		char *path = text_beside(file, text + 4);

		set_text(member, xprintf("sim:%s", path));
		free(path);
		return true;
	}
	if (strstr(text, "://") == NULL || strpbrk(text, " \t") != NULL) {
		*ret_why = xprintf("must be a libvirt URI such as qemu+tls://h1.example/system, or sim:FILE");
		return false;
	}
	set_text(member, xstrdup(text));
	return true;
}

APPLY(apply_bool)
{
	bool is_yes = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0;

	if (!is_yes && strcmp(text, "no") != 0 && strcmp(text, "false") != 0 && strcmp(text, "off") != 0)
		return false;
	*(bool *)member = is_yes;
	return true;
}

/* Its effect is on the merging of files, not on an object. */
APPLY(apply_override)
{
	bool ignored;

	return apply_bool(option, file, text, &ignored, n, ret_why);
}

APPLY(apply_number)
{
	uint64_t value;

	if (!digits_to_u64(text, &value) || !in_range(option, value, ret_why))
		return false;
	*(uint32_t *)member = (uint32_t)value;
	return true;
}

APPLY(apply_auto_number)
{
	if (strcmp(text, "auto") == 0) {
		*(uint32_t *)member = 0;
		return true;
	}
	if (strcmp(text, "0") == 0) {
		*ret_why = xprintf("must be auto or a number from 1; to forbid moves set incoming = no or outgoing = no for the host");
		return false;
	}
	return apply_number(option, file, text, member, n, ret_why);
}

APPLY(apply_integer)
{
	uint64_t value;
	bool is_negative = text[0] == '-';

	if (!digits_to_u64(text + is_negative, &value) || value > INT32_MAX)
		return false;
	*(int32_t *)member = is_negative ? -(int32_t)value : (int32_t)value;
	return true;
}

APPLY(apply_size)
{
	uint64_t value;

	if (!parse_size(text, &value) || !in_range(option, value, ret_why))
		return false;
	*(uint64_t *)member = value;
	return true;
}

APPLY(apply_rate)
{
	uint64_t value;

	if (!parse_rate(text, &value) || value < option->min || value > option->max)
		return false;
	*(uint64_t *)member = value;
	return true;
}

APPLY(apply_auto_rate)
{
	if (strcmp(text, "auto") == 0) {
		*(uint64_t *)member = 0;
		return true;
	}
	return apply_rate(option, file, text, member, n, ret_why);
}

APPLY(apply_duration)
{
	int64_t value;

	if (!parse_duration(text, &value))
		return false;
	if ((uint64_t)value < option->min || (uint64_t)value > option->max) {
		*ret_why = xprintf("must be from %llums to %llus", (unsigned long long)option->min, (unsigned long long)option->max / 1000);
		return false;
	}
	*(int64_t *)member = value;
	return true;
}

APPLY(apply_factor)
{
	uint32_t value;

	if (!parse_milli(text, &value) || value < option->min || value > option->max)
		return false;
	*(uint32_t *)member = value;
	return true;
}

APPLY(apply_percent)
{
	size_t length = strlen(text);
	uint64_t value;
	char *digits;
	bool ok;

	if (length < 2 || text[length - 1] != '%')
		return false;
	digits = text_trimmed(text, length - 1);
	ok = digits_to_u64(digits, &value) && value >= option->min && value <= option->max;
	free(digits);
	if (ok)
		*(uint32_t *)member = (uint32_t)value;
	return ok;
}

static void list_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* Items between commas, each tried by is_good; an empty or double item is a mistake. */
static bool split(const char *text, bool (*is_good)(const char *item), char ***ret_list, size_t *ret_n, char **ret_why)
{
	char **list = NULL;
	size_t n = 0;

	for (const char *s = text;; s++) {
		size_t length = strcspn(s, ",");
		char *item = text_trimmed(s, length);

		if (item[0] == '\0')
			*ret_why = xprintf("an item between the commas is empty");
		else if (is_good != NULL && !is_good(item))
			*ret_why = xprintf("%s is not an address", item);
		for (size_t i = 0; i < n && *ret_why == NULL; i++)
			if (strcmp(list[i], item) == 0)
				*ret_why = xprintf("%s is listed twice", item);
		if (*ret_why == NULL)
			strings_add(&list, &n, item);
		free(item);
		if (*ret_why != NULL) {
			list_free(list, n);
			return false;
		}
		s += length;
		if (*s == '\0')
			break;
	}
	*ret_list = list;
	*ret_n = n;
	return true;
}

static bool set_list(const char *text, bool (*is_good)(const char *item), void *member, size_t *n, char **ret_why)
{
	char **list;
	size_t length;

	if (!split(text, is_good, &list, &length, ret_why))
		return false;
	list_free(*(char ***)member, *n);
	*(char ***)member = list;
	*n = length;
	return true;
}

APPLY(apply_list)
{
	return set_list(text, NULL, member, n, ret_why);
}

bool is_address(const char *text, bool prefix_required)
{
	const char *slash = strchr(text, '/');
	size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
	unsigned char bytes[16];
	char address[INET6_ADDRSTRLEN];
	uint64_t prefix = 0;
	bool is_v4, is_v6;

	if (length >= sizeof address || (slash == NULL && prefix_required))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	is_v4 = inet_pton(AF_INET, address, bytes) == 1;
	is_v6 = !is_v4 && inet_pton(AF_INET6, address, bytes) == 1;
	if (!is_v4 && !is_v6)
		return false;
	return slash == NULL || (digits_to_u64(slash + 1, &prefix) && prefix <= (is_v4 ? 32u : 128u));
}

static bool is_any_address(const char *item)
{
	return is_address(item, false);
}

APPLY(apply_addresses)
{
	return set_list(text, is_any_address, member, n, ret_why);
}

APPLY(apply_cidr)
{
	if (!is_address(text, true))
		return false;
	set_text(member, xstrdup(text));
	return true;
}

/* "target:vda" may name the volume too: POOL/VOLUME, neither of which can hold a slash. */
static bool take_volume(const char *from, char *to, struct name_map **maps, size_t *n)
{
	char *slash = strchr(to, '/');
	char *key;

	if (slash == NULL || strncmp(from, "target:", 7) != 0)
		return true;
	if (slash == to || slash[1] == '\0' || strchr(slash + 1, '/') != NULL)
		return false;
	*slash = '\0';
	key = xprintf("volume:%s", from + 7);
	name_map_add(maps, n, key, slash + 1);
	free(key);
	return true;
}

bool name_map_parse(const char *text, struct name_map **maps, size_t *n)
{
	const char *colon = strrchr(text, ':');
	char *from, *to;
	bool ok;

	if (colon == NULL)
		return false;
	from = text_trimmed(text, (size_t)(colon - text));
	to = text_trimmed(colon + 1, strlen(colon + 1));
	ok = from[0] != '\0' && to[0] != '\0' && take_volume(from, to, maps, n);
	if (ok)
		name_map_add(maps, n, from, to);
	free(from);
	free(to);
	return ok;
}

static void maps_free(struct name_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(maps[i].from);
		free(maps[i].to);
	}
	free(maps);
}

APPLY(apply_map)
{
	char **list;
	size_t length, n_maps = 0;
	struct name_map *maps = NULL;

	if (!split(text, NULL, &list, &length, ret_why))
		return false;
	for (size_t i = 0; i < length && *ret_why == NULL; i++) {
		if (!name_map_parse(list[i], &maps, &n_maps))
			*ret_why = xprintf("\"%s\" is not OLD:NEW", list[i]);
		for (size_t j = 0; *ret_why == NULL && j + 1 < n_maps; j++)
			if (strcmp(maps[j].from, maps[n_maps - 1].from) == 0)
				*ret_why = xprintf("%s is mapped twice", maps[j].from);
	}
	list_free(list, length);
	if (*ret_why != NULL) {
		maps_free(maps, n_maps);
		return false;
	}
	maps_free(*(struct name_map **)member, *n);
	*(struct name_map **)member = maps;
	*n = n_maps;
	return true;
}

APPLY(apply_cannot_move)
{
	enum cannot_move how = cannot_move_by_name(text);

	if (how == CANNOT_MOVE_UNSAID)
		return false;
	*(enum cannot_move *)member = how;
	return true;
}

APPLY(apply_rule_kind)
{
	for (enum rule_kind kind = RULE_ANTI_AFFINITY; kind <= RULE_AT_MOST_MOVING; kind++)
		if (strcmp(rule_kind_name(kind), text) == 0) {
			*(enum rule_kind *)member = kind;
			return true;
		}
	return false;
}

/* Words of an enum, in its order. */
static bool apply_word(const char *text, const char *const *words, int *ret_value)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0) {
			*ret_value = i;
			return true;
		}
	return false;
}

APPLY(apply_handover)
{
	static const char *const words[] = {"watchdog", "strict", NULL};
	int value;

	if (!apply_word(text, words, &value))
		return false;
	*(bool *)member = value == 1;
	return true;
}

APPLY(apply_credentials)
{
	static const char *const words[] = {"hosts", "caller", NULL};
	int value;

	if (!apply_word(text, words, &value))
		return false;
	*(enum credentials *)member = (enum credentials)value;
	return true;
}

APPLY(apply_stream_tls)
{
	static const char *const words[] = {"auto", "yes", "no", NULL};
	int value;

	if (!apply_word(text, words, &value))
		return false;
	*(enum stream_tls *)member = (enum stream_tls)value;
	return true;
}

APPLY(apply_time)
{
	int64_t value;

	if (!parse_time(text, &value) || value <= 0)
		return false;
	*(int64_t *)member = value;
	return true;
}

const struct option_type type_text = {"text", apply_text};
const struct option_type type_path = {"a path; relative ones start at the folder of this file", apply_path};
const struct option_type type_uri = {"a libvirt URI, or sim:FILE", apply_uri};
const struct option_type type_bool = {"yes or no", apply_bool};
const struct option_type type_override = {"yes or no", apply_override};
const struct option_type type_number = {"a whole number", apply_number};
const struct option_type type_auto_number = {"auto or a whole number", apply_auto_number};
const struct option_type type_integer = {"a whole number", apply_integer};
const struct option_type type_size = {"a size with its unit, such as 512 MiB", apply_size};
const struct option_type type_rate = {"a rate with its unit, such as 1 Gbit/s or 100 MiB/s", apply_rate};
const struct option_type type_auto_rate = {"auto, or a rate with its unit, such as 1 Gbit/s or 100 MiB/s", apply_auto_rate};
const struct option_type type_duration = {"a time with its unit, such as 90s, 2min or 300ms", apply_duration};
const struct option_type type_factor = {"a number such as 4.0, at most 1000", apply_factor};
const struct option_type type_percent = {"a share from 0% to 99%", apply_percent};
const struct option_type type_list = {"a list with commas", apply_list};
const struct option_type type_addresses = {"a list of addresses such as 10.8.0.1, 10.9.0.1", apply_addresses};
const struct option_type type_cidr = {"a network such as 10.8.0.0/24", apply_cidr};
const struct option_type type_map = {"a list such as br-A:br-B, br-C:br-D", apply_map};
const struct option_type type_rule_kind = {"anti_affinity, affinity, only_on, never_on or at_most_moving", apply_rule_kind};
const struct option_type type_cannot_move = {"leave, shutdown or cold", apply_cannot_move};
const struct option_type type_handover = {"watchdog or strict", apply_handover};
const struct option_type type_credentials = {"hosts or caller", apply_credentials};
const struct option_type type_stream_tls = {"auto, yes or no", apply_stream_tls};
const struct option_type type_time = {"a time such as 2026-11-23T22:00:00Z", apply_time};

const char *option_expects(const struct option *option)
{
	return option->type->expects;
}

bool option_apply(const struct option *option, const char *file, const char *text, void *object, char **ret_why)
{
	char *member = (char *)object + option->offset;
	size_t *n = (size_t *)(void *)((char *)object + option->n_offset);

	*ret_why = NULL;
	if (option->type->apply(option, file, text, member, n, ret_why))
		return true;
	if (*ret_why == NULL)
		*ret_why = xprintf("must be %s", option->type->expects);
	return false;
}
