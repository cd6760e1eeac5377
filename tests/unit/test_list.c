#include "base/list.h"
#include "suites.h"

#include <string.h>

struct letter {
	char letter;
	TAILQ_ENTRY(letter) entry;
	LIST_ENTRY(letter) member;
};

TAILQ_HEAD(word, letter);
LIST_HEAD(members, letter);

static struct letter a = {.letter = 'a'}, b = {.letter = 'b'},
		     c = {.letter = 'c'};

static void
check_word(const struct word *word, const char *expected)
{
	char text[8] = "";
	struct letter *letter;
	size_t len = 0;

	TAILQ_FOREACH (letter, word, entry) {
		ck_assert_uint_lt(len + 1, sizeof(text));
		text[len++] = letter->letter;
	}
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(TAILQ_EMPTY(word), !*expected);
}

static void
spell(struct word *word)
{
	TAILQ_INIT(word);
	TAILQ_INSERT_TAIL(word, &a, entry);
	TAILQ_INSERT_TAIL(word, &b, entry);
	TAILQ_INSERT_TAIL(word, &c, entry);
	check_word(word, "abc");
}

START_TEST(removes_any_and_still_appends)
{
	static struct letter *const letters[] = {&a, &b, &c};
	static const char *const left[] = {"bca", "acb", "abc"};
	struct word word;

	spell(&word);
	TAILQ_REMOVE(&word, letters[_i], entry);
	TAILQ_INSERT_TAIL(&word, letters[_i], entry);
	check_word(&word, left[_i]);
	ck_assert_ptr_eq(TAILQ_FIRST(&word), *left[_i] == 'a' ? &a : &b);
}
END_TEST

START_TEST(empties_and_fills_again)
{
	struct word word = TAILQ_HEAD_INITIALIZER(word);
	struct letter *letter;

	check_word(&word, "");
	spell(&word);
	while ((letter = TAILQ_FIRST(&word)))
		TAILQ_REMOVE(&word, letter, entry);
	check_word(&word, "");
	TAILQ_INSERT_TAIL(&word, &b, entry);
	check_word(&word, "b");
	ck_assert_ptr_null(TAILQ_NEXT(&b, entry));
}
END_TEST

START_TEST(joins_two)
{
	struct letter d = {.letter = 'd'};
	struct word word, more = TAILQ_HEAD_INITIALIZER(more);

	spell(&word);
	TAILQ_CONCAT(&word, &more, entry);
	check_word(&word, "abc");
	TAILQ_INSERT_TAIL(&more, &d, entry);
	TAILQ_CONCAT(&word, &more, entry);
	check_word(&word, "abcd");
	check_word(&more, "");
	TAILQ_REMOVE(&word, &d, entry);
	TAILQ_CONCAT(&more, &word, entry);
	check_word(&more, "abc");
	check_word(&word, "");
}
END_TEST

START_TEST(a_list_removes_any)
{
	static struct letter *const letters[] = {&a, &b, &c};
	static const char *const left[] = {"cb", "ca", "ba"};
	struct members members = {NULL};
	struct letter *letter;
	char text[4] = "";

	LIST_INSERT_HEAD(&members, &a, member);
	LIST_INSERT_HEAD(&members, &b, member);
	LIST_INSERT_HEAD(&members, &c, member);
	LIST_REMOVE(letters[_i], member);
	LIST_FOREACH (letter, &members, member) {
		ck_assert_uint_lt(strlen(text), 2);
		text[strlen(text)] = letter->letter;
	}
	ck_assert_str_eq(text, left[_i]);
}
END_TEST

Suite *
list_suite(void)
{
	Suite *suite = suite_create("list");
	TCase *tcase = tcase_create("list");

	tcase_add_loop_test(tcase, removes_any_and_still_appends, 0, 3);
	tcase_add_test(tcase, empties_and_fills_again);
	tcase_add_test(tcase, joins_two);
	tcase_add_loop_test(tcase, a_list_removes_any, 0, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}
