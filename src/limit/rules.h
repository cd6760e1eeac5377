/**
 * rules: the ordered set of limits; finds the first that matches a key.
 *
 * A set is immutable once built, shared between threads by counted references,
 * and freed when its last user releases it.  A hash finds exact patterns, a
 * sorted index prefixes, and another index other globs by what they start with.
 * Of these globs, and of regular expressions and globs that start with a
 * special character, only those before the best match so far are tried one by
 * one.  So matching costs about the same with one limit as with thousands of
 * most kinds.
 */
#ifndef LIMIT_RULES_H
#define LIMIT_RULES_H

#include "base/attr.h"
#include "base/reasons.h"
#include "limit/key.h"
#include "limit/limit.h"
#include "limit/routes.h"

#include <stdbool.h>
#include <stddef.h>

struct rules;

/** Begin a set, with one reference and no limits.  NULL: out of memory. */
struct rules *rules_new(void) MUST_USE;

/** Make a set that is ${base}, with ${overrides} (limit/override.h) in front of
 * its limits; it takes a reference to each.  NULL: out of memory. */
struct rules *rules_override(
    struct rules *base, struct rules *overrides) MUST_USE;

/** The same, of ${count} overrides as text; takes the reference to ${base}.
 * What is none is left out, with one of ${reasons}; without memory, all are. */
struct override_line;
struct rules *rules_override_lines(struct rules *base,
    const struct override_line *lines, size_t count,
    struct reasons *reasons) MUST_USE;

/** Whether overrides are in front of it, were it none. */
bool rules_has_overrides(const struct rules *rules);

/** How many overrides the set has, and the one at place ${i}, in their order;
 * some may have ended. */
size_t rules_override_count(const struct rules *rules);
const struct limit *rules_override_at(const struct rules *rules, size_t i);

/** Append a limit, which the set takes over; the caller may still set words of
 * it.  Return 0, or -1 (out of memory: the limit stays the caller's). */
int rules_add(struct rules *rules, struct limit *limit) MUST_USE;

/** Append a route, which the set takes over.  Return 0, or -1 (out of memory:
 * the route stays the caller's). */
int rules_add_route(struct rules *rules, struct route *route) MUST_USE;

/** All limits and routes were added and finished: build the indexes.  Match
 * only after this, add only before it.  Return 0, or -1 (out of memory). */
int rules_finish(struct rules *rules) MUST_USE;

/** Most characters of a digest. */
#define RULES_DIGEST_MAX 40

/** Say by what to tell it from other sets: a text without blanks, "" at first.
 * Before it is shared. */
void rules_set_digest(struct rules *rules, const char *digest);
const char *rules_digest(const struct rules *rules);

/** Take another reference. */
struct rules *rules_ref(struct rules *rules);

/** Release a reference; NULL: no-op.  The last one frees the set. */
void rules_unref(struct rules *rules);

/** Number of limits, and the one at place ${i} (in their order). */
size_t rules_count(const struct rules *rules);
const struct limit *rules_at(const struct rules *rules, size_t i);

/** The routes beside them. */
const struct routes *rules_routes(const struct rules *rules);

/** A limit before ${limit} in the set that matches each key which ${limit}
 * matches, so that no key reaches ${limit}; NULL: none is found.  Compares
 * prefixes and whole keys, not regular expressions, and no two globs; in a huge
 * set, it skips globs. */
const struct limit *rules_cover(
    const struct rules *rules, const struct limit *limit);

/** What one thread needs to try regular expressions; not shared. */
struct rules_scratch;

/** NULL: out of memory. */
struct rules_scratch *rules_scratch_new(void) MUST_USE;
void rules_scratch_free(struct rules_scratch *scratch);

/** Try a compiled regular expression (pcre2_code *).  Return what PCRE2 does:
 * one more than the last group that is set, or PCRE2_ERROR_NOMATCH; other
 * errors count as a match without groups. */
int rules_scratch_try(struct rules_scratch *scratch, const void *regex,
    bool anchored, const char *text, size_t len);

/** Whether it returned that because the text is not UTF-8. */
bool rules_scratch_is_no_utf8(int result);

/** What group ${i} matched then, with its length in ${len}; NULL: nothing. */
const char *rules_scratch_group(
    const struct rules_scratch *scratch, int i, const char *text, size_t *len);

/** The override in force for ${key}, or NULL. */
const struct limit *rules_find_override(const struct rules *rules,
    const struct key *key, struct rules_scratch *scratch);

/** The limit that ${key} would have without overrides, or NULL. */
const struct limit *rules_match_limit(const struct rules *rules,
    const struct key *key, struct rules_scratch *scratch);

/** The first limit that matches ${key}, or NULL. */
const struct limit *rules_match(const struct rules *rules,
    const struct key *key, struct rules_scratch *scratch);

/** The outcome of trying one limit's pattern on a key. */
enum match_result {
	MATCH_NO,
	MATCH_YES,
	MATCH_TOO_HARD, /* the regular expression ran into the match limit;
			   counts as a match: a key must not escape its limit */
};

/** Try the pattern of one limit alone. */
enum match_result limit_matches(const struct limit *limit,
    const struct key *key, struct rules_scratch *scratch);

#endif
