/**
 * rules: the ordered set of limits; finds the first that matches a key.
 *
 * A set is immutable once built, shared between threads by counted references,
 * and freed when its last user lets go.  Exact patterns are found in a hash,
 * prefixes in a sorted index, other globs by what they start with in another;
 * of these, and of regular expressions and globs that start with anything, only
 * those that stand before the best hit so far are tried one by one.  So
 * matching costs about the same with one limit as with thousands of most kinds.
 */
#ifndef LIMIT_RULES_H
#define LIMIT_RULES_H

#include "base/attr.h"
#include "limit/key.h"
#include "limit/limit.h"

#include <stddef.h>

struct rules;

/** Begin a set, with one reference and no limits.  NULL: out of memory. */
struct rules *rules_new(void) MUST_USE;

/** Append a limit, which it takes over, and which may still be given words.
 * Return 0, or -1 (out of memory: the limit stays the caller's). */
int rules_add(struct rules *rules, struct limit *limit) MUST_USE;

/** All limits are there and finished: have them found.  No call before this
 * may match, none after it add.  Return 0, or -1 (out of memory). */
int rules_finish(struct rules *rules) MUST_USE;

/** Take another reference. */
struct rules *rules_ref(struct rules *rules);

/** Let go of a reference, or of NULL; the last one frees the set. */
void rules_unref(struct rules *rules);

/** Number of limits, and the one at place ${i} (in their order). */
size_t rules_count(const struct rules *rules);
const struct limit *rules_at(const struct rules *rules, size_t i);

/** What one thread needs to try regular expressions; not shared. */
struct rules_scratch;

/** NULL: out of memory. */
struct rules_scratch *rules_scratch_new(void) MUST_USE;
void rules_scratch_free(struct rules_scratch *scratch);

/** The first limit that matches ${key}, or NULL. */
const struct limit *rules_match(const struct rules *rules,
    const struct key *key, struct rules_scratch *scratch);

/** What came of trying one limit's pattern on a key. */
enum match_result {
	MATCH_NO,
	MATCH_YES,
	MATCH_TOO_HARD, /* the regular expression ran into the match limit;
			 * counts as a match: a key must not talk its way out */
};

/** Try the pattern of one limit alone. */
enum match_result limit_matches(const struct limit *limit,
    const struct key *key, struct rules_scratch *scratch);

#endif
