#include "control/saved_overrides.h"

#include "base/num.h"

#include <string.h>

#define SAVED     "saved "
#define SAVED_LEN (sizeof(SAVED) - 1)

static int
saved_overrides_add(struct buf *text, const struct override_line *line)
{
	if (line->left_us < 0)
		return 0;
	if (buf_printf(text, "%lld %zu %zu\n", (long long)line->left_us,
		line->pattern_len, line->len) == -1 ||
	    buf_add(text, line->pattern, line->pattern_len) == -1 ||
	    buf_add(text, "\n", 1) == -1 ||
	    buf_add(text, line->value, line->len) == -1)
		return -1;
	return buf_add(text, "\n", 1);
}

int
saved_overrides_write(struct buf *text, int64_t now_us,
    const struct override_line *lines, size_t count)
{
	if (buf_printf(text, SAVED "%lld\n", (long long)now_us) == -1)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (saved_overrides_add(text, &lines[i]) == -1)
			return -1;
	return 0;
}

/* What is left to be read. */
struct saved_rest {
	const char *at, *end;
};

/* Take a number, and the byte ${c} behind it, off the front. */
static int
saved_overrides_take_number(struct saved_rest *rest, char c, int64_t *number)
{
	const char *end = memchr(rest->at, c, (size_t)(rest->end - rest->at));

	if (!end || num_read_int(rest->at, (size_t)(end - rest->at), 0,
			LIMIT_SPAN_MAX, number) == -1)
		return -1;
	rest->at = end + 1;
	return 0;
}

/* Take ${len} bytes, and the end of the line behind them. */
static const char *
saved_overrides_take(struct saved_rest *rest, int64_t len)
{
	const char *bytes = rest->at;

	if (len >= rest->end - rest->at || bytes[len] != '\n')
		return NULL;
	rest->at += len + 1;
	return bytes;
}

static int
saved_overrides_take_one(struct saved_rest *rest, struct override_line *line)
{
	int64_t pattern_len, len;

	if (saved_overrides_take_number(rest, ' ', &line->left_us) == -1 ||
	    saved_overrides_take_number(rest, ' ', &pattern_len) == -1 ||
	    saved_overrides_take_number(rest, '\n', &len) == -1)
		return -1;
	line->pattern = saved_overrides_take(rest, pattern_len);
	line->pattern_len = (size_t)pattern_len;
	line->value = line->pattern ? saved_overrides_take(rest, len) : NULL;
	line->len = (size_t)len;
	return line->value ? 0 : -1;
}

int
saved_overrides_read(const char *text, size_t len, int64_t now_us,
    struct override_line *lines, size_t *count)
{
	struct saved_rest rest = {text, text + len};
	struct override_line line;
	int64_t saved_us, passed_us;

	*count = 0;
	if (len < SAVED_LEN || memcmp(text, SAVED, SAVED_LEN) != 0)
		return -1;
	rest.at += SAVED_LEN;
	if (saved_overrides_take_number(&rest, '\n', &saved_us) == -1)
		return -1;
	passed_us = now_us > saved_us ? now_us - saved_us : 0;
	while (rest.at < rest.end) {
		if (*count == OVERRIDES_MAX ||
		    saved_overrides_take_one(&rest, &line) == -1)
			return -1;
		line.left_us -= passed_us;
		if (line.left_us > 0)
			lines[(*count)++] = line;
	}
	return 0;
}
