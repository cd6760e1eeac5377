#include "server/drain.h"

#include "server/conn_internal.h"

#include <stdlib.h>

/* A client that sends nothing for this long is done. */
#define QUIET_US INT64_C(100000)

/* Close clients that go on to send requests after so many looks.  Looks are
 * counted, not the time, and only those between which all clients had their
 * turn: what was received is responded to, however long that takes. */
#define LOOKS_MAX 25

static void
drain_hand_over(struct conn *conn)
{
	struct conns *conns = conn->conns;
	int *fds = reallocarray(
	    conns->handover, conns->handover_count + 1, sizeof(*fds));

	if (!fds)
		return; /* the next look tries again */
	conns->handover = fds;
	fds[conns->handover_count++] = stream_detach(&conn->stream);
	conn_die(conn);
}

/* Whether bytes came since the turn began. */
static bool
drain_has_input(struct conn *conn)
{
	char byte;

	return stream_peek(&conn->stream, &byte, 1) > 0;
}

/* Tell a client whose protocol has a word for it. */
static void
drain_announce(struct conn *conn)
{
	const struct protocol *protocol = conn->session.protocol;

	if (!protocol || !protocol->drain)
		return;
	if (protocol->drain(&conn->session, &conn->stream.out) == -1)
		conn_die(conn);
	conn_make_due(conn);
}

static void
drain_client(struct conn *conn, bool is_late)
{
	int64_t silent_us = gate_now(conn->conns->gate) - conn->last_read_us;
	bool whole = conn_is_whole(conn);
	bool hands_over = whole && conn_is_for_successor(conn);

	if (conn->state != CONN_OPEN)
		return;
	drain_announce(conn);
	if (hands_over)
		stream_set_reading(&conn->stream, false);
	if (conn->queue.count > 0 || buf_len(&conn->stream.out) > 0)
		return;
	if (hands_over)
		drain_hand_over(conn);
	else if (whole && silent_us >= QUIET_US && !drain_has_input(conn))
		conn_die(conn);
	else if (is_late)
		conn_finish(conn);
}

/* Whether a client still waits for a turn since the last look that counted. */
static bool
drain_must_wait(const struct conns *conns)
{
	const struct conn *conn;

	TAILQ_FOREACH (conn, &conns->all, all)
		if (conn->task.list && conn->served_look != conns->drain_looks)
			return true;
	return false;
}

size_t
drain_clients(struct conns *conns, bool hands_over)
{
	struct conn *conn;

	if (conns->drain_looks == 0 || !drain_must_wait(conns))
		conns->drain_looks++;
	conns->hands_over |= hands_over;
	conns->sessions.draining = true;
	conns->sessions.hands_over = conns->hands_over;
	if (!conns->gate->waits.closed)
		waits_stop(&conns->gate->waits);
	TAILQ_FOREACH (conn, &conns->all, all)
		drain_client(conn, conns->drain_looks > LOOKS_MAX);
	return conns->count;
}
