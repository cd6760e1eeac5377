#include "server/overload.h"

#include "suites.h"

#include <stdlib.h>
#include <string.h>

static struct counters *counters;
static struct overload overload;

static void
set_up(void)
{
	counters = counters_new(1);
	ck_assert_ptr_nonnull(counters);
	overload_init(&overload, 3, counters);
}

static void
tear_down(void)
{
	free(counters);
}

/* Let so many seconds pass, of turns that each leave so many waiting. */
static void
pass(unsigned seconds, size_t waiting)
{
	for (unsigned i = 0; i < seconds; i++) {
		for (int k = 0; k < 100; k++)
			overload_note_turn(&overload, waiting, false);
		overload_end_second(&overload);
	}
}

START_TEST(worker_that_comes_to_each_client_is_not_overloaded)
{
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 100; k++)
			overload_note_turn(&overload, k % 10, false);
		overload_end_second(&overload);
		ck_assert_uint_eq(overload.seconds, 0);
	}
}
END_TEST

/* The second in which clients began to wait is not whole. */
START_TEST(overload_begins_with_a_whole_second)
{
	overload_note_turn(&overload, 0, false);
	pass(1, 5);
	ck_assert_uint_eq(overload.seconds, 0);
	pass(2, 5);
	ck_assert_uint_eq(overload.seconds, 2);
}
END_TEST

START_TEST(overload_ends_after_five_seconds_without)
{
	pass(3, 5);
	ck_assert_uint_eq(overload.seconds, 2);
	pass(3, 0);
	ck_assert_uint_eq(overload.seconds, 2);
	pass(2, 5); /* the pause was part of it */
	ck_assert_uint_eq(overload.seconds, 2 + 3 + 1 + 1);
	pass(6, 0);
	ck_assert_uint_eq(overload.seconds, 0);
}
END_TEST

/* No turn is none in which all had their turn. */
START_TEST(idle_worker_is_not_overloaded)
{
	overload_note_turn(&overload, 0, false);
	for (int i = 0; i < 5; i++) {
		overload_end_second(&overload);
		ck_assert_uint_eq(overload.seconds, 0);
	}
}
END_TEST

START_TEST(waits_are_counted)
{
	overload_note_wait(&overload, 1000, false);
	overload_note_wait(&overload, 5000, true);
	overload_note_wait(&overload, 3000, true);
	overload_note_turn(&overload, 7, true);
	ck_assert_uint_eq(counters->waited_us, 9000);
	ck_assert_uint_eq(counters->deferred, 2);
	ck_assert_uint_eq(counters->longest_wait_us, 5000);
	ck_assert_uint_eq(counters->clients_waiting, 7);
}
END_TEST

Suite *
overload_suite(void)
{
	Suite *suite = suite_create("overload");
	TCase *tcase = tcase_create("overload");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(
	    tcase, worker_that_comes_to_each_client_is_not_overloaded);
	tcase_add_test(tcase, overload_begins_with_a_whole_second);
	tcase_add_test(tcase, overload_ends_after_five_seconds_without);
	tcase_add_test(tcase, idle_worker_is_not_overloaded);
	tcase_add_test(tcase, waits_are_counted);
	suite_add_tcase(suite, tcase);
	return suite;
}
