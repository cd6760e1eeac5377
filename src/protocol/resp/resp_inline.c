#include "protocol/resp/resp_inline.h"

#include "base/attr.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	bool tells; /* no other protocol has it */
} commands[] = {
    {"HELLO", true},
    {"AUTH", false},
    {"PING", false},
};

static bool
resp_inline_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Whether the bytes start with the word ${name}, in any case. */
static enum resp_result
resp_inline_compare(const char *bytes, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	if (strncasecmp(bytes, name, len < name_len ? len : name_len) != 0)
		return RESP_BAD;
	if (len <= name_len)
		return RESP_MORE;
	return resp_inline_is_blank(bytes[name_len]) ? RESP_COMMAND : RESP_BAD;
}

/* Whether the bytes start with one of the commands or, if ${telling}, with one
 * that shows which protocol it is. */
static enum resp_result
resp_inline_find(const char *bytes, size_t len, bool telling)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		enum resp_result result;

		if (telling && !commands[i].tells)
			continue;
		result = resp_inline_compare(bytes, len, commands[i].name);
		if (result != RESP_BAD)
			return result;
	}
	return RESP_BAD;
}

enum resp_result
resp_inline_detect(const char *bytes, size_t len)
{
	enum resp_result result = resp_inline_find(bytes, len, true);
	const char *end = memchr(bytes, '\n', len);

	if (result != RESP_BAD)
		return result;
	result = resp_inline_compare(bytes, len, "AUTH");
	if (result != RESP_COMMAND)
		return result;
	if (!end)
		return len < RESP_INLINE_MAX ? RESP_MORE : RESP_BAD;
	return end[-1] == '\r' ? RESP_COMMAND : RESP_BAD;
}

/* Note where the words of a line of ${len} bytes are. */
static enum resp_result
resp_inline_split(struct resp_reader *reader, const char *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t start = at;

		while (at < len && !resp_inline_is_blank(bytes[at]))
			at++;
		if (at == start) {
			at++;
			continue;
		}
		if (reader->count == RESP_WORDS_MAX) {
			reader->count = 0;
			return RESP_BAD;
		}
		reader->start[reader->count] = (uint16_t)start;
		reader->len[reader->count++] = (uint16_t)(at - start);
	}
	reader->have = reader->count;
	reader->at = (uint16_t)len;
	return RESP_COMMAND;
}

enum resp_result
resp_inline_read(struct resp_reader *reader, const char *bytes, size_t len)
{
	enum resp_result result = resp_inline_find(bytes, len, false);
	const char *end;

	if (result != RESP_COMMAND)
		return result;
	end =
	    memchr(bytes, '\n', len < RESP_INLINE_MAX ? len : RESP_INLINE_MAX);
	if (!end)
		return len < RESP_INLINE_MAX ? RESP_MORE : RESP_BAD;
	return resp_inline_split(reader, bytes, (size_t)(end + 1 - bytes));
}
