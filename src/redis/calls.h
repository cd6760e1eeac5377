/**
 * calls: commands that wait for their replies, oldest first.
 *
 * Owns: the memory of each call, which it uses again.  A field of a pipeline,
 * zeroed at first.
 */
#ifndef REDIS_CALLS_H
#define REDIS_CALLS_H

#include "base/attr.h"
#include "base/spares.h"
#include "redis/link.h"

#include <stdint.h>

struct call {
	struct call *next;
	int64_t deadline_us;
	link_done *done;
	void *arg;
};

struct calls {
	struct call *head, *tail;
	struct spares spares; /* as many as were there at a time */
};

/** Add a copy of ${like} behind the others, and the bytes of its ${command} to
 * ${out}.  Return 0, or -1 (out of memory, and neither is done). */
int calls_add(struct calls *calls, const struct call *like,
    const struct command *command, struct buf *out) MUST_USE;

/** Give the reply to the oldest call, from within.  There must be one. */
void calls_deliver(struct calls *calls, const redisReply *reply);

/** Give NULL to all calls that there are now, from within. */
void calls_abandon(struct calls *calls);

/** Put all of ${from} behind those of ${to}, with a later deadline. */
void calls_move(struct calls *from, struct calls *to, int64_t later_us);

/** The earliest deadline; INT64_MAX if there are no calls. */
int64_t calls_deadline_us(const struct calls *calls);

/** Free the room.  There are no calls. */
void calls_free(struct calls *calls);

#endif
