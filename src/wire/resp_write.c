/*
 * The replies of wire/resp.h.
 */
#include "wire/resp.h"

#include "base/num.h"
#include "wire/line.h"

#include <string.h>

/* Longest reply to a CONSUME: names, and six numbers, each with its length. */
#define REPLY_MAX (LIMIT_NAME_MAX + 9 * (NUM_MAX_LEN + 24))

static char *
put(char *to, const char *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

/* "TYPE NUMBER CR LF". */
static char *
put_header(char *to, char type, int64_t number)
{
	*to++ = type;
	to += num_write_int(to, number);
	return put(to, "\r\n", 2);
}

static char *
put_text(char *to, const char *text)
{
	size_t len = strlen(text);

	to = put_header(to, '$', (int64_t)len);
	to = put(to, text, len);
	return put(to, "\r\n", 2);
}

static int
write_header(struct buf *out, char type, int64_t number)
{
	char *room = buf_room(out, NUM_MAX_LEN + 3);

	if (!room)
		return -1;
	buf_grow(out, (size_t)(put_header(room, type, number) - room));
	return 0;
}

int
resp_write_status(struct buf *out, const char *text)
{
	return buf_printf(out, "+%s\r\n", text);
}

int
resp_write_error(struct buf *out, const char *text)
{
	return buf_printf(out, "-%.*s\r\n", (int)strcspn(text, "\r\n"), text);
}

int
resp_write_int(struct buf *out, int64_t value)
{
	return write_header(out, ':', value);
}

int
resp_write_bulk(struct buf *out, const char *bytes, size_t len)
{
	if (write_header(out, '$', (int64_t)len) == -1 ||
	    (len > 0 && buf_add(out, bytes, len) == -1))
		return -1;
	return buf_add(out, "\r\n", 2);
}

int
resp_write_text(struct buf *out, const char *text)
{
	return resp_write_bulk(out, text, strlen(text));
}

int
resp_write_null(struct buf *out, int version)
{
	return version == 3 ? buf_add(out, "_\r\n", 3)
			    : buf_add(out, "$-1\r\n", 5);
}

int
resp_write_array(struct buf *out, size_t count)
{
	return write_header(out, '*', (int64_t)count);
}

int
resp_write_map(struct buf *out, size_t pairs, int version)
{
	if (version == 3)
		return write_header(out, '%', (int64_t)pairs);
	return resp_write_array(out, 2 * pairs);
}

/* Take a line off ${len} bytes, without its end; false: END, or no more. */
static bool
next_line(const char **at, size_t *len, struct resp_word *line)
{
	const char *end = *len > 0 ? memchr(*at, '\n', *len) : NULL;

	if (!end)
		return false;
	*line = (struct resp_word){*at, (size_t)(end - *at)};
	*len -= line->len + 1;
	*at = end + 1;
	return *len > 0 || line->len != 3 || memcmp(line->bytes, "END", 3) != 0;
}

int
resp_write_lines(struct buf *out, const char *text, size_t len)
{
	const char *at = text;
	struct resp_word line;
	size_t left = len, count = 0;

	while (next_line(&at, &left, &line))
		count++;
	if (resp_write_array(out, count) == -1)
		return -1;
	while (next_line(&text, &len, &line))
		if (resp_write_bulk(out, line.bytes, line.len) == -1)
			return -1;
	return 0;
}

/* Rounded up: who waits so long has waited long enough. */
static int64_t
ms(int64_t us)
{
	return us == RETRY_NEVER ? -1 : (us + 999) / 1000;
}

static const char *
limit_name(const struct reply *reply)
{
	return reply->limit ? reply->limit->name : "-";
}

static char *
put_array_reply(char *to, const struct reply *reply)
{
	const struct decision *decision = &reply->decision;

	to = put_header(to, '*', 7);
	to = put_header(to, ':', decision->allowed);
	to = put_header(to, ':', decision->level);
	to = put_header(to, ':', reply->limit ? reply->limit->capacity : 0);
	to = put_header(to, ':', ms(decision->next_us));
	to = put_header(to, ':', ms(decision->retry_us));
	to = put_header(to, ':', ms(decision->blocked_us));
	return put_text(to, limit_name(reply));
}

static char *
put_pair(char *to, const char *name, int64_t value)
{
	return put_header(put_text(to, name), ':', value);
}

static char *
put_map_reply(char *to, const struct reply *reply)
{
	const struct decision *decision = &reply->decision;

	to = put_header(to, '%', reply->shadow_deny ? 9 : 8);
	to = put_pair(to, "allowed", decision->allowed);
	to = put_pair(to, "level", decision->level);
	to =
	    put_pair(to, "capacity", reply->limit ? reply->limit->capacity : 0);
	to = put_pair(to, "next", ms(decision->next_us));
	to = put_pair(to, "retry", ms(decision->retry_us));
	to = put_pair(to, "blocked", ms(decision->blocked_us));
	to = put_text(put_text(to, "limit"), limit_name(reply));
	to = put_text(put_text(to, "from"), from_name(reply->from));
	if (reply->shadow_deny)
		to = put_text(put_text(to, "shadow"), "deny");
	return to;
}

int
resp_write_reply(struct buf *out, const struct reply *reply, int version)
{
	char *room = buf_room(out, REPLY_MAX);
	char *to;

	if (!room)
		return -1;
	to = version == 3 ? put_map_reply(room, reply)
			  : put_array_reply(room, reply);
	buf_grow(out, (size_t)(to - room));
	return 0;
}
