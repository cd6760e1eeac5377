#include "limit/window.h"

static void
describe(const struct limit *limit, int64_t amount, int64_t level,
    int64_t left_us, struct decision *decision)
{
	decision->level = level;
	decision->next_us = level == 0 ? 0 : left_us;
	decision->blocked_us = 0;
	decision->retry_us = 0;
	if (amount > limit->capacity)
		decision->retry_us = RETRY_NEVER;
	else if (!decision->allowed)
		decision->retry_us = left_us;
}

bool
window_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	const int64_t end = (now_us / limit->window_us + 1) * limit->window_us;
	const int64_t held =
	    bucket->empty_at_us >= end ? -bucket->blocked_until_us : 0;
	int64_t level = held < limit->capacity ? held : limit->capacity;
	bool never = amount > limit->capacity;

	if (op == OP_RESET) {
		*bucket = (struct bucket){0};
		*decision = (struct decision){.allowed = true};
		return held > 0;
	}
	decision->allowed =
	    amount <= 0 || (!never && amount <= limit->capacity - level);
	if (op == OP_PEEK || never || amount == 0) {
		describe(limit, amount, level, end - now_us, decision);
		return false;
	}
	if (decision->allowed)
		level = level + amount > 0 ? level + amount : 0;
	describe(limit, amount, level, end - now_us, decision);

	/* As in bucket.c, a denial keeps what was put right: a count from a
	 * later window becomes one of this window, and ends with it. */
	if (level == held && (held == 0 || bucket->empty_at_us == end))
		return false;
	bucket->empty_at_us = level ? end : 0;
	bucket->blocked_until_us = -level;
	return true;
}
