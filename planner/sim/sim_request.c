/* The way of a request: submit, the trip to its host, the work, and the reply's trip
 * back; and what the manager learns instead when the connection is gone. Requests reach a host in the
 * order in which they were sent; replies may overtake each other. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

static const bool brings_lists[HV_KIND_COUNT] = {
	[HV_PREFLIGHT] = true, [HV_PREPARE] = true, [HV_MIGRATE] = true, [HV_FINISH_SOURCE] = true, [HV_REMOVE_VOLUMES] = true,
	[HV_COPY] = true, [HV_DEFINE] = true,
	[HV_SAME_POOLS] = true,
};

static struct sim_op *op_take(struct sim *sim)
{
	struct sim_op *op = sim->free_ops;

	if (op == NULL)
		return xcalloc(1, sizeof *op);
	sim->free_ops = op->next;
	memset(op, 0, sizeof *op);
	return op;
}

void sim_op_free(struct sim *sim, struct sim_op *op)
{
	hv_request_free(op->request);
	op->request = NULL;
	hv_reply_clear(&op->reply);
	op->next = sim->free_ops;
	sim->free_ops = op;
}

int64_t sim_latency_us(struct sim *sim, enum hv_kind kind)
{
	if (kind == HV_STATS)
		return sim_us(sim->options.stats_ms) / 2;
	return sim_random_between(&sim->rng, sim_us(sim->options.request_min_ms), sim_us(sim->options.request_max_ms)) / 2;
}

static uint32_t find_guest(const struct sim *sim, const struct hv_request *request, bool *ret_is_by_name)
{
	*ret_is_by_name = request->uuid == NULL || request->uuid[0] == '\0';
	if (!*ret_is_by_name)
		return name_index_find(sim->guest_uuids, request->uuid);
	return request->guest == NULL ? INDEX_NONE : name_index_find(sim->guest_names, request->guest);
}

void sim_submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct sim *sim = hypervisor->self;
	struct sim_op *op = op_take(sim);
	int64_t at_us = sim->now_us + sim_latency_us(sim, request->kind);

	op->manager = sim->manager;
	op->sent_us = sim->now_us;
	op->kind = request->kind;
	op->guest = find_guest(sim, request, &op->is_by_name);
	op->host = request->host == NULL ? INDEX_NONE : inventory_host(sim->inventory, request->host);
	op->target = request->target == NULL ? INDEX_NONE : inventory_host(sim->inventory, request->target);
	op->rate = request->rate_bytes_per_s;
	op->downtime_ms = request->downtime_ms;
	op->autostart = request->autostart;
	op->persistent = request->persistent;
	op->auto_converge = request->auto_converge;
	op->cold = request->cold;
	op->is_measured = request->measure_ms > 0;
	op->paused_handover = request->paused_handover;
	op->postcopy = request->postcopy;
	op->postcopy_recover = request->postcopy_recover;
	op->job = request->job;
	op->reply.tag = request->tag;
	op->reply.kind = request->kind;
	if (brings_lists[request->kind])
		op->request = hv_request_copy(request);
	if (op->host != INDEX_NONE) {
		struct sim_host *host = &sim->hosts[op->host];

		at_us = at_us > host->last_arrival_us ? at_us : host->last_arrival_us;
		host->last_arrival_us = at_us;
	}
	sim_push(sim, at_us, SIM_EVENT_ARRIVE, 0, 0, op);
}

struct sim_copy *sim_op_copy(struct sim *sim, struct sim_op *op)
{
	uint32_t guest = op->guest;
	struct sim_copy *copy;

	if (guest == INDEX_NONE)
		return NULL;
	copy = sim_copy_on(sim, guest, op->host);
	while (copy == NULL && op->is_by_name && (guest = sim->guests[guest].same_name) != INDEX_NONE)
		copy = sim_copy_on(sim, guest, op->host);
	if (copy != NULL)
		op->guest = guest;
	return copy;
}

/* --- replies --- */

static void clear_results(struct hv_reply *reply)
{
	uint64_t tag = reply->tag;
	enum hv_kind kind = reply->kind;

	hv_reply_clear(reply);
	memset(reply, 0, sizeof *reply);
	reply->tag = tag;
	reply->kind = kind;
}

void sim_op_unknown(struct sim *sim, struct sim_op *op, enum error_code code, const char *why, int64_t delay_us)
{
	clear_results(&op->reply);
	error_set(&op->reply.error, code, "host %s: %s: %s", op->host == INDEX_NONE ? "?" : sim_host_name(sim, op->host),
		hv_kind_name(op->kind), why);
	op->reply.outcome_unknown = true;
	op->is_local = true;
	sim_push(sim, sim->now_us + delay_us, SIM_EVENT_REPLY, 0, 0, op);
}

static struct sim_op *op_double(struct sim *sim, const struct sim_op *op)
{
	struct sim_op *twin = op_take(sim);

	*twin = *op;
	twin->next = NULL;
	twin->request = NULL;
	twin->reply_is_doubled = false;
	twin->reply.disks = hv_disks_copy(op->reply.disks, op->reply.n_disks);
	twin->reply.preflight.disks = hv_disks_copy(op->reply.preflight.disks, op->reply.preflight.n_disks);
	if (op->reply.inventory != NULL)
		twin->reply.inventory = inventory_copy(op->reply.inventory);
	return twin;
}

void sim_op_reply(struct sim *sim, struct sim_op *op, int64_t delay_us)
{
	int64_t at_us = sim->now_us + sim_latency_us(sim, op->kind) + delay_us + op->reply_delay_us;

	if (op->manager != sim->manager) {
		sim_op_free(sim, op);
		return;
	}
	if (op->reply_is_lost) {
		sim_op_unknown(sim, op, ERR_TIMEOUT, "no answer", sim_us(sim->options.request_timeout_ms));
		return;
	}
	if (op->reply_is_doubled)
		sim_push(sim, at_us + sim_latency_us(sim, op->kind), SIM_EVENT_REPLY, 0, 0, op_double(sim, op));
	sim_push(sim, at_us, SIM_EVENT_REPLY, 0, 0, op);
}

/* False when the reply has to wait, or has become unknown and was sent anew. */
static bool can_pass(struct sim *sim, struct sim_op *op)
{
	const struct sim_host *host;

	if (op->is_local || op->host == INDEX_NONE)
		return true;
	host = &sim->hosts[op->host];
	if (op->sent_us <= host->lost_before_us) {
		sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, "the connection broke", 0);
		return false;
	}
	if (!sim_host_answers(sim, op->host) && !host->is_down_for_manager) {
		sim_push(sim, host->detect_us, SIM_EVENT_REPLY, 0, 0, op);
		return false;
	}
	return true;
}

void sim_op_deliver(struct sim *sim, struct sim_op *op)
{
	struct hv_reply reply;

	if (op->manager != sim->manager || !sim->has_listener) {
		sim_op_free(sim, op);
		return;
	}
	if (!can_pass(sim, op))
		return;
	reply = op->reply;
	memset(&op->reply, 0, sizeof op->reply);
	sim_op_free(sim, op);
	sim->listener.on_reply(sim->listener.self, &reply);
}

/* --- arrival --- */

static void work(struct sim *sim, struct sim_op *op)
{
	switch (op->kind) {
	case HV_PREFLIGHT: sim_do_preflight(sim, op); break;
	case HV_PREPARE: sim_do_prepare(sim, op); break;
	case HV_MIGRATE:
		if (sim_do_migrate(sim, op))
			return;
		break;
	case HV_SET_RATE:
	case HV_SET_DOWNTIME: sim_do_set(sim, op); break;
	case HV_START_POSTCOPY: sim_do_start_postcopy(sim, op); break;
	case HV_STATS: sim_do_stats(sim, op); break;
	case HV_ABORT: sim_do_abort(sim, op); break;
	case HV_WHERE: sim_do_where(sim, op); break;
	case HV_FINISH_TARGET: sim_do_finish_target(sim, op); break;
	case HV_FINISH_SOURCE: sim_do_finish_source(sim, op); break;
	case HV_REMOVE_VOLUMES: sim_do_remove_volumes(sim, op); break;
	case HV_CLEAR_TAG: sim_do_clear_tag(sim, op); break;
	case HV_RESUME: sim_do_resume(sim, op); break;
	case HV_SUSPEND: sim_do_suspend(sim, op); break;
	case HV_DESTROY: sim_do_destroy(sim, op); break;
	case HV_PATH: error_set(&op->reply.error, ERR_UNSUPPORTED, "a simulated host shows no connections"); break;
	case HV_SHUTDOWN: sim_do_shutdown(sim, op); break;
	case HV_COPY:
		if (sim_do_copy(sim, op))
			return;
		break;
	case HV_DEFINE: sim_do_define(sim, op); break;
	case HV_START: sim_do_start(sim, op); break;
	case HV_SAME_POOLS: sim_do_same_pools(sim, op); break;
	case HV_PROBE: op->reply.inventory = sim_probe(sim, op->host, op->is_measured); break;
	case HV_EXAMINE:
	case HV_EXAMINE_PAIR:
		error_set(&op->reply.error, ERR_UNSUPPORTED, "host %s is simulated", sim_host_name(sim, op->host));
		break;
	case HV_KIND_COUNT: assert(!"no such request");
	}
	sim_op_reply(sim, op, 0);
}

/* The daemon hangs. The manager's patience may end before: then it is told so, and the work is done
 * all the same when the daemon goes on. */
static void wait_hung(struct sim *sim, struct sim_op *op, int64_t until_us)
{
	int64_t patience_us = op->sent_us + sim_us(sim->options.request_timeout_ms);

	if (op->kind != HV_MIGRATE && op->kind != HV_COPY && op->manager == sim->manager && patience_us < until_us && patience_us >= sim->now_us) {
		struct sim_op *answer = op_double(sim, op);

		sim_op_unknown(sim, answer, ERR_TIMEOUT, "no answer", patience_us - sim->now_us);
		op->manager = 0;
	}
	sim_push(sim, until_us, SIM_EVENT_ARRIVE, 0, 0, op);
}

static bool refuse_unreachable(struct sim *sim, struct sim_op *op)
{
	const struct sim_host *host = &sim->hosts[op->host];

	if (op->sent_us <= host->lost_before_us) {
		sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, "the connection broke", 0);
		return true;
	}
	if (sim_host_answers(sim, op->host))
		return false;
	if (host->is_down_for_manager) {
		error_set(&op->reply.error, ERR_HOST_UNREACHABLE, "host %s: not connected", sim_host_name(sim, op->host));
		op->is_local = true;
		sim_op_reply(sim, op, 0);
	} else {
		op->has_waited = true;
		sim_push(sim, host->detect_us, SIM_EVENT_ARRIVE, 0, 0, op);
	}
	return true;
}

void sim_op_arrive(struct sim *sim, struct sim_op *op)
{
	if (op->host == INDEX_NONE) {
		error_set(&op->reply.error, ERR_UNKNOWN_HOST, "%s: no such host", hv_kind_name(op->kind));
		op->is_local = true;
		sim_op_reply(sim, op, 0);
		return;
	}
	if (refuse_unreachable(sim, op))
		return;
	if (op->has_waited && op->manager != sim->manager) {
		sim_op_free(sim, op); /* the socket that was to send it again is gone with its process */
		return;
	}
	if (sim->hosts[op->host].hung_until_us > sim->now_us) {
		wait_hung(sim, op, sim->hosts[op->host].hung_until_us);
		return;
	}
	sim->counters.requests[op->kind]++;
	if (sim_fault_on_request(sim, op))
		sim_op_reply(sim, op, 0);
	else
		work(sim, op);
}

/* --- notes --- */

void sim_note_send(struct sim *sim, enum hv_note_kind kind, uint32_t host, uint32_t guest, uint32_t round, const char *error)
{
	struct sim_note *note = sim->free_notes;

	if (!sim->has_listener)
		return;
	if (note == NULL)
		note = xmalloc(sizeof *note);
	else
		sim->free_notes = note->next;
	memset(note, 0, sizeof *note);
	note->manager = sim->manager;
	note->host_index = host;
	note->is_local = kind == HV_NOTE_HOST_UP || kind == HV_NOTE_HOST_DOWN;
	note->note.kind = kind;
	note->note.host = sim_host_name(sim, host);
	note->note.round = round;
	if (guest != INDEX_NONE) {
		note->note.guest = sim_guest_name(sim, guest);
		note->note.uuid = sim->inventory->guests[guest].uuid;
	}
	if (error != NULL)
		error_set(&note->note.error, ERR_HOST_UNREACHABLE, "host %s: %s", note->note.host, error);
	sim_push(sim, sim->now_us + (note->is_local ? 0 : sim_latency_us(sim, HV_WHERE)), SIM_EVENT_NOTE, 0, 0, note);
}

void sim_note_deliver(struct sim *sim, struct sim_note *note)
{
	bool passes = note->is_local || (sim_host_answers(sim, note->host_index) && !sim->hosts[note->host_index].is_down_for_manager);

	if (passes && note->manager == sim->manager && sim->has_listener)
		sim->listener.on_note(sim->listener.self, &note->note);
	note->next = sim->free_notes;
	sim->free_notes = note;
}

void sim_requests_clear(struct sim *sim)
{
	struct sim_op *op;
	struct sim_note *note;
	size_t i;

	for (i = 0; i < sim->n_heap; i++) {
		if (sim->heap[i].kind == SIM_EVENT_ARRIVE || sim->heap[i].kind == SIM_EVENT_REPLY)
			sim_op_free(sim, sim->heap[i].object);
		else if (sim->heap[i].kind == SIM_EVENT_NOTE)
			free(sim->heap[i].object);
	}
	while ((op = sim->free_ops) != NULL) {
		sim->free_ops = op->next;
		free(op);
	}
	while ((note = sim->free_notes) != NULL) {
		sim->free_notes = note->next;
		free(note);
	}
}
