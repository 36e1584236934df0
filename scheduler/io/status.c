/* Makes the status document. Everything that people and scripts see of a run comes through here, so that the
 * terminal, `status -o json` and a watcher in another terminal never disagree. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "status.h"

struct counts {
	uint32_t total, done, failed, cancelled, active, waiting;
	uint32_t first_active, second_waiting; /* of two legs */
	uint64_t planned_bytes, sent_bytes;
};

json_t *status_time(int64_t wall_ms)
{
	char text[40];
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms == 0 || gmtime_r(&seconds, &tm) == NULL)
		return json_null();
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static json_t *seconds(int64_t ms)
{
	return ms < 0 ? json_null() : json_real((double)ms / 1000.0);
}

/* Messages may quote libvirt and be cut in the middle of a character; one bad byte must not cost the document. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	char clean[ERROR_MESSAGE_SIZE];
	size_t i;

	if (string != NULL)
		return string;
	for (i = 0; i + 1 < sizeof clean && text[i] != '\0'; i++)
		clean[i] = (text[i] & 0x80) != 0 ? '?' : text[i];
	clean[i] = '\0';
	return json_string(clean);
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? text_of(text) : json_null();
}

static json_t *error_object(const struct error *error)
{
	if (error->code == ERR_NONE)
		return json_null();
	return json_pack("{s:s, s:o, s:o}", "code", error_code_name(error->code), "message", text_of(error->message), "hint",
		text_of(error->hint));
}

static const char *phase_name(enum hv_phase phase)
{
	switch (phase) {
	case HV_PHASE_NONE: break;
	case HV_PHASE_SETUP: return "setup";
	case HV_PHASE_DISKS: return "disks";
	case HV_PHASE_MEMORY: return "memory";
	case HV_PHASE_SWITCHOVER: return "switchover";
	case HV_PHASE_POSTCOPY: return "post_copy";
	case HV_PHASE_POSTCOPY_FAILED: return "post_copy_failed";
	case HV_PHASE_DONE: return "done";
	}
	return "none";
}

/* Guests are counted. One that goes by way of a third host has two moves: it has come, or not, with the second, and while the
 * first is under way it does not wait. */
static void count_move(struct counts *counts, const struct move_record *move)
{
	bool is_first = move->leg == LEG_FIRST, waits = move->state == MOVE_WAITING || move->state == MOVE_PLANNED;
	bool is_active = !waits && !move_state_is_end(move->state);

	counts->total += !is_first;
	counts->done += !is_first && move->state == MOVE_DONE;
	counts->failed += !is_first && move->state == MOVE_FAILED;
	counts->cancelled += !is_first && move->state == MOVE_CANCELLED;
	counts->first_active += is_first && is_active;
	counts->waiting += move->leg == LEG_WHOLE && waits;
	counts->second_waiting += move->leg == LEG_SECOND && waits;
	counts->active += is_active;
	counts->planned_bytes += move->planned_bytes;
	counts->sent_bytes += move->bytes_transferred;
}

static uint32_t n_waiting(const struct counts *counts)
{
	return counts->waiting + (counts->second_waiting > counts->first_active ? counts->second_waiting - counts->first_active : 0);
}

static json_t *move_object(const struct move_record *move)
{
	return json_pack("{s:I, s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:o}", "id", (json_int_t)move->id,
		"guest", text_of(move->guest), "uuid", move->uuid, "source", text_or_null(move->source), "target",
		text_or_null(move->target), "kind", move_kind_name(move->kind), "leg", leg_name(move->leg), "state", move_state_name(move->state), "attempts",
		(int)move->attempts, "network", text_or_null(move->network),
		"source_address", text_or_null(move->path_source), "target_address", text_or_null(move->path_target), "started", status_time(move->started_wall_ms),
		"ended", status_time(move->ended_wall_ms), "planned_bytes", (json_int_t)move->planned_bytes,
		"planned_duration_seconds", seconds(move->planned_duration_ms), "bytes_transferred",
		(json_int_t)move->bytes_transferred, "measured_downtime_seconds", seconds(move->measured_downtime_ms), "warning",
		error_object(&move->warning), "error", error_object(&move->error));
}

static void add_live(json_t *object, const struct engine *engine, size_t at)
{
	struct move_live live;

	engine_move_live(engine, at, &live);
	json_object_set_new(object, "phase", json_string(phase_name(live.phase)));
	json_object_set_new(object, "total_bytes", json_integer((json_int_t)live.total_bytes));
	json_object_set_new(object, "remaining_bytes", json_integer((json_int_t)live.remaining_bytes));
	json_object_set_new(object, "rate_bytes_per_second", json_integer((json_int_t)live.rate_bytes_per_s));
	json_object_set_new(object, "granted_bytes_per_second", json_integer((json_int_t)live.granted_bytes_per_s));
	json_object_set_new(object, "has_link", json_boolean(live.is_head));
	json_object_set_new(object, "dirty_rate_bytes_per_second", json_integer((json_int_t)live.dirty_rate_bytes_per_s));
	json_object_set_new(object, "eta_seconds", seconds(live.eta_ms));
	json_object_set_new(object, "eta_low_seconds", seconds(live.eta_low_ms));
	json_object_set_new(object, "eta_high_seconds", seconds(live.eta_high_ms));
	json_object_set_new(object, "waiting_on", error_object(&live.waiting));
}

static json_t *batch_object(const struct batch_record *batch, const struct counts *counts, json_t *moves)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:o, s:o, s:o}",
		"id", (json_int_t)batch->id, "kind", request_kind_name(batch->kind), "title",
		batch->title != NULL ? batch->title : "", "state", batch_state_name(batch->state), "reason",
		text_or_null(batch->reason), "who", text_or_null(batch->who), "created", status_time(batch->created_wall_ms),
		"ended", status_time(batch->ended_wall_ms), "moves_total", (int)counts->total, "moves_done", (int)counts->done,
		"moves_failed", (int)counts->failed, "moves_cancelled", (int)counts->cancelled, "moves_active",
		(int)counts->active, "moves_waiting", (int)n_waiting(counts), "planned_bytes", (json_int_t)counts->planned_bytes,
		"bytes_transferred", (json_int_t)counts->sent_bytes, "planned_makespan_seconds",
		seconds(batch->planned_makespan_ms), "lower_bound_seconds", seconds(batch->lower_bound_ms), "moves", moves);
}

static json_t *engine_batch_object(const struct engine *engine, const struct batch_record *batch, bool is_brief)
{
	struct counts counts = {0};
	json_t *moves = json_array(), *object;
	int64_t low, eta, high;
	size_t i;

	for (i = 0; i < engine_n_moves(engine); i++) {
		const struct move_record *move = engine_move(engine, i);
		json_t *row;

		if (move->batch != batch->id)
			continue;
		count_move(&counts, move);
		if (is_brief && move_state_is_end(move->state))
			continue;
		row = move_object(move);
		add_live(row, engine, i);
		json_array_append_new(moves, row);
	}
	object = batch_object(batch, &counts, moves);
	engine_batch_eta(engine, batch->id, &low, &eta, &high);
	json_object_set_new(object, "eta_low_seconds", seconds(low));
	json_object_set_new(object, "eta_seconds", seconds(eta));
	json_object_set_new(object, "eta_high_seconds", seconds(high));
	return object;
}

static json_t *limit(uint32_t number)
{
	return number == 0 ? json_string("auto") : json_integer(number);
}

const char *status_limit_key(enum limit_kind kind)
{
	return kind == LIMIT_RATE ? "rate_bytes_per_second" : limit_info(kind)->key;
}

static json_t *limit_value(const struct limit *record)
{
	switch (limit_info(record->kind)->value) {
	case LIMIT_COUNT:
		return limit((uint32_t)record->value);
	case LIMIT_YES_NO:
		return json_boolean(record->value != 0);
	case LIMIT_RATE_BYTES_PER_S:
		break;
	}
	return record->value == 0 ? json_string("none") : json_integer((json_int_t)record->value);
}

static json_t *limit_object(const struct limit *record)
{
	return json_pack("{s:o, s:o, s:o}", "host", text_or_null(record->host), "network", text_or_null(record->network),
		status_limit_key(record->kind), limit_value(record));
}

static void add_count(json_t *object, const char *key, uint32_t count)
{
	if (count != 0)
		json_object_set_new(object, key, json_integer(count));
}

/* Of hosts that have limits of their own. */
static json_t *host_limits(const struct engine *engine)
{
	const struct inventory *inventory = engine_inventory(engine);
	json_t *hosts = json_array();
	size_t i;

	for (i = 0; i < inventory->n_hosts; i++) {
		const struct host *host = &inventory->hosts[i];
		json_t *object = json_object();

		add_count(object, "max_incoming", host->max_incoming);
		add_count(object, "max_outgoing", host->max_outgoing);
		add_count(object, "max_incoming_storage", host->max_incoming_storage);
		add_count(object, "max_outgoing_storage", host->max_outgoing_storage);
		if (!host->incoming)
			json_object_set_new(object, "incoming", json_false());
		if (!host->outgoing)
			json_object_set_new(object, "outgoing", json_false());
		if (json_object_size(object) > 0) {
			json_object_set_new(object, "host", json_string(host->name));
			json_array_append(hosts, object);
		}
		json_decref(object);
	}
	return hosts;
}

json_t *status_limits(const struct engine *engine)
{
	const struct engine_options *options = engine_limits(engine);
	json_t *rates = json_array(), *set = json_array();
	size_t i;

	for (i = 0; i < engine_n_limits(engine); i++) {
		const struct limit *record = engine_limit(engine, i);

		json_array_append_new(set, limit_object(record));
		if (record->kind == LIMIT_RATE && record->value != 0)
			json_array_append_new(rates, limit_object(record));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "max_migrations", limit(options->max_migrations),
		"max_incoming", limit(options->max_incoming), "max_outgoing", limit(options->max_outgoing),
		"max_incoming_storage", limit(options->max_incoming_storage), "max_outgoing_storage",
		limit(options->max_outgoing_storage), "hosts", host_limits(engine), "rates", rates, "set", set);
}

/* Only those that carry or have carried something: the others say nothing. */
static json_t *link_objects(const struct engine *engine)
{
	json_t *links = json_array();
	struct link_live live;
	size_t i;

	for (i = 0; i < engine_n_links(engine); i++) {
		engine_link_live(engine, i, &live);
		if (live.n_moves == 0 && live.flow_bytes_per_s == 0)
			continue;
		json_array_append_new(links, json_pack("{s:o, s:I, s:I, s:I, s:I, s:i, s:i}", "name", text_of(live.name),
			"capacity_bytes_per_second", (json_int_t)live.capacity_bytes_per_s, "flow_bytes_per_second",
			(json_int_t)live.flow_bytes_per_s, "others_bytes_per_second", (json_int_t)live.others_bytes_per_s,
			"limit_bytes_per_second", (json_int_t)live.limit_bytes_per_s, "moves", (int)live.n_moves, "heads",
			(int)live.n_heads));
	}
	return links;
}

static json_t *document(int64_t wall_ms, bool is_running, json_t *batches, json_t *hosts)
{
	return json_pack("{s:s, s:o, s:b, s:o, s:o}", "schema", "drover/status/1", "time", status_time(wall_ms), "running",
		(int)is_running, "batches", batches, "hosts", hosts);
}

json_t *status_of_engine(const struct engine *engine, int64_t wall_ms, bool is_brief)
{
	const struct inventory *inventory = engine_inventory(engine);
	json_t *batches = json_array(), *hosts = json_array(), *object;
	size_t i;

	for (i = 0; i < engine_n_batches(engine); i++)
		json_array_append_new(batches, engine_batch_object(engine, engine_batch(engine, i), is_brief));
	for (i = 0; i < inventory->n_hosts && !is_brief; i++)
		json_array_append_new(hosts, json_pack("{s:s, s:b, s:b}", "name", inventory->hosts[i].name, "cordoned",
			(int)inventory->hosts[i].cordoned, "reachable", (int)inventory->hosts[i].reachable));
	object = document(wall_ms, true, batches, hosts);
	json_object_set_new(object, "limits", status_limits(engine));
	json_object_set_new(object, "links", link_objects(engine));
	return object;
}

static json_t *image_batch_object(const struct store_image *image, const struct batch_record *batch)
{
	struct counts counts = {0};
	json_t *moves = json_array();
	size_t i;

	for (i = 0; i < image->n_moves; i++) {
		if (image->moves[i].batch != batch->id)
			continue;
		count_move(&counts, &image->moves[i]);
		json_array_append_new(moves, move_object(&image->moves[i]));
	}
	return batch_object(batch, &counts, moves);
}

json_t *status_history(const struct store_image *image)
{
	json_t *batches = json_array();
	size_t i;

	for (i = 0; i < image->n_batches; i++) {
		json_t *batch = image_batch_object(image, &image->batches[i]);

		json_object_del(batch, "moves");
		json_array_append_new(batches, batch);
	}
	return batches;
}

json_t *status_of_image(const struct store_image *image, int64_t wall_ms)
{
	json_t *batches = json_array(), *hosts = json_array(), *set = json_array(), *object;
	bool is_unfinished;
	size_t i;

	for (i = 0; i < image->n_batches; i++)
		if (!batch_state_is_end(image->batches[i].state))
			json_array_append_new(batches, image_batch_object(image, &image->batches[i]));
	is_unfinished = json_array_size(batches) > 0;
	if (!is_unfinished && image->n_batches > 0)
		json_array_append_new(batches, image_batch_object(image, &image->batches[image->n_batches - 1]));
	for (i = 0; i < image->n_limits && is_unfinished; i++)
		json_array_append_new(set, limit_object(&image->limits[i]));
	for (i = 0; i < image->n_hosts; i++)
		json_array_append_new(hosts, json_pack("{s:s, s:b, s:o, s:o, s:o}", "name", image->hosts[i].name, "cordoned",
			(int)image->hosts[i].cordoned, "reason", text_or_null(image->hosts[i].reason), "who",
			text_or_null(image->hosts[i].who), "since", status_time(image->hosts[i].since_wall_ms)));
	object = document(wall_ms, false, batches, hosts);
	json_object_set_new(object, "limits", json_pack("{s:o}", "set", set));
	return object;
}
