/**
 * arrivals: clients on their way to a worker.
 *
 * Owns: the sockets of clients that have just come, clients that other workers
 * hand to this one, until the worker takes them.  Any thread, unless a call
 * says otherwise.
 */
#ifndef SERVER_ARRIVALS_H
#define SERVER_ARRIVALS_H

#include "base/attr.h"
#include "server/conn.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/** A client that has just come. */
struct arrival {
	int fd; /* non-blocking */
	enum offer offer;
};

struct arrivals {
	pthread_mutex_t lock; /* of the others */
	struct arrival *sockets;
	size_t count, cap; /* of those */
	struct conn_list moved;
	bool closed; /* takes no more */
};

void arrivals_init(struct arrivals *arrivals);

/** Close and free what it holds. */
void arrivals_clear(struct arrivals *arrivals);

/** Add a socket, whose client is to be offered this.  Return 0, or -1 (out of
 * memory). */
int arrivals_add(struct arrivals *arrivals, int fd, enum offer offer) MUST_USE;

/** Add a client that is to move (move_is_due()), on its worker's thread.
 * Return false, and it stays where it is, if no more are taken. */
bool arrivals_add_moved(struct arrivals *arrivals, struct conn *conn) MUST_USE;

/** Move all into ${conns}, on the thread of ${conns}. */
void arrivals_take(struct arrivals *arrivals, struct conns *conns);

/** If none is there, take no more from now on.  Return whether that is so. */
bool arrivals_end(struct arrivals *arrivals) MUST_USE;

#endif
