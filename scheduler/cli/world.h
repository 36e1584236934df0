/* The hosts behind the hypervisor seam, as the configuration names them: real ones through libvirt, or a simulated
 * world when their uri is sim:FILE. Also makes the loop, whose clock a simulated world may speed up
 * (sim:FILE?speed=20).
 *
 * A simulated world is kept in STATE.sim.json after each change, and goes on from there at the next start, unless FILE
 * is newer. A killed drover finds it as last saved: migrations that ran in it have ended.
 */
#ifndef DROVER_CLI_WORLD_H
#define DROVER_CLI_WORLD_H

#include "drover/config.h"
#include "loop.h"

struct world;

/* state: path of the state file; the simulated world is kept beside it. */
struct world *world_open(const struct config *config, const char *state, struct error *err);
void world_free(struct world *world);
struct loop *world_loop(const struct world *world);
bool world_is_simulated(const struct world *world);

/* Asks all configured hosts at once and makes one inventory of the answers, with the configuration
 * applied, not sealed. A host that did not answer is in it with reachable = false and the reason. */
/* measure: what guests write is watched too, for a second or, with their working sets, for twelve; but not of those whose
 * UUIDs are known, which are sorted. */
enum probe_measure { PROBE_MEASURE_NOTHING, PROBE_MEASURE_RATES, PROBE_MEASURE_SETS };
struct inventory *world_probe(struct world *world, const struct config *config, enum probe_measure measure,
	const char *const *known, size_t n_known, struct error *err);

#endif
