/* What the lines of the control socket mean. Commands: status, cancel, pause, resume, cordon, uncordon, throttle; members
 * batch (0 = all), guest, host, reason, who; of throttle the keys of limit.h (absent = as it is) and host or network,
 * and its answer has the limits that apply then.
 */
#ifndef DROVER_STEER_H
#define DROVER_STEER_H

#include "loop.h"

/* Carries the command out; the answer is one line of JSON, with free(). */
char *steer_line(struct loop *loop, const char *line);

#endif
