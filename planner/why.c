/* What the end of a schedule hangs on: the guest that ends last, what it waited for, what that waited for, and so on back to
 * somebody who could begin at once.
 *
 * A wait is for room, which the schedule names itself, for the first leg of the same guest, or for a link: then somebody on a link of the move ended just when it
 * began. Links are long queues, so their waits in a row are told as one.
 */
#include "why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum {
	PARTS_MAX = 4,  /* that are told: a longer story is not read */
	CAUSE_US = 4,   /* times are whole microseconds */
};

struct chain {
	const struct jobs *jobs;
	const struct schedule *schedule;
	uint32_t *by_end; /* jobs by the time at which they end */
};

struct end_key {
	int64_t end_us;
	uint32_t job;
};

static int by_end(const void *a, const void *b)
{
	const struct end_key *x = a, *y = b;

	if (x->end_us != y->end_us)
		return x->end_us < y->end_us ? -1 : 1;
	return x->job < y->job ? -1 : x->job > y->job;
}

static uint32_t *sorted_by_end(const struct jobs *jobs, const struct schedule *schedule)
{
	struct end_key *keys = xcalloc(jobs->n, sizeof *keys);
	uint32_t *list = xcalloc(jobs->n, sizeof *list), i;

	for (i = 0; i < jobs->n; i++)
		keys[i] = (struct end_key){.end_us = schedule->end_us[i], .job = i};
	qsort(keys, jobs->n, sizeof *keys, by_end);
	for (i = 0; i < jobs->n; i++)
		list[i] = keys[i].job;
	free(keys);
	return list;
}

static uint32_t shared_link(const struct job *a, const struct job *b)
{
	uint32_t i, k;

	for (i = 0; i < a->n_links; i++)
		for (k = 0; k < b->n_links; k++)
			if (a->links[i] == b->links[k])
				return a->links[i];
	return INDEX_NONE;
}

/* The latest of those whose transfer ended while this one was set up, on one of its links. */
static uint32_t link_cause(const struct chain *chain, uint32_t number, uint32_t *ret_link)
{
	const struct plan_options *options = &chain->jobs->model->options;
	int64_t start = chain->schedule->start_us[number];
	int64_t from = start - CAUSE_US + options->finish_ms * 1000, until = from + CAUSE_US + options->setup_ms * 1000;
	size_t low = 0, high = chain->jobs->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (chain->schedule->end_us[chain->by_end[middle]] <= until)
			low = middle + 1;
		else
			high = middle;
	}
	while (low > 0 && chain->schedule->end_us[chain->by_end[low - 1]] >= from) {
		uint32_t other = chain->by_end[--low];

		*ret_link = shared_link(&chain->jobs->jobs[number], &chain->jobs->jobs[other]);
		if (other != number && *ret_link != INDEX_NONE && chain->schedule->start_us[other] < start)
			return other;
	}
	return INDEX_NONE;
}

/* ret_link INDEX_NONE: it was room. */
static uint32_t cause_of(const struct chain *chain, uint32_t number, uint32_t *ret_link)
{
	uint32_t after = chain->schedule->after[number];

	*ret_link = INDEX_NONE;
	if (chain->schedule->start_us[number] <= 0)
		return INDEX_NONE;
	if (after != INDEX_NONE && chain->schedule->end_us[after] >= chain->schedule->start_us[number] - CAUSE_US)
		return after;
	after = chain->jobs->jobs[number].first_leg;
	if (after != INDEX_NONE && chain->schedule->end_us[after] >= chain->schedule->start_us[number] - CAUSE_US)
		return after;
	return link_cause(chain, number, ret_link);
}

static const char *guest_name(const struct chain *chain, uint32_t number)
{
	return chain->jobs->model->inventory->guests[chain->jobs->jobs[number].guest].name;
}

/* Appends one part; returns the job to go on from, INDEX_NONE at the beginning of the story. */
static uint32_t tell(const struct chain *chain, uint32_t number, char *text, size_t size)
{
	size_t used = strlen(text);
	uint32_t link, next_link, n = 0, cause = cause_of(chain, number, &link);
	char name[64];

	if (cause == INDEX_NONE)
		return INDEX_NONE;
	if (cause == chain->jobs->jobs[number].first_leg) {
		snprintf(text + used, size - used, ", which came to %.32s first",
			chain->jobs->model->inventory->hosts[chain->jobs->jobs[cause].target].name);
		return cause;
	}
	if (link == INDEX_NONE) {
		bool is_room = chain->jobs->jobs[cause].source == chain->jobs->jobs[number].target;

		snprintf(text + used, size - used, is_room ? ", for which %.32s had to leave %.32s" :
			", which stood back for others until %.32s had left %.32s", guest_name(chain, cause),
			chain->jobs->model->inventory->hosts[chain->jobs->jobs[cause].source].name);
		return cause;
	}
	for (next_link = link; cause != INDEX_NONE && next_link == link; n++) {
		number = cause;
		cause = cause_of(chain, number, &next_link);
	}
	model_link_name(chain->jobs->model, link, name, sizeof name);
	snprintf(text + used, size - used, ", behind %" PRIu32 " other%s through %s from %.32s on", n, n == 1 ? "" : "s", name,
		guest_name(chain, number));
	return number;
}

void why_last(const struct jobs *jobs, const struct schedule *schedule, char *text, size_t size)
{
	struct chain chain = {.jobs = jobs, .schedule = schedule};
	uint32_t number;
	int part;

	text[0] = '\0';
	if (jobs->n < 2)
		return;
	chain.by_end = sorted_by_end(jobs, schedule);
	number = chain.by_end[jobs->n - 1];
	snprintf(text, size, "%.40s ends last", guest_name(&chain, number));
	for (part = 0; part < PARTS_MAX && number != INDEX_NONE; part++)
		number = tell(&chain, number, text, size);
	free(chain.by_end);
}
