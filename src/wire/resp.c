#include "wire/resp.h"

#include "base/num.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Longest "*64\r\n" or "$4096\r\n" that is waited for the end of: Redis takes
 * zeros in front, and so many of them are nobody's. */
#define HEADER_MAX 32

static enum resp_result
bad(char *why, const char *text)
{
	snprintf(why, RESP_WHY_MAX, "ERR Protocol error: %s", text);
	return RESP_BAD;
}

static enum resp_result
unexpected(char *why, char expected, char got)
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
	const char *invalid; /* the complaint about the number */
};

static const struct header command_header = {
    '*', RESP_WORDS_MAX, "invalid multibulk length"};
static const struct header word_header = {
    '$', RESP_WORD_MAX, "invalid bulk length"};

/* Read the header at reader->at, go behind it; RESP_COMMAND if it is whole. */
static enum resp_result
read_header(struct resp_reader *reader, const char *bytes, size_t len,
    const struct header *header, int64_t *value, char *why)
{
	const char *start = bytes + reader->at;
	size_t left = len - reader->at;
	const char *end;

	if (left == 0)
		return RESP_MORE;
	if (*start != header->type)
		return unexpected(why, header->type, *start);
	end = memchr(start, '\n', left < HEADER_MAX ? left : HEADER_MAX);
	if (!end && left < HEADER_MAX)
		return RESP_MORE;
	if (!end || end[-1] != '\r' ||
	    num_read_int(start + 1, (size_t)(end - start - 2), INT32_MIN,
		header->max, value) == -1)
		return bad(why, header->invalid);
	reader->at = (uint16_t)(end + 1 - bytes);
	return RESP_COMMAND;
}

/* Read how many words there are; none, or fewer, is a command to be ignored. So
 * is an empty line: redis-cli sends one after what was piped through it. */
static enum resp_result
read_count(struct resp_reader *reader, const char *bytes, size_t len, char *why)
{
	int64_t count = 0;
	enum resp_result result;

	if (*bytes == '\r' && (len == 1 || bytes[1] == '\n')) {
		reader->at = len == 1 ? 0 : 2;
		return len == 1 ? RESP_MORE : RESP_COMMAND;
	}
	result = read_header(reader, bytes, len, &command_header, &count, why);
	if (result == RESP_COMMAND && count > 0)
		reader->count = (uint16_t)count;
	return result;
}

static enum resp_result
read_word(struct resp_reader *reader, const char *bytes, size_t len, char *why)
{
	int64_t word_len = 0;
	size_t end;

	if (!reader->in_word) {
		enum resp_result result = read_header(
		    reader, bytes, len, &word_header, &word_len, why);

		if (result != RESP_COMMAND)
			return result;
		if (word_len < 0)
			return bad(why, word_header.invalid);
		if (reader->at + (size_t)word_len + 2 > RESP_COMMAND_MAX)
			return bad(why, "a command is at most 16384 bytes");
		reader->start[reader->have] = reader->at;
		reader->len[reader->have] = (uint16_t)word_len;
		reader->in_word = true;
	}
	end = (size_t)reader->at + reader->len[reader->have];
	if (len < end + 2)
		return RESP_MORE;
	if (memcmp(bytes + end, "\r\n", 2) != 0)
		return bad(why, "a bulk is longer than it says");
	reader->at = (uint16_t)(end + 2);
	reader->in_word = false;
	reader->have++;
	return RESP_COMMAND;
}

static void
finish(struct resp_reader *reader, const char *bytes, size_t *used,
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
    size_t *used, struct resp_command *command, char why[RESP_WHY_MAX])
{
	enum resp_result result = RESP_COMMAND;

	*used = 0;
	if (len == 0)
		return RESP_MORE; /* ${bytes} may be NULL */
	assert(len >= reader->at);
	if (reader->count == 0)
		result = read_count(reader, bytes, len, why);
	while (result == RESP_COMMAND && reader->have < reader->count)
		result = read_word(reader, bytes, len, why);
	if (result == RESP_COMMAND)
		finish(reader, bytes, used, command);
	if (result == RESP_BAD)
		*used = len;
	return result;
}
