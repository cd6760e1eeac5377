#include "gate/parting.h"

#include "gate/client.h"

#include <stdlib.h>

/* A client that takes nothing of what waits for it is closed after this. */
#define STALLED_US INT64_C(10000000)

/* How long the end of the other side is waited for after our own. */
#define LINGER_US INT64_C(2000000)

/* While draining, a client that says nothing for so long is done. */
#define QUIET_US INT64_C(100000)

/* Whether it takes nothing of what waits for it. */
static bool
is_stalled(struct conn *conn, int64_t now_us)
{
	if (buf_len(&conn->stream.out) == 0 ||
	    conn->stream.sent != conn->progress) {
		conn->progress = conn->stream.sent;
		conn->progress_us = now_us;
	}
	return now_us - conn->progress_us >= STALLED_US;
}

/* Whether it says nothing, or does not come to the end of it. */
static bool
is_idle(const struct conn *conn, int64_t now_us)
{
	const struct gate_options *options = conn->conns->gate->shared->options;
	int64_t silent_us = now_us - conn->heard_us;

	if (conn->state == CONN_LINGERING)
		return silent_us >= LINGER_US;
	if (conn->queue.count > 0 || buf_len(&conn->stream.out) > 0)
		return false;
	if (conn->line_us && now_us - conn->line_us >= options->line_timeout_us)
		return true;
	return options->idle_timeout_us &&
	       silent_us >= options->idle_timeout_us;
}

void
conns_check_timeouts(struct conns *conns)
{
	struct metrics *metrics = conns->gate->metrics;
	int64_t now_us = gate_now(conns->gate);
	struct conn *conn;

	TAILQ_FOREACH (conn, &conns->all, all) {
		bool stalled = is_stalled(conn, now_us);

		if (!stalled && !is_idle(conn, now_us))
			continue;
		metric_add(stalled ? &metrics->clients_stalled
				   : &metrics->clients_idle,
		    1);
		conn_die(conn);
	}
}

static void
keep(struct conn *conn)
{
	struct conns *conns = conn->conns;
	int *kept = reallocarray(
	    conns->kept, conns->kept_count + 1, sizeof(*kept));

	if (!kept)
		return; /* the next time, then */
	conns->kept = kept;
	kept[conns->kept_count++] = stream_detach(&conn->stream);
	conn_die(conn);
}

/* Whether something came since the turn began. */
static bool
has_input(struct conn *conn)
{
	char byte;

	return stream_peek(&conn->stream, &byte, 1) > 0;
}

static void
part(struct conn *conn, enum conns_drain how)
{
	int64_t silent_us = gate_now(conn->conns->gate) - conn->heard_us;
	bool whole = conn_is_whole(conn);
	bool keeps = whole && conn_is_kept(conn);

	if (conn->state != CONN_OPEN)
		return;
	if (keeps)
		stream_set_reading(&conn->stream, false);
	if (conn->queue.count > 0 || buf_len(&conn->stream.out) > 0)
		return;
	if (keeps)
		keep(conn);
	else if (whole && silent_us >= QUIET_US && !has_input(conn))
		conn_die(conn);
	else if (how == CONNS_ALL)
		conn_finish(conn);
}

size_t
conns_drain(struct conns *conns, enum conns_drain how)
{
	struct conn *conn;

	conns->keeping |= how == CONNS_KEEP;
	TAILQ_FOREACH (conn, &conns->all, all)
		part(conn, how);
	return conns->count;
}
