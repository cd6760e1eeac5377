#include "limit/algorithm.h"
#include "decision.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

/* The start of a minute. */
#define START (INT64_C(28333333) * MINUTE)

static const struct limit limit = {
    .algorithm = &algorithm_fixed_window,
    .capacity = 3,
    .window_us = MINUTE,
};

static struct decision
consume(int64_t amount, int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	decide(&limit, OP_CONSUME, amount, now_us, bucket, &decision);
	return decision;
}

static struct decision
peek(int64_t amount, int64_t now_us, struct bucket *bucket)
{
	struct decision decision;

	ck_assert(!decide(&limit, OP_PEEK, amount, now_us, bucket, &decision));
	return decision;
}

START_TEST(counts_to_the_capacity_and_starts_anew_each_window)
{
	struct bucket bucket = {0};
	int64_t now = START + 20 * SECOND;

	check_unblocked(consume(1, now, &bucket), true, 1, 40 * SECOND, 0);
	check_unblocked(consume(2, now, &bucket), true, 3, 40 * SECOND, 0);
	check_unblocked(
	    consume(1, now, &bucket), false, 3, 40 * SECOND, 40 * SECOND);
	now = START + MINUTE - 1;
	check_unblocked(consume(1, now, &bucket), false, 3, 1, 1);
	now = START + MINUTE;
	ck_assert(limit.algorithm->is_drained(&bucket, now));
	check_unblocked(consume(3, now, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(debt_counts_until_the_window_ends)
{
	struct limit indebted = limit;
	struct bucket bucket = {0};
	struct decision decision;

	indebted.debt = 2;
	decide(&indebted, OP_CHARGE, 5, START, &bucket, &decision);
	check_unblocked(decision, true, 5, MINUTE, 0);
	decide(&indebted, OP_CHARGE, 1, START, &bucket, &decision);
	check_unblocked(decision, false, 5, MINUTE, MINUTE);
	decide(&indebted, OP_CHARGE, 6, START, &bucket, &decision);
	check_unblocked(decision, false, 5, MINUTE, RETRY_NEVER);
	decide(&indebted, OP_CONSUME, 1, START + 1, &bucket, &decision);
	check_unblocked(decision, false, 5, MINUTE - 1, MINUTE - 1);
	decide(&indebted, OP_CONSUME, 3, START + MINUTE, &bucket, &decision);
	check_unblocked(decision, true, 3, MINUTE, 0);
}
END_TEST

START_TEST(take_takes_what_is_left_of_the_window)
{
	static const struct {
		int64_t amount, taken, level;
	} takes[] = {{2, 2, 2}, {2, 1, 3}, {0, 0, 3}, {1, 0, 3}};
	struct bucket bucket = {0};

	for (size_t i = 0; i < COUNT(takes); i++) {
		struct decision decision;

		decide(&limit, OP_TAKE, takes[i].amount, START, &bucket,
		    &decision);
		check_unblocked(decision,
		    takes[i].taken >= (takes[i].amount > 0), takes[i].level,
		    MINUTE,
		    takes[i].taken >= (takes[i].amount > 0) ? 0 : MINUTE);
		ck_assert_int_eq(decision.taken, takes[i].taken);
	}
}
END_TEST

START_TEST(windows_are_aligned_to_the_epoch)
{
	struct bucket bucket = {0};

	check_unblocked(consume(1, START, &bucket), true, 1, MINUTE, 0);
	bucket = (struct bucket){0};
	check_unblocked(consume(1, START - 1, &bucket), true, 1, 1, 0);
}
END_TEST

START_TEST(amount_above_capacity_is_denied_for_ever)
{
	struct bucket bucket = {0};

	check_unblocked(consume(4, START, &bucket), false, 0, 0, RETRY_NEVER);
	consume(1, START, &bucket);
	check_unblocked(
	    consume(4, START, &bucket), false, 1, MINUTE, RETRY_NEVER);
}
END_TEST

START_TEST(denied_consume_keeps_the_count)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check_unblocked(consume(2, START, &bucket), false, 2, MINUTE, MINUTE);
	check_unblocked(consume(1, START, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(give_back_stops_at_zero)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check_unblocked(consume(-1, START, &bucket), true, 1, MINUTE, 0);
	check_unblocked(
	    consume(-LIMIT_AMOUNT_MAX, START, &bucket), true, 0, 0, 0);
	ck_assert(limit.algorithm->is_drained(&bucket, START));
	check_unblocked(consume(3, START, &bucket), true, 3, MINUTE, 0);
	check_unblocked(consume(1, START, &bucket), false, 3, MINUTE, MINUTE);
}
END_TEST

START_TEST(peek_and_zero_change_nothing)
{
	struct bucket bucket = {0};

	consume(2, START, &bucket);
	check_unblocked(peek(1, START, &bucket), true, 2, MINUTE, 0);
	check_unblocked(peek(2, START, &bucket), false, 2, MINUTE, MINUTE);
	check_unblocked(consume(0, START, &bucket), true, 2, MINUTE, 0);
	check_unblocked(peek(1, START, &bucket), true, 2, MINUTE, 0);
}
END_TEST

START_TEST(reset_forgets_the_count)
{
	struct bucket bucket = {0};
	struct decision decision;

	consume(3, START, &bucket);
	ck_assert(decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	ck_assert(!decide(&limit, OP_RESET, 0, START, &bucket, &decision));
	check_unblocked(consume(3, START, &bucket), true, 3, MINUTE, 0);
}
END_TEST

START_TEST(clock_that_jumps_back_counts_on_in_the_present_window)
{
	struct bucket bucket = {0};
	int64_t now = START - 3600 * SECOND;

	consume(3, START, &bucket);
	check_unblocked(peek(1, now, &bucket), false, 3, MINUTE, MINUTE);
	check_unblocked(consume(1, now, &bucket), false, 3, MINUTE, MINUTE);
	now += MINUTE;
	check_unblocked(consume(1, now, &bucket), true, 1, MINUTE, 0);
}
END_TEST

START_TEST(refusal_changes_nothing)
{
	struct limit before = limit;
	struct bucket bucket = {0}, copy;
	struct decision decision;

	before.capacity = 10;
	decide(&before, OP_CONSUME, 9, START, &bucket, &decision);
	copy = bucket;
	check_unblocked(consume(1, START, &bucket), false, 3, MINUTE, MINUTE);
	ck_assert_mem_eq(&bucket, &copy, sizeof(copy));
	check_unblocked(consume(-7, START, &bucket), true, 2, MINUTE, 0);
}
END_TEST

START_TEST(count_stays_a_count_when_the_window_is_lengthened)
{
	struct limit longer = limit;
	struct bucket bucket = {0};
	struct decision decision;

	longer.window_us = 60 * MINUTE;
	consume(3, START, &bucket);
	decide(&longer, OP_CONSUME, 1, START, &bucket, &decision);
	ck_assert(!decision.allowed);
	/* And does so until the end of the longer one. */
	decide(&longer, OP_PEEK, 1, START + MINUTE, &bucket, &decision);
	ck_assert_int_eq(decision.level, 3);
	decide(&longer, OP_PEEK, 1, START + decision.retry_us + MINUTE, &bucket,
	    &decision);
	ck_assert_int_eq(decision.level, 0);
}
END_TEST

START_TEST(count_stays_a_count_when_the_window_is_shortened)
{
	struct limit longer = limit;
	struct bucket bucket = {0};
	struct decision decision;

	longer.window_us = 60 * MINUTE;
	decide(&longer, OP_CONSUME, 3, START, &bucket, &decision);
	check_unblocked(
	    consume(1, START + 1, &bucket), false, 3, MINUTE - 1, MINUTE - 1);
	check_unblocked(
	    consume(1, START + MINUTE, &bucket), true, 1, MINUTE, 0);
}
END_TEST

/* From 23:59:50 back to 12:00:10, and from there to the next day. */
START_TEST(count_stays_a_count_when_the_clock_is_set)
{
	struct bucket bucket = {0};

	consume(2, START + 50 * SECOND, &bucket);
	limit.algorithm->follow_clock(
	    &bucket, START + 55 * SECOND, START - 720 * MINUTE + 10 * SECOND);
	ck_assert_int_eq(bucket.window.end_us, START - 719 * MINUTE);
	ck_assert_int_eq(bucket.window.count, 2);
	limit.algorithm->follow_clock(
	    &bucket, START - 719 * MINUTE - 1, START + 1440 * MINUTE);
	ck_assert_int_eq(bucket.window.end_us, START + 1441 * MINUTE);
	limit.algorithm->follow_clock(&bucket, START + 1441 * MINUTE, START);
	ck_assert(limit.algorithm->is_drained(&bucket, START));
}
END_TEST

static const struct {
	const char *text;
	int64_t end_us; /* -1: it is not ours */
	int64_t count;
} texts[] = {
    {"1700000040s3", INT64_C(1700000040000000), 3},
    {"1700000040000001u12", INT64_C(1700000040000001), 12},
    {"28333333 3", INT64_C(28333334) * MINUTE, 3},
    {"9007199254740991 1", BUCKET_NUMBER_MAX, 1},
    {"9007199254s1", INT64_C(9007199254000000), 1},
    {"9007199255s1", -1, 0},
    {"1700000040s", -1, 0},
    {"s3", -1, 0},
    {"1700000040x3", -1, 0},
    {"1700000040s3 ", -1, 0},
    {"1700000040", -1, 0},
    {"", -1, 0},
};

START_TEST(text_is_read)
{
	const char *text = texts[_i].text;
	struct bucket bucket;
	bool is_ours =
	    limit.algorithm->read(&limit, text, strlen(text), &bucket);

	ck_assert_int_eq(is_ours, texts[_i].end_us != -1);
	if (!is_ours)
		return;
	ck_assert_int_eq(bucket.window.end_us, texts[_i].end_us);
	ck_assert_int_eq(bucket.window.count, texts[_i].count);
}
END_TEST

START_TEST(decide_goes_by_the_algorithm)
{
	const struct limit leaky = {
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = 3,
	    .recharge_us = SECOND,
	};
	struct bucket window = {0}, bucket = {0};
	struct decision decision;

	decide(&limit, OP_CONSUME, 2, START + 1, &window, &decision);
	check_unblocked(decision, true, 2, MINUTE - 1, 0);
	decide(&leaky, OP_CONSUME, 2, START + 1, &bucket, &decision);
	check_unblocked(decision, true, 2, SECOND, 0);
}
END_TEST

Suite *
fixed_window_suite(void)
{
	Suite *suite = suite_create("fixed_window");
	TCase *tcase = tcase_create("fixed_window");

	tcase_add_test(
	    tcase, counts_to_the_capacity_and_starts_anew_each_window);
	tcase_add_test(tcase, debt_counts_until_the_window_ends);
	tcase_add_test(tcase, take_takes_what_is_left_of_the_window);
	tcase_add_test(tcase, windows_are_aligned_to_the_epoch);
	tcase_add_test(tcase, amount_above_capacity_is_denied_for_ever);
	tcase_add_test(tcase, denied_consume_keeps_the_count);
	tcase_add_test(tcase, give_back_stops_at_zero);
	tcase_add_test(tcase, peek_and_zero_change_nothing);
	tcase_add_test(tcase, reset_forgets_the_count);
	tcase_add_test(
	    tcase, clock_that_jumps_back_counts_on_in_the_present_window);
	tcase_add_test(tcase, refusal_changes_nothing);
	tcase_add_test(
	    tcase, count_stays_a_count_when_the_window_is_lengthened);
	tcase_add_test(tcase, count_stays_a_count_when_the_window_is_shortened);
	tcase_add_test(tcase, count_stays_a_count_when_the_clock_is_set);
	tcase_add_loop_test(tcase, text_is_read, 0, COUNT(texts));
	tcase_add_test(tcase, decide_goes_by_the_algorithm);
	suite_add_tcase(suite, tcase);
	return suite;
}
