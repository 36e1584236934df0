/* Connections of a host and the threads that use them.
 *
 * The keeper owns opening and closing. Both connections of a host are one unit: when either is
 * lost, both are opened anew, because the usual cause is a libvirtd that restarted or a cut
 * network, and because events were lost then, so that HOST_UP must mean "ask everything again".
 * Workers only borrow a connection (with a reference of its own), hence a call on a dying one
 * fails in peace.
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
	struct lv_conn *slot = arg;

	lv_unref(slot->host->lv);
}

static void on_close(virConnectPtr conn, int reason, void *arg)
{
	struct lv_conn *slot = arg;
	struct lv *lv = slot->host->lv;

	if (reason == VIR_CONNECT_CLOSE_REASON_CLIENT)
		return;
	pthread_mutex_lock(&lv->mutex);
	if (slot->conn == conn) {
		slot->lost = true;
		pthread_cond_broadcast(&slot->host->cond);
	}
	pthread_mutex_unlock(&lv->mutex);
}

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *arg)
{
	struct lv_host *host = ((struct lv_conn *)arg)->host;

	(void)conn;
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
	struct lv_host *host = ((struct lv_conn *)arg)->host;

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
		/* Only refused credentials are told apart; whatever else failed, the host was not reached. */
		if (err->code != ERR_HOST_AUTH && err->code != ERR_HOST_UNREACHABLE)
			err->code = ERR_HOST_UNREACHABLE;
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

static bool watch_event(virConnectPtr conn, struct lv_conn *slot, int id, virConnectDomainEventGenericCallback callback)
{
	hold(slot->host->lv);
	if (virConnectDomainEventRegisterAny(conn, NULL, id, callback, slot, release) >= 0)
		return true;
	lv_unref(slot->host->lv);
	return false;
}

/* Opens one lane and its callbacks. The pointer is published before the close callback is set, so that a
 * loss in between is not missed. */
static virConnectPtr open_lane(struct lv_host *host, enum lv_lane lane, struct error *err)
{
	struct lv_conn *slot = &host->conns[lane];
	virConnectPtr conn = lv_open(host, err);

	if (!conn)
		return NULL;
	pthread_mutex_lock(&host->lv->mutex);
	slot->conn = conn;
	slot->lost = false;
	pthread_mutex_unlock(&host->lv->mutex);
	hold(host->lv);
	if (virConnectRegisterCloseCallback(conn, on_close, slot, release) < 0)
		lv_unref(host->lv);
	if (lane != LV_GENERAL)
		return conn;
	/* Events only speed things up; a driver without one kind is polled. */
	if (!watch_event(conn, slot, VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)) ||
	    !watch_event(conn, slot, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, VIR_DOMAIN_EVENT_CALLBACK(on_round)))
		virResetLastError();
	return conn;
}

/* Takes both connections out of use and closes them. */
static void close_lanes(struct lv_host *host, const struct error *why)
{
	virConnectPtr old[LV_LANES];

	pthread_mutex_lock(&host->lv->mutex);
	for (int lane = 0; lane < LV_LANES; lane++) {
		old[lane] = host->conns[lane].conn;
		host->conns[lane].conn = NULL;
		host->conns[lane].state = LV_DOWN;
		host->conns[lane].lost = false;
		host->conns[lane].calls = 0;
	}
	host->down = *why;
	pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
	for (int lane = 0; lane < LV_LANES; lane++) {
		if (!old[lane])
			continue;
		virConnectUnregisterCloseCallback(old[lane], on_close);
		virConnectClose(old[lane]);
	}
}

static bool open_lanes(struct lv_host *host)
{
	struct error err = { 0 };

	for (int lane = 0; lane < LV_LANES; lane++)
		if (!open_lane(host, (enum lv_lane)lane, &err)) {
			error_wrap(&err, "host %s", host->name);
			close_lanes(host, &err);
			return false;
		}
	pthread_mutex_lock(&host->lv->mutex);
	for (int lane = 0; lane < LV_LANES; lane++)
		host->conns[lane].state = LV_UP;
	pthread_cond_broadcast(&host->cond);
	pthread_mutex_unlock(&host->lv->mutex);
	return true;
}

/* Waits while the host is well; false = stop. */
static bool wait_for_loss(struct lv_host *host)
{
	struct lv *lv = host->lv;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && !host->conns[LV_GENERAL].lost && !host->conns[LV_CONTROL].lost)
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
		if (open_lanes(host)) {
			lv_note(host->lv, HV_NOTE_HOST_UP, host, NULL, 0, NULL);
			delay_ms = LV_RETRY_FIRST_MS;
			is_told = false;
			goes_on = wait_for_loss(host);
			error_set(&err, ERR_HOST_UNREACHABLE, "host %s: the connection to %s was lost", host->name, host->uri);
			close_lanes(host, &err);
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

virConnectPtr lv_take(struct lv_host *host, enum lv_lane lane, struct error *err)
{
	struct lv *lv = host->lv;
	struct lv_conn *slot = &host->conns[lane];
	int64_t deadline = lv_now_ms() + LV_CONNECT_WAIT_MS;
	virConnectPtr conn = NULL;

	pthread_mutex_lock(&lv->mutex);
	while (!lv->stopping && lv_now_ms() < deadline &&
	       (slot->state == LV_CONNECTING || (slot->state == LV_UP && slot->calls >= LV_CALLS_PER_CONNECTION)))
		lv_wait_until(lv, &host->cond, deadline);
	if (slot->state == LV_UP && slot->calls < LV_CALLS_PER_CONNECTION && !lv->stopping) {
		conn = slot->conn;
		virConnectRef(conn);
		slot->calls++;
	} else if (slot->state == LV_DOWN) {
		*err = host->down;
	} else if (slot->state == LV_CONNECTING) {
		error_set(err, ERR_HOST_UNREACHABLE, "host %s: no connection to %s after %d s", host->name, host->uri,
			  LV_CONNECT_WAIT_MS / 1000);
	} else {
		error_set(err, ERR_TIMEOUT, "host %s: %d calls are in progress and none ended within %d s", host->name,
			  LV_CALLS_PER_CONNECTION, LV_CONNECT_WAIT_MS / 1000);
	}
	pthread_mutex_unlock(&lv->mutex);
	return conn;
}

void lv_give(struct lv_host *host, enum lv_lane lane, virConnectPtr conn)
{
	struct lv_conn *slot = &host->conns[lane];

	pthread_mutex_lock(&host->lv->mutex);
	/* After a reconnect the count is that of the new connection. */
	if (slot->conn == conn) {
		assert(slot->calls > 0);
		slot->calls--;
		pthread_cond_broadcast(&host->cond);
	}
	pthread_mutex_unlock(&host->lv->mutex);
	virConnectClose(conn);
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
			lv_give(host, lane, conn);
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
}
