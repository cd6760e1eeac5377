#include "base/random.h"
#include "suites.h"

#include <stdbool.h>

START_TEST(every_number_below_the_bound_comes)
{
	bool seen[5] = {false};

	/* One in 10^96 misses. */
	for (int i = 0; i < 1000; i++) {
		int64_t number = random_below(5);

		ck_assert_int_ge(number, 0);
		ck_assert_int_lt(number, 5);
		seen[number] = true;
	}
	for (int i = 0; i < 5; i++)
		ck_assert(seen[i]);
}
END_TEST

START_TEST(nothing_is_below_zero)
{
	ck_assert_int_eq(random_below(0), 0);
	ck_assert_int_eq(random_below(-1), 0);
	ck_assert_int_eq(random_below(1), 0);
}
END_TEST

START_TEST(near_is_a_fifth_to_either_side)
{
	bool below = false, above = false;

	for (int i = 0; i < 1000; i++) {
		int64_t us = random_near(100);

		ck_assert_int_ge(us, 80);
		ck_assert_int_le(us, 120);
		below |= us < 100;
		above |= us > 100;
	}
	ck_assert(below && above);
	ck_assert_int_eq(random_near(0), 0);
}
END_TEST

START_TEST(fillings_differ)
{
	unsigned char a[16], b[16];

	random_fill(a, sizeof(a));
	random_fill(b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

Suite *
random_suite(void)
{
	Suite *suite = suite_create("random");
	TCase *tcase = tcase_create("random");

	tcase_add_test(tcase, every_number_below_the_bound_comes);
	tcase_add_test(tcase, nothing_is_below_zero);
	tcase_add_test(tcase, near_is_a_fifth_to_either_side);
	tcase_add_test(tcase, fillings_differ);
	suite_add_tcase(suite, tcase);
	return suite;
}
