/**
 * field: where a bucket is in Redis: in a hash for each limit and partition, a
 * field for each key.  Both may have names that do not tell (key_secrets.h).
 */
#ifndef STORE_REDIS_FIELD_H
#define STORE_REDIS_FIELD_H

#include "limit/limit.h"
#include "redis/partition.h"
#include "store/redis/key_secrets.h"

#include <stddef.h>

#define FIELD_PREFIX_MAX 64
#define FIELD_SUFFIX_MAX 8
#define FIELD_HASH_MAX                                                         \
	(FIELD_PREFIX_MAX + PARTITION_TAG_MAX + LIMIT_NAME_MAX +               \
	    FIELD_SUFFIX_MAX + 1)
#define FIELD_MEMO_MAX                                                         \
	(FIELD_PREFIX_MAX + PARTITION_TAG_MAX + 3 + KEY_NAMED_MAX + 1)

/** Write the name of the hash that holds the buckets of ${limit} to ${to}, of
 * FIELD_HASH_MAX bytes: the prefix, the tag of their partition
 * (partition_tag()), ${name}, which is the limit's or hides it, and the
 * algorithm's suffix.  ${prefix} is at most FIELD_PREFIX_MAX bytes.  Return the
 * length. */
size_t field_hash_name(const char *prefix, const char *tag, const char *name,
    const struct limit *limit, char *to);

/** The same for a memo (store/redis/memo.h), of FIELD_MEMO_MAX bytes: the
 * prefix, the tag, "id:", and ${len} bytes of its own name. */
size_t field_memo_name(const char *prefix, const char *tag, const char *name,
    size_t len, char *to);

#endif
