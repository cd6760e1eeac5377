/**
 * queue: the requests of one client that have no response yet, in order.
 *
 * Owns: a slot for each of them, until its response is written, or, once the
 * client is gone, until its check is decided.  Never: knows the client's
 * socket, or what the requests ask for, which server/serve.h knows.
 */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/spares.h"
#include "gate/check.h"
#include "protocol/protocol.h"
#include "server/page_events.h"
#include "server/feeds.h"
#include "upstream/ask.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ask;
struct clients;
struct gate;
struct port;
struct queue;
struct report;
struct rules_snapshot;
struct slot;
struct stored_response;
struct upstream_set;

/** What the queues of one worker share. */
struct slot_cache {
	struct gate *gate;
	const struct clients *clients;
	struct spares spares; /* slots */
	struct buf text;      /* rows on their way into a response */
	struct feeds feeds;
	struct page_event event; /* the last one of the status page */

	/* of upstreams */
	struct port *port;              /* the worker's */
	struct upstream_set *upstreams; /* a reference; NULL: none */
	struct ask_wanted wanted;       /* what the last request wants of one */
};

/** Append to ${out} for a slot whose turn it is.  Return 0, or -1 (out of
 * memory). */
typedef int slot_write(struct slot *slot, struct buf *out);

/** How requests of one kind are served; the kinds are in server/serve.c. */
struct handler {
	/** Append the response, or the next piece of a report. */
	slot_write *write;

	/** Do what must be done before.  NULL: nothing.  Return 0, or -1 (out
	 * of memory). */
	int (*begin)(struct slot *slot, const struct request *request);

	/** The slot's check is decided: end it, start another and return true;
	 * or return false, and the response can be written.  NULL: there is
	 * one check at most. */
	bool (*next)(struct slot *slot);

	/** The client is gone while the slot is not ready: make it ready. NULL:
	 * its check will. */
	void (*forget)(struct slot *slot);

	/** Free what the slot holds beside its check.  NULL: nothing. */
	void (*end)(struct slot *slot);

	const struct report *report; /* the rows, if it is one; or NULL */
	bool in_pieces;              /* it is written until slot->written */
	bool last;                   /* no request may follow */
};

/** State of server/key_commands.c. */
struct slot_keys {
	unsigned step, found;
	int64_t life_us;
	bool deletes, failed;
};

/** How far a report is (server/report.h). */
struct slot_report {
	struct rules_snapshot *snapshot; /* that the report is about, held;
					  * NULL: no piece is written yet */
	size_t next, count;              /* rows */
	size_t family, sample;           /* of server/metrics.c */

	/* of a feed */
	TAILQ_ENTRY(slot) waiting;
	bool waits;    /* for something new */
	bool ends;     /* the next piece is the last */
	uint64_t seen; /* number of the next decision to show, or of the last
			* event */
	enum request_verdict verdict;
};

/** A request that is with an upstream (server/relay.h), or for what is stored
 * of one (server/cache_commands.h). */
struct slot_relay {
	struct ask *ask;                /* NULL: there is none */
	struct stored_response *stored; /* the response; or NULL; held */
	size_t done;                    /* bytes of it that are written */
	enum ask_cache cache;           /* where that is from */
	bool is_unchanged;              /* its client has it already */
	enum upstream_fault fault;      /* why there is neither */
};

/** One request. */
struct slot {
	struct slot *next;
	struct slot_cache *cache;
	struct queue *queue; /* NULL: the client is gone */

	/* the response */
	const struct handler *handler;
	const struct protocol *protocol; /* in which it is written */
	unsigned encoding;               /* the protocol's (struct request) */
	bool ready;                      /* it can be written */
	bool written;                    /* all of it */
	uint32_t held; /* bytes of it and of its check, counted in its queue */

	char *bytes; /* copied: the response itself, if it was known at once, or
		      * the keys that it is about, or their glob; or NULL */
	size_t len;
	int64_t count; /* of lines, that TOP asked for; 0: it did not say */
	struct check check; /* ENDED: the request needs none */
	union {
		struct slot_keys keys;
		struct slot_report report;
		struct slot_relay relay;
	};
};

/** A field of its conn. */
struct queue {
	struct slot_cache *cache;
	void (*ready)(struct queue *);
	struct slot *head, *tail;
	size_t count;
	size_t held;           /* bytes, by its slots */
	struct slot *deferred; /* the first whose check is; NULL: none */
	unsigned begun; /* queries of checks, since server/serve.c set it to 0
			 */
	struct slot *blocker; /* must end before the next request begins;
			       * NULL: none */
	bool in_pieces;       /* the first response is written in part */
};

/** Start empty.  ${ready} is called when the first response in order becomes
 * ready, never from within a call. */
void queue_init(struct queue *queue, struct slot_cache *cache,
    void (*ready)(struct queue *));

/** Append a slot that is ready.  NULL: out of memory. */
struct slot *queue_append(struct queue *queue, const struct protocol *protocol,
    const struct handler *handler) MUST_USE;

/** Copy ${len} bytes into a slot.  Return 0, or -1 (out of memory). */
int slot_copy(struct slot *slot, const char *bytes, size_t len) MUST_USE;

/** Count ${bytes} that the slot holds until its end. */
static inline void
slot_hold(struct slot *slot, size_t bytes)
{
	slot->held += (uint32_t)bytes;
	slot->queue->held += bytes;
}

/** Start the slot's check, to which queries were added: the slot is ready once
 * that is decided.  No check may be deferred. */
static inline void
slot_start_check(struct slot *slot)
{
	slot->ready = check_start(&slot->check);
	/* What is given back must be before the client asks again. */
	if (!slot->ready && slot->check.joint && check_is_spread(&slot->check))
		slot->queue->blocker = slot;
}

/** The same, but leave it to queue_start(), unless it may be spread, and come
 * in between others.  So the processor has time to fetch the buckets of
 * several.
 */
void slot_defer_check(struct slot *slot);

/** Start the checks that were deferred, in order. */
void queue_start(struct queue *queue);

/** A check of the slot was decided: have its handler start those that follow.
 * The queue is blocked until the last one is decided: their changes must come
 * before the client's next request. */
void slot_advance(struct slot *slot);

/** Memory that the requests take. */
static inline size_t
queue_bytes(const struct queue *queue)
{
	return queue->count * sizeof(struct slot) + queue->held;
}

/** Whether the first response in order can be written. */
static inline bool
queue_is_ready(const struct queue *queue)
{
	return queue->head && queue->head->ready;
}

/** Whether that response costs more than a decision. */
static inline bool
queue_is_expensive(const struct queue *queue)
{
	return queue->head->handler->in_pieces;
}

/** Whether that response is a feed of which a piece was written. */
bool queue_is_in_feed(const struct queue *queue);

/** Write that response to ${out}, or a piece of it, and take it off once all of
 * it is written.  Return 0, or -1 (out of memory: the response is lost). */
int queue_write(struct queue *queue, struct buf *out) MUST_USE;

/** The client sends no more, and so waits no more: see check_stop_waiting(). */
void queue_stop_waiting(struct queue *queue);

/** The client is gone: drop its requests, and responses still to come. */
void queue_clear(struct queue *queue);

/** Free slots that were not needed since the last trim.  Return how many bytes
 * they had. */
size_t slot_cache_trim(struct slot_cache *cache);

/** Free what is spare.  No slot may be in use. */
void slot_cache_clear(struct slot_cache *cache);

#endif
