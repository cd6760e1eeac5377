/**
 * pattern: reads which keys a limit matches: "abc", "abc*", a glob, "~regex".
 */
#ifndef LIMIT_PATTERN_H
#define LIMIT_PATTERN_H

#include "limit/word.h"

/** Set which keys the limit matches; only once.  Return 0, or -1 with ${error}
 * set. */
int pattern_set(
    struct limit *limit, const char *value, struct limit_error *error) MUST_USE;

/** All words are set: see whether the pattern may be matched by segments, if
 * the limit says so.  Return as pattern_set(). */
int pattern_finish(struct limit *limit, struct limit_error *error) MUST_USE;

/** A hash that patterns have in common that match the same keys, as they are
 * written alike. */
struct hash128 pattern_hash(const struct limit *limit);

/** What may be a mistake in the pattern, as "looks like ...", or NULL. */
const char *pattern_doubt(const struct limit *limit) MUST_USE;

/** Free what pattern_set() made, if it did. */
void pattern_free(struct limit *limit);

#endif
