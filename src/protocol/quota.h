/**
 * quota: a decision in the numbers of HTTP's headers, in whole seconds.
 *
 * RateLimit and RateLimit-Policy are of
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/
 */
#ifndef PROTOCOL_QUOTA_H
#define PROTOCOL_QUOTA_H

#include "base/num.h"
#include "gate/check.h"
#include "limit/limit.h"

#include <stdint.h>

struct quota {
	const char *limit; /* its name, borrowed; NULL: no limit matched, and
			    * the next five are 0 */
	int64_t capacity;
	int64_t window; /* in which a bucket leaks all that it can hold, >= 1 */
	int64_t remaining;
	int64_t wait;  /* until more is available; 0: all of it is */
	int64_t reset; /* until all of it is */
	int64_t retry; /* until a denied request can pass; 0: it was allowed, or
			* it never can */
	enum decided_by decided_by;
};

/** Of a check that is decided. */
struct quota quota_of(const struct check *check);

/** Most headers of a decision, and room for the value of one. */
#define QUOTA_HEADERS_MAX 7
#define QUOTA_VALUE_MAX   (LIMIT_NAME_MAX + 2 * NUM_MAX_LEN + 16)

struct quota_header {
	const char *name; /* in lower case */
	char value[QUOTA_VALUE_MAX];
};

/** Write the headers of ${which}, or'ed of enum http_headers, with those that
 * all have.  Return how many there are. */
unsigned quota_write_headers(const struct quota *quota, unsigned which,
    struct quota_header headers[QUOTA_HEADERS_MAX]);

/** Seconds, rounded up: a client that waits that long has waited long enough.
 * RETRY_NEVER is 0. */
int64_t quota_seconds(int64_t us);

#endif
