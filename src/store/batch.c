#include "store/batch.h"

#include "base/num.h"
#include "limit/decide.h"
#include "redis/script.h"
#include "store/field.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A hash outlives the last bucket in it by an hour, for the day when no daemon
 * is left to sweep it. */
#define AFTERLIFE_MS 3600000

struct batch *
batch_new(void)
{
	return calloc(1, sizeof(struct batch));
}

void
batch_clear(struct batch *batch)
{
	batch->next = NULL;
	batch->rules = NULL;
	batch->resent = false;
	batch->count = 0;
	batch->asks = 0;
	buf_take(&batch->keys, buf_len(&batch->keys));
	memset(batch->index, 0, sizeof(batch->index));
}

void
batch_free(struct batch *batch)
{
	if (!batch)
		return;
	assert(batch->asks == 0);
	buf_free(&batch->keys);
	buf_free(&batch->ops);
	free(batch);
}

static bool
is_same(const struct hash128 *a, const struct hash128 *b)
{
	return a->lo == b->lo && a->hi == b->hi;
}

/* The place in the index where the bucket stands, or is to stand. */
static unsigned
find(const struct batch *batch, const struct ask *ask)
{
	const struct key *key = &ask->key;
	size_t at = (key->hash.lo ^ ask->limit->id.lo) & (BATCH_INDEX - 1);

	for (;; at = (at + 1) & (BATCH_INDEX - 1)) {
		const struct entry *entry;

		if (batch->index[at] == 0)
			return (unsigned)at;
		entry = &batch->entries[batch->index[at] - 1];
		if (is_same(&entry->hash, &key->hash) &&
		    is_same(&entry->limit->id, &ask->limit->id))
			return (unsigned)at;
	}
}

/* Whether the bucket stands there under another limit: of those that came with
 * requests, all have their buckets in common. */
static bool
has_conflict(const struct batch *batch, const struct ask *ask)
{
	unsigned found;

	if (!ask->limit->is_inline)
		return false;
	found = batch->index[find(batch, ask)];
	return found > 0 && batch->entries[found - 1].limit != ask->limit;
}

bool
batch_has_room(const struct batch *batch, const struct ask *ask)
{
	return batch->count < BATCH_ENTRIES && batch->asks < BATCH_ASKS &&
	       (batch->count == 0 ||
		   (batch->rules == ask->rules &&
		       batch->algorithm == ask->limit->algorithm &&
		       !has_conflict(batch, ask)));
}

static int
add_entry(struct batch *batch, struct ask *ask, uint16_t *place)
{
	struct entry *entry = &batch->entries[batch->count];

	*entry = (struct entry){
	    .limit = ask->limit,
	    .hash = ask->key.hash,
	    .key_at = (uint32_t)buf_len(&batch->keys),
	    .key_len = (uint32_t)ask->key.len,
	    .first = ask,
	    .last = ask,
	};
	if (buf_add(&batch->keys, ask->key.bytes, ask->key.len) == -1)
		return -1;
	*place = (uint16_t)++batch->count;
	return 0;
}

int
batch_add(struct batch *batch, struct ask *ask)
{
	uint16_t *place = &batch->index[find(batch, ask)];

	ask->next = NULL;
	if (batch->count == 0) {
		batch->rules = ask->rules;
		batch->algorithm = ask->limit->algorithm;
	}
	if (*place) {
		struct entry *entry = &batch->entries[*place - 1];

		entry->last->next = ask;
		entry->last = ask;
	} else if (add_entry(batch, ask, place) == -1) {
		return -1;
	}
	batch->asks++;
	return 0;
}

static int
by_limit(const void *a, const void *b, void *arg)
{
	const struct entry *entries = arg;
	const uint16_t *i = a, *k = b;
	unsigned left = entries[*i].limit->order;
	unsigned right = entries[*k].limit->order;

	return left != right ? (left > right) - (left < right)
			     : (*i > *k) - (*i < *k);
}

static void
sort_entries(struct batch *batch)
{
	bool mixed = false;

	for (unsigned i = 0; i < batch->count; i++) {
		batch->order[i] = (uint16_t)i;
		mixed |= batch->entries[i].limit != batch->entries[0].limit;
	}
	if (mixed)
		qsort_r(batch->order, batch->count, sizeof(batch->order[0]),
		    by_limit, batch->entries);
}

static const struct entry *
entry_at(const struct batch *batch, unsigned i)
{
	return &batch->entries[batch->order[i]];
}

/* Mostly each bucket of a limit is asked about once, with the same amount. */
static bool
is_alike(const struct ask *ask, const struct ask *other)
{
	return !ask->next && ask->op == OP_CONSUME && ask->op == other->op &&
	       ask->amount == other->amount;
}

static struct group
group_at(const struct batch *batch, unsigned first)
{
	const struct entry *head = entry_at(batch, first);
	struct group group = {head->limit, first, 0, head->first};

	for (unsigned i = first; i < batch->count; i++) {
		const struct entry *entry = entry_at(batch, i);

		if (entry->limit != head->limit)
			break;
		if (group.same && !is_alike(entry->first, head->first))
			group.same = NULL;
		group.count++;
	}
	return group;
}

static void
find_groups(struct batch *batch)
{
	unsigned count = 0;

	for (unsigned i = 0; i < batch->count;
	     i += batch->groups[count++].count)
		batch->groups[count] = group_at(batch, i);
	batch->group_count = count;
}

/* EVALSHA, the script, how many hashes; the hashes; what goes with each. */
static size_t
count_arguments(const struct batch *batch)
{
	size_t arguments = 3 + batch->group_count;

	for (unsigned i = 0; i < batch->group_count; i++) {
		const struct group *group = &batch->groups[i];

		arguments += 6 + group->count * (group->same ? 1 : 2);
	}
	return arguments;
}

/* Append one run of equal questions, "AMOUNT", "AMOUNT*COUNT" or "r"; peeks
 * leave the bucket alone and are answered from what it was. */
static void
write_run(struct command *command, struct buf *ops, const struct ask *ask,
    int64_t count)
{
	char *room = buf_room(ops, 2 * NUM_MAX_LEN + 2);
	size_t len = 0;

	if (!room)
		command->failed = true;
	if (!room || ask->op == OP_PEEK)
		return;
	if (buf_len(ops) > 0)
		room[len++] = ' ';
	if (ask->op == OP_RESET) {
		room[len++] = 'r';
	} else {
		len += num_write_int(room + len, ask->amount);
		if (count > 1) {
			room[len++] = '*';
			len += num_write_int(room + len, count);
		}
	}
	buf_grow(ops, len);
}

static void
write_ops(struct command *command, struct buf *ops, const struct ask *ask)
{
	while (ask) {
		const struct ask *run = ask;
		int64_t count = 0;

		while (ask && ask->op == run->op &&
		       ask->amount == run->amount) {
			ask = ask->next;
			count++;
		}
		write_run(command, ops, run, count);
	}
	command_add(command, buf_head(ops), buf_len(ops));
	buf_take(ops, buf_len(ops));
}

static void
write_group(struct batch *batch, const struct group *group,
    struct command *command)
{
	struct buf *ops = &batch->ops;
	const struct limit *limit = group->limit;
	bool window = limit->algorithm == ALGORITHM_FIXED_WINDOW;
	unsigned end = group->first + group->count;

	command_add_int(command, limit->capacity);
	command_add_int(
	    command, window ? limit->window_us : limit->recharge_us);
	command_add_int(command, limit->block_us);
	command_add_int(command, limit_life_us(limit) / 1000 + AFTERLIFE_MS);
	command_add_int(command, group->count);
	write_ops(command, ops, group->same);
	for (unsigned i = group->first; i < end; i++) {
		const struct entry *entry = entry_at(batch, i);

		command_add(command, buf_head(&batch->keys) + entry->key_at,
		    entry->key_len);
	}
	for (unsigned i = group->first; i < end && !group->same; i++)
		write_ops(command, ops, entry_at(batch, i)->first);
}

void
batch_write(struct batch *batch, const char *prefix, struct command *command)
{
	char name[FIELD_HASH_MAX];

	sort_entries(batch);
	find_groups(batch);
	command_start(command, count_arguments(batch));
	command_add_text(command, "EVALSHA");
	command_add_text(command,
	    script_sha(batch->algorithm == ALGORITHM_FIXED_WINDOW
			   ? SCRIPT_FIXED_WINDOW
			   : SCRIPT_LEAKY_BUCKET));
	command_add_int(command, batch->group_count);
	for (unsigned i = 0; i < batch->group_count; i++)
		command_add(command, name,
		    field_hash_name(prefix, batch->groups[i].limit, name));
	for (unsigned i = 0; i < batch->group_count; i++)
		write_group(batch, &batch->groups[i], command);
}

static void
answer(struct ask *ask, const struct limit *limit, int64_t now_us,
    struct bucket *bucket)
{
	decide(limit, ask->op, ask->amount, now_us, bucket, &ask->decision);
	ask->from = FROM_REDIS;
	ask->decided_us = now_us;
	ask->bucket = *bucket;
	ask->answer =
	    ask->op == OP_RESET ? ANSWER_DONE : ANSWER_DECISION;
	ask->done(ask);
}

static void
abandon(struct entry *entry)
{
	struct ask *ask = entry->first;

	while (ask) {
		struct ask *next = ask->next;

		ask->answer = ANSWER_UNAVAILABLE;
		ask->done(ask);
		ask = next;
	}
}

/* Repeat on a bucket what the script did.  Return whether it was ours. */
static bool
answer_entry(
    struct entry *entry, const redisReply *text, int64_t now_us)
{
	struct bucket bucket = {0};
	struct ask *ask = entry->first;

	if (text->type == REDIS_REPLY_STRING &&
	    !field_read(entry->limit, text->str, text->len, &bucket)) {
		abandon(entry);
		return false;
	}
	while (ask) {
		struct ask *next = ask->next;

		answer(ask, entry->limit, now_us, &bucket);
		ask = next;
	}
	return true;
}

/* The server's time, from the first two elements; or -1. */
static int64_t
read_time(const redisReply *reply)
{
	const redisReply *s = reply->element[0], *us = reply->element[1];
	int64_t seconds, micros;

	if (s->type != REDIS_REPLY_STRING || us->type != REDIS_REPLY_STRING ||
	    num_read_int(s->str, s->len, 0, INT64_C(1) << 32, &seconds) ||
	    num_read_int(us->str, us->len, 0, 999999, &micros))
		return -1;
	return seconds * 1000000 + micros;
}

static int64_t
check_reply(const struct batch *batch, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY ||
	    reply->elements != batch->count + 2)
		return -1;
	for (size_t i = 2; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING &&
		    reply->element[i]->type != REDIS_REPLY_NIL)
			return -1;
	return read_time(reply);
}

int
batch_answer(
    struct batch *batch, const redisReply *reply, const char **foreign)
{
	int64_t now_us = check_reply(batch, reply);
	int strange = 0;

	if (now_us == -1)
		return -1;
	if (batch->asks == 0)
		return 0;
	batch->asks = 0;
	for (unsigned i = 0; i < batch->count; i++) {
		const redisReply *text = reply->element[i + 2];
		struct entry *entry = &batch->entries[batch->order[i]];

		if (!answer_entry(entry, text, now_us)) {
			*foreign = text->str;
			strange++;
		}
	}
	return strange;
}

void
batch_abandon(struct batch *batch)
{
	if (batch->asks == 0)
		return;
	batch->asks = 0;
	for (unsigned i = 0; i < batch->count; i++)
		abandon(&batch->entries[i]);
}
