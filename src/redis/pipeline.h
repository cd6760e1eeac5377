/**
 * pipeline: the commands and replies of one open connection to a server.
 *
 * Owns: the socket, what was received and not yet read as a reply, the calls in
 * flight with their deadlines.
 * Never: connects, or decides what follows a failure: its link does.
 *
 * A field of a link, zeroed at first but for stream.fd, which is -1.
 */
#ifndef REDIS_PIPELINE_H
#define REDIS_PIPELINE_H

#include "base/attr.h"
#include "net/stream.h"
#include "net/timer.h"
#include "redis/calls.h"
#include "redis/reply_reader.h"

#include <stdbool.h>
#include <stdint.h>

/** Each may close the pipeline, and is then the last one. */
struct pipeline_events {
	/** The server closed the connection, or it broke: ${how}. */
	void (*closed)(const char *how, void *arg);

	/** This connection is of no use any more, because of ${reason}. */
	void (*failed)(const char *reason, void *arg);

	/** A reply that may be a published message; return whether it was
	 * taken as one.  Otherwise it belongs to the oldest call. */
	bool (*message)(const redisReply *reply, void *arg);
};

struct pipeline {
	struct stream stream;
	struct reply_reader reader;
	struct calls calls; /* in flight */
	struct timer timer; /* for the earliest deadline, or an earlier time */
	int64_t timer_us;   /* when it fires; 0: not set */
	const struct pipeline_events *events;
	void *arg;
};

void pipeline_init(struct pipeline *pipeline, struct loop *loop,
    const struct pipeline_events *events, void *arg);

/** Take over ${fd}, a connected socket, and ${tls}, NULL for none.  Replies
 * have at most ${reply_max_bytes}.  Return 0, or -1 (out of memory; it is then
 * to be closed). */
int pipeline_open(struct pipeline *pipeline, int fd, struct tls *tls,
    int64_t reply_max_bytes) MUST_USE;

/** Queue a command that goes out with the next flush, with a copy of ${call}.
 * Return 0, or -1 (out of memory). */
int pipeline_call(struct pipeline *pipeline, const struct command *command,
    const struct call *call) MUST_USE;

/** Take over calls that were made before the connection, each with a deadline
 * later by ${later_us}, and send the ${bytes} of their commands.  Return 0, or
 * -1 (out of memory, and nothing is done). */
int pipeline_take_calls(struct pipeline *pipeline, struct calls *calls,
    struct buf *bytes, int64_t later_us) MUST_USE;

/** Send what was queued; closed: no-op.  May call failed, from within. */
void pipeline_flush(struct pipeline *pipeline);

/** Whether the server has closed the connection, which is known without
 * reading from it. */
bool pipeline_has_ended(struct pipeline *pipeline);

/** Close the connection; closed: no-op.  The calls in flight stay. */
void pipeline_close(struct pipeline *pipeline);

/** Give NULL to the calls in flight, from within.  It is closed. */
void pipeline_abandon(struct pipeline *pipeline);

/** Free the memory.  It is closed, and without calls. */
void pipeline_free(struct pipeline *pipeline);

#endif
