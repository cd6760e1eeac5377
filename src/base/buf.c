#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 512

/* A buffer that is so large from the start is not meant to grow. */
#define LARGE 16384

static size_t
buf_grown_cap(const struct buf *buf, size_t need)
{
	size_t cap = buf->cap ? buf->cap : SMALLEST;

	if (buf->cap == 0 && need >= LARGE)
		return need;
	while (cap < need)
		cap *= 2;
	return cap;
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	size_t held = buf_len(buf);
	char *bytes;

	if (buf->cap - buf->end >= len && buf->bytes)
		return buf->bytes + buf->end;
	/* Slide the content down only if there is some free space before it:
	 * otherwise a slow reader would make every append copy it. */
	if (buf->start >= buf->cap / 8 && buf->cap - held >= len &&
	    buf->bytes) {
		memmove(buf->bytes, buf->bytes + buf->start, held);
	} else {
		size_t cap = buf_grown_cap(buf, buf->end + len);

		bytes = realloc(buf->bytes, cap);
		if (!bytes)
			return NULL;
		buf->bytes = bytes;
		buf->cap = cap;
		return buf->bytes + buf->end;
	}
	buf->start = 0;
	buf->end = held;
	return buf->bytes + held;
}

void
buf_commit(struct buf *buf, size_t len)
{
	assert(buf->cap - buf->end >= len);
	buf->end += len;
}

int
buf_add(struct buf *buf, const void *bytes, size_t len)
{
	char *room;

	/* The bytes of an empty buffer are NULL, which memcpy() must not get.
	 */
	if (len == 0)
		return 0;
	room = buf_reserve(buf, len);
	if (!room)
		return -1;
	memcpy(room, bytes, len);
	buf->end += len;
	return 0;
}

int
buf_printf(struct buf *buf, const char *format, ...)
{
	size_t left = buf->bytes ? buf->cap - buf->end : 0;
	va_list args;
	char *room = left > 0 ? buf->bytes + buf->end : NULL;
	int len;

	va_start(args, format);
	len = vsnprintf(room, left, format, args);
	va_end(args);
	if (len < 0)
		return -1;
	if ((size_t)len >= left) {
		room = buf_reserve(buf, (size_t)len + 1);
		if (!room)
			return -1;
		va_start(args, format);
		vsnprintf(room, (size_t)len + 1, format, args);
		va_end(args);
	}
	buf->end += (size_t)len;
	return 0;
}

void
buf_consume(struct buf *buf, size_t len)
{
	assert(len <= buf_len(buf));
	buf->start += len;
	if (buf->start == buf->end)
		buf->start = buf->end = 0;
}

void
buf_trim(struct buf *buf, size_t least)
{
	struct buf trimmed = {0};

	if (buf->cap <= least || buf->cap / 4 <= buf_len(buf))
		return;
	if (buf_add(&trimmed, buf_data(buf), buf_len(buf)) == -1)
		return; /* another time */
	buf_free(buf);
	*buf = trimmed;
}

void
buf_free(struct buf *buf)
{
	free(buf->bytes);
	*buf = (struct buf){0};
}
