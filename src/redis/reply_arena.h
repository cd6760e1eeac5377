/**
 * reply_arena: the memory in which a reply is built while it is read.
 *
 * Owns: the memory of one redisReply with all its elements, which is freed in
 * one step and mostly used again: an element costs no allocation.  Never:
 * bounds a reply; reply_guard.h does that before.
 */
#ifndef REDIS_REPLY_ARENA_H
#define REDIS_REPLY_ARENA_H

#include "base/attr.h"

#include <hiredis/hiredis.h>

struct chunk;

/** All zero at the start. */
struct reply_arena {
	struct chunk *filling; /* and those that are full */
};

/** Return a reader whose replies are in ${arena}: not for freeReplyObject().
 * The arena outlives it.  NULL: out of memory. */
redisReader *reply_arena_reader(struct reply_arena *arena) MUST_USE;

/** The reply is done with. */
void reply_arena_empty(struct reply_arena *arena);

/** Give all memory back; it may be used again. */
void reply_arena_free(struct reply_arena *arena);

#endif
