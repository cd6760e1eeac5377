/**
 * http_path: what is where: one row for each path.
 *
 * To add one: a row in http_path.c; what it does is a verb (protocol/verbs.h),
 * which may be one that only HTTP offers (VERBS_HTTP).
 */
#ifndef PROTOCOL_HTTP_HTTP_PATH_H
#define PROTOCOL_HTTP_HTTP_PATH_H

#include "protocol/session.h"
#include "protocol/verbs.h"

#include <stdbool.h>
#include <stddef.h>

/** The type of plain text. */
#define HTTP_PLAIN "text/plain; charset=utf-8"

/** Those of the status page and of its events. */
#define HTTP_HTML   "text/html; charset=utf-8"
#define HTTP_EVENTS "text/event-stream"

/** Those of metrics. */
#define HTTP_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define HTTP_OPENMETRICS                                                       \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/** Most rows: they are numbered in an encoding. */
#define HTTP_PATHS_MAX 64

/** Which parameters there are. */
enum http_takes {
	HTTP_TAKES_NONE,
	HTTP_TAKES_PAGE, /* the same; the status page is the response */
	HTTP_TAKES_KEY,
	HTTP_TAKES_EACH,        /* a key, or many in JSON */
	HTTP_TAKES_DESCRIPTORS, /* of Envoy, in a body of JSON */
	HTTP_TAKES_ROUTE, /* deny; the original request says the keys.  What is
			   * behind the path, from a slash on, is its path. */
	HTTP_TAKES_ALL,   /* the request as it is, for an upstream.  What is
			   * behind the path, from a slash on, says which. */
};

struct http_path {
	const char *path;
	unsigned methods; /* enum http_method, or'ed; HEAD goes with GET */
	unsigned offers;  /* of which listeners: 1 << enum offer, or'ed */
	enum http_takes takes;
	enum verb verb;
	const char *type;    /* of a response of rows; or NULL */
	bool is_openmetrics; /* for clients that accept that; the row of the
			      * others follows */
};

extern const struct http_path http_paths[];

/** The number of the row of ${len} bytes at a listener with ${offer}, for a
 * client that ${accepts_openmetrics} or not; -1: there is none. */
int http_path_find(
    const char *bytes, size_t len, enum offer offer, bool accepts_openmetrics);

/** Whether the row takes the method. */
bool http_path_takes(const struct http_path *path, unsigned method);

#endif
