/**
 * members: the members of a sorted set of limits, as bytes, in the order of
 * their scores; or the fields and values of a hash, of overrides.
 *
 * Their meaning does not matter here.  A list is immutable, so that all targets
 * share the master's.  One thread.  Does no I/O.
 */
#ifndef CONTROL_MEMBERS_H
#define CONTROL_MEMBERS_H

#include "base/attr.h"
#include "redis/reply_guard.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

/** Most members, and most bytes of all: a reply with their scores holds no
 * more. */
#define MEMBERS_MAX       (REPLY_MAX_ELEMENTS / 2)
#define MEMBERS_BYTES_MAX ((size_t)4 << 20)

/** From one score to the next. */
#define MEMBERS_SCORE_STEP 10

struct member {
	const char *bytes;
	size_t len;
};

struct members;

/** Make a list, with one reference, of a reply to ZRANGE without scores, or to
 * HGETALL.  NULL
 * with errno: EINVAL (not such a reply), EFBIG, ENOMEM. */
struct members *members_new(const redisReply *reply) MUST_USE;

/** Take another reference; return ${members}. */
struct members *members_ref(struct members *members);

/** Release a reference, or NULL; the last one frees the list. */
void members_unref(struct members *members);

size_t members_count(const struct members *members);
const struct member *members_at(const struct members *members, size_t index);

bool members_has(const struct members *members, const char *bytes, size_t len);

/** Whether ${reply} is a reply to ZRANGE with scores. */
bool members_is_reply(const redisReply *reply);

/** Whether such a reply lists exactly these members, in this order, with the
 * scores 10, 20, 30... */
bool members_equal(const struct members *members, const redisReply *reply);

/** Whether two lists, each of a hash, have the same fields with the same
 * values, in whatever order. */
bool members_equal_hash(const struct members *a, const struct members *b);

#endif
