/*
 * Job: writes a batch as the call of a script.
 * Invariant: the entries of one hash are together in the call, in the order
 * that batch->order has.
 * The heart: batch_write().
 */
#include "store/redis/batch.h"

#include "base/num.h"
#include "limit/algorithm.h"
#include "store/redis/field.h"
#include "store/redis/op_text.h"
#include "store/redis/plan.h"

#include <stdlib.h>
#include <string.h>

/* A hash expires an hour after the last bucket in it is drained, in case no
 * daemon is left to sweep it. */
#define AFTERLIFE_MS 3600000

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
	/* An override makes another one of a limit. */
	if (left == right && entries[*i].limit != entries[*k].limit)
		return entries[*i].limit > entries[*k].limit ? 1 : -1;
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
	return !query->next && op_puts(query->op) &&
	       query_is_alike(query, other);
}

static struct group
batch_group_at(const struct batch *batch, unsigned first)
{
	const struct entry *head = batch_entry_at(batch, first);
	struct group group = {head->limit, head->partition, first, 0,
	    batch->is_plan ? NULL : head->first};

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

/* Those of a group: parameters, time to live, count and fields.  In a plan, the
 * algorithm as well; else the operations, for all or for each. */
static size_t
batch_count_group(const struct batch *batch, const struct group *group)
{
	size_t count = group->limit->algorithm->parameters + 3 +
		       (size_t)group->count * (1 + batch->olds);

	return batch->is_plan || group->same ? count : count + group->count;
}

/* Older names of each hash. */
static unsigned
batch_old_hashes(const struct batch *batch)
{
	return batch->names && key_names_hide_limits(batch->names) ? batch->olds
								   : 0;
}

/* Hashes, with their older names. */
static size_t
batch_count_hashes(const struct batch *batch)
{
	return (size_t)batch->group_count * (1 + batch_old_hashes(batch));
}

/* The names of memos. */
static size_t
batch_count_memos(const struct batch *batch)
{
	return (size_t)batch->ids * (1 + batch->olds);
}

/* The number of keys, the hashes, the arguments of each, and the steps; in a
 * plan, the names of memos, and the number of hashes. */
static size_t
batch_count_arguments(const struct batch *batch)
{
	size_t arguments = 1 + batch_count_hashes(batch);

	for (unsigned i = 0; i < batch->group_count; i++)
		arguments += batch_count_group(batch, &batch->groups[i]);
	if (batch->is_plan)
		arguments +=
		    1 + batch_count_memos(batch) + plan_count_steps(batch);
	return arguments;
}

/* Append one run of equal queries.  Peeks are not written: their results follow
 * from the bucket in the reply. */
static void
batch_write_run(struct command *command, struct buf *ops,
    const struct query *query, int64_t count)
{
	char *room = buf_reserve(ops, 1 + OP_TEXT_MAX);
	size_t len = 0;

	if (!room)
		command->failed = true;
	if (!room || query->op == OP_PEEK)
		return;
	if (buf_len(ops) > 0)
		room[len++] = ' ';
	len += op_text_write(room + len, query, count);
	buf_commit(ops, len);
}

static void
batch_write_ops(
    struct command *command, struct buf *ops, const struct query *query)
{
	while (query) {
		const struct query *run = query;
		int64_t count = 0;

		while (query && query_is_alike(query, run)) {
			query = query->next;
			count++;
		}
		batch_write_run(command, ops, run, count);
	}
	command_add(command, buf_data(ops), buf_len(ops));
	buf_consume(ops, buf_len(ops));
}

/* The number of buckets and, if there are any, that of older names, and of
 * those of the hash. */
static void
batch_write_count(
    const struct batch *batch, unsigned count, struct command *command)
{
	char text[3 * NUM_MAX_LEN + 3];
	unsigned hashes = batch_old_hashes(batch);
	size_t len = num_write_int(text, count);

	if (batch->olds > 0) {
		text[len++] = ' ';
		len += num_write_int(text + len, batch->olds);
	}
	if (hashes > 0) {
		text[len++] = ' ';
		len += num_write_int(text + len, hashes);
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
batch_write_group(struct batch *batch, const struct group *group,
    int64_t now_us, struct command *command)
{
	struct buf *ops = &batch->ops;
	const struct limit *limit = group->limit;
	unsigned end = group->first + group->count;
	struct algorithm_parameters parameters = {0};

	if (batch->is_plan)
		command_add(command, limit->algorithm->script,
		    strlen(limit->algorithm->script));
	limit->algorithm->add_parameters(limit, now_us, &parameters);
	for (size_t i = 0; i < parameters.count; i++)
		command_add(command, parameters.text[i], parameters.len[i]);
	command_add_int(command, limit_life_us(limit) / 1000 + AFTERLIFE_MS);
	batch_write_count(batch, group->count, command);
	if (!batch->is_plan)
		batch_write_ops(command, ops, group->same);
	for (unsigned name = 0; name <= batch->olds; name++)
		batch_write_fields(batch, group, name, command);
	if (batch->is_plan || group->same)
		return;
	for (unsigned i = group->first; i < end; i++)
		batch_write_ops(command, ops, batch_entry_at(batch, i)->first);
}

static void
batch_write_hash(const struct group *group, const char *prefix, const char *tag,
    const char *name, struct command *command)
{
	char hash[FIELD_HASH_MAX];

	command_add(command, hash,
	    field_hash_name(prefix, tag, name, group->limit, hash));
}

/* All names of the hash, none of which tells its limit. */
static void
batch_write_hidden(struct batch *batch, const struct group *group,
    const char *prefix, const char *tag, struct command *command)
{
	struct buf *names = &batch->ops;

	if (key_names_add(batch->names, group->limit->name, "", 0, names) == -1)
		command->failed = true;
	while (buf_len(names) > 0) {
		char name[KEY_NAME_LEN + 1] = "";

		memcpy(name, buf_data(names), KEY_NAME_LEN);
		batch_write_hash(group, prefix, tag, name, command);
		buf_consume(names, KEY_NAME_LEN);
	}
}

static void
batch_write_hashes(struct batch *batch, const char *prefix,
    const struct partitions *partitions, struct command *command)
{
	bool hidden = batch->names && key_names_hide_limits(batch->names);

	command_add_int(command,
	    (int64_t)(batch_count_hashes(batch) + batch_count_memos(batch)));
	for (unsigned i = 0; i < batch->group_count; i++) {
		const struct group *group = &batch->groups[i];
		const char *tag = partition_tag(partitions, group->partition);

		if (hidden)
			batch_write_hidden(batch, group, prefix, tag, command);
		else
			batch_write_hash(
			    group, prefix, tag, group->limit->name, command);
	}
}

void
batch_write(struct batch *batch, const struct batch_target *target,
    struct command *command)
{
	batch_sort_entries(batch);
	batch_find_groups(batch);
	script_begin(command, &batch->call, batch_count_arguments(batch));
	batch_write_hashes(batch, target->prefix, target->partitions, command);
	if (batch->is_plan) {
		plan_write_memo_names(
		    batch, target->prefix, target->partitions, command);
		command_add_int(command, (int64_t)batch_count_hashes(batch));
	}
	for (unsigned i = 0; i < batch->group_count; i++)
		batch_write_group(
		    batch, &batch->groups[i], target->now_us, command);
	if (batch->is_plan)
		plan_write_steps(batch, command);
}
