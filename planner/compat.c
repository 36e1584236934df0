/* The hard filters: may this guest run on that host.
 *
 * In order from what the host is (reachable, open, drained), over what it has (CPU,
 * networks, pools) to what it has left (rules, memory, vCPUs, space). The first refusal wins, so a host
 * that is refused for memory would otherwise do: that is what makes refusals comparable.
 */
#include "compat.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arith.h"

static bool refuse(struct refusal *ret, enum error_code code, uint64_t need, uint64_t have, const char *what, uint32_t other)
{
	*ret = (struct refusal){.code = code, .need = need, .have = have, .what = what, .other = other};
	return false;
}

static bool request_names(const struct request *request, const char *host)
{
	size_t i;

	for (i = 0; i < request->n_hosts; i++)
		if (strcmp(request->hosts[i], host) == 0)
			return true;
	return false;
}

static bool is_drained(const struct fit_ask *ask, uint32_t target)
{
	if (ask->drained != NULL)
		return ask->drained[target];
	return ask->request != NULL && ask->request->kind == REQUEST_DRAIN &&
		request_names(ask->request, ask->inventory->hosts[target].name);
}

/* A host that was drained stays cordoned, and its guests are brought back to it all the same. */
static bool is_return_to(const struct fit_ask *ask, const struct host *host)
{
	return ask->request != NULL && ask->request->kind == REQUEST_RETURN && request_names(ask->request, host->name);
}

static bool host_is_open(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct host *host = &ask->inventory->hosts[target];

	if (ask->ledger->locations[ask->guest] == target)
		return refuse(ret, ERR_SAME_HOST, 0, 0, NULL, 0);
	if (is_drained(ask, target))
		return refuse(ret, ERR_BEING_DRAINED, 0, 0, NULL, 0);
	if (!host->reachable)
		return refuse(ret, ERR_HOST_UNREACHABLE, 0, 0, NULL, 0);
	if (!host->incoming)
		return refuse(ret, ERR_HOST_INCOMING_OFF, 0, 0, NULL, 0);
	if (host->cordoned && !is_return_to(ask, host))
		return refuse(ret, ERR_HOST_CORDONED, 0, 0, NULL, 0);
	return true;
}

static bool name_is_free(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	uint32_t other = inventory_same_name(ask->inventory, ask->guest);

	for (; other != ask->guest; other = inventory_same_name(ask->inventory, other))
		if (ask->ledger->locations[other] == target)
			return refuse(ret, ERR_TARGET_GUEST_EXISTS, 0, 0, NULL, other);
	return true;
}

static bool rules_allow_host(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct model *model = ask->ledger->model;
	const struct model_guest *guest = &model->guests[ask->guest];
	uint32_t i;

	for (i = 0; i < guest->n_rules; i++) {
		uint32_t number = model->guest_rules[guest->first_rule + i];
		const struct model_rule *rule = &model->rules[number];

		if (rule->kind == RULE_ONLY_ON && !model_rule_names_host(rule, target))
			return refuse(ret, ERR_RULE_ONLY_ON, 0, 0, NULL, number);
		if (rule->kind == RULE_NEVER_ON && model_rule_names_host(rule, target))
			return refuse(ret, ERR_RULE_NEVER_ON, 0, 0, NULL, number);
	}
	return true;
}

/* Models that every host can give, whatever its own. */
static bool is_generic_cpu(const char *model)
{
	static const char *const generic[] = {"qemu64", "qemu32", "kvm64", "kvm32", "max", "x86-64-v1"};
	size_t i;

	for (i = 0; i < sizeof generic / sizeof generic[0]; i++)
		if (strcmp(model, generic[i]) == 0)
			return true;
	return false;
}

/* Names only: what a guest of another name really needs is asked of the hosts by the pre-flight. Equal hosts are equal
 * for every guest; otherwise the guest's model must be the target's. */
static bool cpu_matches(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct model *model = ask->ledger->model;
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	uint32_t wanted = model->guests[ask->guest].cpu_model, has = model->hosts[target].cpu_model;

	if (wanted == INDEX_NONE || has == INDEX_NONE || wanted == has ||
		model->hosts[ask->ledger->locations[ask->guest]].cpu_model == has || is_generic_cpu(guest->cpu_model))
		return true;
	return refuse(ret, ERR_TARGET_CPU_MODEL, 0, 0, guest->cpu_model, 0);
}

static const char *mapped_network(const struct fit_ask *ask, const char *name)
{
	size_t i;

	for (i = 0; ask->wanted != NULL && i < ask->wanted->n_nets; i++)
		if (strcmp(ask->wanted->nets[i].from, name) == 0)
			return ask->wanted->nets[i].to;
	for (i = 0; ask->request != NULL && i < ask->request->n_nets; i++)
		if (strcmp(ask->request->nets[i].from, name) == 0)
			return ask->request->nets[i].to;
	return name;
}

static bool networks_exist(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct model *model = ask->ledger->model;
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	bool is_mapped = (ask->wanted != NULL && ask->wanted->n_nets > 0) || (ask->request != NULL && ask->request->n_nets > 0);
	uint32_t first = model->guests[ask->guest].first_interface;
	size_t i;

	if (model->hosts[target].n_networks == 0)
		return true;
	for (i = 0; i < guest->n_interfaces; i++) {
		const char *name = is_mapped ? mapped_network(ask, guest->interfaces[i]) : guest->interfaces[i];
		uint32_t number = is_mapped ? model_name(model, name) : model->interfaces[first + i];

		if (number == INDEX_NONE || !model_host_has_network(model, target, number))
			return refuse(ret, ERR_TARGET_NETWORK_MISSING, 0, 0, name, 0);
	}
	return true;
}

static bool pools_exist(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	uint32_t i;

	for (i = 0; i < guest->n_disks; i++) {
		uint32_t pool;

		if (!ledger_disk_is_copied(ask->ledger, ask->guest, i, target))
			continue;
		pool = ledger_target_pool(ask->ledger, ask->guest, i, ask->request, ask->wanted);
		if (pool == INDEX_NONE && planner_target_pool(&guest->disks[i], ask->wanted, ask->request) == NULL)
			return refuse(ret, ERR_GUEST_DISK, 0, 0, guest->disks[i].path, i);
		if (pool == INDEX_NONE || model_host_pool(ask->ledger->model, target, pool) == INDEX_NONE)
			return refuse(ret, ERR_TARGET_POOL_MISSING, 0, 0,
				planner_target_pool(&guest->disks[i], ask->wanted, ask->request), 0);
	}
	return true;
}

/* A guest that is placed though it cannot move live goes cold. */
static bool goes_cold(const struct fit_ask *ask)
{
	struct error ignored;

	return !planner_guest_can_move(ask->inventory, ask->guest, &ignored);
}

/* Cold, a volume is copied byte for byte, and not what lies below it. */
static bool copies_are_whole(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	uint32_t i;

	for (i = 0; i < guest->n_disks; i++)
		if (guest->disks[i].backing != NULL && ledger_disk_is_copied(ask->ledger, ask->guest, i, target) && goes_cold(ask))
			return refuse(ret, ERR_GUEST_DISK, 0, 0, guest->disks[i].backing, i);
	return true;
}

/* The image of a CD-ROM is not copied: it has to lie at the same path there, in a pool that knows what it holds. Where no such pool
 * is known, the pre-flight and libvirt itself say more. */
static bool media_exist(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	uint32_t i;

	for (i = 0; i < guest->n_disks; i++)
		if (!guest->disks[i].may_be_missing_cold && planner_media_missing(ask->inventory, &guest->disks[i],
			ask->ledger->locations[ask->guest], target) && (!guest->disks[i].may_be_missing || goes_cold(ask)))
			return refuse(ret, ERR_TARGET_MEDIA, 0, 0, guest->disks[i].volume, i);
	return true;
}

static bool rules_hold_now(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct ledger *ledger = ask->ledger;
	const struct model_guest *guest = &ledger->model->guests[ask->guest];
	uint32_t source = ledger->locations[ask->guest], own = ledger->is_counted[ask->guest] ? 1 : 0, i;

	for (i = 0; i < guest->n_rules; i++) {
		uint32_t number = ledger->model->guest_rules[guest->first_rule + i];
		struct rule_count there = rule_counts_get(&ledger->counts, number, target);
		uint32_t here, others;

		if (ledger->model->rules[number].kind == RULE_ANTI_AFFINITY && there.present > 0)
			return refuse(ret, ERR_RULE_ANTI_AFFINITY, 0, there.present, NULL, number);
		if (ledger->model->rules[number].kind != RULE_AFFINITY || there.settled > 0)
			continue;
		others = ledger->rule_totals[number] - own;
		here = rule_counts_get(&ledger->counts, number, source).settled;
		here = here > own ? here - own : 0;
		if (others > here)
			return refuse(ret, ERR_RULE_AFFINITY, others, here, NULL, number);
	}
	return true;
}

/* Disks of one guest may share a pool: each is asked with the ones before it. */
static bool pools_have_room(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct guest *guest = &ask->inventory->guests[ask->guest];
	uint32_t pools[DISKS_MAX];
	uint64_t needs[DISKS_MAX];
	size_t n = 0, k;
	uint32_t i;

	for (i = 0; i < guest->n_disks; i++) {
		uint32_t pool = ledger_target_pool(ask->ledger, ask->guest, i, ask->request, ask->wanted);
		uint64_t has;

		if (!ledger_disk_is_copied(ask->ledger, ask->guest, i, target))
			continue;
		for (k = 0; k < n && pools[k] != pool; k++)
			;
		if (k == n) {
			assert(n < DISKS_MAX);
			pools[n] = pool;
			needs[n++] = 0;
		}
		needs[k] += ledger_disk_need(&guest->disks[i]);
		has = ledger_free_pool(ask->ledger, target, pool);
		if (needs[k] > has)
			return refuse(ret, ERR_TARGET_POOL_SPACE, needs[k], has, ask->ledger->model->texts[pool], pool);
	}
	return true;
}

static bool has_room(const struct fit_ask *ask, uint32_t target, struct refusal *ret)
{
	const struct ledger *ledger = ask->ledger;
	const struct model_guest *guest = &ledger->model->guests[ask->guest];
	uint64_t need = guest->memory_bytes + ask->extra_memory_bytes, has = ledger_free_memory(ledger, target);
	uint64_t limit = ledger_vcpu_limit(ledger, target);

	if (need > has)
		return refuse(ret, ERR_TARGET_MEMORY, need, has, NULL, 0);
	if (ledger->hosts[target].vcpus + guest->vcpus > limit)
		return refuse(ret, ERR_TARGET_CPU, guest->vcpus,
			limit > ledger->hosts[target].vcpus ? limit - ledger->hosts[target].vcpus : 0, NULL, 0);
	return pools_have_room(ask, target, ret);
}

bool compat_fits(const struct fit_ask *ask, uint32_t target, struct refusal *ret_refusal)
{
	struct path path;

	if (!host_is_open(ask, target, ret_refusal) || !name_is_free(ask, target, ret_refusal) ||
		!rules_allow_host(ask, target, ret_refusal))
		return false;
	if (!model_path_links(ask->ledger->model, ask->ledger->locations[ask->guest], target, &path))
		return refuse(ret_refusal, ERR_NO_MIGRATION_NETWORK, 0, 0, NULL, 0);
	if (!cpu_matches(ask, target, ret_refusal) || !networks_exist(ask, target, ret_refusal) ||
		!pools_exist(ask, target, ret_refusal) || !copies_are_whole(ask, target, ret_refusal) ||
		!media_exist(ask, target, ret_refusal))
		return false;
	return !ask->with_capacity || (rules_hold_now(ask, target, ret_refusal) && has_room(ask, target, ret_refusal));
}

int compat_rank(enum error_code code)
{
	static const enum error_code order[] = {
		ERR_SAME_HOST, ERR_BEING_DRAINED, ERR_HOST_UNREACHABLE, ERR_HOST_INCOMING_OFF, ERR_HOST_CORDONED,
		ERR_TARGET_GUEST_EXISTS, ERR_RULE_NEVER_ON, ERR_RULE_ONLY_ON, ERR_NO_MIGRATION_NETWORK,
		ERR_TARGET_CPU_MODEL, ERR_TARGET_NETWORK_MISSING, ERR_TARGET_POOL_MISSING, ERR_GUEST_DISK, ERR_TARGET_MEDIA,
		ERR_RULE_AFFINITY, ERR_RULE_ANTI_AFFINITY, ERR_TARGET_CPU, ERR_TARGET_POOL_SPACE, ERR_TARGET_MEMORY,
	};
	int i;

	for (i = 0; i < (int)(sizeof order / sizeof order[0]); i++)
		if (order[i] == code)
			return i;
	return -1;
}
