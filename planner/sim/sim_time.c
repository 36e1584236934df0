/* The clock of the world: a heap of events ordered by (time, sequence), and the
 * loop that lets them happen. Rates are brought up to date between two instants,
 * not between two events, so that many changes at one instant cost one computation. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

/* splitmix64: one word of state, good enough to shake a world with. */
uint64_t sim_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

int64_t sim_random_between(uint64_t *state, int64_t low, int64_t high)
{
	if (high <= low)
		return low;
	return low + (int64_t)(sim_random(state) % (uint64_t)(high - low + 1));
}

bool sim_chance(struct sim *sim, uint32_t per_mille)
{
	return per_mille > 0 && !sim->is_healed && sim_random(&sim->rng_faults) % 1000 < per_mille;
}

int64_t sim_us(int64_t ms)
{
	return ms > INT64_MAX / US_PER_MS ? INT64_MAX : ms * US_PER_MS;
}

void sim_mix(struct sim *sim, uint64_t value)
{
	uint64_t state = sim->history ^ value;

	sim->history = sim_random(&state);
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

void sim_push(struct sim *sim, int64_t at_us, enum sim_event_kind kind, uint32_t index, uint64_t serial, void *object)
{
	struct sim_event event = {
		.at_us = at_us > sim->now_us ? at_us : sim->now_us,
		.sequence = sim->sequence++, .kind = kind, .index = index, .serial = serial, .object = object,
	};
	size_t i;

	if (sim->n_heap == sim->heap_size) {
		sim->heap_size = sim->heap_size == 0 ? 256 : sim->heap_size * 2;
		sim->heap = xrealloc_array(sim->heap, sim->heap_size, sizeof *sim->heap);
	}
	for (i = sim->n_heap++; i > 0 && is_before(&event, &sim->heap[(i - 1) / 2]); i = (i - 1) / 2)
		sim->heap[i] = sim->heap[(i - 1) / 2];
	sim->heap[i] = event;
}

static struct sim_event pop(struct sim *sim)
{
	struct sim_event top = sim->heap[0], last = sim->heap[--sim->n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < sim->n_heap) {
		if (child + 1 < sim->n_heap && is_before(&sim->heap[child + 1], &sim->heap[child]))
			child++;
		if (!is_before(&sim->heap[child], &last))
			break;
		sim->heap[i] = sim->heap[child];
		i = child;
	}
	sim->heap[i] = last;
	return top;
}

/* The serial of the object that the event speaks of; void events are dropped unseen, so that
 * sim_next_ms does not wake the driver for nothing. */
static bool is_void(const struct sim *sim, const struct sim_event *event)
{
	const struct sim_migration *migration;

	if (event->kind == SIM_EVENT_RANDOM)
		return sim->is_healed;
	if (event->kind == SIM_EVENT_DETECT)
		return sim->hosts[event->index].serial_detect != event->serial;
	if (event->kind != SIM_EVENT_FLOW && event->kind != SIM_EVENT_STEP)
		return false;
	migration = sim->migrations[event->index];
	if (migration == NULL)
		return true;
	return event->serial != (event->kind == SIM_EVENT_FLOW ? migration->flow_serial : migration->step_serial);
}

static void drop_void(struct sim *sim)
{
	while (sim->n_heap > 0 && is_void(sim, &sim->heap[0]))
		pop(sim);
}

static void happen(struct sim *sim, const struct sim_event *event)
{
	sim->counters.events++;
	sim_mix(sim, (uint64_t)event->at_us * 31 + (uint64_t)event->kind * 7 + event->index);
	switch (event->kind) {
	case SIM_EVENT_ARRIVE: sim_op_arrive(sim, event->object); break;
	case SIM_EVENT_REPLY: sim_op_deliver(sim, event->object); break;
	case SIM_EVENT_NOTE: sim_note_deliver(sim, event->object); break;
	case SIM_EVENT_FLOW: sim_flow_event(sim, event->index, event->serial); break;
	case SIM_EVENT_STEP: sim_migration_step(sim, event->index, event->serial); break;
	case SIM_EVENT_FAULT: sim_fault_due(sim, event->index); break;
	case SIM_EVENT_UNFAULT: sim_fault_over(sim, event->index); break;
	case SIM_EVENT_DETECT: sim_host_detect(sim, event->index, event->serial); break;
	case SIM_EVENT_STOP:
		sim_guest_stops(sim, event->index, event->serial);
		break;
	case SIM_EVENT_RANDOM: sim_fault_random(sim); break;
	}
}

int64_t sim_now_ms(const struct sim *sim)
{
	return sim->now_us / US_PER_MS;
}

int64_t sim_next_ms(const struct sim *sim)
{
	assert(!sim->flows_are_stale);
	if (sim->n_heap == 0)
		return TIME_NEVER;
	return sim->heap[0].at_us / US_PER_MS + (sim->heap[0].at_us % US_PER_MS != 0);
}

void sim_advance(struct sim *sim, int64_t now_ms)
{
	int64_t until = sim_us(now_ms);

	assert(!sim->is_advancing);
	sim->is_advancing = true;
	for (;;) {
		struct sim_event event;

		drop_void(sim);
		if (sim->flows_are_stale && (sim->n_heap == 0 || sim->heap[0].at_us > sim->now_us)) {
			sim_flows_update(sim);
			continue;
		}
		if (sim->n_heap == 0 || sim->heap[0].at_us > until)
			break;
		event = pop(sim);
		assert(event.at_us >= sim->now_us);
		sim->now_us = event.at_us;
		happen(sim, &event);
	}
	if (until > sim->now_us)
		sim->now_us = until;
	sim->is_advancing = false;
}
