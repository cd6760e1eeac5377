/*
 * Job: the way of a check with several queries.
 * Invariant: the queries have different buckets; while the check is ASKED,
 * ${waiting} firsts of places have no result yet.
 * The heart: joint_start() on the way there, joint_conclude() on the way back.
 */
#include "gate/joint.h"

#include "gate/check_internal.h"
#include "gate/fallback.h"
#include "gate/gate.h"
#include "limit/also.h"

#include <stdlib.h>
#include <string.h>

struct joint {
	struct check *check;
	size_t bytes;      /* that it has */
	bool is_unmatched; /* a key of it has no limit, and that counts */
	bool is_spread;    /* over several places */
	bool gives_back;   /* that is what is waited for */
	unsigned decider;  /* the query that decides */
	unsigned waiting;
	unsigned count; /* of queries */
	struct query queries[];
};

/*
 * Its queries.
 */

static size_t
joint_size(const struct check_key *keys, unsigned count)
{
	size_t size = sizeof(struct joint) + count * sizeof(struct query);

	for (unsigned i = 0; i < count; i++)
		size += keys[i].len;
	return size;
}

static void joint_on_result(struct query *query);

struct joint *
joint_new(struct check *check, enum op op, const struct check_key *keys,
    unsigned count)
{
	size_t size = joint_size(keys, count);
	struct joint *joint = malloc(size);
	char *bytes;

	if (!joint)
		return NULL;
	*joint = (struct joint){.check = check, .bytes = size, .count = count};
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
		bytes += keys[i].len;
	}
	return joint;
}

void
joint_free(struct joint *joint)
{
	free(joint);
}

size_t
joint_bytes(const struct joint *joint)
{
	return joint ? joint->bytes : 0;
}

bool
joint_is_spread(const struct joint *joint)
{
	return joint->is_spread;
}

const struct query *
joint_decider(const struct joint *joint)
{
	return &joint->queries[joint->decider];
}

/* The query before number ${i} that is about the same bucket, or NULL. */
static struct query *
joint_find_same(struct joint *joint, unsigned i)
{
	const struct query *query = &joint->queries[i];

	for (unsigned k = 0; k < i; k++) {
		struct query *other = &joint->queries[k];

		if (other->limit == query->limit &&
		    hash128_equal(other->key.hash, query->key.hash))
			return other;
	}
	return NULL;
}

/* Find the limit of query number ${i}.  Return whether it stays one. */
static bool
joint_find_limit(struct joint *joint, unsigned i)
{
	const struct check *check = joint->check;
	struct query *query = &joint->queries[i];
	struct query *same;

	query->limit =
	    rules_match(query->rules, &query->key, check->gate->scratch);
	if (!query->limit)
		return check_unmatched(check) != UNMATCHED_ALLOW;
	same = joint_find_same(joint, i);
	if (same)
		same->amount += query->amount;
	return !same;
}

/* A key without a limit is left out, if it may pass, and if it is not the last
 * one left. */
static void
joint_find_limits(struct joint *joint)
{
	unsigned kept = 0, count = joint->count;

	for (unsigned i = 0; i < count; i++) {
		joint->queries[kept] = joint->queries[i];
		if (joint_find_limit(joint, kept) ||
		    (kept == 0 && i == count - 1))
			kept++;
	}
	joint->count = kept;
	for (unsigned i = 0; i < kept; i++)
		if (!joint->queries[i].limit) {
			joint->is_unmatched = true;
			joint->decider = i;
		}
}

/*
 * What limits charge too.
 */

/* Keys being gathered. */
struct joint_keys {
	unsigned count;
	struct check_key keys[CHECK_KEYS_MAX];
	unsigned written;
	struct also_key room[ALSO_MAX];
};

/* Add the keys that ${limit} charges with the one of ${query}, as much.  Return
 * OUTCOME_DECISION, or what is wrong. */
static enum check_outcome
joint_add_also(struct joint_keys *keys, const struct query *query,
    const struct limit *limit, struct rules_scratch *scratch)
{
	struct also_key also[ALSO_MAX];
	int count = also_write_keys(limit, &query->key, scratch, also);

	if (count == -1)
		return OUTCOME_LONGKEY;
	if (keys->count + (unsigned)count > CHECK_KEYS_MAX)
		return OUTCOME_TOOMANY;
	for (int i = 0; i < count; i++) {
		struct also_key *room = &keys->room[keys->written++];

		*room = also[i];
		keys->keys[keys->count++] =
		    (struct check_key){room->bytes, room->len, query->amount};
	}
	return OUTCOME_DECISION;
}

static enum check_outcome
joint_gather(struct joint_keys *keys, const struct check *check,
    const struct query *queries, unsigned count)
{
	struct rules_scratch *scratch = check->gate->scratch;
	enum check_outcome outcome = OUTCOME_DECISION;

	keys->count = keys->written = 0;
	for (unsigned i = 0; i < count; i++)
		keys->keys[keys->count++] =
		    (struct check_key){queries[i].key.bytes, queries[i].key.len,
			queries[i].amount};
	for (unsigned i = 0; i < count && outcome == OUTCOME_DECISION; i++) {
		const struct limit *limit =
		    rules_match(queries[i].rules, &queries[i].key, scratch);

		if (limit && limit->also)
			outcome =
			    joint_add_also(keys, &queries[i], limit, scratch);
	}
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
	joint_free(check->joint);
	check->joint = joint;
	return OUTCOME_DECISION;
}

void
joint_prepare(struct check *check)
{
	const struct joint *joint = check->joint;
	const struct query *queries = joint ? joint->queries : &check->query;
	unsigned count = joint ? joint->count : 1;
	struct joint_keys keys;

	check->outcome = joint_gather(&keys, check, queries, count);
	if (check->outcome == OUTCOME_DECISION && keys.count > count)
		check->outcome = joint_replace(check, &keys);
	if (check->outcome != OUTCOME_DECISION)
		check_set_state(check, CHECK_DECIDED);
	else
		joint_find_limits(check->joint);
}

/*
 * Asking.
 */

/* The queries of each place, chained. */
struct joint_groups {
	unsigned count;
	size_t places[CHECK_KEYS_MAX];
	struct query *firsts[CHECK_KEYS_MAX], *lasts[CHECK_KEYS_MAX];
};

static void
joint_group(struct joint_groups *groups, size_t place, struct query *query)
{
	unsigned i = 0;

	query->mate = NULL;
	while (i < groups->count && groups->places[i] != place)
		i++;
	if (i == groups->count) {
		groups->places[groups->count++] = place;
		groups->firsts[i] = query;
	} else {
		groups->lasts[i]->mate = query;
	}
	groups->lasts[i] = query;
}

static bool
joint_is_refused_again(const struct query *query)
{
	return query->decided_by == DECIDED_BY_DENYCACHE;
}

static bool
joint_denies(const struct query *query)
{
	return !query->decision.allowed && !query->limit->shadow;
}

/* Have the deny cache decide what it can.  Return whether that denies the
 * check, so that the store need not be asked. */
static bool
joint_ask_deny_cache(struct joint *joint)
{
	struct deny_cache *cache = joint->check->gate->deny_cache;

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (cache && deny_cache_decide(cache, query) &&
		    joint_denies(query)) {
			joint->decider = i;
			return true;
		}
	}
	return false;
}

/* Ask the store.  Return whether it decided all at once. */
static bool
joint_ask_store(struct joint *joint)
{
	struct store *store = joint->check->gate->store;
	struct joint_groups groups = {0};

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (!joint_is_refused_again(query))
			joint_group(&groups, store_place(store, query), query);
	}
	joint->waiting = groups.count;
	joint->is_spread = groups.count > 1;
	for (unsigned i = 0; i < groups.count; i++)
		joint->waiting -= store_query(store, groups.firsts[i]);
	return joint->waiting == 0;
}

/*
 * The results.
 */

/* Count for the limits.  Those that would have allowed a check that another one
 * denies did neither. */
static void
joint_count_limits(const struct joint *joint)
{
	const struct check *check = joint->check;

	for (unsigned i = 0; i < joint->count; i++) {
		const struct query *query = &joint->queries[i];
		struct limit_cell *cell = check_cell_of(check, query);

		if (!cell || query->decided_by == DECIDED_BY_NONE)
			continue;
		if (check->decision.allowed)
			counter_add(&cell->allowed, 1);
		else if (joint_denies(query))
			counter_add(&cell->denied, 1);
		if (check->decision.allowed && !query->decision.allowed)
			counter_add(&cell->shadow_denied, 1);
		if (joint_is_refused_again(query))
			counter_add(&cell->denycache, 1);
	}
}

static void
joint_count(struct joint *joint)
{
	struct check *check = joint->check;
	struct counters *counters = check->gate->counters;
	const struct query *query = joint_decider(joint);

	if (query->op == OP_PEEK) {
		counter_add(&counters->peeks, 1);
		return;
	}
	check_sample(check, query);
	counter_add(
	    check->decision.allowed ? &counters->allowed : &counters->denied,
	    1);
	if (check->shadow_denied)
		counter_add(&counters->shadow_denied, 1);
	if (check->decided_by == DECIDED_BY_DENYCACHE)
		counter_add(&counters->denycache, 1);
	joint_count_limits(joint);
}

/* The check is told what its deciding query was. */
static void
joint_tell(struct joint *joint)
{
	struct check *check = joint->check;

	check->outcome = OUTCOME_DECISION;
	check_tell(check, joint_decider(joint));
	for (unsigned i = 0; i < joint->count && check->decision.allowed; i++)
		check->shadow_denied |= !joint->queries[i].decision.allowed;
	joint_count(joint);
}

/* The drops that still fit. */
static int64_t
joint_room(const struct query *query)
{
	return query->limit->capacity - query->decision.level;
}

/* Whether ${query} rather than ${other} decides. */
static bool
joint_outweighs(const struct query *query, const struct query *other)
{
	int64_t retry = query->decision.retry_us;
	int64_t its = other->decision.retry_us;

	if (joint_denies(query) != joint_denies(other))
		return joint_denies(query);
	if (query->limit->shadow != other->limit->shadow)
		return other->limit->shadow;
	if (!joint_denies(query))
		return joint_room(query) < joint_room(other);
	return its != RETRY_NEVER && (retry == RETRY_NEVER || retry > its);
}

static void
joint_choose_decider(struct joint *joint)
{
	joint->decider = 0;
	for (unsigned i = 1; i < joint->count; i++)
		if (joint_outweighs(&joint->queries[i], joint_decider(joint)))
			joint->decider = i;
}

/* Whether one of the queries that have results denies the check. */
static bool
joint_is_denied(const struct joint *joint)
{
	for (unsigned i = 0; i < joint->count; i++)
		if (joint->queries[i].result == RESULT_DECISION &&
		    joint_denies(&joint->queries[i]))
			return true;
	return false;
}

/* Decide by on_error what the store could not. */
static void
joint_fall_back(struct joint *joint)
{
	struct query *first = NULL, **end = &first;

	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		query->mate = NULL;
		if (query->result != RESULT_UNAVAILABLE)
			continue;
		check_count_fallback(joint->check, query);
		*end = query;
		end = &query->mate;
	}
	if (first)
		fallback_decide_together(
		    joint->check->gate, first, joint_is_denied(joint));
}

static void
joint_learn(const struct joint *joint)
{
	struct deny_cache *cache = joint->check->gate->deny_cache;

	for (unsigned i = 0; cache && i < joint->count; i++)
		if (!joint_is_refused_again(&joint->queries[i]))
			deny_cache_learn(cache, &joint->queries[i]);
}

/* Give back what was charged, though the check is denied: these are the queries
 * from now on.  What the client itself gave back stays so.  Return whether it
 * is done. */
static bool
joint_give_back(struct joint *joint)
{
	struct gate *gate = joint->check->gate;

	joint->gives_back = true;
	joint->waiting = 0;
	for (unsigned i = 0; i < joint->count; i++) {
		struct query *query = &joint->queries[i];

		if (!query->charged || query->amount <= 0)
			continue;
		query->op = OP_GIVE_BACK;
		query->mate = NULL;
		if (gate->deny_cache)
			deny_cache_decide(gate->deny_cache, query);
		joint->waiting += !store_query(gate->store, query);
	}
	return joint->waiting == 0;
}

/* All have their results.  Return whether nothing has to be given back. */
static bool
joint_conclude(struct joint *joint)
{
	joint_learn(joint);
	joint_fall_back(joint);
	joint_choose_decider(joint);
	joint_tell(joint);
	return joint->check->decision.allowed || joint_give_back(joint);
}

static void
joint_on_result(struct query *query)
{
	struct joint *joint = query->owner;
	struct check *check = joint->check;

	if (joint->gives_back && check->gate->deny_cache)
		deny_cache_learn(check->gate->deny_cache, query);
	if (--joint->waiting > 0)
		return;
	if (!joint->gives_back && !joint_conclude(joint))
		return;
	check_decided(check);
	check->done(check);
}

bool
joint_start(struct joint *joint)
{
	struct check *check = joint->check;

	if (joint->is_unmatched) {
		check_conclude_unmatched(check);
		return true;
	}
	if (joint_ask_deny_cache(joint)) {
		joint_tell(joint);
		check_decided(check);
		return true;
	}
	if (joint_ask_store(joint) && joint_conclude(joint)) {
		check_decided(check);
		return true;
	}
	check_set_state(check, CHECK_ASKED);
	return false;
}
