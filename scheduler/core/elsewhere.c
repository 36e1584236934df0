/* Elsewhere: has a third host got the guest? An operator may have migrated on what the target ran, and then the target says
 * "absent" as if it had never arrived, while what is left on the source is old. So before a copy is resumed, or an attempt
 * whose switchover may have happened is taken back, every other host is asked, one after the other.
 *
 * A host that does not answer is asked again until a host counts as down (host_down_ms): the search ends in any case,
 * because one host that is away must not keep a guest of two others paused for ever.
 */
#include "engine_impl.h"

enum {
	ASK_AGAIN_MS = 2000,
	CLEAR_FOR_MS = 10000, /* as long as it takes to ask the two hosts once more */
};

static bool is_third(const struct move *move, uint32_t host)
{
	return host != move->source && host != move->target;
}

static void search_next(struct engine *engine, struct move *move)
{
	struct elsewhere *elsewhere = &move->reconcile.elsewhere;

	while (elsewhere->host < engine->inventory->n_hosts && !is_third(move, elsewhere->host))
		elsewhere->host++;
	elsewhere->next_ms = TIME_NEVER;
	if (elsewhere->host < engine->inventory->n_hosts) {
		move_request_to(engine, move, HV_WHERE, engine->inventory->hosts[elsewhere->host].name, SLOT_WHERE_OTHER);
		return;
	}
	elsewhere->is_under_way = false;
	elsewhere->clear_ms = engine->now_ms;
}

bool elsewhere_is_clear(struct engine *engine, struct move *move)
{
	struct elsewhere *elsewhere = &move->reconcile.elsewhere;

	if (elsewhere->clear_ms >= 0 && engine->now_ms - elsewhere->clear_ms <= CLEAR_FOR_MS)
		return true;
	if (!elsewhere->is_under_way) {
		*elsewhere = (struct elsewhere){.is_under_way = true, .since_ms = engine->now_ms, .clear_ms = -1};
		search_next(engine, move);
	}
	if (elsewhere->is_under_way)
		move->reconcile.next_ms = TIME_NEVER;
	return !elsewhere->is_under_way;
}

static void found(struct engine *engine, struct move *move, const struct hv_where *where, const char *host)
{
	bool is_twice = move->reconcile.sides[SIDE_SOURCE].where.presence == HV_RUNNING && where->presence == HV_RUNNING;
	struct error why;

	error_set(&why, is_twice ? ERR_SPLIT_BRAIN : ERR_GUEST_ELSEWHERE,
		"guest %s is %s on %s, where somebody else has brought it, and %s on %s", move->record.guest,
		hv_presence_name(where->presence), host,
		hv_presence_name(move->reconcile.sides[SIDE_SOURCE].where.presence), move->record.source);
	error_hint(&why, "what is left on %s is the older state: look at it, then destroy it", move->record.source);
	reconcile_leave_alone(engine, move, &why);
}

/* Down for so long that nobody waits for it any more. */
static bool is_given_up(const struct engine *engine, const struct move *move)
{
	const struct elsewhere *elsewhere = &move->reconcile.elsewhere;
	int64_t down_ms = engine->loads[elsewhere->host].down_since_ms, limit_ms = engine->options.host_down_ms;

	return engine->now_ms - elsewhere->since_ms >= limit_ms || (down_ms != TIME_NEVER && engine->now_ms - down_ms >= limit_ms);
}

void elsewhere_reply(struct engine *engine, struct move *move, const struct hv_reply *reply)
{
	struct elsewhere *elsewhere = &move->reconcile.elsewhere;
	const char *host;

	if (!elsewhere->is_under_way)
		return;
	host = engine->inventory->hosts[elsewhere->host].name;
	if (reply->error.code == ERR_NONE && (reply->where.presence == HV_RUNNING || reply->where.presence == HV_PAUSED)) {
		elsewhere->is_under_way = false;
		found(engine, move, &reply->where, host);
		return;
	}
	if (reply->error.code != ERR_NONE && !is_given_up(engine, move)) {
		elsewhere->next_ms = engine->now_ms + ASK_AGAIN_MS;
		return;
	}
	if (reply->error.code != ERR_NONE)
		engine_audit(engine, &engine->batches[move->batch], move, "", "", "host %s could not be asked whether it has %s: %s", host,
			move->record.guest, reply->error.message);
	elsewhere->host++;
	search_next(engine, move);
	if (!elsewhere->is_under_way)
		move->reconcile.next_ms = engine->now_ms; /* what the two hosts said is old by now */
}

void elsewhere_tick(struct engine *engine, struct move *move)
{
	if (move->reconcile.elsewhere.is_under_way && move->reconcile.elsewhere.next_ms <= engine->now_ms)
		search_next(engine, move);
}

int64_t elsewhere_deadline(const struct move *move)
{
	return move->reconcile.elsewhere.is_under_way ? move->reconcile.elsewhere.next_ms : TIME_NEVER;
}
