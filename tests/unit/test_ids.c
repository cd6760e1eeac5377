#include "limit/algorithm.h"
#include "limit/id.h"
#include "store/mates.h"
#include "store/memory.h"
#include "store/redis/memo.h"
#include "suites.h"

#include "base/attr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START  INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

static struct limit ten, one; /* capacities */
static struct memory *memory;
static struct store *store;

static void
start(void)
{
	ten = (struct limit){
	    .id = {1, 10},
	    .algorithm = &algorithm_leaky_bucket,
	    .capacity = 10,
	    .recharge_us = 3600 * SECOND,
	    .id_memory_us = ID_MEMORY_US,
	};
	one = ten;
	one.id.hi = 20;
	one.capacity = 1;
	memory = memory_new(&(struct memory_options){1000000, ON_FULL_DENY});
	ck_assert_ptr_nonnull(memory);
	store = memory_store_new(memory);
	ck_assert_ptr_nonnull(store);
}

static void
stop(void)
{
	store_free(store);
	memory_free(memory);
}

/* A request of one key, or of two that are decided together. */
struct asked {
	struct query queries[2];
	struct once once;
};

static void
ask_op(struct asked *asked, enum op op, const char *key, int64_t amount,
    const char *id, int64_t now_us)
{
	*asked = (struct asked){
	    .queries[0] =
		{
		    .limit = &ten,
		    .key = key_make(key, strlen(key)),
		    .op = op,
		    .amount = amount,
		    .now_us = now_us,
		    .once = &asked->once,
		},
	    .once = {.id = id, .len = strlen(id)},
	};
	ck_assert(store_query(store, &asked->queries[0]));
}

static struct asked asked;

static const struct decision *
ask(const char *key, int64_t amount, const char *id, int64_t now_us)
{
	ask_op(&asked, OP_CONSUME, key, amount, id, now_us);
	return &asked.queries[0].decision;
}

static int64_t
level(const char *key, int64_t now_us)
{
	struct key made = key_make(key, strlen(key));
	struct decision decision;

	memory_decide(memory, &ten, &made, OP_PEEK, 0, now_us, &decision);
	return decision.level;
}

/* Field by field: what is between them is not copied. */
static void
check_same(const struct decision *a, const struct decision *b)
{
	ck_assert(a->allowed == b->allowed);
	ck_assert_int_eq(a->taken, b->taken);
	ck_assert_int_eq(a->level, b->level);
	ck_assert_int_eq(a->next_us, b->next_us);
	ck_assert_int_eq(a->retry_us, b->retry_us);
	ck_assert_int_eq(a->blocked_us, b->blocked_us);
	ck_assert_int_eq(a->empty_us, b->empty_us);
}

START_TEST(ids_are_printable_and_short)
{
	char longest[ID_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	ck_assert(id_is_valid(longest, ID_MAX));
	ck_assert(!id_is_valid(longest, ID_MAX + 1));
	ck_assert(!id_is_valid("", 0));
	ck_assert(id_is_valid("K\xc3\xb6ln", 5));
	for (int c = -128; c < 128; c++) {
		char id[] = {'a', (char)c, 'b'};

		ck_assert_int_eq(id_is_valid(id, 3), c >= '!' && c <= '~');
	}
}
END_TEST

START_TEST(id_is_charged_once_and_decided_as_before)
{
	struct decision before = *ask("k", 3, "a", START);

	ck_assert_int_eq(asked.once.result, ONCE_NEW);
	ask("k", 2, "b", START);
	check_same(ask("k", 3, "a", START + 59 * SECOND), &before);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	ck_assert_int_eq(asked.queries[0].result, RESULT_DECISION);
	ck_assert_int_eq(asked.queries[0].decided_by, DECIDED_BY_MEMORY);
	ck_assert(asked.queries[0].charged);
	ck_assert_int_eq(level("k", START), 5);
}
END_TEST

/* To the microsecond. */
START_TEST(id_is_remembered_for_id_memory)
{
	ask("k", 3, "a", START);
	ask("k", 3, "a", START + ID_MEMORY_US - 1);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	ask("k", 3, "a", START + ID_MEMORY_US);
	ck_assert_int_eq(asked.once.result, ONCE_NEW);
	ck_assert_int_eq(level("k", START), 6);
}
END_TEST

START_TEST(sweep_forgets_ids_whose_time_is_up)
{
	ask("k", 3, "a", START);
	memory_sweep(memory, 1, START + ID_MEMORY_US - 1);
	ask("k", 3, "a", START);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	memory_sweep(memory, 1, START + ID_MEMORY_US);
	ask("k", 3, "a", START);
	ck_assert_int_eq(asked.once.result, ONCE_NEW);
}
END_TEST

START_TEST(keys_and_ids_are_told_apart)
{
	static const char *const pairs[][2] = {
	    {"k", "a"}, {"k", "b"}, {"l", "a"}, {"k ", "a"}, {"k a", "a"}};

	for (size_t i = 0; i < COUNT(pairs); i++) {
		ask(pairs[i][0], 1, pairs[i][1], START);
		ck_assert_int_eq(asked.once.result, ONCE_NEW);
	}
}
END_TEST

START_TEST(other_question_has_no_result)
{
	ask("k", 3, "a", START);
	ask("k", 4, "a", START);
	ck_assert_int_eq(asked.once.result, ONCE_OTHER);
	ask_op(&asked, OP_CHARGE, "k", 3, "a", START);
	ck_assert_int_eq(asked.once.result, ONCE_OTHER);
	ck_assert_int_eq(level("k", START), 3);
}
END_TEST

START_TEST(denial_is_repeated_until_the_drops_fit)
{
	struct decision before;
	struct key key = key_make("k", 1);
	struct decision decision;

	ask("k", 10, "a", START);
	before = *ask("k", 2, "b", START);
	ck_assert(!before.allowed);
	check_same(ask("k", 2, "b", START + SECOND), &before);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	memory_decide(memory, &ten, &key, OP_RESET, 0, START, &decision);
	ck_assert(ask("k", 2, "b", START + 2 * SECOND)->allowed);
	ck_assert_int_eq(asked.once.result, ONCE_NEW);
	/* Its time starts again. */
	ck_assert(ask("k", 2, "b", START + SECOND + ID_MEMORY_US)->allowed);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	ck_assert_int_eq(level("k", START + 2 * SECOND), 2);
}
END_TEST

START_TEST(repeated_denial_starts_no_block)
{
	ask("k", 10, "a", START);
	ask("k", 1, "b", START);
	ten.block_us = 3600 * SECOND;
	ask("k", 1, "b", START);
	ck_assert_int_eq(ask("k", 0, "c", START)->blocked_us, 0);
}
END_TEST

static void
ask_two(int64_t first, int64_t second, const char *id)
{
	asked.queries[0] = (struct query){
	    .limit = &ten,
	    .key = key_make("k", 1),
	    .amount = first,
	    .now_us = START,
	    .mate = &asked.queries[1],
	    .once = &asked.once,
	};
	asked.queries[1] = (struct query){
	    .limit = &one,
	    .key = key_make("l", 1),
	    .amount = second,
	    .now_us = START,
	};
	asked.once = (struct once){.id = id, .len = strlen(id)};
	ck_assert(store_query(store, &asked.queries[0]));
}

START_TEST(mates_are_repeated_together)
{
	struct decision before;

	ask_two(3, 1, "a");
	ask_two(4, 1, "b");
	ck_assert(!asked.queries[1].decision.allowed);
	ask_two(3, 1, "a");
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	before = asked.queries[1].decision;
	ck_assert(before.allowed && before.level == 1);
	ask_two(4, 1, "b");
	ck_assert(!asked.queries[1].decision.allowed);
	ask_two(3, 2, "a");
	ck_assert_int_eq(asked.once.result, ONCE_OTHER);
	ask("k", 3, "a", START);
	ck_assert_int_eq(asked.once.result, ONCE_OTHER);
	ck_assert_int_eq(level("k", START), 3);
}
END_TEST

START_TEST(ids_in_memory_are_bounded)
{
	const int64_t many = 300000;
	char id[32];

	for (int64_t i = 0; i < many; i++) {
		snprintf(id, sizeof(id), "%d", (int)i);
		ask("k", 0, id, START);
		ck_assert_int_eq(asked.once.result, ONCE_NEW);
	}
	ask("k", 0, id, START);
	ck_assert_int_eq(asked.once.result, ONCE_REPEATED);
	ask("k", 0, "0", START);
	ck_assert_int_eq(asked.once.result, ONCE_NEW);
}
END_TEST

/*
 * In Redis.
 */

static const struct {
	const char *text;
	enum memo_result result;
} memos[] = {
    {"3!\n1700000000000000 1\n1 ", MEMO_READ},
    {"3!\n1700000000000000 0\n0 1700000000000001/43kjw", MEMO_READ},
    {"3!\n1700000000000000 1\n1 x", MEMO_READ}, /* another algorithm's */
    {"3!\n1700000000000000 1\n7 \n1 ", MEMO_READ},
    {"3\n1700000000000000 1\n1 ", MEMO_OTHER},
    {"3~\n1700000000000000 1\n1 ", MEMO_OTHER},
    {"3! 1\n1700000000000000 1\n1 \n1 ", MEMO_OTHER},
    {"\n1700000000000000 1\n", MEMO_OTHER},
    {"x\n1 1", MEMO_OTHER},
    {"", MEMO_STRANGE},
    {"3!", MEMO_STRANGE},
    {"3!\n", MEMO_STRANGE},
    {"3!\n1700000000000000\n1 ", MEMO_STRANGE},
    {"3!\n1700000000000000 1 1\n1 ", MEMO_STRANGE},
    {"3!\n9007199254740992 1\n1 ", MEMO_STRANGE},
    {"3!\n1700000000000000 x\n1 ", MEMO_STRANGE},
    {"3!\n1700000000000000 1", MEMO_STRANGE},
    {"3!\n1700000000000000 1\n", MEMO_STRANGE},
    {"3!\n1700000000000000 1\n1", MEMO_STRANGE},
    {"3!\n1700000000000000 1\n1x", MEMO_STRANGE},
    {"3!\n1700000000000000 1\n ", MEMO_STRANGE},
};

static struct query
charge_of_three(void)
{
	return (struct query){.limit = &ten,
	    .key = key_make("k", 1),
	    .op = OP_CHARGE,
	    .amount = 3,
	    .once = &asked.once};
}

START_TEST(memo_is_read_strictly)
{
	const char *text = memos[_i].text;
	size_t len = strlen(text);
	struct query query = charge_of_three();
	char *exact = malloc(len + 1); /* for what reads behind it */
	struct memo memo;

	memcpy(exact, text, len);
	ck_assert_int_eq(
	    memo_read(&memo, &query, exact, len), memos[_i].result);
	free(exact);
}
END_TEST

START_TEST(memo_has_what_was)
{
	static const char text[] =
	    "3! 10\n1700000000000000 0\n1 1700000000000007/43kjw\n0 ";
	struct query queries[2] = {charge_of_three(), charge_of_three()};
	struct memo memo;

	queries[0].mate = &queries[1];
	queries[1].op = OP_CONSUME;
	queries[1].amount = 10;
	ck_assert_int_eq(
	    memo_read(&memo, queries, text, strlen(text)), MEMO_READ);
	ck_assert(!memo.passed);
	ck_assert_int_eq(memo.got[0], 1);
	ck_assert_int_eq(memo.got[1], 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(memo.buckets[i].now_us, START);
	ck_assert_int_eq(memo.buckets[0].bucket.leaky.empty_at_us, START + 7);
	ck_assert_int_eq(memo.buckets[1].bucket.leaky.empty_at_us, 0);
}
END_TEST

START_TEST(verdict_stays_whatever_the_limit_has_become)
{
	struct query query = {.limit = &ten, .op = OP_CONSUME, .amount = 3};

	query.decision = (struct decision){.allowed = false, .retry_us = 7};
	mates_settle(&query, &(int64_t){1}, true);
	ck_assert(query.decision.allowed && query.decision.retry_us == 0);
	mates_settle(&query, &(int64_t){0}, false);
	ck_assert(!query.decision.allowed);
	query.decision.retry_us = 9;
	mates_settle(&query, &(int64_t){0}, false);
	ck_assert_int_eq(query.decision.retry_us, 9);
	/* It was in shadow. */
	mates_settle(&query, &(int64_t){0}, true);
	ck_assert(query.decision.allowed);
	ten.shadow = true;
	mates_settle(&query, &(int64_t){0}, true);
	ck_assert(!query.decision.allowed);
}
END_TEST

START_TEST(take_took_what_it_took)
{
	struct query query = {.limit = &ten, .op = OP_TAKE, .amount = 3};

	mates_settle(&query, &(int64_t){2}, true);
	ck_assert(query.decision.allowed && query.decision.taken == 2);
	query.amount = 0;
	mates_settle(&query, &(int64_t){1}, true);
	ck_assert(query.decision.allowed && query.decision.taken == 0);
}
END_TEST

Suite *
ids_suite(void)
{
	Suite *suite = suite_create("ids");
	TCase *tcase = tcase_create("ids");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, ids_are_printable_and_short);
	tcase_add_test(tcase, id_is_charged_once_and_decided_as_before);
	tcase_add_test(tcase, id_is_remembered_for_id_memory);
	tcase_add_test(tcase, sweep_forgets_ids_whose_time_is_up);
	tcase_add_test(tcase, keys_and_ids_are_told_apart);
	tcase_add_test(tcase, other_question_has_no_result);
	tcase_add_test(tcase, denial_is_repeated_until_the_drops_fit);
	tcase_add_test(tcase, repeated_denial_starts_no_block);
	tcase_add_test(tcase, mates_are_repeated_together);
	tcase_add_test(tcase, ids_in_memory_are_bounded);
	tcase_add_loop_test(tcase, memo_is_read_strictly, 0, COUNT(memos));
	tcase_add_test(tcase, memo_has_what_was);
	tcase_add_test(tcase, verdict_stays_whatever_the_limit_has_become);
	tcase_add_test(tcase, take_took_what_it_took);
	suite_add_tcase(suite, tcase);
	return suite;
}
