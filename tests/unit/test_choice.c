#include "base/choice.h"
#include "suites.h"

#include <errno.h>

enum { LOW = 3, HIGH = 7 };

static const struct choice levels[] = {
    {"low", LOW},
    {"high", HIGH},
    {"top", HIGH},
    {NULL, 0},
};

static int
read_of(const struct choice *choices, const char *word)
{
	int value = -1;

	ck_assert_int_eq(choice_read(choices, word, &value), 0);
	return value;
}

START_TEST(names_and_synonyms_are_read_in_any_case)
{
	ck_assert_int_eq(read_of(levels, "low"), LOW);
	ck_assert_int_eq(read_of(levels, "High"), HIGH);
	ck_assert_int_eq(read_of(levels, "TOP"), HIGH);
}
END_TEST

START_TEST(other_words_are_refused_and_change_nothing)
{
	static const char *const words[] = {"", "lo", "lower", " low", "3"};
	int value = 42;

	for (size_t i = 0; i < COUNT(words); i++) {
		errno = 0;
		ck_assert_int_eq(choice_read(levels, words[i], &value), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(value, 42);
}
END_TEST

START_TEST(yes_and_no_have_the_usual_synonyms)
{
	static const char *const yes[] = {"yes", "true", "on", "1", "True"};
	static const char *const no[] = {"no", "false", "off", "0", "OFF"};

	for (size_t i = 0; i < COUNT(yes); i++) {
		ck_assert_int_eq(read_of(choice_no_yes, yes[i]), 1);
		ck_assert_int_eq(read_of(choice_no_yes, no[i]), 0);
	}
}
END_TEST

START_TEST(only_names_are_written)
{
	char text[40];

	ck_assert_str_eq(choice_name(levels, HIGH), "high");
	ck_assert(choice_is_name(levels, &levels[1]));
	ck_assert(!choice_is_name(levels, &levels[2]));
	choice_list(levels, text, sizeof(text));
	ck_assert_str_eq(text, "low | high");
	choice_list(choice_no_yes, text, sizeof(text));
	ck_assert_str_eq(text, "no | yes");
	choice_list(levels, text, 6);
	ck_assert_str_eq(text, "low |");
}
END_TEST

Suite *
choice_suite(void)
{
	Suite *suite = suite_create("choice");
	TCase *tcase = tcase_create("choice");

	tcase_add_test(tcase, names_and_synonyms_are_read_in_any_case);
	tcase_add_test(tcase, other_words_are_refused_and_change_nothing);
	tcase_add_test(tcase, yes_and_no_have_the_usual_synonyms);
	tcase_add_test(tcase, only_names_are_written);
	suite_add_tcase(suite, tcase);
	return suite;
}
