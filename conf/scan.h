/* The strict line scanner of INI files: syntax, places and duplicates. What it lets pass is
 * exactly what iniparser reads the same way. */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include "drover/config.h"

enum {
	SCAN_LINE_MAX = 1000,       /* iniparser gives up at about 1023 */
	SCAN_FILE_MAX = 1024 * 1024,
	SCAN_ENTRIES_MAX = 20000,   /* iniparser takes the square of this in time */
};

struct scan_entry {
	uint32_t section; /* index */
	char *key;
	char *value;
	uint32_t line;
};

struct scan_section {
	char *title; /* "host h1", as iniparser knows it */
	char *kind;  /* "host" */
	char *name;  /* "h1"; "" when it has none */
	uint32_t line;
};

struct scan {
	char *file;
	struct scan_section *sections;
	size_t n_sections;
	struct scan_entry *entries;
	size_t n_entries;
};

/* Every mistake goes into problems; the result is usable only when none was added. */
struct scan *scan_text(const char *file, const char *text, size_t n, struct problems *problems);
void scan_free(struct scan *scan);
/* Reads the values again through iniparser and compares; a difference is a problem. Call it only after a clean scan. */
void scan_check_iniparser(const struct scan *scan, const char *text, size_t n, struct problems *problems);

#endif
