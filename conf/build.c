/* Merges the files and turns sections into objects through the option table. Nothing here knows
 * a single option by name except where two of them bear on each other. */
#include "build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name_index.h"
#include "scan.h"
#include "xalloc.h"

void build_init(struct build *build, struct problems *problems)
{
	*build = (struct build){.problems = problems};
	build->by_title = name_index_new(0);
	build->by_key = name_index_new(0);
}

static void raw_free(struct build *build)
{
	for (size_t i = 0; i < build->n_batches; i++) {
		struct raw_batch *batch = &build->batches[i];

		free(batch->name);
		free(batch->reason);
		free(batch->list);
		free(batch->map);
		free(batch->to);
		free(batch->to_pool);
	}
	for (size_t i = 0; i < build->n_moves; i++) {
		struct raw_move *move = &build->moves[i];

		free(move->batch);
		free(move->vm);
		free(move->from);
		free(move->to);
		free(move->to_pool);
	}
	free(build->batches);
	free(build->moves);
	free(build->batch_sections);
	free(build->move_sections);
}

void build_clear(struct build *build)
{
	raw_free(build);
	for (size_t i = 0; i < build->n_sections; i++)
		free(build->sections[i].settings);
	for (size_t i = 0; i < build->n_settings; i++)
		free(build->keys[i]);
	name_index_free(build->by_title);
	name_index_free(build->by_key);
	free(build->keys);
	free(build->settings);
	free(build->sections);
}

void build_problem(struct build *build, const struct section *section, const char *key, const char *format, ...)
{
	const struct setting *setting = key == NULL ? NULL : build_setting(build, section, key);
	char text[ERROR_MESSAGE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	problems_add(build->problems, ERR_CONFIG, "%s:%u: [%s]%s%s: %s", setting == NULL ? section->file : setting->file,
		setting == NULL ? section->line : setting->line, section->title, key == NULL ? "" : " ", key == NULL ? "" : key, text);
}

const struct setting *build_setting(const struct build *build, const struct section *section, const char *key)
{
	char *name = xprintf("%s:%s", section->title, key);
	uint32_t i = name_index_find(build->by_key, name);

	free(name);
	return i == INDEX_NONE ? NULL : &build->settings[i];
}

/* INDEX_NONE when the heading is wrong. */
static uint32_t open_section(struct build *build, const struct scan *scan, const struct scan_section *from)
{
	enum section_kind kind = section_find(from->kind);
	const char *near;
	uint32_t known;

	if (kind == SECTION_COUNT) {
		near = section_suggest(from->kind);
		problems_add(build->problems, ERR_CONFIG, "%s:%u: [%s]: unknown section%s%s%s", scan->file, from->line, from->title,
			near == NULL ? "" : "; did you mean [", near == NULL ? "" : near, near == NULL ? "" : "]?");
		return INDEX_NONE;
	}
	if (section_infos[kind].is_named != (from->name[0] != '\0')) {
		problems_add(build->problems, ERR_CONFIG, "%s:%u: [%s]: %s", scan->file, from->line, from->title,
			section_infos[kind].is_named ? "needs a name after the word, as in [host h1]" : "has no name; write [scheduler]");
		return INDEX_NONE;
	}
	known = name_index_add(build->by_title, from->title, (uint32_t)build->n_sections);
	if (known != INDEX_NONE)
		return known;
	build->sections = xgrow(build->sections, build->n_sections, sizeof *build->sections);
	build->sections[build->n_sections] = (struct section){
		.kind = kind, .title = from->title, .name = from->name, .file = scan->file, .line = from->line,
	};
	return (uint32_t)build->n_sections++;
}

static void report_unknown_key(struct build *build, const struct scan *scan, enum section_kind kind, const struct scan_entry *entry)
{
	const char *near = option_suggest(kind, entry->key);

	problems_add(build->problems, ERR_CONFIG, "%s:%u: [%s] %s: unknown key%s%s%s", scan->file, entry->line,
		scan->sections[entry->section].title, entry->key, near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
		near == NULL ? "" : "?");
}

static void add_setting(struct build *build, uint32_t at, const struct scan *scan, const struct scan_entry *entry, bool may_override)
{
	struct section *section = &build->sections[at];
	const struct option *option = option_find(section->kind, entry->key);
	struct setting setting = {option, section->title, entry->value, scan->file, entry->line};
	uint32_t old, i = (uint32_t)build->n_settings;
	char *key;

	if (option == NULL) {
		report_unknown_key(build, scan, section->kind, entry);
		return;
	}
	key = xprintf("%s:%s", section->title, entry->key);
	old = name_index_find(build->by_key, key);
	if (old != INDEX_NONE) {
		/* override itself speaks only of the file it stands in; doubles within one file are the scanner's. */
		free(key);
		if (option->section != SECTION_ANY && !may_override && build->settings[old].file != scan->file)
			problems_add(build->problems, ERR_CONFIG, "%s:%u: [%s] %s: set already at %s:%u; override = yes in this section allows it",
				scan->file, entry->line, section->title, entry->key, build->settings[old].file, build->settings[old].line);
		build->settings[old] = setting;
		return;
	}
	build->settings = xgrow(build->settings, build->n_settings, sizeof *build->settings);
	build->keys = xgrow(build->keys, build->n_settings, sizeof *build->keys);
	section->settings = xgrow(section->settings, section->n_settings, sizeof *section->settings);
	build->settings[i] = setting;
	build->keys[i] = key;
	section->settings[section->n_settings++] = i;
	name_index_add(build->by_key, key, i);
	build->n_settings++;
}

void build_add_scan(struct build *build, const struct scan *scan)
{
	uint32_t *map = xcalloc(scan->n_sections + 1, sizeof *map);
	bool *may_override = xcalloc(scan->n_sections + 1, sizeof *may_override);

	for (size_t i = 0; i < scan->n_sections; i++)
		map[i] = open_section(build, scan, &scan->sections[i]);
	for (size_t i = 0; i < scan->n_entries; i++)
		if (strcmp(scan->entries[i].key, "override") == 0)
			may_override[scan->entries[i].section] = strcmp(scan->entries[i].value, "yes") == 0;
	for (size_t i = 0; i < scan->n_entries; i++) {
		uint32_t section = scan->entries[i].section;

		if (map[section] != INDEX_NONE)
			add_setting(build, map[section], scan, &scan->entries[i], may_override[section]);
	}
	free(may_override);
	free(map);
}

#define APPEND(array, n) ((array) = xgrow((array), (n), sizeof *(array)), memset(&(array)[n], 0, sizeof *(array)), &(array)[(n)++])

/* The object that a section describes, with its name. */
static void *new_object(struct build *build, struct config *config, struct section *section)
{
	char *name = section_infos[section->kind].is_named ? xstrdup(section->name) : NULL;

	switch (section->kind) {
	case SECTION_SCHEDULER:
		return config;
	case SECTION_HOST: {
		struct config_host *host = APPEND(config->hosts, config->n_hosts);

		host->memory_reserve_bytes = UINT64_MAX;
		host->name = name;
		return host;
	}
	case SECTION_NETWORK: {
		struct migration_network *network = APPEND(config->networks, config->n_networks);

		network->name = name;
		return network;
	}
	case SECTION_LINK: {
		struct shared_link *link = APPEND(config->shared_links, config->n_shared_links);

		link->name = name;
		return link;
	}
	case SECTION_RULE: {
		struct rule *rule = APPEND(config->rules, config->n_rules);

		free(name); /* rules have none in the inventory; messages name the section */
		return rule;
	}
	case SECTION_GROUP: {
		struct config_group *group = APPEND(config->groups, config->n_groups);

		group->name = name;
		return group;
	}
	case SECTION_MAP: {
		struct config_map *map = APPEND(config->maps, config->n_maps);

		map->name = name;
		return map;
	}
	case SECTION_BATCH: {
		size_t n = build->n_batches;
		struct raw_batch *batch;

		*(struct section **)APPEND(build->batch_sections, n) = section;
		batch = APPEND(build->batches, build->n_batches);
		batch->name = name;
		return batch;
	}
	case SECTION_MOVE: {
		size_t n = build->n_moves;

		free(name); /* only tells one [move] from another */
		*(struct section **)APPEND(build->move_sections, n) = section;
		return APPEND(build->moves, build->n_moves);
	}
	case SECTION_COUNT:
		break;
	}
	free(name);
	return NULL;
}

static void add_origin(struct config *config, const struct section *section, const char *key, const char *value, const char *file, uint32_t line)
{
	struct config_origin *origin = APPEND(config->origins, config->n_origins);

	*origin = (struct config_origin){.section = xstrdup(section->title), .key = xstrdup(key), .value = xstrdup(value),
		.file = xstrdup(file), .line = line};
}

static void apply_options(struct build *build, struct config *config, struct section *section, void *object)
{
	for (size_t i = 0; i < n_option_table; i++) {
		const struct option *option = &option_table[i];
		const struct setting *setting;
		const char *value;
		char *why = NULL;

		if (option->section != section->kind && option->section != SECTION_ANY)
			continue;
		setting = build_setting(build, section, option->key);
		value = setting == NULL ? option->fallback : setting->value;
		if (setting == NULL && option->is_required)
			build_problem(build, section, NULL, "%s is missing; it must be %s", option->key, option_expects(option));
		if (value == NULL || (setting == NULL && option->section == SECTION_ANY))
			continue;
		if (!option_apply(option, setting == NULL ? "" : setting->file, value, object, &why))
			build_problem(build, section, option->key, "\"%s\": %s", value, why);
		free(why);
		add_origin(config, section, option->key, value, setting == NULL ? NULL : setting->file, setting == NULL ? 0 : setting->line);
	}
}

static void check_rule(struct build *build, const struct section *section, const struct rule *rule)
{
	bool has_hosts = rule->kind == RULE_ONLY_ON || rule->kind == RULE_NEVER_ON;
	bool has_count = build_setting(build, section, "count") != NULL;

	if (build_setting(build, section, "kind") == NULL)
		return;
	if (rule->n_guests == 0 && rule->n_groups == 0)
		build_problem(build, section, NULL, "names no guests and no groups");
	if (has_hosts && rule->n_hosts == 0)
		build_problem(build, section, "kind", "%s needs hosts", rule_kind_name(rule->kind));
	if (!has_hosts && rule->n_hosts > 0)
		build_problem(build, section, "hosts", "has no meaning with kind = %s", rule_kind_name(rule->kind));
	if (has_count != (rule->kind == RULE_AT_MOST_MOVING))
		build_problem(build, section, has_count ? "count" : "kind", has_count ? "has no meaning with kind = %s" : "%s needs count",
			rule_kind_name(rule->kind));
}

/* Certificates and host keys that nobody checks are no authentication. */
static void check_host(struct build *build, const struct section *section, const struct config_host *host)
{
	const char *uris[] = {host->uri, host->peer_uri}, *keys[] = {"uri", "peer_uri"};

	for (size_t i = 0; i < 2; i++)
		if (uris[i] != NULL && !host->insecure && strstr(uris[i], "no_verify=1") != NULL)
			build_problem(build, section, keys[i], "no_verify=1 needs insecure = yes in this section");
}

void build_objects(struct build *build, struct config *config)
{
	static const char scheduler_title[] = "scheduler";
	struct section implicit = {.kind = SECTION_SCHEDULER, .title = scheduler_title, .name = "", .file = "(defaults)"};

	if (name_index_find(build->by_title, scheduler_title) == INDEX_NONE)
		apply_options(build, config, &implicit, config);
	for (size_t i = 0; i < build->n_sections; i++) {
		struct section *section = &build->sections[i];
		void *object = new_object(build, config, section);

		apply_options(build, config, section, object);
		if (section->kind == SECTION_RULE)
			check_rule(build, section, object);
		if (section->kind == SECTION_HOST)
			check_host(build, section, object);
		if (section->kind == SECTION_SCHEDULER && config->engine.post_copy && config->engine.paused_handover)
			build_problem(build, section, "post_copy", "cannot be with handover = strict: a guest in post-copy runs on its target at once");
	}
	/* The planner's own copies of what the engine has too. */
	config->engine.plan.max_migrations = config->engine.max_migrations;
	config->engine.plan.downtime_limit_ms = config->engine.downtime_limit_ms;
	config->engine.plan.auto_converge = config->engine.auto_converge;
	config->engine.plan.post_copy = config->engine.post_copy;
}
