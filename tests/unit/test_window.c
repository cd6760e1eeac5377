#include "limit/decide.h"
#include "suites.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

/* The start of a minute. */
#define START (INT64_C(28333333) * MINUTE)

static const struct limit limit = {
    .algorithm = ALGORITHM_FIXED_WINDOW,
    .capacity = 3,
    .window_us = MINUTE,
};

static struct decision
consume(int64_t amount, int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	window_decide(&limit, OP_CONSUME, amount, now_us, bucket, &decision);
	return decision;
}

static struct decision
peek(int64_t amount, int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	ck_assert(
	    !window_decide(&limit, OP_PEEK, amount, now_us, bucket, &decision));
	return decision;
}

static void
check(struct decision decision, bool allowed, int64_t level, int64_t next_us,
    int64_t retry_us)
{
	ck_assert_int_eq(decision.allowed, allowed);
	ck_assert_int_eq(decision.level, level);
	ck_assert_int_eq(decision.next_us, next_us);
	ck_assert_int_eq(decision.retry_us, retry_us);
	ck_assert_int_eq(decision.blocked_us, 0);
}

START_TEST(counts_to_the_capacity_and_starts_anew_each_window)
{
	struct bucket bucket = {0};
	int64_t now = START + 20 * SECOND;

	check(consume(1, now, &bucket), true, 1, 40 * SECOND, 0);
	check(consume(2, now, &bucket), true, 3, 40 * SECOND, 0);
	check(consume(1, now, &bucket), false, 3, 40 * SECOND, 40 * SECOND);
	now = START + MINUTE - 1;
	check(consume(1, now, &bucket), false, 3, 1, 1);
	now = START + MINUTE;
	ck_assert(bucket_is_drained(&bucket, now));
	check(consume(3, now, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(windows_are_aligned_to_the_epoch)
{
	struct bucket bucket = {0};

	check(consume(1, START, &bucket), true, 1, MINUTE, 0);
	bucket = (struct bucket){0};
	check(consume(1, START - 1, &bucket), true, 1, 1, 0);
}
END_TEST

START_TEST(amount_above_capacity_is_denied_for_ever)
{
	struct bucket bucket = {0};

	check(consume(4, START, &bucket), false, 0, 0, RETRY_NEVER);
	consume(1, START, &bucket);
	check(consume(4, START, &bucket), false, 1, MINUTE, RETRY_NEVER);
}
END_TEST

START_TEST(denied_consume_keeps_the_count)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check(consume(2, START, &bucket), false, 2, MINUTE, MINUTE);
	check(consume(1, START, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(give_back_stops_at_zero)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check(consume(-1, START, &bucket), true, 1, MINUTE, 0);
	check(consume(-LIMIT_AMOUNT_MAX, START, &bucket), true, 0, 0, 0);
	ck_assert(bucket_is_drained(&bucket, START));
	check(consume(3, START, &bucket), true, 3, MINUTE, 0);
	check(consume(1, START, &bucket), false, 3, MINUTE, MINUTE);
}
END_TEST

START_TEST(peek_and_zero_change_nothing)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check(peek(1, START, &bucket), true, 2, MINUTE, 0);
	check(peek(2, START, &bucket), false, 2, MINUTE, MINUTE);
	check(consume(0, START, &bucket), true, 2, MINUTE, 0);
	check(peek(1, START, &bucket), true, 2, MINUTE, 0);
}
END_TEST

START_TEST(reset_forgets_the_count)
{
	struct bucket bucket = {0};
	struct decision decision;

	consume(3, START, &bucket);
	ck_assert(
	    window_decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	ck_assert(
	    !window_decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	check(consume(3, START, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(clock_that_jumps_back_counts_on_in_the_present_window)
{
	struct bucket bucket = {0};
	int64_t now = START - 3600 * SECOND;

	consume(3, START, &bucket);
	check(peek(1, now, &bucket), false, 3, MINUTE, MINUTE);
	check(consume(1, now, &bucket), false, 3, MINUTE, MINUTE);
	now += MINUTE;
	check(consume(1, now, &bucket), true, 1, MINUTE, 0);
}
END_TEST

START_TEST(lowered_capacity_clamps_the_count)
{
	struct limit before = limit;
	struct bucket bucket = {0};
	struct decision decision;

	before.capacity = 10;
	window_decide(&before, OP_CONSUME, 9, START, &bucket, &decision);
	check(consume(-1, START, &bucket), true, 2, MINUTE, 0);
}
END_TEST

START_TEST(decide_goes_by_the_algorithm)
{
	const struct limit leaky = {
	    .algorithm = ALGORITHM_LEAKY_BUCKET,
	    .capacity = 3,
	    .recharge_us = SECOND,
	};
	struct bucket window = {0}, bucket = {0};
	struct decision decision;

	decide(&limit, OP_CONSUME, 2, START + 1, &window, &decision);
	check(decision, true, 2, MINUTE - 1, 0);
	decide(&leaky, OP_CONSUME, 2, START + 1, &bucket, &decision);
	check(decision, true, 2, SECOND, 0);
}
END_TEST

Suite *
window_suite(void)
{
	Suite *suite = suite_create("window");
	TCase *tcase = tcase_create("window");

	tcase_add_test(
	    tcase, counts_to_the_capacity_and_starts_anew_each_window);
	tcase_add_test(tcase, windows_are_aligned_to_the_epoch);
	tcase_add_test(tcase, amount_above_capacity_is_denied_for_ever);
	tcase_add_test(tcase, denied_consume_keeps_the_count);
	tcase_add_test(tcase, give_back_stops_at_zero);
	tcase_add_test(tcase, peek_and_zero_change_nothing);
	tcase_add_test(tcase, reset_forgets_the_count);
	tcase_add_test(
	    tcase, clock_that_jumps_back_counts_on_in_the_present_window);
	tcase_add_test(tcase, lowered_capacity_clamps_the_count);
	tcase_add_test(tcase, decide_goes_by_the_algorithm);
	suite_add_tcase(suite, tcase);
	return suite;
}
