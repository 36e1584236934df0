/* The configuration as values, and the readers of every input file.
 *
 * Implemented in conf/. Readers report every mistake of a file at once: the
 * caller gets a struct problems with one line for each ("drover.conf:12: [scheduler] max_migration:
 * unknown key; did you mean max_migrations?") and nothing is applied when there is one.
 * Everything here is called from one thread (iniparser has a global error callback).
 */
#ifndef DROVER_CONFIG_H
#define DROVER_CONFIG_H

#include "drover/doctor.h"
#include "drover/engine.h"

struct problems {
	struct error *errors;
	size_t n;
};
void problems_add(struct problems *problems, enum error_code code, const char *format, ...) DROVER_PRINTF(3, 4);
void problems_clear(struct problems *problems);

/* Whose credentials open the connection to the target of a move. */
enum credentials { CREDENTIALS_HOSTS, CREDENTIALS_CALLER };

struct config_host {
	char *name;
	char *uri;         /* libvirt URI, or "sim:FILE" */
	char *peer_uri;    /* by which other hosts reach it; NULL = uri */
	char **addresses;  /* in migration networks, in order */
	size_t n_addresses;
	char *shell;       /* words before "sh" that run it on the host; NULL = none */
	char *cluster;
	bool incoming, outgoing;
	char *traffic_command; /* prints its counters; NULL = none */
	bool insecure;     /* plain TCP without authentication is accepted */
	uint32_t max_incoming, max_outgoing, max_incoming_storage, max_outgoing_storage;
	uint64_t memory_reserve_bytes; /* UINT64_MAX = the scheduler's */
	uint32_t cpu_overcommit_milli; /* 0 = the scheduler's */
};

struct config_batch { /* [batch NAME] with its [move N] lines or list = FILE */
	char *name;
	struct request *request;
};

struct config_group { /* [group NAME] guests = web1, web2: names that no host knows are ignored */
	char *name;
	char **guests;
	size_t n_guests;
	enum cannot_move cannot_move;
};

struct config_map { /* [map NAME] networks = br-A:br-B, br-C:br-D and pools = images:fast */
	char *name;
	struct name_map *nets;
	size_t n_nets;
	struct name_map *pools;
	size_t n_pools;
};

/* Where a value came from, for `config show --origin`. */
struct config_origin {
	char *section; /* "host h1" */
	char *key;
	char *value;
	char *file;    /* NULL = built-in default */
	uint32_t line;
};

struct config {
	char *state; /* path of the state file */
	struct engine_options engine;
	enum credentials credentials;
	enum stream_tls stream_tls;
	bool mixed_authentication;
	int64_t measured_age_ms; /* of what guests write, before it is measured again; 0 = always */
	uint64_t memory_reserve_bytes; /* of each host that does not say; default 512 MiB */
	uint32_t cpu_overcommit_milli;
	enum cannot_move cannot_move; /* of requests that do not say */
	struct config_host *hosts;
	size_t n_hosts;
	struct migration_network *networks;
	size_t n_networks;
	struct shared_link *shared_links;
	size_t n_shared_links;
	struct config_batch *batches;
	size_t n_batches;
	struct config_map *maps;
	size_t n_maps;
	struct config_group *groups;
	size_t n_groups;
	struct rule *rules; /* [rule NAME] kind = anti_affinity, guests = ..., groups = ..., hosts = ..., count = ... */
	size_t n_rules;
	struct config_origin *origins;
	size_t n_origins;
};

/* file NULL = /etc/drover/drover.conf, then the .conf files of conf.d; when even that is missing, defaults without hosts.
 * NULL on mistakes. */
struct config *config_load(const char *file, struct problems *problems);
void config_free(struct config *config);
/* Puts what the configuration says of hosts, networks, rules over an inventory that was found, before it is sealed. */
void config_apply(const struct config *config, struct inventory *inventory);

/* A batch file: CSV with a header line vm,from,to,priority,not_before,max_rate,to_pool,pool_map,network_map (any order, vm
 * required), or INI with [batch NAME] / [move N]. "-" = stdin. */
struct request *batch_read(const char *file, struct problems *problems);

/* JSON documents. Reading: ERR_INPUT with file:line or the path of the member ("hosts[3].memory_bytes"). */
struct inventory *inventory_read(const char *file, struct error *err); /* sealed; "-" = stdin */
struct inventory *inventory_parse(const char *text, size_t n, const char *name, struct error *err);
char *inventory_json(const struct inventory *inventory); /* with free() */
char *plan_json(const struct plan *plan, const struct inventory *inventory, const struct request *request);
/* A plan read back is tied to the inventory: ERR_PLAN_STALE names what changed. */
bool plan_read(const char *file, const struct inventory *inventory, struct plan **ret_plan,
	struct request **ret_request, struct error *err);
/* Report of one batch, run and simulated alike. moves: those of the batch. now_wall_ms for what is not over. */
char *report_json(const struct batch_record *batch, const struct move_record *const *moves, size_t n_moves,
	int64_t now_wall_ms);
/* What a check-up found (drover/doctor/1). */
char *doctor_json(const struct doctor_facts *facts, const struct doctor_report *report, int64_t now_wall_ms);
char *request_json(const struct request *request);
struct request *request_parse(const char *text, struct error *err);

/* "1 Gbit/s", "200mbit", "100 MiB/s", "25MB/s" -> bytes a second; "4 GiB", "512M" -> bytes; "90s", "2 min", "1h30m" -> ms. */
bool parse_rate(const char *text, uint64_t *ret_bytes_per_s);
bool parse_size(const char *text, uint64_t *ret_bytes);
bool parse_duration(const char *text, int64_t *ret_ms);

#endif
