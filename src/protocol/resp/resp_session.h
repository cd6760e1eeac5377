/**
 * resp_session: what RESP remembers of a client, in its session's room.
 */
#ifndef PROTOCOL_RESP_RESP_SESSION_H
#define PROTOCOL_RESP_RESP_SESSION_H

#include "protocol/resp/resp.h"
#include "protocol/session.h"

#include <stdbool.h>

struct resp_multi;

struct resp_session {
	struct resp_reader reader;
	struct resp_multi *multi; /* a transaction; NULL: none */
	bool resp3;               /* the client said HELLO 3 */
};

static inline struct resp_session *
resp_session_of(struct session *session)
{
	return (void *)session->state;
}

/** The version of the protocol that the client speaks: 2 or 3. */
static inline int
resp_version(const struct session *session)
{
	const struct resp_session *state = (const void *)session->state;

	return state->resp3 ? 3 : 2;
}

#endif
