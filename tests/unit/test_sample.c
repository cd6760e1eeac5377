#include "gate/sample.h"

#include "suites.h"

static struct samples samples;

static void
set_up(void)
{
	samples = (struct samples){0};
}

static void
tear_down(void)
{
	samples_clear(&samples);
	ck_assert_uint_eq(samples.count, 0);
}

/* As many as there may be, each of them its own. */
static void
use_all(void)
{
	static struct sample *taken[SAMPLES_MAX];
	const struct key key = {.bytes = "login:1", .len = 7};

	for (unsigned i = 0; i < SAMPLES_MAX; i++) {
		taken[i] = samples_take(&samples, &key, i);
		ck_assert_ptr_nonnull(taken[i]);
	}
	ck_assert_ptr_null(samples_take(&samples, &key, 1));
	for (unsigned i = 0; i < SAMPLES_MAX; i++) {
		ck_assert_uint_eq(taken[i]->weight, i);
		ck_assert_uint_eq(taken[i]->len, 7);
		ck_assert_mem_eq(taken[i]->bytes, "login:1", 7);
		samples_put(&samples, taken[i]);
	}
}

START_TEST(there_are_so_many_at_a_time)
{
	use_all();
	use_all();
	ck_assert_uint_eq(samples.count, SAMPLES_MAX);
}
END_TEST

START_TEST(what_was_trimmed_may_be_taken_again)
{
	size_t reserve = SPARES_RESERVE / sizeof(struct sample) + 1;

	use_all();
	ck_assert_uint_eq(samples_trim(&samples), 0); /* they were in use */
	ck_assert_uint_eq(samples_trim(&samples),
	    (SAMPLES_MAX - reserve) * sizeof(struct sample));
	ck_assert_uint_eq(samples.count, reserve);
	use_all();
}
END_TEST

Suite *
sample_suite(void)
{
	Suite *suite = suite_create("sample");
	TCase *tcase = tcase_create("sample");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, there_are_so_many_at_a_time);
	tcase_add_test(tcase, what_was_trimmed_may_be_taken_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
