/**
 * also: the other keys that a limit charges: "also = daily:$0 tenant:all".
 *
 * $0 is the key; $1 to $9 what each * of the limit's match, or each group of
 * its regular expression, matched; $$ is a $.
 */
#ifndef LIMIT_ALSO_H
#define LIMIT_ALSO_H

#include "limit/key.h"
#include "limit/rules.h"
#include "limit/word.h"

#include <stddef.h>

/** Most keys of a limit. */
#define ALSO_MAX 15

struct also_key {
	size_t len;
	char bytes[KEY_MAX];
};

/** As struct limit_word has them. */
int also_set(struct limit *limit, const char *value, struct limit_error *error);
const char *also_get(const struct limit *limit, char text[WORD_TEXT_MAX]);

/** All words are set: check that what the keys name is there.  Return 0, or -1
 * with ${error} set. */
int also_check(const struct limit *limit, struct limit_error *error) MUST_USE;

/** How many keys it names; 0: it has no also. */
unsigned also_count(const struct limit *limit);

/** Write the also_count() keys that are charged with ${key}, which ${limit}
 * matches, to ${keys}.  Return how many, or -1: one would be longer than
 * KEY_MAX. */
int also_write_keys(const struct limit *limit, const struct key *key,
    struct rules_scratch *scratch, struct also_key *keys) MUST_USE;

#endif
