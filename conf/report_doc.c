/* The report document (drover/report/1): planned against measured, the same for a run and a simulation. */
#include <string.h>

#include "plan_doc.h"

#define SCHEMA "drover/report/1"

/* -1 = not known: null, because 0 would be a measurement. */
static void put_span(struct json_writer *writer, const char *key, int64_t ms)
{
	if (ms < 0)
		json_put_text(writer, key, NULL);
	else
		json_put_milli(writer, key, ms);
}

static int64_t duration_of(const struct move_record *move, int64_t now_wall_ms)
{
	int64_t end = move->ended_wall_ms != 0 ? move->ended_wall_ms : now_wall_ms;

	return move->started_wall_ms == 0 ? -1 : end < move->started_wall_ms ? 0 : end - move->started_wall_ms;
}

static int64_t start_of(const struct batch_record *batch, const struct move_record *move)
{
	if (move->started_wall_ms == 0)
		return -1;
	/* A clock that was set back in between must not make a negative time. */
	return move->started_wall_ms < batch->created_wall_ms ? 0 : move->started_wall_ms - batch->created_wall_ms;
}

static void write_move(struct json_writer *writer, const struct batch_record *batch, const struct move_record *move, int64_t now_wall_ms)
{
	json_open(writer, NULL, '{');
	json_put_u64(writer, "id", move->id);
	json_put_u64(writer, "order", move->order);
	json_put_text(writer, "guest", move->guest);
	if (move->uuid[0] != '\0')
		json_put_text(writer, "uuid", move->uuid);
	json_put_text(writer, "source", move->source);
	json_put_text(writer, "target", move->target);
	json_put_text(writer, "kind", move_kind_name(move->kind));
	json_put_text(writer, "method", move_method_name(move->method));
	json_put_text(writer, "leg", leg_name(move->leg));
	json_put_text(writer, "state", move_state_name(move->state));
	json_put_text(writer, "post_copy", post_copy_name(move->post_copy));
	json_put_milli(writer, "start_seconds", move->planned_start_ms);
	json_put_milli(writer, "duration_seconds", move->planned_duration_ms);
	json_put_u64(writer, "bytes", move->planned_bytes);
	json_put_u64(writer, "rate_bytes_per_second", move->planned_rate_bytes_per_s);
	json_put_milli(writer, "downtime_seconds", move->planned_downtime_ms);
	json_put_text(writer, "network", move->network);
	json_put_text(writer, "source_address", move->path_source);
	json_put_text(writer, "target_address", move->path_target);
	json_put_text(writer, "reason", move->reason);
	put_span(writer, "actual_start_seconds", start_of(batch, move));
	put_span(writer, "actual_duration_seconds", duration_of(move, now_wall_ms));
	json_put_u64(writer, "bytes_transferred", move->bytes_transferred);
	put_span(writer, "measured_downtime_seconds", move->measured_downtime_ms);
	json_put_u64(writer, "attempts", move->attempts);
	json_put_u64(writer, "rounds", move->rounds);
	json_put_error(writer, "warning", &move->warning);
	json_put_error(writer, "error", &move->error);
	json_close(writer, '}');
}

/* Guests that the batch did not bring to where they were wanted, and why: of two legs the second says it. */
static void write_left(struct json_writer *writer, const struct move_record *const *moves, size_t n_moves)
{
	json_open(writer, "blocked", '[');
	for (size_t i = 0; i < n_moves; i++) {
		const struct move_record *move = moves[i];

		if (!move_state_is_end(move->state) || move->state == MOVE_DONE || move->leg == LEG_FIRST)
			continue;
		json_open(writer, NULL, '{');
		json_put_text(writer, "guest", move->guest);
		json_put_text(writer, "code", error_code_name(move->error.code));
		json_put_text(writer, "message", move->error.message);
		json_put_text(writer, "hint", move->error.hint);
		json_close(writer, '}');
	}
	json_close(writer, ']');
}

static void write_batch(struct json_writer *writer, const struct batch_record *batch, uint64_t bytes, int64_t now_wall_ms)
{
	int64_t end = batch->ended_wall_ms != 0 ? batch->ended_wall_ms : now_wall_ms;

	json_put_u64(writer, "batch", batch->id);
	json_put_text(writer, "kind", request_kind_name(batch->kind));
	json_put_text(writer, "state", batch_state_name(batch->state));
	json_put_text(writer, "title", batch->title);
	json_put_text(writer, "operator_reason", batch->reason);
	json_put_text(writer, "who", batch->who);
	json_put_time(writer, "created_time", batch->created_wall_ms);
	json_put_time(writer, "ended_time", batch->ended_wall_ms);
	json_put_milli(writer, "makespan_seconds", end < batch->created_wall_ms ? 0 : end - batch->created_wall_ms);
	json_put_milli(writer, "planned_makespan_seconds", batch->planned_makespan_ms);
	json_put_milli(writer, "lower_bound_seconds", batch->lower_bound_ms);
	json_put_u64(writer, "bytes_transferred", bytes);
}

char *report_json(const struct batch_record *batch, const struct move_record *const *moves, size_t n_moves, int64_t now_wall_ms)
{
	struct json_writer writer;
	uint64_t bytes = 0;

	for (size_t i = 0; i < n_moves; i++)
		bytes += moves[i]->bytes_transferred;
	json_begin(&writer, 2);
	json_open(&writer, NULL, '{');
	json_put_text(&writer, "schema", SCHEMA);
	write_batch(&writer, batch, bytes, now_wall_ms);
	json_open(&writer, "moves", '[');
	for (size_t i = 0; i < n_moves; i++)
		write_move(&writer, batch, moves[i], now_wall_ms);
	json_close(&writer, ']');
	write_left(&writer, moves, n_moves);
	json_close(&writer, '}');
	return json_end(&writer);
}
