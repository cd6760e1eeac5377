/*
 * Job: shows, forgets and hands out what is stored of upstreams.
 * Invariant: the cache is asked, the upstream never.
 * The heart: purge_report and cache_commands_begin_get().
 */
#include "server/cache_commands.h"

#include "gate/gate.h"
#include "limit/glob.h"
#include "server/clients.h"
#include "upstream/cache.h"
#include "upstream/upstream.h"
#include "upstream/upstream_path.h"
#include "upstream/upstreams.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of a body that are written at a time. */
#define PIECE_LEN 16384

/*
 * CACHE.
 */

static int
cache_commands_write_cache(struct buf *out, const struct upstream *upstream)
{
	static const char *const names[] = {
#define X(name, help) #name,
	    CACHE_EVENTS(X)
#undef X
	};
	struct cache_stats stats;

	cache_read_stats(upstream->cache, &stats);
	if (buf_printf(out, "%s entries=%llu bytes=%llu",
		upstream->options.name, (unsigned long long)stats.entries,
		(unsigned long long)stats.bytes) == -1)
		return -1;
	for (size_t i = 0; i < CACHE_EVENT_COUNT; i++)
		if (buf_printf(out, " %s=%llu", names[i],
			(unsigned long long)stats.events[i]) == -1)
			return -1;
	return buf_add(out, "\n", 1);
}

static int
cache_commands_cache_text(struct slot *slot, struct buf *out)
{
	const struct upstream_set *set = slot->cache->upstreams;

	for (size_t i = 0; set && i < set->count; i++)
		if (set->items[i]->cache &&
		    cache_commands_write_cache(out, set->items[i]) == -1)
			return -1;
	return 0;
}

const struct report cache_report = {.text = cache_commands_cache_text};

/*
 * FORGET.
 */

int
cache_commands_begin_purge(struct slot *slot, const struct request *request)
{
	return slot_copy(slot, request->key, request->key_len);
}

static int
cache_commands_purge(struct slot *slot, struct buf *out,
    struct upstream *upstream, const char *glob)
{
	const char *name = upstream->options.name;
	size_t count = cache_purge(upstream->cache, glob);

	if (upstream->options.cache == UPSTREAM_CACHE_REDIS &&
	    upstreams_purge(slot->cache->clients->upstreams, name, glob) == -1)
		return -1;
	return buf_printf(out, "%s purged=%zu\n", name, count);
}

static int
cache_commands_purge_text(struct slot *slot, struct buf *out)
{
	const struct upstream_set *set = slot->cache->upstreams;
	char *name = strndup(slot->bytes, slot->len);
	char *colon = name ? strchr(name, ':') : NULL;
	const char *glob = colon ? colon + 1 : "*";
	int result = name ? 0 : -1;

	if (colon)
		*colon = '\0';
	for (size_t i = 0; set && result == 0 && i < set->count; i++) {
		struct upstream *upstream = set->items[i];
		const char *own = upstream->options.name;

		if (upstream->cache && glob_matches(name, own, strlen(own)))
			result =
			    cache_commands_purge(slot, out, upstream, glob);
	}
	free(name);
	return result;
}

const struct report purge_report = {.text = cache_commands_purge_text};

/*
 * GET.
 */

/* Whether it may be used as it is. */
static bool
cache_commands_is_fresh(struct slot *slot, const struct stored_response *stored)
{
	static const struct request_control control = {.max_age_us = -1};

	return freshness_reuse(&stored->freshness, &control,
		   gate_now(slot->cache->gate)) == REUSE_FRESH;
}

/* Find what is stored under the key, NAME:TARGET; NULL: nothing fresh. */
static struct stored_response *
cache_commands_find(struct slot *slot, const struct request *request)
{
	const char *end = request->key + request->key_len;
	const char *colon = memchr(request->key, ':', request->key_len);
	char target[KEY_MAX + 3];
	struct stored_response *stored;
	struct upstream *upstream;

	if (!colon)
		return NULL;
	upstream = upstream_set_find(slot->cache->upstreams, request->key,
	    (size_t)(colon - request->key));
	if (!upstream || !upstream->cache ||
	    !upstream_path_normalize(
		target, colon + 1, (size_t)(end - colon - 1)))
		return NULL;
	stored = cache_find(upstream->cache,
	    (struct part){target, strlen(target)}, (struct headers){0});
	if (stored && cache_commands_is_fresh(slot, stored)) {
		cache_count(upstream->cache, CACHE_hits);
		return stored;
	}
	cache_count(upstream->cache, CACHE_misses);
	response_unref(stored);
	return NULL;
}

int
cache_commands_begin_get(struct slot *slot, const struct request *request)
{
	slot->got =
	    (struct slot_got){.stored = cache_commands_find(slot, request)};
	return 0;
}

int
cache_commands_write_get(struct slot *slot, struct buf *out)
{
	struct slot_got *got = &slot->got;
	struct passed passed = {.first = got->done == 0, .last = true};
	size_t left;

	if (!got->stored) {
		passed.code = "nil";
		slot->written = true;
		return slot->protocol->passed(out, slot->encoding, &passed);
	}
	left = got->stored->body.len - got->done;
	passed.len = left < PIECE_LEN ? left : PIECE_LEN;
	passed.last = slot->written = passed.len == left;
	passed.status = got->stored->status;
	passed.length = (int64_t)got->stored->body.len;
	passed.bytes = got->stored->body.bytes + got->done;
	got->done += passed.len;
	return slot->protocol->passed(out, slot->encoding, &passed);
}

void
cache_commands_end_get(struct slot *slot)
{
	response_unref(slot->got.stored);
	slot->got.stored = NULL;
}
