/*
 * Gathers queries by bucket, writes the call of a script, and repeats on each
 * bucket what the script did.  Each query that was added gets its result once.
 * The heart: batch_add(), batch_take_reply().
 */
#include "store/redis/batch.h"

#include "base/num.h"
#include "limit/algorithm.h"
#include "redis/reply.h"
#include "store/redis/field.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A hash expires an hour after the last bucket in it is drained, in case no
 * daemon is left to sweep it. */
#define AFTERLIFE_MS 3600000

/* The place in the index of the query's bucket, or the free one where it
 * belongs. */
static unsigned
batch_find(const struct batch *batch, const struct query *query)
{
	const struct key *key = &query->key;
	size_t at = (key->hash.lo ^ query->limit->id.lo) & (BATCH_INDEX - 1);

	for (;; at = (at + 1) & (BATCH_INDEX - 1)) {
		const struct entry *entry;

		if (batch->index[at] == 0)
			return (unsigned)at;
		entry = &batch->entries[batch->index[at] - 1];
		if (hash128_equal(entry->hash, key->hash) &&
		    hash128_equal(entry->limit->id, query->limit->id))
			return (unsigned)at;
	}
}

/* Whether the batch has the bucket under another limit: limits that came with
 * requests share their buckets. */
static bool
batch_has_conflict(const struct batch *batch, const struct query *query)
{
	unsigned found;

	if (!query->limit->is_inline)
		return false;
	found = batch->index[batch_find(batch, query)];
	return found > 0 && batch->entries[found - 1].limit != query->limit;
}

/* Whether its fields have their names by the secrets that are in use now: a
 * batch of another algorithm may have looked at them since. */
static bool
batch_has_names(const struct batch *batch)
{
	return !batch->names ||
	       batch->names_version == key_names_version(batch->names);
}

bool
batch_has_room(const struct batch *batch, const struct query *query)
{
	return batch->count < BATCH_ENTRIES && batch->queries < BATCH_QUERIES &&
	       (batch->count == 0 ||
		   (batch->rules == query->rules && batch_has_names(batch) &&
		       batch->algorithm == query->limit->algorithm &&
		       !batch_has_conflict(batch, query)));
}

/* Add the key as a field, or the names that it has instead. */
static int
batch_add_field(
    struct batch *batch, struct entry *entry, const struct query *query)
{
	const struct key *key = &query->key;

	if (!batch->names)
		return buf_add(&batch->keys, key->bytes, key->len);
	entry->key_len = KEY_NAME_LEN;
	return key_names_add(
	    batch->names, query->limit, key->bytes, key->len, &batch->keys);
}

static int
batch_add_entry(struct batch *batch, struct query *query, uint16_t *place)
{
	struct entry *entry = &batch->entries[batch->count];

	*entry = (struct entry){
	    .limit = query->limit,
	    .hash = query->key.hash,
	    .key_at = (uint32_t)buf_len(&batch->keys),
	    .key_len = (uint16_t)query->key.len,
	    .partition = query->partition,
	    .first = query,
	    .last = query,
	};
	if (batch_add_field(batch, entry, query) == -1)
		return -1;
	*place = (uint16_t)++batch->count;
	return 0;
}

/* The first bucket decides by which secrets all have their names. */
static void
batch_start_names(struct batch *batch)
{
	batch->olds = 0;
	if (!batch->names)
		return;
	batch->names_version = key_names_renew(batch->names);
	batch->olds = key_names_count(batch->names) - 1;
}

int
batch_add(struct batch *batch, struct query *query)
{
	uint16_t *place = &batch->index[batch_find(batch, query)];

	query->next = NULL;
	if (batch->count == 0) {
		batch->rules = query->rules;
		batch->algorithm = query->limit->algorithm;
		batch->call.script = batch->algorithm->batch;
		batch_start_names(batch);
	}
	if (*place) {
		struct entry *entry = &batch->entries[*place - 1];

		entry->last->next = query;
		entry->last = query;
	} else if (batch_add_entry(batch, query, place) == -1) {
		return -1;
	}
	batch->queries++;
	return 0;
}

static bool
batch_is_same_hash(const struct entry *a, const struct entry *b)
{
	return a->limit == b->limit && a->partition == b->partition;
}

static int
batch_by_hash(const void *a, const void *b, void *arg)
{
	const struct entry *entries = arg;
	const uint16_t *i = a, *k = b;
	unsigned left = entries[*i].limit->order;
	unsigned right = entries[*k].limit->order;

	if (left == right) {
		left = entries[*i].partition;
		right = entries[*k].partition;
	}
	return left != right ? (left > right) - (left < right)
			     : (*i > *k) - (*i < *k);
}

/* Sort the entries of one limit by counting: this is the common case. */
static void
batch_sort_by_partition(struct batch *batch)
{
	uint16_t next[PARTITIONS_MAX] = {0};
	unsigned sum = 0;

	for (unsigned i = 0; i < batch->count; i++)
		next[batch->entries[i].partition]++;
	for (unsigned p = 0; sum < batch->count; p++) {
		unsigned count = next[p];

		next[p] = (uint16_t)sum;
		sum += count;
	}
	for (unsigned i = 0; i < batch->count; i++)
		batch->order[next[batch->entries[i].partition]++] = (uint16_t)i;
}

static void
batch_sort_entries(struct batch *batch)
{
	const struct entry *first = &batch->entries[0];
	bool has_limits = false, has_partitions = false;

	for (unsigned i = 0; i < batch->count; i++) {
		batch->order[i] = (uint16_t)i;
		has_limits |= batch->entries[i].limit != first->limit;
		has_partitions |=
		    batch->entries[i].partition != first->partition;
	}
	if (has_limits)
		qsort_r(batch->order, batch->count, sizeof(batch->order[0]),
		    batch_by_hash, batch->entries);
	else if (has_partitions)
		batch_sort_by_partition(batch);
}

static const struct entry *
batch_entry_at(const struct batch *batch, unsigned i)
{
	return &batch->entries[batch->order[i]];
}

/* Mostly each bucket of a limit has one query, with the same amount. */
static bool
batch_is_alike(const struct query *query, const struct query *other)
{
	return !query->next && query->op == OP_CONSUME &&
	       query->op == other->op && query->amount == other->amount;
}

static struct group
batch_group_at(const struct batch *batch, unsigned first)
{
	const struct entry *head = batch_entry_at(batch, first);
	struct group group = {
	    head->limit, head->partition, first, 0, head->first};

	for (unsigned i = first; i < batch->count; i++) {
		const struct entry *entry = batch_entry_at(batch, i);

		if (!batch_is_same_hash(entry, head))
			break;
		if (group.same && !batch_is_alike(entry->first, head->first))
			group.same = NULL;
		group.count++;
	}
	return group;
}

static void
batch_find_groups(struct batch *batch)
{
	unsigned count = 0;

	for (unsigned i = 0; i < batch->count;
	     i += batch->groups[count++].count)
		batch->groups[count] = batch_group_at(batch, i);
	batch->group_count = count;
}

/* Count: the number of hashes, the hashes, and the arguments of each. */
static size_t
batch_count_arguments(const struct batch *batch)
{
	size_t arguments = 1 + batch->group_count;

	for (unsigned i = 0; i < batch->group_count; i++) {
		const struct group *group = &batch->groups[i];

		arguments +=
		    batch->algorithm->parameters + 3 +
		    group->count * (batch->olds + (group->same ? 1 : 2));
	}
	return arguments;
}

/* Append one run of equal queries, "AMOUNT", "AMOUNT*COUNT" or "r".  Peeks are
 * not written: their results follow from the bucket in the reply. */
static void
batch_write_run(struct command *command, struct buf *ops,
    const struct query *query, int64_t count)
{
	char *room = buf_reserve(ops, 2 * NUM_MAX_LEN + 2);
	size_t len = 0;

	if (!room)
		command->failed = true;
	if (!room || query->op == OP_PEEK)
		return;
	if (buf_len(ops) > 0)
		room[len++] = ' ';
	if (query->op == OP_RESET) {
		room[len++] = 'r';
	} else {
		len += num_write_int(room + len, query->amount);
		if (count > 1) {
			room[len++] = '*';
			len += num_write_int(room + len, count);
		}
	}
	buf_commit(ops, len);
}

static void
batch_write_ops(
    struct command *command, struct buf *ops, const struct query *query)
{
	while (query) {
		const struct query *run = query;
		int64_t count = 0;

		while (query && query->op == run->op &&
		       query->amount == run->amount) {
			query = query->next;
			count++;
		}
		batch_write_run(command, ops, run, count);
	}
	command_add(command, buf_data(ops), buf_len(ops));
	buf_consume(ops, buf_len(ops));
}

/* The number of buckets and, if there are any, that of older names. */
static void
batch_write_count(
    const struct batch *batch, unsigned count, struct command *command)
{
	char text[2 * NUM_MAX_LEN + 2];
	size_t len = num_write_int(text, count);

	if (batch->olds > 0) {
		text[len++] = ' ';
		len += num_write_int(text + len, batch->olds);
	}
	command_add(command, text, len);
}

/* The fields of a group, by the name at place ${name} of each. */
static void
batch_write_fields(struct batch *batch, const struct group *group,
    unsigned name, struct command *command)
{
	for (unsigned i = 0; i < group->count; i++) {
		const struct entry *entry =
		    batch_entry_at(batch, group->first + i);
		size_t at = entry->key_at + (size_t)name * KEY_NAME_LEN;

		command_add(
		    command, buf_data(&batch->keys) + at, entry->key_len);
	}
}

static void
batch_write_group(
    struct batch *batch, const struct group *group, struct command *command)
{
	struct buf *ops = &batch->ops;
	const struct limit *limit = group->limit;
	unsigned end = group->first + group->count;
	struct algorithm_parameters parameters = {0};

	limit->algorithm->add_parameters(limit, &parameters);
	for (size_t i = 0; i < parameters.count; i++)
		command_add(command, parameters.text[i], parameters.len[i]);
	command_add_int(command, limit_life_us(limit) / 1000 + AFTERLIFE_MS);
	batch_write_count(batch, group->count, command);
	batch_write_ops(command, ops, group->same);
	for (unsigned name = 0; name <= batch->olds; name++)
		batch_write_fields(batch, group, name, command);
	for (unsigned i = group->first; i < end && !group->same; i++)
		batch_write_ops(command, ops, batch_entry_at(batch, i)->first);
}

void
batch_write(struct batch *batch, const char *prefix,
    const struct partitions *partitions, struct command *command)
{
	char name[FIELD_HASH_MAX];

	batch_sort_entries(batch);
	batch_find_groups(batch);
	script_begin(command, &batch->call, batch_count_arguments(batch));
	command_add_int(command, batch->group_count);
	for (unsigned i = 0; i < batch->group_count; i++) {
		const struct group *group = &batch->groups[i];
		const char *tag = partition_tag(partitions, group->partition);

		command_add(command, name,
		    field_hash_name(prefix, tag, group->limit, name));
	}
	for (unsigned i = 0; i < batch->group_count; i++)
		batch_write_group(batch, &batch->groups[i], command);
}

static void
batch_result(struct query *query, const struct limit *limit, int64_t now_us,
    struct bucket *bucket)
{
	decide(
	    limit, query->op, query->amount, now_us, bucket, &query->decision);
	query->decided_by = DECIDED_BY_REDIS;
	query->decided_us = now_us;
	query->bucket = *bucket;
	query->result = query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
	query->done(query);
}

static void
batch_abandon_entry(struct entry *entry, enum unavailable why)
{
	struct query *query = entry->first;

	while (query) {
		struct query *next = query->next;

		query->result = RESULT_UNAVAILABLE;
		query->why = why;
		query->done(query);
		query = next;
	}
}

/* Repeat on a bucket what the script did.  Return whether its text is a
 * bucket's. */
static bool
batch_decide_entry(struct entry *entry, const redisReply *text, int64_t now_us)
{
	struct bucket bucket = {0};
	struct query *query = entry->first;

	if (text->type == REDIS_REPLY_STRING &&
	    !entry->limit->algorithm->read(
		entry->limit, text->str, text->len, &bucket)) {
		batch_abandon_entry(entry, UNAVAILABLE_REFUSED);
		return false;
	}
	while (query) {
		struct query *next = query->next;

		batch_result(query, entry->limit, now_us, &bucket);
		query = next;
	}
	return true;
}

static int64_t
batch_check_reply(const struct batch *batch, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != batch->count + 2)
		return -1;
	for (size_t i = 2; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING &&
		    reply->element[i]->type != REDIS_REPLY_NIL)
			return -1;
	return reply_read_time(reply->element[0], reply->element[1]);
}

int
batch_take_reply(
    struct batch *batch, const redisReply *reply, const char **foreign)
{
	int64_t now_us = batch_check_reply(batch, reply);
	int strange = 0;

	if (now_us == -1)
		return -1;
	batch->decided_us = now_us;
	if (batch->queries == 0)
		return 0;
	batch->queries = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		const redisReply *text = reply->element[i + 2];
		struct entry *entry = &batch->entries[batch->order[i]];

		if (!batch_decide_entry(entry, text, now_us)) {
			*foreign = text->str;
			strange++;
		}
	}
	return strange;
}

void
batch_abandon(struct batch *batch, enum unavailable why)
{
	if (batch->queries == 0)
		return;
	batch->queries = 0;
	for (unsigned i = 0; i < batch->count; i++)
		batch_abandon_entry(&batch->entries[i], why);
}
