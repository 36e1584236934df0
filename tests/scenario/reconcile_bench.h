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

static inline void submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct bench *bench = hypervisor->self;
	struct asked *asked = &bench->asked[bench->n_asked++];

	assert_true(bench->n_asked < REQUESTS_MAX);
	*asked = (struct asked){.tag = request->tag, .kind = request->kind, .epoch = request->job.epoch};
	snprintf(asked->host, sizeof asked->host, "%s", request->host);
}

static inline void turn(struct bench *bench, struct event *event)
{
	struct turn turn = {.engine = bench->engine, .store = bench->store, .hypervisor = &bench->hypervisor};
	struct actions actions;
	struct error err;

	event->now_ms = bench->now_ms;
	event->wall_ms = 1700000000000 + bench->now_ms;
	assert_done(turn_run(&turn, event, &actions, &err), err);
}

static inline void wake(struct bench *bench, int64_t now_ms)
{
	struct event event = {.kind = EVENT_WAKE};

	bench->now_ms = now_ms;
	turn(bench, &event);
}

static inline struct asked *pending(struct bench *bench, enum hv_kind kind, const char *host)
{
	size_t i;

	for (i = bench->n_asked; i > 0; i--)
		if (bench->asked[i - 1].kind == kind && strcmp(bench->asked[i - 1].host, host) == 0)
			return bench->asked[i - 1].was_answered ? NULL : &bench->asked[i - 1];
	return NULL;
}

static inline void reply(struct bench *bench, enum hv_kind kind, const char *host, struct hv_reply *answer)
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

static inline void reply_ok(struct bench *bench, enum hv_kind kind, const char *host)
{
	struct hv_reply answer = {0};

	reply(bench, kind, host, &answer);
}

static inline struct inventory *inventory_of(int n_hosts, bool persistent)
{
	struct inventory *inventory = inventory_new();
	struct guest *guest;
	struct disk *disk;
	int i;

	for (i = 1; i <= n_hosts; i++) {
		char name[16];
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

static inline struct inventory *two_hosts(bool persistent)
{
	return inventory_of(2, persistent);
}

/* Takes the inventory. */
static inline void restore_with(struct bench *bench, struct inventory *inventory)
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

static inline void restore(struct bench *bench)
{
	restore_with(bench, two_hosts(true));
}

static inline void start_move(struct bench *bench)
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

static inline void answer_preflight_with(struct bench *bench, bool paused, const struct error *no_postcopy)
{
	struct hv_reply answer = {.preflight = {.persistent = true, .autostart = true, .paused = paused, .disks_can_be_throttled = true,
		.no_postcopy = *no_postcopy}};
	struct hv_disk disk = {.target = "vda", .source_pool = "images", .source_volume = "web.qcow2", .target_pool = "images",
		.target_volume = "web.qcow2", .capacity_bytes = 1 << 30};

	answer.preflight.disks = hv_disks_copy(&disk, 1);
	answer.preflight.n_disks = 1;
	reply(bench, HV_PREFLIGHT, "h1", &answer);
}

static inline void answer_preflight(struct bench *bench, bool paused)
{
	struct error none = {.code = ERR_NONE};

	answer_preflight_with(bench, paused, &none);
}

/* The move was begun: its PREFLIGHT was sent and is not answered. Takes the inventory. */
static inline struct bench *begun_of(struct inventory *inventory, const struct engine_options *options)
{
	struct bench *bench = xcalloc(1, sizeof *bench);

	bench->options = *options;
	bench->options.attempts_max = 1;
	bench->hypervisor = (struct hypervisor){.self = bench, .submit = submit};
	bench->store = store_memory_new(run_id);
	bench->now_ms = 1000;
	restore_with(bench, inventory);
	start_move(bench);
	return bench;
}

/* PREPARE was sent and is not answered. Takes the inventory. */
static inline struct bench *preparing_of(struct inventory *inventory, bool handover, bool paused)
{
	struct engine_options options;
	struct bench *bench;

	engine_options_init(&options);
	options.paused_handover = handover;
	bench = begun_of(inventory, &options);
	answer_preflight(bench, paused);
	return bench;
}

static inline struct bench *preparing(bool handover)
{
	return preparing_of(two_hosts(true), handover, false);
}

/* The migration was sent; nobody has heard of its end yet. */
static inline struct bench *copying_of(struct inventory *inventory, bool handover)
{
	struct bench *bench = preparing_of(inventory, handover, false);

	reply_ok(bench, HV_PREPARE, "h1");
	return bench;
}

static inline struct bench *copying(bool handover)
{
	return copying_of(two_hosts(true), handover);
}

/* The answer of the migration got lost: both hosts are being asked. */
static inline struct bench *lose_answer(struct bench *bench)
{
	struct hv_reply answer = {.outcome_unknown = true};

	error_set(&answer.error, ERR_OUTCOME_UNKNOWN, "the connection broke");
	reply(bench, HV_MIGRATE, "h1", &answer);
	bench->mark = bench->n_asked;
	return bench;
}

static inline struct bench *unknown(bool handover)
{
	return lose_answer(copying(handover));
}

/* Its owner had paused the guest before. */
static inline struct bench *unknown_paused(void)
{
	struct bench *bench = preparing_of(two_hosts(true), false, true);

	reply_ok(bench, HV_PREPARE, "h1");
	return lose_answer(bench);
}

static inline struct bench *unknown_of_four(void)
{
	return lose_answer(copying_of(inventory_of(4, true), false));
}

static inline void end(struct bench *bench)
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
static inline unsigned n_asked(const struct bench *bench, enum hv_kind kind, const char *host)
{
	unsigned n = 0;
	size_t i;

	for (i = bench->mark; i < bench->n_asked; i++)
		n += bench->asked[i].kind == kind && strcmp(bench->asked[i].host, host) == 0;
	return n;
}

/* Nothing but looking was done since. */
static inline void assert_untouched(const struct bench *bench)
{
	size_t i;

	for (i = bench->mark; i < bench->n_asked; i++)
		if (bench->asked[i].kind != HV_WHERE && bench->asked[i].kind != HV_STATS)
			fail_msg("%s was asked of %s", hv_kind_name(bench->asked[i].kind), bench->asked[i].host);
}

/* --- what a host can say --- */

typedef struct hv_where where_t;

static inline where_t tagged(where_t where)
{
	where.has_tag = true;
	where.job_tag = (struct job_tag){.move = 1, .epoch = 1, .target = "h2"};
	memcpy(where.job_tag.run, run_id, sizeof run_id);
	return where;
}

static inline where_t absent(void) { return (where_t){.presence = HV_ABSENT}; }
static inline where_t shut_off(void) { return (where_t){.presence = HV_SHUTOFF, .persistent = true}; }
static inline where_t migrated(void) { return (where_t){.presence = HV_SHUTOFF, .persistent = true, .shutoff_by_migration = true}; }
static inline where_t running(void) { return tagged((where_t){.presence = HV_RUNNING}); }
static inline where_t running_out(void) { return tagged((where_t){.presence = HV_RUNNING, .job = HV_JOB_OUT}); }
static inline where_t paused(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_MIGRATION}); }
static inline where_t switching(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_MIGRATION, .job = HV_JOB_OUT}); }
static inline where_t incoming(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_MIGRATION, .job = HV_JOB_IN}); }
static inline where_t by_user(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_USER}); }
static inline where_t postcopy(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_POSTCOPY}); }
static inline where_t postcopy_failed(void) { return tagged((where_t){.presence = HV_PAUSED, .pause_reason = HV_PAUSE_POSTCOPY_FAILED}); }
static inline where_t postcopy_broken(void) { return tagged((where_t){.presence = HV_RUNNING, .postcopy = true, .postcopy_failed = true}); }
static inline where_t postcopy_running(void) { return tagged((where_t){.presence = HV_RUNNING, .postcopy = true}); }

static inline void say(struct bench *bench, const char *host, const where_t *where)
{
	struct hv_reply answer = {0};

	if (where != NULL)
		answer.where = *where;
	else
		error_set(&answer.error, ERR_HOST_UNREACHABLE, "host %s does not answer", host);
	reply(bench, HV_WHERE, host, &answer);
}

/* Both hosts are asked again when it is time. */
static inline void until_asked(struct bench *bench)
{
	int i;

	for (i = 0; i < 20 && pending(bench, HV_WHERE, "h1") == NULL; i++) {
		assert_true(engine_deadline(bench->engine) != TIME_NEVER);
		wake(bench, engine_deadline(bench->engine) > bench->now_ms ? engine_deadline(bench->engine) : bench->now_ms);
	}
	assert_non_null(pending(bench, HV_WHERE, "h1"));
}

/* One look at both; NULL = no answer. */
static inline void look(struct bench *bench, const where_t *source, const where_t *target)
{
	until_asked(bench);
	say(bench, "h1", source);
	say(bench, "h2", target);
}

static inline void look_twice(struct bench *bench, where_t source, where_t target)
{
	look(bench, &source, &target);
	look(bench, &source, &target);
}

/* Looks until a minute is over, so that libvirt had its time to tidy up. */
static inline void look_for_a_minute(struct bench *bench, where_t source, where_t target)
{
	int64_t until_ms = bench->now_ms + 59000;

	while (bench->now_ms < until_ms) {
		look(bench, &source, &target);
		assert_untouched(bench);
		until_asked(bench);
	}
	wake(bench, until_ms + 2000);
	look(bench, &source, &target);
}

static inline void assert_failed(const struct bench *bench, enum error_code code)
{
	assert_int_equal(record(bench)->state, MOVE_FAILED);
	assert_int_equal(record(bench)->error.code, code);
	assert_true(record(bench)->error.message[0] != '\0');
}

static inline void assert_cleaned(struct bench *bench)
{
	assert_int_equal(record(bench)->state, MOVE_CLEANUP);
	assert_int_equal(n_asked(bench, HV_FINISH_TARGET, "h2"), 1);
	assert_int_equal(n_asked(bench, HV_FINISH_SOURCE, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 0);
	reply_ok(bench, HV_FINISH_TARGET, "h2");
	reply_ok(bench, HV_FINISH_SOURCE, "h1");
	assert_int_equal(record(bench)->state, MOVE_DONE);
}

static inline void assert_taken_back(struct bench *bench, bool undefines)
{
	assert_int_equal(n_asked(bench, HV_REMOVE_VOLUMES, "h2"), 1);
	assert_int_equal(n_asked(bench, HV_CLEAR_TAG, "h1"), 1);
	assert_int_equal(n_asked(bench, HV_FINISH_SOURCE, "h2"), undefines ? 1 : 0);
	assert_int_equal(n_asked(bench, HV_FINISH_SOURCE, "h1"), 0);
	assert_int_equal(record(bench)->state, MOVE_UNKNOWN);
	reply_ok(bench, HV_REMOVE_VOLUMES, "h2");
	reply_ok(bench, HV_CLEAR_TAG, "h1");
	if (undefines)
		reply_ok(bench, HV_FINISH_SOURCE, "h2");
	assert_failed(bench, ERR_OUTCOME_UNKNOWN); /* the only attempt that was allowed */
}

#endif
