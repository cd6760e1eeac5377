/**
 * field: a bucket as text, the way it is kept in a field of a hash in Redis.
 *
 *   leaky bucket  "EMPTY_AT" or "EMPTY_AT BLOCKED_UNTIL"
 *   fixed window  "WINDOW COUNT"
 *
 * Decimal digits, each number at most 2^53-1.  The scripts write the text; this
 * reads it, and accepts exactly what they accept.
 */
#ifndef STORE_FIELD_H
#define STORE_FIELD_H

#include "base/attr.h"
#include "limit/bucket.h"

#include <stdbool.h>
#include <stddef.h>

/** Read ${len} bytes of text as a bucket of ${limit}.  False, and ${bucket}
 * untouched, if it is not ours. */
bool field_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket) MUST_USE;

#endif
