/* What stands between the engine and its seams in a trial: a store that remembers what
 * is durable, and a hypervisor that lets no request pass which the durable state does not explain.
 *
 * The order "durable first, then sent" and "nothing is done twice" are thereby proven at the
 * only place where they show: at the moment a request leaves. Crashes of the process can be put before a commit,
 * behind it, and between the requests of one step.
 */
#ifndef DROVER_TEST_TRIAL_WATCH_H
#define DROVER_TEST_TRIAL_WATCH_H

#include "drover/store.h"

/* What is durable of one move. */
struct durable {
	uint64_t id, epoch;
	enum move_state state;
	uint32_t attempts;
	size_t n_disks;
	bool cancel_requested, handover_paused;
	char source[NAME_BYTES_MAX + 1], target[NAME_BYTES_MAX + 1];
	uint64_t prepared_epoch, migrated_epoch; /* of the last PREPARE and MIGRATE that left */
};

struct trial_watch {
	struct store store;           /* before inner */
	struct store *inner;          /* owned */
	struct hypervisor hypervisor; /* before the simulator's */
	struct hypervisor *world;     /* borrowed */
	struct durable *moves;
	size_t n_moves;
	uint64_t n_commits;
	uint64_t n_sent[HV_KIND_COUNT];
	uint64_t crash_at;            /* commit (counted from 1) that is the last act of the process; 0 = none */
	bool is_crash_after;          /* it is durable before the process dies */
	size_t sends_left;            /* requests that still leave once it has died */
	bool is_dead;                 /* the crash has happened; cleared by a restart */
	struct error breach;          /* first request that should not have left */
};

void trial_watch_init(struct trial_watch *watch, struct store *inner, struct hypervisor *world);
void trial_watch_clear(struct trial_watch *watch);
/* NULL when nothing of it is durable. */
const struct durable *trial_watch_find(const struct trial_watch *watch, uint64_t move);

#endif
