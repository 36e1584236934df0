/* The state file: who may have it, opening, closing, copying. What stands in it is in the store_sqlite_*.c
 * files beside: schema, load, commit, rows.
 *
 * The lock is a file beside the state file and not the state file itself: opening and closing the
 * latter a second time in one process would drop the locks that SQLite holds on it.
 */
#include "store_sqlite.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_sqlite_internal.h"
#include "xalloc.h"

enum {
	FOLDER_MODE = 0750,
	FILE_MODE = 0640,
	LOCK_TRIES = 20,
	LOCK_PAUSE_MS = 50,
	BUSY_MS = 1000, /* somebody with the sqlite3 shell; longer would hold up the loop */
	BACKUP_PAGES = 256, /* at a time, so that a backup does not keep the writer waiting */
};

bool store_sqlite_error(const struct store_sqlite *self, int result, const char *doing, struct error *err)
{
	const char *text = self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(result);

	switch (result & 0xff) {
	case SQLITE_CORRUPT:
		return error_set(err, ERR_STATE_CORRUPT, "state file %s is damaged: cannot %s: %s", self->path, doing, text);
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_ERROR: /* a table or column that should be there is not */
		return error_set(err, ERR_STATE_CORRUPT, "state file %s: cannot %s: %s", self->path, doing, text);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		error_set(err, ERR_STATE_IO, "state file %s: cannot %s: another program has it locked", self->path, doing);
		error_hint(err, "end the program that has the file open, perhaps an sqlite3 shell");
		return false;
	default:
		return error_set(err, ERR_STATE_IO, "state file %s: cannot %s: %s", self->path, doing, text);
	}
}

bool store_sqlite_exec(struct store_sqlite *self, const char *sql, const char *doing, struct error *err)
{
	int result = sqlite3_exec(self->db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK || store_sqlite_error(self, result, doing, err);
}

bool store_sqlite_int(struct store_sqlite *self, const char *sql, int64_t *ret, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return result == SQLITE_ROW || store_sqlite_error(self, result, "read", err);
}

/* Makes the folder and those above it that are missing. */
static bool make_folder(const char *folder, struct error *err)
{
	char *text, *parent;
	bool is_done;

	if (mkdir(folder, FOLDER_MODE) == 0 || errno == EEXIST)
		return true;
	if (errno != ENOENT)
		return error_set(err, ERR_STATE_IO, "cannot make folder %s of the state file: %s", folder, strerror(errno));
	text = xstrdup(folder);
	parent = dirname(text);
	is_done = make_folder(parent, err);
	free(text);
	if (is_done && mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
		return error_set(err, ERR_STATE_IO, "cannot make folder %s of the state file: %s", folder, strerror(errno));
	return is_done;
}

/* The path with every link in its folders resolved, because SQLite's NOFOLLOW refuses links anywhere and
 * only the file itself must not be one. With free(); NULL and errno when the folder is not there. */
static char *resolve(const char *path)
{
	char *folder_text = xstrdup(path), *name_text = xstrdup(path);
	char *folder = realpath(dirname(folder_text), NULL);
	char *full = NULL;

	if (folder)
		full = xprintf("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, basename(name_text));
	free(folder);
	free(folder_text);
	free(name_text);
	return full;
}

/* The plain mistakes, said in words that SQLite has not. A file that does not exist is no mistake here. */
static bool check_file(const char *path, bool *ret_exists, struct error *err)
{
	struct stat status;

	if (lstat(path, &status) != 0) {
		*ret_exists = false;
		return errno == ENOENT || error_set(err, ERR_STATE_IO, "state file %s: %s", path, strerror(errno));
	}
	*ret_exists = true;
	if (S_ISDIR(status.st_mode)) {
		error_set(err, ERR_STATE_IO, "state file %s is a folder", path);
		error_hint(err, "name a file in it: state = %s/state.db", path);
		return false;
	}
	if (S_ISLNK(status.st_mode)) {
		error_set(err, ERR_STATE_IO, "state file %s is a link, which is not followed", path);
		error_hint(err, "name the file that it points to");
		return false;
	}
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERR_STATE_IO, "state file %s is not a regular file", path);
	return true;
}

static bool create_file(const char *path, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	if (fd < 0)
		return error_set(err, ERR_STATE_IO, "cannot make state file %s: %s", path, strerror(errno));
	close(fd);
	return true;
}

static bool lock_refused(const char *path, int fd, struct error *err)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return error_set(err, ERR_STATE_LOCKED, "state file %s is in use by process %s", path, pid[0] ? pid : "(unknown)");
}

/* A plan holds the lock for a moment, to keep what it measured; that is waited for. False with errno set. */
static bool wait_for_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	int tries;

	for (tries = LOCK_TRIES; flock(fd, LOCK_EX | LOCK_NB) != 0; tries--) {
		if (errno != EWOULDBLOCK || tries == 0)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Takes PATH.lock for the life of the process or until close. The file stays: removing it would let two processes lock
 * two different files of that name. */
static bool take_lock(const char *path, int *ret_fd, struct error *err)
{
	char *lock_path = xprintf("%s.lock", path);
	int fd = open(lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	bool is_done = false;

	if (fd < 0)
		error_set(err, ERR_STATE_IO, "cannot open lock file %s: %s", lock_path, strerror(errno));
	else if (wait_for_lock(fd))
		is_done = ftruncate(fd, 0) == 0 && dprintf(fd, "%ld\n", (long)getpid()) > 0;
	else if (errno == EWOULDBLOCK)
		lock_refused(path, fd, err);
	else
		error_set(err, ERR_STATE_IO, "cannot lock %s: %s", lock_path, strerror(errno));
	if (is_done)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	free(lock_path);
	return is_done;
}

static int count_wal_pages(void *context, sqlite3 *db, const char *name, int n_pages)
{
	struct store_sqlite *self = context;

	(void)db;
	(void)name;
	self->wal_pages = n_pages;
	return SQLITE_OK;
}

/* name: the path, or a URI with it. */
static bool open_connection(struct store_sqlite *self, const char *name, int flags, struct error *err)
{
	int result = sqlite3_open_v2(name, &self->db,
		flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX, NULL);

	if (result != SQLITE_OK)
		return store_sqlite_error(self, result, "open it", err);
	sqlite3_busy_timeout(self->db, BUSY_MS);
	sqlite3_db_config(self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(self->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(self->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return store_sqlite_exec(self, "PRAGMA foreign_keys = ON", "open it", err);
}

static bool set_up_writer(struct store_sqlite *self, struct error *err)
{
	/* The hook replaces SQLite's own checkpoints, hence it comes after the pragma that turns those off. */
	if (!store_sqlite_exec(self, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0",
		"open it", err))
		return false;
	sqlite3_wal_hook(self->db, count_wal_pages, self);
	return true;
}

static bool check_content(struct store_sqlite *self, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(self->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	bool is_good = false;

	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		is_good = text && strcmp(text, "ok") == 0;
		if (!is_good)
			error_set(err, ERR_STATE_CORRUPT, "state file %s is damaged: %s", self->path, text ? text : "?");
	} else {
		store_sqlite_error(self, result, "check it", err);
	}
	sqlite3_finalize(statement);
	return is_good;
}

static void store_sqlite_close(struct store *store)
{
	struct store_sqlite *self;

	if (!store)
		return;
	self = store->self;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(self->statements[i]);
	sqlite3_close(self->db); /* carries the log into the file and removes it, when no reader is left */
	if (self->lock_fd >= 0) {
		(void)!ftruncate(self->lock_fd, 0);
		close(self->lock_fd);
	}
	free(self->path);
	free(self);
}

static struct store_sqlite *store_sqlite_new(char *path, bool is_readonly)
{
	struct store_sqlite *self = xcalloc(1, sizeof(*self));

	self->path = path;
	self->lock_fd = -1;
	self->is_readonly = is_readonly;
	self->store = (struct store){
		.self = self,
		.load = store_sqlite_load,
		.commit = store_sqlite_commit,
		.audit = store_sqlite_audit,
		.close = store_sqlite_close,
	};
	return self;
}

/* In this order: nothing of a foreign or newer file is read further or changed, and nothing of a damaged one is changed. */
static bool open_writer(struct store_sqlite *self, struct error *err)
{
	bool exists;

	return check_file(self->path, &exists, err) && take_lock(self->path, &self->lock_fd, err) &&
		(exists || create_file(self->path, err)) && open_connection(self, self->path, SQLITE_OPEN_READWRITE, err) &&
		store_sqlite_check_ours(self, err) && check_content(self, err) && set_up_writer(self, err) &&
		store_sqlite_migrate(self, err);
}

bool store_sqlite_open(const char *path, struct store **ret, struct error *err)
{
	char *folder_text = xstrdup(path);
	bool has_folder = make_folder(dirname(folder_text), err);
	struct store_sqlite *self;
	char *full;

	free(folder_text);
	if (!has_folder)
		return false;
	full = resolve(path);
	if (!full)
		return error_set(err, ERR_STATE_IO, "state file %s: %s", path, strerror(errno));
	self = store_sqlite_new(full, false);
	if (!open_writer(self, err)) {
		store_sqlite_close(&self->store);
		return false;
	}
	*ret = &self->store;
	return true;
}

/* file: and the path with everything but plain characters as %XX; with free(). */
static char *immutable_uri(const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		abort();
	fputs("file:", stream);
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/._-", *path))
			fputc(*path, stream);
		else
			fprintf(stream, "%%%02X", (unsigned char)*path);
	}
	fputs("?immutable=1", stream);
	if (fclose(stream) != 0)
		abort();
	return text;
}

/* A reader who may not write into the folder cannot make the files that go with a log. When there is no log, nobody
 * has the file open and what is in it is all there is: then it is read as it stands. */
static bool open_without_log(struct store_sqlite *self, struct error *err)
{
	char *log_path = xprintf("%s-wal", self->path);
	char *uri = immutable_uri(self->path);
	bool is_done = false;

	if (access(log_path, F_OK) != 0 && errno == ENOENT) {
		sqlite3_close(self->db);
		self->db = NULL;
		is_done = open_connection(self, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err) &&
			store_sqlite_check_version(self, err);
	}
	free(uri);
	free(log_path);
	return is_done;
}

static bool open_reader(struct store_sqlite *self, struct error *err)
{
	bool exists;
	int result;

	if (!check_file(self->path, &exists, err))
		return false;
	if (!exists)
		return error_set(err, ERR_FILE, "there is no state file %s yet", self->path);
	if (!open_connection(self, self->path, SQLITE_OPEN_READONLY, err))
		return false;
	if (store_sqlite_check_version(self, err))
		return true;
	result = sqlite3_extended_errcode(self->db) & 0xff;
	if (result != SQLITE_CANTOPEN && result != SQLITE_READONLY)
		return false;
	if (open_without_log(self, err))
		return true;
	error_hint(err, "only its owner may read it while its log %s-wal is there", self->path);
	return false;
}

bool store_sqlite_open_readonly(const char *path, struct store **ret, struct error *err)
{
	char *full = resolve(path);
	struct store_sqlite *self;

	if (!full)
		return error_set(err, errno == ENOENT ? ERR_FILE : ERR_STATE_IO, "state file %s: %s", path, strerror(errno));
	self = store_sqlite_new(full, true);
	if (!open_reader(self, err)) {
		store_sqlite_close(&self->store);
		return false;
	}
	*ret = &self->store;
	return true;
}

/* Copies page by page into an empty file. */
static bool copy_pages(struct store_sqlite *from, const char *dest, struct error *err)
{
	sqlite3 *to = NULL;
	sqlite3_backup *backup = NULL;
	int result = sqlite3_open_v2(dest, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);

	if (result == SQLITE_OK) {
		backup = sqlite3_backup_init(to, "main", from->db, "main");
		do
			result = backup ? sqlite3_backup_step(backup, BACKUP_PAGES) : sqlite3_errcode(to);
		while (result == SQLITE_OK);
		sqlite3_backup_finish(backup);
	}
	if (result != SQLITE_DONE)
		error_set(err, ERR_FILE, "cannot copy state file %s to %s: %s", from->path, dest, sqlite3_errstr(result));
	sqlite3_close(to);
	return result == SQLITE_DONE;
}

bool store_sqlite_backup(const char *path, const char *dest, struct error *err)
{
	struct store *source;
	bool is_done;
	int fd;

	if (!store_sqlite_open_readonly(path, &source, err))
		return false;
	fd = open(dest, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0) {
		error_set(err, ERR_FILE, "cannot make backup %s: %s", dest, strerror(errno));
		source->close(source);
		return false;
	}
	close(fd);
	is_done = copy_pages(source->self, dest, err);
	source->close(source);
	if (!is_done)
		unlink(dest);
	return is_done;
}
