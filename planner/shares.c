/* Bandwidth for moves in flight, by strict priority.
 *
 * Equal shares make every move slow at once, and a guest that writes faster than
 * its share is never finished. So the first move gets all that its links have,
 * the next what is left, and so on. Before that, everybody in flight gets the
 * pre-stage rate (0 would mean "no limit" to the hypervisor), and then, again in
 * order, what it needs to keep converging; the sum never exceeds a link.
 *
 * A mirror that cannot be slowed comes before everything but the pre-stage rates, whatever
 * its place in the order: it takes its bandwidth anyhow, and promising it to others would be untrue.
 */
#include <stdlib.h>

#include "arith.h"
#include "drover/plan.h"
#include "xalloc.h"

enum { SHARE_LINKS = 4 };

/* What all links of a move still have; UINT64_MAX when none of them is known. */
static uint64_t left_for(const struct share_move *move, const uint64_t *left, size_t n_links)
{
	uint64_t least = UINT64_MAX;
	size_t i;

	for (i = 0; i < SHARE_LINKS; i++)
		if (move->links[i] < n_links)
			least = min_u64(least, left[move->links[i]]);
	return least;
}

/* Raises a move to at most `to`, as far as its links and its own limit allow. */
static void raise(struct share_move *move, uint64_t to, uint64_t *left, size_t n_links)
{
	uint64_t more;
	size_t i;

	if (move->cap_bytes_per_s != 0)
		to = min_u64(to, move->cap_bytes_per_s);
	if (to <= move->ret_rate_bytes_per_s)
		return;
	more = min_u64(to - move->ret_rate_bytes_per_s, left_for(move, left, n_links));
	move->ret_rate_bytes_per_s += more;
	for (i = 0; i < SHARE_LINKS; i++)
		if (move->links[i] < n_links && left[move->links[i]] != UINT64_MAX)
			left[move->links[i]] -= more;
}

/* A link too thin for everybody's pre-stage rate is divided evenly; that is the most anyone gets there at first. */
static uint64_t first_rate(const struct share_move *move, const uint64_t *capacities, const uint32_t *users,
	size_t n_links, uint64_t prestage)
{
	uint64_t rate = prestage;
	size_t i;

	for (i = 0; i < SHARE_LINKS; i++)
		if (move->links[i] < n_links && capacities[move->links[i]] != 0)
			rate = min_u64(rate, capacities[move->links[i]] / users[move->links[i]]);
	return rate;
}

static void prestage_all(struct share_move *moves, size_t n_moves, const uint64_t *capacities, uint64_t *left,
	size_t n_links, uint64_t prestage)
{
	uint32_t *users = xcalloc(n_links, sizeof *users);
	size_t i, k;

	for (i = 0; i < n_moves; i++)
		for (k = 0; k < SHARE_LINKS; k++)
			if (moves[i].links[k] < n_links)
				users[moves[i].links[k]]++;
	for (i = 0; i < n_moves; i++)
		raise(&moves[i], first_rate(&moves[i], capacities, users, n_links, prestage), left, n_links);
	free(users);
}

void planner_shares(struct share_move *moves, size_t n_moves, const uint64_t *capacities, size_t n_links,
	uint64_t prestage_rate_bytes_per_s)
{
	uint64_t *left = xcalloc(n_links, sizeof *left);
	size_t i;

	for (i = 0; i < n_links; i++)
		left[i] = capacities[i] != 0 ? capacities[i] : UINT64_MAX;
	for (i = 0; i < n_moves; i++)
		moves[i].ret_rate_bytes_per_s = 0;
	prestage_all(moves, n_moves, capacities, left, n_links, max_u64(prestage_rate_bytes_per_s, 1));
	for (i = 0; i < n_moves; i++)
		if (!moves[i].can_be_throttled)
			raise(&moves[i], UINT64_MAX, left, n_links);
	for (i = 0; i < n_moves; i++)
		raise(&moves[i], moves[i].floor_bytes_per_s, left, n_links);
	for (i = 0; i < n_moves; i++)
		raise(&moves[i], UINT64_MAX, left, n_links);
	for (i = 0; i < n_moves; i++)
		moves[i].ret_rate_bytes_per_s = max_u64(moves[i].ret_rate_bytes_per_s, 1);
	free(left);
}
