/**
 * cache_redis: the stored responses of all upstreams in Redis, behind those in
 * memory.
 *
 *   <prefix>cache:NAME:{T}:/PATH?QUERY   a hash: the responses for one target
 *   <prefix>cache:NAME:{T}:              a sorted set: these, by last use
 *   <prefix>cache:purge                  a channel: what was purged
 *
 * With key_secrets, targets, responses, digests and messages are sealed
 * (cache_seal.h); the name of the upstream, and what Vary names, are not.
 *
 * {T}: is the tag of the target's partition (partition.h), none if there is but
 * one.  The field of a response is "", or a digest of what selects it if there
 * are variants; then the field "vary" has the names that Vary has.  Each server
 * holds as many targets as the upstream may have, divided by the partitions; of
 * more, those go that were not looked up for the longest time, which is by
 * daemons that do not have them in memory.  That they were is noted some at a
 * time, a tenth of a second later at most, and before this daemon stores more
 * on the server; of a target that is looked up all the time, once a second.
 *
 * Redis is asked, but never needed: what it does not say in time, what is not
 * there, and what is none of ours is a miss, and a Redis that is full stores
 * nothing more.
 *
 * Owns: two links to each server, one for calls, one for the channel.
 * Lives on one thread, that of the loop.
 */
#ifndef UPSTREAM_CACHE_REDIS_H
#define UPSTREAM_CACHE_REDIS_H

#include "base/attr.h"
#include "store/redis/shard.h"
#include "upstream/response.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache_redis;
struct cache_call;

struct cache_redis_events {
	/** What matches ${glob} of the upstream of that name was purged, by any
	 * daemon; NULL: all of it, of all upstreams, may have been, while this
	 * one did not hear of it. */
	void (*purged)(void *arg, const char *name, const char *glob);
};

/** Connect to the servers of the topology.  All is borrowed.  NULL: out of
 * memory. */
struct cache_redis *cache_redis_new(struct loop *loop, struct dialer *dialer,
    const struct shard_options *options,
    const struct cache_redis_events *events, void *arg) MUST_USE;

/** Free it; NULL: no-op.  Look-ups that are under way get NULL. */
void cache_redis_free(struct cache_redis *redis);

/** One look-up: a field of who asks; all zero at first. */
struct cache_lookup {
	/* given; borrowed during cache_redis_find() */
	const char *name; /* of the upstream */
	struct part target;
	struct headers request;
	size_t most; /* bytes of memory that the response may take */

	/** What was found, which the callee holds from then on; NULL: nothing.
	 */
	void (*done)(
	    struct cache_lookup *lookup, struct stored_response *response);

	struct cache_call *call; /* cache_redis's own; NULL: none */
};

/** Look it up.  Return 0 and later call done once, never from within this call;
 * or return -1 (no connection, too much under way, or out of memory) and never.
 */
int cache_redis_find(
    struct cache_redis *redis, struct cache_lookup *lookup) MUST_USE;

/** Its result is not wanted any more: done is not called.  Also of one that is
 * not under way. */
void cache_lookup_cancel(struct cache_lookup *lookup);

/** Store it, if that can be; at most ${most} targets are stored of the
 * upstream. */
void cache_redis_put(struct cache_redis *redis, const char *name,
    struct part target, const struct stored_response *response, int64_t most);

/** Forget what is stored of ${target}. */
void cache_redis_remove(
    struct cache_redis *redis, const char *name, struct part target);

/** Forget what is stored of the targets that match ${glob}, and have all
 * daemons do so. */
void cache_redis_purge(
    struct cache_redis *redis, const char *name, const char *glob);

/** Send what was queued; at the end of a turn. */
void cache_redis_flush(struct cache_redis *redis);

/** Responses that Redis did not store, because it is full or for another
 * reason, so far. */
uint64_t cache_redis_failed(const struct cache_redis *redis);

#endif
