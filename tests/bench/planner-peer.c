/* One made-up cluster for drover's planner and for hbal, and one measure for both results:
 *   planner-peer write HOSTS GUESTS DRAINED        prints the cluster in Ganeti's text format
 *   planner-peer result HOSTS GUESTS DRAINED       the same after drover's plan
 *   planner-peer plan HOSTS GUESTS DRAINED         plans with drover: milliseconds, moves, spread before and after
 *   planner-peer measure HOSTS GUESTS DRAINED FILE reads where hbal left the guests: moves, spread before and after
 * DRAINED hosts are emptied (offline for hbal); 0 = level the load. The spread is the standard deviation of the memory
 * share of the hosts that stay, in per cent of a host's memory. Used by planner-vs-hbal. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cluster.h"
#include "drover/plan.h"

enum { MIB_OF_GIB = 1024, DISK_MIB = 8000000 };

struct trial {
	struct cluster cluster;
	uint32_t drained;
	uint64_t memory;   /* of a host */
	struct cluster_guest *guests;
	uint32_t *after;   /* host of each guest */
};

static void make_trial(struct trial *trial, uint32_t hosts, uint32_t guests, uint32_t drained)
{
	uint64_t state;
	uint32_t i;

	trial->cluster = (struct cluster){.hosts = hosts, .guests = guests, .seed = 1, .profile = PROFILE_NONE};
	trial->drained = drained;
	trial->memory = cluster_host_memory(&trial->cluster);
	trial->guests = calloc(guests, sizeof *trial->guests);
	trial->after = calloc(guests, sizeof *trial->after);
	state = trial->cluster.seed;
	for (i = 0; i < guests; i++) {
		trial->guests[i] = cluster_next_guest(&trial->cluster, &state);
		trial->after[i] = trial->guests[i].host;
	}
}

static double spread(const struct trial *trial, bool is_after)
{
	double *share = calloc(trial->cluster.hosts, sizeof *share), sum = 0, squares = 0;
	uint32_t n = trial->cluster.hosts - trial->drained, i;

	for (i = 0; i < trial->cluster.guests; i++)
		share[is_after ? trial->after[i] : trial->guests[i].host] +=
			100 * (double)trial->guests[i].memory_bytes / (double)trial->memory;
	for (i = trial->drained; i < trial->cluster.hosts; i++)
		sum += share[i];
	for (i = trial->drained; i < trial->cluster.hosts; i++)
		squares += (share[i] - sum / n) * (share[i] - sum / n);
	free(share);
	return sqrt(squares / n);
}

static uint32_t count_moves(const struct trial *trial)
{
	uint32_t i, n = 0;

	for (i = 0; i < trial->cluster.guests; i++)
		n += trial->after[i] != trial->guests[i].host;
	return n;
}

/* With the guests where they were, or where they have gone. */
static void write_cluster(const struct trial *trial)
{
	uint64_t *used = calloc(trial->cluster.hosts, sizeof *used);
	uint32_t i;

	for (i = 0; i < trial->cluster.guests; i++)
		used[trial->after[i]] += trial->guests[i].memory_bytes;
	printf("group|uuid-0|preferred||\n\n");
	for (i = 0; i < trial->cluster.hosts; i++)
		printf("h%" PRIu32 "|%" PRIu64 "|0|%" PRIu64 "|%d|%d|64|%s|uuid-0|1\n", i + 1, trial->memory / CLUSTER_GIB * MIB_OF_GIB,
			(trial->memory - used[i]) / CLUSTER_GIB * MIB_OF_GIB, DISK_MIB, DISK_MIB, i < trial->drained ? "Y" : "N");
	printf("\n");
	for (i = 0; i < trial->cluster.guests; i++)
		printf("g%" PRIu32 "|%" PRIu64 "|0|%" PRIu32 "|running|Y|h%" PRIu32 "||ext|\n", i + 1,
			trial->guests[i].memory_bytes / CLUSTER_GIB * MIB_OF_GIB, trial->guests[i].vcpus, trial->after[i] + 1);
	printf("\n");
	free(used);
}

static struct inventory *build(const struct trial *trial)
{
	struct inventory *inventory = inventory_new();
	struct error error;
	char text[64];
	uint32_t i;

	for (i = 0; i < trial->cluster.hosts; i++) {
		struct host *host;

		snprintf(text, sizeof text, "h%" PRIu32, i + 1);
		host = inventory_add_host(inventory, text);
		host->memory_bytes = trial->memory;
		snprintf(text, sizeof text, "10.0.%" PRIu32 ".%" PRIu32 "/8", i / 250, i % 250 + 1);
		host_add_link(host, text)->rate_bytes_per_s = CLUSTER_LINK_RATE;
	}
	for (i = 0; i < trial->cluster.guests; i++) {
		struct guest *guest;

		snprintf(text, sizeof text, "g%" PRIu32, i + 1);
		guest = inventory_add_guest(inventory, text, trial->guests[i].host);
		guest->memory_bytes = trial->guests[i].memory_bytes;
		guest->vcpus = trial->guests[i].vcpus;
	}
	if (!inventory_seal(inventory, &error)) {
		fprintf(stderr, "%s\n", error.message);
		exit(1);
	}
	return inventory;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int plan_cluster(struct trial *trial, bool is_written)
{
	struct inventory *inventory = build(trial);
	struct request *request = request_new(trial->drained > 0 ? REQUEST_DRAIN : REQUEST_REBALANCE);
	struct plan_options options;
	struct plan *plan = NULL;
	struct error error;
	double begin;
	size_t i;

	plan_options_init(&options);
	options.memory_overhead_milli = 1000;
	for (i = 0; i < trial->drained; i++)
		strings_add(&request->hosts, &request->n_hosts, inventory->hosts[i].name);
	begin = now_ms();
	if (!planner_plan(inventory, request, &options, &plan, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	begin = now_ms() - begin;
	for (i = 0; i < plan->n_moves; i++)
		trial->after[plan->moves[i].guest] = plan->moves[i].target;
	if (is_written)
		write_cluster(trial);
	else
		printf("%.1f %" PRIu32 " %.2f %.2f\n", begin, count_moves(trial), spread(trial, false), spread(trial, true));
	if (plan->n_blocked > 0)
		fprintf(stderr, "%zu guests found no place\n", plan->n_blocked);
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
	return 0;
}

/* Lines of guests name the node that runs them in the seventh field. */
static int measure(struct trial *trial, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[512];
	uint32_t guest, host, n = 0;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "g%" SCNu32 "|%*[^|]|%*[^|]|%*[^|]|%*[^|]|%*[^|]|h%" SCNu32 "|", &guest, &host) == 2 && guest > 0 &&
			guest <= trial->cluster.guests && host > 0 && host <= trial->cluster.hosts) {
			trial->after[guest - 1] = host - 1;
			n++;
		}
	if (file != NULL)
		fclose(file);
	if (n != trial->cluster.guests) {
		fprintf(stderr, "%s: %" PRIu32 " of %" PRIu32 " guests\n", path, n, trial->cluster.guests);
		return 1;
	}
	printf("%" PRIu32 " %.2f %.2f\n", count_moves(trial), spread(trial, false), spread(trial, true));
	return 0;
}

int main(int argc, char **argv)
{
	struct trial trial = {0};
	int status = 2;

	if (argc < 5)
		return status;
	make_trial(&trial, (uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10),
		(uint32_t)strtoul(argv[4], NULL, 10));
	if (strcmp(argv[1], "write") == 0) {
		write_cluster(&trial);
		status = fflush(stdout) != 0;
	} else if (strcmp(argv[1], "plan") == 0) {
		status = plan_cluster(&trial, false);
	} else if (strcmp(argv[1], "result") == 0) {
		status = plan_cluster(&trial, true);
	} else if (strcmp(argv[1], "measure") == 0 && argc > 5) {
		status = measure(&trial, argv[5]);
	}
	free(trial.guests);
	free(trial.after);
	return status;
}
