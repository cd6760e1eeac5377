/*
 * A table with a slot for each hash of a bucket, without chains.
 * Holds: a slot is used only if its tag and id match, no give-back or reset
 * came since (deny_mark), and it is younger than DENY_TRUST_US. The heart is
 * deny_cache_decide() and deny_cache_refuse().
 */
#include "store/deny_cache.h"

#include "store/deny_log.h"
#include "store/mates.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Powers of two. */
#define SLOTS 16384
#define MARKS 4096

struct deny_marks {
	_Atomic uint32_t of[MARKS];
};

/* One line of the processor's cache. */
struct deny_slot {
	struct hash128 id; /* of key and limit */
	union {
		struct {
			struct bucket bucket; /* after the denial */
			int64_t decided_us;   /* when, by the clock of Redis */
		};
		struct deny_log log; /* if the bucket has one */
	};
	int64_t received_us; /* when the query was received */
	uint32_t doubt_us;   /* time from then to the result's arrival */
	uint32_t mark;       /* the counter at the time of the query */
};

_Static_assert(sizeof(struct deny_slot) == 64, "a line of the cache");

struct deny_cache {
	struct deny_marks *marks;
	int64_t (*clock)(void);
	int64_t now_us;     /* time of the last read; 0: not yet known */
	int64_t emptied_us; /* only results of later queries count */

	/* Part of each slot's id, 0: free.  Most queries are about buckets that
	 * were not refused, and need no look at the slot. */
	uint8_t tags[SLOTS];
	struct deny_slot slots[SLOTS];

	/* Queries are numbered.  The last one that went to Redis and may change
	 * what a slot says. */
	uint32_t turn;
	uint32_t turns[SLOTS];
};

struct deny_marks *
deny_marks_new(void)
{
	return calloc(1, sizeof(struct deny_marks));
}

void
deny_marks_free(struct deny_marks *marks)
{
	free(marks);
}

struct deny_cache *
deny_cache_new(struct deny_marks *marks, int64_t (*clock)(void))
{
	struct deny_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->marks = marks;
	cache->clock = clock;
	return cache;
}

void
deny_cache_free(struct deny_cache *cache)
{
	free(cache);
}

/* Leases that have names are mostly given back before they end. */
static bool
deny_cache_is_for(const struct limit *limit)
{
	return limit->deny_cache && !limit->algorithm->lease;
}

static struct hash128
deny_cache_id_of(const struct query *query)
{
	return bucket_id(query->limit, &query->key);
}

static _Atomic uint32_t *
deny_cache_mark_of(const struct deny_cache *cache, struct hash128 id)
{
	return &cache->marks->of[id.lo & (MARKS - 1)];
}

static size_t
deny_cache_place_of(struct hash128 id)
{
	return id.lo & (SLOTS - 1);
}

static uint8_t
deny_cache_tag_of(struct hash128 id)
{
	return (uint8_t)(id.hi >> 32 | 1);
}

/* The slot that is about the bucket, or NULL. */
static struct deny_slot *
deny_cache_find(struct deny_cache *cache, struct hash128 id)
{
	struct deny_slot *slot = &cache->slots[deny_cache_place_of(id)];

	if (cache->tags[deny_cache_place_of(id)] != deny_cache_tag_of(id) ||
	    !hash128_equal(slot->id, id))
		return NULL;
	return slot;
}

static void
deny_cache_keep(
    struct deny_cache *cache, struct hash128 id, const struct query *query)
{
	struct deny_slot slot = {.id = id, .received_us = query->now_us};
	int64_t doubt_us;

	/* No later refusal is decided at an earlier time than this. */
	cache->now_us = cache->clock();
	doubt_us = cache->now_us - query->now_us;
	if (doubt_us >= DENY_TRUST_US)
		return;
	slot.doubt_us = (uint32_t)doubt_us;
	slot.mark = query->deny_mark;
	if (!query->limit->algorithm->has_log) {
		slot.bucket = query->bucket;
		slot.decided_us = query->decided_us;
	} else if (!deny_log_learn(&slot.log, query, cache->now_us)) {
		return;
	}
	cache->tags[deny_cache_place_of(id)] = deny_cache_tag_of(id);
	cache->slots[deny_cache_place_of(id)] = slot;
}

static void
deny_cache_forget(struct deny_cache *cache, struct hash128 id)
{
	if (deny_cache_find(cache, id))
		cache->tags[deny_cache_place_of(id)] = 0;
}

/* Whether the query can let others pass that were refused before. */
static bool
deny_cache_makes_room(const struct query *query)
{
	return query->op == OP_RESET || op_takes_out(query->op) ||
	       (query->op == OP_CONSUME && query->amount < 0);
}

/* Whether it may put drops in, if there is room for them: an amount above all
 * that the bucket can hold says nothing about it. */
static bool
deny_cache_fills(const struct query *query)
{
	const struct limit *limit = query->limit;

	if (!op_puts(query->op) || query->amount <= 0)
		return false;
	return query->op == OP_TAKE ||
	       query->amount <= (query->op == OP_CHARGE ? limit_most(limit)
							: limit->capacity);
}

/* Decide as if Redis had decided what the slot knows when its result came.
 * False: it is not certain that the query is denied. */
static bool
deny_cache_decide_by(
    const struct deny_slot *slot, struct query *query, int64_t now_us)
{
	const int64_t learnt_us = slot->received_us + slot->doubt_us;
	struct bucket bucket;

	if (query->limit->algorithm->has_log)
		return deny_log_decide(&slot->log, query, now_us);
	bucket = slot->bucket;
	return !mates_decide_alone(query,
		   now_us + (slot->decided_us - learnt_us), &bucket,
		   &query->decision) &&
	       !query->decision.allowed;
}

/* Refuse the query if the slot allows it.  By the clock of Redis, the time now
 * may be up to doubt_us later than the one that the figures are for; the
 * refusal must still hold then. */
static bool
deny_cache_refuse(
    struct deny_cache *cache, const struct deny_slot *slot, struct query *query)
{
	const struct decision *decision = &query->decision;
	const int64_t doubt_us = slot->doubt_us;

	if (cache->now_us == 0)
		cache->now_us = cache->clock();
	if (cache->now_us - slot->received_us >= DENY_TRUST_US)
		return false;
	if (!deny_cache_decide_by(slot, query, cache->now_us))
		return false;
	if (decision->blocked_us > 0 && decision->blocked_us <= doubt_us)
		return false;
	if (decision->retry_us != RETRY_NEVER && decision->retry_us <= doubt_us)
		return false;
	query->result = RESULT_DECISION;
	query->decided_by = DECIDED_BY_DENYCACHE;
	return true;
}

/* All but the slots is small, and mostly in the processor's cache already. */
void
deny_cache_prefetch(const struct deny_cache *cache, const struct query *query)
{
	struct hash128 id = deny_cache_id_of(query);
	size_t place = deny_cache_place_of(id);

	if (cache->tags[place] == deny_cache_tag_of(id))
		__builtin_prefetch(&cache->slots[place]);
}

/* A query that goes to Redis may be admitted there, and then the bucket holds
 * more than the slot says: refusals would still be right, but their figures
 * would not.  So forget the slot at once, and learn from no query before it. */
static void
deny_cache_note_asked(
    struct deny_cache *cache, struct hash128 id, struct query *query)
{
	deny_cache_forget(cache, id);
	if (!deny_cache_fills(query))
		return;
	query->deny_turn = ++cache->turn;
	cache->turns[deny_cache_place_of(id)] = query->deny_turn;
}

/* Note whether the query changes what is known of the bucket.  Return whether
 * it is of a kind that can be refused. */
static bool
deny_cache_mark(
    struct deny_cache *cache, struct hash128 id, struct query *query)
{
	_Atomic uint32_t *mark = deny_cache_mark_of(cache, id);

	if (deny_cache_makes_room(query))
		atomic_fetch_add(mark, 1);
	query->deny_mark = atomic_load(mark);
	return deny_cache_is_for(query->limit) && op_puts(query->op) &&
	       query->amount > 0;
}

void
deny_cache_pass(struct deny_cache *cache, struct query *query)
{
	struct hash128 id = deny_cache_id_of(query);

	if (deny_cache_mark(cache, id, query))
		deny_cache_note_asked(cache, id, query);
}

bool
deny_cache_decide(struct deny_cache *cache, struct query *query)
{
	struct hash128 id = deny_cache_id_of(query);
	const struct deny_slot *slot;

	if (!deny_cache_mark(cache, id, query))
		return false;
	slot = deny_cache_find(cache, id);
	if (slot && slot->mark == query->deny_mark &&
	    slot->received_us > cache->emptied_us &&
	    deny_cache_refuse(cache, slot, query))
		return true;
	deny_cache_note_asked(cache, id, query);
	return false;
}

void
deny_cache_learn(struct deny_cache *cache, const struct query *query)
{
	struct hash128 id = deny_cache_id_of(query);
	_Atomic uint32_t *mark = deny_cache_mark_of(cache, id);

	if (deny_cache_makes_room(query))
		atomic_fetch_add(mark, 1);
	if (query->result != RESULT_DECISION ||
	    !deny_cache_is_for(query->limit) || !deny_cache_fills(query))
		return;
	if (query->decision.allowed)
		deny_cache_forget(cache, id);
	else if (atomic_load(mark) == query->deny_mark &&
		 cache->turns[deny_cache_place_of(id)] == query->deny_turn)
		deny_cache_keep(cache, id, query);
}

void
deny_cache_empty(struct deny_cache *cache)
{
	cache->emptied_us = cache->clock();
}

void
deny_cache_renew_time(struct deny_cache *cache)
{
	cache->now_us = 0;
}
