#include "store/mates.h"

/* Decide as if it were alone.  Return whether the others may pass. */
static bool
mates_decide_one(struct query *query, struct mate_bucket *at)
{
	if (query->op == OP_GIVE_BACK) {
		decide_give_back(query->limit, query->amount,
		    bucket_stamp(&query->bucket), at->now_us, &at->bucket);
		at->changed = true;
		return true;
	}
	if (query->op == OP_LEAVE) {
		at->changed = decide_leave(query->limit, query->amount,
		    bucket_stamp(&query->bucket), at->now_us, &at->bucket);
		decide(query->limit, OP_PEEK, query->amount, at->now_us,
		    &at->bucket, &query->decision);
		return true;
	}
	at->changed = mates_decide_alone(
	    query, at->now_us, &at->bucket, &query->decision);
	return query->decision.allowed || query->limit->shadow;
}

/* Another denies: take back what this one changed. */
static void
mates_take_back(
    struct query *query, struct mate_bucket *at, const struct bucket *before)
{
	if (!query->decision.allowed)
		return;
	at->bucket = *before;
	at->changed = false;
	mates_peek(query, at->now_us, &at->bucket);
}

void
mates_decide(struct query *first, struct mate_bucket *buckets)
{
	struct bucket before[MATES_MAX] UNINITIALIZED;
	bool allowed = true;
	unsigned i = 0;

	for (struct query *query = first; query; query = query->mate, i++) {
		before[i] = buckets[i].bucket;
		allowed &= mates_decide_one(query, &buckets[i]);
	}
	i = 0;
	for (struct query *query = first; query; query = query->mate, i++) {
		query->result =
		    query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
		query->charged =
		    op_puts(query->op) && allowed && query->decision.allowed;
		if (!allowed && first->mate)
			mates_take_back(query, &buckets[i], &before[i]);
	}
}

void
mates_settle(struct query *first, const int64_t *got, bool passed)
{
	for (struct query *query = first; query; query = query->mate, got++) {
		struct decision *decision = &query->decision;
		bool allowed = *got > 0 || (passed && !query->limit->shadow);

		if (query->op == OP_TAKE)
			decision->taken =
			    (int32_t)(*got < query->amount ? *got
							   : query->amount);
		if (decision->allowed == allowed)
			continue;
		decision->allowed = allowed;
		decision->retry_us = 0;
	}
}

bool
mates_passed(const struct query *first)
{
	for (; first; first = first->mate)
		if (!first->decision.allowed && !first->limit->shadow)
			return false;
	return true;
}

void
mates_abandon(struct query *first, enum unavailable why)
{
	for (struct query *query = first; query; query = query->mate) {
		query->result = RESULT_UNAVAILABLE;
		query->why = why;
		query->charged = false;
	}
}

unsigned
mates_count(const struct query *first)
{
	unsigned count = 0;

	for (; first; first = first->mate)
		count++;
	return count;
}
