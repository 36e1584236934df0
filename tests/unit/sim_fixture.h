/* A small world and a manager that writes down what it hears, for the tests of the simulator. */
#ifndef SIM_FIXTURE_H
#define SIM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "xalloc.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MB UINT64_C(1000000)

enum { HEARD_MAX = 4096 };

struct heard_note {
	enum hv_note_kind kind;
	char host[32], guest[32];
	int64_t at_ms;
};

struct fixture {
	struct inventory *inventory;
	struct sim_options options;
	struct sim *sim;
	struct hv_reply replies[HEARD_MAX]; /* owned */
	int64_t reply_at_ms[HEARD_MAX];
	size_t n_replies;
	struct heard_note notes[HEARD_MAX];
	size_t n_notes;
	uint64_t next_tag;
};

static inline void fixture_on_reply(void *self, struct hv_reply *reply)
{
	struct fixture *f = self;

	assert_true(f->n_replies < HEARD_MAX);
	f->reply_at_ms[f->n_replies] = sim_now_ms(f->sim);
	f->replies[f->n_replies++] = *reply;
}

static inline void fixture_on_note(void *self, const struct hv_note *note)
{
	struct fixture *f = self;
	struct heard_note *heard = &f->notes[f->n_notes];

	assert_true(f->n_notes < HEARD_MAX);
	heard->kind = note->kind;
	heard->at_ms = sim_now_ms(f->sim);
	snprintf(heard->host, sizeof heard->host, "%s", note->host);
	snprintf(heard->guest, sizeof heard->guest, "%s", note->guest != NULL ? note->guest : "");
	f->n_notes++;
}

/* Every latency 2 ms there and 2 ms back, whole links, so that times can be worked out by hand. */
static inline struct fixture *fixture_new(void)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	sim_options_init(&f->options);
	f->options.link_efficiency_milli = 1000;
	f->options.request_min_ms = f->options.request_max_ms = f->options.stats_ms = 4;
	f->inventory = inventory_new();
	return f;
}

static inline struct host *fixture_host(struct fixture *f, const char *name, uint64_t rate)
{
	struct host *host = inventory_add_host(f->inventory, name);
	struct pool *pool = host_add_pool(host, "images");
	char address[32];

	snprintf(address, sizeof address, "10.8.0.%zu/24", f->inventory->n_hosts);
	host_add_link(host, address)->rate_bytes_per_s = rate;
	host->memory_bytes = 64 * GIB;
	pool->kind = xstrdup("dir");
	pool->path = xstrdup("/images");
	pool->capacity_bytes = pool->available_bytes = 100 * GIB;
	return host;
}

static inline struct guest *fixture_guest(struct fixture *f, const char *name, uint32_t host, uint64_t memory)
{
	struct guest *guest = inventory_add_guest(f->inventory, name, host);

	guest->memory_bytes = memory;
	guest->persistent = true;
	return guest;
}

static inline void fixture_disk(struct guest *guest, uint64_t bytes)
{
	struct disk *disk = guest_add_disk(guest, "vda");

	disk->pool = xstrdup("images");
	disk->volume = xprintf("%s-vda", guest->name);
	disk->path = xprintf("/images/%s-vda", guest->name);
	disk->capacity_bytes = disk->allocation_bytes = bytes;
}

static inline void fixture_listen(struct fixture *f)
{
	struct hv_listener listener = {.self = f, .on_reply = fixture_on_reply, .on_note = fixture_on_note};

	sim_set_listener(f->sim, &listener);
}

static inline void fixture_start(struct fixture *f)
{
	struct error err = {.code = ERR_NONE};

	if (!inventory_seal(f->inventory, &err))
		fail_msg("%s", err.message);
	f->sim = sim_new(f->inventory, &f->options);
	fixture_listen(f);
}

static inline void fixture_free(struct fixture *f)
{
	size_t i;

	for (i = 0; i < f->n_replies; i++)
		hv_reply_clear(&f->replies[i]);
	sim_free(f->sim);
	inventory_free(f->inventory);
	free(f);
}

/* Lets everything happen up to a time. */
static inline void fixture_until(struct fixture *f, int64_t until_ms)
{
	sim_advance(f->sim, until_ms);
}

static inline const struct hv_reply *fixture_reply(const struct fixture *f, uint64_t tag)
{
	size_t i;

	for (i = 0; i < f->n_replies; i++) {
		if (f->replies[i].tag == tag)
			return &f->replies[i];
	}
	return NULL;
}

static inline size_t fixture_count_replies(const struct fixture *f, uint64_t tag)
{
	size_t i, n = 0;

	for (i = 0; i < f->n_replies; i++)
		n += f->replies[i].tag == tag;
	return n;
}

static inline uint64_t fixture_send(struct fixture *f, struct hv_request request)
{
	struct hypervisor *hypervisor = sim_hypervisor(f->sim);

	request.tag = ++f->next_tag;
	if (request.uuid == NULL)
		request.uuid = "";
	snprintf(request.job.run, sizeof request.job.run, "run-1");
	if (request.job.move == 0)
		request.job.move = 7;
	hypervisor->submit(hypervisor, &request);
	return request.tag;
}

/* Sends and waits for the answer, a minute at most. */
static inline const struct hv_reply *fixture_ask(struct fixture *f, struct hv_request request)
{
	uint64_t tag = fixture_send(f, request);
	int64_t end = sim_now_ms(f->sim) + 60000;

	while (fixture_reply(f, tag) == NULL && sim_next_ms(f->sim) <= end)
		sim_advance(f->sim, sim_next_ms(f->sim));
	assert_non_null(fixture_reply(f, tag));
	return fixture_reply(f, tag);
}

static inline struct hv_where fixture_where(struct fixture *f, const char *host, const char *guest)
{
	const struct hv_reply *reply = fixture_ask(f, (struct hv_request){.kind = HV_WHERE, .host = host, .guest = guest});

	assert_int_equal(reply->error.code, ERR_NONE);
	return reply->where;
}

/* Advances event by event until the guest's migration is in that phase. */
static inline void fixture_until_phase(struct fixture *f, const char *guest, enum sim_phase phase)
{
	uint32_t index = sim_guest_index(f->sim, guest);

	while (sim_guest_phase(f->sim, index) != phase) {
		assert_true(sim_next_ms(f->sim) != TIME_NEVER);
		sim_advance(f->sim, sim_next_ms(f->sim));
	}
}

static inline uint64_t fixture_migrate(struct fixture *f, const char *guest, const char *source, const char *target)
{
	return fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = guest, .host = source, .target = target, .persistent = true});
}

/* Pre-flight, prepare and migrate, as the engine does; the disks of the pre-flight stay with the caller's reply. */
static inline uint64_t fixture_move(struct fixture *f, const char *guest, const char *source, const char *target, uint64_t rate)
{
	const struct hv_reply *preflight = fixture_ask(f, (struct hv_request){.kind = HV_PREFLIGHT, .guest = guest, .host = source, .target = target});
	const struct hv_reply *prepared;

	if (preflight->error.code != ERR_NONE)
		fail_msg("%s", preflight->error.message);
	prepared = fixture_ask(f, (struct hv_request){.kind = HV_PREPARE, .guest = guest, .host = source, .target = target,
		.disks = preflight->preflight.disks, .n_disks = preflight->preflight.n_disks});
	if (prepared->error.code != ERR_NONE)
		fail_msg("%s", prepared->error.message);
	return fixture_send(f, (struct hv_request){.kind = HV_MIGRATE, .guest = guest, .host = source, .target = target,
		.persistent = true, .rate_bytes_per_s = rate, .disks = prepared->disks, .n_disks = prepared->n_disks});
}

static inline const struct heard_note *fixture_note(const struct fixture *f, enum hv_note_kind kind, const char *host)
{
	size_t i;

	for (i = 0; i < f->n_notes; i++) {
		if (f->notes[i].kind == kind && strcmp(f->notes[i].host, host) == 0)
			return &f->notes[i];
	}
	return NULL;
}

static inline void fixture_assert_sound(const struct fixture *f)
{
	struct error err = {.code = ERR_NONE};

	if (!sim_check(f->sim, &err))
		fail_msg("%s", err.message);
}

static inline void fixture_assert_settled(const struct fixture *f)
{
	struct error err = {.code = ERR_NONE};

	if (!sim_check_settled(f->sim, &err))
		fail_msg("%s", err.message);
}

#endif
