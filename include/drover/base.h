/* Units, bounds and small conventions shared by every contract.
 *
 * Sizes are uint64_t bytes, rates uint64_t bytes per second, times int64_t
 * milliseconds. Two clocks exist and never mix: `now_ms` is monotonic and only
 * ever compared with other `now_ms` values of the same process; `wall_ms` is
 * Unix time and only ever stored and printed.
 *
 * Strings are NUL-terminated UTF-8. A `char *` member is owned by its struct, a
 * `const char *` member is borrowed, and each says for how long where it is
 * declared. Booleans are positive. Functions that can fail return bool, take a
 * `struct error *` last and leave their outputs untouched on failure.
 */
#ifndef DROVER_BASE_H
#define DROVER_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX /* "no such object" for every index into an array */
#define TIME_NEVER INT64_MAX  /* a deadline that does not come */

enum {
	UUID_TEXT_SIZE = 37,      /* 36 characters and NUL */
	DIGEST_TEXT_SIZE = 65,    /* SHA-256 in hex and NUL */
	NAME_BYTES_MAX = 255,     /* host, guest, pool, network names; libvirt has no smaller bound */
	DISKS_MAX = 64,           /* of one guest; QEMU's own devices end well below it */
	GROUPS_MAX = 64,          /* of one guest; a constraint set is 64 bits wide for nobody's sake but speed */
	INVENTORY_HOSTS_MAX = 100000,
	INVENTORY_GUESTS_MAX = 1000000,
};

#if defined(__GNUC__)
#define DROVER_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define DROVER_PRINTF(fmt, args)
#endif

#endif
