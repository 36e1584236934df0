/* Opens what a command needs, in the order that fails earliest: configuration, state file, hosts. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "facts.h"
#include "say.h"
#include "site.h"
#include "store_sqlite.h"
#include "xalloc.h"

static int open_config(struct site *site)
{
	struct problems problems = {0};
	int result;

	site->config = config_load(site->args->config, &problems);
	result = site->config == NULL ? say_problems(&problems) : EXIT_DONE;
	problems_clear(&problems);
	if (site->config == NULL)
		return result;
	site->state = xstrdup(site->args->state != NULL ? site->args->state : site->config->state);
	site->socket = xprintf("%s.sock", site->state);
	return EXIT_DONE;
}

static int open_store(struct site *site, unsigned wants)
{
	struct error err;
	bool is_open;

	if ((wants & SITE_STORE) != 0)
		is_open = store_sqlite_open(site->state, &site->store, &err);
	else if ((wants & SITE_STORE_READ) != 0)
		is_open = store_sqlite_open_readonly(site->state, &site->store, &err);
	else if ((wants & SITE_STORE_MAY) != 0 && site->args->inventory == NULL && access(site->state, F_OK) == 0)
		is_open = store_sqlite_open_readonly(site->state, &site->store, &err);
	else
		return EXIT_DONE;
	if (is_open && site->store->load(site->store, &site->image, &err))
		return EXIT_DONE;
	if ((wants & (SITE_STORE | SITE_STORE_READ)) != 0)
		return say_error(&err);
	say_warning("cordons and learned rates are not known: %s", err.message);
	return EXIT_DONE;
}

static void set_cordons(struct site *site)
{
	size_t i;

	for (i = 0; site->image != NULL && i < site->image->n_hosts; i++) {
		uint32_t host = inventory_host(site->inventory, site->image->hosts[i].name);

		if (host != INDEX_NONE)
			site->inventory->hosts[host].cordoned = site->image->hosts[i].cordoned;
	}
}

/* Their guests are not in the inventory, which explains much of what follows. */
static void say_unreachable(const struct site *site)
{
	size_t i;

	for (i = 0; i < site->inventory->n_hosts; i++)
		if (!site->inventory->hosts[i].reachable)
			say_warning("%s", site->inventory->hosts[i].down.message);
}

static int open_inventory(struct site *site)
{
	struct error err;
	const char **known;
	size_t n_known;

	if (site->args->inventory != NULL) {
		site->inventory = inventory_read(site->args->inventory, &err);
		return site->inventory != NULL ? EXIT_DONE : say_error(&err);
	}
	site->world = world_open(site->config, site->state, &err);
	if (site->world == NULL)
		return say_error(&err);
	/* Who says yes beforehand reads no plan, and the run measures for itself. */
	known = facts_recent(site, &n_known);
	site->inventory = world_probe(site->world, site->config,
		site->args->measure ? PROBE_MEASURE_SETS : site->args->yes ? PROBE_MEASURE_NOTHING : PROBE_MEASURE_RATES, known,
		site->args->measure ? 0 : n_known, &err);
	free(known);
	if (site->inventory == NULL) {
		say_error(&err);
		return loop_is_stopped(world_loop(site->world)) ? (int)EXIT_DETACHED : (int)error_exit_code(err.code);
	}
	if (!inventory_seal(site->inventory, &err))
		return say_error(&err);
	facts_fill(site);
	set_cordons(site);
	say_unreachable(site);
	return EXIT_DONE;
}

int site_open(struct site *site, const struct args *args, unsigned wants)
{
	int result;

	*site = (struct site){.args = args};
	result = open_config(site);
	if (result == EXIT_DONE)
		result = open_store(site, wants);
	if (result == EXIT_DONE && (wants & SITE_INVENTORY) != 0)
		result = open_inventory(site);
	/* A command that holds the state file for itself runs moves, whose engine keeps what it measures. */
	if (result == EXIT_DONE && site->world != NULL && (wants & SITE_INVENTORY) != 0 && (wants & SITE_STORE) == 0)
		facts_keep(site);
	return result;
}

void site_close(struct site *site)
{
	world_free(site->world);
	inventory_free(site->inventory);
	store_image_free(site->image);
	if (site->store != NULL)
		site->store->close(site->store);
	config_free(site->config);
	free(site->state);
	free(site->socket);
}

struct engine_options site_engine_options(const struct site *site)
{
	struct engine_options options = site->config->engine;

	options.plan.search_evaluations = PLAN_SEARCH_AUTO;

	if (site->image != NULL) {
		options.plan.paths = site->image->paths;
		options.plan.n_paths = site->image->n_paths;
		options.plan.lessons = site->image->lessons;
		options.plan.n_lessons = site->image->n_lessons;
	}
	return options;
}

static const char *host_name(const void *list, size_t i)
{
	const struct inventory *inventory = list;

	return i < inventory->n_hosts ? inventory->hosts[i].name : NULL;
}

static void suggest_host(const struct site *site, const char *name, struct error *err)
{
	const char *near = suggest(name, host_name, site->inventory);

	if (near != NULL)
		error_hint(err, "did you mean %s? drover inventory lists the hosts", near);
}

uint32_t site_host(const struct site *site, const char *name, struct error *err)
{
	uint32_t host = inventory_host(site->inventory, name);

	if (host != INDEX_NONE)
		return host;
	error_set(err, ERR_UNKNOWN_HOST, "no host is named %s", name);
	suggest_host(site, name, err);
	return INDEX_NONE;
}

static const char *guest_name(const void *list, size_t i)
{
	const struct inventory *inventory = list;

	return i < inventory->n_guests ? inventory->guests[i].name : NULL;
}

void site_suggest_guest(const struct site *site, const char *name, struct error *err)
{
	const char *near = err->code == ERR_UNKNOWN_GUEST ? suggest(name, guest_name, site->inventory) : NULL;

	if (near != NULL)
		error_hint(err, "did you mean %s? drover inventory lists the guests", near);
}

void site_suggest(const struct site *site, const struct request *request, struct error *err)
{
	size_t i;

	for (i = 0; i < request->n_moves; i++) {
		const struct wanted_move *move = &request->moves[i];

		if (err->code == ERR_UNKNOWN_GUEST && inventory_guest(site->inventory, move->guest, NULL) == INDEX_NONE) {
			site_suggest_guest(site, move->guest, err);
			return;
		}
		if (err->code == ERR_UNKNOWN_HOST && move->to != NULL && inventory_host(site->inventory, move->to) == INDEX_NONE) {
			suggest_host(site, move->to, err);
			return;
		}
	}
}

const char *site_who(void)
{
	static char who[64];
	const struct passwd *user = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");

	if (sudo != NULL && sudo[0] != '\0')
		snprintf(who, sizeof who, "%s (sudo)", sudo);
	else
		snprintf(who, sizeof who, "%s", user != NULL ? user->pw_name : "?");
	return who;
}
