/**
 * http_write: responses of HTTP/1.1.
 *
 * Each call appends one whole response, or an element of one, and returns 0, or
 * -1 (out of memory).
 */
#ifndef PROTOCOL_HTTP_HTTP_WRITE_H
#define PROTOCOL_HTTP_HTTP_WRITE_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/check.h"
#include "protocol/http/http_ask.h"
#include "protocol/http/http_path.h"
#include "protocol/http/http_problem.h"
#include "protocol/protocol.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * How to respond to a request, in an encoding (struct request).  All zero: with
 * a body, and no other response follows.
 *
 *    deny    path    part    headers   bits
 *   14-23    8-13    5-7       3-4     0-2
 */
#define HTTP_KEEPS         1u  /* another request may follow */
#define HTTP_IS_OLD        2u  /* HTTP/1.0 */
#define HTTP_NO_BODY       4u  /* HEAD */
#define HTTP_STANDARD      8u  /* headers: RateLimit and RateLimit-Policy */
#define HTTP_LEGACY        16u /* X-RateLimit-... */
#define HTTP_HEADERS_SHIFT 3
#define HTTP_PART_SHIFT    5
#define HTTP_PATH_SHIFT    8
#define HTTP_DENY_SHIFT    14

/** The path that was asked for. */
static inline const struct http_path *
http_path_of(unsigned encoding)
{
	return &http_paths[encoding >> HTTP_PATH_SHIFT & (HTTP_PATHS_MAX - 1)];
}

/** Which part of the response. */
enum http_part {
	HTTP_WHOLE,
	HTTP_FIRST, /* of several elements */
	HTTP_MIDDLE,
	HTTP_LAST,
	HTTP_ONLY, /* the one element */
};

/** The decision of a check. */
int http_write_decision(
    struct buf *out, unsigned encoding, const struct check *check) MUST_USE;

/** A response with this body. */
int http_write_response(struct buf *out, unsigned encoding, int status,
    const char *type, const struct http_word *body) MUST_USE;

/** An error; as HTTP_METHOD says, with the methods that the path takes. */
int http_write_problem(struct buf *out, unsigned encoding,
    const struct http_problem *problem) MUST_USE;

/** The same with some headers more, whole lines, at most 200 bytes. */
int http_write_problem_with(struct buf *out, unsigned encoding,
    const struct http_problem *problem, const struct http_word *more) MUST_USE;

/** Text of the type ${type}, all that the response is. */
int http_write_text(struct buf *out, unsigned encoding, const char *type,
    const char *text, size_t len) MUST_USE;

/** Some rows of a response of the type ${type}.  It has a length if they are
 * all of them.  It is chunked if not: the length is not known before all are
 * written, since counts in them change meanwhile. */
int http_write_rows(struct buf *out, unsigned encoding, const char *type,
    const struct rows *rows) MUST_USE;

/** The interim response to Expect: 100-continue. */
int http_write_continue(struct buf *out) MUST_USE;

#endif
