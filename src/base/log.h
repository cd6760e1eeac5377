/**
 * log: lines to standard error, for people and for the journal.
 *
 * Under systemd (JOURNAL_STREAM) each line starts with its priority, "<3>";
 * otherwise with the time.  Or it is an object of JSON (RFC 8259) with "time",
 * "level" and "message", which is ASCII.  Thread-safe: one write(2) a line.
 * Never waits for a reader: lines that do not fit are lost, and counted.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values are those of syslog(3). */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

/** What lines look like from now on (default: text). */
void log_set_format(enum log_format value);

/** Write only lines that are at least as severe as ${value} (default: info). */
void log_set_level(enum log_level value);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/** One kind of line, which must not fill the log.  Zero it first; only one
 * thread may use it at a time. */
struct log_limiter {
	int64_t passed_us;
};

/** Log what may happen again and again, on many threads.  Drop the line if
 * ${limiter} (NULL: none) let one pass within the last ten seconds, or if any
 * thread logged the same text within that time.  Return whether ${limiter} let
 * it pass: then the log has the text, from this thread or another. */
bool log_limited(struct log_limiter *limiter, enum log_level level,
    const char *format, ...) PRINTF_LIKE(3, 4);

/** Log how many lines were lost since the last such report, if any were and
 * there is room.  Every call that logs a line does this first. */
void log_say_lost(void);

/** Copy ${len} untrusted bytes to ${to}, of ${size} bytes, as printable ASCII;
 * write each other byte as \xNN.  A text that does not fit is cut and ends in
 * "...".  Always NUL-terminated if ${size} > 0.  Return ${to}. */
char *log_escape(char *to, size_t size, const char *bytes, size_t len);

#endif
