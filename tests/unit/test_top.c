#include "stats/top.h"
#include "suites.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS    5000
#define WORKERS 3

static struct top *tops[WORKERS];
static double truth[KEYS], all;

static struct key
key_of(int number)
{
	static char text[20];

	snprintf(text, sizeof(text), "key:%d", number);
	return key_make(text, strlen(text));
}

static void
set_up(void)
{
	for (int i = 0; i < WORKERS; i++)
		ck_assert_ptr_nonnull(tops[i] = top_new(0));
	memset(truth, 0, sizeof(truth));
	all = 0;
}

static void
tear_down(void)
{
	for (int i = 0; i < WORKERS; i++)
		top_free(tops[i]);
}

static void
count(int worker, int number, unsigned weight)
{
	struct key key = key_of(number);

	top_add(tops[worker], TOP_DENIED, &key, "limit", weight, 1);
	truth[number] += weight;
	all += weight;
}

/* Few keys have most requests, many have few; in a disorder of its own. */
static void
count_zipf(unsigned weight)
{
	uint64_t random = 88172645463325252;

	for (int i = 0; i < 300000; i++) {
		double share;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		share = (double)(random >> 11) / 9007199254740992.0;
		count((int)(random % WORKERS),
		    (int)(pow(KEYS, share) - 1) % KEYS, weight);
	}
}

/* The promise: no count too low, none too high by more than its error, no error
 * above the bound, and each key above the bound is there. */
static void
check_bound(const struct top_list *list)
{
	double bound = all / TOP_SIZE, before = all;

	ck_assert_double_eq_tol(list->all, all, 0.001);
	for (int i = 0; i < KEYS; i++) {
		struct key key = key_of(i);
		const struct top_entry *entry = top_list_find(list, &key.hash);

		ck_assert(entry || truth[i] <= bound);
		if (!entry)
			continue;
		ck_assert_double_le(entry->count - entry->error, truth[i]);
		ck_assert_double_le(entry->error, bound);
		ck_assert_uint_eq(entry->key_len, key.len);
		ck_assert_mem_eq(entry->key, key.bytes, key.len);
	}
	for (size_t i = 0; i < list->count; i++) {
		ck_assert_double_le(list->entries[i].count, before);
		before = list->entries[i].count;
	}
}

START_TEST(the_bound_holds)
{
	struct top_list list;

	count_zipf((unsigned)_i);
	ck_assert_int_eq(top_merge(&list, tops, WORKERS, TOP_DENIED, 1), 0);
	check_bound(&list);
	top_list_free(&list);
	ck_assert_int_eq(top_merge(&list, tops, WORKERS, TOP_ALLOWED, 1), 0);
	ck_assert_uint_eq(list.count, 0);
	top_list_free(&list);
}
END_TEST

START_TEST(one_sketch_is_never_too_low)
{
	struct top_list list;

	for (int i = 0; i < 100000; i++)
		count(0, i % 3 ? i % 10 : i % KEYS, 1);
	ck_assert_int_eq(top_merge(&list, tops, 1, TOP_DENIED, 1), 0);
	check_bound(&list);
	for (size_t i = 0; i < list.count; i++) {
		int number = atoi(list.entries[i].key + strlen("key:"));

		ck_assert_double_ge(list.entries[i].count, truth[number]);
	}
	top_list_free(&list);
}
END_TEST

START_TEST(the_past_fades)
{
	struct key key = key_of(1);
	struct top_list list;

	for (int i = 0; i < 100; i++)
		count(0, 1, 1);
	top_age(tops[0], TOP_HALF_US - 1);
	ck_assert_int_eq(
	    top_merge(&list, tops, 1, TOP_DENIED, TOP_HALF_US / 2), 0);
	ck_assert_double_eq(list.entries[0].count, 100);
	ck_assert_double_eq(list.seconds, 5);
	top_list_free(&list);
	top_age(tops[0], 2 * TOP_HALF_US);
	ck_assert_int_eq(
	    top_merge(&list, tops, 1, TOP_DENIED, 2 * TOP_HALF_US), 0);
	ck_assert_double_eq(list.entries[0].count, 25);
	/* 10 s at a quarter, 10 s at a half. */
	ck_assert_double_eq(list.seconds, 7.5);
	ck_assert_ptr_nonnull(top_list_find(&list, &key.hash));
	top_list_free(&list);
	top_age(tops[0], 20 * TOP_HALF_US);
	ck_assert_int_eq(
	    top_merge(&list, tops, 1, TOP_DENIED, 20 * TOP_HALF_US), 0);
	ck_assert_uint_eq(list.count, 0);
	top_list_free(&list);
}
END_TEST

START_TEST(times_and_the_limit_are_the_last)
{
	struct key key = key_of(1);
	struct top_list list;

	top_add(tops[0], TOP_DENIED, &key, "a", 1, 5);
	top_add(tops[1], TOP_DENIED, &key, "old", 1, 3);
	top_add(tops[0], TOP_DENIED, &key, "longer", 1, 9);
	ck_assert_int_eq(top_merge(&list, tops, WORKERS, TOP_DENIED, 9), 0);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_int_eq(list.entries[0].first_us, 3);
	ck_assert_int_eq(list.entries[0].last_us, 9);
	ck_assert_str_eq(list.entries[0].limit, "longer");
	top_list_free(&list);
}
END_TEST

/* At any rate, not many more are counted than the pace says, and what they
 * count adds up to all, from the fourth second on: when the rate falls, one of
 * the few may still count for many in the first, and some be left out in the
 * third. */
START_TEST(the_pace_is_kept)
{
	static const int rates[] = {1, 100, 1000, 100000, 3000000, 50};
	struct top_pace pace;

	top_pace_start(&pace);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		double seen = 0;
		int counted = 0;

		for (int second = 0; second < 4; second++) {
			seen = 0;
			counted = 0;
			for (int k = 0; k < rates[i]; k++)
				if (top_pace_is_due(&pace)) {
					seen += top_pace_next(&pace);
					counted++;
				}
			top_pace_end_second(&pace);
			ck_assert_int_le(counted, 13 * TOP_PACE);
		}
		ck_assert_int_le(counted, 2 * TOP_PACE);
		ck_assert_double_le(fabs(seen - rates[i]),
		    rates[i] < TOP_PACE ? 0.5 : 0.2 * rates[i]);
	}
}
END_TEST

Suite *
top_suite(void)
{
	Suite *suite = suite_create("top");
	TCase *tcase = tcase_create("top");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, the_bound_holds, 1, 3);
	tcase_add_test(tcase, one_sketch_is_never_too_low);
	tcase_add_test(tcase, the_past_fades);
	tcase_add_test(tcase, times_and_the_limit_are_the_last);
	tcase_add_test(tcase, the_pace_is_kept);
	suite_add_tcase(suite, tcase);
	return suite;
}
