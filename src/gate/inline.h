/**
 * inline: the limits that came with requests (CL.THROTTLE).
 *
 * Requests that bring equal limits share one, so that a store sees them as
 * questions under the same limit.  One cache a worker.  Those in use are as
 * many as the requests under way need; beyond INLINE_LIMITS_MAX, the one that
 * nobody uses any more and that was used least recently makes room for the
 * next.
 */
#ifndef GATE_INLINE_H
#define GATE_INLINE_H

#include "base/attr.h"
#include "limit/limit.h"

#include <stdint.h>

/** So many are kept for requests to come. */
#define INLINE_LIMITS_MAX 1024

struct inline_limits;

/** NULL: out of memory. */
struct inline_limits *inline_limits_new(void) MUST_USE;

/** The limit of that capacity and recharge (limit_init_inline()), which stays
 * until inline_limits_put() was called as often as this; or NULL: out of
 * memory. */
const struct limit *inline_limits_get(struct inline_limits *limits,
    int64_t capacity, int64_t recharge_us) MUST_USE;

/** Let go of it. */
void inline_limits_put(struct inline_limits *limits, const struct limit *limit);

/** Free it, or NULL.  No limit may be in use. */
void inline_limits_free(struct inline_limits *limits);

#endif
