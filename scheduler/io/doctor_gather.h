/* Gathers what a check-up wants to know and libvirt does not tell: names and ports as seen from here, and what a command run on
 * each host says. Blocks, at most for half a minute or so, however many hosts do not answer; own threads, which end before it returns.
 *
 * A host's shell is the words that run a command there ("ssh root@h1"); `sh -s` is put behind them and the script goes to its
 * standard input, so that no quoting comes in between. "" runs it here; NULL = there is none.
 */
#ifndef DROVER_DOCTOR_GATHER_H
#define DROVER_DOCTOR_GATHER_H

#include "drover/doctor.h"

/* The URI as moves use it. insecure as in its [host] section. */
void gather_uri(const char *uri, bool insecure, struct uri_parts *ret);
void gather_here(const char *state, struct here_facts *ret);
/* Names, ports, and each host itself. Before it: uri, control, peer and is_asked. shells: one for each host. */
void gather_hosts(struct doctor_facts *facts, const char *const *shells);
/* The ways between them, after gather_hosts. */
void gather_pairs(struct doctor_facts *facts, const char *const *shells);

#endif
