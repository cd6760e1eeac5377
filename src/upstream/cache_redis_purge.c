/*
 * Job: forgets in Redis what matches a glob: walks the set of each partition,
 * and then tells all daemons.
 * Invariant: one command of a purge is under way at a time.
 * The heart: cache_redis_purge_step(), cache_redis_purge_on_scanned().
 */
#include "upstream/cache_redis_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "limit/glob.h"

#include <stdlib.h>
#include <string.h>

/* Targets that one ZSCAN looks at. */
#define SCAN_COUNT 200

static const struct part cache_redis_purge_about = {"purge", 5};

struct cache_purge {
	TAILQ_ENTRY(cache_purge) all;
	struct cache_redis *redis;
	char *name, *glob;
	unsigned partition;
	char cursor[24];
	struct buf set;     /* its name, in this partition */
	struct buf targets; /* that match, each behind its length */
	size_t count;
	struct script_call call;
};

static void cache_redis_purge_step(struct cache_purge *purge);

static void
cache_redis_purge_free(struct cache_purge *purge)
{
	TAILQ_REMOVE(&purge->redis->purges, purge, all);
	buf_free(&purge->set);
	buf_free(&purge->targets);
	free(purge->name);
	free(purge->glob);
	free(purge);
}

static void
cache_redis_purge_on_published(const redisReply *reply, void *arg)
{
	(void)reply; /* a daemon that does not hear it is not subscribed */
	(void)arg;
}

static int
cache_redis_purge_write_message(const struct cache_purge *purge, struct buf *to)
{
	struct buf text = {0};
	int result = buf_printf(&text, "%s %s", purge->name, purge->glob);

	if (result == 0)
		result =
		    cache_seal_add(purge->redis->seal, cache_redis_purge_about,
			(struct part){buf_data(&text), buf_len(&text)}, to);
	buf_free(&text);
	return result;
}

/* All daemons drop it from memory, this one too. */
static void
cache_redis_purge_publish(const struct cache_purge *purge)
{
	struct cache_redis *redis = purge->redis;
	struct link *link = redis->servers[0].link;
	struct buf text = {0};

	if (cache_redis_purge_write_message(purge, &text) == 0) {
		command_start(&redis->command, 3);
		command_add_text(&redis->command, "PUBLISH");
		command_add_text(&redis->command, redis->channel);
		command_add(&redis->command, buf_data(&text), buf_len(&text));
		if (link_call(link, &redis->command,
			clock_us() + CACHE_REDIS_CHORE_US,
			cache_redis_purge_on_published, NULL) == 0)
			link_flush(link);
	}
	buf_free(&text);
}

static void
cache_redis_purge_fail(struct cache_purge *purge)
{
	if (purge->redis->ending) {
		cache_redis_purge_free(purge);
		return;
	}
	log_warning("upstream %s: Redis did not purge all of %s: what is left "
		    "there is used until it is stale",
	    purge->name, purge->glob);
	cache_redis_purge_publish(purge);
	cache_redis_purge_free(purge);
}

/* Whether a target is to go: if it matches, or is named by a secret that is no
 * more, by which no one finds it. */
static bool
cache_redis_purge_takes(
    const struct cache_purge *purge, const redisReply *member)
{
	struct buf target = {0};
	bool takes =
	    cache_seal_open(purge->redis->seal, cache_redis_about_target,
		(struct part){member->str, member->len}, &target) == -1 ||
	    glob_matches(purge->glob, buf_data(&target), buf_len(&target));

	buf_free(&target);
	return takes;
}

/* Note a target that is to go. */
static int
cache_redis_purge_note(struct cache_purge *purge, const redisReply *member)
{
	const size_t len = member->len;

	if (!cache_redis_purge_takes(purge, member))
		return 0;
	purge->count++;
	if (buf_add(&purge->targets, &len, sizeof(len)) == -1)
		return -1;
	return buf_add(&purge->targets, member->str, len);
}

static bool
cache_redis_purge_write(struct script_call *call, struct command *command)
{
	struct cache_purge *purge =
	    CONTAINER_OF(call, struct cache_purge, call);
	const size_t set_len = buf_len(&purge->set);
	struct buf hash = {0};

	script_begin(command, call, 2 + 2 * purge->count);
	command_add_int(command, 1 + (int64_t)purge->count);
	command_add(command, buf_data(&purge->set), set_len);
	for (int pass = 0; pass < 2; pass++) {
		const char *at = buf_data(&purge->targets);

		for (size_t i = 0; i < purge->count; i++) {
			size_t len;

			memcpy(&len, at, sizeof(len));
			at += sizeof(len);
			if (pass == 0 && (buf_add(&hash, buf_data(&purge->set),
					      set_len) == -1 ||
					     buf_add(&hash, at, len) == -1))
				command->failed = true;
			if (pass == 0)
				command_add(
				    command, buf_data(&hash), buf_len(&hash));
			else
				command_add(command, at, len);
			buf_consume(&hash, buf_len(&hash));
			at += len;
		}
	}
	buf_free(&hash);
	return true;
}

static void
cache_redis_purge_on_done(struct script_call *call, const redisReply *reply)
{
	struct cache_purge *purge =
	    CONTAINER_OF(call, struct cache_purge, call);
	struct cache_server *server =
	    cache_redis_server(purge->redis, purge->partition);

	if (!reply || reply->type == REDIS_REPLY_ERROR)
		cache_redis_purge_fail(purge);
	else
		cache_redis_purge_step(purge);
	cache_redis_heed(server, reply);
}

static bool
cache_redis_purge_is_scan(const redisReply *reply)
{
	return reply && reply->type == REDIS_REPLY_ARRAY &&
	       reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[0]->len <
		   sizeof(((struct cache_purge *)0)->cursor) &&
	       reply->element[1]->type == REDIS_REPLY_ARRAY;
}

static void
cache_redis_purge_on_scanned(const redisReply *reply, void *arg)
{
	struct cache_purge *purge = arg;
	struct cache_server *server =
	    cache_redis_server(purge->redis, purge->partition);
	const redisReply *members;

	if (!cache_redis_purge_is_scan(reply)) {
		cache_redis_purge_fail(purge);
		cache_redis_heed(server, reply);
		return;
	}
	strcpy(purge->cursor, reply->element[0]->str);
	members = reply->element[1];
	for (size_t i = 0; i < members->elements; i += 2)
		if (members->element[i]->type == REDIS_REPLY_STRING &&
		    cache_redis_purge_note(purge, members->element[i]) == -1) {
			cache_redis_purge_fail(purge);
			return;
		}
	if (purge->count == 0) {
		cache_redis_purge_step(purge);
		return;
	}
	purge->call = (struct script_call){
	    .script = &script_cache_purge,
	    .timeout_us = CACHE_REDIS_CHORE_US,
	    .write = cache_redis_purge_write,
	    .done = cache_redis_purge_on_done,
	};
	if (script_call(&server->calls, &purge->call) == -1)
		cache_redis_purge_fail(purge);
	else
		link_flush(server->link);
}

/* Look at the next targets, of the next partition if this one has no more; the
 * cursor "" is that of the first one. */
static void
cache_redis_purge_step(struct cache_purge *purge)
{
	struct cache_redis *redis = purge->redis;
	struct cache_server *server;

	purge->count = 0;
	buf_consume(&purge->targets, buf_len(&purge->targets));
	if (strcmp(purge->cursor, "0") == 0)
		purge->partition++;
	if (purge->partition == redis->options->topology->partitions.count) {
		cache_redis_purge_publish(purge);
		cache_redis_purge_free(purge);
		return;
	}
	if (strcmp(purge->cursor, "0") == 0 || *purge->cursor == '\0') {
		strcpy(purge->cursor, "0");
		buf_consume(&purge->set, buf_len(&purge->set));
		if (cache_redis_write_set(redis, purge->name, purge->partition,
			&purge->set) == -1) {
			cache_redis_purge_fail(purge);
			return;
		}
	}
	server = cache_redis_server(redis, purge->partition);
	command_start(&redis->command, 5);
	command_add_text(&redis->command, "ZSCAN");
	command_add(
	    &redis->command, buf_data(&purge->set), buf_len(&purge->set));
	command_add_text(&redis->command, purge->cursor);
	command_add_text(&redis->command, "COUNT");
	command_add_int(&redis->command, SCAN_COUNT);
	if (link_call(server->link, &redis->command,
		clock_us() + CACHE_REDIS_CHORE_US, cache_redis_purge_on_scanned,
		purge) == -1)
		cache_redis_purge_fail(purge);
	else
		link_flush(server->link);
}

void
cache_redis_purge(struct cache_redis *redis, const char *name, const char *glob)
{
	struct cache_purge *purge = calloc(1, sizeof(*purge));

	if (!purge)
		return;
	purge->redis = redis;
	TAILQ_INSERT_TAIL(&redis->purges, purge, all);
	purge->name = strdup(name);
	purge->glob = strdup(glob);
	if (purge->name && purge->glob)
		cache_redis_purge_step(purge);
	else
		cache_redis_purge_free(purge);
}

void
cache_redis_end_purges(struct cache_redis *redis)
{
	while (!TAILQ_EMPTY(&redis->purges))
		cache_redis_purge_free(TAILQ_FIRST(&redis->purges));
}

void
cache_redis_hear(struct cache_redis *redis, const char *bytes, size_t len)
{
	struct buf text = {0};
	char *blank;

	if (cache_seal_open(redis->seal, cache_redis_purge_about,
		(struct part){bytes, len}, &text) == -1 ||
	    buf_add(&text, "", 1) == -1) {
		/* No secret opens it: it may have been anything. */
		redis->events->purged(redis->arg, NULL, NULL);
		buf_free(&text);
		return;
	}
	blank = strchr(buf_data(&text), ' ');
	if (blank) {
		*blank = '\0';
		if (!glob_fault(blank + 1))
			redis->events->purged(
			    redis->arg, buf_data(&text), blank + 1);
	}
	buf_free(&text);
}
