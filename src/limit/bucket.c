#include "limit/bucket.h"

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What is left of ${fill} once ${amount} < 0 drops were given back.  As much as
 * the capacity empties any bucket; asked first, it also bounds the product. */
static int64_t
give_back(const struct limit *limit, int64_t fill, int64_t amount)
{
	if (amount <= -limit->capacity)
		return 0;
	return later(0, fill + amount * limit->recharge_us);
}

static void
describe(const struct limit *limit, int64_t amount, int64_t fill, int64_t block,
    struct decision *decision)
{
	int64_t recharge = limit->recharge_us;
	int64_t level = fill / recharge + (fill % recharge != 0);

	decision->level = level;
	decision->next_us = level == 0 ? 0 : fill - (level - 1) * recharge;
	decision->blocked_us = block;
	decision->retry_us = 0;
	if (amount > limit->capacity)
		decision->retry_us = RETRY_NEVER;
	else if (!decision->allowed)
		decision->retry_us =
		    later(block, fill - (limit->capacity - amount) * recharge);
}

bool
bucket_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	/* What the bucket holds, before and after it is held to the limit. */
	const int64_t held_fill = later(0, bucket->empty_at_us - now_us);
	const int64_t held_block = later(0, bucket->blocked_until_us - now_us);
	const int64_t full = limit->capacity * limit->recharge_us;
	int64_t fill = clamp(held_fill, 0, full);
	int64_t block = clamp(held_block, 0, limit->block_us);
	bool never = amount > limit->capacity;

	if (op == OP_RESET) {
		*bucket = (struct bucket){0};
		*decision = (struct decision){.allowed = true};
		return held_fill > 0 || held_block > 0;
	}
	decision->allowed =
	    amount <= 0 || (!never && block == 0 &&
			       amount * limit->recharge_us <= full - fill);
	if (op == OP_PEEK || never || amount == 0) {
		describe(limit, amount, fill, block, decision);
		return false;
	}
	if (amount < 0)
		fill = give_back(limit, fill, amount);
	else if (decision->allowed)
		fill += amount * limit->recharge_us;
	else if (block == 0)
		block = limit->block_us;
	describe(limit, amount, fill, block, decision);

	/* Where the clamp took something off, a denial keeps that too.  Else a
	 * bucket filled before the clock jumped back, or under a larger limit,
	 * would stay full until the clock is there, whatever retry promised. */
	if (fill == held_fill && block == held_block)
		return false;
	bucket->empty_at_us = fill ? now_us + fill : 0;
	bucket->blocked_until_us = block ? now_us + block : 0;
	return true;
}
