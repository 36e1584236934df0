/* The schema of the state file and how it came to be: an ordered list of migrations, each in one transaction
 * together with the new version number, so that a file is always of exactly one version.
 *
 * An application_id tells our files from other SQLite databases. STRICT tables and a CHECK for every enum make
 * the file refuse what the program must not write. @names@ are replaced by the names from the state tables,
 * so that the two cannot differ. The SQL keeps to what other engines know too.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "store_sqlite_internal.h"
#include "xalloc.h"

#define APPLICATION_ID 0x44525652 /* "DRVR" */

/* For people and scripts. */
#define VIEWS \
	"CREATE VIEW v_move AS" \
	"  SELECT m.id, m.batch, m.position, m.guest, m.uuid, m.source, m.target, m.kind, m.state, m.attempts, m.network," \
	"    m.started_wall_ms, m.ended_wall_ms," \
	"    CASE WHEN m.ended_wall_ms > 0 AND m.started_wall_ms > 0 THEN m.ended_wall_ms - m.started_wall_ms END" \
	"      AS duration_ms," \
	"    m.planned_duration_ms, m.bytes_transferred, m.planned_bytes," \
	"    CASE WHEN m.measured_downtime_ms >= 0 THEN m.measured_downtime_ms END AS downtime_ms," \
	"    m.rounds, m.error_code, m.error_message, m.error_hint" \
	"  FROM move m;" \
	"CREATE VIEW v_batch AS" \
	"  SELECT b.id, b.kind, b.state, b.title, b.reason, b.who, b.created_wall_ms, b.ended_wall_ms," \
	"    CASE WHEN b.ended_wall_ms > 0 THEN b.ended_wall_ms - b.created_wall_ms END AS duration_ms," \
	"    b.planned_makespan_ms, b.lower_bound_ms," \
	"    (SELECT count(*) FROM move m WHERE m.batch = b.id) AS moves," \
	"    (SELECT count(*) FROM move m WHERE m.batch = b.id AND m.state = 'done') AS moves_done," \
	"    (SELECT count(*) FROM move m WHERE m.batch = b.id AND m.state IN ('failed', 'cancelled')) AS moves_left," \
	"    (SELECT coalesce(sum(m.bytes_transferred), 0) FROM move m WHERE m.batch = b.id) AS bytes_transferred" \
	"  FROM batch b;"

static const char first_schema[] =
	"CREATE TABLE meta ("
	"  id INTEGER PRIMARY KEY CHECK (id = 1),"
	"  run TEXT NOT NULL CHECK (length(run) = 36),"
	"  epoch INTEGER NOT NULL CHECK (epoch >= 0)"
	") STRICT;"
	"CREATE TABLE batch ("
	"  id INTEGER PRIMARY KEY,"
	"  kind TEXT NOT NULL CHECK (kind IN (@request_kind@)),"
	"  state TEXT NOT NULL CHECK (state IN (@batch_state@)),"
	"  title TEXT,"
	"  reason TEXT,"
	"  who TEXT,"
	"  hosts TEXT,"
	"  created_wall_ms INTEGER NOT NULL,"
	"  ended_wall_ms INTEGER NOT NULL,"
	"  planned_makespan_ms INTEGER NOT NULL,"
	"  lower_bound_ms INTEGER NOT NULL,"
	"  request_json TEXT"
	") STRICT;"
	"CREATE TABLE move ("
	"  id INTEGER PRIMARY KEY,"
	"  batch INTEGER NOT NULL REFERENCES batch (id),"
	"  position INTEGER NOT NULL,"
	"  guest TEXT NOT NULL,"
	"  uuid TEXT NOT NULL,"
	"  source TEXT,"
	"  target TEXT,"
	"  kind TEXT NOT NULL CHECK (kind IN (@move_kind@)),"
	"  state TEXT NOT NULL CHECK (state IN (@move_state@)),"
	"  epoch INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL,"
	"  network TEXT,"
	"  reason TEXT,"
	"  planned_start_ms INTEGER NOT NULL,"
	"  planned_duration_ms INTEGER NOT NULL,"
	"  planned_downtime_ms INTEGER NOT NULL,"
	"  planned_bytes INTEGER NOT NULL,"
	"  planned_rate_bytes_per_s INTEGER NOT NULL,"
	"  started_wall_ms INTEGER NOT NULL,"
	"  ended_wall_ms INTEGER NOT NULL,"
	"  bytes_transferred INTEGER NOT NULL,"
	"  measured_downtime_ms INTEGER NOT NULL,"
	"  rounds INTEGER NOT NULL,"
	"  autostart INTEGER NOT NULL CHECK (autostart IN (0, 1)),"
	"  persistent INTEGER NOT NULL CHECK (persistent IN (0, 1)),"
	"  was_paused INTEGER NOT NULL CHECK (was_paused IN (0, 1)),"
	"  cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),"
	"  handover_paused INTEGER NOT NULL CHECK (handover_paused IN (0, 1)),"
	"  error_code TEXT NOT NULL CHECK (error_code <> ''),"
	"  error_message TEXT NOT NULL,"
	"  error_hint TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX move_by_batch ON move (batch, position);"
	"CREATE TABLE volume ("
	"  move INTEGER NOT NULL REFERENCES move (id),"
	"  position INTEGER NOT NULL,"
	"  role TEXT NOT NULL CHECK (role IN ('copied')),"
	"  target TEXT,"
	"  source_pool TEXT,"
	"  source_volume TEXT,"
	"  source_path TEXT,"
	"  target_pool TEXT,"
	"  target_volume TEXT,"
	"  target_path TEXT,"
	"  format TEXT NOT NULL CHECK (format IN (@disk_format@)),"
	"  capacity_bytes INTEGER NOT NULL,"
	"  allocation_bytes INTEGER NOT NULL,"
	"  was_created INTEGER NOT NULL CHECK (was_created IN (0, 1)),"
	"  PRIMARY KEY (move, position)"
	") STRICT;"
	"CREATE TABLE host ("
	"  name TEXT PRIMARY KEY,"
	"  cordoned INTEGER NOT NULL CHECK (cordoned IN (0, 1)),"
	"  reason TEXT NOT NULL,"
	"  who TEXT NOT NULL,"
	"  since_wall_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE path ("
	"  source TEXT NOT NULL,"
	"  target TEXT NOT NULL,"
	"  memory_bytes_per_s INTEGER NOT NULL,"
	"  disk_bytes_per_s INTEGER NOT NULL,"
	"  duration_milli INTEGER NOT NULL,"
	"  samples INTEGER NOT NULL,"
	"  updated_wall_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (source, target)"
	") STRICT;"
	"CREATE TABLE audit ("
	"  seq INTEGER PRIMARY KEY,"
	"  wall_ms INTEGER NOT NULL,"
	"  batch INTEGER NOT NULL,"
	"  move INTEGER NOT NULL,"
	"  from_state TEXT NOT NULL,"
	"  to_state TEXT NOT NULL,"
	"  text TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX audit_by_batch ON audit (batch, seq);"
	VIEWS;

static const char paths_and_warnings[] =
	"ALTER TABLE move ADD COLUMN path_source TEXT;"
	"ALTER TABLE move ADD COLUMN path_target TEXT;"
	"ALTER TABLE move ADD COLUMN warning_code TEXT NOT NULL DEFAULT 'none' CHECK (warning_code <> '');"
	"ALTER TABLE move ADD COLUMN warning_message TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE move ADD COLUMN warning_hint TEXT NOT NULL DEFAULT '';";

/* Guests that cannot move live are shut down or moved cold. */
static const char methods[] =
	"ALTER TABLE move ADD COLUMN method TEXT NOT NULL DEFAULT 'live' CHECK (method IN ('live', 'shutdown', 'cold', 'start'));"
	"ALTER TABLE move ADD COLUMN was_shutoff INTEGER NOT NULL DEFAULT 0 CHECK (was_shutoff IN (0, 1));";

/* What the operator changes while moves run. */
static const char limits[] =
	"CREATE TABLE limits ("
	"  kind TEXT NOT NULL CHECK (kind IN (@limit_kind@)),"
	"  host TEXT NOT NULL,"
	"  network TEXT NOT NULL,"
	"  value INTEGER NOT NULL,"
	"  PRIMARY KEY (kind, host, network)"
	") STRICT;";

/* A state more: a column's CHECK cannot be changed, so the column is made anew, and what looks at it meanwhile taken away. */
static const char post_copies[] =
	"DROP VIEW v_move;"
	"DROP VIEW v_batch;"
	"ALTER TABLE move RENAME COLUMN state TO state_before;"
	"ALTER TABLE move ADD COLUMN state TEXT NOT NULL DEFAULT 'unknown' CHECK (state IN (@move_state@));"
	"UPDATE move SET state = state_before;"
	"ALTER TABLE move DROP COLUMN state_before;"
	"ALTER TABLE move ADD COLUMN post_copy TEXT NOT NULL DEFAULT 'no' CHECK (post_copy IN ('no', 'allowed', 'used'));"
	VIEWS;

/* What moves have taught of their class, and what was measured of guests. */
static const char lessons[] =
	"ALTER TABLE path DROP COLUMN duration_milli;"
	"CREATE TABLE lesson ("
	"  source TEXT NOT NULL,"
	"  target TEXT NOT NULL,"
	"  class TEXT NOT NULL CHECK (class IN (@move_class@)),"
	"  samples INTEGER NOT NULL,"
	"  rate_bytes_per_s INTEGER NOT NULL,"
	"  rate_spread_milli INTEGER NOT NULL,"
	"  rate_samples INTEGER NOT NULL,"
	"  bytes_milli INTEGER NOT NULL,"
	"  bytes_spread_milli INTEGER NOT NULL,"
	"  bytes_samples INTEGER NOT NULL,"
	"  downtime_milli INTEGER NOT NULL,"
	"  downtime_spread_milli INTEGER NOT NULL,"
	"  downtime_samples INTEGER NOT NULL,"
	"  setup_ms INTEGER NOT NULL,"
	"  finish_ms INTEGER NOT NULL,"
	"  updated_wall_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (source, target, class)"
	") STRICT;"
	"CREATE TABLE guest ("
	"  uuid TEXT PRIMARY KEY CHECK (length(uuid) = 36),"
	"  dirty_rate_bytes_per_s INTEGER NOT NULL,"
	"  working_set_bytes INTEGER NOT NULL,"
	"  measured_wall_ms INTEGER NOT NULL"
	") STRICT;";

/* A guest that goes by way of a third host has two moves in a batch; and what waits for what outlives a restart. */
static const char legs[] =
	"ALTER TABLE move ADD COLUMN leg TEXT NOT NULL DEFAULT 'whole' CHECK (leg IN ('whole', 'first', 'second'));"
	"ALTER TABLE move ADD COLUMN after_move INTEGER NOT NULL DEFAULT 0;";

/* migrations[n] takes a file from version n to n + 1. */
static const char *const migrations[] = {first_schema, paths_and_warnings, methods, limits, post_copies, lessons, legs};

enum { SCHEMA_VERSION = sizeof(migrations) / sizeof(migrations[0]) };

static const char *request_kind_at(int i)
{
	return i <= REQUEST_ROLLING ? request_kind_name((enum request_kind)i) : NULL;
}

static const char *batch_state_at(int i)
{
	return i < BATCH_STATE_COUNT ? batch_state_name((enum batch_state)i) : NULL;
}

static const char *move_kind_at(int i)
{
	return i <= MOVE_MIXED ? move_kind_name((enum move_kind)i) : NULL;
}

static const char *move_state_at(int i)
{
	return i < MOVE_STATE_COUNT ? move_state_name((enum move_state)i) : NULL;
}

static const char *move_class_at(int i)
{
	return i < CLASS_COUNT ? move_class_name((enum move_class)i) : NULL;
}

static const char *disk_format_at(int i)
{
	return i <= DISK_OTHER ? disk_format_name((enum disk_format)i) : NULL;
}

static const char *limit_kind_at(int i)
{
	return i < LIMIT_KIND_COUNT ? limit_info((enum limit_kind)i)->key : NULL;
}

static const struct {
	const char *mark;
	const char *(*at)(int i);
} name_lists[] = {
	{"@request_kind@", request_kind_at},
	{"@batch_state@", batch_state_at},
	{"@move_kind@", move_kind_at},
	{"@move_state@", move_state_at},
	{"@move_class@", move_class_at},
	{"@disk_format@", disk_format_at},
	{"@limit_kind@", limit_kind_at},
};

static void write_names(FILE *stream, const char **at)
{
	for (size_t i = 0; i < sizeof(name_lists) / sizeof(name_lists[0]); i++) {
		size_t n = strlen(name_lists[i].mark);

		if (strncmp(*at, name_lists[i].mark, n) != 0)
			continue;
		for (int k = 0; name_lists[i].at(k); k++)
			fprintf(stream, "%s'%s'", k > 0 ? ", " : "", name_lists[i].at(k));
		*at += n;
		return;
	}
	assert(false && "a mark in the schema that no list fills");
}

/* The schema text with its @names@ filled in; with free(). */
static char *fill_in(const char *schema)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		abort();
	while (*schema) {
		if (*schema == '@')
			write_names(stream, &schema);
		else
			fputc(*schema++, stream);
	}
	if (fclose(stream) != 0)
		abort();
	return text;
}

/* A random UUID, version 4: the identity that our tags in guests carry. */
static bool make_run(char ret_run[static UUID_TEXT_SIZE], struct error *err)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return error_set(err, ERR_STATE_IO, "no random numbers: %s", strerror(errno));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(ret_run, UUID_TEXT_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5],
		b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return true;
}

static bool run_migration(struct store_sqlite *self, int64_t from, struct error *err)
{
	char *schema = fill_in(migrations[from]);
	char run[UUID_TEXT_SIZE];
	char *sql;
	bool is_done;

	if (!make_run(run, err)) {
		free(schema);
		return false;
	}
	sql = xprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, APPLICATION_ID,
		(int)from + 1);
	is_done = store_sqlite_exec(self, sql, "bring the schema up to date", err);
	free(sql);
	free(schema);
	if (is_done && from == 0) {
		sql = xprintf("INSERT INTO meta (id, run, epoch) VALUES (1, '%s', 0);", run);
		is_done = store_sqlite_exec(self, sql, "write the identity", err);
		free(sql);
	}
	if (is_done)
		is_done = store_sqlite_exec(self, "COMMIT", "bring the schema up to date", err);
	if (!is_done)
		sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
	return is_done;
}

/* What the file says of itself. ret_is_empty: nobody has written anything into it. */
static bool read_version(struct store_sqlite *self, int64_t *ret_version, bool *ret_is_empty, struct error *err)
{
	int64_t id, version, n_objects;

	if (!store_sqlite_int(self, "PRAGMA application_id", &id, err) ||
		!store_sqlite_int(self, "PRAGMA user_version", &version, err) ||
		!store_sqlite_int(self, "SELECT count(*) FROM sqlite_master", &n_objects, err))
		return false;
	*ret_is_empty = id == 0 && version == 0 && n_objects == 0;
	if (!*ret_is_empty && id != APPLICATION_ID)
		return error_set(err, ERR_STATE_CORRUPT,
			"state file %s is an SQLite database of another program (application_id %" PRId64 ", not %d)", self->path,
			id, APPLICATION_ID);
	if (version > SCHEMA_VERSION)
		return error_set(err, ERR_STATE_VERSION,
			"state file %s has schema version %" PRId64 "; this drover knows versions up to %d", self->path, version,
			SCHEMA_VERSION);
	*ret_version = version;
	return true;
}

bool store_sqlite_check_ours(struct store_sqlite *self, struct error *err)
{
	int64_t version;
	bool is_empty;

	return read_version(self, &version, &is_empty, err);
}

bool store_sqlite_migrate(struct store_sqlite *self, struct error *err)
{
	int64_t version = 0;
	bool is_empty;

	if (!read_version(self, &version, &is_empty, err))
		return false;
	for (; version < SCHEMA_VERSION; version++)
		if (!run_migration(self, version, err))
			return error_wrap(err, "from schema version %" PRId64, version);
	return true;
}

bool store_sqlite_check_version(struct store_sqlite *self, struct error *err)
{
	int64_t version = 0;
	bool is_empty = false;

	if (!read_version(self, &version, &is_empty, err))
		return false;
	if (version == SCHEMA_VERSION)
		return true;
	error_set(err, ERR_STATE_VERSION, "state file %s has schema version %" PRId64 ", not %d", self->path, version,
		SCHEMA_VERSION);
	error_hint(err, "a command that runs moves brings it up to date");
	return false;
}
