#include "control/reload.h"
#include "suites.h"

static const struct reload idle = {.due_us = RELOAD_NEVER};

START_TEST(nothing_is_due_unless_scheduled)
{
	struct reload reload = idle;

	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
}
END_TEST

START_TEST(earlier_of_two_schedules_counts)
{
	struct reload reload = idle;

	reload_schedule(&reload, 100, false);
	ck_assert_int_eq(reload_next_us(&reload), 100);
	reload_schedule(&reload, 200, false);
	ck_assert_int_eq(reload_next_us(&reload), 100);
	reload_schedule(&reload, 50, false);
	ck_assert_int_eq(reload_next_us(&reload), 50);
}
END_TEST

START_TEST(two_schedules_make_one_load)
{
	struct reload reload = idle;

	reload_schedule(&reload, 100, false);
	reload_schedule(&reload, 200, false);
	ck_assert(!reload_begin(&reload));
	reload_end(&reload, true);
	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
}
END_TEST

START_TEST(one_load_is_full_if_any_schedule_is)
{
	struct reload reload = idle;

	reload_schedule(&reload, 200, true);
	reload_schedule(&reload, 100, false);
	ck_assert(reload_begin(&reload));
	reload_end(&reload, true);
	reload_schedule(&reload, 300, false);
	ck_assert(!reload_begin(&reload));
}
END_TEST

START_TEST(schedule_during_a_load_waits_for_its_end)
{
	struct reload reload = idle;

	reload_schedule(&reload, 100, false);
	ck_assert(!reload_begin(&reload));
	reload_schedule(&reload, 150, true);
	ck_assert_int_eq(reload_next_us(&reload), RELOAD_NEVER);
	reload_end(&reload, true);
	ck_assert_int_eq(reload_next_us(&reload), 150);
	ck_assert(reload_begin(&reload));
}
END_TEST

START_TEST(failed_load_is_due_at_once)
{
	struct reload reload = idle;

	reload_schedule(&reload, 100, true);
	ck_assert(reload_begin(&reload));
	reload_schedule(&reload, 500, false);
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

	tcase_add_test(tcase, nothing_is_due_unless_scheduled);
	tcase_add_test(tcase, earlier_of_two_schedules_counts);
	tcase_add_test(tcase, two_schedules_make_one_load);
	tcase_add_test(tcase, one_load_is_full_if_any_schedule_is);
	tcase_add_test(tcase, schedule_during_a_load_waits_for_its_end);
	tcase_add_test(tcase, failed_load_is_due_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
