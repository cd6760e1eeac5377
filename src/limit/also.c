/*
 * Job: reads and writes the keys that a limit charges with its own.
 * Invariant: limit->also is a list with commas, each item of which is right.
 * The heart: also_write_key().
 */
#include "limit/also.h"

#include "limit/key_parts.h"

#include <stdlib.h>
#include <string.h>

/* The number behind the $ at ${at}; -1: it is $$; -2: it is none of these. */
static int
also_part_at(const char *at)
{
	if (at[1] == '$')
		return -1;
	return at[1] >= '0' && at[1] <= '9' ? at[1] - '0' : -2;
}

static int
also_check_key(const char *key, size_t len, struct limit_error *error)
{
	for (const char *at = key;
	     (at = memchr(at, '$', len - (size_t)(at - key))); at += 2) {
		if (also_part_at(at) == -2)
			return word_fail(error, "also: a $ is followed by a "
						"digit, or by another $");
	}
	if (len == 2 && strncmp(key, "$0", 2) == 0)
		return word_fail(error, "also: $0 alone is the key itself");
	return 0;
}

int
also_set(struct limit *limit, const char *value, struct limit_error *error)
{
	const char *list, *item;
	unsigned count;
	size_t len;

	limit->also = strdup(value);
	if (!limit->also)
		return word_fail(error, "out of memory");
	word_join_list(limit->also);
	for (list = limit->also; word_next(&list, &item, &len);)
		if (also_check_key(item, len, error) == -1)
			return -1;
	count = also_count(limit);
	if (count < 1 || count > ALSO_MAX)
		return word_fail(error, "also names 1 to %d keys", ALSO_MAX);
	return 0;
}

unsigned
also_count(const struct limit *limit)
{
	const char *list = limit->also, *item;
	unsigned count = 0;
	size_t len;

	while (list && word_next(&list, &item, &len))
		count++;
	return count;
}

const char *
also_get(const struct limit *limit, char text[WORD_TEXT_MAX])
{
	(void)text;
	return limit->also;
}

int
also_check(const struct limit *limit, struct limit_error *error)
{
	const char *at = limit->also;
	unsigned parts;

	/* What is wrong with a pattern was said: there is none then. */
	if (!at || (!limit->literal && !limit->regex))
		return 0;
	parts = key_parts_count(limit);
	/* One that was refused may end in a $. */
	for (; (at = strchr(at, '$')); at += at[1] ? 2 : 1)
		if (also_part_at(at) > (int)parts)
			return word_fail(error,
			    "also: there is no $%d: match has %u %s",
			    also_part_at(at), parts,
			    limit->kind == MATCH_REGEX ? "groups" : "*");
	return 0;
}

static int
also_add(struct also_key *key, const char *bytes, size_t len)
{
	if (len > sizeof(key->bytes) - key->len)
		return -1;
	if (len > 0)
		memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
	return 0;
}

/* Write the key that ${len} bytes of ${item} say. */
static int
also_write_key(const char *item, size_t len, const struct key_parts *parts,
    struct also_key *key)
{
	const char *end = item + len;
	int result = 0;

	key->len = 0;
	while (item < end && result == 0) {
		const struct glob_part *part;

		if (*item != '$' || item[1] == '$') {
			result = also_add(key, item, 1);
			item += *item == '$' ? 2 : 1;
			continue;
		}
		part = &parts->of[also_part_at(item)];
		result = also_add(key, part->bytes, part->len);
		item += 2;
	}
	return key->len == 0 ? -1 : result;
}

int
also_write_keys(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct also_key *keys)
{
	const char *list = limit->also, *item;
	struct key_parts parts;
	int count = 0;
	size_t len;

	key_parts_find(limit, key, scratch, &parts);
	while (word_next(&list, &item, &len))
		if (also_write_key(item, len, &parts, &keys[count++]) == -1)
			return -1;
	return count;
}
