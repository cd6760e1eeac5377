/**
 * conn: one client, from its first byte to its last.
 *
 * Owns: the stream, the bytes of a request not yet whole, the queue of requests
 * not yet answered to.
 * Never: decides anything; that is the gate's.
 *
 * A conn is freed in one place, conns_flush(), never inside a callback.
 */
#ifndef GATE_CONN_H
#define GATE_CONN_H

#include "base/attr.h"
#include "gate/gate.h"
#include "gate/queue.h"
#include "gate/talk.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/** Bytes read from a client at a time. */
#define CONN_READ_LEN 65536

/** A client with this many bytes unsent, or requests unanswered, is not read
 * from until it has fewer. */
#define CONN_UNSENT_MAX     65536
#define CONN_UNANSWERED_MAX 256

struct conn;
TAILQ_HEAD(conn_list, conn);

/** All clients of one worker, and what they share. */
struct conns {
	struct event_base *base;
	struct gate *gate;
	struct conn_list all;
	struct conn_list due;      /* to be looked at when the turn is over */
	struct slot_cache queues;
	struct talk_room room;
	size_t count;
	char *scratch;             /* where bytes are read to */
	unsigned handled;          /* requests, counted round */
	int64_t busy_since_us;     /* requests are handled; 0: not yet known */
	bool turn_over;            /* no more of them in this turn */
	bool keeping;              /* CONNS_KEEP was asked for */
	int *kept;                 /* clients parted from since */
	size_t kept_count;
};

/** Return 0, or -1 (out of memory). */
int conns_init(struct conns *conns, struct event_base *base, struct gate *gate)
    MUST_USE;

/** Serve a client on ${fd}, which it takes over; it is counted already in
 * shared->clients, which goes down when it is freed. */
void conn_open(struct conns *conns, int fd);

/** The loop turn is over: take up requests that had to wait for room, or for
 * others' turn. */
void conns_resume(struct conns *conns);

/** Then, the store flushed: send what was answered, and free closed clients.
 * Return whether there are requests to go on with at once: the next turn must
 * not wait for events. */
bool conns_flush(struct conns *conns);

/** Close all clients at once and free everything.  The store must have answered
 * what was asked. */
void conns_clear(struct conns *conns);

#endif
