/* A store before a store that fails on command, for tests of what happens then.
 *
 * A crash is a point after which nothing reaches the store below any more: what a restarted process would
 * find is what that store holds. store_fault_restart ends the crash, and load gives exactly that.
 */
#ifndef DROVER_STORE_FAULT_H
#define DROVER_STORE_FAULT_H

#include "drover/store.h"

enum store_fault_kind {
	STORE_FAULT_BUSY,     /* ERR_STATE_IO, and nothing was written: locked by another program */
	STORE_FAULT_IO,       /* ERR_STATE_IO: a bad disk */
	STORE_FAULT_FULL,     /* ERR_STATE_IO: disk full */
	STORE_FAULT_MISMATCH, /* ERR_STATE_CORRUPT: somebody else wrote the file */
};

/* inner is owned from now on and closed with this one. */
struct store *store_fault_new(struct store *inner);
/* The n-th commit from now (1 = the next) and n_times - 1 after it fail. */
void store_fault_fail(struct store *store, size_t n, size_t n_times, enum store_fault_kind kind);
/* After n more good commits the process is dead: every later commit and load fails until store_fault_restart. */
void store_fault_crash_after(struct store *store, size_t n);
void store_fault_restart(struct store *store);
bool store_fault_is_crashed(const struct store *store);
/* Commits that reached the store below and succeeded. */
size_t store_fault_n_commits(const struct store *store);

#endif
