/**
 * decide: one operation on one bucket, by the algorithm of its limit.
 */
#ifndef LIMIT_DECIDE_H
#define LIMIT_DECIDE_H

#include "limit/bucket.h"
#include "limit/window.h"

/** bucket_decide() or window_decide(). */
static inline bool
decide(const struct limit *limit, enum op op, int64_t amount, int64_t now_us,
    struct bucket *bucket, struct decision *decision)
{
	switch (limit->algorithm) {
	case ALGORITHM_LEAKY_BUCKET:
		break;
	case ALGORITHM_FIXED_WINDOW:
		return window_decide(
		    limit, op, amount, now_us, bucket, decision);
	}
	return bucket_decide(limit, op, amount, now_us, bucket, decision);
}

#endif
