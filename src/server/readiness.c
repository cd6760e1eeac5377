#include "server/readiness.h"

#include "server/conn_internal.h"
#include "server/reports.h"

void
readiness_tell(struct conns *conns)
{
	const char *word;
	enum protocol_error error = reports_readiness(&conns->slots, &word);
	struct conn *conn;

	TAILQ_FOREACH (conn, &conns->all, all) {
		const struct protocol *protocol = conn->session.protocol;

		if (conn->state != CONN_OPEN || !protocol ||
		    !protocol->tell_ready)
			continue;
		if (protocol->tell_ready(
			&conn->session, error, &conn->stream.out) == -1)
			conn_die(conn);
		conn_make_due(conn);
	}
}
