/*
 * Job: keeps the buckets of a replay, and decides on them.
 * Invariant: of the parts of a request all are charged, or none; those that
 * deny it may begin a block.
 * The heart: replay_decide().
 */
#include "cli/replay.h"

#include "limit/algorithm.h"
#include "limit/also.h"
#include "limit/leases.h"
#include "limit/normalize.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024

struct replay_slot {
	struct hash128 id; /* all zero: free */
	struct bucket bucket;
	bool has_log;
};

struct replay {
	const struct rules *rules;
	struct rules_scratch *scratch;

	/* open addressing, at most half full */
	struct replay_slot *slots;
	size_t count, mask;
};

/* One bucket of a request. */
struct replay_part {
	const struct limit *limit;
	struct hash128 id;
	struct bucket bucket; /* as it would be */
	bool allowed, changed;
};

struct replay *
replay_new(const struct rules *rules)
{
	struct replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return NULL;
	replay->rules = rules;
	replay->mask = FIRST_SLOTS - 1;
	replay->slots = calloc(FIRST_SLOTS, sizeof(*replay->slots));
	replay->scratch = rules_scratch_new();
	if (replay->slots && replay->scratch)
		return replay;
	replay_free(replay);
	return NULL;
}

void
replay_free(struct replay *replay)
{
	if (!replay)
		return;
	rules_scratch_free(replay->scratch);
	for (size_t i = 0; replay->slots && i <= replay->mask; i++)
		if (replay->slots[i].has_log)
			free(replay->slots[i].bucket.log.log);
	free(replay->slots);
	free(replay);
}

/* The slot of a bucket, or the free one where it goes. */
static struct replay_slot *
replay_find(const struct replay *replay, struct hash128 id)
{
	static const struct hash128 none;

	for (size_t i = id.lo;; i++) {
		struct replay_slot *slot = &replay->slots[i & replay->mask];

		if (hash128_equal(slot->id, id) ||
		    hash128_equal(slot->id, none))
			return slot;
	}
}

static int
replay_grow(struct replay *replay)
{
	struct replay_slot *old = replay->slots;
	size_t size = replay->mask + 1;

	replay->slots = calloc(2 * size, sizeof(*old));
	if (!replay->slots) {
		replay->slots = old;
		return -1;
	}
	replay->mask = 2 * size - 1;
	for (size_t i = 0; i < size; i++)
		if (old[i].id.lo | old[i].id.hi)
			*replay_find(replay, old[i].id) = old[i];
	free(old);
	return 0;
}

/* Decide on one bucket, as the parts before it have left it. */
static void
replay_try(struct replay *replay, const struct demand *demand,
    struct replay_part *parts, size_t place)
{
	struct replay_part *part = &parts[place];
	struct decision decision;

	part->bucket = replay_find(replay, part->id)->bucket;
	for (size_t i = 0; i < place; i++)
		if (hash128_equal(parts[i].id, part->id))
			part->bucket = parts[i].bucket;
	part->changed = decide(part->limit, OP_CONSUME, demand->amount,
	    demand->at_us, &part->bucket, &decision);
	part->allowed = decision.allowed || part->limit->shadow;
}

/* Have the log of the bucket, if it has one, say what the bucket says. */
static int
replay_settle(struct replay_part *part, int64_t now_us)
{
	struct lease_log *log = part->bucket.log.log;
	uint32_t room = leases_room(&part->bucket, now_us);

	if (room > (log ? log->room : 0)) {
		room *= 2;
		log = realloc(part->bucket.log.log, leases_size(room));
		if (!log)
			return -1;
		if (!part->bucket.log.log)
			leases_start(log, leases_size(room));
		log->room = room;
		part->bucket.log.log = log;
	}
	leases_settle(part->limit, &part->bucket, now_us);
	return 0;
}

static int
replay_put(struct replay *replay, struct replay_part *part, int64_t now_us)
{
	struct replay_slot *slot = replay_find(replay, part->id);
	const bool has_log = part->limit->algorithm->has_log;

	if (has_log && replay_settle(part, now_us) == -1)
		return -1;
	if (slot->id.lo | slot->id.hi) {
		slot->bucket = part->bucket;
		return 0;
	}
	*slot = (struct replay_slot){part->id, part->bucket, has_log};
	if (2 * ++replay->count > replay->mask)
		return replay_grow(replay);
	return 0;
}

/* The bucket of ${key} under ${limit}, which matches it. */
static struct replay_part
replay_part_of(
    struct replay *replay, const struct limit *limit, const struct key *key)
{
	char room[NORMALIZED_MAX];
	const struct key its =
	    limit->normalize ? normalize_key(limit, key, replay->scratch, room)
			     : *key;

	return (struct replay_part){
	    .limit = limit, .id = bucket_id(limit, &its)};
}

/* The buckets of a request, whose own limit is the first. */
static size_t
replay_parts(struct replay *replay, const struct demand *demand,
    const struct limit *limit, struct replay_part *parts)
{
	struct also_key keys[ALSO_MAX];
	int more = limit->also ? also_write_keys(
				     limit, &demand->key, replay->scratch, keys)
			       : 0;
	size_t count = 1;

	parts[0] = replay_part_of(replay, limit, &demand->key);
	for (int i = 0; i < more; i++) {
		struct key key = key_make(keys[i].bytes, keys[i].len);
		const struct limit *other =
		    rules_match(replay->rules, &key, replay->scratch);

		if (other)
			parts[count++] = replay_part_of(replay, other, &key);
	}
	return count;
}

/* Whether part ${i} is to be kept: it changed its bucket, and no part behind
 * it, which went on from there, did. */
static bool
replay_is_kept(
    const struct replay_part *parts, size_t count, size_t i, bool allowed)
{
	if (!parts[i].changed || (!allowed && parts[i].allowed))
		return false;
	for (size_t k = i + 1; k < count; k++)
		if (hash128_equal(parts[k].id, parts[i].id) &&
		    parts[k].changed && (allowed || !parts[k].allowed))
			return false;
	return true;
}

int
replay_decide(struct replay *replay, const struct demand *demand,
    struct replay_decision *decision)
{
	const struct limit *limit =
	    rules_match(replay->rules, &demand->key, replay->scratch);
	struct replay_part parts[1 + ALSO_MAX];
	size_t count;

	*decision = (struct replay_decision){limit, true};
	if (!limit)
		return 0;
	count = replay_parts(replay, demand, limit, parts);
	for (size_t i = 0; i < count; i++) {
		replay_try(replay, demand, parts, i);
		if (!parts[i].allowed && decision->allowed)
			*decision =
			    (struct replay_decision){parts[i].limit, false};
	}
	for (size_t i = 0; i < count; i++)
		if (replay_is_kept(parts, count, i, decision->allowed) &&
		    replay_put(replay, &parts[i], demand->at_us) == -1)
			return -1;
	return 0;
}
