#include "store/memory.h"
#include "limit/algorithm.h"
#include "limit/rules_text.h"
#include "suites.h"

#include <check.h>
#include <inttypes.h>
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
	    .algorithm = &algorithm_leaky_bucket,
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
	return (struct key){.hash = {where, (n + 1) << 3}};
}

/* The ${n}th key, wherever it happens to be. */
static struct key
any_key(uint64_t n)
{
	char text[32];
	struct key key;

	key = key_make(
	    text, (size_t)snprintf(text, sizeof(text), "k:%" PRIu64, n));
	key.bytes = NULL;
	return key;
}

static struct memory *
table(int64_t max_buckets, bool allow_when_full)
{
	struct memory *memory = memory_new(&(struct memory_options){
	    max_buckets, allow_when_full ? ON_FULL_ALLOW : ON_FULL_DENY});

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

/* Whether one drop more fits into a bucket. */
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
naive_live(const struct limit *limits, int64_t now_us)
{
	uint64_t live = 0;

	for (size_t l = 0; l < NAIVE_LIMITS; l++)
		for (size_t k = 0; k < NAIVE_KEYS; k++)
			live += !limits[l].algorithm->is_drained(
			    &naive[l][k], now_us);
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
	/* And so much more that no limit is held short. */
	struct memory *memory =
	    table(NAIVE_LIMITS * NAIVE_KEYS * 10 / 9 + 4, false);
	int64_t now_us = START;

	limits[1].id = (struct hash128){2, 20};
	limits[2] = (struct limit){
	    .id = {3, 30},
	    .algorithm = &algorithm_fixed_window,
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
		ck_assert_uint_ge(
		    memory_buckets(memory), naive_live(limits, now_us));
		if (rand() % 100 == 0) {
			memory_sweep(memory, memory_slots(memory), now_us);
			ck_assert_uint_eq(
			    memory_buckets(memory), naive_live(limits, now_us));
		}
		now_us += rand() % 50 == 0 ? rand() % (20 * SECOND)
					   : rand() % (SECOND / 5);
	}
	ck_assert_uint_eq(memory_full(memory), 0);
	memory_free(memory);
}
END_TEST

/* All bits of all numbers are kept. */
START_TEST(largest_numbers_are_kept)
{
	const int64_t span = LIMIT_SPAN_MAX - 1;
	struct limit slow = leaky(1, span, span);
	struct memory *memory = table(10, false);
	struct decision decision;

	consume(memory, &slow, any_key(1), 1, START);
	consume(memory, &slow, any_key(1), 1, START);
	slow.recharge_us--;
	decision = peek(memory, &slow, any_key(1), START + 1);
	ck_assert_int_eq(decision.blocked_us, span - 1);
	ck_assert_int_eq(decision.empty_us, span - 1);
	memory_free(memory);
}
END_TEST

static struct limit
window(int64_t capacity, int64_t window_us)
{
	return (struct limit){
	    .id = {3, 30},
	    .algorithm = &algorithm_fixed_window,
	    .capacity = capacity,
	    .window_us = window_us,
	};
}

/* Started by a wrong clock, which is then set. */
START_TEST(windows_follow_the_wall_clock)
{
	const int64_t day = 86400 * SECOND;
	const int64_t start = INT64_C(19000) * day + day / 2;
	struct limit limit = window(3, day), brief = leaky(3, SECOND, 0);
	struct memory *memory = table(10000, false);

	ck_assert_int_eq(fill(memory, &limit, 1000, start), 1000);
	consume(memory, &limit, any_key(1), 2, start);
	is_let(memory, &brief, any_key(2000), start);
	memory_follow_clock(memory, start + 1, 9000);
	ck_assert_int_eq(
	    peek(memory, &limit, any_key(1), start + 1).next_us, day / 2 - 1);

	/* It is a quarter of a day later. */
	memory_follow_clock(memory, start + 1, day / 4);
	ck_assert_int_eq(
	    peek(memory, &limit, any_key(1), start + 1).next_us, day / 4 - 1);
	ck_assert(!is_let(memory, &limit, any_key(1), start + day / 4 - 1));
	ck_assert(is_let(memory, &limit, any_key(1), start + day / 4));
	memory_sweep(memory, memory_slots(memory), start + day / 4);
	ck_assert_uint_eq(memory_buckets(memory), 1);
	memory_free(memory);
}
END_TEST

/* Else the second day's drops would be let in on the first as well. */
START_TEST(clock_that_is_set_lets_nothing_in)
{
	const int64_t day = 86400 * SECOND;
	const int64_t start = INT64_C(19000) * day - SECOND;
	struct limit limit = window(3, day);
	struct memory *memory = table(10000, false);

	consume(memory, &limit, any_key(1), 3, start);
	memory_follow_clock(memory, start, -day / 2);
	ck_assert(!is_let(memory, &limit, any_key(1), start + 2 * SECOND));
	ck_assert(
	    !is_let(memory, &limit, any_key(1), start + day / 2 + SECOND - 1));
	ck_assert(is_let(memory, &limit, any_key(1), start + day / 2 + SECOND));
	memory_free(memory);
}
END_TEST

/* What was counted goes on to count in the window that it is then. */
START_TEST(count_follows_a_clock_that_is_set_by_days)
{
	const int64_t day = 86400 * SECOND;
	const int64_t start = INT64_C(19000) * day - SECOND;
	struct limit limit = window(3, day);

	for (int64_t shift = -10 * day; shift <= 10 * day; shift += 20 * day) {
		struct memory *memory = table(10000, false);

		consume(memory, &limit, any_key(1), 3, start);
		memory_follow_clock(memory, start, shift);
		ck_assert(
		    !is_let(memory, &limit, any_key(1), start + SECOND - 1));
		ck_assert(is_let(memory, &limit, any_key(1), start + SECOND));
		memory_free(memory);
	}
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

/* A free slot has the id zero; no bucket may seem free. */
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

/* One of the table's two stripes, which a bit of the identity chooses: it keeps
 * a slot free, at which a search ends. */
START_TEST(part_that_is_full_refuses_and_is_searched)
{
	const uint64_t slots = 4096;
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(2 * (int64_t)slots * 4 / 5, false);
	uint64_t let = 0;

	ck_assert_uint_eq(memory_slots(memory), 2 * slots);
	for (uint64_t k = 0; let < slots && memory_full(memory) == 0; k++) {
		struct key key = any_key(k);

		if ((bucket_id(&limit, &key).hi >> 32 & 1) == 0)
			let += is_let(memory, &limit, key, START);
	}
	ck_assert_uint_eq(let, slots - 1);
	ck_assert_uint_eq(memory_full(memory), 1);
	ck_assert_uint_eq(memory_buckets(memory), slots - 1);
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

START_TEST(sweep_leaves_what_remembers_blocks)
{
	struct limit limit = leaky(1, SECOND, SECOND);
	struct decision decision;
	struct memory *memory =
	    memory_new(&(struct memory_options){.max_buckets = 100});
	const struct key key = key_make("k", 1);

	limit.block_growth = 2;
	limit.block_max_us = 60 * SECOND;
	limit.block_memory_us = 20 * SECOND;
	for (int i = 0; i < 2; i++)
		memory_decide(
		    memory, &limit, &key, OP_CONSUME, 1, START, &decision);
	ck_assert_int_eq(decision.blocked_us, SECOND);
	memory_sweep(memory, memory_slots(memory), START + 21 * SECOND - 1);
	ck_assert_uint_eq(memory_buckets(memory), 1);
	for (int i = 0; i < 2; i++)
		memory_decide(memory, &limit, &key, OP_CONSUME, 1,
		    START + 21 * SECOND - 1, &decision);
	ck_assert_int_eq(decision.blocked_us, 2 * SECOND);
	memory_sweep(memory, memory_slots(memory), START + 43 * SECOND - 1);
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

/* Once all was looked at in vain, the table rests. */
START_TEST(full_table_is_not_looked_at_all_the_time)
{
	const int64_t max = 6000;
	struct limit lasting = leaky(5, 1000 * SECOND, 0);
	struct limit brief = leaky(5, 10, 0);
	struct memory *memory = table(max, false);
	const int64_t rest_us = (int64_t)memory_slots(memory) / 5;
	size_t calls = memory_slots(memory) / 1024 + 2;

	fill(memory, &lasting, max - 1, START);
	consume(memory, &brief, any_key(10000), 1, START);
	for (uint64_t i = 0; i < calls; i++)
		ck_assert(!is_let(memory, &lasting, any_key(20000), START));
	for (uint64_t i = 0; i < 2 * calls; i++)
		ck_assert(!is_let(
		    memory, &lasting, any_key(20000), START + rest_us - 1));
	ck_assert_uint_le(
	    calls_to_insert(memory, &lasting, any_key(20000), START + rest_us),
	    calls);
	memory_free(memory);
}
END_TEST

/* A limit like it, but with other buckets. */
static struct limit
other_of(const struct limit *limit, uint64_t number)
{
	struct limit other = *limit;

	other.id = (struct hash128){number << 1, 8 * number};
	return other;
}

/* Put a drop into ${count} buckets of keys that only this limit has. */
static int64_t
flood(struct memory *memory, const struct limit *limit, int64_t count)
{
	int64_t allowed = 0;

	for (int64_t i = 0; i < count; i++)
		allowed += is_let(memory, limit, any_key((uint64_t)i), START);
	return allowed;
}

static const int64_t flooded[] = {1000, 10000, 200000};

START_TEST(flood_leaves_room_to_other_limits)
{
	const int64_t max = flooded[_i];
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct limit second = other_of(&limit, 7), third = other_of(&limit, 8);
	struct memory *memory = table(max, false);

	/* The limit is not known before. */
	flood(memory, &second, 1);
	ck_assert_int_eq(flood(memory, &limit, 2 * max), max * 9 / 10);
	ck_assert_uint_eq(memory_full(memory), 2 * max - max * 9 / 10);
	ck_assert_int_eq(flood(memory, &second, 50), 50);
	ck_assert_int_eq(flood(memory, &third, 5), 5);
	ck_assert(!is_let(memory, &limit, any_key(3 * max), START));

	/* Nor does a second flood take it all. */
	flood(memory, &second, 2 * max);
	ck_assert_int_eq(flood(memory, &third, max / 1000), max / 1000);
	memory_free(memory);
}
END_TEST

START_TEST(two_floods_share)
{
	const int64_t max = 10000;
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct limit second = other_of(&limit, 7), third = other_of(&limit, 8);
	struct memory *memory = table(max, false);
	int64_t counts[2] = {0};

	for (int64_t i = 0; i < max; i++) {
		counts[0] +=
		    is_let(memory, &limit, any_key((uint64_t)i), START);
		counts[1] +=
		    is_let(memory, &second, any_key((uint64_t)i), START);
	}
	ck_assert_int_eq(counts[0], counts[1]);
	ck_assert_int_ge(counts[0], max * 9 / 19 - 1);
	ck_assert_int_le(counts[0], max * 9 / 19 + 1);
	ck_assert_int_eq(flood(memory, &third, 50), 50);
	memory_free(memory);
}
END_TEST

START_TEST(limit_may_have_its_own_share)
{
	struct limit limit = leaky(5, SECOND, 0), other;
	struct memory *memory = table(1000, false);

	limit.max_buckets = 10;
	other = other_of(&limit, 7);
	other.max_buckets = 0;
	ck_assert_int_eq(flood(memory, &limit, 30), 10);
	ck_assert_uint_eq(memory_full(memory), 20);
	ck_assert_int_eq(flood(memory, &limit, 10), 10);
	ck_assert_int_eq(flood(memory, &other, 500), 500);

	/* One leaves, one gets in; so too if it drains, or the limit changes.
	 */
	consume(memory, &limit, any_key(3), -2, START);
	ck_assert_int_eq(flood(memory, &limit, 30), 10);
	memory_sweep(memory, memory_slots(memory), START + 5 * SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	ck_assert_int_eq(flood(memory, &limit, 30), 10);
	limit.max_buckets = 15;
	ck_assert_int_eq(flood(memory, &limit, 30), 15);
	limit.max_buckets = 5;
	ck_assert_int_eq(flood(memory, &limit, 30), 15);
	ck_assert(!is_let(memory, &limit, any_key(40), START));
	memory_free(memory);
}
END_TEST

/* Whatever is done to a bucket, it counts for its limit. */
START_TEST(share_is_kept_with_the_bucket)
{
	const int64_t day = 86400 * SECOND;
	struct limit limit = window(100, day);
	struct memory *memory = table(1000, false);

	limit.max_buckets = 10;
	flood(memory, &limit, 10);
	memory_follow_clock(memory, START, day / 4);
	consume(memory, &limit, any_key(3), 50, START);
	consume(memory, &limit, any_key(3), -1, START);
	ck_assert_uint_eq(memory_buckets(memory), 10);
	ck_assert(!is_let(memory, &limit, any_key(20), START));
	memory_sweep(memory, memory_slots(memory), START + 2 * day);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	for (uint64_t i = 0; i < 20; i++)
		ck_assert_int_eq(
		    is_let(memory, &limit, any_key(i), START + 2 * day),
		    i < 10);
	memory_free(memory);
}
END_TEST

START_TEST(limits_are_known_before_they_have_buckets)
{
	static const char text[] =
	    "[a]\nmatch = a\ncapacity = 1\nrecharge = 1s\n"
	    "[b]\nmatch = b\ncapacity = 1\nrecharge = 1s\n";
	struct limit limit = leaky(5, 1000 * SECOND, 0);
	struct memory *memory = table(100, false);
	struct reasons reasons;
	struct rules *rules =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_ptr_nonnull(rules);
	limit.id = rules_at(rules, 0)->id;
	memory_know_limits(memory, rules);
	ck_assert_int_eq(flood(memory, &limit, 100), 90);
	limit.id = rules_at(rules, 1)->id;
	ck_assert_int_eq(flood(memory, &limit, 9), 9);
	rules_unref(rules);
	memory_free(memory);
}
END_TEST

/* Of limits beyond the number of shares, some are counted together; nothing is
 * lost or counted twice. */
START_TEST(more_limits_than_shares_are_served_too)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(100000, false);

	for (uint64_t i = 1; i <= 40000; i++) {
		struct limit other = limit;

		other.id = key_make((const char *)&i, sizeof(i)).hash;
		ck_assert(is_let(memory, &other, any_key(1), START));
	}
	ck_assert_uint_eq(memory_buckets(memory), 40000);
	memory_sweep(memory, memory_slots(memory), START + SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	limit.max_buckets = 1;
	for (uint64_t i = 1; i <= 40000; i++) {
		limit.id = key_make((const char *)&i, sizeof(i)).hash;
		ck_assert(is_let(memory, &limit, any_key(1), START));
		consume(memory, &limit, any_key(1), -1, START);
	}
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

START_TEST(threads_fill_a_share_exactly)
{
	struct limit limit = leaky(3, SECOND, 0);
	struct memory *memory = table(7000, false);

	limit.max_buckets = 500;
	ck_assert_int_eq(hammer(memory, &limit, 10000), 3 * 500);
	ck_assert_uint_eq(memory_buckets(memory), 500);
	memory_free(memory);
}
END_TEST

/* The first gives back all that is in its bucket, the second finds no room:
 * meanwhile the first limit may have no other bucket. */
START_TEST(joint_that_gives_back_and_finds_no_room_changes_nothing)
{
	struct memory *memory = table(100, false);
	struct limit many = leaky(10, SECOND, 0), few = many, rest = many;
	struct query queries[2];

	few.id = (struct hash128){2, 20};
	few.max_buckets = 10;
	rest.id = (struct hash128){3, 30};
	for (unsigned i = 0; i < 100; i++) {
		consume(memory, &few, any_key(1000 + i), 1, START);
		consume(memory, &many, any_key(i), 1, START);
	}
	for (unsigned i = 0; i < 100; i++)
		consume(memory, &rest, any_key(3000 + i), 1, START);
	ck_assert_uint_eq(memory_buckets(memory), 100);
	for (unsigned i = 0; i < 100; i++) {
		queries[0] = (struct query){.limit = &many,
		    .key = any_key(i),
		    .amount = -1,
		    .now_us = START,
		    .mate = &queries[1]};
		queries[1] = (struct query){.limit = &few,
		    .key = any_key(2000),
		    .amount = 1,
		    .now_us = START};
		memory_decide_together(memory, queries);
		ck_assert(!queries[1].decision.allowed);
	}
	ck_assert_uint_eq(memory_buckets(memory), 100);
	memory_free(memory);
}
END_TEST

#define JOINT 4
#define TIMES 200000

struct joint_hammer {
	struct memory *memory;
	const struct limit *limit;
	bool is_reversed;
};

/* Consumes from all buckets at once, from the first on or from the last. */
static void *
joint_hammer_run(void *arg)
{
	const struct joint_hammer *hammer = arg;

	for (unsigned i = 0; i < TIMES; i++) {
		struct query queries[JOINT];

		for (unsigned j = 0; j < JOINT; j++)
			queries[j] = (struct query){.limit = hammer->limit,
			    .key = any_key(
				hammer->is_reversed ? JOINT - 1 - j : j),
			    .amount = 1,
			    .now_us = START,
			    .mate = j + 1 < JOINT ? &queries[j + 1] : NULL};
		memory_decide_together(hammer->memory, queries);
	}
	return NULL;
}

/* Else each would have a lock, and wait for that of the other. */
START_TEST(threads_lock_in_one_order)
{
	const struct limit limit = leaky(2 * TIMES, SECOND, 0);
	struct memory *memory = table(1000000, false);
	struct joint_hammer hammers[2];
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++) {
		hammers[i] = (struct joint_hammer){memory, &limit, i == 1};
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
				     joint_hammer_run, &hammers[i]),
		    0);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < JOINT; i++)
		ck_assert_int_eq(
		    peek(memory, &limit, any_key(i), START).level, 2 * TIMES);
	memory_free(memory);
}
END_TEST

START_TEST(store_answers_at_once)
{
	struct limit limit = leaky(5, SECOND, 0);
	struct memory *memory = table(10, false);
	struct store *store = memory_store_new(memory);
	struct query query = {
	    .limit = &limit,
	    .key = any_key(1),
	    .op = OP_CONSUME,
	    .amount = 2,
	    .now_us = START,
	};

	ck_assert(store_query(store, &query));
	ck_assert_int_eq(query.result, RESULT_DECISION);
	ck_assert_int_eq(query.decided_by, DECIDED_BY_MEMORY);
	ck_assert_int_eq(query.decision.level, 2);
	query.op = OP_RESET;
	ck_assert(store_query(store, &query));
	ck_assert_int_eq(query.result, RESULT_DONE);
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
	tcase_add_test(tcase, largest_numbers_are_kept);
	tcase_add_test(tcase, windows_follow_the_wall_clock);
	tcase_add_test(tcase, clock_that_is_set_lets_nothing_in);
	tcase_add_test(tcase, count_follows_a_clock_that_is_set_by_days);
	tcase_add_test(tcase, same_key_under_two_limits_is_two_buckets);
	tcase_add_test(tcase, bucket_whose_id_comes_out_zero_is_held);
	tcase_add_loop_test(tcase, holds_max_buckets_and_not_one_more, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tcase, bucket_costs_at_most_48_bytes);
	tcase_add_test(tcase, part_that_is_full_refuses_and_is_searched);
	tcase_add_test(tcase, live_bucket_is_never_evicted);
	tcase_add_test(tcase, drained_buckets_make_room_for_new_ones);
	tcase_add_test(tcase, emptied_bucket_is_removed_at_once);
	tcase_add_test(tcase, sweep_leaves_what_remembers_blocks);
	tcase_add_test(tcase, sweep_removes_what_is_drained_and_nothing_else);
	tcase_add_test(tcase, full_table_denies_and_counts);
	tcase_add_test(tcase, full_table_allows_and_counts);
	tcase_add_test(tcase, full_table_is_exact_where_no_bucket_is_needed);
	tcase_add_test(tcase, insert_looks_at_some_thousand_slots_and_no_more);
	tcase_add_test(tcase, insert_removes_no_more_than_it_looks_at);
	tcase_add_test(tcase, full_table_is_not_looked_at_all_the_time);
	tcase_add_loop_test(tcase, flood_leaves_room_to_other_limits, 0,
	    sizeof(flooded) / sizeof(flooded[0]));
	tcase_add_test(tcase, two_floods_share);
	tcase_add_test(tcase, limit_may_have_its_own_share);
	tcase_add_test(tcase, share_is_kept_with_the_bucket);
	tcase_add_test(tcase, limits_are_known_before_they_have_buckets);
	tcase_add_test(tcase, more_limits_than_shares_are_served_too);
	tcase_add_test(tcase, threads_on_one_key_are_let_exactly_the_capacity);
	tcase_add_test(tcase, threads_fill_the_table_exactly);
	tcase_add_test(tcase, threads_fill_a_share_exactly);
	tcase_add_test(tcase, threads_lock_in_one_order);
	tcase_add_test(
	    tcase, joint_that_gives_back_and_finds_no_room_changes_nothing);
	tcase_add_test(tcase, store_answers_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}
