/*
 * CL.THROTTLE decides and responds as redis-cell does.  The first table is the
 * case that redis-cell's own arithmetic is documented by (a burst of 4 above
 * one, 1 a second), with its seconds rounded as its command rounds them.
 */
#include "limit/algorithm.h"
#include "suites.h"

#include "base/attr.h"
#include "limit/bucket.h"
#include "protocol/resp/throttle.h"

#include <string.h>

/* Any time: redis-cell's is the wall clock. */
#define START INT64_C(1700000000000000)

struct step {
	int64_t at_ms, quantity;
	const char *answer; /* limited, capacity, remaining, retry, reset */
};

static const struct step second_steps[] = {
    {0, 6, "1 5 5 -1 0"}, /* more than can ever fit */
    {0, 1, "0 5 4 -1 1"},
    {0, 1, "0 5 3 -1 2"},
    {0, 1, "0 5 2 -1 3"},
    {0, 1, "0 5 1 -1 4"},
    {0, 1, "0 5 0 -1 5"},
    {0, 1, "1 5 0 1 5"},
    {3000, 1, "0 5 2 -1 3"},
    {3100, 1, "0 5 1 -1 4"},
    {4000, 1, "0 5 1 -1 4"},
    {8000, 1, "0 5 4 -1 1"},
    {9500, 1, "0 5 4 -1 1"},
    {9500, 0, "0 5 4 -1 1"},
    {9500, 2, "0 5 2 -1 3"},
    {9500, 5, "1 5 2 3 3"},
    {9500, 0, "0 5 2 -1 3"},
};

/* 3 a second: the time for one is not whole, and its millionths show, other
 * than with redis-cell, where what is less than a millisecond does not count.
 */
static const struct step third_steps[] = {
    {0, 1, "0 3 2 -1 1"},
    {0, 1, "0 3 1 -1 1"},
    {0, 1, "0 3 0 -1 2"},
    {0, 1, "1 3 0 1 2"},
    {1, 1, "1 3 0 1 1"},
    {333, 1, "1 3 0 1 1"},
    {334, 1, "0 3 0 -1 1"},
    {1400, 3, "0 3 0 -1 2"},
};

/* One in ten minutes and no burst. */
static const struct step slow_steps[] = {
    {0, 0, "0 1 1 -1 0"},
    {0, 1, "0 1 0 -1 600"},
    {1, 1, "1 1 0 600 600"},
    {599000, 1, "1 1 0 1 1"},
    {599999, 1, "1 1 0 1 1"},
    {600000, 1, "0 1 0 -1 600"},
};

static void
check_step(
    const struct limit *limit, struct bucket *bucket, const struct step *step)
{
	struct check check = {.limit = limit};
	enum op op = step->quantity > 0 ? OP_CONSUME : OP_PEEK;
	struct buf out = {0};
	char numbers[100] = "";

	decide(limit, op, step->quantity, START + step->at_ms * 1000, bucket,
	    &check.decision);
	ck_assert_int_eq(throttle_write(&out, &check), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_mem_eq(buf_data(&out), "*5\r\n:", 5);
	for (char *at = strtok(buf_data(&out) + 4, ":\r\n"); at;
	     at = strtok(NULL, ":\r\n")) {
		strcat(numbers, numbers[0] ? " " : "");
		strcat(numbers, at);
	}
	ck_assert_msg(strcmp(numbers, step->answer) == 0,
	    "at %lld, %lld: %s, not %s", (long long)step->at_ms,
	    (long long)step->quantity, numbers, step->answer);
	buf_free(&out);
}

static void
check_steps(int64_t capacity, int64_t recharge_us, const struct step *steps,
    size_t count)
{
	struct limit limit;
	struct bucket bucket = {0};

	limit_init_inline(&limit, capacity, recharge_us * 1000, 0);
	for (size_t i = 0; i < count; i++)
		check_step(&limit, &bucket, &steps[i]);
}

START_TEST(one_a_second_is_answered_as_by_redis_cell)
{
	check_steps(5, 1000000, second_steps, COUNT(second_steps));
}
END_TEST

START_TEST(three_a_second_are_answered_as_by_redis_cell)
{
	check_steps(3, 333334, third_steps, COUNT(third_steps));
}
END_TEST

START_TEST(one_in_ten_minutes_is_answered_as_by_redis_cell)
{
	check_steps(1, 600000000, slow_steps, COUNT(slow_steps));
}
END_TEST

Suite *
throttle_suite(void)
{
	Suite *suite = suite_create("throttle");
	TCase *tcase = tcase_create("throttle");

	tcase_add_test(tcase, one_a_second_is_answered_as_by_redis_cell);
	tcase_add_test(tcase, three_a_second_are_answered_as_by_redis_cell);
	tcase_add_test(tcase, one_in_ten_minutes_is_answered_as_by_redis_cell);
	suite_add_tcase(suite, tcase);
	return suite;
}
