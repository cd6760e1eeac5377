/**
 * text: makes text from outside safe for a terminal.
 *
 * Text from a daemon, Redis, a file or a user may have control characters,
 * which terminals obey.  Printable characters of UTF-8 and blanks stay as they
 * are; every other byte is written \xNN.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/attr.h"

#include <stddef.h>
#include <stdio.h>

/** Most bytes that one byte becomes. */
#define TEXT_ESCAPED_MAX 4

/** Write ${len} bytes to ${to}, which has room for TEXT_ESCAPED_MAX times as
 * many and a NUL.  Return the length. */
size_t text_escape(char *to, const char *bytes, size_t len);

/** Print them. */
void text_write(FILE *to, const char *bytes, size_t len);

/** Print a line to standard output, as printf would, and end it.  Without the
 * memory for it, end the process with an error. */
void text_line(const char *format, ...) PRINTF_LIKE(1, 2);

/** Length of the printable character of two bytes or more that ${bytes} start
 * with; 0 if there is none. */
size_t text_character(const char *bytes, size_t len);

#endif
