#include "limit/algorithm.h"
#include "decision.h"
#include "suites.h"

#include "base/attr.h"
#include "limit/leaky_state.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700000000) * SECOND)

static struct limit
limit_of(int64_t capacity, int64_t recharge_us, int64_t block_us)
{
	return (struct limit){
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = capacity,
	    .recharge_us = recharge_us,
	    .block_us = block_us,
	};
}

static struct decision
decided(const struct limit *limit, enum op op, int64_t amount, int64_t now_us,
    struct bucket *bucket)
{
	struct bucket before = *bucket;
	struct decision decision;
	bool has_changed = decide(limit, op, amount, now_us, bucket, &decision);

	/* So this holds in every test here. */
	if (!has_changed)
		ck_assert(memcmp(bucket, &before, sizeof(before)) == 0);
	ck_assert(op != OP_PEEK || !has_changed);
	ck_assert(decision.level >= 0 && decision.level <= limit_most(limit));
	ck_assert(
	    decision.next_us >= 0 && decision.next_us <= limit->recharge_us);
	ck_assert(decision.blocked_us >= 0);
	ck_assert(!decision.allowed || decision.retry_us == 0);
	ck_assert(decision.allowed || decision.retry_us != 0);
	return decision;
}

static struct decision
consume(const struct limit *limit, int64_t amount, int64_t now_us,
    struct bucket *bucket)
{
	return decided(limit, OP_CONSUME, amount, now_us, bucket);
}

static struct decision
peek(const struct limit *limit, int64_t amount, int64_t now_us,
    struct bucket *bucket)
{
	return decided(limit, OP_PEEK, amount, now_us, bucket);
}

START_TEST(fills_to_the_capacity_and_leaks_a_drop_a_recharge)
{
	const struct limit limit = limit_of(3, 10 * SECOND, 0);
	struct bucket bucket = {0};
	int64_t now = START;

	check_decision(
	    consume(&limit, 1, now, &bucket), true, 1, 10 * SECOND, 0, 0);
	check_decision(
	    consume(&limit, 2, now, &bucket), true, 3, 10 * SECOND, 0, 0);
	now += 4 * SECOND;
	check_decision(consume(&limit, 1, now, &bucket), false, 3, 6 * SECOND,
	    6 * SECOND, 0);
	now += 6 * SECOND;
	check_decision(
	    consume(&limit, 1, now, &bucket), true, 3, 10 * SECOND, 0, 0);
	now += 30 * SECOND;
	ck_assert(limit.algorithm->is_drained(&bucket, now));
	check_decision(peek(&limit, 3, now, &bucket), true, 0, 0, 0, 0);
}
END_TEST

START_TEST(started_drop_counts_as_a_whole_one)
{
	const struct limit limit = limit_of(2, 10, 0);
	struct bucket bucket = {0};

	consume(&limit, 1, START, &bucket);
	check_decision(peek(&limit, 1, START + 9, &bucket), true, 1, 1, 0, 0);
	check_decision(peek(&limit, 2, START + 9, &bucket), false, 1, 1, 1, 0);
	check_decision(peek(&limit, 2, START + 10, &bucket), true, 0, 0, 0, 0);
}
END_TEST

START_TEST(overflow_starts_a_block)
{
	const struct limit limit = limit_of(2, SECOND, 60 * SECOND);
	struct bucket bucket = {0};
	int64_t now = START;

	consume(&limit, 2, now, &bucket);
	check_decision(consume(&limit, 1, now, &bucket), false, 2, SECOND,
	    60 * SECOND, 60 * SECOND);
	/* Leaking goes on; the block gets neither longer nor shorter. */
	now += 59 * SECOND;
	check_decision(
	    consume(&limit, 1, now, &bucket), false, 0, 0, SECOND, SECOND);
	ck_assert(!limit.algorithm->is_drained(&bucket, now));
	now += SECOND;
	ck_assert(limit.algorithm->is_drained(&bucket, now));
	check_decision(consume(&limit, 1, now, &bucket), true, 1, SECOND, 0, 0);
}
END_TEST

/* Five seconds, fifteen, forty-five and then a minute; forgotten after 50. */
static struct limit
growing_limit(void)
{
	struct limit limit = limit_of(1, SECOND, 5 * SECOND);

	limit.block_growth = 3;
	limit.block_max_us = 60 * SECOND;
	return limit;
}

START_TEST(blocks_in_a_row_grow_up_to_the_most)
{
	const struct limit limit = growing_limit();
	static const int64_t lengths[] = {5, 15, 45, 60, 60};
	struct bucket bucket = {0};
	int64_t now = START;

	ck_assert_int_eq(limit_block_memory_us(&limit), 50 * SECOND);
	ck_assert_int_eq(limit_life_us(&limit), 111 * SECOND);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		int64_t length = lengths[i] * SECOND;

		check_decision(
		    consume(&limit, 1, now, &bucket), true, 1, SECOND, 0, 0);
		check_decision(consume(&limit, 1, now, &bucket), false, 1,
		    SECOND, length, length);
		/* No request makes it longer. */
		check_decision(consume(&limit, 1, now + SECOND, &bucket), false,
		    0, 0, length - SECOND, length - SECOND);
		now += length + 40 * SECOND;
	}
}
END_TEST

START_TEST(blocks_are_forgotten_after_a_time)
{
	const struct limit limit = growing_limit();
	const struct algorithm *algorithm = limit.algorithm;
	struct bucket bucket = {0};
	int64_t end = START + 5 * SECOND, memory = 50 * SECOND;

	consume(&limit, 1, START, &bucket);
	consume(&limit, 1, START, &bucket);
	ck_assert(algorithm->is_drained(&bucket, end));
	ck_assert(algorithm->is_remembered(&bucket, memory, end + memory - 1));
	ck_assert(!algorithm->is_remembered(&bucket, memory, end + memory));
	/* What is let through changes nothing of it. */
	consume(&limit, 1, end + memory - 2 * SECOND, &bucket);
	ck_assert(algorithm->is_remembered(&bucket, memory, end + memory - 1));
	consume(&limit, 1, end + memory, &bucket);
	check_decision(consume(&limit, 1, end + memory, &bucket), false, 1,
	    SECOND, 5 * SECOND, 5 * SECOND);
}
END_TEST

START_TEST(reset_forgets_the_blocks)
{
	const struct limit limit = growing_limit();
	struct bucket bucket = {0};
	struct decision decision;

	consume(&limit, 1, START, &bucket);
	consume(&limit, 1, START, &bucket);
	ck_assert(decide(
	    &limit, OP_RESET, 0, START + 20 * SECOND, &bucket, &decision));
	consume(&limit, 1, START + 20 * SECOND, &bucket);
	check_decision(consume(&limit, 1, START + 20 * SECOND, &bucket), false,
	    1, SECOND, 5 * SECOND, 5 * SECOND);
}
END_TEST

START_TEST(strikes_share_a_number_with_the_recharge)
{
	static const struct leaky_state states[] = {
	    {1, 0, 2, 63, STRIKES_RECHARGE_BELOW - 1, 1},
	    {1, 999, 2, 63, 999999, TICKS_FINE}, {1, 0, 2, 1, 0, 1},
	    {1, 7, 2, 1, 1, TICKS_FINE}, {1, 999, 2, 0, 999999, TICKS_FINE},
	    {1, 0, 2, 0, LIMIT_SPAN_MAX - 1, 1}};

	for (size_t i = 0; i < COUNT(states); i++) {
		struct bucket bucket = leaky_state_close(&states[i]);
		struct leaky_state state = leaky_state_open(&bucket);

		ck_assert_int_le(bucket.leaky.recharge, BUCKET_NUMBER_MAX);
		ck_assert_mem_eq(&state, &states[i], sizeof(state));
	}
}
END_TEST

START_TEST(block_shorter_than_the_leak_leaves_the_leak_in_retry)
{
	const struct limit limit = limit_of(2, 10 * SECOND, SECOND);
	struct bucket bucket = {0};

	consume(&limit, 2, START, &bucket);
	check_decision(consume(&limit, 1, START, &bucket), false, 2,
	    10 * SECOND, 10 * SECOND, SECOND);
}
END_TEST

START_TEST(charge_goes_in_up_to_the_debt_and_delays_what_comes_later)
{
	struct limit limit = limit_of(3, 10 * SECOND, 0);
	struct bucket bucket = {0};

	limit.debt = 2;
	check_decision(decided(&limit, OP_CHARGE, 4, START, &bucket), true, 4,
	    10 * SECOND, 0, 0);
	check_decision(decided(&limit, OP_CHARGE, 2, START, &bucket), false, 4,
	    10 * SECOND, 10 * SECOND, 0);
	check_decision(decided(&limit, OP_CHARGE, 1, START, &bucket), true, 5,
	    10 * SECOND, 0, 0);
	check_decision(decided(&limit, OP_CHARGE, 6, START, &bucket), false, 5,
	    10 * SECOND, RETRY_NEVER, 0);
	check_decision(consume(&limit, 1, START, &bucket), false, 5,
	    10 * SECOND, 30 * SECOND, 0);
	check_decision(consume(&limit, 1, START + 30 * SECOND - 1, &bucket),
	    false, 3, 1, 1, 0);
	check_decision(consume(&limit, 1, START + 30 * SECOND, &bucket), true,
	    3, 10 * SECOND, 0, 0);
	ck_assert_int_eq(limit_life_us(&limit), 50 * SECOND);
	ck_assert_int_eq(limit.algorithm->full_us(&limit), 30 * SECOND);
}
END_TEST

START_TEST(charge_without_debt_is_consume)
{
	const struct limit limit = limit_of(2, SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	check_decision(decided(&limit, OP_CHARGE, 2, START, &bucket), true, 2,
	    SECOND, 0, 0);
	check_decision(decided(&limit, OP_CHARGE, 3, START, &bucket), false, 2,
	    SECOND, RETRY_NEVER, 0);
	check_decision(decided(&limit, OP_CHARGE, 1, START, &bucket), false, 2,
	    SECOND, 60 * SECOND, 60 * SECOND);
	check_decision(
	    decided(&limit, OP_CHARGE, 1, START + 9 * SECOND, &bucket), false,
	    0, 0, 51 * SECOND, 51 * SECOND);
}
END_TEST

START_TEST(charge_with_a_debt_does_not_heed_a_block)
{
	struct limit limit = limit_of(1, 10 * SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	limit.debt = 2;
	consume(&limit, 1, START, &bucket);
	check_decision(consume(&limit, 1, START, &bucket), false, 1,
	    10 * SECOND, 60 * SECOND, 60 * SECOND);
	check_decision(decided(&limit, OP_CHARGE, 2, START + SECOND, &bucket),
	    true, 3, 9 * SECOND, 0, 59 * SECOND);
	check_decision(decided(&limit, OP_CHARGE, 1, START + SECOND, &bucket),
	    false, 3, 9 * SECOND, 9 * SECOND, 59 * SECOND);
	/* One that is denied starts a block. */
	check_decision(
	    decided(&limit, OP_CHARGE, 3, START + 60 * SECOND, &bucket), true,
	    3, 10 * SECOND, 0, 0);
	check_decision(
	    decided(&limit, OP_CHARGE, 1, START + 60 * SECOND, &bucket), false,
	    3, 10 * SECOND, 10 * SECOND, 60 * SECOND);
}
END_TEST

START_TEST(take_takes_what_fits_and_starts_no_block)
{
	const struct limit limit = limit_of(3, 10 * SECOND, 60 * SECOND);
	struct bucket bucket = {0};
	struct decision decision = decided(&limit, OP_TAKE, 2, START, &bucket);

	check_decision(decision, true, 2, 10 * SECOND, 0, 0);
	ck_assert_int_eq(decision.taken, 2);
	decision = decided(&limit, OP_TAKE, LIMIT_AMOUNT_MAX, START, &bucket);
	check_decision(decision, true, 3, 10 * SECOND, 0, 0);
	ck_assert_int_eq(decision.taken, 1);
	decision = decided(&limit, OP_TAKE, 9, START + SECOND, &bucket);
	check_decision(decision, false, 3, 9 * SECOND, 9 * SECOND, 0);
	ck_assert_int_eq(decision.taken, 0);
	decision = decided(&limit, OP_TAKE, 0, START + SECOND, &bucket);
	check_decision(decision, true, 3, 9 * SECOND, 0, 0);
	ck_assert_int_eq(decision.taken, 0);
	consume(&limit, 1, START + SECOND, &bucket); /* starts the block */
	decision = decided(&limit, OP_TAKE, 1, START + 40 * SECOND, &bucket);
	check_decision(decision, false, 0, 0, 21 * SECOND, 21 * SECOND);
	ck_assert_int_eq(decision.taken, 0);
	decision = decided(&limit, OP_TAKE, 1, START + 61 * SECOND, &bucket);
	ck_assert_int_eq(decision.taken, 1);
}
END_TEST

static struct decision
wait_for(const struct limit *limit, int64_t amount, int64_t wait_us,
    int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	decide_wait(limit, amount, wait_us, now_us, bucket, &decision);
	return decision;
}

START_TEST(wait_takes_its_place_and_says_when_it_has_room)
{
	struct limit limit = limit_of(2, 10 * SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	limit.queue_us = 25 * SECOND;
	check_decision(wait_for(&limit, 2, 25 * SECOND, START, &bucket), true,
	    2, 10 * SECOND, 0, 0);
	check_decision(wait_for(&limit, 1, 25 * SECOND, START, &bucket), true,
	    2, 10 * SECOND, 10 * SECOND, 0);
	check_decision(
	    wait_for(&limit, 1, 19 * SECOND, START + SECOND, &bucket), true, 2,
	    10 * SECOND, 19 * SECOND, 0);
	/* By a microsecond too late, and so when to ask again. */
	check_decision(
	    wait_for(&limit, 1, 25 * SECOND, START + 5 * SECOND - 1, &bucket),
	    false, 2, 5 * SECOND + 1, 1, 0);
	check_decision(wait_for(&limit, 3, 25 * SECOND, START, &bucket), false,
	    2, 10 * SECOND, RETRY_NEVER, 0);
	check_decision(wait_for(&limit, 0, 25 * SECOND, START, &bucket), true,
	    2, 10 * SECOND, 0, 0);
	check_decision(consume(&limit, 1, START + 30 * SECOND - 1, &bucket),
	    false, 2, 1, 60 * SECOND, 60 * SECOND);
	/* A block keeps it out, and it starts none. */
	check_decision(
	    wait_for(&limit, 1, 25 * SECOND, START + 40 * SECOND, &bucket),
	    false, 0, 0, 50 * SECOND - 1, 50 * SECOND - 1);
	ck_assert_int_eq(limit_life_us(&limit), (20 + 25 + 60) * SECOND);
}
END_TEST

START_TEST(wait_of_a_fine_rate_is_never_early)
{
	struct limit limit = limit_of(1, 1, 0);
	struct bucket bucket = {0};

	limit.recharge_ns = 500;
	limit.queue_us = SECOND;
	check_decision(
	    wait_for(&limit, 1, SECOND, START, &bucket), true, 1, 2, 0, 0);
	check_decision(
	    wait_for(&limit, 1, SECOND, START, &bucket), true, 1, 2, 2, 0);
	check_decision(
	    wait_for(&limit, 1, SECOND, START, &bucket), true, 1, 2, 3, 0);
}
END_TEST

START_TEST(who_leaves_takes_its_drops_along_only_if_it_is_the_last)
{
	struct limit limit = limit_of(1, 10 * SECOND, 0);
	struct bucket bucket = {0}, first, second;

	limit.queue_us = 60 * SECOND;
	consume(&limit, 1, START, &bucket);
	wait_for(&limit, 1, 60 * SECOND, START, &bucket);
	first = bucket;
	wait_for(&limit, 1, 60 * SECOND, START, &bucket);
	second = bucket;
	ck_assert(!decide_leave(
	    &limit, 1, bucket_stamp(&first), START + SECOND, &bucket));
	ck_assert_mem_eq(&bucket, &second, sizeof(bucket));
	ck_assert(decide_leave(
	    &limit, 1, bucket_stamp(&second), START + SECOND, &bucket));
	ck_assert_int_eq(bucket_stamp(&bucket), bucket_stamp(&first));
	/* Now that is the last; it gives back what has not leaked yet. */
	ck_assert(decide_leave(
	    &limit, 1, bucket_stamp(&first), START + 15 * SECOND, &bucket));
	ck_assert(limit.algorithm->is_drained(&bucket, START + 15 * SECOND));
}
END_TEST

/* The same for the same seed; below ${below}. */
static int64_t
any(uint64_t *seed, int64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (int64_t)(*seed >> 33) % below;
}

#define TURNS 100

struct turn {
	int64_t at_us, stamp; /* when it goes ahead; 0: it left */
};

/* In any time, no more go ahead than the capacity and what leaks meanwhile. */
static void
check_bound(const struct limit *limit, const struct turn *turns, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int64_t since_us = turns[i].at_us;

		for (unsigned k = 0; k < count && since_us > 0; k++) {
			int64_t span_us = turns[k].at_us - since_us;
			int64_t within = 0;

			if (span_us < 0)
				continue;
			for (unsigned n = 0; n < count; n++)
				within += turns[n].at_us >= since_us &&
					  turns[n].at_us <= turns[k].at_us;
			ck_assert_int_le(within,
			    limit->capacity + span_us / limit->recharge_us);
		}
	}
}

/* Some consume, some wait, and some of these leave before their time. */
START_TEST(whoever_leaves_the_bound_holds)
{
	struct limit limit = limit_of(1 + _i % 4, 1000, 0);
	struct turn turns[TURNS];
	struct bucket bucket = {0};
	uint64_t seed = (uint64_t)_i;
	int64_t now_us = START;
	unsigned count = 0;

	limit.queue_us = 20000;
	while (count < TURNS) {
		unsigned which = (unsigned)any(&seed, count + 1);
		struct decision decision = {.allowed = false};

		now_us += any(&seed, 3) * any(&seed, 1200);
		switch (any(&seed, 4)) {
		case 0:
			if (which == count || turns[which].at_us <= now_us)
				break;
			decide_leave(
			    &limit, 1, turns[which].stamp, now_us, &bucket);
			turns[which].at_us = 0;
			break;
		case 1:
			decision = consume(&limit, 1, now_us, &bucket);
			break;
		default:
			decision = wait_for(&limit, 1, 20000, now_us, &bucket);
		}
		if (decision.allowed)
			turns[count++] = (struct turn){
			    now_us + decision.retry_us, bucket_stamp(&bucket)};
	}
	check_bound(&limit, turns, count);
}
END_TEST

START_TEST(peek_changes_nothing_and_starts_no_block)
{
	const struct limit limit = limit_of(1, SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	check_decision(peek(&limit, 1, START, &bucket), true, 0, 0, 0, 0);
	consume(&limit, 1, START, &bucket);
	check_decision(
	    peek(&limit, 1, START, &bucket), false, 1, SECOND, SECOND, 0);
	check_decision(peek(&limit, 0, START, &bucket), true, 1, SECOND, 0, 0);
	check_decision(peek(&limit, -1, START, &bucket), true, 1, SECOND, 0, 0);
}
END_TEST

START_TEST(reset_forgets_drops_and_block)
{
	const struct limit limit = limit_of(1, SECOND, 60 * SECOND);
	struct bucket bucket = {0};
	struct decision decision;

	consume(&limit, 1, START, &bucket);
	consume(&limit, 1, START, &bucket);
	ck_assert(decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	ck_assert(decision.allowed);
	ck_assert(limit.algorithm->is_drained(&bucket, 0));
	ck_assert(!decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	check_decision(
	    consume(&limit, 1, START, &bucket), true, 1, SECOND, 0, 0);
}
END_TEST

START_TEST(amount_of_zero_is_a_peek)
{
	const struct limit limit = limit_of(1, SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	consume(&limit, 1, START, &bucket);
	consume(&limit, 1, START, &bucket);
	check_decision(consume(&limit, 0, START, &bucket), true, 1, SECOND, 0,
	    60 * SECOND);
}
END_TEST

/*
 * Traps in earlier implementations.
 */

START_TEST(trap_amount_above_capacity_is_denied_for_ever_and_never_blocks)
{
	const struct limit limit = limit_of(5, SECOND, 60 * SECOND);
	struct bucket bucket = {0};

	check_decision(
	    consume(&limit, 6, START, &bucket), false, 0, 0, RETRY_NEVER, 0);
	consume(&limit, 2, START, &bucket);
	check_decision(consume(&limit, LIMIT_AMOUNT_MAX, START, &bucket), false,
	    2, SECOND, RETRY_NEVER, 0);
	check_decision(
	    peek(&limit, 6, START, &bucket), false, 2, SECOND, RETRY_NEVER, 0);
	check_decision(
	    consume(&limit, 3, START, &bucket), true, 5, SECOND, 0, 0);
}
END_TEST

START_TEST(trap_denied_consume_reports_and_keeps_the_level)
{
	const struct limit limit = limit_of(10, SECOND, 0);
	struct bucket bucket = {0};

	consume(&limit, 9, START, &bucket);
	check_decision(
	    consume(&limit, 2, START, &bucket), false, 9, SECOND, SECOND, 0);
	check_decision(peek(&limit, 1, START, &bucket), true, 9, SECOND, 0, 0);
	check_decision(
	    consume(&limit, 1, START, &bucket), true, 10, SECOND, 0, 0);
}
END_TEST

START_TEST(trap_give_back_while_blocked_is_not_lost)
{
	const struct limit limit = limit_of(2, SECOND, SECOND / 2);
	struct bucket bucket = {0};
	int64_t now = START;

	consume(&limit, 2, now, &bucket);
	consume(&limit, 1, now, &bucket);
	check_decision(
	    consume(&limit, -2, now, &bucket), true, 0, 0, 0, SECOND / 2);
	check_decision(consume(&limit, 1, now, &bucket), false, 0, 0,
	    SECOND / 2, SECOND / 2);
	now += SECOND / 2;
	check_decision(consume(&limit, 2, now, &bucket), true, 2, SECOND, 0, 0);
}
END_TEST

START_TEST(trap_give_back_works_after_the_capacity_was_lowered)
{
	const struct limit before = limit_of(10, SECOND, 0);
	const struct limit after = limit_of(3, SECOND, 0);
	struct bucket bucket = {0};

	consume(&before, 9, START, &bucket);
	check_decision(
	    consume(&after, -7, START, &bucket), true, 2, SECOND, 0, 0);
	check_decision(
	    consume(&after, 1, START, &bucket), true, 3, SECOND, 0, 0);
	check_decision(consume(&after, -3, START, &bucket), true, 0, 0, 0, 0);
}
END_TEST

START_TEST(trap_give_back_keeps_the_phase)
{
	const struct limit limit = limit_of(3, 10, 0);
	struct bucket bucket = {0}, before;

	consume(&limit, 2, START, &bucket);
	check_decision(
	    consume(&limit, -1, START + 4, &bucket), true, 1, 6, 0, 0);
	before = bucket;
	consume(&limit, 2, START + 5, &bucket);
	consume(&limit, -2, START + 5, &bucket);
	ck_assert_mem_eq(&bucket, &before, sizeof(before));
	check_decision(peek(&limit, 1, START + 5, &bucket), true, 1, 5, 0, 0);
}
END_TEST

/* Of ten drops, four leaked, and what others put in since then stays. */
START_TEST(trap_what_leaked_meanwhile_is_not_given_back)
{
	const struct limit limit = limit_of(20, SECOND, 0);
	const int64_t later = START + 4 * SECOND;
	struct bucket bucket = {0};
	int64_t stamp;

	consume(&limit, 10, START, &bucket);
	stamp = bucket.leaky.empty_at_us;
	consume(&limit, 5, later, &bucket);
	limit.algorithm->give_back(&limit, 10, stamp, later, &bucket);
	check_decision(peek(&limit, 1, later, &bucket), true, 5, SECOND, 0, 0);
}
END_TEST

START_TEST(trap_giving_back_more_than_there_is_leaves_an_empty_bucket)
{
	const struct limit limit = limit_of(2, 10, 0);
	struct bucket bucket = {0};

	consume(&limit, 1, START, &bucket);
	check_decision(consume(&limit, -LIMIT_AMOUNT_MAX, START, &bucket), true,
	    0, 0, 0, 0);
	ck_assert(limit.algorithm->is_drained(&bucket, START));
	check_decision(
	    consume(&limit, 3, START, &bucket), false, 0, 0, RETRY_NEVER, 0);
	check_decision(consume(&limit, 2, START, &bucket), true, 2, 10, 0, 0);
}
END_TEST

START_TEST(trap_giving_back_a_started_drop_leaves_nothing)
{
	const struct limit limit = limit_of(3, 10, 0);
	struct bucket bucket = {0};

	consume(&limit, 2, START, &bucket);
	check_decision(
	    consume(&limit, -2, START + 5, &bucket), true, 0, 0, 0, 0);
	ck_assert(limit.algorithm->is_drained(&bucket, START + 5));
}
END_TEST

START_TEST(trap_phase_of_a_drained_bucket_does_not_survive)
{
	const struct limit limit = limit_of(2, SECOND, 0);
	struct bucket bucket = {0};
	int64_t now = START;

	consume(&limit, 1, now, &bucket);
	now += 100 * SECOND - 160000;
	check_decision(consume(&limit, 2, now, &bucket), true, 2, SECOND, 0, 0);
	now += 160000;
	check_decision(consume(&limit, 1, now, &bucket), false, 2,
	    SECOND - 160000, SECOND - 160000, 0);
}
END_TEST

START_TEST(trap_recharge_of_microseconds_loses_no_precision)
{
	const struct limit limit = limit_of(3, 7, 0);
	struct bucket bucket = {0};
	int64_t admitted = 0;

	for (int64_t us = 0; us <= 7000; us++)
		admitted += consume(&limit, 1, START + us, &bucket).allowed;
	ck_assert_int_eq(admitted, 3 + 7000 / 7);
}
END_TEST

START_TEST(trap_waiting_exactly_retry_is_enough_and_less_is_not)
{
	const struct limit limit = limit_of(7, 333333, (_i % 2) * SECOND);

	for (int64_t amount = 1; amount <= 7; amount++) {
		struct bucket bucket = {0};
		int64_t now = START;
		int64_t retry;

		consume(&limit, 7, now, &bucket);
		now += 12345 * _i;
		retry = consume(&limit, amount, now, &bucket).retry_us;
		if (retry == 0)
			continue;
		ck_assert(
		    !peek(&limit, amount, now + retry - 1, &bucket).allowed);
		ck_assert(
		    consume(&limit, amount, now + retry, &bucket).allowed);
	}
}
END_TEST

START_TEST(trap_retry_is_of_the_amount)
{
	const struct limit limit = limit_of(5, SECOND, 0);
	struct bucket bucket = {0};

	consume(&limit, 5, START, &bucket);
	for (int64_t amount = 1; amount <= 5; amount++)
		check_decision(peek(&limit, amount, START, &bucket), false, 5,
		    SECOND, amount * SECOND, 0);
}
END_TEST

START_TEST(trap_capacity_of_one_limits)
{
	const struct limit limit = limit_of(1, SECOND, 0);
	struct bucket bucket = {0};

	check_decision(
	    consume(&limit, 1, START, &bucket), true, 1, SECOND, 0, 0);
	check_decision(
	    consume(&limit, 1, START, &bucket), false, 1, SECOND, SECOND, 0);
	check_decision(
	    consume(&limit, 1, START + SECOND - 1, &bucket), false, 1, 1, 1, 0);
	check_decision(
	    consume(&limit, 1, START + SECOND, &bucket), true, 1, SECOND, 0, 0);
}
END_TEST

START_TEST(trap_idle_bucket_earns_no_more_than_its_capacity)
{
	const struct limit limit = limit_of(3, SECOND, 0);
	struct bucket bucket = {0};
	int64_t now = START;

	for (int round = 0; round < 3; round++, now += 1000000 * SECOND) {
		for (int i = 0; i < 3; i++)
			ck_assert(consume(&limit, 1, now, &bucket).allowed);
		ck_assert(!consume(&limit, 1, now, &bucket).allowed);
	}
}
END_TEST

/*
 * Limits that change, and the far ends.
 */

START_TEST(two_versions_of_a_limit_agree_on_the_drops)
{
	const struct limit a = limit_of(10, SECOND, 0);
	const struct limit b = limit_of(10, 2 * SECOND, 0);
	struct bucket bucket = {0};

	consume(&a, 7, START, &bucket);
	for (int i = 0; i < 100; i++) {
		check_decision(
		    consume(&b, 0, START, &bucket), true, 7, 2 * SECOND, 0, 0);
		check_decision(
		    consume(&b, 1, START, &bucket), true, 8, 2 * SECOND, 0, 0);
		check_decision(
		    consume(&a, -1, START, &bucket), true, 7, SECOND, 0, 0);
	}
}
END_TEST

START_TEST(refusal_changes_nothing)
{
	const struct limit large = limit_of(100, SECOND, 0);
	const struct limit small = limit_of(5, SECOND, 0);
	struct bucket bucket = {0}, before;

	consume(&large, 95, START, &bucket);
	before = bucket;
	check_decision(consume(&small, 5, START, &bucket), false, 5, SECOND,
	    95 * SECOND, 0);
	ck_assert_mem_eq(&bucket, &before, sizeof(before));
	check_decision(
	    consume(&large, 6, START, &bucket), false, 95, SECOND, SECOND, 0);
	check_decision(consume(&small, 5, START + 95 * SECOND, &bucket), true,
	    5, SECOND, 0, 0);
}
END_TEST

START_TEST(raised_limit_helps_at_once)
{
	const struct limit before = limit_of(2, 1800 * SECOND, 0);
	const struct limit after = limit_of(100, 36 * SECOND, 0);
	struct bucket bucket = {0};

	consume(&before, 2, START, &bucket);
	check_decision(
	    consume(&after, 1, START, &bucket), true, 3, 36 * SECOND, 0, 0);
}
END_TEST

/* Also where the bucket is full under the new limit too. */
START_TEST(raised_rate_holds_from_the_first_refusal_on)
{
	const struct limit before = limit_of(2, 3600 * SECOND, 0);
	const struct limit after = limit_of(2, SECOND, 0);
	struct bucket bucket = {0};

	consume(&before, 2, START, &bucket);
	check_decision(
	    consume(&after, 1, START, &bucket), false, 2, SECOND, SECOND, 0);
	check_decision(
	    consume(&after, 1, START + SECOND, &bucket), true, 2, SECOND, 0, 0);
}
END_TEST

START_TEST(lengthened_recharge_forgives_nothing)
{
	const struct limit before = limit_of(5, SECOND, 0);
	const struct limit after = limit_of(5, 60 * SECOND, 0);
	struct bucket bucket = {0};

	consume(&before, 5, START, &bucket);
	check_decision(consume(&after, 1, START, &bucket), false, 5,
	    60 * SECOND, 60 * SECOND, 0);
	check_decision(peek(&after, 1, START + 30 * SECOND, &bucket), false, 5,
	    30 * SECOND, 30 * SECOND, 0);
}
END_TEST

START_TEST(part_of_a_drop_is_rounded_up)
{
	const struct limit before = limit_of(5, 3, 0);
	const struct limit after = limit_of(5, 10, 0);
	struct bucket bucket = {0};

	consume(&before, 1, START, &bucket);
	check_decision(peek(&after, 0, START + 1, &bucket), true, 1, 7, 0, 0);
	check_decision(peek(&after, 0, START + 2, &bucket), true, 1, 4, 0, 0);
}
END_TEST

static const int64_t rates[] = {
    1001, 3333, 30000, 99999, 120000, 600000, 999999, 1000000};

/* For a second, with a request in each microsecond. */
START_TEST(fast_rates_are_kept)
{
	struct limit limit = limit_of(100, 1, 0);
	struct bucket bucket = {0};
	int64_t admitted = 0;

	limit_set_recharge(&limit, (1000 * SECOND + rates[_i] - 1) / rates[_i]);
	for (int64_t us = 0; us < SECOND; us++) {
		struct decision decision;

		decide(&limit, OP_CONSUME, 1, START + us, &bucket, &decision);
		admitted += decision.allowed;
		if (admitted > 100 + us * rates[_i] / SECOND)
			ck_abort_msg("%lld", (long long)us);
	}
	ck_assert_int_ge(admitted, 100 + rates[_i] * 999 / 1000);
}
END_TEST

START_TEST(retry_of_fast_rates_is_rounded_up)
{
	struct limit limit = limit_of(2, 33, 0);
	struct bucket bucket = {0};
	struct decision decision;

	limit.recharge_ns = 334;
	decide(&limit, OP_CONSUME, 2, START, &bucket, &decision);
	decide(&limit, OP_CONSUME, 1, START, &bucket, &decision);
	check_decision(decision, false, 2, 34, 34, 0);
	ck_assert_int_eq(decision.empty_us, 67);
	decide(&limit, OP_PEEK, 1, START + 33, &bucket, &decision);
	ck_assert(!decision.allowed);
	decide(&limit, OP_CONSUME, 1, START + 34, &bucket, &decision);
	check_decision(decision, true, 2, 33, 0, 0);
	ck_assert(!limit.algorithm->is_drained(&bucket, START + 100));
	ck_assert(limit.algorithm->is_drained(&bucket, START + 101));
}
END_TEST

START_TEST(drops_stay_drops_between_fast_and_slow)
{
	struct limit fast = limit_of(100, 33, 0);
	const struct limit slow = limit_of(100, SECOND, 0);
	struct bucket bucket = {0};
	struct decision decision;

	fast.recharge_ns = 334;
	decide(&fast, OP_CONSUME, 9, START, &bucket, &decision);
	check_decision(
	    consume(&slow, 1, START, &bucket), true, 10, SECOND, 0, 0);
	decide(&fast, OP_CONSUME, 1, START, &bucket, &decision);
	check_decision(decision, true, 11, 34, 0, 0);
}
END_TEST

START_TEST(recharge_that_is_not_known_is_ones_own)
{
	const struct limit limit = limit_of(5, 10 * SECOND, 0);
	struct bucket bucket = {.leaky = {START + 50 * SECOND, 0, 0}};

	check_decision(consume(&limit, 1, START, &bucket), false, 5,
	    10 * SECOND, 10 * SECOND, 0);
	ck_assert_int_eq(bucket.leaky.empty_at_us, START + 50 * SECOND);
	ck_assert_int_eq(bucket.leaky.recharge, 2 * 10 * SECOND);
}
END_TEST

START_TEST(limits_that_come_along_have_time_in_common)
{
	struct limit large, small;
	struct bucket bucket = {0}, before;

	limit_init_inline(&large, 100, 60 * SECOND * 1000, 0);
	limit_init_inline(&small, 5, 30 * SECOND * 1000, 1);
	consume(&large, 95, START, &bucket);
	before = bucket;
	check_decision(consume(&small, 5, START, &bucket), false, 5,
	    30 * SECOND, 95 * 60 * SECOND, 0);
	ck_assert_mem_eq(&bucket, &before, sizeof(before));
	check_decision(peek(&small, 5, START + (95 * 60 - 1) * SECOND, &bucket),
	    false, 1, SECOND, SECOND, 0);
}
END_TEST

START_TEST(block_goes_on_when_the_limit_changes)
{
	const struct limit before = limit_of(1, SECOND, 3600 * SECOND);
	const struct limit after = limit_of(1, SECOND, 10 * SECOND);
	struct bucket bucket = {0};

	consume(&before, 1, START, &bucket);
	consume(&before, 1, START, &bucket);
	check_decision(consume(&after, 1, START + SECOND, &bucket), false, 0, 0,
	    3599 * SECOND, 3599 * SECOND);
	check_decision(consume(&after, 1, START + 3600 * SECOND, &bucket), true,
	    1, SECOND, 0, 0);
}
END_TEST

START_TEST(largest_limits_do_not_overflow)
{
	const int64_t span = LIMIT_SPAN_MAX - 1;
	const struct limit slow = limit_of(1, span, span);
	const struct limit wide =
	    limit_of(LIMIT_CAPACITY_MAX, span / LIMIT_CAPACITY_MAX, span);
	struct bucket bucket = {0};

	consume(&slow, 1, START, &bucket);
	check_decision(
	    consume(&slow, 1, START, &bucket), false, 1, span, span, span);
	check_decision(consume(&slow, -LIMIT_AMOUNT_MAX, START, &bucket), true,
	    0, 0, 0, span);
	bucket = (struct bucket){0};
	check_decision(consume(&wide, LIMIT_AMOUNT_MAX, START, &bucket), true,
	    LIMIT_CAPACITY_MAX, wide.recharge_us, 0, 0);
	check_decision(consume(&wide, -LIMIT_AMOUNT_MAX, START, &bucket), true,
	    0, 0, 0, 0);
}
END_TEST

/* Numbers that look random, the same in each run. */
static uint64_t state;

static int64_t
draw(int64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)((state >> 1) % (uint64_t)below);
}

START_TEST(promise_no_interval_admits_more_than_capacity_and_leak)
{
	enum { ROUNDS = 1000 };
	static int64_t times[ROUNDS], admitted[ROUNDS];
	struct bucket bucket = {0};
	struct limit limit;
	int64_t now = START;

	state = 88172645463325252 + (uint64_t)_i;
	limit = limit_of(1 + draw(10), 1 + draw(100), draw(2) * draw(50));
	for (int i = 0; i < ROUNDS; i++) {
		int64_t amount = 1 + draw(limit.capacity);

		now += draw(4) * draw(limit.recharge_us);
		times[i] = now;
		admitted[i] =
		    consume(&limit, amount, now, &bucket).allowed ? amount : 0;
	}
	for (int i = 0; i < ROUNDS; i++) {
		int64_t sum = 0;

		for (int k = i; k < ROUNDS; k++) {
			int64_t leaked =
			    (times[k] - times[i]) / limit.recharge_us;

			sum += admitted[k];
			/* Check's own assertions are slow. */
			if (sum > limit.capacity + leaked)
				ck_abort_msg("from %d to %d", i, k);
		}
	}
}
END_TEST

Suite *
leaky_bucket_suite(void)
{
	Suite *suite = suite_create("leaky_bucket");
	TCase *tcase = tcase_create("leaky_bucket");
	TCase *traps = tcase_create("traps");

	tcase_add_test(
	    tcase, fills_to_the_capacity_and_leaks_a_drop_a_recharge);
	tcase_add_test(tcase, started_drop_counts_as_a_whole_one);
	tcase_add_test(tcase, overflow_starts_a_block);
	tcase_add_test(tcase, blocks_in_a_row_grow_up_to_the_most);
	tcase_add_test(tcase, blocks_are_forgotten_after_a_time);
	tcase_add_test(tcase, reset_forgets_the_blocks);
	tcase_add_test(tcase, strikes_share_a_number_with_the_recharge);
	tcase_add_test(
	    tcase, block_shorter_than_the_leak_leaves_the_leak_in_retry);
	tcase_add_test(
	    tcase, charge_goes_in_up_to_the_debt_and_delays_what_comes_later);
	tcase_add_test(tcase, charge_without_debt_is_consume);
	tcase_add_test(tcase, charge_with_a_debt_does_not_heed_a_block);
	tcase_add_test(tcase, take_takes_what_fits_and_starts_no_block);
	tcase_add_test(tcase, wait_takes_its_place_and_says_when_it_has_room);
	tcase_add_test(tcase, wait_of_a_fine_rate_is_never_early);
	tcase_add_test(
	    tcase, who_leaves_takes_its_drops_along_only_if_it_is_the_last);
	tcase_add_loop_test(tcase, whoever_leaves_the_bound_holds, 0, 40);
	tcase_add_test(tcase, peek_changes_nothing_and_starts_no_block);
	tcase_add_test(tcase, reset_forgets_drops_and_block);
	tcase_add_test(tcase, amount_of_zero_is_a_peek);
	tcase_add_test(tcase, two_versions_of_a_limit_agree_on_the_drops);
	tcase_add_test(tcase, refusal_changes_nothing);
	tcase_add_test(tcase, raised_limit_helps_at_once);
	tcase_add_test(tcase, raised_rate_holds_from_the_first_refusal_on);
	tcase_add_test(tcase, lengthened_recharge_forgives_nothing);
	tcase_add_test(tcase, part_of_a_drop_is_rounded_up);
	tcase_add_loop_test(tcase, fast_rates_are_kept, 0, COUNT(rates));
	tcase_add_test(tcase, retry_of_fast_rates_is_rounded_up);
	tcase_add_test(tcase, drops_stay_drops_between_fast_and_slow);
	tcase_add_test(tcase, recharge_that_is_not_known_is_ones_own);
	tcase_add_test(tcase, limits_that_come_along_have_time_in_common);
	tcase_add_test(tcase, block_goes_on_when_the_limit_changes);
	tcase_add_test(tcase, largest_limits_do_not_overflow);
	tcase_add_loop_test(tcase,
	    promise_no_interval_admits_more_than_capacity_and_leak, 0, 10);
	suite_add_tcase(suite, tcase);

	tcase_add_test(traps,
	    trap_amount_above_capacity_is_denied_for_ever_and_never_blocks);
	tcase_add_test(traps, trap_denied_consume_reports_and_keeps_the_level);
	tcase_add_test(traps, trap_give_back_while_blocked_is_not_lost);
	tcase_add_test(
	    traps, trap_give_back_works_after_the_capacity_was_lowered);
	tcase_add_test(traps, trap_give_back_keeps_the_phase);
	tcase_add_test(traps, trap_what_leaked_meanwhile_is_not_given_back);
	tcase_add_test(
	    traps, trap_giving_back_more_than_there_is_leaves_an_empty_bucket);
	tcase_add_test(traps, trap_giving_back_a_started_drop_leaves_nothing);
	tcase_add_test(traps, trap_phase_of_a_drained_bucket_does_not_survive);
	tcase_add_test(traps, trap_recharge_of_microseconds_loses_no_precision);
	tcase_add_loop_test(traps,
	    trap_waiting_exactly_retry_is_enough_and_less_is_not, 0, 200);
	tcase_add_test(traps, trap_retry_is_of_the_amount);
	tcase_add_test(traps, trap_capacity_of_one_limits);
	tcase_add_test(traps, trap_idle_bucket_earns_no_more_than_its_capacity);
	suite_add_tcase(suite, traps);
	return suite;
}
