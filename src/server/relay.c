/*
 * Job: gives requests to the upstream thread, and responses to clients.
 * Invariant: a slot is ready when something may have come for it, and no bytes
 * are taken that its client has no room for.
 * The heart: relay_begin(), relay_write().
 */
#include "server/relay.h"

#include "base/clock.h"
#include "base/num.h"
#include "gate/gate.h"
#include "server/clients.h"
#include "upstream/upstream_headers.h"
#include "upstream/upstreams.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000)

/* Room for our own headers. */
#define FIELDS_MAX 200

void
relay_update(struct slot_cache *cache)
{
	struct upstreams *upstreams = cache->clients->upstreams;
	struct upstream_set *old = cache->upstreams;

	if (!upstreams || upstreams_use(upstreams, old))
		return;
	cache->upstreams = upstreams_get(upstreams);
	upstream_set_unref(old);
}

/*
 * From the client to the upstream.
 */

static void
relay_on_news(struct ask *ask, void *arg)
{
	struct slot *slot = arg;

	(void)ask;
	if (slot->ready)
		return;
	slot->ready = true;
	if (slot == slot->queue->head)
		slot->queue->ready(slot->queue);
}

/* The upstream that "/NAME/PATH" names; ${target} is set to what is behind
 * that. */
static struct upstream *
relay_find(const struct slot *slot, struct forward_text *target)
{
	const char *name = target->bytes + 1,
		   *end = target->bytes + target->len;
	const char *at = name;

	if (target->len == 0)
		return NULL;
	while (at < end && *at != '/' && *at != '?')
		at++;
	*target = (struct forward_text){at, (size_t)(end - at)};
	return upstream_set_find(
	    slot->cache->upstreams, name, (size_t)(at - name));
}

/* Keep "GET, HEAD" for the response. */
static int
relay_note_methods(struct slot *slot, const struct upstream *upstream)
{
	char list[2 * UPSTREAM_METHODS_MAX + 1], *to = list;

	for (const char *at = upstream->options.methods; *at; at++) {
		if (*at == ' ' && to > list && to[-1] != ' ')
			*to++ = ',';
		if (*at != ' ' || (to > list && to[-1] == ','))
			*to++ = *at;
	}
	return slot_copy(slot, list, (size_t)(to - list));
}

/* What to do with what is stored; NULL: nothing is. */
static enum reuse
relay_look_up(
    struct slot *slot, struct cache *cache, struct stored_response **stored)
{
	const struct ask_wanted *wanted = &slot->cache->wanted;

	*stored = cache_find(
	    cache, ask_wanted_target(wanted), ask_wanted_fields(wanted));
	return *stored ? freshness_reuse(&(*stored)->freshness,
			     &wanted->control, gate_now(slot->cache->gate))
		       : REUSE_NOT;
}

static bool
relay_has_it(const struct slot *slot, struct headers request,
    const struct stored_response *stored)
{
	return client_has_it(request, stored->fields, stored->status,
	    gate_now(slot->cache->gate) + clock_shift_us());
}

/* Respond with what is stored. */
static void
relay_use(struct slot *slot, const struct ask_request *request,
    struct stored_response *stored, enum ask_cache cache)
{
	struct slot_relay *relay = &slot->relay;

	relay->stored = stored;
	relay->cache = cache;
	relay->is_unchanged = relay_has_it(slot, request->fields, stored);
	slot->ready = true;
}

static struct inbox *
relay_inbox(const struct slot *slot)
{
	return upstreams_inbox(slot->cache->clients->upstreams);
}

/* Have what is stored made fresh, while clients get it as it is. */
static void
relay_refresh(struct slot *slot, struct upstream *upstream,
    const struct ask_request *request, struct stored_response *stored)
{
	struct ask *ask = ask_new(
	    slot->cache->port, upstream, &slot->cache->wanted, request, stored);

	if (ask)
		ask_start_refresh(ask, relay_inbox(slot));
}

/* Keep what the client has, for when there is a response. */
static int
relay_note_conditions(struct slot *slot, const struct ask_request *request)
{
	struct buf lines = {0};
	int result =
	    upstream_headers_pick(&lines, request->fields, ASK_CONDITIONS, "");

	if (result == 0 && buf_len(&lines) > 0)
		result = slot_copy(slot, buf_data(&lines), buf_len(&lines));
	buf_free(&lines);
	return result;
}

void
relay_ask(struct slot *slot, struct upstream *upstream,
    const struct ask_request *request, struct stored_response *stored)
{
	struct slot_relay *relay = &slot->relay;

	relay->ask = ask_new(
	    slot->cache->port, upstream, &slot->cache->wanted, request, stored);
	if (!relay->ask) {
		relay->fault = UPSTREAM_FAULT_MEMORY;
		return;
	}
	slot->ready = false;
	slot_hold(slot, ask_bytes(relay->ask) + ASK_ROOM);
	ask_start(relay->ask, relay_inbox(slot), relay_on_news, slot);
}

/* The request may be answered by the cache. */
static void
relay_begin_cached(struct slot *slot, struct upstream *upstream,
    const struct ask_request *request)
{
	struct stored_response *stored;

	switch (relay_look_up(slot, upstream->cache, &stored)) {
	case REUSE_FRESH:
		cache_count(upstream->cache, CACHE_hits);
		relay_use(slot, request, stored, ASK_HIT);
		return;
	case REUSE_STALE:
		cache_count(upstream->cache, CACHE_stale);
		relay_refresh(slot, upstream, request, stored);
		relay_use(slot, request, stored, ASK_STALE);
		return;
	case REUSE_VALIDATE:
	case REUSE_NOT:
		break;
	}
	cache_count(upstream->cache, CACHE_misses);
	if (slot->cache->wanted.control.only_if_cached &&
	    upstream->options.cache != UPSTREAM_CACHE_REDIS)
		slot->relay.fault = UPSTREAM_FAULT_NOTCACHED;
	else if (relay_note_conditions(slot, request) == -1)
		slot->relay.fault = UPSTREAM_FAULT_MEMORY;
	else
		relay_ask(slot, upstream, request, stored);
	response_unref(stored);
}

int
relay_begin(struct slot *slot, const struct request *request)
{
	const struct forward *forward = request->forward;
	struct forward_text target = forward->target;
	struct upstream *upstream = relay_find(slot, &target);
	const struct ask_request wanted = {
	    .method = {forward->method.bytes, forward->method.len},
	    .target = {target.bytes, target.len},
	    .fields = {forward->fields.bytes, forward->fields.len},
	    .body = {forward->body.bytes, forward->body.len}};
	struct slot_relay *relay = &slot->relay;

	*relay = (struct slot_relay){0};
	relay->fault = upstream
			   ? ask_want(&slot->cache->wanted, upstream, &wanted)
			   : UPSTREAM_FAULT_NAME;
	if (relay->fault == UPSTREAM_FAULT_METHOD)
		return relay_note_methods(slot, upstream);
	if (relay->fault)
		return 0;
	if (slot->cache->wanted.is_cached) {
		relay_begin_cached(slot, upstream, &wanted);
		return 0;
	}
	if (upstream->cache)
		cache_count(upstream->cache, CACHE_bypassed);
	relay_ask(slot, upstream, &wanted, NULL);
	return 0;
}

/*
 * And back.
 */

/* Our own headers of such a response. */
static size_t
relay_put_fields(
    char to[FIELDS_MAX], const struct slot *slot, const struct ask_part *part)
{
	size_t len = 0;

	if (part->retry_us > 0)
		len = (size_t)snprintf(to, FIELDS_MAX, "Retry-After: %lld\r\n",
		    (long long)((part->retry_us + SECOND - 1) / SECOND));
	if (part->fault == UPSTREAM_FAULT_METHOD)
		len = (size_t)snprintf(
		    to, FIELDS_MAX, "Allow: %s\r\n", slot->bytes);
	return len;
}

/* Respond why there is no response. */
static int
relay_write_fault(
    struct slot *slot, struct buf *out, const struct ask_part *part)
{
	const struct upstream_fault_row *row = &upstream_faults[part->fault];
	char fields[FIELDS_MAX];
	size_t len = relay_put_fields(fields, slot, part);

	slot->written = true;
	return slot->protocol->passed(out, slot->encoding,
	    &(struct passed){.first = true,
		.last = true,
		.status = row->status,
		.more = fields,
		.more_len = len,
		.code = row->code,
		.detail = row->text});
}

static size_t
relay_put_cache(char to[FIELDS_MAX], enum ask_cache cache)
{
	char *end = stpcpy(stpcpy(to, "X-Cache: "), ask_cache_name(cache));

	return (size_t)(stpcpy(end, "\r\n") - to);
}

/* The same of a response that is so old. */
static size_t
relay_put_age(char to[FIELDS_MAX], int64_t age_s, enum ask_cache cache)
{
	char *end = stpcpy(to, "Age: ");

	end = stpcpy(end + num_write_int(end, age_s), "\r\n");
	return (size_t)(end - to) + relay_put_cache(end, cache);
}

/* The next piece of a response that is stored. */
static int
relay_write_stored(struct slot *slot, struct buf *out)
{
	struct slot_relay *relay = &slot->relay;
	const struct stored_response *stored = relay->stored;
	size_t all = relay->is_unchanged ? 0 : stored->body.len;
	size_t left = all - relay->done;
	size_t step = left < ASK_ROOM ? left : ASK_ROOM;
	char more[FIELDS_MAX];
	struct passed passed = {.first = relay->done == 0,
	    .last = step == left,
	    .status = relay->is_unchanged ? 304 : stored->status,
	    .fields = stored->fields.bytes,
	    .fields_len = stored->fields.len,
	    .more = more,
	    .length = (int64_t)stored->body.len,
	    .bytes = stored->body.bytes + relay->done,
	    .len = step};

	if (passed.first)
		passed.more_len = relay_put_age(more,
		    freshness_age_s(
			&stored->freshness, gate_now(slot->cache->gate)),
		    relay->cache);
	relay->done += step;
	slot->written = passed.last;
	slot->ready = true;
	return slot->protocol->passed(out, slot->encoding, &passed);
}

/* -1 as well if the response ends before its end: then so must the
 * connection. */
static int
relay_write_part(
    struct slot *slot, struct buf *out, const struct ask_part *part)
{
	char more[FIELDS_MAX];
	const struct passed passed = {.first = part->has_head,
	    .last = part->is_done,
	    .status = part->status,
	    .fields = buf_data(&part->head),
	    .fields_len = buf_len(&part->head),
	    .more = more,
	    .more_len = relay_put_cache(more, part->cache),
	    .length = part->length,
	    .bytes = buf_data(&part->body),
	    .len = buf_len(&part->body)};

	slot->written = part->is_done;
	slot->ready = part->is_done || part->has_more;
	if (part->is_cut)
		return -1;
	if (!passed.first && !passed.last && passed.len == 0)
		return 0;
	return slot->protocol->passed(out, slot->encoding, &passed);
}

int
relay_write(struct slot *slot, struct buf *out)
{
	struct slot_relay *relay = &slot->relay;
	struct ask_part part = {.fault = relay->fault};
	int result;

	if (relay->ask && !relay->stored)
		ask_take(relay->ask, &part);
	if (part.whole) {
		relay->stored = part.whole;
		relay->cache = part.cache;
		relay->is_unchanged = relay_has_it(
		    slot, (struct headers){slot->bytes, slot->len}, part.whole);
	}
	if (relay->stored)
		return relay_write_stored(slot, out);
	if (part.has_head && part.is_cut) /* nothing was written yet */
		part.fault = UPSTREAM_FAULT_BAD;
	result = part.fault ? relay_write_fault(slot, out, &part)
			    : relay_write_part(slot, out, &part);
	buf_free(&part.head);
	buf_free(&part.body);
	return result;
}

void
relay_forget(struct slot *slot)
{
	slot->ready = true;
}

void
relay_end(struct slot *slot)
{
	ask_end(slot->relay.ask);
	response_unref(slot->relay.stored);
	slot->relay.ask = NULL;
	slot->relay.stored = NULL;
}
