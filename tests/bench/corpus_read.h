/* Reads instances of fixed-destination migration scheduling (their makers' JSON) into an inventory and a request.
 *
 * Two shapes: {model, constraints} with the network inside, a tree of switches; and {origin, actions} with the network
 * in a topology.xml beside or above it, one switch. A link between switches becomes a shared link around the nodes
 * below it. One MB is 10^6 bytes; a link of N Mbit/s carries N/9 MB/s, as its makers counted. Nodes that are off count as
 * booted: times begin where the first move may. What a guest writes hot is its dirty rate; its working set is what it
 * writes hot plus what it writes cold while it is copied once.
 */
#ifndef DROVER_BENCH_CORPUS_READ_H
#define DROVER_BENCH_CORPUS_READ_H

#include <inttypes.h>
#include <jansson.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drover/plan.h"

#define CORPUS_GB UINT64_C(1000000000)
#define CORPUS_MB UINT64_C(1000000)

struct corpus {
	struct inventory *inventory;
	struct request *request;
	uint32_t *switch_of;     /* per node */
	uint32_t *parent;        /* per switch, INDEX_NONE = root */
	double *uplink;          /* per switch, Mbit/s */
	size_t n_switches;
	double *node_mbit;
	bool is_timed;           /* real runs may stand beside it */
	char problem[200];
};

static inline bool corpus_problem(struct corpus *corpus, const char *text)
{
	if (corpus->problem[0] == '\0')
		snprintf(corpus->problem, sizeof corpus->problem, "%.190s", text);
	return false;
}

static inline uint64_t corpus_rate(double mbit)
{
	return (uint64_t)(mbit * 1e6 / 9);
}

static inline double corpus_number(const json_t *object, const char *name, double otherwise)
{
	const json_t *value = json_object_get(object, name);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* The view of one resource: mem or cpu. */
static inline const json_t *corpus_view(const json_t *model, const char *name)
{
	size_t i;
	json_t *view;

	json_array_foreach(json_object_get(model, "views"), i, view) {
		const char *id = json_string_value(json_object_get(view, "id"));
		const char *rc = json_string_value(json_object_get(view, "rcId"));

		if ((id != NULL && strcmp(id, name) == 0) || (rc != NULL && strcmp(rc, name) == 0))
			return view;
	}
	return NULL;
}

static inline double corpus_of_view(const json_t *view, const char *group, const char *key, const char *otherwise)
{
	return corpus_number(json_object_get(view, group), key, corpus_number(view, otherwise, 0));
}

static inline uint32_t corpus_node(const struct corpus *corpus, json_int_t id)
{
	char name[32];

	snprintf(name, sizeof name, "n%" JSON_INTEGER_FORMAT, id);
	return inventory_host(corpus->inventory, name);
}

static inline void corpus_add_node(struct corpus *corpus, const json_t *model, const char *id, uint32_t *numbers)
{
	char name[32];
	struct host *host;
	double cpu = corpus_of_view(corpus_view(model, "cpu"), "nodes", id, "defCapacity");

	snprintf(name, sizeof name, "n%.20s", id);
	numbers[atoi(id)] = (uint32_t)corpus->inventory->n_hosts;
	host = inventory_add_host(corpus->inventory, name);
	host->memory_bytes = (uint64_t)(corpus_of_view(corpus_view(model, "mem"), "nodes", id, "defCapacity") * 1e9);
	host->cpus = (uint32_t)cpu;
	host->cpu_overcommit_milli = 1000;
}

static inline void corpus_add_guest(struct corpus *corpus, const json_t *model, json_int_t id, uint32_t host)
{
	char key[32], name[40];
	const json_t *facts;
	struct guest *guest;
	double size, hot, seconds, cold;

	snprintf(key, sizeof key, "%" JSON_INTEGER_FORMAT, id);
	snprintf(name, sizeof name, "v%s", key);
	guest = inventory_add_guest(corpus->inventory, name, host);
	facts = json_object_get(json_object_get(json_object_get(model, "attributes"), "vms"), key);
	size = corpus_number(facts, "memUsed", 0);
	hot = corpus_number(facts, "hotDirtySize", corpus_number(facts, "maxDirtySize", 0));
	seconds = corpus_number(facts, "hotDirtyDuration", corpus_number(facts, "maxDirtyDuration", 0));
	cold = corpus_number(facts, "coldDirtyRate", corpus_number(facts, "dirtyRate", 0));
	guest->memory_bytes = (uint64_t)(corpus_of_view(corpus_view(model, "mem"), "vms", key, "defConsumption") * 1e9);
	guest->vcpus = (uint32_t)corpus_of_view(corpus_view(model, "cpu"), "vms", key, "defConsumption");
	guest->used_memory_bytes = (uint64_t)(size * 1e6);
	if (guest->memory_bytes < guest->used_memory_bytes / 2)
		corpus_problem(corpus, "a guest uses more memory than it has");
	guest->dirty_rate_bytes_per_s = seconds > 0 ? (uint64_t)(hot / seconds * 1e6) : (uint64_t)(cold * 1e6);
	guest->working_set_bytes = (uint64_t)((hot + cold * size * 9 / 1000) * 1e6);
}

static inline bool corpus_mapping(struct corpus *corpus, const json_t *model)
{
	json_t *mapping = json_object_get(model, "mapping"), *value;
	size_t n = json_object_size(json_object_get(mapping, "onlineNodes")), i;
	uint32_t *numbers;
	const char *key;
	char text[32];
	json_int_t largest = 0;

	json_object_foreach(json_object_get(mapping, "onlineNodes"), key, value)
		largest = atoi(key) > largest ? atoi(key) : largest;
	json_array_foreach(json_object_get(mapping, "offlineNodes"), i, value)
		largest = json_integer_value(value) > largest ? json_integer_value(value) : largest;
	if (n == 0 || largest > 1000000)
		return corpus_problem(corpus, "no nodes");
	numbers = calloc((size_t)largest + 1, sizeof *numbers);
	json_object_foreach(json_object_get(mapping, "onlineNodes"), key, value)
		corpus_add_node(corpus, model, key, numbers);
	json_array_foreach(json_object_get(mapping, "offlineNodes"), i, value) {
		snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		corpus_add_node(corpus, model, text, numbers);
	}
	json_object_foreach(json_object_get(mapping, "onlineNodes"), key, value) {
		json_t *vm;

		json_array_foreach(json_object_get(value, "runningVMs"), i, vm)
			corpus_add_guest(corpus, model, json_integer_value(vm), numbers[atoi(key)]);
	}
	free(numbers);
	return true;
}

static inline void corpus_want(struct corpus *corpus, json_int_t vm, json_int_t node)
{
	char name[32];
	struct wanted_move *move;

	snprintf(name, sizeof name, "v%" JSON_INTEGER_FORMAT, vm);
	move = request_add_move(corpus->request, name);
	snprintf(name, sizeof name, "n%" JSON_INTEGER_FORMAT, node);
	move->to = strdup(name);
}

/* Who stays where it is needs no move. */
static inline bool corpus_fences(struct corpus *corpus, const json_t *root)
{
	size_t i;
	json_t *constraint;

	json_array_foreach(json_object_get(root, "constraints"), i, constraint) {
		const char *id = json_string_value(json_object_get(constraint, "id"));
		json_t *nodes = json_object_get(constraint, "nodes"), *vm = json_object_get(constraint, "vm");

		if (id == NULL || strcmp(id, "fence") != 0)
			continue;
		if (json_array_size(nodes) != 1 || !json_is_integer(vm))
			return corpus_problem(corpus, "a guest without one fixed destination");
		corpus_want(corpus, json_integer_value(vm), json_integer_value(json_array_get(nodes, 0)));
	}
	return true;
}

static inline bool corpus_actions(struct corpus *corpus, const json_t *root)
{
	size_t i;
	json_t *action;

	json_array_foreach(json_object_get(root, "actions"), i, action) {
		const char *id = json_string_value(json_object_get(action, "id"));

		if (id != NULL && strcmp(id, "migrateVM") == 0)
			corpus_want(corpus, json_integer_value(json_object_get(action, "vm")),
				json_integer_value(json_object_get(action, "to")));
	}
	return true;
}

static inline bool corpus_link(struct corpus *corpus, const json_t *link)
{
	const json_t *element = json_object_get(link, "physicalElement");
	const char *type = json_string_value(json_object_get(element, "type"));
	json_int_t id = json_integer_value(json_object_get(element, "id")), up = json_integer_value(json_object_get(link, "switch"));

	if (type == NULL || up < 0 || (size_t)up >= corpus->n_switches)
		return corpus_problem(corpus, "a link to no switch");
	if (strcmp(type, "switch") == 0) {
		if (id < 0 || (size_t)id >= corpus->n_switches || corpus->parent[id] != INDEX_NONE)
			return corpus_problem(corpus, "switches that are no tree");
		corpus->parent[id] = (uint32_t)up;
		corpus->uplink[id] = corpus_number(link, "capacity", 0);
		return true;
	}
	if (corpus_node(corpus, id) == INDEX_NONE)
		return corpus_problem(corpus, "a link to no node");
	corpus->switch_of[corpus_node(corpus, id)] = (uint32_t)up;
	corpus->node_mbit[corpus_node(corpus, id)] = corpus_number(link, "capacity", 0);
	return true;
}

static inline bool corpus_network(struct corpus *corpus, const json_t *model)
{
	const json_t *net = corpus_view(model, "net");
	json_t *switches = json_object_get(net, "switches"), *item;
	size_t i;

	corpus->n_switches = json_array_size(switches);
	corpus->parent = calloc(corpus->n_switches + 1, sizeof *corpus->parent);
	corpus->uplink = calloc(corpus->n_switches + 1, sizeof *corpus->uplink);
	for (i = 0; i < corpus->n_switches; i++)
		corpus->parent[i] = INDEX_NONE;
	json_array_foreach(switches, i, item)
		if (corpus_number(item, "capacity", -1) > 0)
			return corpus_problem(corpus, "a switch that blocks inside");
	json_array_foreach(json_object_get(net, "links"), i, item)
		if (!corpus_link(corpus, item))
			return false;
	return true;
}

static inline bool corpus_is_below(const struct corpus *corpus, uint32_t low, uint32_t high)
{
	size_t hops = 0;

	while (low != INDEX_NONE && low != high && hops++ <= corpus->n_switches)
		low = corpus->parent[low];
	return low == high;
}

/* Turns nodes' links and uplinks into the inventory's. */
static inline void corpus_wire(struct corpus *corpus)
{
	uint32_t i, k;
	char name[32];

	for (i = 0; i < corpus->inventory->n_hosts; i++) {
		snprintf(name, sizeof name, "10.%u.%u.%u/8", i / 62500, i / 250 % 250, i % 250 + 1);
		host_add_link(&corpus->inventory->hosts[i], name)->rate_bytes_per_s = corpus_rate(corpus->node_mbit[i]);
	}
	for (k = 0; k < corpus->n_switches; k++) {
		struct shared_link *link;

		if (corpus->parent[k] == INDEX_NONE)
			continue;
		snprintf(name, sizeof name, "uplink%u", k);
		link = inventory_add_shared_link(corpus->inventory, name);
		link->rate_bytes_per_s = corpus_rate(corpus->uplink[k]);
		for (i = 0; i < corpus->inventory->n_hosts; i++)
			if (corpus_is_below(corpus, corpus->switch_of[i], k))
				strings_add(&link->hosts, &link->n_hosts, corpus->inventory->hosts[i].name);
	}
}

/* Bandwidth of the link of that id, bytes per second; 0 when there is none. */
static inline double corpus_xml_link(const xmlNode *as, const char *wanted)
{
	const xmlNode *node;
	double bandwidth = 0;

	for (node = as->children; node != NULL; node = node->next) {
		xmlChar *id, *text;

		if (xmlStrcmp(node->name, BAD_CAST "link") != 0)
			continue;
		id = xmlGetProp(node, BAD_CAST "id");
		text = xmlGetProp(node, BAD_CAST "bandwidth");
		if (id != NULL && text != NULL && strcmp((char *)id, wanted) == 0)
			bandwidth = atof((char *)text);
		xmlFree(id);
		xmlFree(text);
	}
	return bandwidth;
}

/* The nth <host> is node n; its link is named after it. */
static inline bool corpus_topology(struct corpus *corpus, const char *path)
{
	xmlDoc *doc = xmlReadFile(path, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	const xmlNode *as, *node;
	json_int_t number = 0;

	if (doc == NULL)
		return corpus_problem(corpus, "no readable topology.xml beside or above it");
	for (as = xmlDocGetRootElement(doc)->children; as != NULL && xmlStrcmp(as->name, BAD_CAST "AS") != 0; as = as->next)
		;
	for (node = as != NULL ? as->children : NULL; node != NULL; node = node->next) {
		char link[64];
		xmlChar *id;
		uint32_t host;

		if (xmlStrcmp(node->name, BAD_CAST "host") != 0)
			continue;
		id = xmlGetProp(node, BAD_CAST "id");
		snprintf(link, sizeof link, "%slink", id != NULL ? (char *)id : "");
		host = corpus_node(corpus, number++);
		if (host != INDEX_NONE)
			corpus->node_mbit[host] = corpus_xml_link(as, link) * 8 / 1e6;
		xmlFree(id);
	}
	xmlFreeDoc(doc);
	return true;
}

/* The file of that name in the folder of path or up to three above. */
static inline void corpus_find_above(const char *path, const char *name, char *ret_path, size_t size)
{
	static const char *const ups[] = {"", "../", "../../", "../../../"};
	const char *slash = strrchr(path, '/');
	int folder = slash != NULL ? (int)(slash - path + 1) : 0;
	size_t i;

	for (i = 0; i < sizeof ups / sizeof ups[0]; i++) {
		FILE *file;

		snprintf(ret_path, size, "%.*s%s%s", folder, path, ups[i], name);
		file = fopen(ret_path, "r");
		if (file == NULL)
			continue;
		fclose(file);
		return;
	}
	ret_path[0] = '\0';
}

static inline bool corpus_finish(struct corpus *corpus)
{
	struct error error;
	size_t i;

	for (i = 0; i < corpus->inventory->n_hosts; i++)
		if (corpus->node_mbit[i] <= 0)
			return corpus_problem(corpus, "a node without a link");
	corpus_wire(corpus);
	if (corpus->request->n_moves == 0)
		return corpus_problem(corpus, "no moves");
	return inventory_seal(corpus->inventory, &error) || corpus_problem(corpus, error.message);
}

static inline bool corpus_fill(struct corpus *corpus, const json_t *root, const char *path)
{
	const json_t *model = json_object_get(root, "model");
	struct error error;
	char topology[4096];

	corpus->is_timed = model == NULL;
	if (model == NULL)
		model = json_object_get(root, "origin");
	if (!corpus_mapping(corpus, model))
		return false;
	/* names must be found while the links are read */
	if (!inventory_seal(corpus->inventory, &error))
		return corpus_problem(corpus, error.message);
	corpus->switch_of = calloc(corpus->inventory->n_hosts, sizeof *corpus->switch_of);
	corpus->node_mbit = calloc(corpus->inventory->n_hosts, sizeof *corpus->node_mbit);
	if (!corpus->is_timed)
		return corpus_network(corpus, model) && corpus_fences(corpus, root) && corpus_finish(corpus);
	corpus_find_above(path, "topology.xml", topology, sizeof topology);
	return corpus_topology(corpus, topology) && corpus_actions(corpus, root) && corpus_finish(corpus);
}

static inline void corpus_clear(struct corpus *corpus)
{
	inventory_free(corpus->inventory);
	request_free(corpus->request);
	free(corpus->switch_of);
	free(corpus->parent);
	free(corpus->uplink);
	free(corpus->node_mbit);
}

/* False with a problem when the file is no such instance. Clear it in any case. */
static inline bool corpus_read(struct corpus *corpus, const char *path)
{
	json_error_t where;
	json_t *root = json_load_file(path, 0, &where);
	bool ok;

	memset(corpus, 0, sizeof *corpus);
	corpus->inventory = inventory_new();
	corpus->request = request_new(REQUEST_BATCH);
	if (root == NULL)
		return corpus_problem(corpus, where.text);
	ok = corpus_fill(corpus, root, path);
	json_decref(root);
	return ok;
}

#endif
