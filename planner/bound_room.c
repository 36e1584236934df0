/* Room binds in three ways; for the third, whole guests on one host, see bound_host.c.
 *
 * On one host: until more than X bytes have left it, what has begun to arrive fits what was free and X. So the rest begins to
 * arrive after the shortest time in which X can leave, and has to pass the host's link after that.
 *
 * In chains: who must wait for others to leave cannot begin before they have ended, and they may have had to wait in their turn
 * (the head of a move); who makes room that others cannot do without has them behind it (its tail). Heads grow from the moves
 * that can begin at once, tails from those that nobody waits for, a pass over all hosts at a time; each pass
 * keeps them true, so that it may stop at any. A move's head, its own time and its tail are a bound; so is, for each link, what it
 * carries between the heads and the tails of its moves, however they take turns.
 *
 * A guest that goes by way of a third host has its second leg behind the first.
 *
 * All of it holds for memory and for CPUs.
 */
#include "bound_room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "xalloc.h"

enum {
	PASSES_MAX = 64,       /* a chain of so many waits is followed; more only cost time */
	STATES_MAX = 1 << 17,  /* of single hosts, in one bound: some 10 ms */
};

/* ---- one host ---- */

/* One way through a host's link: what it needs of a room (memory or CPUs) against time. */
struct passage {
	int64_t amount, us;
};

static int by_cost(const void *a, const void *b)
{
	const struct passage *x = a, *y = b;
	double cost_x = (double)x->us / (double)x->amount, cost_y = (double)y->us / (double)y->amount;

	return cost_x != cost_y ? (cost_x < cost_y ? -1 : 1) : 0;
}

struct passages {
	struct passage *list; /* cheapest first */
	size_t n;
	int64_t amount, least_amount, least_us, most_us;
	uint32_t longest; /* job */
};

static void add_passage(struct passages *passages, uint32_t job, int64_t amount, int64_t us)
{
	passages->list[passages->n++] = (struct passage){.amount = amount > 0 ? amount : 1, .us = us};
	if (passages->n == 1 || us > passages->most_us) {
		passages->most_us = us;
		passages->longest = job;
	}
	if (passages->n == 1 || us < passages->least_us)
		passages->least_us = us;
	if (passages->n == 1 || amount < passages->least_amount)
		passages->least_amount = amount;
	passages->amount += amount;
}

/* The least time in which that amount can pass, taking parts of guests where that is quicker. */
static int64_t least_time(const struct passages *passages, int64_t amount)
{
	int64_t us = 0;
	size_t i;

	for (i = 0; i < passages->n && amount > 0; i++) {
		const struct passage *passage = &passages->list[i];

		if (passage->amount > amount)
			return us + (int64_t)mul_div((uint64_t)passage->us, (uint64_t)amount, (uint64_t)passage->amount);
		us += passage->us;
		amount -= passage->amount;
	}
	return us;
}

/* The worst of: all that cannot begin before the first has left; all that cannot before some more have. */
static int64_t room_time(const struct passages *out, const struct passages *in, int64_t free_amount)
{
	int64_t need = in->amount - free_amount, left = 0, us, most;
	size_t i;

	most = out->least_us + least_time(in, in->least_amount > free_amount ? in->amount : need);
	for (i = 0; i < out->n && left < need; i++) {
		left += out->list[i].amount;
		if (left > need)
			left = need;
		us = least_time(out, left) + (left < need ? least_time(in, need - left) : in->least_us);
		most = us > most ? us : most;
	}
	return most;
}

static void bound_room_of(const struct jobs *jobs, uint32_t host, const char *what, int64_t free_amount, struct passages *out,
	struct passages *in, struct bound *bound)
{
	char text[BOUND_TEXT_SIZE];
	int64_t us;

	if (free_amount < 0)
		free_amount = 0;
	if (in->n == 0 || out->n == 0 || in->amount <= free_amount)
		return;
	qsort(out->list, out->n, sizeof *out->list, by_cost);
	qsort(in->list, in->n, sizeof *in->list, by_cost);
	us = room_time(out, in, free_amount) + (jobs->model->options.setup_ms + jobs->model->options.finish_ms) * 1000;
	snprintf(text, sizeof text, "%.50s %s: %" PRIu32 " guests wait for %" PRIu32 " to leave, the longest of them %.40s",
		jobs->model->inventory->hosts[host].name, what, (uint32_t)in->n, (uint32_t)out->n,
		jobs->model->inventory->guests[jobs->jobs[in->longest].guest].name);
	bound_raise(bound, us, jobs, host, DIRECTION_IN, in->longest, text);
}

/* Jobs in the order of their sources or targets. */
static uint32_t *jobs_by_host(const struct jobs *jobs, bool is_source, uint32_t *ret_first)
{
	uint32_t *list = xcalloc(jobs->n, sizeof *list);
	size_t n_hosts = jobs->model->inventory->n_hosts, i;

	for (i = 0; i < jobs->n; i++)
		ret_first[(is_source ? jobs->jobs[i].source : jobs->jobs[i].target) + 2]++;
	for (i = 0; i < n_hosts; i++)
		ret_first[i + 2] += ret_first[i + 1];
	for (i = 0; i < jobs->n; i++)
		list[ret_first[(is_source ? jobs->jobs[i].source : jobs->jobs[i].target) + 1]++] = (uint32_t)i;
	return list;
}

/* A host may have several links: each passage is counted with the rate of all of them. */
int64_t room_passage_us(const struct jobs *jobs, const struct job *job, uint32_t host, enum direction direction)
{
	const struct model_host *h = &jobs->model->hosts[host];
	uint64_t rate = 0;
	uint32_t k;

	for (k = 0; k < h->n_links; k++)
		rate += jobs->model->capacities[h->first_link + 2 * k + (direction == DIRECTION_OUT ? 0 : 1)];
	return (int64_t)mul_div(job->best.bytes, 1000000, rate);
}

/* Those of one host that pass in one direction: what they need of memory or CPUs, and how long they take. */
static void fill_passages(const struct jobs *jobs, uint32_t host, bool is_out, bool is_memory, const uint32_t *list,
	const uint32_t *first, struct passages *passages)
{
	uint32_t i;

	*passages = (struct passages){.list = passages->list};
	for (i = first[host]; i < first[host + 1]; i++) {
		const struct job *job = &jobs->jobs[list[i]];

		add_passage(passages, list[i], is_memory ? job->memory_bytes : job->vcpus, room_passage_us(jobs, job, host, is_out ? DIRECTION_OUT : DIRECTION_IN));
	}
}

/* ---- chains ---- */

struct chains {
	const struct jobs *jobs;
	uint32_t *out_first, *in_first, *out_jobs, *in_jobs; /* jobs of each host */
	int64_t each_us;          /* setup and finish */
	int64_t *head_us, *tail_us; /* per job: no earlier begin; no less after its end */
	struct moment *moments;   /* scratch */
	bool has_changed;
};

/* A job's amount of room with a time of it: its end, or what follows its begin. */
struct moment {
	int64_t us, amount;
	uint32_t job;
};

static int by_us(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	if (x->us != y->us)
		return x->us < y->us ? -1 : 1;
	return x->job < y->job ? -1 : x->job > y->job;
}

static int64_t amount_of(const struct job *job, bool is_memory)
{
	return is_memory ? job->memory_bytes : job->vcpus;
}

static int64_t own_us(const struct chains *chains, uint32_t number)
{
	return chains->jobs->jobs[number].best.transfer_us + chains->each_us;
}

static void raise_to(struct chains *chains, int64_t *value, int64_t to_us)
{
	if (to_us <= *value)
		return;
	*value = to_us;
	chains->has_changed = true;
}

/* A host's moves in one direction, by when they end (out) or by how much comes at least after they begin (in). */
static size_t list_moments(const struct chains *chains, uint32_t host, bool is_out, bool is_memory, int64_t *ret_amount)
{
	const uint32_t *first = is_out ? chains->out_first : chains->in_first, *list = is_out ? chains->out_jobs : chains->in_jobs;
	size_t n = first[host + 1] - first[host], i;

	*ret_amount = 0;
	for (i = 0; i < n; i++) {
		uint32_t number = list[first[host] + i];
		int64_t amount = amount_of(&chains->jobs->jobs[number], is_memory);

		chains->moments[i] = (struct moment){.amount = amount, .job = number,
			.us = own_us(chains, number) + (is_out ? chains->head_us[number] : chains->tail_us[number])};
		*ret_amount += amount;
	}
	if (n > 1)
		qsort(chains->moments, n, sizeof *chains->moments, by_us);
	return n;
}

static int64_t free_room(const struct jobs *jobs, uint32_t host, bool is_memory)
{
	int64_t room = is_memory ? jobs->free_memory[host] : jobs->free_vcpus[host];

	return room > 0 ? room : 0;
}

/* The earliest moment at which that amount can have left the host, by its moves in the order of their ends. */
static int64_t left_at(const struct moment *ends, size_t n, int64_t amount)
{
	size_t i;

	for (i = 0; i < n && amount > 0; i++) {
		amount -= ends[i].amount;
		if (amount <= 0)
			return ends[i].us;
	}
	return 0; /* nothing has to leave; or never enough does, and then no plan was made */
}

/* Those who come to the host begin when what they lack has left. */
static void grow_heads(struct chains *chains, uint32_t host, bool is_memory)
{
	int64_t room = free_room(chains->jobs, host, is_memory), leaves;
	size_t n = list_moments(chains, host, true, is_memory, &leaves);
	uint32_t at;

	for (at = chains->in_first[host]; n > 0 && at < chains->in_first[host + 1]; at++) {
		uint32_t number = chains->in_jobs[at];
		int64_t lacks = amount_of(&chains->jobs->jobs[number], is_memory) - room;

		if (lacks > 0)
			raise_to(chains, &chains->head_us[number], left_at(chains->moments, n, lacks));
	}
}

/* While one who leaves is still there, only so many can have begun to come: the others come after its end, and the best case
 * is that they are those who take least. */
static void grow_tails(struct chains *chains, uint32_t host, bool is_memory)
{
	int64_t spare = free_room(chains->jobs, host, is_memory), comes;
	size_t n = list_moments(chains, host, false, is_memory, &comes);
	uint32_t at;

	for (at = chains->out_first[host]; at < chains->out_first[host + 1]; at++)
		spare += amount_of(&chains->jobs->jobs[chains->out_jobs[at]], is_memory);
	spare -= comes;
	for (at = chains->out_first[host]; n > 0 && at < chains->out_first[host + 1]; at++) {
		uint32_t number = chains->out_jobs[at];
		int64_t must_follow = amount_of(&chains->jobs->jobs[number], is_memory) - (spare > 0 ? spare : 0);

		if (must_follow > 0)
			raise_to(chains, &chains->tail_us[number], left_at(chains->moments, n, must_follow));
	}
}

static bool is_binding(const struct chains *chains, uint32_t host, bool is_memory)
{
	int64_t room = free_room(chains->jobs, host, is_memory);
	uint32_t at;

	for (at = chains->in_first[host]; at < chains->in_first[host + 1]; at++)
		room -= amount_of(&chains->jobs->jobs[chains->in_jobs[at]], is_memory);
	return room < 0 && chains->out_first[host] < chains->out_first[host + 1];
}

/* A guest goes on when it has come. */
static void grow_legs(struct chains *chains)
{
	uint32_t i;

	for (i = 0; i < chains->jobs->n && chains->jobs->has_legs; i++) {
		uint32_t first = chains->jobs->jobs[i].first_leg;

		if (first == INDEX_NONE)
			continue;
		raise_to(chains, &chains->head_us[i], chains->head_us[first] + own_us(chains, first));
		raise_to(chains, &chains->tail_us[first], own_us(chains, i) + chains->tail_us[i]);
	}
}

/* Heads and tails of all moves; false when nobody has to wait for room or for its own first leg. */
static bool grow(struct chains *chains)
{
	size_t n_hosts = chains->jobs->model->inventory->n_hosts;
	bool *is_tight = xcalloc(2 * n_hosts, sizeof *is_tight), is_any = chains->jobs->has_legs;
	uint32_t i;
	int pass;

	for (i = 0; i < 2 * n_hosts; i++)
		is_any |= is_tight[i] = is_binding(chains, i / 2, i % 2 == 0);
	for (pass = 0; pass < PASSES_MAX && is_any; pass++) {
		chains->has_changed = false;
		for (i = 0; i < 2 * n_hosts; i++) {
			if (!is_tight[i])
				continue;
			grow_heads(chains, i / 2, i % 2 == 0);
			grow_tails(chains, i / 2, i % 2 == 0);
		}
		grow_legs(chains);
		if (!chains->has_changed)
			break;
	}
	free(is_tight);
	return is_any;
}

static void seconds_text(char *text, size_t size, int64_t us)
{
	snprintf(text, size, "%" PRId64 ".%" PRId64 " s", us / 1000000, us / 100000 % 10);
}

static void bound_alone(const struct chains *chains, struct bound *bound)
{
	const struct jobs *jobs = chains->jobs;
	char text[BOUND_TEXT_SIZE], head[32], own[32], tail[32];
	uint32_t i;

	for (i = 0; i < jobs->n; i++) {
		int64_t us = chains->head_us[i] + own_us(chains, i) + chains->tail_us[i];

		if (us <= bound->lower_us)
			continue;
		seconds_text(head, sizeof head, chains->head_us[i]);
		seconds_text(own, sizeof own, own_us(chains, i));
		seconds_text(tail, sizeof tail, chains->tail_us[i]);
		snprintf(text, sizeof text, "vm %.32s: %s until %.32s has room, %s alone, %s for those who then have room on %.32s",
			jobs->model->inventory->guests[jobs->jobs[i].guest].name, head,
			jobs->model->inventory->hosts[jobs->jobs[i].target].name, own, tail,
			jobs->model->inventory->hosts[jobs->jobs[i].source].name);
		bound_raise(bound, us - chains->each_us, jobs, jobs->jobs[i].target, DIRECTION_IN, i, text);
	}
}

/* Of any of those who come, the one that begins last begins when what they all lack has left. */
static void bound_last(struct chains *chains, uint32_t host, bool is_memory, struct bound *bound)
{
	const struct jobs *jobs = chains->jobs;
	int64_t amount, need = -free_room(jobs, host, is_memory);
	size_t n_in = list_moments(chains, host, false, is_memory, &amount), n_out, i;
	struct moment *ins = xcalloc(n_in, sizeof *ins);
	char text[BOUND_TEXT_SIZE];

	memcpy(ins, chains->moments, n_in * sizeof *ins);
	n_out = list_moments(chains, host, true, is_memory, &amount);
	for (i = n_in; i-- > 0;) {
		int64_t us;

		need += ins[i].amount;
		us = need > 0 ? left_at(chains->moments, n_out, need) + ins[i].us : 0;
		if (us <= bound->lower_us)
			continue;
		snprintf(text, sizeof text, "%.50s %s: room for the last of %zu guests, %.40s, is made by several that leave one after the other",
			jobs->model->inventory->hosts[host].name, is_memory ? "memory" : "CPUs", n_in - i,
			jobs->model->inventory->guests[jobs->jobs[ins[i].job].guest].name);
		bound_raise(bound, us - chains->each_us, jobs, host, DIRECTION_IN, ins[i].job, text);
	}
	free(ins);
}

/* One link as a machine that may change between its moves at any time, always to the one with the most behind it: no order of
 * them ends sooner (Jackson). */
struct turn {
	int64_t head_us, left_us, tail_us;
	uint32_t job;
};

static int by_head(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->head_us != y->head_us)
		return x->head_us < y->head_us ? -1 : 1;
	return x->job < y->job ? -1 : x->job > y->job;
}

/* A heap with the longest tail on top. */
static void push_turn(struct turn *heap, size_t n, struct turn turn)
{
	for (; n > 0 && heap[(n - 1) / 2].tail_us < turn.tail_us; n = (n - 1) / 2)
		heap[n] = heap[(n - 1) / 2];
	heap[n] = turn;
}

static void pop_turn(struct turn *heap, size_t n)
{
	struct turn last = heap[n - 1];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < n - 1) {
		if (child + 1 < n - 1 && heap[child + 1].tail_us > heap[child].tail_us)
			child++;
		if (heap[child].tail_us <= last.tail_us)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
}

static int64_t take_turns(struct turn *turns, size_t n, struct turn *heap, uint32_t *ret_last)
{
	int64_t now_us = 0, most_us = 0;
	size_t next = 0, n_heap = 0;

	qsort(turns, n, sizeof *turns, by_head);
	while (next < n || n_heap > 0) {
		int64_t until_us;

		if (n_heap == 0 && turns[next].head_us > now_us)
			now_us = turns[next].head_us;
		while (next < n && turns[next].head_us <= now_us)
			push_turn(heap, n_heap++, turns[next++]);
		until_us = now_us + heap[0].left_us;
		if (next < n && turns[next].head_us < until_us) {
			heap[0].left_us -= turns[next].head_us - now_us;
			now_us = turns[next].head_us;
			continue;
		}
		now_us = until_us;
		if (now_us + heap[0].tail_us > most_us) {
			most_us = now_us + heap[0].tail_us;
			*ret_last = heap[0].job;
		}
		pop_turn(heap, n_heap--);
	}
	return most_us;
}

static void raise_by_turns(const struct chains *chains, uint32_t row, size_t n, int64_t us, uint32_t last, struct bound *bound)
{
	const struct model *model = chains->jobs->model;
	char text[BOUND_TEXT_SIZE], name[64];
	uint32_t host;
	enum direction direction;

	if (us <= bound->lower_us)
		return;
	host = model_link_name(model, row, name, sizeof name);
	direction = host == INDEX_NONE ? DIRECTION_SHARED : (row - model->hosts[host].first_link) % 2 == 0 ? DIRECTION_OUT : DIRECTION_IN;
	snprintf(text, sizeof text, "%s: %zu guest%s between those who make room for them and those they make room for, the last %.40s", name,
		n, n == 1 ? "" : "s", model->inventory->guests[chains->jobs->jobs[last].guest].name);
	bound_raise(bound, us - chains->each_us, chains->jobs, host, direction, last, text);
}

/* Jobs of each link in a row, as counted by link_first. */
static struct turn *turns_of_links(const struct chains *chains, size_t *link_first)
{
	const struct jobs *jobs = chains->jobs;
	const struct model *model = jobs->model;
	size_t i, total = 0;
	struct turn *turns;
	uint32_t k;

	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++, total++)
			link_first[jobs->jobs[i].links[k] + 2]++;
	for (i = 0; i < model->n_links; i++)
		link_first[i + 2] += link_first[i + 1];
	turns = xcalloc(total, sizeof *turns);
	for (i = 0; i < jobs->n; i++)
		for (k = 0; k < jobs->jobs[i].n_links; k++)
			turns[link_first[jobs->jobs[i].links[k] + 1]++] = (struct turn){
				.head_us = chains->head_us[i] + model->options.setup_ms * 1000,
				.left_us = (int64_t)mul_div(jobs->jobs[i].best.bytes, 1000000, model->capacities[jobs->jobs[i].links[k]]),
				.tail_us = chains->tail_us[i] + model->options.finish_ms * 1000, .job = (uint32_t)i};
	return turns;
}

static void bound_turns(const struct chains *chains, struct bound *bound)
{
	size_t n_links = chains->jobs->model->n_links, *link_first = xcalloc(n_links + 2, sizeof *link_first);
	struct turn *turns = turns_of_links(chains, link_first), *heap = xcalloc(chains->jobs->n, sizeof *heap);
	uint32_t row;

	for (row = 0; row < n_links; row++) {
		size_t n = link_first[row + 1] - link_first[row];
		uint32_t last = 0;

		if (n > 0)
			raise_by_turns(chains, row, n, take_turns(&turns[link_first[row]], n, heap, &last), last, bound);
	}
	free(heap);
	free(turns);
	free(link_first);
}

static void bound_whole_guests(const struct chains *chains, uint32_t host, size_t *states_left, struct bound *bound)
{
	const struct jobs *jobs = chains->jobs;
	struct host_room room = {.jobs = jobs, .host = host, .head_us = chains->head_us,
		.out = &chains->out_jobs[chains->out_first[host]], .n_out = chains->out_first[host + 1] - chains->out_first[host],
		.in = &chains->in_jobs[chains->in_first[host]], .n_in = chains->in_first[host + 1] - chains->in_first[host]};
	char text[BOUND_TEXT_SIZE];
	uint32_t longest = room.in[0];
	int64_t us = host_room_us(&room, states_left);
	size_t i;

	if (us <= bound->lower_us)
		return;
	for (i = 1; i < room.n_in; i++)
		if (jobs->jobs[room.in[i]].best.bytes > jobs->jobs[longest].best.bytes)
			longest = room.in[i];
	snprintf(text, sizeof text, "%.50s: %zu guests come as %zu leave, and each needs room for all of itself, the largest of them %.40s",
		jobs->model->inventory->hosts[host].name, room.n_in, room.n_out,
		jobs->model->inventory->guests[jobs->jobs[longest].guest].name);
	bound_raise(bound, us - chains->each_us, jobs, host, DIRECTION_IN, longest, text);
}

static void bound_chains(struct chains *chains, struct bound *bound)
{
	size_t n_hosts = chains->jobs->model->inventory->n_hosts, states_left = STATES_MAX;
	uint32_t i;

	chains->head_us = xcalloc(2 * chains->jobs->n, sizeof *chains->head_us);
	chains->tail_us = chains->head_us + chains->jobs->n;
	chains->moments = xcalloc(chains->jobs->n, sizeof *chains->moments);
	if (grow(chains)) {
		bound_alone(chains, bound);
		for (i = 0; i < 2 * n_hosts; i++)
			if (is_binding(chains, i / 2, i % 2 == 0))
				bound_last(chains, i / 2, i % 2 == 0, bound);
		bound_turns(chains, bound);
		for (i = 0; i < n_hosts; i++)
			if (is_binding(chains, i, true) || is_binding(chains, i, false))
				bound_whole_guests(chains, i, &states_left, bound);
	}
	free(chains->head_us);
	free(chains->moments);
}

void bound_room(const struct jobs *jobs, struct bound *bound)
{
	size_t n_hosts = jobs->model->inventory->n_hosts;
	struct chains chains = {.jobs = jobs, .each_us = (jobs->model->options.setup_ms + jobs->model->options.finish_ms) * 1000};
	struct passages out = {.list = xcalloc(jobs->n, sizeof(struct passage))}, in = {.list = xcalloc(jobs->n, sizeof(struct passage))};
	uint32_t host;
	int room;

	chains.out_first = xcalloc(2 * (n_hosts + 2), sizeof *chains.out_first);
	chains.in_first = chains.out_first + n_hosts + 2;
	chains.out_jobs = jobs_by_host(jobs, true, chains.out_first);
	chains.in_jobs = jobs_by_host(jobs, false, chains.in_first);
	for (host = 0; host < n_hosts; host++)
		for (room = 0; room < 2; room++) {
			fill_passages(jobs, host, true, room == 0, chains.out_jobs, chains.out_first, &out);
			fill_passages(jobs, host, false, room == 0, chains.in_jobs, chains.in_first, &in);
			bound_room_of(jobs, host, room == 0 ? "memory" : "CPUs",
				room == 0 ? jobs->free_memory[host] : jobs->free_vcpus[host], &out, &in, bound);
		}
	bound_chains(&chains, bound);
	free(out.list);
	free(in.list);
	free(chains.out_jobs);
	free(chains.in_jobs);
	free(chains.out_first);
}
