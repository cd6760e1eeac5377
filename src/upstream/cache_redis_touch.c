/*
 * Job: notes in Redis that responses were used: many of a server with one call,
 * since a call of a script costs Redis several times what reading one does.
 * Invariant: a touch is its server's while it gathers, and then its call's.
 * The heart: cache_redis_touch(), cache_redis_touch_send().
 */
#include "upstream/cache_redis_internal.h"

#include <stdlib.h>
#include <string.h>

/* Uses that one call notes, at most; and bytes of their names, about. */
#define TOUCHES_MAX     64
#define TOUCH_BYTES_MAX 16384

/* For how long they wait for others. */
#define TOUCH_US INT64_C(100000)

struct cache_touch {
	struct script_call call;
	struct cache_server *server;
	struct buf set;     /* its name */
	struct buf members; /* of each, the length and the bytes */
	unsigned count;
};

void
cache_redis_touch_free(struct cache_touch *touch)
{
	if (!touch)
		return;
	buf_free(&touch->set);
	buf_free(&touch->members);
	free(touch);
}

static bool
cache_redis_touch_write(struct script_call *call, struct command *command)
{
	const struct cache_touch *touch =
	    CONTAINER_OF(call, struct cache_touch, call);
	const char *at = buf_data(&touch->members);

	script_begin(command, call, 2 + touch->count);
	command_add_int(command, 1);
	command_add(command, buf_data(&touch->set), buf_len(&touch->set));
	for (unsigned i = 0; i < touch->count; i++) {
		size_t len;

		memcpy(&len, at, sizeof(len));
		command_add(command, at + sizeof(len), len);
		at += sizeof(len) + len;
	}
	return true;
}

static void
cache_redis_touch_on_done(struct script_call *call, const redisReply *reply)
{
	struct cache_touch *touch =
	    CONTAINER_OF(call, struct cache_touch, call);
	struct cache_server *server = touch->server;

	cache_redis_touch_free(touch);
	cache_redis_heed(server, reply);
}

void
cache_redis_touch_send(struct cache_server *server)
{
	struct cache_touch *touch = server->touch;

	if (!touch)
		return;
	server->touch = NULL;
	timer_stop(&server->touch_timer);
	touch->call = (struct script_call){
	    .script = &script_cache_touch,
	    .timeout_us = CACHE_REDIS_CHORE_US,
	    .write = cache_redis_touch_write,
	    .done = cache_redis_touch_on_done,
	};
	if (script_call(&server->calls, &touch->call) == -1)
		cache_redis_touch_free(touch);
}

static void
cache_redis_touch_on_timer(void *arg)
{
	struct cache_server *server = arg;

	cache_redis_touch_send(server);
	link_flush(server->link);
}

void
cache_redis_touch_init(struct cache_server *server)
{
	timer_init(&server->touch_timer, server->redis->loop,
	    cache_redis_touch_on_timer, server);
}

/* Start one for a set.  NULL: out of memory. */
static struct cache_touch *
cache_redis_touch_new(struct cache_server *server, struct part set)
{
	struct cache_touch *touch = calloc(1, sizeof(*touch));

	if (!touch)
		return NULL;
	touch->server = server;
	if (buf_add(&touch->set, set.bytes, set.len) == -1) {
		cache_redis_touch_free(touch);
		return NULL;
	}
	timer_set(&server->touch_timer, TOUCH_US);
	return touch;
}

static bool
cache_redis_touch_is_of(const struct cache_touch *touch, struct part set)
{
	return buf_len(&touch->set) == set.len &&
	       memcmp(buf_data(&touch->set), set.bytes, set.len) == 0;
}

/* Without memory its use is not noted. */
static void
cache_redis_touch_add(struct cache_touch *touch, struct part member)
{
	if (!buf_reserve(&touch->members, sizeof(member.len) + member.len))
		return;
	(void)!buf_add(&touch->members, &member.len, sizeof(member.len));
	(void)!buf_add(&touch->members, member.bytes, member.len);
	touch->count++;
}

void
cache_redis_touch(
    struct cache_server *server, struct part set, struct part member)
{
	if (server->touch && !cache_redis_touch_is_of(server->touch, set))
		cache_redis_touch_send(server);
	if (!server->touch)
		server->touch = cache_redis_touch_new(server, set);
	if (!server->touch)
		return;
	cache_redis_touch_add(server->touch, member);
	if (server->touch->count == TOUCHES_MAX ||
	    buf_len(&server->touch->members) >= TOUCH_BYTES_MAX)
		cache_redis_touch_send(server);
}
