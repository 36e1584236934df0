/* See facts.h. Simulated worlds say what their guests write, so nothing is kept of them. */
#include "facts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store_sqlite.h"
#include "xalloc.h"

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A measurement of the future was made by another clock: it tells nothing of its age. */
static bool is_recent(const struct site *site, const struct guest_fact *fact)
{
	int64_t age_ms = wall_ms() - fact->measured_wall_ms;

	return age_ms >= 0 && age_ms < site->config->measured_age_ms;
}

const char **facts_recent(const struct site *site, size_t *ret_n)
{
	size_t n_facts = site->image != NULL ? site->image->n_guests : 0, i;
	const char **uuids = xcalloc(n_facts + 1, sizeof *uuids);

	*ret_n = 0;
	for (i = 0; i < n_facts; i++) /* the image has them by UUID */
		if (is_recent(site, &site->image->guests[i]))
			uuids[(*ret_n)++] = site->image->guests[i].uuid;
	return uuids;
}

void facts_fill(const struct site *site)
{
	size_t i;

	for (i = 0; site->image != NULL && i < site->image->n_guests; i++) {
		const struct guest_fact *fact = &site->image->guests[i];
		uint32_t at = is_recent(site, fact) ? inventory_guest(site->inventory, fact->uuid, NULL) : INDEX_NONE;
		struct guest *guest = at != INDEX_NONE ? &site->inventory->guests[at] : NULL;

		if (guest == NULL)
			continue;
		if (!guest->is_measured)
			guest->dirty_rate_bytes_per_s = fact->dirty_rate_bytes_per_s;
		if (guest->working_set_bytes == 0)
			guest->working_set_bytes = fact->working_set_bytes;
	}
}

static size_t measured_ops(const struct inventory *inventory, struct store_op *ret_ops)
{
	size_t n = 0, i;

	for (i = 0; i < inventory->n_guests; i++) {
		const struct guest *guest = &inventory->guests[i];

		if (!guest->is_measured || guest->uuid[0] == '\0')
			continue;
		ret_ops[n] = (struct store_op){.kind = STORE_PUT_GUEST, .guest = {.dirty_rate_bytes_per_s = guest->dirty_rate_bytes_per_s,
			.working_set_bytes = guest->working_set_bytes, .measured_wall_ms = wall_ms()}};
		memcpy(ret_ops[n++].guest.uuid, guest->uuid, sizeof guest->uuid);
	}
	return n;
}

void facts_keep(struct site *site)
{
	struct store_op *ops = xcalloc(site->inventory->n_guests + 1, sizeof *ops);
	size_t n = world_is_simulated(site->world) ? 0 : measured_ops(site->inventory, ops);
	struct store *store = NULL;
	struct error err;

	/* Two connections of one process would take each other's locks; what was read is in the image. */
	if (n > 0 && site->store != NULL) {
		site->store->close(site->store);
		site->store = NULL;
	}
	if (n > 0 && access(site->state, W_OK) == 0 && store_sqlite_open(site->state, &store, &err)) {
		store->commit(store, ops, n, &err);
		store->close(store);
	}
	free(ops);
}
