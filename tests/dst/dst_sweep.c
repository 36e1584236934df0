/* The crash sweep: two small runs, a drain and two guests that swap full hosts, one by way of a third, killed at every commit in turn. Each time the process dies before the commit is
 * durable, right behind it, or between the requests of its step; a new life must bring every guest to the place
 * that it has after an undisturbed run. On the store in memory, and on SQLite in a file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dst.h"
#include "scratch.h"
#include "store_memory.h"
#include "store_sqlite.h"
#include "xalloc.h"

#define MIB ((uint64_t)1024 * 1024)

enum { N_HOSTS = 3, N_GUESTS = 4, RUN_MS = 4 * 3600000, COMMITS_MAX = 2000 };

enum death { BEFORE, BEHIND, BETWEEN, DEATHS };
static const char *const death_names[DEATHS] = {"before", "behind", "amid the requests behind"};

static struct inventory *small_world(void)
{
	struct inventory *inventory = inventory_new();
	unsigned i;

	for (i = 0; i < N_HOSTS; i++) {
		char name[32];
		struct host *host;
		struct pool *pool;

		snprintf(name, sizeof name, "h%u", i + 1);
		host = inventory_add_host(inventory, name);
		host->memory_bytes = 16384 * MIB;
		snprintf(name, sizeof name, "10.8.0.%u/24", i + 1);
		host_add_link(host, name)->rate_bytes_per_s = 125000000;
		pool = host_add_pool(host, "images");
		pool->capacity_bytes = pool->available_bytes = 100000 * MIB;
	}
	for (i = 0; i < N_GUESTS; i++) {
		char name[32];
		struct guest *guest;

		snprintf(name, sizeof name, "g%u", i + 1);
		guest = inventory_add_guest(inventory, name, 0);
		snprintf(guest->uuid, sizeof guest->uuid, "00000000-0000-4000-8000-%012u", i + 1);
		guest->memory_bytes = 256 * MIB;
		guest->persistent = guest->autostart = true;
		if (i % 2 == 0) {
			struct disk *disk = guest_add_disk(guest, "vda");

			disk->pool = xstrdup("images");
			disk->volume = xprintf("%s.qcow2", name);
			disk->path = xprintf("/images/%s.qcow2", name);
			disk->capacity_bytes = disk->allocation_bytes = 128 * MIB;
		}
	}
	return inventory;
}

/* g1 and g2 alone on hosts that have room for one. */
static struct inventory *full_world(void)
{
	struct inventory *inventory = small_world();
	unsigned i;

	for (i = 0; i < 2; i++)
		inventory->hosts[i].memory_bytes = 400 * MIB;
	for (i = 1; i < N_GUESTS; i++)
		inventory->guests[i].host = i == 1 ? 1 : 2;
	return inventory;
}

static struct store *open_store(bool is_sqlite)
{
	struct store *store = NULL;
	struct error why;
	char *path;

	if (!is_sqlite)
		return store_memory_new("00000000-0000-4000-8000-000000000001");
	path = scratch_path("state.db");
	if (!store_sqlite_open(path, &store, &why)) {
		fprintf(stderr, "%s: %s\n", path, why.message);
		abort();
	}
	free(path);
	return store;
}

static struct trial *begin(bool is_sqlite, bool is_handover, bool is_swap)
{
	struct engine_options options;

	engine_options_init(&options);
	options.paused_handover = is_handover;
	options.max_migrations = 2;
	return trial_new_on(open_store(is_sqlite), is_swap ? full_world() : small_world(), NULL, &options);
}

static void ask(struct trial *trial, bool is_swap)
{
	struct request *request;

	if (!is_swap) {
		trial_drain(trial, "h1");
		return;
	}
	request = request_new(REQUEST_MOVE);
	request_add_move(request, "g1")->to = xstrdup("h2");
	request_add_move(request, "g2")->to = xstrdup("h1");
	trial_start(trial, request);
}

static void end(struct trial *trial)
{
	trial_free(trial);
	scratch_clear();
}

/* Where each guest is in the end, as text to compare. */
static void places(struct trial *trial, char *buffer, size_t size)
{
	unsigned i;

	buffer[0] = '\0';
	for (i = 0; i < N_GUESTS; i++) {
		const char *host = trial_where(trial, trial->inventory->guests[i].name);

		strncat(buffer, host != NULL ? host : "?", size - strlen(buffer) - 1);
		strncat(buffer, " ", size - strlen(buffer) - 1);
	}
}

/* False when it broke; *ret_died tells whether there was a commit of that number. */
static bool run_killed(struct trial *trial, bool is_swap, uint64_t commit, enum death death, bool *ret_died)
{
	trial_crash_at(trial, commit, death != BEFORE, death == BETWEEN ? 1 : 0);
	ask(trial, is_swap);
	*ret_died = !trial_run(trial, RUN_MS) && trial->is_dead;
	if (*ret_died) {
		trial_kill(trial);
		trial_restart(trial);
		if (engine_n_batches(trial->engine) == 0 && trial->watch.n_moves == 0)
			ask(trial, is_swap); /* it died before the batch existed: the operator asks again */
		trial_run(trial, RUN_MS);
	}
	return !trial->is_failed && trial_check_settled(trial);
}

static bool sweep_one(bool is_sqlite, bool is_handover, bool is_swap, uint64_t commit, enum death death, const char *expected, bool *ret_died,
	bool is_verbose)
{
	struct trial *trial = begin(is_sqlite, is_handover, is_swap);
	char found[256] = "";
	bool is_good = run_killed(trial, is_swap, commit, death, ret_died);

	if (is_good) {
		places(trial, found, sizeof found);
		is_good = strcmp(found, expected) == 0;
	}
	if (!is_good) {
		fprintf(stderr, "killed %s commit %" PRIu64 " (%s, %s): guests are on %swanted %s: %s\n", death_names[death], commit,
			is_sqlite ? "SQLite" : "memory", is_handover ? "paused hand-over" : "normal", found, expected, trial->error.message);
		if (is_verbose)
			trial_dump(trial);
	}
	end(trial);
	return is_good;
}

static unsigned sweep(bool is_sqlite, bool is_handover, bool is_swap, bool is_verbose)
{
	struct trial *trial = begin(is_sqlite, is_handover, is_swap);
	unsigned n_failed = 0, n_runs = 0, death;
	char expected[256];
	uint64_t commit;
	bool died = true;

	ask(trial, is_swap);
	n_failed += !trial_run(trial, RUN_MS) || !trial_check_settled(trial);
	places(trial, expected, sizeof expected);
	end(trial);
	for (commit = 1; died && commit < COMMITS_MAX; commit++)
		for (death = BEFORE; death < DEATHS; death++, n_runs++)
			n_failed += !sweep_one(is_sqlite, is_handover, is_swap, commit, (enum death)death, expected, &died, is_verbose);
	printf("%s, %s, %s: %" PRIu64 " commits, %u runs, %u failed, guests end on %s\n", is_swap ? "swap" : "drain", is_sqlite ? "SQLite" : "memory",
		is_handover ? "paused hand-over" : "normal hand-over", commit - 2, n_runs, n_failed, expected);
	return n_failed;
}

unsigned sweep_run(bool is_verbose)
{
	unsigned n_failed = 0, which;

	for (which = 0; which < 8; which++)
		n_failed += sweep(which & 4, which & 1, which & 2, is_verbose);
	return n_failed;
}
