/**
 * http_problem: the responses to HTTP requests that are not carried out: a
 * status, a stable code word, and a text.
 */
#ifndef PROTOCOL_HTTP_HTTP_PROBLEM_H
#define PROTOCOL_HTTP_HTTP_PROBLEM_H

#include "protocol/descriptors.h"
#include "protocol/errors.h"

#include <stddef.h>

/** X(ID, status, code word, text) */
#define HTTP_PROBLEMS(X)                                                       \
	X(BADLINE, 400, "badrequest",                                          \
	    "a request starts with METHOD TARGET HTTP/1.1")                    \
	X(BADEND, 400, "badrequest", "a line ends with CR LF")                 \
	X(BADTARGET, 400, "badtarget",                                         \
	    "a target is a path and a query, or an absolute URL")              \
	X(BADFIELD, 400, "badheader",                                          \
	    "a header is NAME: VALUE on one line, without control characters") \
	X(TWICE, 400, "badheader", "this header may be there only once")       \
	X(BADHOST, 400, "badhost", "a request has one valid Host header")      \
	X(BADLENGTH, 400, "badlength",                                         \
	    "a request has one Content-Length, a number, or is chunked")       \
	X(BADCHUNK, 400, "badchunk", "the chunked body is malformed")          \
	X(BADBODY, 400, "badbody", "this request has no body")                 \
	X(BADPERCENT, 400, "badquery", "% must be followed by two hex digits") \
	X(BADNAME, 400, "badquery",                                            \
	    "parameters are key, amount, id, wait and deny, each at most "     \
	    "once; of several keys, each has its amount behind it")            \
	X(BADDENY, 400, "baddeny", "deny must be a status from 400 to 599")    \
	X(BADWAIT, 400, "badwait",                                             \
	    "wait is a time, as 2s or 0.5, for what is consumed, without id")  \
	X(BADJSON, 400, "badjson",                                             \
	    "the body must be a JSON object with key and amount, all or each") \
	X(BADREQUEST, 400, "badjson",                                          \
	    "the body must be a RateLimitRequest in JSON")                     \
	X(NODOMAIN, 400, "nodomain", DESCRIPTORS_NO_DOMAIN)                    \
	X(NODESCRIPTORS, 400, "nodescriptors", DESCRIPTORS_NONE)               \
	X(DESCRIPTORS, 400, "toomany", DESCRIPTORS_TOO_MANY)                   \
	X(DESCRIPTORLIMIT, 400, "badlimit", DESCRIPTORS_BAD_LIMIT)             \
	X(BADALL, 400, "badall", "all is an array of 1 to 16 objects")         \
	X(BADEACH, 400, "badeach", "each is an array of 1 to 1000 objects")    \
	X(NOORIGINAL, 400, "nooriginal",                                       \
	    "/check needs X-Original-URI or X-Forwarded-Uri, or a path")       \
	X(AMBIGUOUS, 400, "ambiguous",                                         \
	    "X-Original-URI or X-Forwarded-Uri, one of them, and once; so "    \
	    "for "                                                             \
	    "its method and host")                                             \
	X(CUT, 400, "incomplete", "the request was cut off")                   \
	X(SITE, 403, "forbidden", "requests of another site are refused")      \
	X(BROWSER, 403, "forbidden",                                           \
	    "a browser that does not say whose page asks must use POST")       \
	X(HOST, 403, "badhost", "this Host is not ours: see [http] hosts")     \
	X(NOPATH, 404, "notfound", "there is nothing at this path")            \
	X(METHOD, 405, "badmethod", "this path does not take this method")     \
	X(PROXYAUTH, 407, "noauth",                                            \
	    "the proxy must log in, with Proxy-Authorization")                 \
	X(PROXYPASS, 407, "wrongpass",                                         \
	    "no user has the name and secret of Proxy-Authorization")          \
	X(LATE, 408, "timeout", "the request took too long")                   \
	X(NOLENGTH, 411, "nolength", "a POST has a Content-Length")            \
	X(BIGBODY, 413, "toolong", "a body is at most 65536 bytes")            \
	X(BIGTARGET, 414, "toolong", "a request line is at most 8192 bytes")   \
	X(BADTYPE, 415, "badtype",                                             \
	    "a body is application/x-www-form-urlencoded or application/json") \
	X(BADEXPECT, 417, "badexpect", "only 100-continue can be expected")    \
	X(BIGHEAD, 431, "toolong",                                             \
	    "the head of a request is at most 16384 bytes and 100 headers")    \
	X(BIGKEY, 431, "toolong", "a key of the route is too long")            \
	X(NOMETHOD, 501, "badmethod", "this method is not supported")          \
	X(CODING, 501, "badcoding", "only chunked can be a Transfer-Encoding") \
	X(VERSION, 505, "badversion", "only HTTP/1.1 and HTTP/1.0 are spoken")

struct http_problem {
	int status;
	const char *code;
	const char *text;
};

enum http_problem_id {
#define X(id, ...) HTTP_PROBLEM_##id,
	HTTP_PROBLEMS(X)
#undef X
};

/** By enum http_problem_id. */
extern const struct http_problem http_problems[];

/** A pointer to one of them: HTTP_PROBLEM(SITE). */
#define HTTP_PROBLEM(id) (&http_problems[HTTP_PROBLEM_##id])

/** What an error of all protocols is in HTTP; NULL for ERROR_NONE. */
const struct http_problem *http_problem_of(enum protocol_error error);

/** "Not Found", of any status that is responded with; for others "Error", or
 * "", if they are none. */
const char *http_status_text(int status);

#endif
