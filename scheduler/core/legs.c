/* Guests that go by way of a third host: two moves of one guest in one batch. The second begins where the first has ended, and
 * ends with it when the first does not bring the guest there.
 *
 * Both are made when the batch is, in one commit. When the first gets another third host its second follows in the same step, so
 * that what is stored never leads anywhere else than from leg to leg.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_impl.h"
#include "xalloc.h"

static bool is_first_of(const struct move *first, const struct move *second)
{
	return first->record.leg == LEG_FIRST && strcmp(first->record.uuid, second->record.uuid) == 0 &&
		strcmp(first->record.guest, second->record.guest) == 0;
}

void legs_link(struct engine *engine, struct move *second)
{
	uint32_t i;

	for (i = second->index; i-- > engine->batches[second->batch].first_move;)
		if (is_first_of(&engine->moves[i], second)) {
			second->other_leg = i;
			engine->moves[i].other_leg = second->index;
			return;
		}
}

const struct move *legs_first_of(const struct engine *engine, const struct move *move)
{
	return move->record.leg == LEG_SECOND && move->other_leg != INDEX_NONE ? &engine->moves[move->other_leg] : NULL;
}

bool legs_are_broken(const struct engine *engine, const struct move *move)
{
	const struct move *first = legs_first_of(engine, move);

	return first != NULL && move_state_is_end(first->record.state) && first->record.state != MOVE_DONE;
}

bool legs_allow(const struct engine *engine, const struct move *move, struct error *why)
{
	const struct move *first = legs_first_of(engine, move);

	if (first == NULL || first->record.state == MOVE_DONE)
		return true;
	return error_set(why, ERR_WAIT_DEPENDENCY, "guest %s must come from %s to %s first, and goes on from there", move->record.guest,
		first->record.source, first->record.target);
}

void legs_end(struct engine *engine, struct move *second)
{
	const struct move *first = legs_first_of(engine, second);
	struct error why = first->record.error;

	error_wrap(&why, "guest %s did not come from %s to %s, from where it was to go on to %s", second->record.guest, first->record.source,
		first->record.target, second->record.target);
	move_end(engine, second, first->record.state, &why);
}

/* Where it is wanted, and where others of the batch are: it would stand in their way again. */
void legs_exclude(struct engine *engine, struct move *first)
{
	const struct batch *batch = &engine->batches[first->batch];
	uint32_t i;

	if (first->record.leg != LEG_FIRST)
		return;
	if (first->excluded == NULL)
		first->excluded = xcalloc(engine->inventory->n_hosts, sizeof *first->excluded);
	for (i = batch->first_move; i < batch->first_move + batch->n_moves; i++) {
		const struct move *other = &engine->moves[i];

		if (other != first && other->record.leg != LEG_FIRST && other->target != INDEX_NONE && !move_state_is_end(other->record.state))
			first->excluded[other->target] = true;
	}
}

void legs_follow(struct engine *engine, const struct move *first)
{
	struct move *second;

	if (first->record.leg != LEG_FIRST || first->other_leg == INDEX_NONE)
		return;
	second = &engine->moves[first->other_leg];
	if (move_state_is_end(second->record.state))
		return;
	second->source = first->target;
	free(second->record.source);
	second->record.source = xstrdup(first->record.target);
	move_find_links(engine, second);
	move_touch(engine, second);
}

uint32_t legs_guest_move(const struct engine *engine, const struct move *ended)
{
	const struct move *other = ended->other_leg != INDEX_NONE ? &engine->moves[ended->other_leg] : NULL;

	return other != NULL && !move_state_is_end(other->record.state) ? other->index : INDEX_NONE;
}

void legs_go_on(struct engine *engine, const struct move *first)
{
	struct move *second = first->record.leg == LEG_FIRST && first->other_leg != INDEX_NONE ? &engine->moves[first->other_leg] : NULL;

	if (second == NULL || move_state_is_end(second->record.state))
		return;
	engine_audit(engine, &engine->batches[first->batch], first, "", "", "%s has come to its third host and goes on from %s to %s",
		first->record.guest, first->record.target, second->record.target);
	move_find_links(engine, second); /* from now on it waits for them */
}

void legs_say_where(const struct engine *engine, struct move *second)
{
	const struct move *first = legs_first_of(engine, second);

	if (first == NULL || first->record.state != MOVE_DONE)
		return;
	error_wrap(&second->record.error, "on its way from %s to %s guest %s has come to %s", first->record.source, second->record.target,
		second->record.guest, first->record.target);
}
