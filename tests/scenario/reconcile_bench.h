/* A bench for one move between two hosts: the engine is real, the hypervisor is a list of requests, and the test
 * answers them. */
#ifndef DROVER_TEST_RECONCILE_BENCH_H
#define DROVER_TEST_RECONCILE_BENCH_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_memory.h"
#include "turn.h"
#include "xalloc.h"

enum { REQUESTS_MAX = 256 };

static const char run_id[] = "00000000-0000-4000-8000-000000000001";
static const char guest_uuid[] = "00000000-0000-4000-8000-000000000007";

struct asked {
	uint64_t tag;
	enum hv_kind kind;
	char host[16];
	uint64_t epoch;
	bool was_answered;
};

struct bench {
	struct engine *engine;
	struct store *store;
	struct hypervisor hypervisor;
	struct engine_options options;
	struct asked asked[REQUESTS_MAX];
	size_t n_asked;
	size_t mark; /* requests before it do not count any more */
	int64_t now_ms;
};

static void submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct bench *bench = hypervisor->self;
	struct asked *asked = &bench->asked[bench->n_asked++];

	assert_true(bench->n_asked < REQUESTS_MAX);
	*asked = (struct asked){.tag = request->tag, .kind = request->kind, .epoch = request->job.epoch};
	snprintf(asked->host, sizeof asked->host, "%s", request->host);
}

static void turn(struct bench *bench, struct event *event)
{
	struct turn turn = {.engine = bench->engine, .store = bench->store, .hypervisor = &bench->hypervisor};
	struct actions actions;
	struct error err;

	event->now_ms = bench->now_ms;
	event->wall_ms = 1700000000000 + bench->now_ms;
	assert_done(turn_run(&turn, event, &actions, &err), err);
}

static void wake(struct bench *bench, int64_t now_ms)
{
	struct event event = {.kind = EVENT_WAKE};

	bench->now_ms = now_ms;
	turn(bench, &event);
}

static struct asked *pending(struct bench *bench, enum hv_kind kind, const char *host)
{
	size_t i;

	for (i = bench->n_asked; i > 0; i--)
		if (bench->asked[i - 1].kind == kind && strcmp(bench->asked[i - 1].host, host) == 0)
			return bench->asked[i - 1].was_answered ? NULL : &bench->asked[i - 1];
	return NULL;
}

static void reply(struct bench *bench, enum hv_kind kind, const char *host, struct hv_reply *answer)
{
	struct asked *asked = pending(bench, kind, host);
	struct event event = {.kind = EVENT_REPLY, .reply = answer};

	if (asked == NULL)
		fail_msg("%s was not asked of %s", hv_kind_name(kind), host);
	else
		asked->was_answered = true;
	answer->tag = asked->tag;
	answer->kind = kind;
	turn(bench, &event);
	hv_reply_clear(answer);
}

static void reply_ok(struct bench *bench, enum hv_kind kind, const char *host)
{
	struct hv_reply answer = {0};

	reply(bench, kind, host, &answer);
}

static struct inventory *two_hosts(bool persistent)
{
	struct inventory *inventory = inventory_new();
	struct guest *guest;
	struct disk *disk;
	int i;

	for (i = 1; i <= 2; i++) {
		char name[8];
		struct host *host;
		struct pool *pool;

		snprintf(name, sizeof name, "h%d", i);
		host = inventory_add_host(inventory, name);
		host->memory_bytes = (uint64_t)1 << 34;
		pool = host_add_pool(host, "images");
		pool->capacity_bytes = pool->available_bytes = (uint64_t)1 << 40;
	}
	guest = inventory_add_guest(inventory, "web", 0);
	memcpy(guest->uuid, guest_uuid, sizeof guest_uuid);
	guest->memory_bytes = (uint64_t)1 << 30;
	guest->persistent = persistent;
	disk = guest_add_disk(guest, "vda");
	disk->pool = xstrdup("images");
	disk->volume = xstrdup("web.qcow2");
	disk->capacity_bytes = 1 << 30;
	return inventory;
}

/* Takes the inventory. */
static void restore_with(struct bench *bench, struct inventory *inventory)
{
	struct store_image *image;
	struct event event = {.kind = EVENT_RESTORE};
	struct error err;

	assert_done(inventory_seal(inventory, &err), err);
	bench->engine = engine_new(inventory, &bench->options);
	inventory_free(inventory);
	assert_done(bench->store->load(bench->store, &image, &err), err);
	event.restore.image = image;
	turn(bench, &event);
	store_image_free(image);
}

static void restore(struct bench *bench)
{
	restore_with(bench, two_hosts(true));
}

static void start_move(struct bench *bench)
{
	struct request *request = request_new(REQUEST_MOVE);
	struct event event = {.kind = EVENT_START};
	struct plan *plan;
	struct error err;

	request_add_move(request, "web")->to = xstrdup("h2");
	assert_done(planner_plan(engine_inventory(bench->engine), request, &bench->options.plan, &plan, &err), err);
	event.start.request = request;
	event.start.plan = plan;
	turn(bench, &event);
	plan_free(plan);
	request_free(request);
}

static void answer_preflight(struct bench *bench)
{
	struct hv_reply answer = {.preflight = {.persistent = true, .autostart = true, .disks_can_be_throttled = true}};
	struct hv_disk disk = {.target = "vda", .source_pool = "images", .source_volume = "web.qcow2", .target_pool = "images",
		.target_volume = "web.qcow2", .capacity_bytes = 1 << 30};

	answer.preflight.disks = hv_disks_copy(&disk, 1);
	answer.preflight.n_disks = 1;
	reply(bench, HV_PREFLIGHT, "h1", &answer);
}

/* The migration was sent; nobody has heard of its end yet. */
static struct bench *copying(bool handover)
{
	struct bench *bench = xcalloc(1, sizeof *bench);

	engine_options_init(&bench->options);
	bench->options.paused_handover = handover;
	bench->options.attempts_max = 1;
	bench->hypervisor = (struct hypervisor){.self = bench, .submit = submit};
	bench->store = store_memory_new(run_id);
	bench->now_ms = 1000;
	restore(bench);
	start_move(bench);
	answer_preflight(bench);
	reply_ok(bench, HV_PREPARE, "h1");
	return bench;
}

/* The answer of the migration got lost: both hosts are being asked. */
static struct bench *unknown(bool handover)
{
	struct bench *bench = copying(handover);
	struct hv_reply answer = {.outcome_unknown = true};

	error_set(&answer.error, ERR_OUTCOME_UNKNOWN, "the connection broke");
	reply(bench, HV_MIGRATE, "h1", &answer);
	bench->mark = bench->n_asked;
	return bench;
}

static void end(struct bench *bench)
{
	engine_free(bench->engine);
	bench->store->close(bench->store);
	free(bench);
}

static const struct move_record *record(const struct bench *bench)
{
	return engine_move(bench->engine, 0);
}

/* How often it was asked of the host since the outcome became unknown. */
static unsigned n_asked(const struct bench *bench, enum hv_kind kind, const char *host)
{
	unsigned n = 0;
	size_t i;

	for (i = bench->mark; i < bench->n_asked; i++)
		n += bench->asked[i].kind == kind && strcmp(bench->asked[i].host, host) == 0;
	return n;
}

/* Nothing but looking was done since. */
static void assert_untouched(const struct bench *bench)
{
	size_t i;

	for (i = bench->mark; i < bench->n_asked; i++)
		if (bench->asked[i].kind != HV_WHERE && bench->asked[i].kind != HV_STATS)
			fail_msg("%s was asked of %s", hv_kind_name(bench->asked[i].kind), bench->asked[i].host);
}

#endif
