#include "base/attr.h"
#include "cli/history_text.h"
#include "suites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST "0123456789abcdef0123456789abcdef01234567"

START_TEST(what_is_known_about_a_set_is_read)
{
	static const char text[] = "1795339258 3 " DIGEST "\nann@web\nwhy not";
	struct history_about about;

	ck_assert_int_eq(
	    history_text_read_about(&about, text, strlen(text)), 0);
	ck_assert_int_eq(about.time, 1795339258);
	ck_assert_int_eq(about.count, 3);
	ck_assert_str_eq(about.digest, DIGEST);
	ck_assert_uint_eq(about.author_len, 7);
	ck_assert_mem_eq(about.author, "ann@web", 7);
	ck_assert_uint_eq(about.message_len, 7);
	ck_assert_mem_eq(about.message, "why not", 7);
}
END_TEST

START_TEST(an_author_and_a_message_may_be_empty)
{
	static const char text[] = "0 0 " DIGEST "\n\n";
	struct history_about about;

	ck_assert_int_eq(
	    history_text_read_about(&about, text, strlen(text)), 0);
	ck_assert_uint_eq(about.author_len, 0);
	ck_assert_uint_eq(about.message_len, 0);
}
END_TEST

/* Cut anywhere before the message, it is not as it was written. */
START_TEST(a_torn_text_is_refused)
{
	static const char text[] = "17 3 " DIGEST "\nann\n";
	struct history_about about;

	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(
		    history_text_read_about(&about, text, len), -1);
}
END_TEST

static const char *const foreign[] = {
    "x 3 " DIGEST "\n\n",
    "-1 3 " DIGEST "\n\n",
    "1 -3 " DIGEST "\n\n",
    "1 10001 " DIGEST "\n\n",
    "1  3 " DIGEST "\n\n",
    "99999999999999999999 3 " DIGEST "\n\n",
    "1 3 " DIGEST "0\n\n",
    "1 3 abc\n\n",
};

START_TEST(a_foreign_text_is_refused)
{
	struct history_about about;

	ck_assert_int_eq(
	    history_text_read_about(&about, foreign[_i], strlen(foreign[_i])),
	    -1);
}
END_TEST

START_TEST(a_set_is_read)
{
	static const char text[] = "3:a b0:5:c:\n\0d";
	struct rules_line *lines;
	size_t count;

	ck_assert_int_eq(
	    history_text_read_set(text, sizeof(text) - 1, &lines, &count), 0);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(lines[0].len, 3);
	ck_assert_mem_eq(lines[0].bytes, "a b", 3);
	ck_assert_uint_eq(lines[1].len, 0);
	ck_assert_uint_eq(lines[2].len, 5);
	ck_assert_mem_eq(lines[2].bytes, "c:\n\0d", 5);
	free(lines);
	ck_assert_int_eq(history_text_read_set("", 0, &lines, &count), 0);
	ck_assert_uint_eq(count, 0);
	free(lines);
}
END_TEST

static const char *const torn[] = {"3", "3:", "3:ab", "3:abc2", "3:abc:", ":",
    "x:", "-1:a", "1:ab", "99999999999999999999:a", "1 :a", "+1:a"};

START_TEST(a_torn_set_is_refused)
{
	struct rules_line *lines;
	size_t count;

	errno = 0;
	ck_assert_int_eq(
	    history_text_read_set(torn[_i], strlen(torn[_i]), &lines, &count),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(lines);
}
END_TEST

/* "0:" as often as a set has members, and once more. */
START_TEST(a_set_with_too_many_members_is_refused)
{
	enum { MOST = 10000 };
	char *text = malloc(2 * (MOST + 1));
	struct rules_line *lines;
	size_t count;

	for (size_t i = 0; i <= MOST; i++)
		memcpy(text + 2 * i, "0:", 2);
	ck_assert_int_eq(
	    history_text_read_set(text, 2 * MOST, &lines, &count), 0);
	ck_assert_uint_eq(count, MOST);
	free(lines);
	ck_assert_int_eq(
	    history_text_read_set(text, 2 * (MOST + 1), &lines, &count), -1);
	free(text);
}
END_TEST

Suite *
history_text_suite(void)
{
	Suite *suite = suite_create("history_text");
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, what_is_known_about_a_set_is_read);
	tcase_add_test(tcase, an_author_and_a_message_may_be_empty);
	tcase_add_test(tcase, a_torn_text_is_refused);
	tcase_add_loop_test(
	    tcase, a_foreign_text_is_refused, 0, COUNT(foreign));
	tcase_add_test(tcase, a_set_is_read);
	tcase_add_loop_test(tcase, a_torn_set_is_refused, 0, COUNT(torn));
	tcase_add_test(tcase, a_set_with_too_many_members_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
