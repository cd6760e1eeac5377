#include "limit/rules_losses.h"
#include "base/attr.h"
#include "base/reasons.h"
#include "limit/rules_text.h"
#include "suites.h"

#include <stdio.h>
#include <string.h>

#define LEAKY(name, capacity, recharge)                                        \
	"[" name "]\nmatch = " name ":*\ncapacity = " capacity                 \
	"\nrecharge = " recharge "\n"
#define WINDOW(name, capacity, window)                                         \
	"[" name "]\nmatch = " name ":*\nalgorithm = fixed_window\n"           \
	"capacity = " capacity "\nwindow = " window "\n"
#define ALL "[all]\nmatch = *\ncapacity = 5\nrecharge = 1s\n"

static const struct {
	const char *old, *new, *losses;
} rows[] = {
    {LEAKY("a", "10", "1s"), LEAKY("a", "10", "1s"), ""},
    {LEAKY("a", "10", "1s"), LEAKY("a", "10", "1s") ALL, ""},
    {LEAKY("a", "10", "1s"), LEAKY("b", "10", "1s"), "a is removed;"},
    {LEAKY("a", "10", "1s") LEAKY("b", "10", "1s"), LEAKY("c", "1", "1s"),
	"a is removed;b is removed;"},
    {LEAKY("a", "10", "1s"), WINDOW("a", "10", "10s"),
	"a algorithm leaky_bucket -> fixed_window;"},
    /* exactly a tenth is no shrinking, one less is */
    {LEAKY("a", "100", "1s"), LEAKY("a", "10", "1s"), ""},
    {LEAKY("a", "100", "1s"), LEAKY("a", "9", "1s"), "a capacity 100 -> 9;"},
    {LEAKY("a", "15", "1s"), LEAKY("a", "1", "1s"), "a capacity 15 -> 1;"},
    {LEAKY("a", "5", "1s"), LEAKY("a", "5000", "1s"), ""},
    /* the same for the rate */
    {LEAKY("a", "10", "1s"), LEAKY("a", "10", "10s"), ""},
    {LEAKY("a", "10", "1s"), LEAKY("a", "10", "1m"),
	"a rate is 1/60 of before;"},
    {LEAKY("a", "10", "1m"), LEAKY("a", "10", "1s"), ""},
    {WINDOW("a", "10", "1m"), WINDOW("a", "10", "1h"),
	"a rate is 1/60 of before;"},
    {WINDOW("a", "10", "1m"), WINDOW("a", "10", "10m"), ""},
    /* a block is no rate */
    {LEAKY("a", "10", "1s"),
	"[a]\nmatch = a:*\ncapacity = 10\nrecharge = 1s\nblock = 1d\n", ""},
    {LEAKY("a", "10", "1s") "block = 5m\n",
	LEAKY("a", "10", "1s") "block = 5m x3 max 1d\n", ""},
    {LEAKY("a", "10", "1s") "block = 5m x3 max 1d\n",
	LEAKY("a", "10", "1m") "block = 5m x3 max 1d\n",
	"a rate is 1/60 of before;"},
    /* nor is a debt */
    {LEAKY("a", "10", "1s"), LEAKY("a", "10", "1s") "debt = 100000\n", ""},
    /* no key reaches it any more; that it was so before is no loss */
    {LEAKY("a", "10", "1s") ALL, ALL LEAKY("a", "10", "1s"),
	"a gets no keys, all takes them;"},
    {ALL LEAKY("a", "10", "1s"), ALL LEAKY("a", "10", "1s"), ""},
};

static struct rules *
rules_of(const char *text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	return rules;
}

static void
note_loss(const char *text, void *arg)
{
	char *all = arg;

	strcat(all, text);
	strcat(all, ";");
}

START_TEST(losses_are_those_of_buckets_and_of_most_of_a_limit)
{
	struct rules *old = rules_of(rows[_i].old);
	struct rules *new = rules_of(rows[_i].new);
	char losses[1000] = "";
	int count = rules_losses(old, new, note_loss, losses), expected = 0;

	ck_assert_str_eq(losses, rows[_i].losses);
	for (const char *at = losses; *at; at++)
		expected += *at == ';';
	ck_assert_int_eq(count, expected);
	rules_unref(old);
	rules_unref(new);
}
END_TEST

Suite *
rules_losses_suite(void)
{
	Suite *suite = suite_create("rules_losses");
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase,
	    losses_are_those_of_buckets_and_of_most_of_a_limit, 0, COUNT(rows));
	suite_add_tcase(suite, tcase);
	return suite;
}
