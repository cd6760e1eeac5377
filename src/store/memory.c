#include "store/memory.h"

#include "limit/decide.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CACHE_LINE 64

/* So many stripes that threads seldom meet in one.  So many slots in each that
 * chance, which fills some stripes more than others, fills none before the
 * table is full: of 4096, the fifth left free is 14 standard deviations. */
#define STRIPES_MAX      256
#define STRIPE_SLOTS_MIN 4096

/* Slots that an insert sweeps: into a stripe with room, into one with little,
 * and, so many at a time, before the table counts as full. */
#define SWEEP_FEW    4
#define SWEEP_MORE   32
#define SWEEP_STEP   64
#define SWEEP_MOST   1024
#define SWEEP_LOCKED 256 /* and memory_sweep(), before it lets others in */

/* The retry of a denial for want of room: a hint, when a sweep may have made
 * some.  Nobody knows which bucket drains next. */
#define FULL_RETRY_US INT64_C(1000000)

/* All zero if free. */
struct slot {
	struct hash128 id; /* of key and limit, never zero */
	struct bucket bucket;
};

_Static_assert(sizeof(struct slot) == 32, "two to a cache line");

/* A hash table of its own.  At least one slot is always free: probing ends
 * there. */
struct stripe {
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
	struct slot *slots;
	uint32_t used;
	uint32_t hand; /* the slot that is swept next */
};

struct memory {
	/* never written again once made */
	struct slot *slots;
	uint32_t stripes;      /* a power of two */
	uint32_t stripe_slots; /* in each stripe */
	uint64_t max_buckets;
	enum on_full on_full;

	/* memory_sweep()'s */
	size_t swept; /* slots of this round, stripe by stripe */

	/* written by everyone: in a cache line of their own */
	_Alignas(CACHE_LINE) atomic_uint_fast64_t buckets;
	atomic_uint_fast64_t full;

	struct stripe stripe[];
};

static bool
is_free(const struct slot *slot)
{
	return (slot->id.lo | slot->id.hi) == 0;
}

static bool
is_drained(const struct slot *slot, int64_t now_us)
{
	return !is_free(slot) && bucket_is_drained(&slot->bucket, now_us);
}

static struct hash128
id_of(const struct limit *limit, const struct key *key)
{
	struct hash128 id = {
	    key->hash.lo ^ limit->id.lo, key->hash.hi ^ limit->id.hi};

	if ((id.lo | id.hi) == 0)
		id.lo = 1;
	return id;
}

static struct stripe *
stripe_of(struct memory *memory, struct hash128 id)
{
	return &memory->stripe[id.hi & (memory->stripes - 1)];
}

/* Where in its stripe the search for ${id} starts. */
static uint32_t
home_of(const struct memory *memory, struct hash128 id)
{
	return (uint32_t)((id.lo >> 32) * memory->stripe_slots >> 32);
}

static uint32_t
after(const struct memory *memory, uint32_t i)
{
	return i + 1 == memory->stripe_slots ? 0 : i + 1;
}

static uint32_t
distance(const struct memory *memory, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : to + memory->stripe_slots - from;
}

/* The slot of ${id}, or the free one where it belongs. */
static struct slot *
find(
    const struct memory *memory, const struct stripe *stripe, struct hash128 id)
{
	uint32_t i = home_of(memory, id);

	for (;; i = after(memory, i)) {
		struct slot *slot = &stripe->slots[i];

		if (slot->id.lo == id.lo && slot->id.hi == id.hi)
			return slot;
		if (is_free(slot))
			return slot;
	}
}

/* Free slot ${hole}.  A search must not end there for what stands behind it, so
 * that moves up (Knuth, volume 3, 6.4, algorithm R): there are no tombstones,
 * and nothing to rebuild. */
static void
remove_at(struct memory *memory, struct stripe *stripe, uint32_t hole)
{
	struct slot *slots = stripe->slots;

	for (uint32_t i = after(memory, hole); !is_free(&slots[i]);
	     i = after(memory, i)) {
		uint32_t home = home_of(memory, slots[i].id);

		if (distance(memory, home, i) < distance(memory, hole, i))
			continue; /* its search starts behind the hole */
		slots[hole] = slots[i];
		hole = i;
	}
	slots[hole] = (struct slot){0};
	stripe->used--;
	atomic_fetch_sub_explicit(&memory->buckets, 1, memory_order_relaxed);
}

/* Look at the next ${slots} slots; remove what is drained.  Looks again where
 * something was removed: what stands behind it has moved up. */
static void
sweep(
    struct memory *memory, struct stripe *stripe, size_t slots, int64_t now_us)
{
	for (; slots > 0; slots--) {
		while (is_drained(&stripe->slots[stripe->hand], now_us))
			remove_at(memory, stripe, stripe->hand);
		stripe->hand = after(memory, stripe->hand);
	}
}

/* Count one more bucket, unless there is no room for it. */
static bool
reserve(struct memory *memory, struct stripe *stripe)
{
	uint_fast64_t held =
	    atomic_load_explicit(&memory->buckets, memory_order_relaxed);

	if (stripe->used + 1 == memory->stripe_slots)
		return false;
	do {
		if (held >= memory->max_buckets)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&memory->buckets, &held,
	    held + 1, memory_order_relaxed, memory_order_relaxed));
	stripe->used++;
	return true;
}

/* Sweep, and reserve a slot if there is one to be had. */
static bool
make_room(struct memory *memory, struct stripe *stripe, int64_t now_us)
{
	bool crowded = stripe->used > memory->stripe_slots / 4 * 3;

	sweep(memory, stripe, crowded ? SWEEP_MORE : SWEEP_FEW, now_us);
	for (size_t done = 0; !reserve(memory, stripe); done += SWEEP_STEP) {
		if (done >= SWEEP_MOST || done >= memory->stripe_slots)
			return false;
		sweep(memory, stripe, SWEEP_STEP, now_us);
	}
	return true;
}

static bool
insert(struct memory *memory, struct stripe *stripe, struct hash128 id,
    const struct bucket *bucket, int64_t now_us)
{
	if (!make_room(memory, stripe, now_us))
		return false;
	/* Searched for again, as the sweep may have moved things. */
	*find(memory, stripe, id) = (struct slot){id, *bucket};
	return true;
}

/* What a request is told that needs a bucket more than there is room for. */
static void
decide_when_full(struct memory *memory, struct decision *decision)
{
	bool allowed = memory->on_full == ON_FULL_ALLOW;

	*decision = (struct decision){
	    .allowed = allowed,
	    .retry_us = allowed ? 0 : FULL_RETRY_US,
	};
	atomic_fetch_add_explicit(&memory->full, 1, memory_order_relaxed);
}

/* Zeroed slots, whose pages cost nothing until they are used; NULL if the
 * system has not as much. */
static struct slot *
map_slots(size_t count)
{
	void *slots = mmap(NULL, count * sizeof(struct slot),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return slots == MAP_FAILED ? NULL : slots;
}

static void
init_stripe(struct stripe *stripe, struct slot *slots)
{
	*stripe = (struct stripe){.slots = slots};
	pthread_mutex_init(&stripe->lock, NULL);
}

struct memory *
memory_new(const struct memory_options *options)
{
	/* Four fifths of the slots are the working load: 40 bytes a bucket. */
	uint64_t slots = ((uint64_t)options->max_buckets * 5 + 3) / 4;
	uint32_t stripes = 1;
	struct memory *memory;
	size_t size;

	while (stripes < STRIPES_MAX && slots / stripes / 2 >= STRIPE_SLOTS_MIN)
		stripes *= 2;
	size = sizeof(*memory) + stripes * sizeof(memory->stripe[0]);
	memory = aligned_alloc(CACHE_LINE, size);
	if (!memory)
		return NULL;
	*memory = (struct memory){
	    .stripes = stripes,
	    .stripe_slots = (uint32_t)((slots + stripes - 1) / stripes),
	    .max_buckets = (uint64_t)options->max_buckets,
	    .on_full = options->on_full,
	};
	memory->slots = map_slots(memory_slots(memory));
	if (!memory->slots) {
		free(memory);
		return NULL;
	}
	for (uint32_t i = 0; i < stripes; i++)
		init_stripe(&memory->stripe[i],
		    memory->slots + (size_t)i * memory->stripe_slots);
	return memory;
}

void
memory_free(struct memory *memory)
{
	if (!memory)
		return;
	for (uint32_t i = 0; i < memory->stripes; i++)
		pthread_mutex_destroy(&memory->stripe[i].lock);
	munmap(memory->slots, memory_slots(memory) * sizeof(struct slot));
	free(memory);
}

void
memory_decide(struct memory *memory, const struct limit *limit,
    const struct key *key, enum op op, int64_t amount, int64_t now_us,
    struct decision *decision)
{
	struct hash128 id = id_of(limit, key);
	struct stripe *stripe = stripe_of(memory, id);
	struct bucket bucket;
	struct slot *slot;

	pthread_mutex_lock(&stripe->lock);
	slot = find(memory, stripe, id);
	bucket = slot->bucket; /* of a free slot: an empty one */
	if (decide(limit, op, amount, now_us, &bucket, decision)) {
		if (bucket_is_drained(&bucket, now_us)) {
			if (!is_free(slot))
				remove_at(memory, stripe,
				    (uint32_t)(slot - stripe->slots));
		} else if (!is_free(slot)) {
			slot->bucket = bucket;
		} else if (!insert(memory, stripe, id, &bucket, now_us)) {
			decide_when_full(memory, decision);
		}
	}
	pthread_mutex_unlock(&stripe->lock);
}

void
memory_sweep(struct memory *memory, size_t slots, int64_t now_us)
{
	while (slots > 0) {
		size_t at = memory->swept % memory->stripe_slots;
		size_t count = memory->stripe_slots - at;
		struct stripe *stripe =
		    &memory->stripe[memory->swept / memory->stripe_slots];

		if (count > SWEEP_LOCKED)
			count = SWEEP_LOCKED;
		if (count > slots)
			count = slots;
		pthread_mutex_lock(&stripe->lock);
		sweep(memory, stripe, count, now_us);
		pthread_mutex_unlock(&stripe->lock);
		slots -= count;
		memory->swept += count;
		if (memory->swept == memory_slots(memory))
			memory->swept = 0;
	}
}

size_t
memory_slots(const struct memory *memory)
{
	return (size_t)memory->stripes * memory->stripe_slots;
}

uint64_t
memory_buckets(const struct memory *memory)
{
	return atomic_load_explicit(&memory->buckets, memory_order_relaxed);
}

uint64_t
memory_full(const struct memory *memory)
{
	return atomic_load_explicit(&memory->full, memory_order_relaxed);
}

/* The store of one worker. */
struct memory_store {
	struct store store;
	struct memory *memory;
};

static bool
answer_ask(struct store *store, struct ask *ask)
{
	struct memory *memory =
	    CONTAINER_OF(store, struct memory_store, store)->memory;

	memory_decide(memory, ask->limit, &ask->key, ask->op, ask->amount,
	    ask->now_us, &ask->decision);
	ask->answer = ask->op == OP_RESET ? ANSWER_DONE : ANSWER_DECISION;
	ask->from = FROM_MEMORY;
	return true;
}

static void
free_store(struct store *store)
{
	free(CONTAINER_OF(store, struct memory_store, store));
}

struct store *
memory_store_new(struct memory *memory)
{
	static const struct store_ops ops = {
	    .ask = answer_ask,
	    .free = free_store,
	};
	struct memory_store *self = malloc(sizeof(*self));

	if (!self)
		return NULL;
	*self = (struct memory_store){.store = {.ops = &ops}, .memory = memory};
	return &self->store;
}
