#include "base/attr.h"
#include "limit/leases.h"
#include "limit/rules_text.h"
#include "store/deny_cache.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* The clock of Redis is this much ahead of ours. */
#define AHEAD (INT64_C(7) * 3600 * SECOND + 12345)

static struct rules *rules;
static const struct limit *api, *login, *daily, *always, *sliding, *jobs;
static struct deny_marks *marks;
static struct deny_cache *cache;
static int64_t now_us;
static struct bucket held; /* in Redis */
static _Alignas(struct lease_log) char held_log[1000];

static int64_t
now(void)
{
	return now_us;
}

static void
setup(void)
{
	static const char text[] =
	    "[api]\nmatch = api:*\ncapacity = 5\nrecharge = 100ms\n"
	    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 100ms\n"
	    "block = 250ms\n"
	    "[daily]\nmatch = daily:*\nalgorithm = fixed_window\n"
	    "capacity = 5\nwindow = 300ms\n"
	    "[always]\nmatch = *\ncapacity = 5\nrecharge = 100ms\n"
	    "deny_cache = no\n"
	    "[sliding]\nmatch = sliding:*\nalgorithm = sliding_window\n"
	    "capacity = 5\nwindow = 300ms\n"
	    "[jobs]\nmatch = jobs:*\nalgorithm = concurrent\n"
	    "capacity = 5\nlease = 300ms\n";
	struct reasons reasons;

	rules = rules_from_ini("test.ini", text, strlen(text), &reasons);
	ck_assert_msg(rules, "%s", reasons_first(&reasons));
	api = rules_at(rules, 0);
	login = rules_at(rules, 1);
	daily = rules_at(rules, 2);
	always = rules_at(rules, 3);
	sliding = rules_at(rules, 4);
	jobs = rules_at(rules, 5);
	marks = deny_marks_new();
	cache = deny_cache_new(marks, now);
	ck_assert(marks && cache);
	now_us = INT64_C(1700000000) * SECOND;
	held = (struct bucket){0};
}

static void
teardown(void)
{
	deny_cache_free(cache);
	deny_cache_free(NULL);
	deny_marks_free(marks);
	deny_marks_free(NULL);
	rules_unref(rules);
}

/* A query that comes now. */
static struct query
query_of(const struct limit *limit, enum op op, int64_t amount)
{
	deny_cache_renew_time(cache);
	return (struct query){
	    .rules = rules,
	    .limit = limit,
	    .key = key_make("key", 3),
	    .op = op,
	    .amount = amount,
	    .now_us = now_us,
	};
}

static struct query
consume(const struct limit *limit, int64_t amount)
{
	return query_of(limit, OP_CONSUME, amount);
}

/* What Redis decides on a query that arrives now. */
static void
decide_in_redis(struct query *query)
{
	const bool has_log = query->limit->algorithm->has_log;

	query->decided_us = now_us + AHEAD;
	if (has_log && !held.log.log)
		held.log.log = leases_start(held_log, sizeof(held_log));
	decide(query->limit, query->op, query->amount, query->decided_us, &held,
	    &query->decision);
	if (has_log)
		leases_settle(query->limit, &held, query->decided_us);
	query->bucket = held;
	query->result = query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
	query->decided_by = DECIDED_BY_REDIS;
}

/* Put a query that the cache does not refuse, and let Redis decide at once. */
static struct query
put(struct query query)
{
	ck_assert(!deny_cache_decide(cache, &query));
	decide_in_redis(&query);
	deny_cache_learn(cache, &query);
	return query;
}

/* Fill a bucket, and have one more refused. */
static void
fill(const struct limit *limit)
{
	ck_assert(put(consume(limit, limit->capacity)).decision.allowed);
	ck_assert(!put(consume(limit, 1)).decision.allowed);
}

static bool
is_refused_by(struct deny_cache *by, struct query query)
{
	return deny_cache_decide(by, &query);
}

static bool
is_refused(struct query query)
{
	return is_refused_by(cache, query);
}

START_TEST(nothing_is_refused_that_redis_did_not_refuse)
{
	ck_assert(!is_refused(consume(api, 1)));
	put(consume(api, 5));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

/* Refused it would be rightly, but with a level of before. */
START_TEST(a_denial_is_not_used_while_a_later_query_is_out)
{
	struct query denied = consume(api, 5), later;

	put(consume(api, 2));
	ck_assert(!deny_cache_decide(cache, &denied));
	decide_in_redis(&denied);
	ck_assert(!denied.decision.allowed);
	later = consume(api, 1);
	ck_assert(!deny_cache_decide(cache, &later));
	deny_cache_learn(cache, &denied);
	ck_assert(!is_refused(consume(api, 6)));
	decide_in_redis(&later);
	deny_cache_learn(cache, &later);
	ck_assert(!put(consume(api, 5)).decision.allowed);
	ck_assert(is_refused(consume(api, 6)));
}
END_TEST

START_TEST(what_was_refused_is_refused_until_it_can_pass)
{
	struct query query;

	fill(api);
	now_us += 99999;
	query = consume(api, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.result, RESULT_DECISION);
	ck_assert_int_eq(query.decided_by, DECIDED_BY_DENYCACHE);
	now_us++;
	ck_assert(is_refused(consume(api, 2)));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(the_figures_count_down)
{
	struct query query;

	fill(api);
	now_us += 30000;
	query = consume(api, 2);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert(!query.decision.allowed);
	ck_assert_int_eq(query.decision.level, 5);
	ck_assert_int_eq(query.decision.next_us, 70000);
	ck_assert_int_eq(query.decision.retry_us, 170000);
	ck_assert_int_eq(query.decision.blocked_us, 0);
}
END_TEST

/* 40 ms to Redis, 20 ms back: refused for as long as by Redis had the query
 * been there at once, with a retry as if it had been decided when the reply
 * came. */
START_TEST(times_on_the_way_are_counted_in_favour_of_the_client)
{
	struct query query;

	put(consume(api, 5));
	query = consume(api, 1);
	ck_assert(!deny_cache_decide(cache, &query));
	now_us += 40000;
	decide_in_redis(&query);
	ck_assert_int_eq(query.decision.retry_us, 60000);
	now_us += 20000 - 1;
	deny_cache_learn(cache, &query);
	query = consume(api, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.retry_us, 60000);
	now_us++;
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_denial_is_trusted_for_a_second)
{
	struct limit slow = *api;

	slow.recharge_us = 60 * SECOND;
	fill(&slow);
	now_us += SECOND - 1;
	ck_assert(is_refused(consume(&slow, 1)));
	now_us++;
	ck_assert(!is_refused(consume(&slow, 1)));
	put(consume(&slow, 1));
	ck_assert(is_refused(consume(&slow, 1)));
}
END_TEST

/* Not from when the result was there. */
START_TEST(the_second_begins_with_the_question)
{
	struct limit slow = *api;
	struct query query;

	slow.recharge_us = 60 * SECOND;
	put(consume(&slow, slow.capacity));
	query = consume(&slow, 1);
	ck_assert(!deny_cache_decide(cache, &query));
	decide_in_redis(&query);
	now_us += SECOND / 2;
	deny_cache_renew_time(cache);
	deny_cache_learn(cache, &query);
	now_us += SECOND / 2 - 1;
	ck_assert(is_refused(consume(&slow, 1)));
	now_us++;
	ck_assert(!is_refused(consume(&slow, 1)));
}
END_TEST

START_TEST(only_consuming_is_refused)
{
	fill(api);
	ck_assert(!is_refused(query_of(api, OP_PEEK, 1)));
	ck_assert(!is_refused(consume(api, 0)));
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_charge_is_refused_only_beyond_the_debt)
{
	struct limit indebted = *api;
	struct query query;

	indebted.debt = 2;
	fill(&indebted);
	ck_assert(!is_refused(query_of(&indebted, OP_CHARGE, 2)));
	/* It may have gone in. */
	ck_assert(!is_refused(consume(&indebted, 1)));
	ck_assert(put(query_of(&indebted, OP_CHARGE, 2)).decision.allowed);
	ck_assert(!put(query_of(&indebted, OP_CHARGE, 1)).decision.allowed);
	query = consume(&indebted, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.level, 7);
	ck_assert_int_eq(query.decision.retry_us, 300000);
	query = query_of(&indebted, OP_CHARGE, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.retry_us, 100000);
	now_us += 100000;
	ck_assert(!is_refused(query_of(&indebted, OP_CHARGE, 1)));
}
END_TEST

START_TEST(a_take_is_refused_until_a_drop_fits)
{
	struct query query;

	fill(api);
	query = query_of(api, OP_TAKE, 3);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.taken, 0);
	ck_assert_int_eq(query.decision.retry_us, 100000);
	now_us += 100000;
	query = put(query_of(api, OP_TAKE, 3));
	ck_assert_int_eq(query.decision.taken, 1);
	ck_assert(!is_refused(consume(api, 1)));
	ck_assert(!put(query_of(api, OP_TAKE, 9)).decision.allowed);
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(what_can_never_pass_is_said_so)
{
	struct query query = consume(api, 6);

	fill(api);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.retry_us, RETRY_NEVER);
	ck_assert_int_eq(query.decision.level, 5);
}
END_TEST

START_TEST(what_can_never_pass_says_nothing_of_the_bucket)
{
	put(consume(api, 6));
	ck_assert(!is_refused(consume(api, 6)));
}
END_TEST

START_TEST(a_block_refuses_any_amount_until_it_ends)
{
	struct query query;

	put(consume(login, 1));
	ck_assert(!put(consume(login, 5)).decision.allowed);
	now_us += 249999;
	query = consume(login, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.blocked_us, 1);
	now_us++;
	ck_assert(!is_refused(consume(login, 1)));
}
END_TEST

START_TEST(a_refusal_that_starts_a_block_is_left_to_redis)
{
	fill(login);
	now_us += 250000; /* the block is over, and 5 do not fit */
	ck_assert(!is_refused(consume(login, 5)));
	ck_assert(!put(consume(login, 5)).decision.allowed);
	ck_assert(is_refused(consume(login, 1)));
}
END_TEST

START_TEST(a_window_refuses_until_it_ends)
{
	struct query query;
	int64_t left_us;

	fill(daily);
	query = put(query_of(daily, OP_PEEK, 1));
	left_us = query.decision.retry_us;
	now_us += left_us - 1;
	query = consume(daily, 1);
	ck_assert(deny_cache_decide(cache, &query));
	ck_assert_int_eq(query.decision.level, 5);
	ck_assert_int_eq(query.decision.next_us, 1);
	ck_assert_int_eq(query.decision.retry_us, 1);
	now_us++;
	ck_assert(!is_refused(consume(daily, 1)));
}
END_TEST

START_TEST(a_reset_or_give_back_forgets_before_it_is_answered)
{
	fill(api);
	ck_assert(!is_refused(query_of(api, OP_RESET, 0)));
	ck_assert(!is_refused(consume(api, 1)));
	held = (struct bucket){0};
	fill(api);
	ck_assert(!is_refused(consume(api, -1)));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_denial_asked_before_a_reset_is_not_kept)
{
	struct query before = consume(api, 1),
		     reset = query_of(api, OP_RESET, 0);

	put(consume(api, 5));
	ck_assert(!deny_cache_decide(cache, &before));
	ck_assert(!deny_cache_decide(cache, &reset));
	decide_in_redis(&before);
	decide_in_redis(&reset);
	deny_cache_learn(cache, &before);
	ck_assert(!is_refused(consume(api, 1)));
	deny_cache_learn(cache, &reset);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

/* Whichever Redis saw first: a client that reads OK sees the bucket reset. */
START_TEST(a_denial_asked_before_a_reset_is_answered_is_not_kept)
{
	struct query between = consume(api, 1),
		     reset = query_of(api, OP_RESET, 0);

	put(consume(api, 5));
	ck_assert(!deny_cache_decide(cache, &reset));
	ck_assert(!deny_cache_decide(cache, &between));
	decide_in_redis(&between);
	decide_in_redis(&reset);
	deny_cache_learn(cache, &reset);
	deny_cache_learn(cache, &between);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_reset_without_an_answer_forgets_too)
{
	struct query reset = query_of(api, OP_RESET, 0);

	ck_assert(!deny_cache_decide(cache, &reset));
	fill(api);
	ck_assert(is_refused(consume(api, 1)));
	reset.result = RESULT_UNAVAILABLE;
	deny_cache_learn(cache, &reset);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(another_workers_reset_forgets)
{
	struct deny_cache *other = deny_cache_new(marks, now);

	ck_assert_ptr_nonnull(other);
	fill(api);
	ck_assert(!is_refused_by(other, consume(api, 1)));
	ck_assert(is_refused(consume(api, 1)));
	ck_assert(!is_refused_by(other, query_of(api, OP_RESET, 0)));
	ck_assert(!is_refused(consume(api, 1)));
	deny_cache_free(other);
}
END_TEST

START_TEST(a_reset_of_a_limit_without_cache_forgets)
{
	struct limit without = *api;
	struct query reset = query_of(&without, OP_RESET, 0);

	without.deny_cache = false;
	fill(api);
	ck_assert(!deny_cache_decide(cache, &reset));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(an_admission_forgets)
{
	put(consume(api, 3));
	ck_assert(!put(consume(api, 5)).decision.allowed);
	ck_assert(is_refused(consume(api, 5)));
	ck_assert(put(consume(api, 1)).decision.allowed);
	ck_assert(!is_refused(consume(api, 5)));
}
END_TEST

START_TEST(what_may_be_admitted_forgets_before_it_is_answered)
{
	struct query less;

	ck_assert(put(consume(api, 4)).decision.allowed);
	ck_assert(!put(consume(api, 5)).decision.allowed);
	ck_assert(is_refused(consume(api, 5)));
	less = consume(api, 1);
	ck_assert(!deny_cache_decide(cache, &less));
	ck_assert(!is_refused(consume(api, 5)));
	decide_in_redis(&less);
	deny_cache_learn(cache, &less);
	ck_assert_int_eq(put(consume(api, 5)).decision.level, 5);
	ck_assert(is_refused(consume(api, 5)));
}
END_TEST

START_TEST(without_an_answer_nothing_is_learnt)
{
	struct query query = consume(api, 1);

	put(consume(api, 5));
	ck_assert(!deny_cache_decide(cache, &query));
	decide_in_redis(&query);
	query.result = RESULT_UNAVAILABLE;
	deny_cache_learn(cache, &query);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_limit_may_do_without)
{
	fill(always);
	ck_assert(!is_refused(consume(always, 1)));
}
END_TEST

START_TEST(limits_and_keys_are_told_apart)
{
	struct query other = consume(api, 1);

	fill(api);
	ck_assert(!is_refused(consume(login, 1)));
	other.key = key_make("other", 5);
	ck_assert(!is_refused(other));
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(who_comes_later_takes_the_slot)
{
	struct query other = consume(api, 1);

	fill(api);
	other.key.hash.hi += ALGORITHM_MASK + 1;
	ck_assert(!deny_cache_decide(cache, &other));
	decide_in_redis(&other);
	deny_cache_learn(cache, &other);
	ck_assert(is_refused(other));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(new_limits_forget_all_and_what_was_asked_under_the_old)
{
	struct query query = consume(api, 1);

	fill(api);
	held = (struct bucket){0};
	deny_cache_empty(cache);
	ck_assert(!is_refused(consume(api, 1)));
	put(consume(api, 5));
	ck_assert(!deny_cache_decide(cache, &query));
	decide_in_redis(&query);
	deny_cache_learn(cache, &query);
	now_us++;
	ck_assert(!is_refused(consume(api, 1)));
	ck_assert(!put(consume(api, 1)).decision.allowed);
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_limit_of_the_same_name_with_more_room_is_not_refused)
{
	struct limit larger = *api;

	larger.capacity = 6;
	fill(api);
	ck_assert(is_refused(consume(&larger, 2)));
	ck_assert(!is_refused(consume(&larger, 1)));
}
END_TEST

START_TEST(what_was_read_at_once_is_refused_by_one_time)
{
	struct query one, two, third;

	fill(api);
	one = two = third = consume(api, 1);
	now_us += 10000;
	ck_assert(deny_cache_decide(cache, &one));
	ck_assert_int_eq(one.decision.retry_us, 90000);
	now_us += 10000;
	ck_assert(deny_cache_decide(cache, &two));
	ck_assert_int_eq(two.decision.retry_us, 90000);
	deny_cache_renew_time(cache);
	ck_assert(deny_cache_decide(cache, &third));
	ck_assert_int_eq(third.decision.retry_us, 80000);
}
END_TEST

START_TEST(nothing_is_refused_by_a_time_before_it_was_learnt)
{
	struct query fills, denied, early, late;

	fill(daily);
	held = (struct bucket){0};
	early = consume(daily, 1);
	fills = consume(api, 5);
	denied = late = consume(api, 1);
	ck_assert(deny_cache_decide(cache, &early));
	now_us += 30000;
	fills.now_us = denied.now_us = now_us;
	put(fills);
	put(denied);
	ck_assert(deny_cache_decide(cache, &late));
	ck_assert_int_eq(late.decision.retry_us, 100000);
}
END_TEST

START_TEST(what_may_be_released_is_not_refused)
{
	fill(jobs);
	ck_assert(!is_refused(consume(jobs, 1)));
}
END_TEST

/* Would Redis refuse this now, and leave the bucket alone? */
static bool
redis_refuses(const struct query *query)
{
	struct bucket copy = held;
	struct decision decision;

	return !decide(query->limit, OP_CONSUME, query->amount, now_us + AHEAD,
		   &copy, &decision) &&
	       !decision.allowed;
}

static bool
passes_after(const struct query *query, int64_t wait_us)
{
	struct bucket copy = held;
	struct decision decision;

	decide(query->limit, OP_CONSUME, query->amount,
	    now_us + AHEAD + wait_us, &copy, &decision);
	return decision.allowed;
}

static void
step(const struct limit *limit, unsigned *refused)
{
	struct query query = consume(limit, 1 + rand() % 6);

	if (rand() % 100 == 0)
		query = query_of(limit, OP_RESET, 0);
	else if (rand() % 50 == 0)
		query.amount = -query.amount;
	if (deny_cache_decide(cache, &query)) {
		int64_t retry_us = query.decision.retry_us;

		++*refused;
		ck_assert(redis_refuses(&query));
		if (retry_us != RETRY_NEVER)
			ck_assert(passes_after(&query, retry_us));
		return;
	}
	now_us += rand() % 3000;
	decide_in_redis(&query);
	now_us += rand() % 3000;
	deny_cache_learn(cache, &query);
}

START_TEST(nothing_is_refused_that_redis_would_not_refuse_at_that_moment)
{
	const struct limit *limits[] = {api, login, daily, sliding};
	const struct limit *limit = limits[_i];
	unsigned refused = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		now_us += rand() % 20000;
		step(limit, &refused);
	}
	ck_assert_uint_gt(refused, 50000);
}
END_TEST

Suite *
deny_cache_suite(void)
{
	Suite *suite = suite_create("deny_cache");
	TCase *tests = tcase_create("deny_cache");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, nothing_is_refused_that_redis_did_not_refuse);
	tcase_add_test(tests, a_denial_is_not_used_while_a_later_query_is_out);
	tcase_add_test(tests, what_was_refused_is_refused_until_it_can_pass);
	tcase_add_test(tests, the_figures_count_down);
	tcase_add_test(
	    tests, times_on_the_way_are_counted_in_favour_of_the_client);
	tcase_add_test(tests, a_denial_is_trusted_for_a_second);
	tcase_add_test(tests, the_second_begins_with_the_question);
	tcase_add_test(tests, only_consuming_is_refused);
	tcase_add_test(tests, a_charge_is_refused_only_beyond_the_debt);
	tcase_add_test(tests, a_take_is_refused_until_a_drop_fits);
	tcase_add_test(tests, what_can_never_pass_is_said_so);
	tcase_add_test(tests, what_can_never_pass_says_nothing_of_the_bucket);
	tcase_add_test(tests, a_block_refuses_any_amount_until_it_ends);
	tcase_add_test(tests, a_refusal_that_starts_a_block_is_left_to_redis);
	tcase_add_test(tests, a_window_refuses_until_it_ends);
	tcase_add_test(
	    tests, a_reset_or_give_back_forgets_before_it_is_answered);
	tcase_add_test(tests, a_denial_asked_before_a_reset_is_not_kept);
	tcase_add_test(
	    tests, a_denial_asked_before_a_reset_is_answered_is_not_kept);
	tcase_add_test(tests, a_reset_without_an_answer_forgets_too);
	tcase_add_test(tests, another_workers_reset_forgets);
	tcase_add_test(tests, a_reset_of_a_limit_without_cache_forgets);
	tcase_add_test(tests, an_admission_forgets);
	tcase_add_test(
	    tests, what_may_be_admitted_forgets_before_it_is_answered);
	tcase_add_test(tests, without_an_answer_nothing_is_learnt);
	tcase_add_test(tests, a_limit_may_do_without);
	tcase_add_test(tests, limits_and_keys_are_told_apart);
	tcase_add_test(tests, who_comes_later_takes_the_slot);
	tcase_add_test(
	    tests, new_limits_forget_all_and_what_was_asked_under_the_old);
	tcase_add_test(
	    tests, a_limit_of_the_same_name_with_more_room_is_not_refused);
	tcase_add_test(tests, what_was_read_at_once_is_refused_by_one_time);
	tcase_add_test(
	    tests, nothing_is_refused_by_a_time_before_it_was_learnt);
	tcase_add_test(tests, what_may_be_released_is_not_refused);
	tcase_add_loop_test(tests,
	    nothing_is_refused_that_redis_would_not_refuse_at_that_moment, 0,
	    4);
	suite_add_tcase(suite, tests);
	return suite;
}
