/* Watching and steering a running migration: statistics, rate, downtime, abort.
 *
 * The rate has a trap. The one given to the migrate call is put in force some time after it began, and
 * overwrites what was set before; and disks and memory are throttled by different commands. So the wanted rate is
 * kept per migration, compared with the one that QEMU says is in force at each poll of the statistics, and
 * set again until they agree.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <libvirt/libvirt-qemu.h>

#include "libvirt_internal.h"

enum {
	MIB = 1 << 20,
	MONITOR_BYTES_MAX = 1 << 20, /* query-block-jobs of 64 disks is 16 kB */
	ABORT_TRIES = 50,            /* the job appears up to 3 s after the call */
	ABORT_PAUSE_MS = 100,
};
#define RATE_UNLIMITED_MIB (1ull << 20) /* 1 TiB/s: libvirt takes 0 for "change nothing" in places */

struct lv_move *lv_move_find(struct lv *lv, const char *host, const char *guest, bool make)
{
	for (struct lv_move *move = lv->moves; move; move = move->next)
		if (strcmp(move->host, host) == 0 && strcmp(move->guest, guest) == 0)
			return move;
	if (!make)
		return NULL;
	struct lv_move *move = xcalloc(1, sizeof *move);
	move->host = xstrdup(host);
	move->guest = xstrdup(guest);
	move->next = lv->moves;
	lv->moves = move;
	return move;
}

void lv_move_drop(struct lv *lv, const char *host, const char *guest)
{
	for (struct lv_move **at = &lv->moves; *at; at = &(*at)->next)
		if (strcmp((*at)->host, host) == 0 && strcmp((*at)->guest, guest) == 0) {
			struct lv_move *move = *at;
			*at = move->next;
			free(move->host);
			free(move->guest);
			free(move);
			return;
		}
}

static uint64_t param(virTypedParameterPtr params, int n, const char *name)
{
	unsigned long long value = 0;
	int small = 0;

	virTypedParameterPtr found = virTypedParamsGet(params, n, name);
	if (found && found->type == VIR_TYPED_PARAM_INT)
		return virTypedParamsGetInt(params, n, name, &small) == 1 && small > 0 ? (uint64_t)small : 0;
	return found && virTypedParamsGetULLong(params, n, name, &value) == 1 ? value : 0;
}

void lv_stats_read(virTypedParameterPtr params, int n, struct hv_stats *stats)
{
	stats->elapsed_ms = (int64_t)param(params, n, VIR_DOMAIN_JOB_TIME_ELAPSED);
	stats->disk_total_bytes = param(params, n, VIR_DOMAIN_JOB_DISK_TOTAL);
	stats->disk_processed_bytes = param(params, n, VIR_DOMAIN_JOB_DISK_PROCESSED);
	stats->disk_remaining_bytes = param(params, n, VIR_DOMAIN_JOB_DISK_REMAINING);
	stats->memory_total_bytes = param(params, n, VIR_DOMAIN_JOB_MEMORY_TOTAL);
	stats->memory_processed_bytes = param(params, n, VIR_DOMAIN_JOB_MEMORY_PROCESSED);
	stats->memory_remaining_bytes = param(params, n, VIR_DOMAIN_JOB_MEMORY_REMAINING);
	stats->rate_bytes_per_s = param(params, n, VIR_DOMAIN_JOB_MEMORY_BPS);
	stats->dirty_rate_bytes_per_s = param(params, n, VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE) *
					param(params, n, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE);
	stats->rounds = (uint32_t)param(params, n, VIR_DOMAIN_JOB_MEMORY_ITERATION);
	stats->downtime_ms = (int64_t)param(params, n, VIR_DOMAIN_JOB_DOWNTIME);
	/* In the disk phase all memory figures are zero; in the memory phase the disk figures stand still. */
	if (stats->memory_total_bytes > 0)
		stats->phase = HV_PHASE_MEMORY;
	else if (stats->disk_total_bytes > 0)
		stats->phase = HV_PHASE_DISKS;
	else
		stats->phase = HV_PHASE_SETUP;
}

static json_t *monitor(virDomainPtr domain, const char *command)
{
	char *text = NULL;
	json_t *answer = NULL;

	if (virDomainQemuMonitorCommand(domain, command, &text, 0) == 0 && text && strlen(text) <= MONITOR_BYTES_MAX)
		answer = json_loads(text, 0, NULL);
	free(text);
	virResetLastError();
	json_t *value = json_object_get(answer, "return");
	json_incref(value);
	json_decref(answer);
	return value;
}

/* Bytes per second as QEMU wants them: 0 is "no limit" for a mirror. */
static void set_mirror_rate(virDomainPtr domain, const char *device, uint64_t rate)
{
	json_t *command = json_pack("{s:s, s:{s:s, s:I}}", "execute", "block-job-set-speed", "arguments", "device", device,
				    "speed", (json_int_t)rate);
	char *text = json_dumps(command, JSON_COMPACT);

	json_decref(monitor(domain, text));
	free(text);
	json_decref(command);
}

static bool is_mirror(const json_t *job)
{
	const char *type = json_string_value(json_object_get(job, "type"));

	return type && strcmp(type, "mirror") == 0 && json_is_string(json_object_get(job, "device"));
}

/* Shares the rate among the mirrors that still copy; a finished one carries only the guest's writes and gets the same
 * bound, for they are few. Returns whether all mirrors have it already; *ret_limit is what is in force. */
static bool steer_mirrors(virDomainPtr domain, uint64_t rate, uint64_t *ret_limit)
{
	json_t *jobs = monitor(domain, "{\"execute\":\"query-block-jobs\"}"), *job;
	size_t n = 0, copying = 0, i;
	bool in_force = true;

	json_array_foreach(jobs, i, job) {
		n += is_mirror(job);
		copying += is_mirror(job) && !json_is_true(json_object_get(job, "ready"));
	}
	uint64_t share = rate == 0 || copying == 0 ? rate : rate / copying;
	if (rate != 0 && share == 0)
		share = 1;
	*ret_limit = 0;
	json_array_foreach(jobs, i, job) {
		if (!is_mirror(job))
			continue;
		uint64_t speed = (uint64_t)json_integer_value(json_object_get(job, "speed"));
		if (!json_is_true(json_object_get(job, "ready")))
			*ret_limit += speed;
		if (speed == share)
			continue;
		in_force = false;
		set_mirror_rate(domain, json_string_value(json_object_get(job, "device")), share);
	}
	json_decref(jobs);
	return n > 0 && in_force;
}

static uint64_t rate_mib(uint64_t rate)
{
	if (rate == 0)
		return RATE_UNLIMITED_MIB;
	uint64_t mib = (rate + MIB / 2) / MIB;
	return mib < 1 ? 1 : mib > RATE_UNLIMITED_MIB ? RATE_UNLIMITED_MIB : mib;
}

/* The memory channel: what QEMU says against what is wanted. */
static bool steer_memory(virDomainPtr domain, const struct lv_move *wanted, uint64_t *ret_limit)
{
	json_t *parameters = monitor(domain, "{\"execute\":\"query-migrate-parameters\"}");
	uint64_t rate = (uint64_t)json_integer_value(json_object_get(parameters, "max-bandwidth"));
	int64_t downtime = (int64_t)json_integer_value(json_object_get(parameters, "downtime-limit"));
	uint64_t mib = rate_mib(wanted->rate_bytes_per_s);
	bool in_force = parameters != NULL;

	if (wanted->has_rate && rate != mib * MIB) {
		in_force = false;
		if (virDomainMigrateSetMaxSpeed(domain, (unsigned long)mib, 0) < 0)
			virResetLastError();
	}
	if (wanted->downtime_ms > 0 && downtime != wanted->downtime_ms) {
		in_force = false;
		if (virDomainMigrateSetMaxDowntime(domain, (unsigned long long)wanted->downtime_ms, 0) < 0)
			virResetLastError();
	}
	*ret_limit = rate >= RATE_UNLIMITED_MIB * MIB ? 0 : rate;
	json_decref(parameters);
	return in_force;
}

/* In post-copy another bound counts, 0 = none. */
static bool steer_postcopy(virDomainPtr domain, const struct lv_move *wanted, uint64_t *ret_limit)
{
	json_t *parameters = monitor(domain, "{\"execute\":\"query-migrate-parameters\"}");
	uint64_t rate = (uint64_t)json_integer_value(json_object_get(parameters, "max-postcopy-bandwidth"));
	uint64_t mib = wanted->rate_bytes_per_s == 0 ? 0 : rate_mib(wanted->rate_bytes_per_s);
	bool in_force = parameters != NULL && (!wanted->has_rate || rate == mib * MIB);

	if (!in_force && virDomainMigrateSetMaxSpeed(domain, (unsigned long)mib, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY) < 0)
		virResetLastError();
	*ret_limit = rate;
	json_decref(parameters);
	return in_force;
}

/* Brings the wanted rate in force for the phase; remembers when QEMU has confirmed it, so that a
 * settled migration costs no monitor calls. */
static void steer(struct lv_host *host, virDomainPtr domain, const char *guest, enum hv_phase phase, uint64_t *ret_limit)
{
	struct lv *lv = host->lv;
	uint64_t disk_limit = 0, memory_limit = 0;
	struct lv_move wanted = { 0 };

	pthread_mutex_lock(&lv->mutex);
	struct lv_move *move = lv_move_find(lv, host->name, guest, false);
	if (move) {
		if (move->phase != phase)
			move->rate_in_force = false;
		move->phase = phase;
		wanted = *move;
	}
	pthread_mutex_unlock(&lv->mutex);
	*ret_limit = wanted.rate_bytes_per_s;
	if (!move || wanted.rate_in_force || (!wanted.has_rate && wanted.downtime_ms <= 0))
		return;
	if (phase != HV_PHASE_DISKS && phase != HV_PHASE_MEMORY && phase != HV_PHASE_POSTCOPY)
		return;
	/* The memory channel in the disk phase too: it then starts with the right rate. */
	bool in_force = phase == HV_PHASE_POSTCOPY ? steer_postcopy(domain, &wanted, &memory_limit) : steer_memory(domain, &wanted, &memory_limit);
	if (phase == HV_PHASE_DISKS && wanted.has_rate)
		in_force = steer_mirrors(domain, wanted.rate_bytes_per_s, &disk_limit);
	*ret_limit = phase == HV_PHASE_DISKS ? disk_limit : memory_limit;
	pthread_mutex_lock(&lv->mutex);
	move = lv_move_find(lv, host->name, guest, false);
	/* A disk phase is never settled: as mirrors get ready, the others' shares grow. */
	if (move && in_force && phase != HV_PHASE_DISKS && move->rate_bytes_per_s == wanted.rate_bytes_per_s &&
	    move->downtime_ms == wanted.downtime_ms)
		move->rate_in_force = true;
	pthread_mutex_unlock(&lv->mutex);
}

/* Mirrors have no rate of their own: it is the growth since the last poll, when that is long enough ago. */
static void derive_disk_rate(struct lv_host *host, const char *guest, struct hv_stats *stats)
{
	enum { SHORTEST_MS = 100 };
	int64_t now = lv_now_ms();

	pthread_mutex_lock(&host->lv->mutex);
	struct lv_move *move = lv_move_find(host->lv, host->name, guest, true);
	int64_t passed = now - move->last_ms;
	if (move->last_ms == 0 || stats->disk_processed_bytes < move->last_disk_bytes) {
		move->last_ms = now;
		move->last_disk_bytes = stats->disk_processed_bytes;
	} else if (passed >= SHORTEST_MS) {
		move->disk_rate_bytes_per_s = (stats->disk_processed_bytes - move->last_disk_bytes) * 1000 / (uint64_t)passed;
		move->last_ms = now;
		move->last_disk_bytes = stats->disk_processed_bytes;
	}
	stats->rate_bytes_per_s = move->disk_rate_bytes_per_s;
	pthread_mutex_unlock(&host->lv->mutex);
}

/* A migration that is not ours to wait for is forgotten when its job has gone. */
static void forget(struct lv_host *host, const char *guest)
{
	pthread_mutex_lock(&host->lv->mutex);
	struct lv_move *move = lv_move_find(host->lv, host->name, guest, false);
	if (move && !move->is_ours)
		lv_move_drop(host->lv, host->name, guest);
	pthread_mutex_unlock(&host->lv->mutex);
}

static void read_paused_phase(int reason, struct hv_stats *stats)
{
	if (reason == VIR_DOMAIN_PAUSED_MIGRATION)
		stats->phase = HV_PHASE_SWITCHOVER;
	else if (reason == VIR_DOMAIN_PAUSED_POSTCOPY)
		stats->phase = HV_PHASE_POSTCOPY;
	else if (reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
		stats->phase = HV_PHASE_POSTCOPY_FAILED;
	if (stats->phase == HV_PHASE_POSTCOPY || stats->phase == HV_PHASE_POSTCOPY_FAILED)
		stats->dirty_rate_bytes_per_s = 0; /* what it writes now is on the target */
}

/* Statistics of an outgoing migration; phase NONE when there is none. */
static bool read_job(virDomainPtr domain, const char *guest, struct hv_stats *ret, struct error *err)
{
	virTypedParameterPtr params = NULL;
	int type = VIR_DOMAIN_JOB_NONE, n = 0, operation = 0, state = 0, reason = 0;

	if (virDomainGetJobStats(domain, &type, &params, &n, 0) < 0) {
		int code = lv_last_code();
		/* Stopped, gone, or the incoming side: nothing goes out from here. */
		if (code == VIR_ERR_OPERATION_INVALID || code == VIR_ERR_OPERATION_UNSUPPORTED || code == VIR_ERR_NO_DOMAIN) {
			virResetLastError();
			return true;
		}
		return lv_error(err, ERR_TIMEOUT, "guest %s: statistics of its migration", guest);
	}
	virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
	if (type != VIR_DOMAIN_JOB_NONE && operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT) {
		lv_stats_read(params, n, ret);
		if (virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED)
			read_paused_phase(reason, ret);
	}
	virTypedParamsFree(params, n);
	return true;
}

bool lv_stats(struct lv_host *host, virConnectPtr conn, const struct hv_request *request,
	      struct hv_reply *reply, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);
	struct hv_stats *stats = &reply->stats;

	if (!domain && !is_absent)
		return false;
	if (domain && !read_job(domain, request->guest, stats, err))
		return false;
	if (stats->phase == HV_PHASE_NONE) {
		forget(host, request->guest);
		return true;
	}
	if (stats->phase == HV_PHASE_DISKS)
		derive_disk_rate(host, request->guest, stats);
	steer(host, domain, request->guest, stats->phase, &stats->rate_limit_bytes_per_s);
	return true;
}

/* The order itself was noted when it was submitted; here it meets the job, if there is one yet. Before
 * that, the next poll of the statistics brings it in force. */
static bool apply(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);
	struct hv_stats stats = { 0 };
	uint64_t limit;

	if (!domain)
		return is_absent;
	if (!read_job(domain, request->guest, &stats, err))
		return false;
	if (stats.phase == HV_PHASE_NONE)
		forget(host, request->guest);
	else
		steer(host, domain, request->guest, stats.phase, &limit);
	return true;
}

bool lv_apply_rate(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	return apply(host, conn, request, err);
}

bool lv_apply_downtime(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	return apply(host, conn, request, err);
}

/* Marks the migration as unwanted; true when its thread has not called libvirt yet and now never will. */
static bool cancel_before_call(struct lv_host *host, const char *guest, bool *ret_is_ours)
{
	pthread_mutex_lock(&host->lv->mutex);
	struct lv_move *move = lv_move_find(host->lv, host->name, guest, false);
	*ret_is_ours = move && move->is_ours;
	bool was_early = *ret_is_ours && !move->is_called;
	if (*ret_is_ours)
		move->cancelled = true;
	pthread_mutex_unlock(&host->lv->mutex);
	return was_early;
}

bool lv_abort(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent, is_ours;

	if (cancel_before_call(host, request->guest, &is_ours))
		return true;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);
	if (!domain)
		return is_absent;
	/* Between our call and the job's appearance there is nothing to abort yet, and the abort must not get lost. */
	for (int i = 0; i < ABORT_TRIES; i++) {
		struct hv_stats stats = { 0 };
		if (!read_job(domain, request->guest, &stats, err))
			return false;
		if (stats.phase != HV_PHASE_NONE) {
			if (virDomainAbortJob(domain) == 0)
				return true;
			if (lv_last_code() != VIR_ERR_OPERATION_INVALID)
				return lv_error(err, ERR_TIMEOUT, "guest %s: its migration cannot be aborted", request->guest);
			virResetLastError();
		}
		(void)cancel_before_call(host, request->guest, &is_ours);
		if (!is_ours)
			return true;
		usleep(ABORT_PAUSE_MS * 1000);
	}
	return error_set(err, ERR_TIMEOUT, "guest %s: its migration has no job to abort after %d ms", request->guest,
			 ABORT_TRIES * ABORT_PAUSE_MS);
}
