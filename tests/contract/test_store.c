/* What every store promises, run on each implementation: SQLite, memory, and the failing store when it
 * does not fail. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scratch.h"
#include "store_fault.h"
#include "store_memory.h"
#include "store_sqlite.h"

#define RUN "0b5e7f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"

/* Text that breaks what is put together by hand. */
#define NASTY "O'Brien \"x\"; DROP TABLE move;-- %s \\ \t\n ümläut 漢字 \xF0\x9F\x90\x84"

struct fixture {
	struct store *store;
	char *path; /* NULL: the store has no file */
};

static int set_up_memory(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->store = store_memory_new(RUN);
	*state = fixture;
	return 0;
}

static int set_up_fault(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->store = store_fault_new(store_memory_new(RUN));
	*state = fixture;
	return 0;
}

static int set_up_sqlite(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->path = scratch_path("state.db");
	*state = fixture;
	return store_sqlite_open(fixture->path, &fixture->store, NULL) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	fixture->store->close(fixture->store);
	free(fixture->path);
	free(fixture);
	scratch_clear();
	return 0;
}

/* What a later process finds; for a store without a file that is what it finds by loading. */
static struct store_image *load_again(struct fixture *fixture)
{
	struct store_image *image;
	struct error err = {0};

	if (fixture->path) {
		fixture->store->close(fixture->store);
		assert_done(store_sqlite_open(fixture->path, &fixture->store, &err), err);
	}
	assert_done(fixture->store->load(fixture->store, &image, &err), err);
	return image;
}

static struct batch_record plain_batch(uint64_t id)
{
	return (struct batch_record){.id = id, .kind = REQUEST_DRAIN, .state = BATCH_RUNNING, .title = (char *)"drain h1"};
}

static struct move_record plain_move(uint64_t id, uint64_t batch, uint32_t order)
{
	return (struct move_record){
		.id = id,
		.batch = batch,
		.order = order,
		.guest = (char *)"web1",
		.source = (char *)"h1",
		.target = (char *)"h2",
		.kind = MOVE_SHARED,
		.state = MOVE_PLANNED,
		.epoch = 1,
		.measured_downtime_ms = -1,
	};
}

static struct store_op put_batch(const struct batch_record *batch)
{
	return (struct store_op){.kind = STORE_PUT_BATCH, .batch = batch};
}

static struct store_op new_move(const struct move_record *move)
{
	return (struct store_op){
		.kind = STORE_PUT_MOVE, .expect_state = MOVE_STATE_COUNT, .with_disks = true, .move = move};
}

static struct store_op next_move(const struct move_record *move, enum move_state state, uint64_t epoch)
{
	return (struct store_op){.kind = STORE_PUT_MOVE, .expect_state = state, .expect_epoch = epoch, .move = move};
}

static void commit(struct fixture *fixture, const struct store_op *ops, size_t n)
{
	struct error err = {0};

	assert_done(fixture->store->commit(fixture->store, ops, n, &err), err);
}

static void put_one_of_each(struct fixture *fixture)
{
	struct batch_record batch = plain_batch(1);
	struct move_record move = plain_move(7, 1, 0);
	struct store_op ops[] = {put_batch(&batch), new_move(&move)};

	commit(fixture, ops, 2);
}

static void a_new_store_is_empty_and_has_an_identity(void **state)
{
	struct fixture *fixture = *state;
	struct store_image *image = load_again(fixture);

	assert_int_equal(strlen(image->run), 36);
	assert_int_equal(image->epoch, 0);
	assert_int_equal(image->n_batches, 0);
	assert_int_equal(image->n_moves, 0);
	assert_int_equal(image->n_hosts, 0);
	assert_int_equal(image->n_paths, 0);
	store_image_free(image);
}

static void the_identity_stays_the_same(void **state)
{
	struct fixture *fixture = *state;
	struct store_image *first = load_again(fixture);
	struct store_image *second = load_again(fixture);

	assert_string_equal(first->run, second->run);
	store_image_free(first);
	store_image_free(second);
}

static void every_member_of_a_batch_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct batch_record in = {
		.id = 42,
		.kind = REQUEST_ROLLING,
		.state = BATCH_SOME_LEFT,
		.title = (char *)NASTY,
		.reason = (char *)"",
		.who = NULL,
		.hosts = (char *)"h1,h2",
		.created_wall_ms = 1700000000123,
		.ended_wall_ms = 1700000000999,
		.planned_makespan_ms = 61000,
		.lower_bound_ms = 59000,
		.request_json = (char *)"{\"a\":\"'\"}",
	};
	struct store_op op = put_batch(&in);
	struct store_image *image;
	struct batch_record *out;

	commit(fixture, &op, 1);
	image = load_again(fixture);
	assert_int_equal(image->n_batches, 1);
	out = &image->batches[0];
	assert_int_equal(out->id, 42);
	assert_int_equal(out->kind, REQUEST_ROLLING);
	assert_int_equal(out->state, BATCH_SOME_LEFT);
	assert_string_equal(out->title, NASTY);
	assert_string_equal(out->reason, "");
	assert_null(out->who);
	assert_string_equal(out->hosts, "h1,h2");
	assert_int_equal(out->created_wall_ms, 1700000000123);
	assert_int_equal(out->ended_wall_ms, 1700000000999);
	assert_int_equal(out->planned_makespan_ms, 61000);
	assert_int_equal(out->lower_bound_ms, 59000);
	assert_string_equal(out->request_json, in.request_json);
	store_image_free(image);
}

static struct move_record full_move(void)
{
	struct move_record move = {
		.id = UINT32_MAX + 5ULL,
		.batch = 1,
		.order = UINT32_MAX,
		.guest = (char *)NASTY,
		.uuid = "f0000000-0000-4000-8000-00000000000f",
		.source = (char *)"h1",
		.target = NULL,
		.kind = MOVE_MIXED,
		.state = MOVE_COPYING_DISKS,
		.epoch = 3,
		.attempts = 2,
		.network = (char *)"fast",
		.reason = (char *)"most free memory",
		.planned_start_ms = 1,
		.planned_duration_ms = 2,
		.planned_downtime_ms = 3,
		.planned_bytes = UINT64_MAX,
		.planned_rate_bytes_per_s = 125000000,
		.started_wall_ms = 1700000000001,
		.ended_wall_ms = 1700000000002,
		.bytes_transferred = (uint64_t)INT64_MAX + 1,
		.measured_downtime_ms = -1,
		.rounds = 17,
		.autostart = true,
		.was_paused = true,
		.handover_paused = true,
		.post_copy = POST_COPY_USED,
		.leg = LEG_SECOND,
		.after = 4,
		.path_source = (char *)"10.8.0.1",
		.path_target = (char *)"10.8.0.2",
	};

	error_set(&move.warning, ERR_WRONG_PATH, "from %s", "10.9.0.1");
	error_hint(&move.warning, "ip route get");
	error_set(&move.error, ERR_WAIT_BANDWIDTH_SOURCE, "link of %s: 12 of 12 MB/s", "h1");
	error_hint(&move.error, "it's %d%%", 100);
	return move;
}

static void every_member_of_a_move_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct batch_record batch = plain_batch(1);
	struct move_record in = full_move();
	struct store_op ops[] = {put_batch(&batch), new_move(&in)};
	struct store_image *image;
	struct move_record *out;

	commit(fixture, ops, 2);
	image = load_again(fixture);
	assert_int_equal(image->n_moves, 1);
	out = &image->moves[0];
	assert_true(out->id == in.id && out->batch == 1 && out->order == in.order);
	assert_string_equal(out->guest, NASTY);
	assert_string_equal(out->uuid, in.uuid);
	assert_string_equal(out->source, "h1");
	assert_null(out->target);
	assert_true(out->kind == in.kind && out->state == in.state && out->epoch == 3 && out->attempts == 2);
	assert_string_equal(out->network, "fast");
	assert_string_equal(out->reason, "most free memory");
	assert_true(out->planned_start_ms == 1 && out->planned_duration_ms == 2 && out->planned_downtime_ms == 3);
	assert_true(out->planned_bytes == UINT64_MAX && out->planned_rate_bytes_per_s == 125000000);
	assert_true(out->started_wall_ms == in.started_wall_ms && out->ended_wall_ms == in.ended_wall_ms);
	assert_true(out->bytes_transferred == in.bytes_transferred && out->measured_downtime_ms == -1 && out->rounds == 17);
	assert_true(out->autostart && !out->persistent && out->was_paused);
	assert_true(!out->cancel_requested && out->handover_paused);
	assert_int_equal(out->post_copy, POST_COPY_USED);
	assert_int_equal(out->leg, LEG_SECOND);
	assert_int_equal(out->after, 4);
	assert_string_equal(out->path_source, "10.8.0.1");
	assert_string_equal(out->path_target, "10.8.0.2");
	assert_int_equal(out->warning.code, ERR_WRONG_PATH);
	assert_string_equal(out->warning.message, "from 10.9.0.1");
	assert_string_equal(out->warning.hint, "ip route get");
	assert_int_equal(out->error.code, ERR_WAIT_BANDWIDTH_SOURCE);
	assert_string_equal(out->error.message, in.error.message);
	assert_string_equal(out->error.hint, in.error.hint);
	assert_int_equal(out->n_disks, 0);
	store_image_free(image);
}

static void every_state_kind_and_code_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct batch_record batch = plain_batch(1);
	struct store_op op = put_batch(&batch);
	struct store_image *image;

	commit(fixture, &op, 1);
	for (unsigned i = 0; i < ERROR_CODE_COUNT; i++) {
		struct move_record move = plain_move(i + 1, 1, i);

		move.state = (enum move_state)(i % MOVE_STATE_COUNT);
		move.kind = (enum move_kind)(i % (MOVE_MIXED + 1));
		move.error.code = (enum error_code)i;
		op = new_move(&move);
		commit(fixture, &op, 1);
	}
	image = load_again(fixture);
	assert_int_equal(image->n_moves, ERROR_CODE_COUNT);
	for (unsigned i = 0; i < ERROR_CODE_COUNT; i++) {
		assert_int_equal(image->moves[i].state, i % MOVE_STATE_COUNT);
		assert_int_equal(image->moves[i].kind, i % (MOVE_MIXED + 1));
		assert_int_equal(image->moves[i].error.code, i);
	}
	store_image_free(image);
}

static void every_batch_state_and_kind_comes_back(void **state)
{
	struct fixture *fixture = *state;
	struct store_image *image;

	for (unsigned i = 0; i < BATCH_STATE_COUNT * (REQUEST_ROLLING + 1); i++) {
		struct batch_record batch = plain_batch(i + 1);
		struct store_op op = put_batch(&batch);

		batch.state = (enum batch_state)(i % BATCH_STATE_COUNT);
		batch.kind = (enum request_kind)(i / BATCH_STATE_COUNT);
		commit(fixture, &op, 1);
	}
	image = load_again(fixture);
	assert_int_equal(image->n_batches, BATCH_STATE_COUNT * (REQUEST_ROLLING + 1));
	for (unsigned i = 0; i < image->n_batches; i++) {
		assert_int_equal(image->batches[i].state, i % BATCH_STATE_COUNT);
		assert_int_equal(image->batches[i].kind, i / BATCH_STATE_COUNT);
	}
	store_image_free(image);
}

static void put_move_with_disks(struct fixture *fixture)
{
	struct hv_disk disks[] = {
		{.target = (char *)"vda", .source_pool = (char *)"images", .source_volume = (char *)NASTY,
			.source_path = (char *)"/a b'c", .target_pool = (char *)"fast", .target_volume = (char *)"web1.raw",
			.target_path = NULL, .format = DISK_RAW, .capacity_bytes = 1ULL << 40, .allocation_bytes = 4096,
			.was_created = true},
		{.target = (char *)"vdb", .format = DISK_QCOW2, .capacity_bytes = 512},
	};
	struct batch_record batch = plain_batch(1);
	struct move_record move = plain_move(7, 1, 0);
	struct store_op ops[] = {put_batch(&batch), new_move(&move)};

	move.disks = disks;
	move.n_disks = 2;
	commit(fixture, ops, 2);
}

static void disks_come_back_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct store_image *image;
	const struct hv_disk *disks;

	put_move_with_disks(fixture);
	image = load_again(fixture);
	assert_int_equal(image->moves[0].n_disks, 2);
	disks = image->moves[0].disks;
	assert_string_equal(disks[0].target, "vda");
	assert_string_equal(disks[0].source_pool, "images");
	assert_string_equal(disks[0].source_volume, NASTY);
	assert_string_equal(disks[0].source_path, "/a b'c");
	assert_string_equal(disks[0].target_pool, "fast");
	assert_string_equal(disks[0].target_volume, "web1.raw");
	assert_null(disks[0].target_path);
	assert_int_equal(disks[0].format, DISK_RAW);
	assert_true(disks[0].capacity_bytes == 1ULL << 40 && disks[0].allocation_bytes == 4096 && disks[0].was_created);
	assert_string_equal(disks[1].target, "vdb");
	assert_null(disks[1].source_pool);
	assert_true(disks[1].format == DISK_QCOW2 && !disks[1].was_created);
	store_image_free(image);
}

static void disks_stay_unless_they_are_written_too(void **state)
{
	struct fixture *fixture = *state;
	struct move_record move = plain_move(7, 1, 0);
	struct hv_disk disk = {.target = (char *)"vdc", .format = DISK_OTHER};
	struct store_op op = next_move(&move, MOVE_PLANNED, 1);
	struct store_image *image;

	put_move_with_disks(fixture);
	move.state = MOVE_WAITING;
	commit(fixture, &op, 1);
	image = load_again(fixture);
	assert_int_equal(image->moves[0].n_disks, 2);
	store_image_free(image);

	move.disks = &disk;
	move.n_disks = 1;
	op = next_move(&move, MOVE_WAITING, 1);
	op.with_disks = true;
	commit(fixture, &op, 1);
	image = load_again(fixture);
	assert_int_equal(image->moves[0].n_disks, 1);
	assert_string_equal(image->moves[0].disks[0].target, "vdc");
	assert_int_equal(image->moves[0].disks[0].format, DISK_OTHER);
	store_image_free(image);
}

static void moves_come_back_by_batch_and_order(void **state)
{
	struct fixture *fixture = *state;
	struct batch_record batches[] = {plain_batch(2), plain_batch(1)};
	struct hv_disk disk = {.target = (char *)"vda"};
	struct move_record moves[] = {
		plain_move(10, 2, 0), plain_move(11, 1, 1), plain_move(12, 1, 0), plain_move(9, 2, 1)};
	struct store_op ops[] = {put_batch(&batches[0]), put_batch(&batches[1]), new_move(&moves[0]), new_move(&moves[1]),
		new_move(&moves[2]), new_move(&moves[3])};
	const uint64_t expected[] = {12, 11, 10, 9};
	struct store_image *image;

	moves[1].disks = moves[3].disks = &disk;
	moves[1].n_disks = moves[3].n_disks = 1;
	commit(fixture, ops, 6);
	image = load_again(fixture);
	assert_int_equal(image->batches[0].id, 1);
	assert_int_equal(image->batches[1].id, 2);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(image->moves[i].id, expected[i]);
		assert_int_equal(image->moves[i].n_disks, expected[i] == 11 || expected[i] == 9 ? 1 : 0);
	}
	store_image_free(image);
}

static void a_move_goes_on_from_what_was_written_last(void **state)
{
	struct fixture *fixture = *state;
	struct move_record move = plain_move(7, 1, 0);
	struct move_record again = plain_move(7, 1, 0);
	struct store_op ops[] = {next_move(&move, MOVE_PLANNED, 1), next_move(&again, MOVE_WAITING, 1)};
	struct store_image *image;

	put_one_of_each(fixture);
	move.state = MOVE_WAITING;
	again.state = MOVE_PREFLIGHT;
	again.epoch = 2;
	again.target = (char *)"h9";
	commit(fixture, ops, 2);
	image = load_again(fixture);
	assert_int_equal(image->n_moves, 1);
	assert_int_equal(image->moves[0].state, MOVE_PREFLIGHT);
	assert_int_equal(image->moves[0].epoch, 2);
	assert_string_equal(image->moves[0].target, "h9");
	store_image_free(image);
}

/* Commits a good cordon and then op, and expects that neither is there. */
static void expect_refusal(struct fixture *fixture, const struct store_op *op)
{
	struct store_op ops[] = {
		{.kind = STORE_PUT_HOST, .host = {.name = "h1", .cordoned = true}},
		{.kind = STORE_AUDIT, .audit = {.text = "must not stay"}},
		{.kind = STORE_SET_EPOCH, .epoch = 99},
		*op,
	};
	struct audit_record *rows;
	struct store_image *image;
	struct error err = {0};
	size_t n;

	assert_refused(fixture->store->commit(fixture->store, ops, 4, &err), err, ERR_STATE_CORRUPT);
	assert_true(err.message[0] != '\0');
	image = load_again(fixture);
	assert_int_equal(image->n_hosts, 0);
	assert_int_equal(image->epoch, 0);
	assert_int_equal(image->n_moves, 1);
	assert_int_equal(image->moves[0].state, MOVE_PLANNED);
	assert_string_equal(image->moves[0].target, "h2");
	store_image_free(image);
	assert_done(fixture->store->audit(fixture->store, 0, &rows, &n, &err), err);
	assert_int_equal(n, 0);
	free(rows);
}

static void a_move_in_another_state_refuses_the_whole_commit(void **state)
{
	struct move_record move = plain_move(7, 1, 0);
	struct store_op op = next_move(&move, MOVE_WAITING, 1);

	put_one_of_each(*state);
	move.state = MOVE_PREFLIGHT;
	expect_refusal(*state, &op);
}

static void a_move_of_another_epoch_refuses_the_whole_commit(void **state)
{
	struct move_record move = plain_move(7, 1, 0);
	struct store_op op = next_move(&move, MOVE_PLANNED, 2);

	put_one_of_each(*state);
	move.state = MOVE_WAITING;
	expect_refusal(*state, &op);
}

static void a_move_that_is_not_there_refuses_the_whole_commit(void **state)
{
	struct move_record move = plain_move(8, 1, 0);
	struct store_op op = next_move(&move, MOVE_PLANNED, 1);

	put_one_of_each(*state);
	expect_refusal(*state, &op);
}

static void a_new_move_over_an_old_one_refuses_the_whole_commit(void **state)
{
	struct move_record move = plain_move(7, 1, 0);
	struct store_op op = new_move(&move);

	put_one_of_each(*state);
	move.target = (char *)"h9";
	expect_refusal(*state, &op);
}

static void a_move_of_no_batch_refuses_the_whole_commit(void **state)
{
	struct move_record move = plain_move(8, 2, 0);
	struct store_op op = new_move(&move);

	put_one_of_each(*state);
	expect_refusal(*state, &op);
}

static void a_refused_commit_takes_back_what_came_before_it(void **state)
{
	struct fixture *fixture = *state;
	struct batch_record batch = plain_batch(1), other = plain_batch(2);
	struct move_record step = plain_move(7, 1, 0), added = plain_move(3, 2, 0), wrong = plain_move(5, 2, 0);
	struct store_op ops[] = {put_batch(&other), put_batch(&batch), next_move(&step, MOVE_PLANNED, 1), new_move(&added),
		next_move(&wrong, MOVE_PLANNED, 1)};
	struct error err = {0};
	struct store_image *image;

	put_one_of_each(fixture);
	batch.state = BATCH_PAUSED;
	step.state = MOVE_WAITING;
	assert_refused(fixture->store->commit(fixture->store, ops, 5, &err), err, ERR_STATE_CORRUPT);
	image = load_again(fixture);
	assert_int_equal(image->n_batches, 1);
	assert_int_equal(image->batches[0].state, BATCH_RUNNING);
	assert_int_equal(image->n_moves, 1);
	assert_int_equal(image->moves[0].id, 7);
	assert_int_equal(image->moves[0].state, MOVE_PLANNED);
	store_image_free(image);
}

static void the_epoch_never_goes_back(void **state)
{
	struct fixture *fixture = *state;
	struct store_op op = {.kind = STORE_SET_EPOCH, .epoch = 5};
	struct error err = {0};
	struct store_image *image;

	commit(fixture, &op, 1);
	commit(fixture, &op, 1);
	op.epoch = 4;
	assert_refused(fixture->store->commit(fixture->store, &op, 1, &err), err, ERR_STATE_CORRUPT);
	image = load_again(fixture);
	assert_int_equal(image->epoch, 5);
	store_image_free(image);
}

static void hosts_and_paths_are_replaced_by_name(void **state)
{
	struct fixture *fixture = *state;
	struct store_op ops[] = {
		{.kind = STORE_PUT_HOST,
			.host = {.name = "h2", .cordoned = true, .reason = NASTY, .who = "root", .since_wall_ms = 77}},
		{.kind = STORE_PUT_HOST, .host = {.name = "h1", .cordoned = true}},
		{.kind = STORE_PUT_HOST, .host = {.name = "h1"}},
		{.kind = STORE_PUT_PATH, .path = {.source = "h1", .target = "h2", .memory_bytes_per_s = 1}},
		{.kind = STORE_PUT_PATH, .path = {.source = "h2", .target = "h1", .samples = 9}},
		{.kind = STORE_PUT_PATH,
			.path = {.source = "h1", .target = "h2", .memory_bytes_per_s = 2, .disk_bytes_per_s = 3,
				.samples = 4, .updated_wall_ms = 5}},
	};
	struct store_image *image;

	commit(fixture, ops, 6);
	image = load_again(fixture);
	assert_int_equal(image->n_hosts, 2);
	assert_string_equal(image->hosts[0].name, "h1");
	assert_false(image->hosts[0].cordoned);
	assert_true(image->hosts[1].cordoned && image->hosts[1].since_wall_ms == 77);
	assert_string_equal(image->hosts[1].reason, NASTY);
	assert_string_equal(image->hosts[1].who, "root");
	assert_int_equal(image->n_paths, 2);
	assert_string_equal(image->paths[0].target, "h2");
	assert_true(image->paths[0].memory_bytes_per_s == 2 && image->paths[0].disk_bytes_per_s == 3);
	assert_int_equal(image->paths[0].samples, 4);
	assert_int_equal(image->paths[0].updated_wall_ms, 5);
	assert_int_equal(image->paths[1].samples, 9);
	store_image_free(image);
}

static void limits_are_replaced_by_kind_and_object_and_cleared_together(void **state)
{
	struct fixture *fixture = *state;
	struct store_op ops[] = {
		{.kind = STORE_PUT_LIMIT, .limit = {.kind = LIMIT_RATE, .network = NASTY, .value = UINT64_MAX}},
		{.kind = STORE_PUT_LIMIT, .limit = {.kind = LIMIT_MAX_OUTGOING, .host = "h1", .value = 1}},
		{.kind = STORE_PUT_LIMIT, .limit = {.kind = LIMIT_MAX_OUTGOING, .value = 7}},
		{.kind = STORE_PUT_LIMIT, .limit = {.kind = LIMIT_MAX_OUTGOING, .host = "h1", .value = 0}},
	};
	struct store_op clear[] = {{.kind = STORE_CLEAR_LIMITS}, {.kind = STORE_SET_EPOCH, .epoch = 1}};
	struct store_image *image;
	struct error err = {0};
	size_t i, seen = 0;

	commit(fixture, ops, 4);
	image = load_again(fixture);
	assert_int_equal(image->n_limits, 3);
	for (i = 0; i < image->n_limits; i++) {
		const struct limit *limit = &image->limits[i];

		seen += limit->kind == LIMIT_RATE && strcmp(limit->network, NASTY) == 0 && limit->value == UINT64_MAX;
		seen += limit->kind == LIMIT_MAX_OUTGOING && strcmp(limit->host, "h1") == 0 && limit->value == 0;
		seen += limit->kind == LIMIT_MAX_OUTGOING && limit->host[0] == '\0' && limit->value == 7;
	}
	assert_int_equal(seen, 3);
	store_image_free(image);
	commit(fixture, &(struct store_op){.kind = STORE_SET_EPOCH, .epoch = 5}, 1);
	assert_refused(fixture->store->commit(fixture->store, clear, 2, &err), err, ERR_STATE_CORRUPT);
	image = load_again(fixture);
	assert_int_equal(image->n_limits, 3);
	store_image_free(image);
	commit(fixture, clear, 1);
	image = load_again(fixture);
	assert_int_equal(image->n_limits, 0);
	store_image_free(image);
}

static void lessons_are_replaced_by_pair_and_class_and_facts_by_guest(void **state)
{
	static const struct lesson lesson = {.source = "h1", .target = "h2", .class = CLASS_BUSY_DISKS, .samples = 7,
		.rate_bytes_per_s = 8, .rate_spread_milli = 9, .rate_samples = 10, .bytes = {11, 12, 13}, .downtime = {14, 15, 16},
		.setup_ms = 17, .finish_ms = 18, .updated_wall_ms = 19};
	static const struct guest_fact fact = {.uuid = "00000000-0000-4000-8000-000000000001", .dirty_rate_bytes_per_s = 20,
		.working_set_bytes = 21, .measured_wall_ms = 22};
	struct fixture *fixture = *state;
	struct store_op ops[] = {
		{.kind = STORE_PUT_LESSON, .lesson = {.source = "h1", .target = "h2", .class = CLASS_BUSY_DISKS, .samples = 1}},
		{.kind = STORE_PUT_LESSON, .lesson = {.source = "h1", .target = "h2", .class = CLASS_QUIET, .samples = 1}},
		{.kind = STORE_PUT_LESSON, .lesson = lesson},
		{.kind = STORE_PUT_GUEST, .guest = {.uuid = "00000000-0000-4000-8000-000000000002"}},
		{.kind = STORE_PUT_GUEST, .guest = {.uuid = "00000000-0000-4000-8000-000000000001"}},
		{.kind = STORE_PUT_GUEST, .guest = fact},
	};
	struct store_image *image;

	commit(fixture, ops, 6);
	image = load_again(fixture);
	assert_int_equal(image->n_lessons, 2);
	assert_true(image->lessons[0].class == CLASS_BUSY_DISKS && image->lessons[0].samples == 7);
	assert_true(image->lessons[0].rate_bytes_per_s == 8 && image->lessons[0].rate_spread_milli == 9 && image->lessons[0].rate_samples == 10);
	assert_memory_equal(&image->lessons[0].bytes, &lesson.bytes, sizeof lesson.bytes);
	assert_memory_equal(&image->lessons[0].downtime, &lesson.downtime, sizeof lesson.downtime);
	assert_true(image->lessons[0].setup_ms == 17 && image->lessons[0].finish_ms == 18 && image->lessons[0].updated_wall_ms == 19);
	assert_int_equal(image->lessons[1].class, CLASS_QUIET);
	assert_int_equal(image->n_guests, 2);
	assert_string_equal(image->guests[0].uuid, fact.uuid);
	assert_true(image->guests[0].dirty_rate_bytes_per_s == 20 && image->guests[0].working_set_bytes == 21);
	assert_int_equal(image->guests[0].measured_wall_ms, 22);
	store_image_free(image);
}

static void strings_of_the_greatest_length_come_back(void **state)
{
	struct fixture *fixture = *state;
	struct store_op op = {.kind = STORE_PUT_HOST};
	struct store_image *image;

	memset(op.host.name, 'n', sizeof(op.host.name) - 1);
	memset(op.host.reason, 'r', sizeof(op.host.reason) - 1);
	memset(op.host.who, 'w', sizeof(op.host.who) - 1);
	commit(fixture, &op, 1);
	image = load_again(fixture);
	assert_string_equal(image->hosts[0].name, op.host.name);
	assert_string_equal(image->hosts[0].reason, op.host.reason);
	assert_string_equal(image->hosts[0].who, op.host.who);
	store_image_free(image);
}

static void audit_rows_keep_their_order_and_their_batch(void **state)
{
	struct fixture *fixture = *state;
	struct store_op ops[] = {
		{.kind = STORE_AUDIT, .audit = {.wall_ms = 9, .batch = 1, .move = 7, .from = "planned", .to = "waiting"}},
		{.kind = STORE_AUDIT, .audit = {.wall_ms = 5, .batch = 2, .text = NASTY}},
		{.kind = STORE_AUDIT, .audit = {.wall_ms = 7, .batch = 1, .text = "last"}},
	};
	struct audit_record *rows;
	struct error err = {0};
	size_t n;

	commit(fixture, ops, 3);
	store_image_free(load_again(fixture));
	assert_done(fixture->store->audit(fixture->store, 0, &rows, &n, &err), err);
	assert_int_equal(n, 3);
	assert_true(rows[0].wall_ms == 9 && rows[0].batch == 1 && rows[0].move == 7);
	assert_string_equal(rows[0].from, "planned");
	assert_string_equal(rows[0].to, "waiting");
	assert_string_equal(rows[1].text, NASTY);
	assert_string_equal(rows[1].from, "");
	free(rows);
	assert_done(fixture->store->audit(fixture->store, 1, &rows, &n, &err), err);
	assert_int_equal(n, 2);
	assert_string_equal(rows[1].text, "last");
	free(rows);
	assert_done(fixture->store->audit(fixture->store, 3, &rows, &n, &err), err);
	assert_int_equal(n, 0);
	free(rows);
}

static void a_commit_of_nothing_succeeds(void **state)
{
	commit(*state, NULL, 0);
}

static void rows_are_borrowed_only_until_commit_returns(void **state)
{
	struct fixture *fixture = *state;
	char title[] = "drain h1";
	struct batch_record batch = plain_batch(1);
	struct store_op op = put_batch(&batch);
	struct store_image *image;

	batch.title = title;
	commit(fixture, &op, 1);
	memset(title, 'x', sizeof(title) - 1);
	image = load_again(fixture);
	assert_string_equal(image->batches[0].title, "drain h1");
	store_image_free(image);
}

static void a_loaded_image_does_not_follow_later_commits(void **state)
{
	struct fixture *fixture = *state;
	struct move_record move = plain_move(7, 1, 0);
	struct store_op op = next_move(&move, MOVE_PLANNED, 1);
	struct store_image *image;

	put_one_of_each(fixture);
	image = load_again(fixture);
	move.state = MOVE_WAITING;
	commit(fixture, &op, 1);
	assert_int_equal(image->moves[0].state, MOVE_PLANNED);
	store_image_free(image);
}

#define ON_EACH(name) \
	{#name " (sqlite)", name, set_up_sqlite, tear_down, NULL}, {#name " (memory)", name, set_up_memory, tear_down, NULL}, \
		{#name " (fault)", name, set_up_fault, tear_down, NULL}

static const struct CMUnitTest tests[] = {
	ON_EACH(a_new_store_is_empty_and_has_an_identity),
	ON_EACH(the_identity_stays_the_same),
	ON_EACH(every_member_of_a_batch_comes_back),
	ON_EACH(every_member_of_a_move_comes_back),
	ON_EACH(every_state_kind_and_code_comes_back),
	ON_EACH(every_batch_state_and_kind_comes_back),
	ON_EACH(disks_come_back_in_order),
	ON_EACH(disks_stay_unless_they_are_written_too),
	ON_EACH(moves_come_back_by_batch_and_order),
	ON_EACH(a_move_goes_on_from_what_was_written_last),
	ON_EACH(a_move_in_another_state_refuses_the_whole_commit),
	ON_EACH(a_move_of_another_epoch_refuses_the_whole_commit),
	ON_EACH(a_move_that_is_not_there_refuses_the_whole_commit),
	ON_EACH(a_new_move_over_an_old_one_refuses_the_whole_commit),
	ON_EACH(a_move_of_no_batch_refuses_the_whole_commit),
	ON_EACH(a_refused_commit_takes_back_what_came_before_it),
	ON_EACH(the_epoch_never_goes_back),
	ON_EACH(hosts_and_paths_are_replaced_by_name),
	ON_EACH(limits_are_replaced_by_kind_and_object_and_cleared_together),
	ON_EACH(lessons_are_replaced_by_pair_and_class_and_facts_by_guest),
	ON_EACH(strings_of_the_greatest_length_come_back),
	ON_EACH(audit_rows_keep_their_order_and_their_batch),
	ON_EACH(a_commit_of_nothing_succeeds),
	ON_EACH(rows_are_borrowed_only_until_commit_returns),
	ON_EACH(a_loaded_image_does_not_follow_later_commits),
};

TEST_MAIN(tests)
