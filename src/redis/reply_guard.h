/**
 * reply_guard: looks at replies before hiredis does.
 *
 * hiredis 0.14 allocates all that a reply announces (CVE-2021-32765), without a
 * bound.  The guard reads the same bytes and refuses a reply that announces too
 * much, or is not RESP2.
 */
#ifndef REDIS_REPLY_GUARD_H
#define REDIS_REPLY_GUARD_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

#define REPLY_MAX_BYTES    (INT64_C(1) << 20) /* one reply, by default */
#define REPLY_MAX_ELEMENTS (INT64_C(1) << 16) /* its arrays' */
#define REPLY_MAX_DEPTH    4

/** All zero, except the bound, at the start of a connection. */
struct reply_guard {
	int64_t max_bytes;             /* of one reply; 0: REPLY_MAX_BYTES */
	int64_t bytes;                 /* of this reply so far */
	int64_t elements;              /* announced by its arrays so far */
	int64_t body;                  /* of a bulk string: bytes to come */
	char header[24];               /* first bytes of the line being read */
	size_t header_len;             /* the line's length so far */
	char last;                     /* the line's last byte so far */
	int depth;                     /* arrays open */
	int64_t left[REPLY_MAX_DEPTH]; /* their elements still to come */
};

/** Look at the next ${len} bytes.  Return 0, or -1 if they must not be fed to
 * the reader. */
int reply_guard_check(
    struct reply_guard *guard, const char *bytes, size_t len) MUST_USE;

#endif
