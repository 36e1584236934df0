/* Reading the state: the whole image in one read transaction, so that a reader beside a busy writer sees one
 * moment and not two. A row that does not say anything sensible fails the load: deciding on half a
 * state is how guests get started twice. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store_sqlite_internal.h"
#include "store_sqlite_rows.h"
#include "xalloc.h"

/* One query in progress. */
struct reading {
	struct store_sqlite *self;
	const char *table;
	struct row row;
	int result;
};

static bool reading_start(struct reading *reading, struct store_sqlite *self, const char *table, const char *sql,
	struct error *err)
{
	*reading = (struct reading){.self = self, .table = table};
	if (sqlite3_prepare_v2(self->db, sql, -1, &reading->row.statement, NULL) != SQLITE_OK)
		return store_sqlite_error(self, sqlite3_errcode(self->db), "read", err);
	return true;
}

/* False at the end and after an error; reading_end tells which. */
static bool reading_next(struct reading *reading)
{
	if (reading->row.bad)
		return false;
	reading->row.at = 0;
	reading->result = sqlite3_step(reading->row.statement);
	return reading->result == SQLITE_ROW;
}

static bool reading_end(struct reading *reading, struct error *err)
{
	sqlite3_finalize(reading->row.statement);
	if (reading->row.bad)
		return error_set(err, ERR_STATE_CORRUPT, "state file %s: table %s has a value of no meaning in column %s",
			reading->self->path, reading->table, reading->row.bad);
	if (reading->result != SQLITE_DONE)
		return store_sqlite_error(reading->self, reading->result, "read", err);
	return true;
}

static bool load_meta(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;
	size_t n = 0;

	if (!reading_start(&reading, self, "meta", "SELECT run, epoch FROM meta", err))
		return false;
	while (reading_next(&reading)) {
		row_array(&reading.row, "run", image->run, sizeof(image->run));
		image->epoch = row_u64(&reading.row);
		n++;
	}
	if (!reading_end(&reading, err))
		return false;
	return n == 1 || error_set(err, ERR_STATE_CORRUPT, "state file %s has no identity", self->path);
}

static bool load_batches(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "batch", SELECT(BATCH_COLUMNS) "batch ORDER BY id", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct batch_record *record;

		image->batches = xgrow(image->batches, image->n_batches, sizeof(*image->batches));
		record = &image->batches[image->n_batches++];
		*record = (struct batch_record){0};
		READ_COLUMNS(BATCH_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_moves(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "move", SELECT(MOVE_COLUMNS) "move ORDER BY batch, position, id", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct move_record *record;

		image->moves = xgrow(image->moves, image->n_moves, sizeof(*image->moves));
		record = &image->moves[image->n_moves++];
		*record = (struct move_record){0};
		READ_COLUMNS(MOVE_COLUMNS)
	}
	return reading_end(&reading, err);
}

/* Rows come in the order of image->moves, so one walk through both is enough. */
static bool load_disks(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;
	size_t at = 0;

	if (!reading_start(&reading, self, "volume",
		"SELECT move, " COLUMN_NAMES(DISK_COLUMNS) " FROM (SELECT m.batch AS order_batch, m.position AS order_position,"
		" v.* FROM volume v JOIN move m ON m.id = v.move WHERE v.role = 'copied') AS v"
		" ORDER BY v.order_batch, v.order_position, v.move, v.position", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		uint64_t move = row_u64(row);
		struct move_record *owner;
		struct hv_disk *record;

		while (at < image->n_moves && image->moves[at].id != move)
			at++;
		if (at == image->n_moves || image->moves[at].n_disks == DISKS_MAX) {
			row->bad = "move";
			break;
		}
		owner = &image->moves[at];
		owner->disks = xgrow(owner->disks, owner->n_disks, sizeof(*owner->disks));
		record = &owner->disks[owner->n_disks++];
		*record = (struct hv_disk){0};
		READ_COLUMNS(DISK_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_hosts(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "host", SELECT(HOST_COLUMNS) "host ORDER BY name", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct host_record *record;

		image->hosts = xgrow(image->hosts, image->n_hosts, sizeof(*image->hosts));
		record = &image->hosts[image->n_hosts++];
		READ_COLUMNS(HOST_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_paths(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "path", SELECT(PATH_COLUMNS) "path ORDER BY source, target", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct path_rate *record;

		image->paths = xgrow(image->paths, image->n_paths, sizeof(*image->paths));
		record = &image->paths[image->n_paths++];
		READ_COLUMNS(PATH_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_limits(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "limits", SELECT(LIMIT_COLUMNS) "limits ORDER BY kind, host, network", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct limit *record;

		image->limits = xgrow(image->limits, image->n_limits, sizeof(*image->limits));
		record = &image->limits[image->n_limits++];
		READ_COLUMNS(LIMIT_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_lessons(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "lesson", SELECT(LESSON_COLUMNS) "lesson ORDER BY source, target, class", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct lesson *record;

		image->lessons = xgrow(image->lessons, image->n_lessons, sizeof(*image->lessons));
		record = &image->lessons[image->n_lessons++];
		READ_COLUMNS(LESSON_COLUMNS)
	}
	return reading_end(&reading, err);
}

static bool load_guests(struct store_sqlite *self, struct store_image *image, struct error *err)
{
	struct reading reading;

	if (!reading_start(&reading, self, "guest", SELECT(GUEST_COLUMNS) "guest ORDER BY uuid", err))
		return false;
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct guest_fact *record;

		image->guests = xgrow(image->guests, image->n_guests, sizeof(*image->guests));
		record = &image->guests[image->n_guests++];
		READ_COLUMNS(GUEST_COLUMNS)
	}
	return reading_end(&reading, err);
}

bool store_sqlite_load(struct store *store, struct store_image **ret_image, struct error *err)
{
	struct store_sqlite *self = store->self;
	struct store_image *image;
	bool is_done;

	if (!store_sqlite_exec(self, "BEGIN", "read", err))
		return false;
	image = xcalloc(1, sizeof(*image));
	is_done = load_meta(self, image, err) && load_batches(self, image, err) && load_moves(self, image, err) &&
		load_disks(self, image, err) && load_hosts(self, image, err) && load_paths(self, image, err) &&
		load_limits(self, image, err) && load_lessons(self, image, err) && load_guests(self, image, err);
	sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
	if (!is_done) {
		store_image_free(image);
		return false;
	}
	*ret_image = image;
	return true;
}

bool store_sqlite_audit(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n,
	struct error *err)
{
	struct store_sqlite *self = store->self;
	struct audit_record *rows = NULL;
	struct reading reading;
	size_t n = 0;

	if (!reading_start(&reading, self, "audit",
		batch ? SELECT(AUDIT_COLUMNS) "audit WHERE batch = ? ORDER BY seq" : SELECT(AUDIT_COLUMNS) "audit ORDER BY seq",
		err))
		return false;
	if (batch)
		row_bind_u64(&reading.row, batch);
	while (reading_next(&reading)) {
		struct row *row = &reading.row;
		struct audit_record *record;

		rows = xgrow(rows, n, sizeof(*rows));
		record = &rows[n++];
		READ_COLUMNS(AUDIT_COLUMNS)
	}
	if (!reading_end(&reading, err)) {
		free(rows);
		return false;
	}
	*ret_rows = rows;
	*ret_n = n;
	return true;
}
