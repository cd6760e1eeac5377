#include "stats/limit_stats.h"
#include "limit/rules_text.h"
#include "stats/counters.h"
#include "suites.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define WORKERS 3

static struct rules *
rules_of(const char *text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	return rules;
}

/* Tallies of a set with limits of these names, a letter each. */
static struct limit_stats *
stats_of(const char *names, const struct limit_stats *before)
{
	struct limit_stats *limit_stats;
	struct rules *rules;
	char text[2000];
	int len = 0;

	for (; *names; names++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "[%c]\nmatch = %c\ncapacity = 1\nrecharge = 1s\n", *names,
		    *names);
	rules = rules_of(text);
	limit_stats = limit_stats_new(rules, WORKERS, before);
	ck_assert_ptr_nonnull(limit_stats);
	rules_unref(rules);
	return limit_stats;
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
check(const struct limit_stats *limit_stats, unsigned order, const char *text)
{
	struct seen seen = {{0}};

	limit_stats_each(limit_stats, order, see, &seen);
	ck_assert_str_eq(seen.text, text);
}

static void
allow(const struct limit_stats *limit_stats, unsigned order, size_t worker,
    uint64_t times)
{
	counter_add(
	    &limit_stats_cell(limit_stats, order, worker)->allowed, times);
}

#define ALLOWED(n)                                                             \
	"allowed=" #n " denied=0 shadow_denied=0 fallback=0 denycache=0 "      \
	"overridden=0 "

START_TEST(what_the_workers_count_is_added_up)
{
	struct limit_stats *limit_stats = stats_of("ab", NULL);

	for (size_t i = 0; i < WORKERS; i++) {
		struct limit_cell *cell = limit_stats_cell(limit_stats, 1, i);

		counter_add(&cell->allowed, 1);
		counter_add(&cell->denied, 10);
		counter_add(&cell->shadow_denied, 100);
		counter_add(&cell->fallback, 1000);
		counter_add(&cell->denycache, 10000);
	}
	check(limit_stats, 0, ALLOWED(0));
	check(limit_stats, 1,
	    "allowed=3 denied=30 shadow_denied=300 fallback=3000 "
	    "denycache=30000 overridden=0 ");
	limit_stats_unref(limit_stats);
}
END_TEST

START_TEST(no_two_cells_share_a_line)
{
	struct limit_stats *limit_stats = stats_of("ab", NULL);

	for (unsigned order = 0; order < 2; order++)
		for (size_t i = 0; i < WORKERS; i++)
			ck_assert_uint_eq(
			    (uintptr_t)limit_stats_cell(limit_stats, order, i) %
				64,
			    0);
	ck_assert_ptr_ne(limit_stats_cell(limit_stats, 0, 0),
	    limit_stats_cell(limit_stats, 0, 1));
	limit_stats_unref(limit_stats);
}
END_TEST

START_TEST(a_name_goes_on_counting_wherever_it_stands)
{
	struct limit_stats *old = stats_of("abc", NULL), *new;

	allow(old, 0, 0, 5);
	allow(old, 2, 1, 7);
	new = stats_of("cxa", old);
	check(new, 0, ALLOWED(7));
	check(new, 1, ALLOWED(0));
	check(new, 2, ALLOWED(5));
	allow(old, 0, 0, 1); /* by a worker that has not changed over */
	check(new, 2, ALLOWED(6));
	limit_stats_unref(old);
	check(new, 0, ALLOWED(7));
	limit_stats_unref(new);
}
END_TEST

START_TEST(who_was_gone_begins_anew)
{
	struct limit_stats *first = stats_of("a", NULL);
	struct limit_stats *second = stats_of("b", first);
	struct limit_stats *third;

	allow(first, 0, 0, 5);
	third = stats_of("a", second);
	check(third, 0, ALLOWED(0));
	limit_stats_unref(first);
	limit_stats_unref(second);
	limit_stats_unref(third);
}
END_TEST

START_TEST(the_last_reference_frees)
{
	struct limit_stats *limit_stats = stats_of("a", NULL);

	ck_assert_ptr_eq(limit_stats_ref(limit_stats), limit_stats);
	ck_assert_ptr_null(limit_stats_ref(NULL));
	limit_stats_unref(limit_stats);
	allow(limit_stats, 0, 0, 1);
	check(limit_stats, 0, ALLOWED(1));
	limit_stats_unref(limit_stats);
	limit_stats_unref(NULL);
}
END_TEST

/* Bytes that malloc() has given out; 0 where libc does not say, as musl's. */
static size_t
allocated(void)
{
#ifdef __GLIBC__
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

START_TEST(ten_thousand_sets_of_changing_names_take_no_more_than_one)
{
	struct limit_stats *now = stats_of("xy", NULL);
	size_t before = 0;

	for (int i = 0; i < 10000; i++) {
		const char names[] = {
		    'x', (char)('a' + i % 20), (char)('A' + i % 23), '\0'};
		struct limit_stats *next = stats_of(names, now);

		allow(next, 0, 0, 1);
		limit_stats_unref(now);
		now = next;
		if (i == 100)
			before = allocated();
	}
	ck_assert_uint_le(allocated(), before + 4096);
	check(now, 0, ALLOWED(10000));
	limit_stats_unref(now);
}
END_TEST

static void *
count_to_a_million(void *arg)
{
	for (int i = 0; i < 1000000; i++)
		counter_add(arg, 1);
	return NULL;
}

START_TEST(no_count_is_lost_while_others_look)
{
	struct limit_stats *limit_stats = stats_of("a", NULL);
	pthread_t threads[WORKERS];

	for (size_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, count_to_a_million,
			&limit_stats_cell(limit_stats, 0, i)->allowed),
		    0);
	for (int i = 0; i < 100; i++) {
		struct limit_stats *next = stats_of("a", limit_stats);

		limit_stats_unref(limit_stats);
		limit_stats = next;
	}
	for (size_t i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	check(limit_stats, 0, ALLOWED(3000000));
	limit_stats_unref(limit_stats);
}
END_TEST

Suite *
limit_stats_suite(void)
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
