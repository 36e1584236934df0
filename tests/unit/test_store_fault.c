/* The failing store that other tests lean on: it must fail exactly when told, and a crash must keep exactly what was
 * committed before it. */
#include "check.h"

#include "store_fault.h"
#include "store_memory.h"

static bool cordon(struct store *store, const char *name, struct error *err)
{
	struct store_op op = {.kind = STORE_PUT_HOST};

	op.host.name[0] = name[0];
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

static void exactly_the_commits_that_were_asked_for_fail(void **state)
{
	struct store *store = store_fault_new(store_memory_new("run"));
	struct error err = {0};

	(void)state;
	store_fault_fail(store, 2, 2, STORE_FAULT_FULL);
	assert_done(cordon(store, "a", &err), err);
	assert_refused(cordon(store, "b", &err), err, ERR_STATE_IO);
	assert_refused(cordon(store, "b", &err), err, ERR_STATE_IO);
	assert_done(cordon(store, "b", &err), err);
	assert_int_equal(count_hosts(store), 2);
	assert_int_equal(store_fault_n_commits(store), 2);
	store->close(store);
}

static void a_failed_commit_leaves_nothing(void **state)
{
	struct store *store = store_fault_new(store_memory_new("run"));
	struct error err = {0};

	(void)state;
	store_fault_fail(store, 1, 1, STORE_FAULT_MISMATCH);
	assert_refused(cordon(store, "a", &err), err, ERR_STATE_CORRUPT);
	assert_int_equal(count_hosts(store), 0);
	store->close(store);
}

static void after_a_crash_only_what_came_before_it_is_there(void **state)
{
	struct store *store = store_fault_new(store_memory_new("run"));
	struct store_image *image;
	struct error err = {0};

	(void)state;
	store_fault_crash_after(store, 2);
	assert_done(cordon(store, "a", &err), err);
	assert_false(store_fault_is_crashed(store));
	assert_done(cordon(store, "b", &err), err);
	assert_true(store_fault_is_crashed(store));
	assert_refused(cordon(store, "c", &err), err, ERR_STATE_IO);
	assert_refused(store->load(store, &image, &err), err, ERR_STATE_IO);
	store_fault_restart(store);
	assert_int_equal(count_hosts(store), 2);
	assert_done(cordon(store, "d", &err), err);
	assert_int_equal(count_hosts(store), 3);
	store->close(store);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(exactly_the_commits_that_were_asked_for_fail),
	cmocka_unit_test(a_failed_commit_leaves_nothing),
	cmocka_unit_test(after_a_crash_only_what_came_before_it_is_there),
};

TEST_MAIN(tests)
