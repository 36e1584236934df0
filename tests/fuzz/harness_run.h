/* What a fuzzer does with what comes from hosts: a guest's XML, and any sequence of events into the engine. Shared by the libFuzzer
 * programs here and by scenario.fuzz_corpus, which replays the corpus in every test run. */
#ifndef DROVER_FUZZ_HARNESS_RUN_H
#define DROVER_FUZZ_HARNESS_RUN_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "libvirt_xml.h"
#include "store_memory.h"
#include "turn.h"
#include "xalloc.h"

/* Law: what was read once is edited for a target without loss of the guest's name, or refused with a reason. */
static inline void fuzz_domain(const uint8_t *data, size_t n)
{
	char *xml = xmalloc(n + 1), *edited;
	struct lv_xml_domain domain = {0}, again = {0};
	const struct lv_nets nets = {0};
	struct job_tag tag;
	struct error err = {0};

	if (n > 0)
		memcpy(xml, data, n);
	xml[n] = '\0';
	lv_xml_tag_read(xml, &tag);
	if (!lv_xml_domain_read(xml, &domain, &err)) {
		assert(err.code != ERR_NONE && err.message[0] != '\0');
		free(xml);
		return;
	}
	edited = lv_xml_for_target(xml, NULL, 0, &nets, true, &err);
	assert(edited != NULL || err.code != ERR_NONE);
	if (edited != NULL && lv_xml_domain_read(edited, &again, &err)) {
		assert(domain.name == NULL || (again.name != NULL && strcmp(domain.name, again.name) == 0));
		assert(!lv_xml_tag_read(edited, &tag));
		lv_xml_domain_clear(&again);
	}
	free(edited);
	lv_xml_domain_clear(&domain);
	free(xml);
}

enum { FUZZ_ASKED_MAX = 4096 };

struct fuzz_life {
	struct engine *engine;
	struct store *store;
	struct hypervisor hypervisor;
	struct { uint64_t tag; enum hv_kind kind; } asked[FUZZ_ASKED_MAX];
	size_t n_asked;
	int64_t now_ms;
	const uint8_t *data;
	size_t n;
};

static inline uint8_t fuzz_next(struct fuzz_life *life)
{
	if (life->n == 0)
		return 0;
	life->n--;
	return *life->data++;
}

static inline void fuzz_submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct fuzz_life *life = hypervisor->self;

	assert(request->host != NULL && request->guest != NULL);
	if (life->n_asked < FUZZ_ASKED_MAX) {
		life->asked[life->n_asked].tag = request->tag;
		life->asked[life->n_asked++].kind = request->kind;
	}
}

static inline void fuzz_turn(struct fuzz_life *life, struct event *event)
{
	struct turn turn = {.engine = life->engine, .store = life->store, .hypervisor = &life->hypervisor};
	struct actions actions;
	struct error err = {0};
	bool is_stored;

	event->now_ms = life->now_ms;
	event->wall_ms = 1700000000000 + life->now_ms;
	is_stored = turn_run(&turn, event, &actions, &err);
	assert(is_stored); /* whatever hosts say, the store takes it */
	(void)is_stored;
}

/* g2 is transient; g3 cannot move live. */
static inline struct inventory *fuzz_inventory_of_three(void)
{
	struct inventory *inventory = cluster_new(3, 3, true);
	struct error err;

	inventory->guests[1].persistent = false;
	error_set(error_own(&inventory->guests[2].unmovable), ERR_GUEST_DEVICE, "guest g3 has a shared folder");
	if (!inventory_seal(inventory, &err))
		abort();
	return inventory;
}

static inline void fuzz_begin(struct fuzz_life *life, const struct engine_options *options)
{
	struct inventory *inventory = fuzz_inventory_of_three();
	struct event event = {.kind = EVENT_RESTORE};
	struct store_image *image;
	struct error err;

	life->engine = engine_new(inventory, options);
	inventory_free(inventory);
	life->n_asked = 0;
	if (!life->store->load(life->store, &image, &err))
		abort();
	event.restore.image = image;
	fuzz_turn(life, &event);
	store_image_free(image);
}

static inline void fuzz_drain(struct fuzz_life *life, const struct engine_options *options, enum cannot_move cannot_move)
{
	struct request *request = request_new(REQUEST_DRAIN);
	struct event event = {.kind = EVENT_START};
	struct plan *plan;
	struct error err;

	request->cannot_move = cannot_move;
	strings_add(&request->hosts, &request->n_hosts, "h1");
	if (planner_plan(engine_inventory(life->engine), request, &options->plan, &plan, &err)) {
		event.start.request = request;
		event.start.plan = plan;
		fuzz_turn(life, &event);
		plan_free(plan);
	}
	request_free(request);
}

/* What a pre-flight finds to copy. */
static inline void fuzz_disk(struct hv_reply *reply)
{
	const struct hv_disk disk = {.target = "vda", .source_pool = "images", .source_volume = "v.qcow2", .target_pool = "images",
		.target_volume = "v.qcow2", .capacity_bytes = 1 << 30};

	reply->preflight.disks = hv_disks_copy(&disk, 1);
	reply->preflight.n_disks = 1;
}

/* One answer to something that was asked, now or before; what it says is drawn from the input. */
static inline void fuzz_answer(struct fuzz_life *life)
{
	size_t at = life->n_asked == 0 ? 0 : fuzz_next(life) % life->n_asked;
	uint8_t flags = fuzz_next(life), where = fuzz_next(life);
	struct hv_reply reply = {0};
	struct event event = {.kind = EVENT_REPLY, .reply = &reply};

	if (life->n_asked == 0)
		return;
	at = life->n_asked - 1 - at; /* the newest first */
	reply.tag = life->asked[at].tag;
	reply.kind = life->asked[at].kind;
	if (flags & 1)
		error_set(&reply.error, (enum error_code)(1 + (flags >> 2) % (ERROR_CODE_COUNT - 1)), "fuzz");
	reply.outcome_unknown = (flags & 3) == 3;
	reply.where.presence = (enum hv_presence)(where % 4);
	reply.where.pause_reason = (enum hv_pause_reason)((where >> 2) % 7);
	reply.where.job = (enum hv_job)((where >> 5) % 4);
	reply.where.shutoff_by_migration = where >> 7;
	reply.where.postcopy = (flags & 0xf0) == 0xf0;
	reply.where.has_tag = flags & 4;
	reply.preflight.persistent = flags & 8;
	reply.preflight.paused = flags & 16;
	reply.preflight.shutoff = flags & 64;
	if (flags & 32)
		fuzz_disk(&reply);
	reply.stats.phase = (enum hv_phase)(where % 6);
	reply.stats.rounds = flags;
	reply.stats.memory_processed_bytes = (uint64_t)where << (flags % 40);
	reply.stats.memory_remaining_bytes = (uint64_t)flags << (where % 40);
	fuzz_turn(life, &event);
	hv_reply_clear(&reply);
}

static inline void fuzz_note(struct fuzz_life *life)
{
	static const char *const hosts[] = {"h1", "h2", "h3", "h9"}, *const guests[] = {"g1", "g2", "g3", "g9"};
	uint8_t what = fuzz_next(life), whose = fuzz_next(life);
	struct hv_note note = {.kind = (enum hv_note_kind)(what % (HV_NOTE_ROUND + 1)), .host = hosts[whose % 4], .guest = guests[(whose >> 2) % 4],
		.uuid = "", .round = what};
	struct event event = {.kind = EVENT_NOTE, .note = &note};

	fuzz_turn(life, &event);
}

static inline void fuzz_command(struct fuzz_life *life, const struct engine_options *options)
{
	uint8_t what = fuzz_next(life);
	struct limit limit = {.kind = (enum limit_kind)((what >> 1) % LIMIT_KIND_COUNT), .value = (uint64_t)(what & 7)};
	struct event event = {.kind = EVENT_COMMAND};

	event.command.kind = (enum command_kind)(what % (COMMAND_STOP + 1));
	event.command.batch = (what >> 4) % 3;
	event.command.guest = what & 8 ? "g2" : NULL;
	event.command.host = "h2";
	event.command.who = "fuzz";
	event.command.options = options;
	event.command.limits = &limit;
	event.command.n_limits = 1;
	snprintf(limit.host, sizeof limit.host, "%s", what & 1 ? "h1" : "");
	fuzz_turn(life, &event);
}

/* Law: no sequence of events makes the engine step wrongly (its assertions), ask nobody, or want what the store refuses. */
static inline void fuzz_events(const uint8_t *data, size_t n)
{
	struct fuzz_life life = {.data = data, .n = n, .now_ms = 1000};
	struct engine_options options;
	uint8_t first;

	engine_options_init(&options);
	life.hypervisor = (struct hypervisor){.self = &life, .submit = fuzz_submit};
	life.store = store_memory_new("00000000-0000-4000-8000-000000000001");
	first = fuzz_next(&life);
	options.paused_handover = first & 1;
	fuzz_begin(&life, &options);
	fuzz_drain(&life, &options, (enum cannot_move)((first >> 1) % (CANNOT_MOVE_COLD + 1)));
	while (life.n > 0) {
		struct event wake = {.kind = EVENT_WAKE};
		uint8_t what = fuzz_next(&life);

		if (what < 150) {
			fuzz_answer(&life);
		} else if (what < 200) {
			life.now_ms += (int64_t)fuzz_next(&life) << (what % 10);
			fuzz_turn(&life, &wake);
		} else if (what < 225) {
			fuzz_note(&life);
		} else if (what < 245) {
			fuzz_command(&life, &options);
		} else {
			engine_free(life.engine);
			fuzz_begin(&life, &options);
		}
	}
	engine_free(life.engine);
	life.store->close(life.store);
}

#endif
