/* The digest of an inventory: what `apply` compares to know whether a plan is
 * stale. Only facts that change by an act are in it (who runs where, sizes,
 * cordons, pools, networks, rules); what changes by itself from second to second
 * (free space, load, dirty rates, measured rates) is not, or no plan could ever be applied.
 */
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "drover/inventory.h"

static void add_text(struct sha256_ctx *hash, const char *text)
{
	/* The NUL is hashed too: "ab","c" and "a","bc" differ; a missing text differs from an empty one. */
	if (text == NULL)
		sha256_update(hash, 2, (const uint8_t *)"\1");
	else
		sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static void add_number(struct sha256_ctx *hash, uint64_t number)
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	sha256_update(hash, sizeof bytes, bytes);
}

static void add_texts(struct sha256_ctx *hash, char *const *texts, size_t n)
{
	size_t i;

	add_number(hash, n);
	for (i = 0; i < n; i++)
		add_text(hash, texts[i]);
}

static void add_host(struct sha256_ctx *hash, const struct host *host)
{
	size_t i;

	add_text(hash, host->name);
	add_text(hash, host->cluster);
	add_text(hash, host->cpu_model);
	add_number(hash, (uint64_t)(host->cordoned + 2 * host->reachable + 4 * host->incoming + 8 * host->outgoing));
	add_number(hash, host->cpus);
	add_number(hash, host->cpu_overcommit_milli);
	add_number(hash, host->memory_bytes);
	add_number(hash, host->memory_reserve_bytes);
	add_texts(hash, host->networks, host->n_networks);
	for (i = 0; i < host->n_links; i++)
		add_text(hash, host->links[i].address);
	for (i = 0; i < host->n_pools; i++) {
		add_text(hash, host->pools[i].name);
		add_text(hash, host->pools[i].share_id);
	}
}

static void add_guest(struct sha256_ctx *hash, const struct inventory *inventory, const struct guest *guest)
{
	size_t i;

	add_text(hash, guest->name);
	add_text(hash, guest->uuid);
	add_text(hash, inventory->hosts[guest->host].name);
	add_number(hash, (uint64_t)guest->state);
	add_number(hash, guest->vcpus);
	add_number(hash, guest->memory_bytes);
	add_number(hash, guest->hostdevs);
	add_number(hash, (uint64_t)(int64_t)guest->priority);
	add_text(hash, guest->cpu_model);
	add_texts(hash, guest->interfaces, guest->n_interfaces);
	add_texts(hash, guest->groups, guest->n_groups);
	for (i = 0; i < guest->n_disks; i++) {
		add_text(hash, guest->disks[i].target);
		add_text(hash, guest->disks[i].pool);
		add_text(hash, guest->disks[i].volume);
		add_number(hash, guest->disks[i].capacity_bytes);
		add_number(hash, (uint64_t)guest->disks[i].passthrough);
		if (guest->disks[i].share_id != NULL)
			add_text(hash, guest->disks[i].share_id);
	}
}

void inventory_digest(const struct inventory *inventory, char ret_digest[static DIGEST_TEXT_SIZE])
{
	struct sha256_ctx hash;
	uint8_t digest[SHA256_DIGEST_SIZE];
	size_t i;

	sha256_init(&hash);
	for (i = 0; i < inventory->n_hosts; i++)
		add_host(&hash, &inventory->hosts[i]);
	for (i = 0; i < inventory->n_guests; i++)
		add_guest(&hash, inventory, &inventory->guests[i]);
	for (i = 0; i < inventory->n_rules; i++) {
		const struct rule *rule = &inventory->rules[i];

		add_number(&hash, (uint64_t)rule->kind);
		add_texts(&hash, rule->groups, rule->n_groups);
		add_texts(&hash, rule->guests, rule->n_guests);
		add_texts(&hash, rule->hosts, rule->n_hosts);
		add_number(&hash, rule->count);
	}
	for (i = 0; i < inventory->n_networks; i++) {
		add_text(&hash, inventory->networks[i].cidr);
		add_number(&hash, (uint64_t)(int64_t)inventory->networks[i].order);
	}
	sha256_digest(&hash, sizeof digest, digest);
	for (i = 0; i < sizeof digest; i++)
		snprintf(ret_digest + 2 * i, 3, "%02x", digest[i]);
}
