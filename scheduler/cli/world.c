/* Opens the hosts: libvirt or simulated. See world.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libvirt_hv.h"
#include "sim.h"
#include "world.h"
#include "xalloc.h"

enum { SPEED_MAX = 1000 };

struct world {
	struct loop *loop;
	struct hypervisor *hypervisor; /* libvirt; NULL when simulated */
	struct sim *sim;
	struct hv_listener listener;   /* the loop's, behind ours */
	char *save_path;
};

struct loop *world_loop(const struct world *world)
{
	return world->loop;
}

bool world_is_simulated(const struct world *world)
{
	return world->sim != NULL;
}

/* ---- simulated ---- */

static void save(struct world *world)
{
	struct inventory *inventory = sim_inventory(world->sim);
	char *text = inventory_json(inventory), *temporary = xprintf("%s.new", world->save_path);
	FILE *file = fopen(temporary, "we");
	bool is_good = file != NULL && fputs(text, file) >= 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;

	if (file != NULL)
		is_good = fclose(file) == 0 && is_good;
	if (!is_good || rename(temporary, world->save_path) != 0)
		fprintf(stderr, "drover: warning: the simulated world cannot be saved to %s\n", world->save_path);
	free(temporary);
	free(text);
	inventory_free(inventory);
}

/* Before the engine hears of it, so that the saved world is never behind the state file. */
static void on_sim_reply(void *self, struct hv_reply *reply)
{
	struct world *world = self;

	switch (reply->kind) {
	case HV_PREPARE:
	case HV_MIGRATE:
	case HV_FINISH_TARGET:
	case HV_FINISH_SOURCE:
	case HV_REMOVE_VOLUMES:
	case HV_DESTROY:
	case HV_COPY:
	case HV_DEFINE:
	case HV_START:
		save(world);
		break;
	case HV_PREFLIGHT:
	case HV_SHUTDOWN:
	case HV_SET_RATE:
	case HV_SET_DOWNTIME:
	case HV_START_POSTCOPY:
	case HV_STATS:
	case HV_ABORT:
	case HV_WHERE:
	case HV_CLEAR_TAG:
	case HV_RESUME:
	case HV_SUSPEND:
	case HV_PATH:
	case HV_PROBE:
	case HV_EXAMINE:
	case HV_EXAMINE_PAIR:
	case HV_SAME_POOLS:
	case HV_KIND_COUNT:
		break;
	}
	world->listener.on_reply(world->listener.self, reply);
}

static void on_sim_note(void *self, const struct hv_note *note)
{
	struct world *world = self;

	world->listener.on_note(world->listener.self, note);
}

static int64_t sim_next(void *self)
{
	struct world *world = self;

	return sim_next_ms(world->sim);
}

static void sim_deliver(void *self, int64_t now_ms)
{
	struct world *world = self;

	sim_advance(world->sim, now_ms);
}

/* "sim:FILE?speed=20" */
static bool read_sim_uri(const char *uri, char **ret_file, uint32_t *ret_speed, struct error *err)
{
	const char *name = uri + strlen("sim:"), *query = strchr(name, '?');
	size_t n = query != NULL ? (size_t)(query - name) : strlen(name);
	unsigned long speed = 1;
	char *end;

	if (query != NULL) {
		speed = strncmp(query, "?speed=", 7) == 0 ? strtoul(query + 7, &end, 10) : 0;
		if (speed == 0 || speed > SPEED_MAX || *end != '\0')
			return error_set(err, ERR_CONFIG, "uri %s: after the file only ?speed=N may stand, N from 1 to %d", uri, SPEED_MAX);
	}
	*ret_speed = (uint32_t)speed;
	*ret_file = xprintf("%.*s", (int)n, name);
	return true;
}

static bool is_newer(const char *file, const char *than)
{
	struct stat a, b;

	if (stat(file, &a) != 0 || stat(than, &b) != 0)
		return true;
	return a.st_mtim.tv_sec != b.st_mtim.tv_sec ? a.st_mtim.tv_sec > b.st_mtim.tv_sec
						    : a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

static bool open_sim(struct world *world, const char *uri, struct error *err)
{
	struct loop_source source = {.self = world, .next_ms = sim_next, .deliver = sim_deliver};
	struct hv_listener listener = {.self = world, .on_reply = on_sim_reply, .on_note = on_sim_note};
	struct inventory *inventory;
	struct sim_options options;
	uint32_t speed = 1;
	char *file = NULL;

	if (!read_sim_uri(uri, &file, &speed, err))
		return false;
	inventory = inventory_read(is_newer(file, world->save_path) ? file : world->save_path, err);
	free(file);
	if (inventory == NULL)
		return false;
	world->loop = loop_new(speed, err);
	if (world->loop != NULL) {
		sim_options_init(&options);
		world->sim = sim_new(inventory, &options);
		world->listener = loop_listener(world->loop);
		sim_set_listener(world->sim, &listener);
		loop_attach(world->loop, sim_hypervisor(world->sim), &source);
	}
	inventory_free(inventory);
	return world->loop != NULL;
}

/* ---- real ---- */

static void drain(void *self, int64_t now_ms)
{
	struct world *world = self;

	(void)now_ms;
	libvirt_hv_drain(world->hypervisor);
}

static bool open_libvirt(struct world *world, const struct config *config, struct error *err)
{
	struct libvirt_host *hosts = xcalloc(config->n_hosts, sizeof *hosts);
	struct loop_source source = {.self = world, .deliver = drain};
	struct libvirt_options options = {
		.is_direct = config->credentials == CREDENTIALS_CALLER,
		.allows_mixed = config->mixed_authentication,
		.stream_tls = config->stream_tls,
	};
	struct hv_listener listener;
	size_t i;

	for (i = 0; i < config->n_hosts; i++)
		hosts[i] = (struct libvirt_host){
			.name = config->hosts[i].name,
			.uri = config->hosts[i].uri,
			.peer_uri = config->hosts[i].peer_uri,
			.insecure = config->hosts[i].insecure,
			.shell = config->hosts[i].shell,
		};
	world->loop = loop_new(1, err);
	if (world->loop != NULL) {
		listener = loop_listener(world->loop);
		world->hypervisor = libvirt_hv_new(hosts, config->n_hosts, &options, &listener, loop_wake, world->loop, err);
	}
	free(hosts);
	if (world->hypervisor == NULL)
		return false;
	loop_attach(world->loop, world->hypervisor, &source);
	return true;
}

static bool is_sim(const struct config_host *host)
{
	return host->uri != NULL && strncmp(host->uri, "sim:", 4) == 0;
}

static bool hosts_are_alike(const struct config *config, struct error *err)
{
	size_t i;

	if (config->n_hosts == 0) {
		error_set(err, ERR_CONFIG, "no hosts are configured");
		error_hint(err, "name them in [host NAME] sections, or give --inventory FILE");
		return false;
	}
	for (i = 1; i < config->n_hosts; i++) {
		if (is_sim(&config->hosts[i]) != is_sim(&config->hosts[0]) ||
			(is_sim(&config->hosts[i]) && strcmp(config->hosts[i].uri, config->hosts[0].uri) != 0))
			return error_set(err, ERR_CONFIG, "hosts %s (%s) and %s (%s): all hosts have to be real, or all of the same simulated world",
				config->hosts[0].name, config->hosts[0].uri, config->hosts[i].name, config->hosts[i].uri);
	}
	return true;
}

struct world *world_open(const struct config *config, const char *state, struct error *err)
{
	struct world *world;
	bool is_open;

	if (!hosts_are_alike(config, err))
		return NULL;
	world = xcalloc(1, sizeof *world);
	world->save_path = xprintf("%s.sim.json", state);
	if (is_sim(&config->hosts[0]))
		is_open = open_sim(world, config->hosts[0].uri, err);
	else
		is_open = open_libvirt(world, config, err);
	if (is_open)
		return world;
	world_free(world);
	return NULL;
}

void world_free(struct world *world)
{
	if (world == NULL)
		return;
	if (world->hypervisor != NULL)
		world->hypervisor->free(world->hypervisor);
	sim_free(world->sim);
	loop_free(world->loop);
	free(world->save_path);
	free(world);
}
