/* The migration itself: one thread and one connection each, because the call lasts as long as the
 * migration and cannot be taken back. Peer to peer, so that neither the end of this
 * process nor of this connection ends the migration; what is lost then is only the answer.
 *
 * Direct, when the hosts have no credentials for each other: this process opens the target too and carries the messages
 * between the two. Its end is then the end of the migration: libvirt ends the copy, and the source runs on or, at
 * the worst moment, stays paused; reconcile asks both and knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

struct migration {
	struct lv_host *host;
	struct lv_host *target;
	struct hv_request *request;
};

static bool add_text(virTypedParameterPtr *params, int *n, int *max, const char *name, const char *value)
{
	return virTypedParamsAddString(params, n, max, name, value) == 0;
}

/* The guest as it is, edited for the target. */
static char *target_xml(virDomainPtr domain, const struct hv_request *request, const struct lv_nets *nets, bool is_inactive,
			struct error *err)
{
	unsigned flags = VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_MIGRATABLE | (is_inactive ? VIR_DOMAIN_XML_INACTIVE : 0);
	LV_AUTO(text_free) char *xml = virDomainGetXMLDesc(domain, flags);

	if (!xml) {
		lv_error(err, ERR_MIGRATE_FAILED, "guest %s: its XML cannot be read", request->guest);
		return NULL;
	}
	return lv_xml_for_target(xml, request->disks, request->n_disks, nets, is_inactive, err);
}

/* Only the disk phase's rate has to be right from the first moment (libvirt gives it to each mirror);
 * the polls of the statistics correct the memory phase's. */
static unsigned long long start_rate_mib(const struct hv_request *request)
{
	uint64_t mib = 1 << 20;
	uint64_t share = request->rate_bytes_per_s / (request->n_disks ? request->n_disks : 1);

	if (request->rate_bytes_per_s == 0)
		return 0;
	return share < mib ? 1 : (share + mib / 2) / mib;
}

/* The certificate of the stream is that of the connection between the hosts, which bears the host's name, not the
 * address that the bytes go to. */
static bool add_tls_name(const struct lv_host *target, virTypedParameterPtr *params, int *n, int *max)
{
	LV_AUTO(text_free) char *name = lv_uri_host(target->peer_uri);

	return !name || add_text(params, n, max, VIR_MIGRATE_PARAM_TLS_DESTINATION, name);
}

/* The target listens at this address only, so what it gets has come to it. */
static bool add_address(const struct hv_request *request, virTypedParameterPtr *params, int *n, int *max)
{
	char uri[NAME_BYTES_MAX + 16];
	bool is_v6 = strchr(request->target_address, ':') != NULL;

	snprintf(uri, sizeof uri, is_v6 ? "tcp://[%s]" : "tcp://%s", request->target_address);
	return add_text(params, n, max, VIR_MIGRATE_PARAM_URI, uri) &&
	       add_text(params, n, max, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, request->target_address);
}

static bool add_params(const struct migration *migration, const char *live, const char *persistent,
		       virTypedParameterPtr *params, int *n, int *max)
{
	const struct hv_request *request = migration->request;
	bool ok = !live || add_text(params, n, max, VIR_MIGRATE_PARAM_DEST_XML, live);

	if (persistent)
		ok = ok && add_text(params, n, max, VIR_MIGRATE_PARAM_PERSIST_XML, persistent);
	if (request->target_address)
		ok = ok && add_address(request, params, n, max);
	if (lv_is_stream_encrypted(migration->host, migration->target))
		ok = ok && add_tls_name(migration->target, params, n, max);
	for (size_t i = 0; i < request->n_disks; i++)
		ok = ok && add_text(params, n, max, VIR_MIGRATE_PARAM_MIGRATE_DISKS, request->disks[i].target);
	if (start_rate_mib(request) > 0)
		ok = ok && virTypedParamsAddULLong(params, n, max, VIR_MIGRATE_PARAM_BANDWIDTH, start_rate_mib(request)) == 0;
	return ok;
}

static bool keeps_backing(const struct hv_request *request)
{
	for (size_t i = 0; i < request->n_disks; i++)
		if (request->disks[i].backing_path)
			return true;
	return false;
}

static unsigned flags_of(const struct migration *migration, bool is_persistent_here)
{
	const struct hv_request *request = migration->request;
	unsigned flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_ABORT_ON_ERROR;

	if (!migration->host->lv->options.is_direct)
		flags |= VIR_MIGRATE_PEER2PEER;
	if (lv_is_stream_encrypted(migration->host, migration->target))
		flags |= VIR_MIGRATE_TLS;

	if (request->persistent)
		flags |= VIR_MIGRATE_PERSIST_DEST;
	/* A definition left on the source would start a second copy after a boot. */
	if (is_persistent_here)
		flags |= VIR_MIGRATE_UNDEFINE_SOURCE;
	/* Incremental is said of all disks at once; one without a backing file is copied whole by it too. */
	if (keeps_backing(request))
		flags |= VIR_MIGRATE_NON_SHARED_INC;
	else if (request->n_disks > 0)
		flags |= VIR_MIGRATE_NON_SHARED_DISK;
	if (request->auto_converge)
		flags |= VIR_MIGRATE_AUTO_CONVERGE;
	if (request->paused_handover)
		flags |= VIR_MIGRATE_PAUSED;
	if (request->postcopy)
		flags |= VIR_MIGRATE_POSTCOPY;
	if (request->postcopy_recover)
		flags |= VIR_MIGRATE_POSTCOPY_RESUME;
	return flags;
}

/* The last moment at which a cancel prevents the call. */
static bool begin_call(const struct migration *migration)
{
	struct lv *lv = migration->host->lv;

	pthread_mutex_lock(&lv->mutex);
	struct lv_move *move = lv_move_find(lv, migration->host->name, migration->request->guest, false);
	bool goes_on = move && !move->cancelled && !lv->stopping;
	if (goes_on)
		move->is_called = true;
	pthread_mutex_unlock(&lv->mutex);
	return goes_on;
}

static bool was_cancelled(const struct migration *migration)
{
	struct lv *lv = migration->host->lv;

	pthread_mutex_lock(&lv->mutex);
	struct lv_move *move = lv_move_find(lv, migration->host->name, migration->request->guest, false);
	bool was = move && move->cancelled;
	pthread_mutex_unlock(&lv->mutex);
	return was;
}

/* No host says how it locks disks before a migration begins, and then only in words. The code makes that another target is
 * tried instead of the same one again. */
static void judge_locks(const struct hv_request *request, struct error *err)
{
	if (strstr(err->message, "lock driver") == NULL)
		return;
	err->code = ERR_TARGET_LOCK_MANAGER;
	error_hint(err, "compare lock_manager in /etc/libvirt/qemu.conf of %s and %s", request->host, request->target);
}

/* Direct or peer to peer; blocks until the migration has ended. */
static bool carry(const struct migration *migration, virDomainPtr domain, virTypedParameterPtr params, int n, unsigned flags,
		  struct error *err)
{
	const char *guest = migration->request->guest;

	if (!migration->host->lv->options.is_direct) {
		if (virDomainMigrateToURI3(domain, migration->target->peer_uri, params, (unsigned)n, flags) == 0)
			return true;
		return lv_error(err, ERR_MIGRATE_FAILED, "guest %s: migration from %s to %s", guest, migration->request->host,
				migration->request->target);
	}
	virConnectPtr target = lv_open(migration->target, err);
	if (!target)
		return false;
	virDomainPtr moved = virDomainMigrate3(domain, target, params, (unsigned)n, flags);
	if (!moved)
		lv_error(err, ERR_MIGRATE_FAILED, "guest %s: direct migration from %s to %s", guest, migration->request->host,
			 migration->request->target);
	bool ok = moved != NULL;
	lv_domain_unref(&moved);
	virConnectClose(target);
	return ok;
}

static bool call(const struct migration *migration, virConnectPtr conn, virDomainPtr domain, const char *live,
		 const char *persistent, bool is_persistent_here, struct hv_reply *reply)
{
	const struct hv_request *request = migration->request;
	virTypedParameterPtr params = NULL;
	int n = 0, max = 0;
	bool ok;

	if (!add_params(migration, live, persistent, &params, &n, &max)) {
		virTypedParamsFree(params, n);
		return lv_error(&reply->error, ERR_MIGRATE_FAILED, "guest %s: parameters of its migration", request->guest);
	}
	if (!begin_call(migration)) {
		virTypedParamsFree(params, n);
		return error_set(&reply->error, ERR_MIGRATE_ABORTED, "guest %s: cancelled before its migration began", request->guest);
	}
	ok = carry(migration, domain, params, n, flags_of(migration, is_persistent_here), &reply->error);
	if (!ok) {
		judge_locks(request, &reply->error);
		lv_judge_postcopy(request, &reply->error);
		lv_forget_hops(migration->host, migration->target); /* the next preflight asks anew */
		/* The copy may still be running, or be done: only the hosts know. */
		reply->outcome_unknown = virConnectIsAlive(conn) != 1;
		if (!reply->outcome_unknown && was_cancelled(migration))
			reply->error.code = ERR_MIGRATE_ABORTED;
	}
	virTypedParamsFree(params, n);
	return ok;
}

/* What the target has is asked now: a bridge may have become a libvirt network there. */
static bool read_nets(const struct migration *migration, struct lv_nets *ret, struct error *err)
{
	virConnectPtr target = lv_take(migration->target, LV_CONTROL, err);

	if (!target)
		return false;
	lv_nets_read(target, ret);
	lv_give(migration->target, target);
	ret->maps = migration->request->nets;
	ret->n_maps = migration->request->n_nets;
	return true;
}

static bool migrate(const struct migration *migration, virConnectPtr conn, struct hv_reply *reply)
{
	const struct hv_request *request = migration->request;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(conn, request, &reply->error);

	if (!domain)
		return false;
	int is_persistent = virDomainIsPersistent(domain);
	if (is_persistent < 0)
		return lv_error(&reply->error, ERR_MIGRATE_FAILED, "guest %s: whether it is persistent", request->guest);
	/* Both hosts know it already. */
	if (request->postcopy_recover)
		return call(migration, conn, domain, NULL, NULL, is_persistent == 1, reply);
	struct lv_nets nets;
	if (!read_nets(migration, &nets, &reply->error))
		return false;
	LV_AUTO(text_free) char *live = target_xml(domain, request, &nets, false, &reply->error);
	LV_AUTO(text_free) char *persistent = live && request->persistent ? target_xml(domain, request, &nets, true, &reply->error) : NULL;
	lv_nets_clear(&nets);
	if (!live || (request->persistent && !persistent))
		return false;
	return call(migration, conn, domain, live, persistent, is_persistent == 1, reply);
}

/* The target keeps the figures of the finished job; the source's guest object is gone with the guest. */
static void read_finished(const struct migration *migration, struct hv_stats *stats)
{
	struct error ignored = { 0 };
	virTypedParameterPtr params = NULL;
	int type = 0, n = 0;
	bool is_absent;
	virConnectPtr conn = lv_take(migration->target, LV_CONTROL, &ignored);

	if (!conn)
		return;
	virDomainPtr domain = lv_domain(conn, migration->request, &is_absent, &ignored);
	if (domain && virDomainGetJobStats(domain, &type, &params, &n, VIR_DOMAIN_JOB_STATS_COMPLETED) == 0)
		lv_stats_read(params, n, stats);
	stats->phase = HV_PHASE_DONE;
	virTypedParamsFree(params, n);
	lv_domain_unref(&domain);
	virResetLastError();
	lv_give(migration->target, conn);
}

static void migration_free(struct migration *migration)
{
	struct lv *lv = migration->host->lv;

	pthread_mutex_lock(&lv->mutex);
	migration->host->n_migrations--;
	lv_move_drop(lv, migration->host->name, migration->request->guest);
	pthread_mutex_unlock(&lv->mutex);
	hv_request_free(migration->request);
	free(migration);
}

static void *run(void *arg)
{
	struct migration *migration = arg;
	struct lv *lv = migration->host->lv;
	struct hv_reply reply = { .tag = migration->request->tag, .kind = HV_MIGRATE };
	virConnectPtr conn = lv_open(migration->host, &reply.error);

	if (conn) {
		if (migrate(migration, conn, &reply))
			read_finished(migration, &reply.stats);
		virConnectClose(conn);
		int64_t blackout_ms = lv_postcopy_blackout_ms(migration->host, migration->request->guest);
		if (blackout_ms > 0)
			reply.stats.downtime_ms = blackout_ms;
	}
	if (reply.error.code != ERR_NONE)
		error_wrap(&reply.error, "host %s", migration->host->name);
	/* Forgotten first: the answer may bring the next attempt at once. */
	migration_free(migration);
	lv_reply(lv, &reply);
	lv_unref(lv);
	return NULL;
}

/* Takes a place for the migration among the host's; false when it has none or the guest is on its way. */
static bool reserve(struct lv_host *host, const struct hv_request *request, struct error *err)
{
	struct lv *lv = host->lv;
	bool ok = false;

	pthread_mutex_lock(&lv->mutex);
	struct lv_move *move = lv_move_find(lv, host->name, request->guest, true);
	if (move->is_ours) {
		error_set(err, ERR_GUEST_BUSY, "host %s: guest %s: a migration that we asked for still runs", host->name, request->guest);
	} else if (host->n_migrations >= LV_MIGRATIONS_PER_HOST) {
		error_set(err, ERR_LIMIT, "host %s: %u migrations run and at most %d may", host->name, host->n_migrations,
			  LV_MIGRATIONS_PER_HOST);
		lv_move_drop(lv, host->name, request->guest);
	} else {
		host->n_migrations++;
		move->is_ours = true;
		move->is_called = move->cancelled = move->rate_in_force = false;
		move->phase = HV_PHASE_NONE;
		move->last_ms = move->suspended_ms = move->postcopy_blackout_ms = 0;
		move->has_rate = request->rate_bytes_per_s > 0;
		move->rate_bytes_per_s = request->rate_bytes_per_s;
		move->downtime_ms = request->downtime_ms;
		ok = true;
	}
	pthread_mutex_unlock(&lv->mutex);
	return ok;
}

void lv_migrate_start(struct lv_host *host, const struct hv_request *request)
{
	struct hv_reply reply = { .tag = request->tag, .kind = HV_MIGRATE };
	struct lv_host *target = lv_find_host(host->lv, request->target);

	if (!target)
		error_set(&reply.error, ERR_UNKNOWN_HOST, "guest %s: its target %s is not a known host", request->guest,
			  request->target ? request->target : "(none)");
	else if (reserve(host, request, &reply.error)) {
		struct migration *migration = xcalloc(1, sizeof *migration);
		*migration = (struct migration){ host, target, hv_request_copy(request) };
		if (lv_thread(host->lv, run, migration, &reply.error))
			return;
		migration_free(migration);
	}
	lv_reply(host->lv, &reply);
}
