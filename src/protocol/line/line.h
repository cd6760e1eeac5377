/**
 * line: the line protocol: a request is a line, and most responses are.
 *
 * Knows bytes only: no sockets, no buckets.
 */
#ifndef PROTOCOL_LINE_LINE_H
#define PROTOCOL_LINE_LINE_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/check.h"
#include "protocol/errors.h"
#include "protocol/request.h"

#include <stdbool.h>
#include <stddef.h>

/** The verbs that lines offer. */
#define LINE_VERBS (VERBS_DRIPGATE | VERBS_LINE)

/** Longest line, its end not counted. */
#define LINE_MAX_LEN 4096

enum line_result {
	LINE_REQUEST, /* a request was read */
	LINE_BAD,     /* a line was read, and is wrong: reader->error */
	LINE_MORE,    /* no whole line yet */
};

/** What is remembered of one connection; all zero at first. */
struct line_reader {
	bool skipping; /* the rest of an overlong line, already refused */
	enum protocol_error error; /* of the last line that was wrong */
};

/**
 * Read one line off the front of ${len} bytes.  ${used} is set to the number of
 * bytes done with, also for LINE_MORE (an overlong line is dropped as it
 * comes).  After LINE_MORE, hand in the other bytes, at most LINE_MAX_LEN + 1,
 * again with what follows.  ${request} is set with LINE_REQUEST.  After
 * ERROR_HTTP, close the connection.
 */
enum line_result line_read(struct line_reader *reader, const char *bytes,
    size_t len, size_t *used, struct request *request);

/** Append an ERR line.  Return 0, or -1 (out of memory). */
int line_write_error(struct buf *out, enum protocol_error error) MUST_USE;

/** Append the ALLOW or DENY line of a check.  Return 0, or -1 (out of memory).
 */
int line_write_decision(struct buf *out, const struct check *check) MUST_USE;

#endif
