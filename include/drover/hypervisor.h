/* The hypervisor seam: one non-blocking submit of a tagged request, exactly one
 * reply per request, plus notes that nobody asked for (a hint to look, never
 * a truth by itself).
 *
 * Implementations: libvirt (scheduler/io) and the simulator (planner/sim).
 * Threads: submit is called from the loop's thread only; replies and notes are delivered on the same thread,
 * never from inside submit. Requests borrow every pointer until submit returns;
 * implementations copy (hv_request_copy). Replies own what they point to until hv_reply_clear.
 *
 * Errors: reply.error.code NONE means the request did what it says. When the
 * connection broke or time ran out after the request may have had an effect,
 * reply.outcome_unknown is true and nothing may be concluded from the error.
 */
#ifndef DROVER_HYPERVISOR_H
#define DROVER_HYPERVISOR_H

#include "drover/doctor.h"
#include "drover/inventory.h"

enum hv_kind {
	HV_PREFLIGHT,      /* source, target, guest: checks with the real hosts, no side effects */
	HV_PREPARE,        /* tag the guest on the source, make the volumes on the target */
	HV_MIGRATE,        /* replies when the migration has ended in any way: may take hours */
	HV_SET_RATE,       /* source: rate of a running migration, disk and memory phase */
	HV_SET_DOWNTIME,   /* source: longest blackout allowed */
	HV_START_POSTCOPY, /* source: let the guest run on its target now, and its memory follow; refused unless MIGRATE allowed it. No way leads back */
	HV_STATS,          /* source: progress of a running migration */
	HV_ABORT,          /* source: ask the running migration to stop */
	HV_WHERE,          /* host: what does this host know of the guest */
	HV_FINISH_TARGET,  /* target: autostart, remove the tag; the guest must run there */
	HV_FINISH_SOURCE,  /* source: undefine a stale definition, delete the copied disks; refused while the guest is active there */
	HV_REMOVE_VOLUMES, /* host: remove volumes that we made; refused while a guest active there uses one */
	HV_CLEAR_TAG,      /* host: remove our tag from the guest */
	HV_RESUME,         /* host: run a paused guest; refused unless its tag is ours or it is paused by a migration */
	HV_SUSPEND,
	HV_DESTROY,        /* host: end this copy of the guest; the caller has proven that the other one runs */
	HV_PATH,           /* source: from which of its addresses the most bytes have gone to the target address, as its connections show */
	HV_SHUTDOWN,       /* source: ask the guest to shut down; replies when it was asked, not when it is down */
	HV_COPY,           /* source: copy the disks of a guest that is shut off to the target and verify them; may take hours */
	HV_DEFINE,         /* source: define the guest on the target, tagged; refused unless it is shut off on the source */
	HV_START,          /* host: start the guest; refused when it has a tag of another move or attempt */
	HV_PROBE,          /* host: inventory of the host and its guests, into reply.inventory */
	HV_EXAMINE,        /* host: what a check-up asks beyond the inventory, into reply.facts */
	HV_EXAMINE_PAIR,   /* source, target: can the source's libvirtd reach the target's, do the CPUs fit; into reply.pair_facts */
	HV_SAME_POOLS,     /* source, target: which of request.pools (from the source's, to the target's) are one storage, proven: into reply.pools */
	HV_KIND_COUNT
};

/* From this libvirt on a post-copy that broke off can be let go on; without that it is not worth its danger. */
enum { POST_COPY_LIBVIRT_LEAST = 8005000 };
const char *hv_kind_name(enum hv_kind kind);

/* Travels inside the guest's live XML, so that a copy found on a host tells whose it is. */
struct job_tag {
	char run[UUID_TEXT_SIZE]; /* identity of the state file */
	uint64_t move;
	uint64_t epoch;           /* attempt; a later attempt of the same move has a higher one */
	char target[NAME_BYTES_MAX + 1];
};

/* One disk that is copied. Strings borrowed in requests, owned in replies. */
struct hv_disk {
	char *target;        /* vda */
	char *source_pool;
	char *source_volume;
	char *source_path;
	char *target_pool;
	char *target_volume;
	char *target_path;   /* filled in by preflight or prepare; NULL before */
	enum disk_format format;
	uint64_t capacity_bytes;   /* exact, mirrors need equal sizes */
	uint64_t allocation_bytes;
	bool was_created;    /* by us, on the target */
	/* Found by the preflight for the attempt that it opens, and not kept in the store: a later attempt asks anew. */
	bool is_device_there; /* the target's volume is a block device */
	char *backing_path;   /* only what lies above this file is copied: the target has it too. NULL = all is copied */
	enum disk_format backing_format;
};

struct hv_request {
	uint64_t tag;          /* chosen by the caller, returned in the reply */
	enum hv_kind kind;
	const char *guest;     /* name */
	const char *uuid;      /* "" = identify by name */
	const char *host;      /* the host the request is sent to: source for all move requests */
	const char *target;    /* the other host; NULL when not needed */
	const char *target_address; /* of the migration network, without prefix; NULL = let libvirt choose */
	bool check_address; /* PREFLIGHT: the target address has to answer the source */
	const struct hv_disk *disks; /* disks to copy (MIGRATE, PREPARE), to delete (FINISH_SOURCE: source side), to remove (REMOVE_VOLUMES: target side) */
	size_t n_disks;
	const struct name_map *nets; /* network names to change on the target */
	size_t n_nets;
	const struct name_map *pools; /* PREFLIGHT: pool mapping (planner_pool_maps); SAME_POOLS: pairs to prove */
	size_t n_pools;
	struct job_tag job;
	uint64_t rate_bytes_per_s; /* MIGRATE, SET_RATE; 0 = no limit */
	int64_t downtime_ms;
	bool autostart;        /* FINISH_TARGET */
	bool persistent;       /* MIGRATE: keep the guest persistent on the target */
	bool auto_converge;
	bool postcopy;         /* PREFLIGHT: say whether it can be; MIGRATE: it may be switched to post-copy */
	bool postcopy_recover; /* MIGRATE: go on with a post-copy that broke off, on both hosts */
	bool keep_backing;     /* PREFLIGHT: copy the top layer of an image only */
	bool cold;             /* PREFLIGHT, PREPARE, FINISH_TARGET, CLEAR_TAG: the guest is, or will be, shut off */
	bool paused_handover;  /* MIGRATE: leave the guest paused on the target (G1) */
	int64_t measure_ms;    /* PROBE: watch the guests' dirty rates for so long; 0 = do not; from 12000 on their working sets too */
	const char *const *known; /* PROBE: UUIDs of guests that need not be watched, sorted */
	size_t n_known;
};

enum hv_presence {
	HV_ABSENT,   /* asked, and not known there */
	HV_SHUTOFF,  /* defined, not active */
	HV_RUNNING,
	HV_PAUSED,
};
enum hv_pause_reason { HV_PAUSE_NONE, HV_PAUSE_MIGRATION, HV_PAUSE_USER, HV_PAUSE_IOERROR, HV_PAUSE_POSTCOPY, HV_PAUSE_POSTCOPY_FAILED, HV_PAUSE_OTHER };
enum hv_job { HV_JOB_NONE, HV_JOB_OUT, HV_JOB_IN, HV_JOB_OTHER };
const char *hv_presence_name(enum hv_presence presence);
const char *hv_pause_reason_name(enum hv_pause_reason reason);
const char *hv_job_name(enum hv_job job);

struct hv_where {
	enum hv_presence presence;
	enum hv_pause_reason pause_reason;
	enum hv_job job;
	bool persistent;
	bool shutoff_by_migration; /* SHUTOFF, reason MIGRATED */
	bool postcopy;             /* RUNNING, but part of its memory is elsewhere */
	bool postcopy_failed;      /* and does not come any more */
	bool has_tag;
	struct job_tag job_tag;
};

enum hv_phase {
	HV_PHASE_NONE, HV_PHASE_SETUP, HV_PHASE_DISKS, HV_PHASE_MEMORY, HV_PHASE_SWITCHOVER,
	HV_PHASE_POSTCOPY,        /* runs on the target, its memory follows */
	HV_PHASE_POSTCOPY_FAILED, /* and has broken off */
	HV_PHASE_DONE,
};

struct hv_stats {
	enum hv_phase phase; /* NONE: no migration runs there */
	int64_t elapsed_ms;
	uint64_t disk_total_bytes, disk_processed_bytes, disk_remaining_bytes;
	uint64_t memory_total_bytes, memory_processed_bytes, memory_remaining_bytes;
	uint64_t rate_bytes_per_s;       /* as the hypervisor says; 0 = unknown, derive it */
	uint64_t rate_limit_bytes_per_s; /* in force; 0 = none or unknown */
	uint64_t dirty_rate_bytes_per_s;
	uint32_t rounds;
	int64_t downtime_ms;             /* expected, or measured once done */
};

enum { ADDRESS_TEXT_SIZE = 46 }; /* the longest IPv6 address, with its end */

struct hv_path {
	char source_address[ADDRESS_TEXT_SIZE]; /* "" = no connection with the target address was seen */
	uint64_t bytes;                        /* by that connection so far */
};

struct hv_preflight {
	struct hv_disk *disks;  /* that must be copied, with exact sizes and names on the target */
	size_t n_disks;
	bool persistent, autostart, paused, shutoff;
	uint64_t memory_bytes;
	uint64_t target_free_memory_bytes; /* 0 = unknown */
	bool disks_can_be_throttled; /* a running mirror's rate can be changed */
	struct error no_postcopy; /* why this move cannot be switched to post-copy, when that was asked; code NONE = it can */
	struct error warning;   /* what forbids nothing but should be known; code NONE = nothing */
};

struct hv_reply {
	uint64_t tag;
	enum hv_kind kind;
	struct error error;
	bool outcome_unknown;
	struct hv_where where;
	struct hv_stats stats;          /* STATS; MIGRATE: of the finished job, as far as known */
	struct hv_preflight preflight;
	struct hv_path path;
	struct hv_disk *disks;          /* PREPARE: with target_path and was_created, also when it failed half-way */
	size_t n_disks;
	struct inventory *inventory;    /* PROBE */
	struct libvirt_facts *facts;    /* EXAMINE */
	struct libvirt_pair_facts *pair_facts; /* EXAMINE_PAIR */
	struct name_map *pools;         /* SAME_POOLS: those proven */
	size_t n_pools;
};

enum hv_note_kind {
	HV_NOTE_HOST_UP,
	HV_NOTE_HOST_DOWN,
	HV_NOTE_GUEST_SUSPENDED, /* by its migration: the switchover has begun, the link is about to be free */
	HV_NOTE_GUEST_RESUMED,
	HV_NOTE_GUEST_STOPPED,
	HV_NOTE_GUEST_STARTED,
	HV_NOTE_ROUND,           /* a pre-copy round began */
	HV_NOTE_TRAFFIC,         /* a host's counters of one link were read */
};

struct hv_note {
	enum hv_note_kind kind;
	const char *host;
	const char *guest; /* NULL for hosts */
	const char *uuid;
	uint32_t round;
	uint32_t link;      /* TRAFFIC: which of the host's links */
	uint64_t received_bytes, sent_bytes; /* TRAFFIC: by everybody, since the counters began */
	struct error error; /* HOST_DOWN */
};

/* Encryption of what a migration sends, memory and disks: as the control connections are encrypted, always, never. */
enum stream_tls { STREAM_TLS_AUTO, STREAM_TLS_YES, STREAM_TLS_NO };

struct hypervisor {
	void *self;
	void (*submit)(struct hypervisor *hypervisor, const struct hv_request *request);
	void (*free)(struct hypervisor *hypervisor); /* abandons what is outstanding: no reply comes after it */
};

/* Who gets replies and notes. reply is moved: the receiver clears it. */
struct hv_listener {
	void *self;
	void (*on_reply)(void *self, struct hv_reply *reply);
	void (*on_note)(void *self, const struct hv_note *note);
};

struct hv_request *hv_request_copy(const struct hv_request *request);
void hv_request_free(struct hv_request *request);
void hv_reply_clear(struct hv_reply *reply);
struct hv_disk *hv_disks_copy(const struct hv_disk *disks, size_t n);
void hv_disks_free(struct hv_disk *disks, size_t n);

#endif
