/* iniparser's side: the values of a file that the scanner found clean, and the check that both
 * read the same. Only iniparser_getstring is called: the typed getters crash on section names
 * and take rubbish for numbers. The text goes through a memory file, so that both see the
 * same bytes even when somebody edits the file meanwhile. */
#include <iniparser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scan.h"
#include "xalloc.h"

/* iniparser reports through one global callback; readers run in one thread (drover/config.h). */
static char complaint[256];

__attribute__((format(printf, 1, 2))) static int take_complaint(const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(complaint, sizeof complaint, format, args);
	va_end(args);
	complaint[strcspn(complaint, "\n")] = '\0';
	return n;
}

static dictionary *load_from_memory(const char *text, size_t n)
{
	int fd = memfd_create("drover.conf", MFD_CLOEXEC);
	char path[64];
	dictionary *dict = NULL;

	complaint[0] = '\0';
	iniparser_set_error_callback(take_complaint);
	if (fd < 0)
		return NULL;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (write(fd, text, n) == (ssize_t)n)
		dict = iniparser_load(path);
	close(fd);
	return dict;
}

void scan_check_iniparser(const struct scan *scan, const char *text, size_t n, struct problems *problems)
{
	dictionary *dict = load_from_memory(text, n);

	if (dict == NULL) {
		problems_add(problems, ERR_CONFIG, "%s: iniparser cannot read it: %s", scan->file,
			complaint[0] == '\0' ? "is /proc mounted?" : complaint);
		return;
	}
	if ((size_t)dict->n != scan->n_sections + scan->n_entries)
		problems_add(problems, ERR_INTERNAL, "%s: iniparser found %zd sections and keys, the scanner %zu", scan->file,
			(ssize_t)dict->n, scan->n_sections + scan->n_entries);
	for (size_t i = 0; i < scan->n_entries; i++) {
		struct scan_entry *entry = &scan->entries[i];
		const char *title = scan->sections[entry->section].title;
		char *name = xprintf("%s:%s", title, entry->key);
		const char *value = iniparser_getstring(dict, name, NULL);

		if (value == NULL || strcmp(value, entry->value) != 0)
			problems_add(problems, ERR_INTERNAL, "%s:%u: [%s] %s: iniparser reads \"%s\", the scanner \"%s\"", scan->file,
				entry->line, title, entry->key, value == NULL ? "(nothing)" : value, entry->value);
		free(name);
	}
	iniparser_freedict(dict);
}
