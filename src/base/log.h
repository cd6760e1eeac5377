/**
 * log: lines to standard error, for people and for the journal.
 *
 * Under systemd (JOURNAL_STREAM) each line starts with its priority, "<3>";
 * otherwise with the time.  Thread-safe: one write(2) a line.
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

/** Write only what is at least as grave as ${level} (default: info). */
void log_set_level(enum log_level level);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/** For what many have to say at once: not if the same was written so within ten
 * seconds, from whatever thread. */
void log_once(enum log_level level, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** One kind of complaint, which must not fill the log; all zero at first. */
struct log_pace {
	int64_t last_us;
};

/** Whether to complain now: not within ten seconds of the last time.  One
 * thread. */
bool log_is_due(struct log_pace *pace);

/** Copy ${len} bytes that a stranger sent to ${to}, of ${size} bytes, as
 * printable ASCII: what is not is written \xNN.  What does not fit is cut and
 * ends in "...".  Always NUL-terminated if ${size} > 0.  Return ${to}. */
char *log_escape(char *to, size_t size, const char *bytes, size_t len);

#endif
