/**
 * ini: reads INI text; reports each section, each pair, and each mistake.
 *
 *     [section]          ; a comment, after a blank; also # at a line's start
 *     name = value       ; or name: value; blanks around both are ignored
 *     name = " a ; b"    ; quotes, " or ', are removed; inside them only a
 *                        ; doubled quote is special: it is one quote
 *
 * An indented line is an ordinary line.  Other programs have other rules: see
 * ini_events.section.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/** Longest line, without its indentation and its end. */
#define INI_LINE_MAX 32768

/** Lines and columns (in bytes) count from 1. */
struct ini_place {
	unsigned line;
	unsigned column;       /* of a section, or a pair's name */
	unsigned value_column; /* of a pair's value */
};

struct ini_pair {
	const char *section; /* "" before the first one */
	const char *name;
	const char *value;
	bool is_cut; /* a comment ends the value, which has no quotes */
	struct ini_place place;
};

/** The events, in the order of the text.  Strings are valid during the call. */
struct ini_events {
	/** A section begins.  Return whether its lines are to be read as
	 * Python's ConfigParser does: quotes stay, and a line that is indented
	 * deeper than the name above continues its value. */
	bool (*section)(
	    void *arg, const char *name, const struct ini_place *place);
	void (*pair)(void *arg, const struct ini_pair *pair);

	/** Something is wrong; reading goes on with the next line. */
	void (*mistake)(
	    void *arg, const struct ini_place *place, const char *reason);
};

/** Read ${len} bytes.  Return 0, or -1 if memory ran out.  Does no I/O. */
int ini_read(const char *text, size_t len, const struct ini_events *events,
    void *arg) MUST_USE;

/** Whether a value without quotes is read as it is: it has no blanks around it,
 * no comment in it, and is one line. */
bool ini_is_one_line(const char *value);

/** Append a value to ${out}, in quotes if reading it without them would give
 * another value.  It has no line break.  Return 0, or -1 (out of memory). */
int ini_write_value(struct buf *out, const char *value) MUST_USE;

#endif
