/*
 * Closes clients by what they fail to do.  Invariant: what the worker has not
 * got to yet, because it was busy or the machine halted, is not what a client
 * failed to do.  So before one is closed, its socket is asked.
 */
#include "server/timeouts.h"

#include "server/conn_internal.h"

/* Close a client that has read nothing of its responses for this long. */
#define STALLED_US INT64_C(10000000)

/* How long a client may take to close its side after ours. */
#define LINGER_US INT64_C(2000000)

/* Whether it reads nothing of its responses. */
static bool
timeouts_is_stalled(struct conn *conn, int64_t now_us)
{
	if (buf_len(&conn->stream.out) == 0 ||
	    conn->stream.sent != conn->progress) {
		conn->progress = conn->stream.sent;
		conn->progress_us = now_us;
	}
	return now_us - conn->progress_us >= STALLED_US &&
	       !stream_can_send(&conn->stream);
}

/* Whether it has something to do, or waits for it. */
static bool
timeouts_is_busy(const struct conn *conn)
{
	return conn->task.list || conn->queue.count > 0 ||
	       buf_len(&conn->stream.out) > 0;
}

/* Whether it does not end what it says.  What it has sent may be the end, but
 * not if it was read after that time, too. */
static bool
timeouts_is_late(const struct conn *conn, int64_t now_us)
{
	int64_t until_us = conn->request_since_us +
			   conn->conns->gate->gateway->options->line_timeout_us;

	return conn->state != CONN_LINGERING && !timeouts_is_busy(conn) &&
	       conn->request_since_us && now_us >= until_us &&
	       (conn->last_read_us >= until_us ||
		   !stream_has_input(&conn->stream));
}

/* Whether it sends nothing.  A client that waits for its turn has sent
 * something. */
static bool
timeouts_is_idle(const struct conn *conn, int64_t now_us)
{
	const struct gateway_options *options =
	    conn->conns->gate->gateway->options;
	int64_t silent_us = now_us - conn->last_read_us;

	if (conn->state == CONN_LINGERING)
		return silent_us >= LINGER_US;
	return !timeouts_is_busy(conn) && options->idle_timeout_us &&
	       silent_us >= options->idle_timeout_us &&
	       !stream_has_input(&conn->stream);
}

/* A client that may not be read for some seconds, after a wrong secret. */
static void
timeouts_end_pause(struct conn *conn)
{
	if (conn->session.login.pause > 0 && --conn->session.login.pause == 0)
		conn_schedule(conn);
}

/* One that has sent more than is read may wait for long, and would not be
 * missed if it went. */
static void
timeouts_miss(struct conn *conn)
{
	if (!conn->stream.reading && conn->queue.count > 0 &&
	    stream_is_ended(&conn->stream))
		queue_stop_waiting(&conn->queue);
}

void
timeouts_check(struct conns *conns)
{
	struct counters *counters = conns->gate->counters;
	int64_t now_us = gate_now(conns->gate);
	struct conn *conn;

	TAILQ_FOREACH (conn, &conns->all, all) {
		bool stalled = timeouts_is_stalled(conn, now_us);
		bool late = timeouts_is_late(conn, now_us);

		timeouts_end_pause(conn);
		timeouts_miss(conn);
		if (!stalled && !late && !timeouts_is_idle(conn, now_us))
			continue;
		/* One that lingers has had its end counted. */
		if (stalled || conn->state != CONN_LINGERING)
			counter_add(stalled ? &counters->clients_stalled
					    : &counters->clients_idle,
			    1);
		if (late && !stalled)
			conn_end_late(conn);
		else
			conn_die(conn);
	}
}
