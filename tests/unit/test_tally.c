#include "gate/tally.h"
#include "limit/rules_text.h"
#include "metrics.h"
#include "suites.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define WORKERS 3

static struct rules *
rules_of(const char *text)
{
	struct rules_error error;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &error);

	ck_assert_msg(rules, "%s", error.reason);
	return rules;
}

/* Tallies of a set with limits of these names, a letter each. */
static struct tallies *
tallies_of(const char *names, const struct tallies *before)
{
	struct tallies *tallies;
	struct rules *rules;
	char text[2000];
	int len = 0;

	for (; *names; names++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "[%c]\nmatch = %c\ncapacity = 1\nrecharge = 1s\n", *names,
		    *names);
	rules = rules_of(text);
	tallies = tallies_new(rules, WORKERS, before);
	ck_assert_ptr_nonnull(tallies);
	rules_unref(rules);
	return tallies;
}

struct seen {
	char text[200];
};

static void
see(const char *name, uint64_t sum, void *arg)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	snprintf(seen->text + len, sizeof(seen->text) - len, "%s=%llu ", name,
	    (unsigned long long)sum);
}

static void
check(const struct tallies *tallies, unsigned order, const char *text)
{
	struct seen seen = {{0}};

	tallies_each(tallies, order, see, &seen);
	ck_assert_str_eq(seen.text, text);
}

static void
allow(const struct tallies *tallies, unsigned order, size_t worker,
    uint64_t times)
{
	metric_add(&tallies_cell(tallies, order, worker)->allowed, times);
}

#define ALLOWED(n)                                                             \
	"allowed=" #n " denied=0 shadow_denied=0 fallback=0 denycache=0 "

START_TEST(what_the_workers_count_is_added_up)
{
	struct tallies *tallies = tallies_of("ab", NULL);

	for (size_t i = 0; i < WORKERS; i++) {
		struct tally_cell *cell = tallies_cell(tallies, 1, i);

		metric_add(&cell->allowed, 1);
		metric_add(&cell->denied, 10);
		metric_add(&cell->shadow_denied, 100);
		metric_add(&cell->fallback, 1000);
		metric_add(&cell->denycache, 10000);
	}
	check(tallies, 0, ALLOWED(0));
	check(tallies, 1,
	    "allowed=3 denied=30 shadow_denied=300 fallback=3000 "
	    "denycache=30000 ");
	tallies_unref(tallies);
}
END_TEST

START_TEST(no_two_cells_share_a_line)
{
	struct tallies *tallies = tallies_of("ab", NULL);

	for (unsigned order = 0; order < 2; order++)
		for (size_t i = 0; i < WORKERS; i++)
			ck_assert_uint_eq(
			    (uintptr_t)tallies_cell(tallies, order, i) % 64, 0);
	ck_assert_ptr_ne(
	    tallies_cell(tallies, 0, 0), tallies_cell(tallies, 0, 1));
	tallies_unref(tallies);
}
END_TEST

START_TEST(a_name_goes_on_counting_wherever_it_stands)
{
	struct tallies *old = tallies_of("abc", NULL), *new;

	allow(old, 0, 0, 5);
	allow(old, 2, 1, 7);
	new = tallies_of("cxa", old);
	check(new, 0, ALLOWED(7));
	check(new, 1, ALLOWED(0));
	check(new, 2, ALLOWED(5));
	allow(old, 0, 0, 1); /* by a worker that has not changed over */
	check(new, 2, ALLOWED(6));
	tallies_unref(old);
	check(new, 0, ALLOWED(7));
	tallies_unref(new);
}
END_TEST

START_TEST(who_was_gone_begins_anew)
{
	struct tallies *first = tallies_of("a", NULL);
	struct tallies *second = tallies_of("b", first);
	struct tallies *third;

	allow(first, 0, 0, 5);
	third = tallies_of("a", second);
	check(third, 0, ALLOWED(0));
	tallies_unref(first);
	tallies_unref(second);
	tallies_unref(third);
}
END_TEST

START_TEST(the_last_reference_frees)
{
	struct tallies *tallies = tallies_of("a", NULL);

	ck_assert_ptr_eq(tallies_ref(tallies), tallies);
	ck_assert_ptr_null(tallies_ref(NULL));
	tallies_unref(tallies);
	allow(tallies, 0, 0, 1);
	check(tallies, 0, ALLOWED(1));
	tallies_unref(tallies);
	tallies_unref(NULL);
}
END_TEST

START_TEST(ten_thousand_sets_of_changing_names_take_no_more_than_one)
{
	struct tallies *now = tallies_of("xy", NULL);
	size_t before = 0;

	for (int i = 0; i < 10000; i++) {
		const char names[] = {'x', (char)('a' + i % 20),
		    (char)('A' + i % 23), '\0'};
		struct tallies *next = tallies_of(names, now);

		allow(next, 0, 0, 1);
		tallies_unref(now);
		now = next;
		if (i == 100)
			before = mallinfo2().uordblks;
	}
	ck_assert_uint_le(mallinfo2().uordblks, before + 4096);
	check(now, 0, ALLOWED(10000));
	tallies_unref(now);
}
END_TEST

static void *
count_to_a_million(void *arg)
{
	for (int i = 0; i < 1000000; i++)
		metric_add(arg, 1);
	return NULL;
}

START_TEST(no_count_is_lost_while_others_look)
{
	struct tallies *tallies = tallies_of("a", NULL);
	pthread_t threads[WORKERS];

	for (size_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, count_to_a_million,
			&tallies_cell(tallies, 0, i)->allowed),
		    0);
	for (int i = 0; i < 100; i++) {
		struct tallies *next = tallies_of("a", tallies);

		tallies_unref(tallies);
		tallies = next;
	}
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	check(tallies, 0, ALLOWED(3000000));
	tallies_unref(tallies);
}
END_TEST

Suite *
tally_suite(void)
{
	Suite *suite = suite_create("tally");
	TCase *tests = tcase_create("tally");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, what_the_workers_count_is_added_up);
	tcase_add_test(tests, no_two_cells_share_a_line);
	tcase_add_test(tests, a_name_goes_on_counting_wherever_it_stands);
	tcase_add_test(tests, who_was_gone_begins_anew);
	tcase_add_test(tests, the_last_reference_frees);
	tcase_add_test(
	    tests, ten_thousand_sets_of_changing_names_take_no_more_than_one);
	tcase_add_test(tests, no_count_is_lost_while_others_look);
	suite_add_tcase(suite, tests);
	return suite;
}
