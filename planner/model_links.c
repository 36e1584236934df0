/* Compiling links: every host's links and every shared link become two rows of one capacity table,
 * out and in (links are full duplex).
 *
 * A nominal rate is scaled by the efficiency; a measured one is not. A link
 * of unknown rate has the best rate that was ever measured over it, or the default. A known one
 * is raised when more was measured: then the nominal figure was wrong.
 */
#include "model_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "arith.h"
#include "network.h"
#include "xalloc.h"

/* A shared link of unknown rate is taken to be wide enough: it is named in the configuration for its limit or not at all. */
#define UNLIMITED_BYTES_PER_S (UINT64_C(1) << 50)

static void number_links(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	uint32_t row = 0;
	size_t i;

	for (i = 0; i < inventory->n_hosts; i++) {
		size_t n = inventory->hosts[i].n_links;

		model->hosts[i].first_link = row;
		model->hosts[i].n_links = n > 0 ? (uint32_t)n : 1;
		row += 2 * model->hosts[i].n_links;
	}
	model->first_shared = row;
	model->n_links = row + 2 * inventory->n_shared_links;
	model->capacities = xcalloc(model->n_links, sizeof *model->capacities);
	model->is_assumed = xcalloc(model->n_links, sizeof *model->is_assumed);
}

static void find_network_links(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	size_t i, k;

	model->network_links = xcalloc(inventory->n_hosts * inventory->n_networks, sizeof *model->network_links);
	for (k = 0; k < inventory->n_networks; k++) {
		struct cidr network;
		bool is_valid = cidr_parse(inventory->networks[k].cidr, &network);

		for (i = 0; i < inventory->n_hosts; i++)
			model->network_links[i * inventory->n_networks + k] =
				is_valid ? network_link_of(&inventory->hosts[i], network) : INDEX_NONE;
	}
}

static void put_hosts_into_shared(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	uint32_t i;
	size_t k;

	for (i = 0; i < inventory->n_shared_links; i++)
		for (k = 0; k < inventory->shared_links[i].n_hosts; k++) {
			uint32_t host = inventory_host(inventory, inventory->shared_links[i].hosts[k]);
			struct model_host *to = host != INDEX_NONE ? &model->hosts[host] : NULL;

			if (to == NULL || (to->n_shared > 0 && to->shared[to->n_shared - 1] == i))
				continue;
			to->shared = xgrow(to->shared, to->n_shared, sizeof *to->shared);
			to->shared[to->n_shared++] = i;
		}
}

static int by_pair(const void *a, const void *b)
{
	const struct model_path_rate *x = a, *y = b;

	return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static void find_measured(struct model *model)
{
	const struct plan_options *options = &model->options;
	size_t i;

	model->paths = xcalloc(options->n_paths, sizeof *model->paths);
	for (i = 0; i < options->n_paths; i++) {
		uint32_t source = inventory_host(model->inventory, options->paths[i].source);
		uint32_t target = inventory_host(model->inventory, options->paths[i].target);

		if (source == INDEX_NONE || target == INDEX_NONE || source == target)
			continue;
		model->paths[model->n_paths].pair = (uint64_t)source << 32 | target;
		model->paths[model->n_paths++].measured = &options->paths[i];
	}
	if (model->n_paths > 1)
		qsort(model->paths, model->n_paths, sizeof *model->paths, by_pair);
}

/* Best measured rate over each host-link row, 0 where nothing was measured. */
static uint64_t *best_measured(const struct model *model)
{
	uint64_t *best = xcalloc(model->n_links, sizeof *best);
	size_t i, k;

	for (i = 0; i < model->n_paths; i++) {
		const struct path_rate *measured = model->paths[i].measured;
		uint64_t rate = max_u64(measured->memory_bytes_per_s, measured->disk_bytes_per_s);
		struct path path;

		if (!model_path_links(model, (uint32_t)(model->paths[i].pair >> 32), (uint32_t)model->paths[i].pair, &path))
			continue;
		for (k = 0; k < path.n_links; k++)
			best[path.links[k]] = max_u64(best[path.links[k]], rate);
	}
	return best;
}

static void set_capacity(struct model *model, size_t row, uint64_t nominal, uint64_t measured)
{
	model->is_assumed[row] = nominal == 0 && measured == 0;
	if (model->is_assumed[row])
		nominal = model->options.default_link_rate_bytes_per_s;
	nominal = mul_div(nominal, model->options.efficiency_milli, 1000);
	model->capacities[row] = max_u64(max_u64(nominal, measured), 1);
}

static void set_capacities(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	uint64_t *best = best_measured(model);
	uint32_t i, k, row;

	for (i = 0; i < inventory->n_hosts; i++) {
		struct model_host *host = &model->hosts[i];

		for (k = 0; k < host->n_links; k++) {
			uint64_t nominal = planner_link_rate(inventory, i, network_of_link(inventory, i, k), k);

			row = host->first_link + 2 * k;
			set_capacity(model, row, nominal, best[row]);
			set_capacity(model, row + 1, nominal, best[row + 1]);
			host->in_rate_bytes_per_s = max_u64(host->in_rate_bytes_per_s, model->capacities[row + 1]);
		}
	}
	for (i = 0; i < 2 * inventory->n_shared_links; i++) {
		uint64_t nominal = inventory->shared_links[i / 2].rate_bytes_per_s;

		row = model->first_shared + i;
		set_capacity(model, row, nominal != 0 ? nominal : UNLIMITED_BYTES_PER_S, best[row]);
	}
	free(best);
}

void model_compile_links(struct model *model)
{
	number_links(model);
	find_network_links(model);
	put_hosts_into_shared(model);
	find_measured(model);
	set_capacities(model);
}

static bool is_inside(const struct model_host *host, uint32_t shared)
{
	size_t i;

	for (i = 0; i < host->n_shared; i++)
		if (host->shared[i] == shared)
			return true;
	return false;
}

/* Shared links with one end inside and one outside. direction 0 = out of the link's hosts. */
static void add_shared(const struct model *model, const struct model_host *inside, const struct model_host *outside,
	uint32_t direction, struct path *path)
{
	size_t i;

	for (i = 0; i < inside->n_shared && path->n_links < MODEL_LINKS_MAX; i++)
		if (!is_inside(outside, inside->shared[i]))
			path->links[path->n_links++] = model->first_shared + 2 * inside->shared[i] + direction;
}

static bool choose_network(const struct model *model, uint32_t source, uint32_t target, struct path *path)
{
	const struct inventory *inventory = model->inventory;
	const uint32_t *from = &model->network_links[source * inventory->n_networks];
	const uint32_t *to = &model->network_links[target * inventory->n_networks];
	uint32_t i;

	path->network = INDEX_NONE;
	if (inventory->n_networks == 0) {
		network_any_link(&inventory->hosts[source], &inventory->hosts[target], &path->source_link, &path->target_link);
		return true;
	}
	for (i = 0; i < inventory->n_networks; i++) {
		if (from[i] == INDEX_NONE || to[i] == INDEX_NONE)
			continue;
		path->network = i;
		path->source_link = from[i];
		path->target_link = to[i];
		return true;
	}
	return false;
}

bool model_path_links(const struct model *model, uint32_t source, uint32_t target, struct path *ret_path)
{
	const struct model_host *from = &model->hosts[source], *to = &model->hosts[target];
	struct path path = {0};

	if (!choose_network(model, source, target, &path))
		return false;
	path.links[0] = from->first_link + (path.source_link != INDEX_NONE ? 2 * path.source_link : 0);
	path.links[1] = to->first_link + (path.target_link != INDEX_NONE ? 2 * path.target_link : 0) + 1;
	path.n_links = 2;
	add_shared(model, from, to, 0, &path);
	add_shared(model, to, from, 1, &path);
	*ret_path = path;
	return true;
}

static const struct path_rate *measured_rate(const struct model *model, uint32_t source, uint32_t target)
{
	struct model_path_rate key = {.pair = (uint64_t)source << 32 | target};
	const struct model_path_rate *found = NULL;

	if (model->n_paths > 0)
		found = bsearch(&key, model->paths, model->n_paths, sizeof *model->paths, by_pair);
	return found != NULL ? found->measured : NULL;
}

/* The rate of one phase: measured when it was, else what the links and one stream can carry. */
static uint64_t phase_rate(uint64_t links, uint64_t stream, uint64_t measured, uint64_t own_limit)
{
	uint64_t rate = measured != 0 ? min_u64(measured, links) : min_limit(links, stream);

	return max_u64(min_limit(rate, own_limit), 1);
}

bool model_path(const struct model *model, uint32_t source, uint32_t target, uint64_t max_rate_bytes_per_s,
	struct path *ret_path)
{
	uint64_t links = UINT64_MAX, stream = model->options.stream_rate_bytes_per_s;
	uint32_t i;

	if (!model_path_links(model, source, target, ret_path))
		return false;
	ret_path->measured = measured_rate(model, source, target);
	ret_path->is_assumed = false;
	for (i = 0; i < ret_path->n_links; i++) {
		links = min_u64(links, model->capacities[ret_path->links[i]]);
		ret_path->is_assumed |= model->is_assumed[ret_path->links[i]] && ret_path->measured == NULL;
	}
	ret_path->memory_rate_bytes_per_s = phase_rate(links, stream,
		ret_path->measured != NULL ? ret_path->measured->memory_bytes_per_s : 0, max_rate_bytes_per_s);
	ret_path->disk_rate_bytes_per_s = phase_rate(links, stream,
		ret_path->measured != NULL ? ret_path->measured->disk_bytes_per_s : 0, max_rate_bytes_per_s);
	return true;
}

uint32_t model_link_name(const struct model *model, uint32_t row, char *text, size_t size)
{
	uint32_t host;

	if (row >= model->first_shared) {
		snprintf(text, size, "%.40s %s", model->inventory->shared_links[(row - model->first_shared) / 2].name,
			(row - model->first_shared) % 2 == 0 ? "out" : "in");
		return INDEX_NONE;
	}
	for (host = 0; host + 1 < model->inventory->n_hosts && model->hosts[host + 1].first_link <= row; host++)
		;
	snprintf(text, size, "%.40s %s", model->inventory->hosts[host].name, (row - model->hosts[host].first_link) % 2 == 0 ? "out" : "in");
	return host;
}
