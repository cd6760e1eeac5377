/*
 * Job: looks responses up in Redis, and stores them there.
 * Invariant: a call is freed when it is done, which it is once; who looks
 * something up may go before.
 * The heart: cache_redis_find(), cache_redis_put(), cache_redis_on_found().
 */
#include "upstream/cache_redis_internal.h"

#include "base/clock.h"
#include "redis/reply.h"
#include "upstream/cache.h"
#include "upstream/response_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bytes of all that is under way: what Redis does not take as fast as
 * upstreams respond is not stored there. */
#define BYTES_MAX (32u << 20)

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
		if (cache_seal_add(redis->seal, cache_redis_about_target,
			target, &call->hash) == 0)
			return call;
	}
	cache_redis_free_call(call);
	return NULL;
}

static void
cache_redis_count(struct cache_call *call)
{
	call->bytes = sizeof(*call) + buf_len(&call->hash) +
		      buf_len(&call->selecting) + buf_len(&call->request) +
		      buf_len(&call->value);
	call->server->redis->bytes += call->bytes;
}

/* Queue the call, or free it.  Return 0, or -1. */
static int
cache_redis_call(struct cache_call *call)
{
	cache_redis_count(call);
	if (script_call(&call->server->calls, &call->call) == 0)
		return 0;
	cache_redis_free_call(call);
	return -1;
}

static struct part
cache_redis_part(const struct buf *buf)
{
	return (struct part){buf_data(buf), buf_len(buf)};
}

/* Which set its target is in, and what it is called there. */
static struct part
cache_redis_set(const struct cache_call *call)
{
	return (struct part){buf_data(&call->hash), call->set_len};
}

static struct part
cache_redis_member(const struct cache_call *call)
{
	return (struct part){buf_data(&call->hash) + call->set_len,
	    buf_len(&call->hash) - call->set_len};
}

/* What selects it may be a client's secret: its digest is the field. */
static void
cache_redis_add_field(struct command *command, const struct cache_call *call)
{
	char name[CACHE_SEAL_NAME_SIZE] = "";

	if (buf_len(&call->selecting) > 0 &&
	    cache_seal_name(call->server->redis->seal,
		cache_redis_part(&call->selecting), name) == -1)
		command->failed = true;
	command_add_text(command, name);
}

/* Write to ${to} what its response is sealed about: it opens for no other
 * target, and for no client to which another variant belongs.  Return 0, or -1.
 */
static int
cache_redis_write_about(const struct cache_call *call, struct buf *to)
{
	const struct buf *selecting = &call->selecting;

	if (buf_printf(to, "%zu ", buf_len(selecting)) == -1 ||
	    buf_add(to, buf_data(selecting), buf_len(selecting)) == -1)
		return -1;
	return buf_add(to, buf_data(&call->hash), buf_len(&call->hash));
}

/*
 * Looking up.
 */

static void cache_redis_on_found(const redisReply *reply, void *arg);

/* A plain command costs Redis a third of what a script that does the same
 * would: so it replies with all that is there, however long. */
static int
cache_redis_ask(struct cache_call *call)
{
	struct cache_server *server = call->server;
	struct command *command = &server->redis->command;

	command_start(command, 4);
	command_add_text(command, "HMGET");
	command_add(command, buf_data(&call->hash), buf_len(&call->hash));
	command_add_text(command, "vary");
	cache_redis_add_field(command, call);
	return link_call(server->link, command,
	    clock_us() + server->link_options.socket_timeout_us,
	    cache_redis_on_found, call);
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
	return cache_redis_ask(call) == 0;
}

static struct stored_response *
cache_redis_read(const struct cache_call *call, const redisReply *reply)
{
	const struct response_reading reading = {
	    .selecting = cache_redis_part(&call->selecting),
	    .most = call->lookup->most,
	    .now_us = clock_us(),
	    .shift_us = clock_shift_us(),
	};
	struct cache_seal *seal = call->server->redis->seal;
	struct part value = {reply->str, reply->len};
	struct stored_response *response = NULL;
	struct buf about = {0}, opened = {0};

	if (value.len > reading.most + (seal ? CACHE_SEAL_LEN : 0))
		return NULL;
	if (!seal)
		return response_value_read(value, &reading);
	if (cache_redis_write_about(call, &about) == 0 &&
	    cache_seal_open(seal, cache_redis_part(&about), value, &opened) ==
		0)
		response =
		    response_value_read(cache_redis_part(&opened), &reading);
	buf_free(&about);
	buf_free(&opened);
	return response;
}

static bool
cache_redis_is_pair(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY &&
	       reply->elements == 2;
}

static void
cache_redis_on_found(const redisReply *reply, void *arg)
{
	struct cache_call *call = arg;
	struct cache_lookup *lookup = call->lookup;
	struct cache_server *server = call->server;
	struct stored_response *response = NULL;

	if (lookup && cache_redis_is_pair(reply)) {
		const redisReply *names = reply->element[0];
		const redisReply *value = reply->element[1];

		if (names->type == REDIS_REPLY_STRING &&
		    cache_redis_find_variant(call, names)) {
			link_flush(server->link);
			return;
		}
		if (value->type == REDIS_REPLY_STRING)
			response = cache_redis_read(call, value);
	}
	if (response)
		cache_redis_touch(
		    call->server, cache_redis_part(&call->hash), call->set_len);
	cache_redis_free_call(call);
	if (lookup)
		lookup->done(lookup, response);
	cache_redis_heed(server, reply);
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
	cache_redis_count(call);
	if (cache_redis_ask(call) == 0)
		return 0;
	cache_redis_free_call(call);
	return -1;
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
	const struct part set = cache_redis_set(call);
	const struct part member = cache_redis_member(call);

	script_begin(command, script, 11);
	command_add_int(command, 2);
	command_add(command, buf_data(&call->hash), buf_len(&call->hash));
	command_add(command, set.bytes, set.len);
	command_add(command, member.bytes, member.len);
	cache_redis_add_field(command, call);
	command_add(command, buf_data(&call->names), buf_len(&call->names));
	command_add(command, buf_data(&call->value), buf_len(&call->value));
	command_add_int(command, call->life_ms);
	command_add_int(command, call->most);
	command_add_int(command, CACHE_VARIANTS_MAX);
	command_add(command, set.bytes, set.len);
	return true;
}

static void
cache_redis_on_put(struct script_call *script, const redisReply *reply)
{
	struct cache_call *call = CONTAINER_OF(script, struct cache_call, call);
	struct cache_server *server = call->server;

	if (!reply || reply->type == REDIS_REPLY_ERROR)
		server->redis->failed++;
	cache_redis_free_call(call);
	cache_redis_heed(server, reply);
}

static int
cache_redis_fill(
    struct cache_call *call, const struct stored_response *response)
{
	const struct part selecting = response->selecting;
	struct buf about = {0}, value = {0};
	int result = -1;

	if (vary_names(&call->names, selecting) == 0 &&
	    buf_add(&call->selecting, selecting.bytes, selecting.len) == 0 &&
	    cache_redis_write_about(call, &about) == 0 &&
	    response_value_write(&value, response, clock_shift_us()) == 0)
		result = cache_seal_add(call->server->redis->seal,
		    cache_redis_part(&about), cache_redis_part(&value),
		    &call->value);
	buf_free(&about);
	buf_free(&value);
	return result;
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
		return;
	}
	cache_redis_touch_send(call->server); /* before any of them goes */
	if (cache_redis_call(call) == -1)
		redis->failed++;
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
