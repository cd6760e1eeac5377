/*
 * The leaky bucket, exactly.
 *
 * A bucket is kept as the time at which it will have leaked empty, not as a
 * level: one integer, no rounding, and an empty bucket equals an absent one.
 * Beside it the bucket keeps the recharge Rw under which it was written, so
 * that drops stay drops when the limit changes.  With capacity C, recharge R
 * and block B:
 *
 *   fill  = max(0, empty_at - now) * R / Rw, rounded up    leaking still to do
 *   drops = ceil(fill / R)
 *   level = drops, reported as at most C + D
 *   next  = drops == 0 ? 0 : fill - (drops-1)*R
 *   block = max(0, blocked_until - now)
 *
 * A consume of n > 0 passes if it is not blocked and fill + n*R <= C*R; it then
 * sets empty_at = now + fill + n*R and Rw = R.  This is the leaky bucket as a
 * meter, or GCRA (ITU-T I.371, annex A) with increment R and tolerance (C-1)*R.
 *
 * A refusal takes nothing out and puts nothing in, also if the bucket holds
 * more than C: other daemons may have another version of the limit, and the
 * loosest version's bound is what is promised.  But if Rw is not R, any consume
 * writes the same drops under R, so that they leak at the new rate from then
 * on, as retry says.
 *
 * A charge of n > 0 passes if fill + n*R <= (C+D)*R, where D is the debt; with
 * a debt, also while blocked.  What is above C delays what comes later by as
 * much. A take of n puts in what fits of n, and never starts a block.
 *
 * A wait of n > 0 passes if fill + n*R <= C*R + W, where W is how long it may
 * wait; it has waited long enough after fill + n*R - C*R.  Until then there is
 * no room for what comes behind it.  It never starts a block.  It may leave,
 * and take its drops along, while empty_at is still the one that it wrote.
 *
 * Where blocks grow by a factor G, the k-th in a row lasts min(B * G^(k-1),
 * max). A bucket keeps k, its strikes, and forgets it when the limit's memory
 * has passed since the end of the last block.
 *
 * Times are in ticks.  A tick is a microsecond, or a thousandth of one for
 * rates for which microseconds are too coarse (above 1,000/s, as 30000/s).
 *
 * Limits that come with requests (CL.THROTTLE) share buckets by redis-cell's
 * rules: what a bucket holds is time, and Rw is not looked at.
 *
 * lua/algorithm/leaky_bucket.lua is the same arithmetic, and a test holds the
 * two equal.  The heart is leaky_bucket_decide().
 */
#include "limit/leaky_bucket.h"

static int64_t
leaky_bucket_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
leaky_bucket_full_us(const struct limit *limit)
{
	return leaky_bucket_us(limit->capacity * leaky_bucket_recharge(limit),
	    leaky_bucket_ticks(limit));
}

static int64_t
leaky_bucket_life_us(const struct limit *limit)
{
	const int64_t ticks = leaky_bucket_ticks(limit);
	int64_t debt = limit->debt * leaky_bucket_recharge(limit);

	return leaky_bucket_full_us(limit) +
	       leaky_bucket_later(
		   limit->queue_us, leaky_bucket_us(debt, ticks)) +
	       (limit->block_growth > 0 ? limit->block_max_us
					: limit->block_us) +
	       limit_block_memory_us(limit);
}

/*
 * The decision.
 */

/* How long it leaks until it is empty, in its own ticks. */
static int64_t
leaky_bucket_span(const struct leaky_state *state, int64_t now_us)
{
	int64_t span_us = state->empty_at_us - now_us;

	if (span_us < 0)
		return 0;
	if (span_us >= SPAN_MAX / state->ticks)
		return SPAN_MAX;
	return span_us * state->ticks + state->empty_ticks;
}

/* left * to / from, rounded up, for ${left} < ${from}: bit by bit if the
 * product has more than 64 bits. */
static uint64_t
leaky_bucket_divide(uint64_t left, uint64_t to, uint64_t from)
{
	uint64_t product, part = 0, rest = 0;

	if (!__builtin_mul_overflow(left, to, &product))
		return product / from + (product % from != 0);
	for (uint64_t bit = UINT64_C(1) << 52; bit > 0; bit >>= 1) {
		rest = rest * 2 + (to & bit ? left : 0);
		part = part * 2 + rest / from;
		rest %= from;
	}
	return part + (rest != 0);
}

/* span * to / from, rounded up. */
static int64_t
leaky_bucket_scale(int64_t span, int64_t to, int64_t from)
{
	int64_t whole = span / from;
	int64_t scaled;

	if (whole > SPAN_MAX / to)
		return SPAN_MAX;
	scaled =
	    whole * to + (int64_t)leaky_bucket_divide((uint64_t)(span % from),
			     (uint64_t)to, (uint64_t)from);
	return scaled < SPAN_MAX ? scaled : SPAN_MAX;
}

/* Whether the bucket was written under another recharge, or under an unknown
 * one, which counts as this one.  Not for limits that came with requests: their
 * buckets hold time. */
static bool
leaky_bucket_is_foreign(
    const struct limit *limit, const struct leaky_state *state)
{
	return !limit->is_inline &&
	       (state->recharge != leaky_bucket_recharge(limit) ||
		   state->ticks != leaky_bucket_ticks(limit));
}

/* What it holds, in the ticks of the limit. */
static int64_t
leaky_bucket_fill(
    const struct limit *limit, const struct leaky_state *state, int64_t now_us)
{
	int64_t span = leaky_bucket_span(state, now_us);

	if (state->recharge > 0 && leaky_bucket_is_foreign(limit, state))
		return leaky_bucket_scale(
		    span, leaky_bucket_recharge(limit), state->recharge);
	if (state->ticks == leaky_bucket_ticks(limit))
		return span;
	return leaky_bucket_scale(
	    span, leaky_bucket_ticks(limit), state->ticks);
}

/* The drops in ${fill}, a started one counting as a whole. */
static int64_t
leaky_bucket_drops(int64_t fill, int64_t recharge)
{
	return fill / recharge + (fill % recharge != 0);
}

/* What is left of ${fill} once ${amount} < 0 drops were given back. */
static int64_t
leaky_bucket_take_out(int64_t recharge, int64_t fill, int64_t amount)
{
	if (-amount >= leaky_bucket_drops(fill, recharge))
		return 0;
	return fill + amount * recharge;
}

/* How many of ${amount} drops TAKE puts in.  If none fits, it is decided as one
 * drop, which does not. */
static int64_t
leaky_bucket_take(const struct limit *limit, int64_t amount, int64_t fill,
    int64_t block, struct decision *decision)
{
	const int64_t recharge = leaky_bucket_recharge(limit);
	const int64_t room = limit->capacity * recharge - fill;
	int64_t fit = block == 0 && room > 0 ? room / recharge : 0;

	decision->taken = 0;
	if (amount <= 0)
		return amount;
	decision->taken = (int32_t)(fit < amount ? fit : amount);
	return decision->taken > 0 ? decision->taken : 1;
}

/* Until no more than ${room} drops are left, and the block that keeps them out
 * is over. */
static int64_t
leaky_bucket_retry(
    const struct limit *limit, int64_t room, int64_t fill, int64_t block)
{
	if (room < 0)
		return RETRY_NEVER;
	return leaky_bucket_later(
	    block, leaky_bucket_us(fill - room * leaky_bucket_recharge(limit),
		       leaky_bucket_ticks(limit)));
}

static void
leaky_bucket_tell(const struct limit *limit, int64_t fill, int64_t block,
    struct decision *decision)
{
	const int64_t recharge = leaky_bucket_recharge(limit);
	const int64_t ticks = leaky_bucket_ticks(limit);
	int64_t drops = leaky_bucket_drops(fill, recharge);
	int64_t next = drops == 0 ? 0 : fill - (drops - 1) * recharge;

	decision->level = drops < limit_most(limit) ? drops : limit_most(limit);
	decision->next_us = leaky_bucket_us(next, ticks);
	decision->empty_us = leaky_bucket_us(fill, ticks);
	decision->blocked_us = block;
}

/* The last block, as long as it matters: all 0 then. */
struct leaky_penalty {
	int64_t until_us;
	int64_t strikes; /* where blocks grow */
};

static struct leaky_penalty
leaky_bucket_penalty(
    const struct limit *limit, const struct leaky_state *state, int64_t now_us)
{
	int64_t until_us = state->blocked_until_us;

	if (until_us == 0 || until_us + limit_block_memory_us(limit) <= now_us)
		return (struct leaky_penalty){0, 0};
	if (limit->block_growth == 0)
		return (struct leaky_penalty){until_us, 0};
	if (until_us > now_us + GROWTH_SPAN_MAX)
		until_us = now_us + GROWTH_SPAN_MAX;
	return (struct leaky_penalty){
	    until_us, leaky_bucket_later(1, state->strikes)};
}

/* How long the block is that follows so many. */
static int64_t
leaky_bucket_next_block(const struct limit *limit, int64_t strikes)
{
	int64_t block = limit->block_us;

	if (limit->block_growth == 0)
		return block;
	for (; strikes > 0; strikes--) {
		if (block > limit->block_max_us / limit->block_growth)
			return limit->block_max_us;
		block *= limit->block_growth;
	}
	return block;
}

static void
leaky_bucket_strike(
    const struct limit *limit, int64_t until_us, struct leaky_penalty *penalty)
{
	penalty->until_us = until_us;
	if (limit->block_growth > 0 && penalty->strikes < STRIKES_MAX)
		penalty->strikes++;
}

static void
leaky_bucket_write(const struct limit *limit, int64_t now_us, int64_t fill,
    const struct leaky_penalty *penalty, struct bucket *bucket)
{
	struct leaky_state state = {.ticks = 1,
	    .blocked_until_us = penalty->until_us,
	    .strikes = penalty->strikes};

	if (fill > 0) {
		state.ticks = leaky_bucket_ticks(limit);
		state.empty_at_us = now_us + fill / state.ticks;
		state.empty_ticks = fill % state.ticks;
		state.recharge =
		    limit->is_inline ? 0 : leaky_bucket_recharge(limit);
	}
	*bucket = leaky_state_close(&state);
}

/* A wait may wait for ${wait_us}; others, for 0. */
static inline bool
leaky_bucket_decide_within(const struct limit *limit, enum op op,
    int64_t amount, int64_t wait_us, int64_t now_us, struct bucket *bucket,
    struct decision *decision)
{
	const struct leaky_state state = leaky_state_open(bucket);
	const int64_t recharge = leaky_bucket_recharge(limit);
	const int64_t most =
	    op == OP_CHARGE ? limit_most(limit) : limit->capacity;
	const int64_t wait = wait_us * leaky_bucket_ticks(limit);
	const int64_t full = most * recharge + wait;
	const int64_t held_fill = leaky_bucket_fill(limit, &state, now_us);
	struct leaky_penalty penalty =
	    leaky_bucket_penalty(limit, &state, now_us);
	const int64_t held_block =
	    leaky_bucket_later(0, penalty.until_us - now_us);
	/* A charge with a debt pays no heed to the block. */
	const bool is_free = most > limit->capacity;
	int64_t fill = held_fill, block = held_block, delay = 0;
	bool never, is_question;

	if (op == OP_RESET) {
		*bucket = (struct bucket){0};
		*decision = (struct decision){.allowed = true};
		return held_fill > 0 || penalty.until_us > 0;
	}
	if (op == OP_TAKE)
		amount = leaky_bucket_take(
		    limit, amount, held_fill, held_block, decision);
	never = amount > most;
	decision->allowed =
	    amount <= 0 || (!never && (block == 0 || is_free) &&
			       amount * recharge <= full - fill);
	is_question = op == OP_PEEK || never || amount == 0;
	if (is_question)
		;
	else if (amount < 0)
		fill = leaky_bucket_take_out(recharge, fill, amount);
	else if (decision->allowed)
		fill += amount * recharge;
	else if (block == 0 && op != OP_TAKE && op != OP_WAIT)
		block = leaky_bucket_next_block(limit, penalty.strikes);
	if (op == OP_WAIT && decision->allowed && amount > 0)
		delay = leaky_bucket_later(0, fill + wait - full);
	leaky_bucket_tell(limit, fill - delay, block, decision);
	decision->retry_us = leaky_bucket_us(delay, leaky_bucket_ticks(limit));
	if (!decision->allowed)
		decision->retry_us = leaky_bucket_retry(
		    limit, most - amount, fill - wait, is_free ? 0 : block);
	if (is_question)
		return false;
	if (fill == held_fill && block == held_block &&
	    (fill == 0 || !leaky_bucket_is_foreign(limit, &state)))
		return false;
	if (block != held_block)
		leaky_bucket_strike(limit, now_us + block, &penalty);
	leaky_bucket_write(limit, now_us, fill, &penalty, bucket);
	return true;
}

static bool
leaky_bucket_decide(const struct limit *limit, enum op op, int64_t amount,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	return leaky_bucket_decide_within(
	    limit, op, amount, 0, now_us, bucket, decision);
}

static bool
leaky_bucket_wait(const struct limit *limit, int64_t amount, int64_t wait_us,
    int64_t now_us, struct bucket *bucket, struct decision *decision)
{
	return leaky_bucket_decide_within(
	    limit, OP_WAIT, amount, wait_us, now_us, bucket, decision);
}

/* A bucket leaks from below: what was put in last is what leaks last of what it
 * held then. */
static void
leaky_bucket_give_back(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	const struct leaky_state then = {
	    .empty_at_us = stamp, .ticks = leaky_bucket_ticks(limit)};
	const struct leaky_state state = leaky_state_open(bucket);
	int64_t fill = leaky_bucket_fill(limit, &state, now_us);
	struct leaky_penalty penalty =
	    leaky_bucket_penalty(limit, &state, now_us);
	int64_t left = leaky_bucket_span(&then, now_us);

	if (left > amount * leaky_bucket_recharge(limit))
		left = amount * leaky_bucket_recharge(limit);
	leaky_bucket_write(
	    limit, now_us, fill > left ? fill - left : 0, &penalty, bucket);
}

static bool
leaky_bucket_leave(const struct limit *limit, int64_t amount, int64_t stamp,
    int64_t now_us, struct bucket *bucket)
{
	const struct leaky_state state = leaky_state_open(bucket);
	int64_t fill = leaky_bucket_fill(limit, &state, now_us);

	if (now_us + fill / leaky_bucket_ticks(limit) != stamp)
		return false;
	leaky_bucket_give_back(limit, amount, stamp, now_us, bucket);
	return true;
}

static bool
leaky_bucket_is_drained(const struct bucket *bucket, int64_t now_us)
{
	const struct leaky_state state = leaky_state_open(bucket);

	return state.empty_at_us + (state.empty_ticks > 0) <= now_us &&
	       state.blocked_until_us <= now_us;
}

/* No bucket has a time beyond what its numbers hold. */
static int64_t
leaky_bucket_moved(int64_t time_us, int64_t by_us)
{
	time_us += by_us;
	if (time_us < 0)
		return 0;
	return time_us < BUCKET_NUMBER_MAX ? time_us : BUCKET_NUMBER_MAX;
}

static void
leaky_bucket_move(struct bucket *bucket, int64_t by_us)
{
	bucket->leaky.empty_at_us =
	    leaky_bucket_moved(bucket->leaky.empty_at_us, by_us);
	if (bucket->leaky.blocked_until_us > 0)
		bucket->leaky.blocked_until_us =
		    leaky_bucket_moved(bucket->leaky.blocked_until_us, by_us);
}

static bool
leaky_bucket_is_remembered(
    const struct bucket *bucket, int64_t memory_us, int64_t now_us)
{
	const struct leaky_state state = leaky_state_open(bucket);

	return state.strikes > 0 && state.blocked_until_us + memory_us > now_us;
}

const struct algorithm algorithm_leaky_bucket = {
    ALGORITHM_NAMED(leaky_bucket),
    .suffix = "",
    .words = leaky_bucket_words,
    .words_count = LEAKY_BUCKET_WORDS,
    .check = leaky_bucket_check,
    .describe = leaky_bucket_describe,
    .life_us = leaky_bucket_life_us,
    .full_us = leaky_bucket_full_us,
    .decide = leaky_bucket_decide,
    .give_back = leaky_bucket_give_back,
    .wait = leaky_bucket_wait,
    .leave = leaky_bucket_leave,
    .move = leaky_bucket_move,
    .is_drained = leaky_bucket_is_drained,
    .is_remembered = leaky_bucket_is_remembered,
    .read = leaky_bucket_read,
    .parameters = 4,
    .add_parameters = leaky_bucket_add_parameters,
};
