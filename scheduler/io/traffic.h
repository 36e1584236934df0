/* Reads the hosts' own counters, so that traffic which is not ours shows (N1).
 *
 * libvirt does not tell a host's counters, so the operator gives a command for it (traffic_command). Once a second it is run
 * by /bin/sh for each host that takes part in a move; it prints a line with the bytes received and sent for each of the
 * host's addresses, in their order. A command that takes longer than TRAFFIC_LIMIT_MS is ended; one that fails is
 * reported once and tried again. Its figures become notes, hints as all notes are.
 *
 * Runs on the loop's thread. Commands are ended with their process group when the reader is closed.
 */
#ifndef DROVER_TRAFFIC_H
#define DROVER_TRAFFIC_H

#include <uv.h>

#include "drover/engine.h"

enum { TRAFFIC_EVERY_MS = 1000, TRAFFIC_LIMIT_MS = 3000 };

/* Borrowed for the life of the reader. */
struct traffic_command {
	const char *host;
	const char *command;
};

struct traffic_listener {
	void *self;
	bool (*is_wanted)(void *self, const char *host); /* does it take part in a move now? */
	void (*on_note)(void *self, const struct hv_note *note);
	void (*on_failure)(void *self, const struct error *err); /* once for each host, until it works again */
};

struct traffic;
struct traffic *traffic_open(uv_loop_t *uv, const struct traffic_command *commands, size_t n, const struct traffic_listener *listener);
/* Frees itself once the loop has closed its handles. */
void traffic_close(struct traffic *traffic);

#endif
