#include "redis/reply_guard.h"

#include "base/num.h"

#include <stdbool.h>
#include <string.h>

static int64_t
max_bytes(const struct reply_guard *guard)
{
	return guard->max_bytes ? guard->max_bytes : REPLY_MAX_BYTES;
}

/* An element is complete: so may be the arrays that it was the last of. */
static void
end_element(struct reply_guard *guard)
{
	while (guard->depth > 0 && --guard->left[guard->depth - 1] == 0)
		guard->depth--;
	if (guard->depth == 0)
		guard->bytes = guard->elements = 0;
}

static int
start_array(struct reply_guard *guard, int64_t elements)
{
	if (elements <= 0) {
		end_element(guard);
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
start_bulk(struct reply_guard *guard, int64_t len)
{
	if (len < 0)
		end_element(guard);
	else
		guard->body = len + 2; /* and CRLF */
	return 0;
}

/* A line is complete: text for itself, or the announcement of more.  A line
 * feed alone ends none for hiredis, which would read on: then the two would no
 * longer agree on what is a header. */
static int
end_line(struct reply_guard *guard)
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
		end_element(guard);
		return 0;
	case '*':
	case '$':
		if (len > sizeof(guard->header) ||
		    num_read_int(guard->header + 1, len - 2, -1,
			max_bytes(guard), &count))
			return -1;
		return guard->header[0] == '*' ? start_array(guard, count)
					       : start_bulk(guard, count);
	}
	return -1;
}

/* Take bytes of a line up to its end, which is not kept, or all there are. */
static size_t
read_line(struct reply_guard *guard, const char *bytes, size_t len, bool *whole)
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
skip_body(struct reply_guard *guard, size_t len, bool *whole)
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
		size_t step = in_body ? skip_body(guard, len, &whole)
				      : read_line(guard, bytes, len, &whole);

		/* First: the end of a reply sets the count back. */
		guard->bytes += (int64_t)step;
		if (guard->bytes > max_bytes(guard))
			return -1;
		if (whole && in_body)
			end_element(guard);
		else if (whole && end_line(guard) == -1)
			return -1;
		bytes += step;
		len -= step;
	}
	return 0;
}
