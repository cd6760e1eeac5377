#include "protocol/http/http_session.h"

#include <stdlib.h>

int
http_session_store(struct session *session, const struct http_opened *opened,
    const char *query, size_t len)
{
	struct http_stored *stored = calloc(1, sizeof(*stored));

	if (!stored)
		return -1;
	stored->opened = *opened;
	stored->query_len = len;
	if (buf_add(&stored->bytes, query, len) == -1) {
		free(stored);
		return -1;
	}
	http_session_drop(session); /* ${query} may be of it */
	http_session_of(session)->stored = stored;
	return 0;
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
}
