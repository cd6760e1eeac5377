/**
 * http_session: what HTTP remembers of a client, in its session's room.
 */
#ifndef PROTOCOL_HTTP_HTTP_SESSION_H
#define PROTOCOL_HTTP_HTTP_SESSION_H

#include "protocol/http/http_reader.h"
#include "protocol/session.h"

#include <stdbool.h>

/** A request whose head was read, and is fine. */
struct http_opened {
	int path; /* its row */
	unsigned encoding;
	enum http_type type;
};

/** Such a request, while its body comes or its elements are read. */
struct http_stored {
	struct http_opened opened;
	struct buf bytes; /* its query and its body; or its elements */
	size_t query_len;
	unsigned left; /* elements; 0: the body is still to come */
	bool begun;    /* the first element was read */
};

struct http_session {
	struct http_reader reader;
	struct http_stored *stored; /* NULL: none */
};

static inline struct http_session *
http_session_of(struct session *session)
{
	return (void *)session->state;
}

/** Store a request with its query, in place of any other, with ${room} for its
 * body.  Return 0, or -1 (out of memory). */
int http_session_store(struct session *session,
    const struct http_opened *opened, const char *query, size_t len,
    size_t room) MUST_USE;

/** Store bytes of its body behind it.  Return 0, or -1 (out of memory). */
int http_session_add(
    struct session *session, const char *bytes, size_t len) MUST_USE;

/** Free what is stored. */
void http_session_drop(struct session *session);

#endif
