/**
 * reply_reader: makes replies of the bytes of one connection.
 *
 * Owns: the reader of hiredis, the guard before it, the arena of its replies.
 * A field of a pipeline, zeroed at first.
 */
#ifndef REDIS_REPLY_READER_H
#define REDIS_REPLY_READER_H

#include "base/attr.h"
#include "redis/reply_arena.h"
#include "redis/reply_guard.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reply_reader {
	redisReader *reader; /* NULL: closed */
	struct reply_guard guard;
	struct reply_arena arena; /* of the reply being read */
	bool heard;               /* bytes came since it was opened */
	bool given; /* the arena holds the reply that was given last */
};

/** Start for a new connection, with replies of at most ${max_bytes}, 0 for
 * REPLY_MAX_BYTES.  Return 0, or -1 (out of memory). */
int reply_reader_open(struct reply_reader *reader, int64_t max_bytes) MUST_USE;

/** Take ${len} bytes, at least one.  Return NULL, or why this server is of no
 * use. */
const char *reply_reader_feed(
    struct reply_reader *reader, const char *bytes, size_t len) MUST_USE;

/** The next complete reply, valid until the next call; or NULL.  ${reason} is
 * NULL, or says why no more replies will come.  A closed reader has none. */
const redisReply *reply_reader_next(
    struct reply_reader *reader, const char **reason) MUST_USE;

/** Forget all bytes; closed: no-op.  May be called while a reply is in use,
 * which stays valid until the next open. */
void reply_reader_close(struct reply_reader *reader);

/** Close, and free the memory. */
void reply_reader_free(struct reply_reader *reader);

#endif
