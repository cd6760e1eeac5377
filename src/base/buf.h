/**
 * buf: a queue of bytes, appended at one end, taken from the other.
 *
 *   bytes    start        end          cap
 *     | taken  | content    | free space |
 *
 * A zeroed struct is an empty buffer.  Whoever holds the struct owns the bytes.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"

#include <stddef.h>

struct buf {
	char *bytes;
	size_t start;
	size_t end;
	size_t cap;
};

/** Number of bytes held. */
static inline size_t
buf_len(const struct buf *buf)
{
	return buf->end - buf->start;
}

/** First byte held, may be NULL if there is none; valid until the next call
 * that is not buf_len(). */
static inline char *
buf_head(const struct buf *buf)
{
	return buf->bytes ? buf->bytes + buf->start : NULL;
}

/** Return room for ${len} bytes at the end, to be claimed with buf_grow(), or
 * NULL (out of memory; the content stays). */
char *buf_room(struct buf *buf, size_t len) MUST_USE;

/** Claim ${len} bytes that were written to the room. */
void buf_grow(struct buf *buf, size_t len);

/** Append ${len} bytes.  Return 0, or -1 (out of memory, nothing appended). */
int buf_add(struct buf *buf, const void *bytes, size_t len) MUST_USE;

/** Append as printf would.  Return 0, or -1 (out of memory). */
int buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3)
    MUST_USE;

/** Take ${len} bytes, at most all, off the front. */
void buf_take(struct buf *buf, size_t len);

/** Free the bytes; the buffer is empty and usable again. */
void buf_free(struct buf *buf);

#endif
