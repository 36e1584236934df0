/* Room on one host with whole guests: who comes needs room for all of itself, and only a guest that has left as a whole makes any.
 *
 * Whoever has begun to come is carried by the host's links one after the other in the order in which they began: no sharing of
 * the links ends sooner. Those who leave are gone, as a set, no sooner than the links have carried them. So the least time is that
 * of the best pair of orders, and what counts of an order is only who has left and who has come: the least time for each
 * such state follows from those before it. Guests of one size and time are alike, so that states are numbers of each kind.
 *
 * Memory and CPUs are looked at together. Hosts with too many states are left to the other bounds.
 */
#include "bound_room.h"

#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum { KINDS_MAX = 32 };

struct kind {
	int64_t memory_bytes, vcpus, us, head_us, own_us;
	uint32_t n;
	size_t weight; /* of one more in the number of a state */
};

struct kinds {
	struct kind list[KINDS_MAX]; /* those who leave, by when they may; then those who come */
	uint32_t n_out, n;
	size_t n_states;
	int64_t setup_us, finish_us;
};

static bool add_kind(struct kinds *kinds, uint32_t first, const struct kind *kind)
{
	uint32_t i;

	for (i = first; i < kinds->n; i++) {
		struct kind *other = &kinds->list[i];

		if (other->memory_bytes == kind->memory_bytes && other->vcpus == kind->vcpus && other->us == kind->us &&
			other->head_us == kind->head_us && other->own_us == kind->own_us) {
			other->n++;
			return true;
		}
	}
	if (kinds->n == KINDS_MAX)
		return false;
	kinds->list[kinds->n++] = *kind;
	return true;
}

static int by_head(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	return x->head_us != y->head_us ? (x->head_us < y->head_us ? -1 : 1) : 0;
}

/* False when there are too many. */
static bool weigh(struct kinds *kinds, size_t states_max)
{
	uint32_t i;

	kinds->n_states = 1;
	for (i = 0; i < kinds->n; i++) {
		kinds->list[i].weight = kinds->n_states;
		if (kinds->n_states > states_max / (kinds->list[i].n + 1))
			return false;
		kinds->n_states *= kinds->list[i].n + 1;
	}
	return true;
}

static bool gather(const struct host_room *room, struct kinds *kinds)
{
	const struct jobs *jobs = room->jobs;
	size_t i;

	for (i = 0; i < room->n_out + room->n_in; i++) {
		bool is_out = i < room->n_out;
		uint32_t number = is_out ? room->out[i] : room->in[i - room->n_out];
		const struct job *job = &jobs->jobs[number];
		struct kind kind = {.memory_bytes = job->memory_bytes, .vcpus = job->vcpus, .n = 1, .head_us = room->head_us[number],
			.us = room_passage_us(jobs, job, room->host, is_out ? DIRECTION_OUT : DIRECTION_IN),
			.own_us = is_out ? job->best.transfer_us + kinds->setup_us + kinds->finish_us : 0};

		if (i == room->n_out)
			kinds->n_out = kinds->n;
		if (!add_kind(kinds, is_out ? 0 : kinds->n_out, &kind))
			return false;
	}
	if (kinds->n_out > 1)
		qsort(kinds->list, kinds->n_out, sizeof *kinds->list, by_head);
	return true;
}

/* What a state says: who has left and who has begun to come. */
struct moment_of {
	uint32_t counts[KINDS_MAX];
	int64_t memory_bytes, vcpus; /* free */
	int64_t gone_us;             /* not before then have those who left gone */
};

static void read_state(const struct kinds *kinds, const struct host_room *room, size_t state, struct moment_of *ret)
{
	int64_t carried_us = 0, gone_us = 0;
	uint32_t i;

	ret->memory_bytes = room->jobs->free_memory[room->host] > 0 ? room->jobs->free_memory[room->host] : 0;
	ret->vcpus = room->jobs->free_vcpus[room->host] > 0 ? room->jobs->free_vcpus[room->host] : 0;
	for (i = 0; i < kinds->n; i++) {
		const struct kind *kind = &kinds->list[i];
		int64_t n = (int64_t)(state / kind->weight % (kind->n + 1)), made = i < kinds->n_out ? n : -n;

		ret->counts[i] = (uint32_t)n;
		ret->memory_bytes += made * kind->memory_bytes;
		ret->vcpus += made * kind->vcpus;
		if (i >= kinds->n_out || n == 0)
			continue;
		if (carried_us < kind->head_us + kinds->setup_us)
			carried_us = kind->head_us + kinds->setup_us;
		carried_us += n * kind->us;
		if (gone_us < kind->head_us + kind->own_us)
			gone_us = kind->head_us + kind->own_us;
	}
	if (carried_us > 0 && gone_us < carried_us + kinds->finish_us)
		gone_us = carried_us + kinds->finish_us;
	ret->gone_us = gone_us;
}

static void lower_to(int64_t *value, int64_t to_us)
{
	if (to_us < *value)
		*value = to_us;
}

/* From one state to all that follow it by one guest. */
static void follow(const struct kinds *kinds, const struct moment_of *moment, size_t state, int64_t *least_us)
{
	uint32_t i;

	for (i = 0; i < kinds->n; i++) {
		const struct kind *kind = &kinds->list[i];
		int64_t begin_us = moment->gone_us > kind->head_us ? moment->gone_us : kind->head_us;

		if (moment->counts[i] == kind->n)
			continue;
		if (i < kinds->n_out) {
			lower_to(&least_us[state + kind->weight], least_us[state]);
			continue;
		}
		if (kind->memory_bytes > moment->memory_bytes || kind->vcpus > moment->vcpus)
			continue;
		begin_us += kinds->setup_us;
		lower_to(&least_us[state + kind->weight], (begin_us > least_us[state] ? begin_us : least_us[state]) + kind->us);
	}
}

static bool has_all_come(const struct kinds *kinds, const struct moment_of *moment)
{
	uint32_t i;

	for (i = kinds->n_out; i < kinds->n; i++)
		if (moment->counts[i] < kinds->list[i].n)
			return false;
	return true;
}

int64_t host_room_us(const struct host_room *room, size_t *states_left)
{
	const struct plan_options *options = &room->jobs->model->options;
	struct kinds kinds = {.setup_us = options->setup_ms * 1000, .finish_us = options->finish_ms * 1000};
	int64_t *least_us, least = INT64_MAX;
	size_t state;

	if (!gather(room, &kinds) || !weigh(&kinds, *states_left))
		return 0;
	*states_left -= kinds.n_states;
	least_us = xcalloc(kinds.n_states, sizeof *least_us);
	for (state = 1; state < kinds.n_states; state++)
		least_us[state] = INT64_MAX;
	for (state = 0; state < kinds.n_states; state++) {
		struct moment_of moment;

		if (least_us[state] == INT64_MAX)
			continue;
		read_state(&kinds, room, state, &moment);
		if (has_all_come(&kinds, &moment))
			lower_to(&least, least_us[state]);
		else
			follow(&kinds, &moment, state, least_us);
	}
	free(least_us);
	return least == INT64_MAX ? 0 : least + kinds.finish_us;
}
