/* A drain in the simulated world: the engine as it decides by itself against the same engine held to a fixed number of moves
 * per host that share the link, as other tools do. One table, one run; every makespan beside the lower bound.
 *
 *   sim-drain [HOSTS GUESTS DRAINED]
 *   sim-drain growth [LARGEST_HOSTS]
 *
 * The same plan, world and seed for every way. Unconverged: moves that ended otherwise than done within the virtual
 * time allowed (20 times the bound). growth: an eighth of the hosts of ever larger clusters is planned and drained by the engine as it
 * decides by itself; CPU time of both and the memory of a process that does nothing else. Engine figures are wall-clock time and belong to this machine only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"
#include "sim.h"
#include "store_memory.h"
#include "turn.h"
#include "xalloc.h"

struct run {
	struct turn turn;
	struct sim *sim;
	struct actions actions;
	uint64_t n_steps;
	double step_seconds;
};

struct result {
	int64_t makespan_ms;
	uint64_t unconverged;
	uint64_t bytes;
	uint32_t max_in_flight;
	uint64_t n_steps;
	double step_seconds;
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void step(struct run *run, struct event *event)
{
	struct error why;
	double begin = seconds_now();

	event->now_ms = sim_now_ms(run->sim);
	event->wall_ms = 946684800000 + event->now_ms;
	if (!turn_run(&run->turn, event, &run->actions, &why)) {
		fprintf(stderr, "sim-drain: %s\n", why.message);
		exit(1);
	}
	run->n_steps++;
	run->step_seconds += seconds_now() - begin;
}

static void on_reply(void *self, struct hv_reply *reply)
{
	struct event event = {.kind = EVENT_REPLY, .reply = reply};

	step(self, &event);
	hv_reply_clear(reply);
}

static void on_note(void *self, const struct hv_note *note)
{
	struct event event = {.kind = EVENT_NOTE, .note = note};

	step(self, &event);
}

static struct inventory *make_cluster(const struct cluster *cluster)
{
	struct inventory *inventory = inventory_new();
	uint64_t state = cluster->seed, memory = cluster_host_memory(cluster);
	char text[64];
	uint32_t i;

	/* That of the hosts of 64/4,000; more where hosts have more guests. */
	if (memory < 461 * CLUSTER_GIB)
		memory = 461 * CLUSTER_GIB;

	for (i = 0; i < cluster->hosts; i++) {
		struct host *host;

		snprintf(text, sizeof text, "h%u", i + 1);
		host = inventory_add_host(inventory, text);
		snprintf(text, sizeof text, "10.%u.%u.%u/8", i >> 16 & 255, i >> 8 & 255, (i & 255) + 1);
		host_add_link(host, text)->rate_bytes_per_s = CLUSTER_LINK_RATE;
		host->memory_bytes = memory;
	}
	for (i = 0; i < cluster->guests; i++) {
		struct cluster_guest made = cluster_next_guest(cluster, &state);
		struct guest *guest;

		snprintf(text, sizeof text, "g%u", i + 1);
		guest = inventory_add_guest(inventory, text, made.host);
		guest->memory_bytes = guest->used_memory_bytes = made.memory_bytes;
		guest->dirty_rate_bytes_per_s = made.dirty_rate_bytes_per_s;
		guest->working_set_bytes = made.working_set_bytes;
	}
	if (!inventory_seal(inventory, NULL))
		abort();
	return inventory;
}

static struct request *drain_request(uint32_t n)
{
	struct request *request = request_new(REQUEST_DRAIN);
	char name[16];
	uint32_t i;

	for (i = 1; i <= n; i++) {
		snprintf(name, sizeof name, "h%u", i);
		strings_add(&request->hosts, &request->n_hosts, name);
	}
	return request;
}

static void drive(struct run *run, int64_t until_ms)
{
	while (!engine_is_idle(run->turn.engine)) {
		int64_t world = sim_next_ms(run->sim), wake = engine_deadline(run->turn.engine);
		int64_t next = world < wake ? world : wake, now = sim_now_ms(run->sim);

		if (next > until_ms)
			break;
		sim_advance(run->sim, next > now ? next : now);
		if (engine_deadline(run->turn.engine) <= sim_now_ms(run->sim)) {
			struct event event = {.kind = EVENT_WAKE};

			step(run, &event);
		}
	}
}

static struct result simulate(const struct inventory *inventory, const struct request *request, const struct plan *plan,
	uint32_t fixed, uint64_t seed)
{
	struct run run = {0};
	struct hv_listener listener = {.self = &run, .on_reply = on_reply, .on_note = on_note};
	struct engine_options options;
	struct sim_options sim_options;
	struct store_image image = {0};
	struct event restore = {.kind = EVENT_RESTORE, .restore = {.image = &image}};
	struct event start = {.kind = EVENT_START, .start = {.request = request, .plan = plan}};
	struct result result = {0};
	struct sim_counters counters;
	size_t i;

	engine_options_init(&options);
	options.workers_per_host = 1000;
	if (fixed != 0) {
		options.max_outgoing = fixed;
		options.throttle = false;
		options.plan.prestage = 100000; /* the count alone decides */
	}
	sim_options_init(&sim_options);
	sim_options.seed = seed;
	run.sim = sim_new(inventory, &sim_options);
	sim_set_listener(run.sim, &listener);
	run.turn = (struct turn){.engine = engine_new(inventory, &options), .store = store_memory_new("bench"),
		.hypervisor = sim_hypervisor(run.sim)};
	step(&run, &restore);
	step(&run, &start);
	drive(&run, plan->lower_bound_ms * 20);
	result.makespan_ms = sim_now_ms(run.sim);
	for (i = 0; i < engine_n_moves(run.turn.engine); i++)
		result.unconverged += engine_move(run.turn.engine, i)->state != MOVE_DONE;
	sim_counters(run.sim, &counters);
	result.bytes = counters.bytes_sent;
	result.max_in_flight = counters.max_in_flight;
	result.n_steps = run.n_steps;
	result.step_seconds = run.step_seconds;
	engine_free(run.turn.engine);
	run.turn.store->close(run.turn.store);
	sim_free(run.sim);
	return result;
}

static void one_load(const struct cluster *cluster, uint32_t drained, const char *name)
{
	static const uint32_t ways[] = {0, 1, 2, 4, 8, 100000};
	static const char *const way_names[] = {"measured", "k=1", "k=2", "k=4", "k=8", "all"};
	struct inventory *inventory = make_cluster(cluster);
	struct request *request = drain_request(drained);
	struct plan_options options;
	struct plan *plan = NULL;
	struct error err;
	size_t i;

	plan_options_init(&options);
	if (!planner_plan(inventory, request, &options, &plan, &err)) {
		fprintf(stderr, "sim-drain: %s\n", err.message);
		exit(1);
	}
	for (i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct result result = simulate(inventory, request, plan, ways[i], cluster->seed);

		printf("%-6s %5llu %6zu %-9s %10.1f %10.1f %8.3f %11llu %9.2f %9u %10.2f\n", name,
			(unsigned long long)cluster->seed, plan->n_moves, way_names[i], (double)plan->lower_bound_ms / 1000,
			(double)result.makespan_ms / 1000, (double)result.makespan_ms / (double)plan->lower_bound_ms,
			(unsigned long long)result.unconverged, (double)result.bytes / 1e12, result.max_in_flight,
			result.step_seconds * 1e6 / (double)result.n_steps);
		fflush(stdout);
	}
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
}

/* ---- growth ---- */

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* In a process of its own, whose memory is then that of this size. */
static void one_size(const struct cluster *cluster)
{
	struct inventory *inventory = make_cluster(cluster);
	struct request *request = drain_request(cluster->hosts / 8);
	struct plan_options options;
	struct plan *plan = NULL;
	struct result result;
	struct error err;
	double begin, planned;

	plan_options_init(&options);
	begin = cpu_seconds();
	if (!planner_plan(inventory, request, &options, &plan, &err)) {
		fprintf(stderr, "sim-drain: %s\n", err.message);
		exit(1);
	}
	planned = cpu_seconds();
	result = simulate(inventory, request, plan, 0, cluster->seed);
	printf("%5u/%-7u %6zu %9.1f %8.1f %10.1f %8.3f %11llu %10.2f", cluster->hosts, cluster->guests, plan->n_moves,
		(planned - begin) * 1000, (double)plan->lower_bound_ms / 1000, (double)result.makespan_ms / 1000,
		(double)result.makespan_ms / (double)plan->lower_bound_ms, (unsigned long long)result.unconverged, cpu_seconds() - planned);
	fflush(stdout);
	plan_free(plan);
	request_free(request);
	inventory_free(inventory);
}

static int growth(uint32_t largest)
{
	static const struct cluster sizes[] = {
		{.hosts = 64, .guests = 4000, .seed = 1, .profile = PROFILE_MIX},
		{.hosts = 256, .guests = 16000, .seed = 1, .profile = PROFILE_MIX},
		{.hosts = 1000, .guests = 100000, .seed = 1, .profile = PROFILE_MIX},
	};
	size_t i;

	printf("%13s %6s %9s %8s %10s %8s %11s %10s %6s\n", "hosts/guests", "moves", "plan ms", "bound s", "makespan s", "ratio",
		"unconverged", "drain CPU s", "MB");
	for (i = 0; i < sizeof sizes / sizeof *sizes && sizes[i].hosts <= largest; i++) {
		struct rusage usage;
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child == 0) {
			one_size(&sizes[i]);
			exit(0);
		}
		if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0)
			return 1;
		printf(" %6.0f\n", (double)usage.ru_maxrss / 1024);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cluster cluster = {.hosts = 64, .guests = 4000, .seed = 1};
	uint32_t drained = 8;
	struct rusage usage;

	if (argc > 1 && argc < 4 && strcmp(argv[1], "growth") == 0)
		return growth(argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : UINT32_MAX);
	if (argc == 4) {
		cluster.hosts = (uint32_t)strtoul(argv[1], NULL, 10);
		cluster.guests = (uint32_t)strtoul(argv[2], NULL, 10);
		drained = (uint32_t)strtoul(argv[3], NULL, 10);
	} else if (argc != 1) {
		fprintf(stderr, "usage: sim-drain [HOSTS GUESTS DRAINED | growth [LARGEST_HOSTS]]\n");
		return 64;
	}
	printf("%-6s %5s %6s %-9s %10s %10s %8s %11s %9s %9s %10s\n", "load", "seed", "moves", "way", "bound s", "makespan s",
		"ratio", "unconverged", "sent TB", "in flight", "us a step");
	for (cluster.seed = 1; cluster.seed <= 2; cluster.seed++) {
		cluster.profile = PROFILE_NONE;
		one_load(&cluster, drained, "none");
		cluster.profile = PROFILE_MIX;
		one_load(&cluster, drained, "mix");
		cluster.profile = PROFILE_HOT;
		one_load(&cluster, drained, "hot");
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("peak memory %.0f MB\n", (double)usage.ru_maxrss / 1024);
	return 0;
}
