/**
 * headers: the header fields of a request or a response as bytes.  Pure.
 *
 * "NAME: VALUE" CR LF each, as they are on the wire (RFC 9112, section 5); LF
 * alone ends a line, too.  A line that is no field is skipped.
 */
#ifndef UPSTREAM_HEADERS_H
#define UPSTREAM_HEADERS_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Borrowed. */
struct headers {
	const char *bytes; /* may be NULL if there are none */
	size_t len;
};

/** A part of a text, borrowed. */
struct part {
	const char *bytes;
	size_t len;
};

struct http_header {
	struct part name, value; /* without the blanks around them */
};

/** A member of a list, as max-age=60 in Cache-Control. */
struct directive {
	struct part name;
	struct part value; /* without its quotes; NULL: it has none */
};

/** Take the next field off ${rest}.  Return whether there was one. */
bool headers_next(struct headers *rest, struct http_header *header);

/** The first field of that name.  Return whether there is one. */
bool headers_find(struct headers headers, const char *name, struct part *value);

/** Whether two texts are the same, in any case. */
bool part_is(struct part part, const char *text);

/** Take the next member off ${rest}, a list with commas between; what is in
 * quotes is one.  It has no blanks around it.  Return whether there was one. */
bool part_next_member(struct part *rest, struct part *member);

/** Divide NAME, NAME=VALUE or NAME="VALUE".  Blanks around the = are part of
 * what stands there, and make it another. */
struct directive directive_read(struct part member);

/** Read a number of seconds, digits alone, as microseconds; what is too large
 * is SECONDS_MAX.  Return whether it is one. */
#define SECONDS_MAX INT64_C(2147483648)
bool part_read_seconds(struct part part, int64_t *us);

/** Read a date (RFC 9110, section 5.6.7: all three forms) as microseconds since
 * 1970.  ${now_us} of the wall clock says which century a year of two digits is
 * in.  Return whether it is one. */
bool part_read_date(struct part part, int64_t now_us, int64_t *us);

/** Append the field.  Return 0, or -1 (out of memory). */
int header_add(struct buf *to, const struct http_header *header) MUST_USE;

#endif
