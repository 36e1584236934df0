/* What guests write: dirty rates, and on demand working sets, by QEMU's page samples.
 *
 * A rate takes one look through libvirt. A working set takes two looks of different length, and more sampled pages than libvirt
 * asks for, so QEMU is asked directly; the figures are judged by planner_working_set. Guests of which nothing can be learned
 * keep 0.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <libvirt/libvirt-qemu.h>

#include "drover/plan.h"
#include "libvirt_internal.h"

enum {
	MIB = 1 << 20,
	BRIEF_S = 2,
	SPANS = 5,                  /* the long look takes so many times the brief one */
	SETS_FROM_MS = 12000,       /* both of them */
	PAGES_PER_GIB = 4096,       /* the most that QEMU takes */
	PAGES_BY_SHIFT = 30,
	WAKE_MS = 200,              /* QEMU compares the samples behind the time that it was asked for */
	MONITOR_BYTES_MAX = 4096,
};

static void wait_for(int64_t ms)
{
	struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&wait, NULL);
}

static struct guest *guest_named(struct inventory *inventory, const char *name)
{
	for (size_t i = 0; i < inventory->n_guests; i++)
		if (strcmp(inventory->guests[i].name, name) == 0)
			return &inventory->guests[i];
	return NULL;
}

/* --- one look, through libvirt --- */

static void start_look(virDomainPtr domain, int seconds)
{
	virDomainInfo info;

	/* On a guest that is being migrated the call would wait for its lock, half a minute long. */
	if (virDomainGetInfo(domain, &info) == 0 && info.state == VIR_DOMAIN_RUNNING && !lv_migrates(domain))
		virDomainStartDirtyRateCalc(domain, seconds, 0);
	virResetLastError();
}

static void read_look(const virDomainStatsRecordPtr record, struct inventory *inventory)
{
	struct guest *guest = guest_named(inventory, virDomainGetName(record->dom));
	long long rate = 0;
	int status = 0;

	if (!guest || virTypedParamsGetInt(record->params, record->nparams, "dirtyrate.calc_status", &status) != 1 ||
	    status != VIR_DOMAIN_DIRTYRATE_MEASURED ||
	    virTypedParamsGetLLong(record->params, record->nparams, "dirtyrate.megabytes_per_second", &rate) != 1 || rate < 0)
		return;
	guest->dirty_rate_bytes_per_s = (uint64_t)rate * MIB;
	guest->is_measured = true;
}

static void measure_rates(virConnectPtr conn, virDomainPtr *domains, int n, int64_t measure_ms, struct inventory *inventory)
{
	virDomainStatsRecordPtr *records = NULL;

	for (int i = 0; i < n; i++)
		start_look(domains[i], (int)(measure_ms / 1000));
	wait_for(measure_ms + WAKE_MS);
	n = virConnectGetAllDomainStats(conn, VIR_DOMAIN_STATS_DIRTYRATE, &records,
					VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT);
	for (int i = 0; i < n; i++)
		read_look(records[i], inventory);
	if (records)
		virDomainStatsRecordListFree(records);
	virResetLastError();
}

/* --- two looks, through QEMU's monitor --- */

static json_t *ask_qemu(virDomainPtr domain, json_t *command)
{
	char *line = json_dumps(command, JSON_COMPACT), *text = NULL;
	json_t *answer = NULL, *value;

	if (virDomainQemuMonitorCommand(domain, line, &text, 0) == 0 && text && strlen(text) <= MONITOR_BYTES_MAX)
		answer = json_loads(text, 0, NULL);
	virResetLastError();
	value = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	json_decref(command);
	free(text);
	free(line);
	return value;
}

/* Rates that guests have shown in a look of so many seconds, -1 where there is none. QEMU tells whole MiB/s. */
static void look(virDomainPtr *domains, int n, int seconds, json_int_t *ret_rates)
{
	for (int i = 0; i < n; i++) {
		ret_rates[i] = -1;
		if (!lv_migrates(domains[i]))
			json_decref(ask_qemu(domains[i], json_pack("{s:s, s:{s:i, s:i}}", "execute", "calc-dirty-rate", "arguments", "calc-time",
								   seconds, "sample-pages", (int)PAGES_PER_GIB)));
	}
	wait_for(seconds * 1000 + WAKE_MS);
	for (int i = 0; i < n; i++) {
		json_t *answer = lv_migrates(domains[i]) ? NULL : ask_qemu(domains[i], json_pack("{s:s}", "execute", "query-dirty-rate"));
		const char *status = json_string_value(json_object_get(answer, "status"));
		const json_t *rate = json_object_get(answer, "dirty-rate");

		if (status && strcmp(status, "measured") == 0 && json_integer_value(json_object_get(answer, "calc-time")) == seconds &&
		    json_is_integer(rate))
			ret_rates[i] = json_integer_value(rate);
		json_decref(answer);
	}
}

static void conclude(struct guest *guest, json_int_t brief, json_int_t longer)
{
	/* What was cut off to whole MiB/s counts: in the long look it is much. */
	struct dirty_look two = {
		.brief_bytes = (uint64_t)brief * MIB * BRIEF_S,
		.long_bytes = (uint64_t)(2 * longer + 1) * MIB * BRIEF_S * SPANS / 2,
		.spans = SPANS,
		.sampled_pages = (guest->memory_bytes >> 20) * PAGES_PER_GIB >> (PAGES_BY_SHIFT - 20),
	};

	guest->dirty_rate_bytes_per_s = (uint64_t)brief * MIB;
	guest->is_measured = true;
	guest->working_set_bytes = planner_working_set(&two, guest->memory_bytes);
}

static void measure_sets(virDomainPtr *domains, int n, struct inventory *inventory)
{
	json_int_t *brief = xcalloc((size_t)n, sizeof *brief), *longer = xcalloc((size_t)n, sizeof *longer);

	look(domains, n, BRIEF_S, brief);
	look(domains, n, BRIEF_S * SPANS, longer);
	for (int i = 0; i < n; i++) {
		struct guest *guest = guest_named(inventory, virDomainGetName(domains[i]));
		if (guest && brief[i] >= 0 && longer[i] >= 0)
			conclude(guest, brief[i], longer[i]);
	}
	free(brief);
	free(longer);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_known(virDomainPtr domain, const struct hv_request *request)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	const char *key = uuid;

	return request->n_known > 0 && virDomainGetUUIDString(domain, uuid) == 0 &&
	       bsearch(&key, request->known, request->n_known, sizeof *request->known, by_text) != NULL;
}

void lv_measure(virConnectPtr conn, const struct hv_request *request, struct inventory *inventory)
{
	virDomainPtr *domains = NULL;
	int n_all = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_RUNNING), n = 0;

	for (int i = 0; i < n_all; i++) {
		if (is_known(domains[i], request))
			virDomainFree(domains[i]);
		else
			domains[n++] = domains[i];
	}
	if (n > 0 && request->measure_ms >= SETS_FROM_MS)
		measure_sets(domains, n, inventory);
	else if (n > 0)
		measure_rates(conn, domains, n, request->measure_ms, inventory);
	for (int i = 0; i < n; i++)
		virDomainFree(domains[i]);
	free(domains);
	virResetLastError();
}
