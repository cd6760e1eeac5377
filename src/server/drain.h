/**
 * drain: how clients go when the process ends.
 *
 * A client goes between two requests: it has the responses to all that was read
 * from it, and a request without a response was not counted.
 */
#ifndef SERVER_DRAIN_H
#define SERVER_DRAIN_H

#include "server/conn.h"

enum drain_mode {
	/** Close clients that have sent nothing for a while. */
	DRAIN_QUIET,

	/** Gather the connections of clients for the successor
	 * (conns->handover), and read no client's bytes beyond the end of a
	 * request.  Those that cannot be handed over are closed as by
	 * DRAIN_QUIET. */
	DRAIN_HANDOVER,

	/** Close all clients.  After DRAIN_HANDOVER only those whose request
	 * does not end, and those that cannot be handed over. */
	DRAIN_ALL,
};

/** Look at all clients.  Return how many are left. */
size_t drain_clients(struct conns *conns, enum drain_mode mode);

#endif
