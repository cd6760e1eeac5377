/**
 * memory: buckets in this process's memory, shared by all its threads.
 *
 * Open addressing with linear probing over slots of 32 bytes: the 128-bit hash
 * of key and limit, and the bucket.  No key is stored.  The table is as large
 * as it will ever be from the start (untouched pages cost nothing), so there is
 * no growing and no rehash.  It is cut into stripes, each with a lock of its
 * own.  Drained buckets are removed a few slots at a time, by whoever inserts
 * and by memory_sweep(); a live bucket is never evicted.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "base/attr.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct memory;

/** What to answer where a bucket is needed and there is room for none. */
enum on_full { ON_FULL_DENY, ON_FULL_ALLOW };

struct memory_options {
	int64_t max_buckets;  /* 1..1000000000 */
	enum on_full on_full;
};

/** Return a table, or NULL with errno (ENOMEM). */
struct memory *memory_new(const struct memory_options *options) MUST_USE;

/** Free it, or NULL.  No thread may be using it. */
void memory_free(struct memory *memory);

/** Decide ${op} of ${amount} on the bucket of ${key} under ${limit}, at
 * ${now_us}.  Any thread.  An amount that needs a bucket when there is room for
 * none is decided by on_full, and counted: allowed, with the figures of
 * an empty bucket; or denied, with level 0 and a retry of a second, a hint. */
void memory_decide(struct memory *memory, const struct limit *limit,
    const struct key *key, enum op op, int64_t amount, int64_t now_us,
    struct decision *decision);

/** Look at the next ${slots} slots, in turn over the whole table, and remove
 * the buckets drained at ${now_us}.  Holds a lock for 256 slots at a time.  One
 * thread at a time may call it. */
void memory_sweep(struct memory *memory, size_t slots, int64_t now_us);

/** Slots in the table. */
size_t memory_slots(const struct memory *memory);

/** Buckets held now, drained ones not yet removed included. */
uint64_t memory_buckets(const struct memory *memory);

/** Requests that found the table full so far. */
uint64_t memory_full(const struct memory *memory);

/** A store for one worker that answers from ${memory}, which outlives it; or
 * NULL (out of memory). */
struct store *memory_store_new(struct memory *memory) MUST_USE;

#endif
