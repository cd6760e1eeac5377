#include "limit/leases.h"
#include "store/deny_log.h"
#include "suites.h"

#define SECOND INT64_C(1000000)
#define START  (INT64_C(1700000000) * SECOND)

static const struct limit limit = {
    .algorithm = &algorithm_sliding_window,
    .capacity = 5,
    .debt = 2,
    .window_us = SECOND,
};

static _Alignas(struct lease_log) char room[sizeof(struct lease_log) +
					    20 * sizeof(struct lease)];
static struct bucket bucket;
static struct deny_log known;

static void
setup(void)
{
	bucket =
	    (struct bucket){.log = {.log = leases_start(room, sizeof(room))}};
}

static struct query
ask(enum op op, int64_t amount, int64_t now_us)
{
	struct query query = {.limit = &limit, .op = op, .amount = amount};

	if (decide(&limit, op, amount, now_us, &bucket, &query.decision))
		leases_settle(&limit, &bucket, now_us);
	return query;
}

/* A drop each 10 ms from START on, and a denial for ${amount} at the end. */
static void
fill(int64_t amount)
{
	struct query denied;

	for (int64_t i = 0; i < limit.capacity; i++)
		ck_assert(
		    ask(OP_CONSUME, 1, START + i * 10000).decision.allowed);
	denied = ask(OP_CONSUME, amount, START + 50000);
	ck_assert(!denied.decision.allowed);
	ck_assert(deny_log_learn(&known, &denied, START + 50000));
}

static bool
is_denied(enum op op, int64_t amount, int64_t now_us)
{
	struct query query = {.limit = &limit, .op = op, .amount = amount};

	return deny_log_decide(&known, &query, now_us);
}

/* Denied, with the figures that the log would give then. */
static void
check_denied(enum op op, int64_t amount, int64_t now_us)
{
	struct query query = {.limit = &limit, .op = op, .amount = amount};
	struct query asked = ask(op, amount, now_us);
	const struct decision *a = &query.decision, *b = &asked.decision;

	ck_assert(deny_log_decide(&known, &query, now_us));
	ck_assert(!a->allowed && !b->allowed);
	ck_assert_int_eq(a->taken, b->taken);
	ck_assert_int_eq(a->level, b->level);
	ck_assert_int_eq(a->next_us, b->next_us);
	ck_assert_int_eq(a->retry_us, b->retry_us);
	ck_assert_int_eq(a->blocked_us, b->blocked_us);
	ck_assert_int_eq(a->empty_us, b->empty_us);
}

START_TEST(figures_are_those_of_the_log)
{
	fill(3);
	check_denied(OP_CONSUME, 1, START + 60000);
	check_denied(OP_TAKE, 9, START + 60000);
	check_denied(OP_CONSUME, 3, START + 70000);
	check_denied(OP_CHARGE, 3, START + 70000);
	check_denied(OP_CHARGE, 5, START + 70000);
	check_denied(OP_CONSUME, 5, START + 80000);
	check_denied(OP_CONSUME, 6, START + 90000);
	check_denied(OP_CHARGE, 8, START + 90000);
}
END_TEST

/* A denial of three drops says when the first ends, and the third. */
START_TEST(what_it_does_not_say_is_not_decided)
{
	fill(3);
	ck_assert(!is_denied(OP_CONSUME, 2, START + 60000));
	ck_assert(!is_denied(OP_CONSUME, 4, START + 60000));
}
END_TEST

START_TEST(it_holds_until_the_first_drop_ends)
{
	fill(2);
	check_denied(OP_CONSUME, 2, START + SECOND - 1);
	check_denied(OP_CONSUME, 6, START + SECOND - 1);
	ck_assert(!is_denied(OP_CONSUME, 2, START + SECOND));
	ck_assert(!is_denied(OP_CONSUME, 6, START + SECOND));
}
END_TEST

START_TEST(charge_may_pass_where_consume_is_denied)
{
	fill(1);
	ck_assert(!is_denied(OP_CHARGE, 2, START + 60000));
	check_denied(OP_CHARGE, 3, START + 60000);
}
END_TEST

START_TEST(what_is_above_the_capacity_counts)
{
	struct query denied;

	ck_assert(ask(OP_CHARGE, 7, START).decision.allowed);
	denied = ask(OP_CONSUME, 1, START + 10000);
	ck_assert(deny_log_learn(&known, &denied, START + 10000));
	check_denied(OP_CONSUME, 1, START + 20000);
	check_denied(OP_CONSUME, 5, START + 20000);
	check_denied(OP_CHARGE, 7, START + 20000);
	check_denied(OP_CHARGE, 1, START + 20000);
}
END_TEST

/* What a store says again, or where nothing can help. */
START_TEST(denial_without_a_lack_says_nothing)
{
	struct query query = {.limit = &limit, .amount = 1};

	ck_assert(!deny_log_learn(&known, &query, START));
	query = ask(OP_CONSUME, 6, START);
	ck_assert(!query.decision.allowed);
	ck_assert(!deny_log_learn(&known, &query, START));
}
END_TEST

Suite *
deny_log_suite(void)
{
	Suite *suite = suite_create("deny_log");
	TCase *tests = tcase_create("deny_log");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, figures_are_those_of_the_log);
	tcase_add_test(tests, what_it_does_not_say_is_not_decided);
	tcase_add_test(tests, it_holds_until_the_first_drop_ends);
	tcase_add_test(tests, charge_may_pass_where_consume_is_denied);
	tcase_add_test(tests, what_is_above_the_capacity_counts);
	tcase_add_test(tests, denial_without_a_lack_says_nothing);
	suite_add_tcase(suite, tests);
	return suite;
}
