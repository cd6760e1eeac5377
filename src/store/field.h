/**
 * field: how a bucket is kept in Redis: as text, in a field of a hash.
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

#define FIELD_PREFIX_MAX 64
#define FIELD_HASH_MAX   (FIELD_PREFIX_MAX + LIMIT_NAME_MAX + 3)

/** Write the name of the hash that holds the buckets of ${limit} to ${to}, of
 * FIELD_HASH_MAX bytes: the prefix, the limit's name, and ":w" for a fixed
 * window.  ${prefix} is at most FIELD_PREFIX_MAX bytes.  Return the length. */
size_t field_hash_name(const char *prefix, const struct limit *limit, char *to);

#endif
