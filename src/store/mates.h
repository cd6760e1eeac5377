/**
 * mates: queries that are decided together, see struct query.
 * Pure: no store, no clock.
 */
#ifndef STORE_MATES_H
#define STORE_MATES_H

#include "limit/algorithm.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/** The bucket of one of them. */
struct mate_bucket {
	int64_t now_us;       /* the time of its store */
	struct bucket bucket; /* before, and then after the decision */
	bool changed;
};

/** The amount by which OP_PEEK says how the bucket of ${query} is, though
 * another one denies: a charge that fits may be more than a peek that does. */
static inline int64_t
mates_peek_amount(const struct query *query)
{
	return query->op == OP_CHARGE ? 0 : query->amount;
}

/** Have ${query} say how its ${bucket} is, since another one denies.  What may
 * wait for its room keeps none from passing. */
static inline void
mates_peek(struct query *query, int64_t now_us, struct bucket *bucket)
{
	decide(query->limit, OP_PEEK, mates_peek_amount(query), now_us, bucket,
	    &query->decision);
	if (query->op == OP_WAIT)
		query->decision.allowed = true;
}

/** Decide ${query}, which is no OP_GIVE_BACK and no OP_LEAVE, by its limit.
 * Return whether the bucket changed. */
static inline bool
mates_decide_alone(const struct query *query, int64_t now_us,
    struct bucket *bucket, struct decision *decision)
{
	if (query->op == OP_WAIT)
		return decide_wait(query->limit, query->amount, query->wait_us,
		    now_us, bucket, decision);
	if (op_names_lease(query->op))
		return query->limit->algorithm->lease(query->limit, query->op,
		    query->lease, query->amount, now_us, bucket, decision);
	return decide(
	    query->limit, query->op, query->amount, now_us, bucket, decision);
}

/** Decide ${first} and its mates, whose buckets are those of ${buckets} in the
 * same order. */
void mates_decide(struct query *first, struct mate_bucket *buckets);

/** Have ${first} and its mates, which were decided again, end as they did: the
 * limits may have changed meanwhile.  ${got}: 0 denied; else, of a take, the
 * drops that went in, or 1 if none was asked for.  ${passed}: whether they all
 * did, but those in shadow. */
void mates_settle(struct query *first, const int64_t *got, bool passed);

/** Whether none of ${first} and its mates, which have their decisions, keeps
 * the others from passing. */
bool mates_passed(const struct query *first);

/** Give ${first} and its mates RESULT_UNAVAILABLE, and why. */
void mates_abandon(struct query *first, enum unavailable why);

/** How many there are, with ${first}. */
unsigned mates_count(const struct query *first);

#endif
