/**
 * redis_store: buckets in Redis, on the servers of a topology.
 *
 * Owns: one shard a server.
 * Never: knows what kind of topology it is, or what a shard does.
 */
#ifndef STORE_REDIS_REDIS_STORE_H
#define STORE_REDIS_REDIS_STORE_H

#include "base/attr.h"
#include "store/redis/shard.h"
#include "store/store.h"

/** Return a store that keeps its buckets in Redis, or NULL (out of memory).
 * ${options} are borrowed, and the ${role} of its links.  Its ${events} are
 * those of the shards, except that settled comes once, when all shards are. */
struct store *redis_store_new(struct loop *loop, struct dialer *dialer,
    const struct shard_options *options, const char *role,
    const struct shard_events *events, void *arg) MUST_USE;

/** Whether all servers can be asked now. */
bool redis_store_is_ready(const struct store *store);

#endif
