/* Marks: situations that a good set of seeds reaches. A mark that is never reached means tests that
 * prove nothing about it, so the whole range must reach every one. They are read from the audit, the
 * final states and the faults that had their effect; the engine knows nothing of them. */
#include <stdlib.h>
#include <string.h>

#include "dst.h"

struct mark {
	const char *name;
	const char *audit; /* a text in an audit row */
};

static const struct mark marks[] = {
	{"a batch was restored", "drover was started again:"},
	{"a move was found under way and adopted", "found under way and adopted"},
	{"a guest in flight was seen", "the copy is under way"},
	{"a switchover was seen", "the switchover is under way"},
	{"an unknown outcome was found on the target", "runs on the target, not on the source"},
	{"an unknown outcome was found on the source", "runs on the source, not on the target"},
	{"an orphaned incoming copy was found", "a paused copy is on the target"},
	{"an orphaned copy was destroyed", "destroy on "},
	{"a split brain was found", "runs on both hosts"},
	{"a confirm was lost", "runs on the target; the source is paused and stale"},
	{"a confirm was lost after a hand-over", "handed over; the source is paused and stale"},
	{"a source was left paused and resumed", "paused on the source, not on the target"},
	{"a handed-over guest was resumed by us", "handed over and waiting for its resume"},
	{"a guest shut down on its target", "shut down on the target since"},
	{"a guest was stopped on its source", "was shut down on the source"},
	{"a guest ran on neither host", "runs on neither host"},
	{"answers were not conclusive", "the answers are not conclusive"},
	{"a host was silent when asked", "silent"},
	{"another target was taken", "instead of"},
	{"a cleanup was given up with a note", "tries"},
	{"a batch was cancelled", "cancel all asked"},
	{"one guest was cancelled", "cancel g"},
	{"a batch was paused or resumed", "asked by trial"},
	{"a host was cordoned", "cordoned"},
	{"a move made no progress", "no byte moved"},
	{"a migration failed", "unexpectedly failed"},
	{"a guest did not converge and was given up", "are left to copy; it writes"},
	{"a guest was switched to post-copy", "it runs on the target now, the rest of its memory follows"},
	{"a switch to post-copy did not happen", "the switch to post-copy did not happen"},
	{"a guest in post-copy was found and followed", "found in post-copy and followed"},
	{"a post-copy broke off and went on", "its memory has stopped following it"},
	{"a target lets nobody arrive by post-copy", "Postcopy is not supported"},
	{"a cancel came too late for a guest in post-copy", "its move cannot be cancelled"},
	{"a longer blackout was allowed", "ms is allowed now"},
	{"a crashed source left a copy handed over", "may have run on, and paused on the target"},
	{"a paused source met a shut off target", "where it may have run"},
	{"a switchover was not confirmed", "runs on the target; the source has not been told"},
	{"a third host could not be asked", "could not be asked whether it has"},
	{"a paused guest was on both hosts", "is on the source as its owner left it"},
	{"a guest was shut down in its place", "shutdown"},
	{"a guest was shut down, copied and read back", "as they are on the source"},
	{"a guest that was moved cold was started there", "is complete there and not started yet"},
	{"a guest could not be started there and went back", "goes back to its source"},
	{"a guest was started again on its source", "was shut down for its move and is started again"},
	{"a guest that a drain had shut down was started again", "was shut down by us and is started again"},
	{"a guest heard no power button", "did not shut down within"},
	{"a guest was unknown in this life", "did not answer when drover was started"},
	{"a guest was elsewhere after a restart", "no longer on"},
	{"a guest was to go by way of a third host", "on from there"},
	{"a guest went on from its third host", "has come to its third host and goes on"},
	{"a second leg ended with its first", "from where it was to go on to"},
	{"a guest stayed on its third host", "on its way from"},
};
enum { N_AUDIT_MARKS = sizeof marks / sizeof marks[0] };

size_t marks_count(void)
{
	return N_AUDIT_MARKS + SIM_FAULT_COUNT;
}

const char *mark_name(size_t i)
{
	return i < N_AUDIT_MARKS ? marks[i].name : sim_fault_name((enum sim_fault_kind)(i - N_AUDIT_MARKS));
}

void marks_collect(struct trial *trial, uint64_t *counts)
{
	struct audit_record *rows = NULL;
	size_t n = 0, i, j;

	if (trial->store->audit(trial->store, 0, &rows, &n, NULL))
		for (i = 0; i < n; i++)
			for (j = 0; j < N_AUDIT_MARKS; j++)
				counts[j] += strstr(rows[i].text, marks[j].audit) != NULL;
	free(rows);
	for (i = 0; i < SIM_FAULT_COUNT; i++)
		counts[N_AUDIT_MARKS + i] += sim_fault_hits(trial->sim, (enum sim_fault_kind)i);
}
