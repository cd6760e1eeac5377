/**
 * cache_redis_internal: what cache_redis.c, cache_redis_open.c and
 * cache_redis_purge.c share.
 */
#ifndef UPSTREAM_CACHE_REDIS_INTERNAL_H
#define UPSTREAM_CACHE_REDIS_INTERNAL_H

#include "base/list.h"
#include "net/timer.h"
#include "redis/script_call.h"
#include "redis/subscription.h"
#include "store/redis/field.h"
#include "upstream/cache_redis.h"
#include "upstream/cache_seal.h"

/** Within which Redis replies to what no client waits for. */
#define CACHE_REDIS_CHORE_US INT64_C(2000000)

struct cache_touch;
struct cache_noted;
struct cache_purge;
TAILQ_HEAD(cache_purge_list, cache_purge);

/** One server of the topology. */
struct cache_server {
	struct cache_redis *redis;
	struct link_options link_options;
	struct link *link;
	struct script_calls calls;
	struct cache_touch *touch; /* uses to be noted; NULL: none */
	struct timer touch_timer;
};

struct cache_redis {
	struct loop *loop;
	const struct shard_options *options;
	const struct cache_redis_events *events;
	void *arg;
	struct cache_server *servers; /* by their place in the topology */
	struct command command;       /* reused, for its memory */
	struct cache_seal *seal;      /* NULL: nothing is hidden */
	struct cache_noted *noted;    /* which uses were noted, see _touch.c */

	/* what purges are heard of by */
	char channel[FIELD_PREFIX_MAX + 16];
	struct subscription *subscription;
	bool was_lost;                  /* some may not have been heard of */
	struct cache_purge_list purges; /* under way */

	bool ending;  /* its links are being freed */
	size_t bytes; /* of the calls under way */
	uint64_t failed;
};

/** The server that has a partition. */
static inline struct cache_server *
cache_redis_server(struct cache_redis *redis, unsigned partition)
{
	return &redis->servers[topology_server_of(
	    redis->options->topology, partition)];
}

/** Write the name of the set of a partition to ${to}.  Return 0, or -1: out of
 * memory. */
int cache_redis_write_set(const struct cache_redis *redis, const char *name,
    unsigned partition, struct buf *to) MUST_USE;

/** What a target is called in a set is sealed about that. */
static const struct part cache_redis_about_target = {"target", 6};

/** Take note of what a reply shows of its server, NULL: nothing.  The calls in
 * flight may get NULL, from within. */
void cache_redis_heed(struct cache_server *server, const redisReply *reply);

/** Return a table, to be freed, or NULL: out of memory. */
struct cache_noted *cache_redis_touch_new_table(void) MUST_USE;

/** Prepare a server, which notes no uses yet. */
void cache_redis_touch_init(struct cache_server *server);

/** A target was used: ${hash} is its name, of which the first ${set_len} bytes
 * are its set's. */
void cache_redis_touch(
    struct cache_server *server, struct part hash, size_t set_len);

/** Have the server note the uses that wait for more. */
void cache_redis_touch_send(struct cache_server *server);

/** NULL: no-op. */
void cache_redis_touch_free(struct cache_touch *touch);

/** End those under way. */
void cache_redis_end_purges(struct cache_redis *redis);

/** Take a message of the channel. */
void cache_redis_hear(struct cache_redis *redis, const char *bytes, size_t len);

#endif
