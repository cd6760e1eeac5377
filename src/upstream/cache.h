/**
 * cache: the stored responses of one upstream, in memory.
 *
 * Owns: a hold on each response.
 * Never: knows HTTP's rules (freshness.h), Redis (cache_redis.h), or who asks.
 *
 * Any thread may use it.  It is cut into stripes, as many as leave each some
 * room, and each with a lock, which is held for a look-up.  A response is found
 * by its target, and by the fields of the request that Vary names: each target
 * has up to CACHE_VARIANTS_MAX of them.  Where there is no room, the response
 * goes that was not asked for for the longest time (LRU).
 */
#ifndef UPSTREAM_CACHE_H
#define UPSTREAM_CACHE_H

#include "base/attr.h"
#include "upstream/response.h"

#include <stddef.h>
#include <stdint.h>

#define CACHE_VARIANTS_MAX 16

struct cache;

struct cache_options {
	int64_t max_bytes;   /* of memory, at least 64 KiB */
	int64_t max_entries; /* responses, 1 to 10000000 */
};

/** What happened to requests, and to responses. */
#define CACHE_EVENTS(X)                                                        \
	X(hits, "requests that got a stored response")                         \
	X(misses, "requests for what was not stored, or not any more")         \
	X(stale, "requests that got a stale response")                         \
	X(bypassed, "requests that passed by the cache")                       \
	X(validated, "stored responses that the upstream said are valid")      \
	X(stored, "responses that were stored")                                \
	X(evicted, "stored responses that had to go for others")               \
	X(redis_hits, "of those, found in Redis")

enum cache_event {
#define X(name, help) CACHE_##name,
	CACHE_EVENTS(X)
#undef X
	    CACHE_EVENT_COUNT
};

struct cache_stats {
	uint64_t events[CACHE_EVENT_COUNT];
	uint64_t entries, bytes; /* held now */
};

/** Return a cache, or NULL (out of memory). */
struct cache *cache_new(const struct cache_options *options) MUST_USE;

/** Free it; NULL: no-op.  No thread may be using it. */
void cache_free(struct cache *cache);

/** The stored response for a GET or HEAD of ${target} with these fields, which
 * the caller holds, or NULL.  Whether it may be used is not looked at. */
struct stored_response *cache_find(
    struct cache *cache, struct part target, struct headers request);

/** Store it in place of the one with the same ${selecting}.  It is not stored
 * if it is larger than cache_most(), or there is no memory. */
void cache_put(
    struct cache *cache, struct part target, struct stored_response *response);

/** The largest response, in bytes of memory, that there can be room for. */
size_t cache_most(const struct cache *cache);

/** Forget all that is stored of ${target}. */
void cache_remove(struct cache *cache, struct part target);

/** Forget what is stored of the targets that match ${glob} (limit/glob.h).
 * Return how many responses that were. */
size_t cache_purge(struct cache *cache, const char *glob);

/** Count what happened to a request.  cache_put() counts what is stored, and
 * evicted, itself. */
void cache_count(struct cache *cache, enum cache_event event);

/** Read all figures. */
void cache_read_stats(struct cache *cache, struct cache_stats *stats);

#endif
