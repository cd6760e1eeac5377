#include "control/reload.h"
#include "suites.h"

static const struct reload idle = {.due_us = RELOAD_NEVER};

START_TEST(nothing_is_due_unless_ordered)
{
	struct reload reload = idle;

	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
}
END_TEST

START_TEST(earlier_of_two_orders_stands)
{
	struct reload reload = idle;

	reload_order(&reload, 100, false);
	ck_assert_int_eq(reload_next_us(&reload), 100);
	reload_order(&reload, 200, false);
	ck_assert_int_eq(reload_next_us(&reload), 100);
	reload_order(&reload, 50, false);
	ck_assert_int_eq(reload_next_us(&reload), 50);
}
END_TEST

START_TEST(two_orders_make_one_load)
{
	struct reload reload = idle;

	reload_order(&reload, 100, false);
	reload_order(&reload, 200, false);
	ck_assert(!reload_begin(&reload));
	reload_end(&reload, true);
	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
}
END_TEST

START_TEST(one_load_does_what_any_order_asked_for)
{
	struct reload reload = idle;

	reload_order(&reload, 200, true);
	reload_order(&reload, 100, false);
	ck_assert(reload_begin(&reload));
	reload_end(&reload, true);
	reload_order(&reload, 300, false);
	ck_assert(!reload_begin(&reload));
}
END_TEST

START_TEST(order_during_a_load_waits_for_its_end)
{
	struct reload reload = idle;

	reload_order(&reload, 100, false);
	ck_assert(!reload_begin(&reload));
	reload_order(&reload, 150, true);
	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
	reload_end(&reload, true);
	ck_assert_int_eq(reload_next_us(&reload), 150);
	ck_assert(reload_begin(&reload));
}
END_TEST

START_TEST(load_without_an_answer_is_due_at_once)
{
	struct reload reload = idle;

	reload_order(&reload, 100, true);
	ck_assert(reload_begin(&reload));
	reload_order(&reload, 500, false);
	reload_end(&reload, false);
	ck_assert_int_le(reload_next_us(&reload), 100);
	ck_assert(reload_begin(&reload));
	reload_end(&reload, true);
	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
}
END_TEST

Suite *
reload_suite(void)
{
	Suite *suite = suite_create("reload");
	TCase *tcase = tcase_create("reload");

	tcase_add_test(tcase, nothing_is_due_unless_ordered);
	tcase_add_test(tcase, earlier_of_two_orders_stands);
	tcase_add_test(tcase, two_orders_make_one_load);
	tcase_add_test(tcase, one_load_does_what_any_order_asked_for);
	tcase_add_test(tcase, order_during_a_load_waits_for_its_end);
	tcase_add_test(tcase, load_without_an_answer_is_due_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
