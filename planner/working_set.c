/* The working set of a guest from two looks at what it writes.
 *
 * A look of some seconds tells how much distinct memory was written in it. A guest that writes all over its memory writes five
 * times as much in five times the time; one that writes to the same places again does not. Between the two stands the
 * model of writes that fall anywhere in a set of W bytes: U(t) = W (1 - x^t), where x is what a second leaves untouched.
 *
 * The looks are samples of pages, and few of them are hit: each figure may be off by the root of its number of hits. What
 * is returned is the largest set within that error, because a set thought too small promises a move that ends too early; and
 * 0, nothing known, where the figures do not show for sure that the guest writes to the same places again.
 */
#include "arith.h"
#include "drover/plan.h"

enum {
	HITS_LEAST = 6,      /* fewer sampled pages hit say nothing */
	PART = 1000000,      /* of shares between 0 and 1 */
	HALVINGS = 40,
};

static uint64_t root(uint64_t n)
{
	uint64_t low = 0, high = (uint64_t)1 << 32;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (middle * middle <= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* What a set of this size shows in `spans` times the time in which it shows `brief`. */
static uint64_t shown(uint64_t set, uint64_t brief, uint32_t spans)
{
	uint64_t left = PART - mul_div(brief, PART, set), untouched = PART;

	while (spans-- > 0)
		untouched = mul_div(untouched, left, PART);
	return set - mul_div(set, untouched, PART);
}

uint64_t planner_working_set(const struct dirty_look *look, uint64_t memory_bytes)
{
	uint64_t brief_hits, long_hits, brief, longer, low, high = memory_bytes;
	int i;

	if (memory_bytes == 0 || look->spans < 2 || look->brief_bytes == 0)
		return 0;
	brief_hits = mul_div(look->brief_bytes, look->sampled_pages, memory_bytes);
	long_hits = mul_div(look->long_bytes, look->sampled_pages, memory_bytes);
	if (brief_hits < HITS_LEAST || long_hits < HITS_LEAST)
		return 0;
	brief = look->brief_bytes - look->brief_bytes / root(brief_hits);
	longer = look->long_bytes + look->long_bytes / root(long_hits);
	if (brief == 0 || longer >= memory_bytes || longer >= mul_div(brief, look->spans, 1))
		return 0;
	low = look->long_bytes > look->brief_bytes ? look->long_bytes : look->brief_bytes;
	if (low >= memory_bytes || shown(memory_bytes, brief, look->spans) < longer)
		return 0;
	for (i = 0; i < HALVINGS && high - low > 1; i++) {
		uint64_t middle = low + (high - low) / 2;

		if (shown(middle, brief, look->spans) < longer)
			low = middle;
		else
			high = middle;
	}
	return high;
}
