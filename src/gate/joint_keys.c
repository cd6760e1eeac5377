/*
 * Job: makes the queries of a joint check, of the keys that a request names and
 * of those that limits charge too.
 * Invariant: each query has a copy of its key, as its limit normalizes it, and
 * no two have one bucket; each holds its limit, if that came with the request.
 * The heart: joint_prepare().
 */
#include "gate/joint_internal.h"

#include "gate/gate.h"
#include "limit/also.h"
#include "limit/normalize.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t
joint_size(const struct check_key *keys, unsigned count)
{
	size_t size = sizeof(struct joint) + count * sizeof(struct query);

	for (unsigned i = 0; i < count; i++)
		size += keys[i].len + NORMALIZE_MORE;
	return size;
}

/* Without its queries.  The id is not cleared, as most have none. */
static void
joint_init(struct joint *joint, struct check *check, unsigned count)
{
	joint->check = check;
	joint->is_spread = joint->postpones = false;
	joint->gives_back = joint->leaves = false;
	joint->decider = joint->waiting = 0;
	joint->once = (struct once){0};
	joint->asked = joint->count = count;
}

struct joint *
joint_new(struct check *check, enum op op, const struct check_key *keys,
    unsigned count)
{
	size_t size = joint_size(keys, count);
	struct joint *joint = malloc(size);
	char *bytes;

	if (!joint)
		return NULL;
	joint_init(joint, check, count);
	joint->bytes = size;
	bytes = (char *)&joint->queries[count];
	for (unsigned i = 0; i < count; i++) {
		struct query *query = &joint->queries[i];
		struct key key;

		memcpy(bytes, keys[i].bytes, keys[i].len);
		key = key_make(bytes, keys[i].len);
		check_init_query(check, query, op, &key, keys[i].amount);
		query->done = joint_on_result;
		query->owner = joint;
		query->decided_by = DECIDED_BY_NONE; /* not yet */
		query->charged = false;
		bytes += keys[i].len + NORMALIZE_MORE;
		if (keys[i].capacity == 0)
			continue;
		query->limit = inline_limits_get(check->gate->inlines,
		    keys[i].capacity, keys[i].recharge_ns);
		if (!query->limit) {
			joint->count = i;
			joint_free(joint);
			return NULL;
		}
	}
	return joint;
}

static void
joint_set_id(struct joint *joint, const char *id, size_t len)
{
	memcpy(joint->id, id, len);
	joint->once = (struct once){.id = joint->id, .len = len};
}

static void
joint_drop_limit(const struct joint *joint, const struct query *query)
{
	if (query->limit && query->limit->is_inline)
		inline_limits_put(joint->check->gate->inlines, query->limit);
}

void
joint_free(struct joint *joint)
{
	for (unsigned i = 0; joint && i < joint->count; i++)
		joint_drop_limit(joint, &joint->queries[i]);
	free(joint);
}

size_t
joint_bytes(const struct joint *joint)
{
	return joint ? joint->bytes : 0;
}

/* The query before number ${i} that is about the same bucket, or NULL.  That
 * one's limit may be multiplied, if an override is for one way to write the key
 * and not for the other. */
static struct query *
joint_find_same(struct joint *joint, unsigned i)
{
	const struct query *query = &joint->queries[i];

	for (unsigned k = 0; k < i; k++) {
		struct query *other = &joint->queries[k];

		if (other->limit &&
		    hash128_equal(other->limit->id, query->limit->id) &&
		    hash128_equal(other->key.hash, query->key.hash))
			return other;
	}
	return NULL;
}

/* Have the query, which has its limit, be about the bucket that this uses: the
 * copy of its key has room. */
static void
joint_normalize(struct query *query, struct rules_scratch *scratch)
{
	char *bytes = (char *)(uintptr_t)query->key.bytes;
	char room[NORMALIZED_MAX];
	const struct key key =
	    normalize_key(query->limit, &query->key, scratch, room);

	if (key.bytes != room)
		return;
	memcpy(bytes, room, key.len);
	query->key = (struct key){bytes, key.len, key.hash};
}

/* Find the limit of query number ${i}.  Return whether it stays one. */
static bool
joint_find_limit(struct joint *joint, unsigned i)
{
	const struct check *check = joint->check;
	struct query *query = &joint->queries[i];
	struct query *same;

	if (!query->limit)
		query->limit = rules_match(
		    query->rules, &query->key, check->gate->scratch);
	if (!query->limit)
		return !check->shows_each &&
		       gate_unmatched(check->gate) != UNMATCHED_ALLOW;
	if (query->limit->normalize)
		joint_normalize(query, check->gate->scratch);
	same = joint_find_same(joint, i);
	if (!same)
		return true;
	same->amount += query->amount;
	joint_drop_limit(joint, query);
	return false;
}

/* Which query number ${i}, which does not stay, has become part of. */
static unsigned char
joint_merged(struct joint *joint, unsigned i)
{
	return joint->queries[i].limit
		   ? (unsigned char)(joint_find_same(joint, i) - joint->queries)
		   : JOINT_NO_QUERY;
}

/* A key without a limit is left out, if it may pass, and if it is not the last
 * one left. */
static void
joint_find_limits(struct joint *joint)
{
	unsigned kept = 0, count = joint->count;

	for (unsigned i = 0; i < count; i++) {
		bool stays;

		if (kept < i)
			joint->queries[kept] = joint->queries[i];
		stays = joint_find_limit(joint, kept) ||
			(kept == 0 && i == count - 1);
		joint->query_of[i] =
		    stays ? (unsigned char)kept : joint_merged(joint, kept);
		kept += stays;
	}
	joint->count = kept;
	for (unsigned i = 0; i < kept; i++)
		if (!joint->queries[i].limit)
			joint->decider = i;
}

/*
 * What limits charge too.
 */

/* Keys being gathered: those that were asked for, and then those of also, of
 * which there are fewer than CHECK_KEYS_MAX, in ${room}. */
struct joint_keys {
	unsigned asked, count;
	struct check_key keys[CHECK_KEYS_MAX];
	struct also_key room[CHECK_KEYS_MAX];
};

/* Add the keys that the limit of ${query} charges with its own, as much.
 * Return OUTCOME_DECISION, or what is wrong. */
static enum check_outcome
joint_add_also(struct joint_keys *keys, const struct query *query,
    struct rules_scratch *scratch)
{
	struct also_key *room = &keys->room[keys->count - keys->asked];
	unsigned count = also_count(query->limit);

	if (keys->count + count > CHECK_KEYS_MAX)
		return OUTCOME_TOOMANY;
	if (also_write_keys(query->limit, &query->key, scratch, room) == -1)
		return OUTCOME_LONGKEY;
	for (; count > 0; count--, room++) {
		keys->keys[keys->count++] =
		    (struct check_key){.bytes = room->bytes,
			.len = room->len,
			.amount = query->amount};
	}
	return OUTCOME_DECISION;
}

/* What ${query} was made of. */
static struct check_key
joint_key_of(const struct query *query)
{
	const struct limit *limit = query->limit;
	struct check_key key = {.bytes = query->key.bytes,
	    .len = query->key.len,
	    .amount = query->amount};

	if (limit && limit->is_inline) {
		key.capacity = limit->capacity;
		key.recharge_ns =
		    limit->recharge_us * 1000 + limit->recharge_ns;
	}
	return key;
}

/* Find the limits of the queries.  Return whether one charges other keys. */
static bool
joint_charges_more(
    const struct check *check, struct query *queries, unsigned count)
{
	struct rules_scratch *scratch = check->gate->scratch;
	bool charges_more = false;

	for (unsigned i = 0; i < count; i++) {
		struct query *query = &queries[i];

		if (!query->limit)
			query->limit =
			    rules_match(query->rules, &query->key, scratch);
		charges_more |= query->limit && query->limit->also;
	}
	return charges_more;
}

static enum check_outcome
joint_gather(struct joint_keys *keys, const struct check *check,
    const struct query *queries, unsigned count)
{
	enum check_outcome outcome = OUTCOME_DECISION;

	keys->asked = count;
	keys->count = 0;
	for (unsigned i = 0; i < count; i++)
		keys->keys[keys->count++] = joint_key_of(&queries[i]);
	for (unsigned i = 0; i < count && outcome == OUTCOME_DECISION; i++)
		if (queries[i].limit && queries[i].limit->also)
			outcome = joint_add_also(
			    keys, &queries[i], check->gate->scratch);
	return outcome;
}

/* Have the check ask for these keys instead.  Return what is wrong. */
static enum check_outcome
joint_replace(struct check *check, const struct joint_keys *keys)
{
	enum op op =
	    check->joint ? check->joint->queries[0].op : check->query.op;
	struct joint *joint = joint_new(check, op, keys->keys, keys->count);

	if (!joint)
		return OUTCOME_NOMEMORY;
	joint->asked = keys->asked;
	if (check->joint && check->joint->once.len > 0)
		joint_set_id(
		    joint, check->joint->once.id, check->joint->once.len);
	joint_free(check->joint);
	check->joint = joint;
	return OUTCOME_DECISION;
}

/* Make its one query joint. */
static struct joint *
joint_make(struct check *check)
{
	const struct query *query = &check->query;
	const struct check_key key = joint_key_of(query);

	assert(!query->limit);
	return joint_new(check, query->op, &key, 1);
}

void
check_set_id(struct check *check, const char *id, size_t len)
{
	if (check->state == CHECK_DECIDED)
		return; /* out of memory */
	if (!check->joint)
		check->joint = joint_make(check);
	if (check->joint)
		joint_set_id(check->joint, id, len);
	else
		check_lack_memory(check);
}

/* Add the keys of also.  Return what is wrong. */
static enum check_outcome
joint_charge_more(
    struct check *check, const struct query *queries, unsigned count)
{
	struct joint_keys keys UNINITIALIZED;
	enum check_outcome outcome = joint_gather(&keys, check, queries, count);

	if (outcome != OUTCOME_DECISION)
		return outcome;
	return queries->op == OP_TAKE || op_names_lease(queries->op)
		   ? OUTCOME_TAKEALSO
		   : joint_replace(check, &keys);
}

/* Each may wait as long as its limit and the request say; if none may, the
 * check does not. */
static void
joint_prepare_wait(struct check *check)
{
	struct joint *joint = check->joint;
	bool waits = false;

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		query->op = OP_WAIT;
		query->wait_us = check->query.wait_us;
		wait_prepare(check, query);
		waits |= query->op == OP_WAIT;
	}
	if (!waits)
		check->query.op = OP_CONSUME;
}

void
joint_prepare(struct check *check)
{
	struct joint *joint = check->joint;
	struct query *queries = joint ? joint->queries : &check->query;
	unsigned count = joint ? joint->count : 1;

	check->outcome = joint_charges_more(check, queries, count)
			     ? joint_charge_more(check, queries, count)
			     : OUTCOME_DECISION;
	if (check->outcome != OUTCOME_DECISION) {
		if (!check->shows_each)
			check_set_state(check, CHECK_DECIDED);
		return;
	}
	assert(check->joint); /* it had several, or has some of also now */
	joint_find_limits(check->joint);
	if (check->query.op == OP_WAIT)
		joint_prepare_wait(check);
}

void
joint_prefetch(const struct joint *joint)
{
	for (unsigned i = 0; i < joint->count; i++)
		check_prefetch_query(joint->check, &joint->queries[i]);
}
