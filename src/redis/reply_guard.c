#include "redis/reply_guard.h"

#include "base/num.h"

#include <stdbool.h>
#include <string.h>

static int64_t
reply_guard_max_bytes(const struct reply_guard *guard)
{
	return guard->max_bytes ? guard->max_bytes : REPLY_MAX_BYTES;
}

/* An element is complete, and with it each array of which it was the last. */
static void
reply_guard_end_element(struct reply_guard *guard)
{
	while (guard->depth > 0 && --guard->left[guard->depth - 1] == 0)
		guard->depth--;
	if (guard->depth == 0)
		guard->bytes = guard->elements = 0;
}

static int
reply_guard_start_array(struct reply_guard *guard, int64_t elements)
{
	if (elements <= 0) {
		reply_guard_end_element(guard);
		return 0;
	}
	guard->elements += elements;
	if (guard->depth == REPLY_MAX_DEPTH ||
	    guard->elements > REPLY_MAX_ELEMENTS)
		return -1;
	guard->left[guard->depth++] = elements;
	return 0;
}

static int
reply_guard_start_bulk(struct reply_guard *guard, int64_t len)
{
	if (len < 0)
		reply_guard_end_element(guard);
	else
		guard->body = len + 2; /* and CRLF */
	return 0;
}

/* A line is complete: a text, or the header of more.  Refuse a line feed alone:
 * hiredis does not end a line there, and the two would no longer agree on what
 * is a header. */
static int
reply_guard_end_line(struct reply_guard *guard)
{
	size_t len = guard->header_len;
	int64_t count;

	guard->header_len = 0;
	if (len < 2 || guard->last != '\r')
		return -1;
	switch (guard->header[0]) {
	case '+':
	case '-':
	case ':':
		reply_guard_end_element(guard);
		return 0;
	case '*':
	case '$':
		if (len > sizeof(guard->header) ||
		    num_read_int(guard->header + 1, len - 2, -1,
			reply_guard_max_bytes(guard), &count))
			return -1;
		return guard->header[0] == '*'
			   ? reply_guard_start_array(guard, count)
			   : reply_guard_start_bulk(guard, count);
	}
	return -1;
}

/* Take bytes of a line up to its end, which is not kept, or all there are. */
static size_t
reply_guard_read_line(
    struct reply_guard *guard, const char *bytes, size_t len, bool *whole)
{
	const char *newline = memchr(bytes, '\n', len);
	size_t step = newline ? (size_t)(newline - bytes) : len;
	size_t room = sizeof(guard->header);

	if (guard->header_len < room) {
		room -= guard->header_len;
		memcpy(guard->header + guard->header_len, bytes,
		    step < room ? step : room);
	}
	if (step > 0)
		guard->last = bytes[step - 1];
	guard->header_len += step;
	*whole = newline != NULL;
	return step + *whole;
}

/* Take bytes of a bulk string up to its end, or all there are. */
static size_t
reply_guard_skip_body(struct reply_guard *guard, size_t len, bool *whole)
{
	size_t step = (size_t)guard->body < len ? (size_t)guard->body : len;

	guard->body -= (int64_t)step;
	*whole = guard->body == 0;
	return step;
}

int
reply_guard_check(struct reply_guard *guard, const char *bytes, size_t len)
{
	while (len > 0) {
		bool in_body = guard->body > 0, whole;
		size_t step =
		    in_body ? reply_guard_skip_body(guard, len, &whole)
			    : reply_guard_read_line(guard, bytes, len, &whole);

		/* Count first: the end of a reply resets the count. */
		guard->bytes += (int64_t)step;
		if (guard->bytes > reply_guard_max_bytes(guard))
			return -1;
		if (whole && in_body)
			reply_guard_end_element(guard);
		else if (whole && reply_guard_end_line(guard) == -1)
			return -1;
		bytes += step;
		len -= step;
	}
	return 0;
}
