/* The columns of every table, once: reading, inserting and updating a row are made from the same list, so they cannot
 * disagree. COLUMNS(FIRST, X): FIRST(column, type, member) and X(column, type, member), which differ only in the comma
 * that SQL wants between; the types are those of the functions below.
 * The schema itself is text in store_sqlite_schema.c, because a schema has a history and these lists have none.
 */
#ifndef DROVER_STORE_SQLITE_ROWS_H
#define DROVER_STORE_SQLITE_ROWS_H

#include <sqlite3.h>

#include "drover/store.h"

#define BATCH_COLUMNS(FIRST, X) \
	FIRST(id, u64, id) \
	X(kind, request_kind, kind) \
	X(state, batch_state, state) \
	X(title, text, title) \
	X(reason, text, reason) \
	X(who, text, who) \
	X(hosts, text, hosts) \
	X(created_wall_ms, i64, created_wall_ms) \
	X(ended_wall_ms, i64, ended_wall_ms) \
	X(planned_makespan_ms, i64, planned_makespan_ms) \
	X(lower_bound_ms, i64, lower_bound_ms) \
	X(request_json, text, request_json)

#define MOVE_COLUMNS(FIRST, X) \
	FIRST(id, u64, id) \
	X(batch, u64, batch) \
	X(position, u32, order) \
	X(guest, text, guest) \
	X(uuid, array, uuid) \
	X(source, text, source) \
	X(target, text, target) \
	X(kind, move_kind, kind) \
	X(method, move_method, method) \
	X(leg, leg, leg) \
	X(after_move, u64, after) \
	X(was_shutoff, boolean, was_shutoff) \
	X(state, move_state, state) \
	X(epoch, u64, epoch) \
	X(attempts, u32, attempts) \
	X(network, text, network) \
	X(reason, text, reason) \
	X(planned_start_ms, i64, planned_start_ms) \
	X(planned_duration_ms, i64, planned_duration_ms) \
	X(planned_downtime_ms, i64, planned_downtime_ms) \
	X(planned_bytes, u64, planned_bytes) \
	X(planned_rate_bytes_per_s, u64, planned_rate_bytes_per_s) \
	X(started_wall_ms, i64, started_wall_ms) \
	X(ended_wall_ms, i64, ended_wall_ms) \
	X(bytes_transferred, u64, bytes_transferred) \
	X(measured_downtime_ms, i64, measured_downtime_ms) \
	X(rounds, u32, rounds) \
	X(autostart, boolean, autostart) \
	X(persistent, boolean, persistent) \
	X(was_paused, boolean, was_paused) \
	X(cancel_requested, boolean, cancel_requested) \
	X(handover_paused, boolean, handover_paused) \
	X(post_copy, post_copy, post_copy) \
	X(path_source, text, path_source) \
	X(path_target, text, path_target) \
	X(warning_code, error_code, warning.code) \
	X(warning_message, array, warning.message) \
	X(warning_hint, array, warning.hint) \
	X(error_code, error_code, error.code) \
	X(error_message, array, error.message) \
	X(error_hint, array, error.hint)

#define DISK_COLUMNS(FIRST, X) \
	FIRST(target, text, target) \
	X(source_pool, text, source_pool) \
	X(source_volume, text, source_volume) \
	X(source_path, text, source_path) \
	X(target_pool, text, target_pool) \
	X(target_volume, text, target_volume) \
	X(target_path, text, target_path) \
	X(format, disk_format, format) \
	X(capacity_bytes, u64, capacity_bytes) \
	X(allocation_bytes, u64, allocation_bytes) \
	X(was_created, boolean, was_created)

#define HOST_COLUMNS(FIRST, X) \
	FIRST(name, array, name) \
	X(cordoned, boolean, cordoned) \
	X(reason, array, reason) \
	X(who, array, who) \
	X(since_wall_ms, i64, since_wall_ms)

#define PATH_COLUMNS(FIRST, X) \
	FIRST(source, array, source) \
	X(target, array, target) \
	X(memory_bytes_per_s, u64, memory_bytes_per_s) \
	X(disk_bytes_per_s, u64, disk_bytes_per_s) \
	X(samples, u32, samples) \
	X(updated_wall_ms, i64, updated_wall_ms)

#define LIMIT_COLUMNS(FIRST, X) \
	FIRST(kind, limit_kind, kind) \
	X(host, array, host) \
	X(network, array, network) \
	X(value, u64, value)

#define LESSON_COLUMNS(FIRST, X) \
	FIRST(source, array, source) \
	X(target, array, target) \
	X(class, move_class, class) \
	X(samples, u32, samples) \
	X(rate_bytes_per_s, u64, rate_bytes_per_s) \
	X(rate_spread_milli, u32, rate_spread_milli) \
	X(rate_samples, u32, rate_samples) \
	X(bytes_milli, u32, bytes.milli) \
	X(bytes_spread_milli, u32, bytes.spread_milli) \
	X(bytes_samples, u32, bytes.samples) \
	X(downtime_milli, u32, downtime.milli) \
	X(downtime_spread_milli, u32, downtime.spread_milli) \
	X(downtime_samples, u32, downtime.samples) \
	X(setup_ms, i64, setup_ms) \
	X(finish_ms, i64, finish_ms) \
	X(updated_wall_ms, i64, updated_wall_ms)

#define GUEST_COLUMNS(FIRST, X) \
	FIRST(uuid, array, uuid) \
	X(dirty_rate_bytes_per_s, u64, dirty_rate_bytes_per_s) \
	X(working_set_bytes, u64, working_set_bytes) \
	X(measured_wall_ms, i64, measured_wall_ms)

#define AUDIT_COLUMNS(FIRST, X) \
	FIRST(wall_ms, i64, wall_ms) \
	X(batch, u64, batch) \
	X(move, u64, move) \
	X(from_state, array, from) \
	X(to_state, array, to) \
	X(text, array, text)

#define NAME(column, type, member) #column
#define COMMA_NAME(column, type, member) ", " #column
#define MARK(column, type, member) "?"
#define COMMA_MARK(column, type, member) ", ?"
#define SET(column, type, member) #column " = ?"
#define COMMA_SET(column, type, member) ", " #column " = ?"
#define SET_EXCLUDED(column, type, member) #column " = excluded." #column
#define COMMA_SET_EXCLUDED(column, type, member) ", " #column " = excluded." #column

#define COLUMN_NAMES(columns) columns(NAME, COMMA_NAME)
#define COLUMN_MARKS(columns) columns(MARK, COMMA_MARK)
#define COLUMN_SETS(columns) columns(SET, COMMA_SET)
#define COLUMN_SETS_EXCLUDED(columns) columns(SET_EXCLUDED, COMMA_SET_EXCLUDED)
#define SELECT(columns) "SELECT " COLUMN_NAMES(columns) " FROM "
#define INSERT(table, columns) "INSERT INTO " table " (" COLUMN_NAMES(columns) ") VALUES (" COLUMN_MARKS(columns) ")"

/* A row on its way; `at` is the next column. */
struct row {
	sqlite3_stmt *statement;
	int at;
	const char *bad; /* reading: name of the first column with a value of no meaning; NULL = none */
};

/* For use where `row` and `record` are at hand. */
#define BIND(column, type, member) row_bind_##type(row, record->member);
#define BIND_COLUMNS(columns) columns(BIND, BIND)
#define READ(column, type, member) ROW_READ_##type(row, #column, record->member)
#define READ_COLUMNS(columns) columns(READ, READ)

/* u64 is stored as the same 64 bits: what is over INT64_MAX shows as a negative number and comes back whole. */
void row_bind_u64(struct row *row, uint64_t value);
void row_bind_i64(struct row *row, int64_t value);
void row_bind_u32(struct row *row, uint32_t value);
void row_bind_boolean(struct row *row, bool value);
void row_bind_text(struct row *row, const char *value); /* NULL stays NULL; must live until the row is stepped */
void row_bind_array(struct row *row, const char *value);
void row_bind_request_kind(struct row *row, enum request_kind value);
void row_bind_batch_state(struct row *row, enum batch_state value);
void row_bind_move_kind(struct row *row, enum move_kind value);
void row_bind_move_class(struct row *row, enum move_class value);
void row_bind_move_method(struct row *row, enum move_method value);
void row_bind_leg(struct row *row, enum leg value);
void row_bind_post_copy(struct row *row, enum post_copy value);
void row_bind_move_state(struct row *row, enum move_state value);
void row_bind_disk_format(struct row *row, enum disk_format value);
void row_bind_error_code(struct row *row, enum error_code value);
void row_bind_limit_kind(struct row *row, enum limit_kind value);

#define ROW_READ_u64(row, column, member) (member) = row_u64(row);
#define ROW_READ_i64(row, column, member) (member) = row_i64(row);
#define ROW_READ_u32(row, column, member) (member) = row_u32(row, column);
#define ROW_READ_boolean(row, column, member) (member) = row_i64(row) != 0;
#define ROW_READ_text(row, column, member) (member) = row_text(row);
#define ROW_READ_array(row, column, member) row_array(row, column, (member), sizeof(member));
#define ROW_READ_request_kind(row, column, member) (member) = row_request_kind(row, column);
#define ROW_READ_batch_state(row, column, member) (member) = row_batch_state(row, column);
#define ROW_READ_move_kind(row, column, member) (member) = row_move_kind(row, column);
#define ROW_READ_move_class(row, column, member) (member) = row_move_class(row, column);
#define ROW_READ_move_method(row, column, member) (member) = row_move_method(row);
#define ROW_READ_leg(row, column, member) (member) = row_leg(row, column);
#define ROW_READ_post_copy(row, column, member) (member) = row_post_copy(row, column);
#define ROW_READ_move_state(row, column, member) (member) = row_move_state(row, column);
#define ROW_READ_disk_format(row, column, member) (member) = row_disk_format(row);
#define ROW_READ_error_code(row, column, member) (member) = row_error_code(row);
#define ROW_READ_limit_kind(row, column, member) (member) = row_limit_kind(row, column);

uint64_t row_u64(struct row *row);
int64_t row_i64(struct row *row);
uint32_t row_u32(struct row *row, const char *column);
char *row_text(struct row *row); /* NULL or the caller's */
void row_array(struct row *row, const char *column, char *ret, size_t size);
enum request_kind row_request_kind(struct row *row, const char *column);
enum batch_state row_batch_state(struct row *row, const char *column);
enum move_kind row_move_kind(struct row *row, const char *column);
enum move_class row_move_class(struct row *row, const char *column);
enum move_method row_move_method(struct row *row);
enum leg row_leg(struct row *row, const char *column);
enum post_copy row_post_copy(struct row *row, const char *column);
enum move_state row_move_state(struct row *row, const char *column);
enum disk_format row_disk_format(struct row *row);
enum error_code row_error_code(struct row *row);
enum limit_kind row_limit_kind(struct row *row, const char *column);

#endif
