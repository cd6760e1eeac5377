/**
 * timeouts: closes the clients that are idle, stuck or do not read.
 */
#ifndef SERVER_TIMEOUTS_H
#define SERVER_TIMEOUTS_H

#include "server/conn.h"

/** Look at all clients.  Once a second. */
void timeouts_check(struct conns *conns);

#endif
