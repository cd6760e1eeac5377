/*
 * Job: decides queries together on buckets in memory.
 * Invariant: the stripes of all of them are locked, in the order of the table,
 * so that no two threads wait for each other.
 * The heart: memory_decide_mates().
 */
#include "store/mates.h"
#include "store/memory_internal.h"

#include <assert.h>

/* The buckets of ${first} and its mates, in the same order. */
struct memory_mates {
	struct memory *memory;
	struct query *first;
	unsigned count;
	struct hash128 ids[MATES_MAX];
	struct stripe *stripes[MATES_MAX]; /* of each */
	struct mate_bucket buckets[MATES_MAX];
	struct bucket before[MATES_MAX];

	struct stripe *locked[MATES_MAX]; /* in order, each once */
	unsigned locked_count;
};

/* Put ${stripe} among those to be locked, of which there are few. */
static void
memory_add_stripe(struct memory_mates *mates, struct stripe *stripe)
{
	unsigned at = mates->locked_count;

	while (at > 0 && mates->locked[at - 1] > stripe)
		at--;
	if (at > 0 && mates->locked[at - 1] == stripe)
		return;
	for (unsigned i = mates->locked_count++; i > at; i--)
		mates->locked[i] = mates->locked[i - 1];
	mates->locked[at] = stripe;
}

static void
memory_lock_stripes(struct memory_mates *mates)
{
	for (unsigned i = 0; i < mates->count; i++)
		memory_add_stripe(mates, mates->stripes[i]);
	for (unsigned i = 0; i < mates->locked_count; i++)
		pthread_mutex_lock(&mates->locked[i]->lock);
}

static void
memory_unlock_stripes(struct memory_mates *mates)
{
	while (mates->locked_count > 0)
		pthread_mutex_unlock(
		    &mates->locked[--mates->locked_count]->lock);
}

static void
memory_find_mates(struct memory_mates *mates)
{
	struct memory *memory = mates->memory;

	for (struct query *query = mates->first; query; query = query->mate) {
		struct hash128 id = bucket_id(query->limit, &query->key);

		mates->ids[mates->count] = id;
		mates->stripes[mates->count++] =
		    &memory->stripe[memory_stripe_at(memory, id)];
	}
}

/* As the table has it now; of a free slot: an empty one. */
static struct bucket
memory_read_mate(const struct memory_mates *mates, unsigned i)
{
	return memory_unpack(
	    memory_find(mates->memory, mates->stripes[i], mates->ids[i]));
}

static void
memory_read_mates(struct memory_mates *mates)
{
	const struct query *query = mates->first;

	for (unsigned i = 0; i < mates->count; i++, query = query->mate) {
		struct mate_bucket *at = &mates->buckets[i];

		at->now_us = memory_time(
		    mates->stripes[i], query->limit->algorithm, query->now_us);
		at->bucket = memory_read_mate(mates, i);
		at->changed = false;
		mates->before[i] = at->bucket;
	}
}

static bool
memory_put_mate(struct memory_mates *mates, const struct query *query,
    unsigned i, const struct bucket *bucket)
{
	return memory_put(mates->memory, mates->stripes[i], query->limit,
	    mates->ids[i], bucket, query->now_us);
}

/* Undo what was written of number ${i}.  A log has changed in its place: what
 * went in is given back. */
static bool
memory_undo_mate(
    struct memory_mates *mates, const struct query *query, unsigned i)
{
	const struct mate_bucket *at = &mates->buckets[i];
	struct bucket *before = &mates->before[i];

	if (query->limit->algorithm->has_log) {
		*before = memory_read_mate(mates, i);
		decide_give_back(query->limit, query->amount,
		    bucket_stamp(&at->bucket), at->now_us, before);
	}
	return memory_put_mate(mates, query, i, before);
}

/* There was no room for the bucket of ${full}, number ${place}, which denies
 * the others: undo what was written before it, whose slots are still there. */
static void
memory_undo_mates(
    struct memory_mates *mates, const struct query *full, unsigned place)
{
	struct query *query = mates->first;

	for (unsigned i = 0; i < mates->count; i++, query = query->mate) {
		bool written =
		    i < place && query->amount > 0 && mates->buckets[i].changed;
		bool kept = !written || memory_undo_mate(mates, query, i);

		assert(kept);
		(void)kept;
		query->charged = false;
		if (query->limit->algorithm->has_log)
			mates->before[i] = memory_read_mate(mates, i);
		if (query != full)
			mates_peek(
			    query, mates->buckets[i].now_us, &mates->before[i]);
	}
}

/* Write what has changed of those that put drops in, or of the others.  Return
 * whether all have what they need.  The start of a block may find no room; it
 * is lost then, as it is for a query that is alone. */
static bool
memory_write_mates(struct memory_mates *mates, bool puts)
{
	struct query *query = mates->first;

	for (unsigned i = 0; i < mates->count; i++, query = query->mate) {
		if ((query->amount > 0) != puts || !mates->buckets[i].changed ||
		    memory_put_mate(mates, query, i, &mates->buckets[i].bucket))
			continue;
		if (!query->charged)
			continue;
		query->charged = false;
		memory_decide_when_full(mates->memory, &query->decision);
		if (!query->decision.allowed && !query->limit->shadow) {
			memory_undo_mates(mates, query, i);
			return false;
		}
	}
	return true;
}

void
memory_decide_mates(
    struct memory *memory, struct query *first, bool only_allows)
{
	struct memory_mates mates UNINITIALIZED;
	unsigned i = 0;

	mates.memory = memory;
	mates.first = first;
	mates.count = mates.locked_count = 0;
	memory_find_mates(&mates);
	memory_lock_stripes(&mates);
	memory_read_mates(&mates);
	mates_decide(first, mates.buckets);
	/* Only those that put drops in need room, and may have to be undone: a
	 * bucket that is removed meanwhile may find none again. */
	if ((!only_allows || mates_passed(first)) &&
	    memory_write_mates(&mates, true))
		(void)memory_write_mates(&mates, false);
	memory_unlock_stripes(&mates);
	for (struct query *query = first; query; query = query->mate, i++) {
		query->decided_by = DECIDED_BY_MEMORY;
		query->bucket = mates.buckets[i].bucket;
	}
}

void
memory_decide_together(struct memory *memory, struct query *first)
{
	memory_decide_mates(memory, first, false);
}
