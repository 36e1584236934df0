/* Hosts that die and come back, that the manager or their peers cannot reach, and
 * whose libvirtd restarts; and when the manager learns of it. */
#include "sim_world.h"

bool sim_host_answers(const struct sim *sim, uint32_t host)
{
	const struct sim_host *h = &sim->hosts[host];

	return !h->is_dead && !h->is_cut && !h->is_restarting;
}

bool sim_host_talks(const struct sim *sim, uint32_t host)
{
	const struct sim_host *h = &sim->hosts[host];

	return !h->is_dead && !h->is_peer_cut && !h->is_restarting;
}

static void detect_at(struct sim *sim, uint32_t host, int64_t delay_us)
{
	struct sim_host *h = &sim->hosts[host];

	h->serial_detect = ++sim->serial;
	h->detect_us = sim->now_us + delay_us;
	sim_push(sim, h->detect_us, SIM_EVENT_DETECT, host, h->serial_detect, NULL);
}

/* Calls that run on this host's connection will never be answered. */
static void lose_migration_calls(struct sim *sim, uint32_t host, const char *why)
{
	size_t i;

	for (i = 0; i < sim->n_migrations; i++) {
		struct sim_migration *migration = sim->migrations[i];

		if (migration != NULL && migration->source == host && migration->op != NULL) {
			struct sim_op *op = migration->op;

			migration->op = NULL;
			sim_op_unknown(sim, op, ERR_OUTCOME_UNKNOWN, why, 0);
		}
	}
}

static void connection_breaks(struct sim *sim, uint32_t host, const char *why)
{
	struct sim_host *h = &sim->hosts[host];

	h->lost_before_us = sim->now_us;
	lose_migration_calls(sim, host, why);
	if (!h->is_down_for_manager) {
		h->is_down_for_manager = true;
		sim_note_send(sim, HV_NOTE_HOST_DOWN, host, INDEX_NONE, 0, why);
	}
}

static void connection_returns(struct sim *sim, uint32_t host)
{
	struct sim_host *h = &sim->hosts[host];

	if (!sim_host_answers(sim, host) || !h->is_down_for_manager)
		return;
	h->is_down_for_manager = false;
	sim_note_send(sim, HV_NOTE_HOST_UP, host, INDEX_NONE, 0, NULL);
}

/* Keepalive time is over, for the manager's connection and for the peers'. */
void sim_host_detect(struct sim *sim, uint32_t host, uint64_t serial)
{
	struct sim_host *h = &sim->hosts[host];
	size_t i;

	if (h->serial_detect != serial)
		return;
	/* Also one whose cut has ended while its libvirtd restarts: requests wait for this moment, and no longer. */
	if (!sim_host_answers(sim, host) && !h->is_down_for_manager)
		connection_breaks(sim, host, "keepalive time-out");
	for (i = 0; h->is_peer_cut && i < sim->n_migrations; i++) {
		struct sim_migration *migration = sim->migrations[i];

		if (migration != NULL && (migration->source == host || migration->target == host))
			sim_migration_peer_cut(sim, migration);
	}
}

void sim_host_cut(struct sim *sim, uint32_t host)
{
	sim->hosts[host].is_cut = true;
	detect_at(sim, host, sim_us(sim->options.keepalive_ms));
}

void sim_host_uncut(struct sim *sim, uint32_t host)
{
	sim->hosts[host].is_cut = false;
	connection_returns(sim, host);
}

void sim_host_peer_cut(struct sim *sim, uint32_t host)
{
	sim->hosts[host].is_peer_cut = true;
	detect_at(sim, host, sim_us(sim->options.keepalive_ms));
}

static void end_copies(struct sim *sim, uint32_t host)
{
	struct sim_copy *copy = sim->hosts[host].copies, *next;

	for (; copy != NULL; copy = next) {
		struct sim_migration *migration = copy->migration;
		uint32_t guest = copy->guest;
		bool is_source = migration != NULL && migration->from == copy;

		next = copy->next_on_host;
		if (!sim_copy_is_active(copy))
			continue;
		if (copy->version == sim->guests[guest].version && !copy->is_incoming)
			sim->guests[guest].lost_us = sim->now_us;
		sim_copy_end(sim, copy, false);
		if (migration != NULL && is_source)
			sim_migration_source_dies(sim, migration);
		else if (migration != NULL)
			sim_migration_target_dies(sim, migration);
		/* A source that waits for its dead target goes on by itself, and a target that is being started
		 * will run: such a guest is not lost. */
		if (sim->guests[guest].migration == NULL || (is_source && sim->guests[guest].migration->phase != SIM_PHASE_FINISH))
			sim_guest_after_loss(sim, guest);
	}
}

void sim_host_dies(struct sim *sim, uint32_t host)
{
	struct sim_host *h = &sim->hosts[host];

	if (h->is_dead)
		return;
	h->is_dead = true;
	h->is_restarting = false;
	h->hung_until_us = 0;
	end_copies(sim, host);
	detect_at(sim, host, sim_us(sim->options.keepalive_ms));
}

static bool runs_somewhere(const struct sim *sim, uint32_t guest)
{
	const struct sim_copy *copy = sim_guest_main_copy(sim, guest);

	return copy != NULL && (copy->presence == HV_RUNNING || sim->guests[guest].was_paused);
}

/* It boots: everything that is defined to start does so, a stale definition too. */
static void boot(struct sim *sim, uint32_t host)
{
	struct sim_copy *copy;

	for (copy = sim->hosts[host].copies; copy != NULL; copy = copy->next_on_host) {
		struct sim_guest *guest = &sim->guests[copy->guest];

		if (copy->presence != HV_SHUTOFF || !copy->is_persistent || !copy->has_autostart || guest->migration != NULL)
			continue;
		/* A copy that was handed over and never ran is not the guest any more once this one has booted. */
		if (runs_somewhere(sim, copy->guest)) {
			guest->may_run_twice = true;
		} else {
			sim_copy_takes_over(sim, copy);
			guest->is_ended = guest->was_paused = false;
			guest->was_running = true;
		}
		guest->was_booted = true;
		sim_copy_set(sim, copy, HV_RUNNING, HV_PAUSE_NONE);
	}
}

void sim_host_returns(struct sim *sim, uint32_t host)
{
	struct sim_host *h = &sim->hosts[host];

	if (!h->is_dead)
		return;
	h->is_dead = false;
	boot(sim, host);
	connection_breaks(sim, host, "Connection reset by peer");
	connection_returns(sim, host);
}

void sim_host_restarts(struct sim *sim, uint32_t host)
{
	struct sim_host *h = &sim->hosts[host];
	size_t i;

	if (h->is_dead || h->is_restarting)
		return;
	h->is_restarting = true;
	for (i = 0; i < sim->n_migrations; i++) {
		struct sim_migration *migration = sim->migrations[i];

		if (migration != NULL && migration->source == host)
			sim_migration_source_restarts(sim, migration);
		else if (migration != NULL && migration->target == host)
			sim_migration_target_restarts(sim, migration);
	}
	if (!h->is_cut)
		connection_breaks(sim, host, "end of file while reading data");
}

void sim_host_restarted(struct sim *sim, uint32_t host)
{
	sim->hosts[host].is_restarting = false;
	connection_returns(sim, host);
}
