/**
 * glob: patterns with *, ? and [...], on the characters of a text.
 *
 * As fnmatch(3) without flags, but for characters of UTF-8 instead of bytes.
 * A byte that is not part of one counts as a character of its own, which no
 * pattern names.
 *
 *   *      any characters, or none     \c     c itself
 *   ?      one character               [...]  one of these
 *   [!..]  one that is none of these; [^..] likewise
 *
 * Between brackets: a-z, [:alpha:] and the other eleven classes of ASCII, \c,
 * and a ] that comes first.
 *
 * By segments, the parts of a text between its slashes, which are those of
 * keys that are made of descriptors (protocol/descriptors.h):
 *
 *   *, ?, [...]   do not match a /; ? and [...] take %XX as one character, %
 *   NAME=*        at the end of a segment, matches NAME alone, too
 */
#ifndef LIMIT_GLOB_H
#define LIMIT_GLOB_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/** What is wrong with the pattern, as "has a [ without a ]", or NULL. */
const char *glob_fault(const char *pattern) MUST_USE;

/** Copy to ${literal} what every matching text starts with; it has room for all
 * of the pattern and a NUL.  Return where in the pattern the first special
 * character is, or its end. */
const char *glob_literal(const char *pattern, char *literal);

/** Whether all ${len} bytes of ${text} match the pattern, which has no
 * fault; and whether they do by segments. */
bool glob_matches(const char *pattern, const char *text, size_t len);
bool glob_matches_segments(const char *pattern, const char *text, size_t len);

/** Whether, by segments, the "=*" at this place of a pattern may be missing. */
bool glob_may_lack(const char *at);

/** A part of a text, borrowed; NULL: none. */
struct glob_part {
	const char *bytes;
	size_t len;
};

/** How many * the pattern, which has no fault, has. */
unsigned glob_count_stars(const char *pattern);

/** Set what each * of the pattern, the first ${most} of them, stands for in a
 * text that matches, perhaps ${by_segments}: as few characters as will do. */
void glob_find_stars(const char *pattern, bool by_segments, const char *text,
    size_t len, struct glob_part *stars, unsigned most);

#endif
