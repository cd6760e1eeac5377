#include "limit/leases.h"
#include "decision.h"
#include "suites.h"

#include "base/attr.h"

#include <string.h>

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700000000) * SECOND)

static const struct limit limit = {
    .algorithm = &algorithm_sliding_window,
    .capacity = 3,
    .window_us = 10 * SECOND,
};

/* A bucket whose log is settled after each step, as that of the memory store.
 */
static _Alignas(struct lease_log) char room[sizeof(struct lease_log) +
					    8 * sizeof(struct lease)];
static struct bucket bucket;

static void
start(void)
{
	bucket =
	    (struct bucket){.log = {.log = leases_start(room, sizeof(room))}};
}

static struct decision
ask(const struct limit *its, enum op op, int64_t amount, int64_t now_us)
{
	struct decision decision = {0};

	if (decide(its, op, amount, now_us, &bucket, &decision))
		leases_settle(its, &bucket, now_us);
	return decision;
}

START_TEST(each_drop_counts_for_one_window_from_when_it_went_in)
{
	start();
	check_unblocked(
	    ask(&limit, OP_CONSUME, 1, START), true, 1, 10 * SECOND, 0);
	check_unblocked(ask(&limit, OP_CONSUME, 2, START + 4 * SECOND), true, 3,
	    6 * SECOND, 0);
	check_unblocked(ask(&limit, OP_CONSUME, 1, START + 10 * SECOND - 1),
	    false, 3, 1, 1);
	check_unblocked(ask(&limit, OP_CONSUME, 1, START + 10 * SECOND), true,
	    3, 4 * SECOND, 0);
	check_unblocked(ask(&limit, OP_CONSUME, 3, START + 10 * SECOND), false,
	    3, 4 * SECOND, 10 * SECOND);
	check_unblocked(ask(&limit, OP_CONSUME, 2, START + 10 * SECOND), false,
	    3, 4 * SECOND, 4 * SECOND);
	check_unblocked(ask(&limit, OP_PEEK, 4, START + 10 * SECOND), false, 3,
	    4 * SECOND, RETRY_NEVER);
	ck_assert(
	    !limit.algorithm->is_drained(&bucket, START + 20 * SECOND - 1));
	ck_assert(limit.algorithm->is_drained(&bucket, START + 20 * SECOND));
}
END_TEST

START_TEST(what_is_given_back_is_what_ends_last)
{
	start();
	ask(&limit, OP_CONSUME, 1, START);
	ask(&limit, OP_CONSUME, 2, START + SECOND);
	check_unblocked(ask(&limit, OP_CONSUME, -1, START + SECOND), true, 2,
	    9 * SECOND, 0);
	check_unblocked(
	    ask(&limit, OP_PEEK, 1, START + 10 * SECOND), true, 1, SECOND, 0);
	check_unblocked(
	    ask(&limit, OP_CONSUME, -9, START + 10 * SECOND), true, 0, 0, 0);
	ck_assert_int_eq(bucket.log.log->count, 0);
}
END_TEST

START_TEST(a_copy_that_was_decided_on_leaves_the_log_as_it_was)
{
	struct decision decision;
	struct bucket copy;

	start();
	ask(&limit, OP_CONSUME, 2, START);
	copy = bucket;
	ck_assert(decide(&limit, OP_CONSUME, -1, START + 1, &copy, &decision));
	ck_assert(decide(&limit, OP_CONSUME, 2, START + 1, &copy, &decision));
	check_unblocked(decision, true, 3, 10 * SECOND - 1, 0);
	ck_assert(decide(&limit, OP_CONSUME, -1, START + 1, &copy, &decision));
	check_unblocked(decision, true, 2, 10 * SECOND - 1, 0);
	check_unblocked(
	    ask(&limit, OP_PEEK, 1, START + 1), true, 2, 10 * SECOND - 1, 0);
}
END_TEST

START_TEST(give_back_takes_what_went_in_then_and_has_not_ended)
{
	int64_t stamp;

	start();
	ask(&limit, OP_CONSUME, 1, START);
	stamp = START + 10 * SECOND;
	ask(&limit, OP_CONSUME, 1, START + SECOND);
	decide_give_back(&limit, 1, stamp, START + 2 * SECOND, &bucket);
	check_unblocked(ask(&limit, OP_PEEK, 1, START + 2 * SECOND), true, 1,
	    9 * SECOND, 0);
	decide_give_back(&limit, 1, stamp, START + 2 * SECOND, &bucket);
	decide_give_back(
	    &limit, 1, START + 11 * SECOND, START + 11 * SECOND, &bucket);
	check_unblocked(
	    ask(&limit, OP_PEEK, 1, START + 2 * SECOND), true, 0, 0, 0);
}
END_TEST

START_TEST(drops_keep_their_end_when_the_window_changes)
{
	struct limit brief = limit;

	brief.window_us = SECOND;
	start();
	ask(&limit, OP_CONSUME, 1, START);
	check_unblocked(ask(&brief, OP_CONSUME, 1, START), true, 2, SECOND, 0);
	ck_assert_int_eq(bucket.log.log->leases[0].end_us, START + SECOND);
	check_unblocked(
	    ask(&brief, OP_CONSUME, 2, START), false, 2, SECOND, SECOND);
	check_unblocked(
	    ask(&limit, OP_PEEK, 1, START + SECOND), true, 1, 9 * SECOND, 0);
}
END_TEST

START_TEST(debt_and_take_and_reset)
{
	struct limit indebted = limit;

	indebted.debt = 2;
	start();
	ck_assert_int_eq(ask(&indebted, OP_TAKE, 9, START).taken, 3);
	ck_assert_int_eq(ask(&indebted, OP_TAKE, 1, START).taken, 0);
	check_unblocked(ask(&indebted, OP_CHARGE, 2, START + SECOND), true, 5,
	    9 * SECOND, 0);
	check_unblocked(ask(&indebted, OP_CHARGE, 1, START + SECOND), false, 5,
	    9 * SECOND, 9 * SECOND);
	check_unblocked(ask(&indebted, OP_CONSUME, 2, START + SECOND), false, 5,
	    9 * SECOND, 10 * SECOND);
	ask(&indebted, OP_RESET, 0, START + SECOND);
	check_unblocked(
	    ask(&indebted, OP_PEEK, 3, START + SECOND), true, 0, 0, 0);
}
END_TEST

static const struct limit semaphore = {
    .algorithm = &algorithm_concurrent,
    .capacity = 3,
    .window_us = 10 * SECOND,
};

static struct decision
ask_lease(enum op op, uint64_t name, int64_t amount, int64_t now_us)
{
	struct decision decision = {0};

	leases_lease(&semaphore, op, name, amount, now_us, &bucket, &decision);
	return decision;
}

START_TEST(what_is_held_counts_until_it_is_released)
{
	start();
	check_unblocked(
	    ask_lease(OP_HOLD, 1, 1, START), true, 1, 10 * SECOND, 0);
	check_unblocked(
	    ask_lease(OP_HOLD, 2, 2, START + SECOND), true, 3, 9 * SECOND, 0);
	check_unblocked(ask_lease(OP_HOLD, 3, 1, START + SECOND), false, 3,
	    9 * SECOND, 9 * SECOND);
	check_unblocked(ask_lease(OP_RELEASE, 2, 1, START + SECOND), true, 1,
	    9 * SECOND, 0);
	check_unblocked(ask_lease(OP_RELEASE, 2, 1, START + SECOND), false, 1,
	    9 * SECOND, 0);
	check_unblocked(
	    ask_lease(OP_HOLD, 3, 1, START + SECOND), true, 2, 9 * SECOND, 0);
	ck_assert(!ask_lease(OP_RELEASE, 1, 1, START + 10 * SECOND).allowed);
	ck_assert(ask_lease(OP_RELEASE, 3, 1, START + 10 * SECOND).allowed);
	ck_assert_int_eq(bucket.log.log->count, 0);
}
END_TEST

START_TEST(hold_again_renews_and_may_hold_another_amount)
{
	start();
	ask_lease(OP_HOLD, 1, 1, START);
	ask_lease(OP_HOLD, 2, 1, START);
	check_unblocked(
	    ask_lease(OP_HOLD, 1, 1, START + SECOND), true, 2, 9 * SECOND, 0);
	check_unblocked(ask_lease(OP_HOLD, 1, 2, START + 2 * SECOND), true, 3,
	    8 * SECOND, 0);
	/* Its own lease is not in its way, so it waits for the other. */
	check_unblocked(ask_lease(OP_HOLD, 1, 3, START + 2 * SECOND), false, 3,
	    8 * SECOND, 8 * SECOND);
	check_unblocked(ask_lease(OP_HOLD, 1, 4, START + 2 * SECOND), false, 3,
	    8 * SECOND, RETRY_NEVER);
	check_unblocked(ask_lease(OP_HOLD, 1, 0, START + 3 * SECOND), true, 3,
	    7 * SECOND, 0);
	check_unblocked(ask_lease(OP_HOLD, 1, 1, START + 3 * SECOND), true, 2,
	    7 * SECOND, 0);
	ck_assert_int_eq(
	    ask_lease(OP_RELEASE, 2, 1, START + 4 * SECOND).level, 1);
	ck_assert_int_eq(bucket.log.log->leases[0].end_us, START + 13 * SECOND);
}
END_TEST

START_TEST(consume_gives_back_nothing_that_has_a_name)
{
	start();
	ask_lease(OP_HOLD, 1, 2, START);
	check_unblocked(
	    ask(&semaphore, OP_CONSUME, 1, START), true, 3, 10 * SECOND, 0);
	check_unblocked(
	    ask(&semaphore, OP_CONSUME, -3, START), true, 2, 10 * SECOND, 0);
	ck_assert(ask_lease(OP_RELEASE, 1, 1, START).allowed);
}
END_TEST

START_TEST(holder_keeps_what_it_has_when_the_capacity_shrinks)
{
	struct limit small = semaphore;
	struct decision decision = {0};

	small.capacity = 1;
	start();
	ask_lease(OP_HOLD, 1, 3, START);
	leases_lease(&small, OP_HOLD, 1, 2, START + SECOND, &bucket, &decision);
	check_unblocked(decision, true, 1, 10 * SECOND, 0);
	ck_assert_int_eq(bucket.log.log->drops, 2);
}
END_TEST

/* Numbers in texts are bytes, also 0. */
struct text {
	const char *bytes;
	size_t len;
};

#define TEXT(bytes)                                                            \
	{                                                                      \
		bytes, sizeof(bytes) - 1                                       \
	}

static const struct {
	struct text text;
	uint32_t count;
	int64_t drops, first_us, last_us;
} texts[] = {
    {TEXT("\0\0\1"
	  "3"
	  "\0\0\0\0\0\0\2"
	  "\0\0\2\1"),
	1, 1, 2, 2},
    /* 2^24 microseconds before BASE, an end of 3 bytes would be BASE's. */
    {TEXT("\0\0\3"
	  "3"
	  "\0\0\0\1\0\0\1"
	  "\0\0\2\1"
	  "\377\377\377\1"
	  "\0\0\1\1"),
	3, 3, 2, 0x1000001},
    {TEXT("\0\0\2"
	  "7"
	  "\37\377\377\377\377\377\377"
	  "\0\0\0\0\0\0\1\1"
	  "\37\377\377\377\377\377\377\1"),
	2, 2, 1, BUCKET_NUMBER_MAX},
    /* What ended at BASE was given back. */
    {TEXT("\0\0\1"
	  "4"
	  "\0\0\0\0\0\0\5"
	  "\0\0\0\2\1"),
	1, 1, 2, 2},
    {TEXT("\0\1\1"
	  "3"
	  "\0\0\0\0\0\0\2"
	  "\0\0\1\1"
	  "\0\0\2\377"
	  "\0\0\2\1"),
	2, 257, 1, 2},
    {TEXT("\0\1\0"
	  "\0\1"
	  "\0\0\0\0\0\0\2"
	  "\0\1\0"
	  "00000000001"),
	1, 256, 2, 2},
    /* Of those that end at one time, these with a name come first. */
    {TEXT("\0\0\4"
	  "\0\1"
	  "\0\0\0\0\0\0\2"
	  "\0\0\1"
	  "00000000001"
	  "3"
	  "\0\0\0\0\0\0\2"
	  "\0\0\1\2"
	  "\0\0\2\1"),
	3, 4, 1, 2},
};

START_TEST(texts_of_the_scripts_are_read)
{
	const struct text *text = &texts[_i].text;
	const struct lease *leases;
	struct bucket to;

	start();
	to = bucket;
	ck_assert(leases_read(&limit, text->bytes, text->len, &to));
	leases = to.log.log->leases;
	ck_assert_uint_eq(to.log.log->count, texts[_i].count);
	ck_assert_int_eq(to.log.log->drops, texts[_i].drops);
	ck_assert_int_eq(leases[0].end_us, texts[_i].first_us);
	ck_assert_int_eq(leases[texts[_i].count - 1].end_us, texts[_i].last_us);
	ck_assert_int_eq(to.log.stamp_us, texts[_i].last_us);
}
END_TEST

static const struct text foreign[] = {
    TEXT(""), TEXT("hello"), TEXT("1700000000000000 1"), TEXT("1700000000s1"),
    TEXT("WRONGTYPE Operation against a key holding the wrong kind of value"),
    TEXT("\0\0"), TEXT("\0\0\0"),
    TEXT("\0\0\0"
	 "3"
	 "\0\0\0\0\0\0\2"), /* without leases */
    TEXT("\0\0\1"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2"), /* without drops */
    TEXT("\0\0\1"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1\0"), /* more than leases */
    TEXT("\0\0\1"
	 "2"
	 "\0\0\0\0\0\0\2"
	 "\0\2\1"), /* a WIDTH too small */
    TEXT("\0\0\1"
	 "8"
	 "\0\0\0\0\0\0\2"
	 "\0\0\0\0\0\0\0\2\1"), /* too large */
    TEXT("\0\0\1"
	 "\377"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1"),
    TEXT("\0\0\1"
	 "3"
	 "\0\0\0\0\0\0\0"
	 "\0\0\0\1"), /* no end */
    TEXT("\0\0\1"
	 "3"
	 "\0\0\0\0\0\0\1"
	 "\0\0\2\1"), /* one before the epoch */
    TEXT("\0\0\1"
	 "3"
	 "\40\0\0\0\0\0\0"
	 "\0\0\0\1"), /* more than 53 bits */
    TEXT("\0\0\0"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\0"), /* no drops */
    TEXT("\0\0\2"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1"), /* another sum */
    TEXT("\377\0\1"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1"),
    TEXT("\0\0\2"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1"
	 "\0\0\1\1"), /* not in order */
    TEXT("\0\0\2"
	 "3"
	 "\0\0\0\1\0\0\1"
	 "\0\0\1\1"
	 "\0\0\2\1"), /* the same, by the cycle */
    TEXT("\0\0\1"
	 "\0\0"
	 "3"
	 "\0\0\0\0\0\0\2"
	 "\0\0\2\1"), /* NAMES of 0 */
    TEXT("\0\0\1"
	 "\0\2"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "00000000001"), /* more than there are */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "0000000001"), /* a short name */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "00000000000"), /* an empty one */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "0000000000p"), /* of another digit */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "@0000000000"), /* of 65 bits */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\0"
	 "\0\0\1"
	 "00000000001"), /* no end */
    TEXT("\0\0\0"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\0"
	 "00000000001"), /* no drops */
    TEXT("\0\0\1"
	 "\0\1"
	 "\0\0\0\0\0\0\2"
	 "\0\0\1"
	 "00000000001"
	 "3"), /* the others are cut off */
};

START_TEST(foreign_text_is_no_bucket)
{
	struct bucket to;

	start();
	to = bucket;
	ck_assert(
	    !leases_read(&limit, foreign[_i].bytes, foreign[_i].len, &to));
	ck_assert_uint_eq(to.log.log->count, 0);
	ck_assert_int_eq(to.log.log->drops, 0);
}
END_TEST

/* The longest that a script can write under the limit. */
START_TEST(logs_of_a_window_are_shorter_than_those_of_names)
{
	ck_assert_uint_le(leases_longest(&limit), 13 + 8 * 3);
	ck_assert_uint_ge(leases_longest(&limit), 11 + 8 * 3);
	ck_assert_uint_ge(leases_longest(&semaphore), 5 + 21 * 3);
	ck_assert_uint_eq(leases_room_for(&limit, 11 + 4 * 9), 11 + 2);
}
END_TEST

Suite *
leases_suite(void)
{
	Suite *suite = suite_create("leases");
	TCase *tcase = tcase_create("leases");

	tcase_add_test(
	    tcase, each_drop_counts_for_one_window_from_when_it_went_in);
	tcase_add_test(tcase, what_is_given_back_is_what_ends_last);
	tcase_add_test(
	    tcase, a_copy_that_was_decided_on_leaves_the_log_as_it_was);
	tcase_add_test(
	    tcase, give_back_takes_what_went_in_then_and_has_not_ended);
	tcase_add_test(tcase, drops_keep_their_end_when_the_window_changes);
	tcase_add_test(tcase, debt_and_take_and_reset);
	tcase_add_test(tcase, what_is_held_counts_until_it_is_released);
	tcase_add_test(tcase, hold_again_renews_and_may_hold_another_amount);
	tcase_add_test(tcase, consume_gives_back_nothing_that_has_a_name);
	tcase_add_test(
	    tcase, holder_keeps_what_it_has_when_the_capacity_shrinks);
	tcase_add_loop_test(
	    tcase, texts_of_the_scripts_are_read, 0, COUNT(texts));
	tcase_add_loop_test(
	    tcase, foreign_text_is_no_bucket, 0, COUNT(foreign));
	tcase_add_test(tcase, logs_of_a_window_are_shorter_than_those_of_names);
	suite_add_tcase(suite, tcase);
	return suite;
}
