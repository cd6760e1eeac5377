#include "wire/line.h"

#include "base/num.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <string.h>
#include <strings.h>

/* Longest reply: the names, and seven numbers. */
#define REPLY_MAX (LIMIT_NAME_MAX + 7 * NUM_MAX_LEN + 100)

enum { NO_KEY, WITH_KEY, WITH_AMOUNT };

static const struct {
	const char *name;
	size_t len;
	unsigned arguments;
} verbs[] = {
    [VERB_CONSUME] = {"consume", 7, WITH_AMOUNT},
    [VERB_PEEK] = {"peek", 4, WITH_AMOUNT},
    [VERB_RESET] = {"reset", 5, WITH_KEY},
    [VERB_EXPLAIN] = {"explain", 7, WITH_KEY},
    [VERB_LIMITS] = {"limits", 6, NO_KEY},
    [VERB_STATS] = {"stats", 5, NO_KEY},
    [VERB_PING] = {"ping", 4, NO_KEY},
    [VERB_HELP] = {"help", 4, NO_KEY},
    [VERB_QUIT] = {"quit", 4, NO_KEY},
};

#define VERBS COUNT(verbs)

static const char *const error_texts[] = {
#define X(name, code, text) [LINE_ERR_##name] = "ERR " code " " text "\n",
    LINE_ERRORS(X)
#undef X
};

const char line_help[] = LINE_HELP "END\n";

struct word {
	const char *bytes;
	size_t len;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Take the next word, empty at the end, off the line from ${at} to ${end}. */
static struct word
next_word(const char **at, const char *end)
{
	const char *start = *at;
	const char *stop;

	while (start < end && is_blank(*start))
		start++;
	stop = start;
	while (stop < end && !is_blank(*stop))
		stop++;
	*at = stop;
	return (struct word){start, (size_t)(stop - start)};
}

/* Browsers can be made to send these to any port (RFC 9110, section 9.3). */
static bool
is_http(const struct word *word)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "HEAD",
	    "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"};

	for (size_t i = 0; i < COUNT(methods); i++)
		if (word->len == strlen(methods[i]) &&
		    strncasecmp(word->bytes, methods[i], word->len) == 0)
			return true;
	return word->bytes[word->len - 1] == ':';
}

static enum line_result
bad(enum line_error *error, enum line_error what)
{
	*error = what;
	return LINE_BAD;
}

static enum line_result
read_verb(const struct word *word, enum verb *verb, enum line_error *error)
{
	if (word->len == 0)
		return bad(error, LINE_ERR_EMPTY);
	for (size_t i = 0; i < VERBS; i++) {
		if (word->len == verbs[i].len &&
		    strncasecmp(word->bytes, verbs[i].name, word->len) == 0) {
			*verb = (enum verb)i;
			return LINE_REQUEST;
		}
	}
	return bad(error, is_http(word) ? LINE_ERR_HTTP : LINE_ERR_BADVERB);
}

static enum line_result
read_request(const char *at, const char *end, struct request *request,
    enum line_error *error)
{
	struct word word = next_word(&at, end);

	if (read_verb(&word, &request->verb, error) != LINE_REQUEST)
		return LINE_BAD;
	word = next_word(&at, end);
	if (verbs[request->verb].arguments >= WITH_KEY) {
		if (word.len == 0)
			return bad(error, LINE_ERR_NOKEY);
		if (!key_is_valid(word.bytes, word.len))
			return bad(error, LINE_ERR_BADKEY);
		request->key = word.bytes;
		request->key_len = word.len;
		word = next_word(&at, end);
	}
	request->amount = 1;
	if (verbs[request->verb].arguments >= WITH_AMOUNT && word.len > 0) {
		if (num_read_int(word.bytes, word.len, -LIMIT_AMOUNT_MAX,
			LIMIT_AMOUNT_MAX, &request->amount) == -1)
			return bad(error, LINE_ERR_BADAMOUNT);
		word = next_word(&at, end);
	}
	return word.len > 0 ? bad(error, LINE_ERR_SURPLUS) : LINE_REQUEST;
}

/* Bytes at the front that belong to an overlong line. */
static size_t
skip_overlong(struct line_reader *reader, const char *bytes, size_t len)
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

enum line_result
line_read(struct line_reader *reader, const char *bytes, size_t len,
    size_t *used, struct request *request, enum line_error *error)
{
	size_t skipped;
	const char *start, *end;

	*used = 0;
	if (len == 0)
		return LINE_MORE; /* ${bytes} may be NULL */
	skipped = skip_overlong(reader, bytes, len);
	start = bytes + skipped;
	end = memchr(start, '\n', len - skipped);
	*used = skipped;
	if (!end && len - skipped <= LINE_MAX_LEN + 1) /* + 1: the CR of CRLF */
		return LINE_MORE;
	if (!end) {
		*used = len;
		reader->skipping = true;
		return bad(error, LINE_ERR_TOOLONG);
	}
	*used = (size_t)(end + 1 - bytes);
	if (end > start && end[-1] == '\r')
		end--;
	if (end - start > LINE_MAX_LEN)
		return bad(error, LINE_ERR_TOOLONG);
	return read_request(start, end, request, error);
}

const char *
line_error_text(enum line_error error)
{
	return error_texts[error];
}

static char *
put(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *
put_int(char *to, const char *name, int64_t value)
{
	to = put(to, name);
	return to + num_write_int(to, value);
}

static char *
put_seconds(char *to, const char *name, int64_t us)
{
	to = put(to, name);
	if (us == RETRY_NEVER)
		return put(to, "never");
	return to + num_write_seconds(to, us);
}

int
line_write_reply(struct buf *out, const struct reply *reply)
{
	const struct decision *decision = &reply->decision;
	char *room = buf_room(out, REPLY_MAX);
	char *to = room;

	if (!room)
		return -1;
	to = put(to, decision->allowed ? "ALLOW limit=" : "DENY limit=");
	to = put(to, reply->limit ? reply->limit->name : "-");
	to = put_int(to, " level=", decision->level);
	to = put_int(
	    to, " capacity=", reply->limit ? reply->limit->capacity : 0);
	to = put_seconds(to, " next=", decision->next_us);
	to = put_seconds(to, " retry=", decision->retry_us);
	to = put_seconds(to, " blocked=", decision->blocked_us);
	to = put(to, " from=");
	to = put(to, from_name(reply->from));
	to = put(to, reply->shadow_deny ? " shadow=deny\n" : "\n");
	buf_grow(out, (size_t)(to - room));
	return 0;
}

const char *
verb_name(enum verb verb)
{
	return verbs[verb].name;
}

const char *
from_name(enum from from)
{
	static const char *const names[] = {
	    [FROM_NONE] = "none",
	    [FROM_MEMORY] = "memory",
	    [FROM_REDIS] = "redis",
	    [FROM_DENYCACHE] = "denycache",
	    [FROM_FALLBACK] = "fallback",
	};

	return names[from];
}
