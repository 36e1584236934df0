/* What the parts of the gathering share:
 *
 *   doctor_gather.c  who is asked, in parallel
 *   doctor_local.c   this machine, names and ports as seen from it
 *   doctor_shell.c   runs a script by a host's shell
 *   doctor_script.c  the scripts, and reading what they print; pure
 */
#ifndef DROVER_DOCTOR_INTERNAL_H
#define DROVER_DOCTOR_INTERNAL_H

#include "doctor_gather.h"
#include "xalloc.h"

enum { SHELL_TIMEOUT_MS = 30000 }; /* the slowest script waits 10 s for one tool */

struct shell_output {
	char *text;             /* standard output; with free() */
	int64_t started_wall_ms, first_wall_ms; /* first: when the first of it came */
};

/* False with *ret_why (with free()) when it cannot be run, fails or does not end. */
bool shell_run(const char *shell, const char *script, struct shell_output *ret, char **ret_why);

/* With free(). */
char *script_for_here(const char *pkipath); /* NULL = where libvirt looks by itself */
char *script_for_host(const struct host_facts *host);
char *script_for_pairs(const struct doctor_facts *facts, uint32_t source);
/* False when the text is not whole. */
bool script_read_host(const char *text, int64_t started_wall_ms, int64_t first_wall_ms, struct shell_facts *ret);
bool script_read_here(const char *text, struct credential_facts *ret);
bool script_read_pairs(const char *text, struct doctor_facts *facts, uint32_t source);

int64_t local_wall_ms(void);
void local_look_up(const char *name, struct lookup *ret);
/* The first name of an address; NULL = none. With free(). */
char *local_name_of(const char *address);
enum port_state local_try_port(const char *const *addresses, size_t n, uint16_t port);

#endif
