/**
 * link: one connection to one Redis server, kept up.
 *
 * Owns: the socket, the queue of calls in flight, the deadlines, reconnecting.
 * Never: knows limits, clients or scripts; resends anything.
 *
 * Calls are pipelined and answered in order.  The first one that misses its
 * deadline closes the connection, since an answer that came late could be taken
 * for another's.  Reconnecting backs off with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/),
 * from LINK_BACKOFF_MIN_US to a most, until link_proven().
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include "base/attr.h"
#include "net/dial.h"
#include "redis/command.h"

#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <stdint.h>

#define LINK_BACKOFF_MIN_US INT64_C(50000)
#define LINK_BACKOFF_MAX_US INT64_C(500000)

struct link_options {
	struct endpoint endpoint;
	int64_t db;
	const char *username;         /* "" or NULL: the default user */
	const char *password;         /* "": none */
	int64_t connect_timeout_us;   /* until the server has greeted */
	int64_t socket_timeout_us;    /* a call */
	int64_t backoff_max_us;       /* 0: LINK_BACKOFF_MAX_US */
	int64_t reply_max_bytes;      /* 0: REPLY_MAX_BYTES */
};

struct link_events {
	/** Connected, authenticated, database selected: calls may be made. */
	void (*up)(void *arg);

	/** Was up and is not any more, or an attempt failed.  Calls in flight
	 * were answered with NULL before. */
	void (*down)(void *arg);

	/** What was published on a channel that was subscribed to: an array of
	 * "message", the channel, and what was said, valid for now.  NULL:
	 * nothing is subscribed to, and it is taken for nonsense. */
	void (*message)(const redisReply *reply, void *arg);
};

struct link;                                  /* opaque */

/** The answer to a call, valid during this callback; NULL: there was none, and
 * whether the command ran is not known. */
typedef void link_done(const redisReply *reply, void *arg);

/** Start connecting, and reconnecting for ever.  ${options} are borrowed.
 * Nothing is called from within.  NULL: out of memory. */
struct link *link_new(struct event_base *base, struct dialer *dialer,
    const struct link_options *options, const struct link_events *events,
    void *arg) MUST_USE;

/** Answer what is in flight with NULL, close, free; or NULL.  Calls no event.
 * Not from within a callback of this link. */
void link_free(struct link *link);

/** Queue one command; link_flush() sends it.  Return 0 and later call ${done}
 * exactly once, never from within this call; or return -1 (not up, or out of
 * memory) and never call it. */
int link_call(struct link *link, const struct command *command,
    int64_t deadline_us, link_done *done, void *arg) MUST_USE;

/** Send what was queued. */
void link_flush(struct link *link);

/** Close the connection because of what the server said, and look it up again.
 * Calls in flight are answered with NULL, then down is called, from within. */
void link_drop(struct link *link, const char *reason);

/** The server does what it is there for: begin the next back-off anew. */
void link_proven(struct link *link);

/** "127.0.0.1:6379" or the socket's path, for people. */
const char *link_name(const struct link *link);

#endif
