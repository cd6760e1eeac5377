/**
 * queue: the requests of one client that are not yet answered to, in order.
 *
 * Owns: a slot for each of them, until its answer is written, or, once the
 * client is gone, until its answer has come.
 * Never: knows the client's socket.
 */
#ifndef GATE_QUEUE_H
#define GATE_QUEUE_H

#include "base/attr.h"
#include "base/buf.h"
#include "gate/answer.h"
#include "gate/gate.h"

#include <stdbool.h>
#include <stddef.h>

struct slot;

/** What the queues of one worker share. */
struct slot_cache {
	struct gate *gate;
	struct slot *spare;          /* to be used again */
};

/** A field of whatever has a client. */
struct queue {
	struct slot_cache *cache;
	void (*ready)(struct queue *);
	struct slot *head, *tail;
	size_t count;
};

/** Start empty.  ${ready} is called when the first answer in order has come
 * from a store, never from within a call. */
void queue_init(struct queue *queue, struct slot_cache *cache,
    void (*ready)(struct queue *));

/** Append a request, any but QUIT, and send it on its way; it is to be answered
 * in ${form}.  Return 0, or -1 (out of memory: the queue is of no use any
 * more). */
int queue_add(struct queue *queue, const struct request *request,
    enum form form) MUST_USE;

/** Append what is answered already: ${text}, which stays.  As queue_add(). */
int queue_add_text(struct queue *queue, const char *text) MUST_USE;

/** The same, with ${len} bytes that are copied. */
int queue_add_bytes(
    struct queue *queue, const char *bytes, size_t len) MUST_USE;

/** Whether the first answer in order is known. */
bool queue_is_ready(const struct queue *queue);

/** Write that answer to ${out} and take it off.  Return 0, or -1 (out of
 * memory: the answer is lost). */
int queue_write(struct queue *queue, struct buf *out) MUST_USE;

/** The client is gone: drop its requests, and answers still to come. */
void queue_clear(struct queue *queue);

/** Free what is spare.  No slot may be in use. */
void slot_cache_clear(struct slot_cache *cache);

#endif
