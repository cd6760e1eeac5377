#include "base/spares.h"

#include "suites.h"

#include <stdlib.h>

/* The reserve is 64 of these, and one. */
#define BLOCK   1024
#define RESERVE 65

static struct spares spares;
static size_t freed;

static void
free_block(void *block)
{
	freed++;
	free(block);
}

static void
set_up(void)
{
	spares = (struct spares){0};
	freed = 0;
}

static void
tear_down(void)
{
	spares_clear(&spares, free_block);
	ck_assert_ptr_null(spares_take(&spares));
}

/* So many are in use at a time, and none any more. */
static void
use(size_t count)
{
	static void *blocks[1000];

	for (size_t i = 0; i < count; i++) {
		blocks[i] = spares_take(&spares);
		if (!blocks[i])
			blocks[i] = malloc(BLOCK);
	}
	for (size_t i = 0; i < count; i++)
		spares_put(&spares, blocks[i]);
}

static size_t
trim(void)
{
	size_t before = freed;
	size_t count = spares_trim(&spares, BLOCK, free_block);

	ck_assert_uint_eq(freed - before, count);
	return count;
}

START_TEST(the_last_one_put_is_taken_first)
{
	_Alignas(void *) char one[BLOCK] = "", two[BLOCK] = "";

	spares_put(&spares, one);
	spares_put(&spares, two);
	ck_assert_ptr_eq(spares_take(&spares), two);
	ck_assert_ptr_eq(spares_take(&spares), one);
	ck_assert_ptr_null(spares_take(&spares));
}
END_TEST

START_TEST(what_a_burst_left_goes_but_for_the_reserve)
{
	use(1000);
	ck_assert_uint_eq(trim(), 0); /* it was in use since the last one */
	ck_assert_uint_eq(trim(), 1000 - RESERVE);
	ck_assert_uint_eq(trim(), 0);
	ck_assert_uint_eq(spares.count, RESERVE);
}
END_TEST

START_TEST(what_a_load_needs_now_and_then_stays)
{
	use(1000);
	trim();
	for (int i = 0; i < 5; i++) {
		use(1000);
		ck_assert_uint_eq(trim(), 0);
	}
	use(600);
	ck_assert_uint_eq(trim(), 400 - RESERVE);
}
END_TEST

/* One that is larger than the reserve. */
START_TEST(one_is_always_kept)
{
	use(3);
	spares_trim(&spares, SPARES_RESERVE + 1, free_block);
	ck_assert_uint_eq(
	    spares_trim(&spares, SPARES_RESERVE + 1, free_block), 2);
	ck_assert_uint_eq(spares.count, 1);
}
END_TEST

Suite *
spares_suite(void)
{
	Suite *suite = suite_create("spares");
	TCase *tcase = tcase_create("spares");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_last_one_put_is_taken_first);
	tcase_add_test(tcase, what_a_burst_left_goes_but_for_the_reserve);
	tcase_add_test(tcase, what_a_load_needs_now_and_then_stays);
	tcase_add_test(tcase, one_is_always_kept);
	suite_add_tcase(suite, tcase);
	return suite;
}
