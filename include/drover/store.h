/* The store seam: load once, then atomic commits. What is committed is durable
 * when commit returns true, and only then is anything sent to a hypervisor.
 *
 * Implementations: SQLite (scheduler/io) and memory (tests, simulate). Called
 * from one thread. Operations borrow their rows until commit returns.
 * Transitions are idempotent: a move is written only over the state and epoch
 * that the engine last wrote; a mismatch fails the whole batch with
 * ERR_STATE_CORRUPT (somebody else wrote the file).
 */
#ifndef DROVER_STORE_H
#define DROVER_STORE_H

#include "drover/limit.h"
#include "drover/move.h"

enum store_op_kind {
	STORE_PUT_BATCH,
	STORE_PUT_MOVE,
	STORE_PUT_HOST,
	STORE_PUT_PATH,
	STORE_PUT_LIMIT,
	STORE_CLEAR_LIMITS,
	STORE_PUT_LESSON,
	STORE_PUT_GUEST,
	STORE_AUDIT,
	STORE_SET_EPOCH, /* of the manager; once per start */
};

struct host_record {
	char name[NAME_BYTES_MAX + 1];
	bool cordoned;
	char reason[256];
	char who[64];
	int64_t since_wall_ms;
};

/* Append-only; what happened, for people. */
struct audit_record {
	int64_t wall_ms;
	uint64_t batch, move; /* 0 = none */
	char from[24], to[24]; /* states; "" = not a transition */
	char text[512];
};

struct store_op {
	enum store_op_kind kind;
	enum move_state expect_state; /* PUT_MOVE; MOVE_STATE_COUNT = a new row */
	uint64_t expect_epoch;
	bool with_disks;              /* PUT_MOVE: replace the disk rows too */
	union {
		const struct batch_record *batch;
		const struct move_record *move;
		struct host_record host;
		struct path_rate path;
		struct limit limit;
		struct lesson lesson;
		struct guest_fact guest;
		struct audit_record audit;
		uint64_t epoch;
	};
};

struct store_image {
	char run[UUID_TEXT_SIZE]; /* identity of this state file */
	uint64_t epoch;           /* of the last manager */
	struct batch_record *batches;
	size_t n_batches;
	struct move_record *moves; /* by batch, then order */
	size_t n_moves;
	struct host_record *hosts;
	size_t n_hosts;
	struct path_rate *paths;
	size_t n_paths;
	struct limit *limits; /* that the operator set for the batches that are unfinished */
	size_t n_limits;
	struct lesson *lessons; /* by source, target, class */
	size_t n_lessons;
	struct guest_fact *guests; /* by UUID */
	size_t n_guests;
};

struct store {
	void *self;
	/* *ret_image belongs to the caller. */
	bool (*load)(struct store *store, struct store_image **ret_image, struct error *err);
	/* All or nothing. ERR_STATE_IO may be tried again with the same operations. */
	bool (*commit)(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err);
	/* Audit rows of one batch (0 = all), oldest first; *ret_rows with free(). */
	bool (*audit)(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n, struct error *err);
	void (*close)(struct store *store);
};

void store_image_free(struct store_image *image);

#endif
