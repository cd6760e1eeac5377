/**
 * memory: buckets in this process's memory, shared by all its threads.
 *
 * Open addressing with linear probing over slots of 32 bytes: a hash of key and
 * limit, and the bucket.  No key is stored.  The table is as large
 * as it will ever be from the start (untouched pages cost nothing), so there is
 * no growing and no rehash.  It is cut into stripes, each with a lock of its
 * own.  Each insert removes drained buckets from a few slots, and
 * memory_sweep() from more; a live bucket is never evicted.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "base/attr.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct memory;

/** The decision when a bucket is needed and there is no room for it. */
enum on_full { ON_FULL_DENY, ON_FULL_ALLOW };

struct memory_options {
	int64_t max_buckets; /* 1..1000000000 */
	enum on_full on_full;
};

/** Return a table, or NULL with errno (ENOMEM). */
struct memory *memory_new(const struct memory_options *options) MUST_USE;

/** Free it; NULL: no-op.  No thread may be using it. */
void memory_free(struct memory *memory);

/** These limits may be asked about: none is to take the room of the others. Any
 * thread.  Others become known with their first bucket. */
void memory_know_limits(struct memory *memory, const struct rules *rules);

/** Decide ${op} of ${amount} on the bucket of ${key} under ${limit}, at
 * ${now_us}.  Any thread.  There is room for max_buckets in all, of a limit for
 * its own max_buckets, and, if several are known, for nine times what is free.
 * An amount that needs a bucket when there is no room is decided by on_full,
 * and counted: allowed, with the figures of an empty bucket; or denied, with
 * level 0 and a retry of a second, a hint. */
void memory_decide(struct memory *memory, const struct limit *limit,
    const struct key *key, enum op op, int64_t amount, int64_t now_us,
    struct decision *decision);

/** The same for what ${query} asks, alone; its decision is set. */
void memory_decide_query(
    struct memory *memory, struct query *query, int64_t now_us);

/** Have the processor fetch the memory that memory_decide() will need for the
 * bucket of ${key} under ${limit}.  Any thread. */
void memory_prefetch(const struct memory *memory, const struct limit *limit,
    const struct key *key);

/** Look at the next ${slots} slots, in turn over the whole table, and remove
 * the buckets drained at ${now_us}; and forget the ids whose time is up.  Holds
 * a lock for 256 slots at a time.  One thread at a time may call it. */
void memory_sweep(struct memory *memory, size_t slots, int64_t now_us);

/** Decide ${first} and its mates together; they get their results. */
void memory_decide_together(struct memory *memory, struct query *first);

/** The same for one with an id. */
void memory_decide_once(struct memory *memory, struct query *first);

/** The wall clock is ahead of the times that callers give by ${shift_us}, at
 * ${now_us}.  If it was set since the last call, which is 0 at first, calendar
 * windows follow, and all that counts goes on to count.  One thread at a time
 * may call it, as memory_sweep(). */
void memory_follow_clock(
    struct memory *memory, int64_t now_us, int64_t shift_us);

/** Slots in the table. */
size_t memory_slots(const struct memory *memory);

/** Buckets held now, drained ones not yet removed included. */
uint64_t memory_buckets(const struct memory *memory);

/** Requests so far for which there was no room. */
uint64_t memory_full(const struct memory *memory);

/** A store for one worker that decides on ${memory}, which outlives it; or NULL
 * (out of memory). */
struct store *memory_store_new(struct memory *memory) MUST_USE;

#endif
