/* What finished moves teach the next plan: how fast moves of a class really are between two hosts, how far the model is off in
 * bytes and downtime, and how much all that varies. */
#ifndef DROVER_LEARN_H
#define DROVER_LEARN_H

#include "model.h"

/* Of one finished move. 0 or -1 where a figure could not be taken. */
struct observation {
	uint64_t rate_bytes_per_s;  /* from its first byte at the head of its links to its last; 0 = not known */
	uint32_t bytes_milli;       /* sent, over what the model says, times 1000; 0 = not known */
	uint32_t downtime_milli;    /* likewise */
	int64_t setup_ms, finish_ms; /* before the first byte and after the last; -1 = not known */
};

enum move_class learn_class(uint64_t dirty_rate_bytes_per_s, uint64_t rate_bytes_per_s, uint64_t disk_bytes);
/* Takes one more move into a lesson; source, target and class stay the caller's. */
void learn_add(struct lesson *lesson, const struct observation *observation);

/* What is known of a move beforehand. */
struct expectation {
	uint64_t rate_bytes_per_s; /* 0 = nothing learned: as the links say */
	uint32_t bytes_milli, downtime_milli; /* 1000 = as the model says */
	/* Half-widths of the ranges, times 1000. */
	uint32_t time_range_milli, bytes_range_milli, downtime_range_milli;
	uint32_t samples;          /* of exactly these hosts and this class */
};

void learn_expect(const struct model *model, uint32_t source, uint32_t target, enum move_class class,
	struct expectation *ret_expectation);
/* Of how long a move takes whose hosts and class have this lesson (NULL = none), as in an expectation without what other hosts taught. */
uint32_t learn_time_range(const struct plan_options *options, const struct lesson *lesson);
/* Replaces setup and finish times by what moves really took. */
void learn_overheads(struct plan_options *options);

#endif
