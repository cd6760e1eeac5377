#include "store/deny_cache.h"

#include "limit/decide.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Powers of two. */
#define SLOTS 16384
#define MARKS 4096

struct deny_marks {
	_Atomic uint32_t of[MARKS];
};

/* One line of the processor's cache. */
struct slot {
	struct hash128 id;     /* of key and limit */
	struct bucket bucket;  /* after the denial */
	int64_t asked_us;      /* when the question was received */
	int64_t learnt_us;     /* when the answer was here */
	int64_t decided_us;    /* in between, by the clock of Redis */
	uint32_t mark;         /* when the question was put */
};

struct deny_cache {
	struct deny_marks *marks;
	int64_t (*clock)(void);
	int64_t now_us;        /* of what was read last; 0: not yet known */
	int64_t emptied_us;    /* what was asked later counts */

	/* Part of the slots' ids, 0: free.  Most questions are about buckets
	 * that were not refused, and look no further. */
	uint8_t tags[SLOTS];
	struct slot slots[SLOTS];
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

static struct hash128
id_of(const struct ask *ask)
{
	return (struct hash128){ask->key.hash.lo ^ ask->limit->id.lo,
	    ask->key.hash.hi ^ ask->limit->id.hi};
}

static _Atomic uint32_t *
mark_of(const struct deny_cache *cache, struct hash128 id)
{
	return &cache->marks->of[id.lo & (MARKS - 1)];
}

static size_t
place_of(struct hash128 id)
{
	return id.lo & (SLOTS - 1);
}

static uint8_t
tag_of(struct hash128 id)
{
	return (uint8_t)(id.hi | 1);
}

/* The slot that is about the bucket, or NULL. */
static struct slot *
find(struct deny_cache *cache, struct hash128 id)
{
	struct slot *slot = &cache->slots[place_of(id)];

	if (cache->tags[place_of(id)] != tag_of(id) || slot->id.lo != id.lo ||
	    slot->id.hi != id.hi)
		return NULL;
	return slot;
}

static void
keep(struct deny_cache *cache, struct hash128 id, const struct ask *ask)
{
	/* No refusal is by an earlier time than this. */
	cache->now_us = cache->clock();
	cache->tags[place_of(id)] = tag_of(id);
	cache->slots[place_of(id)] = (struct slot){id, ask->bucket, ask->now_us,
	    cache->now_us, ask->decided_us, ask->deny_mark};
}

static void
forget(struct deny_cache *cache, struct hash128 id)
{
	if (find(cache, id))
		cache->tags[place_of(id)] = 0;
}

/* Whether the answer can let others pass that were refused. */
static bool
makes_room(const struct ask *ask)
{
	return ask->op == OP_RESET ||
	       (ask->op == OP_CONSUME && ask->amount < 0);
}

/* Refuse the question by what is known, or not.  By the clock of Redis it is
 * earliest_us or up to doubt_us later: the figures are for the one, and what
 * refuses then must not end before the other. */
static bool
refuse(struct deny_cache *cache, const struct slot *slot, struct ask *ask)
{
	struct decision *decision = &ask->decision;
	struct bucket bucket = slot->bucket;
	int64_t doubt_us = slot->learnt_us - slot->asked_us;
	int64_t earliest_us;

	if (cache->now_us == 0)
		cache->now_us = cache->clock();
	if (cache->now_us - slot->asked_us >= DENY_TRUST_US)
		return false;
	earliest_us = cache->now_us + (slot->decided_us - slot->learnt_us);
	if (decide(ask->limit, OP_CONSUME, ask->amount, earliest_us, &bucket,
		decision) ||
	    decision->allowed)
		return false;
	if (decision->blocked_us > 0 && decision->blocked_us <= doubt_us)
		return false;
	if (decision->retry_us != RETRY_NEVER && decision->retry_us <= doubt_us)
		return false;
	ask->answer = ANSWER_DECISION;
	ask->from = FROM_DENYCACHE;
	return true;
}

/* What Redis is asked may be admitted there.  After an admission the bucket
 * holds more than is known here: what is refused would be right, the figures
 * would not; and who asks next is told them before the answer is here. */
bool
deny_cache_ask(struct deny_cache *cache, struct ask *ask)
{
	struct hash128 id = id_of(ask);
	_Atomic uint32_t *mark = mark_of(cache, id);
	const struct slot *slot;

	if (makes_room(ask))
		atomic_fetch_add(mark, 1);
	ask->deny_mark = atomic_load(mark);
	if (!ask->limit->deny_cache || ask->op != OP_CONSUME ||
	    ask->amount <= 0)
		return false;
	slot = find(cache, id);
	if (slot && slot->mark == ask->deny_mark &&
	    slot->asked_us > cache->emptied_us && refuse(cache, slot, ask))
		return true;
	forget(cache, id);
	return false;
}

/* A denial for an amount above the capacity says nothing of the bucket. */
void
deny_cache_learn(struct deny_cache *cache, const struct ask *ask)
{
	struct hash128 id = id_of(ask);
	_Atomic uint32_t *mark = mark_of(cache, id);

	if (makes_room(ask))
		atomic_fetch_add(mark, 1);
	if (ask->op != OP_CONSUME || ask->answer != ANSWER_DECISION ||
	    !ask->limit->deny_cache || ask->amount <= 0 ||
	    ask->amount > ask->limit->capacity)
		return;
	if (ask->decision.allowed)
		forget(cache, id);
	else if (atomic_load(mark) == ask->deny_mark)
		keep(cache, id, ask);
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
