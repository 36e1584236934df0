/* Compiling hosts and guests: names become numbers. Rules are in model_rules.c, links in model_links.c. */
#include "model_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "learn.h"
#include "name_index.h"
#include "xalloc.h"

uint32_t model_intern(struct model *model, const char *text)
{
	uint32_t number;

	if (text == NULL)
		return INDEX_NONE;
	number = name_index_find(model->names, text);
	if (number != INDEX_NONE)
		return number;
	number = (uint32_t)model->n_texts;
	model->texts = xgrow(model->texts, model->n_texts, sizeof *model->texts);
	model->texts[model->n_texts++] = xstrdup(text);
	name_index_add(model->names, model->texts[number], number);
	return number;
}

uint32_t model_name(const struct model *model, const char *text)
{
	return text == NULL ? INDEX_NONE : name_index_find(model->names, text);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_in(const uint32_t *numbers, size_t n, uint32_t number)
{
	return n > 0 && bsearch(&number, numbers, n, sizeof *numbers, by_number) != NULL;
}

bool model_host_has_network(const struct model *model, uint32_t host, uint32_t name)
{
	return is_in(model->hosts[host].networks, model->hosts[host].n_networks, name);
}

bool model_rule_names_host(const struct model_rule *rule, uint32_t host)
{
	return is_in(rule->hosts, rule->n_hosts, host);
}

uint32_t model_host_pool(const struct model *model, uint32_t host, uint32_t name)
{
	const struct model_host *h = &model->hosts[host];
	size_t i;

	for (i = 0; i < h->n_pools; i++)
		if (h->pools[i].name == name)
			return (uint32_t)i;
	return INDEX_NONE;
}

bool model_host_has_share(const struct model *model, uint32_t host, uint32_t share)
{
	const struct model_host *h = &model->hosts[host];
	size_t i;

	for (i = 0; i < h->n_pools; i++)
		if (h->pools[i].share == share)
			return true;
	return false;
}

void model_update_host(struct model *model, uint32_t host)
{
	const struct host *from = &model->inventory->hosts[host];
	struct model_host *to = &model->hosts[host];
	size_t i;

	to->cpu_model = model_intern(model, from->cpu_model);
	to->networks = xrealloc_array(to->networks, from->n_networks, sizeof *to->networks);
	to->n_networks = from->n_networks;
	for (i = 0; i < from->n_networks; i++)
		to->networks[i] = model_intern(model, from->networks[i]);
	if (to->n_networks > 1)
		qsort(to->networks, to->n_networks, sizeof *to->networks, by_number);
	to->pools = xrealloc_array(to->pools, from->n_pools, sizeof *to->pools);
	to->n_pools = from->n_pools;
	for (i = 0; i < from->n_pools; i++) {
		to->pools[i].name = model_intern(model, from->pools[i].name);
		to->pools[i].share = model_intern(model, from->pools[i].share_id);
	}
}

static void count_parts(const struct inventory *inventory, size_t *ret_interfaces, size_t *ret_disks)
{
	size_t i;

	*ret_interfaces = *ret_disks = 0;
	for (i = 0; i < inventory->n_guests; i++) {
		*ret_interfaces += inventory->guests[i].n_interfaces;
		*ret_disks += inventory->guests[i].n_disks;
	}
}

static void compile_guests(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	size_t i, k, n_interfaces, n_disks;

	count_parts(inventory, &n_interfaces, &n_disks);
	model->interfaces = xcalloc(n_interfaces, sizeof *model->interfaces);
	model->disk_pools = xcalloc(n_disks, sizeof *model->disk_pools);
	n_interfaces = n_disks = 0;
	for (i = 0; i < inventory->n_guests; i++) {
		const struct guest *from = &inventory->guests[i];
		struct model_guest *to = &model->guests[i];

		to->memory_bytes = mul_div(from->memory_bytes, model->options.memory_overhead_milli, 1000);
		to->vcpus = from->vcpus;
		to->cpu_model = model_intern(model, from->cpu_model);
		to->first_interface = (uint32_t)n_interfaces;
		for (k = 0; k < from->n_interfaces; k++)
			model->interfaces[n_interfaces++] = model_intern(model, from->interfaces[k]);
		to->first_disk = (uint32_t)n_disks;
		for (k = 0; k < from->n_disks; k++)
			model->disk_pools[n_disks++] = model_intern(model, from->disks[k].pool);
	}
}

struct model *model_new(const struct inventory *inventory, const struct plan_options *options)
{
	struct model *model = xcalloc(1, sizeof *model);
	uint32_t i;

	assert(inventory->index != NULL);
	model->inventory = inventory;
	model->options = *options;
	learn_overheads(&model->options);
	model->names = name_index_new(64);
	model->hosts = xcalloc(inventory->n_hosts, sizeof *model->hosts);
	model->guests = xcalloc(inventory->n_guests, sizeof *model->guests);
	for (i = 0; i < inventory->n_hosts; i++)
		model_update_host(model, i);
	compile_guests(model);
	model_compile_rules(model);
	model_compile_links(model);
	model_compile_lessons(model);
	return model;
}

void model_free(struct model *model)
{
	size_t i;

	if (model == NULL)
		return;
	for (i = 0; i < model->inventory->n_hosts; i++) {
		free(model->hosts[i].networks);
		free(model->hosts[i].pools);
		free(model->hosts[i].shared);
	}
	for (i = 0; i < model->inventory->n_rules; i++)
		free(model->rules[i].hosts);
	for (i = 0; i < model->n_texts; i++)
		free(model->texts[i]);
	name_index_free(model->names);
	free(model->texts);
	free(model->hosts);
	free(model->guests);
	free(model->rules);
	free(model->interfaces);
	free(model->disk_pools);
	free(model->guest_rules);
	free(model->capacities);
	free(model->is_assumed);
	free(model->network_links);
	free(model->paths);
	free(model->lessons);
	free(model);
}
