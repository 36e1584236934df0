/* The table, and finding things in it. Reading values is in option_types.c. */
#include "options.h"

#include <string.h>
#include <strings.h>

#include "option_types.h"

const struct section_info section_infos[SECTION_COUNT] = {
	[SECTION_SCHEDULER] = {"scheduler", false, "how many moves run, how fast, and when one is given up"},
	[SECTION_HOST] = {"host", true, "one libvirt host"},
	[SECTION_NETWORK] = {"network", true, "a network that moves may use; none = any address"},
	[SECTION_LINK] = {"link", true, "a link that several hosts share: rack uplink, WAN"},
	[SECTION_RULE] = {"rule", true, "where guests may run, and how many of a group move at once"},
	[SECTION_GROUP] = {"group", true, "guests that rules speak of together"},
	[SECTION_MAP] = {"map", true, "networks and pools that are named otherwise on the target"},
	[SECTION_BATCH] = {"batch", true, "a list of moves"},
	[SECTION_MOVE] = {"move", true, "one move of a batch"},
};

#define SCHEDULER(key, type, fallback, min, max, member, help) \
	{SECTION_SCHEDULER, key, &type, fallback, false, min, max, offsetof(struct config, member), 0, help}
#define ENTRY(section, key, type, fallback, required, min, max, object, member, help) \
	{section, key, &type, fallback, required, min, max, offsetof(struct object, member), 0, help}
#define LIST(section, key, type, required, object, member, help) \
	{section, key, &type, NULL, required, 0, 0, offsetof(struct object, member), offsetof(struct object, n_##member), help}
#define HOST(key, type, fallback, required, min, max, member, help) \
	ENTRY(SECTION_HOST, key, type, fallback, required, min, max, config_host, member, help)

enum { MOVES_MAX = 10000, DAY_MS = 86400000 };
#define EXBIBYTE ((uint64_t)1 << 60)

const struct option option_table[] = {
	SCHEDULER("state", type_path, "/var/lib/drover/drover.db", 0, 0, state, "the state file, on a local disk"),
	SCHEDULER("max_migrations", type_auto_number, "auto", 1, MOVES_MAX, engine.max_migrations,
		"moves at once in all; auto = as many as the measured bandwidth carries"),
	SCHEDULER("max_incoming", type_auto_number, "auto", 1, MOVES_MAX, engine.max_incoming, "moves at once into a host that does not say"),
	SCHEDULER("max_outgoing", type_auto_number, "auto", 1, MOVES_MAX, engine.max_outgoing, "moves at once out of a host that does not say"),
	SCHEDULER("max_incoming_storage", type_auto_number, "auto", 1, MOVES_MAX, engine.max_incoming_storage,
		"of max_incoming, those that copy disks"),
	SCHEDULER("max_outgoing_storage", type_auto_number, "auto", 1, MOVES_MAX, engine.max_outgoing_storage,
		"of max_outgoing, those that copy disks"),
	SCHEDULER("workers_per_host", type_number, "14", 1, 1000, engine.workers_per_host,
		"moves that one libvirtd can serve, in and out; below its max_workers"),
	SCHEDULER("attempts", type_number, "3", 1, 100, engine.attempts_max, "tries of a move before it is given up"),
	SCHEDULER("retry_delay", type_duration, "5s", 0, DAY_MS, engine.retry_delay_ms, "wait before the second try; doubles with each"),
	SCHEDULER("no_progress_timeout", type_duration, "1min", 1000, DAY_MS, engine.no_progress_ms,
		"a move that sends nothing for so long is aborted and tried again"),
	SCHEDULER("shutdown_timeout", type_duration, "2min", 1000, DAY_MS, engine.shutdown_timeout_ms,
		"time for a guest to shut down that is moved cold, or shut down because it cannot move"),
	SCHEDULER("cannot_move", type_cannot_move, "leave", 0, 0, cannot_move,
		"guests that cannot move live: leave, shutdown (a return starts them again) or cold (shut down, copied, started there)"),
	SCHEDULER("downtime_limit", type_duration, "300ms", 1, 60000, engine.downtime_limit_ms, "longest blackout of a guest at switchover"),
	SCHEDULER("downtime_max", type_duration, "0ms", 0, 60000, engine.downtime_max_ms,
		"up to here the blackout is doubled for a guest that does not converge; 0 = never"),
	SCHEDULER("handover", type_handover, "watchdog", 0, 0, engine.paused_handover,
		"who guards the switchover against a guest that runs twice: watchdog, or strict at the price of a longer blackout"),
	SCHEDULER("keep_source_disks", type_bool, "no", 0, 0, engine.keep_source_disks, "leave the copied disks on the source"),
	SCHEDULER("keep_backing", type_bool, "no", 0, 0, engine.keep_backing,
		"copy only the top layer of an image, onto its backing file, which the target has at the same path; no = copy all of it"),
	SCHEDULER("auto_converge", type_bool, "no", 0, 0, engine.auto_converge, "let QEMU slow down a guest that writes faster than the link carries"),
	SCHEDULER("post_copy", type_bool, "no", 0, 0, engine.post_copy,
		"let a guest that still does not converge run on its target before all of its memory is there"),
	SCHEDULER("credentials", type_credentials, "hosts", 0, 0, credentials,
		"hosts: a host reaches the next with its own; caller: drover's own carry the moves, which end if drover is killed"),
	SCHEDULER("stream_tls", type_stream_tls, "auto", 0, 0, stream_tls,
		"encryption of the memory and disks on their way; auto = where both hosts have qemu+tls uris"),
	SCHEDULER("mixed_authentication", type_bool, "no", 0, 0, mixed_authentication,
		"hosts that authenticate in different ways may move guests to each other"),
	SCHEDULER("network_fallback", type_bool, "no", 0, 0, engine.network_fallback,
		"use the next network in the order while the preferred one does not carry; otherwise the move is refused"),
	SCHEDULER("memory_reserve", type_size, "512 MiB", 0, EXBIBYTE, memory_reserve_bytes, "memory of each host that guests do not get"),
	SCHEDULER("cpu_overcommit", type_factor, "4.0", 1, 1000000, cpu_overcommit_milli, "virtual CPUs for each CPU of a host"),
	SCHEDULER("prestage", type_number, "2", 0, 1000, engine.plan.prestage, "moves set up behind the one that has the link"),
	SCHEDULER("prestage_rate", type_rate, "1 MiB/s", 1, EXBIBYTE, engine.prestage_rate_bytes_per_s, "what each of those may send meanwhile"),
	SCHEDULER("measured_age", type_duration, "1h", 0, 30 * (uint64_t)DAY_MS, measured_age_ms,
		"what guests write is not measured again for a plan while the last measurement is no older; 0 = measured each time"),
	SCHEDULER("stats_interval", type_duration, "250ms", 50, 60000, engine.stats_interval_ms, "time between two looks at a running move"),

	HOST("uri", type_uri, NULL, true, 0, 0, uri, "libvirt URI, or sim:FILE for a simulated world"),
	HOST("peer_uri", type_text, NULL, false, 0, 0, peer_uri, "URI by which other hosts reach it, when it differs"),
	{SECTION_HOST, "address", &type_addresses, NULL, false, 0, 0, offsetof(struct config_host, addresses),
		offsetof(struct config_host, n_addresses), "its addresses in the migration networks, best first"},
	HOST("shell", type_text, NULL, false, 0, 0, shell, "a command that runs sh or ss on it, for drover doctor and to prove the path of moves: ssh -o BatchMode=yes root@h1"),
	HOST("cluster", type_text, NULL, false, 0, 0, cluster, "name of the cluster it belongs to"),
	HOST("incoming", type_bool, "yes", false, 0, 0, incoming, "it takes guests"),
	HOST("outgoing", type_bool, "yes", false, 0, 0, outgoing, "it gives guests away"),
	HOST("insecure", type_bool, "no", false, 0, 0, insecure, "plain TCP without authentication is accepted, and certificates or host keys that nobody checks"),
	HOST("traffic_command", type_text, NULL, false, 0, 0, traffic_command,
		"prints bytes received and sent for each address, a line each: production traffic is made room for"),
	HOST("max_incoming", type_auto_number, "auto", false, 1, MOVES_MAX, max_incoming, "moves at once into it; auto = as [scheduler] says"),
	HOST("max_outgoing", type_auto_number, "auto", false, 1, MOVES_MAX, max_outgoing, "moves at once out of it"),
	HOST("max_incoming_storage", type_auto_number, "auto", false, 1, MOVES_MAX, max_incoming_storage, "of these, those that copy disks"),
	HOST("max_outgoing_storage", type_auto_number, "auto", false, 1, MOVES_MAX, max_outgoing_storage, "of these, those that copy disks"),
	HOST("memory_reserve", type_size, NULL, false, 0, EXBIBYTE, memory_reserve_bytes, "as in [scheduler], for this host"),
	HOST("cpu_overcommit", type_factor, NULL, false, 1, 1000000, cpu_overcommit_milli, "as in [scheduler], for this host"),

	ENTRY(SECTION_NETWORK, "cidr", type_cidr, NULL, true, 0, 0, migration_network, cidr, "its addresses: 10.8.0.0/24"),
	ENTRY(SECTION_NETWORK, "order", type_integer, "0", false, 0, 0, migration_network, order, "lower is preferred"),
	ENTRY(SECTION_NETWORK, "rate", type_auto_rate, "auto", false, 1, EXBIBYTE, migration_network, rate_bytes_per_s,
		"of one host's link in it; auto = measured"),
	ENTRY(SECTION_NETWORK, "reserve", type_percent, "0%", false, 0, 99, migration_network, reserve_percent, "share kept free for others"),
	ENTRY(SECTION_NETWORK, "check", type_bool, "yes", false, 0, 0, migration_network, is_checked,
		"a target's address has to answer the source before each move, if only by refusing libvirt's port"),

	LIST(SECTION_LINK, "hosts", type_list, true, shared_link, hosts, "hosts behind it; traffic that leaves them passes it"),
	ENTRY(SECTION_LINK, "rate", type_rate, NULL, true, 1, EXBIBYTE, shared_link, rate_bytes_per_s, "of each direction"),

	ENTRY(SECTION_RULE, "kind", type_rule_kind, NULL, true, 0, 0, rule, kind, "what the rule demands"),
	LIST(SECTION_RULE, "guests", type_list, false, rule, guests, "guests it speaks of"),
	LIST(SECTION_RULE, "groups", type_list, false, rule, groups, "groups it speaks of"),
	LIST(SECTION_RULE, "hosts", type_list, false, rule, hosts, "hosts of only_on and never_on"),
	ENTRY(SECTION_RULE, "count", type_number, NULL, false, 1, MOVES_MAX, rule, count, "of at_most_moving"),

	LIST(SECTION_GROUP, "guests", type_list, true, config_group, guests, "its guests, by name"),
	ENTRY(SECTION_GROUP, "cannot_move", type_cannot_move, NULL, false, 0, 0, config_group, cannot_move,
		"what becomes of those that cannot move live, whatever the command says; of several groups the most careful counts"),

	{SECTION_MAP, "networks", &type_map, NULL, false, 0, 0, offsetof(struct config_map, nets), offsetof(struct config_map, n_nets),
		"OLD:NEW, OLD:NEW for networks and bridges"},
	LIST(SECTION_MAP, "pools", type_map, false, config_map, pools, "OLD:NEW for pools; target:vda:NEW or target:vda:NEW/VOLUME for one disk"),

	ENTRY(SECTION_BATCH, "reason", type_text, NULL, false, 0, 0, raw_batch, reason, "why, for history and reports"),
	ENTRY(SECTION_BATCH, "list", type_path, NULL, false, 0, 0, raw_batch, list, "CSV file with its moves"),
	ENTRY(SECTION_BATCH, "map", type_text, NULL, false, 0, 0, raw_batch, map, "name of a [map] for all its moves"),
	ENTRY(SECTION_BATCH, "to", type_text, NULL, false, 0, 0, raw_batch, to, "target host of moves that name none"),
	ENTRY(SECTION_BATCH, "to_pool", type_text, NULL, false, 0, 0, raw_batch, to_pool, "target pool of moves that name none"),

	ENTRY(SECTION_MOVE, "batch", type_text, NULL, false, 0, 0, raw_move, batch, "its [batch]; may be left out when there is just one"),
	ENTRY(SECTION_MOVE, "vm", type_text, NULL, true, 0, 0, raw_move, vm, "name or UUID of the guest"),
	ENTRY(SECTION_MOVE, "from", type_text, NULL, false, 0, 0, raw_move, from, "host it is expected on; refused when it is elsewhere"),
	ENTRY(SECTION_MOVE, "to", type_text, NULL, false, 0, 0, raw_move, to, "target host; without it the planner chooses"),
	ENTRY(SECTION_MOVE, "priority", type_integer, "0", false, 0, 0, raw_move, priority, "higher moves earlier"),
	ENTRY(SECTION_MOVE, "not_before", type_time, NULL, false, 0, 0, raw_move, not_before_wall_ms, "earliest start"),
	ENTRY(SECTION_MOVE, "max_rate", type_auto_rate, "auto", false, 1, EXBIBYTE, raw_move, max_rate_bytes_per_s, "its own limit; auto = none"),
	ENTRY(SECTION_MOVE, "to_pool", type_text, NULL, false, 0, 0, raw_move, to_pool, "every local disk to this pool"),
	ENTRY(SECTION_MOVE, "cannot_move", type_cannot_move, NULL, false, 0, 0, raw_move, cannot_move, "what becomes of it when it cannot move live"),

	{SECTION_ANY, "override", &type_override, "no", false, 0, 0, 0, 0,
		"in a file of conf.d: this section may set again what an earlier file has set"},
};
const size_t n_option_table = sizeof option_table / sizeof *option_table;

const struct option *option_find(enum section_kind section, const char *key)
{
	for (size_t i = 0; i < n_option_table; i++)
		if ((option_table[i].section == section || option_table[i].section == SECTION_ANY) && strcmp(option_table[i].key, key) == 0)
			return &option_table[i];
	return NULL;
}

enum section_kind section_find(const char *name)
{
	for (enum section_kind kind = 0; kind < SECTION_COUNT; kind++)
		if (strcmp(section_infos[kind].name, name) == 0)
			return kind;
	return SECTION_COUNT;
}

enum { SUGGEST_BYTES_MAX = 40 }; /* longer words are not typing errors of ours */

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Levenshtein with neighbours swapped counting one, case aside: what fingers do wrong. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][SUGGEST_BYTES_MAX + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= strlen(a); i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = above[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) && above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[strlen(a) % 3][n];
}

/* Keeps the nearer one; a third of the letters may be wrong. */
static void consider(const char *candidate, const char *name, const char **best, unsigned *best_distance)
{
	unsigned d;

	if (strlen(name) > SUGGEST_BYTES_MAX || strlen(candidate) > SUGGEST_BYTES_MAX)
		return;
	d = distance(name, candidate);
	if (d < *best_distance && d <= 1 + strlen(candidate) / 3 && d < strlen(candidate)) {
		*best = candidate;
		*best_distance = d;
	}
}

const char *option_suggest(enum section_kind section, const char *key)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;

	for (size_t i = 0; i < n_option_table; i++)
		if (option_table[i].section == section)
			consider(option_table[i].key, key, &best, &best_distance);
	return best;
}

const char *section_suggest(const char *name)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;

	for (size_t i = 0; i < SECTION_COUNT; i++)
		consider(section_infos[i].name, name, &best, &best_distance);
	return best;
}

const char *name_suggest(const char *const *names, const char *name)
{
	const char *best = NULL;
	unsigned best_distance = UINT32_MAX;

	for (; *names != NULL; names++)
		consider(*names, name, &best, &best_distance);
	return best;
}
