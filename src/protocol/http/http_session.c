#include "protocol/http/http_session.h"

#include <stdlib.h>

int
http_session_store(struct session *session, const struct http_opened *opened,
    const char *query, size_t len, size_t room)
{
	struct http_stored *stored = calloc(1, sizeof(*stored));

	if (!stored)
		return -1;
	stored->opened = *opened;
	stored->query_len = len;
	if (!buf_reserve(&stored->bytes, len + room) ||
	    buf_add(&stored->bytes, query, len) == -1) {
		buf_free(&stored->bytes);
		free(stored);
		return -1;
	}
	http_session_drop(session); /* ${query} may be of it */
	http_session_of(session)->stored = stored;
	session->stored = len;
	return 0;
}

int
http_session_add(struct session *session, const char *bytes, size_t len)
{
	session->stored += len;
	return buf_add(&http_session_of(session)->stored->bytes, bytes, len);
}

void
http_session_drop(struct session *session)
{
	struct http_session *state = http_session_of(session);

	if (!state->stored)
		return;
	buf_free(&state->stored->bytes);
	free(state->stored);
	state->stored = NULL;
	session->stored = 0;
}
