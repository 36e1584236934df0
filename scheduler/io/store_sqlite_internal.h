/* What the files of the SQLite store share among themselves. */
#ifndef DROVER_STORE_SQLITE_INTERNAL_H
#define DROVER_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "drover/store.h"

enum statement {
	STATEMENT_PUT_BATCH,
	STATEMENT_INSERT_MOVE,
	STATEMENT_UPDATE_MOVE,
	STATEMENT_DELETE_DISKS,
	STATEMENT_INSERT_DISK,
	STATEMENT_PUT_HOST,
	STATEMENT_PUT_PATH,
	STATEMENT_PUT_LIMIT,
	STATEMENT_CLEAR_LIMITS,
	STATEMENT_PUT_LESSON,
	STATEMENT_PUT_GUEST,
	STATEMENT_AUDIT,
	STATEMENT_SET_EPOCH,
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_COUNT
};

struct store_sqlite {
	struct store store;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT]; /* compiled at first use, kept until close */
	int lock_fd; /* -1 for readers */
	int wal_pages; /* after the last commit */
	bool is_readonly;
};

/* store_sqlite_schema.c: refuses a file that is of another program or newer. Changes nothing. */
bool store_sqlite_check_ours(struct store_sqlite *self, struct error *err);
/* A new or older file becomes current. */
bool store_sqlite_migrate(struct store_sqlite *self, struct error *err);
/* For readers: refuses what is not exactly current. */
bool store_sqlite_check_version(struct store_sqlite *self, struct error *err);

/* store_sqlite_load.c, store_sqlite_commit.c: the functions of the seam. */
bool store_sqlite_load(struct store *store, struct store_image **ret_image, struct error *err);
bool store_sqlite_audit(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n,
	struct error *err);
bool store_sqlite_commit(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err);

/* Turns SQLite's answer into ours: damage is ERR_STATE_CORRUPT, everything else ERR_STATE_IO. Returns false. */
bool store_sqlite_error(const struct store_sqlite *self, int result, const char *doing, struct error *err);
bool store_sqlite_exec(struct store_sqlite *self, const char *sql, const char *doing, struct error *err);
/* The one integer that a query gives. */
bool store_sqlite_int(struct store_sqlite *self, const char *sql, int64_t *ret, struct error *err);

#endif
