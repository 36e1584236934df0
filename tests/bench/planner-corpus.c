/* How near to the lower bound plans of published scheduling instances come:
 *   planner-corpus DIR [--budget-ms N] [--setup-ms N]
 * Every .json below DIR that is such an instance is read (corpus_read.h), planned twice, without and with search, and
 * both schedules are replayed by a checker that shares no code with the planner (corpus_check.h); a schedule that
 * violates is an error. The budget becomes a number of evaluations, measured on the instance, so that the plan itself depends on
 * no clock. Where real runs of an instance stand beside it (../real/RUN/micro_NAME.csv), run 1 teaches one factor for each
 * pair of hosts and the other runs test the durations predicted with it. */
#include <ftw.h>
#include <math.h>
#include <time.h>

#include "corpus_check.h"

enum { FILES_MAX = 20000, CALIBRATION = 8, NODES_MAX = 64 };

struct result {
	char family[64], name[64];
	size_t moves, unsolved;
	double makespan, bound, ratio, first_ratio, first_ms, search_ms;
	uint32_t evaluations;
	bool is_timed;
};

static char *files[FILES_MAX];
static size_t n_files;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int collect(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	size_t length = strlen(path);

	(void)stat;
	(void)ftw;
	if (type == FTW_F && length > 5 && strcmp(path + length - 5, ".json") == 0 && n_files < FILES_MAX)
		files[n_files++] = strdup(path);
	return 0;
}

/* x2 before x10 */
static int by_path(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* The folder of that many levels above the file, for the table. */
static void folder_of(const char *path, int levels, char *text, size_t size)
{
	const char *end = path + strlen(path), *begin = end;

	for (; levels >= 0; levels--) {
		end = begin;
		for (begin = end; begin > path && *(begin - 1) != '/'; begin--)
			;
		if (levels > 0 && begin > path)
			begin--;
	}
	snprintf(text, size, "%.*s", (int)(end - begin), begin);
}

static void name_result(const char *path, bool is_timed, struct result *result)
{
	char leaf[64], folder[64];

	folder_of(path, 0, leaf, sizeof leaf);
	leaf[strlen(leaf) - 5] = '\0';
	folder_of(path, 1, folder, sizeof folder);
	folder_of(path, 2, result->family, sizeof result->family);
	if (is_timed)
		snprintf(result->name, sizeof result->name, "%.60s", leaf);
	else
		snprintf(result->name, sizeof result->name, "%.20s/%.40s", folder, leaf);
}

static struct plan *make_plan(const struct corpus *corpus, const struct plan_options *options, double *ret_ms)
{
	struct plan *plan = NULL;
	struct error error;
	double begin = now_ms();

	if (!planner_plan(corpus->inventory, corpus->request, options, &plan, &error)) {
		fprintf(stderr, "%s\n", error.message);
		exit(1);
	}
	*ret_ms = now_ms() - begin;
	return plan;
}

static double ratio_of(const struct plan *plan)
{
	return plan->lower_bound_ms > 0 ? (double)plan->makespan_ms / (double)plan->lower_bound_ms : 1;
}

static bool is_valid(const struct corpus *corpus, const struct plan *plan, const struct plan_options *options,
	const char *path, size_t *ret_unsolved)
{
	struct check check = {.corpus = corpus, .plan = plan, .options = options};

	if (check_plan(&check, ret_unsolved))
		return true;
	fprintf(stderr, "%s: the schedule is wrong: %s\n", path, check.problem);
	return false;
}

/* How many evaluations fit the budget: more and more are tried, as the first ones may be quicker or slower than most. */
static uint32_t affordable(const struct corpus *corpus, struct plan_options options, double budget_ms)
{
	double ms = 0;

	for (options.search_evaluations = CALIBRATION;; options.search_evaluations *= 2) {
		plan_free(make_plan(corpus, &options, &ms));
		if (ms > budget_ms / 2 || options.search_evaluations > 1u << 24)
			break;
	}
	ms = budget_ms * options.search_evaluations / (ms < 1 ? 1 : ms);
	return ms > 1e9 ? 1000000000 : (uint32_t)ms;
}

static bool measure(const struct corpus *corpus, struct plan_options options, double budget_ms, const char *path,
	struct result *result)
{
	struct plan *plan;
	bool ok;

	plan_free(make_plan(corpus, &options, &result->first_ms)); /* warm */
	plan = make_plan(corpus, &options, &result->first_ms);
	result->first_ratio = ratio_of(plan);
	ok = is_valid(corpus, plan, &options, path, &result->unsolved);
	plan_free(plan);
	result->evaluations = options.search_evaluations = affordable(corpus, options, budget_ms);
	plan = make_plan(corpus, &options, &result->search_ms);
	ok = is_valid(corpus, plan, &options, path, &result->unsolved) && ok;
	result->moves = corpus->request->n_moves;
	result->makespan = (double)plan->makespan_ms / 1000;
	result->bound = (double)plan->lower_bound_ms / 1000;
	result->ratio = ratio_of(plan);
	plan_free(plan);
	return ok;
}

static void print_results(const struct result *results, size_t n)
{
	size_t i;

	printf("%-34s %-16s %5s %10s %10s %7s %7s %9s %9s %8s\n", "family", "instance", "moves", "makespan s", "bound s", "ratio",
		"first", "first ms", "search ms", "unsolved");
	for (i = 0; i < n; i++)
		printf("%-34s %-16s %5zu %10.2f %10.2f %7.4f %7.4f %9.1f %9.1f %8zu\n", results[i].family, results[i].name,
			results[i].moves, results[i].makespan, results[i].bound, results[i].ratio, results[i].first_ratio,
			results[i].first_ms, results[i].search_ms, results[i].unsolved);
}

static void print_family(const struct result *results, size_t n, const char *family, bool is_timed)
{
	double sum = 0, most = 0, first = 0, first_ms = 0, search_ms = 0;
	size_t i, count = 0, unsolved = 0;

	for (i = 0; i < n; i++) {
		if ((family != NULL && strcmp(results[i].family, family) != 0) || results[i].is_timed != is_timed)
			continue;
		count++;
		sum += results[i].ratio;
		first += results[i].first_ratio;
		unsolved += results[i].unsolved;
		most = fmax(most, results[i].ratio);
		first_ms = fmax(first_ms, results[i].first_ms);
		search_ms = fmax(search_ms, results[i].search_ms);
	}
	if (count > 0)
		printf("%-34s %9zu %10.4f %10.4f %11.4f %13.1f %14.1f %8zu\n",
			family != NULL ? family : is_timed ? "all with real runs" : "all others", count, sum / (double)count, most,
			first / (double)count, first_ms, search_ms, unsolved);
}

static void print_families(const struct result *results, size_t n)
{
	size_t i, k;

	printf("\n%-34s %9s %10s %10s %11s %13s %14s %8s\n", "family", "instances", "mean ratio", "max ratio", "mean first",
		"max first ms", "max search ms", "unsolved");
	for (i = 0; i < n; i++) {
		for (k = 0; k < i && (strcmp(results[k].family, results[i].family) != 0 || results[k].is_timed != results[i].is_timed); k++)
			;
		if (k == i)
			print_family(results, n, results[i].family, results[i].is_timed);
	}
	print_family(results, n, NULL, false);
	print_family(results, n, NULL, true);
}

/* One finished move of a real run. */
struct timing {
	uint32_t run, source, target;
	double predicted, real;
};

struct timings {
	struct timing *list;
	size_t n;
};

static void add_timing(struct timings *timings, const struct corpus *corpus, const struct plan_options *options,
	uint32_t run, const char *line)
{
	unsigned vm, from, to, mbit;
	long long start, end;
	char name[16];
	uint32_t guest;
	struct estimate estimate;
	struct timing *timing;

	if (sscanf(line, "{action=migrate(vm=vm#%u, from=node#%u, to=node#%u, bw=%u)};%lld;%lld", &vm, &from, &to, &mbit,
		&start, &end) != 6 || from >= NODES_MAX || to >= NODES_MAX || end <= start)
		return;
	snprintf(name, sizeof name, "v%u", vm);
	guest = inventory_guest(corpus->inventory, name, NULL);
	if (guest == INDEX_NONE)
		return;
	planner_estimate(&corpus->inventory->guests[guest], 0, corpus_rate(mbit), options, &estimate);
	timings->list = realloc(timings->list, (timings->n + 1) * sizeof *timings->list);
	timing = &timings->list[timings->n++];
	*timing = (struct timing){run, from, to, (double)estimate.duration_ms / 1000, (double)(end - start)};
}

static void read_timings(struct timings *timings, const struct corpus *corpus, const struct plan_options *options, const char *path)
{
	uint32_t run;
	char leaf[64], name[128], real[4096], line[256];

	folder_of(path, 0, leaf, sizeof leaf);
	leaf[strlen(leaf) - 5] = '\0';
	for (run = 1; run <= 9; run++) {
		FILE *file;

		snprintf(name, sizeof name, "real/%" PRIu32 "/micro_%s.csv", run, leaf);
		corpus_find_above(path, name, real, sizeof real);
		file = real[0] != '\0' ? fopen(real, "r") : NULL;
		while (file != NULL && fgets(line, sizeof line, file) != NULL)
			add_timing(timings, corpus, options, run, line);
		if (file != NULL)
			fclose(file);
	}
}

static int by_ratio(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median of real / predicted over run 1, of one pair of hosts or of all; 0 when there was none. */
static double factor(const struct timings *timings, uint32_t source, uint32_t target)
{
	double *ratios = calloc(timings->n + 1, sizeof *ratios), middle;
	size_t i, n = 0;

	for (i = 0; i < timings->n; i++) {
		const struct timing *timing = &timings->list[i];

		if (timing->run == 1 && (source == INDEX_NONE || (timing->source == source && timing->target == target)))
			ratios[n++] = timing->real / timing->predicted;
	}
	qsort(ratios, n, sizeof *ratios, by_ratio);
	middle = n == 0 ? 0 : (ratios[(n - 1) / 2] + ratios[n / 2]) / 2;
	free(ratios);
	return middle;
}

static void print_timings(const struct timings *timings)
{
	double all = factor(timings, INDEX_NONE, INDEX_NONE), sums[3] = {0};
	size_t i, n = 0;

	if (timings->n == 0 || all == 0)
		return;
	for (i = 0; i < timings->n; i++) {
		const struct timing *timing = &timings->list[i];
		double pair = factor(timings, timing->source, timing->target);

		if (timing->run == 1)
			continue;
		n++;
		sums[0] += fabs(timing->predicted - timing->real) / timing->real;
		sums[1] += fabs(timing->predicted * all - timing->real) / timing->real;
		sums[2] += fabs(timing->predicted * (pair > 0 ? pair : all) - timing->real) / timing->real;
	}
	if (n == 0)
		return;
	printf("\nDurations predicted against %zu real moves of runs 2 and later (mean absolute error):\n", n);
	printf("nothing learned %.1f %%; one factor learned on run 1 (%.3f) %.1f %%; one factor for each pair of hosts %.1f %%\n",
		sums[0] / (double)n * 100, all, sums[1] / (double)n * 100, sums[2] / (double)n * 100);
}

static bool parse_arguments(int argc, char **argv, const char **ret_dir, double *ret_budget, struct plan_options *options)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--budget-ms") == 0 && i + 1 < argc)
			*ret_budget = atof(argv[++i]);
		else if (strcmp(argv[i], "--setup-ms") == 0 && i + 1 < argc)
			options->setup_ms = atoi(argv[++i]);
		else if (argv[i][0] != '-' && *ret_dir == NULL)
			*ret_dir = argv[i];
		else
			return false;
	}
	return *ret_dir != NULL;
}

static bool run_file(const char *path, const struct plan_options *options, double budget_ms, struct timings *timings,
	struct result *result, bool *ret_counts)
{
	struct corpus corpus;
	bool ok = true;

	*ret_counts = corpus_read(&corpus, path);
	if (*ret_counts) {
		result->is_timed = corpus.is_timed;
		name_result(path, corpus.is_timed, result);
		ok = measure(&corpus, *options, budget_ms, path, result);
		read_timings(timings, &corpus, options, path);
	} else {
		fprintf(stderr, "%s: left out: %s\n", path, corpus.problem);
	}
	corpus_clear(&corpus);
	return ok;
}

int main(int argc, char **argv)
{
	struct plan_options options;
	struct result *results;
	struct timings timings = {0};
	const char *dir = NULL;
	double budget_ms = 800;
	size_t i, n = 0;
	bool ok = true;

	plan_options_init(&options);
	options.efficiency_milli = 1000;
	options.memory_overhead_milli = 1000;
	options.setup_ms = options.finish_ms = 0;
	if (!parse_arguments(argc, argv, &dir, &budget_ms, &options) || nftw(dir, collect, 16, FTW_PHYS) != 0) {
		fprintf(stderr, "usage: planner-corpus DIR [--budget-ms N] [--setup-ms N]\n");
		return 2;
	}
	qsort(files, n_files, sizeof *files, by_path);
	results = calloc(n_files + 1, sizeof *results);
	for (i = 0; i < n_files; i++) {
		bool counts;

		ok = run_file(files[i], &options, budget_ms, &timings, &results[n], &counts) && ok;
		n += counts ? 1 : 0;
		free(files[i]);
	}
	print_results(results, n);
	print_families(results, n);
	print_timings(&timings);
	free(results);
	free(timings.list);
	return ok && n > 0 ? 0 : 1;
}
