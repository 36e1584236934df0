/* The state file when the disk itself fails: a loss of power, which leaves of every file what was synced last, and I/O
 * errors. SQLite's own file layer is put under a thin one that keeps the synced images and fails on demand. */
#include "check.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "store_sqlite.h"

enum { FILES_MAX = 64, COMMITS = 40 };

static struct { const sqlite3_file *file; char path[512]; } files[FILES_MAX]; /* open now, or once */
static size_t n_files;
/* SQLite's tables of methods, one for files with locks and one for those without, and ours: the same but for what is below. */
static struct { const sqlite3_io_methods *theirs; sqlite3_io_methods ours; } tables[4];
static const sqlite3_io_methods *inner; /* any of theirs: they sync and write alike */
static sqlite3_vfs vfs;
static sqlite3_vfs *base;
static bool fails_to_write, fails_to_sync;

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char bytes[65536];
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	fclose(out);
}

/* From now on this is what a loss of power leaves of it. */
static int on_sync(sqlite3_file *file, int flags)
{
	char image[600];
	size_t i;
	int code = fails_to_sync ? SQLITE_IOERR_FSYNC : inner->xSync(file, flags);

	for (i = n_files; code == SQLITE_OK && i > 0; i--)
		if (files[i - 1].file == file) {
			snprintf(image, sizeof image, "%s.synced", files[i - 1].path);
			copy_file(files[i - 1].path, image);
			break;
		}
	return code;
}

static int on_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	return fails_to_write ? SQLITE_IOERR_WRITE : inner->xWrite(file, bytes, n, at);
}

static void intercept(sqlite3_file *file)
{
	size_t i = 0;

	while (i < 4 && tables[i].theirs != NULL && tables[i].theirs != file->pMethods)
		i++;
	assert_true(i < 4);
	if (tables[i].theirs == NULL) {
		inner = tables[i].theirs = file->pMethods;
		tables[i].ours = *file->pMethods;
		tables[i].ours.xSync = on_sync;
		tables[i].ours.xWrite = on_write;
	}
	file->pMethods = &tables[i].ours;
}

static int on_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *file, int flags, int *ret_flags)
{
	int code = base->xOpen(self, name, file, flags, ret_flags);

	if (code != SQLITE_OK || file->pMethods == NULL || name == NULL)
		return code;
	assert_true(n_files < FILES_MAX);
	files[n_files].file = file;
	snprintf(files[n_files++].path, sizeof files[0].path, "%s", name);
	intercept(file);
	return code;
}

static int set_up(void **state)
{
	(void)state;
	fails_to_write = fails_to_sync = false;
	n_files = 0;
	base = sqlite3_vfs_find("unix");
	assert_non_null(base);
	vfs = *base;
	vfs.zName = "power";
	vfs.xOpen = on_open;
	return sqlite3_vfs_register(&vfs, 1) != SQLITE_OK;
}

static int tear_down(void **state)
{
	(void)state;
	sqlite3_vfs_unregister(&vfs);
	scratch_clear();
	return 0;
}

static struct store *open_store(const char *path)
{
	struct store *store;
	struct error err = {0};

	assert_done(store_sqlite_open(path, &store, &err), err);
	return store;
}

static bool commit_host(struct store *store, size_t n, struct error *err)
{
	struct store_op op = {.kind = STORE_PUT_HOST};

	snprintf(op.host.name, sizeof op.host.name, "h%zu", n);
	op.host.cordoned = true;
	op.host.since_wall_ms = 1;
	return store->commit(store, &op, 1, err);
}

static size_t count_hosts(const char *path)
{
	struct store *store = open_store(path);
	struct store_image *image;
	struct error err = {0};
	size_t n;

	assert_done(store->load(store, &image, &err), err);
	n = image->n_hosts;
	store_image_free(image);
	store->close(store);
	return n;
}

/* What is on the disk after a loss of power, in files of other names. */
static void lose_power(const char *path, const char *left)
{
	char from[600], to[600];
	FILE *log;

	snprintf(from, sizeof from, "%s.synced", path);
	copy_file(from, left);
	snprintf(from, sizeof from, "%s-wal.synced", path);
	snprintf(to, sizeof to, "%s-wal", left);
	log = fopen(from, "rb");
	if (log == NULL)
		return;
	fclose(log);
	copy_file(from, to);
}

static void every_commit_that_returned_survives_a_loss_of_power(void **state)
{
	char *path = scratch_path("state.db"), *left = scratch_path("left.db");
	struct store *store = open_store(path);
	size_t i;

	(void)state;
	for (i = 0; i < COMMITS; i++) {
		struct error err = {0};

		assert_done(commit_host(store, i, &err), err);
	}
	lose_power(path, left);
	assert_int_equal(count_hosts(left), COMMITS);
	store->close(store);
	free(path);
	free(left);
}

static void an_io_error_fails_the_commit_and_the_same_commit_works_later(void **state)
{
	char *path = scratch_path("state.db");
	bool *const faults[] = {&fails_to_write, &fails_to_sync};
	struct store *store = open_store(path);
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct error err = {0};

		*faults[i] = true;
		assert_false(commit_host(store, i, &err));
		assert_int_equal(err.code, ERR_STATE_IO);
		assert_true(err.message[0] != '\0');
		*faults[i] = false;
		assert_done(commit_host(store, i, &err), err);
	}
	store->close(store);
	assert_int_equal(count_hosts(path), 2);
	free(path);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(every_commit_that_returned_survives_a_loss_of_power, set_up, tear_down),
	cmocka_unit_test_setup_teardown(an_io_error_fails_the_commit_and_the_same_commit_works_later, set_up, tear_down),
};
TEST_MAIN(tests)
