/**
 * replicas: holds the replies to calls back until replicas have what the calls
 * wrote.
 *
 * WAIT goes after the reply, on the same link.  The server replies to it once
 * so many replicas have all that was written over that connection before, or
 * the time is up (https://redis.io/docs/latest/commands/wait/).  Until then it
 * runs no other command of the connection.  So one WAIT is out at a time, and
 * counts for all calls that were replied to before it: no call is behind two of
 * them, however many calls are out.
 */
#ifndef REDIS_REPLICAS_H
#define REDIS_REPLICAS_H

#include <hiredis/hiredis.h>
#include <stdint.h>

struct script_call;
struct script_calls;

/** How much longer the server may take to reply to WAIT, and to a call behind
 * it: it looks at the time-outs of WAIT only so often, ten times a second by
 * default. */
#define REPLICAS_GRACE_US INT64_C(1000000)

/** A field of the calls over one link. */
struct replicas {
	struct script_call *head; /* those held; not NULL: WAIT is out */
	int64_t until_us;         /* the time-out of that */
};

/** Hold ${call}, which got ${reply}, until its replicas have what it wrote.
 * Then, or from within, call its ${done}: with the reply; with the error that
 * WAIT got; or with NULL, if the connection ended, or too few replicas had it
 * in time. */
void replicas_hold(struct script_calls *calls, struct script_call *call,
    const redisReply *reply);

#endif
