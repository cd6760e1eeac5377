#include "server/balance.h"

#include "base/attr.h"
#include "suites.h"

#include <stdlib.h>

#define WORKERS 8

static struct balance *balance;
static int64_t loads_us[WORKERS];

static void
set_up(void)
{
	balance = balance_new(WORKERS);
	ck_assert_ptr_nonnull(balance);
}

static void
tear_down(void)
{
	free(balance);
}

static void
set(const int64_t loads[WORKERS])
{
	for (size_t i = 0; i < WORKERS; i++) {
		loads_us[i] = loads[i];
		balance_set(balance, i, loads[i]);
	}
}

/* Each worker moves as many as it should. */
static void
pass_period(void)
{
	for (size_t i = 0; i < WORKERS; i++) {
		size_t to;
		int64_t part_us;

		if (!balance_find(balance, i, &to, &part_us))
			continue;
		ck_assert_int_gt(part_us, 0);
		loads_us[i] -= part_us;
		loads_us[to] += part_us;
	}
	for (size_t i = 0; i < WORKERS; i++)
		balance_set(balance, i, loads_us[i]);
}

START_TEST(busiest_hands_half_of_the_difference_to_the_idlest)
{
	static const int64_t loads[WORKERS] = {
	    50000, 100000, 480000, 200000, 150000, 20000, 300000, 90000};
	size_t to;
	int64_t part_us;

	set(loads);
	ck_assert(balance_find(balance, 2, &to, &part_us));
	ck_assert_uint_eq(to, 5);
	ck_assert_int_eq(part_us, 230000);
	ck_assert(balance_find(balance, 6, &to, &part_us));
	ck_assert_uint_eq(to, 0);
	ck_assert_int_eq(part_us, 125000);
	for (size_t i = 0; i < WORKERS; i++)
		if (loads[i] < 150000)
			ck_assert(!balance_find(balance, i, &to, &part_us));
}
END_TEST

/* Nor do all that have nothing to do. */
START_TEST(equal_loads_stay)
{
	static const int64_t idle[WORKERS] = {9000, 0, 0, 0, 0, 0, 0, 0};
	static const int64_t even[WORKERS] = {
	    400000, 400000, 410000, 400000, 400000, 400000, 390000, 400000};
	size_t to;
	int64_t part_us;

	set(idle);
	for (size_t i = 0; i < WORKERS; i++)
		ck_assert(!balance_find(balance, i, &to, &part_us));
	set(even);
	for (size_t i = 0; i < WORKERS; i++)
		ck_assert(!balance_find(balance, i, &to, &part_us));
}
END_TEST

/* Within five seconds, whatever it was. */
START_TEST(any_load_is_soon_even)
{
	static const int64_t loads[][WORKERS] = {
	    {500000, 0, 0, 0, 0, 0, 0, 0},
	    {0, 500000, 500000, 0, 0, 0, 0, 0},
	    {500000, 500000, 500000, 500000, 500000, 500000, 500000, 0},
	    {500000, 400000, 300000, 200000, 100000, 50000, 20000, 10000},
	};

	for (size_t k = 0; k < COUNT(loads); k++) {
		int64_t most_us = 0, sum_us = 0;

		set(loads[k]);
		for (int i = 0; i < 9; i++)
			pass_period();
		for (size_t i = 0; i < WORKERS; i++) {
			sum_us += loads_us[i];
			if (loads_us[i] > most_us)
				most_us = loads_us[i];
		}
		ck_assert_int_le(10 * WORKERS * most_us, 13 * sum_us);
	}
}
END_TEST

Suite *
balance_suite(void)
{
	Suite *suite = suite_create("balance");
	TCase *tcase = tcase_create("balance");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(
	    tcase, busiest_hands_half_of_the_difference_to_the_idlest);
	tcase_add_test(tcase, equal_loads_stay);
	tcase_add_test(tcase, any_load_is_soon_even);
	suite_add_tcase(suite, tcase);
	return suite;
}
