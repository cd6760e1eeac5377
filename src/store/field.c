#include "store/field.h"

#include <string.h>

/* What a double still counts up to, one by one. */
#define LARGEST ((INT64_C(1) << 53) - 1)

/* Read the digits at the front of what is left, any number of leading zeros
 * among them. */
static bool
take_number(const char **at, const char *end, int64_t *number)
{
	const char *start = *at;
	int64_t value = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		value = value * 10 + (**at - '0');
		if (value > LARGEST)
			return false;
	}
	*number = value;
	return *at > start;
}

static bool
take_blank(const char **at, const char *end)
{
	if (*at == end || **at != ' ')
		return false;
	++*at;
	return true;
}

/* The end of window ${number}; one so far ahead that it cannot be told is as
 * good as any other that is ahead. */
static int64_t
window_end(const struct limit *limit, int64_t number)
{
	if (number + 1 > (LARGEST + 1) / limit->window_us)
		return LARGEST + 1;
	return (number + 1) * limit->window_us;
}

bool
field_read(const struct limit *limit, const char *text, size_t len,
    struct bucket *bucket)
{
	bool is_window = limit->algorithm == ALGORITHM_FIXED_WINDOW;
	const char *at = text, *end = text + len;
	int64_t first, second = 0;

	if (!take_number(&at, end, &first))
		return false;
	/* The second number is the leaky bucket's to leave out. */
	if (at < end || is_window) {
		if (!take_blank(&at, end) || !take_number(&at, end, &second))
			return false;
	}
	if (at < end)
		return false;
	if (is_window)
		*bucket = (struct bucket){window_end(limit, first), -second};
	else
		*bucket = (struct bucket){first, second};
	return true;
}

size_t
field_hash_name(const char *prefix, const struct limit *limit, char *to)
{
	size_t prefix_len = strlen(prefix), name_len = strlen(limit->name);
	size_t len = prefix_len + name_len;

	memcpy(to, prefix, prefix_len);
	memcpy(to + prefix_len, limit->name, name_len);
	if (limit->algorithm == ALGORITHM_FIXED_WINDOW) {
		memcpy(to + len, ":w", 2);
		len += 2;
	}
	to[len] = '\0';
	return len;
}
