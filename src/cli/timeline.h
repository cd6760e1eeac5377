/**
 * timeline: how much of what happened when, of a time whose end is not known.
 */
#ifndef CLI_TIMELINE_H
#define CLI_TIMELINE_H

#include "base/attr.h"

#include <stdint.h>
#include <stdio.h>

#define TIMELINE_SLOTS 240

enum timeline_line {
	TIMELINE_ALL,
	TIMELINE_BEFORE, /* denied by the limits in force */
	TIMELINE_AFTER,  /* denied by the others */
	TIMELINE_LINES
};

/** Zero it first. */
struct timeline {
	int64_t start_us;
	int64_t slot_us; /* 0: nothing happened yet */
	uint64_t slots[TIMELINE_SLOTS][TIMELINE_LINES];
};

/** One more at ${at_us}, which is not before that of the last call. */
void timeline_add(
    struct timeline *timeline, enum timeline_line line, int64_t at_us);

/** Draw it, as SVG. */
void timeline_draw(const struct timeline *timeline, FILE *to);

#endif
