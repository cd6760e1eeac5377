/*
 * Reads RESP: finds where a command and its words start and end.  Invariant:
 * reader->at never goes back; all bytes before it were looked at and are well
 * formed.  The heart: resp_read().
 */
#include "protocol/resp/resp.h"

#include "protocol/resp/resp_inline.h"

#include "base/num.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Refuse a "*64\r\n" or "$4096\r\n" that is longer: Redis accepts zeros in
 * front, but no client sends that many. */
#define HEADER_MAX 32

static enum resp_result
resp_bad(char *why, const char *text)
{
	snprintf(why, RESP_WHY_MAX, "ERR Protocol error: %s", text);
	return RESP_BAD;
}

static enum resp_result
resp_unexpected(char *why, char expected, char got)
{
	unsigned char c = (unsigned char)got;

	snprintf(why, RESP_WHY_MAX,
	    c > ' ' && c <= '~'
		? "ERR Protocol error: expected '%c', got '%c'"
		: "ERR Protocol error: expected '%c', got 0x%02x",
	    expected, c);
	return RESP_BAD;
}

/* A line of the protocol: what it starts with, and the number behind that. */
struct header {
	char type;
	int64_t max;
	const char *invalid; /* the error for a bad number */
};

static const struct header command_header = {
    '*', RESP_WORDS_MAX, "invalid multibulk length"};
static const struct header word_header = {
    '$', RESP_WORD_MAX, "invalid bulk length"};

/* One call of resp_read(). */
struct reading {
	struct resp_reader *reader;
	const char *bytes;
	size_t len;
	char *why; /* RESP_BAD: the error */
};

/* Most numbers have one digit. */
static bool
resp_has_one_digit(const char *start, size_t left)
{
	return left >= 4 && start[1] >= '0' && start[1] <= '9' &&
	       start[2] == '\r' && start[3] == '\n';
}

/* Read the header at reader->at, go behind it; RESP_COMMAND if it is whole. */
static enum resp_result
resp_read_header(
    const struct reading *reading, const struct header *header, int64_t *value)
{
	struct resp_reader *reader = reading->reader;
	const char *start = reading->bytes + reader->at;
	size_t left = reading->len - reader->at;
	const char *end;

	if (left == 0)
		return RESP_MORE;
	if (*start != header->type)
		return resp_unexpected(reading->why, header->type, *start);
	if (resp_has_one_digit(start, left)) {
		*value = start[1] - '0';
		reader->at = (uint16_t)(reader->at + 4);
		return RESP_COMMAND;
	}
	end = memchr(start, '\n', left < HEADER_MAX ? left : HEADER_MAX);
	if (!end && left < HEADER_MAX)
		return RESP_MORE;
	if (!end || end[-1] != '\r' ||
	    num_read_int(start + 1, (size_t)(end - start - 2), INT32_MIN,
		header->max, value) == -1)
		return resp_bad(reading->why, header->invalid);
	reader->at = (uint16_t)(end + 1 - reading->bytes);
	return RESP_COMMAND;
}

/* Read the number of words.  A command of none, or fewer, is ignored, and also
 * an empty line: redis-cli sends one after what was piped through it. */
static enum resp_result
resp_read_count(const struct reading *reading)
{
	struct resp_reader *reader = reading->reader;
	const char *bytes = reading->bytes;
	int64_t count = 0;
	enum resp_result result;

	if (*bytes == '\r' && (reading->len == 1 || bytes[1] == '\n')) {
		reader->at = reading->len == 1 ? 0 : 2;
		return reading->len == 1 ? RESP_MORE : RESP_COMMAND;
	}
	if (*bytes != command_header.type) {
		result = resp_inline_read(reader, bytes, reading->len);
		if (result != RESP_BAD)
			return result;
	}
	result = resp_read_header(reading, &command_header, &count);
	if (result == RESP_COMMAND && count > 0)
		reader->count = (uint16_t)count;
	return result;
}

static enum resp_result
resp_read_word_len(const struct reading *reading)
{
	struct resp_reader *reader = reading->reader;
	int64_t len = 0;
	enum resp_result result = resp_read_header(reading, &word_header, &len);

	if (result != RESP_COMMAND)
		return result;
	if (len < 0)
		return resp_bad(reading->why, word_header.invalid);
	if (reader->at + (size_t)len + 2 > RESP_COMMAND_MAX)
		return resp_bad(
		    reading->why, "a command is at most 16384 bytes");
	reader->start[reader->have] = reader->at;
	reader->len[reader->have] = (uint16_t)len;
	reader->in_word = true;
	return RESP_COMMAND;
}

static enum resp_result
resp_read_word(const struct reading *reading)
{
	struct resp_reader *reader = reading->reader;
	size_t end;

	if (!reader->in_word) {
		enum resp_result result = resp_read_word_len(reading);

		if (result != RESP_COMMAND)
			return result;
	}
	end = (size_t)reader->at + reader->len[reader->have];
	if (reading->len < end + 2)
		return RESP_MORE;
	if (memcmp(reading->bytes + end, "\r\n", 2) != 0)
		return resp_bad(reading->why, "a bulk is longer than it says");
	reader->at = (uint16_t)(end + 2);
	reader->in_word = false;
	reader->have++;
	return RESP_COMMAND;
}

static void
resp_finish(struct resp_reader *reader, const char *bytes, size_t *used,
    struct resp_command *command)
{
	command->count = reader->count;
	for (size_t i = 0; i < reader->count; i++)
		command->words[i] = (struct resp_word){
		    bytes + reader->start[i], reader->len[i]};
	*used = reader->at;
	reader->at = reader->count = reader->have = 0;
}

enum resp_result
resp_read(struct resp_reader *reader, const char *bytes, size_t len,
    size_t *used, struct resp_command *command)
{
	const struct reading reading = {reader, bytes, len, command->why};
	enum resp_result result = RESP_COMMAND;

	*used = 0;
	if (len == 0)
		return RESP_MORE; /* ${bytes} may be NULL */
	assert(len >= reader->at);
	if (reader->count == 0)
		result = resp_read_count(&reading);
	while (result == RESP_COMMAND && reader->have < reader->count)
		result = resp_read_word(&reading);
	if (result == RESP_COMMAND)
		resp_finish(reader, bytes, used, command);
	if (result == RESP_BAD)
		*used = len;
	return result;
}

bool
resp_word_is(const struct resp_word *word, const char *text)
{
	return word->len == strlen(text) &&
	       strncasecmp(word->bytes, text, word->len) == 0;
}
