/* The store in one SQLite file: state, learned rates and audit log.
 *
 * Exactly one process has a file open for writing: it holds a lock on PATH.lock, which names its pid. That
 * process has exactly one connection and does every commit and every checkpoint itself, on one thread; the WAL-reset defect of
 * SQLite before 3.51.3 needs two. Readers may look at any time and never change the file. The file
 * must be on a local disk. The views v_batch and v_move are there for people with the sqlite3 shell.
 */
#ifndef DROVER_STORE_SQLITE_H
#define DROVER_STORE_SQLITE_H

#include "drover/store.h"

/* Creates the file (0640) and missing parent folders (0750), brings an older schema up to date.
 * ERR_STATE_LOCKED: another process has it, the message names the pid. ERR_STATE_VERSION: written by a newer
 * drover, both numbers in the message. ERR_STATE_CORRUPT: not a database, not ours, or damaged.
 * ERR_STATE_IO: a folder, a link, not readable, not writable. Nothing is changed on failure.
 * *ret belongs to the caller, who ends it with its close. */
bool store_sqlite_open(const char *path, struct store **ret, struct error *err);

/* For status and report, also while another process writes: load and audit; commit refuses with
 * ERR_STATE_IO. Each load sees one consistent moment. ERR_FILE when there is no file yet. */
bool store_sqlite_open_readonly(const char *path, struct store **ret, struct error *err);

/* A consistent copy of path, whether or not it is in use, as a file of its own (0640). dest must not exist. */
bool store_sqlite_backup(const char *path, const char *dest, struct error *err);

#endif
