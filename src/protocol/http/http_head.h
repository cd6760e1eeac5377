/**
 * http_head: what the head of a request says, read line by line.
 */
#ifndef PROTOCOL_HTTP_HTTP_HEAD_H
#define PROTOCOL_HTTP_HTTP_HEAD_H

#include "base/attr.h"
#include "protocol/http/http_problem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_FIELDS_MAX 100
#define HTTP_BODY_MAX   65536

/** The methods that are known, a bit each; others are refused.  The first are
 * those of our own paths; a proxy may ask about the others, too. */
#define HTTP_METHODS(X)                                                        \
	X(GET, 0)                                                              \
	X(HEAD, 1)                                                             \
	X(POST, 2)                                                             \
	X(PUT, 3)                                                              \
	X(DELETE, 4)                                                           \
	X(OPTIONS, 5)                                                          \
	X(PATCH, 6)                                                            \
	X(COPY, 7)                                                             \
	X(LOCK, 8)                                                             \
	X(MKCALENDAR, 9)                                                       \
	X(MKCOL, 10)                                                           \
	X(MOVE, 11)                                                            \
	X(PROPFIND, 12)                                                        \
	X(PROPPATCH, 13)                                                       \
	X(PURGE, 14)                                                           \
	X(QUERY, 15)                                                           \
	X(REPORT, 16)                                                          \
	X(SEARCH, 17)                                                          \
	X(UNLOCK, 18)

enum http_method {
#define X(name, bit) HTTP_##name = 1 << (bit),
	HTTP_METHODS(X)
#undef X
};

/** What a body is. */
enum http_type {
	HTTP_TYPE_NONE,
	HTTP_TYPE_FORM,
	HTTP_TYPE_JSON,
	HTTP_TYPE_OTHER
};

/** Some of the bytes of a head. */
struct http_span {
	uint16_t at; /* from the head's first byte */
	uint16_t len;
};

struct http_head {
	enum http_method method;
	bool is_old;             /* HTTP/1.0 */
	struct http_span target; /* path and query; empty: "/" */

	struct http_span host; /* of an absolute URL, or else the header */
	struct http_span origin;
	struct http_span login;       /* the value of Authorization */
	struct http_span proxy_login; /* of Proxy-Authorization */
	bool has_host, has_origin, has_login, has_proxy_login;
	bool has_site;      /* Sec-Fetch-Site is there */
	bool is_other_site; /* and says so */
	bool is_browser;    /* User-Agent says so */

	bool keeps;   /* the client wants to send another request */
	bool expects; /* 100-continue */
	bool accepts_openmetrics;
	enum http_type type;
	bool has_length, is_chunked;
	int64_t length; /* of the body, unless it is chunked */

	/* while it is read */
	unsigned fields;  /* so far */
	bool is_absolute; /* the target has the host */
	bool says_keep, says_close;
};

/** Whether a body follows it. */
static inline bool
http_head_has_body(const struct http_head *head)
{
	return head->is_chunked || head->length > 0;
}

/** A line without its end; counted from the head's first byte. */
struct http_line {
	const char *head;
	size_t at, len;
};

/** Take the request line of a head that is all zero.  Return NULL, or what is
 * wrong with it. */
const struct http_problem *http_head_line(
    struct http_head *head, const struct http_line *line) MUST_USE;

/** Take a header.  Return as above. */
const struct http_problem *http_head_field(
    struct http_head *head, const struct http_line *line) MUST_USE;

/** There are no more: check them as a whole.  Return as above. */
const struct http_problem *http_head_finish(struct http_head *head) MUST_USE;

/** Check whether a body goes with the method, and its length is known.  Return
 * as above. */
const struct http_problem *http_head_check_body(
    const struct http_head *head) MUST_USE;

/** Divide a header into its name and its value, which is set.  Return as above.
 */
const struct http_problem *http_head_split(
    const struct http_line *line, struct http_line *value) MUST_USE;

/** Whether it may be part of a header: no control characters but tabs. */
bool http_is_text(const char *bytes, size_t len);

/** Whether two texts are the same in any case. */
bool http_is(const char *bytes, size_t len, const char *text);

#endif
