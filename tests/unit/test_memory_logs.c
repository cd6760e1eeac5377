#include "limit/leases.h"
#include "store/memory.h"
#include "store/memory_internal.h"
#include "suites.h"

#include <pthread.h>
#include <stdio.h>

#define START  INT64_C(1700000000000000)
#define SECOND INT64_C(1000000)

#define THREADS 4
#define KEYS    50

static const struct limit limit = {
    .id = {1, 10},
    .algorithm = &algorithm_sliding_window,
    .capacity = 100,
    .window_us = SECOND,
};

static struct key
key_at(unsigned n)
{
	char text[32];
	struct key key =
	    key_make(text, (size_t)snprintf(text, sizeof(text), "k:%u", n));

	key.bytes = NULL;
	return key;
}

static struct memory *
table(int64_t max_buckets)
{
	struct memory *memory =
	    memory_new(&(struct memory_options){max_buckets, ON_FULL_DENY});

	ck_assert_ptr_nonnull(memory);
	return memory;
}

static struct decision
ask(struct memory *memory, unsigned n, enum op op, int64_t amount,
    int64_t now_us)
{
	const struct key key = key_at(n);
	struct decision decision;

	memory_decide(memory, &limit, &key, op, amount, now_us, &decision);
	return decision;
}

START_TEST(log_grows_and_ends_with_its_bucket)
{
	struct memory *memory = table(1000);

	for (int i = 0; i < 100; i++)
		ck_assert(
		    ask(memory, 1, OP_CONSUME, 1, START + 1000 * i).allowed);
	ck_assert(!ask(memory, 1, OP_CONSUME, 1, START + 1000 * 100).allowed);
	ck_assert_uint_ge(memory->log_bytes, leases_size(100));
	ck_assert(ask(memory, 1, OP_CONSUME, 1, START + SECOND).allowed);
	ck_assert_int_eq(
	    ask(memory, 1, OP_PEEK, 0, START + SECOND + 98000).level, 2);
	ck_assert(
	    ask(memory, 1, OP_CONSUME, -1, START + SECOND + 98000).allowed);
	ck_assert_uint_lt(memory->log_bytes, leases_size(100));
	memory_sweep(memory, memory_slots(memory), START + 3 * SECOND);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	ck_assert_uint_eq(memory->log_bytes, 0);
	memory_free(memory);
}
END_TEST

START_TEST(reset_frees_the_log)
{
	struct memory *memory = table(1000);

	ask(memory, 1, OP_CONSUME, 5, START);
	ask(memory, 1, OP_RESET, 0, START);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	ck_assert_uint_eq(memory->log_bytes, 0);
	memory_free(memory);
}
END_TEST

START_TEST(logs_have_no_more_memory_than_the_buckets)
{
	struct memory *memory = table(100);
	unsigned denied = 0;

	for (unsigned i = 0; i < 100; i++)
		for (unsigned k = 0; k < 60; k++)
			denied +=
			    !ask(memory, i, OP_CONSUME, 1, START + k).allowed;
	ck_assert_uint_gt(denied, 0);
	ck_assert_uint_le(memory->log_bytes, 100 * 40);
	ck_assert_uint_eq(memory_full(memory), denied);
	memory_free(memory);
}
END_TEST

/* Two keys, and room for one log. */
START_TEST(joint_that_finds_no_room_takes_nothing)
{
	struct memory *memory = table(2);
	struct query queries[2] = {
	    {.limit = &limit, .key = key_at(1), .amount = 2, .now_us = START},
	    {.limit = &limit, .key = key_at(2), .amount = 1, .now_us = START}};

	ask(memory, 1, OP_CONSUME, 1, START);
	queries[0].mate = &queries[1];
	memory_decide_together(memory, &queries[0]);
	ck_assert(!queries[1].decision.allowed);
	ck_assert_int_eq(queries[0].decision.level, 1);
	ck_assert_int_eq(ask(memory, 1, OP_PEEK, 0, START).level, 1);
	memory_free(memory);
}
END_TEST

/* The same, of a key that had no bucket. */
START_TEST(joint_that_finds_no_room_leaves_no_log)
{
	struct memory *memory = table(2);
	struct query queries[2] = {
	    {.limit = &limit, .key = key_at(1), .amount = 2, .now_us = START},
	    {.limit = &limit, .key = key_at(2), .amount = 1, .now_us = START}};

	queries[0].mate = &queries[1];
	memory_decide_together(memory, &queries[0]);
	ck_assert(!queries[1].decision.allowed);
	ck_assert_int_eq(queries[0].decision.level, 0);
	ck_assert_uint_eq(memory_buckets(memory), 0);
	ck_assert_uint_eq(memory->log_bytes, 0);
	memory_free(memory);
}
END_TEST

/* What a joint writes first makes room, and may sweep another bucket of it. */
START_TEST(joint_outlives_the_sweep_of_its_own_bucket)
{
	struct memory *memory = table(5);
	const int64_t later = START + 2 * SECOND;
	struct query queries[2] = {
	    {.limit = &limit, .key = key_at(2), .amount = 1, .now_us = later},
	    {.limit = &limit, .key = key_at(1), .amount = 2, .now_us = later}};

	ask(memory, 1, OP_CONSUME, 3, START);
	memory->stripe[0].hand = 0;
	while (memory_is_free(&memory->slots[memory->stripe[0].hand]))
		memory->stripe[0].hand++;
	queries[0].mate = &queries[1];
	memory_decide_together(memory, &queries[0]);
	ck_assert(queries[1].decision.allowed);
	ck_assert_int_eq(ask(memory, 1, OP_PEEK, 0, later).level, 2);
	ck_assert_int_eq(ask(memory, 2, OP_PEEK, 0, later).level, 1);
	memory_free(memory);
}
END_TEST

START_TEST(what_holds_nothing_leaves_no_log)
{
	static const enum op ops[] = {OP_RELEASE, OP_HOLD, OP_HOLD};
	static const int64_t amounts[] = {0, 0, 101};
	struct memory *memory = table(1000);
	struct limit leased = limit;

	leased.algorithm = &algorithm_concurrent;
	for (unsigned i = 0; i < 3; i++) {
		struct query query = {.limit = &leased,
		    .key = key_at(1),
		    .op = ops[i],
		    .lease = lease_name("a", 1),
		    .amount = amounts[i]};

		memory_decide_query(memory, &query, START);
		ck_assert_uint_eq(memory_buckets(memory), 0);
		ck_assert_uint_eq(memory->log_bytes, 0);
	}
	memory_free(memory);
}
END_TEST

/* Two leases fill the only log that there is room for. */
START_TEST(release_needs_no_room)
{
	struct memory *memory = table(2);
	struct limit leased = limit;
	struct query query = {
	    .limit = &leased, .key = key_at(1), .op = OP_HOLD, .amount = 1};

	leased.algorithm = &algorithm_concurrent;
	for (query.lease = 1; query.lease <= 3; query.lease++) {
		memory_decide_query(memory, &query, START);
		ck_assert(query.decision.allowed == (query.lease < 3));
	}
	query.op = OP_RELEASE;
	for (query.lease = 1; query.lease <= 2; query.lease++) {
		memory_decide_query(memory, &query, START);
		ck_assert(query.decision.allowed);
	}
	ck_assert_uint_eq(memory->log_bytes, 0);
	memory_free(memory);
}
END_TEST

struct asking {
	struct memory *memory;
	unsigned allowed;
};

static void *
run_thread(void *arg)
{
	struct asking *asking = arg;

	for (unsigned i = 0; i < 20000; i++)
		asking->allowed +=
		    ask(asking->memory, i % KEYS, OP_CONSUME, 1, START + i)
			.allowed;
	return NULL;
}

START_TEST(threads_admit_the_capacity_together)
{
	struct asking asking[THREADS] = {{0}};
	struct memory *memory = table(10000);
	pthread_t threads[THREADS];
	unsigned allowed = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		asking[i].memory = memory;
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, run_thread, &asking[i]),
		    0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		allowed += asking[i].allowed;
	ck_assert_uint_eq(allowed, KEYS * limit.capacity);
	memory_free(memory);
}
END_TEST

Suite *
memory_logs_suite(void)
{
	Suite *suite = suite_create("memory_logs");
	TCase *tcase = tcase_create("memory_logs");

	tcase_add_test(tcase, log_grows_and_ends_with_its_bucket);
	tcase_add_test(tcase, reset_frees_the_log);
	tcase_add_test(tcase, logs_have_no_more_memory_than_the_buckets);
	tcase_add_test(tcase, joint_that_finds_no_room_takes_nothing);
	tcase_add_test(tcase, joint_that_finds_no_room_leaves_no_log);
	tcase_add_test(tcase, joint_outlives_the_sweep_of_its_own_bucket);
	tcase_add_test(tcase, what_holds_nothing_leaves_no_log);
	tcase_add_test(tcase, release_needs_no_room);
	tcase_add_test(tcase, threads_admit_the_capacity_together);
	suite_add_tcase(suite, tcase);
	return suite;
}
