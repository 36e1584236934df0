/* Planning times over the library itself, on clusters made in memory:
 *   plan-time [SEARCH_EVALUATIONS [CASE]]
 * One line per case: moves, blocked, CPU time of the plan, makespan over lower bound, fullest inbound host, memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cluster.h"
#include "drover/plan.h"

struct bench_case {
	const char *name;
	struct cluster cluster;
	uint32_t drained; /* 0 = rebalance */
};

static const struct bench_case cases[] = {
	{"drain 1, none", {64, 4000, 1, PROFILE_NONE, 0}, 1},
	{"drain 1, mix", {64, 4000, 1, PROFILE_MIX, 0}, 1},
	{"drain 8, none", {64, 4000, 1, PROFILE_NONE, 0}, 8},
	{"drain 8, mix", {64, 4000, 1, PROFILE_MIX, 0}, 8},
	{"drain 8, hot", {64, 4000, 1, PROFILE_HOT, 0}, 8},
	{"drain 8, disks", {64, 4000, 1, PROFILE_MIX, 50}, 8},
	{"rebalance", {64, 4000, 1, PROFILE_NONE, 0}, 0},
	{"drain 32", {256, 16000, 1, PROFILE_MIX, 0}, 32},
	{"rebalance", {256, 16000, 1, PROFILE_NONE, 0}, 0},
	{"drain 125", {1000, 100000, 1, PROFILE_MIX, 0}, 125},
	{"rebalance", {1000, 100000, 1, PROFILE_NONE, 0}, 0},
};

static struct inventory *build(const struct cluster *cluster)
{
	struct inventory *inventory = inventory_new();
	uint64_t state = cluster->seed, memory = cluster_host_memory(cluster);
	struct error error;
	char text[64];
	uint32_t i;

	for (i = 0; i < cluster->hosts; i++) {
		struct host *host;

		snprintf(text, sizeof text, "h%" PRIu32, i + 1);
		host = inventory_add_host(inventory, text);
		host->memory_bytes = memory;
		snprintf(text, sizeof text, "10.0.%" PRIu32 ".%" PRIu32 "/8", i / 250, i % 250 + 1);
		host_add_link(host, text)->rate_bytes_per_s = CLUSTER_LINK_RATE;
		strings_add(&host->networks, &host->n_networks, "br-lan");
		host_add_pool(host, "images")->available_bytes = 50 * CLUSTER_GIB * cluster->guests / cluster->hosts;
	}
	for (i = 0; i < cluster->guests; i++) {
		struct cluster_guest from = cluster_next_guest(cluster, &state);
		struct guest *guest;

		snprintf(text, sizeof text, "g%" PRIu32, i + 1);
		guest = inventory_add_guest(inventory, text, from.host);
		guest->memory_bytes = from.memory_bytes;
		guest->vcpus = from.vcpus;
		guest->dirty_rate_bytes_per_s = from.dirty_rate_bytes_per_s;
		guest->working_set_bytes = from.working_set_bytes;
		strings_add(&guest->interfaces, &guest->n_interfaces, "br-lan");
		if (from.disk_bytes > 0) {
			struct disk *disk = guest_add_disk(guest, "vda");

			disk->pool = strdup("images");
			disk->capacity_bytes = from.disk_bytes;
		}
	}
	if (!inventory_seal(inventory, &error)) {
		fprintf(stderr, "%s\n", error.message);
		exit(1);
	}
	return inventory;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t most_inbound(const struct inventory *inventory, const struct plan *plan)
{
	uint64_t *bytes = calloc(inventory->n_hosts, sizeof *bytes), most = 0;
	size_t i;

	for (i = 0; bytes != NULL && i < plan->n_moves; i++) {
		bytes[plan->moves[i].target] += plan->moves[i].bytes;
		if (bytes[plan->moves[i].target] > most)
			most = bytes[plan->moves[i].target];
	}
	free(bytes);
	return most;
}

static bool run_case(const struct bench_case *bench, uint32_t evaluations)
{
	struct inventory *inventory = build(&bench->cluster);
	struct request *request = request_new(bench->drained > 0 ? REQUEST_DRAIN : REQUEST_REBALANCE);
	struct plan_options options;
	struct plan *plan = NULL;
	struct error error;
	struct rusage usage;
	double begin;
	uint32_t i;

	plan_options_init(&options);
	options.search_evaluations = evaluations;
	for (i = 0; i < bench->drained; i++)
		strings_add(&request->hosts, &request->n_hosts, inventory->hosts[i].name);
	begin = seconds();
	if (!planner_plan(inventory, request, &options, &plan, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return false;
	}
	begin = seconds() - begin;
	getrusage(RUSAGE_SELF, &usage);
	printf("%-16s %4" PRIu32 "/%-6" PRIu32 " %6zu moves %4zu blocked %8.1f ms  makespan %8.1f s  %.4f x bound  most inbound %" PRIu64
		" GiB  largest memory so far %ld MiB\n", bench->name, bench->cluster.hosts, bench->cluster.guests, plan->n_moves, plan->n_blocked,
		begin * 1000, (double)plan->makespan_ms / 1000,
		plan->lower_bound_ms > 0 ? (double)plan->makespan_ms / (double)plan->lower_bound_ms : 1.0,
		most_inbound(inventory, plan) / CLUSTER_GIB, usage.ru_maxrss / 1024);
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
	return true;
}

int main(int argc, char **argv)
{
	uint32_t evaluations = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if ((argc < 3 || strstr(cases[i].name, argv[2]) != NULL) && !run_case(&cases[i], evaluations))
			return 1;
	return 0;
}
