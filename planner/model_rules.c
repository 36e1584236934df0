/* Compiling rules: groups and names become lists of guests, then each guest's list of rules.
 * Linear in the number of memberships: a group's members are found once, not once per rule. */
#include "model_internal.h"

#include <stdlib.h>

#include "xalloc.h"

struct membership {
	uint32_t key;   /* group, later guest */
	uint32_t value; /* guest, later rule */
};

struct memberships {
	struct membership *rows;
	size_t n;
};

static void add(struct memberships *list, uint32_t key, uint32_t value)
{
	list->rows = xgrow(list->rows, list->n, sizeof *list->rows);
	list->rows[list->n++] = (struct membership){.key = key, .value = value};
}

static int by_key(const void *a, const void *b)
{
	const struct membership *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void sort(struct memberships *list)
{
	if (list->n > 1)
		qsort(list->rows, list->n, sizeof *list->rows, by_key);
}

static size_t first_of(const struct memberships *list, uint32_t key)
{
	size_t low = 0, high = list->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void group_members(struct model *model, struct memberships *groups)
{
	const struct inventory *inventory = model->inventory;
	uint32_t i;
	size_t k;

	for (i = 0; i < inventory->n_guests; i++)
		for (k = 0; k < inventory->guests[i].n_groups; k++)
			add(groups, model_intern(model, inventory->guests[i].groups[k]), i);
	sort(groups);
}

/* seen[guest] is the last rule + 1 that took the guest, so that a guest in two groups of one rule counts once. */
static void take(struct memberships *by_guest, uint32_t *seen, uint32_t guest, uint32_t rule, struct model_rule *to)
{
	if (seen[guest] == rule + 1)
		return;
	seen[guest] = rule + 1;
	to->n_members++;
	add(by_guest, guest, rule);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void rule_hosts(const struct inventory *inventory, const struct rule *from, struct model_rule *to)
{
	size_t i;

	to->hosts = xcalloc(from->n_hosts, sizeof *to->hosts);
	for (i = 0; i < from->n_hosts; i++) {
		uint32_t host = inventory_host(inventory, from->hosts[i]);

		if (host != INDEX_NONE)
			to->hosts[to->n_hosts++] = host;
	}
	if (to->n_hosts > 1)
		qsort(to->hosts, to->n_hosts, sizeof *to->hosts, by_number);
}

static void rule_members(struct model *model, uint32_t rule, const struct memberships *groups,
	struct memberships *by_guest, uint32_t *seen)
{
	const struct rule *from = &model->inventory->rules[rule];
	size_t i, k;

	for (i = 0; i < from->n_groups; i++) {
		uint32_t group = model_name(model, from->groups[i]);

		if (group == INDEX_NONE)
			continue;
		for (k = first_of(groups, group); k < groups->n && groups->rows[k].key == group; k++)
			take(by_guest, seen, groups->rows[k].value, rule, &model->rules[rule]);
	}
	for (i = 0; i < from->n_guests; i++) {
		uint32_t guest = inventory_guest(model->inventory, from->guests[i], NULL);

		if (guest != INDEX_NONE)
			take(by_guest, seen, guest, rule, &model->rules[rule]);
	}
}

void model_compile_rules(struct model *model)
{
	const struct inventory *inventory = model->inventory;
	struct memberships groups = {0}, by_guest = {0};
	uint32_t *seen;
	uint32_t i;
	size_t k;

	model->rules = xcalloc(inventory->n_rules, sizeof *model->rules);
	if (inventory->n_rules == 0)
		return;
	seen = xcalloc(inventory->n_guests, sizeof *seen);
	group_members(model, &groups);
	for (i = 0; i < inventory->n_rules; i++) {
		model->rules[i].kind = inventory->rules[i].kind;
		model->rules[i].count = inventory->rules[i].count;
		rule_hosts(inventory, &inventory->rules[i], &model->rules[i]);
		rule_members(model, i, &groups, &by_guest, seen);
	}
	sort(&by_guest);
	model->guest_rules = xcalloc(by_guest.n, sizeof *model->guest_rules);
	for (k = by_guest.n; k-- > 0;) {
		model->guest_rules[k] = by_guest.rows[k].value;
		model->guests[by_guest.rows[k].key].first_rule = (uint32_t)k;
		model->guests[by_guest.rows[k].key].n_rules++;
	}
	free(seen);
	free(groups.rows);
	free(by_guest.rows);
}
