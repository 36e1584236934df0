/* Values to columns and back. Enums travel by name, so that a file says what it means to a person
 * and does not depend on the order of an enum in some version of the source. */
#include "store_sqlite_rows.h"

#include <string.h>

#include "xalloc.h"

void row_bind_i64(struct row *row, int64_t value)
{
	sqlite3_bind_int64(row->statement, ++row->at, value);
}

void row_bind_u64(struct row *row, uint64_t value)
{
	row_bind_i64(row, (int64_t)value);
}

void row_bind_u32(struct row *row, uint32_t value)
{
	row_bind_i64(row, value);
}

void row_bind_boolean(struct row *row, bool value)
{
	row_bind_i64(row, value ? 1 : 0);
}

void row_bind_text(struct row *row, const char *value)
{
	/* A NULL pointer binds NULL. The borrowed rows of a commit outlive the step. */
	sqlite3_bind_text(row->statement, ++row->at, value, -1, SQLITE_STATIC);
}

void row_bind_array(struct row *row, const char *value)
{
	row_bind_text(row, value);
}

void row_bind_request_kind(struct row *row, enum request_kind value)
{
	row_bind_text(row, request_kind_name(value));
}

void row_bind_batch_state(struct row *row, enum batch_state value)
{
	row_bind_text(row, batch_state_name(value));
}

void row_bind_move_class(struct row *row, enum move_class value)
{
	row_bind_text(row, move_class_name(value));
}

void row_bind_move_method(struct row *row, enum move_method value)
{
	row_bind_text(row, move_method_name(value));
}

void row_bind_leg(struct row *row, enum leg value)
{
	row_bind_text(row, leg_name(value));
}

void row_bind_move_kind(struct row *row, enum move_kind value)
{
	row_bind_text(row, move_kind_name(value));
}

void row_bind_move_state(struct row *row, enum move_state value)
{
	row_bind_text(row, move_state_name(value));
}

void row_bind_post_copy(struct row *row, enum post_copy value)
{
	row_bind_text(row, post_copy_name(value));
}

void row_bind_disk_format(struct row *row, enum disk_format value)
{
	row_bind_text(row, disk_format_name(value));
}

void row_bind_error_code(struct row *row, enum error_code value)
{
	row_bind_text(row, error_code_name(value));
}

void row_bind_limit_kind(struct row *row, enum limit_kind value)
{
	row_bind_text(row, limit_info(value)->key);
}

static void mark_bad(struct row *row, const char *column)
{
	if (!row->bad)
		row->bad = column;
}

static const char *next_text(struct row *row)
{
	return (const char *)sqlite3_column_text(row->statement, row->at++);
}

int64_t row_i64(struct row *row)
{
	return sqlite3_column_int64(row->statement, row->at++);
}

uint64_t row_u64(struct row *row)
{
	return (uint64_t)row_i64(row);
}

uint32_t row_u32(struct row *row, const char *column)
{
	int64_t value = row_i64(row);

	if (value < 0 || value > UINT32_MAX) {
		mark_bad(row, column);
		return 0;
	}
	return (uint32_t)value;
}

char *row_text(struct row *row)
{
	const char *text = next_text(row);

	return text ? xstrdup(text) : NULL;
}

void row_array(struct row *row, const char *column, char *ret, size_t size)
{
	const char *text = next_text(row);
	size_t n = text ? strlen(text) : 0;

	if (n >= size) {
		mark_bad(row, column);
		n = 0;
	}
	memcpy(ret, text ? text : "", n);
	ret[n] = '\0';
}

enum request_kind row_request_kind(struct row *row, const char *column)
{
	const char *name = next_text(row);

	for (int kind = REQUEST_DRAIN; kind <= REQUEST_ROLLING; kind++)
		if (name && strcmp(name, request_kind_name((enum request_kind)kind)) == 0)
			return (enum request_kind)kind;
	mark_bad(row, column);
	return REQUEST_DRAIN;
}

enum batch_state row_batch_state(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum batch_state state = name ? batch_state_by_name(name) : BATCH_STATE_COUNT;

	if (state == BATCH_STATE_COUNT)
		mark_bad(row, column);
	return state;
}

enum move_class row_move_class(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum move_class class = name ? move_class_by_name(name) : CLASS_COUNT;

	if (class == CLASS_COUNT)
		mark_bad(row, column);
	return class == CLASS_COUNT ? CLASS_QUIET : class;
}

enum move_method row_move_method(struct row *row)
{
	const unsigned char *name = sqlite3_column_text(row->statement, row->at++);

	return name != NULL ? move_method_by_name((const char *)name) : METHOD_LIVE;
}

enum move_kind row_move_kind(struct row *row, const char *column)
{
	const char *name = next_text(row);

	for (int kind = MOVE_SHARED; kind <= MOVE_MIXED; kind++)
		if (name && strcmp(name, move_kind_name((enum move_kind)kind)) == 0)
			return (enum move_kind)kind;
	mark_bad(row, column);
	return MOVE_SHARED;
}

enum move_state row_move_state(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum move_state state = name ? move_state_by_name(name) : MOVE_STATE_COUNT;

	if (state == MOVE_STATE_COUNT)
		mark_bad(row, column);
	return state;
}

enum leg row_leg(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum leg leg = name ? leg_by_name(name) : LEG_COUNT;

	if (leg == LEG_COUNT) {
		mark_bad(row, column);
		return LEG_WHOLE;
	}
	return leg;
}

enum post_copy row_post_copy(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum post_copy post_copy = name ? post_copy_by_name(name) : POST_COPY_COUNT;

	if (post_copy == POST_COPY_COUNT) {
		mark_bad(row, column);
		return POST_COPY_NO;
	}
	return post_copy;
}

enum disk_format row_disk_format(struct row *row)
{
	const char *name = next_text(row);

	return name ? disk_format_by_name(name) : DISK_OTHER;
}

enum error_code row_error_code(struct row *row)
{
	const char *name = next_text(row);
	enum error_code code = name ? error_code_by_name(name) : ERR_NONE;

	/* A code that was dropped since: the message beside it still says what happened. */
	return code == ERROR_CODE_COUNT ? ERR_INTERNAL : code;
}

enum limit_kind row_limit_kind(struct row *row, const char *column)
{
	const char *name = next_text(row);
	enum limit_kind kind = name ? limit_by_key(name) : LIMIT_KIND_COUNT;

	if (kind == LIMIT_KIND_COUNT)
		mark_bad(row, column);
	return kind;
}
