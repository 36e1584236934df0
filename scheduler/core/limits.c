/* What the operator changes while moves run. A change holds from the next admission on: nothing under way is stopped for
 * it. It is kept in the store with the step that applies it, and the next life begins with it as long as
 * something is unfinished. Called by batch.c and restore.c.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

static bool knows_network(const struct inventory *inventory, const char *name)
{
	size_t i;

	for (i = 0; i < inventory->n_networks; i++)
		if (strcmp(inventory->networks[i].name, name) == 0)
			return true;
	return false;
}

static bool check(const struct engine *engine, const struct limit *limit, struct error *err)
{
	if (!limit_check(limit, err))
		return false;
	if (limit->host[0] != '\0' && inventory_host(engine->inventory, limit->host) == INDEX_NONE)
		return error_set(err, ERR_UNKNOWN_HOST, "no host is named %s", limit->host);
	if (limit->network[0] != '\0' && !knows_network(engine->inventory, limit->network))
		return error_set(err, ERR_INPUT, "no network is named %s", limit->network);
	return true;
}

/* The configured value that is changed. */
static uint32_t *count_of(struct engine *engine, const struct limit *limit)
{
	struct engine_options *options = &engine->options;
	struct host *host = limit->host[0] != '\0' ? &engine->inventory->hosts[inventory_host(engine->inventory, limit->host)] : NULL;

	switch (limit->kind) {
	case LIMIT_MAX_MIGRATIONS:
		return &options->max_migrations;
	case LIMIT_MAX_INCOMING:
		return host != NULL ? &host->max_incoming : &options->max_incoming;
	case LIMIT_MAX_OUTGOING:
		return host != NULL ? &host->max_outgoing : &options->max_outgoing;
	case LIMIT_MAX_INCOMING_STORAGE:
		return host != NULL ? &host->max_incoming_storage : &options->max_incoming_storage;
	case LIMIT_MAX_OUTGOING_STORAGE:
		return host != NULL ? &host->max_outgoing_storage : &options->max_outgoing_storage;
	case LIMIT_INCOMING:
	case LIMIT_OUTGOING:
	case LIMIT_RATE:
	case LIMIT_KIND_COUNT:
		break;
	}
	assert(false && "no count of moves");
	return NULL;
}

static void apply(struct engine *engine, const struct limit *limit)
{
	uint32_t host = inventory_host(engine->inventory, limit->host);

	switch (limit_info(limit->kind)->value) {
	case LIMIT_COUNT:
		*count_of(engine, limit) = (uint32_t)limit->value;
		break;
	case LIMIT_YES_NO:
		if (limit->kind == LIMIT_INCOMING)
			engine->inventory->hosts[host].incoming = limit->value != 0;
		else
			engine->inventory->hosts[host].outgoing = limit->value != 0;
		ledger_update_host(engine->ledger, host);
		break;
	case LIMIT_RATE_BYTES_PER_S:
		links_limit(engine);
		break;
	}
	engine->must_grant = engine->must_admit = true;
}

static void keep(struct engine *engine, const struct limit *limit)
{
	size_t i;

	for (i = 0; i < engine->n_limits && !limit_is_same(&engine->limits[i], limit); i++)
		;
	if (i == engine->n_limits) {
		engine->limits = xgrow(engine->limits, engine->n_limits, sizeof *engine->limits);
		engine->n_limits++;
	}
	engine->limits[i] = *limit;
}

static void audit(struct engine *engine, const struct limit *limit, const char *who)
{
	const struct limit_info *info = limit_info(limit->kind);
	char value[40] = "";

	if (info->value == LIMIT_YES_NO)
		snprintf(value, sizeof value, "%s", limit->value != 0 ? "yes" : "no");
	else if (limit->value == 0)
		snprintf(value, sizeof value, "%s", info->value == LIMIT_COUNT ? "auto" : "none");
	else if (info->value == LIMIT_COUNT)
		snprintf(value, sizeof value, "%" PRIu64, limit->value);
	else
		snprintf(value, sizeof value, "%.1f MB/s", (double)limit->value / 1e6);
	engine_audit(engine, NULL, NULL, "", "", "%s sets %s of %s to %s", who != NULL ? who : "operator", info->key,
		limit->host[0] != '\0' ? limit->host : limit->network[0] != '\0' ? limit->network : "all hosts", value);
}

bool limits_set(struct engine *engine, const struct limit *limits, size_t n, const char *who, struct error *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!check(engine, &limits[i], err))
			return false;
	for (i = 0; i < n; i++) {
		keep(engine, &limits[i]);
		apply(engine, &limits[i]);
		engine_add_extra(engine, STORE_PUT_LIMIT)->limit = limits[i];
		audit(engine, &limits[i], who);
	}
	return true;
}

void limits_again(struct engine *engine)
{
	size_t i;

	for (i = 0; i < engine->n_limits; i++)
		apply(engine, &engine->limits[i]);
}

static bool is_unfinished(const struct store_image *image)
{
	size_t i;

	for (i = 0; i < image->n_batches; i++)
		if (!batch_state_is_end(image->batches[i].state))
			return true;
	return false;
}

/* A host or network that is not configured any more has nothing to be limited. */
void limits_restore(struct engine *engine, const struct store_image *image)
{
	size_t i;

	if (image->n_limits > 0 && !is_unfinished(image)) {
		engine_add_extra(engine, STORE_CLEAR_LIMITS);
		return;
	}
	for (i = 0; i < image->n_limits; i++)
		if (check(engine, &image->limits[i], NULL))
			keep(engine, &image->limits[i]);
	limits_again(engine);
}

size_t engine_n_limits(const struct engine *engine)
{
	return engine->n_limits;
}

const struct limit *engine_limit(const struct engine *engine, size_t i)
{
	return &engine->limits[i];
}
