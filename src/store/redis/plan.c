/*
 * Job: the steps of a plan, as arguments of its script, and as decisions.
 * Invariant: a query's entry is its bucket's; steps stay in the order in which
 * they were added.
 * The heart: plan_write_step() and plan_take_step().
 */
#include "store/redis/plan.h"

#include "base/num.h"
#include "limit/algorithm.h"
#include "store/mates.h"
#include "store/redis/field.h"
#include "store/redis/memo.h"
#include "store/redis/op_text.h"

#include <string.h>

void
plan_add_step(struct batch *batch, struct query *query)
{
	if (batch->last)
		batch->last->next = query;
	else
		batch->first = query;
	batch->last = query;
}

/*
 * Writing.
 */

/* A step that changes nothing is not written: its result follows from the
 * buckets in the reply. */
static bool
plan_is_written(const struct query *query)
{
	return query->op != OP_PEEK;
}

/* The last of a run of equal steps about one bucket, which starts at
 * ${query}; ${count} is set to their number. */
static const struct query *
plan_run_end(const struct query *query, int64_t *count)
{
	const struct query *next;

	*count = 1;
	if (query->mate || query->once || !op_puts(query->op) ||
	    op_names_lease(query->op))
		return query;
	for (; (next = query->next); query = next, ++*count)
		if (next->mate || next->once || next->entry != query->entry ||
		    !query_is_alike(next, query))
			break;
	return query;
}

size_t
plan_count_steps(const struct batch *batch)
{
	size_t steps = 0;
	int64_t count;

	for (const struct query *query = batch->first; query;
	     query = plan_run_end(query, &count)->next)
		steps += plan_is_written(query);
	return steps;
}

/* What one bucket is asked, as "3 AMOUNT*COUNT"; of one in shadow, with "?". */
static size_t
plan_write_op(
    char *to, unsigned bucket, const struct query *query, int64_t count)
{
	size_t len = num_write_int(to, bucket);

	to[len++] = ' ';
	len += op_text_write(to + len, query, count);
	if (query->limit->shadow && op_puts(query->op) &&
	    !op_names_lease(query->op) && count == 1)
		to[len++] = '?';
	return len;
}

/* "=NAMES MS" of a step with an id. */
static size_t
plan_write_id(char *to, const struct query *query, unsigned names)
{
	size_t len = 0;

	to[len++] = '=';
	len += num_write_int(to + len, names);
	to[len++] = ' ';
	return len + num_write_int(to + len, query->limit->id_memory_us / 1000);
}

/* Whether the step consumes the same amount of buckets with ${numbers} in a
 * row, as it mostly does where its keys have one limit.  ${last} is set to the
 * last. */
static bool
plan_is_range(
    const struct query *first, const uint16_t *numbers, unsigned *last)
{
	*last = numbers[first->entry];
	if (!first->mate || first->once || first->amount < 0)
		return false;
	for (const struct query *query = first; query;
	     query = query->mate, ++*last)
		if (query->op != OP_CONSUME || query->limit->shadow ||
		    query->amount != first->amount ||
		    numbers[query->entry] != *last)
			return false;
	--*last;
	return true;
}

/* "AMOUNT:FIRST-LAST". */
static void
plan_write_range(
    int64_t amount, unsigned first, unsigned last, struct command *command)
{
	char text[3 * NUM_MAX_LEN + 2];
	size_t len = num_write_int(text, amount);

	text[len++] = ':';
	len += num_write_int(text + len, first);
	text[len++] = '-';
	len += num_write_int(text + len, last);
	command_add(command, text, len);
}

/* ${numbers} has the number, from 1, that each entry has in the call; a memo
 * has ${names}. */
static void
plan_write_step(const struct query *query, int64_t count, unsigned names,
    const uint16_t *numbers, struct command *command)
{
	char text[2 * NUM_MAX_LEN + 2 +
		  MATES_MAX * (NUM_MAX_LEN + OP_TEXT_MAX + 3)];
	size_t len = query->once ? plan_write_id(text, query, names) : 0;
	unsigned last;

	if (plan_is_range(query, numbers, &last)) {
		plan_write_range(
		    query->amount, numbers[query->entry], last, command);
		return;
	}
	for (; query; query = query->mate) {
		if (len > 0)
			text[len++] = ' ';
		len += plan_write_op(
		    text + len, numbers[query->entry], query, count);
	}
	command_add(command, text, len);
}

void
plan_write_memo_names(const struct batch *batch, const char *prefix,
    const struct partitions *partitions, struct command *command)
{
	char name[FIELD_MEMO_MAX];

	for (const struct query *query = batch->first; query;
	     query = query->next) {
		const char *tag = partition_tag(partitions, query->partition);
		const struct once *once = query->once;

		for (unsigned i = 0; once && i <= batch->olds; i++)
			command_add(command, name,
			    field_memo_name(prefix, tag,
				buf_data(&batch->keys) + once->name_at +
				    (size_t)i * KEY_NAME_LEN,
				once->name_len, name));
	}
}

void
plan_write_steps(struct batch *batch, struct command *command)
{
	uint16_t numbers[BATCH_ENTRIES];
	int64_t count;

	for (unsigned i = 0; i < batch->count; i++)
		numbers[batch->order[i]] = (uint16_t)(i + 1);
	for (const struct query *query = batch->first, *end; query;
	     query = end->next) {
		end = plan_run_end(query, &count);
		if (plan_is_written(query))
			plan_write_step(
			    query, count, 1 + batch->olds, numbers, command);
	}
}

/*
 * Deciding.
 */

/* A bucket, step after step. */
struct plan_bucket {
	struct bucket bucket;
	bool is_strange; /* its text is not a bucket's */
};

static void
plan_give_result(struct query *query, const struct mate_bucket *at)
{
	query->decided_by = DECIDED_BY_REDIS;
	query->decided_us = at->now_us;
	query->bucket = at->bucket;
}

/* The id of the step came before.  Return whether the text is a memo. */
static bool
plan_repeat_step(struct query *first, const redisReply *text)
{
	struct memo memo;
	const struct mate_bucket *at = memo.buckets;

	switch (memo_read(&memo, first, text->str, text->len)) {
	case MEMO_READ:
		break;
	case MEMO_OTHER:
		first->once->result = ONCE_OTHER;
		mates_abandon(first, UNAVAILABLE_REFUSED);
		return true;
	case MEMO_STRANGE:
		mates_abandon(first, UNAVAILABLE_REFUSED);
		return false;
	}
	first->once->result = ONCE_REPEATED;
	mates_decide(first, memo.buckets);
	mates_settle(first, memo.got, memo.passed);
	for (struct query *query = first; query; query = query->mate)
		plan_give_result(query, at++);
	return true;
}

/* Repeat what the script did.  A step about a bucket that is none was left out
 * there. */
static void
plan_decide_step(
    struct query *first, struct plan_bucket *buckets, int64_t now_us)
{
	struct mate_bucket at[MATES_MAX];
	unsigned i = 0;

	for (struct query *query = first; query; query = query->mate, i++) {
		at[i] = (struct mate_bucket){
		    now_us, buckets[query->entry].bucket, false};
		if (buckets[query->entry].is_strange) {
			mates_abandon(first, UNAVAILABLE_REFUSED);
			return;
		}
	}
	mates_decide(first, at);
	i = 0;
	for (struct query *query = first; query; query = query->mate, i++) {
		buckets[query->entry].bucket = at[i].bucket;
		plan_give_result(query, &at[i]);
	}
}

/* Have room for the logs of all buckets. */
static bool
plan_make_logs(struct batch *batch, const redisReply *reply)
{
	size_t size = 0;

	for (unsigned i = 0; i < batch->count; i++)
		size += batch_log_size(
		    &batch->entries[batch->order[i]], reply->element[i + 2]);
	return batch_make_logs(batch, size);
}

/* Read the buckets of the reply.  Return how many are none. */
static int
plan_read_buckets(const struct batch *batch, const redisReply *reply,
    struct plan_bucket *buckets, const char **foreign)
{
	char *log = batch->logs;
	int strange = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		const redisReply *text = reply->element[i + 2];
		unsigned entry = batch->order[i];
		struct plan_bucket *to = &buckets[entry];

		to->is_strange = !batch_read_bucket(
		    &batch->entries[entry], text, log, &to->bucket);
		log += batch_log_size(&batch->entries[entry], text);
		if (to->is_strange) {
			*foreign = text->str;
			strange++;
		}
	}
	return strange;
}

int
plan_take_reply(
    struct batch *batch, const redisReply *reply, const char **foreign)
{
	struct plan_bucket buckets[BATCH_ENTRIES];
	struct query *query = batch->first;
	redisReply *const *memo = &reply->element[batch->count + 2];
	int strange;

	if (!plan_make_logs(batch, reply)) {
		batch_abandon_queries(query, UNAVAILABLE_REFUSED);
		return 0;
	}
	strange = plan_read_buckets(batch, reply, buckets, foreign);
	while (query) {
		struct query *next = query->next;
		const redisReply *text = query->once ? *memo++ : NULL;

		if (!text || text->type == REDIS_REPLY_NIL) {
			plan_decide_step(query, buckets, batch->decided_us);
		} else if (!plan_repeat_step(query, text)) {
			*foreign = text->str;
			strange++;
		}
		query->done(query);
		query = next;
	}
	return strange;
}
