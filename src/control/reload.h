/**
 * reload: decides when the limits are loaded next.  Pure.
 *
 * Any number of schedules make one load, at the earliest of their times.  What
 * is scheduled during a load makes another load after it, because the running
 * one may have read the key before it changed.  A load that failed is scheduled
 * again: no schedule is lost.
 */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_NEVER INT64_MAX

/** All zero at first, but ${due_us}, which is RELOAD_NEVER. */
struct reload {
	int64_t due_us;    /* when the next load starts */
	bool full;         /* it takes the set even if that is known */
	bool loading;      /* a load is running */
	bool loading_full; /* the running load is a full one */
};

/** Have a load start at ${at_us}, or earlier. */
void reload_schedule(struct reload *reload, int64_t at_us, bool full);

/** When to call reload_begin(); RELOAD_NEVER: nothing is scheduled, or a load
 * is running. */
int64_t reload_next_us(const struct reload *reload);

/** A load starts now.  Return whether it is a full one. */
bool reload_begin(struct reload *reload);

/** The load has ended; ${loaded}: the server replied. */
void reload_end(struct reload *reload, bool loaded);

#endif
