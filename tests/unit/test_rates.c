#include "suites.h"
#include "cli/rates.h"

#include <stdio.h>
#include <string.h>

static void
add(struct rates *rates, const char *name, unsigned allowed, unsigned denied)
{
	char line[200];

	snprintf(line, sizeof(line),
	    "%s algorithm=leaky_bucket capacity=5 allowed=%u denied=%u "
	    "match=x allowed=9",
	    name, allowed, denied);
	ck_assert_int_eq(rates_add(rates, line), 0);
}

static void
check_row(const struct rates *rates, size_t i, const char *name, double allowed,
    double denied)
{
	const struct rate_row *row = &rates->rows[i];

	ck_assert_str_eq(row->name, name);
	ck_assert_double_eq(row->per_second[RATE_allowed], allowed);
	ck_assert_double_eq(row->per_second[RATE_denied], denied);
}

START_TEST(rates_are_by_second_and_the_busiest_stands_first)
{
	struct rates before = {.at_us = 1000000}, now = {.at_us = 3000000};

	add(&before, "a", 10, 0);
	add(&before, "b", 0, 100);
	add(&before, "c", 5, 5);
	add(&now, "c", 5, 5);
	add(&now, "a", 14, 0);
	add(&now, "b", 1, 103);
	rates_finish(&now, &before);
	check_row(&now, 0, "a", 2, 0);
	check_row(&now, 1, "b", 0.5, 1.5);
	check_row(&now, 2, "c", 0, 0);
	rates_free(&before);
	rates_free(&now);
}
END_TEST

START_TEST(new_limits_and_counts_that_went_back_start_at_0)
{
	struct rates before = {.at_us = 1}, now = {.at_us = 1000001};

	add(&before, "a", 1000, 7);
	add(&before, "gone", 1, 1);
	add(&now, "a", 3, 9);
	add(&now, "new", 2, 0);
	rates_finish(&now, &before);
	ck_assert_uint_eq(now.count, 2);
	check_row(&now, 0, "a", 3, 2);
	check_row(&now, 1, "new", 2, 0);
	rates_free(&before);
	rates_free(&now);
}
END_TEST

START_TEST(no_time_gives_no_rates)
{
	struct rates before = {.at_us = 5}, now = {.at_us = 5};

	add(&now, "a", 3, 9);
	rates_finish(&now, &before);
	check_row(&now, 0, "a", 0, 0);
	rates_free(&now);
}
END_TEST

START_TEST(lines_without_counts_are_known)
{
	struct rates rates = {0};

	ck_assert_int_eq(rates_add(&rates, "a capacity=5 match=a denied=1"), 0);
	ck_assert(!rates.has_counts);
	ck_assert_int_eq(rates_add(&rates, "b denied=x denied=-1"), 0);
	ck_assert(!rates.has_counts);
	ck_assert_int_eq(rates_add(&rates, "c denied=0"), 0);
	ck_assert(rates.has_counts);
	rates_free(&rates);
	ck_assert_uint_eq(rates.count, 0);
}
END_TEST

Suite *
rates_suite(void)
{
	Suite *suite = suite_create("rates");
	TCase *tcase = tcase_create("rates");

	tcase_add_test(tcase, rates_are_by_second_and_the_busiest_stands_first);
	tcase_add_test(tcase, new_limits_and_counts_that_went_back_start_at_0);
	tcase_add_test(tcase, no_time_gives_no_rates);
	tcase_add_test(tcase, lines_without_counts_are_known);
	suite_add_tcase(suite, tcase);
	return suite;
}
