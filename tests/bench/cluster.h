/* Made-up clusters for measurements: the same numbers for the document that gen-inventory prints and for the
 * inventory that plan-time builds in memory. Deterministic: a cluster is its parameters. */
#ifndef DROVER_BENCH_CLUSTER_H
#define DROVER_BENCH_CLUSTER_H

#include <stdint.h>
#include <string.h>

enum cluster_profile { PROFILE_NONE, PROFILE_MIX, PROFILE_HOT };

struct cluster {
	uint32_t hosts, guests;
	uint64_t seed;
	enum cluster_profile profile;
	uint32_t disks_percent; /* of the guests have a local disk */
};

struct cluster_guest {
	uint32_t host, vcpus;
	uint64_t memory_bytes, dirty_rate_bytes_per_s, working_set_bytes, disk_bytes;
};

#define CLUSTER_GIB (UINT64_C(1) << 30)
#define CLUSTER_LINK_RATE UINT64_C(1250000000) /* 10 Gbit/s */

static inline uint64_t cluster_draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Classes of writers, in MB a second: mix = 70 % idle, 20 % 50, 8 % 200, 2 % 600; hot = 30 % 5, 40 % 100, 30 % 300. */
static inline uint64_t cluster_dirty_rate(enum cluster_profile profile, uint64_t percent)
{
	if (profile == PROFILE_MIX)
		return (percent < 70 ? 0u : percent < 90 ? 50u : percent < 98 ? 200u : 600u) * UINT64_C(1000000);
	if (profile == PROFILE_HOT)
		return (percent < 30 ? 5u : percent < 70 ? 100u : 300u) * UINT64_C(1000000);
	return 0;
}

/* The guests in turn; state begins as the seed. Sizes of 1, 2, 4, 8, 16 GiB, more small ones than large ones; hosts drawn evenly. */
static inline struct cluster_guest cluster_next_guest(const struct cluster *cluster, uint64_t *state)
{
	static const uint64_t sizes[] = {1, 1, 2, 2, 2, 4, 4, 4, 8, 16};
	struct cluster_guest guest = {0};

	guest.host = (uint32_t)(cluster_draw(state) % cluster->hosts);
	guest.memory_bytes = sizes[cluster_draw(state) % 10] * CLUSTER_GIB;
	guest.vcpus = 1 + (uint32_t)(cluster_draw(state) % 4);
	guest.dirty_rate_bytes_per_s = cluster_dirty_rate(cluster->profile, cluster_draw(state) % 100);
	guest.working_set_bytes = guest.memory_bytes / 2;
	if (cluster_draw(state) % 100 < cluster->disks_percent)
		guest.disk_bytes = (5 + cluster_draw(state) % 20) * CLUSTER_GIB;
	return guest;
}

/* Hosts of one size, so that the whole is 60 % full. */
static inline uint64_t cluster_host_memory(const struct cluster *cluster)
{
	uint64_t state = cluster->seed, sum = 0;
	uint32_t i;

	for (i = 0; i < cluster->guests; i++)
		sum += cluster_next_guest(cluster, &state).memory_bytes;
	return sum / cluster->hosts * 10 / 6 / CLUSTER_GIB * CLUSTER_GIB + CLUSTER_GIB;
}

#endif
