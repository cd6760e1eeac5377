/*
 * Job: takes the parts of a request for an upstream, and writes the response.
 * Invariant: what frames a response is ours: its length, its chunks, its end.
 * The heart: http_forward_write().
 */
#include "protocol/http/http_forward.h"

#include "base/num.h"
#include "protocol/http/http_path.h"
#include "protocol/http/http_write.h"

#include <string.h>

/* A page of somebody else must not act in the name of ours. */
#define HTTP_FORWARD_GUARD                                                     \
	"X-Content-Type-Options: nosniff\r\n"                                  \
	"Content-Security-Policy: sandbox\r\n"

bool
http_forward_is(const struct http_opened *opened)
{
	return http_paths[opened->path].takes == HTTP_TAKES_ALL;
}

/* The head was read already: it has a request line, and ends with an empty
 * line; its target is a path, or has one behind a host. */
static void
http_forward_divide(struct forward *forward, const struct http_opened *opened,
    const struct http_word *head)
{
	const char *end = head->bytes + head->len;
	const char *line = memchr(head->bytes, '\n', head->len);
	const char *blank = memchr(head->bytes, ' ', head->len);
	const char *at = blank + 1;

	forward->method =
	    (struct forward_text){head->bytes, (size_t)(blank - head->bytes)};
	if (*at != '/') {
		at = (const char *)memmem(at, (size_t)(line - at), "//", 2) + 2;
		at = memchr(at, '/', (size_t)(line - at));
	}
	at += strlen(http_paths[opened->path].path);
	blank = memchr(at, ' ', (size_t)(line - at));
	forward->target = (struct forward_text){at, (size_t)(blank - at)};
	forward->fields =
	    (struct forward_text){line + 1, (size_t)(end - line - 1)};
}

/* The parts are of the bytes that were stored: keep these until the next
 * request. */
static void
http_forward_keep(struct session *session)
{
	struct http_stored *stored = http_session_of(session)->stored;
	struct buf *kept = &session->common->forwarded;

	if (!stored)
		return;
	buf_free(kept);
	*kept = stored->bytes;
	stored->bytes = (struct buf){0};
	http_session_drop(session);
}

enum read_result
http_forward_finish(struct session *session, struct request *request,
    const struct http_opened *opened, const struct http_word *head,
    const struct http_word *body)
{
	struct forward *forward = &session->common->forward;

	http_forward_divide(forward, opened, head);
	forward->body = (struct forward_text){body->bytes, body->len};
	request_init(request, http_paths[opened->path].verb);
	request->encoding = opened->encoding;
	request->forward = forward;
	session->last |= !(opened->encoding & HTTP_KEEPS);
	http_forward_keep(session);
	return READ_REQUEST;
}

/* Whether a response of this status has no body, by RFC 9110. */
static bool
http_forward_is_empty(int status)
{
	return status == 204 || status == 304;
}

static int
http_forward_write_text(struct buf *out, const char *text)
{
	return buf_add(out, text, strlen(text));
}

static int
http_forward_write_status(struct buf *out, int status)
{
	return status == 200
		   ? http_forward_write_text(out, "HTTP/1.1 200 OK\r\n")
		   : buf_printf(out, "HTTP/1.1 %d %s\r\n", status,
			 http_status_text(status));
}

/* The last header, and the end of the head. */
static int
http_forward_write_length(struct buf *out, int64_t length)
{
	char text[NUM_MAX_LEN];
	size_t len = num_write_int(text, length);

	if (http_forward_write_text(out, "Content-Length: ") == -1 ||
	    buf_add(out, text, len) == -1)
		return -1;
	return http_forward_write_text(out, "\r\n\r\n");
}

/* How the body ends: at its length, with its last chunk, or with the
 * connection. */
static int
http_forward_write_frame(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	if (http_forward_is_empty(part->status))
		return buf_add(out, "\r\n", 2);
	if (part->length >= 0)
		return http_forward_write_length(out, part->length);
	return buf_printf(out, "%s\r\n",
	    encoding & HTTP_IS_OLD ? "" : "Transfer-Encoding: chunked\r\n");
}

static int
http_forward_write_head(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	const char *stays =
	    encoding & HTTP_IS_OLD ? "Connection: keep-alive\r\n" : "";

	if (http_forward_write_status(out, part->status) == -1 ||
	    buf_add(out, part->fields, part->fields_len) == -1 ||
	    buf_add(out, part->more, part->more_len) == -1 ||
	    http_forward_write_text(
		out, encoding & HTTP_KEEPS ? stays : "Connection: close\r\n") ==
		-1 ||
	    http_forward_write_text(out, HTTP_FORWARD_GUARD) == -1)
		return -1;
	return http_forward_write_frame(out, encoding, part);
}

/* Whether the body is chunked. */
static bool
http_forward_is_chunked(unsigned encoding, const struct passed *part)
{
	return part->length < 0 && !(encoding & HTTP_IS_OLD) &&
	       !http_forward_is_empty(part->status);
}

static int
http_forward_write_body(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	bool is_chunked = http_forward_is_chunked(encoding, part);

	if (encoding & HTTP_NO_BODY)
		return 0;
	if (part->len > 0 && is_chunked &&
	    buf_printf(out, "%zx\r\n", part->len) == -1)
		return -1;
	if (buf_add(out, part->bytes, part->len) == -1)
		return -1;
	if (part->len > 0 && is_chunked && buf_add(out, "\r\n", 2) == -1)
		return -1;
	return part->last && is_chunked ? buf_printf(out, "0\r\n\r\n") : 0;
}

static int
http_forward_write_problem(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	const struct http_problem problem = {
	    part->status, part->code, part->detail};

	return http_write_problem_with(out, encoding, &problem,
	    &(struct http_word){.bytes = part->more, .len = part->more_len});
}

int
http_forward_write(
    struct buf *out, unsigned encoding, const struct passed *part)
{
	if (part->code)
		return http_forward_write_problem(out, encoding, part);
	if (part->first && http_forward_write_head(out, encoding, part) == -1)
		return -1;
	return http_forward_write_body(out, encoding, part);
}
