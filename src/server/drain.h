/**
 * drain: how clients go when the process ends.
 *
 * A client goes between two requests: it has the responses to all that was read
 * from it, and a request without a response was not counted.
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include "server/conn.h"

/** Look at all clients, and close those that have sent nothing for a while.
 * With ${hands_over}, instead gather those that can be handed over for the
 * successor (conns->handover), and read no client's bytes beyond the end of a
 * request.  After enough looks, close all that are left: those that go on, or
 * whose request does not end.  Return how many are left. */
size_t drain_clients(struct conns *conns, bool hands_over);

#endif
