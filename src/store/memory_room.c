/*
 * Job: makes room for buckets: removes drained ones, and counts what is held.
 * Invariant: no search ends at a hole, and a slot is reserved before it is
 * used, so that a stripe has a free one at all times.
 * The heart: memory_remove_at() and memory_make_room().
 */
#include "store/memory_internal.h"

/* Slots that an insert sweeps: into a stripe with room, into one with little,
 * and, so many at a time, before the table counts as full. */
#define SWEEP_FEW  4
#define SWEEP_MORE 32
#define SWEEP_STEP 64
#define SWEEP_MOST 1024

/* Where more than one limit is known, none gets another bucket once it holds
 * this many times what is free.  So one alone may have nine tenths, two 47 %
 * each, and no flood of keys under some limits takes all room from the others.
 */
#define SHARE_OF_FREE 9

/* A sweep of a whole stripe that found nothing is not repeated for a while: a
 * microsecond for each of these slots of the table, but a second at most.  So
 * sweeps take some hundredths of a worker's time. */
#define REST_SLOTS_US 5
#define REST_MAX_US   INT64_C(1000000)

bool
memory_is_drained(struct memory *memory, const struct stripe *stripe,
    const struct memory_slot *slot, int64_t now_us)
{
	const struct algorithm *algorithm;
	struct bucket bucket;

	if (memory_is_free(slot))
		return false;
	algorithm = memory_algorithm_of(slot);
	bucket = memory_unpack(slot);
	now_us = memory_time(stripe, algorithm, now_us);
	return memory_is_over(algorithm, &bucket,
	    atomic_load_explicit(
		&memory->shares->memory_us[(slot->hi & SHARE_MASK) >> ID_BITS],
		memory_order_relaxed),
	    now_us);
}

/* Free slot ${hole}.  A search for a bucket behind it must not end there, so
 * buckets move up (Knuth, volume 3, 6.4, algorithm R): there are no tombstones,
 * and nothing to rebuild. */
void
memory_remove_at(struct memory *memory, struct stripe *stripe, uint32_t hole)
{
	struct memory_slot *slots = stripe->slots;

	if (memory_algorithm_of(&slots[hole])->has_log) {
		struct bucket bucket = memory_unpack(&slots[hole]);

		memory_drop_log(memory, &bucket);
	}
	shares_give(memory->shares,
	    (unsigned)((slots[hole].hi & SHARE_MASK) >> ID_BITS));
	for (uint32_t i = memory_after(memory, hole);
	     !memory_is_free(&slots[i]); i = memory_after(memory, i)) {
		uint32_t home = memory_home_of(memory, slots[i].lo);

		if (memory_distance(memory, home, i) <
		    memory_distance(memory, hole, i))
			continue; /* its search starts behind the hole */
		slots[hole] = slots[i];
		hole = i;
	}
	slots[hole] = (struct memory_slot){0};
	stripe->used--;
	atomic_fetch_sub_explicit(&memory->buckets, 1, memory_order_relaxed);
}

/* Look at the next ${slots} slots; remove what is drained.  A slot that was
 * freed is looked at again: a bucket behind it has moved up. */
void
memory_sweep_stripe(
    struct memory *memory, struct stripe *stripe, size_t slots, int64_t now_us)
{
	for (; slots > 0; slots--) {
		while (memory_is_drained(
		    memory, stripe, &stripe->slots[stripe->hand], now_us))
			memory_remove_at(memory, stripe, stripe->hand);
		stripe->hand = memory_after(memory, stripe->hand);
	}
}

/* How many buckets the limit may have now. */
static uint64_t
memory_share_of(struct memory *memory, const struct limit *limit)
{
	const uint64_t held = memory_buckets(memory);
	const uint64_t most =
	    limit->max_buckets ? (uint64_t)limit->max_buckets : UINT64_MAX;
	uint64_t free;

	if (!shares_are_several(memory->shares))
		return most;
	free = held < memory->max_buckets ? memory->max_buckets - held : 0;
	return free * SHARE_OF_FREE < most ? free * SHARE_OF_FREE : most;
}

/* Count one more bucket in all, unless there is no room for it. */
static bool
memory_reserve_one(struct memory *memory)
{
	uint_fast64_t held =
	    atomic_load_explicit(&memory->buckets, memory_order_relaxed);

	do {
		if (held >= memory->max_buckets)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&memory->buckets, &held,
	    held + 1, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Count one more bucket of the limit, unless there is no room for it. */
static bool
memory_reserve(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, unsigned share)
{
	if (stripe->used + 1 == memory->stripe_slots ||
	    !shares_take(memory->shares, share, memory_share_of(memory, limit)))
		return false;
	if (!memory_reserve_one(memory)) {
		shares_give(memory->shares, share);
		return false;
	}
	stripe->used++;
	return true;
}

bool
memory_restore(
    struct memory *memory, struct stripe *stripe, struct memory_slot slot)
{
	const unsigned share = (unsigned)((slot.hi & SHARE_MASK) >> ID_BITS);
	struct memory_slot *to =
	    memory_find(memory, stripe, (struct hash128){slot.lo, slot.hi});

	if (memory_is_free(to)) {
		if (stripe->used + 1 == memory->stripe_slots ||
		    !memory_reserve_one(memory))
			return false;
		stripe->used++;
		(void)shares_take(memory->shares, share, UINT64_MAX);
		*to = slot;
		return true;
	}
	slot.hi = (slot.hi & ~SHARE_MASK) | (to->hi & SHARE_MASK);
	*to = slot;
	return true;
}

void
memory_clear(struct memory *memory)
{
	for (uint32_t i = 0; i < memory->stripes; i++) {
		struct stripe *stripe = &memory->stripe[i];

		pthread_mutex_lock(&stripe->lock);
		for (uint32_t k = 0; k < memory->stripe_slots; k++)
			while (!memory_is_free(&stripe->slots[k]))
				memory_remove_at(memory, stripe, k);
		pthread_mutex_unlock(&stripe->lock);
	}
}

/* For how long a stripe is not swept after a whole sweep that found nothing. */
static int64_t
memory_rest_us(const struct memory *memory)
{
	int64_t rest_us = (int64_t)(memory_slots(memory) / REST_SLOTS_US);

	return rest_us < REST_MAX_US ? rest_us : REST_MAX_US;
}

/* Sweep until a slot can be reserved. */
static bool
memory_find_room(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, unsigned share, int64_t now_us)
{
	for (size_t done = 0; !memory_reserve(memory, stripe, limit, share);
	     done += SWEEP_STEP) {
		if (stripe->vain >= memory->stripe_slots) {
			stripe->vain = 0;
			stripe->rest_until_us = now_us + memory_rest_us(memory);
			return false;
		}
		if (done >= SWEEP_MOST)
			return false;
		memory_sweep_stripe(memory, stripe, SWEEP_STEP, now_us);
		stripe->vain += SWEEP_STEP;
	}
	stripe->vain = 0;
	return true;
}

/* Reserve a slot if there is one to be had. */
bool
memory_make_room(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, unsigned share, int64_t now_us)
{
	bool crowded = stripe->used > memory->stripe_slots / 4 * 3;

	if (now_us < stripe->rest_until_us)
		return memory_reserve(memory, stripe, limit, share);
	memory_sweep_stripe(
	    memory, stripe, crowded ? SWEEP_MORE : SWEEP_FEW, now_us);
	return memory_find_room(memory, stripe, limit, share, now_us);
}
