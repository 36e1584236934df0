/* The watch on both seams: see trial_watch.h. */
#include "trial_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

#define IN(state) (1u << MOVE_##state)

/* In which durable states a request may leave. */
static const unsigned may_leave_in[HV_KIND_COUNT] = {
	[HV_PREFLIGHT] = IN(PREFLIGHT),
	[HV_PREPARE] = IN(PREPARING),
	[HV_MIGRATE] = IN(COPYING_DISKS) | IN(COPYING_MEMORY) | IN(POST_COPY),
	[HV_START_POSTCOPY] = IN(POST_COPY),
	[HV_SET_RATE] = IN(COPYING_DISKS) | IN(COPYING_MEMORY) | IN(SWITCHOVER) | IN(POST_COPY) | IN(CANCELLING),
	[HV_SET_DOWNTIME] = IN(COPYING_DISKS) | IN(COPYING_MEMORY),
	[HV_STATS] = IN(COPYING_DISKS) | IN(COPYING_MEMORY) | IN(SWITCHOVER) | IN(POST_COPY) | IN(CANCELLING),
	[HV_PATH] = IN(COPYING_DISKS) | IN(COPYING_MEMORY),
	[HV_ABORT] = IN(CANCELLING),
	[HV_SHUTDOWN] = IN(PREPARING),
	[HV_COPY] = IN(COPYING_DISKS),
	[HV_DEFINE] = IN(VERIFYING),
	[HV_START] = IN(UNKNOWN) | IN(VERIFYING),
	[HV_WHERE] = IN(PREPARING) | IN(UNKNOWN) | IN(VERIFYING) | IN(SWITCHOVER),
	[HV_FINISH_TARGET] = IN(CLEANUP),
	[HV_FINISH_SOURCE] = IN(CLEANUP),
	[HV_REMOVE_VOLUMES] = IN(UNKNOWN),
	[HV_CLEAR_TAG] = IN(UNKNOWN),
	[HV_RESUME] = IN(UNKNOWN) | IN(VERIFYING),
	[HV_SUSPEND] = IN(UNKNOWN) | IN(VERIFYING),
	[HV_DESTROY] = IN(UNKNOWN) | IN(VERIFYING) | IN(SWITCHOVER),
};

static struct durable *find(const struct trial_watch *watch, uint64_t move)
{
	size_t i;

	if (move > 0 && move <= watch->n_moves && watch->moves[move - 1].id == move)
		return &watch->moves[move - 1]; /* ids count from 1 */
	for (i = 0; i < watch->n_moves; i++)
		if (watch->moves[i].id == move)
			return &watch->moves[i];
	return NULL;
}

const struct durable *trial_watch_find(const struct trial_watch *watch, uint64_t move)
{
	return find(watch, move);
}

static void remember(struct trial_watch *watch, const struct move_record *record)
{
	struct durable *move = find(watch, record->id);

	if (move == NULL) {
		watch->moves = xgrow(watch->moves, watch->n_moves, sizeof *watch->moves);
		move = &watch->moves[watch->n_moves++];
		*move = (struct durable){.id = record->id};
	}
	move->state = record->state;
	move->epoch = record->epoch;
	move->attempts = record->attempts;
	move->n_disks = record->n_disks;
	move->cancel_requested = record->cancel_requested;
	move->handover_paused = record->handover_paused;
	snprintf(move->source, sizeof move->source, "%s", record->source != NULL ? record->source : "");
	snprintf(move->target, sizeof move->target, "%s", record->target != NULL ? record->target : "");
}

static bool die(struct trial_watch *watch, struct error *err)
{
	watch->is_dead = true;
	watch->crash_at = 0;
	return error_set(err, ERR_STATE_IO, "injected: the process is dead");
}

static bool watch_commit(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err)
{
	struct trial_watch *watch = store->self;
	bool is_last = watch->crash_at != 0 && watch->n_commits + 1 >= watch->crash_at;
	size_t i;

	if (watch->is_dead || (is_last && !watch->is_crash_after))
		return die(watch, err);
	if (!watch->inner->commit(watch->inner, ops, n_ops, err))
		return false;
	watch->n_commits++;
	for (i = 0; i < n_ops; i++)
		if (ops[i].kind == STORE_PUT_MOVE)
			remember(watch, ops[i].move);
	if (is_last && watch->sends_left == 0)
		return die(watch, err);
	if (is_last) {
		watch->is_dead = true; /* between two requests of this very step */
		watch->crash_at = 0;
	}
	return true;
}

static bool watch_load(struct store *store, struct store_image **ret_image, struct error *err)
{
	struct trial_watch *watch = store->self;

	return watch->inner->load(watch->inner, ret_image, err);
}

static bool watch_audit(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n, struct error *err)
{
	struct trial_watch *watch = store->self;

	return watch->inner->audit(watch->inner, batch, ret_rows, ret_n, err);
}

static void watch_close(struct store *store)
{
	(void)store; /* trial_watch_clear closes the inner one */
}

static void breach(struct trial_watch *watch, const struct hv_request *request, const struct durable *move, const char *what)
{
	if (watch->breach.code == ERR_NONE)
		error_set(&watch->breach, ERR_INTERNAL, "%s for guest %s (move %llu, epoch %llu) leaves %s: durable is %s, epoch %llu",
			hv_kind_name(request->kind), request->guest, (unsigned long long)request->job.move,
			(unsigned long long)request->job.epoch, what, move != NULL ? move_state_name(move->state) : "nothing",
			move != NULL ? (unsigned long long)move->epoch : 0ULL);
}

static void check_once(struct trial_watch *watch, const struct hv_request *request, struct durable *move, uint64_t *epoch)
{
	if (*epoch >= request->job.epoch)
		breach(watch, request, move, "a second time");
	*epoch = request->job.epoch;
}

/* Taking an attempt back, the definition on the target goes; nothing of the source's is touched before CLEANUP. */
static bool takes_back(const struct durable *move, const struct hv_request *request)
{
	return request->kind == HV_FINISH_SOURCE && move != NULL && move->state == MOVE_UNKNOWN &&
		strcmp(request->host, move->target) == 0 && request->n_disks == 0;
}

static void check(struct trial_watch *watch, const struct hv_request *request)
{
	struct durable *move = find(watch, request->job.move);

	if (request->kind == HV_PROBE || takes_back(move, request))
		return;
	if (move == NULL || (may_leave_in[request->kind] & 1u << move->state) == 0) {
		breach(watch, request, move, "in the wrong state");
		return;
	}
	if (move->epoch != request->job.epoch)
		breach(watch, request, move, "with another epoch");
	if (request->kind == HV_PREPARE)
		check_once(watch, request, move, &move->prepared_epoch);
	else if (request->kind == HV_MIGRATE && request->postcopy_recover != (move->state == MOVE_POST_COPY))
		breach(watch, request, move, request->postcopy_recover ? "to go on with a post-copy" : "to begin in post-copy");
	else if (request->kind == HV_MIGRATE && !request->postcopy_recover)
		check_once(watch, request, move, &move->migrated_epoch);
}

static void watch_submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct trial_watch *watch = hypervisor->self;

	if (watch->is_dead) {
		if (watch->sends_left == 0)
			return;
		watch->sends_left--;
	}
	check(watch, request);
	watch->n_sent[request->kind]++;
	watch->world->submit(watch->world, request);
}

void trial_watch_init(struct trial_watch *watch, struct store *inner, struct hypervisor *world)
{
	*watch = (struct trial_watch){
		.store = {.self = watch, .load = watch_load, .commit = watch_commit, .audit = watch_audit, .close = watch_close},
		.inner = inner,
		.hypervisor = {.self = watch, .submit = watch_submit},
		.world = world,
	};
}

void trial_watch_clear(struct trial_watch *watch)
{
	watch->inner->close(watch->inner);
	free(watch->moves);
}
