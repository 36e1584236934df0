/* Turns "drain h1", "move web1 --to h2", "batch FILE", "return h1", "undo 3" or "rebalance" into a request. */
#ifndef DROVER_CLI_WANT_H
#define DROVER_CLI_WANT_H

#include "site.h"

struct want {
	struct request *request;
	char *title; /* the same words, the same title: how a batch is found again */
};

/* words[0] is the kind. Returns 0, or the exit code and has said why. want_clear in any case. */
int want_read(struct want *want, struct site *site, const char *const *words, size_t n_words);
/* Returns 0, or the exit code and has said why. */
int want_plan(const struct want *want, const struct site *site, struct plan **ret_plan);
void want_clear(struct want *want);
/* Before anything is opened: mistakes in the words alone. kind may be any word. */
bool want_check(const struct args *args, const char *const *words, size_t n_words, struct error *err);

#endif
