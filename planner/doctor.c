/* The check-up: makes every check of the table on every subject that is looked at, in order, and keeps what is found. A check whose
 * ground has failed there is not made: one mistake gives one finding. */
#include "drover/doctor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_impl.h"

static const struct check_info infos[CHECK_COUNT] = {
#define CHECK(symbol, name, scope, level, after1, after2, title, how, hint) \
	[CHECK_##symbol] = {name, CHECK_OF_##scope, FINDING_##level, {CHECK_##after1, CHECK_##after2}, title, how, hint},
#include "drover/checks.def"
#undef CHECK
};

static check_fn *const functions[CHECK_COUNT] = {
#define CHECK(symbol, name, scope, level, after1, after2, title, how, hint) [CHECK_##symbol] = doctor_check_##symbol,
#include "drover/checks.def"
#undef CHECK
};

_Static_assert(CHECK_COUNT <= 64, "failed checks are bits of one word");

const struct check_info *check_info(enum check_id check)
{
	return &infos[check];
}

const char *check_scope_name(enum check_scope scope)
{
	static const char *const names[] = {[CHECK_OF_HERE] = "here", [CHECK_OF_HOST] = "host", [CHECK_OF_PAIR] = "pair"};

	return names[scope];
}

const char *finding_level_name(enum finding_level level)
{
	static const char *const names[] = {[FINDING_OK] = "ok", [FINDING_NOT_CHECKED] = "not_checked", [FINDING_WARNING] = "warning",
		[FINDING_ERROR] = "error"};

	return names[level];
}

char *finding_object(const struct inventory *inventory, const struct finding *finding)
{
	if (finding->host == INDEX_NONE)
		return xstrdup("here");
	if (finding->target == INDEX_NONE)
		return xstrdup(inventory->hosts[finding->host].name);
	return xprintf("%s > %s", inventory->hosts[finding->host].name, inventory->hosts[finding->target].name);
}

/* ---- what check functions say ---- */

static struct finding *add(struct examination *x, enum finding_level level, char *found)
{
	struct doctor_report *report = x->report;
	struct finding *finding;

	report->findings = xgrow(report->findings, report->n_findings, sizeof *report->findings);
	finding = &report->findings[report->n_findings++];
	*finding = (struct finding){.check = x->check, .level = level, .host = x->host, .target = x->target, .found = found};
	report->n_of[level]++;
	x->has_said = true;
	return finding;
}

static void mark_failed(struct examination *x)
{
	uint64_t bit = UINT64_C(1) << x->check;

	if (x->host == INDEX_NONE)
		x->here_failed |= bit;
	else if (x->target == INDEX_NONE)
		x->host_failed[x->host] |= bit;
	else
		x->pair_failed[x->host * x->facts->inventory->n_hosts + x->target] |= bit;
}

struct finding *fault(struct examination *x, enum finding_level level, char *found, char *expected)
{
	struct finding *finding = add(x, level == FINDING_OK ? infos[x->check].level : level, found);

	finding->expected = expected;
	finding->hint = xstrdup(infos[x->check].hint);
	if (finding->level == FINDING_ERROR)
		mark_failed(x);
	return finding;
}

void not_checked(struct examination *x, char *why)
{
	add(x, FINDING_NOT_CHECKED, why);
}

void explained_by(struct examination *x, enum check_id check)
{
	not_checked(x, xprintf("the check %s failed", infos[check].name));
	mark_failed(x);
}

bool has_failed(const struct examination *x, enum check_id check, uint32_t host)
{
	return ((host == INDEX_NONE ? x->here_failed : x->host_failed[host]) >> check & 1) != 0;
}

/* ---- facts ---- */

const struct host *the_host(const struct examination *x)
{
	return &x->facts->inventory->hosts[x->host];
}

const struct host_facts *host_facts_of(const struct examination *x, uint32_t host)
{
	return &x->facts->hosts[host];
}

const struct pair_facts *pair_facts_of(const struct examination *x)
{
	return &x->facts->pairs[x->host * x->facts->inventory->n_hosts + x->target];
}

const struct libvirt_facts *need_libvirt(struct examination *x, uint32_t host)
{
	const struct host_facts *facts = host_facts_of(x, host);

	if (facts->libvirt == NULL)
		not_checked(x, xstrdup(x->facts->is_simulated ? "the host is simulated" : facts->libvirt_error.code != ERR_NONE ? facts->libvirt_error.message : "libvirt was not asked"));
	return facts->libvirt;
}

const struct shell_facts *need_shell(struct examination *x, uint32_t host)
{
	const struct host_facts *facts = host_facts_of(x, host);

	if (facts->shell_unknown == NULL)
		return &facts->shell;
	not_checked(x, xstrdup(facts->shell_unknown));
	return NULL;
}

bool is_among(char *const *texts, size_t n, const char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(texts[i], text) == 0)
			return true;
	return false;
}

char *join_texts(char *const *texts, size_t n, size_t shown_max)
{
	char *all = xstrdup(n == 0 ? "none" : texts[0]), *longer;
	size_t i;

	for (i = 1; i < n && i < shown_max; i++) {
		longer = xprintf("%s, %s", all, texts[i]);
		free(all);
		all = longer;
	}
	if (n <= shown_max)
		return all;
	longer = xprintf("%s and %zu more", all, n - shown_max);
	free(all);
	return longer;
}

/* ---- running them ---- */

/* A pair's ground is its own, and that of both its hosts. */
static bool ground_has_failed(const struct examination *x, enum check_id ground)
{
	uint64_t failed = x->here_failed;

	if (x->host != INDEX_NONE)
		failed |= x->host_failed[x->host];
	if (x->target != INDEX_NONE)
		failed |= x->host_failed[x->target] | x->pair_failed[x->host * x->facts->inventory->n_hosts + x->target];
	return (failed >> ground & 1) != 0;
}

static void make_check(struct examination *x, enum check_id check, uint32_t host, uint32_t target)
{
	size_t i;

	x->check = check;
	x->host = host;
	x->target = target;
	x->has_said = false;
	for (i = 0; i < 2 && !x->has_said; i++) {
		enum check_id ground = infos[check].after[i];

		if (ground == CHECK_COUNT || !ground_has_failed(x, ground))
			continue;
		explained_by(x, ground);
	}
	if (!x->has_said)
		functions[check](x);
	if (!x->has_said)
		add(x, FINDING_OK, NULL);
}

static void check_hosts(struct examination *x, enum check_id check)
{
	uint32_t host;

	for (host = 0; host < x->facts->inventory->n_hosts; host++)
		make_check(x, check, host, INDEX_NONE);
}

static void check_pairs(struct examination *x, enum check_id check)
{
	uint32_t n = (uint32_t)x->facts->inventory->n_hosts, source, target;

	for (source = 0; source < n; source++)
		for (target = 0; target < n; target++)
			if (doctor_wants_pair(x->facts, source, target))
				make_check(x, check, source, target);
}

static void finding_clear(struct finding *finding)
{
	free(finding->found);
	free(finding->expected);
	free(finding->hint);
}

/* Hosts that nobody asked about are checked as the ground of pairs; what is found there is not told. */
static void drop_unasked(struct doctor_report *report, const struct doctor_facts *facts)
{
	size_t i, kept = 0;

	for (i = 0; i < report->n_findings; i++) {
		struct finding *finding = &report->findings[i];

		if (finding->host != INDEX_NONE && finding->target == INDEX_NONE && !doctor_wants_host(facts, finding->host)) {
			report->n_of[finding->level]--;
			finding_clear(finding);
		} else {
			report->findings[kept++] = *finding;
		}
	}
	report->n_findings = kept;
}

struct doctor_report *doctor_examine(const struct doctor_facts *facts)
{
	size_t n = facts->inventory->n_hosts;
	struct examination x = {.facts = facts, .report = xcalloc(1, sizeof *x.report), .host_failed = xcalloc(n + 1, sizeof *x.host_failed),
		.pair_failed = xcalloc(n * n + 1, sizeof *x.pair_failed)};
	enum check_id check;

	for (check = 0; check < CHECK_COUNT; check++) {
		switch (infos[check].scope) {
		case CHECK_OF_HERE: make_check(&x, check, INDEX_NONE, INDEX_NONE); break;
		case CHECK_OF_HOST: check_hosts(&x, check); break;
		case CHECK_OF_PAIR: check_pairs(&x, check); break;
		}
	}
	drop_unasked(x.report, facts);
	free(x.host_failed);
	free(x.pair_failed);
	return x.report;
}

void doctor_report_free(struct doctor_report *report)
{
	size_t i;

	if (report == NULL)
		return;
	for (i = 0; i < report->n_findings; i++)
		finding_clear(&report->findings[i]);
	free(report->findings);
	free(report);
}
