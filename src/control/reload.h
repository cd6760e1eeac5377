/**
 * reload: when the limits are to be loaded.  Pure.
 *
 * Any number of orders make one load, at the earliest of their times.  An order
 * that comes while a load is under way is for the next one: what that load has
 * read may be older than the order.  No order is lost: one whose load got no
 * answer stands again.
 */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#define RELOAD_NEVER INT64_MAX

/** All zero at first, but ${due_us}, which is RELOAD_NEVER. */
struct reload {
	int64_t due_us;       /* when the next load starts */
	bool whole;           /* it is to take the set anew, known or not */
	bool loading;         /* one is under way, */
	bool loading_whole;   /* and that is what it does */
};

/** Have a load start at ${at_us}, or before. */
void reload_order(struct reload *reload, int64_t at_us, bool whole);

/** When to call reload_begin(); RELOAD_NEVER: nothing is ordered, or a load is
 * under way. */
int64_t reload_next_us(const struct reload *reload);

/** A load starts now.  Return whether it is to take the set anew. */
bool reload_begin(struct reload *reload);

/** It is over. */
void reload_end(struct reload *reload, bool answered);

#endif
