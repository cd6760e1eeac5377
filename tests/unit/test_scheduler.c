#include "server/scheduler.h"

#include "suites.h"

#define TASKS 3

static struct scheduler scheduler;
static struct task tasks[TASKS];
static int64_t spent_us[TASKS];

static void
start(void)
{
	scheduler_init(&scheduler);
	for (int i = 0; i < TASKS; i++) {
		tasks[i] = (struct task){0};
		spent_us[i] = 0;
		scheduler_add(&scheduler, &tasks[i]);
	}
}

/* Serve the next task for as long as it takes, and queue it again. */
static void
serve_next(const int64_t costs_us[TASKS])
{
	struct task *task = scheduler_next(&scheduler);
	int i = (int)(task - tasks);

	spent_us[i] += costs_us[i];
	scheduler_charge(task, costs_us[i]);
	scheduler_add(&scheduler, task);
}

START_TEST(tasks_are_served_in_turn)
{
	for (int i = 0; i < 3 * TASKS; i++) {
		struct task *task = scheduler_next(&scheduler);

		ck_assert_ptr_eq(task, &tasks[i % TASKS]);
		scheduler_charge(task, 10);
		scheduler_add(&scheduler, task);
	}
}
END_TEST

START_TEST(tasks_that_take_long_get_no_more_time_than_others)
{
	const int64_t costs_us[] = {SCHEDULER_QUANTUM_US,
	    10 * SCHEDULER_QUANTUM_US, 25 * SCHEDULER_QUANTUM_US};

	for (int i = 0; i < 10000; i++)
		serve_next(costs_us);
	for (int i = 1; i < TASKS; i++) {
		ck_assert_int_ge(spent_us[i], spent_us[0] * 95 / 100);
		ck_assert_int_le(spent_us[i], spent_us[0] * 105 / 100);
	}
}
END_TEST

START_TEST(alone_a_task_is_served_whatever_it_owes)
{
	scheduler_remove(&scheduler, &tasks[1]);
	scheduler_remove(&scheduler, &tasks[2]);
	for (int i = 0; i < 3; i++) {
		struct task *task = scheduler_next(&scheduler);

		ck_assert_ptr_eq(task, &tasks[0]);
		scheduler_charge(task, INT64_C(10000000));
		scheduler_add(&scheduler, task);
	}
}
END_TEST

START_TEST(what_was_not_used_is_not_saved_up)
{
	const int64_t costs_us[] = {1, 1, SCHEDULER_QUANTUM_US};

	for (int i = 0; i < 100 * TASKS; i++)
		serve_next(costs_us);
	for (int i = 0; i < TASKS; i++)
		ck_assert_int_le(tasks[i].credit_us, SCHEDULER_QUANTUM_US);
}
END_TEST

START_TEST(queued_once_and_off_the_queue_once)
{
	scheduler_add(&scheduler, &tasks[0]);
	scheduler_remove(&scheduler, &tasks[0]);
	scheduler_remove(&scheduler, &tasks[0]);
	ck_assert_ptr_null(tasks[0].list);
	ck_assert_ptr_eq(scheduler_next(&scheduler), &tasks[1]);
	ck_assert_ptr_eq(scheduler_next(&scheduler), &tasks[2]);
	ck_assert_ptr_null(scheduler_next(&scheduler));
	ck_assert(scheduler_is_empty(&scheduler));
}
END_TEST

START_TEST(who_asks_for_little_goes_ahead_of_those_who_ask_for_much)
{
	const int64_t much_us = 3 * SCHEDULER_QUANTUM_US;

	for (int i = 0; i < TASKS; i++) {
		scheduler_next(&scheduler);
		scheduler_charge(&tasks[i], i == 0 ? 2 : much_us);
		scheduler_add(&scheduler, &tasks[i]);
	}
	for (int i = 0; i < 10; i++) {
		ck_assert_ptr_eq(scheduler_next(&scheduler), &tasks[0]);
		scheduler_charge(&tasks[0], 2);
		scheduler_add(&scheduler, &tasks[0]);
	}
}
END_TEST

START_TEST(going_ahead_takes_an_eighth_at_most)
{
	const int64_t costs_us[] = {
	    2, SCHEDULER_QUANTUM_US, SCHEDULER_QUANTUM_US};

	for (int i = 0; i < 10000; i++)
		serve_next(costs_us);
	ck_assert_int_le(spent_us[0], spent_us[1] / 8 + spent_us[1] / 50);
	ck_assert_int_ge(spent_us[0], spent_us[1] / 10);
	ck_assert_int_ge(spent_us[2], spent_us[1] * 95 / 100);
}
END_TEST

Suite *
scheduler_suite(void)
{
	Suite *suite = suite_create("scheduler");
	TCase *tcase = tcase_create("scheduler");

	tcase_add_checked_fixture(tcase, start, NULL);
	tcase_add_test(tcase, tasks_are_served_in_turn);
	tcase_add_test(
	    tcase, tasks_that_take_long_get_no_more_time_than_others);
	tcase_add_test(tcase, alone_a_task_is_served_whatever_it_owes);
	tcase_add_test(tcase, what_was_not_used_is_not_saved_up);
	tcase_add_test(
	    tcase, who_asks_for_little_goes_ahead_of_those_who_ask_for_much);
	tcase_add_test(tcase, going_ahead_takes_an_eighth_at_most);
	tcase_add_test(tcase, queued_once_and_off_the_queue_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
