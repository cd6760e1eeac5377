/**
 * retry_after: when a server wants to be asked again.  Pure.
 */
#ifndef UPSTREAM_RETRY_AFTER_H
#define UPSTREAM_RETRY_AFTER_H

#include "upstream/headers.h"

#include <stdint.h>

/** The longest that is believed. */
#define RETRY_AFTER_MAX_US (INT64_C(86400) * 1000000)

/** How long to wait, as Retry-After says it, seconds or a date (RFC 9110), at
 * ${now_us} of the wall clock; 0: it says nothing. */
int64_t retry_after_read(struct part value, int64_t now_us);

/** The same, as X-RateLimit-Reset says it: seconds from now, or the time that
 * they are since 1970. */
int64_t retry_after_reset(struct part value, int64_t now_us);

#endif
