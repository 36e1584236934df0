/* The check-up: is everything between these hosts as moves need it? Facts are gathered elsewhere (scheduler/io); the checks
 * over them are pure and stand once, in checks.def: the command, its manual page and its JSON come from that table.
 *
 * A fact that nobody could learn is not a good one: a check that lacks its facts says "not checked" and why. A check
 * whose ground has failed (no port, so no answer) says so and finds nothing itself: one mistake, one finding.
 *
 * Structs own their strings. Facts and report are freed as wholes.
 */
#ifndef DROVER_DOCTOR_H
#define DROVER_DOCTOR_H

#include "drover/inventory.h"

enum check_scope {
	CHECK_OF_HERE, /* of the machine that drover runs on */
	CHECK_OF_HOST,
	CHECK_OF_PAIR, /* of a source and a target */
};

enum check_id {
#define CHECK(symbol, name, scope, level, after1, after2, title, how, hint) CHECK_##symbol,
#include "drover/checks.def"
#undef CHECK
	CHECK_COUNT
};

/* An ERROR makes moves fail or harms guests; a WARNING may. */
enum finding_level { FINDING_OK, FINDING_NOT_CHECKED, FINDING_WARNING, FINDING_ERROR };

struct check_info {
	const char *name;         /* stable, kebab-case: the code in the JSON */
	enum check_scope scope;
	enum finding_level level; /* of a finding, unless it is told apart in `how` */
	enum check_id after[2];   /* when one of these has found an error there, this one is not checked; CHECK_COUNT = none */
	const char *title;        /* what holds when all is well */
	const char *how;          /* what is looked at */
	const char *hint;         /* what to do otherwise */
};
const struct check_info *check_info(enum check_id check);
const char *check_scope_name(enum check_scope scope);
const char *finding_level_name(enum finding_level level);

/* ---- facts ---- */

enum uri_transport { TRANSPORT_LOCAL, TRANSPORT_TLS, TRANSPORT_SASL, TRANSPORT_SSH, TRANSPORT_PLAIN, TRANSPORT_OTHER };

/* What a libvirt URI says. */
struct uri_parts {
	enum uri_transport transport;
	const char *manner; /* the same for people; static */
	char *host;         /* NULL = this machine */
	uint16_t port;      /* the transport's own when the URI names none; 0 = none */
};
void uri_parts_clear(struct uri_parts *parts);

/* What a name leads to, as seen from somewhere. */
struct lookup {
	char *name;        /* NULL = not looked up */
	char **addresses;  /* none: error says why */
	size_t n_addresses;
	char *error;
};

enum port_state { PORT_UNKNOWN, PORT_OPEN, PORT_REFUSED, PORT_SILENT, PORT_NO_ROUTE };
const char *port_state_name(enum port_state state);

struct port_fact {
	uint16_t port;
	enum port_state state;
};

/* What libvirt says of a host. */
struct libvirt_facts {
	uint32_t libvirt_version, qemu_version; /* major * 1000000 + minor * 1000 + release; 0 = unknown */
	char uuid[UUID_TEXT_SIZE];
	char *hostname;
	bool has_kvm;
	char **idle_pools; /* defined, not active */
	size_t n_idle_pools;
	char **networks;   /* of libvirt, active */
	size_t n_networks;
	char **idle_networks;
	size_t n_idle_networks;
	char **bridges;    /* none = the host cannot tell */
	size_t n_bridges;
};
void libvirt_facts_free(struct libvirt_facts *facts);

enum cpu_fit { CPU_UNKNOWN, CPU_FITS, CPU_LACKS };

/* What two hosts are to each other, through libvirt. */
struct libvirt_pair_facts {
	bool is_hop_known;
	struct error hop;  /* code NONE = the source's libvirtd reached the target's and was let in */
	struct error way;  /* code NONE = the target's address for moves answered the source, if one was asked for */
	char *why_unknown; /* of both */
	enum cpu_fit cpu;  /* the source's CPU against the target's */
	char *cpu_why;     /* what is lacking, or why it is unknown */
};
void libvirt_pair_facts_free(struct libvirt_pair_facts *facts);

enum { CERTIFICATE_DAYS_MIN = 14 }; /* one that ends sooner is told of: time enough to make another */

/* A certificate where libvirt or QEMU looks for it. */
struct certificate_fact {
	char *file;
	char *until;          /* as its own date says */
	char *trouble;        /* why it is not valid: expired, not signed by the CA beside it; NULL = it is */
	bool ends_soon;
	char **lacking_names; /* that the host is known by, and that it does not bear */
	size_t n_lacking_names;
};

/* Of a machine, found by tools that may be missing. */
struct credential_facts {
	bool has_openssl;
	struct certificate_fact *certificates;
	size_t n_certificates;
	bool has_klist, has_ticket; /* of Kerberos */
	char *ticket_cache;
};
void credential_facts_clear(struct credential_facts *facts);

/* What is known on the machine that drover runs on. */
struct here_facts {
	struct credential_facts credentials;
	char *state;          /* path of the state file */
	char *state_kind;     /* its file system: "ext4"; NULL = not found out */
	bool is_state_remote; /* a network file system */
	bool is_state_volatile; /* gone at the next boot */
	bool can_write;
	uint64_t state_free_bytes;
	bool is_clock_known, is_clock_kept;
};

struct interface_fact {
	char *name;
	uint32_t mtu; /* 0 = unknown */
	bool has_carrier;
};

struct address_fact {
	char *interface;
	char *address; /* with its prefix */
};

/* What a command on the host itself told. Each has_ is false when its tool is missing there. */
struct shell_facts {
	int64_t clock_offset_ms, clock_error_ms; /* its clock less ours, and how exactly that is known */
	bool has_clock;
	struct interface_fact *interfaces;
	size_t n_interfaces;
	struct address_fact *addresses;
	size_t n_addresses;
	bool has_addresses;
	uint32_t max_workers;          /* 0 = unknown */
	uint16_t port_min, port_max;   /* of migrations */
	char *lock_manager;            /* "" = none; NULL = unknown */
	char **failures;               /* of virt-host-validate */
	size_t n_failures;
	bool has_validate;
	struct credential_facts credentials; /* certificates */
	/* What lets QEMU use userfaultfd, which post-copy needs */
	char *kernel;                  /* its release; NULL = unknown */
	int userfaultfd_switch;        /* vm.unprivileged_userfaultfd; -1 = the kernel has none */
	bool has_userfaultfd_device;
	bool is_qemu_privileged;       /* runs as root, or may trace processes: it asks nobody */
	char **firewall_rules;         /* lines that drop or reject */
	size_t n_firewall_rules;
	bool has_firewall;
};
void shell_facts_init(struct shell_facts *facts);
void shell_facts_clear(struct shell_facts *facts);

struct host_facts {
	/* as configured */
	char *uri, *peer_uri;
	struct uri_parts control, peer;
	/* from here */
	struct lookup name;      /* of control.host */
	char *name_back;         /* of the address that was taken; NULL = it has none */
	struct lookup name_again; /* of name_back */
	enum port_state control_port;
	/* through libvirt: NULL and why */
	struct libvirt_facts *libvirt;
	struct error libvirt_error;
	/* by its shell */
	char *shell_unknown; /* why shell is empty; NULL = it is not */
	bool has_shell;      /* one is configured */
	struct shell_facts shell;
};

struct pair_facts {
	struct libvirt_pair_facts *libvirt;
	struct error libvirt_error;
	/* asked on the source, by its shell; without one the host's shell_unknown says why */
	struct lookup name;       /* of the target's peer.host */
	char *route_interface, *route_source, *route_gateway; /* NULL = none */
	char *route_error;
	bool has_route;
	struct port_fact *ports;
	size_t n_ports;
	uint32_t ping_bytes;      /* of the whole packet; 0 = not asked */
	bool small_arrives, full_arrives;
};

struct doctor_facts {
	const struct inventory *inventory; /* sealed, borrowed */
	uint32_t workers_per_host;
	bool is_simulated;
	bool is_direct;    /* moves go by drover's own credentials: hosts do not log in to each other */
	bool allows_mixed; /* transports */
	bool allows_post_copy;
	bool *is_asked; /* which hosts are looked at; NULL = all */
	struct here_facts here;
	struct host_facts *hosts; /* one for each of the inventory */
	struct pair_facts *pairs; /* [source * n_hosts + target] */
};
struct doctor_facts *doctor_facts_new(const struct inventory *inventory);
void doctor_facts_free(struct doctor_facts *facts);
/* Whether source to target is among what is looked at: with one host asked every pair that it is in, else those between asked ones. */
bool doctor_wants_pair(const struct doctor_facts *facts, uint32_t source, uint32_t target);
bool doctor_wants_host(const struct doctor_facts *facts, uint32_t host);

/* The way a move would take. Addresses are without prefix and belong to the caller; NULL = libvirt chooses. */
struct doctor_path {
	const char *network; /* borrowed; NULL = none is configured */
	char *source_address, *target_address;
};
bool doctor_path(const struct inventory *inventory, uint32_t source, uint32_t target, struct doctor_path *ret, struct error *err);
void doctor_path_clear(struct doctor_path *path);

/* "a, b and 3 more", "none"; with free() */
char *join_texts(char *const *texts, size_t n, size_t shown_max);
bool is_among(char *const *texts, size_t n, const char *text);

/* ---- findings ---- */

struct finding {
	enum check_id check;
	enum finding_level level;
	uint32_t host, target; /* INDEX_NONE = none */
	char *found;    /* NOT_CHECKED: why */
	char *expected; /* NULL when OK or NOT_CHECKED */
	char *hint;     /* likewise */
};

struct doctor_report {
	struct finding *findings; /* in the order of the table, then of the hosts */
	size_t n_findings;
	size_t n_of[FINDING_ERROR + 1]; /* by level */
};
struct doctor_report *doctor_examine(const struct doctor_facts *facts);
void doctor_report_free(struct doctor_report *report);
/* "here", "h1", "h1 > h2"; with free() */
char *finding_object(const struct inventory *inventory, const struct finding *finding);

#endif
