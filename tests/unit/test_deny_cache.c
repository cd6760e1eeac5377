#include "base/attr.h"
#include "limit/decide.h"
#include "limit/rules_text.h"
#include "store/deny_cache.h"
#include "suites.h"

#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* The clock of Redis is this much ahead of ours. */
#define AHEAD (INT64_C(7) * 3600 * SECOND + 12345)

static struct rules *rules;
static const struct limit *api, *login, *daily, *always;
static struct deny_marks *marks;
static struct deny_cache *cache;
static int64_t now_us;
static struct bucket held; /* in Redis */

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
	    "deny_cache = no\n";
	struct rules_error error;

	rules = rules_from_ini("test.ini", text, strlen(text), &error);
	ck_assert_msg(rules, "%s", error.reason);
	api = rules_at(rules, 0);
	login = rules_at(rules, 1);
	daily = rules_at(rules, 2);
	always = rules_at(rules, 3);
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

/* A question that comes now. */
static struct ask
ask_of(const struct limit *limit, enum op op, int64_t amount)
{
	deny_cache_renew_time(cache);
	return (struct ask){
	    .rules = rules,
	    .limit = limit,
	    .key = key_make("key", 3),
	    .op = op,
	    .amount = amount,
	    .now_us = now_us,
	};
}

static struct ask
consume(const struct limit *limit, int64_t amount)
{
	return ask_of(limit, OP_CONSUME, amount);
}

/* What Redis does with a question that is there now. */
static void
decide_in_redis(struct ask *ask)
{
	ask->decided_us = now_us + AHEAD;
	decide(ask->limit, ask->op, ask->amount, ask->decided_us, &held,
	    &ask->decision);
	ask->bucket = held;
	ask->answer = ask->op == OP_RESET ? ANSWER_DONE : ANSWER_DECISION;
	ask->from = FROM_REDIS;
}

/* Put a question that the cache cannot answer, and have it answered at once. */
static struct ask
put(struct ask ask)
{
	ck_assert(!deny_cache_ask(cache, &ask));
	decide_in_redis(&ask);
	deny_cache_learn(cache, &ask);
	return ask;
}

/* Fill a bucket, and have one more refused. */
static void
fill(const struct limit *limit)
{
	ck_assert(put(consume(limit, limit->capacity)).decision.allowed);
	ck_assert(!put(consume(limit, 1)).decision.allowed);
}

static bool
is_refused_by(struct deny_cache *by, struct ask ask)
{
	return deny_cache_ask(by, &ask);
}

static bool
is_refused(struct ask ask)
{
	return is_refused_by(cache, ask);
}

START_TEST(nothing_is_refused_that_redis_did_not_refuse)
{
	ck_assert(!is_refused(consume(api, 1)));
	put(consume(api, 5));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(what_was_refused_is_refused_until_it_can_pass)
{
	struct ask ask;

	fill(api);
	now_us += 99999;
	ask = consume(api, 1);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert_int_eq(ask.answer, ANSWER_DECISION);
	ck_assert_int_eq(ask.from, FROM_DENYCACHE);
	now_us++;
	ck_assert(is_refused(consume(api, 2)));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(the_figures_count_down)
{
	struct ask ask;

	fill(api);
	now_us += 30000;
	ask = consume(api, 2);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert(!ask.decision.allowed);
	ck_assert_int_eq(ask.decision.level, 5);
	ck_assert_int_eq(ask.decision.next_us, 70000);
	ck_assert_int_eq(ask.decision.retry_us, 170000);
	ck_assert_int_eq(ask.decision.blocked_us, 0);
}
END_TEST

/* 40 ms to Redis, 20 ms back: refused for as long as by Redis had the question
 * been there at once, told to wait as if it had been decided when answered. */
START_TEST(times_on_the_way_are_counted_in_favour_of_the_client)
{
	struct ask ask;

	put(consume(api, 5));
	ask = consume(api, 1);
	ck_assert(!deny_cache_ask(cache, &ask));
	now_us += 40000;
	decide_in_redis(&ask);
	ck_assert_int_eq(ask.decision.retry_us, 60000);
	now_us += 20000 - 1;
	deny_cache_learn(cache, &ask);
	ask = consume(api, 1);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert_int_eq(ask.decision.retry_us, 60000);
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

START_TEST(only_consuming_is_refused)
{
	fill(api);
	ck_assert(!is_refused(ask_of(api, OP_PEEK, 1)));
	ck_assert(!is_refused(consume(api, 0)));
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(what_can_never_pass_is_said_so)
{
	struct ask ask = consume(api, 6);

	fill(api);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert_int_eq(ask.decision.retry_us, RETRY_NEVER);
	ck_assert_int_eq(ask.decision.level, 5);
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
	struct ask ask;

	put(consume(login, 1));
	ck_assert(!put(consume(login, 5)).decision.allowed);
	now_us += 249999;
	ask = consume(login, 1);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert_int_eq(ask.decision.blocked_us, 1);
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
	struct ask ask;
	int64_t left_us;

	fill(daily);
	ask = put(ask_of(daily, OP_PEEK, 1));
	left_us = ask.decision.retry_us;
	now_us += left_us - 1;
	ask = consume(daily, 1);
	ck_assert(deny_cache_ask(cache, &ask));
	ck_assert_int_eq(ask.decision.level, 5);
	ck_assert_int_eq(ask.decision.next_us, 1);
	ck_assert_int_eq(ask.decision.retry_us, 1);
	now_us++;
	ck_assert(!is_refused(consume(daily, 1)));
}
END_TEST

START_TEST(a_reset_or_give_back_forgets_before_it_is_answered)
{
	fill(api);
	ck_assert(!is_refused(ask_of(api, OP_RESET, 0)));
	ck_assert(!is_refused(consume(api, 1)));
	held = (struct bucket){0};
	fill(api);
	ck_assert(!is_refused(consume(api, -1)));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_denial_asked_before_a_reset_is_not_kept)
{
	struct ask before = consume(api, 1), reset = ask_of(api, OP_RESET, 0);

	put(consume(api, 5));
	ck_assert(!deny_cache_ask(cache, &before));
	ck_assert(!deny_cache_ask(cache, &reset));
	decide_in_redis(&before);
	decide_in_redis(&reset);
	deny_cache_learn(cache, &before);
	ck_assert(!is_refused(consume(api, 1)));
	deny_cache_learn(cache, &reset);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

/* Whichever Redis saw first: who is told OK sees the bucket reset. */
START_TEST(a_denial_asked_before_a_reset_is_answered_is_not_kept)
{
	struct ask between = consume(api, 1), reset = ask_of(api, OP_RESET, 0);

	put(consume(api, 5));
	ck_assert(!deny_cache_ask(cache, &reset));
	ck_assert(!deny_cache_ask(cache, &between));
	decide_in_redis(&between);
	decide_in_redis(&reset);
	deny_cache_learn(cache, &reset);
	deny_cache_learn(cache, &between);
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(a_reset_without_an_answer_forgets_too)
{
	struct ask reset = ask_of(api, OP_RESET, 0);

	ck_assert(!deny_cache_ask(cache, &reset));
	fill(api);
	ck_assert(is_refused(consume(api, 1)));
	reset.answer = ANSWER_UNAVAILABLE;
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
	ck_assert(!is_refused_by(other, ask_of(api, OP_RESET, 0)));
	ck_assert(!is_refused(consume(api, 1)));
	deny_cache_free(other);
}
END_TEST

START_TEST(a_reset_of_a_limit_without_cache_forgets)
{
	struct limit without = *api;
	struct ask reset = ask_of(&without, OP_RESET, 0);

	without.deny_cache = false;
	fill(api);
	ck_assert(!deny_cache_ask(cache, &reset));
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
	struct ask less;

	ck_assert(put(consume(api, 4)).decision.allowed);
	ck_assert(!put(consume(api, 5)).decision.allowed);
	ck_assert(is_refused(consume(api, 5)));
	less = consume(api, 1);
	ck_assert(!deny_cache_ask(cache, &less));
	ck_assert(!is_refused(consume(api, 5)));
	decide_in_redis(&less);
	deny_cache_learn(cache, &less);
	ck_assert_int_eq(put(consume(api, 5)).decision.level, 5);
	ck_assert(is_refused(consume(api, 5)));
}
END_TEST

START_TEST(without_an_answer_nothing_is_learnt)
{
	struct ask ask = consume(api, 1);

	put(consume(api, 5));
	ck_assert(!deny_cache_ask(cache, &ask));
	decide_in_redis(&ask);
	ask.answer = ANSWER_UNAVAILABLE;
	deny_cache_learn(cache, &ask);
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
	struct ask other = consume(api, 1);

	fill(api);
	ck_assert(!is_refused(consume(login, 1)));
	other.key = key_make("other", 5);
	ck_assert(!is_refused(other));
	ck_assert(is_refused(consume(api, 1)));
}
END_TEST

START_TEST(who_comes_later_takes_the_slot)
{
	struct ask other = consume(api, 1);

	fill(api);
	other.key.hash.hi++;
	ck_assert(!deny_cache_ask(cache, &other));
	decide_in_redis(&other);
	deny_cache_learn(cache, &other);
	ck_assert(is_refused(other));
	ck_assert(!is_refused(consume(api, 1)));
}
END_TEST

START_TEST(new_limits_forget_all_and_what_was_asked_under_the_old)
{
	struct ask ask = consume(api, 1);

	fill(api);
	held = (struct bucket){0};
	deny_cache_empty(cache);
	ck_assert(!is_refused(consume(api, 1)));
	put(consume(api, 5));
	ck_assert(!deny_cache_ask(cache, &ask));
	decide_in_redis(&ask);
	deny_cache_learn(cache, &ask);
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
	struct ask one, two, third;

	fill(api);
	one = two = third = consume(api, 1);
	now_us += 10000;
	ck_assert(deny_cache_ask(cache, &one));
	ck_assert_int_eq(one.decision.retry_us, 90000);
	now_us += 10000;
	ck_assert(deny_cache_ask(cache, &two));
	ck_assert_int_eq(two.decision.retry_us, 90000);
	deny_cache_renew_time(cache);
	ck_assert(deny_cache_ask(cache, &third));
	ck_assert_int_eq(third.decision.retry_us, 80000);
}
END_TEST

START_TEST(nothing_is_refused_by_a_time_before_it_was_learnt)
{
	struct ask fills, denied, early, late;

	fill(daily);
	held = (struct bucket){0};
	early = consume(daily, 1);
	fills = consume(api, 5);
	denied = late = consume(api, 1);
	ck_assert(deny_cache_ask(cache, &early));
	now_us += 30000;
	fills.now_us = denied.now_us = now_us;
	put(fills);
	put(denied);
	ck_assert(deny_cache_ask(cache, &late));
	ck_assert_int_eq(late.decision.retry_us, 100000);
}
END_TEST

/* Would Redis refuse this now, and leave the bucket alone? */
static bool
redis_refuses(const struct ask *ask)
{
	struct bucket copy = held;
	struct decision decision;

	return !decide(ask->limit, OP_CONSUME, ask->amount, now_us + AHEAD,
		   &copy, &decision) &&
	       !decision.allowed;
}

static bool
passes_after(const struct ask *ask, int64_t wait_us)
{
	struct bucket copy = held;
	struct decision decision;

	decide(ask->limit, OP_CONSUME, ask->amount, now_us + AHEAD + wait_us,
	    &copy, &decision);
	return decision.allowed;
}

static void
step(const struct limit *limit, unsigned *refused)
{
	struct ask ask = consume(limit, 1 + rand() % 6);

	if (rand() % 100 == 0)
		ask = ask_of(limit, OP_RESET, 0);
	else if (rand() % 50 == 0)
		ask.amount = -ask.amount;
	if (deny_cache_ask(cache, &ask)) {
		int64_t retry_us = ask.decision.retry_us;

		++*refused;
		ck_assert(redis_refuses(&ask));
		if (retry_us != RETRY_NEVER)
			ck_assert(passes_after(&ask, retry_us));
		return;
	}
	now_us += rand() % 3000;
	decide_in_redis(&ask);
	now_us += rand() % 3000;
	deny_cache_learn(cache, &ask);
}

START_TEST(nothing_is_refused_that_redis_would_not_refuse_at_that_moment)
{
	const struct limit *limits[] = {api, login, daily};
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
	tcase_add_test(tests, what_was_refused_is_refused_until_it_can_pass);
	tcase_add_test(tests, the_figures_count_down);
	tcase_add_test(
	    tests, times_on_the_way_are_counted_in_favour_of_the_client);
	tcase_add_test(tests, a_denial_is_trusted_for_a_second);
	tcase_add_test(tests, only_consuming_is_refused);
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
	tcase_add_loop_test(tests,
	    nothing_is_refused_that_redis_would_not_refuse_at_that_moment, 0,
	    3);
	suite_add_tcase(suite, tests);
	return suite;
}
