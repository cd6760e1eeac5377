#include "limit/glob.h"
#include "suites.h"

#include "base/attr.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *pattern, *text;
	bool matches;
} matches[] = {
    {"user:?", "user:a", true},
    {"user:?", "user:é", true},
    {"user:?", "user:漢", true},
    {"user:?", "user:😀", true},
    {"user:?", "user:", false},
    {"user:?", "user:ab", false},
    {"user:??", "user:é", false},
    {"x:[é]", "x:é", true},
    {"x:[é]", "x:è", false},
    {"x:[!é]", "x:è", true},
    {"x:[!é]", "x:é", false},
    {"x:[^é]*", "x:èé", true},
    {"[à-ü]", "é", true},
    {"[à-ü]", "a", false},
    {"[a-\\é]", "b", true},
    {"code:????"
     "-*",
	"code:漢字漢字-1", true},
    {"code:????"
     "-*",
	"code:漢字漢-1", false},
    {"*é", "aéé", true},
    {"*é*", "aéb", true},
    {"*[é]b", "é漢éb", true},
    {"é", "é", true},
    {"é", "\xC3", false},
    {"?", "\xC3", true},
    {"?", "\xC3\xC3", false},
    {"??", "\xE6\xBC", true},
    {"?", "\xFF", true},
    {"[!a]", "\xFF", true},
    {"[\x01-ÿ]", "\xFF", false},
    {"*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    {"", "", true},
    {"*", "", true},
    {"a*", "a", true},
    {"[[:digit:]x]", "7", true},
    {"[[:digit:]x]", "x", true},
    {"[[:digit:]x]", ":", false},
    {"[[:digit]x", "dx", true},
    {"[]-]", "-", true},
    {"[]-]", "]", true},
    {"[!]]", "]", false},
    {"[a-]", "-", true},
    {"\\*", "*", true},
    {"\\*", "a", false},
};

START_TEST(characters_are_matched)
{
	const char *text = matches[_i].text;

	ck_assert_ptr_null(glob_fault(matches[_i].pattern));
	ck_assert_int_eq(glob_matches(matches[_i].pattern, text, strlen(text)),
	    matches[_i].matches);
}
END_TEST

START_TEST(text_may_hold_a_nul)
{
	ck_assert(glob_matches("a?b", "a\0b", 3));
	ck_assert(glob_matches("*b", "a\0b", 3));
	ck_assert(!glob_matches("a", "a\0", 2));
	ck_assert(!glob_matches("[!a]", "\0a", 2));
}
END_TEST

static const struct {
	const char *pattern, *fault;
} faults[] = {
    {"a\\", "ends in a lone backslash"},
    {"[", "has a [ without a ]"},
    {"[a", "has a [ without a ]"},
    {"[]", "has a [ without a ]"},
    {"[!]", "has a [ without a ]"},
    {"[\\]", "has a [ without a ]"},
    {"[a-", "has a [ without a ]"},
    {"[a-\\", "has a [ without a ]"},
    {"[[:alpha:]", "has a [ without a ]"},
    {"a]", NULL},
    {"[]]", NULL},
};

START_TEST(fault_is_found)
{
	ck_assert_pstr_eq(glob_fault(faults[_i].pattern), faults[_i].fault);
}
END_TEST

/* A text of letters that patterns are made of. */
static void
draw(char *to, const char *letters, int most)
{
	int len = rand() % (most + 1);

	for (int i = 0; i < len; i++)
		to[i] = letters[(size_t)rand() % strlen(letters)];
	to[len] = '\0';
}

static const struct {
	const char *pattern, *text;
	unsigned count;
	const char *stars[3];
} stars[] = {
    {"user:*", "user:42", 1, {"42"}},
    {"user:*", "user:", 1, {""}},
    {"*:*", "a:b:c", 2, {"a", "b:c"}},
    {"g:*:x*y", "g:a:b:xcyy", 2, {"a:b", "cy"}},
    {"**", "ab", 2, {"", "ab"}},
    {"a*b*", "ab", 2, {"", ""}},
    {"[*]*\\*?*", "*a*bc", 2, {"a", "c"}},
    {"user:?", "user:1", 0, {0}},
    {"*:\303\244*", "\303\244:\303\244\303\266", 2, {"\303\244", "\303\266"}},
};

START_TEST(each_star_is_found)
{
	struct glob_part found[3] = {{0}};
	const char *pattern = stars[_i].pattern, *text = stars[_i].text;

	ck_assert(glob_matches(pattern, text, strlen(text)));
	ck_assert_uint_eq(glob_count_stars(pattern), stars[_i].count);
	glob_find_stars(pattern, false, text, strlen(text), found, 3);
	for (unsigned i = 0; i < stars[_i].count; i++) {
		ck_assert_uint_eq(found[i].len, strlen(stars[_i].stars[i]));
		ck_assert_mem_eq(
		    found[i].bytes, stars[_i].stars[i], found[i].len);
	}
}
END_TEST

START_TEST(no_more_stars_are_set_than_there_is_room_for)
{
	struct glob_part found[2] = {{0}};

	glob_find_stars("*:*:*", false, "a:b:c", 5, found, 1);
	ck_assert_uint_eq(found[0].len, 1);
	ck_assert_ptr_null(found[1].bytes);
}
END_TEST

/* The pattern with what its stars stand for in their places has none, and
 * matches as well. */
static void
check_stars(const char *pattern, const char *text)
{
	struct glob_part found[16] = {{0}};
	char filled[200], *to = filled;
	unsigned count = glob_count_stars(pattern), next = 0;

	glob_find_stars(pattern, false, text, strlen(text), found, 16);
	for (const char *p = pattern; *p; p++) {
		if (*p != '*') {
			*to++ = *p;
			continue;
		}
		for (size_t i = 0; i < found[next].len; i++) {
			*to++ = '\\';
			*to++ = found[next].bytes[i];
		}
		next++;
	}
	*to = '\0';
	ck_assert_uint_eq(next, count);
	ck_assert_msg(glob_matches(filled, text, strlen(text)),
	    "'%s' on '%s' becomes '%s'", pattern, text, filled);
}

START_TEST(what_stars_stand_for_makes_the_text)
{
	char pattern[16], text[16];

	srand(2);
	for (unsigned compared = 0; compared < 20000;) {
		draw(pattern, "ab:?***", 10);
		draw(text, "aabb::", 10);
		if (!glob_matches(pattern, text, strlen(text)))
			continue;
		compared++;
		check_stars(pattern, text);
	}
}
END_TEST

static const struct {
	const char *pattern, *text;
	bool matches;
} segments[] = {
    {"d/k=*", "d/k=v", true},
    {"d/k=*", "d/k=", true},
    {"d/k=*", "d/k", true},
    {"d/k=*", "d/k=v/k=v", false},
    {"d/k=*", "d/kk", false},
    {"d/k=*", "d/k/", false},
    {"d/k=*", "d", false},
    {"d/k=*/l=*", "d/k/l", true},
    {"d/k=*/l=*", "d/k=1/l", true},
    {"d/k=*/l=*", "d/k/l=2", true},
    {"d/k=*/l=*", "d/k=1/l=2", true},
    {"d/k=*/l=*", "d/k=1", false},
    {"d/k=*/l=*", "d/k=1/m/l=2", false},
    {"d/k=*/l=*", "d/k=1/l=2/", false},
    {"d/k=a*", "d/k", false},
    {"d/k=*a", "d/k", false},
    {"d/k=a*", "d/k=abc", true},
    {"d/k=a*c*e", "d/k=abcde", true},
    {"d/k=a*c*e", "d/k=abc/e", false},
    {"d/k\\=*", "d/k", false},
    {"d/k*=*", "d/kk", true},
    {"d/k*=*/x", "d/kk/x", true},
    {"d/k*=*/x", "d/kk=1=2/x", true},
    {"*/*", "a/b", true},
    {"*/*", "a/b/c", false},
    {"*", "a/b", false},
    {"?", "/", false},
    {"[!a]", "/", false},
    {"k=?", "k=%2F", true},
    {"k=?F", "k=%2F", false},
    {"k=*F", "k=%2F", false},
    {"k=*F", "k=%2FF", true},
    {"k=*%2F", "k=%20%2F", true},
    {"k=*0*", "k=%20%201", false},
    {"k=*0*", "k=%200", true},
    {"k=[%]", "k=%2F", true},
    {"k=?", "k=%", true},
    {"k=???", "k=%2x", true},
};

START_TEST(segments_are_matched_one_by_one)
{
	const char *text = segments[_i].text;

	ck_assert_int_eq(
	    glob_matches_segments(segments[_i].pattern, text, strlen(text)),
	    segments[_i].matches);
}
END_TEST

/* Where nothing of ours is in it. */
START_TEST(segments_are_those_of_a_path)
{
	char pattern[16], text[16];
	unsigned matching = 0;

	srand(3);
	for (unsigned compared = 0; compared < 100000; compared++) {
		bool does;

		draw(pattern, "ab/?***", 8);
		draw(text, "aabb//", 8);
		does = glob_matches_segments(pattern, text, strlen(text));
		ck_assert_msg(
		    does == (fnmatch(pattern, text, FNM_PATHNAME) == 0),
		    "'%s' on '%s'", pattern, text);
		matching += does;
	}
	ck_assert_uint_gt(matching, 1000);
}
END_TEST

START_TEST(star_that_is_missing_stands_for_nothing)
{
	struct glob_part found[2] = {{"x", 1}, {"x", 1}};

	glob_find_stars("d/k=*/l=*", true, "d/k/l=2", 7, found, 2);
	ck_assert_uint_eq(found[0].len, 0);
	ck_assert_uint_eq(found[1].len, 1);
	ck_assert_mem_eq(found[1].bytes, "2", 1);
	glob_find_stars("d/k=*/l=*", true, "d/k=1/l", 7, found, 2);
	ck_assert_mem_eq(found[0].bytes, "1", 1);
	ck_assert_uint_eq(found[1].len, 0);
}
END_TEST

START_TEST(ascii_is_matched_as_by_fnmatch)
{
	char pattern[16], text[16];
	unsigned compared = 0, matched = 0;

	srand(1);
	while (compared < 300000) {
		bool does;

		draw(pattern, "ab-]!^\\[*?**", 10);
		draw(text, "aabb-]![^\\", 8);
		if (glob_fault(pattern))
			continue;
		compared++;
		does = fnmatch(pattern, text, 0) == 0;
		matched += does;
		ck_assert_msg(glob_matches(pattern, text, strlen(text)) == does,
		    "'%s' on '%s' is %d", pattern, text, does);
	}
	ck_assert_uint_gt(matched, 10000);
}
END_TEST

Suite *
glob_suite(void)
{
	Suite *suite = suite_create("glob");
	TCase *tcase = tcase_create("glob");

	tcase_add_loop_test(
	    tcase, segments_are_matched_one_by_one, 0, COUNT(segments));
	tcase_add_test(tcase, segments_are_those_of_a_path);
	tcase_add_test(tcase, star_that_is_missing_stands_for_nothing);
	tcase_add_loop_test(tcase, characters_are_matched, 0, COUNT(matches));
	tcase_add_test(tcase, text_may_hold_a_nul);
	tcase_add_loop_test(tcase, fault_is_found, 0, COUNT(faults));
	tcase_add_test(tcase, ascii_is_matched_as_by_fnmatch);
	tcase_add_loop_test(tcase, each_star_is_found, 0, COUNT(stars));
	tcase_add_test(tcase, no_more_stars_are_set_than_there_is_room_for);
	tcase_add_test(tcase, what_stars_stand_for_makes_the_text);
	suite_add_tcase(suite, tcase);
	return suite;
}
