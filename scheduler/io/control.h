/* The control socket of a running engine: STATE.sock, mode 0600, one line of JSON each way.
 *
 * Request: {"command":"status"} and the like (steer.h). Answer: {"ok":true,...} or
 * {"ok":false,"error":{"code","message","hint"}}. The server lives on the loop's thread; the client
 * side blocks and belongs to the short-lived commands.
 */
#ifndef DROVER_CONTROL_H
#define DROVER_CONTROL_H

#include <uv.h>

#include "drover/error.h"

struct control;
struct control_peer;

/* Removes a socket left by a killed drover: the caller holds the lock of the state file, so nobody else
 * can be listening. ERR_FILE when it cannot be made. */
struct control *control_listen(uv_loop_t *loop, const char *path,
	void (*on_line)(void *self, struct control_peer *peer, const char *line), void *self, struct error *err);
void control_say(struct control_peer *peer, const char *line);
/* Ends it: handles are closed as the loop next runs. NULL is fine. */
void control_close(struct control *control);

/* Asks the drover that runs with this socket. *ret_answer with free(). ERR_NO_DAEMON when none does. */
bool control_ask(const char *path, const char *line, char **ret_answer, struct error *err);

#endif
