/* The capacity ledger: what every host has left, counting each move on both sides.
 *
 * Memory, vCPUs and membership of a group count on the source until the end and
 * on the target from the start. Space in pools is measured from outside and includes
 * finished copies only at the next measurement, so a finished move's share stays
 * taken until ledger_update_host. What a move frees on its source's pool is not counted before it is measured.
 */
#include "ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "arith.h"
#include "xalloc.h"

enum { REFERENCE_MS = 60000 }; /* a minute of inbound traffic weighs as much as a full host */

static bool takes_room(const struct guest *guest)
{
	return guest->state != GUEST_SHUTOFF;
}

/* sign +1 or -1 by is_added; settled = it counts as being there in the end. */
static void count_rules(struct ledger *ledger, uint32_t guest, uint32_t host, bool is_added, bool present, bool settled)
{
	const struct model_guest *g = &ledger->model->guests[guest];
	uint32_t i;

	for (i = 0; i < g->n_rules; i++) {
		struct rule_count *count =
			rule_counts_at(&ledger->counts, ledger->model->guest_rules[g->first_rule + i], host);

		if (present)
			count->present += is_added ? 1u : UINT32_MAX;
		if (settled)
			count->settled += is_added ? 1u : UINT32_MAX;
	}
}

static void take_room(struct ledger *ledger, uint32_t guest, uint32_t host)
{
	struct host_use *use = &ledger->hosts[host];

	use->memory_bytes += ledger->model->guests[guest].memory_bytes;
	use->vcpus += ledger->model->guests[guest].vcpus;
	use->n_guests++;
}

static void give_room(struct ledger *ledger, uint32_t guest, uint32_t host)
{
	struct host_use *use = &ledger->hosts[host];

	assert(use->n_guests > 0 && use->memory_bytes >= ledger->model->guests[guest].memory_bytes);
	use->memory_bytes -= ledger->model->guests[guest].memory_bytes;
	use->vcpus -= ledger->model->guests[guest].vcpus;
	use->n_guests--;
}

static void set_counted(struct ledger *ledger, uint32_t guest, bool counted)
{
	const struct model_guest *g = &ledger->model->guests[guest];
	uint32_t host = ledger->locations[guest], i;

	ledger->is_counted[guest] = counted;
	if (counted)
		take_room(ledger, guest, host);
	else
		give_room(ledger, guest, host);
	count_rules(ledger, guest, host, counted, true, true);
	for (i = 0; i < g->n_rules; i++)
		ledger->rule_totals[ledger->model->guest_rules[g->first_rule + i]] += counted ? 1u : UINT32_MAX;
}

static struct ledger *ledger_make(struct model *model, bool owns_model)
{
	const struct inventory *inventory = model->inventory;
	struct ledger *ledger = xcalloc(1, sizeof *ledger);
	uint32_t i;

	ledger->inventory = inventory;
	ledger->model = model;
	ledger->owns_model = owns_model;
	ledger->hosts = xcalloc(inventory->n_hosts, sizeof *ledger->hosts);
	ledger->pools = xcalloc(inventory->n_hosts, sizeof *ledger->pools);
	ledger->locations = xcalloc(inventory->n_guests, sizeof *ledger->locations);
	ledger->flights = xcalloc(inventory->n_guests, sizeof(struct flight *));
	ledger->is_counted = xcalloc(inventory->n_guests, sizeof *ledger->is_counted);
	ledger->rule_totals = xcalloc(inventory->n_rules, sizeof *ledger->rule_totals);
	ledger->rule_flights = xcalloc(inventory->n_rules, sizeof *ledger->rule_flights);
	ledger->reference_ms = REFERENCE_MS;
	rule_counts_init(&ledger->counts);
	for (i = 0; i < inventory->n_guests; i++) {
		ledger->locations[i] = inventory->guests[i].host;
		if (takes_room(&inventory->guests[i]))
			set_counted(ledger, i, true);
	}
	return ledger;
}

struct ledger *ledger_new(const struct inventory *inventory, const struct plan_options *options)
{
	return ledger_make(model_new(inventory, options), true);
}

struct ledger *ledger_new_sharing(const struct ledger *other)
{
	return ledger_make(other->model, false);
}

static void flight_free(struct flight *flight)
{
	if (flight == NULL)
		return;
	free(flight->disks);
	free(flight);
}

void ledger_free(struct ledger *ledger)
{
	size_t i;

	if (ledger == NULL)
		return;
	for (i = 0; i < ledger->inventory->n_guests; i++)
		flight_free(ledger->flights[i]);
	for (i = 0; i < ledger->inventory->n_hosts; i++)
		free(ledger->pools[i].uses);
	rule_counts_free(&ledger->counts);
	if (ledger->owns_model)
		model_free(ledger->model);
	free(ledger->hosts);
	free(ledger->pools);
	free(ledger->locations);
	free(ledger->flights);
	free(ledger->is_counted);
	free(ledger->rule_totals);
	free(ledger->rule_flights);
	free(ledger);
}

uint64_t ledger_free_memory(const struct ledger *ledger, uint32_t host)
{
	const struct host *h = &ledger->inventory->hosts[host];
	uint64_t used = h->memory_reserve_bytes + ledger->hosts[host].memory_bytes;

	return h->memory_bytes > used ? h->memory_bytes - used : 0;
}

uint64_t ledger_vcpu_limit(const struct ledger *ledger, uint32_t host)
{
	const struct host *h = &ledger->inventory->hosts[host];

	return h->cpus == 0 ? UINT64_MAX : (uint64_t)h->cpus * h->cpu_overcommit_milli / 1000;
}

static struct pool_use *pool_use(struct ledger *ledger, uint32_t host, uint32_t name)
{
	struct pool_uses *uses = &ledger->pools[host];
	size_t i;

	for (i = 0; i < uses->n; i++)
		if (uses->uses[i].name == name)
			return &uses->uses[i];
	uses->uses = xgrow(uses->uses, uses->n, sizeof *uses->uses);
	uses->uses[uses->n] = (struct pool_use){.name = name};
	return &uses->uses[uses->n++];
}

uint64_t ledger_free_pool(const struct ledger *ledger, uint32_t host, uint32_t pool)
{
	const struct pool_uses *uses = &ledger->pools[host];
	uint32_t at = model_host_pool(ledger->model, host, pool);
	uint64_t available, taken = 0;
	size_t i;

	if (at == INDEX_NONE || at >= ledger->inventory->hosts[host].n_pools)
		return 0;
	available = ledger->inventory->hosts[host].pools[at].available_bytes;
	for (i = 0; i < uses->n; i++)
		if (uses->uses[i].name == pool)
			taken = uses->uses[i].pending_bytes + uses->uses[i].settled_bytes;
	return available > taken ? available - taken : 0;
}

uint32_t ledger_target_pool(const struct ledger *ledger, uint32_t guest, uint32_t disk,
	const struct request *request, const struct wanted_move *wanted)
{
	const struct disk *d = &ledger->inventory->guests[guest].disks[disk];
	bool is_mapped = (wanted != NULL && (wanted->n_pools > 0 || wanted->to_pool != NULL)) ||
		(request != NULL && (request->n_pools > 0 || request->to_pool != NULL));

	if (!is_mapped)
		return ledger->model->disk_pools[ledger->model->guests[guest].first_disk + disk];
	return model_name(ledger->model, planner_target_pool(d, wanted, request));
}

bool ledger_disk_is_copied(const struct ledger *ledger, uint32_t guest, uint32_t disk, uint32_t target)
{
	const struct model *model = ledger->model;
	uint32_t source = ledger->locations[guest], at;

	if (ledger->inventory->guests[guest].disks[disk].readonly || ledger->inventory->guests[guest].disks[disk].share_id != NULL)
		return false;
	at = model_host_pool(model, source, model->disk_pools[model->guests[guest].first_disk + disk]);
	if (at == INDEX_NONE || model->hosts[source].pools[at].share == INDEX_NONE)
		return true;
	return !model_host_has_share(model, target, model->hosts[source].pools[at].share);
}

uint64_t ledger_disk_need(const struct disk *disk)
{
	return disk->allocation_bytes != 0 ? disk->allocation_bytes : disk->capacity_bytes;
}

static void reserve_disks(struct ledger *ledger, uint32_t guest, struct flight *flight,
	const struct request *request, const struct wanted_move *wanted)
{
	const struct guest *g = &ledger->inventory->guests[guest];
	uint32_t i;

	flight->disks = xcalloc(g->n_disks, sizeof *flight->disks);
	for (i = 0; i < g->n_disks; i++) {
		uint32_t pool = ledger_target_pool(ledger, guest, i, request, wanted);
		uint64_t need = ledger_disk_need(&g->disks[i]);

		if (!ledger_disk_is_copied(ledger, guest, i, flight->target))
			continue;
		flight->inbound_bytes += need;
		if (pool == INDEX_NONE)
			continue;
		flight->disks[flight->n_disks].name = pool;
		flight->disks[flight->n_disks++].pending_bytes = need;
		pool_use(ledger, flight->target, pool)->pending_bytes += need;
	}
}

static void count_flight(struct ledger *ledger, uint32_t guest, bool is_added)
{
	const struct model_guest *g = &ledger->model->guests[guest];
	uint32_t i;

	for (i = 0; i < g->n_rules; i++)
		ledger->rule_flights[ledger->model->guest_rules[g->first_rule + i]] += is_added ? 1u : UINT32_MAX;
}

void ledger_start(struct ledger *ledger, uint32_t guest, uint32_t target, const struct request *request,
	const struct wanted_move *wanted)
{
	const struct guest *g = &ledger->inventory->guests[guest];
	struct flight *flight = xcalloc(1, sizeof *flight);

	assert(ledger->flights[guest] == NULL && ledger->locations[guest] != target);
	if (!ledger->is_counted[guest])
		set_counted(ledger, guest, true);
	flight->target = target;
	flight->inbound_bytes = g->used_memory_bytes != 0 ? g->used_memory_bytes : g->memory_bytes;
	reserve_disks(ledger, guest, flight, request, wanted);
	ledger->flights[guest] = flight;
	take_room(ledger, guest, target);
	ledger->hosts[target].inbound_bytes += flight->inbound_bytes;
	count_rules(ledger, guest, target, true, true, true);
	count_rules(ledger, guest, ledger->locations[guest], false, false, true);
	count_flight(ledger, guest, true);
}

/* Takes the flight out of all tables but that of rooms and rules. */
static struct flight *end_flight(struct ledger *ledger, uint32_t guest, bool has_arrived)
{
	struct flight *flight = ledger->flights[guest];
	size_t i;

	assert(flight != NULL);
	for (i = 0; i < flight->n_disks; i++) {
		struct pool_use *use = pool_use(ledger, flight->target, flight->disks[i].name);

		use->pending_bytes -= flight->disks[i].pending_bytes;
		if (has_arrived)
			use->settled_bytes += flight->disks[i].pending_bytes;
	}
	ledger->hosts[flight->target].inbound_bytes -= flight->inbound_bytes;
	ledger->flights[guest] = NULL;
	count_flight(ledger, guest, false);
	return flight;
}

void ledger_finish(struct ledger *ledger, uint32_t guest)
{
	struct flight *flight = end_flight(ledger, guest, true);

	give_room(ledger, guest, ledger->locations[guest]);
	count_rules(ledger, guest, ledger->locations[guest], false, true, false);
	ledger->locations[guest] = flight->target;
	flight_free(flight);
}

void ledger_cancel(struct ledger *ledger, uint32_t guest)
{
	struct flight *flight = end_flight(ledger, guest, false);

	give_room(ledger, guest, flight->target);
	count_rules(ledger, guest, flight->target, false, true, true);
	count_rules(ledger, guest, ledger->locations[guest], true, false, true);
	flight_free(flight);
}

/* Guests that were started, stopped or carried off by somebody else since. */
static void recount_guests(struct ledger *ledger)
{
	const struct inventory *inventory = ledger->inventory;
	uint32_t i;

	for (i = 0; i < inventory->n_guests; i++) {
		bool runs = takes_room(&inventory->guests[i]);

		if (ledger->flights[i] != NULL)
			continue;
		if (ledger->is_counted[i] && (!runs || ledger->locations[i] != inventory->guests[i].host))
			set_counted(ledger, i, false);
		ledger->locations[i] = inventory->guests[i].host;
		if (runs && !ledger->is_counted[i])
			set_counted(ledger, i, true);
	}
}

void ledger_update_host(struct ledger *ledger, uint32_t host)
{
	size_t i;

	model_update_host(ledger->model, host);
	for (i = 0; i < ledger->pools[host].n; i++)
		ledger->pools[host].uses[i].settled_bytes = 0;
	recount_guests(ledger);
}
