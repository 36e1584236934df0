/* Requests from the command line, the state file and batch files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"
#include "want.h"
#include "xalloc.h"

static const char *const kinds[] = {"drain", "move", "batch", "return", "undo", "rebalance", NULL};

static const char *kind_at(const void *list, size_t i)
{
	(void)list;
	return kinds[i];
}

bool want_check(const struct args *args, const char *const *words, size_t n_words, struct error *err)
{
	const char *kind = words[0], *near;
	uint64_t batch;
	size_t i;

	for (i = 0; kinds[i] != NULL && strcmp(kinds[i], kind) != 0; i++)
		continue;
	if (kinds[i] == NULL) {
		near = suggest(kind, kind_at, NULL);
		error_set(err, ERR_USAGE, "%s is nothing that can be planned", kind);
		error_hint(err, near != NULL ? "did you mean %s?" : "drain HOST..., move VM... --to HOST, batch FILE, return HOST, undo BATCH or rebalance%.0s",
			near != NULL ? near : "");
		return false;
	}
	for (i = 0; i < n_words; i++)
		if (words[i][0] == '\0')
			return error_set(err, ERR_USAGE, "%s: argument %zu is empty", kind, i);
	if (args->to != NULL && args->to[0] == '\0')
		return error_set(err, ERR_USAGE, "%s: --to is empty", kind);
	if (strcmp(kind, "rebalance") == 0 ? n_words != 1 : n_words < 2)
		return error_set(err, ERR_USAGE, "%s: too %s arguments", kind, n_words < 2 ? "few" : "many");
	if ((strcmp(kind, "batch") == 0 || strcmp(kind, "return") == 0 || strcmp(kind, "undo") == 0) && n_words > 2)
		return error_set(err, ERR_USAGE, "%s: too many arguments", kind);
	if (strcmp(kind, "undo") == 0 && !args_batch(words[1], &batch, err))
		return false;
	if (strcmp(kind, "move") == 0 && args->to == NULL) {
		error_set(err, ERR_USAGE, "move: where to?");
		error_hint(err, "drover move VM... --to HOST");
		return false;
	}
	if (strcmp(kind, "move") != 0 && args->to != NULL) {
		error_set(err, ERR_USAGE, "%s takes no --to", kind);
		error_hint(err, "drover chooses the targets; cordon a host to keep it out");
		return false;
	}
	return true;
}

static char *title_of(const char *const *words, size_t n_words, const char *to)
{
	char *title = xstrdup(words[0]), *longer;
	size_t i;

	for (i = 1; i < n_words; i++) {
		longer = xprintf("%s %s", title, words[i]);
		free(title);
		title = longer;
	}
	if (to != NULL) {
		longer = xprintf("%s --to %s", title, to);
		free(title);
		title = longer;
	}
	return title;
}

/* A file, or the name of a [batch NAME] of the configuration. */
static int read_batch(struct want *want, struct site *site, const char *name)
{
	struct problems problems = {0};
	size_t i;
	int result;

	for (i = 0; i < site->config->n_batches && access(name, F_OK) != 0; i++) {
		if (strcmp(site->config->batches[i].name, name) != 0)
			continue;
		want->request = request_copy(site->config->batches[i].request);
		return EXIT_DONE;
	}
	want->request = batch_read(name, &problems);
	result = want->request == NULL ? say_problems(&problems) : EXIT_DONE;
	problems_clear(&problems);
	return result;
}

static bool list_has(const char *list, const char *name)
{
	size_t n = strlen(name);
	const char *at;

	for (at = list; at != NULL; at = strchr(at, ',') != NULL ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

/* Nobody knows what runs on a host that does not answer: it can be neither emptied nor filled. */
static uint32_t answering_host(const struct site *site, const char *name, struct error *err)
{
	uint32_t host = site_host(site, name, err);

	if (host == INDEX_NONE || site->inventory->hosts[host].reachable)
		return host;
	if (site->inventory->hosts[host].down.code != ERR_NONE)
		*err = site->inventory->hosts[host].down;
	else
		error_set(err, ERR_HOST_UNREACHABLE, "host %s does not answer", name);
	return INDEX_NONE;
}

static const char *identity(const struct move_record *move)
{
	return move->uuid[0] != '\0' ? move->uuid : move->guest;
}

static bool is_wanted_already(const struct request *request, const char *guest)
{
	size_t i;

	for (i = 0; i < request->n_moves; i++)
		if (strcmp(request->moves[i].guest, guest) == 0)
			return true;
	return false;
}

/* What this batch moved away from the host, as far as it is not back already. */
static void return_batch(struct want *want, const struct site *site, uint64_t batch, const char *host)
{
	uint32_t at = inventory_host(site->inventory, host);
	size_t i;

	for (i = 0; i < site->image->n_moves; i++) {
		const struct move_record *move = &site->image->moves[i];
		uint32_t guest;
		struct wanted_move *wanted;

		if (move->batch != batch || move->state != MOVE_DONE || strcmp(move->source, host) != 0 || move->method == METHOD_START ||
			is_wanted_already(want->request, identity(move)))
			continue;
		guest = inventory_guest(site->inventory, identity(move), NULL);
		if (guest == INDEX_NONE) {
			say_warning("guest %s is on no host any more and is not brought back", move->guest);
		} else if (move->method == METHOD_SHUTDOWN) {
			if (site->inventory->guests[guest].host != at || site->inventory->guests[guest].state != GUEST_SHUTOFF)
				continue;
			wanted = request_add_move(want->request, identity(move));
			wanted->to = xstrdup(host);
			wanted->is_start = true;
		} else if (site->inventory->guests[guest].host != at) {
			wanted = request_add_move(want->request, identity(move));
			wanted->to = xstrdup(host);
		}
	}
}

/* Every drain of the host since it was last returned. */
static int read_return(struct want *want, struct site *site, const char *host)
{
	size_t i, first = 0, drains = 0;
	struct error err;
	uint32_t at = answering_host(site, host, &err);

	if (at == INDEX_NONE)
		return say_error(&err);
	want->request = request_new(REQUEST_RETURN);
	strings_add(&want->request->hosts, &want->request->n_hosts, host);
	for (i = 0; site->image != NULL && i < site->image->n_batches; i++) {
		const struct batch_record *batch = &site->image->batches[i];

		if (batch->kind == REQUEST_RETURN && batch->state == BATCH_DONE && list_has(batch->hosts, host))
			first = i + 1;
	}
	for (i = first; site->image != NULL && i < site->image->n_batches; i++) {
		const struct batch_record *batch = &site->image->batches[i];

		if (batch->kind == REQUEST_DRAIN && list_has(batch->hosts, host)) {
			return_batch(want, site, batch->id, host);
			drains++;
		}
	}
	if (drains == 0 && !site->inventory->hosts[at].cordoned) {
		error_set(&err, ERR_REFUSED, "host %s was not drained, there is nothing to bring back", host);
		return say_error(&err);
	}
	/* The batch lifts the cordon as it starts; the plan has to see the host as it is then. */
	site->inventory->hosts[at].cordoned = false;
	return EXIT_DONE;
}

/* A drain is undone like a return: its hosts take guests again. True when one of them is cordoned now. */
static bool begin_undo(struct want *want, struct site *site, const struct batch_record *batch)
{
	bool is_lifted = false;
	size_t i;

	want->request = request_new(batch->kind == REQUEST_DRAIN ? REQUEST_RETURN : REQUEST_MOVE);
	for (i = 0; batch->kind == REQUEST_DRAIN && i < site->inventory->n_hosts; i++) {
		if (batch->hosts == NULL || !list_has(batch->hosts, site->inventory->hosts[i].name))
			continue;
		strings_add(&want->request->hosts, &want->request->n_hosts, site->inventory->hosts[i].name);
		is_lifted |= site->inventory->hosts[i].cordoned;
		site->inventory->hosts[i].cordoned = false;
	}
	return is_lifted;
}

/* The last that was done of what a move began: with two legs the second, when it has ended well too. */
static const struct move_record *last_leg(const struct store_image *image, const struct move_record *move)
{
	size_t i;

	for (i = 0; i < image->n_moves && move->leg == LEG_FIRST; i++) {
		const struct move_record *other = &image->moves[i];

		if (other->batch == move->batch && other->leg == LEG_SECOND && other->state == MOVE_DONE && strcmp(identity(other), identity(move)) == 0)
			return other;
	}
	return move;
}

/* From where it is now, in one move: the way by which it came is not gone back. */
static void undo_move(struct want *want, const struct site *site, const struct move_record *move)
{
	uint32_t guest = inventory_guest(site->inventory, identity(move), NULL);
	const char *where = guest != INDEX_NONE ? site->inventory->hosts[site->inventory->guests[guest].host].name : NULL;
	const char *target = last_leg(site->image, move)->target;
	struct wanted_move *wanted;

	if (where != NULL && strcmp(where, move->source) == 0)
		return;
	if (where == NULL || strcmp(where, target) != 0) {
		say_note("Guest %s stays: it is %s%s, and the batch had moved it to %s.", move->guest,
			where != NULL ? "on " : "on no host any more", where != NULL ? where : "", target);
		return;
	}
	wanted = request_add_move(want->request, identity(move));
	wanted->from = xstrdup(target);
	wanted->to = xstrdup(move->source);
}

static int read_undo(struct want *want, struct site *site, const char *word)
{
	const struct batch_record *batch = NULL;
	struct error err;
	bool is_lifted;
	uint64_t id;
	size_t i;

	if (!args_batch(word, &id, &err))
		return say_error(&err);
	for (i = 0; site->image != NULL && i < site->image->n_batches; i++)
		if (site->image->batches[i].id == id)
			batch = &site->image->batches[i];
	if (batch == NULL) {
		error_set(&err, ERR_UNKNOWN_BATCH, "there is no batch %s", word);
		return say_error(&err);
	}
	if (!batch_state_is_end(batch->state)) {
		error_set(&err, ERR_REFUSED, "batch %s (%s) is %s, only what has ended can be undone", word, batch->title,
			batch_state_name(batch->state));
		error_hint(&err, "drover cancel %s ends it", word);
		return say_error(&err);
	}
	is_lifted = begin_undo(want, site, batch);
	for (i = 0; i < site->image->n_moves; i++)
		if (site->image->moves[i].batch == id && site->image->moves[i].state == MOVE_DONE && site->image->moves[i].leg != LEG_SECOND)
			undo_move(want, site, &site->image->moves[i]);
	/* With nothing to move and no cordon to lift, there is no batch to start either. */
	if (want->request->n_moves == 0 && !is_lifted)
		want->request->kind = REQUEST_MOVE;
	return EXIT_DONE;
}

static int read_hosts(struct want *want, const struct site *site, const char *const *words, size_t n_words)
{
	struct error err;
	size_t i;

	want->request = request_new(REQUEST_DRAIN);
	for (i = 0; i < n_words; i++) {
		if (answering_host(site, words[i], &err) == INDEX_NONE)
			return say_error(&err);
		strings_add(&want->request->hosts, &want->request->n_hosts, words[i]);
	}
	return EXIT_DONE;
}

static int read_moves(struct want *want, const struct site *site, const char *const *words, size_t n_words)
{
	struct error err;
	size_t i;

	want->request = request_new(REQUEST_MOVE);
	if (answering_host(site, site->args->to, &err) == INDEX_NONE)
		return say_error(&err);
	for (i = 0; i < n_words; i++)
		request_add_move(want->request, words[i])->to = xstrdup(site->args->to);
	return EXIT_DONE;
}

static bool add_map(struct request *request, const struct site *site, struct error *err)
{
	const struct config_map *map = NULL;
	size_t i;

	for (i = 0; i < site->config->n_maps; i++)
		if (strcmp(site->config->maps[i].name, site->args->map) == 0)
			map = &site->config->maps[i];
	if (map == NULL)
		return error_set(err, ERR_USAGE, "--map %s: the configuration has no [map %s]", site->args->map, site->args->map);
	for (i = 0; i < map->n_nets; i++)
		name_map_add(&request->nets, &request->n_nets, map->nets[i].from, map->nets[i].to);
	for (i = 0; i < map->n_pools; i++)
		name_map_add(&request->pools, &request->n_pools, map->pools[i].from, map->pools[i].to);
	return true;
}

static int add_options(struct want *want, const struct site *site)
{
	const struct args *args = site->args;
	struct error err;

	if (args->reason != NULL) {
		free(want->request->reason);
		want->request->reason = xstrdup(args->reason);
	}
	want->request->cannot_move = site->config->cannot_move;
	if (args->cannot_move != NULL) {
		want->request->cannot_move = cannot_move_by_name(args->cannot_move);
		if (want->request->cannot_move == CANNOT_MOVE_UNSAID) {
			error_set(&err, ERR_USAGE, "--cannot-move %s: must be leave, shutdown or cold", args->cannot_move);
			return say_error(&err);
		}
	}
	if (args->to_pool != NULL) {
		free(want->request->to_pool);
		want->request->to_pool = xstrdup(args->to_pool);
	}
	if (args->map != NULL && !add_map(want->request, site, &err))
		return say_error(&err);
	return EXIT_DONE;
}

int want_read(struct want *want, struct site *site, const char *const *words, size_t n_words)
{
	struct error err;
	int result = EXIT_DONE;

	*want = (struct want){0};
	if (!want_check(site->args, words, n_words, &err))
		return say_error(&err);
	want->title = title_of(words, n_words, site->args->to);
	if (strcmp(words[0], "drain") == 0)
		result = read_hosts(want, site, words + 1, n_words - 1);
	else if (strcmp(words[0], "move") == 0)
		result = read_moves(want, site, words + 1, n_words - 1);
	else if (strcmp(words[0], "batch") == 0)
		result = read_batch(want, site, words[1]);
	else if (strcmp(words[0], "return") == 0)
		result = read_return(want, site, words[1]);
	else if (strcmp(words[0], "undo") == 0)
		result = read_undo(want, site, words[1]);
	else
		want->request = request_new(REQUEST_REBALANCE);
	return result == EXIT_DONE ? add_options(want, site) : result;
}

int want_plan(const struct want *want, const struct site *site, struct plan **ret_plan)
{
	struct engine_options engine_options = site_engine_options(site);
	struct error err;

	if (planner_plan(site->inventory, want->request, &engine_options.plan, ret_plan, &err))
		return EXIT_DONE;
	site_suggest(site, want->request, &err);
	return say_error(&err);
}

void want_clear(struct want *want)
{
	request_free(want->request);
	free(want->title);
}
