#include "suites.h"

#include "base/attr.h"
#include "gate/check.h"
#include "gate/gate.h"
#include "limit/rules_text.h"
#include "net/loop.h"

#include <string.h>

static const char limits_text[] =
    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n"
    "[open]\nmatch = open:*\ncapacity = 5\nrecharge = 60s\n"
    "on_error = allow\n"
    "[shut]\nmatch = shut:*\ncapacity = 5\nrecharge = 60s\n"
    "on_error = deny\n"
    "[jitter]\nmatch = jitter:*\ncapacity = 5\nrecharge = 60s\n"
    "retry_jitter = 10%\n"
    "[bad]\nmatch = bad:*\naction = deny\n"
    "[look]\nmatch = look:*\ncapacity = 1\nrecharge = 60s\nshadow = yes\n";

/* A store that decides what the test says, at once or later. */
struct fake_store {
	struct store store;
	bool later;
	const struct query *fetched;
	struct query *asked;
	enum result result;
	struct decision decision;
};

static void
fake_decide(struct fake_store *fake, struct query *query)
{
	query->result = fake->result;
	query->decision = fake->decision;
	query->decided_by = DECIDED_BY_REDIS;
}

static bool
fake_query(struct store *store, struct query *query)
{
	struct fake_store *fake = CONTAINER_OF(store, struct fake_store, store);

	fake->asked = query;
	if (!fake->later)
		fake_decide(fake, query);
	return !fake->later;
}

static void
fake_answer(struct fake_store *fake)
{
	struct query *query = fake->asked;

	fake_decide(fake, query);
	query->done(query);
}

static void
fake_prefetch(struct store *store, const struct query *query)
{
	CONTAINER_OF(store, struct fake_store, store)->fetched = query;
}

static const struct store_ops fake_ops = {
    .query = fake_query, .prefetch = fake_prefetch};
static const struct gateway_options options = {
    .store = STORE_MEMORY,
    .memory = {.max_buckets = 1000},
};

static const struct loop_events loop_events = {0};

static struct loop *loop;
static struct gateway gateway;
static struct gate gate;
static struct fake_store store;
static struct check check;
static unsigned times_done;

static struct rules *
rules_of(const char *text)
{
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_msg(rules != NULL, "%s", reasons_first(&reasons));
	return rules;
}

static void
count_done(struct check *done)
{
	ck_assert_ptr_eq(done, &check);
	times_done++;
}

static void
set_up(void)
{
	ck_assert_int_eq(
	    gateway_init(&gateway, &options, 1, rules_of(limits_text)), 0);
	store = (struct fake_store){
	    .store.ops = &fake_ops,
	    .result = RESULT_DECISION,
	    .decision = {.allowed = true, .level = 1},
	};
	loop = loop_new(&loop_events, NULL);
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(gate_init(&gate, &gateway, 0, &store.store, loop), 0);
	check_init(&check, &gate, count_done);
	times_done = 0;
}

static void
tear_down(void)
{
	check_end(&check);
	gate_clear(&gate);
	loop_free(loop);
	gateway_clear(&gateway);
}

static void
open_check(enum op op, const char *key, int64_t amount)
{
	check_end(&check);
	check_add(&check, op, key, strlen(key), amount);
	times_done = 0;
}

/* Have it decided at once. */
static void
decide(enum op op, const char *key, int64_t amount)
{
	open_check(op, key, amount);
	ck_assert(check_start(&check));
	ck_assert_int_eq(check.state, CHECK_DECIDED);
	ck_assert_uint_eq(times_done, 0);
}

static uint64_t
counted(const _Atomic uint64_t *counter)
{
	return *counter;
}

START_TEST(store_decides_at_once)
{
	decide(OP_CONSUME, "login:1", 3);
	ck_assert_int_eq(store.asked->op, OP_CONSUME);
	ck_assert_int_eq(store.asked->amount, 3);
	ck_assert_str_eq(store.asked->limit->name, "login");
	ck_assert_int_eq(check.outcome, OUTCOME_DECISION);
	ck_assert_str_eq(check.limit->name, "login");
	ck_assert(check.decision.allowed);
	ck_assert_int_eq(check.decision.level, 1);
	ck_assert_int_eq(check.decided_by, DECIDED_BY_REDIS);
	ck_assert(!check.shadow_denied);
	ck_assert_uint_eq(counted(&gate.counters->allowed), 1);
}
END_TEST

START_TEST(bucket_is_fetched_once_its_limit_is_found)
{
	open_check(OP_CONSUME, "login:1", 1);
	ck_assert_ptr_null(store.fetched);
	check_prepare(&check);
	ck_assert_ptr_null(store.fetched);
	check_prefetch(&check);
	ck_assert_ptr_eq(store.fetched, &check.query);
	ck_assert_str_eq(store.fetched->limit->name, "login");
	ck_assert_ptr_null(store.asked);
	ck_assert_int_eq(check.state, CHECK_READY);
	ck_assert(check_start(&check));
	ck_assert_ptr_eq(store.asked, store.fetched);
	ck_assert_uint_eq(counted(&gate.counters->allowed), 1);
}
END_TEST

START_TEST(limit_with_an_action_asks_no_store)
{
	open_check(OP_CONSUME, "bad:1", 1);
	check_prepare(&check);
	check_prefetch(&check);
	ck_assert_ptr_null(store.fetched);
	ck_assert(check_start(&check));
	ck_assert_ptr_null(store.asked);
	ck_assert(!check.decision.allowed);
	ck_assert_int_eq(check.decided_by, DECIDED_BY_ACTION);
	ck_assert_str_eq(check.limit->name, "bad");
}
END_TEST

START_TEST(no_bucket_is_fetched_without_a_limit)
{
	open_check(OP_CONSUME, "none", 1);
	check_prepare(&check);
	check_prefetch(&check);
	ck_assert_ptr_null(store.fetched);
	ck_assert(check_start(&check));
	ck_assert_ptr_null(check.limit);
	ck_assert_uint_eq(counted(&gate.counters->unmatched), 1);
}
END_TEST

START_TEST(store_decides_later)
{
	store.later = true;
	open_check(OP_CONSUME, "login:1", 1);
	ck_assert(!check_start(&check));
	ck_assert_int_eq(check.state, CHECK_ASKED);
	ck_assert_uint_eq(times_done, 0);
	store.decision.allowed = false;
	fake_answer(&store);
	ck_assert_int_eq(check.state, CHECK_DECIDED);
	ck_assert_uint_eq(times_done, 1);
	ck_assert(!check.decision.allowed);
	ck_assert_uint_eq(counted(&gate.counters->denied), 1);
}
END_TEST

START_TEST(reset_is_done_or_not)
{
	store.result = RESULT_DONE;
	decide(OP_RESET, "login:1", 1);
	ck_assert_int_eq(check.outcome, OUTCOME_RESET);
	store.result = RESULT_UNAVAILABLE;
	decide(OP_RESET, "login:1", 1);
	ck_assert_int_eq(check.outcome, OUTCOME_UNAVAILABLE);
	ck_assert_uint_eq(counted(&gate.counters->resets), 2);
}
END_TEST

START_TEST(without_a_limit_unmatched_decides)
{
	decide(OP_CONSUME, "none", 1);
	ck_assert_int_eq(check.outcome, OUTCOME_DECISION);
	ck_assert(check.decision.allowed);
	ck_assert_ptr_null(check.limit);
	ck_assert_int_eq(check.decided_by, DECIDED_BY_NONE);
	gateway.unmatched = UNMATCHED_DENY;
	decide(OP_PEEK, "none", 1);
	ck_assert(!check.decision.allowed);
	decide(OP_RESET, "none", 1);
	ck_assert_int_eq(check.outcome, OUTCOME_RESET);
	gateway.unmatched = UNMATCHED_ERROR;
	decide(OP_CONSUME, "none", 1);
	ck_assert_int_eq(check.outcome, OUTCOME_NOLIMIT);
	ck_assert_ptr_null(store.asked);
	ck_assert_uint_eq(counted(&gate.counters->unmatched), 4);
	ck_assert_uint_eq(counted(&gate.counters->allowed), 1);
}
END_TEST

START_TEST(retry_is_longer_by_chance_and_never_shorter)
{
	int64_t least = INT64_MAX, most = 0;

	store.decision = (struct decision){.retry_us = 1000000};
	for (int i = 0; i < 1000; i++) {
		decide(OP_CONSUME, "jitter:1", 1);
		if (check.decision.retry_us < least)
			least = check.decision.retry_us;
		if (check.decision.retry_us > most)
			most = check.decision.retry_us;
	}
	ck_assert_int_ge(least, 1000000);
	ck_assert_int_lt(least, 1010000);
	ck_assert_int_gt(most, 1090000);
	ck_assert_int_le(most, 1100000);
	decide(OP_PEEK, "jitter:1", 1);
	ck_assert_int_eq(check.decision.retry_us, 1000000);
	store.decision.retry_us = RETRY_NEVER;
	decide(OP_CONSUME, "jitter:1", 1);
	ck_assert_int_eq(check.decision.retry_us, RETRY_NEVER);
	store.decision = (struct decision){.allowed = true};
	decide(OP_CONSUME, "jitter:1", 1);
	ck_assert_int_eq(check.decision.retry_us, 0);
}
END_TEST

START_TEST(limit_in_shadow_denies_only_in_the_counts)
{
	store.decision = (struct decision){.retry_us = 5, .level = 1};
	decide(OP_CONSUME, "look:1", 1);
	ck_assert(check.decision.allowed);
	ck_assert_int_eq(check.decision.retry_us, 0);
	ck_assert(check.shadow_denied);
	ck_assert_uint_eq(counted(&gate.counters->allowed), 1);
	ck_assert_uint_eq(counted(&gate.counters->shadow_denied), 1);
}
END_TEST

START_TEST(where_the_store_cannot_decide_on_error_does)
{
	store.result = RESULT_UNAVAILABLE;
	decide(OP_CONSUME, "open:1", 5);
	ck_assert(check.decision.allowed);
	ck_assert_int_eq(check.decided_by, DECIDED_BY_FALLBACK);
	decide(OP_CONSUME, "open:1", 6); /* which can never fit */
	ck_assert(!check.decision.allowed);
	ck_assert_int_eq(check.decision.retry_us, RETRY_NEVER);
	decide(OP_CONSUME, "shut:1", 5);
	ck_assert(!check.decision.allowed);
	ck_assert_int_eq(check.decision.retry_us, 1000000);
	for (int i = 0; i < 6; i++)
		decide(OP_CONSUME, "login:1", 1); /* by memory */
	ck_assert(!check.decision.allowed);
	ck_assert_int_eq(check.decision.level, 5);
	ck_assert_int_eq(check.decided_by, DECIDED_BY_FALLBACK);
	ck_assert_uint_eq(counted(&gate.counters->fallback), 9);
}
END_TEST

START_TEST(limit_that_comes_along_decides)
{
	open_check(OP_CONSUME, "login:1", 1);
	check_use_inline_limit(&check, 7, 1000000);
	ck_assert(check_start(&check));
	ck_assert(check.limit->is_inline);
	ck_assert_int_eq(check.limit->capacity, 7);
	ck_assert_int_eq(check.limit->recharge_us, 1000);
}
END_TEST

START_TEST(limits_stay_until_the_check_ends)
{
	const struct limit *limit;

	store.later = true;
	open_check(OP_CONSUME, "login:1", 1);
	ck_assert(!check_start(&check));
	limit = store.asked->limit;
	gateway_set_rules(&gateway,
	    rules_of("[new]\nmatch = *\ncapacity = 1\nrecharge = 1s\n"), NULL);
	ck_assert(gate_update_rules(&gate));
	fake_answer(&store);
	ck_assert_ptr_eq(check.limit, limit);
	ck_assert_str_eq(check.limit->name, "login");
	store.later = false;
	decide(OP_CONSUME, "login:1", 1);
	ck_assert_str_eq(check.limit->name, "new");
}
END_TEST

START_TEST(ended_check_may_end_again_and_open_again)
{
	check_end(&check);
	decide(OP_CONSUME, "login:1", 1);
	check_end(&check);
	check_end(&check);
	ck_assert_int_eq(check.state, CHECK_ENDED);
	ck_assert_uint_eq(gate.snapshot->users, 0);
	decide(OP_CONSUME, "login:1", 1);
	ck_assert_uint_eq(gate.snapshot->users, 1);
}
END_TEST

Suite *
check_suite(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, store_decides_at_once);
	tcase_add_test(tcase, bucket_is_fetched_once_its_limit_is_found);
	tcase_add_test(tcase, limit_with_an_action_asks_no_store);
	tcase_add_test(tcase, no_bucket_is_fetched_without_a_limit);
	tcase_add_test(tcase, store_decides_later);
	tcase_add_test(tcase, reset_is_done_or_not);
	tcase_add_test(tcase, without_a_limit_unmatched_decides);
	tcase_add_test(tcase, retry_is_longer_by_chance_and_never_shorter);
	tcase_add_test(tcase, limit_in_shadow_denies_only_in_the_counts);
	tcase_add_test(tcase, where_the_store_cannot_decide_on_error_does);
	tcase_add_test(tcase, limit_that_comes_along_decides);
	tcase_add_test(tcase, limits_stay_until_the_check_ends);
	tcase_add_test(tcase, ended_check_may_end_again_and_open_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
