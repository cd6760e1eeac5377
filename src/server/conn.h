/**
 * conn: one client, from its first byte to its last.
 *
 * Owns: the stream, the bytes of a request not yet whole, the queue of requests
 * not yet responded to.  Never: decides anything; the gate does.
 *
 * A conn is freed in one place, conns_flush(), never inside a callback.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "base/attr.h"
#include "base/list.h"
#include "gate/gate.h"
#include "protocol/session.h"
#include "server/clients.h"
#include "server/gather.h"
#include "server/overload.h"
#include "server/queue.h"
#include "server/rooms.h"
#include "server/scheduler.h"

#include <stdbool.h>
#include <stdint.h>

/** Bytes read from a client at a time. */
#define CONN_READ_LEN 8192

/** The worker reads no more from a client whose requests without a response,
 * responses not sent yet, and what its protocol stores, take this many bytes,
 * until they take fewer.  A buffer is at most a third larger than what it
 * holds, so that a client costs less than 80 KiB with the bytes that were read
 * and not looked at yet. */
#define CONN_HELD_MAX 49152

/** Of these, what is left for responses however much its protocol stores: that
 * has a bound of its own. */
#define CONN_HELD_MIN 2048

struct conn;
TAILQ_HEAD(conn_list, conn);

/** Hand a client to another worker, by move_take().  Return whether it went:
 * then do not touch it any more. */
typedef bool conns_hand(struct conn *conn, void *arg);

/** All clients of one worker, and what they share. */
struct conns {
	struct loop *loop;
	struct gate *gate;
	struct clients *clients; /* of all workers */

	struct conn_list all;
	size_t count;
	struct conn_list due; /* to be flushed at the end of the turn */
	struct gather gather;
	struct scheduler scheduler;
	struct overload overload;
	int64_t full_us; /* when last a client had to wait for room */

	/* what they share */
	struct slot_cache slots;
	struct session_common sessions;
	struct rooms rooms;
	struct networks trusted; /* proxies */
	char *scratch;           /* buffer that bytes are read into */

	/* the client that is served now */
	size_t handled; /* requests since the clock was looked at */
	int64_t serving_since_us;
	bool quantum_over; /* its time is used up */

	/* for other workers (move.h) */
	conns_hand *hand;
	void *hand_arg;
	size_t leaving;    /* clients that will go to another worker */
	unsigned period;   /* counts periods of measuring */
	int64_t served_us; /* how long clients were served in this period */

	/* at the end of this process (drain.h) */
	unsigned drain_looks; /* that count */
	bool hands_over;      /* to a successor */
	int *handover;        /* connections left open since */
	size_t handover_count;
};

/** Return 0, or -1 (out of memory). */
int conns_init(struct conns *conns, struct loop *loop, struct gate *gate,
    struct clients *clients) MUST_USE;

/** Serve a client on ${fd}, which it takes over, what ${offer} says.  It is
 * counted already in clients->count, which goes down when it is freed. */
void conn_open(struct conns *conns, int fd, enum offer offer);

/** Use the users in force from now on; before the clients of a turn are
 * served. */
void conns_update_users(struct conns *conns);

/** The loop has made its callbacks: serve the clients that have something to
 * do, in turn, while the loop turn's time lasts and the store has room. */
void conns_serve(struct conns *conns);

/** The store was flushed after that: send the responses, and free closed
 * clients.  Return whether some clients can go on at once: then the next turn
 * must not wait for events. */
bool conns_flush(struct conns *conns);

/** Close all clients at once and free everything.  All checks must have been
 * decided. */
void conns_clear(struct conns *conns);

#endif
