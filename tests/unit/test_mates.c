#include "limit/rules_text.h"
#include "store/mates.h"
#include "suites.h"

#include <string.h>

static struct rules *rules;

static void
set_up(void)
{
	static const char text[] =
	    "[all]\nmatch = *\ncapacity = 1\nrate = 1/h\n"
	    "queue = 2h\n";
	struct reasons reasons;

	rules = rules_from_ini("test.ini", text, strlen(text), &reasons);
	ck_assert_ptr_nonnull(rules);
}

static void
tear_down(void)
{
	rules_unref(rules);
}

/* What is told of a full bucket, since another one denies. */
static bool
is_told_as_allowed(enum op op)
{
	const int64_t now_us = 1000000;
	struct query query = {
	    .rules = rules, .limit = rules_at(rules, 0), .op = op, .amount = 1};
	struct bucket bucket = {0};

	ck_assert(decide(
	    query.limit, OP_CONSUME, 1, now_us, &bucket, &query.decision));
	ck_assert(query.decision.allowed);
	mates_peek(&query, now_us, &bucket);
	ck_assert_int_eq(query.decision.level, 1);
	return query.decision.allowed;
}

START_TEST(what_may_wait_keeps_no_other_from_passing)
{
	ck_assert(!is_told_as_allowed(OP_CONSUME));
	ck_assert(is_told_as_allowed(OP_WAIT));
}
END_TEST

Suite *
mates_suite(void)
{
	Suite *suite = suite_create("mates");
	TCase *tcase = tcase_create("mates");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_may_wait_keeps_no_other_from_passing);
	suite_add_tcase(suite, tcase);
	return suite;
}
