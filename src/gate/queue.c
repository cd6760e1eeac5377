#include "gate/queue.h"

#include "gate/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How a request is answered. */
enum slot_kind {
	SLOT_OUTCOME, /* by what came of its passage */
	SLOT_EXPLAIN, /* by that too, and a report on it */
	SLOT_TEXT,    /* by a text known from the start */
	SLOT_LIMITS,  /* by a report, on how things are when it is its turn */
	SLOT_STATS,
};

struct slot {
	struct slot *next;
	struct slot_cache *cache;
	struct queue *queue;        /* NULL: the client is gone */
	enum slot_kind kind;
	bool answered;
	const char *text;           /* SLOT_TEXT */
	char *key;                  /* SLOT_EXPLAIN: what it is about, else NULL */
	struct passage passage;     /* SLOT_OUTCOME, SLOT_EXPLAIN */
};

void
queue_init(struct queue *queue, struct slot_cache *cache,
    void (*ready)(struct queue *))
{
	*queue = (struct queue){.cache = cache, .ready = ready};
}

static struct slot *
take_spare(struct slot_cache *cache)
{
	struct slot *slot = cache->spare;

	if (slot)
		cache->spare = slot->next;
	else
		slot = malloc(sizeof(*slot));
	return slot;
}

static struct slot *
append(struct queue *queue, enum slot_kind kind)
{
	struct slot *slot = take_spare(queue->cache);

	if (!slot)
		return NULL;
	slot->next = NULL;
	slot->cache = queue->cache;
	slot->queue = queue;
	slot->kind = kind;
	slot->answered = true;
	slot->key = NULL;
	slot->passage.held = NULL;
	if (queue->tail)
		queue->tail->next = slot;
	else
		queue->head = slot;
	queue->tail = slot;
	queue->count++;
	return slot;
}

/* Let go of a slot that was answered. */
static void
end(struct slot *slot)
{
	passage_end(&slot->passage);
	free(slot->key);
	slot->next = slot->cache->spare;
	slot->cache->spare = slot;
}

static void
on_done(struct passage *passage)
{
	struct slot *slot = CONTAINER_OF(passage, struct slot, passage);

	slot->answered = true;
	if (!slot->queue)
		end(slot);
	else if (slot == slot->queue->head)
		slot->queue->ready(slot->queue);
}

static int
pass(struct queue *queue, const struct request *request, enum slot_kind kind)
{
	struct slot *slot = append(queue, kind);

	if (!slot)
		return -1;
	slot->passage.done = on_done;
	slot->answered =
	    gate_pass(queue->cache->gate, request, &slot->passage);
	return 0;
}

/* A peek of amount 0, whose key is kept for the answer. */
static int
explain(struct queue *queue, const struct request *request)
{
	struct request peek = *request;
	char *key = strndup(request->key, request->key_len);

	peek.amount = 0;
	if (!key || pass(queue, &peek, SLOT_EXPLAIN) == -1) {
		free(key);
		return -1;
	}
	queue->tail->key = key;
	return 0;
}

static int
answer_text(struct queue *queue, const char *text)
{
	struct slot *slot = append(queue, SLOT_TEXT);

	if (!slot)
		return -1;
	slot->text = text;
	return 0;
}

int
queue_add(struct queue *queue, const struct request *request)
{
	switch (request->verb) {
	case VERB_CONSUME:
	case VERB_PEEK:
	case VERB_RESET:
		return pass(queue, request, SLOT_OUTCOME);
	case VERB_EXPLAIN:
		return explain(queue, request);
	case VERB_LIMITS:
		return append(queue, SLOT_LIMITS) ? 0 : -1;
	case VERB_STATS:
		return append(queue, SLOT_STATS) ? 0 : -1;
	case VERB_PING:
		return answer_text(queue, "PONG\n");
	case VERB_HELP:
		return answer_text(queue, line_help);
	case VERB_QUIT:
		break;
	}
	return 0;
}

int
queue_add_error(struct queue *queue, enum line_error error)
{
	return answer_text(queue, line_error_text(error));
}

bool
queue_is_ready(const struct queue *queue)
{
	return queue->head && queue->head->answered;
}

static int
write_text(struct buf *out, const char *text)
{
	return buf_add(out, text, strlen(text));
}

static int
write_outcome(struct buf *out, const struct passage *passage)
{
	switch (passage->outcome) {
	case OUTCOME_DECISION:
		break;
	case OUTCOME_DONE:
		return write_text(out, "OK\n");
	case OUTCOME_NOLIMIT:
		return write_text(out, line_error_text(LINE_ERR_NOLIMIT));
	case OUTCOME_UNAVAILABLE:
		return write_text(out, line_error_text(LINE_ERR_UNAVAILABLE));
	}
	return line_write_reply(out, &passage->reply);
}

static int
write_slot(struct buf *out, const struct slot *slot)
{
	struct gate *gate = slot->cache->gate;

	switch (slot->kind) {
	case SLOT_OUTCOME:
		break;
	case SLOT_EXPLAIN:
		return report_explain(out, gate, &slot->passage, slot->key);
	case SLOT_TEXT:
		return write_text(out, slot->text);
	case SLOT_LIMITS:
		return report_limits(out, gate);
	case SLOT_STATS:
		return report_stats(out, gate);
	}
	return write_outcome(out, &slot->passage);
}

int
queue_write(struct queue *queue, struct buf *out)
{
	struct slot *slot = queue->head;
	int result;

	assert(queue_is_ready(queue));
	result = write_slot(out, slot);
	queue->head = slot->next;
	if (!queue->head)
		queue->tail = NULL;
	queue->count--;
	end(slot);
	return result;
}

void
queue_clear(struct queue *queue)
{
	while (queue->head) {
		struct slot *slot = queue->head;

		queue->head = slot->next;
		slot->queue = NULL;
		if (slot->answered)
			end(slot);
	}
	queue->tail = NULL;
	queue->count = 0;
}

void
slot_cache_clear(struct slot_cache *cache)
{
	while (cache->spare) {
		struct slot *next = cache->spare->next;

		free(cache->spare);
		cache->spare = next;
	}
}
