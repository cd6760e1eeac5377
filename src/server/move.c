#include "server/move.h"

#include "server/conn_internal.h"

#include <stdlib.h>
#include <unistd.h>

static int64_t
move_served_us(const struct conn *conn)
{
	return conn->period == conn->conns->period ? conn->served_us : 0;
}

void
move_start_period(struct conns *conns)
{
	conns->period++;
	conns->served_us = 0;
}

void
move_note_served(struct conn *conn, int64_t served_us)
{
	conn->served_us = move_served_us(conn) + served_us;
	conn->period = conn->conns->period;
	conn->conns->served_us += served_us;
}

/* A client with up to one and a half times the load that is to go still evens
 * the loads. */
static bool
move_fits(const struct conn *conn, int64_t part_us)
{
	int64_t served_us = move_served_us(conn);

	return conn->state == CONN_OPEN && served_us > 0 &&
	       served_us <= part_us + part_us / 2 &&
	       buf_len(&conn->stream.out) == 0;
}

void
move_begin(struct conns *conns, int64_t part_us)
{
	struct conn *conn;

	TAILQ_FOREACH (conn, &conns->all, all) {
		if (!move_fits(conn, part_us))
			continue;
		part_us -= move_served_us(conn);
		conn->is_leaving = true;
		conns->leaving++;
		conn_make_due(conn);
	}
}

static void
move_stay(struct conn *conn)
{
	if (!conn->is_leaving)
		return;
	conn->is_leaving = false;
	conn->conns->leaving--;
	conn_make_due(conn);
}

void
move_end(struct conns *conns)
{
	struct conn *conn;

	if (conns->leaving == 0)
		return;
	TAILQ_FOREACH (conn, &conns->all, all)
		move_stay(conn);
}

bool
move_is_due(const struct conn *conn)
{
	return conn->is_leaving && conn->state == CONN_OPEN &&
	       conn->queue.count == 0 && buf_len(&conn->stream.out) == 0;
}

void
move_take(struct conn *conn, struct conn_list *moved)
{
	conn->moved_tls = stream_take_tls(&conn->stream);
	conn->moved_fd = stream_detach(&conn->stream);
	conn_leave(conn);
	conn->is_leaving = false;
	conn->conns = NULL;
	TAILQ_INSERT_TAIL(moved, conn, all);
}

static void
move_settle(struct conn *conn, struct conns *conns)
{
	conn->readable = false;
	conn->period = conns->period - 1;
	conn->queue.cache = &conns->slots;
	conn->session.common = &conns->sessions;
	conn_join(conn, conns, conn->moved_fd);
	stream_set_tls(&conn->stream, conn->moved_tls);
	if (conn->deferred)
		stream_set_reading(&conn->stream, false);
	conn_make_due(conn);
}

void
move_give(struct conn_list *moved, struct conns *conns)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(moved))) {
		TAILQ_REMOVE(moved, conn, all);
		move_settle(conn, conns);
		counter_add(&conns->gate->counters->clients_moved, 1);
	}
}

void
move_drop(struct conn_list *moved)
{
	struct conn *conn;

	while ((conn = TAILQ_FIRST(moved))) {
		TAILQ_REMOVE(moved, conn, all);
		tls_free(conn->moved_tls);
		close(conn->moved_fd);
		session_end(&conn->session);
		buf_free(&conn->in);
		free(conn);
	}
}
