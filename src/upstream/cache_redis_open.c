/*
 * Job: connects to the servers of the cache, and to the channel.
 * Invariant: a server that says that it is the wrong one is looked for again.
 * The heart: cache_redis_new(), cache_redis_heed().
 */
#include "upstream/cache_redis_internal.h"

#include "redis/reply.h"

#include <stdio.h>
#include <stdlib.h>

/* Longest reply: a response, or what Vary names. */
#define REPLY_MAX (INT64_C(64) << 20)

static void
cache_redis_open_on_up(void *arg)
{
	(void)arg; /* its first reply shows that it is the right one */
}

static void
cache_redis_open_on_down(void *arg)
{
	(void)arg; /* what is asked meanwhile is a miss */
}

static int
cache_redis_open_server(
    struct cache_redis *redis, struct dialer *dialer, size_t place)
{
	static const struct link_events events = {
	    cache_redis_open_on_up, cache_redis_open_on_down, NULL};
	struct cache_server *server = &redis->servers[place];

	server->redis = redis;
	server->link_options =
	    shard_link_options(redis->options, place, "cache");
	server->link_options.reply_max_bytes = REPLY_MAX;
	server->link = link_new(
	    redis->loop, dialer, &server->link_options, &events, server);
	if (!server->link)
		return -1;
	script_calls_init(
	    &server->calls, server->link, server->link_options.script);
	cache_redis_touch_init(server);
	return 0;
}

static void
cache_redis_open_on_subscribed(void *arg)
{
	struct cache_redis *redis = arg;

	if (redis->was_lost)
		redis->events->purged(redis->arg, NULL, NULL);
	redis->was_lost = false;
}

static void
cache_redis_open_on_lost(void *arg)
{
	struct cache_redis *redis = arg;

	redis->was_lost = true;
}

static void
cache_redis_open_on_message(const char *bytes, size_t len, void *arg)
{
	cache_redis_hear(arg, bytes, len);
}

static int
cache_redis_open_all(struct cache_redis *redis, struct dialer *dialer)
{
	static const struct subscription_events events = {
	    cache_redis_open_on_subscribed, cache_redis_open_on_lost,
	    cache_redis_open_on_message};
	const size_t count = redis->options->topology->server_count;

	redis->noted = cache_redis_touch_new_table();
	if (!redis->noted)
		return -1;
	redis->servers = calloc(count, sizeof(*redis->servers));
	for (size_t i = 0; i < count; i++)
		if (!redis->servers ||
		    cache_redis_open_server(redis, dialer, i) == -1)
			return -1;
	redis->subscription = subscription_new(redis->loop, dialer,
	    &(struct subscription_options){
		&redis->servers[0].link_options, redis->channel},
	    &events, redis);
	return redis->subscription ? 0 : -1;
}

struct cache_redis *
cache_redis_new(struct loop *loop, struct dialer *dialer,
    const struct shard_options *options,
    const struct cache_redis_events *events, void *arg)
{
	struct cache_redis *redis = calloc(1, sizeof(*redis));

	if (!redis)
		return NULL;
	redis->loop = loop;
	redis->options = options;
	redis->events = events;
	redis->arg = arg;
	TAILQ_INIT(&redis->purges);
	if (options->secrets)
		redis->seal = cache_seal_new(options->secrets);
	snprintf(redis->channel, sizeof(redis->channel), "%scache:purge",
	    options->prefix);
	if ((redis->seal || !options->secrets) &&
	    cache_redis_open_all(redis, dialer) == 0)
		return redis;
	cache_redis_free(redis);
	return NULL;
}

void
cache_redis_free(struct cache_redis *redis)
{
	if (!redis)
		return;
	redis->ending = true;
	subscription_free(redis->subscription);
	for (size_t i = 0;
	     redis->servers && i < redis->options->topology->server_count;
	     i++) {
		timer_stop(&redis->servers[i].touch_timer);
		cache_redis_touch_free(redis->servers[i].touch);
		link_free(redis->servers[i].link);
		script_calls_free(&redis->servers[i].calls);
	}
	cache_redis_end_purges(redis);
	free(redis->servers);
	free(redis->noted);
	command_free(&redis->command);
	cache_seal_free(redis->seal);
	free(redis);
}

void
cache_redis_flush(struct cache_redis *redis)
{
	for (size_t i = 0; i < redis->options->topology->server_count; i++)
		link_flush(redis->servers[i].link);
}

void
cache_redis_heed(struct cache_server *server, const redisReply *reply)
{
	if (!reply)
		return;
	if (reply_is_wrong_server(reply))
		link_drop(server->link, reply->str);
	else
		link_proven(server->link);
}

uint64_t
cache_redis_failed(const struct cache_redis *redis)
{
	return redis->failed;
}
