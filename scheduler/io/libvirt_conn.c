/* Connections of a host and the threads that use them.
 *
 * The keeper owns opening and closing. All connections of a host are one unit: when any is
 * lost, all are opened anew, because the usual cause is a libvirtd that restarted or a cut
 * network, and because events were lost then, so that HOST_UP must mean "ask everything again".
 * Workers borrow a connection, each for itself; one that is borrowed when the keeper lets go of all is closed
 * by its borrower, hence a call on a dying one fails in peace.
 *
 *   CONNECTING --opened--> UP --close callback--> DOWN --back-off--> (tries again) --> UP
 *        +-----failed------------------------------^
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"

/* Several hypervisors in one process (tests) share the one event loop that libvirt knows. */
static pthread_once_t event_once = PTHREAD_ONCE_INIT;
static bool event_runs;

static void tick(int timer, void *arg)
{
	(void)timer;
	(void)arg;
}

static void *event_loop(void *arg)
{
	(void)arg;
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			virResetLastError();
	return NULL;
}

static void event_start(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	lv_error_silence();
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return;
	/* Bounds the time a failing poll could spin or sleep unseen. */
	virEventAddTimeout(1000, tick, NULL, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	event_runs = pthread_create(&thread, &attributes, event_loop, NULL) == 0;
	pthread_attr_destroy(&attributes);
}

bool lv_event_thread_start(struct error *err)
{
	pthread_once(&event_once, event_start);
	return event_runs || error_set(err, ERR_INTERNAL, "libvirt's event loop could not be started");
}

/* --- callbacks, on the event thread: they only queue and signal --- */

static void release(void *arg)
{
	struct lv_host *host = arg;

	lv_unref(host->lv);
}

static struct lv_link *find_link(struct lv_host *host, virConnectPtr conn)
{
	struct lv_link *link = host->links;

	while (link && link->conn != conn)
		link = link->next;
	return link;
}

static void on_close(virConnectPtr conn, int reason, void *arg)
{
	struct lv_host *host = arg;
	struct lv *lv = host->lv;

	if (reason == VIR_CONNECT_CLOSE_REASON_CLIENT)
		return;
	pthread_mutex_lock(&lv->mutex);
	struct lv_link *link = find_link(host, conn);
	if (link) {
		link->lost = true;
		pthread_cond_broadcast(&host->cond);
	}
	pthread_mutex_unlock(&lv->mutex);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *arg)
{
	struct lv_host *host = arg;

	(void)conn;
	lv_postcopy_event(host, domain, event, detail);
	if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)
		lv_note(host->lv, HV_NOTE_GUEST_SUSPENDED, host, domain, 0, NULL);
	else if (event == VIR_DOMAIN_EVENT_RESUMED)
		lv_note(host->lv, HV_NOTE_GUEST_RESUMED, host, domain, 0, NULL);
	else if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_CRASHED)
		lv_note(host->lv, HV_NOTE_GUEST_STOPPED, host, domain, 0, NULL);
	else if (event == VIR_DOMAIN_EVENT_STARTED)
		lv_note(host->lv, HV_NOTE_GUEST_STARTED, host, domain, 0, NULL);
	return 0;
}

static void on_round(virConnectPtr conn, virDomainPtr domain, int round, void *arg)
{
	struct lv_host *host = arg;

	(void)conn;
	lv_note(host->lv, HV_NOTE_ROUND, host, domain, round > 0 ? (uint32_t)round : 0, NULL);
}

/* --- the keeper --- */

/* The credentials a URI needs come from files (auth.conf, tickets, keys): nobody is there to be asked. */
virConnectPtr lv_open(const struct lv_host *host, struct error *err)
{
	virConnectPtr conn = virConnectOpen(host->uri);

	if (!conn) {
		lv_error(err, ERR_HOST_UNREACHABLE, "cannot connect to %s", host->uri);
		lv_explain_open(err, NULL, host);
		return NULL;
	}
	/* Not for local drivers, which have no peer to lose. */
	if (virConnectSetKeepAlive(conn, LV_KEEPALIVE_INTERVAL_S, LV_KEEPALIVE_COUNT) < 0)
		virResetLastError();
	return conn;
}

static void hold(struct lv *lv)
{
	pthread_mutex_lock(&lv->mutex);
	lv->references++;
	pthread_mutex_unlock(&lv->mutex);
}

static bool watch_event(struct lv_host *host, struct lv_link *link, int id, virConnectDomainEventGenericCallback callback)
{
	hold(host->lv);
	int event = virConnectDomainEventRegisterAny(link->conn, NULL, id, callback, host, release);

	if (event < 0) {
		lv_unref(host->lv);
		return false;
	}
	link->events[link->n_events++] = event;
	return true;
}

/* Opens one connection and its callbacks. It is listed before the close callback is set, so that a loss in between is
 * not missed; nobody takes it until all are open. */
static bool open_link(struct lv_host *host, enum lv_lane lane, bool has_events, struct error *err)
{
	virConnectPtr conn = lv_open(host, err);

	if (!conn)
		return false;
	struct lv_link *link = xcalloc(1, sizeof *link);

	link->conn = conn;
	link->lane = lane;
	pthread_mutex_lock(&host->lv->mutex);
	link->next = host->links;
	host->links = link;
	host->opened_ms = lv_now_ms();
	pthread_mutex_unlock(&host->lv->mutex);
	hold(host->lv);
	if (virConnectRegisterCloseCallback(conn, on_close, host, release) < 0)
		lv_unref(host->lv);
	/* Events only speed things up; a driver without one kind is polled. */
	if (has_events &&
	    (!watch_event(host, link, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)) ||
	     !watch_event(host, link, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_round))))
		virResetLastError();
	return true;
}

/* Of a link that is in no list any more and that nobody else uses. Every callback holds the connection. */
static void close_link(struct lv_link *link)
{
	for (unsigned i = 0; i < link->n_events; i++)
		virConnectDomainEventDeregisterAny(link->conn, link->events[i]);
	virConnectUnregisterCloseCallback(link->conn, on_close);
	virConnectClose(link->conn);
	virResetLastError();
	free(link);
}

/* Takes all connections out of use and closes those that nobody has borrowed. */
static void close_links(struct lv_host *host, const struct error *why)
{
	struct lv_link *idle = NULL;

	pthread_mutex_lock(&host->lv->mutex);
	for (struct lv_link **at = &host->links; *at;) {
		struct lv_link *link = *at;

		link->is_retired = true;
		if (link->is_taken) {
			at = &link->next;
			continue;
		}
		*at = link->next;
		link->next = idle;
		idle = link;
	}
	host->state = LV_DOWN;
	host->down = *why;
	pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
	while (idle) {
		struct lv_link *link = idle;

		idle = link->next;
		close_link(link);
	}
}

static bool open_links(struct lv_host *host)
{
	static const unsigned wanted[LV_LANES] = { [LV_GENERAL] = LV_GENERAL_CONNECTIONS, [LV_CONTROL] = LV_CONTROL_CONNECTIONS };
	struct error err = { 0 };

	for (int lane = 0; lane < LV_LANES; lane++)
		for (unsigned i = 0; i < wanted[lane]; i++)
			if (!open_link(host, (enum lv_lane)lane, lane == LV_GENERAL && i == 0, &err)) {
				error_wrap(&err, "host %s", host->name);
				close_links(host, &err);
				return false;
			}
	pthread_mutex_lock(&host->lv->mutex);
	host->state = LV_UP;
	pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
	return true;
}

static bool is_any_lost(const struct lv_host *host)
{
	for (const struct lv_link *link = host->links; link; link = link->next)
		if (link->lost && !link->is_retired)
			return true;
	return false;
}

/* Waits while the host is well; false = stop. */
static bool wait_for_loss(struct lv_host *host)
{
	struct lv *lv = host->lv;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && !is_any_lost(host))
		pthread_cond_wait(&host->cond, &lv->mutex);
	bool goes_on = !lv->stopping;
	pthread_mutex_unlock(&lv->mutex);
	return goes_on;
}

static bool back_off(struct lv_host *host, int64_t delay_ms)
{
	struct lv *lv = host->lv;
	int64_t deadline = lv_now_ms() + delay_ms;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && lv_now_ms() < deadline)
		lv_wait_until(lv, &host->cond, deadline);
	bool goes_on = !lv->stopping;
	pthread_mutex_unlock(&lv->mutex);
	return goes_on;
}

static void *keeper(void *arg)
{
	struct lv_host *host = arg;
	int64_t delay_ms = LV_RETRY_FIRST_MS;
	bool is_told = false;
	struct error err = { 0 };

	for (bool goes_on = true; goes_on;) {
		if (open_links(host)) {
			lv_note(host->lv, HV_NOTE_HOST_UP, host, NULL, 0, NULL);
			delay_ms = LV_RETRY_FIRST_MS;
			is_told = false;
			goes_on = wait_for_loss(host);
			error_set(&err, ERR_HOST_UNREACHABLE, "host %s: the connection to %s was lost", host->name, host->uri);
			close_links(host, &err);
			if (!goes_on)
				break;
		}
		/* One note per outage, with the first cause. */
		if (!is_told) {
			pthread_mutex_lock(&host->lv->mutex);
			err = host->down;
			pthread_mutex_unlock(&host->lv->mutex);
			lv_note(host->lv, HV_NOTE_HOST_DOWN, host, NULL, 0, &err);
		}
		is_told = true;
		goes_on = back_off(host, delay_ms);
		delay_ms = delay_ms * 2 > LV_RETRY_LAST_MS ? LV_RETRY_LAST_MS : delay_ms * 2;
	}
	lv_thread_ends(host->lv);
	return NULL;
}

/* --- borrowing --- */

static struct lv_link *free_link(struct lv_host *host, enum lv_lane lane)
{
	struct lv_link *link = host->links;

	while (link && (link->lane != lane || link->is_taken || link->is_retired))
		link = link->next;
	return link;
}

/* Connections are opened one behind the other, by ssh a second or more each: as long as they come, the host is there. */
static int64_t patience_ms(const struct lv_host *host)
{
	return host->transport == LV_SSH ? LV_SSH_WAIT_MS : LV_CONNECT_WAIT_MS;
}

static int64_t patience_end(const struct lv_host *host, int64_t began_ms)
{
	return (host->opened_ms > began_ms ? host->opened_ms : began_ms) + patience_ms(host);
}

virConnectPtr lv_take(struct lv_host *host, enum lv_lane lane, struct error *err)
{
	struct lv *lv = host->lv;
	int64_t began_ms = lv_now_ms();
	struct lv_link *link = NULL;
	virConnectPtr conn = NULL;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && lv_now_ms() < patience_end(host, began_ms) &&
	       (host->state == LV_CONNECTING || (host->state == LV_UP && !(link = free_link(host, lane)))))
		lv_wait_until(lv, &host->cond, patience_end(host, began_ms));
	if (host->state == LV_UP && link && !lv->stopping) {
		link->is_taken = true;
		conn = link->conn;
	} else if (host->state == LV_DOWN) {
		*err = host->down;
	} else if (host->state == LV_CONNECTING) {
		error_set(err, ERR_HOST_UNREACHABLE, "host %s: no connection to %s after %d s", host->name, host->uri,
			  (int)(patience_ms(host) / 1000));
	} else {
		error_set(err, ERR_TIMEOUT, "host %s: all connections are in use and none got free within %d s", host->name,
			  (int)(patience_ms(host) / 1000));
	}
	pthread_mutex_unlock(&lv->mutex);
	return conn;
}

void lv_give(struct lv_host *host, virConnectPtr conn)
{
	struct lv_link **at = &host->links;

	pthread_mutex_lock(&host->lv->mutex);
	while (*at && (*at)->conn != conn)
		at = &(*at)->next;
	struct lv_link *link = *at;
	assert(link && link->is_taken);
	link->is_taken = false;
	bool is_last = link->is_retired;
	if (is_last)
		*at = link->next;
	else
		pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
	if (is_last)
		close_link(link);
}

/* --- workers --- */

void lv_enqueue(struct lv_host *host, enum lv_lane lane, const struct hv_request *request)
{
	struct lv_work *work = xcalloc(1, sizeof *work);

	work->request = hv_request_copy(request);
	pthread_mutex_lock(&host->lv->mutex);
	*host->last[lane] = work;
	host->last[lane] = &work->next;
	pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
}

static struct lv_work *next_work(struct lv_host *host, enum lv_lane lane)
{
	struct lv *lv = host->lv;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && !host->first[lane])
		pthread_cond_wait(&host->cond, &lv->mutex);
	struct lv_work *work = lv->stopping ? NULL : host->first[lane];
	if (work) {
		host->first[lane] = work->next;
		if (!work->next)
			host->last[lane] = &host->first[lane];
	}
	pthread_mutex_unlock(&lv->mutex);
	return work;
}

static void *worker(struct lv_host *host, enum lv_lane lane)
{
	for (struct lv_work *work; (work = next_work(host, lane)) != NULL;) {
		struct hv_reply reply = { .tag = work->request->tag, .kind = work->request->kind };
		virConnectPtr conn = lv_take(host, lane, &reply.error);

		if (conn) {
			lv_execute(host, lane, conn, work->request);
			lv_give(host, conn);
		} else {
			lv_reply(host->lv, &reply);
		}
		hv_request_free(work->request);
		free(work);
	}
	lv_thread_ends(host->lv);
	return NULL;
}

static void *general_worker(void *arg)
{
	return worker(arg, LV_GENERAL);
}

static void *control_worker(void *arg)
{
	return worker(arg, LV_CONTROL);
}

static bool start(struct lv_host *host, void *(*run)(void *arg), struct error *err)
{
	struct lv *lv = host->lv;

	pthread_mutex_lock(&lv->mutex);
	lv->threads++;
	pthread_mutex_unlock(&lv->mutex);
	if (lv_thread(lv, run, host, err))
		return true;
	pthread_mutex_lock(&lv->mutex);
	lv->threads--;
	pthread_mutex_unlock(&lv->mutex);
	return error_wrap(err, "host %s", host->name);
}

bool lv_host_start(struct lv_host *host, struct error *err)
{
	if (!start(host, keeper, err))
		return false;
	for (int i = 0; i < LV_WORKERS_PER_LANE; i++)
		if (!start(host, general_worker, err) || !start(host, control_worker, err))
			return false;
	return true;
}

void lv_host_clear(struct lv_host *host)
{
	for (int lane = 0; lane < LV_LANES; lane++)
		for (struct lv_work *work; (work = host->first[lane]) != NULL;) {
			host->first[lane] = work->next;
			hv_request_free(work->request);
			free(work);
		}
	pthread_cond_destroy(&host->cond);
	free(host->name);
	free(host->uri);
	free(host->peer_uri);
	free(host->shell);
	for (size_t i = 0; host->proofs && i < host->lv->n_hosts; i++)
		free(host->proofs[i].address);
	free(host->proofs);
}
