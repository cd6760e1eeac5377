/*
 * Job: finds stored responses, and keeps them within their bounds.
 * Invariant: a stripe is used only under its lock, and holds no more than its
 * share of the bounds.
 * The heart: cache_find(), cache_put().
 */
#include "upstream/cache.h"

#include "base/list.h"
#include "base/siphash.h"
#include "limit/glob.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* More stripes, as long as each has room for so much: a response can be as
 * large as a stripe, and the oldest of a stripe is about the oldest of all. */
#define STRIPES_MAX        16
#define STRIPE_BYTES_MIN   (INT64_C(16) << 20)
#define STRIPE_ENTRIES_MIN 1024

/* Chains that a purge looks at before it lets others in. */
#define PURGE_LOCKED 256

struct cache_entry {
	struct cache_entry *next; /* in its chain, older */
	TAILQ_ENTRY(cache_entry) lru;
	struct hash128 id; /* of its target */
	struct stored_response *response;
	size_t bytes; /* of memory */
	size_t target_len;
	char target[];
};

struct cache_stripe {
	_Alignas(64) pthread_mutex_t lock;
	struct cache_entry **chains;
	TAILQ_HEAD(, cache_entry) lru; /* last: asked for last */
	uint64_t entries, bytes;
};

struct cache {
	struct siphash_seed seed;
	uint64_t chains;                       /* of a stripe, a power of two */
	uint64_t stripe_entries, stripe_bytes; /* its share of the bounds */
	_Atomic uint64_t events[CACHE_EVENT_COUNT];
	uint32_t count; /* a power of two */
	struct cache_stripe stripes[];
};

static struct cache_stripe *
cache_stripe(struct cache *cache, struct hash128 id)
{
	return &cache->stripes[id.hi & (cache->count - 1)];
}

static struct cache_entry **
cache_chain(struct cache *cache, struct hash128 id)
{
	return &cache_stripe(cache, id)->chains[id.lo & (cache->chains - 1)];
}

static struct hash128
cache_id(const struct cache *cache, struct part target)
{
	return siphash128(&cache->seed, target.bytes, target.len);
}

void
cache_count(struct cache *cache, enum cache_event event)
{
	atomic_fetch_add_explicit(
	    &cache->events[event], 1, memory_order_relaxed);
}

/* Take the entry at ${at} out of its chain, and free it. */
static void
cache_drop(struct cache_stripe *stripe, struct cache_entry **at)
{
	struct cache_entry *entry = *at;

	*at = entry->next;
	TAILQ_REMOVE(&stripe->lru, entry, lru);
	stripe->entries--;
	stripe->bytes -= entry->bytes;
	response_leave(entry->response);
	response_unref(entry->response);
	free(entry);
}

static void
cache_evict(struct cache *cache, struct cache_stripe *stripe)
{
	struct cache_entry *oldest = TAILQ_FIRST(&stripe->lru);
	struct cache_entry **at = cache_chain(cache, oldest->id);

	while (*at != oldest)
		at = &(*at)->next;
	cache_drop(stripe, at);
	cache_count(cache, CACHE_evicted);
}

struct stored_response *
cache_find(struct cache *cache, struct part target, struct headers request)
{
	struct hash128 id = cache_id(cache, target);
	struct cache_stripe *stripe = cache_stripe(cache, id);
	struct stored_response *found = NULL;
	struct cache_entry *entry;

	pthread_mutex_lock(&stripe->lock);
	entry = *cache_chain(cache, id);
	while (entry && !(hash128_equal(entry->id, id) &&
			    vary_matches(entry->response->selecting, request)))
		entry = entry->next;
	if (entry) {
		found = response_ref(entry->response);
		if (TAILQ_NEXT(entry, lru)) {
			TAILQ_REMOVE(&stripe->lru, entry, lru);
			TAILQ_INSERT_TAIL(&stripe->lru, entry, lru);
		}
	}
	pthread_mutex_unlock(&stripe->lock);
	return found;
}

static bool
cache_is_same(struct part a, struct part b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* Drop the variant that ${selecting} selects, and if there are too many
 * variants, the one that was stored first. */
static void
cache_replace(struct cache *cache, struct cache_stripe *stripe,
    struct hash128 id, struct part selecting)
{
	struct cache_entry **at = cache_chain(cache, id);
	struct cache_entry **last = NULL;
	unsigned variants = 0;

	while (*at) {
		if (!hash128_equal((*at)->id, id)) {
			at = &(*at)->next;
		} else if (cache_is_same(
			       (*at)->response->selecting, selecting)) {
			cache_drop(stripe, at);
			return;
		} else {
			variants++;
			last = at;
			at = &(*at)->next;
		}
	}
	if (variants >= CACHE_VARIANTS_MAX) {
		cache_drop(stripe, last);
		cache_count(cache, CACHE_evicted);
	}
}

void
cache_put(
    struct cache *cache, struct part target, struct stored_response *response)
{
	struct hash128 id = cache_id(cache, target);
	struct cache_stripe *stripe = cache_stripe(cache, id);
	struct cache_entry *entry = malloc(sizeof(*entry) + target.len);
	struct cache_entry **chain = cache_chain(cache, id);

	if (entry) {
		*entry = (struct cache_entry){
		    .id = id,
		    .response = response,
		    .bytes = sizeof(*entry) + target.len + response->bytes,
		    .target_len = target.len,
		};
		memcpy(entry->target, target.bytes, target.len);
	}
	pthread_mutex_lock(&stripe->lock);
	cache_replace(cache, stripe, id, response->selecting);
	if (entry && entry->bytes <= cache->stripe_bytes) {
		while (stripe->entries == cache->stripe_entries ||
		       stripe->bytes + entry->bytes > cache->stripe_bytes)
			cache_evict(cache, stripe);
		entry->next = *chain;
		*chain = entry;
		TAILQ_INSERT_TAIL(&stripe->lru, entry, lru);
		stripe->entries++;
		stripe->bytes += entry->bytes;
		response_enter(response_ref(response));
		entry = NULL;
		cache_count(cache, CACHE_stored);
	}
	pthread_mutex_unlock(&stripe->lock);
	free(entry);
}

size_t
cache_most(const struct cache *cache)
{
	return cache->stripe_bytes - sizeof(struct cache_entry);
}

/* Drop those of a chain that are of the target ${id}, or whose target matches
 * ${glob}.  Return how many. */
static size_t
cache_clear_chain(struct cache_stripe *stripe, struct cache_entry **at,
    const struct hash128 *id, const char *glob)
{
	size_t count = 0;

	while (*at) {
		const struct cache_entry *entry = *at;

		if (id ? hash128_equal(entry->id, *id)
		       : glob_matches(glob, entry->target, entry->target_len)) {
			cache_drop(stripe, at);
			count++;
		} else {
			at = &(*at)->next;
		}
	}
	return count;
}

void
cache_remove(struct cache *cache, struct part target)
{
	struct hash128 id = cache_id(cache, target);
	struct cache_stripe *stripe = cache_stripe(cache, id);

	pthread_mutex_lock(&stripe->lock);
	cache_clear_chain(stripe, cache_chain(cache, id), &id, NULL);
	pthread_mutex_unlock(&stripe->lock);
}

size_t
cache_purge(struct cache *cache, const char *glob)
{
	size_t count = 0;

	for (uint32_t i = 0; i < cache->count; i++) {
		struct cache_stripe *stripe = &cache->stripes[i];

		for (uint64_t at = 0; at < cache->chains; at += PURGE_LOCKED) {
			pthread_mutex_lock(&stripe->lock);
			for (uint64_t c = at;
			     c < at + PURGE_LOCKED && c < cache->chains; c++)
				count += cache_clear_chain(
				    stripe, &stripe->chains[c], NULL, glob);
			pthread_mutex_unlock(&stripe->lock);
		}
	}
	return count;
}

void
cache_read_stats(struct cache *cache, struct cache_stats *stats)
{
	*stats = (struct cache_stats){0};
	for (size_t i = 0; i < CACHE_EVENT_COUNT; i++)
		stats->events[i] = atomic_load_explicit(
		    &cache->events[i], memory_order_relaxed);
	for (uint32_t i = 0; i < cache->count; i++) {
		struct cache_stripe *stripe = &cache->stripes[i];

		pthread_mutex_lock(&stripe->lock);
		stats->entries += stripe->entries;
		stats->bytes += stripe->bytes;
		pthread_mutex_unlock(&stripe->lock);
	}
}

struct cache *
cache_new(const struct cache_options *options)
{
	uint32_t count = 1;
	struct cache *cache;
	size_t size;

	while (count < STRIPES_MAX &&
	       options->max_bytes / count / 2 >= STRIPE_BYTES_MIN &&
	       options->max_entries / count / 2 >= STRIPE_ENTRIES_MIN)
		count *= 2;
	size = sizeof(*cache) + count * sizeof(cache->stripes[0]);
	cache = aligned_alloc(_Alignof(struct cache_stripe), size);
	if (!cache)
		return NULL;
	*cache = (struct cache){
	    .seed = siphash_seed_random(),
	    .chains = 1,
	    .stripe_entries = (uint64_t)options->max_entries / count,
	    .stripe_bytes = (uint64_t)options->max_bytes / count,
	    .count = count,
	};
	while (cache->chains < cache->stripe_entries)
		cache->chains *= 2;
	for (uint32_t i = 0; i < count; i++) {
		struct cache_stripe *stripe = &cache->stripes[i];

		*stripe = (struct cache_stripe){0};
		pthread_mutex_init(&stripe->lock, NULL);
		TAILQ_INIT(&stripe->lru);
		stripe->chains = calloc(cache->chains, sizeof(*stripe->chains));
		if (!stripe->chains) {
			cache->count = i + 1;
			cache_free(cache);
			return NULL;
		}
	}
	return cache;
}

void
cache_free(struct cache *cache)
{
	if (!cache)
		return;
	for (uint32_t i = 0; i < cache->count; i++) {
		struct cache_stripe *stripe = &cache->stripes[i];

		while (TAILQ_FIRST(&stripe->lru)) {
			struct cache_entry *entry = TAILQ_FIRST(&stripe->lru);

			TAILQ_REMOVE(&stripe->lru, entry, lru);
			response_leave(entry->response);
			response_unref(entry->response);
			free(entry);
		}
		free(stripe->chains);
		pthread_mutex_destroy(&stripe->lock);
	}
	free(cache);
}
