/**
 * ini: INI text by inih, with its traps closed.
 *
 * An indented line is a line like any other (inih would continue the value
 * above it); a line longer than inih's buffer (INI_MAX_LINE, 200) is an error
 * and not two lines; a section's name is handed over whole, also where it is
 * empty or longer than inih's 49 bytes; NUL bytes are an error.
 * ';' after a blank starts a comment, so does ';' or '#' at a line's start.
 */
#ifndef BASE_INI_H
#define BASE_INI_H

#include "base/attr.h"

#include <stddef.h>

/** What is wrong, and where; lines and columns (bytes) count from 1. */
struct ini_error {
	unsigned line;
	unsigned column;
	unsigned value_column; /* where the value starts, for the handler */
	char reason[256];
};

/** One call for each "[section]" line, with ${name} NULL, and one for each
 * "name = value" line, in the order of the text.  ${section} is "" before the
 * first one.  Return 0 to go on, or -1 with ${error}->reason set to stop.
 * ${error}->line and column are where the name starts, for the handler to set
 * if another place is to blame. */
typedef int ini_handler(void *arg, const char *section, const char *name,
    const char *value, unsigned line, struct ini_error *error);

/** Read ${len} bytes of INI text.  Return 0, or -1 with ${error} set: the first
 * thing that is wrong.  Does no I/O. */
int ini_read(const char *text, size_t len, ini_handler *handler, void *arg,
    struct ini_error *error) MUST_USE;

#endif
