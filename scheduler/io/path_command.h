/* Which way bytes really leave a host: `ss -Htin` there lists its TCP connections, and the one that has carried the most
 * to a given address is looked up in it. Libvirt shows neither the addresses of a host nor its connections, and only
 * the administrator knows how a command gets there ([host] shell).
 * Blocks; belongs on a worker's thread.
 */
#ifndef DROVER_PATH_COMMAND_H
#define DROVER_PATH_COMMAND_H

#include "drover/hypervisor.h"

/* shell: what runs a command on the host when it is put before it; NULL = ERR_UNSUPPORTED. It has a few seconds. */
bool path_command_run(const char *host, const char *shell, const char *target_address, struct hv_path *ret, struct error *err);
/* What ss printed. ret stays empty when there is no such connection. */
void path_command_read(const char *text, const char *target_address, struct hv_path *ret);

#endif
