/* The way of one attempt: preflight, prepare, migrate, and what its statistics say.
 *
 * Every failure after the first side effect (PREPARING) leads to UNKNOWN and to
 * reconcile; nothing here concludes from an error text where a guest runs.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

enum {
	ABORT_AGAIN_MS = 10000,
	DISKS_LEVEL_BYTES = 4 << 20, /* what a guest may have written since the last look */
	/* A libvirtd answers no question about a guest that it is handing over, and the thread that asked
	 * is held up for seconds; the end of the call or an event says more. */
	SWITCHOVER_STATS_MS = 5000,
};

static void add_maps(struct name_map **maps, size_t *n, const struct name_map *from, size_t n_from)
{
	size_t i;

	for (i = 0; i < n_from; i++) {
		*maps = xgrow(*maps, *n, sizeof **maps);
		(*maps)[(*n)++] = from[i];
	}
}

/* First match wins, so the move's own mappings come before the request's. */
static void collect_maps(struct engine *engine, struct move *move)
{
	const struct wanted_move *wanted = move_wanted(engine, move);
	const struct request *request = move_request_of(engine, move);

	free(move->pools);
	free(move->nets);
	move->nets = NULL;
	move->n_nets = 0;
	move->pools = planner_pool_maps(wanted, request, &move->n_pools);
	if (wanted != NULL)
		add_maps(&move->nets, &move->n_nets, wanted->nets, wanted->n_nets);
	if (request != NULL)
		add_maps(&move->nets, &move->n_nets, request->nets, request->n_nets);
}

void run_fill(struct engine *engine, struct move *move, struct hv_request *request)
{
	request->disks = move->record.disks;
	request->n_disks = move->record.n_disks;
	request->pools = move->pools;
	request->n_pools = move->n_pools;
	request->nets = move->nets;
	request->n_nets = move->n_nets;
	request->cold = move->record.method == METHOD_COLD;
	request->persistent = move->record.persistent;
	request->autostart = move->record.autostart;
	request->downtime_ms = engine->options.downtime_limit_ms;
	request->auto_converge = engine->options.auto_converge;
	request->postcopy = move->record.state == MOVE_PREFLIGHT ? engine->options.post_copy : move->record.post_copy != POST_COPY_NO;
	request->keep_backing = engine->options.keep_backing;
	request->paused_handover = move->record.handover_paused;
	request->check_address = move->network == INDEX_NONE || engine->inventory->networks[move->network].is_checked;
	request->target_address = move->record.path_target;
}

void run_begin(struct engine *engine, struct move *move)
{
	move_find_links(engine, move); /* addresses may have changed since it was planned */
	move_reserve(engine, move);
	move_activate(engine, move);
	collect_maps(engine, move);
	move->is_interrupted = false;
	move->record.attempts++;
	move->attempt_ms = engine->now_ms;
	move->awaits_first_byte = true;
	move->progress_bytes = 0;
	move->is_closing = false;
	if (move->record.started_wall_ms == 0)
		move->record.started_wall_ms = engine->wall_ms;
	error_clear(&move->record.error);
	move_set_state(engine, move, MOVE_PREFLIGHT, "attempt %u", move->record.attempts);
	if (!cold_is_in_place(move))
		path_begin(engine, move);
	if (move->record.method != METHOD_LIVE)
		cold_begin(engine, move);
	if (!cold_is_in_place(move))
		run_fill(engine, move, move_request(engine, move, HV_PREFLIGHT, SIDE_SOURCE));
}

void run_fail(struct engine *engine, struct move *move, const struct error *why)
{
	move->failure = *why;
	move_set_state(engine, move, MOVE_UNKNOWN, "%s", why->message);
	reconcile_begin(engine, move);
}

/* The preflight has no side effects: its refusal ends the attempt on the spot. */
static void preflight_refused(struct engine *engine, struct move *move, const struct error *why)
{
	move->failure = *why;
	finish_attempt(engine, move);
}

static void start_prepare(struct engine *engine, struct move *move, const struct error *why_no_post_copy)
{
	size_t i;

	/* The journal says "made by us" before anything is made: after a crash in between, a volume that is there
	 * is ours, because the preflight has just seen that none of that name was. */
	for (i = 0; i < move->record.n_disks; i++)
		move->record.disks[i].was_created = true;
	move->disks_changed = true;
	move->is_handover_void = move->is_source_suspended = move->is_elsewhere = move->may_have_switched = false;
	move->record.epoch++;
	/* Only a persistent guest's source tells afterwards whether it was moved (undefined) or has crashed. */
	move->record.handover_paused = engine->options.paused_handover && move->record.persistent && move->record.method == METHOD_LIVE;
	post_copy_decide(engine, move, why_no_post_copy);
	move_set_state(engine, move, MOVE_PREPARING, "%zu disks to copy", move->record.n_disks);
	run_fill(engine, move, move_request(engine, move, HV_PREPARE, SIDE_SOURCE));
}

static void preflight_done(struct engine *engine, struct move *move, struct hv_reply *reply)
{
	struct hv_preflight *found = &reply->preflight;

	if (reply->error.code != ERR_NONE) {
		preflight_refused(engine, move, &reply->error);
		return;
	}
	if (found->warning.code != ERR_NONE)
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "%s", found->warning.message);
	hv_disks_free(move->record.disks, move->record.n_disks);
	move->record.disks = hv_disks_copy(found->disks, found->n_disks);
	move->record.n_disks = found->n_disks;
	move->disks_changed = true;
	move->record.persistent = found->persistent;
	move->record.autostart = found->autostart;
	move->record.was_paused = found->paused;
	/* An attempt that was taken back may have left it shut off by us. */
	if (move->record.epoch == 0)
		move->record.was_shutoff = found->shutoff;
	move->disks_can_be_throttled = found->disks_can_be_throttled;
	if (move->record.cancel_requested)
		finish_attempt(engine, move);
	else
		start_prepare(engine, move, &found->no_postcopy);
}

static void start_migrate(struct engine *engine, struct move *move)
{
	struct hv_request *request;

	move_set_state(engine, move, move->record.n_disks > 0 ? MOVE_COPYING_DISKS : MOVE_COPYING_MEMORY, "begins");
	move->wire_ms = move->progress_ms = engine->now_ms;
	converge_begin(engine, move);
	move->progress_bytes = 0;
	move->next_stats_ms = engine->now_ms + engine->options.stats_interval_ms;
	bandwidth_grant(engine); /* the first rate goes with the request itself */
	request = move_request(engine, move, HV_MIGRATE, SIDE_SOURCE);
	run_fill(engine, move, request);
	request->rate_bytes_per_s = engine->options.throttle ? move->granted_bytes_per_s : move->max_rate_bytes_per_s;
	move->sent_bytes_per_s = request->rate_bytes_per_s;
}

static void prepare_done(struct engine *engine, struct move *move, struct hv_reply *reply)
{
	size_t i, j;

	for (i = 0; i < reply->n_disks; i++)
		for (j = 0; j < move->record.n_disks; j++) {
			struct hv_disk *disk = &move->record.disks[j];

			if (strcmp(disk->target, reply->disks[i].target) != 0)
				continue;
			if (!reply->outcome_unknown)
				disk->was_created = reply->disks[i].was_created;
			if (reply->disks[i].target_path != NULL) {
				free(disk->target_path);
				disk->target_path = xstrdup(reply->disks[i].target_path);
			}
		}
	move->disks_changed = true;
	move_touch(engine, move);
	/* What was given up on may still be at work: one look at the hosts is not enough. */
	move->reconcile.must_settle |= reply->outcome_unknown;
	if (reply->error.code != ERR_NONE) {
		run_fail(engine, move, &reply->error);
	} else if (move->record.cancel_requested) {
		struct error why;

		error_set(&why, ERR_CANCELLED, "cancelled before the copy of guest %s began", move->record.guest);
		run_fail(engine, move, &why);
	} else if (move->record.method == METHOD_COLD) {
		cold_prepared(engine, move);
	} else {
		start_migrate(engine, move);
	}
}

/* Once the disks are level, what is still copied are the guest's own writes: they go on for ever, also when libvirt
 * has missed that it is time for the memory. */
static bool are_disks_level(const struct hv_stats *stats)
{
	return stats->phase == HV_PHASE_DISKS && stats->disk_remaining_bytes < DISKS_LEVEL_BYTES;
}

static void take_stats(struct engine *engine, struct move *move, const struct hv_stats *stats)
{
	uint64_t bytes = stats->disk_processed_bytes + stats->memory_processed_bytes;

	rates_sample(engine, move, stats);
	if (stats->phase != move->stats.phase || stats->rounds != move->stats.rounds)
		move->round_ms = engine->now_ms;
	if (stats->dirty_rate_bytes_per_s > move->dirty_peak_bytes_per_s)
		move->dirty_peak_bytes_per_s = stats->dirty_rate_bytes_per_s;
	if ((bytes != move->progress_bytes && !are_disks_level(stats)) || stats->phase != move->stats.phase)
		move->progress_ms = engine->now_ms;
	if (bytes > move->progress_bytes && stats->phase == HV_PHASE_POSTCOPY)
		move->recoveries = 0;
	move->progress_bytes = bytes;
	move->stats = *stats;
	move->stats_ms = engine->now_ms;
	if (bytes > move->record.bytes_transferred)
		move->record.bytes_transferred = bytes;
	if (stats->rounds > move->record.rounds)
		move->record.rounds = stats->rounds;
}

static void migrate_done(struct engine *engine, struct move *move, struct hv_reply *reply)
{
	if (reply->stats.phase != HV_PHASE_NONE)
		take_stats(engine, move, &reply->stats);
	bandwidth_release(engine, move);
	move->is_throttleable = false;
	move->next_stats_ms = TIME_NEVER;
	move->reconcile.must_settle |= reply->outcome_unknown;
	move->may_have_switched |= reply->outcome_unknown;
	if (reply->stats.downtime_ms > 0 && move->record.post_copy == POST_COPY_USED)
		move->record.measured_downtime_ms = reply->stats.downtime_ms; /* it runs on the target, whatever else went wrong */
	if (reply->error.code != ERR_NONE) {
		/* Why we aborted it says more than that it was aborted. */
		run_fail(engine, move, move->failure.code != ERR_NONE ? &move->failure : &reply->error);
		return;
	}
	if (reply->stats.downtime_ms > 0)
		move->record.measured_downtime_ms = reply->stats.downtime_ms;
	move->sent_ms = engine->now_ms;
	lessons_path(engine, move);
	error_clear(&move->failure);
	move_set_state(engine, move, MOVE_VERIFYING, "libvirt says it moved");
	reconcile_begin(engine, move);
}

/* While both hosts are being asked, or after: they decide, but how long the guest stood still only this tells, and there
 * is no need to wait with the next question. */
static void migrate_late(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	move->reconcile.must_settle |= reply->outcome_unknown;
	if (reply->error.code == ERR_NONE && reply->stats.downtime_ms > 0) {
		move->record.measured_downtime_ms = reply->stats.downtime_ms;
		move_touch(engine, move);
	}
	reconcile_hint(engine, move);
}

/* How far the copy is, as the states of the record tell it. */
static void follow_phase(struct engine *engine, struct move *move, enum hv_phase phase)
{
	enum move_state state = move->record.state;

	if (post_copy_follow(engine, move, phase))
		return;
	if (phase == HV_PHASE_MEMORY && state == MOVE_COPYING_DISKS)
		move_set_state(engine, move, MOVE_COPYING_MEMORY, "disks are copied");
	else if (phase == HV_PHASE_MEMORY && state == MOVE_SWITCHOVER)
		move_set_state(engine, move, MOVE_COPYING_MEMORY, "the switchover did not happen");
	else if (phase == HV_PHASE_SWITCHOVER && (state == MOVE_COPYING_MEMORY || state == MOVE_COPYING_DISKS)) {
		move_set_state(engine, move, MOVE_SWITCHOVER, "the guest is paused on the source");
		move->may_have_switched = true;
		move->switchover_ms = engine->now_ms;
		move->next_stats_ms = engine->now_ms + SWITCHOVER_STATS_MS;
		move->release_ms = engine->now_ms + rates_last_pages_ms(engine, move);
	}
}

/* With our call outstanding its reply will tell; a move that was adopted has no such reply, and a guest
 * that was handed over stands still until both hosts have been asked. */
static void ended_unheard(struct engine *engine, struct move *move)
{
	struct error why;

	if (move->pending[HV_MIGRATE] != 0 || !move_state_is_on_wire(move->record.state))
		return;
	error_set(&why, ERR_OUTCOME_UNKNOWN, "the migration of guest %s ended while nobody waited for it", move->record.guest);
	run_fail(engine, move, move->failure.code != ERR_NONE ? &move->failure : &why);
}

/* The moment at which the next move on its link is set up, and how long setting up takes. */
static void note_closing(struct engine *engine, struct move *move)
{
	bool is_closing = move->is_head && rates_left_ms(move) <= bandwidth_lead_ms(engine);

	if (is_closing != move->is_closing)
		engine->must_admit = true;
	move->is_closing = is_closing;
	if (move->awaits_first_byte && move->progress_bytes > 0) {
		int64_t setup_ms = engine->now_ms - move->attempt_ms;

		move->first_byte_ms = engine->now_ms;
		engine->setup_ms = engine->setup_ms == 0 ? setup_ms : (3 * engine->setup_ms + setup_ms) / 4;
		move->awaits_first_byte = false;
		engine->must_admit = true;
	}
}

static void stats_done(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	bool was_ending = move->is_ending;

	move->next_stats_ms = engine->now_ms + engine->options.stats_interval_ms;
	if (reply->outcome_unknown || reply->error.code == ERR_HOST_UNREACHABLE)
		return; /* the watchdogs judge silence */
	if (reply->error.code != ERR_NONE || reply->stats.phase == HV_PHASE_NONE || reply->stats.phase == HV_PHASE_DONE) {
		ended_unheard(engine, move);
		return;
	}
	if (!move->is_throttleable && (reply->stats.phase == HV_PHASE_DISKS || reply->stats.phase == HV_PHASE_MEMORY || reply->stats.phase == HV_PHASE_POSTCOPY)) {
		/* Not before: the rate of the request comes into force when the copy begins, over any that was set earlier. */
		move->is_throttleable = true;
		engine->must_grant = true;
	}
	take_stats(engine, move, &reply->stats);
	follow_phase(engine, move, reply->stats.phase);
	converge_watch(engine, move, &reply->stats);
	path_watch(engine, move);
	move->is_ending = rates_is_ending(engine, move);
	if (move->is_ending != was_ending)
		engine->must_grant = true;
	note_closing(engine, move);
	if (move->record.state == MOVE_SWITCHOVER)
		move->next_stats_ms = engine->now_ms + SWITCHOVER_STATS_MS;
}

void run_reply(struct engine *engine, struct move *move, struct hv_reply *reply, enum side side)
{
	if (move->record.method != METHOD_LIVE && cold_reply(engine, move, reply))
		return;
	switch (reply->kind) {
	case HV_PREFLIGHT:
		preflight_done(engine, move, reply);
		break;
	case HV_PREPARE:
		prepare_done(engine, move, reply);
		break;
	case HV_MIGRATE:
		if (move_state_is_on_wire(move->record.state))
			migrate_done(engine, move, reply);
		else
			migrate_late(engine, move, reply);
		break;
	case HV_STATS:
		stats_done(engine, move, reply);
		break;
	case HV_PATH:
		path_reply(engine, move, reply);
		break;
	case HV_START_POSTCOPY:
		post_copy_replied(engine, move, reply);
		break;
	case HV_SET_RATE:
		if (reply->error.code != ERR_NONE)
			move->sent_bytes_per_s = UINT64_MAX; /* whatever is in force, it is not what we want */
		engine->must_grant = true;
		break;
	case HV_WHERE:
		if (side == SIDE_OTHER)
			elsewhere_reply(engine, move, reply);
		else
			reconcile_reply(engine, move, reply, side);
		break;
	case HV_RESUME:
	case HV_SUSPEND:
	case HV_DESTROY:
	case HV_START:
		reconcile_reply(engine, move, reply, side);
		break;
	case HV_FINISH_TARGET:
	case HV_FINISH_SOURCE:
	case HV_REMOVE_VOLUMES:
	case HV_CLEAR_TAG:
		finish_reply(engine, move, reply);
		break;
	case HV_SET_DOWNTIME:
	case HV_ABORT:
	case HV_SHUTDOWN:
	case HV_COPY:
	case HV_DEFINE:
	case HV_PROBE:
	case HV_EXAMINE:
	case HV_EXAMINE_PAIR:
	case HV_SAME_POOLS:
	case HV_KIND_COUNT:
		break;
	}
}

void run_note(struct engine *engine, struct move *move, const struct hv_note *note)
{
	if (move->record.method != METHOD_LIVE) {
		if (note->kind == HV_NOTE_GUEST_STOPPED)
			cold_note(engine, move);
		return;
	}
	if (note->kind == HV_NOTE_GUEST_SUSPENDED)
		follow_phase(engine, move, HV_PHASE_SWITCHOVER);
	else if (note->kind == HV_NOTE_GUEST_STOPPED)
		ended_unheard(engine, move);
	else if (note->kind == HV_NOTE_ROUND && note->round > move->record.rounds)
		move->record.rounds = note->round;
}

void run_adopt(struct engine *engine, struct move *move, bool is_switching)
{
	if (move->record.state == MOVE_UNKNOWN) {
		move_set_state(engine, move, move->record.n_disks > 0 ? MOVE_COPYING_DISKS : MOVE_COPYING_MEMORY,
			"found under way and adopted");
		move->wire_ms = move->progress_ms = engine->now_ms;
		converge_begin(engine, move);
		if (move->record.post_copy == POST_COPY_USED)
			move->record.post_copy = POST_COPY_ALLOWED; /* it was about to be */
		move->is_interrupted = false;
		if (!move->is_abort_wanted)
			error_clear(&move->failure); /* that drover had stopped is no failure of the move */
		move->sent_bytes_per_s = UINT64_MAX; /* not known: the next grant is sent in any case */
		engine->must_grant = true;
	}
	if (is_switching)
		follow_phase(engine, move, HV_PHASE_SWITCHOVER);
	move->next_stats_ms = engine->now_ms;
	if (move->record.cancel_requested || move->is_abort_wanted)
		run_abort(engine, move);
}

void run_abort(struct engine *engine, struct move *move)
{
	enum move_state state = move->record.state;

	move->is_abort_wanted = true;
	if (move->failure.code == ERR_NONE && move->record.cancel_requested)
		error_set(&move->failure, ERR_CANCELLED, "cancelled while guest %s was being copied", move->record.guest);
	if (state == MOVE_COPYING_DISKS || state == MOVE_COPYING_MEMORY)
		move_set_state(engine, move, MOVE_CANCELLING, "%s", move->failure.message);
	/* In SWITCHOVER, POST_COPY and beyond it is too late: the move ends as it ends. */
	if (move->record.state == MOVE_CANCELLING && move->pending[HV_ABORT] == 0) {
		move_request(engine, move, HV_ABORT, SIDE_SOURCE);
		move->abort_ms = engine->now_ms + ABORT_AGAIN_MS;
	}
}

static void expire(struct engine *engine, struct move *move, uint32_t slot)
{
	bool is_where = slot == SLOT_WHERE_TARGET || slot == SLOT_WHERE_OTHER;
	enum side side = slot == SLOT_WHERE_TARGET ? SIDE_TARGET : slot == SLOT_WHERE_OTHER ? SIDE_OTHER : SIDE_SOURCE;
	struct hv_reply reply = {
		.kind = is_where ? HV_WHERE : (enum hv_kind)slot,
		.outcome_unknown = true,
	};

	if (slot == HV_PREPARE)
		move->late_prepare = move->pending[slot];
	move->pending[slot] = 0;
	error_set(&reply.error, ERR_TIMEOUT, "guest %s: %s got no answer within %lld s", move->record.guest,
		hv_kind_name(reply.kind), (long long)(engine->options.reply_timeout_ms / 1000));
	run_reply(engine, move, &reply, side);
}

/* When the hosts are asked what keeps the switchover: late enough for any that goes well, and well before libvirt's
 * keepalive lets the source run on. */
static int64_t switchover_until_ms(const struct engine *engine, const struct move *move)
{
	bool is_switching = move->record.state == MOVE_SWITCHOVER || (move->record.state == MOVE_POST_COPY && !post_copy_is_flowing(move));

	return is_switching ?
		move->switchover_ms + move->ladder_downtime_ms + engine->options.switchover_watch_ms : TIME_NEVER;
}

static void watch_switchover(struct engine *engine, struct move *move)
{
	struct error why;

	if (engine->now_ms < switchover_until_ms(engine, move))
		return;
	error_set(&why, ERR_NO_PROGRESS, "guest %s: no end of its switchover from %s to %s after %lld s", move->record.guest,
		move->record.source, move->record.target, (long long)((engine->now_ms - move->switchover_ms) / 1000));
	run_fail(engine, move, &why);
}

static void watch_progress(struct engine *engine, struct move *move)
{
	int64_t silent_ms = engine->now_ms - move->progress_ms;

	watch_switchover(engine, move);
	if (move->record.state == MOVE_POST_COPY)
		post_copy_watch(engine, move);
	if (!move_state_is_on_wire(move->record.state) || move->record.state == MOVE_POST_COPY || silent_ms < engine->options.no_progress_ms)
		return;
	if (move->record.state == MOVE_CANCELLING) {
		/* Neither end came: whatever the call still says, both hosts are asked now. */
		struct error why = move->failure;

		if (why.code == ERR_NONE)
			error_set(&why, ERR_NO_PROGRESS, "guest %s: no end of its cancelling for %lld s", move->record.guest,
				(long long)(silent_ms / 1000));
		move->progress_ms = engine->now_ms;
		run_fail(engine, move, &why);
		return;
	}
	error_set(&move->failure, ERR_NO_PROGRESS, "guest %s: no byte moved from %s to %s for %lld s, of %lld s allowed",
		move->record.guest, move->record.source, move->record.target, (long long)(silent_ms / 1000),
		(long long)(engine->options.no_progress_ms / 1000));
	move->progress_ms = engine->now_ms;
	run_abort(engine, move);
}

void run_tick(struct engine *engine, struct move *move)
{
	uint32_t slot;

	for (slot = 0; slot < SLOTS && move->active_at != INDEX_NONE; slot++)
		if (move->pending[slot] != 0 && move->pending_until_ms[slot] <= engine->now_ms)
			expire(engine, move, slot);
	if (move->active_at == INDEX_NONE)
		return;
	if (move->record.method != METHOD_LIVE)
		cold_tick(engine, move);
	else
		watch_progress(engine, move); /* first: it may leave the wire, and then there is nothing to steer any more */
	if (move_state_is_on_wire(move->record.state) && move->record.method == METHOD_LIVE) {
		if (move->record.state == MOVE_SWITCHOVER && move->release_ms <= engine->now_ms)
			bandwidth_release(engine, move);
		/* What was asked before the switch would be taken for its outcome. */
		if (move->next_stats_ms <= engine->now_ms && move->pending[HV_STATS] == 0 && move->pending[HV_START_POSTCOPY] == 0) {
			move_request(engine, move, HV_STATS, SIDE_SOURCE);
			move->next_stats_ms = TIME_NEVER;
		}
		if (move->record.state == MOVE_CANCELLING && move->abort_ms <= engine->now_ms && move->pending[HV_ABORT] == 0) {
			move_request(engine, move, HV_ABORT, SIDE_SOURCE);
			move->abort_ms = engine->now_ms + ABORT_AGAIN_MS;
		}
	}
	if (move->active_at != INDEX_NONE)
		reconcile_tick(engine, move);
	if (move->active_at != INDEX_NONE)
		elsewhere_tick(engine, move);
	if (move->active_at != INDEX_NONE)
		finish_tick(engine, move);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t run_deadline(const struct engine *engine, const struct move *move)
{
	int64_t deadline = earlier(earlier(reconcile_deadline(move), elsewhere_deadline(move)), move->cleanup_ms);
	uint32_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (move->pending[slot] != 0)
			deadline = earlier(deadline, move->pending_until_ms[slot]);
	if (move->record.method != METHOD_LIVE)
		return earlier(deadline, cold_deadline(move));
	if (!move_state_is_on_wire(move->record.state))
		return deadline;
	deadline = earlier(deadline, switchover_until_ms(engine, move));
	if (move->record.state == MOVE_SWITCHOVER && !move->is_link_released)
		deadline = earlier(deadline, move->release_ms);
	deadline = earlier(deadline, move->progress_ms + engine->options.no_progress_ms);
	if (move->pending[HV_STATS] == 0 && move->pending[HV_START_POSTCOPY] == 0)
		deadline = earlier(deadline, move->next_stats_ms);
	if (move->record.state == MOVE_CANCELLING && move->pending[HV_ABORT] == 0)
		deadline = earlier(deadline, move->abort_ms);
	return deadline;
}
