/**
 * deny_log: what a denial says of a bucket that has a log (limit/leases.h),
 * when the log itself is gone.
 *
 * It holds until the first of the drops ends, by when another denial comes from
 * Redis.  Times are those of the caller.
 *
 * Pure: no clock.
 */
#ifndef STORE_DENY_LOG_H
#define STORE_DENY_LOG_H

#include "base/attr.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct deny_log {
	int64_t next_us;  /* when the first drop ends */
	int64_t retry_us; /* when as many have ended as were lacking */
	int64_t empty_us; /* when all have */
	int32_t lacks;    /* so many too much for what was asked */
	int32_t level;    /* of all drops, even above the capacity */
};

/** Read what ${query}, which was denied at ${now_us}, says.  False: nothing. */
bool deny_log_learn(
    struct deny_log *log, const struct query *query, int64_t now_us) MUST_USE;

/** Deny ${query} at ${now_us}, as Redis would then.  False: it would perhaps
 * not, or ${log} does not say when it will no more. */
bool deny_log_decide(
    const struct deny_log *log, struct query *query, int64_t now_us) MUST_USE;

#endif
