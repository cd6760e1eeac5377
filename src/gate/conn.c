#include "gate/client.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Requests are handled for so long in one turn of the loop: then timers, Redis
 * and other clients have theirs. */
#define TURN_US INT64_C(2000)

/* The clock is looked at every so many requests. */
#define TURN_CHECK 8

static void
make_due(struct conn *conn)
{
	if (conn->is_due)
		return;
	conn->is_due = true;
	TAILQ_INSERT_TAIL(&conn->conns->due, conn, due);
}

/* The one writer of the state. */
static void
set_state(struct conn *conn, enum conn_state state)
{
	assert(state > conn->state);
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
		conn->heard_us = gate_now(conn->conns->gate);
		break;
	case CONN_DEAD:
		if (conn->stream.fd != -1)
			stream_set_reading(&conn->stream, false);
		break;
	}
	make_due(conn);
}

void
conn_die(struct conn *conn)
{
	if (conn->state != CONN_DEAD)
		set_state(conn, CONN_DEAD);
}

void
conn_finish(struct conn *conn)
{
	if (conn->state == CONN_OPEN)
		set_state(conn, CONN_FINISHING);
}

/* Whether the next answer in order is known, and there is room for it. */
static bool
may_write(const struct conn *conn)
{
	return queue_is_ready(&conn->queue) && conn->state != CONN_DEAD &&
	       buf_len(&conn->stream.out) < CONN_UNSENT_MAX;
}

/* Write the answers that are next in order. */
static void
write_answers(struct conn *conn)
{
	while (may_write(conn))
		if (queue_write(&conn->queue, &conn->stream.out) == -1)
			conn_die(conn);
	make_due(conn);
}

static void
on_ready(struct queue *queue)
{
	write_answers(CONTAINER_OF(queue, struct conn, queue));
}

/* Whether this turn of the loop has had its share of requests is looked at now
 * and then, and at those that cost more than a decision. */
static void
check_turn(struct conns *conns, bool costly)
{
	int64_t now_us;

	if (++conns->handled % TURN_CHECK != 0 && !costly)
		return;
	now_us = clock_us();
	if (conns->busy_since_us == 0)
		conns->busy_since_us = now_us;
	if (now_us - conns->busy_since_us < TURN_US)
		return;
	conns->turn_over = true;
	event_base_loopbreak(conns->base);
}

static void
start_turn(struct conns *conns)
{
	conns->busy_since_us = 0;
	conns->turn_over = false;
}

static bool
may_take_more(const struct conn *conn)
{
	return conn->state == CONN_OPEN && !conn->conns->turn_over &&
	       conn->queue.count < CONN_UNANSWERED_MAX &&
	       buf_len(&conn->stream.out) < CONN_UNSENT_MAX;
}

/* The next request of a client that is to be kept is for a successor. */
static bool
may_read(const struct conn *conn)
{
	return may_take_more(conn) &&
	       !(conn_is_kept(conn) && conn_is_whole(conn));
}

/* Handle requests as far as they are whole and may be taken.  Return the number
 * of bytes done with. */
static size_t
handle_requests(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = 0;

	while (used < len && may_take_more(conn)) {
		size_t step;
		enum talk_result result =
		    talk_take(&conn->talk, bytes + used, len - used, &step);

		used += step;
		if (result == TALK_MORE)
			break;
		conn->line_us = 0;
		if (result == TALK_CLOSE)
			conn_finish(conn);
		else if (result == TALK_FAILED)
			conn_die(conn);
		if (may_write(conn))
			write_answers(conn);
		check_turn(conn->conns, conn->talk.costly);
	}
	return used;
}

/* Handle what there is, keep what is left for later. */
static void
take_bytes(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = handle_requests(conn, bytes, len);
	struct buf rest = {0};

	if (used < len && conn->state == CONN_OPEN &&
	    buf_add(&rest, bytes + used, len - used) == -1)
		conn_die(conn);
	buf_free(&conn->in);
	conn->in = rest;
	if (used == len && talk_is_whole(&conn->talk))
		conn->line_us = 0;
	else if (conn->line_us == 0)
		conn->line_us = gate_now(conn->conns->gate);
	stream_set_reading(
	    &conn->stream, may_read(conn) || conn->state == CONN_LINGERING);
}

static void
on_end(struct conn *conn)
{
	conn->ended = true;
	if (buf_len(&conn->in) > 0 && conn->state == CONN_OPEN) {
		if (talk_cut(&conn->talk) == -1)
			conn_die(conn);
		write_answers(conn);
	}
	if (conn->state == CONN_LINGERING)
		conn_die(conn);
	conn_finish(conn);
}

/* Read what there is behind the ${held} bytes at ${to}; of a client that is to
 * be kept, only up to the end of a request. */
static ssize_t
receive(struct conn *conn, char *to, size_t held)
{
	size_t len = CONN_READ_LEN;

	if (conn_is_kept(conn) && conn->state == CONN_OPEN) {
		ssize_t waiting = stream_peek(&conn->stream, to + held, len);

		if (waiting <= 0)
			return waiting;
		len = talk_first_len(
			  &conn->talk, to, held + (size_t)waiting) - held;
	}
	return stream_read(&conn->stream, to + held, len);
}

static void
on_readable(void *arg)
{
	struct conn *conn = arg;
	char *scratch = conn->conns->scratch;
	size_t held = conn->state == CONN_OPEN ? buf_len(&conn->in) : 0;
	ssize_t len;

	assert(held <= TALK_HELD_MAX);
	if (held > 0)
		memcpy(scratch, buf_head(&conn->in), held);
	len = receive(conn, scratch, held);
	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	gate_heard(conn->conns->gate);
	make_due(conn);
	if (len == -1) {
		conn_die(conn);
	} else if (len == 0) {
		on_end(conn);
	} else if (conn->state == CONN_OPEN) {
		conn->heard_us = gate_now(conn->conns->gate);
		take_bytes(conn, scratch, held + (size_t)len);
	}
}

static void
on_writable(void *arg)
{
	make_due(arg);
}

int
conns_init(struct conns *conns, struct event_base *base, struct gate *gate)
{
	*conns = (struct conns){
	    .base = base, .gate = gate, .queues.gate = gate};
	TAILQ_INIT(&conns->all);
	TAILQ_INIT(&conns->due);
	conns->scratch = malloc(TALK_HELD_MAX + CONN_READ_LEN);
	return conns->scratch ? 0 : -1;
}

void
conn_open(struct conns *conns, int fd)
{
	static const struct stream_events events = {on_readable, on_writable};
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		atomic_fetch_sub(&conns->gate->shared->clients, 1);
		return;
	}
	conn->conns = conns;
	conn->heard_us = conn->progress_us = gate_now(conns->gate);
	queue_init(&conn->queue, &conns->queues, on_ready);
	talk_start(&conn->talk, &conns->room, &conn->queue,
	    atomic_fetch_add(&conns->gate->shared->client_id, 1) + 1);
	stream_open(&conn->stream, conns->base, fd, &events, conn);
	TAILQ_INSERT_TAIL(&conns->all, conn, all);
	conns->count++;
	metric_add(&conns->gate->metrics->connections, 1);
}

/* Requests under way are orphaned: their answers will be dropped. */
static void
conn_free(struct conn *conn)
{
	struct conns *conns = conn->conns;

	queue_clear(&conn->queue);
	stream_close(&conn->stream);
	buf_free(&conn->in);
	if (conn->is_due)
		TAILQ_REMOVE(&conns->due, conn, due);
	TAILQ_REMOVE(&conns->all, conn, all);
	conns->count--;
	atomic_fetch_sub(&conns->gate->shared->clients, 1);
	free(conn);
}

/* Take up the answers and requests of a client that had to wait. */
static void
resume(struct conn *conn)
{
	struct buf in = conn->in;

	write_answers(conn);
	if (conn->state != CONN_OPEN || conn->stream.reading ||
	    !may_read(conn))
		return;
	conn->in = (struct buf){0};
	take_bytes(conn, buf_head(&in), buf_len(&in));
	buf_free(&in);
}

void
conns_resume(struct conns *conns)
{
	struct conn *conn;

	start_turn(conns);
	TAILQ_FOREACH (conn, &conns->due, due)
		resume(conn);
}

static void
flush(struct conn *conn)
{
	if (conn->state == CONN_DEAD)
		return;
	if (stream_flush(&conn->stream) == -1)
		conn_die(conn);
	else if (conn->state == CONN_FINISHING && conn->queue.count == 0 &&
		 buf_len(&conn->stream.out) == 0)
		set_state(conn, conn->ended ? CONN_DEAD : CONN_LINGERING);
}

bool
conns_flush(struct conns *conns)
{
	struct conn_list due = TAILQ_HEAD_INITIALIZER(due);
	struct conn *conn;

	start_turn(conns);
	TAILQ_CONCAT(&due, &conns->due, due);
	while ((conn = TAILQ_FIRST(&due))) {
		flush(conn);
		TAILQ_REMOVE(&due, conn, due);
		conn->is_due = false;
		if (conn->state == CONN_DEAD)
			conn_free(conn);
		else if (may_write(conn) ||
			 (!conn->stream.reading && may_read(conn)))
			make_due(conn);
	}
	return !TAILQ_EMPTY(&conns->due);
}

void
conns_clear(struct conns *conns)
{
	while (!TAILQ_EMPTY(&conns->all))
		conn_free(TAILQ_FIRST(&conns->all));
	slot_cache_clear(&conns->queues);
	talk_room_clear(&conns->room);
	for (size_t i = 0; i < conns->kept_count; i++)
		close(conns->kept[i]);
	free(conns->kept);
	free(conns->scratch);
}
