/**
 * client: the inside of a conn, for conn.c, which serves it, and parting.c,
 * which ends it when its time is over.
 */
#ifndef GATE_CLIENT_H
#define GATE_CLIENT_H

#include "base/buf.h"
#include "gate/conn.h"
#include "gate/talk.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 *   OPEN --QUIT, HTTP, no more input--> FINISHING --sent--> LINGERING --> DEAD
 *     |________________|__________________________________________^
 */
#define CONN_STATES(X)                                                         \
	X(OPEN)      /* requests are read */                                   \
	X(FINISHING) /* no more are read; answers go out */                    \
	X(LINGERING) /* all is sent; the rest of the input is dropped, since   \
		      * closing over it would take back what was sent */       \
	X(DEAD)      /* to be freed when the turn is over */

enum conn_state {
#define X(name) CONN_##name,
	CONN_STATES(X)
#undef X
};

struct conn {
	TAILQ_ENTRY(conn) all;
	TAILQ_ENTRY(conn) due;
	struct conns *conns;
	struct stream stream;
	struct buf in;              /* read, and not yet a request */
	struct talk talk;
	enum conn_state state;
	bool is_due;
	bool ended;                 /* the client will send no more */

	struct queue queue;         /* requests not yet answered to */

	int64_t heard_us;           /* when bytes last came */
	int64_t line_us;            /* when an incomplete request began, or 0 */
	uint64_t progress;          /* bytes sent when last looked at */
	int64_t progress_us;        /* since when no more were */
};

/** Close it when the turn is over. */
void conn_die(struct conn *conn);

/** Read no more from it, and close it when all answers are out. */
void conn_finish(struct conn *conn);

/** Whether all that was read of it is handled: it is between two requests. */
static inline bool
conn_is_whole(const struct conn *conn)
{
	return buf_len(&conn->in) == 0 && talk_is_whole(&conn->talk);
}

/** Whether it is to be kept open for a successor of this process. */
static inline bool
conn_is_kept(const struct conn *conn)
{
	return conn->conns->keeping && talk_can_move(&conn->talk);
}

#endif
