/*
 * Job: gives requests to the upstream thread, and responses to clients.
 * Invariant: a slot is ready when something may have come for it, and no bytes
 * are taken that its client has no room for.
 * The heart: relay_begin(), relay_write().
 */
#include "server/relay.h"

#include "gate/gate.h"
#include "server/clients.h"
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

int
relay_begin(struct slot *slot, const struct request *request)
{
	const struct forward *forward = request->forward;
	struct forward_text target = forward->target;
	struct upstream *upstream = relay_find(slot, &target);
	const struct ask_request wanted = {.method = forward->method.bytes,
	    .target = target.bytes,
	    .fields = forward->fields.bytes,
	    .body = forward->body.bytes,
	    .method_len = forward->method.len,
	    .target_len = target.len,
	    .fields_len = forward->fields.len,
	    .body_len = forward->body.len};
	struct slot_relay *relay = &slot->relay;

	*relay = (struct slot_relay){0};
	if (!upstream) {
		relay->fault = UPSTREAM_FAULT_NAME;
		return 0;
	}
	relay->ask =
	    ask_new(slot->cache->port, upstream, &wanted, &relay->fault);
	if (relay->fault == UPSTREAM_FAULT_METHOD)
		return relay_note_methods(slot, upstream);
	if (!relay->ask)
		return 0;
	slot->ready = false;
	slot_hold(slot, ask_bytes(relay->ask) + ASK_ROOM);
	ask_start(relay->ask, upstreams_inbox(slot->cache->clients->upstreams),
	    relay_on_news, slot);
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
	if (slot->bytes) /* the methods */
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
		.fields = fields,
		.fields_len = len,
		.code = row->code,
		.detail = row->text});
}

/* -1 as well if the response ends before its end: then so must the
 * connection. */
static int
relay_write_part(
    struct slot *slot, struct buf *out, const struct ask_part *part)
{
	const struct passed passed = {.first = part->has_head,
	    .last = part->is_done,
	    .status = part->status,
	    .fields = buf_data(&part->head),
	    .fields_len = buf_len(&part->head),
	    .length = part->length,
	    .bytes = buf_data(&part->body),
	    .len = buf_len(&part->body)};

	slot->written = part->is_done;
	slot->ready = part->is_done;
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

	if (relay->ask)
		ask_take(relay->ask, &part);
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
	slot->relay.ask = NULL;
}
