/* Plans before a run and reports after it, side by side in the same terms. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "human.h"
#include "output.h"
#include "say.h"
#include "show.h"
#include "xalloc.h"

static const char *const plan_keys[] = {"guest", "source", "target", "kind", "start_seconds", "duration_seconds", "bytes",
	"rate_bytes_per_second", "downtime_seconds", "network", "reason", NULL};
static const char *const report_keys[] = {"guest", "source", "target", "kind", "state", "start_seconds",
	"duration_seconds", "actual_start_seconds", "actual_duration_seconds", "bytes", "bytes_transferred",
	"downtime_seconds", "measured_downtime_seconds", "attempts", "rounds", NULL};

static const struct column moves_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"FROM", COLUMN_TEXT},
	{"TO", COLUMN_TEXT},
	{"START", COLUMN_NUMBER},
	{"TIME", COLUMN_NUMBER},
	{"LOW", COLUMN_WIDE_NUMBER},
	{"HIGH", COLUMN_WIDE_NUMBER},
	{"BYTES", COLUMN_NUMBER},
	{"RATE", COLUMN_NUMBER},
	{"DOWNTIME", COLUMN_NUMBER},
	{"NETWORK", COLUMN_TEXT},
	{"KIND", COLUMN_WIDE_TEXT},
	{"WHY", COLUMN_LONG},
	{.title = NULL},
};

static void show_moves(const struct args *args, const struct plan *plan, const struct inventory *inventory)
{
	struct table *table = table_new(args, moves_columns);
	size_t i;

	for (i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];

		table_cell(table, "%s", inventory->guests[move->guest].name);
		table_cell(table, "%s", inventory->hosts[move->source].name);
		table_cell(table, "%s", inventory->hosts[move->target].name);
		table_cell(table, "%s", human_duration(move->start_ms).text);
		table_cell(table, "%s", human_duration(move->duration_ms).text);
		table_cell(table, "%s", human_duration(move->duration_low_ms).text);
		table_cell(table, "%s", human_duration(move->duration_high_ms).text);
		table_cell(table, "%s", human_bytes(move->bytes).text);
		table_cell(table, "%s", human_rate(move->rate_bytes_per_s).text);
		table_cell(table, "%s", human_duration(move->downtime_ms).text);
		table_cell(table, "%s", move->network != INDEX_NONE ? inventory->networks[move->network].name : "any");
		table_cell(table, "%s", move_kind_name(move->kind));
		table_cell(table, "%s", move->reason);
	}
	table_end(table);
}

static const struct column said_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"CODE", COLUMN_TEXT},
	{"WHY", COLUMN_LONG},
	{"HINT", COLUMN_LONG},
	{.title = NULL},
};

static void said_row(struct table *table, const char *guest, const struct error *error)
{
	table_cell(table, "%s", guest);
	table_cell(table, "%s", error_code_name(error->code));
	table_cell(table, "%s", error->message);
	table_cell(table, "%s", error->hint);
}

static void show_blocked(const struct args *args, const struct plan *plan)
{
	struct table *table;
	size_t i;

	if (plan->n_blocked == 0)
		return;
	printf("%s%zu guest%s cannot be moved:\n", plan->n_moves > 0 ? "\n" : "", plan->n_blocked, plan->n_blocked == 1 ? "" : "s");
	table = table_new(args, said_columns);
	for (i = 0; i < plan->n_blocked; i++)
		said_row(table, plan->blocked[i].name, &plan->blocked[i].error);
	table_end(table);
}

static void show_warnings(const struct args *args, const struct plan *plan, const struct inventory *inventory)
{
	struct table *table;
	size_t i;

	if (plan->n_warnings == 0)
		return;
	printf("\n%zu guest%s moved with a warning:\n", plan->n_warnings, plan->n_warnings == 1 ? " is" : "s are");
	table = table_new(args, said_columns);
	for (i = 0; i < plan->n_warnings; i++)
		said_row(table, inventory->guests[plan->moves[plan->warnings[i].move].guest].name, &plan->warnings[i].error);
	table_end(table);
}

void show_plan_summary(const struct plan *plan, FILE *file)
{
	uint64_t bytes = 0;
	size_t i, n_assumed = 0;

	for (i = 0; i < plan->n_moves; i++) {
		bytes += plan->moves[i].bytes;
		n_assumed += plan->moves[i].rate_is_assumed;
	}
	if (plan->n_moves == 0) {
		fprintf(file, plan->n_blocked == 0 ? "Nothing to move.\n" : "No guest can be moved.\n");
		return;
	}
	fprintf(file, "%zu move%s, %s, %s; no plan can be faster than %s.\n", plan->n_moves, plan->n_moves == 1 ? "" : "s",
		human_bytes(bytes).text, human_range(plan->makespan_ms, plan->makespan_low_ms, plan->makespan_high_ms).text,
		human_duration(plan->lower_bound_ms).text);
	if (plan->bottleneck_text[0] != '\0')
		fprintf(file, "What limits it: %s\n", plan->bottleneck_text);
	if (plan->last_text[0] != '\0')
		fprintf(file, "Why it takes longer: %s\n", plan->last_text);
	if (n_assumed > 0)
		fprintf(file, "The times are a guess for %zu of them: no rate of their links is configured and nothing was measured on them yet; the first copies tell.\n",
			n_assumed);
}

/* Forms that are lists of moves have no place for those who stay, nor for what is said of a move. */
static void warn(const struct args *args, const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->n_blocked && args->output != OUTPUT_JSON; i++)
		say_warning("guest %s cannot be moved: %s", plan->blocked[i].name, plan->blocked[i].error.message);
	for (i = 0; i < plan->n_warnings && args->output != OUTPUT_JSON; i++)
		say_warning("%s", plan->warnings[i].error.message);
}

void show_plan_and(const struct args *args, const struct plan *plan, const struct inventory *inventory,
	const struct request *request, const char *key, json_t *value)
{
	char *text = plan_json(plan, inventory, request);
	json_t *document = json_loads(text, 0, NULL);

	assert(document != NULL);
	json_object_set(document, key, value);
	output_document(args, document, "moves", plan_keys);
	warn(args, plan);
	json_decref(document);
	free(text);
}

void show_plan(const struct args *args, const struct plan *plan, const struct inventory *inventory,
	const struct request *request)
{
	if (!output_is_table(args)) {
		output_text(args, plan_json(plan, inventory, request), "moves", plan_keys);
		warn(args, plan);
		return;
	}
	show_moves(args, plan, inventory);
	show_warnings(args, plan, inventory);
	show_blocked(args, plan);
	if (plan->n_moves > 0 || plan->n_blocked > 0)
		putchar('\n');
	show_plan_summary(plan, stdout);
}

static void report_row(struct table *table, const struct batch_record *batch, const struct move_record *move, int64_t now_wall_ms)
{
	int64_t end = move->ended_wall_ms != 0 ? move->ended_wall_ms : now_wall_ms;
	bool has_started = move->started_wall_ms != 0;

	table_cell(table, "%s", move->guest);
	table_cell(table, "%s", move->source != NULL ? move->source : "-");
	table_cell(table, "%s", move->target != NULL ? move->target : "-");
	table_cell(table, "%s", move_state_name(move->state));
	table_cell(table, "%s", has_started ? human_duration(move->started_wall_ms - batch->created_wall_ms).text : "-");
	table_cell(table, "%s", human_duration(move->planned_start_ms).text);
	table_cell(table, "%s", has_started ? human_duration(end - move->started_wall_ms).text : "-");
	table_cell(table, "%s", human_duration(move->planned_duration_ms).text);
	table_cell(table, "%s", human_bytes(move->bytes_transferred).text);
	table_cell(table, "%s", human_bytes(move->planned_bytes).text);
	table_cell(table, "%s", human_duration(move->measured_downtime_ms).text);
	table_cell(table, "%s", human_duration(move->planned_downtime_ms).text);
	table_cell(table, "%u", move->attempts);
	table_cell(table, "%u", move->rounds);
	table_cell(table, "%s", move->state != MOVE_DONE && move->error.code != ERR_NONE ? move->error.message : move->warning.message);
}

/* Each measured figure is followed by the planned one. */
static const struct column report_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"FROM", COLUMN_TEXT},
	{"TO", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"START", COLUMN_WIDE_NUMBER},
	{"PLAN", COLUMN_WIDE_NUMBER},
	{"TIME", COLUMN_NUMBER},
	{"PLAN", COLUMN_NUMBER},
	{"BYTES", COLUMN_NUMBER},
	{"PLAN", COLUMN_NUMBER},
	{"DOWNTIME", COLUMN_NUMBER},
	{"PLAN", COLUMN_NUMBER},
	{"TRIES", COLUMN_NUMBER},
	{"ROUNDS", COLUMN_WIDE_NUMBER},
	{"NOTE", COLUMN_LONG},
	{.title = NULL},
};

static void report_table(const struct args *args, const struct batch_record *batch,
	const struct move_record *const *moves, size_t n_moves, int64_t now_wall_ms)
{
	struct table *table = table_new(args, report_columns);
	size_t i;

	for (i = 0; i < n_moves; i++)
		report_row(table, batch, moves[i], now_wall_ms);
	table_end(table);
}

void show_report(const struct args *args, const struct batch_record *batch, const struct move_record *const *moves,
	size_t n_moves, int64_t now_wall_ms)
{
	int64_t end = batch->ended_wall_ms != 0 ? batch->ended_wall_ms : now_wall_ms;
	uint64_t bytes = 0;
	size_t i, done = 0, guests = 0;

	if (!output_is_table(args)) {
		output_text(args, report_json(batch, moves, n_moves, now_wall_ms), "moves", report_keys);
		return;
	}
	for (i = 0; i < n_moves; i++) {
		/* A guest that went by way of a third host has come when its second leg is done. */
		guests += moves[i]->leg != LEG_FIRST;
		done += moves[i]->leg != LEG_FIRST && moves[i]->state == MOVE_DONE;
		bytes += moves[i]->bytes_transferred;
	}
	report_table(args, batch, moves, n_moves, now_wall_ms);
	fflush(stdout);
	for (i = 0; i < n_moves; i++)
		if (moves[i]->warning.code != ERR_NONE)
			say_warning("%s", moves[i]->warning.message);
	printf("%sBatch %llu (%s): %s. %zu of %zu guests moved, %s, in %s.\nPlanned: %s; no plan can be faster than %s.\n",
		n_moves > 0 ? "\n" : "", (unsigned long long)batch->id, batch->title, batch_state_name(batch->state), done, guests,
		human_bytes(bytes).text, human_duration(end - batch->created_wall_ms).text,
		human_duration(batch->planned_makespan_ms).text, human_duration(batch->lower_bound_ms).text);
}

int show_exit_code(const struct batch_record *batch, const struct move_record *const *moves, size_t n_moves)
{
	size_t i, done = 0, cancelled = 0;

	for (i = 0; i < n_moves; i++) {
		done += moves[i]->state == MOVE_DONE;
		cancelled += moves[i]->state == MOVE_CANCELLED;
	}
	if (batch->state == BATCH_DONE || done == n_moves)
		return EXIT_DONE;
	return done == 0 && cancelled == 0 ? EXIT_FAILED : EXIT_SOME_LEFT;
}
