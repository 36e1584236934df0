/* How many guests of a group may be on their way at once. Apart from the other filters, because it says
 * nothing about a target: it is asked at the moment a move begins, by the engine alone. */
#include "ledger.h"

static uint32_t allowed(const struct model_rule *rule)
{
	return rule->count > 0 ? rule->count : 1;
}

bool planner_group_allows(const struct inventory *inventory, const struct ledger *ledger, uint32_t guest, struct error *err)
{
	const struct model *model = ledger->model;
	const struct model_guest *facts = &model->guests[guest];
	uint32_t i;

	for (i = 0; i < facts->n_rules; i++) {
		uint32_t rule = model->guest_rules[facts->first_rule + i];
		uint32_t moving = ledger->rule_flights[rule];

		if (model->rules[rule].kind == RULE_AT_MOST_MOVING && moving >= allowed(&model->rules[rule]))
			return error_set(err, ERR_WAIT_GROUP, "guest %s: %u guests of its group move, of %u allowed",
				inventory->guests[guest].name, moving, allowed(&model->rules[rule]));
	}
	return true;
}
