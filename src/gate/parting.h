/**
 * parting: when clients must go: those that are idle or stuck, and all of them
 * when the worker drains.
 */
#ifndef GATE_PARTING_H
#define GATE_PARTING_H

#include "gate/conn.h"

/** Look for clients that are idle, stuck or not reading.  Once a second. */
void conns_check_timeouts(struct conns *conns);

/** Part from clients between two requests: from those that have said nothing
 * for a while, or from all.  Each has been answered all that it was read, so
 * that what it sent and is not answered was not counted.  CONNS_KEEP does not
 * close the connections: none is read further than to the end of a request, and
 * their descriptors are gathered in ${kept}; CONNS_ALL after it closes only
 * those whose request does not end.  One that cannot be handed over
 * (talk_can_move()) is closed like under CONNS_QUIET. */
enum conns_drain { CONNS_QUIET, CONNS_ALL, CONNS_KEEP };

/** Return how many clients are left. */
size_t conns_drain(struct conns *conns, enum conns_drain how);

#endif
