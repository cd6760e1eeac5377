/**
 * key_parts: what each * of a limit's match, or each group of its regular
 * expression, stands for in a key.
 */
#ifndef LIMIT_KEY_PARTS_H
#define LIMIT_KEY_PARTS_H

#include "limit/glob.h"
#include "limit/rules.h"

/** $0 to $9 */
#define KEY_PARTS_MAX 10

/** The first is the whole key; what is missing is empty. */
struct key_parts {
	struct glob_part of[KEY_PARTS_MAX];
};

/** How many * or groups the match of the limit has. */
unsigned key_parts_count(const struct limit *limit);

/** Set ${parts} to those of ${key}, which ${limit} matches; they are borrowed
 * from it. */
void key_parts_find(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct key_parts *parts);

#endif
