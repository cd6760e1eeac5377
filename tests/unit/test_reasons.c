#include "base/buf.h"
#include "base/reasons.h"
#include "suites.h"

#include <string.h>

static struct reasons reasons;

static void
start(void)
{
	reasons_clear(&reasons);
}

static void
add(size_t count)
{
	for (size_t i = 0; i < count; i++)
		reasons_add(&reasons, "f.ini:%zu: wrong", i + 1);
}

static void
show_line(const char *line, void *arg)
{
	ck_assert_int_eq(buf_printf(arg, "%s\n", line), 0);
}

static void
check_shown(const char *expected)
{
	struct buf text = {0};

	reasons_each(&reasons, show_line, &text);
	ck_assert_int_eq(buf_add(&text, "", 1), 0);
	ck_assert_str_eq(buf_data(&text), expected);
	buf_free(&text);
}

static const char *
summary(size_t size)
{
	static char text[REASON_SIZE];

	reasons_summarize(&reasons, text, size);
	return text;
}

START_TEST(nothing_is_wrong_at_first)
{
	ck_assert_uint_eq(reasons.count, 0);
	ck_assert_str_eq(reasons_first(&reasons), "");
	ck_assert_str_eq(summary(REASON_SIZE), "");
	check_shown("");
}
END_TEST

START_TEST(all_are_shown_in_order)
{
	add(3);
	check_shown("f.ini:1: wrong\nf.ini:2: wrong\nf.ini:3: wrong\n");
	ck_assert_str_eq(reasons_first(&reasons), "f.ini:1: wrong");
	ck_assert_str_eq(summary(REASON_SIZE), "f.ini:1: wrong (and 2 more)");
	ck_assert_str_eq(summary(20), "f.ini: (and 2 more)");
}
END_TEST

START_TEST(those_beyond_twenty_are_counted)
{
	struct buf expected = {0};

	add(REASONS_MAX + 3);
	for (int i = 1; i <= REASONS_MAX; i++)
		ck_assert_int_eq(
		    buf_printf(&expected, "f.ini:%d: wrong\n", i), 0);
	ck_assert_int_eq(buf_add(&expected, "and 3 more\n", 12), 0);
	check_shown(buf_data(&expected));
	buf_free(&expected);
}
END_TEST

START_TEST(one_may_replace_all)
{
	add(REASONS_MAX + 3);
	reasons_set(&reasons, "%s", "alone");
	check_shown("alone\n");
}
END_TEST

START_TEST(each_is_one_line_of_printable_ascii)
{
	reasons_set(&reasons, "a\n\033[31m\xff");
	ck_assert_str_eq(reasons_first(&reasons), "a\\x0a\\x1b[31m\\xff");
}
END_TEST

Suite *
reasons_suite(void)
{
	Suite *suite = suite_create("reasons");
	TCase *tcase = tcase_create("reasons");

	tcase_add_checked_fixture(tcase, start, NULL);
	tcase_add_test(tcase, nothing_is_wrong_at_first);
	tcase_add_test(tcase, all_are_shown_in_order);
	tcase_add_test(tcase, those_beyond_twenty_are_counted);
	tcase_add_test(tcase, one_may_replace_all);
	tcase_add_test(tcase, each_is_one_line_of_printable_ascii);
	suite_add_tcase(suite, tcase);
	return suite;
}
