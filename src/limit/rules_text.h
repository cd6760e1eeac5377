/**
 * rules_text: sets of limits as text, and back.
 *
 * In a file, INI: a [section] a limit, a "word = value" a line.  In Redis, a
 * line a limit: its name and its words, "login match=login:* capacity=5
 * recharge=60s".  Both go through limit_set().
 */
#ifndef LIMIT_RULES_TEXT_H
#define LIMIT_RULES_TEXT_H

#include "base/attr.h"
#include "base/buf.h"
#include "limit/rules.h"

#include <stddef.h>

/** Longest line of one limit. */
#define RULES_LINE_MAX 4096

/** Why a text was refused: "limits.ini:12:1: [login]: capacity is missing",
 * "limits: member 3: [login]: capacity is missing". */
struct rules_error {
	char reason[400];
};

/** Read limits from INI text of ${len} bytes; ${name} is the file's name, for
 * complaints.  Return a set with one reference, or NULL with ${error} set to
 * the first thing that is wrong.  No limits at all is an error. */
struct rules *rules_from_ini(const char *name, const char *text, size_t len,
    struct rules_error *error) MUST_USE;

/** A line, borrowed, without its end. */
struct rules_line {
	const char *bytes;
	size_t len;
};

/** Read ${count} limits, a line each; ${name} is the key's, for complaints.
 * Returns as rules_from_ini(), but no lines are a set without limits. */
struct rules *rules_from_lines(const char *name,
    const struct rules_line *lines, size_t count, struct rules_error *error)
    MUST_USE;

/** Append a limit to ${out} as a line, without an end, or as a section.  Equal
 * limits are written equally.  Return 0, or -1 (out of memory). */
int rules_write_line(struct buf *out, const struct limit *limit) MUST_USE;
int rules_write_section(struct buf *out, const struct limit *limit) MUST_USE;

#endif
