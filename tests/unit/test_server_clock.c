#include "store/redis/server_clock.h"
#include "suites.h"

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700000000) * SECOND)
#define HOUR   (3600 * SECOND)

/* The server's clock is ahead of ours by an hour at first. */
static struct server_clock watched;
static int64_t ahead_us;

static void
setup(void)
{
	watched = (struct server_clock){0};
	ahead_us = HOUR;
}

/* A call made at ${asked_us} that the server decided ${out_us} later, and whose
 * reply took ${home_us}. */
static int64_t
look(int64_t asked_us, int64_t out_us, int64_t home_us)
{
	return server_clock_look(&watched, asked_us + out_us + ahead_us,
	    asked_us, asked_us + out_us + home_us);
}

START_TEST(clock_that_is_not_set_is_not_said_to_be)
{
	int64_t now = START;

	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(
		    look(now, 1000 * (i % 7), 100000 * (i % 11)), 0);
		now += SECOND * (i % 300);
	}
}
END_TEST

/* On a daemon that was stopped, a reply is read long after it came. */
START_TEST(slow_call_is_not_taken_for_it)
{
	look(START, 1000, 1000);
	ck_assert_int_eq(look(START + SECOND, 0, 60 * SECOND), 0);
	ck_assert_int_eq(look(START + 100 * SECOND, 60 * SECOND, 0), 0);
	ck_assert_int_eq(look(START + 200 * SECOND, 1000, 1000), 0);
}
END_TEST

START_TEST(clock_set_back_is_seen_once)
{
	look(START, 1000, 1000);
	ahead_us -= HOUR;
	ck_assert_int_ge(look(START + SECOND, 1000, 1000), HOUR - SECOND);
	ck_assert_int_eq(look(START + 2 * SECOND, 1000, 1000), 0);
	ahead_us -= 2 * SECOND;
	ck_assert_int_ge(look(START + 3 * SECOND, 1000, 1000), SECOND);
	ck_assert_int_eq(look(START + 4 * SECOND, 1000, 1000), 0);
}
END_TEST

START_TEST(clock_set_ahead_is_where_it_is_set_back_from)
{
	look(START, 1000, 1000);
	ahead_us += HOUR;
	ck_assert_int_eq(look(START + SECOND, 1000, 1000), 0);
	ahead_us -= HOUR;
	ck_assert_int_gt(look(START + 2 * SECOND, 1000, 1000), 0);
}
END_TEST

/* 200 parts in a million, for a month without a call, and with many. */
START_TEST(clocks_may_drift_apart)
{
	int64_t now = START;

	for (int i = 0; i < 100000; i++) {
		now += SECOND * 26;
		ahead_us -= 26 * 200;
		ck_assert_int_eq(look(now, 1000, 1000), 0);
	}
	now += 30 * 24 * HOUR;
	ahead_us -= 30 * 24 * 3600 * 200;
	ck_assert_int_eq(look(now, 1000, 1000), 0);
}
END_TEST

START_TEST(time_of_the_server_is_what_it_showed_or_the_wall_clocks)
{
	ck_assert_int_eq(
	    server_clock_now(&watched, START, 5 * SECOND), START + 5 * SECOND);
	look(START, 0, 1000);
	ck_assert_int_eq(server_clock_now(&watched, START + SECOND, 0),
	    START + SECOND + HOUR - 1000);
}
END_TEST

START_TEST(error_of_a_script_may_have_the_time)
{
	ck_assert_int_eq(
	    server_clock_read_outside("OUTSIDE 1700000000000001 script: x"),
	    1700000000000001);
	ck_assert_int_eq(server_clock_read_outside("OUTSIDE 7"), 7);
	ck_assert_int_eq(server_clock_read_outside("OUTSIDE "), -1);
	ck_assert_int_eq(server_clock_read_outside("OUTSIDE x"), -1);
	ck_assert_int_eq(
	    server_clock_read_outside("OUTSIDE 99999999999999999999"), -1);
	ck_assert_int_eq(server_clock_read_outside("ERR OUTSIDE 7"), -1);
	ck_assert_int_eq(server_clock_read_outside(""), -1);
}
END_TEST

Suite *
server_clock_suite(void)
{
	Suite *suite = suite_create("server_clock");
	TCase *tcase = tcase_create("server_clock");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, clock_that_is_not_set_is_not_said_to_be);
	tcase_add_test(tcase, slow_call_is_not_taken_for_it);
	tcase_add_test(tcase, clock_set_back_is_seen_once);
	tcase_add_test(tcase, clock_set_ahead_is_where_it_is_set_back_from);
	tcase_add_test(tcase, clocks_may_drift_apart);
	tcase_add_test(
	    tcase, time_of_the_server_is_what_it_showed_or_the_wall_clocks);
	tcase_add_test(tcase, error_of_a_script_may_have_the_time);
	suite_add_tcase(suite, tcase);
	return suite;
}
