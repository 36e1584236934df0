/* One turn: step, commit, send. The only place where the order of the three is
 * written down, used alike by the real loop, the simulator's driver and the tests.
 *
 * Not thread-safe; called on the loop's thread.
 */
#ifndef DROVER_TURN_H
#define DROVER_TURN_H

#include "drover/engine.h"

struct turn {
	struct engine *engine;
	struct store *store;
	struct hypervisor *hypervisor;
};

/* Runs one event. When the commit fails nothing is sent, err says why, false is
 * returned, and the same commit may be tried again with turn_retry until it succeeds; no other event may
 * be stepped before that. */
bool turn_run(struct turn *turn, const struct event *event, struct actions *ret_actions, struct error *err);
bool turn_retry(struct turn *turn, const struct actions *actions, struct error *err);

#endif
