/*
 * Job: notes in Redis that responses were used: many of a server with one call,
 * since a call of a script costs Redis several times what reading one does; and
 * each about once a second, since to note its use costs as much as to read it.
 * Invariant: a touch is its server's while it gathers, and then its call's.
 * The heart: cache_redis_touch(), cache_redis_touch_send().
 */
#include "upstream/cache_redis_internal.h"

#include "base/clock.h"
#include "limit/key.h"

#include <stdlib.h>
#include <string.h>

/* Uses that one call notes, at most; and bytes of their names, about. */
#define TOUCHES_MAX     64
#define TOUCH_BYTES_MAX 16384

/* For how long they wait for others. */
#define TOUCH_US INT64_C(100000)

/* A target's use is noted again after this time. */
#define AGAIN_MS 1000

/* Places of the table, each of which knows the target whose use was noted last:
 * of two that share one, uses are noted more often. */
#define NOTED_MAX 32768

struct cache_noted {
	uint32_t id; /* of the target: a part of its digest */
	uint32_t ms; /* when; the higher bits are left out */
};

struct cache_touch {
	struct script_call call;
	struct cache_server *server;
	struct buf set;     /* its name */
	struct buf members; /* of each, the length and the bytes */
	unsigned count;
};

struct cache_noted *
cache_redis_touch_new_table(void)
{
	return calloc(NOTED_MAX, sizeof(struct cache_noted));
}

/* Whether its use is to be noted: then it is taken for noted. */
static bool
cache_redis_touch_is_due(struct cache_noted *table, struct part hash)
{
	const struct siphash_seed seed = key_seed();
	struct hash128 id = siphash128(&seed, hash.bytes, hash.len);
	struct cache_noted *noted = &table[id.lo % NOTED_MAX];
	struct cache_noted now = {
	    (uint32_t)id.hi, (uint32_t)(clock_us() / 1000)};

	if (noted->id == now.id && now.ms - noted->ms < AGAIN_MS)
		return false;
	*noted = now;
	return true;
}

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
	const size_t size = sizeof(member.len) + member.len;
	char *room = buf_reserve(&touch->members, size);

	if (!room)
		return;
	memcpy(room, &member.len, sizeof(member.len));
	memcpy(room + sizeof(member.len), member.bytes, member.len);
	buf_commit(&touch->members, size);
	touch->count++;
}

void
cache_redis_touch(struct cache_server *server, struct part hash, size_t set_len)
{
	const struct part set = {hash.bytes, set_len};
	const struct part member = {hash.bytes + set_len, hash.len - set_len};

	if (!cache_redis_touch_is_due(server->redis->noted, hash))
		return;
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
