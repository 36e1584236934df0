/* Post-copy: whether a guest can arrive so, and the switch. What its target's kernel and QEMU say is known only when the migration
 * begins (QEMU then asks for userfaultfd); what can be known before is asked here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libvirt_preflight.h"

static bool check_version(virConnectPtr conn, const char *host, const char *guest, struct error *err)
{
	unsigned long version = 0;
	const char *driver = virConnectGetType(conn);

	if (!driver || strcmp(driver, "QEMU") != 0)
		return error_set(err, ERR_POST_COPY_UNSUPPORTED, "guest %s: %s runs %s, and post-copy is QEMU's", guest, host, driver ? driver : "something unknown");
	if (virConnectGetLibVersion(conn, &version) < 0)
		return lv_error(err, ERR_POST_COPY_UNSUPPORTED, "guest %s: which libvirt %s has", guest, host);
	if (version >= POST_COPY_LIBVIRT_LEAST)
		return true;
	error_set(err, ERR_POST_COPY_UNSUPPORTED, "guest %s: %s has libvirt %lu.%lu.%lu, and post-copy needs %d.%d.%d", guest, host, version / 1000000,
		  version / 1000 % 1000, version % 1000, POST_COPY_LIBVIRT_LEAST / 1000000, POST_COPY_LIBVIRT_LEAST / 1000 % 1000,
		  POST_COPY_LIBVIRT_LEAST % 1000);
	error_hint(err, "upgrade libvirt there");
	return false;
}

/* Its pages must be such as userfaultfd can deliver. */
static bool check_memory_backing(const char *xml, const char *guest, const char *host, struct error *err)
{
	static const struct lv_xml_query files[] = {
		{ "/domain/memoryBacking[not(hugepages)]/source[@type='file']", "'its memory in a file (memoryBacking source file)'" },
		{ "/domain/devices/memory[@model='nvdimm']", "concat('an NVDIMM in ', ./source/path)" },
	};
	size_t at;
	char *found = lv_xml_first(xml, files, sizeof files / sizeof *files, &at);

	if (!found)
		return true;
	error_set(err, ERR_POST_COPY_UNSUPPORTED, "guest %s on %s has %s; post-copy needs anonymous, memfd or huge page memory", guest, host, found);
	error_hint(err, "change its <memoryBacking> and start it anew");
	free(found);
	return false;
}

void lv_check_postcopy(struct lv_check *check, const char *xml)
{
	struct error *why = &check->result.no_postcopy;
	const struct hv_request *request = check->request;

	if (!request->postcopy || request->cold || check->result.paused)
		return;
	if (check_memory_backing(xml, request->guest, request->host, why) && check_version(check->source, request->host, request->guest, why))
		check_version(check->target, request->target, request->guest, why);
	virResetLastError();
	if (why->code != ERR_NONE && check->result.warning.code == ERR_NONE)
		check->result.warning = *why;
}

/* The words are those of the target's QEMU, which has no other way to tell. The code makes that the same is tried without. */
void lv_judge_postcopy(const struct hv_request *request, struct error *err)
{
	if (!request->postcopy || request->postcopy_recover || !strstr(err->message, "ostcopy is not supported"))
		return;
	err->code = ERR_POST_COPY_UNSUPPORTED;
	error_hint(err, "QEMU on %s may not use userfaultfd: sysctl vm.unprivileged_userfaultfd=1 there, or run QEMU as root; see drover doctor %s", request->target, request->target);
}

bool lv_start_postcopy(virConnectPtr conn, const struct hv_request *request, struct error *err)
{
	LV_AUTO(domain_unref) virDomainPtr domain = lv_domain_must(conn, request, err);

	if (!domain)
		return false;
	return virDomainMigrateStartPostCopy(domain, 0) == 0 ||
	       lv_error(err, ERR_MIGRATE_FAILED, "guest %s: switch to post-copy", request->guest);
}

/* Nobody else measures its blackout: libvirt forgets the figures of a post-copy on both hosts. The events come from two
 * connections, so it is as right as these are quick. */
void lv_postcopy_event(struct lv_host *host, virDomainPtr domain, int event, int detail)
{
	struct lv *lv = host->lv;
	bool is_suspended = event == VIR_DOMAIN_EVENT_SUSPENDED &&
			    (detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED || detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY);
	bool is_resumed = event == VIR_DOMAIN_EVENT_RESUMED && detail == VIR_DOMAIN_EVENT_RESUMED_POSTCOPY;

	if (!is_suspended && !is_resumed)
		return;
	pthread_mutex_lock(&lv->mutex);
	for (struct lv_move *move = lv->moves; move; move = move->next) {
		if (strcmp(move->guest, virDomainGetName(domain)) != 0)
			continue;
		if (is_suspended && strcmp(move->host, host->name) == 0 && (detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED || move->suspended_ms == 0))
			move->suspended_ms = lv_now_ms();
		else if (is_resumed && move->suspended_ms != 0 && move->postcopy_blackout_ms == 0)
			move->postcopy_blackout_ms = lv_now_ms() - move->suspended_ms;
	}
	pthread_mutex_unlock(&lv->mutex);
}

int64_t lv_postcopy_blackout_ms(struct lv_host *host, const char *guest)
{
	pthread_mutex_lock(&host->lv->mutex);
	struct lv_move *move = lv_move_find(host->lv, host->name, guest, false);
	int64_t blackout_ms = move ? move->postcopy_blackout_ms : 0;
	pthread_mutex_unlock(&host->lv->mutex);
	return blackout_ms;
}
