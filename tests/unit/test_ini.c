#include "base/buf.h"
#include "base/ini.h"
#include "suites.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What a text was read as, one call a line: "LINE [section]", "LINE [section]
 * name=value", with "(cut)" where a comment was, "LINE:COLUMN! mistake". */
static struct buf calls;

/* Sections of this name are Python's. */
#define PYTHON "py"

static void
write_name(const char *section, unsigned line)
{
	ck_assert_int_eq(buf_printf(&calls, "%u [%s]", line, section), 0);
}

static bool
on_section(void *arg, const char *name, const struct ini_place *place)
{
	(void)arg;
	write_name(name, place->line);
	ck_assert_int_eq(buf_add(&calls, "\n", 1), 0);
	return strcmp(name, PYTHON) == 0;
}

static void
on_pair(void *arg, const struct ini_pair *pair)
{
	struct ini_pair *last = arg;

	write_name(pair->section, pair->place.line);
	ck_assert_int_eq(buf_printf(&calls, " %s=%s%s\n", pair->name,
			     pair->value, pair->is_cut ? "(cut)" : ""),
	    0);
	if (last)
		*last = *pair;
}

static void
on_mistake(void *arg, const struct ini_place *place, const char *reason)
{
	(void)arg;
	ck_assert_int_eq(buf_printf(&calls, "%u:%u! %s\n", place->line,
			     place->column, reason),
	    0);
}

static const struct ini_events events = {on_section, on_pair, on_mistake};

static const char *
recorded(void)
{
	ck_assert_int_eq(buf_add(&calls, "", 1), 0);
	return buf_data(&calls);
}

static void
free_calls(void)
{
	buf_free(&calls);
}

static void
check_reads_bytes(const char *text, size_t len, const char *expected)
{
	buf_free(&calls);
	ck_assert_int_eq(ini_read(text, len, &events, NULL), 0);
	ck_assert_str_eq(recorded(), expected);
}

static void
check_reads(const char *text, const char *expected)
{
	check_reads_bytes(text, strlen(text), expected);
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
	check_reads("a = 1 ; one\nb = 2;two\nc = #3\nd = ;\ne=;f\ng=; ;",
	    "1 [] a=1(cut)\n2 [] b=2;two\n3 [] c=#3\n4 [] d=(cut)\n"
	    "5 [] e=;f\n6 [] g=;(cut)\n");
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
	check_reads("a = 1\n  2",
	    "1 [] a=1\n2:3! neither [section] nor name = value\n");
}
END_TEST

START_TEST(all_mistakes_are_reported)
{
	check_reads("[x]\nhello\na = 1\n [y\nb = 2\n[z] c = 3\n[w]\nd = 4",
	    "1 [x]\n2:1! neither [section] nor name = value\n3 [x] a=1\n"
	    "4:2! a section's line needs a ']'\n"
	    "6:1! nothing may follow a section's ']'\n"
	    "7 [w]\n8 [w] d=4\n");
}
END_TEST

START_TEST(comment_needs_a_blank_after_a_section)
{
	check_reads("[x]; y", "1:1! nothing may follow a section's ']'\n");
}
END_TEST

START_TEST(line_has_at_most_32768_bytes)
{
	static char text[INI_LINE_MAX + 100], expected[INI_LINE_MAX + 100];

	snprintf(
	    text, sizeof(text), "ok = 1\n  a=%0*d\nb=2", INI_LINE_MAX - 2, 1);
	snprintf(expected, sizeof(expected),
	    "1 [] ok=1\n2 [] a=%0*d\n3 [] b=2\n", INI_LINE_MAX - 2, 1);
	check_reads(text, expected);
	snprintf(
	    text, sizeof(text), "ok = 1\n  a=%0*d\nb=2", INI_LINE_MAX - 1, 1);
	check_reads(
	    text, "1 [] ok=1\n2:3! longer than 32768 bytes\n3 [] b=2\n");
}
END_TEST

START_TEST(nul_byte_is_a_mistake)
{
	check_reads_bytes(
	    "a = 1\nb = \0\n", 12, "1 [] a=1\n2:1! holds a NUL byte\n");
	check_reads_bytes("; \0", 3, "1:1! holds a NUL byte\n");
}
END_TEST

static const struct {
	const char *text, *value;
} quoted[] = {
    {"a = \"b\"", "b"},
    {"a = 'b'", "b"},
    {"a = \"\"", ""},
    {"a = \" b ; c # d \" ; e", " b ; c # d "},
    {"a: 'b;'", "b;"},
    {"a = \"say \"\"b\"\"\"", "say \"b\""},
    {"a = \"\"\"\"", "\""},
    {"a = 'it''s'", "it's"},
    {"a = \"'\"", "'"},
    {"a = \"\\d\\\"", "\\d\\"},
    {"a = b\"c\"", "b\"c\""},
    {"a = b'", "b'"},
};

START_TEST(quotes_are_taken_off)
{
	char expected[100];

	snprintf(expected, sizeof(expected), "1 [] a=%s\n", quoted[_i].value);
	check_reads(quoted[_i].text, expected);
}
END_TEST

START_TEST(quotes_that_are_wrong_are_mistakes)
{
	check_reads("a = \"b\nc = 1",
	    "1:1! the quote that begins the value has no end\n2 [] c=1\n");
	check_reads(
	    "a = '", "1:1! the quote that begins the value has no end\n");
	check_reads("a = \"b\" c",
	    "1:1! only a comment may follow a value in quotes\n");
	check_reads("a = \"b\";c",
	    "1:1! only a comment may follow a value in quotes\n");
}
END_TEST

static const char *const values[] = {"", "a", "a b", " a", "a ", ";", "a;b",
    "a ;b", "\"", "'", "\"a\"", "a\"b", "' ;\"", "#a", "a # b", "=", ":", "\t",
    "a\\"};

START_TEST(value_that_is_written_is_read_as_it_was)
{
	struct buf text = {0};
	struct ini_pair pair = {0};
	char expected[100];

	ck_assert_int_eq(buf_printf(&text, "a = "), 0);
	ck_assert_int_eq(ini_write_value(&text, values[_i]), 0);
	snprintf(expected, sizeof(expected), "1 [] a=%s\n", values[_i]);
	ck_assert_int_eq(
	    ini_read(buf_data(&text), buf_len(&text), &events, &pair), 0);
	ck_assert_str_eq(recorded(), expected);
	buf_free(&text);
}
END_TEST

/* As Python's configparser reads them (test_distribution.py compares). */
static const struct {
	const char *text, *expected;
} python[] = {
    {"a = \"b\"", "2 [py] a=\"b\"\n"},
    {"a = b\n  c\n d", "2 [py] a=b\nc\nd\n"},
    {"a = b\n  [c]\n", "2 [py] a=b\n[c]\n"},
    {"a = b\n ; no\n\n c ; no", "2 [py] a=b\nc\n"},
    {"  a = b\n  c = d", "2 [py] a=b\n3 [py] c=d\n"},
    {"  a = b\nc = d", "2 [py] a=b\n3 [py] c=d\n"},
    {"a = b\n[x]\n  c = d\n   e", "2 [py] a=b\n3 [x]\n4 [x] c=d\n"
				  "5:4! neither [section] nor name = value\n"},
};

START_TEST(python_section_is_read_as_python_does)
{
	char text[100], expected[200];

	snprintf(text, sizeof(text), "[" PYTHON "]\n%s", python[_i].text);
	snprintf(expected, sizeof(expected), "1 [" PYTHON "]\n%s",
	    python[_i].expected);
	check_reads(text, expected);
}
END_TEST

START_TEST(text_ends_where_its_length_says)
{
	check_reads_bytes("a = 12", 5, "1 [] a=1\n");
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
    {"bad = \"a\"", 1, 7},
    {"a = 1\n  bad = 1", 3, 9},
    {"\xEF\xBB\xBF bad = 1", 2, 8},
};

START_TEST(pair_is_told_with_its_columns)
{
	const char *text = places[_i].text;
	struct ini_pair pair = {0};

	ck_assert_int_eq(ini_read(text, strlen(text), &events, &pair), 0);
	ck_assert_uint_eq(pair.place.column, places[_i].column);
	ck_assert_uint_eq(pair.place.value_column, places[_i].value_column);
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
	tcase_add_test(tcase, comment_needs_a_blank_after_a_section);
	tcase_add_test(tcase, indented_line_is_a_line_like_any_other);
	tcase_add_test(tcase, indented_line_does_not_continue_a_value);
	tcase_add_test(tcase, all_mistakes_are_reported);
	tcase_add_test(tcase, line_has_at_most_32768_bytes);
	tcase_add_test(tcase, nul_byte_is_a_mistake);
	tcase_add_loop_test(tcase, quotes_are_taken_off, 0, COUNT(quoted));
	tcase_add_test(tcase, quotes_that_are_wrong_are_mistakes);
	tcase_add_loop_test(
	    tcase, value_that_is_written_is_read_as_it_was, 0, COUNT(values));
	tcase_add_loop_test(
	    tcase, python_section_is_read_as_python_does, 0, COUNT(python));
	tcase_add_test(tcase, text_ends_where_its_length_says);
	tcase_add_loop_test(
	    tcase, pair_is_told_with_its_columns, 0, COUNT(places));
	suite_add_tcase(suite, tcase);
	return suite;
}
