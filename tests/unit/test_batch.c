#include "limit/rules_text.h"
#include "limit/decide.h"
#include "redis/script.h"
#include "store/batch.h"
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

/* The questions answered so far, in that order. */
static struct ask *answered[BATCH_ASKS];
static unsigned answers;

static struct rules *
make_rules(void)
{
	static const char text[] =
	    "[login]\nmatch = login:*\ncapacity = 5\nrecharge = 60s\n"
	    "block = 5m\n"
	    "[api]\nmatch = api:*\ncapacity = 100\nrate = 50/s\n"
	    "[daily]\nmatch = *\nalgorithm = fixed_window\ncapacity = 10\n"
	    "window = 1d\n";
	struct rules_error error;
	struct rules *made =
	    rules_from_ini("test.ini", text, strlen(text), &error);

	ck_assert_msg(made, "%s", error.reason);
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
}

static void
free_batch(void)
{
	batch_clear(batch);
	batch_free(batch);
	batch_free(NULL);
	rules_unref(rules);
}

/* Whoever asked may do with an answered question as it likes. */
static void
on_done(struct ask *ask)
{
	ask->next = NULL;
	answered[answers++] = ask;
}

static struct ask
ask_of(const struct limit *limit, const char *key, enum op op, int64_t amount)
{
	return (struct ask){
	    .rules = rules,
	    .limit = limit,
	    .key = key_make(key, strlen(key)),
	    .op = op,
	    .amount = amount,
	    .done = on_done,
	};
}

static void
add_all(struct ask *asks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert(batch_has_room(batch, &asks[i]));
		ck_assert_int_eq(batch_add(batch, &asks[i]), 0);
	}
}

#define ADD(asks) add_all(asks, COUNT(asks))

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

	batch_write(batch, "drip:", &command);
	ck_assert(!command.failed);
	call = reply_of(buf_head(&command.bytes), buf_len(&command.bytes));
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
check_call(enum script script, const char *arguments)
{
	struct buf call = written_call();
	struct buf expected = {0};

	ck_assert_int_eq(buf_printf(&expected, "EVALSHA|%s|%s",
			     script_sha(script), arguments),
	    0);
	ck_assert_str_eq(buf_head(&call), buf_head(&expected));
	buf_free(&expected);
	buf_free(&call);
}

#define check_leaky_call(arguments) check_call(SCRIPT_LEAKY_BUCKET, arguments)

/* capacity, recharge, block, and an hour after the longest life in ms */
#define LOGIN "5|60000000|300000000|4200000|"
#define API   "100|20000|0|3602000|"

START_TEST(equal_questions_are_written_once)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 2),
	    ask_of(login, "login:2", OP_CONSUME, 2),
	    ask_of(login, "login:3", OP_CONSUME, 2),
	};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "3|2|login:1|login:2|login:3");
}
END_TEST

START_TEST(one_question_is_equal_to_itself)
{
	struct ask asks[] = {ask_of(login, "login:1", OP_CONSUME, -3)};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "1|-3|login:1");
}
END_TEST

START_TEST(different_amounts_stand_behind_the_keys)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:2", OP_CONSUME, 2),
	    ask_of(login, "login:3", OP_CONSUME, 0),
	};

	ADD(asks);
	check_leaky_call(
	    "1|drip:login|" LOGIN "3||login:1|login:2|login:3|1|2|0");
}
END_TEST

START_TEST(two_questions_about_one_bucket_are_not_alike)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:2", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	};

	ADD(asks);
	ck_assert_uint_eq(batch->count, 2);
	ck_assert_uint_eq(batch->asks, 3);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|1*2|1");
}
END_TEST

START_TEST(runs_of_equal_questions_are_counted)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, -2),
	    ask_of(login, "login:1", OP_RESET, 1),
	    ask_of(login, "login:1", OP_RESET, 1),
	    ask_of(login, "login:1", OP_CONSUME, 5),
	    ask_of(login, "login:1", OP_CONSUME, 5),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "1||login:1|1*3 -2 r 5*2 1");
}
END_TEST

START_TEST(peeks_are_not_written)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_PEEK, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_PEEK, 2),
	    ask_of(login, "login:2", OP_PEEK, 1),
	    ask_of(login, "login:2", OP_PEEK, 1),
	};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|1|");
}
END_TEST

START_TEST(peeks_alone_change_nothing)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_PEEK, 1),
	    ask_of(login, "login:2", OP_PEEK, 1),
	};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2||");
}
END_TEST

START_TEST(resets_alone_are_not_taken_for_amounts)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_RESET, 1),
	    ask_of(login, "login:2", OP_RESET, 1),
	};

	ADD(asks);
	check_leaky_call("1|drip:login|" LOGIN "2||login:1|login:2|r|r");
}
END_TEST

START_TEST(entries_of_one_limit_stand_together)
{
	struct ask asks[] = {
	    ask_of(api, "api:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(api, "api:2", OP_CONSUME, 2),
	    ask_of(login, "login:2", OP_CONSUME, 1),
	    ask_of(api, "api:1", OP_CONSUME, 3),
	};

	ADD(asks);
	check_leaky_call("2|drip:login|drip:api|" LOGIN
			 "2|1|login:1|login:2|" API "2||api:1|api:2|1 3|2");
}
END_TEST

START_TEST(one_key_under_two_limits_is_two_buckets)
{
	struct ask asks[] = {
	    ask_of(login, "both", OP_CONSUME, 1),
	    ask_of(api, "both", OP_CONSUME, 1),
	    ask_of(login, "both", OP_CONSUME, 1),
	};

	ADD(asks);
	ck_assert_uint_eq(batch->count, 2);
	check_leaky_call(
	    "2|drip:login|drip:api|" LOGIN "1||both|1*2|" API "1|1|both");
}
END_TEST

START_TEST(buckets_in_one_place_of_the_index_are_told_apart)
{
	struct limit twin = *api;
	struct ask asks[] = {
	    ask_of(login, "a", OP_CONSUME, 1),
	    ask_of(login, "b", OP_CONSUME, 1),
	    ask_of(&twin, "a", OP_CONSUME, 1),
	};

	twin.id.lo = login->id.lo;
	asks[1].key.hash = asks[0].key.hash;
	asks[1].key.hash.hi++;
	ADD(asks);
	check_leaky_call("2|drip:login|drip:api|" LOGIN "2|1|a|b|" API "1|1|a");
}
END_TEST

/* Limits that came with requests have their buckets in common. */
START_TEST(bucket_under_two_limits_that_came_along_has_no_room)
{
	struct limit small, large;
	struct ask first = ask_of(&small, "a", OP_CONSUME, 1);
	struct ask asks[] = {
	    ask_of(&small, "a", OP_CONSUME, 2),
	    ask_of(&large, "b", OP_CONSUME, 1),
	    ask_of(login, "a", OP_CONSUME, 1),
	};
	struct ask second = ask_of(&large, "a", OP_CONSUME, 1);

	limit_init_inline(&large, 9, 1000, 0);
	limit_init_inline(&small, 2, 1000, 1);
	add_all(&first, 1);
	ADD(asks);
	ck_assert(!batch_has_room(batch, &second));
	check_leaky_call("3|drip:login|drip:CL.THROTTLE|drip:CL.THROTTLE|" LOGIN
			 "1|1|a|9|1000|0|2595600000|1|1|b|"
			 "2|1000|0|2595600000|1||a|1 2");
}
END_TEST

START_TEST(window_has_a_script_and_a_hash_of_its_own)
{
	struct ask asks[] = {ask_of(daily, "a", OP_CONSUME, 1)};

	ADD(asks);
	check_call(SCRIPT_FIXED_WINDOW,
	    "1|drip:daily:w|10|86400000000|0|90000000|1|1|a");
}
END_TEST

START_TEST(room_ends_with_the_algorithm_and_the_rules)
{
	struct ask first = ask_of(login, "login:1", OP_CONSUME, 1);
	struct ask window = ask_of(daily, "a", OP_CONSUME, 1);
	struct ask other = ask_of(login, "login:2", OP_CONSUME, 1);
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

/* As many questions as a batch has entries, each about another bucket. */
static struct ask full[BATCH_ENTRIES];

static void
fill(void)
{
	char key[16];

	for (int i = 0; i < BATCH_ENTRIES; i++) {
		snprintf(key, sizeof(key), "key%03d", i);
		full[i] = ask_of(login, key, OP_CONSUME, 1);
		add_all(&full[i], 1);
	}
}

START_TEST(batch_holds_512_entries)
{
	struct ask more = ask_of(login, "key000", OP_CONSUME, 1);
	struct buf call;
	const char *at;

	fill();
	ck_assert_uint_eq(batch->count, BATCH_ENTRIES);
	ck_assert(!batch_has_room(batch, &more));
	call = written_call();
	at = strstr(buf_head(&call), "|1|drip:login|" LOGIN "512|1|key000|");
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
	static struct ask asks[BATCH_ASKS];
	struct ask more = ask_of(login, "login:1", OP_CONSUME, 1);

	for (int i = 0; i < BATCH_ASKS; i++)
		asks[i] = more;
	ADD(asks);
	ck_assert(!batch_has_room(batch, &more));
	check_leaky_call("1|drip:login|" LOGIN "1||login:1|1*8192");
	batch_abandon(batch);
	ck_assert_uint_eq(answers, BATCH_ASKS);
	for (int i = 0; i < BATCH_ASKS; i++)
		ck_assert_ptr_eq(answered[i], &asks[i]);
}
END_TEST

START_TEST(cleared_batch_is_as_new)
{
	struct ask asks[] = {
	    ask_of(daily, "a", OP_CONSUME, 1),
	    ask_of(daily, "b", OP_CONSUME, 2),
	};
	struct ask others[] = {
	    ask_of(login, "b", OP_CONSUME, 3),
	    ask_of(login, "a", OP_CONSUME, 3),
	};

	ADD(asks);
	batch_abandon(batch);
	batch_clear(batch);
	ADD(others);
	check_leaky_call("1|drip:login|" LOGIN "2|3|b|a");
	batch_abandon(batch);
	batch_clear(batch);
	ADD(others);
	check_leaky_call("1|drip:login|" LOGIN "2|3|b|a");
}
END_TEST

/* Let the script answer with ${text}.  Return what batch_answer() does. */
static int
answer(const char *text, char foreign[64])
{
	redisReply *reply = reply_of(text, strlen(text));
	const char *strange = NULL;
	struct buf call = written_call();
	int result = batch_answer(batch, reply, &strange);

	snprintf(foreign, 64, "%s", strange ? strange : "-");
	freeReplyObject(reply);
	buf_free(&call);
	return result;
}

/* Each question was answered once, those about one bucket in their order, as
 * if asked of ${bucket} itself. */
static void
check_decisions(struct bucket bucket, const struct ask *asks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct ask *ask = &asks[i];
		struct decision expected;

		decide(
		    ask->limit, ask->op, ask->amount, NOW, &bucket, &expected);
		ck_assert_int_eq(ask->from, FROM_REDIS);
		ck_assert_int_eq(ask->answer,
		    ask->op == OP_RESET ? ANSWER_DONE : ANSWER_DECISION);
		ck_assert_int_eq(ask->decision.allowed, expected.allowed);
		ck_assert_int_eq(ask->decision.level, expected.level);
		ck_assert_int_eq(ask->decision.next_us, expected.next_us);
		ck_assert_int_eq(ask->decision.retry_us, expected.retry_us);
		ck_assert_int_eq(ask->decision.blocked_us, expected.blocked_us);
	}
}

static void
check_answered(const struct ask *asks, size_t count)
{
	ck_assert_uint_eq(answers, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_eq(answered[i], &asks[i]);
}

/* What the script may find in a bucket of "login". */
static const struct {
	const char *reply;
	struct bucket bucket;
} states[] = {
    {"$-1\r\n", {0, 0}},
    {"$16\r\n1700000000000123\r\n", {NOW, 0}},
    {"$16\r\n1700000120000124\r\n", {NOW + 120000001, 0}},
    {"$16\r\n1700000300000123\r\n", {NOW + 300000000, 0}},
    {"$16\r\n1900000000000000\r\n", {INT64_C(1900000000000000), 0}},
    {"$33\r\n1700000060000123 1700000001000123\r\n",
	{NOW + 60000000, NOW + 1000000}},
    {"$18\r\n0 1700000001000123\r\n", {0, NOW + 1000000}},
    {"$3\r\n5 6\r\n", {5, 6}},
};

START_TEST(answers_are_those_of_the_bucket)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_PEEK, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 3),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 6),
	    ask_of(login, "login:1", OP_PEEK, 5),
	    ask_of(login, "login:1", OP_CONSUME, -2),
	    ask_of(login, "login:1", OP_CONSUME, 0),
	    ask_of(login, "login:1", OP_RESET, 1),
	    ask_of(login, "login:1", OP_CONSUME, 5),
	    ask_of(login, "login:1", OP_PEEK, 1),
	};
	struct buf text = {0};
	char foreign[64];

	ADD(asks);
	ck_assert_int_eq(
	    buf_printf(&text, "*3\r\n" TIME "%s", states[_i].reply), 0);
	ck_assert_int_eq(answer(buf_head(&text), foreign), 0);
	ck_assert_str_eq(foreign, "-");
	check_answered(asks, COUNT(asks));
	check_decisions(states[_i].bucket, asks, COUNT(asks));
	buf_free(&text);
}
END_TEST

START_TEST(answers_find_their_limits)
{
	struct ask asks[] = {
	    ask_of(api, "api:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(api, "api:2", OP_CONSUME, 2),
	    ask_of(login, "login:2", OP_CONSUME, 3),
	};
	char foreign[64];

	ADD(asks);
	/* login:1, login:2, api:1, api:2 */
	ck_assert_int_eq(answer("*6\r\n" TIME "$16\r\n1700000001000123\r\n"
				"$16\r\n1700000180000123\r\n"
				"$16\r\n1700000000100123\r\n$-1\r\n",
			     foreign),
	    0);
	ck_assert_uint_eq(answers, 4);
	check_decisions((struct bucket){NOW + 100000, 0}, &asks[0], 1);
	check_decisions((struct bucket){NOW + 1000000, 0}, &asks[1], 1);
	check_decisions((struct bucket){0}, &asks[2], 1);
	check_decisions((struct bucket){NOW + 180000000, 0}, &asks[3], 1);
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
	ck_assert_int_eq(answer(buf_head(&text), foreign), 0);
	check_answered(full, BATCH_ENTRIES);
	for (int i = 0; i < BATCH_ENTRIES; i++)
		check_decisions(
		    (struct bucket){NOW + i * 1000000, 0}, &full[i], 1);
	buf_free(&text);
}
END_TEST

START_TEST(window_is_answered_by_its_own_arithmetic)
{
	struct ask asks[] = {
	    ask_of(daily, "a", OP_CONSUME, 2),
	    ask_of(daily, "a", OP_CONSUME, 2),
	};
	char foreign[64];

	ADD(asks);
	ck_assert_int_eq(answer("*3\r\n" TIME "$7\r\n19675 7\r\n", foreign), 0);
	check_answered(asks, 2);
	ck_assert(asks[0].decision.allowed);
	ck_assert_int_eq(asks[0].decision.level, 9);
	ck_assert(!asks[1].decision.allowed);
	ck_assert_int_eq(
	    asks[1].decision.retry_us, INT64_C(19676) * 86400000000 - NOW);
}
END_TEST

START_TEST(foreign_text_makes_its_bucket_unavailable)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:2", OP_CONSUME, 1),
	    ask_of(login, "login:2", OP_RESET, 1),
	    ask_of(login, "login:3", OP_CONSUME, 1),
	    ask_of(login, "login:4", OP_CONSUME, 1),
	};
	char foreign[64];

	ADD(asks);
	ck_assert_int_eq(answer("*6\r\n" TIME "$-1\r\n$5\r\nhello\r\n$-1\r\n"
				"$0\r\n\r\n",
			     foreign),
	    2);
	ck_assert_str_eq(foreign, "");
	check_answered(asks, COUNT(asks));
	check_decisions((struct bucket){0}, &asks[0], 1);
	ck_assert_int_eq(asks[1].answer, ANSWER_UNAVAILABLE);
	ck_assert_int_eq(asks[2].answer, ANSWER_UNAVAILABLE);
	check_decisions((struct bucket){0}, &asks[3], 1);
	ck_assert_int_eq(asks[4].answer, ANSWER_UNAVAILABLE);
}
END_TEST

START_TEST(foreign_text_is_handed_over)
{
	struct ask asks[] = {ask_of(login, "login:1", OP_CONSUME, 1)};
	char foreign[64];

	ADD(asks);
	ck_assert_int_eq(
	    answer("*3\r\n" TIME "$13\r\nWRONGTYPE Op \r\n", foreign), 1);
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
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:2", OP_CONSUME, 1),
	};
	char foreign[64];

	ADD(asks);
	ck_assert_int_eq(answer(strange_replies[_i], foreign), -1);
	ck_assert_uint_eq(answers, 0);
	ck_assert_str_eq(foreign, "-");
	/* They can still be given up. */
	batch_abandon(batch);
	check_answered(asks, 2);
}
END_TEST

START_TEST(abandoned_questions_are_unavailable)
{
	struct ask asks[] = {
	    ask_of(login, "login:1", OP_CONSUME, 1),
	    ask_of(login, "login:1", OP_PEEK, 1),
	    ask_of(login, "login:1", OP_RESET, 1),
	    ask_of(api, "api:1", OP_CONSUME, 1),
	};

	ADD(asks);
	batch_abandon(batch);
	check_answered(asks, COUNT(asks));
	for (size_t i = 0; i < COUNT(asks); i++)
		ck_assert_int_eq(asks[i].answer, ANSWER_UNAVAILABLE);
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
	tcase_add_test(tcase, peeks_are_not_written);
	tcase_add_test(tcase, peeks_alone_change_nothing);
	tcase_add_test(tcase, resets_alone_are_not_taken_for_amounts);
	tcase_add_test(tcase, entries_of_one_limit_stand_together);
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
