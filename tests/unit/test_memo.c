#include "base/attr.h"
#include "limit/rules_text.h"
#include "store/redis/memo.h"
#include "suites.h"

#include <string.h>

static struct rules *rules;
static struct query first, second;

static struct query
query_of(const char *key, int64_t amount, struct query *mate)
{
	return (struct query){.rules = rules,
	    .limit = rules_at(rules, 0),
	    .key = key_make(key, strlen(key)),
	    .op = OP_CONSUME,
	    .amount = amount,
	    .mate = mate};
}

static void
set_up(void)
{
	static const char text[] =
	    "[all]\nmatch = *\ncapacity = 9\nrate = 1/h\n";
	struct reasons reasons;

	rules = rules_from_ini("test.ini", text, strlen(text), &reasons);
	ck_assert_ptr_nonnull(rules);
	second = query_of("b", 20, NULL);
	first = query_of("a", 10, &second);
}

static void
tear_down(void)
{
	rules_unref(rules);
}

/* ${len} bytes of ${text}; what is behind them must not matter. */
static const struct {
	const char *text;
	size_t len;
	enum memo_result result;
} cases[] = {
    {"10 20\n1000 1\n10 0\n20 5000", 25, MEMO_READ},
    {"10 20\n1000 1\n10 \n20 ", 20, MEMO_READ},
    {"10 21\n1000 1\n10 0\n21 5000", 25, MEMO_OTHER},
    {"10\n1000 1\n10 0", 15, MEMO_OTHER},
    {"10 20\n1000 1\n10 0\n20 5000", 18, MEMO_STRANGE},
    {"10 20\n1000 1\n10 0\n20 5000", 17, MEMO_STRANGE},
    {"10 20\n1000 1\n10 0\n20 5000", 13, MEMO_STRANGE},
    {"10 20\n1000 1\n10 0\n20 5000", 5, MEMO_STRANGE},
    {"10 20\n1000 1\n10 0\n20 5000", 0, MEMO_STRANGE},
    {"10 20\n1000\n10 0\n20 5000", 23, MEMO_STRANGE},
    {"10 20\n1000 1\nx 0\n20 5000", 24, MEMO_STRANGE},
    {"10 20\n1000 1\n100\n20 5000", 24, MEMO_STRANGE},
};

START_TEST(memo_is_read_as_far_as_it_goes)
{
	struct memo memo;

	ck_assert_int_eq(
	    memo_read(&memo, &first, cases[_i].text, cases[_i].len),
	    cases[_i].result);
}
END_TEST

START_TEST(memo_says_what_a_step_was)
{
	static const char text[] = "10 20\n1000 1\n10 0\n7 5000";
	struct memo memo;

	ck_assert_int_eq(
	    memo_read(&memo, &first, text, strlen(text)), MEMO_READ);
	ck_assert(memo.passed);
	ck_assert_int_eq(memo.buckets[0].now_us, 1000);
	ck_assert_int_eq(memo.buckets[1].now_us, 1000);
	ck_assert_int_eq(memo.got[0], 10);
	ck_assert_int_eq(memo.got[1], 7);
	ck_assert_int_eq(bucket_stamp(&memo.buckets[1].bucket), 5000);
}
END_TEST

Suite *
memo_suite(void)
{
	Suite *suite = suite_create("memo");
	TCase *tcase = tcase_create("memo");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, memo_is_read_as_far_as_it_goes, 0, COUNT(cases));
	tcase_add_test(tcase, memo_says_what_a_step_was);
	suite_add_tcase(suite, tcase);
	return suite;
}
