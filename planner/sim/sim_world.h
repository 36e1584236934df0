/* What the world is made of, shared by the files of the simulator only.
 *
 *   sim_world.c    hosts, storage, volumes, copies of guests, and the invariants on them
 *   sim_time.c     the clock: events in (time, sequence) order
 *   sim_flow.c     links and the max-min fair rates of the migrations on them
 *   sim_migrate.c  one migration from Begin to Confirm
 *   sim_fail.c     how a migration ends otherwise, by phase
 *   sim_postcopy.c a guest that runs on its target before its memory is there
 *   sim_request.c  requests: submit, arrival, reply
 *   sim_storage.c  pre-flight, prepare and the volumes
 *   sim_guest.c    requests on one copy of a guest: where, resume, destroy, ...
 *   sim_cold.c     guests that are shut down, copied, defined and started
 *   sim_fault.c    faults, scripted and random
 *   sim_host.c     hosts that die, restart, cannot be reached
 *   sim_report.c   views: inventory, digest, counters, leftovers
 *
 * Times are microseconds since the world began.
 */
#ifndef DROVER_SIM_WORLD_H
#define DROVER_SIM_WORLD_H

#include "drover/hypervisor.h"
#include "drover/plan.h"
#include "name_index.h"
#include "sim.h"

enum {
	US_PER_MS = 1000,
	US_PER_S = 1000000,
	/* What a manager knows of a pair of hosts is as old as its answers and the way of its request: an act that was right
	 * then is no mistake now. */
	MANAGER_LAG_US = 3500000,
};

struct sim_copy_disk {
	uint32_t volume; /* INDEX_NONE = not in a pool */
	uint32_t pool;   /* index into the host's pools */
};

struct sim_storage { /* a local pool, or one that several hosts share */
	const char *share_id; /* borrowed from the inventory; NULL = local */
	uint64_t available_bytes;
	uint64_t taken_by_strangers;
};

struct sim_volume {
	char *name;
	uint32_t storage;
	uint32_t host;   /* where it was made, for reports */
	uint32_t guest;  /* whose data it holds */
	uint32_t disk;
	uint32_t hash_next;
	uint64_t capacity_bytes;
	uint64_t taken_bytes;
	uint64_t version;  /* of the data; see sim_guest */
	bool exists;
	bool is_complete;  /* false: still being filled by a mirror */
	bool is_ours;      /* made by PREPARE */
	bool is_strangers; /* made by somebody else for a move: nobody's to tidy up */
};

/* A guest as one host knows it. */
struct sim_copy {
	struct sim_copy *next_of_guest;
	struct sim_copy *next_on_host, *previous_on_host;
	uint32_t guest, host;
	enum hv_presence presence;
	enum hv_pause_reason pause_reason;
	enum hv_job job;
	bool is_persistent, has_autostart;
	bool is_shutoff_by_migration;
	bool is_incoming;       /* its memory is not whole: it can never run by itself */
	bool is_postcopy;       /* target: it runs, and a part of its memory is on the source */
	bool is_postcopy_failed; /* and does not come */
	struct job_tag *tag;    /* NULL = none */
	bool is_tag_defined;    /* in its definition, not only in the running guest */
	uint64_t version;       /* of the memory it holds */
	struct sim_copy_disk *disks; /* as many as the guest has */
	struct sim_migration *migration; /* that it is part of */
};

/* version counts how often the guest began to run from another copy: what holds an older one is stale. */
struct sim_guest {
	struct sim_copy *copies;
	uint32_t same_name;      /* next guest of that name; INDEX_NONE = last */
	uint64_t version;
	uint64_t dirty_rate_bytes_per_s;
	struct sim_migration *migration;
	bool was_running, was_paused; /* at the beginning */
	bool was_shut_down;      /* because somebody asked it to */
	bool is_ended;           /* by a fault */
	int64_t was_twice_us;    /* when it last ran twice; 0 = never */
	int64_t lost_us;         /* when a host died with its newest copy; -1 = never */
	bool was_strangers;      /* somebody else has migrated it */
	bool was_booted;         /* by its host, from what was defined there */
	bool may_run_twice;      /* libvirt itself let it; until one copy is gone */
	int64_t dark_since_us;   /* no copy runs since; -1 = one does */
	int64_t blackout_us;     /* of the last migration; -1 = none */
};

struct sim_host {
	struct sim_copy *copies; /* list */
	uint32_t first_link, n_links; /* pairs (out, in) in sim->links */
	uint32_t *storages;      /* one a pool */
	uint32_t *shared;        /* shared links it is behind */
	size_t n_shared;
	uint64_t memory_used_bytes;
	uint64_t memory_limit_bytes; /* for the invariant: what it has, or what it began with */
	uint64_t memory_by_strangers;
	uint32_t active;
	uint32_t out, in, max_out, max_in, ports;
	bool is_dead;
	bool is_cut;             /* from the manager */
	bool is_peer_cut;
	bool is_down_for_manager; /* it has noticed */
	bool is_restarting;
	int64_t detect_us;       /* when it will notice */
	int64_t lost_before_us;  /* the manager's connection broke then: what was sent before and is unanswered is unknown */
	int64_t hung_until_us;
	int64_t last_arrival_us; /* requests reach a host in the order they were sent */
	uint64_t serial_detect;  /* of the latest SIM_EVENT_DETECT; older ones are void */
};

struct sim_link {
	uint64_t rate_bytes_per_s; /* payload, without faults */
	uint64_t fault_rate_bytes_per_s;
	bool has_fault_rate;
	uint64_t bytes;
	/* scratch of the share computation */
	uint64_t left;
	uint32_t n_open;
	uint32_t serial;
};

struct sim_migration {
	uint32_t slot;
	uint32_t guest, source, target;
	enum sim_phase phase;
	enum sim_phase failed_in; /* CANCELLING: where it was */
	struct sim_copy *from, *to; /* to: NULL before PREPARED and after it is gone */
	struct sim_op *op;       /* the caller waiting; NULL = none any more */
	struct hv_disk *disks;
	size_t n_disks;
	struct name_map *nets;
	size_t n_nets;
	uint64_t limit;          /* bytes per second, 0 = none */
	uint64_t first_limit;    /* of the request: put in force when the copy begins */
	int64_t downtime_us;
	bool persistent, auto_converge, paused_handover, was_paused, is_strangers, postcopy;
	bool is_switched;        /* to post-copy */
	uint64_t postcopy_left;  /* bytes of memory that are on the source only */
	bool finish_lost;        /* fault: see SIM_FAULT_FINISH_LOST */
	bool source_is_stopped;
	uint32_t ports;
	uint64_t step_serial;    /* of the event that goes on */
	struct error error;      /* CANCELLING: what the caller will be told */

	/* the flow */
	bool is_flowing;
	uint32_t flow_index;
	uint32_t *links;
	size_t n_links;
	uint64_t rate, new_rate;
	uint64_t overhead_rate;  /* of rate: guest disk writes that the mirrors carry along */
	uint64_t remaining;
	int64_t settled_us;
	uint64_t sent_carry, useful_carry, dirty_carry;
	uint64_t flow_serial;
	bool is_open;            /* scratch */

	/* progress */
	int64_t started_us;
	uint64_t disk_total, disk_sent;
	uint64_t memory_total, memory_sent;
	uint64_t round_bytes, round_sent;
	uint64_t dirtied, dirty_limit;
	uint64_t last_dirty_rate;
	uint32_t rounds;
	uint32_t throttle_percent, slow_rounds;
};

enum sim_event_kind {
	SIM_EVENT_ARRIVE, SIM_EVENT_REPLY, SIM_EVENT_NOTE, SIM_EVENT_FLOW, SIM_EVENT_STEP, SIM_EVENT_FAULT, SIM_EVENT_UNFAULT,
	SIM_EVENT_DETECT, SIM_EVENT_RANDOM, SIM_EVENT_STOP,
};

struct sim_event {
	int64_t at_us;
	uint64_t sequence;
	enum sim_event_kind kind;
	uint32_t index;  /* slot, host, ... */
	uint64_t serial; /* must equal the object's, or the event is void */
	void *object;
};

/* A request on its way, at work, or its reply on the way back. */
struct sim_op {
	struct sim_op *next; /* pool */
	uint64_t manager;    /* life of the manager that asked */
	int64_t sent_us;
	enum hv_kind kind;
	uint32_t guest;      /* INDEX_NONE = unknown */
	bool is_by_name;
	uint32_t host, target;
	uint64_t rate;
	int64_t downtime_ms;
	bool autostart, persistent, auto_converge, paused_handover, postcopy, postcopy_recover;
	struct job_tag job;
	struct hv_request *request; /* whole copy, for requests that bring lists; NULL otherwise */
	struct hv_reply reply;
	bool reply_is_lost, reply_is_doubled;
	bool is_local;       /* the reply is made on the manager's side: it needs no connection */
	bool cold;
	bool is_measured;    /* PROBE: what guests write is looked at */
	bool has_copied;     /* COPY: its time is over */
	bool has_waited;     /* for a host that could not be reached */
	int64_t reply_delay_us;
};

struct sim_note {
	struct sim_note *next;
	uint64_t manager;
	bool is_local;
	uint32_t host_index;
	struct hv_note note;
};

struct sim_armed { /* a fault that waits for its moment */
	struct sim_fault fault; /* names owned */
	uint32_t host, guest;   /* INDEX_NONE = none */
	enum sim_armed_state { SIM_ARMED_WAITING, SIM_ARMED_SCHEDULED, SIM_ARMED_ACTIVE, SIM_ARMED_OVER } state;
};

struct sim {
	struct sim_options options;
	struct inventory *inventory; /* as given, interfaces follow their guests */
	struct hypervisor hypervisor;
	struct hv_listener listener;
	bool has_listener;
	uint64_t manager; /* lives of the manager */

	int64_t now_us;
	struct sim_event *heap;
	size_t n_heap, heap_size;
	uint64_t sequence, serial;
	bool is_advancing;
	uint64_t rng, rng_faults;
	uint64_t history; /* hash */

	struct sim_host *hosts;
	struct sim_guest *guests;
	struct name_index *guest_names, *guest_uuids;
	struct sim_storage *storages;
	size_t n_storages;
	struct sim_volume *volumes;
	size_t n_volumes;
	uint32_t *volume_heads;
	size_t n_volume_heads;
	struct sim_link *links;
	size_t n_links;
	uint32_t first_shared_link;

	struct sim_migration **migrations; /* slots */
	size_t n_migrations;
	struct sim_migration **flows;
	size_t n_flows, flows_size;
	bool flows_are_stale;

	struct sim_op *free_ops;
	struct sim_note *free_notes;
	struct sim_armed *armed;
	size_t n_armed;
	size_t n_waiting_phase, n_waiting_request; /* of armed: how many have to be looked for */
	bool is_healed;
	uint64_t fault_hits[SIM_FAULT_COUNT];
	struct sim_counters counters;
	struct error breach; /* first one */
};

/* sim_time.c */
void sim_push(struct sim *sim, int64_t at_us, enum sim_event_kind kind, uint32_t index, uint64_t serial, void *object);
uint64_t sim_random(uint64_t *state);
/* Uniform in [low, high]. */
int64_t sim_random_between(uint64_t *state, int64_t low, int64_t high);
bool sim_chance(struct sim *sim, uint32_t per_mille);
int64_t sim_us(int64_t ms); /* saturates */
void sim_mix(struct sim *sim, uint64_t value); /* into the history */

/* sim_world.c */
const char *sim_host_name(const struct sim *sim, uint32_t host);
const char *sim_guest_name(const struct sim *sim, uint32_t guest);
struct sim_copy *sim_copy_on(const struct sim *sim, uint32_t guest, uint32_t host); /* NULL = absent */
struct sim_copy *sim_copy_add(struct sim *sim, uint32_t guest, uint32_t host);
void sim_copy_remove(struct sim *sim, struct sim_copy *copy);
bool sim_copy_is_active(const struct sim_copy *copy);
/* The only way a copy's state changes: keeps memory, blackout and invariants. */
void sim_copy_set(struct sim *sim, struct sim_copy *copy, enum hv_presence presence, enum hv_pause_reason reason);
/* Its process is gone: shut off when persistent, else the copy is freed (true). */
bool sim_copy_end(struct sim *sim, struct sim_copy *copy, bool by_migration);
void sim_copy_tag(struct sim_copy *copy, const struct job_tag *tag); /* NULL removes */
/* This copy is the guest from now on; everything else is stale. */
void sim_copy_takes_over(struct sim *sim, struct sim_copy *copy);
/* The copy that is the guest now: active and newest; NULL when none. */
struct sim_copy *sim_guest_main_copy(const struct sim *sim, uint32_t guest);
void sim_guest_verify(struct sim *sim, uint32_t guest);
void sim_breach(struct sim *sim, const char *format, ...) DROVER_PRINTF(2, 3);
bool sim_volume_in_use(const struct sim *sim, uint32_t volume, bool only_active);
uint32_t sim_volume_find(const struct sim *sim, uint32_t storage, const char *name);
uint32_t sim_volume_add(struct sim *sim, uint32_t storage, const char *name);
void sim_volume_remove(struct sim *sim, uint32_t volume);
/* Index of a pool of the host, INDEX_NONE when it has none of that name. */
uint32_t sim_pool_index(const struct sim *sim, uint32_t host, const char *name);
char *sim_volume_name(const struct sim *sim, uint32_t guest, size_t disk); /* at the beginning; caller frees */
void sim_world_build(struct sim *sim);
void sim_world_clear(struct sim *sim);

/* sim_flow.c */
void sim_links_build(struct sim *sim);
void sim_flow_start(struct sim *sim, struct sim_migration *migration, uint64_t bytes);
/* The next round: goes on at the same rate without asking for new shares. */
void sim_flow_more(struct sim *sim, struct sim_migration *migration, uint64_t bytes);
void sim_flow_stop(struct sim *sim, struct sim_migration *migration);
void sim_flow_settle(struct sim *sim, struct sim_migration *migration); /* brings its numbers up to now */
void sim_flows_update(struct sim *sim);
void sim_flow_event(struct sim *sim, uint32_t slot, uint64_t serial);
void sim_flow_route(struct sim *sim, struct sim_migration *migration, const char *target_address);
uint64_t sim_scale(uint64_t a, uint64_t b, uint64_t c, uint64_t *carry); /* (a * b + *carry) / c, remainder into carry */

/* sim_migrate.c */
struct sim_migration *sim_migration_begin(struct sim *sim, uint32_t guest, uint32_t source, uint32_t target);
void sim_migration_step(struct sim *sim, uint32_t slot, uint64_t serial);
void sim_migration_flow_done(struct sim *sim, struct sim_migration *migration);
void sim_migration_reply(struct sim *sim, struct sim_migration *migration, const struct error *error);
void sim_migration_free(struct sim *sim, struct sim_migration *migration);
void sim_migration_schedule(struct sim *sim, struct sim_migration *migration, int64_t delay_us);
void sim_migration_enter(struct sim *sim, struct sim_migration *migration, enum sim_phase phase);
void sim_migration_stats(struct sim *sim, struct sim_migration *migration, struct hv_stats *ret_stats);
void sim_migration_end_source(struct sim *sim, struct sim_migration *migration);
/* Confirm: the source is ended; error = what its caller hears all the same. */
void sim_migration_completes(struct sim *sim, struct sim_migration *migration, const struct error *error);
void sim_migration_switch(struct sim *sim, struct sim_migration *migration, uint64_t bytes);
/* The source has died during Finish: whether a copy that waits for its resume may run is for the manager to say. */
void sim_migration_without_source(struct sim *sim, struct sim_migration *migration);

/* sim_fail.c */
/* The source notices after delay_us and cancels. */
void sim_migration_fail(struct sim *sim, struct sim_migration *migration, int64_t delay_us, const struct error *error);
void sim_migration_cancelled(struct sim *sim, struct sim_migration *migration);
void sim_migration_kill_target(struct sim *sim, struct sim_migration *migration);
/* The source forgets the job and leaves its copy as it is. */
void sim_migration_forget(struct sim *sim, struct sim_migration *migration, const char *why);
void sim_migration_source_restarts(struct sim *sim, struct sim_migration *migration);
void sim_migration_target_restarts(struct sim *sim, struct sim_migration *migration);
void sim_migration_source_dies(struct sim *sim, struct sim_migration *migration);
void sim_migration_target_dies(struct sim *sim, struct sim_migration *migration);
void sim_migration_peer_cut(struct sim *sim, struct sim_migration *migration);
void sim_migration_source_gone(struct sim *sim, struct sim_migration *migration);

/* sim_postcopy.c */
bool sim_migration_is_postcopy(const struct sim_migration *migration);
void sim_do_start_postcopy(struct sim *sim, struct sim_op *op);
bool sim_do_recover(struct sim *sim, struct sim_op *op);
void sim_postcopy_begin(struct sim *sim, struct sim_migration *migration);
void sim_postcopy_end(struct sim *sim, struct sim_migration *migration);
void sim_postcopy_look(struct sim *sim, struct sim_migration *migration);
void sim_postcopy_breaks(struct sim *sim, struct sim_migration *migration, const char *why);
void sim_postcopy_unattended(struct sim *sim, struct sim_migration *migration);
void sim_postcopy_loses(struct sim *sim, struct sim_migration *migration, bool is_source);

/* sim_request.c */
void sim_submit(struct hypervisor *hypervisor, const struct hv_request *request);
void sim_requests_clear(struct sim *sim);
void sim_op_arrive(struct sim *sim, struct sim_op *op);
void sim_op_reply(struct sim *sim, struct sim_op *op, int64_t delay_us); /* reply is ready in op */
void sim_op_deliver(struct sim *sim, struct sim_op *op);
void sim_op_free(struct sim *sim, struct sim_op *op);
/* Nothing can be concluded: the reply says so after delay_us. */
void sim_op_unknown(struct sim *sim, struct sim_op *op, enum error_code code, const char *why, int64_t delay_us);
int64_t sim_latency_us(struct sim *sim, enum hv_kind kind); /* half of a round trip */
/* Copy that the request speaks of, NULL when the host has none. */
struct sim_copy *sim_op_copy(struct sim *sim, struct sim_op *op);
void sim_note_send(struct sim *sim, enum hv_note_kind kind, uint32_t host, uint32_t guest, uint32_t round, const char *error);
void sim_note_deliver(struct sim *sim, struct sim_note *note);

/* sim_storage.c */
void sim_do_preflight(struct sim *sim, struct sim_op *op);
void sim_do_same_pools(struct sim *sim, struct sim_op *op);
void sim_do_prepare(struct sim *sim, struct sim_op *op);
void sim_do_remove_volumes(struct sim *sim, struct sim_op *op);
void sim_do_finish_source(struct sim *sim, struct sim_op *op);
bool sim_disk_is_copied(const struct sim *sim, const struct sim_copy *copy, size_t disk, uint32_t target, const char *target_pool);

/* sim_guest.c */
/* Each fills op->reply; migrate returns true when the reply comes later. */
bool sim_do_migrate(struct sim *sim, struct sim_op *op);
void sim_do_where(struct sim *sim, struct sim_op *op);
void sim_do_stats(struct sim *sim, struct sim_op *op);
void sim_do_set(struct sim *sim, struct sim_op *op); /* rate, downtime */
void sim_do_abort(struct sim *sim, struct sim_op *op);
void sim_do_finish_target(struct sim *sim, struct sim_op *op);
void sim_do_clear_tag(struct sim *sim, struct sim_op *op);
void sim_do_resume(struct sim *sim, struct sim_op *op);
void sim_do_suspend(struct sim *sim, struct sim_op *op);
void sim_do_destroy(struct sim *sim, struct sim_op *op);
/* A fault ended a copy: another whole one becomes the guest, or the guest has ended. */
void sim_guest_after_loss(struct sim *sim, uint32_t guest);

/* sim_cold.c */
void sim_do_shutdown(struct sim *sim, struct sim_op *op);
bool sim_do_copy(struct sim *sim, struct sim_op *op); /* true when the reply comes later */
void sim_do_define(struct sim *sim, struct sim_op *op);
void sim_do_start(struct sim *sim, struct sim_op *op);
void sim_guest_stops(struct sim *sim, uint32_t guest, uint64_t serial);

/* sim_report.c */
struct inventory *sim_probe(const struct sim *sim, uint32_t host, bool is_measured);

/* sim_host.c */
bool sim_host_answers(const struct sim *sim, uint32_t host);      /* the manager */
bool sim_host_talks(const struct sim *sim, uint32_t host);        /* to its peers */
void sim_host_detect(struct sim *sim, uint32_t host, uint64_t serial);
void sim_host_dies(struct sim *sim, uint32_t host);
void sim_host_returns(struct sim *sim, uint32_t host);
void sim_host_cut(struct sim *sim, uint32_t host);
void sim_host_uncut(struct sim *sim, uint32_t host);
void sim_host_peer_cut(struct sim *sim, uint32_t host);
void sim_host_restarts(struct sim *sim, uint32_t host);
void sim_host_restarted(struct sim *sim, uint32_t host);

/* sim_fault.c */
void sim_fault_due(struct sim *sim, uint32_t armed);
void sim_fault_over(struct sim *sim, uint32_t armed);
void sim_fault_random(struct sim *sim);
void sim_faults_build(struct sim *sim);
void sim_faults_clear(struct sim *sim);
void sim_fault_at_phase(struct sim *sim, struct sim_migration *migration);
/* Draws what happens to a request; true = it fails at once with the error in op->reply. */
bool sim_fault_on_request(struct sim *sim, struct sim_op *op);
void sim_fault_on_migration(struct sim *sim, struct sim_migration *migration);
void sim_hit(struct sim *sim, enum sim_fault_kind kind);

#endif
