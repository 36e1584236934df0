/* Runs seeds, each twice, on several processes; prints what failed and how to run it again, and which marks were reached. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dst.h"
#include "xalloc.h"

enum { JOBS_MAX = 64, FAILURES_SHOWN = 3 };

struct options {
	uint64_t first, last;
	unsigned jobs;
	bool is_verbose, wants_marks, is_sweep, keeps_going;
};

/* Shared by the processes; each has its own. */
struct tally {
	uint64_t n_seeds, n_failed, n_events, n_restarts;
	int64_t virtual_ms;
	uint64_t marks[128];
};

static int usage(FILE *to)
{
	fputs("usage: run [--seeds A..B] [--jobs N] [--marks] [--keep-going] [--verbose]\n"
	      "       run --sweep [--verbose]\n"
	      "\n"
	      "Simulates whole runs from seeds and checks them after every event. Each seed runs twice\n"
	      "and must do the same both times. --marks fails when a situation was never reached;\n"
	      "--sweep kills one small run at every commit.\n", to);
	return to == stdout ? 0 : 64;
}

static void report(uint64_t seed, const struct round *round, const char *what)
{
	fprintf(stderr, "seed %" PRIu64 ": %s: event %" PRIu64 ": %s\n  again: tests/dst/run --seeds %" PRIu64 "..%" PRIu64 " --verbose\n",
		seed, what, round->n_events, round->error.message, seed, seed);
	fflush(stderr);
}

static void run_seed(const struct options *options, uint64_t seed, struct tally *tally)
{
	struct round round, again;

	round_run(seed, options->is_verbose, tally->n_failed < FAILURES_SHOWN && !options->keeps_going, tally->marks, &round);
	tally->n_seeds++;
	tally->n_events += round.n_events;
	tally->n_restarts += round.n_restarts;
	tally->virtual_ms += round.virtual_ms;
	if (round.error.code != ERR_NONE) {
		tally->n_failed++;
		report(seed, &round, "failed");
		return;
	}
	round_run(seed, false, false, NULL, &again);
	if (again.digest != round.digest) {
		tally->n_failed++;
		report(seed, &again, "did something else the second time");
	}
}

static void work(const struct options *options, unsigned job, struct tally *tally)
{
	uint64_t seed;

	for (seed = options->first + job; seed <= options->last; seed += options->jobs) {
		run_seed(options, seed, tally);
		if (tally->n_failed >= FAILURES_SHOWN && !options->keeps_going)
			break;
	}
}

/* True when every process ended by itself: one that crashed has failed too. */
static bool run_jobs(const struct options *options, struct tally *tallies)
{
	pid_t children[JOBS_MAX];
	bool is_good = true;
	unsigned i;

	for (i = 0; i < options->jobs; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			work(options, i, &tallies[i]);
			exit(0); /* and not _exit: what it covered is written at its end */
		}
		if (children[i] < 0) {
			fprintf(stderr, "fork: %s\n", strerror(errno));
			return false;
		}
	}
	for (i = 0; i < options->jobs; i++) {
		int status = 0;

		if (waitpid(children[i], &status, 0) < 0 || status != 0) {
			fprintf(stderr, "a process died behind its seed number %" PRIu64 " (seed %" PRIu64 ")\n", tallies[i].n_seeds,
				options->first + i + tallies[i].n_seeds * options->jobs);
			is_good = false;
		}
	}
	return is_good;
}

static unsigned print_marks(const struct tally *sum)
{
	unsigned missed = 0;
	size_t i;

	for (i = 0; i < marks_count(); i++) {
		printf("%10" PRIu64 "  %s\n", sum->marks[i], mark_name(i));
		missed += sum->marks[i] == 0;
	}
	if (missed > 0)
		printf("%u marks were never reached\n", missed);
	return missed;
}

static int run_seeds(const struct options *options)
{
	struct tally *tallies = mmap(NULL, sizeof *tallies * options->jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct tally sum = {0};
	unsigned i, missed = 0;
	bool is_good;
	size_t j;

	if (tallies == MAP_FAILED || marks_count() > sizeof sum.marks / sizeof sum.marks[0]) {
		fprintf(stderr, "no memory for the tallies\n");
		return 1;
	}
	is_good = run_jobs(options, tallies);
	for (i = 0; i < options->jobs; i++) {
		sum.n_seeds += tallies[i].n_seeds;
		sum.n_failed += tallies[i].n_failed;
		sum.n_events += tallies[i].n_events;
		sum.n_restarts += tallies[i].n_restarts;
		sum.virtual_ms += tallies[i].virtual_ms;
		for (j = 0; j < marks_count(); j++)
			sum.marks[j] += tallies[i].marks[j];
	}
	printf("%" PRIu64 " seeds, %" PRIu64 " failed; %" PRIu64 " events, %" PRIu64 " restarts, %.1f hours of virtual time\n", sum.n_seeds,
		sum.n_failed, sum.n_events, sum.n_restarts, (double)sum.virtual_ms / 3600000);
	if (options->wants_marks)
		missed = print_marks(&sum);
	return is_good && sum.n_failed == 0 && missed == 0 ? 0 : 1;
}

static bool parse_seeds(const char *text, struct options *options)
{
	int end = 0;

	if (sscanf(text, "%" SCNu64 "..%" SCNu64 "%n", &options->first, &options->last, &end) == 2 && text[end] == '\0')
		return options->first <= options->last;
	if (sscanf(text, "%" SCNu64 "%n", &options->first, &end) != 1 || text[end] != '\0')
		return false;
	options->last = options->first;
	return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0)
			options->is_verbose = true;
		else if (strcmp(argv[i], "--marks") == 0)
			options->wants_marks = true;
		else if (strcmp(argv[i], "--sweep") == 0)
			options->is_sweep = true;
		else if (strcmp(argv[i], "--keep-going") == 0)
			options->keeps_going = true;
		else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc && parse_seeds(argv[i + 1], options))
			i++;
		else if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc && sscanf(argv[i + 1], "%u", &options->jobs) == 1)
			i++;
		else
			return false;
	}
	return options->jobs >= 1 && options->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	struct options options = {.first = 1, .last = 2000, .jobs = 2};

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return usage(stdout);
	if (!parse(argc, argv, &options))
		return usage(stderr);
	if (options.is_sweep)
		return sweep_run(options.is_verbose) == 0 ? 0 : 1;
	if (options.last - options.first + 1 < options.jobs)
		options.jobs = (unsigned)(options.last - options.first + 1);
	return run_seeds(&options);
}
