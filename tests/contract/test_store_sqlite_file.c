/* The state file as a file: who may open it, what is refused, what survives a kill and a full disk. What is
 * in it is tested in test_store.c. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "store_sqlite.h"

enum { NOBODY = 65534 };

static char *path;

static int set_up(void **state)
{
	(void)state;
	umask(022);
	path = scratch_path("state.db");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(path);
	scratch_clear();
	return 0;
}

static struct store *open_store(void)
{
	struct store *store;
	struct error err = {0};

	assert_done(store_sqlite_open(path, &store, &err), err);
	return store;
}

static void make_store(void)
{
	struct store *store = open_store();

	store->close(store);
}

/* As an sqlite3 shell would. */
static void shell(const char *file, const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static int shell_result(const char *sql)
{
	sqlite3 *db;
	int result;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	result = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return result;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void expect_open_refused(enum error_code code, const char *word)
{
	struct store *store = NULL;
	struct error err = {0};

	assert_refused(store_sqlite_open(path, &store, &err), err, code);
	assert_null(store);
	assert_non_null(strstr(err.message, path));
	if (!strstr(err.message, word))
		fail_msg("no \"%s\" in: %s", word, err.message);
	assert_true(err.hint[0] != '\0');
}

static bool cordon(struct store *store, const char *name, struct error *err)
{
	struct store_op op = {.kind = STORE_PUT_HOST, .host = {.cordoned = true}};

	snprintf(op.host.name, sizeof(op.host.name), "%s", name);
	return store->commit(store, &op, 1, err);
}

static size_t count_hosts(struct store *store)
{
	struct store_image *image;
	struct error err = {0};
	size_t n;

	assert_done(store->load(store, &image, &err), err);
	n = image->n_hosts;
	store_image_free(image);
	return n;
}

static mode_t mode_of(const char *file)
{
	struct stat status;

	assert_int_equal(stat(file, &status), 0);
	return status.st_mode & 07777;
}

static void opening_makes_private_folders_and_a_private_file(void **state)
{
	char *deep = scratch_path("a/b/state.db");
	char *folder = scratch_path("a");
	char *log = scratch_path("a/b/state.db-wal");
	struct store *store;
	struct error err = {0};

	(void)state;
	assert_done(store_sqlite_open(deep, &store, &err), err);
	assert_done(cordon(store, "h1", &err), err);
	assert_int_equal(mode_of(folder), 0750);
	assert_int_equal(mode_of(deep), 0640);
	assert_int_equal(mode_of(log), 0640);
	store->close(store);
	assert_int_equal(access(log, F_OK), -1);
	free(deep);
	free(folder);
	free(log);
}

static void two_files_have_two_identities(void **state)
{
	struct store *stores[2];
	struct store_image *images[2];
	struct error err = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *file = scratch_path(i ? "one.db" : "two.db");

		assert_done(store_sqlite_open(file, &stores[i], &err), err);
		assert_done(stores[i]->load(stores[i], &images[i], &err), err);
		stores[i]->close(stores[i]);
		free(file);
	}
	assert_string_not_equal(images[0]->run, images[1]->run);
	store_image_free(images[0]);
	store_image_free(images[1]);
}

static void a_second_open_is_refused_and_names_the_process(void **state)
{
	struct store *store = open_store();
	char pid[32];

	(void)state;
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	expect_open_refused(ERR_STATE_LOCKED, pid);
	store->close(store);
	make_store();
}

/* Runs act in a child and gives its wait status. */
static int in_child(void (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		act();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void open_and_die(void)
{
	struct store *store;

	if (store_sqlite_open(path, &store, NULL) && cordon(store, "h1", NULL))
		kill(getpid(), SIGKILL);
}

static void the_lock_of_a_killed_process_is_free(void **state)
{
	int status = in_child(open_and_die);
	struct store *store;

	(void)state;
	assert_true(WIFSIGNALED(status));
	store = open_store();
	assert_int_equal(count_hosts(store), 1);
	store->close(store);
}

static int commits_pipe[2];

static void commit_until_killed(void)
{
	struct store *store;

	if (!store_sqlite_open(path, &store, NULL))
		_exit(1);
	for (int i = 0;; i++) {
		char name[16];

		snprintf(name, sizeof(name), "h%d", i);
		if (!cordon(store, name, NULL) || write(commits_pipe[1], "x", 1) != 1)
			_exit(1);
	}
}

static void every_commit_that_returned_survives_a_kill(void **state)
{
	struct store *store;
	size_t n_seen = 0;
	char bytes[64];
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(commits_pipe), 0);
	pid = fork();
	if (pid == 0)
		commit_until_killed();
	close(commits_pipe[1]);
	while (n_seen < 100 && (n = read(commits_pipe[0], bytes, sizeof(bytes))) > 0)
		n_seen += (size_t)n;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while ((n = read(commits_pipe[0], bytes, sizeof(bytes))) > 0)
		n_seen += (size_t)n;
	close(commits_pipe[0]);
	assert_true(n_seen >= 100);
	store = open_store();
	assert_in_range(count_hosts(store), n_seen, n_seen + 1);
	store->close(store);
}

static void a_file_from_the_future_is_refused_with_both_numbers(void **state)
{
	(void)state;
	make_store();
	shell(path, "PRAGMA user_version = 4711");
	expect_open_refused(ERR_STATE_VERSION, "4711");
	expect_open_refused(ERR_STATE_VERSION, "up to 7");
}

/* As the first version wrote it, with a move in it. */
static void a_file_of_the_first_version_is_brought_up_to_date(void **state)
{
	struct store_image *image;
	struct error err = {0};
	struct store *store;

	(void)state;
	make_store();
	shell(path, "ALTER TABLE move DROP COLUMN path_source; ALTER TABLE move DROP COLUMN path_target;"
		"ALTER TABLE move DROP COLUMN warning_code; ALTER TABLE move DROP COLUMN warning_message;"
		"ALTER TABLE move DROP COLUMN warning_hint; ALTER TABLE move DROP COLUMN method;"
		"ALTER TABLE move DROP COLUMN leg; ALTER TABLE move DROP COLUMN after_move;"
		"ALTER TABLE move DROP COLUMN was_shutoff; ALTER TABLE move DROP COLUMN post_copy; DROP TABLE limits; DROP TABLE lesson; DROP TABLE guest; PRAGMA user_version = 1;"
		"ALTER TABLE path ADD COLUMN duration_milli INTEGER NOT NULL DEFAULT 0;"
		"DROP VIEW v_move; DROP VIEW v_batch; ALTER TABLE move DROP COLUMN state;"
		"ALTER TABLE move ADD COLUMN state TEXT NOT NULL DEFAULT 'unknown' CHECK (state IN ('done', 'unknown'));"
		"CREATE VIEW v_move AS SELECT id FROM move; CREATE VIEW v_batch AS SELECT id FROM batch;"
		"INSERT INTO batch VALUES (1, 'drain', 'done', 't', NULL, NULL, NULL, 1, 2, 3, 4, NULL);"
		"INSERT INTO move VALUES (1, 1, 0, 'web', '', 'h1', 'h2', 'shared', 1, 1, NULL, NULL, 0, 0, 0, 0, 0, 1, 2, 0, 5, 0,"
		" 0, 1, 0, 0, 0, 'none', '', '', 'done');");
	store = open_store();
	assert_done(store->load(store, &image, &err), err);
	assert_int_equal(image->n_moves, 1);
	assert_string_equal(image->moves[0].guest, "web");
	assert_int_equal(image->moves[0].warning.code, ERR_NONE);
	assert_null(image->moves[0].path_source);
	assert_int_equal(image->moves[0].method, METHOD_LIVE);
	assert_false(image->moves[0].was_shutoff);
	assert_int_equal(image->moves[0].state, MOVE_DONE);
	assert_int_equal(image->moves[0].post_copy, POST_COPY_NO);
	assert_int_equal(image->moves[0].leg, LEG_WHOLE);
	assert_int_equal(image->moves[0].after, 0);
	store_image_free(image);
	store->close(store);
	assert_int_equal(shell_result("UPDATE move SET state = 'post_copy'; SELECT 1 / (SELECT count(*) FROM v_move WHERE state = 'post_copy' AND duration_ms = 1)"),
		SQLITE_OK);
}

static void a_database_of_another_program_is_refused_and_left_alone(void **state)
{
	(void)state;
	shell(path, "CREATE TABLE move (x)");
	expect_open_refused(ERR_STATE_CORRUPT, "another program");
	assert_int_equal(shell_result("INSERT INTO move VALUES (1); SELECT 1 / (SELECT count(*) = 1 FROM sqlite_master)"),
		SQLITE_OK);
}

static void a_text_file_is_refused_and_left_alone(void **state)
{
	char text[64] = "";
	FILE *file;

	(void)state;
	write_file("this is my shopping list, not a database\n");
	expect_open_refused(ERR_STATE_CORRUPT, "not a database");
	file = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "this is my shopping list, not a database\n");
}

static void an_empty_file_becomes_a_state_file(void **state)
{
	(void)state;
	write_file("");
	make_store();
}

/* Writes nonsense over every page from the n-th on; the first is 0. */
static void damage_from(off_t n)
{
	struct stat status;
	char junk[512];
	int fd;

	make_store();
	memset(junk, 0x5a, sizeof(junk));
	fd = open(path, O_WRONLY);
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(status.st_size > n * 4096);
	for (off_t at = n * 4096; at < status.st_size; at += 4096)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
	close(fd);
}

static void a_damaged_file_is_refused(void **state)
{
	(void)state;
	damage_from(1);
	expect_open_refused(ERR_STATE_CORRUPT, "damaged");
	unlink(path);
	damage_from(10);
	expect_open_refused(ERR_STATE_CORRUPT, "damaged");
}

static void a_file_without_its_tables_is_refused(void **state)
{
	struct store *store;
	struct store_image *image;
	struct error err = {0};

	(void)state;
	make_store();
	shell(path, "DROP VIEW v_batch; DROP VIEW v_move; DROP TABLE volume; DROP TABLE move");
	store = open_store();
	assert_refused(store->load(store, &image, &err), err, ERR_STATE_CORRUPT);
	store->close(store);
}

static void a_folder_is_refused_with_advice(void **state)
{
	struct store *store;
	struct error err = {0};

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(store_sqlite_open(path, &store, &err), err, ERR_STATE_IO);
	assert_non_null(strstr(err.message, "is a folder"));
	assert_non_null(strstr(err.hint, "state.db/state.db"));
}

static void a_link_is_refused_but_a_link_to_the_folder_is_not(void **state)
{
	char *real = scratch_path("real.db"), *folder = scratch_path("folder");
	char *link_to_folder = scratch_path("link"), *through = scratch_path("link/state.db");
	struct store *store;
	struct error err = {0};

	(void)state;
	assert_int_equal(symlink(real, path), 0);
	expect_open_refused(ERR_STATE_IO, "link");
	assert_int_equal(access(real, F_OK), -1);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(symlink(folder, link_to_folder), 0);
	assert_done(store_sqlite_open(through, &store, &err), err);
	store->close(store);
	free(real);
	free(folder);
	free(link_to_folder);
	free(through);
}

static void a_fifo_is_refused_without_waiting_for_it(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_open_refused(ERR_STATE_IO, "regular file");
}

/* Makes the scratch folder one that the tests' user can look into but not write to. */
static void close_folder(mode_t file_mode)
{
	char *folder = scratch_path(".");

	assert_int_equal(chmod(path, file_mode), 0);
	assert_int_equal(chmod(folder, 0555), 0);
	free(folder);
	if (geteuid() == 0)
		assert_int_equal(seteuid(NOBODY), 0);
}

static void open_folder(void)
{
	char *folder;

	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	folder = scratch_path(".");
	assert_int_equal(chmod(folder, 0755), 0);
	free(folder);
}

static void a_file_without_permission_is_an_io_error(void **state)
{
	char *lock = scratch_path("state.db.lock");
	struct store *store;
	struct error err = {0};
	bool is_refused, is_reader_refused;

	(void)state;
	make_store();
	unlink(lock);
	free(lock);
	close_folder(0);
	is_refused = !store_sqlite_open(path, &store, &err) && err.code == ERR_STATE_IO;
	is_reader_refused = !store_sqlite_open_readonly(path, &store, &err) && err.code == ERR_STATE_IO;
	open_folder();
	assert_true(is_refused);
	assert_true(is_reader_refused);
	assert_non_null(strstr(err.message, path));
}

static void a_reader_without_write_permission_reads_a_file_at_rest(void **state)
{
	struct store *store = open_store();
	struct store_image *image = NULL;
	struct error err = {0};
	bool is_read;

	(void)state;
	assert_done(cordon(store, "h1", &err), err);
	store->close(store);
	close_folder(0444);
	is_read = store_sqlite_open_readonly(path, &store, &err);
	if (is_read) {
		is_read = store->load(store, &image, &err);
		store->close(store);
	}
	open_folder();
	assert_done(is_read, err);
	assert_int_equal(image->n_hosts, 1);
	store_image_free(image);
}

static void a_reader_follows_the_writer_and_cannot_write(void **state)
{
	struct store *writer = open_store(), *reader;
	struct error err = {0};

	(void)state;
	assert_done(cordon(writer, "h1", &err), err);
	assert_done(store_sqlite_open_readonly(path, &reader, &err), err);
	assert_int_equal(count_hosts(reader), 1);
	assert_done(cordon(writer, "h2", &err), err);
	assert_int_equal(count_hosts(reader), 2);
	assert_refused(cordon(reader, "h3", &err), err, ERR_STATE_IO);
	assert_int_equal(count_hosts(writer), 2);
	reader->close(reader);
	assert_done(cordon(writer, "h3", &err), err);
	writer->close(writer);
}

static void reading_a_file_that_is_not_there_makes_none(void **state)
{
	struct store *store;
	struct error err = {0};

	(void)state;
	assert_refused(store_sqlite_open_readonly(path, &store, &err), err, ERR_FILE);
	assert_int_equal(access(path, F_OK), -1);
	assert_refused(store_sqlite_open_readonly("/nonexistent/state.db", &store, &err), err, ERR_FILE);
}

static void readers_refuse_what_writers_refuse(void **state)
{
	struct store *store;
	struct error err = {0};

	(void)state;
	write_file("not a database, and long enough that nobody takes it for an empty one\n");
	assert_refused(store_sqlite_open_readonly(path, &store, &err), err, ERR_STATE_CORRUPT);
	unlink(path);
	make_store();
	shell(path, "PRAGMA user_version = 4711");
	assert_refused(store_sqlite_open_readonly(path, &store, &err), err, ERR_STATE_VERSION);
}

static void a_full_disk_fails_the_commit_and_the_same_commit_works_later(void **state)
{
	struct store *store = open_store();
	struct rlimit before, small = {.rlim_cur = 4096};
	struct error err = {0};
	bool is_refused;

	(void)state;
	assert_done(cordon(store, "h1", &err), err);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	is_refused = !cordon(store, "h2", &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(is_refused);
	assert_int_equal(err.code, ERR_STATE_IO);
	assert_int_equal(count_hosts(store), 1);
	assert_done(cordon(store, "h2", &err), err);
	store->close(store);
	store = open_store();
	assert_int_equal(count_hosts(store), 2);
	store->close(store);
}

static void a_commit_beside_another_writer_fails_and_works_once_it_is_gone(void **state)
{
	struct store *store = open_store();
	struct error err = {0};
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_refused(cordon(store, "h1", &err), err, ERR_STATE_IO);
	assert_non_null(strstr(err.message, "locked"));
	sqlite3_close(other);
	assert_done(cordon(store, "h1", &err), err);
	store->close(store);
}

static struct store *open_with_a_move(void)
{
	struct batch_record batch = {.id = 1, .title = (char *)"drain h1"};
	struct move_record move = {.id = 7, .batch = 1, .guest = (char *)"web1", .state = MOVE_DONE, .epoch = 1,
		.started_wall_ms = 1000, .ended_wall_ms = 3500, .bytes_transferred = 99, .measured_downtime_ms = -1};
	struct store_op ops[] = {{.kind = STORE_PUT_BATCH, .batch = &batch},
		{.kind = STORE_PUT_MOVE, .expect_state = MOVE_STATE_COUNT, .move = &move}};
	struct store *store = open_store();
	struct error err = {0};

	assert_done(store->commit(store, ops, 2, &err), err);
	return store;
}

static void the_file_itself_refuses_what_no_table_knows(void **state)
{
	struct store *store = open_with_a_move();

	(void)state;
	assert_int_equal(shell_result("UPDATE move SET state = 'nonsense'"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE move SET kind = ''"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE move SET epoch = 'one'"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE move SET autostart = 2"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE batch SET state = 'waiting'"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE batch SET kind = 'x'"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("INSERT INTO meta VALUES (2, 'x', 0)"), SQLITE_CONSTRAINT);
	assert_int_equal(shell_result("UPDATE move SET state = 'unknown'"), SQLITE_OK);
	store->close(store);
}

static void expect_load_refused(const char *damage, const char *word)
{
	struct store *store = open_with_a_move();
	struct store_image *image;
	struct error err = {0};

	shell(path, damage);
	assert_refused(store->load(store, &image, &err), err, ERR_STATE_CORRUPT);
	if (!strstr(err.message, word))
		fail_msg("no \"%s\" in: %s", word, err.message);
	store->close(store);
	unlink(path);
}

static void a_row_without_meaning_fails_the_load_and_is_named(void **state)
{
	(void)state;
	expect_load_refused("PRAGMA ignore_check_constraints = 1; UPDATE move SET state = 'nonsense'", "column state");
	expect_load_refused("PRAGMA ignore_check_constraints = 1; UPDATE batch SET kind = 'nonsense'", "column kind");
	expect_load_refused("UPDATE move SET attempts = -1", "column attempts");
	expect_load_refused("UPDATE move SET uuid = printf('%500s', 'x')", "column uuid");
	expect_load_refused("DELETE FROM meta", "identity");
}

static void a_file_with_rows_against_its_own_rules_is_refused(void **state)
{
	struct store *store = open_with_a_move();

	(void)state;
	store->close(store);
	shell(path, "PRAGMA ignore_check_constraints = 1; UPDATE move SET state = 'nonsense'");
	expect_open_refused(ERR_STATE_CORRUPT, "is damaged: CHECK");
}

static void the_views_say_what_the_tables_hold(void **state)
{
	struct store *store = open_with_a_move();
	sqlite3_stmt *statement;
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
		"SELECT b.title, b.moves, b.moves_done, b.moves_left, b.bytes_transferred, m.duration_ms, m.downtime_ms"
		" FROM v_batch b JOIN v_move m ON m.batch = b.id", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), "drain h1");
	assert_int_equal(sqlite3_column_int(statement, 1), 1);
	assert_int_equal(sqlite3_column_int(statement, 2), 1);
	assert_int_equal(sqlite3_column_int(statement, 3), 0);
	assert_int_equal(sqlite3_column_int(statement, 4), 99);
	assert_int_equal(sqlite3_column_int(statement, 5), 2500);
	assert_int_equal(sqlite3_column_type(statement, 6), SQLITE_NULL);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	store->close(store);
}

static void the_log_is_carried_into_the_file_before_it_grows_large(void **state)
{
	enum { COMMITS = 150, ROWS = 60 };
	struct store *store = open_store();
	char *log = scratch_path("state.db-wal");
	struct store_op ops[ROWS];
	struct error err = {0};
	struct stat status;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		ops[i] = (struct store_op){.kind = STORE_AUDIT};
		memset(ops[i].audit.text, 'x', sizeof(ops[i].audit.text) - 1);
	}
	for (int i = 0; i < COMMITS; i++)
		assert_done(store->commit(store, ops, ROWS, &err), err);
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size > 3000000);
	assert_int_equal(stat(log, &status), 0);
	assert_in_range(status.st_size, 1, 1100 * 4120);
	store->close(store);
	free(log);
}

static void a_backup_beside_the_writer_is_a_whole_state_file(void **state)
{
	char *copy = scratch_path("copy.db");
	struct store *writer = open_with_a_move(), *store;
	struct store_image *first, *second;
	struct error err = {0};

	(void)state;
	assert_done(store_sqlite_backup(path, copy, &err), err);
	assert_int_equal(mode_of(copy), 0640);
	assert_done(writer->load(writer, &first, &err), err);
	assert_done(cordon(writer, "h1", &err), err);
	assert_done(store_sqlite_open(copy, &store, &err), err);
	assert_done(store->load(store, &second, &err), err);
	assert_string_equal(first->run, second->run);
	assert_int_equal(second->n_moves, 1);
	assert_int_equal(second->n_hosts, 0);
	store->close(store);
	writer->close(writer);
	store_image_free(first);
	store_image_free(second);
	free(copy);
}

static void a_backup_never_overwrites(void **state)
{
	char *copy = scratch_path("copy.db");
	struct error err = {0};

	(void)state;
	assert_refused(store_sqlite_backup(path, copy, &err), err, ERR_FILE);
	assert_int_equal(access(copy, F_OK), -1);
	make_store();
	assert_refused(store_sqlite_backup(path, path, &err), err, ERR_FILE);
	make_store();
	free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(opening_makes_private_folders_and_a_private_file),
	TEST(two_files_have_two_identities),
	TEST(a_second_open_is_refused_and_names_the_process),
	TEST(the_lock_of_a_killed_process_is_free),
	TEST(every_commit_that_returned_survives_a_kill),
	TEST(a_file_from_the_future_is_refused_with_both_numbers),
	TEST(a_file_of_the_first_version_is_brought_up_to_date),
	TEST(a_database_of_another_program_is_refused_and_left_alone),
	TEST(a_text_file_is_refused_and_left_alone),
	TEST(an_empty_file_becomes_a_state_file),
	TEST(a_damaged_file_is_refused),
	TEST(a_file_without_its_tables_is_refused),
	TEST(a_folder_is_refused_with_advice),
	TEST(a_link_is_refused_but_a_link_to_the_folder_is_not),
	TEST(a_fifo_is_refused_without_waiting_for_it),
	TEST(a_file_without_permission_is_an_io_error),
	TEST(a_reader_without_write_permission_reads_a_file_at_rest),
	TEST(a_reader_follows_the_writer_and_cannot_write),
	TEST(reading_a_file_that_is_not_there_makes_none),
	TEST(readers_refuse_what_writers_refuse),
	TEST(a_full_disk_fails_the_commit_and_the_same_commit_works_later),
	TEST(a_commit_beside_another_writer_fails_and_works_once_it_is_gone),
	TEST(the_file_itself_refuses_what_no_table_knows),
	TEST(a_row_without_meaning_fails_the_load_and_is_named),
	TEST(a_file_with_rows_against_its_own_rules_is_refused),
	TEST(the_views_say_what_the_tables_hold),
	TEST(the_log_is_carried_into_the_file_before_it_grows_large),
	TEST(a_backup_beside_the_writer_is_a_whole_state_file),
	TEST(a_backup_never_overwrites),
};

TEST_MAIN(tests)
