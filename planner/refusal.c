/* Refusals as messages, and the guest's own facts that forbid any move. Every message names the guest, the
 * host and the two numbers that were compared. */
#include "compat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "size_text.h"

static bool describe_memory(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	const struct host *host = &ask->inventory->hosts[target];
	const struct host_use *use = &ask->ledger->hosts[target];
	struct size_text need = size_text(refusal->need), has = size_text(refusal->have);

	if (strcmp(need.text, has.text) == 0) {
		need = size_text_exact(refusal->need);
		has = size_text_exact(refusal->have);
	}
	return error_set(err, ERR_TARGET_MEMORY,
		"vm %s: %s needed%s, %s has %s free (%s less %s reserved and %s of %" PRIu32 " guests there or on their way)",
		guest->name, need.text, ask->extra_memory_bytes > 0 ? " with the guests that must come along" : "",
		host->name, has.text, size_text(host->memory_bytes).text, size_text(host->memory_reserve_bytes).text,
		size_text(use->memory_bytes).text, use->n_guests);
}

static bool describe_space(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct host *host = &ask->inventory->hosts[target];
	const struct pool *pool = host_pool(host, refusal->what);
	struct size_text need = size_text(refusal->need), has = size_text(refusal->have);
	uint64_t available = pool != NULL ? pool->available_bytes : 0;

	if (strcmp(need.text, has.text) == 0) {
		need = size_text_exact(refusal->need);
		has = size_text_exact(refusal->have);
	}
	return error_set(err, ERR_TARGET_POOL_SPACE,
		"vm %s: %s needed for its disks, pool %s of %s has %s free (%s less %s promised to other moves)",
		ask->inventory->guests[ask->guest].name, need.text, refusal->what, host->name, has.text,
		size_text(available).text, size_text(available - refusal->have).text);
}

static bool describe_cpu(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct host *host = &ask->inventory->hosts[target];

	return error_set(err, ERR_TARGET_CPU,
		"vm %s: %" PRIu64 " virtual CPUs needed, %s has %" PRIu64 " left (%" PRIu32 " CPUs times %" PRIu32 ".%" PRIu32
		" less %" PRIu64 " in use or on their way)",
		ask->inventory->guests[ask->guest].name, refusal->need, host->name, refusal->have, host->cpus,
		host->cpu_overcommit_milli / 1000, host->cpu_overcommit_milli % 1000 / 100, ask->ledger->hosts[target].vcpus);
}

/* "anti_affinity of group web": what an operator finds in the inventory again. */
static void rule_text(const struct inventory *inventory, uint32_t number, char *text, size_t size)
{
	const struct rule *rule = &inventory->rules[number];
	const char *kind = rule->n_groups > 0 ? "group" : "guest";
	const char *name = rule->n_groups > 0 ? rule->groups[0] : rule->n_guests > 0 ? rule->guests[0] : "?";

	snprintf(text, size, "rule %s of %s %s", rule_kind_name(rule->kind), kind, name);
}

/* A guest of the rule that is on the host or on its way there: only looked for when a message is wanted. */
static const char *member_on(const struct fit_ask *ask, uint32_t rule, uint32_t host)
{
	const struct ledger *ledger = ask->ledger;
	uint32_t i, k;

	for (i = 0; i < ask->inventory->n_guests; i++) {
		const struct model_guest *guest = &ledger->model->guests[i];

		if (i == ask->guest || !ledger->is_counted[i] || (ledger->locations[i] != host &&
			(ledger->flights[i] == NULL || ledger->flights[i]->target != host)))
			continue;
		for (k = 0; k < guest->n_rules; k++)
			if (ledger->model->guest_rules[guest->first_rule + k] == rule)
				return ask->inventory->guests[i].name;
	}
	return "another guest";
}

static bool describe_rule(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const char *guest = ask->inventory->guests[ask->guest].name, *host = ask->inventory->hosts[target].name;
	char rule[300];

	rule_text(ask->inventory, refusal->other, rule, sizeof rule);
	if (refusal->code == ERR_RULE_ANTI_AFFINITY)
		return error_set(err, refusal->code, "vm %s: %s is on %s or on its way (%s: at most 1 on a host, would be %" PRIu64 ")",
			guest, member_on(ask, refusal->other, target), host, rule, refusal->have + 1);
	if (refusal->code == ERR_RULE_AFFINITY)
		return error_set(err, refusal->code,
			"vm %s: none of its %" PRIu64 " companions would be with it on %s, and only %" PRIu64
			" of them can still follow (%s)", guest, refusal->need, host, refusal->have, rule);
	return error_set(err, refusal->code, "vm %s: %s %s %s", guest, rule,
		refusal->code == ERR_RULE_ONLY_ON ? "does not name" : "excludes", host);
}

enum { LISTED_MAX = 8, LIST_BYTES = 200 };

/* "a, b and 3 more", so that what could be chosen instead is seen at once. */
static void list_networks(const struct host *host, char *text, size_t size)
{
	size_t i, length = 0;

	text[0] = '\0';
	for (i = 0; i < host->n_networks && i < LISTED_MAX && length + strlen(host->networks[i]) + 24 < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s%s", i > 0 ? ", " : "", host->networks[i]);
	if (i < host->n_networks)
		snprintf(text + length, size - length, " and %zu more", host->n_networks - i);
}

static bool describe_network(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct host *host = &ask->inventory->hosts[target];
	char known[LIST_BYTES];

	list_networks(host, known, sizeof known);
	error_set(err, refusal->code, "vm %s: needs network %s, %s has none of that name; it has %s",
		ask->inventory->guests[ask->guest].name, refusal->what, host->name, known);
	error_hint(err, "make it there, or choose another with [map NAME] networks = %s:OTHER and --map NAME", refusal->what);
	return false;
}

static bool describe_lack(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	const struct host *host = &ask->inventory->hosts[target];

	if (refusal->code == ERR_TARGET_CPU_MODEL)
		return error_set(err, refusal->code, "vm %s: needs CPU model %s, %s has %s", guest->name, refusal->what,
			host->name, host->cpu_model);
	if (refusal->code == ERR_GUEST_DISK && refusal->what == guest->disks[refusal->other].backing) {
		error_set(err, refusal->code, "vm %s: cannot move live, and its disk %s lies on %s, which a cold copy to %s does not bring along",
			guest->name, guest->disks[refusal->other].target, refusal->what, host->name);
		error_hint(err, "make it one image: virsh blockpull %s %s --wait while the guest runs", guest->name,
			guest->disks[refusal->other].target);
		return false;
	}
	if (refusal->code == ERR_GUEST_DISK) {
		error_set(err, refusal->code, "vm %s: disk %s (%s) is in no storage pool of %s, and no pool of %s is named for it", guest->name,
			guest->disks[refusal->other].target, refusal->what,
			ask->inventory->hosts[ask->ledger->locations[ask->guest]].name, host->name);
		error_hint(err, "name one with --to-pool POOL, or target:%s:POOL in a [map]", guest->disks[refusal->other].target);
		return false;
	}
	if (refusal->code == ERR_TARGET_MEDIA)
		return error_set(err, refusal->code, "vm %s: %s has no CD-ROM image %s in pool %s", guest->name, host->name,
			refusal->what, guest->disks[refusal->other].pool);
	if (refusal->code == ERR_TARGET_POOL_MISSING)
		return error_set(err, refusal->code, "vm %s: needs pool %s, %s has none of that name (it has %zu)", guest->name,
			refusal->what != NULL ? refusal->what : "(none named)", host->name, host->n_pools);
	return describe_network(ask, target, refusal, err);
}

/* Whoever found the host down knows best what to do about it. */
static bool hint_down(const struct host *host, struct error *err)
{
	if (host->down.hint[0] != '\0')
		error_hint(err, "%s", host->down.hint);
	return false;
}

static bool describe_host(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	const struct host *host = &ask->inventory->hosts[target];

	if (refusal->code == ERR_NO_MIGRATION_NETWORK) {
		uint32_t network, a, b;

		if (!planner_network(ask->inventory, ask->ledger->locations[ask->guest], target, &network, &a, &b, err))
			return error_wrap(err, "vm %s", guest->name);
	}
	if (refusal->code == ERR_TARGET_GUEST_EXISTS)
		return error_set(err, refusal->code, "vm %s: %s has another guest of that name (UUID %s)", guest->name, host->name,
			ask->inventory->guests[refusal->other].uuid);
	if (refusal->code == ERR_SAME_HOST)
		return error_set(err, refusal->code, "vm %s: runs on %s already", guest->name, host->name);
	if (refusal->code == ERR_HOST_UNREACHABLE && host->down.code != ERR_NONE) {
		error_set(err, refusal->code, "vm %s: %s does not answer: %s", guest->name, host->name, host->down.message);
		return hint_down(host, err);
	}
	return error_set(err, refusal->code, "vm %s: %s: %s", guest->name, host->name, error_code_summary(refusal->code));
}

bool compat_describe(const struct fit_ask *ask, uint32_t target, const struct refusal *refusal, struct error *err)
{
	if (refusal->code == ERR_TARGET_MEMORY)
		return describe_memory(ask, target, refusal, err);
	if (refusal->code == ERR_TARGET_POOL_SPACE)
		return describe_space(ask, target, refusal, err);
	if (refusal->code == ERR_TARGET_CPU)
		return describe_cpu(ask, target, refusal, err);
	if (refusal->code == ERR_RULE_ANTI_AFFINITY || refusal->code == ERR_RULE_AFFINITY ||
		refusal->code == ERR_RULE_ONLY_ON || refusal->code == ERR_RULE_NEVER_ON)
		return describe_rule(ask, target, refusal, err);
	if (refusal->code == ERR_GUEST_DISK || refusal->code == ERR_TARGET_MEDIA || refusal->code == ERR_TARGET_CPU_MODEL || refusal->code == ERR_TARGET_POOL_MISSING ||
		refusal->code == ERR_TARGET_NETWORK_MISSING)
		return describe_lack(ask, target, refusal, err);
	return describe_host(ask, target, refusal, err);
}

static bool disks_can_move(const struct guest *guest, struct error *err)
{
	size_t i;

	for (i = 0; i < guest->n_disks; i++) {
		const struct disk *disk = &guest->disks[i];

		if (disk->passthrough)
			return error_set(err, ERR_GUEST_PASSTHROUGH, "vm %s: disk %s is a device of its host%s%s", guest->name,
				disk->target, disk->path != NULL ? ": " : "", disk->path != NULL ? disk->path : "");
		if (disk->pool == NULL && disk->path == NULL && disk->share_id == NULL && !disk->readonly)
			return error_set(err, ERR_GUEST_DISK, "vm %s: disk %s is in no storage pool and has no path", guest->name, disk->target);
	}
	return true;
}

bool planner_guest_can_move(const struct inventory *inventory, uint32_t guest, struct error *err)
{
	const struct guest *g = &inventory->guests[guest];
	const struct host *host = &inventory->hosts[g->host];

	if (g->state != GUEST_RUNNING && g->state != GUEST_PAUSED)
		return error_set(err, ERR_GUEST_NOT_RUNNING, "vm %s: is %s on %s", g->name, guest_state_name(g->state), host->name);
	if (!host->reachable) {
		error_set(err, ERR_HOST_UNREACHABLE, "vm %s: its host %s does not answer%s%s", g->name, host->name,
			host->down.code != ERR_NONE ? ": " : "", host->down.code != ERR_NONE ? host->down.message : "");
		return hint_down(host, err);
	}
	if (!host->outgoing)
		return error_set(err, ERR_HOST_OUTGOING_OFF, "vm %s: its host %s gives no guests away", g->name, host->name);
	if (g->unmovable != NULL) {
		if (err != NULL)
			*err = *g->unmovable;
		if (strstr(g->unmovable->message, g->name) == NULL)
			error_wrap(err, "vm %s", g->name);
		return false;
	}
	if (g->hostdevs > 0)
		return error_set(err, ERR_GUEST_HOSTDEV, "vm %s: uses %" PRIu32 " devices of %s", g->name, g->hostdevs, host->name);
	return disks_can_move(g, err);
}
