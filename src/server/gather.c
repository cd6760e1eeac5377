#include "server/gather.h"

#include "base/clock.h"
#include "server/conn_internal.h"

/* Send what is longer at once: it fills packets by itself. */
#define GATHER_BYTES_MAX 16384

/* For how long the lists are, in microseconds. */
static const int64_t gather_times_us[GATHER_LISTS] = {
    256, 384, 512, 768, 1024, 1536, 2048, 3072};

/* It is there to have the loop turn. */
static void
gather_on_timer(void *arg)
{
	struct gather *gather = arg;

	gather->set_us = 0;
}

int
gather_open(struct gather *gather, struct loop *loop)
{
	for (size_t i = 0; i < GATHER_LISTS; i++)
		TAILQ_INIT(&gather->lists[i]);
	return exact_timer_open(&gather->timer, loop, gather_on_timer, gather);
}

void
gather_close(struct gather *gather)
{
	exact_timer_close(&gather->timer);
}

/* Not for a client that sends its requests one by one: often several share a
 * connection, and none of them need wait for what another one asked.  Nor what
 * the last send has left: once the socket has room for it, the loop calls back
 * in each turn until it is sent. */
static bool
gather_is_worthwhile(const struct conn *conn)
{
	size_t len = buf_len(&conn->stream.out);

	return conn->conns->gate->store->has_places &&
	       conn->state == CONN_OPEN && conn->asked > 1 && len > 0 &&
	       len < GATHER_BYTES_MAX && !conn->stream.writing &&
	       conn->queue.head && conn->queue.head->check.state == CHECK_ASKED;
}

/* The list of the longest time that is no longer than the client's newest
 * request has taken; NULL: none is. */
static struct gather_list *
gather_choose(struct gather *gather, int64_t taken_us)
{
	size_t i = 0;

	while (i < GATHER_LISTS && gather_times_us[i] <= taken_us)
		i++;
	return i > 0 ? &gather->lists[i - 1] : NULL;
}

static bool
gather_begin(struct conn *conn)
{
	struct gather *gather = &conn->conns->gather;
	struct gathered *gathered = &conn->gathered;
	int64_t now_us = gate_now(conn->conns->gate);

	gathered->list = gather_choose(gather, now_us - conn->last_read_us);
	if (!gathered->list)
		return false;
	gathered->until_us =
	    now_us + gather_times_us[gathered->list - gather->lists];
	TAILQ_INSERT_TAIL(gathered->list, conn, gathered.entry);
	return true;
}

bool
gather_hold(struct conn *conn)
{
	const struct gathered *gathered = &conn->gathered;

	if (gather_is_worthwhile(conn)) {
		if (!gathered->list)
			return gather_begin(conn);
		if (gate_now(conn->conns->gate) < gathered->until_us)
			return true;
	}
	gather_end(conn);
	return false;
}

void
gather_end(struct conn *conn)
{
	if (conn->gathered.list)
		TAILQ_REMOVE(conn->gathered.list, conn, gathered.entry);
	conn->gathered.list = NULL;
}

void
gather_release(struct conns *conns)
{
	for (size_t i = 0; i < GATHER_LISTS; i++) {
		struct conn *conn;

		TAILQ_FOREACH (conn, &conns->gather.lists[i], gathered.entry) {
			if (conn->gathered.until_us > gate_now(conns->gate))
				break;
			conn_make_due(conn);
		}
	}
}

void
gather_set_timer(struct conns *conns)
{
	struct gather *gather = &conns->gather;
	int64_t first_us = INT64_MAX;

	for (size_t i = 0; i < GATHER_LISTS; i++) {
		const struct conn *conn = TAILQ_FIRST(&gather->lists[i]);

		if (conn && conn->gathered.until_us < first_us)
			first_us = conn->gathered.until_us;
	}
	if (first_us == INT64_MAX ||
	    (gather->set_us && gather->set_us <= first_us))
		return;
	exact_timer_set(&gather->timer, first_us - clock_us());
	gather->set_us = first_us;
}
