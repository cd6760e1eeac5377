#include "gate/conn.h"

#include "base/clock.h"
#include "net/stream.h"
#include "wire/line.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A client that takes nothing of what waits for it is closed after this. */
#define STALLED_US INT64_C(10000000)

/* How long the end of the other side is waited for after our own. */
#define LINGER_US INT64_C(2000000)

/* Requests are handled for so long in one turn of the loop: then timers, Redis
 * and other clients have theirs. */
#define TURN_US INT64_C(2000)

/* The clock is looked at every so many requests. */
#define TURN_CHECK 8

/* While draining, a client that says nothing for so long is done. */
#define QUIET_US INT64_C(100000)

/*
 *   OPEN --QUIT, HTTP, end of input--> FINISHING --all sent--> LINGERING --> DEAD
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
	struct line_reader reader;
	enum conn_state state;
	bool is_due;
	bool ended;                 /* the client will send no more */

	struct queue queue;         /* requests not yet answered to */

	int64_t heard_us;           /* when bytes last came */
	int64_t line_us;            /* since when a line is incomplete, or 0 */
	uint64_t progress;          /* bytes sent when last looked at */
	int64_t progress_us;        /* since when no more were */
};

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

static void
die(struct conn *conn)
{
	if (conn->state != CONN_DEAD)
		set_state(conn, CONN_DEAD);
}

static void
finish(struct conn *conn)
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
			die(conn);
	make_due(conn);
}

static void
on_ready(struct queue *queue)
{
	write_answers(CONTAINER_OF(queue, struct conn, queue));
}

static void
handle_request(struct conn *conn, const struct request *request)
{
	if (request->verb == VERB_QUIT)
		finish(conn);
	else if (queue_add(&conn->queue, request) == -1)
		die(conn);
}

static void
handle_error(struct conn *conn, enum line_error error)
{
	metric_add(&conn->conns->gate->metrics->bad_lines, 1);
	if (queue_add_error(&conn->queue, error) == -1)
		die(conn);
	else if (error == LINE_ERR_HTTP)
		finish(conn);
}

/* Whether this turn of the loop has had its share of requests is looked at now
 * and then, and at those that cost more than a decision. */
static void
check_turn(struct conns *conns, enum verb verb)
{
	int64_t now_us;

	if (++conns->handled % TURN_CHECK != 0 && verb <= VERB_RESET)
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

/* Whether all that was read of it is handled: it is between two requests. */
static bool
is_whole(const struct conn *conn)
{
	return buf_len(&conn->in) == 0 && !conn->reader.skipping;
}

/* The next request of a client that is to be kept is for a successor. */
static bool
may_read(const struct conn *conn)
{
	return may_take_more(conn) &&
	       !(conn->conns->keeping && is_whole(conn));
}

/* Handle requests as far as they are whole and may be taken.  Return the number
 * of bytes done with. */
static size_t
handle_lines(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = 0;

	while (used < len && may_take_more(conn)) {
		struct request request;
		enum line_error error;
		size_t step;
		enum line_result result = line_read(&conn->reader, bytes + used,
		    len - used, &step, &request, &error);

		used += step;
		if (result == LINE_MORE)
			break;
		conn->line_us = 0;
		if (result == LINE_REQUEST)
			handle_request(conn, &request);
		else
			handle_error(conn, error);
		if (may_write(conn))
			write_answers(conn);
		check_turn(conn->conns,
		    result == LINE_REQUEST ? request.verb : VERB_CONSUME);
	}
	return used;
}

/* Handle what there is, keep what is left for later. */
static void
take_bytes(struct conn *conn, const char *bytes, size_t len)
{
	size_t used = handle_lines(conn, bytes, len);
	struct buf rest = {0};

	if (used < len && conn->state == CONN_OPEN &&
	    buf_add(&rest, bytes + used, len - used) == -1)
		die(conn);
	buf_free(&conn->in);
	conn->in = rest;
	if (used == len && !conn->reader.skipping)
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
		handle_error(conn, LINE_ERR_INCOMPLETE);
		write_answers(conn);
	}
	if (conn->state == CONN_LINGERING)
		die(conn);
	finish(conn);
}

/* Read what there is; of a client that is to be kept, one line at the most. */
static ssize_t
receive(struct conn *conn, char *to)
{
	size_t len = CONN_READ_LEN;

	if (conn->conns->keeping && conn->state == CONN_OPEN) {
		ssize_t waiting = stream_peek(&conn->stream, to, len);
		const char *end;

		if (waiting <= 0)
			return waiting;
		end = memchr(to, '\n', (size_t)waiting);
		len = end ? (size_t)(end + 1 - to) : (size_t)waiting;
	}
	return stream_read(&conn->stream, to, len);
}

static void
on_readable(void *arg)
{
	struct conn *conn = arg;
	char *scratch = conn->conns->scratch;
	size_t held = buf_len(&conn->in);
	ssize_t len;

	assert(held <= CONN_UNSENT_MAX);
	len = receive(conn, scratch + held);
	if (len == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	make_due(conn);
	if (len == -1) {
		die(conn);
	} else if (len == 0) {
		on_end(conn);
	} else if (conn->state == CONN_OPEN) {
		conn->heard_us = gate_now(conn->conns->gate);
		if (held > 0)
			memcpy(scratch, buf_head(&conn->in), held);
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
	conns->scratch = malloc(CONN_UNSENT_MAX + CONN_READ_LEN);
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
	conn->heard_us = gate_now(conns->gate);
	queue_init(&conn->queue, &conns->queues, on_ready);
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
		die(conn);
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
		die(conn);
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
	die(conn);
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
	bool whole = is_whole(conn);
	bool keeps = whole && conn->conns->keeping;

	if (conn->state != CONN_OPEN)
		return;
	if (keeps)
		stream_set_reading(&conn->stream, false);
	if (conn->queue.count > 0 || buf_len(&conn->stream.out) > 0)
		return;
	if (keeps)
		keep(conn);
	else if (whole && silent_us >= QUIET_US && !has_input(conn))
		die(conn);
	else if (how == CONNS_ALL)
		finish(conn);
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

void
conns_clear(struct conns *conns)
{
	while (!TAILQ_EMPTY(&conns->all))
		conn_free(TAILQ_FIRST(&conns->all));
	slot_cache_clear(&conns->queues);
	for (size_t i = 0; i < conns->kept_count; i++)
		close(conns->kept[i]);
	free(conns->kept);
	free(conns->scratch);
}
