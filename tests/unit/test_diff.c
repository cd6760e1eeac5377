#include "base/attr.h"
#include "suites.h"
#include "cli/diff.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 16

/* A list of lines of one letter each. */
static struct line_list
list(const char *letters, struct rules_line lines[LINES_MAX])
{
	size_t count = strlen(letters);

	for (size_t i = 0; i < count; i++)
		lines[i] = (struct rules_line){letters + i, 1};
	return (struct line_list){lines, count};
}

static void
record(char sign, const struct rules_line *line, void *arg)
{
	char *text = arg;
	size_t len = strlen(text);

	text[len] = sign;
	text[len + 1] = *line->bytes;
	text[len + 2] = '\0';
}

static const struct {
	const char *old, *new, *changes;
} cases[] = {
    {"", "", ""},
    {"abc", "abc", ""},
    {"", "ab", "+a+b"},
    {"ab", "", "-a-b"},
    {"abc", "adc", "-b+d"},
    {"abc", "abcd", "+d"},
    {"abc", "xabc", "+x"},
    {"abcd", "bcda", "-a+a"},
    {"abcd", "dabc", "+d-d"},
    {"abcdef", "abxyef", "-c-d+x+y"},
    {"a", "b", "-a+b"},
};

START_TEST(changes_are_few_and_in_order)
{
	struct rules_line old_lines[LINES_MAX], new_lines[LINES_MAX];
	const struct line_list old = list(cases[_i].old, old_lines);
	const struct line_list new = list(cases[_i].new, new_lines);
	char changes[4 * LINES_MAX] = "";

	ck_assert_int_eq(
	    diff_lines(&old, &new, record, changes), *cases[_i].changes != 0);
	ck_assert_str_eq(changes, cases[_i].changes);
}
END_TEST

START_TEST(lines_differ_by_every_byte_and_by_length)
{
	const struct rules_line old_lines[] = {{"a\0b", 3}, {"aa", 2}};
	const struct rules_line new_lines[] = {{"a\0c", 3}, {"a", 1}};
	const struct line_list old = {old_lines, 2}, new = {new_lines, 2};
	char changes[4 * LINES_MAX] = "";

	ck_assert_int_eq(diff_lines(&old, &new, record, changes), 1);
	ck_assert_str_eq(changes, "-a-a+a+a");
}
END_TEST

static void
count(char sign, const struct rules_line *line, void *arg)
{
	(void)sign;
	(void)line;
	++*(size_t *)arg;
}

/* Some of the first letters, each once, in any order. */
static size_t
shuffle(char *to)
{
	size_t count = (size_t)rand() % 10;

	for (size_t i = 0; i < count; i++)
		do
			to[i] = (char)('a' + rand() % 12);
		while (memchr(to, to[i], i));
	to[count] = '\0';
	return count;
}

/* Longest common subsequence, the slow way. */
static size_t
common(const char *a, const char *b)
{
	size_t skip_a, skip_b;

	if (!*a || !*b)
		return 0;
	if (*a == *b)
		return 1 + common(a + 1, b + 1);
	skip_a = common(a + 1, b);
	skip_b = common(a, b + 1);
	return skip_a > skip_b ? skip_a : skip_b;
}

START_TEST(no_change_could_be_spared)
{
	srand(1);
	for (int i = 0; i < 300; i++) {
		struct rules_line old_lines[LINES_MAX], new_lines[LINES_MAX];
		char old_text[LINES_MAX], new_text[LINES_MAX];
		size_t all = shuffle(old_text) + shuffle(new_text);
		const struct line_list old = list(old_text, old_lines);
		const struct line_list new = list(new_text, new_lines);
		size_t changes = 0;

		ck_assert_int_ge(diff_lines(&old, &new, count, &changes), 0);
		ck_assert_uint_eq(
		    changes, all - 2 * common(old_text, new_text));
	}
}
END_TEST

Suite *
diff_suite(void)
{
	Suite *suite = suite_create("diff");
	TCase *tcase = tcase_create("diff");

	tcase_add_loop_test(
	    tcase, changes_are_few_and_in_order, 0, COUNT(cases));
	tcase_add_test(tcase, lines_differ_by_every_byte_and_by_length);
	tcase_add_test(tcase, no_change_could_be_spared);
	suite_add_tcase(suite, tcase);
	return suite;
}
