/* Commands that tell what is known: from the drover that runs, or else from the state file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "cmd.h"
#include "doc.h"
#include "human.h"
#include "limit_text.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "show.h"
#include "status.h"
#include "xalloc.h"

static const char *const status_keys[] = {"guest", "batch", "source", "target", "state", "attempts", "remaining_bytes",
	"rate_bytes_per_second", "granted_bytes_per_second", "eta_seconds", "waiting_on.code", "waiting_on.message", "error.code", "error.message", NULL};
static const char *const history_keys[] = {"id", "title", "state", "who", "created", "ended", "moves_total", "moves_done",
	"moves_failed", "moves_cancelled", "bytes_transferred", "reason", NULL};

static int64_t wall_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* *ret NULL with result 0: nothing has ever run. */
static int load_status(struct site *site, const struct args *args, json_t **ret)
{
	json_t *answer = NULL;
	struct error err;
	int result = site_open(site, args, SITE_CONFIG);

	*ret = NULL;
	if (result != EXIT_DONE)
		return result;
	switch (ask_running(site, json_pack("{s:s}", "command", "status"), &answer, &err)) {
	case ASK_DONE:
		*ret = json_incref(json_object_get(answer, "status"));
		json_decref(answer);
		return EXIT_DONE;
	case ASK_FAILED:
		return say_error(&err);
	case ASK_NOBODY:
		break;
	}
	if (access(site->state, F_OK) != 0 && errno == ENOENT)
		return EXIT_DONE;
	site_close(site);
	result = site_open(site, args, SITE_STORE_READ);
	if (result == EXIT_DONE)
		*ret = status_of_image(site->image, wall_now_ms());
	return result;
}

/* ---- status ---- */

static const char *why_of(const json_t *move)
{
	const json_t *why = json_object_get(move, "waiting_on");

	if (!json_is_object(why) && strcmp(doc_text(move, "state"), "done") != 0)
		why = json_object_get(move, "error");
	return json_is_object(why) ? doc_text(why, "message") : "";
}

static const struct column status_batch_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"FROM", COLUMN_TEXT},
	{"TO", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"LEFT", COLUMN_NUMBER},
	{"RATE", COLUMN_NUMBER},
	{"SHARE", COLUMN_NUMBER},
	{"ETA", COLUMN_NUMBER},
	{"TRIES", COLUMN_WIDE_NUMBER},
	{"WHY", COLUMN_LONG},
	{.title = NULL},
};

/* What the throttle lets it have of its links. */
static const char *share_of(const json_t *move)
{
	static char text[72];
	uint64_t granted = (uint64_t)doc_number(move, "granted_bytes_per_second");

	if (strncmp(doc_text(move, "state"), "copying_", 8) != 0)
		return "-";
	if (granted == 0)
		return "all";
	snprintf(text, sizeof text, "%s", human_rate(granted).text);
	return text;
}

static void show_status_batch(const struct args *args, const json_t *batch)
{
	const json_t *moves = json_object_get(batch, "moves"), *move;
	struct table *table = table_new(args, status_batch_columns);
	size_t i;

	printf("Batch %lld (%s): %s, %lld of %lld guests moved, %lld moving, %lld waiting, %lld failed", (long long)doc_number(batch, "id"),
		doc_text(batch, "title"), doc_text(batch, "state"), (long long)doc_number(batch, "moves_done"),
		(long long)doc_number(batch, "moves_total"), (long long)doc_number(batch, "moves_active"),
		(long long)doc_number(batch, "moves_waiting"), (long long)doc_number(batch, "moves_failed"));
	if (doc_ms(batch, "eta_seconds") >= 0)
		printf(", ETA %s", human_range(doc_ms(batch, "eta_seconds"), doc_ms(batch, "eta_low_seconds"), doc_ms(batch, "eta_high_seconds")).text);
	puts("");
	json_array_foreach((json_t *)moves, i, move) {
		bool is_live = doc_number(move, "total_bytes") > 0;

		table_cell(table, "%s", doc_text(move, "guest"));
		table_cell(table, "%s", doc_text(move, "source"));
		table_cell(table, "%s", doc_text(move, "target"));
		table_cell(table, "%s", doc_text(move, "state"));
		table_cell(table, "%s", is_live ? human_bytes((uint64_t)doc_number(move, "remaining_bytes")).text : "-");
		table_cell(table, "%s", is_live ? human_rate((uint64_t)doc_number(move, "rate_bytes_per_second")).text : "-");
		table_cell(table, "%s", share_of(move));
		table_cell(table, "%s", human_duration(doc_ms(move, "eta_seconds")).text);
		table_cell(table, "%lld", (long long)doc_number(move, "attempts"));
		table_cell(table, "%s", why_of(move));
	}
	table_end(table);
}

/* What the operator may do now. */
static void say_next(const json_t *document)
{
	const json_t *batches = json_object_get(document, "batches"), *batch;
	bool is_running = json_is_true(json_object_get(document, "running"));
	size_t i, unfinished = 0;

	json_array_foreach((json_t *)batches, i, batch) {
		bool is_paused = strcmp(doc_text(batch, "state"), "paused") == 0;

		if (!json_is_null(json_object_get(batch, "ended")))
			continue;
		unfinished++;
		if (is_paused || !is_running)
			printf("Batch %lld is %s. To go on: drover resume %lld   To give it up: drover cancel %lld\n",
				(long long)doc_number(batch, "id"), is_paused ? "paused" : "interrupted",
				(long long)doc_number(batch, "id"), (long long)doc_number(batch, "id"));
	}
	if (is_running)
		return;
	puts("No drover runs now.");
	if (json_array_size(batches) == 0)
		puts("See drover inventory for the hosts, drover plan drain HOST for what a drain would do.");
	else if (unfinished == 0)
		printf("See drover report %lld for planned against measured, drover history for all batches.\n",
			(long long)doc_number(json_array_get(batches, json_array_size(batches) - 1), "id"));
}

/* What throttle has changed, for the batches that are unfinished. */
static void show_set_limits(const json_t *set)
{
	struct limit_text text;
	const json_t *object;
	size_t i, k;

	json_array_foreach((json_t *)set, i, object)
		for (k = 0; k < LIMIT_KIND_COUNT; k++)
			if (limit_text(object, (enum limit_kind)k, &text))
				printf("%s%s: %s", i == 0 ? "Set by throttle: " : ", ", text.name, text.value);
	if (json_array_size(set) > 0)
		puts(".");
}

static void show_status(const struct args *args, const json_t *document)
{
	const json_t *batches = json_object_get(document, "batches"), *row;
	size_t i;

	json_array_foreach((json_t *)batches, i, row) {
		if (i > 0)
			putchar('\n');
		show_status_batch(args, row);
	}
	if (json_array_size(batches) == 0)
		puts("No batch has run yet.");
	json_array_foreach(json_object_get(document, "hosts"), i, row)
		if (json_is_true(json_object_get(row, "cordoned")))
			printf("Host %s is cordoned%s%s.\n", doc_text(row, "name"), json_is_string(json_object_get(row, "reason")) ? ": " : "",
				json_is_string(json_object_get(row, "reason")) ? doc_text(row, "reason") : "");
	show_set_limits(json_object_get(json_object_get(document, "limits"), "set"));
	say_next(document);
}

/* All moves in one list, each with the number of its batch. */
static json_t *flatten(const json_t *document)
{
	json_t *flat = json_array(), *batch, *move;
	size_t i, k;

	json_array_foreach(json_object_get(document, "batches"), i, batch) {
		json_array_foreach(json_object_get(batch, "moves"), k, move) {
			json_object_set(move, "batch", json_object_get(batch, "id"));
			json_array_append(flat, move);
		}
	}
	return json_pack("{s:o}", "moves", flat);
}

int cmd_status(const struct args *args)
{
	struct site site;
	json_t *document, *flat;
	int result = load_status(&site, args, &document);

	if (result == EXIT_DONE && document == NULL)
		document = json_pack("{s:s, s:b, s:[], s:[]}", "schema", "drover/status/1", "running", 0, "batches", "hosts");
	if (result == EXIT_DONE && output_is_table(args)) {
		show_status(args, document);
	} else if (result == EXIT_DONE && args->output == OUTPUT_JSON) {
		output_document(args, document, "batches", status_keys);
	} else if (result == EXIT_DONE) {
		flat = flatten(document);
		output_document(args, flat, "moves", status_keys);
		json_decref(flat);
	}
	json_decref(document);
	site_close(&site);
	return result;
}

/* ---- watch ---- */

static bool watch_once(const struct site *site, const struct args *args, struct progress *progress, int64_t elapsed_ms,
	struct error *err)
{
	json_t *answer = NULL, *document;

	if (ask_running(site, json_pack("{s:s}", "command", "status"), &answer, err) != ASK_DONE)
		return false;
	document = json_object_get(answer, "status");
	if (output_is_table(args)) {
		progress_show(progress, document, elapsed_ms);
	} else {
		json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
		fflush(stdout);
	}
	json_decref(answer);
	return true;
}

int cmd_watch(const struct args *args)
{
	const struct timespec pause = {.tv_sec = 1};
	struct progress *progress;
	struct site site;
	struct error err;
	int64_t start_ms = wall_now_ms();
	bool has_seen = false;
	int result = site_open(&site, args, SITE_CONFIG);

	if (result == EXIT_DONE) {
		progress = progress_new(args);
		while (watch_once(&site, args, progress, wall_now_ms() - start_ms, &err)) {
			has_seen = true;
			if (ferror(stdout)) /* the reader has left */
				break;
			nanosleep(&pause, NULL);
		}
		progress_free(progress);
		if (has_seen && ferror(stdout))
			result = EXIT_DONE;
		else if (has_seen)
			say_note("It has ended: drover status shows how.");
		else
			result = say_error(&err);
	}
	site_close(&site);
	return result;
}

/* ---- history, report ---- */

static const struct column history_columns[] = {
	{"BATCH", COLUMN_NUMBER},
	{"WHAT", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"STARTED", COLUMN_TEXT},
	{"ENDED", COLUMN_TEXT},
	{"MOVED", COLUMN_NUMBER},
	{"OF", COLUMN_NUMBER},
	{"BYTES", COLUMN_NUMBER},
	{"WHO", COLUMN_TEXT},
	{"REASON", COLUMN_LONG},
	{.title = NULL},
};

static void show_history(const struct args *args, const json_t *batches)
{
	struct table *table = table_new(args, history_columns);
	const json_t *batch;
	size_t i;

	if (json_array_size(batches) == 0)
		puts("No batch has run yet.");
	json_array_foreach((json_t *)batches, i, batch) {
		table_cell(table, "%lld", (long long)doc_number(batch, "id"));
		table_cell(table, "%s", doc_text(batch, "title"));
		table_cell(table, "%s", doc_text(batch, "state"));
		table_cell(table, "%s", doc_text(batch, "created"));
		table_cell(table, "%s", doc_text(batch, "ended"));
		table_cell(table, "%lld", (long long)doc_number(batch, "moves_done"));
		table_cell(table, "%lld", (long long)doc_number(batch, "moves_total"));
		table_cell(table, "%s", human_bytes((uint64_t)doc_number(batch, "bytes_transferred")).text);
		table_cell(table, "%s", doc_text(batch, "who"));
		table_cell(table, "%s", json_is_string(json_object_get(batch, "reason")) ? doc_text(batch, "reason") : "");
	}
	table_end(table);
}

int cmd_history(const struct args *args)
{
	json_t *document;
	struct site site;
	int result = site_open(&site, args, SITE_STORE_READ);

	if (result == EXIT_DONE) {
		document = json_pack("{s:s, s:o}", "schema", "drover/history/1", "batches", status_history(site.image));
		if (output_is_table(args))
			show_history(args, json_object_get(document, "batches"));
		else
			output_document(args, document, "batches", history_keys);
		json_decref(document);
	}
	site_close(&site);
	return result;
}

static int report_batch(const struct site *site, uint64_t id)
{
	const struct batch_record *batch = NULL;
	const struct move_record **moves = xcalloc(site->image->n_moves + 1, sizeof *moves);
	struct error err;
	size_t i, n = 0;
	int result = EXIT_DONE;

	for (i = 0; i < site->image->n_batches; i++)
		if (site->image->batches[i].id == id)
			batch = &site->image->batches[i];
	for (i = 0; i < site->image->n_moves; i++)
		if (site->image->moves[i].batch == id)
			moves[n++] = &site->image->moves[i];
	if (batch != NULL) {
		show_report(site->args, batch, moves, n, wall_now_ms());
	} else {
		error_set(&err, ERR_UNKNOWN_BATCH, "there is no batch %llu", (unsigned long long)id);
		result = say_error(&err);
	}
	free(moves);
	return result;
}

int cmd_report(const struct args *args)
{
	struct site site = {0};
	struct error err;
	uint64_t id;
	int result;

	if (!args_batch(args->words[0], &id, &err))
		return say_error(&err);
	result = site_open(&site, args, SITE_STORE_READ);
	if (result == EXIT_DONE)
		result = report_batch(&site, id);
	site_close(&site);
	return result;
}
