/* What the parts of the check-up share: doctor.c makes the checks in the order of the table, doctor_host.c and doctor_pair.c are
 * the checks. A check function looks at the facts of its subject and says what it found, through these functions;
 * saying nothing means that all is well. */
#ifndef DROVER_DOCTOR_IMPL_H
#define DROVER_DOCTOR_IMPL_H

#include "drover/doctor.h"
#include "xalloc.h"

enum { ADDRESSES_SHOWN_MAX = 4 }; /* of a host, in a message */

struct examination {
	const struct doctor_facts *facts;
	struct doctor_report *report;
	enum check_id check;   /* being made, on: */
	uint32_t host, target;
	bool has_said;
	/* Bit CHECK_x of each subject: an error was found, or its own ground had one. */
	uint64_t here_failed;
	uint64_t *host_failed;
	uint64_t *pair_failed;
};

typedef void check_fn(struct examination *x);

/* Each adds one finding; texts with malloc are taken over. level FINDING_OK = that of the table. */
struct finding *fault(struct examination *x, enum finding_level level, char *found, char *expected);
void not_checked(struct examination *x, char *why);
/* Instead of a fault that another check's finding explains: not checked, nor is what stands on it. */
void explained_by(struct examination *x, enum check_id check);
/* Whether this check has found an error on the host; INDEX_NONE = here. */
bool has_failed(const struct examination *x, enum check_id check, uint32_t host);

/* Facts by their subject. */
const struct host *the_host(const struct examination *x);
const struct host_facts *host_facts_of(const struct examination *x, uint32_t host);
const struct pair_facts *pair_facts_of(const struct examination *x);
/* NULL, and says why, when there are none. */
const struct libvirt_facts *need_libvirt(struct examination *x, uint32_t host);
const struct shell_facts *need_shell(struct examination *x, uint32_t host);

/* doctor_host.c: "9.0.0"; with free() */
char *doctor_version_text(uint32_t version);
/* doctor_inside.c: the interface that bears an address; NULL = none known */
const struct interface_fact *doctor_interface(const struct shell_facts *shell, const char *address);
/* doctor_firewall.c: the rule that drops or rejects a TCP port from first to last; NULL = none. With free(). */
char *doctor_closing_rule(char *const *rules, size_t n, uint16_t first, uint16_t last);

/* doctor_credentials.c: the check that explains why a connection to uri was refused: certificates of the host, or credentials here
 * when the connection was from here; CHECK_COUNT = none. */
enum check_id doctor_refusal_of(const struct examination *x, uint32_t host, const struct uri_parts *uri, bool is_from_here);

#define CHECK(symbol, name, scope, level, after1, after2, title, how, hint) check_fn doctor_check_##symbol;
#include "drover/checks.def"
#undef CHECK

#endif
