/* Dirty rates, measured while the batch already runs: the hosts that guests leave are asked when a batch
 * begins, and what they say decides from then on whom to stage early. Nothing waits for it.
 * A guest that is on its way already keeps what is known of it: its copy shows its own figures.
 */
#include <stdlib.h>

#include "engine_impl.h"
#include "xalloc.h"

enum { MEASURE_MS = 1000 }; /* the shortest that QEMU offers */

/* Not a move's: no move has this index. */
static const uint64_t MEASURE_TAG = (uint64_t)UINT32_MAX << 32;

static void ask(struct engine *engine, uint32_t host)
{
	engine->requests = xgrow(engine->requests, engine->n_requests, sizeof *engine->requests);
	engine->requests[engine->n_requests++] = (struct hv_request){
		.tag = MEASURE_TAG | host,
		.kind = HV_PROBE,
		.guest = "",
		.uuid = "",
		.host = engine->inventory->hosts[host].name,
		.measure_ms = MEASURE_MS,
	};
}

void measure_begin(struct engine *engine, const struct batch *batch)
{
	bool *asked = xcalloc(engine->inventory->n_hosts, sizeof *asked);
	uint32_t i;

	for (i = 0; i < batch->n_moves; i++) {
		const struct move *move = &engine->moves[batch->first_move + i];

		if (move->source == INDEX_NONE || move_state_is_end(move->record.state) || asked[move->source])
			continue;
		asked[move->source] = true;
		ask(engine, move->source);
	}
	free(asked);
}

void measure_reply(struct engine *engine, const struct hv_reply *reply)
{
	size_t i;

	if (reply->error.code != ERR_NONE || reply->inventory == NULL)
		return; /* what is known stays; nothing depends on it but speed */
	for (i = 0; i < reply->inventory->n_guests; i++) {
		const struct guest *found = &reply->inventory->guests[i];
		uint32_t guest = inventory_guest(engine->inventory, found->uuid[0] != '\0' ? found->uuid : found->name, NULL);

		lessons_guest(engine, found);
		if (guest != INDEX_NONE && found->dirty_rate_bytes_per_s != 0)
			engine->inventory->guests[guest].dirty_rate_bytes_per_s = found->dirty_rate_bytes_per_s;
	}
	engine->must_admit = true;
}
