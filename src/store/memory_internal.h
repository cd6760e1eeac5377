/**
 * memory_internal: the table of buckets from inside, for memory.c, which
 * decides, and for memory_room.c, which makes room.
 */
#ifndef STORE_MEMORY_INTERNAL_H
#define STORE_MEMORY_INTERNAL_H

#include "base/attr.h"
#include "limit/algorithm.h"
#include "store/memory.h"
#include "store/shares.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE 64

/*
 * A bucket, most of its identity, and its limit's share; all zero if free.  Two
 * are a cache line.
 *
 *            63                         33 32         19 18           0
 *   lo      |                     of the identity                      |
 *   hi      | of the third number, 31 bits | share, 14 | identity, 19  |
 *   more[0] | of the third, 11 bits | the first number, 53 bits        |
 *   more[1] | of the third, 11 bits | the second number, 53 bits       |
 *
 * With the stripe that it is in, this is up to 91 bits of the identity: no two
 * buckets that are held together will share them.
 */
struct memory_slot {
	uint64_t lo, hi;
	uint64_t more[2];
};

_Static_assert(sizeof(struct memory_slot) == 32, "two to a cache line");

#define NUMBER_BITS 53
#define THIRD_BITS  31
#define THIRD_MORE  11
#define ID_BITS     19
#define ID_MASK     ((UINT64_C(1) << ID_BITS) - 1)
#define SHARE_MASK  ((uint64_t)(SHARES_COUNT - 1) << ID_BITS)

_Static_assert(ID_BITS + SHARES_BITS + THIRD_BITS == 64, "hi is full");

_Static_assert(THIRD_BITS + 2 * THIRD_MORE == NUMBER_BITS &&
		   BUCKET_NUMBER_MAX < INT64_C(1) << NUMBER_BITS,
    "all three numbers fit");

/* A hash table of its own.  At least one slot is always free: probing ends
 * there. */
struct stripe {
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
	struct memory_slot *slots;
	uint32_t used;
	uint32_t hand;    /* the slot that is swept next */
	int64_t shift_us; /* of the wall clock, as its buckets have it */

	/* where there was no room */
	uint32_t vain;         /* slots looked at for some, since then */
	int64_t rest_until_us; /* none is looked at until then */
};

struct memory {
	/* never written again once made */
	struct memory_slot *slots;
	uint32_t stripes;      /* a power of two */
	uint32_t stripe_slots; /* in each stripe */
	uint64_t max_buckets;
	enum on_full on_full;
	struct shares *shares;
	struct memory_ids *ids;

	/* memory_sweep()'s, and memory_follow_clock()'s */
	size_t swept;     /* slots of this round, stripe by stripe */
	int64_t shift_us; /* of the wall clock */

	/* written by everyone: in a cache line of their own */
	_Alignas(CACHE_LINE) atomic_uint_fast64_t buckets;
	atomic_uint_fast64_t full;
	atomic_uint_fast64_t log_bytes; /* of the buckets that have a log */

	struct stripe stripe[];
};

/*
 * Slots.
 */

/* The algorithm is in what is kept of the identity, and is never 0. */
static inline bool
memory_is_free(const struct memory_slot *slot)
{
	return slot->hi == 0;
}

static inline bool
memory_is_of(const struct memory_slot *slot, struct hash128 id)
{
	return slot->lo == id.lo && ((slot->hi ^ id.hi) & ID_MASK) == 0;
}

static inline const struct algorithm *
memory_algorithm_of(const struct memory_slot *slot)
{
	return algorithm_of((struct hash128){slot->lo, slot->hi});
}

static inline uint64_t
memory_low_bits(uint64_t word, unsigned bits)
{
	return word & ((UINT64_C(1) << bits) - 1);
}

/* ${hi} has the bits of the identity and of the share. */
static inline struct memory_slot
memory_pack(uint64_t lo, uint64_t hi, const struct bucket *bucket)
{
	const uint64_t third = (uint64_t)bucket->numbers[2];

	return (struct memory_slot){
	    .lo = lo,
	    .hi = (hi & (ID_MASK | SHARE_MASK)) | third << (64 - THIRD_BITS),
	    .more = {(uint64_t)bucket->numbers[0] | third >> THIRD_BITS
								 << NUMBER_BITS,
		(uint64_t)bucket->numbers[1] |
		    third >> (THIRD_BITS + THIRD_MORE) << NUMBER_BITS},
	};
}

static inline struct bucket
memory_unpack(const struct memory_slot *slot)
{
	uint64_t third = slot->hi >> (64 - THIRD_BITS) |
			 slot->more[0] >> NUMBER_BITS << THIRD_BITS |
			 slot->more[1] >> NUMBER_BITS
					      << (THIRD_BITS + THIRD_MORE);

	return (struct bucket){
	    .numbers = {(int64_t)memory_low_bits(slot->more[0], NUMBER_BITS),
		(int64_t)memory_low_bits(slot->more[1], NUMBER_BITS),
		(int64_t)third}};
}

/* What time it is for the buckets of ${algorithm} in the stripe. */
static inline int64_t
memory_time(const struct stripe *stripe, const struct algorithm *algorithm,
    int64_t now_us)
{
	return algorithm->is_calendar ? now_us + stripe->shift_us : now_us;
}

/* Whether it is the same as none; ${memory_us} is limit_block_memory_us(). */
static inline bool
memory_is_over(const struct algorithm *algorithm, const struct bucket *bucket,
    int64_t memory_us, int64_t time_us)
{
	return algorithm->is_drained(bucket, time_us) &&
	       !(algorithm->is_remembered &&
		   algorithm->is_remembered(bucket, memory_us, time_us));
}

/*
 * Where buckets are.
 */

static inline uint32_t
memory_stripe_at(const struct memory *memory, struct hash128 id)
{
	return (uint32_t)(id.hi >> 32) & (memory->stripes - 1);
}

/* Where in its stripe the search for an identity starts. */
static inline uint32_t
memory_home_of(const struct memory *memory, uint64_t lo)
{
	return (uint32_t)((lo >> 32) * memory->stripe_slots >> 32);
}

static inline uint32_t
memory_after(const struct memory *memory, uint32_t i)
{
	return i + 1 == memory->stripe_slots ? 0 : i + 1;
}

static inline uint32_t
memory_distance(const struct memory *memory, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + memory->stripe_slots - from;
}

/* The slot of ${id}, or the free one where it belongs. */
static inline struct memory_slot *
memory_find(
    const struct memory *memory, const struct stripe *stripe, struct hash128 id)
{
	uint32_t i = memory_home_of(memory, id.lo);

	for (;; i = memory_after(memory, i)) {
		struct memory_slot *slot = &stripe->slots[i];

		if (memory_is_of(slot, id) || memory_is_free(slot))
			return slot;
	}
}

/*
 * Buckets, in a stripe whose lock is held.
 */

/** Have the bucket ${id} of ${limit} be ${bucket}, which has changed since it
 * was read; a drained one is removed.  Its log is the slot's: what was put
 * meanwhile may have swept the slot, or moved the log.  Return whether there
 * was room. */
bool memory_put(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, struct hash128 id, const struct bucket *bucket,
    int64_t now_us) MUST_USE;

/** Decide ${first} and its mates together.  With ${only_allows}, a denial
 * changes nothing, not even where it would start a block. */
void memory_decide_mates(
    struct memory *memory, struct query *first, bool only_allows);

/** Ids that came with requests: store/memory_ids.c.  NULL: out of memory. */
struct memory_ids *memory_ids_new(void) MUST_USE;
void memory_ids_free(struct memory_ids *ids);

/** Forget some of those whose time is up at ${now_us}. */
void memory_ids_sweep(struct memory_ids *ids, int64_t now_us);

/** Decide a request that needs a bucket for which there is no room; ${decision}
 * is what it would be if there were. */
void memory_decide_when_full(struct memory *memory, struct decision *decision);

/*
 * Logs of buckets, in a stripe whose lock is held (limit/leases.h).
 */

/** Have the log of the bucket have room for what is fresh and ${more}.  Where
 * its slot has another log than the bucket now, the slot's is gone.  False:
 * there is no memory for it. */
bool memory_make_log(struct memory *memory, struct bucket *bucket,
    uint32_t more, int64_t now_us) MUST_USE;

/** Have the log say what the bucket says; as memory_make_log(). */
bool memory_settle(struct memory *memory, const struct limit *limit,
    struct bucket *bucket, int64_t now_us) MUST_USE;

/** Free the log of a bucket. */
void memory_drop_log(struct memory *memory, struct bucket *bucket);

/** Free those of all buckets; takes no lock. */
void memory_drop_logs(struct memory *memory);

/*
 * Room, in a stripe whose lock is held.
 */

/** Whether at ${now_us} the bucket in the slot, if there is one, is the same as
 * none. */
bool memory_is_drained(struct memory *memory, const struct stripe *stripe,
    const struct memory_slot *slot, int64_t now_us);

/** Put a bucket in the stripe, in place of another one of its identity.  Return
 * whether there was room. */
bool memory_restore(struct memory *memory, struct stripe *stripe,
    struct memory_slot slot) MUST_USE;

/** Remove all buckets; takes the locks itself. */
void memory_clear(struct memory *memory);

/** Free slot ${hole}, which is used.  Others may move up. */
void memory_remove_at(
    struct memory *memory, struct stripe *stripe, uint32_t hole);

/** Look at the next ${slots} slots; remove what is drained at ${now_us}. */
void memory_sweep_stripe(
    struct memory *memory, struct stripe *stripe, size_t slots, int64_t now_us);

/** Reserve a slot for one more bucket of ${limit}, whose share is ${share}, if
 * there is one to be had.  Slots may move.  Return whether there is. */
bool memory_make_room(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, unsigned share, int64_t now_us) MUST_USE;

#endif
