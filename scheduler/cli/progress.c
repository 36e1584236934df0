/* Live progress. Two manners, one source: on a terminal a block that is drawn again in place, one line for each active
 * move and one for each batch; elsewhere a line for each change of a move's state and a line for the batch every few seconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "doc.h"
#include "human.h"
#include "progress.h"
#include "say.h"
#include "xalloc.h"

enum {
	BATCH_LINE_S = 5, /* of real time, also when a simulated clock runs faster */
	LINES_MAX = 16,    /* of active moves; more scroll the terminal away */
	LINKS_SHOWN_MAX = 6,
	WIDTH_DEFAULT = 100,
	GUEST_COLUMNS = 16,
	WAY_COLUMNS = 17,
	FIGURES_COLUMNS = 67,
	STATE_BYTES = 24,
};

struct known_move {
	json_int_t id;
	char state[STATE_BYTES];
	char warning[STATE_BYTES]; /* code of the one that was printed */
};

/* A link whose capacity has been told. */
struct known_link {
	char *name;
	uint64_t capacity;
};

struct progress {
	bool draws;
	unsigned n_lines; /* of the block on the screen */
	int width;
	time_t next_batch_s;
	struct known_move *moves;
	size_t n_moves;
	struct known_link *links;
	size_t n_links;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

struct progress *progress_new(const struct args *args)
{
	struct progress *progress = xcalloc(1, sizeof *progress);

	progress->draws = say_may_draw(args, STDERR_FILENO);
	return progress;
}

void progress_clear(struct progress *progress)
{
	if (progress->n_lines > 0)
		fprintf(stderr, "\033[%uA\033[J", progress->n_lines);
	progress->n_lines = 0;
}

void progress_free(struct progress *progress)
{
	size_t i;

	if (progress == NULL)
		return;
	progress_clear(progress);
	for (i = 0; i < progress->n_links; i++)
		free(progress->links[i].name);
	free(progress->links);
	free(progress->moves);
	free(progress);
}

static bool is_active(const json_t *move)
{
	const char *state = doc_text(move, "state");

	return strcmp(state, "waiting") != 0 && strcmp(state, "planned") != 0 && strcmp(state, "done") != 0 &&
		strcmp(state, "failed") != 0 && strcmp(state, "cancelled") != 0;
}

static void eta_text(const json_t *object, char *ret, size_t size)
{
	int64_t low = doc_ms(object, "eta_low_seconds"), high = doc_ms(object, "eta_high_seconds"), eta = doc_ms(object, "eta_seconds");

	if (eta < 0)
		snprintf(ret, size, "not known yet");
	else if (low < 0 || high < 0 || low == high)
		snprintf(ret, size, "%s", human_duration(eta).text);
	else
		snprintf(ret, size, "%s to %s", human_duration(low).text, human_duration(high).text);
}

/* ---- terminal ---- */

/* Bytes of the text that fit n columns, no character cut in two. */
static int fitting(const char *text, size_t n)
{
	size_t length = strlen(text);

	if (length <= n)
		return (int)length;
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

static void draw_line(struct progress *progress, const char *line)
{
	fprintf(stderr, "%.*s\n", fitting(line, (size_t)progress->width), line);
	progress->n_lines++;
}

/* While it copies, the phase says more than the state. */
static const char *stage_of(const json_t *move)
{
	const char *state = doc_text(move, "state");

	return strncmp(state, "copying_", 8) == 0 ? state + 8 : state;
}

/* The figures are always seen; the way, and then the end of a long name, give way to them. */
static void draw_move(struct progress *progress, const json_t *move)
{
	uint64_t total = (uint64_t)doc_number(move, "total_bytes"), left = (uint64_t)doc_number(move, "remaining_bytes");
	uint64_t granted = (uint64_t)doc_number(move, "granted_bytes_per_second");
	int percent = total > 0 && left <= total ? (int)((total - left) * 100 / total) : 0, room;
	const char *guest = doc_text(move, "guest");
	char line[640], way[128], figures[300], share[72] = "";

	if (granted > 0)
		snprintf(share, sizeof share, "of %s", human_rate(granted).text);
	else if (json_is_true(json_object_get(move, "has_link")))
		snprintf(share, sizeof share, "has the link");
	snprintf(figures, sizeof figures, "%-10s %3d%% %11s %-14s %10s left, %s", stage_of(move), percent,
		human_rate((uint64_t)doc_number(move, "rate_bytes_per_second")).text, share, human_bytes(left).text,
		human_duration(doc_ms(move, "eta_seconds")).text);
	snprintf(way, sizeof way, "%s > %s", doc_text(move, "source"), doc_text(move, "target"));
	room = progress->width - FIGURES_COLUMNS - 3;
	if (room >= GUEST_COLUMNS + WAY_COLUMNS)
		snprintf(line, sizeof line, "  %-*.*s %-*s %s", GUEST_COLUMNS, fitting(guest, (size_t)(room - WAY_COLUMNS)), guest,
			WAY_COLUMNS, way, figures);
	else
		snprintf(line, sizeof line, "  %-*.*s %s", room > 8 ? room : 8, fitting(guest, room > 8 ? (size_t)room : 8), guest, figures);
	draw_line(progress, line);
}

static void batch_line(const json_t *batch, char *ret, size_t size)
{
	const char *state = doc_text(batch, "state");
	bool runs = strcmp(state, "running") == 0;
	char eta[128];

	eta_text(batch, eta, sizeof eta);
	snprintf(ret, size, "batch %lld: %lld of %lld done, %lld moving, %lld waiting%s%s%s, ETA %s (%s)",
		(long long)doc_number(batch, "id"), (long long)doc_number(batch, "moves_done"),
		(long long)doc_number(batch, "moves_total"), (long long)doc_number(batch, "moves_active"),
		(long long)doc_number(batch, "moves_waiting"), doc_number(batch, "moves_failed") > 0 ? ", some failed" : "",
		runs ? "" : ", ", runs ? "" : state, eta, doc_text(batch, "title"));
}

/* The first of those that wait tells why nothing else starts. */
static void draw_waiting(struct progress *progress, const json_t *moves)
{
	const json_t *move;
	char line[512];
	size_t i;

	json_array_foreach((json_t *)moves, i, move) {
		const json_t *why = json_object_get(move, "waiting_on");

		if (is_active(move) || !json_is_object(why))
			continue;
		snprintf(line, sizeof line, "  %-16s waits: %s", doc_text(move, "guest"), doc_text(why, "message"));
		draw_line(progress, line);
		return;
	}
}

static void draw_batch(struct progress *progress, const json_t *batch)
{
	const json_t *moves = json_object_get(batch, "moves"), *move;
	unsigned shown = 0, hidden = 0;
	char line[512];
	size_t i;

	json_array_foreach((json_t *)moves, i, move) {
		if (!is_active(move))
			continue;
		if (shown < LINES_MAX) {
			draw_move(progress, move);
			shown++;
		} else {
			hidden++;
		}
	}
	if (hidden > 0) {
		snprintf(line, sizeof line, "  and %u more", hidden);
		draw_line(progress, line);
	}
	draw_waiting(progress, moves);
	batch_line(batch, line, sizeof line);
	draw_line(progress, line);
}

/* "link of h1 (out): 23.1 MB/s of 23.9 MB/s, 5.0 MB/s by others, limit 10 MB/s" */
static void link_text(const json_t *link, char *ret, size_t size)
{
	uint64_t capacity = (uint64_t)doc_number(link, "capacity_bytes_per_second"), others = (uint64_t)doc_number(link, "others_bytes_per_second");
	uint64_t limit = (uint64_t)doc_number(link, "limit_bytes_per_second");
	char of[72] = "", by_others[96] = "", limited[72] = "";

	if (capacity > 0)
		snprintf(of, sizeof of, " of %s", human_rate(capacity).text);
	if (others > 0)
		snprintf(by_others, sizeof by_others, ", %s by others", human_rate(others).text);
	if (limit > 0)
		snprintf(limited, sizeof limited, ", limited to %s", human_rate(limit).text);
	snprintf(ret, size, "%s: %s%s%s%s", doc_text(link, "name"), human_rate((uint64_t)doc_number(link, "flow_bytes_per_second")).text, of,
		by_others, limited);
}

static void draw_links(struct progress *progress, const json_t *document)
{
	const json_t *link;
	char text[640], line[660];
	unsigned shown = 0;
	size_t i;

	json_array_foreach(json_object_get(document, "links"), i, link) {
		if (doc_number(link, "heads") == 0 || shown++ >= LINKS_SHOWN_MAX)
			continue;
		link_text(link, text, sizeof text);
		snprintf(line, sizeof line, "  %s", text);
		draw_line(progress, line);
	}
}

static void draw(struct progress *progress, const json_t *document)
{
	const json_t *batch;
	struct winsize window;
	size_t i;

	progress->width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20 ? window.ws_col - 1 : WIDTH_DEFAULT;
	progress_clear(progress);
	draw_links(progress, document);
	json_array_foreach(json_object_get(document, "batches"), i, batch)
		if (json_is_null(json_object_get(batch, "ended")))
			draw_batch(progress, batch);
	fflush(stderr);
}

/* ---- plain lines ---- */

static struct known_move *known(struct progress *progress, json_int_t id)
{
	size_t low = 0, high = progress->n_moves;

	/* Ids grow and moves come in their order: nearly always a search, rarely an append. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (progress->moves[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < progress->n_moves && progress->moves[low].id == id)
		return &progress->moves[low];
	progress->moves = xgrow(progress->moves, progress->n_moves, sizeof *progress->moves);
	memmove(&progress->moves[low + 1], &progress->moves[low], (progress->n_moves - low) * sizeof *progress->moves);
	progress->n_moves++;
	progress->moves[low] = (struct known_move){.id = id};
	return &progress->moves[low];
}

static void print_change(const json_t *move, int64_t elapsed_ms)
{
	const char *state = doc_text(move, "state");
	const json_t *error = json_object_get(move, "error");

	fprintf(stderr, "[%7.1f s] %s: %s, %s > %s", (double)elapsed_ms / 1000.0, doc_text(move, "guest"), state,
		doc_text(move, "source"), doc_text(move, "target"));
	if (strcmp(state, "done") == 0)
		fprintf(stderr, ", %s, downtime %s", human_bytes((uint64_t)doc_number(move, "bytes_transferred")).text,
			human_duration(doc_ms(move, "measured_downtime_seconds")).text);
	else if (json_is_object(error) && !is_active(move))
		fprintf(stderr, ": %s", doc_text(error, "message"));
	fputc('\n', stderr);
}

static struct known_link *known_link(struct progress *progress, const char *name)
{
	size_t i;

	for (i = 0; i < progress->n_links; i++)
		if (strcmp(progress->links[i].name, name) == 0)
			return &progress->links[i];
	progress->links = xgrow(progress->links, progress->n_links, sizeof *progress->links);
	progress->links[progress->n_links] = (struct known_link){.name = xstrdup(name)};
	return &progress->links[progress->n_links++];
}

/* A line when a link carries by a fifth more or less than was last told; what it carries first is no news. */
static void print_links(struct progress *progress, const json_t *document, int64_t elapsed_ms)
{
	const json_t *link;
	char text[640];
	size_t i;

	json_array_foreach(json_object_get(document, "links"), i, link) {
		uint64_t capacity = (uint64_t)doc_number(link, "capacity_bytes_per_second");
		struct known_link *last = known_link(progress, doc_text(link, "name"));
		bool is_first = last->capacity == 0;

		if (capacity == 0 || (capacity > last->capacity / 5 * 4 && capacity < last->capacity / 4 * 5))
			continue;
		last->capacity = capacity;
		if (is_first)
			continue;
		link_text(link, text, sizeof text);
		fprintf(stderr, "[%7.1f s] %s\n", (double)elapsed_ms / 1000.0, text);
	}
}

/* Once for each warning: it may come in the midst of a state. */
static void print_warning(struct known_move *last, const json_t *move, int64_t elapsed_ms)
{
	const json_t *warning = json_object_get(move, "warning");
	const char *code = json_is_object(warning) ? doc_text(warning, "code") : "";

	if (code[0] != '\0' && strcmp(last->warning, code) != 0)
		fprintf(stderr, "[%7.1f s] WARNING %s: %s\n", (double)elapsed_ms / 1000.0, code, doc_text(warning, "message"));
	snprintf(last->warning, sizeof last->warning, "%s", code);
}

static void print_changes(struct progress *progress, const json_t *document, int64_t elapsed_ms)
{
	bool is_due = now_s() >= progress->next_batch_s;
	const json_t *batch, *move;
	char line[512];
	size_t i, k;

	json_array_foreach(json_object_get(document, "batches"), i, batch) {
		json_array_foreach(json_object_get(batch, "moves"), k, move) {
			struct known_move *last = known(progress, json_integer_value(json_object_get(move, "id")));
			const char *state = doc_text(move, "state");

			print_warning(last, move, elapsed_ms);
			if (strcmp(last->state, state) == 0)
				continue;
			/* That everything waits at the beginning is no news. */
			if (last->state[0] != '\0' || strcmp(state, "waiting") != 0)
				print_change(move, elapsed_ms);
			snprintf(last->state, sizeof last->state, "%s", state);
		}
		if (is_due && json_is_null(json_object_get(batch, "ended"))) {
			batch_line(batch, line, sizeof line);
			fprintf(stderr, "[%7.1f s] %s\n", (double)elapsed_ms / 1000.0, line);
		}
	}
	print_links(progress, document, elapsed_ms);
	if (is_due)
		progress->next_batch_s = now_s() + BATCH_LINE_S;
	fflush(stderr);
}

void progress_show(struct progress *progress, const json_t *document, int64_t elapsed_ms)
{
	if (progress->draws)
		draw(progress, document);
	else
		print_changes(progress, document, elapsed_ms);
}
