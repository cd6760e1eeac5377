#include "gate/queue.h"

#include "gate/report.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct slot *next;
	struct queue_pool *pool;
	struct queue *queue;        /* NULL: the client is gone */
	bool answered;
	enum verb verb;
	const char *text;           /* the answer, if it is known from the start */
	char *key;                  /* what EXPLAIN is about, or NULL */
	struct passage passage;     /* CONSUME, PEEK, RESET, EXPLAIN */
};

void
queue_init(struct queue *queue, struct queue_pool *pool,
    void (*ready)(struct queue *))
{
	*queue = (struct queue){.pool = pool, .ready = ready};
}

static struct slot *
take_spare(struct queue_pool *pool)
{
	struct slot *slot = pool->spare;

	if (slot)
		pool->spare = slot->next;
	else
		slot = malloc(sizeof(*slot));
	return slot;
}

/* Append a slot that is answered with ${text}, or that the caller sees to. */
static struct slot *
append(struct queue *queue, enum verb verb, const char *text)
{
	struct slot *slot = take_spare(queue->pool);

	if (!slot)
		return NULL;
	slot->next = NULL;
	slot->pool = queue->pool;
	slot->queue = queue;
	slot->answered = true;
	slot->verb = verb;
	slot->text = text;
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
	slot->next = slot->pool->spare;
	slot->pool->spare = slot;
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
pass(struct queue *queue, const struct request *request)
{
	struct slot *slot = append(queue, request->verb, NULL);

	if (!slot)
		return -1;
	slot->passage.done = on_done;
	slot->answered =
	    gate_pass(queue->pool->gate, request, &slot->passage);
	return 0;
}

/* A peek of amount 0, whose key is kept for the answer. */
static int
explain(struct queue *queue, const struct request *request)
{
	struct request peek = *request;
	char *key = strndup(request->key, request->key_len);

	peek.amount = 0;
	if (!key || pass(queue, &peek) == -1) {
		free(key);
		return -1;
	}
	queue->tail->key = key;
	return 0;
}

int
queue_add(struct queue *queue, const struct request *request)
{
	const char *text = NULL;

	switch (request->verb) {
	case VERB_CONSUME:
	case VERB_PEEK:
	case VERB_RESET:
		return pass(queue, request);
	case VERB_EXPLAIN:
		return explain(queue, request);
	case VERB_PING:
		text = "PONG\n";
		break;
	case VERB_HELP:
		text = line_help;
		break;
	case VERB_LIMITS:
	case VERB_STATS: /* as they are when it is their turn */
	case VERB_QUIT:
		break;
	}
	return append(queue, request->verb, text) ? 0 : -1;
}

int
queue_add_error(struct queue *queue, enum line_error error)
{
	return append(queue, VERB_HELP, line_error_text(error)) ? 0 : -1;
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
	struct gate *gate = slot->pool->gate;

	if (slot->text)
		return write_text(out, slot->text);
	switch (slot->verb) {
	case VERB_EXPLAIN:
		return report_explain(out, gate, &slot->passage, slot->key);
	case VERB_LIMITS:
		return report_limits(out, gate);
	case VERB_STATS:
		return report_stats(out, gate);
	case VERB_CONSUME:
	case VERB_PEEK:
	case VERB_RESET:
	case VERB_PING:
	case VERB_HELP:
	case VERB_QUIT:
		break;
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
queue_pool_clear(struct queue_pool *pool)
{
	while (pool->spare) {
		struct slot *next = pool->spare->next;

		free(pool->spare);
		pool->spare = next;
	}
}
