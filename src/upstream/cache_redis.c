/*
 * Job: looks responses up in Redis, and stores them there.
 * Invariant: a call is freed when it is done, which it is once; who looks
 * something up may go before.
 * The heart: cache_redis_find(), cache_redis_put(), cache_redis_on_found().
 */
#include "upstream/cache_redis_internal.h"

#include "base/clock.h"
#include "base/secret_hash.h"
#include "redis/reply.h"
#include "upstream/cache.h"
#include "upstream/response_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bytes of all that is under way: what Redis does not take as fast as
 * upstreams respond is not stored there. */
#define BYTES_MAX (32u << 20)

/* Longest reply: a response, or what Vary names. */
#define REPLY_MAX (INT64_C(64) << 20)

struct cache_call {
	struct script_call call;
	struct cache_server *server;
	struct cache_lookup *lookup; /* NULL: no one waits for it */
	struct buf hash;             /* its name: the set's, and the target */
	size_t set_len;              /* of the first */
	struct buf selecting;        /* text of vary_select() */
	struct buf request;          /* of one that looks up: its headers */
	size_t bytes;                /* counted as under way */

	/* of one that stores */
	struct buf names, value;
	int64_t life_ms, most;
};

int
cache_redis_write_set(const struct cache_redis *redis, const char *name,
    unsigned partition, struct buf *to)
{
	return buf_printf(to, "%scache:%s:%s", redis->options->prefix, name,
	    partition_tag(&redis->options->topology->partitions, partition));
}

static void
cache_redis_free_call(struct cache_call *call)
{
	call->server->redis->bytes -= call->bytes;
	if (call->lookup)
		call->lookup->call = NULL;
	buf_free(&call->hash);
	buf_free(&call->selecting);
	buf_free(&call->request);
	buf_free(&call->names);
	buf_free(&call->value);
	free(call);
}

static struct cache_call *
cache_redis_new_call(
    struct cache_redis *redis, const char *name, struct part target)
{
	const unsigned partition = topology_partition_of(
	    redis->options->topology, target.bytes, target.len);
	struct cache_call *call;

	if (redis->bytes > BYTES_MAX)
		return NULL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->server = cache_redis_server(redis, partition);
	if (cache_redis_write_set(redis, name, partition, &call->hash) == 0) {
		call->set_len = buf_len(&call->hash);
		if (buf_add(&call->hash, target.bytes, target.len) == 0)
			return call;
	}
	cache_redis_free_call(call);
	return NULL;
}

/* Queue the call, or free it.  Return 0, or -1. */
static int
cache_redis_call(struct cache_call *call)
{
	struct cache_redis *redis = call->server->redis;

	call->bytes = sizeof(*call) + buf_len(&call->hash) +
		      buf_len(&call->selecting) + buf_len(&call->request) +
		      buf_len(&call->value);
	redis->bytes += call->bytes;
	if (script_call(&call->server->calls, &call->call) == 0)
		return 0;
	cache_redis_free_call(call);
	return -1;
}

/* Start the command: two keys, and the name of the target in the set. */
static void
cache_redis_begin(
    struct command *command, struct script_call *script, size_t more)
{
	const struct cache_call *call =
	    CONTAINER_OF(script, struct cache_call, call);
	const char *hash = buf_data(&call->hash);

	script_begin(command, script, 4 + more);
	command_add_int(command, 2);
	command_add(command, hash, buf_len(&call->hash));
	command_add(command, hash, call->set_len);
	command_add(command, hash + call->set_len,
	    buf_len(&call->hash) - call->set_len);
}

/* What selects it may be a client's secret: its digest is the field. */
static void
cache_redis_add_field(struct command *command, const struct buf *selecting)
{
	unsigned char digest[SECRET_HASH_LEN];
	char hex[2 * SECRET_HASH_LEN + 1];

	if (buf_len(selecting) == 0) {
		command_add_text(command, "");
		return;
	}
	secret_digest(digest, buf_data(selecting), buf_len(selecting));
	for (size_t i = 0; i < SECRET_HASH_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	command_add_text(command, hex);
}

/*
 * Looking up.
 */

static bool
cache_redis_write_find(struct script_call *script, struct command *command)
{
	const struct cache_call *call =
	    CONTAINER_OF(script, struct cache_call, call);

	if (!call->lookup)
		return false;
	cache_redis_begin(command, script, 2);
	cache_redis_add_field(command, &call->selecting);
	command_add_int(command, (int64_t)call->lookup->most);
	return true;
}

static struct part
cache_redis_part(const struct buf *buf)
{
	return (struct part){buf_data(buf), buf_len(buf)};
}

/* There are variants: look up the one for this request.  Return whether that is
 * under way. */
static bool
cache_redis_find_variant(struct cache_call *call, const redisReply *names)
{
	const struct part part = {names->str, names->len};
	const struct headers request = {
	    buf_data(&call->request), buf_len(&call->request)};

	if (buf_len(&call->selecting) > 0 || /* it was one already */
	    vary_select_names(&call->selecting, part, request) == -1 ||
	    buf_len(&call->selecting) == 0)
		return false;
	return script_call(&call->server->calls, &call->call) == 0;
}

static void
cache_redis_on_found(struct script_call *script, const redisReply *reply)
{
	struct cache_call *call = CONTAINER_OF(script, struct cache_call, call);
	struct cache_lookup *lookup = call->lookup;
	struct stored_response *response = NULL;

	if (lookup && reply && reply->type == REDIS_REPLY_ARRAY &&
	    reply->elements == 1 &&
	    reply->element[0]->type == REDIS_REPLY_STRING &&
	    cache_redis_find_variant(call, reply->element[0])) {
		link_flush(call->server->link);
		return;
	}
	if (lookup && reply && reply->type == REDIS_REPLY_STRING)
		response =
		    response_value_read((struct part){reply->str, reply->len},
			&(struct response_reading){
			    .selecting = cache_redis_part(&call->selecting),
			    .most = lookup->most,
			    .now_us = clock_us(),
			    .shift_us = clock_shift_us(),
			});
	cache_redis_free_call(call);
	if (lookup)
		lookup->done(lookup, response);
}

int
cache_redis_find(struct cache_redis *redis, struct cache_lookup *lookup)
{
	struct cache_call *call =
	    cache_redis_new_call(redis, lookup->name, lookup->target);

	if (!call)
		return -1;
	if (buf_add(&call->request, lookup->request.bytes,
		lookup->request.len) == -1) {
		cache_redis_free_call(call);
		return -1;
	}
	call->lookup = lookup;
	lookup->call = call;
	call->call = (struct script_call){
	    .script = &script_cache_get,
	    .timeout_us = call->server->link_options.socket_timeout_us,
	    .write = cache_redis_write_find,
	    .done = cache_redis_on_found,
	};
	return cache_redis_call(call);
}

void
cache_lookup_cancel(struct cache_lookup *lookup)
{
	if (lookup->call)
		lookup->call->lookup = NULL;
	lookup->call = NULL;
}

/*
 * Storing.
 */

static bool
cache_redis_write_put(struct script_call *script, struct command *command)
{
	const struct cache_call *call =
	    CONTAINER_OF(script, struct cache_call, call);

	cache_redis_begin(command, script, 7);
	cache_redis_add_field(command, &call->selecting);
	command_add(command, buf_data(&call->names), buf_len(&call->names));
	command_add(command, buf_data(&call->value), buf_len(&call->value));
	command_add_int(command, call->life_ms);
	command_add_int(command, call->most);
	command_add_int(command, CACHE_VARIANTS_MAX);
	command_add(command, buf_data(&call->hash), call->set_len);
	return true;
}

static void
cache_redis_on_put(struct script_call *script, const redisReply *reply)
{
	struct cache_call *call = CONTAINER_OF(script, struct cache_call, call);

	if (!reply || reply->type == REDIS_REPLY_ERROR)
		call->server->redis->failed++;
	cache_redis_free_call(call);
}

static int
cache_redis_fill(
    struct cache_call *call, const struct stored_response *response)
{
	const struct part selecting = response->selecting;

	if (response_value_write(&call->value, response, clock_shift_us()) ==
		-1 ||
	    vary_names(&call->names, selecting) == -1)
		return -1;
	return buf_add(&call->selecting, selecting.bytes, selecting.len);
}

void
cache_redis_put(struct cache_redis *redis, const char *name, struct part target,
    const struct stored_response *response, int64_t most)
{
	const unsigned partitions = redis->options->topology->partitions.count;
	const int64_t life_us = response->freshness.kept_until_us - clock_us();
	struct cache_call *call;

	if (life_us < 1000)
		return;
	call = cache_redis_new_call(redis, name, target);
	if (!call) {
		redis->failed++;
		return;
	}
	call->life_ms = life_us / 1000;
	call->most = most > partitions ? most / partitions : 1;
	call->call = (struct script_call){
	    .script = &script_cache_put,
	    .timeout_us = CACHE_REDIS_CHORE_US,
	    .write = cache_redis_write_put,
	    .done = cache_redis_on_put,
	};
	if (cache_redis_fill(call, response) == -1) {
		cache_redis_free_call(call);
		redis->failed++;
	} else if (cache_redis_call(call) == -1) {
		redis->failed++;
	}
}

static bool
cache_redis_write_remove(struct script_call *script, struct command *command)
{
	const struct cache_call *call =
	    CONTAINER_OF(script, struct cache_call, call);
	const char *hash = buf_data(&call->hash);

	script_begin(command, script, 4);
	command_add_int(command, 2);
	command_add(command, hash, call->set_len);
	command_add(command, hash, buf_len(&call->hash));
	command_add(command, hash + call->set_len,
	    buf_len(&call->hash) - call->set_len);
	return true;
}

void
cache_redis_remove(
    struct cache_redis *redis, const char *name, struct part target)
{
	struct cache_call *call = cache_redis_new_call(redis, name, target);

	if (!call)
		return;
	call->call = (struct script_call){
	    .script = &script_cache_purge,
	    .timeout_us = CACHE_REDIS_CHORE_US,
	    .write = cache_redis_write_remove,
	    .done = cache_redis_on_put,
	};
	(void)!cache_redis_call(call);
}

/*
 * The servers.
 */

static void
cache_redis_on_up(void *arg)
{
	struct cache_server *server = arg;

	link_proven(server->link);
}

static void
cache_redis_on_down(void *arg)
{
	(void)arg; /* what is asked meanwhile is a miss */
}

static int
cache_redis_open_server(
    struct cache_redis *redis, struct dialer *dialer, size_t place)
{
	static const struct link_events events = {
	    cache_redis_on_up, cache_redis_on_down, NULL};
	struct cache_server *server = &redis->servers[place];

	server->redis = redis;
	server->link_options = shard_link_options(redis->options, place);
	server->link_options.reply_max_bytes = REPLY_MAX;
	server->link = link_new(
	    redis->loop, dialer, &server->link_options, &events, server);
	if (!server->link)
		return -1;
	script_calls_init(
	    &server->calls, server->link, server->link_options.script);
	return 0;
}

static void
cache_redis_on_subscribed(void *arg)
{
	struct cache_redis *redis = arg;

	if (redis->was_lost)
		redis->events->purged(redis->arg, NULL, NULL);
	redis->was_lost = false;
}

static void
cache_redis_on_lost(void *arg)
{
	struct cache_redis *redis = arg;

	redis->was_lost = true;
}

static void
cache_redis_on_message(const char *bytes, size_t len, void *arg)
{
	cache_redis_hear(arg, bytes, len);
}

static int
cache_redis_open(struct cache_redis *redis, struct dialer *dialer)
{
	static const struct subscription_events events = {
	    cache_redis_on_subscribed, cache_redis_on_lost,
	    cache_redis_on_message};
	const size_t count = redis->options->topology->server_count;

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
	snprintf(redis->channel, sizeof(redis->channel), "%scache:purge",
	    options->prefix);
	if (cache_redis_open(redis, dialer) == 0)
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
		link_free(redis->servers[i].link);
		script_calls_free(&redis->servers[i].calls);
	}
	cache_redis_end_purges(redis);
	free(redis->servers);
	command_free(&redis->command);
	free(redis);
}

void
cache_redis_flush(struct cache_redis *redis)
{
	for (size_t i = 0; i < redis->options->topology->server_count; i++)
		link_flush(redis->servers[i].link);
}

uint64_t
cache_redis_failed(const struct cache_redis *redis)
{
	return redis->failed;
}
