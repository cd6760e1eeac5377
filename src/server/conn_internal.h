/**
 * conn_internal: the inside of a conn, for conn_open.c, conn.c, which serves
 * it, conns.c, which serves all of them in turn, timeouts.c and drain.c, which
 * end it, and move.c.
 */
#ifndef SERVER_CONN_INTERNAL_H
#define SERVER_CONN_INTERNAL_H

#include "base/buf.h"
#include "base/list.h"
#include "net/stream.h"
#include "server/conn.h"

#include <stdbool.h>
#include <stdint.h>

/**
 *   OPEN --the last request, end of input--> FINISHING --all sent--> LINGERING
 * --> DEAD
 *     |____________________________________|_____________________________^
 *
 * A LINGERING conn reads and drops what the client still sends: closing with
 * unread bytes would make the kernel discard what was sent to the client.
 *
 * X(NAME, TO(a state that may follow) | ...)
 */
#define CONN_STATES(X)                                                         \
	X(OPEN, TO(FINISHING) | TO(DEAD))      /* requests are read */         \
	X(FINISHING, TO(LINGERING) | TO(DEAD)) /* responses are still sent */  \
	X(LINGERING, TO(DEAD))                                                 \
	X(DEAD, 0) /* freed when the turn is over */

enum conn_state {
#define X(name, next) CONN_##name,
	CONN_STATES(X)
#undef X
};

struct conn {
	/* among the others */
	struct conns *conns;
	TAILQ_ENTRY(conn) all;
	TAILQ_ENTRY(conn) due;
	bool is_due;
	struct gathered gathered;
	struct task task;       /* of the scheduler */
	int64_t waits_since_us; /* for its turn */
	unsigned served_look;   /* look of the drain when it last had it */

	/* the client */
	enum conn_state state;
	bool ended; /* it will send no more */
	struct stream stream;
	bool readable; /* the socket has something to be read */
	bool deferred; /* requests in ${in} wait, until they may be taken */
	struct session session;
	const struct protocol *counted; /* in clients->by_protocol as one of
					 * these; NULL: not yet */

	/* from bytes to responses */
	struct buf in;      /* read, and not yet a request */
	struct queue queue; /* requests without a response */
	size_t asked;       /* requests that were last read at once */

	/* for time-outs */
	int64_t last_read_us;     /* when bytes last came */
	int64_t request_since_us; /* an incomplete request began, or the
				   * handshake; 0: none did */
	bool shakes_hands;        /* the handshake of TLS is not over */
	uint64_t progress;        /* bytes sent when last looked at */
	int64_t progress_us;      /* when that last grew */

	/* for another worker (move.h) */
	bool is_leaving; /* this worker reads no more from it */
	int moved_fd;    /* on the way to that worker */
	struct tls *moved_tls;
	unsigned period;   /* value of conns->period */
	int64_t served_us; /* how long it was served in that period */
};

/** Close it at the end of the turn. */
void conn_die(struct conn *conn);

/** Read no more from it, and close it when all responses are sent. */
void conn_finish(struct conn *conn);

/** Have it served in its turn. */
void conn_schedule(struct conn *conn);

/** Its turn has come: write responses, and take requests. */
void conn_serve(struct conn *conn);

/** Look at it, and flush it, at the end of the turn. */
void conn_make_due(struct conn *conn);

/** Send its responses; close it if it is at its end. */
void conn_flush(struct conn *conn);

/** Hand it to another worker if it is time.  Return whether it now belongs to
 * that. */
bool conn_move(struct conn *conn);

/** Whether it has work that waits for no event. */
bool conn_can_go_on(const struct conn *conn);

/** Free it.  Requests under way lose their client: their responses are
 * dropped. */
void conn_free(struct conn *conn);

/** Count it among the clients of ${protocol}; NULL: of none, as it goes. */
void conn_count_protocol(struct conn *conn, const struct protocol *protocol);

/** Its first response in order is ready.  Write decisions as they come; a
 * response that costs more waits for the client's turn. */
void conn_on_ready(struct queue *queue);

/** Make it one of ${conns}, on ${fd}. */
void conn_join(struct conn *conn, struct conns *conns, int fd);

/** Take it off the lists of its conns. */
void conn_leave(struct conn *conn);

/** Its request did not end in time: say so, if its protocol does, and close it.
 */
void conn_end_late(struct conn *conn);

/** Whether all bytes read from it are handled: it is between two requests. */
static inline bool
conn_is_whole(const struct conn *conn)
{
	return buf_len(&conn->in) == 0 && session_is_between(&conn->session);
}

/** Whether it will be handed over to a successor of this process, which then
 * reads its next request, and knows nothing of a login. */
static inline bool
conn_is_for_successor(const struct conn *conn)
{
	return conn->conns->hands_over && !conn->stream.tls &&
	       !conn->session.login.by_secret &&
	       session_can_hand_over(&conn->session);
}

#endif
