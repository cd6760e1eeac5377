/**
 * deny_cache: what a worker refuses without asking Redis.
 *
 * After a denial only time, a give-back or a reset lets the same amount pass.
 * So the worker keeps the bucket as Redis had it then, and refuses what Redis
 * would refuse now without changing the bucket (only Redis makes a refusal that
 * starts a block).  A denial is used for DENY_TRUST_US after its query was
 * received, so that give-backs and resets by other daemons are missed for no
 * longer.  Admissions by other workers and daemons are not seen for that time
 * either.  They cannot make a refusal wrong, but the reported level may be out
 * of date.
 *
 * Of a bucket that has a log the denial itself is kept (store/deny_log.h).
 * Leases that have names are left to Redis: they are mostly released before
 * they end, by any daemon.
 *
 * Three times make that exact: a query is received before Redis decides it, and
 * its result arrives after that.  Counting from the first, the cache refuses
 * nothing for longer than Redis would; counting from the last, a client that
 * waits for the reported retry passes in Redis.
 *
 * Owns: a fixed number of slots, one a bucket; a later bucket takes the slot.
 * Never: decides a PEEK; uses a denial of before a give-back or reset for a
 * query that came after it.
 */
#ifndef STORE_DENY_CACHE_H
#define STORE_DENY_CACHE_H

#include "base/attr.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define DENY_TRUST_US INT64_C(1000000)

/** Count the give-backs and resets of all workers; buckets share counters.  A
 * denial is used only while its counter stays the same. */
struct deny_marks;

/** NULL: out of memory. */
struct deny_marks *deny_marks_new(void) MUST_USE;

/** Free them; NULL: no-op.  No cache may be using them. */
void deny_marks_free(struct deny_marks *marks);

struct deny_cache;

/** Start with nothing known.  ${marks} are shared by the workers and outlive
 * it; ${clock} is clock_us(), or a test's.  NULL: out of memory. */
struct deny_cache *deny_cache_new(
    struct deny_marks *marks, int64_t (*clock)(void)) MUST_USE;

void deny_cache_free(struct deny_cache *cache);

/** Call this before each query.  True: the query has its result, a denial
 * DECIDED_BY_DENYCACHE.  False: ask Redis, and give the result to
 * deny_cache_learn(). */
bool deny_cache_decide(struct deny_cache *cache, struct query *query);

/** The same for a query that Redis must decide, whatever is known. */
void deny_cache_pass(struct deny_cache *cache, struct query *query);

/** Have the processor fetch what deny_cache_decide() will need for the query.
 */
void deny_cache_prefetch(
    const struct deny_cache *cache, const struct query *query);

/** Learn from the result of Redis, or from its absence. */
void deny_cache_learn(struct deny_cache *cache, const struct query *query);

/** Call this after each read from a client.  Refusals until the next read share
 * one reading of the clock, taken after the queries came, and before their
 * responses. */
void deny_cache_renew_time(struct deny_cache *cache);

/** Forget everything, including results still to come of queries made until
 * now. */
void deny_cache_empty(struct deny_cache *cache);

#endif
