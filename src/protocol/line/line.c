/*
 * Lines, in and out.
 * Invariant: bytes that line_read() is done with were read as one line, or are
 * of a line that is too long; so an error never costs the next line.
 * The heart: line_read() and line_write_decision().
 */
#include "protocol/line/line.h"

#include "base/bytes.h"
#include "base/num.h"
#include "limit/limit.h"

#include <string.h>
#include <strings.h>

/* Longest decision: the names, and eight numbers; without the key. */
#define DECISION_MAX (LIMIT_NAME_MAX + 8 * NUM_MAX_LEN + 110)

struct line_word {
	const char *bytes;
	size_t len;
};

static bool
line_is_blank(char c)
{
	/* The first comparison is enough for most bytes. */
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\t');
}

/* The first blank from ${at} on, or ${end}.  What is below a blank need not be
 * one. */
static const char *
line_find_blank(const char *at, const char *end)
{
	while (end - at >= BYTES_WORD) {
		uint64_t low = bytes_below(bytes_load(at), ' ' + 1);

		at += low ? bytes_first(low) : BYTES_WORD;
		if (low && line_is_blank(*at))
			return at;
		at += low != 0;
	}
	while (at < end && !line_is_blank(*at))
		at++;
	return at;
}

/* Take the next word, empty at the end, off the line from ${at} to ${end}. */
static struct line_word
line_next_word(const char **at, const char *end)
{
	const char *start = *at;
	const char *stop;

	while (start < end && line_is_blank(*start))
		start++;
	stop = line_find_blank(start, end);
	*at = stop;
	return (struct line_word){start, (size_t)(stop - start)};
}

/* Browsers can be made to send these to any port (RFC 9110, section 9.3). */
static bool
line_is_http(const struct line_word *word)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "HEAD",
	    "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"};

	for (size_t i = 0; i < COUNT(methods); i++)
		if (word->len == strlen(methods[i]) &&
		    strncasecmp(word->bytes, methods[i], word->len) == 0)
			return true;
	return word->bytes[word->len - 1] == ':';
}

static enum protocol_error
line_name_error(const struct line_word *word)
{
	if (word->len == 0)
		return ERROR_EMPTY;
	return line_is_http(word) ? ERROR_HTTP : ERROR_BADVERB;
}

/* Read the arguments of ${request}, whose verb is known. */
static enum protocol_error
line_read_arguments(const char *at, const char *end, struct request *request)
{
	const struct verb_shape *shape = verb_rows[request->verb].shape;
	struct line_word word = line_next_word(&at, end);
	size_t count = 0;

	while (word.len > 0) {
		enum protocol_error error = request_set(
		    request, verb_argument(shape, count), word.bytes, word.len);

		if (error)
			return error;
		count++;
		word = line_next_word(&at, end);
	}
	return request_finish(request, count);
}

static enum protocol_error
line_read_request(const char *at, const char *end, struct request *request)
{
	struct line_word name = line_next_word(&at, end);
	enum verb verb = verb_find(name.bytes, name.len, LINE_VERBS);

	if (verb == VERB_COUNT)
		return line_name_error(&name);
	request_init(request, verb);
	return line_read_arguments(at, end, request);
}

/* Bytes at the front that belong to an overlong line. */
static size_t
line_skip_overlong(struct line_reader *reader, const char *bytes, size_t len)
{
	const char *newline;

	if (!reader->skipping)
		return 0;
	newline = memchr(bytes, '\n', len);
	if (!newline)
		return len;
	reader->skipping = false;
	return (size_t)(newline + 1 - bytes);
}

static enum line_result
line_refuse(struct line_reader *reader, enum protocol_error error)
{
	reader->error = error;
	return LINE_BAD;
}

enum line_result
line_read(struct line_reader *reader, const char *bytes, size_t len,
    size_t *used, struct request *request)
{
	enum protocol_error error;
	size_t skipped;
	const char *start, *end;

	*used = 0;
	if (len == 0)
		return LINE_MORE; /* ${bytes} may be NULL */
	skipped = line_skip_overlong(reader, bytes, len);
	start = bytes + skipped;
	end = memchr(start, '\n', len - skipped);
	*used = skipped;
	if (!end && len - skipped <= LINE_MAX_LEN + 1) /* + 1: the CR of CRLF */
		return LINE_MORE;
	if (!end) {
		*used = len;
		reader->skipping = true;
		return line_refuse(reader, ERROR_TOOLONG);
	}
	*used = (size_t)(end + 1 - bytes);
	if (end > start && end[-1] == '\r')
		end--;
	if (end - start > LINE_MAX_LEN)
		return line_refuse(reader, ERROR_TOOLONG);
	error = line_read_request(start, end, request);
	return error ? line_refuse(reader, error) : LINE_REQUEST;
}

int
line_write_error(struct buf *out, enum protocol_error error)
{
	return buf_printf(out, "ERR %s\n", protocol_error_text(error));
}

/* Append a string literal.  A copy of known length needs no call. */
#define PUT(to, literal)                                                       \
	((char *)memcpy(to, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static char *
line_put_seconds(char *to, int64_t us)
{
	return us == RETRY_NEVER ? PUT(to, "never")
				 : to + num_write_seconds(to, us);
}

static char *
line_put_key(char *to, const struct key *key)
{
	return (char *)memcpy(PUT(to, " key="), key->bytes, key->len) +
	       key->len;
}

int
line_write_decision(struct buf *out, const struct check *check)
{
	const struct decision *decision = &check->decision;
	const struct key *key = check_told_key(check);
	char *room = buf_reserve(out, DECISION_MAX + (key ? key->len : 0));
	char *to = room;

	if (!room)
		return -1;
	to = decision->allowed ? PUT(to, "ALLOW limit=")
			       : PUT(to, "DENY limit=");
	to = stpcpy(to, check->limit ? check->limit->name : "-");
	to = PUT(to, " level=");
	to += num_write_int(to, decision->level);
	to = PUT(to, " capacity=");
	to += num_write_int(to, check->limit ? check->limit->capacity : 0);
	to = line_put_seconds(PUT(to, " next="), decision->next_us);
	to = line_put_seconds(PUT(to, " retry="), decision->retry_us);
	to = line_put_seconds(PUT(to, " blocked="), decision->blocked_us);
	to = stpcpy(PUT(to, " from="), decided_by_name(check->decided_by));
	if (check->shadow_denied)
		to = PUT(to, " shadow=deny");
	if (key)
		to = line_put_key(to, key);
	if (check_is_take(check)) {
		to = PUT(to, " taken=");
		to += num_write_int(to, decision->taken);
	}
	*to++ = '\n';
	buf_commit(out, (size_t)(to - room));
	return 0;
}
