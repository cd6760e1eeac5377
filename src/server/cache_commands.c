/*
 * Job: shows, forgets and hands out what is stored of upstreams.
 * Invariant: the cache is asked, the upstream never.
 * The heart: purge_report and cache_commands_begin_get().
 */
#include "server/cache_commands.h"

#include "gate/gate.h"
#include "limit/glob.h"
#include "server/clients.h"
#include "server/relay.h"
#include "upstream/cache.h"
#include "upstream/upstream.h"
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

	if (upstreams_purge(slot->cache->clients->upstreams, name, glob) == -1)
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

/* Whether its body is what was asked for: that of an error is not, nor that of
 * a redirect, and the client does not see the status. */
static bool
cache_commands_is_value(const struct stored_response *stored)
{
	return stored->status >= 200 && stored->status < 300;
}

/* Whether it may be used as it is. */
static bool
cache_commands_is_fresh(struct slot *slot, const struct stored_response *stored)
{
	static const struct request_control control = {.max_age_us = -1};

	return freshness_reuse(&stored->freshness, &control,
		   gate_now(slot->cache->gate)) == REUSE_FRESH;
}

/* The upstream that the key, NAME:TARGET, names; ${request} is made one for
 * that target. */
static struct upstream *
cache_commands_find(
    struct slot *slot, const struct request *key, struct ask_request *request)
{
	const char *end = key->key + key->key_len;
	const char *colon = memchr(key->key, ':', key->key_len);
	struct upstream *upstream;

	if (!colon)
		return NULL;
	*request = (struct ask_request){.method = {"GET", 3},
	    .target = {colon + 1, (size_t)(end - colon - 1)}};
	upstream = upstream_set_find(
	    slot->cache->upstreams, key->key, (size_t)(colon - key->key));
	return upstream && upstream->cache &&
		       ask_want(&slot->cache->wanted, upstream, request) ==
			   UPSTREAM_FINE
		   ? upstream
		   : NULL;
}

int
cache_commands_begin_get(struct slot *slot, const struct request *key)
{
	struct ask_wanted *wanted = &slot->cache->wanted;
	struct ask_request request;
	struct upstream *upstream = cache_commands_find(slot, key, &request);
	struct stored_response *stored;

	slot->relay = (struct slot_relay){0};
	if (!upstream)
		return 0;
	stored = cache_find(
	    upstream->cache, ask_wanted_target(wanted), (struct headers){0});
	if (stored && cache_commands_is_value(stored) &&
	    cache_commands_is_fresh(slot, stored)) {
		cache_count(upstream->cache, CACHE_hits);
		slot->relay.stored = stored;
		return 0;
	}
	response_unref(stored);
	cache_count(upstream->cache, CACHE_misses);
	wanted->control.only_if_cached = true;
	if (upstream->options.cache == UPSTREAM_CACHE_REDIS)
		relay_ask(slot, upstream, &request, NULL);
	return 0;
}

/* Take what was found in Redis. */
static void
cache_commands_take(struct slot_relay *relay)
{
	struct ask_part part;

	if (!relay->ask || relay->stored)
		return;
	ask_take(relay->ask, &part);
	if (part.whole && cache_commands_is_value(part.whole))
		relay->stored = part.whole;
	else
		response_unref(part.whole);
	buf_free(&part.head);
	buf_free(&part.body);
}

int
cache_commands_write_get(struct slot *slot, struct buf *out)
{
	struct slot_relay *relay = &slot->relay;
	struct passed passed = {.first = relay->done == 0, .last = true};
	size_t left;

	cache_commands_take(relay);
	if (!relay->stored) {
		passed.code = "nil";
		slot->written = true;
		return slot->protocol->passed(out, slot->encoding, &passed);
	}
	left = relay->stored->body.len - relay->done;
	passed.len = left < PIECE_LEN ? left : PIECE_LEN;
	passed.last = slot->written = passed.len == left;
	passed.status = relay->stored->status;
	passed.length = (int64_t)relay->stored->body.len;
	passed.bytes = relay->stored->body.bytes + relay->done;
	relay->done += passed.len;
	return slot->protocol->passed(out, slot->encoding, &passed);
}
