/**
 * feeds: responses that go on, of one worker.
 *
 * A feed is a report without an end: after each piece its slot waits here, and
 * is made ready again with the next tick, to write what is new since then.
 */
#ifndef SERVER_FEEDS_H
#define SERVER_FEEDS_H

#include "base/list.h"
#include "net/timer.h"

/** Time between two pieces of a feed. */
#define FEEDS_TICK_US 100000

struct slot;

/** A field of its worker's slot cache. */
struct feeds {
	TAILQ_HEAD(feed_list, slot) waiting;
	struct timer tick; /* set while any waits */
};

void feeds_init(struct feeds *feeds, struct loop *loop);

/** A piece of the slot's feed was written: have its queue called when it is
 * time for the next. */
void feeds_wait(struct slot *slot);

/** The slot's client is gone: make it ready, if it waits. */
void feeds_forget(struct slot *slot);

/** Stop the timer.  None may wait. */
void feeds_clear(struct feeds *feeds);

#endif
