/**
 * inline_limits: the limits that came along with requests (CL.THROTTLE).
 *
 * Requests that bring equal limits share one, so that a store sees queries
 * under the same limit.  Each worker has a cache of them.  Requests under way
 * may use any number; beyond INLINE_LIMITS_MAX, a new one takes the place of
 * the unused one that was used least recently.
 */
#ifndef GATE_INLINE_LIMITS_H
#define GATE_INLINE_LIMITS_H

#include "base/attr.h"
#include "limit/limit.h"

#include <stdint.h>

/** This many stay for requests to come. */
#define INLINE_LIMITS_MAX 1024

struct inline_limits;

/** NULL: out of memory. */
struct inline_limits *inline_limits_new(void) MUST_USE;

/** The limit of that capacity and recharge (limit_init_inline()), which stays
 * until inline_limits_put() was called as often as this; or NULL: out of
 * memory. */
const struct limit *inline_limits_get(struct inline_limits *limits,
    int64_t capacity, int64_t recharge_ns) MUST_USE;

/** Give back what inline_limits_get() returned. */
void inline_limits_put(struct inline_limits *limits, const struct limit *limit);

/** Free it; NULL: no-op.  No limit may be in use. */
void inline_limits_free(struct inline_limits *limits);

#endif
