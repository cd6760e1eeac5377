/*
 * Job: copies a reply's members into one block of bytes, and searches them.
 * Invariant: ${items} and ${sorted} point at the same bytes; neither changes
 * after members_fill().
 * Heart: members_fill().
 */
#include "control/members.h"

#include "base/num.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct members {
	unsigned references;
	size_t count;
	char *bytes;           /* of all members, one after the other */
	struct member *items;  /* in the order of their scores */
	struct member *sorted; /* the same, in the order of their bytes */
};

static int
members_compare(const void *a, const void *b)
{
	const struct member *left = a, *right = b;
	size_t len = left->len < right->len ? left->len : right->len;
	int result = len ? memcmp(left->bytes, right->bytes, len) : 0;

	if (result)
		return result;
	return (left->len > right->len) - (left->len < right->len);
}

/* Add up the lengths of an array of strings.  Return 0, or -1 with errno. */
static int
members_measure(const redisReply *reply, size_t *bytes)
{
	*bytes = 0;
	errno = EINVAL;
	if (reply->type != REDIS_REPLY_ARRAY)
		return -1;
	for (size_t i = 0; i < reply->elements; i++) {
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return -1;
		*bytes += reply->element[i]->len;
	}
	errno = EFBIG;
	return reply->elements > MEMBERS_MAX || *bytes > MEMBERS_BYTES_MAX ? -1
									   : 0;
}

static void
members_fill(struct members *members, const redisReply *reply)
{
	char *to = members->bytes;

	members->count = reply->elements;
	for (size_t i = 0; i < members->count; i++) {
		size_t len = reply->element[i]->len;

		memcpy(to, reply->element[i]->str, len);
		members->items[i] = (struct member){to, len};
		members->sorted[i] = members->items[i];
		to += len;
	}
	qsort(members->sorted, members->count, sizeof(*members->sorted),
	    members_compare);
}

struct members *
members_new(const redisReply *reply)
{
	struct members *members;
	size_t bytes;

	if (members_measure(reply, &bytes) == -1)
		return NULL;
	members = calloc(1, sizeof(*members));
	if (!members)
		return NULL;
	members->references = 1;
	members->bytes = malloc(bytes + 1);
	members->items = calloc(reply->elements + 1, sizeof(*members->items));
	members->sorted = calloc(reply->elements + 1, sizeof(*members->sorted));
	if (!members->bytes || !members->items || !members->sorted) {
		members_unref(members);
		errno = ENOMEM;
		return NULL;
	}
	members_fill(members, reply);
	return members;
}

struct members *
members_ref(struct members *members)
{
	members->references++;
	return members;
}

void
members_unref(struct members *members)
{
	if (!members || --members->references > 0)
		return;
	free(members->bytes);
	free(members->items);
	free(members->sorted);
	free(members);
}

size_t
members_count(const struct members *members)
{
	return members->count;
}

const struct member *
members_at(const struct members *members, size_t index)
{
	return &members->items[index];
}

bool
members_has(const struct members *members, const char *bytes, size_t len)
{
	const struct member wanted = {bytes, len};

	return bsearch(&wanted, members->sorted, members->count, sizeof(wanted),
		   members_compare) != NULL;
}

bool
members_is_reply(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return true;
}

static bool
members_is_text(const redisReply *reply, const char *bytes, size_t len)
{
	return reply->len == len &&
	       (len == 0 || memcmp(reply->str, bytes, len) == 0);
}

bool
members_equal(const struct members *members, const redisReply *reply)
{
	if (reply->elements != 2 * members->count)
		return false;
	for (size_t i = 0; i < members->count; i++) {
		const struct member *member = &members->items[i];
		int64_t score = (int64_t)(i + 1) * MEMBERS_SCORE_STEP;
		char text[NUM_MAX_LEN];
		size_t len = num_write_int(text, score);

		if (!members_is_text(
			reply->element[2 * i], member->bytes, member->len) ||
		    !members_is_text(reply->element[2 * i + 1], text, len))
			return false;
	}
	return true;
}

/* Whether the hash has this field with this value. */
static bool
members_has_field(const struct members *hash, const struct member pair[2])
{
	for (size_t i = 0; i + 1 < hash->count; i += 2)
		if (members_compare(&hash->items[i], &pair[0]) == 0)
			return members_compare(&hash->items[i + 1], &pair[1]) ==
			       0;
	return false;
}

bool
members_equal_hash(const struct members *a, const struct members *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i + 1 < a->count; i += 2)
		if (!members_has_field(b, &a->items[i]))
			return false;
	return true;
}
