/**
 * page_events: what the status page is told each second.
 *
 * A message of server-sent events with the lines of STATUS and TOP, one for
 * each of the limits asked for most, as
 *
 *    limit allowed=10 denied=2 name=login
 *
 * and one for each class of the time that decisions take, in seconds, as
 *
 *    decided le=0.001000 count=17
 *
 * and, where limits come from Redis, lines about the fleet (control/roster.h).
 *
 * Counts are since the start.  A worker makes it once a second, for all
 * viewers.
 */
#ifndef SERVER_PAGE_EVENTS_H
#define SERVER_PAGE_EVENTS_H

#include "base/buf.h"

#include <stdint.h>

struct report;

/** Most limits in it. */
#define PAGE_EVENTS_LIMITS_MAX 20

/** The last one of a worker.  All zero: there was none. */
struct page_event {
	struct buf text;
	int64_t made_us;
	uint64_t number;
};

/** A feed of them. */
extern const struct report page_events_report;

#endif
