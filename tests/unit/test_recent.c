#include "stats/recent.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

static struct recent *recent;

static void
set_up(void)
{
	ck_assert_ptr_nonnull(recent = recent_new());
}

static void
tear_down(void)
{
	recent_free(recent);
}

static void
add(int level, unsigned skipped)
{
	struct recent_entry entry = {.level = level, .from = "memory"};
	struct key key = key_make("some:key", 8);

	strcpy(entry.limit, "limit");
	recent_add(recent, &entry, &key, skipped);
}

START_TEST(what_was_added_is_found_by_its_number)
{
	struct recent_entry entry;
	uint64_t number = 1;

	ck_assert_uint_eq(recent_next(recent), 1);
	ck_assert(!recent_get(recent, &number, &entry));
	add(7, 0);
	add(8, 3);
	ck_assert_uint_eq(recent_next(recent), 6);
	ck_assert(recent_get(recent, &number, &entry));
	ck_assert_uint_eq(number, 1);
	ck_assert_int_eq(entry.level, 7);
	ck_assert_str_eq(entry.limit, "limit");
	ck_assert_uint_eq(entry.key_len, 8);
	ck_assert_mem_eq(entry.key, "some:key", 8);
	number = 2;
	ck_assert(recent_get(recent, &number, &entry));
	ck_assert_uint_eq(number, 5);
	ck_assert_int_eq(entry.level, 8);
	number = 6;
	ck_assert(!recent_get(recent, &number, &entry));
}
END_TEST

START_TEST(what_was_overwritten_is_gone)
{
	struct recent_entry entry;
	uint64_t number = 1;

	for (int i = 1; i <= RECENT_SIZE + 10; i++)
		add(i, 0);
	ck_assert(recent_get(recent, &number, &entry));
	ck_assert_uint_eq(number, 11);
	ck_assert_int_eq(entry.level, 11);
	add(0, UINT32_MAX);
	number = 12;
	ck_assert(recent_get(recent, &number, &entry));
	ck_assert_int_eq(entry.level, 0);
	number = UINT64_MAX;
	ck_assert(!recent_get(recent, &number, &entry));
}
END_TEST

START_TEST(they_are_wanted_for_a_while)
{
	ck_assert(!recent_is_wanted(recent, 1));
	recent_want(recent, 10);
	ck_assert(recent_is_wanted(recent, 10 + RECENT_WANTED_US - 1));
	ck_assert(!recent_is_wanted(recent, 10 + RECENT_WANTED_US));
}
END_TEST

START_TEST(skipped_ones_have_numbers_too)
{
	uint64_t number = 1;
	struct recent_entry entry;

	add(1, 0);
	recent_skip(recent, 5);
	ck_assert_uint_eq(recent_next(recent), 7);
	ck_assert(recent_get(recent, &number, &entry));
	number++;
	ck_assert(!recent_get(recent, &number, &entry));
}
END_TEST

Suite *
recent_suite(void)
{
	Suite *suite = suite_create("recent");
	TCase *tcase = tcase_create("recent");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_was_added_is_found_by_its_number);
	tcase_add_test(tcase, what_was_overwritten_is_gone);
	tcase_add_test(tcase, they_are_wanted_for_a_while);
	tcase_add_test(tcase, skipped_ones_have_numbers_too);
	suite_add_tcase(suite, tcase);
	return suite;
}
