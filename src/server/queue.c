/*
 * The requests of a client, from their first byte to their response.
 * Invariant: a slot is in its queue until it is written; checks are deferred
 * only while requests are read, and queue_start() starts all of them in order.
 * The heart: queue_append(), queue_start() and queue_write().
 */
#include "server/queue.h"

#include "server/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
queue_init(struct queue *queue, struct slot_cache *cache,
    void (*ready)(struct queue *))
{
	*queue = (struct queue){.cache = cache, .ready = ready};
}

static struct slot *
queue_new_slot(struct slot_cache *cache)
{
	struct slot *slot = spares_take(&cache->spares);

	return slot ? slot : malloc(sizeof(*slot));
}

/* Release a slot that is ready. */
static void
queue_end_slot(struct slot *slot)
{
	if (slot->handler->end)
		slot->handler->end(slot);
	check_end(&slot->check);
	free(slot->bytes);
	spares_put(&slot->cache->spares, slot);
}

/* The bucket of the first is fetched while the others are read. */
void
slot_defer_check(struct slot *slot)
{
	struct queue *queue = slot->queue;

	slot->ready = false;
	check_prepare(&slot->check);
	if (check_has_bytes(&slot->check))
		slot_hold(slot, check_bytes(&slot->check));
	queue->begun += check_query_count(&slot->check);
	if (!queue->deferred) {
		queue->deferred = slot;
		check_prefetch(&slot->check);
	}
	if (check_may_be_spread(&slot->check))
		queue_start(queue);
}

/* Those of the others are fetched in a row.  So the processor looks at the page
 * tables for several at a time; while it looks, what follows has to wait. */
static void
queue_prefetch(const struct queue *queue)
{
	for (struct slot *slot = queue->deferred->next; slot; slot = slot->next)
		if (!slot->ready)
			check_prefetch(&slot->check);
}

/* Slots that are ready may be between. */
void
queue_start(struct queue *queue)
{
	if (!queue->deferred)
		return;
	queue_prefetch(queue);
	for (struct slot *slot = queue->deferred; slot; slot = slot->next)
		if (!slot->ready)
			slot_start_check(slot);
	queue->deferred = NULL;
}

void
slot_advance(struct slot *slot)
{
	while (slot->ready && slot->handler->next && slot->handler->next(slot))
		;
	if (!slot->ready)
		slot->queue->blocker = slot;
	else if (slot->queue->blocker == slot)
		slot->queue->blocker = NULL;
}

static void
queue_on_decided(struct check *check)
{
	struct slot *slot = CONTAINER_OF(check, struct slot, check);

	slot->ready = true;
	if (slot->queue)
		slot_advance(slot);
	if (!slot->ready)
		return;
	if (!slot->queue)
		queue_end_slot(slot);
	else if (slot == slot->queue->head)
		slot->queue->ready(slot->queue);
}

struct slot *
queue_append(struct queue *queue, const struct protocol *protocol,
    const struct handler *handler)
{
	struct slot *slot = queue_new_slot(queue->cache);

	if (!slot)
		return NULL;
	slot->next = NULL;
	slot->cache = queue->cache;
	slot->queue = queue;
	slot->handler = handler;
	slot->protocol = protocol;
	slot->encoding = 0;
	slot->ready = true;
	slot->written = !handler->in_pieces;
	slot->bytes = NULL;
	slot->len = 0;
	slot->held = 0;
	slot->count = 0;
	check_init(&slot->check, queue->cache->gate, queue_on_decided);
	if (handler->report)
		slot->report = (struct slot_report){0};
	if (queue->tail)
		queue->tail->next = slot;
	else
		queue->head = slot;
	queue->tail = slot;
	queue->count++;
	return slot;
}

int
slot_copy(struct slot *slot, const char *bytes, size_t len)
{
	slot->bytes = malloc(len + 1);
	if (!slot->bytes)
		return -1;
	memcpy(slot->bytes, bytes, len);
	slot->bytes[len] = '\0';
	slot->len = len;
	slot_hold(slot, len);
	return 0;
}

bool
queue_is_in_feed(const struct queue *queue)
{
	const struct report *report =
	    queue->in_pieces ? queue->head->handler->report : NULL;

	return report && report->is_feed;
}

int
queue_write(struct queue *queue, struct buf *out)
{
	struct slot *slot = queue->head;
	int result;

	assert(queue_is_ready(queue));
	result = slot->handler->write(slot, out);
	queue->in_pieces = result == 0 && !slot->written;
	if (queue->in_pieces)
		return 0;
	queue->head = slot->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->count--;
	queue->held -= slot->held;
	queue_end_slot(slot);
	return result;
}

void
queue_stop_waiting(struct queue *queue)
{
	for (struct slot *slot = queue->head; slot; slot = slot->next)
		if (!slot->ready)
			check_stop_waiting(&slot->check);
}

void
queue_clear(struct queue *queue)
{
	assert(!queue->deferred);
	while (queue->head) {
		struct slot *slot = queue->head;

		queue->head = slot->next;
		slot->queue = NULL;
		if (!slot->ready && slot->handler->forget)
			slot->handler->forget(slot);
		if (slot->ready)
			queue_end_slot(slot);
		else
			check_stop_waiting(&slot->check);
	}
	queue->tail = NULL;
	queue->count = queue->held = 0;
}

size_t
slot_cache_trim(struct slot_cache *cache)
{
	return spares_trim(&cache->spares, sizeof(struct slot), free) *
	       sizeof(struct slot);
}

void
slot_cache_clear(struct slot_cache *cache)
{
	feeds_clear(&cache->feeds);
	upstream_set_unref(cache->upstreams);
	buf_free(&cache->wanted.bytes);
	buf_free(&cache->event.text);
	spares_clear(&cache->spares, free);
	buf_free(&cache->text);
}
