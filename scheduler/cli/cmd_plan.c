/* Commands that look and change nothing: inventory, plan, preflight. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "doc.h"
#include "human.h"
#include "output.h"
#include "say.h"
#include "show.h"
#include "want.h"
#include "xalloc.h"

enum { PREFLIGHT_TIMEOUT_MS = 120000 };

/* ---- inventory ---- */

static const char *const guest_keys[] = {"name", "uuid", "host", "state", "vcpus", "memory_bytes", "used_memory_bytes",
	"dirty_rate_bytes_per_second", NULL};

static const struct column hosts_columns[] = {
	{"HOST", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"GUESTS", COLUMN_NUMBER},
	{"MEMORY", COLUMN_NUMBER},
	{"USED", COLUMN_NUMBER},
	{"CPUS", COLUMN_NUMBER},
	{"ADDRESSES", COLUMN_TEXT},
	{"CPU", COLUMN_WIDE_TEXT},
	{"NOTE", COLUMN_LONG},
	{.title = NULL},
};

static void show_hosts(const struct args *args, const struct inventory *inventory)
{
	struct table *table = table_new(args, hosts_columns);
	size_t i, k;

	for (i = 0; i < inventory->n_hosts; i++) {
		const struct host *host = &inventory->hosts[i];
		char addresses[256] = "";
		uint64_t used = 0;
		size_t n = 0, length = 0;

		for (k = 0; k < inventory->n_guests; k++) {
			if (inventory->guests[k].host != i)
				continue;
			n++;
			if (inventory->guests[k].state != GUEST_SHUTOFF)
				used += inventory->guests[k].memory_bytes;
		}
		for (k = 0; k < host->n_links && length < sizeof addresses; k++)
			length += (size_t)snprintf(addresses + length, sizeof addresses - length, "%s%s", k > 0 ? " " : "", host->links[k].address);
		table_cell(table, "%s", host->name);
		table_cell(table, "%s", !host->reachable ? "unreachable" : host->cordoned ? "cordoned" : "up");
		table_cell(table, "%zu", n);
		table_cell(table, "%s", human_bytes(host->memory_bytes).text);
		table_cell(table, "%s", human_bytes(used).text);
		table_cell(table, "%u", host->cpus);
		table_cell(table, "%s", addresses);
		table_cell(table, "%s", host->cpu_model != NULL ? host->cpu_model : "-");
		table_cell(table, "%s", host->reachable ? "" : host->down.message);
	}
	table_end(table);
}

static const struct column guests_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"HOST", COLUMN_TEXT},
	{"STATE", COLUMN_TEXT},
	{"VCPUS", COLUMN_NUMBER},
	{"MEMORY", COLUMN_NUMBER},
	{"DISKS", COLUMN_NUMBER},
	{"DIRTY RATE", COLUMN_NUMBER},
	{"UUID", COLUMN_WIDE_TEXT},
	{"NOTE", COLUMN_LONG},
	{.title = NULL},
};

static void show_guests(const struct args *args, const struct inventory *inventory)
{
	struct table *table = table_new(args, guests_columns);
	size_t i, k;

	for (i = 0; i < inventory->n_guests; i++) {
		const struct guest *guest = &inventory->guests[i];
		uint64_t disks = 0;

		for (k = 0; k < guest->n_disks; k++)
			disks += guest->disks[k].allocation_bytes > 0 ? guest->disks[k].allocation_bytes : guest->disks[k].capacity_bytes;
		table_cell(table, "%s", guest->name);
		table_cell(table, "%s", inventory->hosts[guest->host].name);
		table_cell(table, "%s", guest_state_name(guest->state));
		table_cell(table, "%u", guest->vcpus);
		table_cell(table, "%s", human_bytes(guest->memory_bytes).text);
		table_cell(table, "%s", guest->n_disks > 0 ? human_bytes(disks).text : "-");
		table_cell(table, "%s", human_rate(guest->dirty_rate_bytes_per_s).text);
		table_cell(table, "%s", guest->uuid);
		table_cell(table, "%s", guest->unmovable != NULL ? guest->unmovable->message : "");
	}
	table_end(table);
}

/* What moves have measured stands in for what nobody has stated, so that the document plans and
 * simulates elsewhere as the real hosts would. */
static void fill_learned_rates(const struct site *site)
{
	size_t i, j;

	for (i = 0; site->image != NULL && i < site->image->n_paths; i++) {
		const struct path_rate *path = &site->image->paths[i];
		uint32_t ends[2] = {inventory_host(site->inventory, path->source), inventory_host(site->inventory, path->target)};

		for (j = 0; j < 2; j++) {
			struct host *host = ends[j] == INDEX_NONE ? NULL : &site->inventory->hosts[ends[j]];

			if (host != NULL && host->n_links == 1 && path->memory_bytes_per_s > host->links[0].rate_bytes_per_s)
				host->links[0].rate_bytes_per_s = path->memory_bytes_per_s;
		}
	}
}

int cmd_inventory(const struct args *args)
{
	struct site site;
	int result = site_open(&site, args, SITE_STORE_MAY | SITE_INVENTORY);

	if (result == EXIT_DONE && !output_is_table(args))
		fill_learned_rates(&site);
	if (result == EXIT_DONE && output_is_table(args)) {
		show_hosts(args, site.inventory);
		if (site.inventory->n_guests > 0)
			putchar('\n');
		show_guests(args, site.inventory);
	} else if (result == EXIT_DONE) {
		output_text(args, inventory_json(site.inventory), "guests", guest_keys);
	}
	site_close(&site);
	return result;
}

/* ---- plan ---- */

static int make_plan(struct site *site, struct want *want, struct plan **ret_plan)
{
	int result = want_read(want, site, site->args->words, site->args->n_words);

	return result == EXIT_DONE ? want_plan(want, site, ret_plan) : result;
}

/* Mistakes in the words are told before any host is asked. */
static int open_for_plan(struct site *site, const struct args *args)
{
	struct error err;

	*site = (struct site){.args = args};
	if (!want_check(args, args->words, args->n_words, &err))
		return say_error(&err);
	return site_open(site, args, SITE_STORE_MAY | SITE_INVENTORY);
}

int cmd_plan(const struct args *args)
{
	struct plan *plan = NULL;
	struct want want = {0};
	struct site site;
	int result = open_for_plan(&site, args);

	if (result == EXIT_DONE)
		result = make_plan(&site, &want, &plan);
	if (result == EXIT_DONE) {
		show_plan(args, plan, site.inventory, want.request);
		if (plan->n_moves == 0 && plan->n_blocked > 0)
			result = EXIT_REFUSED;
		else if (args->detailed_exitcode && plan->n_moves > 0)
			result = EXIT_CHANGES;
	}
	plan_free(plan);
	want_clear(&want);
	site_close(&site);
	return result;
}

/* ---- preflight ---- */

static const char *const check_keys[] = {"guest", "source", "target", "ok", "error.code", "error.message", "error.hint", "warning.message", NULL};

static json_t *error_object(const struct error *error)
{
	if (error == NULL || error->code == ERR_NONE)
		return json_null();
	return json_pack("{s:s, s:s, s:s}", "code", error_code_name(error->code), "message", error->message, "hint", error->hint);
}

static json_t *check_object(const char *guest, const char *source, const char *target, const struct error *error,
	const struct error *warning)
{
	return json_pack("{s:s, s:s?, s:s?, s:b, s:o, s:o}", "guest", guest, "source", source, "target", target, "ok",
		(int)(error->code == ERR_NONE), "error", error_object(error), "warning", error_object(warning));
}

/* As a run would: the next network in the order, until one carries. The warning keeps what was wrong with the first. */
static bool ask_by_next_network(struct site *site, const struct planned_move *move, struct hv_request *request,
	struct hv_reply *reply, struct error *err)
{
	const struct inventory *inventory = site->inventory;
	uint32_t source = inventory->guests[move->guest].host;
	bool *excluded = xcalloc(inventory->n_networks + 1, sizeof *excluded);
	uint32_t network, source_link, target_link;
	struct error first = reply->error;
	bool is_good = true;

	while (is_good && reply->error.code == ERR_NETWORK_DOWN &&
		planner_network_but(inventory, source, move->target, excluded, &network, &source_link, &target_link, NULL) &&
		network != INDEX_NONE) {
		char *address = planner_address(inventory, move->target, target_link);

		excluded[network] = true;
		if (address != NULL && strcmp(address, request->target_address) != 0) {
			request->target_address = address;
			request->check_address = inventory->networks[network].is_checked;
			hv_reply_clear(reply);
			*reply = (struct hv_reply){0};
			is_good = loop_gather(world_loop(site->world), request, 1, PREFLIGHT_TIMEOUT_MS, reply, err);
			if (is_good && reply->error.code == ERR_NONE)
				error_set(&reply->preflight.warning, ERR_NETWORK_FALLBACK, "guest %s would go by network %s: %s", request->guest,
					inventory->networks[network].name, first.message);
			request->target_address = ""; /* it ends here */
		}
		free(address);
	}
	free(excluded);
	return is_good;
}

/* The last guest that leaves a move's target before it begins; NULL when the move waits for none, or for another reason. */
static const struct planned_move *room_maker(const struct plan *plan, const struct planned_move *move)
{
	const struct planned_move *last = NULL;
	size_t i;

	for (i = 0; i < plan->n_moves && move->after != INDEX_NONE; i++) {
		const struct planned_move *other = &plan->moves[i];

		if (other->source == move->target && other->target != move->target && other->start_ms + other->duration_ms <= move->start_ms + 1 &&
			(last == NULL || other->start_ms + other->duration_ms > last->start_ms + last->duration_ms))
			last = other;
	}
	return last;
}

/* Room that is not there now, and is made by a guest that the plan moves away before, is told of under the name of the wait. */
static void excuse_room_to_come(const struct site *site, const struct plan *plan, const struct planned_move *move, struct hv_reply *reply)
{
	enum error_code code = reply->error.code;
	const struct planned_move *before = code == ERR_TARGET_MEMORY || code == ERR_TARGET_POOL_SPACE ? room_maker(plan, move) : NULL;

	if (before == NULL)
		return;
	error_set(&reply->preflight.warning, code == ERR_TARGET_MEMORY ? ERR_WAIT_MEMORY : ERR_WAIT_POOL, "%s", reply->error.message);
	error_hint(&reply->preflight.warning, "it waits until guest %s has left %s", site->inventory->guests[before->guest].name,
		site->inventory->hosts[before->source].name);
	error_clear(&reply->error);
}

/* The real hosts are asked about each planned move; replies stay empty (no error) where there are none to ask. */
static bool ask_hosts(struct site *site, const struct want *want, const struct plan *plan, struct hv_reply *replies,
	struct error *err)
{
	struct hv_request *requests = xcalloc(plan->n_moves, sizeof *requests);
	char **addresses = xcalloc(plan->n_moves, sizeof *addresses);
	bool is_good;
	size_t i;

	for (i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];
		const struct wanted_move *wanted = move->wanted != INDEX_NONE && move->leg != LEG_FIRST ? &want->request->moves[move->wanted] : NULL;
		const struct request *request = move->leg != LEG_FIRST ? want->request : NULL;
		const struct guest *guest = &site->inventory->guests[move->guest];
		/* Of a second leg too the host is asked where the guest is now: may it run on the target at all? */
		uint32_t source = guest->host, network = INDEX_NONE, source_link = INDEX_NONE, target_link = INDEX_NONE;

		if (planner_network(site->inventory, source, move->target, &network, &source_link, &target_link, NULL))
			addresses[i] = planner_address(site->inventory, move->target, target_link);
		/* Of a guest that goes nowhere only its host is asked. */
		requests[i] = (struct hv_request){
			.kind = move->source == move->target ? HV_WHERE : HV_PREFLIGHT,
			.cold = move->method == METHOD_COLD,
			.target_address = addresses[i],
			.postcopy = site->config->engine.post_copy,
			.check_address = network == INDEX_NONE || site->inventory->networks[network].is_checked,
			.guest = guest->name,
			.uuid = guest->uuid,
			.host = site->inventory->hosts[source].name,
			.target = site->inventory->hosts[move->target].name,
			.nets = wanted != NULL && wanted->n_nets > 0 ? wanted->nets : request != NULL ? request->nets : NULL,
			.n_nets = wanted != NULL && wanted->n_nets > 0 ? wanted->n_nets : request != NULL ? request->n_nets : 0,
			.keep_backing = site->config->engine.keep_backing,
		};
		requests[i].pools = planner_pool_maps(wanted, request, &requests[i].n_pools);
	}
	is_good = loop_gather(world_loop(site->world), requests, plan->n_moves, PREFLIGHT_TIMEOUT_MS, replies, err);
	for (i = 0; i < plan->n_moves && is_good && site->config->engine.network_fallback; i++)
		if (replies[i].error.code == ERR_NETWORK_DOWN)
			is_good = ask_by_next_network(site, &plan->moves[i], &requests[i], &replies[i], err);
	for (i = 0; i < plan->n_moves && is_good; i++)
		excuse_room_to_come(site, plan, &plan->moves[i], &replies[i]);
	for (i = 0; i < plan->n_moves; i++) {
		free(addresses[i]);
		free((void *)(uintptr_t)requests[i].pools);
	}
	free(addresses);
	free(requests);
	return is_good;
}

static json_t *checks_of(const struct site *site, const struct plan *plan, const struct hv_reply *replies, size_t *ret_n_bad)
{
	json_t *checks = json_array();
	size_t i;

	*ret_n_bad = plan->n_blocked;
	for (i = 0; i < plan->n_moves; i++) {
		const struct planned_move *move = &plan->moves[i];

		*ret_n_bad += replies[i].error.code != ERR_NONE;
		json_array_append_new(checks, check_object(site->inventory->guests[move->guest].name,
			site->inventory->hosts[move->source].name, site->inventory->hosts[move->target].name, &replies[i].error,
			&replies[i].preflight.warning));
	}
	for (i = 0; i < plan->n_blocked; i++)
		json_array_append_new(checks, check_object(plan->blocked[i].name, NULL, NULL, &plan->blocked[i].error, NULL));
	return checks;
}

static const struct column checks_columns[] = {
	{"GUEST", COLUMN_TEXT},
	{"FROM", COLUMN_TEXT},
	{"TO", COLUMN_TEXT},
	{"RESULT", COLUMN_TEXT},
	{"WHY", COLUMN_LONG},
	{"HINT", COLUMN_LONG},
	{.title = NULL},
};

static void show_checks(const struct args *args, const json_t *checks, size_t n_bad)
{
	struct table *table = table_new(args, checks_columns);
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)checks, i, row) {
		const char *source = json_string_value(json_object_get(row, "source"));
		const char *target = json_string_value(json_object_get(row, "target"));
		const json_t *error = json_object_get(row, json_is_null(json_object_get(row, "error")) ? "warning" : "error");
		const char *code = json_string_value(json_object_get(error, "code"));

		table_cell(table, "%s", json_string_value(json_object_get(row, "guest")));
		table_cell(table, "%s", source != NULL ? source : "-");
		table_cell(table, "%s", target != NULL ? target : "-");
		table_cell(table, "%s", code != NULL ? code : "ok");
		table_cell(table, "%s", code != NULL ? json_string_value(json_object_get(error, "message")) : "");
		table_cell(table, "%s", code != NULL ? json_string_value(json_object_get(error, "hint")) : "");
	}
	table_end(table);
	printf("%s%zu of %zu can move.\n", json_array_size(checks) > 0 ? "\n" : "", json_array_size(checks) - n_bad,
		json_array_size(checks));
}

static int check_moves(const struct args *args)
{
	struct hv_reply *replies = NULL;
	struct plan *plan = NULL;
	struct want want = {0};
	struct site site;
	struct error err;
	size_t i, n_bad;
	json_t *document;
	int result = open_for_plan(&site, args);

	if (result == EXIT_DONE)
		result = make_plan(&site, &want, &plan);
	if (result == EXIT_DONE) {
		replies = xcalloc(plan->n_moves, sizeof *replies);
		if (site.world != NULL && !ask_hosts(&site, &want, plan, replies, &err)) {
			say_error(&err);
			result = EXIT_DETACHED;
		}
	}
	if (result == EXIT_DONE) {
		document = json_pack("{s:s, s:o}", "schema", "drover/preflight/1", "checks", checks_of(&site, plan, replies, &n_bad));
		if (output_is_table(args))
			show_checks(args, json_object_get(document, "checks"), n_bad);
		else
			output_document(args, document, "checks", check_keys);
		json_decref(document);
		result = n_bad > 0 ? EXIT_REFUSED : EXIT_DONE;
	}
	for (i = 0; replies != NULL && i < plan->n_moves; i++)
		hv_reply_clear(&replies[i]);
	free(replies);
	plan_free(plan);
	want_clear(&want);
	site_close(&site);
	return result;
}

int cmd_preflight(const struct args *args)
{
	struct error err;

	if (args->baseline)
		return cmd_baseline(args);
	if (args->n_words > 0)
		return check_moves(args);
	error_set(&err, ERR_USAGE, "preflight: too few arguments");
	error_hint(&err, "drover preflight drain HOST checks a drain, preflight --baseline proposes a CPU for all hosts");
	return say_error(&err);
}
