/* Which files, in which order, and everything or nothing of them. */
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "scan.h"
#include "text.h"
#include "xalloc.h"

#define MAIN_FILE "/etc/drover/drover.conf"
#define FOLDER "/etc/drover/conf.d"

enum { FILES_MAX = 1000 }; /* of conf.d */

struct loader {
	struct scan **scans; /* the build borrows from them */
	size_t n_scans;
	struct problems *problems;
};

static void load_text(struct loader *loader, const char *file, const char *text, size_t n)
{
	size_t before = loader->problems->n;
	struct scan *scan = scan_text(file, text, n, loader->problems);

	loader->scans = xgrow(loader->scans, loader->n_scans, sizeof *loader->scans);
	loader->scans[loader->n_scans++] = scan;
	if (loader->problems->n == before)
		scan_check_iniparser(scan, text, n, loader->problems);
}

static void load_file(struct loader *loader, const char *file)
{
	struct error error;
	struct text text;

	if (!text_read(file, SCAN_FILE_MAX, &text, &error)) {
		problems_add(loader->problems, ERR_CONFIG, "%s", error.message);
		return;
	}
	if (text.was_cut)
		problems_add(loader->problems, ERR_CONFIG, "%s: is longer than %d KiB; put long lists into CSV files (list = FILE.csv)", file,
			SCAN_FILE_MAX / 1024);
	/* The part that was read is still looked at: it says which line is to blame. */
	load_text(loader, file, text.data, text.n);
	free(text.data);
}

static int is_conf_file(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

/* Not alphasort: that depends on the locale. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_folder(struct loader *loader, const char *folder)
{
	struct dirent **entries;
	int n = scandir(folder, &entries, is_conf_file, by_bytes);

	if (n < 0) {
		if (errno != ENOENT)
			problems_add(loader->problems, ERR_CONFIG, "%s: %s", folder, strerror(errno));
		return;
	}
	if (n > FILES_MAX)
		problems_add(loader->problems, ERR_CONFIG, "%s: holds %d files; at most %d are read", folder, n, FILES_MAX);
	for (int i = 0; i < n; i++) {
		char *file = xprintf("%s/%s", folder, entries[i]->d_name);

		if (i < FILES_MAX)
			load_file(loader, file);
		free(file);
		free(entries[i]);
	}
	free(entries);
}

static struct config *finish(struct loader *loader)
{
	struct config *config = xcalloc(1, sizeof *config);
	struct build build;

	build_init(&build, loader->problems);
	engine_options_init(&config->engine);
	for (size_t i = 0; i < loader->n_scans; i++)
		build_add_scan(&build, loader->scans[i]);
	build_objects(&build, config);
	build_batches(&build, config, false);
	build_clear(&build);
	for (size_t i = 0; i < loader->n_scans; i++)
		scan_free(loader->scans[i]);
	free(loader->scans);
	if (loader->problems->n == 0)
		return config;
	config_free(config);
	return NULL;
}

struct config *config_load_from(const char *main_file, bool is_optional, const char *folder, struct problems *problems)
{
	struct loader loader = {.problems = problems};

	if (!is_optional || access(main_file, F_OK) == 0 || errno != ENOENT)
		load_file(&loader, main_file);
	if (folder != NULL)
		load_folder(&loader, folder);
	return finish(&loader);
}

struct config *config_parse(const char *name, const char *text, size_t n, struct problems *problems)
{
	struct loader loader = {.problems = problems};

	load_text(&loader, name, text, n);
	return finish(&loader);
}

struct config *config_load(const char *file, struct problems *problems)
{
	return file == NULL ? config_load_from(MAIN_FILE, true, FOLDER, problems) : config_load_from(file, false, NULL, problems);
}

static void refuse_other_sections(const struct build *build, struct problems *problems)
{
	for (size_t i = 0; i < build->n_sections; i++) {
		const struct section *section = &build->sections[i];

		if (section->kind != SECTION_BATCH && section->kind != SECTION_MOVE && section->kind != SECTION_MAP)
			problems_add(problems, ERR_INPUT, "%s:%u: [%s]: a batch file holds [batch], [move] and [map] only", section->file,
				section->line, section->title);
	}
}

struct request *batch_ini(const char *file, const char *text, size_t n, struct problems *problems)
{
	struct config *config = xcalloc(1, sizeof *config);
	struct request *request = NULL;
	struct loader loader = {.problems = problems};
	struct build build;

	load_text(&loader, file, text, n);
	build_init(&build, problems);
	build_add_scan(&build, loader.scans[0]);
	refuse_other_sections(&build, problems);
	build_objects(&build, config);
	build_batches(&build, config, true);
	build_clear(&build);
	scan_free(loader.scans[0]);
	free(loader.scans);
	if (config->n_batches != 1)
		problems_add(problems, ERR_INPUT, "%s: names %zu batches; a batch file holds one", file, config->n_batches);
	if (problems->n == 0) {
		request = config->batches[0].request;
		config->batches[0].request = NULL;
	}
	config_free(config);
	return request;
}
