#include "limit/rules_text.h"
#include "limit/algorithm.h"
#include "store/redis/batch.h"
#include "suites.h"

#include "base/attr.h"

#include <stdio.h>
#include <string.h>

/* The server's clock in all replies, and its first two elements. */
#define NOW  INT64_C(1700000000000123)
#define TIME "$10\r\n1700000000\r\n$3\r\n123\r\n"

static struct rules *rules;
static struct batch *batch;
static const struct limit *login, *api, *daily;

/* The queries that have results so far, in that order. */
static struct query *answered[BATCH_QUERIES];
static unsigned answers;
static struct partitions partitions;

static struct rules *
make_rules(void)
{
	static const char text[] =
	    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n"
	    "block = 5m\n"
	    "[api]\nmatch = api:*\ncapacity = 100\nrate = 50/s\n"
	    "[daily]\nmatch = *\nalgorithm = fixed_window\ncapacity = 10\n"
	    "window = 1d\n";
	struct reasons reasons;
	struct rules *made =
	    rules_from_ini("test.ini", text, strlen(text), &reasons);

	ck_assert_msg(made, "%s", reasons_first(&reasons));
	return made;
}

static void
make_batch(void)
{
	rules = make_rules();
	login = rules_at(rules, 0);
	api = rules_at(rules, 1);
	daily = rules_at(rules, 2);
	batch = batch_new();
	ck_assert_ptr_nonnull(batch);
	answers = 0;
	ck_assert_int_eq(partitions_open(&partitions, 1, false), 0);
}

static void
free_batch(void)
{
	batch_clear(batch);
	batch_free(batch);
	batch_free(NULL);
	partitions_close(&partitions);
	rules_unref(rules);
}

/* The caller may do what it likes with a query that has a result. */
static void
on_done(struct query *query)
{
	query->next = NULL;
	answered[answers++] = query;
}

static struct query
query_of(const struct limit *limit, const char *key, enum op op, int64_t amount)
{
	return (struct query){
	    .rules = rules,
	    .limit = limit,
	    .key = key_make(key, strlen(key)),
	    .op = op,
	    .amount = amount,
	    .done = on_done,
	};
}

static void
add_all(struct query *queries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert(batch_has_room(batch, &queries[i]));
		ck_assert_int_eq(batch_add(batch, &queries[i]), 0);
	}
}

#define ADD(queries) add_all(queries, COUNT(queries))

/* The only reply in ${len} bytes, the caller's to free. */
static redisReply *
reply_of(const char *bytes, size_t len)
{
	redisReader *reader = redisReaderCreate();
	void *reply = NULL, *more = NULL;

	redisReaderFeed(reader, bytes, len);
	ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
	ck_assert_ptr_nonnull(reply);
	ck_assert_int_eq(redisReaderGetReply(reader, &more), REDIS_OK);
	ck_assert_ptr_null(more);
	redisReaderFree(reader);
	return reply;
}

/* The call that is written, its arguments with '|' between them (a command has
 * the form of a reply); the caller frees it. */
static struct buf
written_call(void)
{
	struct command command = {0};
	struct buf text = {0};
	redisReply *call;

	batch_write(
	    batch, &(struct batch_target){"drip:", &partitions, 0}, &command);
	ck_assert(!command.failed);
	call = reply_of(buf_data(&command.bytes), buf_len(&command.bytes));
	for (size_t i = 0; i < call->elements; i++) {
		ck_assert_int_eq(call->element[i]->type, REDIS_REPLY_STRING);
		ck_assert_int_eq(buf_printf(&text, "%s%s", i > 0 ? "|" : "",
				     call->element[i]->str),
		    0);
	}
	freeReplyObject(call);
	command_free(&command);
	return text;
}

static void
check_call(const struct script *script, const char *arguments)
{
	struct buf call = written_call();
	struct buf expected = {0};

	ck_assert_int_eq(
	    buf_printf(&expected, "EVALSHA|%s|%s", script->sha, arguments), 0);
	ck_assert_str_eq(buf_data(&call), buf_data(&expected));
	buf_free(&expected);
	buf_free(&call);
}

#define check_leaky_call(arguments)                                            \
	check_call(&script_leaky_bucket_batch, arguments)

/* capacity, recharge, block, how the recharge is written, and an hour after the
 * longest life in ms */
#define LOGIN "5|60000000|300000000|/43kjw|4200000|"
#define API   "100|20000|0|/5Ca|3602000|"

START_TEST(equal_questions_are_written_once)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 2),
	    query_of(login, "login:2", OP_CONSUME, 2),
	    query_of(login, "login:3", OP_CONSUME, 2),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "3|2|login:1|login:2|login:3");
}
END_TEST

START_TEST(one_question_is_equal_to_itself)
{
	struct query queries[] = {query_of(login, "login:1", OP_CONSUME, -3)};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "1|-3|login:1");
}
END_TEST

START_TEST(different_amounts_stand_behind_the_keys)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_CONSUME, 2),
	    query_of(login, "login:3", OP_CONSUME, 0),
	};

	ADD(queries);
	check_leaky_call(
	    "1|drip:login|" LOGIN "3||login:1|login:2|login:3|1|2|0");
}
END_TEST

START_TEST(two_questions_about_one_bucket_are_not_alike)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	};

	ADD(queries);
	ck_assert_uint_eq(batch->count, 2);
	ck_assert_uint_eq(batch->queries, 3);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|1*2|1");
}
END_TEST

START_TEST(runs_of_equal_questions_are_counted)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, -2),
	    query_of(login, "login:1", OP_RESET, 1),
	    query_of(login, "login:1", OP_RESET, 1),
	    query_of(login, "login:1", OP_CONSUME, 5),
	    query_of(login, "login:1", OP_CONSUME, 5),
	    query_of(login, "login:1", OP_CONSUME, 1),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "1||login:1|1*3 -2 r 5*2 1");
}
END_TEST

START_TEST(charges_name_the_most_and_takes_their_sign)
{
	struct limit indebted = *login;
	struct query queries[] = {
	    query_of(&indebted, "login:1", OP_CHARGE, 2),
	    query_of(&indebted, "login:1", OP_CHARGE, 2),
	    query_of(&indebted, "login:1", OP_CONSUME, 2),
	    query_of(&indebted, "login:1", OP_TAKE, 2),
	    query_of(&indebted, "login:1", OP_TAKE, 3),
	    query_of(&indebted, "login:1", OP_TAKE, 3),
	};

	indebted.debt = 4;
	ADD(queries);
	check_leaky_call("1|drip:login|5|60000000|300000000|/43kjw|4440000|"
			 "1||login:1|2!9*2 2 2~ 3~*2");
}
END_TEST

START_TEST(equal_charges_are_written_once)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CHARGE, 2),
	    query_of(login, "login:2", OP_CHARGE, 2),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "2|2!5|login:1|login:2");
}
END_TEST

START_TEST(peeks_are_not_written)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_PEEK, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_PEEK, 2),
	    query_of(login, "login:2", OP_PEEK, 1),
	    query_of(login, "login:2", OP_PEEK, 1),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|1|");
}
END_TEST

START_TEST(peeks_alone_change_nothing)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_PEEK, 1),
	    query_of(login, "login:2", OP_PEEK, 1),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2||");
}
END_TEST

START_TEST(resets_alone_are_not_taken_for_amounts)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_RESET, 1),
	    query_of(login, "login:2", OP_RESET, 1),
	};

	ADD(queries);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|r|r");
}
END_TEST

START_TEST(entries_of_one_limit_stand_together)
{
	struct query queries[] = {
	    query_of(api, "api:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(api, "api:2", OP_CONSUME, 2),
	    query_of(login, "login:2", OP_CONSUME, 1),
	    query_of(api, "api:1", OP_CONSUME, 3),
	};

	ADD(queries);
	check_leaky_call("2|drip:login|drip:api|" LOGIN
			 "2|1|login:1|login:2|" API "2||api:1|api:2|1 3|2");
}
END_TEST

START_TEST(entries_of_one_partition_stand_together)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(api, "api:1", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_CONSUME, 1),
	    query_of(login, "login:3", OP_CONSUME, 1),
	};
	static const uint16_t of[] = {2, 2, 0, 2};

	partitions_close(&partitions);
	ck_assert_int_eq(partitions_open(&partitions, 3, false), 0);
	for (size_t i = 0; i < COUNT(queries); i++)
		queries[i].partition = of[i];
	ADD(queries);
	check_leaky_call(
	    "3|drip:{3}:login|drip:{0}:login|drip:{0}:api|" LOGIN
	    "1|1|login:2|" LOGIN "2|1|login:1|login:3|" API "1|1|api:1");
}
END_TEST

START_TEST(one_key_under_two_limits_is_two_buckets)
{
	struct query queries[] = {
	    query_of(login, "both", OP_CONSUME, 1),
	    query_of(api, "both", OP_CONSUME, 1),
	    query_of(login, "both", OP_CONSUME, 1),
	};

	ADD(queries);
	ck_assert_uint_eq(batch->count, 2);
	check_leaky_call(
	    "2|drip:login|drip:api|" LOGIN "1||both|1*2|" API "1|1|both");
}
END_TEST

START_TEST(buckets_in_one_place_of_the_index_are_told_apart)
{
	struct limit twin = *api;
	struct query queries[] = {
	    query_of(login, "a", OP_CONSUME, 1),
	    query_of(login, "b", OP_CONSUME, 1),
	    query_of(&twin, "a", OP_CONSUME, 1),
	};

	twin.id.lo = login->id.lo;
	queries[1].key.hash = queries[0].key.hash;
	queries[1].key.hash.hi++;
	ADD(queries);
	check_leaky_call("2|drip:login|drip:api|" LOGIN "2|1|a|b|" API "1|1|a");
}
END_TEST

/* Limits that came with requests have their buckets in common. */
START_TEST(bucket_under_two_limits_that_came_along_has_no_room)
{
	struct limit small = {0}, large = {0};
	struct query first = query_of(&small, "a", OP_CONSUME, 1);
	struct query queries[] = {
	    query_of(&small, "a", OP_CONSUME, 2),
	    query_of(&large, "b", OP_CONSUME, 1),
	    query_of(login, "a", OP_CONSUME, 1),
	};
	struct query second = query_of(&large, "a", OP_CONSUME, 1);

	limit_init_inline(&large, 9, 1000000, 0);
	limit_init_inline(&small, 2, 1000000, 1);
	add_all(&first, 1);
	ADD(queries);
	ck_assert(!batch_has_room(batch, &second));
	check_leaky_call("3|drip:login|drip:CL.THROTTLE|drip:CL.THROTTLE|" LOGIN
			 "1|1|a|9|1000|0||2595600000|1|1|b|"
			 "2|1000|0||2595600000|1||a|1 2");
}
END_TEST

START_TEST(window_has_a_script_and_a_hash_of_its_own)
{
	struct query queries[] = {query_of(daily, "a", OP_CONSUME, 1)};

	ADD(queries);
	check_call(&script_fixed_window_batch,
	    "1|drip:daily:w|10|86400000000|90000000|1|1|a");
}
END_TEST

START_TEST(room_ends_with_the_algorithm_and_the_rules)
{
	struct query first = query_of(login, "login:1", OP_CONSUME, 1);
	struct query window = query_of(daily, "a", OP_CONSUME, 1);
	struct query other = query_of(login, "login:2", OP_CONSUME, 1);
	struct rules *reloaded = make_rules();

	ck_assert(batch_has_room(batch, &window));
	add_all(&first, 1);
	ck_assert(!batch_has_room(batch, &window));
	ck_assert(batch_has_room(batch, &other));
	other.rules = reloaded;
	other.limit = rules_at(reloaded, 0);
	ck_assert(!batch_has_room(batch, &other));
	rules_unref(reloaded);
}
END_TEST

/* As many queries as a batch has entries, each about another bucket. */
static struct query full[BATCH_ENTRIES];

static void
fill(void)
{
	char key[16];

	for (int i = 0; i < BATCH_ENTRIES; i++) {
		snprintf(key, sizeof(key), "key%03d", i);
		full[i] = query_of(login, key, OP_CONSUME, 1);
		add_all(&full[i], 1);
	}
}

START_TEST(batch_holds_512_entries)
{
	struct query more = query_of(login, "key000", OP_CONSUME, 1);
	struct buf call;
	const char *at;

	fill();
	ck_assert_uint_eq(batch->count, BATCH_ENTRIES);
	ck_assert(!batch_has_room(batch, &more));
	call = written_call();
	at = strstr(buf_data(&call), "|1|drip:login|" LOGIN "512|1|key000|");
	ck_assert_ptr_nonnull(at);
	for (int i = 0; i < BATCH_ENTRIES; i++) {
		char key[16];

		snprintf(key, sizeof(key), "|key%03d", i);
		at = strstr(at, key);
		ck_assert_ptr_nonnull(at);
	}
	buf_free(&call);
}
END_TEST

START_TEST(batch_holds_8192_questions)
{
	static struct query queries[BATCH_QUERIES];
	struct query more = query_of(login, "login:1", OP_CONSUME, 1);

	for (int i = 0; i < BATCH_QUERIES; i++)
		queries[i] = more;
	ADD(queries);
	ck_assert(!batch_has_room(batch, &more));
	check_leaky_call("1|drip:login|" LOGIN "1||login:1|1*8192");
	batch_abandon(batch, UNAVAILABLE_DOWN);
	ck_assert_uint_eq(answers, BATCH_QUERIES);
	for (int i = 0; i < BATCH_QUERIES; i++)
		ck_assert_ptr_eq(answered[i], &queries[i]);
}
END_TEST

START_TEST(cleared_batch_is_as_new)
{
	struct query queries[] = {
	    query_of(daily, "a", OP_CONSUME, 1),
	    query_of(daily, "b", OP_CONSUME, 2),
	};
	struct query others[] = {
	    query_of(login, "b", OP_CONSUME, 3),
	    query_of(login, "a", OP_CONSUME, 3),
	};

	ADD(queries);
	batch_abandon(batch, UNAVAILABLE_DOWN);
	batch_clear(batch);
	ADD(others);
	check_leaky_call("1|drip:login|" LOGIN "2|3|b|a");
	batch_abandon(batch, UNAVAILABLE_DOWN);
	batch_clear(batch);
	ADD(others);
	check_leaky_call("1|drip:login|" LOGIN "2|3|b|a");
}
END_TEST

/* Let the script reply with ${text}.  Return what batch_take_reply() does. */
static int
result(const char *text, char foreign[64])
{
	redisReply *reply = reply_of(text, strlen(text));
	const char *strange = NULL;
	struct buf call = written_call();
	int result = batch_take_reply(batch, reply, &strange);

	snprintf(foreign, 64, "%s", strange ? strange : "-");
	freeReplyObject(reply);
	buf_free(&call);
	return result;
}

/* Each query got one result, those about one bucket in their order, as
 * if asked of ${bucket} itself. */
static void
check_decisions(struct bucket bucket, const struct query *queries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct query *query = &queries[i];
		struct decision expected;

		decide(query->limit, query->op, query->amount, NOW, &bucket,
		    &expected);
		ck_assert_int_eq(query->decided_by, DECIDED_BY_REDIS);
		ck_assert_int_eq(query->result,
		    query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION);
		ck_assert_int_eq(query->decision.allowed, expected.allowed);
		ck_assert_int_eq(query->decision.level, expected.level);
		ck_assert_int_eq(query->decision.next_us, expected.next_us);
		ck_assert_int_eq(query->decision.retry_us, expected.retry_us);
		ck_assert_int_eq(
		    query->decision.blocked_us, expected.blocked_us);
	}
}

static void
check_answered(const struct query *queries, size_t count)
{
	ck_assert_uint_eq(answers, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_eq(answered[i], &queries[i]);
}

/* What the script may find in a bucket of "login". */
static const struct {
	const char *reply;
	struct bucket bucket;
} states[] = {
    {"$-1\r\n", {.leaky = {0, 0}}},
    {"$16\r\n1700000000000123\r\n", {.leaky = {NOW, 0}}},
    {"$16\r\n1700000120000124\r\n", {.leaky = {NOW + 120000001, 0}}},
    {"$16\r\n1700000300000123\r\n", {.leaky = {NOW + 300000000, 0}}},
    {"$16\r\n1900000000000000\r\n", {.leaky = {INT64_C(1900000000000000), 0}}},
    {"$33\r\n1700000060000123 1700000001000123\r\n",
	{.leaky = {NOW + 60000000, NOW + 1000000}}},
    {"$18\r\n0 1700000001000123\r\n", {.leaky = {0, NOW + 1000000}}},
    {"$3\r\n5 6\r\n", {.leaky = {5, 6}}},
};

START_TEST(answers_are_those_of_the_bucket)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_PEEK, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 3),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 6),
	    query_of(login, "login:1", OP_PEEK, 5),
	    query_of(login, "login:1", OP_CONSUME, -2),
	    query_of(login, "login:1", OP_CONSUME, 0),
	    query_of(login, "login:1", OP_RESET, 1),
	    query_of(login, "login:1", OP_CONSUME, 5),
	    query_of(login, "login:1", OP_PEEK, 1),
	};
	struct buf text = {0};
	char foreign[64];

	ADD(queries);
	ck_assert_int_eq(
	    buf_printf(&text, "*3\r\n" TIME "%s", states[_i].reply), 0);
	ck_assert_int_eq(result(buf_data(&text), foreign), 0);
	ck_assert_str_eq(foreign, "-");
	check_answered(queries, COUNT(queries));
	check_decisions(states[_i].bucket, queries, COUNT(queries));
	buf_free(&text);
}
END_TEST

START_TEST(answers_find_their_limits)
{
	struct query queries[] = {
	    query_of(api, "api:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(api, "api:2", OP_CONSUME, 2),
	    query_of(login, "login:2", OP_CONSUME, 3),
	};
	char foreign[64];

	ADD(queries);
	/* login:1, login:2, api:1, api:2 */
	ck_assert_int_eq(result("*6\r\n" TIME "$16\r\n1700000001000123\r\n"
				"$16\r\n1700000180000123\r\n"
				"$16\r\n1700000000100123\r\n$-1\r\n",
			     foreign),
	    0);
	ck_assert_uint_eq(answers, 4);
	check_decisions(
	    (struct bucket){.leaky = {NOW + 100000, 0}}, &queries[0], 1);
	check_decisions(
	    (struct bucket){.leaky = {NOW + 1000000, 0}}, &queries[1], 1);
	check_decisions((struct bucket){0}, &queries[2], 1);
	check_decisions(
	    (struct bucket){.leaky = {NOW + 180000000, 0}}, &queries[3], 1);
}
END_TEST

START_TEST(full_batch_is_answered_in_its_order)
{
	struct buf text = {0};
	char foreign[64];

	fill();
	ck_assert_int_eq(
	    buf_printf(&text, "*%d\r\n" TIME, BATCH_ENTRIES + 2), 0);
	for (int i = 0; i < BATCH_ENTRIES; i++)
		ck_assert_int_eq(buf_printf(&text, "$16\r\n%lld\r\n",
				     (long long)(NOW + i * 1000000)),
		    0);
	ck_assert_int_eq(result(buf_data(&text), foreign), 0);
	check_answered(full, BATCH_ENTRIES);
	for (int i = 0; i < BATCH_ENTRIES; i++)
		check_decisions(
		    (struct bucket){.leaky = {NOW + i * 1000000, 0}}, &full[i],
		    1);
	buf_free(&text);
}
END_TEST

START_TEST(window_is_answered_by_its_own_arithmetic)
{
	struct query queries[] = {
	    query_of(daily, "a", OP_CONSUME, 2),
	    query_of(daily, "a", OP_CONSUME, 2),
	};
	char foreign[64];

	ADD(queries);
	ck_assert_int_eq(result("*3\r\n" TIME "$7\r\n19675 7\r\n", foreign), 0);
	check_answered(queries, 2);
	ck_assert(queries[0].decision.allowed);
	ck_assert_int_eq(queries[0].decision.level, 9);
	ck_assert(!queries[1].decision.allowed);
	ck_assert_int_eq(
	    queries[1].decision.retry_us, INT64_C(19676) * 86400000000 - NOW);
}
END_TEST

START_TEST(foreign_text_makes_its_bucket_unavailable)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_RESET, 1),
	    query_of(login, "login:3", OP_CONSUME, 1),
	    query_of(login, "login:4", OP_CONSUME, 1),
	};
	char foreign[64];

	ADD(queries);
	ck_assert_int_eq(result("*6\r\n" TIME "$-1\r\n$5\r\nhello\r\n$-1\r\n"
				"$0\r\n\r\n",
			     foreign),
	    2);
	ck_assert_str_eq(foreign, "");
	check_answered(queries, COUNT(queries));
	check_decisions((struct bucket){0}, &queries[0], 1);
	ck_assert_int_eq(queries[1].result, RESULT_UNAVAILABLE);
	ck_assert_int_eq(queries[2].result, RESULT_UNAVAILABLE);
	check_decisions((struct bucket){0}, &queries[3], 1);
	ck_assert_int_eq(queries[4].result, RESULT_UNAVAILABLE);
}
END_TEST

START_TEST(foreign_text_is_handed_over)
{
	struct query queries[] = {query_of(login, "login:1", OP_CONSUME, 1)};
	char foreign[64];

	ADD(queries);
	ck_assert_int_eq(
	    result("*3\r\n" TIME "$13\r\nWRONGTYPE Op \r\n", foreign), 1);
	ck_assert_str_eq(foreign, "WRONGTYPE Op ");
}
END_TEST

/* For a batch of two buckets. */
static const char *const strange_replies[] = {
    "+OK\r\n",
    ":4\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "-ERR Error running script\r\n",
    "*2\r\n" TIME,
    "*3\r\n" TIME "$-1\r\n",
    "*5\r\n" TIME "$-1\r\n$-1\r\n$-1\r\n",
    "*4\r\n" TIME "$-1\r\n:1\r\n",
    "*4\r\n" TIME "+OK\r\n$-1\r\n",
    "*4\r\n" TIME "$-1\r\n-WRONGTYPE Operation\r\n",
    "*4\r\n" TIME "$-1\r\n*0\r\n",
    "*4\r\n:1700000000\r\n:123\r\n$-1\r\n$-1\r\n",
    "*4\r\n$-1\r\n$3\r\n123\r\n$-1\r\n$-1\r\n",
    "*4\r\n$10\r\n1700000000\r\n$-1\r\n$-1\r\n$-1\r\n",
    "*4\r\n$10\r\n1700000000\r\n$7\r\n1000000\r\n$-1\r\n$-1\r\n",
    "*4\r\n$10\r\n1700000000\r\n$2\r\n-1\r\n$-1\r\n$-1\r\n",
    "*4\r\n$2\r\n-1\r\n$3\r\n123\r\n$-1\r\n$-1\r\n",
    "*4\r\n$16\r\n1700000000000123\r\n$1\r\n0\r\n$-1\r\n$-1\r\n",
    "*4\r\n$12\r\n1700000000.5\r\n$1\r\n0\r\n$-1\r\n$-1\r\n",
    "*4\r\n$0\r\n\r\n$0\r\n\r\n$-1\r\n$-1\r\n",
};

START_TEST(reply_not_of_the_script_answers_nothing)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:2", OP_CONSUME, 1),
	};
	char foreign[64];

	ADD(queries);
	ck_assert_int_eq(result(strange_replies[_i], foreign), -1);
	ck_assert_uint_eq(answers, 0);
	ck_assert_str_eq(foreign, "-");
	/* They can still be given up. */
	batch_abandon(batch, UNAVAILABLE_DOWN);
	check_answered(queries, 2);
}
END_TEST

START_TEST(abandoned_questions_are_unavailable)
{
	struct query queries[] = {
	    query_of(login, "login:1", OP_CONSUME, 1),
	    query_of(login, "login:1", OP_PEEK, 1),
	    query_of(login, "login:1", OP_RESET, 1),
	    query_of(api, "api:1", OP_CONSUME, 1),
	};

	ADD(queries);
	batch_abandon(batch, UNAVAILABLE_DOWN);
	check_answered(queries, COUNT(queries));
	for (size_t i = 0; i < COUNT(queries); i++)
		ck_assert_int_eq(queries[i].result, RESULT_UNAVAILABLE);
}
END_TEST

static TCase *
calls_tcase(void)
{
	TCase *tcase = tcase_create("calls");

	tcase_add_checked_fixture(tcase, make_batch, free_batch);
	tcase_add_test(tcase, equal_questions_are_written_once);
	tcase_add_test(tcase, one_question_is_equal_to_itself);
	tcase_add_test(tcase, different_amounts_stand_behind_the_keys);
	tcase_add_test(tcase, two_questions_about_one_bucket_are_not_alike);
	tcase_add_test(tcase, runs_of_equal_questions_are_counted);
	tcase_add_test(tcase, charges_name_the_most_and_takes_their_sign);
	tcase_add_test(tcase, equal_charges_are_written_once);
	tcase_add_test(tcase, peeks_are_not_written);
	tcase_add_test(tcase, peeks_alone_change_nothing);
	tcase_add_test(tcase, resets_alone_are_not_taken_for_amounts);
	tcase_add_test(tcase, entries_of_one_limit_stand_together);
	tcase_add_test(tcase, entries_of_one_partition_stand_together);
	tcase_add_test(tcase, one_key_under_two_limits_is_two_buckets);
	tcase_add_test(tcase, buckets_in_one_place_of_the_index_are_told_apart);
	tcase_add_test(
	    tcase, bucket_under_two_limits_that_came_along_has_no_room);
	tcase_add_test(tcase, window_has_a_script_and_a_hash_of_its_own);
	tcase_add_test(tcase, room_ends_with_the_algorithm_and_the_rules);
	tcase_add_test(tcase, batch_holds_512_entries);
	tcase_add_test(tcase, batch_holds_8192_questions);
	tcase_add_test(tcase, cleared_batch_is_as_new);
	return tcase;
}

static TCase *
answers_tcase(void)
{
	TCase *tcase = tcase_create("answers");

	tcase_add_checked_fixture(tcase, make_batch, free_batch);
	tcase_add_loop_test(
	    tcase, answers_are_those_of_the_bucket, 0, COUNT(states));
	tcase_add_test(tcase, answers_find_their_limits);
	tcase_add_test(tcase, full_batch_is_answered_in_its_order);
	tcase_add_test(tcase, window_is_answered_by_its_own_arithmetic);
	tcase_add_test(tcase, foreign_text_makes_its_bucket_unavailable);
	tcase_add_test(tcase, foreign_text_is_handed_over);
	tcase_add_loop_test(tcase, reply_not_of_the_script_answers_nothing, 0,
	    COUNT(strange_replies));
	tcase_add_test(tcase, abandoned_questions_are_unavailable);
	return tcase;
}

Suite *
batch_suite(void)
{
	Suite *suite = suite_create("batch");

	suite_add_tcase(suite, calls_tcase());
	suite_add_tcase(suite, answers_tcase());
	return suite;
}
