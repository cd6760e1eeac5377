#include "store/redis/memo.h"

#include "base/num.h"
#include "limit/algorithm.h"
#include "store/redis/op_text.h"

#include <string.h>

/* No id has a blank, so that no two pairs of key and id have one name. */
static size_t
memo_write_name(const struct query *first, char to[MEMO_NAME_MAX])
{
	const struct once *once = first->once;
	const size_t len = first->key.len;

	memcpy(to, first->key.bytes, len);
	to[len] = ' ';
	memcpy(to + len + 1, once->id, once->len);
	return len + 1 + once->len;
}

int
memo_add_names(struct query *first, struct key_names *names, struct buf *to)
{
	char name[MEMO_NAME_MAX];
	size_t len = memo_write_name(first, name);

	first->once->name_at = (uint32_t)buf_len(to);
	first->once->name_len = (uint16_t)(names ? KEY_NAME_LEN : len);
	return names ? key_names_add(names, "", name, len, to)
		     : buf_add(to, name, len);
}

/* Whether the line says what ${first} and its mates ask. */
static bool
memo_is_about(const struct query *first, const char *line, size_t len)
{
	char asked[MATES_MAX * (NUM_MAX_LEN + 2)];
	size_t used = 0;

	for (; first; first = first->mate) {
		if (used > 0)
			asked[used++] = ' ';
		used += op_text_write_asked(asked + used, first);
	}
	return used == len && memcmp(asked, line, len) == 0;
}

/* Take the next line off the text. */
static bool
memo_next_line(const char **at, const char *end, const char **line, size_t *len)
{
	const char *stop;

	if (*at > end)
		return false;
	stop = memchr(*at, '\n', (size_t)(end - *at));
	*line = *at;
	*len = (size_t)((stop ? stop : end) - *at);
	*at += *len + 1;
	return true;
}

/* "TIME PASSED" */
static bool
memo_read_head(struct memo *memo, const char *line, size_t len, int64_t *at_us)
{
	int64_t numbers[3];

	if (bucket_read_numbers(line, len, numbers, COUNT(numbers)) != 2)
		return false;
	*at_us = numbers[0];
	memo->passed = numbers[1] > 0;
	return true;
}

/* "GOT TEXT" */
static bool
memo_read_part(const struct query *query, const char *line, size_t len,
    struct mate_bucket *to, int64_t *got)
{
	const char *end = line + len;

	if (!bucket_take_number(&line, end, got) || line == end ||
	    *line++ != ' ')
		return false;
	to->bucket = (struct bucket){0};
	if (line < end)
		(void)query->limit->algorithm->read(
		    query->limit, line, (size_t)(end - line), &to->bucket);
	return true;
}

enum memo_result
memo_read(
    struct memo *memo, const struct query *first, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *line, *asked;
	size_t asked_len, size;
	int64_t at_us;

	if (!memo_next_line(&at, end, &asked, &asked_len) ||
	    !memo_next_line(&at, end, &line, &size) ||
	    !memo_read_head(memo, line, size, &at_us))
		return MEMO_STRANGE;
	if (!memo_is_about(first, asked, asked_len))
		return MEMO_OTHER;
	for (unsigned i = 0; first; first = first->mate, i++) {
		memo->buckets[i].now_us = at_us;
		if (!memo_next_line(&at, end, &line, &size) ||
		    !memo_read_part(
			first, line, size, &memo->buckets[i], &memo->got[i]))
			return MEMO_STRANGE;
	}
	return MEMO_READ;
}
