/*
 * Writes RESP: the values of both versions, and decisions.  Invariant: each
 * call appends one whole value, or the head of an array or map whose elements
 * its caller appends.  The heart: resp_write_decision().
 */
#include "protocol/resp/resp.h"

#include "base/num.h"

#include <string.h>

#define DECISION_FIELDS 9

/* Longest decision: a limit's name, and fields with names, each with its
 * length. */
#define DECISION_MAX (LIMIT_NAME_MAX + 11 * (NUM_MAX_LEN + 24))

static char *
resp_write_put(char *to, const char *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

/* "TYPE NUMBER CR LF". */
static char *
resp_write_put_header(char *to, char type, int64_t number)
{
	*to++ = type;
	to += num_write_int(to, number);
	return resp_write_put(to, "\r\n", 2);
}

static char *
resp_write_put_text(char *to, const char *text)
{
	size_t len = strlen(text);

	to = resp_write_put_header(to, '$', (int64_t)len);
	to = resp_write_put(to, text, len);
	return resp_write_put(to, "\r\n", 2);
}

static int
resp_write_header(struct buf *out, char type, int64_t number)
{
	char *room = buf_reserve(out, NUM_MAX_LEN + 3);

	if (!room)
		return -1;
	buf_commit(
	    out, (size_t)(resp_write_put_header(room, type, number) - room));
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
resp_write_protocol_error(struct buf *out, enum protocol_error error)
{
	/* Clients of Redis know these by their first word. */
	static const char *const known[ERROR_COUNT] = {
	    [ERROR_NOAUTH] = "NOAUTH Authentication required.",
	    [ERROR_WRONGPASS] = ("WRONGPASS invalid username-password pair or "
				 "user is disabled."),
	    [ERROR_NOPERM] = "NOPERM this user has no permissions to ask that",
	};

	if (known[error])
		return resp_write_error(out, known[error]);
	return buf_printf(out, "-ERR %s\r\n", protocol_error_text(error));
}

int
resp_write_int(struct buf *out, int64_t value)
{
	return resp_write_header(out, ':', value);
}

int
resp_write_bulk_start(struct buf *out, int64_t len)
{
	return resp_write_header(out, '$', len);
}

int
resp_write_bulk(struct buf *out, const char *bytes, size_t len)
{
	if (resp_write_header(out, '$', (int64_t)len) == -1 ||
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
	return resp_write_header(out, '*', (int64_t)count);
}

int
resp_write_map(struct buf *out, size_t pairs, int version)
{
	if (version == 3)
		return resp_write_header(out, '%', (int64_t)pairs);
	return resp_write_array(out, 2 * pairs);
}

int
resp_write_lines(struct buf *out, const char *text, size_t len)
{
	const char *end;

	for (; len > 0; len -= (size_t)(end - text), text = end) {
		end = (const char *)memchr(text, '\n', len) + 1;
		if (resp_write_bulk(out, text, (size_t)(end - 1 - text)) == -1)
			return -1;
	}
	return 0;
}

int
resp_write_words(struct buf *out, const char *text, size_t len)
{
	const char *end;

	for (; len > 0; len -= (size_t)(end - text), text = end) {
		end = (const char *)memchr(text, '\n', len) + 1;
		if (buf_printf(out, "+%.*s\r\n", (int)(end - 1 - text), text) ==
		    -1)
			return -1;
	}
	return 0;
}

/* Rounded up: a client that waits that long has waited long enough. */
static int64_t
resp_write_ms(int64_t us)
{
	return us == RETRY_NEVER ? -1 : (us + 999) / 1000;
}

/* A string literal.  A copy of known length needs no call. */
#define PUT(to, literal)                                                       \
	((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *
resp_write_put_name(char *to, const char *name, bool names)
{
	return names ? resp_write_put_text(to, name) : to;
}

/* The fields of a decision, each behind its name or not. */
static char *
resp_write_put_fields(char *to, const struct check *check, bool names)
{
	static const char *const number_names[] = {
	    "allowed", "level", "capacity", "next", "retry", "blocked"};
	const struct decision *decision = &check->decision;
	const int64_t numbers[COUNT(number_names)] = {decision->allowed,
	    decision->level, check->limit ? check->limit->capacity : 0,
	    resp_write_ms(decision->next_us), resp_write_ms(decision->retry_us),
	    resp_write_ms(decision->blocked_us)};

	for (size_t i = 0; i < COUNT(numbers); i++) {
		to = resp_write_put_name(to, number_names[i], names);
		to = resp_write_put_header(to, ':', numbers[i]);
	}
	to = resp_write_put_name(to, "limit", names);
	to = resp_write_put_text(to, check->limit ? check->limit->name : "-");
	to = resp_write_put_name(to, "from", names);
	to = resp_write_put_text(to, decided_by_name(check->decided_by));
	to = resp_write_put_name(to, "shadow", names);
	return check->shadow_denied ? PUT(to, "$4\r\ndeny\r\n")
				    : PUT(to, "$0\r\n\r\n");
}

/* A header, the fields, and behind them the key that decides, if there are
 * several, or how many drops TAKE put in; with ${names}, each behind its name.
 */
static int
resp_write_fields(
    struct buf *out, const struct check *check, char sign, bool names)
{
	const struct key *key = check_told_key(check);
	bool is_take = check_is_take(check);
	int64_t count = DECISION_FIELDS + (key || is_take);
	char *room = buf_reserve(out, DECISION_MAX);
	char *to;

	if (!room)
		return -1;
	to = resp_write_put_header(
	    room, sign, names && sign == '*' ? 2 * count : count);
	to = resp_write_put_fields(to, check, names);
	if (key)
		to = resp_write_put_name(to, "key", names);
	if (is_take)
		to = resp_write_put_header(
		    resp_write_put_name(to, "taken", names), ':',
		    check->decision.taken);
	buf_commit(out, (size_t)(to - room));
	return key ? resp_write_bulk(out, key->bytes, key->len) : 0;
}

int
resp_write_decision(struct buf *out, const struct check *check)
{
	return resp_write_fields(out, check, '*', false);
}

int
resp_write_decision_map(struct buf *out, const struct check *check, int version)
{
	return resp_write_fields(out, check, version == 3 ? '%' : '*', true);
}
