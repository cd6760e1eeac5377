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

static const struct {
	const char *text;
	uint32_t count;
	int64_t drops;
} texts[] = {
    {"001000"
     "0Oooooooo"
     "001",
	1, 1},
    {"003000"
     "000000001"
     "001"
     "000000002"
     "002",
	2, 3},
    {"003001"
     "000000002"
     "001"
     "00000000001"
     "000000001"
     "002",
	2, 3},
    {"00@000"
     "000000001"
     "00@",
	1, 16},
};

START_TEST(texts_of_the_scripts_are_read)
{
	struct bucket to;

	start();
	to = bucket;
	ck_assert(
	    leases_read(&limit, texts[_i].text, strlen(texts[_i].text), &to));
	ck_assert_uint_eq(to.log.log->count, texts[_i].count);
	ck_assert_int_eq(to.log.log->drops, texts[_i].drops);
	ck_assert_int_le(to.log.log->leases[0].end_us,
	    to.log.log->leases[texts[_i].count - 1].end_us);
}
END_TEST

static const char *const foreign[] = {
    "",
    "hello",
    "000000",
    "001000",
    "001000"
    "000000001",
    "001000"
    "000000000"
    "001", /* no end */
    "000000"
    "000000001"
    "000", /* no drops */
    "002000"
    "000000001"
    "001", /* another sum */
    "002000"
    "000000002"
    "001"
    "000000001"
    "001", /* not in order */
    "001001"
    "000000001"
    "001", /* no name */
    "001001"
    "000000001"
    "001"
    "00000000000", /* an empty one */
    "001001"
    "000000001"
    "001"
    "@0000000000", /* of 65 bits */
    "001000"
    "P00000000"
    "001", /* more than 53 bits */
    "00/000"
    "000000001"
    "00/",
    "00p000"
    "000000001"
    "00p",
    "ooo000"
    "000000001"
    "001",
    "1700000000000000 1",
    "1700000000s1",
};

START_TEST(foreign_text_is_no_bucket)
{
	struct bucket to;

	start();
	to = bucket;
	ck_assert(!leases_read(&limit, foreign[_i], strlen(foreign[_i]), &to));
	ck_assert_uint_eq(to.log.log->count, 0);
	ck_assert_int_eq(to.log.log->drops, 0);
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
	suite_add_tcase(suite, tcase);
	return suite;
}
