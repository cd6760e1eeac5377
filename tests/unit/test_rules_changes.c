#include "limit/rules_changes.h"
#include "base/reasons.h"
#include "limit/rules_text.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define LOGIN  "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n"
#define LOGIN7 "[login]\nmatch = login:*\ncapacity = 7\nrecharge = 60s\n"
#define BLOCK  "[login]\nmatch = l:*\ncapacity = 5\nrecharge = 60s\nblock = 5m\n"
#define API    "[api]\nmatch = api:*\ncapacity = 5\nrecharge = 60s\n"
#define MAIL   "[mail]\nmatch = mail:*\ncapacity = 5\nrecharge = 60s\n"

static struct rules *
rules_of(const char *text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	return rules;
}

static const struct {
	const char *old, *new, *text;
} rows[] = {
    {LOGIN, LOGIN7, "+0 ~1 -0: login capacity 5 -> 7"},
    {LOGIN API, LOGIN7 MAIL, "+1 ~1 -1: login capacity 5 -> 7, +mail, -api"},
    {LOGIN, BLOCK,
	"+0 ~1 -0: login match login:* -> l:*, login block default -> 5m"},
    {BLOCK, LOGIN,
	"+0 ~1 -0: login match l:* -> login:*, login block 5m -> default"},
    {LOGIN, LOGIN, "+0 ~0 -0: the same"},
    {LOGIN, "; a note\n" LOGIN, "+0 ~0 -0: the same"},
    {LOGIN API, API LOGIN, "+0 ~0 -0: in another order"},
};

START_TEST(a_line_says_what_changed)
{
	struct rules *old = rules_of(rows[_i].old);
	struct rules *new = rules_of(rows[_i].new);
	struct rules_changes changes;
	char expected[RULES_CHANGES_MAX];

	rules_compare(&changes, old, new);
	snprintf(expected, sizeof(expected), "%s (%.8s)", rows[_i].text,
	    rules_digest(new));
	ck_assert_str_eq(changes.text, expected);
	rules_unref(old);
	rules_unref(new);
}
END_TEST

START_TEST(what_does_not_fit_is_counted)
{
	static char text[200000];
	struct rules *old = rules_of(LOGIN), *new;
	struct rules_changes changes;
	size_t len = 0;

	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "[added-%d]\nmatch = added-%d\ncapacity = 1\nrecharge = "
		    "1s\n",
		    i, i);
	new = rules_of(text);
	rules_compare(&changes, old, new);
	ck_assert_int_eq(
	    strncmp(changes.text, "+1000 ~0 -1: +added-0, +added-1, ", 33), 0);
	ck_assert_ptr_nonnull(strstr(changes.text, ", ... ("));
	rules_compare(&changes, new, old);
	ck_assert_int_eq(
	    strncmp(changes.text, "+1 ~0 -1000: +login, -added-0, ", 31), 0);
	rules_unref(old);
	rules_unref(new);
}
END_TEST

START_TEST(a_digest_is_of_the_limits_and_their_order)
{
	struct rules *a = rules_of(LOGIN API), *b = rules_of(API LOGIN);
	struct rules *c = rules_of(LOGIN "; a note\n\n" API);

	ck_assert_uint_eq(strlen(rules_digest(a)), 32);
	ck_assert_str_ne(rules_digest(a), rules_digest(b));
	ck_assert_str_eq(rules_digest(a), rules_digest(c));
	rules_set_digest(a, "0123456789012345678901234567890123456789");
	ck_assert_uint_eq(strlen(rules_digest(a)), RULES_DIGEST_MAX);
	rules_unref(a);
	rules_unref(b);
	rules_unref(c);
}
END_TEST

Suite *
rules_changes_suite(void)
{
	Suite *suite = suite_create("rules_changes");
	TCase *tcase = tcase_create("rules_changes");

	tcase_add_loop_test(tcase, a_line_says_what_changed, 0,
	    (int)(sizeof(rows) / sizeof(*rows)));
	tcase_add_test(tcase, what_does_not_fit_is_counted);
	tcase_add_test(tcase, a_digest_is_of_the_limits_and_their_order);
	suite_add_tcase(suite, tcase);
	return suite;
}
