/* Writing the state: one transaction for each commit, whatever number of operations it holds, because the
 * sync to disk at its end is nearly the whole cost.
 *
 * A move is updated only over the state and epoch that the engine believes in; when
 * no row is changed by that, somebody else wrote the file and the whole commit is refused.
 *
 * Checkpoints are made here and nowhere else, on the same connection: SQLite before 3.51.3 can lose commits when one
 * connection checkpoints while another one writes. PASSIVE never waits for a reader.
 */
#include <assert.h>
#include <inttypes.h>

#include "store_sqlite_internal.h"
#include "store_sqlite_rows.h"

enum { WAL_PAGES_MAX = 1000 }; /* 4 MB of log before it is carried into the file: SQLite's own default */

static const char *const statement_sql[STATEMENT_COUNT] = {
	[STATEMENT_PUT_BATCH] = INSERT("batch", BATCH_COLUMNS)
		" ON CONFLICT (id) DO UPDATE SET " COLUMN_SETS_EXCLUDED(BATCH_COLUMNS),
	[STATEMENT_INSERT_MOVE] = INSERT("move", MOVE_COLUMNS),
	[STATEMENT_UPDATE_MOVE] = "UPDATE move SET " COLUMN_SETS(MOVE_COLUMNS) " WHERE id = ? AND state = ? AND epoch = ?",
	[STATEMENT_DELETE_DISKS] = "DELETE FROM volume WHERE move = ?",
	[STATEMENT_INSERT_DISK] = "INSERT INTO volume (move, position, role, " COLUMN_NAMES(DISK_COLUMNS)
		") VALUES (?, ?, 'copied', " COLUMN_MARKS(DISK_COLUMNS) ")",
	[STATEMENT_PUT_HOST] = INSERT("host", HOST_COLUMNS)
		" ON CONFLICT (name) DO UPDATE SET " COLUMN_SETS_EXCLUDED(HOST_COLUMNS),
	[STATEMENT_PUT_PATH] = INSERT("path", PATH_COLUMNS)
		" ON CONFLICT (source, target) DO UPDATE SET " COLUMN_SETS_EXCLUDED(PATH_COLUMNS),
	[STATEMENT_PUT_LIMIT] = INSERT("limits", LIMIT_COLUMNS)
		" ON CONFLICT (kind, host, network) DO UPDATE SET " COLUMN_SETS_EXCLUDED(LIMIT_COLUMNS),
	[STATEMENT_CLEAR_LIMITS] = "DELETE FROM limits",
	[STATEMENT_PUT_LESSON] = INSERT("lesson", LESSON_COLUMNS)
		" ON CONFLICT (source, target, class) DO UPDATE SET " COLUMN_SETS_EXCLUDED(LESSON_COLUMNS),
	[STATEMENT_PUT_GUEST] = INSERT("guest", GUEST_COLUMNS)
		" ON CONFLICT (uuid) DO UPDATE SET " COLUMN_SETS_EXCLUDED(GUEST_COLUMNS),
	[STATEMENT_AUDIT] = INSERT("audit", AUDIT_COLUMNS),
	[STATEMENT_SET_EPOCH] = "UPDATE meta SET epoch = ? WHERE epoch <= ?",
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
};

static bool statement(struct store_sqlite *self, enum statement which, struct row *ret_row, struct error *err)
{
	if (!self->statements[which] &&
		sqlite3_prepare_v3(self->db, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[which],
			NULL) != SQLITE_OK)
		return store_sqlite_error(self, sqlite3_errcode(self->db), "write", err);
	*ret_row = (struct row){.statement = self->statements[which]};
	return true;
}

/* Runs a bound statement and lets go of what was bound: it is borrowed. */
static bool run(struct store_sqlite *self, struct row *row, struct error *err)
{
	int result = sqlite3_step(row->statement);
	bool is_done = result == SQLITE_DONE || store_sqlite_error(self, result, "write", err);

	sqlite3_reset(row->statement);
	sqlite3_clear_bindings(row->statement);
	return is_done;
}

static bool run_simple(struct store_sqlite *self, enum statement which, struct error *err)
{
	struct row row = {0};

	return statement(self, which, &row, err) && run(self, &row, err);
}

static bool put_batch(struct store_sqlite *self, const struct batch_record *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_BATCH, row, err))
		return false;
	BIND_COLUMNS(BATCH_COLUMNS)
	return run(self, row, err);
}

static bool put_disks(struct store_sqlite *self, const struct move_record *move, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_DELETE_DISKS, row, err))
		return false;
	row_bind_u64(row, move->id);
	if (!run(self, row, err))
		return false;
	for (size_t i = 0; i < move->n_disks; i++) {
		const struct hv_disk *record = &move->disks[i];

		if (!statement(self, STATEMENT_INSERT_DISK, row, err))
			return false;
		row_bind_u64(row, move->id);
		row_bind_u64(row, i);
		BIND_COLUMNS(DISK_COLUMNS)
		if (!run(self, row, err))
			return error_wrap(err, "disk %s", record->target ? record->target : "?");
	}
	return true;
}

static bool put_move(struct store_sqlite *self, const struct store_op *op, struct error *err)
{
	const struct move_record *record = op->move;
	bool is_new = op->expect_state == MOVE_STATE_COUNT;
	struct row at, *row = &at;

	if (!statement(self, is_new ? STATEMENT_INSERT_MOVE : STATEMENT_UPDATE_MOVE, row, err))
		return false;
	BIND_COLUMNS(MOVE_COLUMNS)
	if (!is_new) {
		row_bind_u64(row, record->id);
		row_bind_move_state(row, op->expect_state);
		row_bind_u64(row, op->expect_epoch);
	}
	if (!run(self, row, err))
		return error_wrap(err, "move %" PRIu64, record->id);
	if (!is_new && sqlite3_changes(self->db) != 1)
		return error_set(err, ERR_STATE_CORRUPT,
			"state file %s: move %" PRIu64 " is not %s epoch %" PRIu64 " any more; another program wrote the file",
			self->path, record->id, move_state_name(op->expect_state), op->expect_epoch);
	return !op->with_disks || put_disks(self, record, err);
}

static bool put_host(struct store_sqlite *self, const struct host_record *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_HOST, row, err))
		return false;
	BIND_COLUMNS(HOST_COLUMNS)
	return run(self, row, err);
}

static bool put_path(struct store_sqlite *self, const struct path_rate *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_PATH, row, err))
		return false;
	BIND_COLUMNS(PATH_COLUMNS)
	return run(self, row, err);
}

static bool put_limit(struct store_sqlite *self, const struct limit *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_LIMIT, row, err))
		return false;
	BIND_COLUMNS(LIMIT_COLUMNS)
	return run(self, row, err);
}

static bool put_lesson(struct store_sqlite *self, const struct lesson *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_LESSON, row, err))
		return false;
	BIND_COLUMNS(LESSON_COLUMNS)
	return run(self, row, err);
}

static bool put_guest(struct store_sqlite *self, const struct guest_fact *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_PUT_GUEST, row, err))
		return false;
	BIND_COLUMNS(GUEST_COLUMNS)
	return run(self, row, err);
}

static bool add_audit(struct store_sqlite *self, const struct audit_record *record, struct error *err)
{
	struct row at, *row = &at;

	if (!statement(self, STATEMENT_AUDIT, row, err))
		return false;
	BIND_COLUMNS(AUDIT_COLUMNS)
	return run(self, row, err);
}

static bool set_epoch(struct store_sqlite *self, uint64_t epoch, struct error *err)
{
	struct row row = {0};

	if (!statement(self, STATEMENT_SET_EPOCH, &row, err))
		return false;
	row_bind_u64(&row, epoch);
	row_bind_u64(&row, epoch);
	if (!run(self, &row, err))
		return false;
	if (sqlite3_changes(self->db) != 1)
		return error_set(err, ERR_STATE_CORRUPT,
			"state file %s has an epoch over %" PRIu64 "; another program wrote the file", self->path, epoch);
	return true;
}

static bool apply(struct store_sqlite *self, const struct store_op *op, struct error *err)
{
	switch (op->kind) {
	case STORE_PUT_BATCH:
		return put_batch(self, op->batch, err);
	case STORE_PUT_MOVE:
		return put_move(self, op, err);
	case STORE_PUT_HOST:
		return put_host(self, &op->host, err);
	case STORE_PUT_PATH:
		return put_path(self, &op->path, err);
	case STORE_PUT_LIMIT:
		return put_limit(self, &op->limit, err);
	case STORE_CLEAR_LIMITS:
		return run_simple(self, STATEMENT_CLEAR_LIMITS, err);
	case STORE_PUT_LESSON:
		return put_lesson(self, &op->lesson, err);
	case STORE_PUT_GUEST:
		return put_guest(self, &op->guest, err);
	case STORE_AUDIT:
		return add_audit(self, &op->audit, err);
	case STORE_SET_EPOCH:
		return set_epoch(self, op->epoch, err);
	}
	assert(false && "no such operation");
	return false;
}

/* After a commit, so a failure costs nothing but a longer log: the next commit tries again. */
static void checkpoint_when_due(struct store_sqlite *self)
{
	if (self->wal_pages >= WAL_PAGES_MAX)
		(void)sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

bool store_sqlite_commit(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err)
{
	struct store_sqlite *self = store->self;
	bool is_done = true;

	if (self->is_readonly)
		return error_set(err, ERR_STATE_IO, "state file %s is open for reading only", self->path);
	if (n_ops == 0)
		return true;
	if (!run_simple(self, STATEMENT_BEGIN, err))
		return false;
	for (size_t i = 0; i < n_ops && is_done; i++)
		is_done = apply(self, &ops[i], err);
	is_done = is_done && run_simple(self, STATEMENT_COMMIT, err);
	if (!is_done) {
		/* SQLite may have rolled back by itself after an I/O error. */
		if (!sqlite3_get_autocommit(self->db))
			sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
		return false;
	}
	checkpoint_when_due(self);
	return true;
}
