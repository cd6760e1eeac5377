#include "cli/history_text.h"

#include "base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Most members of a set, also of one that something else put in the key. */
#define MEMBERS_MAX 10000

/* Take ${len} bytes up to ${end} off the text, and that.  Return them; NULL: it
 * is not there. */
static const char *
history_text_take(const char **at, size_t *left, char end, size_t *len)
{
	const char *start = *at;
	const char *found = memchr(start, end, *left);

	if (!found)
		return NULL;
	*len = (size_t)(found - start);
	*at = found + 1;
	*left -= *len + 1;
	return start;
}

static int
history_text_take_int(
    const char **at, size_t *left, char end, int64_t max, int64_t *value)
{
	size_t len;
	const char *text = history_text_take(at, left, end, &len);

	return text ? num_read_int(text, len, 0, max, value) : -1;
}

int
history_text_read_about(
    struct history_about *about, const char *bytes, size_t len)
{
	const char *at = bytes, *digest;
	size_t left = len, digest_len;

	*about = (struct history_about){0};
	if (history_text_take_int(
		&at, &left, ' ', INT64_C(1) << 40, &about->time) == -1 ||
	    history_text_take_int(
		&at, &left, ' ', MEMBERS_MAX, &about->count) == -1)
		return -1;
	digest = history_text_take(&at, &left, '\n', &digest_len);
	if (!digest || digest_len != HISTORY_DIGEST_LEN ||
	    memchr(digest, '\0', digest_len))
		return -1;
	memcpy(about->digest, digest, digest_len);
	about->author = history_text_take(&at, &left, '\n', &about->author_len);
	if (!about->author)
		return -1;
	about->message = at;
	about->message_len = left;
	return 0;
}

/* Take the next member off the text.  Return 0, or -1. */
static int
history_text_take_member(const char **at, size_t *left, struct rules_line *line)
{
	int64_t len;

	if (history_text_take_int(at, left, ':', INT64_C(1) << 30, &len) ==
		-1 ||
	    (size_t)len > *left)
		return -1;
	*line = (struct rules_line){*at, (size_t)len};
	*at += len;
	*left -= (size_t)len;
	return 0;
}

int
history_text_read_set(
    const char *bytes, size_t len, struct rules_line **lines, size_t *count)
{
	/* A member takes two bytes at least, "0:". */
	size_t most = len / 2 < MEMBERS_MAX ? len / 2 : MEMBERS_MAX;

	*count = 0;
	*lines = calloc(most + 1, sizeof(**lines));
	if (!*lines)
		return -1;
	while (len > 0) {
		if (*count == most || history_text_take_member(&bytes, &len,
					  &(*lines)[*count]) == -1) {
			free(*lines);
			*lines = NULL;
			errno = EINVAL;
			return -1;
		}
		++*count;
	}
	return 0;
}
