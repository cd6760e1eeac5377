#include "base/suggest.h"
#include "suites.h"

static const char *const words[] = {
    "match", "capacity", "recharge", "rate", "block"};

static const char *
suggested(const char *word)
{
	return suggest(word, words, sizeof(words) / sizeof(words[0]));
}

START_TEST(typing_errors_find_their_word)
{
	ck_assert_str_eq(suggested("capcity"), "capacity");
	ck_assert_str_eq(suggested("Capacity"), "capacity");
	ck_assert_str_eq(suggested("recahrge"), "recharge");
	ck_assert_str_eq(suggested("rat"), "rate");
	ck_assert_str_eq(suggested("blocks"), "block");
}
END_TEST

START_TEST(other_words_find_none)
{
	ck_assert_ptr_null(suggested(""));
	ck_assert_ptr_null(suggested("x"));
	ck_assert_ptr_null(suggested("window"));
	ck_assert_ptr_null(suggested("cap"));
	ck_assert_ptr_null(suggested("capacitycapacitycapacitycapacity"
				     "capacitycapacitycapacitycapacity"));
	ck_assert_ptr_null(suggest("match", words, 0));
}
END_TEST

START_TEST(first_of_equals_is_suggested)
{
	static const char *const both[] = {"host", "most"};

	ck_assert_str_eq(suggest("ost", both, 2), "host");
}
END_TEST

Suite *
suggest_suite(void)
{
	Suite *suite = suite_create("suggest");
	TCase *tcase = tcase_create("suggest");

	tcase_add_test(tcase, typing_errors_find_their_word);
	tcase_add_test(tcase, other_words_find_none);
	tcase_add_test(tcase, first_of_equals_is_suggested);
	suite_add_tcase(suite, tcase);
	return suite;
}
