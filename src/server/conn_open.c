/*
 * Opens and frees a client.  Invariant: each that is open is counted once, and
 * once more under its protocol when that is known.
 */
#include "server/conn_internal.h"

#include "net/peer_address.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void
conn_count_protocol(struct conn *conn, const struct protocol *protocol)
{
	_Atomic size_t *counts = conn->conns->clients->by_protocol;

	if (conn->counted)
		counts[protocol_number(conn->counted)]--;
	if (protocol)
		counts[protocol_number(protocol)]++;
	conn->counted = protocol;
}

static bool
conn_is_local(int fd)
{
	struct sockaddr address = {0};
	socklen_t len = sizeof(address);

	return getsockname(fd, &address, &len) == 0 &&
	       address.sa_family == AF_UNIX;
}

_Static_assert(sizeof(((struct gateway_options *)0)->tls) ==
		   OFFER_COUNT * sizeof(struct tls_context *),
    "each offer has its TLS, or none");

/* Encrypt it, if what it came by is.  Return 0, or -1: out of memory. */
static int
conn_start_tls(struct conn *conn, enum offer offer)
{
	struct tls_context *context =
	    conn->conns->gate->gateway->options->tls[offer];
	struct tls *tls;

	if (!context || conn_is_local(conn->stream.fd))
		return 0;
	tls = tls_accept(context, conn->stream.fd);
	stream_set_tls(&conn->stream, tls);
	conn->shakes_hands = true;
	conn->request_since_us = conn->last_read_us;
	return tls ? 0 : -1;
}

void
conn_open(struct conns *conns, int fd, enum offer offer)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		conns->clients->count--;
		return;
	}
	conn->last_read_us = conn->progress_us = gate_now(conns->gate);
	queue_init(&conn->queue, &conns->slots, conn_on_ready);
	session_start(
	    &conn->session, &conns->sessions, ++conns->clients->last_id, offer);
	conn->session.peer = peer_address(fd);
	conn_join(conn, conns, fd);
	if (conn_start_tls(conn, offer) == -1)
		conn_die(conn);
	counter_add(&conns->gate->counters->connections, 1);
}

void
conn_free(struct conn *conn)
{
	struct conns *conns = conn->conns;

	queue_clear(&conn->queue);
	conn_count_protocol(conn, NULL);
	session_end(&conn->session);
	stream_close(&conn->stream);
	buf_free(&conn->in);
	conn_leave(conn);
	conns->clients->count--;
	free(conn);
}
