/* Life of a simulated world: made from an inventory, freed, and the hypervisor seam it wears. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "sim_world.h"
#include "xalloc.h"

void sim_options_init(struct sim_options *options)
{
	*options = (struct sim_options){
		.seed = 1,
		.setup_ms = 600,
		.blackout_ms = 100, /* lab: about 145 ms with the last bytes */
		.finish_ms = 100,
		.request_min_ms = 2,
		.request_max_ms = 10,
		.stats_ms = 4,
		.keepalive_ms = 30000,
		.request_timeout_ms = 30000,
		.restart_ms = 2000,
		.downtime_ms = 300,
		.link_rate_bytes_per_s = 125000000,
		.link_efficiency_milli = 950,
		.migration_ports = 64,
	};
}

static void abandon(struct hypervisor *hypervisor)
{
	sim_drop_manager(hypervisor->self);
}

struct sim *sim_new(const struct inventory *inventory, const struct sim_options *options)
{
	struct sim *sim = xcalloc(1, sizeof *sim);

	sim->options = *options;
	sim->inventory = inventory_copy(inventory);
	sim->hypervisor = (struct hypervisor){.self = sim, .submit = sim_submit, .free = abandon};
	sim->manager = 1;
	sim->rng = options->seed;
	sim->rng_faults = options->seed ^ UINT64_C(0xfa017fa017fa017f);
	sim_world_build(sim);
	sim_links_build(sim);
	sim_faults_build(sim);
	return sim;
}

void sim_free(struct sim *sim)
{
	size_t i;

	if (sim == NULL)
		return;
	for (i = 0; i < sim->n_migrations; i++) {
		struct sim_migration *migration = sim->migrations[i];

		if (migration == NULL)
			continue;
		if (migration->op != NULL)
			sim_op_free(sim, migration->op);
		migration->op = NULL;
		sim_migration_free(sim, migration);
	}
	sim_requests_clear(sim);
	sim_faults_clear(sim);
	sim_world_clear(sim);
	free(sim->migrations);
	free(sim->flows);
	free(sim->heap);
	inventory_free(sim->inventory);
	free(sim);
}

struct hypervisor *sim_hypervisor(struct sim *sim)
{
	return &sim->hypervisor;
}

void sim_set_listener(struct sim *sim, const struct hv_listener *listener)
{
	sim->has_listener = listener != NULL;
	if (listener != NULL)
		sim->listener = *listener;
}

void sim_drop_manager(struct sim *sim)
{
	size_t i;

	sim->manager++;
	sim->has_listener = false;
	for (i = 0; i < sim->n_migrations; i++) {
		struct sim_migration *migration = sim->migrations[i];

		if (migration == NULL || migration->op == NULL)
			continue;
		sim_op_free(sim, migration->op);
		migration->op = NULL;
	}
}
