/**
 * bucket: the leaky bucket, exactly.
 *
 * Time is int64 microseconds.  A bucket is kept as the time at which it will
 * have leaked empty, not as a level: one integer, no rounding, and an empty
 * bucket equals an absent one.  With capacity C, recharge R and block B:
 *
 *   fill  = clamp(empty_at - now, 0, C*R)      leaking still to do
 *   level = ceil(fill / R)
 *   next  = level == 0 ? 0 : fill - (level-1)*R
 *   block = clamp(blocked_until - now, 0, B)
 *
 * A consume of n > 0 passes if it is not blocked and fill + n*R <= C*R; it then
 * sets empty_at = now + fill + n*R.  This is the leaky bucket as a meter, or
 * GCRA (ITU-T I.371, annex A) with increment R and tolerance (C-1)*R.
 * lua/leaky_bucket.lua is the same arithmetic, and a test holds the two equal.
 */
#ifndef LIMIT_BUCKET_H
#define LIMIT_BUCKET_H

#include "limit/limit.h"

#include <stdbool.h>
#include <stdint.h>

/** The state of one key under one limit; all zero is an empty bucket.
 * Drained, the same as absent, once both times are past. */
struct bucket {
	int64_t empty_at_us;      /* fixed window: end of the window counted */
	int64_t blocked_until_us; /* fixed window: -count, so no block */
};

/** retry_us of a decision: this amount can never fit. */
#define RETRY_NEVER INT64_C(-1)

struct decision {
	bool allowed;
	int64_t level;      /* drops in the bucket, after the decision */
	int64_t next_us;    /* until the next drop leaks; 0 if empty */
	int64_t retry_us;   /* until this amount can pass; or RETRY_NEVER */
	int64_t blocked_us; /* until the block ends */
};

/** What a decision rests on. */
enum from {
	FROM_NONE,
	FROM_MEMORY,
	FROM_REDIS,
	FROM_DENYCACHE,
	FROM_FALLBACK,
};

enum op { OP_CONSUME, OP_PEEK, OP_RESET };

/** Decide ${op} of ${amount} drops at time ${now_us} and bring ${bucket} up to
 * date.  ${amount} is from -LIMIT_AMOUNT_MAX to LIMIT_AMOUNT_MAX; a reset takes
 * none.  Return whether the bucket changed. */
bool bucket_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision);

/** Whether the bucket may be dropped at ${now_us}. */
static inline bool
bucket_is_drained(const struct bucket *bucket, int64_t now_us)
{
	return bucket->empty_at_us <= now_us &&
	       bucket->blocked_until_us <= now_us;
}

#endif
