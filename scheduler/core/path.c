/* By which network a move goes: the first in the configured order that both hosts have and that carries. And whether it
 * really does: the target listens at its address in that network and nowhere else, and a source that can show its
 * connections is asked, while bytes flow, from which of its own addresses they leave.
 *
 * A network that does not carry between two hosts is remembered for a while, so that not every move has to find it
 * out; the next one in the order is used only when the configuration allows it, and never in silence.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "network.h"
#include "xalloc.h"

enum {
	DOWN_MS = 300000,      /* then the preferred network is tried again: a refused preflight costs seconds */
	LOOK_AGAIN_MS = 1000,  /* at most: the first looks follow each other closely, for a short move has no time to lose */
	LOOK_AGAIN_FIRST_MS = 100,
	LOOKS_MAX = 10,        /* a command that shows nothing by then shows nothing */
};

static bool is_down(const struct engine *engine, uint32_t source, uint32_t target, uint32_t network)
{
	size_t i;

	for (i = 0; i < engine->n_down_paths; i++) {
		const struct down_path *path = &engine->down_paths[i];

		if (path->source == source && path->target == target && path->network == network)
			return path->until_ms > engine->now_ms;
	}
	return false;
}

static void mark_down(struct engine *engine, uint32_t source, uint32_t target, uint32_t network)
{
	size_t i, kept = 0;

	for (i = 0; i < engine->n_down_paths; i++) {
		const struct down_path *path = &engine->down_paths[i];
		bool is_same = path->source == source && path->target == target && path->network == network;

		if (!is_same && path->until_ms > engine->now_ms)
			engine->down_paths[kept++] = *path;
	}
	engine->n_down_paths = kept;
	engine->down_paths = xgrow(engine->down_paths, engine->n_down_paths, sizeof *engine->down_paths);
	engine->down_paths[engine->n_down_paths++] = (struct down_path){source, target, network, engine->now_ms + DOWN_MS};
}

/* What is under way goes where it goes; only before is there a choice. */
static bool is_excluded(const struct engine *engine, const struct move *move, uint32_t network)
{
	const char *name = engine->inventory->networks[network].name;

	if (move_state_is_started(move->record.state) && move->record.network != NULL)
		return strcmp(move->record.network, name) != 0;
	return is_down(engine, move->source, move->target, network);
}

bool path_choose(const struct engine *engine, const struct move *move, uint32_t *ret_network, uint32_t *ret_source_link,
	uint32_t *ret_target_link)
{
	const struct inventory *inventory = engine->inventory;
	bool *excluded = xcalloc(inventory->n_networks + 1, sizeof *excluded);
	bool is_chosen;
	uint32_t i;

	for (i = 0; i < inventory->n_networks; i++)
		excluded[i] = is_excluded(engine, move, i);
	is_chosen = planner_network_but(inventory, move->source, move->target, excluded, ret_network, ret_source_link,
		ret_target_link, NULL);
	free(excluded);
	/* None carries: the preferred one is as good to try as any. */
	return is_chosen || planner_network(inventory, move->source, move->target, ret_network, ret_source_link, ret_target_link, NULL);
}

static void warn(struct engine *engine, struct move *move)
{
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "warning %s: %s",
		error_code_name(move->record.warning.code), move->record.warning.message);
	move_touch(engine, move);
}

void path_begin(struct engine *engine, struct move *move)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t preferred = INDEX_NONE, source_link, target_link;
	uint32_t link = (move->links[1] - engine->loads[move->target].first_link) / 2;

	free(move->record.path_source);
	free(move->record.path_target);
	move->record.path_source = NULL;
	move->record.path_target = planner_address(inventory, move->target, link);
	error_clear(&move->record.warning);
	if (move->network == INDEX_NONE ||
		!planner_network(inventory, move->source, move->target, &preferred, &source_link, &target_link, NULL) ||
		preferred == move->network)
		return;
	error_set(&move->record.warning, ERR_NETWORK_FALLBACK, "guest %s goes by network %s: network %s does not carry from %s to %s",
		move->record.guest, inventory->networks[move->network].name, inventory->networks[preferred].name, move->record.source,
		move->record.target);
	warn(engine, move);
}

bool path_falls_back(struct engine *engine, struct move *move, const struct error *why)
{
	const struct inventory *inventory = engine->inventory;
	uint32_t refused = move->network;

	if (why->code != ERR_NETWORK_DOWN || refused == INDEX_NONE || !engine->options.network_fallback)
		return false;
	mark_down(engine, move->source, move->target, refused);
	links_of_move(engine, move);
	if (is_down(engine, move->source, move->target, move->network))
		return false;
	engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s: network %s does not carry from %s to %s, %s is next",
		move->record.guest, inventory->networks[refused].name, move->record.source, move->record.target,
		inventory->networks[move->network].name);
	return true;
}

void path_watch(struct engine *engine, struct move *move)
{
	bool is_copying = move->record.state == MOVE_COPYING_DISKS || move->record.state == MOVE_COPYING_MEMORY;
	struct hv_request *request;

	if (!is_copying || move->progress_bytes == 0 || move->record.path_target == NULL || move->pending[HV_PATH] != 0 ||
		engine->now_ms < move->next_path_ms || move->source == INDEX_NONE || !engine->inventory->hosts[move->source].shows_paths)
		return;
	request = move_request(engine, move, HV_PATH, SIDE_SOURCE);
	request->target_address = move->record.path_target;
}

static void not_seen(struct engine *engine, struct move *move, const struct error *why)
{
	int64_t again_ms = (int64_t)LOOK_AGAIN_FIRST_MS << move->path_looks;

	move->next_path_ms = engine->now_ms + (again_ms < LOOK_AGAIN_MS ? again_ms : LOOK_AGAIN_MS);
	if (++move->path_looks < LOOKS_MAX)
		return;
	move->next_path_ms = TIME_NEVER;
	if (move->record.warning.code != ERR_NONE)
		return;
	error_set(&move->record.warning, ERR_PATH_UNPROVEN, "guest %s: %s shows no connection to %s after %d looks%s%s", move->record.guest,
		move->record.source, move->record.path_target, LOOKS_MAX, why->code != ERR_NONE ? ": " : "", why->message);
	warn(engine, move);
}

static void judge(struct engine *engine, struct move *move, const struct hv_path *path)
{
	const struct migration_network *network = move->network != INDEX_NONE ? &engine->inventory->networks[move->network] : NULL;
	struct cidr address, cidr;

	if (network == NULL || (cidr_parse(path->source_address, &address) && cidr_parse(network->cidr, &cidr) &&
		cidr_contains(cidr, address.address))) {
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s: %llu bytes have gone from %s to %s%s%s", move->record.guest,
			(unsigned long long)path->bytes, path->source_address, move->record.path_target, network != NULL ? ", by network " : "",
			network != NULL ? network->name : "");
		return;
	}
	error_set(&move->record.warning, ERR_WRONG_PATH, "guest %s leaves %s from %s, which is not in network %s (%s): %llu bytes have gone to %s "
		"by another way", move->record.guest, move->record.source, path->source_address, network->name, network->cidr,
		(unsigned long long)path->bytes, move->record.path_target);
	error_hint(&move->record.warning, "on %s: ip route get %s", move->record.source, move->record.path_target);
	warn(engine, move);
}

void path_reply(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	enum move_state state = move->record.state;
	/* An answer that comes after the copy is still of it, until the attempt has failed. */
	bool is_of_this_copy = move_state_is_on_wire(state) || state == MOVE_VERIFYING || state == MOVE_CLEANUP;

	if (!is_of_this_copy || move->is_undoing || move->record.path_target == NULL)
		return;
	if (reply->error.code != ERR_NONE || reply->path.source_address[0] == '\0') {
		not_seen(engine, move, &reply->error);
		return;
	}
	move->next_path_ms = TIME_NEVER;
	free(move->record.path_source);
	move->record.path_source = xstrdup(reply->path.source_address);
	move_touch(engine, move);
	judge(engine, move, &reply->path);
}

void path_end(struct engine *engine, struct move *move)
{
	struct move_record *record = &move->record;

	if (record->path_source != NULL || record->path_target == NULL || record->warning.code != ERR_NONE || move->source == INDEX_NONE ||
		!engine->inventory->hosts[move->source].shows_paths)
		return;
	error_set(&record->warning, ERR_PATH_UNPROVEN, "guest %s: the move was over before %s had shown a connection to %s", record->guest,
		record->source, record->path_target);
	warn(engine, move);
}
