/* Why a plan is stale: terraform's users get "saved plan is stale" and no word more. A plan carries a flat
 * object of facts for each host and guest; the same writer makes one of the inventory of now, and
 * the two are compared member by member. Measured values that change by themselves are not in it, as they
 * are not in the digest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_doc.h"
#include "xalloc.h"

enum { NAMED_MAX = 5 }; /* differences that a message names; the rest is counted */

/* Lists as one text: they are only compared, and shown when they differ. */
static char *joined(char *const *texts, size_t n)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < n; i++) {
		char *longer = xprintf("%s%s%s", all, i == 0 ? "" : ",", texts[i]);

		free(all);
		all = longer;
	}
	return all;
}

static void put_joined(struct json_writer *writer, const char *key, char *const *texts, size_t n)
{
	char *text = joined(texts, n);

	json_put_text(writer, key, text);
	free(text);
}

static void write_host(struct json_writer *writer, const struct host *host)
{
	char **links = NULL, **pools = NULL;
	size_t n_links = 0, n_pools = 0;

	for (size_t i = 0; i < host->n_links; i++)
		strings_add(&links, &n_links, host->links[i].address);
	for (size_t i = 0; i < host->n_pools; i++) {
		const char *share = host->pools[i].share_id;
		char *text = xprintf("%s%s%s", host->pools[i].name, share == NULL ? "" : "@", share == NULL ? "" : share);

		strings_add(&pools, &n_pools, text);
		free(text);
	}
	json_open(writer, NULL, '{');
	json_put_text(writer, "name", host->name);
	json_put_bool(writer, "cordoned", host->cordoned);
	json_put_bool(writer, "reachable", host->reachable);
	json_put_bool(writer, "incoming", host->incoming);
	json_put_bool(writer, "outgoing", host->outgoing);
	json_put_text(writer, "cluster", host->cluster);
	json_put_text(writer, "cpu_model", host->cpu_model);
	json_put_u64(writer, "cpus", host->cpus);
	json_put_milli(writer, "cpu_overcommit", host->cpu_overcommit_milli);
	json_put_u64(writer, "memory_bytes", host->memory_bytes);
	json_put_u64(writer, "memory_reserve_bytes", host->memory_reserve_bytes);
	put_joined(writer, "networks", host->networks, host->n_networks);
	put_joined(writer, "addresses", links, n_links);
	put_joined(writer, "pools", pools, n_pools);
	json_close(writer, '}');
	for (size_t i = 0; i < n_links; i++)
		free(links[i]);
	for (size_t i = 0; i < n_pools; i++)
		free(pools[i]);
	free(links);
	free(pools);
}

static void write_guest(struct json_writer *writer, const struct inventory *inventory, const struct guest *guest)
{
	char **disks = NULL;
	size_t n_disks = 0;

	for (size_t i = 0; i < guest->n_disks; i++) {
		const struct disk *disk = &guest->disks[i];
		char *text = xprintf("%s=%s/%s:%llu%s", disk->target, disk->pool == NULL ? "" : disk->pool,
			disk->volume == NULL ? "" : disk->volume, (unsigned long long)disk->capacity_bytes, disk->passthrough ? " pass-through" : "");

		strings_add(&disks, &n_disks, text);
		free(text);
	}
	json_open(writer, NULL, '{');
	json_put_text(writer, "name", guest->name);
	json_put_text(writer, "uuid", guest->uuid);
	json_put_text(writer, "host", inventory->hosts[guest->host].name);
	json_put_text(writer, "state", guest_state_name(guest->state));
	json_put_u64(writer, "vcpus", guest->vcpus);
	json_put_u64(writer, "memory_bytes", guest->memory_bytes);
	json_put_u64(writer, "hostdevs", guest->hostdevs);
	json_put_i64(writer, "priority", guest->priority);
	json_put_text(writer, "cpu_model", guest->cpu_model);
	put_joined(writer, "interfaces", guest->interfaces, guest->n_interfaces);
	put_joined(writer, "groups", guest->groups, guest->n_groups);
	put_joined(writer, "disks", disks, n_disks);
	json_close(writer, '}');
	for (size_t i = 0; i < n_disks; i++)
		free(disks[i]);
	free(disks);
}

static void write_rules(struct json_writer *writer, const struct inventory *inventory)
{
	json_open(writer, "rules", '[');
	for (size_t i = 0; i < inventory->n_rules; i++) {
		const struct rule *rule = &inventory->rules[i];

		json_open(writer, NULL, '{');
		json_put_text(writer, "kind", rule_kind_name(rule->kind));
		put_joined(writer, "groups", rule->groups, rule->n_groups);
		put_joined(writer, "guests", rule->guests, rule->n_guests);
		put_joined(writer, "hosts", rule->hosts, rule->n_hosts);
		json_put_u64(writer, "count", rule->count);
		json_close(writer, '}');
	}
	json_close(writer, ']');
	json_open(writer, "networks", '[');
	for (size_t i = 0; i < inventory->n_networks; i++) {
		json_open(writer, NULL, '{');
		json_put_text(writer, "cidr", inventory->networks[i].cidr);
		json_put_i64(writer, "order", inventory->networks[i].order);
		json_close(writer, '}');
	}
	json_close(writer, ']');
}

void brief_write(struct json_writer *writer, const char *key, const struct inventory *inventory)
{
	json_open(writer, key, '{');
	json_open(writer, "hosts", '[');
	for (size_t i = 0; i < inventory->n_hosts; i++)
		write_host(writer, &inventory->hosts[i]);
	json_close(writer, ']');
	json_open(writer, "guests", '[');
	for (size_t i = 0; i < inventory->n_guests; i++)
		write_guest(writer, inventory, &inventory->guests[i]);
	json_close(writer, ']');
	write_rules(writer, inventory);
	json_close(writer, '}');
}

/* ---- comparing ---- */

struct changes {
	char *text; /* "guest web1 moved from h1 to h3; ..." */
	size_t n;
};

static void changes_add(struct changes *changes, char *text)
{
	if (changes->n < NAMED_MAX) {
		char *longer = changes->text == NULL ? xstrdup(text) : xprintf("%s; %s", changes->text, text);

		free(changes->text);
		changes->text = longer;
	}
	changes->n++;
	free(text);
}

static const char *text_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : "";
}

/* Who an object is: the UUID, or the name where there is none. */
static const char *identity(const json_t *object)
{
	const char *uuid = text_of(object, "uuid");

	return uuid[0] == '\0' ? text_of(object, "name") : uuid;
}

static void value_text(const json_t *value, char *text, size_t size)
{
	char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));

	snprintf(text, size, "%.*s", 60, dump == NULL ? "missing" : dump);
	free(dump);
}

/* Members that have words of their own; NULL = none. */
static char *in_words(const char *what, const char *name, const char *key, const json_t *then, const json_t *now)
{
	static const struct {
		const char *key, *on, *off;
	} words[] = {
		{"cordoned", "is cordoned now", "is not cordoned any more"},
		{"reachable", "is reachable now", "does not answer now"},
		{"incoming", "takes guests now", "does not take guests any more"},
		{"outgoing", "gives guests away now", "does not give guests away any more"},
	};

	if (strcmp(key, "host") == 0 && json_is_string(then) && json_is_string(now))
		return xprintf("%s %s moved from %s to %s", what, name, json_string_value(then), json_string_value(now));
	if (strcmp(key, "state") == 0 && json_is_string(then) && json_is_string(now))
		return xprintf("%s %s is %s now, not %s", what, name, json_string_value(now), json_string_value(then));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].key, key) == 0)
			return xprintf("%s %s %s", what, name, json_is_true(now) ? words[i].on : words[i].off);
	return NULL;
}

static void compare_members(const char *what, const json_t *then, json_t *now, struct changes *changes)
{
	const char *key;
	json_t *value;

	json_object_foreach(now, key, value) {
		const json_t *old = json_object_get(then, key);
		char old_text[64], new_text[64], *words;

		if (old == NULL || json_equal(old, value))
			continue; /* a member that the older plan did not know says nothing */
		words = in_words(what, text_of(now, "name"), key, old, value);
		value_text(old, old_text, sizeof old_text);
		value_text(value, new_text, sizeof new_text);
		changes_add(changes, words != NULL ? words : xprintf("%s %s: %s is %s now, was %s", what, text_of(now, "name"), key, new_text, old_text));
	}
}

/* Objects by identity, borrowed; a JSON object serves as the table. */
static json_t *by_identity(json_t *array)
{
	json_t *table = json_object(), *object;
	size_t i;

	json_array_foreach(array, i, object)
		json_object_set(table, identity(object), object);
	return table;
}

static void compare_lists(const char *what, json_t *then, json_t *now, struct changes *changes)
{
	json_t *old = by_identity(then), *new = by_identity(now), *object;
	size_t i;

	json_array_foreach(then, i, object)
		if (json_object_get(new, identity(object)) == NULL)
			changes_add(changes, xprintf("%s %s is gone", what, text_of(object, "name")));
	json_array_foreach(now, i, object) {
		const json_t *before = json_object_get(old, identity(object));

		if (before == NULL)
			changes_add(changes, xprintf("%s %s is new%s%s", what, text_of(object, "name"),
				text_of(object, "host")[0] == '\0' ? "" : " on ", text_of(object, "host")));
		else
			compare_members(what, before, object, changes);
	}
	json_decref(old);
	json_decref(new);
}

bool brief_differs(const json_t *brief, const struct inventory *inventory, const char *name, struct error *err)
{
	struct json_writer writer;
	struct changes changes = {0};
	json_t *now;
	char *text;

	json_begin(&writer, 0);
	brief_write(&writer, NULL, inventory);
	text = json_end(&writer);
	now = json_loads(text, 0, NULL);
	free(text);
	compare_lists("host", json_object_get(brief, "hosts"), json_object_get(now, "hosts"), &changes);
	compare_lists("guest", json_object_get(brief, "guests"), json_object_get(now, "guests"), &changes);
	if (!json_equal(json_object_get(brief, "rules"), json_object_get(now, "rules")))
		changes_add(&changes, xstrdup("the placement rules changed"));
	if (!json_equal(json_object_get(brief, "networks"), json_object_get(now, "networks")))
		changes_add(&changes, xstrdup("the migration networks changed"));
	if (changes.n == 0)
		changes_add(&changes, xstrdup("hosts, guests or their parts stand in another order or the plan names none of them"));
	if (changes.n > NAMED_MAX)
		error_set(err, ERR_PLAN_STALE, "%s: %s; and %zu more", name, changes.text, changes.n - NAMED_MAX);
	else
		error_set(err, ERR_PLAN_STALE, "%s: %s", name, changes.text);
	free(changes.text);
	json_decref(now);
	return false;
}
