/* From settings to objects: what config_load and batch_read of INI files share. */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "options.h"

struct name_index;

/* One effective key = value. Pointers are borrowed from the scans. */
struct setting {
	const struct option *option;
	const char *title; /* "host h1" */
	const char *value;
	const char *file;
	uint32_t line;
};

/* One section over all files, in order of first appearance. */
struct section {
	enum section_kind kind;
	const char *title, *name;
	const char *file; /* of the first appearance */
	uint32_t line;
	uint32_t *settings; /* indices */
	size_t n_settings;
};

struct build {
	struct section *sections;
	size_t n_sections;
	struct name_index *by_title; /* to sections[] */
	struct setting *settings;
	size_t n_settings;
	struct name_index *by_key;   /* "title:key" to the latest of settings[] */
	char **keys;                 /* the texts of by_key; n_settings */
	struct raw_batch *batches;
	struct section **batch_sections;
	size_t n_batches;
	struct raw_move *moves;
	struct section **move_sections;
	size_t n_moves;
	struct problems *problems;
};

struct scan;

void build_init(struct build *build, struct problems *problems);
void build_clear(struct build *build);
/* Adds the settings of one file; unknown sections and keys, and keys set before without override, are problems. */
void build_add_scan(struct build *build, const struct scan *scan);
/* The setting that is in force; NULL when the section does not have the key. */
const struct setting *build_setting(const struct build *build, const struct section *section, const char *key);
/* Reads every value into the objects of config. */
void build_objects(struct build *build, struct config *config);
/* [batch] and [move] into config->batches (build_batches.c). may_be_implicit: moves without any [batch] are one batch. */
void build_batches(struct build *build, struct config *config, bool may_be_implicit);

/* "FILE:LINE: [title] key: text" */
void build_problem(struct build *build, const struct section *section, const char *key, const char *format, ...) DROVER_PRINTF(4, 5);

#endif
