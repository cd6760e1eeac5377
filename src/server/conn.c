/*
 * Serves one client: bytes in, requests, responses out.  Invariant: a conn that
 * can go on has its task queued, waits for its socket, or waits for a check.
 * The heart: conn_serve(), conn_read() and conn_handle_requests().
 */
#include "server/conn_internal.h"

#include "base/clock.h"
#include "net/peer_address.h"
#include "protocol/login.h"
#include "server/move.h"
#include "server/serve.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Look at the clock every so many requests of a client. */
#define CLOCK_CHECK 16

void
conn_make_due(struct conn *conn)
{
	if (conn->is_due)
		return;
	conn->is_due = true;
	TAILQ_INSERT_TAIL(&conn->conns->due, conn, due);
}

void
conn_schedule(struct conn *conn)
{
	if (!conn->task.list)
		conn->waits_since_us = gate_now(conn->conns->gate);
	scheduler_add(&conn->conns->scheduler, &conn->task);
}

/* The one writer of the state. */
static void
conn_set_state(struct conn *conn, enum conn_state state)
{
	static const unsigned next[] = {
#define TO(name)      (1u << CONN_##name)
#define X(name, next) [CONN_##name] = next,
	    CONN_STATES(X)
#undef X
#undef TO
	};

	assert(next[conn->state] & (1u << state));
	conn->state = state;
	switch (state) {
	case CONN_OPEN:
		break;
	case CONN_FINISHING:
		stream_set_reading(&conn->stream, false);
		break;
	case CONN_LINGERING:
		stream_shutdown(&conn->stream);
		stream_set_reading(&conn->stream, true);
		conn->last_read_us = gate_now(conn->conns->gate);
		break;
	case CONN_DEAD:
		if (conn->stream.fd != -1)
			stream_set_reading(&conn->stream, false);
		break;
	}
	conn_make_due(conn);
}

void
conn_die(struct conn *conn)
{
	if (conn->state != CONN_DEAD)
		conn_set_state(conn, CONN_DEAD);
}

void
conn_finish(struct conn *conn)
{
	if (conn->state == CONN_OPEN)
		conn_set_state(conn, CONN_FINISHING);
}

/* How many bytes its requests and its responses may take. */
static size_t
conn_room(const struct conn *conn)
{
	size_t stored = conn->session.stored;

	return stored < CONN_HELD_MAX - CONN_HELD_MIN ? CONN_HELD_MAX - stored
						      : CONN_HELD_MIN;
}

/* Whether the next response in order is known, and there is room for it.  What
 * costs more than a decision is longer, too. */
static bool
conn_may_write(const struct conn *conn)
{
	size_t max = conn_room(conn);

	if (!queue_is_ready(&conn->queue) || conn->state == CONN_DEAD)
		return false;
	if (queue_is_expensive(&conn->queue))
		max /= 2;
	return buf_len(&conn->stream.out) < max;
}

/* Whether the client's quantum is used up, or the store has no room, now that
 * ${count} more requests are handled.  Look at that now and then, and after a
 * request that costs more than a decision. */
static void
conn_check_quantum(struct conns *conns, size_t count, bool expensive)
{
	conns->handled += count;
	if (conns->handled < CLOCK_CHECK && !expensive)
		return;
	conns->handled = 0;
	conns->quantum_over |=
	    clock_us() - conns->serving_since_us >= SCHEDULER_QUANTUM_US ||
	    !gate_has_room(conns->gate);
}

/* What is written is an outcome first, for the protocol to frame.  The response
 * that the sessions share is empty between two requests. */
static int
conn_write_framed(struct conn *conn)
{
	struct buf *plain = &conn->conns->sessions.response;
	int result = queue_write(&conn->queue, plain);

	if (result == 0)
		result = conn->session.protocol->frame(&conn->session,
		    buf_data(plain), buf_len(plain), &conn->stream.out);
	buf_consume(plain, buf_len(plain));
	if (conn->session.last)
		conn_finish(conn);
	return result;
}

/* Write the next response in order, or a piece of it. */
static void
conn_write_next(struct conn *conn)
{
	struct buf *out = &conn->stream.out;

	if (!out->bytes)
		rooms_lend(&conn->conns->rooms, out);
	if ((conn->session.protocol->frame
		    ? conn_write_framed(conn)
		    : queue_write(&conn->queue, out)) == -1)
		conn_die(conn);
}

/* Write the responses that are next in order. */
static void
conn_write_responses(struct conn *conn)
{
	struct conns *conns = conn->conns;

	while (conn_may_write(conn) && !conns->quantum_over) {
		bool expensive = queue_is_expensive(&conn->queue);

		conn_write_next(conn);
		if (expensive)
			conn_check_quantum(conns, 0, true);
	}
	conn_make_due(conn);
}

/* A feed goes on until the client sends anything, if only its end, or may not
 * have it any more. */
static bool
conn_wants_feed_to_end(struct conn *conn)
{
	char byte;

	return conn->conns->sessions.draining || conn->ended ||
	       !serve_may_feed(&conn->session, &conn->queue) ||
	       buf_len(&conn->in) > 0 ||
	       stream_peek(&conn->stream, &byte, 1) >= 0 || errno != EAGAIN;
}

void
conn_on_ready(struct queue *queue)
{
	struct conn *conn = CONTAINER_OF(queue, struct conn, queue);

	while (conn_may_write(conn) && !queue_is_expensive(queue))
		conn_write_next(conn);
	if (conn_may_write(conn)) {
		if (queue_is_in_feed(queue) && conn_wants_feed_to_end(conn))
			queue->head->report.ends = true;
		conn_schedule(conn);
	}
	conn_make_due(conn);
}

static bool
conn_may_take_more(const struct conn *conn)
{
	return conn->state == CONN_OPEN && !conn->conns->quantum_over &&
	       !conn->is_leaving && !conn->session.login.pause &&
	       !conn->queue.blocker && !conn->queue.in_pieces &&
	       queue_bytes(&conn->queue) + buf_len(&conn->stream.out) <
		   conn_room(conn);
}

/* The next request of a client that is handed over is for the successor. */
static bool
conn_may_read(const struct conn *conn)
{
	return conn_may_take_more(conn) &&
	       !(conn_is_for_successor(conn) && conn_is_whole(conn));
}

static void
conn_note_incomplete(struct conn *conn)
{
	if (conn->request_since_us == 0)
		conn->request_since_us = gate_now(conn->conns->gate);
}

/* Handle requests as far as they are whole and may be taken.  Return the number
 * of bytes done with. */
static size_t
conn_handle_requests(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = 0;

	conn->asked = 0;
	while ((used < len || session_has_queued(&conn->session)) &&
	       conn_may_take_more(conn)) {
		size_t step, count = conn->queue.count;
		enum serve_result result = serve_next(&conn->session,
		    &conn->queue, bytes + used, len - used, &step);

		used += step;
		count = conn->queue.count - count;
		conn->asked += count;
		if (result != SERVE_MORE || count > 0)
			conn->request_since_us = 0;
		if (conn->counted != conn->session.protocol)
			conn_count_protocol(conn, conn->session.protocol);
		if (result == SERVE_FAILED)
			conn_die(conn);
		else if (conn->session.last)
			conn_finish(conn);
		if (conn_may_write(conn))
			conn_write_responses(conn);
		conn_check_quantum(
		    conn->conns, count, result == SERVED_EXPENSIVE);
		if (result == SERVE_MORE) {
			conn_note_incomplete(conn);
			break;
		}
	}
	return used;
}

/* Handle whole requests, and store the remaining bytes. */
static void
conn_take_bytes(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = conn_handle_requests(conn, bytes, len);
	struct buf rest = {0};

	if (used < len && conn->state == CONN_OPEN &&
	    buf_add(&rest, bytes + used, len - used) == -1)
		conn_die(conn);
	buf_free(&conn->in);
	conn->in = rest;
	conn->deferred = conn->state == CONN_OPEN && !conn_may_read(conn);
	if (conn->deferred)
		stream_set_reading(&conn->stream, false);
}

static void
conn_on_end(struct conn *conn)
{
	conn->ended = true;
	queue_stop_waiting(&conn->queue);
	if (buf_len(&conn->in) > 0 && conn->state == CONN_OPEN) {
		if (serve_cut(&conn->session, &conn->queue) == -1)
			conn_die(conn);
		conn_write_responses(conn);
	}
	if (conn->state == CONN_LINGERING)
		conn_die(conn);
	conn_finish(conn);
}

void
conn_end_late(struct conn *conn)
{
	if (conn->state != CONN_OPEN || conn->shakes_hands ||
	    serve_late(&conn->session, &conn->queue) == -1) {
		conn_die(conn);
		return;
	}
	conn_write_responses(conn);
	conn_finish(conn);
}

/* Read bytes to ${to}, behind the ${held} ones there; from a client that will
 * be handed over, only up to the end of a request. */
static ssize_t
conn_receive(struct conn *conn, char *to, size_t held)
{
	size_t len = CONN_READ_LEN;

	if (conn_is_for_successor(conn) && conn->state == CONN_OPEN) {
		ssize_t waiting = stream_peek(&conn->stream, to + held, len);

		if (waiting <= 0)
			return waiting;
		len = session_first_len(
			  &conn->session, to, held + (size_t)waiting) -
		      held;
	}
	return stream_read(&conn->stream, to + held, len);
}

/* Tell the session whom the connection is from, once its handshake is over. */
static void
conn_introduce(struct conn *conn)
{
	char cert[USER_CERT_MAX + 1] = "";
	uid_t uid;
	bool has_uid = peer_uid(conn->stream.fd, &uid);

	if (conn->stream.tls)
		tls_peer_name(conn->stream.tls, cert, sizeof(cert));
	login_introduce(&conn->session, has_uid ? &uid : NULL, cert);
}

static void
conn_read(struct conn *conn)
{
	char *scratch = conn->conns->scratch;
	size_t held = conn->state == CONN_OPEN ? buf_len(&conn->in) : 0;
	ssize_t len;

	conn->readable = false;
	stream_set_reading(&conn->stream, true);
	assert(held <= PROTOCOL_HELD_MAX);
	if (held > 0)
		memcpy(scratch, buf_data(&conn->in), held);
	len = conn_receive(conn, scratch, held);
	if (conn->shakes_hands && tls_is_ready(conn->stream.tls)) {
		conn->shakes_hands = false;
		conn->request_since_us = 0;
	}
	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	gate_note_read(conn->conns->gate);
	if (len == -1) {
		conn_die(conn);
	} else if (len == 0) {
		conn_on_end(conn);
	} else if (conn->state == CONN_OPEN) {
		counter_add(
		    &conn->conns->gate->counters->received_bytes, (size_t)len);
		conn->last_read_us = gate_now(conn->conns->gate);
		if (login_is_new(&conn->session))
			conn_introduce(conn);
		conn_take_bytes(conn, scratch, held + (size_t)len);
	}
}

/* Stop watching the socket until the client's turn, so that the loop does not
 * call back for it again and again. */
static void
conn_on_readable(void *arg)
{
	struct conn *conn = arg;

	if (conn->readable)
		stream_set_reading(&conn->stream, false);
	conn->readable = true;
	conn_schedule(conn);
}

static void
conn_on_writable(void *arg)
{
	conn_make_due(arg);
}

void
conn_join(struct conn *conn, struct conns *conns, int fd)
{
	static const struct stream_events events = {
	    conn_on_readable, conn_on_writable};

	conn->conns = conns;
	stream_open(&conn->stream, conns->loop, fd, &events, conn);
	TAILQ_INSERT_TAIL(&conns->all, conn, all);
	conns->count++;
}

void
conn_leave(struct conn *conn)
{
	struct conns *conns = conn->conns;

	if (conn->is_due)
		TAILQ_REMOVE(&conns->due, conn, due);
	conn->is_due = false;
	gather_end(conn);
	scheduler_remove(&conns->scheduler, &conn->task);
	TAILQ_REMOVE(&conns->all, conn, all);
	conns->count--;
	conns->leaving -= conn->is_leaving;
}

/* Go on with requests that were read but had to wait. */
static void
conn_resume(struct conn *conn)
{
	struct buf in = conn->in;

	conn->in = (struct buf){0};
	stream_set_reading(&conn->stream, true);
	conn->last_read_us = gate_now(conn->conns->gate);
	/* There may be no bytes, only requests that the protocol has queued. */
	conn_take_bytes(
	    conn, buf_len(&in) > 0 ? buf_data(&in) : "", buf_len(&in));
	buf_free(&in);
}

/* Whether to read from it now, requests or bytes to be dropped. */
static bool
conn_wants_input(const struct conn *conn)
{
	return conn_may_read(conn) || conn->state == CONN_LINGERING;
}

void
conn_serve(struct conn *conn)
{
	conn_write_responses(conn);
	if (!conn_wants_input(conn))
		return;
	if (conn->deferred)
		conn_resume(conn);
	else if (conn->readable)
		conn_read(conn);
}

bool
conn_can_go_on(const struct conn *conn)
{
	return conn_may_write(conn) ||
	       ((conn->deferred || conn->readable) && conn_wants_input(conn));
}

void
conn_flush(struct conn *conn)
{
	uint64_t sent = conn->stream.sent;
	int result;

	if (conn->state == CONN_DEAD)
		return;
	result = stream_flush(&conn->stream);
	counter_add(
	    &conn->conns->gate->counters->sent_bytes, conn->stream.sent - sent);
	if (buf_len(&conn->stream.out) == 0 && conn->stream.out.bytes)
		rooms_take_back(&conn->conns->rooms, &conn->stream.out);
	if (result == -1)
		conn_die(conn);
	else if (conn->state == CONN_FINISHING && conn->queue.count == 0 &&
		 buf_len(&conn->stream.out) == 0)
		conn_set_state(conn, conn->ended ? CONN_DEAD : CONN_LINGERING);
}

bool
conn_move(struct conn *conn)
{
	struct conns *conns = conn->conns;

	return move_is_due(conn) && conns->hand(conn, conns->hand_arg);
}
