/*
 * Job: decides on buckets in memory, and keeps the table that holds them.
 * Invariant: a stripe is used only under its lock.
 * The heart: memory_decide(); memory_find(), in memory_internal.h.
 */
#include "store/mates.h"
#include "store/memory_internal.h"

#include <stdlib.h>
#include <sys/mman.h>

/* So many stripes that threads seldom meet in one.  So many slots in each that
 * chance, which fills some stripes more than others, fills none before the
 * table is full: of 4096, the fifth left free is 14 standard deviations. */
#define STRIPES_MAX      256
#define STRIPE_SLOTS_MIN 4096

/* Slots that memory_sweep() looks at before it lets others in. */
#define SWEEP_LOCKED 256

/* A smaller change is the error of reading two clocks, and not a clock that was
 * set. */
#define CLOCK_SET_US 10000

/* The retry of a denial because there is no room: a hint, since it is not known
 * when the next bucket drains. */
#define FULL_RETRY_US INT64_C(1000000)

static bool
memory_insert(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, struct hash128 id, const struct bucket *bucket,
    int64_t now_us)
{
	const unsigned share = shares_find(memory->shares, limit->id);

	if (!memory_make_room(memory, stripe, limit, share, now_us))
		return false;
	if (limit->block_growth > 0)
		shares_remember(
		    memory->shares, share, limit_block_memory_us(limit));
	/* Searched for again, as the sweep may have moved things. */
	*memory_find(memory, stripe, id) = memory_pack(
	    id.lo, (id.hi & ID_MASK) | (uint64_t)share << ID_BITS, bucket);
	return true;
}

/* Have ${slot}, where the bucket ${id} is or belongs, hold ${bucket}. */
static bool
memory_put_at(struct memory *memory, struct stripe *stripe,
    struct memory_slot *slot, const struct limit *limit, struct hash128 id,
    struct bucket *bucket, int64_t now_us)
{
	const struct algorithm *algorithm = limit->algorithm;
	const int64_t time_us = memory_time(stripe, algorithm, now_us);

	if (algorithm->has_log &&
	    !memory_settle(memory, limit, bucket, time_us))
		return false;
	if (!memory_is_free(slot))
		*slot = memory_pack(slot->lo, slot->hi, bucket);
	if (memory_is_over(
		algorithm, bucket, limit_block_memory_us(limit), time_us)) {
		if (!memory_is_free(slot))
			memory_remove_at(
			    memory, stripe, (uint32_t)(slot - stripe->slots));
		else if (algorithm->has_log)
			memory_drop_log(memory, bucket);
		return true;
	}
	if (!memory_is_free(slot) ||
	    memory_insert(memory, stripe, limit, id, bucket, now_us))
		return true;
	if (algorithm->has_log)
		memory_drop_log(memory, bucket);
	return false;
}

bool
memory_put(struct memory *memory, struct stripe *stripe,
    const struct limit *limit, struct hash128 id, const struct bucket *bucket,
    int64_t now_us)
{
	struct memory_slot *slot = memory_find(memory, stripe, id);
	struct bucket kept = *bucket;

	if (limit->algorithm->has_log)
		kept.log.log = memory_unpack(slot).log.log;
	return memory_put_at(memory, stripe, slot, limit, id, &kept, now_us);
}

void
memory_decide_when_full(struct memory *memory, struct decision *decision)
{
	bool allowed = memory->on_full == ON_FULL_ALLOW;

	*decision = (struct decision){
	    .allowed = allowed,
	    .taken = allowed ? decision->taken : 0,
	    .retry_us = allowed ? 0 : FULL_RETRY_US,
	};
	atomic_fetch_add_explicit(&memory->full, 1, memory_order_relaxed);
}

/* Zeroed slots, whose pages cost nothing until they are used; NULL if the
 * system has not as much. */
static struct memory_slot *
memory_map_slots(size_t count)
{
	void *slots = mmap(NULL, count * sizeof(struct memory_slot),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return slots == MAP_FAILED ? NULL : slots;
}

static void
memory_release(struct memory *memory)
{
	memory_drop_logs(memory);
	if (memory->slots)
		munmap(memory->slots,
		    memory_slots(memory) * sizeof(struct memory_slot));
	free(memory->shares);
	memory_ids_free(memory->ids);
	free(memory);
}

static void
memory_init_stripe(struct stripe *stripe, struct memory_slot *slots)
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
	memory->slots = memory_map_slots(memory_slots(memory));
	memory->shares = calloc(1, sizeof(*memory->shares));
	memory->ids = memory_ids_new();
	if (!memory->slots || !memory->shares || !memory->ids) {
		memory_release(memory);
		return NULL;
	}
	for (uint32_t i = 0; i < stripes; i++)
		memory_init_stripe(&memory->stripe[i],
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
	memory_release(memory);
}

/* A search mostly ends where it starts. */
void
memory_prefetch(const struct memory *memory, const struct limit *limit,
    const struct key *key)
{
	struct hash128 id = bucket_id(limit, key);
	size_t first =
	    (size_t)memory_stripe_at(memory, id) * memory->stripe_slots;

	__builtin_prefetch(
	    &memory->slots[first + memory_home_of(memory, id.lo)], 1);
}

void
memory_decide(struct memory *memory, const struct limit *limit,
    const struct key *key, enum op op, int64_t amount, int64_t now_us,
    struct decision *decision)
{
	struct hash128 id = bucket_id(limit, key);
	struct stripe *stripe = &memory->stripe[memory_stripe_at(memory, id)];
	struct memory_slot *slot;
	struct bucket bucket;
	int64_t time_us;

	pthread_mutex_lock(&stripe->lock);
	time_us = memory_time(stripe, limit->algorithm, now_us);
	slot = memory_find(memory, stripe, id);
	bucket = memory_unpack(slot); /* of a free slot: an empty one */
	if (decide(limit, op, amount, time_us, &bucket, decision) &&
	    !memory_put_at(memory, stripe, slot, limit, id, &bucket, now_us))
		memory_decide_when_full(memory, decision);
	pthread_mutex_unlock(&stripe->lock);
}

/* What names a lease changes the log itself, and may have it moved. */
static bool
memory_lease_at(struct memory *memory, struct stripe *stripe,
    struct memory_slot *slot, struct query *query, struct hash128 id,
    int64_t now_us)
{
	const int64_t time_us =
	    memory_time(stripe, query->limit->algorithm, now_us);
	struct bucket bucket = memory_unpack(slot);
	/* OP_RELEASE needs a log, but no more room in it. */
	const uint32_t more = query->op == OP_HOLD || !bucket.log.log;

	if (!memory_make_log(memory, &bucket, more, time_us))
		return false;
	mates_decide_alone(query, time_us, &bucket, &query->decision);
	return memory_put_at(
	    memory, stripe, slot, query->limit, id, &bucket, now_us);
}

void
memory_decide_query(struct memory *memory, struct query *query, int64_t now_us)
{
	struct hash128 id = bucket_id(query->limit, &query->key);
	struct stripe *stripe;

	if (!op_names_lease(query->op)) {
		memory_decide(memory, query->limit, &query->key, query->op,
		    query->amount, now_us, &query->decision);
		return;
	}
	stripe = &memory->stripe[memory_stripe_at(memory, id)];
	pthread_mutex_lock(&stripe->lock);
	if (!memory_lease_at(memory, stripe, memory_find(memory, stripe, id),
		query, id, now_us))
		memory_decide_when_full(memory, &query->decision);
	pthread_mutex_unlock(&stripe->lock);
}

/* The wall clock was set: have the stripe's calendar follow. */
static void
memory_set_shift(
    struct stripe *stripe, uint32_t slots, int64_t now_us, int64_t shift_us)
{
	for (uint32_t i = 0; i < slots; i++) {
		struct memory_slot *slot = &stripe->slots[i];
		const struct algorithm *algorithm;
		struct bucket bucket;

		if (memory_is_free(slot))
			continue;
		algorithm = memory_algorithm_of(slot);
		if (!algorithm->is_calendar)
			continue;
		bucket = memory_unpack(slot);
		algorithm->follow_clock(
		    &bucket, now_us + stripe->shift_us, now_us + shift_us);
		*slot = memory_pack(slot->lo, slot->hi, &bucket);
	}
	stripe->shift_us = shift_us;
}

void
memory_know_limits(struct memory *memory, const struct rules *rules)
{
	for (size_t i = 0; i < rules_count(rules); i++)
		shares_find(memory->shares, rules_at(rules, i)->id);
}

void
memory_follow_clock(struct memory *memory, int64_t now_us, int64_t shift_us)
{
	if (llabs(shift_us - memory->shift_us) < CLOCK_SET_US)
		return;
	memory->shift_us = shift_us;
	for (uint32_t i = 0; i < memory->stripes; i++) {
		struct stripe *stripe = &memory->stripe[i];

		pthread_mutex_lock(&stripe->lock);
		memory_set_shift(
		    stripe, memory->stripe_slots, now_us, shift_us);
		pthread_mutex_unlock(&stripe->lock);
	}
}

void
memory_sweep(struct memory *memory, size_t slots, int64_t now_us)
{
	memory_ids_sweep(memory->ids, now_us);
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
		memory_sweep_stripe(memory, stripe, count, now_us);
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
memory_store_query(struct store *store, struct query *query)
{
	struct memory *memory =
	    CONTAINER_OF(store, struct memory_store, store)->memory;

	if (query->once) {
		memory_decide_once(memory, query);
		return true;
	}
	if (query->mate || query->op == OP_WAIT || op_takes_out(query->op)) {
		memory_decide_together(memory, query);
		return true;
	}
	memory_decide_query(memory, query, query->now_us);
	query->result = query->op == OP_RESET ? RESULT_DONE : RESULT_DECISION;
	query->decided_by = DECIDED_BY_MEMORY;
	return true;
}

static void
memory_store_prefetch(struct store *store, const struct query *query)
{
	memory_prefetch(CONTAINER_OF(store, struct memory_store, store)->memory,
	    query->limit, &query->key);
}

static void
memory_free_store(struct store *store)
{
	free(CONTAINER_OF(store, struct memory_store, store));
}

struct store *
memory_store_new(struct memory *memory)
{
	static const struct store_ops ops = {
	    .query = memory_store_query,
	    .prefetch = memory_store_prefetch,
	    .free = memory_free_store,
	};
	struct memory_store *self = malloc(sizeof(*self));

	if (!self)
		return NULL;
	*self = (struct memory_store){.store = {.ops = &ops}, .memory = memory};
	return &self->store;
}
