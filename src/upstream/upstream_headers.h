/**
 * upstream_headers: which headers pass, in either direction.  Pure.
 *
 * Those of a connection (RFC 9110, section 7.6.1) never do, nor those that it
 * names in Connection, nor what frames a body: each side has its own.
 */
#ifndef UPSTREAM_UPSTREAM_HEADERS_H
#define UPSTREAM_UPSTREAM_HEADERS_H

#include "base/attr.h"
#include "base/buf.h"
#include "upstream/headers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most bytes and headers of the head of a response. */
#define UPSTREAM_HEAD_MAX   16384
#define UPSTREAM_FIELDS_MAX 100

/** The head of a response while it comes; all zero at first. */
struct upstream_head {
	int status;
	bool is_whole;
	bool is_bad; /* it is malformed, or too long */
	unsigned count;
	struct buf lines; /* "NAME: VALUE" CR LF, all of them */

	/* what it says to us */
	bool has_date;
	int64_t retry_us; /* to wait that long; 0: it does not say */
	bool is_used_up;  /* X-RateLimit-Remaining: 0 */
	int64_t reset_us; /* until the next; 0: it does not say */
};

/** Whether ${len} bytes name a header that may pass. */
bool upstream_headers_may_pass(const char *name, size_t len);

/** Append those of ${fields} that are in ${list}, names with blanks between,
 * and not in ${but}.  Return 0, or -1 (out of memory). */
int upstream_headers_pick(struct buf *out, struct headers fields,
    const char *list, const char *but) MUST_USE;

/** Append those of a response that may pass and are in ${list}, which is as in
 * the options, or in ${also}.  Return 0, or -1 (out of memory). */
int upstream_headers_filter(struct buf *out, struct headers fields,
    const char *list, const char *also) MUST_USE;

/** Take the next line of a response, with its end: a status line starts it
 * again.  ${now_us} is of the wall clock.  Return 0, or -1: it is bad. */
int upstream_headers_take(struct upstream_head *head, const char *line,
    size_t len, int64_t now_us) MUST_USE;

/** All its fields. */
static inline struct headers
upstream_headers_of(const struct upstream_head *head)
{
	return (struct headers){buf_data(&head->lines), buf_len(&head->lines)};
}

/** Make it all zero again. */
void upstream_headers_clear(struct upstream_head *head);

#endif
