/* What the parts of the libvirt implementation share. Nobody else includes it.
 *
 *   libvirt_hv.c         the seam: submit, queue of results, drain, life and death
 *   libvirt_conn.c       event thread, connections of a host, keeper, workers
 *   libvirt_domain.c     where, finish, tag, resume, suspend, destroy
 *   libvirt_disks.c      volumes: make, remove, guard
 *   libvirt_preflight.c  checks on both hosts: the guest as it is
 *   libvirt_fit.c        checks of the target: machine, CPU, memory, networks, devices
 *   libvirt_movable.c    what ties a guest to its host, pure
 *   libvirt_storage.c    its disks: which are shared, which are copied, and where to
 *   libvirt_content.c    whether a backing file is the same on two hosts
 *   libvirt_share.c      the proof that two pools are one storage
 *   libvirt_probe.c      inventory of a host
 *   libvirt_auth.c       who proves what to whom: both hops of a pair, and what to do about a refusal
 *   libvirt_uri.c        URIs and what they say about authentication, pure
 *   libvirt_examine.c    what a check-up asks of a host and of a pair
 *   libvirt_migrate.c    the migration itself, its thread
 *   libvirt_cold.c       guests that are shut down, copied, defined and started
 *   libvirt_job.c        statistics, rate, downtime, abort of a running migration
 *   libvirt_xml.c        XML in and out, pure
 *   libvirt_error.c      libvirt's errors as ours
 *
 * One mutex (lv.mutex) guards all that is shared; it is never held during a call of libvirt.
 * Workers are detached and each holds a reference on lv: the last one to leave frees it,
 * so a thread stuck in a call never sees freed memory.
 */
#ifndef DROVER_LIBVIRT_INTERNAL_H
#define DROVER_LIBVIRT_INTERNAL_H

#include <pthread.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "drover/plan.h"
#include "libvirt_hv.h"
#include "libvirt_uri.h"
#include "xalloc.h"

enum {
	LV_WORKERS_PER_LANE = 2,
	/* One for each worker, and one for those who need a second host while they hold the first. */
	LV_GENERAL_CONNECTIONS = 3,
	LV_CONTROL_CONNECTIONS = 2,
	LV_EVENTS_MAX = 2,
	/* A libvirtd serves 20 calls at once by default; far above it nothing moves. */
	LV_MIGRATIONS_PER_HOST = 64,
	LV_KEEPALIVE_INTERVAL_S = 3,
	LV_KEEPALIVE_COUNT = 4,
	LV_CONNECT_WAIT_MS = 10000, /* how long a request waits for a connection while none of the host has opened */
	LV_SSH_WAIT_MS = 30000, /* the same by ssh: a login and two processes there come first */
	LV_RETRY_FIRST_MS = 500,
	LV_RETRY_LAST_MS = 8000,
	LV_PROOF_MS = 60000, /* how long it is believed that one host reaches another */
	LV_FREE_WAIT_MS = 1500, /* how long free waits for threads that are in a call */
};

/* The general lane does what may take seconds; the control lane must never wait behind it. */
enum lv_lane { LV_GENERAL, LV_CONTROL, LV_LANES };

enum lv_conn_state { LV_CONNECTING, LV_UP, LV_DOWN };

/* A connection carries one call at a time, never more: libvirt before 10.4 leaves a poll of a finished call behind when a
 * second thread woke the first, and whoever calls next runs into that thread's old stack (CVE-2024-4418). */
struct lv_link {
	virConnectPtr conn;
	enum lv_lane lane;
	int events[LV_EVENTS_MAX]; /* callbacks to take off, or the connection would never be freed */
	unsigned n_events;
	bool is_taken;
	bool is_retired; /* taken out of use; closed by whoever has taken it */
	bool lost;       /* said by the close callback; the keeper acts on it */
	struct lv_link *next;
};

struct lv_work {
	struct hv_request *request;
	struct lv_work *next;
};

struct lv;

/* What a host was last seen to reach of another one. */
struct lv_proof {
	int64_t control_ms; /* its libvirtd, with credentials; 0 = not proven */
	int64_t address_ms;
	char *address;      /* in the migration network */
};

struct lv_host {
	struct lv *lv;
	char *shell;
	char *name, *uri, *peer_uri; /* as they are opened: what demands authentication is in them */
	enum lv_transport transport, peer_transport;
	struct lv_proof *proofs; /* one for each host of lv, as a target */
	enum lv_conn_state state;
	struct lv_link *links; /* those in use and the retired ones that are still taken */
	struct lv_work *first[LV_LANES], **last[LV_LANES];
	int64_t opened_ms; /* when the last of its connections was opened */
	struct error down; /* why it is DOWN */
	unsigned n_migrations;
	pthread_cond_t cond; /* queue, connection or stop changed */
};

/* One migration that this process runs or controls (an adopted one). */
struct lv_move {
	struct lv_move *next;
	char *host, *guest;
	bool is_ours;     /* a thread of ours is in the migrate call */
	bool is_called;   /* that thread has passed the last check of `cancelled` */
	bool cancelled;
	bool has_rate;
	uint64_t rate_bytes_per_s;
	int64_t downtime_ms; /* 0 = leave */
	bool rate_in_force;  /* seen in the job since it was last changed, in the present phase */
	enum hv_phase phase;
	uint64_t last_disk_bytes; /* for the rate of the disk phase */
	int64_t last_ms;
	uint64_t disk_rate_bytes_per_s;
	int64_t suspended_ms;         /* when its source paused it for the hand-over; 0 = not */
	int64_t postcopy_blackout_ms; /* from then until it ran on its target; 0 = not measured */
};

/* One queued reply or note. */
struct lv_result {
	bool is_note;
	struct hv_reply reply;
	struct hv_note note;
	char *guest; /* of the note */
	char *uuid;
	struct lv_result *next;
};

struct lv {
	struct hypervisor base;
	struct libvirt_options options;
	struct hv_listener listener;
	void (*wake)(void *arg);
	void *wake_arg;
	pthread_mutex_t mutex;
	pthread_cond_t ended; /* a thread ended */
	struct lv_host *hosts;
	size_t n_hosts;
	struct lv_result *first, **last;
	struct lv_move *moves;
	unsigned references; /* threads, registered callbacks and the owner */
	unsigned threads;
	bool stopping;
};

/* libvirt_hv.c */
void lv_unref(struct lv *lv);
struct lv_host *lv_find_host(struct lv *lv, const char *name);
/* Takes over what reply points to. */
void lv_reply(struct lv *lv, struct hv_reply *reply);
void lv_note(struct lv *lv, enum hv_note_kind kind, const struct lv_host *host, virDomainPtr domain,
	     uint32_t round, const struct error *error);
bool lv_thread(struct lv *lv, void *(*run)(void *arg), void *arg, struct error *err);
void lv_thread_ends(struct lv *lv);
int64_t lv_now_ms(void);
void lv_wait_until(struct lv *lv, pthread_cond_t *cond, int64_t deadline_ms);
void lv_execute(struct lv_host *host, enum lv_lane lane, virConnectPtr conn, const struct hv_request *request);

/* libvirt_conn.c */
bool lv_event_thread_start(struct error *err);
bool lv_host_start(struct lv_host *host, struct error *err);
void lv_host_clear(struct lv_host *host);
void lv_enqueue(struct lv_host *host, enum lv_lane lane, const struct hv_request *request);
/* A connection that nobody else uses meanwhile, waited for; give it back. NULL with err set. */
virConnectPtr lv_take(struct lv_host *host, enum lv_lane lane, struct error *err);
void lv_give(struct lv_host *host, virConnectPtr conn);
/* Opens another connection to the host, with keepalive. */
virConnectPtr lv_open(const struct lv_host *host, struct error *err);

/* libvirt_auth.c */
/* Completes err, of an open that failed: refused credentials are told from a host that is not reached, with what to do.
 * from NULL = this process. */
void lv_explain_open(struct error *err, const struct lv_host *from, const struct lv_host *to);
/* The credentials of hosts that move guests to each other are of one kind, unless mixed ones are allowed. */
bool lv_check_alike(const struct lv_host *source, const struct lv_host *target, struct error *err);
/* Has the source open the target's libvirtd as a migration would, and the target's address in the migration network; nothing
 * is changed by it. What was proven a minute ago is not asked again. */
bool lv_check_hops(struct lv_host *source, struct lv_host *target, virConnectPtr conn, const struct hv_request *request,
		   struct error *err);
/* Its two halves, asked now: domain is any guest of the source, and stays as it is. */
bool lv_prove_control(const struct lv_host *source, const struct lv_host *target, virDomainPtr domain, struct error *err);
bool lv_prove_address(const struct lv_host *source, const struct lv_host *target, virDomainPtr domain, const char *address,
		      struct error *err);
void lv_forget_hops(struct lv_host *source, const struct lv_host *target);
bool lv_is_stream_encrypted(const struct lv_host *source, const struct lv_host *target);

/* Requests: each fills the reply and returns whether it did what it says. */
bool lv_where(virConnectPtr conn, const struct hv_request *request, struct hv_reply *reply, struct error *err);
bool lv_finish_target(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_finish_source(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_clear_tag(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_resume(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_suspend(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_destroy(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_prepare(virConnectPtr source, virConnectPtr target, const struct hv_request *request,
		struct hv_reply *reply, struct error *err);
bool lv_remove_volumes(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_preflight(virConnectPtr source, virConnectPtr target, const struct hv_request *request,
		  struct hv_preflight *ret, struct error *err);
struct lv_xml_domain;
struct lv_ask {
	virConnectPtr source, target;
	const struct hv_request *request;
	const struct lv_xml_domain *xml;
	struct hv_preflight *result; /* its memory_bytes is known; target_free_memory_bytes and warning are filled in */
};
bool lv_target_fits(const struct lv_ask *ask, struct error *err);
bool lv_same_pools(virConnectPtr source, virConnectPtr target, const struct hv_request *request, struct hv_reply *reply, struct error *err);
/* Dirty rates of the host's guests into the inventory; with 12 s or more their working sets too. */
void lv_measure(virConnectPtr conn, const struct hv_request *request, struct inventory *inventory);
bool lv_migrates(virDomainPtr domain);
bool lv_probe(virConnectPtr conn, const struct hv_request *request, struct hv_reply *reply, struct error *err);
bool lv_examine(virConnectPtr conn, struct hv_reply *reply, struct error *err);
bool lv_examine_pair(struct lv_host *from, struct lv_host *to, virConnectPtr source, virConnectPtr target,
		     const struct hv_request *request, struct hv_reply *reply);
/* The host's active libvirt networks, bridges and other network devices; no devices = the host cannot tell. Without maps. */
struct lv_nets;
void lv_nets_read(virConnectPtr conn, struct lv_nets *ret);
void lv_nets_clear(struct lv_nets *nets);
bool lv_stats(struct lv_host *host, virConnectPtr conn, const struct hv_request *request,
	      struct hv_reply *reply, struct error *err);
bool lv_apply_rate(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_apply_downtime(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_start_postcopy(virConnectPtr conn, const struct hv_request *request, struct error *err);
void lv_judge_postcopy(const struct hv_request *request, struct error *err);
void lv_postcopy_event(struct lv_host *host, virDomainPtr domain, int event, int detail);
int64_t lv_postcopy_blackout_ms(struct lv_host *host, const char *guest); /* 0 = not measured */
bool lv_abort(struct lv_host *host, virConnectPtr conn, const struct hv_request *request, struct error *err);
/* libvirt_cold.c: guests that do not go live */
bool lv_shutdown(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_start(virConnectPtr conn, const struct hv_request *request, struct error *err);
bool lv_define(virConnectPtr source, virConnectPtr target, const struct hv_request *request, struct error *err);
/* Starts the thread of a copy, or replies why not. */
void lv_copy_start(struct lv_host *host, const struct hv_request *request);
/* Starts the thread of a migration, or replies why not. */
void lv_migrate_start(struct lv_host *host, const struct hv_request *request);
/* The migration that an executing request speaks of; made when `make`. Called with lv.mutex held. */
struct lv_move *lv_move_find(struct lv *lv, const char *host, const char *guest, bool make);
void lv_move_drop(struct lv *lv, const char *host, const char *guest);

/* Helpers of several. The domain of a request, by UUID or name. NULL with *ret_absent
 * set (and no error) when the host says that it knows none. */
virDomainPtr lv_domain(virConnectPtr conn, const struct hv_request *request, bool *ret_absent, struct error *err);
/* Like lv_domain, but absence is ERR_GUEST_GONE. */
virDomainPtr lv_domain_must(virConnectPtr conn, const struct hv_request *request, struct error *err);
/* Whether this is the half-made copy of a guest that runs on another host. */
bool lv_is_incoming(virDomainPtr domain);
void lv_stats_read(virTypedParameterPtr params, int n, struct hv_stats *stats);
bool lv_pool_refresh(virStoragePoolPtr pool);
/* A volume by pool and name, after a refresh when it is not known at once. NULL, *ret_absent as above. */
virStorageVolPtr lv_volume(virConnectPtr conn, const char *pool, const char *volume, bool *ret_absent, struct error *err);
/* Deletes the listed volumes unless a guest other than except_uuid uses one. */
bool lv_delete_volumes(virConnectPtr conn, const char *host, const struct hv_disk *disks, size_t n,
		       bool on_target, const char *except_uuid, struct error *err);

/* libvirt_error.c */
/* Sets err from the calling thread's last libvirt error behind the formatted words; `fallback` is the
 * code when libvirt's says no more. Returns false. */
bool lv_error(struct error *err, enum error_code fallback, const char *format, ...) DROVER_PRINTF(3, 4);
enum error_code lv_error_code(int libvirt_code, enum error_code fallback);
int lv_last_code(void);
void lv_error_silence(void);

static inline void lv_domain_unref(virDomainPtr *domain)
{
	if (*domain)
		virDomainFree(*domain);
}
static inline void lv_pool_unref(virStoragePoolPtr *pool)
{
	if (*pool)
		virStoragePoolFree(*pool);
}
static inline void lv_network_unref(virNetworkPtr *network)
{
	if (*network)
		virNetworkFree(*network);
}
static inline void lv_volume_unref(virStorageVolPtr *volume)
{
	if (*volume)
		virStorageVolFree(*volume);
}
void lv_text_free(char **text);
#define LV_AUTO(kind) __attribute__((cleanup(lv_##kind)))

#endif
