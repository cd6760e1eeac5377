/**
 * decision: what the tests of algorithms hold a decision to.
 */
#ifndef TESTS_UNIT_DECISION_H
#define TESTS_UNIT_DECISION_H

#include "limit/bucket.h"

#include <check.h>

static inline void
check_decision(struct decision decision, bool allowed, int64_t level,
    int64_t next_us, int64_t retry_us, int64_t blocked_us)
{
	ck_assert_int_eq(decision.allowed, allowed);
	ck_assert_int_eq(decision.level, level);
	ck_assert_int_eq(decision.next_us, next_us);
	ck_assert_int_eq(decision.retry_us, retry_us);
	ck_assert_int_eq(decision.blocked_us, blocked_us);
}

/** Of an algorithm without blocks. */
static inline void
check_unblocked(struct decision decision, bool allowed, int64_t level,
    int64_t next_us, int64_t retry_us)
{
	check_decision(decision, allowed, level, next_us, retry_us, 0);
}

#endif
