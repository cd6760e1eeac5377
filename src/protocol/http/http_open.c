#include "protocol/http/http_open.h"

#include "protocol/http/http_path.h"
#include "protocol/http/http_site.h"
#include "protocol/http/http_write.h"

#include <string.h>

/* Whether the client may stay for another request. */
static bool
http_open_stays(const struct session *session)
{
	const struct session_common *common = session->common;

	return !common->draining ||
	       (common->hands_over && session->offer != OFFER_ADMIN);
}

static unsigned
http_open_encoding(const struct session *session, const struct http_head *head)
{
	unsigned encoding = session->common->http_headers << HTTP_HEADERS_SHIFT;

	if (head->keeps && http_open_stays(session))
		encoding |= HTTP_KEEPS;
	if (head->is_old)
		encoding |= HTTP_IS_OLD;
	if (head->method == HTTP_HEAD)
		encoding |= HTTP_NO_BODY;
	return encoding;
}

/* The path and the query of a target. */
static void
http_open_split(const struct http_head *head, const char *bytes,
    struct http_word *path, struct http_word *query)
{
	const char *at = bytes + head->target.at, *end = at + head->target.len;
	const char *sign = memchr(at, '?', head->target.len);

	*path = (struct http_word){
	    .bytes = at, .len = (size_t)((sign ? sign : end) - at)};
	if (path->len == 0) /* of an absolute URL */
		*path = (struct http_word){.bytes = "/", .len = 1};
	*query = (struct http_word){.bytes = sign ? sign + 1 : end,
	    .len = sign ? (size_t)(end - sign - 1) : 0};
}

/* Whether a body is not for us to look at. */
static bool
http_open_takes_any_body(const struct http_path *path)
{
	return path->takes == HTTP_TAKES_ROUTE || path->takes == HTTP_TAKES_ALL;
}

/* Find out what a head asks for, of the path ${path}.  Return NULL, or what is
 * wrong. */
static const struct http_problem *
http_open_path(const struct session *session, const struct http_head *head,
    const char *bytes, const struct http_word *path, struct http_opened *opened)
{
	int row = http_path_find(
	    path->bytes, path->len, session->offer, head->accepts_openmetrics);
	bool is_routed = row != -1 && http_paths[row].takes == HTTP_TAKES_ROUTE;
	bool charges = row != -1 && op_puts(verb_rows[http_paths[row].verb].op);
	const struct http_problem *problem =
	    is_routed ? NULL
		      : http_site_check(
			    head, bytes, session->common->http_hosts, charges);

	/* Proxies pass on the host and the origin of the original request. */
	if (problem)
		return problem;
	if (row == -1)
		return HTTP_PROBLEM(NOPATH);
	opened->path = row;
	opened->encoding |= (unsigned)row << HTTP_PATH_SHIFT;
	opened->type = head->type;
	/* Without chunks, the end of the connection is that of the rows. */
	if ((http_paths[row].type || http_paths[row].takes == HTTP_TAKES_ALL) &&
	    (opened->encoding & HTTP_IS_OLD))
		opened->encoding &= ~HTTP_KEEPS;
	if (!http_path_takes(&http_paths[row], head->method))
		return HTTP_PROBLEM(METHOD);
	return http_open_takes_any_body(&http_paths[row])
		   ? NULL
		   : http_head_check_body(head);
}

const struct http_problem *
http_open(const struct session *session, const struct http_piece *piece,
    struct http_word *path, struct http_word *query, struct http_opened *opened)
{
	const struct http_session *state = (const void *)session->state;
	const struct http_head *head = &state->reader.head;

	*opened =
	    (struct http_opened){.encoding = http_open_encoding(session, head)};
	http_open_split(head, piece->bytes, path, query);
	return http_open_path(session, head, piece->bytes, path, opened);
}
