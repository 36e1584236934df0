/* Prints a made-up inventory document of any size:
 *   gen-inventory HOSTS GUESTS SEED [--profile none|mix|hot] [--disks PERCENT]
 * Equal arguments print equal documents. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"

static int usage(void)
{
	fprintf(stderr, "usage: gen-inventory HOSTS GUESTS SEED [--profile none|mix|hot] [--disks PERCENT]\n");
	return 64;
}

static bool parse_profile(const char *text, enum cluster_profile *ret_profile)
{
	static const char *const names[] = {"none", "mix", "hot"};
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			*ret_profile = (enum cluster_profile)i;
			return true;
		}
	return false;
}

static bool parse_arguments(int argc, char **argv, struct cluster *cluster)
{
	int i;

	if (argc < 4 || argc % 2 != 0)
		return false;
	cluster->hosts = (uint32_t)strtoul(argv[1], NULL, 10);
	cluster->guests = (uint32_t)strtoul(argv[2], NULL, 10);
	cluster->seed = strtoull(argv[3], NULL, 10);
	for (i = 4; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--disks") == 0)
			cluster->disks_percent = (uint32_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--profile") != 0 || !parse_profile(argv[i + 1], &cluster->profile))
			return false;
	}
	return cluster->hosts > 0 && cluster->hosts <= 60000 && cluster->disks_percent <= 100;
}

static void print_host(const struct cluster *cluster, uint32_t i, uint64_t memory)
{
	printf("%s  {\"name\":\"h%" PRIu32 "\",\"cpus\":64,\"memory_bytes\":%" PRIu64 ",\"cpu_model\":\"EPYC-Rome\","
		"\"links\":[{\"address\":\"10.%" PRIu32 ".%" PRIu32 ".%" PRIu32 "/8\",\"rate_bytes_per_second\":%" PRIu64 "}],"
		"\"networks\":[\"br-lan\"],\"pools\":[{\"name\":\"images\",\"kind\":\"dir\",\"capacity_bytes\":%" PRIu64
		",\"available_bytes\":%" PRIu64 "}]}", i > 0 ? ",\n" : "", i + 1, memory, i / 62500, i / 250 % 250, i % 250 + 1,
		CLUSTER_LINK_RATE, 8 * memory + 100 * CLUSTER_GIB * cluster->guests / cluster->hosts,
		4 * memory + 50 * CLUSTER_GIB * cluster->guests / cluster->hosts);
}

static void print_guest(uint32_t i, const struct cluster_guest *guest)
{
	printf("%s  {\"name\":\"g%" PRIu32 "\",\"uuid\":\"%08" PRIx32 "-0000-4000-8000-000000000000\",\"host\":\"h%" PRIu32
		"\",\"vcpus\":%" PRIu32 ",\"memory_bytes\":%" PRIu64 ",\"dirty_rate_bytes_per_second\":%" PRIu64
		",\"working_set_bytes\":%" PRIu64 ",\"interfaces\":[{\"network\":\"br-lan\"}]", i > 0 ? ",\n" : "", i + 1, i + 1,
		guest->host + 1, guest->vcpus, guest->memory_bytes, guest->dirty_rate_bytes_per_s, guest->working_set_bytes);
	if (guest->disk_bytes > 0)
		printf(",\"disks\":[{\"target\":\"vda\",\"pool\":\"images\",\"volume\":\"g%" PRIu32 ".qcow2\",\"format\":\"qcow2\","
			"\"capacity_bytes\":%" PRIu64 ",\"allocation_bytes\":%" PRIu64 "}]", i + 1, 2 * guest->disk_bytes,
			guest->disk_bytes);
	printf("}");
}

int main(int argc, char **argv)
{
	struct cluster cluster = {0};
	uint64_t state, memory;
	uint32_t i;

	if (!parse_arguments(argc, argv, &cluster))
		return usage();
	memory = cluster_host_memory(&cluster);
	printf("{\"schema\":\"drover/inventory/1\",\n \"hosts\":[\n");
	for (i = 0; i < cluster.hosts; i++)
		print_host(&cluster, i, memory);
	printf("],\n \"guests\":[\n");
	state = cluster.seed;
	for (i = 0; i < cluster.guests; i++) {
		struct cluster_guest guest = cluster_next_guest(&cluster, &state);

		print_guest(i, &guest);
	}
	printf("]}\n");
	return ferror(stdout) != 0 || fflush(stdout) != 0;
}
