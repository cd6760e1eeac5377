/**
 * rules_text: sets of limits as text, and back.
 *
 * In a file, INI: a [section] a limit, a "word = value" a line.  In Redis, a
 * line a limit: its name and its words, "login match=login:* capacity=5
 * recharge=60s"; or a limit of Turnstile.  All go through limit_set().
 */
#ifndef LIMIT_RULES_TEXT_H
#define LIMIT_RULES_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/reasons.h"
#include "limit/rules.h"

#include <stddef.h>

/** Longest line of one limit. */
#define RULES_LINE_MAX 4096

/* The digest of a set that is read is that of its limits and their order. */

/** Read limits from INI text of ${len} bytes; ${name} is the file's name, for
 * the reasons: "limits.ini:12:1: [login]: capacity is missing".  Return a set
 * with one reference, and ${reasons} set to what may be a mistake in it; or
 * NULL with ${reasons} set to all that is wrong.  No limits at all is an error.
 */
struct rules *rules_from_ini(const char *name, const char *text, size_t len,
    struct reasons *reasons) MUST_USE;

/** A line, borrowed, without its end. */
struct rules_line {
	const char *bytes;
	size_t len;
};

/** Read ${count} limits, a line each, or as Turnstile writes them, which gives
 * a route, too; ${name} is the key's, for the reasons: "limits: member 3:
 * [login]: capacity is missing"; if it is "", they begin with the limit's name.
 * Return as rules_from_ini(), but no lines give a set without limits. */
struct rules *rules_from_lines(const char *name, const struct rules_line *lines,
    size_t count, struct reasons *reasons) MUST_USE;

/** Append a limit to ${out} as a line, without an end, or as a section.  Equal
 * limits are written equally.  Return 0, or -1 (out of memory). */
int rules_write_line(struct buf *out, const struct limit *limit) MUST_USE;
int rules_write_section(struct buf *out, const struct limit *limit) MUST_USE;

#endif
