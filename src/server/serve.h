/**
 * serve: what the server does for each request.
 *
 * The one place where verbs are distinguished after they were read.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "base/attr.h"
#include "protocol/session.h"
#include "server/queue.h"

#include <stddef.h>

/** Most requests that are begun at a time. */
#define SERVE_BATCH 16

enum serve_result {
	SERVED,           /* requests are in the queue, or errors for them */
	SERVED_EXPENSIVE, /* the same, and the last costs more than a decision
			   */
	SERVE_MORE,       /* perhaps the same, and the next is not whole yet */
	SERVE_FAILED,     /* out of memory: the client must be closed */
};

/** Take requests off the front of ${len} bytes of a client, or one that the
 * protocol has queued (session_has_queued()), and begin them in order: up to
 * SERVE_BATCH of them or of their queries, and none behind one that costs more
 * than a decision.
 * ${used} is set to the number of bytes done with; after SERVE_MORE, hand in
 * the others again with what follows.  If session->last is set then, no more
 * may be taken. */
enum serve_result serve_next(struct session *session, struct queue *queue,
    const char *bytes, size_t len, size_t *used) MUST_USE;

/** Whether the client may still have the feed that is being written. */
bool serve_may_feed(struct session *session, const struct queue *queue);

/** The client's input ended in the middle of a request.  Return 0, or -1 (out
 * of memory). */
int serve_cut(struct session *session, struct queue *queue) MUST_USE;

/** The client's request did not end in time.  Return 0; or -1: close it without
 * a word. */
int serve_late(struct session *session, struct queue *queue) MUST_USE;

#endif
