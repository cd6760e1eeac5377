/*
 * Passes each query to the shard of its server, and the shards' events on.
 * Holds: shards[i] is for server i of the topology.
 * The heart is redis_store_query().
 */
#include "store/redis/redis_store.h"

#include "store/redis/key_secrets.h"

#include <stdlib.h>

struct redis_store {
	struct store store;
	const struct shard_events *events;
	void *arg;
	const struct topology *topology;
	struct shard_common common;
	struct shard **shards; /* in the order of the topology's servers */
	size_t unsettled;      /* of these */
};

static void
redis_store_on_settled(void *arg)
{
	struct redis_store *redis = arg;

	if (--redis->unsettled == 0)
		redis->events->settled(redis->arg);
}

static void
redis_store_on_outage(void *arg, bool is_over)
{
	struct redis_store *redis = arg;

	redis->events->outage(redis->arg, is_over);
}

static void
redis_store_on_sent(void *arg, unsigned entries)
{
	struct redis_store *redis = arg;

	redis->events->sent(redis->arg, entries);
}

static void
redis_store_on_foreign(void *arg, unsigned buckets)
{
	struct redis_store *redis = arg;

	redis->events->foreign(redis->arg, buckets);
}

static void
redis_store_on_set_back(
    void *arg, size_t place, int64_t back_us, int64_t since_us)
{
	struct redis_store *redis = arg;

	redis->events->set_back(redis->arg, place, back_us, since_us);
}

static size_t
redis_store_place(struct store *store, const struct query *query)
{
	const struct redis_store *redis = (const struct redis_store *)store;

	return topology_server_of(
	    redis->topology, topology_partition_of(redis->topology,
				 query->key.bytes, query->key.len));
}

static void
redis_store_set_partitions(struct redis_store *redis, struct query *query)
{
	for (; query; query = query->mate)
		query->partition = (uint16_t)topology_partition_of(
		    redis->topology, query->key.bytes, query->key.len);
}

static bool
redis_store_query(struct store *store, struct query *query)
{
	struct redis_store *redis = (struct redis_store *)store;
	size_t server;

	redis_store_set_partitions(redis, query);
	server = topology_server_of(redis->topology, query->partition);
	return shard_query(redis->shards[server], query);
}

static void
redis_store_flush(struct store *store)
{
	struct redis_store *redis = (struct redis_store *)store;

	for (size_t i = 0; i < redis->topology->server_count; i++)
		shard_flush(redis->shards[i]);
}

bool
redis_store_is_ready(const struct store *store)
{
	const struct redis_store *redis = (const struct redis_store *)store;

	for (size_t i = 0; i < redis->topology->server_count; i++)
		if (!shard_is_ready(redis->shards[i]))
			return false;
	return true;
}

/* A client's next query may be for any server, so the slowest one counts. */
static bool
redis_store_has_room(const struct store *store)
{
	const struct redis_store *redis = (const struct redis_store *)store;

	for (size_t i = 0; i < redis->topology->server_count; i++)
		if (!shard_has_room(redis->shards[i]))
			return false;
	return true;
}

static size_t
redis_store_trim(struct store *store)
{
	struct redis_store *redis = (struct redis_store *)store;
	size_t bytes = 0;

	for (size_t i = 0; i < redis->topology->server_count; i++)
		bytes += shard_trim(redis->shards[i]);
	return bytes;
}

static void
redis_store_free(struct store *store)
{
	struct redis_store *redis = (struct redis_store *)store;

	for (size_t i = 0; redis->shards && i < redis->topology->server_count;
	     i++)
		shard_free(redis->shards[i]);
	free(redis->shards);
	key_names_free(redis->common.names);
	free(redis);
}

static int
redis_store_open_shards(struct redis_store *redis)
{
	const struct topology *topology = redis->topology;

	redis->unsettled = topology->server_count;
	redis->shards = calloc(topology->server_count, sizeof(*redis->shards));
	if (!redis->shards)
		return -1;
	for (size_t i = 0; i < topology->server_count; i++) {
		redis->shards[i] = shard_new(&redis->common, i);
		if (!redis->shards[i])
			return -1;
	}
	return 0;
}

static int
redis_store_open_names(struct redis_store *redis)
{
	struct key_secrets *secrets = redis->common.options->secrets;

	if (secrets)
		redis->common.names = key_names_new(secrets);
	return secrets && !redis->common.names ? -1 : 0;
}

struct store *
redis_store_new(struct loop *loop, struct dialer *dialer,
    const struct shard_options *options, const char *role,
    const struct shard_events *events, void *arg)
{
	static const struct store_ops ops = {
	    .query = redis_store_query,
	    .place = redis_store_place,
	    .flush = redis_store_flush,
	    .has_room = redis_store_has_room,
	    .trim = redis_store_trim,
	    .free = redis_store_free,
	};
	static const struct shard_events shard_events = {redis_store_on_settled,
	    redis_store_on_outage, redis_store_on_sent, redis_store_on_foreign,
	    redis_store_on_set_back};
	struct redis_store *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return NULL;
	redis->store.ops = &ops;
	redis->store.has_places = options->topology->server_count > 1;
	redis->events = events;
	redis->arg = arg;
	redis->topology = options->topology;
	redis->common = (struct shard_common){
	    loop, dialer, options, &shard_events, redis, NULL, role};
	if (redis_store_open_names(redis) == 0 &&
	    redis_store_open_shards(redis) == 0)
		return &redis->store;
	redis_store_free(&redis->store);
	return NULL;
}
