/*
 * Gathers queries by bucket, and repeats on each bucket what the script did.
 * Each query that was added gets its result once.
 * The heart: batch_add(), batch_take_reply().
 */
#include "store/redis/batch.h"

#include "limit/leases.h"
#include "redis/reply.h"
#include "store/mates.h"
#include "store/redis/memo.h"
#include "store/redis/plan.h"

#include <stdlib.h>

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
 * requests share their buckets; and an override that multiplies a limit may
 * end, or be for one of the ways to write a key, and not for the others. */
static bool
batch_has_conflict(const struct batch *batch, const struct query *query)
{
	unsigned found;

	if (!query->limit->is_inline && !rules_has_overrides(query->rules))
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

/* Whether ${query} and its mates can be decided by the same call. */
static bool
batch_has_use(const struct batch *batch, const struct query *query)
{
	if (batch->rules != query->rules || !batch_has_names(batch))
		return false;
	if (!batch->is_plan)
		return batch->algorithm == query->limit->algorithm &&
		       !batch_has_conflict(batch, query);
	for (; query; query = query->mate)
		if (batch_has_conflict(batch, query))
			return false;
	return true;
}

/* The bytes of the longest bucket, if it has a log. */
static size_t
batch_longest(const struct limit *limit)
{
	return limit->algorithm->has_log ? limit->algorithm->longest(limit) : 0;
}

bool
batch_has_room(const struct batch *batch, const struct query *query)
{
	unsigned more = query->mate ? mates_count(query) : 1;
	size_t logs_len = batch->logs_len;

	for (const struct query *mate = query; mate; mate = mate->mate)
		logs_len += batch_longest(mate->limit);
	return batch->count == 0 ||
	       (batch->count + more <= BATCH_ENTRIES &&
		   batch->queries + more <= BATCH_QUERIES &&
		   (!query->once || batch->ids < BATCH_IDS) &&
		   logs_len <= BATCH_LOGS_MAX && batch_has_use(batch, query));
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
	return key_names_add(batch->names, query->limit->name, key->bytes,
	    key->len, &batch->keys);
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
	batch->logs_len += batch_longest(query->limit);
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

/* The first query decides which rules and which script it is. */
static void
batch_start(struct batch *batch, const struct query *query)
{
	batch->rules = query->rules;
	batch->algorithm = batch->is_plan ? NULL : query->limit->algorithm;
	batch->call.script =
	    batch->is_plan ? &script_plan : batch->algorithm->batch;
	batch_start_names(batch);
}

/* Chain the query behind the others about its bucket. */
static int
batch_add_query(struct batch *batch, struct query *query)
{
	uint16_t *place = &batch->index[batch_find(batch, query)];
	struct entry *entry;

	if (!*place)
		return batch_add_entry(batch, query, place);
	entry = &batch->entries[*place - 1];
	entry->last->next = query;
	entry->last = query;
	return 0;
}

/* Find or add the buckets of a step. */
static int
batch_add_step(struct batch *batch, struct query *first)
{
	for (struct query *query = first; query; query = query->mate) {
		uint16_t *place = &batch->index[batch_find(batch, query)];

		if (!*place && batch_add_entry(batch, query, place) == -1)
			return -1;
		query->entry = (uint16_t)(*place - 1);
	}
	if (first->once) {
		if (memo_add_names(first, batch->names, &batch->keys) == -1)
			return -1;
		batch->ids++;
	}
	plan_add_step(batch, first);
	return 0;
}

int
batch_add(struct batch *batch, struct query *query)
{
	query->next = NULL;
	if (batch->count == 0)
		batch_start(batch, query);
	if (batch->is_plan) {
		if (batch_add_step(batch, query) == -1)
			return -1;
		batch->queries += mates_count(query);
		return 0;
	}
	if (batch_add_query(batch, query) == -1)
		return -1;
	batch->queries++;
	return 0;
}

static void
batch_result(struct query *query, int64_t now_us, struct bucket *bucket)
{
	mates_decide_alone(query, now_us, bucket, &query->decision);
	query->decided_by = DECIDED_BY_REDIS;
	query->decided_us = now_us;
	query->bucket = *bucket;
	query->charged = op_puts(query->op) && query->decision.allowed;
	query->result = query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
	query->done(query);
}

void
batch_abandon_queries(struct query *query, enum unavailable why)
{
	while (query) {
		struct query *next = query->next;

		mates_abandon(query, why);
		query->done(query);
		query = next;
	}
}

size_t
batch_log_size(const struct entry *entry, const redisReply *text)
{
	if (!entry->limit->algorithm->has_log)
		return 0;
	return leases_size(leases_room_for(
	    entry->limit, text->type == REDIS_REPLY_STRING ? text->len : 0));
}

bool
batch_make_logs(struct batch *batch, size_t size)
{
	char *logs;

	if (size <= batch->logs_size)
		return true;
	logs = realloc(batch->logs, size);
	if (!logs)
		return false;
	batch->logs = logs;
	batch->logs_size = size;
	return true;
}

bool
batch_read_bucket(const struct entry *entry, const redisReply *text, char *log,
    struct bucket *bucket)
{
	*bucket = (struct bucket){0};
	if (entry->limit->algorithm->has_log)
		bucket->log.log =
		    leases_start(log, batch_log_size(entry, text));
	return text->type != REDIS_REPLY_STRING ||
	       entry->limit->algorithm->read(
		   entry->limit, text->str, text->len, bucket);
}

/* Repeat on a bucket what the script did.  Return whether its text is a
 * bucket's. */
static bool
batch_decide_entry(struct batch *batch, struct entry *entry,
    const redisReply *text, int64_t now_us)
{
	struct bucket bucket;
	struct query *query = entry->first;

	if (!batch_make_logs(batch, batch_log_size(entry, text))) {
		batch_abandon_queries(entry->first, UNAVAILABLE_REFUSED);
		return true;
	}
	if (!batch_read_bucket(entry, text, batch->logs, &bucket)) {
		batch_abandon_queries(entry->first, UNAVAILABLE_REFUSED);
		return false;
	}
	while (query) {
		struct query *next = query->next;

		batch_result(query, now_us, &bucket);
		query = next;
	}
	return true;
}

static int64_t
batch_check_reply(const struct batch *batch, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != batch->count + batch->ids + 2)
		return -1;
	for (size_t i = 2; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING &&
		    reply->element[i]->type != REDIS_REPLY_NIL)
			return -1;
	return reply_read_time(reply->element[0], reply->element[1]);
}

/* Where the texts of the entries are in the reply. */
static void
batch_find_texts(const struct batch *batch, uint16_t *places)
{
	for (unsigned i = 0; i < batch->count; i++)
		places[batch->order[i]] = (uint16_t)(i + 2);
}

/* In the order in which the buckets came: so their queries lie in memory, and
 * so their clients wait for them. */
int
batch_take_reply(
    struct batch *batch, const redisReply *reply, const char **foreign)
{
	int64_t now_us = batch_check_reply(batch, reply);
	uint16_t places[BATCH_ENTRIES];
	int strange = 0;

	if (now_us == -1)
		return -1;
	batch->decided_us = now_us;
	if (batch->queries == 0)
		return 0;
	batch->queries = 0;
	if (batch->is_plan)
		return plan_take_reply(batch, reply, foreign);
	batch_find_texts(batch, places);
	for (unsigned i = 0; i < batch->count; i++) {
		const redisReply *text = reply->element[places[i]];

		if (!batch_decide_entry(
			batch, &batch->entries[i], text, now_us)) {
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
	if (batch->is_plan) {
		batch_abandon_queries(batch->first, why);
		return;
	}
	for (unsigned i = 0; i < batch->count; i++)
		batch_abandon_queries(batch->entries[i].first, why);
}
