/**
 * buf: a queue of bytes, appended at one end, taken from the other.
 *
 *   bytes    start        end          cap
 *     | taken  | content    | free space |
 *
 * A zeroed struct is an empty buffer.  The owner of the struct owns the bytes.
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

/** The first byte held; may be NULL if the buffer is empty.  Valid until the
 * next call other than buf_len(). */
static inline char *
buf_data(const struct buf *buf)
{
	return buf->bytes ? buf->bytes + buf->start : NULL;
}

/** Return room for ${len} bytes at the end, to be claimed with buf_commit(), or
 * NULL (out of memory; the content stays). */
char *buf_reserve(struct buf *buf, size_t len) MUST_USE;

/** Claim ${len} bytes that were written to the room. */
void buf_commit(struct buf *buf, size_t len);

/** Append ${len} bytes.  Return 0, or -1 (out of memory, nothing appended). */
int buf_add(struct buf *buf, const void *bytes, size_t len) MUST_USE;

/** Append as printf would.  Return 0, or -1 (out of memory). */
int buf_printf(struct buf *buf, const char *format, ...)
    PRINTF_LIKE(2, 3) MUST_USE;

/** Take ${len} bytes, at most all, off the front. */
void buf_consume(struct buf *buf, size_t len);

/** Free room that is more than ${least} and four times what is held. */
void buf_trim(struct buf *buf, size_t least);

/** Free the bytes; the buffer is empty and usable again. */
void buf_free(struct buf *buf);

#endif
