/* The failing store: see store_fault.h. It changes no operation on its way, it only refuses. */
#include "store_fault.h"

#include <stdlib.h>

#include "xalloc.h"

struct fault {
	struct store store;
	struct store *inner;
	size_t n_commits;
	size_t fail_in;    /* good commits before the first failing one */
	size_t fail_times; /* 0 = none is to fail */
	enum store_fault_kind kind;
	size_t crash_in; /* good commits before the crash; SIZE_MAX = none */
};

static bool refuse(enum store_fault_kind kind, struct error *err)
{
	switch (kind) {
	case STORE_FAULT_BUSY:
		return error_set(err, ERR_STATE_IO, "injected: another program has the state locked");
	case STORE_FAULT_IO:
		return error_set(err, ERR_STATE_IO, "injected: disk I/O error");
	case STORE_FAULT_FULL:
		return error_set(err, ERR_STATE_IO, "injected: the disk is full");
	case STORE_FAULT_MISMATCH:
		return error_set(err, ERR_STATE_CORRUPT, "injected: another program wrote the state");
	}
	abort();
}

static bool fault_commit(struct store *store, const struct store_op *ops, size_t n_ops, struct error *err)
{
	struct fault *fault = store->self;

	if (fault->crash_in == 0)
		return error_set(err, ERR_STATE_IO, "injected: the process is dead");
	if (fault->fail_times > 0) {
		if (fault->fail_in == 0) {
			fault->fail_times--;
			return refuse(fault->kind, err);
		}
		fault->fail_in--;
	}
	if (!fault->inner->commit(fault->inner, ops, n_ops, err))
		return false;
	fault->n_commits++;
	if (fault->crash_in != SIZE_MAX)
		fault->crash_in--;
	return true;
}

static bool fault_load(struct store *store, struct store_image **ret_image, struct error *err)
{
	struct fault *fault = store->self;

	if (fault->crash_in == 0)
		return error_set(err, ERR_STATE_IO, "injected: the process is dead");
	return fault->inner->load(fault->inner, ret_image, err);
}

static bool fault_audit(struct store *store, uint64_t batch, struct audit_record **ret_rows, size_t *ret_n,
	struct error *err)
{
	struct fault *fault = store->self;

	return fault->inner->audit(fault->inner, batch, ret_rows, ret_n, err);
}

static void fault_close(struct store *store)
{
	struct fault *fault;

	if (!store)
		return;
	fault = store->self;
	fault->inner->close(fault->inner);
	free(fault);
}

struct store *store_fault_new(struct store *inner)
{
	struct fault *fault = xcalloc(1, sizeof(*fault));

	fault->inner = inner;
	fault->crash_in = SIZE_MAX;
	fault->store = (struct store){
		.self = fault,
		.load = fault_load,
		.commit = fault_commit,
		.audit = fault_audit,
		.close = fault_close,
	};
	return &fault->store;
}

void store_fault_fail(struct store *store, size_t n, size_t n_times, enum store_fault_kind kind)
{
	struct fault *fault = store->self;

	fault->fail_in = n - 1;
	fault->fail_times = n_times;
	fault->kind = kind;
}

void store_fault_crash_after(struct store *store, size_t n)
{
	((struct fault *)store->self)->crash_in = n;
}

void store_fault_restart(struct store *store)
{
	((struct fault *)store->self)->crash_in = SIZE_MAX;
}

bool store_fault_is_crashed(const struct store *store)
{
	return ((const struct fault *)store->self)->crash_in == 0;
}

size_t store_fault_n_commits(const struct store *store)
{
	return ((const struct fault *)store->self)->n_commits;
}
