/* The memory store: the same promises as the SQLite one without a file, so that the engine can be run from a
 * seed thousands of times a second. Pure: no I/O, no clock, no randomness.
 *
 * A commit applies its operations one by one and writes down how to take each back; the first that
 * is refused takes back all before it. So operations of one commit may build on each other,
 * as in a transaction. Rows are kept by pointer, sorted by id: ids grow, hence insertion is nearly
 * always at the end.
 */
#include "store_memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_image.h"
#include "xalloc.h"

struct rows {
	void **items;
	size_t n;
};

struct memory {
	struct store store;
	char run[UUID_TEXT_SIZE];
	uint64_t epoch;
	struct rows batches; /* struct batch_record, by id */
	struct rows moves;   /* struct move_record, by id */
	struct rows hosts;   /* struct host_record, by name */
	struct rows paths;   /* struct path_rate, by source and target */
	struct rows limits;  /* struct limit, by kind and object */
	struct rows lessons; /* struct lesson, by source, target and class */
	struct rows guests;  /* struct guest_fact, by UUID */
	struct audit_record *audit;
	size_t n_audit;
};

/* How to take one operation back: put `before` at its place, or remove what was inserted. */
struct undo {
	struct rows *rows; /* NULL: the epoch */
	size_t at;
	void *before; /* NULL: the row was new */
	bool was_removed; /* the row is gone, not replaced */
	uint64_t epoch;
};

struct undo_log {
	struct undo *steps;
	size_t n, n_max;
};

typedef int row_order(const void *a, const void *b);

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int order_batches(const void *a, const void *b)
{
	return compare_u64(((const struct batch_record *)a)->id, ((const struct batch_record *)b)->id);
}

static int order_moves(const void *a, const void *b)
{
	return compare_u64(((const struct move_record *)a)->id, ((const struct move_record *)b)->id);
}

static int order_hosts(const void *a, const void *b)
{
	return strcmp(((const struct host_record *)a)->name, ((const struct host_record *)b)->name);
}

static int order_paths(const void *a, const void *b)
{
	const struct path_rate *x = a, *y = b;
	int order = strcmp(x->source, y->source);

	return order ? order : strcmp(x->target, y->target);
}

static int order_limits(const void *a, const void *b)
{
	const struct limit *x = a, *y = b;
	int order = compare_u64(x->kind, y->kind);

	if (order == 0)
		order = strcmp(x->host, y->host);
	return order ? order : strcmp(x->network, y->network);
}

static int order_lessons(const void *a, const void *b)
{
	const struct lesson *x = a, *y = b;
	int order = strcmp(x->source, y->source);

	if (order == 0)
		order = strcmp(x->target, y->target);
	return order ? order : strcmp(move_class_name(x->class), move_class_name(y->class));
}

static int order_guests(const void *a, const void *b)
{
	return strcmp(((const struct guest_fact *)a)->uuid, ((const struct guest_fact *)b)->uuid);
}

/* True and its place when a row equal to key exists; false and the place where it belongs otherwise. */
static bool rows_find(const struct rows *rows, row_order *order, const void *key, size_t *ret_at)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int result = order(rows->items[middle], key);

		if (result == 0) {
			*ret_at = middle;
			return true;
		}
		if (result < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_at = low;
	return false;
}

static void rows_insert(struct rows *rows, size_t at, void *item)
{
	rows->items = xgrow(rows->items, rows->n, sizeof(*rows->items));
	memmove(rows->items + at + 1, rows->items + at, (rows->n - at) * sizeof(*rows->items));
	rows->items[at] = item;
	rows->n++;
}

static void *rows_remove(struct rows *rows, size_t at)
{
	void *item = rows->items[at];

	rows->n--;
	memmove(rows->items + at, rows->items + at + 1, (rows->n - at) * sizeof(*rows->items));
	return item;
}

static void row_free(const struct memory *memory, const struct rows *rows, void *item)
{
	if (!item)
		return;
	if (rows == &memory->batches)
		batch_record_clear(item);
	else if (rows == &memory->moves)
		move_record_clear(item);
	free(item);
}

/* Puts item in place of an equal row, or beside the others; ownership of item passes over. */
static void put(struct undo_log *log, struct rows *rows, row_order *order, void *item)
{
	struct undo *step = &log->steps[log->n++];

	*step = (struct undo){.rows = rows};
	if (rows_find(rows, order, item, &step->at)) {
		step->before = rows->items[step->at];
		rows->items[step->at] = item;
	} else {
		rows_insert(rows, step->at, item);
	}
}

static bool move_is_expected(const struct memory *memory, const struct store_op *op,
	const struct move_record **ret_old, struct error *err)
{
	const struct move_record *old = NULL;
	size_t at;

	if (rows_find(&memory->moves, order_moves, op->move, &at))
		old = memory->moves.items[at];
	if (op->expect_state == MOVE_STATE_COUNT) {
		if (old)
			return error_set(err, ERR_STATE_CORRUPT, "move %" PRIu64 " is in the state already", op->move->id);
	} else if (!old) {
		return error_set(err, ERR_STATE_CORRUPT, "move %" PRIu64 " is not in the state", op->move->id);
	} else if (old->state != op->expect_state || old->epoch != op->expect_epoch) {
		return error_set(err, ERR_STATE_CORRUPT,
			"move %" PRIu64 " is %s epoch %" PRIu64 " in the state, not %s epoch %" PRIu64,
			op->move->id, move_state_name(old->state), old->epoch, move_state_name(op->expect_state),
			op->expect_epoch);
	}
	*ret_old = old;
	return true;
}

static bool put_move(struct memory *memory, struct undo_log *log, const struct store_op *op, struct error *err)
{
	struct batch_record batch = {.id = op->move->batch};
	const struct move_record *old = NULL;
	struct move_record *row;
	struct move_record given;
	size_t at;

	if (!rows_find(&memory->batches, order_batches, &batch, &at))
		return error_set(err, ERR_STATE_CORRUPT, "move %" PRIu64 " is of batch %" PRIu64 ", which is not in the state",
			op->move->id, op->move->batch);
	if (!move_is_expected(memory, op, &old, err))
		return false;
	given = *op->move;
	if (!op->with_disks) {
		given.disks = old ? old->disks : NULL;
		given.n_disks = old ? old->n_disks : 0;
	}
	row = xmalloc(sizeof(*row));
	store_image_copy_move(row, &given);
	put(log, &memory->moves, order_moves, row);
	return true;
}

static void put_batch(struct memory *memory, struct undo_log *log, const struct batch_record *batch)
{
	struct batch_record *row = xmalloc(sizeof(*row));

	store_image_copy_batch(row, batch);
	put(log, &memory->batches, order_batches, row);
}

static void *copy_bytes(const void *value, size_t n)
{
	void *copy = xmalloc(n);

	memcpy(copy, value, n);
	return copy;
}

static void add_audit(struct memory *memory, const struct audit_record *record)
{
	memory->audit = xgrow(memory->audit, memory->n_audit, sizeof(*memory->audit));
	memory->audit[memory->n_audit++] = *record;
}

/* The last first, so that taking it back puts each where it was. */
static void clear_limits(struct memory *memory, struct undo_log *log)
{
	log->steps = xrealloc_array(log->steps, log->n_max + memory->limits.n, sizeof(struct undo));
	log->n_max += memory->limits.n;
	while (memory->limits.n > 0) {
		size_t at = memory->limits.n - 1;

		log->steps[log->n++] = (struct undo){.rows = &memory->limits, .at = at, .before = rows_remove(&memory->limits, at), .was_removed = true};
	}
}

static bool set_epoch(struct memory *memory, struct undo_log *log, uint64_t epoch, struct error *err)
{
	if (epoch < memory->epoch)
		return error_set(err, ERR_STATE_CORRUPT, "the state has epoch %" PRIu64 " already, not less than %" PRIu64,
			memory->epoch, epoch);
	log->steps[log->n++] = (struct undo){.epoch = memory->epoch};
	memory->epoch = epoch;
	return true;
}

static bool apply(struct memory *memory, struct undo_log *log, const struct store_op *op, struct error *err)
{
	switch (op->kind) {
	case STORE_PUT_BATCH:
		put_batch(memory, log, op->batch);
		return true;
	case STORE_PUT_MOVE:
		return put_move(memory, log, op, err);
	case STORE_PUT_HOST:
		put(log, &memory->hosts, order_hosts, copy_bytes(&op->host, sizeof(op->host)));
		return true;
	case STORE_PUT_PATH:
		put(log, &memory->paths, order_paths, copy_bytes(&op->path, sizeof(op->path)));
		return true;
	case STORE_PUT_LIMIT:
		put(log, &memory->limits, order_limits, copy_bytes(&op->limit, sizeof(op->limit)));
		return true;
	case STORE_CLEAR_LIMITS:
		clear_limits(memory, log);
		return true;
	case STORE_PUT_LESSON:
		put(log, &memory->lessons, order_lessons, copy_bytes(&op->lesson, sizeof(op->lesson)));
		return true;
	case STORE_PUT_GUEST:
		put(log, &memory->guests, order_guests, copy_bytes(&op->guest, sizeof(op->guest)));
		return true;
	case STORE_AUDIT:
		add_audit(memory, &op->audit);
		return true;
	case STORE_SET_EPOCH:
		return set_epoch(memory, log, op->epoch, err);
	}
	assert(false && "no such operation");
	return false;
}

static void take_back(struct memory *memory, const struct undo *step)
{
	if (!step->rows)
		memory->epoch = step->epoch;
	else if (step->was_removed)
		rows_insert(step->rows, step->at, step->before);
	else if (!step->before)
		row_free(memory, step->rows, rows_remove(step->rows, step->at));
	else {
		row_free(memory, step->rows, step->rows->items[step->at]);
		step->rows->items[step->at] = step->before;
	}
}

static bool memory_commit(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err)
{
	struct memory *memory = store->self;
	struct undo_log log = {.steps = xcalloc(n_ops + 1, sizeof(struct undo)), .n_max = n_ops + 1};
	size_t n_audit = memory->n_audit;
	bool is_done = true;

	for (size_t i = 0; i < n_ops && is_done; i++)
		is_done = apply(memory, &log, &ops[i], err);
	if (is_done) {
		for (size_t i = 0; i < log.n; i++)
			row_free(memory, log.steps[i].rows, log.steps[i].before);
	} else {
		memory->n_audit = n_audit;
		while (log.n > 0)
			take_back(memory, &log.steps[--log.n]);
	}
	free(log.steps);
	return is_done;
}

static int order_for_reading(const void *a, const void *b)
{
	const struct move_record *x = a, *y = b;
	int order = compare_u64(x->batch, y->batch);

	if (order == 0)
		order = compare_u64(x->order, y->order);
	return order ? order : compare_u64(x->id, y->id);
}

static bool memory_load(struct store *store, struct store_image **ret_image, struct error *err)
{
	const struct memory *memory = store->self;
	struct store_image *image = xcalloc(1, sizeof(*image));

	(void)err;
	memcpy(image->run, memory->run, sizeof(image->run));
	image->epoch = memory->epoch;
	image->n_batches = memory->batches.n;
	image->batches = xcalloc(image->n_batches + 1, sizeof(*image->batches));
	for (size_t i = 0; i < image->n_batches; i++)
		store_image_copy_batch(&image->batches[i], memory->batches.items[i]);
	image->n_moves = memory->moves.n;
	image->moves = xcalloc(image->n_moves + 1, sizeof(*image->moves));
	for (size_t i = 0; i < image->n_moves; i++)
		store_image_copy_move(&image->moves[i], memory->moves.items[i]);
	qsort(image->moves, image->n_moves, sizeof(*image->moves), order_for_reading);
	image->n_hosts = memory->hosts.n;
	image->hosts = xcalloc(image->n_hosts + 1, sizeof(*image->hosts));
	for (size_t i = 0; i < image->n_hosts; i++)
		image->hosts[i] = *(const struct host_record *)memory->hosts.items[i];
	image->n_paths = memory->paths.n;
	image->paths = xcalloc(image->n_paths + 1, sizeof(*image->paths));
	for (size_t i = 0; i < image->n_paths; i++)
		image->paths[i] = *(const struct path_rate *)memory->paths.items[i];
	image->n_limits = memory->limits.n;
	image->limits = xcalloc(image->n_limits + 1, sizeof(*image->limits));
	for (size_t i = 0; i < image->n_limits; i++)
		image->limits[i] = *(const struct limit *)memory->limits.items[i];
	image->n_lessons = memory->lessons.n;
	image->lessons = xcalloc(image->n_lessons + 1, sizeof(*image->lessons));
	for (size_t i = 0; i < image->n_lessons; i++)
		image->lessons[i] = *(const struct lesson *)memory->lessons.items[i];
	image->n_guests = memory->guests.n;
	image->guests = xcalloc(image->n_guests + 1, sizeof(*image->guests));
	for (size_t i = 0; i < image->n_guests; i++)
		image->guests[i] = *(const struct guest_fact *)memory->guests.items[i];
	*ret_image = image;
	return true;
}

static bool memory_audit(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n,
	struct error *err)
{
	const struct memory *memory = store->self;
	struct audit_record *rows = xcalloc(memory->n_audit + 1, sizeof(*rows));
	size_t n = 0;

	(void)err;
	for (size_t i = 0; i < memory->n_audit; i++)
		if (batch == 0 || memory->audit[i].batch == batch)
			rows[n++] = memory->audit[i];
	*ret_rows = rows;
	*ret_n = n;
	return true;
}

static void rows_clear(const struct memory *memory, struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		row_free(memory, rows, rows->items[i]);
	free(rows->items);
}

static void memory_close(struct store *store)
{
	struct memory *memory;

	if (!store)
		return;
	memory = store->self;
	rows_clear(memory, &memory->batches);
	rows_clear(memory, &memory->moves);
	rows_clear(memory, &memory->hosts);
	rows_clear(memory, &memory->paths);
	rows_clear(memory, &memory->limits);
	rows_clear(memory, &memory->lessons);
	rows_clear(memory, &memory->guests);
	free(memory->audit);
	free(memory);
}

struct store *store_memory_new(const char *run)
{
	struct memory *memory = xcalloc(1, sizeof(*memory));

	snprintf(memory->run, sizeof(memory->run), "%s", run);
	memory->store = (struct store){
		.self = memory,
		.load = memory_load,
		.commit = memory_commit,
		.audit = memory_audit,
		.close = memory_close,
	};
	return &memory->store;
}
