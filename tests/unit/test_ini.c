#include "base/buf.h"
#include "base/ini.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

/* What a text was read as, one call a line: "LINE [section]" or
 * "LINE [section] name=value". */
static struct buf calls;

static int
record(void *arg, const char *section, const char *name, const char *value,
    unsigned line, struct ini_error *error)
{
	int status;

	if (arg && name && strcmp(name, arg) == 0) {
		snprintf(error->reason, sizeof(error->reason), "no %s", name);
		return -1;
	}
	if (name)
		status = buf_printf(
		    &calls, "%u [%s] %s=%s\n", line, section, name, value);
	else
		status = buf_printf(&calls, "%u [%s]\n", line, section);
	ck_assert_int_eq(status, 0);
	return 0;
}

static const char *
recorded(void)
{
	ck_assert_int_eq(buf_add(&calls, "", 1), 0);
	return buf_head(&calls);
}

static void
free_calls(void)
{
	buf_free(&calls);
}

static void
check_reads(const char *text, const char *expected)
{
	struct ini_error error;

	ck_assert_int_eq(ini_read(text, strlen(text), record, NULL, &error), 0);
	ck_assert_str_eq(recorded(), expected);
}

static void
check_fails(const char *text, size_t len, unsigned line, const char *reason)
{
	struct ini_error error = {0};

	ck_assert_int_eq(ini_read(text, len, record, NULL, &error), -1);
	ck_assert_str_eq(error.reason, reason);
	ck_assert_uint_eq(error.line, line);
}

START_TEST(sections_and_pairs_come_in_order)
{
	check_reads("a = 1\n[x]\nb=2\n\n[y]\n c  =  3 4 \nb=5",
	    "1 [] a=1\n2 [x]\n3 [x] b=2\n5 [y]\n6 [y] c=3 4\n7 [y] b=5\n");
}
END_TEST

START_TEST(empty_text_is_nothing)
{
	check_reads("", "");
}
END_TEST

START_TEST(comments_and_blank_lines_are_nothing)
{
	check_reads("; a = 1\n# b = 2\n  ; c = 3\n\t# d\n \n\n", "");
}
END_TEST

START_TEST(comment_starts_after_a_blank)
{
	check_reads("a = 1 ; one\nb = 2;two\nc = #3\nd = ;",
	    "1 [] a=1\n2 [] b=2;two\n3 [] c=#3\n4 [] d=\n");
}
END_TEST

START_TEST(carriage_returns_are_blanks)
{
	check_reads("[x]\r\na = 1\r\n\r\n", "1 [x]\n2 [x] a=1\n");
}
END_TEST

START_TEST(byte_order_mark_is_skipped)
{
	check_reads("\xEF\xBB\xBF[x]\na = 1\n", "1 [x]\n2 [x] a=1\n");
}
END_TEST

START_TEST(empty_section_is_reported)
{
	check_reads("[x]\n[]\n[y]", "1 [x]\n2 []\n3 [y]\n");
}
END_TEST

START_TEST(section_entered_twice_is_reported_twice)
{
	check_reads("[x]\n[y]\n[x]", "1 [x]\n2 [y]\n3 [x]\n");
}
END_TEST

START_TEST(long_section_is_not_cut)
{
	static const char name[] = "0123456789012345678901234567890123456789"
				   "012345678901234567890123456789";
	char text[100], expected[200];

	snprintf(text, sizeof(text), "[%s]\na=1", name);
	snprintf(
	    expected, sizeof(expected), "1 [%s]\n2 [%s] a=1\n", name, name);
	check_reads(text, expected);
}
END_TEST

START_TEST(section_may_be_followed_by_a_comment)
{
	check_reads("  [x]  ; note\n", "1 [x]\n");
}
END_TEST

START_TEST(indented_line_is_a_line_like_any_other)
{
	check_reads("[x]\na = 1\n  b = 2\n\t[y]\n",
	    "1 [x]\n2 [x] a=1\n3 [x] b=2\n4 [y]\n");
}
END_TEST

START_TEST(indented_line_does_not_continue_a_value)
{
	check_fails("a = 1\n  2", 9, 2, "neither [section] nor name = value");
}
END_TEST

START_TEST(line_of_neither_kind_is_an_error)
{
	check_fails(
	    "[x]\nhello\na = 1\n", 16, 2, "neither [section] nor name = value");
	ck_assert_str_eq(recorded(), "1 [x]\n");
}
END_TEST

START_TEST(section_without_an_end_is_an_error)
{
	check_fails("[x\n", 3, 1, "a section's line needs a ']'");
}
END_TEST

START_TEST(text_after_a_section_is_an_error)
{
	check_fails("[x] y = 1", 9, 1, "nothing may follow a section's ']'");
	check_fails("[x]; y", 6, 1, "nothing may follow a section's ']'");
}
END_TEST

START_TEST(line_above_199_bytes_is_an_error)
{
	char text[250], expected[250];

	snprintf(text, sizeof(text), "ok = 1\n  a=%0197d\nb=2", 1);
	snprintf(expected, sizeof(expected),
	    "1 [] ok=1\n2 [] a=%0197d\n3 [] b=2\n", 1);
	check_reads(text, expected);
	snprintf(text, sizeof(text), "ok = 1\n  a=%0198d\nb=2", 1);
	check_fails(text, strlen(text), 2, "longer than 199 bytes");
}
END_TEST

START_TEST(nul_byte_is_an_error)
{
	check_fails("a = 1\nb = \0\n", 12, 2, "holds a NUL byte");
	check_fails("; \0", 3, 1, "holds a NUL byte");
}
END_TEST

START_TEST(name_that_inih_would_cut_is_an_error)
{
	char text[60];

	memset(text, 'n', 50);
	memcpy(text + 50, "=1", 3);
	check_fails(text, 52, 1, "the name is longer than 49 bytes");
	check_reads(text + 1, "1 [] nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
			      "nnnnnnn=1\n");
}
END_TEST

START_TEST(handler_stops_the_reading)
{
	static const char text[] = "a = 1\nb = 2\nc = 3\nhello\n";
	char stop[] = "b";
	struct ini_error error;

	ck_assert_int_eq(
	    ini_read(text, strlen(text), record, stop, &error), -1);
	ck_assert_str_eq(error.reason, "no b");
	ck_assert_uint_eq(error.line, 2);
	ck_assert_str_eq(recorded(), "1 [] a=1\n");
}
END_TEST

START_TEST(text_ends_where_its_length_says)
{
	struct ini_error error;

	ck_assert_int_eq(ini_read("a = 12", 5, record, NULL, &error), 0);
	ck_assert_str_eq(recorded(), "1 [] a=1\n");
}
END_TEST

static const struct {
	const char *text;
	unsigned column, value_column;
} places[] = {
    {"bad=1", 1, 5},
    {"bad = 1", 1, 7},
    {"\t bad\t:  1 ; x", 3, 10},
    {"bad =", 1, 6},
    {"bad = a = b", 1, 7},
    {"a = 1\n  bad = 1", 3, 9},
    {"\xEF\xBB\xBF bad = 1", 2, 8},
};

START_TEST(handler_is_told_the_columns)
{
	const char *text = places[_i].text;
	struct ini_error error = {0};
	char bad[] = "bad";

	ck_assert_int_eq(
	    ini_read(text, strlen(text), record, bad, &error), -1);
	ck_assert_uint_eq(error.column, places[_i].column);
	ck_assert_uint_eq(error.value_column, places[_i].value_column);
}
END_TEST

Suite *
ini_suite(void)
{
	Suite *suite = suite_create("ini");
	TCase *tcase = tcase_create("ini");

	tcase_add_checked_fixture(tcase, NULL, free_calls);
	tcase_add_test(tcase, sections_and_pairs_come_in_order);
	tcase_add_test(tcase, empty_text_is_nothing);
	tcase_add_test(tcase, comments_and_blank_lines_are_nothing);
	tcase_add_test(tcase, comment_starts_after_a_blank);
	tcase_add_test(tcase, carriage_returns_are_blanks);
	tcase_add_test(tcase, byte_order_mark_is_skipped);
	tcase_add_test(tcase, empty_section_is_reported);
	tcase_add_test(tcase, section_entered_twice_is_reported_twice);
	tcase_add_test(tcase, long_section_is_not_cut);
	tcase_add_test(tcase, section_may_be_followed_by_a_comment);
	tcase_add_test(tcase, indented_line_is_a_line_like_any_other);
	tcase_add_test(tcase, indented_line_does_not_continue_a_value);
	tcase_add_test(tcase, line_of_neither_kind_is_an_error);
	tcase_add_test(tcase, section_without_an_end_is_an_error);
	tcase_add_test(tcase, text_after_a_section_is_an_error);
	tcase_add_test(tcase, line_above_199_bytes_is_an_error);
	tcase_add_test(tcase, nul_byte_is_an_error);
	tcase_add_test(tcase, name_that_inih_would_cut_is_an_error);
	tcase_add_test(tcase, handler_stops_the_reading);
	tcase_add_test(tcase, text_ends_where_its_length_says);
	tcase_add_loop_test(tcase, handler_is_told_the_columns, 0,
	    sizeof(places) / sizeof(places[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}
