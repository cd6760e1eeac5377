#include "store/memory.h"
#include "limit/decide.h"
#include "suites.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START  INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

#define THREADS 4

static struct limit
leaky(int64_t capacity, int64_t recharge_us, int64_t block_us)
{
	return (struct limit){
	    .id = {1, 10},
	    .algorithm = ALGORITHM_LEAKY_BUCKET,
	    .capacity = capacity,
	    .recharge_us = recharge_us,
	    .block_us = block_us,
	};
}

/* The ${n}th key.  ${where} of 2^64 is where in its stripe the search starts;
 * small tables have but one. */
static struct key
key_at(uint64_t n, uint64_t where)
{
	return (struct key){.hash = {where, n + 1}};
}

/* The ${n}th key, wherever it happens to be. */
static struct key
any_key(uint64_t n)
{
	char text[32];
	struct key key;

	key = key_make(text, (size_t)snprintf(text, sizeof(text), "k:%lu", n));
	key.bytes = NULL;
	return key;
}

static struct memory *
table(int64_t max_buckets, bool allow_when_full)
{
	struct memory *memory =
	    memory_new(&(struct memory_options){max_buckets,
		allow_when_full ? ON_FULL_ALLOW : ON_FULL_DENY});

	ck_assert_ptr_nonnull(memory);
	return memory;
}

static struct decision
consume(struct memory *memory, const struct limit *limit, struct key key,
    int64_t amount, int64_t now_us)
{
	struct decision decision;

	memory_decide(
	    memory, limit, &key, OP_CONSUME, amount, now_us, &decision);
	return decision;
}

/* Whether one drop more is let into a bucket. */
static bool
is_let(struct memory *memory, const struct limit *limit, struct key key,
    int64_t now_us)
{
	return consume(memory, limit, key, 1, now_us).allowed;
}

static struct decision
peek(struct memory *memory, const struct limit *limit, struct key key,
    int64_t now_us)
{
	struct decision decision;

	memory_decide(memory, limit, &key, OP_PEEK, 1, now_us, &decision);
	return decision;
}

/* Put a drop into each of ${count} buckets; return how many were let. */
static int64_t
fill(struct memory *memory, const struct limit *limit, int64_t count,
    int64_t now_us)
{
	int64_t allowed = 0;

	for (int64_t i = 0; i < count; i++)
		if (is_let(memory, limit, any_key((uint64_t)i), now_us))
			allowed++;
	return allowed;
}

static void
assert_same(const struct decision *a, const struct decision *b)
{
	ck_assert_int_eq(a->allowed, b->allowed);
	ck_assert_int_eq(a->level, b->level);
	ck_assert_int_eq(a->next_us, b->next_us);
	ck_assert_int_eq(a->retry_us, b->retry_us);
	ck_assert_int_eq(a->blocked_us, b->blocked_us);
}

/* The same limits and keys in a plain array. */
#define NAIVE_LIMITS 3
#define NAIVE_KEYS   32

static struct bucket naive[NAIVE_LIMITS][NAIVE_KEYS];

static uint64_t
naive_live(int64_t now_us)
{
	uint64_t live = 0;

	for (size_t l = 0; l < NAIVE_LIMITS; l++)
		for (size_t k = 0; k < NAIVE_KEYS; k++)
			live += !bucket_is_drained(&naive[l][k], now_us);
	return live;
}

static enum op
random_op(void)
{
	switch (rand() % 16) {
	case 0:
		return OP_RESET;
	case 1:
	case 2:
		return OP_PEEK;
	}
	return OP_CONSUME;
}

/* Searches start at one of three places, one the last slot: long clusters,
 * some around the end. */
START_TEST(decides_as_a_plain_array_does)
{
	static const uint64_t wheres[] = {0, UINT64_MAX / 2, UINT64_MAX};
	struct limit limits[NAIVE_LIMITS] = {
	    leaky(5, SECOND, 0), leaky(3, 2 * SECOND, 7 * SECOND)};
	struct memory *memory = table(NAIVE_LIMITS * NAIVE_KEYS, false);
	int64_t now_us = START;

	limits[1].id = (struct hash128){2, 20};
	limits[2] = (struct limit){
	    .id = {3, 30},
	    .algorithm = ALGORITHM_FIXED_WINDOW,
	    .capacity = 4,
	    .window_us = 10 * SECOND,
	};
	memset(naive, 0, sizeof(naive));
	srand(1);
	for (int i = 0; i < 100000; i++) {
		int l = rand() % NAIVE_LIMITS, k = rand() % NAIVE_KEYS;
		struct key key = key_at((uint64_t)k, wheres[k % 3]);
		enum op op = random_op();
		int64_t amount = rand() % 9 - 2;
		struct decision got, want;

		decide(&limits[l], op, amount, now_us, &naive[l][k], &want);
		memory_decide(
		    memory, &limits[l], &key, op, amount, now_us, &got);
		assert_same(&got, &want);
		ck_assert_uint_ge(memory_buckets(memory), naive_live(now_us));
		if (rand() % 100 == 0) {
			memory_sweep(memory, memory_slots(memory), now_us);
			ck_assert_uint_eq(
			    memory_buckets(memory), naive_live(now_us));
		}
		now_us += rand() % 50 == 0 ? rand() % (20 * SECOND)
					   : rand() % (SECOND / 5);
	}
	ck_assert_uint_eq(memory_full(memory), 0);
	memory_free(memory);
}
END_TEST

START_TEST(same_key_under_two_limits_is_two_buckets)
{
	struct limit one = leaky(1, SECOND, 0), other = leaky(1, SECOND, 0);
	struct memory *memory = table(10, false);

	other.id = (struct hash128){2, 20};
	ck_assert(is_let(memory, &one, any_key(1), START));
	ck_assert(is_let(memory, &other, any_key(1), START));
	ck_assert(!is_let(memory, &one, any_key(1), START));
	ck_assert_uint_eq(memory_buckets(memory), 2);
	memory_free(memory);
}
END_TEST

/* A free slot is told by its id being zero; no bucket may seem free. */
START_TEST(bucket_whose_id_comes_out_zero_is_held)
{
	struct limit limit = leaky(2, SECOND, 0);
	struct key key = {.hash = limit.id};
	struct memory *memory = table(10, false);

	ck_assert(is_let(memory, &limit, key, START));
	ck_assert(is_let(memory, &limit, key, START));
	ck_assert(!is_let(memory, &limit, key, START));
	ck_assert_uint_eq(memory_buckets(memory), 1);
	memory_sweep(memory, memory_slots(memory), START + 2 * SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	memory_free(memory);
}
END_TEST

static const int64_t sizes[] = {1, 2, 3, 4, 5, 100, 6553, 6554, 200000};

START_TEST(holds_max_buckets_and_not_one_more)
{
	const int64_t max = sizes[_i];
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(max, false);

	ck_assert_int_eq(fill(memory, &limit, max, START), max);
	ck_assert_uint_eq(memory_full(memory), 0);
	ck_assert_uint_eq(memory_buckets(memory), (uint64_t)max);
	ck_assert_int_eq(fill(memory, &limit, max + 100, START), max);
	ck_assert_uint_eq(memory_full(memory), 100);
	ck_assert_uint_eq(memory_buckets(memory), (uint64_t)max);
	memory_free(memory);
}
END_TEST

START_TEST(bucket_costs_at_most_48_bytes)
{
	struct memory *memory = table(100000, false);

	ck_assert_uint_le(memory_slots(memory) * 32 / 100000, 48);
	memory_free(memory);
}
END_TEST

START_TEST(live_bucket_is_never_evicted)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(64, false);

	fill(memory, &limit, 64, START);
	fill(memory, &limit, 64, START);
	fill(memory, &limit, 10000, START + SECOND);
	for (uint64_t k = 0; k < 64; k++) {
		struct decision decision =
		    peek(memory, &limit, any_key(k), START + SECOND);

		ck_assert_int_eq(decision.level, 2);
	}
	memory_free(memory);
}
END_TEST

START_TEST(drained_buckets_make_room_for_new_ones)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(64, false);

	fill(memory, &limit, 64, START);
	for (uint64_t k = 1000; k < 1064; k++)
		ck_assert(is_let(memory, &limit, any_key(k), START + SECOND));
	ck_assert_uint_eq(memory_full(memory), 0);
	memory_free(memory);
}
END_TEST

START_TEST(emptied_bucket_is_removed_at_once)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(64, false);
	struct key key = any_key(1);
	struct decision decision;

	consume(memory, &limit, key, 2, START);
	consume(memory, &limit, key, -2, START);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	consume(memory, &limit, key, 2, START);
	memory_decide(memory, &limit, &key, OP_RESET, 0, START, &decision);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	memory_free(memory);
}
END_TEST

START_TEST(sweep_removes_what_is_drained_and_nothing_else)
{
	struct limit brief = leaky(5, SECOND, 0);
	struct limit lasting = leaky(5, 10 * SECOND, 0);
	struct memory *memory = table(20000, false);

	lasting.id = (struct hash128){2, 20};
	fill(memory, &brief, 8000, START);
	fill(memory, &lasting, 8000, START);
	memory_sweep(memory, memory_slots(memory), START + SECOND - 1);
	ck_assert_uint_eq(memory_buckets(memory), 16000);
	for (size_t i = 0; i < memory_slots(memory); i += 100)
		memory_sweep(memory, 100, START + SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 8000);
	memory_sweep(memory, memory_slots(memory), START + 10 * SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	memory_free(memory);
}
END_TEST

START_TEST(full_table_denies_and_counts)
{
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct memory *memory = table(10, false);
	struct decision got,
	    want = {.allowed = false, .level = 0, .retry_us = SECOND};

	fill(memory, &limit, 10, START);
	got = consume(memory, &limit, any_key(99), 1, START);
	assert_same(&got, &want);
	ck_assert_uint_eq(memory_full(memory), 1);
	memory_free(memory);
}
END_TEST

START_TEST(full_table_allows_and_counts)
{
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct memory *memory = table(10, true);
	struct decision got, want = {.allowed = true};

	fill(memory, &limit, 10, START);
	got = consume(memory, &limit, any_key(99), 1, START);
	assert_same(&got, &want);
	ck_assert_uint_eq(memory_full(memory), 1);
	memory_free(memory);
}
END_TEST

START_TEST(full_table_is_exact_where_no_bucket_is_needed)
{
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct memory *memory = table(10, false);
	struct key held = any_key(3), absent = any_key(99);

	fill(memory, &limit, 10, START);
	ck_assert(peek(memory, &limit, absent, START).allowed);
	ck_assert(consume(memory, &limit, absent, 0, START).allowed);
	ck_assert(consume(memory, &limit, absent, -3, START).allowed);
	ck_assert_int_eq(
	    consume(memory, &limit, absent, 6, START).retry_us, RETRY_NEVER);
	ck_assert_int_eq(consume(memory, &limit, held, 4, START).level, 5);
	ck_assert(!consume(memory, &limit, held, 1, START).allowed);
	ck_assert_uint_eq(memory_full(memory), 0);
	memory_free(memory);
}
END_TEST

/* Insert ${key} into a full table, with a drained bucket somewhere; return how
 * many calls that took. */
static size_t
calls_to_insert(struct memory *memory, const struct limit *limit,
    struct key key, int64_t now_us)
{
	size_t calls = 1;

	while (!is_let(memory, limit, key, now_us))
		ck_assert_uint_le(calls++, memory_slots(memory));
	return calls;
}

/* How many slots a call looked at shows in how many calls it takes to come all
 * the way round to one drained bucket just behind the hand. */
START_TEST(insert_looks_at_some_thousand_slots_and_no_more)
{
	const uint64_t max = 6000;
	struct limit lasting = leaky(5, 1000 * SECOND, 0);
	struct limit brief = leaky(5, SECOND, 0);
	struct memory *memory = table((int64_t)max, false);
	struct key first = key_at(max, 0), second = key_at(max + 1, 0);
	size_t calls, slots = memory_slots(memory);

	for (uint64_t i = 1; i < max; i++)
		consume(memory, &lasting, key_at(i, UINT64_MAX / max * i), 1,
		    START);
	consume(memory, &brief, first, 1, START);
	calls_to_insert(memory, &brief, second, START + SECOND);
	calls = calls_to_insert(memory, &brief, first, START + 2 * SECOND);
	ck_assert_uint_ge(calls, slots / 1100);
	ck_assert_uint_le(calls, slots / 1024 + 1);
	memory_free(memory);
}
END_TEST

START_TEST(insert_removes_no_more_than_it_looks_at)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(100000, false);

	fill(memory, &limit, 100000, START);
	consume(memory, &limit, any_key(200000), 1, START + SECOND);
	ck_assert_uint_ge(memory_buckets(memory), 100000 - 1024);
	ck_assert_uint_lt(memory_buckets(memory), 100000);
	memory_free(memory);
}
END_TEST

struct hammer {
	pthread_t thread;
	struct memory *memory;
	const struct limit *limit;
	uint64_t keys;
	int64_t allowed;
};

static void *
hammer_run(void *arg)
{
	struct hammer *hammer = arg;

	for (uint64_t i = 0; i < 20000; i++)
		if (is_let(hammer->memory, hammer->limit,
			any_key(i % hammer->keys), START))
			hammer->allowed++;
	return NULL;
}

/* Several threads at once, each over all of ${keys}; return what was let. */
static int64_t
hammer(struct memory *memory, const struct limit *limit, uint64_t keys)
{
	struct hammer hammers[THREADS];
	int64_t allowed = 0;

	for (size_t i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){
		    .memory = memory, .limit = limit, .keys = keys};
		ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL,
				     hammer_run, &hammers[i]),
		    0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(hammers[i].thread, NULL);
		allowed += hammers[i].allowed;
	}
	return allowed;
}

START_TEST(threads_on_one_key_are_let_exactly_the_capacity)
{
	struct limit limit = leaky(30000, SECOND, 0);
	struct memory *memory = table(10, false);

	ck_assert_int_eq(hammer(memory, &limit, 1), 30000);
	memory_free(memory);
}
END_TEST

START_TEST(threads_fill_the_table_exactly)
{
	struct limit limit = leaky(3, SECOND, 0);
	struct memory *memory = table(7000, false);

	ck_assert_int_eq(hammer(memory, &limit, 10000), 3 * 7000);
	ck_assert_uint_eq(memory_buckets(memory), 7000);
	ck_assert_uint_eq(memory_full(memory), 4 * 20000 - 8 * 7000);
	memory_free(memory);
}
END_TEST

START_TEST(store_answers_at_once)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(10, false);
	struct store *store = memory_store_new(memory);
	struct ask ask = {
	    .limit = &limit,
	    .key = any_key(1),
	    .op = OP_CONSUME,
	    .amount = 2,
	    .now_us = START,
	};

	ck_assert(store_ask(store, &ask));
	ck_assert_int_eq(ask.answer, ANSWER_DECISION);
	ck_assert_int_eq(ask.from, FROM_MEMORY);
	ck_assert_int_eq(ask.decision.level, 2);
	ask.op = OP_RESET;
	ck_assert(store_ask(store, &ask));
	ck_assert_int_eq(ask.answer, ANSWER_DONE);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	store_flush(store);
	store_free(store);
	memory_free(memory);
}
END_TEST

Suite *
memory_suite(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, decides_as_a_plain_array_does);
	tcase_add_test(tcase, same_key_under_two_limits_is_two_buckets);
	tcase_add_test(tcase, bucket_whose_id_comes_out_zero_is_held);
	tcase_add_loop_test(tcase, holds_max_buckets_and_not_one_more, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tcase, bucket_costs_at_most_48_bytes);
	tcase_add_test(tcase, live_bucket_is_never_evicted);
	tcase_add_test(tcase, drained_buckets_make_room_for_new_ones);
	tcase_add_test(tcase, emptied_bucket_is_removed_at_once);
	tcase_add_test(tcase, sweep_removes_what_is_drained_and_nothing_else);
	tcase_add_test(tcase, full_table_denies_and_counts);
	tcase_add_test(tcase, full_table_allows_and_counts);
	tcase_add_test(tcase, full_table_is_exact_where_no_bucket_is_needed);
	tcase_add_test(tcase, insert_looks_at_some_thousand_slots_and_no_more);
	tcase_add_test(tcase, insert_removes_no_more_than_it_looks_at);
	tcase_add_test(tcase, threads_on_one_key_are_let_exactly_the_capacity);
	tcase_add_test(tcase, threads_fill_the_table_exactly);
	tcase_add_test(tcase, store_answers_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
