/* The seam: takes requests, hands them to the right lane of the right host, and
 * queues what comes back until the loop's thread drains it. */
#include "libvirt_hv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libvirt_internal.h"
#include "path_command.h"

int64_t lv_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void lv_wait_until(struct lv *lv, pthread_cond_t *cond, int64_t deadline_ms)
{
	struct timespec deadline = { .tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000 };

	pthread_cond_timedwait(cond, &lv->mutex, &deadline);
}

struct lv_host *lv_find_host(struct lv *lv, const char *name)
{
	for (size_t i = 0; name && i < lv->n_hosts; i++)
		if (strcmp(lv->hosts[i].name, name) == 0)
			return &lv->hosts[i];
	return NULL;
}

static void result_free(struct lv_result *result)
{
	if (!result->is_note)
		hv_reply_clear(&result->reply);
	free(result->guest);
	free(result->uuid);
	free(result);
}

static void enqueue(struct lv *lv, struct lv_result *result)
{
	pthread_mutex_lock(&lv->mutex);
	bool is_wanted = !lv->stopping;
	if (is_wanted) {
		*lv->last = result;
		lv->last = &result->next;
		/* Under the lock, so that no wake comes after free; wake only sets a flag. */
		if (lv->wake)
			lv->wake(lv->wake_arg);
	}
	pthread_mutex_unlock(&lv->mutex);
	if (!is_wanted)
		result_free(result);
}

void lv_reply(struct lv *lv, struct hv_reply *reply)
{
	struct lv_result *result = xcalloc(1, sizeof *result);

	result->reply = *reply;
	enqueue(lv, result);
}

void lv_note(struct lv *lv, enum hv_note_kind kind, const struct lv_host *host, virDomainPtr domain,
	     uint32_t round, const struct error *error)
{
	struct lv_result *result = xcalloc(1, sizeof *result);
	char uuid[VIR_UUID_STRING_BUFLEN];

	result->is_note = true;
	if (domain) {
		result->guest = xstrdup(virDomainGetName(domain));
		if (virDomainGetUUIDString(domain, uuid) == 0)
			result->uuid = xstrdup(uuid);
	}
	result->note = (struct hv_note){ .kind = kind, .host = host->name, .guest = result->guest,
					 .uuid = result->uuid, .round = round };
	if (error)
		result->note.error = *error;
	enqueue(lv, result);
}

static void lv_free(struct lv *lv)
{
	for (size_t i = 0; i < lv->n_hosts; i++)
		lv_host_clear(&lv->hosts[i]);
	free(lv->hosts);
	for (struct lv_move *move; (move = lv->moves) != NULL;)
		lv_move_drop(lv, move->host, move->guest);
	for (struct lv_result *result; (result = lv->first) != NULL;) {
		lv->first = result->next;
		result_free(result);
	}
	pthread_cond_destroy(&lv->ended);
	pthread_mutex_destroy(&lv->mutex);
	free(lv);
}

void lv_unref(struct lv *lv)
{
	pthread_mutex_lock(&lv->mutex);
	assert(lv->references > 0);
	bool is_last = --lv->references == 0;
	pthread_mutex_unlock(&lv->mutex);
	if (is_last)
		lv_free(lv);
}

bool lv_thread(struct lv *lv, void *(*run)(void *arg), void *arg, struct error *err)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_mutex_lock(&lv->mutex);
	lv->references++;
	pthread_mutex_unlock(&lv->mutex);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	int failed = pthread_create(&thread, &attributes, run, arg);
	pthread_attr_destroy(&attributes);
	if (!failed)
		return true;
	lv_unref(lv);
	return error_set(err, ERR_LIMIT, "cannot make a thread: %s", strerror(failed));
}

/* The last thing a keeper or worker does. */
void lv_thread_ends(struct lv *lv)
{
	pthread_mutex_lock(&lv->mutex);
	assert(lv->threads > 0);
	lv->threads--;
	pthread_cond_broadcast(&lv->ended);
	pthread_mutex_unlock(&lv->mutex);
	lv_unref(lv);
}

static enum lv_lane lane_of(enum hv_kind kind)
{
	switch (kind) {
	case HV_SET_RATE:
	case HV_SET_DOWNTIME:
	case HV_START_POSTCOPY:
	case HV_STATS:
	case HV_ABORT:
	case HV_WHERE:
	case HV_RESUME:
	case HV_SUSPEND:
	case HV_DESTROY:
	case HV_SHUTDOWN:
		return LV_CONTROL;
	case HV_PREFLIGHT:
	case HV_PREPARE:
	case HV_MIGRATE:
	case HV_FINISH_TARGET:
	case HV_FINISH_SOURCE:
	case HV_REMOVE_VOLUMES:
	case HV_CLEAR_TAG:
	case HV_PATH:
	case HV_COPY:
	case HV_DEFINE:
	case HV_START:
	case HV_PROBE:
	case HV_EXAMINE:
	case HV_EXAMINE_PAIR:
	case HV_SAME_POOLS:
	case HV_KIND_COUNT:
		break;
	}
	return LV_GENERAL;
}

static bool has_effects(enum hv_kind kind)
{
	return kind != HV_PREFLIGHT && kind != HV_STATS && kind != HV_WHERE && kind != HV_PATH && kind != HV_PROBE && kind != HV_SAME_POOLS &&
		kind != HV_EXAMINE && kind != HV_EXAMINE_PAIR;
}

/* Kinds that need both hosts. The target's connection is the second one taken; a host's own workers
 * are fewer than its slots, so that two hosts waiting for each other always leave one free. */
static bool execute_pair(struct lv_host *host, virConnectPtr conn, const struct hv_request *request,
			 struct hv_reply *reply, struct error *err)
{
	struct lv_host *target = lv_find_host(host->lv, request->target);
	bool ok;

	if (!target)
		return error_set(err, ERR_UNKNOWN_HOST, "guest %s: its target %s is not a known host", request->guest,
				 request->target ? request->target : "(none)");
	if (request->kind == HV_PREFLIGHT && !lv_check_alike(host, target, err))
		return false;
	virConnectPtr other = lv_take(target, LV_GENERAL, err);
	if (!other)
		return false;
	if (request->kind == HV_PREFLIGHT)
		ok = lv_preflight(conn, other, request, &reply->preflight, err) && lv_check_hops(host, target, conn, request, err);
	else if (request->kind == HV_EXAMINE_PAIR)
		ok = lv_examine_pair(host, target, conn, other, request, reply);
	else if (request->kind == HV_DEFINE)
		ok = lv_define(conn, other, request, err);
	else if (request->kind == HV_SAME_POOLS)
		ok = lv_same_pools(conn, other, request, reply, err);
	else
		ok = lv_prepare(conn, other, request, reply, err);
	if (!ok && virConnectIsAlive(other) != 1) {
		/* A pool or network that could not be asked for is not missing. */
		err->code = ERR_HOST_UNREACHABLE;
		reply->outcome_unknown = has_effects(request->kind);
	}
	lv_give(target, other);
	return ok;
}

static bool execute(struct lv_host *host, virConnectPtr conn, const struct hv_request *request,
		    struct hv_reply *reply, struct error *err)
{
	switch (request->kind) {
	case HV_PREFLIGHT:
	case HV_PREPARE:
	case HV_EXAMINE_PAIR:
	case HV_DEFINE:
	case HV_SAME_POOLS:
		return execute_pair(host, conn, request, reply, err);
	case HV_SET_RATE:
		return lv_apply_rate(host, conn, request, err);
	case HV_SET_DOWNTIME:
		return lv_apply_downtime(host, conn, request, err);
	case HV_START_POSTCOPY:
		return lv_start_postcopy(conn, request, err);
	case HV_STATS:
		return lv_stats(host, conn, request, reply, err);
	case HV_ABORT:
		return lv_abort(host, conn, request, err);
	case HV_WHERE:
		return lv_where(conn, request, reply, err);
	case HV_FINISH_TARGET:
		return lv_finish_target(conn, request, err);
	case HV_FINISH_SOURCE:
		return lv_finish_source(conn, request, err);
	case HV_REMOVE_VOLUMES:
		return lv_remove_volumes(conn, request, err);
	case HV_CLEAR_TAG:
		return lv_clear_tag(conn, request, err);
	case HV_RESUME:
		return lv_resume(conn, request, err);
	case HV_SUSPEND:
		return lv_suspend(conn, request, err);
	case HV_DESTROY:
		return lv_destroy(conn, request, err);
	case HV_PATH:
		return path_command_run(host->name, host->shell, request->target_address, &reply->path, err);
	case HV_PROBE:
		return lv_probe(conn, request, reply, err);
	case HV_EXAMINE:
		return lv_examine(conn, reply, err);
	case HV_SHUTDOWN:
		return lv_shutdown(conn, request, err);
	case HV_START:
		return lv_start(conn, request, err);
	case HV_MIGRATE:
	case HV_COPY:
	case HV_KIND_COUNT:
		break;
	}
	return error_set(err, ERR_INTERNAL, "request kind %d has no lane", (int)request->kind);
}

void lv_execute(struct lv_host *host, enum lv_lane lane, virConnectPtr conn, const struct hv_request *request)
{
	struct hv_reply reply = { .tag = request->tag, .kind = request->kind };

	(void)lane;
	virResetLastError();
	if (!execute(host, conn, request, &reply, &reply.error)) {
		assert(reply.error.code != ERR_NONE);
		if (virConnectIsAlive(conn) != 1) {
			reply.outcome_unknown = has_effects(request->kind);
			/* Whatever the call said, the cause is the connection. */
			reply.error.code = ERR_HOST_UNREACHABLE;
		}
		error_wrap(&reply.error, "host %s", host->name);
	}
	lv_reply(host->lv, &reply);
}

static void submit(struct hypervisor *hypervisor, const struct hv_request *request)
{
	struct lv *lv = hypervisor->self;
	struct lv_host *host = lv_find_host(lv, request->host);

	if (!host) {
		struct hv_reply reply = { .tag = request->tag, .kind = request->kind };
		error_set(&reply.error, ERR_UNKNOWN_HOST, "no host %s is configured", request->host ? request->host : "(none)");
		lv_reply(lv, &reply);
		return;
	}
	if (request->kind == HV_MIGRATE) {
		lv_migrate_start(host, request);
		return;
	}
	if (request->kind == HV_COPY) {
		lv_copy_start(host, request);
		return;
	}
	/* What the newest order is, is settled here, in the order of submission; the lane's two workers may
	 * overtake each other, and both then apply the newest. */
	if (request->kind == HV_SET_RATE || request->kind == HV_SET_DOWNTIME) {
		pthread_mutex_lock(&lv->mutex);
		struct lv_move *move = lv_move_find(lv, host->name, request->guest, true);
		if (request->kind == HV_SET_RATE) {
			move->has_rate = true;
			move->rate_bytes_per_s = request->rate_bytes_per_s;
		} else {
			move->downtime_ms = request->downtime_ms;
		}
		move->rate_in_force = false;
		pthread_mutex_unlock(&lv->mutex);
	}
	lv_enqueue(host, lane_of(request->kind), request);
}

size_t libvirt_hv_drain(struct hypervisor *hypervisor)
{
	struct lv *lv = hypervisor->self;
	size_t n = 0;

	pthread_mutex_lock(&lv->mutex);
	struct lv_result *list = lv->first;
	lv->first = NULL;
	lv->last = &lv->first;
	pthread_mutex_unlock(&lv->mutex);
	for (struct lv_result *result; (result = list) != NULL; n++) {
		list = result->next;
		if (result->is_note) {
			lv->listener.on_note(lv->listener.self, &result->note);
		} else {
			lv->listener.on_reply(lv->listener.self, &result->reply);
			result->reply = (struct hv_reply){ 0 };
		}
		result_free(result);
	}
	return n;
}

static void lv_stop(struct hypervisor *hypervisor)
{
	if (!hypervisor)
		return;
	struct lv *lv = hypervisor->self;
	int64_t deadline = lv_now_ms() + LV_FREE_WAIT_MS;

	pthread_mutex_lock(&lv->mutex);
	lv->stopping = true;
	for (size_t i = 0; i < lv->n_hosts; i++)
		pthread_cond_broadcast(&lv->hosts[i].cond);
	/* A thread stuck in a call of libvirt is left behind: it ends by itself or with the process. */
	while (lv->threads > 0 && lv_now_ms() < deadline)
		lv_wait_until(lv, &lv->ended, deadline);
	pthread_mutex_unlock(&lv->mutex);
	lv_unref(lv);
}

static void add_host(struct lv *lv, const struct libvirt_host *given)
{
	struct lv_host *host = &lv->hosts[lv->n_hosts++];
	pthread_condattr_t attributes;

	host->lv = lv;
	host->name = xstrdup(given->name);
	host->uri = lv_uri_own(given->uri, given->insecure);
	host->peer_uri = lv_uri_peer(given->peer_uri ? given->peer_uri : given->uri, given->insecure);
	host->shell = given->shell ? xstrdup(given->shell) : NULL;
	host->transport = lv_transport_of(host->uri, given->insecure);
	host->peer_transport = lv_transport_of(host->peer_uri, given->insecure);
	for (int lane = 0; lane < LV_LANES; lane++)
		host->last[lane] = &host->first[lane];
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&host->cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

static struct lv *lv_new(size_t n)
{
	struct lv *lv = xcalloc(1, sizeof *lv);
	pthread_condattr_t attributes;

	pthread_mutex_init(&lv->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lv->ended, &attributes);
	pthread_condattr_destroy(&attributes);
	lv->last = &lv->first;
	lv->references = 1;
	lv->hosts = xcalloc(n + 1, sizeof *lv->hosts);
	lv->base = (struct hypervisor){ .self = lv, .submit = submit, .free = lv_stop };
	return lv;
}

struct hypervisor *libvirt_hv_new(const struct libvirt_host *hosts, size_t n, const struct libvirt_options *options,
				  const struct hv_listener *listener,
				  void (*wake)(void *arg), void *wake_arg, struct error *err)
{
	if (!lv_event_thread_start(err))
		return NULL;
	struct lv *lv = lv_new(n);

	if (options)
		lv->options = *options;
	lv->listener = *listener;
	lv->wake = wake;
	lv->wake_arg = wake_arg;
	for (size_t i = 0; i < n; i++) {
		if (lv_find_host(lv, hosts[i].name)) {
			error_set(err, ERR_CONFIG, "host %s is given twice", hosts[i].name);
			lv_stop(&lv->base);
			return NULL;
		}
		add_host(lv, &hosts[i]);
	}
	for (size_t i = 0; i < n; i++)
		lv->hosts[i].proofs = xcalloc(n, sizeof *lv->hosts[i].proofs);
	/* Only when the list is complete: threads look hosts up in it. */
	for (size_t i = 0; i < n; i++)
		if (!lv_host_start(&lv->hosts[i], err)) {
			lv_stop(&lv->base);
			return NULL;
		}
	return &lv->base;
}
