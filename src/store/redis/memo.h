/**
 * memo: what Redis remembers under the id of a step, see lua/plan.lua.
 * Pure.
 */
#ifndef STORE_REDIS_MEMO_H
#define STORE_REDIS_MEMO_H

#include "base/buf.h"
#include "store/mates.h"
#include "store/redis/key_secrets.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/** Longest name of one, without the prefix and the tag. */
#define MEMO_NAME_MAX KEY_NAMED_MAX

/** Append the names of the memo of ${first}, which has an id: the one to write
 * under first, then its older ones.  They are made of the key and the id by
 * ${names}, or, if that is NULL, are both.  Return 0, or -1: out of memory. */
int memo_add_names(
    struct query *first, struct key_names *names, struct buf *to) MUST_USE;

/** What a step was when its id came first. */
struct memo {
	bool passed;
	struct mate_bucket buckets[MATES_MAX]; /* before */
	int64_t got[MATES_MAX];                /* as mates_settle() */
};

enum memo_result {
	MEMO_READ,
	MEMO_OTHER,   /* the step was another one */
	MEMO_STRANGE, /* it is no memo */
};

/** Read the memo of ${first}.  A bucket whose text the algorithm does not read,
 * since its limit has another one now, is an empty one. */
enum memo_result memo_read(struct memo *memo, const struct query *first,
    const char *text, size_t len) MUST_USE;

#endif
