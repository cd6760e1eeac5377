#include "base/buf.h"
#include "limit/rules_text.h"
#include "suites.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

static struct rules_scratch *scratch;

static void
make_scratch(void)
{
	scratch = rules_scratch_new();
	ck_assert_ptr_nonnull(scratch);
}

static void
free_scratch(void)
{
	rules_scratch_free(scratch);
}

static struct rules *
rules_of(const char *text, size_t len)
{
	struct reasons reasons;
	struct rules *rules = rules_from_ini("test.ini", text, len, &reasons);

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	return rules;
}

/* A set of limits with these patterns, named a, b, c and so on. */
static struct rules *
rules_matching(const char *const *patterns)
{
	struct buf text = {0};
	struct rules *rules;

	for (int i = 0; patterns[i]; i++)
		ck_assert_int_eq(buf_printf(&text,
				     "[%c]\nmatch = %s\ncapacity = 1\n"
				     "recharge = 1s\n",
				     'a' + i, patterns[i]),
		    0);
	rules = rules_of(buf_data(&text), buf_len(&text));
	buf_free(&text);
	return rules;
}

#define PATTERNS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const struct limit *
match(const struct rules *rules, const char *text)
{
	struct key key = key_make(text, strlen(text));

	return rules_match(rules, &key, scratch);
}

/* The name of the limit that ${text} matches, "-" if none. */
static const char *
matched(const struct rules *rules, const char *text)
{
	const struct limit *limit = match(rules, text);

	return limit ? limit->name : "-";
}

#define SEGMENTS(name, match)                                                  \
	"[" name "]\nmatch = " match "\nsegments = yes\ncapacity = 1\n"        \
	"recharge = 1s\n"
#define WHOLE(name, match)                                                     \
	"[" name "]\nmatch = " match "\ncapacity = 1\nrecharge = 1s\n"

START_TEST(limits_are_matched_by_segments)
{
	static const char text[] =
	    SEGMENTS("exact", "d/k=1") SEGMENTS("deep", "d/k=*/l=*")
		SEGMENTS("any", "d/k=*") SEGMENTS("escaped", "d/m\\=*")
		    SEGMENTS("domain", "*") WHOLE("whole", "d/*");
	struct rules *rules = rules_of(text, sizeof(text) - 1);

	ck_assert_str_eq(matched(rules, "d/k=1"), "exact");
	ck_assert_str_eq(matched(rules, "d/k=2"), "any");
	ck_assert_str_eq(matched(rules, "d/k"), "any");
	ck_assert_str_eq(matched(rules, "d/k/l"), "deep");
	ck_assert_str_eq(matched(rules, "d/k=1/l=2"), "deep");
	ck_assert_str_eq(matched(rules, "d/k=1/l=2/m"), "whole");
	ck_assert_str_eq(matched(rules, "d/m=1"), "escaped");
	ck_assert_str_eq(matched(rules, "d/m"), "whole");
	ck_assert_str_eq(matched(rules, "x"), "domain");
	ck_assert_str_eq(matched(rules, "x/y"), "-");
	rules_unref(rules);
}
END_TEST

START_TEST(one_pattern_may_be_there_as_a_whole_and_by_segments)
{
	static const char text[] = SEGMENTS("a", "d/k=*") WHOLE("b", "d/k=*");
	static const char twice[] =
	    SEGMENTS("a", "d/k=*") SEGMENTS("b", "d/k=*");
	static const char covered[] = WHOLE("a", "d/*") SEGMENTS("b", "d/k=*");
	struct reasons reasons;
	struct buf out = {0};
	struct rules *rules =
	    rules_from_ini("x", text, sizeof(text) - 1, &reasons);

	ck_assert_uint_eq(reasons.count, 0);
	ck_assert_int_eq(rules_write_line(&out, rules_at(rules, 0)), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(buf_data(&out),
	    "a match=d/k=* segments=yes capacity=1 recharge=1s");
	buf_free(&out);
	rules_unref(rules);
	rules = rules_from_ini("x", twice, sizeof(twice) - 1, &reasons);
	ck_assert_str_eq(reasons_first(&reasons),
	    "x:6:1: [b]: no key reaches it: [a] before it has the same match");
	rules_unref(rules);
	rules = rules_from_ini("x", covered, sizeof(covered) - 1, &reasons);
	ck_assert_str_eq(reasons_first(&reasons),
	    "x:5:1: [b]: no key reaches it: [a] before it matches all that it "
	    "matches");
	rules_unref(rules);
}
END_TEST

START_TEST(wrong_pattern_is_one_mistake_also_where_other_keys_are_charged)
{
	static const char *const patterns[] = {"[a", "a\\", "~(a"};

	for (size_t i = 0; i < COUNT(patterns); i++) {
		struct reasons reasons;
		struct buf text = {0};

		ck_assert_int_eq(buf_printf(&text,
				     "[a]\nmatch = %s\ncapacity = 1\n"
				     "recharge = 1s\nalso = d:$1\n",
				     patterns[i]),
		    0);
		ck_assert_ptr_null(rules_from_ini(
		    "x", buf_data(&text), buf_len(&text), &reasons));
		ck_assert_uint_eq(reasons.count, 1);
		buf_free(&text);
	}
}
END_TEST

START_TEST(regular_expression_has_no_segments)
{
	static const char text[] = SEGMENTS("a", "~^d/k");
	struct reasons reasons;

	ck_assert_ptr_null(
	    rules_from_ini("x", text, sizeof(text) - 1, &reasons));
	ck_assert_str_eq(reasons_first(&reasons),
	    "x:1:1: [a]: segments does not go with a regular expression");
}
END_TEST

START_TEST(key_of_any_bytes_is_matched_as_a_whole)
{
	static const char bytes[] = "x\0\xff y:b";
	struct rules *rules = rules_matching(PATTERNS("x", "*:a", "*[!y]:b",
	    "x?? y:b?", "x?? z:*", "x?? y:*", "~never", "*"));
	struct key key = key_make(bytes, sizeof(bytes) - 1);

	ck_assert_str_eq(rules_match(rules, &key, scratch)->name, "f");
	key = key_make("\xff:z", 3);
	ck_assert_str_eq(rules_match(rules, &key, scratch)->name, "h");
	rules_unref(rules);
}
END_TEST

/* A byte that is no part of UTF-8 is one character, for a regular expression as
 * for a glob. */
static const struct {
	const char *regex, *glob;
	const char *key;
	bool matches;
} odd_keys[] = {
    {"~^a", "a*", "a\xff", true},
    {"~^b", "b*", "a\xff", false},
    {"~b$", "*b",
	"\xff\xfe"
	"b",
	true},
    {"~^a.$", "a?", "a\xff", true},
    {"~^a.$", "a?", "a\xff\xff", false},
    {"~^a..$", "a??", "a\xff\xff", true},
    {"~^a..b$", "a??b",
	"a\xe2\x82"
	"b",
	true},
    {"~^a.b$", "a?b",
	"a\xe2\x82\xac"
	"b",
	true},
    {"~^a.b$", "a?b",
	"a\xc2\x80"
	"b",
	true},
    {"~^a[^b]$", "a[!b]", "a\xff", true},
    {"~^a[b-z]$", "a[b-z]", "a\xff", false},
    {"~^a[\xc3\xa0-\xc3\xbf]$", "a[\xc3\xa0-\xc3\xbf]", "a\xff", false},
    {"~^a.*z$", "a*z", "a\xff\xff\xff\xc3z", true},
    {"~^.{3}$", "???", "\xed\xa0\x80", true},
    {"~^.{4}$", "????", "\xf4\x90\x80\x80", true},
};

START_TEST(key_that_is_not_utf8_matches_as_people_expect)
{
	const char *bytes = odd_keys[_i].key;
	struct rules *rules =
	    rules_matching(PATTERNS(odd_keys[_i].regex, odd_keys[_i].glob));
	struct key key = key_make(bytes, strlen(bytes));
	enum match_result expected =
	    odd_keys[_i].matches ? MATCH_YES : MATCH_NO;

	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 0), &key, scratch), expected);
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 1), &key, scratch), expected);
	rules_unref(rules);
}
END_TEST

START_TEST(longest_key_that_is_not_utf8_is_matched)
{
	struct rules *rules = rules_matching(PATTERNS("~^a.*b$"));
	char bytes[KEY_MAX];
	struct key key = key_make(bytes, sizeof(bytes));

	memset(bytes, 0xff, sizeof(bytes));
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 0), &key, scratch), MATCH_NO);
	bytes[0] = 'a';
	bytes[KEY_MAX - 1] = 'b';
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 0), &key, scratch), MATCH_YES);
	rules_unref(rules);
}
END_TEST

START_TEST(limits_are_held_in_their_order)
{
	static const char text[] =
	    "; two\n[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n\n"
	    "[api]\nmatch = api:*\ncapacity = 10\nrate = 1/s ; slow\n";
	struct rules *rules = rules_of(text, strlen(text));

	ck_assert_uint_eq(rules_count(rules), 2);
	ck_assert_str_eq(rules_at(rules, 0)->name, "login");
	ck_assert_uint_eq(rules_at(rules, 0)->order, 0);
	ck_assert_uint_eq(rules_at(rules, 0)->line, 2);
	ck_assert_str_eq(rules_at(rules, 1)->name, "api");
	ck_assert_uint_eq(rules_at(rules, 1)->order, 1);
	ck_assert_uint_eq(rules_at(rules, 1)->line, 7);
	ck_assert_int_eq(rules_at(rules, 1)->recharge_us, 1000000);
	rules_unref(rules);
}
END_TEST

static struct rules *
rules_of_lines(const char *const *texts, struct reasons *reasons)
{
	struct rules_line lines[8] = {{NULL, 0}};
	size_t count = 0;

	for (; texts[count]; count++)
		lines[count] =
		    (struct rules_line){texts[count], strlen(texts[count])};
	return rules_from_lines("limits", lines, count, reasons);
}

#define REST "capacity = 1\nrecharge = 1s\n"
#define GOOD "[a]\nmatch = a\ncapacity = 1\nrecharge = 1s\n"

static const struct {
	const char *text;
	const char *reason;
} refused[] = {
    {"", "test.ini: no limits in it"},
    {"; nothing\n", "test.ini: no limits in it"},
    {"match = a\n" GOOD, "test.ini:1:1: comes before the first [section]"},
    {GOOD "[a]\n", "test.ini:5:1: [a]: is defined above already"},
    {GOOD " [b]\nmatch = a\n[c]\n", "test.ini:5:2: [b]: capacity is missing"},
    {GOOD "[b]\nmatch = a\n", "test.ini:5:1: [b]: capacity is missing"},
    {GOOD "[b]\n", "test.ini:5:1: [b]: match is missing"},
    {GOOD "match = b\n", "test.ini:5:1: [a]: match is given twice"},
    {GOOD "[b]\nmatch = a\nblok = 5m\n",
	"test.ini:7:1: [b]: unknown word 'blok', did you mean 'block'?"},
    {GOOD "[]\n", "test.ini:5:1: []: a limit's name is 1 to 64 of "
		  "A-Z a-z 0-9 _ -"},
    {GOOD "[a b]\n", "test.ini:5:1: [a b]: a limit's name is 1 to 64 of "
		     "A-Z a-z 0-9 _ -"},
    {GOOD "[\x1B]\n", "test.ini:5:1: [\\x1b]: a limit's name is 1 to 64 of "
		      "A-Z a-z 0-9 _ -"},
    {GOOD "hello\n", "test.ini:5:1: neither [section] nor name = value"},
    {"[a]\nhello\ncapacity = 0\n",
	"test.ini:2:1: neither [section] nor name = value"},
    {"\t [b] ; x\n", "test.ini:1:3: [b]: match is missing"},
    {GOOD "  block = 1\n", "test.ini:5:11: [a]: block must be a number and "
			   "a unit (us ms s m h d), as in 60s"},
    {GOOD " block:\t-1s\n", "test.ini:5:9: [a]: block must be a number and "
			    "a unit (us ms s m h d), as in 60s"},
    {GOOD "shadow =\n", "test.ini:5:9: [a]: shadow must be yes or no"},
    {"\xef\xbb\xbf[a]\nmatch=a[\n",
	"test.ini:2:7: [a]: match has a [ without a ]"},
    {GOOD "  capcity = 5\n",
	"test.ini:5:3: [a]: unknown word 'capcity', did you mean 'capacity'?"},
};

START_TEST(set_with_an_error_is_refused_whole)
{
	struct reasons reasons;

	ck_assert_ptr_null(rules_from_ini(
	    "test.ini", refused[_i].text, strlen(refused[_i].text), &reasons));
	ck_assert_str_eq(reasons_first(&reasons), refused[_i].reason);
}
END_TEST

static void
check_reasons(const struct reasons *reasons, const char *const *expected)
{
	size_t count = 0;

	for (; expected[count]; count++)
		ck_assert_str_eq(reasons->lines[count], expected[count]);
	ck_assert_uint_eq(reasons->count, count);
}

static void
check_refused(const char *text, const char *const *expected)
{
	struct reasons reasons;

	ck_assert_ptr_null(rules_from_ini("x", text, strlen(text), &reasons));
	check_reasons(&reasons, expected);
}

START_TEST(all_words_that_an_action_does_not_take_are_told_at_once)
{
	static const char text[] = "[a]\naction = deny\ncapacity = 5\n"
				   "rate = 1/s\nalso = b\n";
	static const char *const expected[] = {"x:1:1: [a]: match is missing",
	    "x:1:1: [a]: capacity does not go with action = deny",
	    "x:1:1: [a]: also does not go with action = deny",
	    "x:1:1: [a]: rate does not go with action = deny", NULL};

	check_refused(text, expected);
}
END_TEST

START_TEST(a_wrong_action_is_the_only_reason)
{
	static const char text[] = "[a]\nmatch = a\naction = maybe\n"
				   "[b]\nmatch = b\nactoin = deny\n";
	static const char *const expected[] = {
	    "x:3:10: [a]: action must be allow or deny",
	    "x:6:1: [b]: unknown word 'actoin', did you mean 'action'?", NULL};

	check_refused(text, expected);
}
END_TEST

START_TEST(all_errors_in_a_file_are_told_at_once)
{
	static const char text[] = "[a]\nmatch = a\ncapcity = 5\nrecharge = 1\n"
				   "[b]\nmatch = [\nmatch = b\n"
				   "[a]\nnonsense = 1\n"
				   "[c\nmatch = c\n"
				   "[d]\nmatch = d\nhello\n"
				   "[e]\nmatch = e\n";
	struct reasons reasons;

	ck_assert_ptr_null(
	    rules_from_ini("f.ini", text, strlen(text), &reasons));
	check_reasons(&reasons,
	    PATTERNS("f.ini:3:1: [a]: unknown word 'capcity', did you mean "
		     "'capacity'?",
		"f.ini:4:12: [a]: recharge must be a number and a unit (us ms "
		"s m h d), as in 60s",
		"f.ini:6:9: [b]: match has a [ without a ]",
		"f.ini:7:1: [b]: match is given twice",
		"f.ini:5:1: [b]: capacity is missing",
		"f.ini:5:1: [b]: recharge (or rate) is missing",
		"f.ini:8:1: [a]: is defined above already",
		"f.ini:10:1: a section's line needs a ']'",
		"f.ini:14:1: neither [section] nor name = value",
		"f.ini:12:1: [d]: capacity is missing",
		"f.ini:12:1: [d]: recharge (or rate) is missing",
		"f.ini:15:1: [e]: capacity is missing",
		"f.ini:15:1: [e]: recharge (or rate) is missing"));
}
END_TEST

/* What a word was meant to be is not missing; of an unknown algorithm it is not
 * known what is. */
static const struct {
	const char *words, *reason;
} meant[] = {
    {"match = a\ncapcity = 5\nrate = 1/s\n",
	"f.ini:3:1: [a]: unknown word 'capcity', did you mean 'capacity'?"},
    {"match = a\ncapacity = 5\nrecarge = 1s\n",
	"f.ini:4:1: [a]: unknown word 'recarge', did you mean 'recharge'?"},
    {"match = a\ncapacity = 5\nalgorithm = fixed\nwindow = 1d\n",
	"f.ini:4:13: [a]: algorithm must be leaky_bucket, fixed_window, "
	"sliding_window or concurrent"},
    {"match = a\ncapacity = 5\nalgoritm = fixed_window\nwindow = 1d\n",
	"f.ini:4:1: [a]: unknown word 'algoritm', did you mean 'algorithm'?"},
};

START_TEST(mistake_is_told_once)
{
	struct reasons reasons;
	char text[200];

	snprintf(text, sizeof(text), "[a]\n%s", meant[_i].words);
	ck_assert_ptr_null(
	    rules_from_ini("f.ini", text, strlen(text), &reasons));
	check_reasons(&reasons, PATTERNS(meant[_i].reason));
}
END_TEST

START_TEST(all_errors_in_lines_are_told_at_once)
{
	struct reasons reasons;

	ck_assert_ptr_null(
	    rules_of_lines(PATTERNS("a match=a capacity=1 recharge=1s",
			       "b match=b capacity=0 rate=1", "a match=a", "",
			       "c match=c", "d match capacity=1 recharge=1s"),
		&reasons));
	check_reasons(&reasons,
	    PATTERNS("limits: member 2: [b]: capacity must be a whole number "
		     "from 1 to 1000000000: to let nothing in, write action = "
		     "deny",
		"limits: member 2: [b]: rate must be a whole number, / and a "
		"unit (us ms s m h d), as in 60/h or 10/15m",
		"limits: member 3: [a]: is defined above already",
		"limits: member 4: is empty",
		"limits: member 5: [c]: capacity is missing",
		"limits: member 5: [c]: recharge (or rate) is missing",
		"limits: member 6: [d]: a word is not of the form name=value",
		"limits: member 6: [d]: match is missing"));
}
END_TEST

static const char *const odd_patterns[] = {
    ";a", "\"a\"", "'a", "a\"", "~^\"[;#]+$", "#a"};

START_TEST(section_that_is_written_is_read_as_it_was)
{
	struct buf line = {0}, section = {0}, again = {0};
	struct reasons reasons;
	struct rules *rules;

	ck_assert_int_eq(buf_printf(&line, "a match=%s capacity=1 recharge=1s",
			     odd_patterns[_i]),
	    0);
	rules = rules_from_lines("k",
	    &(struct rules_line){buf_data(&line), buf_len(&line)}, 1, &reasons);
	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	ck_assert_int_eq(rules_write_section(&section, rules_at(rules, 0)), 0);
	rules_unref(rules);
	rules = rules_of(buf_data(&section), buf_len(&section));
	ck_assert_int_eq(rules_write_line(&again, rules_at(rules, 0)), 0);
	ck_assert_uint_eq(buf_len(&again), buf_len(&line));
	ck_assert_mem_eq(buf_data(&again), buf_data(&line), buf_len(&line));
	rules_unref(rules);
	buf_free(&line);
	buf_free(&section);
	buf_free(&again);
}
END_TEST

START_TEST(pattern_may_be_longer_than_199_bytes)
{
	char text[1200];
	struct rules *rules;

	snprintf(text, sizeof(text),
	    "[a]\nmatch = ~^a(%01000d)?$\ncapacity = 1\nrecharge = 1s\n", 0);
	rules = rules_of(text, strlen(text));
	ck_assert_str_eq(matched(rules, "a"), "a");
	ck_assert_str_eq(matched(rules, "a0"), "-");
	rules_unref(rules);
}
END_TEST

START_TEST(quotes_around_a_pattern_are_taken_off)
{
	struct rules *rules = rules_matching(PATTERNS("\"a:*\"", "'b:*'"));

	ck_assert_str_eq(matched(rules, "a:1"), "a");
	ck_assert_str_eq(matched(rules, "b:1"), "b");
	rules_unref(rules);
}
END_TEST

START_TEST(key_that_no_limit_matches_finds_none)
{
	struct rules *rules =
	    rules_matching(PATTERNS("b", "c:*", "d*d", "~^e$"));

	ck_assert_str_eq(matched(rules, "a"), "-");
	ck_assert_str_eq(matched(rules, "c"), "-");
	ck_assert_str_eq(matched(rules, "bb"), "-");
	ck_assert_str_eq(matched(rules, "dde"), "-");
	ck_assert_str_eq(matched(rules, "ee"), "-");
	rules_unref(rules);
}
END_TEST

START_TEST(first_limit_wins_and_not_the_longest_prefix)
{
	struct rules *rules =
	    rules_matching(PATTERNS("api:*", "api:v1:*", "api:v1:x"));

	ck_assert_str_eq(matched(rules, "api:v1:x"), "a");
	ck_assert_str_eq(matched(rules, "api:v1:y"), "a");
	rules_unref(rules);
}
END_TEST

START_TEST(longer_prefix_wins_where_it_stands_first)
{
	struct rules *rules =
	    rules_matching(PATTERNS("api:v1:x", "api:v1:*", "api:*", "*"));

	ck_assert_str_eq(matched(rules, "api:v1:x"), "a");
	ck_assert_str_eq(matched(rules, "api:v1:y"), "b");
	ck_assert_str_eq(matched(rules, "api:v2"), "c");
	ck_assert_str_eq(matched(rules, "web"), "d");
	rules_unref(rules);
}
END_TEST

START_TEST(order_decides_between_all_kinds)
{
	struct rules *rules = rules_matching(PATTERNS(
	    "~^x", "x?", "xa", "x*", "ya", "y?", "y*", "za", "~a$", "*"));

	ck_assert_str_eq(matched(rules, "xa"), "a");
	ck_assert_str_eq(matched(rules, "ya"), "e");
	ck_assert_str_eq(matched(rules, "yb"), "f");
	ck_assert_str_eq(matched(rules, "ybb"), "g");
	ck_assert_str_eq(matched(rules, "za"), "h");
	ck_assert_str_eq(matched(rules, "zaa"), "i");
	ck_assert_str_eq(matched(rules, "zab"), "j");
	rules_unref(rules);
}
END_TEST

START_TEST(first_of_equal_patterns_wins)
{
	struct rules *rules =
	    rules_matching(PATTERNS("x", "x", "y*", "y*", "\\x"));

	ck_assert_str_eq(matched(rules, "x"), "a");
	ck_assert_str_eq(matched(rules, "yy"), "c");
	rules_unref(rules);
}
END_TEST

static const struct {
	const char *pattern;
	const char *key;
	bool is_match;
} trials[] = {
    {"login", "login", true},
    {"login", "login:", false},
    {"login", "Login", false},
    {"a\\*", "a*", true},
    {"a\\*", "ab", false},
    {"a\\**", "a*b", true},
    {"a\\**", "ab", false},
    {"*", "anything/.at:all", true},
    {"a:*", "a:", true},
    {"a:*:z", "a:b:c:z", true},
    {"a:*:z", "a:z", false},
    {"a:*:z", "a:b:zz", false},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"a[bc]d", "acd", true},
    {"a[bc]d", "aed", false},
    {"a[b-d]", "ac", true},
    {"a[b-d]", "ae", false},
    {"a[!b-d]", "ae", true},
    {"a[!b-d]", "ac", false},
    {"a[]]", "a]", true},
    {"a[\\]]", "a]", true},
    {"?\\*", "a*", true},
    {"?\\*", "ab", false},
    {"\\~a", "~a", true},
    {"~b", "abc", true},
    {"~^b", "abc", false},
    {"~^a.c$", "abc", true},
    {"~^a.c$",
	"a\xC3\xA9"
	"c",
	true}, /* one character, two bytes */
    {"~^.$", "\xF0\x9F\x92\xA7", true},
    {"~(?i)^LOGIN:", "login:1", true},
    {"~", "anything", true},
};

START_TEST(pattern_matches_what_it_says)
{
	struct rules *rules = rules_matching(PATTERNS(trials[_i].pattern));
	const char *text = trials[_i].key;
	struct key key = key_make(text, strlen(text));
	enum match_result alone =
	    limit_matches(rules_at(rules, 0), &key, scratch);

	ck_assert_int_eq(alone, trials[_i].is_match ? MATCH_YES : MATCH_NO);
	ck_assert_str_eq(matched(rules, text), trials[_i].is_match ? "a" : "-");
	rules_unref(rules);
}
END_TEST

START_TEST(key_is_read_no_further_than_its_length)
{
	struct rules *rules =
	    rules_matching(PATTERNS("ab", "abc*", "a?c", "~c"));
	struct key key = key_make("abc", 2);

	ck_assert_str_eq(rules_match(rules, &key, scratch)->name, "a");
	key = key_make("abcd", 1);
	ck_assert_ptr_null(rules_match(rules, &key, scratch));
	rules_unref(rules);
}
END_TEST

START_TEST(regex_that_runs_away_counts_as_a_match)
{
	struct rules *rules = rules_matching(PATTERNS("~^(a+)+$", "*"));
	char text[KEY_MAX + 1] = "";
	struct key key;

	memset(text, 'a', KEY_MAX - 1);
	text[KEY_MAX - 1] = 'b';
	key = key_make(text, KEY_MAX);
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 0), &key, scratch), MATCH_TOO_HARD);
	ck_assert_str_eq(matched(rules, text), "a");
	ck_assert_str_eq(matched(rules, "b"), "b");
	rules_unref(rules);
}
END_TEST

START_TEST(plain_regex_is_not_too_hard_for_the_longest_key)
{
	struct rules *rules =
	    rules_matching(PATTERNS("~^(?:[a-z]|[0-9])+$", "~x.*y.*z", "*"));
	char text[KEY_MAX + 1] = "";
	struct key key;

	memset(text, 'a', KEY_MAX);
	key = key_make(text, KEY_MAX);
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 0), &key, scratch), MATCH_YES);
	memset(text, 'x', KEY_MAX);
	ck_assert_int_eq(
	    limit_matches(rules_at(rules, 1), &key, scratch), MATCH_NO);
	rules_unref(rules);
}
END_TEST

/* Numbers that look random, the same in each run. */
static unsigned
draw(unsigned below)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 32) % below;
}

/* A text of few letters, so that texts often share their beginnings. */
static const char *
draw_text(unsigned min_len, unsigned max_len)
{
	static char text[32];
	unsigned len = min_len + draw(max_len - min_len + 1);

	for (unsigned i = 0; i < len; i++)
		text[i] = "ab:"[draw(3)];
	text[len] = '\0';
	return text;
}

static struct rules *
draw_rules(unsigned count)
{
	struct buf text = {0};
	struct rules *rules;

	for (unsigned i = 0; i < count; i++) {
		/* What matches much is long, so that the rest has a turn. */
		static const struct {
			const char *before, *after;
			unsigned min_len, max_len;
		} forms[] = {
		    {"", "", 2, 12},
		    {"", "", 2, 12},
		    {"", "*", 2, 12},
		    {"", "*", 2, 12},
		    {"*", "", 6, 10},
		    {"", "?*b", 5, 10},
		    {"~^", "[ab]", 5, 12},
		    {"~", "$", 8, 12},
		};
		unsigned form = draw(8);

		ck_assert_int_eq(
		    buf_printf(&text,
			"[l%u]\nmatch = %s%s%s\ncapacity = 1\n"
			"recharge = 1s\n",
			i, forms[form].before,
			draw_text(forms[form].min_len, forms[form].max_len),
			forms[form].after),
		    0);
	}
	rules = rules_of(buf_data(&text), buf_len(&text));
	buf_free(&text);
	return rules;
}

/* The contract in its plainest words. */
static const struct limit *
match_naively(const struct rules *rules, const struct key *key)
{
	for (size_t i = 0; i < rules_count(rules); i++)
		if (limit_matches(rules_at(rules, i), key, scratch) != MATCH_NO)
			return rules_at(rules, i);
	return NULL;
}

START_TEST(index_agrees_with_trying_one_by_one)
{
	struct rules *rules = draw_rules(1000);
	unsigned kinds[4] = {0};
	unsigned none = 0;

	for (int i = 0; i < 20000; i++) {
		const char *text = draw_text(2, 20);
		struct key key = key_make(text, strlen(text));
		const struct limit *limit = match_naively(rules, &key);

		ck_assert_ptr_eq(rules_match(rules, &key, scratch), limit);
		ck_assert(!limit || !rules_cover(rules, limit));
		if (limit)
			kinds[limit->kind]++;
		else
			none++;
	}
	/* The test is worth something only if all of that came up. */
	ck_assert_uint_gt(kinds[MATCH_EXACT], 100);
	ck_assert_uint_gt(kinds[MATCH_PREFIX], 100);
	ck_assert_uint_gt(kinds[MATCH_GLOB], 100);
	ck_assert_uint_gt(kinds[MATCH_REGEX], 100);
	ck_assert_uint_gt(none, 100);
	rules_unref(rules);
}
END_TEST

START_TEST(hundred_thousand_limits_are_a_set_like_any_other)
{
	struct buf text = {0};
	struct rules *rules;

	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(
		    buf_printf(&text,
			"[l%d]\nmatch = tenant-%d:%s\ncapacity = 1\n"
			"recharge = 1s\n",
			i, i, i % 2 ? "*" : "x"),
		    0);
	rules = rules_of(buf_data(&text), buf_len(&text));
	buf_free(&text);
	ck_assert_uint_eq(rules_count(rules), 100000);
	ck_assert_str_eq(matched(rules, "tenant-0:x"), "l0");
	ck_assert_str_eq(matched(rules, "tenant-0:y"), "-");
	ck_assert_str_eq(matched(rules, "tenant-77777:y"), "l77777");
	ck_assert_str_eq(matched(rules, "tenant-7777:y"), "l7777");
	ck_assert_str_eq(matched(rules, "tenant-99998:x"), "l99998");
	ck_assert_str_eq(matched(rules, "tenant-100001:y"), "-");
	rules_unref(rules);
}
END_TEST

START_TEST(set_lives_until_its_last_user_lets_go)
{
	struct rules *old = rules_matching(PATTERNS("x"));
	struct rules *worker = rules_ref(old);
	const struct limit *limit = match(worker, "x");
	struct rules *new = rules_matching(PATTERNS("y"));

	/* A reload, while a worker still holds the old set. */
	rules_unref(old);
	ck_assert_ptr_eq(match(worker, "x"), limit);
	ck_assert_str_eq(limit->match, "x");
	rules_unref(worker);
	ck_assert_str_eq(matched(new, "y"), "a");
	rules_unref(new);
	rules_unref(NULL);
}
END_TEST

/*
 * Lines, as in Redis.
 */

START_TEST(a_line_says_what_a_section_says)
{
	struct reasons reasons;
	struct rules *rules = rules_of_lines(
	    PATTERNS("login match=login:* capacity=5 recharge=60s block=5m "
		     "on_error=deny",
		"  mail   capacity=9  algorithm=fixed_window window=1d "
		"match=~^mail=[0-9]+$ shadow=yes "),
	    &reasons);
	const struct limit *login, *mail;

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	ck_assert_uint_eq(rules_count(rules), 2);
	login = rules_at(rules, 0);
	mail = rules_at(rules, 1);
	ck_assert_str_eq(login->name, "login");
	ck_assert_int_eq(login->recharge_us, 60000000);
	ck_assert_int_eq(login->block_us, 300000000);
	ck_assert_int_eq(login->on_error, ON_ERROR_DENY);
	ck_assert_str_eq(mail->match, "~^mail=[0-9]+$");
	ck_assert(mail->shadow);
	ck_assert_ptr_eq(match(rules, "login:1"), login);
	ck_assert_ptr_eq(match(rules, "mail=7"), mail);
	rules_unref(rules);
}
END_TEST

START_TEST(no_lines_are_a_set_without_limits)
{
	struct reasons reasons;
	struct rules *rules = rules_of_lines(PATTERNS(NULL), &reasons);

	ck_assert_ptr_nonnull(rules);
	ck_assert_uint_eq(rules_count(rules), 0);
	ck_assert_ptr_null(match(rules, "login:1"));
	rules_unref(rules);
}
END_TEST

static const struct {
	const char *line;
	size_t len; /* 0: that of the text */
	const char *reason;
} wrong_lines[] = {
    {"", 0, "limits: member 2: is empty"},
    {"   ", 0, "limits: member 2: is empty"},
    {"b", 0, "limits: member 2: [b]: match is missing"},
    {"b match", 0,
	"limits: member 2: [b]: a word is not of the form name=value"},
    {"b match=b capcity=1", 0,
	"limits: member 2: [b]: unknown word 'capcity', did you mean "
	"'capacity'?"},
    {"b match=b match=c", 0, "limits: member 2: [b]: match is given twice"},
    {"a match=b capacity=1 recharge=1s", 0,
	"limits: member 2: [a]: is defined above already"},
    {"b match=b capacity=1 recharge=1s\ninjected", 0,
	"limits: member 2: is not one line of UTF-8 text"},
    {"b match=b\tcapacity=1", 0,
	"limits: member 2: is not one line of UTF-8 text"},
    {"b match=\xFF\xFE", 0, "limits: member 2: is not one line of UTF-8 text"},
    {"b\0c match=b", 11, "limits: member 2: is not one line of UTF-8 text"},
    {"b.c match=b", 0,
	"limits: member 2: [b.c]: a limit's name is 1 to 64 of "
	"A-Z a-z 0-9 _ -"},
};

START_TEST(a_wrong_line_rejects_the_whole_set)
{
	const char *good = "a match=a capacity=1 recharge=1s";
	const char *line = wrong_lines[_i].line;
	size_t len = wrong_lines[_i].len;
	struct rules_line lines[] = {
	    {good, strlen(good)}, {line, len ? len : strlen(line)}};
	struct reasons reasons;

	ck_assert_ptr_null(rules_from_lines("limits", lines, 2, &reasons));
	ck_assert_str_eq(reasons_first(&reasons), wrong_lines[_i].reason);
}
END_TEST

START_TEST(a_line_is_at_most_4096_bytes_long)
{
	char text[RULES_LINE_MAX + 2];
	struct rules_line line = {text, RULES_LINE_MAX};
	struct reasons reasons;
	struct rules *rules;

	memset(text, ' ', sizeof(text));
	memcpy(text, "a match=a capacity=1 recharge=1s", 32);
	rules = rules_from_lines("limits", &line, 1, &reasons);
	ck_assert_ptr_nonnull(rules);
	rules_unref(rules);
	line.len++;
	ck_assert_ptr_null(rules_from_lines("limits", &line, 1, &reasons));
	ck_assert_str_eq(reasons_first(&reasons),
	    "limits: member 1: is longer than 4096 bytes");
}
END_TEST

static const char *const equal_lines[][2] = {
    {"a match=a* capacity=1 recharge=1000ms block=0 shadow=no",
	"a match=a* capacity=1 recharge=1s"},
    {"a rate=60/h on_error=memory match=a capacity=3",
	"a match=a capacity=3 recharge=1m"},
    {"a capacity=3 window=24h match=~a algorithm=fixed_window shadow=yes",
	"a match=~a algorithm=fixed_window capacity=3 window=1d shadow=yes"},
    {"a match=a on_error=deny block=90s capacity=3 recharge=1us deny_cache=no",
	"a match=a capacity=3 recharge=1us block=90s on_error=deny "
	"deny_cache=no"},
    {"a match=a max_buckets=010 id_memory=60m rate=1/s capacity=3 shadow=yes",
	"a match=a capacity=3 recharge=1s shadow=yes max_buckets=10 "
	"id_memory=1h"},
};

START_TEST(equal_limits_are_written_equally_and_read_back)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_of_lines(PATTERNS(equal_lines[_i][0]), &reasons);
	struct buf line = {0}, section = {0}, again = {0};
	struct rules *back;

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	ck_assert_int_eq(rules_write_line(&line, rules_at(rules, 0)), 0);
	ck_assert_int_eq(rules_write_section(&section, rules_at(rules, 0)), 0);
	ck_assert_int_eq(buf_printf(&line, "%c", 0), 0);
	ck_assert_str_eq(buf_data(&line), equal_lines[_i][1]);
	back = rules_of(buf_data(&section), buf_len(&section));
	ck_assert_int_eq(rules_write_line(&again, rules_at(back, 0)), 0);
	ck_assert_int_eq(buf_printf(&again, "%c", 0), 0);
	ck_assert_str_eq(buf_data(&again), equal_lines[_i][1]);
	rules_unref(rules);
	rules_unref(back);
	buf_free(&line);
	buf_free(&section);
	buf_free(&again);
}
END_TEST

/* Patterns of limits a, b, c, and what is doubted of the set. */
static const struct {
	const char *patterns[5], *doubts[4];
} doubtful[] = {
    {{"a:*", "a:b:*"}, {"[b]: no key reaches it: [a] before it matches all "
			"that it matches"}},
    {{"a:*", "a:b"}, {"[b]: no key reaches it: [a] before it matches all that "
		      "it matches"}},
    {{"a:*", "b", "a:b?[cd]*"},
	{"[c]: no key reaches it: [a] before it matches all that it matches"}},
    {{"*", "a", "b*", "?"},
	{"[b]: no key reaches it: [a] before it matches all that it matches",
	    "[c]: no key reaches it: [a] before it matches all that it "
	    "matches",
	    "[d]: no key reaches it: [a] before it matches all that it "
	    "matches"}},
    {{"a:?", "a:b"}, {"[b]: no key reaches it: [a] before it matches all that "
		      "it matches"}},
    {{"*:b", "a:b"}, {"[b]: no key reaches it: [a] before it matches all that "
		      "it matches"}},
    {{"a", "b", "a"}, {"[c]: no key reaches it: [a] before it has the same "
		       "match"}},
    {{"~^a", "~^a"}, {"[b]: no key reaches it: [a] before it has the same "
		      "match"}},
    {{"a?*b", "a?*b"}, {"[b]: no key reaches it: [a] before it has the same "
			"match"}},
    {{"*", "*"}, {"[b]: no key reaches it: [a] before it has the same match"}},
    {{"\\a", "a"}, {"[b]: no key reaches it: [a] before it matches all that it "
		    "matches"}},
    {{"^a:"}, {"[a]: match = ^a: looks like a regular expression, but has no "
	       "~ before it"}},
    {{"b", "a:$"}, {"[b]: match = a:$ looks like a regular expression, but has "
		    "no ~ before it"}},
    {{"^a$", "^*", "$"},
	{"[a]: match = ^a$ looks like a regular expression, but has no ~ "
	 "before "
	 "it",
	    "[b]: match = ^* looks like a regular expression, but has no ~ "
	    "before it",
	    "[c]: match = $ looks like a regular expression, but has no ~ "
	    "before it"}},
    {{"a:b:*", "a:*", "*"}, {NULL}},
    {{"a:b", "a:?", "a:*"}, {NULL}},
    {{"a:*", "a", "a?b", "b:*"}, {NULL}},
    {{"?", "a:b", "[!a]"}, {NULL}},
    {{"~^a$", "~^", "a$b", "a^"}, {NULL}},
    {{"\\^a", "a\\$"}, {NULL}},
    {{"a*b", "a*"}, {NULL}},
    {{"a\\*", "a*", "a?"}, {"[c]: no key reaches it: [b] before it matches all "
			    "that it matches"}},
};

static void
check_doubts(const struct reasons *reasons, const char *const *expected,
    const char *before)
{
	size_t count = 0;

	for (; expected[count]; count++) {
		const char *reason = strchr(reasons->lines[count], '[');

		ck_assert_ptr_nonnull(reason);
		ck_assert_str_eq(reason, expected[count]);
		ck_assert_mem_eq(reasons->lines[count], before, strlen(before));
	}
	ck_assert_msg(reasons->count == count, "%s", reasons->lines[count]);
}

START_TEST(what_may_be_a_mistake_is_told_of_a_set_that_is_taken)
{
	const char *lines[5] = {NULL};
	char texts[4][80];
	struct reasons reasons;
	struct rules *rules;

	for (int i = 0; doubtful[_i].patterns[i]; i++) {
		lines[i] = texts[i];
		snprintf(texts[i], sizeof(texts[i]),
		    "%c match=%s capacity=1 recharge=1s", 'a' + i,
		    doubtful[_i].patterns[i]);
	}
	rules = rules_of_lines(lines, &reasons);
	ck_assert_ptr_nonnull(rules);
	rules_unref(rules);
	check_doubts(&reasons, doubtful[_i].doubts, "limits: member ");
}
END_TEST

START_TEST(doubt_has_its_line)
{
	static const char text[] = "[a]\nmatch = a:*\n" REST "[b]\n" REST
				   "  match =  ^b\n [c]\nmatch = a:b\n" REST;
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("f.ini", text, strlen(text), &reasons);

	ck_assert_ptr_nonnull(rules);
	rules_unref(rules);
	check_reasons(&reasons,
	    PATTERNS("f.ini:8:12: [b]: match = ^b looks like a regular "
		     "expression, but has no ~ before it",
		"f.ini:9:1: [c]: no key reaches it: [a] before it matches all "
		"that it matches"));
}
END_TEST

START_TEST(set_that_is_refused_is_not_doubted)
{
	struct reasons reasons;

	ck_assert_ptr_null(
	    rules_of_lines(PATTERNS("a match=^a capacity=1 recharge=1s",
			       "b match=^a capacity=1"),
		&reasons));
	check_reasons(&reasons,
	    PATTERNS("limits: member 2: [b]: recharge (or rate) is missing"));
}
END_TEST

Suite *
rules_suite(void)
{
	Suite *suite = suite_create("rules");
	TCase *tcase = tcase_create("rules");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_scratch, free_scratch);
	tcase_add_test(tcase, limits_are_matched_by_segments);
	tcase_add_test(
	    tcase, one_pattern_may_be_there_as_a_whole_and_by_segments);
	tcase_add_test(tcase, regular_expression_has_no_segments);
	tcase_add_test(tcase,
	    wrong_pattern_is_one_mistake_also_where_other_keys_are_charged);
	tcase_add_test(tcase, key_of_any_bytes_is_matched_as_a_whole);
	tcase_add_loop_test(tcase,
	    key_that_is_not_utf8_matches_as_people_expect, 0, COUNT(odd_keys));
	tcase_add_test(tcase, longest_key_that_is_not_utf8_is_matched);
	tcase_add_test(tcase, limits_are_held_in_their_order);
	tcase_add_loop_test(
	    tcase, set_with_an_error_is_refused_whole, 0, COUNT(refused));
	tcase_add_test(
	    tcase, all_words_that_an_action_does_not_take_are_told_at_once);
	tcase_add_test(tcase, a_wrong_action_is_the_only_reason);
	tcase_add_test(tcase, all_errors_in_a_file_are_told_at_once);
	tcase_add_loop_test(tcase, mistake_is_told_once, 0, COUNT(meant));
	tcase_add_test(tcase, all_errors_in_lines_are_told_at_once);
	tcase_add_loop_test(tcase, section_that_is_written_is_read_as_it_was, 0,
	    COUNT(odd_patterns));
	tcase_add_test(tcase, pattern_may_be_longer_than_199_bytes);
	tcase_add_test(tcase, quotes_around_a_pattern_are_taken_off);
	tcase_add_test(tcase, key_that_no_limit_matches_finds_none);
	tcase_add_test(tcase, first_limit_wins_and_not_the_longest_prefix);
	tcase_add_test(tcase, longer_prefix_wins_where_it_stands_first);
	tcase_add_test(tcase, order_decides_between_all_kinds);
	tcase_add_test(tcase, first_of_equal_patterns_wins);
	tcase_add_loop_test(
	    tcase, pattern_matches_what_it_says, 0, COUNT(trials));
	tcase_add_test(tcase, key_is_read_no_further_than_its_length);
	tcase_add_test(tcase, regex_that_runs_away_counts_as_a_match);
	tcase_add_test(tcase, plain_regex_is_not_too_hard_for_the_longest_key);
	tcase_add_test(tcase, index_agrees_with_trying_one_by_one);
	tcase_add_test(tcase, hundred_thousand_limits_are_a_set_like_any_other);
	tcase_add_test(tcase, set_lives_until_its_last_user_lets_go);
	tcase_add_test(tcase, a_line_says_what_a_section_says);
	tcase_add_test(tcase, no_lines_are_a_set_without_limits);
	tcase_add_loop_test(
	    tcase, a_wrong_line_rejects_the_whole_set, 0, COUNT(wrong_lines));
	tcase_add_test(tcase, a_line_is_at_most_4096_bytes_long);
	tcase_add_loop_test(tcase,
	    equal_limits_are_written_equally_and_read_back, 0,
	    COUNT(equal_lines));
	tcase_add_loop_test(tcase,
	    what_may_be_a_mistake_is_told_of_a_set_that_is_taken, 0,
	    COUNT(doubtful));
	tcase_add_test(tcase, doubt_has_its_line);
	tcase_add_test(tcase, set_that_is_refused_is_not_doubted);
	suite_add_tcase(suite, tcase);
	return suite;
}
