/* explain: of a guest, every host with the rule that refuses it, and what its move waits for now; of a host, what its drain
 * would do and be limited by, and which of its moves wait for what.
 *
 * Only the drover that runs knows what a move waits for just now, so it is asked; where none runs, the state file tells what
 * was written last.
 */
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "cmd.h"
#include "doc.h"
#include "output.h"
#include "say.h"
#include "show.h"
#include "xalloc.h"

static json_t *error_or_null(const struct error *error)
{
	return error->code == ERR_NONE ? json_null() : json_pack("{s:s, s:s, s:s}", "code", error_code_name(error->code), "message",
		error->message, "hint", error->hint);
}

/* ---- moves under way ---- */

/* Of this guest, or from or to this host; the other name is NULL. */
struct about {
	const char *guest, *host;
};

static bool is_about(const struct about *about, const char *guest, const char *source, const char *target)
{
	if (about->guest != NULL)
		return strcmp(guest, about->guest) == 0;
	return (source != NULL && strcmp(source, about->host) == 0) || (target != NULL && strcmp(target, about->host) == 0);
}

static json_t *move_object(json_int_t batch, const char *guest, const char *source, const char *target, const char *state,
	json_t *waits_for)
{
	return json_pack("{s:I, s:s, s:s?, s:s?, s:s, s:o}", "batch", batch, "guest", guest, "source", source, "target", target,
		"state", state, "waiting_on", waits_for);
}

static void add_live(json_t *moves, const json_t *batch, const struct about *about)
{
	const json_t *move;
	size_t i;

	json_array_foreach(json_object_get(batch, "moves"), i, move) {
		const char *source = json_string_value(json_object_get(move, "source"));
		const char *target = json_string_value(json_object_get(move, "target"));
		const json_t *waits_for = json_object_get(move, "waiting_on");

		if (!json_is_null(json_object_get(move, "ended")) || !is_about(about, doc_text(move, "guest"), source, target))
			continue;
		json_array_append_new(moves, move_object((json_int_t)doc_number(batch, "id"), doc_text(move, "guest"), source, target,
			doc_text(move, "state"), json_is_object(waits_for) ? json_deep_copy(waits_for) : json_null()));
	}
}

static json_t *unfinished_moves(const struct site *site, const struct about *about)
{
	json_t *moves = json_array(), *answer = NULL;
	const json_t *batch;
	struct error err;
	size_t i;

	if (site->args->inventory == NULL && ask_running(site, json_pack("{s:s}", "command", "status"), &answer, &err) == ASK_DONE) {
		json_array_foreach(json_object_get(json_object_get(answer, "status"), "batches"), i, batch)
			add_live(moves, batch, about);
		json_decref(answer);
		return moves;
	}
	for (i = 0; site->image != NULL && i < site->image->n_moves; i++) {
		const struct move_record *move = &site->image->moves[i];

		if (!move_state_is_end(move->state) && is_about(about, move->guest, move->source, move->target))
			json_array_append_new(moves, move_object((json_int_t)move->batch, move->guest, move->source, move->target,
				move_state_name(move->state), error_or_null(&move->error)));
	}
	return moves;
}

/* ---- a guest ---- */

static const char *const verdict_keys[] = {"host", "fits", "error.code", "error.message", "error.hint", NULL};

static const struct column verdicts_columns[] = {
	{"HOST", COLUMN_TEXT},
	{"RESULT", COLUMN_TEXT},
	{"WHY", COLUMN_LONG},
	{"HINT", COLUMN_LONG},
	{.title = NULL},
};

/* Of the hosts that fit, the one that a plan would choose; INDEX_NONE when none does. */
static uint32_t best_of(const struct verdict *verdicts, size_t n)
{
	uint32_t best = INDEX_NONE, i;

	for (i = 0; i < n; i++)
		if (verdicts[i].fits && (best == INDEX_NONE || verdicts[i].score < verdicts[best].score))
			best = i;
	return best;
}

static void show_verdicts(const struct args *args, const struct inventory *inventory, const struct verdict *verdicts)
{
	struct table *table = table_new(args, verdicts_columns);
	uint32_t best = best_of(verdicts, inventory->n_hosts), i;

	for (i = 0; i < inventory->n_hosts; i++) {
		table_cell(table, "%s", inventory->hosts[verdicts[i].host].name);
		table_cell(table, "%s", verdicts[i].fits ? "fits" : error_code_name(verdicts[i].error.code));
		table_cell(table, "%s", !verdicts[i].fits ? verdicts[i].error.message : i == best ? "would be chosen: the least loaded" : "");
		table_cell(table, "%s", verdicts[i].fits ? "" : verdicts[i].error.hint);
	}
	table_end(table);
}

static json_t *verdict_list(const struct inventory *inventory, const struct verdict *verdicts)
{
	json_t *list = json_array();
	uint32_t best = best_of(verdicts, inventory->n_hosts), i;

	for (i = 0; i < inventory->n_hosts; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:I, s:o}", "host", inventory->hosts[verdicts[i].host].name, "fits",
			(int)verdicts[i].fits, "chosen", (int)(i == best), "score", (json_int_t)verdicts[i].score, "error",
			error_or_null(&verdicts[i].error)));
	return list;
}

static void show_guest(const struct site *site, const struct guest *guest, const struct error *why, const json_t *moves,
	const struct verdict *verdicts)
{
	const json_t *move;
	size_t i;

	printf("Guest %s is on %s, %s.\n", guest->name, site->inventory->hosts[guest->host].name, guest_state_name(guest->state));
	json_array_foreach((json_t *)moves, i, move) {
		const json_t *waits_for = json_object_get(move, "waiting_on");

		printf("It is in batch %lld, %s%s%s\n", (long long)doc_number(move, "batch"), doc_text(move, "state"),
			json_is_object(waits_for) ? ": " : "", json_is_object(waits_for) ? doc_text(waits_for, "message") : "");
	}
	if (why->code != ERR_NONE)
		printf("It cannot be moved: %s (%s)\n", why->message, error_code_name(why->code));
	putchar('\n');
	show_verdicts(site->args, site->inventory, verdicts);
}

static int explain_guest(struct site *site, uint32_t at)
{
	struct engine_options engine_options = site_engine_options(site);
	const struct guest *guest = &site->inventory->guests[at];
	struct verdict *verdicts = xcalloc(site->inventory->n_hosts, sizeof *verdicts);
	struct ledger *ledger = ledger_new(site->inventory, &engine_options.plan);
	struct request *request = request_new(REQUEST_MOVE);
	json_t *moves = unfinished_moves(site, &(struct about){.guest = guest->name}), *document;
	struct error why = {0};

	planner_guest_can_move(site->inventory, at, &why);
	request->to_pool = xstrdup(site->args->to_pool);
	planner_explain(site->inventory, ledger, at, request, verdicts);
	if (output_is_table(site->args)) {
		show_guest(site, guest, &why, moves, verdicts);
	} else {
		document = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:O, s:o}", "schema", "drover/explain/1", "guest", guest->name, "host",
			site->inventory->hosts[guest->host].name, "state", guest_state_name(guest->state), "can_move",
			(int)(why.code == ERR_NONE), "error", error_or_null(&why), "moves", moves, "candidates",
			verdict_list(site->inventory, verdicts));
		output_document(site->args, document, "candidates", verdict_keys);
		json_decref(document);
	}
	json_decref(moves);
	request_free(request);
	ledger_free(ledger);
	free(verdicts);
	return EXIT_DONE;
}

/* ---- a host ---- */

static const struct column waits_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"FROM", COLUMN_TEXT},
	{"TO", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"WAITS FOR", COLUMN_TEXT},
	{"WHY", COLUMN_LONG},
	{.title = NULL},
};

static void show_moves(const struct args *args, const char *host, const json_t *moves)
{
	struct table *table;
	const json_t *move;
	size_t i;

	if (json_array_size(moves) == 0)
		return;
	printf("\nMoves of %s that are not finished:\n\n", host);
	table = table_new(args, waits_columns);
	json_array_foreach((json_t *)moves, i, move) {
		const json_t *waits_for = json_object_get(move, "waiting_on");

		table_cell(table, "%s", doc_text(move, "guest"));
		table_cell(table, "%s", doc_text(move, "source"));
		table_cell(table, "%s", doc_text(move, "target"));
		table_cell(table, "%s", doc_text(move, "state"));
		table_cell(table, "%s", doc_text(waits_for, "code"));
		table_cell(table, "%s", json_is_object(waits_for) ? doc_text(waits_for, "message") : "");
	}
	table_end(table);
}

/* The drain of the host that is asked about, as if it were begun now. */
static int explain_host(struct site *site, const char *name)
{
	struct engine_options engine_options = site_engine_options(site);
	struct request *request = request_new(REQUEST_DRAIN);
	json_t *moves = unfinished_moves(site, &(struct about){.host = name});
	struct plan *plan = NULL;
	struct error err;
	int result = EXIT_DONE;

	strings_add(&request->hosts, &request->n_hosts, name);
	if (!planner_plan(site->inventory, request, &engine_options.plan, &plan, &err)) {
		result = say_error(&err);
	} else if (output_is_table(site->args)) {
		printf("If %s were drained now:\n\n", name);
		show_plan(site->args, plan, site->inventory, request);
		show_moves(site->args, name, moves);
	} else {
		show_plan_and(site->args, plan, site->inventory, request, "unfinished_moves", moves);
	}
	json_decref(moves);
	plan_free(plan);
	request_free(request);
	return result;
}

int cmd_explain(const struct args *args)
{
	struct site site;
	struct error err;
	uint32_t guest;
	int result = site_open(&site, args, SITE_STORE_MAY | SITE_INVENTORY);

	if (result == EXIT_DONE && inventory_host(site.inventory, args->words[0]) != INDEX_NONE) {
		result = explain_host(&site, args->words[0]);
	} else if (result == EXIT_DONE) {
		guest = inventory_guest(site.inventory, args->words[0], &err);
		if (guest == INDEX_NONE)
			site_suggest_guest(&site, args->words[0], &err);
		result = guest != INDEX_NONE ? explain_guest(&site, guest) : say_error(&err);
	}
	site_close(&site);
	return result;
}
