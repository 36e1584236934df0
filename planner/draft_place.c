/* Targets for the moves of a draft: by decreasing size, each to the best host as
 * things stand after those before it. Large guests first, because what is left at the end must fit
 * the gaps. Departures make no room here: only moves whose target the operator named may count on them.
 */
#include <stdlib.h>
#include <stdio.h>

#include "arith.h"
#include "draft.h"
#include "placement_index.h"
#include "xalloc.h"

struct size_key {
	uint64_t bytes;
	int32_t priority;
	size_t number;
};

/* Priority first: the room that is left belongs to those who matter. */
static int by_size(const void *a, const void *b)
{
	const struct size_key *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* The time that the sources need in any case: a target whose link is busy for less does not delay the drain. */
static void set_reference(struct draft *draft)
{
	const struct inventory *inventory = draft->inventory;
	const struct model *model = draft->ledger->model;
	uint64_t *bytes = xcalloc(inventory->n_hosts, sizeof *bytes);
	int64_t longest_us = 1000000;
	size_t i;

	for (i = 0; i < draft->n_moves; i++) {
		const struct guest *guest = &inventory->guests[draft->moves[i].guest];

		bytes[guest->host] += guest->used_memory_bytes != 0 ? guest->used_memory_bytes : guest->memory_bytes;
	}
	for (i = 0; i < inventory->n_hosts; i++) {
		int64_t us = carry_us(bytes[i], model->capacities[model->hosts[i].first_link]);

		longest_us = us > longest_us ? us : longest_us;
	}
	draft->ledger->reference_ms = longest_us / 1000;
	free(bytes);
}

static bool shares_affinity(const struct model *model, uint32_t a, uint32_t b)
{
	const struct model_guest *x = &model->guests[a], *y = &model->guests[b];
	uint32_t i, k;

	for (i = 0; i < x->n_rules; i++) {
		uint32_t rule = model->guest_rules[x->first_rule + i];

		if (model->rules[rule].kind != RULE_AFFINITY)
			continue;
		for (k = 0; k < y->n_rules; k++)
			if (model->guest_rules[y->first_rule + k] == rule)
				return true;
	}
	return false;
}

static bool has_affinity(const struct model *model, uint32_t guest)
{
	return shares_affinity(model, guest, guest);
}

/* Memory of companions on the same host that are not on their way yet: the first of them chooses for all. */
static uint64_t companions(const struct draft *draft, const struct draft_move *move)
{
	const struct ledger *ledger = draft->ledger;
	uint64_t bytes = 0;
	size_t i;

	if (!has_affinity(ledger->model, move->guest))
		return 0;
	for (i = 0; i < draft->n_moves; i++) {
		uint32_t other = draft->moves[i].guest;

		if (other != move->guest && draft->moves[i].target == INDEX_NONE && ledger->flights[other] == NULL &&
			ledger->locations[other] == ledger->locations[move->guest] &&
			shares_affinity(ledger->model, move->guest, other))
			bytes += ledger->model->guests[other].memory_bytes;
	}
	return bytes;
}

static void place(struct draft *draft, struct placement_index *index, struct draft_move *move)
{
	const struct wanted_move *wanted = draft_wanted(draft, move);
	struct fit_ask ask = {
		.inventory = draft->inventory, .ledger = draft->ledger, .guest = move->guest, .request = draft->request,
		.wanted = wanted, .drained = draft->drained, .with_capacity = true,
		.extra_memory_bytes = companions(draft, move),
	};
	struct error error;

	error_clear(&error);
	move->target = placement_index_best(index, &ask, &error);
	if (move->target == INDEX_NONE) {
		draft_block(draft, move->guest, wanted != NULL ? wanted->guest : draft->inventory->guests[move->guest].name, &error);
		return;
	}
	move->score = placement_score(draft->ledger, move->guest, move->target);
	ledger_start(draft->ledger, move->guest, move->target, draft->request, wanted);
	placement_index_update(index, move->target);
}

void draft_place(struct draft *draft)
{
	struct size_key *keys = xcalloc(draft->n_moves, sizeof *keys);
	struct placement_index *index;
	size_t i, n = 0;

	set_reference(draft);
	for (i = 0; i < draft->n_moves; i++) {
		struct draft_move *move = &draft->moves[i];

		if (move->target != INDEX_NONE) {
			ledger_start(draft->ledger, move->guest, move->target, draft->request, draft_wanted(draft, move));
			continue;
		}
		keys[n++] = (struct size_key){
			.bytes = draft->inventory->guests[move->guest].memory_bytes, .priority = move->priority, .number = i,
		};
	}
	if (n > 1)
		qsort(keys, n, sizeof *keys, by_size);
	index = placement_index_new(draft->ledger, draft->request, draft->drained);
	for (i = 0; i < n; i++)
		place(draft, index, &draft->moves[keys[i].number]);
	placement_index_free(index);
	draft_compact(draft);
	free(keys);
}
