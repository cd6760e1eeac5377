#include "gate/queue.h"

#include "gate/report.h"
#include "wire/line.h"
#include "wire/resp_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How a request is answered. */
enum slot_kind {
	SLOT_OUTCOME,  /* by what came of its passage */
	SLOT_THROTTLE, /* by that too, as CL.THROTTLE is */
	SLOT_EXPLAIN,  /* by that, and a report on it */
	SLOT_TEXT,     /* by bytes known from the start */
	SLOT_LIMITS,   /* by a report, on how things are when it is its turn */
	SLOT_STATS,
	SLOT_HELP,
};

struct slot {
	struct slot *next;
	struct slot_cache *cache;
	struct queue *queue;        /* NULL: the client is gone */
	enum slot_kind kind;
	enum form form;             /* of the answer */
	bool answered;
	const char *text;           /* SLOT_TEXT */
	size_t text_len;
	char *owned;                /* SLOT_EXPLAIN: the key that it is about;
				     * SLOT_TEXT: bytes copied; or NULL */
	struct passage passage;     /* SLOT_OUTCOME, _THROTTLE, _EXPLAIN */
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
append(struct queue *queue, enum slot_kind kind, enum form form)
{
	struct slot *slot = take_spare(queue->cache);

	if (!slot)
		return NULL;
	slot->next = NULL;
	slot->cache = queue->cache;
	slot->queue = queue;
	slot->kind = kind;
	slot->form = form;
	slot->answered = true;
	slot->owned = NULL;
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
	free(slot->owned);
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
pass(struct queue *queue, const struct request *request, enum slot_kind kind,
    enum form form)
{
	struct slot *slot = append(queue, kind, form);

	if (!slot)
		return -1;
	slot->passage.done = on_done;
	slot->answered =
	    gate_pass(queue->cache->gate, request, &slot->passage);
	return 0;
}

/* A peek of amount 0, whose key is kept for the answer. */
static int
explain(struct queue *queue, const struct request *request, enum form form)
{
	struct request peek = *request;
	char *key = strndup(request->key, request->key_len);

	peek.amount = 0;
	if (!key || pass(queue, &peek, SLOT_EXPLAIN, form) == -1) {
		free(key);
		return -1;
	}
	queue->tail->owned = key;
	return 0;
}

static int
report(struct queue *queue, enum slot_kind kind, enum form form)
{
	return append(queue, kind, form) ? 0 : -1;
}

int
queue_add(
    struct queue *queue, const struct request *request, enum form form)
{
	switch (request->verb) {
	case VERB_CONSUME:
	case VERB_PEEK:
	case VERB_RESET:
		return pass(queue, request, SLOT_OUTCOME, form);
	case VERB_THROTTLE:
		return pass(queue, request, SLOT_THROTTLE, form);
	case VERB_EXPLAIN:
		return explain(queue, request, form);
	case VERB_LIMITS:
		return report(queue, SLOT_LIMITS, form);
	case VERB_STATS:
		return report(queue, SLOT_STATS, form);
	case VERB_HELP:
		return report(queue, SLOT_HELP, form);
	case VERB_PING:
		return queue_add_text(queue, answer_pong(form));
	case VERB_QUIT:
		break;
	}
	return 0;
}

int
queue_add_text(struct queue *queue, const char *text)
{
	struct slot *slot = append(queue, SLOT_TEXT, FORM_LINE);

	if (!slot)
		return -1;
	slot->text = text;
	slot->text_len = strlen(text);
	return 0;
}

int
queue_add_bytes(struct queue *queue, const char *bytes, size_t len)
{
	char *copy = malloc(len);
	struct slot *slot =
	    copy ? append(queue, SLOT_TEXT, FORM_LINE) : NULL;

	if (!slot) {
		free(copy);
		return -1;
	}
	slot->text = slot->owned = memcpy(copy, bytes, len);
	slot->text_len = len;
	return 0;
}

bool
queue_is_ready(const struct queue *queue)
{
	return queue->head && queue->head->answered;
}

static int
write_help(struct buf *out, enum form form)
{
	const char *help =
	    form == FORM_LINE ? line_help : resp_help;

	return buf_add(out, help, strlen(help));
}

static int
write_report(struct buf *out, const struct slot *slot)
{
	struct gate *gate = slot->cache->gate;
	struct buf text = {0};
	int result;

	if (slot->kind == SLOT_EXPLAIN)
		result = report_explain(
		    &text, gate, &slot->passage, slot->owned);
	else if (slot->kind == SLOT_LIMITS)
		result = report_limits(&text, gate);
	else if (slot->kind == SLOT_STATS)
		result = report_stats(&text, gate);
	else
		result = write_help(&text, slot->form);
	if (result == 0)
		result = answer_lines(out, slot->form, &text);
	buf_free(&text);
	return result;
}

static int
write_slot(struct buf *out, const struct slot *slot)
{
	switch (slot->kind) {
	case SLOT_OUTCOME:
		return answer_outcome(out, slot->form, &slot->passage);
	case SLOT_THROTTLE:
		return answer_throttle(out, &slot->passage);
	case SLOT_TEXT:
		return buf_add(out, slot->text, slot->text_len);
	case SLOT_EXPLAIN:
	case SLOT_LIMITS:
	case SLOT_STATS:
	case SLOT_HELP:
		break;
	}
	return write_report(out, slot);
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
