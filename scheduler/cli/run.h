/* Runs the engine in the foreground: what unfinished batches there are, and one new thing. */
#ifndef DROVER_CLI_RUN_H
#define DROVER_CLI_RUN_H

#include "site.h"

struct run_wish {
	/* A new batch; request NULL = none. */
	const struct request *request;
	const struct plan *plan;
	const char *title;
	/* Or a batch of the state file to follow; 0 = the new one. */
	uint64_t batch;
	/* Or a command for it, given once the state is restored. */
	bool has_command;
	enum command_kind command;
	const char *guest;
	bool ends_when_quiet;
};

/* Returns the exit code; prints progress, and the report of the batch. site: SITE_STORE | SITE_INVENTORY. */
int run_engine(struct site *site, const struct run_wish *wish);

#endif
