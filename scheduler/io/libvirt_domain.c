/* Requests about one guest on one host: where it is, its tag, and the careful ends of a move.
 * Every act that could stop a guest or lose a disk asks the host first and refuses
 * with what it found, because the caller's knowledge is older than the host's. */
#include <stdlib.h>
#include <string.h>

#include "libvirt_internal.h"
#include "libvirt_xml.h"

virDomainPtr lv_domain(virConnectPtr conn, const struct hv_request *request, bool *ret_absent, struct error *err)
{
	bool by_uuid = request->uuid && request->uuid[0];
	virDomainPtr domain = by_uuid ? virDomainLookupByUUIDString(conn, request->uuid) :
					virDomainLookupByName(conn, request->guest);

	*ret_absent = !domain && lv_last_code() == VIR_ERR_NO_DOMAIN;
	if (!domain && !*ret_absent)
		lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: cannot be looked up", request->guest);
	return domain;
}

virDomainPtr lv_domain_must(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent;
	virDomainPtr domain = lv_domain(conn, request, &is_absent, err);

	if (is_absent)
		error_set(err, ERR_GUEST_GONE, "guest %s is not known there", request->guest);
	return domain;
}

static enum hv_pause_reason pause_reason(int reason)
{
	switch (reason) {
	case VIR_DOMAIN_PAUSED_MIGRATION:
	case VIR_DOMAIN_PAUSED_STARTING_UP: /* an incoming copy before its first byte */
		return HV_PAUSE_MIGRATION;
	case VIR_DOMAIN_PAUSED_USER:
		return HV_PAUSE_USER;
	case VIR_DOMAIN_PAUSED_IOERROR:
		return HV_PAUSE_IOERROR;
	case VIR_DOMAIN_PAUSED_POSTCOPY:
		return HV_PAUSE_POSTCOPY;
	case VIR_DOMAIN_PAUSED_POSTCOPY_FAILED:
		return HV_PAUSE_POSTCOPY_FAILED;
	default:
		return HV_PAUSE_OTHER;
	}
}

static void read_state(int state, int reason, struct hv_where *where)
{
	switch (state) {
	case VIR_DOMAIN_SHUTOFF:
	case VIR_DOMAIN_CRASHED:
		where->presence = HV_SHUTOFF;
		where->shutoff_by_migration = state == VIR_DOMAIN_SHUTOFF && reason == VIR_DOMAIN_SHUTOFF_MIGRATED;
		break;
	case VIR_DOMAIN_PAUSED:
		where->presence = HV_PAUSED;
		where->pause_reason = pause_reason(reason);
		break;
	default: /* running, blocked, suspended by its power management, in shutdown: its CPUs may run */
		where->presence = HV_RUNNING;
		where->postcopy = state == VIR_DOMAIN_RUNNING && (reason == VIR_DOMAIN_RUNNING_POSTCOPY ||
								  reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED);
		where->postcopy_failed = where->postcopy && reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED;
	}
}

static bool get_where_state(virDomainPtr domain, const char *guest, struct hv_where *where, struct error *err)
{
	int state, reason;

	if (virDomainGetState(domain, &state, &reason, 0) < 0)
		return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its state cannot be read", guest);
	read_state(state, reason, where);
	return true;
}

static int operation_of(virTypedParameterPtr params, int n)
{
	int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;

	virTypedParamsGetInt(params, n, VIR_DOMAIN_JOB_OPERATION, &operation);
	return operation;
}

/* The incoming side of a migration answers that statistics are on the source only: to libvirt they are "not supported" there. */
static bool get_job(virDomainPtr domain, const char *guest, struct hv_where *where, struct error *err)
{
	virTypedParameterPtr params = NULL;
	int type = VIR_DOMAIN_JOB_NONE, n = 0;

	if (virDomainGetJobStats(domain, &type, &params, &n, 0) < 0) {
		if (lv_last_code() != VIR_ERR_OPERATION_UNSUPPORTED && lv_last_code() != VIR_ERR_OPERATION_INVALID)
			return lv_error(err, ERR_HOST_UNREACHABLE, "guest %s: its job cannot be read", guest);
		virResetLastError();
		where->job = HV_JOB_IN;
		return true;
	}
	if (type == VIR_DOMAIN_JOB_NONE)
		where->job = HV_JOB_NONE;
	else if (operation_of(params, n) == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
		where->job = HV_JOB_OUT;
	else if (operation_of(params, n) == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN)
		where->job = HV_JOB_IN;
	else
		where->job = HV_JOB_OTHER;
	virTypedParamsFree(params, n);
	return true;
}

bool lv_is_incoming(virDomainPtr domain)
{
	struct hv_where where = { 0 };

	return get_where_state(domain, "", &where, NULL) && where.presence == HV_PAUSED &&
	       where.pause_reason == HV_PAUSE_MIGRATION && get_job(domain, "", &where, NULL) && where.job == HV_JOB_IN;
}

static bool get_tag(virDomainPtr domain, struct job_tag *ret)
{
	char *xml = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, LV_TAG_URI, VIR_DOMAIN_AFFECT_CURRENT);
	bool has = xml && lv_xml_tag_read(xml, ret);

	if (!xml)
		virResetLastError();
	free(xml);
	return has;
}

/* What the host knows of a guest that it has. A guest that vanishes between two calls is absent. */
static bool look(virDomainPtr domain, const char *guest, struct hv_where *ret, struct error *err)
{
	struct hv_where where = { 0 };

	if (!get_where_state(domain, guest, &where, err))
		return false;
	where.persistent = virDomainIsPersistent(domain) == 1;
	if (where.presence != HV_SHUTOFF) {
		if (!get_job(domain, guest, &where, err))
			return false;
		/* The state and the job are two calls: when the guest stopped in between, "no statistics" meant that. */
		struct hv_where again = where;
		if (!get_where_state(domain, guest, &again, err))
			return false;
		again.job = again.presence == HV_SHUTOFF ? HV_JOB_NONE : where.job;
		where = again;
		where.has_tag = where.presence != HV_SHUTOFF && get_tag(domain, &where.job_tag);
	} else {
		where.has_tag = get_tag(domain, &where.job_tag); /* of a guest that was shut down to be moved */
	}
	*ret = where;
	return true;
}

bool lv_where(virConnectPtr conn, const struct hv_request *request, struct hv_reply *reply, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);

	if (!domain) {
		reply->where = (struct hv_where){ .presence = HV_ABSENT };
		return is_absent;
	}
	if (look(domain, request->guest, &reply->where, err))
		return true;
	if (err->code != ERR_GUEST_GONE)
		return false;
	error_clear(err);
	reply->where = (struct hv_where){ .presence = HV_ABSENT };
	return true;
}

/* Looks with guards of act: sets *ret_where; NULL with err set when absent. */
static virDomainPtr look_up(virConnectPtr conn, const struct hv_request *request, struct hv_where *ret_where,
			    struct error *err)
{
	virDomainPtr domain = lv_domain_must(conn, request, err);

	if (domain && !look(domain, request->guest, ret_where, err)) {
		virDomainFree(domain);
		return NULL;
	}
	return domain;
}

static bool drop_tag(virDomainPtr domain, const char *guest, struct error *err)
{
	struct job_tag tag;
	unsigned flags = 0;

	if (virDomainIsActive(domain) == 1 && get_tag(domain, &tag))
		flags |= VIR_DOMAIN_AFFECT_LIVE;
	/* In the definition only of a guest that was shut down to be moved. */
	LV_AUTO(text_free) char *defined = virDomainIsPersistent(domain) == 1 ?
		virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, LV_TAG_URI, VIR_DOMAIN_AFFECT_CONFIG) : NULL;
	if (defined)
		flags |= VIR_DOMAIN_AFFECT_CONFIG;
	virResetLastError();
	if (flags == 0 || virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NULL, NULL, LV_TAG_URI, flags) == 0)
		return true;
	return lv_error(err, ERR_LEFTOVER, "guest %s: its drover tag cannot be removed", guest);
}

bool lv_clear_tag(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);

	if (!domain)
		return is_absent;
	if (request->cold && request->autostart && virDomainSetAutostart(domain, 1) < 0)
		return lv_error(err, ERR_LEFTOVER, "guest %s: autostart cannot be set again", request->guest);
	return drop_tag(domain, request->guest, err);
}

bool lv_finish_target(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	struct hv_where where = { 0 };
	LV_AUTO(domain_unref) virDomainPtr domain = look_up(conn, request, &where, err);

	if (!domain)
		return false;
	/* A guest that an operator or an I/O error had paused arrives paused; after a paused hand-over only running will do. */
	bool is_as_before = where.presence == HV_PAUSED && !request->paused_handover &&
			    (where.pause_reason == HV_PAUSE_USER || where.pause_reason == HV_PAUSE_IOERROR);
	bool is_off = request->cold && where.presence == HV_SHUTOFF;
	if ((where.presence != HV_RUNNING && !is_as_before && !is_off) || where.postcopy || where.job == HV_JOB_IN)
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is %s (%s, job %s), not running, after its move", request->guest,
				 hv_presence_name(where.presence), hv_pause_reason_name(where.pause_reason), hv_job_name(where.job));
	if (request->persistent && !where.persistent)
		return error_set(err, ERR_VERIFY_FAILED, "guest %s was persistent and is transient after its move", request->guest);
	if (request->autostart && virDomainSetAutostart(domain, 1) < 0)
		return lv_error(err, ERR_LEFTOVER, "guest %s: autostart cannot be set", request->guest);
	return drop_tag(domain, request->guest, err);
}

/* Removes a definition that the migration left behind, its autostart first: a boot in between would start
 * a second copy. */
static bool undefine(virDomainPtr domain, const char *guest, struct error *err)
{
	if (virDomainSetAutostart(domain, 0) < 0)
		return lv_error(err, ERR_LEFTOVER, "guest %s: autostart of its old definition cannot be switched off", guest);
	if (virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
						   VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM) < 0)
		return lv_error(err, ERR_LEFTOVER, "guest %s: its old definition cannot be removed", guest);
	return true;
}

bool lv_finish_source(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);
	struct hv_where where = { 0 };

	if (!domain && !is_absent)
		return false;
	if (domain && !look(domain, request->guest, &where, err)) {
		if (err->code != ERR_GUEST_GONE)
			return false;
		error_clear(err);
	}
	if (where.presence == HV_RUNNING || where.presence == HV_PAUSED)
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is %s on its source: nothing of it is removed", request->guest,
				 hv_presence_name(where.presence));
	if (domain && where.presence == HV_SHUTOFF && where.persistent && !undefine(domain, request->guest, err))
		return false;
	return lv_delete_volumes(conn, request->host, request->disks, request->n_disks, false, request->uuid, err);
}

static bool is_in_postcopy(const struct hv_where *where)
{
	return where->postcopy || (where->presence == HV_PAUSED &&
				   (where->pause_reason == HV_PAUSE_POSTCOPY || where->pause_reason == HV_PAUSE_POSTCOPY_FAILED));
}

bool lv_resume(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	struct hv_where where = { 0 };
	LV_AUTO(domain_unref) virDomainPtr domain = look_up(conn, request, &where, err);

	if (!domain)
		return false;
	if (is_in_postcopy(&where))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is in post-copy: it is not resumed", request->guest);
	if (where.presence == HV_RUNNING)
		return true;
	bool is_ours = where.has_tag && strcmp(where.job_tag.run, request->job.run) == 0 &&
		       where.job_tag.move == request->job.move;
	if (where.presence != HV_PAUSED || (!is_ours && where.pause_reason != HV_PAUSE_MIGRATION))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is %s (%s) and not tagged by this move: it is not resumed",
				 request->guest, hv_presence_name(where.presence), hv_pause_reason_name(where.pause_reason));
	if (virDomainResume(domain) < 0)
		return lv_error(err, ERR_VERIFY_FAILED, "guest %s cannot be resumed", request->guest);
	return true;
}

bool lv_suspend(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	struct hv_where where = { 0 };
	LV_AUTO(domain_unref) virDomainPtr domain = look_up(conn, request, &where, err);

	if (!domain)
		return false;
	if (is_in_postcopy(&where))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is in post-copy: it is not suspended", request->guest);
	if (where.presence == HV_PAUSED)
		return true;
	if (where.presence != HV_RUNNING)
		return error_set(err, ERR_GUEST_NOT_RUNNING, "guest %s is %s and cannot be suspended", request->guest,
				 hv_presence_name(where.presence));
	if (virDomainSuspend(domain) < 0)
		return lv_error(err, ERR_VERIFY_FAILED, "guest %s cannot be suspended", request->guest);
	return true;
}

bool lv_destroy(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	bool is_absent;
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain(conn, request, &is_absent, err);
	struct hv_where where = { 0 };

	if (!domain)
		return is_absent;
	if (!get_where_state(domain, request->guest, &where, err))
		return false;
	/* Half of the guest's memory lives here: ending this copy would lose the guest for good. */
	if (is_in_postcopy(&where))
		return error_set(err, ERR_VERIFY_FAILED, "guest %s is in post-copy: this copy is not ended", request->guest);
	if (where.presence == HV_SHUTOFF || virDomainDestroy(domain) == 0)
		return true;
	if (virDomainIsActive(domain) == 0)
		return true;
	return lv_error(err, ERR_VERIFY_FAILED, "guest %s: this copy cannot be ended", request->guest);
}
