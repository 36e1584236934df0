/* doctor: gathers what is known of the hosts, has it examined, prints what was found. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "doctor_gather.h"
#include "network.h"
#include "output.h"
#include "say.h"
#include "site.h"
#include "xalloc.h"

enum {
	EXAMINE_TIMEOUT_MS = 120000, /* a source tries its targets two at a time, and each that is silent takes half a minute */
	DOCTOR_HOSTS_MAX = 128,      /* in one check-up: every pair of them is looked at */
};

/* ---- gathering ---- */

static const struct config_host *configured(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_hosts; i++)
		if (strcmp(config->hosts[i].name, name) == 0)
			return &config->hosts[i];
	return NULL;
}

static int open_hosts(struct site *site)
{
	struct error err;

	site->world = world_open(site->config, site->state, &err);
	if (site->world == NULL)
		return say_error(&err);
	site->inventory = world_probe(site->world, site->config, PROBE_MEASURE_NOTHING, NULL, 0, &err);
	if (site->inventory == NULL)
		return loop_is_stopped(world_loop(site->world)) ? (int)EXIT_DETACHED : say_error(&err);
	return inventory_seal(site->inventory, &err) ? EXIT_DONE : say_error(&err);
}

static int read_words(const struct site *site, struct doctor_facts *facts)
{
	size_t n = site->inventory->n_hosts, i;
	struct error err;

	if (site->args->n_words == 0 && n > DOCTOR_HOSTS_MAX) {
		error_set(&err, ERR_LIMIT, "%zu hosts; all pairs of up to %d are looked at", n, DOCTOR_HOSTS_MAX);
		error_hint(&err, "name one host or two");
		return say_error(&err);
	}
	if (site->args->n_words == 0)
		return EXIT_DONE;
	facts->is_asked = xcalloc(n, sizeof *facts->is_asked);
	for (i = 0; i < site->args->n_words; i++) {
		uint32_t host = site_host(site, site->args->words[i], &err);

		if (host == INDEX_NONE)
			return say_error(&err);
		facts->is_asked[host] = true;
	}
	return EXIT_DONE;
}

static void fill_configured(const struct site *site, struct doctor_facts *facts, const char **shells)
{
	size_t i;

	facts->workers_per_host = site->config->engine.workers_per_host;
	facts->is_simulated = world_is_simulated(site->world);
	facts->is_direct = site->config->credentials == CREDENTIALS_CALLER;
	facts->allows_mixed = site->config->mixed_authentication;
	facts->allows_post_copy = site->config->engine.post_copy;
	for (i = 0; i < site->inventory->n_hosts; i++) {
		const struct config_host *from = configured(site->config, site->inventory->hosts[i].name);
		struct host_facts *to = &facts->hosts[i];

		to->uri = xstrdup(from->uri);
		to->peer_uri = xstrdup(from->peer_uri != NULL ? from->peer_uri : from->uri);
		if (facts->is_simulated) {
			to->shell_unknown = xstrdup("the host is simulated");
			continue;
		}
		gather_uri(to->uri, from->insecure, &to->control);
		gather_uri(to->peer_uri, from->insecure, &to->peer);
		/* What runs here needs nobody to lead to it. */
		shells[i] = from->shell != NULL ? from->shell : to->control.host == NULL ? "" : NULL;
	}
}

static void take_host(struct host_facts *host, struct hv_reply *reply)
{
	host->libvirt_error = reply->error;
	host->libvirt = reply->facts;
	reply->facts = NULL;
}

static void take_pair(struct pair_facts *pair, struct hv_reply *reply)
{
	pair->libvirt_error = reply->error;
	pair->libvirt = reply->pair_facts;
	reply->pair_facts = NULL;
}

/* One request for each host that answers, and for each wanted pair of such; target_address is to be freed. */
static size_t make_requests(const struct site *site, const struct doctor_facts *facts, struct hv_request *requests)
{
	const struct inventory *inventory = site->inventory;
	struct doctor_path path;
	uint32_t i, k;
	size_t n = 0;

	for (i = 0; i < inventory->n_hosts; i++)
		if (inventory->hosts[i].reachable)
			requests[n++] = (struct hv_request){.kind = HV_EXAMINE, .guest = "", .uuid = "", .host = inventory->hosts[i].name};
	for (i = 0; i < inventory->n_hosts; i++)
		for (k = 0; k < inventory->n_hosts; k++)
			if (doctor_wants_pair(facts, i, k) && inventory->hosts[i].reachable && inventory->hosts[k].reachable) {
				if (!doctor_path(inventory, i, k, &path, NULL))
					path = (struct doctor_path){0};
				requests[n++] = (struct hv_request){.kind = HV_EXAMINE_PAIR, .guest = "", .uuid = "", .host = inventory->hosts[i].name,
					.target = inventory->hosts[k].name, .target_address = xstrdup(path.target_address)};
				doctor_path_clear(&path);
			}
	return n;
}

static int ask_libvirt(const struct site *site, struct doctor_facts *facts)
{
	size_t hosts = site->inventory->n_hosts, n, i;
	struct hv_request *requests = xcalloc(hosts + hosts * hosts + 1, sizeof *requests);
	struct hv_reply *replies;
	struct error err;
	bool is_done;

	n = make_requests(site, facts, requests);
	replies = xcalloc(n + 1, sizeof *replies);
	is_done = n == 0 || loop_gather(world_loop(site->world), requests, n, EXAMINE_TIMEOUT_MS, replies, &err);
	for (i = 0; i < n; i++) {
		uint32_t host = inventory_host(site->inventory, requests[i].host);

		if (requests[i].kind == HV_EXAMINE)
			take_host(&facts->hosts[host], &replies[i]);
		else
			take_pair(&facts->pairs[host * hosts + inventory_host(site->inventory, requests[i].target)], &replies[i]);
		hv_reply_clear(&replies[i]);
		free((void *)(uintptr_t)requests[i].target_address);
	}
	free(requests);
	free(replies);
	return is_done ? EXIT_DONE : say_error(&err);
}

static int gather(const struct site *site, struct doctor_facts *facts)
{
	const char **shells = xcalloc(site->inventory->n_hosts + 1, sizeof *shells);
	int result = read_words(site, facts);

	if (result == EXIT_DONE) {
		fill_configured(site, facts, shells);
		gather_here(site->state, &facts->here);
		if (!facts->is_simulated) {
			gather_hosts(facts, shells);
			gather_pairs(facts, shells);
		}
		result = ask_libvirt(site, facts);
	}
	free(shells);
	return result;
}

/* ---- printing ---- */

static const char *const finding_keys[] = {"check", "result", "object", "found", "expected", "hint", NULL};

static const struct column hosts_columns[] = {
	{"HOST", COLUMN_TEXT},
	{"URI", COLUMN_TEXT},
	{"ADDRESSES IN ORDER", COLUMN_LONG},
	{.title = NULL},
};
static const struct column findings_columns[] = {
	{"RESULT", COLUMN_TEXT},
	{"CHECK", COLUMN_TEXT},
	{"OBJECT", COLUMN_TEXT},
	{"FOUND", COLUMN_LONG},
	{"SHOULD BE", COLUMN_LONG},
	{"WHAT TO DO", COLUMN_LONG},
	{.title = NULL},
};
static const struct column unknown_columns[] = {
	{"NOT CHECKED BECAUSE", COLUMN_TEXT},
	{"OF", COLUMN_TEXT},
	{"CHECKS", COLUMN_LONG},
	{.title = NULL},
};
static const struct column well_columns[] = {
	{"WELL", COLUMN_TEXT},
	{"OF", COLUMN_TEXT},
	{"WHICH MEANS", COLUMN_LONG},
	{.title = NULL},
};

static bool is_in(const struct migration_network *network, const struct inventory *inventory, uint32_t host, uint32_t link)
{
	uint32_t at = network_of_link(inventory, host, link);

	return at != INDEX_NONE && &inventory->networks[at] == network;
}

/* "migration 10.8.0.1, backup 10.9.0.1": as drover would try them. */
static char *ordered_addresses(const struct inventory *inventory, uint32_t host)
{
	const struct host *from = &inventory->hosts[host];
	char *text = xstrdup(""), *longer;
	size_t n = inventory->n_networks, i;
	uint32_t k;

	for (i = 0; i < n || (n == 0 && i == 0); i++)
		for (k = 0; k < from->n_links; k++) {
			if (n > 0 && !is_in(&inventory->networks[i], inventory, host, k))
				continue;
			longer = xprintf("%s%s%s%s%.*s", text, text[0] != '\0' ? ", " : "", n > 0 ? inventory->networks[i].name : "", n > 0 ? " " : "",
				(int)strcspn(from->links[k].address, "/"), from->links[k].address);
			free(text);
			text = longer;
		}
	if (text[0] != '\0')
		return text;
	free(text);
	return xstrdup(n > 0 ? "none in a migration network" : "as libvirt chooses");
}

static void show_hosts(const struct args *args, const struct doctor_facts *facts)
{
	struct table *table = table_new(args, hosts_columns);
	uint32_t i;

	for (i = 0; i < facts->inventory->n_hosts; i++) {
		char *addresses;

		if (!doctor_wants_host(facts, i))
			continue;
		addresses = ordered_addresses(facts->inventory, i);
		table_cell(table, "%s", facts->inventory->hosts[i].name);
		table_cell(table, "%s", facts->hosts[i].uri);
		table_cell(table, "%s", addresses);
		free(addresses);
	}
	table_end(table);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Alike but for their object: told in one row. What was not made for one reason is told in one row, whatever the check. */
static bool are_alike(const struct finding *a, const struct finding *b)
{
	if (a->level != b->level || !same_text(a->found, b->found))
		return false;
	return a->level == FINDING_NOT_CHECKED || (a->check == b->check && same_text(a->expected, b->expected));
}

struct list {
	char **texts;
	size_t n;
};

/* Takes text over. */
static void list_add(struct list *list, char *text)
{
	if (!is_among(list->texts, list->n, text))
		strings_add(&list->texts, &list->n, text);
	free(text);
}

static void list_clear(struct list *list)
{
	while (list->n > 0)
		free(list->texts[--list->n]);
	free(list->texts);
}

static void list_cell(struct table *table, const struct list *list, size_t shown_max)
{
	char *text = join_texts(list->texts, list->n, shown_max);

	table_cell(table, "%s", text);
	free(text);
}

/* Of the findings that are like this one. */
static void collect(const struct doctor_facts *facts, const struct doctor_report *report, const struct finding *like, struct list *objects,
	struct list *checks)
{
	size_t i;

	*objects = *checks = (struct list){0};
	for (i = 0; i < report->n_findings; i++) {
		const struct finding *finding = &report->findings[i];

		if (!are_alike(finding, like))
			continue;
		list_add(objects, finding_object(facts->inventory, finding));
		list_add(checks, xstrdup(check_info(finding->check)->name));
	}
}

static void show_finding(struct table *table, const struct finding *finding, const struct list *objects, const struct list *checks)
{
	enum { OBJECTS_SHOWN_MAX = 3 };

	if (finding->level == FINDING_NOT_CHECKED) {
		table_cell(table, "%s", finding->found);
		list_cell(table, objects, OBJECTS_SHOWN_MAX);
		list_cell(table, checks, SIZE_MAX);
		return;
	}
	if (finding->level >= FINDING_WARNING)
		table_cell(table, "%s", finding_level_name(finding->level));
	list_cell(table, checks, SIZE_MAX);
	list_cell(table, objects, OBJECTS_SHOWN_MAX);
	table_cell(table, "%s", finding->level == FINDING_OK ? check_info(finding->check)->title : finding->found);
	if (finding->level >= FINDING_WARNING) {
		table_cell(table, "%s", finding->expected);
		table_cell(table, "%s", finding->hint);
	}
}

static void show_level(struct table *table, const struct doctor_facts *facts, const struct doctor_report *report, enum finding_level level)
{
	struct list objects, checks;
	size_t i, k;

	for (i = 0; i < report->n_findings; i++) {
		if (report->findings[i].level != level)
			continue;
		for (k = 0; k < i && !are_alike(&report->findings[k], &report->findings[i]); k++)
			;
		if (k < i)
			continue; /* told with the first of its kind */
		collect(facts, report, &report->findings[i], &objects, &checks);
		show_finding(table, &report->findings[i], &objects, &checks);
		list_clear(&objects);
		list_clear(&checks);
	}
}

static void show_findings(const struct args *args, const struct doctor_facts *facts, const struct doctor_report *report)
{
	struct table *table;

	if (report->n_of[FINDING_ERROR] + report->n_of[FINDING_WARNING] > 0) {
		table = table_new(args, findings_columns);
		show_level(table, facts, report, FINDING_ERROR);
		show_level(table, facts, report, FINDING_WARNING);
		table_end(table);
		putchar('\n');
	}
	if (report->n_of[FINDING_NOT_CHECKED] > 0) {
		table = table_new(args, unknown_columns);
		show_level(table, facts, report, FINDING_NOT_CHECKED);
		table_end(table);
		putchar('\n');
	}
	if (args->output == OUTPUT_WIDE) {
		table = table_new(args, well_columns);
		show_level(table, facts, report, FINDING_OK);
		table_end(table);
		putchar('\n');
	}
}

static void show(const struct args *args, const struct doctor_facts *facts, const struct doctor_report *report, int64_t now_wall_ms)
{
	if (!output_is_table(args)) {
		output_text(args, doctor_json(facts, report, now_wall_ms), "findings", finding_keys);
		return;
	}
	show_hosts(args, facts);
	putchar('\n');
	show_findings(args, facts, report);
	printf("%zu well, %zu not checked, %zu warnings, %zu errors.\n", report->n_of[FINDING_OK], report->n_of[FINDING_NOT_CHECKED],
		report->n_of[FINDING_WARNING], report->n_of[FINDING_ERROR]);
}

int cmd_doctor(const struct args *args)
{
	struct doctor_report *report = NULL;
	struct doctor_facts *facts = NULL;
	struct site site;
	int result = site_open(&site, args, SITE_CONFIG);

	if (result == EXIT_DONE)
		result = open_hosts(&site);
	if (result == EXIT_DONE) {
		facts = doctor_facts_new(site.inventory);
		result = gather(&site, facts);
	}
	if (result == EXIT_DONE) {
		report = doctor_examine(facts);
		show(args, facts, report, loop_wall_ms(world_loop(site.world)));
		result = report->n_of[FINDING_ERROR] > 0 ? EXIT_REFUSED : EXIT_DONE;
	}
	doctor_report_free(report);
	doctor_facts_free(facts);
	site_close(&site);
	return result;
}
