/**
 * members: what a sorted set of limits holds, as bytes and in order.
 *
 * What the bytes say does not matter here.  A list never changes once it is
 * made, so that a master's can be shared by all slaves.  One thread.  Does no
 * I/O.
 */
#ifndef CONTROL_MEMBERS_H
#define CONTROL_MEMBERS_H

#include "base/attr.h"
#include "redis/reply_guard.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

/** Most members, and most bytes of them: what a reply with their scores has
 * room for. */
#define MEMBERS_MAX	  (REPLY_MAX_ELEMENTS / 2)
#define MEMBERS_BYTES_MAX ((size_t)4 << 20)

/** Scores go up by this. */
#define MEMBERS_SCORE_STEP 10

struct member {
	const char *bytes;
	size_t len;
};

struct members;

/** What ZRANGE answered, without scores.  NULL with errno: EINVAL (that is no
 * such answer), EFBIG, ENOMEM. */
struct members *members_new(const redisReply *reply) MUST_USE;

/** One user more; return ${members}. */
struct members *members_ref(struct members *members);

/** One user, or NULL, less; the last one frees it. */
void members_unref(struct members *members);

size_t members_count(const struct members *members);
const struct member *members_at(const struct members *members, size_t index);

bool members_has(const struct members *members, const char *bytes, size_t len);

/** Whether ${reply} is what ZRANGE answers, with scores. */
bool members_is_answer(const redisReply *reply);

/** Whether such an answer says that exactly these members are there, in this
 * order, with the scores 10, 20, 30... */
bool members_equal(const struct members *members, const redisReply *reply);

#endif
