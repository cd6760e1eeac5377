/*
 * Any bytes from a server: the guard passes them or does not, however they are
 * cut.  What it passes makes hiredis allocate no more than the guard allows,
 * the two agree on where replies end, and a batch takes any reply for a result
 * or for none.
 */
#include "fuzz.h"
#include "limit/rules_text.h"
#include "redis/hiredis.h"
#include "redis/reply_arena.h"
#include "redis/reply_guard.h"
#include "store/redis/batch.h"

#include <string.h>

/* The arena's functions, and what they were asked for by one reply. */
static struct reply_arena arena;
static redisReplyObjectFunctions making;
static int64_t elements, bytes;

static void *
create_array(const redisReadTask *task, hiredis_count count)
{
	elements += (int64_t)count;
	check(elements <= REPLY_MAX_ELEMENTS);
	return making.createArray(task, count);
}

static void *
create_string(const redisReadTask *task, char *text, size_t len)
{
	bytes += (int64_t)len;
	check(bytes <= REPLY_MAX_BYTES);
	return making.createString(task, text, len);
}

static redisReader *
make_reader(void)
{
	static redisReplyObjectFunctions counting;
	redisReader *reader = reply_arena_reader(&arena);

	check(reader != NULL);
	making = *reader->fn;
	counting = making;
	counting.createArray = create_array;
	counting.createString = create_string;
	reader->fn = &counting;
	elements = bytes = 0;
	return reader;
}

/* Whether no reply has begun that is not complete. */
static bool
is_at_rest(const redisReader *reader)
{
	return reader->pos == reader->len && !reader->reply &&
	       (reader->ridx < 0 || HIREDIS_OUTERMOST(reader)->type < 0);
}

/* The queries of a batch: three buckets, and one of them twice. */
#define ASKS 4

static unsigned answers[ASKS];
static struct query queries[ASKS];

static void
on_done(struct query *query)
{
	answers[query - queries]++;
}

static const struct rules *
make_rules(void)
{
	static const char text[] =
	    "[a]\nmatch = a\ncapacity = 5\nrecharge = 60s\nblock = 5m\n"
	    "[b]\nmatch = b\ncapacity = 100\nrate = 50/s\n"
	    "[c]\nmatch = c\nalgorithm = fixed_window\ncapacity = 5\n"
	    "window = 1d\n";
	static struct rules *rules;
	struct reasons reasons;

	if (!rules)
		rules = rules_from_ini("fuzz", text, strlen(text), &reasons);
	check(rules != NULL);
	return rules;
}

static void
query(struct batch *batch, int i, size_t limit, const char *key, enum op op)
{
	const struct rules *rules = make_rules();

	queries[i] = (struct query){
	    .rules = rules,
	    .limit = rules_at(rules, limit),
	    .key = key_make(key, 1),
	    .op = op,
	    .amount = 2,
	    .done = on_done,
	};
	answers[i] = 0;
	check(batch_has_room(batch, &queries[i]));
	check(batch_add(batch, &queries[i]) == 0);
}

static bool
are_answered(unsigned times)
{
	for (int i = 0; i < ASKS; i++)
		if (answers[i] != times)
			return false;
	return true;
}

/* Queries about limits ${first} and ${second}, to which ${reply} comes. */
static void
take_batch_reply(size_t first, size_t second, const redisReply *reply)
{
	static const struct partitions single = {.count = 1};
	static struct command command;
	struct batch *batch = batch_new();
	const char *foreign = NULL;
	int strange;

	check(batch != NULL);
	query(batch, 0, first, "x", OP_CONSUME);
	query(batch, 1, second, "y", OP_PEEK);
	query(batch, 2, first, "z", OP_RESET);
	query(batch, 3, first, "x", OP_CONSUME);
	batch_write(
	    batch, &(struct batch_target){"drip:", &single, 0}, &command);
	check(!command.failed);
	strange = batch_take_reply(batch, reply, &foreign);
	check(strange >= -1 && strange <= 3);
	check((strange > 0) == (foreign != NULL));
	check(are_answered(strange == -1 ? 0 : 1));
	if (strange == -1)
		batch_abandon(batch, UNAVAILABLE_DOWN);
	check(are_answered(1));
	batch_free(batch);
	command_free(&command);
}

/* Take all replies that are complete.  Return whether hiredis goes on. */
static bool
take_replies(redisReader *reader)
{
	void *reply = NULL;

	while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
		take_batch_reply(0, 1, reply);
		take_batch_reply(2, 2, reply);
		reply_arena_empty(&arena);
		elements = bytes = 0;
	}
	return !reader->err;
}

/* Bytes that come ${step} at a time.  Return whether the guard let all pass. */
static bool
read_in_steps(const char *data, size_t size, size_t step)
{
	struct reply_guard guard = {0};
	redisReader *reader = make_reader();
	bool is_passed = true, is_read = true;

	for (size_t i = 0; i < size && is_passed; i += step) {
		size_t len = size - i < step ? size - i : step;

		is_passed = reply_guard_check(&guard, data + i, len) == 0;
		if (!is_passed || !is_read)
			continue;
		check(redisReaderFeed(reader, data + i, len) == REDIS_OK);
		is_read = take_replies(reader);
		if (is_read)
			check(is_at_rest(reader) == (guard.bytes == 0));
	}
	redisReaderFree(reader);
	reply_arena_free(&arena);
	return is_passed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	bool is_passed = read_in_steps(text, size, size);

	check(read_in_steps(text, size, 1) == is_passed);
	check(read_in_steps(text, size, 7) == is_passed);
	return 0;
}
