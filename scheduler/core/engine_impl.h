/* The engine's inside, shared by the files of scheduler/core and nobody else.
 *
 * One step: engine.c hands the event to the handler (batch.c, run.c, reconcile.c),
 * then admission.c starts what may start, bandwidth.c re-divides the links, and
 * engine.c gathers the changed records into the store batch.
 *
 * Every move is in exactly one of three places: waiting (in order, by the link that it leaves by), active (something is under
 * way or outstanding), ended.
 */
#ifndef DROVER_ENGINE_IMPL_H
#define DROVER_ENGINE_IMPL_H

#include "drover/engine.h"
#include "name_index.h"

enum {
	ACTIVE_MAX = 4096,          /* moves under way at once; beyond any libvirt limit by far */
	LINKS_OF_MOVE = 4,          /* source out, target in, two shared */
	SIDES = 2,
	/* Both hosts are asked WHERE at once, and a third one after them, so that kind has three slots. */
	SLOT_WHERE_TARGET = HV_KIND_COUNT,
	SLOT_WHERE_OTHER,
	SLOTS,
};

enum side { SIDE_SOURCE, SIDE_TARGET, SIDE_OTHER };

/* What one host said when it was asked where the guest runs. */
struct sighting {
	bool is_asked;              /* a WHERE is outstanding */
	bool is_answered;
	bool is_unreachable;
	int64_t asked_ms, answered_ms;
	struct hv_where where;
};

/* The search for the guest on all other hosts, one after the other: see elsewhere.c. */
struct elsewhere {
	bool is_under_way;
	uint32_t host;              /* that is being asked, in the inventory */
	int64_t since_ms;           /* when the search began */
	int64_t next_ms;            /* when to ask that host again; TIME_NEVER = an answer is awaited */
	int64_t clear_ms;           /* when it ended without finding the guest; -1 = it has not */
};

struct reconcile {
	struct sighting sides[SIDES];
	int64_t next_ms;            /* when to ask again */
	int64_t delay_ms;           /* grows up to 30 s */
	uint32_t same_verdicts;     /* in a row: some verdicts need to be seen twice */
	uint32_t last_verdict;
	int64_t since_ms;
	int64_t unconfirmed_ms;     /* since when the target runs and the source waits */
	uint32_t n_stale;           /* looks in a row that took too long to be believed */
	bool was_migrating;         /* the source, while the target waited for its resume */
	bool must_settle;           /* a request of an earlier life may still be on its way */
	struct elsewhere elsewhere;
};

/* Of a guest that does not go live; see cold.c. */
struct cold {
	int64_t look_ms;        /* when to look whether it is down; TIME_NEVER = an answer is awaited */
	int64_t stop_until_ms;  /* it may still go down until then; TIME_NEVER = it will not by our doing */
	uint32_t start_failures;
	uint32_t target_starts; /* asked of the target */
	bool is_target_asked;   /* to start it, and has not answered yet */
	bool may_have_run;      /* on the target: what is on the source may be old */
};

/* What cold.c has to see twice; beyond the verdicts of reconcile.c. */
enum cold_verdict { COLD_MOVED = 64, COLD_NOT_MOVED, COLD_BACK, COLD_START_SOURCE, COLD_TWICE, COLD_GONE, COLD_STUCK };

struct move {
	struct move_record record;
	enum move_state stored_state;
	uint64_t stored_epoch;
	bool is_stored, is_changed, disks_changed;

	uint32_t index;             /* in engine->moves */
	uint32_t batch;             /* index in engine->batches */
	uint32_t guest, source, target; /* in the inventory; INDEX_NONE when it does not know them */
	uint32_t wanted;            /* in the batch's request; INDEX_NONE */
	uint32_t after;             /* move that must end before; INDEX_NONE */
	uint32_t other_leg;         /* of the same guest; INDEX_NONE unless it goes by way of a third host: see legs.c */
	uint32_t active_at;         /* position in engine->active, INDEX_NONE when not there */
	uint32_t next_waiting, previous_waiting;
	uint32_t waits_at;          /* the link in whose list that is; INDEX_NONE = in the list of those without one */
	bool is_waiting;
	bool is_reserved;           /* the ledger knows it */
	bool *excluded;             /* hosts that refused or failed it; NULL = none */
	int64_t not_before_wall_ms;
	int64_t retry_ms;
	uint64_t max_rate_bytes_per_s;
	uint64_t planned_disk_bytes;
	bool rate_is_assumed; /* of the record's planned rate; see struct planned_move */

	uint32_t pending[SLOTS]; /* sequence of the outstanding request of each kind, 0 = none */
	int64_t pending_until_ms[SLOTS];
	uint32_t late_prepare;      /* sequence of a PREPARE that we gave up on and that may still be at work, 0 = none */
	struct name_map *pools, *nets; /* of its requests: own arrays, borrowed strings */
	size_t n_pools, n_nets;

	/* On the wire */
	uint32_t network;
	uint32_t links[LINKS_OF_MOVE];
	uint64_t sequence;          /* order of admission: the strict priority */
	struct hv_stats stats;
	int64_t stats_ms;           /* when stats were taken; 0 = none */
	int64_t next_stats_ms;
	int64_t next_path_ms;       /* when to look at its connections; TIME_NEVER = seen, or given up */
	uint32_t path_looks;        /* without an answer */
	int64_t round_ms;           /* when this pass over the memory was first seen */
	uint64_t dirty_peak_bytes_per_s; /* the most that its guest wrote in any of them */
	int64_t release_ms;         /* in switchover: when its last pages have left the link */
	int64_t sample_ms;          /* rate measurement */
	uint64_t sample_bytes;
	uint64_t rate_bytes_per_s;  /* measured, smoothed */
	uint32_t steady_samples;    /* unthrottled, in this phase, in this company */
	bool has_shown;             /* as a head, what it carries in some company */
	uint32_t company;           /* heads on each of its links, packed */
	uint64_t peak_bytes_per_s, disk_peak_bytes_per_s; /* the most it moved while unthrottled, of memory and of disks */
	uint64_t alone_bytes_per_s; /* what it moves with its links to itself; 0 = never had them */
	uint64_t granted_bytes_per_s, sent_bytes_per_s;
	bool is_head;               /* it has its links, or what is left of them; the others are staged */
	bool is_throttleable;       /* the migration was sent, or adopted: its rate can be set */
	bool is_link_released, is_slot_released, is_ending;
	bool is_closing;            /* the next on its link should be set up now */
	bool awaits_first_byte;     /* and was begun in this life: how long setting it up takes is told by it */
	/* Moments of the attempt that teach, 0 = not come or not seen: its begin, its first byte, when it had its links first and what
	 * it had sent then, and when the migration was over. */
	int64_t attempt_ms, first_byte_ms, head_ms, sent_ms;
	uint64_t head_bytes;
	bool disks_can_be_throttled;
	int64_t progress_ms;
	uint64_t progress_bytes;
	int64_t wire_ms;            /* when it came onto the wire */
	int64_t switchover_ms;      /* when its switchover began */
	uint32_t ladder_step, ladder_round; /* see converge.c */
	int64_t ladder_ms, ladder_downtime_ms;
	struct error no_post_copy;  /* why it cannot be switched although that is allowed; see post_copy.c */
	uint32_t recoveries;        /* of a post-copy that broke off, since a byte moved */
	int64_t recover_ms;         /* no other before */
	bool is_abort_wanted;
	int64_t abort_ms;           /* when to ask again */
	struct error failure;       /* why it is aborted or what the migration said */

	struct reconcile reconcile;
	struct cold cold;
	bool is_target_finished, is_source_finished; /* CLEANUP */
	bool is_interrupted;        /* by our own end, not by anything that went wrong */
	bool is_source_suspended;   /* by us, because it ran twice */
	bool may_have_switched;     /* the target may have run in this attempt: what is on the source may be old */
	bool is_elsewhere;          /* it ran on neither of the two when drover was started: somebody has carried it off */
	bool is_handover_void;      /* the source was seen running since: the copy handed over must never run */
	bool is_undoing, are_volumes_removed, is_tag_cleared, is_undefined; /* the attempt is being taken back */
	uint32_t cleanup_tries;
	int64_t cleanup_ms;         /* when to try again; TIME_NEVER = an answer is awaited */
	uint32_t fix_tries;         /* repairs tried in reconcile */
};

struct batch {
	struct batch_record record;
	bool is_changed;
	struct request *request;
	uint32_t first_move, n_moves;
	uint32_t n_unfinished;
	int64_t started_ms;
};

/* Moves that wait, in the order of the records, and so of the plan. */
struct waiting_list {
	uint32_t first, last; /* in engine->moves; INDEX_NONE = empty */
};

/* What flows on a link, as the last grant has found it. */
struct link_flow {
	uint64_t total, allowed;
	uint32_t n_moves;
	uint32_t heads, steady_heads;
	uint32_t ending;     /* in their last moments, besides */
	uint32_t elsewhere;  /* heads that another link holds back: it is full, and shared with others */
};

/* One direction of one host's link, or one shared link; see links.c. */
struct link {
	uint32_t host, network;          /* INDEX_NONE: a shared link; no configured network */
	uint64_t nominal_bytes_per_s;    /* as configured, reserve included; 0 = measure */
	uint32_t reserve_percent;
	uint64_t limit_bytes_per_s;      /* the operator's of now; 0 = none */
	uint64_t measured_bytes_per_s;   /* what flowed at most, others included where they are counted; 0 = not known */
	uint64_t wide_bytes_per_s;       /* what it carried before it fell; 0 = it has not fallen */
	bool is_saturated;               /* measured is a capacity, not just the most that was seen */
	uint64_t single_bytes_per_s;     /* what one unthrottled move reached alone */
	int64_t low_since_ms;            /* flow far under measured since then; TIME_NEVER = not */
	int64_t probe_ms;                /* when it is next left without a bound for a moment; 0 = never */
	uint64_t counter_bytes;          /* of the host's counters */
	uint64_t own_bytes;              /* of its moves, since the counters were read last */
	int64_t counter_ms;              /* 0 = never read */
	uint64_t others_bytes_per_s;     /* by them, without ours */
	uint32_t n_active;               /* admitted and not released */
	struct waiting_list waiting;     /* that leave their source by it */
	uint32_t waiting_at;             /* position in engine->waiting_links, INDEX_NONE when nobody waits */
	uint32_t watched_at;             /* position in engine->watched, INDEX_NONE when not there */
	struct link_flow flow;           /* nothing unless it is watched */
	uint64_t used_bytes_per_s;       /* by the moves that the grant under way has been through */
	uint32_t n_chosen;               /* heads that the last grant has chosen */
	bool has_room;                   /* what flows leaves enough for one more head, or may do so */
	int64_t backlog_ms;              /* until what is under way on it will have left it */
	uint32_t n_setup;                /* of its active moves: no byte has flowed yet */
};

/* A network that did not carry between two hosts when it was last tried. */
struct down_path {
	uint32_t source, target, network;
	int64_t until_ms; /* then it is tried again */
};

/* Finds records by what identifies them, as text; the keys are its own. */
struct key_index {
	struct name_index *index;
	char **keys;
	size_t n;
};

struct host_load {
	uint32_t outgoing, incoming, outgoing_storage, incoming_storage;
	int64_t down_since_ms; /* TIME_NEVER = up */
	struct error no_post_copy; /* what its QEMU said when a guest was to arrive by post-copy */
	uint32_t first_link;   /* links: first_link + 2 * i + (1 for in) */
};

struct engine {
	struct engine_options options;
	struct inventory *inventory;
	struct ledger *ledger;
	int64_t now_ms, wall_ms;
	char run[UUID_TEXT_SIZE];
	uint64_t epoch;
	uint64_t next_batch_id, next_move_id;
	uint32_t next_request;
	uint64_t next_sequence;
	bool is_begun, is_stopping;

	struct batch *batches;
	size_t n_batches;
	struct move *moves; /* batch by batch */
	size_t n_moves;
	uint32_t *active;
	int64_t *due_ms;            /* when active[i] has to be looked at again; 0 = to be reckoned anew, and looked at by then */
	size_t n_active;
	uint32_t *admitted;         /* the same moves in the order of their admission */
	struct waiting_list unlinked; /* those that use no link, or none that is known */
	uint32_t n_waiting;
	uint32_t *guest_move; /* per guest of the inventory: unfinished move or INDEX_NONE */

	struct host_load *loads;
	struct link *links;
	size_t n_links;
	/* Of all links those on which something waits, and those with which a grant has to do: something flows there or did at the
	 * last one, or its probing goes on. In no order. */
	uint32_t *waiting_links, *watched;
	size_t n_waiting_links, n_watched;
	struct limit *limits; /* that the operator set while moves run */
	size_t n_limits;
	uint32_t n_moving;
	bool must_admit, must_grant;
	int64_t granted_ms;         /* when links were judged and divided last */
	int64_t setup_ms;           /* measured: from the begin of an attempt to its first bytes; 0 = not yet */
	int64_t next_retry_ms;

	struct path_rate *paths;
	size_t n_paths;
	struct lesson *lessons;
	size_t n_lessons;
	struct key_index path_index, lesson_index;
	struct down_path *down_paths;
	size_t n_down_paths;

	struct store_op *ops;    /* of this step, as handed out */
	size_t n_ops;
	struct store_op *extras; /* gathered behind the records */
	size_t n_extras;
	struct hv_request *requests;
	size_t n_requests;
	uint32_t *changed; /* moves to store in this step */
	size_t n_changed;
};

/* engine.c */
struct move *engine_move_of_tag(struct engine *engine, uint64_t tag, uint32_t *ret_sequence);
void engine_audit(struct engine *engine, const struct batch *batch, const struct move *move, const char *from,
	const char *to, const char *format, ...) DROVER_PRINTF(6, 7);
struct store_op *engine_add_extra(struct engine *engine, enum store_op_kind kind);
void engine_put_host(struct engine *engine, uint32_t host, bool cordoned, const char *reason, const char *who);
void engine_touch_batch(struct engine *engine, struct batch *batch);

/* move.c: the only place that changes a move's state. */
void move_touch(struct engine *engine, struct move *move);
/* Something of it has changed: it is looked at in this step, or the next. */
void move_wake(struct engine *engine, const struct move *move);
void move_set_state(struct engine *engine, struct move *move, enum move_state state, const char *format, ...)
	DROVER_PRINTF(4, 5);
/* A new request about the move to its source (side SIDE_SOURCE) or target; the pointer is for
 * filling and valid until the next call. */
struct hv_request *move_request(struct engine *engine, struct move *move, enum hv_kind kind, enum side side);
/* The same to any host, with a slot of its own. */
struct hv_request *move_request_to(struct engine *engine, struct move *move, enum hv_kind kind, const char *host, uint32_t slot);
void move_set_target(struct engine *engine, struct move *move, uint32_t target);
/* The links that it will use, as hosts and networks are now. Not while it is active. */
void move_find_links(struct engine *engine, struct move *move);
void move_reserve(struct engine *engine, struct move *move);
void move_release(struct engine *engine, struct move *move, bool has_moved);
void move_wait(struct engine *engine, struct move *move, int64_t retry_ms);
void move_activate(struct engine *engine, struct move *move);
/* Gives back its slots and links; outstanding answers are no longer waited for. Before its target changes. */
void move_deactivate(struct engine *engine, struct move *move);
/* Ends it: DONE, FAILED or CANCELLED. */
void move_end(struct engine *engine, struct move *move, enum move_state state, const struct error *why);
const struct wanted_move *move_wanted(const struct engine *engine, const struct move *move);
/* When it may begin and how fast it may be: both legs of a guest alike. */
void move_take_wishes(const struct engine *engine, struct move *move);
const struct request *move_request_of(const struct engine *engine, const struct move *move);

/* batch.c */
void batch_start(struct engine *engine, const struct event *event, struct actions *actions);
void batch_command(struct engine *engine, const struct event *event, struct actions *actions);
void batch_move_ended(struct engine *engine, struct move *move);

/* legs.c: guests that go by way of a third host */
void legs_link(struct engine *engine, struct move *second); /* finds its first leg among the moves before it */
const struct move *legs_first_of(const struct engine *engine, const struct move *move); /* NULL when it is no second leg */
bool legs_allow(const struct engine *engine, const struct move *move, struct error *why);
/* Its first leg has ended, and did not bring the guest to where this one begins. */
bool legs_are_broken(const struct engine *engine, const struct move *move);
void legs_end(struct engine *engine, struct move *second); /* for that reason */
/* Hosts that are no way for this first leg, into move->excluded. */
void legs_exclude(struct engine *engine, struct move *first);
void legs_follow(struct engine *engine, const struct move *first); /* the second begins where the first now leads */
uint32_t legs_guest_move(const struct engine *engine, const struct move *ended); /* that its guest is on now; INDEX_NONE */
void legs_go_on(struct engine *engine, const struct move *first); /* it has moved */
void legs_say_where(const struct engine *engine, struct move *second); /* it ends without having moved */

/* measure.c */
void measure_begin(struct engine *engine, const struct batch *batch);
void measure_reply(struct engine *engine, const struct hv_reply *reply);
/* restore.c */
void restore_image(struct engine *engine, const struct event *event);

/* admission.c */
void admission_run(struct engine *engine);
/* Why this waiting move does not start now; true = it could. Pure. */
bool admission_check(const struct engine *engine, const struct move *move, struct error *ret_why);
void admission_count(struct engine *engine, struct move *move, int by); /* slots and links, +1 or -1 */

/* links.c */
void links_init(struct engine *engine);
void links_of_move(struct engine *engine, struct move *move);
uint64_t links_ceiling(const struct engine *engine, const struct link *link);  /* what its moves may have at most; 0 = no bound */
bool links_is_strict(const struct engine *engine, const struct link *link);    /* more than the ceiling would harm somebody */
uint64_t links_capacity(const struct engine *engine, const struct link *link); /* what they can have, as measured; 0 = not known */
const char *links_name(const struct engine *engine, uint32_t at, char *buffer, size_t size);
bool links_is_full(const struct engine *engine, const struct link *link);
/* What holds its moves below what it could carry, for messages; "" = nothing. */
const char *links_bound(const struct engine *engine, const struct link *link, char *buffer, size_t size);
void links_watch(struct engine *engine, const struct move *move); /* its links, from now on */
void links_forget(struct engine *engine); /* those that need no watching any more */
void links_judge(struct engine *engine); /* by the flow of those watched */
void links_count(struct engine *engine, uint32_t host, const struct hv_note *note);
void links_limit(struct engine *engine); /* as engine->limits say now */

/* limits.c */
bool limits_set(struct engine *engine, const struct limit *limits, size_t n, const char *who, struct error *err);
void limits_again(struct engine *engine); /* over options that are new */
void limits_restore(struct engine *engine, const struct store_image *image);

/* rates.c */
#define RATE_HUGE (UINT64_MAX / 8) /* "not known": more than any link, and sums do not overflow */
void rates_sample(struct engine *engine, struct move *move, const struct hv_stats *stats);
void rates_note(struct engine *engine, struct move *move); /* what a grant finds: who else flows, what it carries alone */
bool rates_is_steady(const struct move *move);
bool rates_is_limited(const struct engine *engine, const struct move *move);
uint64_t rates_dirty(const struct engine *engine, const struct move *move); /* what its guest writes; 0 = not known */
/* What this copy can carry when nothing else is on its links; RATE_HUGE when nobody has shown it yet. */
uint64_t rates_stream(const struct engine *engine, const struct move *move);
int64_t rates_left_ms(const struct move *move); /* until its copy has left the link; TIME_NEVER = not at this rate */
/* The last moments of a copy that converges: its link can be given to the next. */
bool rates_is_ending(const struct engine *engine, const struct move *move);
/* How long the pages that were left for the blackout keep the link, from its beginning. */
int64_t rates_last_pages_ms(const struct engine *engine, const struct move *move);

/* bandwidth.c */
/* How many moves a link should have under way: heads that fill it and those staged behind. */
uint32_t bandwidth_wanted_moves(const struct engine *engine, const struct link *link);
/* Staging: is it time to set up this move behind what is on the link? See bandwidth.c. */
bool bandwidth_is_due(const struct engine *engine, const struct link *link, const struct move *move);
void bandwidth_clear_backlog(struct link *link);
void bandwidth_backlogs(struct engine *engine);                                /* counts them anew, before an admission pass */
void bandwidth_add_backlog(struct engine *engine, const struct move *move); /* it was admitted in this pass */
int64_t bandwidth_lead_ms(const struct engine *engine);
void bandwidth_release(struct engine *engine, struct move *move); /* the link is (about to be) free of it */
void bandwidth_grant(struct engine *engine);

/* lessons.c: what the next plan gets from this run */
void lessons_restore(struct engine *engine, const struct store_image *image);
void lessons_free(struct engine *engine);
void lessons_path(struct engine *engine, const struct move *move);  /* its copy is over: what the path carried */
void lessons_learn(struct engine *engine, const struct move *move); /* it has ended well */
void lessons_guest(struct engine *engine, const struct guest *guest); /* as a probe measured it just now */
/* What moves of its class between its hosts have taught; NULL = nothing. */
const struct lesson *lessons_of_move(const struct engine *engine, const struct move *move);

/* run.c: the way of one move */
void run_begin(struct engine *engine, struct move *move);
void run_reply(struct engine *engine, struct move *move, struct hv_reply *reply, enum side side);
void run_note(struct engine *engine, struct move *move, const struct hv_note *note);
void run_tick(struct engine *engine, struct move *move);
int64_t run_deadline(const struct engine *engine, const struct move *move);
void run_abort(struct engine *engine, struct move *move);
void run_fail(struct engine *engine, struct move *move, const struct error *why); /* into UNKNOWN: both hosts are asked */
/* A move that was found under way, ours, without us: follow it. */
void run_adopt(struct engine *engine, struct move *move, bool is_switching);

/* path.c: by which network a move goes, and whether it does */
bool path_choose(const struct engine *engine, const struct move *move, uint32_t *ret_network, uint32_t *ret_source_link,
	uint32_t *ret_target_link);
void path_begin(struct engine *engine, struct move *move); /* of an attempt */
/* An attempt was refused because the network does not carry; true when another one may be used. */
bool path_falls_back(struct engine *engine, struct move *move, const struct error *why);
void path_watch(struct engine *engine, struct move *move);
void path_reply(struct engine *engine, struct move *move, const struct hv_reply *reply);
void path_end(struct engine *engine, struct move *move); /* of a move by live migration that is done */

void run_fill(struct engine *engine, struct move *move, struct hv_request *request);

/* cold.c: guests that are shut down, moved cold or started */
bool cold_is_in_place(const struct move *move); /* nothing is copied anywhere */
void cold_begin(struct engine *engine, struct move *move);
void cold_restore(struct engine *engine, struct move *move);
void cold_prepared(struct engine *engine, struct move *move);
bool cold_reply(struct engine *engine, struct move *move, const struct hv_reply *reply); /* false = not its own */
void cold_note(struct engine *engine, struct move *move);
void cold_tick(struct engine *engine, struct move *move);
int64_t cold_deadline(const struct move *move);
void cold_judge(struct engine *engine, struct move *move);

/* converge.c: guests that write faster than is copied */
void converge_begin(struct engine *engine, struct move *move);
void converge_watch(struct engine *engine, struct move *move, const struct hv_stats *stats);

/* post_copy.c: guests that run on their target before their memory is there */
bool post_copy_is_flowing(const struct move *move); /* as the source says: it has been switched */
void post_copy_decide(struct engine *engine, struct move *move, const struct error *why_not);
bool post_copy_was_refused(struct engine *engine, struct move *move, const struct error *why);
bool post_copy_may_begin(const struct engine *engine, const struct move *move);
void post_copy_begin(struct engine *engine, struct move *move, const struct hv_stats *stats);
void post_copy_replied(struct engine *engine, struct move *move, const struct hv_reply *reply);
bool post_copy_follow(struct engine *engine, struct move *move, enum hv_phase phase);
void post_copy_watch(struct engine *engine, struct move *move);
void post_copy_adopt(struct engine *engine, struct move *move);
void post_copy_recover(struct engine *engine, struct move *move);
void post_copy_lost(struct engine *engine, struct move *move, const char *text);

/* finish.c: the end of an attempt */
void finish_moved(struct engine *engine, struct move *move);     /* proven on the target: clean up */
void finish_not_moved(struct engine *engine, struct move *move); /* proven on the source: take back what was made */
void finish_reply(struct engine *engine, struct move *move, const struct hv_reply *reply);
void finish_tick(struct engine *engine, struct move *move);
/* No side effects are left: again, elsewhere, or never. */
void finish_attempt(struct engine *engine, struct move *move);

/* reconcile.c */
void reconcile_begin(struct engine *engine, struct move *move);
void reconcile_reply(struct engine *engine, struct move *move, const struct hv_reply *reply, enum side side);
void reconcile_tick(struct engine *engine, struct move *move);
int64_t reconcile_deadline(const struct move *move);
/* Something has happened that makes it worth asking at once. */
void reconcile_hint(struct engine *engine, struct move *move);
/* What is to happen to a guest of which neither of the two hosts, or both, or a third one runs a copy is for a human to say. */
void reconcile_leave_alone(struct engine *engine, struct move *move, const struct error *why);

/* elsewhere.c */
/* True when no third host has the guest, as asked just now. Otherwise the search is begun or goes on, and
 * the two hosts are asked again when it is over. */
bool elsewhere_is_clear(struct engine *engine, struct move *move);
void elsewhere_reply(struct engine *engine, struct move *move, const struct hv_reply *reply);
void elsewhere_tick(struct engine *engine, struct move *move);
int64_t elsewhere_deadline(const struct move *move);

bool reconcile_is_ours(const struct engine *engine, const struct move *move, const struct hv_where *where);
void reconcile_again(struct engine *engine, struct move *move);
bool reconcile_is_settled(struct engine *engine, struct move *move, uint32_t verdict);
void reconcile_repair(struct engine *engine, struct move *move, enum hv_kind kind, enum side side, const char *why);
void reconcile_leave_verifying(struct engine *engine, struct move *move, const char *why);
void reconcile_give_up(struct engine *engine, struct move *move, const struct error *why);
void reconcile_moved(struct engine *engine, struct move *move, const char *text);

/* eta.c uses all of the above for the views. */

#endif
