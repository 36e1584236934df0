/* What a command works with: configuration, state file, hosts, inventory. Opens as much as the command wants and
 * closes all of it.
 */
#ifndef DROVER_CLI_SITE_H
#define DROVER_CLI_SITE_H

#include "args.h"
#include "world.h"

enum site_wants {
	SITE_CONFIG = 1,
	SITE_STORE = 2,       /* for writing: locked */
	SITE_STORE_READ = 4,  /* must exist */
	SITE_STORE_MAY = 8,   /* for reading, if there is one */
	SITE_INVENTORY = 16,  /* of the hosts, or of --inventory FILE */
};

struct site {
	const struct args *args;
	struct config *config;
	char *state, *socket;
	struct store *store;          /* NULL = none */
	struct store_image *image;    /* of the store as opened; NULL = none */
	struct world *world;          /* NULL with --inventory FILE */
	struct inventory *inventory;  /* sealed */
};

/* Returns 0, or the exit code and has said why. site_close in any case. */
int site_open(struct site *site, const struct args *args, unsigned wants);
void site_close(struct site *site);

/* From the configuration, with the learned rates of the state file. Borrows from site. */
struct engine_options site_engine_options(const struct site *site);
/* INDEX_NONE and ERR_UNKNOWN_HOST with what may have been meant. */
uint32_t site_host(const struct site *site, const char *name, struct error *err);
/* Puts what may have been meant into the hint of ERR_UNKNOWN_GUEST (and ERR_UNKNOWN_HOST of a planned request). */
void site_suggest_guest(const struct site *site, const char *name, struct error *err);
void site_suggest(const struct site *site, const struct request *request, struct error *err);
/* The operator, for history: "root", "anna (sudo)". */
const char *site_who(void);

#endif
