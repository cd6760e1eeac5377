#include "protocol/http/http_routed.h"

#include "protocol/http/http_check.h"
#include "protocol/http/http_path.h"
#include "protocol/http/http_write.h"

#include <stddef.h>
#include <string.h>

bool
http_routed_is(const struct http_opened *opened)
{
	return http_paths[opened->path].takes == HTTP_TAKES_ROUTE;
}

/* Find the keys of the original request, for common->routed.  The parameters
 * are ours, unless the path goes on behind /check. */
const struct http_problem *
http_routed_open(struct session *session, const struct http_piece *piece,
    const struct http_word *path, const struct http_word *query,
    struct http_opened *opened)
{
	struct session_common *common = session->common;
	const struct original_routing routing = session_routing(session);
	size_t own = strlen(http_paths[opened->path].path);
	struct http_word rest = {
	    .bytes = path->bytes + own, .len = path->len - own};
	struct http_ask ask = {.is_routed = true};
	const struct http_problem *problem = NULL;

	if (rest.len == 0)
		problem = http_ask_form(&ask, query->bytes, query->len);
	if (problem)
		return problem;
	opened->encoding |= (unsigned)ask.deny << HTTP_DENY_SHIFT;
	return http_check_route(&routing,
	    &http_session_of(session)->reader.head, piece, &rest, query,
	    &common->routed);
}

/* The keys that were found for a request, stored until its body has come. */
struct http_word
http_routed_bytes(const struct session_common *common)
{
	const struct routed_request *routed = &common->routed;

	return (struct http_word){.bytes = (const char *)routed,
	    .len = offsetof(struct routed_request, keys) +
		   routed->count * sizeof(routed->keys[0])};
}

/* A request with a route has come as a whole: its keys are in common->routed,
 * or, if ${stored}, were stored. */
enum read_result
http_routed_finish(struct session *session, struct request *request,
    const struct http_opened *opened, const struct http_word *stored)
{
	struct routed_request *routed = &session->common->routed;

	if (stored && stored->bytes)
		memcpy(routed, stored->bytes, stored->len);
	request_init(request, http_paths[opened->path].verb);
	request->encoding = opened->encoding;
	request->routed = routed;
	session->last |= !(opened->encoding & HTTP_KEEPS);
	http_session_drop(session);
	return READ_REQUEST;
}
