#include "gate/inline_limits.h"
#include "suites.h"

#include <string.h>

static struct inline_limits *limits;

static void
make_limits(void)
{
	limits = inline_limits_new();
	ck_assert_ptr_nonnull(limits);
}

static void
free_limits(void)
{
	inline_limits_free(limits);
	inline_limits_free(NULL);
}

START_TEST(equal_limits_are_one_also_after_use)
{
	const struct limit *first = inline_limits_get(limits, 5, 1000000);

	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_eq(inline_limits_get(limits, 5, 1000000), first);
	inline_limits_put(limits, first);
	inline_limits_put(limits, first);
	ck_assert_ptr_eq(inline_limits_get(limits, 5, 1000000), first);
	inline_limits_put(limits, first);
}
END_TEST

START_TEST(different_limits_share_their_name_and_id_only)
{
	const struct limit *a = inline_limits_get(limits, 5, 1000000);
	const struct limit *b = inline_limits_get(limits, 5, 1001000);
	const struct limit *c = inline_limits_get(limits, 6, 1000000);

	ck_assert(a != b && a != c && b != c);
	ck_assert(a->order != b->order && a->order != c->order &&
		  b->order != c->order);
	ck_assert_uint_ge(a->order, LIMIT_INLINE_ORDER);
	ck_assert_str_eq(a->name, "CL.THROTTLE");
	ck_assert_mem_eq(&a->id, &b->id, sizeof(a->id));
	ck_assert_int_eq(b->capacity, 5);
	ck_assert_int_eq(b->recharge_us, 1001);
	ck_assert_int_eq(limit_life_us(a), limit_life_us(c));
	inline_limits_put(limits, a);
	inline_limits_put(limits, b);
	inline_limits_put(limits, c);
}
END_TEST

START_TEST(limit_in_use_stays_and_the_rest_makes_room)
{
	const struct limit *used = inline_limits_get(limits, 1, 1000);
	const struct limit *other;

	for (int64_t i = 2; i < 5 * INLINE_LIMITS_MAX; i++) {
		other = inline_limits_get(limits, 1, i * 1000);
		ck_assert_ptr_nonnull(other);
		ck_assert_int_eq(other->recharge_us, i);
		ck_assert_uint_ne(other->order, used->order);
		inline_limits_put(limits, other);
	}
	ck_assert_int_eq(used->recharge_us, 1);
	ck_assert_ptr_eq(inline_limits_get(limits, 1, 1000), used);
	inline_limits_put(limits, used);
	inline_limits_put(limits, used);
}
END_TEST

START_TEST(limits_in_use_are_as_many_as_are_needed)
{
	enum { MANY = 3 * INLINE_LIMITS_MAX };
	static const struct limit *used[MANY];
	static bool seen[MANY];

	for (int64_t i = 0; i < MANY; i++) {
		used[i] = inline_limits_get(limits, i + 1, 1000);
		ck_assert_ptr_nonnull(used[i]);
		ck_assert_int_eq(used[i]->capacity, i + 1);
		ck_assert(!seen[used[i]->order - LIMIT_INLINE_ORDER]);
		seen[used[i]->order - LIMIT_INLINE_ORDER] = true;
	}
	ck_assert_ptr_eq(inline_limits_get(limits, 7, 1000), used[6]);
	inline_limits_put(limits, used[6]);
	inline_limits_put(limits, used[6]);
	ck_assert_ptr_eq(inline_limits_get(limits, 9999, 1000), used[6]);
	for (int64_t i = 0; i < MANY; i++)
		inline_limits_put(limits, used[i]);
}
END_TEST

Suite *
inline_limits_suite(void)
{
	Suite *suite = suite_create("inline");
	TCase *tcase = tcase_create("inline");

	tcase_add_checked_fixture(tcase, make_limits, free_limits);
	tcase_add_test(tcase, equal_limits_are_one_also_after_use);
	tcase_add_test(tcase, different_limits_share_their_name_and_id_only);
	tcase_add_test(tcase, limit_in_use_stays_and_the_rest_makes_room);
	tcase_add_test(tcase, limits_in_use_are_as_many_as_are_needed);
	suite_add_tcase(suite, tcase);
	return suite;
}
