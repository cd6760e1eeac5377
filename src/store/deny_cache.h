/**
 * deny_cache: what a worker refuses without asking Redis.
 *
 * After a denial nothing but time, a give-back or a reset lets the same amount
 * pass.  So the worker keeps the bucket as Redis had it then, and refuses by it
 * what Redis would refuse at this moment without changing the bucket (a
 * refusal that would start a block is Redis's to make).  A denial is good for
 * DENY_TRUST_US from when its question was received, so that what other daemons
 * give back or reset is never missed for longer.  Nor is what other workers and
 * daemons admit: it makes no refusal wrong, but its figures are those of
 * before.
 *
 * Three times make that exact.  A question is received before Redis decides it,
 * and answered after: counted from the first, nothing is refused for longer
 * than by Redis; counted from the second, who waits for the retry that is told
 * here passes there.
 *
 * Owns: a fixed number of slots, one a bucket; who comes later takes the slot.
 * Never: answers a PEEK, or what was asked after a give-back or reset by what
 * was asked before it.
 */
#ifndef STORE_DENY_CACHE_H
#define STORE_DENY_CACHE_H

#include "base/attr.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define DENY_TRUST_US INT64_C(1000000)

/** Count the give-backs and resets of all workers, a counter for some buckets:
 * a denial is good only as long as its counter has not moved. */
struct deny_marks;

/** NULL: out of memory. */
struct deny_marks *deny_marks_new(void) MUST_USE;

/** Free them, or NULL.  No cache may be using them. */
void deny_marks_free(struct deny_marks *marks);

struct deny_cache;

/** Start with nothing known.  ${marks} are shared by the workers and outlive
 * it; ${clock} is clock_us(), or a test's.  NULL: out of memory. */
struct deny_cache *deny_cache_new(
    struct deny_marks *marks, int64_t (*clock)(void)) MUST_USE;

void deny_cache_free(struct deny_cache *cache);

/** Before each question.  True: it is answered, by a denial FROM_DENYCACHE.
 * False: put it to Redis, and have deny_cache_learn() look at the answer. */
bool deny_cache_ask(struct deny_cache *cache, struct ask *ask);

/** Learn from the answer of Redis, or from there being none. */
void deny_cache_learn(struct deny_cache *cache, const struct ask *ask);

/** After each read from a client.  What is refused until the next one shares a
 * look at the clock: a time after the questions came, and before they are
 * answered. */
void deny_cache_renew_time(struct deny_cache *cache);

/** Forget everything, answers to what was asked until now included. */
void deny_cache_empty(struct deny_cache *cache);

#endif
