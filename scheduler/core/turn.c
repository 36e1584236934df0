/* Step, commit, send: in this order, nowhere else. */
#include "turn.h"

static void send_all(struct turn *turn, const struct actions *actions)
{
	size_t i;

	for (i = 0; i < actions->n_requests; i++)
		turn->hypervisor->submit(turn->hypervisor, &actions->requests[i]);
}

bool turn_run(struct turn *turn, const struct event *event, struct actions *ret_actions, struct error *err)
{
	engine_step(turn->engine, event, ret_actions);
	return turn_retry(turn, ret_actions, err);
}

bool turn_retry(struct turn *turn, const struct actions *actions, struct error *err)
{
	if (actions->n_ops > 0 && !turn->store->commit(turn->store, actions->ops, actions->n_ops, err))
		return false;
	send_all(turn, actions);
	return true;
}
