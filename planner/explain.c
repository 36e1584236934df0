/* Every candidate and its verdict, and the same question with one answer for the engine. */
#include <stdlib.h>

#include "drained.h"
#include "placement.h"
#include "xalloc.h"

bool *drained_hosts(const struct inventory *inventory, const struct request *request)
{
	bool *drained;
	size_t i;

	if (request == NULL || request->kind != REQUEST_DRAIN)
		return NULL;
	drained = xcalloc(inventory->n_hosts, sizeof *drained);
	for (i = 0; i < request->n_hosts; i++) {
		uint32_t host = inventory_host(inventory, request->hosts[i]);

		if (host != INDEX_NONE)
			drained[host] = true;
	}
	return drained;
}

uint32_t planner_place(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest,
	const struct request *request, const struct wanted_move *wanted, const bool *excluded, struct error *err)
{
	bool *drained = drained_hosts(inventory, request);
	struct fit_ask ask = {
		.inventory = inventory, .ledger = ledger, .guest = guest, .request = request, .wanted = wanted,
		.drained = drained, .with_capacity = true,
	};
	uint32_t target = placement_best(&ask, excluded, err);

	free(drained);
	return target;
}

void planner_explain(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest,
	const struct request *request, struct verdict *ret_verdicts)
{
	bool *drained = drained_hosts(inventory, request);
	struct fit_ask ask = {
		.inventory = inventory, .ledger = ledger, .guest = guest, .request = request, .drained = drained,
		.with_capacity = true,
	};
	uint32_t host;

	for (host = 0; host < inventory->n_hosts; host++) {
		struct verdict *verdict = &ret_verdicts[host];
		struct refusal refusal;

		verdict->host = host;
		verdict->score = placement_score(ledger, guest, host);
		error_clear(&verdict->error);
		verdict->fits = compat_fits(&ask, host, &refusal);
		if (!verdict->fits)
			compat_describe(&ask, host, &refusal, &verdict->error);
	}
	free(drained);
}
